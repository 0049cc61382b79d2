//! Counts failed logins in bounded memory. Pure: the caller passes the current time.
//!
//! Failures drain at a steady rate, as in a leaky bucket (the generic cell rate algorithm, ITU-T
//! I.371). Each key stores only the time at which its last failure will have drained.

use std::{collections::HashMap, time::Duration};

use crate::expiring_map::ExpiringMap;

/// A keyed hash of a user-id or an address.
pub(crate) type Key = u64;

/// How many logins may fail at once, and the interval after which one more may fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Limit {
    pub(crate) failures: u32,
    pub(crate) every: Duration,
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

/// The failures of many keys, counted separately.
#[derive(Debug)]
pub(crate) struct Failures {
    limit: Limit,
    /// The keys with failures that have not drained yet. A full map evicts the key with the fewest
    /// or oldest failures.
    failed: ExpiringMap<Key, (), Duration>,
    /// The number of attempts in progress.
    undecided: HashMap<Key, u32>,
}

impl Failures {
    pub(crate) fn new(limit: Limit, capacity: usize) -> Self {
        Self { limit, failed: ExpiringMap::new(capacity), undecided: HashMap::new() }
    }

    /// The time until one more failure is allowed; zero if it is allowed now.
    fn full_for(&self, key: Key, now: Duration) -> Duration {
        let left = self.left(key, now);
        let room_below = self.limit.every.saturating_mul(self.limit.failures - 1);
        left.saturating_sub(room_below)
    }

    /// The time until all failures have drained.
    fn left(&self, key: Key, now: Duration) -> Duration {
        self.failed.expiry(&key).map_or(Duration::ZERO, |it| it.saturating_sub(now))
    }

    pub(crate) fn room(&self, key: Key, now: Duration) -> Room {
        let full_for = self.full_for(key, now);
        if !full_for.is_zero() {
            return Room::Full(full_for);
        }
        let failed = self.left(key, now).as_nanos().div_ceil(self.limit.every.as_nanos());
        let undecided = self.undecided.get(&key).copied().unwrap_or_default();
        if failed + u128::from(undecided) < u128::from(self.limit.failures) {
            Room::Go
        } else {
            Room::Wait
        }
    }

    /// Begins an attempt.
    pub(crate) fn begin(&mut self, key: Key) {
        *self.undecided.entry(key).or_default() += 1;
    }

    /// Ends an attempt that was decided or abandoned. Returns whether it failed and thereby reached
    /// the limit.
    pub(crate) fn end(&mut self, key: Key, failed: bool, now: Duration) -> bool {
        if let Some(undecided) = self.undecided.get_mut(&key) {
            *undecided = undecided.saturating_sub(1);
            if *undecided == 0 {
                self.undecided.remove(&key);
            }
        }
        failed && self.fail(key, now)
    }

    fn fail(&mut self, key: Key, now: Duration) -> bool {
        let begun = self.failed.expiry(&key).unwrap_or_default().max(now);
        let drained = begun.saturating_add(self.limit.every);
        self.failed.insert(key, (), drained, now);
        !self.full_for(key, now).is_zero()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);
    const ALICE: Key = 1;
    const BOB: Key = 2;

    fn three_a_minute(capacity: usize) -> Failures {
        Failures::new(Limit { failures: 3, every: MINUTE }, capacity)
    }

    fn fail(failures: &mut Failures, key: Key, now: Duration) -> bool {
        assert_eq!(failures.room(key, now), Room::Go);
        failures.begin(key);
        failures.end(key, true, now)
    }

