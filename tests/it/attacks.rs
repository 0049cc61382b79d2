//! Attacks on logins, sessions and the revocation list, through the real middleware.

mod cookies;
mod lasting;
mod one_prompt;
mod races;
mod replaced_sessions;

use std::{
    future::Future,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    task::{Context, Poll, Wake},
    time::Duration,
};

use actix_basic_logout::{AnonymousTtl, BasicLoginBuilder, LogoutScope, User};
use actix_session::storage::SessionStore;
use actix_web::{cookie::time, rt};

use crate::support::{
    browser::{Browser, Engine},
    log::Log,
    site::{A, Answer, Credentials, LOGIN_DEADLINE, Setup, Site, Store, VISIT_DEADLINE, Wire},
    store::{MemoryStore, SessionState},
};

const ALICE: Credentials = ("alice", "one");
const BOB: Credentials = ("bob", "two");

const MINUTE: Duration = Duration::from_secs(60);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

const STORES: [Store; 2] = [Store::Cookie, Store::Memory];

fn log_in(site: &Site, credentials: Credentials) -> Browser {
    let mut browser = Browser::new(Engine::Chromium);
    browser.open(site, "/a/");
    let answer = browser.type_credentials(site, credentials);
    assert_eq!(answer.body, format!("Signed in as {}", credentials.0));
    browser
}

fn wire(path: &str, cookie: Option<&String>, credentials: Option<Credentials>) -> Wire {
    Wire { credentials, ..Wire::page(path, cookie.cloned()) }
}

/// A request that passes with the session alone.
fn socket(cookie: Option<&String>) -> Wire {
    with_header(&wire("/a/socket", cookie, None), "sec-fetch-mode", "websocket")
}

fn with_header(wire: &Wire, name: &'static str, value: &str) -> Wire {
    let mut wire = wire.clone();
    wire.headers.retain(|(it, _)| *it != name);
    if !value.is_empty() {
        wire.headers.push((name, value.to_owned()));
    }
    wire
}

fn sockets(builder: BasicLoginBuilder) -> BasicLoginBuilder {
    builder.allow_session_only(|req| req.path() == "/a/socket")
}

async fn site_with_sockets(store: Store) -> Site {
    Site::with(&Setup::new(store), sockets).await
}

fn last_user(site: &Site) -> User {
    site.seen().users.last().unwrap().clone()
}

/// A task that waits for the end of a login.
struct Socket(rt::task::JoinHandle<()>);

impl Socket {
    async fn open(user: &User) -> Self {
        let socket = Self(rt::spawn(user.ended()));
        assert!(socket.is_open().await);
        socket
    }

    async fn is_open(&self) -> bool {
        for _ in 0..50 {
            rt::task::yield_now().await;
        }
        !self.0.is_finished()
    }
}

fn assert_refused(answer: &Answer) {
    assert_eq!(answer.status, 401, "{answer:?}");
}

#[actix_web::test]
async fn only_the_same_origin_passes_with_the_session_alone() {
    for store in STORES {
        let site = site_with_sockets(store).await;
        let cookie = log_in(&site, ALICE).cookie;
        let own = socket(cookie.as_ref());
        assert_eq!(site.answer(&own).status, 200);
        for (name, value) in [
            ("sec-fetch-site", "same-site"),
            ("sec-fetch-site", "cross-site"),
            ("sec-fetch-site", "none"),
            ("sec-fetch-site", ""),
        ] {
            assert_refused(&site.answer(&with_header(&own, name, value)));
        }
        let old_browser = with_header(&own, "sec-fetch-site", "");
        for (origin, status) in [
            ("http://localhost:8080", 200),
            ("http://localhost:9999", 401),
            ("http://evil.localhost:8080", 401),
            ("https://evil.example.com", 401),
            ("null", 401),
        ] {
            let answer = site.answer(&with_header(&old_browser, "origin", origin));
            assert_eq!(answer.status, status, "{origin}");
        }
    }
}

#[actix_web::test]
async fn planted_session_does_not_pass_alone_after_the_login() {
    for store in STORES {
        let site = site_with_sockets(store).await;
        let planted = site.answer(&wire("/a/", None, None)).set_cookie;
        let mut victim = Browser::new(Engine::Chromium);
        victim.cookie = planted.clone();
        victim.open(&site, "/a/");
        assert_eq!(victim.type_credentials(&site, ALICE).status, 200);
        assert_eq!(site.answer(&socket(victim.cookie.as_ref())).status, 200);
        assert_refused(&site.answer(&socket(planted.as_ref())));
    }
}

