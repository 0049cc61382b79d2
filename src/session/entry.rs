//! A realm's entry in the session. Only this file names session keys or knows how a session stores values.

use actix_session::Session;
use serde::{Deserialize, Serialize};

use super::{
    login::Login,
    state::{Cause, State},
};
use crate::{
    request::fingerprint::{Fingerprint, FingerprintKey},
    revocation::key::{LoginId, RevocationKey},
};

/// A realm's entry in the session.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Entry {
    /// `None` after a logout. The next challenge draws a new id.
    pub(crate) id: Option<LoginId>,
    pub(crate) origin: String,
    pub(crate) state: State,
}

/// The result of a search for a realm's entry in a session.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "it is taken apart where it is found")]
pub(crate) enum FoundEntry {
    /// The session is empty or does not exist.
    NoSession,
    /// The realm has no entry, and the session replaces one that no longer exists.
    ReplacesMissing,
    /// The realm has no entry.
    Missing,
    Unreadable,
    Entry(Entry),
}

const PREFIX: &str = "actix-basic-logout:";

/// The key of a mark, and of no realm. It says that the session replaces one that no longer exists, so a realm
/// without an entry counts as logged out, not as new.
const REPLACES_MISSING: &str = PREFIX;

/// Under this key a session stores the key of the session that it replaces. No realm's name has a control character.
const PREDECESSOR: &str = "actix-basic-logout:\n";

/// The key under which a session stores a realm's entry.
pub(crate) fn key_of(realm: &str) -> String {
    format!("{PREFIX}{realm}")
}

/// The stored text of everything in a session that matters to a realm's login. It is compared without being
/// parsed.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct StoredEntry<'s> {
    entry: &'s str,
    /// `None` instead of an empty string: see docs/performance.md.
    predecessor: Option<&'s str>,
}

/// A [`StoredEntry`] that outlives its session.
pub(crate) struct OwnedStoredEntry {
    entry: String,
    predecessor: Option<String>,
}

impl StoredEntry<'_> {
    /// Hashes the entry. Entries with the same hash may differ; the caller compares them.
    pub(crate) fn hash128(&self) -> u128 {
        let (blocks, rest) = self.entry.as_bytes().as_chunks();
        let mut last = [0; 16];
        last[..rest.len()].copy_from_slice(rest);
        let blocks = blocks.iter().map(|it| u128::from_ne_bytes(*it));
        blocks.fold(u128::from_ne_bytes(last), |all, it| all ^ it)
    }

    pub(crate) fn to_owned(self) -> OwnedStoredEntry {
        let Self { entry, predecessor } = self;
        OwnedStoredEntry {
            entry: entry.to_owned(),
            predecessor: predecessor.map(ToOwned::to_owned),
        }
    }
}

impl OwnedStoredEntry {
    pub(crate) fn as_stored(&self) -> StoredEntry<'_> {
        StoredEntry { entry: &self.entry, predecessor: self.predecessor.as_deref() }
    }
}

