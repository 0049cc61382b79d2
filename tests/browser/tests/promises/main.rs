//! What the crate promises, seen by a real browser and by the server that it talks to.

mod scenarios;

use browser_suite::Engine;

/// Each scenario as a test of its own. One that is left out here is never called, which the
/// compiler notices.
macro_rules! promises {
    ($browser:ident, $engine:expr; $($scenario:ident)*) => {
        mod $browser {
            use super::*;

            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $scenario() {
                scenarios::$scenario($engine).await;
            })*
        }
    };
}

promises! { chromium, Engine::Chromium;
    the_first_visit_asks_once_and_lets_in
    a_wrong_password_asks_again_and_the_right_one_lets_in
    whoever_is_logged_in_walks_about_without_being_asked
    log_out_inside_the_scope_by_link
    log_out_inside_the_scope_by_form
    log_out_outside_the_scope_by_link
    log_out_outside_the_scope_by_form
    the_old_credentials_never_get_in_after_log_out
}
