//! One browser and one site, perhaps on two ports, and the guarantees that are checked after each
//! step.

use std::{
    collections::{BTreeSet, HashMap, HashSet},
    time::Duration,
};

use actix_basic_logout::{BasicLogin, LogoutScope};

use super::{LOG_OUTS, Limit, Step, Who};
use crate::support::{
    browser::{Browser, Dialog, Engine, Event, Held, Kind, Stage, realm_of},
    site::{
        A, Answer, B, Credentials, Hole, LOGIN_DEADLINE, Setup, Site, VISIT_DEADLINE, Wire,
        at_once, is_good,
    },
};

/// The key under which a session stores its predecessor.
const PREDECESSOR: &str = "\n";

/// A response that changed the session: when it was sent, and when it arrived.
#[derive(Clone, Debug)]
struct Change {
    chain: u32,
    realm: &'static str,
    /// The session's state for each realm after the response has arrived.
    states: [String; 2],
}

/// A logout whose response has reached the browser.
#[derive(Clone, Debug)]
struct LogOut {
    left_at: u32,
    arrived_at: u32,
    /// The result.
    came: Came,
}

/// The session of a request when the server received it.
#[derive(Clone, Debug, Default)]
#[expect(clippy::struct_excessive_bools, reason = "so many things are looked at")]
struct Came {
    state: String,
    id: Option<String>,
    /// Its session did not exist.
    led_nowhere: bool,
    /// It had replaced a session that no longer existed.
    was_lost: bool,
    /// It knew no credentials of the realm.
    knew_no_credentials: bool,
    /// The ended login's credentials were pending.
    is_pending: bool,
    /// It was a login with the credentials of the request.
    is_theirs: bool,
    /// Enough time had passed that the visit must be written.
    is_visit_due: bool,
    /// It was a login that expired or was revoked.
    has_expired: bool,
    /// It was written on the other port.
    is_elsewhere: bool,
    /// How often all logins of the user whose credentials it carries were revoked.
    revocations: u32,
}

/// A request, before the step that is checked.
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
    is_forged: bool,
    left_at: u32,
}

pub type Checked = Result<(), String>;

pub struct Model {
    pub site: Site,
    pub browser: Browser,
    pub limits: BTreeSet<Limit>,
    /// The events, to explain a failure.
    pub story: Vec<String>,
    setup: Setup,
    /// By request.
    came: HashMap<u32, Came>,
    /// By realm.
    logged_out: HashMap<&'static str, Vec<LogOut>>,
    /// Ids of logins that a logout has ended, and of those that began without a session.
    ended: HashSet<String>,
    first_visits: HashSet<String>,
    changes: Vec<Change>,
    /// The number of changes when a request was sent.
    changes_at: HashMap<u32, usize>,
    /// For each request with an open dialog: the number of changes when it was sent, and the limit that explains
    /// why its challenge proved nothing, if there is one.
    asked_over: HashMap<u32, (usize, Option<Limit>)>,
    /// Requests in flight with freshly typed credentials, and when those were typed; the aborted ones of them.
    typed: HashMap<u32, u32>,
    given_up: HashSet<u32>,
    /// When the user last typed credentials for a realm, on any port.
    typed_last: HashMap<(String, Credentials), u32>,
    /// How often all logins of a user were ended, by realm and user; how often they had been, by the
    /// epoch in which a login began; and the ids of logins that were ended alone.
    revocations: HashMap<(String, String), u32>,
    epochs: HashMap<(String, String, serde_json::Value), u32>,
    revoked: HashSet<String>,
    /// The cookies of replaced sessions, by the predecessor stored in their replacements; and
    /// where a logout of a realm came with such a cookie.
    predecessors: HashMap<String, String>,
    dead: HashSet<(&'static str, String)>,
    /// Realms that received another realm's credentials while they knew none of their own.
    crossed: HashSet<&'static str>,
    /// Realms whose session no longer records that the login was reprompted.
    restored: HashSet<&'static str>,
}

impl Model {
    pub async fn new(setup: Setup, engine: Engine) -> Self {
        let mut browser = Browser::new(engine);
        browser.second_origin = setup.two_ports.then_some("http://localhost:9090");
        Self {
            site: Site::new(&setup).await,
            browser,
            limits: BTreeSet::new(),
            story: Vec::new(),
            setup,
            came: HashMap::new(),
            logged_out: HashMap::new(),
            ended: HashSet::new(),
            first_visits: HashSet::new(),
            changes: Vec::new(),
            changes_at: HashMap::new(),
            asked_over: HashMap::new(),
            typed: HashMap::new(),
            given_up: HashSet::new(),
            typed_last: HashMap::new(),
            revocations: HashMap::new(),
            epochs: HashMap::new(),
            revoked: HashSet::new(),
            predecessors: HashMap::new(),
            dead: HashSet::new(),
            crossed: HashSet::new(),
            restored: HashSet::new(),
        }
    }

