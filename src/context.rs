//! A request in its realm: read once into the facts of a decision, and written to the session once.

use std::time::Duration;

use actix_session::{Session, SessionStatus};
use actix_web::{Error, HttpRequest};
use futures_core::future::LocalBoxFuture;

use crate::{
    authenticator::{reverification::Verified, verdict::Verdict},
    config::{LogoutScope, Realm},
    decision::{
        facts::{Credentials, Facts},
        logout::LogoutResponse,
    },
    request::{
        authorization::{Authorization, RESERVED_USER},
        fingerprint::Fingerprint,
        kind::RequestKind,
        origin::{has_cookie, has_several_cookies, is_cross_site, is_same_origin, origin},
        path::RequestPath,
    },
    revocation::{
        key::{Epoch, LoginId, RevocationKey},
        registry::{CHALLENGE_TTL, EntryStatus, IdKind, Keys, RevocationStatus},
        store::RevocationError,
    },
    session::{
        entry::{self, Entry, FoundEntry},
        guesses::Known,
        login::Login,
        login_validity::{LoginStatus, login_status},
        state::{Cause, State},
    },
};

/// A request with its realm's session entry and revocations.
#[expect(clippy::struct_excessive_bools, reason = "each is an independent fact")]
pub(crate) struct RequestContext {
    pub(crate) session: Session,
    pub(crate) request_kind: RequestKind,
    pub(crate) authorization: Authorization,
    pub(crate) state: State,
    pub(crate) now: u64,

    id: Option<LoginId>,
    /// If the id is a login's: the latest time at which a copy of the login ends.
    login_ends_by: Option<u64>,
    /// The id, also if it has ended.
    last_id: Option<LoginId>,
    /// The key of what led to the login, if requests with it may still be in flight.
    origin_of_login: Option<RevocationKey>,
    /// The challenge has expired.
    challenge_expired: bool,
    had_login: bool,
    /// The fingerprint in the entry, and what it comes from.
    known: Option<(Fingerprint, Option<LoginId>)>,
    /// The origin to which the request came. Computed when it is first needed.
    origin: Option<String>,
    /// The sessions that this one replaces, newest first.
    predecessors: Vec<RevocationKey>,
    /// The current epoch of the user whom the presented user-id names, or else of the logged-in user. From
    /// `enter_epoch_of` on, of the user whom the authenticator named.
    epoch: Epoch,
    fingerprint: Option<Fingerprint>,
    /// The authenticator must verify the credentials of the login again.
    is_due: bool,
    /// Only the session of the first cookie was read, and another may hold the user's login.
    pub(crate) has_several_session_cookies: bool,
    /// The cookie names a session that does not exist.
    has_stale_session_cookie: bool,
    /// The cookie names a session that does not exist, or did when this session began.
    replaces_missing_session: bool,
    /// The browser sent the request before it received the answer to a logout: the login is revoked, or the session no
    /// longer exists.
    raced_logout: bool,
    is_cross_site_write: bool,
    /// Another site made the browser present too many different credentials. The session was not read.
    is_guessed_cross_site: bool,
    is_cookieless: bool,
    session_only_allowed: bool,
}

