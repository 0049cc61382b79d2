//! When a login ends by itself.

use std::time::Duration;

use crate::login::Login;

/// By how much the clocks of machines that share sessions may differ.
const LEEWAY: Duration = Duration::from_secs(60);

/// How much of the time between visits may go by before a visit is written down.
const PARTS: u32 = 10;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Deadlines {
    /// Since the login.
    pub(crate) login: Option<Duration>,
    /// Since the last visit.
    pub(crate) visit: Option<Duration>,
}

impl Deadlines {
    /// Whether a login has outlived one of them. One from the future has.
    pub(crate) fn have_passed(self, login: &Login, now: u64) -> bool {
        let has_passed = |since: u64, after: Duration| match now.checked_sub(since) {
            Some(age) => Duration::from_millis(age) >= after,
            None => Duration::from_millis(since - now) > LEEWAY,
        };
        self.login.is_some_and(|it| has_passed(login.since, it))
            || self.visit.is_some_and(|it| has_passed(login.visited, it))
    }

    /// Whether a visit has to be written down, or the next one may come too late.
    pub(crate) fn want_visit(self, login: &Login, now: u64) -> bool {
        let age = Duration::from_millis(now.saturating_sub(login.visited));
        self.visit.is_some_and(|it| age >= it / PARTS)
    }
}

#[cfg(test)]
mod tests {
    use actix_web_httpauth::headers::authorization::Basic;

    use super::*;
    use crate::fingerprint::FingerprintKey;

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
            asked_again: false,
            elsewhere: None,
        }
    }

    fn deadlines(login: Option<u64>, visit: Option<u64>) -> Deadlines {
        let minutes = |it: u64| Duration::from_millis(it * MINUTE);
        Deadlines { login: login.map(minutes), visit: visit.map(minutes) }
    }

    #[test]
    fn without_deadlines_a_login_never_ends() {
        let none = Deadlines::default();
        for (since, now) in [(0, u64::MAX), (u64::MAX, 0), (7, 7)] {
            assert!(!none.have_passed(&login(since, since), now));
            assert!(!none.want_visit(&login(since, since), now));
        }
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
