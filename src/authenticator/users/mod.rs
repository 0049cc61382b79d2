//! A list of users and their passwords.

pub(crate) mod htpasswd;

use std::{
    collections::HashMap,
    env, fmt, io,
    path::{Path, PathBuf},
    sync::Arc,
    time::Instant,
};

use actix_web::{Error, HttpRequest};
use actix_web_httpauth::{extractors::basic::BasicAuth, headers::authorization::Basic};
use futures_core::future::LocalBoxFuture;
use subtle::{Choice, ConstantTimeEq};

use crate::{
    authenticator::Authenticator,
    authenticator::password::hash::{BadHash, Kind, MAX_PASSWORD, MOST_KINDS, PasswordHash, Plan},
    authenticator::password::{HashLimiter, Turn},
    authenticator::users::htpasswd::Htpasswd,
    request::authorization::MAX_USER_ID,
    request::fingerprint::{Fingerprint, FingerprintKey},
};

/// An [`Authenticator`] that knows its users: from an htpasswd file, an environment variable or
/// pairs in the code, with hashed passwords or, for development and for secrets from the
/// environment, in the clear.
///
/// Hashes are PHC strings of Argon2id, scrypt or PBKDF2 (SHA-256, SHA-512), or bcrypt's; what is
/// weaker is refused when it is read. They are computed on a [`HashLimiter`], never on a worker. An
/// unknown user costs as much time as a wrong password, and so do users whose hashes are of
/// different kinds: each login computes one hash of each kind (algorithm and parameters) that is
/// in the list, of which there may be eight. A password of more than 1024 bytes is wrong without
/// being hashed. One of more than 72 bytes is wrong for a user with bcrypt, which would cut it off.
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
/// Clones share everything.
#[derive(Clone)]
pub struct Users {
    source: Source,
    pool: HashLimiter,
    clock: Arc<dyn Fn() -> Instant + Send + Sync>,
}

#[derive(Clone)]
enum Source {
    Clear(Arc<Plaintext>),
    Hashed(Arc<Table>),
    File(Arc<Htpasswd>),
}

impl Users {
    /// Users with their passwords in the clear. They are compared in constant time.
    ///
    /// # Errors
    ///
    /// [`UsersError`] if there is no user, one is there twice, has an empty password or one that
    /// looks like a hash, or could never log in.
    ///
    /// ```
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/guide/browser.rs"));
    /// # #[actix_web::main]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use actix_basic_logout::{Authenticator, Users};
    ///
    /// let req = TestRequest::default().to_http_request();
    /// let users = Users::plaintext([("alice", "wonderland"), ("bob", "builder")])?;
    /// assert!(users.authenticate(&req, &basic("bob", "builder")).await?);
    /// assert!(!users.authenticate(&req, &basic("bob", "wonderland")).await?);
    ///
    /// let error = Users::plaintext([("alice", "")]).unwrap_err();
    /// assert_eq!(
    ///     error.to_string(),
    ///     r#"the list of users, entry 1: user "alice" has an empty password"#
    /// );
    /// # Ok(())
    /// # }
    /// ```
    pub fn plaintext<U, P>(users: impl IntoIterator<Item = (U, P)>) -> Result<Self, UsersError>
    where
        U: Into<String>,
        P: Into<String>,
    {
        let place = Place::List;
        let users = Plaintext::new(&place, &pairs(users))?;
        Ok(Self::of(Source::Clear(Arc::new(users))))
    }

    /// Users with hashed passwords.
    ///
    /// # Errors
    ///
    /// [`UsersError`] if there is no user, one is there twice or could never log in, or a hash is
    /// weak, malformed, not known, or would cost too much: more than 1 GiB of memory, or than some
    /// seconds.
    ///
    /// ```
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/guide/browser.rs"));
    /// # #[actix_web::main]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use actix_basic_logout::{Authenticator, Users};
    ///
    /// let req = TestRequest::default().to_http_request();
    /// // In earnest at a cost of 12, not 4.
    /// let alice = "$2y$04$qqxtSNcE5L3nZxkNayxMDOGS1/Xpv5quGRK8y21J1utjVbTHTJ5Au";
    /// let users = Users::hashed([("alice", alice)])?;
    /// assert!(users.authenticate(&req, &basic("alice", "wonderland")).await?);
    /// assert!(!users.authenticate(&req, &basic("alice", "looking-glass")).await?);
    /// assert!(!users.authenticate(&req, &basic("bob", "wonderland")).await?);
    /// # Ok(())
    /// # }
    /// ```
    pub fn hashed<U, H>(users: impl IntoIterator<Item = (U, H)>) -> Result<Self, UsersError>
    where
        U: Into<String>,
        H: Into<String>,
    {
        let table = Table::new(&Place::List, &pairs(users))?;
        Ok(Self::of(Source::Hashed(Arc::new(table))))
    }

