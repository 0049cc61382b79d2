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
    /// None if the login has ended.
    pub(crate) login: Option<LoginId>,
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
        let Known { login, fingerprint: known, is_cross_site } = known;
        let key = self.hasher.hash_one((login, known.map_key(), is_cross_site));
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

    fn known(login: Option<LoginId>, fingerprint: &Fingerprint) -> Known<'_> {
        Known { login, fingerprint, is_cross_site: false }
    }

    /// Presents a password with a session that knows the password 0.
    fn are_too_many(all: &Guesses, password: usize, now: u64) -> bool {
        all.are_too_many(known(None, &fingerprint(0)), &fingerprint(password), now)
    }

    #[test]
    fn tenth_guess_is_too_many_and_the_known_credentials_are_so_then() {
        let all = Guesses::default();
        for password in 0..MAX_GUESSES {
            assert!(!are_too_many(&all, password, 0));
        }
        assert!(are_too_many(&all, 10, 0));
        assert!(are_too_many(&all, 0, 0), "a right guess looks like a wrong one");
        assert!(are_too_many(&all, 0, WINDOW - 1));
        assert!(!are_too_many(&all, 0, WINDOW), "a day has passed");
    }

    #[test]
    fn repeated_credentials_count_once() {
        let all = Guesses::default();
        for now in 0..100 {
            assert!(!are_too_many(&all, 1, now));
            assert!(!are_too_many(&all, 0, now));
        }
    }

    #[test]
    fn logins_with_the_same_credentials_have_guesses_of_their_own() {
        let (all, own) = (Guesses::default(), fingerprint(0));
        let (one, other) = (known(Some(LoginId::draw()), &own), known(Some(LoginId::draw()), &own));
        for password in 1..=MAX_GUESSES {
            all.are_too_many(one, &fingerprint(password), 0);
        }
        assert!(all.are_too_many(one, &own, 0));
        assert!(!all.are_too_many(other, &fingerprint(1), 0));
        assert!(!all.are_too_many(Known { is_cross_site: true, ..one }, &own, 0));
        assert!(!are_too_many(&all, 1, 0), "nor do the guesses count after the login");
    }

    #[test]
    fn flood_of_10_000_requests_gains_one_guess() {
        let all = Guesses::default();
        for password in 1..=MAX_GUESSES {
            are_too_many(&all, password, 0);
        }
        for number in 1..10_000 * MAX_GUESSES {
            all.are_too_many(known(None, &fingerprint(number)), &fingerprint(0), 1);
        }
        assert!(are_too_many(&all, 0, 1));
        all.are_too_many(known(None, &fingerprint(CAPACITY)), &fingerprint(0), 1);
        assert!(!are_too_many(&all, 0, 1));
        assert_eq!(all.sessions.lock().expect("unpoisoned").len(), CAPACITY);
    }
}