#[actix_web::test]
async fn session_alone_needs_a_fingerprint_of_this_key() {
    // Without a shared key, a restarted server has another one, and no revocation list.
    let start = async |key: u8| {
        let more = |it: BasicLoginBuilder| sockets(it).fingerprint_key([key; 32]);
        Site::with(&Setup::new(Store::Cookie), more).await
    };
    let mut browser = log_in(&start(1).await, ALICE);
    let logged_out = browser.cookie.clone();
    let site = start(2).await;
    assert_refused(&site.answer(&socket(logged_out.as_ref())));
    browser.open(&site, "/a/");
    assert_eq!(site.answer(&socket(browser.cookie.as_ref())).status, 200, "after a check");
}

#[actix_web::test]
async fn session_alone_needs_a_revocation_list_that_knows_its_login() {
    let site = site_with_sockets(Store::Memory).await;
    let mut browser = log_in(&site, ALICE);
    site.memory.edit(A, |entry| entry["state"]["logged_in"]["revocation_list"] = 7.into());
    assert_refused(&site.answer(&socket(browser.cookie.as_ref())));
    // A request with the credentials adds the login to the list of now.
    assert_eq!(browser.open(&site, "/a/").status, 200);
    assert_eq!(site.answer(&socket(browser.cookie.as_ref())).status, 200);
}

#[actix_web::test]
async fn session_alone_does_not_postpone_the_idle_timeout() {
    for store in STORES {
        let setup = Setup { deadlines: true, ..Setup::new(store) };
        let site = Site::with(&setup, sockets).await;
        let cookie = log_in(&site, ALICE).cookie;
        for _ in 0..3 {
            site.seen().now += VISIT_DEADLINE / 4;
            let answer = site.answer(&socket(cookie.as_ref()));
            assert_eq!((answer.status, answer.set_cookie), (200, None));
        }
        site.seen().now += VISIT_DEADLINE / 4;
        assert_refused(&site.answer(&socket(cookie.as_ref())));
    }
}

#[actix_web::test]
async fn other_credentials_begin_another_login_and_end_the_old_one() {
    for store in STORES {
        for other in [("alice", "new"), BOB] {
            let site = site_with_sockets(store).await;
            site.seen().added.push(("alice", "new"));
            let mut browser = log_in(&site, ALICE);
            let (stolen, old) = (browser.cookie.clone(), last_user(&site));
            let open = Socket::open(&old).await;
            if other.0 == "alice" {
                site.seen().revoked.push("one");
            }
            let answer = site.answer(&wire("/a/", browser.cookie.as_ref(), Some(other)));
            assert_eq!(answer.status, 200);
            browser.cookie = answer.set_cookie.or(browser.cookie);
            assert_ne!(last_user(&site).login_id(), old.login_id());
            assert!(!open.is_open().await, "its sockets close");
            assert_eq!(site.answer(&wire("/a/", browser.cookie.as_ref(), Some(other))).status, 200);
            assert_eq!(site.answer(&socket(browser.cookie.as_ref())).status, 200);
            assert_refused(&site.answer(&socket(stolen.as_ref())));
        }
    }
}

#[actix_web::test]
async fn client_cannot_make_its_session_large() {
    let long = "h".repeat(60_000);
    for (name, value) in [
        ("x-forwarded-host", &long),
        ("x-forwarded-proto", &long),
        ("forwarded", &format!("host={long};proto=https")),
    ] {
        for path in [format!("/a/{long}"), "/a/".to_owned()] {
            let site = Site::new(&Setup::new(Store::Memory)).await;
            site.answer(&with_header(&wire(&path, None, None), name, value));
            let wrong = wire(&path, None, Some(("alice", "wrong")));
            site.answer(&with_header(&wrong, name, value));
            assert_eq!(site.memory.len(), 2);
            let stored = site.memory.all().len();
            assert!(stored < 3_000, "{stored} bytes of two sessions after a long {name}");
            // A session in a cookie has room for 4 KiB.
            let site = Site::new(&Setup::new(Store::Cookie)).await;
            let answer = site.answer(&with_header(&wire(&path, None, None), name, value));
            assert_eq!(answer.status, 401, "{name}");
        }
    }
}

