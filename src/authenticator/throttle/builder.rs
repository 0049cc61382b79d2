//! The options of a [`Throttle`].

use std::{
    fmt,
    sync::Arc,
    time::{Duration, Instant},
};

use crate::authenticator::{
    Authenticator,
    throttle::{Config, Throttle, address, failures::Limit},
};

/// Builds a [`Throttle`]. [`Throttle::builder`] starts it.
///
/// ```
/// use std::time::Duration;
/// use actix_basic_logout::Throttle;
/// # use actix_web::HttpRequest;
/// # use actix_web_httpauth::extractors::basic::BasicAuth;
/// # let users = async |_: &HttpRequest, _: &BasicAuth| Ok(true);
///
/// let users = Throttle::builder(users)
///     .per_user_id(5, Duration::from_secs(120))
///     .per_address(20, Duration::from_secs(30))
///     .trusted_proxies(["127.0.0.1"])
///     .build()?;
/// assert!(format!("{users:?}").contains("Limit { failures: 5, every: 120s }"));
/// # Ok::<(), actix_basic_logout::ThrottleError>(())
/// ```
#[derive(Clone)]
#[must_use = "call `build` to get the `Throttle`"]
pub struct ThrottleBuilder<A> {
    inner: A,
    config: Config,
}

impl<A> fmt::Debug for ThrottleBuilder<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.config.fmt_as("ThrottleBuilder", f)
    }
}

impl<A: Authenticator> Throttle<A> {
    /// Starts a [`ThrottleBuilder`] for this authenticator, to set other limits or trusted proxies.
    ///
    /// ```
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/guide/browser.rs"));
    /// # #[actix_web::main]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use std::time::Duration;
    /// use actix_basic_logout::{Authenticator, Throttle};
    ///
    /// let req = from("10.0.0.1").to_http_request();
    /// let minute = Duration::from_secs(60);
    /// let users = Throttle::builder(users).per_user_id(3, minute).build()?;
    /// for _ in 0..3 {
    ///     assert!(!users.authenticate(&req, &basic("alice", "x")).await?.is_valid());
    /// }
    /// assert!(users.authenticate(&req, &basic("alice", "wonderland")).await.is_err());
    /// # Ok(())
    /// # }
    /// ```
    pub fn builder(inner: A) -> ThrottleBuilder<A> {
        ThrottleBuilder { inner, config: Config::default() }
    }
}

impl<A: Authenticator> ThrottleBuilder<A> {
    /// Sets the rate limit of a user-id: how many logins may fail at once, and the interval after
    /// which one more may fail.
    ///
    /// Default: 10, and one more each minute. [`build`](Self::build) fails if either is zero.
    ///
    /// ```
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/guide/browser.rs"));
    /// # #[actix_web::main]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use std::time::Duration;
    /// use actix_basic_logout::{Authenticator, Throttle};
    ///
    /// let req = from("10.0.0.1").to_http_request();
    /// let users = Throttle::builder(users).per_user_id(1, Duration::from_secs(600)).build()?;
    /// assert!(!users.authenticate(&req, &basic("alice", "x")).await?.is_valid());
    /// let error = users.authenticate(&req, &basic("alice", "x")).await.unwrap_err();
    /// assert_eq!(error.to_string(), "too many failed logins, try again in 600 s");
    /// // Other user-ids are not limited.
    /// assert!(!users.authenticate(&req, &basic("bob", "x")).await?.is_valid());
    /// # Ok(())
    /// # }
    /// ```
    pub fn per_user_id(mut self, failures: u32, every: Duration) -> Self {
        self.config.per_user_id = Limit { failures, every };
        self
    }

    /// Sets the rate limit of a client address: how many logins may fail at once, and the interval
    /// after which one more may fail.
    ///
    /// Default: 50, and one more each ten seconds, because many users may share an address. The
    /// networks around the address have [a multiple of this limit](Throttle#addresses). [`build`](Self::build) fails if either is zero.
    ///
    /// ```
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/guide/browser.rs"));
    /// # #[actix_web::main]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use std::time::Duration;
    /// use actix_basic_logout::{Authenticator, Throttle};
    ///
    /// let users = Throttle::builder(users).per_address(1, Duration::from_secs(600)).build()?;
    /// # let here = from("10.0.0.1").to_http_request();
    /// # let there = from("10.0.0.2").to_http_request();
    /// // Two requests, from different addresses.
    /// assert!(!users.authenticate(&here, &basic("bob", "x")).await?.is_valid());
    /// let error = users.authenticate(&here, &basic("alice", "wonderland")).await.unwrap_err();
    /// assert_eq!(error.to_string(), "too many failed logins, try again in 600 s");
    /// assert!(users.authenticate(&there, &basic("alice", "wonderland")).await?.is_valid());
    /// # Ok(())
    /// # }
    /// ```
    pub fn per_address(mut self, failures: u32, every: Duration) -> Self {
        self.config.per_address = Limit { failures, every };
        self
    }

