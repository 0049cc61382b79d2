//! The kind of a request: a navigation, a subresource of a page, or a request of a simple browser or of a non-browser
//! client.

use actix_web::{
    HttpRequest,
    http::{
        Method,
        header::{self, HeaderMap, HeaderName, HeaderValue},
    },
};

use super::origin::{SEC_FETCH_SITE, has_cookie, is_referred_by_another_host};

static SEC_FETCH_MODE: HeaderName = HeaderName::from_static("sec-fetch-mode");
static SEC_FETCH_DEST: HeaderName = HeaderName::from_static("sec-fetch-dest");
static SEC_PURPOSE: HeaderName = HeaderName::from_static("sec-purpose");

/// The kind of a request: a browser's navigation, a browser's subresource, or a request of a simple
/// browser or of a non-browser client.
///
/// It decides how a request without a login is refused: by opening the browser's dialog, without a
/// dialog, or with the plain challenge of stateless Basic authentication. [`RequestKind::of`]
/// derives it from the request's headers. An application can replace that rule with
/// [`classify_with`](crate::BasicLoginBuilder::classify_with).
///
/// ```
/// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/guide/browser.rs"));
/// # #[actix_web::main]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use actix_basic_logout::BasicLogin;
///
/// let login = BasicLogin::builder("Admin area", users).build()?;
/// let mut browser = browser(&login).await;
/// // A navigation: the browser opens its dialog.
/// let page = browser.open("/admin/").await;
/// assert_eq!((page.status().as_u16(), page.dialogs()), (401, 1));
/// // A subresource: the challenge has a scheme that no browser knows, so no dialog opens.
/// let data = browser.fetch("/admin/").await;
/// assert_eq!((data.status().as_u16(), data.dialogs()), (401, 0));
/// assert!(data.header("WWW-Authenticate").unwrap().starts_with("xBasic realm="));
/// // A non-browser client: the credentials suffice.
/// let curl = TestRequest::with_uri("/admin/").insert_header(ALICE);
/// assert_eq!(browser.send_as_non_browser(curl).await.status(), 200);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum RequestKind {
    /// A browser opens a page in a tab, or in a frame on a page of this site.
    ///
    /// If there is no login, the response is a challenge, and the browser opens its dialog.
    Navigation,
    /// Any other request of a browser: `fetch`, `XMLHttpRequest` (XHR, AJAX), an image, a
    /// stylesheet, an `EventSource`, or a `WebSocket` handshake.
    ///
    /// If there is no login, the response is a 401 that opens no dialog.
    #[doc(alias = "fetch")]
    #[doc(alias = "XHR")]
    #[doc(alias = "AJAX")]
    Subresource,
    /// A request of the text browsers w3m and `ELinks`.
    ///
    /// If there is no login, the response is a challenge, as for a navigation. But w3m answers any challenge
    /// with cached credentials, without asking its user. So a request without credentials does not show that
    /// the browser holds none, and after a logout the old credentials are refused once.
    #[doc(alias = "w3m")]
    #[doc(alias = "ELinks")]
    #[doc(alias = "text browser")]
    SimpleBrowser,
    /// A request of any other client, such as `curl`, a bot, a crawler or a monitoring system.
    ///
    /// Without a session, the client gets stateless Basic authentication: its credentials are
    /// checked on each request, and it gets no session and no cookie.
    #[doc(alias = "bot")]
    #[doc(alias = "crawler")]
    #[doc(alias = "curl")]
    NonBrowser,
}

/// How the names of simple browsers begin. Lynx, Links, Dillo and `NetSurf` are none: they ignore the cookie of a
/// challenge, or send credentials that were refused again without asking, so a logout would not hold.
const SIMPLE_BROWSERS: &[&str] = &["w3m/", "ELinks/"];

