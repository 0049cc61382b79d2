//! The origin of a request, whether another site sent it, and whether it carries a cookie.

use actix_web::{HttpRequest, http::header};

use super::kind::SEC_FETCH_SITE;

/// The scheme, host and port that the browser requested (RFC 6454, section 4).
pub(crate) fn origin(req: &HttpRequest) -> String {
    let connection = req.connection_info();
    format!("{}://{}", connection.scheme(), connection.host())
}

/// Whether another site caused the browser to send this request (CSRF).
pub(crate) fn is_cross_site(req: &HttpRequest) -> bool {
    let headers = req.headers();
    if let Some(site) = headers.get(&SEC_FETCH_SITE) {
        return site == "cross-site";
    }
    // Only the host is compared: behind a proxy that terminates TLS, the scheme may be unknown.
    headers.get(header::ORIGIN).is_some_and(|origin| {
        let host = origin.to_str().ok().and_then(|origin| origin.split_once("://"));
        host.is_none_or(|(_, host)| host != req.connection_info().host())
    })
}

pub(crate) fn has_cookie(req: &HttpRequest, name: &str) -> bool {
    req.cookie(name).is_some()
}
