//! The logins that a log-out has ended, remembered by this process.
//!
//! A log-out changes the browser's session, but not the requests that are on their way with the
//! old one, nor what their answers write to the session. So it ends the login's id, and an entry
//! with an ended id counts as logged out wherever it turns up.

use std::{
    collections::{HashSet, VecDeque},
    sync::{LazyLock, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use crate::login::LoginId;

/// How long an ended login is remembered: longer than any request is on its way.
const KEEP: Duration = Duration::from_secs(24 * 60 * 60);

/// How many are remembered at most; the oldest goes first. Some 64 bytes each.
const MOST: usize = 100_000;

/// All realms of a process share it: one realm's log-out ends the logins of the others, too.
pub(crate) static ENDED: LazyLock<EndedLogins> = LazyLock::new(EndedLogins::default);

#[derive(Debug, Default)]
pub(crate) struct EndedLogins(Mutex<Ended>);

#[derive(Debug, Default)]
struct Ended {
    ids: HashSet<LoginId>,
    oldest_first: VecDeque<(Instant, LoginId)>,
}

impl EndedLogins {
    pub(crate) fn end(&self, id: LoginId) {
        self.end_at(id, Instant::now());
    }

    fn end_at(&self, id: LoginId, now: Instant) {
        let mut ended = self.lock();
        let Ended { ids, oldest_first } = &mut *ended;
        if ids.insert(id) {
            oldest_first.push_back((now, id));
        }
        let is_old = |at: &Instant| now.saturating_duration_since(*at) >= KEEP;
        while oldest_first.front().is_some_and(|(at, _)| is_old(at)) || oldest_first.len() > MOST {
            if let Some((_, id)) = oldest_first.pop_front() {
                ids.remove(&id);
            }
        }
    }

    pub(crate) fn contains(&self, id: LoginId) -> bool {
        self.lock().ids.contains(&id)
    }

    /// Whoever panicked with the lock in hand has left it whole: no call can fail half-way.
    fn lock(&self) -> MutexGuard<'_, Ended> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ended_login_is_remembered_for_a_day_and_no_longer() {
        let (ended, start) = (EndedLogins::default(), Instant::now());
        let (first, second) = (LoginId::draw(), LoginId::draw());
        ended.end_at(first, start);
        assert!(ended.contains(first));
        assert!(!ended.contains(second));

        let later = start + Duration::from_secs(60);
        ended.end_at(second, later);
        ended.end_at(LoginId::draw(), start + KEEP.saturating_sub(Duration::from_secs(1)));
        assert!(ended.contains(first));
        ended.end_at(LoginId::draw(), start + KEEP);
        assert!(!ended.contains(first));
        assert!(ended.contains(second));
    }

    #[test]
    fn the_memory_is_bounded_and_the_oldest_goes_first() {
        let (ended, now) = (EndedLogins::default(), Instant::now());
        let ids: Vec<_> = (0..=MOST).map(|_| LoginId::draw()).collect();
        for id in &ids {
            ended.end_at(*id, now);
        }
        assert!(!ended.contains(ids[0]));
        assert!(ids[1..].iter().all(|id| ended.contains(*id)));
        assert_eq!(ended.lock().oldest_first.len(), MOST);
        assert_eq!(ended.lock().ids.len(), MOST);
    }

    #[test]
    fn a_login_ended_twice_is_remembered_once() {
        let (ended, id) = (EndedLogins::default(), LoginId::draw());
        ended.end(id);
        ended.end(id);
        assert_eq!(ended.lock().oldest_first.len(), 1);
    }
}
