//! The errors of a realm's configuration.

use std::{error::Error, fmt};

use crate::request::fingerprint::FingerprintKey;

/// The maximum length of a realm, in bytes.
pub(super) const MAX_REALM_LENGTH: usize = 256;

/// The reason why a [`BasicLogin`](crate::BasicLogin) cannot be built.
///
/// The message describes the error and names the rejected value, except for a key.
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
///     (error(realm("A\n")), r#"the realm "A\n" contains a control character: remove it"#),
///     (error(realm(&"A".repeat(300))), "the realm is 300 bytes long: use at most 256 bytes"),
///     (
///         error(admin().fingerprint_key([7; 9])),
///         "the fingerprint key is 9 bytes long: use at least 32 random bytes",
///     ),
///     (error(admin().landing_path("admin")), r#""admin" is not a path of this site"#),
/// ] {
///     assert!(error.to_string().starts_with(text), "{error}");
/// }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ConfigError {
    /// The realm is empty.
    EmptyRealm,
    /// The realm contains a control character, which a header cannot carry (RFC 9110, section 5.5).
    #[non_exhaustive]
    ControlCharacterInRealm {
        /// The realm.
        realm: String,
    },
    /// The realm is longer than 256 bytes. Its name is part of every session.
    #[non_exhaustive]
    RealmTooLong {
        /// The length in bytes.
        length: usize,
    },
    /// The name of the session cookie is empty.
    EmptySessionCookie,
    /// A deadline is zero, so every login would expire at once.
    ZeroDeadline,
    /// The fingerprint key is shorter than 32 bytes.
    #[non_exhaustive]
    FingerprintKeyTooShort {
        /// The length in bytes.
        length: usize,
    },
    /// The landing path, or the path to which logout redirects, is not a path of this site. It must
    /// begin with a single slash and consist of visible ASCII characters.
    #[non_exhaustive]
    InvalidPath {
        /// The rejected path.
        path: String,
    },
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::EmptyRealm => f.write_str("the realm is empty: give it a name"),
            Self::ControlCharacterInRealm { realm } => {
                write!(f, "the realm {realm:?} contains a control character: remove it")
            }
            Self::RealmTooLong { length } => {
                write!(f, "the realm is {length} bytes long: use at most {MAX_REALM_LENGTH} bytes")
            }
            Self::EmptySessionCookie => f.write_str(
                "the name of the session cookie is empty: use the name that SessionMiddleware uses",
            ),
            Self::ZeroDeadline => f.write_str(
                "the login or visit deadline is zero, so every login would expire at once: \
                 use a longer duration",
            ),
            Self::FingerprintKeyTooShort { length } => write!(
                f,
                "the fingerprint key is {length} bytes long: use at least {} random bytes",
                FingerprintKey::MIN_LENGTH
            ),
            Self::InvalidPath { path } => write!(
                f,
                "{path:?} is not a path of this site: begin it with a single slash and use visible \
                 ASCII characters only, such as \"/admin/\""
            ),
        }
    }
}

impl Error for ConfigError {}
