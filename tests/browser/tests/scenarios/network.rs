//! Addresses, ports, names and TLS.

use browser_suite::{Engine, Site, Stage, Wish, until};

use crate::steps::*;

pub(crate) async fn credentials_in_url_log_in_and_can_be_logged_out(engine: Engine) {
    let stage = Stage::open_site(engine, Site::default()).await;
    let tab = stage.tab().await;
    let address = format!("http://alice:wonderland@{}/admin/", stage.address());
    tab.visit_elsewhere(&address).await;
    signed_in(&tab, ALICE).await;
    assert_eq!(stage.dialogs().await, 0, "none at the login");
    tab.visit("/admin/").await;
    signed_in(&tab, ALICE).await;
    log_out(&tab).await;
    give_up(&tab, "/admin/").await;
    tab.visit_elsewhere(&address).await;
    signed_in(&tab, ALICE).await;
    assert_navigations(
        &stage,
        &[
            &LOGIN,
            &[
                "GET /admin/ as alice, session: 200",
                "POST /admin/logout as alice, session: 401 asks",
                "GET /admin/ as nobody, session: 401 asks",
                "GET /admin/ as nobody, session: 401 asks",
                "GET /admin/ as alice, session: 200",
            ],
        ],
    );
    stage.ends(&tab, 2).await;
}

pub(crate) async fn wrong_credentials_in_url_open_dialog(engine: Engine) {
    let stage = Stage::open_site(engine, Site::default()).await;
    let tab = stage.tab().await;
    tab.visit_elsewhere(&format!("http://alice:x@{}/admin/", stage.address())).await;
    if engine == Engine::ChromiumOnScreen {
        // What is typed gives way to the address, again and again, until that is left.
        type_in(&tab, ALICE).await;
        tab.dialog().await.cancel().await;
        tab.page().await;
        let lines = stage.log().lines(|it| it.user.is_some());
        let refused = "GET /admin/ as alice, session: 401 asks";
        assert!(lines.iter().all(|it| it == refused), "{lines:?}");
        log_in(&tab, ALICE).await;
        return stage.ends(&tab, 3).await;
    }
    type_in(&tab, ALICE).await;
    signed_in(&tab, ALICE).await;
    assert_navigations(
        &stage,
        &[&[
            "GET /admin/ as nobody: 401 asks",
            "GET /admin/ as alice, session: 401 asks",
            "GET /admin/ as alice, session: 200",
        ]],
    );
    stage.ends(&tab, 1).await;
}

pub(crate) async fn plain_http_without_fetch_metadata_logs_in_and_out(engine: Engine) {
    let stage = Stage::open_site(engine, Site::default()).await;
    let tab = stage.tab_at("admin.test").await;
    let other = stage.tab_at("admin.test").await;
    log_in(&tab, ALICE).await;
    other.visit("/").await;
    other.page().await;
    other.evaluate("void setInterval(() => fetch('/admin/api/poll').catch(() => {}), 20)").await;
    let polls = async |since: u64, status: u16| {
        until(&format!("five polls are answered {status}"), async || {
            let log = stage.log().since(since);
            let polls = log.0.iter().filter(|it| it.path == "/admin/api/poll");
            (polls.filter(|it| it.status() == Some(status)).count() >= 5).then_some(())
        })
        .await;
    };
    polls(stage.now(), 200).await;
    log_out(&tab).await;
    let logged_out = stage.now();
    polls(logged_out, 401).await;
    give_up(&tab, "/admin/").await;
    assert!(stage.log().since(logged_out).0.iter().all(|it| !it.let_in()), "{}", stage.log());
    log_in(&tab, BOB).await;
    polls(stage.now(), 200).await;
    assert_navigations(
        &stage,
        &[
            &LOGIN,
            &[
                "GET / as nobody, session: 200",
                "POST /admin/logout as alice, session: 401 asks",
                "GET /admin/ as nobody, session: 401 asks",
                "GET /admin/ as nobody, session: 401 asks",
                "GET /admin/ as bob, session: 200",
            ],
        ],
    );
    stage.ends(&tab, 4).await;
}

pub(crate) async fn https_with_host_prefix_cookie_logs_in_and_out(engine: Engine) {
    let stage = Stage::open_site(engine, Site { https: true, ..Site::default() }).await;
    let tab = stage.tab().await;
    log_in(&tab, ALICE).await;
    log_out(&tab).await;
    give_up(&tab, "/admin/").await;
    log_in(&tab, BOB).await;
    assert_navigations(
        &stage,
        &[
            &LOGIN,
            &[
                "POST /admin/logout as alice, session: 401 asks",
                "GET /admin/ as nobody, session: 401 asks",
                "GET /admin/ as nobody, session: 401 asks",
                "GET /admin/ as bob, session: 200",
            ],
        ],
    );
    stage.ends(&tab, 4).await;
}