    /// Sets the proxies whose `X-Forwarded-For` header is trusted: addresses, or networks in CIDR
    /// notation such as `10.0.0.0/8`. The list replaces an earlier one.
    ///
    /// Default: none. The header `Forwarded` (RFC 7239) is ignored. [`build`](Self::build) fails if
    /// a text is neither an address nor a network.
    ///
    /// The client address is the last address in the header that is not a trusted proxy's. A client
    /// cannot forge it, because each trusted proxy appends the address that it sees. A peer without
    /// an address, as on a Unix socket, counts as trusted if the list has at least one entry. If
    /// the list is empty, only user-ids are limited there. Of a longer chain of trusted proxies, the
    /// last 32 are read.
    ///
    /// ```
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/guide/browser.rs"));
    /// # #[actix_web::main]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use std::time::Duration;
    /// use actix_basic_logout::{Authenticator, Throttle};
    ///
    /// let users = Throttle::builder(users)
    ///     .per_address(1, Duration::from_secs(600))
    ///     .trusted_proxies(["127.0.0.1", "10.0.0.0/8", "fd00::/8"])
    ///     .build()?;
    /// let by_proxy = |client: &str| {
    ///     from("10.0.0.1").insert_header(("X-Forwarded-For", client)).to_http_request()
    /// };
    /// assert!(!users.authenticate(&by_proxy("192.0.2.1"), &basic("bob", "x")).await?.is_valid());
    /// assert!(users.authenticate(&by_proxy("192.0.2.1"), &basic("bob", "x")).await.is_err());
    /// assert!(!users.authenticate(&by_proxy("192.0.2.2"), &basic("bob", "x")).await?.is_valid());
    /// # Ok(())
    /// # }
    /// ```
    pub fn trusted_proxies<T: AsRef<str>>(mut self, proxies: impl IntoIterator<Item = T>) -> Self {
        let texts = proxies.into_iter().map(|it| it.as_ref().to_owned());
        self.config.trusted_proxies = texts.collect();
        self
    }

    /// Sets the application's own rule of which user-ids name the same user: user-ids share a limit
    /// if this function maps them to the same text. Otherwise each name of a user has a limit of
    /// its own, so an attacker has as many times more guesses.
    ///
    /// Default: the user-id itself. The text is compared like a user-id, so the function cannot
    /// separate user-ids that differ only in case, accents, width, spaces or punctuation. Texts of
    /// more than 256 bytes share one limit. Map a user-id that names no user to itself.
    ///
    /// The function is called for each login, also when the login is over a limit, so it must be
    /// fast and must not block.
    ///
    /// ```
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/guide/browser.rs"));
    /// # #[actix_web::main]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use std::time::Duration;
    /// use actix_basic_logout::{Authenticator, Throttle};
    ///
    /// let req = from("10.0.0.1").to_http_request();
    /// let users = Throttle::builder(users)
    ///     .per_user_id(2, Duration::from_secs(600))
    ///     // Users may type `alice` or `alice@example.com`.
    ///     .user_id_key(|user_id| {
    ///         let is_own = |domain: &&str| domain.trim().eq_ignore_ascii_case("example.com");
    ///         let own = user_id.rsplit_once('@').filter(|(_, domain)| is_own(domain));
    ///         own.map_or(user_id, |(name, _)| name).to_owned()
    ///     })
    ///     .build()?;
    /// for user_id in ["alice", "Alice@example.com"] {
    ///     assert!(!users.authenticate(&req, &basic(user_id, "x")).await?.is_valid());
    /// }
    /// for user_id in ["alice", "alice@example.com", "ALICE @ EXAMPLE.COM"] {
    ///     assert!(users.authenticate(&req, &basic(user_id, "x")).await.is_err());
    /// }
    /// assert!(!users.authenticate(&req, &basic("alice@example.org", "x")).await?.is_valid());
    /// # Ok(())
    /// # }
    /// ```
    pub fn user_id_key(mut self, key: impl Fn(&str) -> String + Send + Sync + 'static) -> Self {
        self.config.user_id_key = Some(Arc::new(key));
        self
    }

