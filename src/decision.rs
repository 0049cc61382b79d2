//! What a request is answered, and what is remembered: the two tables of `DESIGN.md`, pure.

use crate::{
    client::Client,
    fingerprint::Fingerprint,
    login::{Login, State, Why},
    notice::Reason,
    place::Place,
};

/// What a request presented, as far as it matters here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Presented<'a> {
    Nothing,
    /// Malformed, so wrong without asking the authenticator.
    Unusable,
    /// The reserved user of the page answer, always wrong.
    Reserved,
    /// With their fingerprint, if there is anything to compare it with.
    Credentials(Option<&'a Fingerprint>),
}

/// A request, reduced to what the tables look at.
#[derive(Clone, Copy, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
pub(crate) struct Ask<'a> {
    pub(crate) state: &'a State,
    pub(crate) presented: Presented<'a>,
    pub(crate) client: Client,
    pub(crate) path: &'a str,
    /// The authenticator has to be asked about a login's credentials, too.
    pub(crate) due: bool,
    /// The application wants its subresources challenged.
    pub(crate) challenge_subresources: bool,
    /// The application takes the session alone for enough, and this origin has sent the request.
    pub(crate) session_suffices: bool,
    /// The request was on its way during a log-out.
    pub(crate) is_overtaken: bool,
    /// Another site made the browser send it, by a method that is not safe.
    pub(crate) is_forged: bool,
    /// The credentials came before, and neither time with a cookie.
    pub(crate) is_cookieless: bool,
}

/// What to do with a request that wants to pass.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Decision {
    Pass,
    Check { good: Good, bad: Refuse },
    Refuse(Refuse),
}

/// What good credentials lead to. All of it passes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Good {
    LogIn,
    /// The login stays; when it was verified is written down.
    Confirm,
    /// Nothing is remembered.
    Stateless,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refuse {
    pub(crate) how: How,
    pub(crate) reason: Reason,
    /// The next state; none where it stays.
    pub(crate) next: Option<State>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum How {
    /// 401 that makes a browser drop what it sent and ask its user.
    Challenge,
    /// 401 that opens no dialog.
    Quietly,
    /// 403, which also leaves the browser's credentials alone.
    Forbid,
}

impl Ask<'_> {
    /// A program that brings a session counts as a navigation.
    fn is_subresource(&self) -> bool {
        self.client == Client::Subresource
    }

    /// Whether a dialog may open over this request.
    fn may_ask(&self) -> bool {
        !self.is_subresource() || self.challenge_subresources
    }

    fn rejected(&self, pending: Option<Fingerprint>, why: Why) -> State {
        State::Rejected { path: Place::of(self.path), pending, why }
    }

    fn asked(&self, why: Why) -> State {
        State::Asked { path: Place::of(self.path), why }
    }

    /// What stays pending when the presented credentials are rejected: the ended login's
    /// fingerprint, unless this was the header it stands for. The reserved user has taken that
    /// header's place.
    fn pending(&self) -> Option<Fingerprint> {
        let known = self.state.fingerprint()?;
        match self.presented {
            Presented::Reserved => None,
            Presented::Credentials(Some(header)) if header == known => None,
            _ => Some(*known),
        }
    }

    /// What is known after a log-out. Where no login is, the credentials that came with the
    /// request are those that the browser may go on holding: somebody has just typed them.
    fn forgotten(&self) -> State {
        let mut state = self.state.logged_out(Why::LoggedOut);
        if let (State::LoggedOut { fingerprint, .. }, Presented::Credentials(Some(header))) =
            (&mut state, self.presented)
        {
            fingerprint.get_or_insert(*header);
        }
        state
    }

    fn refuse(&self, reason: impl Into<Reason>, next: Option<State>) -> Refuse {
        let how = if self.may_ask() { How::Challenge } else { How::Quietly };
        Refuse { how, reason: reason.into(), next }
    }

    fn check(&self, good: Good, bad: Refuse) -> Decision {
        match self.presented {
            Presented::Credentials(_) => Decision::Check { good, bad },
            _ => Decision::Refuse(bad),
        }
    }
}

