//! Two realms on one origin, one below the other.

use actix_basic_logout::LogoutScope;
use browser_suite::{Engine, Site, Stage, Tab};

use crate::steps::*;

const CAROL: (&str, &str) = ("carol", "cave");

/// Logs in to both.
async fn both(engine: Engine) -> (Stage, Tab) {
    let site = Site { clears: LogoutScope::Realm, ..Site::default() };
    let stage = Stage::open_site(engine, site).await;
    let tab = stage.tab().await;
    log_in(&tab, ALICE).await;
    log_in_below(&tab).await;
    (stage, tab)
}

async fn log_in_below(tab: &Tab) {
    tab.visit("/admin/vault/").await;
    type_in(tab, CAROL).await;
    signed_in(tab, CAROL).await;
}

async fn log_out_below(tab: &Tab, engine: Engine) {
    tab.click("form[action='/admin/vault/logout'] button").await;
    tab.dialog().await.cancel().await;
    if engine == Engine::ChromiumOnScreen {
        // It repeats the request with the outer realm's credentials, and shows the answer to that.
        let page = tab.page().await;
        assert!(page.contains("Wrong user name or password"), "{page}");
    } else {
        logged_out(tab).await;
    }
}

/// The realm that nobody has logged out of. Firefox has forgotten all realms of the origin.
async fn still_in(tab: &Tab, engine: Engine, path: &str, user: (&str, &str)) {
    tab.visit(path).await;
    if engine.is_firefox() {
        type_in(tab, user).await;
    }
    signed_in(tab, user).await;
}

/// The outer realm's credentials go to the inner one, too, which rejects them.
const BOTH: [&str; 4] = [
    LOGIN[0],
    LOGIN[1],
    "GET /admin/vault/ as alice, session: 401 asks",
    "GET /admin/vault/ as carol, session: 200",
];

pub(crate) async fn logout_of_inner_realm_keeps_outer_login(engine: Engine) {
    let (stage, tab) = both(engine).await;
    log_out_below(&tab, engine).await;
    still_in(&tab, engine, "/admin/", ALICE).await;
    give_up(&tab, "/admin/vault/").await;
    log_in_below(&tab).await;
    tab.visit("/admin/").await;
    signed_in(&tab, ALICE).await;
    // Where the browser does not send the outer realm's to the inner one, it sends none.
    let unasked = if engine == Engine::WebKit { "nobody" } else { "alice" };
    let given_up = format!("GET /admin/vault/ as {unasked}, session: 401 asks");
    assert_navigations(
        &stage,
        &[
            &BOTH,
            &["POST /admin/vault/logout as carol, session: 401 asks"],
            if engine.is_firefox() { &["GET /admin/ as nobody, session: 401 asks"] } else { &[] },
            &[
                "GET /admin/ as alice, session: 200",
                &given_up,
                &given_up,
                "GET /admin/vault/ as carol, session: 200",
                "GET /admin/ as alice, session: 200",
            ],
        ],
    );
    stage.ends(&tab, if engine.is_firefox() { 6 } else { 5 }).await;
}

pub(crate) async fn logout_of_outer_realm_keeps_inner_login(engine: Engine) {
    let (stage, tab) = both(engine).await;
    tab.visit("/admin/").await;
    signed_in(&tab, ALICE).await;
    log_out(&tab).await;
    still_in(&tab, engine, "/admin/vault/", CAROL).await;
    give_up(&tab, "/admin/").await;
    log_in(&tab, BOB).await;
    assert_navigations(
        &stage,
        &[
            &BOTH,
            &[
                "GET /admin/ as alice, session: 200",
                "POST /admin/logout as alice, session: 401 asks",
            ],
            if engine.is_firefox() {
                &["GET /admin/vault/ as nobody, session: 401 asks"]
            } else {
                &[]
            },
            &[
                "GET /admin/vault/ as carol, session: 200",
                "GET /admin/ as nobody, session: 401 asks",
                "GET /admin/ as nobody, session: 401 asks",
                "GET /admin/ as bob, session: 200",
            ],
        ],
    );
    stage.ends(&tab, if engine.is_firefox() { 6 } else { 5 }).await;
}
