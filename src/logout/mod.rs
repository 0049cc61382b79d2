//! The handler that logs out, and the page that does it without a dialog.

use std::fmt;

use actix_session::SessionExt;
use actix_web::{
    Handler, HttpMessage, HttpRequest, HttpResponse,
    http::{Method, StatusCode},
};
use futures_core::future::LocalBoxFuture;
use sha2::{Digest, Sha256};

use crate::{
    config::{BasicLogin, Config, LogoutResponse},
    context::{RequestContext, is_cross_site},
    decision::{self, LogoutDecision, LogoutReply, RefusalKind, ScriptDecision, Style, logout},
    diagnostics::setup::Misuse,
    middleware::LoggedInHere,
    request::kind::{RequestKind, is_prefetch},
    response,
    response::notice::{Notice, Reason},
    revocation::RevocationError,
    session::State,
};

/// The header that the page answer's script sends. Another site's script would need a CORS
/// preflight for it, which nothing here answers.
const REPLACING: &str = "x-basic-logout";

/// Asks its own URL as the reserved user. What differs from page to page is in the element's
/// attributes, so that one hash allows it.
const SCRIPT: &str = "(function(s){var x=new XMLHttpRequest();\
    x.open(s.dataset.method,location.href.split('#')[0],true,'logged-out',s.dataset.password);\
    x.setRequestHeader('X-Basic-Logout','1');x.send()})(document.currentScript)";

/// The user-id that the script asks as. Whoever comes as it is nobody.
pub(crate) const RESERVED_USER: &str = "logged-out";

/// The password that the script of a realm uses: another realm's script has replaced another
/// realm's credentials.
pub(crate) fn reserved_password(realm: &str) -> String {
    let mut hex = format!("{:x}", Sha256::digest(realm));
    hex.truncate(16);
    hex
}

fn script(config: &Config, req: &HttpRequest) -> String {
    let method = if *req.method() == Method::POST { "POST" } else { "GET" };
    let password = &config.reserved_password;
    format!("<script data-method=\"{method}\" data-password=\"{password}\">{SCRIPT}</script>\n")
}

/// The hash of the script on the page of [`LogoutResponse::Page`](crate::LogoutResponse::Page), for
/// the `script-src` of a `Content-Security-Policy`: with its quotes, as SHA-256 in base64.
///
/// ```
/// use actix_basic_logout::LOGOUT_SCRIPT_HASH;
///
/// let policy = format!("default-src 'self'; script-src 'self' {LOGOUT_SCRIPT_HASH}");
/// assert!(policy.contains(" 'sha256-") && policy.ends_with("='"));
/// ```
pub const LOGOUT_SCRIPT_HASH: &str = "'sha256-NcB/ATu2lG54rTjVxlxxINOjVnjel0vTH1UmJuW0Ep4='";

/// The log-out handler of a realm; made by [`BasicLogin::logout`].
///
/// It answers as [`LogoutResponse`] says, but for who is not to be logged out: what another site
/// has sent, or a browser has fetched ahead, gets 403, and who typed at the challenge of the
/// log-out itself is sent to the [landing path](crate::BasicLoginBuilder::landing_path).
///
/// ```
/// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/guide/browser.rs"));
/// # #[actix_web::main]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use actix_basic_logout::BasicLogin;
///
/// let login = BasicLogin::builder("Admin area", users).build()?;
/// let mut browser = browser(&login).await;
/// browser.log_in().await;
/// let link = TestRequest::with_uri("/logout").insert_header(("Sec-Fetch-Site", "cross-site"));
/// assert_eq!(browser.send(link).await.status(), 403);
/// assert_eq!(browser.open("/admin/").await.status(), 200);
/// assert_eq!(browser.fetch("/logout").await.status(), 204);
/// assert_eq!(browser.open("/admin/").await.status(), 401);
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Logout {
    pub(crate) login: BasicLogin,
}

impl fmt::Debug for Logout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Logout").field("realm", &self.login.realm()).finish_non_exhaustive()
    }
}

impl Handler<HttpRequest> for Logout {
    type Output = HttpResponse;
    type Future = LocalBoxFuture<'static, HttpResponse>;

    fn call(&self, req: HttpRequest) -> Self::Future {
        let this = self.clone();
        Box::pin(async move {
            this.answer(&req).await.unwrap_or_else(|error| {
                response::error_response(&this.login.config, &req, error.into()).error_response()
            })
        })
    }
}

