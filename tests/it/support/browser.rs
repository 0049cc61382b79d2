//! A simulated browser. It handles credentials, challenges and cookies as the real browsers do.
//!
//! It sends a realm's credentials preemptively to the directories where they were accepted. While it
//! holds other credentials than the refused ones, it answers a challenge of the same realm without a
//! prompt. It drops refused credentials, and prompts its user if it holds no others.

use std::collections::HashMap;

pub use actix_basic_logout::test::Engine;
use actix_basic_logout::test::auth_cache::{self, AuthCache, Initiator, Reaction};

use super::site::{A, Answer, B, Credentials, Running, Site, Wire};

/// The `User-Agent` of w3m.
pub const W3M: &str = "w3m/0.5.3+git20230121";

/// The reserved user-id of the logout page's script.
const RESERVED: &str = "logged-out";

/// The reserved password in a logout page.
fn password_on(page: &str) -> &'static str {
    let password = page.split("data-password=\"").nth(1).unwrap().split('"').next().unwrap();
    String::from(password).leak()
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Page,
    Fetch,
    WebSocket,
    /// A request of the logout page's script.
    LogoutPageScript,
}

/// Credentials in the cache or in a request.
pub type Held = auth_cache::Held<Typed>;

/// Credentials, and when the user typed them. The time does not affect equality.
#[derive(Clone, Copy, Debug)]
pub struct Typed {
    pub by: Credentials,
    pub at: u32,
}

impl PartialEq for Typed {
    fn eq(&self, other: &Self) -> bool {
        self.by == other.by
    }
}

/// A request and its progress.
#[expect(clippy::struct_excessive_bools, reason = "each is an independent fact")]
pub struct Exchange {
    pub wire: Wire,
    pub kind: Kind,
    pub tab: usize,
    pub sent: Option<Held>,
    /// The user has just typed these credentials into the dialog of this request.
    pub is_typed: bool,
    /// The browser repeated the request after Cancel. A challenge to it opens no dialog.
    pub is_cancelled: bool,
    /// Another site's page sent it, so the browser withholds the session cookie (`SameSite=Lax`).
    pub is_cross_site: bool,
    /// The browser adds its credentials when the request reaches the server, not when it is created.
    pub takes_credentials_late: bool,
    /// A number that a request shares with its repetitions.
    pub chain: u32,
    /// When the first request of the chain was sent.
    pub sent_at: u32,
    pub stage: Stage,
}

pub enum Stage {
    Sent,
    Running(Running),
    Answered(Answer),
    Gone,
}

/// A dialog, with the request whose challenge opened it.
pub struct Dialog {
    pub realm: String,
    pub over: Exchange,
}

/// The effect of a response on the browser.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    Shown,
    Repeated,
    Prompted,
    Refused,
}

pub struct Browser {
    pub engine: Engine,
    pub origin: &'static str,
    /// The origin of the second tab, if it differs. Another port shares the cookies, but has separate
    /// credentials and dialogs.
    pub second_origin: Option<&'static str>,
    pub cookie: Option<String>,
    pub exchanges: Vec<Exchange>,
    pub dialogs: Vec<Dialog>,
    /// The response that each tab shows.
    pub shown: HashMap<usize, Answer>,
    /// The number of dialogs that its user has seen.
    pub prompts: usize,
    /// On plain HTTP, except for localhost, browsers send no `Sec-Fetch-*` headers.
    pub is_plain_http: bool,
    pub keeps_cookies: bool,
    cache: AuthCache<Typed>,
    /// The passwords of the logout pages' scripts, by realm.
    passwords: HashMap<&'static str, &'static str>,
    numbers: u32,
    chains: u32,
    /// A logical clock: the number of events so far.
    pub now: u32,
}

pub fn realm_of(path: &str) -> &'static str {
    if path.starts_with("/a/b/") || path == "/a/out-of-b" { B } else { A }
}

impl Browser {
    pub fn new(engine: Engine) -> Self {
        Self {
            engine,
            origin: "http://localhost:8080",
            second_origin: None,
            cookie: None,
            exchanges: Vec::new(),
            dialogs: Vec::new(),
            shown: HashMap::new(),
            prompts: 0,
            is_plain_http: false,
            keeps_cookies: true,
            cache: AuthCache::new(engine),
            passwords: HashMap::new(),
            numbers: 0,
            chains: 0,
            now: 0,
        }
    }

