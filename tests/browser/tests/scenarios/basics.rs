//! Login, logout, the Back button and expiry, with the demo.

use browser_suite::{Engine, Fixture, Tab, wait_until};

use crate::steps::*;

pub(crate) async fn first_visit_prompts_once_and_logs_in(engine: Engine) {
    let fixture = Fixture::open(engine, &[]).await;
    let tab = fixture.tab().await;
    log_in(&tab, ALICE).await;
    assert_navigations(&fixture, &[&LOGIN]);
    fixture.finish(&tab, 1).await;
}

pub(crate) async fn wrong_password_prompts_again_and_right_one_logs_in(engine: Engine) {
    let fixture = Fixture::open(engine, &[]).await;
    let tab = fixture.tab().await;
    tab.visit("/admin/").await;
    enter_credentials(&tab, ("alice", "Wonderland")).await;
    enter_credentials(&tab, ("mallory", "wonderland")).await;
    enter_credentials(&tab, ALICE).await;
    assert_signed_in(&tab, ALICE).await;
    assert_navigations(
        &fixture,
        &[&[
            "GET /admin/ as nobody: 401 challenge",
            "GET /admin/ as alice, session: 401 challenge",
            "GET /admin/ as mallory, session: 401 challenge",
            "GET /admin/ as alice, session: 200",
        ]],
    );
    fixture.finish(&tab, 3).await;
}

pub(crate) async fn cancel_after_wrong_password_shows_page_with_login_link(engine: Engine) {
    let fixture = Fixture::open(engine, &[]).await;
    let tab = fixture.tab().await;
    tab.visit("/admin/").await;
    enter_credentials(&tab, ("alice", "Wonderland")).await;
    tab.dialog().await.cancel().await;
    let page = tab.page().await;
    let words = if engine == Engine::ChromiumOnScreen {
        // Chromium repeats the request without credentials, and shows the response to that.
        "Log in to see this page."
    } else {
        "Wrong user name or password"
    };
    assert!(page.contains(words), "{page}");
    assert!(page.contains("Log in"), "{page}");
    assert_navigations(
        &fixture,
        &[&[
            "GET /admin/ as nobody: 401 challenge",
            "GET /admin/ as alice, session: 401 challenge",
        ]],
    );
    fixture.finish(&tab, 2).await;
}

pub(crate) async fn logged_in_user_browses_without_prompts(engine: Engine) {
    let fixture = Fixture::open(engine, &[]).await;
    let tab = fixture.tab().await;
    log_in(&tab, ALICE).await;
    tab.wait_for_text("alice, at ").await; // the page's own `fetch` has succeeded
    tab.click("a[href='/admin/users']").await;
    assert_signed_in(&tab, ALICE).await;
    tab.click("a[href='/admin/reports/2026/11']").await;
    assert_signed_in(&tab, ALICE).await;
    tab.visit("/").await;
    assert!(tab.page().await.contains("Anybody may read this"));
    tab.click("a[href='/admin/']").await;
    assert_signed_in(&tab, ALICE).await;
    tab.visit("/admin/users?page=2").await;
    assert_signed_in(&tab, ALICE).await;
    tab.wait_for_text("alice, at ").await;
    assert_navigations(
        &fixture,
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
        let lines = fixture.log().lines(|it| it.path == path && it.response.is_some());
        assert!(!lines.is_empty(), "{path}");
        let expected = format!("GET {path} as alice, session: 200");
        assert!(lines.iter().all(|it| *it == expected), "{lines:?}");
    }
    fixture.finish(&tab, 1).await;
}

pub(crate) async fn logout_link_inside_scope_prompts_once(engine: Engine) {
    log_out_and_log_in_again(
        engine,
        "a[href='/admin/logout']",
        &[
            "GET /admin/logout as alice, session: 401 challenge",
            "GET /admin/logout as alice, session: 303",
        ],
    )
    .await;
}

pub(crate) async fn logout_form_inside_scope_prompts_once(engine: Engine) {
    log_out_and_log_in_again(
        engine,
        LOGOUT_BUTTON,
        &[
            "POST /admin/logout as alice, session: 401 challenge",
            "POST /admin/logout as alice, session: 303",
        ],
    )
    .await;
}

