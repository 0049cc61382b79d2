use browser_suite::{Engine, Stage, Tab, until};

use crate::steps::*;

pub(crate) async fn first_visit_prompts_once_and_logs_in(engine: Engine) {
    let stage = Stage::open(engine, &[]).await;
    let tab = stage.tab().await;
    log_in(&tab, ALICE).await;
    assert_navigations(&stage, &[&LOGIN]);
    stage.ends(&tab, 1).await;
}

pub(crate) async fn wrong_password_prompts_again_and_right_one_logs_in(engine: Engine) {
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
    stage.ends(&tab, 3).await;
}

pub(crate) async fn cancel_after_wrong_password_shows_page_with_login_link(engine: Engine) {
    let stage = Stage::open(engine, &[]).await;
    let tab = stage.tab().await;
    tab.visit("/admin/").await;
    type_in(&tab, ("alice", "Wonderland")).await;
    tab.dialog().await.cancel().await;
    let page = tab.page().await;
    let words = if engine == Engine::ChromiumOnScreen {
        "Log in to see this page." // sent again, as nobody
    } else {
        "Wrong user name or password"
    };
    assert!(page.contains(words), "{page}");
    assert!(page.contains("Log in"), "{page}");
    assert_navigations(
        &stage,
        &[&["GET /admin/ as nobody: 401 asks", "GET /admin/ as alice, session: 401 asks"]],
    );
    stage.ends(&tab, 2).await;
}

pub(crate) async fn logged_in_user_browses_without_prompts(engine: Engine) {
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
    stage.ends(&tab, 1).await;
}

