//! The site under test: two realms, one below the other's path. It records the requests that it
//! receives.
//!
//! A test can hold a request at two gates, in the authenticator and in the handler, and so decides in
//! which order events happen.

use std::{
    collections::HashMap,
    future::{Future, pending, poll_fn},
    panic::{AssertUnwindSafe, catch_unwind},
    pin::{Pin, pin},
    sync::{Arc, Mutex, MutexGuard},
    task::{Context, Poll, Waker},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use actix_basic_logout::{
    AnonymousTtl, BasicLogin, BasicLoginBuilder, LogoutResponse, LogoutScope, RedisRevocationStore,
    RequestKind, RevocationStore, User,
};
use actix_http::Request;
use actix_session::{
    Session, SessionExt, SessionMiddleware,
    config::{BrowserSession, CookieContentSecurity, TtlExtensionPolicy},
    storage::{CookieSessionStore, RedisSessionStore, SessionStore},
};
use actix_web::{
    App, Error, Handler, HttpRequest, HttpResponse,
    body::MessageBody,
    cookie::{Cookie, Key},
    dev::{Service, ServiceRequest},
    http::header,
    test, web,
};
use actix_web_httpauth::extractors::basic::BasicAuth;
use base64::{Engine, prelude::BASE64_STANDARD};

use super::store::{MemoryStore, Revocations, SessionState};

/// The realm of `/a/…`, except `/a/b/…`.
pub const A: &str = "Admin area";
/// The realm of `/a/b/…`.
pub const B: &str = "Back office";

pub const LANDING: &str = "/a/";

pub const LOGIN_DEADLINE: Duration = Duration::from_secs(100);
pub const VISIT_DEADLINE: Duration = Duration::from_secs(40);

/// Whether these credentials are valid in a realm.
pub fn is_good(realm: &str, (user, password): Credentials) -> bool {
    match realm {
        A => matches!((user, password), ("alice", "one") | ("bob", "two") | ("both", "same")),
        _ => matches!((user, password), ("carol", "three") | ("dave", "four") | ("both", "same")),
    }
}

pub type Credentials = (&'static str, &'static str);

/// A known bug, reintroduced: a hole of the usual recipe, or one that real browsers revealed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bug {
    /// A request in flight counts as an answer to the new challenge.
    SessionNotRenewed,
    /// A challenge counts as a prompt, although the browser may answer it without its user.
    ChallengeCountsAsPrompt,
    /// Non-browser clients need a session, too.
    NonBrowsersNeedASession,
    /// Logout challenges every request.
    LogoutAlwaysChallenges,
    /// A login outlives its timeout.
    TimeoutsIgnored,
    /// A request from another site counts as this site's own.
    CrossSiteNotRecognized,
    /// A login accepts all valid credentials on another port, not only its own.
    PortsNotDistinguished,
    /// A revoked login stays valid.
    RevocationsLost,
    /// The machines do not share their revocation lists.
    RevocationListPerMachine,
    /// A page of a sibling subdomain or of another port counts as a page of this origin.
    SameSiteCountsAsSameOrigin,
    /// A challenge can be answered at any time.
    ChallengeNeverExpires,
    /// The absolute timeout begins again with each request.
    LoginTimeNotKept,
    /// A login does not know the deadlines under which its copies were written.
    OldDeadlinesForgotten,
    /// The second of two session cookies is not noticed.
    SecondCookieIgnored,
    /// The revocation list keeps all entries equally long.
    AnonymousEntriesKeptLong,
    /// The revocation list forgets at once that a challenge led to a login.
    SuccessForgotten,
    /// Other credentials continue the login before them.
    OtherCredentialsKeepTheLogin,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Store {
    Cookie,
    Memory,
    /// A Redis server at this port, which also stores the revocations.
    Redis(u16),
}

#[expect(clippy::struct_excessive_bools, reason = "each is an independent fact")]
#[derive(Clone, Debug)]
pub struct Setup {
    pub store: Store,
    pub logout_response: LogoutResponse,
    pub logout_scope: LogoutScope,
    pub bug: Option<Bug>,
    /// Whether logins have timeouts: [`LOGIN_DEADLINE`] and [`VISIT_DEADLINE`].
    pub deadlines: bool,
    /// Whether the browser's second tab is on another port.
    pub two_ports: bool,
    /// Whether requests go to two machines in turn.
    pub two_machines: bool,
    /// Whether `AnonymousTtl` wraps the session store.
    pub anonymous_ttl: bool,
    /// Whether each request prolongs its session: `TtlExtensionPolicy::OnEveryRequest`.
    pub prolongs_sessions: bool,
}

impl Setup {
    pub fn new(store: Store) -> Self {
        Self {
            store,
            logout_response: LogoutResponse::default(),
            logout_scope: LogoutScope::default(),
            bug: None,
            deadlines: false,
            two_ports: false,
            two_machines: false,
            anonymous_ttl: false,
            prolongs_sessions: false,
        }
    }
}

/// A request as the browser sends it.
#[derive(Clone, Debug, Default)]
pub struct Wire {
    pub number: u32,
    pub method: &'static str,
    pub path: String,
    pub origin: &'static str,
    pub headers: Vec<(&'static str, String)>,
    pub credentials: Option<Credentials>,
    pub cookie: Option<String>,
}

impl Wire {
    /// A navigation with a cookie, without a simulated browser.
    pub fn page(path: &str, cookie: Option<String>) -> Self {
        Self {
            number: 9_000,
            method: "GET",
            path: path.to_owned(),
            origin: "http://localhost:8080",
            headers: vec![
                ("user-agent", "Mozilla/5.0".to_owned()),
                ("accept-language", "en".to_owned()),
                ("sec-fetch-site", "same-origin".to_owned()),
                ("sec-fetch-mode", "navigate".to_owned()),
            ],
            credentials: None,
            cookie,
        }
    }
}

/// A response as the browser receives it.
#[derive(Clone, Debug, Default)]
pub struct Answer {
    pub status: u16,
    /// The realm of a `Basic` challenge.
    pub challenge: Option<String>,
    /// Whether the challenge has a scheme that browsers do not know.
    pub is_quiet: bool,
    /// The new value of the session cookie, empty if the cookie is deleted.
    pub set_cookie: Option<String>,
    pub location: Option<String>,
    pub body: String,
    /// The logout handler answered and logged the user out.
    pub logged_out: bool,
}

/// Everything that the server received.
#[derive(Debug, Default)]
pub struct Seen {
    /// Requests that reached a protected handler: number, realm, user.
    pub served: Vec<(u32, String, String)>,
    /// The users that handlers extracted, for access to their logins.
    pub users: Vec<User>,
    /// Requests whose credentials an authenticator checked.
    pub checked: Vec<u32>,
    /// The number of gates that a request may still pass. Without an entry it may pass all.
    permits: HashMap<u32, u32>,
    pub now: Duration,
    /// The passwords that are no longer accepted.
    pub revoked: Vec<&'static str>,
    /// Credentials that realm A accepts, too.
    pub added: Vec<Credentials>,
    /// The authenticator's database is down.
    pub authenticator_is_down: bool,
}

type Call = dyn Fn(Request) -> Pin<Box<dyn Future<Output = Answer>>>;

pub struct Site {
    machines: Vec<Box<Call>>,
    /// Both realms, on the last machine.
    pub logins: (BasicLogin, BasicLogin),
    seen: Arc<Mutex<Seen>>,
    pub memory: MemoryStore,
    pub revocations: Revocations,
    bug: Option<Bug>,
}

/// The result of a future that is ready at once.
pub fn at_once<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => value,
        Poll::Pending => panic!("the future is not ready at once"),
    }
}

