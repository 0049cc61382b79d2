//! A request read into the facts that the decision needs, and the session written as it says.

use actix_session::Session;
use actix_web::{HttpRequest, http::header};
use futures_core::future::LocalBoxFuture;

use crate::{
    config::{Config, LogoutResponse, LogoutScope},
    decision::{Credentials, Facts},
    logout::RESERVED_USER,
    request::authorization::Authorization,
    request::fingerprint::Fingerprint,
    request::kind::{RequestKind, SEC_FETCH_SITE},
    request::path::Place,
    revocation::registry::{Epoch, Keys, RevocationStatus, Watched},
    revocation::{RevocationError, RevocationKey},
    session::{self, Cause, Entry, Found, Login, LoginId, State, millis},
};

/// A request, as far as this realm is concerned.
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
pub(crate) struct RequestContext {
    pub(crate) session: Session,
    pub(crate) client: RequestKind,
    pub(crate) authorization: Authorization,
    pub(crate) state: State,
    pub(crate) now: u64,

    id: Option<LoginId>,
    /// Where the request has come to, once that was asked.
    origin: Option<String>,
    /// The session that this one has taken the place of.
    predecessor: Option<RevocationKey>,
    /// The present epoch of the user who is presented, or else of the one who is logged in.
    epoch: Epoch,
    fingerprint: Option<Fingerprint>,
    /// The session that the cookie stood for is gone.
    replaces_missing_session: bool,
    /// The request was on its way during a log-out: its login has ended, or its session is gone.
    raced_logout: bool,
    is_cross_site_write: bool,
    is_cookieless: bool,
    session_suffices: bool,
}

impl RequestContext {
    /// In a box, so that the futures that hold one are small.
    pub(crate) async fn read(
        config: &Config,
        req: &HttpRequest,
        session: &Session,
    ) -> Result<Box<Self>, RevocationError> {
        let client = (config.classify)(req);
        let authorization = Authorization::read(req.headers());
        let found = session::find(session, &config.entry_key);
        // There is nothing that the credentials of a program without a session are compared with.
        let is_compared = client != RequestKind::NonBrowser || !matches!(found, Found::Nothing);
        let fingerprint = is_compared.then(|| fingerprint(config, &authorization)).flatten();
        let session_suffices =
            config.allow_session_only.as_ref().is_some_and(|it| it(req)) && !is_cross_site(req);
        let mut visit = Box::new(Self {
            session: session.clone(),
            client,
            authorization,
            state: State::Fresh,
            now: millis((config.clock)()),
            id: None,
            origin: None,
            predecessor: None,
            epoch: None,
            fingerprint,
            replaces_missing_session: false,
            raced_logout: false,
            is_cross_site_write: false,
            is_cookieless: false,
            session_suffices,
        });
        match found {
            Found::Entry(entry) => Box::pin(visit.read_entry(config, req, entry)).await?,
            Found::Unreadable => visit.state = State::Fresh.ended(),
            Found::Nothing => {
                visit.raced_logout = has_stale_session_cookie(config, req, session, client);
                visit.replaces_missing_session =
                    visit.raced_logout || session::replaces_missing_session(session);
                if visit.replaces_missing_session {
                    visit.state = State::Fresh.ended();
                }
            }
        }
        let is_fresh = visit.state == State::Fresh;
        visit.is_cross_site_write = is_fresh && !req.method().is_safe() && is_cross_site(req);
        Ok(visit)
    }

