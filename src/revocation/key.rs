//! The keys of the revocation list: a login, a session, or a user with all of that user's logins.

use std::{fmt, num::ParseIntError, str::FromStr};

use rand::Rng;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::request::fingerprint::Fingerprint;

/// A random number that changes when all logins of a user are revoked. A login is valid only in the
/// epoch in which its password was presented. None until the first revocation.
pub(crate) type Epoch = Option<u64>;

/// The id of a login: 128 unpredictable bits that name one login of one browser, from its beginning to
/// its end.
///
/// Several requests may carry the answer to one prompt, such as a page and its background requests. They
/// begin one login.
///
/// It is not the session id (the session key of actix-session), which changes with challenges and
/// logouts. [`User::login_id`](crate::User::login_id) returns it, and
/// [`BasicLogin::revoke_login`](crate::BasicLogin::revoke_login) ends the login that it names. It
/// is less sensitive than a session id: with it, an application can end that one login and do
/// nothing else. `Debug` does not print it. `Display` and serde write it as 32 hexadecimal digits,
/// for example as the value of a form's button.
///
/// ```
/// use actix_basic_logout::LoginId;
///
/// let id: LoginId = "00112233445566778899aabbccddeeff".parse()?;
/// assert_eq!(id.to_string(), "00112233445566778899aabbccddeeff");
/// assert_eq!(format!("{id:?}"), "LoginId(..)");
/// assert!("0011".parse::<LoginId>().is_err());
/// # Ok::<(), actix_basic_logout::LoginIdError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct LoginId(u128);

impl LoginId {
    pub(crate) fn draw() -> Self {
        Self(rand::rng().random())
    }

    /// The id of the login that begins when a user answers this challenge, or replaces this login, with these
    /// credentials. Several requests may carry the same answer: they begin one login.
    pub(crate) fn of_answer(self, credentials: &Fingerprint) -> Self {
        let mut hash = Sha256::new_with_prefix(self.0.to_be_bytes());
        hash.update(credentials.map_key());
        let mut id = [0; 16];
        id.copy_from_slice(&hash.finalize()[..16]);
        Self(u128::from_be_bytes(id))
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

/// The error of parsing a text that is not a [`LoginId`].
///
/// ```
/// # use actix_basic_logout::LoginId;
/// let error = "alice".parse::<LoginId>().unwrap_err();
/// assert_eq!(error.to_string(), "a login id must be 32 hexadecimal digits");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoginIdError(());

impl fmt::Display for LoginIdError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a login id must be 32 hexadecimal digits")
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

/// The key of an entry in a [`RevocationStore`](crate::RevocationStore). It names a login, a
/// session, or a user of a realm.
///
/// `Display` writes it as 32 hexadecimal digits, and `FromStr` parses them. A key is a login's
/// random id, or a hash: it reveals neither the user's name nor the session's cookie.
///
/// ```
/// use actix_basic_logout::RevocationKey;
///
/// let key: RevocationKey = "00112233445566778899aabbccddeeff".parse()?;
/// assert_eq!(format!("revoked:{key}"), "revoked:00112233445566778899aabbccddeeff");
/// # Ok::<(), std::num::ParseIntError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RevocationKey(u128);

impl RevocationKey {
    pub(crate) fn of_login(id: LoginId) -> Self {
        Self(id.number())
    }

    #[cfg(test)]
    pub(super) fn numbered(number: u128) -> Self {
        Self(number)
    }

    // No realm contains a control character, so NUL separates the parts.
    pub(crate) fn of_user(realm: &str, user: &str) -> Self {
        Self::of(&["user\0", realm, "\0", user])
    }

    /// The key of a session, from the value of its cookie. Only both ends of the value are hashed,
    /// because they differ between any two cookies: they contain the nonce and the tag of the
    /// encryption, or the signature and the random session key.
    pub(crate) fn of_session(cookie: &str) -> Self {
        const END: usize = 22; // 132 bits of base64
        let (start, _) = cookie.split_at_checked(END).unwrap_or((cookie, ""));
        let end = cookie.len().saturating_sub(END);
        let (_, end) = cookie.split_at_checked(end).unwrap_or(("", cookie));
        Self::of(&["session\0", start, end])
    }

    /// The key of a realm within this session.
    pub(crate) fn within(self, realm: &str) -> Self {
        Self::of(&["within\0", &self.to_string(), realm])
    }

    /// The keys of a realm, and of all realms, within this session.
    pub(crate) fn within_all(self, realm: &str) -> [Self; 2] {
        // No realm has an empty name.
        [self.within(realm), self.within("")]
    }

    /// The key under which a logout ends the logins that are about to replace the login of this key.
    pub(crate) fn of_replacement(self) -> Self {
        Self::of(&["replacement\0", &self.to_string()])
    }

    /// The key of the record that the challenge or session of this key has led to a login.
    pub(super) fn of_success(self) -> Self {
        Self::of(&["success\0", &self.to_string()])
    }

    /// The key of the record that a client without a login has logged out of the challenge or session
    /// of this key. It is apart from the key itself, so that such a client changes no record of a
    /// login.
    pub(super) fn of_abandoned(self) -> Self {
        Self::of(&["abandoned\0", &self.to_string()])
    }

    fn of(parts: &[&str]) -> Self {
        let mut hash = Sha256::new();
        for part in parts {
            hash.update(part);
        }
        let hash = hash.finalize();
        let (halves, _) = hash.as_chunks();
        Self(halves.iter().fold(0, |key, half| key ^ u128::from_be_bytes(*half)))
    }
}

impl Serialize for RevocationKey {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for RevocationKey {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

impl FromStr for RevocationKey {
    type Err = ParseIntError;

    fn from_str(text: &str) -> Result<Self, ParseIntError> {
        u128::from_str_radix(text, 16).map(Self)
    }
}

impl fmt::Display for RevocationKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

impl fmt::Debug for RevocationKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RevocationKey(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_of_users_differ_by_realm_and_user() {
        let of = RevocationKey::of_user;
        assert_eq!(of("a", "b"), of("a", "b"));
        assert_ne!(of("a", "b"), of("a", "c"));
        assert_ne!(of("a", "b"), of("ab", ""));
    }
}
