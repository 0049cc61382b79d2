//! Lists of users with their passwords.
//!
//! `table` holds users in memory, `source` names the source in errors, and `htpasswd` reloads a
//! file. May use `password` and `request`.

pub(crate) mod error;
mod htpasswd;
pub(crate) mod source;
pub(crate) mod table;

use std::{fmt, path::Path, sync::Arc, time::Instant};

use actix_web::{Error, HttpRequest};
use actix_web_httpauth::extractors::basic::BasicAuth;
use futures_core::future::LocalBoxFuture;

use crate::authenticator::{
    Authenticator,
    password::hash_limiter::{CheckKind, HashLimiter},
    users::{
        error::UsersError,
        htpasswd::Htpasswd,
        source::{Source, read_variable},
        table::{Plaintext, Table, pairs, parse_lines},
    },
    verdict::Verdict,
};

/// An [`Authenticator`] with a list of users from a password file (htpasswd), an environment
/// variable or the code.
///
/// Passwords are hashed. For development and for secrets from the environment, plaintext passwords
/// are possible, too. Hashes are PHC strings of Argon2id, scrypt or PBKDF2 (SHA-256, SHA-512), or
/// bcrypt hashes; a weaker hash is an error. A [`HashLimiter`] computes them off the worker
/// threads.
///
/// To prevent user enumeration by a timing attack, a login takes the same time for every user-id,
/// whether the user exists or not, and whatever kind of hash the user has. Each login computes one
/// hash of each kind (algorithm and parameters) in the list. A list may have at most eight kinds.
///
/// A password of more than 1024 bytes is wrong and is not hashed. For a user with a bcrypt hash, a
/// password of more than 72 bytes is wrong, because bcrypt ignores all bytes after the first 72.
///
/// User-ids are case-sensitive, so each user has exactly one. It is the user's
/// [id](crate::User::id).
///
/// ```
/// use actix_basic_logout::{BasicLogin, Users};
///
/// // As made by `htpasswd -nB -C 12 alice`.
/// let alice = "$2y$12$rt0frD9qtG6jPL8.8clKb.OSbnD5vvdF8fpgV/yRKv6zP3iFdHatW";
/// let users = Users::hashed([("alice", alice)])?;
/// assert!(BasicLogin::builder("Admin area", users).build().is_ok());
///
/// let error = Users::hashed([("bob", "$apr1$OGldTsbP$iiI7M99eL5NYW4VNVZuNV1")]).unwrap_err();
/// assert_eq!(
///     error.to_string(),
///     "the list of users, entry 1: user \"bob\" has an apr1 (MD5) hash, which is not accepted; \
///      make a new one with: htpasswd -nB -C 12 bob"
/// );
/// # Ok::<(), actix_basic_logout::UsersError>(())
/// ```
///
/// Clones share the list.
#[derive(Clone)]
pub struct Users {
    store: Store,
    hashes: HashLimiter,
    clock: Arc<dyn Fn() -> Instant + Send + Sync>,
}

#[derive(Clone)]
enum Store {
    Plaintext(Arc<Plaintext>),
    Hashed(Arc<Table>),
    File(Arc<Htpasswd>),
}