/// Reads what is stored for a realm, if there is anything.
pub(crate) fn with_stored<T>(
    session: &Session,
    key: &str,
    read: impl FnOnce(StoredEntry<'_>) -> T,
) -> Option<T> {
    let entries = session.entries();
    let mut each = entries.iter();
    // Most sessions hold nothing else, and then a comparison is faster than a lookup.
    if let (Some((only, entry)), None) = (each.next(), each.next()) {
        return (only == key).then(|| read(StoredEntry { entry, predecessor: None }));
    }
    let entry = entries.get(key)?;
    let predecessor = entries.get(PREDECESSOR).map(String::as_str);
    Some(read(StoredEntry { entry, predecessor }))
}

/// Whether the session is empty, like a session that does not exist.
pub(crate) fn is_empty(session: &Session) -> bool {
    session.entries().is_empty()
}

pub(crate) fn find(session: &Session, key: &str) -> FoundEntry {
    match session.get(key) {
        Ok(None) if is_empty(session) => FoundEntry::NoSession,
        Ok(None) if session.contains_key(REPLACES_MISSING) => FoundEntry::ReplacesMissing,
        Ok(None) => FoundEntry::Missing,
        // A login without an id could not be revoked.
        Ok(Some(Entry { id: None, state: State::LoggedIn(_), .. })) | Err(_) => {
            FoundEntry::Unreadable
        }
        Ok(Some(entry)) => FoundEntry::Entry(entry),
    }
}

/// Whether anything is stored for a realm.
pub(crate) fn contains(session: &Session, key: &str) -> bool {
    session.contains_key(key)
}

/// Writes an entry to the session. The session middleware saves it.
pub(crate) fn put(session: &Session, key: &str, entry: &Entry) {
    if let Err(error) = session.insert(key, entry) {
        // An entry can always be serialized. If that ever fails, no user is logged in.
        tracing::error!(key, %error, "the login could not be written to the session");
    }
}

/// Marks a session as the replacement of one that no longer exists.
pub(crate) fn mark_replacement(session: &Session) {
    put(session, REPLACES_MISSING, &ended());
}

/// Stores the key of the session that this one replaces, or that none is known.
pub(crate) fn note_predecessor(session: &Session, predecessor: Option<RevocationKey>) {
    match predecessor {
        // As in `put`.
        Some(it) => drop(session.insert(PREDECESSOR, it.to_string())),
        None => drop(session.remove(PREDECESSOR)),
    }
}

pub(crate) fn predecessor(session: &Session) -> Option<RevocationKey> {
    session.get::<String>(PREDECESSOR).ok()??.parse().ok()
}

/// The entries of all realms but the one with that key, each with its own key.
pub(crate) fn others(session: &Session, mine: &str) -> Vec<(String, Entry)> {
    let is_of_another =
        |key: &&String| key.starts_with(PREFIX) && *key != mine && *key != PREDECESSOR;
    let keys: Vec<_> = session.entries().keys().filter(is_of_another).cloned().collect();
    let entry = |key: String| match find(session, &key) {
        FoundEntry::Entry(entry) => Some((key, entry)),
        FoundEntry::NoSession | FoundEntry::ReplacesMissing | FoundEntry::Missing => None,
        FoundEntry::Unreadable => Some((key, ended())),
    };
    keys.into_iter().filter_map(entry).collect()
}

fn ended() -> Entry {
    Entry {
        id: None,
        origin: String::new(),
        state: State::Fresh.without_proof(Cause::LoginRequired),
    }
}

impl Entry {
    /// The state that counts for a request from this origin with these credentials. `has_ended` says that a logout
    /// has ended the id since the entry was written.
    ///
    /// Browsers keep credentials per origin (scheme, host, port), but cookies across ports and perhaps subdomains, so
    /// what one origin's browser has shown proves nothing about another's.
    pub(crate) fn into_state(
        self,
        key: &FingerprintKey,
        origin: &str,
        credentials: Option<&Fingerprint>,
        has_ended: bool,
    ) -> State {
        let state = if has_ended { self.state.ended() } else { self.state };
        match state {
            _ if self.origin == origin => state.known_to(key),
            // A login counts on every origin, with its own credentials.
            State::LoggedIn(login) if credentials.is_none_or(|it| *it == login.fingerprint) => {
                State::LoggedIn(Login { foreign_origin: Some(self.origin), ..login })
            }
            _ => state.without_proof(state.cause_elsewhere()).known_to(key),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stored<'s>(entry: &'s str, predecessor: Option<&'s str>) -> StoredEntry<'s> {
        StoredEntry { entry, predecessor }
    }

    #[test]
    fn stored_entries_are_equal_only_if_entry_and_predecessor_are() {
        let entry = stored(r#"{"id":"1"}"#, None);
        assert!(entry == stored(r#"{"id":"1"}"#, None));
        assert!(entry != stored(r#"{"id":"2"}"#, None));
        assert!(entry != stored(r#"{"id":"1"}"#, Some("1")));
        assert!(entry == entry.to_owned().as_stored());
    }

    #[test]
    fn hash_depends_on_the_id_wherever_it_is_in_the_entry() {
        let rest = r#""origin":"http://localhost:8080","state":"fresh""#;
        for place in [r#"{"id":"ID",REST}"#, r#"{REST,"id":"ID"}"#] {
            let entry =
                |id: char| place.replace("ID", &id.to_string().repeat(32)).replace("REST", rest);
            let (one, other) = (entry('1'), entry('2'));
            assert_eq!(stored(&one, None).hash128(), stored(&one, None).hash128());
            let mixed = one.replacen('1', "2", 1);
            assert_ne!(stored(&one, None).hash128(), stored(&mixed, None).hash128());
            assert_ne!(stored(&mixed, None).hash128(), stored(&other, None).hash128());
        }
    }
}
