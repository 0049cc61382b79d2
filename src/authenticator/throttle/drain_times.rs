//! A table of bounded size with the time at which each key's failures will have drained.
//!
//! A full table evicts a random entry, so a flood of `n` new keys evicts a given key `n / capacity`
//! times on average, whatever the keys and their order. Any rule that looks at the entries, such as
//! "the fewest failures first", lets an attacker prepare the other entries so that it selects the
//! victim's.

use std::{collections::HashMap, fmt, time::Duration};

use rand::{Rng, SeedableRng, rngs::StdRng};

/// A keyed hash of a user-id or of a network.
pub(crate) type Key = u64;

pub(crate) struct DrainTimes {
    capacity: usize,
    entries: Vec<(Key, Duration)>,
    /// The index of each key's entry.
    indexes: HashMap<Key, usize>,
    /// The entry at which the search for drained entries continues.
    next: usize,
    /// Seeded by the system, so that nobody can predict which entry is evicted.
    rng: StdRng,
}

impl DrainTimes {
    pub(crate) fn new(capacity: usize) -> Self {
        Self::with_rng(capacity, StdRng::from_os_rng())
    }

    fn with_rng(capacity: usize, rng: StdRng) -> Self {
        Self { capacity, entries: Vec::new(), indexes: HashMap::new(), next: 0, rng }
    }

    /// The time at which the key's failures will have drained, if the table has it.
    pub(crate) fn get(&self, key: Key) -> Option<Duration> {
        let (_, drained_at) = self.entries.get(*self.indexes.get(&key)?)?;
        Some(*drained_at)
    }

    pub(crate) fn set(&mut self, key: Key, drained_at: Duration, now: Duration) {
        if let Some(entry) = self.indexes.get(&key).and_then(|it| self.entries.get_mut(*it)) {
            entry.1 = drained_at;
            return;
        }
        // Two per insertion: at most half of the entries of a growing table have drained.
        self.remove_next_if_drained(now);
        self.remove_next_if_drained(now);
        if self.entries.len() >= self.capacity && !self.entries.is_empty() {
            let evicted = self.rng.random_range(..self.entries.len());
            self.remove(evicted);
        }
        self.indexes.insert(key, self.entries.len());
        self.entries.push((key, drained_at));
    }

    fn remove_next_if_drained(&mut self, now: Duration) {
        if self.next >= self.entries.len() {
            self.next = 0;
        }
        match self.entries.get(self.next) {
            Some((_, drained_at)) if *drained_at <= now => self.remove(self.next),
            _ => self.next += 1,
        }
    }

    /// Removes an entry, and moves the last entry to its index.
    fn remove(&mut self, index: usize) {
        let (removed, _) = self.entries.swap_remove(index);
        self.indexes.remove(&removed);
        if let Some((moved, _)) = self.entries.get(index) {
            self.indexes.insert(*moved, index);
        }
    }

    #[cfg(test)]
    pub(crate) fn seeded(capacity: usize, seed: u64) -> Self {
        Self::with_rng(capacity, StdRng::seed_from_u64(seed))
    }

    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        assert_eq!(self.entries.len(), self.indexes.len(), "one index for each entry");
        self.entries.len()
    }
}

/// Shows neither keys nor the state of the random number generator.
impl fmt::Debug for DrainTimes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DrainTimes")
            .field("capacity", &self.capacity)
            .field("len", &self.entries.len())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn each_entry_is_evicted_equally_often() {
        let mut evicted = HashMap::<Key, u32>::new();
        for seed in 0..10_000 {
            let mut table = DrainTimes::seeded(10, seed);
            for key in 0..10 {
                table.set(key, Duration::from_secs(1 + key), Duration::ZERO);
            }
            table.set(10, SECOND, Duration::ZERO);
            assert_eq!(table.get(10), Some(SECOND), "the new entry stays");
            let gone: Vec<_> = (0..10).filter(|it| table.get(*it).is_none()).collect();
            assert_eq!((gone.len(), table.len()), (1, 10));
            *evicted.entry(gone[0]).or_default() += 1;
        }
        assert!(evicted.values().all(|it| (850..1150).contains(it)), "{evicted:?}");
    }

    #[test]
    fn drained_entries_are_removed_before_others_are_evicted() {
        let mut table = DrainTimes::seeded(1000, 1);
        // Each entry drains after 400 insertions.
        for key in 0..10_000 {
            let now = Duration::from_secs(key);
            table.set(key, now + SECOND * 400, now);
            let live = key.saturating_sub(399)..=key;
            assert!(live.clone().all(|it| table.get(it).is_some()), "none is evicted at {key}");
        }
        assert!(table.len() <= 800);
    }

    #[test]
    fn debug_shows_no_key() {
        let mut table = DrainTimes::new(9);
        table.set(123_456, SECOND, Duration::ZERO);
        assert_eq!(format!("{table:?}"), "DrainTimes { capacity: 9, len: 1, .. }");
    }

    proptest! {
        /// The model is a map. An entry may be missing in the table if it has drained, or if the
        /// table was full.
        #[test]
        fn table_behaves_like_a_map(
            capacity in 0usize..8,
            steps in proptest::collection::vec((0u64..12, 0u32..10, 0u32..3), 0..200),
        ) {
            let mut table = DrainTimes::seeded(capacity, 1);
            let (mut model, mut now) = (HashMap::new(), Duration::ZERO);
            for (key, ttl, wait) in steps {
                now += SECOND * wait;
                let was_full = table.len() >= capacity;
                table.set(key, now + SECOND * ttl, now);
                model.insert(key, now + SECOND * ttl);
                prop_assert_eq!(table.get(key), model.get(&key).copied());
                prop_assert!(table.len() <= capacity.max(1));
                for (key, drained_at) in model.clone() {
                    if let Some(found) = table.get(key) {
                        prop_assert_eq!(found, drained_at);
                    } else {
                        prop_assert!(drained_at <= now || was_full);
                        model.remove(&key);
                    }
                }
            }
        }
    }
}