impl Users {
    /// Creates users with plaintext passwords.
    ///
    /// Only keyed fingerprints of the passwords stay in memory. A login compares all of them in
    /// constant time, so its time does not reveal which users exist.
    ///
    /// # Errors
    ///
    /// [`UsersError`] if the list is empty, if a user is listed twice or could never log in, or if
    /// a password is empty, is longer than 1024 bytes, has a control character, or looks like a
    /// hash.
    ///
    /// ```
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/guide/browser.rs"));
    /// # #[actix_web::main]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use actix_basic_logout::{Authenticator, Users};
    ///
    /// let req = TestRequest::default().to_http_request();
    /// let users = Users::plaintext([("alice", "wonderland"), ("bob", "builder")])?;
    /// assert!(users.authenticate(&req, &basic("bob", "builder")).await?.is_valid());
    /// assert!(!users.authenticate(&req, &basic("bob", "wonderland")).await?.is_valid());
    ///
    /// let error = Users::plaintext([("alice", "")]).unwrap_err();
    /// assert_eq!(
    ///     error.to_string(),
    ///     r#"the list of users, entry 1: user "alice" has an empty password"#
    /// );
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias = "plaintext password")]
    pub fn plaintext<U, P>(users: impl IntoIterator<Item = (U, P)>) -> Result<Self, UsersError>
    where
        U: Into<String>,
        P: Into<String>,
    {
        let users = Plaintext::new(&Source::List, &pairs(users))?;
        Ok(Self::of(Store::Plaintext(Arc::new(users))))
    }

    /// Creates users with hashed passwords.
    ///
    /// # Errors
    ///
    /// [`UsersError`] if the list is empty, if a user is listed twice or could never log in, or if
    /// a hash is weak, malformed, unknown or too expensive (more than 1 GiB of memory, or several
    /// seconds), or if there are more than eight kinds of hashes.
    ///
    /// ```
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/guide/browser.rs"));
    /// # #[actix_web::main]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use actix_basic_logout::{Authenticator, Users};
    ///
    /// let req = TestRequest::default().to_http_request();
    /// // In production, use a cost of 12 instead of 4.
    /// let alice = "$2y$04$qqxtSNcE5L3nZxkNayxMDOGS1/Xpv5quGRK8y21J1utjVbTHTJ5Au";
    /// let users = Users::hashed([("alice", alice)])?;
    /// assert!(users.authenticate(&req, &basic("alice", "wonderland")).await?.is_valid());
    /// assert!(!users.authenticate(&req, &basic("alice", "looking-glass")).await?.is_valid());
    /// assert!(!users.authenticate(&req, &basic("bob", "wonderland")).await?.is_valid());
    /// # Ok(())
    /// # }
    /// ```
    pub fn hashed<U, H>(users: impl IntoIterator<Item = (U, H)>) -> Result<Self, UsersError>
    where
        U: Into<String>,
        H: Into<String>,
    {
        let table = Table::new(&Source::List, &pairs(users))?;
        Ok(Self::of(Store::Hashed(Arc::new(table))))
    }

    /// Reads users with hashed passwords from an environment variable, once. The variable contains
    /// lines of `user-id:hash`, as an htpasswd file does.
    ///
    /// # Errors
    ///
    /// [`UsersError`] as for [`hashed`](Self::hashed), and if the variable is not set or is not
    /// UTF-8.
    ///
    /// ```sh
    /// ADMINS=$(htpasswd -nB -C 12 alice) cargo run
    /// ```
    ///
    /// ```
    /// use actix_basic_logout::Users;
    ///
    /// // If the variable is not set:
    /// let error = Users::env("ADMINS").unwrap_err();
    /// assert!(error.to_string().starts_with("the environment variable ADMINS is not set; "));
    /// ```
    pub fn env(name: &str) -> Result<Self, UsersError> {
        let (source, text) = read_variable(name)?;
        let table = Table::new(&source, &parse_lines(&source, text.as_bytes())?)?;
        Ok(Self::of(Store::Hashed(Arc::new(table))))
    }

    /// Reads users with plaintext passwords from an environment variable, once. The variable
    /// contains lines of `user-id:password`; a password may contain colons.
    ///
    /// # Errors
    ///
    /// [`UsersError`] as for [`plaintext`](Self::plaintext), and if the variable is not set or is
    /// not UTF-8.
    ///
    /// ```sh
    /// ADMINS=alice:wonderland cargo run
    /// ```
    ///
    /// ```
    /// use actix_basic_logout::Users;
    ///
    /// // Cargo sets this variable to a text without a colon.
    /// let error = Users::env_plaintext("CARGO_PKG_NAME").unwrap_err();
    /// assert_eq!(error.line(), Some(1));
    /// assert!(error.to_string().contains("CARGO_PKG_NAME, line 1: has no colon"));
    /// ```
    #[doc(alias = "plaintext password")]
    pub fn env_plaintext(name: &str) -> Result<Self, UsersError> {
        let (source, text) = read_variable(name)?;
        let users = Plaintext::new(&source, &parse_lines(&source, text.as_bytes())?)?;
        Ok(Self::of(Store::Plaintext(Arc::new(users))))
    }

    /// Reads users from a password file, as Apache's `htpasswd -B -C 12` writes it, and reloads the
    /// file when it changes.
    ///
    /// The hashes may also be PHC strings. Empty lines and lines that begin with `#` are skipped.
    ///
    /// A login checks whether the file has changed, at most once per second. If the file cannot be
    /// read or has an error, the error is logged at level `warn`, and the previous users stay
    /// valid. If a user was removed or a password was changed, an existing login ends when it is
    /// [reverified](crate::BasicLoginBuilder::reverify_after).
    ///
    /// A bcrypt cost below 10 is logged at level `warn`, because an attacker who steals the file
    /// could guess passwords fast. The default cost of `htpasswd` is 5.
    ///
    /// # Errors
    ///
    /// [`UsersError`] as for [`hashed`](Self::hashed), and if the file cannot be read or is longer
    /// than 16 MiB. The error names the line and a fix.
    ///
    /// ```
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/guide/browser.rs"));
    /// # #[actix_web::main]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use std::fs;
    /// use actix_basic_logout::{Authenticator, Users};
    ///
    /// let req = TestRequest::default().to_http_request();
    /// # let directory = tempfile::tempdir()?;
    /// # let path = directory.path().join("users.htpasswd");
    /// fs::write(&path, format!("# admins\nalice:{HASHED}\n"))?;
    /// let users = Users::htpasswd(&path)?;
    /// assert!(users.authenticate(&req, &basic("alice", "wonderland")).await?.is_valid());
    ///
    /// fs::write(&path, "alice:$apr1$OGldTsbP$iiI7M99eL5NYW4VNVZuNV1\n")?;
    /// let error = Users::htpasswd(&path).unwrap_err();
    /// assert!(error.to_string().contains(r#"line 1: user "alice" has an apr1 (MD5) hash"#));
    /// # Ok(())
    /// # }
    /// ```
    pub fn htpasswd(path: impl AsRef<Path>) -> Result<Self, UsersError> {
        let file = Htpasswd::open(path.as_ref().to_owned())?;
        Ok(Self::of(Store::File(Arc::new(file))))
    }

    fn of(store: Store) -> Self {
        Self { store, hashes: HashLimiter::shared(), clock: Arc::new(Instant::now) }
    }

    /// Sets the limiter that computes the hashes. Default: [`HashLimiter::shared`]. Plaintext
    /// passwords are not hashed and do not use the limiter.
    ///
    /// ```
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/guide/browser.rs"));
    /// # #[actix_web::main]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use actix_basic_logout::{Authenticator, HashLimiter, Users};
    ///
    /// let req = TestRequest::default().to_http_request();
    /// let hashes = HashLimiter::builder().concurrency(1).queue_limit(0).build()?;
    /// let users = Users::hashed([("alice", HASHED)])?.hash_limiter(hashes);
    /// let good = basic("alice", "wonderland");
    /// let (first, second) =
    ///     tokio::join!(users.authenticate(&req, &good), users.authenticate(&req, &good));
    /// assert!(first?.is_valid());
    /// assert_eq!(second.unwrap_err().as_response_error().status_code(), 503);
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn hash_limiter(mut self, hashes: HashLimiter) -> Self {
        self.hashes = hashes;
        self
    }

    /// Sets the clock by which an htpasswd file is checked for changes, for tests. Default:
    /// [`Instant::now`].
    ///
    /// ```
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/guide/browser.rs"));
    /// # use std::fs;
    /// # #[actix_web::main]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use actix_basic_logout::{Authenticator, Users};
    ///
    /// let req = TestRequest::default().to_http_request();
    /// let alice = basic("alice", "wonderland");
    /// # let directory = tempfile::tempdir()?;
    /// # let path = directory.path().join("users.htpasswd");
    /// # fs::write(&path, format!("alice:{HASHED}"))?;
    /// let clock = Clock::new();
    /// let users = Users::htpasswd(&path)?.clock(clock.instant());
    /// assert!(users.authenticate(&req, &alice).await?.is_valid());
    /// fs::write(&path, format!("carol:{HASHED}"))?;
    /// assert!(users.authenticate(&req, &alice).await?.is_valid());
    /// clock.advance(Duration::from_secs(1));
    /// assert!(!users.authenticate(&req, &alice).await?.is_valid());
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn clock(mut self, clock: impl Fn() -> Instant + Send + Sync + 'static) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    async fn check(&self, kind: CheckKind, credentials: &BasicAuth) -> Result<bool, Error> {
        let table = match &self.store {
            Store::Plaintext(users) => return Ok(users.contains(credentials)),
            Store::Hashed(table) => Arc::clone(table),
            Store::File(file) => file.current((self.clock)()).await.0,
        };
        let plan = table.plan(credentials.user_id());
        self.hashes.agrees(kind, plan, credentials.password().unwrap_or_default()).await
    }
}

