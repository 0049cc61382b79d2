//! What the crate promises, seen by a real browser and by the server that it talks to.

mod scenarios;
mod steps;

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
    whoever_gives_up_sees_a_page_that_leads_on
    whoever_is_logged_in_walks_about_without_being_asked
    log_out_inside_the_scope_by_link
    log_out_inside_the_scope_by_form
    log_out_outside_the_scope_by_link
    log_out_outside_the_scope_by_form
    the_old_credentials_never_get_in_after_log_out
    another_user_may_type_at_the_prompt_of_log_out
    whoever_cancels_may_log_in_later
    whoever_cancels_again_and_again_can_still_log_in
    five_rounds_take_one_prompt_each
    a_second_click_on_log_out_asks_once
    requests_overtaken_by_the_log_out_bring_nobody_back
    requests_overtaken_by_the_log_out_throw_nobody_out
    log_out_by_fetch_inside_the_scope_opens_no_dialog
    log_out_by_fetch_outside_the_scope_opens_no_dialog
    log_out_by_page_inside_the_scope_opens_no_dialog
    log_out_by_page_outside_the_scope_opens_no_dialog
    log_out_by_redirect_ends_on_the_public_page
    a_poll_never_gets_in_between_log_out_and_login
    a_tab_that_polls_learns_of_the_log_out_in_another
    another_site_cannot_log_anybody_out
    a_login_that_expires_under_an_open_page_asks_once
    a_page_says_that_the_login_has_expired
    back_shows_no_protected_page_after_log_out
    back_shows_no_protected_page_after_log_out_by_page
    back_shows_no_protected_page_after_log_out_by_redirect
    back_shows_no_protected_page_after_log_out_by_fetch
}

promises! { firefox, Engine::Firefox;
    the_first_visit_asks_once_and_lets_in
    a_wrong_password_asks_again_and_the_right_one_lets_in
    whoever_gives_up_sees_a_page_that_leads_on
    whoever_is_logged_in_walks_about_without_being_asked
    log_out_inside_the_scope_by_link
    log_out_inside_the_scope_by_form
    log_out_outside_the_scope_by_link
    log_out_outside_the_scope_by_form
    the_old_credentials_never_get_in_after_log_out
    another_user_may_type_at_the_prompt_of_log_out
    whoever_cancels_may_log_in_later
    whoever_cancels_again_and_again_can_still_log_in
    five_rounds_take_one_prompt_each
    a_second_click_on_log_out_asks_once
    requests_overtaken_by_the_log_out_bring_nobody_back
    requests_overtaken_by_the_log_out_throw_nobody_out
    log_out_by_fetch_inside_the_scope_opens_no_dialog
    log_out_by_fetch_outside_the_scope_opens_no_dialog
    log_out_by_page_inside_the_scope_opens_no_dialog
    log_out_by_page_outside_the_scope_opens_no_dialog
    log_out_by_redirect_ends_on_the_public_page
    a_poll_never_gets_in_between_log_out_and_login
    a_tab_that_polls_learns_of_the_log_out_in_another
    another_site_cannot_log_anybody_out
    a_login_that_expires_under_an_open_page_asks_once
    a_page_says_that_the_login_has_expired
    back_shows_no_protected_page_after_log_out
    back_shows_no_protected_page_after_log_out_by_page
    back_shows_no_protected_page_after_log_out_by_redirect
    back_shows_no_protected_page_after_log_out_by_fetch
}

