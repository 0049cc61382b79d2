//! Configuration of a realm, and the places where the middleware works.

use std::{
    fmt::Debug,
    panic::{AssertUnwindSafe, catch_unwind},
    time::Duration,
};

use actix_basic_logout::{
    BasicLoginBuilder, ConfigError, HashLimiter, HashLimiterBuilder, HashLimiterError, Logout,
    LogoutResponse, LogoutScope, Notice, Reason, RedisRevocationStore, RequestKind, Throttle,
    ThrottleBuilder, ThrottleError, Users,
};
use actix_web::middleware::{Compat, Condition, Logger};

use super::*;

#[track_caller]
fn assert_error(builder: BasicLoginBuilder, text: &str) {
    let error = builder.build().expect_err(text);
    assert_eq!(error.to_string(), text);
    let error: Box<dyn std::error::Error> = Box::new(error);
    assert!(error.source().is_none());
}

fn of_realm(realm: &str) -> BasicLoginBuilder {
    BasicLogin::builder(realm, is_alice)
}

#[test]
fn invalid_configuration_is_an_error_with_a_reason() {
    assert_error(of_realm(""), "the realm is empty: give it a name");
    for name in ["two\r\nlines", "nul\0", "\u{85}"] {
        let text = format!("the realm {name:?} contains a control character: remove it");
        assert_error(of_realm(name), &text);
    }
    assert_error(of_realm(&"x".repeat(257)), "the realm is 257 bytes long: use at most 256 bytes");
    assert_error(of_realm(&"ü".repeat(129)), "the realm is 258 bytes long: use at most 256 bytes");
    assert_error(
        realm().session_cookie(""),
        "the name of the session cookie is empty: use the name that SessionMiddleware uses",
    );
    let zero = "the login or visit deadline is zero, so every login would expire at once: \
                use a longer duration";
    assert_error(realm().login_deadline(Duration::ZERO), zero);
    assert_error(realm().visit_deadline(Duration::ZERO), zero);
    assert_error(
        realm().fingerprint_key([7; 31]),
        "the fingerprint key is 31 bytes long: use at least 32 random bytes",
    );
    assert_error(
        realm().fingerprint_key([]),
        "the fingerprint key is 0 bytes long: use at least 32 random bytes",
    );
    for path in [
        "",
        "admin/",
        "//evil.example",
        "/\\evil.example",
        "http://evil.example/",
        "javascript:alert(1)",
        "/two words",
        "/line\r\nSet-Cookie: id=x",
        "/\t/evil.example",
        "/caf\u{e9}",
        "?",
    ] {
        let text = format!(
            "{path:?} is not a path of this site: begin it with a single slash and use visible \
             ASCII characters only, such as \"/admin/\""
        );
        assert_error(realm().landing_path(path), &text);
        assert_error(realm().logout_response(LogoutResponse::Redirect(path.to_owned())), &text);
    }
}

#[test]
fn configuration_errors_are_distinguishable() {
    let error = |builder: BasicLoginBuilder| builder.build().expect_err("an error");
    assert_eq!(error(of_realm("")), ConfigError::EmptyRealm);
    assert_eq!(error(realm().session_cookie("")), ConfigError::EmptySessionCookie);
    assert_eq!(error(realm().login_deadline(Duration::ZERO)), ConfigError::ZeroDeadline);
    assert!(matches!(
        error(of_realm("\n")),
        ConfigError::ControlCharacterInRealm { realm, .. } if realm == "\n"
    ));
    assert!(matches!(
        error(of_realm(&"x".repeat(300))),
        ConfigError::RealmTooLong { length: 300, .. }
    ));
    assert!(matches!(
        error(realm().fingerprint_key("short")),
        ConfigError::FingerprintKeyTooShort { length: 5, .. }
    ));
    assert!(matches!(
        error(realm().landing_path("x")),
        ConfigError::InvalidPath { path, .. } if path == "x"
    ));
}

#[test]
fn values_at_the_limits_are_accepted() {
    assert!(of_realm(&"x".repeat(256)).build().is_ok());
    assert!(realm().fingerprint_key([7; 32]).build().is_ok());
    for path in ["/", "/a?b=c#d", "/a//b", "/%2F"] {
        assert!(realm().landing_path(path).build().is_ok(), "{path}");
    }
}

/// Asserts that a path is refused without credentials, and accessible with them.
async fn assert_guarded(site: &Site, path: &str) {
    assert_eq!(ask(site, page(path)).await.challenge(), Some(CHALLENGE));
    assert_eq!(ask(site, non_browser(path)).await.challenge(), Some(CHALLENGE));
    let answer = ask(site, non_browser(path).insert_header(alice())).await;
    assert_eq!((answer.status, &*answer.body), (StatusCode::OK, "alice"));
    let challenged = ask(site, page(path)).await.session();
    let answer = ask(site, page(path).cookie(challenged).insert_header(alice())).await;
    assert_eq!((answer.status, &*answer.body), (StatusCode::OK, "alice"));
}

