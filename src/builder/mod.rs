//! The builder of a realm: one setter for each option, and the checks in `build`.
//!
//! `error` says what can be wrong. Uses what a realm is made of.

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
    authenticator::{Authenticator, checker::Checker},
    config::{BasicLogin, Config, LogoutScope, Realm},
    decision::logout::LogoutResponse,
    diagnostics::{missing_cookies::MissingCookies, setup_mistakes::SetupMistakes},
    request::{authorization::reserved_password, fingerprint::FingerprintKey, kind::RequestKind},
    response::{challenge::Challenges, notice::Notice, responder::Responder},
    revocation::{registry::Revocations, store::RevocationStore},
    session::{entry, login_validity::Lifetime},
};

/// Sets up a [`BasicLogin`]; made by [`BasicLogin::builder`] and
/// [`BasicLogin::with_validator`].
///
/// Each setter replaces a default, and the defaults are the safest: none is needed. What could
/// not work is an error in [`build`](Self::build), never at a request.
///
/// The [crate documentation](crate#the-examples) says what a `browser` is in the examples below.
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
        BasicLoginBuilder::new(realm, Checker::Authenticator(Arc::new(authenticator)))
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
        BasicLoginBuilder::new(realm, Checker::validator(validator))
    }
}

impl BasicLoginBuilder {
    fn new(realm: impl Into<String>, checker: Checker) -> Self {
        Self { config: Config::new(realm.into(), checker) }
    }

    /// The path of a protected page, to which pages of this crate link and to which somebody is
    /// sent (303; RFC 9110, section 15.4.4) who logs in at logout's own prompt. Default: `/`.
    ///
    /// What is no path of this site is an error when it is [built](Self::build).
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

    /// How logout answers a navigation. Default: [`LogoutResponse::Challenge`], 401 with a
    /// challenge.
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
    pub fn logout_response(mut self, answer: LogoutResponse) -> Self {
        self.config.logout_response = answer;
        self
    }

