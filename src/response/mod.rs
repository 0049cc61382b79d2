//! Every answer that this crate gives by itself, with what the protocol wants of it.

pub(crate) mod notice;

use actix_web::{
    Error, HttpRequest, HttpResponse,
    body::{BodySize, MessageBody},
    error::InternalError,
    http::{
        StatusCode,
        header::{
            CACHE_CONTROL, CONTENT_TYPE, HeaderMap, HeaderValue, InvalidHeaderValue, LOCATION,
            RETRY_AFTER, VARY, WWW_AUTHENTICATE,
        },
    },
};

use crate::{
    config::Config,
    decision::RefusalKind,
    request::kind::RequestKind,
    response::notice::{Notice, Reason},
    retry_later::TryLater,
    revocation::RevocationError,
};

/// What the answer depends on, and so (RFC 9110, section 12.5.5) what `Vary` names.
const DEPENDS_ON: &str = "Accept, Authorization, Cookie, Sec-Fetch-Mode, Sec-Fetch-Site, \
                          Sec-Purpose, User-Agent";

/// The two challenges of a realm, ready to be sent.
#[derive(Clone, Debug)]
pub(crate) struct Challenges {
    pub(crate) basic: HeaderValue,
    quiet: HeaderValue,
}

impl Challenges {
    /// The realm as a quoted-string (RFC 9110, section 5.6.4), and the charset that makes
    /// browsers send UTF-8 (RFC 7617, section 2.1).
    pub(crate) fn of(realm: &str) -> Result<Self, InvalidHeaderValue> {
        let realm = realm.replace('\\', r"\\").replace('"', r#"\""#);
        // A 401 needs a challenge (RFC 9110, section 15.5.2), but a browser that knows the scheme
        // opens a dialog. None knows this one.
        let value = |scheme| {
            HeaderValue::from_bytes(
                format!(r#"{scheme} realm="{realm}", charset="UTF-8""#).as_bytes(),
            )
        };
        Ok(Self { basic: value("Basic")?, quiet: value("xBasic")? })
    }
}

/// The refusal of a request.
pub(crate) fn refuse(
    config: &Config,
    req: &HttpRequest,
    client: RequestKind,
    how: RefusalKind,
    reason: Reason,
) -> HttpResponse {
    let status = match how {
        RefusalKind::Challenge | RefusalKind::Quietly => StatusCode::UNAUTHORIZED,
        RefusalKind::Forbid => StatusCode::FORBIDDEN,
    };
    let landing = &config.landing;
    let notice = Notice { status, reason, landing, client, script: None, retry_after: None };
    let mut response = say(config, req, &notice);
    let challenge = match how {
        RefusalKind::Challenge => Some(&config.challenges.basic),
        RefusalKind::Quietly => Some(&config.challenges.quiet),
        RefusalKind::Forbid => None,
    };
    if let Some(challenge) = challenge {
        response.headers_mut().insert(WWW_AUTHENTICATE, challenge.clone());
    }
    response
}

/// The refusal of a `User` that was demanded where no realm is known.
pub(crate) fn refuse_without_realm(req: &HttpRequest) -> HttpResponse {
    let (client, reason) = (RequestKind::of(req), Reason::LoginRequired);
    let (status, landing) = (StatusCode::UNAUTHORIZED, "/");
    let notice = Notice { status, reason, landing, client, script: None, retry_after: None };
    let challenge = match client {
        RequestKind::NonBrowser => r#"Basic realm="Restricted", charset="UTF-8""#,
        _ => r#"xBasic realm="Restricted", charset="UTF-8""#,
    };
    let mut response = notice.to_response(req);
    response.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static(challenge));
    finish(response)
}

/// The error of an authenticator or of a store as it goes out: as it is, but for those that say "not
/// now".
pub(crate) fn error_response(config: &Config, req: &HttpRequest, error: Error) -> Error {
    let later = if let Some(later) = error.as_error::<TryLater>() {
        later.clone()
    } else if let Some(error) = error.as_error::<RevocationError>() {
        tracing::error!(realm = %config.realm, %error, path = req.path(), "refused");
        TryLater::unavailable()
    } else {
        return error;
    };
    let notice = not_now(&later, &config.landing, (config.classify)(req));
    let mut response = say(config, req, &notice);
    response.headers_mut().insert(RETRY_AFTER, later.header());
    InternalError::from_response(later, response).into()
}

fn not_now<'a>(later: &TryLater, landing: &'a str, client: RequestKind) -> Notice<'a> {
    Notice {
        status: later.status(),
        reason: later.reason(),
        landing,
        client,
        script: None,
        retry_after: Some(later.retry_after()),
    }
}

/// The refusal of a request whose session cannot be reached.
pub(crate) fn without_session(client: RequestKind) -> HttpResponse {
    let later = TryLater::unavailable();
    let notice = not_now(&later, "/", client);
    let mut response = notice.to_response_as(notice.usual_format());
    response.headers_mut().insert(RETRY_AFTER, later.header());
    finish(response)
}

/// The application's response or this crate's own; never with an empty body, which browsers
/// replace by an error page of theirs.
pub(crate) fn say(config: &Config, req: &HttpRequest, notice: &Notice<'_>) -> HttpResponse {
    let response = match &config.respond_with {
        None => notice.to_response(req),
        Some(respond) => {
            let supplied = respond(req, notice);
            let is_empty = matches!(supplied.body().size(), BodySize::None | BodySize::Sized(0));
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

fn finish(mut response: HttpResponse) -> HttpResponse {
    response.headers_mut().append(VARY, HeaderValue::from_static(DEPENDS_ON));
    no_store(response.headers_mut());
    response
}

/// 303 to a path of the application's.
pub(crate) fn see_other(path: &HeaderValue) -> HttpResponse {
    let mut response = HttpResponse::SeeOther().finish();
    response.headers_mut().insert(LOCATION, path.clone());
    no_store(response.headers_mut());
    response
}

/// 204: done, nothing to show.
pub(crate) fn no_content() -> HttpResponse {
    let mut response = HttpResponse::NoContent().finish();
    no_store(response.headers_mut());
    response
}

pub(crate) fn no_store(headers: &mut HeaderMap) {
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
}
