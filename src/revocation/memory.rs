//! The default revocation list: the memory of this process.

use std::{
    collections::{BTreeSet, HashMap},
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use super::key::RevocationKey;

/// How many are remembered at most, before the one that would be forgotten next is.
const MOST: usize = 100_000;

/// The memory of this process.
#[derive(Debug, Default)]
pub(crate) struct InMemory {
    inner: Mutex<Inner>,
    overflow_said: AtomicBool,
}

#[derive(Debug, Default)]
struct Inner {
    entries: HashMap<RevocationKey, (u64, Instant)>,
    by_end: BTreeSet<(Instant, RevocationKey)>,
}

impl Inner {
    fn forget(&mut self, at: Instant, key: RevocationKey) {
        self.by_end.remove(&(at, key));
        self.entries.remove(&key);
    }
}

impl InMemory {
    /// As [`RevocationStore::set`].
    pub(crate) fn set(&self, entries: &[(RevocationKey, u64)], ttl: Duration) {
        self.set_at(entries, ttl, Instant::now());
    }

    /// As [`RevocationStore::get`].
    pub(crate) fn get(&self, keys: &[RevocationKey]) -> Vec<Option<u64>> {
        self.get_at(keys, Instant::now())
    }

    fn set_at(&self, entries: &[(RevocationKey, u64)], ttl: Duration, now: Instant) {
        let mut inner = self.lock();
        while let Some((at, key)) = inner.by_end.first().copied().filter(|(at, _)| *at <= now) {
            inner.forget(at, key);
        }
        // No deadline is so long that an `Instant` cannot hold it; `Revocations` sees to that.
        let Some(until) = now.checked_add(ttl) else { return };
        for (key, value) in entries {
            if let Some((_, at)) = inner.entries.insert(*key, (*value, until)) {
                inner.by_end.remove(&(at, *key));
            }
            inner.by_end.insert((until, *key));
        }
        while inner.entries.len() > MOST
            && let Some((at, key)) = inner.by_end.first().copied()
        {
            inner.forget(at, key);
            if !self.overflow_said.swap(true, Relaxed) {
                tracing::warn!(
                    "more than {MOST} logins have ended that could still come back, and the oldest \
                     are forgotten: set shorter deadlines, or keep them in a store of your own"
                );
            }
        }
    }

    fn get_at(&self, keys: &[RevocationKey], now: Instant) -> Vec<Option<u64>> {
        let inner = self.lock();
        let value = |key| inner.entries.get(key).filter(|(_, until)| *until > now);
        keys.iter().map(|key| value(key).map(|(value, _)| *value)).collect()
    }

    /// Whoever panicked with the lock in hand has left it whole: no call can fail half-way.
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
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
    fn what_is_set_is_remembered_for_so_long_and_no_longer() {
        let (memory, start) = (InMemory::default(), Instant::now());
        memory.set_at(&[(key(1), 7)], HOUR, start);
        memory.set_at(&[(key(2), 8)], 2 * HOUR, start);
        let almost = start + HOUR.saturating_sub(Duration::from_millis(1));
        assert_eq!(memory.get_at(&[key(1), key(3), key(2)], almost), [Some(7), None, Some(8)]);
        assert_eq!(memory.get_at(&[key(1), key(2)], start + HOUR), [None, Some(8)]);

        memory.set_at(&[], HOUR, start + HOUR);
        assert_eq!(memory.lock().entries.len(), 1, "and takes no room");
        assert_eq!(memory.lock().by_end.len(), 1);
    }

    #[test]
    fn what_is_set_anew_takes_the_place_of_the_old() {
        let (memory, start) = (InMemory::default(), Instant::now());
        memory.set_at(&[(key(1), 7)], HOUR, start);
        memory.set_at(&[(key(1), 8)], 2 * HOUR, start);
        assert_eq!(memory.get_at(&[key(1)], start + HOUR), [Some(8)]);
        assert_eq!(memory.lock().by_end.len(), 1);
    }

    #[test]
    fn the_memory_is_bounded_and_what_would_end_next_goes_first() {
        let (memory, now) = (InMemory::default(), Instant::now());
        memory.set_at(&[(key(0), 0)], 2 * HOUR, now);
        for number in 1..=MOST {
            memory.set_at(&[(key(number), 0)], HOUR, now);
        }
        assert_eq!(memory.get_at(&[key(0), key(1), key(2)], now), [Some(0), None, Some(0)]);
        assert_eq!(memory.lock().entries.len(), MOST);
        assert_eq!(memory.lock().by_end.len(), MOST);
    }
}
