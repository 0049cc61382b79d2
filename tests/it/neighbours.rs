//! Facts about actix-web, actix-session and actix-web-httpauth that this crate relies on or works
//! around. Each has a test, which fails when the fact changes.

#![expect(clippy::expect_used, reason = "what fails here is a test")]

use actix_session::{
    Session, SessionExt, SessionMiddleware, SessionStatus, storage::CookieSessionStore,
};
use actix_web::{
    App, Error, HttpRequest, HttpResponse, Route,
    cookie::{Cookie, Key},
    dev::{Service, ServiceRequest, ServiceResponse},
    error::ErrorImATeapot,
    http::StatusCode,
    middleware::{Next, NormalizePath, from_fn},
    test::{self, TestRequest},
    web,
};
use actix_web_httpauth::headers::www_authenticate::{Challenge, basic::Basic};

/// A session middleware with a fixed key, for requests of two tabs to one application.
fn middleware() -> SessionMiddleware<CookieSessionStore> {
    SessionMiddleware::new(CookieSessionStore::default(), Key::from(&[7; 64]))
}

struct Answer {
    status: StatusCode,
    cookie: Option<Cookie<'static>>,
    body: String,
}

/// Calls a handler inside the session middleware.
async fn ask(handler: Route, cookie: Option<&Cookie<'static>>) -> Answer {
    let app = test::init_service(App::new().route("/", handler).wrap(middleware())).await;
    let mut req = TestRequest::get();
    if let Some(cookie) = cookie {
        req = req.cookie(cookie.clone());
    }
    let response = app.call(req.to_request()).await.expect("a response");
    let status = response.status();
    let cookie = response.response().cookies().next().map(Cookie::into_owned);
    let body = String::from_utf8(test::read_body(response).await.to_vec()).expect("text");
    Answer { status, cookie, body }
}

/// Runs a handler that changes the session, and returns the resulting cookie.
async fn written(
    cookie: Option<&Cookie<'static>>,
    write: impl Fn(Session) + Clone + 'static,
) -> Option<Cookie<'static>> {
    let handler = move |session: Session| {
        write(session);
        async { HttpResponse::Ok().finish() }
    };
    ask(web::get().to(handler), cookie).await.cookie
}

/// The value in the session of a cookie under `it`.
async fn read(cookie: &Cookie<'static>) -> String {
    let it =
        async |session: Session| session.get::<String>("it").ok().flatten().unwrap_or_default();
    ask(web::get().to(it), Some(cookie)).await.body
}

fn insert(value: &'static str) -> impl Fn(Session) + Clone {
    move |session| session.insert("it", value).expect("text becomes JSON")
}

