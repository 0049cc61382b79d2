//! Revocation of logins on every machine, `User::ended`, and requests with the session alone.

use std::time::Duration;

use actix_basic_logout::{BasicLoginBuilder, LogoutResponse, LogoutScope, User};
use actix_web::rt;

use crate::support::{
    browser::{Browser, Engine, Kind},
    site::{A, Answer, Credentials, Setup, Site, Store, Wire, at_once},
    store::Revocations,
};

const ALICE: Credentials = ("alice", "one");
const BOB: Credentials = ("bob", "two");
const BOTH: Credentials = ("both", "same");

const MINUTE: Duration = Duration::from_secs(60);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// Runs a flow on a site with two machines, in each browser engine with each kind of session store.
async fn in_every_setup(flow: impl AsyncFn(&Site, Engine)) {
    for store in [Store::Cookie, Store::Memory] {
        for engine in [Engine::Chromium, Engine::Firefox, Engine::WebKit] {
            let setup = Setup { two_machines: true, ..Setup::new(store) };
            flow(&Site::new(&setup).await, engine).await;
        }
    }
}

fn log_in(site: &Site, engine: Engine, path: &str, credentials: Credentials) -> Browser {
    let mut browser = Browser::new(engine);
    browser.open(site, path);
    browser.type_credentials(site, credentials);
    assert_eq!(browser.open(site, path).body, format!("Signed in as {}", credentials.0));
    browser.prompts = 0;
    browser
}

fn assert_logged_in(browser: &mut Browser, site: &Site, path: &str) {
    assert_eq!(browser.open(site, path).status, 200);
    assert_eq!(browser.fetch(site, path), 200);
    assert_eq!(browser.prompts, 0);
}

/// Asserts that the login is refused as revoked, and that one dialog opens.
fn assert_revoked(browser: &mut Browser, site: &Site) {
    assert_eq!(browser.fetch(site, "/a/poll"), 401);
    assert_eq!(browser.prompts, 0, "a poll opens no dialog");
    let answer = browser.open(site, "/a/x/");
    assert_eq!(answer.status, 401);
    assert!(answer.body.contains("It was ended by this site"), "{}", answer.body);
    assert_eq!(browser.prompts, 1);
}

#[actix_web::test]
async fn revoke_user_ends_all_logins_of_that_user_only() {
    in_every_setup(async |site, engine| {
        let mut office = log_in(site, engine, "/a/", ALICE);
        let mut home = log_in(site, engine, "/a/", ALICE);
        let mut bob = log_in(site, engine, "/a/", BOB);
        site.logins.0.revoke_user("alice").await.unwrap();
        assert_revoked(&mut office, site);
        assert_revoked(&mut home, site);
        assert_logged_in(&mut bob, site, "/a/");
    })
    .await;
}

#[actix_web::test]
async fn revoked_user_can_log_in_again() {
    in_every_setup(async |site, engine| {
        let mut browser = log_in(site, engine, "/a/", ALICE);
        for _ in 0..2 {
            site.logins.0.revoke_user("alice").await.unwrap();
            browser.open(site, "/a/");
            assert_eq!(browser.type_credentials(site, ALICE).body, "Signed in as alice");
            assert_eq!(browser.prompts, 1);
            browser.prompts = 0;
            assert_logged_in(&mut browser, site, "/a/x");
        }
    })
    .await;
}

#[actix_web::test]
async fn revoke_user_keeps_the_same_user_in_other_realms() {
    in_every_setup(async |site, engine| {
        let mut browser = log_in(site, engine, "/a/", BOTH);
        browser.open(site, "/a/b/");
        browser.type_credentials(site, BOTH);
        browser.prompts = 0;
        site.logins.1.revoke_user("both").await.unwrap();
        assert_logged_in(&mut browser, site, "/a/");
        assert_eq!(browser.fetch(site, "/a/b/poll"), 401);
    })
    .await;
}