    /// How many logouts have reached the browser.
    pub fn log_outs(&self) -> usize {
        self.logged_out.values().map(Vec::len).sum()
    }

    pub fn step(&mut self, step: &Step) -> Checked {
        self.story.push(format!("{step:?}"));
        self.take(step)?;
        self.note_departures();
        Ok(())
    }

    fn note_departures(&mut self) {
        for exchange in &self.browser.exchanges {
            self.changes_at.entry(exchange.wire.number).or_insert(self.changes.len());
            if let Some(sent) = exchange.sent.as_ref().filter(|_| exchange.is_typed) {
                self.typed.insert(exchange.wire.number, sent.credentials.at);
            }
        }
        let exchanges = &self.browser.exchanges;
        let is_gone = |number: u32| exchanges.iter().all(|it| it.wire.number != number);
        self.given_up.extend(self.typed.extract_if(|it, _| is_gone(*it)).map(|(_, at)| at));
    }

    fn take(&mut self, step: &Step) -> Checked {
        match step {
            Step::Open { tab, path } => self.browser.send(Kind::Page, *tab, "GET", path),
            Step::Fetch { tab, path, is_held_back } => {
                self.browser.send(Kind::Fetch, *tab, "GET", path);
                if let Some(exchange) = self.browser.exchanges.last_mut() {
                    let is_chromium = self.browser.engine == Engine::Chromium;
                    exchange.takes_credentials_late = *is_held_back && is_chromium;
                }
            }
            Step::Socket { path } => self.browser.send(Kind::WebSocket, 0, "GET", path),
            Step::LogOut { tab, path } => self.browser.send(Kind::Page, *tab, "POST", path),
            Step::LogOutByFetch { path } => self.browser.send(Kind::Fetch, 0, "POST", path),
            Step::Forge { tab, path, is_plain_http } => {
                self.browser.send_forged(*tab, path, *is_plain_http);
            }
            Step::Progress(index) if !self.browser.exchanges.is_empty() => {
                self.progress(index % self.browser.exchanges.len(), true)?;
            }
            Step::LogIn { tab, path, who } => self.log_in(*tab, path, *who)?,
            Step::Settle => self.settle()?,
            Step::Type { dialog, who } if !self.browser.dialogs.is_empty() => {
                let index = dialog % self.browser.dialogs.len();
                self.type_into(index, *who);
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
            Step::Program { path } => self.program(path)?,
            Step::Wait(seconds) => self.site.seen().now += Duration::from_secs(*seconds),
            Step::Revoke { realm, who } => self.revoke(realm, who.credentials(realm).0),
            Step::EndLogin { realm } => self.revoke_login(realm),
            _ => {}
        }
        Ok(())
    }

    fn type_into(&mut self, dialog: usize, who: Who) {
        let realm = self.browser.dialogs[dialog].realm.clone();
        let credentials = who.credentials(&realm);
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
        Err("requests without end".to_owned())
    }

    fn log_in(&mut self, tab: usize, path: &str, who: Who) -> Checked {
        self.browser.send(Kind::Page, tab, "GET", path);
        self.note_departures();
        self.settle()?;
        for _ in 0..3 {
            let is_over = |it: &Dialog| it.over.tab == tab && it.over.kind == Kind::Page;
            let Some(dialog) = self.browser.dialogs.iter().position(is_over) else { break };
            self.type_into(dialog, who);
            self.note_departures();
            self.settle()?;
        }
        Ok(())
    }

    fn login(&self, realm: &str) -> &BasicLogin {
        let (a, b) = &self.site.logins;
        if realm == A { a } else { b }
    }

    fn revoke(&mut self, realm: &str, user: &str) {
        if self.setup.hole != Some(Hole::RevocationsAreLost) {
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
            if self.setup.hole != Some(Hole::RevocationsAreLost) {
                at_once(self.login(realm).revoke_login(id.parse().unwrap())).unwrap();
            }
            self.revoked.insert(id.to_owned());
        }
    }

    fn is_revoked(&self, realm: &str, entry: &serde_json::Value) -> bool {
        let user = entry["user"].as_str().unwrap_or_default();
        let begun = (realm.to_owned(), user.to_owned(), entry["epoch"].clone());
        self.epochs.get(&begun).is_some_and(|it| *it < self.revocations(realm, user))
            || entry["id"].as_str().is_some_and(|id| self.revoked.contains(id))
    }

    /// Whether a logout of the realm came with the predecessor of this session.
    fn is_dead(&self, cookie: Option<&str>, realm: &str) -> bool {
        let note = self.peek(cookie, PREDECESSOR);
        let cookie = note.as_str().and_then(|note| self.predecessors.get(note));
        cookie.is_some_and(|it| self.dead.iter().any(|(of, dead)| *of == realm && dead == it))
    }

    fn peek(&self, cookie: Option<&str>, realm: &str) -> serde_json::Value {
        self.site.peek(cookie, realm).unwrap_or_default()
    }

    /// The state that counts for a realm. A cookie without a session counts as logged out.
    fn state(&self, cookie: Option<&str>, realm: &str) -> String {
        let entry = self.peek(cookie, realm);
        let is_ended = entry["id"]
            .as_str()
            .is_some_and(|id| self.ended.contains(id) || self.is_dead(cookie, realm));
        match entry["is"].as_str() {
            Some(_) if is_ended => "logged_out".to_owned(),
            Some("logged_in") if self.has_expired(realm, &entry) => "logged_out".to_owned(),
            Some(state) => state.to_owned(),
            None if cookie.is_some_and(|it| self.site.leads_nowhere(it)) => "logged_out".to_owned(),
            None if self.site.peek(cookie, "").is_some() => "logged_out".to_owned(),
            None => "fresh".to_owned(),
        }
    }

    /// The time that has passed since then.
    fn age(&self, time: &serde_json::Value) -> Duration {
        let time = Duration::from_millis(time.as_u64().unwrap_or_default());
        self.site.seen().now.saturating_sub(time)
    }

    /// Whether a login has expired or was revoked.
    fn has_expired(&self, realm: &str, entry: &serde_json::Value) -> bool {
        let has_passed = self.setup.deadlines
            && (self.age(&entry["logged_in_at"]) >= LOGIN_DEADLINE
                || self.age(&entry["visited_at"]) >= VISIT_DEADLINE);
        has_passed || self.is_revoked(realm, entry)
    }

    fn changed(&mut self, chain: u32, realm: &'static str, cookie: Option<&str>) {
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
            is_forged: exchange.is_forged,
            left_at: exchange.left_at,
        };
        match &exchange.stage {
            Stage::Answered(answer) => {
                let answer = answer.clone();
                self.arrive(&request, &answer, index)
            }
            Stage::Sent => {
                self.come(&request);
                self.serve(&request, index, is_held)
            }
            Stage::Running(_) | Stage::Gone => self.serve(&request, index, is_held),
        }
    }

