//! When the authenticator or validator is called, and how its result is handled.

use std::sync::{Arc, Mutex};

use actix_web::{
    HttpMessage, HttpResponse,
    error::{ErrorForbidden, ErrorInternalServerError, ErrorServiceUnavailable, ErrorUnauthorized},
};

use super::*;

/// The credentials that an authenticator received.
type Calls = Arc<Mutex<Vec<(String, Option<String>)>>>;

fn record(calls: &Calls, credentials: &BasicAuth) {
    let password = credentials.password().map(str::to_owned);
    calls.lock().expect("unpoisoned").push((credentials.user_id().to_owned(), password));
}

fn take_calls(calls: &Calls) -> Vec<(String, Option<String>)> {
    std::mem::take(&mut calls.lock().expect("unpoisoned"))
}

fn recording(calls: &Calls) -> BasicLoginBuilder {
    let calls = Arc::clone(calls);
    let users = async move |_: &HttpRequest, credentials: &BasicAuth| {
        record(&calls, credentials);
        Ok(true)
    };
    BasicLogin::builder("Admin area", users).landing_path("/admin/").clock(noon)
}

#[actix_web::test]
async fn malformed_header_never_reaches_the_authenticator() {
    let calls = Calls::default();
    let site = site(&recording(&calls).build().expect("a realm")).await;
    let in_dialog = ask(&site, page("/admin/")).await.session();
    for value in [
        "",
        "Basic",
        "Basic ",
        "Basic %%%",
        "Basic bm8gY29sb24=",
        "Basic bGF0aW4xOuk=",
        "Basic YTpiCg==",
        "Bearer YWxpY2U6d29uZGVybGFuZA==",
        "Digest username=\"alice\"",
        "YWxpY2U6d29uZGVybGFuZA==",
    ] {
        let header = ("Authorization", value);
        let answer = ask(&site, non_browser("/admin/").insert_header(header)).await;
        assert_eq!(answer.challenge(), Some(CHALLENGE), "{value}");
        let typed = page("/admin/").cookie(in_dialog.clone()).insert_header(header);
        let answer = ask(&site, typed).await;
        assert_eq!(answer.challenge(), Some(CHALLENGE), "{value}");
        assert!(answer.body.contains("Wrong user name or password"), "{value}");
    }
    let twice = non_browser("/admin/").append_header(alice()).append_header(alice());
    assert_eq!(ask(&site, twice).await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(take_calls(&calls), []);

    assert_eq!(
        ask(&site, non_browser("/admin/").insert_header(alice())).await.status,
        StatusCode::OK
    );
    assert_eq!(take_calls(&calls).len(), 1);
}

#[actix_web::test]
async fn empty_user_id_and_password_are_empty_strings() {
    let calls = Calls::default();
    let site = site(&recording(&calls).build().expect("a realm")).await;
    for (user_id, password) in [("alice", ""), ("", "wonderland"), ("", "")] {
        let answer =
            ask(&site, non_browser("/admin/").insert_header(basic(user_id, password))).await;
        assert_eq!((answer.status, &*answer.body), (StatusCode::OK, user_id));
        assert_eq!(take_calls(&calls), [(user_id.to_owned(), Some(password.to_owned()))]);
    }
}

#[actix_web::test]
async fn authenticator_is_called_at_login_only() {
    let calls = Calls::default();
    let site = site(&recording(&calls).build().expect("a realm")).await;
    let logged_in = log_in(&site).await;
    assert_eq!(take_calls(&calls).len(), 1);
    for path in ["/admin/", "/admin/a", "/admin/b"] {
        let sent = page(path).cookie(logged_in.clone()).insert_header(alice());
        let answer = ask(&site, sent).await;
        assert_eq!((answer.status, answer.cookies.len()), (StatusCode::OK, 0));
    }
    assert_eq!(take_calls(&calls), []);
}

#[actix_web::test]
async fn authenticator_error_is_returned_unchanged() {
    let down =
        async |_: &HttpRequest, _: &BasicAuth| Err::<bool, _>(ErrorServiceUnavailable("database"));
    let site = site(&BasicLogin::builder("Admin area", down).build().expect("a realm")).await;
    let in_dialog = ask(&site, page("/admin/")).await.session();
    for req in [
        page("/admin/").cookie(in_dialog.clone()).insert_header(alice()),
        fetch("/admin/").cookie(in_dialog).insert_header(alice()),
        non_browser("/admin/").insert_header(alice()),
    ] {
        let answer = ask(&site, req).await;
        assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(answer.challenge(), None);
        assert_eq!(answer.cookies, []);
        assert_eq!(answer.header("Cache-Control"), Some("no-store"));
    }
}

#[actix_web::test]
async fn unauthorized_error_of_an_authenticator_becomes_a_challenge() {
    let users =
        async |_: &HttpRequest, _: &BasicAuth| Err::<bool, _>(ErrorUnauthorized("from a library"));
    let site = site(&BasicLogin::builder("Admin area", users).build().expect("a realm")).await;
    let in_dialog = ask(&site, page("/admin/")).await.session();
    for (req, challenge) in [
        (page("/admin/").cookie(in_dialog.clone()), CHALLENGE),
        (fetch("/admin/").cookie(in_dialog), QUIET_CHALLENGE),
        (non_browser("/admin/"), CHALLENGE),
    ] {
        let answer = ask(&site, req.insert_header(alice())).await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
        assert_eq!(answer.challenge(), Some(challenge));
        assert!(answer.body.contains("Wrong user name or password"), "{}", answer.body);
    }
}

/// A value that the validator leaves in the request for the handler.
#[derive(Clone)]
struct Role(&'static str);

/// A site with a validator of actix-web-httpauth's form.
async fn validated(calls: &Calls) -> Site {
    let calls = Arc::clone(calls);
    let validator = move |req: ServiceRequest, credentials: BasicAuth| {
        record(&calls, &credentials);
        async move {
            match (credentials.user_id(), credentials.password()) {
                ("alice", Some("wonderland")) => {
                    req.extensions_mut().insert(Role("queen"));
                    Ok(req)
                }
                ("hatter", _) => Err((ErrorForbidden("out of time"), req)),
                ("dormouse", _) => Err((ErrorInternalServerError("asleep"), req)),
                _ => Err((ErrorUnauthorized("who are you?"), req)),
            }
        }
    };
    let login = BasicLogin::with_validator("Admin area", validator).build().expect("a realm");
    let role = async |req: HttpRequest, user: User| {
        let role = req.extensions().get::<Role>().map_or("nobody", |role| role.0);
        HttpResponse::Ok().body(format!("{} the {role}", user.id()))
    };
    let admin = web::scope("/admin").wrap(login.clone()).default_service(web::to(role));
    let app = App::new().service(admin).route("/logout", web::to(login.logout())).wrap(session());
    start(app).await
}

#[actix_web::test]
async fn validator_runs_on_every_request_and_may_leave_extensions() {
    let calls = Calls::default();
    let site = validated(&calls).await;
    let in_dialog = ask(&site, page("/admin/")).await.session();
    assert_eq!(take_calls(&calls), []);
    let typed = page("/admin/").cookie(in_dialog).insert_header(alice());
    let answer = ask(&site, typed).await;
    assert_eq!(answer.body, "alice the queen");
    let logged_in = answer.session();
    for path in ["/admin/", "/admin/a", "/admin/a/b"] {
        let sent = page(path).cookie(logged_in.clone()).insert_header(alice());
        let answer = ask(&site, sent).await;
        assert_eq!(answer.body, "alice the queen");
        assert_eq!(answer.cookies, [], "nothing has changed");
    }
    assert_eq!(take_calls(&calls).len(), 4);
}

#[actix_web::test]
async fn unauthorized_error_of_a_validator_becomes_a_challenge() {
    let calls = Calls::default();
    let site = validated(&calls).await;
    let in_dialog = ask(&site, page("/admin/")).await.session();
    for (user_id, status, challenge, body) in [
        ("queen", StatusCode::UNAUTHORIZED, Some(CHALLENGE), "Wrong user name or password"),
        ("hatter", StatusCode::FORBIDDEN, None, "out of time"),
        ("dormouse", StatusCode::INTERNAL_SERVER_ERROR, None, "asleep"),
    ] {
        for req in [page("/admin/").cookie(in_dialog.clone()), non_browser("/admin/")] {
            let answer = ask(&site, req.insert_header(basic(user_id, "x"))).await;
            assert_eq!((answer.status, answer.challenge()), (status, challenge), "{user_id}");
            assert!(answer.body.contains(body), "{}", answer.body);
            assert_eq!(answer.cookies, [], "{user_id}");
        }
    }
}
