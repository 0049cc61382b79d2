//! Why a realm could not be built.

use std::{error::Error, fmt};

use crate::request::fingerprint::FingerprintKey;

/// Longest realm, in bytes.
pub(super) const MAX_REALM_LENGTH: usize = 256;

/// Why a [`BasicLogin`](crate::BasicLogin) could not be built.
///
/// The message says what is wrong and names the given value, except a key.
///
/// ```
/// use std::time::Duration;
/// use actix_basic_logout::{BasicLogin, BasicLoginBuilder, ConfigError};
/// # use actix_web::HttpRequest;
/// # use actix_web_httpauth::extractors::basic::BasicAuth;
/// # let users = async |_: &HttpRequest, _: &BasicAuth| Ok(true);
///
/// let realm = |name: &str| BasicLogin::builder(name, users);
/// let admin = || realm("Admin area");
/// let error = |it: BasicLoginBuilder| it.build().unwrap_err();
/// assert_eq!(error(realm("")), ConfigError::EmptyRealm);
/// assert_eq!(error(admin().session_cookie("")), ConfigError::EmptySessionCookie);
/// assert_eq!(error(admin().login_deadline(Duration::ZERO)), ConfigError::ZeroDeadline);
/// for (error, text) in [
///     (error(realm("A\n")), r#"the realm "A\n" holds a control character"#),
///     (error(realm(&"A".repeat(300))), "the realm is 300 bytes long, 256 are allowed"),
///     (
///         error(admin().fingerprint_key([7; 9])),
///         "the fingerprint key is 9 bytes long, it takes 32 or more",
///     ),
///     (
///         error(admin().landing_path("admin")),
///         r#""admin" is not a path of this site, such as "/admin/""#,
///     ),
/// ] {
///     assert_eq!(error.to_string(), text);
/// }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ConfigError {
    /// The realm is empty.
    EmptyRealm,
    /// The realm holds a control character, which a header cannot carry (RFC 9110, section 5.5).
    #[non_exhaustive]
    ControlCharacterInRealm {
        /// The realm.
        realm: String,
    },
    /// The realm is longer than 256 bytes; its name is part of every session.
    #[non_exhaustive]
    RealmTooLong {
        /// The length in bytes.
        length: usize,
    },
    /// The name of the session's cookie is empty.
    EmptySessionCookie,
    /// A deadline is zero, with which nobody could log in.
    ZeroDeadline,
    /// The fingerprint key is shorter than 32 bytes.
    #[non_exhaustive]
    FingerprintKeyTooShort {
        /// The length in bytes.
        length: usize,
    },
    /// The landing path, or the one that logout redirects to, is not a path of this site.
    #[non_exhaustive]
    InvalidPath {
        /// What was given.
        path: String,
    },
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::EmptyRealm => f.write_str("the realm is empty"),
            Self::ControlCharacterInRealm { realm } => {
                write!(f, "the realm {realm:?} holds a control character")
            }
            Self::RealmTooLong { length } => {
                write!(f, "the realm is {length} bytes long, {MAX_REALM_LENGTH} are allowed")
            }
            Self::EmptySessionCookie => f.write_str("the name of the session cookie is empty"),
            Self::ZeroDeadline => {
                f.write_str("with a login or visit deadline of zero nobody could log in")
            }
            Self::FingerprintKeyTooShort { length } => write!(
                f,
                "the fingerprint key is {length} bytes long, it takes {} or more",
                FingerprintKey::MIN_LENGTH
            ),
            Self::InvalidPath { path } => {
                write!(f, "{path:?} is not a path of this site, such as \"/admin/\"")
            }
        }
    }
}

impl Error for ConfigError {}
