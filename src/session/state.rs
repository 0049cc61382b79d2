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

/// What a realm knows of a browser.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum State {
    /// Nothing: no entry, and no session cookie whose session is missing.
    Fresh,
    /// The user typed valid credentials.
    LoggedIn(Login),
    /// The browser may still hold the credentials of the login that ended. This is what is known of that login.
    LoggedOut { directory: Option<Directory>, fingerprint: Option<Fingerprint>, cause: Cause },
    /// Cached credentials were rejected with a challenge at this path. The browser has dropped them and prompts its
    /// user. What comes to this path next was typed.
    ///
    /// Pending is the ended login's fingerprint while only *other* credentials were rejected: the browser may hold
    /// both.
    Rechallenged { path: RequestPath, pending: Option<Fingerprint>, cause: Cause },
    /// The browser has shown that it holds no credentials, and was challenged at this path. Whatever comes now was
    /// typed.
    Prompted { path: RequestPath, cause: Cause },
}

/// Why the browser is, or will be, asked for credentials.
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
    /// This state after a logout. A directory comes from a login only: it is where the browser is known to send the
    /// credentials, if it still has them.
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

    /// This state once its id has ended. The request was sent before the browser knew of the logout, so what it
    /// lacks proves nothing.
    pub(crate) fn ended(&self) -> Self {
        self.without_proof(Cause::LoggedOut)
    }

    /// `LoggedOut` without a directory, because what this browser does not send proves nothing.
    pub(crate) fn without_proof(&self, cause: Cause) -> Self {
        Self::LoggedOut { directory: None, fingerprint: self.fingerprint().copied(), cause }
    }

    /// What a page of another origin says. A user who is logged in there is not logged out here.
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

    /// Drops a fingerprint that another key made: it can be compared with nothing.
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
