//! Decides whether a request passes.

use super::facts::{Credentials, Facts, Refusal, RefusalKind};
use crate::{
    refusal_reason::Reason,
    request::{kind::RequestKind, path::RequestPath},
    session::{
        login::Login,
        state::{Cause, State},
    },
};

/// The decision about a request to a protected resource.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Decision {
    Pass,
    /// Ask the authenticator whether the credentials are valid.
    Check {
        on_success: OnSuccess,
        on_failure: Refusal,
    },
    Refuse(Refusal),
}

/// The effect of valid credentials. The request passes in each case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OnSuccess {
    /// Store a login.
    LogIn,
    /// Keep the login, and store the time of the verification.
    Confirm,
    /// Store nothing.
    Stateless,
}

/// Decides whether a request passes: the table `tables/authenticate.txt`, and the rules that precede its rows.
pub(crate) fn authenticate(facts: &Facts<'_>) -> Decision {
    use Credentials::{Given, Missing};

    let refuse = |cause: Cause, next| Decision::Refuse(facts.refuse(cause, next));
    match (facts.state, facts.credentials) {
        (State::LoggedIn(login), Given(Some(header))) if *header == login.fingerprint => {
            if !facts.due {
                return Decision::Pass;
            }
            let ended = facts.state.logged_out(Cause::CredentialsChanged);
            let mut on_failure = refuse_logged_out(&Facts { state: &ended, ..*facts });
            let next = on_failure.next.take();
            on_failure.next = next.or_else(|| Some(Box::new(ended)));
            check(facts, OnSuccess::Confirm, on_failure)
        }
        (State::LoggedIn(login), Missing)
            if facts.session_only_allowed && login.foreign_origin.is_none() =>
        {
            Decision::Pass
        }
        (State::LoggedIn(login), Missing) => {
            // Below the login's directory, the browser would have sent credentials if it had any.
            // Elsewhere it answers the challenge with those that it has, without a dialog.
            let below = login.directory.as_ref().is_some_and(|it| it.holds(facts.path));
            let kind = if below && !facts.may_prompt() {
                RefusalKind::Quiet
            } else {
                RefusalKind::Challenge
            };
            let is_navigation = facts.request_kind == RequestKind::Navigation;
            let reprompts = below && is_navigation && login.proves_by_directory();
            let next =
                reprompts.then(|| State::LoggedIn(Login { reprompted: true, ..login.clone() }));
            Decision::Refuse(Refusal {
                kind,
                reason: Reason::LoginRequired,
                next: next.map(Box::new),
            })
        }
        // The script of the logout page sent the reserved credentials. The user did not type them.
        (State::Prompted { cause, .. }, Missing | Credentials::Reserved) => refuse(*cause, None),
        (State::LoggedIn(_) | State::Prompted { .. }, _) => {
            check(facts, OnSuccess::LogIn, facts.refuse(Reason::WrongCredentials, None))
        }
        (State::LoggedOut { .. }, _) => Decision::Refuse(refuse_logged_out(facts)),
        (State::Rechallenged { pending, cause, .. }, Missing) => {
            let next = match facts.request_kind {
                // It may keep credentials that were refused if its user cancels, and answer this challenge with them.
                RequestKind::SimpleBrowser => Some(facts.state.logged_out(*cause)),
                // It may share the cookies of a browser, and proves nothing about it.
                RequestKind::NonBrowser => None,
                _ if pending.is_some() || !facts.may_prompt() => None,
                _ => Some(facts.prompted(*cause)),
            };
            refuse(*cause, next)
        }
        (State::Rechallenged { pending: Some(pending), cause, .. }, Given(Some(header)))
            if pending == header =>
        {
            refuse(*cause, facts.may_prompt().then(|| facts.rechallenged(None, *cause)))
        }
        (State::Rechallenged { path, .. }, _) if *path == RequestPath::of(facts.path) => {
            check(facts, OnSuccess::LogIn, facts.refuse(Reason::WrongCredentials, None))
        }
        (State::Rechallenged { pending, cause, .. }, _) => {
            if facts.is_subresource() {
                // A 401 would make Chromium drop what the user is typing for the other path.
                return Decision::Refuse(Refusal {
                    kind: RefusalKind::Forbid,
                    reason: Reason::from(*cause),
                    next: None,
                });
            }
            refuse(*cause, Some(facts.rechallenged(*pending, *cause)))
        }
        // The browser may have withheld the session cookie (`SameSite=Lax`). A challenge would replace
        // the session of a logged-in user, and make the browser drop the credentials.
        (State::Fresh, _)
            if facts.is_cross_site_write && facts.request_kind != RequestKind::NonBrowser =>
        {
            Decision::Refuse(Refusal {
                kind: RefusalKind::Forbid,
                reason: Reason::CrossSite,
                next: None,
            })
        }
        (State::Fresh, presented) if facts.request_kind == RequestKind::NonBrowser => {
            let reason = match presented {
                Missing => Reason::LoginRequired,
                _ => Reason::WrongCredentials,
            };
            check(facts, OnSuccess::Stateless, facts.refuse(reason, None))
        }
        // Without cookies, another dialog would only lead to the next. A browser that keeps this cookie is challenged
        // with its next request.
        (State::Fresh, _) if facts.is_cookieless => Decision::Refuse(Refusal {
            kind: RefusalKind::Quiet,
            reason: Reason::CookiesRequired,
            next: Some(Box::new(State::Fresh.without_proof(Cause::LoginRequired))),
        }),
        (State::Fresh, presented) => {
            let cause = Cause::LoginRequired;
            let next = match presented {
                _ if !facts.may_prompt() => None,
                Missing => Some(facts.prompted(cause)),
                _ => Some(facts.rechallenged(None, cause)),
            };
            refuse(cause, next)
        }
    }
}

/// The rows of `LoggedOut`. They never ask the authenticator.
fn refuse_logged_out(facts: &Facts<'_>) -> Refusal {
    let State::LoggedOut { directory, cause, .. } = facts.state else {
        return facts.refuse(Reason::LoggedOut, None);
    };
    // Chromium attaches cookies when it creates a request, but credentials when it sends it. In
    // between, the request may wait for another request to the same URL. So it may carry the old
    // session and credentials that the user typed since. A 401 would make the browser drop them.
    if facts.raced_logout && facts.is_subresource() && facts.credentials != Credentials::Missing {
        return Refusal { kind: RefusalKind::Forbid, reason: Reason::from(*cause), next: None };
    }
    let next = match facts.credentials {
        // Only a navigation proves that the browser holds no credentials: some WebSocket handshakes
        // and requests of service workers do not carry the credentials that it holds.
        Credentials::Missing if facts.request_kind != RequestKind::Navigation => None,
        Credentials::Missing => {
            let below = directory.as_ref().is_some_and(|it| it.holds(facts.path));
            below.then(|| facts.prompted(*cause))
        }
        _ if facts.may_prompt() => Some(facts.rechallenged(facts.pending(), *cause)),
        _ => None,
    };
    facts.refuse(*cause, next)
}

fn check(facts: &Facts<'_>, on_success: OnSuccess, on_failure: Refusal) -> Decision {
    match facts.credentials {
        Credentials::Given(_) => Decision::Check { on_success, on_failure },
        _ => Decision::Refuse(on_failure),
    }
}
