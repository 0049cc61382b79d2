//! The default revocation list: the memory of this process.

use std::{
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed, Ordering::SeqCst},
    },
    time::{Duration, Instant},
};

use super::key::RevocationKey;
use crate::expiring_map::ExpiringMap;

/// The maximum number of entries of each kind. A full list evicts the entry that expires first.
const CAPACITY: usize = 100_000;

/// The clients that can cause an entry of the revocation list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum CausedBy {
    /// Any client: the entry is about a challenge, which needs no password.
    Anyone,
    /// A user who has logged in, or the application.
    User,
}

type Entries = ExpiringMap<RevocationKey, u64, Instant>;

/// The revocation list of this process.
#[derive(Debug)]
pub(super) struct InMemory {
    entries: Mutex<ByCause>,
    /// A random number that changes when an entry about a login is lost.
    incarnation: AtomicU64,
    reported_overflow: AtomicBool,
}

/// Two maps, so that clients without a password cannot evict the entries of users.
#[derive(Debug)]
struct ByCause {
    anyone: Entries,
    user: Entries,
}

impl Default for InMemory {
    fn default() -> Self {
        let entries = ByCause { anyone: Entries::new(CAPACITY), user: Entries::new(CAPACITY) };
        Self {
            entries: Mutex::new(entries),
            incarnation: AtomicU64::new(rand::random()),
            reported_overflow: AtomicBool::default(),
        }
    }
}

impl InMemory {
    /// As [`RevocationStore::set`](super::store::RevocationStore::set).
    pub(super) fn set(&self, entries: &[(RevocationKey, u64)], ttl: Duration, cause: CausedBy) {
        self.set_at(entries, ttl, cause, Instant::now());
    }

    /// As [`RevocationStore::get`](super::store::RevocationStore::get).
    pub(super) fn get(&self, keys: &[RevocationKey]) -> Vec<Option<u64>> {
        self.get_at(keys, Instant::now())
    }

    /// A number that names this list and its content: it differs after a restart, and after an entry
    /// about a login was evicted. The list knows about all ended logins that began since the number
    /// last changed.
    pub(super) fn incarnation(&self) -> u64 {
        self.incarnation.load(SeqCst)
    }

    fn set_at(
        &self,
        entries: &[(RevocationKey, u64)],
        ttl: Duration,
        cause: CausedBy,
        now: Instant,
    ) {
        // `Revocations` limits the time to live to `MAX_RETENTION`, which an `Instant` can
        // represent.
        let Some(expires_at) = now.checked_add(ttl) else { return };
        let mut maps = self.lock();
        let map = match cause {
            CausedBy::Anyone => &mut maps.anyone,
            CausedBy::User => &mut maps.user,
        };
        map.purge(now);
        for (key, value) in entries {
            let has_evicted = map.insert(*key, *value, expires_at, now);
            if !has_evicted || cause == CausedBy::Anyone {
                continue;
            }
            self.incarnation.store(rand::random(), SeqCst);
            if !self.reported_overflow.swap(true, Relaxed) {
                tracing::warn!(
                    "the revocation list is full: {CAPACITY} logins ended before their deadline, and \
                     entries are evicted before they expire; set shorter deadlines, or set a \
                     `revocation_store`"
                );
            }
        }
    }

    fn get_at(&self, keys: &[RevocationKey], now: Instant) -> Vec<Option<u64>> {
        let maps = self.lock();
        let get = |key| maps.user.get(key, now).or_else(|| maps.anyone.get(key, now)).copied();
        keys.iter().map(get).collect()
    }

    fn lock(&self) -> MutexGuard<'_, ByCause> {
        // No operation on the maps panics half-way, so they are valid even if the lock is poisoned.
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use CausedBy::{Anyone, User};

    const HOUR: Duration = Duration::from_secs(60 * 60);

    fn key(number: usize) -> RevocationKey {
        RevocationKey::numbered(number as u128)
    }

    #[test]
    fn entry_expires_after_its_ttl() {
        let (memory, start) = (InMemory::default(), Instant::now());
        memory.set_at(&[(key(1), 7)], HOUR, User, start);
        memory.set_at(&[(key(2), 8)], 2 * HOUR, User, start);
        let almost = start + HOUR.saturating_sub(Duration::from_millis(1));
        assert_eq!(memory.get_at(&[key(1), key(3), key(2)], almost), [Some(7), None, Some(8)]);
        assert_eq!(memory.get_at(&[key(1), key(2)], start + HOUR), [None, Some(8)]);

        memory.set_at(&[], HOUR, User, start + HOUR);
        assert_eq!(memory.lock().user.len(), 1, "the expired entry is removed");
    }

    #[test]
    fn later_entry_replaces_the_earlier() {
        let (memory, start) = (InMemory::default(), Instant::now());
        memory.set_at(&[(key(1), 7)], HOUR, User, start);
        memory.set_at(&[(key(1), 8)], 2 * HOUR, User, start);
        assert_eq!(memory.get_at(&[key(1)], start + HOUR), [Some(8)]);
        assert_eq!(memory.lock().user.len(), 1);
    }

    #[test]
    fn list_is_bounded_and_evicts_what_expires_soonest() {
        let (memory, now) = (InMemory::default(), Instant::now());
        let incarnation = memory.incarnation();
        memory.set_at(&[(key(0), 0)], 2 * HOUR, User, now);
        for number in 1..CAPACITY {
            memory.set_at(&[(key(number), 0)], HOUR, User, now);
        }
        assert_eq!(memory.incarnation(), incarnation);
        memory.set_at(&[(key(CAPACITY), 0)], HOUR, User, now);
        assert_eq!(memory.get_at(&[key(0), key(1), key(2)], now), [Some(0), None, Some(0)]);
        assert_eq!(memory.lock().user.len(), CAPACITY);
        assert_ne!(memory.incarnation(), incarnation, "the list has lost an entry");
    }

    #[test]
    fn anonymous_entries_are_bounded_and_evict_no_entry_of_a_user() {
        let (memory, now) = (InMemory::default(), Instant::now());
        let incarnation = memory.incarnation();
        memory.set_at(&[(key(0), 0)], HOUR, User, now);
        for number in 1..=CAPACITY + 1 {
            memory.set_at(&[(key(number), 2)], 2 * HOUR, Anyone, now);
        }
        assert_eq!(memory.get_at(&[key(0), key(1), key(2)], now), [Some(0), None, Some(2)]);
        assert_eq!(memory.lock().anyone.len(), CAPACITY);
        assert_eq!(memory.incarnation(), incarnation, "no entry of a user is lost");
        memory.set_at(&[(key(2), 0)], HOUR, User, now);
        assert_eq!(memory.get_at(&[key(2)], now), [Some(0)], "the entry of a user counts");
    }

    #[test]
    fn each_list_has_its_own_incarnation() {
        assert_ne!(InMemory::default().incarnation(), InMemory::default().incarnation());
    }
}
