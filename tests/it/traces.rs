//! The sessions that visitors leave in a server-side store, and the ids on the revocation list.

use std::time::Duration;

use crate::support::{
    browser::{Browser, Engine, Kind},
    site::{A, Credentials, Setup, Site, Store, Wire},
};

const ALICE: Credentials = ("alice", "one");

async fn a_site() -> Site {
    Site::new(&Setup::new(Store::Memory)).await
}

fn request(agent: &str, path: &str, mode: &str) -> Wire {
    let mut headers = vec![
        ("user-agent", agent.to_owned()),
        ("accept", "text/html".to_owned()),
        ("accept-language", "en".to_owned()),
    ];
    if agent.starts_with("Mozilla/") {
        headers.push(("upgrade-insecure-requests", "1".to_owned()));
    }
    if !mode.is_empty() {
        headers.push(("sec-fetch-site", "none".to_owned()));
        headers.push(("sec-fetch-mode", mode.to_owned()));
    }
    Wire { headers, ..Wire::page(path, None) }
}

fn scan(path: &str) -> Wire {
    request("Mozilla/5.0 (compatible; scanner)", path, "")
}

#[actix_web::test]
async fn non_browser_leaves_no_session_in_any_case() {
    let site = a_site().await;
    for credentials in [None, Some(ALICE), Some(("alice", "wrong")), Some(("nobody", ""))] {
        for path in ["/a/", "/a/x/y", "/a/poll", "/free"] {
            site.answer(&Wire { credentials, ..request("curl/8.14.1", path, "") });
        }
    }
    for credentials in [None, Some(ALICE)] {
        site.answer(&Wire { credentials, ..request("curl/8.14.1", "/logout", "") });
    }
    assert_eq!((site.memory.len(), site.revocations.ttls().len()), (0, 0));
}

#[actix_web::test]
async fn visitor_of_public_pages_leaves_no_session() {
    let site = a_site().await;
    for path in ["/free", "/logout", "/deep/below/logout"] {
        site.answer(&scan(path));
    }
    assert_eq!((site.memory.len(), site.revocations.ttls().len()), (0, 0));
}

#[actix_web::test]
async fn background_requests_and_cross_site_forms_leave_no_session() {
    let site = a_site().await;
    for mode in ["cors", "no-cors", "websocket"] {
        for credentials in [None, Some(ALICE)] {
            let fetch = request("Mozilla/5.0", "/a/poll", mode);
            site.answer(&Wire { credentials, ..fetch });
        }
    }
    let mut browser = Browser::new(Engine::Chromium);
    browser.send_cross_site_form(0, "/a/", false);
    browser.settle(&site);
    assert_eq!(site.memory.len(), 0);
}

#[actix_web::test]
async fn prompted_browser_leaves_one_small_session() {
    let site = a_site().await;
    let mut browser = Browser::new(Engine::Chromium);
    for path in ["/a/", "/a/x", "/a/y/z", "/a/"] {
        browser.open(&site, path);
        browser.cancel_dialog(&site);
        browser.fetch(&site, "/a/poll");
    }
    assert_eq!(site.memory.len(), 1);
    let state = site.peek(browser.cookie.as_deref(), A).expect("a session").to_string();
    assert!(state.len() < 256, "{} bytes: {state}", state.len());
}

#[actix_web::test]
async fn login_and_logout_leave_one_session_and_one_revoked_id() {
    let site = a_site().await;
    let mut browser = Browser::new(Engine::Firefox);
    browser.open(&site, "/a/");
    browser.type_credentials(&site, ALICE);
    for _ in 0..5 {
        browser.open(&site, "/a/x");
        browser.fetch(&site, "/a/poll");
    }
    assert_eq!(site.memory.len(), 1);
    browser.request(&site, Kind::Page, "POST", "/logout");
    let day = Duration::from_secs(24 * 60 * 60);
    let ended = site.revocations.ttls().into_iter().filter(|it| *it > day).count();
    assert_eq!((site.memory.len(), ended), (1, 1));
    // The success of the login is recorded for minutes.
    assert_eq!(site.revocations.ttls().len(), 2);
}

#[actix_web::test]
async fn client_posing_as_browser_leaves_a_session_per_refused_page() {
    let site = a_site().await;
    for number in 0..10 {
        site.answer(&scan(&format!("/a/{number}")));
        site.answer(&scan(&format!("/free/{number}")));
    }
    assert_eq!((site.memory.len(), site.revocations.ttls().len()), (10, 0));
    // A cookie session leaves nothing on the server.
    let site = Site::new(&Setup::new(Store::Cookie)).await;
    assert!(site.answer(&scan("/a/")).set_cookie.is_some());
    assert_eq!(site.memory.len(), 0);
}

#[actix_web::test]
async fn login_without_cookies_leaves_one_session_per_page() {
    let site = a_site().await;
    let mut browser = Browser::new(Engine::Firefox);
    browser.keeps_cookies = false;
    browser.open(&site, "/a/");
    browser.type_credentials(&site, ALICE);
    let left = site.memory.len();
    for path in ["/a/", "/a/x", "/a/y"] {
        browser.open(&site, path);
        browser.dialogs.clear();
    }
    let after: usize = site.memory.len() - left;
    assert_eq!(left, 2);
    assert!(after <= 3, "{after}");
    // The page that asks for cookies sets one, so that a browser which keeps it can log in.
    let with_credentials = Wire { credentials: Some(ALICE), ..scan("/a/") };
    let before = site.memory.len();
    for _ in 0..10 {
        assert!(site.answer(&with_credentials).set_cookie.is_some());
    }
    assert_eq!(site.memory.len(), before + 10);
}
