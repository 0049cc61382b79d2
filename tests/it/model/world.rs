//! One browser and one site, on one or two ports. Each step checks the guarantees that apply to it.

use std::{
    collections::{BTreeSet, HashMap, HashSet},
    time::Duration,
};

use actix_basic_logout::{BasicLogin, LogoutScope};

use super::{Account, LOGOUTS, Limit, Step};
use crate::support::{
    browser::{Browser, Dialog, Engine, Event, Held, Kind, Stage, realm_of},
    site::{
        A, Answer, B, Bug, Credentials, LOGIN_DEADLINE, Setup, Site, VISIT_DEADLINE, Wire, at_once,
        id_of, is_good,
    },
};

/// The session key under which a renewed session stores the hash of its predecessor's cookie.
const PREDECESSOR: &str = "\n";

/// A change of the session. It is recorded twice: when the server answers, and when the answer reaches
/// the browser.
#[derive(Clone, Debug)]
struct Change {
    chain: u32,
    realm: &'static str,
    /// The session's state for each realm after the change.
    states: [String; 2],
}

/// A logout whose answer reached the browser.
#[derive(Clone, Debug)]
struct Logout {
    sent_at: u32,
    arrived_at: u32,
    arrival: Arrival,
}

/// The content of a request's session when the server receives the request.
#[derive(Clone, Debug, Default)]
#[expect(clippy::struct_excessive_bools, reason = "each is an independent fact")]
struct Arrival {
    state: String,
    id: Option<String>,
    /// The request has a session cookie, but the session no longer exists.
    has_no_session: bool,
    /// The session was created in place of one that no longer existed.
    replaced_lost_session: bool,
    /// The entry has no fingerprint of this realm's credentials.
    knows_no_credentials: bool,
    /// The ended login's fingerprint is pending: the entry waits for those credentials.
    is_pending: bool,
    /// The entry is a login with the credentials that the request carries.
    is_own_login: bool,
    /// A tenth of the idle timeout has passed since the last visit, so the session is written.
    is_visit_due: bool,
    /// The entry is a login that expired or was revoked.
    has_expired: bool,
    /// The entry was written for the other port.
    is_other_port: bool,
    /// How often all logins of the user in the `Authorization` header had been revoked.
    revocations: u32,
}

/// A request as it was before the step.
struct Request {
    number: u32,
    chain: u32,
    kind: Kind,
    path: String,
    realm: &'static str,
    origin: &'static str,
    cookie: Option<String>,
    sent: Option<Held>,
    is_typed: bool,
    is_cross_site: bool,
    sent_at: u32,
}

pub type Checked = Result<(), String>;

