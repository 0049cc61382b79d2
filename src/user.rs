//! Who is logged in, for handlers.

use std::{
    fmt,
    future::{Future, pending},
    sync::Arc,
    time::{Duration, SystemTime},
};

use actix_session::SessionExt;
use actix_web::{
    Error, FromRequest, HttpMessage, HttpRequest, HttpResponse, dev::Payload, error::InternalError,
};
use futures_core::future::LocalBoxFuture;
use tokio::time::timeout;

use crate::{
    config::{BasicLogin, Realm},
    context::RequestContext,
    decision::{
        authenticate::{Decision, OnSuccess, authenticate},
        facts::RefusalKind,
    },
    refusal_reason::Reason,
    request::{authorization::Authorization, kind::RequestKind},
    response::responder::refuse_without_realm,
    revocation::{
        key::LoginId,
        registry::{EntryStatus, Keys, Revocations},
    },
    session::{
        login::{Validity, time},
        login_validity::login_status,
        state::State,
    },
};

/// How often an open handle looks for logouts on other machines.
const POLL_INTERVAL: Duration = Duration::from_secs(1);

/// Who is logged in, and since when.
///
/// An extractor: `User` demands a login, `Option<User>` does not. In a handler behind the
/// middleware it is always there.
///
/// Elsewhere it is there if the browser is logged in and has sent its credentials along; register
/// the realm with `.app_data(login.clone())`, or it never is (nor with
/// [validators](BasicLogin::with_validator), which need the middleware's request).
/// Where it is demanded and missing,
/// the answer is 401. Its challenge opens no dialog, because nobody could log in there, but for a
/// browser that is logged in and has only not sent its credentials to this path: it repeats the
/// request by itself. Programs get the plain challenge.
///
/// ```
/// use actix_basic_logout::User;
///
/// async fn greet(user: Option<User>) -> String {
///     match user {
///         Some(user) => format!("Hello, {}", user.id()),
///         None => "Hello, whoever you are".to_owned(),
///     }
/// }
/// # use actix_web::{App, test, web};
/// # actix_web::rt::System::new().block_on(async {
/// let app = test::init_service(App::new().route("/", web::get().to(greet))).await;
/// let body = test::call_and_read_body(&app, test::TestRequest::get().to_request()).await;
/// assert_eq!(body, "Hello, whoever you are");
/// # });
/// ```
#[derive(Clone)]
pub struct User {
    inner: Arc<Inner>,
}

/// Shared, since each request of a login has one.
struct Inner {
    id: String,
    logged_in_at: SystemTime,
    login: Option<(LoginId, Validity)>,
    realm: Arc<Realm>,
}

impl fmt::Debug for User {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Inner { id, logged_in_at, login, realm } = &*self.inner;
        f.debug_struct("User")
            .field("id", id)
            .field("realm", &realm.name)
            .field("logged_in_at", logged_in_at)
            .field("login_id", &login.map(|(id, _)| id))
            .finish_non_exhaustive()
    }
}

impl User {
    /// The user-id (RFC 7617, section 2), as the authenticator agreed to it. It may be empty if
    /// the authenticator takes empty ones, and it is whatever was typed: escape it in a page.
    ///
    /// ```
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/guide/browser.rs"));
    /// # #[actix_web::main]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use actix_basic_logout::{BasicLogin, User};
    ///
    /// let login = BasicLogin::builder("Admin area", users).build()?;
    /// let greet = web::get().to(async |user: User| format!("Hello, {}", user.id()));
    /// let app = test::init_service(App::new().wrap(login).route("/", greet)).await;
    /// let request = TestRequest::get().insert_header(ALICE).to_request();
    /// assert_eq!(test::call_and_read_body(&app, request).await, "Hello, alice");
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn id(&self) -> &str {
        &self.inner.id
    }

    /// The realm that the user is logged in to.
    ///
    /// ```
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/guide/browser.rs"));
    /// # #[actix_web::main]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use actix_basic_logout::{BasicLogin, User};
    ///
    /// let login = BasicLogin::builder("Admin area", users).build()?;
    /// let where_am_i = web::get().to(async |user: User| user.realm().to_owned());
    /// let app = test::init_service(App::new().wrap(login).route("/", where_am_i)).await;
    /// let request = TestRequest::get().insert_header(ALICE).to_request();
    /// assert_eq!(test::call_and_read_body(&app, request).await, "Admin area");
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn realm(&self) -> &str {
        &self.inner.realm.name
    }

