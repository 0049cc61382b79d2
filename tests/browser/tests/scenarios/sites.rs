//! What another site can do to somebody who is logged in.

use browser_suite::{Engine, Exchange, Site, Stage};

use crate::steps::*;

pub(crate) async fn cross_site_form_cannot_log_user_out(engine: Engine) {
    let stage = Stage::open(engine, &[]).await;
    let tab = stage.tab().await;
    log_in(&tab, ALICE).await;
    let there = format!("http://{}/logout", stage.address());
    let form = format!("<form method=post action='{there}'><button>Kittens</button></form>");
    tab.visit_elsewhere(&format!("data:text/html,{form}")).await;
    tab.page().await;
    tab.click("button").await;
    let page = tab.page().await;
    assert!(page.contains("Logout refused"), "{page}");
    tab.visit("/admin/").await;
    signed_in(&tab, ALICE).await;
    assert_navigations(
        &stage,
        &[
            &LOGIN,
            // Nor does the session's cookie come along.
            &["POST /logout as nobody: 403", "GET /admin/ as alice, session: 200"],
        ],
    );
    stage.ends(&tab, 1).await;
}

pub(crate) async fn cross_site_form_keeps_session_and_credentials(engine: Engine) {
    for path in ["/admin/users", "/admin/logout"] {
        let stage = Stage::open(engine, &[]).await;
        let tab = stage.tab().await;
        log_in(&tab, ALICE).await;
        let there = format!("http://{}{path}", stage.address());
        let form = format!("<form method=post action='{there}'><button>Kittens</button></form>");
        tab.visit_elsewhere(&format!("data:text/html,{form}")).await;
        tab.page().await;
        tab.click("button").await;
        let page = tab.page().await;
        assert!(page.contains("came from another site"), "{page}");
        tab.visit("/admin/").await;
        signed_in(&tab, ALICE).await;
        assert_navigations(
            &stage,
            &[
                &LOGIN,
                &[
                    // The session stays at home, the credentials do not.
                    &format!("POST {path} as alice: 403"),
                    "GET /admin/ as alice, session: 200",
                ],
            ],
        );
        stage.ends(&tab, 1).await;
    }
}

pub(crate) async fn cross_site_image_causes_no_prompt(engine: Engine) {
    put_there(engine, "<img src='http://{}/admin/parts/one.svg'>").await;
}

pub(crate) async fn cross_site_frame_causes_no_prompt(engine: Engine) {
    put_there(engine, "<iframe src='http://{}/admin/parts/one.svg'></iframe>").await;
}

/// What is put into another site's page comes without credentials and session, and takes nothing
/// away.
async fn put_there(engine: Engine, element: &str) {
    let stage = Stage::open_site(engine, Site::default()).await;
    let (tab, other) = (stage.tab().await, stage.tab_at("admin.test").await);
    log_in(&tab, ALICE).await;
    other.visit("/").await;
    other.page().await;
    let element = element.replace("{}", stage.address());
    other.evaluate(&format!("void (document.body.innerHTML = \"{element}\")")).await;
    stage.served("another site's request", is_part).await;
    tab.visit("/admin/").await;
    signed_in(&tab, ALICE).await;
    assert_eq!(stage.log().lines(is_part), ["GET /admin/parts/one.svg as nobody: 401"]);
    stage.ends(&tab, 1).await;
}

fn is_part(it: &Exchange) -> bool {
    it.path == "/admin/parts/one.svg"
}