pub struct Model {
    pub site: Site,
    pub browser: Browser,
    pub limits: BTreeSet<Limit>,
    /// The steps and their effects, to explain a failure.
    pub transcript: Vec<String>,
    setup: Setup,
    /// By request number.
    arrival: HashMap<u32, Arrival>,
    /// Logouts by realm.
    logged_out: HashMap<&'static str, Vec<Logout>>,
    /// Ids of entries that a logout or a later state has revoked.
    ended_ids: HashSet<String>,
    /// Ids of entries that began without a session.
    first_visits: HashSet<String>,
    changes: Vec<Change>,
    /// The number of changes when a request was sent.
    changes_at: HashMap<u32, usize>,
    /// For each chain of requests that opened a dialog: the number of changes when the request was sent,
    /// and the limit that explains why its challenge proves nothing, if there is one.
    prompted_chains: HashMap<u32, (usize, Option<Limit>)>,
    /// Requests in flight with freshly typed credentials, and when the user typed those.
    typed: HashMap<u32, u32>,
    /// When the user typed credentials whose request was aborted.
    aborted: HashSet<u32>,
    /// When the user last typed these credentials for a realm, on either port.
    typed_last: HashMap<(String, Credentials), u32>,
    /// How often all logins of a user were revoked, by realm and user.
    revocations: HashMap<(String, String), u32>,
    /// The same number at the start of an epoch, by realm, user and epoch.
    epochs: HashMap<(String, String, serde_json::Value), u32>,
    /// Ids of logins that were revoked one by one.
    revoked_ids: HashSet<String>,
    /// The cookies of renewed sessions, by the hashes that new sessions store.
    predecessors: HashMap<String, String>,
    /// The cookies of the sessions in which logins began, by the login's id.
    login_sessions: HashMap<String, String>,
    /// Cookies of sessions that no longer existed when a logout of the realm carried them.
    dead_sessions: HashSet<(&'static str, String)>,
    /// Realms that received another realm's credentials while the session knew none of their own.
    crossed_realms: HashSet<&'static str>,
    /// Realms whose entry lost `reprompted`, because an older session was restored.
    restored_realms: HashSet<&'static str>,
}

impl Model {
    pub async fn new(setup: Setup, engine: Engine) -> Self {
        let mut browser = Browser::new(engine);
        browser.second_origin = setup.two_ports.then_some("http://localhost:9090");
        Self {
            site: Site::new(&setup).await,
            browser,
            limits: BTreeSet::new(),
            transcript: Vec::new(),
            setup,
            arrival: HashMap::new(),
            logged_out: HashMap::new(),
            ended_ids: HashSet::new(),
            first_visits: HashSet::new(),
            changes: Vec::new(),
            changes_at: HashMap::new(),
            prompted_chains: HashMap::new(),
            typed: HashMap::new(),
            aborted: HashSet::new(),
            typed_last: HashMap::new(),
            revocations: HashMap::new(),
            epochs: HashMap::new(),
            revoked_ids: HashSet::new(),
            predecessors: HashMap::new(),
            login_sessions: HashMap::new(),
            dead_sessions: HashSet::new(),
            crossed_realms: HashSet::new(),
            restored_realms: HashSet::new(),
        }
    }

    /// The number of logouts whose answer reached the browser.
    pub fn logouts(&self) -> usize {
        self.logged_out.values().map(Vec::len).sum()
    }

    pub fn step(&mut self, step: &Step) -> Checked {
        self.transcript.push(format!("{step:?}"));
        self.apply(step)?;
        self.record_sent_requests();
        Ok(())
    }

    fn record_sent_requests(&mut self) {
        for exchange in &self.browser.exchanges {
            self.changes_at.entry(exchange.wire.number).or_insert(self.changes.len());
            if let Some(sent) = exchange.sent.as_ref().filter(|_| exchange.is_typed) {
                self.typed.insert(exchange.wire.number, sent.credentials.at);
            }
        }
        let exchanges = &self.browser.exchanges;
        let is_gone = |number: u32| exchanges.iter().all(|it| it.wire.number != number);
        self.aborted.extend(self.typed.extract_if(|it, _| is_gone(*it)).map(|(_, at)| at));
    }

    fn apply(&mut self, step: &Step) -> Checked {
        match step {
            Step::Fetch { .. }
            | Step::WebSocket { .. }
            | Step::LogoutByFetch { .. }
            | Step::CrossSiteForm { .. }
                if self.browser.engine == Engine::W3m => {}
            Step::Open { tab, path } => self.browser.send(Kind::Page, *tab, "GET", path),
            Step::Fetch { tab, path, is_held_back } => {
                self.browser.send(Kind::Fetch, *tab, "GET", path);
                if let Some(exchange) = self.browser.exchanges.last_mut() {
                    let is_chromium = self.browser.engine == Engine::Chromium;
                    exchange.takes_credentials_late = *is_held_back && is_chromium;
                }
            }
            Step::WebSocket { path } => self.browser.send(Kind::WebSocket, 0, "GET", path),
            Step::Logout { tab, path } => self.browser.send(Kind::Page, *tab, "POST", path),
            Step::LogoutByFetch { path } => self.browser.send(Kind::Fetch, 0, "POST", path),
            Step::CrossSiteForm { tab, path, is_plain_http } => {
                self.browser.send_cross_site_form(*tab, path, *is_plain_http);
            }
            Step::Progress(index) if !self.browser.exchanges.is_empty() => {
                self.progress(index % self.browser.exchanges.len(), true)?;
            }
            Step::Login { tab, path, account } => self.log_in(*tab, path, *account)?,
            Step::Settle => self.settle()?,
            Step::Type { dialog, account } if !self.browser.dialogs.is_empty() => {
                let index = dialog % self.browser.dialogs.len();
                self.type_into(index, *account);
            }
            Step::Cancel { dialog } if !self.browser.dialogs.is_empty() => {
                self.browser.cancel(dialog % self.browser.dialogs.len());
            }
            Step::Abort(index) if !self.browser.exchanges.is_empty() => {
                let index = index % self.browser.exchanges.len();
                if let Stage::Sent | Stage::Answered(_) = self.browser.exchanges[index].stage {
                    self.browser.exchanges.remove(index);
                }
            }
            Step::NonBrowser { path } => self.non_browser(path)?,
            Step::Wait(seconds) => self.site.seen().now += Duration::from_secs(*seconds),
            Step::RevokeUser { realm, account } => {
                self.revoke_user(realm, account.credentials(realm).0);
            }
            Step::RevokeLogin { realm } => self.revoke_login(realm),
            _ => {}
        }
        Ok(())
    }

