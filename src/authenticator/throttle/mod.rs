//! Rate limits for failed logins, by user-id and by client address.
//!
//! `builder` has the options, `attempts` admits or refuses login attempts, `queue` bounds those that
//! wait, `failures` counts, `drain_times` is its table, `known_networks` has those of users, `user_ids`
//! decides which user-ids count as one, and `address` finds the client address. May use `request` and `retry_later`.

pub(crate) mod address;
mod attempts;
pub(crate) mod builder;
mod drain_times;
mod failures;
mod known_networks;
mod queue;
mod user_ids;

use std::{
    fmt,
    sync::Arc,
    time::{Duration, Instant},
};

use actix_web::{Error, HttpRequest};
use actix_web_httpauth::extractors::basic::BasicAuth;
use futures_core::future::LocalBoxFuture;
use ipnet::IpNet;

use crate::authenticator::{
    Authenticator,
    throttle::{
        attempts::{Attempts, Clock},
        failures::Limit,
        user_ids::UserIdKey,
    },
    unauthorized_is_wrong,
    verdict::Verdict,
};

/// Rate limiting for failed logins, by user-id and by client address, against brute force and
/// credential stuffing. Wraps another [`Authenticator`].
///
/// The rate limit of a user-id slows down guesses of one user's password (brute force). The rate
/// limit of an address slows down one client that tries many users, for example with passwords
/// leaked from other sites (credential stuffing).
///
/// By default, ten logins of a user-id may fail at once, and one more each minute; fifty logins
/// from an address may fail at once, and one more each ten seconds. A login over a rate limit is
/// answered 429 with `Retry-After`
/// ([`TryLater::too_many_attempts`](crate::TryLater::too_many_attempts)) before any password is
/// hashed. Valid credentials do not count. Everything else does: wrong credentials, credentials that
/// could not be checked because of an error, and a check that ended early because the client
/// disconnected. Otherwise a client could tell from an error, or from the time of the check, whether a
/// cache holds the credentials. After an outage of a database, a user-id that used up its limit meanwhile
/// waits for one interval, and its logins are then checked one at a time for a while.
/// Concurrent guesses cannot exceed a limit.
///
/// Reverification of an existing login ([`Authenticator::reverify`]) is never limited, so an
/// attacker cannot end the logins of other users. While an attacker guesses passwords for a
/// user-id, its user can still log in from a network where the user logged in before: see
/// [user-ids](#user-ids). From other networks the user cannot, because both requests look the same. A
/// client that keeps sending an old password uses up the rate limit of its user-id.
///
/// A `CredentialCache` belongs inside the `Throttle`: outside, it
/// [caches nothing](Authenticator::is_cacheable).
///
/// If the checks in progress could use up a limit, further logins of that user-id or address wait
/// for them. Up to 1000 logins wait, each for up to ten seconds, and of these up to 200 of one
/// user-id, address or network; the others are answered 503 with `Retry-After`
/// ([`TryLater::busy`](crate::TryLater::busy)).
///
/// # Addresses
///
/// The client address is the peer address, unless you set
/// [trusted proxies](crate::ThrottleBuilder::trusted_proxies). A failed login counts for the address
/// and for the networks around it, because one customer of a provider has many addresses:
///
/// | | network | multiple of the limit of an address | by default |
/// |---|---|---|---|
/// | IPv6 | /64, one connection, counts as an address | 1 | 50, and one more each 10 s |
/// | | /56 | 4 | 200, and one more each 2.5 s |
/// | | /48 | 16 | 800, and one more each 0.625 s |
/// | IPv4 | /32, an address | 1 | 50, and one more each 10 s |
/// | | /24 | 8 | 400, and one more each 1.25 s |
///
/// One address cannot use up the limit of its /24, /56 or /48: that takes 8, 4 or 16 addresses at
/// their limits. So a company whose clients share a network is refused only if many of its machines
/// guess, or if more than 400 logins fail within minutes. If your users come from one large
/// network, raise [`per_address`](crate::ThrottleBuilder::per_address).
///
/// # User-ids
///
/// A user-id has one limit for all networks, and one more for each network (IPv6 /64, IPv4 address)
/// from which valid credentials of exactly that user-id came within the last 7 days. So guesses from
/// elsewhere do not lock out users and monitors in their usual networks, and an attacker in such a network
/// has that network's limit, beside the one for all networks. The last 8 networks of each of up to 50,000 user-ids are remembered,
/// until the process ends.
///
/// A database may find the same user under several spellings. So user-ids share a limit if they
/// differ only in case, accents, width, ligatures (`ß` and `ss`, `æ` and `ae`), spaces, punctuation
/// or invisible characters: they are compared by the root collation of Unicode, at its primary
/// strength. User-ids of more than 256 bytes share one limit. If one user has several names, or if your
/// database compares by another rule, such as the collation of one language, set a
/// [`user_id_key`](crate::ThrottleBuilder::user_id_key).
///
/// # Memory
///
/// Memory is bounded at 32 MB, for 229,376 user-ids and 229,376 addresses and networks, and at 20 MB for
/// the networks of users. A flood of
/// invented user-ids cannot lock out a user, because only a user's own failures count. When the
/// table is full, each new entry evicts a random one, so a flood cannot choose whose failures are
/// forgotten. For each 229,376 new user-ids, an attacker gains one more limit of guesses at a given
/// user-id on average: with the default limit, one guess in 22,937 requests. Entries that have
/// drained are removed first, so a flood of fewer than 1,900 user-ids per second gains nothing.
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
/// let users = Throttle::builder(users).per_user_id(1, Duration::from_secs(60)).build()?;
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
/// Clones share the counters, so several realms can share one limit.
pub struct Throttle<A> {
    shared: Arc<Shared<A>>,
}

