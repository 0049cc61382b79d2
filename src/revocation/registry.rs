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

use super::{
    key::{Epoch, LoginId, RevocationKey},
    memory::{CausedBy, InMemory},
    store::{RevocationError, RevocationStore},
    subscription::{self, Subscription},
};

/// The maximum time for which an entry is needed, even if the deadlines are longer.
const MAX_RETENTION: Duration = Duration::from_secs(400 * 24 * 60 * 60);

/// How long after a challenge the user can log in without another challenge. It limits what a client
/// without a password can leave in the revocation list.
pub(crate) const CHALLENGE_LIFETIME: Duration = Duration::from_secs(15 * 60);

/// The time to live of an entry about a challenge, which is not needed after that: longer than the challenge itself on machines whose
/// clocks differ.
pub(crate) const CHALLENGE_TTL: Duration = Duration::from_secs(20 * 60);

/// The values that are stored under the id of a login.
const LOGGED_OUT: u64 = 0;
const REVOKED: u64 = 1;

/// The value that is stored under the key of a challenge that a client abandoned.
const ABANDONED: u64 = 0;

/// All realms of a process share one list, because a logout from one realm also ends the logins of
/// the others.
static IN_MEMORY: LazyLock<InMemory> = LazyLock::new(InMemory::default);

/// Counts the writes to the list in memory.
static GENERATION: AtomicU64 = AtomicU64::new(0);

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

/// The kind of a session entry, which is what its id names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum IdKind {
    /// A challenge. It needs no password, so it is remembered for minutes only.
    Challenge,
    Login,
}

/// The revocation status of a realm's entry in a session.
#[derive(Clone, Copy, Debug)]
pub(crate) struct EntryStatus {
    pub(crate) id: RevocationStatus,
    /// The list has a record of the id itself, and not only of what the entry came from.
    pub(crate) has_own_record: bool,
    /// The current epoch of the logged-in user.
    pub(crate) user_epoch: Epoch,
    /// The current epoch of the user whose credentials the request carries, or else of the
    /// logged-in user.
    pub(crate) presented_epoch: Epoch,
}

impl EntryStatus {
    /// Nothing is revoked.
    pub(crate) const ACTIVE: Self = Self {
        id: RevocationStatus::Active,
        has_own_record: false,
        user_epoch: None,
        presented_epoch: None,
    };
}

impl Revocations {
    /// `ttl` is the time to live of an entry: the longest time for which a login can be valid.
    pub(crate) fn new(store: Option<Arc<dyn RevocationStore>>, ttl: Duration) -> Self {
        Self { store, ttl: ttl.min(MAX_RETENTION) }
    }

    /// Records the end of a login, under its id and other keys that name it. `remaining` is the longest
    /// time for which a copy of its session may be valid, by the deadlines under which it was written.
    pub(crate) async fn log_out(
        &self,
        id: LoginId,
        others: impl IntoIterator<Item = RevocationKey>,
        remaining: Duration,
    ) -> Result<(), RevocationError> {
        let ttl = remaining.min(MAX_RETENTION).max(self.ttl);
        let keys = [RevocationKey::of_login(id)].into_iter().chain(others);
        self.set(keys, LOGGED_OUT, ttl).await
    }

    /// Records that a logout from this realm ended a login of another realm. This realm does not
    /// know the other realm's deadlines, so the entry gets the maximum time to live.
    pub(crate) async fn log_out_other_realm(&self, id: LoginId) -> Result<(), RevocationError> {
        self.set([RevocationKey::of_login(id)], LOGGED_OUT, MAX_RETENTION).await
    }

    /// Ends the login that replaces a login whose logout has just come, if there is one: another
    /// user's, whose response the browser had not received.
    pub(crate) async fn log_out_replacement(
        &self,
        id: LoginId,
        now: u64,
    ) -> Result<(), RevocationError> {
        let key = RevocationKey::of_login(id);
        if let Some(remaining) = self.remaining_after(key, now).await? {
            self.set([key.of_replacement()], LOGGED_OUT, remaining).await?;
        }
        Ok(())
    }

