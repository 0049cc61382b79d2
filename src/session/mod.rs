//! A realm's entry in the session: the only code that names session keys.

pub(crate) mod deadlines;

use std::{
    fmt,
    str::FromStr,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use actix_session::Session;
use rand::Rng;
use serde::{Deserialize, Serialize};

use crate::{
    request::fingerprint::{Fingerprint, FingerprintKey},
    request::path::{Directory, Place},
    revocation::RevocationKey,
    revocation::registry::Epoch,
};

/// What a realm knows of a browser. `DESIGN.md` has the whole machine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum State {
    /// Nothing: no entry, and no session cookie that leads nowhere.
    Fresh,
    /// Somebody typed good credentials.
    LoggedIn(Login),
    /// The browser may still hold the credentials of the login that ended; of that login this is
    /// known.
    LoggedOut { directory: Option<Directory>, fingerprint: Option<Fingerprint>, why: Cause },
    /// Cached credentials were rejected with a challenge at this path: the browser has dropped
    /// them and is asking its user. What comes to this path next was typed.
    ///
    /// Pending is the ended login's fingerprint while only *other* credentials were rejected: the
    /// browser may hold both.
    Rechallenged { path: Place, pending: Option<Fingerprint>, why: Cause },
    /// The browser has shown that it holds no credentials and has been challenged at this path:
    /// whatever comes now was typed.
    Prompted { path: Place, why: Cause },
}

/// Why the browser is, or will be, asked for credentials.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Cause {
    NeverLoggedIn,
    LoggedOut,
    CredentialsChanged,
    Expired,
    Revoked,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Login {
    pub(crate) user: String,
    pub(crate) fingerprint: Fingerprint,
    /// When the login happened and when the authenticator last agreed, in milliseconds since 1970.
    pub(crate) since: u64,
    pub(crate) verified: u64,
    /// When the login was used last, to within a tenth of the deadline that this is for.
    #[serde(default)]
    pub(crate) visited: u64,
    pub(crate) directory: Option<Directory>,
    /// The browser has been challenged in that directory since: it had dropped the credentials,
    /// and may have got them again for a part of the directory only.
    #[serde(default)]
    pub(crate) reprompted: bool,
    /// The epoch of its user in which it began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) epoch: Epoch,
    /// The origin where it was typed, if the request has come to another one: there its directory
    /// proves nothing.
    #[serde(skip)]
    pub(crate) foreign_origin: Option<String>,
}

impl Login {
    /// Whether a browser that sends nothing to a page in the login's directory holds nothing.
    pub(crate) fn proves_by_directory(&self) -> bool {
        !self.reprompted && self.foreign_origin.is_none()
    }

    /// Whether the authenticator has to be asked again. A time in the future is no answer.
    pub(crate) fn is_due(&self, now: u64, after: Duration) -> bool {
        now.checked_sub(self.verified).is_none_or(|age| Duration::from_millis(age) >= after)
    }
}

/// A time in milliseconds since 1970.
pub(crate) fn time(millis: u64) -> SystemTime {
    // A session holds whatever it holds; no clock reaches as far as a `u64` may.
    UNIX_EPOCH.checked_add(Duration::from_millis(millis)).unwrap_or(UNIX_EPOCH)
}

pub(crate) fn millis(time: SystemTime) -> u64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

impl State {
    /// This state after a log-out. A directory comes from a login only: it is where the browser is
    /// known to send the credentials, if it still has them.
    pub(crate) fn logged_out(&self, why: Cause) -> Self {
        let (directory, fingerprint) = match self {
            Self::LoggedIn(login) => {
                let directory = login.directory.clone().filter(|_| login.proves_by_directory());
                (directory, Some(login.fingerprint))
            }
            Self::LoggedOut { directory, fingerprint, .. } => (directory.clone(), *fingerprint),
            // What was just typed may be on its way, at this path or in another tab's dialog.
            Self::Rechallenged { pending, .. } => (None, *pending),
            Self::Prompted { .. } | Self::Fresh => (None, None),
        };
        Self::LoggedOut { directory, fingerprint, why }
    }

