//! Verifies the credentials of logins again: one check for all requests that need it.
//!
//! A client can send any number of requests with a login whose verification is due, or replay the
//! cookie of such a login. Without this, each of them would cost a password hash.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use actix_web::Error;

use crate::{
    authenticator::{
        shared_check::{SharedCheck, SharedChecks},
        verdict::Verdict,
    },
    expiring_map::ExpiringMap,
    request::fingerprint::Fingerprint,
    retry_later::TryLater,
};

/// The maximum number of credentials whose last verification is remembered. Each takes about 300
/// bytes, and up to 1 KiB more if the authenticator returns a canonical user id.
const CAPACITY: usize = 10_000;

/// When to retry a request that shared a check which ended in an error.
const RETRY_AFTER: Duration = Duration::from_secs(5);

/// A MAC of credentials.
type Key = [u8; 32];

/// A verdict, or the error of the requests that shared a check which could not be completed.
type Answer = Result<Verified, TryLater>;

/// A verdict on the credentials of a login.
#[derive(Clone, Debug)]
pub(crate) struct Verified {
    pub(crate) verdict: Verdict,
    /// When the request came that made the check, in milliseconds since 1970.
    pub(crate) at: u64,
}

/// The verifications of a realm that are in progress, and those that are recent.
pub(crate) struct Reverifications {
    /// Marked with the time when they began.
    due: SharedChecks<Key, u64, Answer>,
    /// Marked with the number of the revocation after which they began.
    after_revocation: SharedChecks<Key, u64, Answer>,
    /// Credentials that were valid.
    recent: Mutex<ExpiringMap<Key, Verified, u64>>,
}

impl Reverifications {
    pub(crate) fn new() -> Self {
        Self {
            due: SharedChecks::default(),
            after_revocation: SharedChecks::default(),
            recent: Mutex::new(ExpiringMap::new(CAPACITY)),
        }
    }

    /// The verdict of a check that began less than `max_age` ago: a recent one, one in progress, or a
    /// new one. If `max_age` is zero, each request makes a check of its own.
    pub(crate) async fn verify_within(
        &self,
        max_age: Duration,
        credentials: &Fingerprint,
        now: u64,
        check: impl AsyncFnOnce() -> Result<Verdict, Error>,
    ) -> Result<Verified, Error> {
        let key = credentials.map_key();
        // A check in the future does not count: the clock was set back.
        let is_recent =
            |at: &u64| now.checked_sub(*at).is_some_and(|age| Duration::from_millis(age) < max_age);
        let shared = self.due.join(key, now, is_recent);
        // After `join`: a check that has just left the table is already remembered.
        let recent = self.lock().get(&key, now).filter(|it| is_recent(&it.at)).cloned();
        if let Some(recent) = recent {
            return Ok(recent);
        }
        let expires_at = now.saturating_add(millis(max_age));
        answer(shared, now, async || {
            let verdict = check().await?;
            if verdict.is_valid() {
                let verified = Verified { verdict: verdict.clone(), at: now };
                self.lock().insert(key, verified, expires_at, now);
            } else {
                self.lock().remove(&key);
            }
            Ok(verdict)
        })
        .await
    }

    /// The verdict of a check that began after this revocation of the user: one in progress, or a new
    /// one.
    pub(crate) async fn verify_after(
        &self,
        revocation: u64,
        credentials: &Fingerprint,
        now: u64,
        check: impl AsyncFnOnce() -> Result<Verdict, Error>,
    ) -> Result<Verified, Error> {
        let key = credentials.map_key();
        let shared = self.after_revocation.join(key, revocation, |it| *it == revocation);
        answer(shared, now, check).await
    }

    fn lock(&self) -> MutexGuard<'_, ExpiringMap<Key, Verified, u64>> {
        // No method of the map panics during a change, so a poisoned lock is consistent.
        self.recent.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The answer of a shared check. Only the request that made the check gets its error. The others do not
/// check for themselves: if a database is overloaded, they would all ask it at once.
async fn answer(
    shared: SharedCheck<'_, Key, u64, Answer>,
    now: u64,
    check: impl AsyncFnOnce() -> Result<Verdict, Error>,
) -> Result<Verified, Error> {
    let mut own = None;
    let answer = shared.answer(async || match check().await {
        Ok(verdict) => Ok(Verified { verdict, at: now }),
        Err(error) => {
            let later = error.as_error::<TryLater>().cloned();
            own = Some(error);
            Err(later.unwrap_or_else(|| TryLater::busy(RETRY_AFTER)))
        }
    });
    let answer = answer.await;
    match (answer, own) {
        (Ok(verified), _) => Ok(verified),
        (Err(_), Some(error)) => Err(error),
        (Err(later), None) => Err(later.into()),
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use actix_web_httpauth::headers::authorization::Basic;

    use super::*;
    use crate::request::fingerprint::FingerprintKey;

    const MINUTE: Duration = Duration::from_secs(60);

    fn credentials(password: &str) -> Fingerprint {
        let credentials = Basic::new("alice", Some(password.to_owned())).into();
        FingerprintKey::new(&[1; 32]).of("Admin area", &credentials)
    }

    /// Verifies the credentials at so many milliseconds. Returns whether that took a check.
    async fn is_checked(
        all: &Reverifications,
        credentials: &Fingerprint,
        now: u64,
        max_age: Duration,
        is_valid: bool,
    ) -> bool {
        let mut is_checked = false;
        let check = async || {
            is_checked = true;
            Ok(Verdict::from(is_valid))
        };
        all.verify_within(max_age, credentials, now, check).await.expect("a verdict");
        is_checked
    }

    #[actix_web::test]
    async fn verification_is_remembered_until_its_age_is_reached() {
        let (all, alice) = (Reverifications::new(), credentials("wonderland"));
        for (now, expected) in [(100, true), (100, false), (60_099, false), (60_100, true)] {
            assert_eq!(is_checked(&all, &alice, now, MINUTE, true).await, expected, "at {now}");
        }
        let never = Duration::MAX;
        assert!(!is_checked(&all, &alice, 60_100, never, true).await);
        assert!(is_checked(&all, &alice, 60_099, never, true).await, "the clock was set back");
        assert!(is_checked(&all, &credentials("x"), 60_100, never, true).await);
    }

    #[actix_web::test]
    async fn failed_verification_forgets_the_last_valid_one() {
        let (all, alice) = (Reverifications::new(), credentials("wonderland"));
        assert!(is_checked(&all, &alice, 500, MINUTE, true).await);
        assert!(is_checked(&all, &alice, 400, MINUTE, false).await, "the clock was set back");
        assert!(is_checked(&all, &alice, 500, MINUTE, true).await);
    }

    #[actix_web::test]
    async fn zero_age_remembers_nothing() {
        let (all, alice) = (Reverifications::new(), credentials("wonderland"));
        for _ in 0..2 {
            assert!(is_checked(&all, &alice, 100, Duration::ZERO, true).await);
        }
        assert_eq!(all.lock().len(), 0);
    }

    #[actix_web::test]
    async fn remembered_verifications_are_bounded_and_the_oldest_is_evicted() {
        let all = Reverifications::new();
        for number in 0..=CAPACITY {
            let now = u64::try_from(number).expect("a small number");
            is_checked(&all, &credentials(&number.to_string()), now, MINUTE, true).await;
        }
        assert_eq!(all.lock().len(), CAPACITY);
        assert!(!is_checked(&all, &credentials("1"), 10_000, MINUTE, true).await);
        assert!(is_checked(&all, &credentials("0"), 10_000, MINUTE, true).await);
    }
}
