//! Decides about a logout: its effect and its response.

use super::facts::{Credentials, Facts};
use crate::{
    request::{kind::RequestKind, path::RequestPath},
    session::state::{Cause, State},
};

/// The response of a logout to a navigation. Default: [`Challenge`](Self::Challenge).
///
/// Background requests always receive 204 (RFC 9110, section 15.3.5). A non-browser client without a
/// session has no login, so it receives a 200 that says so ([`Reason::NoLogin`](crate::Reason::NoLogin)).
///
/// No variant sends `Clear-Site-Data`. Browsers ignore that header on plain HTTP, and its
/// `"cookies"` directive deletes the cookie that records the logout. Engines differ in whether it
/// deletes HTTP credentials.
///
/// ```
/// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/guide/browser.rs"));
/// # #[actix_web::main]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use actix_basic_logout::{BasicLogin, LogoutResponse};
///
/// assert_eq!(LogoutResponse::default(), LogoutResponse::Challenge);
/// for (answer, status) in [
///     (LogoutResponse::Challenge, 401),
///     (LogoutResponse::Page, 200),
///     (LogoutResponse::Redirect("/goodbye".to_owned()), 303),
/// ] {
///     let login = BasicLogin::builder("Admin area", users).logout_response(answer).build()?;
///     let mut browser = browser(&login).await;
///     browser.log_in("/admin/", "alice", "wonderland").await;
///     assert_eq!(browser.open("/logout").await.status(), status);
/// #   browser.log_in("/admin/", "alice", "wonderland").await;
///     assert_eq!(browser.fetch("/logout").await.status(), 204);
/// }
/// // The redirect must lead to a path of this site.
/// let elsewhere = LogoutResponse::Redirect("//other.example/".to_owned());
/// assert!(BasicLogin::builder("Admin area", users).logout_response(elsewhere).build().is_err());
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum LogoutResponse {
    /// A 401 with a challenge (RFC 9110, section 15.5.2). The browser forgets the credentials at
    /// once and opens its dialog over the logout page, ready for the next user. This is the
    /// default, and it needs no script.
    #[default]
    Challenge,
    /// A 200 with the page "You are logged out", without a dialog.
    ///
    /// A small script on the page makes the browser forget the credentials: it requests the same
    /// URL as the user `logged-out`, whose credentials replace the real ones in the browser.
    /// Therefore no user can have the user-id `logged-out`. With scripts disabled, the browser keeps
    /// the credentials until the next visit. Under a `Content-Security-Policy`, allow the script
    /// with [`LOGOUT_SCRIPT_HASH`](crate::LOGOUT_SCRIPT_HASH).
    Page,
    /// A 303 (RFC 9110, section 15.4.4) to a path of the application, which must not require a
    /// login. The browser keeps the credentials until the next visit.
    Redirect(String),
}

/// The facts about a request to log out.
pub(crate) struct LogoutFacts<'a> {
    pub(crate) facts: Facts<'a>,
    /// Another site made the browser send the request (CSRF), or the request is a prefetch.
    pub(crate) is_forbidden: bool,
    /// The request carries several session cookies, and only one of their sessions was read.
    pub(crate) is_uncertain: bool,
    /// The middleware around the handler has just logged this request in, with credentials that the user typed at the
    /// prompt of the logout itself.
    pub(crate) logged_in_here: bool,
}

/// The decision about a request to log out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct LogoutDecision {
    /// Revoke the login and clear the session, according to the application's `LogoutScope`.
    pub(crate) clear: bool,
    pub(crate) next: Option<State>,
    pub(crate) reply: LogoutReply,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LogoutReply {
    /// 403: the user did not request this logout.
    Forbidden,
    /// 403: the user may still be logged in.
    Uncertain,
    /// 303 to the landing path: the user logged in at the prompt of the logout itself.
    Landing,
    Challenge,
    /// 200, "You are logged out".
    Done,
    /// 200 as well, with the script that makes the browser forget the credentials.
    Page,
    /// 303 to the path of `LogoutResponse::Redirect`.
    Redirect,
    /// 200, "Nothing to log out".
    NoLogin,
    /// 204.
    NoContent,
}

