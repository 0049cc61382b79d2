//! Failed logins, limited for each user-id and each address.

pub(crate) mod address;
pub(crate) mod failures;

use std::{
    fmt,
    hash::{BuildHasher, RandomState},
    net::IpAddr,
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use actix_web::{Error, HttpRequest};
use actix_web_httpauth::extractors::basic::BasicAuth;
use futures_core::future::LocalBoxFuture;
use tokio::{
    sync::{Notify, Semaphore},
    time::{Instant as Deadline, timeout_at},
};

use crate::{
    authenticator::throttle::address::Network,
    authenticator::throttle::failures::{Failures, Key, Limit, Room},
    authenticator::{Authenticator, unauthorized_is_wrong},
    retry_later::TryLater,
};

/// How many user-ids, and how many addresses, are remembered: less than 12 MB each.
const MOST: usize = 100_000;

/// How many wait for others of their user-id or address to be decided, and for how long.
const MOST_WAITING: usize = 1000;
const WAIT: Duration = Duration::from_secs(10);

type Clock = dyn Fn() -> Instant + Send + Sync;

/// Wraps an [`Authenticator`] and limits how many logins may fail, for each user-id and for each
/// client's address.
///
/// By default ten for a user-id at once and one more each minute, and fifty for an address and one
/// more each ten seconds. Whoever is over a limit gets 429 with `Retry-After`
/// ([`TryLater::too_many_attempts`]) before any password is hashed. Good credentials do not count,
/// nor does what could not be checked. What the client gives up before it is decided counts for its
/// address alone: nobody has learnt anything, but a hash has been computed. Guesses that are made at the same time do
/// not outrun the limit.
///
/// A login that goes on is never limited ([`Authenticator::reverify`]), so nobody can lock a user
/// out of their work. Somebody who is not logged in can be kept from logging in by an attacker who
/// tries their user-id, and for as long as the attacker goes on; there is no telling the two apart.
/// Programs come without a session, so the same goes for them; `CredentialCache` around this wrapper lets
/// them through. A program that goes on sending an old password uses up the limit of its user-id.
///
/// While as many of a user-id or an address are being checked as there is room for, a thousand
/// others wait, for ten seconds at most; then it is [`TryLater::busy`].
///
/// The address is that of the peer, unless you name the [proxies](Self::trusted_proxies) in front.
/// IPv6 addresses count by their first 64 bits. User-ids count without regard to case.
///
/// The memory is bounded: 100,000 user-ids and as many addresses. A flood of invented ones makes it
/// forget those who have failed least.
///
/// ```
/// use std::time::Duration;
/// use actix_basic_logout::{BasicLogin, Throttle};
/// use actix_web::{App, HttpRequest, test};
/// use actix_web_httpauth::extractors::basic::BasicAuth;
///
/// let users = async |_: &HttpRequest, credentials: &BasicAuth| {
///     Ok(credentials.password() == Some("wonderland"))
/// };
/// let users = Throttle::new(users).per_user_id(1, Duration::from_secs(60))?;
///
/// # actix_web::rt::System::new().block_on(async {
/// let login = BasicLogin::builder("Admin area", users).build().unwrap();
/// let app = test::init_service(App::new().wrap(login)).await;
/// let wrong = || test::TestRequest::get().insert_header(("Authorization", "Basic YWxpY2U6eA=="));
/// assert_eq!(test::call_service(&app, wrong().to_request()).await.status(), 401);
/// let answer = test::call_service(&app, wrong().to_request()).await;
/// assert_eq!(answer.status(), 429);
/// assert_eq!(answer.headers().get("Retry-After").unwrap(), "60");
/// # });
/// # Ok::<(), actix_basic_logout::ThrottleError>(())
/// ```
///
/// Clones share everything, so several realms can share one.
pub struct Throttle<A> {
    inner: Arc<A>,
    user_ids: Limit,
    addresses: Limit,
    proxies: Vec<Network>,
    clock: Arc<Clock>,
    attempts: Arc<Attempts>,
}

impl<A> Clone for Throttle<A> {
    fn clone(&self) -> Self {
        Self {
            inner: Arc::clone(&self.inner),
            user_ids: self.user_ids,
            addresses: self.addresses,
            proxies: self.proxies.clone(),
            clock: Arc::clone(&self.clock),
            attempts: Arc::clone(&self.attempts),
        }
    }
}

impl<A> fmt::Debug for Throttle<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Throttle")
            .field("per_user_id", &self.user_ids)
            .field("per_address", &self.addresses)
            .field("trusted_proxies", &self.proxies)
            .finish_non_exhaustive()
    }
}