#[actix_web::test]
async fn user_without_logins_can_be_revoked() {
    in_every_setup(async |site, engine| {
        site.logins.0.revoke_user("alice").await.unwrap();
        site.logins.0.revoke_user("nobody").await.unwrap();
        assert_logged_in(&mut log_in(site, engine, "/a/", ALICE), site, "/a/");
    })
    .await;
}

#[actix_web::test]
async fn revoke_login_ends_only_the_login_with_that_id() {
    in_every_setup(async |site, engine| {
        let mut office = log_in(site, engine, "/a/", ALICE);
        let id = last_user(site).login_id().unwrap();
        let mut home = log_in(site, engine, "/a/", ALICE);
        assert_ne!(last_user(site).login_id().unwrap(), id);
        // The id is parsed from text, as from a form.
        site.logins.0.revoke_login(id.to_string().parse().unwrap()).await.unwrap();
        assert_revoked(&mut office, site);
        assert_logged_in(&mut home, site, "/a/");
        assert_eq!(office.type_credentials(site, ALICE).status, 200);
        assert_ne!(last_user(site).login_id().unwrap(), id);
    })
    .await;
}

/// The user of the page that was served last.
fn last_user(site: &Site) -> User {
    site.seen().users.last().unwrap().clone()
}

#[actix_web::test]
async fn revoke_user_ends_a_login_in_progress() {
    in_every_setup(async |site, engine| {
        let mut browser = Browser::new(engine);
        browser.open(site, "/a/");
        browser.type_into(0, ALICE);
        browser.progress(site, 0, true);
        site.logins.0.revoke_user("alice").await.unwrap();
        browser.settle(site);
        assert_eq!(browser.fetch(site, "/a/poll"), 401);
    })
    .await;
}

#[actix_web::test]
async fn revoking_a_login_twice_is_harmless() {
    in_every_setup(async |site, engine| {
        let mut browser = log_in(site, engine, "/a/", ALICE);
        let (id, old) = (last_user(site).login_id().unwrap(), browser.cookie.clone());
        browser.open(site, "/logout");
        site.logins.0.revoke_login(id).await.unwrap();
        // A background request with the cookie from before the logout may carry credentials that the
        // user typed after it.
        let headers = vec![
            ("user-agent", "Mozilla/5.0".to_owned()),
            ("sec-fetch-site", "same-origin".to_owned()),
            ("sec-fetch-mode", "cors".to_owned()),
        ];
        let raced = Wire { headers, ..wire("/a/poll", old, Some(ALICE)) };
        assert_eq!(site.answer(&raced).status, 403);
    })
    .await;
}

fn wire(path: &str, cookie: Option<String>, credentials: Option<Credentials>) -> Wire {
    Wire { credentials, ..Wire::page(path, cookie) }
}

#[actix_web::test]
async fn login_is_shared_between_machines_without_a_check() {
    in_every_setup(async |site, engine| {
        let mut browser = log_in(site, engine, "/a/", ALICE);
        let checked = site.seen().checked.len();
        for _ in 0..4 {
            assert_logged_in(&mut browser, site, "/a/x"); // The machines take turns.
        }
        assert_eq!(site.seen().checked.len(), checked);
    })
    .await;
}

#[actix_web::test]
async fn old_cookies_are_refused_after_a_restart() {
    let revocations = Revocations::default();
    let shared = |builder: BasicLoginBuilder| builder.revocation_store(revocations.clone());
    let setup = Setup::new(Store::Cookie);
    let site = Site::with(&setup, shared).await;
    let mut alice = log_in(&site, Engine::Chromium, "/a/", ALICE);
    let logged_out = wire("/a/", alice.cookie.clone(), Some(ALICE));
    alice.open(&site, "/logout");
    let mut bob = log_in(&site, Engine::Chromium, "/a/", BOB);
    let revoked = wire("/a/", bob.cookie.clone(), Some(BOB));
    site.logins.0.revoke_user("bob").await.unwrap();

    let site = Site::with(&setup, shared).await;
    assert_eq!(site.answer(&logged_out).status, 401);
    assert_revoked(&mut bob, &site);
    assert_eq!(site.answer(&revoked).status, 401);
}

