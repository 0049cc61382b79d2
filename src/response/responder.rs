//! Builds the responses of this crate.

use std::sync::Arc;

use actix_web::{
    Error, HttpRequest, HttpResponse,
    body::{BodySize, MessageBody},
    error::InternalError,
    http::{
        StatusCode,
        header::{
            CACHE_CONTROL, CONTENT_TYPE, HeaderMap, HeaderValue, LOCATION, RETRY_AFTER, VARY,
            WWW_AUTHENTICATE,
        },
    },
};

use super::{challenge::Challenges, notice::Notice};
use crate::{
    decision::facts::RefusalKind,
    refusal_reason::Reason,
    request::{kind::RequestKind, path::start_of},
    retry_later::TryLater,
    revocation::store::RevocationError,
};

/// The value of `Vary`: the request headers on which a response depends (RFC 9110, section 12.5.5).
const VARY_ON: &str = "Accept, Accept-Language, Authorization, Cookie, Origin, Referer, \
                       Sec-Fetch-Mode, Sec-Fetch-Site, Sec-Purpose, Upgrade-Insecure-Requests, \
                       User-Agent";

/// The application's function that builds responses.
pub(crate) type RespondWith = dyn Fn(&HttpRequest, &Notice<'_>) -> HttpResponse + Send + Sync;

/// Builds the responses of a realm.
pub(crate) struct Responder {
    pub(crate) challenges: Challenges,
    pub(crate) landing_path: String,
    pub(crate) respond_with: Option<Arc<RespondWith>>,
}

impl Responder {
    /// Refuses a request.
    pub(crate) fn refuse(
        &self,
        req: &HttpRequest,
        request_kind: RequestKind,
        kind: RefusalKind,
        reason: Reason,
    ) -> HttpResponse {
        let (status, challenge) = match kind {
            RefusalKind::Challenge => (StatusCode::UNAUTHORIZED, Some(&self.challenges.basic)),
            RefusalKind::Quiet => (StatusCode::UNAUTHORIZED, Some(&self.challenges.quiet)),
            RefusalKind::Forbid => (StatusCode::FORBIDDEN, None),
        };
        let mut response = self.render(req, &self.notice(status, reason, request_kind));
        if let Some(challenge) = challenge {
            response.headers_mut().insert(WWW_AUTHENTICATE, challenge.clone());
        }
        response
    }

    /// The 200 response to a logout. With a script, the page makes the browser replace the
    /// credentials that it holds.
    pub(crate) fn done(
        &self,
        req: &HttpRequest,
        request_kind: RequestKind,
        reason: Reason,
        script: Option<&str>,
    ) -> HttpResponse {
        let notice = self.notice(StatusCode::OK, reason, request_kind);
        self.render(req, &Notice { script, ..notice })
    }

    /// Converts an error of the authenticator or of the revocation store. [`TryLater`] and
    /// [`RevocationError`] become 429 or 503 with `Retry-After`. Any other error is returned
    /// unchanged.
    pub(crate) fn error(
        &self,
        realm: &str,
        req: &HttpRequest,
        request_kind: impl FnOnce() -> RequestKind,
        error: Error,
    ) -> Error {
        let later = if let Some(later) = error.as_error::<TryLater>() {
            later.clone()
        } else if let Some(error) = error.as_error::<RevocationError>() {
            tracing::error!(realm, %error, path = start_of(req.path()), "request refused");
            TryLater::unavailable()
        } else {
            return error;
        };
        let mut response = self.render(req, &not_now(&later, &self.landing_path, request_kind()));
        response.headers_mut().insert(RETRY_AFTER, later.header());
        InternalError::from_response(later, response).into()
    }

    fn notice(&self, status: StatusCode, reason: Reason, request_kind: RequestKind) -> Notice<'_> {
        let landing_path = &self.landing_path;
        Notice { status, reason, landing_path, request_kind, script: None, retry_after: None }
    }

    /// The application's response, or this crate's own. An empty body is replaced, because browsers
    /// would show an error page of their own.
    fn render(&self, req: &HttpRequest, notice: &Notice<'_>) -> HttpResponse {
        let response = match &self.respond_with {
            None => notice.to_response(req),
            Some(respond) => {
                let supplied = respond(req, notice);
                let size = supplied.body().size();
                let is_empty = matches!(size, BodySize::None | BodySize::Sized(0));
                let (mut response, body) = supplied.into_parts();
                *response.status_mut() = notice.status;
                response.headers_mut().remove(WWW_AUTHENTICATE);
                if is_empty {
                    let (own, body) = notice.to_response(req).into_parts();
                    if let Some(content_type) = own.headers().get(CONTENT_TYPE) {
                        response.headers_mut().insert(CONTENT_TYPE, content_type.clone());
                    }
                    response.set_body(body)
                } else {
                    response.set_body(body)
                }
            }
        };
        finish(response)
    }
}

/// The refusal of a request whose handler requires a `User` although the application has registered
/// no realm for it.
pub(crate) fn refuse_without_realm(req: &HttpRequest) -> HttpResponse {
    let request_kind = RequestKind::of(req);
    let notice = Notice {
        status: StatusCode::UNAUTHORIZED,
        reason: Reason::LoginRequired,
        landing_path: "/",
        request_kind,
        script: None,
        retry_after: None,
    };
    let challenge = match request_kind {
        RequestKind::NonBrowser => r#"Basic realm="Restricted", charset="UTF-8""#,
        _ => r#"xBasic realm="Restricted", charset="UTF-8""#,
    };
    let mut response = notice.to_response(req);
    response.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static(challenge));
    finish(response)
}

/// Refuses a request whose session store is unavailable.
pub(crate) fn without_session(request_kind: RequestKind) -> HttpResponse {
    let later = TryLater::unavailable();
    let notice = not_now(&later, "/", request_kind);
    let mut response = notice.to_response_as(notice.usual_format(), "");
    response.headers_mut().insert(RETRY_AFTER, later.header());
    finish(response)
}

/// A 303 redirect to a path of the application.
pub(crate) fn see_other(path: &HeaderValue) -> HttpResponse {
    let mut response = HttpResponse::SeeOther().finish();
    response.headers_mut().insert(LOCATION, path.clone());
    no_store(response.headers_mut());
    response
}

/// A 204 response.
pub(crate) fn no_content() -> HttpResponse {
    let mut response = HttpResponse::NoContent().finish();
    no_store(response.headers_mut());
    response
}

pub(crate) fn no_store(headers: &mut HeaderMap) {
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
}

fn not_now<'a>(later: &TryLater, landing_path: &'a str, request_kind: RequestKind) -> Notice<'a> {
    Notice {
        status: later.status(),
        reason: later.reason(),
        landing_path,
        request_kind,
        script: None,
        retry_after: Some(later.retry_after()),
    }
}

fn finish(mut response: HttpResponse) -> HttpResponse {
    response.headers_mut().append(VARY, HeaderValue::from_static(VARY_ON));
    no_store(response.headers_mut());
    response
}
