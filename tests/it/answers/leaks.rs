//! Searches logs, responses, sessions and `Debug` output for secrets.
//!
//! The test sends every kind of request, with every kind of session. Another test leaks a secret on
//! purpose, to show that the search finds it.

use std::{
    collections::HashSet,
    fmt::{self, Write},
    fs,
    future::ready,
    path::Path,
    sync::Mutex,
};

use actix_basic_logout::{
    CredentialCache, HashLimiter, LogoutResponse, Notice, Reason, RedisRevocationStore,
    RevocationError, Throttle, TryLater, Users, session_store_errors,
};
use actix_session::{Session, config::CookieContentSecurity, storage::SessionStore};
use actix_web::{
    HttpResponse,
    cookie::CookieJar,
    http::Method,
    middleware::{Logger, from_fn},
};

use super::*;
use crate::support::{
    log::Log,
    store::{MemoryStore, Revocations},
};

const PASSWORD: &str = "wonderland";
const BOBS: &str = "builder of bridges";
const WRONG: &str = "looking-glass";
const HASH: &str = "$2y$04$qqxtSNcE5L3nZxkNayxMDOGS1/Xpv5quGRK8y21J1utjVbTHTJ5Au";
const BOBS_HASH: &str = "$2y$04$6dXHRFvDRSojUjRsd35wNeh5jmgMwmPfmLNMdbAZRwDwBdYc.pV.6";
const FINGERPRINT_KEY: &str = "the key of fingerprints, of 40 bytes or so";
const SESSION_KEY: &str = "the session's own key, which is as long as a key must be: 64 or more";
const REDIS_PASSWORD: &str = "open-sesame";

/// Every secret, in each form in which it may leak: as text and in base64, and both of these in
/// hexadecimal digits and as `Debug` shows bytes.
fn secrets() -> Vec<(&'static str, String)> {
    let mut forms = Vec::new();
    for (name, secret) in [
        ("alice's password", PASSWORD.to_owned()),
        ("bob's password", BOBS.to_owned()),
        ("a wrong password", WRONG.to_owned()),
        ("alice's credentials", format!("alice:{PASSWORD}")),
        ("bob's credentials", format!("bob:{BOBS}")),
        ("wrong credentials", format!("alice:{WRONG}")),
        ("alice's hash", HASH[7..].to_owned()),
        ("bob's hash", BOBS_HASH[7..].to_owned()),
        ("the fingerprints' key", FINGERPRINT_KEY.to_owned()),
        ("the sessions' key", SESSION_KEY.to_owned()),
        ("the password of Redis", REDIS_PASSWORD.to_owned()),
    ] {
        let base64 = BASE64_STANDARD.encode(&secret).trim_end_matches('=').to_owned();
        for text in [secret, base64] {
            let hex = digits("", &text);
            let list = format!("{:?}", text.as_bytes()).trim_matches(['[', ']']).to_owned();
            forms.extend([text, hex, list].map(|form| (name, form)));
        }
    }
    forms
}

/// Encodes a text in hexadecimal digits, with a prefix before each byte.
fn digits(prefix: &str, text: &str) -> String {
    text.bytes().fold(String::new(), |mut digits, it| {
        write!(digits, "{prefix}{it:02x}").expect("a write to a string");
        digits
    })
}

/// The collected texts, each with the place where it was found.
#[derive(Default)]
struct Seen(Vec<(String, String)>);

impl Seen {
    fn record(&mut self, place: impl Into<String>, text: impl Into<String>) {
        self.0.push((place.into(), text.into()));
    }

    /// The places that contain a secret, and the name of the secret.
    fn leaks(&self) -> Vec<(&str, &'static str)> {
        let secrets = secrets();
        let mut leaks = Vec::new();
        for (place, text) in &self.0 {
            for (name, form) in &secrets {
                if text.contains(form) && !leaks.contains(&(&**place, *name)) {
                    leaks.push((&**place, *name));
                }
            }
        }
        leaks
    }

