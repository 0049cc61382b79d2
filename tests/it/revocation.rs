//! Revocation of logins, on every machine, and `User::ended`.

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

/// A site, on two machines, in each engine and with each kind of session.
async fn everywhere(flow: impl AsyncFn(&Site, Engine)) {
    for store in [Store::Cookie, Store::Memory] {
        for engine in [Engine::Chromium, Engine::Firefox, Engine::WebKit] {
            let setup = Setup { two_machines: true, ..Setup::new(store) };
            flow(&Site::new(&setup).await, engine).await;
        }
    }
}

fn logged_in(site: &Site, engine: Engine, path: &str, credentials: Credentials) -> Browser {
    let mut browser = Browser::new(engine);
    browser.open(site, path);
    browser.types(site, credentials);
    assert_eq!(browser.open(site, path).body, format!("Signed in as {}", credentials.0));
    browser.asked = 0;
    browser
}

fn is_in(browser: &mut Browser, site: &Site, path: &str) {
    assert_eq!(browser.open(site, path).status, 200);
    assert_eq!(browser.fetch(site, path), 200);
    assert_eq!(browser.asked, 0);
}

/// The next request is refused, a page states the reason, and the browser prompts once.
fn has_ended(browser: &mut Browser, site: &Site) {
    assert_eq!(browser.fetch(site, "/a/poll"), 401);
    assert_eq!(browser.asked, 0, "not by a poll");
    let answer = browser.open(site, "/a/x/");
    assert_eq!(answer.status, 401);
    assert!(answer.body.contains("It was ended by this site"), "{}", answer.body);
    assert_eq!(browser.asked, 1);
}

#[actix_web::test]
async fn revoke_user_ends_all_logins_of_that_user_only() {
    everywhere(async |site, engine| {
        let mut at_work = logged_in(site, engine, "/a/", ALICE);
        let mut at_home = logged_in(site, engine, "/a/", ALICE);
        let mut bob = logged_in(site, engine, "/a/", BOB);
        site.logins.0.revoke_user("alice").await.unwrap();
        has_ended(&mut at_work, site);
        has_ended(&mut at_home, site);
        is_in(&mut bob, site, "/a/");
    })
    .await;
}

#[actix_web::test]
async fn revoked_user_can_log_in_again() {
    everywhere(async |site, engine| {
        let mut browser = logged_in(site, engine, "/a/", ALICE);
        for _ in 0..2 {
            site.logins.0.revoke_user("alice").await.unwrap();
            browser.open(site, "/a/");
            assert_eq!(browser.types(site, ALICE).body, "Signed in as alice");
            assert_eq!(browser.asked, 1);
            browser.asked = 0;
            is_in(&mut browser, site, "/a/x");
        }
    })
    .await;
}

#[actix_web::test]
async fn revoke_user_keeps_the_same_user_in_other_realms() {
    everywhere(async |site, engine| {
        let mut browser = logged_in(site, engine, "/a/", BOTH);
        browser.open(site, "/a/b/");
        browser.types(site, BOTH);
        browser.asked = 0;
        site.logins.1.revoke_user("both").await.unwrap();
        is_in(&mut browser, site, "/a/");
        assert_eq!(browser.fetch(site, "/a/b/poll"), 401);
    })
    .await;
}

#[actix_web::test]
async fn user_without_logins_can_be_revoked() {
    everywhere(async |site, engine| {
        site.logins.0.revoke_user("alice").await.unwrap();
        site.logins.0.revoke_user("nobody").await.unwrap();
        is_in(&mut logged_in(site, engine, "/a/", ALICE), site, "/a/");
    })
    .await;
}

#[actix_web::test]
async fn revoke_login_ends_only_the_login_with_that_id() {
    everywhere(async |site, engine| {
        let mut at_work = logged_in(site, engine, "/a/", ALICE);
        let id = user(site).login_id().unwrap();
        let mut at_home = logged_in(site, engine, "/a/", ALICE);
        assert_ne!(user(site).login_id().unwrap(), id);
        // As a form would send it.
        site.logins.0.revoke_login(id.to_string().parse().unwrap()).await.unwrap();
        has_ended(&mut at_work, site);
        is_in(&mut at_home, site, "/a/");
        assert_eq!(at_work.types(site, ALICE).status, 200);
        assert_ne!(user(site).login_id().unwrap(), id);
    })
    .await;
}

/// The user of the last page.
fn user(site: &Site) -> User {
    site.seen().users.last().unwrap().clone()
}