#[actix_web::test]
async fn request_logs_a_bounded_amount() {
    let long = "x".repeat(60_000);
    let user: &str = "u".repeat(1_000).leak();
    for path in [format!("/a/{long}"), format!("/logout/../{long}"), "/logout".to_owned()] {
        for (name, value) in [
            ("x-forwarded-host", &*long),
            ("user-agent", &format!("Mozilla/5.0 {long}")),
            ("accept", &long),
            ("cookie", &format!("id={long}")),
            ("authorization", &format!("Basic {long}")),
            ("sec-fetch-site", "cross-site"),
            ("sec-fetch-site", "same-origin"),
        ] {
            for credentials in [None, Some(("alice", "wrong")), Some((user, "x"))] {
                let site = Site::new(&Setup::new(Store::Memory)).await;
                let challenged = site.answer(&wire("/a/", None, None)).set_cookie;
                let request = Wire { path: path.clone(), ..wire("/a/", challenged.as_ref(), None) };
                let request = with_header(&Wire { credentials, ..request }, name, value);
                let (log, _guard) = Log::capture();
                site.answer(&request);
                let length = log.text().len();
                assert!(length < 3_000, "{length} bytes for {name} of {}", value.len());
            }
        }
    }
}

#[actix_web::test]
async fn socket_closes_after_a_logout_with_a_session_that_was_replaced() {
    for store in STORES {
        let site = Site::new(&Setup::new(store)).await;
        let mut browser = log_in(&site, ALICE);
        browser.open(&site, "/a/x");
        let old = browser.cookie.clone();
        let before = Socket::open(&last_user(&site)).await;
        // The other realm's challenge replaces the session.
        browser.cookie = site.answer(&wire("/a/b/", old.as_ref(), None)).set_cookie;
        assert_eq!(browser.open(&site, "/a/x").status, 200);
        let after = Socket::open(&last_user(&site)).await;
        site.answer(&wire("/logout", old.as_ref(), Some(ALICE)));
        assert!(!before.is_open().await && !after.is_open().await);
        assert_eq!(browser.open(&site, "/a/x").status, 401);
    }
}

/// Sends a logout without a login in each way that leaves something behind.
fn log_out_without_login(site: &Site, number: u32) {
    let challenged = site.answer(&wire("/a/", None, None)).set_cookie;
    site.answer(&wire("/logout", challenged.as_ref(), None));
    let rechallenged = site.answer(&wire("/a/", None, Some(("alice", "wrong")))).set_cookie;
    site.answer(&wire("/logout", rechallenged.as_ref(), Some(("alice", "wrong"))));
    site.answer(&wire("/logout", Some(&format!("forged{number}")), Some(("mallory", "x"))));
    site.answer(&wire("/logout", None, Some(("mallory", "x"))));
}

/// Counts how often it wakes somebody.
#[derive(Default)]
struct Wakes(AtomicUsize);

impl Wake for Wakes {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Relaxed);
    }
}

#[actix_web::test]
async fn logouts_without_a_login_wake_no_socket() {
    tokio::time::pause();
    for store in STORES {
        let site = Site::new(&Setup::new(store)).await;
        // No other test of this process revokes this user, which would wake the sockets, too.
        let mut browser = log_in(&site, ("both", "same"));
        let user = last_user(&site);
        // No time passes from here on, because the test awaits nothing.
        let wakes = Arc::new(Wakes::default());
        let waker = Arc::clone(&wakes).into();
        let mut sockets: Vec<_> = (0..100).map(|_| Box::pin(user.ended())).collect();
        let mut poll_all = || {
            let mut context = Context::from_waker(&waker);
            let pending = |it: Poll<()>| usize::from(it.is_pending());
            sockets.iter_mut().map(|it| pending(it.as_mut().poll(&mut context))).sum::<usize>()
        };
        assert_eq!(poll_all(), 100);
        for number in 0..20 {
            log_out_without_login(&site, number);
        }
        // The end of another login wakes nobody, either.
        log_in(&site, BOB).open(&site, "/logout");
        assert_eq!(wakes.0.load(Relaxed), 0);
        let before = site.revocations.gets();
        assert_eq!(poll_all(), 100);
        assert_eq!(site.revocations.gets(), before, "no socket asked the store");
        browser.open(&site, "/logout");
        assert_eq!(wakes.0.load(Relaxed), 100);
        assert_eq!(poll_all(), 0);
    }
}