    /// Users from an environment variable: lines of `user-id:hash`, as in an htpasswd file. It is
    /// read once.
    ///
    /// # Errors
    ///
    /// [`UsersError`] as for [`hashed`](Self::hashed), and if the variable is not set or not
    /// UTF-8.
    ///
    /// ```sh
    /// ADMINS=$(htpasswd -nB -C 12 alice) cargo run
    /// ```
    ///
    /// ```
    /// use actix_basic_logout::Users;
    ///
    /// // Without it:
    /// let error = Users::env("ADMINS").unwrap_err();
    /// assert!(error.to_string().starts_with("the environment variable ADMINS is not set; "));
    /// ```
    pub fn env(name: &str) -> Result<Self, UsersError> {
        let (place, text) = variable(name)?;
        let table = Table::new(&place, &lines(&place, text.as_bytes())?)?;
        Ok(Self::of(Source::Hashed(Arc::new(table))))
    }

    /// Users from an environment variable with passwords in the clear: lines of
    /// `user-id:password`, where a password may hold colons. It is read once.
    ///
    /// # Errors
    ///
    /// [`UsersError`] as for [`plaintext`](Self::plaintext), and if the variable is not set
    /// or not UTF-8.
    ///
    /// ```sh
    /// ADMINS=alice:wonderland cargo run
    /// ```
    ///
    /// ```
    /// use actix_basic_logout::Users;
    ///
    /// // What Cargo sets is no user's line.
    /// let error = Users::env_plaintext("CARGO_PKG_NAME").unwrap_err();
    /// assert_eq!(error.line(), Some(1));
    /// assert!(error.to_string().contains("CARGO_PKG_NAME, line 1: has no colon"));
    /// ```
    pub fn env_plaintext(name: &str) -> Result<Self, UsersError> {
        let (place, text) = variable(name)?;
        let users = Plaintext::new(&place, &lines(&place, text.as_bytes())?)?;
        Ok(Self::of(Source::Clear(Arc::new(users))))
    }

    /// Users from an htpasswd file, as `htpasswd -B -C 12` writes it; PHC strings are understood
    /// in it, too. Lines that are empty or begin with `#` are skipped.
    ///
    /// The file is looked at again with a login, at most once per second, and read anew when it
    /// has changed. If it is broken or gone at that moment, the log says so, at level `warn`, and
    /// the users of before stay. A login whose password was changed, or whose user was removed,
    /// ends when it is [verified again](crate::BasicLoginBuilder::reverify_after).
    ///
    /// A cost below 10 (htpasswd's default is 5) is said in the log: whoever gets hold of the file
    /// tries many passwords in no time.
    ///
    /// # Errors
    ///
    /// [`UsersError`] with the line and the cure, as for [`hashed`](Self::hashed), and if the file
    /// cannot be read or is longer than 16 MiB.
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
    /// assert!(users.authenticate(&req, &basic("alice", "wonderland")).await?);
    ///
    /// fs::write(&path, "alice:$apr1$OGldTsbP$iiI7M99eL5NYW4VNVZuNV1\n")?;
    /// let error = Users::htpasswd(&path).unwrap_err();
    /// assert!(error.to_string().contains(r#"line 1: user "alice" has an apr1 (MD5) hash"#));
    /// # Ok(())
    /// # }
    /// ```
    pub fn htpasswd(path: impl AsRef<Path>) -> Result<Self, UsersError> {
        let file = Htpasswd::open(path.as_ref().to_owned())?;
        Ok(Self::of(Source::File(Arc::new(file))))
    }

    fn of(source: Source) -> Self {
        Self { source, pool: HashLimiter::shared(), clock: Arc::new(Instant::now) }
    }

