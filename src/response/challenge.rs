//! The challenges of a realm: values of `WWW-Authenticate`.

use actix_web::http::header::{HeaderValue, InvalidHeaderValue};

/// The two challenges of a realm, as header values.
#[derive(Clone, Debug)]
pub(crate) struct Challenges {
    /// Makes a browser open its dialog, or repeat the request with credentials that it holds.
    pub(crate) basic: HeaderValue,
    /// Opens no dialog.
    pub(crate) quiet: HeaderValue,
}

impl Challenges {
    /// Builds both challenges. The realm is a quoted-string (RFC 9110, section 5.6.4). The
    /// `charset` parameter makes browsers send UTF-8 (RFC 7617, section 2.1).
    pub(crate) fn of(realm: &str) -> Result<Self, InvalidHeaderValue> {
        let realm = realm.replace('\\', r"\\").replace('"', r#"\""#);
        // A 401 response must contain a challenge (RFC 9110, section 15.5.2), but a browser opens a
        // dialog if it knows the scheme. No browser knows `xBasic`.
        let value = |scheme| {
            HeaderValue::from_bytes(
                format!(r#"{scheme} realm="{realm}", charset="UTF-8""#).as_bytes(),
            )
        };
        Ok(Self { basic: value("Basic")?, quiet: value("xBasic")? })
    }
}
