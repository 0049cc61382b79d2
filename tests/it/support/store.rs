//! In-memory stores for sessions and revocations, outside the site, like Redis.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
};

use actix_basic_logout::{RevocationError, RevocationKey, RevocationStore};
use actix_session::storage::{LoadError, SaveError, SessionKey, SessionStore, UpdateError};
use actix_web::cookie::time::Duration;
use futures_core::future::BoxFuture;

/// The longest lifetime of an entry about a challenge.
pub const MINUTES: std::time::Duration = std::time::Duration::from_secs(20 * 60);

pub type SessionState = HashMap<String, String>;

/// Clones share the sessions.
#[derive(Clone, Default)]
pub struct MemoryStore {
    inner: Arc<Mutex<Inner>>,
    /// A renewed session keeps its key: `Bug::SessionNotRenewed`.
    pub never_renews: bool,
}

#[derive(Default)]
struct Inner {
    sessions: HashMap<String, SessionState>,
    /// The time to live that each session was last given.
    ttls: HashMap<String, Duration>,
    last_key: u32,
    last_deleted: Option<String>,
    broken: bool,
}

impl MemoryStore {
    pub fn len(&self) -> usize {
        self.inner.lock().unwrap().sessions.len()
    }

    pub fn get(&self, key: &str) -> Option<SessionState> {
        self.inner.lock().unwrap().sessions.get(key).cloned()
    }

    /// The time to live that a session was last given.
    pub fn ttl(&self, key: &str) -> Option<Duration> {
        self.inner.lock().unwrap().ttls.get(key).copied()
    }

    /// The content of all sessions.
    pub fn all(&self) -> String {
        format!("{:?}", self.inner.lock().unwrap().sessions).replace('\\', "")
    }

    /// Puts a raw value into every session.
    pub fn set(&self, key: &str, value: &str) {
        for state in self.inner.lock().unwrap().sessions.values_mut() {
            state.insert(key.to_owned(), value.to_owned());
        }
    }

    /// Changes a realm's entry in every session.
    pub fn edit(&self, realm: &str, change: impl Fn(&mut serde_json::Value)) {
        for state in self.inner.lock().unwrap().sessions.values_mut() {
            if let Some(entry) = state.get_mut(&format!("actix-basic-logout:{realm}")) {
                let mut value = serde_json::from_str(entry).unwrap();
                change(&mut value);
                *entry = value.to_string();
            }
        }
    }

    /// Makes every call fail, or succeed again, like a Redis that is down.
    pub fn set_broken(&self, broken: bool) {
        self.inner.lock().unwrap().broken = broken;
    }

    fn with<T>(&self, f: impl FnOnce(&mut Inner) -> T) -> Result<T, std::io::Error> {
        let mut inner = self.inner.lock().unwrap();
        if inner.broken {
            return Err(std::io::Error::other("the store is down"));
        }
        Ok(f(&mut inner))
    }
}

impl Inner {
    fn save(&mut self, state: SessionState, key: Option<String>, ttl: Duration) -> SessionKey {
        let key = key.unwrap_or_else(|| {
            self.last_key += 1;
            format!("session-{}", self.last_key)
        });
        self.sessions.insert(key.clone(), state);
        self.ttls.insert(key.clone(), ttl);
        key.try_into().unwrap()
    }
}

impl SessionStore for MemoryStore {
    async fn load(&self, key: &SessionKey) -> Result<Option<SessionState>, LoadError> {
        self.with(|inner| inner.sessions.get(key.as_ref()).cloned())
            .map_err(|error| LoadError::Other(error.into()))
    }

    async fn save(&self, state: SessionState, ttl: &Duration) -> Result<SessionKey, SaveError> {
        self.with(|inner| {
            let key = inner.last_deleted.take().filter(|_| self.never_renews);
            inner.save(state, key, *ttl)
        })
        .map_err(|error| SaveError::Other(error.into()))
    }

    /// Saves a session that no longer exists under a new key, like `RedisSessionStore`.
    async fn update(
        &self,
        key: SessionKey,
        state: SessionState,
        ttl: &Duration,
    ) -> Result<SessionKey, UpdateError> {
        self.with(|inner| {
            let key = String::from(key);
            let key = inner.sessions.contains_key(&key).then_some(key);
            inner.save(state, key, *ttl)
        })
        .map_err(|error| UpdateError::Other(error.into()))
    }

