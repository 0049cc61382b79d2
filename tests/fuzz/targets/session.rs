//! Fuzzes the entries that the crate reads from a session. They may come from an attacker who has
//! the session key, from an older version of the crate, or from a bug.
//!
//! The lines of the input are, in this order: the realm's entry, another realm's entry, the
//! predecessor of the session, and the mark of a lost session. `FINGERPRINT` stands for the
//! fingerprint of alice's credentials, because only the realm's key can compute it.

#![no_main]

use std::{
    cell::RefCell,
    collections::HashMap,
    rc::Rc,
    sync::{Arc, LazyLock, Mutex, PoisonError},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use actix_basic_logout::{
    BasicLogin, RevocationError, RevocationKey, RevocationStore, User, fuzzing::Entry,
};
use actix_http::Request;
use actix_session::{
    Session, SessionMiddleware,
    config::CookieContentSecurity,
    storage::{LoadError, SaveError, SessionKey, SessionStore, UpdateError},
};
use actix_web::{
    App, Error, HttpRequest,
    cookie::{Cookie, CookieJar, Key, time},
    dev::Service,
    http::{StatusCode, header},
    rt, test, web,
};
use actix_web_httpauth::extractors::basic::BasicAuth;
use base64::{Engine, prelude::BASE64_STANDARD};
use futures_core::future::{BoxFuture, LocalBoxFuture};
use libfuzzer_sys::fuzz_target;
use serde_json::Value;

/// Two realms, and two names that no realm can have: those of the predecessor and of the mark of a
/// lost session.
const REALMS: [&str; 4] = ["Admin area", "Back office", "\n", ""];
const NOON: Duration = Duration::from_secs(12 * 60 * 60);
const REVERIFY_AFTER: u64 = 5 * 60 * 1000;

fuzz_target!(|data: &[u8]| {
    let Ok(text) = str::from_utf8(data) else { return };
    SITE.with(|site| site.check(text));
});

thread_local! {
    static SITE: Site = Site::new();
}

type State = HashMap<String, String>;

/// A store with a single session. It records the last write but does not apply it.
#[derive(Clone, Default)]
struct SingleSession(Rc<RefCell<StoredSession>>);

#[derive(Default)]
struct StoredSession {
    state: State,
    written: Option<State>,
}

impl SingleSession {
    fn write(&self, state: State) -> SessionKey {
        self.0.borrow_mut().written = Some(state);
        String::from("one").try_into().expect("a key")
    }
}

impl SessionStore for SingleSession {
    async fn load(&self, _: &SessionKey) -> Result<Option<State>, LoadError> {
        Ok(Some(self.0.borrow().state.clone()))
    }

    async fn save(&self, state: State, _: &time::Duration) -> Result<SessionKey, SaveError> {
        Ok(self.write(state))
    }

    async fn update(
        &self,
        _: SessionKey,
        state: State,
        _: &time::Duration,
    ) -> Result<SessionKey, UpdateError> {
        Ok(self.write(state))
    }

    async fn update_ttl(&self, _: &SessionKey, _: &time::Duration) -> Result<(), anyhow::Error> {
        Ok(())
    }

    async fn delete(&self, _: &SessionKey) -> Result<(), anyhow::Error> {
        self.write(State::new());
        Ok(())
    }
}

/// A revocation store that returns the same value for every key and ignores writes, so that inputs
/// do not influence each other.
#[derive(Clone, Default)]
struct FixedRevocations(Arc<Mutex<Option<u64>>>);

impl FixedRevocations {
    fn set(&self, value: Option<u64>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = value;
    }
}

impl RevocationStore for FixedRevocations {
    fn set<'a>(
        &'a self,
        _: &'a [(RevocationKey, u64)],
        _: Duration,
    ) -> BoxFuture<'a, Result<(), RevocationError>> {
        Box::pin(async { Ok(()) })
    }

    fn get<'a>(
        &'a self,
        keys: &'a [RevocationKey],
    ) -> BoxFuture<'a, Result<Vec<Option<u64>>, RevocationError>> {
        let value = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Box::pin(async move { Ok(vec![value; keys.len()]) })
    }
}

type Call = Box<dyn Fn(Request) -> LocalBoxFuture<'static, StatusCode>>;

struct Site {
    system: rt::SystemRunner,
    session: SingleSession,
    revocations: FixedRevocations,
    /// Whether the authenticator accepts all credentials or rejects all.
    accepts: Arc<Mutex<bool>>,
    cookie: String,
    alice: String,
    fingerprint: String,
    call: Call,
}

