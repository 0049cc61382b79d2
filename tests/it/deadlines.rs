//! Absolute and idle timeouts of logins, in each browser engine with each kind of session store.

use std::time::Duration;

use actix_basic_logout::BasicLoginBuilder;

use crate::support::{
    browser::{Browser, Engine, Kind},
    site::{A, Credentials, Setup, Site, Store, Wire, nested},
};

const ALICE: Credentials = ("alice", "one");
const BOB: Credentials = ("bob", "two");

const MINUTE: Duration = Duration::from_secs(60);

/// Runs a flow on a site with these timeouts, where alice is logged in. The count of prompts is zero.
async fn in_every_setup(
    deadlines: impl Fn(BasicLoginBuilder) -> BasicLoginBuilder,
    flow: impl AsyncFn(&mut Browser, &Site),
) {
    for store in [Store::Cookie, Store::Memory] {
        for engine in [Engine::Chromium, Engine::Firefox, Engine::WebKit] {
            let site = Site::with(&Setup::new(store), &deadlines).await;
            let mut browser = Browser::new(engine);
            browser.open(&site, "/a/");
            assert_eq!(browser.type_credentials(&site, ALICE).body, "Signed in as alice");
            browser.prompts = 0;
            flow(&mut browser, &site).await;
        }
    }
}

fn absolute_timeout_of_an_hour(builder: BasicLoginBuilder) -> BasicLoginBuilder {
    builder.login_deadline(60 * MINUTE)
}

fn idle_timeout_of_ten_minutes(builder: BasicLoginBuilder) -> BasicLoginBuilder {
    builder.visit_deadline(10 * MINUTE)
}

fn wait(site: &Site, time: Duration) {
    site.seen().now += time;
}

/// Asserts that the browser's credentials are refused with the reason, and that one dialog opens.
fn assert_expired(browser: &mut Browser, site: &Site) {
    assert_eq!(browser.fetch(site, "/a/poll"), 401);
    assert_eq!(browser.prompts, 0, "a poll opens no dialog");
    let answer = browser.open(site, "/a/x/");
    assert_eq!(answer.status, 401);
    assert!(answer.body.contains("Your login has expired"), "{}", answer.body);
    assert_eq!(browser.prompts, 1);
}

#[actix_web::test]
async fn absolute_timeout_ends_a_login_in_use() {
    in_every_setup(absolute_timeout_of_an_hour, async |browser, site| {
        for _ in 0..59 {
            wait(site, MINUTE);
            assert_eq!(browser.open(site, "/a/").status, 200);
        }
        wait(site, MINUTE);
        assert_expired(browser, site);
    })
    .await;
}

#[actix_web::test]
async fn idle_timeout_ends_an_unused_login() {
    in_every_setup(idle_timeout_of_ten_minutes, async |browser, site| {
        wait(site, 10 * MINUTE);
        assert_expired(browser, site);
    })
    .await;
}

#[actix_web::test]
async fn requests_and_polls_postpone_the_idle_timeout() {
    in_every_setup(idle_timeout_of_ten_minutes, async |browser, site| {
        for _ in 0..5 {
            wait(site, 9 * MINUTE);
            assert_eq!(browser.open(site, "/a/").status, 200);
            wait(site, 9 * MINUTE);
            assert_eq!(browser.fetch(site, "/a/poll"), 200);
        }
        assert_eq!(browser.prompts, 0);
    })
    .await;
}

#[actix_web::test]
async fn same_user_logs_in_again_after_expiry() {
    in_every_setup(absolute_timeout_of_an_hour, async |browser, site| {
        wait(site, 60 * MINUTE);
        browser.open(site, "/a/");
        assert_eq!(browser.type_credentials(site, ALICE).body, "Signed in as alice");
        wait(site, 59 * MINUTE);
        assert_eq!(browser.open(site, "/a/").status, 200, "the timeout has begun again");
        assert_eq!(browser.prompts, 1);
    })
    .await;
}

#[actix_web::test]
async fn another_user_logs_in_after_expiry() {
    in_every_setup(idle_timeout_of_ten_minutes, async |browser, site| {
        wait(site, 10 * MINUTE);
        browser.open(site, "/a/");
        assert_eq!(browser.type_credentials(site, BOB).body, "Signed in as bob");
        assert_eq!(browser.prompts, 1);
    })
    .await;
}

