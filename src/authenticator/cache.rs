//! A cache of valid credentials around another authenticator.
//!
//! May use the `Authenticator` trait and the expiring map.

use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use actix_web::{Error, HttpRequest};
use actix_web_httpauth::extractors::basic::BasicAuth;
use futures_core::future::LocalBoxFuture;
use hmac::{Hmac, Mac};
use sha2::Sha256;

use crate::{
    authenticator::{
        Authenticator, shared_check::SharedChecks, unauthorized_is_wrong, verdict::Verdict,
    },
    expiring_map::ExpiringMap,
};

/// The maximum number of cached credentials. Each takes about 400 bytes, and up to 1 KiB more if the
/// wrapped authenticator returns a canonical user id.
const CAPACITY: usize = 10_000;

/// Wraps an [`Authenticator`] and caches valid credentials.
///
/// Non-browser clients send no session cookie, so each of their requests costs a password hash
/// without a cache.
///
/// The cache stores only valid credentials, at most 10,000, and evicts the oldest first. It stores
/// an HMAC-SHA-256 of the credentials, and the canonical user id if the
/// [verdict](crate::Verdict::valid_as) has one. The key is random, is drawn when the cache is
/// created, and stays in memory. Without that key the cache reveals no password, and nobody can
/// test guesses against it. An attacker who reads the memory of the process has both, and can guess
/// passwords fast. Concurrent requests with the same credentials share one check. Reverification of
/// a login always calls the wrapped authenticator.
///
/// An entry is valid until its time to live ends or the wrapped authenticator's
/// [`revision`](Authenticator::revision) changes. With [`Users`](crate::Users) a changed password
/// takes effect when the file is checked again, which is within a second. A closure has no
/// revision: a user that it no longer accepts can authenticate until the time to live ends.
///
/// The cache considers only the credentials, so it caches nothing of an authenticator that
/// [is not cacheable](Authenticator::is_cacheable), and logs a warning. In particular, put a
/// [`Throttle`](crate::Throttle) around the cache, not the cache around the `Throttle`: a cache outside
/// would confirm a right guess when the limits are reached.
///
/// ```
/// use std::{sync::atomic::{AtomicU32, Ordering::Relaxed}, time::Duration};
/// use actix_basic_logout::{BasicLogin, CredentialCache};
/// use actix_web::{App, HttpRequest, test};
/// use actix_web_httpauth::extractors::basic::BasicAuth;
///
/// static CHECKS: AtomicU32 = AtomicU32::new(0);
/// let users = async |_: &HttpRequest, credentials: &BasicAuth| {
///     CHECKS.fetch_add(1, Relaxed);
///     Ok(credentials.password() == Some("x"))
/// };
/// # actix_web::rt::System::new().block_on(async {
/// let users = CredentialCache::new(users, Duration::from_secs(60));
/// let login = BasicLogin::builder("Metrics", users).build().unwrap();
/// let app = test::init_service(App::new().wrap(login)).await;
/// for _ in 0..3 {
///     let alice = ("Authorization", "Basic YWxpY2U6eA==");
///     let req = test::TestRequest::get().insert_header(alice).to_request();
///     assert_eq!(test::call_service(&app, req).await.status(), 404); // passes; no such route
/// }
/// assert_eq!(CHECKS.load(Relaxed), 1);
/// # });
/// ```
///
/// Clones share one cache.
pub struct CredentialCache<A> {
    inner: Arc<A>,
    ttl: Duration,
    clock: Arc<dyn Fn() -> Instant + Send + Sync>,
    cache: Arc<Cache>,
}

impl<A> Clone for CredentialCache<A> {
    fn clone(&self) -> Self {
        Self {
            inner: Arc::clone(&self.inner),
            ttl: self.ttl,
            clock: Arc::clone(&self.clock),
            cache: Arc::clone(&self.cache),
        }
    }
}

impl<A> fmt::Debug for CredentialCache<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CredentialCache").field("ttl", &self.ttl).finish_non_exhaustive()
    }
}

