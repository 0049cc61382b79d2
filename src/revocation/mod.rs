//! Logins that were ended before their time: what is remembered of them, and where.

#[cfg(feature = "redis")]
pub(crate) mod redis;
pub(crate) mod registry;

use std::{
    collections::{BTreeSet, HashMap},
    fmt,
    num::ParseIntError,
    str::FromStr,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use actix_web::{HttpResponse, ResponseError, http::StatusCode};
use futures_core::future::BoxFuture;
use sha2::{Digest, Sha256};

use crate::{retry_later::TryLater, session::LoginId};

/// Where a realm remembers which logins have ended, for as long as anybody could come back with
/// one.
///
/// A log-out changes the browser's session, but neither the requests that are on their way with the
/// old one nor a copy of an old cookie. So it also *ends* the login, and whatever turns up with an
/// ended login later is refused. [`revoke_user`](crate::BasicLogin::revoke_user) and
/// [`revoke_login`](crate::BasicLogin::revoke_login) do the same from outside.
///
/// By default this is remembered in the memory of the process, for all its realms. Where several
/// machines or processes share sessions, or old cookies have to stay dead after a restart, give all
/// realms one store that is shared: `RedisRevocationStore` (feature `redis`), or your own. It is a
/// map with numbers in it, whose entries expire. It is read on each request that comes with a login,
/// and written by log-outs and revocations alone.
///
/// ```
/// use std::{collections::HashMap, sync::Mutex, time::Duration};
/// use actix_basic_logout::{BasicLogin, RevocationError, RevocationKey, RevocationStore};
/// # use actix_web::HttpRequest;
/// # use actix_web_httpauth::extractors::basic::BasicAuth;
/// use futures_core::future::BoxFuture;
///
/// /// Forgets nothing; a real one would after `ttl`.
/// #[derive(Default)]
/// struct Table(Mutex<HashMap<String, u64>>);
///
/// impl RevocationStore for Table {
///     fn set<'a>(
///         &'a self,
///         entries: &'a [(RevocationKey, u64)],
///         _ttl: Duration,
///     ) -> BoxFuture<'a, Result<(), RevocationError>> {
///         Box::pin(async move {
///             let mut rows = self.0.lock().map_err(|_| RevocationError::new("poisoned"))?;
///             rows.extend(entries.iter().map(|(key, value)| (key.to_string(), *value)));
///             Ok(())
///         })
///     }
///
///     fn get<'a>(
///         &'a self,
///         keys: &'a [RevocationKey],
///     ) -> BoxFuture<'a, Result<Vec<Option<u64>>, RevocationError>> {
///         Box::pin(async move {
///             let rows = self.0.lock().map_err(|_| RevocationError::new("poisoned"))?;
///             Ok(keys.iter().map(|key| rows.get(&key.to_string()).copied()).collect())
///         })
///     }
/// }
///
/// # let users = async |_: &HttpRequest, _: &BasicAuth| Ok(true);
/// # actix_web::rt::System::new().block_on(async {
/// let table = Table::default();
/// let (ended, other) = ("ee".repeat(16).parse()?, "ff".repeat(16).parse()?);
/// table.set(&[(ended, 7)], Duration::from_secs(60)).await?;
/// assert_eq!(table.get(&[other, ended]).await?, [None, Some(7)]);
///
/// let login = BasicLogin::builder("Admin area", users).revocation_store(table).build()?;
/// assert!(login.revoke_user("alice").await.is_ok());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # }).unwrap();
/// ```
pub trait RevocationStore: Send + Sync + 'static {
    /// Remembers a number under each of these keys, in the place of an older one, for at least this
    /// long. All or nothing.
    ///
    /// # Errors
    ///
    /// What keeps it from being remembered. The log-out, or whatever wanted it, is answered 503 and
    /// changes nothing.
    fn set<'a>(
        &'a self,
        entries: &'a [(RevocationKey, u64)],
        ttl: Duration,
    ) -> BoxFuture<'a, Result<(), RevocationError>>;

    /// What is remembered under each of these keys, in their order.
    ///
    /// # Errors
    ///
    /// What keeps it from being looked up. The request is answered 503: nobody is let in who may
    /// have logged out, and nobody is asked for a password in vain.
    fn get<'a>(
        &'a self,
        keys: &'a [RevocationKey],
    ) -> BoxFuture<'a, Result<Vec<Option<u64>>, RevocationError>>;
}

