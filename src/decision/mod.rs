//! What a request is answered, and what is remembered: the two tables of `DESIGN.md`, pure.

use crate::{
    request::fingerprint::Fingerprint,
    request::kind::RequestKind,
    request::path::Place,
    response::notice::Reason,
    session::{Cause, Login, State},
};

/// What a request presented, as far as it matters here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Credentials<'a> {
    Missing,
    /// Malformed, so wrong without asking the authenticator.
    Malformed,
    /// The reserved user of the page answer, always wrong.
    Reserved,
    /// With their fingerprint, if there is anything to compare it with.
    Given(Option<&'a Fingerprint>),
}

/// A request, reduced to what the tables look at.
#[derive(Clone, Copy, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
pub(crate) struct Facts<'a> {
    pub(crate) state: &'a State,
    pub(crate) presented: Credentials<'a>,
    pub(crate) client: RequestKind,
    pub(crate) path: &'a str,
    /// The authenticator has to be asked about a login's credentials, too.
    pub(crate) due: bool,
    /// The application wants its subresources challenged.
    pub(crate) challenge_subresources: bool,
    /// The application takes the session alone for enough, and this origin has sent the request.
    pub(crate) session_suffices: bool,
    /// The request was on its way during a log-out.
    pub(crate) raced_logout: bool,
    /// Another site made the browser send it, by a method that is not safe.
    pub(crate) is_cross_site_write: bool,
    /// The credentials came before, and neither time with a cookie.
    pub(crate) is_cookieless: bool,
}

/// What to do with a request that wants to pass.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Decision {
    Pass,
    Check { good: OnSuccess, bad: Refusal },
    Refuse(Refusal),
}

/// What good credentials lead to. All of it passes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OnSuccess {
    LogIn,
    /// The login stays; when it was verified is written down.
    Confirm,
    /// Nothing is remembered.
    Stateless,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) how: RefusalKind,
    pub(crate) reason: Reason,
    /// The next state; none where it stays.
    pub(crate) next: Option<State>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RefusalKind {
    /// 401 that makes a browser drop what it sent and ask its user.
    Challenge,
    /// 401 that opens no dialog.
    Quietly,
    /// 403, which also leaves the browser's credentials alone.
    Forbid,
}

impl Facts<'_> {
    /// A program that brings a session counts as a navigation.
    fn is_subresource(&self) -> bool {
        self.client == RequestKind::Subresource
    }

    /// Whether a dialog may open over this request.
    fn may_ask(&self) -> bool {
        !self.is_subresource() || self.challenge_subresources
    }

    fn rejected(&self, pending: Option<Fingerprint>, why: Cause) -> State {
        State::Rechallenged { path: Place::of(self.path), pending, why }
    }

    fn asked(&self, why: Cause) -> State {
        State::Prompted { path: Place::of(self.path), why }
    }

    /// What stays pending when the presented credentials are rejected: the ended login's
    /// fingerprint, unless this was the header it stands for. The reserved user has taken that
    /// header's place.
    fn pending(&self) -> Option<Fingerprint> {
        let known = self.state.fingerprint()?;
        match self.presented {
            Credentials::Reserved => None,
            Credentials::Given(Some(header)) if header == known => None,
            _ => Some(*known),
        }
    }

    /// What is known after a log-out. Where no login is, the credentials that came with the
    /// request are those that the browser may go on holding: somebody has just typed them.
    fn forgotten(&self) -> State {
        let mut state = self.state.logged_out(Cause::LoggedOut);
        if let (State::LoggedOut { fingerprint, .. }, Credentials::Given(Some(header))) =
            (&mut state, self.presented)
        {
            fingerprint.get_or_insert(*header);
        }
        state
    }

    fn refuse(&self, reason: impl Into<Reason>, next: Option<State>) -> Refusal {
        let how = if self.may_ask() { RefusalKind::Challenge } else { RefusalKind::Quietly };
        Refusal { how, reason: reason.into(), next }
    }

    fn check(&self, good: OnSuccess, bad: Refusal) -> Decision {
        match self.presented {
            Credentials::Given(_) => Decision::Check { good, bad },
            _ => Decision::Refuse(bad),
        }
    }
}

