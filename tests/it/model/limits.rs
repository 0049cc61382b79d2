//! The known exceptions from the guarantees, each with the shortest sequence of events that shows
//! it.

use actix_basic_logout::LogoutResponse;

use super::{
    Step::{self, Fetch, LogIn, LogOut, LogOutByFetch, Open, Progress, Settle, Type, Wait},
    Who::{Both, First, Second},
    world::Model,
};
use crate::support::{
    browser::Engine::{self, Chromium, Firefox},
    site::{
        Setup,
        Store::{self, Cookie, Memory},
    },
};

/// A known exception from the guarantees.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Limit {
    /// Another answer changed the session between a challenge and the credentials that the user typed for it:
    /// two dialogs at once, a logout in another tab, a handler's late write.
    SessionChanged,
    /// The page is outside the login's directory and the browser dropped its credentials, or the session is
    /// unknown. The challenge proves nothing, so a second one follows.
    NoProof,
    /// The session knows another port's state, and the browser keeps credentials per port, so the challenge
    /// proves nothing. The same is true for another user than the one who is logged in there.
    AnotherPort,
    /// Other credentials than the ended login's were rejected first, so the browser may still hold those of the
    /// ended login. If the user types exactly those, they are challenged again.
    OldCredentialsTyped,
    /// The browser had dropped the credentials of a login, and the login expired or was revoked while the dialog
    /// was open. The typed credentials look like the old ones, and are challenged again.
    ExpiredDuringDialog,
    /// A logout inside the scope was opened after another page was challenged. Its prompt is the same question:
    /// the typed credentials log in, and the logout logs out again.
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
    /// A logout was in flight while the session key was renewed twice, with a server-side store. Its session no
    /// longer exists, and only one predecessor is known, so it cannot revoke the login. Neither can the next logout,
    /// under the session that it began.
    KeyRenewedTwice,
    /// The user typed credentials while a logout was in flight: two clicks on logout, or a dialog in another tab.
    /// They may log in after the logout's answer.
    TypedDuringLogout,
    /// The browser has dropped the credentials of an active login, because of a late refusal of
    /// the same credentials or of another realm's.
    CredentialsDropped,
}

/// Plays a sequence of events that must end at its limit, with every guarantee kept until then.
#[track_caller]
fn shows(limit: Limit, store: Store, answer: LogoutResponse, engine: Engine, steps: &[Step]) {
    let system = actix_web::rt::System::new();
    let two_ports = limit == Limit::AnotherPort;
    let setup = Setup { answer, deadlines: true, two_ports, ..Setup::new(store) };
    let mut model = system.block_on(Model::new(setup, engine));
    let played = steps.iter().try_for_each(|step| model.step(step));
    let told = model.story.join("\n");
    assert_eq!(played, Ok(()), "{told}");
    assert!(model.limits.contains(&limit), "{:?}\n{told}", model.limits);
}

#[test]
fn two_concurrent_dialogs_may_prompt_twice() {
    let steps = [
        LogOut { tab: 0, path: "/a/b/logout" },
        Settle,
        LogOut { tab: 1, path: "/a/out-of-b" },
        Fetch { tab: 0, path: "/a/poll", is_held_back: false },
        Settle,
        Open { tab: 1, path: "/a/" },
        Type { dialog: 0, who: First },
        Fetch { tab: 0, path: "/a/poll", is_held_back: false },
        Open { tab: 1, path: "/a/" },
        Settle,
    ];
    shows(Limit::SessionChanged, Cookie, LogoutResponse::Challenge, Chromium, &steps);
}

#[test]
fn logout_during_a_prompt_may_prompt_twice() {
    let steps = [
        Open { tab: 0, path: "/a/b/" },
        Settle,
        Open { tab: 0, path: "/a/" },
        Fetch { tab: 0, path: "/a/poll", is_held_back: false },
        LogOut { tab: 1, path: "/logout" },
        Settle,
        Open { tab: 0, path: "/a/" },
        Settle,
        Type { dialog: 0, who: First },
        Progress(0),
        Progress(0),
    ];
    shows(Limit::NoProof, Memory, LogoutResponse::Redirect("/free".to_owned()), Chromium, &steps);
}

#[test]
fn another_user_on_another_port_is_prompted_twice() {
    let steps =
        [LogIn { tab: 0, path: "/a/", who: First }, LogIn { tab: 1, path: "/a/", who: Second }];
    shows(Limit::AnotherPort, Cookie, LogoutResponse::Challenge, Chromium, &steps);
}

#[test]
fn credentials_of_the_ended_login_may_prompt_twice() {
    let steps = [
        Open { tab: 0, path: "/a/b/" },
        Settle,
        Type { dialog: 0, who: First },
        Settle,
        Open { tab: 0, path: "/a/write" },
        Settle,
        Type { dialog: 0, who: First },
        LogOut { tab: 1, path: "/a/logout" },
        Open { tab: 0, path: "/a/" },
        Settle,
        LogOut { tab: 0, path: "/a/logout" },
        Fetch { tab: 0, path: "/a/poll", is_held_back: false },
        Open { tab: 0, path: "/a/b/" },
        Progress(5),
        Progress(5),
        Type { dialog: 0, who: First },
        Settle,
    ];
    shows(Limit::OldCredentialsTyped, Cookie, LogoutResponse::Page, Firefox, &steps);
}

#[test]
fn login_that_expires_during_its_dialog_prompts_twice() {
    let steps = [
        LogOut { tab: 0, path: "/a/logout" },
        Settle,
        Fetch { tab: 0, path: "/a/b/poll", is_held_back: true },
        Type { dialog: 0, who: First },
        Settle,
        Wait(45),
        Type { dialog: 0, who: First },
        Settle,
    ];
    shows(Limit::ExpiredDuringDialog, Cookie, LogoutResponse::Challenge, Chromium, &steps);
}

