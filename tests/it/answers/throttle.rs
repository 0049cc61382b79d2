//! Rate limits of failed logins per user-id and per address. They do not lock out existing logins.

use std::sync::{Mutex, atomic::AtomicBool};

use actix_basic_logout::{Throttle, ThrottleBuilder, ThrottleError, Verdict};
use actix_web::error::{ErrorServiceUnavailable, ErrorUnauthorized};
use tokio::sync::Notify;

use super::*;
use crate::support::log::Log;

mod addresses;
mod attacks;
mod known_networks;
mod oracles;

const MINUTE: Duration = Duration::from_secs(60);

type Users = Box<dyn Fn(&BasicAuth) -> bool + Send + Sync>;
type Throttled = Throttle<Counted>;

/// An authenticator that counts its checks. By default it accepts the password "wonderland".
#[derive(Clone)]
struct Counted {
    checks: Arc<AtomicU64>,
    knows: Arc<Mutex<Users>>,
    down: Arc<AtomicBool>,
    /// Holds each check until it is notified.
    held: Option<Arc<Notify>>,
}

impl Counted {
    fn new() -> Self {
        let knows: Users = Box::new(|it| it.password() == Some("wonderland"));
        let (checks, down) = <_>::default();
        Self { checks, knows: Arc::new(Mutex::new(knows)), down, held: None }
    }

    fn checks(&self) -> u64 {
        self.checks.load(Relaxed)
    }
}

impl actix_basic_logout::Authenticator for Counted {
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
            Ok(self.knows.lock().expect("unpoisoned")(credentials).into())
        })
    }
}

/// Limits of three failures per user-id and one more each minute, and of five failures per address.
fn limits(users: &Counted, watch: &Watch) -> ThrottleBuilder<Counted> {
    Throttle::builder(users.clone())
        .clock(watch.instant())
        .per_user_id(3, MINUTE)
        .per_address(5, MINUTE)
}

/// A throttle with these limits, without trusted proxies.
fn throttle_of_three(users: &Counted, watch: &Watch) -> Throttled {
    limits(users, watch).build().expect("limits")
}

async fn site_of(throttle: Throttled, watch: &Watch) -> Site {
    let login = BasicLogin::builder("Admin area", throttle).landing_path("/admin/");
    site(&login.clock(watch.system_time()).build().expect("a realm")).await
}

/// A non-browser client at an address.
fn from(address: &str) -> TestRequest {
    non_browser("/admin/").peer_addr(format!("{address}:999").parse().expect("an address"))
}

async fn status_of(site: &Site, req: TestRequest, user_id: &str, password: &str) -> u16 {
    ask(site, req.insert_header(basic(user_id, password))).await.status.as_u16()
}

#[actix_web::test]
async fn failed_logins_of_a_user_id_are_limited() {
    let (users, watch) = (Counted::new(), Watch::new());
    let site = site_of(throttle_of_three(&users, &watch), &watch).await;
    for number in 0..3 {
        let address = format!("1.2.3.{number}");
        assert_eq!(status_of(&site, from(&address), "alice", "x").await, 401);
    }
    assert_eq!(users.checks(), 3);
    for password in ["x", "wonderland"] {
        let req = from("1.2.3.9").insert_header(basic("alice", password));
        let answer = ask(&site, req).await;
        assert_eq!(answer.status, StatusCode::TOO_MANY_REQUESTS);
        assert_eq!(answer.header("Retry-After"), Some("60"));
        assert_eq!((answer.challenge(), answer.cookies.len()), (None, 0));
        assert!(answer.body.starts_with("Too many attempts. "), "{}", answer.body);
    }
    assert_eq!(users.checks(), 3, "no hash was computed");
    assert_eq!(status_of(&site, from("1.2.3.9"), "bob", "wonderland").await, 200);
    watch.set(59);
    assert_eq!(status_of(&site, from("1.2.3.9"), "alice", "wonderland").await, 429);
    watch.set(60);
    assert_eq!(status_of(&site, from("1.2.3.9"), "alice", "x").await, 401, "one more");
    assert_eq!(status_of(&site, from("1.2.3.9"), "alice", "wonderland").await, 429);
    watch.set(120);
    assert_eq!(status_of(&site, from("1.2.3.9"), "alice", "wonderland").await, 200);
}

