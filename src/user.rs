//! The extractor of the logged-in user.

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
    request::{authorization::Authorization, kind::RequestKind, path::start_of},
    response::responder::refuse_without_realm,
    revocation::{
        key::{LoginId, RevocationKey},
        registry::{EntryStatus, IdKind, Keys, Revocations},
    },
    session::{
        login::{Validity, time},
        login_validity::login_status,
        state::{Cause, State},
    },
};

/// How often [`User::ended`] polls for logouts on other machines.
const POLL_INTERVAL: Duration = Duration::from_secs(1);

/// The logged-in user, as an extractor: `User` requires a login, `Option<User>` does not.
///
/// Behind the middleware every handler can extract it.
///
/// Outside the middleware, a handler can extract it if the browser is logged in and the request
/// carries the credentials of the login. Register the realm with `.app_data(login.clone())` for
/// that. A realm with a [validator](BasicLogin::with_validator) finds no user outside, because a
/// validator needs the request of the middleware.
///
/// If a handler requires a `User` and there is none, the response is a 401:
///
/// - A browser receives a challenge with an unknown scheme. It opens no dialog, because no user could
///   log in at that path.
/// - A browser that is logged in, but did not send its credentials to this path, receives a real
///   challenge. The browser answers it with its cached credentials, without a dialog.
/// - A non-browser client receives a real challenge.
///
/// ```
/// use actix_basic_logout::User;
///
/// async fn greet(user: Option<User>) -> String {
///     match user {
///         Some(user) => format!("Hello, {}", user.id()),
///         None => "Hello, guest".to_owned(),
///     }
/// }
/// # use actix_web::{App, test, web};
/// # actix_web::rt::System::new().block_on(async {
/// let app = test::init_service(App::new().route("/", web::get().to(greet))).await;
/// let body = test::call_and_read_body(&app, test::TestRequest::get().to_request()).await;
/// assert_eq!(body, "Hello, guest");
/// # });
/// ```
#[derive(Clone)]
pub struct User {
    inner: Arc<Inner>,
}

/// Shared by all cached requests of a login.
struct Inner {
    id: String,
    logged_in_at: SystemTime,
    login: Option<UserLogin>,
    realm: Arc<Realm>,
}

/// The keys and times that show whether the login has ended.
struct UserLogin {
    id: LoginId,
    /// The keys under which the login can be ended.
    keys: Vec<RevocationKey>,
    validity: Validity,
    /// The sessions whose logout ends the login.
    sessions: Vec<RevocationKey>,
}

impl fmt::Debug for User {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Inner { id, logged_in_at, login, realm } = &*self.inner;
        f.debug_struct("User")
            .field("id", id)
            .field("realm", &realm.name)
            .field("logged_in_at", logged_in_at)
            .field("login_id", &login.as_ref().map(|it| it.id))
            .finish_non_exhaustive()
    }
}

impl User {
    /// Returns the id of the user: the canonical id if the authenticator returned one with
    /// [`Verdict::valid_as`](crate::Verdict::valid_as), otherwise the user-id (RFC 7617, section 2)
    /// that the authenticator accepted.
    ///
    /// It is empty if the authenticator accepts an empty user-id. It may hold whatever characters the
    /// user typed, so escape it in HTML.
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

    /// Returns the name of the realm in which the user is logged in.
    ///
    /// ```
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/guide/browser.rs"));
    /// # #[actix_web::main]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use actix_basic_logout::{BasicLogin, User};
    ///
    /// let login = BasicLogin::builder("Admin area", users).build()?;
    /// let realm = web::get().to(async |user: User| user.realm().to_owned());
    /// let app = test::init_service(App::new().wrap(login).route("/", realm)).await;
    /// let request = TestRequest::get().insert_header(ALICE).to_request();
    /// assert_eq!(test::call_and_read_body(&app, request).await, "Admin area");
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn realm(&self) -> &str {
        &self.inner.realm.name
    }

    /// Returns the time of the login, by the [clock](crate::BasicLoginBuilder::clock), in whole
    /// milliseconds. For a non-browser client without a session, it is the time of the request.
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
    /// assert_eq!(since.text(), "Thu, 01 Jan 1970 00:00:00 GMT"); // the start of this clock
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn logged_in_at(&self) -> SystemTime {
        self.inner.logged_in_at
    }

