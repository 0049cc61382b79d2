//! Counts the credentials that requests present with a session that holds a fingerprint of others.
//!
//! A request with the credentials of the fingerprint is answered without the authenticator, so its
//! answer differs from that of wrong credentials, also when a rate limit is reached. Without a bound,
//! an attacker with a stolen cookie could try any number of passwords.

use std::{
    fmt,
    hash::{BuildHasher, RandomState},
    sync::{Mutex, PoisonError},
};

use crate::{
    expiring_map::ExpiringMap, request::fingerprint::Fingerprint, revocation::key::LoginId,
};

/// So many different other credentials with one session, within [`WINDOW`], are too many.
pub(crate) const MAX_GUESSES: usize = 10;

/// How long guesses count after the last one: a day, in milliseconds.
pub(crate) const WINDOW: u64 = 24 * 60 * 60 * 1000;

/// The maximum number of sessions whose guesses are counted. Each takes some 300 bytes. A client
/// without a login can prepare such sessions, and then add an entry with each request, so a flood of 10,000
/// requests gains one guess.
const CAPACITY: usize = 100_000;

/// The guesses of a realm.
pub(crate) struct Guesses {
    hasher: RandomState,
    sessions: Mutex<ExpiringMap<u64, [u64; MAX_GUESSES], u64>>,
}

impl Default for Guesses {
    fn default() -> Self {
        Self { hasher: RandomState::new(), sessions: Mutex::new(ExpiringMap::new(CAPACITY)) }
    }
}

/// A fingerprint that a session holds, and the requests that are counted together.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Known<'a> {
    /// Names what the fingerprint comes from. The fingerprint itself must not: an attacker can put the
    /// fingerprint of a guess into a session, and would see whether guesses at another session count.
    pub(crate) lineage: LoginId,
    pub(crate) fingerprint: &'a Fingerprint,
    /// Another site made the browser send the request, perhaps with credentials in a link. Such requests
    /// are counted apart, so that another site cannot end a login.
    pub(crate) is_cross_site: bool,
}

impl Guesses {
    /// Counts the presented credentials, if they are not the known ones and come for the first time.
    /// Returns whether too many different credentials have come, so that the presented ones must not be
    /// compared with the known ones.
    pub(crate) fn are_too_many(&self, known: Known<'_>, presented: &Fingerprint, now: u64) -> bool {
        let Known { lineage, fingerprint: known, is_cross_site } = known;
        let key = self.hasher.hash_one((lineage, is_cross_site));
        let mut all = self.sessions.lock().unwrap_or_else(PoisonError::into_inner);
        // The first ones are guesses, and the rest is zero.
        let mut guesses = all.get(&key, now).copied().unwrap_or_default();
        let Some(free) = guesses.iter().position(|it| *it == 0) else { return true };
        if presented == known {
            return false;
        }
        let guess = presented.map_key();
        let guess = guess.first_chunk().map_or(0, |it| u64::from_ne_bytes(*it));
        if guesses.contains(&guess) {
            return false;
        }
        guesses[free] = guess;
        all.insert(key, guesses, now.saturating_add(WINDOW), now);
        free + 1 >= MAX_GUESSES
    }
}

impl fmt::Debug for Guesses {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Guesses(..)")
    }
}

#[cfg(test)]
mod tests {
    use actix_web_httpauth::headers::authorization::Basic;

    use super::*;
    use crate::request::fingerprint::FingerprintKey;

    fn fingerprint(password: usize) -> Fingerprint {
        let credentials = Basic::new("alice", Some(password.to_string())).into();
        FingerprintKey::new(&[1; 32]).of("Admin area", &credentials)
    }

    /// Presents a password with a session that knows the password 0.
    fn are_too_many(all: &Guesses, lineage: LoginId, password: usize, now: u64) -> bool {
        let known = Known { lineage, fingerprint: &fingerprint(0), is_cross_site: false };
        all.are_too_many(known, &fingerprint(password), now)
    }

    #[test]
    fn tenth_guess_is_too_many_and_the_known_credentials_are_so_then() {
        let (all, alice) = (Guesses::default(), LoginId::draw());
        for password in 0..MAX_GUESSES {
            assert!(!are_too_many(&all, alice, password, 0));
        }
        assert!(are_too_many(&all, alice, 10, 0));
        assert!(are_too_many(&all, alice, 11, 0));
        assert!(are_too_many(&all, alice, 0, 0), "a right guess looks like a wrong one");
        assert!(are_too_many(&all, alice, 0, WINDOW - 1));
        assert!(!are_too_many(&all, alice, 0, WINDOW), "a day has passed");
    }

    #[test]
    fn repeated_credentials_count_once() {
        let (all, alice) = (Guesses::default(), LoginId::draw());
        for now in 0..100 {
            assert!(!are_too_many(&all, alice, 1, now));
            assert!(!are_too_many(&all, alice, 0, now));
        }
    }

    #[test]
    fn sessions_with_the_same_credentials_have_guesses_of_their_own() {
        let (all, one) = (Guesses::default(), LoginId::draw());
        for password in 1..=MAX_GUESSES {
            are_too_many(&all, one, password, 0);
        }
        assert!(are_too_many(&all, one, 0, 0));
        assert!(!are_too_many(&all, LoginId::draw(), 0, 0));
        let known = Known { lineage: one, fingerprint: &fingerprint(0), is_cross_site: true };
        assert!(!all.are_too_many(known, &fingerprint(0), 0), "links of another site");
    }

    #[test]
    fn flood_of_10_000_requests_gains_one_guess() {
        let (all, alice) = (Guesses::default(), LoginId::draw());
        for password in 1..=MAX_GUESSES {
            are_too_many(&all, alice, password, 0);
        }
        for _ in 1..10_000 * MAX_GUESSES {
            are_too_many(&all, LoginId::draw(), 1, 1);
        }
        assert!(are_too_many(&all, alice, 0, 1));
        are_too_many(&all, LoginId::draw(), 1, 1);
        assert!(!are_too_many(&all, alice, 0, 1));
        assert_eq!(all.sessions.lock().expect("unpoisoned").len(), CAPACITY);
    }
}