    /// The fingerprint of a login whose credentials the browser may still hold.
    pub(crate) fn fingerprint(&self) -> Option<&Fingerprint> {
        match self {
            Self::LoggedIn(login) => Some(&login.fingerprint),
            Self::LoggedOut { fingerprint, .. } => fingerprint.as_ref(),
            Self::Rechallenged { pending, .. } => pending.as_ref(),
            Self::Fresh | Self::Prompted { .. } => None,
        }
    }

    /// This state once its id has ended elsewhere: it came with a request that was on its way
    /// during the log-out, so whatever that request lacks proves nothing.
    pub(crate) fn ended(&self) -> Self {
        let (directory, why) = (None, Cause::LoggedOut);
        Self::LoggedOut { directory, fingerprint: self.fingerprint().copied(), why }
    }

    /// Without what another process's key made: it can be compared with nothing.
    fn known_to(self, key: &FingerprintKey) -> Self {
        let known = |fingerprint: Option<Fingerprint>| fingerprint.filter(|it| key.made(it));
        match self {
            Self::LoggedOut { directory, fingerprint, why } => {
                Self::LoggedOut { directory, fingerprint: known(fingerprint), why }
            }
            Self::Rechallenged { path, pending, why } => {
                Self::Rechallenged { path, pending: known(pending), why }
            }
            other => other,
        }
    }
}

/// Names a login, from the challenge that it answers to its end.
///
/// [`User::login_id`](crate::User::login_id) tells a login's own; with it anybody who is told can
/// [end](crate::BasicLogin::revoke_login) that one login, and do nothing else. It is written as 32
/// hexadecimal digits, as for the value of a form's button.
///
/// ```
/// use actix_basic_logout::LoginId;
///
/// let id: LoginId = "00112233445566778899aabbccddeeff".parse()?;
/// assert_eq!(id.to_string(), "00112233445566778899aabbccddeeff");
/// assert_eq!(format!("{id:?}"), "LoginId(..)"); // for logs
/// assert!("0011".parse::<LoginId>().is_err());
/// # Ok::<(), actix_basic_logout::LoginIdError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct LoginId(u128);

impl LoginId {
    pub(crate) fn draw() -> Self {
        Self(rand::rng().random())
    }

    pub(crate) fn number(self) -> u128 {
        self.0
    }
}

impl fmt::Debug for LoginId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LoginId(..)")
    }
}

impl fmt::Display for LoginId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

impl FromStr for LoginId {
    type Err = LoginIdError;

    fn from_str(text: &str) -> Result<Self, LoginIdError> {
        let is_id = text.len() == 32 && text.bytes().all(|it| it.is_ascii_hexdigit());
        let number = is_id.then(|| u128::from_str_radix(text, 16).ok()).flatten();
        number.map(Self).ok_or(LoginIdError(()))
    }
}

/// A text is not a [`LoginId`].
///
/// ```
/// # use actix_basic_logout::LoginId;
/// let error = "alice".parse::<LoginId>().unwrap_err();
/// assert_eq!(error.to_string(), "the id of a login has 32 hexadecimal digits");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoginIdError(());

impl fmt::Display for LoginIdError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the id of a login has 32 hexadecimal digits")
    }
}

impl std::error::Error for LoginIdError {}

