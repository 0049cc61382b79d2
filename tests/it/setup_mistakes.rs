//! Mistakes in the set-up are logged once, with the cause and the fix.

use std::future::Future;

use actix_basic_logout::BasicLogin;
use actix_session::{SessionMiddleware, storage::CookieSessionStore};
use actix_web::{
    App, Error, HttpRequest, HttpResponse,
    body::{MessageBody, to_bytes},
    cookie::{Cookie, Key},
    dev::{Service, ServiceResponse},
    test::{self, TestRequest},
    web,
};
use actix_web_httpauth::extractors::basic::BasicAuth;

use crate::support::log::Log;

const LOST: &str = "the session was not saved";
const NO_COOKIE: &str = "without the session cookie";
const TWO_COOKIES: &str = "a request has two session cookies";
const OTHER_NAME: &str = "not the configured session cookie";

fn login() -> BasicLogin {
    let anybody = async |_: &HttpRequest, _: &BasicAuth| Ok::<_, Error>(true);
    BasicLogin::builder("Admin area", anybody).build().unwrap()
}

fn session() -> SessionMiddleware<CookieSessionStore> {
    SessionMiddleware::new(CookieSessionStore::default(), Key::from(&[1; 64]))
}

fn page() -> TestRequest {
    TestRequest::with_uri("/admin/")
        .insert_header(("User-Agent", "Mozilla/5.0"))
        .insert_header(("Accept", "text/html"))
        .insert_header(("Accept-Language", "en"))
        .insert_header(("Upgrade-Insecure-Requests", "1"))
}

fn page_with(header: (&str, &str)) -> TestRequest {
    page().insert_header(header)
}

fn with_credentials(req: TestRequest) -> TestRequest {
    req.insert_header(("Authorization", "Basic YWxpY2U6eA=="))
}

/// Sends a response as a server does: drops the request, then sends the body.
async fn send<B: MessageBody>(response: Result<ServiceResponse<B>, Error>) -> String {
    let body = response.unwrap().into_body();
    let Ok(bytes) = to_bytes(body).await else { panic!("no body") };
    String::from_utf8(bytes.to_vec()).unwrap()
}

#[actix_web::test]
async fn two_session_cookies_are_logged_once() {
    let (log, _guard) = Log::capture();
    let page = || web::to(HttpResponse::Ok);
    let app = App::new().service(web::scope("/admin").wrap(login()).default_service(page()));
    let app = test::init_service(app.wrap(session())).await;
    let twice = |cookies| page_with(("Cookie", cookies));
    send(app.call(twice("id=1; other=2; id=1").to_request()).await).await;
    assert_eq!(log.count(TWO_COOKIES), 0, "{}", log.text());
    for _ in 0..3 {
        send(app.call(twice("id=1; id=2").to_request()).await).await;
    }
    assert_eq!(log.count(TWO_COOKIES), 1, "{}", log.text());
    assert!(log.text().contains("a name that begins with `__Host-`"));
}

#[actix_web::test]
async fn missing_session_middleware_is_logged_once() {
    let (log, _guard) = Log::capture();
    let app = App::new().wrap(login()).default_service(web::to(HttpResponse::Ok));
    let app = test::init_service(app).await;
    for _ in 0..3 {
        send(app.call(page().to_request()).await).await;
    }
    assert_eq!(log.count(LOST), 1, "{}", log.text());
    assert!(log.text().contains("SessionMiddleware is missing, or inside BasicLogin"));
}

#[actix_web::test]
async fn misplaced_session_middleware_is_logged_once() {
    let (log, _guard) = Log::capture();
    let login = login();
    let app = App::new()
        .route("/logout", web::to(login.logout()))
        .default_service(web::to(HttpResponse::Ok))
        .wrap(session())
        .wrap(login);
    let app = test::init_service(app).await;
    for _ in 0..3 {
        send(app.call(with_credentials(page()).to_request()).await).await;
    }
    assert_eq!(log.count(LOST), 1, "{}", log.text());
}

