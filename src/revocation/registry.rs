//! The revocation list as a realm uses it: looked up on every request, updated by logouts.

use std::{
    fmt,
    sync::{
        Arc, LazyLock,
        atomic::{AtomicU64, Ordering::SeqCst},
    },
    time::Duration,
};

use rand::Rng;
use tokio::sync::watch;

use super::{
    key::{Epoch, LoginId, RevocationKey},
    memory::InMemory,
    store::{RevocationError, RevocationStore},
};

/// The maximum time to live of an entry, even if the deadlines are longer.
const MAX_RETENTION: Duration = Duration::from_secs(400 * 24 * 60 * 60);

/// The values that are stored under the id of a login.
const LOGGED_OUT: u64 = 0;
const REVOKED: u64 = 1;

/// All realms of a process share one list, because a logout from one realm also ends the logins of
/// the others.
static IN_MEMORY: LazyLock<InMemory> = LazyLock::new(InMemory::default);

/// Counts the writes to the list in memory.
static GENERATION: AtomicU64 = AtomicU64::new(0);

/// Notifies its receivers when this process may have ended a login.
static CHANGED: LazyLock<watch::Sender<()>> = LazyLock::new(watch::Sender::default);

/// A realm's access to the revocation list.
pub(crate) struct Revocations {
    /// None for the list in memory.
    store: Option<Arc<dyn RevocationStore>>,
    ttl: Duration,
}

/// The status of a login in the revocation list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RevocationStatus {
    Active,
    /// A logout ended it.
    LoggedOut,
    /// The application ended it. The browser gets an error page that says so with its next request.
    Revoked,
}

impl RevocationStatus {
    fn of(value: Option<u64>) -> Self {
        match value {
            None => Self::Active,
            Some(REVOKED) => Self::Revoked,
            Some(_) => Self::LoggedOut,
        }
    }
}

/// The revocation status of a realm's entry in a session.
#[derive(Clone, Copy, Debug)]
pub(crate) struct EntryStatus {
    pub(crate) id: RevocationStatus,
    /// The current epoch of the logged-in user.
    pub(crate) user_epoch: Epoch,
    /// The current epoch of the user whose credentials the request carries, or else of the
    /// logged-in user.
    pub(crate) presented_epoch: Epoch,
}

impl EntryStatus {
    /// Nothing is revoked.
    pub(crate) const ACTIVE: Self =
        Self { id: RevocationStatus::Active, user_epoch: None, presented_epoch: None };
}

impl Revocations {
    /// `ttl` is the time to live of an entry: the longest time for which a login can be valid.
    pub(crate) fn new(store: Option<Arc<dyn RevocationStore>>, ttl: Duration) -> Self {
        Self { store, ttl: ttl.min(MAX_RETENTION) }
    }

    /// Records the logout of a login. The login may not have begun yet: the id is drawn with the
    /// challenge.
    pub(crate) async fn log_out(&self, id: LoginId) -> Result<(), RevocationError> {
        self.set(RevocationKey::of_login(id), LOGGED_OUT, self.ttl).await
    }

    /// Records that a logout from this realm ended a login of another realm. This realm does not
    /// know the other realm's deadlines, so the entry gets the maximum time to live.
    pub(crate) async fn log_out_other_realm(&self, id: LoginId) -> Result<(), RevocationError> {
        self.set(RevocationKey::of_login(id), LOGGED_OUT, MAX_RETENTION).await
    }

    /// Records a logout whose request named a session that no longer exists. The logout ends the
    /// realm's login in the session that has replaced that one.
    pub(crate) async fn log_out_successor(
        &self,
        session: RevocationKey,
        realm: &str,
    ) -> Result<(), RevocationError> {
        self.set(session.within(realm), LOGGED_OUT, self.ttl).await
    }

    /// Revokes a login. A login that has already ended keeps the status that it has.
    pub(crate) async fn revoke_login(&self, id: LoginId) -> Result<(), RevocationError> {
        let status = self.look_up(&Keys::of(Some(id), None, "", &[])).await?;
        if status.id != RevocationStatus::Active {
            return Ok(());
        }
        self.set(RevocationKey::of_login(id), REVOKED, self.ttl).await
    }

    /// Revokes all logins of a user, by beginning a new epoch. Logins of earlier epochs are no
    /// longer valid.
    pub(crate) async fn revoke_user(&self, realm: &str, user: &str) -> Result<(), RevocationError> {
        let epoch = rand::rng().random();
        self.set(RevocationKey::of_user(realm, user), epoch, self.ttl).await
    }

    async fn set(
        &self,
        key: RevocationKey,
        value: u64,
        ttl: Duration,
    ) -> Result<(), RevocationError> {
        if let Some(store) = &self.store {
            store.set(&[(key, value)], ttl).await?;
        } else {
            IN_MEMORY.set(&[(key, value)], ttl);
            GENERATION.fetch_add(1, SeqCst);
        }
        CHANGED.send_replace(());
        Ok(())
    }

    /// A number that changes when a login may have ended. None with a store, where only a lookup
    /// can show that.
    pub(crate) fn generation(&self) -> Option<u64> {
        self.store.is_none().then(|| GENERATION.load(SeqCst))
    }

    /// A receiver that is notified when this process may have ended a login.
    pub(crate) fn changes() -> watch::Receiver<()> {
        CHANGED.subscribe()
    }

    /// Looks up the keys of a session entry.
    pub(crate) async fn look_up(&self, keys: &Keys) -> Result<EntryStatus, RevocationError> {
        if keys.all.is_empty() {
            return Ok(EntryStatus::ACTIVE);
        }
        let values = match &self.store {
            Some(store) => store.get(&keys.all).await?,
            None => IN_MEMORY.get(&keys.all),
        };
        if values.len() != keys.all.len() {
            return Err(RevocationError::new("the store did not return one value for each key"));
        }
        let (of_id, epochs) = values.split_at(keys.of_id);
        let of_id = of_id.iter().copied().map(RevocationStatus::of);
        let mut ended = of_id.filter(|it| *it != RevocationStatus::Active);
        Ok(EntryStatus {
            id: ended.next().unwrap_or(RevocationStatus::Active),
            user_epoch: epochs.first().copied().flatten(),
            presented_epoch: epochs.last().copied().flatten(),
        })
    }
}

impl fmt::Debug for Revocations {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Revocations").field("ttl", &self.ttl).finish_non_exhaustive()
    }
}

/// The keys to look up for a session entry.
pub(crate) struct Keys {
    all: Vec<RevocationKey>,
    /// The number of keys that belong to the id. The other keys name users.
    of_id: usize,
}

impl Keys {
    /// The keys of a login's id, of the session that its session has replaced, and of users. The
    /// logged-in user comes first.
    pub(crate) fn of(
        id: Option<LoginId>,
        predecessor: Option<RevocationKey>,
        realm: &str,
        users: &[&str],
    ) -> Self {
        let id = id.map(RevocationKey::of_login);
        let predecessor = predecessor.filter(|_| id.is_some()).map(|it| it.within(realm));
        let of_id = usize::from(id.is_some()) + usize::from(predecessor.is_some());
        let users = users.iter().map(|user| RevocationKey::of_user(realm, user));
        Self { all: id.into_iter().chain(predecessor).chain(users).collect(), of_id }
    }
}
