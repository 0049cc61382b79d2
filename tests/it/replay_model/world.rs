//! The server, its clients, and an independent record of the logins.

use std::{
    collections::HashMap,
    future::Future,
    pin::Pin,
    task::{Context, Poll, Waker},
    time::Duration,
};

use actix_basic_logout::BasicLoginBuilder;

use super::{ALICE, ALICE_NEW, BOB, Cookie, Kind, Step};
use crate::support::{
    site::{A, Answer, Bug, Credentials, Running, Setup, Site, Store, Wire, at_once},
    store::MINUTES,
};

pub const SIBLING_SERVED: &str = "a page of a sibling subdomain was served without credentials";
pub const PLANTED_SERVED: &str = "a session from before the login was served without credentials";
pub const ENDED_SERVED: &str = "an ended login was served";
pub const EXPIRED_SERVED: &str = "an expired login was served";
pub const OLD_CHALLENGE: &str = "an old challenge was answered";
pub const TIME_CHANGED: &str = "the time of a login changed";
pub const UNCERTAIN_LOGOUT: &str = "a logout with two session cookies looked like a success";
pub const SAME_ID: &str = "another login got the id of the old one";
pub const SOCKET_OPEN: &str = "a socket stayed open after the end of its login";
pub const ANONYMOUS_KEPT: &str = "logouts without a login were kept for long";

const CHALLENGE_LIFETIME: Duration = Duration::from_secs(15 * 60);
const SHORT: Duration = Duration::from_secs(10 * 60);
const LONG: Duration = Duration::from_secs(3 * 60 * 60);
/// The revocation list evicts entries beyond this number.
const CAPACITY: usize = 60;

type Checked = Result<(), String>;

/// Whether a login has ended. In some cases either is right.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ended {
    No,
    Maybe,
    Yes,
}

/// The model's record of a login.
#[derive(Clone, Debug)]
struct Login {
    credentials: Credentials,
    challenge: Option<String>,
    /// The login of other credentials before it, in the same session.
    replaces: Option<String>,
    began: Duration,
    last_visit: Duration,
    /// The latest end by the deadlines under which the login was written.
    ends_by: Duration,
    ended: Ended,
    /// Its user was revoked. The user may log in again with the same challenge.
    is_revoked: bool,
    /// A logout brought its challenge, or the login while that was new.
    was_logged_out: bool,
    /// The number of cookies that were set before the login began.
    cookies_before: usize,
}

/// A request, with the state of its session when it was sent.
#[derive(Clone)]
struct Request {
    client: usize,
    kind: Kind,
    cookie: Option<String>,
    credentials: Option<Credentials>,
    sent_at: Duration,
    /// The entry of the first cookie's session.
    before: serde_json::Value,
}

impl Request {
    fn id(&self) -> &str {
        self.before["id"].as_str().unwrap_or_default()
    }

    fn has_login(&self) -> bool {
        self.before["is"] == "logged_in"
    }
}

/// A login that waits for the authenticator.
struct Held {
    running: Running,
    request: Request,
    number: u32,
    /// A logout brought the same challenge or login meanwhile.
    was_logged_out: bool,
    logged_out_at: Duration,
    was_revoked: bool,
}

struct Socket {
    login: String,
    ended: Pin<Box<dyn Future<Output = ()>>>,
    is_open: bool,
}

pub struct World {
    setup: Setup,
    site: Site,
    key: u8,
    visit_deadline: Duration,
    clients: [Option<String>; 3],
    /// All cookies that the server has set, and when.
    cookies: Vec<(String, Duration)>,
    /// The credentials of each fingerprint in a session, and the key that made it.
    fingerprints: HashMap<String, (Credentials, u8)>,
    /// By the id in the session.
    logins: HashMap<String, Login>,
    held: Option<Held>,
    sockets: Vec<Socket>,
    numbers: u32,
    /// The number of entries that logins and revocations may have left.
    entries_of_users: usize,
    /// A flood has evicted entries about challenges.
    is_flooded: bool,
    pub served: usize,
    pub ended: usize,
}