    /// Reads a request's session before the server does.
    fn come(&mut self, request: &Request) {
        let cookie = request.cookie.as_deref();
        let entry = self.peek(cookie, request.realm);
        let sent = request.sent.as_ref();
        let mut came = Came {
            state: self.state(cookie, request.realm),
            id: entry["id"].as_str().map(str::to_owned),
            led_nowhere: cookie.is_some_and(|it| self.site.leads_nowhere(it)),
            was_lost: self.site.peek(cookie, "").is_some(),
            knew_no_credentials: entry["fingerprint"].is_null() && entry["pending"].is_null(),
            is_pending: entry["is"] == "rechallenged" && !entry["pending"].is_null(),
            is_theirs: entry["is"] == "logged_in"
                && sent.is_some_and(|it| it.realm == request.realm)
                && sent.is_some_and(|it| entry["user"] == it.credentials.by.0)
                && sent.is_some_and(|it| is_good(request.realm, it.credentials.by))
                && !self.has_expired(request.realm, &entry),
            is_visit_due: self.setup.deadlines
                && self.age(&entry["visited_at"]) >= VISIT_DEADLINE / 10,
            has_expired: entry["is"] == "logged_in" && self.has_expired(request.realm, &entry),
            is_elsewhere: is_elsewhere(&entry, request.origin),
            revocations: sent.map_or(0, |it| self.revocations(request.realm, it.credentials.by.0)),
        };
        // On another port only a login counts, with its own credentials or with none.
        let is_login = entry["is"] == "logged_in";
        if came.is_elsewhere && !(is_login && (came.is_theirs || sent.is_none())) {
            let state = if is_login { "another's" } else { "logged_out" };
            state.clone_into(&mut came.state);
        }
        self.came.insert(request.number, came);
    }

