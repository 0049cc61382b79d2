//! The known cases in which a guarantee does not hold, each with the shortest steps that show it.

use actix_basic_logout::LogoutResponse;

use super::{
    Account::{Both, First, Second},
    Step::{self, Fetch, Login, Logout, LogoutByFetch, Open, Progress, Settle, Type, Wait},
    world::Model,
};
use crate::support::{
    browser::Engine::{self, Chromium, Firefox},
    site::{
        Setup,
        Store::{self, Cookie, Memory},
    },
};

/// A known case in which a guarantee does not hold. `docs/known-limits.md` describes each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Limit {
    /// Another answer changed the session between a challenge and the credentials that the user typed for it:
    /// two dialogs at once, a logout in another tab, a handler's late write.
    SessionChanged,
    /// The page is outside the login's directory and the browser dropped its credentials, or the session is
    /// unknown. The challenge proves nothing, so a second one follows.
    NoProof,
    /// The session knows another port's state, and the browser keeps credentials per port, so the challenge
    /// proves nothing. The same is true for another user than the one account is logged in there.
    AnotherPort,
    /// Other credentials than the ended login's were rejected first, so the browser may still hold those of the
    /// ended login. If the user types exactly those, they are challenged again.
    OldCredentialsTyped,
    /// The browser had dropped the credentials of a login, and the login expired or was revoked while the dialog
    /// was open. The typed credentials look like the old ones, and are challenged again.
    ExpiredDuringDialog,
    /// The user opened a logout inside the scope after another page was challenged. The session cannot distinguish
    /// the two prompts: the typed credentials log in, and the logout logs out again.
    LogoutOpenedBesidePrompt,
    /// The user has the same user-id and password in both realms, so a logout of one realm may have rejected the
    /// other's credentials.
    SharedCredentials,
    /// Another realm's credentials were rejected while the session knew none of this realm's, because a request
    /// was aborted or another answer replaced the session. The browser answers that challenge with this realm's
    /// cached credentials, and they count as typed.
    AnotherRealmsCredentials,
    /// The user typed credentials for a request that was aborted before it reached the server, in a deeper
    /// directory than the one that the session knows. A page in between counts as proof that the browser holds none.
    RequestAborted,
    /// With a cookie session, a late write of a handler or another realm restores the session as it was when its
    /// request was sent. If the browser was prompted again since, that is lost.
    OlderSessionRestored,
    /// Two first visits at the same time begin two sessions. The browser keeps the one whose answer arrives last. A
    /// logout in that session does not know the other.
    ConcurrentFirstVisits,
    /// The user typed credentials while a logout was in flight: two clicks on logout, or a dialog in another tab.
    /// They may log in after the logout's answer.
    TypedDuringLogout,
    /// The browser has dropped the credentials of an active login, because of a late refusal of the
    /// same ones or for another realm's.
    CredentialsDropped,
}

/// Asserts that these steps meet a limit and break no guarantee otherwise.
#[track_caller]
fn assert_limit(
    limit: Limit,
    store: Store,
    logout_response: LogoutResponse,
    engine: Engine,
    steps: &[Step],
) {
    let system = actix_web::rt::System::new();
    let two_ports = limit == Limit::AnotherPort;
    let setup = Setup { logout_response, deadlines: true, two_ports, ..Setup::new(store) };
    let mut model = system.block_on(Model::new(setup, engine));
    let played = steps.iter().try_for_each(|step| model.step(step));
    let transcript = model.transcript.join("\n");
    assert_eq!(played, Ok(()), "{transcript}");
    assert!(model.limits.contains(&limit), "{:?}\n{transcript}", model.limits);
}

#[test]
fn two_concurrent_dialogs_may_prompt_twice() {
    let steps = [
        Logout { tab: 0, path: "/a/b/logout" },
        Settle,
        Logout { tab: 1, path: "/a/out-of-b" },
        Fetch { tab: 0, path: "/a/poll", is_held_back: false },
        Settle,
        Open { tab: 1, path: "/a/" },
        Type { dialog: 0, account: First },
        Fetch { tab: 0, path: "/a/poll", is_held_back: false },
        Open { tab: 1, path: "/a/" },
        Settle,
    ];
    assert_limit(Limit::SessionChanged, Cookie, LogoutResponse::Challenge, Chromium, &steps);
}