#[actix_web::test]
async fn logout_without_session_middleware_is_logged() {
    let (log, _guard) = Log::capture();
    let app = App::new().route("/admin/", web::to(login().logout()));
    let app = test::init_service(app).await;
    send(app.call(with_credentials(page()).to_request()).await).await;
    assert_eq!(log.count(LOST), 1, "{}", log.text());
}

#[actix_web::test]
async fn correct_order_logs_nothing() {
    let (log, _guard) = Log::capture();
    let app = App::new().wrap(login()).wrap(session()).default_service(web::to(HttpResponse::Ok));
    let app = test::init_service(app).await;
    assert!(!send(app.call(page().to_request()).await).await.is_empty());
    assert_eq!(log.count(LOST), 0, "{}", log.text());
}

#[actix_web::test]
async fn disconnecting_client_logs_no_setup_mistake() {
    let (log, _guard) = Log::capture();
    // A slow middleware between the two: the client disconnects before the session middleware can
    // take the session's entries.
    let app = App::new()
        .wrap(login())
        .wrap_fn(|req, next| {
            let answer = next.call(req);
            async move {
                let answer = answer.await;
                std::future::pending::<()>().await;
                answer
            }
        })
        .wrap(session())
        .default_service(web::to(HttpResponse::Ok));
    let app = test::init_service(app).await;
    let mut call = Box::pin(app.call(page().to_request()));
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    assert!(call.as_mut().poll(&mut context).is_pending());
    drop(call);
    assert_eq!(log.count(LOST), 0, "{}", log.text());
    assert_eq!(log.count("refused"), 1, "the request was refused");
}

#[actix_web::test]
async fn middleware_that_reads_bodies_logs_no_setup_mistake() {
    let (log, _guard) = Log::capture();
    let app = App::new()
        .wrap(login())
        .wrap_fn(|req, next| {
            let answer = next.call(req);
            async move {
                let (req, response) = answer.await?.into_parts();
                let (response, body) = response.into_parts();
                let Ok(bytes) = to_bytes(body).await else { panic!("no body") };
                Ok(ServiceResponse::new(req, response.set_body(bytes)))
            }
        })
        .wrap(session())
        .default_service(web::to(HttpResponse::Ok));
    let app = test::init_service(app).await;
    assert!(!send(app.call(page().to_request()).await).await.is_empty());
    assert_eq!(log.count(LOST), 0, "{}", log.text());
}

#[actix_web::test]
async fn cookies_that_never_return_are_logged_once() {
    let (log, _guard) = Log::capture();
    let app = App::new().wrap(login()).wrap(session()).default_service(web::to(HttpResponse::Ok));
    let app = test::init_service(app).await;
    for round in 1..=5 {
        send(app.call(page().to_request()).await).await;
        send(app.call(with_credentials(page()).to_request()).await).await;
        assert_eq!(log.count(NO_COOKIE), usize::from(round >= 3), "{}", log.text());
    }
    assert!(log.text().contains("cookie_secure(false)"), "the message names the fix");
}

#[actix_web::test]
async fn program_that_looks_like_a_browser_is_logged_once_with_its_name_and_the_fix() {
    const REFUSED: &str = "a client with credentials was refused because it looks like a browser";
    let fetch = || {
        TestRequest::with_uri("/admin/api")
            .insert_header(("Accept", "application/json"))
            .insert_header(("Sec-Fetch-Site", "same-origin"))
            .insert_header(("Sec-Fetch-Mode", "cors"))
    };
    for request in [page, fetch as fn() -> TestRequest] {
        let (log, _guard) = Log::capture();
        let app =
            App::new().wrap(login()).wrap(session()).default_service(web::to(HttpResponse::Ok));
        let app = test::init_service(app).await;
        for round in 0..5 {
            let bot = request().insert_header(("User-Agent", "Mozilla/5.0 (bot)\u{e9}"));
            send(app.call(with_credentials(bot).to_request()).await).await;
            assert_eq!(log.count(REFUSED), usize::from(round >= 1), "{}", log.text());
        }
        for part in ["WARN", "Mozilla/5.0 (bot)", "let `classify_with` return"] {
            assert!(log.text().contains(part), "{}", log.text());
        }
    }
}