    /// The server processes a request, and may answer it.
    fn serve(&mut self, request: &Request, index: usize, is_held: bool) -> Checked {
        let Request { number, realm, ref path, .. } = *request;
        let cookie = request.cookie.as_deref();
        let came = self.came[&number].clone();
        let entries = [A, B].map(|it| (it, self.peek(cookie, it)));
        let before = self.site.seen().served.len();
        self.browser.progress(&self.site, index, is_held);
        if self.site.seen().served.len() > before {
            self.served(request, &came)?;
        }
        let Stage::Answered(answer) = &self.browser.exchanges[index].stage else { return Ok(()) };
        let answer: Answer = answer.clone();
        self.story.push(format!(
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
        if request.sent.as_ref().is_some_and(|it| it.realm != realm) && came.knew_no_credentials {
            self.crossed.insert(realm);
        }
        if answer.logged_out && came.led_nowhere {
            self.dead.extend(cookie.map(|it| (realm, it.to_owned())));
        }
        if let (Some(note), Some(cookie)) =
            (self.peek(answer.set_cookie.as_deref(), PREDECESSOR).as_str(), cookie)
        {
            self.predecessors.entry(note.to_owned()).or_insert(cookie.to_owned());
        }
        // If there was nothing to clear, nothing was written and no login has ended.
        if answer.logged_out && answer.set_cookie.is_some() {
            // Of another realm, only a login ends; other states stay.
            let all = self.setup.clears == LogoutScope::Session;
            let ends = |it: &str, entry: &serde_json::Value| {
                it == realm || all && entry["is"] == "logged_in"
            };
            let ended = entries.iter().filter(|(it, entry)| ends(it, entry));
            let ids = ended.filter_map(|(_, entry)| entry["id"].as_str().map(str::to_owned));
            self.ended.extend(ids);
        }
        if let Some(cookie) = &answer.set_cookie {
            self.changed(request.chain, realm, Some(cookie));
            let entry = self.peek(Some(cookie), realm);
            if let Some(user) = entry["user"].as_str() {
                let begun = (realm.to_owned(), user.to_owned(), entry["epoch"].clone());
                self.epochs.entry(begun).or_insert(came.revocations);
            }
            if let Some(id) = entry["id"].as_str().filter(|_| came.begins_a_session()) {
                self.first_visits.insert(id.to_owned());
            }
            // The id of an entry that no longer counts ends with the first answer that writes another state.
            if ["logged_out", "another's"].contains(&&*came.state)
                && entry["id"].as_str() != came.id.as_deref()
            {
                self.ended.extend(came.id.clone());
            }
        }
        let is_login = came.is_theirs
            && came.id.as_ref().is_none_or(|id| !self.ended.contains(id))
            && !self.is_dead(cookie, realm);
        if is_login && !LOG_OUTS.contains(&path.as_str()) {
            self.keeps_its_login(request, &came, &answer)?;
        }
        Ok(())
    }

    /// Checks guarantees 1 and 6 for a request that reached a protected handler.
    fn served(&mut self, request: &Request, came: &Came) -> Checked {
        let Request { realm, ref path, .. } = *request;
        let Some(sent) = &request.sent else {
            return Err(format!("6: {path} was served without credentials"));
        };
        let began_apart =
            |log_out: &LogOut| came.id != log_out.came.id && came.is_in(&self.first_visits);
        // On another port, a login accepts its own credentials: the user typed them there.
        let typed_at = if came.is_elsewhere && came.is_theirs {
            self.typed_last[&(sent.realm.clone(), sent.credentials.by)]
        } else {
            sent.credentials.at
        };
        if came.state == "logged_out" {
            return Err(format!("1: {path}: served after the login had ended"));
        }
        for log_out in self.logged_out.get(realm).into_iter().flatten() {
            let limit = match log_out {
                it if typed_at >= it.arrived_at => continue,
                _ if sent.credentials.by.0 == "both" => Limit::SharedCredentials,
                it if typed_at >= it.left_at => Limit::TypedDuringLogout,
                it if it.came.state == "fresh" => Limit::ConcurrentFirstVisits,
                it if !it.came.lost_its_session() && began_apart(it) => {
                    Limit::ConcurrentFirstVisits
                }
                _ if self.crossed.contains(realm) => Limit::AnotherRealmsCredentials,
                _ if self.restored.contains(realm) => Limit::OlderSessionRestored,
                _ if self.given_up.contains(&sent.credentials.at) => Limit::RequestAborted,
                it if it.came.lost_its_session() => Limit::KeyRenewedTwice,
                _ => return Err(format!("1: {path}: served as typed before a logout")),
            };
            self.limits.insert(limit);
        }
        Ok(())
    }

    /// Checks guarantees 3 and 5 for a request with its login's credentials.
    fn keeps_its_login(&self, request: &Request, came: &Came, answer: &Answer) -> Checked {
        let path = &request.path;
        if answer.status == 401 {
            return Err(format!("3: {path} of a login was refused"));
        }
        if self.site.seen().checked.contains(&request.number) {
            return Err(format!("5: {path} of a login had its password checked"));
        }
        if answer.set_cookie.is_some() && !path.ends_with("/write") && !came.is_visit_due {
            return Err(format!("5: {path} of a login wrote the session"));
        }
        Ok(())
    }

    /// A response reaches the browser.
    fn arrive(&mut self, request: &Request, answer: &Answer, index: usize) -> Checked {
        let Request { number, realm, ref path, .. } = *request;
        self.story.push(format!("    {number} {path} arrives: {}", answer.status));
        if let Some(cookie) = &answer.set_cookie {
            self.changed(request.chain, realm, Some(cookie));
        }
        self.typed.remove(&number);
        let asked_again = |model: &Self, realm: &&str| {
            model.peek(model.browser.cookie.as_deref(), realm)["reprompted"] == true
        };
        let before: Vec<_> = [A, B].into_iter().filter(|it| asked_again(self, it)).collect();
        let cookie = self.browser.cookie.clone();
        let was_logged_in = self.state(cookie.as_deref(), realm) == "logged_in";
        let event = self.browser.deliver(index);
        if request.is_forged && was_logged_in {
            if event == Event::Asked {
                return Err(format!("3: another site's form to {path} asks who is logged in"));
            }
            if self.browser.cookie != cookie {
                return Err(format!("3: another site's form to {path} changes who is logged in"));
            }
        }
        let is_restored = |it: &&'static str| *it != realm || path.ends_with("/write");
        let lost: Vec<_> =
            before.into_iter().filter(is_restored).filter(|it| !asked_again(self, it)).collect();
        self.restored.extend(lost);
        self.note_departures();
        if answer.logged_out {
            let came = self.came[&number].clone();
            let log_out = LogOut { left_at: request.left_at, arrived_at: self.browser.now, came };
            self.logged_out.entry(realm).or_default().push(log_out);
        }
        match &answer.challenge {
            Some(realm) if event == Event::Asked => self.asked(request, answer, realm),
            _ => Ok(()),
        }
    }

    /// Checks guarantees 2 and 3 for a dialog that has opened: was it necessary?
    fn asked(&mut self, request: &Request, answer: &Answer, realm: &str) -> Checked {
        let Request { number, chain, ref path, .. } = *request;
        let cookie = self.browser.cookie.as_deref();
        let is_elsewhere = is_elsewhere(&self.peek(cookie, realm), request.origin);
        let no_proof = match self.state(cookie, realm) {
            _ if is_elsewhere => Some(Limit::AnotherPort),
            state => (state == "logged_out").then_some(Limit::NoProof),
        };
        let left_at = self.changes_at[&number];
        let asked_before = self.asked_over.insert(chain, (left_at, no_proof));
        let typed = request.sent.as_ref().filter(|_| request.is_typed).map(|it| it.credentials);
        if let (Some(credentials), Some((asked_at, no_proof))) = (typed, asked_before)
            && is_good(realm, credentials.by)
        {
            let index = usize::from(realm == B);
            // A login keeps the session key, so it changes nothing else in its own realm.
            let is_login = |it: &Change| it.realm == realm && it.states[index] == "logged_in";
            let mut since = self.changes[asked_at..].iter();
            let is_inside = path.starts_with("/a/") && path != "/a/out-of-b";
            let limit = if since.any(|it| it.chain != chain && !is_login(it)) {
                Limit::SessionChanged
            } else if let Some(no_proof) = no_proof {
                no_proof
            } else if self.came[&number].is_pending {
                Limit::OldCredentialsTyped
            } else if self.came[&number].has_expired || self.came[&number].is_in(&self.revoked) {
                Limit::ExpiredDuringDialog
            } else if answer.logged_out && is_inside {
                Limit::LogoutOpenedBesidePrompt
            } else {
                return Err(format!("2: good credentials typed for {realm}, and asked again"));
            };
            self.limits.insert(limit);
        }
        if request.kind == Kind::Fetch {
            if self.came[&number].state != "logged_in" {
                return Err("3: a background request has opened a dialog".to_owned());
            }
            self.limits.insert(Limit::CredentialsDropped);
        }
        Ok(())
    }

    /// Checks guarantee 4.
    fn program(&self, path: &str) -> Checked {
        let credentials = Who::First.credentials(realm_of(path));
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
            return Err(format!("4: a program with good credentials got {}", answer.status));
        }
        if wrote && !path.ends_with("/write") {
            return Err("4: a program has left a session".to_owned());
        }
        Ok(())
    }
}

/// Whether an entry was written on the other port.
fn is_elsewhere(entry: &serde_json::Value, origin: &str) -> bool {
    entry["origin"].as_str().is_some_and(|it| it != origin)
}

impl Came {
    /// Whether its response must begin another session if it writes one.
    fn begins_a_session(&self) -> bool {
        self.state == "fresh" || self.led_nowhere
    }

    /// Whether its session no longer existed, or had replaced one that no longer existed.
    fn lost_its_session(&self) -> bool {
        self.led_nowhere || self.was_lost
    }

    fn is_in(&self, ids: &HashSet<String>) -> bool {
        self.id.as_ref().is_some_and(|id| ids.contains(id))
    }
}