/// One store for several realms.
impl<S: RevocationStore + ?Sized> RevocationStore for Arc<S> {
    fn set<'a>(
        &'a self,
        entries: &'a [(RevocationKey, u64)],
        ttl: Duration,
    ) -> BoxFuture<'a, Result<(), RevocationError>> {
        (**self).set(entries, ttl)
    }

    fn get<'a>(
        &'a self,
        keys: &'a [RevocationKey],
    ) -> BoxFuture<'a, Result<Vec<Option<u64>>, RevocationError>> {
        (**self).get(keys)
    }
}

/// What a [`RevocationStore`] keeps a number under: a login, a session, or a realm's user.
///
/// It is written as 32 hexadecimal digits, and read from them again. Neither the name of the user
/// nor the session's cookie can be read from it.
///
/// ```
/// use actix_basic_logout::RevocationKey;
///
/// let key: RevocationKey = "00112233445566778899aabbccddeeff".parse()?;
/// assert_eq!(format!("revoked:{key}"), "revoked:00112233445566778899aabbccddeeff");
/// # Ok::<(), std::num::ParseIntError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RevocationKey(u128);

impl RevocationKey {
    pub(crate) fn of_login(id: LoginId) -> Self {
        Self(id.number())
    }

    // A realm holds no control character.
    pub(crate) fn of_user(realm: &str, user: &str) -> Self {
        Self::of(&["user\0", realm, "\0", user])
    }

    /// A session, by the cookie that led to it. No two agree at both ends: there are what it was
    /// encrypted with and the tag, or the signature, or a key that was drawn.
    pub(crate) fn of_session(cookie: &str) -> Self {
        const END: usize = 22; // 132 bits of base64
        let (start, _) = cookie.split_at_checked(END).unwrap_or((cookie, ""));
        let end = cookie.len().saturating_sub(END);
        let (_, end) = cookie.split_at_checked(end).unwrap_or(("", cookie));
        Self::of(&["session\0", start, end])
    }

    /// A realm's part of that session.
    pub(crate) fn within(self, realm: &str) -> Self {
        Self::of(&["within\0", &self.to_string(), realm])
    }

    fn of(parts: &[&str]) -> Self {
        let mut hash = Sha256::new();
        for part in parts {
            hash.update(part);
        }
        let hash = hash.finalize();
        let (halves, _) = hash.as_chunks();
        Self(halves.iter().fold(0, |key, half| key ^ u128::from_be_bytes(*half)))
    }
}

impl FromStr for RevocationKey {
    type Err = ParseIntError;

    fn from_str(text: &str) -> Result<Self, ParseIntError> {
        u128::from_str_radix(text, 16).map(Self)
    }
}

impl fmt::Display for RevocationKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

impl fmt::Debug for RevocationKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RevocationKey(..)")
    }
}

/// A [`RevocationStore`] cannot be reached, or answers nonsense.
///
/// As a handler's error it is answered 503 with `Retry-After` (RFC 9110, section 15.6.4).
///
/// ```
/// use actix_basic_logout::RevocationError;
/// use actix_web::ResponseError;
///
/// let error = RevocationError::new("connection refused");
/// assert_eq!(error.to_string(), "no access to the ended logins: connection refused");
/// assert_eq!(error.status_code(), 503);
/// ```
#[derive(Debug)]
pub struct RevocationError(Box<dyn std::error::Error + Send + Sync>);

impl RevocationError {
    /// What has happened, for the log: no client sees it.
    ///
    /// ```
    /// use std::{error::Error, io};
    /// use actix_basic_logout::RevocationError;
    ///
    /// let error = RevocationError::new(io::Error::other("connection refused"));
    /// assert!(error.source().is_some_and(|it| it.is::<io::Error>()));
    /// // Or a text.
    /// let error = RevocationError::new("no such table");
    /// assert_eq!(error.to_string(), "no access to the ended logins: no such table");
    /// ```
    pub fn new(source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self(source.into())
    }
}

impl fmt::Display for RevocationError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "no access to the ended logins: {}", self.0)
    }
}

impl std::error::Error for RevocationError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&*self.0)
    }
}

impl ResponseError for RevocationError {
    fn status_code(&self) -> StatusCode {
        StatusCode::SERVICE_UNAVAILABLE
    }

    fn error_response(&self) -> HttpResponse {
        TryLater::unavailable().error_response()
    }
}

/// How many are remembered at most, before the one that would be forgotten next is.
const MOST: usize = 100_000;

/// The memory of this process.
#[derive(Debug, Default)]
pub(crate) struct InMemory {
    inner: Mutex<Inner>,
    overflow_said: AtomicBool,
}