pub(crate) async fn logout_link_outside_scope_prompts_once(engine: Engine) {
    log_out_and_log_in_again(
        engine,
        "a[href='/logout']",
        &[
            // The user logged in below /admin/, so the browser sends no credentials to this path at
            // first.
            "GET /logout as nobody, session: 401 challenge",
            "GET /logout as alice, session: 401 challenge",
            "GET /logout as alice, session: 303",
        ],
    )
    .await;
}

pub(crate) async fn logout_form_outside_scope_prompts_once(engine: Engine) {
    log_out_and_log_in_again(
        engine,
        "form[action='/logout'] button",
        &[
            "POST /logout as nobody, session: 401 challenge",
            "POST /logout as alice, session: 401 challenge",
            "POST /logout as alice, session: 303",
        ],
    )
    .await;
}

/// Logs out, submits credentials to the only dialog of the logout, and asserts that the user is
/// logged in at the landing path.
async fn log_out_and_log_in_again(engine: Engine, selector: &str, logout: &[&str]) {
    let fixture = Fixture::open(engine, &[]).await;
    let tab = fixture.tab().await;
    log_in(&tab, ALICE).await;
    if selector.starts_with("form[action='/logout']") {
        // The demo has no form with this action, so change its own.
        tab.evaluate("document.querySelector('form').action = '/logout'").await;
    }
    tab.click(selector).await;
    enter_credentials(&tab, ALICE).await;
    assert_signed_in(&tab, ALICE).await;
    assert_eq!(tab.evaluate("location.pathname").await, "/admin/");
    assert_navigations(&fixture, &[&LOGIN, logout, &["GET /admin/ as alice, session: 200"]]);
    fixture.finish(&tab, 2).await;
}

pub(crate) async fn old_credentials_do_not_log_in_after_logout(engine: Engine) {
    let fixture = Fixture::open(engine, &[]).await;
    let tab = fixture.tab().await;
    log_in(&tab, ALICE).await;
    tab.click(LOGOUT_BUTTON).await;
    tab.dialog().await.cancel().await;
    assert_logged_out(&tab).await;
    tab.visit("/admin/").await;
    tab.dialog().await.cancel().await;
    let page = tab.page().await;
    assert!(!page.contains("Signed in"), "{page}");
    log_in(&tab, BOB).await;
    assert_navigations(
        &fixture,
        &[
            &LOGIN,
            &["POST /admin/logout as alice, session: 401 challenge"],
            &["GET /admin/ as nobody, session: 401 challenge"],
            &["GET /admin/ as nobody, session: 401 challenge", "GET /admin/ as bob, session: 200"],
        ],
    );
    fixture.finish(&tab, 4).await;
}

pub(crate) async fn logout_prompt_accepts_another_user(engine: Engine) {
    let fixture = Fixture::open(engine, &[]).await;
    let tab = fixture.tab().await;
    log_in(&tab, ALICE).await;
    tab.click(LOGOUT_BUTTON).await;
    enter_credentials(&tab, BOB).await;
    assert_signed_in(&tab, BOB).await;
    tab.wait_for_text("bob, at ").await;
    assert_navigations(
        &fixture,
        &[
            &LOGIN,
            &[
                "POST /admin/logout as alice, session: 401 challenge",
                "POST /admin/logout as bob, session: 303",
                "GET /admin/ as bob, session: 200",
            ],
        ],
    );
    fixture.finish(&tab, 2).await;
}

pub(crate) async fn user_who_cancels_logout_prompt_can_log_in_later(engine: Engine) {
    let fixture = Fixture::open(engine, &[]).await;
    let tab = fixture.tab().await;
    log_in(&tab, ALICE).await;
    tab.click(LOGOUT_BUTTON).await;
    tab.dialog().await.cancel().await;
    assert_logged_out(&tab).await;
    tab.click("a[href='/admin/']").await;
    enter_credentials(&tab, ALICE).await;
    assert_signed_in(&tab, ALICE).await;
    assert_navigations(
        &fixture,
        &[
            &LOGIN,
            &["POST /admin/logout as alice, session: 401 challenge"],
            &[
                "GET /admin/ as nobody, session: 401 challenge",
                "GET /admin/ as alice, session: 200",
            ],
        ],
    );
    fixture.finish(&tab, 3).await;
}

