use proptest::prelude::*;

use super::*;

const MINUTE: Duration = Duration::from_secs(60);
const ALICE: Bucket = three_a_minute(1);
const BOB: Bucket = three_a_minute(2);

const fn three_a_minute(key: Key) -> Bucket {
    Bucket { key, limit: Limit { failures: 3, every: MINUTE } }
}

fn failures(capacity: usize) -> Failures {
    Failures::new(DrainTimes::seeded(capacity, 1))
}

fn fail(failures: &mut Failures, bucket: Bucket, now: Duration) -> bool {
    assert_eq!(failures.room(bucket, now), Room::Go);
    failures.begin(bucket);
    failures.end(bucket, true, now)
}

#[test]
fn limit_allows_one_more_failure_after_each_interval() {
    let (mut failures, start) = (failures(9), MINUTE * 1000);
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
    let mut failures = failures(9);
    for _ in 0..100 {
        assert_eq!(failures.room(ALICE, MINUTE), Room::Go);
        failures.begin(ALICE);
        assert!(!failures.end(ALICE, false, MINUTE));
    }
    assert!(failures.drain_times.len() == 0 && failures.undecided.is_empty());
}

#[test]
fn concurrent_guesses_do_not_exceed_the_limit() {
    let mut failures = failures(9);
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
fn drained_keys_are_removed() {
    let mut failures = failures(100);
    for name in 0..50 {
        fail(&mut failures, three_a_minute(name), MINUTE);
    }
    for name in 0..50 {
        fail(&mut failures, three_a_minute(100 + name), MINUTE * 5);
    }
    assert!(failures.drain_times.len() <= 51);
}

#[test]
fn multiple_of_a_limit_allows_as_much_more() {
    let limit = Limit { failures: 5, every: MINUTE };
    assert_eq!(limit.times(1), limit);
    assert_eq!(limit.times(16), Limit { failures: 80, every: Duration::from_millis(3750) });
    let huge = Limit { failures: u32::MAX, every: Duration::from_nanos(1) };
    assert_eq!(huge.times(16), huge);
}

#[test]
fn no_limit_overflows() {
    for every in [Duration::from_nanos(1), Duration::MAX] {
        let (mut failures, limit) = (failures(9), Limit { failures: u32::MAX, every });
        for now in [Duration::ZERO, Duration::MAX] {
            let bucket = Bucket { key: 1, limit };
            failures.begin(bucket);
            failures.end(bucket, true, now);
            let _ = failures.room(bucket, now);
        }
    }
}

/// The default limit of a user-id, and a hundredth of the capacity, so that a hundredth of the
/// flood has the same effect.
const TEN: Limit = Limit { failures: 10, every: MINUTE };
const HUNDREDTH: u32 = 2_293;
const VICTIM: Bucket = Bucket { key: 0, limit: TEN };

/// A flood of `names` user-ids, each failing `failures_each` times, that takes `lasts`. The attacker
/// guesses at the victim after each `guess_after` requests, as often as the limit allows.
struct Flood {
    names: u32,
    failures_each: u32,
    lasts: Duration,
    guess_after: u64,
}

impl Flood {
    /// Returns the number of flood requests, and of guesses at the victim that were checked.
    fn run(&self, failures: &mut Failures) -> (u64, u64) {
        let (mut requests, mut guesses) = (0, 0);
        for name in 1..=self.names {
            for _ in 0..self.failures_each {
                let now = self.lasts / self.names * name;
                fail(failures, Bucket { key: name.into(), limit: TEN }, now);
                requests += 1;
                if requests % self.guess_after == 0 {
                    guesses += guess(failures, now);
                }
            }
        }
        (requests, guesses + guess(failures, self.lasts))
    }
}

/// Guesses at the victim until its limit is reached. Returns the number of guesses.
fn guess(failures: &mut Failures, now: Duration) -> u64 {
    let mut guesses = 0;
    while failures.room(VICTIM, now) == Room::Go {
        fail(failures, VICTIM, now);
        guesses += 1;
    }
    guesses
}

#[test]
fn flood_gains_less_than_one_guess_in_10_000_requests() {
    let names = 20 * HUNDREDTH;
    let mut flood_requests = 0;
    for (failures_each, names, lasts, guess_after) in [
        (1, names, Duration::ZERO, 1),
        (1, names, Duration::ZERO, u64::from(HUNDREDTH)),
        (2, names / 2, Duration::ZERO, 1),
        (9, names / 9, Duration::ZERO, 1),
        (10, names / 10, Duration::ZERO, 7),
        // Guesses before and after the flood only.
        (1, names, Duration::ZERO, u64::MAX),
        // The flood fills the table with entries that drain at the same time as the victim's.
        (10, names / 10, MINUTE * 10, u64::from(HUNDREDTH)),
        // Each name drains before the table is full.
        (1, names, MINUTE * 60, 1),
    ] {
        let mut failures = failures(CAPACITY / 100);
        let first = guess(&mut failures, Duration::ZERO);
        assert_eq!(first, 10);
        let flood = Flood { names, failures_each, lasts, guess_after };
        let (requests, guesses) = flood.run(&mut failures);
        let drained = lasts.as_secs() / 60;
        let bound = drained + requests / 100;
        let flood = (names, failures_each, lasts, guess_after);
        assert!(guesses <= bound, "{guesses} guesses, bound {bound}: {flood:?}");
        assert!(failures.drain_times.len() <= CAPACITY / 100 && failures.undecided.is_empty());
        flood_requests += requests;
    }
    assert!(flood_requests > 300_000);
}

#[test]
fn flood_that_drains_faster_than_it_fills_the_table_gains_nothing() {
    let mut failures = failures(CAPACITY / 100);
    // Each minute a third of the capacity.
    let names = 10 * HUNDREDTH;
    let flood = Flood { names, failures_each: 1, lasts: MINUTE * 30, guess_after: 1 };
    let (_, guesses) = flood.run(&mut failures);
    assert_eq!(guesses, 10 + 29, "as without a flood");
}

#[test]
fn flood_of_200_000_requests_gains_nothing() {
    let mut failures = Failures::default();
    assert_eq!(guess(&mut failures, Duration::ZERO), 10);
    let flood = Flood { names: 100_000, failures_each: 2, lasts: Duration::ZERO, guess_after: 100 };
    assert_eq!(flood.run(&mut failures), (200_000, 0));
}

proptest! {
    /// In any period, no more guesses are checked than the limit allows, whatever their timing.
    #[test]
    fn attempts_never_exceed_the_limit(
        steps in proptest::collection::vec((0u64..40, any::<bool>()), 1..200),
    ) {
        let mut failures = failures(9);
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

    /// A user who has not failed is never refused, whatever the flood and its timing.
    #[test]
    fn flood_never_refuses_a_user_id_without_failures(
        names in proptest::collection::vec((1u64..60, 0u64..20), 1..500),
        capacity in 0usize..40,
    ) {
        let (mut failures, mut now) = (failures(capacity), MINUTE);
        for (name, seconds) in names {
            now += Duration::from_secs(seconds);
            failures.end(three_a_minute(name), true, now);
            prop_assert_eq!(failures.room(VICTIM, now), Room::Go);
        }
    }
}