#[derive(Debug, Default)]
struct Inner {
    entries: HashMap<RevocationKey, (u64, Instant)>,
    by_end: BTreeSet<(Instant, RevocationKey)>,
}

impl Inner {
    fn forget(&mut self, at: Instant, key: RevocationKey) {
        self.by_end.remove(&(at, key));
        self.entries.remove(&key);
    }
}

impl InMemory {
    /// As [`RevocationStore::set`].
    pub(crate) fn set(&self, entries: &[(RevocationKey, u64)], ttl: Duration) {
        self.set_at(entries, ttl, Instant::now());
    }

    /// As [`RevocationStore::get`].
    pub(crate) fn get(&self, keys: &[RevocationKey]) -> Vec<Option<u64>> {
        self.get_at(keys, Instant::now())
    }

    fn set_at(&self, entries: &[(RevocationKey, u64)], ttl: Duration, now: Instant) {
        let mut inner = self.lock();
        while let Some((at, key)) = inner.by_end.first().copied().filter(|(at, _)| *at <= now) {
            inner.forget(at, key);
        }
        // No deadline is so long that an `Instant` cannot hold it; `Revocations` sees to that.
        let Some(until) = now.checked_add(ttl) else { return };
        for (key, value) in entries {
            if let Some((_, at)) = inner.entries.insert(*key, (*value, until)) {
                inner.by_end.remove(&(at, *key));
            }
            inner.by_end.insert((until, *key));
        }
        while inner.entries.len() > MOST
            && let Some((at, key)) = inner.by_end.first().copied()
        {
            inner.forget(at, key);
            if !self.overflow_said.swap(true, Relaxed) {
                tracing::warn!(
                    "more than {MOST} logins have ended that could still come back, and the oldest \
                     are forgotten: set shorter deadlines, or keep them in a store of your own"
                );
            }
        }
    }

    fn get_at(&self, keys: &[RevocationKey], now: Instant) -> Vec<Option<u64>> {
        let inner = self.lock();
        let value = |key| inner.entries.get(key).filter(|(_, until)| *until > now);
        keys.iter().map(|key| value(key).map(|(value, _)| *value)).collect()
    }

    /// Whoever panicked with the lock in hand has left it whole: no call can fail half-way.
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_secs(60 * 60);

    fn key(number: usize) -> RevocationKey {
        RevocationKey(number as u128)
    }

    #[test]
    fn what_is_set_is_remembered_for_so_long_and_no_longer() {
        let (memory, start) = (InMemory::default(), Instant::now());
        memory.set_at(&[(key(1), 7)], HOUR, start);
        memory.set_at(&[(key(2), 8)], 2 * HOUR, start);
        let almost = start + HOUR.saturating_sub(Duration::from_millis(1));
        assert_eq!(memory.get_at(&[key(1), key(3), key(2)], almost), [Some(7), None, Some(8)]);
        assert_eq!(memory.get_at(&[key(1), key(2)], start + HOUR), [None, Some(8)]);

        memory.set_at(&[], HOUR, start + HOUR);
        assert_eq!(memory.lock().entries.len(), 1, "and takes no room");
        assert_eq!(memory.lock().by_end.len(), 1);
    }

    #[test]
    fn what_is_set_anew_takes_the_place_of_the_old() {
        let (memory, start) = (InMemory::default(), Instant::now());
        memory.set_at(&[(key(1), 7)], HOUR, start);
        memory.set_at(&[(key(1), 8)], 2 * HOUR, start);
        assert_eq!(memory.get_at(&[key(1)], start + HOUR), [Some(8)]);
        assert_eq!(memory.lock().by_end.len(), 1);
    }

    #[test]
    fn the_memory_is_bounded_and_what_would_end_next_goes_first() {
        let (memory, now) = (InMemory::default(), Instant::now());
        memory.set_at(&[(key(0), 0)], 2 * HOUR, now);
        for number in 1..=MOST {
            memory.set_at(&[(key(number), 0)], HOUR, now);
        }
        assert_eq!(memory.get_at(&[key(0), key(1), key(2)], now), [Some(0), None, Some(0)]);
        assert_eq!(memory.lock().entries.len(), MOST);
        assert_eq!(memory.lock().by_end.len(), MOST);
    }

    #[test]
    fn realms_and_users_are_told_apart() {
        let of = RevocationKey::of_user;
        assert_eq!(of("a", "b"), of("a", "b"));
        assert_ne!(of("a", "b"), of("a", "c"));
        assert_ne!(of("a", "b"), of("ab", ""));
    }
}
