//! The absolute timeout and the idle timeout of a login.

use std::time::Duration;

use super::login::Validity;
use crate::revocation::registry::CHALLENGE_LIFETIME;

/// The difference that is tolerated between the clocks of machines that share sessions.
const LEEWAY: Duration = Duration::from_secs(60);

/// A visit is written to the session once this part of the idle timeout has passed since the last
/// one.
const VISIT_FRACTION: u32 = 10;

/// The default idle timeout. It limits how long the revocation list has to keep an entry.
const DEFAULT_IDLE_TIMEOUT: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// The timeouts of a realm's logins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Deadlines {
    /// The absolute timeout, counted from the login.
    pub(crate) login: Option<Duration>,
    /// The idle timeout, counted from the last visit.
    pub(crate) visit: Duration,
}

impl Default for Deadlines {
    fn default() -> Self {
        Self { login: None, visit: DEFAULT_IDLE_TIMEOUT }
    }
}

/// Whether a user who was challenged at this time must be challenged again before a login. Nothing is
/// known of a challenge without a time.
pub(super) fn challenge_has_expired(challenged_at: Option<u64>, now: u64) -> bool {
    challenged_at.is_none_or(|it| has_passed(it, CHALLENGE_LIFETIME, now))
}

/// Whether the time `after` has passed since a moment. A moment in the future, beyond the
/// tolerance, counts as long ago.
fn has_passed(since: u64, after: Duration, now: u64) -> bool {
    match now.checked_sub(since) {
        Some(age) => Duration::from_millis(age) >= after,
        None => Duration::from_millis(since - now) > LEEWAY,
    }
}

impl Deadlines {
    /// Whether a login has exceeded either timeout, or all the timeouts under which it was written.
    pub(super) fn have_passed(self, login: &Validity, now: u64) -> bool {
        now >= login.ends_by
            || self.login.is_some_and(|after| has_passed(login.logged_in_at, after, now))
            || has_passed(login.visited_at, self.visit, now)
    }

    /// The longest time for which a login can be valid: the shorter timeout, and the tolerance for
    /// the clocks of other machines.
    pub(crate) fn longest_life(self) -> Duration {
        self.login.map_or(self.visit, |it| it.min(self.visit)).saturating_add(LEEWAY)
    }

    /// The latest time at which a login of that time can end if it is written now.
    pub(crate) fn ends_by(self, logged_in_at: u64, now: u64) -> u64 {
        let after = |since: u64, life: Duration| {
            let life = life.saturating_add(LEEWAY).as_millis();
            since.saturating_add(u64::try_from(life).unwrap_or(u64::MAX))
        };
        let visit = after(now, self.visit);
        self.login.map_or(visit, |it| visit.min(after(logged_in_at, it)))
    }