    /// Where hashes are computed. Default: [`HashLimiter::shared`].
    ///
    /// ```
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/guide/browser.rs"));
    /// # #[actix_web::main]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use actix_basic_logout::{Authenticator, HashLimiter, Users};
    ///
    /// let req = TestRequest::default().to_http_request();
    /// let pool = HashLimiter::new().threads(1).waiting(0);
    /// let users = Users::hashed([("alice", HASHED)])?.hash_limiter(pool);
    /// let good = basic("alice", "wonderland");
    /// let (first, second) =
    ///     tokio::join!(users.authenticate(&req, &good), users.authenticate(&req, &good));
    /// assert!(first?);
    /// assert_eq!(second.unwrap_err().as_response_error().status_code(), 503);
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn hash_limiter(mut self, pool: HashLimiter) -> Self {
        self.pool = pool;
        self
    }

    /// The clock by which an htpasswd file is looked at again. Default: [`Instant::now`]. For
    /// tests.
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
    /// let watch = Watch::default();
    /// let users = Users::htpasswd(&path)?.clock(watch.instant());
    /// assert!(users.authenticate(&req, &alice).await?);
    /// fs::write(&path, format!("carol:{HASHED}"))?;
    /// assert!(users.authenticate(&req, &alice).await?);
    /// watch.forward(Duration::from_secs(1));
    /// assert!(!users.authenticate(&req, &alice).await?);
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn clock(mut self, clock: impl Fn() -> Instant + Send + Sync + 'static) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    async fn check(&self, turn: Turn, credentials: &BasicAuth) -> Result<bool, Error> {
        let table = match &self.source {
            Source::Clear(users) => return Ok(users.hold(credentials)),
            Source::Hashed(table) => Arc::clone(table),
            Source::File(file) => file.current((self.clock)()).await.0,
        };
        let plan = table.plan(credentials.user_id());
        self.pool.agrees(turn, plan, credentials.password().unwrap_or_default()).await
    }
}

impl Authenticator for Users {
    fn authenticate<'a>(
        &'a self,
        _: &'a HttpRequest,
        credentials: &'a BasicAuth,
    ) -> LocalBoxFuture<'a, Result<bool, Error>> {
        Box::pin(self.check(Turn::Login, credentials))
    }

    fn reverify<'a>(
        &'a self,
        _: &'a HttpRequest,
        credentials: &'a BasicAuth,
    ) -> LocalBoxFuture<'a, Result<bool, Error>> {
        Box::pin(self.check(Turn::Reverify, credentials))
    }

    fn revision(&self) -> LocalBoxFuture<'_, u64> {
        Box::pin(async {
            match &self.source {
                Source::Clear(_) | Source::Hashed(_) => 0,
                Source::File(file) => file.current((self.clock)()).await.1,
            }
        })
    }
}

impl fmt::Debug for Users {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("Users");
        match &self.source {
            Source::Clear(users) => shown.field("plaintext", &users.users.len()),
            Source::Hashed(table) => shown.field("hashed", &table.users.len()),
            Source::File(file) => shown.field("htpasswd", &file.path()),
        };
        shown.finish_non_exhaustive()
    }
}

/// Passwords in the clear, kept as keyed fingerprints of user-id and password: to look through
/// them all takes as long whoever is looked for.
pub(crate) struct Plaintext {
    key: FingerprintKey,
    pub(crate) users: Vec<Fingerprint>,
}

impl Plaintext {
    pub(crate) fn new(place: &Place, entries: &[Entry]) -> Result<Self, UsersError> {
        let key = FingerprintKey::random();
        let mut users = Vec::new();
        for Entry { number, user_id, secret } in checked(place, entries)? {
            let error = |what: &str| place.error(Some(*number), format!("user {user_id:?} {what}"));
            if secret.is_empty() {
                return Err(error("has an empty password"));
            }
            if secret.len() > MAX_PASSWORD {
                return Err(error("has a password of more than 1024 bytes"));
            }
            if secret.chars().any(char::is_control) {
                return Err(error("has a password with a control character in it"));
            }
            if looks_hashed(secret) {
                return Err(error(
                    "has a hash for a password in the clear; use `Users::hashed` or `Users::env`",
                ));
            }
            users.push(key.of("", &Basic::new(user_id.clone(), Some(secret.clone())).into()));
        }
        Ok(Self { key, users })
    }