pub(crate) async fn user_who_cancels_repeatedly_can_still_log_in(engine: Engine) {
    let fixture = Fixture::open(engine, &[]).await;
    let tab = fixture.tab().await;
    tab.visit("/admin/").await;
    for _ in 0..3 {
        tab.dialog().await.cancel().await;
        let page = tab.page().await;
        assert!(page.contains("Login required"), "{page}");
        tab.click("a[href='/admin/']").await;
    }
    if engine == Engine::FirefoxDialog {
        // Firefox opens no fourth dialog until the user reloads the page.
        let page = tab.page().await;
        assert!(page.contains("reload the page"), "{page}");
        tab.reload().await;
    }
    enter_credentials(&tab, ALICE).await;
    assert_signed_in(&tab, ALICE).await;
    fixture.finish(&tab, 4).await;
}

pub(crate) async fn each_of_five_logouts_prompts_once(engine: Engine) {
    let fixture = Fixture::open(engine, &[]).await;
    let tab = fixture.tab().await;
    log_in(&tab, ALICE).await;
    for round in 1..=5 {
        tab.click(LOGOUT_BUTTON).await;
        enter_credentials(&tab, ALICE).await;
        assert_signed_in(&tab, ALICE).await;
        tab.wait_for_text("alice, at ").await;
        assert_eq!(fixture.dialogs().await, 1 + round);
    }
    let round = [
        "POST /admin/logout as alice, session: 401 challenge",
        "POST /admin/logout as alice, session: 303",
        "GET /admin/ as alice, session: 200",
    ];
    assert_navigations(&fixture, &[&LOGIN, &round, &round, &round, &round, &round]);
    fixture.finish(&tab, 6).await;
}

pub(crate) async fn second_click_on_logout_prompts_once(engine: Engine) {
    let fixture = Fixture::open(engine, &[]).await;
    let tab = fixture.tab().await;
    log_in(&tab, ALICE).await;
    // The driver cannot run scripts in a tab that waits for a response. Another tab can send it a
    // message.
    let clicker = open_helper_tab(&fixture).await;
    let listen = "void (new BroadcastChannel('click').onmessage = \
                  () => document.querySelector('form').requestSubmit())";
    tab.evaluate(listen).await;
    let held = fixture.hold_responses("/admin/logout");
    tab.expect_page_load().await;
    for clicks in 1..=2 {
        clicker.evaluate("new BroadcastChannel('click').postMessage('')").await;
        wait_until("the server has responded to the click", async || {
            let log = fixture.log();
            let clicked = log.0.iter().filter(|it| it.is("POST", "/admin/logout"));
            (clicked.filter(|it| it.response.is_some()).count() == clicks).then_some(())
        })
        .await;
    }
    drop(held);
    enter_credentials(&tab, ALICE).await;
    assert_signed_in(&tab, ALICE).await;
    assert_navigations(
        &fixture,
        &[
            &LOGIN,
            &[
                "POST /admin/logout as alice, session: 401 challenge",
                "POST /admin/logout as alice, session: 401 challenge",
                "POST /admin/logout as alice, session: 303",
                "GET /admin/ as alice, session: 200",
            ],
        ],
    );
    fixture.finish(&tab, 2).await;
}

pub(crate) async fn requests_that_raced_logout_do_not_restore_login(engine: Engine) {
    race_logout(engine, BOB).await;
}

pub(crate) async fn requests_that_raced_logout_do_not_end_new_login(engine: Engine) {
    race_logout(engine, ALICE).await;
}

