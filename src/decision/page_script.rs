//! What the logout page's script is answered.

use super::facts::{Credentials, Facts};
use crate::session::state::State;

/// The script asks as the reserved user, so that the browser replaces the real credentials by that user's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ScriptDecision {
    /// A real challenge, whatever the request's kind: the script's request answers it by itself.
    Challenge,
    /// 204: the browser now holds nothing but the reserved user's credentials.
    Replaced { next: Option<State> },
    /// 403: nobody is logged out here, so nothing is to be replaced.
    Forbid,
}

/// Decides about the script's request: the table `tables/page_script.txt`.
pub(crate) fn script(facts: &Facts<'_>, is_cross_site: bool) -> ScriptDecision {
    match (facts.state, facts.credentials) {
        _ if is_cross_site => ScriptDecision::Forbid,
        (State::LoggedOut { cause, .. }, Credentials::Reserved) => {
            ScriptDecision::Replaced { next: Some(facts.prompted(*cause)) }
        }
        (State::LoggedOut { .. }, _) => ScriptDecision::Challenge,
        (State::Prompted { .. }, Credentials::Reserved) => ScriptDecision::Replaced { next: None },
        _ => ScriptDecision::Forbid,
    }
}
