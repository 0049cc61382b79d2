//! Threads for hashing passwords, so that no worker does.

pub(crate) mod hash;

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
    authenticator::password::hash::{Kind, MAX_PASSWORD, MOST_KINDS, PasswordHash, Plan},
    retry_later::TryLater,
};

/// Where passwords are hashed: on a few threads beside the workers, which go on serving others
/// meanwhile.
///
/// A login that finds all threads busy waits for its turn, first come, first served. Who would
/// wait too long, or finds too many waiting, is told to [try later](TryLater::busy), with 503. One
/// thread more is kept for logins that go on and are verified again, so a flood of new ones does
/// not end them.
///
/// [`Users`](crate::Users) uses it by itself. An authenticator of your own that keeps hashes
/// elsewhere asks it to [`verify`](Self::verify) one:
///
/// ```
/// use actix_basic_logout::HashLimiter;
///
/// # #[actix_web::main]
/// # async fn main() -> Result<(), actix_web::Error> {
/// let pool = HashLimiter::shared();
/// // When the user chose a password:
/// let stored = pool.hash("wonderland").await?;
/// // At each login:
/// assert!(pool.verify(Some(&stored), "wonderland").await?);
/// # Ok(())
/// # }
/// ```
///
/// Clones share everything.
#[derive(Clone)]
pub struct HashLimiter {
    settings: Settings,
    gates: Arc<Gates>,
}

#[derive(Clone, Copy)]
struct Settings {
    threads: usize,
    waiting: usize,
    wait: Duration,
}

struct Gates {
    /// Who hashes.
    threads: Arc<Semaphore>,
    /// Who hashes, where nobody but who is logged in may.
    spare: Arc<Semaphore>,
    /// Who waits.
    waiting: Semaphore,
    /// The kinds of hashes that [`HashLimiter::verify`] has met.
    kinds: Mutex<Vec<Kind>>,
}

/// Who wants something hashed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Turn {
    Login,
    /// A login that goes on.
    Reverify,
}

impl HashLimiter {
    /// The pool of this process: one thread less than there are cores, at least one, 1000 logins
    /// that wait, for 10 seconds at most. It needs a thread and 19 MiB for each hash that it
    /// computes at once.
    ///
    /// ```
    /// use actix_basic_logout::HashLimiter;
    ///
    /// let pool = format!("{:?}", HashLimiter::shared());
    /// assert!(pool.contains("waiting: 1000, wait: 10s"), "{pool}");
    /// ```
    #[must_use]
    pub fn shared() -> Self {
        static SHARED: LazyLock<HashLimiter> = LazyLock::new(HashLimiter::new);
        SHARED.clone()
    }

    /// A pool of its own, with the same settings: whoever fills it keeps nobody waiting who uses
    /// another.
    ///
    /// ```
    /// use actix_basic_logout::HashLimiter;
    ///
    /// # #[actix_web::main]
    /// # async fn main() -> Result<(), actix_web::Error> {
    /// let public = HashLimiter::new().threads(1).waiting(0);
    /// let admin = HashLimiter::new().threads(1).waiting(0);
    /// let (first, second, third) =
    ///     tokio::join!(public.hash("one"), public.hash("two"), admin.hash("three"));
    /// assert!(first.is_ok() && second.is_err() && third.is_ok());
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn new() -> Self {
        let cores = thread::available_parallelism().map_or(1, NonZero::get);
        let threads = cores.saturating_sub(1);
        Self::of(Settings { threads, waiting: 1000, wait: Duration::from_secs(10) })
    }

    fn of(settings: Settings) -> Self {
        let threads = settings.threads.clamp(1, Semaphore::MAX_PERMITS);
        let gates = Gates {
            threads: Arc::new(Semaphore::new(threads)),
            spare: Arc::new(Semaphore::new(1)),
            waiting: Semaphore::new(settings.waiting.min(Semaphore::MAX_PERMITS)),
            kinds: Mutex::new(vec![Kind::NEW]),
        };
        Self { settings, gates: Arc::new(gates) }
    }

