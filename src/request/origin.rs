//! The origin of a request, which site sent it, and whether it carries a cookie.

use actix_web::{
    HttpRequest,
    cookie::Cookie,
    http::header::{self, HeaderName, HeaderValue},
};

use super::path::bounded;

pub(super) static SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// Maximum length in bytes of an origin that is stored in full. A host name has at most 253 (RFC
/// 1035, section 2.3.4).
const MAX_LENGTH: usize = 300;

/// The scheme, host and port that the browser requested (RFC 6454, section 4). If it is too long, or has characters
/// that JSON escapes, its hash.
pub(crate) fn origin(req: &HttpRequest) -> String {
    let connection = req.connection_info();
    let origin = format!("{}://{}", connection.scheme(), connection.host());
    bounded(&origin, MAX_LENGTH)
}

/// Whether a browser has sent this request. On plain HTTP, browsers send this header to localhost only.
pub(crate) fn has_fetch_metadata(req: &HttpRequest) -> bool {
    req.headers().contains_key(&SEC_FETCH_SITE)
}

/// Whether another site caused the browser to send this request (CSRF).
pub(crate) fn is_cross_site(req: &HttpRequest) -> bool {
    let headers = req.headers();
    if let Some(site) = headers.get(&SEC_FETCH_SITE) {
        return site == "cross-site";
    }
    // Behind a proxy that terminates TLS, the scheme may be unknown.
    headers.get(header::ORIGIN).is_some_and(|origin| host_sent_by(origin, req).is_none())
}

/// Whether a page of this origin caused the browser to send this request. A request that carries
/// neither `Sec-Fetch-Site` nor `Origin` does not show that.
pub(crate) fn is_same_origin(req: &HttpRequest) -> bool {
    let headers = req.headers();
    if let Some(site) = headers.get(&SEC_FETCH_SITE) {
        return site == "same-origin";
    }
    let scheme = headers.get(header::ORIGIN).and_then(|origin| host_sent_by(origin, req));
    // An attacker on the network can serve pages of this host over plain HTTP.
    scheme.is_some_and(|it| it == "https" || req.connection_info().scheme() != "https")
}

/// The scheme of an `Origin` header with the host and port that the browser requested. None if the
/// header has another host.
fn host_sent_by<'a>(origin: &'a HeaderValue, req: &HttpRequest) -> Option<&'a str> {
    let (scheme, host) = origin.to_str().ok()?.split_once("://")?;
    (host == req.connection_info().host()).then_some(scheme)
}

/// Whether a page of another host caused the client to send this request.
pub(crate) fn is_referred_by_another_host(req: &HttpRequest) -> bool {
    let Some(referer) = req.headers().get(header::REFERER) else { return false };
    let host = || referer.to_str().ok()?.split_once("://")?.1.split(['/', '?', '#']).next();
    host() != Some(req.connection_info().host())
}

/// Whether the request carries a cookie whose name becomes this one only when the server reads it. Browsers
/// enforce the rules of `__Host-` and `__Secure-` names (RFC 6265bis, section 4.1.3) for the name as it is
/// sent, but the server decodes `%` sequences in names, and removes all spaces of Unicode around them.
/// Without such a prefix, an attacker can use the name itself.
pub(crate) fn has_forged_cookie(req: &HttpRequest, name: &str) -> bool {
    let is_forged = |pair: &[u8]| {
        let Some(end) = pair.iter().position(|it| *it == b'=') else { return false };
        // Browsers remove these, and separate cookies by a space.
        let sent = pair.get(..end).unwrap_or_default().trim_ascii();
        // Only these change when the server reads the name. A client can send 40,000 others.
        let changes = |it: &u8| *it == b'%' || !it.is_ascii_graphic();
        if !sent.iter().any(changes) {
            return false;
        }
        // Bytes that are no text cannot be part of the name.
        let Ok(text) = str::from_utf8(sent) else { return false };
        sent != name.as_bytes()
            && Cookie::parse_encoded(format!("{text}=")).is_ok_and(|it| it.name() == name)
    };
    name.starts_with("__")
        && req
            .headers()
            .get_all(header::COOKIE)
            .any(|it| it.as_bytes().split(|it| *it == b';').any(is_forged))
}