    /// Records a logout from a challenge. If the challenge has led to a login meanwhile, that login
    /// ends.
    pub(crate) async fn log_out_challenge(
        &self,
        id: LoginId,
        now: u64,
    ) -> Result<(), RevocationError> {
        self.end_challenge(RevocationKey::of_login(id), now).await
    }

    /// Records a logout whose request named a session that no longer exists. The logout ends the
    /// logins of these keys, in the session that has replaced that one, if there are such logins.
    pub(crate) async fn log_out_successor(
        &self,
        within: impl IntoIterator<Item = RevocationKey>,
        now: u64,
    ) -> Result<(), RevocationError> {
        for key in within {
            self.end_challenge(key, now).await?;
        }
        Ok(())
    }

    /// The login and the logout may happen at the same time, on different machines. The login first
    /// records its success and then looks for a logout; the logout does the reverse. So at least one
    /// of the two sees the other.
    async fn end_challenge(&self, key: RevocationKey, now: u64) -> Result<(), RevocationError> {
        self.write(&[(key.of_abandoned(), ABANDONED)], CHALLENGE_TTL, CausedBy::Anyone).await?;
        if let Some(remaining) = self.remaining_after(key, now).await? {
            self.set([key], LOGGED_OUT, remaining).await?;
        }
        Ok(())
    }

    /// The longest time for which the logins can be valid to which this challenge has led, or this session. None if it
    /// has led to none. A visit since may have prolonged them by `CHALLENGE_TTL`, which `set` adds.
    async fn remaining_after(
        &self,
        key: RevocationKey,
        now: u64,
    ) -> Result<Option<Duration>, RevocationError> {
        let ends_by = self.read(&[key.of_success()]).await?.first().copied().flatten();
        let remaining = ends_by.map(|it| Duration::from_millis(it.saturating_sub(now)));
        Ok(remaining.map(|it| it.min(MAX_RETENTION)))
    }

    /// Records that a challenge has led to a login, and that its session may be replaced, so that a
    /// logout that brings the challenge or a replaced session ends the login. `ends_by` is the latest
    /// time at which these logins end. To notice a logout that came before, the caller must look up the
    /// keys of the challenge afterwards.
    pub(crate) async fn record_success(
        &self,
        id: Option<LoginId>,
        sessions: impl IntoIterator<Item = RevocationKey>,
        ends_by: u64,
    ) -> Result<(), RevocationError> {
        let keys = id.map(RevocationKey::of_login).into_iter().chain(sessions);
        let entries: Vec<_> = keys.map(|key| (key.of_success(), ends_by)).collect();
        if entries.is_empty() {
            return Ok(());
        }
        self.write(&entries, CHALLENGE_TTL, CausedBy::User).await
    }

    /// Revokes a login. A login that has already ended keeps the status that it has. Nothing is known
    /// of the deadlines under which its session was written, so the entry gets the maximum time to
    /// live.
    pub(crate) async fn revoke_login(&self, id: LoginId) -> Result<(), RevocationError> {
        let own = vec![RevocationKey::of_login(id)];
        let status = self.look_up(&Keys::of(IdKind::Login, own, None, "", &[])).await?;
        if status.id != RevocationStatus::Active {
            return Ok(());
        }
        self.set([RevocationKey::of_login(id)], REVOKED, MAX_RETENTION).await
    }

    /// Revokes all logins of a user, by beginning a new epoch. Logins of earlier epochs are no
    /// longer valid.
    pub(crate) async fn revoke_user(&self, realm: &str, user: &str) -> Result<(), RevocationError> {
        let epoch = rand::rng().random();
        self.set([RevocationKey::of_user(realm, user)], epoch, MAX_RETENTION).await
    }