impl RequestContext {
    /// Reads the request, its session and the revocation list. Boxed to keep the futures that hold it small.
    pub(crate) async fn read(
        realm: &Realm,
        req: &HttpRequest,
        session: &Session,
    ) -> Result<Box<Self>, RevocationError> {
        let config = &realm.config;
        let request_kind = config.classify(req);
        let authorization = Authorization::read(req.headers());
        let found = entry::find(session, &realm.entry_key);
        // A non-browser client without an entry has no stored fingerprint, so its own would be compared with nothing.
        let is_compared = request_kind != RequestKind::NonBrowser
            || matches!(found, FoundEntry::Entry(_) | FoundEntry::Unreadable);
        let fingerprint = is_compared.then(|| fingerprint(realm, &authorization)).flatten();
        let session_only_allowed =
            config.allow_session_only.as_ref().is_some_and(|it| it(req)) && is_same_origin(req);
        let mut context = Box::new(Self {
            session: session.clone(),
            request_kind,
            authorization,
            state: State::Fresh,
            now: realm.now(),
            id: None,
            login_ends_by: None,
            last_id: None,
            origin_of_login: None,
            challenge_expired: false,
            had_login: false,
            known: None,
            origin: None,
            predecessors: Vec::new(),
            epoch: None,
            fingerprint,
            is_due: false,
            has_several_session_cookies: has_several_cookies(req, &config.session_cookie),
            has_stale_session_cookie: false,
            replaces_missing_session: false,
            raced_logout: false,
            is_cross_site_write: false,
            is_guessed_cross_site: false,
            is_cookieless: false,
            session_only_allowed,
        });
        if context.has_several_session_cookies {
            realm.setup.report_several_cookies();
        }
        context.predecessors = entry::predecessors(session);
        match found {
            FoundEntry::Entry(entry) => Box::pin(context.read_entry(realm, req, entry)).await?,
            FoundEntry::Unreadable => {
                context.state = State::Fresh.without_proof(Cause::LoginRequired);
            }
            FoundEntry::ReplacesMissing => context.replaces_missing_session = true,
            // A request that raced a logout carries a cookie whose session no longer exists, because the logout
            // renewed the session key. A non-browser client has no hidden cache of credentials, so for it such a
            // cookie means nothing.
            FoundEntry::NoSession if request_kind != RequestKind::NonBrowser => {
                context.has_stale_session_cookie = has_cookie(req, &config.session_cookie);
                context.raced_logout = context.has_stale_session_cookie;
                context.replaces_missing_session = context.has_stale_session_cookie;
            }
            FoundEntry::NoSession | FoundEntry::Missing => {}
        }
        if context.replaces_missing_session {
            context.state = State::Fresh.without_proof(Cause::LoginRequired);
        }
        let is_fresh = context.state == State::Fresh;
        // Another site's requests with too many credentials must not change the session, either.
        context.is_cross_site_write = context.is_guessed_cross_site
            || (is_fresh && !req.method().is_safe() && is_cross_site(req));
        Ok(context)
    }

    /// Derives the state from the stored entry, the revocation list, the deadlines and the origin.
    async fn read_entry(
        &mut self,
        realm: &Realm,
        req: &HttpRequest,
        entry: Entry,
    ) -> Result<(), RevocationError> {
        let was_challenged = entry.challenged_at.is_some();
        let mut entry = entry.unless_expired(self.now);
        self.challenge_expired = was_challenged && entry.challenged_at.is_none();
        (self.id, self.last_id) = (entry.id, entry.id);
        self.had_login = entry.had_login;
        self.known = entry.state.fingerprint().map(|it| (*it, entry.lineage()));
        if let State::LoggedIn(login) = &entry.state {
            self.login_ends_by = Some(login.ends_by);
            let age = Duration::from_millis(self.now.saturating_sub(login.logged_in_at));
            self.origin_of_login = login.ended_by.first().copied().filter(|_| age < CHALLENGE_TTL);
            self.session_only_allowed &= realm.fingerprint_key.made(&login.fingerprint)
                && login.revocation_list == realm.revocation_list();
        }
        let revocations = self.look_up(realm, &entry).await?;
        self.epoch = revocations.presented_epoch;
        self.raced_logout = revocations.id == RevocationStatus::LoggedOut;
        if revocations.id != RevocationStatus::Active
            && (revocations.has_own_record || entry.kind() == IdKind::Challenge)
        {
            // It has ended already. Another record might be kept for a shorter time.
            self.id = None;
        }
        // The logout page's script put the reserved credentials into the browser. The user did not type them.
        let typed = self.fingerprint.filter(|_| !is_reserved(realm, &self.authorization));
        if let Some(typed) = typed
            && self.are_guesses_too_many(realm, req, &typed)
        {
            if is_cross_site(req) {
                (self.id, self.is_guessed_cross_site) = (None, true);
                return Ok(());
            }
            entry.state = self.end_guessing(realm, entry.state).await?;
        }
        let origin = self.origin.insert(origin(req));
        let state =
            entry.into_state(&realm.fingerprint_key, origin, typed.as_ref(), self.raced_logout);
        self.state = match state {
            State::LoggedIn(login) => {
                let status =
                    login_status(&login.validity(), self.now, &realm.lifetime, &revocations);
                self.is_due = status == LoginStatus::Due;
                match status.ended() {
                    None => State::LoggedIn(login),
                    Some(cause) => State::LoggedIn(login).logged_out(cause),
                }
            }
            other => other,
        };
        Ok(())
    }