    fn type_into(&mut self, dialog: usize, account: Account) {
        let realm = self.browser.dialogs[dialog].realm.clone();
        let credentials = account.credentials(&realm);
        self.browser.type_into(dialog, credentials);
        self.typed_last.insert((realm, credentials), self.browser.now);
    }

    fn settle(&mut self) -> Checked {
        for _ in 0..500 {
            if self.browser.exchanges.is_empty() {
                return Ok(());
            }
            self.progress(0, false)?;
        }
        Err("requests do not come to an end".to_owned())
    }

    fn log_in(&mut self, tab: usize, path: &str, account: Account) -> Checked {
        self.browser.send(Kind::Page, tab, "GET", path);
        self.record_sent_requests();
        self.settle()?;
        for _ in 0..3 {
            let is_over = |it: &Dialog| it.over.tab == tab && it.over.kind == Kind::Page;
            let Some(dialog) = self.browser.dialogs.iter().position(is_over) else { break };
            self.type_into(dialog, account);
            self.record_sent_requests();
            self.settle()?;
        }
        Ok(())
    }

    fn login(&self, realm: &str) -> &BasicLogin {
        let (a, b) = &self.site.logins;
        if realm == A { a } else { b }
    }

    fn revoke_user(&mut self, realm: &str, user: &str) {
        if self.setup.bug != Some(Bug::RevocationsLost) {
            at_once(self.login(realm).revoke_user(user)).unwrap();
        }
        *self.revocations.entry((realm.to_owned(), user.to_owned())).or_default() += 1;
    }

    fn revocations(&self, realm: &str, user: &str) -> u32 {
        let key = (realm.to_owned(), user.to_owned());
        self.revocations.get(&key).copied().unwrap_or_default()
    }

    fn revoke_login(&mut self, realm: &str) {
        let entry = self.peek(self.browser.cookie.as_deref(), realm);
        if let Some(id) = entry["id"].as_str().filter(|_| entry["is"] == "logged_in") {
            if self.setup.bug != Some(Bug::RevocationsLost) {
                at_once(self.login(realm).revoke_login(id.parse().unwrap())).unwrap();
            }
            self.revoked_ids.insert(id_of(&entry).unwrap().to_owned());
        }
    }

    fn is_revoked(&self, realm: &str, entry: &serde_json::Value) -> bool {
        let user = entry["user"].as_str().unwrap_or_default();
        let key = (realm.to_owned(), user.to_owned(), entry["epoch"].clone());
        self.epochs.get(&key).is_some_and(|it| *it < self.revocations(realm, user))
            || id_of(entry).is_some_and(|id| self.revoked_ids.contains(id))
    }

    /// Whether a logout of the realm carried the cookie of this session's predecessor, or of the session in
    /// which the login began.
    fn predecessor_logged_out(&self, cookie: Option<&str>, realm: &str) -> bool {
        let predecessors = self.peek(cookie, PREDECESSOR);
        let hashes = predecessors.as_array().into_iter().flatten().filter_map(|it| it.as_str());
        let predecessors = hashes.filter_map(|hash| self.predecessors.get(hash));
        let entry = self.peek(cookie, realm);
        let began_in = id_of(&entry).and_then(|id| self.login_sessions.get(id));
        let began_in = began_in.filter(|_| entry["is"] == "logged_in");
        let all = self.setup.logout_scope == LogoutScope::Session;
        predecessors.chain(began_in).any(|it| {
            self.dead_sessions.iter().any(|(of, dead)| (*of == realm || all) && dead == it)
        })
    }

