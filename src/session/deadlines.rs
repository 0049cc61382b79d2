//! When a login ends by itself.

use std::time::Duration;

use crate::session::Login;

/// By how much the clocks of machines that share sessions may differ.
const LEEWAY: Duration = Duration::from_secs(60);

/// How much of the time between visits may go by before a visit is written down.
const PARTS: u32 = 10;

/// For how long a login counts that nobody uses, unless the application says otherwise. It bounds
/// what has to be remembered of logins that were ended before their time.
const UNUSED: Duration = Duration::from_secs(30 * 24 * 60 * 60);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Deadlines {
    /// Since the login.
    pub(crate) login: Option<Duration>,
    /// Since the last visit.
    pub(crate) visit: Duration,
}

impl Default for Deadlines {
    fn default() -> Self {
        Self { login: None, visit: UNUSED }
    }
}

/// Whether that is so long ago. What is in the future is.
fn has_passed(since: u64, after: Duration, now: u64) -> bool {
    match now.checked_sub(since) {
        Some(age) => Duration::from_millis(age) >= after,
        None => Duration::from_millis(since - now) > LEEWAY,
    }
}

impl Deadlines {
    /// Whether a login has outlived one of them.
    pub(crate) fn have_passed(self, login: &Login, now: u64) -> bool {
        self.login_has_passed(login.since, now) || has_passed(login.visited, self.visit, now)
    }

    /// Whether a login that began then has lasted too long.
    pub(crate) fn login_has_passed(self, since: u64, now: u64) -> bool {
        self.login.is_some_and(|after| has_passed(since, after, now))
    }

    /// After which time nobody can come with a login that has ended, on whatever clock it began.
    pub(crate) fn longest_life(self) -> Duration {
        self.login.map_or(self.visit, |it| it.min(self.visit)).saturating_add(LEEWAY)
    }

    /// Whether a visit has to be written down, or the next one may come too late.
    pub(crate) fn want_visit(self, login: &Login, now: u64) -> bool {
        let age = Duration::from_millis(now.saturating_sub(login.visited));
        age >= self.visit / PARTS
    }
}

#[cfg(test)]
mod tests {
    use actix_web_httpauth::headers::authorization::Basic;

    use super::*;
    use crate::request::fingerprint::FingerprintKey;

    const MINUTE: u64 = 60_000;

    fn login(since: u64, visited: u64) -> Login {
        let alice = Basic::new("alice", Some("wonderland")).into();
        Login {
            user: "alice".to_owned(),
            fingerprint: FingerprintKey::random().of("Admin area", &alice),
            since,
            verified: since,
            visited,
            directory: None,
            reprompted: false,
            epoch: None,
            foreign_origin: None,
        }
    }

    fn deadlines(login: Option<u64>, visit: Option<u64>) -> Deadlines {
        let minutes = |it: u64| Duration::from_millis(it * MINUTE);
        Deadlines { login: login.map(minutes), visit: visit.map_or(Duration::MAX, minutes) }
    }

    #[test]
    fn a_login_ends_after_thirty_days_of_nothing() {
        let (default, days) = (Deadlines::default(), 24 * 60 * MINUTE);
        assert!(!default.have_passed(&login(0, 0), 30 * days - 1));
        assert!(default.have_passed(&login(0, 0), 30 * days));
        assert!(!default.have_passed(&login(0, 1000 * days), 1000 * days), "and not of use");
        assert_eq!(default.longest_life(), UNUSED + LEEWAY);
    }

    #[test]
    fn without_deadlines_a_login_never_ends() {
        let none = deadlines(None, None);
        for (since, now) in [(0, u64::MAX), (7, 7)] {
            assert!(!none.have_passed(&login(since, since), now));
            assert!(!none.want_visit(&login(since, since), now));
        }
        assert_eq!(none.longest_life(), Duration::MAX);
    }

    #[test]
    fn no_login_outlives_its_shortest_deadline_on_any_clock() {
        let minutes = |it: u64| Duration::from_millis(it * MINUTE);
        assert_eq!(deadlines(Some(60), Some(10)).longest_life(), minutes(10) + LEEWAY);
        assert_eq!(deadlines(Some(5), Some(10)).longest_life(), minutes(5) + LEEWAY);
        assert_eq!(deadlines(Some(5), None).longest_life(), minutes(5) + LEEWAY);
    }

    #[test]
    fn a_login_ends_so_long_after_it_began_whatever_was_visited() {
        let hour = deadlines(Some(60), None);
        let begun = login(5 * MINUTE, 64 * MINUTE);
        assert!(!hour.have_passed(&begun, 65 * MINUTE - 1));
        assert!(hour.have_passed(&begun, 65 * MINUTE));
    }

    #[test]
    fn a_login_ends_so_long_after_the_last_visit() {
        let hour = deadlines(None, Some(60));
        let begun = login(0, 5 * MINUTE);
        assert!(!hour.have_passed(&begun, 65 * MINUTE - 1));
        assert!(hour.have_passed(&begun, 65 * MINUTE));
    }

    #[test]
    fn whichever_deadline_comes_first_counts() {
        let both = deadlines(Some(60), Some(10));
        assert!(both.have_passed(&login(0, 0), 10 * MINUTE));
        assert!(!both.have_passed(&login(0, 55 * MINUTE), 59 * MINUTE));
        assert!(both.have_passed(&login(0, 55 * MINUTE), 60 * MINUTE));
    }

    #[test]
    fn a_time_in_the_future_is_a_passed_deadline_but_for_clocks_that_differ() {
        let day = deadlines(Some(24 * 60), Some(24 * 60));
        assert!(!day.have_passed(&login(MINUTE, MINUTE), 0));
        assert!(day.have_passed(&login(MINUTE + 1, 0), 0));
        assert!(day.have_passed(&login(0, MINUTE + 1), 0));
        assert!(day.have_passed(&login(u64::MAX, u64::MAX), 0));
    }

    #[test]
    fn a_visit_is_written_down_after_a_tenth_of_the_deadline() {
        let hour = deadlines(None, Some(60));
        assert!(!hour.want_visit(&login(0, 0), 6 * MINUTE - 1));
        assert!(hour.want_visit(&login(0, 0), 6 * MINUTE));
        assert!(!hour.want_visit(&login(0, 7 * MINUTE), 6 * MINUTE), "nor one in the future");
        assert!(!deadlines(Some(60), None).want_visit(&login(0, 0), 59 * MINUTE));
    }
}