/// Sends two requests with the session of the old login before a logout. They reach the server
/// after `next` has logged in. In Chromium the second request carries the new user's credentials.
async fn race_logout(engine: Engine, next: (&str, &str)) {
    let fixture = Fixture::open(engine, &[]).await;
    let (tab, other) = (fixture.tab().await, open_helper_tab(&fixture).await);
    log_in(&tab, ALICE).await;
    let slow = "/admin/api/slow";
    let held = fixture.hold_requests(slow);
    let fetch = format!("fetch('{slow}').then(it => it.status)");
    // The HTTP cache sends requests for one URL one at a time. The second request gets its cookie
    // now, and its credentials when the first response has arrived.
    other.evaluate(&format!("void (window.statuses = Promise.all([{fetch}, {fetch}]))")).await;
    wait_until("the first request has reached the proxy", async || {
        fixture.log().0.into_iter().find(|it| it.is("GET", slow)).map(drop)
    })
    .await;
    tab.click(LOGOUT_BUTTON).await;
    enter_credentials(&tab, next).await;
    assert_signed_in(&tab, next).await;
    drop(held);
    let statuses = other.evaluate("window.statuses.then(it => it.join())").await;
    // The browser must still have the new credentials, so this page opens no dialog.
    tab.click("a[href='/admin/users']").await;
    assert_signed_in(&tab, next).await;
    assert_eq!(statuses, "403,403");
    // Firefox adds the credentials to both requests before it sends the first.
    let second = if engine.is_firefox() { ALICE.0 } else { next.0 };
    assert_eq!(
        fixture.log().lines(|it| it.path == slow),
        [
            "GET /admin/api/slow as alice, session: 403".to_owned(),
            format!("GET /admin/api/slow as {second}, session: 403"),
        ]
    );
    fixture.finish(&tab, 2).await;
}

pub(crate) async fn logout_by_fetch_inside_scope_opens_no_dialog(engine: Engine) {
    log_out_by_fetch(engine, "/admin/logout", "POST /admin/logout as alice, session: 204").await;
}

pub(crate) async fn logout_by_fetch_outside_scope_opens_no_dialog(engine: Engine) {
    // Outside the scope the browser sends no credentials; the session alone suffices for a logout.
    log_out_by_fetch(engine, "/logout", "POST /logout as nobody, session: 204").await;
}

async fn log_out_by_fetch(engine: Engine, path: &str, logout: &str) {
    let fixture = Fixture::open(engine, &[]).await;
    let tab = fixture.tab().await;
    log_in(&tab, ALICE).await;
    let fetch = format!("fetch('{path}', {{ method: 'POST' }}).then(it => it.status)");
    assert_eq!(tab.evaluate(&fetch).await, 204);
    assert_eq!(fixture.dialogs().await, 1, "the logout must open no dialog");
    log_in(&tab, ALICE).await;
    assert_eq!(fixture.log().lines(|it| it.path == path), [logout]);
    assert_navigations(
        &fixture,
        &[
            &LOGIN,
            &["GET /admin/ as alice, session: 401 challenge", "GET /admin/ as alice, session: 200"],
        ],
    );
    fixture.finish(&tab, 2).await;
}

pub(crate) async fn logout_page_inside_scope_opens_no_dialog(engine: Engine) {
    log_out_by_page(engine, "/admin/logout", "POST /admin/logout as alice, session: 200").await;
}

pub(crate) async fn logout_page_outside_scope_opens_no_dialog(engine: Engine) {
    log_out_by_page(engine, "/logout", "POST /logout as nobody, session: 200").await;
}

/// Logs out with `LogoutResponse::Page`. The page's script replaces the browser's credentials by
/// those of the reserved user `logged-out`.
async fn log_out_by_page(engine: Engine, path: &str, logout: &str) {
    let fixture = Fixture::open(engine, &[("LOGOUT", "page")]).await;
    let tab = fixture.tab().await;
    log_in(&tab, ALICE).await;
    tab.evaluate(&format!("document.querySelector('form').action = '{path}'")).await;
    tab.click("form button").await;
    assert_logged_out(&tab).await;
    fixture
        .wait_for_response("the page's script has replaced the credentials", |it| {
            it.path == path && it.user.as_deref() == Some("logged-out") && it.status() == Some(204)
        })
        .await;
    assert_eq!(fixture.dialogs().await, 1, "the logout must open no dialog");
    log_in(&tab, ALICE).await;
    tab.wait_for_text("alice, at ").await;
    assert_navigations(
        &fixture,
        &[
            &LOGIN,
            &[
                logout,
                "GET /admin/ as logged-out, session: 401 challenge",
                "GET /admin/ as alice, session: 200",
            ],
        ],
    );
    fixture.finish(&tab, 2).await;
}