    fn peek(&self, cookie: Option<&str>, realm: &str) -> serde_json::Value {
        self.site.peek(cookie, realm).unwrap_or_default()
    }

    /// The effective state of a realm. The cookie of a session that no longer exists counts as logged out.
    fn state(&self, cookie: Option<&str>, realm: &str) -> String {
        let entry = self.peek(cookie, realm);
        let is_ended = id_of(&entry).is_some_and(|id| {
            self.ended_ids.contains(id) || self.predecessor_logged_out(cookie, realm)
        });
        match entry["is"].as_str() {
            Some(_) if is_ended => "logged_out".to_owned(),
            Some("logged_in") if self.has_expired(realm, &entry) => "logged_out".to_owned(),
            Some(state) => state.to_owned(),
            None if cookie.is_some_and(|it| self.site.has_no_session(it)) => {
                "logged_out".to_owned()
            }
            None if self.site.peek(cookie, "").is_some() => "logged_out".to_owned(),
            None => "fresh".to_owned(),
        }
    }

    /// How long ago a time in an entry was.
    fn age(&self, time: &serde_json::Value) -> Duration {
        let time = Duration::from_millis(time.as_u64().unwrap_or_default());
        self.site.seen().now.saturating_sub(time)
    }

    /// Whether a login expired or was revoked.
    fn has_expired(&self, realm: &str, entry: &serde_json::Value) -> bool {
        let has_passed = self.setup.deadlines
            && (self.age(&entry["logged_in_at"]) >= LOGIN_DEADLINE
                || self.age(&entry["visited_at"]) >= VISIT_DEADLINE);
        has_passed || self.is_revoked(realm, entry)
    }

    fn record_change(&mut self, chain: u32, realm: &'static str, cookie: Option<&str>) {
        let states = [self.state(cookie, A), self.state(cookie, B)];
        self.changes.push(Change { chain, realm, states });
    }

    fn progress(&mut self, index: usize, is_held: bool) -> Checked {
        self.browser.take_credentials(index);
        let exchange = &self.browser.exchanges[index];
        let path = exchange.wire.path.clone();
        let request = Request {
            number: exchange.wire.number,
            chain: exchange.chain,
            kind: exchange.kind,
            realm: realm_of(&path),
            path,
            origin: exchange.wire.origin,
            cookie: exchange.wire.cookie.clone(),
            sent: exchange.sent.clone(),
            is_typed: exchange.is_typed,
            is_cross_site: exchange.is_cross_site,
            sent_at: exchange.sent_at,
        };
        match &exchange.stage {
            Stage::Answered(answer) => {
                let answer = answer.clone();
                self.arrive(&request, &answer, index)
            }
            Stage::Sent => {
                self.record_arrival(&request);
                self.serve(&request, index, is_held)
            }
            Stage::Running(_) | Stage::Gone => self.serve(&request, index, is_held),
        }
    }

    /// Records what a request's session contains, before the server handles the request.
    fn record_arrival(&mut self, request: &Request) {
        let cookie = request.cookie.as_deref();
        let entry = self.peek(cookie, request.realm);
        let sent = request.sent.as_ref();
        let mut arrival = Arrival {
            state: self.state(cookie, request.realm),
            id: id_of(&entry).map(str::to_owned),
            has_no_session: cookie.is_some_and(|it| self.site.has_no_session(it)),
            replaced_lost_session: self.site.peek(cookie, "").is_some(),
            knows_no_credentials: entry["fingerprint"].is_null() && entry["pending"].is_null(),
            is_pending: entry["is"] == "rechallenged" && !entry["pending"].is_null(),
            is_own_login: entry["is"] == "logged_in"
                && sent.is_some_and(|it| it.realm == request.realm)
                && sent.is_some_and(|it| entry["user"] == it.credentials.by.0)
                && sent.is_some_and(|it| is_good(request.realm, it.credentials.by))
                && !self.has_expired(request.realm, &entry),
            is_visit_due: self.setup.deadlines
                && self.age(&entry["visited_at"]) >= VISIT_DEADLINE / 10,
            has_expired: entry["is"] == "logged_in" && self.has_expired(request.realm, &entry),
            is_other_port: is_other_port(&entry, request.origin),
            revocations: sent.map_or(0, |it| self.revocations(request.realm, it.credentials.by.0)),
        };
        // Of the other port's entries only a login counts, with its own credentials or with none.
        let is_login = entry["is"] == "logged_in";
        if arrival.is_other_port && !(is_login && (arrival.is_own_login || sent.is_none())) {
            let state = if is_login { "another's" } else { "logged_out" };
            state.clone_into(&mut arrival.state);
        }
        self.arrival.insert(request.number, arrival);
    }