#[actix_web::test]
async fn revoke_user_ends_a_login_in_progress() {
    everywhere(async |site, engine| {
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
    everywhere(async |site, engine| {
        let mut browser = logged_in(site, engine, "/a/", ALICE);
        let (id, old) = (user(site).login_id().unwrap(), browser.cookie.clone());
        browser.open(site, "/logout");
        site.logins.0.revoke_login(id).await.unwrap();
        // A background request that was created before the logout may carry credentials that the
        // user typed since.
        let headers = vec![
            ("user-agent", "Mozilla/5.0".to_owned()),
            ("sec-fetch-site", "same-origin".to_owned()),
            ("sec-fetch-mode", "cors".to_owned()),
        ];
        let overtaken = Wire { headers, ..wire("/a/poll", old, Some(ALICE)) };
        assert_eq!(site.answer(&overtaken).status, 403);
    })
    .await;
}

fn wire(path: &str, cookie: Option<String>, credentials: Option<Credentials>) -> Wire {
    Wire { credentials, ..Wire::page(path, cookie) }
}

#[actix_web::test]
async fn login_is_shared_between_machines_without_a_check() {
    everywhere(async |site, engine| {
        let mut browser = logged_in(site, engine, "/a/", ALICE);
        let checked = site.seen().checked.len();
        for _ in 0..4 {
            is_in(&mut browser, site, "/a/x"); // by turns
        }
        assert_eq!(site.seen().checked.len(), checked);
    })
    .await;
}

#[actix_web::test]
async fn old_cookies_are_refused_after_a_restart() {
    let ended = Revocations::default();
    let shared = |builder: BasicLoginBuilder| builder.revocation_store(ended.clone());
    let setup = Setup::new(Store::Cookie);
    let site = Site::with(&setup, shared).await;
    let mut alice = logged_in(&site, Engine::Chromium, "/a/", ALICE);
    let logged_out = wire("/a/", alice.cookie.clone(), Some(ALICE));
    alice.open(&site, "/logout");
    let mut bob = logged_in(&site, Engine::Chromium, "/a/", BOB);
    let revoked = wire("/a/", bob.cookie.clone(), Some(BOB));
    site.logins.0.revoke_user("bob").await.unwrap();

    let site = Site::with(&setup, shared).await;
    assert_eq!(site.answer(&logged_out).status, 401);
    has_ended(&mut bob, &site);
    assert_eq!(site.answer(&revoked).status, 401);
}

#[actix_web::test]
async fn revoked_id_is_kept_as_long_as_its_login_could_live() {
    let kept = async |more: &dyn Fn(BasicLoginBuilder) -> BasicLoginBuilder| {
        let site = Site::with(&Setup::new(Store::Cookie), more).await;
        logged_in(&site, Engine::Chromium, "/a/", ALICE).open(&site, "/logout");
        site.logins.0.revoke_user("alice").await.unwrap();
        site.ended.kept()
    };
    // One minute is added for clocks that differ.
    assert_eq!(kept(&|it| it).await, [30 * DAY + MINUTE; 2]);
    assert_eq!(kept(&|it| it.visit_deadline(DAY)).await, [DAY + MINUTE; 2]);
    assert_eq!(kept(&|it| it.login_deadline(DAY)).await, [DAY + MINUTE; 2]);
    assert_eq!(kept(&|it| it.visit_deadline(Duration::MAX)).await, [400 * DAY; 2]);
}

#[actix_web::test]
async fn revoked_id_of_another_realm_is_kept_for_400_days() {
    let setup = Setup { answer: LogoutResponse::Page, ..Setup::new(Store::Cookie) };
    let site = Site::new(&setup).await;
    let mut browser = logged_in(&site, Engine::Chromium, "/a/", ALICE);
    browser.open(&site, "/a/b/");
    browser.types(&site, ("carol", "three"));
    browser.open(&site, "/logout");
    assert_eq!(site.ended.kept(), [30 * DAY + MINUTE, 400 * DAY]);
}

#[actix_web::test]
async fn only_requests_with_a_login_query_the_store_and_once() {
    let site = Site::new(&Setup::new(Store::Cookie)).await;
    let program = Wire {
        headers: vec![("user-agent", "curl/8.14.1".to_owned())],
        ..wire("/a/", None, Some(ALICE))
    };
    assert_eq!(site.answer(&program).status, 200);
    assert_eq!(site.answer(&wire("/a/", None, None)).status, 401);
    assert_eq!(site.answer(&wire("/a/", None, Some(ALICE))).status, 401);
    assert_eq!(site.ended.gets(), 0);

    let mut browser = logged_in(&site, Engine::Chromium, "/a/", ALICE);
    let before = site.ended.gets();
    browser.open(&site, "/a/");
    assert_eq!(site.ended.gets() - before, 1);
}

fn is_unavailable(answer: &Answer) {
    assert_eq!(answer.status, 503);
    assert_eq!((&answer.challenge, answer.is_quiet, &answer.set_cookie), (&None, false, &None));
    assert!(answer.body.contains("Your login cannot be checked"), "{}", answer.body);
}

#[actix_web::test]
async fn unavailable_revocation_store_gives_503_without_changes() {
    everywhere(async |site, engine| {
        let mut browser = logged_in(site, engine, "/a/", ALICE);
        let id = user(site).login_id().unwrap();
        let served = site.seen().served.len();
        site.ended.set_broken(true);
        is_unavailable(&browser.open(site, "/a/"));
        assert_eq!(browser.fetch(site, "/a/poll"), 503);
        is_unavailable(&browser.open(site, "/logout"));
        is_unavailable(&browser.open(site, "/a/logout"));
        assert!(site.logins.0.revoke_user("alice").await.is_err());
        assert!(site.logins.0.revoke_login(id).await.is_err());
        assert_eq!((site.seen().served.len(), browser.asked), (served, 0));

        site.ended.set_broken(false);
        is_in(&mut browser, site, "/a/");
    })
    .await;
}

#[actix_web::test]
async fn failing_store_saves_no_login_and_no_late_write() {
    everywhere(async |site, engine| {
        let mut browser = Browser::new(engine);
        browser.open(site, "/a/");
        browser.type_into(0, ALICE);
        browser.progress(site, 0, true);
        site.ended.set_broken(true);
        browser.settle(site);
        is_unavailable(&browser.shown[&0]);
        site.ended.set_broken(false);
        assert_eq!(site.peek(browser.cookie.as_deref(), A).unwrap()["is"], "prompted");

        let mut browser = logged_in(site, engine, "/a/", ALICE);
        let wire = wire("/a/write", browser.cookie.clone(), Some(ALICE));
        let mut slow = site.start(&wire, true);
        assert!(slow.run().is_none(), "held in its handler");
        site.ended.set_broken(true);
        site.permit(wire.number);
        is_unavailable(&slow.run().unwrap());
        site.ended.set_broken(false);
        is_in(&mut browser, site, "/a/");
    })
    .await;
}

/// Alice is logged in, and a future waits for the end of her login.
async fn waits(more: impl Fn(BasicLoginBuilder) -> BasicLoginBuilder) -> (Site, Browser, Waiting) {
    tokio::time::pause();
    let setup = Setup { two_machines: true, ..Setup::new(Store::Memory) };
    let site = Site::with(&setup, more).await;
    let browser = logged_in(&site, Engine::Chromium, "/a/", ALICE);
    let waiting = Waiting(rt::spawn(user(&site).ended()));
    assert!(waiting.goes_on().await);
    (site, browser, waiting)
}

struct Waiting(rt::task::JoinHandle<()>);

impl Waiting {
    /// Ten more seconds. Tokio's clock is paused, so they pass at once.
    async fn goes_on(&self) -> bool {
        tokio::time::sleep(Duration::from_secs(10)).await;
        !self.0.is_finished()
    }

    async fn has_ended(self) {
        self.0.await.unwrap();
    }
}

#[actix_web::test]
async fn user_ended_resolves_after_logout() {
    let (site, mut browser, waiting) = waits(|it| it).await;
    browser.open(&site, "/logout");
    waiting.has_ended().await;
}

#[actix_web::test]
async fn user_ended_resolves_after_revoke_user() {
    let (site, _, waiting) = waits(|it| it).await;
    site.logins.0.revoke_user("alice").await.unwrap();
    waiting.has_ended().await;
}

#[actix_web::test]
async fn user_ended_resolves_after_revoke_login() {
    let (site, _, waiting) = waits(|it| it).await;
    site.logins.0.revoke_login(user(&site).login_id().unwrap()).await.unwrap();
    waiting.has_ended().await;
}

#[actix_web::test]
async fn user_ended_resolves_at_the_timeout() {
    let (site, _, waiting) = waits(|it| it.login_deadline(MINUTE)).await;
    site.seen().now += MINUTE;
    waiting.has_ended().await;
}

#[actix_web::test]
async fn user_ended_resolves_after_a_password_change() {
    let (site, mut browser, waiting) = waits(|it| it.reverify_after(MINUTE)).await;
    site.seen().revoked.push("one");
    site.seen().now += MINUTE;
    browser.open(&site, "/a/");
    waiting.has_ended().await;
}

#[actix_web::test]
async fn user_ended_ignores_other_logins_and_store_failures() {
    let (site, mut browser, waiting) = waits(|it| it).await;
    logged_in(&site, Engine::Chromium, "/a/", ALICE).open(&site, "/logout");
    site.logins.0.revoke_user("bob").await.unwrap();
    site.logins.1.revoke_user("alice").await.unwrap();
    assert!(waiting.goes_on().await);
    site.ended.set_broken(true);
    assert!(waiting.goes_on().await);
    site.ended.set_broken(false);
    browser.open(&site, "/logout");
    waiting.has_ended().await;
}

#[actix_web::test]
async fn user_ended_resolves_at_once_or_never_for_non_browsers() {
    let (site, mut browser, waiting) = waits(|it| it).await;
    let alice = user(&site);
    browser.open(&site, "/logout");
    waiting.has_ended().await;
    at_once(alice.ended());

    let headers = vec![("user-agent", "curl/8.14.1".to_owned())];
    site.answer(&Wire { headers, ..wire("/a/", None, Some(ALICE)) });
    assert_eq!(user(&site).login_id(), None);
    let waiting = Waiting(rt::spawn(user(&site).ended()));
    site.logins.0.revoke_user("alice").await.unwrap();
    assert!(waiting.goes_on().await);
}

#[test]
#[should_panic(expected = "there is no reactor running")]
fn user_ended_panics_outside_a_runtime() {
    let alice = rt::System::new().block_on(async {
        let site = Site::new(&Setup::new(Store::Cookie)).await;
        logged_in(&site, Engine::Chromium, "/a/", ALICE);
        user(&site)
    });
    at_once(alice.ended());
}

/// A `WebSocket` handshake, as Safari sends it.
fn handshake(cookie: Option<String>) -> Wire {
    let headers = vec![
        ("user-agent", "Mozilla/5.0".to_owned()),
        ("origin", "http://localhost:8080".to_owned()),
        ("upgrade", "websocket".to_owned()),
    ];
    Wire { headers, ..wire("/a/socket", cookie, None) }
}

fn sockets_by_session(builder: BasicLoginBuilder) -> BasicLoginBuilder {
    builder.allow_session_only(|req| req.path() == "/a/socket")
}

async fn with_sockets(flow: impl AsyncFn(&Site, &mut Browser)) {
    for store in [Store::Cookie, Store::Memory] {
        let site = Site::with(&Setup::new(store), sockets_by_session).await;
        let mut browser = logged_in(&site, Engine::WebKit, "/a/", ALICE);
        flow(&site, &mut browser).await;
    }
}

#[actix_web::test]
async fn allow_session_only_accepts_a_session_without_credentials() {
    with_sockets(async |site, browser| {
        let answer = site.answer(&handshake(browser.cookie.clone()));
        assert_eq!((answer.status, &*answer.body), (200, "Signed in as alice"));
        assert_eq!(answer.set_cookie, None);
        let elsewhere = Wire { path: "/a/other".to_owned(), ..handshake(browser.cookie.clone()) };
        assert_eq!(site.answer(&elsewhere).status, 401);
        assert_eq!(site.answer(&handshake(None)).status, 401);

        site.seen().now += 10 * MINUTE;
        let answer = site.answer(&handshake(browser.cookie.clone()));
        assert_eq!(answer.status, 200, "though the password is due to be checked");
    })
    .await;
    let site = Site::new(&Setup::new(Store::Cookie)).await;
    let browser = logged_in(&site, Engine::WebKit, "/a/", ALICE);
    assert_eq!(site.answer(&handshake(browser.cookie)).status, 401, "not by default");
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
        browser.types(site, ALICE);
        assert_eq!(site.answer(&handshake(browser.cookie.clone())).status, 200);
        site.logins.0.revoke_user("alice").await.unwrap();
        assert_eq!(site.answer(&handshake(browser.cookie.clone())).status, 401);
    })
    .await;
}

#[actix_web::test]
async fn failing_request_cannot_undo_a_logout() {
    everywhere(async |site, engine| {
        for path in ["/a/fail/write", "/a/panic/write", "/a/hang/write"] {
            let mut browser = logged_in(site, engine, "/a/", ALICE);
            let old = wire(path, browser.cookie.clone(), Some(ALICE));
            let mut slow = site.start(&old, true);
            assert!(slow.run().is_none(), "held in its handler");
            browser.open(site, "/logout");
            site.permit(old.number);
            let answer = slow.finish();
            // Whatever the client does with the response, no user is logged in.
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
    everywhere(async |site, engine| {
        let browser = logged_in(site, engine, "/a/", ALICE);
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
        let setup = Setup { two_machines: true, clears: LogoutScope::Realm, ..Setup::new(store) };
        let site = Site::new(&setup).await;
        let mut browser = logged_in(&site, Engine::Chromium, "/a/", ALICE);
        let old = browser.cookie.clone();
        browser.request(&site, Kind::Page, "POST", "/logout");
        for number in [2, 3] {
            let wire = Wire { number, ..wire("/a/", old.clone(), Some(ALICE)) };
            assert_eq!(site.answer(&wire).status, 401);
        }
    }
}
