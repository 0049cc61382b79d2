//! Good credentials are remembered for programs: how long, which, and until what changes.

use std::{fs, sync::atomic::AtomicBool};

use actix_basic_logout::{Authenticator, CredentialCache, Throttle, Users};
use actix_web::error::{ErrorServiceUnavailable, ErrorUnauthorized};
use tokio::sync::Notify;

use super::*;

const MINUTE: Duration = Duration::from_secs(60);

/// Counts how often it was asked.
#[derive(Clone, Default)]
struct Counted {
    asked: Arc<AtomicU64>,
    revision: Arc<AtomicU64>,
    rejects: Arc<AtomicBool>,
    down: Arc<AtomicBool>,
    held: Option<Arc<Notify>>,
}

impl Counted {
    fn asked(&self) -> u64 {
        self.asked.swap(0, Relaxed)
    }
}

impl Authenticator for Counted {
    fn authenticate<'a>(
        &'a self,
        _: &'a HttpRequest,
        credentials: &'a BasicAuth,
    ) -> LocalBoxFuture<'a, Result<bool, Error>> {
        Box::pin(async move {
            self.asked.fetch_add(1, Relaxed);
            if let Some(held) = &self.held {
                held.notified().await;
            }
            if self.down.load(Relaxed) {
                return Err(ErrorServiceUnavailable("the database is down"));
            }
            if credentials.password() == Some("unauthorized") {
                return Err(ErrorUnauthorized("who are you?"));
            }
            Ok(credentials.password() == Some("wonderland") && !self.rejects.load(Relaxed))
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

async fn remembering(users: &Counted, watch: &Watch) -> Site {
    site_of(CredentialCache::new(users.clone(), MINUTE).clock(watch.instant()), watch).await
}

async fn status_of(site: &Site, user_id: &str, password: &str) -> u16 {
    let req = program("/admin/").insert_header(basic(user_id, password));
    ask(site, req).await.status.as_u16()
}

#[actix_web::test]
async fn good_credentials_are_asked_about_once_until_the_time_is_over() {
    let (users, watch) = (Counted::default(), Watch::new());
    let site = remembering(&users, &watch).await;
    for seconds in [0, 1, 59] {
        watch.set(seconds);
        assert_eq!(status_of(&site, "alice", "wonderland").await, 200);
    }
    assert_eq!(users.asked(), 1);
    assert_eq!(status_of(&site, "bob", "wonderland").await, 200);
    assert_eq!(users.asked(), 1, "somebody else's");
    watch.set(60);
    users.rejects.store(true, Relaxed);
    assert_eq!(status_of(&site, "alice", "wonderland").await, 401);
    assert_eq!(users.asked(), 1);
}

#[actix_web::test]
async fn wrong_credentials_are_never_remembered() {
    let (users, watch) = (Counted::default(), Watch::new());
    let site = remembering(&users, &watch).await;
    assert_eq!(status_of(&site, "alice", "wonderland").await, 200);
    for (user_id, password) in
        [("alice", "x"), ("alice", ""), ("alice", "wonderlan"), ("alicewonderland", "")]
    {
        users.asked();
        for _ in 0..3 {
            assert_eq!(status_of(&site, user_id, password).await, 401);
        }
        assert_eq!(users.asked(), 3, "{user_id} {password}");
    }
    users.down.store(true, Relaxed);
    for _ in 0..3 {
        assert_eq!(status_of(&site, "bob", "wonderland").await, 503);
    }
    assert_eq!(users.asked(), 3);
    users.down.store(false, Relaxed);
    assert_eq!(status_of(&site, "bob", "wonderland").await, 200);
}

#[actix_web::test]
async fn what_has_changed_counts_at_once() {
    let (users, watch) = (Counted::default(), Watch::new());
    let throttled = Throttle::new(users.clone());
    let site =
        site_of(CredentialCache::new(throttled, MINUTE).clock(watch.instant()), &watch).await;
    assert_eq!(status_of(&site, "alice", "wonderland").await, 200);
    users.rejects.store(true, Relaxed);
    assert_eq!(status_of(&site, "alice", "wonderland").await, 200);
    users.revision.store(1, Relaxed);
    assert_eq!(status_of(&site, "alice", "wonderland").await, 401);
}

#[actix_web::test]
async fn a_password_changed_in_the_file_counts_within_a_second() {
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
async fn equal_credentials_at_the_same_time_are_checked_once() {
    let held = Arc::new(Notify::new());
    let users = Counted { held: Some(Arc::clone(&held)), ..Counted::default() };
    let watch = Watch::new();
    let site = remembering(&users, &watch).await;
    for (password, expected) in [("wonderland", 200), ("x", 401), ("unauthorized", 401)] {
        let mut many: Vec<_> =
            (0..50).map(|_| Box::pin(status_of(&site, "alice", password))).collect();
        assert!(many.iter_mut().all(|it| begins(it).is_none()));
        let mut other = Box::pin(status_of(&site, "bob", password));
        assert!(begins(&mut other).is_none());
        assert_eq!(users.asked(), 2, "alice once, bob once");
        held.notify_waiters();
        for one in many {
            assert_eq!(one.await, expected);
        }
        assert_eq!(other.await, expected);
        assert_eq!(users.asked(), 0);
    }
}

#[actix_web::test]
async fn when_the_one_that_is_checked_gives_up_the_next_goes_on() {
    let held = Arc::new(Notify::new());
    let users = Counted { held: Some(Arc::clone(&held)), ..Counted::default() };
    let watch = Watch::new();
    let site = remembering(&users, &watch).await;
    let mut first = Box::pin(status_of(&site, "alice", "wonderland"));
    let mut second = Box::pin(status_of(&site, "alice", "wonderland"));
    assert!(begins(&mut first).is_none() && begins(&mut second).is_none());
    assert_eq!(users.asked(), 1);
    drop(first);
    assert!(begins(&mut second).is_none());
    assert_eq!(users.asked(), 1);
    held.notify_waiters();
    assert_eq!(second.await, 200);
}

#[actix_web::test]
async fn when_the_one_that_is_checked_fails_the_others_ask_by_themselves() {
    let held = Arc::new(Notify::new());
    let users = Counted { held: Some(Arc::clone(&held)), ..Counted::default() };
    let watch = Watch::new();
    let site = remembering(&users, &watch).await;
    let mut first = Box::pin(status_of(&site, "alice", "wonderland"));
    let mut second = Box::pin(status_of(&site, "alice", "wonderland"));
    assert!(begins(&mut first).is_none() && begins(&mut second).is_none());
    users.down.store(true, Relaxed);
    held.notify_waiters();
    assert_eq!(first.await, 503);
    users.down.store(false, Relaxed);
    assert!(begins(&mut second).is_none());
    assert_eq!(users.asked(), 2);
    held.notify_waiters();
    assert_eq!(second.await, 200);
}

#[actix_web::test]
async fn a_change_during_a_check_is_not_answered_by_it() {
    let held = Arc::new(Notify::new());
    let users = Counted { held: Some(Arc::clone(&held)), ..Counted::default() };
    let watch = Watch::new();
    let site = remembering(&users, &watch).await;
    let mut before = Box::pin(status_of(&site, "alice", "wonderland"));
    assert!(begins(&mut before).is_none());
    users.revision.store(1, Relaxed);
    let mut after = Box::pin(status_of(&site, "alice", "wonderland"));
    assert!(begins(&mut after).is_none());
    assert_eq!(users.asked(), 2, "asked anew");
    held.notify_waiters();
    assert_eq!(before.await, 200);
    users.rejects.store(true, Relaxed);
    assert_eq!(after.await, 401);
    let mut later = Box::pin(status_of(&site, "alice", "wonderland"));
    assert!(begins(&mut later).is_none(), "nor is its answer kept");
    held.notify_waiters();
    assert_eq!(later.await, 401);
}

#[actix_web::test]
async fn a_login_that_goes_on_is_verified_by_the_users_themselves() {
    let (users, watch) = (Counted::default(), Watch::new());
    let users_kept_long = CredentialCache::new(users.clone(), MINUTE * 60).clock(watch.instant());
    let site = site_of(users_kept_long, &watch).await;
    let logged_in = log_in(&site).await;
    let visit = || page("/admin/").cookie(logged_in.clone()).insert_header(alice());
    watch.set(300);
    users.asked();
    assert_eq!(ask(&site, visit()).await.status, StatusCode::OK);
    assert_eq!(users.asked(), 1);
    assert_eq!(status_of(&site, "alice", "wonderland").await, 200);
    assert_eq!(users.asked(), 0, "a program is let in from memory");
    users.rejects.store(true, Relaxed);
    watch.set(600);
    assert_eq!(ask(&site, visit()).await.challenge(), Some(CHALLENGE));
    assert_eq!(status_of(&site, "alice", "wonderland").await, 401, "and is forgotten with it");
}

#[actix_web::test]
async fn around_a_throttle_it_lets_known_programs_through() {
    let (users, watch) = (Counted::default(), Watch::new());
    let throttle = Throttle::builder(users.clone()).clock(watch.instant());
    let throttle = throttle.per_user_id(1, MINUTE * 60).build().expect("a limit");
    let site = site_of(CredentialCache::new(throttle, MINUTE).clock(watch.instant()), &watch).await;
    assert_eq!(status_of(&site, "alice", "wonderland").await, 200);
    assert_eq!(status_of(&site, "alice", "x").await, 401);
    assert_eq!(status_of(&site, "alice", "x").await, 429);
    assert_eq!(status_of(&site, "alice", "wonderland").await, 200);
    watch.set(60);
    assert_eq!(status_of(&site, "alice", "wonderland").await, 429);
}

#[actix_web::test]
async fn with_no_time_it_remembers_nothing() {
    let (users, watch) = (Counted::default(), Watch::new());
    let site = site_of(CredentialCache::new(users.clone(), Duration::ZERO), &watch).await;
    for _ in 0..3 {
        assert_eq!(status_of(&site, "alice", "wonderland").await, 200);
    }
    assert_eq!(users.asked(), 3);
    let site = site_of(CredentialCache::new(users.clone(), Duration::MAX), &watch).await;
    assert_eq!(status_of(&site, "alice", "wonderland").await, 200, "no clock reaches that far");
}
