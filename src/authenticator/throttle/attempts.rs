//! Decides whether a login attempt may start now, must wait, or is refused.

use std::{
    hash::{BuildHasher, RandomState},
    net::IpAddr,
    sync::{
        Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use tokio::{
    sync::{Notify, Semaphore},
    time::{Instant as Deadline, timeout_at},
};

use crate::{
    authenticator::throttle::{
        address,
        failures::{Failures, Key, Limit, Room},
    },
    retry_later::TryLater,
};

pub(crate) type Clock = dyn Fn() -> Instant + Send + Sync;

/// The maximum number of counted user-ids, and of counted addresses. Each of the two maps takes
/// less than 12 MB.
const CAPACITY: usize = 100_000;

/// How many logins wait for attempts in progress of the same user-id or address, and for how long.
const QUEUE_LIMIT: usize = 1000;
const QUEUE_TIMEOUT: Duration = Duration::from_secs(10);

/// The failed logins, and the attempts in progress.
pub(crate) struct Attempts {
    /// The first reading of the clock. All times count from it.
    start: OnceLock<Instant>,
    hasher: RandomState,
    failures: Mutex<ByKind>,
    decided: Notify,
    queue: Semaphore,
    warned_of_proxy: AtomicBool,
}

struct ByKind {
    user_ids: Failures,
    addresses: Failures,
}

impl Attempts {
    pub(crate) fn new(per_user_id: Limit, per_address: Limit) -> Self {
        let user_ids = Failures::new(per_user_id, CAPACITY);
        let addresses = Failures::new(per_address, CAPACITY);
        Self {
            start: OnceLock::new(),
            hasher: RandomState::new(),
            failures: Mutex::new(ByKind { user_ids, addresses }),
            decided: Notify::new(),
            queue: Semaphore::new(QUEUE_LIMIT),
            warned_of_proxy: AtomicBool::new(false),
        }
    }

    fn lock(&self) -> MutexGuard<'_, ByKind> {
        // No method of `Failures` panics during a change, so a poisoned lock is consistent.
        self.failures.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn since_start(&self, now: Instant) -> Duration {
        now.saturating_duration_since(*self.start.get_or_init(|| now))
    }

    /// Begins an attempt when the limits allow it.
    pub(crate) async fn begin<'a>(
        &'a self,
        user_id: &str,
        address: Option<IpAddr>,
        clock: &'a Clock,
    ) -> Result<Attempt<'a>, TryLater> {
        // An authenticator may ignore case, so all spellings of a user-id must share one limit.
        let user_id_key = self.hasher.hash_one(user_id.trim().to_lowercase());
        let address_key = address.map(|it| self.hasher.hash_one(address::one_client(it)));
        let (mut queued, deadline) = (None, Deadline::now() + QUEUE_TIMEOUT);
        loop {
            // Created before the check, so that no decision between check and wait is missed.
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
                    tracing::debug!(user = user_id, ?address, "login not checked: over the limit");
                    return Err(TryLater::too_many_attempts(after));
                }
                Room::Wait => {}
            }
            if queued.is_none() {
                let permit = self.queue.try_acquire();
                queued = Some(permit.map_err(|_| TryLater::busy(QUEUE_TIMEOUT))?);
            }
            let in_time = timeout_at(deadline, decided).await;
            in_time.map_err(|_| TryLater::busy(QUEUE_TIMEOUT))?;
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

    /// Logs one warning about a proxy that the application has not listed as trusted.
    pub(crate) fn warn_of_unnamed_proxy(&self) {
        if !self.warned_of_proxy.swap(true, Relaxed) {
            tracing::warn!(
                "a request has an X-Forwarded-For header, but no proxy is trusted: behind a proxy, \
                 all clients share one limit; list the proxy in `ThrottleBuilder::trusted_proxies`"
            );
        }
    }
}

/// An attempt in progress, until it is decided or dropped.
pub(crate) struct Attempt<'a> {
    attempts: &'a Attempts,
    user_id_key: Key,
    address_key: Option<Key>,
    clock: &'a Clock,
    is_decided: bool,
}

impl Attempt<'_> {
    pub(crate) fn decide(mut self, failed: bool, user_id: &str, address: Option<IpAddr>) {
        self.is_decided = true;
        let (of_user_id, of_address) = self.end(failed, failed);
        if of_user_id {
            tracing::warn!(user = user_id, ?address, "too many failed logins of this user-id");
        }
        if of_address {
            tracing::warn!(user = user_id, ?address, "too many failed logins from this address");
        }
    }

    /// Ends the attempt, and counts a failure for the user-id, for the address, or for both.
    /// Returns which of the two limits this failure reached.
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