impl Site {
    /// Logs alice in, and asserts that the resulting session gives access although the
    /// authenticator rejects all credentials from then on.
    fn new() -> Self {
        let system = rt::System::new();
        let (session, revocations, accepts) =
            (SingleSession::default(), FixedRevocations::default(), Arc::new(Mutex::new(true)));
        let call = system.block_on(serve(&session, &revocations, &accepts));
        let alice = format!("Basic {}", BASE64_STANDARD.encode("alice:wonderland"));
        let mut site = Self {
            system,
            session,
            revocations,
            accepts,
            cookie: String::new(),
            alice,
            fingerprint: String::new(),
            call,
        };
        let (status, challenged) = site.request("GET", "/a/", PAGE, None);
        assert_eq!(status, StatusCode::UNAUTHORIZED);
        // From now on the browser sends a session cookie.
        site.cookie = cookie_of_single_session();
        site.set_session(challenged.expect("the challenge wrote the session"));
        let (status, logged_in) = site.request("GET", "/a/", PAGE, Some(&site.alice));
        assert_eq!(status, StatusCode::OK);
        let logged_in = logged_in.expect("the login wrote the session");
        let entry: Value = serde_json::from_str(&logged_in[&name_of(REALMS[0])]).expect("JSON");
        let fingerprint = entry["state"]["logged_in"]["fingerprint"]
            .as_str()
            .expect("the login has a fingerprint");
        site.fingerprint = fingerprint.to_owned();
        *site.accepts.lock().unwrap_or_else(PoisonError::into_inner) = false;
        assert!(
            site.gives_access(&logged_in[&name_of(REALMS[0])]),
            "the login's own entry gives access"
        );
        site.set_session(logged_in);
        assert_eq!(site.request("GET", "/a/", PAGE, Some(&site.alice)).0, StatusCode::OK);
        site
    }

    fn set_session(&self, state: State) {
        *self.session.0.borrow_mut() = StoredSession { state, written: None };
    }

    /// Sends a request. Returns the status of the response and the session that it wrote, if any.
    fn request(
        &self,
        method: &str,
        path: &str,
        headers: &[(&'static str, &'static str)],
        authorization: Option<&str>,
    ) -> (StatusCode, Option<State>) {
        let mut req = test::TestRequest::with_uri(path)
            .method(method.parse().expect("a method"))
            .insert_header((header::HOST, "localhost:8080"))
            .insert_header((header::COOKIE, self.cookie.as_str()));
        for header in headers {
            req = req.insert_header(*header);
        }
        if let Some(authorization) = authorization {
            req = req.insert_header((header::AUTHORIZATION, authorization));
        }
        self.session.0.borrow_mut().written = None;
        let status = self.system.block_on((self.call)(req.to_request()));
        (status, self.session.0.borrow_mut().written.take())
    }

    /// Whether this entry gives alice access without another verification: it is a login with her
    /// fingerprint, and her password was verified in the last five minutes.
    fn gives_access(&self, entry: &str) -> bool {
        let Ok(entry) = serde_json::from_str::<Value>(entry) else { return false };
        let login = &entry["state"]["logged_in"];
        let noon = u64::try_from(NOON.as_millis()).expect("a time");
        let age = login["verified_at"].as_u64().and_then(|it| noon.checked_sub(it));
        login["fingerprint"] == self.fingerprint.as_str()
            && age.is_some_and(|age| age < REVERIFY_AFTER)
    }

    fn is_login(entry: &str) -> bool {
        serde_json::from_str::<Value>(entry)
            .is_ok_and(|entry| entry["state"].get("logged_in").is_some())
    }

