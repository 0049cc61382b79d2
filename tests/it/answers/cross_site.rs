//! Responses to requests from other sites (CSRF), and to browsers without cookies.

use actix_basic_logout::LogoutResponse;
use actix_web::http::Method;

use super::*;

/// Whether a request to the logout with these headers ends the login.
async fn logs_out(path: &str, headers: &[(&'static str, &'static str)]) -> bool {
    let site = site(&realm().build().expect("a realm")).await;
    let logged_in = log_in(&site).await;
    // Without Sec-Fetch headers, as on plain HTTP, unless the case adds them.
    let mut req = TestRequest::post()
        .uri(path)
        .insert_header(("User-Agent", FIREFOX))
        .insert_header(("Accept-Language", "en"))
        .insert_header(("Upgrade-Insecure-Requests", "1"))
        .insert_header(HTML);
    for header in headers {
        req = req.insert_header(*header);
    }
    let answer = ask(&site, req.cookie(logged_in.clone()).insert_header(alice())).await;
    if answer.status == StatusCode::FORBIDDEN {
        assert_eq!(answer.challenge(), None);
        assert!(answer.cookies.is_empty());
        assert!(answer.body.contains("To log out, use the button or link on this site"));
        assert_eq!(answer.header("Cache-Control"), Some("no-store"));
    } else {
        assert_eq!(answer.challenge(), Some(CHALLENGE));
    }
    // A logout revokes the login's id, so the old cookie shows whether the logout happened.
    let after = ask(&site, page("/admin/").cookie(logged_in).insert_header(alice())).await;
    assert_eq!(after.status == StatusCode::OK, answer.status == StatusCode::FORBIDDEN);
    after.status != StatusCode::OK
}

#[actix_web::test]
async fn logout_is_refused_for_other_sites() {
    for (name, headers, expected) in [
        ("no header", &[][..], true),
        ("an entered address or a bookmark", &[("Sec-Fetch-Site", "none")], true),
        ("this origin", &[("Sec-Fetch-Site", "same-origin")], true),
        ("this site", &[("Sec-Fetch-Site", "same-site")], true),
        ("another site", &[("Sec-Fetch-Site", "cross-site")], false),
        ("this origin, by Origin", &[("Origin", "http://localhost:8080")], true),
        ("this host, behind a proxy with TLS", &[("Origin", "https://localhost:8080")], true),
        ("another host", &[("Origin", "http://example.org")], false),
        ("another port", &[("Origin", "http://localhost:8081")], false),
        ("a host that ends like this one", &[("Origin", "http://x.localhost:8080")], false),
        ("a host that begins like this one", &[("Origin", "http://localhost:8080.x")], false),
        ("a sandbox, or a redirect from another site", &[("Origin", "null")], false),
        ("an empty origin", &[("Origin", "")], false),
        (
            "another site, with this site's Origin",
            &[("Sec-Fetch-Site", "cross-site"), ("Origin", "http://localhost:8080")],
            false,
        ),
        (
            "this origin, hidden by the page",
            &[("Sec-Fetch-Site", "same-origin"), ("Origin", "null")],
            true,
        ),
    ] {
        assert_eq!(logs_out("/logout", headers).await, expected, "{name}");
        assert_eq!(logs_out("/admin/logout", headers).await, expected, "{name}, inside");
    }
}

#[actix_web::test]
async fn cross_site_fetch_logs_nobody_out() {
    let site = site(&realm().build().expect("a realm")).await;
    let logged_in = log_in(&site).await;
    let foreign = fetch("/logout").insert_header(("Sec-Fetch-Site", "cross-site"));
    let answer = ask(&site, foreign.cookie(logged_in.clone()).insert_header(alice())).await;
    assert_eq!((answer.status, answer.cookies.len()), (StatusCode::FORBIDDEN, 0));
    let after = ask(&site, page("/admin/").cookie(logged_in).insert_header(alice())).await;
    assert_eq!(after.status, StatusCode::OK);
}

/// With `SameSite=Lax`, the browser withholds the session cookie, but sends the credentials.
#[actix_web::test]
async fn cross_site_form_keeps_session_and_credentials() {
    let site = site(&realm().build().expect("a realm")).await;
    for path in ["/admin/", "/admin/logout"] {
        for headers in [("Sec-Fetch-Site", "cross-site"), ("Origin", "https://kittens.example")] {
            for credentials in [None, Some(alice())] {
                let mut req = TestRequest::post().uri(path).insert_header(HTML);
                req = req.insert_header(("User-Agent", FIREFOX)).insert_header(headers);
                if let Some(credentials) = credentials {
                    req = req.insert_header(credentials);
                }
                let answer = ask(&site, req).await;
                assert_eq!((answer.status, answer.challenge()), (StatusCode::FORBIDDEN, None));
                assert!(answer.cookies.is_empty());
                assert!(answer.body.contains("came from another site"), "{}", answer.body);
            }
        }
    }
    // Users follow links from other sites, and non-browser clients have no CSRF.
    let link = page("/admin/").insert_header(("Sec-Fetch-Site", "cross-site"));
    assert_eq!(ask(&site, link.insert_header(alice())).await.challenge(), Some(CHALLENGE));
    let curl = non_browser("/admin/").method(Method::POST).insert_header(("Origin", "null"));
    assert_eq!(ask(&site, curl.insert_header(alice())).await.status, StatusCode::OK);
}