    /// Whether requests with this login, or with what is left of one, have presented too many different credentials.
    fn are_guesses_too_many(
        &self,
        realm: &Realm,
        req: &HttpRequest,
        presented: &Fingerprint,
    ) -> bool {
        let is_cross_site = is_cross_site(req);
        let known = self.known.as_ref().filter(|(it, _)| realm.fingerprint_key.made(it));
        known.is_some_and(|(fingerprint, lineage)| match *lineage {
            Some(lineage) => {
                let known = Known { lineage, fingerprint, is_cross_site };
                realm.guesses.are_too_many(known, presented, self.now)
            }
            // Guesses could not be counted.
            None => true,
        })
    }

    /// Ends a login whose session was used to guess passwords, and stops comparing credentials with those of a login
    /// that has ended: the authenticator, with its rate limits, checks them like those of any other client.
    async fn end_guessing(
        &mut self,
        realm: &Realm,
        state: State,
    ) -> Result<State, RevocationError> {
        let cause = Cause::Revoked;
        let state = match (&state, self.id) {
            (State::LoggedIn(login), Some(id)) => {
                realm.revocations.revoke_login(id).await?;
                self.id = None;
                tracing::warn!(
                    realm = %realm.name, user = login.user,
                    "login revoked: its session came with 10 different credentials that are not its own: \
                     the session cookie may be stolen"
                );
                state.without_proof(cause)
            }
            (State::LoggedIn(_), None) => state.without_proof(cause),
            _ => state,
        };
        Ok(state.without_fingerprint())
    }

    /// Looks up only the keys that can matter. From `LoggedOut` no user can log in, so no epoch is looked up there.
    async fn look_up(&self, realm: &Realm, entry: &Entry) -> Result<EntryStatus, RevocationError> {
        let presented = self.user_id();
        let (user, presented) = match &entry.state {
            State::LoggedIn(login) => {
                (Some(&*login.user), presented.filter(|it| *it != login.user))
            }
            State::Prompted { .. } | State::Rechallenged { .. } => (None, presented),
            State::Fresh | State::LoggedOut { .. } => (None, None),
        };
        let users: Vec<_> = user.into_iter().chain(presented).collect();
        let keys =
            Keys::of(entry.kind(), entry.keys(), self.predecessors.clone(), &realm.name, &users);
        realm.revocations.look_up(&keys).await
    }

    /// Detects a browser that answers a challenge without a cookie for the second time, and a program that looks like
    /// one.
    pub(crate) fn notice_missing_cookies(&mut self, realm: &Realm, req: &HttpRequest) {
        let is_fresh = self.state == State::Fresh;
        let is_navigation = self.request_kind != RequestKind::Subresource;
        if self.request_kind == RequestKind::NonBrowser || matches!(self.state, State::LoggedIn(_))
        {
            return;
        }
        let has_cookie = has_cookie(req, &realm.config.session_cookie);
        let is_asked = is_fresh && !has_cookie && !self.is_cross_site_write;
        let user_id = self.user_id().filter(|_| is_asked);
        let came_before = user_id.is_some_and(|user_id| {
            realm.missing_cookies.came_before(req, is_navigation, user_id, self.now)
        });
        if came_before {
            realm.setup.report_imitated_browser(req);
        }
        self.is_cookieless = came_before && is_navigation;
        if is_navigation && (self.user_id().is_some() || !is_fresh) {
            realm.setup.check_cookie(req, is_fresh, self.user_id().is_some());
        }
    }