    fn all(&self, place: &str) -> String {
        let texts = self.0.iter().filter(|it| it.0.ends_with(place)).map(|it| &*it.1);
        texts.collect::<Vec<_>>().join("\n")
    }
}

/// Where a page leaks a secret on purpose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Leak {
    Nowhere,
    Log,
    Session,
    Body,
    Header,
}

#[derive(Clone, Copy, Debug)]
enum Store {
    Cookie,
    Memory,
}

/// A configuration of the site.
#[derive(Clone, Debug)]
struct Case {
    store: Store,
    security: Security,
    logout_response: LogoutResponse,
    /// Whether the application uses `respond_with`.
    custom_responses: bool,
    leak: Leak,
}

#[derive(Clone, Copy, Debug)]
enum Security {
    Private,
    Signed,
}

fn key() -> Key {
    Key::from(SESSION_KEY.as_bytes())
}

/// The decrypted content of a session cookie.
fn decrypted(cookie: &Cookie<'static>, security: Security) -> String {
    let mut jar = CookieJar::new();
    jar.add_original(cookie.clone());
    let opened = match security {
        Security::Private => jar.private(&key()).get(cookie.name()),
        Security::Signed => jar.signed(&key()).get(cookie.name()),
    };
    opened.map(|it| it.value().to_owned()).unwrap_or_default()
}

/// A site in one configuration, with its stores, clock and file of users.
struct World {
    site: Site,
    login: BasicLogin,
    watch: Watch,
    memory: MemoryStore,
    revocations: Revocations,
    users: tempfile::TempDir,
    notices: Arc<Mutex<Vec<(Reason, String)>>>,
    case: Case,
    seen: Seen,
}

impl World {
    async fn new(case: Case) -> Self {
        let (watch, memory, revocations) =
            (Watch::new(), MemoryStore::default(), Revocations::default());
        let notices: Arc<Mutex<Vec<_>>> = Arc::default();
        let users = tempfile::tempdir().expect("a directory");
        let path = users.path().join("users.htpasswd");
        fs::write(&path, format!("alice:{HASH}\nbob:{BOBS_HASH}\n")).expect("written");
        let mut seen = Seen::default();

        let checked = Users::htpasswd(&path).expect("users").clock(watch.instant());
        seen.record("Debug of Users", format!("{checked:?}"));
        let minutes = Duration::from_secs(300);
        let checked = CredentialCache::new(checked, minutes).clock(watch.instant());
        seen.record("Debug of CredentialCache", format!("{checked:?}"));
        let checked = Throttle::builder(checked)
            .clock(watch.instant())
            .per_user_id(6, Duration::from_secs(60))
            .build()
            .expect("a limit");
        seen.record("Debug of Throttle", format!("{checked:?}"));
        let configured = |builder: BasicLoginBuilder| {
            let builder = builder
                .landing_path("/admin/")
                .clock(watch.system_time())
                .fingerprint_key(FINGERPRINT_KEY)
                .login_deadline(Duration::from_secs(3600))
                .revocation_store(revocations.clone())
                .logout_response(case.logout_response.clone());
            if !case.custom_responses {
                return builder;
            }
            let notices = Arc::clone(&notices);
            builder.respond_with(move |_, notice: &Notice<'_>| {
                let shown = (notice.reason(), format!("{notice:?}"));
                notices.lock().expect("unpoisoned").push(shown);
                HttpResponse::Ok().body("a custom text")
            })
        };
        let builder = configured(BasicLogin::builder("Admin area", checked));
        seen.record("Debug of BasicLoginBuilder", format!("{builder:?}"));
        let login = builder.build().expect("a realm");
        seen.record("Debug of BasicLogin", format!("{login:?}"));
        seen.record("Debug of Logout", format!("{:?}", login.logout()));
        let failing = configured(BasicLogin::builder("Broken", fails)).build().expect("a realm");

