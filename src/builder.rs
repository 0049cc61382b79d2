//! The builder, and what can be wrong with what it is given.

use std::{
    error::Error as StdError,
    fmt,
    sync::Arc,
    time::{Duration, SystemTime},
};

use actix_web::{HttpRequest, HttpResponse, http::header::HeaderValue};

use crate::{
    authenticator::Checker,
    challenge::Challenges,
    client::Client,
    config::{BasicLogin, Config, IsOne, LogoutAnswer, LogoutClears, Respond},
    cookieless::Cookieless,
    deadline::Deadlines,
    ended::Ended,
    fingerprint::FingerprintKey,
    login::key_of,
    logout::reserved_password,
    misuse::Misuse,
    notice::Notice,
    revocation::RevocationStore,
};

const MAX_REALM: usize = 256;

/// Sets up a [`BasicLogin`]; see [`BasicLogin::builder`].
#[derive(Clone)]
#[must_use = "a builder does nothing until `build` is called"]
pub struct BasicLoginBuilder {
    realm: String,
    checker: Checker,
    landing: String,
    answer: LogoutAnswer,
    clears: LogoutClears,
    session_cookie: String,
    reverify_after: Duration,
    deadlines: Deadlines,
    key: Option<Vec<u8>>,
    challenge_subresources: bool,
    renew_key_at_login: bool,
    classify: Arc<dyn Fn(&HttpRequest) -> Client + Send + Sync>,
    clock: Arc<dyn Fn() -> SystemTime + Send + Sync>,
    respond_with: Option<Arc<Respond>>,
    revocations: Option<Arc<dyn RevocationStore>>,
    session_suffices_for: Option<Arc<IsOne>>,
}

impl fmt::Debug for BasicLoginBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BasicLoginBuilder").field("realm", &self.realm).finish_non_exhaustive()
    }
}

impl BasicLoginBuilder {
    pub(crate) fn new(realm: String, checker: Checker) -> Self {
        Self {
            realm,
            checker,
            landing: "/".to_owned(),
            answer: LogoutAnswer::default(),
            clears: LogoutClears::default(),
            session_cookie: "id".to_owned(),
            reverify_after: Duration::from_secs(5 * 60),
            deadlines: Deadlines::default(),
            key: None,
            challenge_subresources: false,
            renew_key_at_login: false,
            classify: Arc::new(Client::of),
            clock: Arc::new(SystemTime::now),
            respond_with: None,
            revocations: None,
            session_suffices_for: None,
        }
    }

    /// The path of a protected page, to which pages of this crate link and to which somebody is
    /// sent who logs in at log-out's own prompt. Default: `/`.
    pub fn landing(mut self, path: impl Into<String>) -> Self {
        self.landing = path.into();
        self
    }

    /// How log-out answers a navigation. Default: [`LogoutAnswer::Challenge`].
    pub fn logout_answer(mut self, answer: LogoutAnswer) -> Self {
        self.answer = answer;
        self
    }

    /// What log-out removes from the session. Default: [`LogoutClears::Session`].
    pub fn logout_clears(mut self, clears: LogoutClears) -> Self {
        self.clears = clears;
        self
    }

    /// The name of the session's cookie, as given to
    /// [`cookie_name`](actix_session::config::SessionMiddlewareBuilder::cookie_name). Default:
    /// `id`, which is actix-session's.
    ///
    /// A cookie of that name that leads to no session is what a request carries that was on its
    /// way when somebody logged out, so it must be known.
    pub fn session_cookie(mut self, name: impl Into<String>) -> Self {
        self.session_cookie = name.into();
        self
    }

    /// For how long a login's credentials are taken for right before the authenticator is asked
    /// about them again. Default: 5 minutes. Zero: it is asked on each request.
    ///
    /// A password that was changed, or a user who was removed, ends the login at that moment.
    pub fn reverify_after(mut self, after: Duration) -> Self {
        self.reverify_after = after;
        self
    }

