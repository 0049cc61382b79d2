//! Lists of users in memory: parsed, checked for mistakes, and looked up.

use std::collections::HashMap;

use actix_web_httpauth::{extractors::basic::BasicAuth, headers::authorization::Basic};
use subtle::{Choice, ConstantTimeEq};

use crate::{
    authenticator::{
        password::hash::{BadHash, Kind, MAX_KINDS, MAX_PASSWORD, PasswordHash, Plan},
        users::{error::UsersError, source::Source},
    },
    request::{
        authorization::MAX_USER_ID,
        fingerprint::{Fingerprint, FingerprintKey},
    },
};

/// Users and their password hashes.
#[derive(Debug)]
pub(crate) struct Table {
    pub(crate) users: HashMap<String, PasswordHash>,
    pub(crate) kinds: Vec<Kind>,
}

impl PartialEq for Table {
    fn eq(&self, other: &Self) -> bool {
        self.users == other.users
    }
}

impl Table {
    pub(crate) fn new(source: &Source, entries: &[Entry]) -> Result<Self, UsersError> {
        let mut users = HashMap::new();
        let mut kinds = Vec::new();
        for Entry { number, user_id, secret } in validated(source, entries)? {
            if !matches!(source, Source::List) && secret.contains(':') {
                let what = "contains two colons; a user-id cannot contain a colon";
                return Err(source.error(Some(*number), what));
            }
            let hash = PasswordHash::read(secret).map_err(|bad| {
                let fix_hint = source.fix_hint(user_id);
                source.error(Some(*number), format!("user {user_id:?} has {bad}; {fix_hint}"))
            })?;
            if !kinds.contains(&hash.kind) {
                kinds.push(hash.kind);
            }
            if kinds.len() > MAX_KINDS {
                let what = format!(
                    "user {user_id:?} has a ninth kind of hash (algorithm and parameters), but at \
                     most eight are allowed: to prevent user enumeration, each login computes one \
                     hash of each kind; {}",
                    source.fix_hint(user_id)
                );
                return Err(source.error(Some(*number), what));
            }
            users.insert(user_id.clone(), hash);
        }
        kinds.sort_unstable();
        Ok(Self { users, kinds })
    }

    /// The hashes to compute for a login with this user-id, whether the user exists or not.
    pub(crate) fn plan(&self, user_id: &str) -> Plan {
        Plan::new(&self.kinds, self.users.get(user_id))
    }

    /// The number of users with a bcrypt hash of low cost.
    pub(crate) fn count_cheap(&self) -> usize {
        let cheap = |it: &&PasswordHash| matches!(it.kind, Kind::Bcrypt { cost } if cost < 10);
        self.users.values().filter(cheap).count()
    }
}

/// Users with plaintext passwords, stored as keyed fingerprints of user-id and password. A lookup
/// compares all of them, so its time does not reveal which users exist.
pub(crate) struct Plaintext {
    key: FingerprintKey,
    pub(crate) users: Vec<Fingerprint>,
}

impl Plaintext {
    pub(crate) fn new(source: &Source, entries: &[Entry]) -> Result<Self, UsersError> {
        let key = FingerprintKey::random();
        let mut users = Vec::new();
        for Entry { number, user_id, secret } in validated(source, entries)? {
            let error =
                |what: &str| source.error(Some(*number), format!("user {user_id:?} {what}"));
            if secret.is_empty() {
                return Err(error("has an empty password"));
            }
            if secret.len() > MAX_PASSWORD {
                return Err(error("has a password of more than 1024 bytes"));
            }
            if secret.chars().any(char::is_control) {
                return Err(error("has a password with a control character"));
            }
            if looks_hashed(secret) {
                return Err(error(
                    "has a hash instead of a plaintext password; use `Users::hashed` or `Users::env`",
                ));
            }
            users.push(key.of("", &Basic::new(user_id.clone(), Some(secret.clone())).into()));
        }
        Ok(Self { key, users })
    }

    /// Whether these are the credentials of a user. Compares in constant time.
    pub(crate) fn contains(&self, credentials: &BasicAuth) -> bool {
        let presented = self.key.of("", credentials);
        let none = Choice::from(0);
        self.users.iter().fold(none, |found, it| found | it.ct_eq(&presented)).into()
    }
}

fn looks_hashed(secret: &str) -> bool {
    // A text of thirteen letters and digits may be a DES crypt hash, but it may also be a password.
    (secret.starts_with('$') || secret.starts_with("{SHA}"))
        && !matches!(PasswordHash::read(secret), Err(BadHash::Unknown))
}

/// A user, as written in the source.
pub(crate) struct Entry {
    /// The line, or the index in the list, counted from 1.
    pub(crate) number: usize,
    pub(crate) user_id: String,
    /// The password or its hash.
    pub(crate) secret: String,
}

/// Numbers the pairs of a list.
pub(crate) fn pairs<U: Into<String>, S: Into<String>>(
    users: impl IntoIterator<Item = (U, S)>,
) -> Vec<Entry> {
    let entry = |(index, (user_id, secret)): (usize, (U, S))| Entry {
        number: index + 1,
        user_id: user_id.into(),
        secret: secret.into(),
    };
    users.into_iter().enumerate().map(entry).collect()
}

/// Parses lines of `user-id:secret`.
pub(crate) fn parse_lines(source: &Source, bytes: &[u8]) -> Result<Vec<Entry>, UsersError> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let mut entries = Vec::new();
    for (index, line) in bytes.split(|it| *it == b'\n').enumerate() {
        let number = index + 1;
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let line = str::from_utf8(line)
            .map_err(|_| source.error(Some(number), "is not UTF-8; save it as UTF-8"))?;
        // Two files were joined. No user types this character, so this user could never log in.
        if line.starts_with('\u{feff}') {
            let what =
                "begins with a byte order mark, perhaps because two files were joined; remove it";
            return Err(source.error(Some(number), what));
        }
        if line.trim().is_empty() || line.starts_with('#') {
            continue;
        }
        let Some((user_id, secret)) = line.split_once(':') else {
            let what = "has no colon; write `user-id:hash`, as `htpasswd -nB` prints it (or \
                        `user-id:password` in a variable with plaintext passwords)";
            return Err(source.error(Some(number), what));
        };
        entries.push(Entry { number, user_id: user_id.to_owned(), secret: secret.to_owned() });
    }
    Ok(entries)
}

/// Checks all that does not depend on the kind of the secrets.
fn validated<'a>(source: &Source, entries: &'a [Entry]) -> Result<&'a [Entry], UsersError> {
    if entries.is_empty() {
        return Err(source.error(None, "contains no users; add at least one"));
    }
    let mut seen = HashMap::new();
    for Entry { number, user_id, .. } in entries {
        let error = |what: String| Err(source.error(Some(*number), what));
        if user_id.is_empty() {
            return error("has an empty user-id".to_owned());
        }
        if user_id.contains(':') {
            return error(format!(
                "user {user_id:?} contains a colon, which a user-id cannot contain"
            ));
        }
        if user_id.chars().any(char::is_control) {
            return error(format!("user {user_id:?} contains a control character; remove it"));
        }
        if user_id.len() > MAX_USER_ID {
            return error(format!("has a user-id of more than {MAX_USER_ID} bytes"));
        }
        if let Some(first) = seen.insert(user_id, number) {
            let first = source.number(*first);
            return error(format!("user {user_id:?} is already listed in {first}; remove one"));
        }
    }
    Ok(entries)
}

#[cfg(test)]
mod tests;
