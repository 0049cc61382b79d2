//! Whether a request passes.

use super::facts::{Credentials, Facts, Refusal, RefusalKind};
use crate::{
    refusal_reason::Reason,
    request::{kind::RequestKind, path::RequestPath},
    session::{
        login::Login,
        state::{Cause, State},
    },
};

/// What to do with a request that wants to pass.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Decision {
    Pass,
    /// Ask the authenticator.
    Check {
        on_success: OnSuccess,
        on_failure: Refusal,
    },
    Refuse(Refusal),
}

/// What valid credentials lead to. All of it passes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OnSuccess {
    LogIn,
    /// The login stays, and the session records when it was verified.
    Confirm,
    /// The session records nothing.
    Stateless,
}

/// Decides about a request that wants to pass: the table `tables/authenticate.txt`.
pub(crate) fn authenticate(facts: &Facts<'_>) -> Decision {
    use Credentials::{Given, Missing};

    let refuse = |cause: Cause, next| Decision::Refuse(facts.refuse(cause, next));
    match (facts.state, facts.credentials) {
        (State::LoggedIn(login), Given(Some(header))) if *header == login.fingerprint => {
            if !facts.due {
                return Decision::Pass;
            }
            let ended = facts.state.logged_out(Cause::CredentialsChanged);
            let mut bad = refused_once_logged_out(&Facts { state: &ended, ..*facts });
            let next = bad.next.take();
            bad.next = next.or_else(|| Some(Box::new(ended)));
            check(facts, OnSuccess::Confirm, bad)
        }
        (State::LoggedIn(login), Missing)
            if facts.session_only_allowed && login.foreign_origin.is_none() =>
        {
            Decision::Pass
        }
        (State::LoggedIn(login), Missing) => {
            // Below the login's directory a browser would have sent them if it had any. Elsewhere
            // it repeats the request with those it has, without asking anybody.
            let below = login.directory.as_ref().is_some_and(|it| it.holds(facts.path));
            let kind = if below && !facts.may_prompt() {
                RefusalKind::Quiet
            } else {
                RefusalKind::Challenge
            };
            let asks_again = below && !facts.is_subresource() && login.proves_by_directory();
            let next =
                asks_again.then(|| State::LoggedIn(Login { reprompted: true, ..login.clone() }));
            Decision::Refuse(Refusal {
                kind,
                reason: Reason::LoginRequired,
                next: next.map(Box::new),
            })
        }
        // What the page answer has put into the browser was typed by nobody.
        (State::Prompted { cause, .. }, Missing | Credentials::Reserved) => refuse(*cause, None),
        (State::LoggedIn(_) | State::Prompted { .. }, _) => {
            check(facts, OnSuccess::LogIn, facts.refuse(Reason::WrongCredentials, None))
        }
        (State::LoggedOut { .. }, _) => Decision::Refuse(refused_once_logged_out(facts)),
        (State::Rechallenged { pending, cause, .. }, Missing) => {
            let is_asked = pending.is_none() && facts.may_prompt();
            refuse(*cause, is_asked.then(|| facts.prompted(*cause)))
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
                // A 401 would make Chromium drop what its user is typing elsewhere.
                return Decision::Refuse(Refusal {
                    kind: RefusalKind::Forbid,
                    reason: Reason::from(*cause),
                    next: None,
                });
            }
            refuse(*cause, Some(facts.rechallenged(*pending, *cause)))
        }
        // The session may only have stayed at home (`SameSite=Lax`): a challenge would take both it and
        // the credentials from a user who is logged in.
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
        // Another dialog would lead to the next.
        (State::Fresh, _) if facts.is_cookieless => Decision::Refuse(Refusal {
            kind: RefusalKind::Quiet,
            reason: Reason::CookiesRequired,
            next: None,
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

/// The rows of a state that is logged out, whose answer never depends on the authenticator.
fn refused_once_logged_out(facts: &Facts<'_>) -> Refusal {
    let State::LoggedOut { directory, cause, .. } = facts.state else {
        return facts.refuse(Reason::LoggedOut, None);
    };
    // Chromium gives a request its cookies when it is made, but its credentials when it is sent, and
    // in between it may wait for another one to the same URL. So the session is the old one, but the
    // credentials may be what was typed since, and a 401 would make the browser drop them.
    if facts.raced_logout && facts.is_subresource() && facts.credentials != Credentials::Missing {
        return Refusal { kind: RefusalKind::Forbid, reason: Reason::from(*cause), next: None };
    }
    let next = match facts.credentials {
        // Only a navigation proves that the browser has forgotten: there are WebSocket
        // handshakes and requests of service workers that leave the credentials at home.
        Credentials::Missing if facts.is_subresource() => None,
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
