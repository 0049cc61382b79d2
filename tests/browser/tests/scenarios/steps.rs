//! What people do again and again, and what they and the server see then.

use browser_suite::{Stage, Tab};
use serde_json::Value;

pub(crate) const ALICE: (&str, &str) = ("alice", "wonderland");
pub(crate) const BOB: (&str, &str) = ("bob", "builder");

/// The log-out button of the demo's pages.
pub(crate) const BUTTON: &str = "form[action='/admin/logout'] button";

/// Types a user's name and password into the dialog that opens.
pub(crate) async fn type_in(tab: &Tab, (user, password): (&str, &str)) {
    tab.dialog().await.answer(user, password).await;
}

/// Visits the admin area as somebody whom it asks, and types.
pub(crate) async fn log_in(tab: &Tab, user: (&str, &str)) {
    tab.visit("/admin/").await;
    type_in(tab, user).await;
    signed_in(tab, user).await;
}

pub(crate) async fn signed_in(tab: &Tab, (user, _): (&str, &str)) {
    let page = tab.page().await;
    assert!(page.contains(&format!("Signed in as {user}")), "{page}");
}

pub(crate) async fn logged_out(tab: &Tab) {
    let page = tab.page().await;
    assert!(page.contains("You are logged out"), "{page}");
    assert!(!page.contains("Signed in"), "{page}");
}

/// What a login at `/admin/` looks like to the server.
pub(crate) const LOGIN: [&str; 2] =
    ["GET /admin/ as nobody: 401 asks", "GET /admin/ as alice, session: 200"];

/// Opens a page, is asked, and gives up.
pub(crate) async fn give_up(tab: &Tab, path: &str) {
    tab.visit(path).await;
    tab.dialog().await.cancel().await;
    let page = tab.page().await;
    assert!(!page.contains("Signed in"), "{page}");
}

/// Logs out by the button, and types nothing at the prompt over it.
pub(crate) async fn log_out(tab: &Tab) {
    tab.click(BUTTON).await;
    tab.dialog().await.cancel().await;
    logged_out(tab).await;
}

/// The status of what a page's script is answered.
pub(crate) async fn fetch(tab: &Tab, method: &str, path: &str) -> Value {
    let fetch = format!("fetch('{path}', {{ method: '{method}' }}).then(it => it.status)");
    tab.evaluate(&fetch).await
}

/// A public document, for a tab that is only there to send requests of its own.
pub(crate) const ASIDE: &str = "/style.css";

pub(crate) async fn aside(stage: &Stage) -> Tab {
    let tab = stage.tab().await;
    tab.visit(ASIDE).await;
    tab.page().await;
    tab
}

/// All that the server saw of pages being opened, but for those aside.
#[track_caller]
pub(crate) fn assert_navigations(stage: &Stage, parts: &[&[&str]]) {
    let navigations = stage.log().lines(|it| it.navigation && it.path != ASIDE);
    assert_eq!(navigations, parts.concat());
}
