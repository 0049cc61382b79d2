//! Good credentials, remembered for a while.

use std::{
    collections::{HashMap, VecDeque},
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    time::{Duration, Instant},
};

use actix_web::{Error, HttpRequest};
use actix_web_httpauth::extractors::basic::BasicAuth;
use futures_core::future::LocalBoxFuture;
use hmac::{Hmac, Mac};
use sha2::Sha256;
use tokio::sync::OnceCell;

use crate::authenticator::{Authenticator, unauthorized_is_wrong};

/// How many are remembered at most; the oldest goes first. Some 300 bytes each.
const MOST: usize = 10_000;

/// Wraps an [`Authenticator`] and remembers for a while which credentials were good, so that
/// programs, which come without a session, do not cost a hash with every request.
///
/// Only good ones are remembered, 10,000 at most, as a MAC (HMAC-SHA-256) under a key that is drawn
/// when the wrapper is made; neither passwords nor anything to try them against without that key.
/// Many requests with the same credentials at once are checked once. A login that goes on is
/// verified again by the wrapped authenticator itself.
///
/// What is remembered holds until the time is over or the wrapped authenticator's
/// [`revision`](Authenticator::revision) changes: with [`Users`](crate::Users) a changed password
/// counts as soon as the file has been looked at again, which is within a second. A closure has no
/// revision, so a user that it no longer knows gets in until the time is over.
///
/// It asks about credentials alone: whatever else the wrapped authenticator looks at in a request
/// is remembered with them. Around a [`Throttle`](crate::Throttle) it lets programs with good
/// credentials through while somebody else is trying their user-id.
///
/// ```
/// use std::{sync::atomic::{AtomicU32, Ordering::Relaxed}, time::Duration};
/// use actix_basic_logout::{BasicLogin, CredentialCache};
/// use actix_web::{App, HttpRequest, test};
/// use actix_web_httpauth::extractors::basic::BasicAuth;
///
/// static ASKED: AtomicU32 = AtomicU32::new(0);
/// let users = async |_: &HttpRequest, credentials: &BasicAuth| {
///     ASKED.fetch_add(1, Relaxed);
///     Ok(credentials.password() == Some("x"))
/// };
/// # actix_web::rt::System::new().block_on(async {
/// let users = CredentialCache::new(users, Duration::from_secs(60));
/// let login = BasicLogin::builder("Metrics", users).build().unwrap();
/// let app = test::init_service(App::new().wrap(login)).await;
/// for _ in 0..3 {
///     let alice = ("Authorization", "Basic YWxpY2U6eA==");
///     let req = test::TestRequest::get().insert_header(alice).to_request();
///     assert_eq!(test::call_service(&app, req).await.status(), 404); // let in; nothing is there
/// }
/// assert_eq!(ASKED.load(Relaxed), 1);
/// # });
/// ```
///
/// Clones share everything.
pub struct CredentialCache<A> {
    inner: Arc<A>,
    keep: Duration,
    clock: Arc<dyn Fn() -> Instant + Send + Sync>,
    memory: Arc<Memory>,
}

impl<A> Clone for CredentialCache<A> {
    fn clone(&self) -> Self {
        Self {
            inner: Arc::clone(&self.inner),
            keep: self.keep,
            clock: Arc::clone(&self.clock),
            memory: Arc::clone(&self.memory),
        }
    }
}

impl<A> fmt::Debug for CredentialCache<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CredentialCache").field("keep", &self.keep).finish_non_exhaustive()
    }
}

impl<A: Authenticator> CredentialCache<A> {
    /// Remembers what this authenticator found to be good, for this long. With zero it remembers
    /// nothing, and still checks equal credentials that come at once but once.
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
    /// static ARE_GOOD: AtomicBool = AtomicBool::new(true);
    /// let users = async |_: &HttpRequest, _: &BasicAuth| Ok(ARE_GOOD.load(Relaxed));
    /// let users = CredentialCache::new(users, Duration::from_secs(300));
    /// assert!(users.authenticate(&req, &basic("alice", "wonderland")).await?);
    /// ARE_GOOD.store(false, Relaxed);
    /// assert!(users.authenticate(&req, &basic("alice", "wonderland")).await?);
    /// assert!(!users.authenticate(&req, &basic("bob", "builder")).await?);
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn new(inner: A, keep: Duration) -> Self {
        Self {
            inner: Arc::new(inner),
            keep,
            clock: Arc::new(Instant::now),
            memory: Arc::new(Memory::new()),
        }
    }

