//! The cache of authorized requests in each worker: what it skips, and what invalidates it.

use std::sync::atomic::AtomicBool;

use actix_basic_logout::RequestKind;

use super::*;

const MINUTE: u64 = 60;

/// A realm with a unique name, because all realms of a process share one revocation list.
fn realm_named(name: &str, watch: &Watch) -> BasicLoginBuilder {
    BasicLogin::builder(name, is_alice).landing_path("/admin/").clock(watch.system_time())
}

/// Logs alice in, and opens the page twice to cache the login.
async fn log_in_and_cache(site: &Site) -> Cookie<'static> {
    let challenged = ask(site, page("/admin/")).await;
    let typed = page("/admin/").cookie(challenged.session()).insert_header(alice());
    let session = ask(site, typed).await.session();
    for _ in 0..2 {
        let again = ask(site, page("/admin/").cookie(session.clone()).insert_header(alice())).await;
        assert_eq!((again.status, &*again.body), (StatusCode::OK, "alice"));
        assert!(again.cookies.is_empty(), "nothing is written");
    }
    session
}

async fn status(site: &Site, session: &Cookie<'static>) -> u16 {
    let again = page("/admin/").cookie(session.clone()).insert_header(alice());
    ask(site, again).await.status.as_u16()
}

#[actix_web::test]
async fn pass_cache_skips_parsing_an_unchanged_request() {
    let parsed = Arc::new(AtomicU64::new(0));
    let counted = Arc::clone(&parsed);
    let login = realm_named("not parsed", &Watch::new()).classify_with(move |req| {
        counted.fetch_add(1, Relaxed);
        RequestKind::of(req)
    });
    let site = site(&login.build().expect("a realm")).await;
    let session = log_in_and_cache(&site).await;
    assert_eq!(parsed.load(Relaxed), 3, "challenged, logged in, and cached");
    assert_eq!(status(&site, &session).await, 200);
    assert_eq!(parsed.load(Relaxed), 3);
}

#[actix_web::test]
async fn pass_cache_misses_unless_header_is_identical() {
    let site =
        site(&realm_named("other credentials", &Watch::new()).build().expect("a realm")).await;
    let session = log_in_and_cache(&site).await;
    let with = |req: TestRequest| ask(&site, req.cookie(session.clone()));
    let (user, password) = (basic("alicf", "wonderland"), basic("alice", "wonderlanf"));
    assert_eq!(with(page("/admin/").insert_header(user)).await.status, 401);
    assert_eq!(with(page("/admin/").insert_header(password)).await.status, 401);
    assert_eq!(with(page("/admin/")).await.status, 401);
    let twice = page("/admin/").insert_header(alice()).append_header(alice());
    assert_eq!(with(twice).await.status, 401);
    assert_eq!(with(page("/admin/").insert_header(alice())).await.status, 200);
}

#[actix_web::test]
async fn logout_invalidates_a_cached_login() {
    let site = site(&realm_named("logout", &Watch::new()).build().expect("a realm")).await;
    let session = log_in_and_cache(&site).await;
    let logout = page("/logout").cookie(session.clone()).insert_header(alice());
    assert_eq!(ask(&site, logout).await.status, 401);
    assert_eq!(status(&site, &session).await, 401);
}

#[actix_web::test]
async fn revocation_invalidates_a_cached_login() {
    let login = realm_named("revoked", &Watch::new()).build().expect("a realm");
    let site = site(&login).await;
    let (first, second) = (log_in_and_cache(&site).await, log_in_and_cache(&site).await);
    login.revoke_user("bob").await.expect("revoked");
    assert_eq!(status(&site, &first).await, 200, "another user was revoked");
    login.revoke_user("alice").await.expect("revoked");
    assert_eq!(status(&site, &first).await, 401);
    assert_eq!(status(&site, &second).await, 401);
}

#[actix_web::test]
async fn timeout_invalidates_a_cached_login() {
    let watch = Watch::new();
    let login = realm_named("expires", &watch).login_deadline(Duration::from_secs(60 * MINUTE));
    let site = site(&login.build().expect("a realm")).await;
    let session = log_in_and_cache(&site).await;
    watch.set(60 * MINUTE - 1);
    assert_eq!(status(&site, &session).await, 200);
    watch.set(60 * MINUTE);
    assert_eq!(status(&site, &session).await, 401);
}

#[actix_web::test]
async fn pass_cache_keeps_idle_timeouts_of_sessions_apart() {
    let watch = Watch::new();
    let login = realm_named("old session", &watch).visit_deadline(Duration::from_secs(10 * MINUTE));
    let site = site(&login.build().expect("a realm")).await;
    let old = log_in_and_cache(&site).await;
    watch.set(5 * MINUTE);
    let visit = ask(&site, page("/admin/").cookie(old.clone()).insert_header(alice())).await;
    let new = visit.session();
    watch.set(12 * MINUTE);
    assert_eq!(status(&site, &new).await, 200);
    assert_eq!(status(&site, &old).await, 401);
}

#[actix_web::test]
async fn cached_login_is_reverified_when_due() {
    let (watch, is_valid) = (Watch::new(), Arc::new(AtomicBool::new(true)));
    let is_known = Arc::clone(&is_valid);
    let users = async move |_: &HttpRequest, _: &BasicAuth| Ok(is_known.load(Relaxed));
    let login = BasicLogin::builder("verified", users).clock(watch.system_time());
    let site = site(&login.build().expect("a realm")).await;
    let session = log_in_and_cache(&site).await;
    is_valid.store(false, Relaxed);
    assert_eq!(status(&site, &session).await, 200, "no verification for five minutes");
    watch.set(5 * MINUTE);
    assert_eq!(status(&site, &session).await, 401);
}

#[actix_web::test]
async fn validator_runs_for_cached_logins_too() {
    let seen = Arc::new(AtomicU64::new(0));
    let counted = Arc::clone(&seen);
    let validator = move |req: ServiceRequest, _: BasicAuth| {
        counted.fetch_add(1, Relaxed);
        async move { Ok(req) }
    };
    let site =
        site(&BasicLogin::with_validator("validator", validator).build().expect("a realm")).await;
    let session = log_in_and_cache(&site).await;
    assert_eq!(seen.load(Relaxed), 3);
    assert_eq!(status(&site, &session).await, 200);
    assert_eq!(seen.load(Relaxed), 4);
}
