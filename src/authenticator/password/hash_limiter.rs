//! Computes password hashes on blocking threads, a bounded number at a time.

use std::{
    fmt,
    num::NonZero,
    sync::{Arc, LazyLock, Mutex, PoisonError},
    thread,
    time::Duration,
};

use actix_web::{Error, error::ErrorBadRequest, web};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::timeout,
};

use crate::{
    authenticator::password::hash::{Kind, MAX_KINDS, MAX_PASSWORD, PasswordHash, Plan},
    retry_later::TryLater,
};

/// Password hashing off the worker threads, with a limit on the number of concurrent hashes.
///
/// Password hashing is slow by design. Without a limit, a flood of logins would take all cores and
/// much memory, which is a denial of service for everyone else. The hashes are computed on the
/// runtime's blocking threads, so the worker threads serve other requests meanwhile.
///
/// When the limit is reached, further logins wait in a queue, first come, first served. If the
/// queue is full, or a login has waited too long, the response is 503 with `Retry-After`
/// ([`TryLater::busy`](crate::TryLater::busy)). One more hash at a time is reserved for the
/// reverification of existing logins, which has a queue of its own with the same limits. So a flood of
/// new logins neither ends nor delays them.
///
/// The supported formats are PHC strings of Argon2id, scrypt and PBKDF2 (SHA-256, SHA-512), and
/// bcrypt hashes. New hashes are Argon2id.
///
/// [`Users`](crate::Users) uses the [shared](Self::shared) limiter. Your own authenticator, with
/// hashes in a database for example, calls [`verify`](Self::verify):
///
/// ```
/// use actix_basic_logout::HashLimiter;
///
/// # #[actix_web::main]
/// # async fn main() -> Result<(), actix_web::Error> {
/// let hashes = HashLimiter::shared();
/// // When the user chooses a password:
/// let stored = hashes.hash("wonderland").await?;
/// // At each login:
/// assert!(hashes.verify(Some(&stored), "wonderland").await?);
/// # Ok(())
/// # }
/// ```
///
/// Clones share the limit and the queue.
#[derive(Clone)]
pub struct HashLimiter {
    config: Config,
    permits: Arc<Permits>,
}

/// Why a password is checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CheckKind {
    /// For a new login, or for a single request without a session.
    Login,
    /// For an existing login.
    Reverify,
}

/// The options.
#[derive(Clone, Copy)]
pub(crate) struct Config {
    pub(crate) concurrency: usize,
    pub(crate) queue_limit: usize,
    pub(crate) queue_timeout: Duration,
}

impl Default for Config {
    fn default() -> Self {
        let cores = thread::available_parallelism().map_or(1, NonZero::get);
        Self {
            concurrency: cores.saturating_sub(1).max(1),
            queue_limit: 1000,
            queue_timeout: Duration::from_secs(10),
        }
    }
}

impl Config {
    pub(crate) fn fmt_as(&self, name: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct(name)
            .field("concurrency", &self.concurrency)
            .field("queue_limit", &self.queue_limit)
            .field("queue_timeout", &self.queue_timeout)
            .finish_non_exhaustive()
    }
}

struct Permits {
    /// One permit for each concurrent hash.
    hashing: Arc<Semaphore>,
    /// One permit more, reserved for existing logins.
    reverifying: Arc<Semaphore>,
    /// One permit for each place in the queue of new logins.
    queue: Semaphore,
    /// One permit for each place in the queue of existing logins.
    reverify_queue: Semaphore,
    /// The kinds of hashes that [`HashLimiter::verify`] has seen.
    kinds: Mutex<Vec<Kind>>,
}

impl HashLimiter {
    /// Returns the limiter that the whole process shares, with the defaults of
    /// [`builder`](Self::builder).
    ///
    /// Each concurrent hash takes a blocking thread, and 19 MiB with the parameters of
    /// [`hash`](Self::hash).
    ///
    /// ```
    /// use actix_basic_logout::HashLimiter;
    ///
    /// let shared = format!("{:?}", HashLimiter::shared());
    /// assert!(shared.contains("queue_limit: 1000, queue_timeout: 10s"), "{shared}");
    /// ```
    #[must_use]
    pub fn shared() -> Self {
        static SHARED: LazyLock<HashLimiter> =
            LazyLock::new(|| HashLimiter::from_config(Config::default()));
        SHARED.clone()
    }

