//! The script of the logout page, which makes the browser forget the credentials without a dialog.

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

/// The header that the script sends. A script of another site would need a CORS preflight to send it, and this crate
/// answers none.
const SCRIPT_HEADER: &str = "x-basic-logout";

/// Requests its own URL as the reserved user. The values that differ between pages are attributes of the element, so
/// one hash covers the script of every page.
const SCRIPT: &str = include_str!("page_script.js");

/// The hash of the logout page's script, for the `script-src` directive of a
/// `Content-Security-Policy` (CSP).
///
/// It is the SHA-256 hash in base64, including the single quotes. The script is on the page of
/// [`LogoutResponse::Page`](crate::LogoutResponse::Page).
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

/// Whether the script of a logout page sent this request.
pub(crate) fn is_script(realm: &Realm, req: &HttpRequest) -> bool {
    realm.config.logout_response == LogoutResponse::Page
        && req.headers().contains_key(SCRIPT_HEADER)
}

/// Responds to the script, at the path of its page.
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
                context.write(realm, req, *next).await?;
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
    fn published_hash_matches_the_script() {
        let hash = BASE64_STANDARD.encode(Sha256::digest(SCRIPT));
        assert_eq!(LOGOUT_SCRIPT_HASH, format!("'sha256-{hash}'"));
    }
}
