//! Which logins count no more: asked on each request, told by log-outs.

use std::{
    fmt,
    sync::{
        Arc, LazyLock,
        atomic::{AtomicU64, Ordering::SeqCst},
    },
    time::Duration,
};

use rand::Rng;
use tokio::{sync::watch, time::timeout};

use crate::{
    config::Config,
    revocation::{InMemory, RevocationError, RevocationKey, RevocationStore},
    session::deadlines::Deadlines,
    session::{Entry, LoginId, State, millis},
};

/// No deadline counts for longer than that.
const LONGEST: Duration = Duration::from_secs(400 * 24 * 60 * 60);

/// How often an open handle looks for what has happened on other machines.
const LOOK: Duration = Duration::from_secs(1);

/// What is remembered of a login's id.
const LOGGED_OUT: u64 = 0;
const FROM_OUTSIDE: u64 = 1;

/// All realms of a process share it: one realm's log-out ends the logins of the others, too.
static IN_MEMORY: LazyLock<InMemory> = LazyLock::new(InMemory::default);

/// How often a login may have ended in the memory of this process.
static ENDS: AtomicU64 = AtomicU64::new(0);

/// Told whenever a login may have ended in this process.
static CHANGED: LazyLock<watch::Sender<()>> = LazyLock::new(watch::Sender::default);

/// [`revoke`](Ended::revoke) begins another epoch of a user: the logins of all others have ended.
pub(crate) type Epoch = Option<u64>;

/// The logins that have ended before their time, as a realm sees them.
pub(crate) struct Revocations {
    /// None for the memory of the process, which need not be waited for.
    store: Option<Arc<dyn RevocationStore>>,
    keep: Duration,
}

/// What has become of an id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RevocationStatus {
    GoesOn,
    /// A log-out has ended it.
    LoggedOut,
    /// It was ended from outside, and its browser does not know yet.
    Revoked,
}

impl RevocationStatus {
    fn of(value: Option<u64>) -> Self {
        match value {
            None => Self::GoesOn,
            Some(FROM_OUTSIDE) => Self::Revoked,
            Some(_) => Self::LoggedOut,
        }
    }
}

/// What is known of an entry.
pub(crate) struct EntryStatus {
    pub(crate) fate: RevocationStatus,
    pub(crate) is_revoked: bool,
    /// The present epoch of the user who is presented, or else of the one who is logged in.
    pub(crate) epoch: Epoch,
}

impl Revocations {
    /// What a login outlives is its shortest deadline, so nobody has to remember it for longer.
    pub(crate) fn new(store: Option<Arc<dyn RevocationStore>>, deadlines: Deadlines) -> Self {
        Self { store, keep: deadlines.longest_life().min(LONGEST) }
    }

    /// A log-out ends an id: of a login, or of one that may just be beginning under it.
    pub(crate) async fn end(&self, id: LoginId) -> Result<(), RevocationError> {
        self.set(RevocationKey::of_login(id), LOGGED_OUT, self.keep).await
    }

    /// A log-out of one realm ends another's login, whose deadlines it does not know.
    pub(crate) async fn end_for_long(&self, id: LoginId) -> Result<(), RevocationError> {
        self.set(RevocationKey::of_login(id), LOGGED_OUT, LONGEST).await
    }

    /// A log-out whose session is gone ends the realm's login in what has taken its place meanwhile.
    pub(crate) async fn end_successor(
        &self,
        session: RevocationKey,
        realm: &str,
    ) -> Result<(), RevocationError> {
        self.set(session.within(realm), LOGGED_OUT, self.keep).await
    }

    /// Ends a login whose browser does not know. One that has ended already stays as it is.
    pub(crate) async fn end_from_outside(&self, id: LoginId) -> Result<(), RevocationError> {
        if self.look(&Keys::of(Some(id), None, "", &[])).await?.0 != RevocationStatus::GoesOn {
            return Ok(());
        }
        self.set(RevocationKey::of_login(id), FROM_OUTSIDE, self.keep).await
    }

    /// Begins another epoch of a user, which ends all logins of the one before.
    pub(crate) async fn revoke(&self, realm: &str, user: &str) -> Result<(), RevocationError> {
        let epoch = rand::rng().random();
        self.set(RevocationKey::of_user(realm, user), epoch, self.keep).await
    }

