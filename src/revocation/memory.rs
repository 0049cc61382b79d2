//! The default revocation list: the memory of this process.

use std::{
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use super::key::RevocationKey;
use crate::expiring_map::ExpiringMap;

/// The maximum number of entries. A full list evicts the entry that expires first.
const CAPACITY: usize = 100_000;

/// The revocation list of this process.
#[derive(Debug)]
pub(super) struct InMemory {
    entries: Mutex<ExpiringMap<RevocationKey, u64, Instant>>,
    reported_overflow: AtomicBool,
}

impl Default for InMemory {
    fn default() -> Self {
        Self {
            entries: Mutex::new(ExpiringMap::new(CAPACITY)),
            reported_overflow: AtomicBool::default(),
        }
    }
}

impl InMemory {
    /// As [`RevocationStore::set`](super::store::RevocationStore::set).
    pub(super) fn set(&self, entries: &[(RevocationKey, u64)], ttl: Duration) {
        self.set_at(entries, ttl, Instant::now());
    }

    /// As [`RevocationStore::get`](super::store::RevocationStore::get).
    pub(super) fn get(&self, keys: &[RevocationKey]) -> Vec<Option<u64>> {
        self.get_at(keys, Instant::now())
    }

    fn set_at(&self, entries: &[(RevocationKey, u64)], ttl: Duration, now: Instant) {
        // `Revocations` limits the time to live to `MAX_RETENTION`, which an `Instant` can
        // represent.
        let Some(expires_at) = now.checked_add(ttl) else { return };
        let mut map = self.lock();
        map.purge(now);
        for (key, value) in entries {
            let has_evicted = map.insert(*key, *value, expires_at, now);
            if has_evicted && !self.reported_overflow.swap(true, Relaxed) {
                tracing::warn!(
                    "the revocation list is full: {CAPACITY} logins ended before their deadline, and \
                     entries are evicted before they expire; set shorter deadlines, or set a \
                     `revocation_store`"
                );
            }
        }
    }

    fn get_at(&self, keys: &[RevocationKey], now: Instant) -> Vec<Option<u64>> {
        let map = self.lock();
        keys.iter().map(|key| map.get(key, now).copied()).collect()
    }

    fn lock(&self) -> MutexGuard<'_, ExpiringMap<RevocationKey, u64, Instant>> {
        // No operation on the map panics half-way, so the map is valid even if the lock is
        // poisoned.
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_secs(60 * 60);

    fn key(number: usize) -> RevocationKey {
        RevocationKey::numbered(number as u128)
    }

    #[test]
    fn entry_expires_after_its_ttl() {
        let (memory, start) = (InMemory::default(), Instant::now());
        memory.set_at(&[(key(1), 7)], HOUR, start);
        memory.set_at(&[(key(2), 8)], 2 * HOUR, start);
        let almost = start + HOUR.saturating_sub(Duration::from_millis(1));
        assert_eq!(memory.get_at(&[key(1), key(3), key(2)], almost), [Some(7), None, Some(8)]);
        assert_eq!(memory.get_at(&[key(1), key(2)], start + HOUR), [None, Some(8)]);

        memory.set_at(&[], HOUR, start + HOUR);
        assert_eq!(memory.lock().len(), 1, "the expired entry is removed");
    }

    #[test]
    fn later_entry_replaces_the_earlier() {
        let (memory, start) = (InMemory::default(), Instant::now());
        memory.set_at(&[(key(1), 7)], HOUR, start);
        memory.set_at(&[(key(1), 8)], 2 * HOUR, start);
        assert_eq!(memory.get_at(&[key(1)], start + HOUR), [Some(8)]);
        assert_eq!(memory.lock().len(), 1);
    }

    #[test]
    fn list_is_bounded_and_evicts_what_expires_soonest() {
        let (memory, now) = (InMemory::default(), Instant::now());
        memory.set_at(&[(key(0), 0)], 2 * HOUR, now);
        for number in 1..=CAPACITY {
            memory.set_at(&[(key(number), 0)], HOUR, now);
        }
        assert_eq!(memory.get_at(&[key(0), key(1), key(2)], now), [Some(0), None, Some(0)]);
        assert_eq!(memory.lock().len(), CAPACITY);
    }
}