    /// Does nothing for a session that does not exist, like `RedisSessionStore`.
    async fn update_ttl(&self, key: &SessionKey, ttl: &Duration) -> Result<(), anyhow::Error> {
        self.with(|inner| {
            if inner.sessions.contains_key(key.as_ref()) {
                inner.ttls.insert(key.as_ref().to_owned(), *ttl);
            }
        })?;
        Ok(())
    }

    async fn delete(&self, key: &SessionKey) -> Result<(), anyhow::Error> {
        self.with(|inner| {
            inner.sessions.remove(key.as_ref());
            inner.ttls.remove(key.as_ref());
            inner.last_deleted = Some(key.as_ref().to_owned());
        })?;
        Ok(())
    }
}

/// A revocation store. Clones share the entries.
#[derive(Clone, Default)]
pub struct Revocations(Arc<Mutex<Stored>>);

#[derive(Default)]
struct Stored {
    /// The lifetime that every entry gets instead of its own, and whether entries about challenges are
    /// dropped: bugs of the model.
    ttl: Option<std::time::Duration>,
    drops_short: bool,
    /// The values, each with its time to live.
    values: HashMap<RevocationKey, (u64, std::time::Duration)>,
    ttls: Vec<std::time::Duration>,
    gets: usize,
    broken: bool,
}

impl Revocations {
    /// The number of reads.
    pub fn gets(&self) -> usize {
        self.0.lock().unwrap().gets
    }

    /// The `ttl` of each write.
    pub fn ttls(&self) -> Vec<std::time::Duration> {
        self.0.lock().unwrap().ttls.clone()
    }

    /// Keeps all entries for this time.
    pub fn keep_all_for(&self, ttl: std::time::Duration) {
        self.0.lock().unwrap().ttl = Some(ttl);
    }

    /// Stores no entry about a challenge.
    pub fn drop_short(&self) {
        self.0.lock().unwrap().drops_short = true;
    }

    /// Lets time pass.
    pub fn advance(&self, time: std::time::Duration) {
        self.expire(time);
        self.0.lock().unwrap().values.values_mut().for_each(|it| it.1 -= time);
    }

    /// Evicts the entries that expire soonest, as a full store does, until so many are left.
    pub fn evict(&self, capacity: usize) {
        let mut stored = self.0.lock().unwrap();
        let mut ttls: Vec<_> = stored.values.values().map(|it| it.1).collect();
        ttls.sort_unstable_by(|a, b| b.cmp(a));
        if let Some(longest_evicted) = ttls.get(capacity) {
            stored.values.retain(|_, it| it.1 > *longest_evicted);
        }
    }

    /// The time to live of each entry that is still stored.
    pub fn stored(&self) -> Vec<std::time::Duration> {
        self.0.lock().unwrap().values.values().map(|it| it.1).collect()
    }

    /// Removes the entries that expire within this time.
    pub fn expire(&self, after: std::time::Duration) {
        self.0.lock().unwrap().values.retain(|_, it| it.1 > after);
    }

    /// Makes every call fail, or succeed again, like a Redis that is down.
    pub fn set_broken(&self, broken: bool) {
        self.0.lock().unwrap().broken = broken;
    }

    fn with<T>(&self, f: impl FnOnce(&mut Stored) -> T) -> Result<T, RevocationError> {
        let mut stored = self.0.lock().unwrap();
        if stored.broken {
            return Err(RevocationError::new("the store is down"));
        }
        Ok(f(&mut stored))
    }
}

impl RevocationStore for Revocations {
    fn set<'a>(
        &'a self,
        entries: &'a [(RevocationKey, u64)],
        ttl: std::time::Duration,
    ) -> BoxFuture<'a, Result<(), RevocationError>> {
        Box::pin(async move {
            self.with(|it| {
                let ttl = it.ttl.unwrap_or(ttl);
                it.ttls.push(ttl);
                if ttl.is_zero() || (it.drops_short && ttl <= MINUTES) {
                    return;
                }
                it.values.extend(entries.iter().map(|(key, value)| (*key, (*value, ttl))));
            })
        })
    }

    fn get<'a>(
        &'a self,
        keys: &'a [RevocationKey],
    ) -> BoxFuture<'a, Result<Vec<Option<u64>>, RevocationError>> {
        Box::pin(async move {
            self.with(|it| {
                it.gets += 1;
                keys.iter().map(|key| it.values.get(key).map(|it| it.0)).collect()
            })
        })
    }
}
