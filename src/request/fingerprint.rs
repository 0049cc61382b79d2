//! A keyed fingerprint (HMAC) of credentials. It recognizes the same credentials later, and without
//! the key it cannot be used to guess passwords.

use std::fmt;

use actix_web_httpauth::extractors::basic::BasicAuth;
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use hmac::{Hmac, Mac};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};
use sha2::Sha256;
use subtle::{Choice, ConstantTimeEq};

const KEY_NAME_LENGTH: usize = 4;
const MAC_LENGTH: usize = 32;

/// The key of the fingerprints.
#[derive(Clone)]
pub(crate) struct FingerprintKey {
    mac: Hmac<Sha256>,
    /// Tells fingerprints of this key from those of other keys.
    name: [u8; KEY_NAME_LENGTH],
}

impl FingerprintKey {
    /// Minimum length in bytes of a key that an application sets.
    pub(crate) const MIN_LENGTH: usize = 32;

    pub(crate) fn random() -> Self {
        Self::new(&rand::random::<[u8; Self::MIN_LENGTH]>())
    }

    pub(crate) fn new(key: &[u8]) -> Self {
        #[expect(
            clippy::expect_used,
            reason = "HMAC accepts a key of any length (RFC 2104, section 3)"
        )]
        let mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC accepts any key");
        let mut name = [0; KEY_NAME_LENGTH];
        name.copy_from_slice(&digest(&mac, &[b"name of the key"])[..KEY_NAME_LENGTH]);
        Self { mac, name }
    }

    /// The fingerprint of credentials in a realm. NUL separates the parts, and no part can contain
    /// one.
    pub(crate) fn of(&self, realm: &str, credentials: &BasicAuth) -> Fingerprint {
        let password = credentials.password().unwrap_or_default();
        let parts = [realm.as_bytes(), credentials.user_id().as_bytes(), password.as_bytes()];
        Fingerprint { key: self.name, mac: digest(&self.mac, &parts) }
    }

    /// Whether this key made a fingerprint. Fingerprints of different keys cannot be compared.
    pub(crate) fn made(&self, fingerprint: &Fingerprint) -> bool {
        fingerprint.key == self.name
    }
}

impl fmt::Debug for FingerprintKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FingerprintKey(..)")
    }
}

fn digest(mac: &Hmac<Sha256>, parts: &[&[u8]]) -> [u8; MAC_LENGTH] {
    let mut mac = mac.clone();
    for part in parts {
        mac.update(part);
        mac.update(&[0]);
    }
    mac.finalize().into_bytes().into()
}

/// The fingerprint by which a login recognizes its credentials. It is compared in constant time.
#[derive(Clone, Copy)]
pub(crate) struct Fingerprint {
    /// The name of the key that made it.
    key: [u8; KEY_NAME_LENGTH],
    mac: [u8; MAC_LENGTH],
}

impl Fingerprint {
    /// The MAC as the key of a map. A map lookup does not take constant time, so its time reveals
    /// something about the MAC. That does not help an attacker, who lacks the key and cannot
    /// compute MACs.
    pub(crate) fn map_key(&self) -> [u8; MAC_LENGTH] {
        self.mac
    }
}

impl ConstantTimeEq for Fingerprint {
    fn ct_eq(&self, other: &Self) -> Choice {
        self.key.ct_eq(&other.key) & self.mac.ct_eq(&other.mac)
    }
}

impl PartialEq for Fingerprint {
    fn eq(&self, other: &Self) -> bool {
        self.ct_eq(other).into()
    }
}

impl Eq for Fingerprint {}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Fingerprint(..)")
    }
}

impl Serialize for Fingerprint {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        BASE64_URL_SAFE_NO_PAD.encode([&self.key[..], &self.mac].concat()).serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Fingerprint {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let bytes = BASE64_URL_SAFE_NO_PAD.decode(text).map_err(D::Error::custom)?;
        let (key, mac) = bytes.split_first_chunk().ok_or_else(|| D::Error::custom("too short"))?;
        let mac = mac.try_into().map_err(|_| D::Error::custom("wrong length"))?;
        Ok(Self { key: *key, mac })
    }
}

#[cfg(test)]
mod tests {
    use actix_web_httpauth::headers::authorization::Basic;

    use super::*;

    fn of(key: &FingerprintKey, realm: &str, user_id: &str, password: &str) -> Fingerprint {
        key.of(realm, &Basic::new(user_id.to_owned(), Some(password.to_owned())).into())
    }

    #[test]
    fn fingerprint_depends_on_key_realm_user_and_password() {
        let key = FingerprintKey::new(&[1; 32]);
        let alice = of(&key, "Admin", "alice", "secret");
        assert_eq!(alice, of(&key, "Admin", "alice", "secret"));
        assert_ne!(alice, of(&key, "Other", "alice", "secret"));
        assert_ne!(alice, of(&key, "Admin", "bob", "secret"));
        assert_ne!(alice, of(&key, "Admin", "alice", "Secret"));
        assert_ne!(alice, of(&key, "Admin", "alices", "ecret"), "parts do not run together");
        assert_ne!(alice, of(&FingerprintKey::new(&[2; 32]), "Admin", "alice", "secret"));
    }

    #[test]
    fn key_recognizes_its_own_fingerprints() {
        let (mine, other) = (FingerprintKey::new(&[1; 32]), FingerprintKey::random());
        let fingerprint = of(&mine, "Admin", "alice", "secret");
        assert!(mine.made(&fingerprint));
        assert!(!other.made(&fingerprint));
    }

    #[test]
    fn fingerprint_is_parsed_from_json_and_nothing_else_is() {
        let key = FingerprintKey::new(&[1; 32]);
        let fingerprint = of(&key, "Admin", "alice", "secret");
        let json = serde_json::to_string(&fingerprint).expect("to JSON");
        assert_eq!(serde_json::from_str::<Fingerprint>(&json).expect("from JSON"), fingerprint);
        for broken in ["\"\"", "\"AAAA\"", "\"?\"", "7", &json.replace('"', "\"A")] {
            assert!(serde_json::from_str::<Fingerprint>(broken).is_err(), "{broken}");
        }
    }

    #[test]
    fn debug_shows_neither_key_nor_fingerprint() {
        let key = FingerprintKey::new(b"a key that must not be shown, ever");
        assert_eq!(format!("{key:?}"), "FingerprintKey(..)");
        assert_eq!(format!("{:?}", of(&key, "r", "u", "p")), "Fingerprint(..)");
    }
}