        let logins = (login.clone(), failing);
        let site = match case.store {
            Store::Cookie => serve(CookieSessionStore::default(), &case, logins).await,
            Store::Memory => serve(memory.clone(), &case, logins).await,
        };
        Self { site, login, watch, memory, revocations, users, notices, case, seen }
    }

    /// Sends a request, and records the response and the session.
    async fn ask(&mut self, name: &str, req: TestRequest) -> Answer {
        let answer = ask(&self.site, req).await;
        self.seen.record(format!("{name}: body"), &*answer.body);
        for (header, value) in &answer.headers {
            self.seen.record(format!("{name}: header"), format!("{header}: {value:?}"));
        }
        for cookie in answer.cookies.iter().filter(|it| it.name() == "id") {
            let held = decrypted(cookie, self.case.security);
            self.seen.record(format!("{name}: session"), held);
        }
        self.seen.record(format!("{name}: session"), self.memory.all());
        answer
    }

    /// Logs alice in, and returns her session cookie.
    async fn log_in(&mut self) -> Cookie<'static> {
        let challenged = self.ask("challenged", page("/admin/")).await.session();
        let typed = page("/admin/").cookie(challenged).insert_header(alice());
        let welcome = self.ask("logged in", typed).await;
        assert_eq!(welcome.status, StatusCode::OK, "{:?}", self.case);
        welcome.session()
    }

    /// Sends every kind of request, and collects the reasons that the application received.
    async fn drive(mut self) -> (Seen, HashSet<Reason>) {
        self.request_every_route().await;
        self.guess_passwords().await;
        self.log_out().await;
        self.end_logins().await;
        self.make_stores_fail().await;
        let notices = std::mem::take(&mut *self.notices.lock().expect("unpoisoned"));
        let mut reasons = HashSet::new();
        for (reason, shown) in notices {
            reasons.insert(reason);
            self.seen.record("Debug of Notice", shown);
        }
        (self.seen, reasons)
    }

    /// Requests every route, with each kind of client, credentials and session.
    async fn request_every_route(&mut self) {
        let wrong = || basic("alice", WRONG);
        let challenged = self.ask("first visit", page("/admin/")).await.session();
        let req = page("/admin/").cookie(challenged).insert_header(wrong());
        self.ask("wrong password", req).await;
        let login = self.log_in().await;
        let as_alice = |req: TestRequest| req.cookie(login.clone()).insert_header(alice());
        for (name, req) in [
            ("page", page("/admin/a")),
            ("resource", page("/resource")),
            ("another handler", page("/admin/leak")),
            ("fetch", fetch("/admin/api")),
            ("a User outside", page("/public/")),
            ("a User without a realm", page("/whoami")),
            ("another realm", page("/broken/")),
            ("a cross-site form", {
                page("/admin/").method(Method::POST).insert_header(("Sec-Fetch-Site", "cross-site"))
            }),
            ("logout from another site", {
                page("/logout").insert_header(("Sec-Fetch-Site", "cross-site"))
            }),
            (
                "the script's header without a logout",
                page("/admin/").insert_header(("X-Basic-Logout", "1")),
            ),
        ] {
            self.ask(name, as_alice(req)).await;
        }
        for (name, header) in [
            ("another password", wrong()),
            ("another user", basic("bob", BOBS)),
            (
                "a broken header",
                ("Authorization", format!("{} ", alice().1.replace("Basic", "Bear"))),
            ),
            ("a header that is too long", basic("alice", &PASSWORD.repeat(1000))),
            ("a user-id with a line break", basic("alice\nmallory", PASSWORD)),
        ] {
            self.ask(name, page("/admin/").cookie(login.clone()).insert_header(header.clone()))
                .await;
            self.ask(name, non_browser("/admin/").insert_header(header.clone())).await;
            self.ask(name, page("/public/").insert_header(header)).await;
        }
        let form = page("/admin/").method(Method::POST).insert_header(alice());
        let form = form.insert_header(("Sec-Fetch-Site", "cross-site"));
        self.ask("a cross-site form without the session", form).await;
        let mut twice = page("/admin/").cookie(login.clone());
        twice = twice.append_header(alice()).append_header(wrong());
        self.ask("two headers", twice).await;
        let two_cookies = page("/logout").insert_header(("Cookie", "id=one; id=two"));
        self.ask("two session cookies", two_cookies).await;
        let mut forged = login.clone();
        forged.set_value(format!("x{}", login.value()));
        self.ask("a forged session", page("/admin/").cookie(forged).insert_header(alice())).await;
    }

    /// Sends requests of non-browser clients, some from the cache, and guesses passwords.
    async fn guess_passwords(&mut self) {
        for name in ["a non-browser client", "a cached non-browser client"] {
            self.ask(name, non_browser("/admin/").insert_header(alice())).await;
        }
        self.ask("a non-browser client without a header", non_browser("/admin/")).await;
        let logout = non_browser("/logout").insert_header(alice());
        self.ask("logout of a non-browser client without a login", logout).await;
        for name in ["busy", "later", "odd", "unauthorized"] {
            let header = basic(name, PASSWORD);
            self.ask(name, non_browser("/broken/").insert_header(header)).await;
        }
        for _ in 0..7 {
            let bob = basic("bob", WRONG);
            self.ask("guesses", non_browser("/admin/").insert_header(bob)).await;
        }
        for name in ["no cookies", "still no cookies", "never any cookies"] {
            self.ask(name, page("/admin/b").insert_header(alice())).await;
        }
    }

    /// Logs out in every way.
    async fn log_out(&mut self) {
        for (name, req) in [
            ("logout, by a page", page("/logout")),
            ("logout, by a form", page("/logout").method(Method::POST)),
            ("logout, inside", page("/admin/logout")),
            ("logout, by fetch", fetch("/logout").method(Method::POST)),
            ("logout of a non-browser client", non_browser("/logout")),
        ] {
            let login = self.log_in().await;
            let out = self.ask(name, req.cookie(login.clone()).insert_header(alice())).await;
            let cookie = out.cookies.iter().find(|it| it.name() == "id").cloned();
            let after = cookie.unwrap_or_else(|| login.clone());
            if let Some(reserved) = out.reserved_password() {
                let script = fetch("/logout").insert_header(("X-Basic-Logout", "1"));
                let script = script.insert_header(basic("logged-out", reserved));
                self.ask("the page's script", script.cookie(after.clone())).await;
            }
            self.ask("after a logout", page("/admin/").cookie(after).insert_header(alice())).await;
            self.ask(
                "a request that raced the logout",
                fetch("/admin/api").cookie(login).insert_header(alice()),
            )
            .await;
        }
    }

    /// Ends logins in every way except by logout.
    async fn end_logins(&mut self) {
        let login = self.log_in().await;
        self.login.revoke_user("alice").await.expect("revoked");
        self.ask("revoked", page("/admin/").cookie(login).insert_header(alice())).await;
        let login = self.log_in().await;
        self.watch.set(3600);
        self.ask("expired", page("/admin/").cookie(login).insert_header(alice())).await;
        let login = self.log_in().await;
        let path = self.users.path().join("users.htpasswd");
        for (name, hash) in [("a broken file", &BOBS_HASH[..30]), ("a new password", BOBS_HASH)] {
            fs::write(&path, format!("alice:{hash}\nbob:{HASH}\n")).expect("written");
            self.watch.set(self.watch.seconds().as_secs() + 300);
            self.ask(name, page("/admin/").cookie(login.clone()).insert_header(alice())).await;
            self.seen.record("Debug of UsersError", format!("{:?}", Users::htpasswd(&path)));
        }
        fs::write(&path, format!("alice:{HASH}\nbob:{BOBS_HASH}\n")).expect("written");
        self.watch.set(self.watch.seconds().as_secs() + 300);
    }

    /// Makes both stores unavailable.
    async fn make_stores_fail(&mut self) {
        let login = self.log_in().await;
        self.revocations.set_broken(true);
        for path in ["/admin/", "/logout", "/public/"] {
            let req = page(path).cookie(login.clone()).insert_header(alice());
            self.ask("no revocations", req).await;
        }
        self.revocations.set_broken(false);
        self.memory.set_broken(true);
        self.ask("no sessions", page("/admin/").cookie(login.clone()).insert_header(alice())).await;
        self.memory.set_broken(false);
    }
}