#[actix_web::test]
async fn logouts_without_a_login_are_remembered_for_minutes() {
    for store in STORES {
        let site = Site::new(&Setup::new(store)).await;
        for number in 0..20 {
            log_out_without_login(&site, number);
        }
        let stored = site.revocations.stored();
        assert!(!stored.is_empty() && stored.iter().all(|it| *it <= 20 * MINUTE), "{stored:?}");
    }
}

/// The time to live that the session of a cookie was last given.
fn session_ttl(site: &Site, cookie: Option<&String>) -> time::Duration {
    site.memory.ttl(&Site::content(cookie.expect("a session"))).expect("it exists")
}

#[actix_web::test]
async fn session_without_a_login_is_kept_for_fifteen_minutes() {
    let (short, full) = (time::Duration::minutes(15), time::Duration::days(1));
    for prolongs_sessions in [false, true] {
        for anonymous_ttl in [false, true] {
            let setup = Setup::new(Store::Memory);
            let site = Site::new(&Setup { anonymous_ttl, prolongs_sessions, ..setup }).await;
            let anonymous = if anonymous_ttl { short } else { full };
            let challenged = site.answer(&wire("/a/", None, None)).set_cookie;
            assert_eq!(session_ttl(&site, challenged.as_ref()), anonymous);
            site.answer(&wire("/free", challenged.as_ref(), None));
            assert_eq!(session_ttl(&site, challenged.as_ref()), anonymous);
            let wrong = wire("/a/", None, Some(("alice", "wrong")));
            assert_eq!(session_ttl(&site, site.answer(&wrong).set_cookie.as_ref()), anonymous);
            let out = site.answer(&wire("/logout", challenged.as_ref(), None)).set_cookie;
            assert_eq!(session_ttl(&site, out.as_ref()), anonymous);

            let mut browser = log_in(&site, ALICE);
            assert_eq!(session_ttl(&site, browser.cookie.as_ref()), full);
            browser.open(&site, "/free");
            assert_eq!(session_ttl(&site, browser.cookie.as_ref()), full);
            browser.open(&site, "/logout");
            browser.cancel_dialog(&site);
            browser.open(&site, "/a/x");
            assert_eq!(session_ttl(&site, browser.cookie.as_ref()), full);

            let written = site.answer(&wire("/free/write", None, None)).set_cookie;
            assert_eq!(session_ttl(&site, written.as_ref()), full);
            let both = site.answer(&wire("/a/", written.as_ref(), None)).set_cookie.or(written);
            assert_eq!(session_ttl(&site, both.as_ref()), full);
            site.answer(&wire("/free", both.as_ref(), None));
            assert_eq!(session_ttl(&site, both.as_ref()), full);
        }
    }
}

#[actix_web::test]
async fn anonymous_ttl_passes_everything_else_to_its_store() {
    let memory = MemoryStore::default();
    let store = AnonymousTtl::new(memory.clone());
    let (short, full) = (time::Duration::minutes(15), time::Duration::days(1));
    let with = |value: &str| SessionState::from([("cart".to_owned(), value.to_owned())]);
    let (nothing, cart) = (SessionState::new(), with("1"));
    for (state, most) in [(&nothing, short), (&cart, full)] {
        for ttl in [full, short, time::Duration::minutes(1)] {
            let kept = ttl.min(most);
            let key = store.save(state.clone(), &ttl).await.unwrap();
            assert_eq!(store.load(&key).await.unwrap().as_ref(), Some(state));
            assert_eq!(memory.ttl(key.as_ref()), Some(kept));
            // A session without a login keeps its own time to live.
            let second = time::Duration::seconds(1);
            store.update_ttl(&key, &second).await.unwrap();
            let changed = if state.is_empty() { kept } else { second };
            assert_eq!(memory.ttl(key.as_ref()), Some(changed));
            store.update_ttl(&key, &ttl).await.unwrap();
            assert_eq!(memory.ttl(key.as_ref()), Some(kept));
            let text = key.as_ref().to_owned();
            let key = store.update(key, with("2"), &ttl).await.unwrap();
            assert_eq!((key.as_ref(), memory.ttl(key.as_ref())), (&*text, Some(ttl)));
            assert_eq!(store.load(&key).await.unwrap(), Some(with("2")));
            let key = store.update(key, state.clone(), &ttl).await.unwrap();
            assert_eq!(memory.ttl(key.as_ref()), Some(kept));
            store.delete(&key).await.unwrap();
            assert_eq!(store.load(&key).await.unwrap(), None);
            store.update_ttl(&key, &ttl).await.unwrap();
            assert_eq!(memory.ttl(key.as_ref()), None);
        }
    }
    let key = store.save(cart.clone(), &full).await.unwrap();
    memory.set_broken(true);
    assert!(store.load(&key).await.is_err() && store.save(cart.clone(), &full).await.is_err());
    assert!(store.update_ttl(&key, &full).await.is_err() && store.delete(&key).await.is_err());
    assert!(store.update(key, cart, &full).await.is_err());
}

