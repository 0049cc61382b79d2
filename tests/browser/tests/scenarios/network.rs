//! Credentials in URLs, ports, host names, TLS and cookies.

use browser_suite::{BrowserConfig, Engine, Fixture, Site, wait_until};

use crate::steps::*;

pub(crate) async fn credentials_in_url_log_in_and_can_be_logged_out(engine: Engine) {
    let fixture = Fixture::open_site(engine, Site::default()).await;
    let tab = fixture.tab().await;
    let url = format!("http://alice:wonderland@{}/admin/", fixture.address());
    tab.visit_url(&url).await;
    assert_signed_in(&tab, ALICE).await;
    assert_eq!(fixture.dialogs().await, 0, "the login must open no dialog");
    tab.visit("/admin/").await;
    assert_signed_in(&tab, ALICE).await;
    log_out(&tab).await;
    visit_and_cancel(&tab, "/admin/").await;
    tab.visit_url(&url).await;
    assert_signed_in(&tab, ALICE).await;
    assert_navigations(
        &fixture,
        &[
            &LOGIN,
            &[
                "GET /admin/ as alice, session: 200",
                "POST /admin/logout as alice, session: 401 challenge",
                "GET /admin/ as nobody, session: 401 challenge",
                "GET /admin/ as nobody, session: 401 challenge",
                "GET /admin/ as alice, session: 200",
            ],
        ],
    );
    fixture.finish(&tab, 2).await;
}

pub(crate) async fn wrong_credentials_in_url_open_dialog(engine: Engine) {
    let fixture = Fixture::open_site(engine, Site::default()).await;
    let tab = fixture.tab().await;
    tab.visit_url(&format!("http://alice:x@{}/admin/", fixture.address())).await;
    if engine == Engine::ChromiumOnScreen {
        // The URL's credentials override those in the dialog until the user leaves this URL.
        enter_credentials(&tab, ALICE).await;
        tab.dialog().await.cancel().await;
        tab.page().await;
        let lines = fixture.log().lines(|it| it.user.is_some());
        let refused = "GET /admin/ as alice, session: 401 challenge";
        assert!(lines.iter().all(|it| it == refused), "{lines:?}");
        log_in(&tab, ALICE).await;
        return fixture.finish(&tab, 3).await;
    }
    enter_credentials(&tab, ALICE).await;
    assert_signed_in(&tab, ALICE).await;
    assert_navigations(
        &fixture,
        &[&[
            "GET /admin/ as nobody: 401 challenge",
            "GET /admin/ as alice, session: 401 challenge",
            "GET /admin/ as alice, session: 200",
        ]],
    );
    fixture.finish(&tab, 1).await;
}

pub(crate) async fn plain_http_without_fetch_metadata_logs_in_and_out(engine: Engine) {
    let fixture = Fixture::open_site(engine, Site::default()).await;
    let tab = fixture.tab_on_host("admin.test").await;
    let other = fixture.tab_on_host("admin.test").await;
    log_in(&tab, ALICE).await;
    other.visit("/").await;
    other.page().await;
    other.evaluate("void setInterval(() => fetch('/admin/api/poll').catch(() => {}), 20)").await;
    let polls = async |since: u64, status: u16| {
        wait_until(&format!("five polls get status {status}"), async || {
            let log = fixture.log().since(since);
            let polls = log.0.iter().filter(|it| it.path == "/admin/api/poll");
            (polls.filter(|it| it.status() == Some(status)).count() >= 5).then_some(())
        })
        .await;
    };
    polls(fixture.now(), 200).await;
    log_out(&tab).await;
    let logged_out = fixture.now();
    polls(logged_out, 401).await;
    visit_and_cancel(&tab, "/admin/").await;
    assert!(
        fixture.log().since(logged_out).0.iter().all(|it| !it.is_admitted()),
        "{}",
        fixture.log()
    );
    log_in(&tab, BOB).await;
    polls(fixture.now(), 200).await;
    assert_navigations(
        &fixture,
        &[
            &LOGIN,
            &[
                "GET / as nobody, session: 200",
                "POST /admin/logout as alice, session: 401 challenge",
                "GET /admin/ as nobody, session: 401 challenge",
                "GET /admin/ as nobody, session: 401 challenge",
                "GET /admin/ as bob, session: 200",
            ],
        ],
    );
    fixture.finish(&tab, 4).await;
}

pub(crate) async fn https_with_host_prefix_cookie_logs_in_and_out(engine: Engine) {
    let fixture = Fixture::open_site(engine, Site { https: true, ..Site::default() }).await;
    let tab = fixture.tab().await;
    log_in(&tab, ALICE).await;
    log_out(&tab).await;
    visit_and_cancel(&tab, "/admin/").await;
    log_in(&tab, BOB).await;
    assert_navigations(
        &fixture,
        &[
            &LOGIN,
            &[
                "POST /admin/logout as alice, session: 401 challenge",
                "GET /admin/ as nobody, session: 401 challenge",
                "GET /admin/ as nobody, session: 401 challenge",
                "GET /admin/ as bob, session: 200",
            ],
        ],
    );
    fixture.finish(&tab, 4).await;
}

