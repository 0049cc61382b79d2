//! The `User` extractor inside and outside the middleware.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering::Relaxed},
};

use actix_basic_logout::RevocationError;
use actix_web::http::Method;

use super::*;

/// Handlers that require a `User` or take an optional one, inside and outside the middleware.
async fn site_with_extractors(login: &BasicLogin, is_in_app_data: bool) -> Site {
    async fn required(user: User) -> String {
        let since = user.logged_in_at().duration_since(noon()).expect("after noon");
        format!("{} of {}, {} s after noon", user.id(), user.realm(), since.as_secs())
    }
    async fn optional(user: Option<User>) -> String {
        user.map_or("nobody".to_owned(), |user| user.id().to_owned())
    }
    let app = App::new()
        .service(
            web::scope("/admin")
                .wrap(login.clone())
                .route("/optional", web::get().to(optional))
                .route("/logout", web::get().to(login.logout()))
                .default_service(web::to(required)),
        )
        .route("/required", web::get().to(required))
        .route("/optional", web::get().to(optional));
    let app = if is_in_app_data { app.app_data(login.clone()) } else { app };
    start(app.wrap(session())).await
}

/// Logs alice in at `/admin/`, and returns her session cookie.
async fn log_in_at_admin(site: &Site) -> Cookie<'static> {
    let challenged = ask(site, page("/admin/")).await.session();
    ask(site, page("/admin/").cookie(challenged).insert_header(alice())).await.session()
}

#[actix_web::test]
async fn user_has_id_realm_and_login_time() {
    let seconds = Arc::new(AtomicU64::new(7));
    let clock = Arc::clone(&seconds);
    let clock = move || noon() + Duration::from_secs(clock.load(Relaxed));
    let site = site_with_extractors(&realm().clock(clock).build().expect("a realm"), true).await;
    let session = log_in_at_admin(&site).await;
    seconds.store(20, Relaxed);
    let at_login = "alice of Admin area, 7 s after noon";
    for path in ["/admin/", "/admin/a", "/required"] {
        let sent = page(path).cookie(session.clone()).insert_header(alice());
        assert_eq!(ask(&site, sent).await.body, at_login, "{path}");
    }
    // Without a session, each request is a new login.
    let answer = ask(&site, non_browser("/admin/").insert_header(alice())).await;
    assert_eq!(answer.body, "alice of Admin area, 20 s after noon");
}

#[actix_web::test]
async fn reverification_keeps_the_login_time() {
    let seconds = Arc::new(AtomicU64::new(0));
    let clock = Arc::clone(&seconds);
    let clock = move || noon() + Duration::from_secs(clock.load(Relaxed));
    let login = realm().clock(clock).reverify_after(Duration::from_secs(60)).build();
    let site = site_with_extractors(&login.expect("a realm"), true).await;
    let session = log_in_at_admin(&site).await;
    for (path, now) in [("/admin/", 60), ("/required", 130)] {
        seconds.store(now, Relaxed);
        let sent = page(path).cookie(session.clone()).insert_header(alice());
        let answer = ask(&site, sent).await;
        assert_eq!(answer.body, "alice of Admin area, 0 s after noon");
        assert_eq!(answer.cookies.len(), 1, "the session stores the time of the verification");
    }
}