impl<A: Authenticator> CredentialCache<A> {
    /// Caches the credentials that this authenticator accepts. Each entry has this time to live.
    ///
    /// With a `ttl` of zero, or one that is too long for an [`Instant`], nothing is cached.
    /// Concurrent requests with the same credentials still share one check.
    ///
    /// ```
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/guide/browser.rs"));
    /// # use std::sync::atomic::AtomicBool;
    /// # #[actix_web::main]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use std::time::Duration;
    /// use actix_basic_logout::{Authenticator, CredentialCache};
    ///
    /// let req = TestRequest::default().to_http_request();
    /// static ARE_VALID: AtomicBool = AtomicBool::new(true);
    /// let users = async |_: &HttpRequest, _: &BasicAuth| Ok(ARE_VALID.load(Relaxed));
    /// let users = CredentialCache::new(users, Duration::from_secs(300));
    /// assert!(users.authenticate(&req, &basic("alice", "wonderland")).await?.is_valid());
    /// ARE_VALID.store(false, Relaxed);
    /// assert!(users.authenticate(&req, &basic("alice", "wonderland")).await?.is_valid());
    /// assert!(!users.authenticate(&req, &basic("bob", "builder")).await?.is_valid());
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn new(inner: A, ttl: Duration) -> Self {
        if !inner.is_cacheable() {
            tracing::warn!(
                "CredentialCache caches nothing: the verdicts of the wrapped authenticator depend on \
                 more than the credentials; put `Throttle` around `CredentialCache`, not inside"
            );
        }
        Self {
            inner: Arc::new(inner),
            ttl,
            clock: Arc::new(Instant::now),
            cache: Arc::new(Cache::new()),
        }
    }

    /// Sets the clock by which entries expire, for tests. Default: [`Instant::now`].
    ///
    /// ```
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/guide/browser.rs"));
    /// # use std::sync::atomic::AtomicU32;
    /// # #[actix_web::main]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use std::time::Duration;
    /// use actix_basic_logout::{Authenticator, CredentialCache};
    ///
    /// let req = TestRequest::default().to_http_request();
    /// let alice = basic("alice", "wonderland");
    /// let clock = Clock::new();
    ///
    /// static CHECKS: AtomicU32 = AtomicU32::new(0);
    /// let users = async |_: &HttpRequest, _: &BasicAuth| Ok(CHECKS.fetch_add(1, Relaxed) == 0);
    /// let users = CredentialCache::new(users, Duration::from_secs(300)).clock(clock.instant());
    /// assert!(users.authenticate(&req, &alice).await?.is_valid());
    /// clock.advance(Duration::from_secs(299));
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

    async fn check(&self, req: &HttpRequest, credentials: &BasicAuth) -> Result<Verdict, Error> {
        if !self.inner.is_cacheable() {
            return self.inner.authenticate(req, credentials).await;
        }
        // Read before the check: if the users change during it, the entry has the old revision and
        // is never used.
        let revision = self.inner.revision().await;
        let mac = self.cache.mac(credentials);
        if let Some(verdict) = self.cache.lock().get(&mac, revision, (self.clock)()) {
            return Ok(verdict);
        }
        let shared = self.cache.checks.join(mac, revision, |it| *it == revision);
        // Only the request whose check failed gets the error. The others check for themselves.
        let mut own = None;
        let answer = shared.answer(async || {
            match unauthorized_is_wrong(self.inner.authenticate(req, credentials).await) {
                Ok(verdict) => {
                    // The middleware refuses a user id that is too long. Without it, the size of an
                    // entry is bounded.
                    if verdict.is_valid() && !verdict.is_too_long() {
                        let now = (self.clock)();
                        let expires_at = now.checked_add(self.ttl).unwrap_or(now);
                        let entry = (revision, verdict.clone());
                        self.cache.lock().insert(mac, entry, expires_at, now);
                    }
                    Some(verdict)
                }
                Err(error) => {
                    own = Some(error);
                    None
                }
            }
        });
        match (answer.await, own) {
            (Some(verdict), _) => Ok(verdict),
            (None, Some(error)) => Err(error),
            (None, None) => self.inner.authenticate(req, credentials).await,
        }
    }
}

impl<A: Authenticator> Authenticator for CredentialCache<A> {
    fn authenticate<'a>(
        &'a self,
        req: &'a HttpRequest,
        credentials: &'a BasicAuth,
    ) -> LocalBoxFuture<'a, Result<Verdict, Error>> {
        Box::pin(self.check(req, credentials))
    }

    fn reverify<'a>(
        &'a self,
        req: &'a HttpRequest,
        credentials: &'a BasicAuth,
    ) -> LocalBoxFuture<'a, Result<Verdict, Error>> {
        Box::pin(async move {
            let verdict = unauthorized_is_wrong(self.inner.reverify(req, credentials).await);
            if verdict.as_ref().is_ok_and(|it| !it.is_valid()) {
                let mac = self.cache.mac(credentials);
                self.cache.lock().verdicts.remove(&mac);
            }
            verdict
        })
    }

    fn revision(&self) -> LocalBoxFuture<'_, u64> {
        self.inner.revision()
    }

    fn is_cacheable(&self) -> bool {
        self.inner.is_cacheable()
    }
}