#[actix_web::test]
async fn throttle_counts_user_ids_case_insensitively() {
    let (users, watch) = (Counted::new(), Watch::new());
    let site = site_of(throttle_of_three(&users, &watch), &watch).await;
    for user_id in ["alice", "Alice", " ALICE "] {
        assert_eq!(status_of(&site, non_browser("/admin/"), user_id, "x").await, 401);
    }
    assert_eq!(status_of(&site, non_browser("/admin/"), "alicE", "x").await, 429);
}

#[actix_web::test]
async fn valid_credentials_do_not_count_towards_the_limits() {
    let (users, watch) = (Counted::new(), Watch::new());
    let site = site_of(throttle_of_three(&users, &watch), &watch).await;
    for _ in 0..100 {
        assert_eq!(status_of(&site, from("1.2.3.4"), "alice", "wonderland").await, 200);
    }
    for status in [401, 401, 401, 429] {
        assert_eq!(status_of(&site, from("1.2.3.4"), "alice", "x").await, status);
    }
}

#[actix_web::test]
async fn checks_that_end_in_an_error_count_as_failures() {
    let (users, watch) = (Counted::new(), Watch::new());
    let site = site_of(throttle_of_three(&users, &watch), &watch).await;
    users.down.store(true, Relaxed);
    for status in [503, 503, 503, 429, 429] {
        assert_eq!(status_of(&site, from("1.2.3.4"), "alice", "wonderland").await, status);
    }
    users.down.store(false, Relaxed);
    watch.set(60);
    for _ in 0..10 {
        let status = status_of(&site, from("1.2.3.4"), "alice", "wonderland").await;
        assert_eq!(status, 200, "after one interval");
    }
}

#[actix_web::test]
async fn unauthorized_error_counts_as_a_wrong_password() {
    let watch = Watch::new();
    let users = async |_: &HttpRequest, _: &BasicAuth| Err::<bool, _>(ErrorUnauthorized("no"));
    let throttle = Throttle::builder(users).clock(watch.instant()).per_user_id(1, MINUTE);
    let login = BasicLogin::builder("Admin area", throttle.build().expect("a limit"));
    let site = site(&login.build().expect("a realm")).await;
    assert_eq!(status_of(&site, non_browser("/admin/"), "alice", "x").await, 401);
    assert_eq!(status_of(&site, non_browser("/admin/"), "alice", "x").await, 429);
}

#[actix_web::test]
async fn existing_login_is_not_limited_while_others_guess_its_password() {
    let (users, watch) = (Counted::new(), Watch::new());
    let site = site_of(throttle_of_three(&users, &watch), &watch).await;
    let logged_in = log_in(&site).await;
    let visit = || page("/admin/").cookie(logged_in.clone()).insert_header(alice());
    watch.set(300);
    for status in [401, 401, 401, 429] {
        assert_eq!(status_of(&site, from("6.6.6.6"), "alice", "x").await, status);
    }
    // Verification of the login's password is due, and succeeds.
    let checks = users.checks();
    assert_eq!(ask(&site, visit()).await.status, StatusCode::OK);
    assert_eq!(users.checks(), checks + 1);
    *users.knows.lock().expect("unpoisoned") = Box::new(|_| false);
    watch.set(600);
    assert_eq!(ask(&site, visit()).await.challenge(), Some(CHALLENGE), "the password changed");
}

#[actix_web::test]
async fn stolen_session_does_not_bypass_the_limits() {
    let (users, watch) = (Counted::new(), Watch::new());
    let site = site_of(throttle_of_three(&users, &watch), &watch).await;
    let stolen = log_in(&site).await;
    for status in [401, 401, 401, 429] {
        let guess = page("/admin/").cookie(stolen.clone());
        assert_eq!(status_of(&site, guess, "alice", "x").await, status);
    }
}

#[actix_web::test]
async fn limited_browser_login_shows_a_page_and_does_not_prompt_again() {
    let (users, watch) = (Counted::new(), Watch::new());
    let site = site_of(throttle_of_three(&users, &watch), &watch).await;
    let in_dialog = ask(&site, page("/admin/")).await.session();
    let typed =
        |it: &str| page("/admin/").cookie(in_dialog.clone()).insert_header(basic("alice", it));
    for _ in 0..3 {
        assert_eq!(ask(&site, typed("x")).await.challenge(), Some(CHALLENGE));
    }
    let answer = ask(&site, typed("wonderland")).await;
    assert_eq!(answer.status, StatusCode::TOO_MANY_REQUESTS);
    assert!(answer.body.contains("<h1>Too many attempts</h1>"), "{}", answer.body);
    assert!(answer.body.contains("Try again in 60 seconds."), "{}", answer.body);
    watch.set(60);
    assert_eq!(ask(&site, typed("wonderland")).await.body, "alice", "no second prompt");
}