fn options(key: u8, visit: Duration) -> impl Fn(BasicLoginBuilder) -> BasicLoginBuilder {
    move |it| {
        it.allow_session_only(|req| req.path() == "/a/socket")
            .fingerprint_key([key; 32])
            .visit_deadline(visit)
            .login_deadline(LONG)
            .reverify_after(Duration::from_secs(5 * 60))
    }
}

impl World {
    pub async fn new(setup: Setup) -> Self {
        let site = Site::with(&setup, options(0, LONG)).await;
        match setup.bug {
            Some(Bug::RevocationsLost) => site.revocations.keep_all_for(Duration::ZERO),
            Some(Bug::AnonymousEntriesKeptLong) => site.revocations.keep_all_for(10 * LONG),
            Some(Bug::SuccessForgotten) => site.revocations.drop_short(),
            _ => {}
        }
        site.seen().added.push(ALICE_NEW);
        site.seen().revoked.push(ALICE_NEW.1);
        Self {
            setup,
            site,
            key: 0,
            visit_deadline: LONG,
            clients: [None, None, None],
            cookies: Vec::new(),
            fingerprints: HashMap::new(),
            logins: HashMap::new(),
            held: None,
            sockets: Vec::new(),
            numbers: 0,
            entries_of_users: 0,
            is_flooded: false,
            served: 0,
            ended: 0,
        }
    }

    fn now(&self) -> Duration {
        self.site.seen().now
    }

    pub async fn step(&mut self, step: &Step) -> Checked {
        match step {
            Step::Send { client, kind, cookie, credentials } => {
                let cookie = self.pick(cookie);
                self.send(*client, *kind, cookie, *credentials)?;
            }
            Step::LogIn { client, credentials } => {
                for given in [None, Some(*credentials)] {
                    let cookie = self.clients[*client].clone();
                    self.send(*client, Kind::Page, cookie, given)?;
                }
            }
            Step::Plant { client, cookie } if !self.cookies.is_empty() => {
                self.clients[*client] = Some(cookie.get(&self.cookies).0.clone());
            }
            Step::Hold { client, credentials } if self.held.is_none() => {
                self.hold(*client, *credentials)?;
            }
            Step::Release => self.release()?,
            Step::OpenSocket => self.open_socket(),
            Step::ChangePassword => {
                let revoked = &mut self.site.seen().revoked;
                revoked.retain(|it| *it != ALICE_NEW.1);
                revoked.push(ALICE.1);
            }
            Step::RevokeAlice => {
                if self.setup.bug != Some(Bug::RevocationsLost) {
                    at_once(self.site.logins.0.revoke_user("alice")).unwrap();
                }
                self.entries_of_users += 1;
                self.end(|it| it.credentials.0 == "alice", Ended::Yes);
                for login in self.logins.values_mut() {
                    login.is_revoked |= login.credentials.0 == "alice";
                }
                if let Some(held) = &mut self.held
                    && held.request.credentials.is_some_and(|it| it.0 == "alice")
                {
                    held.was_revoked = true;
                }
            }
            Step::Wait(seconds) => {
                let time = Duration::from_secs(*seconds);
                self.site.seen().now += time;
                self.site.revocations.advance(time);
                let now = self.now();
                if self.held.as_ref().is_some_and(|it| now >= it.logged_out_at + MINUTES) {
                    self.forget_logout_of_held();
                }
            }
            Step::Restart { key, short } if self.held.is_none() => {
                self.key = *key;
                self.visit_deadline = if *short { SHORT } else { LONG };
                self.sockets.clear();
                let options = options(self.key, self.visit_deadline);
                self.site = self.site.restart(&self.setup, options).await;
            }
            Step::Flood => {
                for number in 0..CAPACITY {
                    let forged = Some(format!("flood{number}"));
                    self.send(2, Kind::LogoutByFetch, forged, None)?;
                }
                self.site.revocations.evict(CAPACITY);
                self.is_flooded = true;
                self.forget_logout_of_held();
            }
            _ => {}
        }
        self.check_sockets()?;
        let long = self.site.revocations.stored().iter().filter(|it| **it > MINUTES).count();
        if long > self.entries_of_users {
            return Err(ANONYMOUS_KEPT.to_owned());
        }
        Ok(())
    }