/// The middleware's table.
pub(crate) fn decide(ask: &Ask<'_>) -> Decision {
    use Presented::{Credentials, Nothing};

    let refuse = |why: Why, next| Decision::Refuse(ask.refuse(why, next));
    match (ask.state, ask.presented) {
        (State::LoggedIn(login), Credentials(Some(header))) if *header == login.fingerprint => {
            if !ask.due {
                return Decision::Pass;
            }
            let ended = ask.state.logged_out(Why::NoLongerAccepted);
            let mut bad = refused_once_logged_out(&Ask { state: &ended, ..*ask });
            bad.next = bad.next.or(Some(ended));
            ask.check(Good::Confirm, bad)
        }
        (State::LoggedIn(login), Nothing) if ask.session_suffices && login.elsewhere.is_none() => {
            Decision::Pass
        }
        (State::LoggedIn(login), Nothing) => {
            // Below the login's directory a browser would have sent them if it had any. Elsewhere
            // it repeats the request with those it has, without asking anybody.
            let below = login.directory.as_ref().is_some_and(|it| it.holds(ask.path));
            let how = if below && !ask.may_ask() { How::Quietly } else { How::Challenge };
            let asks_again = below && !ask.is_subresource() && login.proves_by_directory();
            let next =
                asks_again.then(|| State::LoggedIn(Login { asked_again: true, ..login.clone() }));
            Decision::Refuse(Refuse { how, reason: Reason::LoginRequired, next })
        }
        // What the page answer has put into the browser was typed by nobody.
        (State::Asked { why, .. }, Nothing | Presented::Reserved) => refuse(*why, None),
        (State::LoggedIn(_) | State::Asked { .. }, _) => {
            ask.check(Good::LogIn, ask.refuse(Reason::WrongCredentials, None))
        }
        (State::LoggedOut { .. }, _) => Decision::Refuse(refused_once_logged_out(ask)),
        (State::Rejected { pending, why, .. }, Nothing) => {
            let is_asked = pending.is_none() && ask.may_ask();
            refuse(*why, is_asked.then(|| ask.asked(*why)))
        }
        (State::Rejected { pending: Some(pending), why, .. }, Credentials(Some(header)))
            if pending == header =>
        {
            refuse(*why, ask.may_ask().then(|| ask.rejected(None, *why)))
        }
        (State::Rejected { path, .. }, _) if *path == Place::of(ask.path) => {
            ask.check(Good::LogIn, ask.refuse(Reason::WrongCredentials, None))
        }
        (State::Rejected { pending, why, .. }, _) => {
            if ask.is_subresource() {
                // A 401 would make Chromium drop what its user is typing elsewhere.
                return Decision::Refuse(Refuse {
                    how: How::Forbid,
                    reason: Reason::from(*why),
                    next: None,
                });
            }
            refuse(*why, Some(ask.rejected(*pending, *why)))
        }
        // The session may only have stayed at home (`SameSite=Lax`): a challenge would take both it and
        // the credentials from a user who is logged in.
        (State::Fresh, _) if ask.is_forged && ask.client != Client::Program => {
            Decision::Refuse(Refuse { how: How::Forbid, reason: Reason::CrossSite, next: None })
        }
        (State::Fresh, presented) if ask.client == Client::Program => {
            let reason = match presented {
                Nothing => Reason::LoginRequired,
                _ => Reason::WrongCredentials,
            };
            ask.check(Good::Stateless, ask.refuse(reason, None))
        }
        // Another dialog would lead to the next.
        (State::Fresh, _) if ask.is_cookieless => Decision::Refuse(Refuse {
            how: How::Quietly,
            reason: Reason::CookiesRequired,
            next: None,
        }),
        (State::Fresh, presented) => {
            let why = Why::NeverLoggedIn;
            let next = match presented {
                _ if !ask.may_ask() => None,
                Nothing => Some(ask.asked(why)),
                _ => Some(ask.rejected(None, why)),
            };
            refuse(why, next)
        }
    }
}