#[actix_web::test]
async fn cross_site_frame_opens_no_dialog() {
    let site = site(&realm().build().expect("a realm")).await;
    let frame = page("/admin/")
        .insert_header(("Sec-Fetch-Site", "cross-site"))
        .insert_header(("Sec-Fetch-Dest", "iframe"));
    let answer = ask(&site, frame).await;
    assert_eq!((answer.challenge(), answer.cookies.len()), (Some(QUIET_CHALLENGE), 0));
}

#[actix_web::test]
async fn browser_without_cookies_gets_a_page_after_two_dialogs() {
    let site = site(&realm().build().expect("a realm")).await;
    assert_eq!(ask(&site, page("/admin/")).await.challenge(), Some(CHALLENGE));
    let typed = || page("/admin/").insert_header(alice());
    assert_eq!(ask(&site, typed()).await.challenge(), Some(CHALLENGE), "may be cached");
    let mut cookie = None;
    for _ in 0..3 {
        let answer = ask(&site, typed()).await;
        assert_eq!((answer.challenge(), answer.cookies.len()), (Some(QUIET_CHALLENGE), 1));
        assert!(answer.body.contains("Your browser does not keep cookies"), "{}", answer.body);
        cookie = Some(answer.session());
    }
    // A browser that keeps cookies is prompted as usual.
    let challenged = ask(&site, page("/admin/")).await.session();
    assert_eq!(ask(&site, typed().cookie(challenged)).await.status, StatusCode::OK);
    // So is one that begins to keep them. Before that, its credentials may be cached.
    let challenged = ask(&site, typed().cookie(cookie.expect("a cookie"))).await;
    assert_eq!(challenged.challenge(), Some(CHALLENGE));
    assert_eq!(ask(&site, typed().cookie(challenged.session())).await.status, StatusCode::OK);
}

#[actix_web::test]
async fn one_clients_missing_cookies_affect_no_other_client() {
    let site = site(&realm().build().expect("a realm")).await;
    let bot = || page("/admin/").insert_header(("User-Agent", "Mozilla/5.0 (bot)"));
    for _ in 0..3 {
        ask(&site, bot().insert_header(alice())).await;
    }
    // A browser that has restarted still holds the same credentials.
    let challenged = ask(&site, page("/admin/").insert_header(alice())).await;
    assert_eq!(challenged.challenge(), Some(CHALLENGE));
    let typed = page("/admin/").cookie(challenged.session()).insert_header(alice());
    assert_eq!(ask(&site, typed).await.status, StatusCode::OK);
}

#[actix_web::test]
async fn cross_site_link_opens_the_page_of_a_logged_in_user() {
    let site = site(&realm().build().expect("a realm")).await;
    let session = log_in(&site).await;
    let link = page("/admin/").insert_header(("Sec-Fetch-Site", "cross-site")).cookie(session);
    let answer = ask(&site, link.insert_header(alice())).await;
    assert_eq!((answer.status, &*answer.body), (StatusCode::OK, "alice"));
}

#[actix_web::test]
async fn cross_site_fetch_opens_no_dialog_and_leaves_no_session() {
    let site = site(&realm().build().expect("a realm")).await;
    let theirs = fetch("/admin/").insert_header(("Sec-Fetch-Site", "cross-site"));
    let answer = ask(&site, theirs.insert_header(alice())).await;
    assert_eq!(
        (answer.status, answer.challenge()),
        (StatusCode::UNAUTHORIZED, Some(QUIET_CHALLENGE))
    );
    assert!(answer.cookies.is_empty());
}

#[actix_web::test]
async fn another_site_cannot_imitate_the_logout_page_script() {
    let login = realm().logout_response(LogoutResponse::Page).build().expect("a realm");
    let site = site(&login).await;
    let session = log_in(&site).await;
    let logout = page("/logout").cookie(session).insert_header(alice());
    let session = ask(&site, logout).await.session();
    let send_script = |from| {
        let script = fetch("/admin/").insert_header(("X-Basic-Logout", "1"));
        ask(&site, script.insert_header(("Sec-Fetch-Site", from)).cookie(session.clone()))
    };
    let answer = send_script("cross-site").await;
    assert_eq!((answer.status, answer.challenge()), (StatusCode::FORBIDDEN, None));
    assert!(answer.cookies.is_empty());
    assert_eq!(send_script("same-origin").await.challenge(), Some(CHALLENGE));
}