impl RequestKind {
    /// Derives the kind of a request from its method and headers.
    ///
    /// The [guide about clients](crate::guide::clients) has the rule as a table, with the risk of each row.
    /// In short, a request with a [`Sec-Fetch-Site`](https://www.w3.org/TR/fetch-metadata/) or
    /// `Upgrade-Insecure-Requests` header comes from a browser. Browsers send the former over HTTPS and to
    /// localhost. A request with neither is judged by its method, `User-Agent`, `Origin`, `Accept-Language`,
    /// `Referer`, `Accept`, credentials and session cookie.
    ///
    /// A browser's request with `Sec-Fetch-Site` is a [`Navigation`](Self::Navigation) if `Sec-Fetch-Mode` is
    /// `navigate`, or if it is missing and `Accept` contains `text/html`. A request without `Sec-Fetch-Site` is
    /// one if it has `Upgrade-Insecure-Requests`. All other requests of a browser are
    /// [`Subresource`](Self::Subresource)s. So are a prefetch (`Sec-Purpose: prefetch`) and, with
    /// `Sec-Fetch-Site`, the page of a frame that another site's page contains.
    ///
    /// w3m and `ELinks` are recognized by their `User-Agent`. They are a
    /// [`SimpleBrowser`](Self::SimpleBrowser), unless they send credentials without the session cookie.
    ///
    /// This function assumes that the session cookie has its default name, `id`. A realm knows
    /// [its own](crate::BasicLoginBuilder::session_cookie).
    ///
    /// ```
    /// use actix_basic_logout::RequestKind;
    /// use actix_web::test::TestRequest;
    ///
    /// let curl = TestRequest::get().insert_header(("User-Agent", "curl/8.14.1")).to_http_request();
    /// assert_eq!(RequestKind::of(&curl), RequestKind::NonBrowser);
    ///
    /// let monitor = TestRequest::get()
    ///     .insert_header(("User-Agent", "Mozilla/5.0+(compatible; UptimeRobot/2.0)"))
    ///     .to_http_request();
    /// assert_eq!(RequestKind::of(&monitor), RequestKind::NonBrowser);
    ///
    /// let page = TestRequest::get()
    ///     .insert_header(("User-Agent", "Mozilla/5.0 (X11; Linux x86_64)"))
    ///     .insert_header(("Upgrade-Insecure-Requests", "1"))
    ///     .to_http_request();
    /// assert_eq!(RequestKind::of(&page), RequestKind::Navigation);
    ///
    /// let fetch = TestRequest::get()
    ///     .insert_header(("Sec-Fetch-Site", "same-origin"))
    ///     .insert_header(("Sec-Fetch-Mode", "cors"))
    ///     .to_http_request();
    /// assert_eq!(RequestKind::of(&fetch), RequestKind::Subresource);
    /// ```
    #[must_use]
    pub fn of(req: &HttpRequest) -> Self {
        Self::with_session_cookie(req, DEFAULT_SESSION_COOKIE)
    }

    /// As [`of`](Self::of), if the session cookie has this name.
    pub(crate) fn with_session_cookie(req: &HttpRequest, session_cookie: &str) -> Self {
        let headers = req.headers();
        if headers.contains_key(&SEC_FETCH_SITE) {
            return Self::by_fetch_metadata(headers);
        }
        if is_method_of_programs(req) {
            return Self::NonBrowser;
        }
        if has_name(headers, SIMPLE_BROWSERS) {
            let is_stateless =
                headers.contains_key(header::AUTHORIZATION) && !has_cookie(req, session_cookie);
            return if is_stateless { Self::NonBrowser } else { Self::SimpleBrowser };
        }
        if headers.contains_key(header::UPGRADE_INSECURE_REQUESTS) {
            let is_prefetch = has_prefetch_purpose(headers);
            return if is_prefetch { Self::Subresource } else { Self::Navigation };
        }
        let is_handshake = headers.contains_key(header::SEC_WEBSOCKET_KEY);
        if is_handshake && headers.contains_key(header::ORIGIN) && has_cookie(req, session_cookie) {
            return Self::Subresource;
        }
        if !has_name(headers, &["Mozilla/"]) {
            return Self::NonBrowser;
        }
        // A handshake of a WebSocket, or a request of a script. Some may come from another site.
        if headers.contains_key(header::ORIGIN) {
            return Self::Subresource;
        }
        if !headers.contains_key(header::ACCEPT_LANGUAGE) {
            return Self::NonBrowser;
        }
        // This is a subresource over plain HTTP, or a program that imitates a browser.
        let is_of_a_page = has_cookie(req, session_cookie) || is_referred_by_another_host(req);
        let imitates = headers.contains_key(header::AUTHORIZATION) || accepts_html(headers);
        if imitates && !is_of_a_page { Self::NonBrowser } else { Self::Subresource }
    }

