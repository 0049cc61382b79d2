//! Detects browsers that keep no cookies. Their users would be prompted again and again.

use std::{
    fmt,
    sync::{Mutex, PoisonError},
};

use crate::{expiring_map::ExpiringMap, request::fingerprint::Fingerprint};

/// A browser keeps no cookies if its user types the same credentials twice within this time, and it
/// sends no session cookie either time. In milliseconds.
const WINDOW: u64 = 60_000;

/// The maximum number of remembered credentials. Each takes some 200 bytes.
const CAPACITY: usize = 1_000;

/// Credentials that were challenged because they came without a session.
pub(crate) struct MissingCookies(Mutex<ExpiringMap<[u8; 32], (), u64>>);

impl Default for MissingCookies {
    fn default() -> Self {
        Self(Mutex::new(ExpiringMap::new(CAPACITY)))
    }
}

impl MissingCookies {
    /// Returns whether these credentials came without a session before, less than [`WINDOW`] ago. If
    /// not, remembers that they came at `now`.
    pub(crate) fn came_before(&self, credentials: Fingerprint, now: u64) -> bool {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let key = credentials.map_key();
        let came_before = all.get(&key, now).is_some();
        if !came_before {
            all.insert(key, (), now.saturating_add(WINDOW), now);
        }
        came_before
    }
}

impl fmt::Debug for MissingCookies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MissingCookies(..)")
    }
}

#[cfg(test)]
mod tests {
    use actix_web_httpauth::headers::authorization::Basic;

    use super::*;
    use crate::request::fingerprint::FingerprintKey;

    fn of(key: &FingerprintKey, user: usize) -> Fingerprint {
        key.of("Admin area", &Basic::new(user.to_string(), Some("x")).into())
    }

    #[test]
    fn same_credentials_are_recognized_for_a_minute() {
        let (all, key) = (MissingCookies::default(), FingerprintKey::random());
        assert!(!all.came_before(of(&key, 1), 0));
        assert!(!all.came_before(of(&key, 2), 0));
        assert!(all.came_before(of(&key, 1), WINDOW - 1));
        assert!(!all.came_before(of(&key, 1), WINDOW), "a minute has passed");
    }

    #[test]
    fn memory_is_bounded_and_evicts_the_oldest() {
        let (all, key) = (MissingCookies::default(), FingerprintKey::random());
        let mut now = 0;
        for user in 0..=CAPACITY {
            assert!(!all.came_before(of(&key, user), now));
            now += 1;
        }
        assert!(all.came_before(of(&key, 1), now));
        assert!(!all.came_before(of(&key, 0), now));
    }
}
