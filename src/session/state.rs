//! The state of a realm in a session. `DESIGN.md` describes the state machine.

use serde::{Deserialize, Serialize};

use super::login::Login;
use crate::{
    refusal_reason::Reason,
    request::{
        fingerprint::{Fingerprint, FingerprintKey},
        path::{Directory, RequestPath},
    },
    revocation::{
        key::{LoginId, RevocationKey},
        registry::IdKind,
    },
};

/// The session's record of the credentials that a browser holds for a realm.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum State {
    /// There is no entry, and the request carries no cookie of a session that no longer exists.
    Fresh,
    /// The user typed valid credentials.
    LoggedIn(Login),
    /// A login has ended, and the browser may still hold its credentials. Directory and fingerprint
    /// are those of that login, if they are known.
    LoggedOut { directory: Option<Directory>, fingerprint: Option<Fingerprint>, cause: Cause },
    /// The server answered cached credentials with a challenge at this path. The browser has
    /// dropped them and prompts its user. The user typed the credentials that arrive next at this
    /// path.
    ///
    /// `pending` is the fingerprint of the ended login, while the server has challenged only
    /// *other* credentials. The browser may hold both.
    Rechallenged { path: RequestPath, pending: Option<Fingerprint>, cause: Cause },
    /// The browser has shown that it holds no credentials, and was challenged at this path. The
    /// user typed the credentials that arrive next at any path.
    Prompted { path: RequestPath, cause: Cause },
}

/// The reason why the browser is challenged, or will be.
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
    /// This state after its login has ended for a cause. Only a login leaves a directory: the
    /// browser sends the credentials to each path in it, if it still holds them.
    pub(crate) fn logged_out(&self, cause: Cause) -> Self {
        let (directory, fingerprint) = match self {
            Self::LoggedIn(login) => {
                let directory = login.directory.clone().filter(|_| login.proves_by_directory());
                (directory, Some(login.fingerprint))
            }
            Self::LoggedOut { directory, fingerprint, .. } => (directory.clone(), *fingerprint),
            // Credentials that the user has typed may still be in flight, for this path or from
            // another tab.
            Self::Rechallenged { pending, .. } => (None, *pending),
            Self::Prompted { .. } | Self::Fresh => (None, None),
        };
        Self::LoggedOut { directory, fingerprint, cause }
    }

    /// `LoggedOut` in place of a challenge whose time has passed. Credentials that come now may be older
    /// than a logout, so they need another challenge. If the browser had no credentials, a request for
    /// any path without credentials proves that it still has none.
    pub(super) fn expired_challenge(self) -> Self {
        let cause = self.cause_elsewhere();
        let fingerprint = self.fingerprint().copied();
        let directory = fingerprint.is_none().then(Directory::root);
        Self::LoggedOut { directory, fingerprint, cause }
    }

    /// This state after a logout has ended its id. The browser sent the request before it got the
    /// response to the logout, so missing credentials prove nothing.
    pub(crate) fn ended(&self) -> Self {
        self.without_proof(Cause::LoggedOut)
    }

    /// `LoggedOut` without a directory, so that missing credentials prove nothing.
    pub(crate) fn without_proof(&self, cause: Cause) -> Self {
        Self::LoggedOut { directory: None, fingerprint: self.fingerprint().copied(), cause }
    }

    /// The cause that a page of another origin shows. A login at one origin does not mean a logout
    /// at another.
    pub(crate) fn cause_elsewhere(&self) -> Cause {
        match self {
            Self::LoggedOut { cause, .. }
            | Self::Rechallenged { cause, .. }
            | Self::Prompted { cause, .. } => *cause,
            Self::LoggedIn(_) | Self::Fresh => Cause::LoginRequired,
        }
    }

    /// The kind of an entry with this state, which is what its id names.
    pub(crate) fn kind(&self) -> IdKind {
        match self {
            Self::LoggedIn(_) => IdKind::Login,
            _ => IdKind::Challenge,
        }
    }

    /// The keys under which an entry with this state and id can be ended.
    pub(crate) fn keys(&self, id: Option<LoginId>) -> Vec<RevocationKey> {
        let ended_by = match self {
            Self::LoggedIn(login) => &*login.ended_by,
            _ => &[],
        };
        let own = id.map(RevocationKey::of_login).into_iter();
        own.chain(ended_by.iter().copied()).collect()
    }

    /// The fingerprint of the credentials that the browser may still hold.
    pub(crate) fn fingerprint(&self) -> Option<&Fingerprint> {
        match self {
            Self::LoggedIn(login) => Some(&login.fingerprint),
            Self::LoggedOut { fingerprint, .. } => fingerprint.as_ref(),
            Self::Rechallenged { pending, .. } => pending.as_ref(),
            Self::Fresh | Self::Prompted { .. } => None,
        }
    }

    /// Drops a fingerprint that another key made, because it cannot be compared with this key's
    /// fingerprints.
    pub(super) fn known_to(self, key: &FingerprintKey) -> Self {
        let is_foreign = self.fingerprint().is_some_and(|it| !key.made(it));
        if is_foreign { self.without_fingerprint() } else { self }
    }

    /// Drops the fingerprint of credentials that the browser may still hold. A login needs its own.
    pub(crate) fn without_fingerprint(self) -> Self {
        match self {
            Self::LoggedOut { directory, cause, .. } => {
                Self::LoggedOut { directory, fingerprint: None, cause }
            }
            Self::Rechallenged { path, cause, .. } => {
                Self::Rechallenged { path, pending: None, cause }
            }
            other => other,
        }
    }
}