    /// The list no longer knows that a logout brought the challenge of the login that waits.
    fn forget_logout_of_held(&mut self) {
        if let Some(held) = &mut self.held {
            held.was_logged_out &= held.request.has_login();
        }
    }

    fn pick(&self, cookie: &Cookie) -> Option<String> {
        let old = |index: &proptest::sample::Index| {
            (!self.cookies.is_empty()).then(|| index.get(&self.cookies).0.clone())
        };
        match cookie {
            Cookie::None => None,
            Cookie::Of(client) => self.clients[*client].clone(),
            Cookie::Old(index) => old(index),
            Cookie::Forged => Some("forged".to_owned()),
            Cookie::Two(one, two) => match (old(one), old(two)) {
                (Some(one), Some(two)) if one != two => Some(format!("{one}; id={two}")),
                (one, _) => one,
            },
        }
    }

    fn wire(&mut self, request: &Request) -> Wire {
        self.numbers += 1;
        let kind = request.kind;
        let path = match kind {
            Kind::Page | Kind::Fetch => "/a/",
            Kind::Socket | Kind::SiblingSocket => "/a/socket",
            Kind::Logout | Kind::LogoutByFetch => "/logout",
        };
        let page = Wire::page(path, request.cookie.clone());
        let mut wire = Wire { number: self.numbers, credentials: request.credentials, ..page };
        if !matches!(kind, Kind::Page | Kind::Logout) {
            wire.headers.retain(|it| it.0 != "sec-fetch-mode");
            wire.headers.push(("sec-fetch-mode", "cors".to_owned()));
        }
        if kind == Kind::SiblingSocket {
            wire.headers.retain(|it| it.0 != "sec-fetch-site");
            wire.headers.push(("sec-fetch-site", "same-site".to_owned()));
        }
        wire
    }

    /// The entry of the first cookie's session.
    fn entry(&self, cookie: Option<&str>) -> serde_json::Value {
        let first = cookie.map(|it| it.split(';').next().unwrap());
        let readable = first.filter(|it| it.len() > 44);
        readable.and_then(|it| self.site.peek(Some(it), A)).unwrap_or_default()
    }

    /// When the server first set the first cookie of a request: its position and time.
    fn set_at(&self, cookie: Option<&str>) -> Option<(usize, Duration)> {
        let first = cookie?.split(';').next()?;
        let position = self.cookies.iter().position(|it| it.0 == first)?;
        Some((position, self.cookies[position].1))
    }

    fn request(
        &self,
        client: usize,
        kind: Kind,
        cookie: Option<String>,
        credentials: Option<Credentials>,
    ) -> Request {
        let before = self.entry(cookie.as_deref());
        Request { client, kind, cookie, credentials, sent_at: self.now(), before }
    }

    fn send(
        &mut self,
        client: usize,
        kind: Kind,
        cookie: Option<String>,
        credentials: Option<Credentials>,
    ) -> Checked {
        // Two requests share one verification of the same credentials.
        if self.held.as_ref().is_some_and(|it| it.request.credentials == credentials) {
            self.release()?;
        }
        let request = self.request(client, kind, cookie, credentials);
        let wire = self.wire(&request);
        let answer = self.site.answer(&wire);
        self.check(&request, &answer)
    }

    fn hold(&mut self, client: usize, credentials: Credentials) -> Checked {
        let cookie = self.clients[client].clone();
        let request = self.request(client, Kind::Page, cookie, Some(credentials));
        let wire = self.wire(&request);
        let number = wire.number;
        let mut running = self.site.start(&wire, true);
        let mut answer = running.run();
        if answer.is_none() && !self.site.seen().checked.contains(&number) {
            // It has passed without the authenticator, and waits in its handler.
            self.site.permit(number);
            answer = running.run();
        }
        if let Some(answer) = answer {
            return self.check(&request, &answer);
        }
        let (was_logged_out, was_revoked) = (false, false);
        let logged_out_at = self.now();
        let held = Held { running, request, number, was_logged_out, logged_out_at, was_revoked };
        self.held = Some(held);
        Ok(())
    }

