//! Decides whether a login attempt may start now, must wait, or is refused.

use std::{
    hash::{BuildHasher, RandomState},
    iter,
    net::IpAddr,
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use ipnet::IpNet;
use tokio::{
    sync::Notify,
    time::{Instant as Deadline, timeout_at},
};

use crate::{
    authenticator::throttle::{
        address,
        drain_times::Key,
        failures::{Bucket, Failures, Limit, Room},
        known_networks::KnownNetworks,
        queue::Queue,
        user_ids::{UserIdKey, UserIds},
    },
    retry_later::TryLater,
};

pub(crate) type Clock = dyn Fn() -> Instant + Send + Sync;

/// How long a login waits for attempts in progress of the same user-id or network.
const QUEUE_TIMEOUT: Duration = Duration::from_secs(10);

/// The failed logins, and the attempts in progress.
pub(crate) struct Attempts {
    /// The first reading of the clock. All times count from it.
    start: OnceLock<Instant>,
    hasher: RandomState,
    spellings: UserIds,
    per_user_id: Limit,
    per_address: Limit,
    failures: Mutex<ByKind>,
    decided: Notify,
    queue: Queue,
    warned_of_proxy: AtomicBool,
}

/// Two tables, so that a flood of networks evicts no user-id.
#[derive(Default)]
struct ByKind {
    user_ids: Failures,
    networks: Failures,
    known: KnownNetworks,
}

/// The counters of one login attempt.
struct Buckets {
    user_id: Bucket,
    /// The keys of the user and of the client's network, among the known networks.
    known: Option<(Key, Key)>,
    networks: Networks,
}

/// The networks of a client, smallest first.
type Networks = Vec<(IpNet, Bucket)>;

impl Attempts {
    pub(crate) fn new(
        per_user_id: Limit,
        per_address: Limit,
        user_id_key: Option<Arc<UserIdKey>>,
    ) -> Self {
        Self {
            start: OnceLock::new(),
            hasher: RandomState::new(),
            spellings: UserIds::new(user_id_key),
            per_user_id,
            per_address,
            failures: Mutex::default(),
            decided: Notify::new(),
            queue: Queue::default(),
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

    fn networks(&self, address: Option<IpAddr>) -> Networks {
        let networks = address.into_iter().flat_map(address::networks);
        let of_network = |(network, multiple)| {
            let key = self.hasher.hash_one(("network", network));
            (network, Bucket { key, limit: self.per_address.times(multiple) })
        };
        networks.map(of_network).collect()
    }

    fn buckets(&self, user_id: &str, networks: Networks, now: Duration) -> Buckets {
        // An authenticator may compare loosely, so all spellings of a user-id share one limit.
        let folded = self.hasher.hash_one(("user-id", self.spellings.fold(user_id)));
        // Exactly as it was sent: another user may have a name that compares as equal.
        let known = networks.first().map(|(network, _)| {
            (folded, self.hasher.hash_one(("known network", user_id, network)))
        });
        let is_known = |(user, network): &_| self.lock().known.contains(*user, *network, now);
        // Guesses from elsewhere do not use up the limit of a network where the user has logged in.
        let of_known = known.filter(is_known).map(|(_, network)| network);
        let key = of_known.unwrap_or(folded);
        Buckets { user_id: Bucket { key, limit: self.per_user_id }, known, networks }
    }

    /// Begins an attempt when the limits allow it.
    pub(crate) async fn begin<'a>(
        &'a self,
        user_id: &str,
        address: Option<IpAddr>,
        clock: &'a Clock,
    ) -> Result<Attempt<'a>, TryLater> {
        let over_the_limit = |after| {
            tracing::debug!(user = user_id, ?address, "login not checked: over the limit");
            TryLater::too_many_attempts(after)
        };
        let (networks, now) = (self.networks(address), self.since_start(clock()));
        // Asked first, because it takes time to compare user-ids.
        let room = room_of(&self.lock().networks, &networks, now);
        if let Room::Full(after) = room {
            return Err(over_the_limit(after));
        }
        let buckets = self.buckets(user_id, networks, now);
        let (mut queued, deadline) = (None, Deadline::now() + QUEUE_TIMEOUT);
        loop {
            // Created before the check, so that no decision between check and wait is missed.
            let decided = self.decided.notified();
            match self.try_begin(&buckets, self.since_start(clock())) {
                Room::Go => {
                    return Ok(Attempt { attempts: self, buckets, clock, is_decided: false });
                }
                Room::Full(after) => return Err(over_the_limit(after)),
                Room::Wait => {}
            }
            if queued.is_none() {
                let entry = self.queue.enter(buckets.keys().collect());
                queued = Some(entry.ok_or_else(|| TryLater::busy(QUEUE_TIMEOUT))?);
            }
            let in_time = timeout_at(deadline, decided).await;
            in_time.map_err(|_| TryLater::busy(QUEUE_TIMEOUT))?;
        }
    }

    fn try_begin(&self, buckets: &Buckets, now: Duration) -> Room {
        let mut all = self.lock();
        let of_user_id = all.user_ids.room(buckets.user_id, now);
        let room = of_user_id.and(room_of(&all.networks, &buckets.networks, now));
        if room == Room::Go {
            all.user_ids.begin(buckets.user_id);
            for (_, network) in &buckets.networks {
                all.networks.begin(*network);
            }
        }
        room
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

/// The room for an attempt from these networks.
fn room_of(failures: &Failures, networks: &Networks, now: Duration) -> Room {
    networks.iter().map(|(_, it)| failures.room(*it, now)).fold(Room::Go, Room::and)
}

impl Buckets {
    fn keys(&self) -> impl Iterator<Item = Key> {
        iter::once(self.user_id.key).chain(self.networks.iter().map(|(_, it)| it.key))
    }
}

/// An attempt in progress, until it is decided or dropped.
pub(crate) struct Attempt<'a> {
    attempts: &'a Attempts,
    buckets: Buckets,
    clock: &'a Clock,
    is_decided: bool,
}

impl Attempt<'_> {
    /// Ends the attempt. It has failed unless the credentials are valid.
    pub(crate) fn decide(mut self, is_valid: bool, user_id: &str, address: Option<IpAddr>) {
        self.is_decided = true;
        if is_valid {
            self.remember_network();
        }
        let (of_user_id, networks) = self.end(!is_valid);
        if of_user_id {
            tracing::warn!(user = user_id, ?address, "too many failed logins of this user-id");
        }
        for network in networks {
            tracing::warn!(
                user = user_id,
                ?address,
                %network,
                "too many failed logins from this address"
            );
        }
    }

    /// Remembers that the user has logged in from this network.
    fn remember_network(&self) {
        let now = self.attempts.since_start((self.clock)());
        if let Some((user, network)) = self.buckets.known {
            self.attempts.lock().known.insert(user, network, now);
        }
    }

    /// Ends the attempt, and counts a failure. Returns whether it reached the limit of the user-id, and
    /// which networks' limits it reached.
    fn end(&self, has_failed: bool) -> (bool, Vec<IpNet>) {
        let now = self.attempts.since_start((self.clock)());
        let mut all = self.attempts.lock();
        let of_user_id = all.user_ids.end(self.buckets.user_id, has_failed, now);
        let networks = self.buckets.networks.iter();
        let reached = networks.filter(|(_, it)| all.networks.end(*it, has_failed, now));
        let reached = reached.map(|(network, _)| *network).collect();
        drop(all);
        self.attempts.decided.notify_waiters();
        (of_user_id, reached)
    }
}

impl Drop for Attempt<'_> {
    fn drop(&mut self) {
        if !self.is_decided {
            // A client that waits may know the answer: a cache answers valid credentials at once.
            self.end(true);
        }
    }
}