    /// For how long after it began a login counts, whatever its user does. Default: for ever, or as
    /// long as the session.
    ///
    /// A login past it is as good as logged out: the credentials in the browser's cache no longer
    /// count, its user is asked, and the page says
    /// [that it has expired](crate::Reason::LoginExpired). So is a login whose time cannot be read
    /// or is more than a minute in the future. Programs without a session have no login to expire.
    ///
    /// ```
    /// use std::time::Duration;
    /// # use actix_basic_logout::BasicLogin;
    /// # use actix_web::HttpRequest;
    /// # use actix_web_httpauth::extractors::basic::BasicAuth;
    /// # let users = async |_: &HttpRequest, _: &BasicAuth| Ok(true);
    /// // A working day at most, and half an hour of doing nothing.
    /// let login = BasicLogin::builder("Admin area", users)
    ///     .login_deadline(Duration::from_secs(8 * 60 * 60))
    ///     .visit_deadline(Duration::from_secs(30 * 60));
    /// assert!(login.clone().build().is_ok());
    /// assert!(login.login_deadline(Duration::ZERO).build().is_err());
    /// ```
    pub fn login_deadline(mut self, after: Duration) -> Self {
        self.deadlines.login = Some(after);
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
    /// use std::time::Duration;
    /// # use actix_basic_logout::BasicLogin;
    /// # use actix_web::HttpRequest;
    /// # use actix_web_httpauth::extractors::basic::BasicAuth;
    /// # let users = async |_: &HttpRequest, _: &BasicAuth| Ok(true);
    /// let login = BasicLogin::builder("Admin area", users);
    /// assert!(login.clone().visit_deadline(Duration::from_secs(15 * 60)).build().is_ok());
    /// assert!(login.visit_deadline(Duration::ZERO).build().is_err());
    /// ```
    pub fn visit_deadline(mut self, after: Duration) -> Self {
        self.deadlines.visit = after;
        self
    }

    /// Where ended logins are remembered. Default: in the memory of the process, for all its realms,
    /// 100,000 at most.
    ///
    /// Machines that share sessions share this store, and realms that share sessions do, too. See
    /// [`RevocationStore`] for when else to give one, and for an example.
    pub fn revocations(mut self, store: impl RevocationStore) -> Self {
        self.revocations = Some(Arc::new(store));
        self
    }

    /// Names requests for which the session alone suffices: they are let in without credentials, if
    /// somebody is logged in. Default: none.
    ///
    /// For `WebSocket` handshakes, which Safari sends without credentials. Let it name as little as
    /// possible: for such a request a copied session cookie is as good as a login. This realm's own
    /// origin must have sent it; other sites' requests and other ports' logins need the credentials
    /// still. The authenticator is not asked, so a changed password ends such a login with the next
    /// request that does bring credentials; deadlines, log-out and
    /// [`revoke_user`](BasicLogin::revoke_user) end it at once.
    ///
    /// ```
    /// # use actix_basic_logout::BasicLogin;
    /// # use actix_web::HttpRequest;
    /// # use actix_web_httpauth::extractors::basic::BasicAuth;
    /// # let users = async |_: &HttpRequest, _: &BasicAuth| Ok(true);
    /// let login = BasicLogin::builder("Admin area", users)
    ///     .session_suffices_for(|req| req.path() == "/admin/events")
    ///     .build();
    /// assert!(login.is_ok());
    /// ```
    pub fn session_suffices_for(
        mut self,
        is_one: impl Fn(&HttpRequest) -> bool + Send + Sync + 'static,
    ) -> Self {
        self.session_suffices_for = Some(Arc::new(is_one));
        self
    }

    /// The key of the fingerprint (HMAC-SHA-256) by which a login's credentials are known again:
    /// at least 32 bytes from a random source, kept as secret as the session's key. Default: drawn
    /// anew in each process.
    ///
    /// Machines that share sessions share this key. A login whose fingerprint was made with
    /// another key is not refused: the authenticator is asked once more.
    ///
    /// ```
    /// # use actix_basic_logout::BasicLogin;
    /// # use actix_web::HttpRequest;
    /// # use actix_web_httpauth::extractors::basic::BasicAuth;
    /// # let users = async |_: &HttpRequest, _: &BasicAuth| Ok(true);
    /// let login = BasicLogin::builder("Admin area", users);
    /// assert!(login.clone().fingerprint_key([7; 32]).build().is_ok()); // yours is random
    /// assert!(login.fingerprint_key(*b"too short").build().is_err());
    /// ```
    pub fn fingerprint_key(mut self, key: impl Into<Vec<u8>>) -> Self {
        self.key = Some(key.into());
        self
    }

    /// Challenges background requests, too, so that the browser opens its dialog over a `fetch`.
    /// Default: off.
    ///
    /// For an application whose pages are public and whose `fetch` calls alone are protected. It
    /// sees a second prompt where a browser has dropped the credentials without being challenged
    /// (after a log-out by `fetch`, say).
    pub fn challenge_subresources(mut self) -> Self {
        self.challenge_subresources = true;
        self
    }

    /// Renews the session's key once more at the login itself. Default: off.
    ///
    /// The key that a login lives under was issued with its challenge, after the last log-out. So
    /// it is new, unless somebody who can set cookies for this site (a sibling subdomain, another
    /// port, a network without TLS) has planted one of their own: they would share the session,
    /// though no request passes without the credentials. A cookie name that begins with `__Host-`
    /// keeps most of them out; this renewal keeps out all.
    ///
    /// The price: of two requests that leave together with freshly typed credentials, such as a
    /// page and its poll, the second comes with the key that the first has just replaced, is
    /// refused, and may cost the user a second prompt.
    pub fn renew_key_at_login(mut self) -> Self {
        self.renew_key_at_login = true;
        self
    }

    /// Tells the kind of client instead of [`Client::of`].
    ///
    /// What you call a [`Program`](Client::Program) is served without a session; a browser must
    /// never be, or its log-out does nothing.
    ///
    /// ```
    /// use actix_basic_logout::Client;
    /// # use actix_basic_logout::BasicLogin;
    /// # use actix_web::HttpRequest;
    /// # use actix_web_httpauth::extractors::basic::BasicAuth;
    /// # let users = async |_: &HttpRequest, _: &BasicAuth| Ok(true);
    /// // A monitor that calls itself a browser.
    /// let login = BasicLogin::builder("Admin area", users)
    ///     .classify_with(|req| match req.headers().contains_key("X-Monitor") {
    ///         true => Client::Program,
    ///         false => Client::of(req),
    ///     })
    ///     .build();
    /// assert!(login.is_ok());
    /// ```
    pub fn classify_with(
        mut self,
        classify: impl Fn(&HttpRequest) -> Client + Send + Sync + 'static,
    ) -> Self {
        self.classify = Arc::new(classify);
        self
    }

    /// Answers refusals and log-outs with responses of the application's own.
    ///
    /// It is told why by the [`Notice`]. Body, headers and the text of the status line are the
    /// application's; the status itself, `WWW-Authenticate`, `Cache-Control` and `Vary` are set as
    /// the protocol needs them, and an empty body is replaced.
    ///
    /// ```
    /// use actix_basic_logout::{BasicLogin, Reason};
    /// # use actix_web::HttpRequest;
    /// # use actix_web_httpauth::extractors::basic::BasicAuth;
    /// use actix_web::HttpResponse;
    ///
    /// # let users = async |_: &HttpRequest, _: &BasicAuth| Ok(true);
    /// let login = BasicLogin::builder("Admin area", users)
    ///     .respond_with(|_, notice| {
    ///         let text = match notice.reason() {
    ///             Reason::LoggedOut => "Bye!",
    ///             _ => "Who are you?",
    ///         };
    ///         HttpResponse::build(notice.status()).content_type("text/plain").body(text)
    ///     })
    ///     .build();
    /// assert!(login.is_ok());
    /// ```
    pub fn respond_with(
        mut self,
        respond: impl Fn(&HttpRequest, &Notice<'_>) -> HttpResponse + Send + Sync + 'static,
    ) -> Self {
        self.respond_with = Some(Arc::new(respond));
        self
    }

    /// The clock. Default: [`SystemTime::now`]. For tests.
    ///
    /// ```
    /// use std::time::{Duration, SystemTime};
    /// # use actix_basic_logout::BasicLogin;
    /// # use actix_web::HttpRequest;
    /// # use actix_web_httpauth::extractors::basic::BasicAuth;
    /// # let users = async |_: &HttpRequest, _: &BasicAuth| Ok(true);
    /// let noon = SystemTime::UNIX_EPOCH + Duration::from_secs(12 * 60 * 60);
    /// let login = BasicLogin::builder("Admin area", users).clock(move || noon).build();
    /// assert!(login.is_ok());
    /// ```
    pub fn clock(mut self, clock: impl Fn() -> SystemTime + Send + Sync + 'static) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    /// Finishes the set-up.
    ///
    /// # Errors
    ///
    /// Whatever could not work, so that it ends the program when it starts and not when the first
    /// user comes: see [`ConfigError`].
    pub fn build(self) -> Result<BasicLogin, ConfigError> {
        if self.realm.is_empty() {
            return Err(ConfigError::EmptyRealm);
        }
        if self.realm.chars().any(char::is_control) {
            return Err(ConfigError::ControlCharacterInRealm { realm: self.realm });
        }
        if self.realm.len() > MAX_REALM {
            return Err(ConfigError::RealmTooLong { length: self.realm.len() });
        }
        if self.session_cookie.is_empty() {
            return Err(ConfigError::EmptySessionCookie);
        }
        let Ok(challenges) = Challenges::of(&self.realm) else {
            return Err(ConfigError::ControlCharacterInRealm { realm: self.realm });
        };
        if self.deadlines.login == Some(Duration::ZERO) || self.deadlines.visit.is_zero() {
            return Err(ConfigError::DeadlineOfZero);
        }
        let key = match self.key {
            None => FingerprintKey::random(),
            Some(key) if key.len() >= FingerprintKey::MIN => FingerprintKey::new(&key),
            Some(key) => return Err(ConfigError::KeyTooShort { length: key.len() }),
        };
        let redirect = match &self.answer {
            LogoutAnswer::Redirect(path) => Some(local_path(path)?),
            LogoutAnswer::Challenge | LogoutAnswer::Page => None,
        };
        let config = Config {
            landing_header: local_path(&self.landing)?,
            landing: self.landing,
            reserved_password: reserved_password(&self.realm),
            entry_key: key_of(&self.realm),
            realm: self.realm.into(),
            checker: self.checker,
            challenges,
            redirect,
            answer: self.answer,
            clears: self.clears,
            session_cookie: self.session_cookie,
            reverify_after: self.reverify_after,
            deadlines: self.deadlines,
            ended: Ended::new(self.revocations, self.deadlines),
            session_suffices_for: self.session_suffices_for,
            key,
            challenge_subresources: self.challenge_subresources,
            renew_key_at_login: self.renew_key_at_login,
            classify: self.classify,
            clock: self.clock,
            respond_with: self.respond_with,
            misuse: Misuse::default(),
            cookieless: Cookieless::default(),
        };
        Ok(BasicLogin { config: Arc::new(config) })
    }
}

/// A path of this origin, for a `Location`. `//host` and `/\host` would lead to another one.
fn local_path(path: &str) -> Result<HeaderValue, ConfigError> {
    let error = || ConfigError::NotALocalPath { path: path.to_owned() };
    let local = path.starts_with('/') && !path.starts_with("//") && !path.starts_with("/\\");
    if !local || !path.chars().all(|it| it.is_ascii_graphic()) {
        return Err(error());
    }
    HeaderValue::from_str(path).map_err(|_| error())
}

/// Why a [`BasicLogin`] could not be built.
///
/// ```
/// # use actix_basic_logout::BasicLogin;
/// # use actix_web::HttpRequest;
/// # use actix_web_httpauth::extractors::basic::BasicAuth;
/// # let users = async |_: &HttpRequest, _: &BasicAuth| Ok(true);
/// let error = BasicLogin::builder("Admin area", users).landing("admin").build().unwrap_err();
/// assert_eq!(error.to_string(), "\"admin\" is not a path of this site, such as \"/admin/\"");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ConfigError {
    /// The realm is empty.
    EmptyRealm,
    /// The realm holds a control character, which a header cannot carry.
    #[non_exhaustive]
    ControlCharacterInRealm {
        /// The realm.
        realm: String,
    },
    /// The realm is longer than 256 bytes; its name is part of every session.
    #[non_exhaustive]
    RealmTooLong {
        /// The length in bytes.
        length: usize,
    },
    /// The name of the session's cookie is empty.
    EmptySessionCookie,
    /// A deadline is zero, with which nobody could log in.
    DeadlineOfZero,
    /// The fingerprint key is shorter than 32 bytes.
    #[non_exhaustive]
    KeyTooShort {
        /// The length in bytes.
        length: usize,
    },
    /// The landing path, or the one that log-out redirects to, is not a path of this site.
    #[non_exhaustive]
    NotALocalPath {
        /// What was given.
        path: String,
    },
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::EmptyRealm => f.write_str("the realm is empty"),
            Self::ControlCharacterInRealm { realm } => {
                write!(f, "the realm {realm:?} holds a control character")
            }
            Self::RealmTooLong { length } => {
                write!(f, "the realm is {length} bytes long, {MAX_REALM} are allowed")
            }
            Self::EmptySessionCookie => f.write_str("the name of the session cookie is empty"),
            Self::DeadlineOfZero => {
                f.write_str("with a login or visit deadline of zero nobody could log in")
            }
            Self::KeyTooShort { length } => write!(
                f,
                "the fingerprint key is {length} bytes long, it takes {} or more",
                FingerprintKey::MIN
            ),
            Self::NotALocalPath { path } => {
                write!(f, "{path:?} is not a path of this site, such as \"/admin/\"")
            }
        }
    }
}

impl StdError for ConfigError {}
