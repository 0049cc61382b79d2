//! The kinds of real requests: header sets of programs and browsers, as a server saw them.
//!
//! Each line of `captured_clients.jsonl` has the headers of a request, without those that depend on the server,
//! and what sent it.

use actix_basic_logout::{LogoutResponse, RequestKind};
use actix_web::{
    HttpRequest,
    http::{
        Method,
        header::{HeaderName, HeaderValue},
    },
    test::TestRequest,
};
use serde::Deserialize;

use crate::support::{
    browser::{Browser, Engine, Kind, W3M},
    site::{Setup, Site, Store, Wire},
};

#[derive(Deserialize)]
struct Captured {
    expect: String,
    method: String,
    headers: Vec<(String, String)>,
}

/// The clients of which one of these is expected.
fn captured(expected: &[&str]) -> Vec<Captured> {
    let lines = include_str!("captured_clients.jsonl").lines();
    let all = lines.map(|it| serde_json::from_str::<Captured>(it).unwrap());
    all.filter(|it| expected.contains(&&*it.expect)).collect()
}

/// How a request varies beyond what was captured.
#[derive(Clone, Copy, Debug)]
struct Variant {
    /// Over HTTPS and to localhost, browsers send fetch metadata.
    is_https: bool,
    credentials: bool,
    session_cookie: bool,
}

impl Variant {
    fn all() -> impl Iterator<Item = Self> {
        (0..8).map(|bits| Self {
            is_https: bits & 1 != 0,
            credentials: bits & 2 != 0,
            session_cookie: bits & 4 != 0,
        })
    }
}

impl Captured {
    fn has(&self, name: &str) -> bool {
        self.headers.iter().any(|it| it.0.eq_ignore_ascii_case(name))
    }

    fn user_agent(&self) -> &str {
        let value = self.headers.iter().find(|it| it.0.eq_ignore_ascii_case("user-agent"));
        value.map_or("", |it| &it.1)
    }

    fn request(&self, variant: Variant) -> HttpRequest {
        let scheme = if variant.is_https { "https" } else { "http" };
        let mut req = TestRequest::with_uri(&format!("{scheme}://example.org/admin/"))
            .method(Method::from_bytes(self.method.as_bytes()).unwrap());
        for (name, value) in &self.headers {
            let name = HeaderName::from_bytes(name.as_bytes()).unwrap();
            if variant.is_https || !name.as_str().starts_with("sec-fetch") {
                req = req.append_header((name, HeaderValue::from_str(value).unwrap()));
            }
        }
        if variant.credentials {
            req = req.insert_header(("Authorization", "Basic YWxpY2U6eA=="));
        }
        if variant.session_cookie {
            req = req.insert_header(("Cookie", "language=en; id=x"));
        }
        req.to_http_request()
    }

    /// Whether this is a program whose headers are those of a browser's subresource over plain HTTP.
    fn imitates_a_subresource(&self) -> bool {
        self.user_agent().starts_with("Mozilla/") && self.has("accept-language")
    }
}

#[test]
fn captured_programs_are_recognized_unless_they_bring_a_browsers_session() {
    let programs = captured(&["non-browser"]);
    assert!(programs.len() > 60);
    for program in programs {
        for variant in Variant::all() {
            let expected = match variant {
                Variant { session_cookie: true, .. } if program.imitates_a_subresource() => {
                    RequestKind::Subresource
                }
                // It accepts any type, and has not sent its credentials yet.
                Variant { credentials: false, .. }
                    if program.imitates_a_subresource() && !program.accepts_html() =>
                {
                    RequestKind::Subresource
                }
                _ => RequestKind::NonBrowser,
            };
            let kind = RequestKind::of(&program.request(variant));
            assert_eq!(kind, expected, "{} {variant:?}", program.user_agent());
        }
    }
}

