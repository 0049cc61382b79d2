//! Cross-site requests to a site where the user is logged in.

use browser_suite::{Engine, Exchange, Fixture, Site};

use crate::steps::*;

pub(crate) async fn cross_site_form_cannot_log_user_out(engine: Engine) {
    let fixture = Fixture::open(engine, &[]).await;
    let tab = fixture.tab().await;
    log_in(&tab, ALICE).await;
    let there = format!("http://{}/logout", fixture.address());
    let form = format!("<form method=post action='{there}'><button>Kittens</button></form>");
    tab.visit_url(&format!("data:text/html,{form}")).await;
    tab.page().await;
    tab.click("button").await;
    let page = tab.page().await;
    assert!(page.contains("Logout refused"), "{page}");
    tab.visit("/admin/").await;
    assert_signed_in(&tab, ALICE).await;
    assert_navigations(
        &fixture,
        &[
            &LOGIN,
            // The cross-site form carries no session cookie (SameSite) and, outside the scope, no
            // credentials.
            &["POST /logout as nobody: 403", "GET /admin/ as alice, session: 200"],
        ],
    );
    fixture.finish(&tab, 1).await;
}

pub(crate) async fn cross_site_form_keeps_session_and_credentials(engine: Engine) {
    for path in ["/admin/users", "/admin/logout"] {
        let fixture = Fixture::open(engine, &[]).await;
        let tab = fixture.tab().await;
        log_in(&tab, ALICE).await;
        let there = format!("http://{}{path}", fixture.address());
        let form = format!("<form method=post action='{there}'><button>Kittens</button></form>");
        tab.visit_url(&format!("data:text/html,{form}")).await;
        tab.page().await;
        tab.click("button").await;
        let page = tab.page().await;
        assert!(page.contains("came from another site"), "{page}");
        tab.visit("/admin/").await;
        assert_signed_in(&tab, ALICE).await;
        assert_navigations(
            &fixture,
            &[
                &LOGIN,
                &[
                    // The browser withholds the session cookie, but sends the credentials.
                    &format!("POST {path} as alice: 403"),
                    "GET /admin/ as alice, session: 200",
                ],
            ],
        );
        fixture.finish(&tab, 1).await;
    }
}

pub(crate) async fn cross_site_image_causes_no_prompt(engine: Engine) {
    embed_cross_site(engine, "<img src='http://{}/admin/parts/one.svg'>").await;
}

pub(crate) async fn cross_site_frame_causes_no_prompt(engine: Engine) {
    embed_cross_site(engine, "<iframe src='http://{}/admin/parts/one.svg'></iframe>").await;
}

/// Embeds a protected image in another site's page. The browser sends the request without session
/// and credentials, and keeps the user's login.
async fn embed_cross_site(engine: Engine, element: &str) {
    let fixture = Fixture::open_site(engine, Site::default()).await;
    let (tab, other) = (fixture.tab().await, fixture.tab_on_host("admin.test").await);
    log_in(&tab, ALICE).await;
    other.visit("/").await;
    other.page().await;
    let element = element.replace("{}", fixture.address());
    other.evaluate(&format!("void (document.body.innerHTML = \"{element}\")")).await;
    fixture.wait_for_response("the embedded image gets a response", is_embedded).await;
    tab.visit("/admin/").await;
    assert_signed_in(&tab, ALICE).await;
    assert_eq!(fixture.log().lines(is_embedded), ["GET /admin/parts/one.svg as nobody: 401"]);
    fixture.finish(&tab, 1).await;
}

fn is_embedded(it: &Exchange) -> bool {
    it.path == "/admin/parts/one.svg"
}