    /// The server handles a request until it answers or is held.
    fn serve(&mut self, request: &Request, index: usize, is_held: bool) -> Checked {
        let Request { number, realm, ref path, .. } = *request;
        let cookie = request.cookie.as_deref();
        let arrival = self.arrival[&number].clone();
        let entries = [A, B].map(|it| (it, self.peek(cookie, it)));
        let before = self.site.seen().served.len();
        self.browser.progress(&self.site, index, is_held);
        if self.site.seen().served.len() > before {
            self.check_served(request, &arrival)?;
        }
        let Stage::Answered(answer) = &self.browser.exchanges[index].stage else { return Ok(()) };
        let answer: Answer = answer.clone();
        self.transcript.push(format!(
            "    {number} {:?} {path} as {}, {}/{}: {} {:?}, now {}/{}",
            request.kind,
            request.sent.as_ref().map_or("nobody", |it| it.credentials.by.0),
            self.state(cookie, A),
            self.state(cookie, B),
            answer.status,
            answer.challenge,
            self.state(answer.set_cookie.as_deref(), A),
            self.state(answer.set_cookie.as_deref(), B),
        ));
        if request.sent.as_ref().is_some_and(|it| it.realm != realm) && arrival.knows_no_credentials
        {
            self.crossed_realms.insert(realm);
        }
        if answer.logged_out && arrival.has_no_session {
            self.dead_sessions.extend(cookie.map(|it| (realm, it.to_owned())));
        }
        if let Some(set) = answer.set_cookie.as_deref() {
            for of in [A, B] {
                let entry = self.peek(Some(set), of);
                if let (Some(id), Some(cookie)) = (id_of(&entry), cookie)
                    && entry["is"] == "logged_in"
                {
                    self.login_sessions.entry(id.to_owned()).or_insert(cookie.to_owned());
                }
            }
        }
        // The newest comes first.
        if let (Some(hash), Some(cookie)) =
            (self.peek(answer.set_cookie.as_deref(), PREDECESSOR)[0].as_str(), cookie)
        {
            self.predecessors.entry(hash.to_owned()).or_insert(cookie.to_owned());
        }
        // A logout with nothing to clear writes no session and revokes no login.
        if answer.logged_out && answer.set_cookie.is_some() {
            // Of another realm only a login ends; its other states stay.
            let all = self.setup.logout_scope == LogoutScope::Session;
            let ends = |it: &str, entry: &serde_json::Value| {
                it == realm || all && entry["is"] == "logged_in"
            };
            let ended = entries.iter().filter(|(it, entry)| ends(it, entry));
            let ids = ended.filter_map(|(_, entry)| id_of(entry).map(str::to_owned));
            self.ended_ids.extend(ids);
        }
        if let Some(cookie) = &answer.set_cookie {
            self.record_change(request.chain, realm, Some(cookie));
            let entry = self.peek(Some(cookie), realm);
            if let Some(user) = entry["user"].as_str() {
                let key = (realm.to_owned(), user.to_owned(), entry["epoch"].clone());
                self.epochs.entry(key).or_insert(arrival.revocations);
            }
            if let Some(id) = id_of(&entry).filter(|_| arrival.begins_a_session()) {
                self.first_visits.insert(id.to_owned());
            }
            // The id of an entry that no longer counts is revoked by the first answer that writes
            // another state.
            if ["logged_out", "another's"].contains(&&*arrival.state)
                && id_of(&entry) != arrival.id.as_deref()
            {
                self.ended_ids.extend(arrival.id.clone());
            }
        }
        let is_login = arrival.is_own_login
            && arrival.id.as_ref().is_none_or(|id| !self.ended_ids.contains(id))
            && !self.predecessor_logged_out(cookie, realm);
        if is_login && !LOGOUTS.contains(&path.as_str()) {
            self.check_active_login(request, &arrival, &answer)?;
        }
        Ok(())
    }