pub(crate) async fn logout_redirect_leads_to_public_page(engine: Engine) {
    let fixture = Fixture::open(engine, &[("LOGOUT", "redirect")]).await;
    let tab = fixture.tab().await;
    log_in(&tab, ALICE).await;
    tab.click(LOGOUT_BUTTON).await;
    assert!(tab.page().await.contains("Anybody may read this"));
    assert_eq!(tab.evaluate("location.pathname").await, "/");
    assert_eq!(fixture.dialogs().await, 1, "the logout must open no dialog");
    log_in(&tab, ALICE).await;
    assert_navigations(
        &fixture,
        &[
            &LOGIN,
            &[
                "POST /admin/logout as alice, session: 303",
                "GET / as nobody, session: 200",
                "GET /admin/ as alice, session: 401 challenge",
                "GET /admin/ as alice, session: 200",
            ],
        ],
    );
    fixture.finish(&tab, 2).await;
}

/// Polls a protected path every 20 ms.
const POLL: &str = "void setInterval(() => fetch('/admin/api/whoami').catch(() => {}), 20)";

pub(crate) async fn poll_is_refused_between_logout_and_next_login(engine: Engine) {
    let fixture = Fixture::open(engine, &[]).await;
    let (tab, poller) = (fixture.tab().await, open_helper_tab(&fixture).await);
    log_in(&tab, ALICE).await;
    poller.evaluate(POLL).await;
    let polls = async |since: u64, status: u16| {
        wait_until(&format!("twenty polls get status {status}"), async || {
            let log = fixture.log().since(since);
            let polls = log.0.iter().filter(|it| it.path == "/admin/api/whoami");
            (polls.filter(|it| it.status() == Some(status)).count() >= 20).then_some(())
        })
        .await;
    };
    for round in 1..=3 {
        polls(fixture.now(), 200).await;
        let before = fixture.now();
        tab.click(LOGOUT_BUTTON).await;
        let dialog = tab.dialog().await;
        let logout = fixture
            .wait_for_response("the logout gets a response", |it| {
                it.path == "/admin/logout" && it.arrived > before
            })
            .await;
        let logged_out = logout.response.expect("the logout has a response").at;
        polls(logged_out, 401).await;
        let typing = fixture.now();
        dialog.submit(ALICE.0, ALICE.1).await;
        assert_signed_in(&tab, ALICE).await;
        polls(typing, 200).await;
        let log = fixture.log();
        let between = log.since(logged_out);
        let mut between = between.0.iter().take_while(|it| it.arrived <= typing);
        assert!(between.all(|it| !it.is_admitted()), "{log}");
        assert_eq!(fixture.dialogs().await, 1 + round, "{log}");
    }
    let round = [
        "POST /admin/logout as alice, session: 401 challenge",
        "POST /admin/logout as alice, session: 303",
        "GET /admin/ as alice, session: 200",
    ];
    assert_navigations(&fixture, &[&LOGIN, &round, &round, &round]);
    fixture.finish(&tab, 4).await;
}

