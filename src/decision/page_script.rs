//! Decides how to respond to the script of the logout page.

use super::facts::{Credentials, Facts};
use crate::session::state::State;

/// The response to the script. The script sends requests as the reserved user, which makes the browser replace the real
/// credentials by the reserved ones.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ScriptDecision {
    /// A real challenge, for every kind of request. The script's request answers it without a dialog.
    Challenge,
    /// 204: the browser now holds only the reserved credentials.
    Replaced { next: Option<Box<State>> },
    /// 403: there is no logout to complete, so the script must not replace the browser's credentials.
    Forbid,
}

/// Decides how to respond to the script: the table `tables/page_script.txt`. Another site's request is forbidden.
pub(crate) fn script(facts: &Facts<'_>, is_cross_site: bool) -> ScriptDecision {
    match (facts.state, facts.credentials) {
        _ if is_cross_site => ScriptDecision::Forbid,
        (State::LoggedOut { cause, .. }, Credentials::Reserved) => {
            ScriptDecision::Replaced { next: Some(Box::new(facts.prompted(*cause))) }
        }
        (State::LoggedOut { .. }, _) => ScriptDecision::Challenge,
        (State::Prompted { .. }, Credentials::Reserved) => ScriptDecision::Replaced { next: None },
        _ => ScriptDecision::Forbid,
    }
}
