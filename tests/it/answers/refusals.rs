//! The headers, formats and texts of refusals.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
};

use actix_basic_logout::{LogoutResponse, session_store_errors};
use actix_web::{HttpResponse, HttpServer, http::Method, middleware::from_fn, rt};
use serde_json::Value;

use super::*;
use crate::support::store::MemoryStore;

/// Refusals of all kinds: to navigations, subresources and non-browser clients, by the middleware and
/// by the logout.
async fn every_refusal(site: &Site) -> Vec<(&'static str, Answer)> {
    let logged_in = log_in(site).await;
    let bob = basic("bob", "builder");
    let rejected = ask(site, page("/admin/a").insert_header(bob)).await.session();
    let wrong = basic("alice", "looking-glass");
    let requests = [
        ("a page", page("/admin/")),
        ("a page with credentials and no login", page("/admin/").insert_header(alice())),
        ("a page with credentials and without cookies", page("/admin/").insert_header(alice())),
        (
            "a cross-site form",
            page("/admin/").method(Method::POST).insert_header(("Sec-Fetch-Site", "cross-site")),
        ),
        (
            "a page with a malformed header",
            page("/admin/").insert_header(("Authorization", "Basic ?")),
        ),
        ("a fetch", fetch("/admin/api")),
        ("a fetch with credentials and no login", fetch("/admin/api").insert_header(alice())),
        ("a non-browser client", non_browser("/admin/")),
        (
            "a non-browser client with a wrong password",
            non_browser("/admin/").insert_header(wrong.clone()),
        ),
        (
            "a non-browser client with a malformed header",
            non_browser("/admin/").insert_header(("Authorization", "Bearer x")),
        ),
        (
            "a login with a wrong password",
            page("/admin/").cookie(logged_in.clone()).insert_header(wrong),
        ),
        ("a login without credentials", page("/admin/").cookie(logged_in.clone())),
        ("a login, fetch without credentials", fetch("/admin/api").cookie(logged_in.clone())),
        ("logout", page("/logout").cookie(logged_in.clone()).insert_header(alice())),
        (
            "logout inside the realm",
            page("/admin/logout").cookie(logged_in.clone()).insert_header(alice()),
        ),
        ("logout without credentials", page("/logout").cookie(logged_in)),
        (
            "a fetch while a dialog is open",
            fetch("/admin/b").cookie(rejected).insert_header(alice()),
        ),
    ];
    let mut answers = Vec::new();
    for (name, req) in requests {
        answers.push((name, ask(site, req).await));
    }
    answers
}

#[actix_web::test]
async fn refusal_has_one_challenge_a_body_and_no_store() {
    let site = site(&realm().build().expect("a realm")).await;
    for (name, answer) in Box::pin(every_refusal(&site)).await {
        let (status, challenge) = match name {
            "a fetch while a dialog is open" | "a cross-site form" => (StatusCode::FORBIDDEN, None),
            "a page with credentials and without cookies"
            | "a fetch"
            | "a fetch with credentials and no login"
            | "a login, fetch without credentials" => {
                (StatusCode::UNAUTHORIZED, Some(QUIET_CHALLENGE))
            }
            _ => (StatusCode::UNAUTHORIZED, Some(CHALLENGE)),
        };
        assert_eq!((answer.status, answer.challenge()), (status, challenge), "{name}");
        assert!(!answer.body.trim().is_empty(), "{name}");
        assert_eq!(answer.header("Cache-Control"), Some("no-store"), "{name}");
        let vary = answer.header("Vary").expect("Vary");
        for header in ["Accept", "Authorization", "Cookie", "Sec-Fetch-Mode", "User-Agent"] {
            assert!(vary.split(", ").any(|it| it == header), "{name}: {header}");
        }
    }
}