    /// Returns the facts for a decision.
    pub(crate) fn facts<'a>(&'a self, realm: &Realm, path: &'a str) -> Facts<'a> {
        Facts {
            state: &self.state,
            credentials: self.credentials(realm),
            request_kind: self.request_kind,
            path,
            due: self.is_due,
            challenge_subresources: realm.config.challenge_subresources,
            session_only_allowed: self.session_only_allowed,
            raced_logout: self.raced_logout,
            is_cross_site_write: self.is_cross_site_write,
            is_cookieless: self.is_cookieless,
        }
    }

    fn credentials(&self, realm: &Realm) -> Credentials<'_> {
        match &self.authorization {
            Authorization::Missing => Credentials::Missing,
            Authorization::Basic(auth) if is_reserved(realm, &self.authorization) => {
                let is_of_this_realm = auth.password() == Some(&realm.reserved_password);
                if is_of_this_realm { Credentials::Reserved } else { Credentials::Malformed }
            }
            Authorization::Basic(_) => Credentials::Given(self.fingerprint.as_ref()),
            Authorization::Malformed => Credentials::Malformed,
        }
    }

    /// Computes the fingerprint of the presented credentials if `read` did not need it: a logout stores it, to compare
    /// later requests with it.
    pub(crate) fn ensure_fingerprint(&mut self, realm: &Realm) {
        self.fingerprint = self.fingerprint.or_else(|| fingerprint(realm, &self.authorization));
    }

    /// The user-id of the presented credentials.
    pub(crate) fn user_id(&self) -> Option<&str> {
        match &self.authorization {
            Authorization::Basic(auth) => Some(auth.user_id()),
            Authorization::Missing | Authorization::Malformed => None,
        }
    }

    /// Records that the user's credentials are valid, before [`notice_logout`](Self::notice_logout)
    /// looks for a logout.
    pub(crate) async fn record_success(
        &self,
        realm: &Realm,
        req: &HttpRequest,
    ) -> Result<(), RevocationError> {
        let sessions = self.sessions(realm, req);
        let sessions = sessions.iter().flat_map(|it| it.within_all(&realm.name));
        // One key names the sessions for all realms, so it must outlast the logins of the others.
        let others = entry::logins(&self.session, &realm.entry_key, self.now);
        let others = others.iter().map(|(_, login)| login.ends_by_after_visit(self.now));
        let own = realm.lifetime.deadlines.ends_by(self.now, self.now);
        let ends_by = others.fold(own, u64::max);
        realm.revocations.record_success(self.id, sessions, ends_by).await
    }

    /// Whether a logout can end the entry.
    pub(crate) fn has_id(&self) -> bool {
        self.id.is_some()
    }

    /// Detects a logout that was handled while this request waited for the authenticator.
    pub(crate) async fn notice_logout(
        &mut self,
        realm: &Realm,
        req: &HttpRequest,
    ) -> Result<bool, RevocationError> {
        let (mut own, sessions) = (self.state.keys(self.id), self.sessions(realm, req));
        // Another request with the same answer may have begun the login, and a logout may have ended it.
        own.extend(self.next_login().map(RevocationKey::of_login));
        let keys = Keys::of(self.state.kind(), own, sessions, &realm.name, &[]);
        let cause = match realm.revocations.look_up(&keys).await?.id {
            RevocationStatus::Active => return Ok(false),
            RevocationStatus::LoggedOut => Cause::LoggedOut,
            RevocationStatus::Revoked => Cause::Revoked,
        };
        self.id = None;
        self.raced_logout = true;
        self.state = self.state.without_proof(cause);
        Ok(true)
    }

    /// The id of the login that the presented credentials would begin.
    fn next_login(&self) -> Option<LoginId> {
        let (id, presented) = (self.id?, self.fingerprint?);
        let is_own = matches!(&self.state, State::LoggedIn(it) if it.fingerprint == presented);
        (!is_own).then(|| id.of_answer(&presented))
    }

    /// Verifies the presented credentials again: after this revocation of a login in progress, or for a login whose
    /// verification is due.
    pub(crate) async fn reverify(
        &self,
        realm: &Realm,
        req: &HttpRequest,
        revocation: Epoch,
    ) -> Result<Verified, Error> {
        let (Authorization::Basic(credentials), Some(fingerprint)) =
            (&self.authorization, &self.fingerprint)
        else {
            return Ok(Verified { verdict: Verdict::invalid(), at: self.now });
        };
        let check = || realm.config.checker.reverify(req, credentials);
        let (all, max_age) = (&realm.reverifications, realm.lifetime.reverify_after);
        match revocation {
            Some(number) => all.verify_after(number, fingerprint, self.now, check).await,
            None => all.verify_within(max_age, fingerprint, self.now, check).await,
        }
    }

    /// Continues the login in progress as this user, whom the authenticator named instead of the presented user-id.
    /// Returns the current epoch of the user.
    pub(crate) async fn enter_epoch_of(
        &mut self,
        realm: &Realm,
        user: &str,
    ) -> Result<Epoch, RevocationError> {
        let keys = Keys::of(IdKind::Login, Vec::new(), None, &realm.name, &[user]);
        self.epoch = realm.revocations.look_up(&keys).await?.user_epoch;
        Ok(self.epoch)
    }

    /// Logs in this user with the presented credentials, which the authenticator has accepted.
    pub(crate) async fn log_in(
        &mut self,
        realm: &Realm,
        req: &HttpRequest,
        user: String,
    ) -> Result<(), RevocationError> {
        let Some(fingerprint) = self.fingerprint else { return Ok(()) };
        let now = self.now;
        let old = self.login().map(|(_, it)| it);
        // Another key made its fingerprint, so the credentials cannot be compared: it continues.
        let continued =
            old.filter(|it| it.user == user && !realm.fingerprint_key.made(&it.fingerprint));
        let login = match continued {
            Some(old) => Login { fingerprint, verified_at: now, epoch: self.epoch, ..old.clone() },
            None => Login {
                user,
                fingerprint,
                logged_in_at: now,
                verified_at: now,
                visited_at: now,
                ends_by: 0,
                revocation_list: None,
                ended_by: self.ended_by(realm, req, old.is_some()),
                directory: RequestPath::of(req.path()).directory(),
                reprompted: false,
                epoch: self.epoch,
                foreign_origin: None,
            },
        };
        if old.is_some() && continued.is_none() {
            // Other credentials begin another login, and `write` ends the previous one.
            self.state = self.state.ended();
        }
        self.write(realm, req, State::LoggedIn(self.visited(realm, login))).await
    }

    /// The keys under which a logout that was sent before this login's response can end it.
    fn ended_by(&self, realm: &Realm, req: &HttpRequest, replaces: bool) -> Vec<RevocationKey> {
        let before = self.id.map(RevocationKey::of_login);
        let before = before.map(|it| if replaces { it.of_replacement() } else { it });
        let session = session_of(realm, req).into_iter();
        before.into_iter().chain(session.flat_map(|it| it.within_all(&realm.name))).collect()
    }

    /// The login with this visit.
    fn visited(&self, realm: &Realm, login: Login) -> Login {
        Login {
            visited_at: self.now,
            ends_by: login
                .ends_by
                .max(realm.lifetime.deadlines.ends_by(login.logged_in_at, self.now)),
            revocation_list: realm.revocation_list(),
            ..login
        }
    }

    /// Stores the time of the visit, if the stored one is too old, and of the verification, if there was one.
    pub(crate) async fn touch(
        &mut self,
        realm: &Realm,
        req: &HttpRequest,
        verified_at: Option<u64>,
    ) -> Result<(), RevocationError> {
        let State::LoggedIn(login) = &self.state else { return Ok(()) };
        // Without credentials, the request does not show that the user is there.
        if matches!(self.authorization, Authorization::Missing) {
            return Ok(());
        }
        // If every request is verified, the time of the last verification does not matter.
        let verified_at = verified_at.filter(|_| !realm.lifetime.reverify_after.is_zero());
        let is_visit = realm.lifetime.deadlines.want_visit(&login.validity(), self.now);
        let is_listed = login.revocation_list == realm.revocation_list();
        if verified_at.is_none() && !is_visit && is_listed {
            return Ok(());
        }
        let mut login = self.visited(realm, login.clone());
        if let Some(verified_at) = verified_at {
            login.verified_at = verified_at;
        }
        self.write(realm, req, State::LoggedIn(login)).await
    }

    /// Writes the next state. Every state other than `LoggedIn` renews the session key: a request in flight carries the
    /// old key, and cannot pass for an answer to the new challenge. Boxed, because few requests write.
    pub(crate) fn write<'a>(
        &'a mut self,
        realm: &'a Realm,
        req: &'a HttpRequest,
        state: State,
    ) -> LocalBoxFuture<'a, Result<(), RevocationError>> {
        Box::pin(async move {
            let before = self.id;
            // The id of a login that expired, was revoked or lost its session is revoked with the first such response.
            if self.challenge_expired {
                // It may have led to a login in another session, which only a logout ends.
                self.id = None;
            } else if matches!(self.state, State::LoggedOut { .. }) {
                self.end_id(realm, None).await?;
            }
            let is_login = matches!(state, State::LoggedIn(_));
            let begins = is_login && !matches!(self.state, State::LoggedIn(_));
            if !is_login || (begins && realm.renews_session_at_login()) {
                // A session that no longer exists has no successor, and neither has one whose login is revoked, unless
                // other realms continue in it.
                let continues = if self.raced_logout {
                    let others = entry::others(&self.session, &realm.entry_key);
                    others.iter().any(|(key, _)| !entry::realm_of(key).is_empty())
                } else {
                    !entry::is_empty(&self.session)
                };
                let predecessor = continues.then(|| session_of(realm, req)).flatten();
                if let Some(predecessor) = predecessor {
                    // Before the session changes: it is saved also if the store is unavailable.
                    self.record_replaced_logins(realm, predecessor).await?;
                }
                self.session.renew();
                // A logout with an older session has ended what there was.
                let keeps_older = predecessor.is_some() && !self.raced_logout;
                let older = self.predecessors.iter().copied().filter(|_| keeps_older);
                entry::note_predecessors(&self.session, predecessor.into_iter().chain(older));
            }
            self.id = match &state {
                State::LoggedOut { .. } => None,
                State::LoggedIn(login) if begins => {
                    before.map(|it| it.of_answer(&login.fingerprint))
                }
                _ => self.id,
            };
            if !matches!(state, State::LoggedOut { .. }) {
                self.id.get_or_insert_with(LoginId::draw);
            }
            if self.replaces_missing_session {
                entry::mark_replacement(&self.session);
            }
            let origin = match &state {
                State::LoggedIn(Login { foreign_origin: Some(origin), .. }) => origin.clone(),
                _ => self.origin.take().unwrap_or_else(|| origin(req)),
            };
            self.had_login |= is_login;
            let is_challenge = matches!(state, State::Prompted { .. } | State::Rechallenged { .. });
            let challenged_at = is_challenge.then_some(self.now);
            let lineage = match (state.fingerprint(), &self.known) {
                (None, _) => None,
                _ if is_login => None,
                (Some(it), Some((known, lineage))) if it == known => *lineage,
                (Some(_), _) => Some(LoginId::draw()),
            };
            let (id, had_login) = (self.id, self.had_login);
            let entry = Entry { id, origin, challenged_at, had_login, lineage, state };
            entry::put(&self.session, &realm.entry_key, &entry);
            self.state = entry.state;
            Ok(())
        })
    }

    /// The logins of other realms continue in the session that replaces this one. A logout that brings
    /// the replaced session must end them.
    async fn record_replaced_logins(
        &self,
        realm: &Realm,
        replaced: RevocationKey,
    ) -> Result<(), RevocationError> {
        let (mut keys, mut ends_by, mut ended) = (Vec::new(), 0, Vec::new());
        for (key, entry) in entry::others(&self.session, &realm.entry_key) {
            let of_realm = entry::realm_of(&key);
            let Some(login) = entry.login_until(self.now) else { continue };
            let sessions = self.predecessors.clone();
            let own = Keys::of(entry.kind(), entry.keys(), sessions, of_realm, &[&login.user]);
            let status = realm.revocations.look_up(&own).await?;
            match status.id {
                // A client could replay a session whose login has ended, to fill the list.
                RevocationStatus::Active
                    if status.user_epoch.is_none_or(|it| Some(it) == login.epoch) =>
                {
                    keys.extend(replaced.within_all(of_realm));
                    ends_by = login.ends_by_after_visit(self.now).max(ends_by);
                }
                RevocationStatus::LoggedOut => ended.push((key, entry)),
                RevocationStatus::Active | RevocationStatus::Revoked => {}
            }
        }
        realm.revocations.record_success(None, keys, ends_by).await?;
        // The session that replaces this one may not know what has ended them.
        for (key, mut entry) in ended {
            entry.end(entry.state.ended());
            entry::put(&self.session, &key, &entry);
        }
        Ok(())
    }

    /// Drops what a challenge that has expired shows about the browser. A logout keeps no proof of it: the user may have
    /// typed credentials meanwhile, and their request may have been lost.
    pub(crate) fn forget_expired_challenge(&mut self) {
        if self.challenge_expired {
            self.state = self.state.without_proof(self.state.cause_elsewhere());
        }
    }

    /// Revokes the login with all its requests in flight, also those that bring its challenge.
    pub(crate) async fn end(&mut self, realm: &Realm) -> Result<(), RevocationError> {
        let origin = self.origin_of_login;
        self.end_id(realm, origin).await?;
        match self.last_id.filter(|_| self.login_ends_by.is_some()) {
            Some(id) => realm.revocations.log_out_replacement(id, self.now).await,
            None => Ok(()),
        }
    }

    /// Revokes a login whose credentials the authenticator has rejected.
    pub(crate) async fn end_rejected(&mut self, realm: &Realm) -> Result<(), RevocationError> {
        let user = self.login().map(|(_, login)| login.user.clone());
        self.end(realm).await?;
        tracing::info!(realm = %realm.name, user, "login revoked: credentials no longer accepted");
        Ok(())
    }

    /// Revokes the id, and another key with it.
    async fn end_id(
        &mut self,
        realm: &Realm,
        other: Option<RevocationKey>,
    ) -> Result<(), RevocationError> {
        let Some(id) = self.id else { return Ok(()) };
        match self.login_ends_by {
            Some(ends_by) => {
                let remaining = Duration::from_millis(ends_by.saturating_sub(self.now));
                realm.revocations.log_out(id, other, remaining).await?;
            }
            None => realm.revocations.log_out_challenge(id, self.now).await?,
        }
        self.id = None;
        Ok(())
    }

    /// Executes the decision about a logout: clears the login and writes the next state.
    pub(crate) async fn log_out(
        &mut self,
        realm: &Realm,
        req: &HttpRequest,
        clear: bool,
        next: Option<State>,
    ) -> Result<(), RevocationError> {
        if clear {
            let user = match &self.state {
                State::LoggedIn(login) => Some(login.user.clone()),
                _ => None,
            };
            self.clear_login(realm, req).await?;
            tracing::info!(realm = %realm.name, user, "logged out");
        }
        match next {
            Some(next) => self.write(realm, req, next).await,
            None => Ok(()),
        }
    }

    /// Revokes the login, and clears the session according to the [`LogoutScope`].
    async fn clear_login(
        &mut self,
        realm: &Realm,
        req: &HttpRequest,
    ) -> Result<(), RevocationError> {
        let clears_all = realm.config.logout_scope == LogoutScope::Session;
        self.end(realm).await?;
        if self.has_stale_session_cookie
            && let Some(session) = session_of(realm, req)
        {
            let [of_realm, of_all] = session.within_all(&realm.name);
            let of_all = Some(of_all).filter(|_| clears_all);
            let keys = [of_realm].into_iter().chain(of_all);
            realm.revocations.log_out_successor(keys, self.now).await?;
        }
        if !clears_all {
            return Ok(());
        }
        let mut others = entry::others(&self.session, &realm.entry_key);
        for (_, entry) in &mut others {
            // Never Fresh: the browser may still hold the credentials of that realm.
            if let State::LoggedIn(_) = entry.state {
                if let Some(id) = entry.id {
                    realm.revocations.log_out_other_realm(id).await?;
                }
                entry.end(entry.state.logged_out(Cause::LoggedOut));
            }
        }
        entry::clear_except(&self.session, others);
        Ok(())
    }

    /// The login and its id.
    pub(crate) fn login(&self) -> Option<(LoginId, &Login)> {
        let State::LoggedIn(login) = &self.state else { return None };
        Some((self.id?, login))
    }

    /// The sessions whose logout ends the login: the one that this session replaces, and this session,
    /// if it is replaced later.
    pub(crate) fn sessions(&self, realm: &Realm, req: &HttpRequest) -> Vec<RevocationKey> {
        self.predecessors.iter().copied().chain(session_of(realm, req)).collect()
    }

    /// The keys of the revocation list that show whether the login is still valid.
    pub(crate) fn keys(&self, realm: &Realm, login: &Login) -> Keys {
        let own = self.state.keys(self.id);
        Keys::of(IdKind::Login, own, self.predecessors.clone(), &realm.name, &[&login.user])
    }
}

