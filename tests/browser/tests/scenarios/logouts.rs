//! Ways to log out that the demo does not show.

use actix_basic_logout::{LOGOUT_SCRIPT_HASH, LogoutResponse};
use browser_suite::{Engine, Site, Stage};

use crate::{
    basics::{back_is_asked, walk},
    steps::*,
};

pub(crate) async fn logout_by_xhr_opens_no_dialog(engine: Engine) {
    for (path, log_out) in [
        ("/admin/logout", "POST /admin/logout as alice, session: 204"),
        ("/logout", "POST /logout as nobody, session: 204"),
    ] {
        let stage = Stage::open(engine, &[]).await;
        let tab = stage.tab().await;
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
        assert_eq!(stage.dialogs().await, 1, "none at the log-out");
        log_in(&tab, ALICE).await;
        assert_eq!(stage.log().lines(|it| it.path == path), [log_out]);
        assert_navigations(
            &stage,
            &[
                &LOGIN,
                &["GET /admin/ as alice, session: 401 asks", "GET /admin/ as alice, session: 200"],
            ],
        );
        stage.ends(&tab, 2).await;
    }
}

pub(crate) async fn reloaded_logout_page_allows_login(engine: Engine) {
    let typed = "GET /admin/ as alice, session: 200";
    // Outside the scope the page is shown again, and the next one asks. Inside it every page asks,
    // and whoever types there is in.
    reload(
        engine,
        "/logout",
        &[
            "GET /logout as nobody, session: 401 asks",
            "GET /logout as alice, session: 401 asks",
            "GET /logout as nobody, session: 200",
            "GET /admin/ as nobody, session: 401 asks",
            typed,
        ],
    )
    .await;
    reload(
        engine,
        "/admin/logout",
        &[
            "GET /admin/logout as alice, session: 401 asks",
            "GET /admin/logout as nobody, session: 401 asks",
            "GET /admin/logout as alice, session: 303",
            typed,
        ],
    )
    .await;
}

async fn reload(engine: Engine, path: &str, log: &[&str]) {
    let stage = Stage::open(engine, &[]).await;
    let tab = stage.tab().await;
    log_in(&tab, ALICE).await;
    tab.click(&format!("a[href='{path}']")).await;
    tab.dialog().await.cancel().await;
    logged_out(&tab).await;
    tab.reload().await;
    if path == "/logout" {
        logged_out(&tab).await;
        tab.click("a[href='/admin/']").await;
    }
    type_in(&tab, ALICE).await;
    signed_in(&tab, ALICE).await;
    assert_navigations(&stage, &[&LOGIN, log]);
    stage.ends(&tab, 3).await;
}

pub(crate) async fn logout_below_login_directory_prompts_once(engine: Engine) {
    let log_out = "POST /admin/a/b/logout as alice, session: 401 asks";
    far_from_the_login(engine, "/admin/", "/admin/a/b/logout", &[log_out]).await;
}

pub(crate) async fn logout_outside_login_directory_prompts_once(engine: Engine) {
    for (path, log_out) in [
        (
            "/logout",
            // The browser answers the first by itself.
            [
                "POST /logout as nobody, session: 401 asks",
                "POST /logout as alice, session: 401 asks",
            ],
        ),
        (
            "/admin/logout",
            [
                "POST /admin/logout as nobody, session: 401 asks",
                "POST /admin/logout as alice, session: 401 asks",
            ],
        ),
    ] {
        far_from_the_login(engine, "/admin/reports/2026/11", path, &log_out).await;
    }
}

/// Whoever logs in here and logs out there is asked at the log-out, and wherever they go then.
async fn far_from_the_login(engine: Engine, page: &str, path: &str, log_out: &[&str]) {
    let stage = Stage::open_site(engine, Site::default()).await;
    let tab = stage.tab().await;
    tab.visit(page).await;
    type_in(&tab, ALICE).await;
    signed_in(&tab, ALICE).await;
    tab.evaluate(&format!("document.querySelector('form').action = '{path}'")).await;
    tab.click("form button").await;
    tab.dialog().await.cancel().await;
    logged_out(&tab).await;
    give_up(&tab, page).await;
    give_up(&tab, "/admin/elsewhere").await;
    tab.visit(page).await;
    type_in(&tab, BOB).await;
    signed_in(&tab, BOB).await;
    let nobody = format!("GET {page} as nobody, session: 401 asks");
    assert_navigations(
        &stage,
        &[
            &[
                &format!("GET {page} as nobody: 401 asks"),
                &format!("GET {page} as alice, session: 200"),
            ],
            log_out,
            &[
                &nobody,
                "GET /admin/elsewhere as nobody, session: 401 asks",
                &nobody,
                &format!("GET {page} as bob, session: 200"),
            ],
        ],
    );
    stage.ends(&tab, 5).await;
}