    /// Checks guarantees 1 and 6 for a request that reached a protected handler.
    fn check_served(&mut self, request: &Request, arrival: &Arrival) -> Checked {
        let Request { realm, ref path, .. } = *request;
        let Some(sent) = &request.sent else {
            return Err(format!("6: {path} was served without credentials"));
        };
        let began_concurrently =
            |logout: &Logout| arrival.id != logout.arrival.id && arrival.is_in(&self.first_visits);
        // On the other port, a login accepts its own credentials: the user typed them there.
        let typed_at = if arrival.is_other_port && arrival.is_own_login {
            self.typed_last[&(sent.realm.clone(), sent.credentials.by)]
        } else {
            sent.credentials.at
        };
        if arrival.state == "logged_out" {
            return Err(format!("1: {path} was served after the login ended"));
        }
        for logout in self.logged_out.get(realm).into_iter().flatten() {
            let limit = match logout {
                it if typed_at >= it.arrived_at => continue,
                _ if sent.credentials.by.0 == "both" => Limit::SharedCredentials,
                it if typed_at >= it.sent_at => Limit::TypedDuringLogout,
                it if it.arrival.state == "fresh" => Limit::ConcurrentFirstVisits,
                it if !it.arrival.lost_session() && began_concurrently(it) => {
                    Limit::ConcurrentFirstVisits
                }
                _ if self.crossed_realms.contains(realm) => Limit::AnotherRealmsCredentials,
                _ if self.restored_realms.contains(realm) => Limit::OlderSessionRestored,
                _ if self.aborted.contains(&sent.credentials.at) => Limit::RequestAborted,
                _ => {
                    let reason = "with credentials that were typed before a logout";
                    return Err(format!("1: {path} was served {reason}"));
                }
            };
            self.limits.insert(limit);
        }
        Ok(())
    }

    /// Checks guarantees 3 and 5 for a request with its login's credentials.
    fn check_active_login(&self, request: &Request, arrival: &Arrival, answer: &Answer) -> Checked {
        let path = &request.path;
        if answer.status == 401 {
            return Err(format!("3: {path} was refused to a logged-in user"));
        }
        if self.site.seen().checked.contains(&request.number) {
            return Err(format!("5: {path} of a logged-in user checked the password"));
        }
        if answer.set_cookie.is_some() && !path.ends_with("/write") && !arrival.is_visit_due {
            return Err(format!("5: {path} of a logged-in user wrote the session"));
        }
        Ok(())
    }

    /// A response reaches the browser.
    fn arrive(&mut self, request: &Request, answer: &Answer, index: usize) -> Checked {
        let Request { number, realm, ref path, .. } = *request;
        self.transcript.push(format!("    {number} {path} arrives: {}", answer.status));
        if let Some(cookie) = &answer.set_cookie {
            self.record_change(request.chain, realm, Some(cookie));
        }
        self.typed.remove(&number);
        let was_reprompted = |model: &Self, realm: &&str| {
            model.peek(model.browser.cookie.as_deref(), realm)["reprompted"] == true
        };
        let before: Vec<_> = [A, B].into_iter().filter(|it| was_reprompted(self, it)).collect();
        let cookie = self.browser.cookie.clone();
        let was_logged_in = self.state(cookie.as_deref(), realm) == "logged_in";
        let event = self.browser.deliver(index);
        if request.is_cross_site && was_logged_in {
            if event == Event::Prompted {
                return Err(format!("3: a cross-site form to {path} prompted a logged-in user"));
            }
            if self.browser.cookie != cookie {
                return Err(format!("3: a cross-site form to {path} changed the session"));
            }
        }
        let is_restored = |it: &&'static str| *it != realm || path.ends_with("/write");
        let lost: Vec<_> =
            before.into_iter().filter(is_restored).filter(|it| !was_reprompted(self, it)).collect();
        self.restored_realms.extend(lost);
        self.record_sent_requests();
        if answer.logged_out {
            let arrival = self.arrival[&number].clone();
            let logout = Logout { sent_at: request.sent_at, arrived_at: self.browser.now, arrival };
            self.logged_out.entry(realm).or_default().push(logout);
        }
        match &answer.challenge {
            Some(realm) if event == Event::Prompted => self.check_prompt(request, answer, realm),
            _ => Ok(()),
        }
    }