/// Decides about a logout: the table `tables/logout.txt`, after forbidden logouts and logins at the logout's prompt.
pub(crate) fn logout(
    request: &LogoutFacts<'_>,
    response: &LogoutResponse,
    landing_path: &str,
) -> LogoutDecision {
    let decision = logout_of_one_session(request, response, landing_path);
    match decision.reply {
        LogoutReply::Forbidden | LogoutReply::Landing => decision,
        _ if request.is_uncertain => LogoutDecision { reply: LogoutReply::Uncertain, ..decision },
        _ => decision,
    }
}

fn logout_of_one_session(
    request: &LogoutFacts<'_>,
    response: &LogoutResponse,
    landing_path: &str,
) -> LogoutDecision {
    let facts = &request.facts;
    if request.is_forbidden {
        return LogoutDecision { clear: false, next: None, reply: LogoutReply::Forbidden };
    }
    if request.logged_in_here && !facts.is_subresource() {
        return LogoutDecision { clear: false, next: None, reply: LogoutReply::Landing };
    }
    // A client without a session has no login. A session would lock it out: it cannot answer a challenge like a user.
    if facts.request_kind == RequestKind::NonBrowser && *facts.state == State::Fresh {
        return LogoutDecision { clear: false, next: None, reply: LogoutReply::NoLogin };
    }
    let logged_out = || Some(logged_out(facts));
    let here = |path: &RequestPath| *path == RequestPath::of(facts.path);
    let nothing_presented = facts.credentials == Credentials::Missing;
    let is_redirect = matches!(response, LogoutResponse::Redirect(_));
    let nothing_to_clear = || {
        let reply = if is_redirect { LogoutReply::Redirect } else { LogoutReply::Done };
        LogoutDecision { clear: false, next: None, reply }
    };

    if facts.is_subresource() {
        let clear = *facts.state != State::Fresh || !nothing_presented;
        let next = if clear { logged_out() } else { None };
        return LogoutDecision { clear, next, reply: LogoutReply::NoContent };
    }
    match facts.state {
        State::Rechallenged { path, pending: None, cause } if here(path) && !nothing_presented => {
            LogoutDecision {
                clear: false,
                next: Some(facts.prompted(*cause)),
                reply: LogoutReply::Landing,
            }
        }
        // The browser may have sent another realm's credentials unasked, or the user typed these here. Another prompt
        // would not tell which. At the landing page they are checked, unless they are the pending ones.
        State::Rechallenged { path, pending: Some(pending), cause }
            if here(path)
                && *response == LogoutResponse::Challenge
                && !nothing_presented
                && facts.credentials != Credentials::Given(Some(pending)) =>
        {
            let (path, pending, cause) = (RequestPath::of(landing_path), Some(*pending), *cause);
            let next = Some(State::Rechallenged { path, pending, cause });
            LogoutDecision { clear: false, next, reply: LogoutReply::Landing }
        }
        State::Fresh if nothing_presented => nothing_to_clear(),
        State::Rechallenged { path, .. } if here(path) && nothing_presented => nothing_to_clear(),
        _ if *response == LogoutResponse::Page => {
            LogoutDecision { clear: true, next: logged_out(), reply: LogoutReply::Page }
        }
        _ if is_redirect => {
            LogoutDecision { clear: true, next: logged_out(), reply: LogoutReply::Redirect }
        }
        _ if !nothing_presented => LogoutDecision {
            clear: true,
            next: Some(facts.rechallenged(facts.pending(), Cause::LoggedOut)),
            reply: LogoutReply::Challenge,
        },
        State::LoggedIn(_) | State::LoggedOut { .. } => {
            LogoutDecision { clear: true, next: logged_out(), reply: LogoutReply::Challenge }
        }
        State::Prompted { .. } | State::Rechallenged { .. } | State::Fresh => {
            LogoutDecision { clear: true, next: logged_out(), reply: LogoutReply::Done }
        }
    }
}

/// The state after a logout. If no fingerprint is known, it keeps that of the request's credentials: the user typed
/// them at some time, and the browser may still hold them.
fn logged_out(facts: &Facts<'_>) -> State {
    let mut state = facts.state.logged_out(Cause::LoggedOut);
    if let (State::LoggedOut { fingerprint, .. }, Credentials::Given(Some(header))) =
        (&mut state, facts.credentials)
    {
        fingerprint.get_or_insert(*header);
    }
    state
}