    /// The credentials of a realm that it holds for the first tab's origin.
    pub fn holds(&self, realm: &str) -> Option<&Held> {
        self.cache.get(self.origin, realm)
    }

    fn origin_of(&self, tab: usize) -> &'static str {
        self.second_origin.filter(|_| tab == 1).unwrap_or(self.origin)
    }

    /// The initiator of a request of a kind.
    fn initiator(&self, kind: Kind, path: &str) -> Initiator<Typed> {
        match kind {
            Kind::Page | Kind::Fetch => Initiator::Page,
            Kind::WebSocket => Initiator::WebSocket,
            Kind::LogoutPageScript => Initiator::Script(self.reserved(path)),
        }
    }

    fn wire(&mut self, kind: Kind, tab: usize, method: &'static str, path: &str) -> Wire {
        self.numbers += 1;
        let headers = match self.engine {
            Engine::W3m => vec![("user-agent", W3M.to_owned())],
            _ => self.headers(kind, tab),
        };
        Wire {
            number: self.numbers,
            method,
            path: path.to_owned(),
            origin: self.origin_of(tab),
            headers,
            credentials: None,
            cookie: None,
        }
    }

    /// The headers of a browser other than w3m.
    fn headers(&self, kind: Kind, tab: usize) -> Vec<(&'static str, String)> {
        let mut headers = vec![("user-agent", "Mozilla/5.0 (X11; Linux x86_64)".to_owned())];
        let accept = if kind == Kind::Page { "text/html,*/*;q=0.8" } else { "*/*" };
        headers.push(("accept", accept.to_owned()));
        headers.push(("accept-language", "en".to_owned()));
        match kind {
            Kind::Page => headers.push(("upgrade-insecure-requests", "1".to_owned())),
            Kind::WebSocket => {
                headers.push(("origin", self.origin_of(tab).to_owned()));
                headers.push(("sec-websocket-key", "dGhlIHNhbXBsZQ==".to_owned()));
            }
            Kind::Fetch | Kind::LogoutPageScript => {}
        }
        if !self.is_plain_http && kind != Kind::WebSocket {
            let mode = if kind == Kind::Page { "navigate" } else { "cors" };
            headers.push(("sec-fetch-site", "same-origin".to_owned()));
            headers.push(("sec-fetch-mode", mode.to_owned()));
        }
        if kind == Kind::LogoutPageScript {
            headers.push(("x-basic-logout", "1".to_owned()));
        }
        headers
    }

    /// Sends a request, with the credentials that the browser sends preemptively.
    pub fn send(&mut self, kind: Kind, tab: usize, method: &'static str, path: &str) {
        let exchange = self.exchange(kind, tab, method, path);
        self.transmit(exchange);
    }

    /// Submits a form of another site's page.
    pub fn send_cross_site_form(&mut self, tab: usize, path: &str, is_plain_http: bool) {
        let mut exchange = self.exchange(Kind::Page, tab, "POST", path);
        exchange.is_cross_site = true;
        let headers = &mut exchange.wire.headers;
        headers.retain(|(name, _)| !name.starts_with("sec-fetch-"));
        headers.push(("origin", "http://evil.example".to_owned()));
        if !is_plain_http {
            headers.push(("sec-fetch-site", "cross-site".to_owned()));
            headers.push(("sec-fetch-mode", "navigate".to_owned()));
        }
        self.transmit(exchange);
    }

    /// Creates a request. A page replaces the one in its tab, and its dialog.
    fn exchange(&mut self, kind: Kind, tab: usize, method: &'static str, path: &str) -> Exchange {
        if kind == Kind::Page {
            self.exchanges.retain(|it| it.tab != tab || it.kind != Kind::Page);
            self.dialogs.retain(|it| it.over.tab != tab || it.over.kind != Kind::Page);
        }
        let initiator = self.initiator(kind, path);
        let sent = self.cache.sends(self.origin_of(tab), path, &initiator);
        self.chains += 1;
        let wire = self.wire(kind, tab, method, path);
        Exchange {
            wire,
            kind,
            tab,
            sent,
            is_typed: false,
            is_cancelled: false,
            is_cross_site: false,
            takes_credentials_late: false,
            chain: self.chains,
            sent_at: self.now + 1,
            stage: Stage::Sent,
        }
    }

    /// Gives a request that was held back the credentials that the browser holds now.
    pub fn take_credentials(&mut self, index: usize) {
        let exchange = &self.exchanges[index];
        if exchange.takes_credentials_late && matches!(exchange.stage, Stage::Sent) {
            let Exchange { kind, wire, .. } = exchange;
            let initiator = self.initiator(*kind, &wire.path);
            let sent = self.cache.sends(wire.origin, &wire.path, &initiator);
            let exchange = &mut self.exchanges[index];
            exchange.wire.credentials = sent.as_ref().map(|it| it.credentials.by);
            (exchange.sent, exchange.takes_credentials_late) = (sent, false);
        }
    }

    fn reserved(&self, path: &str) -> Held {
        let realm = realm_of(path);
        let credentials = Typed { by: (RESERVED, self.passwords[realm]), at: self.now };
        Held { realm: realm.to_owned(), credentials }
    }

    fn transmit(&mut self, mut exchange: Exchange) {
        self.now += 1;
        exchange.wire.credentials = exchange.sent.as_ref().map(|it| it.credentials.by);
        exchange.wire.cookie = self.cookie.clone().filter(|_| !exchange.is_cross_site);
        exchange.stage = Stage::Sent;
        self.exchanges.push(exchange);
    }

    /// Repeats a request with other credentials.
    fn repeat(&mut self, exchange: Exchange, sent: Option<Held>) {
        self.numbers += 1;
        let wire = Wire { number: self.numbers, ..exchange.wire };
        self.transmit(Exchange { wire, sent, ..exchange });
    }

    /// Lets an answer reach the browser.
    pub fn deliver(&mut self, index: usize) -> Event {
        self.now += 1;
        let mut exchange = self.exchanges.remove(index);
        let Stage::Answered(answer) = std::mem::replace(&mut exchange.stage, Stage::Gone) else {
            panic!("the server has not answered yet");
        };
        if let Some(cookie) = answer.set_cookie.clone().filter(|_| self.keeps_cookies) {
            self.cookie = Some(cookie).filter(|it| !it.is_empty());
        }
        if let Some(realm) = answer.challenge.clone() {
            return self.challenged(exchange, answer, realm);
        }
        if answer.is_quiet {
            self.cache.refused(exchange.wire.origin, exchange.sent.as_ref());
        }
        if let (Kind::LogoutPageScript, 204, Some(sent)) =
            (exchange.kind, answer.status, &exchange.sent)
        {
            self.cache.insert(exchange.wire.origin, &exchange.wire.path, sent.clone());
        }
        if let Some(location) = answer.location.clone() {
            self.send(Kind::Page, exchange.tab, "GET", &location);
            return Event::Repeated;
        }
        let has_script = answer.body.contains("X-Basic-Logout") && self.engine != Engine::W3m;
        let password = if has_script { password_on(&answer.body) } else { "" };
        let (tab, path, method) = (exchange.tab, exchange.wire.path, exchange.wire.method);
        let event = if answer.status == 401 { Event::Refused } else { Event::Shown };
        if exchange.kind == Kind::Page {
            self.shown.insert(tab, answer);
        }
        if has_script {
            self.passwords.insert(realm_of(&path), password);
            self.send(Kind::LogoutPageScript, tab, method, &path);
        }
        event
    }

    fn challenged(&mut self, exchange: Exchange, answer: Answer, realm: String) -> Event {
        let initiator = if exchange.is_cancelled {
            Initiator::AfterCancel
        } else {
            self.initiator(exchange.kind, &exchange.wire.path)
        };
        let Wire { origin, path, .. } = &exchange.wire;
        let sent = exchange.sent.as_ref();
        let reaction = self.cache.challenged(origin, path, &realm, sent, &initiator);
        if let Reaction::Repeat(held) = reaction {
            // The user typed the credentials for the original request, not for this repetition.
            self.repeat(Exchange { is_typed: false, ..exchange }, Some(held));
            return Event::Repeated;
        }
        if exchange.kind == Kind::Page {
            self.shown.insert(exchange.tab, answer);
        }
        if reaction == Reaction::Show {
            return Event::Refused;
        }
        self.prompts += 1;
        self.dialogs.push(Dialog { realm, over: exchange });
        Event::Prompted
    }

    /// The user types credentials into a dialog. All other requests of its origin that wait for the
    /// realm's credentials get them, too.
    pub fn type_into(&mut self, index: usize, credentials: Credentials) {
        self.now += 1;
        let Dialog { realm, over } = self.dialogs.remove(index);
        let credentials = Typed { by: credentials, at: self.now };
        let held = Held { realm: realm.clone(), credentials };
        let origin = over.wire.origin;
        self.cache.insert(origin, &over.wire.path, held.clone());
        self.repeat(Exchange { is_typed: true, ..over }, Some(held.clone()));
        let waits = |it: &Dialog| it.realm == realm && it.over.wire.origin == origin;
        while let Some(other) = self.dialogs.iter().position(waits) {
            let Dialog { over, .. } = self.dialogs.remove(other);
            self.cache.insert(origin, &over.wire.path, held.clone());
            self.repeat(over, Some(held.clone()));
        }
    }

    /// The user cancels a dialog.
    pub fn cancel(&mut self, index: usize) {
        self.now += 1;
        let Dialog { over, .. } = self.dialogs.remove(index);
        if self.cache.repeats_after_cancel(over.kind == Kind::Page) {
            self.repeat(Exchange { is_cancelled: true, ..over }, None);
        }
    }

    /// Advances a request by a step: to the server, through it, or back to the browser.
    pub fn progress(&mut self, site: &Site, index: usize, is_held: bool) -> Option<Event> {
        let exchange = &mut self.exchanges[index];
        let mut running = match std::mem::replace(&mut exchange.stage, Stage::Gone) {
            Stage::Sent => site.start(&exchange.wire, is_held),
            Stage::Running(running) => {
                site.permit(exchange.wire.number);
                running
            }
            answered => {
                exchange.stage = answered;
                return Some(self.deliver(index));
            }
        };
        exchange.stage = match running.run() {
            Some(answer) => Stage::Answered(answer),
            None => Stage::Running(running),
        };
        None
    }

    /// Completes all requests in the order in which they were sent, without the user.
    pub fn settle(&mut self, site: &Site) {
        for _ in 0..1000 {
            if self.exchanges.is_empty() {
                return;
            }
            self.progress(site, 0, false);
        }
        panic!("requests do not come to an end");
    }

    /// Opens a page in the first tab, and returns the page that the tab shows, with or without a dialog.
    pub fn open(&mut self, site: &Site, path: &str) -> Answer {
        self.request(site, Kind::Page, "GET", path)
    }

    pub fn request(&mut self, site: &Site, kind: Kind, method: &'static str, path: &str) -> Answer {
        self.send(kind, 0, method, path);
        self.settle(site);
        self.shown.get(&0).cloned().unwrap_or_default()
    }

    /// Sends a background request from the first tab, and returns the status that its script gets.
    pub fn fetch(&mut self, site: &Site, path: &str) -> u16 {
        self.send(Kind::Fetch, 0, "GET", path);
        let index = self.exchanges.len() - 1;
        loop {
            self.progress(site, index, false);
            match self.exchanges.get(index).map(|it| &it.stage) {
                Some(Stage::Answered(answer)) if answer.challenge.is_none() => {
                    let status = answer.status;
                    self.deliver(index);
                    return status;
                }
                Some(_) => {}
                None => return 401,
            }
        }
    }

    /// The user types credentials into the only open dialog.
    pub fn type_credentials(&mut self, site: &Site, credentials: Credentials) -> Answer {
        assert_eq!(self.dialogs.len(), 1, "dialogs open");
        self.type_into(0, credentials);
        self.settle(site);
        self.shown[&0].clone()
    }

    pub fn cancel_dialog(&mut self, site: &Site) -> Answer {
        assert_eq!(self.dialogs.len(), 1, "dialogs open");
        self.cancel(0);
        self.settle(site);
        self.shown[&0].clone()
    }
}