/// The middleware's table.
pub(crate) fn authenticate(ask: &Facts<'_>) -> Decision {
    use Credentials::{Given, Missing};

    let refuse = |why: Cause, next| Decision::Refuse(ask.refuse(why, next));
    match (ask.state, ask.presented) {
        (State::LoggedIn(login), Given(Some(header))) if *header == login.fingerprint => {
            if !ask.due {
                return Decision::Pass;
            }
            let ended = ask.state.logged_out(Cause::CredentialsChanged);
            let mut bad = refused_once_logged_out(&Facts { state: &ended, ..*ask });
            bad.next = bad.next.or(Some(ended));
            ask.check(OnSuccess::Confirm, bad)
        }
        (State::LoggedIn(login), Missing)
            if ask.session_suffices && login.foreign_origin.is_none() =>
        {
            Decision::Pass
        }
        (State::LoggedIn(login), Missing) => {
            // Below the login's directory a browser would have sent them if it had any. Elsewhere
            // it repeats the request with those it has, without asking anybody.
            let below = login.directory.as_ref().is_some_and(|it| it.holds(ask.path));
            let how =
                if below && !ask.may_ask() { RefusalKind::Quietly } else { RefusalKind::Challenge };
            let asks_again = below && !ask.is_subresource() && login.proves_by_directory();
            let next =
                asks_again.then(|| State::LoggedIn(Login { reprompted: true, ..login.clone() }));
            Decision::Refuse(Refusal { how, reason: Reason::LoginRequired, next })
        }
        // What the page answer has put into the browser was typed by nobody.
        (State::Prompted { why, .. }, Missing | Credentials::Reserved) => refuse(*why, None),
        (State::LoggedIn(_) | State::Prompted { .. }, _) => {
            ask.check(OnSuccess::LogIn, ask.refuse(Reason::WrongCredentials, None))
        }
        (State::LoggedOut { .. }, _) => Decision::Refuse(refused_once_logged_out(ask)),
        (State::Rechallenged { pending, why, .. }, Missing) => {
            let is_asked = pending.is_none() && ask.may_ask();
            refuse(*why, is_asked.then(|| ask.asked(*why)))
        }
        (State::Rechallenged { pending: Some(pending), why, .. }, Given(Some(header)))
            if pending == header =>
        {
            refuse(*why, ask.may_ask().then(|| ask.rejected(None, *why)))
        }
        (State::Rechallenged { path, .. }, _) if *path == Place::of(ask.path) => {
            ask.check(OnSuccess::LogIn, ask.refuse(Reason::WrongCredentials, None))
        }
        (State::Rechallenged { pending, why, .. }, _) => {
            if ask.is_subresource() {
                // A 401 would make Chromium drop what its user is typing elsewhere.
                return Decision::Refuse(Refusal {
                    how: RefusalKind::Forbid,
                    reason: Reason::from(*why),
                    next: None,
                });
            }
            refuse(*why, Some(ask.rejected(*pending, *why)))
        }
        // The session may only have stayed at home (`SameSite=Lax`): a challenge would take both it and
        // the credentials from a user who is logged in.
        (State::Fresh, _) if ask.is_cross_site_write && ask.client != RequestKind::NonBrowser => {
            Decision::Refuse(Refusal {
                how: RefusalKind::Forbid,
                reason: Reason::CrossSite,
                next: None,
            })
        }
        (State::Fresh, presented) if ask.client == RequestKind::NonBrowser => {
            let reason = match presented {
                Missing => Reason::LoginRequired,
                _ => Reason::WrongCredentials,
            };
            ask.check(OnSuccess::Stateless, ask.refuse(reason, None))
        }
        // Another dialog would lead to the next.
        (State::Fresh, _) if ask.is_cookieless => Decision::Refuse(Refusal {
            how: RefusalKind::Quietly,
            reason: Reason::CookiesRequired,
            next: None,
        }),
        (State::Fresh, presented) => {
            let why = Cause::NeverLoggedIn;
            let next = match presented {
                _ if !ask.may_ask() => None,
                Missing => Some(ask.asked(why)),
                _ => Some(ask.rejected(None, why)),
            };
            refuse(why, next)
        }
    }
}

/// The rows of a state that is logged out, whose answer never depends on the authenticator.
fn refused_once_logged_out(ask: &Facts<'_>) -> Refusal {
    let State::LoggedOut { directory, why, .. } = ask.state else {
        return ask.refuse(Reason::LoggedOut, None);
    };
    // Chromium gives a request its cookies when it is made, but its credentials when it is sent, and
    // in between it may wait for another one to the same URL. So the session is the old one, but the
    // credentials may be what was typed since, and a 401 would make the browser drop them.
    if ask.raced_logout && ask.is_subresource() && ask.presented != Credentials::Missing {
        return Refusal { how: RefusalKind::Forbid, reason: Reason::from(*why), next: None };
    }
    let next = match ask.presented {
        // Only a navigation proves that the browser has forgotten: there are WebSocket
        // handshakes and requests of service workers that leave the credentials at home.
        Credentials::Missing if ask.is_subresource() => None,
        Credentials::Missing => {
            let below = directory.as_ref().is_some_and(|it| it.holds(ask.path));
            below.then(|| ask.asked(*why))
        }
        _ if ask.may_ask() => Some(ask.rejected(ask.pending(), *why)),
        _ => None,
    };
    ask.refuse(*why, next)
}