/// Over plain HTTP, WebKitGTK keeps pages in memory whatever the server sends, so this uses HTTPS.
pub(crate) async fn back_over_https_shows_no_protected_page_after_logout(engine: Engine) {
    let fixture = Fixture::open_site(engine, Site { https: true, ..Site::default() }).await;
    let tab = fixture.tab().await;
    log_in(&tab, ALICE).await;
    tab.visit("/admin/users").await;
    assert_signed_in(&tab, ALICE).await;
    log_out(&tab).await;
    let before = fixture.now();
    tab.back().await;
    tab.dialog().await.cancel().await;
    let page = tab.page().await;
    assert!(!page.contains("Signed in"), "{page}");
    let challenged = "GET /admin/users as nobody, session: 401 challenge";
    assert_eq!(fixture.log().since(before).lines(|it| it.navigation), [challenged]);
    fixture.finish(&tab, 3).await;
}

pub(crate) async fn login_on_another_port_does_not_readmit_old_credentials(engine: Engine) {
    let fixture = Fixture::open_site(engine, Site::default()).await;
    let port = fixture.another_port().await;
    let (tab, other) = (fixture.tab().await, fixture.tab_on_port(&port).await);
    log_in(&tab, ALICE).await;
    // The browser keeps alice's credentials for the first port.
    assert_eq!(fetch(&tab, "POST", "/admin/logout").await, 204);
    // The session knows nothing about the second port, so the first challenge proves nothing about
    // the browser's credentials there, and the server challenges once more.
    other.visit("/admin/").await;
    enter_credentials(&other, BOB).await;
    enter_credentials(&other, BOB).await;
    assert_signed_in(&other, BOB).await;
    visit_and_cancel(&tab, "/admin/").await;
    assert_navigations(&fixture, &[&LOGIN, &["GET /admin/ as alice, session: 401 challenge"]]);
    fixture.finish(&tab, 4).await;
}

pub(crate) async fn two_ports_share_session_but_not_credentials(engine: Engine) {
    let fixture = Fixture::open_site(engine, Site::default()).await;
    let port = fixture.another_port().await;
    let (tab, other) = (fixture.tab().await, fixture.tab_on_port(&port).await);
    log_in(&tab, ALICE).await;
    // A browser keeps credentials per port, but cookies for all ports of a host.
    log_in(&other, ALICE).await;
    tab.visit("/admin/").await;
    assert_signed_in(&tab, ALICE).await;
    log_out(&tab).await;
    log_in(&other, ALICE).await;
    log_in(&tab, ALICE).await;
    assert_navigations(
        &fixture,
        &[
            &LOGIN,
            &[
                "GET /admin/ as alice, session: 200",
                "POST /admin/logout as alice, session: 401 challenge",
                "GET /admin/ as nobody, session: 401 challenge",
                "GET /admin/ as alice, session: 200",
            ],
        ],
    );
    assert_eq!(
        port.log().lines(|it| it.navigation),
        [
            "GET /admin/ as nobody, session: 401 challenge",
            "GET /admin/ as alice, session: 200",
            "GET /admin/ as alice, session: 401 challenge",
            "GET /admin/ as alice, session: 200",
        ]
    );
    fixture.finish(&tab, 5).await;
}

pub(crate) async fn browser_without_cookies_is_not_prompted_endlessly(engine: Engine) {
    let fixture = Fixture::open_site_with(engine, BrowserConfig::NoCookies, Site::default()).await;
    let tab = fixture.tab().await;
    let challenged = "GET /admin/ as nobody: 401 challenge";
    tab.visit("/admin/").await;
    if engine.is_chromium() {
        // With cookies blocked, Chromium also stores no passwords. It shows the page of the 401.
        let page = tab.page().await;
        assert!(page.contains("Login required"), "{page}");
        assert_navigations(&fixture, &[&[challenged]]);
        return fixture.finish(&tab, 0).await;
    }
    enter_credentials(&tab, ALICE).await;
    // The server challenges the first credentials without a session, because they may come from the
    // browser's cache. When the same credentials come again without a cookie, it responds with an
    // error page and no challenge.
    enter_credentials(&tab, ALICE).await;
    for _ in 1..=2 {
        let page = tab.page().await;
        assert!(page.contains("Your browser does not keep cookies for this site."), "{page}");
        tab.visit("/admin/").await;
    }
    let page = tab.page().await;
    assert!(page.contains("Your browser does not keep cookies for this site."), "{page}");
    let refused = "GET /admin/ as alice: 401";
    assert_navigations(
        &fixture,
        &[&[challenged, "GET /admin/ as alice: 401 challenge", refused, refused, refused]],
    );
    fixture.finish(&tab, 2).await;
}
