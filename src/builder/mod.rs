//! The builder of a realm: one setter for each option, and the checks in `build`.
//!
//! `error` defines the errors of `build`. Uses the modules of which a realm consists.

pub(crate) mod error;

use std::{
    fmt,
    future::Future,
    sync::Arc,
    time::{Duration, SystemTime},
};

use actix_web::{Error, HttpRequest, HttpResponse, dev::ServiceRequest, http::header::HeaderValue};
use actix_web_httpauth::extractors::basic::BasicAuth;

use self::error::{ConfigError, MAX_REALM_LENGTH};
use crate::{
    authenticator::{Authenticator, checker::Checker, reverification::Reverifications},
    config::{BasicLogin, Config, LogoutScope, Realm},
    decision::logout::LogoutResponse,
    diagnostics::{missing_cookies::MissingCookies, setup_mistakes::SetupMistakes},
    request::{authorization::reserved_password, fingerprint::FingerprintKey, kind::RequestKind},
    response::{challenge::Challenges, notice::Notice, responder::Responder},
    revocation::{registry::Revocations, store::RevocationStore},
    session::{entry, guesses::Guesses, login_validity::Lifetime},
};

/// Configures a realm and builds its [`BasicLogin`]. Created by [`BasicLogin::builder`] and
/// [`BasicLogin::with_validator`].
///
/// No setter is required: every option has a default, and the defaults are the safest values.
/// [`build`](Self::build) rejects invalid values, so they fail at start-up and not at a request.
///
/// The [crate documentation](crate#the-examples) explains the `browser` of the examples below.
///
/// ```
/// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/guide/browser.rs"));
/// # #[actix_web::main]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use std::time::Duration;
/// use actix_basic_logout::{BasicLogin, LogoutResponse};
///
/// let login = BasicLogin::builder("Admin area", users)
///     .landing_path("/admin/")
///     .logout_response(LogoutResponse::Page)
///     .visit_deadline(Duration::from_secs(30 * 60))
///     .build()?;
/// let mut browser = browser(&login).await;
/// browser.log_in("/admin/", "alice", "wonderland").await;
/// assert_eq!(browser.open("/admin/").await.text(), "Hello, alice");
/// assert_eq!(browser.open("/logout").await.status(), 200);
/// assert_eq!(browser.open("/admin/").await.status(), 401);
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
#[must_use = "a builder does nothing until `build` is called"]
pub struct BasicLoginBuilder {
    config: Config,
}

impl fmt::Debug for BasicLoginBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let realm = &self.config.realm;
        f.debug_struct("BasicLoginBuilder").field("realm", realm).finish_non_exhaustive()
    }
}

impl BasicLogin {
    /// Creates the builder of a realm whose credentials the authenticator checks.
    ///
    /// The realm (RFC 9110, section 11.5) is the name of the protected area. Chromium and Firefox
    /// do not show it to the user, but every browser keeps credentials per realm. Give each realm of
    /// an application a different name, with at most 256 bytes and without control characters.
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
        BasicLoginBuilder::new(realm, Checker::Authenticator(Arc::new(authenticator)))
    }

    /// Creates the builder of a realm from an unchanged validator for
    /// [`HttpAuthentication::basic`](actix_web_httpauth::middleware::HttpAuthentication::basic).
    ///
    /// A validator may add data to the request that handlers read. Therefore it runs on every
    /// request that passes, and [`reverify_after`](BasicLoginBuilder::reverify_after) has no effect.
    /// To check the credentials at login and at re-verification only, write an [`Authenticator`].
    ///
    /// An error with status 401 counts as wrong credentials. Every other error is returned to the
    /// client unchanged, except [`TryLater`](crate::TryLater), which becomes a 429 or 503.
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
        BasicLoginBuilder::new(realm, Checker::validator(validator))
    }
}

impl BasicLoginBuilder {
    fn new(realm: impl Into<String>, checker: Checker) -> Self {
        Self { config: Config::new(realm.into(), checker) }
    }