#[actix_web::test]
async fn parallel_requests_cannot_restore_an_expired_login() {
    in_every_setup(absolute_timeout_of_an_hour, async |browser, site| {
        let (old, served) = (browser.cookie.clone(), site.seen().served.len());
        wait(site, 60 * MINUTE);
        browser.open(site, "/a/");
        for cookie in [old, browser.cookie.clone()] {
            for path in ["/a/poll", "/a/x/", "/a/write"] {
                let wire = Wire {
                    number: 9_000,
                    method: "GET",
                    path: path.to_owned(),
                    origin: browser.origin,
                    headers: vec![
                        ("user-agent", "Mozilla/5.0".to_owned()),
                        ("sec-fetch-site", "same-origin".to_owned()),
                        ("sec-fetch-mode", "cors".to_owned()),
                    ],
                    credentials: Some(ALICE),
                    cookie: cookie.clone(),
                };
                assert_ne!(site.answer(&wire).status, 200, "{path}");
            }
        }
        assert_eq!(site.seen().served.len(), served);
        assert_eq!(browser.type_credentials(site, ALICE).body, "Signed in as alice");
    })
    .await;
}

#[actix_web::test]
async fn visit_is_written_once_per_tenth_of_the_idle_timeout() {
    in_every_setup(idle_timeout_of_ten_minutes, async |browser, site| {
        let mut writes = 0;
        // Six requests per minute for half an hour.
        for _ in 0..180 {
            wait(site, MINUTE / 6);
            let answer = browser.open(site, "/a/");
            assert_eq!(answer.status, 200);
            writes += usize::from(answer.set_cookie.is_some());
        }
        // The password is verified again every five minutes. The visit is written with that.
        assert_eq!(writes, 30);
    })
    .await;
}

#[actix_web::test]
async fn no_visit_is_written_without_idle_timeout() {
    in_every_setup(absolute_timeout_of_an_hour, async |browser, site| {
        for _ in 0..4 {
            wait(site, MINUTE);
            assert_eq!(browser.open(site, "/a/").set_cookie, None);
        }
    })
    .await;
}

#[actix_web::test]
async fn login_without_readable_times_is_expired() {
    type Break = fn(&mut serde_json::Value);
    let breaks: [(Break, bool); 5] = [
        (|entry| entry["visited_at"] = serde_json::Value::Null, false),
        (|entry| drop(entry.as_object_mut().unwrap().remove("logged_in_at")), false),
        (|entry| entry["logged_in_at"] = "yesterday".into(), false),
        (|entry| drop(entry.as_object_mut().unwrap().remove("visited_at")), true),
        (|entry| entry["logged_in_at"] = u64::MAX.into(), true),
    ];
    for (broken, is_readable) in breaks {
        let setup = Setup::new(Store::Memory);
        let both = |builder| idle_timeout_of_ten_minutes(absolute_timeout_of_an_hour(builder));
        let site = Site::with(&setup, both).await;
        wait(&site, 60 * MINUTE);
        let mut browser = Browser::new(Engine::Chromium);
        browser.open(&site, "/a/");
        browser.type_credentials(&site, ALICE);
        let mut entry = site.peek(browser.cookie.as_deref(), A).unwrap();
        broken(&mut entry);
        site.memory.set(&format!("actix-basic-logout:{A}"), &nested(entry.clone()).to_string());
        let answer = browser.open(&site, "/a/");
        assert_eq!(answer.status, 401, "{entry}");
        assert_eq!(answer.body.contains("expired"), is_readable, "{entry}");
        assert_eq!(browser.type_credentials(&site, ALICE).body, "Signed in as alice");
    }
}

#[actix_web::test]
async fn clock_set_back_by_over_a_minute_ends_the_login() {
    in_every_setup(idle_timeout_of_ten_minutes, async |browser, site| {
        wait(site, 5 * MINUTE);
        browser.open(site, "/a/");
        site.seen().now -= MINUTE;
        assert_eq!(browser.open(site, "/a/").status, 200, "the clocks of two machines may differ");
        wait(site, MINUTE);
        browser.open(site, "/a/");
        site.seen().now -= MINUTE + Duration::from_millis(1);
        assert_expired(browser, site);
    })
    .await;
}

#[actix_web::test]
async fn logout_after_expiry_clears_browser_credentials() {
    in_every_setup(absolute_timeout_of_an_hour, async |browser, site| {
        wait(site, 60 * MINUTE);
        let answer = browser.request(site, Kind::Page, "POST", "/logout");
        assert!(answer.body.contains("You are logged out"), "{}", answer.body);
        assert_eq!(browser.type_credentials(site, ALICE).body, "Signed in as alice");
        assert_eq!(browser.prompts, 1);
    })
    .await;
}
