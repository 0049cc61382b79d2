//! A map of bounded size whose entries expire.
//!
//! Pure: the caller passes the current time, of any type (`Instant`, `Duration` or milliseconds as
//! `u64`). Uses nothing of this crate.

use std::{
    collections::{BTreeSet, HashMap},
    fmt,
    hash::Hash,
};

/// Maps keys to values until they expire.
///
/// It holds at most `capacity` entries. One more evicts the entry that expires soonest. If several
/// expire at that time, it evicts the one with the smallest key.
pub(crate) struct ExpiringMap<K, V, T> {
    capacity: usize,
    /// The values and their expiry times.
    entries: HashMap<K, (V, T)>,
    /// The keys by expiry time, soonest first.
    by_expiry: BTreeSet<(T, K)>,
}

impl<K, V, T> ExpiringMap<K, V, T>
where
    K: Copy + Eq + Hash + Ord,
    T: Copy + Ord,
{
    pub(crate) fn new(capacity: usize) -> Self {
        Self { capacity, entries: HashMap::new(), by_expiry: BTreeSet::new() }
    }

    /// Inserts a value that expires at `expires_at`, in place of the key's previous value.
    ///
    /// First removes expired entries, then evicts one entry if the map exceeds its capacity.
    /// Returns whether an entry was evicted before its expiry. A value that has already expired is
    /// not stored.
    pub(crate) fn insert(&mut self, key: K, value: V, expires_at: T, now: T) -> bool {
        self.purge(now);
        if let Some((_, old_expiry)) = self.entries.insert(key, (value, expires_at)) {
            self.by_expiry.remove(&(old_expiry, key));
        }
        self.by_expiry.insert((expires_at, key));
        if expires_at <= now {
            self.purge(now);
        }
        let is_over_capacity = self.entries.len() > self.capacity;
        if is_over_capacity {
            self.remove_soonest();
        }
        is_over_capacity
    }

    /// The key's value, if it has not expired.
    pub(crate) fn get(&self, key: &K, now: T) -> Option<&V> {
        self.entries.get(key).filter(|(_, expires_at)| now < *expires_at).map(|(value, _)| value)
    }

    /// The expiry time of the key's value. The value may have expired without being removed yet.
    #[cfg(test)]
    pub(crate) fn expiry(&self, key: &K) -> Option<T> {
        self.entries.get(key).map(|(_, expires_at)| *expires_at)
    }

    /// Removes the key and returns its value, even if it has expired.
    pub(crate) fn remove(&mut self, key: &K) -> Option<V> {
        let (value, expires_at) = self.entries.remove(key)?;
        self.by_expiry.remove(&(expires_at, *key));
        Some(value)
    }

    /// Removes all entries that have expired.
    pub(crate) fn purge(&mut self, now: T) {
        while self.by_expiry.first().is_some_and(|(expires_at, _)| *expires_at <= now) {
            self.remove_soonest();
        }
    }

    fn remove_soonest(&mut self) {
        if let Some((_, key)) = self.by_expiry.pop_first() {
            self.entries.remove(&key);
        }
    }

    /// The number of entries, including expired entries that were not removed yet.
    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        assert_eq!(self.entries.len(), self.by_expiry.len(), "one expiry for each entry");
        self.entries.len()
    }
}