/// An authenticator that returns an error that depends on the user-id.
async fn fails(_: &HttpRequest, credentials: &BasicAuth) -> Result<bool, Error> {
    let after = Duration::from_secs(90);
    Err(match credentials.user_id() {
        "busy" => TryLater::busy(after).into(),
        "later" => TryLater::too_many_attempts(after).into(),
        "unauthorized" => actix_web::error::ErrorUnauthorized("no"),
        _ => actix_web::error::ErrorInternalServerError("the database is down"),
    })
}

async fn serve<S>(store: S, case: &Case, (login, failing): (BasicLogin, BasicLogin)) -> Site
where
    S: SessionStore + 'static,
{
    let security = match case.security {
        Security::Private => CookieContentSecurity::Private,
        Security::Signed => CookieContentSecurity::Signed,
    };
    let session = SessionMiddleware::builder(store, key()).cookie_content_security(security);
    let who = async |user: User| format!("{} {user:?}", user.id());
    let leak = case.leak;
    let leaky = web::to(move |req, session| ready(leaking(leak, &req, &session)));
    let admin = web::scope("/admin")
        .wrap(login.clone())
        .route("/logout", web::to(login.logout()))
        .route("/leak", leaky)
        .default_service(web::to(who));
    let resource = web::resource("/resource").wrap(login.clone()).to(who);
    let broken = web::scope("/broken").wrap(failing).default_service(web::to(who));
    let app = App::new()
        .service(admin)
        .service(resource)
        .service(broken)
        .route("/logout", web::to(login.logout()))
        .route("/whoami", web::to(who))
        .service(web::scope("/public").app_data(login).default_service(web::to(who)))
        .wrap(session.build())
        .wrap(Logger::default())
        .wrap(from_fn(session_store_errors))
        .wrap(from_fn(answer_errors));
    start(app).await
}