    /// What logout removes from the session. Default: [`LogoutScope::Session`], everything.
    ///
    /// ```
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/guide/browser.rs"));
    /// # #[actix_web::main]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use actix_basic_logout::{BasicLogin, LogoutScope};
    /// use actix_session::Session;
    ///
    /// # let choose = async |session: Session| session.insert("language", "de").map(|()| "");
    /// // The application keeps a language there; `/language` tells which.
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
    pub fn logout_scope(mut self, clears: LogoutScope) -> Self {
        self.config.logout_scope = clears;
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

    /// For how long a login's credentials are taken for right before the authenticator is asked
    /// about them again. Default: 5 minutes. Zero: it is asked on each request.
    ///
    /// A password that was changed, or a user who was removed, ends the login at that moment.
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
    /// IS_KNOWN.store(false, Relaxed); // her password was changed
    /// assert_eq!(browser.open("/admin/").await.status(), 200);
    /// clock.advance(Duration::from_secs(60));
    /// assert_eq!(browser.open("/admin/").await.status(), 401);
    /// # Ok(())
    /// # }
    /// ```
    pub fn reverify_after(mut self, after: Duration) -> Self {
        self.config.reverify_after = after;
        self
    }

    /// For how long after it began a login counts, whatever its user does. Default: for ever, or as
    /// long as the session.
    ///
    /// A login past it is as good as logged out: the credentials in the browser's cache no longer
    /// count, its user is asked, and the page says
    /// [that it has expired](crate::Reason::LoginExpired). So is a login whose time cannot be read
    /// or is more than a minute in the future. Programs without a session have no login to expire.
    /// Zero is an error when it is [built](Self::build).
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
    pub fn login_deadline(mut self, after: Duration) -> Self {
        self.config.deadlines.login = Some(after);
        self
    }

    /// For how long after its last request a login counts. Default: 30 days, or as long as the
    /// session if that is shorter.
    ///
    /// Any request that is let in is a visit, so a page that polls keeps its user logged in. A visit
    /// is written to the session when a tenth of this time has passed since the one written before;
    /// so a login may end by that much too early, and requests in between write nothing. Otherwise
    /// as [`login_deadline`](Self::login_deadline).
    ///
    /// The shorter of the two is also how long an ended login is
    /// [remembered](crate::RevocationStore), 400 days at most.
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
    ///     .visit_deadline(Duration::from_secs(30 * 60)) // half an hour of doing nothing
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
    pub fn visit_deadline(mut self, after: Duration) -> Self {
        self.config.deadlines.visit = after;
        self
    }

    /// Where ended logins are remembered. Default: in the memory of the process, for all its realms,
    /// 100,000 at most.
    ///
    /// Machines that share sessions share this store, and realms that share sessions do, too. See
    /// [`RevocationStore`] for when else to give one, and for one in full.
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
    /// // A table of yours, or a `RedisRevocationStore`; this machine and another.
    /// let ended = Arc::new(Table::default());
    /// let machine = || BasicLogin::builder("Admin area", users).revocation_store(Arc::clone(&ended));
    /// let (login, other) = (machine().build()?, machine().build()?);
    /// let mut browser = browser(&login).await;
    /// browser.log_in("/admin/", "alice", "wonderland").await;
    /// other.revoke_user("alice").await?;
    /// assert_eq!(ended.len(), 1);
    /// assert_eq!(browser.open("/admin/").await.status(), 401);
    /// # Ok(())
    /// # }
    /// ```
    pub fn revocation_store(mut self, store: impl RevocationStore) -> Self {
        self.config.revocation_store = Some(Arc::new(store));
        self
    }

    /// Names requests for which the session alone suffices: they are let in without credentials, if
    /// somebody is logged in. Default: none.
    ///
    /// For `WebSocket` handshakes, which Safari sends without credentials. Let it name as little as
    /// possible: for such a request a copied session cookie is as good as a login. This realm's own
    /// origin must have sent it; other sites' requests and other ports' logins need the credentials
    /// still. The authenticator is not asked, so a changed password ends such a login with the next
    /// request that does bring credentials; deadlines, logout and
    /// [`revoke_user`](BasicLogin::revoke_user) end it at once.
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
    /// browser.forget_credentials(); // as Safari sends a handshake
    /// assert_eq!(browser.fetch("/admin/events").await.status(), 200);
    /// assert_eq!(browser.fetch("/admin/").await.status(), 401);
    /// # Ok(())
    /// # }
    /// ```
    pub fn allow_session_only(
        mut self,
        is_one: impl Fn(&HttpRequest) -> bool + Send + Sync + 'static,
    ) -> Self {
        self.config.allow_session_only = Some(Arc::new(is_one));
        self
    }

    /// The key of the fingerprint (HMAC-SHA-256, RFC 2104) by which a login's credentials are known
    /// again: at least 32 bytes from a random source, kept as secret as the session's key. Default:
    /// drawn anew in each process. A shorter one is an error when it is [built](Self::build).
    ///
    /// Machines that share sessions share this key. A login whose fingerprint was made with
    /// another key is not refused: the authenticator is asked once more.
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
    pub fn fingerprint_key(mut self, key: impl Into<Vec<u8>>) -> Self {
        self.config.fingerprint_key = Some(key.into());
        self
    }

    /// Challenges background requests, too, so that the browser opens its dialog over a `fetch`.
    /// Default: off, they are refused by a challenge of a scheme that no browser knows, `xBasic`.
    ///
    /// For an application whose pages are public and whose `fetch` calls alone are protected. It
    /// sees a second prompt where a browser has dropped the credentials without being challenged
    /// (after a logout by `fetch`, say).
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

    /// Renews the session's key once more at the login itself. Default: off.
    ///
    /// The key that a login lives under was issued with its challenge, after the last logout. So
    /// it is new, unless somebody who can set cookies for this site (a sibling subdomain, another
    /// port, a network without TLS) has planted one of their own: they would share the session,
    /// though no request passes without the credentials. A cookie name that begins with `__Host-`
    /// keeps most of them out; this renewal keeps out all.
    ///
    /// The price: of two requests that leave together with freshly typed credentials, such as a
    /// page and its poll, the second comes with the key that the first has just replaced, is
    /// refused, and may cost the user a second prompt.
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
    /// # /// In memory.
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
    /// let as_it_is = BasicLogin::builder("Admin area", users);
    /// let renewing = as_it_is.clone().renew_session_at_login();
    /// for (login, is_shared) in [(as_it_is, true), (renewing, false)] {
    /// #   // A session in the cookie has no key, and a key that is encrypted looks new each time.
    /// #   let sessions = SessionMiddleware::builder(Sessions::default(), Key::from(&[7; 64]))
    /// #       .cookie_content_security(actix_session::config::CookieContentSecurity::Signed);
    /// #   let admin = web::scope("/admin").wrap(login.build()?);
    /// #   let admin = admin.default_service(web::to(async || ""));
    /// #   let app = App::new().service(admin).wrap(sessions.build());
    /// #   let mut browser = Browser::new(test::init_service(app).await);
    ///     browser.open("/admin/").await;
    ///     let planted = browser.cookie("id").cloned(); // somebody else knows it
    ///     browser.log_in("/admin/", "alice", "wonderland").await;
    ///     assert_eq!(browser.cookie("id") == planted.as_ref(), is_shared);
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn renew_session_at_login(mut self) -> Self {
        self.config.renew_session_at_login = true;
        self
    }

    /// Tells the kind of client instead of [`RequestKind::of`], which is the default.
    ///
    /// What you call a [`Program`](RequestKind::NonBrowser) is served without a session; a browser must
    /// never be, or its logout does nothing.
    ///
    /// ```
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/guide/browser.rs"));
    /// # #[actix_web::main]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use actix_basic_logout::{BasicLogin, RequestKind};
    ///
    /// // A monitor that calls itself a browser.
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
    pub fn classify_with(
        mut self,
        classify: impl Fn(&HttpRequest) -> RequestKind + Send + Sync + 'static,
    ) -> Self {
        self.config.classify_with = Arc::new(classify);
        self
    }

    /// Answers refusals and logouts with responses of the application's own. Default: a page,
    /// `application/problem+json` (RFC 9457) or plain text, by what the client accepts (RFC 9110,
    /// section 12.5.1).
    ///
    /// It is told why by the [`Notice`]. Body, headers and the text of the status line are the
    /// application's; the status itself, `WWW-Authenticate`, `Cache-Control` and `Vary` are set as
    /// the protocol needs them, and an empty body is replaced.
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
    pub fn respond_with(
        mut self,
        respond: impl Fn(&HttpRequest, &Notice<'_>) -> HttpResponse + Send + Sync + 'static,
    ) -> Self {
        self.config.respond_with = Some(Arc::new(respond));
        self
    }

    /// The clock by which logins begin and end. Default: [`SystemTime::now`]. For tests.
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

    /// Finishes the set-up.
    ///
    /// # Errors
    ///
    /// Whatever could not work, so that it ends the program when it starts and not when the first
    /// user comes: see [`ConfigError`].
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
    /// assert_eq!(error.to_string(), "the realm is empty");
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
            name,
            entry_key,
            config,
        };
        Ok(BasicLogin { realm: Arc::new(realm) })
    }
}

/// A path of this origin, for a `Location`. `//host` and `/\host` would lead to another one.
fn local_path(path: &str) -> Result<HeaderValue, ConfigError> {
    let error = || ConfigError::InvalidPath { path: path.to_owned() };
    let local = path.starts_with('/') && !path.starts_with("//") && !path.starts_with("/\\");
    if !local || !path.chars().all(|it| it.is_ascii_graphic()) {
        return Err(error());
    }
    HeaderValue::from_str(path).map_err(|_| error())
}
