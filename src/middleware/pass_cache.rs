//! Requests that passed, known again by their bytes: what is as it was need not be read anew.

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
    config::Config,
    context::RequestContext,
    revocation::RevocationError,
    revocation::registry::{Keys, RevocationStatus, is_over},
    session::{self, Login, millis},
    user::User,
};

/// How many a worker knows at most; then it begins anew. Some 800 bytes each.
const MOST: usize = 1_000;

/// Where the digits of an entry's id begin that tell logins apart.
const ID: usize = r#"{"id":""#.len();

/// What a worker knows of the requests that it has let pass, in one realm.
///
/// A request with the session entry and the `Authorization` header of one that passed has its login
/// and its credentials. What can have changed meanwhile is looked at each time: the clock, and
/// whether the login has ended.
///
/// Of the header no more is kept than a keyed hash: `SipHash-2-4` with 128 bits, under a key that was
/// drawn for this alone and never leaves.
pub(crate) struct PassCache {
    key: [u8; 16],
    passed: RefCell<BTreeMap<u128, Rc<Passed>>>,
}

/// A request that passed.
struct Passed {
    entry: String,
    /// Not an empty string: glibc takes 60 ns to find two of those equal.
    predecessor: Option<String>,
    login: Login,
    keys: Keys,
    /// [`Revocations::generation`](crate::revocation::registry::Ended::ends) before it was last found to go on.
    generation: Cell<Option<u64>>,
    user: User,
}

/// Where a request with a login and credentials is looked for, and what is there.
pub(crate) struct CacheLookup {
    mark: u128,
    passed: Option<Rc<Passed>>,
}

impl PassCache {
    pub(crate) fn new() -> Self {
        Self { key: rand::random(), passed: RefCell::default() }
    }

    /// None if the request has no login or no credentials, or if the authenticator sees each.
    pub(crate) fn find(
        &self,
        config: &Config,
        req: &HttpRequest,
        session: &Session,
    ) -> Option<CacheLookup> {
        if config.checker.sees_every_request() {
            return None;
        }
        session::written(session, &config.entry_key, |entry, predecessor| {
            let mut headers = req.headers().get_all(AUTHORIZATION);
            let (Some(header), None) = (headers.next(), headers.next()) else { return None };
            let mark = self.mark(header.as_bytes(), entry.as_bytes());
            let passed = self.passed.borrow().get(&mark).map(Rc::clone);
            let is_it =
                |it: &Rc<Passed>| it.entry == entry && it.predecessor.as_deref() == predecessor;
            Some(CacheLookup { mark, passed: passed.filter(is_it) })
        })?
    }

    /// The same for two requests with one entry only if they have one header.
    fn mark(&self, header: &[u8], entry: &[u8]) -> u128 {
        let mut hash = SipHasher24::new_with_key(&self.key);
        hash.write(header);
        let id = entry.get(ID..).and_then(<[u8]>::first_chunk).copied().unwrap_or_default();
        hash.finish128().as_u128() ^ u128::from_be_bytes(id)
    }

    /// Learns of a request that passes, before anything of it is written.
    pub(crate) fn insert(
        &self,
        spot: &CacheLookup,
        config: &Config,
        visit: &RequestContext,
        user: &User,
    ) {
        let Some((login, keys)) = visit.logged_in(config) else { return };
        let mut passed = self.passed.borrow_mut();
        if passed.len() >= MOST {
            passed.clear();
        }
        session::written(&visit.session, &config.entry_key, |entry, predecessor| {
            let (entry, predecessor) = (entry.to_owned(), predecessor.map(str::to_owned));
            let (login, generation, user) = (login.clone(), Cell::new(None), user.clone());
            let it = Passed { entry, predecessor, login, keys, generation, user };
            passed.insert(spot.mark, Rc::new(it));
        });
    }
}

impl CacheLookup {
    /// Who passes again; nobody, if the request has to be read.
    pub(crate) async fn get(&self, config: &Config) -> Result<Option<User>, RevocationError> {
        let Some(passed) = &self.passed else { return Ok(None) };
        let Passed { login, keys, generation, user, .. } = &**passed;
        let now = millis((config.clock)());
        if login.is_due(now, config.reverify_after)
            || config.deadlines.have_passed(login, now)
            || config.deadlines.want_visit(login, now)
        {
            return Ok(None);
        }
        let now_ended = config.ended.generation();
        if now_ended.is_none() || now_ended != generation.get() {
            let (fate, epochs) = config.ended.look(keys).await?;
            if fate != RevocationStatus::GoesOn || is_over(&epochs, login.epoch) {
                return Ok(None);
            }
            generation.set(now_ended);
        }
        Ok(Some(user.clone()))
    }
}