/// A handler that leaks alice's password or her header.
fn leaking(leak: Leak, req: &HttpRequest, session: &Session) -> HttpResponse {
    let header = req.headers().get("Authorization").expect("credentials");
    let header = header.to_str().expect("text").to_owned();
    let mut answer = HttpResponse::Ok();
    match leak {
        Leak::Nowhere => {}
        Leak::Log => tracing::trace!(header, "let in"),
        Leak::Session => session.insert("last", PASSWORD).expect("inserted"),
        Leak::Body => return answer.body(format!("{:?}", PASSWORD.as_bytes())),
        Leak::Header => drop(answer.insert_header(("X-Seen", header))),
    }
    answer.body("nothing to see")
}

/// Runs a case, and records the log as well.
async fn drive_case(case: Case) -> (Seen, HashSet<Reason>) {
    let (log, guard) = Log::capture();
    let (mut seen, reasons) = Box::pin(World::new(case).await.drive()).await;
    drop(guard);
    seen.record("log", log.text());
    (seen, reasons)
}

fn cases() -> Vec<Case> {
    let responses =
        [LogoutResponse::Challenge, LogoutResponse::Page, LogoutResponse::Redirect("/".to_owned())];
    let mut cases = Vec::new();
    for store in [Store::Cookie, Store::Memory] {
        for security in [Security::Private, Security::Signed] {
            for logout_response in responses.clone() {
                for custom_responses in [false, true] {
                    cases.push(Case {
                        store,
                        security,
                        logout_response: logout_response.clone(),
                        custom_responses,
                        leak: Leak::Nowhere,
                    });
                }
            }
        }
    }
    cases
}