    /// What counts of an entry for this request, now.
    async fn read_entry(
        &mut self,
        config: &Config,
        req: &HttpRequest,
        entry: Entry,
    ) -> Result<(), RevocationError> {
        self.id = entry.id;
        self.predecessor = session::predecessor(&self.session);
        let ended = &config.ended;
        let standing =
            ended.standing(&config.realm, &entry, self.predecessor, self.user_id()).await?;
        self.epoch = standing.epoch;
        self.raced_logout = standing.fate == RevocationStatus::LoggedOut;
        // Nobody has typed what the page answer puts into the browser.
        let typed = self.fingerprint.filter(|_| !is_reserved(config, &self.authorization));
        let origin = self.origin.insert(origin(req));
        self.state = match entry.into_state(&config.key, origin, typed.as_ref(), self.raced_logout)
        {
            State::LoggedIn(login) if standing.is_revoked => {
                State::LoggedIn(login).logged_out(Cause::Revoked)
            }
            State::LoggedIn(login) if config.deadlines.have_passed(&login, self.now) => {
                State::LoggedIn(login).logged_out(Cause::Expired)
            }
            state => state,
        };
        Ok(())
    }

    /// Notices a browser that answers a challenge, and has answered one before, without a cookie.
    pub(crate) fn notice_missing_cookies(&mut self, config: &Config) {
        self.is_cookieless = self.state == State::Fresh
            && self.client == RequestKind::Navigation
            && !self.is_cross_site_write
            && self.fingerprint.is_some_and(|it| config.cookieless.came_before(it, self.now));
    }

    /// What the decision is asked.
    pub(crate) fn ask<'a>(&'a self, config: &Config, path: &'a str) -> Facts<'a> {
        let due = match &self.state {
            State::LoggedIn(login) => {
                config.checker.sees_every_request() || login.is_due(self.now, config.reverify_after)
            }
            _ => false,
        };
        Facts {
            state: &self.state,
            presented: self.presented(config),
            client: self.client,
            path,
            due,
            challenge_subresources: config.challenge_subresources,
            raced_logout: self.raced_logout,
            is_cross_site_write: self.is_cross_site_write,
            is_cookieless: self.is_cookieless,
            session_suffices: self.session_suffices,
        }
    }

