//! A realm: its options, what is derived from them, and the handle that applications hold.

use std::{
    fmt,
    sync::Arc,
    time::{Duration, SystemTime},
};

use actix_web::{Error, HttpRequest, http::header::HeaderValue};

use crate::{
    authenticator::checker::Checker,
    decision::logout::LogoutResponse,
    diagnostics::{missing_cookies::MissingCookies, setup_mistakes::SetupMistakes},
    request::{fingerprint::FingerprintKey, kind::RequestKind},
    response::responder::{RespondWith, Responder},
    revocation::{
        key::LoginId,
        registry::Revocations,
        store::{RevocationError, RevocationStore},
    },
    session::{deadlines::Deadlines, login::millis, login_validity::Lifetime},
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
/// [`User`](crate::User). They find one where the browser sends the credentials: below the directory
/// where the user logged in.
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
///     .service(web::resource("/admin/").wrap(login.clone()).get(who))
///     .route("/admin/help", web::get().to(who)) // for everybody
///     .wrap(sessions());
/// let mut browser = Browser::new(test::init_service(app).await);
/// assert_eq!(browser.open("/admin/help").await.text(), "nobody");
/// assert_eq!(browser.open("/admin/").await.status(), 401);
/// browser.log_in("/admin/", "alice", "wonderland").await;
/// assert_eq!(browser.open("/admin/").await.text(), "alice");
/// assert_eq!(browser.open("/admin/help").await.text(), "alice");
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct BasicLogin {
    pub(crate) realm: Arc<Realm>,
}

impl BasicLogin {
    /// Ends every login of a user in this realm: in every session and, where the
    /// [revocations](crate::BasicLoginBuilder::revocation_store) are shared, on every machine, from the next
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
    /// browser.log_in("/admin/", "alice", "wonderland").await;
    /// assert_eq!(browser.open("/admin/everywhere").await.status(), 204);
    /// let page = browser.open("/admin/").await;
    /// assert_eq!(page.status(), 401);
    /// assert!(page.text().contains("It was ended by this site"));
    /// # Ok(())
    /// # }
    /// ```
    pub async fn revoke_user(&self, user_id: &str) -> Result<(), RevocationError> {
        self.realm.revocations.revoke_user(&self.realm.name, user_id).await?;
        tracing::info!(realm = %self.realm.name, user = user_id, "all logins ended");
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
    /// browser.log_in("/admin/", "alice", "wonderland").await;
    /// let page = browser.open("/admin/").await;
    /// // From a form with a button for each.
    /// login.revoke_login(page.text().parse()?).await?;
    /// assert_eq!(browser.open("/admin/").await.status(), 401);
    /// # Ok(())
    /// # }
    /// ```
    pub async fn revoke_login(&self, id: LoginId) -> Result<(), RevocationError> {
        self.realm.revocations.revoke_login(id).await?;
        tracing::info!(realm = %self.realm.name, "a login ended");
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
        &self.realm.name
    }
}

/// What logout removes from the session. Either way the session's key is renewed.
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
///     browser.log_in("/admin/", "alice", "wonderland").await;
///     assert_eq!(browser.open("/language").await.text(), "de");
///     browser.open("/logout").await;
///     assert_eq!(browser.open("/language").await.text(), kept);
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

/// Selects requests.
pub(crate) type RequestFilter = dyn Fn(&HttpRequest) -> bool + Send + Sync;

/// The options of a realm. Each has one field and one default here, and one setter in the builder.
#[derive(Clone)]
pub(crate) struct Config {
    pub(crate) realm: String,
    pub(crate) checker: Checker,
    pub(crate) landing_path: String,
    pub(crate) logout_response: LogoutResponse,
    pub(crate) logout_scope: LogoutScope,
    pub(crate) session_cookie: String,
    pub(crate) reverify_after: Duration,
    pub(crate) deadlines: Deadlines,
    pub(crate) fingerprint_key: Option<Vec<u8>>,
    pub(crate) challenge_subresources: bool,
    pub(crate) renew_session_at_login: bool,
    pub(crate) classify_with: Arc<dyn Fn(&HttpRequest) -> RequestKind + Send + Sync>,
    pub(crate) clock: Arc<dyn Fn() -> SystemTime + Send + Sync>,
    pub(crate) respond_with: Option<Arc<RespondWith>>,
    pub(crate) revocation_store: Option<Arc<dyn RevocationStore>>,
    pub(crate) allow_session_only: Option<Arc<RequestFilter>>,
}

impl Config {
    pub(crate) fn new(realm: String, checker: Checker) -> Self {
        Self {
            realm,
            checker,
            landing_path: "/".to_owned(),
            logout_response: LogoutResponse::default(),
            logout_scope: LogoutScope::default(),
            session_cookie: "id".to_owned(),
            reverify_after: Duration::from_secs(5 * 60),
            deadlines: Deadlines::default(),
            fingerprint_key: None,
            challenge_subresources: false,
            renew_session_at_login: false,
            classify_with: Arc::new(RequestKind::of),
            clock: Arc::new(SystemTime::now),
            respond_with: None,
            revocation_store: None,
            allow_session_only: None,
        }
    }
}

/// A realm, ready to use: its options and what is derived from them.
pub(crate) struct Realm {
    pub(crate) name: Arc<str>,
    pub(crate) config: Config,
    /// Where a session keeps the realm's entry.
    pub(crate) entry_key: String,
    pub(crate) fingerprint_key: FingerprintKey,
    pub(crate) lifetime: Lifetime,
    pub(crate) revocations: Revocations,
    pub(crate) responder: Responder,
    pub(crate) landing_header: HeaderValue,
    /// Where [`LogoutResponse::Redirect`] leads.
    pub(crate) redirect: Option<HeaderValue>,
    pub(crate) reserved_password: String,
    pub(crate) setup: Arc<SetupMistakes>,
    pub(crate) missing_cookies: MissingCookies,
}

impl Realm {
    /// The landing path as requests for it will have it.
    pub(crate) fn landing_path(&self) -> &str {
        self.config.landing_path.split(['?', '#']).next().unwrap_or_default()
    }

    /// The error of an authenticator or of a store as it goes out.
    pub(crate) fn error(&self, req: &HttpRequest, error: Error) -> Error {
        let request_kind = || (self.config.classify_with)(req);
        self.responder.error(&self.name, req, request_kind, error)
    }

    /// Milliseconds since 1970, by the realm's clock.
    pub(crate) fn now(&self) -> u64 {
        millis((self.config.clock)())
    }
}

impl fmt::Debug for Realm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Realm").field("name", &self.name).finish_non_exhaustive()
    }
}
