//! What the crate promises, seen by a real browser and by the server that it talks to.

mod log_outs;
mod network;
mod pages;
mod realms;
mod scenarios;
mod sessions;
mod sites;
mod steps;

use browser_suite::Engine;

/// Each scenario as a test of its own. One that is left out here is never called, which the
/// compiler notices.
macro_rules! promises {
    ($browser:ident, $engine:expr; $($module:ident: $($scenario:ident)*;)*) => {
        mod $browser {
            use super::*;

            $($(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $scenario() {
                $module::$scenario($engine).await;
            })*)*
        }
    };
}

/// The scenarios that need one tab and nothing but WebDriver, and more where a browser can do more.
macro_rules! promises_in_one_tab {
    ($browser:ident, $engine:expr; $($more:tt)*) => {
        promises! { $browser, $engine;
            scenarios:
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
            another_site_cannot_log_anybody_out;

            log_outs:
            log_out_by_xhr_opens_no_dialog
            whoever_reloads_the_log_out_may_log_in
            log_out_below_the_logins_directory_asks_once
            log_out_outside_the_logins_directory_asks_once
            log_out_by_page_without_its_script_asks_at_the_next_visit
            log_out_by_page_under_a_policy_with_its_hash_opens_no_dialog;

            pages:
            a_public_page_never_asks_after_log_out
            a_protected_page_asks_once_for_all_its_parts
            a_favicon_neither_asks_nor_costs_a_prompt
            a_web_socket_opens_by_the_session_alone_and_ends_with_it;

            network:
            a_user_in_the_address_logs_in_and_out
            a_wrong_user_in_the_address_is_asked
            https_with_a_host_cookie_keeps_the_promises
            back_over_https_shows_no_protected_page_after_log_out;

            realms:
            log_out_of_the_inner_realm_leaves_the_outer
            log_out_of_the_outer_realm_leaves_the_inner;

            sessions:
            an_expired_session_asks_at_the_next_page_alone
            a_restart_with_another_key_asks_once;

            sites:
            a_form_of_another_site_cannot_log_anybody_out
            another_sites_form_takes_nothing_away;

            $($more)*
        }
    };
}

/// All scenarios, where the protocol lets a tab be one of several.
macro_rules! all_promises {
    ($browser:ident, $engine:expr) => {
        promises_in_one_tab! { $browser, $engine;
            scenarios:
            a_second_click_on_log_out_asks_once
            requests_overtaken_by_the_log_out_bring_nobody_back
            requests_overtaken_by_the_log_out_throw_nobody_out
            a_poll_never_gets_in_between_log_out_and_login
            a_tab_that_polls_learns_of_the_log_out_in_another
            back_shows_no_protected_page_after_log_out
            back_shows_no_protected_page_after_log_out_by_page
            back_shows_no_protected_page_after_log_out_by_redirect
            back_shows_no_protected_page_after_log_out_by_fetch;

            log_outs:
            back_shows_no_protected_page_after_log_out_by_link
            back_shows_no_page_of_the_one_before;

            pages:
            an_event_stream_is_refused_quietly_after_log_out
            a_web_socket_is_refused_quietly_after_log_out;

            network:
            plain_http_without_fetch_metadata_keeps_the_promises
            two_ports_share_a_session_and_no_credentials
            another_users_login_on_another_port_keeps_old_credentials_out
            without_cookies_nobody_is_asked_for_ever;

            sites:
            a_picture_on_another_site_costs_no_prompt
            a_frame_on_another_site_costs_no_prompt;
        }
    };
}

all_promises!(chromium, Engine::Chromium);
all_promises!(firefox, Engine::Firefox);
all_promises!(firefox_dialog, Engine::FirefoxDialog);

promises_in_one_tab! { chromium_on_screen, Engine::ChromiumOnScreen;
    scenarios:
    back_shows_no_protected_page_after_log_out
    back_shows_no_protected_page_after_log_out_by_page
    back_shows_no_protected_page_after_log_out_by_redirect;

    log_outs:
    back_shows_no_protected_page_after_log_out_by_link
    back_shows_no_page_of_the_one_before;

    network:
    without_cookies_nobody_is_asked_for_ever;
}

promises_in_one_tab! { webkit, Engine::WebKit; }