#[actix_web::test]
async fn revoked_id_is_kept_as_long_as_its_login_could_live() {
    let kept = async |more: &dyn Fn(BasicLoginBuilder) -> BasicLoginBuilder| {
        let site = Site::with(&Setup::new(Store::Cookie), more).await;
        log_in(&site, Engine::Chromium, "/a/", ALICE).open(&site, "/logout");
        site.logins.0.revoke_user("alice").await.unwrap();
        site.revocations.ttls()
    };
    // The login is recorded for minutes. One minute is added to the life of a login, because the clocks
    // of machines differ, and 20 minutes, so that it expires later than entries about challenges. The
    // deadlines of the logins that `revoke_user` ends are not known.
    let kept_for = |logout| [20 * MINUTE, logout + 20 * MINUTE, 400 * DAY + 20 * MINUTE];
    assert_eq!(kept(&|it| it).await, kept_for(30 * DAY + MINUTE));
    assert_eq!(kept(&|it| it.visit_deadline(DAY)).await, kept_for(DAY + MINUTE));
    assert_eq!(kept(&|it| it.login_deadline(DAY)).await, kept_for(DAY + MINUTE));
    assert_eq!(kept(&|it| it.visit_deadline(Duration::MAX)).await, kept_for(400 * DAY));
}

#[actix_web::test]
async fn revoked_id_of_another_realm_is_kept_for_400_days() {
    let setup = Setup { logout_response: LogoutResponse::Page, ..Setup::new(Store::Cookie) };
    let site = Site::new(&setup).await;
    let mut browser = log_in(&site, Engine::Chromium, "/a/", ALICE);
    browser.open(&site, "/a/b/");
    browser.type_credentials(&site, ("carol", "three"));
    browser.open(&site, "/logout");
    let ended = site.revocations.ttls().into_iter().filter(|it| *it > DAY);
    assert_eq!(ended.collect::<Vec<_>>(), [30 * DAY + 21 * MINUTE, 400 * DAY + 20 * MINUTE]);
}

#[actix_web::test]
async fn only_requests_with_a_login_query_the_store_and_once() {
    let site = Site::new(&Setup::new(Store::Cookie)).await;
    let curl = Wire {
        headers: vec![("user-agent", "curl/8.14.1".to_owned())],
        ..wire("/a/", None, Some(ALICE))
    };
    assert_eq!(site.answer(&curl).status, 200);
    assert_eq!(site.answer(&wire("/a/", None, None)).status, 401);
    assert_eq!(site.answer(&wire("/a/", None, Some(ALICE))).status, 401);
    assert_eq!(site.revocations.gets(), 0);

    let mut browser = log_in(&site, Engine::Chromium, "/a/", ALICE);
    let before = site.revocations.gets();
    browser.open(&site, "/a/");
    assert_eq!(site.revocations.gets() - before, 1);
}

fn assert_unavailable(answer: &Answer) {
    assert_eq!(answer.status, 503);
    assert_eq!((&answer.challenge, answer.is_quiet, &answer.set_cookie), (&None, false, &None));
    assert!(answer.body.contains("Your login cannot be checked"), "{}", answer.body);
}