/// The rows of a state that is logged out, whose answer never depends on the authenticator.
fn refused_once_logged_out(ask: &Ask<'_>) -> Refuse {
    let State::LoggedOut { directory, why, .. } = ask.state else {
        return ask.refuse(Reason::LoggedOut, None);
    };
    // Chromium gives a request its cookies when it is made, but its credentials when it is sent, and
    // in between it may wait for another one to the same URL. So the session is the old one, but the
    // credentials may be what was typed since, and a 401 would make the browser drop them.
    if ask.is_overtaken && ask.is_subresource() && ask.presented != Presented::Nothing {
        return Refuse { how: How::Forbid, reason: Reason::from(*why), next: None };
    }
    let next = match ask.presented {
        // Only a navigation proves that the browser has forgotten: there are WebSocket
        // handshakes and requests of service workers that leave the credentials at home.
        Presented::Nothing if ask.is_subresource() => None,
        Presented::Nothing => {
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
pub(crate) struct LoggingOut {
    /// End the login's id and clear the session, as far as the application wants.
    pub(crate) forget: bool,
    pub(crate) next: Option<State>,
    pub(crate) reply: Reply,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reply {
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
pub(crate) fn log_out(ask: &Ask<'_>, style: Style, landing: &str) -> LoggingOut {
    let forgotten = || Some(ask.forgotten());
    let here = |path: &Place| *path == Place::of(ask.path);
    let nothing_presented = ask.presented == Presented::Nothing;

    if ask.is_subresource() {
        let forget = *ask.state != State::Fresh || !nothing_presented;
        let next = if forget { forgotten() } else { None };
        return LoggingOut { forget, next, reply: Reply::Nothing };
    }
    match ask.state {
        State::Rejected { path, pending: None, why } if here(path) && !nothing_presented => {
            LoggingOut { forget: false, next: Some(ask.asked(*why)), reply: Reply::Landing }
        }
        // These may be another realm's, sent unasked, or typed here: who asks again and again is
        // no help. The landing page finds out, where they pass unless they are the pending ones.
        State::Rejected { path, pending: Some(pending), why }
            if here(path)
                && style == Style::Challenge
                && !nothing_presented
                && ask.presented != Presented::Credentials(Some(pending)) =>
        {
            let (path, pending, why) = (Place::of(landing), Some(*pending), *why);
            let next = Some(State::Rejected { path, pending, why });
            LoggingOut { forget: false, next, reply: Reply::Landing }
        }
        State::Fresh if nothing_presented => nothing_to_forget(style),
        State::Rejected { path, .. } if here(path) && nothing_presented => nothing_to_forget(style),
        _ if style == Style::Page => {
            LoggingOut { forget: true, next: forgotten(), reply: Reply::Page }
        }
        _ if style == Style::Redirect => {
            LoggingOut { forget: true, next: forgotten(), reply: Reply::Redirect }
        }
        _ if !nothing_presented => LoggingOut {
            forget: true,
            next: Some(ask.rejected(ask.pending(), Why::LoggedOut)),
            reply: Reply::Challenge,
        },
        State::LoggedIn(_) | State::LoggedOut { .. } => {
            LoggingOut { forget: true, next: forgotten(), reply: Reply::Challenge }
        }
        State::Asked { .. } | State::Rejected { .. } | State::Fresh => {
            LoggingOut { forget: true, next: forgotten(), reply: Reply::Done }
        }
    }
}

fn nothing_to_forget(style: Style) -> LoggingOut {
    let reply = if style == Style::Redirect { Reply::Redirect } else { Reply::Done };
    LoggingOut { forget: false, next: None, reply }
}

/// What the page answer's script is told, which asks as the reserved user so that the browser
/// puts that user's credentials in the place of the real ones.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Replacing {
    /// A real challenge, whatever the client: the script's request answers it by itself.
    Challenge,
    /// 204: the browser holds nothing but the reserved user's credentials now.
    Replaced { next: Option<State> },
    /// 403: nobody is logged out here, so nothing is to be replaced.
    Forbid,
}

pub(crate) fn replace(ask: &Ask<'_>) -> Replacing {
    match (ask.state, ask.presented) {
        (State::LoggedOut { why, .. }, Presented::Reserved) => {
            Replacing::Replaced { next: Some(ask.asked(*why)) }
        }
        (State::LoggedOut { .. }, _) => Replacing::Challenge,
        (State::Asked { .. }, Presented::Reserved) => Replacing::Replaced { next: None },
        _ => Replacing::Forbid,
    }
}

#[cfg(test)]
mod tests;