    fn release(&mut self) -> Checked {
        let Some(held) = self.held.take() else { return Ok(()) };
        let Held { mut running, request, number, was_logged_out, was_revoked, .. } = held;
        self.site.permit(number);
        self.site.permit(number);
        let answer = running.run().expect("an answer");
        if answer.status == 200 && was_logged_out {
            return Err(ENDED_SERVED.to_owned());
        }
        if was_revoked
            && let Some(set) = answer.set_cookie.clone().filter(|_| answer.status == 200)
            && let Some(credentials) = request.credentials
        {
            // Its handler runs, but the login has ended when it begins.
            let entry = self.entry(Some(&set));
            let id = entry["id"].as_str().unwrap_or_default();
            if !self.logins.contains_key(id) {
                self.record_login(&entry, credentials, &request)?;
                if request.has_login() {
                    // Other credentials have ended it.
                    self.end_login(request.id(), Ended::Yes);
                }
            }
            self.end_login(id, Ended::Yes);
            self.logins.get_mut(id).unwrap().is_revoked = true;
            self.store_cookie(request.client, set);
            return Ok(());
        }
        self.check(&request, &answer)
    }

    /// Compares an answer with the record of the logins, and updates it.
    fn check(&mut self, request: &Request, answer: &Answer) -> Checked {
        match request.kind {
            Kind::Logout | Kind::LogoutByFetch => self.check_logout(request, answer)?,
            _ if answer.status == 200 => {
                self.served += 1;
                match request.credentials {
                    None => self.check_session_only(request)?,
                    Some(it) => self.check_served(request, it, answer)?,
                }
            }
            // The login may end: its password was changed, or this copy of the session has expired.
            _ if request.has_login() => {
                let (id, credentials) = (request.id(), request.credentials);
                let login = self.logins.get(id);
                let is_own = login.map(|it| it.credentials) == credentials;
                // A copy from before the revocation of its user ends the others.
                let is_revoked = login.is_some_and(|it| it.is_revoked);
                if (is_own && credentials.is_some())
                    || is_revoked
                    || self.is_expired_copy(&request.before)
                {
                    self.end_login(id, Ended::Maybe);
                    let challenge = self.logins.get(id).and_then(|it| it.challenge.clone());
                    self.end(|it| challenge.is_some() && it.challenge == challenge, Ended::Maybe);
                }
            }
            _ => {}
        }
        if let Some(set) = answer.set_cookie.clone().filter(|it| !it.is_empty()) {
            self.store_cookie(request.client, set);
        }
        Ok(())
    }

    fn store_cookie(&mut self, client: usize, cookie: String) {
        self.clients[client] = Some(cookie.clone());
        self.cookies.push((cookie, self.now()));
    }

    /// Records the login of a session entry.
    fn record_login(
        &mut self,
        entry: &serde_json::Value,
        credentials: Credentials,
        before: &Request,
    ) -> Checked {
        let now = before.sent_at;
        let id_before = before.before["id"].as_str().map(str::to_owned);
        let (challenge, replaces) =
            if before.has_login() { (None, id_before) } else { (id_before, None) };
        let login = Login {
            credentials,
            challenge,
            replaces,
            began: now,
            last_visit: now,
            ends_by: now + self.visit_deadline.min(LONG) + Duration::from_secs(60),
            ended: Ended::No,
            is_revoked: false,
            was_logged_out: false,
            cookies_before: self.cookies.len(),
        };
        let id = entry["id"].as_str().unwrap_or_default().to_owned();
        // It can leave long records of its id, of its challenge, and of a login that replaces it.
        self.entries_of_users += 3;
        // Requests with the same answer to a challenge begin one login, each with a copy of its session.
        let Some(same) = self.logins.get_mut(&id) else {
            self.logins.insert(id, login);
            return Ok(());
        };
        let before = |it: &Login| (it.credentials, it.challenge.clone(), it.replaces.clone());
        if before(same) != before(&login) {
            return Err("two logins have the same id".to_owned());
        }
        if same.ended == Ended::Yes && !same.is_revoked {
            return Err(ENDED_SERVED.to_owned());
        }
        (same.began, same.last_visit, same.ended) = (now, now, Ended::No);
        same.ends_by = same.ends_by.max(login.ends_by);
        // A socket from before a revocation has closed.
        self.sockets.retain(|it| it.login != id || it.is_open);
        Ok(())
    }

