//! A realm: its middleware's value, and how it is set up.

use std::{
    fmt,
    future::Future,
    sync::Arc,
    time::{Duration, SystemTime},
};

use actix_web::{Error, HttpRequest, HttpResponse, dev::ServiceRequest, http::header::HeaderValue};
use actix_web_httpauth::extractors::basic::BasicAuth;

use crate::{
    authenticator::{Authenticator, Checker},
    builder::BasicLoginBuilder,
    diagnostics::missing_cookies::Cookieless,
    diagnostics::setup::Misuse,
    logout::Logout,
    request::fingerprint::FingerprintKey,
    request::kind::RequestKind,
    response::Challenges,
    response::notice::Notice,
    revocation::RevocationError,
    revocation::registry::Revocations,
    session::LoginId,
    session::deadlines::Deadlines,
};

/// HTTP Basic authentication that can log out: a realm, and the middleware that guards it.
///
/// Build it once, in `main`, and clone it into the closure of `HttpServer::new`; clones share
/// everything. Wrap it around an `App`, a scope or a resource, inside the
/// [`SessionMiddleware`](actix_session::SessionMiddleware), and mount its
/// [`logout`](Self::logout) handler where you like. The [crate documentation](crate) shows it
/// whole.
///
/// Also register it with `.app_data(login.clone())` if handlers outside the wrapped part extract a
/// [`User`](crate::User).
///
/// ```
/// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/guide/browser.rs"));
/// # #[actix_web::main]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use actix_basic_logout::{BasicLogin, User};
///
/// let login = BasicLogin::builder("Admin area", users).build()?;
/// let who = async |user: Option<User>| user.map_or("nobody".to_owned(), |it| it.id().to_owned());
/// let app = App::new()
///     .app_data(login.clone())
///     .service(web::scope("/admin").wrap(login.clone()).route("/", web::get().to(who)))
///     .route("/", web::get().to(who))
///     .wrap(sessions());
/// let mut browser = Browser::new(test::init_service(app).await);
/// assert_eq!(text(browser.open("/").await).await, "nobody");
/// assert_eq!(browser.open("/admin/").await.status(), 401);
/// browser.log_in().await;
/// assert_eq!(text(browser.open("/admin/").await).await, "alice");
/// assert_eq!(text(browser.open("/").await).await, "alice");
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct BasicLogin {
    pub(crate) config: Arc<Config>,
}

impl BasicLogin {
    /// Starts a realm whose credentials the authenticator knows.
    ///
    /// The realm (RFC 9110, section 11.5) names what is protected. Chromium and Firefox do not
    /// show it; all browsers keep credentials by it, so every realm of an application needs a name
    /// of its own: of 256 bytes at most, without control characters.
    ///
    /// ```
    /// use actix_basic_logout::BasicLogin;
    /// use actix_web::{App, HttpRequest, test};
    /// use actix_web_httpauth::extractors::basic::BasicAuth;
    ///
    /// # actix_web::rt::System::new().block_on(async {
    /// let users = async |_: &HttpRequest, credentials: &BasicAuth| {
    ///     Ok(credentials.user_id() == "alice" && credentials.password() == Some("wonderland"))
    /// };
    /// let login = BasicLogin::builder("Admin area", users).landing_path("/admin/").build()?;
    /// let app = test::init_service(App::new().wrap(login)).await;
    /// let answer = test::call_service(&app, test::TestRequest::get().to_request()).await;
    /// assert_eq!(
    ///     answer.headers().get("WWW-Authenticate").unwrap(),
    ///     r#"Basic realm="Admin area", charset="UTF-8""#
    /// );
    /// # Ok::<(), actix_basic_logout::ConfigError>(())
    /// # }).unwrap();
    /// ```
    pub fn builder(
        realm: impl Into<String>,
        authenticator: impl Authenticator,
    ) -> BasicLoginBuilder {
        BasicLoginBuilder::new(realm.into(), Checker::Authenticator(Arc::new(authenticator)))
    }