    fn presented(&self, config: &Config) -> Credentials<'_> {
        match &self.authorization {
            Authorization::Missing => Credentials::Missing,
            Authorization::Basic(auth) if is_reserved(config, &self.authorization) => {
                let is_this_realms = auth.password() == Some(&config.reserved_password);
                if is_this_realms { Credentials::Reserved } else { Credentials::Malformed }
            }
            Authorization::Basic(_) => Credentials::Given(self.fingerprint.as_ref()),
            Authorization::Malformed => Credentials::Malformed,
        }
    }

    /// Makes sure of a fingerprint of what is presented, for whoever comes with it later.
    pub(crate) fn ensure_fingerprint(&mut self, config: &Config) {
        self.fingerprint = self.fingerprint.or_else(|| fingerprint(config, &self.authorization));
    }

    /// The user-id of the presented credentials.
    pub(crate) fn user_id(&self) -> Option<&str> {
        match &self.authorization {
            Authorization::Basic(auth) => Some(auth.user_id()),
            Authorization::Missing | Authorization::Malformed => None,
        }
    }

    /// Notices that somebody logged out while this request was waiting for its authenticator.
    pub(crate) async fn notice_logout(&mut self, config: &Config) -> Result<bool, RevocationError> {
        let Some(id) = self.id else { return Ok(false) };
        let keys = Keys::of(Some(id), self.predecessor, &config.realm, &[]);
        let (fate, _) = config.ended.look(&keys).await?;
        let ended = fate != RevocationStatus::GoesOn;
        if ended {
            self.raced_logout = true;
            self.state = self.state.ended();
        }
        Ok(ended)
    }

    /// Logs the presented credentials in, which were found to be good.
    pub(crate) async fn log_in(
        &mut self,
        config: &Config,
        req: &HttpRequest,
    ) -> Result<(), RevocationError> {
        let (Some(fingerprint), Some(user)) = (self.fingerprint, self.user_id()) else {
            return Ok(());
        };
        let login = Login {
            user: user.to_owned(),
            fingerprint,
            since: self.now,
            verified: self.now,
            visited: self.now,
            directory: Place::of(req.path()).directory(),
            reprompted: false,
            epoch: self.epoch,
            foreign_origin: None,
        };
        self.write(config, req, State::LoggedIn(login)).await
    }

    /// Writes down that the login was used, if that matters by now, and that its credentials were
    /// found to be good still.
    pub(crate) async fn keep(
        &mut self,
        config: &Config,
        req: &HttpRequest,
        is_confirmed: bool,
    ) -> Result<(), RevocationError> {
        let State::LoggedIn(login) = &self.state else { return Ok(()) };
        let is_confirmed = is_confirmed && config.remembers_verification();
        if !is_confirmed && !config.deadlines.want_visit(login, self.now) {
            return Ok(());
        }
        let mut login = Login { visited: self.now, ..login.clone() };
        if is_confirmed {
            login.verified = self.now;
        }
        self.write(config, req, State::LoggedIn(login)).await
    }

    /// Writes the next state. The key is renewed with every change but the one to a login: a
    /// request on its way carries the old one and can never pass for an answer to the new
    /// challenge. In a box, since few requests write.
    pub(crate) fn write<'a>(
        &'a mut self,
        config: &'a Config,
        req: &'a HttpRequest,
        state: State,
    ) -> LocalBoxFuture<'a, Result<(), RevocationError>> {
        Box::pin(async move {
            // A login that has expired, was revoked or lost its session: it ends with the first answer that
            // says so.
            if matches!(self.state, State::LoggedOut { .. }) {
                self.end(config).await?;
            }
            let is_login = matches!(state, State::LoggedIn(_));
            if !is_login
                || (config.renew_session_at_login && !matches!(self.state, State::LoggedIn(_)))
            {
                self.session.renew();
                // Of a session that is gone, or whose login has ended, nothing goes on in this one.
                let goes_on = !self.raced_logout && !self.session.entries().is_empty();
                session::note_predecessor(
                    &self.session,
                    session_of(config, req).filter(|_| goes_on),
                );
            }
            if matches!(state, State::LoggedOut { .. }) {
                self.id = None;
            } else {
                self.id = self.id.or_else(|| Some(LoginId::draw()));
            }
            if self.replaces_missing_session {
                session::mark_lost(&self.session);
            }
            let origin = match &state {
                State::LoggedIn(Login { foreign_origin: Some(origin), .. }) => origin.clone(),
                _ => self.origin.take().unwrap_or_else(|| origin(req)),
            };
            let entry = Entry { id: self.id, origin, state };
            session::put(&self.session, &config.entry_key, &entry);
            self.state = entry.state;
            Ok(())
        })
    }

    /// Ends the login, and with it every answer that is still on its way.
    pub(crate) async fn end(&mut self, config: &Config) -> Result<(), RevocationError> {
        if let Some(id) = self.id {
            config.ended.end(id).await?;
            self.id = None;
        }
        Ok(())
    }

    /// Ends the login and clears the session as far as the application wants.
    pub(crate) async fn forget(
        &mut self,
        config: &Config,
        req: &HttpRequest,
    ) -> Result<(), RevocationError> {
        self.end(config).await?;
        if has_stale_session_cookie(config, req, &self.session, self.client)
            && let Some(session) = session_of(config, req)
        {
            config.ended.end_successor(session, &config.realm).await?;
        }
        if config.clears == LogoutScope::Realm {
            return Ok(());
        }
        let mut others = session::others(&self.session, &config.entry_key);
        for (_, entry) in &mut others {
            // Never to Fresh: the browser may still hold that realm's credentials, too.
            if let State::LoggedIn(_) = entry.state {
                if let Some(id) = entry.id.take() {
                    config.ended.end_for_long(id).await?;
                }
                entry.state = entry.state.logged_out(Cause::LoggedOut);
            }
        }
        self.session.clear();
        for (key, entry) in others {
            session::put(&self.session, &key, &entry);
        }
        Ok(())
    }

    /// The login, as far as its end can be waited for.
    pub(crate) fn watched(&self) -> Option<Watched> {
        let State::LoggedIn(login) = &self.state else { return None };
        Some(Watched { id: self.id?, epoch: login.epoch, since: login.since })
    }

    /// The login, and what to look up to see whether it goes on.
    pub(crate) fn logged_in(&self, config: &Config) -> Option<(&Login, Keys)> {
        let State::LoggedIn(login) = &self.state else { return None };
        let keys = Keys::of(self.id, self.predecessor, &config.realm, &[&login.user]);
        Some((login, keys))
    }
}