    /// Sets the landing path, which is the path of a protected page. Default: `/`.
    ///
    /// The pages of this crate link to it. A user who logs in at the prompt of the logout itself is
    /// redirected to it (303; RFC 9110, section 15.4.4). [`build`](Self::build) returns an error if
    /// it is not a path of this site.
    ///
    /// ```
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/guide/browser.rs"));
    /// # #[actix_web::main]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use actix_basic_logout::BasicLogin;
    ///
    /// let login = BasicLogin::builder("Admin area", users).landing_path("/admin/").build()?;
    /// let mut browser = browser(&login).await;
    /// let page = browser.open("/admin/").await;
    /// assert!(page.text().contains(r#"<a href="/admin/">Log in</a>"#));
    ///
    /// let elsewhere = BasicLogin::builder("Admin area", users).landing_path("//other.example/");
    /// assert!(elsewhere.build().is_err());
    /// # Ok(())
    /// # }
    /// ```
    pub fn landing_path(mut self, path: impl Into<String>) -> Self {
        self.config.landing_path = path.into();
        self
    }

    /// Sets the response of a logout to a navigation. Default: [`LogoutResponse::Challenge`], which
    /// is a 401 with a challenge.
    ///
    /// [`build`](Self::build) returns an error if [`LogoutResponse::Redirect`] holds anything else
    /// than a path of this site.
    ///
    /// ```
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/guide/browser.rs"));
    /// # #[actix_web::main]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use actix_basic_logout::{BasicLogin, LogoutResponse};
    ///
    /// let login = BasicLogin::builder("Admin area", users)
    ///     .logout_response(LogoutResponse::Redirect("/goodbye".to_owned()))
    ///     .build()?;
    /// let mut browser = browser(&login).await;
    /// browser.log_in("/admin/", "alice", "wonderland").await;
    /// let answer = browser.open("/logout").await;
    /// assert_eq!(answer.status(), 303);
    /// assert_eq!(answer.header("Location"), Some("/goodbye"));
    /// assert_eq!(browser.open("/admin/").await.status(), 401);
    /// # Ok(())
    /// # }
    /// ```
    pub fn logout_response(mut self, response: LogoutResponse) -> Self {
        self.config.logout_response = response;
        self
    }

    /// Sets which part of the session a logout removes. Default: [`LogoutScope::Session`], the whole
    /// session.
    ///
    /// ```
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/guide/browser.rs"));
    /// # #[actix_web::main]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use actix_basic_logout::{BasicLogin, LogoutScope};
    /// use actix_session::Session;
    ///
    /// # let choose = async |session: Session| session.insert("language", "de").map(|()| "");
    /// // The application stores a language in the session; `/language` returns it.
    /// let chosen = async |session: Session| {
    ///     session.get::<String>("language").map(Option::unwrap_or_default)
    /// };
    /// let login = BasicLogin::builder("Admin area", users)
    ///     .logout_scope(LogoutScope::Realm)
    ///     .build()?;
    /// # let app = App::new()
    /// #     .service(web::scope("/admin").wrap(login.clone()).default_service(web::to(choose)))
    /// #     .route("/language", web::to(chosen))
    /// #     .route("/logout", web::to(login.logout()))
    /// #     .wrap(sessions());
    /// # let mut browser = Browser::new(test::init_service(app).await);
    /// browser.log_in("/admin/", "alice", "wonderland").await;
    /// browser.open("/logout").await;
    /// assert_eq!(browser.open("/language").await.text(), "de");
    /// # Ok(())
    /// # }
    /// ```
    pub fn logout_scope(mut self, scope: LogoutScope) -> Self {
        self.config.logout_scope = scope;
        self
    }

    /// The name of the session cookie, as given to
    /// [`cookie_name`](actix_session::config::SessionMiddlewareBuilder::cookie_name). Default: `id`,
    /// which is actix-session's default.
    ///
    /// The name is needed to recognize requests that raced a logout: they carry this cookie, but its
    /// session no longer exists. An empty name is an error when the realm is [built](Self::build).
    ///
    /// ```
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/guide/browser.rs"));
    /// # #[actix_web::main]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use actix_basic_logout::{BasicLogin, test::subresource};
    ///
    /// let login = BasicLogin::builder("Admin area", users).session_cookie("__Host-id").build()?;
    /// let sessions = SessionMiddleware::builder(CookieSessionStore::default(), Key::generate())
    ///     .cookie_name("__Host-id".to_owned())
    ///     .build();
    /// let app = App::new().service(web::scope("/admin").wrap(login)).wrap(sessions);
    /// let mut browser = Browser::new(test::init_service(app).await);
    /// let poll = || subresource("/admin/").insert_header(ALICE);
    /// assert_eq!(browser.send(poll()).await.status(), 401); // a first visit
    /// browser.set_cookie(Cookie::new("__Host-id", "of a session that no longer exists"));
    /// assert_eq!(browser.send(poll()).await.status(), 403); // raced a logout
    /// # Ok(())
    /// # }
    /// ```
    pub fn session_cookie(mut self, name: impl Into<String>) -> Self {
        self.config.session_cookie = name.into();
        self
    }