    /// When the login happened, by the [clock](crate::BasicLoginBuilder::clock), in whole
    /// milliseconds. For a program without a session: now.
    ///
    /// ```
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/guide/browser.rs"));
    /// # #[actix_web::main]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use std::time::Duration;
    /// use actix_basic_logout::{BasicLogin, User};
    /// use actix_web::http::header::HttpDate;
    ///
    /// let clock = Clock::new();
    /// let login = BasicLogin::builder("Admin area", users)
    ///     .clock(clock.system_time())
    ///     .build()?;
    /// let since = web::get().to(async |user: User| HttpDate::from(user.logged_in_at()).to_string());
    /// # let app = App::new()
    /// #     .service(web::scope("/admin").wrap(login).route("/", since))
    /// #     .wrap(sessions());
    /// # let mut browser = Browser::new(test::init_service(app).await);
    /// browser.log_in("/admin/", "alice", "wonderland").await;
    /// clock.advance(Duration::from_secs(60));
    /// let since = browser.open("/admin/").await;
    /// assert_eq!(since.text(), "Thu, 01 Jan 1970 00:00:00 GMT"); // where this clock began
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn logged_in_at(&self) -> SystemTime {
        self.inner.logged_in_at
    }

    /// The id of the login, by which it can be [ended](BasicLogin::revoke_login). None for a program
    /// without a session, which has no login.
    ///
    /// ```
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/guide/browser.rs"));
    /// # #[actix_web::main]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use actix_basic_logout::{BasicLogin, User};
    ///
    /// let login = BasicLogin::builder("Admin area", users).build()?;
    /// let has_id = web::get().to(async |user: User| format!("{}", user.login_id().is_some()));
    /// # let app = App::new()
    /// #     .service(web::scope("/admin").wrap(login).route("/", has_id))
    /// #     .wrap(sessions());
    /// # let mut browser = Browser::new(test::init_service(app).await);
    /// browser.log_in("/admin/", "alice", "wonderland").await;
    /// assert_eq!(browser.open("/admin/").await.text(), "true");
    /// let curl = TestRequest::with_uri("/admin/").insert_header(ALICE);
    /// assert_eq!(browser.send_as_non_browser(curl).await.text(), "false");
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn login_id(&self) -> Option<LoginId> {
        self.inner.login.map(|(id, _)| id)
    }

    /// Resolves when the login ends, for what goes on after the request has been answered: a
    /// `WebSocket`, or server-sent events.
    ///
    /// Logout and [revocation](BasicLogin::revoke_user) end it at once, on another machine within
    /// about a second; so does the [`login_deadline`](crate::BasicLoginBuilder::login_deadline), and
    /// a password found to be no longer good by another request. The
    /// [`visit_deadline`](crate::BasicLoginBuilder::visit_deadline) does not: who keeps a socket open
    /// is there. Who logs in as somebody else without logging out goes on with the login, and what was
    /// opened before with it. While it cannot be looked up whether the login has ended, it is taken to
    /// go on. For a program without a session, which cannot log out, it never resolves.
    ///
    /// # Panics
    ///
    /// If it is polled outside a Tokio runtime; actix-web's is one.
    ///
    /// ```
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/guide/browser.rs"));
    /// # #[actix_web::main]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use std::sync::atomic::AtomicBool;
    /// use actix_basic_logout::{BasicLogin, User};
    /// use actix_web::rt;
    ///
    /// static IS_OPEN: AtomicBool = AtomicBool::new(false);
    ///
    /// // At `/admin/`.
    /// async fn events(user: User) -> &'static str {
    ///     IS_OPEN.store(true, Relaxed);
    ///     rt::spawn(async move {
    ///         user.ended().await;
    ///         IS_OPEN.store(false, Relaxed); // close the socket
    ///     });
    ///     "open"
    /// }
    ///
    /// let login = BasicLogin::builder("Admin area", users).build()?;
    /// # let app = App::new()
    /// #     .service(web::scope("/admin").wrap(login.clone()).default_service(web::to(events)))
    /// #     .route("/logout", web::to(login.logout()))
    /// #     .wrap(sessions());
    /// # let mut browser = Browser::new(test::init_service(app).await);
    /// browser.log_in("/admin/", "alice", "wonderland").await;
    /// assert!(IS_OPEN.load(Relaxed));
    /// browser.open("/logout").await;
    /// # for _ in 0..100 {
    /// #     tokio::task::yield_now().await;
    /// # }
    /// assert!(!IS_OPEN.load(Relaxed));
    /// # Ok(())
    /// # }
    /// ```
    pub fn ended(&self) -> impl Future<Output = ()> + Send + use<> {
        let user = Arc::clone(&self.inner);
        async move {
            match user.login {
                Some((id, validity)) => wait_for_end(&user.realm, &user.id, id, validity).await,
                None => pending().await,
            }
        }
    }