/// Over plain http WebKit keeps pages whatever the server says.
pub(crate) async fn back_over_https_shows_no_protected_page_after_logout(engine: Engine) {
    let stage = Stage::open_site(engine, Site { https: true, ..Site::default() }).await;
    let tab = stage.tab().await;
    log_in(&tab, ALICE).await;
    tab.visit("/admin/users").await;
    signed_in(&tab, ALICE).await;
    log_out(&tab).await;
    let before = stage.now();
    tab.back().await;
    tab.dialog().await.cancel().await;
    let page = tab.page().await;
    assert!(!page.contains("Signed in"), "{page}");
    let asked = "GET /admin/users as nobody, session: 401 asks";
    assert_eq!(stage.log().since(before).lines(|it| it.navigation), [asked]);
    stage.ends(&tab, 3).await;
}

pub(crate) async fn login_on_another_port_does_not_readmit_old_credentials(engine: Engine) {
    let stage = Stage::open_site(engine, Site::default()).await;
    let port = stage.another_port().await;
    let (tab, other) = (stage.tab().await, stage.tab_on(&port).await);
    log_in(&tab, ALICE).await;
    // The browser keeps hers here.
    assert_eq!(fetch(&tab, "POST", "/admin/logout").await, 204);
    // Of this port nothing is known, so the first challenge proves nothing.
    other.visit("/admin/").await;
    type_in(&other, BOB).await;
    type_in(&other, BOB).await;
    signed_in(&other, BOB).await;
    give_up(&tab, "/admin/").await;
    assert_navigations(&stage, &[&LOGIN, &["GET /admin/ as alice, session: 401 asks"]]);
    stage.ends(&tab, 4).await;
}

pub(crate) async fn two_ports_share_session_but_not_credentials(engine: Engine) {
    let stage = Stage::open_site(engine, Site::default()).await;
    let port = stage.another_port().await;
    let (tab, other) = (stage.tab().await, stage.tab_on(&port).await);
    log_in(&tab, ALICE).await;
    // A browser keeps credentials per port, and cookies for all.
    log_in(&other, ALICE).await;
    tab.visit("/admin/").await;
    signed_in(&tab, ALICE).await;
    log_out(&tab).await;
    log_in(&other, ALICE).await;
    log_in(&tab, ALICE).await;
    assert_navigations(
        &stage,
        &[
            &LOGIN,
            &[
                "GET /admin/ as alice, session: 200",
                "POST /admin/logout as alice, session: 401 asks",
                "GET /admin/ as nobody, session: 401 asks",
                "GET /admin/ as alice, session: 200",
            ],
        ],
    );
    assert_eq!(
        port.log().lines(|it| it.navigation),
        [
            "GET /admin/ as nobody, session: 401 asks",
            "GET /admin/ as alice, session: 200",
            "GET /admin/ as alice, session: 401 asks",
            "GET /admin/ as alice, session: 200",
        ]
    );
    stage.ends(&tab, 5).await;
}

pub(crate) async fn browser_without_cookies_is_not_prompted_endlessly(engine: Engine) {
    let stage = Stage::open_site_wishing(engine, Wish::NoCookies, Site::default()).await;
    let tab = stage.tab().await;
    let asked = "GET /admin/ as nobody: 401 asks";
    tab.visit("/admin/").await;
    if engine.is_chromium() {
        // Where it takes no cookies it knows no passwords either: it shows what came with the 401.
        let page = tab.page().await;
        assert!(page.contains("Login required"), "{page}");
        assert_navigations(&stage, &[&[asked]]);
        return stage.ends(&tab, 0).await;
    }
    type_in(&tab, ALICE).await;
    // What came without a session may be the browser's cache. The second time it is not.
    type_in(&tab, ALICE).await;
    for _ in 1..=2 {
        let page = tab.page().await;
        assert!(page.contains("Your browser does not keep cookies for this site."), "{page}");
        tab.visit("/admin/").await;
    }
    let page = tab.page().await;
    assert!(page.contains("Your browser does not keep cookies for this site."), "{page}");
    let told = "GET /admin/ as alice: 401";
    assert_navigations(&stage, &[&[asked, "GET /admin/ as alice: 401 asks", told, told, told]]);
    stage.ends(&tab, 2).await;
}