    /// A new pool that computes this many hashes at once; at least one. Default: one less than
    /// there are cores.
    ///
    /// ```
    /// use actix_basic_logout::HashLimiter;
    ///
    /// # #[actix_web::main]
    /// # async fn main() -> Result<(), actix_web::Error> {
    /// let pool = HashLimiter::new().threads(2).waiting(0);
    /// let (first, second, third) =
    ///     tokio::join!(pool.hash("one"), pool.hash("two"), pool.hash("three"));
    /// assert!(first.is_ok() && second.is_ok() && third.is_err());
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn threads(self, threads: usize) -> Self {
        Self::of(Settings { threads, ..self.settings })
    }

    /// A new pool in which this many logins wait while all threads are busy. Default: 1000. Zero:
    /// none does.
    ///
    /// ```
    /// use actix_basic_logout::HashLimiter;
    ///
    /// # #[actix_web::main]
    /// # async fn main() -> Result<(), actix_web::Error> {
    /// let pool = HashLimiter::new().threads(1).waiting(0);
    /// let (first, second) = tokio::join!(pool.hash("wonderland"), pool.hash("builder"));
    /// assert!(first.is_ok());
    /// let error = second.unwrap_err();
    /// assert_eq!(error.to_string(), "too busy to check passwords, try again in 10 s");
    /// assert_eq!(error.as_response_error().status_code(), 503);
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn waiting(self, waiting: usize) -> Self {
        Self::of(Settings { waiting, ..self.settings })
    }

    /// A new pool in which nobody waits for longer. Default: 10 seconds. It is also what
    /// `Retry-After` says, in whole seconds, at least one.
    ///
    /// ```
    /// use std::time::Duration;
    /// use actix_basic_logout::HashLimiter;
    ///
    /// # #[actix_web::main]
    /// # async fn main() -> Result<(), actix_web::Error> {
    /// let pool = HashLimiter::new().threads(1).wait(Duration::from_millis(1));
    /// let (first, second) = tokio::join!(pool.hash("wonderland"), pool.hash("builder"));
    /// assert!(first.is_ok());
    /// let error = second.unwrap_err();
    /// assert_eq!(error.to_string(), "too busy to check passwords, try again in 1 s");
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn wait(self, wait: Duration) -> Self {
        Self::of(Settings { wait, ..self.settings })
    }

    /// Whether a stored hash, as PHC string or of bcrypt, is this password's. Pass `None` where
    /// there is no such user: it takes as long.
    ///
    /// Each call computes one hash of each kind (algorithm and parameters) that this pool has met
    /// since it was made, and of the kind that [`hash`](Self::hash) makes, whoever comes; so the
    /// time tells nobody which users there are. A kind that it meets for the first time is in the
    /// time from then on; the ninth is in that of its own users alone.
    ///
    /// A password of more than 1024 bytes is wrong without being hashed. One of more than 72 bytes
    /// is wrong for bcrypt, which would cut it off. A stored hash that cannot be used is said in
    /// the log, at level `error`, and no password is right for it.
    ///
    /// # Errors
    ///
    /// [`TryLater`] if there is no thread for it in time.
    ///
    /// # Panics
    ///
    /// If it is polled outside a Tokio runtime; actix-web's is one.
    ///
    /// ```
    /// use actix_basic_logout::HashLimiter;
    ///
    /// # #[actix_web::main]
    /// # async fn main() -> Result<(), actix_web::Error> {
    /// let pool = HashLimiter::shared();
    /// let stored = "$2y$04$qqxtSNcE5L3nZxkNayxMDOGS1/Xpv5quGRK8y21J1utjVbTHTJ5Au";
    /// assert!(pool.verify(Some(stored), "wonderland").await?);
    /// assert!(!pool.verify(Some(stored), "looking-glass").await?);
    /// // There is no such user.
    /// assert!(!pool.verify(None, "wonderland").await?);
    /// # Ok(())
    /// # }
    /// ```
    pub async fn verify(&self, hash: Option<&str>, password: &str) -> Result<bool, Error> {
        self.verify_for(Turn::Login, hash, password).await
    }

