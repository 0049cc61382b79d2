//! Scenarios in real browsers. Each one asserts what the user sees and what the server receives.
//!
//! The *scope* of a login is the set of paths to which the browser sends its credentials without a
//! challenge (RFC 7617, section 2.2): all paths below the *directory* of the page where the user
//! logged in.

mod basics;
mod logouts;
mod network;
mod pages;
mod realms;

mod sessions;
mod sites;
mod steps;

use browser_suite::Engine;

/// Makes a test of each scenario. The compiler warns about an unused function if a scenario is
/// missing from all lists.
macro_rules! scenarios {
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

/// Scenarios that need only one tab and classic WebDriver, plus further scenarios of a browser.
macro_rules! single_tab_scenarios {
    ($browser:ident, $engine:expr; $($more:tt)*) => {
        scenarios! { $browser, $engine;
            basics:
            first_visit_prompts_once_and_logs_in
            wrong_password_prompts_again_and_right_one_logs_in
            cancel_after_wrong_password_shows_page_with_login_link
            logged_in_user_browses_without_prompts
            logout_link_inside_scope_prompts_once
            logout_form_inside_scope_prompts_once
            logout_link_outside_scope_prompts_once
            logout_form_outside_scope_prompts_once
            old_credentials_do_not_log_in_after_logout
            logout_prompt_accepts_another_user
            user_who_cancels_logout_prompt_can_log_in_later
            user_who_cancels_repeatedly_can_still_log_in
            each_of_five_logouts_prompts_once
            logout_by_fetch_inside_scope_opens_no_dialog
            logout_by_fetch_outside_scope_opens_no_dialog
            logout_page_inside_scope_opens_no_dialog
            logout_page_outside_scope_opens_no_dialog
            logout_redirect_leads_to_public_page
            login_expiring_under_open_page_prompts_once
            page_reports_expired_login
            cross_site_link_cannot_log_user_out;

            logouts:
            logout_by_xhr_opens_no_dialog
            reloaded_logout_page_allows_login
            logout_below_login_directory_prompts_once
            logout_outside_login_directory_prompts_once
            logout_page_without_script_prompts_at_next_visit
            logout_page_script_runs_under_csp_with_its_hash;

            pages:
            public_page_never_prompts_after_logout
            protected_page_with_subresources_prompts_once
            favicon_neither_prompts_nor_drops_credentials
            web_socket_opens_with_session_alone_and_closes_at_logout;

            network:
            credentials_in_url_log_in_and_can_be_logged_out
            wrong_credentials_in_url_open_dialog
            https_with_host_prefix_cookie_logs_in_and_out
            back_over_https_shows_no_protected_page_after_logout;

            realms:
            logout_of_inner_realm_keeps_outer_login
            logout_of_outer_realm_keeps_inner_login;

            sessions:
            expired_session_prompts_at_next_page_only
            restart_with_new_key_prompts_once;

            sites:
            cross_site_form_cannot_log_user_out
            cross_site_form_keeps_session_and_credentials;

            $($more)*
        }
    };
}

/// All scenarios, for browsers that the suite can drive in several tabs.
macro_rules! all_scenarios {
    ($browser:ident, $engine:expr) => {
        single_tab_scenarios! { $browser, $engine;
            basics:
            second_click_on_logout_prompts_once
            requests_that_raced_logout_do_not_restore_login
            requests_that_raced_logout_do_not_end_new_login
            poll_is_refused_between_logout_and_next_login
            polling_tab_notices_logout_in_another_tab
            back_shows_no_protected_page_after_logout
            back_shows_no_protected_page_after_logout_page
            back_shows_no_protected_page_after_logout_redirect
            back_shows_no_protected_page_after_logout_by_fetch;

            logouts:
            back_shows_no_protected_page_after_logout_by_link
            back_shows_no_page_of_previous_user;

            pages:
            event_stream_is_refused_without_dialog_after_logout
            web_socket_is_refused_without_dialog_after_logout;

            network:
            plain_http_without_fetch_metadata_logs_in_and_out
            two_ports_share_session_but_not_credentials
            login_on_another_port_does_not_readmit_old_credentials
            browser_without_cookies_is_not_prompted_endlessly;

            sites:
            cross_site_image_causes_no_prompt
            cross_site_frame_causes_no_prompt;
        }
    };
}

all_scenarios!(chromium, Engine::Chromium);
all_scenarios!(firefox, Engine::Firefox);
all_scenarios!(firefox_dialog, Engine::FirefoxDialog);

single_tab_scenarios! { chromium_on_screen, Engine::ChromiumOnScreen;
    basics:
    back_shows_no_protected_page_after_logout
    back_shows_no_protected_page_after_logout_page
    back_shows_no_protected_page_after_logout_redirect;

    logouts:
    back_shows_no_protected_page_after_logout_by_link
    back_shows_no_page_of_previous_user;

    network:
    browser_without_cookies_is_not_prompted_endlessly;
}

single_tab_scenarios! { webkit, Engine::WebKit; }