    /// Starts a realm with a validator written for
    /// [`HttpAuthentication::basic`](actix_web_httpauth::middleware::HttpAuthentication::basic),
    /// unchanged.
    ///
    /// A validator may put things into the request that handlers look for, so it runs on every
    /// request that is let through, and [`reverify_after`](BasicLoginBuilder::reverify_after) does
    /// not matter. Write an [`Authenticator`] instead to be asked at the login only. An error with
    /// the status 401 becomes a challenge; any other goes out as it is.
    ///
    /// ```
    /// use actix_basic_logout::BasicLogin;
    /// use actix_web::{Error, dev::ServiceRequest, error::ErrorUnauthorized};
    /// use actix_web_httpauth::extractors::basic::BasicAuth;
    ///
    /// async fn validator(
    ///     req: ServiceRequest,
    ///     credentials: BasicAuth,
    /// ) -> Result<ServiceRequest, (Error, ServiceRequest)> {
    ///     match (credentials.user_id(), credentials.password()) {
    ///         ("alice", Some("wonderland")) => Ok(req),
    ///         _ => Err((ErrorUnauthorized("no"), req)),
    ///     }
    /// }
    ///
    /// # actix_web::rt::System::new().block_on(async {
    /// let login = BasicLogin::with_validator("Admin area", validator).build()?;
    /// # use actix_web::{App, test::{self, TestRequest}, web};
    /// let page = web::get().to(async || "for users");
    /// let app = test::init_service(App::new().wrap(login).route("/", page)).await;
    /// let refused = test::call_service(&app, TestRequest::get().to_request()).await;
    /// assert_eq!(refused.status(), 401);
    /// let alice = ("Authorization", "Basic YWxpY2U6d29uZGVybGFuZA==");
    /// let alice = TestRequest::get().insert_header(alice).to_request();
    /// assert_eq!(test::call_and_read_body(&app, alice).await, "for users");
    /// # Ok::<(), actix_basic_logout::ConfigError>(())
    /// # }).unwrap();
    /// ```
    pub fn with_validator<F, O>(realm: impl Into<String>, validator: F) -> BasicLoginBuilder
    where
        F: Fn(ServiceRequest, BasicAuth) -> O + Send + Sync + 'static,
        O: Future<Output = Result<ServiceRequest, (Error, ServiceRequest)>> + 'static,
    {
        BasicLoginBuilder::new(realm.into(), Checker::validator(validator))
    }

    /// The handler that logs out of this realm: mount it on any path and any method, inside or
    /// outside the wrapped part of the application.
    ///
    /// ```
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/guide/browser.rs"));
    /// # #[actix_web::main]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use actix_basic_logout::BasicLogin;
    ///
    /// let login = BasicLogin::builder("Admin area", users).build()?;
    /// # let dashboard = async || "Hello";
    /// let app = App::new()
    ///     .service(web::scope("/admin").wrap(login.clone()).route("/", web::get().to(dashboard)))
    ///     .route("/logout", web::post().to(login.logout()))
    ///     .wrap(sessions());
    /// let mut browser = Browser::new(test::init_service(app).await);
    /// browser.log_in().await;
    /// let button = TestRequest::post().uri("/logout").insert_header(("Accept", "text/html"));
    /// let answer = browser.send(button).await;
    /// assert_eq!(answer.status(), 401); // so that the browser forgets
    /// assert!(text(answer).await.contains("You are logged out"));
    /// assert_eq!(browser.open("/admin/").await.status(), 401);
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn logout(&self) -> Logout {
        Logout { login: self.clone() }
    }

    /// Ends every login of a user in this realm: in every session and, where the
    /// [revocations](BasicLoginBuilder::revocation_store) are shared, on every machine, from the next
    /// request on. The browsers are asked again, and the page says that the login was ended.
    ///
    /// For "log out everywhere", and for whoever has lost a password or a device. Who knows the
    /// password may log in again, and programs that bring it with each request are let in; to keep a
    /// user out, have the authenticator refuse. Who never logged in may be named, too.
    ///
    /// It needs no request: call it from a handler, or from anywhere else.
    ///
    /// # Errors
    ///
    /// If the revocations cannot be reached; then nobody's login has ended.
    ///
    /// ```
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/guide/browser.rs"));
    /// # #[actix_web::main]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use actix_basic_logout::{BasicLogin, User};
    /// use actix_web::{Error, HttpResponse, web};
    ///
    /// /// At `/admin/everywhere`. It ends the login of its own request as well.
    /// async fn everywhere(
    ///     login: web::ThinData<BasicLogin>,
    ///     user: User,
    /// ) -> Result<HttpResponse, Error> {
    ///     login.revoke_user(user.id()).await?;
    ///     Ok(HttpResponse::NoContent().finish())
    /// }
    ///
    /// let login = BasicLogin::builder("Admin area", users).build()?;
    /// # let app = App::new()
    /// #     .app_data(web::ThinData(login.clone()))
    /// #     .service(
    /// #         web::scope("/admin")
    /// #             .wrap(login.clone())
    /// #             .route("/everywhere", web::to(everywhere))
    /// #             .default_service(web::to(async || "Hello")),
    /// #     )
    /// #     .wrap(sessions());
    /// # let mut browser = Browser::new(test::init_service(app).await);
    /// browser.log_in().await;
    /// assert_eq!(browser.open("/admin/everywhere").await.status(), 204);
    /// let page = browser.open("/admin/").await;
    /// assert_eq!(page.status(), 401);
    /// assert!(text(page).await.contains("It was ended from elsewhere"));
    /// # Ok(())
    /// # }
    /// ```
    pub async fn revoke_user(&self, user_id: &str) -> Result<(), RevocationError> {
        self.config.ended.revoke(&self.config.realm, user_id).await?;
        tracing::info!(realm = %self.config.realm, user = user_id, "all logins ended");
        Ok(())
    }