/// A request that the server is processing.
pub struct Running(Pin<Box<dyn Future<Output = Answer>>>);

impl Running {
    /// Runs the server until it has answered or the request is held.
    pub fn run(&mut self) -> Option<Answer> {
        match self.0.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(answer) => Some(answer),
            Poll::Pending => None,
        }
    }

    /// Runs the server to the end, also if it panics. Drops a request that hangs.
    pub fn finish(mut self) -> Option<Answer> {
        catch_unwind(AssertUnwindSafe(|| self.run())).ok().flatten()
    }
}

impl Future for Running {
    type Output = Answer;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Answer> {
        self.0.as_mut().poll(cx)
    }
}

impl Site {
    pub async fn new(setup: &Setup) -> Self {
        Self::with(setup, |builder| builder).await
    }

    /// Creates a site with more options on both realms' builders.
    pub async fn with(
        setup: &Setup,
        more: impl Fn(BasicLoginBuilder) -> BasicLoginBuilder,
    ) -> Self {
        let seen = Arc::new(Mutex::new(Seen { now: Duration::from_secs(1), ..Seen::default() }));
        let mut memory = MemoryStore::default();
        memory.never_renews = setup.bug == Some(Bug::SessionNotRenewed);
        let revocations = Revocations::default();
        Self::from_parts(setup, more, seen, memory, revocations).await
    }