/// The options as the application set them.
#[derive(Clone)]
pub(crate) struct Config {
    pub(crate) per_user_id: Limit,
    pub(crate) per_address: Limit,
    pub(crate) trusted_proxies: Vec<String>,
    pub(crate) user_id_key: Option<Arc<UserIdKey>>,
    pub(crate) clock: Arc<Clock>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            per_user_id: Limit { failures: 10, every: Duration::from_secs(60) },
            per_address: Limit { failures: 50, every: Duration::from_secs(10) },
            trusted_proxies: Vec::new(),
            user_id_key: None,
            clock: Arc::new(Instant::now),
        }
    }
}

impl Config {
    pub(crate) fn fmt_as(&self, name: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct(name)
            .field("per_user_id", &self.per_user_id)
            .field("per_address", &self.per_address)
            .field("trusted_proxies", &self.trusted_proxies)
            .finish_non_exhaustive()
    }
}

/// The state that clones share.
struct Shared<A> {
    inner: A,
    config: Config,
    proxies: Vec<IpNet>,
    attempts: Attempts,
}

impl<A> Clone for Throttle<A> {
    fn clone(&self) -> Self {
        Self { shared: Arc::clone(&self.shared) }
    }
}

impl<A> fmt::Debug for Throttle<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.shared.config.fmt_as("Throttle", f)
    }
}

impl<A: Authenticator> Throttle<A> {
    /// Limits the failed logins of this authenticator, with the default rate limits and no trusted
    /// proxies.
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
    ///     assert!(!users.authenticate(&req, &basic("alice", "x")).await?.is_valid());
    /// }
    /// let error = users.authenticate(&req, &basic("alice", "wonderland")).await.unwrap_err();
    /// assert_eq!(error.to_string(), "too many failed logins, try again in 60 s");
    /// // Existing logins are not limited.
    /// assert!(users.reverify(&req, &basic("alice", "wonderland")).await?.is_valid());
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn new(inner: A) -> Self {
        Self::from_parts(inner, Config::default(), Vec::new())
    }

    pub(crate) fn from_parts(inner: A, config: Config, proxies: Vec<IpNet>) -> Self {
        let user_id_key = config.user_id_key.clone();
        let attempts = Attempts::new(config.per_user_id, config.per_address, user_id_key);
        Self { shared: Arc::new(Shared { inner, config, proxies, attempts }) }
    }

    async fn check(&self, req: &HttpRequest, credentials: &BasicAuth) -> Result<Verdict, Error> {
        let Shared { inner, config, proxies, attempts } = &*self.shared;
        let address = address::of(req, proxies);
        if address::seems_proxied(req, proxies) {
            attempts.warn_of_unnamed_proxy();
        }
        let attempt = attempts.begin(credentials.user_id(), address, &*config.clock).await?;
        let verdict = unauthorized_is_wrong(inner.authenticate(req, credentials).await);
        let is_valid = verdict.as_ref().is_ok_and(Verdict::is_valid);
        attempt.decide(is_valid, credentials.user_id(), address);
        verdict
    }
}

impl<A: Authenticator> Authenticator for Throttle<A> {
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
        self.shared.inner.reverify(req, credentials)
    }

    fn revision(&self) -> LocalBoxFuture<'_, u64> {
        self.shared.inner.revision()
    }

    fn is_cacheable(&self) -> bool {
        false
    }
}
