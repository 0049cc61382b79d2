//! Checks in progress, each shared by the requests that need the same answer.

use std::{
    collections::HashMap,
    hash::Hash,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::sync::OnceCell;

/// The checks in progress, by key. Each began with a mark, by which a request decides whether it may
/// share the check, and has an answer when it ends.
pub(crate) struct SharedChecks<K, M, T> {
    running: Mutex<HashMap<K, Running<M, T>>>,
}

struct Running<M, T> {
    mark: M,
    answer: Arc<OnceCell<T>>,
    /// The number of requests that share it. The last one removes it.
    requests: usize,
}

impl<K, M, T> Default for SharedChecks<K, M, T> {
    fn default() -> Self {
        Self { running: Mutex::default() }
    }
}

impl<K: Copy + Eq + Hash, M, T> SharedChecks<K, M, T> {
    /// Joins the check of this key that others have begun, if its mark is acceptable. Otherwise begins
    /// a check with this mark, which later requests join instead.
    pub(crate) fn join(
        &self,
        key: K,
        mark: M,
        accepts: impl FnOnce(&M) -> bool,
    ) -> SharedCheck<'_, K, M, T> {
        let mut running = self.lock();
        let answer = if let Some(check) = running.get_mut(&key).filter(|it| accepts(&it.mark)) {
            check.requests += 1;
            Arc::clone(&check.answer)
        } else {
            let answer = Arc::default();
            running.insert(key, Running { mark, answer: Arc::clone(&answer), requests: 1 });
            answer
        };
        SharedCheck { checks: self, key, answer }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<K, Running<M, T>>> {
        // Nothing panics during a change, so a poisoned lock is consistent.
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A request's share in a check.
pub(crate) struct SharedCheck<'a, K: Copy + Eq + Hash, M, T> {
    checks: &'a SharedChecks<K, M, T>,
    key: K,
    answer: Arc<OnceCell<T>>,
}

impl<K: Copy + Eq + Hash, M, T: Clone> SharedCheck<'_, K, M, T> {
    /// Returns the answer. One of the requests runs its `check`. If that request is dropped, another one
    /// runs its own.
    pub(crate) async fn answer(self, check: impl AsyncFnOnce() -> T) -> T {
        self.answer.get_or_init(|| check()).await.clone()
    }
}

impl<K: Copy + Eq + Hash, M, T> Drop for SharedCheck<'_, K, M, T> {
    fn drop(&mut self) {
        let mut running = self.checks.lock();
        // A check with another mark may have taken the place of this one.
        let mine = running.get_mut(&self.key).filter(|it| Arc::ptr_eq(&it.answer, &self.answer));
        if let Some(check) = mine {
            check.requests -= 1;
            if check.requests == 0 {
                running.remove(&self.key);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    type Checks = SharedChecks<char, u64, ()>;

    fn join(checks: &Checks, key: char, mark: u64) -> SharedCheck<'_, char, u64, ()> {
        checks.join(key, mark, |it| *it == mark)
    }

    fn len(checks: &Checks) -> usize {
        checks.lock().len()
    }

    #[test]
    fn check_is_shared_until_the_last_request_has_left() {
        let checks = Checks::default();
        let (first, second) = (join(&checks, 'a', 0), join(&checks, 'a', 0));
        let other = join(&checks, 'b', 0);
        assert!(Arc::ptr_eq(&first.answer, &second.answer));
        assert!(!Arc::ptr_eq(&first.answer, &other.answer));
        drop(first);
        assert_eq!(len(&checks), 2);
        assert!(Arc::ptr_eq(&second.answer, &join(&checks, 'a', 0).answer));
        drop(second);
        assert_eq!(len(&checks), 1);
        drop(other);
        assert_eq!(len(&checks), 0);
    }

    #[test]
    fn check_with_another_mark_is_not_joined_but_replaced() {
        let checks = Checks::default();
        let (old, new) = (join(&checks, 'a', 0), join(&checks, 'a', 1));
        assert!(!Arc::ptr_eq(&old.answer, &new.answer));
        drop(old);
        assert!(Arc::ptr_eq(&new.answer, &join(&checks, 'a', 1).answer));
        drop(new);
        assert_eq!(len(&checks), 0);
    }

    #[test]
    fn requests_that_leave_at_the_same_time_leave_nothing_behind() {
        let checks = Checks::default();
        thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| (0..10_000).for_each(|_| drop(join(&checks, 'a', 0))));
            }
        });
        assert_eq!(len(&checks), 0);
    }
}