    /// Ends one login, as [`revoke_user`](Self::revoke_user) ends all of a user's.
    /// [`User::login_id`](crate::User::login_id) tells the id.
    ///
    /// # Errors
    ///
    /// If the revocations cannot be reached; then the login goes on.
    ///
    /// ```
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/guide/browser.rs"));
    /// # #[actix_web::main]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use actix_basic_logout::{BasicLogin, User};
    ///
    /// let login = BasicLogin::builder("Admin area", users).build()?;
    /// // At `/admin/`. An application would note it down, for a list of a user's logins.
    /// let id = web::get().to(async |user: User| user.login_id().map(|it| it.to_string()));
    /// # let app = App::new()
    /// #     .service(web::scope("/admin").wrap(login.clone()).route("/", id))
    /// #     .wrap(sessions());
    /// # let mut browser = Browser::new(test::init_service(app).await);
    /// browser.log_in().await;
    /// let id = text(browser.open("/admin/").await).await;
    /// // From a form with a button for each.
    /// login.revoke_login(id.parse()?).await?;
    /// assert_eq!(browser.open("/admin/").await.status(), 401);
    /// # Ok(())
    /// # }
    /// ```
    pub async fn revoke_login(&self, id: LoginId) -> Result<(), RevocationError> {
        self.config.ended.end_from_outside(id).await?;
        tracing::info!(realm = %self.config.realm, "a login ended");
        Ok(())
    }

    /// The realm's name, as it was given to [`builder`](Self::builder).
    ///
    /// ```
    /// # use actix_basic_logout::BasicLogin;
    /// # use actix_web::HttpRequest;
    /// # use actix_web_httpauth::extractors::basic::BasicAuth;
    /// # let users = async |_: &HttpRequest, _: &BasicAuth| Ok(true);
    /// let login = BasicLogin::builder("Admin area", users).build()?;
    /// assert_eq!(login.realm(), "Admin area");
    /// # Ok::<(), actix_basic_logout::ConfigError>(())
    /// ```
    #[must_use]
    pub fn realm(&self) -> &str {
        &self.config.realm
    }
}

/// How log-out answers a navigation. Background requests always get 204 (RFC 9110, section
/// 15.3.5).
///
/// ```
/// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/guide/browser.rs"));
/// # #[actix_web::main]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use actix_basic_logout::{BasicLogin, LogoutResponse};
///
/// assert_eq!(LogoutResponse::default(), LogoutResponse::Challenge);
/// for (answer, status) in [
///     (LogoutResponse::Challenge, 401),
///     (LogoutResponse::Page, 200),
///     (LogoutResponse::Redirect("/goodbye".to_owned()), 303),
/// ] {
///     let login = BasicLogin::builder("Admin area", users).logout_response(answer).build()?;
///     let mut browser = browser(&login).await;
///     browser.log_in().await;
///     assert_eq!(browser.open("/logout").await.status(), status);
/// #   browser.log_in().await;
///     assert_eq!(browser.fetch("/logout").await.status(), 204);
/// }
/// // Only to a path of this site.
/// let elsewhere = LogoutResponse::Redirect("//other.example/".to_owned());
/// assert!(BasicLogin::builder("Admin area", users).logout_response(elsewhere).build().is_err());
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum LogoutResponse {
    /// 401 with a challenge (RFC 9110, section 15.5.2): the browser forgets the credentials at
    /// once and opens its dialog over the log-out, ready for the next user. The default; it needs
    /// no script.
    #[default]
    Challenge,
    /// A page "you are logged out", without a dialog. A small script on it makes the browser
    /// forget: it asks the same URL as the user `logged-out`, whose credentials take the place of
    /// the real ones (so nobody can have that user-id). Where scripts are off, the next visit
    /// does it. Under a `Content-Security-Policy`, allow the script by
    /// [`LOGOUT_SCRIPT_HASH`](crate::LOGOUT_SCRIPT_HASH).
    Page,
    /// 303 (RFC 9110, section 15.4.4) to a path of the application's, which has to be one that
    /// needs no login. The browser forgets at the next visit.
    Redirect(String),
}

