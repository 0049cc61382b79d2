//! What the decisions look at, and the vocabulary that they share.

use crate::{
    refusal_reason::Reason,
    request::{fingerprint::Fingerprint, kind::RequestKind, path::RequestPath},
    session::state::{Cause, State},
};

/// What a request presented, as far as it matters here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Credentials<'a> {
    Missing,
    /// Malformed, so wrong without asking the authenticator.
    Malformed,
    /// The reserved user of the logout page, always wrong.
    Reserved,
    /// With their fingerprint, if there is anything to compare it with.
    Given(Option<&'a Fingerprint>),
}

/// A request, reduced to what the tables look at.
#[derive(Clone, Copy, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
pub(crate) struct Facts<'a> {
    pub(crate) state: &'a State,
    pub(crate) credentials: Credentials<'a>,
    pub(crate) request_kind: RequestKind,
    pub(crate) path: &'a str,
    /// The authenticator has to confirm the credentials of a login, too.
    pub(crate) due: bool,
    /// The application wants its subresources challenged.
    pub(crate) challenge_subresources: bool,
    /// The application lets this request pass by the session alone, and this origin sent it.
    pub(crate) session_only_allowed: bool,
    /// The request was sent before its browser knew of a logout.
    pub(crate) raced_logout: bool,
    /// Another site made the browser send it, by a method that is not safe.
    pub(crate) is_cross_site_write: bool,
    /// The credentials came before, and neither time with a cookie.
    pub(crate) is_cookieless: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) kind: RefusalKind,
    pub(crate) reason: Reason,
    /// The next state. None where it stays. Boxed, since the futures that hold a refusal are many and small.
    pub(crate) next: Option<Box<State>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RefusalKind {
    /// 401 that makes a browser drop what it sent and prompt its user.
    Challenge,
    /// 401 that opens no dialog.
    Quiet,
    /// 403, which also leaves the browser's credentials alone.
    Forbid,
}

impl Facts<'_> {
    /// A program that brings a session counts as a navigation.
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

    /// What stays pending when the presented credentials are rejected: the ended login's fingerprint, unless this was
    /// the header it stands for. The reserved user has replaced that header.
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
