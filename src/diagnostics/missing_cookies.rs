//! Detects browsers that keep no cookies. Their users would be prompted again and again.

use std::{
    fmt,
    hash::{BuildHasher, RandomState},
    sync::{Mutex, PoisonError},
};

use actix_web::{
    HttpRequest,
    http::header::{HeaderValue, USER_AGENT},
};

use crate::expiring_map::ExpiringMap;

/// A browser keeps no cookies if its user types the same user-id twice within this time, and it sends no
/// session cookie either time. In milliseconds.
const WINDOW: u64 = 60_000;

/// The maximum number of remembered browsers. Each takes some 100 bytes.
const CAPACITY: usize = 1_000;

/// Browsers that were challenged because their credentials came without a session.
pub(crate) struct MissingCookies {
    hasher: RandomState,
    browsers: Mutex<ExpiringMap<u64, (), u64>>,
}

impl Default for MissingCookies {
    fn default() -> Self {
        Self { hasher: RandomState::new(), browsers: Mutex::new(ExpiringMap::new(CAPACITY)) }
    }
}

impl MissingCookies {
    /// Returns whether this user-id came without a session from this browser before, less than [`WINDOW`]
    /// ago. If not, remembers that it came at `now`.
    ///
    /// The password does not matter: the answer would tell a client whether it has guessed the password
    /// of another.
    pub(crate) fn came_before(
        &self,
        req: &HttpRequest,
        is_navigation: bool,
        user_id: &str,
        now: u64,
    ) -> bool {
        let address = req.peer_addr().map(|it| it.ip());
        let user_agent = req.headers().get(USER_AGENT).map(HeaderValue::as_bytes);
        let key = self.hasher.hash_one((address, user_agent, is_navigation, user_id));
        let mut all = self.browsers.lock().unwrap_or_else(PoisonError::into_inner);
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
    use actix_web::test::TestRequest;

    use super::*;

    fn came_before(all: &MissingCookies, number: usize, now: u64) -> bool {
        let req = TestRequest::default().insert_header((USER_AGENT, "Mozilla/5.0"));
        let req = req.peer_addr("192.0.2.1:9".parse().expect("an address"));
        all.came_before(&req.to_http_request(), true, &format!("user{number}"), now)
    }

    #[test]
    fn same_user_id_is_recognized_for_a_minute() {
        let all = MissingCookies::default();
        assert!(!came_before(&all, 1, 0));
        assert!(!came_before(&all, 2, 0));
        assert!(came_before(&all, 1, WINDOW - 1));
        assert!(!came_before(&all, 1, WINDOW), "a minute has passed");
    }

    #[test]
    fn browsers_at_other_addresses_and_other_browsers_are_distinguished() {
        let all = MissingCookies::default();
        assert!(!came_before(&all, 1, 0));
        for (user_agent, address) in [("Mozilla/5.0", "192.0.2.2:9"), ("Other", "192.0.2.1:9")] {
            let req = TestRequest::default().insert_header((USER_AGENT, user_agent));
            let req = req.peer_addr(address.parse().expect("an address")).to_http_request();
            assert!(!all.came_before(&req, true, "user1", 1));
            assert!(!all.came_before(&req, false, "user1", 1));
            assert!(all.came_before(&req, true, "user1", 2));
        }
    }

    #[test]
    fn memory_is_bounded_and_evicts_the_oldest() {
        let all = MissingCookies::default();
        let mut now = 0;
        for number in 0..=CAPACITY {
            assert!(!came_before(&all, number, now));
            now += 1;
        }
        assert!(came_before(&all, 1, now));
        assert!(!came_before(&all, 0, now));
    }
}