#[test]
fn logout_during_a_prompt_may_prompt_twice() {
    let steps = [
        Open { tab: 0, path: "/a/b/" },
        Settle,
        Open { tab: 0, path: "/a/" },
        Fetch { tab: 0, path: "/a/poll", is_held_back: false },
        Logout { tab: 1, path: "/logout" },
        Settle,
        Open { tab: 0, path: "/a/" },
        Settle,
        Type { dialog: 0, account: First },
        Progress(0),
        Progress(0),
    ];
    assert_limit(
        Limit::NoProof,
        Memory,
        LogoutResponse::Redirect("/free".to_owned()),
        Chromium,
        &steps,
    );
}

#[test]
fn another_user_on_another_port_is_prompted_twice() {
    let steps = [
        Login { tab: 0, path: "/a/", account: First },
        Login { tab: 1, path: "/a/", account: Second },
    ];
    assert_limit(Limit::AnotherPort, Cookie, LogoutResponse::Challenge, Chromium, &steps);
}

#[test]
fn credentials_of_the_ended_login_may_prompt_twice() {
    let steps = [
        Open { tab: 0, path: "/a/b/" },
        Settle,
        Type { dialog: 0, account: First },
        Settle,
        Open { tab: 0, path: "/a/write" },
        Settle,
        Type { dialog: 0, account: First },
        Logout { tab: 1, path: "/a/logout" },
        Open { tab: 0, path: "/a/" },
        Settle,
        Logout { tab: 0, path: "/a/logout" },
        Fetch { tab: 0, path: "/a/poll", is_held_back: false },
        Open { tab: 0, path: "/a/b/" },
        Progress(5),
        Progress(5),
        Type { dialog: 0, account: First },
        Settle,
    ];
    assert_limit(Limit::OldCredentialsTyped, Cookie, LogoutResponse::Page, Firefox, &steps);
}

#[test]
fn login_that_expires_during_its_dialog_prompts_twice() {
    let steps = [
        Logout { tab: 0, path: "/a/logout" },
        Settle,
        Fetch { tab: 0, path: "/a/b/poll", is_held_back: true },
        Type { dialog: 0, account: First },
        Settle,
        Wait(45),
        Type { dialog: 0, account: First },
        Settle,
    ];
    assert_limit(Limit::ExpiredDuringDialog, Cookie, LogoutResponse::Challenge, Chromium, &steps);
}

#[test]
fn logout_opened_beside_a_prompt_logs_in_and_out() {
    let steps = [
        Open { tab: 0, path: "/a/" },
        Progress(0),
        Progress(0),
        Logout { tab: 0, path: "/a/logout" },
        Settle,
        Type { dialog: 0, account: First },
        Settle,
    ];
    assert_limit(
        Limit::LogoutOpenedBesidePrompt,
        Cookie,
        LogoutResponse::Challenge,
        Chromium,
        &steps,
    );
}

#[test]
fn shared_password_of_two_realms_may_survive_logout() {
    let steps = [
        Logout { tab: 0, path: "/a/logout" },
        Settle,
        Type { dialog: 0, account: Both },
        Logout { tab: 0, path: "/a/out-of-b" },
        Progress(0),
        Logout { tab: 1, path: "/logout" },
        LogoutByFetch { path: "/a/logout" },
        Progress(3),
        Type { dialog: 0, account: Both },
        Settle,
    ];
    assert_limit(Limit::SharedCredentials, Cookie, LogoutResponse::Challenge, Chromium, &steps);
}