    fn hold(&self, credentials: &BasicAuth) -> bool {
        let presented = self.key.of("", credentials);
        let none = Choice::from(0);
        self.users.iter().fold(none, |found, it| found | it.ct_eq(&presented)).into()
    }
}

fn looks_hashed(secret: &str) -> bool {
    // Thirteen letters and digits may be a hash of plain crypt, and a password as well.
    (secret.starts_with('$') || secret.starts_with("{SHA}"))
        && !matches!(PasswordHash::read(secret), Err(BadHash::Unknown))
}

/// Users and their hashes.
#[derive(Debug)]
pub(crate) struct Table {
    pub(crate) users: HashMap<String, PasswordHash>,
    pub(crate) kinds: Vec<Kind>,
}

impl PartialEq for Table {
    fn eq(&self, other: &Self) -> bool {
        self.users == other.users
    }
}

impl Table {
    pub(crate) fn new(place: &Place, entries: &[Entry]) -> Result<Self, UsersError> {
        let mut users = HashMap::new();
        let mut kinds = Vec::new();
        for Entry { number, user_id, secret } in checked(place, entries)? {
            if !matches!(place, Place::List) && secret.contains(':') {
                let what = "holds two colons; a user-id cannot hold any";
                return Err(place.error(Some(*number), what));
            }
            let hash = PasswordHash::read(secret).map_err(|bad| {
                let cure = place.cure(user_id);
                place.error(Some(*number), format!("user {user_id:?} has {bad}; {cure}"))
            })?;
            if !kinds.contains(&hash.kind) {
                kinds.push(hash.kind);
            }
            if kinds.len() > MOST_KINDS {
                let what = format!(
                    "user {user_id:?} has a ninth kind of hash; each login computes one of each \
                     kind (algorithm and parameters), so that nobody can tell users apart, and \
                     eight are enough; {}",
                    place.cure(user_id)
                );
                return Err(place.error(Some(*number), what));
            }
            users.insert(user_id.clone(), hash);
        }
        kinds.sort_unstable();
        Ok(Self { users, kinds })
    }

    pub(crate) fn plan(&self, user_id: &str) -> Plan {
        Plan::new(&self.kinds, self.users.get(user_id))
    }

    /// How many users have bcrypt hashes of a low cost.
    pub(crate) fn cheap(&self) -> usize {
        let cheap = |it: &&PasswordHash| matches!(it.kind, Kind::Bcrypt { cost } if cost < 10);
        self.users.values().filter(cheap).count()
    }
}

/// A user, as given.
pub(crate) struct Entry {
    /// The line, or the place in the list.
    pub(crate) number: usize,
    pub(crate) user_id: String,
    /// The password or its hash.
    pub(crate) secret: String,
}

fn pairs<U: Into<String>, S: Into<String>>(users: impl IntoIterator<Item = (U, S)>) -> Vec<Entry> {
    let entry = |(index, (user_id, secret)): (usize, (U, S))| Entry {
        number: index + 1,
        user_id: user_id.into(),
        secret: secret.into(),
    };
    users.into_iter().enumerate().map(entry).collect()
}

/// Reads lines of `user-id:secret`.
pub(crate) fn lines(place: &Place, bytes: &[u8]) -> Result<Vec<Entry>, UsersError> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let mut entries = Vec::new();
    for (index, line) in bytes.split(|it| *it == b'\n').enumerate() {
        let number = index + 1;
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let line = str::from_utf8(line)
            .map_err(|_| place.error(Some(number), "is not UTF-8; save it as UTF-8"))?;
        // Two files were joined. Nobody types it, so that user could never log in.
        if line.starts_with('\u{feff}') {
            let what = "begins with a byte order mark, as at the start of another file; remove it";
            return Err(place.error(Some(number), what));
        }
        if line.trim().is_empty() || line.starts_with('#') {
            continue;
        }
        let Some((user_id, secret)) = line.split_once(':') else {
            return Err(place.error(Some(number), "has no colon; a line is a user-id, a colon, and what `htpasswd -nB` prints after it"));
        };
        entries.push(Entry { number, user_id: user_id.to_owned(), secret: secret.to_owned() });
    }
    Ok(entries)
}

