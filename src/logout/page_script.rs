//! The script of the logout page, which makes the browser forget without a dialog.

use actix_session::Session;
use actix_web::{HttpRequest, HttpResponse, http::Method};

use crate::{
    config::Realm,
    context::RequestContext,
    decision::{
        facts::RefusalKind,
        logout::LogoutResponse,
        page_script::{ScriptDecision, script},
    },
    refusal_reason::Reason,
    request::origin::is_cross_site,
    response::responder::no_content,
    revocation::store::RevocationError,
};

/// The header that the script sends. Another site's script would need a CORS preflight for it, which nothing here
/// answers.
const SCRIPT_HEADER: &str = "x-basic-logout";

/// Asks its own URL as the reserved user. What differs from page to page is in the element's attributes, so that one
/// hash allows it.
const SCRIPT: &str = include_str!("page_script.js");

/// The hash of the script on the page of [`LogoutResponse::Page`](crate::LogoutResponse::Page), for
/// the `script-src` of a `Content-Security-Policy`: with its quotes, as SHA-256 in base64.
///
/// ```
/// use actix_basic_logout::LOGOUT_SCRIPT_HASH;
///
/// let policy = format!("default-src 'self'; script-src 'self' {LOGOUT_SCRIPT_HASH}");
/// assert!(policy.contains(" 'sha256-") && policy.ends_with("='"));
/// ```
pub const LOGOUT_SCRIPT_HASH: &str = "'sha256-/Wi1IhI+u/n59RyYkzJi1ZmLCrTutqMMTHww9EV9caE='";

/// The `<script>` element of a logout page.
pub(super) fn element(realm: &Realm, req: &HttpRequest) -> String {
    let method = if *req.method() == Method::POST { "POST" } else { "GET" };
    let password = &realm.reserved_password;
    format!("<script data-method=\"{method}\" data-password=\"{password}\">{SCRIPT}</script>\n")
}

/// Whether this is the script's request.
pub(crate) fn is_script(realm: &Realm, req: &HttpRequest) -> bool {
    realm.config.logout_response == LogoutResponse::Page
        && req.headers().contains_key(SCRIPT_HEADER)
}

/// Answers the script, at whatever path its page was.
pub(crate) async fn respond(
    realm: &Realm,
    req: &HttpRequest,
    session: &Session,
) -> Result<HttpResponse, RevocationError> {
    let mut context = RequestContext::read(realm, req, session).await?;
    let request_kind = context.request_kind;
    let refuse = |kind, reason| realm.responder.refuse(req, request_kind, kind, reason);
    Ok(match script(&context.facts(realm, req.path()), is_cross_site(req)) {
        ScriptDecision::Forbid => refuse(RefusalKind::Forbid, Reason::LogoutForbidden),
        ScriptDecision::Challenge => refuse(RefusalKind::Challenge, Reason::LoggedOut),
        ScriptDecision::Replaced { next } => {
            if let Some(next) = next {
                context.write(realm, req, next).await?;
            }
            no_content()
        }
    })
}

#[cfg(test)]
mod tests {
    use base64::{Engine, prelude::BASE64_STANDARD};
    use sha2::{Digest, Sha256};

    use super::*;

    #[test]
    fn published_hash_is_that_of_the_script() {
        let hash = BASE64_STANDARD.encode(Sha256::digest(SCRIPT));
        assert_eq!(LOGOUT_SCRIPT_HASH, format!("'sha256-{hash}'"));
    }
}