#[actix_web::test]
async fn concurrent_guesses_do_not_exceed_the_limit() {
    let (mut users, watch) = (Counted::new(), Watch::new());
    let held = Arc::new(Notify::new());
    users.held = Some(Arc::clone(&held));
    let site = site_of(throttle_of_three(&users, &watch), &watch).await;
    let guess = || Box::pin(status_of(&site, non_browser("/admin/"), "alice", "x"));
    let mut guesses: Vec<_> = (0..50).map(|_| guess()).collect();
    assert!(guesses.iter_mut().all(|it| poll_once(it).is_none()), "some are checked, some wait");
    assert_eq!(users.checks(), 3);
    held.notify_waiters();
    let mut statuses = Vec::new();
    for guess in guesses {
        statuses.push(guess.await);
    }
    assert_eq!(users.checks(), 3);
    assert_eq!(statuses.iter().filter(|it| **it == 401).count(), 3);
    assert_eq!(statuses.iter().filter(|it| **it == 429).count(), 47);
}

#[actix_web::test]
async fn concurrent_valid_logins_all_succeed() {
    let (mut users, watch) = (Counted::new(), Watch::new());
    let held = Arc::new(Notify::new());
    users.held = Some(Arc::clone(&held));
    let site = site_of(throttle_of_three(&users, &watch), &watch).await;
    let one = |number| {
        let site = &site;
        let user_id = format!("user{number}");
        Box::pin(async move { status_of(site, from("1.2.3.4"), &user_id, "wonderland").await })
    };
    let mut waiting: Vec<_> = (0..200).map(one).collect();
    let mut let_in = 0;
    for _ in 0..1000 {
        waiting.retain_mut(|it| match poll_once(it) {
            None => true,
            Some(status) => {
                assert_eq!(status, 200);
                let_in += 1;
                false
            }
        });
        held.notify_waiters();
    }
    assert_eq!((let_in, users.checks()), (200, 200));
}

#[actix_web::test]
async fn abandoned_attempt_wakes_those_that_wait_for_it() {
    let (mut users, watch) = (Counted::new(), Watch::new());
    let held = Arc::new(Notify::new());
    users.held = Some(Arc::clone(&held));
    let site = site_of(throttle_of_three(&users, &watch), &watch).await;
    let guess = |password| Box::pin(status_of(&site, non_browser("/admin/"), "alice", password));
    let mut three: Vec<_> = (0..3).map(|_| guess("x")).collect();
    assert!(three.iter_mut().all(|it| poll_once(it).is_none()));
    let mut waits = guess("wonderland");
    assert!(poll_once(&mut waits).is_none());
    assert_eq!(users.checks(), 3);
    drop(three);
    assert_eq!(poll_once(&mut waits), Some(429), "all three count as failures");
}