impl Authenticator for Users {
    fn authenticate<'a>(
        &'a self,
        _: &'a HttpRequest,
        credentials: &'a BasicAuth,
    ) -> LocalBoxFuture<'a, Result<Verdict, Error>> {
        Box::pin(async { self.check(CheckKind::Login, credentials).await.map(Verdict::from) })
    }

    fn reverify<'a>(
        &'a self,
        _: &'a HttpRequest,
        credentials: &'a BasicAuth,
    ) -> LocalBoxFuture<'a, Result<Verdict, Error>> {
        Box::pin(async { self.check(CheckKind::Reverify, credentials).await.map(Verdict::from) })
    }

    fn revision(&self) -> LocalBoxFuture<'_, u64> {
        Box::pin(async {
            match &self.store {
                Store::Plaintext(_) | Store::Hashed(_) => 0,
                Store::File(file) => file.current((self.clock)()).await.1,
            }
        })
    }
}

impl fmt::Debug for Users {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("Users");
        match &self.store {
            Store::Plaintext(users) => shown.field("plaintext", &users.users.len()),
            Store::Hashed(table) => shown.field("hashed", &table.users.len()),
            Store::File(file) => shown.field("htpasswd", &file.path()),
        };
        shown.finish_non_exhaustive()
    }
}
