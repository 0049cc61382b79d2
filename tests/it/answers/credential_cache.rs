//! The cache of valid credentials: what it stores, for how long, and what invalidates it.

use std::{fs, sync::atomic::AtomicBool};

use actix_basic_logout::{Authenticator, CredentialCache, Throttle, Users, Verdict};
use actix_web::error::{ErrorServiceUnavailable, ErrorUnauthorized};
use tokio::sync::Notify;

use super::*;

const MINUTE: Duration = Duration::from_secs(60);

/// An authenticator that counts its checks.
#[derive(Clone, Default)]
struct Counted {
    checks: Arc<AtomicU64>,
    revision: Arc<AtomicU64>,
    rejects: Arc<AtomicBool>,
    down: Arc<AtomicBool>,
    /// Holds each check until it is notified.
    held: Option<Arc<Notify>>,
}

impl Counted {
    fn checks(&self) -> u64 {
        self.checks.swap(0, Relaxed)
    }
}

impl Authenticator for Counted {
    fn authenticate<'a>(
        &'a self,
        _: &'a HttpRequest,
        credentials: &'a BasicAuth,
    ) -> LocalBoxFuture<'a, Result<Verdict, Error>> {
        Box::pin(async move {
            self.checks.fetch_add(1, Relaxed);
            if let Some(held) = &self.held {
                held.notified().await;
            }
            if self.down.load(Relaxed) {
                return Err(ErrorServiceUnavailable("the database is down"));
            }
            if credentials.password() == Some("unauthorized") {
                return Err(ErrorUnauthorized("who are you?"));
            }
            let is_right = credentials.password() == Some("wonderland");
            Ok(Verdict::from(is_right && !self.rejects.load(Relaxed)))
        })
    }

    fn revision(&self) -> LocalBoxFuture<'_, u64> {
        Box::pin(async { self.revision.load(Relaxed) })
    }
}

async fn site_of(users: impl Authenticator, watch: &Watch) -> Site {
    let login = BasicLogin::builder("Admin area", users).landing_path("/admin/");
    site(&login.clock(watch.system_time()).build().expect("a realm")).await
}

async fn cached(users: &Counted, watch: &Watch) -> Site {
    site_of(CredentialCache::new(users.clone(), MINUTE).clock(watch.instant()), watch).await
}

async fn status_of(site: &Site, user_id: &str, password: &str) -> u16 {
    let req = non_browser("/admin/").insert_header(basic(user_id, password));
    ask(site, req).await.status.as_u16()
}

#[actix_web::test]
async fn valid_credentials_are_checked_once_until_they_expire() {
    let (users, watch) = (Counted::default(), Watch::new());
    let site = cached(&users, &watch).await;
    for seconds in [0, 1, 59] {
        watch.set(seconds);
        assert_eq!(status_of(&site, "alice", "wonderland").await, 200);
    }
    assert_eq!(users.checks(), 1);
    assert_eq!(status_of(&site, "bob", "wonderland").await, 200);
    assert_eq!(users.checks(), 1, "bob's credentials are not alice's");
    watch.set(60);
    users.rejects.store(true, Relaxed);
    assert_eq!(status_of(&site, "alice", "wonderland").await, 401);
    assert_eq!(users.checks(), 1);
}

#[actix_web::test]
async fn wrong_credentials_are_never_cached() {
    let (users, watch) = (Counted::default(), Watch::new());
    let site = cached(&users, &watch).await;
    assert_eq!(status_of(&site, "alice", "wonderland").await, 200);
    for (user_id, password) in
        [("alice", "x"), ("alice", ""), ("alice", "wonderlan"), ("alicewonderland", "")]
    {
        users.checks();
        for _ in 0..3 {
            assert_eq!(status_of(&site, user_id, password).await, 401);
        }
        assert_eq!(users.checks(), 3, "{user_id} {password}");
    }
    users.down.store(true, Relaxed);
    for _ in 0..3 {
        assert_eq!(status_of(&site, "bob", "wonderland").await, 503);
    }
    assert_eq!(users.checks(), 3);
    users.down.store(false, Relaxed);
    assert_eq!(status_of(&site, "bob", "wonderland").await, 200);
}

#[actix_web::test]
async fn changed_revision_invalidates_the_cache_at_once() {
    let (users, watch) = (Counted::default(), Watch::new());
    let site = cached(&users, &watch).await;
    assert_eq!(status_of(&site, "alice", "wonderland").await, 200);
    users.rejects.store(true, Relaxed);
    assert_eq!(status_of(&site, "alice", "wonderland").await, 200);
    users.revision.store(1, Relaxed);
    assert_eq!(status_of(&site, "alice", "wonderland").await, 401);
}