/// What log-out removes from the session. Either way the session's key is renewed.
///
/// ```
/// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/guide/browser.rs"));
/// # #[actix_web::main]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use actix_basic_logout::{BasicLogin, LogoutScope};
/// use actix_session::Session;
///
/// assert_eq!(LogoutScope::default(), LogoutScope::Session);
/// for (clears, kept) in [(LogoutScope::Session, ""), (LogoutScope::Realm, "de")] {
///     let login = BasicLogin::builder("Admin area", users).logout_scope(clears).build()?;
/// #   let choose = async |session: Session| session.insert("language", "de").map(|()| "");
/// #   let chosen =
/// #       async |it: Session| it.get::<String>("language").map(Option::unwrap_or_default);
/// #   let app = App::new()
/// #       .service(web::scope("/admin").wrap(login.clone()).default_service(web::to(choose)))
/// #       .route("/language", web::to(chosen))
/// #       .route("/logout", web::to(login.logout()))
/// #       .wrap(sessions());
/// #   let mut browser = Browser::new(test::init_service(app).await);
///     // A page at `/admin/` writes a language into the session; `/language` tells it.
///     browser.log_in().await;
///     assert_eq!(text(browser.open("/language").await).await, "de");
///     browser.open("/logout").await;
///     assert_eq!(text(browser.open("/language").await).await, kept);
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum LogoutScope {
    /// Everything, whoever put it there, and the logins of other realms with it. The default.
    #[default]
    Session,
    /// This realm's login only. For applications that keep in the session what outlives a login,
    /// such as a language.
    Realm,
}

/// Names some requests.
pub(crate) type IsOne = dyn Fn(&HttpRequest) -> bool + Send + Sync;

pub(crate) type Respond = dyn Fn(&HttpRequest, &Notice<'_>) -> HttpResponse + Send + Sync;

/// A realm, ready for use.
pub(crate) struct Config {
    pub(crate) realm: Arc<str>,
    /// Where a session keeps the realm's entry.
    pub(crate) entry_key: String,
    pub(crate) checker: Checker,
    pub(crate) challenges: Challenges,
    pub(crate) landing: String,
    pub(crate) landing_header: HeaderValue,
    pub(crate) redirect: Option<HeaderValue>,
    pub(crate) answer: LogoutResponse,
    pub(crate) reserved_password: String,
    pub(crate) clears: LogoutScope,
    pub(crate) session_cookie: String,
    pub(crate) reverify_after: Duration,
    pub(crate) deadlines: Deadlines,
    pub(crate) ended: Revocations,
    pub(crate) allow_session_only: Option<Arc<IsOne>>,
    pub(crate) key: FingerprintKey,
    pub(crate) challenge_subresources: bool,
    pub(crate) renew_session_at_login: bool,
    pub(crate) classify: Arc<dyn Fn(&HttpRequest) -> RequestKind + Send + Sync>,
    pub(crate) clock: Arc<dyn Fn() -> SystemTime + Send + Sync>,
    pub(crate) respond_with: Option<Arc<Respond>>,
    pub(crate) misuse: Misuse,
    pub(crate) cookieless: Cookieless,
}

impl Config {
    /// The landing path as requests for it will have it.
    pub(crate) fn landing_path(&self) -> &str {
        self.landing.split(['?', '#']).next().unwrap_or_default()
    }

    /// Whether the session says when the credentials were last found to be good. Where they are
    /// checked on each request anyway, no request writes the session.
    pub(crate) fn remembers_verification(&self) -> bool {
        !self.checker.sees_every_request() && !self.reverify_after.is_zero()
    }
}

impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Config").field("realm", &self.realm).finish_non_exhaustive()
    }
}
