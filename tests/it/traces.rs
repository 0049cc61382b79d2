//! What visitors leave in a session store on the server, and among the ended logins.

use crate::support::{
    browser::{Browser, Engine, Kind},
    site::{A, Credentials, Setup, Site, Store, Wire},
};

const ALICE: Credentials = ("alice", "one");

async fn a_site() -> Site {
    Site::new(&Setup::new(Store::Memory)).await
}

fn request(agent: &str, path: &str, mode: &str) -> Wire {
    let mut headers = vec![("user-agent", agent.to_owned()), ("accept", "text/html".to_owned())];
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
async fn a_program_leaves_nothing_whatever_it_brings() {
    let site = a_site().await;
    for credentials in [None, Some(ALICE), Some(("alice", "wrong")), Some(("nobody", ""))] {
        for path in ["/a/", "/a/x/y", "/a/poll", "/free"] {
            site.answer(&Wire { credentials, ..request("curl/8.14.1", path, "") });
        }
    }
    site.answer(&request("curl/8.14.1", "/logout", ""));
    assert_eq!((site.memory.len(), site.ended.kept().len()), (0, 0));
}

#[actix_web::test]
async fn a_program_that_logs_out_gets_a_session_which_is_how_it_is_logged_out() {
    let site = a_site().await;
    let credentials = Some(ALICE);
    site.answer(&Wire { credentials, ..request("curl/8.14.1", "/logout", "") });
    assert_eq!((site.memory.len(), site.ended.kept().len()), (1, 0));
}

#[actix_web::test]
async fn a_visitor_who_only_looks_around_in_public_leaves_nothing() {
    let site = a_site().await;
    for path in ["/free", "/logout", "/deep/below/logout"] {
        site.answer(&scan(path));
    }
    assert_eq!((site.memory.len(), site.ended.kept().len()), (0, 0));
}

#[actix_web::test]
async fn background_requests_and_other_sites_forms_leave_nothing() {
    let site = a_site().await;
    for mode in ["cors", "no-cors", "websocket"] {
        for credentials in [None, Some(ALICE)] {
            let fetch = request("Mozilla/5.0", "/a/poll", mode);
            site.answer(&Wire { credentials, ..fetch });
        }
    }
    let mut browser = Browser::new(Engine::Chromium);
    browser.send_forged(0, "/a/", false);
    browser.settle(&site);
    assert_eq!(site.memory.len(), 0);
}

#[actix_web::test]
async fn a_browser_that_is_asked_leaves_one_small_session_however_often_it_comes() {
    let site = a_site().await;
    let mut browser = Browser::new(Engine::Chromium);
    for path in ["/a/", "/a/x", "/a/y/z", "/a/"] {
        browser.open(&site, path);
        browser.cancels(&site);
        browser.fetch(&site, "/a/poll");
    }
    assert_eq!(site.memory.len(), 1);
    let state = site.peek(browser.cookie.as_deref(), A).expect("a session").to_string();
    assert!(state.len() < 256, "{} bytes: {state}", state.len());
}

#[actix_web::test]
async fn a_login_and_its_log_out_leave_one_session_and_one_ended_login() {
    let site = a_site().await;
    let mut browser = Browser::new(Engine::Firefox);
    browser.open(&site, "/a/");
    browser.types(&site, ALICE);
    for _ in 0..5 {
        browser.open(&site, "/a/x");
        browser.fetch(&site, "/a/poll");
    }
    assert_eq!(site.memory.len(), 1);
    browser.request(&site, Kind::Page, "POST", "/logout");
    assert_eq!((site.memory.len(), site.ended.kept().len()), (1, 1));
}

#[actix_web::test]
async fn a_scanner_that_passes_for_a_browser_leaves_a_session_for_each_page_it_is_refused() {
    let site = a_site().await;
    for number in 0..10 {
        site.answer(&scan(&format!("/a/{number}")));
        site.answer(&scan(&format!("/free/{number}")));
    }
    assert_eq!((site.memory.len(), site.ended.kept().len()), (10, 0));
    // Where nothing but its own cookie keeps it, it leaves nothing on the server.
    let site = Site::new(&Setup::new(Store::Cookie)).await;
    assert!(site.answer(&scan("/a/")).set_cookie.is_some());
    assert_eq!(site.memory.len(), 0);
}

#[actix_web::test]
async fn a_browser_without_cookies_leaves_two_sessions_and_then_no_more() {
    let site = a_site().await;
    let mut browser = Browser::new(Engine::Firefox);
    browser.keeps_cookies = false;
    browser.open(&site, "/a/");
    browser.types(&site, ALICE);
    let left = site.memory.len();
    for path in ["/a/", "/a/x", "/a/y"] {
        browser.open(&site, path);
        browser.dialogs.clear();
    }
    let after: usize = site.memory.len() - left;
    assert_eq!(left, 2);
    // Once it was told to allow cookies, only what comes without credentials begins a session.
    assert!(after <= 3, "{after}");
    let with_credentials = Wire { credentials: Some(ALICE), ..scan("/a/") };
    let before = site.memory.len();
    for _ in 0..10 {
        assert_eq!(site.answer(&with_credentials).set_cookie, None);
    }
    assert_eq!(site.memory.len(), before);
}