/// Replaces a login that was revoked while its request was served, in a session that is about to be saved. Otherwise
/// the handler's write would restore the login.
pub(crate) async fn drop_revoked_entry(
    session: &Session,
    realm: &Realm,
    req: &HttpRequest,
) -> Result<(), RevocationError> {
    // A session that was not written must stay unwritten: its cookie would replace the cookie of the logout.
    if !matches!(session.status(), SessionStatus::Changed | SessionStatus::Renewed) {
        return Ok(());
    }
    Box::pin(async {
        if let FoundEntry::Entry(mut entry) = entry::find(session, &realm.entry_key)
            && let replaced = session_of(realm, req)
            && let predecessors = entry::predecessors(session)
            && let now = realm.now()
        {
            if session.status() == SessionStatus::Renewed
                && let Some(replaced) = replaced.filter(|it| !predecessors.contains(it))
            {
                // The application renewed the session. A logout that brings the replaced one must end its logins.
                let logins = entry::logins(session, "", now);
                let keys =
                    logins.iter().flat_map(|(key, _)| replaced.within_all(entry::realm_of(key)));
                let ends = logins.iter().map(|(_, login)| login.ends_by_after_visit(now));
                let ends_by = ends.max().unwrap_or_default();
                realm.revocations.record_success(None, keys, ends_by).await?;
                let all = [replaced].into_iter().chain(predecessors.iter().copied());
                entry::note_predecessors(session, all);
            }
            let sessions = predecessors.into_iter().chain(replaced);
            let keys = Keys::of(entry.kind(), entry.keys(), sessions, &realm.name, &[]);
            if realm.revocations.look_up(&keys).await?.id == RevocationStatus::LoggedOut {
                entry.end(entry.state.ended());
                if realm.config.logout_scope == LogoutScope::Session {
                    // The logout has removed the data of the application, and the handler's write restored it.
                    entry::clear_except(session, entry::others(session, &realm.entry_key));
                }
                entry::put(session, &realm.entry_key, &entry);
            }
        }
        Ok(())
    })
    .await
}

fn fingerprint(realm: &Realm, authorization: &Authorization) -> Option<Fingerprint> {
    match authorization {
        Authorization::Basic(auth) => Some(realm.fingerprint_key.of(&realm.name, auth)),
        Authorization::Missing | Authorization::Malformed => None,
    }
}

/// Whether these are credentials of the reserved user, which the script of the logout page puts into the browser.
fn is_reserved(realm: &Realm, authorization: &Authorization) -> bool {
    realm.config.logout_response == LogoutResponse::Page
        && matches!(authorization, Authorization::Basic(it) if it.user_id() == RESERVED_USER)
}

/// The key of the session that the request's cookie names, even if that session no longer exists.
fn session_of(realm: &Realm, req: &HttpRequest) -> Option<RevocationKey> {
    req.cookie(&realm.config.session_cookie).map(|it| RevocationKey::of_session(it.value()))
}