    /// The clock. Default: [`Instant::now`]. For tests.
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
    /// let watch = Watch::default();
    ///
    /// static ASKED: AtomicU32 = AtomicU32::new(0);
    /// let users = async |_: &HttpRequest, _: &BasicAuth| Ok(ASKED.fetch_add(1, Relaxed) == 0);
    /// let users = CredentialCache::new(users, Duration::from_secs(300)).clock(watch.instant());
    /// assert!(users.authenticate(&req, &alice).await?);
    /// watch.forward(Duration::from_secs(299));
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

    async fn check(&self, req: &HttpRequest, credentials: &BasicAuth) -> Result<bool, Error> {
        // Before the question: an answer that was overtaken by a change is not kept for long.
        let revision = self.inner.revision().await;
        let mac = self.memory.mac(credentials);
        if self.memory.lock().knows(&mac, revision, (self.clock)()) {
            return Ok(true);
        }
        let seat = Seat::take(&self.memory, (mac, revision));
        // An error is for who has run into it. The others ask by themselves.
        let mut own = None;
        let answer = seat.check.get_or_init(async || {
            match unauthorized_is_wrong(self.inner.authenticate(req, credentials).await) {
                Ok(good) => {
                    if good {
                        let now = (self.clock)();
                        let until = now.checked_add(self.keep).unwrap_or(now);
                        self.memory.lock().keep(mac, revision, until);
                    }
                    Some(good)
                }
                Err(error) => {
                    own = Some(error);
                    None
                }
            }
        });
        let answer = *answer.await;
        drop(seat);
        match (answer, own) {
            (Some(good), _) => Ok(good),
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
    ) -> LocalBoxFuture<'a, Result<bool, Error>> {
        Box::pin(self.check(req, credentials))
    }

    fn reverify<'a>(
        &'a self,
        req: &'a HttpRequest,
        credentials: &'a BasicAuth,
    ) -> LocalBoxFuture<'a, Result<bool, Error>> {
        Box::pin(async move {
            let verdict = unauthorized_is_wrong(self.inner.reverify(req, credentials).await);
            if matches!(verdict, Ok(false)) {
                let mac = self.memory.mac(credentials);
                self.memory.lock().good.remove(&mac);
            }
            verdict
        })
    }

    fn revision(&self) -> LocalBoxFuture<'_, u64> {
        self.inner.revision()
    }
}

type MacOf = [u8; 32];

/// The credentials that were good, and those that are being checked.
struct Memory {
    key: Hmac<Sha256>,
    kept: Mutex<Kept>,
    checks: Mutex<HashMap<(MacOf, u64), Weak<Check>>>,
}

/// The answer to a question that several may have asked. None: an error.
type Check = OnceCell<Option<bool>>;

impl Memory {
    fn new() -> Self {
        #[expect(
            clippy::expect_used,
            reason = "HMAC takes a key of any length, RFC 2104 section 3"
        )]
        let key = Hmac::new_from_slice(&rand::random::<[u8; 32]>()).expect("HMAC takes any key");
        Self { key, kept: Mutex::default(), checks: Mutex::default() }
    }

    /// User-ids hold no NUL, and no colon.
    fn mac(&self, credentials: &BasicAuth) -> MacOf {
        let mut mac = self.key.clone();
        mac.update(credentials.user_id().as_bytes());
        mac.update(b":");
        mac.update(credentials.password().unwrap_or_default().as_bytes());
        mac.finalize().into_bytes().into()
    }

    fn lock(&self) -> MutexGuard<'_, Kept> {
        // Nothing in here panics halfway through a change.
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What is remembered.
#[derive(Default)]
struct Kept {
    good: HashMap<MacOf, Good>,
    /// With the numbers that they were kept under.
    oldest_first: VecDeque<(u64, MacOf)>,
    number: u64,
}

struct Good {
    until: Instant,
    revision: u64,
    number: u64,
}

impl Kept {
    fn knows(&mut self, mac: &MacOf, revision: u64, now: Instant) -> bool {
        while let Some((number, oldest)) = self.oldest_first.front()
            // It may have been kept anew since, or forgotten.
            && self.good.get(oldest).is_none_or(|it| it.number != *number || it.until <= now)
        {
            self.forget_oldest();
        }
        // The time to find it tells of a MAC whose key nobody outside has.
        self.good.get(mac).is_some_and(|it| now < it.until && it.revision == revision)
    }