#[actix_web::test]
async fn flood_evicts_no_record_of_a_login() {
    for visit_deadline in [5 * MINUTE, 30 * DAY] {
        let site =
            Site::with(&Setup::new(Store::Cookie), |it| it.visit_deadline(visit_deadline)).await;
        let mut browser = log_in(&site, ALICE);
        let old = browser.cookie.clone();
        browser.open(&site, "/logout");
        // The store evicts the entries that expire soonest. This is shortly before the login expires.
        site.revocations.advance(5 * MINUTE);
        for number in 0..20 {
            log_out_without_login(&site, number);
        }
        site.revocations.evict(20);
        assert!(site.revocations.stored().len() <= 20);
        assert_refused(&site.answer(&wire("/a/", old.as_ref(), Some(ALICE))));
    }
}

#[actix_web::test]
async fn logout_with_the_challenge_ends_the_login_that_it_led_to() {
    let site = Site::new(&Setup::new(Store::Cookie)).await;
    let challenge = site.answer(&wire("/a/", None, None)).set_cookie;
    let login = site.answer(&wire("/a/", challenge.as_ref(), Some(ALICE))).set_cookie;
    let socket = Socket::open(&last_user(&site)).await;
    // The browser sent this logout before it received the answer to the login.
    site.answer(&wire("/logout", challenge.as_ref(), Some(ALICE)));
    assert!(!socket.is_open().await);
    assert_refused(&site.answer(&wire("/a/", login.as_ref(), Some(ALICE))));
    // The record outlives those of logouts without a login.
    site.revocations.expire(DAY);
    assert_refused(&site.answer(&wire("/a/", login.as_ref(), Some(ALICE))));
}

#[actix_web::test]
async fn challenge_of_an_ended_login_changes_no_record_of_it() {
    for replays_first in [false, true] {
        let site = Site::new(&Setup::new(Store::Cookie)).await;
        let challenge = site.answer(&wire("/a/", None, None)).set_cookie;
        let login = site.answer(&wire("/a/", challenge.as_ref(), Some(ALICE))).set_cookie;
        if replays_first {
            // The record of the success expires before the challenge comes again.
            site.revocations.expire(20 * MINUTE);
        }
        site.answer(&wire("/logout", login.as_ref(), Some(ALICE)));
        for cookie in [challenge.as_ref(), login.as_ref()] {
            site.answer(&wire("/logout", cookie, Some(ALICE)));
            site.answer(&wire("/a/", cookie, Some(ALICE)));
        }
        site.revocations.expire(20 * MINUTE);
        assert_refused(&site.answer(&wire("/a/", login.as_ref(), Some(ALICE))));
        assert_refused(&site.answer(&wire("/a/", challenge.as_ref(), Some(ALICE))));
    }
}

#[actix_web::test]
async fn challenge_is_answered_within_fifteen_minutes() {
    for store in STORES {
        for (minutes, first_answer) in [(14, 200), (15, 401), (60 * 24, 401)] {
            let site = Site::new(&Setup::new(store)).await;
            let mut browser = Browser::new(Engine::Chromium);
            browser.open(&site, "/a/");
            site.seen().now += minutes * MINUTE;
            let answer = browser.type_credentials(&site, ALICE);
            assert_eq!(answer.status, first_answer, "after {minutes} minutes");
            if first_answer == 401 {
                assert_eq!(browser.type_credentials(&site, ALICE).status, 200);
            }
            // A browser that opens the page again is prompted once.
            let mut browser = Browser::new(Engine::Chromium);
            browser.open(&site, "/a/");
            browser.cancel_dialog(&site);
            site.seen().now += minutes * MINUTE;
            browser.open(&site, "/a/x");
            assert_eq!(browser.type_credentials(&site, ALICE).status, 200);
        }
    }
}

