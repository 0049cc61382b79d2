//! The origin of a request, requests from other sites, and the session cookie.

use actix_web::{HttpRequest, http::header};

use super::kind::SEC_FETCH_SITE;

/// Scheme, host and port, as the browser sees them (RFC 6454, section 4).
pub(crate) fn origin(req: &HttpRequest) -> String {
    let connection = req.connection_info();
    format!("{}://{}", connection.scheme(), connection.host())
}

/// Whether another site caused this request (CSRF). Another site must not log its visitor out.
pub(crate) fn is_cross_site(req: &HttpRequest) -> bool {
    let headers = req.headers();
    if let Some(site) = headers.get(&SEC_FETCH_SITE) {
        return site == "cross-site";
    }
    // The scheme is ignored: behind a proxy that terminates TLS it may be unknown.
    headers.get(header::ORIGIN).is_some_and(|origin| {
        let host = origin.to_str().ok().and_then(|origin| origin.split_once("://"));
        host.is_none_or(|(_, host)| host != req.connection_info().host())
    })
}

pub(crate) fn has_cookie(req: &HttpRequest, name: &str) -> bool {
    req.cookie(name).is_some()
}
