//! The challenges of a realm (`WWW-Authenticate`).

use actix_web::http::header::{HeaderValue, InvalidHeaderValue};

/// The two challenges of a realm.
#[derive(Clone, Debug)]
pub(crate) struct Challenges {
    pub(crate) basic: HeaderValue,
    pub(crate) quiet: HeaderValue,
}

impl Challenges {
    /// The realm as a quoted-string (RFC 9110, section 5.6.4), and the charset that makes
    /// browsers send UTF-8 (RFC 7617, section 2.1).
    pub(crate) fn of(realm: &str) -> Result<Self, InvalidHeaderValue> {
        let realm = realm.replace('\\', r"\\").replace('"', r#"\""#);
        // A 401 needs a challenge (RFC 9110, section 15.5.2), and a known scheme opens a dialog. No browser
        // knows this scheme.
        let value = |scheme| {
            HeaderValue::from_bytes(
                format!(r#"{scheme} realm="{realm}", charset="UTF-8""#).as_bytes(),
            )
        };
        Ok(Self { basic: value("Basic")?, quiet: value("xBasic")? })
    }
}