    /// The same site after a restart, which may change its setup and its builders' options. Sessions,
    /// revocations and users stay.
    pub async fn restart(
        &self,
        setup: &Setup,
        more: impl Fn(BasicLoginBuilder) -> BasicLoginBuilder,
    ) -> Self {
        let (seen, memory) = (Arc::clone(&self.seen), self.memory.clone());
        Self::from_parts(setup, more, seen, memory, self.revocations.clone()).await
    }

    async fn from_parts(
        setup: &Setup,
        more: impl Fn(BasicLoginBuilder) -> BasicLoginBuilder,
        seen: Arc<Mutex<Seen>>,
        memory: MemoryStore,
        revocations: Revocations,
    ) -> Self {
        let login = |realm: &'static str, ended: &Arc<dyn RevocationStore>| {
            let (for_check, for_clock) = (Arc::clone(&seen), Arc::clone(&seen));
            let check = async move |req: &HttpRequest, credentials: &BasicAuth| {
                check(&for_check, realm, req, credentials).await
            };
            let mut builder = BasicLogin::builder(realm, check)
                .landing_path(LANDING)
                .logout_response(setup.logout_response.clone())
                .logout_scope(setup.logout_scope)
                .fingerprint_key([7; 32])
                .revocation_store(Arc::clone(ended))
                .clock(move || -> SystemTime { UNIX_EPOCH + for_clock.lock().unwrap().now });
            if setup.deadlines {
                builder = builder.login_deadline(LOGIN_DEADLINE).visit_deadline(VISIT_DEADLINE);
            }
            if setup.bug == Some(Bug::TimeoutsIgnored) {
                builder = builder.login_deadline(Duration::MAX).visit_deadline(Duration::MAX);
            }
            if setup.bug == Some(Bug::NonBrowsersNeedASession) {
                builder = builder.classify_with(|req| match RequestKind::of(req) {
                    RequestKind::NonBrowser => RequestKind::Navigation,
                    client => client,
                });
            }
            more(builder).build().unwrap()
        };
        let serve = async |logins| match setup.store {
            Store::Cookie => serve(CookieSessionStore::default(), &seen, logins, setup).await,
            Store::Memory => serve(memory.clone(), &seen, logins, setup).await,
            Store::Redis(port) => {
                let store = RedisSessionStore::new(redis(port)).await.unwrap();
                serve(store, &seen, logins, setup).await
            }
        };
        let on_machine = async |number| {
            let ended: Arc<dyn RevocationStore> = match setup.store {
                Store::Redis(port) => {
                    Arc::new(RedisRevocationStore::new(&redis(port)).await.unwrap())
                }
                _ if number > 0 && setup.bug == Some(Bug::RevocationListPerMachine) => {
                    Arc::new(Revocations::default())
                }
                Store::Cookie | Store::Memory => Arc::new(revocations.clone()),
            };
            (login(A, &ended), login(B, &ended))
        };
        let mut logins = on_machine(0).await;
        let mut machines = vec![serve(logins.clone()).await];
        if setup.two_machines {
            logins = on_machine(1).await;
            machines.push(serve(logins.clone()).await);
        }
        Self { machines, logins, seen, memory, revocations, bug: setup.bug }
    }

    pub fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap()
    }

    /// Starts to handle a request. A held request stops at each gate.
    pub fn start(&self, wire: &Wire, is_held: bool) -> Running {
        if is_held {
            self.seen().permits.insert(wire.number, 0);
        }
        let mut req = test::TestRequest::with_uri(&wire.path)
            .method(wire.method.parse().unwrap())
            .insert_header((header::HOST, wire.origin.strip_prefix("http://").unwrap()))
            .insert_header(("x-number", wire.number.to_string()));
        for (name, value) in &wire.headers {
            req = req.insert_header((*name, value.as_str()));
        }
        if let Some((user, password)) = wire.credentials {
            let token = BASE64_STANDARD.encode(format!("{user}:{password}"));
            req = req.insert_header((header::AUTHORIZATION, format!("Basic {token}")));
        }
        let hides_second =
            |it: &&String| self.bug == Some(Bug::SecondCookieIgnored) && it.contains(';');
        if let Some(cookie) = wire.cookie.as_ref().filter(hides_second) {
            let first = cookie.split(';').next().unwrap();
            req = req.insert_header((header::COOKIE, format!("id={first}")));
        } else if let Some(cookie) = &wire.cookie {
            req = req.insert_header((header::COOKIE, format!("id={cookie}")));
        }
        let machine = wire.number as usize % self.machines.len();
        Running(self.machines[machine](req.to_request()))
    }

    /// Lets a held request pass one gate.
    pub fn permit(&self, number: u32) {
        *self.seen().permits.entry(number).or_default() += 1;
    }

    /// The content of a cookie after its signature: the session or its key.
    pub fn content(cookie: &str) -> String {
        let cookie = Cookie::parse_encoded(format!("id={cookie}")).unwrap();
        cookie.value()[44..].to_owned()
    }

    fn session(&self, cookie: &str) -> Option<SessionState> {
        let content = Self::content(cookie);
        self.memory.get(&content).or_else(|| serde_json::from_str(&content).ok())
    }

    /// The whole content of a session.
    pub fn dump(&self, cookie: Option<&str>) -> String {
        format!("{:?}", cookie.and_then(|it| self.session(it))).replace('\\', "")
    }

    pub fn has_no_session(&self, cookie: &str) -> bool {
        self.session(cookie).is_none()
    }

    /// A realm's entry in the session of a cookie.
    pub fn peek(&self, cookie: Option<&str>, realm: &str) -> Option<serde_json::Value> {
        let state = self.session(cookie?)?;
        let entry = state.get(&format!("actix-basic-logout:{realm}"))?;
        Some(flat(serde_json::from_str(entry).unwrap()))
    }

    pub fn answer(&self, wire: &Wire) -> Answer {
        self.start(wire, false).run().expect("an answer without waiting")
    }
}