/// A MAC of credentials.
type CredentialsMac = [u8; 32];

/// The cached credentials, and the checks in progress.
struct Cache {
    key: Hmac<Sha256>,
    entries: Mutex<Entries>,
    /// Marked with the revision that the credentials are checked against. None is an error.
    checks: SharedChecks<CredentialsMac, u64, Option<Verdict>>,
}

impl Cache {
    fn new() -> Self {
        #[expect(
            clippy::expect_used,
            reason = "HMAC takes a key of any length, RFC 2104 section 3"
        )]
        let key = Hmac::new_from_slice(&rand::random::<[u8; 32]>()).expect("HMAC takes any key");
        Self { key, entries: Mutex::default(), checks: SharedChecks::default() }
    }

    /// The colon separates user-id and password unambiguously, because a user-id contains no colon.
    fn mac(&self, credentials: &BasicAuth) -> CredentialsMac {
        let mut mac = self.key.clone();
        mac.update(credentials.user_id().as_bytes());
        mac.update(b":");
        mac.update(credentials.password().unwrap_or_default().as_bytes());
        mac.finalize().into_bytes().into()
    }

    fn lock(&self) -> MutexGuard<'_, Entries> {
        // No method of `Entries` panics during a change, so a poisoned lock is consistent.
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The verdicts on valid credentials, each with the revision to which it belongs. All entries have the
/// same time to live, so a full map evicts the oldest.
struct Entries {
    verdicts: ExpiringMap<CredentialsMac, (u64, Verdict), Instant>,
}

impl Default for Entries {
    fn default() -> Self {
        Self { verdicts: ExpiringMap::new(CAPACITY) }
    }
}

impl Entries {
    fn get(&mut self, mac: &CredentialsMac, revision: u64, now: Instant) -> Option<Verdict> {
        self.verdicts.purge(now);
        // The time of the lookup depends on the MAC. No attacker can compute a MAC without the key.
        let (of_revision, verdict) = self.verdicts.get(mac, now)?;
        (*of_revision == revision).then(|| verdict.clone())
    }

    fn insert(
        &mut self,
        mac: CredentialsMac,
        entry: (u64, Verdict),
        expires_at: Instant,
        now: Instant,
    ) {
        self.verdicts.insert(mac, entry, expires_at, now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mac(number: usize) -> CredentialsMac {
        let mut mac = [0; 32];
        mac[..8].copy_from_slice(&number.to_le_bytes());
        mac
    }

    impl Entries {
        fn add(&mut self, mac: CredentialsMac, revision: u64, expires_at: Instant, now: Instant) {
            self.insert(mac, (revision, Verdict::valid()), expires_at, now);
        }

        fn contains(&mut self, mac: &CredentialsMac, revision: u64, now: Instant) -> bool {
            self.get(mac, revision, now).is_some()
        }
    }

    #[test]
    fn cache_is_bounded_and_evicts_the_oldest() {
        let (mut entries, now) = (Entries::default(), Instant::now());
        let expires_at = now + Duration::from_secs(60);
        for number in 0..=CAPACITY {
            entries.add(mac(number), 0, expires_at, now);
        }
        assert!(!entries.contains(&mac(0), 0, now));
        assert!((1..=CAPACITY).all(|number| entries.contains(&mac(number), 0, now)));
        for _ in 0..2 * CAPACITY {
            entries.add(mac(1), 0, expires_at, now);
        }
        assert_eq!(entries.verdicts.len(), CAPACITY, "inserting a MAC again takes no more room");
        assert!(entries.contains(&mac(1), 0, now));
    }

    #[test]
    fn expired_entries_are_removed() {
        let (mut entries, now) = (Entries::default(), Instant::now());
        let second = Duration::from_secs(1);
        entries.add(mac(1), 0, now + second, now);
        entries.add(mac(2), 0, now + second * 2, now);
        assert!(entries.contains(&mac(1), 0, now));
        assert!(!entries.contains(&mac(1), 1, now), "another revision");
        assert!(!entries.contains(&mac(1), 0, now + second));
        assert!(entries.contains(&mac(2), 0, now + second));
        assert!(!entries.contains(&mac(3), 0, now + second * 2));
        assert_eq!(entries.verdicts.len(), 0);
    }

    #[test]
    fn inserting_again_renews_the_time_to_live() {
        let (mut entries, now) = (Entries::default(), Instant::now());
        let second = Duration::from_secs(1);
        entries.add(mac(1), 0, now + second, now);
        entries.add(mac(1), 1, now + second * 2, now);
        assert!(entries.contains(&mac(1), 1, now + second));
        assert!(!entries.contains(&mac(1), 0, now + second));
    }
}