#[actix_web::test]
async fn unavailable_revocation_store_gives_503_without_changes() {
    in_every_setup(async |site, engine| {
        let mut browser = log_in(site, engine, "/a/", ALICE);
        let id = last_user(site).login_id().unwrap();
        let served = site.seen().served.len();
        site.revocations.set_broken(true);
        assert_unavailable(&browser.open(site, "/a/"));
        assert_eq!(browser.fetch(site, "/a/poll"), 503);
        assert_unavailable(&browser.open(site, "/logout"));
        assert_unavailable(&browser.open(site, "/a/logout"));
        assert!(site.logins.0.revoke_user("alice").await.is_err());
        assert!(site.logins.0.revoke_login(id).await.is_err());
        assert_eq!((site.seen().served.len(), browser.prompts), (served, 0));

        site.revocations.set_broken(false);
        assert_logged_in(&mut browser, site, "/a/");
    })
    .await;
}

#[actix_web::test]
async fn failing_store_saves_no_login_and_no_late_write() {
    in_every_setup(async |site, engine| {
        let mut browser = Browser::new(engine);
        browser.open(site, "/a/");
        browser.type_into(0, ALICE);
        browser.progress(site, 0, true);
        site.revocations.set_broken(true);
        browser.settle(site);
        assert_unavailable(&browser.shown[&0]);
        site.revocations.set_broken(false);
        assert_eq!(site.peek(browser.cookie.as_deref(), A).unwrap()["is"], "prompted");

        let mut browser = log_in(site, engine, "/a/", ALICE);
        let wire = wire("/a/write", browser.cookie.clone(), Some(ALICE));
        let mut slow = site.start(&wire, true);
        assert!(slow.run().is_none(), "the request is held in its handler");
        site.revocations.set_broken(true);
        site.permit(wire.number);
        assert_unavailable(&slow.run().unwrap());
        site.revocations.set_broken(false);
        assert_logged_in(&mut browser, site, "/a/");
    })
    .await;
}

/// Logs alice in, and spawns a task that waits for the end of her login.
async fn wait_for_end(
    more: impl Fn(BasicLoginBuilder) -> BasicLoginBuilder,
) -> (Site, Browser, Waiting) {
    tokio::time::pause();
    let setup = Setup { two_machines: true, ..Setup::new(Store::Memory) };
    let site = Site::with(&setup, more).await;
    let browser = log_in(&site, Engine::Chromium, "/a/", ALICE);
    let waiting = Waiting(rt::spawn(last_user(&site).ended()));
    assert!(waiting.is_pending().await);
    (site, browser, waiting)
}

struct Waiting(rt::task::JoinHandle<()>);

impl Waiting {
    /// Whether the task still waits after ten seconds. Tokio's clock is paused, so they pass at once.
    async fn is_pending(&self) -> bool {
        tokio::time::sleep(Duration::from_secs(10)).await;
        !self.0.is_finished()
    }

    async fn assert_resolved(self) {
        self.0.await.unwrap();
    }
}

#[actix_web::test]
async fn user_ended_resolves_after_logout() {
    let (site, mut browser, waiting) = wait_for_end(|it| it).await;
    browser.open(&site, "/logout");
    waiting.assert_resolved().await;
}

#[actix_web::test]
async fn user_ended_resolves_after_revoke_user() {
    let (site, _, waiting) = wait_for_end(|it| it).await;
    site.logins.0.revoke_user("alice").await.unwrap();
    waiting.assert_resolved().await;
}

#[actix_web::test]
async fn user_ended_resolves_after_revoke_login() {
    let (site, _, waiting) = wait_for_end(|it| it).await;
    site.logins.0.revoke_login(last_user(&site).login_id().unwrap()).await.unwrap();
    waiting.assert_resolved().await;
}

#[actix_web::test]
async fn user_ended_resolves_at_the_timeout() {
    let (site, _, waiting) = wait_for_end(|it| it.login_deadline(MINUTE)).await;
    site.seen().now += MINUTE;
    waiting.assert_resolved().await;
}

#[actix_web::test]
async fn user_ended_resolves_after_a_password_change() {
    let (site, mut browser, waiting) = wait_for_end(|it| it.reverify_after(MINUTE)).await;
    site.seen().revoked.push("one");
    site.seen().now += MINUTE;
    browser.open(&site, "/a/");
    waiting.assert_resolved().await;
}