#[test]
fn captured_browsers_are_recognized_over_http_and_https() {
    let browsers = captured(&["navigation", "subresource"]);
    assert!(browsers.len() > 8);
    for browser in browsers {
        for variant in Variant::all() {
            let expected = match (&*browser.expect, variant) {
                ("navigation", _) => RequestKind::Navigation,
                // Only the session cookie tells it from a program that imitates a browser.
                (_, Variant { is_https: false, credentials: true, session_cookie: false }) => {
                    RequestKind::NonBrowser
                }
                _ => RequestKind::Subresource,
            };
            let kind = RequestKind::of(&browser.request(variant));
            assert_eq!(kind, expected, "{} {variant:?}", browser.user_agent());
        }
    }
}

/// Lynx, Links, Dillo and `NetSurf` ignore the cookie of a challenge, or send refused credentials again without asking.
#[test]
fn other_captured_text_browsers_are_programs() {
    let browsers = captured(&["text-browser"]);
    assert!(browsers.len() > 4);
    for browser in browsers {
        for variant in Variant::all() {
            let kind = RequestKind::of(&browser.request(variant));
            assert_eq!(kind, RequestKind::NonBrowser, "{} {variant:?}", browser.user_agent());
        }
    }
}

#[test]
fn captured_simple_browsers_are_recognized_unless_they_keep_no_cookie() {
    let browsers = captured(&["simple-browser"]);
    assert!(browsers.len() > 2);
    for browser in browsers {
        for variant in Variant::all() {
            let expected = match variant {
                Variant { credentials: true, session_cookie: false, .. } => RequestKind::NonBrowser,
                _ => RequestKind::SimpleBrowser,
            };
            let kind = RequestKind::of(&browser.request(variant));
            assert_eq!(kind, expected, "{} {variant:?}", browser.user_agent());
        }
    }
}

impl Captured {
    fn accepts(&self, media_type: &str) -> bool {
        let is_accept = |it: &&(String, String)| it.0.eq_ignore_ascii_case("accept");
        self.headers.iter().filter(is_accept).any(|it| it.1.contains(media_type))
    }

    fn accepts_html(&self) -> bool {
        self.accepts("text/html")
    }
}

fn kind_with(headers: &[(&'static str, &'static str)]) -> RequestKind {
    let firefox = TestRequest::with_uri("http://example.org/admin/")
        .insert_header(("User-Agent", "Mozilla/5.0 (X11; Linux x86_64; rv:153.0) Firefox/153.0"))
        .insert_header(("Accept", "*/*"))
        .insert_header(("Accept-Language", "en-US"))
        .insert_header(("Authorization", "Basic YWxpY2U6eA=="));
    let req = headers.iter().fold(firefox, |it, header| it.insert_header(*header));
    RequestKind::of(&req.to_http_request())
}

#[test]
fn page_of_another_host_cannot_make_a_browser_look_like_a_program() {
    // A browser withholds the session cookie from these, and may send the credentials that it holds.
    for header in [
        ("Origin", "http://evil.example"),
        ("Origin", "null"),
        ("Referer", "http://evil.example/"),
        ("Referer", "http://example.org.evil.example/"),
        ("Referer", "http://example.org:8080/"),
        ("Referer", "http://evil.example/?http://example.org/"),
        ("Referer", "\u{e9}"),
    ] {
        assert_eq!(kind_with(&[header]), RequestKind::Subresource, "{header:?}");
    }
    for header in [("Referer", "http://example.org/a"), ("X-Other", "1")] {
        assert_eq!(kind_with(&[header]), RequestKind::NonBrowser, "{header:?}");
    }
}

#[test]
fn handshake_of_a_websocket_is_a_browsers_also_without_the_session_cookie() {
    let handshake = [("Origin", "http://example.org"), ("Sec-WebSocket-Key", "dGhlIHNhbXBsZQ==")];
    assert_eq!(kind_with(&handshake), RequestKind::Subresource);
}

