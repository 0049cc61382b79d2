//! A realm's entry in the session. Only this file names session keys and depends on how a session
//! stores values.

use std::collections::HashMap;

use actix_session::Session;
use serde::{Deserialize, Serialize};

use super::{
    deadlines::challenge_has_expired,
    login::Login,
    state::{Cause, State},
};
use crate::{
    request::fingerprint::{Fingerprint, FingerprintKey},
    revocation::{
        key::{LoginId, RevocationKey},
        registry::IdKind,
    },
};

/// The entry of a realm in the session.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Entry {
    /// None after a logout has ended the login. The next challenge draws a new id.
    pub(crate) id: Option<LoginId>,
    /// The origin to which the request was sent that wrote the entry, or the origin where the user
    /// logged in.
    pub(crate) origin: String,
    /// When the entry was written, if it is about a challenge.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) challenged_at: Option<u64>,
    /// Whether a user has logged in to this realm since the session began.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) had_login: bool,
    /// Names what the fingerprint of an ended login comes from: the id of that login, or a random one if a
    /// request without a login brought the credentials. Sessions that come from one ended login have it in
    /// common.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) lineage: Option<LoginId>,
    pub(crate) state: State,
}

/// The result of looking up a realm's entry in a session.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "the caller takes it apart at once")]
pub(crate) enum FoundEntry {
    /// The session is empty. A session that does not exist looks the same.
    NoSession,
    /// The realm has no entry, and the session replaces a session that no longer exists.
    ReplacesMissing,
    /// The realm has no entry.
    Missing,
    /// The entry cannot be parsed, or is a login without an id.
    Unreadable,
    Entry(Entry),
}

const PREFIX: &str = "actix-basic-logout:";

/// This key belongs to no realm, because a realm is never empty. Its entry marks a session that
/// replaces one that no longer exists. In such a session, a realm without an entry is logged out,
/// not fresh.
const REPLACES_MISSING: &str = PREFIX;

/// The key under which a session stores the revocation keys of the sessions that it replaces. It
/// cannot be a realm's, because no realm contains a control character.
const PREDECESSOR: &str = "actix-basic-logout:\n";

/// The maximum number of replaced sessions that a session knows. A logout that was sent with an older one
/// would have been in flight while the browser received this many challenges.
const MAX_PREDECESSORS: usize = 4;

/// The key under which a session stores a realm's entry.
pub(crate) fn key_of(realm: &str) -> String {
    format!("{PREFIX}{realm}")
}

/// The realm whose entry a session stores under this key.
pub(crate) fn realm_of(key: &str) -> &str {
    key.strip_prefix(PREFIX).unwrap_or(key)
}

/// The stored text of a realm's entry, with everything else in the session that affects the realm's
/// login. Two of them can be compared without parsing.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct StoredEntry<'s> {
    entry: &'s str,
    /// None instead of an empty string: see `docs/performance.md`.
    predecessor: Option<&'s str>,
}

/// An owned copy of a [`StoredEntry`].
pub(crate) struct OwnedStoredEntry {
    entry: String,
    predecessor: Option<String>,
}

impl StoredEntry<'_> {
    /// A hash of the entry. The entry contains the login's random id, so hashes of different logins
    /// rarely agree. The caller compares entries with the same hash.
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

/// Whether a session holds nothing but entries of clients that never logged in.
pub(crate) fn is_anonymous(session: &HashMap<String, String>) -> bool {
    session.iter().all(|(key, value)| {
        let is_anonymous = |it: Entry| !it.had_login && it.kind() == IdKind::Challenge;
        key == PREDECESSOR
            || (key.starts_with(PREFIX) && serde_json::from_str(value).is_ok_and(is_anonymous))
    })
}