/// What must be true of any user.
fn checked<'a>(place: &Place, entries: &'a [Entry]) -> Result<&'a [Entry], UsersError> {
    if entries.is_empty() {
        return Err(place.error(None, "holds no user, so nobody could log in"));
    }
    let mut seen = HashMap::new();
    for Entry { number, user_id, .. } in entries {
        let error = |what: String| Err(place.error(Some(*number), what));
        if user_id.is_empty() {
            return error("has an empty user-id".to_owned());
        }
        if user_id.contains(':') {
            return error(format!("user {user_id:?} holds a colon, which a user-id cannot"));
        }
        if user_id.chars().any(char::is_control) {
            return error(format!("user {user_id:?} holds a control character"));
        }
        if user_id.len() > MAX_USER_ID {
            return error(format!("has a user-id of more than {MAX_USER_ID} bytes"));
        }
        if let Some(first) = seen.insert(user_id, number) {
            let first = place.number(*first);
            return error(format!("user {user_id:?} is there already, {first}; remove one"));
        }
    }
    Ok(entries)
}

fn variable(name: &str) -> Result<(Place, String), UsersError> {
    let place = Place::Variable(name.to_owned());
    match env::var(name) {
        Ok(text) => Ok((place, text)),
        Err(env::VarError::NotPresent) => {
            Err(place.error(None, "is not set; set it to lines of user-id, colon and password"))
        }
        Err(env::VarError::NotUnicode(_)) => Err(place.error(None, "is not UTF-8")),
    }
}

/// Where users come from, for errors.
#[derive(Clone, Debug)]
pub(crate) enum Place {
    List,
    Variable(String),
    File(PathBuf),
}

impl Place {
    fn number(&self, number: usize) -> String {
        let unit = if matches!(self, Self::List) { "entry" } else { "line" };
        format!("{unit} {number}")
    }

    fn cure(&self, user_id: &str) -> String {
        // As a shell takes them.
        let quoted = |text: &str| {
            let plain = |it: char| it.is_ascii_alphanumeric() || "-_./@".contains(it);
            if !text.is_empty() && text.chars().all(plain) {
                text.to_owned()
            } else {
                format!("'{}'", text.replace('\'', r"'\''"))
            }
        };
        let user = quoted(user_id);
        match self {
            Self::File(path) => {
                let path = quoted(&path.to_string_lossy());
                format!("re-hash the password with: htpasswd -B -C 12 {path} {user}")
            }
            _ => format!("make a new one with: htpasswd -nB -C 12 {user}"),
        }
    }

    pub(crate) fn error(&self, number: Option<usize>, what: impl Into<String>) -> UsersError {
        let place = match self {
            Self::List => "the list of users".to_owned(),
            Self::Variable(name) => format!("the environment variable {name}"),
            Self::File(path) => path.display().to_string(),
        };
        let place = match number {
            Some(number) => format!("{place}, {}:", self.number(number)),
            None => place,
        };
        UsersError { text: format!("{place} {}", what.into()), line: number, cause: None }
    }

    pub(crate) fn io(&self, doing: &str, cause: io::Error) -> UsersError {
        UsersError { cause: Some(Arc::new(cause)), ..self.error(None, doing) }
    }
}

/// Why a list of [`Users`] cannot be used: it names the place, the line, and what to do. It never
/// shows a password or a hash.
///
/// ```
/// use actix_basic_logout::Users;
///
/// let error = Users::htpasswd("nowhere/users.htpasswd").unwrap_err();
/// assert!(error.to_string().starts_with("nowhere/users.htpasswd cannot be read: "));
/// ```
#[derive(Clone, Debug)]
pub struct UsersError {
    text: String,
    line: Option<usize>,
    cause: Option<Arc<io::Error>>,
}

impl UsersError {
    /// The line, or the entry of a list, counted from 1; none if it is about the whole.
    ///
    /// ```
    /// use actix_basic_logout::Users;
    ///
    /// let error = Users::plaintext([("alice", "wonderland"), ("alice", "x")]).unwrap_err();
    /// assert_eq!(error.line(), Some(2));
    /// let error = Users::plaintext([("", ""); 0]).unwrap_err();
    /// assert_eq!(error.line(), None);
    /// ```
    #[must_use]
    pub fn line(&self) -> Option<usize> {
        self.line
    }
}

impl fmt::Display for UsersError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)?;
        self.cause.as_ref().map_or(Ok(()), |cause| write!(f, ": {cause}"))
    }
}

impl std::error::Error for UsersError {}

#[cfg(test)]
mod tests;