impl Serialize for LoginId {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for LoginId {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// What the session holds for a realm.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Entry {
    /// None once a log-out has ended it; the next challenge draws another.
    pub(crate) id: Option<LoginId>,
    pub(crate) origin: String,
    pub(crate) state: State,
}

/// What was found in a session for a realm.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "it is taken apart where it is found")]
pub(crate) enum Found {
    Nothing,
    Unreadable,
    Entry(Entry),
}

const PREFIX: &str = "actix-basic-logout:";

/// The name of no realm: its entry says that the session took the place of one that was gone, so a
/// realm without an entry is logged out and not new.
const LOST: &str = PREFIX;

/// Where a session keeps which one it has taken the place of. No realm holds a control character.
const PREDECESSOR: &str = "actix-basic-logout:\n";

/// Where a session keeps a realm's entry.
pub(crate) fn key_of(realm: &str) -> String {
    format!("{PREFIX}{realm}")
}

/// What is written there and about the predecessor, if there is an entry. Nothing else in a session
/// matters to a login.
pub(crate) fn written<T>(
    session: &Session,
    key: &str,
    read: impl FnOnce(&str, Option<&str>) -> T,
) -> Option<T> {
    let entries = session.entries();
    let mut each = entries.iter();
    // Most sessions hold nothing else, and there a look is quicker than a hash.
    if let (Some((only, entry)), None) = (each.next(), each.next()) {
        return (only == key).then(|| read(entry, None));
    }
    let entry = entries.get(key)?;
    let predecessor = entries.get(PREDECESSOR);
    Some(read(entry, predecessor.map(String::as_str)))
}

pub(crate) fn find(session: &Session, key: &str) -> Found {
    match session.get(key) {
        Ok(None) => Found::Nothing,
        // A login without an id could not be ended.
        Ok(Some(Entry { id: None, state: State::LoggedIn(_), .. })) | Err(_) => Found::Unreadable,
        Ok(Some(entry)) => Found::Entry(entry),
    }
}

/// Puts an entry into the session, where it stays if the session middleware takes it.
pub(crate) fn put(session: &Session, key: &str, entry: &Entry) {
    if let Err(error) = session.insert(key, entry) {
        // Nothing in an entry can fail to become JSON; if it ever does, nobody is logged in.
        tracing::error!(key, %error, "the login could not be written to the session");
    }
}

pub(crate) fn replaces_missing_session(session: &Session) -> bool {
    session.contains_key(LOST)
}

pub(crate) fn mark_lost(session: &Session) {
    let state = State::Fresh.ended();
    put(session, LOST, &Entry { id: None, origin: String::new(), state });
}

/// Notes the session that this one takes the place of, when its key is renewed, or that none is known.
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

/// The entries of all realms but the one with that key, each with its own.
pub(crate) fn others(session: &Session, mine: &str) -> Vec<(String, Entry)> {
    let is_anothers =
        |key: &&String| key.starts_with(PREFIX) && *key != mine && *key != PREDECESSOR;
    let keys: Vec<_> = session.entries().keys().filter(is_anothers).cloned().collect();
    let entry = |key: String| match find(session, &key) {
        Found::Entry(entry) => Some((key, entry)),
        Found::Nothing => None,
        Found::Unreadable => {
            let state = State::Fresh.ended();
            Some((key, Entry { id: None, origin: String::new(), state }))
        }
    };
    keys.into_iter().filter_map(entry).collect()
}

impl Entry {
    /// The state that counts for a request with these credentials: of this origin, with this key,
    /// and with what log-outs have ended since it was written.
    ///
    /// Browsers keep credentials per origin (scheme, host, port), but cookies across ports and
    /// perhaps subdomains, so what one origin's browser has shown proves nothing about another's.
    pub(crate) fn into_state(
        self,
        key: &FingerprintKey,
        origin: &str,
        credentials: Option<&Fingerprint>,
        ended: bool,
    ) -> State {
        let state = if ended { self.state.ended() } else { self.state };
        match state {
            _ if self.origin == origin => state.known_to(key),
            // A login counts everywhere, with its own credentials.
            State::LoggedIn(login) if credentials.is_none_or(|it| *it == login.fingerprint) => {
                State::LoggedIn(Login { foreign_origin: Some(self.origin), ..login })
            }
            _ => state.ended().known_to(key),
        }
    }
}
