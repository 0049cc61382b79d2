//! A realm: its options, the values derived from them, and the handle that applications hold.

use std::{
    fmt,
    sync::Arc,
    time::{Duration, SystemTime},
};

use actix_web::{Error, HttpRequest, HttpResponse, http::header::HeaderValue};

use crate::{
    authenticator::{checker::Checker, reverification::Reverifications},
    decision::{facts::RefusalKind, logout::LogoutResponse},
    diagnostics::{missing_cookies::MissingCookies, setup_mistakes::SetupMistakes},
    refusal_reason::Reason,
    request::{
        fingerprint::FingerprintKey,
        kind::{DEFAULT_SESSION_COOKIE, RequestKind},
        origin::has_forged_cookie,
    },
    response::responder::{RespondWith, Responder},
    revocation::{
        key::LoginId,
        registry::Revocations,
        store::{RevocationError, RevocationStore},
    },
    session::{deadlines::Deadlines, guesses::Guesses, login::millis, login_validity::Lifetime},
};

/// HTTP Basic authentication with logout: a realm, and the middleware that protects it.
///
/// Build it once, in `main`, and clone it into the closure of `HttpServer::new`; all clones share
/// one realm. Wrap it around an `App`, a scope or a resource, inside the
/// [`SessionMiddleware`](actix_session::SessionMiddleware), and register its
/// [`logout`](Self::logout) handler at any path. The [crate documentation](crate) shows a complete
/// application.
///
/// If handlers outside the wrapped part extract a [`User`](crate::User), also register it with
/// `.app_data(login.clone())`. These handlers find a user only where the browser sends the
/// credentials: below the directory in which the user logged in.
///
/// ```
/// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/guide/browser.rs"));
/// # #[actix_web::main]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use actix_basic_logout::{BasicLogin, User};
///
/// let login = BasicLogin::builder("Admin area", users).build()?;
/// let name = async |user: Option<User>| user.map_or("guest".to_owned(), |it| it.id().to_owned());
/// let app = App::new()
///     .app_data(login.clone())
///     .service(web::resource("/admin/").wrap(login.clone()).get(name))
///     .route("/admin/help", web::get().to(name)) // public
///     .wrap(sessions());
/// let mut browser = Browser::new(test::init_service(app).await);
/// assert_eq!(browser.open("/admin/help").await.text(), "guest");
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
    /// Revokes all logins of a user in this realm, in all sessions ("log out everywhere").
    ///
    /// The logins are invalid from the next request on. With a shared
    /// [revocation store](crate::BasicLoginBuilder::revocation_store), they are invalid on every
    /// machine. The browsers prompt again, and the page says that the login was ended.
    ///
    /// Use it to revoke all sessions of a user who has lost a password or a device. A client that
    /// knows the password can log in again, and a non-browser client that sends the password with
    /// each request still passes. To lock a user out, let the authenticator reject the credentials.
    /// The user need not have logged in before.
    ///
    /// The user id is that of [`User::id`](crate::User::id), in exactly the same spelling. If an
    /// authenticator accepts several spellings, it must return the canonical one
    /// ([`Verdict::valid_as`](crate::Verdict::valid_as)). Otherwise this ends only the logins with
    /// the spelling that you pass.
    ///
    /// It needs no request: call it from a handler or from any other code.
    ///
    /// # Errors
    ///
    /// Fails if the revocation store is unavailable; no login is revoked in that case.
    ///
    /// ```
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/guide/browser.rs"));
    /// # #[actix_web::main]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use actix_basic_logout::{BasicLogin, User};
    /// use actix_web::{Error, HttpResponse, web};
    ///
    /// /// At `/admin/everywhere`. It revokes the login of its own request as well.
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
    #[doc(alias = "log out everywhere")]
    #[doc(alias = "revoke all sessions")]
    pub async fn revoke_user(&self, user_id: &str) -> Result<(), RevocationError> {
        self.realm.revocations.revoke_user(&self.realm.name, user_id).await?;
        tracing::info!(realm = %self.realm.name, user = user_id, "all logins revoked");
        Ok(())
    }

    /// Revokes one login, with the same effects as [`revoke_user`](Self::revoke_user).
    /// [`User::login_id`](crate::User::login_id) returns the id of a login.
    ///
    /// # Errors
    ///
    /// Fails if the revocation store is unavailable; the login is not revoked in that case.
    ///
    /// ```
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/guide/browser.rs"));
    /// # #[actix_web::main]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use actix_basic_logout::{BasicLogin, User};
    ///
    /// let login = BasicLogin::builder("Admin area", users).build()?;
    /// // At `/admin/`. An application would store the id, for a list of the user's logins.
    /// let id = web::get().to(async |user: User| user.login_id().map(|it| it.to_string()));
    /// # let app = App::new()
    /// #     .service(web::scope("/admin").wrap(login.clone()).route("/", id))
    /// #     .wrap(sessions());
    /// # let mut browser = Browser::new(test::init_service(app).await);
    /// browser.log_in("/admin/", "alice", "wonderland").await;
    /// let page = browser.open("/admin/").await;
    /// // Called by a form that has a button for each login.
    /// login.revoke_login(page.text().parse()?).await?;
    /// assert_eq!(browser.open("/admin/").await.status(), 401);
    /// # Ok(())
    /// # }
    /// ```
    pub async fn revoke_login(&self, id: LoginId) -> Result<(), RevocationError> {
        self.realm.revocations.revoke_login(id).await?;
        tracing::info!(realm = %self.realm.name, "login revoked");
        Ok(())
    }

    /// Returns the name of the realm, as passed to [`builder`](Self::builder).
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