/// How log-out answers navigations.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Style {
    Challenge,
    Page,
    Redirect,
}

/// What to do with a request to log out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct LogoutDecision {
    /// End the login's id and clear the session, as far as the application wants.
    pub(crate) forget: bool,
    pub(crate) next: Option<State>,
    pub(crate) reply: LogoutReply,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LogoutReply {
    /// 303 to the landing path: somebody logged in at log-out's own prompt.
    Landing,
    Challenge,
    /// 200, "you are logged out".
    Done,
    /// The same with the script that makes the browser forget.
    Page,
    /// 303 to the application's path.
    Redirect,
    /// 204.
    Nothing,
}

/// The log-out handler's table.
pub(crate) fn logout(ask: &Facts<'_>, style: Style, landing: &str) -> LogoutDecision {
    let forgotten = || Some(ask.forgotten());
    let here = |path: &Place| *path == Place::of(ask.path);
    let nothing_presented = ask.presented == Credentials::Missing;

    if ask.is_subresource() {
        let forget = *ask.state != State::Fresh || !nothing_presented;
        let next = if forget { forgotten() } else { None };
        return LogoutDecision { forget, next, reply: LogoutReply::Nothing };
    }
    match ask.state {
        State::Rechallenged { path, pending: None, why } if here(path) && !nothing_presented => {
            LogoutDecision {
                forget: false,
                next: Some(ask.asked(*why)),
                reply: LogoutReply::Landing,
            }
        }
        // These may be another realm's, sent unasked, or typed here: who asks again and again is
        // no help. The landing page finds out, where they pass unless they are the pending ones.
        State::Rechallenged { path, pending: Some(pending), why }
            if here(path)
                && style == Style::Challenge
                && !nothing_presented
                && ask.presented != Credentials::Given(Some(pending)) =>
        {
            let (path, pending, why) = (Place::of(landing), Some(*pending), *why);
            let next = Some(State::Rechallenged { path, pending, why });
            LogoutDecision { forget: false, next, reply: LogoutReply::Landing }
        }
        State::Fresh if nothing_presented => nothing_to_forget(style),
        State::Rechallenged { path, .. } if here(path) && nothing_presented => {
            nothing_to_forget(style)
        }
        _ if style == Style::Page => {
            LogoutDecision { forget: true, next: forgotten(), reply: LogoutReply::Page }
        }
        _ if style == Style::Redirect => {
            LogoutDecision { forget: true, next: forgotten(), reply: LogoutReply::Redirect }
        }
        _ if !nothing_presented => LogoutDecision {
            forget: true,
            next: Some(ask.rejected(ask.pending(), Cause::LoggedOut)),
            reply: LogoutReply::Challenge,
        },
        State::LoggedIn(_) | State::LoggedOut { .. } => {
            LogoutDecision { forget: true, next: forgotten(), reply: LogoutReply::Challenge }
        }
        State::Prompted { .. } | State::Rechallenged { .. } | State::Fresh => {
            LogoutDecision { forget: true, next: forgotten(), reply: LogoutReply::Done }
        }
    }
}

fn nothing_to_forget(style: Style) -> LogoutDecision {
    let reply = if style == Style::Redirect { LogoutReply::Redirect } else { LogoutReply::Done };
    LogoutDecision { forget: false, next: None, reply }
}

/// What the page answer's script is told, which asks as the reserved user so that the browser
/// puts that user's credentials in the place of the real ones.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ScriptDecision {
    /// A real challenge, whatever the client: the script's request answers it by itself.
    Challenge,
    /// 204: the browser holds nothing but the reserved user's credentials now.
    Replaced { next: Option<State> },
    /// 403: nobody is logged out here, so nothing is to be replaced.
    Forbid,
}

pub(crate) fn replace(ask: &Facts<'_>) -> ScriptDecision {
    match (ask.state, ask.presented) {
        (State::LoggedOut { why, .. }, Credentials::Reserved) => {
            ScriptDecision::Replaced { next: Some(ask.asked(*why)) }
        }
        (State::LoggedOut { .. }, _) => ScriptDecision::Challenge,
        (State::Prompted { .. }, Credentials::Reserved) => ScriptDecision::Replaced { next: None },
        _ => ScriptDecision::Forbid,
    }
}

#[cfg(test)]
mod tests;