pub(crate) async fn polling_tab_notices_logout_in_another_tab(engine: Engine) {
    let fixture = Fixture::open(engine, &[]).await;
    let (tab, other) = (fixture.tab().await, fixture.tab().await);
    log_in(&tab, ALICE).await;
    other.visit("/admin/users").await;
    assert_signed_in(&other, ALICE).await;
    other.evaluate("void setInterval(ask, 20)").await;
    tab.click(LOGOUT_BUTTON).await;
    tab.dialog().await.cancel().await;
    assert_logged_out(&tab).await;
    other.wait_for_text("nobody (401)").await;
    assert_eq!(fixture.dialogs().await, 2, "no dialog in the polling tab");
    other.click("a[href='/admin/reports/2026/11']").await;
    enter_credentials(&other, ALICE).await;
    assert_signed_in(&other, ALICE).await;
    tab.click("a[href='/admin/']").await;
    assert_signed_in(&tab, ALICE).await;
    assert_navigations(
        &fixture,
        &[
            &LOGIN,
            &[
                "GET /admin/users as alice, session: 200",
                "POST /admin/logout as alice, session: 401 challenge",
                "GET /admin/reports/2026/11 as nobody, session: 401 challenge",
                "GET /admin/reports/2026/11 as alice, session: 200",
                // The request for the style sheet in /admin/ has widened the scope to /admin/.
                "GET /admin/ as alice, session: 200",
            ],
        ],
    );
    fixture.finish(&tab, 3).await;
}

pub(crate) async fn cross_site_link_cannot_log_user_out(engine: Engine) {
    let fixture = Fixture::open(engine, &[]).await;
    let tab = fixture.tab().await;
    log_in(&tab, ALICE).await;
    let here = tab.evaluate("location.origin").await;
    let here = here.as_str().expect("an origin");
    tab.visit_url(&format!("data:text/html,<a href='{here}/admin/logout'>Kittens</a>")).await;
    tab.page().await;
    tab.click("a").await;
    let page = tab.page().await;
    assert!(page.contains("Logout refused"), "{page}");
    tab.visit("/admin/").await;
    assert_signed_in(&tab, ALICE).await;
    assert_navigations(
        &fixture,
        &[
            &LOGIN,
            &["GET /admin/logout as alice, session: 403", "GET /admin/ as alice, session: 200"],
        ],
    );
    fixture.finish(&tab, 1).await;
}

pub(crate) async fn back_shows_no_protected_page_after_logout(engine: Engine) {
    let fixture = Fixture::open(engine, &[]).await;
    let tab = fixture.tab().await;
    log_in_and_go_back(&fixture, &tab, engine).await;
    tab.click(LOGOUT_BUTTON).await;
    tab.dialog().await.cancel().await;
    assert_logged_out(&tab).await;
    assert_back_prompts(&fixture, &tab, "nobody").await;
    fixture.finish(&tab, 3).await;
}

pub(crate) async fn back_shows_no_protected_page_after_logout_page(engine: Engine) {
    let fixture = Fixture::open(engine, &[("LOGOUT", "page")]).await;
    let tab = fixture.tab().await;
    log_in_and_go_back(&fixture, &tab, engine).await;
    tab.click(LOGOUT_BUTTON).await;
    assert_logged_out(&tab).await;
    fixture.wait_for_response("the page's script gets 204", |it| it.status() == Some(204)).await;
    assert_back_prompts(&fixture, &tab, "logged-out").await;
    fixture.finish(&tab, 2).await;
}

pub(crate) async fn back_shows_no_protected_page_after_logout_redirect(engine: Engine) {
    let fixture = Fixture::open(engine, &[("LOGOUT", "redirect")]).await;
    let tab = fixture.tab().await;
    log_in_and_go_back(&fixture, &tab, engine).await;
    tab.click(LOGOUT_BUTTON).await;
    assert!(tab.page().await.contains("Anybody may read this"));
    assert_back_prompts(&fixture, &tab, "alice").await;
    fixture.finish(&tab, 2).await;
}

pub(crate) async fn back_shows_no_protected_page_after_logout_by_fetch(engine: Engine) {
    let fixture = Fixture::open(engine, &[]).await;
    let (tab, other) = (fixture.tab().await, open_helper_tab(&fixture).await);
    log_in_and_go_back(&fixture, &tab, engine).await;
    tab.visit("/").await;
    tab.page().await;
    other.evaluate("fetch('/admin/logout', { method: 'POST' })").await;
    assert_back_prompts(&fixture, &tab, "alice").await;
    fixture.finish(&tab, 2).await;
}