    /// The user of a request with a login.
    pub(crate) fn of(realm: &Arc<Realm>, context: &RequestContext) -> Option<Self> {
        let (login_id, login) = context.login()?;
        Some(Self {
            inner: Arc::new(Inner {
                id: login.user.clone(),
                logged_in_at: time(login.logged_in_at),
                login: Some((login_id, login.validity())),
                realm: Arc::clone(realm),
            }),
        })
    }

    /// The user of a program without a session, whose credentials are valid.
    pub(crate) fn without_session(realm: &Arc<Realm>, context: &RequestContext) -> Option<Self> {
        let (id, logged_in_at) = (context.user_id()?.to_owned(), time(context.now));
        let inner = Inner { id, logged_in_at, login: None, realm: Arc::clone(realm) };
        Some(Self { inner: Arc::new(inner) })
    }
}

/// Waits until a login has ended: in this process at once, on another machine at the next poll.
async fn wait_for_end(realm: &Realm, user: &str, id: LoginId, validity: Validity) {
    let keys = Keys::of(Some(id), None, &realm.name, &[user]);
    let mut changes = Revocations::changes();
    let mut was_unavailable = false;
    loop {
        let now = realm.now();
        // Whoever keeps a connection open is not idle, and sends no credentials to confirm.
        let validity = Validity { visited_at: now, verified_at: now, ..validity };
        let revocations = match realm.revocations.look_up(&keys).await {
            Ok(revocations) => {
                was_unavailable = false;
                revocations
            }
            // Nobody can log out meanwhile, either.
            Err(error) => {
                if !was_unavailable {
                    tracing::warn!(
                        realm = %realm.name, %error,
                        "an open login cannot be looked after"
                    );
                    was_unavailable = true;
                }
                EntryStatus::ACTIVE
            }
        };
        if login_status(&validity, now, &realm.lifetime, &revocations).ended().is_some() {
            return;
        }
        let _ = timeout(POLL_INTERVAL, changes.changed()).await;
    }
}

impl FromRequest for User {
    type Error = Error;
    type Future = LocalBoxFuture<'static, Result<Self, Error>>;

    fn from_request(req: &HttpRequest, _: &mut Payload) -> Self::Future {
        let found = req.extensions().get::<Self>().cloned();
        let req = req.clone();
        Box::pin(async move {
            match found {
                Some(user) => Ok(user),
                None => outside(&req).await,
            }
        })
    }
}

/// The user of a request that has not come through the middleware.
async fn outside(req: &HttpRequest) -> Result<User, Error> {
    let Some(BasicLogin { realm }) = req.app_data::<BasicLogin>() else {
        tracing::debug!(
            path = req.path(),
            "a User was extracted outside BasicLogin, and no BasicLogin is in the app_data"
        );
        return Err(login_required(refuse_without_realm(req)));
    };
    find(realm, req).await.map_err(|error| realm.error(req, error))?.map_err(
        |(request_kind, kind)| {
            let reason = Reason::LoginRequired;
            login_required(realm.responder.refuse(req, request_kind, kind, reason))
        },
    )
}

/// The user of a valid login whose credentials came along, or how to refuse.
async fn find(
    realm: &Arc<Realm>,
    req: &HttpRequest,
) -> Result<Result<User, (RequestKind, RefusalKind)>, Error> {
    let mut context = RequestContext::read(realm, req, &req.get_session()).await?;
    if is_valid(realm, req, &mut context).await?
        && let Some(user) = User::of(realm, &context)
    {
        return Ok(Ok(user));
    }
    let is_logged_in = matches!(context.state, State::LoggedIn(_));
    let kind = match context.request_kind {
        RequestKind::NonBrowser => RefusalKind::Challenge,
        _ if is_logged_in && matches!(context.authorization, Authorization::Missing) => {
            RefusalKind::Challenge
        }
        _ => RefusalKind::Quiet,
    };
    Ok(Err((context.request_kind, kind)))
}

/// Whether a valid login is there, with its credentials.
async fn is_valid(
    realm: &Realm,
    req: &HttpRequest,
    context: &mut RequestContext,
) -> Result<bool, Error> {
    match (authenticate(&context.facts(realm, req.path())), &context.authorization) {
        (Decision::Pass, _) => {
            context.touch(realm, req, false).await?;
            Ok(true)
        }
        (
            Decision::Check { on_success: OnSuccess::Confirm, .. },
            Authorization::Basic(credentials),
        ) => {
            let is_confirmed = realm.config.checker.reverify(req, credentials).await?;
            let is_valid = is_confirmed && !context.notice_logout(realm).await?;
            if is_valid {
                context.touch(realm, req, true).await?;
            }
            Ok(is_valid)
        }
        _ => Ok(false),
    }
}

fn login_required(response: HttpResponse) -> Error {
    InternalError::from_response("login required", response).into()
}