/// All reasons, except `ForgedCookie`, which needs a cookie with the prefix `__Host-`. The cases must
/// meet each of them.
const REASONS: [Reason; 14] = [
    Reason::LoginRequired,
    Reason::LoggedOut,
    Reason::LoginExpired,
    Reason::LoginRevoked,
    Reason::CredentialsChanged,
    Reason::WrongCredentials,
    Reason::LogoutForbidden,
    Reason::NoLogin,
    Reason::LogoutUncertain,
    Reason::CookiesRequired,
    Reason::CrossSite,
    Reason::TooManyAttempts,
    Reason::Busy,
    Reason::Unavailable,
];

#[actix_web::test]
async fn no_secret_is_in_logs_sessions_responses_or_debug() {
    for case in cases() {
        let shown = format!("{case:?}");
        let (has_notices, is_memory) = (case.custom_responses, matches!(case.store, Store::Memory));
        let (seen, reasons) = drive_case(case).await;
        assert_eq!(seen.leaks(), [], "{shown}");
        // The log must contain these parts, or the search would prove nothing. Files are read on
        // another thread, whose log `broken_file_and_its_repair_are_logged_once` checks.
        let log = seen.all("log");
        for part in [
            "TRACE",
            "DEBUG",
            "INFO",
            "WARN",
            "ERROR",
            "logged in",
            "logged out",
            "passed without a session",
            "wrong credentials",
            "refused",
            "cross-site or prefetched logout refused",
            "login not checked: over the limit",
            "too many failed logins",
            "all logins revoked",
            "login revoked: credentials no longer accepted",
            "cost below 10",
            " actix_session::",
            " actix_web::",
            "user=\"alice\"",
        ] {
            assert!(log.contains(part), "{part} is not in the log of {shown}:\n{log}");
        }
        assert_eq!(log.contains("session store failed"), is_memory, "{shown}");
        let sessions = seen.all(": session");
        for part in ["logged_in", "logged_out", "rechallenged", "prompted", "alice", "fingerprint"]
        {
            assert!(sessions.contains(part), "{part} is in no session of {shown}");
        }
        assert!(seen.all(": header").contains("www-authenticate: \"Basic realm="));
        assert!(seen.all(": body").contains("User {"));
        let missing: Vec<_> = REASONS.iter().filter(|it| !reasons.contains(it)).collect();
        assert!(missing.is_empty() || !has_notices, "{missing:?} was not met in {shown}");
    }
}

#[actix_web::test]
async fn leak_test_finds_a_leaked_secret() {
    for (leak, place, secret) in [
        (Leak::Log, "log", "alice's credentials"),
        (Leak::Session, "another handler: session", "alice's password"),
        (Leak::Body, "another handler: body", "alice's password"),
        (Leak::Header, "another handler: header", "alice's credentials"),
    ] {
        for store in [Store::Cookie, Store::Memory] {
            let (security, logout_response) = (Security::Private, LogoutResponse::Challenge);
            let case = Case { store, security, logout_response, custom_responses: false, leak };
            let (seen, _) = drive_case(case).await;
            assert!(seen.leaks().contains(&(place, secret)), "{leak:?}: {:?}", seen.leaks());
        }
    }
}