#[actix_web::test]
async fn user_ended_ignores_other_logins_and_store_failures() {
    let (site, mut browser, waiting) = wait_for_end(|it| it).await;
    log_in(&site, Engine::Chromium, "/a/", ALICE).open(&site, "/logout");
    site.logins.0.revoke_user("bob").await.unwrap();
    site.logins.1.revoke_user("alice").await.unwrap();
    assert!(waiting.is_pending().await);
    site.revocations.set_broken(true);
    assert!(waiting.is_pending().await);
    site.revocations.set_broken(false);
    browser.open(&site, "/logout");
    waiting.assert_resolved().await;
}

#[actix_web::test]
async fn user_ended_resolves_at_once_or_never_for_non_browsers() {
    let (site, mut browser, waiting) = wait_for_end(|it| it).await;
    let alice = last_user(&site);
    browser.open(&site, "/logout");
    waiting.assert_resolved().await;
    at_once(alice.ended());

    let headers = vec![("user-agent", "curl/8.14.1".to_owned())];
    site.answer(&Wire { headers, ..wire("/a/", None, Some(ALICE)) });
    assert_eq!(last_user(&site).login_id(), None);
    let waiting = Waiting(rt::spawn(last_user(&site).ended()));
    site.logins.0.revoke_user("alice").await.unwrap();
    assert!(waiting.is_pending().await);
}

#[test]
#[should_panic(expected = "there is no reactor running")]
fn user_ended_panics_outside_a_runtime() {
    let alice = rt::System::new().block_on(async {
        let site = Site::new(&Setup::new(Store::Cookie)).await;
        log_in(&site, Engine::Chromium, "/a/", ALICE);
        last_user(&site)
    });
    at_once(alice.ended());
}

/// A WebSocket handshake without credentials, as Safari sends it.
fn handshake(cookie: Option<String>) -> Wire {
    let headers = vec![
        ("user-agent", "Mozilla/5.0".to_owned()),
        ("origin", "http://localhost:8080".to_owned()),
        ("upgrade", "websocket".to_owned()),
        ("sec-websocket-key", "dGhlIHNhbXBsZQ==".to_owned()),
    ];
    Wire { headers, ..wire("/a/socket", cookie, None) }
}

fn sockets_with_session_only(builder: BasicLoginBuilder) -> BasicLoginBuilder {
    builder.allow_session_only(|req| req.path() == "/a/socket")
}

async fn with_sockets(flow: impl AsyncFn(&Site, &mut Browser)) {
    for store in [Store::Cookie, Store::Memory] {
        let site = Site::with(&Setup::new(store), sockets_with_session_only).await;
        let mut browser = log_in(&site, Engine::WebKit, "/a/", ALICE);
        flow(&site, &mut browser).await;
    }
}

#[actix_web::test]
async fn allow_session_only_accepts_a_session_without_credentials() {
    with_sockets(async |site, browser| {
        let answer = site.answer(&handshake(browser.cookie.clone()));
        assert_eq!((answer.status, &*answer.body), (200, "Signed in as alice"));
        assert_eq!(answer.set_cookie, None);
        let other_path = Wire { path: "/a/other".to_owned(), ..handshake(browser.cookie.clone()) };
        assert_eq!(site.answer(&other_path).status, 401);
        assert_eq!(site.answer(&handshake(None)).status, 401);

        site.seen().now += 10 * MINUTE;
        let answer = site.answer(&handshake(browser.cookie.clone()));
        assert_eq!(answer.status, 200, "although verification of the password is due");
    })
    .await;
    let site = Site::new(&Setup::new(Store::Cookie)).await;
    let browser = log_in(&site, Engine::WebKit, "/a/", ALICE);
    assert_eq!(site.answer(&handshake(browser.cookie)).status, 401, "it is off by default");
}

