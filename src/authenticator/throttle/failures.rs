//! Counts failed logins in bounded memory. Pure: the caller passes the current time.
//!
//! Failures drain at a steady rate, as in a leaky bucket (the generic cell rate algorithm, ITU-T
//! I.371). Each key stores only the time at which its last failure will have drained.

use std::{collections::HashMap, time::Duration};

use crate::authenticator::throttle::drain_times::{DrainTimes, Key};

/// The maximum number of counted user-ids, and of counted networks. It is a power of two times 7/8,
/// at which a `HashMap` is full. Each of the two tables takes less than 16 MB: an eviction from a full map
/// doubles it once.
///
/// A flood evicts a given key once in this many new keys, and frees up to `Limit::failures` guesses
/// then: with the default limit of a user-id, one in 22,937 flood requests.
const CAPACITY: usize = 229_376;

/// How many logins may fail at once, and the interval after which one more may fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Limit {
    pub(crate) failures: u32,
    pub(crate) every: Duration,
}

impl Limit {
    /// A limit that allows this many times as much, at once and in each interval.
    pub(crate) fn times(self, multiple: u32) -> Self {
        Self {
            failures: self.failures.saturating_mul(multiple),
            every: self.every.checked_div(multiple).unwrap_or(self.every).max(MIN_INTERVAL),
        }
    }
}

const MIN_INTERVAL: Duration = Duration::from_nanos(1);

/// A user-id or a network, and its limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Bucket {
    pub(crate) key: Key,
    pub(crate) limit: Limit,
}

/// Whether one more attempt is allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Room {
    Go,
    /// The limit would be exceeded if all attempts in progress failed: wait until one is decided.
    Wait,
    /// The limit is reached: try again after this time.
    Full(Duration),
}

impl Room {
    /// The room for an attempt that two limits apply to.
    pub(crate) fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::Full(one), Self::Full(other)) => Self::Full(one.max(other)),
            (Self::Full(after), _) | (_, Self::Full(after)) => Self::Full(after),
            (Self::Wait, _) | (_, Self::Wait) => Self::Wait,
            (Self::Go, Self::Go) => Self::Go,
        }
    }
}

/// The failures of many buckets, counted separately.
#[derive(Debug)]
pub(crate) struct Failures {
    drain_times: DrainTimes,
    /// The number of attempts in progress.
    undecided: HashMap<Key, u32>,
}

impl Default for Failures {
    fn default() -> Self {
        Self::new(DrainTimes::new(CAPACITY))
    }
}

impl Failures {
    fn new(drain_times: DrainTimes) -> Self {
        Self { drain_times, undecided: HashMap::new() }
    }

    /// The time until one more failure is allowed; zero if it is allowed now.
    fn full_for(&self, Bucket { key, limit }: Bucket, now: Duration) -> Duration {
        let room_below = limit.every.saturating_mul(limit.failures.saturating_sub(1));
        self.left(key, now).saturating_sub(room_below)
    }

    /// The time until all failures have drained.
    fn left(&self, key: Key, now: Duration) -> Duration {
        self.drain_times.get(key).map_or(Duration::ZERO, |it| it.saturating_sub(now))
    }

    pub(crate) fn room(&self, bucket: Bucket, now: Duration) -> Room {
        let full_for = self.full_for(bucket, now);
        if !full_for.is_zero() {
            return Room::Full(full_for);
        }
        let Bucket { key, limit } = bucket;
        let failed = self.left(key, now).as_nanos().div_ceil(limit.every.as_nanos());
        let undecided = self.undecided.get(&key).copied().unwrap_or_default();
        if failed + u128::from(undecided) < u128::from(limit.failures) {
            Room::Go
        } else {
            Room::Wait
        }
    }

    /// Begins an attempt.
    pub(crate) fn begin(&mut self, bucket: Bucket) {
        *self.undecided.entry(bucket.key).or_default() += 1;
    }

    /// Ends an attempt that was decided or abandoned. Returns whether it failed and thereby reached
    /// the limit.
    pub(crate) fn end(&mut self, bucket: Bucket, failed: bool, now: Duration) -> bool {
        let key = bucket.key;
        if let Some(undecided) = self.undecided.get_mut(&key) {
            *undecided = undecided.saturating_sub(1);
            if *undecided == 0 {
                self.undecided.remove(&key);
            }
        }
        failed && self.fail(bucket, now)
    }

    fn fail(&mut self, bucket: Bucket, now: Duration) -> bool {
        let begun = self.drain_times.get(bucket.key).unwrap_or_default().max(now);
        let drained_at = begun.saturating_add(bucket.limit.every);
        self.drain_times.set(bucket.key, drained_at, now);
        !self.full_for(bucket, now).is_zero()
    }
}

#[cfg(test)]
mod tests;