#[test]
fn handshake_with_a_session_is_a_browsers_under_any_name() {
    let handshake = |cookie: &'static str| {
        let req = TestRequest::default()
            .insert_header(("User-Agent", "My App/1.0"))
            .insert_header(("Origin", "http://localhost:8080"))
            .insert_header(("Sec-WebSocket-Key", "dGhlIHNhbXBsZQ=="))
            .insert_header(("Cookie", cookie));
        RequestKind::of(&req.to_http_request())
    };
    assert_eq!(handshake("id=x"), RequestKind::Subresource);
    assert_eq!(handshake("language=en"), RequestKind::NonBrowser);
}

#[test]
fn methods_of_webdav_are_programs_and_a_preflight_is_a_browsers() {
    let kind = |method: &str, header: (&'static str, &'static str)| {
        let req = TestRequest::default()
            .method(Method::from_bytes(method.as_bytes()).unwrap())
            .insert_header(("User-Agent", "Mozilla/5.0"))
            .insert_header(("Accept-Language", "en"))
            .insert_header(header);
        RequestKind::of(&req.to_http_request())
    };
    for method in ["PROPFIND", "MKCOL", "LOCK", "REPORT", "OPTIONS", "TRACE"] {
        assert_eq!(kind(method, ("Accept", "*/*")), RequestKind::NonBrowser, "{method}");
        let by_fetch = kind(method, ("Sec-Fetch-Site", "same-origin"));
        assert_eq!(by_fetch, RequestKind::Subresource, "{method} by a script");
    }
    let preflight = kind("OPTIONS", ("Access-Control-Request-Method", "PUT"));
    assert_eq!(preflight, RequestKind::Subresource);
}

#[actix_web::test]
async fn w3m_asks_its_user_for_credentials_after_each_logout() {
    for response in [
        LogoutResponse::Challenge,
        LogoutResponse::Page,
        LogoutResponse::Redirect("/free".to_owned()),
    ] {
        for store in [Store::Cookie, Store::Memory] {
            for logout in ["/a/logout", "/logout"] {
                let setup = Setup { logout_response: response.clone(), ..Setup::new(store) };
                let site = Site::new(&setup).await;
                let mut browser = Browser::new(Engine::W3m);
                for user in [("alice", "one"), ("bob", "two"), ("bob", "two")] {
                    browser.prompts = 0;
                    assert_eq!(browser.open(&site, "/a/").status, 401);
                    let signed_in = format!("Signed in as {}", user.0);
                    assert_eq!(browser.type_credentials(&site, user).body, signed_in);
                    assert_eq!(browser.open(&site, "/a/x/y").body, signed_in);
                    assert_eq!(browser.prompts, 1, "{response:?} {logout} {user:?}");
                    browser.request(&site, Kind::Page, "POST", logout);
                    if !browser.dialogs.is_empty() {
                        browser.cancel_dialog(&site);
                    }
                }
            }
        }
    }
}

/// With cookies disabled.
#[actix_web::test]
async fn simple_browser_without_cookies_is_served_and_hears_that_nothing_was_logged_out() {
    let site = Site::new(&Setup::new(Store::Memory)).await;
    let w3m = |path: &str, credentials| Wire {
        headers: vec![("user-agent", W3M.to_owned())],
        credentials,
        ..Wire::page(path, None)
    };
    let first = site.answer(&w3m("/a/", None));
    assert_eq!((first.status, first.challenge.is_some()), (401, true));
    let sessions = site.memory.len();
    let alice = Some(("alice", "one"));
    for _ in 0..2 {
        let page = site.answer(&w3m("/a/", alice));
        assert_eq!((page.status, page.set_cookie), (200, None));
        let logout = site.answer(&w3m("/a/logout", alice));
        assert_eq!((logout.status, logout.set_cookie), (200, None));
        assert!(logout.body.contains("Nothing to log out"), "{}", logout.body);
    }
    assert_eq!(site.memory.len(), sessions, "programs leave no session");
}
