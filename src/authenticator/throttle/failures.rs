//! How many logins have failed for whom, in bounded memory: pure, with the time given from outside.
//!
//! Failures drain away at a steady rate, as in a leaky bucket (the generic cell rate algorithm,
//! ITU-T I.371). All that is kept of somebody is when the last failure will have drained.

use std::{
    collections::{BTreeSet, HashMap},
    time::Duration,
};

/// For whom: a keyed hash of a user-id or of an address.
pub(crate) type Key = u64;

/// So many failures at once, and one more each time such a while has passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Limit {
    pub(crate) failures: u32,
    pub(crate) every: Duration,
}

/// Whether one more may try.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Room {
    Go,
    /// There would be none if all that are being tried failed: wait until one is decided.
    Wait,
    /// Try again after this.
    Full(Duration),
}

/// The failures of many, each by itself.
#[derive(Debug)]
pub(crate) struct Failures {
    limit: Limit,
    /// How many are kept at most.
    most: usize,
    /// When the last failure of each will have drained.
    drained: HashMap<Key, Duration>,
    /// The same, those who have failed least or longest ago first: they are forgotten first.
    soonest: BTreeSet<(Duration, Key)>,
    /// How many are being tried.
    undecided: HashMap<Key, u32>,
}

impl Failures {
    pub(crate) fn new(limit: Limit, most: usize) -> Self {
        let (drained, soonest, undecided) = <_>::default();
        Self { limit, most, drained, soonest, undecided }
    }

    /// How long until there is room for one more failure; zero if there is now.
    fn full_for(&self, key: Key, now: Duration) -> Duration {
        let left = self.left(key, now);
        let room_below = self.limit.every.saturating_mul(self.limit.failures - 1);
        left.saturating_sub(room_below)
    }

    fn left(&self, key: Key, now: Duration) -> Duration {
        self.drained.get(&key).map_or(Duration::ZERO, |it| it.saturating_sub(now))
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

    /// Somebody tries.
    pub(crate) fn begin(&mut self, key: Key) {
        *self.undecided.entry(key).or_default() += 1;
    }

    /// It is decided, or given up. Answers whether this failure was the last that there was room
    /// for.
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
        self.forget_drained(now);
        let begun = self.drained.get(&key).copied().unwrap_or_default().max(now);
        let drained = begun.saturating_add(self.limit.every);
        if let Some(before) = self.drained.insert(key, drained) {
            self.soonest.remove(&(before, key));
        }
        self.soonest.insert((drained, key));
        while self.drained.len() > self.most {
            let Some((_, key)) = self.soonest.pop_first() else { break };
            self.drained.remove(&key);
        }
        !self.full_for(key, now).is_zero()
    }

    fn forget_drained(&mut self, now: Duration) {
        while let Some(&(drained, key)) = self.soonest.first()
            && drained <= now
        {
            self.soonest.pop_first();
            self.drained.remove(&key);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);
    const ALICE: Key = 1;
    const BOB: Key = 2;

    fn three_a_minute(most: usize) -> Failures {
        Failures::new(Limit { failures: 3, every: MINUTE }, most)
    }

    fn fail(failures: &mut Failures, key: Key, now: Duration) -> bool {
        assert_eq!(failures.room(key, now), Room::Go);
        failures.begin(key);
        failures.end(key, true, now)
    }

    #[test]
    fn after_so_many_failures_there_is_one_more_with_each_while() {
        let (mut failures, start) = (three_a_minute(9), MINUTE * 1000);
        assert!(!fail(&mut failures, ALICE, start));
        assert!(!fail(&mut failures, ALICE, start));
        assert!(fail(&mut failures, ALICE, start), "the last");
        assert_eq!(failures.room(ALICE, start), Room::Full(MINUTE));
        assert_eq!(failures.room(BOB, start), Room::Go, "nobody else's");
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
    fn what_is_good_or_given_up_does_not_count() {
        let mut failures = three_a_minute(9);
        for _ in 0..100 {
            assert_eq!(failures.room(ALICE, MINUTE), Room::Go);
            failures.begin(ALICE);
            assert!(!failures.end(ALICE, false, MINUTE));
        }
        assert!(failures.drained.is_empty() && failures.undecided.is_empty());
    }

    #[test]
    fn guesses_at_the_same_time_do_not_outrun_the_limit() {
        let mut failures = three_a_minute(9);
        fail(&mut failures, ALICE, MINUTE);
        for _ in 0..2 {
            assert_eq!(failures.room(ALICE, MINUTE), Room::Go);
            failures.begin(ALICE);
        }
        assert_eq!(failures.room(ALICE, MINUTE), Room::Wait);
        assert_eq!(failures.room(BOB, MINUTE), Room::Go);
        failures.end(ALICE, false, MINUTE);
        assert_eq!(failures.room(ALICE, MINUTE), Room::Go, "that one was good");
        failures.begin(ALICE);
        failures.end(ALICE, true, MINUTE);
        failures.end(ALICE, true, MINUTE);
        assert_eq!(failures.room(ALICE, MINUTE), Room::Full(MINUTE));
    }

    #[test]
    fn a_flood_of_names_takes_bounded_memory_and_forgets_those_who_failed_least() {
        let mut failures = three_a_minute(100);
        for _ in 0..3 {
            fail(&mut failures, ALICE, MINUTE);
        }
        for name in 1000..11_000 {
            fail(&mut failures, name, MINUTE);
        }
        assert_eq!(failures.drained.len(), 100);
        assert_eq!(failures.soonest.len(), 100);
        assert!(failures.undecided.is_empty());
        assert_eq!(failures.room(ALICE, MINUTE), Room::Full(MINUTE), "the flood freed nobody");
    }

    #[test]
    fn who_has_drained_is_forgotten() {
        let mut failures = three_a_minute(100);
        for name in 0..50 {
            fail(&mut failures, name, MINUTE);
        }
        fail(&mut failures, ALICE, MINUTE * 5);
        assert_eq!((failures.drained.len(), failures.soonest.len()), (1, 1));
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
        /// However guesses are spread, no more than the limit allows are tried in any time.
        #[test]
        fn no_more_are_tried_than_the_limit_allows(
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
                    let whiles = last.saturating_sub(*first).as_secs() / 60;
                    prop_assert!((later as u64) < 3 + whiles, "{tried:?}");
                }
            }
        }
    }
}
