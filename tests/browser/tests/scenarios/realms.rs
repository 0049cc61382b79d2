//! Two realms on one origin, one below the other.

use actix_basic_logout::LogoutScope;
use browser_suite::{Engine, Fixture, Site, Tab};

use crate::steps::*;

const CAROL: (&str, &str) = ("carol", "cave");

/// Logs in to both realms.
async fn log_in_to_both(engine: Engine) -> (Fixture, Tab) {
    let site = Site { logout_scope: LogoutScope::Realm, ..Site::default() };
    let fixture = Fixture::open_site(engine, site).await;
    let tab = fixture.tab().await;
    log_in(&tab, ALICE).await;
    log_in_to_vault(&tab).await;
    (fixture, tab)
}

async fn log_in_to_vault(tab: &Tab) {
    tab.visit("/admin/vault/").await;
    enter_credentials(tab, CAROL).await;
    assert_signed_in(tab, CAROL).await;
}

async fn log_out_of_vault(tab: &Tab, engine: Engine) {
    tab.click("form[action='/admin/vault/logout'] button").await;
    tab.dialog().await.cancel().await;
    if engine == Engine::ChromiumOnScreen {
        // Chromium repeats the request with the outer realm's credentials, and shows the response.
        let page = tab.page().await;
        assert!(page.contains("Wrong user name or password"), "{page}");
    } else {
        assert_logged_out(tab).await;
    }
}

/// Asserts that the user is still logged in to the other realm. Firefox prompts once more, because
/// it drops the credentials of all realms of an origin.
async fn assert_still_logged_in(tab: &Tab, engine: Engine, path: &str, user: (&str, &str)) {
    tab.visit(path).await;
    if engine.is_firefox() {
        enter_credentials(tab, user).await;
    }
    assert_signed_in(tab, user).await;
}

/// The navigations of both logins. The browser also sends the outer realm's credentials to the
/// inner realm, which rejects them.
const LOGIN_TO_BOTH: [&str; 4] = [
    LOGIN[0],
    LOGIN[1],
    "GET /admin/vault/ as alice, session: 401 challenge",
    "GET /admin/vault/ as carol, session: 200",
];

pub(crate) async fn logout_of_inner_realm_keeps_outer_login(engine: Engine) {
    let (fixture, tab) = log_in_to_both(engine).await;
    log_out_of_vault(&tab, engine).await;
    assert_still_logged_in(&tab, engine, "/admin/", ALICE).await;
    visit_and_cancel(&tab, "/admin/vault/").await;
    log_in_to_vault(&tab).await;
    tab.visit("/admin/").await;
    assert_signed_in(&tab, ALICE).await;
    // WebKitGTK sends no credentials to the inner realm here; the others send the outer realm's.
    let user = if engine == Engine::WebKit { "nobody" } else { "alice" };
    let given_up = format!("GET /admin/vault/ as {user}, session: 401 challenge");
    assert_navigations(
        &fixture,
        &[
            &LOGIN_TO_BOTH,
            &["POST /admin/vault/logout as carol, session: 401 challenge"],
            if engine.is_firefox() {
                &["GET /admin/ as nobody, session: 401 challenge"]
            } else {
                &[]
            },
            &[
                "GET /admin/ as alice, session: 200",
                &given_up,
                &given_up,
                "GET /admin/vault/ as carol, session: 200",
                "GET /admin/ as alice, session: 200",
            ],
        ],
    );
    fixture.finish(&tab, if engine.is_firefox() { 6 } else { 5 }).await;
}

pub(crate) async fn logout_of_outer_realm_keeps_inner_login(engine: Engine) {
    let (fixture, tab) = log_in_to_both(engine).await;
    tab.visit("/admin/").await;
    assert_signed_in(&tab, ALICE).await;
    log_out(&tab).await;
    assert_still_logged_in(&tab, engine, "/admin/vault/", CAROL).await;
    visit_and_cancel(&tab, "/admin/").await;
    log_in(&tab, BOB).await;
    assert_navigations(
        &fixture,
        &[
            &LOGIN_TO_BOTH,
            &[
                "GET /admin/ as alice, session: 200",
                "POST /admin/logout as alice, session: 401 challenge",
            ],
            if engine.is_firefox() {
                &["GET /admin/vault/ as nobody, session: 401 challenge"]
            } else {
                &[]
            },
            &[
                "GET /admin/vault/ as carol, session: 200",
                "GET /admin/ as nobody, session: 401 challenge",
                "GET /admin/ as nobody, session: 401 challenge",
                "GET /admin/ as bob, session: 200",
            ],
        ],
    );
    fixture.finish(&tab, if engine.is_firefox() { 6 } else { 5 }).await;
}
