//! Any content of a session: from an attacker with the key, an older version or a bug.
//!
//! The first line is the realm's entry, the second another realm's, the third names the session
//! before, the fourth says that it was lost. `FINGERPRINT` stands for that of alice's credentials,
//! since nothing but the realm's key can make it.

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

/// Two realms, and what are the names of none: the session before, and the mark of a lost one.
const REALMS: [&str; 4] = ["Admin area", "Back office", "\n", ""];
const NOON: Duration = Duration::from_secs(12 * 60 * 60);
const REVERIFY_AFTER: u64 = 5 * 60 * 1000;

fuzz_target!(|data: &[u8]| {
    let Ok(text) = str::from_utf8(data) else { return };
    SITE.with(|site| site.is_as_promised(text));
});

thread_local! {
    static SITE: Site = Site::new();
}

type State = HashMap<String, String>;

/// One session: what it holds, and what was written to it.
#[derive(Clone, Default)]
struct OneSession(Rc<RefCell<Held>>);

#[derive(Default)]
struct Held {
    state: State,
    written: Option<State>,
}

impl OneSession {
    fn write(&self, state: State) -> SessionKey {
        self.0.borrow_mut().written = Some(state);
        String::from("one").try_into().expect("a key")
    }
}

impl SessionStore for OneSession {
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

/// One number for whatever is asked for, so that one input does not depend on those before.
#[derive(Clone, Default)]
struct Revoked(Arc<Mutex<Option<u64>>>);

impl Revoked {
    fn set(&self, value: Option<u64>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = value;
    }
}

impl RevocationStore for Revoked {
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
    session: OneSession,
    revoked: Revoked,
    /// Whether the authenticator agrees with anything.
    agrees: Arc<Mutex<bool>>,
    cookie: String,
    alice: String,
    fingerprint: String,
    call: Call,
}

impl Site {
    /// Alice logs in, and with what that has written she is let in, though the authenticator says
    /// no from now on.
    fn new() -> Self {
        let system = rt::System::new();
        let (session, revoked, agrees) =
            (OneSession::default(), Revoked::default(), Arc::new(Mutex::new(true)));
        let call = system.block_on(serve(&session, &revoked, &agrees));
        let alice = format!("Basic {}", BASE64_STANDARD.encode("alice:wonderland"));
        let mut site = Self {
            system,
            session,
            revoked,
            agrees,
            cookie: String::new(),
            alice,
            fingerprint: String::new(),
            call,
        };
        let (status, asked) = site.ask("GET", "/a/", PAGE, None);
        assert_eq!(status, StatusCode::UNAUTHORIZED);
        // From now on the browser has one.
        site.cookie = cookie_of_one_session();
        site.hold(asked.expect("the challenge was noted"));
        let (status, logged_in) = site.ask("GET", "/a/", PAGE, Some(&site.alice));
        assert_eq!(status, StatusCode::OK);
        let logged_in = logged_in.expect("the login was noted");
        let entry: Value = serde_json::from_str(&logged_in[&name_of(REALMS[0])]).expect("JSON");
        let fingerprint = entry["state"]["logged_in"]["fingerprint"].as_str().expect("one");
        site.fingerprint = fingerprint.to_owned();
        *site.agrees.lock().unwrap_or_else(PoisonError::into_inner) = false;
        assert!(site.may_pass(&logged_in[&name_of(REALMS[0])]), "the login's own entry passes");
        site.hold(logged_in);
        assert_eq!(site.ask("GET", "/a/", PAGE, Some(&site.alice)).0, StatusCode::OK);
        site
    }

    fn hold(&self, state: State) {
        *self.session.0.borrow_mut() = Held { state, written: None };
    }

    /// The answer's status, and what was written to the session.
    fn ask(
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

    /// Whether an entry lets alice in who is not asked for again: it is a login with her
    /// fingerprint, and her password was looked at in the last five minutes.
    fn may_pass(&self, entry: &str) -> bool {
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

    fn is_as_promised(&self, text: &str) {
        let text = text.replace("FINGERPRINT", &self.fingerprint);
        let state: State = REALMS
            .into_iter()
            .zip(text.split('\n'))
            .map(|(realm, entry)| (name_of(realm), entry.to_owned()))
            .collect();
        self.hold(state.clone());
        self.revoked.set(None);

        // Of one entry there are many spellings, from the order of its fields to those that are
        // none, so what it says is taken from what is written of it.
        let (status, read) = self.ask("GET", "/rewrite", PAGE, None);
        assert_eq!(status, StatusCode::OK);
        let read = read.unwrap_or_default();
        let may_pass = read.get(&name_of(REALMS[0])).is_some_and(|it| self.may_pass(it));

        let alice = Some(&*self.alice);
        for (ended, method, path, client, authorization) in [
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
            self.revoked.set(ended);
            let (status, written) = self.ask(method, path, client, authorization);
            let shown =
                || format!("{method} {path} {authorization:?}, {ended:?}: {status}\n{state:?}");
            assert!(!status.is_server_error(), "{}", shown());
            let is_log_out = path == "/logout";
            if status == StatusCode::OK && !is_log_out {
                let passes = authorization == alice && ended.is_none() && may_pass;
                assert!(passes, "let in by {}", shown());
            }
            let Some(written) = written else { continue };
            // There is no new login, and no login after a logout.
            for (name, entry) in written.iter().filter(|(_, entry)| Self::is_login(entry)) {
                let was_login = read.get(name).is_some_and(|it| Self::is_login(it));
                let was_there = was_login || state.get(name) == Some(entry);
                assert!(!is_log_out && was_there, "{}", shown());
            }
        }
    }
}

fn name_of(realm: &str) -> String {
    format!("actix-basic-logout:{realm}")
}

fn cookie_of_one_session() -> String {
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

async fn serve(session: &OneSession, revoked: &Revoked, agrees: &Arc<Mutex<bool>>) -> Call {
    let agrees = Arc::clone(agrees);
    let check = move |_: &HttpRequest, _: &BasicAuth| {
        let agrees = *agrees.lock().unwrap_or_else(PoisonError::into_inner);
        std::future::ready(Ok::<_, Error>(agrees))
    };
    let login = BasicLogin::builder(REALMS[0], check)
        .landing_path("/a/")
        .fingerprint_key([7; 32])
        .revocation_store(revoked.clone())
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

/// Leaves what can be read of each entry, and nothing else.
async fn rewrite(session: Session) -> &'static str {
    let found = REALMS.map(|realm| Entry::find(&session, realm));
    session.clear();
    for (realm, entry) in REALMS.into_iter().zip(found) {
        let Some(entry) = entry else { continue };
        entry.put(&session, realm);
        assert_eq!(Entry::find(&session, realm).as_ref(), Some(&entry), "it reads the same");
    }
    "rewritten"
}
