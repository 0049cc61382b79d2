//! Further ways to log out.

use actix_basic_logout::{LOGOUT_SCRIPT_HASH, LogoutResponse};
use browser_suite::{Engine, Fixture, Site};

use crate::{
    basics::{assert_back_prompts, log_in_and_go_back},
    steps::*,
};

pub(crate) async fn logout_by_xhr_opens_no_dialog(engine: Engine) {
    for (path, logout) in [
        ("/admin/logout", "POST /admin/logout as alice, session: 204"),
        ("/logout", "POST /logout as nobody, session: 204"),
    ] {
        let fixture = Fixture::open(engine, &[]).await;
        let tab = fixture.tab().await;
        log_in(&tab, ALICE).await;
        let request = format!(
            "new Promise(done => {{
                const request = new XMLHttpRequest();
                request.onloadend = () => done(request.status);
                request.open('POST', '{path}');
                request.send();
            }})"
        );
        assert_eq!(tab.evaluate(&request).await, 204);
        assert_eq!(fixture.dialogs().await, 1, "the logout must open no dialog");
        log_in(&tab, ALICE).await;
        assert_eq!(fixture.log().lines(|it| it.path == path), [logout]);
        assert_navigations(
            &fixture,
            &[
                &LOGIN,
                &[
                    "GET /admin/ as alice, session: 401 challenge",
                    "GET /admin/ as alice, session: 200",
                ],
            ],
        );
        fixture.finish(&tab, 2).await;
    }
}

pub(crate) async fn reloaded_logout_page_allows_login(engine: Engine) {
    let typed = "GET /admin/ as alice, session: 200";
    // Outside the scope, a reload shows the same page without a dialog, and the next protected page
    // opens one. Inside the scope, the reload itself opens a dialog, and credentials there log in.
    log_out_and_reload(
        engine,
        "/logout",
        &[
            "GET /logout as nobody, session: 401 challenge",
            "GET /logout as alice, session: 401 challenge",
            "GET /logout as nobody, session: 200",
            "GET /admin/ as nobody, session: 401 challenge",
            typed,
        ],
    )
    .await;
    log_out_and_reload(
        engine,
        "/admin/logout",
        &[
            "GET /admin/logout as alice, session: 401 challenge",
            "GET /admin/logout as nobody, session: 401 challenge",
            "GET /admin/logout as alice, session: 303",
            typed,
        ],
    )
    .await;
}

async fn log_out_and_reload(engine: Engine, path: &str, log: &[&str]) {
    let fixture = Fixture::open(engine, &[]).await;
    let tab = fixture.tab().await;
    log_in(&tab, ALICE).await;
    tab.click(&format!("a[href='{path}']")).await;
    tab.dialog().await.cancel().await;
    assert_logged_out(&tab).await;
    tab.reload().await;
    if path == "/logout" {
        assert_logged_out(&tab).await;
        tab.click("a[href='/admin/']").await;
    }
    enter_credentials(&tab, ALICE).await;
    assert_signed_in(&tab, ALICE).await;
    assert_navigations(&fixture, &[&LOGIN, log]);
    fixture.finish(&tab, 3).await;
}

pub(crate) async fn logout_below_login_directory_prompts_once(engine: Engine) {
    let logout = "POST /admin/a/b/logout as alice, session: 401 challenge";
    log_out_at(engine, "/admin/", "/admin/a/b/logout", &[logout]).await;
}

pub(crate) async fn logout_outside_login_directory_prompts_once(engine: Engine) {
    for (path, logout) in [
        (
            "/logout",
            // The browser answers the first challenge itself, without a dialog.
            [
                "POST /logout as nobody, session: 401 challenge",
                "POST /logout as alice, session: 401 challenge",
            ],
        ),
        (
            "/admin/logout",
            [
                "POST /admin/logout as nobody, session: 401 challenge",
                "POST /admin/logout as alice, session: 401 challenge",
            ],
        ),
    ] {
        log_out_at(engine, "/admin/reports/2026/11", path, &logout).await;
    }
}

