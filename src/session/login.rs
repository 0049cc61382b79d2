//! The login record in a session.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

use crate::{
    request::{fingerprint::Fingerprint, path::Directory},
    revocation::key::{Epoch, RevocationKey},
};

/// The record that a user typed valid credentials.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Login {
    pub(crate) user: String,
    pub(crate) fingerprint: Fingerprint,
    /// When the user logged in. All times are in milliseconds since 1970.
    pub(crate) logged_in_at: u64,
    /// When the authenticator last accepted the credentials.
    pub(crate) verified_at: u64,
    /// The last visit, with the precision of a tenth of the idle timeout.
    #[serde(default)]
    pub(crate) visited_at: u64,
    /// The latest time at which a copy of this login can end, by the deadlines under which the copies
    /// were written. Other deadlines do not prolong it.
    #[serde(default)]
    pub(crate) ends_by: u64,
    /// The incarnation of the revocation list in memory that knows whether the login has ended. Set
    /// only if the realm lets requests pass with the session alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) revocation_list: Option<u64>,
    /// The keys under which a logout that was sent before the login's response can end it: of the
    /// challenge or the login before, and of the session.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) ended_by: Vec<RevocationKey>,
    /// The directory of the path where the user logged in. None if the path was too long to store.
    pub(crate) directory: Option<Directory>,
    /// Whether the browser was challenged in that directory again, because it had dropped the
    /// credentials. After that it may hold them for a part of the directory only.
    #[serde(default)]
    pub(crate) reprompted: bool,
    /// The epoch of the user in which the password was presented.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) epoch: Epoch,
    /// The origin where the user logged in, if the request was sent to another one. At another
    /// origin the directory proves nothing.
    #[serde(skip)]
    pub(crate) foreign_origin: Option<String>,
}

impl Login {
    /// Whether a request without credentials for a page in the directory proves that the browser
    /// holds no credentials.
    pub(crate) fn proves_by_directory(&self) -> bool {
        !self.reprompted && self.foreign_origin.is_none()
    }

    /// The latest time at which the login can end if there is a visit now.
    pub(crate) fn ends_by_after_visit(&self, now: u64) -> u64 {
        self.ends_by.saturating_add(now.saturating_sub(self.visited_at))
    }

    pub(crate) fn validity(&self) -> Validity {
        let Self { logged_in_at, verified_at, visited_at, ends_by, epoch, .. } = *self;
        Validity { logged_in_at, verified_at, visited_at, ends_by, epoch }
    }
}

/// The part of a login on which its validity depends. Times are in milliseconds since 1970.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Validity {
    pub(crate) logged_in_at: u64,
    pub(crate) verified_at: u64,
    pub(crate) visited_at: u64,
    pub(crate) ends_by: u64,
    pub(crate) epoch: Epoch,
}

/// Converts milliseconds since 1970.
pub(crate) fn time(millis: u64) -> SystemTime {
    // A session may contain any number, and `SystemTime` cannot represent every `u64`.
    UNIX_EPOCH.checked_add(Duration::from_millis(millis)).unwrap_or(UNIX_EPOCH)
}

/// Converts to milliseconds since 1970.
pub(crate) fn millis(time: SystemTime) -> u64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