impl<A: Authenticator> Throttle<A> {
    /// Limits the failures of this authenticator, as is said above.
    ///
    /// ```
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/guide/browser.rs"));
    /// # #[actix_web::main]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use actix_basic_logout::{Authenticator, Throttle};
    ///
    /// let req = from("10.0.0.1").to_http_request();
    /// let users = Throttle::new(users);
    /// for _ in 0..10 {
    ///     assert!(!users.authenticate(&req, &basic("alice", "x")).await?);
    /// }
    /// let error = users.authenticate(&req, &basic("alice", "wonderland")).await.unwrap_err();
    /// assert_eq!(error.to_string(), "too many failed logins, try again in 60 s");
    /// // Who is logged in already goes on.
    /// assert!(users.reverify(&req, &basic("alice", "wonderland")).await?);
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn new(inner: A) -> Self {
        let user_ids = Limit { failures: 10, every: Duration::from_secs(60) };
        let addresses = Limit { failures: 50, every: Duration::from_secs(10) };
        Self {
            inner: Arc::new(inner),
            user_ids,
            addresses,
            proxies: Vec::new(),
            clock: Arc::new(Instant::now),
            attempts: Arc::new(Attempts::new(user_ids, addresses)),
        }
    }

    /// How many logins of one user-id may fail at once, and after which time one more. Default: 10,
    /// and one more each minute. What has failed so far is forgotten.
    ///
    /// # Errors
    ///
    /// [`ThrottleError`] if either is zero.
    ///
    /// ```
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/guide/browser.rs"));
    /// # #[actix_web::main]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use std::time::Duration;
    /// use actix_basic_logout::{Authenticator, Throttle};
    ///
    /// let req = from("10.0.0.1").to_http_request();
    /// let users = Throttle::new(users).per_user_id(1, Duration::from_secs(600))?;
    /// assert!(!users.authenticate(&req, &basic("alice", "x")).await?);
    /// let error = users.authenticate(&req, &basic("alice", "x")).await.unwrap_err();
    /// assert_eq!(error.to_string(), "too many failed logins, try again in 600 s");
    /// // Others are not concerned.
    /// assert!(!users.authenticate(&req, &basic("bob", "x")).await?);
    /// # Ok(())
    /// # }
    /// ```
    pub fn per_user_id(mut self, failures: u32, every: Duration) -> Result<Self, ThrottleError> {
        self.user_ids = limit(failures, every)?;
        self.attempts = Arc::new(Attempts::new(self.user_ids, self.addresses));
        Ok(self)
    }

    /// How many logins from one address may fail at once, and after which time one more. Default:
    /// 50, and one more each ten seconds: many may share an address. What has failed so far is
    /// forgotten.
    ///
    /// # Errors
    ///
    /// [`ThrottleError`] if either is zero.
    ///
    /// ```
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/guide/browser.rs"));
    /// # #[actix_web::main]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use std::time::Duration;
    /// use actix_basic_logout::{Authenticator, Throttle};
    ///
    /// let users = Throttle::new(users).per_address(1, Duration::from_secs(600))?;
    /// # let here = from("10.0.0.1").to_http_request();
    /// # let there = from("10.0.0.2").to_http_request();
    /// // Two requests, from different addresses.
    /// assert!(!users.authenticate(&here, &basic("bob", "x")).await?);
    /// let error = users.authenticate(&here, &basic("alice", "wonderland")).await.unwrap_err();
    /// assert_eq!(error.to_string(), "too many failed logins, try again in 600 s");
    /// assert!(users.authenticate(&there, &basic("alice", "wonderland")).await?);
    /// # Ok(())
    /// # }
    /// ```
    pub fn per_address(mut self, failures: u32, every: Duration) -> Result<Self, ThrottleError> {
        self.addresses = limit(failures, every)?;
        self.attempts = Arc::new(Attempts::new(self.user_ids, self.addresses));
        Ok(self)
    }