#[actix_web::test]
async fn extractor_outside_fails_without_a_login() {
    let site = site_with_extractors(&realm().build().expect("a realm"), false).await;
    let session = log_in_at_admin(&site).await;
    for req in [
        page("/optional"),
        page("/optional").cookie(session.clone()).insert_header(alice()),
        non_browser("/optional").insert_header(alice()),
    ] {
        let answer = ask(&site, req).await;
        assert_eq!((answer.status, &*answer.body), (StatusCode::OK, "nobody"));
    }
    for (req, challenge) in [
        (non_browser("/required"), r#"Basic realm="Restricted", charset="UTF-8""#),
        (page("/required"), r#"xBasic realm="Restricted", charset="UTF-8""#),
        (fetch("/required"), r#"xBasic realm="Restricted", charset="UTF-8""#),
        (
            page("/required").cookie(session).insert_header(alice()),
            r#"xBasic realm="Restricted", charset="UTF-8""#,
        ),
    ] {
        let answer = ask(&site, req).await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
        assert_eq!(answer.challenge(), Some(challenge));
        assert!(answer.body.contains("Login required"));
        assert_eq!(answer.header("Cache-Control"), Some("no-store"));
        assert_eq!(answer.cookies, []);
    }
}

#[actix_web::test]
async fn extractor_outside_needs_login_and_its_credentials() {
    let site = site_with_extractors(&realm().build().expect("a realm"), true).await;
    let session = log_in_at_admin(&site).await;
    let in_dialog = ask(&site, page("/admin/")).await.session();
    let out = page("/admin/logout").cookie(log_in_at_admin(&site).await).insert_header(alice());
    let logged_out = ask(&site, out).await.session();
    for (name, req, is_alice) in [
        ("logged in", page("/optional").cookie(session.clone()).insert_header(alice()), true),
        (
            "logged in, fetch",
            fetch("/optional").cookie(session.clone()).insert_header(alice()),
            true,
        ),
        ("no credentials", page("/optional").cookie(session.clone()), false),
        (
            "another password",
            page("/optional").cookie(session).insert_header(basic("alice", "x")),
            false,
        ),
        ("no session", page("/optional").insert_header(alice()), false),
        // The extractor does not log in a user. Only the middleware does.
        ("in the dialog", page("/optional").cookie(in_dialog).insert_header(alice()), false),
        ("logged out", page("/optional").cookie(logged_out).insert_header(alice()), false),
    ] {
        let answer = ask(&site, req).await;
        let expected = if is_alice { "alice" } else { "nobody" };
        assert_eq!((answer.status, &*answer.body), (StatusCode::OK, expected), "{name}");
        assert_eq!(answer.cookies, [], "{name}");
    }
}

#[actix_web::test]
async fn extractor_outside_challenges_only_for_missing_credentials() {
    let site = site_with_extractors(&realm().build().expect("a realm"), true).await;
    let session = log_in_at_admin(&site).await;
    for (name, req, challenge) in [
        ("a non-browser client", non_browser("/required"), CHALLENGE),
        ("a page", page("/required"), QUIET_CHALLENGE),
        ("a fetch", fetch("/required"), QUIET_CHALLENGE),
        ("a page with credentials", page("/required").insert_header(alice()), QUIET_CHALLENGE),
        ("a login without credentials", page("/required").cookie(session.clone()), CHALLENGE),
        (
            "a login, fetch without credentials",
            fetch("/required").cookie(session.clone()),
            CHALLENGE,
        ),
        (
            "a login with another password",
            page("/required").cookie(session).insert_header(basic("alice", "x")),
            QUIET_CHALLENGE,
        ),
    ] {
        let answer = ask(&site, req).await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{name}");
        assert_eq!(answer.challenge(), Some(challenge), "{name}");
        assert_eq!(answer.cookies, [], "{name}");
    }
}

#[actix_web::test]
async fn extractor_inside_always_succeeds() {
    let site = site_with_extractors(&realm().build().expect("a realm"), false).await;
    let session = log_in_at_admin(&site).await;
    for req in [
        page("/admin/optional").cookie(session.clone()).insert_header(alice()),
        fetch("/admin/optional").cookie(session).insert_header(alice()),
        non_browser("/admin/optional").insert_header(alice()),
    ] {
        let answer = ask(&site, req).await;
        assert_eq!((answer.status, &*answer.body), (StatusCode::OK, "alice"));
    }
}

/// A site of a realm with a unique name, because all realms of a process share one revocation list.
async fn site_with_revoking_handlers(realm: &'static str) -> Site {
    async fn everywhere(
        login: web::ThinData<BasicLogin>,
        user: User,
    ) -> Result<&'static str, RevocationError> {
        login.revoke_user(user.id()).await.map(|()| "everywhere")
    }
    async fn this_one(login: web::ThinData<BasicLogin>, user: User) -> Result<String, Error> {
        let id = user.login_id().expect("a login");
        login.revoke_login(id).await?;
        Ok(id.to_string())
    }
    let login = BasicLogin::builder(realm, is_alice).build().expect("a realm");
    let admin = web::scope("/admin")
        .wrap(login.clone())
        .route("/everywhere", web::post().to(everywhere))
        .route("/this-one", web::post().to(this_one))
        .default_service(web::to(async |user: User| user.id().to_owned()));
    start(App::new().app_data(web::ThinData(login)).service(admin).wrap(session())).await
}

#[actix_web::test]
async fn handler_can_revoke_its_own_login_or_all_of_its_user() {
    for (path, others_end) in [("/admin/this-one", false), ("/admin/everywhere", true)] {
        let site = site_with_revoking_handlers(path).await;
        let (this, other) = (log_in_at_admin(&site).await, log_in_at_admin(&site).await);
        let post = page(path).method(Method::POST).cookie(this.clone()).insert_header(alice());
        let answer = ask(&site, post).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        let again = ask(&site, page("/admin/").cookie(this).insert_header(alice())).await;
        assert_eq!(again.status, 401);
        assert!(again.body.contains("Your login has ended"), "{}", again.body);
        let other = ask(&site, page("/admin/").cookie(other).insert_header(alice())).await;
        assert_eq!(other.status == 401, others_end);
    }
}
