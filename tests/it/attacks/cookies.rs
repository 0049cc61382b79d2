//! Cookies that an attacker plants beside the session cookie.

use actix_basic_logout::BasicLogin;
use actix_session::{SessionMiddleware, storage::CookieSessionStore};
use actix_web::{
    App, HttpRequest,
    cookie::Key,
    http::header::HeaderValue,
    test::{self, TestRequest},
    web,
};
use actix_web_httpauth::extractors::basic::BasicAuth;
use base64::{Engine as _, prelude::BASE64_STANDARD};

use super::*;

/// Sends a request of a browser to a site whose session cookie is `__Host-id`. Returns the status, the
/// cookie that the response sets, and the body.
async fn site() -> impl AsyncFn(&str, &str, &[u8], &str) -> (u16, Vec<u8>, String) {
    let users = async |_: &HttpRequest, _: &BasicAuth| Ok(true);
    let login = BasicLogin::builder("Admin area", users)
        .session_cookie("__Host-id")
        .allow_session_only(|req| req.path() == "/a/socket")
        .build()
        .unwrap();
    let sessions = SessionMiddleware::builder(CookieSessionStore::default(), Key::from(&[1; 64]))
        .cookie_name("__Host-id".to_owned())
        .build();
    let name = async |user: User| user.id().to_owned();
    let app = App::new()
        .service(web::scope("/a").wrap(login.clone()).default_service(web::to(name)))
        .route("/logout", web::to(login.logout()))
        .wrap(sessions);
    let app = test::init_service(app).await;
    async move |path: &str, mode: &str, cookie: &[u8], user: &str| {
        let mut req = TestRequest::with_uri(path)
            .insert_header(("user-agent", "Mozilla/5.0"))
            .insert_header(("sec-fetch-site", "same-origin"))
            .insert_header(("sec-fetch-mode", mode));
        if !cookie.is_empty() {
            req = req.insert_header(("cookie", HeaderValue::from_bytes(cookie).unwrap()));
        }
        if !user.is_empty() {
            let token = BASE64_STANDARD.encode(format!("{user}:x"));
            req = req.insert_header(("authorization", format!("Basic {token}")));
        }
        let answer = test::call_service(&app, req.to_request()).await;
        let set = answer.response().cookies().next().map(|it| it.encoded().to_string());
        let set = set.map(|it| it.split(';').next().unwrap().as_bytes().to_vec());
        let status = answer.status().as_u16();
        let body = String::from_utf8(test::read_body(answer).await.to_vec()).unwrap();
        (status, set.unwrap_or_default(), body)
    }
}

/// The cookie under another spelling of its name, which browsers accept from a sibling subdomain.
fn forged(cookie: &[u8]) -> Vec<u8> {
    [b"__%48ost-id", cookie.strip_prefix(b"__Host-id").expect("a session cookie")].concat()
}

#[actix_web::test]
async fn host_prefix_excludes_cookies_with_an_encoded_name() {
    let send = site().await;
    let (_, prompted, _) = send("/a/", "navigate", b"", "").await;
    let (status, mallory, _) = send("/a/", "navigate", &prompted, "mallory").await;
    assert_eq!(status, 200);
    // A browser that still holds credentials after a logout gets a planted session.
    for cookie in [forged(&prompted), [&forged(&prompted)[..], b"; ", &mallory].concat()] {
        let (status, set, body) = send("/a/", "navigate", &cookie, "alice").await;
        assert_eq!((status, set.is_empty()), (403, true), "{body}");
        assert!(body.contains("a session cookie that is not of this site"), "{body}");
    }
    // A browser gets the attacker's login.
    assert_eq!(send("/a/socket", "websocket", &mallory, "").await.0, 200);
    assert_eq!(send("/a/socket", "websocket", &forged(&mallory), "").await.0, 403);
    assert_eq!(send("/logout", "navigate", &forged(&mallory), "").await.0, 403);
}

/// Browsers see no prefix in such a name, but the server removes the space.
#[actix_web::test]
async fn host_prefix_excludes_cookies_whose_name_begins_or_ends_with_a_unicode_space() {
    let send = site().await;
    let (_, prompted, _) = send("/a/", "navigate", b"", "").await;
    let (_, mallory, _) = send("/a/", "navigate", &prompted, "mallory").await;
    let value = prompted.strip_prefix(b"__Host-id").expect("a session cookie");
    for space in ["\u{2003}", "\u{a0}", "\u{85}", "\u{3000}", "%20", "\u{2003}%20"] {
        for planted in [
            [space.as_bytes(), &prompted[..]].concat(),
            [b"__Host-id", space.as_bytes(), value].concat(),
            [b"x=1; ", space.as_bytes(), &mallory].concat(),
        ] {
            let (status, set, body) = send("/a/", "navigate", &planted, "alice").await;
            // The server may also read another name, and then no session.
            let is_another_name = status == 401 && !body.contains("mallory");
            assert!(
                (status == 403 && set.is_empty()) || is_another_name,
                "{space:?} {status} {body}"
            );
            if !space.contains('%') {
                assert_eq!(status, 403, "{space:?}");
            }
        }
    }
    let with_spaces = [b"  x=1;  ", &mallory[..]].concat();
    assert_eq!(
        send("/a/", "navigate", &with_spaces, "mallory").await.0,
        200,
        "no space of the name"
    );
}

#[actix_web::test]
async fn unreadable_cookie_does_not_make_a_logout_look_successful() {
    let send = site().await;
    let (_, cookie, _) = send("/a/", "navigate", b"", "").await;
    let (_, cookie, _) = send("/a/", "navigate", &cookie, "alice").await;
    assert_eq!(send("/a/", "navigate", &cookie, "alice").await.0, 200);
    for mode in ["navigate", "cors"] {
        for user in ["", "alice"] {
            let sent = [b"x=\xff; ", &cookie[..]].concat();
            let (status, _, body) = send("/logout", mode, &sent, user).await;
            assert_eq!(status, 403, "{mode} {user}");
            assert!(!body.contains("You are logged out"), "{body}");
        }
    }
    assert_eq!(send("/a/", "navigate", &cookie, "alice").await.0, 200);
}