/// The part of the session that a logout removes. The session key is renewed in both cases.
///
/// ```
/// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/guide/browser.rs"));
/// # #[actix_web::main]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use actix_basic_logout::{BasicLogin, LogoutScope};
/// use actix_session::Session;
///
/// assert_eq!(LogoutScope::default(), LogoutScope::Session);
/// for (scope, kept) in [(LogoutScope::Session, ""), (LogoutScope::Realm, "de")] {
///     let login = BasicLogin::builder("Admin area", users).logout_scope(scope).build()?;
/// #   let choose = async |session: Session| session.insert("language", "de").map(|()| "");
/// #   let chosen =
/// #       async |it: Session| it.get::<String>("language").map(Option::unwrap_or_default);
/// #   let app = App::new()
/// #       .service(web::scope("/admin").wrap(login.clone()).default_service(web::to(choose)))
/// #       .route("/language", web::to(chosen))
/// #       .route("/logout", web::to(login.logout()))
/// #       .wrap(sessions());
/// #   let mut browser = Browser::new(test::init_service(app).await);
///     // A page at `/admin/` stores a language in the session; `/language` returns it.
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
    /// The whole session: the data of the application, and the logins of all realms. The default.
    #[default]
    Session,
    /// The login of this realm only. Use it if the session holds data that must survive a logout,
    /// such as a language.
    Realm,
}

pub(crate) type Classify = dyn Fn(&HttpRequest) -> RequestKind + Send + Sync;
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
    pub(crate) classify_with: Option<Arc<Classify>>,
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
            session_cookie: DEFAULT_SESSION_COOKIE.to_owned(),
            reverify_after: Duration::from_secs(5 * 60),
            deadlines: Deadlines::default(),
            fingerprint_key: None,
            challenge_subresources: false,
            renew_session_at_login: false,
            classify_with: None,
            clock: Arc::new(SystemTime::now),
            respond_with: None,
            revocation_store: None,
            allow_session_only: None,
        }
    }

    pub(crate) fn classify(&self, req: &HttpRequest) -> RequestKind {
        match &self.classify_with {
            Some(classify) => classify(req),
            None => RequestKind::with_session_cookie(req, &self.session_cookie),
        }
    }
}

/// A built realm: its options and the values derived from them.
pub(crate) struct Realm {
    pub(crate) name: Arc<str>,
    pub(crate) config: Config,
    /// The name of the realm's entry in a session.
    pub(crate) entry_key: String,
    pub(crate) fingerprint_key: FingerprintKey,
    pub(crate) lifetime: Lifetime,
    pub(crate) revocations: Revocations,
    pub(crate) reverifications: Reverifications,
    pub(crate) responder: Responder,
    pub(crate) landing_header: HeaderValue,
    /// The target of [`LogoutResponse::Redirect`].
    pub(crate) redirect: Option<HeaderValue>,
    pub(crate) reserved_password: String,
    pub(crate) setup: Arc<SetupMistakes>,
    pub(crate) missing_cookies: MissingCookies,
    pub(crate) guesses: Guesses,
}

impl Realm {
    /// The landing path without query and fragment, as a request for it has it.
    pub(crate) fn landing_path(&self) -> &str {
        self.config.landing_path.split(['?', '#']).next().unwrap_or_default()
    }

    /// Converts an error of an authenticator or a store into the error that the client receives.
    pub(crate) fn error(&self, req: &HttpRequest, error: Error) -> Error {
        let request_kind = || self.config.classify(req);
        self.responder.error(&self.name, req, request_kind, error)
    }

    /// The incarnation of the revocation list in memory, if a login must name it: without
    /// credentials, a request passes only if the list knows whether its login has ended.
    pub(crate) fn revocation_list(&self) -> Option<u64> {
        self.config.allow_session_only.as_ref().and_then(|_| self.revocations.incarnation())
    }

    /// Whether a login renews the session key. With `allow_session_only`, an attacker who shared the
    /// session would pass without credentials.
    pub(crate) fn renews_session_at_login(&self) -> bool {
        self.config.renew_session_at_login || self.config.allow_session_only.is_some()
    }

    /// The refusal of a request with a forged session cookie, whose session may be an attacker's.
    pub(crate) fn refuse_forged_cookie(&self, req: &HttpRequest) -> Option<HttpResponse> {
        if !has_forged_cookie(req, &self.config.session_cookie) {
            return None;
        }
        self.setup.report_several_cookies();
        let request_kind = self.config.classify(req);
        let (kind, reason) = (RefusalKind::Forbid, Reason::ForgedCookie);
        Some(self.responder.refuse(req, request_kind, kind, reason))
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