    /// Sets how long the credentials of a login count as verified. Default: 5 minutes.
    ///
    /// After this time, the next request with these credentials asks the authenticator again. With
    /// zero, every request asks it.
    ///
    /// All logins with the same credentials share one verification. Concurrent requests wait for it,
    /// and further requests within this time use its result, so that replays of an old session cookie
    /// cause no load. The realm remembers the verifications of up to 10,000 credentials in memory.
    /// With zero, each request is verified for itself, and nothing is shared.
    ///
    /// A login ends at the first such verification after a password change, or after its user was
    /// removed. To end it at once, also call [`revoke_user`](BasicLogin::revoke_user).
    ///
    /// ```
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/guide/browser.rs"));
    /// # #[actix_web::main]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use std::{sync::atomic::AtomicBool, time::Duration};
    /// use actix_basic_logout::BasicLogin;
    ///
    /// static IS_KNOWN: AtomicBool = AtomicBool::new(true);
    /// let users = async |_: &HttpRequest, _: &BasicAuth| Ok(IS_KNOWN.load(Relaxed));
    /// let clock = Clock::new();
    /// let login = BasicLogin::builder("Admin area", users)
    ///     .reverify_after(Duration::from_secs(60))
    ///     .clock(clock.system_time())
    ///     .build()?;
    /// let mut browser = browser(&login).await;
    /// browser.log_in("/admin/", "alice", "wonderland").await;
    /// IS_KNOWN.store(false, Relaxed); // the password change
    /// assert_eq!(browser.open("/admin/").await.status(), 200);
    /// clock.advance(Duration::from_secs(60));
    /// assert_eq!(browser.open("/admin/").await.status(), 401);
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias = "password change")]
    pub fn reverify_after(mut self, after: Duration) -> Self {
        self.config.reverify_after = after;
        self
    }

    /// Sets the absolute timeout: a login expires this long after it began, even while it is used.
    /// Default: none.
    ///
    /// Use it to limit the session lifetime of a user, for example to a working day. Without it, a
    /// login is valid as long as its session, unless the [idle timeout](Self::visit_deadline) ends
    /// it.
    ///
    /// An expired login counts as logged out. The browser's cached credentials no longer count, so
    /// the browser prompts its user again, and the page says
    /// [that the login has expired](crate::Reason::LoginExpired). A login whose times cannot be read,
    /// or lie more than a minute in the future, is not valid either. Non-browser clients without a
    /// session have no login that could expire.
    ///
    /// [`build`](Self::build) returns an error if the timeout is zero.
    ///
    /// ```
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/guide/browser.rs"));
    /// # #[actix_web::main]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use std::time::Duration;
    /// use actix_basic_logout::BasicLogin;
    ///
    /// let clock = Clock::new();
    /// let login = BasicLogin::builder("Admin area", users)
    ///     .login_deadline(Duration::from_secs(8 * 60 * 60)) // a working day at most
    ///     .clock(clock.system_time())
    ///     .build()?;
    /// let mut browser = browser(&login).await;
    /// browser.log_in("/admin/", "alice", "wonderland").await;
    /// clock.advance(Duration::from_secs(8 * 60 * 60));
    /// let page = browser.open("/admin/").await;
    /// assert_eq!(page.status(), 401);
    /// assert!(page.text().contains("Your login has expired"));
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias = "absolute timeout")]
    #[doc(alias = "session lifetime")]
    pub fn login_deadline(mut self, after: Duration) -> Self {
        self.config.deadlines.login = Some(after);
        self
    }

    /// Sets the idle timeout: a login expires after this long without a request. Default: 30 days, or
    /// the lifetime of the session if that is shorter.
    ///
    /// Every request that passes counts as a visit. A page that polls therefore prevents the
    /// expiry, even during a user's inactivity.
    ///
    /// The session stores the time of a visit only if a tenth of the idle timeout has passed since
    /// the stored visit. The requests in between do not write the session. As a consequence, a login
    /// may expire up to a tenth of the timeout too early.
    ///
    /// The effects of the expiry are those of [`login_deadline`](Self::login_deadline). Zero is an
    /// error here as well.
    ///
    /// The shorter of the two timeouts also determines how long the id of an ended login stays on
    /// the [revocation list](crate::RevocationStore): that long and one minute, at most 400 days.
    ///
    /// ```
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/guide/browser.rs"));
    /// # #[actix_web::main]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use std::time::Duration;
    /// use actix_basic_logout::BasicLogin;
    ///
    /// let clock = Clock::new();
    /// let login = BasicLogin::builder("Admin area", users)
    ///     .visit_deadline(Duration::from_secs(30 * 60)) // half an hour of inactivity
    ///     .clock(clock.system_time())
    ///     .build()?;
    /// let mut browser = browser(&login).await;
    /// browser.log_in("/admin/", "alice", "wonderland").await;
    /// for _ in 0..3 {
    ///     clock.advance(Duration::from_secs(20 * 60));
    ///     assert_eq!(browser.open("/admin/").await.status(), 200);
    /// }
    /// clock.advance(Duration::from_secs(30 * 60));
    /// assert_eq!(browser.open("/admin/").await.status(), 401);
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias = "idle timeout")]
    #[doc(alias = "inactivity")]
    pub fn visit_deadline(mut self, after: Duration) -> Self {
        self.config.deadlines.visit = after;
        self
    }

    /// Sets the store of the revocation list, which holds the logins that have ended. Default: the
    /// memory of the process, shared by all its realms, with at most 100,000 entries about logins and
    /// as many about challenges.
    ///
    /// Machines that share sessions must share this store, and so must realms that share sessions.
    /// [`RevocationStore`] explains when else to set a store, and shows a complete one.
    ///
    /// ```
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/guide/browser.rs"));
    /// # #[actix_web::main]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use std::sync::Arc;
    /// use actix_basic_logout::BasicLogin;
    /// # use std::{collections::HashMap, sync::Mutex};
    /// # use actix_basic_logout::{RevocationError, RevocationKey, RevocationStore};
    /// # use futures_core::future::BoxFuture;
    /// # #[derive(Default)]
    /// # struct Table(Mutex<HashMap<RevocationKey, u64>>);
    /// # impl Table {
    /// #     fn len(&self) -> usize {
    /// #         self.0.lock().unwrap().len()
    /// #     }
    /// # }
    /// # impl RevocationStore for Table {
    /// #     fn set<'a>(
    /// #         &'a self,
    /// #         entries: &'a [(RevocationKey, u64)],
    /// #         _: Duration,
    /// #     ) -> BoxFuture<'a, Result<(), RevocationError>> {
    /// #         self.0.lock().unwrap().extend(entries.iter().copied());
    /// #         Box::pin(async { Ok(()) })
    /// #     }
    /// #     fn get<'a>(
    /// #         &'a self,
    /// #         keys: &'a [RevocationKey],
    /// #     ) -> BoxFuture<'a, Result<Vec<Option<u64>>, RevocationError>> {
    /// #         let rows = self.0.lock().unwrap();
    /// #         let found = keys.iter().map(|key| rows.get(key).copied()).collect();
    /// #         Box::pin(async { Ok(found) })
    /// #     }
    /// # }
    ///
    /// // Your own table or a `RedisRevocationStore`, shared by two machines.
    /// let ended = Arc::new(Table::default());
    /// let machine = || BasicLogin::builder("Admin area", users).revocation_store(Arc::clone(&ended));
    /// let (login, other) = (machine().build()?, machine().build()?);
    /// let mut browser = browser(&login).await;
    /// browser.log_in("/admin/", "alice", "wonderland").await;
    /// other.revoke_user("alice").await?;
    /// assert!(ended.len() > 0);
    /// assert_eq!(browser.open("/admin/").await.status(), 401);
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias = "revocation list")]
    pub fn revocation_store(mut self, store: impl RevocationStore) -> Self {
        self.config.revocation_store = Some(Arc::new(store));
        self
    }

    /// Selects the requests that pass with the session alone, without credentials, while the user is
    /// logged in. Default: none.
    ///
    /// Use it for `WebSocket` handshakes, which Safari sends without credentials. Select as few
    /// requests as possible: an attacker with a stolen session cookie can send them without the
    /// password.
    ///
    /// - A page of the same origin must have sent the request: it needs `Sec-Fetch-Site: same-origin`,
    ///   or without that header an `Origin` with this host. A request from another site (CSRF), a
    ///   sibling subdomain or another port still needs the credentials. So does a request to another
    ///   origin than the one where the user logged in.
    /// - The session is renewed at login, as with
    ///   [`renew_session_at_login`](Self::renew_session_at_login), so an attacker who planted the
    ///   session (session fixation) does not share it. The price is the same: an occasional second
    ///   prompt.
    /// - The authenticator is not asked. After a password change, the login ends with the next
    ///   request that carries credentials, or at once by [`revoke_user`](BasicLogin::revoke_user).
    /// - The timeouts and a logout end the login at once. A request without credentials does not
    ///   postpone the idle timeout.
    /// - The revocation list must know the login. With the list in memory, and after each change of
    ///   the [`fingerprint_key`](Self::fingerprint_key), that is only the case after a request with
    ///   the credentials since the process started.
    ///
    /// ```
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/guide/browser.rs"));
    /// # #[actix_web::main]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use actix_basic_logout::BasicLogin;
    ///
    /// let login = BasicLogin::builder("Admin area", users)
    ///     .allow_session_only(|req| req.path() == "/admin/events")
    ///     .build()?;
    /// let mut browser = browser(&login).await;
    /// browser.log_in("/admin/", "alice", "wonderland").await;
    /// browser.forget_credentials(); // Safari sends a handshake without them
    /// assert_eq!(browser.fetch("/admin/events").await.status(), 200);
    /// assert_eq!(browser.fetch("/admin/").await.status(), 401);
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias = "WebSocket")]
    pub fn allow_session_only(
        mut self,
        is_allowed: impl Fn(&HttpRequest) -> bool + Send + Sync + 'static,
    ) -> Self {
        self.config.allow_session_only = Some(Arc::new(is_allowed));
        self
    }

    /// Sets the secret key of the fingerprints (HMAC-SHA-256, RFC 2104) by which a session recognizes
    /// the credentials of its login. Default: a random key in each process.
    ///
    /// The key must have at least 32 bytes from a random source; [`build`](Self::build) returns an
    /// error if it is shorter. Keep it as secret as the session key.
    ///
    /// For clustering, set the same key on all machines that share sessions. If a fingerprint was
    /// made with another key, the request is not refused: the authenticator is asked once more.
    ///
    /// ```
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/guide/browser.rs"));
    /// # #[actix_web::main]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use std::sync::atomic::AtomicU32;
    /// use actix_basic_logout::BasicLogin;
    ///
    /// static ASKED: AtomicU32 = AtomicU32::new(0);
    /// let users = async |_: &HttpRequest, _: &BasicAuth| Ok(ASKED.fetch_add(1, Relaxed) < 9);
    /// let start = || BasicLogin::builder("Admin area", users).fingerprint_key([7; 32]).build();
    ///
    /// let mut browser = browser(&start()?).await;
    /// browser.log_in("/admin/", "alice", "wonderland").await;
    /// browser.replace_app(app(&start()?).await); // another process
    /// assert_eq!(browser.open("/admin/").await.status(), 200);
    /// assert_eq!(ASKED.load(Relaxed), 1);
    ///
    /// let short = BasicLogin::builder("Admin area", users).fingerprint_key(*b"too short");
    /// assert!(short.build().is_err());
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias = "clustering")]
    #[doc(alias = "secret key")]
    pub fn fingerprint_key(mut self, key: impl Into<Vec<u8>>) -> Self {
        self.config.fingerprint_key = Some(key.into());
        self
    }

    /// Challenges subresources too, so the browser opens its dialog for a background request such as
    /// `fetch`. Default: off. Subresources then receive a 401 with the scheme `xBasic`, which no
    /// browser knows, so no dialog opens.
    ///
    /// Use it for an application that has public pages and protects its `fetch` calls only. The
    /// user sees a second prompt if the browser has dropped the credentials without a challenge, for
    /// example after a logout by `fetch`.
    ///
    /// ```
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/guide/browser.rs"));
    /// # #[actix_web::main]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use actix_basic_logout::BasicLogin;
    ///
    /// let quiet = BasicLogin::builder("Admin area", users);
    /// let asks = quiet.clone().challenge_subresources();
    /// for (login, scheme) in [(quiet, "xBasic"), (asks, "Basic")] {
    ///     let mut browser = browser(&login.build()?).await;
    ///     let answer = browser.fetch("/admin/data").await;
    ///     let challenge = format!(r#"{scheme} realm="Admin area", charset="UTF-8""#);
    ///     assert_eq!(answer.header("WWW-Authenticate"), Some(&*challenge));
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn challenge_subresources(mut self) -> Self {
        self.config.challenge_subresources = true;
        self
    }

    /// Renews the session key at the login as well, against session fixation. Default: off.
    ///
    /// By default a login keeps the session key that was issued with its challenge, after the last
    /// logout. That key is new, unless an attacker planted the session. To do so, the attacker must
    /// be able to set cookies for this site: from a sibling subdomain, another port, or a network
    /// without TLS. The attacker then shares the session with the user. No request passes without
    /// the credentials even then, but the attacker shares the data that the application keeps in
    /// the session. A cookie name that begins with `__Host-` excludes most of these attackers; this
    /// option excludes all.
    ///
    /// The price is an occasional second prompt. A page and its poll may leave together with the
    /// freshly typed credentials. The first of the two requests renews the key. The second carries
    /// the old key and is refused, which may cost the user a second prompt.
    ///
    /// ```
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/guide/browser.rs"));
    /// # #[actix_web::main]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use actix_basic_logout::BasicLogin;
    /// # use std::{collections::HashMap, sync::Mutex};
    /// # use actix_session::storage::{LoadError, SaveError, SessionKey, SessionStore, UpdateError};
    /// # use actix_web::cookie::time;
    /// # type State = HashMap<String, String>;
    /// # #[derive(Default)]
    /// # struct Sessions(Mutex<(u32, HashMap<String, State>)>);
    /// # impl SessionStore for Sessions {
    /// #     async fn load(&self, key: &SessionKey) -> Result<Option<State>, LoadError> {
    /// #         Ok(self.0.lock().unwrap().1.get(key.as_ref()).cloned())
    /// #     }
    /// #     async fn save(&self, state: State, _: &time::Duration) -> Result<SessionKey, SaveError> {
    /// #         let mut all = self.0.lock().unwrap();
    /// #         all.0 += 1;
    /// #         let key = all.0.to_string();
    /// #         all.1.insert(key.clone(), state);
    /// #         Ok(key.try_into().unwrap())
    /// #     }
    /// #     async fn update(
    /// #         &self,
    /// #         key: SessionKey,
    /// #         state: State,
    /// #         _: &time::Duration,
    /// #     ) -> Result<SessionKey, UpdateError> {
    /// #         self.0.lock().unwrap().1.insert(key.as_ref().to_owned(), state);
    /// #         Ok(key)
    /// #     }
    /// #     async fn update_ttl(&self, _: &SessionKey, _: &time::Duration) -> anyhow::Result<()> {
    /// #         Ok(())
    /// #     }
    /// #     async fn delete(&self, key: &SessionKey) -> anyhow::Result<()> {
    /// #         self.0.lock().unwrap().1.remove(key.as_ref());
    /// #         Ok(())
    /// #     }
    /// # }
    ///
    /// let default = BasicLogin::builder("Admin area", users);
    /// let renewing = default.clone().renew_session_at_login();
    /// for (login, is_shared) in [(default, true), (renewing, false)] {
    /// #   // A cookie session has no key, and an encrypted key looks new in each response.
    /// #   let sessions = SessionMiddleware::builder(Sessions::default(), Key::from(&[7; 64]))
    /// #       .cookie_content_security(actix_session::config::CookieContentSecurity::Signed);
    /// #   let admin = web::scope("/admin").wrap(login.build()?);
    /// #   let admin = admin.default_service(web::to(async || ""));
    /// #   let app = App::new().service(admin).wrap(sessions.build());
    /// #   let mut browser = Browser::new(test::init_service(app).await);
    ///     browser.open("/admin/").await;
    ///     let planted = browser.cookie("id").cloned(); // an attacker knows it
    ///     browser.log_in("/admin/", "alice", "wonderland").await;
    ///     assert_eq!(browser.cookie("id") == planted.as_ref(), is_shared);
    /// }
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias = "session fixation")]
    pub fn renew_session_at_login(mut self) -> Self {
        self.config.renew_session_at_login = true;
        self
    }

    /// Sets the classification of requests. Default: the rule of [`RequestKind::of`], with the realm's
    /// [session cookie](Self::session_cookie).
    ///
    /// Use it for a program that imitates all headers of a browser, or to use the application's own bot
    /// detection. The log names the first such program that is refused. The
    /// [guide about clients](crate::guide::clients) lists what the default recognizes.
    ///
    /// A [`NonBrowser`](RequestKind::NonBrowser) request gets stateless Basic authentication without
    /// a session. Never return `NonBrowser` for a browser: its logout would have no effect.
    ///
    /// ```
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/guide/browser.rs"));
    /// # #[actix_web::main]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use actix_basic_logout::{BasicLogin, RequestKind};
    ///
    /// // A monitor that runs a browser without cookies.
    /// let login = BasicLogin::builder("Admin area", users)
    ///     .classify_with(|req| match req.headers().contains_key("X-Monitor") {
    ///         true => RequestKind::NonBrowser,
    ///         false => RequestKind::of(req),
    ///     })
    ///     .build()?;
    /// let mut browser = browser(&login).await;
    /// let monitor = TestRequest::with_uri("/admin/").insert_header(("X-Monitor", "1"));
    /// let answer = browser.send(monitor.insert_header(ALICE)).await;
    /// assert_eq!(answer.status(), 200);
    /// assert_eq!(answer.header("Set-Cookie"), None);
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias = "User-Agent")]
    #[doc(alias = "bot detection")]
    pub fn classify_with(
        mut self,
        classify: impl Fn(&HttpRequest) -> RequestKind + Send + Sync + 'static,
    ) -> Self {
        self.config.classify_with = Some(Arc::new(classify));
        self
    }

    /// Replaces this crate's responses, such as its error page, to refused requests and logouts.
    /// Default: an HTML page, problem details (`application/problem+json`, RFC 9457) or plain text,
    /// depending on what the client accepts (RFC 9110, section 12.5.1).
    ///
    /// The closure receives a [`Notice`] with the reason. It determines the body, the headers and
    /// the reason phrase of the status line. This crate sets the status code, `WWW-Authenticate`,
    /// `Cache-Control` and `Vary` as the protocol requires, and replaces an empty body.
    ///
    /// ```
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/guide/browser.rs"));
    /// # #[actix_web::main]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use actix_basic_logout::{BasicLogin, Reason};
    /// use actix_web::HttpResponse;
    ///
    /// let login = BasicLogin::builder("Admin area", users)
    ///     .respond_with(|_, notice| {
    ///         let text = match notice.reason() {
    ///             Reason::LoggedOut => "Bye!",
    ///             _ => "Who are you?",
    ///         };
    ///         HttpResponse::build(notice.status()).content_type("text/plain").body(text)
    ///     })
    ///     .build()?;
    /// let mut browser = browser(&login).await;
    /// let refused = browser.open("/admin/").await;
    /// assert!(refused.header("WWW-Authenticate").is_some());
    /// assert_eq!(refused.text(), "Who are you?");
    /// browser.log_in("/admin/", "alice", "wonderland").await;
    /// assert_eq!(browser.open("/logout").await.text(), "Bye!");
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias = "error page")]
    pub fn respond_with(
        mut self,
        respond: impl Fn(&HttpRequest, &Notice<'_>) -> HttpResponse + Send + Sync + 'static,
    ) -> Self {
        self.config.respond_with = Some(Arc::new(respond));
        self
    }

    /// Sets the clock that dates logins and determines their expiry. Default: [`SystemTime::now`].
    /// For tests.
    ///
    /// ```
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/guide/browser.rs"));
    /// # #[actix_web::main]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use std::time::{Duration, SystemTime};
    /// use actix_basic_logout::{BasicLogin, User};
    /// use actix_web::http::header::HttpDate;
    ///
    /// let noon = SystemTime::UNIX_EPOCH + Duration::from_secs(12 * 60 * 60);
    /// let login = BasicLogin::builder("Admin area", users).clock(move || noon).build()?;
    /// let since = web::to(async |user: User| HttpDate::from(user.logged_in_at()).to_string());
    /// let app = test::init_service(App::new().route("/", since).wrap(login)).await;
    /// let request = TestRequest::get().insert_header(ALICE).to_request();
    /// let since = test::call_and_read_body(&app, request).await;
    /// assert_eq!(since, "Thu, 01 Jan 1970 12:00:00 GMT");
    /// # Ok(())
    /// # }
    /// ```
    pub fn clock(mut self, clock: impl Fn() -> SystemTime + Send + Sync + 'static) -> Self {
        self.config.clock = Arc::new(clock);
        self
    }

    /// Builds the realm.
    ///
    /// # Errors
    ///
    /// Returns a [`ConfigError`] if an option is invalid. The application then fails at start-up,
    /// and not at its first request.
    ///
    /// ```
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/guide/browser.rs"));
    /// # #[actix_web::main]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use actix_basic_logout::BasicLogin;
    ///
    /// let login = BasicLogin::builder("Admin area", users).build()?;
    /// assert_eq!(login.realm(), "Admin area");
    ///
    /// let error = BasicLogin::builder("", users).build().unwrap_err();
    /// assert_eq!(error.to_string(), "the realm is empty: give it a name");
    /// # Ok(())
    /// # }
    /// ```
    pub fn build(self) -> Result<BasicLogin, ConfigError> {
        let mut config = self.config;
        let realm = &config.realm;
        if realm.is_empty() {
            return Err(ConfigError::EmptyRealm);
        }
        if realm.chars().any(char::is_control) {
            return Err(ConfigError::ControlCharacterInRealm { realm: config.realm });
        }
        if realm.len() > MAX_REALM_LENGTH {
            return Err(ConfigError::RealmTooLong { length: realm.len() });
        }
        if config.session_cookie.is_empty() {
            return Err(ConfigError::EmptySessionCookie);
        }
        let Ok(challenges) = Challenges::of(realm) else {
            return Err(ConfigError::ControlCharacterInRealm { realm: config.realm });
        };
        let deadlines = config.deadlines;
        if deadlines.login == Some(Duration::ZERO) || deadlines.visit.is_zero() {
            return Err(ConfigError::ZeroDeadline);
        }
        let fingerprint_key = match config.fingerprint_key.take() {
            None => FingerprintKey::random(),
            Some(key) if key.len() >= FingerprintKey::MIN_LENGTH => FingerprintKey::new(&key),
            Some(key) => return Err(ConfigError::FingerprintKeyTooShort { length: key.len() }),
        };
        let redirect = match &config.logout_response {
            LogoutResponse::Redirect(path) => Some(local_path(path)?),
            _ => None,
        };
        let landing_header = local_path(&config.landing_path)?;
        let sees_every_request = config.checker.sees_every_request();
        let reverify_after =
            if sees_every_request { Duration::ZERO } else { config.reverify_after };
        let name: Arc<str> = config.realm.as_str().into();
        let entry_key = entry::key_of(&name);
        let realm = Realm {
            fingerprint_key,
            lifetime: Lifetime { deadlines, reverify_after },
            revocations: Revocations::new(config.revocation_store.take(), deadlines.longest_life()),
            reverifications: Reverifications::new(),
            responder: Responder {
                challenges,
                landing_path: config.landing_path.clone(),
                respond_with: config.respond_with.take(),
            },
            landing_header,
            redirect,
            reserved_password: reserved_password(&name),
            setup: SetupMistakes::new(&name, &entry_key, &config.session_cookie),
            missing_cookies: MissingCookies::default(),
            guesses: Guesses::default(),
            name,
            entry_key,
            config,
        };
        Ok(BasicLogin { realm: Arc::new(realm) })
    }
}

/// A path of this origin, as a `Location` header. `//host` and `/\host` would lead to another origin.
fn local_path(path: &str) -> Result<HeaderValue, ConfigError> {
    let error = || ConfigError::InvalidPath { path: path.to_owned() };
    let local = path.starts_with('/') && !path.starts_with("//") && !path.starts_with("/\\");
    if !local || !path.chars().all(|it| it.is_ascii_graphic()) {
        return Err(error());
    }
    HeaderValue::from_str(path).map_err(|_| error())
}