#[actix_web::test]
async fn debug_and_errors_show_no_secret() {
    let mut seen = Seen::default();
    let mut record = |name: &str, shown: &dyn fmt::Debug| seen.record(name, format!("{shown:?}"));
    let pairs = [("alice", PASSWORD), ("bob", BOBS)];
    record("plaintext", &Users::plaintext(pairs).expect("users"));
    record("hashed", &Users::hashed([("alice", HASH), ("bob", BOBS_HASH)]).expect("users"));
    for (name, error) in [
        ("a password for a hash", Users::hashed(pairs).err()),
        ("a hash for a password", Users::plaintext([("alice", HASH)]).err()),
        ("a hash cut off", Users::hashed([("alice", &HASH[..40])]).err()),
        ("a duplicate user", Users::hashed([("bob", BOBS_HASH), ("bob", BOBS_HASH)]).err()),
        ("a directory in place of a file", Users::htpasswd(Path::new("/")).err()),
    ] {
        let error = error.expect(name);
        record(name, &error);
        record(name, &error.to_string());
    }
    record("HashLimiter", &HashLimiter::shared());
    record("TryLater", &TryLater::busy(Duration::from_secs(1)));
    let short = realm().fingerprint_key(PASSWORD).build().expect_err("too short");
    record("ConfigError", &short);
    record("ConfigError", &short.to_string());
    for url in ["redis://alice:open-sesame@127.0.0.1:1/", "redis://alice:open-sesame@:port/"] {
        let error: RevocationError = RedisRevocationStore::new(url).await.expect_err("nobody");
        record("RevocationError", &error);
        record("RevocationError", &error.to_string());
    }
    assert_eq!(seen.leaks(), []);
    assert!(seen.0.iter().all(|(_, shown)| shown.len() > 4), "{:?}", seen.0);

    let cases = [
        (PASSWORD.to_owned(), "alice's password"),
        (format!("{:?}", FINGERPRINT_KEY.as_bytes()), "the fingerprints' key"),
        (BASE64_STANDARD.encode(SESSION_KEY), "the sessions' key"),
        (format!("alice:{HASH}"), "alice's hash"),
        ("6275696c646572206f662062726964676573".to_owned(), "bob's password"),
    ];
    for (shown, secret) in cases {
        let mut seen = Seen::default();
        seen.record("it", shown);
        assert_eq!(seen.leaks(), [("it", secret)]);
    }
}

/// Puts text that would look like a separate log line into all parts of a request that a client controls.
#[actix_web::test]
async fn client_input_cannot_inject_log_lines() {
    let (log, guard) = Log::capture();
    let checked = Throttle::builder(is_alice).per_user_id(1, Duration::from_secs(60)).build();
    let login = BasicLogin::builder("Admin area", checked.expect("a limit"));
    let login = login.clock(noon).landing_path("/admin/");
    let site = site(&login.build().expect("a realm")).await;
    let mut requests = 0;
    for text in ["\nFORGED", "\rFORGED", "\u{1b}[2KFORGED", "\u{2028}FORGED", "\u{202e}FORGED"] {
        for name in [format!("alice{text}"), format!("{text}alice")] {
            let session = ask(&site, page("/admin/")).await.session();
            let path = format!("/admin/{}", digits("%", &name));
            for _ in 0..2 {
                let typed = page("/admin/").cookie(session.clone());
                ask(&site, typed.insert_header(basic(&name, "x"))).await;
                ask(&site, non_browser(&path).insert_header(basic(&name, "x"))).await;
                requests += 2;
            }
            let out = page(&path.replace("admin", "admin/logout")).insert_header(basic(&name, "x"));
            ask(&site, out.insert_header(("X-Forwarded-For", path.clone()))).await;
        }
    }
    drop(guard);
    let text = log.text();
    for line in text.lines() {
        let (time, rest) = line.split_once("Z ").unwrap_or_default();
        let is_time = time.len() == 26 && time.starts_with("20");
        let level = rest.trim_start().split(' ').next().unwrap_or_default();
        assert!(is_time && ["TRACE", "DEBUG", "INFO", "WARN", "ERROR"].contains(&level), "{line}");
    }
    for raw in ['\r', '\u{1b}', '\u{2028}', '\u{202e}'] {
        assert!(!text.contains(raw), "{raw:?} is in:\n{text}");
    }
    // Input without control characters reaches the log.
    assert!(text.contains(r#"user="alice\u{2028}FORGED""#), "{text}");
    assert!(log.count("wrong credentials") + log.count("refused") >= requests, "{text}");
}
