//! Common actions of the scenarios, and common assertions.

use browser_suite::{Fixture, Tab};
use serde_json::Value;

pub(crate) const ALICE: (&str, &str) = ("alice", "wonderland");
pub(crate) const BOB: (&str, &str) = ("bob", "builder");

/// The logout button on the demo's pages.
pub(crate) const LOGOUT_BUTTON: &str = "form[action='/admin/logout'] button";

/// Waits for a dialog and submits the credentials of this user.
pub(crate) async fn enter_credentials(tab: &Tab, (user, password): (&str, &str)) {
    tab.dialog().await.submit(user, password).await;
}

/// Visits the admin area, submits credentials to its dialog, and asserts that the user is logged
/// in.
pub(crate) async fn log_in(tab: &Tab, user: (&str, &str)) {
    tab.visit("/admin/").await;
    enter_credentials(tab, user).await;
    assert_signed_in(tab, user).await;
}

pub(crate) async fn assert_signed_in(tab: &Tab, (user, _): (&str, &str)) {
    let page = tab.page().await;
    assert!(page.contains(&format!("Signed in as {user}")), "{page}");
}

pub(crate) async fn assert_logged_out(tab: &Tab) {
    let page = tab.page().await;
    assert!(page.contains("You are logged out"), "{page}");
    assert!(!page.contains("Signed in"), "{page}");
}

/// The navigations of alice's first login at `/admin/`, as they appear in the log.
pub(crate) const LOGIN: [&str; 2] =
    ["GET /admin/ as nobody: 401 challenge", "GET /admin/ as alice, session: 200"];

/// Visits a protected page and cancels its dialog.
pub(crate) async fn visit_and_cancel(tab: &Tab, path: &str) {
    tab.visit(path).await;
    tab.dialog().await.cancel().await;
    let page = tab.page().await;
    assert!(!page.contains("Signed in"), "{page}");
}

/// Presses the logout button and cancels the dialog that the logout opens.
pub(crate) async fn log_out(tab: &Tab) {
    tab.click(LOGOUT_BUTTON).await;
    tab.dialog().await.cancel().await;
    assert_logged_out(tab).await;
}

/// Sends a request from the page's script and returns the status of the response.
pub(crate) async fn fetch(tab: &Tab, method: &str, path: &str) -> Value {
    let fetch = format!("fetch('{path}', {{ method: '{method}' }}).then(it => it.status)");
    tab.evaluate(&fetch).await
}

/// A public document, for a tab that only sends requests by script.
pub(crate) const HELPER_PATH: &str = "/style.css";

/// Opens a tab with the public document [`HELPER_PATH`].
pub(crate) async fn open_helper_tab(fixture: &Fixture) -> Tab {
    let tab = fixture.tab().await;
    tab.visit(HELPER_PATH).await;
    tab.page().await;
    tab
}

/// Asserts all navigations that the server has received, except those to [`HELPER_PATH`].
#[track_caller]
pub(crate) fn assert_navigations(fixture: &Fixture, parts: &[&[&str]]) {
    let navigations = fixture.log().lines(|it| it.navigation && it.path != HELPER_PATH);
    assert_eq!(navigations, parts.concat());
}
