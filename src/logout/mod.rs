//! The logout handler: reads the request once, decides, writes the session once, and responds.
//!
//! `page_script` handles the script on the page of [`LogoutResponse::Page`](crate::LogoutResponse::Page). Uses
//! `context` and the modules below it.

pub(crate) mod page_script;

use std::fmt;

use actix_session::SessionExt;
use actix_web::{Handler, HttpMessage, HttpRequest, HttpResponse};
use futures_core::future::LocalBoxFuture;

use crate::{
    config::BasicLogin,
    context::RequestContext,
    decision::{
        facts::RefusalKind,
        logout::{LogoutDecision, LogoutFacts, LogoutReply, logout},
    },
    refusal_reason::Reason,
    request::{kind::is_prefetch, origin::is_cross_site, path::start_of},
    response::responder::{no_content, see_other},
    revocation::store::RevocationError,
};

impl BasicLogin {
    /// Returns the handler that logs the user out (signs out) of this realm. Register it at any path
    /// and for any method, inside or outside the wrapped part of the application.
    ///
    /// The handler refuses logouts that the user did not request: a request from another site
    /// (CSRF, cross-site request forgery) and a prefetch receive 403. Prefer `POST`, because link
    /// previews do not send it.
    ///
    /// ```
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/guide/browser.rs"));
    /// # #[actix_web::main]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use actix_basic_logout::BasicLogin;
    ///
    /// let login = BasicLogin::builder("Admin area", users).build()?;
    /// # let dashboard = async || "Hello";
    /// let app = App::new()
    ///     .service(web::scope("/admin").wrap(login.clone()).route("/", web::get().to(dashboard)))
    ///     .route("/logout", web::post().to(login.logout()))
    ///     .wrap(sessions());
    /// let mut browser = Browser::new(test::init_service(app).await);
    /// browser.log_in("/admin/", "alice", "wonderland").await;
    /// let answer = browser.submit("/logout").await;
    /// assert_eq!(answer.status(), 401); // makes the browser forget the credentials
    /// assert!(answer.text().contains("You are logged out"));
    /// assert_eq!(browser.open("/admin/").await.status(), 401);
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias = "sign out")]
    #[doc(alias = "log out")]
    #[doc(alias = "logoff")]
    #[doc(alias = "CSRF")]
    #[doc(alias = "cross-site request forgery")]
    #[must_use]
    pub fn logout(&self) -> Logout {
        Logout { login: self.clone() }
    }
}

/// Marks a request that the middleware has just logged in, with credentials that the user typed at the prompt of the
/// same path. Holds the realm.
pub(crate) struct LoggedInHere(pub(crate) String);

/// The logout handler of a realm. Created by [`BasicLogin::logout`].
///
/// It responds as [`LogoutResponse`](crate::LogoutResponse) says, with two exceptions that do not log
/// out. A request from another site (CSRF) or a prefetch receives 403. A user who logs in at the
/// prompt of the logout itself is redirected to the
/// [landing path](crate::BasicLoginBuilder::landing_path).
///
/// ```
/// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/guide/browser.rs"));
/// # #[actix_web::main]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use actix_basic_logout::BasicLogin;
///
/// let login = BasicLogin::builder("Admin area", users).build()?;
/// let mut browser = browser(&login).await;
/// browser.log_in("/admin/", "alice", "wonderland").await;
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
            this.respond(&req)
                .await
                .unwrap_or_else(|error| this.login.realm.error(&req, error.into()).error_response())
        })
    }
}

impl Logout {
    async fn respond(&self, req: &HttpRequest) -> Result<HttpResponse, RevocationError> {
        let realm = &*self.login.realm;
        if let Some(refusal) = realm.refuse_forged_cookie(req) {
            return Ok(refusal);
        }
        let session = req.get_session();
        if page_script::is_script(realm, req) {
            return page_script::respond(realm, req, &session).await;
        }
        let mut context = RequestContext::read(realm, req, &session).await?;
        context.ensure_fingerprint(realm);
        context.forget_expired_challenge();
        let facts = LogoutFacts {
            facts: context.facts(realm, req.path()),
            is_forbidden: is_cross_site(req) || is_prefetch(req),
            is_uncertain: context.has_several_session_cookies,
            logged_in_here: self.logged_in_here(req),
        };
        let LogoutDecision { clear, next, reply } =
            logout(&facts, &realm.config.logout_response, realm.landing_path());
        let is_written = next.is_some();
        context.log_out(realm, req, clear, next).await?;
        let response = self.render(req, &context, reply);
        if is_written {
            return Ok(realm.setup.watch_session(req, &session, response));
        }
        Ok(response)
    }

    /// Whether the middleware around this handler has just logged in a user who typed at the prompt of the logout
    /// itself.
    fn logged_in_here(&self, req: &HttpRequest) -> bool {
        let extensions = req.extensions();
        extensions.get::<LoggedInHere>().is_some_and(|it| *it.0 == *self.login.realm.name)
    }

    fn render(
        &self,
        req: &HttpRequest,
        context: &RequestContext,
        reply: LogoutReply,
    ) -> HttpResponse {
        let realm = &*self.login.realm;
        let (responder, request_kind) = (&realm.responder, context.request_kind);
        match reply {
            LogoutReply::Forbidden => {
                tracing::warn!(realm = %realm.name, path = start_of(req.path()), "cross-site or prefetched logout refused");
                let reason = Reason::LogoutForbidden;
                responder.refuse(req, request_kind, RefusalKind::Forbid, reason)
            }
            LogoutReply::Uncertain => {
                let reason = Reason::LogoutUncertain;
                responder.refuse(req, request_kind, RefusalKind::Forbid, reason)
            }
            LogoutReply::Landing => see_other(&realm.landing_header),
            LogoutReply::Challenge => {
                responder.refuse(req, request_kind, RefusalKind::Challenge, Reason::LoggedOut)
            }
            LogoutReply::Done => responder.done(req, request_kind, Reason::LoggedOut, None),
            LogoutReply::NoLogin => responder.done(req, request_kind, Reason::NoLogin, None),
            LogoutReply::Page => {
                let script = page_script::element(realm, req);
                responder.done(req, request_kind, Reason::LoggedOut, Some(&script))
            }
            LogoutReply::Redirect => {
                see_other(realm.redirect.as_ref().unwrap_or(&realm.landing_header))
            }
            LogoutReply::NoContent => no_content(),
        }
    }
}