/// Calls `read` with the stored entry of a realm, if there is one.
pub(crate) fn with_stored<T>(
    session: &Session,
    key: &str,
    read: impl FnOnce(StoredEntry<'_>) -> T,
) -> Option<T> {
    let entries = session.entries();
    let mut each = entries.iter();
    // Fast path: most sessions hold nothing else, and a comparison is faster than a lookup.
    if let (Some((only, entry)), None) = (each.next(), each.next()) {
        return (only == key).then(|| read(StoredEntry { entry, predecessor: None }));
    }
    let entry = entries.get(key)?;
    let predecessor = entries.get(PREDECESSOR).map(String::as_str);
    Some(read(StoredEntry { entry, predecessor }))
}

/// Whether the session is empty. A session that does not exist is empty as well.
pub(crate) fn is_empty(session: &Session) -> bool {
    session.entries().is_empty()
}

/// Looks up the entry of a realm.
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

/// Whether the session has an entry of a realm.
pub(crate) fn contains(session: &Session, key: &str) -> bool {
    session.contains_key(key)
}

/// Writes an entry to the session. The session middleware saves it later.
pub(crate) fn put(session: &Session, key: &str, entry: &Entry) {
    if let Err(error) = session.insert(key, entry) {
        // Serializing an entry cannot fail. If it ever did, no user could log in.
        tracing::error!(key, %error, "the login record could not be written to the session");
    }
}

/// Marks a session as the replacement of one that no longer exists.
pub(crate) fn mark_replacement(session: &Session) {
    put(session, REPLACES_MISSING, &logged_out());
}

/// Records which sessions this one replaces, newest first. Older ones than [`MAX_PREDECESSORS`] are
/// forgotten.
pub(crate) fn note_predecessors(
    session: &Session,
    predecessors: impl IntoIterator<Item = RevocationKey>,
) {
    let mut keys = Vec::new();
    for key in predecessors {
        if keys.len() < MAX_PREDECESSORS && !keys.contains(&key) {
            keys.push(key);
        }
    }
    if keys.is_empty() {
        session.remove(PREDECESSOR);
    } else {
        let keys: Vec<_> = keys.iter().map(ToString::to_string).collect();
        // Serializing strings cannot fail.
        let _ = session.insert(PREDECESSOR, keys);
    }
}

/// The sessions that this one replaces, newest first.
pub(crate) fn predecessors(session: &Session) -> Vec<RevocationKey> {
    let keys = session.get::<Vec<String>>(PREDECESSOR).ok().flatten().unwrap_or_default();
    keys.iter().take(MAX_PREDECESSORS).filter_map(|it| it.parse().ok()).collect()
}

/// The entries of all other realms, each with its key. An unreadable entry counts as logged out.
pub(crate) fn others(session: &Session, mine: &str) -> Vec<(String, Entry)> {
    let is_of_another =
        |key: &&String| key.starts_with(PREFIX) && *key != mine && *key != PREDECESSOR;
    let keys: Vec<_> = session.entries().keys().filter(is_of_another).cloned().collect();
    let entry = |key: String| match find(session, &key) {
        FoundEntry::Entry(entry) => Some((key, entry)),
        FoundEntry::NoSession | FoundEntry::ReplacesMissing | FoundEntry::Missing => None,
        FoundEntry::Unreadable => Some((key, logged_out())),
    };
    keys.into_iter().filter_map(entry).collect()
}

/// The logins of all other realms that may be valid at this time, each with its key.
pub(crate) fn logins(session: &Session, mine: &str, now: u64) -> Vec<(String, Login)> {
    let login = |(key, entry): (String, Entry)| Some((key, entry.login_until(now)?.clone()));
    others(session, mine).into_iter().filter_map(login).collect()
}

/// Removes everything from the session except these entries.
pub(crate) fn clear_except(session: &Session, entries: Vec<(String, Entry)>) {
    let predecessors = predecessors(session);
    session.clear();
    note_predecessors(session, predecessors);
    for (key, entry) in entries {
        put(session, &key, &entry);
    }
}

fn logged_out() -> Entry {
    Entry {
        id: None,
        origin: String::new(),
        challenged_at: None,
        had_login: false,
        lineage: None,
        state: State::Fresh.without_proof(Cause::LoginRequired),
    }
}

impl Entry {
    /// Names what the fingerprint comes from.
    pub(crate) fn lineage(&self) -> Option<LoginId> {
        if matches!(self.state, State::LoggedIn(_)) { self.id } else { self.lineage }
    }

    /// Ends the login of the entry.
    pub(crate) fn end(&mut self, state: State) {
        self.lineage = self.lineage();
        (self.id, self.state) = (None, state);
    }

    /// The kind of the entry, which is what its id names.
    pub(crate) fn kind(&self) -> IdKind {
        self.state.kind()
    }

    /// The login, if it may be valid at this time.
    pub(crate) fn login_until(&self, now: u64) -> Option<&Login> {
        match &self.state {
            State::LoggedIn(login) if now < login.ends_by => Some(login),
            _ => None,
        }
    }

    /// The keys under which the entry can be ended, apart from the session's predecessor.
    pub(crate) fn keys(&self) -> Vec<RevocationKey> {
        self.state.keys(self.id)
    }

    /// This entry, or the one that is left of a challenge that has expired. The user may still answer
    /// its dialog, but then the browser is challenged again.
    pub(crate) fn unless_expired(self, now: u64) -> Self {
        let is_challenge =
            matches!(self.state, State::Prompted { .. } | State::Rechallenged { .. });
        if !is_challenge || !challenge_has_expired(self.challenged_at, now) {
            return self;
        }
        // It keeps its id: it may have led to a login that a logout must end.
        Self { challenged_at: None, state: self.state.expired_challenge(), ..self }
    }

    /// The effective state for a request to this origin with these credentials. `has_ended` says
    /// that a logout has ended the login since the entry was written.
    ///
    /// Browsers keep credentials for each origin (scheme, host, port), but share cookies between
    /// ports and perhaps subdomains. So what the browser has shown at one origin proves nothing
    /// about the credentials that it holds for another.
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
            // A login is valid at every origin, with its own credentials or without any.
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