async fn session_with(value: &'static str) -> Cookie<'static> {
    written(None, insert(value)).await.expect("a cookie")
}

/// Why the middleware answers every refusal with `Ok`.
#[actix_web::test]
async fn session_is_not_saved_if_the_inner_service_errors() {
    async fn refuse(
        req: ServiceRequest,
        _: Next<impl actix_web::body::MessageBody>,
    ) -> Result<ServiceResponse, Error> {
        insert("lost")(req.get_session());
        Err(ErrorImATeapot("no"))
    }

    let app = test::init_service(App::new().wrap(from_fn(refuse)).wrap(middleware())).await;
    let error = app.call(TestRequest::get().to_request()).await.map(|_| ()).expect_err("an error");
    let response = error.error_response();
    assert_eq!(response.status(), StatusCode::IM_A_TEAPOT);
    assert_eq!(response.cookies().count(), 0);
}

/// Why a login is stored even if the handler fails.
#[actix_web::test]
async fn session_is_saved_if_a_handler_errors() {
    let failing = async |session: Session| {
        insert("kept")(session);
        Err::<HttpResponse, _>(ErrorImATeapot("no"))
    };
    let answer = ask(web::get().to(failing), None).await;
    assert_eq!(answer.status, StatusCode::IM_A_TEAPOT);
    assert_eq!(read(&answer.cookie.expect("a cookie")).await, "kept");
}

/// Why a state is written by `insert`.
#[actix_web::test]
async fn update_of_a_loaded_value_is_not_saved() {
    let old = session_with("old").await;
    let update = |session: Session| {
        session.update("it", |_: String| "new".to_owned()).expect("updated");
        assert_eq!(session.get::<String>("it").expect("text").as_deref(), Some("new"));
    };
    assert!(written(Some(&old), update).await.is_none());
}

/// Why the crate removes no key that may be absent: a request of a logged-in user must set no cookie.
#[actix_web::test]
async fn removal_of_an_absent_key_counts_as_a_change() {
    let old = session_with("old").await;
    let remove = |session: Session| assert_eq!(session.remove("absent"), None);
    assert!(written(Some(&old), remove).await.is_some());
}

/// Why logout clears, renews and inserts: after a purge, it could not store the `LoggedOut` state.
#[actix_web::test]
async fn purge_discards_later_changes() {
    let old = session_with("old").await;
    let purge = |session: Session| {
        session.purge();
        insert("new")(session.clone());
        session.renew();
        assert_eq!(session.status(), SessionStatus::Purged);
        assert!(session.entries().is_empty());
    };
    let removal = written(Some(&old), purge).await.expect("a cookie");
    assert_eq!(removal.value(), "");
}

#[actix_web::test]
async fn values_inserted_after_clear_and_renew_are_saved() {
    let old = session_with("old").await;
    let replace = |session: Session| {
        session.clear();
        session.renew();
        insert("new")(session);
    };
    let new = written(Some(&old), replace).await.expect("a cookie");
    assert_eq!(read(&new).await, "new");
}

/// Why a state may be renewed before or after it is written.
#[actix_web::test]
async fn renewal_survives_later_changes() {
    let renew = |session: Session| {
        session.renew();
        insert("new")(session.clone());
        session.remove("it");
        session.clear();
        assert_eq!(session.status(), SessionStatus::Renewed);
    };
    written(None, renew).await;
}

/// Why a change of state renews the session: a request in flight carries the old key.
#[actix_web::test]
async fn renewed_session_has_a_new_key() {
    let old = session_with("it").await;
    let new = written(Some(&old), |session| session.renew()).await.expect("a cookie");
    assert_eq!(new.name(), old.name());
    assert_ne!(new.value(), old.value());
    assert_eq!(read(&new).await, "it");
}

/// Why the status of the session shows whether a request wrote it.
#[actix_web::test]
async fn reading_a_session_sets_no_cookie() {
    let old = session_with("old").await;
    let look = |session: Session| {
        assert_eq!(session.get::<String>("it").expect("text").as_deref(), Some("old"));
        assert_eq!(session.status(), SessionStatus::Unchanged);
    };
    assert!(written(Some(&old), look).await.is_none());
}

/// Why a non-browser client leaves nothing in the store, and why logout always leaves an entry.
#[actix_web::test]
async fn empty_new_session_is_not_saved() {
    assert!(written(None, |session| session.renew()).await.is_none());
    let clear = |session: Session| {
        insert("it")(session.clone());
        session.clear();
    };
    assert!(written(None, clear).await.is_none());
}

/// Why a logout revokes the login's id: the old cookie is still readable.
#[actix_web::test]
async fn old_cookie_of_the_cookie_store_stays_readable() {
    let old = session_with("old").await;
    for end in [Session::purge, Session::renew, Session::clear] {
        written(Some(&old), move |session| end(&session)).await.expect("a cookie");
        assert_eq!(read(&old).await, "old");
    }
}

/// Why an empty session with a session cookie counts as `LoggedOut`, not as `Fresh`.
#[actix_web::test]
async fn cookie_without_a_session_gives_an_empty_session() {
    let old = session_with("old").await;
    let mut broken = old.clone();
    broken.set_value(old.value().chars().rev().collect::<String>());
    let look = async |req: HttpRequest, session: Session| {
        assert!(session.entries().is_empty());
        assert!(req.cookie("id").is_some());
        HttpResponse::Ok().finish()
    };
    assert_eq!(ask(web::get().to(look), Some(&broken)).await.status, StatusCode::OK);
}

/// Why a long path is stored as a hash, and a long user-id is refused.
#[actix_web::test]
async fn session_too_large_for_a_cookie_is_an_error() {
    let handler = async |session: Session| {
        session.insert("it", "x".repeat(4064)).expect("text becomes JSON");
        HttpResponse::Ok().finish()
    };
    let app =
        test::init_service(App::new().route("/", web::get().to(handler)).wrap(middleware())).await;
    let error = app.call(TestRequest::get().to_request()).await.map(|_| ()).expect_err("an error");
    assert_eq!(
        error.as_response_error().status_code(),
        StatusCode::INTERNAL_SERVER_ERROR,
        "{error}"
    );
}

/// Why `session_cookie` is `id` by default, and why a log message warns about plain HTTP.
#[actix_web::test]
async fn session_cookie_is_named_id_and_secure_by_default() {
    let cookie = session_with("it").await;
    assert_eq!(cookie.name(), "id");
    assert_eq!(cookie.secure(), Some(true));
    assert_eq!(cookie.http_only(), Some(true));
    assert_eq!(cookie.path(), Some("/"));
}

/// Why the crate can detect a missing or misplaced `SessionMiddleware`: it takes the entries that were
/// written.
#[actix_web::test]
async fn session_middleware_takes_the_entries_of_a_session() {
    let write = async |session: Session| {
        insert("it")(session);
        HttpResponse::Ok().finish()
    };
    let with = App::new().route("/", web::get().to(write)).wrap(middleware());
    let response = test::init_service(with).await.call(TestRequest::get().to_request()).await;
    let taken = response.expect("a response").request().get_session();
    assert!(taken.entries().is_empty());

    let without = App::new().route("/", web::get().to(write));
    let response = test::init_service(without).await.call(TestRequest::get().to_request()).await;
    let left = response.expect("a response").request().get_session();
    assert_eq!(left.entries().len(), 1);
}

/// Why the crate does not build challenges with the types of actix-web-httpauth.
#[test]
fn httpauth_challenge_lacks_escaping_and_charset() {
    let challenge = |realm: &'static str| Basic::with_realm(realm).to_bytes();
    assert_eq!(challenge(r"back\slash"), r#"Basic realm="back\slash""#);
    // The trailing backslash escapes the quote that ends the realm.
    assert_eq!(challenge(r"end\"), r#"Basic realm="end\""#);
    assert_eq!(challenge(r#"a "quote""#), r#"Basic realm="a \"quote\"""#);
}

/// Why `NormalizePath` must not be outside of `BasicLogin`: the browser's directory is `/admin/`, but
/// that of the trimmed path would be `/`.
#[actix_web::test]
async fn normalize_path_hides_the_directory_of_a_login() {
    let path = async |req: HttpRequest| req.path().to_owned();
    let app = App::new().default_service(web::to(path)).wrap(NormalizePath::trim());
    let app = test::init_service(app).await;
    let req = TestRequest::with_uri("/admin/").to_request();
    assert_eq!(test::call_and_read_body(&app, req).await, "/admin");
}