    /// Checks guarantees 2 and 3 for a dialog that opened: it must be necessary.
    fn check_prompt(&mut self, request: &Request, answer: &Answer, realm: &str) -> Checked {
        let Request { number, chain, ref path, .. } = *request;
        let cookie = self.browser.cookie.as_deref();
        let is_other_port = is_other_port(&self.peek(cookie, realm), request.origin);
        let no_proof = match self.state(cookie, realm) {
            _ if is_other_port => Some(Limit::AnotherPort),
            state => (state == "logged_out").then_some(Limit::NoProof),
        };
        let sent_at = self.changes_at[&number];
        let prompted_before = self.prompted_chains.insert(chain, (sent_at, no_proof));
        let typed = request.sent.as_ref().filter(|_| request.is_typed).map(|it| it.credentials);
        if let (Some(credentials), Some((prompted_at, no_proof))) = (typed, prompted_before)
            && is_good(realm, credentials.by)
        {
            let index = usize::from(realm == B);
            // A login does not renew the session's key, so it disturbs nothing in its own realm.
            let is_login = |it: &Change| it.realm == realm && it.states[index] == "logged_in";
            let mut since = self.changes[prompted_at..].iter();
            let is_inside = path.starts_with("/a/") && path != "/a/out-of-b";
            let limit = if since.any(|it| it.chain != chain && !is_login(it)) {
                Limit::SessionChanged
            } else if let Some(no_proof) = no_proof {
                no_proof
            } else if self.arrival[&number].is_pending {
                Limit::OldCredentialsTyped
            } else if self.arrival[&number].has_expired
                || self.arrival[&number].is_in(&self.revoked_ids)
            {
                Limit::ExpiredDuringDialog
            } else if answer.logged_out && is_inside {
                Limit::LogoutOpenedBesidePrompt
            } else {
                return Err(format!(
                    "2: valid credentials typed for {realm} led to another prompt"
                ));
            };
            self.limits.insert(limit);
        }
        if request.kind == Kind::Fetch {
            if self.arrival[&number].state != "logged_in" {
                return Err("3: a background request opened a dialog".to_owned());
            }
            self.limits.insert(Limit::CredentialsDropped);
        }
        Ok(())
    }

    /// Checks guarantee 4.
    fn non_browser(&self, path: &str) -> Checked {
        let credentials = Account::First.credentials(realm_of(path));
        let wire = Wire {
            number: 1_000_000,
            method: "GET",
            path: path.to_owned(),
            origin: "http://localhost:8080",
            headers: vec![("user-agent", "curl/8.14.1".to_owned())],
            credentials: Some(credentials),
            cookie: None,
        };
        let before = self.site.memory.len();
        let answer = self.site.answer(&wire);
        let wrote = answer.set_cookie.is_some() || self.site.memory.len() != before;
        if answer.status != 200 {
            let status = answer.status;
            return Err(format!("4: a non-browser client with valid credentials got {status}"));
        }
        if wrote && !path.ends_with("/write") {
            return Err("4: a non-browser client left a session".to_owned());
        }
        Ok(())
    }
}

/// Whether an entry was written for the other port.
fn is_other_port(entry: &serde_json::Value, origin: &str) -> bool {
    entry["origin"].as_str().is_some_and(|it| it != origin)
}

impl Arrival {
    /// If the answer writes a session, it must be a new one.
    fn begins_a_session(&self) -> bool {
        self.state == "fresh" || self.has_no_session
    }

    /// The session no longer existed, or was created in place of such a session.
    fn lost_session(&self) -> bool {
        self.has_no_session || self.replaced_lost_session
    }

    fn is_in(&self, ids: &HashSet<String>) -> bool {
        self.id.as_ref().is_some_and(|id| ids.contains(id))
    }
}
