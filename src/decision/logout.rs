//! What a logout does, and how it is answered.

use super::facts::{Credentials, Facts};
use crate::{
    request::path::RequestPath,
    session::state::{Cause, State},
};

/// How logout answers a navigation. Background requests always get 204 (RFC 9110, section
/// 15.3.5).
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
/// // Only to a path of this site.
/// let elsewhere = LogoutResponse::Redirect("//other.example/".to_owned());
/// assert!(BasicLogin::builder("Admin area", users).logout_response(elsewhere).build().is_err());
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum LogoutResponse {
    /// 401 with a challenge (RFC 9110, section 15.5.2): the browser forgets the credentials at
    /// once and opens its dialog over the logout, ready for the next user. The default; it needs
    /// no script.
    #[default]
    Challenge,
    /// A page "you are logged out", without a dialog. A small script on it makes the browser
    /// forget: it asks the same URL as the user `logged-out`, whose credentials take the place of
    /// the real ones (so nobody can have that user-id). Where scripts are off, the next visit
    /// does it. Under a `Content-Security-Policy`, allow the script by
    /// [`LOGOUT_SCRIPT_HASH`](crate::LOGOUT_SCRIPT_HASH).
    Page,
    /// 303 (RFC 9110, section 15.4.4) to a path of the application's, which has to be one that
    /// needs no login. The browser forgets at the next visit.
    Redirect(String),
}

/// A request to log out, reduced to what the decision looks at.
pub(crate) struct LogoutFacts<'a> {
    pub(crate) facts: Facts<'a>,
    /// Another site sent the browser here, or the browser fetches ahead of its user.
    pub(crate) is_forbidden: bool,
    /// The middleware around the handler has just logged this request in, by credentials typed at the logout's own
    /// prompt.
    pub(crate) logged_in_here: bool,
}

/// What to do with a request to log out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct LogoutDecision {
    /// End the login's id and clear the session, as far as the application wants.
    pub(crate) clear: bool,
    pub(crate) next: Option<State>,
    pub(crate) reply: LogoutReply,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LogoutReply {
    /// 403: this is no request of the user.
    Forbidden,
    /// 303 to the landing path: somebody logged in at the logout's own prompt.
    Landing,
    Challenge,
    /// 200, "you are logged out".
    Done,
    /// The same with the script that makes the browser forget.
    Page,
    /// 303 to the application's path.
    Redirect,
    /// 204.
    NoContent,
}

/// Decides about a logout: the table `tables/logout.txt`, behind what is refused and what is no logout.
pub(crate) fn logout(
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
        // These may be another realm's, sent unasked, or typed here: another prompt would not help. The landing page
        // finds out, where they pass unless they are the pending ones.
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

/// The state after a logout. Where no login is, the credentials that came with the request are those that the browser
/// may go on holding: the user has just typed them.
fn logged_out(facts: &Facts<'_>) -> State {
    let mut state = facts.state.logged_out(Cause::LoggedOut);
    if let (State::LoggedOut { fingerprint, .. }, Credentials::Given(Some(header))) =
        (&mut state, facts.credentials)
    {
        fingerprint.get_or_insert(*header);
    }
    state
}