pub(crate) async fn logout_page_without_script_prompts_at_next_visit(engine: Engine) {
    let site = Site {
        answer: LogoutResponse::Page,
        policy: Some("script-src 'none'".to_owned()),
        ..Site::default()
    };
    let stage = Stage::open_site(engine, site).await;
    let tab = stage.tab().await;
    log_in(&tab, ALICE).await;
    tab.click(BUTTON).await;
    logged_out(&tab).await;
    assert_eq!(stage.dialogs().await, 1, "none at the log-out");
    give_up(&tab, "/admin/").await;
    log_in(&tab, BOB).await;
    assert_eq!(
        stage.log().lines(|it| it.path != "/favicon.ico" && !it.again),
        [
            LOGIN[0],
            LOGIN[1],
            "POST /admin/logout as alice, session: 200",
            "GET /admin/ as alice, session: 401 asks",
            "GET /admin/ as nobody, session: 401 asks",
            "GET /admin/ as bob, session: 200",
        ]
    );
    stage.ends(&tab, 3).await;
}

/// The same page where the policy names the script: it puts nobody in the place of the credentials.
pub(crate) async fn logout_page_script_runs_under_csp_with_its_hash(engine: Engine) {
    let policy = format!("default-src 'self'; script-src {LOGOUT_SCRIPT_HASH}");
    let site = Site { answer: LogoutResponse::Page, policy: Some(policy), ..Site::default() };
    let stage = Stage::open_site(engine, site).await;
    let tab = stage.tab().await;
    log_in(&tab, ALICE).await;
    tab.click(BUTTON).await;
    logged_out(&tab).await;
    stage
        .served("the page's script has replaced the credentials", |it| {
            it.user.as_deref() == Some("logged-out") && it.status() == Some(204)
        })
        .await;
    log_in(&tab, BOB).await;
    assert_navigations(
        &stage,
        &[
            &LOGIN,
            &[
                "POST /admin/logout as alice, session: 200",
                "GET /admin/ as logged-out, session: 401 asks",
                "GET /admin/ as bob, session: 200",
            ],
        ],
    );
    stage.ends(&tab, 2).await;
}

pub(crate) async fn back_shows_no_protected_page_after_logout_by_link(engine: Engine) {
    for path in ["/admin/logout", "/logout"] {
        let stage = Stage::open(engine, &[]).await;
        let tab = stage.tab().await;
        walk(&stage, &tab, engine).await;
        tab.click(&format!("a[href='{path}']")).await;
        tab.dialog().await.cancel().await;
        logged_out(&tab).await;
        back_is_asked(&stage, &tab, "nobody").await;
        stage.ends(&tab, 3).await;
    }
}

pub(crate) async fn back_shows_no_page_of_previous_user(engine: Engine) {
    let stage = Stage::open(engine, &[]).await;
    let tab = stage.tab().await;
    walk(&stage, &tab, engine).await;
    tab.click("a[href='/admin/users']").await;
    signed_in(&tab, ALICE).await;
    tab.evaluate("void (window.kept = true)").await;
    tab.click(BUTTON).await;
    type_in(&tab, BOB).await;
    signed_in(&tab, BOB).await;
    let before = stage.now();
    tab.back().await;
    tab.shows("Signed in as bob").await;
    assert_eq!(tab.evaluate("typeof window.kept").await, "undefined");
    let back = "GET /admin/users as bob, session: 200";
    assert_eq!(stage.log().since(before).lines(|it| it.navigation), [back]);
    stage.ends(&tab, 2).await;
}
