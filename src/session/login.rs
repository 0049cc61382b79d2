//! A login, as the session stores it.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

use crate::{
    request::{fingerprint::Fingerprint, path::Directory},
    revocation::key::Epoch,
};

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Login {
    pub(crate) user: String,
    pub(crate) fingerprint: Fingerprint,
    /// The time of the login, in milliseconds since 1970, like the next two.
    pub(crate) logged_in_at: u64,
    /// When the authenticator last accepted the credentials.
    pub(crate) verified_at: u64,
    /// The time of the last request, to within a tenth of the idle timeout.
    #[serde(default)]
    pub(crate) visited_at: u64,
    pub(crate) directory: Option<Directory>,
    /// The browser was challenged in that directory since the login. It had dropped the credentials, and may now hold
    /// them for a part of the directory only.
    #[serde(default)]
    pub(crate) reprompted: bool,
    /// The epoch of its user in which it began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) epoch: Epoch,
    /// The origin of the login, if the request came to another one. There its directory proves nothing.
    #[serde(skip)]
    pub(crate) foreign_origin: Option<String>,
}

impl Login {
    /// Whether a browser that sends nothing to a page in the login's directory holds nothing.
    pub(crate) fn proves_by_directory(&self) -> bool {
        !self.reprompted && self.foreign_origin.is_none()
    }

    pub(crate) fn validity(&self) -> Validity {
        let Self { logged_in_at, verified_at, visited_at, epoch, .. } = *self;
        Validity { logged_in_at, verified_at, visited_at, epoch }
    }
}

/// The facts that decide whether a login is valid. Times are in milliseconds since 1970.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Validity {
    pub(crate) logged_in_at: u64,
    pub(crate) verified_at: u64,
    pub(crate) visited_at: u64,
    /// The epoch of its user in which it began.
    pub(crate) epoch: Epoch,
}

/// The clock's time, in milliseconds since 1970.
pub(crate) fn time(millis: u64) -> SystemTime {
    // A session may hold any number; `SystemTime` cannot represent every `u64`.
    UNIX_EPOCH.checked_add(Duration::from_millis(millis)).unwrap_or(UNIX_EPOCH)
}

pub(crate) fn millis(time: SystemTime) -> u64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