/// Waits while the request is held.
async fn gate(seen: &Mutex<Seen>, number: u32) {
    poll_fn(|cx| match seen.lock().unwrap().permits.get_mut(&number) {
        Some(0) => {
            cx.waker().wake_by_ref();
            Poll::Pending
        }
        Some(permits) => {
            *permits -= 1;
            Poll::Ready(())
        }
        None => Poll::Ready(()),
    })
    .await;
}

fn redis(port: u16) -> String {
    format!("redis://127.0.0.1:{port}")
}

fn number(req: &HttpRequest) -> u32 {
    req.headers().get("x-number").unwrap().to_str().unwrap().parse().unwrap()
}

async fn check(
    seen: &Mutex<Seen>,
    realm: &'static str,
    req: &HttpRequest,
    credentials: &BasicAuth,
) -> Result<bool, Error> {
    seen.lock().unwrap().checked.push(number(req));
    gate(seen, number(req)).await;
    if seen.lock().unwrap().authenticator_is_down {
        return Err(actix_web::error::ErrorServiceUnavailable("the database is down"));
    }
    let password = credentials.password().unwrap();
    let is_added = |it: &Credentials| *it == (credentials.user_id(), password);
    if realm == A && seen.lock().unwrap().added.iter().any(is_added) {
        return Ok(!seen.lock().unwrap().revoked.contains(&password));
    }
    let accounts =
        [("alice", "one"), ("bob", "two"), ("carol", "three"), ("dave", "four"), ("both", "same")];
    let found = accounts.into_iter().find(|it| *it == (credentials.user_id(), password));
    Ok(found.is_some_and(|it| is_good(realm, it) && !seen.lock().unwrap().revoked.contains(&it.1)))
}

