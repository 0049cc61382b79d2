//! Browsers that keep no cookies, so that no dialog would ever lead anywhere.

use std::{
    collections::VecDeque,
    fmt,
    sync::{Mutex, PoisonError},
};

use crate::request::fingerprint::Fingerprint;

/// Who types the same again within this time, and still brings no cookie, keeps none. In
/// milliseconds.
const WINDOW: u64 = 60_000;

/// How many are remembered at most; the oldest goes first. Some 48 bytes each.
const MOST: usize = 1_000;

/// Credentials that were challenged though they came without a session, and when.
#[derive(Default)]
pub(crate) struct Cookieless(Mutex<VecDeque<(u64, Fingerprint)>>);

impl Cookieless {
    /// Whether these came without a session before, a short while ago. If not, they have now.
    pub(crate) fn came_before(&self, credentials: Fingerprint, now: u64) -> bool {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|(at, _)| now.abs_diff(*at) < WINDOW);
        let known = all.iter().any(|(_, it)| *it == credentials);
        if !known {
            all.push_back((now, credentials));
            if all.len() > MOST {
                all.pop_front();
            }
        }
        known
    }
}

impl fmt::Debug for Cookieless {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Cookieless(..)")
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
    fn the_same_credentials_again_within_a_minute_are_known() {
        let (all, key) = (Cookieless::default(), FingerprintKey::random());
        assert!(!all.came_before(of(&key, 1), 0));
        assert!(!all.came_before(of(&key, 2), 0));
        assert!(all.came_before(of(&key, 1), WINDOW - 1));
        assert!(!all.came_before(of(&key, 1), WINDOW), "that is another time");
    }

    #[test]
    fn the_memory_is_bounded_and_the_oldest_goes_first() {
        let (all, key) = (Cookieless::default(), FingerprintKey::random());
        for user in 0..=MOST {
            assert!(!all.came_before(of(&key, user), 0));
        }
        assert!(all.came_before(of(&key, 1), 0));
        assert!(!all.came_before(of(&key, 0), 0));
    }
}