/// Logs in at `page` and logs out at `path`. The logout opens one dialog, and so does each
/// protected page after it.
async fn log_out_at(engine: Engine, page: &str, path: &str, logout: &[&str]) {
    let fixture = Fixture::open_site(engine, Site::default()).await;
    let tab = fixture.tab().await;
    tab.visit(page).await;
    enter_credentials(&tab, ALICE).await;
    assert_signed_in(&tab, ALICE).await;
    tab.evaluate(&format!("document.querySelector('form').action = '{path}'")).await;
    tab.click("form button").await;
    tab.dialog().await.cancel().await;
    assert_logged_out(&tab).await;
    visit_and_cancel(&tab, page).await;
    visit_and_cancel(&tab, "/admin/elsewhere").await;
    tab.visit(page).await;
    enter_credentials(&tab, BOB).await;
    assert_signed_in(&tab, BOB).await;
    let nobody = format!("GET {page} as nobody, session: 401 challenge");
    assert_navigations(
        &fixture,
        &[
            &[
                &format!("GET {page} as nobody: 401 challenge"),
                &format!("GET {page} as alice, session: 200"),
            ],
            logout,
            &[
                &nobody,
                "GET /admin/elsewhere as nobody, session: 401 challenge",
                &nobody,
                &format!("GET {page} as bob, session: 200"),
            ],
        ],
    );
    fixture.finish(&tab, 5).await;
}

pub(crate) async fn logout_page_without_script_prompts_at_next_visit(engine: Engine) {
    let site = Site {
        logout_response: LogoutResponse::Page,
        csp: Some("script-src 'none'".to_owned()),
        ..Site::default()
    };
    let fixture = Fixture::open_site(engine, site).await;
    let tab = fixture.tab().await;
    log_in(&tab, ALICE).await;
    tab.click(LOGOUT_BUTTON).await;
    assert_logged_out(&tab).await;
    assert_eq!(fixture.dialogs().await, 1, "the logout must open no dialog");
    visit_and_cancel(&tab, "/admin/").await;
    log_in(&tab, BOB).await;
    assert_eq!(
        fixture.log().lines(|it| it.path != "/favicon.ico" && !it.repeated),
        [
            LOGIN[0],
            LOGIN[1],
            "POST /admin/logout as alice, session: 200",
            "GET /admin/ as alice, session: 401 challenge",
            "GET /admin/ as nobody, session: 401 challenge",
            "GET /admin/ as bob, session: 200",
        ]
    );
    fixture.finish(&tab, 3).await;
}

/// The Content Security Policy contains the hash of the logout page's script, so the script runs
/// and replaces the browser's credentials.
pub(crate) async fn logout_page_script_runs_under_csp_with_its_hash(engine: Engine) {
    let policy = format!("default-src 'self'; script-src {LOGOUT_SCRIPT_HASH}");
    let site = Site { logout_response: LogoutResponse::Page, csp: Some(policy), ..Site::default() };
    let fixture = Fixture::open_site(engine, site).await;
    let tab = fixture.tab().await;
    log_in(&tab, ALICE).await;
    tab.click(LOGOUT_BUTTON).await;
    assert_logged_out(&tab).await;
    fixture
        .wait_for_response("the page's script has replaced the credentials", |it| {
            it.user.as_deref() == Some("logged-out") && it.status() == Some(204)
        })
        .await;
    log_in(&tab, BOB).await;
    assert_navigations(
        &fixture,
        &[
            &LOGIN,
            &[
                "POST /admin/logout as alice, session: 200",
                "GET /admin/ as logged-out, session: 401 challenge",
                "GET /admin/ as bob, session: 200",
            ],
        ],
    );
    fixture.finish(&tab, 2).await;
}

pub(crate) async fn back_shows_no_protected_page_after_logout_by_link(engine: Engine) {
    for path in ["/admin/logout", "/logout"] {
        let fixture = Fixture::open(engine, &[]).await;
        let tab = fixture.tab().await;
        log_in_and_go_back(&fixture, &tab, engine).await;
        tab.click(&format!("a[href='{path}']")).await;
        tab.dialog().await.cancel().await;
        assert_logged_out(&tab).await;
        assert_back_prompts(&fixture, &tab, "nobody").await;
        fixture.finish(&tab, 3).await;
    }
}

pub(crate) async fn back_shows_no_page_of_previous_user(engine: Engine) {
    let fixture = Fixture::open(engine, &[]).await;
    let tab = fixture.tab().await;
    log_in_and_go_back(&fixture, &tab, engine).await;
    tab.click("a[href='/admin/users']").await;
    assert_signed_in(&tab, ALICE).await;
    tab.evaluate("void (window.kept = true)").await;
    tab.click(LOGOUT_BUTTON).await;
    enter_credentials(&tab, BOB).await;
    assert_signed_in(&tab, BOB).await;
    let before = fixture.now();
    tab.back().await;
    tab.wait_for_text("Signed in as bob").await;
    assert_eq!(tab.evaluate("typeof window.kept").await, "undefined");
    let back = "GET /admin/users as bob, session: 200";
    assert_eq!(fixture.log().since(before).lines(|it| it.navigation), [back]);
    fixture.finish(&tab, 2).await;
}