/// The handler of all protected pages. A page `…/write` writes to the session at the end. After that,
/// `/a/fail/…` returns an error, `/a/panic/…` panics, and `/a/hang/…` never returns.
async fn page(
    seen: Arc<Mutex<Seen>>,
    req: HttpRequest,
    session: Session,
    user: User,
) -> Result<String, Error> {
    let served = (number(&req), user.realm().to_owned(), user.id().to_owned());
    seen.lock().unwrap().served.push(served);
    seen.lock().unwrap().users.push(user.clone());
    gate(&seen, number(&req)).await;
    if req.path().ends_with("/write") {
        session.insert("written", number(&req)).unwrap();
    }
    if req.path().ends_with("/renew") {
        session.renew();
    }
    match req.path().split('/').nth(2) {
        Some("fail") => return Err(actix_web::error::ErrorInternalServerError("it failed")),
        Some("panic") => panic!("the test asked for a panic"),
        Some("hang") => pending().await,
        _ => {}
    }
    Ok(format!("Signed in as {}", user.id()))
}

/// The logout handler. It marks the answers that log a user out.
async fn log_out(login: BasicLogin, bug: Option<Bug>, req: HttpRequest) -> HttpResponse {
    if bug == Some(Bug::LogoutAlwaysChallenges) {
        edit_entry(&req.get_session(), login.realm(), |entry| {
            *entry = serde_json::json!({
                "id": null, "origin": entry["origin"], "is": "logged_out", "cause": "logged_out",
                "directory": null, "fingerprint": null,
            });
        });
    }
    let is_page_script = req.headers().contains_key("x-basic-logout");
    let mut response = Handler::call(&login.logout(), req).await;
    let landing = response.headers().get(header::LOCATION).is_some_and(|it| it == LANDING);
    if !landing && response.status() != 403 && !is_page_script {
        response.headers_mut().insert(
            header::HeaderName::from_static("x-logged-out"),
            header::HeaderValue::from_static("1"),
        );
    }
    response
}

/// Changes a realm's entry in the session, to reintroduce a bug or break a session.
pub fn edit_entry(session: &Session, realm: &str, change: impl FnOnce(&mut serde_json::Value)) {
    let key = format!("actix-basic-logout:{realm}");
    if let Some(entry) = session.get::<serde_json::Value>(&key).unwrap() {
        let mut entry = flat(entry);
        let before = entry.clone();
        change(&mut entry);
        if entry != before {
            session.insert(key, nested(entry)).unwrap();
        }
    }
}

/// Flattens an entry: the name of its state becomes the field `is`, beside the state's own fields.
fn flat(mut entry: serde_json::Value) -> serde_json::Value {
    if !entry.is_object() {
        return entry;
    }
    if let serde_json::Value::Object(state) = entry["state"].take() {
        let (is, known) = state.into_iter().next().unwrap();
        entry["is"] = is.into();
        for (name, value) in known.as_object().unwrap() {
            entry[name] = value.clone();
        }
    }
    entry.as_object_mut().unwrap().remove("state");
    entry
}

/// The id by which a challenge and the login that it led to are known: that of the challenge.
pub fn id_of(entry: &serde_json::Value) -> Option<&str> {
    entry["ended_by"][0].as_str().or_else(|| entry["id"].as_str())
}