    /// Whether the session has to record this visit. Later visits might come too late to keep the
    /// login from expiring.
    pub(crate) fn want_visit(self, login: &Validity, now: u64) -> bool {
        let age = Duration::from_millis(now.saturating_sub(login.visited_at));
        age >= self.visit / VISIT_FRACTION
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: u64 = 60_000;

    fn login(logged_in_at: u64, visited_at: u64) -> Validity {
        let (verified_at, ends_by) = (logged_in_at, u64::MAX);
        Validity { logged_in_at, verified_at, visited_at, ends_by, epoch: None }
    }

    fn deadlines(login: Option<u64>, visit: Option<u64>) -> Deadlines {
        let minutes = |it: u64| Duration::from_millis(it * MINUTE);
        Deadlines { login: login.map(minutes), visit: visit.map_or(Duration::MAX, minutes) }
    }

    #[test]
    fn default_idle_timeout_is_thirty_days() {
        let (default, days) = (Deadlines::default(), 24 * 60 * MINUTE);
        assert!(!default.have_passed(&login(0, 0), 30 * days - 1));
        assert!(default.have_passed(&login(0, 0), 30 * days));
        assert!(
            !default.have_passed(&login(0, 1000 * days), 1000 * days),
            "a login in use does not expire"
        );
        assert_eq!(default.longest_life(), DEFAULT_IDLE_TIMEOUT + LEEWAY);
    }

    #[test]
    fn login_without_deadlines_never_expires() {
        let none = deadlines(None, None);
        for (since, now) in [(0, u64::MAX - 1), (7, 7)] {
            assert!(!none.have_passed(&login(since, since), now));
            assert!(!none.want_visit(&login(since, since), now));
        }
        assert_eq!(none.longest_life(), Duration::MAX);
    }

    #[test]
    fn longest_life_is_the_shorter_deadline_plus_leeway() {
        let minutes = |it: u64| Duration::from_millis(it * MINUTE);
        assert_eq!(deadlines(Some(60), Some(10)).longest_life(), minutes(10) + LEEWAY);
        assert_eq!(deadlines(Some(5), Some(10)).longest_life(), minutes(5) + LEEWAY);
        assert_eq!(deadlines(Some(5), None).longest_life(), minutes(5) + LEEWAY);
    }

    #[test]
    fn absolute_timeout_counts_from_the_login() {
        let hour = deadlines(Some(60), None);
        let begun = login(5 * MINUTE, 64 * MINUTE);
        assert!(!hour.have_passed(&begun, 65 * MINUTE - 1));
        assert!(hour.have_passed(&begun, 65 * MINUTE));
    }

    #[test]
    fn idle_timeout_counts_from_the_last_visit() {
        let hour = deadlines(None, Some(60));
        let begun = login(0, 5 * MINUTE);
        assert!(!hour.have_passed(&begun, 65 * MINUTE - 1));
        assert!(hour.have_passed(&begun, 65 * MINUTE));
    }

    #[test]
    fn earlier_deadline_wins() {
        let both = deadlines(Some(60), Some(10));
        assert!(both.have_passed(&login(0, 0), 10 * MINUTE));
        assert!(!both.have_passed(&login(0, 55 * MINUTE), 59 * MINUTE));
        assert!(both.have_passed(&login(0, 55 * MINUTE), 60 * MINUTE));
    }

    #[test]
    fn time_in_the_future_expires_a_login_beyond_clock_skew() {
        let day = deadlines(Some(24 * 60), Some(24 * 60));
        assert!(!day.have_passed(&login(MINUTE, MINUTE), 0));
        assert!(day.have_passed(&login(MINUTE + 1, 0), 0));
        assert!(day.have_passed(&login(0, MINUTE + 1), 0));
        assert!(day.have_passed(&login(u64::MAX, u64::MAX), 0));
    }

    #[test]
    fn longer_deadlines_prolong_no_login_that_was_written_under_shorter_ones() {
        let (short, long) = (deadlines(Some(60), Some(10)), deadlines(Some(600), Some(600)));
        let written = Validity { ends_by: short.ends_by(0, 0), ..login(0, 0) };
        assert_eq!(written.ends_by, 11 * MINUTE, "the shorter timeout and the leeway");
        assert!(!long.have_passed(&written, 11 * MINUTE - 1));
        assert!(long.have_passed(&written, 11 * MINUTE));
        assert_eq!(deadlines(None, None).ends_by(7, 7), u64::MAX);
        assert_eq!(
            short.ends_by(0, 55 * MINUTE),
            61 * MINUTE,
            "the absolute timeout counts from the login"
        );
    }

    #[test]
    fn challenge_expires_after_fifteen_minutes() {
        let at = Some(5 * MINUTE);
        assert!(!challenge_has_expired(at, 20 * MINUTE - 1));
        assert!(challenge_has_expired(at, 20 * MINUTE));
        assert!(!challenge_has_expired(at, 4 * MINUTE), "by a clock that is a minute slow");
        assert!(challenge_has_expired(at, 4 * MINUTE - 1), "in the future");
        assert!(challenge_has_expired(None, 0));
    }

    #[test]
    fn visit_is_written_after_a_tenth_of_the_idle_timeout() {
        let hour = deadlines(None, Some(60));
        assert!(!hour.want_visit(&login(0, 0), 6 * MINUTE - 1));
        assert!(hour.want_visit(&login(0, 0), 6 * MINUTE));
        assert!(
            !hour.want_visit(&login(0, 7 * MINUTE), 6 * MINUTE),
            "the recorded visit is in the future"
        );
        assert!(!deadlines(Some(60), None).want_visit(&login(0, 0), 59 * MINUTE));
    }
}