#[actix_web::test]
async fn quiet_refusal_uses_an_unknown_scheme() {
    let site = site(&realm().build().expect("a realm")).await;
    let answer = ask(&site, fetch("/admin/")).await;
    let scheme = answer.challenge().and_then(|it| it.split(' ').next()).expect("a scheme");
    // The schemes that Chromium, Firefox and WebKit know. RFC 9110 compares them without case.
    for known in ["Basic", "Digest", "NTLM", "Negotiate", "Bearer"] {
        assert!(!scheme.eq_ignore_ascii_case(known));
    }
}

#[actix_web::test]
async fn realm_is_escaped_and_charset_is_utf_8() {
    for (realm, challenge) in [
        (r#"say "hi""#, r#"Basic realm="say \"hi\"", charset="UTF-8""#),
        (r"back\slash", r#"Basic realm="back\\slash", charset="UTF-8""#),
        (r#"end\""#, r#"Basic realm="end\\\"", charset="UTF-8""#),
        ("Büro", r#"Basic realm="Büro", charset="UTF-8""#),
    ] {
        let login = BasicLogin::builder(realm, is_alice).build().expect("a realm");
        let site = site(&login).await;
        for req in [page("/admin/"), non_browser("/admin/"), page("/logout").insert_header(alice())]
        {
            let answer = ask(&site, req).await;
            let value = answer.headers.get("WWW-Authenticate").expect("a challenge");
            assert_eq!(value.as_bytes(), challenge.as_bytes());
        }
        let quiet = ask(&site, fetch("/admin/")).await;
        let value = quiet.headers.get("WWW-Authenticate").expect("a challenge");
        assert_eq!(value.as_bytes(), format!("x{challenge}").as_bytes());
    }
}

#[actix_web::test]
async fn refusal_has_the_accepted_format() {
    const HTML: &str = "text/html; charset=utf-8";
    const JSON: &str = "application/problem+json";
    const TEXT: &str = "text/plain; charset=utf-8";
    let site = site(&realm().build().expect("a realm")).await;
    let json_of = |length: usize| format!("application/json, {}", "x/x,".repeat(length / 4));
    let (longest, too_long) = (json_of(1000), json_of(1024));
    for (accept, for_page, for_non_browser) in [
        ("", HTML, TEXT),
        ("*/*", HTML, TEXT),
        ("image/png", HTML, TEXT),
        ("text/html", HTML, HTML),
        ("text/html,application/xhtml+xml,*/*;q=0.8", HTML, HTML),
        ("application/json", JSON, JSON),
        ("application/problem+json", JSON, JSON),
        ("application/json, text/plain, */*", JSON, JSON),
        ("text/plain", TEXT, TEXT),
        ("text/html;q=0.1, application/json", JSON, JSON),
        ("application/json;q=0.5, text/plain;q=0.9", TEXT, TEXT),
        ("application/json;q=0.5, text/html;q=0.6, text/plain;q=0.4", HTML, HTML),
        ("text/html;q=0, application/json;q=0.1", JSON, JSON),
        ("text/html;q=0, text/plain;q=0.1", TEXT, TEXT),
        ("application/json;q=0, */*", HTML, TEXT),
        ("application/json;q=0", HTML, TEXT),
        ("not an Accept", HTML, TEXT),
        (&longest, JSON, JSON),
        (&too_long, HTML, TEXT),
    ] {
        for (client, expected) in
            [(page("/admin/"), for_page), (non_browser("/admin/"), for_non_browser)]
        {
            let answer = ask(&site, client.insert_header(("Accept", accept))).await;
            assert_eq!(answer.header("Content-Type"), Some(expected), "{accept:?}");
            match expected {
                HTML => assert!(answer.body.starts_with("<!DOCTYPE html>"), "{accept:?}"),
                JSON => assert_eq!(problem(&answer)["title"], "Login required"),
                _ => assert!(answer.body.starts_with("Login required. "), "{accept:?}"),
            }
        }
    }
}

fn problem(answer: &Answer) -> Value {
    serde_json::from_str(&answer.body).expect("JSON")
}

#[actix_web::test]
async fn refusal_is_valid_problem_json() {
    let login = realm().logout_response(LogoutResponse::Challenge).build().expect("a realm");
    let site = site(&login).await;
    let json = ("Accept", "application/json");
    let rejected = ask(&site, page("/admin/a").insert_header(alice())).await.session();
    for (req, status) in [
        (page("/admin/"), 401),
        (page("/admin/").insert_header(alice()), 401),
        (non_browser("/admin/").insert_header(basic("alice", "\"\\")), 401),
        (fetch("/admin/"), 401),
        (fetch("/admin/b").cookie(rejected).insert_header(alice()), 403),
        (page("/logout").insert_header(("Sec-Fetch-Site", "cross-site")), 403),
        (page("/logout").insert_header(alice()), 401),
        (page("/logout"), 200),
    ] {
        let answer = ask(&site, req.insert_header(json)).await;
        assert_eq!(answer.status.as_u16(), status);
        assert_eq!(answer.header("Content-Type"), Some("application/problem+json"));
        let problem = problem(&answer);
        assert_eq!(problem["status"], status);
        for member in ["title", "detail"] {
            assert!(problem[member].as_str().is_some_and(|it| !it.is_empty()), "{member}");
        }
    }
}

#[actix_web::test]
async fn refusal_states_its_reason() {
    let (is_user, clock) = (Arc::new(AtomicBool::new(true)), Arc::new(AtomicU64::new(0)));
    let is_known = Arc::clone(&is_user);
    let users = async move |req: &HttpRequest, credentials: &BasicAuth| {
        Ok(is_known.load(Relaxed) && is_alice(req, credentials).await?)
    };
    let seconds = Arc::clone(&clock);
    let login = BasicLogin::builder("Admin area", users)
        .clock(move || noon() + Duration::from_secs(seconds.load(Relaxed)))
        .reverify_after(Duration::from_secs(60))
        .build()
        .expect("a realm");
    let site = site(&login).await;
    let assert_title = async |req: TestRequest, title: &str| {
        let answer = ask(&site, req).await;
        assert!(answer.body.contains(&format!("<h1>{title}</h1>")), "{title}: {}", answer.body);
        answer
    };

    let answer = assert_title(page("/admin/"), "Login required").await;
    let wrong = basic("alice", "looking-glass");
    let typed = page("/admin/").cookie(answer.session());
    assert_title(typed.insert_header(wrong.clone()), "Wrong user name or password").await;

    let logged_in = log_in(&site).await;
    let answer = assert_title(
        page("/logout").cookie(logged_in).insert_header(alice()),
        "You are logged out",
    )
    .await;
    // After Cancel, Chromium repeats the request without credentials, and shows this answer.
    assert_title(page("/admin/").cookie(answer.session()), "You are logged out").await;

    let logged_in = log_in(&site).await;
    is_user.store(false, Relaxed);
    clock.store(60, Relaxed);
    let sent = page("/admin/").cookie(logged_in).insert_header(alice());
    let answer = assert_title(sent, "Your login has ended").await;
    assert_eq!(answer.challenge(), Some(CHALLENGE));
    assert_title(page("/admin/").cookie(answer.session()), "Your login has ended").await;
}

#[actix_web::test]
async fn landing_path_is_escaped_in_the_link() {
    let login = realm().landing_path(r#"/?a="><script>&b='x'"#).build().expect("a realm");
    let site = site(&login).await;
    for req in [page("/admin/"), page("/logout"), page("/logout").insert_header(alice())] {
        let body = ask(&site, req).await.body;
        assert!(body.contains(r#"<a href="/?a=&quot;&gt;&lt;script&gt;&amp;b='x'">"#), "{body}");
        assert!(!body.contains("<script"));
    }
}

#[actix_web::test]
async fn page_explains_reloading_only_if_a_dialog_may_open() {
    let site = site(&realm().build().expect("a realm")).await;
    let hint = "reload the page";
    assert!(ask(&site, page("/admin/")).await.body.contains(hint));
    assert!(ask(&site, page("/logout").insert_header(alice())).await.body.contains(hint));
    let foreign = page("/logout").insert_header(("Sec-Fetch-Site", "cross-site"));
    assert!(!ask(&site, foreign).await.body.contains(hint));
}

#[actix_web::test]
async fn logout_responses_are_never_stored() {
    for (answer, status) in [
        (LogoutResponse::Challenge, 401),
        (LogoutResponse::Page, 200),
        (LogoutResponse::Redirect("/".to_owned()), 303),
    ] {
        let site = site(&realm().logout_response(answer).build().expect("a realm")).await;
        let logged_in = log_in(&site).await;
        let request = page("/logout").cookie(logged_in.clone()).insert_header(alice());
        let answer = ask(&site, request).await;
        assert_eq!(answer.status.as_u16(), status);
        assert_eq!(answer.header("Cache-Control"), Some("no-store"));
        assert_eq!(answer.header("Location"), (status == 303).then_some("/"));

        let answer = ask(&site, fetch("/logout").cookie(logged_in).insert_header(alice())).await;
        assert_eq!((answer.status, &*answer.body), (StatusCode::NO_CONTENT, ""));
        assert_eq!(answer.header("Cache-Control"), Some("no-store"));
        assert_eq!(answer.challenge(), None);
    }
}

#[actix_web::test]
async fn protected_responses_are_no_store_by_default() {
    let login = realm().build().expect("a realm");
    let own = async || HttpResponse::Ok().insert_header(("Cache-Control", "private")).body("own");
    let failing = async || Err::<&str, _>(actix_web::error::ErrorNotFound("none"));
    let admin = web::scope("/admin")
        .wrap(login.clone())
        .route("/own", web::get().to(own))
        .route("/failing", web::get().to(failing))
        .default_service(web::to(async || "plain"));
    let open = web::resource("/open").to(async || "open");
    let site = start(App::new().service(admin).service(open).wrap(session())).await;
    for (path, cache_control) in [
        ("/admin/plain", Some("no-store")),
        ("/admin/failing", Some("no-store")),
        ("/admin/own", Some("private")),
        ("/open", None),
    ] {
        let answer = ask(&site, non_browser(path).insert_header(alice())).await;
        assert_eq!(answer.header("Cache-Control"), cache_control, "{path}");
    }
}

#[actix_web::test]
async fn unavailable_session_store_gives_503_without_a_challenge() {
    let store = MemoryStore::default();
    let login = realm().build().expect("a realm");
    let admin = web::scope("/admin").wrap(login).default_service(web::to(async || "plain"));
    let app = App::new()
        .service(admin)
        .wrap(SessionMiddleware::new(store.clone(), Key::from(&[7; 64])))
        .wrap(from_fn(session_store_errors))
        .wrap(from_fn(answer_errors));
    let site = start(app).await;
    let challenged = ask(&site, page("/admin/")).await;
    assert_eq!(challenged.challenge(), Some(CHALLENGE), "the store works");

    store.set_broken(true);
    for (req, format) in [
        (page("/admin/"), "text/html; charset=utf-8"),
        (fetch("/admin/"), "text/plain; charset=utf-8"),
        (non_browser("/admin/"), "text/plain; charset=utf-8"),
    ] {
        let answer = ask(&site, req.cookie(challenged.session()).insert_header(alice())).await;
        assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE, "{format}");
        assert_eq!(answer.challenge(), None, "{format}");
        assert_eq!(answer.header("Retry-After"), Some("5"), "{format}");
        assert_eq!(answer.header("Cache-Control"), Some("no-store"), "{format}");
        assert_eq!(answer.header("Content-Type"), Some(format));
        assert!(answer.body.contains("Temporarily unavailable"), "{}", answer.body);
    }
}

#[actix_web::test]
async fn logout_page_script_repeats_the_method_of_the_logout() {
    let login = realm().logout_response(LogoutResponse::Page).build().expect("a realm");
    let site = site(&login).await;
    for (method, shown) in [(Method::GET, "GET"), (Method::POST, "POST"), (Method::PUT, "GET")] {
        let logged_in = log_in(&site).await;
        let out = page("/logout").method(method).cookie(logged_in).insert_header(alice());
        let body = ask(&site, out).await.body;
        assert!(body.contains(&format!("<script data-method=\"{shown}\"")), "{body}");
    }
}

#[actix_web::test]
async fn logout_page_of_another_realm_replaces_no_credentials() {
    let of_page = |builder: BasicLoginBuilder| {
        builder.logout_response(LogoutResponse::Page).build().expect("a realm")
    };
    let login = of_page(realm());
    let other = of_page(BasicLogin::builder("Back office", is_alice));
    let other_page = ask(&site(&other).await, page("/logout").insert_header(alice())).await;
    let site = site(&login).await;
    let logout = page("/logout").cookie(log_in(&site).await).insert_header(alice());
    let own_page = ask(&site, logout).await;
    let session = own_page.session();
    let run_script = |page: &Answer| {
        let password = page.reserved_password().expect("a script");
        let script = fetch("/admin/").insert_header(("X-Basic-Logout", "1"));
        ask(&site, script.insert_header(basic("logged-out", password)).cookie(session.clone()))
    };
    let refused = run_script(&other_page).await;
    assert_eq!((refused.status, refused.challenge()), (StatusCode::UNAUTHORIZED, Some(CHALLENGE)));
    assert_eq!(run_script(&own_page).await.status, StatusCode::NO_CONTENT);
}

/// The head and the body of a response, without the headers that differ each time.
fn over_a_socket(address: SocketAddr, method: &str, headers: &str) -> (Vec<String>, String) {
    let mut stream = TcpStream::connect(address).expect("a connection");
    let request = format!(
        "{method} /admin/ HTTP/1.1\r\nHost: {address}\r\n{headers}Connection: close\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).expect("sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    let (head, body) = answer.split_once("\r\n\r\n").expect("a head");
    let changes = |line: &str| line.starts_with("date:") || line.starts_with("set-cookie:");
    let mut head: Vec<_> =
        head.lines().map(str::to_lowercase).filter(|line| !changes(line)).collect();
    head.sort();
    (head, body.to_owned())
}

#[actix_web::test]
async fn head_response_is_the_get_response_without_body() {
    let login = realm().build().expect("a realm");
    let server = HttpServer::new(move || {
        App::new()
            .service(
                web::scope("/admin").wrap(login.clone()).default_service(web::to(|| async { "" })),
            )
            .wrap(session())
    })
    .workers(1)
    .disable_signals()
    .bind(("127.0.0.1", 0))
    .expect("a port");
    let address = server.addrs()[0];
    let server = server.run();
    let handle = server.handle();
    let running = rt::spawn(server);

    for headers in [
        "",
        "User-Agent: Mozilla/5.0\r\nAccept: text/html\r\nSec-Fetch-Mode: navigate\r\n",
        "User-Agent: Mozilla/5.0\r\nSec-Fetch-Mode: cors\r\n",
    ] {
        let ask = move |method| web::block(move || over_a_socket(address, method, headers));
        let (head_of_get, body_of_get) = ask("GET").await.expect("GET");
        let (head, body) = ask("HEAD").await.expect("HEAD");
        assert_eq!(head, head_of_get);
        assert!(head.contains(&format!("content-length: {}", body_of_get.len())), "{head:?}");
        assert!(!body_of_get.is_empty());
        assert_eq!(body, "");
    }
    handle.stop(false).await;
    running.await.expect("the server's task ends").expect("without an error");
}