    /// Writes entries that may end a login, and are needed for this time.
    async fn set(
        &self,
        keys: impl IntoIterator<Item = RevocationKey>,
        value: u64,
        ttl: Duration,
    ) -> Result<(), RevocationError> {
        // A full store evicts the entries that expire soonest. As long as these are needed, they expire
        // later than each entry about a challenge.
        let ttl = ttl.saturating_add(CHALLENGE_TTL);
        let entries: Vec<_> = keys.into_iter().map(|key| (key, value)).collect();
        self.write(&entries, ttl, CausedBy::User).await?;
        if self.store.is_none() {
            GENERATION.fetch_add(1, SeqCst);
        }
        for (key, _) in &entries {
            subscription::notify(key);
        }
        Ok(())
    }

    async fn write(
        &self,
        entries: &[(RevocationKey, u64)],
        ttl: Duration,
        cause: CausedBy,
    ) -> Result<(), RevocationError> {
        if let Some(store) = &self.store {
            return store.set(entries, ttl).await;
        }
        IN_MEMORY.set(entries, ttl, cause);
        Ok(())
    }

    async fn read(&self, keys: &[RevocationKey]) -> Result<Vec<Option<u64>>, RevocationError> {
        let values = match &self.store {
            Some(store) => store.get(keys).await?,
            None => IN_MEMORY.get(keys),
        };
        if values.len() != keys.len() {
            return Err(RevocationError::new("the store did not return one value for each key"));
        }
        Ok(values)
    }

    /// A number that changes when a login may have ended. None with a store, where only a lookup
    /// can show that.
    pub(crate) fn generation(&self) -> Option<u64> {
        self.store.is_none().then(|| GENERATION.load(SeqCst))
    }

    /// A number that changes when the list in memory has lost an entry about a login. None with a
    /// store, which loses none.
    pub(crate) fn incarnation(&self) -> Option<u64> {
        self.store.is_none().then(|| IN_MEMORY.incarnation())
    }

    /// A subscription to changes that this process makes to these keys.
    pub(crate) fn subscribe(keys: &Keys) -> Subscription {
        Subscription::to(&keys.all)
    }

    /// Looks up the keys of a session entry.
    pub(crate) async fn look_up(&self, keys: &Keys) -> Result<EntryStatus, RevocationError> {
        if keys.all.is_empty() {
            return Ok(EntryStatus::ACTIVE);
        }
        let values = self.read(&keys.all).await?;
        let (of_id, epochs) = values.split_at(keys.of_id);
        let of_id = of_id.iter().map(|it| RevocationStatus::of(*it));
        let mut ended = of_id.filter(|it| *it != RevocationStatus::Active);
        Ok(EntryStatus {
            id: ended.next().unwrap_or(RevocationStatus::Active),
            // The entry's own key is the first.
            has_own_record: values.first().is_some_and(Option::is_some),
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
    /// The keys of an entry, of sessions that its session has replaced, and of users. The logged-in
    /// user comes first.
    pub(crate) fn of(
        kind: IdKind,
        mut own: Vec<RevocationKey>,
        sessions: impl IntoIterator<Item = RevocationKey>,
        realm: &str,
        users: &[&str],
    ) -> Self {
        if !own.is_empty() {
            // A login's own keys may contain those of the session in which it began.
            for key in sessions.into_iter().flat_map(|it| it.within_all(realm)) {
                if !own.contains(&key) {
                    own.push(key);
                }
            }
        }
        let abandoned = own.iter().filter(|_| kind == IdKind::Challenge);
        let abandoned: Vec<_> = abandoned.map(|it| it.of_abandoned()).collect();
        let of_id = own.len() + abandoned.len();
        let users = users.iter().map(|user| RevocationKey::of_user(realm, user));
        Self { all: own.into_iter().chain(abandoned).chain(users).collect(), of_id }
    }
}