#[actix_web::test]
async fn refusal_says_that_a_program_looks_like_a_browser_unless_it_accepts_html() {
    const HINT: &str = "The headers of this client are those of a browser.";
    let app = App::new().wrap(login()).wrap(session()).default_service(web::to(HttpResponse::Ok));
    let app = test::init_service(app).await;
    for (accept, is_told) in [("*/*", true), ("application/json", true), ("text/html", false)] {
        let bot = TestRequest::with_uri("/admin/")
            .insert_header(("User-Agent", "Mozilla/5.0"))
            .insert_header(("Accept", accept))
            .insert_header(("Origin", "http://localhost:8080"));
        let body = send(app.call(with_credentials(bot).to_request()).await).await;
        assert_eq!(body.contains(HINT), is_told, "{accept}: {body}");
    }
    // Browsers send fetch metadata, and programs that look like none are let in.
    for (name, value) in [("Sec-Fetch-Site", "same-origin"), ("User-Agent", "curl/8.14.1")] {
        let req = TestRequest::with_uri("/admin/").insert_header((name, value));
        let body = send(app.call(req.to_request()).await).await;
        assert!(!body.contains(HINT), "{name}");
    }
}

#[actix_web::test]
async fn occasionally_returned_cookie_logs_no_setup_mistake() {
    let (log, _guard) = Log::capture();
    let app = App::new().wrap(login()).wrap(session()).default_service(web::to(HttpResponse::Ok));
    let app = test::init_service(app).await;
    for _ in 0..5 {
        let first = app.call(page().to_request()).await.unwrap();
        let cookie = first.response().cookies().next().map(Cookie::into_owned).unwrap();
        for _ in 0..2 {
            send(app.call(with_credentials(page()).to_request()).await).await;
        }
        send(app.call(page().cookie(cookie).to_request()).await).await;
    }
    assert_eq!(log.count(NO_COOKIE), 0, "{}", log.text());
}

#[actix_web::test]
async fn renamed_session_cookie_is_logged_once() {
    let (log, _guard) = Log::capture();
    let session = SessionMiddleware::builder(CookieSessionStore::default(), Key::from(&[1; 64]))
        .cookie_name("sid".to_owned())
        .build();
    let app = App::new().wrap(login()).wrap(session).default_service(web::to(HttpResponse::Ok));
    let app = test::init_service(app).await;
    let first = app.call(page().to_request()).await.unwrap();
    let cookie = first.response().cookies().next().map(Cookie::into_owned).unwrap();
    for _ in 0..3 {
        send(app.call(page().cookie(cookie.clone()).to_request()).await).await;
    }
    assert_eq!(log.count(OTHER_NAME), 1, "{}", log.text());
}

#[actix_web::test]
async fn stale_cookie_is_recognized_by_its_configured_name() {
    for (name, is_known) in [("sid", true), ("id", false)] {
        let anybody = async |_: &HttpRequest, _: &BasicAuth| Ok::<_, Error>(true);
        let login =
            BasicLogin::builder("Admin area", anybody).session_cookie(name).build().unwrap();
        let session =
            SessionMiddleware::builder(CookieSessionStore::default(), Key::from(&[1; 64]))
                .cookie_name("sid".to_owned())
                .build();
        let app = App::new().wrap(login).wrap(session).default_service(web::to(HttpResponse::Ok));
        let app = test::init_service(app).await;
        let stale = page().cookie(Cookie::new("sid", "its-session-no-longer-exists"));
        let answer = app.call(stale.to_request()).await.unwrap();
        // LoggedOut: a request without credentials proves nothing, so no state is stored. Fresh: it
        // proves that the browser holds none, so the state is stored.
        let is_stored = answer.response().cookies().next().is_some();
        assert_eq!(is_stored, !is_known, "{name}");
    }
}
