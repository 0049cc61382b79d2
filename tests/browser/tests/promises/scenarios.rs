use browser_suite::{Engine, Stage, Tab};

const ALICE: (&str, &str) = ("alice", "wonderland");
const BOB: (&str, &str) = ("bob", "builder");

/// The log-out button of the demo's pages.
const BUTTON: &str = "form[action='/admin/logout'] button";

/// Types a user's name and password into the dialog that opens.
async fn type_in(tab: &Tab, (user, password): (&str, &str)) {
    tab.dialog().await.answer(user, password).await;
}

/// Visits the admin area as somebody whom it asks, and types.
async fn log_in(tab: &Tab, user: (&str, &str)) {
    tab.visit("/admin/").await;
    type_in(tab, user).await;
    signed_in(tab, user).await;
}

async fn signed_in(tab: &Tab, (user, _): (&str, &str)) {
    let page = tab.page().await;
    assert!(page.contains(&format!("Signed in as {user}")), "{page}");
}

async fn logged_out(tab: &Tab) {
    let page = tab.page().await;
    assert!(page.contains("You are logged out"), "{page}");
    assert!(!page.contains("Signed in"), "{page}");
}

/// What a login at `/admin/` looks like to the server.
const LOGIN: [&str; 2] = ["GET /admin/ as nobody: 401 asks", "GET /admin/ as alice, session: 200"];

#[track_caller]
fn assert_navigations(stage: &Stage, parts: &[&[&str]]) {
    assert_eq!(stage.log().navigations(), parts.concat());
}

pub(crate) async fn the_first_visit_asks_once_and_lets_in(engine: Engine) {
    let stage = Stage::open(engine, &[]).await;
    let tab = stage.tab().await;
    log_in(&tab, ALICE).await;
    assert_navigations(&stage, &[&LOGIN]);
    assert_eq!(stage.dialogs(), 1);
}

pub(crate) async fn a_wrong_password_asks_again_and_the_right_one_lets_in(engine: Engine) {
    let stage = Stage::open(engine, &[]).await;
    let tab = stage.tab().await;
    tab.visit("/admin/").await;
    type_in(&tab, ("alice", "Wonderland")).await;
    type_in(&tab, ("mallory", "wonderland")).await;
    type_in(&tab, ALICE).await;
    signed_in(&tab, ALICE).await;
    assert_navigations(
        &stage,
        &[&[
            "GET /admin/ as nobody: 401 asks",
            "GET /admin/ as alice, session: 401 asks",
            "GET /admin/ as mallory, session: 401 asks",
            "GET /admin/ as alice, session: 200",
        ]],
    );
    assert_eq!(stage.dialogs(), 3);
}

pub(crate) async fn whoever_is_logged_in_walks_about_without_being_asked(engine: Engine) {
    let stage = Stage::open(engine, &[]).await;
    let tab = stage.tab().await;
    log_in(&tab, ALICE).await;
    tab.shows("alice, at ").await; // the page has asked for itself
    tab.click("a[href='/admin/users']").await;
    signed_in(&tab, ALICE).await;
    tab.click("a[href='/admin/reports/2026/11']").await;
    signed_in(&tab, ALICE).await;
    tab.visit("/").await;
    assert!(tab.page().await.contains("Anybody may read this"));
    tab.click("a[href='/admin/']").await;
    signed_in(&tab, ALICE).await;
    tab.visit("/admin/users?page=2").await;
    signed_in(&tab, ALICE).await;
    tab.shows("alice, at ").await;
    assert_navigations(
        &stage,
        &[
            &LOGIN,
            &[
                "GET /admin/users as alice, session: 200",
                "GET /admin/reports/2026/11 as alice, session: 200",
                "GET / as nobody, session: 200",
                "GET /admin/ as alice, session: 200",
                "GET /admin/users as alice, session: 200",
            ],
        ],
    );
    for path in ["/admin/style.css", "/admin/app.js", "/admin/logo.svg", "/admin/api/whoami"] {
        let lines = stage.log().lines(|it| it.path == path && it.answered.is_some());
        assert!(!lines.is_empty(), "{path}");
        let expected = format!("GET {path} as alice, session: 200");
        assert!(lines.iter().all(|it| *it == expected), "{lines:?}");
    }
    assert_eq!(stage.dialogs(), 1);
}

pub(crate) async fn log_out_inside_the_scope_by_link(engine: Engine) {
    log_out_and_retype(
        engine,
        "a[href='/admin/logout']",
        &[
            "GET /admin/logout as alice, session: 401 asks",
            "GET /admin/logout as alice, session: 303",
        ],
    )
    .await;
}

pub(crate) async fn log_out_inside_the_scope_by_form(engine: Engine) {
    log_out_and_retype(
        engine,
        BUTTON,
        &[
            "POST /admin/logout as alice, session: 401 asks",
            "POST /admin/logout as alice, session: 303",
        ],
    )
    .await;
}

pub(crate) async fn log_out_outside_the_scope_by_link(engine: Engine) {
    log_out_and_retype(
        engine,
        "a[href='/logout']",
        &[
            // The login was below /admin/, so the browser does not send it here unasked.
            "GET /logout as nobody, session: 401 asks",
            "GET /logout as alice, session: 401 asks",
            "GET /logout as alice, session: 303",
        ],
    )
    .await;
}

pub(crate) async fn log_out_outside_the_scope_by_form(engine: Engine) {
    log_out_and_retype(
        engine,
        "form[action='/logout'] button",
        &[
            "POST /logout as nobody, session: 401 asks",
            "POST /logout as alice, session: 401 asks",
            "POST /logout as alice, session: 303",
        ],
    )
    .await;
}

/// Log-out asks once, and whoever types there is in, where the landing path leads.
async fn log_out_and_retype(engine: Engine, selector: &str, log_out: &[&str]) {
    let stage = Stage::open(engine, &[]).await;
    let tab = stage.tab().await;
    log_in(&tab, ALICE).await;
    if selector.starts_with("form[action='/logout']") {
        // The demo's page has no such form.
        tab.evaluate("document.querySelector('form').action = '/logout'").await;
    }
    tab.click(selector).await;
    type_in(&tab, ALICE).await;
    signed_in(&tab, ALICE).await;
    assert_eq!(tab.evaluate("location.pathname").await, "/admin/");
    assert_navigations(&stage, &[&LOGIN, log_out, &["GET /admin/ as alice, session: 200"]]);
    assert_eq!(stage.dialogs(), 2, "one to log in, one after the log-out");
}

pub(crate) async fn the_old_credentials_never_get_in_after_log_out(engine: Engine) {
    let stage = Stage::open(engine, &[]).await;
    let tab = stage.tab().await;
    log_in(&tab, ALICE).await;
    tab.click(BUTTON).await;
    tab.dialog().await.cancel().await;
    logged_out(&tab).await;
    tab.visit("/admin/").await;
    tab.dialog().await.cancel().await;
    let page = tab.page().await;
    assert!(!page.contains("Signed in"), "{page}");
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
    assert_eq!(stage.dialogs(), 4);
}