    /// The proxies that are believed what they say in `X-Forwarded-For`: addresses, or networks
    /// such as `10.0.0.0/8`. Default: none. `Forwarded` (RFC 7239) is not read.
    ///
    /// The client is the last address there that is no trusted proxy's. A client that writes the
    /// header itself is not believed, because each trusted proxy appends the address that it sees.
    /// Without a peer's address, as on a Unix socket, the peer counts as trusted if any are named;
    /// if none are, only user-ids are limited there.
    ///
    /// # Errors
    ///
    /// [`ThrottleError`] if one is neither an address nor a network.
    ///
    /// ```
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/guide/browser.rs"));
    /// # #[actix_web::main]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use std::time::Duration;
    /// use actix_basic_logout::{Authenticator, Throttle};
    ///
    /// let users = Throttle::new(users)
    ///     .per_address(1, Duration::from_secs(600))?
    ///     .trusted_proxies(["127.0.0.1", "10.0.0.0/8", "fd00::/8"])?;
    /// let by_proxy = |client: &str| {
    ///     from("10.0.0.1").insert_header(("X-Forwarded-For", client)).to_http_request()
    /// };
    /// assert!(!users.authenticate(&by_proxy("192.0.2.1"), &basic("bob", "x")).await?);
    /// assert!(users.authenticate(&by_proxy("192.0.2.1"), &basic("bob", "x")).await.is_err());
    /// assert!(!users.authenticate(&by_proxy("192.0.2.2"), &basic("bob", "x")).await?);
    /// # Ok(())
    /// # }
    /// ```
    pub fn trusted_proxies<T: AsRef<str>>(
        mut self,
        proxies: impl IntoIterator<Item = T>,
    ) -> Result<Self, ThrottleError> {
        let network = |text: T| {
            let text = text.as_ref();
            Network::parse(text)
                .ok_or_else(|| ThrottleError::InvalidNetwork { text: text.to_owned() })
        };
        self.proxies = proxies.into_iter().map(network).collect::<Result<_, _>>()?;
        Ok(self)
    }

    /// The clock. Default: [`Instant::now`]. For tests.
    ///
    /// ```
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/guide/browser.rs"));
    /// # #[actix_web::main]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use std::time::Duration;
    /// use actix_basic_logout::{Authenticator, Throttle};
    ///
    /// let req = from("10.0.0.1").to_http_request();
    /// let watch = Watch::default();
    /// let users = Throttle::new(users)
    ///     .per_user_id(1, Duration::from_secs(60))?
    ///     .clock(watch.instant());
    /// assert!(!users.authenticate(&req, &basic("alice", "x")).await?);
    /// assert!(users.authenticate(&req, &basic("alice", "wonderland")).await.is_err());
    /// watch.forward(Duration::from_secs(60));
    /// assert!(users.authenticate(&req, &basic("alice", "wonderland")).await?);
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn clock(mut self, clock: impl Fn() -> Instant + Send + Sync + 'static) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    async fn check(&self, req: &HttpRequest, credentials: &BasicAuth) -> Result<bool, Error> {
        let address = address::of(req, &self.proxies);
        if address::seems_proxied(req, &self.proxies) {
            self.attempts.say_that_a_proxy_is_in_front();
        }
        let attempt = self.attempts.begin(credentials.user_id(), address, &*self.clock).await?;
        let verdict = unauthorized_is_wrong(self.inner.authenticate(req, credentials).await);
        attempt.decide(matches!(verdict, Ok(false)), credentials.user_id(), address);
        verdict
    }
}

impl<A: Authenticator> Authenticator for Throttle<A> {
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
        self.inner.reverify(req, credentials)
    }

    fn revision(&self) -> LocalBoxFuture<'_, u64> {
        self.inner.revision()
    }
}

fn limit(failures: u32, every: Duration) -> Result<Limit, ThrottleError> {
    if failures == 0 || every.is_zero() {
        return Err(ThrottleError::Zero);
    }
    Ok(Limit { failures, every })
}

/// Who has failed, and who is being checked.
struct Attempts {
    /// The first time that the clock was looked at.
    start: OnceLock<Instant>,
    hasher: RandomState,
    failures: Mutex<ByKind>,
    decided: Notify,
    waiting: Semaphore,
    proxy_said: AtomicBool,
}

struct ByKind {
    user_ids: Failures,
    addresses: Failures,
}

impl Attempts {
    fn new(user_ids: Limit, addresses: Limit) -> Self {
        let (user_ids, addresses) = (Failures::new(user_ids, MOST), Failures::new(addresses, MOST));
        Self {
            start: OnceLock::new(),
            hasher: RandomState::new(),
            failures: Mutex::new(ByKind { user_ids, addresses }),
            decided: Notify::new(),
            waiting: Semaphore::new(MOST_WAITING),
            proxy_said: AtomicBool::new(false),
        }
    }

    fn lock(&self) -> MutexGuard<'_, ByKind> {
        // Counts are right after each line.
        self.failures.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn since_start(&self, now: Instant) -> Duration {
        now.saturating_duration_since(*self.start.get_or_init(|| now))
    }