    fn by_fetch_metadata(headers: &HeaderMap) -> Self {
        if has_prefetch_purpose(headers) {
            return Self::Subresource;
        }
        let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
        let navigates = match text(&SEC_FETCH_MODE) {
            Some(mode) => mode == "navigate" && !is_cross_site_frame(headers),
            None => accepts_html(headers),
        };
        if navigates { Self::Navigation } else { Self::Subresource }
    }
}

/// The name of the session cookie in actix-session, unless the application sets another one.
pub(crate) const DEFAULT_SESSION_COOKIE: &str = "id";

/// How much of an `Accept` header is searched. A client can send 128 KiB.
const MAX_ACCEPT: usize = 1024;

fn accepts_html(headers: &HeaderMap) -> bool {
    let accept = headers.get(header::ACCEPT).map_or(&[][..], HeaderValue::as_bytes);
    accept.windows(9).take(MAX_ACCEPT).any(|it| it == b"text/html")
}

/// Whether the `User-Agent` begins with one of these. Compared as bytes, because the rest need not be ASCII.
fn has_name(headers: &HeaderMap, names: &[&str]) -> bool {
    let agent = headers.get(header::USER_AGENT).map(HeaderValue::as_bytes);
    agent.is_some_and(|agent| names.iter().any(|it| agent.starts_with(it.as_bytes())))
}

/// Whether no page can send a request with this method, unless a script asks for it: those of `WebDAV`, and
/// `OPTIONS` other than a CORS preflight.
fn is_method_of_programs(req: &HttpRequest) -> bool {
    match *req.method() {
        Method::OPTIONS => !req.headers().contains_key(header::ACCESS_CONTROL_REQUEST_METHOD),
        Method::GET
        | Method::HEAD
        | Method::POST
        | Method::PUT
        | Method::PATCH
        | Method::DELETE => false,
        _ => true,
    }
}

/// Whether the page is for a frame on another site's page. The browser withholds the session cookie
/// there, so a dialog would open again and again, over a page of the other site.
fn is_cross_site_frame(headers: &HeaderMap) -> bool {
    let is = |name, values: &[&str]| {
        headers.get(name).is_some_and(|it| values.iter().any(|value| it == value))
    };
    is(&SEC_FETCH_SITE, &["cross-site"])
        && is(&SEC_FETCH_DEST, &["iframe", "frame", "object", "embed"])
}

/// Whether a browser loads a page that its user has not opened yet.
pub(crate) fn is_prefetch(req: &HttpRequest) -> bool {
    has_prefetch_purpose(req.headers())
}

fn has_prefetch_purpose(headers: &HeaderMap) -> bool {
    let purpose = headers.get(&SEC_PURPOSE).and_then(|value| value.to_str().ok());
    purpose.is_some_and(|purpose| purpose.contains("prefetch"))
}

#[cfg(test)]
mod tests {
    use actix_web::{http::header::HeaderValue, test::TestRequest};

    use super::*;

    const FIREFOX: (&str, &str) =
        ("user-agent", "Mozilla/5.0 (X11; Linux x86_64; rv:153.0) Gecko/20100101 Firefox/153.0");
    const HTML: (&str, &str) = ("accept", "text/html,application/xhtml+xml,*/*;q=0.8");
    const ENGLISH: (&str, &str) = ("accept-language", "en-US,en;q=0.5");
    const UPGRADE: (&str, &str) = ("upgrade-insecure-requests", "1");
    const ANY: (&str, &str) = ("accept", "*/*");

    #[test]
    fn user_agent_may_contain_non_ascii_characters() {
        let agent = HeaderValue::from_bytes("Mozilla/5.0 (Linux) 浏览器/1.0".as_bytes());
        let req = TestRequest::get()
            .insert_header(("user-agent", agent.expect("a value")))
            .insert_header(ENGLISH);
        assert_eq!(RequestKind::of(&req.to_http_request()), RequestKind::Subresource);
    }