impl Logout {
    async fn answer(&self, req: &HttpRequest) -> Result<HttpResponse, RevocationError> {
        let config = &*self.login.config;
        let mut visit = RequestContext::read(config, req, &req.get_session()).await?;
        if is_replacing(config, req) {
            return replace(&self.login, req, &mut visit).await;
        }
        if is_cross_site(req) || is_prefetch(req) {
            tracing::warn!(realm = %config.realm, path = req.path(), "unsolicited log-out refused");
            let how = RefusalKind::Forbid;
            return Ok(response::refuse(config, req, visit.client, how, Reason::LogoutForbidden));
        }
        if visit.client != RequestKind::Subresource && typed_here(config, req) {
            return Ok(response::see_other(&config.landing_header));
        }
        let style = match config.answer {
            LogoutResponse::Challenge => Style::Challenge,
            LogoutResponse::Page => Style::Page,
            LogoutResponse::Redirect(_) => Style::Redirect,
        };
        visit.ensure_fingerprint(config);
        let LogoutDecision { forget, next, reply } =
            logout(&visit.ask(config, req.path()), style, config.landing_path());
        if forget {
            let user = match &visit.state {
                State::LoggedIn(login) => Some(login.user.clone()),
                _ => None,
            };
            visit.forget(config, req).await?;
            tracing::info!(realm = %config.realm, user, "logged out");
        }
        let Some(next) = next else { return Ok(self.reply(req, &visit, reply)) };
        visit.write(config, req, next).await?;
        Ok(Misuse::watch(&self.login, req, &visit.session, self.reply(req, &visit, reply)))
    }

    fn reply(&self, req: &HttpRequest, visit: &RequestContext, reply: LogoutReply) -> HttpResponse {
        let config = &*self.login.config;
        let script = (reply == LogoutReply::Page).then(|| script(config, req));
        let done = Notice {
            status: StatusCode::OK,
            reason: Reason::LoggedOut,
            landing: &config.landing,
            client: visit.client,
            script: script.as_deref(),
            retry_after: None,
        };
        match reply {
            LogoutReply::Landing => response::see_other(&config.landing_header),
            LogoutReply::Challenge => response::refuse(
                config,
                req,
                visit.client,
                RefusalKind::Challenge,
                Reason::LoggedOut,
            ),
            LogoutReply::Done | LogoutReply::Page => response::say(config, req, &done),
            LogoutReply::Redirect => {
                let target = config.redirect.as_ref().unwrap_or(&config.landing_header);
                response::see_other(target)
            }
            LogoutReply::Nothing => response::no_content(),
        }
    }
}

/// Whether the middleware in front has just let somebody in who typed at log-out's own prompt.
fn typed_here(config: &Config, req: &HttpRequest) -> bool {
    req.extensions().get::<LoggedInHere>().is_some_and(|it| *it.0 == *config.realm)
}

/// Whether this is the page answer's script, which wants the browser's credentials replaced.
pub(crate) fn is_replacing(config: &Config, req: &HttpRequest) -> bool {
    config.answer == LogoutResponse::Page && req.headers().contains_key(REPLACING)
}

/// Answers that script, wherever it asks.
pub(crate) async fn replace(
    login: &BasicLogin,
    req: &HttpRequest,
    visit: &mut RequestContext,
) -> Result<HttpResponse, RevocationError> {
    let config = &*login.config;
    let client = visit.client;
    let refuse = |how, reason| response::refuse(config, req, client, how, reason);
    Ok(match decision::replace(&visit.ask(config, req.path())) {
        _ if is_cross_site(req) => refuse(RefusalKind::Forbid, Reason::LogoutForbidden),
        ScriptDecision::Forbid => refuse(RefusalKind::Forbid, Reason::LogoutForbidden),
        ScriptDecision::Challenge => refuse(RefusalKind::Challenge, Reason::LoggedOut),
        ScriptDecision::Replaced { next } => {
            if let Some(next) = next {
                visit.write(config, req, next).await?;
            }
            response::no_content()
        }
    })
}

#[cfg(test)]
mod tests {
    use base64::{Engine, prelude::BASE64_STANDARD};

    use super::*;

    #[test]
    fn the_published_hash_is_that_of_the_script() {
        let hash = BASE64_STANDARD.encode(Sha256::digest(SCRIPT));
        assert_eq!(LOGOUT_SCRIPT_HASH, format!("'sha256-{hash}'"));
    }
}