    async fn begin<'a>(
        &'a self,
        user_id: &str,
        address: Option<IpAddr>,
        clock: &'a Clock,
    ) -> Result<Attempt<'a>, TryLater> {
        // Authenticators that do not care about case must not be asked about each spelling.
        let user_id_key = self.hasher.hash_one(user_id.trim().to_lowercase());
        let address_key = address.map(|it| self.hasher.hash_one(address::one_client(it)));
        let (mut place, deadline) = (None, Deadline::now() + WAIT);
        loop {
            // Made before looking, so that nothing is missed in between.
            let decided = self.decided.notified();
            match self.try_begin(user_id_key, address_key, self.since_start(clock())) {
                Room::Go => {
                    let is_decided = false;
                    return Ok(Attempt {
                        attempts: self,
                        user_id_key,
                        address_key,
                        clock,
                        is_decided,
                    });
                }
                Room::Full(after) => {
                    tracing::debug!(user = user_id, address = ?address, "not looked at");
                    return Err(TryLater::too_many_attempts(after));
                }
                Room::Wait => {}
            }
            if place.is_none() {
                place = Some(self.waiting.try_acquire().map_err(|_| TryLater::busy(WAIT))?);
            }
            timeout_at(deadline, decided).await.map_err(|_| TryLater::busy(WAIT))?;
        }
    }

    fn try_begin(&self, user_id: Key, address: Option<Key>, now: Duration) -> Room {
        let mut all = self.lock();
        let of_user_id = all.user_ids.room(user_id, now);
        let of_address = address.map_or(Room::Go, |it| all.addresses.room(it, now));
        match (of_user_id, of_address) {
            (Room::Full(one), Room::Full(other)) => Room::Full(one.max(other)),
            (Room::Full(after), _) | (_, Room::Full(after)) => Room::Full(after),
            (Room::Wait, _) | (_, Room::Wait) => Room::Wait,
            (Room::Go, Room::Go) => {
                all.user_ids.begin(user_id);
                if let Some(address) = address {
                    all.addresses.begin(address);
                }
                Room::Go
            }
        }
    }

    fn say_that_a_proxy_is_in_front(&self) {
        if !self.proxy_said.swap(true, Relaxed) {
            tracing::warn!(
                "a request came with X-Forwarded-For, and no proxy is trusted: if there is one in \
                 front, all its clients share one limit; name it with `Throttle::trusted_proxies`"
            );
        }
    }
}

/// One attempt, until it is decided or given up.
struct Attempt<'a> {
    attempts: &'a Attempts,
    user_id_key: Key,
    address_key: Option<Key>,
    clock: &'a Clock,
    is_decided: bool,
}

impl Attempt<'_> {
    fn decide(mut self, failed: bool, user_id: &str, address: Option<IpAddr>) {
        self.is_decided = true;
        let (of_user_id, of_address) = self.end(failed, failed);
        if of_user_id {
            tracing::warn!(user = user_id, ?address, "too many failed logins of this user-id");
        }
        if of_address {
            tracing::warn!(user = user_id, ?address, "too many failed logins from this address");
        }
    }

    /// Counts it for the user-id and for the address. Answers which limits are reached by that.
    fn end(&self, for_user_id: bool, for_address: bool) -> (bool, bool) {
        let now = self.attempts.since_start((self.clock)());
        let mut all = self.attempts.lock();
        let of_user_id = all.user_ids.end(self.user_id_key, for_user_id, now);
        let of_address = self.address_key.is_some_and(|it| all.addresses.end(it, for_address, now));
        drop(all);
        self.attempts.decided.notify_waiters();
        (of_user_id, of_address)
    }
}

impl Drop for Attempt<'_> {
    fn drop(&mut self) {
        if !self.is_decided {
            self.end(false, true);
        }
    }
}

/// Why a [`Throttle`] cannot be set up like this.
///
/// ```
/// use std::time::Duration;
/// use actix_basic_logout::{Throttle, ThrottleError};
/// # use actix_web::HttpRequest;
/// # use actix_web_httpauth::extractors::basic::BasicAuth;
/// # let users = async |_: &HttpRequest, _: &BasicAuth| Ok(true);
///
/// let error = Throttle::new(users).per_user_id(0, Duration::from_secs(60)).unwrap_err();
/// assert_eq!(error, ThrottleError::Zero);
/// let error = Throttle::new(users).trusted_proxies(["nginx"]).unwrap_err();
/// assert_eq!(
///     error.to_string(),
///     r#""nginx" is neither an address nor a network, such as 10.0.0.0/8"#
/// );
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ThrottleError {
    /// A limit of no failures, or of any number.
    Zero,
    /// A proxy that is neither an address nor a network.
    #[non_exhaustive]
    InvalidNetwork {
        /// What was given.
        text: String,
    },
}

impl fmt::Display for ThrottleError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Zero => f.write_str(
                "a limit of zero: it takes at least one failure, and a time after which there is \
                 one more",
            ),
            Self::InvalidNetwork { text } => {
                write!(f, "{text:?} is neither an address nor a network, such as 10.0.0.0/8")
            }
        }
    }
}

impl std::error::Error for ThrottleError {}