/// Takes a login that was ended while its request was served out of a session that is about to be
/// written: the handler's write would bring it back.
pub(crate) async fn drop_revoked_entry_if_written(
    session: &Session,
    config: &Config,
) -> Result<(), RevocationError> {
    use actix_session::SessionStatus::{Changed, Renewed};

    // A session that is not written stays unwritten: its cookie would replace the one that the
    // log-out has set.
    if !matches!(session.status(), Changed | Renewed) {
        return Ok(());
    }
    Box::pin(drop_revoked_entry(session, config)).await
}

async fn drop_revoked_entry(session: &Session, config: &Config) -> Result<(), RevocationError> {
    if let Found::Entry(mut entry) = session::find(session, &config.entry_key)
        && let predecessor = session::predecessor(session)
        && let keys = Keys::of(entry.id, predecessor, &config.realm, &[])
        && let (RevocationStatus::LoggedOut, _) = config.ended.look(&keys).await?
    {
        entry.id = None;
        entry.state = entry.state.ended();
        session::put(session, &config.entry_key, &entry);
    }
    Ok(())
}

fn fingerprint(config: &Config, authorization: &Authorization) -> Option<Fingerprint> {
    match authorization {
        Authorization::Basic(auth) => Some(config.key.of(&config.realm, auth)),
        Authorization::Missing | Authorization::Malformed => None,
    }
}

/// Whether it names the user whom the page answer puts into the browser.
fn is_reserved(config: &Config, authorization: &Authorization) -> bool {
    config.answer == LogoutResponse::Page
        && matches!(authorization, Authorization::Basic(it) if it.user_id() == RESERVED_USER)
}

/// Scheme, host and port, as the browser sees them (RFC 6454, section 4).
fn origin(req: &HttpRequest) -> String {
    let connection = req.connection_info();
    format!("{}://{}", connection.scheme(), connection.host())
}

/// A cookie that leads to no session is what a request carries that was on its way when a log-out
/// renewed the key. Nothing but itself sends a program's credentials, so there it is nothing.
fn has_stale_session_cookie(
    config: &Config,
    req: &HttpRequest,
    session: &Session,
    client: RequestKind,
) -> bool {
    client != RequestKind::NonBrowser
        && session.entries().is_empty()
        && has_cookie(req, &config.session_cookie)
}

/// The session that the request's cookie leads to, or has led to.
fn session_of(config: &Config, req: &HttpRequest) -> Option<RevocationKey> {
    req.cookie(&config.session_cookie).map(|it| RevocationKey::of_session(it.value()))
}

pub(crate) fn has_cookie(req: &HttpRequest, name: &str) -> bool {
    req.cookie(name).is_some()
}

/// Whether another site has sent the browser here: nobody else may log its user out.
pub(crate) fn is_cross_site(req: &HttpRequest) -> bool {
    let headers = req.headers();
    if let Some(site) = headers.get(&SEC_FETCH_SITE) {
        return site == "cross-site";
    }
    // The scheme is left out: behind a proxy that speaks TLS it may not be known.
    headers.get(header::ORIGIN).is_some_and(|origin| {
        let host = origin.to_str().ok().and_then(|origin| origin.split_once("://"));
        host.is_none_or(|(_, host)| host != req.connection_info().host())
    })
}