    type Row = (&'static str, &'static [(&'static str, &'static str)], RequestKind);

    #[test]
    fn request_kind_is_derived_from_headers() {
        use RequestKind::{Navigation, NonBrowser, Subresource};
        let rows: &[Row] = &[
            ("no headers at all", &[], NonBrowser),
            ("curl", &[("user-agent", "curl/8.14.1"), ANY], NonBrowser),
            ("Prometheus", &[("user-agent", "Prometheus/3.5.0")], NonBrowser),
            (
                "fetch of Node.js, which sends Sec-Fetch-Mode alone",
                &[("user-agent", "node"), ("sec-fetch-mode", "cors"), ANY],
                NonBrowser,
            ),
            (
                "a page on localhost or https",
                &[FIREFOX, HTML, ("sec-fetch-site", "none"), ("sec-fetch-mode", "navigate")],
                Navigation,
            ),
            (
                "a page of a browser with a custom User-Agent",
                &[
                    ("user-agent", "mine"),
                    ("sec-fetch-site", "none"),
                    ("sec-fetch-mode", "navigate"),
                ],
                Navigation,
            ),
            (
                "a frame",
                &[
                    FIREFOX,
                    ("sec-fetch-site", "same-origin"),
                    ("sec-fetch-mode", "navigate"),
                    ("sec-fetch-dest", "iframe"),
                ],
                Navigation,
            ),
            (
                "a frame on another site's page",
                &[
                    FIREFOX,
                    HTML,
                    ("sec-fetch-site", "cross-site"),
                    ("sec-fetch-mode", "navigate"),
                    ("sec-fetch-dest", "iframe"),
                ],
                Subresource,
            ),
            (
                "a link on another site's page",
                &[
                    FIREFOX,
                    HTML,
                    ("sec-fetch-site", "cross-site"),
                    ("sec-fetch-mode", "navigate"),
                    ("sec-fetch-dest", "document"),
                ],
                Navigation,
            ),
            ("a page on plain http", &[FIREFOX, HTML, ENGLISH, UPGRADE], Navigation),
            (
                "a page of a browser with a custom name",
                &[("user-agent", "mine"), UPGRADE],
                Navigation,
            ),
            ("a program that takes pages", &[FIREFOX, HTML, ENGLISH], NonBrowser),
            (
                "a fetch of a page on plain http, in a session",
                &[FIREFOX, HTML, ENGLISH, ("cookie", "id=x")],
                Subresource,
            ),
            ("a program that imitates a browser's name", &[FIREFOX, HTML], NonBrowser),
            (
                "fetch",
                &[FIREFOX, ANY, ("sec-fetch-site", "same-origin"), ("sec-fetch-mode", "cors")],
                Subresource,
            ),
            (
                "fetch that accepts html",
                &[FIREFOX, HTML, ("sec-fetch-site", "same-origin"), ("sec-fetch-mode", "cors")],
                Subresource,
            ),
            (
                "an image on plain http",
                &[FIREFOX, ENGLISH, ("accept", "image/avif,*/*")],
                Subresource,
            ),
            (
                "a WebSocket of Chromium, without Sec-Fetch",
                &[FIREFOX, ENGLISH, ("origin", "http://localhost:8080")],
                Subresource,
            ),
            (
                "a prefetched page on plain http",
                &[FIREFOX, HTML, ENGLISH, UPGRADE, ("sec-purpose", "prefetch")],
                Subresource,
            ),
            (
                "a prefetched page",
                &[
                    FIREFOX,
                    HTML,
                    ("sec-fetch-site", "none"),
                    ("sec-fetch-mode", "navigate"),
                    ("sec-purpose", "prefetch;prerender"),
                ],
                Subresource,
            ),
        ];
        for (name, headers, expected) in rows {
            let mut req = TestRequest::get();
            for header in *headers {
                req = req.append_header(*header);
            }
            assert_eq!(RequestKind::of(&req.to_http_request()), *expected, "{name}");
        }
    }
}