promises! { firefox_dialog, Engine::FirefoxDialog;
    the_first_visit_asks_once_and_lets_in
    a_wrong_password_asks_again_and_the_right_one_lets_in
    whoever_gives_up_sees_a_page_that_leads_on
    whoever_is_logged_in_walks_about_without_being_asked
    log_out_inside_the_scope_by_link
    log_out_inside_the_scope_by_form
    log_out_outside_the_scope_by_link
    log_out_outside_the_scope_by_form
    the_old_credentials_never_get_in_after_log_out
    another_user_may_type_at_the_prompt_of_log_out
    whoever_cancels_may_log_in_later
    whoever_cancels_again_and_again_can_still_log_in
    five_rounds_take_one_prompt_each
    a_second_click_on_log_out_asks_once
    requests_overtaken_by_the_log_out_bring_nobody_back
    requests_overtaken_by_the_log_out_throw_nobody_out
    log_out_by_fetch_inside_the_scope_opens_no_dialog
    log_out_by_fetch_outside_the_scope_opens_no_dialog
    log_out_by_page_inside_the_scope_opens_no_dialog
    log_out_by_page_outside_the_scope_opens_no_dialog
    log_out_by_redirect_ends_on_the_public_page
    a_poll_never_gets_in_between_log_out_and_login
    a_tab_that_polls_learns_of_the_log_out_in_another
    another_site_cannot_log_anybody_out
    a_login_that_expires_under_an_open_page_asks_once
    a_page_says_that_the_login_has_expired
    back_shows_no_protected_page_after_log_out
    back_shows_no_protected_page_after_log_out_by_page
    back_shows_no_protected_page_after_log_out_by_redirect
    back_shows_no_protected_page_after_log_out_by_fetch
}

promises! { chromium_on_screen, Engine::ChromiumOnScreen;
    the_first_visit_asks_once_and_lets_in
    a_wrong_password_asks_again_and_the_right_one_lets_in
    whoever_gives_up_sees_a_page_that_leads_on
    whoever_is_logged_in_walks_about_without_being_asked
    log_out_inside_the_scope_by_link
    log_out_inside_the_scope_by_form
    log_out_outside_the_scope_by_link
    log_out_outside_the_scope_by_form
    the_old_credentials_never_get_in_after_log_out
    another_user_may_type_at_the_prompt_of_log_out
    whoever_cancels_may_log_in_later
    whoever_cancels_again_and_again_can_still_log_in
    five_rounds_take_one_prompt_each
    log_out_by_fetch_inside_the_scope_opens_no_dialog
    log_out_by_fetch_outside_the_scope_opens_no_dialog
    log_out_by_page_inside_the_scope_opens_no_dialog
    log_out_by_page_outside_the_scope_opens_no_dialog
    log_out_by_redirect_ends_on_the_public_page
    another_site_cannot_log_anybody_out
    a_login_that_expires_under_an_open_page_asks_once
    a_page_says_that_the_login_has_expired
    back_shows_no_protected_page_after_log_out
    back_shows_no_protected_page_after_log_out_by_page
    back_shows_no_protected_page_after_log_out_by_redirect
}

promises! { webkit, Engine::WebKit;
    the_first_visit_asks_once_and_lets_in
    a_wrong_password_asks_again_and_the_right_one_lets_in
    whoever_gives_up_sees_a_page_that_leads_on
    whoever_is_logged_in_walks_about_without_being_asked
    log_out_inside_the_scope_by_link
    log_out_inside_the_scope_by_form
    log_out_outside_the_scope_by_link
    log_out_outside_the_scope_by_form
    the_old_credentials_never_get_in_after_log_out
    another_user_may_type_at_the_prompt_of_log_out
    whoever_cancels_may_log_in_later
    whoever_cancels_again_and_again_can_still_log_in
    five_rounds_take_one_prompt_each
    log_out_by_fetch_inside_the_scope_opens_no_dialog
    log_out_by_fetch_outside_the_scope_opens_no_dialog
    log_out_by_page_inside_the_scope_opens_no_dialog
    log_out_by_page_outside_the_scope_opens_no_dialog
    log_out_by_redirect_ends_on_the_public_page
    a_login_that_expires_under_an_open_page_asks_once
    a_page_says_that_the_login_has_expired
    another_site_cannot_log_anybody_out
}