/// The inverse of `flat`: the entry as the session stores it.
pub fn nested(flat: serde_json::Value) -> serde_json::Value {
    let serde_json::Value::Object(mut known) = flat else { panic!("{flat} is not an entry") };
    let [id, origin, is] = ["id", "origin", "is"].map(|name| known.remove(name).unwrap());
    let challenged_at = known.remove("challenged_at");
    let had_login = known.remove("had_login").is_some_and(|it| it == true);
    let state = serde_json::json!({ is.as_str().unwrap(): known });
    serde_json::json!({
        "id": id, "origin": origin, "challenged_at": challenged_at, "had_login": had_login, "state": state,
    })
}

/// The id of the login in a session.
fn login_id(session: &Session) -> Option<serde_json::Value> {
    let mut id = None;
    edit_entry(session, A, |entry| {
        id = (entry["is"] == "logged_in").then(|| entry["id"].clone());
    });
    id
}

fn reintroduce(bug: Option<Bug>, now: Duration, req: &mut ServiceRequest) {
    let now = u64::try_from(now.as_millis()).unwrap();
    let edit_a = |change: &dyn Fn(&mut serde_json::Value)| {
        edit_entry(&req.get_session(), A, |entry| change(entry));
    };
    match bug {
        Some(Bug::ChallengeNeverExpires) => edit_a(&|entry| {
            if ["prompted", "rechallenged"].contains(&entry["is"].as_str().unwrap()) {
                entry["challenged_at"] = now.into();
            }
        }),
        Some(Bug::LoginTimeNotKept) => edit_a(&|entry| {
            if entry["is"] == "logged_in" {
                entry["logged_in_at"] = now.into();
            }
        }),
        Some(Bug::OldDeadlinesForgotten) => edit_a(&|entry| {
            if entry["is"] == "logged_in" {
                entry["ends_by"] = u64::MAX.into();
            }
        }),
        Some(Bug::SameSiteCountsAsSameOrigin)
            if req.headers().get("sec-fetch-site").is_some_and(|it| it == "same-site") =>
        {
            let same_origin = header::HeaderValue::from_static("same-origin");
            let name = header::HeaderName::from_static("sec-fetch-site");
            req.headers_mut().insert(name, same_origin);
        }
        _ => {}
    }
    if bug == Some(Bug::CrossSiteNotRecognized) {
        req.headers_mut().remove("origin");
        req.headers_mut().remove("sec-fetch-site");
    }
    if bug == Some(Bug::PortsNotDistinguished) && req.headers().contains_key("authorization") {
        let origin = format!("http://{}", req.connection_info().host());
        for realm in [A, B] {
            edit_entry(&req.get_session(), realm, |entry| {
                if entry["is"] == "logged_in" {
                    entry["origin"] = origin.as_str().into();
                }
            });
        }
    }
    if bug == Some(Bug::ChallengeCountsAsPrompt) && !req.headers().contains_key("authorization") {
        for realm in [A, B] {
            edit_entry(&req.get_session(), realm, |entry| {
                if entry["is"] == "logged_out" {
                    entry["is"] = "prompted".into();
                    entry["path"] = req.path().into();
                }
            });
        }
    }
}

async fn serve<S: SessionStore + 'static>(
    store: S,
    seen: &Arc<Mutex<Seen>>,
    logins: (BasicLogin, BasicLogin),
    setup: &Setup,
) -> Box<Call> {
    if setup.anonymous_ttl {
        return serve_with(AnonymousTtl::new(store), seen, logins, setup).await;
    }
    serve_with(store, seen, logins, setup).await
}