#[actix_web::test]
async fn absolute_timeout_counts_from_the_login_whatever_key_the_server_has() {
    let start = async |key: u8, now| {
        let more = |it: BasicLoginBuilder| {
            it.fingerprint_key([key; 32]).visit_deadline(10 * LOGIN_DEADLINE)
        };
        let setup = Setup { deadlines: true, ..Setup::new(Store::Cookie) };
        let site = Site::with(&setup, more).await;
        site.seen().now = now;
        site
    };
    let mut now = Duration::from_secs(1);
    let mut browser = log_in(&start(0, now).await, ALICE);
    for key in 1..10 {
        now += LOGIN_DEADLINE / 10;
        let site = start(key, now).await;
        assert_eq!(browser.open(&site, "/a/").status, 200);
        let since = last_user(&site).logged_in_at();
        assert_eq!(since, std::time::UNIX_EPOCH + Duration::from_secs(1));
    }
    let answer = browser.open(&start(10, now + LOGIN_DEADLINE / 10).await, "/a/");
    assert_eq!(answer.status, 401);
    assert!(answer.body.contains("Your login has expired"), "{}", answer.body);
}

#[actix_web::test]
async fn longer_deadlines_revive_no_login_that_ended_under_shorter_ones() {
    let start = async |revocations: &crate::support::store::Revocations, visit, now| {
        let more =
            |it: BasicLoginBuilder| it.visit_deadline(visit).revocation_store(revocations.clone());
        let site = Site::with(&Setup::new(Store::Cookie), more).await;
        site.seen().now = now;
        site
    };
    let (revocations, now) = (crate::support::store::Revocations::default(), DAY);
    // Logged out under a short timeout: the record expires with it.
    let site = start(&revocations, MINUTE, now).await;
    let mut browser = log_in(&site, ALICE);
    let old = browser.cookie.clone();
    browser.open(&site, "/logout");
    revocations.expire(22 * MINUTE);
    let site = start(&revocations, 30 * DAY, now + 3 * MINUTE).await;
    assert_refused(&site.answer(&wire("/a/", old.as_ref(), Some(ALICE))));

    // Logged in under a long timeout, logged out or revoked under a short one.
    for is_revoked in [false, true] {
        let site = start(&revocations, 30 * DAY, now).await;
        let mut browser = log_in(&site, ALICE);
        let (old, id) = (browser.cookie.clone(), last_user(&site).login_id().unwrap());
        let site = start(&revocations, 10 * MINUTE, now + MINUTE).await;
        if is_revoked {
            site.logins.0.revoke_login(id).await.unwrap();
        } else {
            browser.open(&site, "/logout");
        }
        revocations.expire(20 * MINUTE);
        let site = start(&revocations, 30 * DAY, now + DAY).await;
        assert_refused(&site.answer(&wire("/a/", old.as_ref(), Some(ALICE))));
    }
}

#[actix_web::test]
async fn logout_with_two_session_cookies_does_not_look_like_a_logout() {
    for store in STORES {
        let site = Site::new(&Setup::new(store)).await;
        let browser = log_in(&site, ALICE);
        let (own, user) = (browser.cookie.unwrap(), last_user(&site));
        let planted = site.answer(&wire("/a/", None, None)).set_cookie.unwrap();
        for first in ["garbage", &planted] {
            let tossed = format!("{first}; id={own}");
            for credentials in [None, Some(ALICE)] {
                let logout = wire("/logout", Some(&tossed), credentials);
                let answer = site.answer(&logout);
                assert_eq!((answer.status, &answer.challenge), (403, &None));
                assert!(answer.body.contains("You may still be logged in"), "{}", answer.body);
                let fetch = with_header(&logout, "sec-fetch-mode", "cors");
                assert_eq!(site.answer(&fetch).status, 403);
            }
        }
        assert!(Socket::open(&user).await.is_open().await);
        // It ends the login of the session that the server has read.
        let answer = site.answer(&wire("/logout", Some(&format!("{own}; id=garbage")), None));
        assert_eq!(answer.status, 403);
        assert_refused(&site.answer(&wire("/a/", Some(&own), Some(ALICE))));
        // The same cookie twice is one session.
        let own = log_in(&site, ALICE).cookie.unwrap();
        let twice = format!("{own}; id={own}");
        assert_eq!(site.answer(&wire("/logout", Some(&twice), None)).status, 401);
        assert_refused(&site.answer(&wire("/a/", Some(&own), Some(ALICE))));
    }
}