    fn check_session_only(&self, request: &Request) -> Checked {
        let position = self.set_at(request.cookie.as_deref()).map(|it| it.0);
        let login = self.logins.get(request.id()).filter(|_| request.has_login());
        let Some(login) = login else {
            return Err("a request without credentials and login was served".to_owned());
        };
        if request.kind != Kind::Socket {
            return Err(SIBLING_SERVED.to_owned());
        }
        if login.ended == Ended::Yes {
            return Err(ENDED_SERVED.to_owned());
        }
        if self.has_expired(login, self.now()) {
            return Err(EXPIRED_SERVED.to_owned());
        }
        if position.is_none_or(|it| it < login.cookies_before) {
            return Err(PLANTED_SERVED.to_owned());
        }
        Ok(())
    }

    fn check_served(
        &mut self,
        request: &Request,
        credentials: Credentials,
        answer: &Answer,
    ) -> Checked {
        let (now, cookie) = (request.sent_at, request.cookie.as_deref());
        let (id, before) = (request.id(), &request.before);
        let after = self.entry(answer.set_cookie.as_deref().or(cookie));
        let new_id = after["id"].as_str().unwrap_or_default().to_owned();
        let old = self.logins.get(id).filter(|_| request.has_login()).cloned();
        // A server with another key cannot compare credentials, and continues a login of the same user.
        let known = self.fingerprints.get(&before["fingerprint"].to_string());
        let is_own = known.is_some_and(|(it, key)| {
            *it == credentials || (*key != self.key && it.0 == credentials.0)
        });
        let is_valid = self.is_valid(credentials) || known.is_some_and(|it| it.0 == credentials);
        let fingerprint = after["fingerprint"].to_string();
        self.fingerprints.insert(fingerprint, (credentials, self.key));
        // Credentials of another user that wait for the authenticator are not revoked with the login.
        let is_ended = |it: &Login| it.ended == Ended::Yes && (is_own || !it.is_revoked);
        if old.as_ref().is_some_and(is_ended) {
            return Err(ENDED_SERVED.to_owned());
        }
        if let Some(old) = old.as_ref().filter(|_| is_own) {
            if self.has_expired(old, now) {
                return Err(EXPIRED_SERVED.to_owned());
            }
            if new_id != id || after["logged_in_at"] != before["logged_in_at"] {
                return Err(TIME_CHANGED.to_owned());
            }
            let ends_by = now + self.visit_deadline.min(LONG) + Duration::from_secs(60);
            let login = self.logins.get_mut(id).unwrap();
            login.last_visit = now;
            if answer.set_cookie.is_some() {
                login.ends_by = login.ends_by.max(ends_by);
            }
            return Ok(());
        }
        if !is_valid {
            return Err("wrong credentials were served".to_owned());
        }
        if old.is_some() {
            // Other credentials have ended it.
            self.end_login(id, Ended::Yes);
            if new_id == id {
                return Err(SAME_ID.to_owned());
            }
        } else {
            let challenged_at = before["challenged_at"].as_u64().unwrap_or_default();
            if now >= Duration::from_millis(challenged_at) + CHALLENGE_LIFETIME {
                return Err(OLD_CHALLENGE.to_owned());
            }
            if self.set_at(cookie).is_none_or(|(_, it)| now >= it + CHALLENGE_LIFETIME) {
                return Err(OLD_CHALLENGE.to_owned());
            }
        }
        // A logout has ended the challenge with each login that it led to.
        let challenge = Some(id.to_owned()).filter(|_| old.is_none());
        let is_ended = |it: &Login| it.challenge == challenge && it.was_logged_out;
        if challenge.is_some() && self.logins.values().any(is_ended) {
            return Err(ENDED_SERVED.to_owned());
        }
        self.record_login(&after, credentials, request)
    }

