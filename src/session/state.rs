//! The state of a realm in a session. `DESIGN.md` describes the whole machine.

use serde::{Deserialize, Serialize};

use super::login::Login;
use crate::{
    refusal_reason::Reason,
    request::{
        fingerprint::{Fingerprint, FingerprintKey},
        path::{Directory, RequestPath},
    },
};

/// The state of a realm in a session.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum State {
    /// Nothing is known: there is no entry, and no cookie of a session that no longer exists.
    Fresh,
    /// The user typed valid credentials.
    LoggedIn(Login),
    /// The login ended, and the browser may still hold its credentials. The fields describe that login, as far as known.
    LoggedOut { directory: Option<Directory>, fingerprint: Option<Fingerprint>, cause: Cause },
    /// Cached credentials were rejected with a challenge at this path. The browser dropped them and prompts. The user
    /// typed the next credentials for this path.
    ///
    /// `pending` is the ended login's fingerprint while only *other* credentials were rejected, because the browser may
    /// hold both.
    Rechallenged { path: RequestPath, pending: Option<Fingerprint>, cause: Cause },
    /// The browser has shown that it holds no credentials, and was challenged at this path. The user typed whatever
    /// credentials come next.
    Prompted { path: RequestPath, cause: Cause },
}

/// Why the browser is, or will be, prompted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Cause {
    /// No login of this browser is known to have ended.
    LoginRequired,
    LoggedOut,
    CredentialsChanged,
    Expired,
    Revoked,
}

impl From<Cause> for Reason {
    fn from(cause: Cause) -> Self {
        match cause {
            Cause::LoginRequired => Self::LoginRequired,
            Cause::LoggedOut => Self::LoggedOut,
            Cause::CredentialsChanged => Self::CredentialsChanged,
            Cause::Expired => Self::LoginExpired,
            Cause::Revoked => Self::LoginRevoked,
        }
    }
}

impl State {
    /// This state after a logout. Only a login has a directory: the browser sends its credentials there if it still
    /// holds them.
    pub(crate) fn logged_out(&self, cause: Cause) -> Self {
        let (directory, fingerprint) = match self {
            Self::LoggedIn(login) => {
                let directory = login.directory.clone().filter(|_| login.proves_by_directory());
                (directory, Some(login.fingerprint))
            }
            Self::LoggedOut { directory, fingerprint, .. } => (directory.clone(), *fingerprint),
            // The user may have typed credentials that have not arrived yet, at this path or in another tab.
            Self::Rechallenged { pending, .. } => (None, *pending),
            Self::Prompted { .. } | Self::Fresh => (None, None),
        };
        Self::LoggedOut { directory, fingerprint, cause }
    }

    /// This state after its id was revoked. The request raced the logout, so missing credentials prove nothing.
    pub(crate) fn ended(&self) -> Self {
        self.without_proof(Cause::LoggedOut)
    }

    /// `LoggedOut` without a directory, because missing credentials of this browser prove nothing.
    pub(crate) fn without_proof(&self, cause: Cause) -> Self {
        Self::LoggedOut { directory: None, fingerprint: self.fingerprint().copied(), cause }
    }

    /// The cause that a page of another origin shows. A user who is logged in there has not logged out here.
    pub(super) fn cause_elsewhere(&self) -> Cause {
        match self {
            Self::LoggedOut { cause, .. }
            | Self::Rechallenged { cause, .. }
            | Self::Prompted { cause, .. } => *cause,
            Self::LoggedIn(_) | Self::Fresh => Cause::LoginRequired,
        }
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

    /// Drops a fingerprint that was made with another key, because it matches nothing.
    pub(super) fn known_to(self, key: &FingerprintKey) -> Self {
        let known = |fingerprint: Option<Fingerprint>| fingerprint.filter(|it| key.made(it));
        match self {
            Self::LoggedOut { directory, fingerprint, cause } => {
                Self::LoggedOut { directory, fingerprint: known(fingerprint), cause }
            }
            Self::Rechallenged { path, pending, cause } => {
                Self::Rechallenged { path, pending: known(pending), cause }
            }
            other => other,
        }
    }
}