#[actix_web::test]
async fn throttle_queue_is_bounded_and_times_out() {
    let (mut users, watch) = (Counted::new(), Watch::new());
    users.held = Some(Arc::default());
    let site = site_of(throttle_of_three(&users, &watch), &watch).await;
    let guess = |user_id: &str| {
        Box::pin(ask(&site, non_browser("/admin/").insert_header(basic(user_id, "x"))))
    };
    let user_ids: Vec<_> = (0..5 * (3 + 200)).map(|it| format!("user{}", it % 5)).collect();
    let mut guesses: Vec<_> = user_ids.iter().map(|it| guess(it)).collect();
    assert!(guesses.iter_mut().all(|it| poll_once(it).is_none()));
    let mut others: Vec<_> = (0..3).map(|_| guess("alice")).collect();
    assert!(others.iter_mut().all(|it| poll_once(it).is_none()), "these need not wait");
    let one_more = poll_once(&mut guess("alice")).expect("an answer without waiting");
    assert_eq!(one_more.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(one_more.header("Retry-After"), Some("10"));
    assert_eq!(users.checks(), 6 * 3);
    let last = guesses.pop().expect("many");
    guesses.truncate(5 * 3);
    // Tokio advances the paused clock when all tasks are waiting.
    tokio::time::pause();
    let answer = tokio::time::timeout(MINUTE, last).await.expect("an answer in time");
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(users.checks(), 6 * 3);
}

#[actix_web::test]
async fn default_limits_are_ten_per_user_id_and_fifty_per_address() {
    let (users, watch) = (Counted::new(), Watch::new());
    let throttle = Throttle::builder(users.clone()).clock(watch.instant()).build();
    let site = site_of(throttle.expect("the defaults"), &watch).await;
    for _ in 0..10 {
        assert_eq!(status_of(&site, from("1.2.3.4"), "alice", "x").await, 401);
    }
    assert_eq!(status_of(&site, from("1.2.3.5"), "alice", "x").await, 429);
    for number in 0..40 {
        let user_id = format!("user{number}");
        assert_eq!(status_of(&site, from("1.2.3.4"), &user_id, "x").await, 401);
    }
    for (seconds, of_address, of_user_id) in [(9, 429, 429), (10, 401, 429), (60, 401, 401)] {
        watch.set(seconds);
        assert_eq!(status_of(&site, from("1.2.3.4"), "bob", "x").await, of_address);
        assert_eq!(status_of(&site, from("1.2.3.5"), "alice", "x").await, of_user_id);
    }
}

#[actix_web::test]
async fn abandoned_attempts_count_as_failures() {
    let (mut users, watch) = (Counted::new(), Watch::new());
    users.held = Some(Arc::default());
    let site = site_of(throttle_of_three(&users, &watch), &watch).await;
    for number in 0..5 {
        let address = format!("1.2.{number}.4");
        let mut guess = Box::pin(status_of(&site, from(&address), "alice", "x"));
        let limited = poll_once(&mut guess);
        assert_eq!(limited, (number >= 3).then_some(429), "the limit of a user-id");
    }
    for number in 0..8 {
        let user_id = format!("user{number}");
        let mut guess = Box::pin(status_of(&site, from("6.6.6.6"), &user_id, "x"));
        let limited = poll_once(&mut guess);
        assert_eq!(limited, (number >= 5).then_some(429), "the limit of an address");
    }
    assert_eq!(users.checks(), 3 + 5, "each attempt computed a hash");
}

#[actix_web::test]
async fn reached_limit_is_logged_once_and_without_a_secret() {
    let (users, watch) = (Counted::new(), Watch::new());
    let (log, guard) = Log::capture();
    let throttle = throttle_of_three(&users, &watch);
    let shown = format!("{throttle:?}");
    let site = site_of(throttle, &watch).await;
    for _ in 0..10 {
        status_of(&site, from("1.2.3.4"), "alice", "looking-glass").await;
    }
    for _ in 0..10 {
        status_of(&site, from("1.2.3.4"), "bob", "looking-glass").await;
    }
    drop(guard);
    let text = log.text();
    assert_eq!(log.count("too many failed logins of this user-id"), 1, "{text}");
    assert_eq!(log.count("too many failed logins from this address"), 1, "{text}");
    assert!(text.contains("user=\"alice\" address=Some(1.2.3.4)"), "{text}");
    assert!(!text.contains("looking-glass"), "{text}");
    assert!(shown.contains("per_user_id"), "{shown}");
}

#[actix_web::test]
async fn clones_of_a_throttle_share_their_limits() {
    let (users, watch) = (Counted::new(), Watch::new());
    let throttle = throttle_of_three(&users, &watch);
    let one = site_of(throttle.clone(), &watch).await;
    let other = site_of(throttle, &watch).await;
    for site in [&one, &other, &one] {
        assert_eq!(status_of(site, non_browser("/admin/"), "alice", "x").await, 401);
    }
    assert_eq!(status_of(&other, non_browser("/admin/"), "alice", "x").await, 429);
}

#[test]
fn invalid_throttle_options_are_errors() {
    let throttle = || Throttle::builder(Counted::new());
    for error in [
        throttle().per_user_id(0, MINUTE).build().expect_err("zero"),
        throttle().per_user_id(1, Duration::ZERO).build().expect_err("zero"),
        throttle().per_address(0, MINUTE).build().expect_err("zero"),
        throttle().per_address(1, Duration::ZERO).build().expect_err("zero"),
    ] {
        assert_eq!(error, ThrottleError::ZeroLimit);
        assert!(error.to_string().starts_with("a rate limit is zero"));
    }
    let error = throttle().trusted_proxies(["10.0.0.0/8", "10.0.0.1/8"]).build();
    let error = error.expect_err("bits");
    assert!(matches!(error, ThrottleError::InvalidNetwork { text, .. } if text == "10.0.0.1/8"));
}