    /// The same for [`Authenticator::reverify`](crate::Authenticator::reverify): the credentials of
    /// a login that goes on do not wait behind new ones.
    ///
    /// # Errors
    ///
    /// As for [`verify`](Self::verify).
    ///
    /// # Panics
    ///
    /// If it is polled outside a Tokio runtime; actix-web's is one.
    ///
    /// ```
    /// use actix_basic_logout::HashLimiter;
    ///
    /// # #[actix_web::main]
    /// # async fn main() -> Result<(), actix_web::Error> {
    /// let pool = HashLimiter::new().threads(1).waiting(0);
    /// let stored = "$2y$04$qqxtSNcE5L3nZxkNayxMDOGS1/Xpv5quGRK8y21J1utjVbTHTJ5Au";
    /// let (login, another, goes_on) = tokio::join!(
    ///     pool.verify(Some(stored), "wonderland"),
    ///     pool.verify(Some(stored), "wonderland"),
    ///     pool.reverify(Some(stored), "wonderland"),
    /// );
    /// assert!(login? && another.is_err() && goes_on?);
    /// # Ok(())
    /// # }
    /// ```
    pub async fn reverify(&self, hash: Option<&str>, password: &str) -> Result<bool, Error> {
        self.verify_for(Turn::Reverify, hash, password).await
    }

    async fn verify_for(
        &self,
        turn: Turn,
        hash: Option<&str>,
        password: &str,
    ) -> Result<bool, Error> {
        let own = hash.and_then(|hash| match PasswordHash::read(hash) {
            Ok(own) => Some(own),
            Err(bad) => {
                tracing::error!("a stored password is {bad}; nobody can log in with it");
                None
            }
        });
        let plan = Plan::new(&self.kinds_with(own.as_ref()), own.as_ref());
        self.agrees(turn, plan, password).await
    }

    fn kinds_with(&self, own: Option<&PasswordHash>) -> Vec<Kind> {
        let mut met = self.gates.kinds.lock().unwrap_or_else(PoisonError::into_inner);
        let mut kinds = met.clone();
        if let Some(own) = own
            && !kinds.contains(&own.kind)
        {
            kinds.push(own.kind);
            if kinds.len() <= MOST_KINDS {
                met.clone_from(&kinds);
            }
        }
        kinds
    }

    /// Makes the hash of a new password, to be stored: Argon2id (RFC 9106) with 19 MiB, two passes
    /// and one lane, the first choice of the OWASP Password Storage Cheat Sheet, with a random salt,
    /// as a PHC string.
    ///
    /// # Errors
    ///
    /// 400 if the password is longer than 1024 bytes, [`TryLater`] if there is no thread for it in
    /// time.
    ///
    /// # Panics
    ///
    /// If it is polled outside a Tokio runtime; actix-web's is one.
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
        let made = self.run(Turn::Login, move || PasswordHash::make(&password)).await?;
        Ok(made.ok_or_else(|| self.busy())?)
    }

    /// Carries a plan out.
    pub(crate) async fn agrees(
        &self,
        turn: Turn,
        plan: Plan,
        password: &str,
    ) -> Result<bool, Error> {
        if password.len() > MAX_PASSWORD {
            return Ok(false);
        }
        let password = password.to_owned();
        Ok(self.run(turn, move || plan.agrees(&password)).await?)
    }

    fn busy(&self) -> TryLater {
        TryLater::busy(self.settings.wait)
    }

    async fn run<T: Send + 'static>(
        &self,
        turn: Turn,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, TryLater> {
        let permit = self.permit(turn).await.ok_or_else(|| {
            tracing::warn!("no thread for hashing a password in time");
            self.busy()
        })?;
        // The permit goes along: a hash whose client has hung up is computed to its end.
        let done = web::block(move || {
            let done = work();
            drop(permit);
            done
        });
        done.await.map_err(|error| {
            tracing::error!(%error, "a password could not be hashed");
            self.busy()
        })
    }

    async fn permit(&self, turn: Turn) -> Option<OwnedSemaphorePermit> {
        let threads = &self.gates.threads;
        if let Ok(permit) = Arc::clone(threads).try_acquire_owned() {
            return Some(permit);
        }
        let (_place, next) = match turn {
            Turn::Login => (Some(self.gates.waiting.try_acquire().ok()?), threads),
            Turn::Reverify => (None, &self.gates.spare),
        };
        timeout(self.settings.wait, Arc::clone(next).acquire_owned()).await.ok()?.ok()
    }
}

