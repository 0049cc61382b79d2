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
    challenge,
    client::{Client, is_prefetch},
    config::{BasicLogin, Config, LogoutAnswer},
    decision::{self, How, LoggingOut, Replacing, Reply, Style, log_out},
    login::State,
    middleware::TypedHere,
    misuse::Misuse,
    notice::{Notice, Reason},
    revocation::RevocationError,
    visit::{Visit, is_cross_site},
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

/// The hash of the script on the page of [`LogoutAnswer::Page`](crate::LogoutAnswer::Page), for
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
/// It answers as [`LogoutAnswer`] says, but for who is not to be logged out: what another site
/// has sent, or a browser has fetched ahead, gets 403, and who typed at the challenge of the
/// log-out itself is sent to the [landing path](crate::BasicLoginBuilder::landing).
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
                challenge::own_error(&this.login.config, &req, error.into()).error_response()
            })
        })
    }
}

impl Logout {
    async fn answer(&self, req: &HttpRequest) -> Result<HttpResponse, RevocationError> {
        let config = &*self.login.config;
        let mut visit = Visit::read(config, req, &req.get_session()).await?;
        if is_replacing(config, req) {
            return replace(&self.login, req, &mut visit).await;
        }
        if is_cross_site(req) || is_prefetch(req) {
            tracing::warn!(realm = %config.realm, path = req.path(), "unsolicited log-out refused");
            let how = How::Forbid;
            return Ok(challenge::refuse(config, req, visit.client, how, Reason::Unsolicited));
        }
        if visit.client != Client::Subresource && typed_here(config, req) {
            return Ok(challenge::see_other(&config.landing_header));
        }
        let style = match config.answer {
            LogoutAnswer::Challenge => Style::Challenge,
            LogoutAnswer::Page => Style::Page,
            LogoutAnswer::Redirect(_) => Style::Redirect,
        };
        visit.ensure_fingerprint(config);
        let LoggingOut { forget, next, reply } =
            log_out(&visit.ask(config, req.path()), style, config.landing_path());
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

    fn reply(&self, req: &HttpRequest, visit: &Visit, reply: Reply) -> HttpResponse {
        let config = &*self.login.config;
        let script = (reply == Reply::Page).then(|| script(config, req));
        let done = Notice {
            status: StatusCode::OK,
            reason: Reason::LoggedOut,
            landing: &config.landing,
            client: visit.client,
            script: script.as_deref(),
            retry_after: None,
        };
        match reply {
            Reply::Landing => challenge::see_other(&config.landing_header),
            Reply::Challenge => {
                challenge::refuse(config, req, visit.client, How::Challenge, Reason::LoggedOut)
            }
            Reply::Done | Reply::Page => challenge::say(config, req, &done),
            Reply::Redirect => {
                let target = config.redirect.as_ref().unwrap_or(&config.landing_header);
                challenge::see_other(target)
            }
            Reply::Nothing => challenge::no_content(),
        }
    }
}

/// Whether the middleware in front has just let somebody in who typed at log-out's own prompt.
fn typed_here(config: &Config, req: &HttpRequest) -> bool {
    req.extensions().get::<TypedHere>().is_some_and(|it| *it.0 == *config.realm)
}

/// Whether this is the page answer's script, which wants the browser's credentials replaced.
pub(crate) fn is_replacing(config: &Config, req: &HttpRequest) -> bool {
    config.answer == LogoutAnswer::Page && req.headers().contains_key(REPLACING)
}

/// Answers that script, wherever it asks.
pub(crate) async fn replace(
    login: &BasicLogin,
    req: &HttpRequest,
    visit: &mut Visit,
) -> Result<HttpResponse, RevocationError> {
    let config = &*login.config;
    let client = visit.client;
    let refuse = |how, reason| challenge::refuse(config, req, client, how, reason);
    Ok(match decision::replace(&visit.ask(config, req.path())) {
        _ if is_cross_site(req) => refuse(How::Forbid, Reason::Unsolicited),
        Replacing::Forbid => refuse(How::Forbid, Reason::Unsolicited),
        Replacing::Challenge => refuse(How::Challenge, Reason::LoggedOut),
        Replacing::Replaced { next } => {
            if let Some(next) = next {
                visit.write(config, req, next).await?;
            }
            challenge::no_content()
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