    fn check(&self, text: &str) {
        let text = text.replace("FINGERPRINT", &self.fingerprint);
        let state: State = REALMS
            .into_iter()
            .zip(text.split('\n'))
            .map(|(realm, entry)| (name_of(realm), entry.to_owned()))
            .collect();
        self.set_session(state.clone());
        self.revocations.set(None);

        // The same entry can be written in many ways: the order of fields varies, and unknown
        // fields are ignored. So the expectation is derived from the entry as the crate writes it.
        let (status, read) = self.request("GET", "/rewrite", PAGE, None);
        assert_eq!(status, StatusCode::OK);
        let read = read.unwrap_or_default();
        let gives_access = read.get(&name_of(REALMS[0])).is_some_and(|it| self.gives_access(it));

        let alice = Some(&*self.alice);
        for (revoked, method, path, client, authorization) in [
            (None, "GET", "/a/", PAGE, alice),
            (None, "GET", "/a/", PAGE, None),
            (None, "GET", "/a/", PAGE, Some("Basic Ym9iOmJ1aWxkZXI=")),
            (None, "GET", "/a/b/c", FETCH, alice),
            (None, "POST", "/a/", CURL, alice),
            (Some(0), "GET", "/a/", PAGE, alice),
            (Some(1), "GET", "/a/", PAGE, alice),
            (None, "POST", "/logout", PAGE, alice),
            (None, "POST", "/logout", FETCH, None),
        ] {
            self.revocations.set(revoked);
            let (status, written) = self.request(method, path, client, authorization);
            let shown = || {
                format!(
                    "{method} {path} {authorization:?}, revoked: {revoked:?}: {status}\n{state:?}"
                )
            };
            assert!(!status.is_server_error(), "{}", shown());
            let is_logout = path == "/logout";
            if status == StatusCode::OK && !is_logout {
                let expected = authorization == alice && revoked.is_none() && gives_access;
                assert!(expected, "unexpected access: {}", shown());
            }
            let Some(written) = written else { continue };
            // No request may write a new login, and a logout may write none at all.
            for (name, entry) in written.iter().filter(|(_, entry)| Self::is_login(entry)) {
                let was_login = read.get(name).is_some_and(|it| Self::is_login(it));
                let was_there = was_login || state.get(name) == Some(entry);
                assert!(!is_logout && was_there, "{}", shown());
            }
        }
    }
}

fn name_of(realm: &str) -> String {
    format!("actix-basic-logout:{realm}")
}

fn cookie_of_single_session() -> String {
    let mut jar = CookieJar::new();
    jar.signed_mut(&KEY).add(Cookie::new("id", "one"));
    jar.get("id").expect("just added").encoded().to_string()
}

static KEY: LazyLock<Key> = LazyLock::new(|| Key::from(&[1; 64]));

type Headers = &'static [(&'static str, &'static str)];

const PAGE: Headers = &[
    ("user-agent", "Mozilla/5.0"),
    ("sec-fetch-site", "same-origin"),
    ("sec-fetch-mode", "navigate"),
    ("accept", "text/html,*/*"),
];
const FETCH: Headers = &[
    ("user-agent", "Mozilla/5.0"),
    ("sec-fetch-site", "same-origin"),
    ("sec-fetch-mode", "cors"),
    ("accept", "*/*"),
];
const CURL: Headers = &[("user-agent", "curl/8.14.1"), ("accept", "*/*")];

async fn serve(
    session: &SingleSession,
    revocations: &FixedRevocations,
    accepts: &Arc<Mutex<bool>>,
) -> Call {
    let accepts = Arc::clone(accepts);
    let check = move |_: &HttpRequest, _: &BasicAuth| {
        let accepts = *accepts.lock().unwrap_or_else(PoisonError::into_inner);
        std::future::ready(Ok::<_, Error>(accepts))
    };
    let login = BasicLogin::builder(REALMS[0], check)
        .landing_path("/a/")
        .fingerprint_key([7; 32])
        .revocation_store(revocations.clone())
        .clock(|| -> SystemTime { UNIX_EPOCH + NOON })
        .build()
        .expect("a realm");
    let admin = web::scope("/a")
        .wrap(login.clone())
        .default_service(web::to(async |user: User| user.id().to_owned()));
    let session = SessionMiddleware::builder(session.clone(), KEY.clone())
        .cookie_content_security(CookieContentSecurity::Signed)
        .build();
    let app = App::new()
        .service(admin)
        .route("/logout", web::post().to(login.logout()))
        .route("/rewrite", web::to(rewrite))
        .wrap(session);
    let app = Rc::new(test::init_service(app).await);
    Box::new(move |req| {
        let app = Rc::clone(&app);
        Box::pin(async move {
            match app.call(req).await {
                Ok(response) => response.status(),
                Err(error) => error.error_response().status(),
            }
        })
    })
}

/// Replaces the session by the entries that the crate can read, as the crate writes them.
async fn rewrite(session: Session) -> &'static str {
    let found = REALMS.map(|realm| Entry::find(&session, realm));
    session.clear();
    for (realm, entry) in REALMS.into_iter().zip(found) {
        let Some(entry) = entry else { continue };
        entry.put(&session, realm);
        assert_eq!(
            Entry::find(&session, realm).as_ref(),
            Some(&entry),
            "the entry reads back unchanged"
        );
    }
    "rewritten"
}