pub(crate) async fn logout_link_inside_scope_prompts_once(engine: Engine) {
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

pub(crate) async fn logout_form_inside_scope_prompts_once(engine: Engine) {
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

pub(crate) async fn logout_link_outside_scope_prompts_once(engine: Engine) {
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

pub(crate) async fn logout_form_outside_scope_prompts_once(engine: Engine) {
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
    stage.ends(&tab, 2).await;
}

pub(crate) async fn old_credentials_do_not_log_in_after_logout(engine: Engine) {
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
            &["POST /admin/logout as alice, session: 401 asks"],
            &["GET /admin/ as nobody, session: 401 asks"],
            &["GET /admin/ as nobody, session: 401 asks", "GET /admin/ as bob, session: 200"],
        ],
    );
    stage.ends(&tab, 4).await;
}

pub(crate) async fn logout_prompt_accepts_another_user(engine: Engine) {
    let stage = Stage::open(engine, &[]).await;
    let tab = stage.tab().await;
    log_in(&tab, ALICE).await;
    tab.click(BUTTON).await;
    type_in(&tab, BOB).await;
    signed_in(&tab, BOB).await;
    tab.shows("bob, at ").await;
    assert_navigations(
        &stage,
        &[
            &LOGIN,
            &[
                "POST /admin/logout as alice, session: 401 asks",
                "POST /admin/logout as bob, session: 303",
                "GET /admin/ as bob, session: 200",
            ],
        ],
    );
    stage.ends(&tab, 2).await;
}

pub(crate) async fn user_who_cancels_logout_prompt_can_log_in_later(engine: Engine) {
    let stage = Stage::open(engine, &[]).await;
    let tab = stage.tab().await;
    log_in(&tab, ALICE).await;
    tab.click(BUTTON).await;
    tab.dialog().await.cancel().await;
    logged_out(&tab).await;
    tab.click("a[href='/admin/']").await;
    type_in(&tab, ALICE).await;
    signed_in(&tab, ALICE).await;
    assert_navigations(
        &stage,
        &[
            &LOGIN,
            &["POST /admin/logout as alice, session: 401 asks"],
            &["GET /admin/ as nobody, session: 401 asks", "GET /admin/ as alice, session: 200"],
        ],
    );
    stage.ends(&tab, 3).await;
}

pub(crate) async fn user_who_cancels_repeatedly_can_still_log_in(engine: Engine) {
    let stage = Stage::open(engine, &[]).await;
    let tab = stage.tab().await;
    tab.visit("/admin/").await;
    for _ in 0..3 {
        tab.dialog().await.cancel().await;
        let page = tab.page().await;
        assert!(page.contains("Login required"), "{page}");
        tab.click("a[href='/admin/']").await;
    }
    if engine == Engine::FirefoxDialog {
        // It opens no fourth one, until somebody asks it to.
        let page = tab.page().await;
        assert!(page.contains("reload the page"), "{page}");
        tab.reload().await;
    }
    type_in(&tab, ALICE).await;
    signed_in(&tab, ALICE).await;
    stage.ends(&tab, 4).await;
}

pub(crate) async fn each_of_five_logouts_prompts_once(engine: Engine) {
    let stage = Stage::open(engine, &[]).await;
    let tab = stage.tab().await;
    log_in(&tab, ALICE).await;
    for round in 1..=5 {
        tab.click(BUTTON).await;
        type_in(&tab, ALICE).await;
        signed_in(&tab, ALICE).await;
        tab.shows("alice, at ").await;
        assert_eq!(stage.dialogs().await, 1 + round);
    }
    let round = [
        "POST /admin/logout as alice, session: 401 asks",
        "POST /admin/logout as alice, session: 303",
        "GET /admin/ as alice, session: 200",
    ];
    assert_navigations(&stage, &[&LOGIN, &round, &round, &round, &round, &round]);
    stage.ends(&tab, 6).await;
}

pub(crate) async fn second_click_on_logout_prompts_once(engine: Engine) {
    let stage = Stage::open(engine, &[]).await;
    let tab = stage.tab().await;
    log_in(&tab, ALICE).await;
    // A tab that waits for an answer does not listen to us, but to another tab.
    let clicker = aside(&stage).await;
    let listen = "void (new BroadcastChannel('click').onmessage = \
                  () => document.querySelector('form').requestSubmit())";
    tab.evaluate(listen).await;
    let held = stage.hold_answers("/admin/logout");
    tab.act().await;
    for clicks in 1..=2 {
        clicker.evaluate("new BroadcastChannel('click').postMessage('')").await;
        until("the click has reached the server", async || {
            let log = stage.log();
            let clicked = log.0.iter().filter(|it| it.is("POST", "/admin/logout"));
            (clicked.filter(|it| it.answered.is_some()).count() == clicks).then_some(())
        })
        .await;
    }
    drop(held);
    type_in(&tab, ALICE).await;
    signed_in(&tab, ALICE).await;
    assert_navigations(
        &stage,
        &[
            &LOGIN,
            &[
                "POST /admin/logout as alice, session: 401 asks",
                "POST /admin/logout as alice, session: 401 asks",
                "POST /admin/logout as alice, session: 303",
                "GET /admin/ as alice, session: 200",
            ],
        ],
    );
    stage.ends(&tab, 2).await;
}

pub(crate) async fn requests_that_raced_logout_do_not_restore_login(engine: Engine) {
    overtaken(engine, BOB).await;
}

pub(crate) async fn requests_that_raced_logout_do_not_end_new_login(engine: Engine) {
    overtaken(engine, ALICE).await;
}

/// Two requests with the session of the old login, of which one reaches the server with its
/// credentials and one with those that have been typed meanwhile.
async fn overtaken(engine: Engine, next: (&str, &str)) {
    let stage = Stage::open(engine, &[]).await;
    let (tab, other) = (stage.tab().await, aside(&stage).await);
    log_in(&tab, ALICE).await;
    let slow = "/admin/api/slow";
    let held = stage.hold_requests(slow);
    let fetch = format!("fetch('{slow}').then(it => it.status)");
    // The cache asks the server one at a time. The second is given its cookie now, and its
    // credentials when the first is back.
    other.evaluate(&format!("void (window.statuses = Promise.all([{fetch}, {fetch}]))")).await;
    until("it is on its way", async || {
        stage.log().0.into_iter().find(|it| it.is("GET", slow)).map(drop)
    })
    .await;
    tab.click(BUTTON).await;
    type_in(&tab, next).await;
    signed_in(&tab, next).await;
    drop(held);
    let statuses = other.evaluate("window.statuses.then(it => it.join())").await;
    // None of it gets in, and none of it makes the browser drop what was typed.
    tab.click("a[href='/admin/users']").await;
    signed_in(&tab, next).await;
    assert_eq!(statuses, "403,403");
    // Firefox has given both their credentials by the time that the first was sent.
    let second = if engine.is_firefox() { ALICE.0 } else { next.0 };
    assert_eq!(
        stage.log().lines(|it| it.path == slow),
        [
            "GET /admin/api/slow as alice, session: 403".to_owned(),
            format!("GET /admin/api/slow as {second}, session: 403"),
        ]
    );
    stage.ends(&tab, 2).await;
}

pub(crate) async fn logout_by_fetch_inside_scope_opens_no_dialog(engine: Engine) {
    log_out_by_fetch(engine, "/admin/logout", "POST /admin/logout as alice, session: 204").await;
}

pub(crate) async fn logout_by_fetch_outside_scope_opens_no_dialog(engine: Engine) {
    // There the browser sends no credentials unasked; the session is enough.
    log_out_by_fetch(engine, "/logout", "POST /logout as nobody, session: 204").await;
}

async fn log_out_by_fetch(engine: Engine, path: &str, log_out: &str) {
    let stage = Stage::open(engine, &[]).await;
    let tab = stage.tab().await;
    log_in(&tab, ALICE).await;
    let fetch = format!("fetch('{path}', {{ method: 'POST' }}).then(it => it.status)");
    assert_eq!(tab.evaluate(&fetch).await, 204);
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

pub(crate) async fn logout_page_inside_scope_opens_no_dialog(engine: Engine) {
    log_out_by_page(engine, "/admin/logout", "POST /admin/logout as alice, session: 200").await;
}

pub(crate) async fn logout_page_outside_scope_opens_no_dialog(engine: Engine) {
    log_out_by_page(engine, "/logout", "POST /logout as nobody, session: 200").await;
}

/// The page's script puts a user who is nobody in the place of the credentials.
async fn log_out_by_page(engine: Engine, path: &str, log_out: &str) {
    let stage = Stage::open(engine, &[("LOGOUT", "page")]).await;
    let tab = stage.tab().await;
    log_in(&tab, ALICE).await;
    tab.evaluate(&format!("document.querySelector('form').action = '{path}'")).await;
    tab.click("form button").await;
    logged_out(&tab).await;
    stage
        .served("the page's script has replaced the credentials", |it| {
            it.path == path && it.user.as_deref() == Some("logged-out") && it.status() == Some(204)
        })
        .await;
    assert_eq!(stage.dialogs().await, 1, "none at the log-out");
    log_in(&tab, ALICE).await;
    tab.shows("alice, at ").await;
    assert_navigations(
        &stage,
        &[
            &LOGIN,
            &[
                log_out,
                "GET /admin/ as logged-out, session: 401 asks",
                "GET /admin/ as alice, session: 200",
            ],
        ],
    );
    stage.ends(&tab, 2).await;
}

pub(crate) async fn logout_redirect_leads_to_public_page(engine: Engine) {
    let stage = Stage::open(engine, &[("LOGOUT", "redirect")]).await;
    let tab = stage.tab().await;
    log_in(&tab, ALICE).await;
    tab.click(BUTTON).await;
    assert!(tab.page().await.contains("Anybody may read this"));
    assert_eq!(tab.evaluate("location.pathname").await, "/");
    assert_eq!(stage.dialogs().await, 1, "none at the log-out");
    log_in(&tab, ALICE).await;
    assert_navigations(
        &stage,
        &[
            &LOGIN,
            &[
                "POST /admin/logout as alice, session: 303",
                "GET / as nobody, session: 200",
                "GET /admin/ as alice, session: 401 asks",
                "GET /admin/ as alice, session: 200",
            ],
        ],
    );
    stage.ends(&tab, 2).await;
}

/// Asks for itself every 20 ms, as an impatient page does.
const POLL: &str = "void setInterval(() => fetch('/admin/api/whoami').catch(() => {}), 20)";

pub(crate) async fn poll_is_refused_between_logout_and_next_login(engine: Engine) {
    let stage = Stage::open(engine, &[]).await;
    let (tab, poller) = (stage.tab().await, aside(&stage).await);
    log_in(&tab, ALICE).await;
    poller.evaluate(POLL).await;
    let polls = async |since: u64, status: u16| {
        until(&format!("twenty polls are answered {status}"), async || {
            let log = stage.log().since(since);
            let polls = log.0.iter().filter(|it| it.path == "/admin/api/whoami");
            (polls.filter(|it| it.status() == Some(status)).count() >= 20).then_some(())
        })
        .await;
    };
    for round in 1..=3 {
        polls(stage.now(), 200).await;
        let before = stage.now();
        tab.click(BUTTON).await;
        let dialog = tab.dialog().await;
        let log_out = stage
            .served("the log-out", |it| it.path == "/admin/logout" && it.arrived > before)
            .await;
        let logged_out = log_out.answered.expect("it was answered").at;
        polls(logged_out, 401).await;
        let typing = stage.now();
        dialog.answer(ALICE.0, ALICE.1).await;
        signed_in(&tab, ALICE).await;
        polls(typing, 200).await;
        let log = stage.log();
        let between = log.since(logged_out);
        let mut between = between.0.iter().take_while(|it| it.arrived <= typing);
        assert!(between.all(|it| !it.let_in()), "{log}");
        assert_eq!(stage.dialogs().await, 1 + round, "{log}");
    }
    let round = [
        "POST /admin/logout as alice, session: 401 asks",
        "POST /admin/logout as alice, session: 303",
        "GET /admin/ as alice, session: 200",
    ];
    assert_navigations(&stage, &[&LOGIN, &round, &round, &round]);
    stage.ends(&tab, 4).await;
}

pub(crate) async fn polling_tab_notices_logout_in_another_tab(engine: Engine) {
    let stage = Stage::open(engine, &[]).await;
    let (tab, other) = (stage.tab().await, stage.tab().await);
    log_in(&tab, ALICE).await;
    other.visit("/admin/users").await;
    signed_in(&other, ALICE).await;
    other.evaluate("void setInterval(ask, 20)").await;
    tab.click(BUTTON).await;
    tab.dialog().await.cancel().await;
    logged_out(&tab).await;
    other.shows("nobody (401)").await;
    assert_eq!(stage.dialogs().await, 2, "none in the tab that polls");
    other.click("a[href='/admin/reports/2026/11']").await;
    type_in(&other, ALICE).await;
    signed_in(&other, ALICE).await;
    tab.click("a[href='/admin/']").await;
    signed_in(&tab, ALICE).await;
    assert_navigations(
        &stage,
        &[
            &LOGIN,
            &[
                "GET /admin/users as alice, session: 200",
                "POST /admin/logout as alice, session: 401 asks",
                "GET /admin/reports/2026/11 as nobody, session: 401 asks",
                "GET /admin/reports/2026/11 as alice, session: 200",
                // The style sheet has meanwhile made the browser send them to all of /admin/.
                "GET /admin/ as alice, session: 200",
            ],
        ],
    );
    stage.ends(&tab, 3).await;
}

pub(crate) async fn cross_site_link_cannot_log_user_out(engine: Engine) {
    let stage = Stage::open(engine, &[]).await;
    let tab = stage.tab().await;
    log_in(&tab, ALICE).await;
    let here = tab.evaluate("location.origin").await;
    let here = here.as_str().expect("an origin");
    tab.visit_elsewhere(&format!("data:text/html,<a href='{here}/admin/logout'>Kittens</a>")).await;
    tab.page().await;
    tab.click("a").await;
    let page = tab.page().await;
    assert!(page.contains("Logout refused"), "{page}");
    tab.visit("/admin/").await;
    signed_in(&tab, ALICE).await;
    assert_navigations(
        &stage,
        &[
            &LOGIN,
            &["GET /admin/logout as alice, session: 403", "GET /admin/ as alice, session: 200"],
        ],
    );
    stage.ends(&tab, 1).await;
}

pub(crate) async fn back_shows_no_protected_page_after_logout(engine: Engine) {
    let stage = Stage::open(engine, &[]).await;
    let tab = stage.tab().await;
    walk(&stage, &tab, engine).await;
    tab.click(BUTTON).await;
    tab.dialog().await.cancel().await;
    logged_out(&tab).await;
    back_is_asked(&stage, &tab, "nobody").await;
    stage.ends(&tab, 3).await;
}

pub(crate) async fn back_shows_no_protected_page_after_logout_page(engine: Engine) {
    let stage = Stage::open(engine, &[("LOGOUT", "page")]).await;
    let tab = stage.tab().await;
    walk(&stage, &tab, engine).await;
    tab.click(BUTTON).await;
    logged_out(&tab).await;
    stage.served("the page's script", |it| it.status() == Some(204)).await;
    back_is_asked(&stage, &tab, "logged-out").await;
    stage.ends(&tab, 2).await;
}

pub(crate) async fn back_shows_no_protected_page_after_logout_redirect(engine: Engine) {
    let stage = Stage::open(engine, &[("LOGOUT", "redirect")]).await;
    let tab = stage.tab().await;
    walk(&stage, &tab, engine).await;
    tab.click(BUTTON).await;
    assert!(tab.page().await.contains("Anybody may read this"));
    back_is_asked(&stage, &tab, "alice").await;
    stage.ends(&tab, 2).await;
}

pub(crate) async fn back_shows_no_protected_page_after_logout_by_fetch(engine: Engine) {
    let stage = Stage::open(engine, &[]).await;
    let (tab, other) = (stage.tab().await, aside(&stage).await);
    walk(&stage, &tab, engine).await;
    tab.visit("/").await;
    tab.page().await;
    other.evaluate("fetch('/admin/logout', { method: 'POST' })").await;
    back_is_asked(&stage, &tab, "alice").await;
    stage.ends(&tab, 2).await;
}

/// Logs in, goes on to the public page and back, which shows what the browser would bring back
/// without asking the server, if it were let; ends on such a page.
pub(crate) async fn walk(stage: &Stage, tab: &Tab, engine: Engine) {
    // A page that has fetched something that is not to be stored is never kept.
    tab.run_first("window.fetch = () => Promise.reject()").await;
    log_in(tab, ALICE).await;
    // Nor is one that came with a cookie, as that of a login does.
    tab.click("a[href='/admin/']").await;
    signed_in(tab, ALICE).await;
    tab.evaluate("void (window.kept = true)").await;
    tab.visit("/").await;
    assert!(tab.page().await.contains("Anybody may read this"));
    tab.back().await;
    if engine.is_chromium() {
        tab.shows("Signed in as alice").await; // nothing loads
    } else {
        signed_in(tab, ALICE).await;
    }
    // Firefox keeps no page that says `no-store`; Chromium does.
    let kept = tab.evaluate("window.kept === true").await == true;
    assert_eq!(kept, engine.is_chromium());
    let asked: &[&str] = if kept { &[] } else { &["GET /admin/ as alice, session: 200"] };
    assert_navigations(
        stage,
        &[&LOGIN, &["GET /admin/ as alice, session: 200", "GET / as nobody, session: 200"], asked],
    );
}

/// The back button leads to a request, and that to a dialog and no page.
pub(crate) async fn back_is_asked(stage: &Stage, tab: &Tab, user: &str) {
    let before = stage.now();
    tab.back().await;
    tab.dialog().await.cancel().await;
    let page = tab.page().await;
    assert!(!page.contains("Signed in"), "{page}");
    assert_eq!(tab.evaluate("typeof window.kept").await, "undefined");
    let asked = format!("GET /admin/ as {user}, session: 401 asks");
    assert_eq!(stage.log().since(before).lines(|it| it.navigation), [asked]);
}

/// Logs in, and waits at the page until its poll is refused.
async fn expire(engine: Engine) -> (Stage, Tab) {
    let stage = Stage::open(engine, &[("LOGIN_SECONDS", "3")]).await;
    let tab = stage.tab().await;
    log_in(&tab, ALICE).await;
    tab.evaluate("void setInterval(ask, 50)").await;
    tab.shows("nobody (401)").await;
    assert_eq!(stage.dialogs().await, 1, "none over a poll");
    (stage, tab)
}

/// What the next page then looks like to the server.
fn expired(engine: Engine) -> &'static str {
    if engine.is_firefox() {
        "GET /admin/users as alice, session: 401 asks"
    } else {
        // A challenge that they do not know has made the others forget.
        "GET /admin/users as nobody, session: 401 asks"
    }
}

pub(crate) async fn login_expiring_under_open_page_prompts_once(engine: Engine) {
    let (stage, tab) = expire(engine).await;
    tab.click("a[href='/admin/users']").await;
    type_in(&tab, ALICE).await;
    signed_in(&tab, ALICE).await;
    let typed = "GET /admin/users as alice, session: 200";
    assert_navigations(&stage, &[&LOGIN, &[expired(engine), typed]]);
    stage.ends(&tab, 2).await;
}

pub(crate) async fn page_reports_expired_login(engine: Engine) {
    let (stage, tab) = expire(engine).await;
    tab.click("a[href='/admin/users']").await;
    tab.dialog().await.cancel().await;
    let page = tab.page().await;
    assert!(page.contains("Your login has expired"), "{page}");
    assert_navigations(&stage, &[&LOGIN, &[expired(engine)]]);
    stage.ends(&tab, 2).await;
}