    /// Returns the id of the login, for [`revoke_login`](BasicLogin::revoke_login). `None` for a
    /// non-browser client without a session, which has no login.
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
        self.inner.login.as_ref().map(|it| it.id)
    }

    /// Returns a future that resolves when the login ends. Use it to close connections that stay open
    /// after their request, such as a `WebSocket` or server-sent events.
    ///
    /// It resolves
    ///
    /// - at once after a logout, after [`revoke_user`](BasicLogin::revoke_user) or
    ///   [`revoke_login`](BasicLogin::revoke_login), when another request finds that the authenticator
    ///   no longer accepts the password, or when the browser logs in with other credentials; on other
    ///   machines within about a second;
    /// - within about a second after the absolute timeout
    ///   ([`login_deadline`](crate::BasicLoginBuilder::login_deadline)).
    ///
    /// It does not resolve
    ///
    /// - after the idle timeout ([`visit_deadline`](crate::BasicLoginBuilder::visit_deadline)),
    ///   because a user with an open connection is not idle;
    /// - while the revocation store is unavailable;
    /// - for a non-browser client without a session, which cannot log out.
    ///
    /// # Panics
    ///
    /// The future panics if it is polled outside a Tokio runtime; actix-web's runtime is one.
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
    #[doc(alias = "WebSocket")]
    pub fn ended(&self) -> impl Future<Output = ()> + Send + use<> {
        let user = Arc::clone(&self.inner);
        async move {
            match &user.login {
                Some(login) => wait_for_end(&user.realm, &user.id, login).await,
                None => pending().await,
            }
        }
    }

    /// The user of a request with a login.
    pub(crate) fn of(
        realm: &Arc<Realm>,
        req: &HttpRequest,
        context: &RequestContext,
    ) -> Option<Self> {
        let (id, login) = context.login()?;
        let sessions = context.sessions(realm, req);
        Some(Self {
            inner: Arc::new(Inner {
                id: login.user.clone(),
                logged_in_at: time(login.logged_in_at),
                login: Some(UserLogin {
                    id,
                    keys: context.state.keys(Some(id)),
                    validity: login.validity(),
                    sessions,
                }),
                realm: Arc::clone(realm),
            }),
        })
    }

    /// The user of a non-browser client without a session, whose credentials are valid.
    pub(crate) fn without_session(
        realm: &Arc<Realm>,
        context: &RequestContext,
        user_id: String,
    ) -> Self {
        let (id, logged_in_at) = (user_id, time(context.now));
        let inner = Inner { id, logged_in_at, login: None, realm: Arc::clone(realm) };
        Self { inner: Arc::new(inner) }
    }
}

/// Waits until a login has ended. A logout in this process wakes it; a logout on another machine shows at the next
/// poll.
async fn wait_for_end(realm: &Realm, user: &str, login: &UserLogin) {
    let UserLogin { validity, ref keys, ref sessions, .. } = *login;
    let (own, sessions) = (keys.clone(), sessions.iter().copied());
    let keys = Keys::of(IdKind::Login, own, sessions, &realm.name, &[user]);
    // Subscribed before the first lookup, so that no change is missed.
    let subscription = Revocations::subscribe(&keys);
    let mut was_unavailable = false;
    if realm.now() >= validity.ends_by {
        // The revocation list need not know the login any more.
        return;
    }
    loop {
        let now = realm.now();
        // A user with an open connection is not idle, and sends no credentials that could be verified.
        let validity =
            Validity { visited_at: now, verified_at: now, ends_by: u64::MAX, ..validity };
        let revocations = match realm.revocations.look_up(&keys).await {
            Ok(revocations) => {
                was_unavailable = false;
                revocations
            }
            // No user can log out in the meantime, either.
            Err(error) => {
                if !was_unavailable {
                    tracing::warn!(
                        realm = %realm.name, %error,
                        "cannot check whether the login of an open connection has ended: it stays \
                         open until the revocation store is available"
                    );
                    was_unavailable = true;
                }
                EntryStatus::ACTIVE
            }
        };
        if login_status(&validity, now, &realm.lifetime, &revocations).ended().is_some() {
            return;
        }
        let _ = timeout(POLL_INTERVAL, subscription.changed()).await;
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
                None => extract_outside(&req).await,
            }
        })
    }
}

/// The user of a request that did not pass the middleware.
async fn extract_outside(req: &HttpRequest) -> Result<User, Error> {
    let Some(BasicLogin { realm }) = req.app_data::<BasicLogin>() else {
        tracing::debug!(
            path = start_of(req.path()),
            "a User was extracted outside the middleware, but no BasicLogin is registered: add \
             `.app_data(login.clone())`"
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

/// The user of a valid login whose credentials the request carries, or the kind of the refusal.
async fn find(
    realm: &Arc<Realm>,
    req: &HttpRequest,
) -> Result<Result<User, (RequestKind, RefusalKind)>, Error> {
    if let Some(refusal) = realm.refuse_forged_cookie(req) {
        return Err(login_required(refusal));
    }
    let mut context = RequestContext::read(realm, req, &req.get_session()).await?;
    if is_valid(realm, req, &mut context).await?
        && let Some(user) = User::of(realm, req, &context)
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

/// Whether the request carries a valid login together with its credentials.
async fn is_valid(
    realm: &Realm,
    req: &HttpRequest,
    context: &mut RequestContext,
) -> Result<bool, Error> {
    match authenticate(&context.facts(realm, req.path())) {
        Decision::Pass => {
            context.touch(realm, req, None).await?;
            Ok(true)
        }
        // A validator needs the whole request, so it cannot check this one.
        Decision::Check { .. } if realm.config.checker.sees_every_request() => Ok(false),
        Decision::Check { on_success: OnSuccess::Confirm, .. } => {
            let verified = context.reverify(realm, req, None).await?;
            let user = verified.verdict.into_user(context.user_id());
            let is_confirmed =
                user.is_some() && user.as_ref() == context.login().map(|(_, it)| &it.user);
            if context.notice_logout(realm, req).await? {
                return Ok(false);
            }
            if is_confirmed {
                context.touch(realm, req, Some(verified.at)).await?;
            } else {
                context.end_rejected(realm).await?;
                let ended = context.state.logged_out(Cause::CredentialsChanged);
                context.write(realm, req, ended).await?;
            }
            Ok(is_confirmed)
        }
        _ => Ok(false),
    }
}

fn login_required(response: HttpResponse) -> Error {
    InternalError::from_response("login required", response).into()
}