    #[test]
    fn limit_allows_one_more_failure_after_each_interval() {
        let (mut failures, start) = (three_a_minute(9), MINUTE * 1000);
        assert!(!fail(&mut failures, ALICE, start));
        assert!(!fail(&mut failures, ALICE, start));
        assert!(fail(&mut failures, ALICE, start), "reaches the limit");
        assert_eq!(failures.room(ALICE, start), Room::Full(MINUTE));
        assert_eq!(failures.room(BOB, start), Room::Go, "not limited");
        let second = Duration::from_secs(1);
        assert_eq!(failures.room(ALICE, start + second * 59), Room::Full(second));
        assert!(fail(&mut failures, ALICE, start + MINUTE));
        assert_eq!(failures.room(ALICE, start + MINUTE), Room::Full(MINUTE));
        // All have drained by then.
        let later = start + MINUTE * 4;
        for last in [false, false, true] {
            assert_eq!(fail(&mut failures, ALICE, later), last);
        }
    }

    #[test]
    fn successes_and_abandoned_attempts_do_not_count() {
        let mut failures = three_a_minute(9);
        for _ in 0..100 {
            assert_eq!(failures.room(ALICE, MINUTE), Room::Go);
            failures.begin(ALICE);
            assert!(!failures.end(ALICE, false, MINUTE));
        }
        assert!(failures.failed.len() == 0 && failures.undecided.is_empty());
    }

    #[test]
    fn concurrent_guesses_do_not_exceed_the_limit() {
        let mut failures = three_a_minute(9);
        fail(&mut failures, ALICE, MINUTE);
        for _ in 0..2 {
            assert_eq!(failures.room(ALICE, MINUTE), Room::Go);
            failures.begin(ALICE);
        }
        assert_eq!(failures.room(ALICE, MINUTE), Room::Wait);
        assert_eq!(failures.room(BOB, MINUTE), Room::Go);
        failures.end(ALICE, false, MINUTE);
        assert_eq!(failures.room(ALICE, MINUTE), Room::Go, "the attempt succeeded");
        failures.begin(ALICE);
        failures.end(ALICE, true, MINUTE);
        failures.end(ALICE, true, MINUTE);
        assert_eq!(failures.room(ALICE, MINUTE), Room::Full(MINUTE));
    }

    #[test]
    fn flood_of_names_takes_bounded_memory_and_evicts_the_fewest_failures() {
        let mut failures = three_a_minute(100);
        for _ in 0..3 {
            fail(&mut failures, ALICE, MINUTE);
        }
        for name in 1000..11_000 {
            fail(&mut failures, name, MINUTE);
        }
        assert_eq!(failures.failed.len(), 100);
        assert!(failures.undecided.is_empty());
        assert_eq!(failures.room(ALICE, MINUTE), Room::Full(MINUTE), "not evicted");
    }

    #[test]
    fn drained_keys_are_removed() {
        let mut failures = three_a_minute(100);
        for name in 0..50 {
            fail(&mut failures, name, MINUTE);
        }
        fail(&mut failures, ALICE, MINUTE * 5);
        assert_eq!(failures.failed.len(), 1);
    }

    #[test]
    fn no_limit_overflows() {
        for every in [Duration::from_nanos(1), Duration::MAX] {
            let mut failures = Failures::new(Limit { failures: u32::MAX, every }, 9);
            for now in [Duration::ZERO, Duration::MAX] {
                failures.begin(ALICE);
                failures.end(ALICE, true, now);
                let _ = failures.room(ALICE, now);
            }
        }
    }

    proptest! {
        /// In any period, no more guesses are checked than the limit allows, whatever their timing.
        #[test]
        fn attempts_never_exceed_the_limit(
            steps in proptest::collection::vec((0u64..40, any::<bool>()), 1..200),
        ) {
            let mut failures = three_a_minute(9);
            let mut tried = Vec::new();
            let mut now = MINUTE;
            for (seconds, decides_at_once) in steps {
                now += Duration::from_secs(seconds);
                if failures.room(ALICE, now) == Room::Go {
                    failures.begin(ALICE);
                    tried.push(now);
                    if decides_at_once {
                        failures.end(ALICE, true, now);
                    }
                }
            }
            for (index, first) in tried.iter().enumerate() {
                for (later, last) in tried[index..].iter().enumerate() {
                    let intervals = last.saturating_sub(*first).as_secs() / 60;
                    prop_assert!((later as u64) < 3 + intervals, "{tried:?}");
                }
            }
        }
    }
}