#[actix_web::test]
async fn password_changed_in_the_file_takes_effect_within_a_second() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("users");
    let wonderland = "$2y$04$qqxtSNcE5L3nZxkNayxMDOGS1/Xpv5quGRK8y21J1utjVbTHTJ5Au";
    let strasse = "$2y$04$m3e8ix4hfRAMfdENAY.D2es3VCh3lHVQEYeeAu6V7KKE9t0fVN8Oy";
    fs::write(&path, format!("alice:{wonderland}\nbob:{wonderland}\n")).expect("written");
    let watch = Watch::new();
    let users = Users::htpasswd(&path).expect("users").clock(watch.instant());
    let users = CredentialCache::new(users, MINUTE * 60).clock(watch.instant());
    let site = site_of(users, &watch).await;
    for user_id in ["alice", "bob"] {
        assert_eq!(status_of(&site, user_id, "wonderland").await, 200);
    }
    fs::write(&path, format!("alice:{strasse}\n")).expect("written");
    watch.set(1);
    for user_id in ["alice", "bob"] {
        assert_eq!(status_of(&site, user_id, "wonderland").await, 401, "{user_id}");
    }
    assert_eq!(status_of(&site, "alice", "straße").await, 200);
}

#[actix_web::test]
async fn concurrent_equal_credentials_are_checked_once() {
    let held = Arc::new(Notify::new());
    let users = Counted { held: Some(Arc::clone(&held)), ..Counted::default() };
    let watch = Watch::new();
    let site = cached(&users, &watch).await;
    for (password, expected) in [("wonderland", 200), ("x", 401), ("unauthorized", 401)] {
        let mut many: Vec<_> =
            (0..50).map(|_| Box::pin(status_of(&site, "alice", password))).collect();
        assert!(many.iter_mut().all(|it| poll_once(it).is_none()));
        let mut other = Box::pin(status_of(&site, "bob", password));
        assert!(poll_once(&mut other).is_none());
        assert_eq!(users.checks(), 2, "alice once, bob once");
        held.notify_waiters();
        for one in many {
            assert_eq!(one.await, expected);
        }
        assert_eq!(other.await, expected);
        assert_eq!(users.checks(), 0);
    }
}

#[actix_web::test]
async fn next_request_takes_over_an_abandoned_check() {
    let held = Arc::new(Notify::new());
    let users = Counted { held: Some(Arc::clone(&held)), ..Counted::default() };
    let watch = Watch::new();
    let site = cached(&users, &watch).await;
    let mut first = Box::pin(status_of(&site, "alice", "wonderland"));
    let mut second = Box::pin(status_of(&site, "alice", "wonderland"));
    assert!(poll_once(&mut first).is_none() && poll_once(&mut second).is_none());
    assert_eq!(users.checks(), 1);
    drop(first);
    assert!(poll_once(&mut second).is_none());
    assert_eq!(users.checks(), 1);
    held.notify_waiters();
    assert_eq!(second.await, 200);
}

#[actix_web::test]
async fn failed_check_is_not_shared() {
    let held = Arc::new(Notify::new());
    let users = Counted { held: Some(Arc::clone(&held)), ..Counted::default() };
    let watch = Watch::new();
    let site = cached(&users, &watch).await;
    let mut first = Box::pin(status_of(&site, "alice", "wonderland"));
    let mut second = Box::pin(status_of(&site, "alice", "wonderland"));
    assert!(poll_once(&mut first).is_none() && poll_once(&mut second).is_none());
    users.down.store(true, Relaxed);
    held.notify_waiters();
    assert_eq!(first.await, 503);
    users.down.store(false, Relaxed);
    assert!(poll_once(&mut second).is_none());
    assert_eq!(users.checks(), 2);
    held.notify_waiters();
    assert_eq!(second.await, 200);
}

#[actix_web::test]
async fn change_during_a_check_is_not_cached_as_its_answer() {
    let held = Arc::new(Notify::new());
    let users = Counted { held: Some(Arc::clone(&held)), ..Counted::default() };
    let watch = Watch::new();
    let site = cached(&users, &watch).await;
    let mut before = Box::pin(status_of(&site, "alice", "wonderland"));
    assert!(poll_once(&mut before).is_none());
    users.revision.store(1, Relaxed);
    let mut after = Box::pin(status_of(&site, "alice", "wonderland"));
    assert!(poll_once(&mut after).is_none());
    assert_eq!(users.checks(), 2, "the new revision is checked again");
    held.notify_waiters();
    assert_eq!(before.await, 200);
    users.rejects.store(true, Relaxed);
    assert_eq!(after.await, 401);
    let mut later = Box::pin(status_of(&site, "alice", "wonderland"));
    assert!(poll_once(&mut later).is_none(), "a refusal is not cached");
    held.notify_waiters();
    assert_eq!(later.await, 401);
}