    fn check_logout(&mut self, request: &Request, answer: &Answer) -> Checked {
        let (id, before) = (request.id(), &request.before);
        let cookie = request.cookie.as_deref();
        if cookie.is_some_and(|it| it.contains(';')) && answer.logged_out {
            return Err(UNCERTAIN_LOGOUT.to_owned());
        }
        let now = self.now();
        let challenged_at = Duration::from_millis(before["challenged_at"].as_u64().unwrap_or(0));
        let is_login = request.has_login();
        // A logout from a login also ends requests in flight with its challenge, while these are new.
        let (challenge, since) = match self.logins.get(id).filter(|_| is_login) {
            Some(login) => (login.challenge.clone(), login.began),
            None => (Some(id.to_owned()).filter(|it| !it.is_empty()), challenged_at),
        };
        // A login that has ended already does not end its challenge.
        let is_active = |it: &Login| it.ended == Ended::No && !self.has_expired(it, now);
        let is_sure = !is_login || self.logins.get(id).is_some_and(is_active);
        let is_recent = now < since + CHALLENGE_LIFETIME && is_sure;
        if let Some(held) = &mut self.held {
            let held_id = held.request.before["id"].as_str();
            let is_its_challenge = is_recent && held_id == challenge.as_deref();
            if held_id.is_some() && (is_its_challenge || (is_login && held_id == Some(id))) {
                (held.was_logged_out, held.logged_out_at) = (true, now);
            }
        }
        if is_login {
            self.end_login(id, Ended::Yes);
            // Another user's login may not have reached the browser when the user logged out.
            self.end(|it| it.replaces.as_deref() == Some(id), Ended::Maybe);
        }
        if challenge.is_some() {
            let is_sure = is_recent && (is_login || !self.is_flooded);
            let ended = if is_sure { Ended::Yes } else { Ended::Maybe };
            self.end(|it| it.challenge == challenge, ended);
            for login in self.logins.values_mut().filter(|it| it.challenge == challenge) {
                login.was_logged_out |= is_sure;
            }
        }
        if self.setup.store == Store::Memory && before.is_null() && cookie.is_some() {
            // The model does not know which session has replaced this one.
            self.entries_of_users += 2;
            self.end(|_| true, Ended::Maybe);
        }
        Ok(())
    }

    fn end_login(&mut self, id: &str, ended: Ended) {
        if let Some(login) = self.logins.get_mut(id)
            && login.ended != Ended::Yes
        {
            login.ended = ended;
            self.ended += 1;
        }
    }

    fn end(&mut self, which: impl Fn(&Login) -> bool, ended: Ended) {
        let ids: Vec<_> =
            self.logins.iter().filter(|(_, it)| which(it)).map(|it| it.0.clone()).collect();
        for id in ids {
            self.end_login(&id, ended);
        }
    }

    fn is_valid(&self, credentials: Credentials) -> bool {
        [ALICE, ALICE_NEW, BOB].contains(&credentials)
            && !self.site.seen().revoked.contains(&credentials.1)
    }

    fn has_expired(&self, login: &Login, now: Duration) -> bool {
        now >= login.began + LONG
            || now >= login.last_visit + self.visit_deadline
            || now >= login.ends_by
    }

    fn is_expired_copy(&self, entry: &serde_json::Value) -> bool {
        let time = |name: &str| Duration::from_millis(entry[name].as_u64().unwrap_or(0));
        let now = self.now();
        now >= time("logged_in_at") + LONG
            || now >= time("visited_at") + self.visit_deadline
            || now >= time("ends_by")
    }

    fn open_socket(&mut self) {
        let Some(user) = self.site.seen().users.last().cloned() else { return };
        let Some(id) = user.login_id() else { return };
        let ended = Box::pin(async move { user.ended().await });
        let login = id.to_string();
        // A connection of an expired login closes at once.
        let is_expired = |it| self.has_expired(it, self.now());
        if !self.logins.get(&login).is_none_or(is_expired) {
            self.sockets.push(Socket { login, ended, is_open: true });
        }
    }

    fn check_sockets(&mut self) -> Checked {
        let mut context = Context::from_waker(Waker::noop());
        for socket in &mut self.sockets {
            if socket.is_open {
                socket.is_open = socket.ended.as_mut().poll(&mut context) == Poll::Pending;
            }
            let login = &self.logins[&socket.login];
            match login.ended {
                Ended::Yes if socket.is_open => {
                    return Err(SOCKET_OPEN.to_owned());
                }
                Ended::No if !socket.is_open && self.site.seen().now < login.began + LONG => {
                    return Err("a socket closed although its login continues".to_owned());
                }
                _ => {}
            }
        }
        Ok(())
    }
}