impl Default for HashLimiter {
    fn default() -> Self {
        Self::shared()
    }
}

impl fmt::Debug for HashLimiter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Settings { threads, waiting, wait } = self.settings;
        f.debug_struct("HashLimiter")
            .field("threads", &threads)
            .field("waiting", &waiting)
            .field("wait", &wait)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::{
        future::Future,
        pin::pin,
        sync::mpsc,
        task::{Context, Waker},
    };

    use actix_web::{
        http::StatusCode,
        rt::{self, task::JoinHandle},
    };

    use super::*;

    /// Work that goes on until it is told to end.
    struct Held {
        done: JoinHandle<Result<(), TryLater>>,
        end: mpsc::Sender<()>,
    }

    impl Held {
        /// Returns once the work has begun.
        async fn begin(pool: &HashLimiter, turn: Turn) -> Self {
            let (end, told_to_end) = mpsc::channel();
            let (tell_begun, begun) = tokio::sync::oneshot::channel();
            let pool = pool.clone();
            let work = move || {
                tell_begun.send(()).expect("somebody waits");
                told_to_end.recv().ok();
            };
            let done = rt::spawn(async move { pool.run(turn, work).await });
            begun.await.expect("begun");
            Self { done, end }
        }

        async fn end(self) {
            self.end.send(()).expect("still at work");
            self.done.await.expect("joined").expect("done");
        }
    }

    fn small() -> HashLimiter {
        HashLimiter::new().threads(1).waiting(1)
    }

    #[test]
    fn by_default_a_core_is_left_to_the_workers_and_nobody_waits_for_longer_than_ten_seconds() {
        let Settings { threads, waiting, wait } = HashLimiter::shared().settings;
        let cores = thread::available_parallelism().map_or(1, NonZero::get);
        assert_eq!((threads, waiting, wait.as_secs()), (cores - 1, 1000, 10));
        for (asked_for, has) in [(0, 1), (1, 1), (3, 3)] {
            let pool = HashLimiter::new().threads(asked_for);
            assert_eq!(pool.gates.threads.available_permits(), has);
        }
    }

    #[actix_web::test]
    async fn whoever_finds_too_many_waiting_is_told_to_try_later() {
        let pool = small().wait(Duration::from_secs(7));
        let first = Held::begin(&pool, Turn::Login).await;
        let mut second = pin!(pool.run(Turn::Login, || 2));
        assert!(second.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
        let third = pool.run(Turn::Login, || 3).await;
        assert_eq!(third, Err(TryLater::busy(Duration::from_secs(7))));
        first.end().await;
        assert_eq!(second.await, Ok(2));
        assert_eq!(pool.run(Turn::Login, || 4).await, Ok(4), "all have left");
    }

    #[actix_web::test]
    async fn nobody_waits_for_longer_than_the_limit() {
        let pool = small().wait(Duration::ZERO);
        let first = Held::begin(&pool, Turn::Login).await;
        assert_eq!(pool.run(Turn::Login, || 2).await, Err(TryLater::busy(Duration::ZERO)));
        first.end().await;
        assert_eq!(pool.run(Turn::Login, || 3).await, Ok(3));
    }

    #[actix_web::test]
    async fn who_gives_up_waiting_leaves_the_place_to_others() {
        let pool = small();
        let first = Held::begin(&pool, Turn::Login).await;
        {
            let mut gives_up = pin!(pool.run(Turn::Login, || 2));
            assert!(gives_up.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
        }
        let mut third = pin!(pool.run(Turn::Login, || 3));
        assert!(third.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
        first.end().await;
        assert_eq!(third.await, Ok(3));
    }

    #[actix_web::test]
    async fn a_hash_whose_client_has_hung_up_keeps_its_thread_to_the_end() {
        let pool = small().waiting(0);
        let Held { done, end } = Held::begin(&pool, Turn::Login).await;
        done.abort();
        assert!(done.await.is_err(), "given up");
        assert!(pool.run(Turn::Login, || 2).await.is_err(), "the thread is at work still");
        end.send(()).expect("still at work");
        let free = Arc::clone(&pool.gates.threads).acquire_owned().await;
        drop(free);
        assert_eq!(pool.run(Turn::Login, || 3).await, Ok(3));
    }

    #[actix_web::test]
    async fn logins_that_go_on_do_not_wait_behind_new_ones() {
        let pool = small();
        let first = Held::begin(&pool, Turn::Login).await;
        let mut waits = pin!(pool.run(Turn::Login, || 2));
        assert!(waits.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
        assert_eq!(pool.run(Turn::Reverify, || 3).await, Ok(3));
        first.end().await;
        assert_eq!(waits.await, Ok(2));
    }

    #[actix_web::test]
    async fn a_hash_that_fails_is_no_wrong_password() {
        let pool = small();
        let failed = pool.run(Turn::Login, || -> bool { panic!("out of order") }).await;
        assert_eq!(failed, Err(TryLater::busy(Duration::from_secs(10))));
        assert_eq!(pool.run(Turn::Login, || 2).await, Ok(2), "its thread is free again");
    }

    #[actix_web::test]
    async fn a_hash_is_never_computed_on_the_worker() {
        let pool = HashLimiter::shared();
        let here = thread::current().id();
        assert_ne!(pool.run(Turn::Login, || thread::current().id()).await, Ok(here));
    }

    #[actix_web::test]
    async fn every_kind_that_was_met_is_in_the_time_of_all() {
        let pool = HashLimiter::new();
        assert_eq!(pool.kinds_with(None), [Kind::NEW]);
        let bcrypt = "$2y$04$ctSGZ6dMUWJjOsRyPrB2Uu.ZApzDncT0ceepzwnFQanr5YH2IeqJG";
        assert!(!pool.verify(Some(bcrypt), "x").await.expect("an answer"));
        assert_eq!(pool.kinds_with(None), [Kind::NEW, Kind::Bcrypt { cost: 4 }]);
        assert!(!pool.verify(Some(bcrypt), "x").await.expect("an answer"));
        assert_eq!(pool.kinds_with(None).len(), 2);
    }

    #[actix_web::test]
    async fn the_price_of_a_login_is_bounded_and_who_is_beyond_still_gets_in() {
        let pool = HashLimiter::new();
        let hash = PasswordHash::read(&pool.hash("wonderland").await.expect("a hash"));
        for cost in 4..=17 {
            let dummy = Kind::Bcrypt { cost }.dummy();
            assert!(pool.kinds_with(Some(&dummy)).contains(&dummy.kind));
        }
        assert_eq!(pool.kinds_with(None).len(), MOST_KINDS);
        assert_eq!(pool.kinds_with(hash.as_ref().ok()).len(), MOST_KINDS);
    }

    #[actix_web::test]
    async fn an_absurd_password_is_refused_without_being_hashed() {
        // Whoever has to wait here fails.
        let pool = small().waiting(0);
        let first = Held::begin(&pool, Turn::Login).await;
        let long = "x".repeat(MAX_PASSWORD + 1);
        assert!(!pool.verify(None, &long).await.expect("an answer"));
        let error = pool.hash(&long).await.expect_err("too long");
        assert_eq!(error.as_response_error().status_code(), StatusCode::BAD_REQUEST);
        assert!(pool.verify(None, &long[1..]).await.is_err(), "that one is hashed");
        first.end().await;
    }
}