/// Whether the request carries a cookie of this name. If a cookie cannot be read, it may.
pub(crate) fn has_cookie(req: &HttpRequest, name: &str) -> bool {
    req.cookies().map_or(true, |all| all.iter().any(|it| it.name() == name))
}

/// Whether the request carries cookies of this name with different values, or may do so. A browser
/// sends those of other paths and domains, too (RFC 6265, section 5.4).
pub(crate) fn has_several_cookies(req: &HttpRequest, name: &str) -> bool {
    let Ok(all) = req.cookies() else { return true };
    let mut values = all.iter().filter(|it| it.name() == name).map(Cookie::value);
    let first = values.next();
    values.any(|it| Some(it) != first)
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;

    #[test]
    fn only_a_page_of_the_same_origin_is_same_origin() {
        for (host, headers, is_same) in [
            ("example.com", &[][..], false),
            ("example.com", &[("sec-fetch-site", "same-origin")], true),
            ("example.com", &[("sec-fetch-site", "same-site")], false),
            ("example.com", &[("sec-fetch-site", "cross-site")], false),
            ("example.com", &[("sec-fetch-site", "none")], false),
            ("example.com", &[("origin", "http://example.com")], true),
            ("example.com", &[("origin", "https://example.com")], true),
            ("example.com", &[("origin", "http://evil.example.com")], false),
            ("example.com", &[("origin", "http://example.com.evil.com")], false),
            ("example.com", &[("origin", "http://example.com:8080")], false),
            ("example.com:8080", &[("origin", "http://example.com")], false),
            ("example.com:8080", &[("origin", "http://example.com:8080")], true),
            ("example.com", &[("origin", "null")], false),
            ("example.com", &[("origin", "\u{e9}")], false),
            ("example.com", &[("origin", "")], false),
            (
                "example.com",
                &[("sec-fetch-site", "same-site"), ("origin", "http://example.com")],
                false,
            ),
        ] {
            let request =
                headers.iter().fold(TestRequest::default(), |it, header| it.insert_header(*header));
            let request = request.insert_header((header::HOST, host)).to_http_request();
            assert_eq!(is_same_origin(&request), is_same, "{host} {headers:?}");
        }
    }

    #[test]
    fn plain_http_page_is_not_the_same_origin_as_https() {
        for (origin, is_same) in [("http://example.com", false), ("https://example.com", true)] {
            let request = TestRequest::with_uri("https://example.com/")
                .insert_header((header::HOST, "example.com"))
                .insert_header((header::ORIGIN, origin))
                .insert_header(("x-forwarded-proto", "https"))
                .to_http_request();
            assert_eq!(request.connection_info().scheme(), "https");
            assert_eq!(is_same_origin(&request), is_same, "{origin}");
        }
    }

    #[test]
    fn encoded_cookie_name_is_forged() {
        for (name, cookies, is_forged) in [
            ("__Host-id", "__Host-id=1", false),
            ("__Host-id", "a=%5F; __Host-id=%5F%5FHost-id", false),
            ("__Host-id", "__%48ost-id=1; __Host-id=2", true),
            ("__Host-id", "__Host-id=2;%5F%5fHost-id=", true),
            ("__Host-id", "__%48ost-ie=1", false),
            ("__Host-id", "__%48ost-id", false),
            ("__Secure-id", "__Secure%2Did=1", true),
            ("id", "%69d=1", false),
        ] {
            let request = TestRequest::default().insert_header((header::COOKIE, cookies));
            assert_eq!(has_forged_cookie(&request.to_http_request(), name), is_forged, "{cookies}");
        }
    }

    #[test]
    fn stored_origin_has_a_maximum_length() {
        for header in [header::HOST.as_str(), "x-forwarded-host", "x-forwarded-proto"] {
            let of = |letter: &str| {
                let value = letter.repeat(100_000);
                origin(&TestRequest::default().insert_header((header, value)).to_http_request())
            };
            assert!(of("a").len() <= MAX_LENGTH, "{header}");
            assert_ne!(of("a"), of("b"), "{header}");
        }
        let quotes = TestRequest::default().insert_header((header::HOST, "\"".repeat(200)));
        assert!(origin(&quotes.to_http_request()).starts_with("sha256:"));
        let host = "a".repeat(253);
        let request = TestRequest::default().insert_header((header::HOST, host.clone()));
        assert_eq!(origin(&request.to_http_request()), format!("http://{host}"));
    }
}
