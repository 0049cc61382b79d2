//! Custom responses (`respond_with`): what the application sets, and what the crate enforces.

use std::sync::{Arc, Mutex};

use actix_basic_logout::{LogoutResponse, Notice, Reason, RequestKind};
use actix_web::HttpResponse;

use super::*;

async fn site_with_response(
    respond: impl Fn(&HttpRequest, &Notice<'_>) -> HttpResponse + Send + Sync + 'static,
) -> Site {
    site(&realm().respond_with(respond).build().expect("a realm")).await
}

#[actix_web::test]
async fn application_sets_body_headers_and_status_text() {
    let site = site_with_response(|_, notice| {
        HttpResponse::build(notice.status())
            .reason("Who Are You")
            .content_type("application/x-own")
            .insert_header(("X-Own", "yes"))
            .insert_header(("Vary", "X-Own"))
            .body("a custom text")
    })
    .await;
    for req in [page("/admin/"), fetch("/admin/"), non_browser("/admin/"), page("/logout")] {
        let answer = ask(&site, req).await;
        assert_eq!(answer.status_text, "Who Are You");
        assert_eq!(answer.header("Content-Type"), Some("application/x-own"));
        assert_eq!(answer.header("X-Own"), Some("yes"));
        assert_eq!(answer.body, "a custom text");
        let vary: Vec<_> = answer.headers.get_all("Vary").collect();
        assert_eq!(vary[0], "X-Own");
        assert!(vary[1].to_str().expect("text").contains("Authorization"));
    }
}

#[actix_web::test]
async fn status_challenge_and_cache_control_are_enforced() {
    let site = site_with_response(|_, _| {
        HttpResponse::Ok()
            .append_header(("WWW-Authenticate", "Basic realm=\"elsewhere\""))
            .append_header(("WWW-Authenticate", "Negotiate"))
            .insert_header(("Cache-Control", "public, max-age=600"))
            .body("come in")
    })
    .await;
    let rejected = ask(&site, page("/admin/a").insert_header(alice())).await.session();
    let during_dialog = fetch("/admin/b").cookie(rejected).insert_header(alice());
    let foreign = page("/logout").insert_header(("Sec-Fetch-Site", "cross-site"));
    for (req, status, challenge) in [
        (page("/admin/"), 401, Some(CHALLENGE)),
        (non_browser("/admin/"), 401, Some(CHALLENGE)),
        (page("/logout").insert_header(alice()), 401, Some(CHALLENGE)),
        (fetch("/admin/"), 401, Some(QUIET_CHALLENGE)),
        (during_dialog, 403, None),
        (foreign, 403, None),
    ] {
        let answer = ask(&site, req).await;
        assert_eq!((answer.status.as_u16(), answer.challenge()), (status, challenge));
        assert_eq!(answer.header("Cache-Control"), Some("no-store"));
        assert_eq!(answer.body, "come in");
    }
}

#[actix_web::test]
async fn empty_body_is_replaced_by_the_default() {
    for empty in [
        HttpResponse::Unauthorized as fn() -> actix_web::HttpResponseBuilder,
        HttpResponse::Forbidden,
    ] {
        let finished = move |_: &HttpRequest, _: &Notice<'_>| {
            empty().insert_header(("X-Own", "yes")).content_type("image/png").finish()
        };
        let zero_bytes = move |_: &HttpRequest, _: &Notice<'_>| {
            empty().insert_header(("X-Own", "yes")).content_type("image/png").body("")
        };
        for site in [site_with_response(finished).await, site_with_response(zero_bytes).await] {
            let answer = ask(&site, page("/admin/")).await;
            assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
            assert_eq!(answer.header("Content-Type"), Some("text/html; charset=utf-8"));
            assert!(answer.body.contains("Login required"));
            assert_eq!(answer.header("X-Own"), Some("yes"));
        }
    }
}

#[actix_web::test]
async fn notice_has_reason_kind_and_landing_path() {
    type NoticeFacts = (u16, Reason, RequestKind, String, bool);
    let notices: Arc<Mutex<Vec<NoticeFacts>>> = Arc::default();
    let collected = Arc::clone(&notices);
    let login = realm()
        .logout_response(LogoutResponse::Page)
        .respond_with(move |req, notice| {
            collected.lock().expect("unpoisoned").push((
                notice.status().as_u16(),
                notice.reason(),
                RequestKind::of(req),
                notice.landing_path().to_owned(),
                notice.script().is_some(),
            ));
            HttpResponse::Ok().body("a custom text")
        })
        .build()
        .expect("a realm");
    let site = site(&login).await;
    let logged_in = log_in(&site).await;
    ask(&site, fetch("/admin/")).await;
    ask(&site, non_browser("/admin/").insert_header(basic("alice", "x"))).await;
    let foreign = page("/logout").insert_header(("Sec-Fetch-Site", "cross-site"));
    ask(&site, foreign.cookie(logged_in.clone()).insert_header(alice())).await;
    let out = ask(&site, page("/logout").cookie(logged_in).insert_header(alice())).await;
    ask(&site, page("/admin/").cookie(out.session())).await;
    let landing = "/admin/".to_owned();
    assert_eq!(
        *notices.lock().expect("unpoisoned"),
        [
            (401, Reason::LoginRequired, RequestKind::Navigation, landing.clone(), false),
            (401, Reason::LoginRequired, RequestKind::Subresource, landing.clone(), false),
            (401, Reason::WrongCredentials, RequestKind::NonBrowser, landing.clone(), false),
            (403, Reason::LogoutForbidden, RequestKind::Navigation, landing.clone(), false),
            (200, Reason::LoggedOut, RequestKind::Navigation, landing.clone(), true),
            (401, Reason::LoggedOut, RequestKind::Navigation, landing, false),
        ]
    );
}
