//! Decides whether a login is still valid. A new way for a login to end belongs here and nowhere
//! else.

use std::time::Duration;

use super::{deadlines::Deadlines, login::Validity, state::Cause};
use crate::revocation::registry::{EntryStatus, RevocationStatus};

/// The status of a login at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LoginStatus {
    Active,
    /// Valid, but the authenticator has to verify the credentials again.
    Due,
    /// Past its absolute or idle timeout.
    Expired,
    /// The application revoked this login, or all logins of its user.
    Revoked,
    /// A logout ended it.
    LoggedOut,
}

impl LoginStatus {
    /// The reason why the login has ended. None while it is valid.
    pub(crate) fn ended(self) -> Option<Cause> {
        match self {
            Self::Active | Self::Due => None,
            Self::Expired => Some(Cause::Expired),
            Self::Revoked => Some(Cause::Revoked),
            Self::LoggedOut => Some(Cause::LoggedOut),
        }
    }
}

/// How long logins of a realm are valid.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Lifetime {
    pub(crate) deadlines: Deadlines,
    /// The time between two verifications of the credentials. Zero if each request verifies them.
    pub(crate) reverify_after: Duration,
}

/// The current status of a login, given its status in the revocation list.
pub(crate) fn login_status(
    login: &Validity,
    now: u64,
    lifetime: &Lifetime,
    revocations: &EntryStatus,
) -> LoginStatus {
    let is_of_earlier_epoch =
        revocations.user_epoch.is_some() && revocations.user_epoch != login.epoch;
    match revocations.id {
        RevocationStatus::LoggedOut => LoginStatus::LoggedOut,
        RevocationStatus::Revoked => LoginStatus::Revoked,
        RevocationStatus::Active if is_of_earlier_epoch => LoginStatus::Revoked,
        RevocationStatus::Active if lifetime.deadlines.have_passed(login, now) => {
            LoginStatus::Expired
        }
        RevocationStatus::Active if is_due(login, now, lifetime.reverify_after) => LoginStatus::Due,
        RevocationStatus::Active => LoginStatus::Active,
    }
}

/// Whether a verification is due. A verification in the future does not count.
fn is_due(login: &Validity, now: u64, after: Duration) -> bool {
    now.checked_sub(login.verified_at).is_none_or(|age| Duration::from_millis(age) >= after)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::revocation::key::Epoch;

    const MINUTE: u64 = 60_000;

    fn status(now: u64, epoch: Epoch, id: RevocationStatus, user_epoch: Epoch) -> LoginStatus {
        let (logged_in_at, verified_at, visited_at, ends_by) = (0, 0, 0, u64::MAX);
        let login = Validity { logged_in_at, verified_at, visited_at, ends_by, epoch };
        let minutes = |it| Duration::from_millis(it * MINUTE);
        let deadlines = Deadlines { login: Some(minutes(60)), visit: minutes(30) };
        let lifetime = Lifetime { deadlines, reverify_after: minutes(5) };
        login_status(&login, now, &lifetime, &EntryStatus { id, user_epoch, ..EntryStatus::ACTIVE })
    }

    #[test]
    fn login_status_follows_revocations_deadlines_and_verification() {
        use RevocationStatus::{Active, LoggedOut, Revoked};
        for (name, now, epoch, id, user_epoch, expected) in [
            ("fresh", 0, None, Active, None, LoginStatus::Active),
            ("verified recently", 5 * MINUTE - 1, None, Active, None, LoginStatus::Active),
            ("to be verified", 5 * MINUTE, None, Active, None, LoginStatus::Due),
            ("idle", 30 * MINUTE, None, Active, None, LoginStatus::Expired),
            ("logged out", 0, None, LoggedOut, None, LoginStatus::LoggedOut),
            ("logged out and idle", 30 * MINUTE, None, LoggedOut, Some(7), LoginStatus::LoggedOut),
            ("revoked", 0, None, Revoked, None, LoginStatus::Revoked),
            ("revoked and idle", 30 * MINUTE, None, Revoked, None, LoginStatus::Revoked),
            ("its user was revoked", 0, None, Active, Some(7), LoginStatus::Revoked),
            ("its user was revoked before", 0, Some(7), Active, Some(7), LoginStatus::Active),
            ("its user was revoked again", 0, Some(7), Active, Some(8), LoginStatus::Revoked),
            ("the revocation has expired", 0, Some(7), Active, None, LoginStatus::Active),
        ] {
            assert_eq!(status(now, epoch, id, user_epoch), expected, "{name}");
        }
    }

    #[test]
    fn verification_in_the_future_is_due() {
        let (logged_in_at, verified_at, visited_at, ends_by) = (0, 1, 0, u64::MAX);
        let login = Validity { logged_in_at, verified_at, visited_at, ends_by, epoch: None };
        assert!(is_due(&login, 0, Duration::MAX));
        assert!(is_due(&login, 1, Duration::ZERO), "checked on every request");
    }
}
