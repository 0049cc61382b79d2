//! The options of a [`HashLimiter`].

use std::{fmt, time::Duration};

use crate::authenticator::password::hash_limiter::{Config, HashLimiter};

/// Builds a [`HashLimiter`]. [`HashLimiter::builder`] starts it.
///
/// ```
/// use std::time::Duration;
/// use actix_basic_logout::{HashLimiter, Users};
///
/// let hashes = HashLimiter::builder()
///     .concurrency(2)
///     .queue_limit(100)
///     .queue_timeout(Duration::from_secs(5))
///     .build()?;
/// assert_eq!(
///     format!("{hashes:?}"),
///     "HashLimiter { concurrency: 2, queue_limit: 100, queue_timeout: 5s, .. }"
/// );
/// # Ok::<(), actix_basic_logout::HashLimiterError>(())
/// ```
#[derive(Clone)]
#[must_use = "call `build` to get the `HashLimiter`"]
pub struct HashLimiterBuilder {
    config: Config,
}

impl fmt::Debug for HashLimiterBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.config.fmt_as("HashLimiterBuilder", f)
    }
}

impl HashLimiter {
    /// Starts a [`HashLimiterBuilder`] for a separate limiter. A flood of logins that fills one
    /// limiter does not delay the logins of another.
    ///
    /// ```
    /// use actix_basic_logout::HashLimiter;
    ///
    /// # #[actix_web::main]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let small = HashLimiter::builder().concurrency(1).queue_limit(0);
    /// let (public, admin) = (small.clone().build()?, small.build()?);
    /// let (first, second, third) =
    ///     tokio::join!(public.hash("one"), public.hash("two"), admin.hash("three"));
    /// assert!(first.is_ok() && second.is_err() && third.is_ok());
    /// # Ok(())
    /// # }
    /// ```
    pub fn builder() -> HashLimiterBuilder {
        HashLimiterBuilder { config: Config::default() }
    }
}

impl HashLimiterBuilder {
    /// Sets how many hashes may be computed at the same time.
    ///
    /// Default: the number of cores minus one, but at least one. [`build`](Self::build) fails if it
    /// is zero.
    ///
    /// ```
    /// use actix_basic_logout::HashLimiter;
    ///
    /// # #[actix_web::main]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let hashes = HashLimiter::builder().concurrency(2).queue_limit(0).build()?;
    /// let (first, second, third) =
    ///     tokio::join!(hashes.hash("one"), hashes.hash("two"), hashes.hash("three"));
    /// assert!(first.is_ok() && second.is_ok() && third.is_err());
    /// # Ok(())
    /// # }
    /// ```
    pub fn concurrency(mut self, concurrency: usize) -> Self {
        self.config.concurrency = concurrency;
        self
    }

    /// Sets how many logins may wait in the queue while the concurrency limit is reached. As many
    /// existing logins may wait for their reverification, in a queue of their own.
    ///
    /// Default: 1000. With zero, no login waits.
    ///
    /// ```
    /// use actix_basic_logout::HashLimiter;
    ///
    /// # #[actix_web::main]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let hashes = HashLimiter::builder().concurrency(1).queue_limit(0).build()?;
    /// let (first, second) = tokio::join!(hashes.hash("wonderland"), hashes.hash("builder"));
    /// assert!(first.is_ok());
    /// let error = second.unwrap_err();
    /// assert_eq!(error.to_string(), "too busy to check passwords, try again in 10 s");
    /// assert_eq!(error.as_response_error().status_code(), 503);
    /// # Ok(())
    /// # }
    /// ```
    pub fn queue_limit(mut self, queue_limit: usize) -> Self {
        self.config.queue_limit = queue_limit;
        self
    }

    /// Sets how long a login may wait in the queue before it is answered 503.
    ///
    /// Default: 10 seconds. With zero, no login waits. The 503 has the same time in `Retry-After`,
    /// in whole seconds, rounded up, and at least one.
    ///
    /// ```
    /// use std::time::Duration;
    /// use actix_basic_logout::HashLimiter;
    ///
    /// # #[actix_web::main]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let soon = Duration::from_millis(1);
    /// let hashes = HashLimiter::builder().concurrency(1).queue_timeout(soon).build()?;
    /// let (first, second) = tokio::join!(hashes.hash("wonderland"), hashes.hash("builder"));
    /// assert!(first.is_ok());
    /// let error = second.unwrap_err();
    /// assert_eq!(error.to_string(), "too busy to check passwords, try again in 1 s");
    /// # Ok(())
    /// # }
    /// ```
    pub fn queue_timeout(mut self, queue_timeout: Duration) -> Self {
        self.config.queue_timeout = queue_timeout;
        self
    }

    /// Builds the [`HashLimiter`].
    ///
    /// # Errors
    ///
    /// [`HashLimiterError`] if the concurrency is zero.
    ///
    /// ```
    /// use actix_basic_logout::{HashLimiter, HashLimiterError};
    ///
    /// assert!(HashLimiter::builder().concurrency(1).build().is_ok());
    /// let error = HashLimiter::builder().concurrency(0).build().unwrap_err();
    /// assert_eq!(error, HashLimiterError::ZeroConcurrency);
    /// ```
    pub fn build(self) -> Result<HashLimiter, HashLimiterError> {
        if self.config.concurrency == 0 {
            return Err(HashLimiterError::ZeroConcurrency);
        }
        Ok(HashLimiter::from_config(self.config))
    }
}

/// The reason why a [`HashLimiter`] cannot be built.
///
/// ```
/// use actix_basic_logout::{HashLimiter, HashLimiterError};
///
/// let error = HashLimiter::builder().concurrency(0).build().unwrap_err();
/// assert_eq!(error, HashLimiterError::ZeroConcurrency);
/// assert_eq!(error.to_string(), "a concurrency of zero: allow at least one hash at a time");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum HashLimiterError {
    /// The concurrency is zero, so no hash could ever be computed.
    ZeroConcurrency,
}

impl fmt::Display for HashLimiterError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ZeroConcurrency => {
                f.write_str("a concurrency of zero: allow at least one hash at a time")
            }
        }
    }
}

impl std::error::Error for HashLimiterError {}
