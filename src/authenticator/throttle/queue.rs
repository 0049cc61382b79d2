//! The queue of the logins that wait for attempts in progress.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use crate::authenticator::throttle::drain_times::Key;

/// How many logins may wait, and how many of the same user-id or of the same network.
const QUEUE_LIMIT: usize = 1000;
const SHARE: usize = 200;

/// Counts the waiting logins, in all and for each of their keys. They are woken all at once, so
/// they have no order.
#[derive(Debug, Default)]
pub(crate) struct Queue {
    waiting: Mutex<Counts>,
}

#[derive(Debug, Default)]
struct Counts {
    all: usize,
    by_key: HashMap<Key, usize>,
}

impl Queue {
    /// Enters the queue, unless it is full, or one of the keys has its whole share. Dropping the
    /// result leaves it.
    pub(crate) fn enter(&self, keys: Vec<Key>) -> Option<QueueEntry<'_>> {
        let mut counts = self.lock();
        let has_share = |key| counts.by_key.get(key).is_none_or(|it| *it < SHARE);
        if counts.all >= QUEUE_LIMIT || !keys.iter().all(has_share) {
            return None;
        }
        counts.all += 1;
        for key in &keys {
            *counts.by_key.entry(*key).or_default() += 1;
        }
        Some(QueueEntry { queue: self, keys })
    }

    fn lock(&self) -> MutexGuard<'_, Counts> {
        // Nothing panics while the lock is held, so a poisoned lock is consistent.
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A place in the queue.
#[derive(Debug)]
pub(crate) struct QueueEntry<'a> {
    queue: &'a Queue,
    keys: Vec<Key>,
}

impl Drop for QueueEntry<'_> {
    fn drop(&mut self) {
        let mut counts = self.queue.lock();
        counts.all = counts.all.saturating_sub(1);
        for key in &self.keys {
            if let Some(count) = counts.by_key.get_mut(key) {
                *count = count.saturating_sub(1);
                if *count == 0 {
                    counts.by_key.remove(key);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queue_is_bounded_in_all_and_for_each_key() {
        let queue = Queue::default();
        let entries: Vec<_> = (0..2000).filter_map(|it| queue.enter(vec![1, 1000 + it])).collect();
        assert_eq!(entries.len(), SHARE);
        let others: Vec<_> = (0..2000).filter_map(|it| queue.enter(vec![3000 + it])).collect();
        assert_eq!(others.len(), QUEUE_LIMIT - SHARE);
        drop(entries);
        assert!(queue.enter(vec![1]).is_some());
        drop(others);
        assert!(queue.lock().by_key.is_empty() && queue.lock().all == 0);
    }
}