#[actix_web::test]
async fn reverification_bypasses_the_cache() {
    let (users, watch) = (Counted::default(), Watch::new());
    let long_cache = CredentialCache::new(users.clone(), MINUTE * 60).clock(watch.instant());
    let site = site_of(long_cache, &watch).await;
    let logged_in = log_in(&site).await;
    let visit = || page("/admin/").cookie(logged_in.clone()).insert_header(alice());
    watch.set(300);
    users.checks();
    assert_eq!(ask(&site, visit()).await.status, StatusCode::OK);
    assert_eq!(users.checks(), 1);
    assert_eq!(status_of(&site, "alice", "wonderland").await, 200);
    assert_eq!(users.checks(), 0, "the cache accepts a non-browser client");
    users.rejects.store(true, Relaxed);
    watch.set(600);
    assert_eq!(ask(&site, visit()).await.challenge(), Some(CHALLENGE));
    assert_eq!(
        status_of(&site, "alice", "wonderland").await,
        401,
        "the failed verification removed the cached entry"
    );
}

#[actix_web::test]
async fn cache_inside_a_throttle_saves_checks_and_not_guesses() {
    let (users, watch) = (Counted::default(), Watch::new());
    let cache = CredentialCache::new(users.clone(), MINUTE).clock(watch.instant());
    let throttle = Throttle::builder(cache).clock(watch.instant()).per_user_id(1, MINUTE * 60);
    let site = site_of(throttle.build().expect("a limit"), &watch).await;
    for _ in 0..3 {
        assert_eq!(status_of(&site, "alice", "wonderland").await, 200);
    }
    assert_eq!(users.checks(), 1);
    assert_eq!(status_of(&site, "alice", "x").await, 401);
    assert_eq!(status_of(&site, "alice", "x").await, 429);
    assert_eq!(status_of(&site, "alice", "wonderland").await, 429);
}

#[actix_web::test]
async fn verdicts_that_depend_on_more_than_the_credentials_are_not_cached() {
    /// Accepts clients of one network only.
    struct InternalOnly(Counted);

    impl Authenticator for InternalOnly {
        fn authenticate<'a>(
            &'a self,
            req: &'a HttpRequest,
            credentials: &'a BasicAuth,
        ) -> LocalBoxFuture<'a, Result<Verdict, Error>> {
            Box::pin(async move {
                let is_internal = req.peer_addr().is_some_and(|it| it.ip().is_loopback());
                let verdict = self.0.authenticate(req, credentials).await?;
                Ok(if is_internal { verdict } else { Verdict::invalid() })
            })
        }

        fn is_cacheable(&self) -> bool {
            false
        }
    }

    let (users, watch) = (Counted::default(), Watch::new());
    let cache = CredentialCache::new(InternalOnly(users.clone()), MINUTE);
    // A second cache learns from the first one that nothing is cacheable.
    let site = site_of(CredentialCache::new(cache, MINUTE), &watch).await;
    for (address, status) in [("127.0.0.1:9", 200), ("192.0.2.1:9", 401), ("127.0.0.1:9", 200)] {
        let req = non_browser("/admin/").peer_addr(address.parse().expect("an address"));
        let answer = ask(&site, req.insert_header(basic("alice", "wonderland"))).await;
        assert_eq!(answer.status, status, "{address}");
    }
    assert_eq!(users.checks(), 3);
}

#[actix_web::test]
async fn cache_with_zero_ttl_caches_nothing() {
    let (users, watch) = (Counted::default(), Watch::new());
    let site = site_of(CredentialCache::new(users.clone(), Duration::ZERO), &watch).await;
    for _ in 0..3 {
        assert_eq!(status_of(&site, "alice", "wonderland").await, 200);
    }
    assert_eq!(users.checks(), 3);
    let site = site_of(CredentialCache::new(users.clone(), Duration::MAX), &watch).await;
    assert_eq!(
        status_of(&site, "alice", "wonderland").await,
        200,
        "the end of the time to live is out of the clock's range"
    );
}
