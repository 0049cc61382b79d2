//! The facts on which decisions are based, and the types that all decisions share.

use crate::{
    refusal_reason::Reason,
    request::{fingerprint::Fingerprint, kind::RequestKind, path::RequestPath},
    session::state::{Cause, State},
};

/// The credentials that a request presents.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Credentials<'a> {
    Missing,
    /// Malformed, so they are wrong without a check by the authenticator.
    Malformed,
    /// Those of the logout page's reserved user, which are always wrong.
    Reserved,
    /// Well-formed, with their fingerprint, if it is needed.
    Given(Option<&'a Fingerprint>),
}

/// A request, reduced to the columns of the tables and the rules before them.
#[derive(Clone, Copy, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is an independent fact")]
pub(crate) struct Facts<'a> {
    pub(crate) state: &'a State,
    pub(crate) credentials: Credentials<'a>,
    pub(crate) request_kind: RequestKind,
    pub(crate) path: &'a str,
    /// The authenticator must verify the credentials of the login again.
    pub(crate) due: bool,
    /// The application set `challenge_subresources`.
    pub(crate) challenge_subresources: bool,
    /// `allow_session_only` selects this request, and no other site sent it.
    pub(crate) session_only_allowed: bool,
    /// The browser sent the request before it received the answer to a logout.
    pub(crate) raced_logout: bool,
    /// Another site made the browser send the request, with an unsafe method (CSRF).
    pub(crate) is_cross_site_write: bool,
    /// The same client sent the same user-id twice within a minute, each time without a cookie.
    pub(crate) is_cookieless: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) kind: RefusalKind,
    pub(crate) reason: Reason,
    /// The next state. None if it stays the same. Boxed to keep the futures that hold a refusal small.
    pub(crate) next: Option<Box<State>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RefusalKind {
    /// 401 with a challenge: the browser drops the credentials that it sent, and prompts its user.
    Challenge,
    /// 401 with an unknown scheme, which opens no dialog.
    Quiet,
    /// 403: no dialog, and the browser keeps the credentials that it sent.
    Forbid,
}

impl Facts<'_> {
    /// A simple browser, and a non-browser client with a session, count as a navigation.
    pub(super) fn is_subresource(&self) -> bool {
        self.request_kind == RequestKind::Subresource
    }

    /// Whether a dialog may open over this request.
    pub(super) fn may_prompt(&self) -> bool {
        !self.is_subresource() || self.challenge_subresources
    }

    pub(super) fn rechallenged(&self, pending: Option<Fingerprint>, cause: Cause) -> State {
        State::Rechallenged { path: RequestPath::of(self.path), pending, cause }
    }

    pub(super) fn prompted(&self, cause: Cause) -> State {
        State::Prompted { path: RequestPath::of(self.path), cause }
    }

    /// The fingerprint that stays pending when the presented credentials are rejected: that of the ended login, unless
    /// these are its credentials. The reserved credentials have replaced them in the browser.
    pub(super) fn pending(&self) -> Option<Fingerprint> {
        let known = self.state.fingerprint()?;
        match self.credentials {
            Credentials::Reserved => None,
            Credentials::Given(Some(header)) if header == known => None,
            _ => Some(*known),
        }
    }

    pub(super) fn refuse(&self, reason: impl Into<Reason>, next: Option<State>) -> Refusal {
        let kind = if self.may_prompt() { RefusalKind::Challenge } else { RefusalKind::Quiet };
        Refusal { kind, reason: reason.into(), next: next.map(Box::new) }
    }
}