async fn serve_with<S: SessionStore + 'static>(
    store: S,
    seen: &Arc<Mutex<Seen>>,
    (a, b): (BasicLogin, BasicLogin),
    &Setup { bug, prolongs_sessions, .. }: &Setup,
) -> Box<Call> {
    let page = |seen: &Arc<Mutex<Seen>>| {
        let seen = Arc::clone(seen);
        web::to(move |req, session, user| page(Arc::clone(&seen), req, session, user))
    };
    let logout = |login: &BasicLogin| {
        let login = login.clone();
        web::to(move |req| log_out(login.clone(), bug, req))
    };
    let for_bugs = Arc::clone(seen);
    let mut lifecycle = BrowserSession::default();
    if prolongs_sessions {
        lifecycle = lifecycle.state_ttl_extension_policy(TtlExtensionPolicy::OnEveryRequest);
    }
    // The cookie is signed and not encrypted, so tests can read it.
    let session = SessionMiddleware::builder(store, Key::from(&[1; 64]))
        .cookie_content_security(CookieContentSecurity::Signed)
        .session_lifecycle(lifecycle)
        .build();
    let app = App::new()
        .service(
            web::scope("/a/b")
                .wrap(b.clone())
                .route("/logout", logout(&b))
                .default_service(page(seen)),
        )
        // Logouts of one realm below the path of the other.
        .route("/a/out-of-b", logout(&b))
        .service(
            web::scope("/a")
                .wrap(a.clone())
                .route("/logout", logout(&a))
                .default_service(page(seen)),
        )
        .route("/logout", logout(&a))
        .route("/deep/below/logout", logout(&a))
        .route("/free", web::to(async || "free"))
        .route(
            "/free/read",
            web::to(async |session: Session| {
                session
                    .get::<u32>("written")
                    .map(|it| it.map_or_else(String::new, |it| it.to_string()))
            }),
        )
        .route(
            "/free/write",
            web::to(async |session: Session| {
                session.insert("written", "free").unwrap();
                "written"
            }),
        )
        .wrap_fn(move |mut req, next| {
            reintroduce(bug, for_bugs.lock().unwrap().now, &mut req);
            let session = req.get_session();
            let id = (bug == Some(Bug::OtherCredentialsKeepTheLogin)).then(|| login_id(&session));
            let served = next.call(req);
            async move {
                let response = served.await?;
                if let Some(Some(id)) = id {
                    edit_entry(&session, A, |entry| {
                        if entry["is"] == "logged_in" {
                            entry["id"] = id;
                        }
                    });
                }
                Ok(response)
            }
        })
        .wrap(session);
    let app = std::rc::Rc::new(test::init_service(app).await);
    Box::new(move |req| {
        let app = std::rc::Rc::clone(&app);
        Box::pin(async move {
            match app.call(req).await {
                Ok(response) => read(response.into_parts().1),
                Err(error) => read(error.error_response()),
            }
        })
    })
}

fn read<B: MessageBody>(response: HttpResponse<B>) -> Answer {
    let headers = response.headers();
    let text = |name: header::HeaderName| {
        headers.get(name).map(|value| value.to_str().unwrap().to_owned())
    };
    let challenge = text(header::WWW_AUTHENTICATE);
    let realm = challenge.as_deref().and_then(|it| it.strip_prefix("Basic realm=\""));
    let set_cookie = text(header::SET_COOKIE).map(|it| {
        let cookie = Cookie::parse_encoded(it).unwrap();
        if cookie.max_age().is_some_and(actix_web::cookie::time::SignedDuration::is_zero) {
            return String::new();
        }
        cookie.encoded().stripped().to_string().split_once('=').unwrap().1.to_owned()
    });
    Answer {
        status: response.status().as_u16(),
        challenge: realm.map(|it| it.split('"').next().unwrap().to_owned()),
        is_quiet: challenge.is_some() && realm.is_none(),
        set_cookie,
        location: text(header::LOCATION),
        logged_out: headers.contains_key("x-logged-out"),
        body: body(response),
    }
}

fn body<B: MessageBody>(response: HttpResponse<B>) -> String {
    let mut body = Box::pin(actix_web::body::to_bytes(response.into_body()));
    match body.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(Ok(bytes)) => String::from_utf8(bytes.to_vec()).unwrap(),
        _ => panic!("the body is not ready at once"),
    }
}