#[test]
fn credentials_of_another_realm_may_hide_typed_ones() {
    let steps = [
        Open { tab: 0, path: "/a/" },
        Settle,
        Logout { tab: 0, path: "/a/b/logout" },
        Logout { tab: 1, path: "/a/logout" },
        Settle,
        Type { dialog: 0, account: First },
        Type { dialog: 0, account: First },
        Logout { tab: 0, path: "/a/out-of-b" },
        Settle,
        Open { tab: 0, path: "/a/b/" },
        Settle,
    ];
    assert_limit(
        Limit::AnotherRealmsCredentials,
        Cookie,
        LogoutResponse::Challenge,
        Chromium,
        &steps,
    );
}

#[test]
fn credentials_of_an_aborted_request_may_survive_logout() {
    let steps = [
        Open { tab: 0, path: "/a/" },
        Progress(0),
        Progress(0),
        Type { dialog: 0, account: First },
        Settle,
        Logout { tab: 0, path: "/deep/below/logout" },
        Open { tab: 1, path: "/a/x/y" },
        Settle,
        Logout { tab: 0, path: "/a/logout" },
        Type { dialog: 0, account: First },
        Logout { tab: 1, path: "/deep/below/logout" },
        Fetch { tab: 0, path: "/a/poll", is_held_back: false },
        Settle,
    ];
    assert_limit(Limit::RequestAborted, Cookie, LogoutResponse::Challenge, Chromium, &steps);
}

#[test]
fn late_write_may_restore_an_older_session() {
    let steps = [
        Open { tab: 0, path: "/a/write" },
        Settle,
        Type { dialog: 0, account: First },
        Fetch { tab: 0, path: "/a/b/poll", is_held_back: false },
        Settle,
        Open { tab: 0, path: "/a/x/y" },
        Fetch { tab: 0, path: "/free/write", is_held_back: false },
        Progress(0),
        Progress(0),
        Type { dialog: 0, account: First },
        Settle,
        Logout { tab: 0, path: "/logout" },
        Settle,
        Logout { tab: 0, path: "/a/logout" },
        Settle,
    ];
    assert_limit(
        Limit::OlderSessionRestored,
        Cookie,
        LogoutResponse::Redirect("/free".to_owned()),
        Chromium,
        &steps,
    );
}

#[test]
fn concurrent_first_sessions_may_survive_one_logout() {
    let steps = [
        Logout { tab: 1, path: "/a/logout" },
        Progress(0),
        Progress(0),
        Type { dialog: 0, account: First },
        Logout { tab: 1, path: "/a/out-of-b" },
        Settle,
        Type { dialog: 0, account: First },
        Logout { tab: 1, path: "/logout" },
        Open { tab: 0, path: "/a/" },
        Settle,
    ];
    assert_limit(Limit::ConcurrentFirstVisits, Memory, LogoutResponse::Challenge, Chromium, &steps);
}

#[test]
fn credentials_typed_during_logout_may_log_in() {
    let steps = [
        Open { tab: 0, path: "/free/write" },
        Settle,
        Open { tab: 0, path: "/a/" },
        Progress(0),
        Open { tab: 0, path: "/a/" },
        Open { tab: 0, path: "/a/b/" },
        Settle,
        Type { dialog: 0, account: First },
        Progress(0),
        Logout { tab: 1, path: "/a/out-of-b" },
        Progress(0),
        Type { dialog: 0, account: First },
        Settle,
    ];
    assert_limit(Limit::TypedDuringLogout, Memory, LogoutResponse::Challenge, Chromium, &steps);
}

#[test]
fn browser_that_dropped_credentials_is_prompted_again() {
    let steps = [
        Fetch { tab: 0, path: "/a/poll", is_held_back: false },
        Open { tab: 0, path: "/a/" },
        Fetch { tab: 0, path: "/a/poll", is_held_back: false },
        Progress(4),
        Progress(1),
        Logout { tab: 0, path: "/logout" },
        Settle,
        Logout { tab: 1, path: "/a/logout" },
        Open { tab: 0, path: "/a/b/x/write" },
        Settle,
        Type { dialog: 0, account: First },
        Type { dialog: 0, account: First },
        Settle,
        Fetch { tab: 0, path: "/a/b/poll", is_held_back: false },
        Settle,
    ];
    assert_limit(Limit::CredentialsDropped, Cookie, LogoutResponse::Challenge, Firefox, &steps);
}