/// Shows neither keys nor values, because they may be secret.
impl<K, V, T> fmt::Debug for ExpiringMap<K, V, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ExpiringMap")
            .field("capacity", &self.capacity)
            .field("len", &self.entries.len())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn values_expire() {
        let mut map = ExpiringMap::new(9);
        assert!(!map.insert("a", 1, 10, 0));
        assert_eq!(map.get(&"a", 9), Some(&1));
        assert_eq!(map.get(&"a", 10), None);
        assert_eq!(map.get(&"b", 0), None);
        assert_eq!((map.expiry(&"a"), map.expiry(&"b")), (Some(10), None));
    }

    #[test]
    fn inserting_a_key_again_replaces_value_and_expiry() {
        let mut map = ExpiringMap::new(9);
        map.insert("a", 1, 10, 0);
        map.insert("a", 2, 20, 0);
        assert_eq!((map.get(&"a", 15), map.len()), (Some(&2), 1));
        map.insert("a", 3, 5, 0);
        assert_eq!((map.get(&"a", 4), map.get(&"a", 5)), (Some(&3), None));
        map.insert("a", 4, 0, 0);
        assert_eq!((map.get(&"a", 0), map.len()), (None, 0), "expired already");
    }

    #[test]
    fn full_map_evicts_soonest_expiry_then_smallest_key() {
        let mut map = ExpiringMap::new(2);
        assert!(!map.insert("late", 0, 20, 0));
        assert!(!map.insert("a", 0, 10, 0));
        assert!(map.insert("z", 0, 10, 0));
        assert_eq!(map.get(&"a", 0), None);
        assert!(map.insert("soon", 0, 5, 0), "the new entry itself");
        assert_eq!(map.get(&"soon", 0), None);
        assert!(!map.insert("z", 1, 15, 0), "an existing key takes no more room");
        assert_eq!((map.len(), map.get(&"late", 0), map.get(&"z", 0)), (2, Some(&0), Some(&1)));
    }

    #[test]
    fn expired_entries_are_removed_before_live_ones_are_evicted() {
        let mut map = ExpiringMap::new(2);
        map.insert("a", 0, 10, 0);
        map.insert("b", 0, 20, 0);
        assert!(!map.insert("c", 0, 20, 10), "a has expired");
        assert_eq!((map.len(), map.expiry(&"a")), (2, None));
        map.purge(20);
        assert_eq!(map.len(), 0);
    }

    #[test]
    fn removed_value_is_returned_and_gone() {
        let mut map = ExpiringMap::new(2);
        map.insert("a", 1, 10, 0);
        assert_eq!(map.remove(&"a"), Some(1));
        assert_eq!((map.remove(&"a"), map.len()), (None, 0));
    }

    #[test]
    fn debug_shows_no_key_and_no_value() {
        let mut map = ExpiringMap::new(2);
        map.insert("key", "value", 10, 0);
        assert_eq!(format!("{map:?}"), "ExpiringMap { capacity: 2, len: 1, .. }");
    }

    #[derive(Clone, Copy, Debug)]
    enum Step {
        Insert { key: u8, ttl: u64 },
        Remove { key: u8 },
        Purge,
        Wait(u64),
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            4 => (0u8..8, 0u64..10).prop_map(|(key, ttl)| Step::Insert { key, ttl }),
            1 => (0u8..8).prop_map(|key| Step::Remove { key }),
            1 => Just(Step::Purge),
            2 => (0u64..4).prop_map(Step::Wait),
        ]
    }

    proptest! {
        /// The model is a list of `(key, value, expires_at)`.
        #[test]
        fn map_behaves_like_a_list(
            capacity in 0usize..5,
            steps in proptest::collection::vec(step(), 0..100),
        ) {
            let mut map = ExpiringMap::new(capacity);
            let (mut model, mut now) = (Vec::<(u8, usize, u64)>::new(), 0);
            for (value, step) in steps.into_iter().enumerate() {
                match step {
                    Step::Insert { key, ttl } => {
                        model.retain(|(it, _, at)| *it != key && now < *at);
                        let expires_at = now + ttl;
                        if ttl > 0 {
                            model.push((key, value, expires_at));
                        }
                        let evicts = model.len() > capacity;
                        if evicts {
                            model.sort_unstable_by_key(|(key, _, at)| (*at, *key));
                            model.remove(0);
                        }
                        prop_assert_eq!(map.insert(key, value, expires_at, now), evicts);
                    }
                    Step::Remove { key } => {
                        let index = model.iter().position(|(it, _, _)| *it == key);
                        let expected = index.map(|it| model.remove(it).1);
                        prop_assert_eq!(map.remove(&key), expected);
                    }
                    Step::Purge => {
                        model.retain(|(_, _, at)| now < *at);
                        map.purge(now);
                    }
                    Step::Wait(time) => now += time,
                }
                prop_assert_eq!(map.len(), model.len());
                for key in 0..8 {
                    let entry = model.iter().find(|(it, _, _)| *it == key);
                    let live = entry.filter(|(_, _, at)| now < *at);
                    prop_assert_eq!(map.get(&key, now), live.map(|(_, value, _)| value));
                    prop_assert_eq!(map.expiry(&key), entry.map(|(_, _, at)| *at));
                }
            }
        }
    }
}
