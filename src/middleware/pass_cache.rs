//! A per-worker cache of authorized requests: an unchanged entry and header skip parsing and hashing.

use std::{
    cell::{Cell, RefCell},
    collections::BTreeMap,
    hash::Hasher,
    rc::Rc,
};

use actix_session::Session;
use actix_web::{HttpRequest, http::header::AUTHORIZATION};
use siphasher::sip128::{Hasher128, SipHasher24};

use crate::{
    config::Realm,
    context::RequestContext,
    request::origin::is_cross_site,
    revocation::{
        registry::{EntryStatus, Keys},
        store::RevocationError,
    },
    session::{
        entry::{self, OwnedStoredEntry},
        login::Validity,
        login_validity::{LoginStatus, login_status},
    },
    user::User,
};

/// The maximum number of cached requests per worker. A full cache is cleared. Each entry takes some 800 bytes.
const CAPACITY: usize = 1_000;

/// The requests of one realm that a worker has let pass.
///
/// A request with the same session entry and the same `Authorization` header as a cached one belongs to the same login
/// and carries the same credentials. Only the validity of the login can have changed since, so it is checked each time.
///
/// The cache does not hold the header, only a keyed hash of it: `SipHash-2-4` with 128 bits, under a random key that is
/// used for nothing else and never leaves the cache.
pub(crate) struct PassCache {
    key: [u8; 16],
    passed: RefCell<BTreeMap<u128, Rc<Passed>>>,
}

/// A request that passed.
struct Passed {
    stored: OwnedStoredEntry,
    validity: Validity,
    /// As [`Login::revocation_list`](crate::session::login::Login::revocation_list).
    revocation_list: Option<u64>,
    keys: Keys,
    /// The last result from the revocation list, with its
    /// [generation](crate::revocation::registry::Revocations::generation).
    revocations: Cell<(Option<u64>, EntryStatus)>,
    user: User,
}

/// The cache key of a request with a login and credentials, and the cached request, if there is one.
pub(crate) struct CacheLookup {
    mark: u128,
    passed: Option<Rc<Passed>>,
}

impl PassCache {
    pub(crate) fn new() -> Self {
        Self { key: rand::random(), passed: RefCell::default() }
    }

    /// None if the request has no entry or no credentials, if a validator checks every request, or if another site made
    /// the browser send it: after too many other credentials, such a request must not pass.
    pub(crate) fn look_up(
        &self,
        realm: &Realm,
        req: &HttpRequest,
        session: &Session,
    ) -> Option<CacheLookup> {
        if realm.config.checker.sees_every_request() || is_cross_site(req) {
            return None;
        }
        let mut headers = req.headers().get_all(AUTHORIZATION);
        let (Some(header), None) = (headers.next(), headers.next()) else { return None };
        entry::with_stored(session, &realm.entry_key, |stored| {
            let mut hash = SipHasher24::new_with_key(&self.key);
            hash.write(header.as_bytes());
            // Only the header needs a keyed hash. The entry is mixed in to tell logins with the same header apart.
            let mark = hash.finish128().as_u128() ^ stored.hash128();
            let passed = self.passed.borrow().get(&mark).map(Rc::clone);
            let is_same = |it: &Rc<Passed>| it.stored.as_stored() == stored;
            CacheLookup { mark, passed: passed.filter(is_same) }
        })
    }

    /// Caches a request that passes. Call this before the session is written, because the stored entry is part of the
    /// key.
    pub(crate) fn insert(
        &self,
        lookup: &CacheLookup,
        realm: &Realm,
        context: &RequestContext,
        user: &User,
    ) {
        let Some((_, login)) = context.login() else { return };
        let mut passed = self.passed.borrow_mut();
        if passed.len() >= CAPACITY {
            passed.clear();
        }
        entry::with_stored(&context.session, &realm.entry_key, |stored| {
            let it = Passed {
                stored: stored.to_owned(),
                validity: login.validity(),
                revocation_list: login.revocation_list,
                keys: context.keys(realm, login),
                revocations: Cell::new((None, EntryStatus::ACTIVE)),
                user: user.clone(),
            };
            passed.insert(lookup.mark, Rc::new(it));
        });
    }
}

impl CacheLookup {
    /// The user of a cached request whose login is still valid. None if the request must be read.
    pub(crate) async fn get(&self, realm: &Realm) -> Result<Option<User>, RevocationError> {
        let Some(passed) = &self.passed else { return Ok(None) };
        let now = realm.now();
        let (seen_in, mut revocations) = passed.revocations.get();
        let is_active = |revocations: &EntryStatus| {
            login_status(&passed.validity, now, &realm.lifetime, revocations) == LoginStatus::Active
        };
        if !is_active(&revocations)
            || realm.lifetime.deadlines.want_visit(&passed.validity, now)
            || passed.revocation_list != realm.revocation_list()
        {
            return Ok(None);
        }
        let generation = realm.revocations.generation();
        if generation.is_none() || generation != seen_in {
            revocations = realm.revocations.look_up(&passed.keys).await?;
            if !is_active(&revocations) {
                return Ok(None);
            }
            passed.revocations.set((generation, revocations));
        }
        Ok(Some(passed.user.clone()))
    }
}