    /// Sets the clock by which failures are counted, for tests. Default: [`Instant::now`].
    ///
    /// ```
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/guide/browser.rs"));
    /// # #[actix_web::main]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use std::time::Duration;
    /// use actix_basic_logout::{Authenticator, Throttle};
    ///
    /// let req = from("10.0.0.1").to_http_request();
    /// let clock = Clock::new();
    /// let users = Throttle::builder(users)
    ///     .per_user_id(1, Duration::from_secs(60))
    ///     .clock(clock.instant())
    ///     .build()?;
    /// assert!(!users.authenticate(&req, &basic("alice", "x")).await?.is_valid());
    /// assert!(users.authenticate(&req, &basic("alice", "wonderland")).await.is_err());
    /// clock.advance(Duration::from_secs(60));
    /// assert!(users.authenticate(&req, &basic("alice", "wonderland")).await?.is_valid());
    /// # Ok(())
    /// # }
    /// ```
    pub fn clock(mut self, clock: impl Fn() -> Instant + Send + Sync + 'static) -> Self {
        self.config.clock = Arc::new(clock);
        self
    }

    /// Builds the [`Throttle`]. Its counters start at zero.
    ///
    /// # Errors
    ///
    /// [`ThrottleError`] if a limit is zero, or if a trusted proxy is neither an address nor a
    /// network.
    ///
    /// ```
    /// use std::time::Duration;
    /// use actix_basic_logout::{Throttle, ThrottleError};
    /// # use actix_web::HttpRequest;
    /// # use actix_web_httpauth::extractors::basic::BasicAuth;
    /// # let users = async |_: &HttpRequest, _: &BasicAuth| Ok(true);
    ///
    /// let minute = Duration::from_secs(60);
    /// assert!(Throttle::builder(users).per_address(100, minute).build().is_ok());
    /// let error = Throttle::builder(users).per_address(0, minute).build().unwrap_err();
    /// assert_eq!(error, ThrottleError::ZeroLimit);
    /// ```
    pub fn build(self) -> Result<Throttle<A>, ThrottleError> {
        let Self { inner, mut config } = self;
        for Limit { failures, every } in [&mut config.per_user_id, &mut config.per_address] {
            if *failures == 0 || every.is_zero() {
                return Err(ThrottleError::ZeroLimit);
            }
            // The time until all failures have drained must not overflow.
            let longest = Duration::MAX.checked_div(failures.saturating_mul(64));
            *every = longest.map_or(*every, |it| it.min(*every));
        }
        let network = |text: &String| {
            address::network(text)
                .ok_or_else(|| ThrottleError::InvalidNetwork { text: text.clone() })
        };
        let proxies = config.trusted_proxies.iter().map(network).collect::<Result<_, _>>()?;
        Ok(Throttle::from_parts(inner, config, proxies))
    }
}

/// The reason why a [`Throttle`] cannot be built.
///
/// ```
/// use std::time::Duration;
/// use actix_basic_logout::{Throttle, ThrottleError};
/// # use actix_web::HttpRequest;
/// # use actix_web_httpauth::extractors::basic::BasicAuth;
/// # let users = async |_: &HttpRequest, _: &BasicAuth| Ok(true);
///
/// let error = Throttle::builder(users).per_user_id(0, Duration::from_secs(60)).build();
/// assert_eq!(error.unwrap_err(), ThrottleError::ZeroLimit);
/// let error = Throttle::builder(users).trusted_proxies(["nginx"]).build();
/// let text = error.unwrap_err().to_string();
/// assert!(text.starts_with("\"nginx\" is neither an IP address nor a network such as 10.0.0.0/8"));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ThrottleError {
    /// A rate limit allows zero failures, or its interval is zero.
    ZeroLimit,
    /// A trusted proxy is neither an address nor a network, or the network has bits set beyond its
    /// prefix.
    #[non_exhaustive]
    InvalidNetwork {
        /// The text that was given.
        text: String,
    },
}

impl fmt::Display for ThrottleError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ZeroLimit => f.write_str(
                "a rate limit is zero: allow at least one failure, and set an interval above zero",
            ),
            Self::InvalidNetwork { text } => {
                write!(
                    f,
                    "{text:?} is neither an IP address nor a network such as 10.0.0.0/8 (no bits \
                     beyond the prefix)"
                )
            }
        }
    }
}

impl std::error::Error for ThrottleError {}