#[actix_web::test]
async fn allow_session_only_refuses_other_origins_and_wrong_passwords() {
    with_sockets(async |site, browser| {
        let mut foreign = handshake(browser.cookie.clone());
        foreign.headers[1].1 = "http://evil.example".to_owned();
        assert_eq!(site.answer(&foreign).status, 401);
        let mut other_port = handshake(browser.cookie.clone());
        other_port.origin = "http://localhost:9090";
        other_port.headers[1].1 = "http://localhost:9090".to_owned();
        assert_eq!(site.answer(&other_port).status, 401);
        let credentials = Some(("alice", "wrong"));
        let wrong = Wire { credentials, ..handshake(browser.cookie.clone()) };
        assert_eq!(site.answer(&wrong).status, 401);
    })
    .await;
}

#[actix_web::test]
async fn allow_session_only_refuses_ended_logins() {
    with_sockets(async |site, browser| {
        let old = browser.cookie.clone();
        browser.open(site, "/logout");
        assert_eq!(site.answer(&handshake(old)).status, 401);
        assert_eq!(site.answer(&handshake(browser.cookie.clone())).status, 401);
        browser.type_credentials(site, ALICE);
        assert_eq!(site.answer(&handshake(browser.cookie.clone())).status, 200);
        site.logins.0.revoke_user("alice").await.unwrap();
        assert_eq!(site.answer(&handshake(browser.cookie.clone())).status, 401);
    })
    .await;
}

#[actix_web::test]
async fn failing_request_cannot_undo_a_logout() {
    in_every_setup(async |site, engine| {
        for path in ["/a/fail/write", "/a/panic/write", "/a/hang/write"] {
            let mut browser = log_in(site, engine, "/a/", ALICE);
            let old = wire(path, browser.cookie.clone(), Some(ALICE));
            let mut slow = site.start(&old, true);
            assert!(slow.run().is_none(), "the request is held in its handler");
            browser.open(site, "/logout");
            site.permit(old.number);
            let answer = slow.finish();
            // No cookie that the browser can hold now leads to a login.
            let cookies = [old.cookie, browser.cookie, answer.and_then(|it| it.set_cookie)];
            for cookie in cookies.into_iter().flatten() {
                assert_eq!(site.answer(&wire("/a/", Some(cookie), Some(ALICE))).status, 401);
            }
        }
    })
    .await;
}

#[actix_web::test]
async fn logout_ends_a_login_whose_session_was_renewed() {
    in_every_setup(async |site, engine| {
        let browser = log_in(site, engine, "/a/", ALICE);
        let (old, mut other_tab) = (browser.cookie.clone(), Browser::new(engine));
        other_tab.cookie = old.clone();
        other_tab.open(site, "/a/b/"); // The other realm's challenge renews the key.
        let renewed = other_tab.cookie.clone();
        assert_ne!(renewed, old);
        assert_eq!(site.answer(&wire("/a/", renewed.clone(), Some(ALICE))).status, 200);

        assert_eq!(site.answer(&wire("/logout", old, Some(ALICE))).status, 401);
        for number in [2, 3] {
            let wire = Wire { number, ..wire("/a/", renewed.clone(), Some(ALICE)) };
            assert_eq!(site.answer(&wire).status, 401);
        }
    })
    .await;
}

#[actix_web::test]
async fn realm_logout_ends_its_login_on_every_machine() {
    for store in [Store::Cookie, Store::Memory] {
        let setup =
            Setup { two_machines: true, logout_scope: LogoutScope::Realm, ..Setup::new(store) };
        let site = Site::new(&setup).await;
        let mut browser = log_in(&site, Engine::Chromium, "/a/", ALICE);
        let old = browser.cookie.clone();
        browser.request(&site, Kind::Page, "POST", "/logout");
        for number in [2, 3] {
            let wire = Wire { number, ..wire("/a/", old.clone(), Some(ALICE)) };
            assert_eq!(site.answer(&wire).status, 401);
        }
    }
}