    async fn set(
        &self,
        key: RevocationKey,
        value: u64,
        keep: Duration,
    ) -> Result<(), RevocationError> {
        if let Some(store) = &self.store {
            store.set(&[(key, value)], keep).await?;
        } else {
            IN_MEMORY.set(&[(key, value)], keep);
            ENDS.fetch_add(1, SeqCst);
        }
        CHANGED.send_replace(());
        Ok(())
    }

    /// A number that changes when a login may have ended; none if only looking tells.
    pub(crate) fn generation(&self) -> Option<u64> {
        self.store.is_none().then(|| ENDS.load(SeqCst))
    }

    /// What is known of an entry, and of who is presented. It is looked no further than they can lead:
    /// only who was asked, or is logged in, can log in.
    pub(crate) async fn standing(
        &self,
        realm: &str,
        entry: &Entry,
        predecessor: Option<RevocationKey>,
        presented: Option<&str>,
    ) -> Result<EntryStatus, RevocationError> {
        let (login, presented) = match &entry.state {
            State::LoggedIn(login) => (Some(login), presented.filter(|it| *it != login.user)),
            State::Prompted { .. } | State::Rechallenged { .. } => (None, presented),
            State::Fresh | State::LoggedOut { .. } => (None, None),
        };
        let users: Vec<_> = login.map(|it| &*it.user).into_iter().chain(presented).collect();
        let keys = Keys::of(entry.id, predecessor, realm, &users);
        let (fate, epochs) = self.look(&keys).await?;
        let is_over = login.is_some_and(|it| is_over(&epochs, it.epoch));
        let is_revoked = is_over || fate == RevocationStatus::Revoked;
        Ok(EntryStatus { fate, is_revoked, epoch: epochs.last().copied().flatten() })
    }

    /// What has become of an id, and the present epochs of users.
    pub(crate) async fn look(
        &self,
        keys: &Keys,
    ) -> Result<(RevocationStatus, Vec<Epoch>), RevocationError> {
        if keys.all.is_empty() {
            return Ok((RevocationStatus::GoesOn, Vec::new()));
        }
        let mut values = match &self.store {
            Some(store) => store.get(&keys.all).await?,
            None => IN_MEMORY.get(&keys.all),
        };
        if values.len() != keys.all.len() {
            return Err(RevocationError::new("the answer is not one value for each key"));
        }
        let mut of_id = values.drain(..keys.of_id).map(RevocationStatus::of);
        let fate =
            of_id.find(|it| *it != RevocationStatus::GoesOn).unwrap_or(RevocationStatus::GoesOn);
        drop(of_id);
        Ok((fate, values))
    }
}

/// What is looked up.
pub(crate) struct Keys {
    all: Vec<RevocationKey>,
    /// So many of them tell what has become of an id; the others are users.
    of_id: usize,
}

impl Keys {
    /// Of an id, in a session that has taken another's place, and of users.
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

impl fmt::Debug for Revocations {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Revocations").field("keep", &self.keep).finish_non_exhaustive()
    }
}

/// A login, as far as its end can be waited for.
#[derive(Clone, Copy)]
pub(crate) struct Watched {
    pub(crate) id: LoginId,
    pub(crate) epoch: Epoch,
    pub(crate) since: u64,
}

/// Waits until a login has ended: in this process at once, on another machine when that is next
/// looked for.
pub(crate) async fn wait(config: &Config, user: &str, login: Watched) {
    let keys = Keys::of(Some(login.id), None, &config.realm, &[user]);
    let mut changed = CHANGED.subscribe();
    let mut was_unreachable = false;
    loop {
        if config.deadlines.login_has_passed(login.since, millis((config.clock)())) {
            return;
        }
        match config.ended.look(&keys).await {
            Ok((RevocationStatus::GoesOn, epochs)) if !is_over(&epochs, login.epoch) => {
                was_unreachable = false;
            }
            Ok(_) => return,
            // Nobody can log out meanwhile, either.
            Err(error) if !was_unreachable => {
                tracing::warn!(realm = %config.realm, %error, "an open login cannot be looked after");
                was_unreachable = true;
            }
            Err(_) => {}
        }
        let _ = timeout(LOOK, changed.changed()).await;
    }
}

/// Whether a login of one epoch has ended with its user's present one, who was looked up first.
pub(crate) fn is_over(epochs: &[Epoch], of_login: Epoch) -> bool {
    epochs.first().is_some_and(|present| present.is_some() && *present != of_login)
}
