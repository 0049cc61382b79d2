//! Who is logged in, for handlers.

use std::{
    fmt,
    future::{Future, pending},
    sync::Arc,
    time::SystemTime,
};

use actix_session::SessionExt;
use actix_web::{
    Error, FromRequest, HttpMessage, HttpRequest, HttpResponse, dev::Payload, error::InternalError,
};
use futures_core::future::LocalBoxFuture;

use crate::{
    config::{BasicLogin, Config},
    context::RequestContext,
    decision::{Decision, OnSuccess, RefusalKind, authenticate},
    request::authorization::Authorization,
    request::kind::RequestKind,
    response,
    response::notice::Reason,
    revocation::registry::{self, Watched},
    session::{LoginId, State, time},
};

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
    since: SystemTime,
    login: Option<Watched>,
    config: Arc<Config>,
}

impl fmt::Debug for User {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Inner { id, since, login, config } = &*self.inner;
        f.debug_struct("User")
            .field("id", id)
            .field("realm", &config.realm)
            .field("since", since)
            .field("login_id", &login.map(|it| it.id))
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
        &self.inner.config.realm
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
    /// let watch = Watch::default();
    /// let login = BasicLogin::builder("Admin area", users)
    ///     .clock(watch.system_time())
    ///     .build()?;
    /// let since = web::get().to(async |user: User| HttpDate::from(user.logged_in_at()).to_string());
    /// # let app = App::new()
    /// #     .service(web::scope("/admin").wrap(login).route("/", since))
    /// #     .wrap(sessions());
    /// # let mut browser = Browser::new(test::init_service(app).await);
    /// browser.log_in().await;
    /// watch.forward(Duration::from_secs(60));
    /// let since = text(browser.open("/admin/").await).await;
    /// assert_eq!(since, "Thu, 01 Jan 1970 00:00:00 GMT"); // where this clock began
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn logged_in_at(&self) -> SystemTime {
        self.inner.since
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
    /// browser.log_in().await;
    /// assert_eq!(text(browser.open("/admin/").await).await, "true");
    /// let curl = TestRequest::with_uri("/admin/").insert_header(ALICE).to_request();
    /// assert_eq!(test::call_and_read_body(&browser.app, curl).await, "false");
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn login_id(&self) -> Option<LoginId> {
        self.inner.login.map(|it| it.id)
    }

    /// Resolves when the login ends, for what goes on after the request has been answered: a
    /// `WebSocket`, or server-sent events.
    ///
    /// Log-out and [revocation](BasicLogin::revoke_user) end it at once, on another machine within
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
    /// browser.log_in().await;
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
                Some(login) => registry::wait(&user.config, &user.id, login).await,
                None => pending().await,
            }
        }
    }

    pub(crate) fn of(config: &Arc<Config>, visit: &RequestContext) -> Option<Self> {
        let State::LoggedIn(login) = &visit.state else { return None };
        let (id, since) = (login.user.clone(), time(login.since));
        Some(Self::new(config, id, since, visit.watched()))
    }

    /// A client without a session, whose credentials are good.
    pub(crate) fn of_program(config: &Arc<Config>, visit: &RequestContext) -> Option<Self> {
        Some(Self::new(config, visit.user_id()?.to_owned(), time(visit.now), None))
    }

    fn new(config: &Arc<Config>, id: String, since: SystemTime, login: Option<Watched>) -> Self {
        Self { inner: Arc::new(Inner { id, since, login, config: Arc::clone(config) }) }
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
    let Some(BasicLogin { config }) = req.app_data::<BasicLogin>() else {
        tracing::debug!(
            path = req.path(),
            "a User was extracted outside BasicLogin, and no BasicLogin is in the app_data"
        );
        return Err(login_required(response::refuse_without_realm(req)));
    };
    let error_response = |error| response::error_response(config, req, error);
    let visit = RequestContext::read(config, req, &req.get_session()).await;
    let mut visit = visit.map_err(|error| error_response(error.into()))?;
    let is_in = is_in(config, req, &mut visit).await.map_err(error_response)?;
    if let Some(user) = User::of(config, &visit).filter(|_| is_in) {
        return Ok(user);
    }
    let logged_in_but_not_sent = matches!(visit.state, State::LoggedIn(_))
        && matches!(visit.authorization, Authorization::Missing);
    let how = match visit.client {
        RequestKind::NonBrowser => RefusalKind::Challenge,
        _ if logged_in_but_not_sent => RefusalKind::Challenge,
        _ => RefusalKind::Quietly,
    };
    let response = response::refuse(config, req, visit.client, how, Reason::LoginRequired);
    Err(login_required(response))
}

/// Whether a login is there that goes on, with its credentials.
async fn is_in(
    config: &Config,
    req: &HttpRequest,
    visit: &mut RequestContext,
) -> Result<bool, Error> {
    match (authenticate(&visit.ask(config, req.path())), &visit.authorization) {
        (Decision::Pass, _) => {
            visit.keep(config, req, false).await?;
            Ok(true)
        }
        (Decision::Check { good: OnSuccess::Confirm, .. }, Authorization::Basic(credentials)) => {
            let agreed = config.checker.reverify(req, credentials).await?;
            let is_in = agreed && !visit.notice_logout(config).await?;
            if is_in {
                visit.keep(config, req, true).await?;
            }
            Ok(is_in)
        }
        _ => Ok(false),
    }
}

fn login_required(response: HttpResponse) -> Error {
    InternalError::from_response("login required", response).into()
}