#[test]
fn logout_opened_beside_a_prompt_logs_in_and_out() {
    let steps = [
        Open { tab: 0, path: "/a/" },
        Progress(0),
        Progress(0),
        LogOut { tab: 0, path: "/a/logout" },
        Settle,
        Type { dialog: 0, who: First },
        Settle,
    ];
    shows(Limit::LogoutOpenedBesidePrompt, Cookie, LogoutResponse::Challenge, Chromium, &steps);
}

#[test]
fn shared_password_of_two_realms_may_survive_logout() {
    let steps = [
        LogOut { tab: 0, path: "/a/logout" },
        Settle,
        Type { dialog: 0, who: Both },
        LogOut { tab: 0, path: "/a/out-of-b" },
        Progress(0),
        LogOut { tab: 1, path: "/logout" },
        LogOutByFetch { path: "/a/logout" },
        Progress(3),
        Type { dialog: 0, who: Both },
        Settle,
    ];
    shows(Limit::SharedCredentials, Cookie, LogoutResponse::Challenge, Chromium, &steps);
}

#[test]
fn credentials_of_another_realm_may_hide_typed_ones() {
    let steps = [
        Open { tab: 0, path: "/a/" },
        Settle,
        LogOut { tab: 0, path: "/a/b/logout" },
        LogOut { tab: 1, path: "/a/logout" },
        Settle,
        Type { dialog: 0, who: First },
        Type { dialog: 0, who: First },
        LogOut { tab: 0, path: "/a/out-of-b" },
        Settle,
        Open { tab: 0, path: "/a/b/" },
        Settle,
    ];
    shows(Limit::AnotherRealmsCredentials, Cookie, LogoutResponse::Challenge, Chromium, &steps);
}

#[test]
fn credentials_of_an_aborted_request_may_survive_logout() {
    let steps = [
        Open { tab: 0, path: "/a/" },
        Progress(0),
        Progress(0),
        Type { dialog: 0, who: First },
        Settle,
        LogOut { tab: 0, path: "/deep/below/logout" },
        Open { tab: 1, path: "/a/x/y" },
        Settle,
        LogOut { tab: 0, path: "/a/logout" },
        Type { dialog: 0, who: First },
        LogOut { tab: 1, path: "/deep/below/logout" },
        Fetch { tab: 0, path: "/a/poll", is_held_back: false },
        Settle,
    ];
    shows(Limit::RequestAborted, Cookie, LogoutResponse::Challenge, Chromium, &steps);
}

#[test]
fn late_write_may_restore_an_older_session() {
    let steps = [
        Open { tab: 0, path: "/a/write" },
        Settle,
        Type { dialog: 0, who: First },
        Fetch { tab: 0, path: "/a/b/poll", is_held_back: false },
        Settle,
        Open { tab: 0, path: "/a/x/y" },
        Fetch { tab: 0, path: "/free/write", is_held_back: false },
        Progress(0),
        Progress(0),
        Type { dialog: 0, who: First },
        Settle,
        LogOut { tab: 0, path: "/logout" },
        Settle,
        LogOut { tab: 0, path: "/a/logout" },
        Settle,
    ];
    shows(
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
        LogOut { tab: 1, path: "/a/logout" },
        Progress(0),
        Progress(0),
        Type { dialog: 0, who: First },
        LogOut { tab: 1, path: "/a/out-of-b" },
        Settle,
        Type { dialog: 0, who: First },
        LogOut { tab: 1, path: "/logout" },
        Open { tab: 0, path: "/a/" },
        Settle,
    ];
    shows(Limit::ConcurrentFirstVisits, Memory, LogoutResponse::Challenge, Chromium, &steps);
}

#[test]
fn logout_with_a_twice_renewed_key_ends_nothing() {
    let steps = [
        LogIn { tab: 0, path: "/a/", who: First },
        LogOutByFetch { path: "/logout" },
        Open { tab: 1, path: "/a/b/" },
        Progress(1),
        Progress(1),
        Open { tab: 1, path: "/a/b/x/write" },
        Progress(1),
        Progress(0),
        Progress(0),
        Progress(0),
        Fetch { tab: 0, path: "/a/poll", is_held_back: false },
        Settle,
    ];
    shows(Limit::KeyRenewedTwice, Memory, LogoutResponse::Challenge, Chromium, &steps);
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
        Type { dialog: 0, who: First },
        Progress(0),
        LogOut { tab: 1, path: "/a/out-of-b" },
        Progress(0),
        Type { dialog: 0, who: First },
        Settle,
    ];
    shows(Limit::TypedDuringLogout, Memory, LogoutResponse::Challenge, Chromium, &steps);
}

#[test]
fn browser_that_dropped_credentials_is_prompted_again() {
    let steps = [
        Fetch { tab: 0, path: "/a/poll", is_held_back: false },
        Open { tab: 0, path: "/a/" },
        Fetch { tab: 0, path: "/a/poll", is_held_back: false },
        Progress(4),
        Progress(1),
        LogOut { tab: 0, path: "/logout" },
        Settle,
        LogOut { tab: 1, path: "/a/logout" },
        Open { tab: 0, path: "/a/b/x/write" },
        Settle,
        Type { dialog: 0, who: First },
        Type { dialog: 0, who: First },
        Settle,
        Fetch { tab: 0, path: "/a/b/poll", is_held_back: false },
        Settle,
    ];
    shows(Limit::CredentialsDropped, Cookie, LogoutResponse::Challenge, Firefox, &steps);
}