async fn whoami(user: User) -> String {
    user.id().to_owned()
}

#[actix_web::test]
async fn middleware_wraps_app_scope_and_resource() {
    let login = realm().build().expect("a realm");
    let open = || web::resource("/open").to(async || "open");

    let app = App::new().route("/x", web::get().to(whoami)).wrap(login.clone()).wrap(session());
    assert_guarded(&start(app).await, "/x").await;

    let scope = web::scope("/admin").wrap(login.clone()).route("/x", web::get().to(whoami));
    let site = start(App::new().service(scope).service(open()).wrap(session())).await;
    assert_guarded(&site, "/admin/x").await;
    assert_guarded(&site, "/admin/x").await;
    assert_eq!(ask(&site, page("/open")).await.body, "open");

    let resource = web::resource("/admin/x").wrap(login).route(web::get().to(whoami));
    let site = start(App::new().service(resource).service(open()).wrap(session())).await;
    assert_guarded(&site, "/admin/x").await;
    assert_eq!(ask(&site, page("/open")).await.body, "open");
}

#[actix_web::test]
async fn middleware_works_among_other_middleware() {
    let login = realm().build().expect("a realm");
    let compat =
        web::scope("/compat").wrap(Compat::new(login.clone())).route("/x", web::get().to(whoami));
    let conditional = web::scope("/condition")
        .wrap(Condition::new(true, login.clone()))
        .route("/x", web::get().to(whoami));
    let off = web::scope("/off")
        .wrap(Condition::new(false, login.clone()))
        .route("/x", web::get().to(async || "open"));
    let between = web::scope("/between")
        .wrap(Logger::default())
        .wrap(login)
        .wrap(Logger::default())
        .route("/x", web::get().to(whoami));
    let app = App::new().service(compat).service(conditional).service(off).service(between);
    let site = start(app.wrap(session())).await;
    assert_guarded(&site, "/compat/x").await;
    assert_guarded(&site, "/condition/x").await;
    assert_guarded(&site, "/between/x").await;
    assert_eq!(ask(&site, page("/off/x")).await.body, "open");
}

#[actix_web::test]
async fn realms_reject_each_others_users() {
    let other = async |_: &HttpRequest, credentials: &BasicAuth| {
        Ok((credentials.user_id(), credentials.password()) == ("bob", Some("builder")))
    };
    let other = BasicLogin::builder("Other", other).build().expect("a realm");
    let admin = web::scope("/admin")
        .wrap(realm().build().expect("a realm"))
        .default_service(web::to(whoami));
    let other = web::scope("/other").wrap(other).default_service(web::to(whoami));
    let site = start(App::new().service(admin).service(other).wrap(session())).await;
    let logged_in = log_in(&site).await;
    let answer = ask(&site, page("/other/").cookie(logged_in).insert_header(alice())).await;
    assert_eq!(answer.challenge(), Some(r#"Basic realm="Other", charset="UTF-8""#));
    let bob = basic("bob", "builder");
    assert_eq!(ask(&site, non_browser("/other/").insert_header(bob.clone())).await.body, "bob");
    assert_eq!(
        ask(&site, non_browser("/admin/").insert_header(bob)).await.challenge(),
        Some(CHALLENGE)
    );
}

#[test]
fn futures_panic_outside_a_runtime() {
    fn panics(future: impl Future) {
        let polled = catch_unwind(AssertUnwindSafe(|| poll_once(&mut Box::pin(future)).is_some()));
        let panic = polled.expect_err("a panic");
        let message = panic.downcast_ref::<&str>().map(ToString::to_string);
        let message = message.or_else(|| panic.downcast_ref::<String>().cloned());
        let message = message.expect("a text");
        assert!(message.contains("there is no reactor running"), "{message}");
    }
    let limiter = HashLimiter::shared();
    panics(limiter.hash("wonderland"));
    panics(limiter.verify(None, "wonderland"));
    panics(limiter.reverify(None, "wonderland"));
    panics(RedisRevocationStore::new("redis://127.0.0.1:1"));
}

#[test]
fn public_types_are_send_and_sync_as_needed() {
    fn shared<T: Send + Sync + Clone + Debug + Unpin + 'static>() {}
    fn sent<T: Send + Debug>() {}

    shared::<BasicLogin>();
    shared::<BasicLoginBuilder>();
    shared::<Logout>();
    shared::<HashLimiter>();
    shared::<HashLimiterBuilder>();
    shared::<HashLimiterError>();
    shared::<Throttle<Users>>();
    shared::<ThrottleBuilder<Users>>();
    shared::<ThrottleError>();
    shared::<Users>();
    shared::<LogoutResponse>();
    shared::<LogoutScope>();
    shared::<ConfigError>();
    shared::<User>();
    shared::<RequestKind>();
    shared::<Reason>();
    shared::<Notice<'static>>();
    sent::<Box<dyn std::error::Error + Send + Sync>>();
}