    pub(crate) fn from_config(config: Config) -> Self {
        let permits = |number: usize| Semaphore::new(number.min(Semaphore::MAX_PERMITS));
        let permits = Permits {
            hashing: Arc::new(permits(config.concurrency)),
            reverifying: Arc::new(permits(1)),
            queue: permits(config.queue_limit),
            reverify_queue: permits(config.queue_limit),
            kinds: Mutex::new(vec![Kind::NEW]),
        };
        Self { config, permits: Arc::new(permits) }
    }

    /// Returns whether the password matches a stored hash, which is a PHC string or a bcrypt hash.
    ///
    /// Pass `None` if there is no such user. To prevent user enumeration by a timing attack, the
    /// call then takes the same time: each call computes one hash of each kind (algorithm and
    /// parameters) that this limiter has seen, and one of the kind that [`hash`](Self::hash) makes.
    /// A new kind counts from its first call on. At most eight kinds count. With a ninth kind, only
    /// the users with that kind take longer, so their time differs from that of other users.
    ///
    /// A password of more than 1024 bytes is wrong and is not hashed. With bcrypt, a password of
    /// more than 72 bytes is wrong, because bcrypt ignores all bytes after the first 72. An invalid
    /// stored hash is logged at level `error` and matches no password.
    ///
    /// # Errors
    ///
    /// [`TryLater`] if the queue is full or the queue timeout has passed.
    ///
    /// # Panics
    ///
    /// If the future is polled outside a Tokio runtime. actix-web provides one.
    ///
    /// ```
    /// use actix_basic_logout::HashLimiter;
    ///
    /// # #[actix_web::main]
    /// # async fn main() -> Result<(), actix_web::Error> {
    /// let hashes = HashLimiter::shared();
    /// let stored = "$2y$04$qqxtSNcE5L3nZxkNayxMDOGS1/Xpv5quGRK8y21J1utjVbTHTJ5Au";
    /// assert!(hashes.verify(Some(stored), "wonderland").await?);
    /// assert!(!hashes.verify(Some(stored), "looking-glass").await?);
    /// // There is no such user.
    /// assert!(!hashes.verify(None, "wonderland").await?);
    /// # Ok(())
    /// # }
    /// ```
    pub async fn verify(&self, hash: Option<&str>, password: &str) -> Result<bool, Error> {
        self.verify_for(CheckKind::Login, hash, password).await
    }

    /// Does the same as [`verify`](Self::verify) for an existing login, which does not queue behind
    /// new logins. Call it in [`Authenticator::reverify`](crate::Authenticator::reverify).
    ///
    /// Existing logins wait in a queue of their own, with the same
    /// [limit](crate::HashLimiterBuilder::queue_limit). The middleware calls `reverify` once for all
    /// requests with the same credentials, so each user has at most one place in it. If your own code
    /// calls this method, see to that yourself.
    ///
    /// # Errors
    ///
    /// [`TryLater`] if the queue of existing logins is full or the queue timeout has passed.
    ///
    /// # Panics
    ///
    /// If the future is polled outside a Tokio runtime. actix-web provides one.
    ///
    /// ```
    /// use actix_basic_logout::HashLimiter;
    ///
    /// # #[actix_web::main]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let hashes = HashLimiter::builder().concurrency(1).queue_limit(0).build()?;
    /// let stored = "$2y$04$qqxtSNcE5L3nZxkNayxMDOGS1/Xpv5quGRK8y21J1utjVbTHTJ5Au";
    /// let (login, another, existing) = tokio::join!(
    ///     hashes.verify(Some(stored), "wonderland"),
    ///     hashes.verify(Some(stored), "wonderland"),
    ///     hashes.reverify(Some(stored), "wonderland"),
    /// );
    /// assert!(login? && another.is_err() && existing?);
    /// # Ok(())
    /// # }
    /// ```
    pub async fn reverify(&self, hash: Option<&str>, password: &str) -> Result<bool, Error> {
        self.verify_for(CheckKind::Reverify, hash, password).await
    }

