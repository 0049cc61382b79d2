use std::{
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

/// A mock clock: it stands still until a test advances it.
///
/// Pass [`system_time`](Self::system_time) or [`instant`](Self::instant) to a `clock` setter.
/// Clones share the same time, so one clock controls a realm, its authenticators and the test.
///
/// ```
/// use std::time::{Duration, SystemTime};
/// use actix_basic_logout::test::Clock;
///
/// let clock = Clock::new();
/// let now = clock.system_time();
/// assert_eq!(now(), SystemTime::UNIX_EPOCH);
/// clock.advance(Duration::from_secs(60));
/// assert_eq!(now(), SystemTime::UNIX_EPOCH + Duration::from_secs(60));
/// ```
#[derive(Clone, Debug)]
pub struct Clock {
    start: (SystemTime, Instant),
    elapsed: Arc<Mutex<Duration>>,
}

impl Default for Clock {
    /// [`Clock::new`].
    fn default() -> Self {
        Self::new()
    }
}

impl Clock {
    /// Creates a clock that shows the [Unix epoch](UNIX_EPOCH).
    #[must_use]
    pub fn new() -> Self {
        Self::starting_at(UNIX_EPOCH)
    }

    /// Creates a clock that shows a given time.
    ///
    /// ```
    /// use std::time::{Duration, SystemTime};
    /// use actix_basic_logout::test::Clock;
    ///
    /// let noon = SystemTime::UNIX_EPOCH + Duration::from_secs(12 * 60 * 60);
    /// assert_eq!(Clock::starting_at(noon).system_time()(), noon);
    /// ```
    #[must_use]
    pub fn starting_at(time: SystemTime) -> Self {
        Self { start: (time, Instant::now()), elapsed: Arc::default() }
    }

    /// Advances the clock and all its clones.
    ///
    /// # Panics
    ///
    /// Panics if this system cannot represent the new time.
    ///
    /// ```
    /// use std::time::Duration;
    /// use actix_basic_logout::test::Clock;
    ///
    /// let clock = Clock::new();
    /// let (start, now) = (clock.instant()(), clock.instant());
    /// clock.clone().advance(Duration::from_millis(1));
    /// assert_eq!(now() - start, Duration::from_millis(1));
    /// ```
    #[track_caller]
    pub fn advance(&self, by: Duration) {
        let mut elapsed = self.elapsed.lock().unwrap_or_else(PoisonError::into_inner);
        let sum = elapsed.saturating_add(by);
        let (system_time, instant) = self.start;
        assert!(
            system_time.checked_add(sum).is_some() && instant.checked_add(sum).is_some(),
            "this system cannot represent a time {sum:?} after the start of the clock"
        );
        *elapsed = sum;
    }

    fn elapsed(&self) -> Duration {
        *self.elapsed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A function that returns the current time of this clock, for
    /// [`BasicLoginBuilder::clock`](crate::BasicLoginBuilder::clock).
    ///
    /// ```
    /// # async fn users(
    /// #     _: &actix_web::HttpRequest,
    /// #     _: &actix_web_httpauth::extractors::basic::BasicAuth,
    /// # ) -> Result<bool, actix_web::Error> {
    /// #     Ok(true)
    /// # }
    /// use actix_basic_logout::{BasicLogin, test::Clock};
    ///
    /// let clock = Clock::new();
    /// let login = BasicLogin::builder("Admin area", users).clock(clock.system_time()).build()?;
    /// # Ok::<(), actix_basic_logout::ConfigError>(())
    /// ```
    pub fn system_time(&self) -> impl Fn() -> SystemTime + Send + Sync + use<> {
        let clock = self.clone();
        move || clock.start.0 + clock.elapsed()
    }

    /// A function that returns the current time of this clock, for the `clock` setters of `Users`,
    /// `Throttle` and `CredentialCache`.
    ///
    /// ```
    /// # #[cfg(feature = "throttle")]
    /// # {
    /// use actix_basic_logout::{Throttle, test::Clock};
    /// # use actix_web::HttpRequest;
    /// # use actix_web_httpauth::extractors::basic::BasicAuth;
    /// # let users = async |_: &HttpRequest, _: &BasicAuth| Ok(true);
    ///
    /// let clock = Clock::new();
    /// let users = Throttle::builder(users).clock(clock.instant()).build();
    /// assert!(users.is_ok());
    /// # }
    /// ```
    pub fn instant(&self) -> impl Fn() -> Instant + Send + Sync + use<> {
        let clock = self.clone();
        move || clock.start.1 + clock.elapsed()
    }
}
