//! Tells those who wait for the end of a login when this process changes one of its keys.

use std::{
    collections::HashMap,
    sync::{
        Arc, LazyLock, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

use tokio::sync::Notify;

use super::key::RevocationKey;

/// The subscriptions by key and number. They are as many as the open connections of logged-in users
/// that wait, with at most 15 keys each.
type Subscriptions = HashMap<RevocationKey, HashMap<u64, Arc<Notify>>>;

static ALL: LazyLock<Mutex<Subscriptions>> = LazyLock::new(Mutex::default);

/// The number of the next subscription.
static NEXT: AtomicU64 = AtomicU64::new(0);

fn lock() -> MutexGuard<'static, Subscriptions> {
    // No operation on the map panics half-way, so it is valid even if the lock is poisoned.
    ALL.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Waits for changes of some keys of the revocation list, until it is dropped.
#[derive(Debug)]
pub(crate) struct Subscription {
    number: u64,
    keys: Vec<RevocationKey>,
    changed: Arc<Notify>,
}

impl Subscription {
    pub(super) fn to(keys: &[RevocationKey]) -> Self {
        let (number, keys) = (NEXT.fetch_add(1, Relaxed), keys.to_vec());
        let changed = Arc::new(Notify::new());
        let mut all = lock();
        for key in &keys {
            all.entry(*key).or_default().insert(number, Arc::clone(&changed));
        }
        drop(all);
        Self { number, keys, changed }
    }

    /// Waits until one of the keys changes. A change before the call counts, too, unless an earlier
    /// call has returned for it.
    pub(crate) async fn changed(&self) {
        self.changed.notified().await;
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        let mut all = lock();
        for key in &self.keys {
            if let Some(of_key) = all.get_mut(key) {
                of_key.remove(&self.number);
                if of_key.is_empty() {
                    all.remove(key);
                }
            }
        }
    }
}

/// Wakes those who wait for this key, and nobody else.
pub(super) fn notify(key: &RevocationKey) {
    if let Some(of_key) = lock().get(key) {
        for it in of_key.values() {
            it.notify_one();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{
        future::Future,
        pin::pin,
        task::{Context, Waker},
    };

    use super::*;

    fn key(number: u128) -> RevocationKey {
        RevocationKey::numbered(number)
    }

    fn has_changed(subscription: &Subscription) -> bool {
        pin!(subscription.changed()).poll(&mut Context::from_waker(Waker::noop())).is_ready()
    }

    #[test]
    fn change_wakes_only_its_subscribers_and_once() {
        let (one, other) = (Subscription::to(&[key(101), key(102)]), Subscription::to(&[key(102)]));
        assert!(!has_changed(&one));
        notify(&key(101));
        assert!(has_changed(&one));
        assert!(!has_changed(&one) && !has_changed(&other));
        notify(&key(102));
        assert!(has_changed(&one) && has_changed(&other));
        notify(&key(103));
        assert!(!has_changed(&one) && !has_changed(&other));
    }

    #[test]
    fn dropped_subscription_leaves_nothing_behind() {
        let (one, other) = (Subscription::to(&[key(201), key(202)]), Subscription::to(&[key(202)]));
        drop(one);
        assert!(!lock().contains_key(&key(201)));
        assert_eq!(lock().get(&key(202)).map(HashMap::len), Some(1));
        drop(other);
        assert!(!lock().contains_key(&key(202)));
    }
}