    fn keep(&mut self, mac: MacOf, revision: u64, until: Instant) {
        self.number += 1;
        let number = self.number;
        self.good.insert(mac, Good { until, revision, number });
        self.oldest_first.push_back((number, mac));
        while self.oldest_first.len() > MOST {
            self.forget_oldest();
        }
    }

    fn forget_oldest(&mut self) {
        if let Some((number, mac)) = self.oldest_first.pop_front()
            && self.good.get(&mac).is_some_and(|it| it.number == number)
        {
            self.good.remove(&mac);
        }
    }
}

/// A place at a check that is under way. The last to leave clears the table.
struct Seat<'a> {
    memory: &'a Memory,
    of: (MacOf, u64),
    check: Arc<Check>,
}

impl<'a> Seat<'a> {
    fn take(memory: &'a Memory, of: (MacOf, u64)) -> Self {
        let mut checks = memory.checks.lock().unwrap_or_else(PoisonError::into_inner);
        let check = checks.get(&of).and_then(Weak::upgrade).unwrap_or_else(|| {
            let check = Arc::default();
            checks.insert(of, Arc::downgrade(&check));
            check
        });
        Self { memory, of, check }
    }
}

impl Drop for Seat<'_> {
    fn drop(&mut self) {
        let mut checks = self.memory.checks.lock().unwrap_or_else(PoisonError::into_inner);
        // Nobody else gets one while the table is held.
        if Arc::strong_count(&self.check) == 1 {
            checks.remove(&self.of);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mac(number: usize) -> MacOf {
        let mut mac = [0; 32];
        mac[..8].copy_from_slice(&number.to_le_bytes());
        mac
    }

    #[test]
    fn the_memory_is_bounded_and_the_oldest_goes_first() {
        let (mut kept, now) = (Kept::default(), Instant::now());
        let until = now + Duration::from_secs(60);
        for number in 0..=MOST {
            kept.keep(mac(number), 0, until);
        }
        assert!(!kept.knows(&mac(0), 0, now));
        assert!((1..=MOST).all(|number| kept.knows(&mac(number), 0, now)));
        for _ in 0..2 * MOST {
            kept.keep(mac(1), 0, until);
        }
        assert_eq!((kept.good.len(), kept.oldest_first.len()), (1, MOST));
        assert!(kept.knows(&mac(1), 0, now));
    }

    #[test]
    fn a_check_is_in_the_table_as_long_as_anybody_waits_for_it() {
        let memory = Memory::new();
        let seats = [Seat::take(&memory, (mac(1), 0)), Seat::take(&memory, (mac(1), 0))];
        let other = Seat::take(&memory, (mac(1), 1));
        let in_table = || memory.checks.lock().expect("unpoisoned").len();
        assert!(Arc::ptr_eq(&seats[0].check, &seats[1].check));
        assert!(!Arc::ptr_eq(&seats[0].check, &other.check));
        assert_eq!(in_table(), 2);
        let [first, second] = seats;
        drop(first);
        assert_eq!(in_table(), 2);
        drop(second);
        assert_eq!(in_table(), 1);
        drop(other);
        assert_eq!(in_table(), 0);
    }

    #[test]
    fn what_is_over_is_forgotten() {
        let (mut kept, now) = (Kept::default(), Instant::now());
        let second = Duration::from_secs(1);
        kept.keep(mac(1), 0, now + second);
        kept.keep(mac(2), 0, now + second * 2);
        assert!(kept.knows(&mac(1), 0, now));
        assert!(!kept.knows(&mac(1), 1, now), "of another revision");
        assert!(!kept.knows(&mac(1), 0, now + second));
        assert!(kept.knows(&mac(2), 0, now + second));
        assert!(!kept.knows(&mac(3), 0, now + second * 2));
        assert!(kept.good.is_empty() && kept.oldest_first.is_empty());
    }

    #[test]
    fn what_was_kept_anew_outlives_its_first_time() {
        let (mut kept, now) = (Kept::default(), Instant::now());
        let second = Duration::from_secs(1);
        kept.keep(mac(1), 0, now + second);
        kept.keep(mac(1), 1, now + second * 2);
        assert!(kept.knows(&mac(1), 1, now + second));
        assert!(!kept.knows(&mac(1), 0, now + second));
    }
}