/// Logs in, visits the public page and goes back. Asserts that Chromium restores the protected page
/// from memory and that Firefox requests it again. Ends on a page that Chromium could restore.
pub(crate) async fn log_in_and_go_back(fixture: &Fixture, tab: &Tab, engine: Engine) {
    // Chromium does not keep a page whose script has fetched a `no-store` response.
    tab.add_preload_script("window.fetch = () => Promise.reject()").await;
    log_in(tab, ALICE).await;
    // Nor does it keep a page whose response set a cookie, as the response to a login does.
    tab.click("a[href='/admin/']").await;
    assert_signed_in(tab, ALICE).await;
    tab.evaluate("void (window.kept = true)").await;
    tab.visit("/").await;
    assert!(tab.page().await.contains("Anybody may read this"));
    tab.back().await;
    if engine.is_chromium() {
        tab.wait_for_text("Signed in as alice").await; // restored, so no load event
    } else {
        assert_signed_in(tab, ALICE).await;
    }
    // Firefox keeps no page that is marked `no-store`; Chromium does.
    let kept = tab.evaluate("window.kept === true").await == true;
    assert_eq!(kept, engine.is_chromium());
    let request: &[&str] = if kept { &[] } else { &["GET /admin/ as alice, session: 200"] };
    assert_navigations(
        fixture,
        &[
            &LOGIN,
            &["GET /admin/ as alice, session: 200", "GET / as nobody, session: 200"],
            request,
        ],
    );
}

/// Goes back, and asserts that the browser sends a request, opens a dialog and shows no protected
/// page.
pub(crate) async fn assert_back_prompts(fixture: &Fixture, tab: &Tab, user: &str) {
    let before = fixture.now();
    tab.back().await;
    tab.dialog().await.cancel().await;
    let page = tab.page().await;
    assert!(!page.contains("Signed in"), "{page}");
    assert_eq!(tab.evaluate("typeof window.kept").await, "undefined");
    let challenged = format!("GET /admin/ as {user}, session: 401 challenge");
    assert_eq!(fixture.log().since(before).lines(|it| it.navigation), [challenged]);
}

/// Logs in, and waits on the page until the server refuses its poll because the login has expired.
async fn wait_for_expiry(engine: Engine) -> (Fixture, Tab) {
    let fixture = Fixture::open(engine, &[("LOGIN_SECONDS", "3")]).await;
    let tab = fixture.tab().await;
    log_in(&tab, ALICE).await;
    tab.evaluate("void setInterval(ask, 50)").await;
    tab.wait_for_text("nobody (401)").await;
    assert_eq!(fixture.dialogs().await, 1, "a poll must open no dialog");
    (fixture, tab)
}

/// The next navigation after that, as it appears in the log.
fn navigation_after_expiry(engine: Engine) -> &'static str {
    if engine.is_firefox() {
        "GET /admin/users as alice, session: 401 challenge"
    } else {
        // The 401 with an unknown scheme has made the other browsers drop the credentials.
        "GET /admin/users as nobody, session: 401 challenge"
    }
}

pub(crate) async fn login_expiring_under_open_page_prompts_once(engine: Engine) {
    let (fixture, tab) = wait_for_expiry(engine).await;
    tab.click("a[href='/admin/users']").await;
    enter_credentials(&tab, ALICE).await;
    assert_signed_in(&tab, ALICE).await;
    let typed = "GET /admin/users as alice, session: 200";
    assert_navigations(&fixture, &[&LOGIN, &[navigation_after_expiry(engine), typed]]);
    fixture.finish(&tab, 2).await;
}

pub(crate) async fn page_reports_expired_login(engine: Engine) {
    let (fixture, tab) = wait_for_expiry(engine).await;
    tab.click("a[href='/admin/users']").await;
    tab.dialog().await.cancel().await;
    let page = tab.page().await;
    assert!(page.contains("Your login has expired"), "{page}");
    assert_navigations(&fixture, &[&LOGIN, &[navigation_after_expiry(engine)]]);
    fixture.finish(&tab, 2).await;
}