    async fn verify_for(
        &self,
        kind: CheckKind,
        hash: Option<&str>,
        password: &str,
    ) -> Result<bool, Error> {
        let own = hash.and_then(|hash| match PasswordHash::read(hash) {
            Ok(own) => Some(own),
            Err(bad) => {
                tracing::error!(
                    "a stored password hash is {bad}; its user cannot log in: replace it"
                );
                None
            }
        });
        let plan = Plan::new(&self.kinds_with(own.as_ref()), own.as_ref());
        self.agrees(kind, plan, password).await
    }

    fn kinds_with(&self, own: Option<&PasswordHash>) -> Vec<Kind> {
        let mut seen = self.permits.kinds.lock().unwrap_or_else(PoisonError::into_inner);
        let mut kinds = seen.clone();
        if let Some(own) = own
            && !kinds.contains(&own.kind)
        {
            kinds.push(own.kind);
            if kinds.len() <= MAX_KINDS {
                seen.clone_from(&kinds);
            }
        }
        kinds
    }

    /// Hashes a new password with a random salt, and returns a PHC string to store.
    ///
    /// The algorithm is Argon2id (RFC 9106) with 19 MiB, two passes and one lane, the first choice
    /// of the OWASP Password Storage Cheat Sheet.
    ///
    /// # Errors
    ///
    /// An error with status 400 if the password is longer than 1024 bytes. [`TryLater`] if the
    /// queue is full or the queue timeout has passed.
    ///
    /// # Panics
    ///
    /// If the future is polled outside a Tokio runtime. actix-web provides one.
    ///
    /// ```
    /// use actix_basic_logout::HashLimiter;
    ///
    /// # #[actix_web::main]
    /// # async fn main() -> Result<(), actix_web::Error> {
    /// let stored = HashLimiter::shared().hash("wonderland").await?;
    /// assert!(stored.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"));
    ///
    /// let error = HashLimiter::shared().hash(&"x".repeat(2000)).await.unwrap_err();
    /// assert_eq!(error.to_string(), "a password has at most 1024 bytes");
    /// # Ok(())
    /// # }
    /// ```
    pub async fn hash(&self, password: &str) -> Result<String, Error> {
        if password.len() > MAX_PASSWORD {
            return Err(ErrorBadRequest(format!("a password has at most {MAX_PASSWORD} bytes")));
        }
        let password = password.to_owned();
        let made = self.run(CheckKind::Login, move || PasswordHash::make(&password)).await?;
        Ok(made.ok_or_else(|| self.busy())?)
    }

    /// Returns whether the password is that of the plan's user.
    pub(crate) async fn agrees(
        &self,
        kind: CheckKind,
        plan: Plan,
        password: &str,
    ) -> Result<bool, Error> {
        if password.len() > MAX_PASSWORD {
            return Ok(false);
        }
        let password = password.to_owned();
        Ok(self.run(kind, move || plan.agrees(&password)).await?)
    }

    fn busy(&self) -> TryLater {
        TryLater::busy(self.config.queue_timeout)
    }

    async fn run<T: Send + 'static>(
        &self,
        kind: CheckKind,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, TryLater> {
        let permit = self.permit(kind).await.ok_or_else(|| {
            tracing::warn!(
                "password not hashed: the queue of the hash limiter is full or has timed out"
            );
            self.busy()
        })?;
        // The work holds the permit: if the client disconnects, the hash is still computed to its
        // end.
        let done = web::block(move || {
            let done = work();
            drop(permit);
            done
        });
        done.await.map_err(|error| {
            tracing::error!(%error, "hashing a password failed");
            self.busy()
        })
    }

    async fn permit(&self, kind: CheckKind) -> Option<OwnedSemaphorePermit> {
        let hashing = &self.permits.hashing;
        if let Ok(permit) = Arc::clone(hashing).try_acquire_owned() {
            return Some(permit);
        }
        let (queue, next) = match kind {
            CheckKind::Login => (&self.permits.queue, hashing),
            CheckKind::Reverify => (&self.permits.reverify_queue, &self.permits.reverifying),
        };
        if let Ok(permit) = Arc::clone(next).try_acquire_owned() {
            return Some(permit);
        }
        let _place = queue.try_acquire().ok()?;
        timeout(self.config.queue_timeout, Arc::clone(next).acquire_owned()).await.ok()?.ok()
    }
}

impl fmt::Debug for HashLimiter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.config.fmt_as("HashLimiter", f)
    }
}

#[cfg(test)]
mod tests;
