//! The memory that visitors and logins leave behind: `cargo bench -p benchmarks --bench memory`.
//!
//! It measures a million of each:
//!
//! - logouts, each of another login;
//! - wrong passwords, each with another user-id and address;
//! - valid logins, in eight networks of each user;
//! - guesses, each with the session of another logout without a login;
//! - non-browser clients, each with other credentials;
//! - logins that are used;
//! - visitors who were prompted and left, with sessions in cookies and in a real Redis (it needs
//!   `redis-server` and `redis-cli`).
//!
//! It fails if one of these takes more memory than documented, or if a request of a logged-in user
//! makes more allocations after the logouts than before.

#![expect(clippy::print_stdout, reason = "a benchmark")]

use std::{
    net::{Ipv4Addr, SocketAddr},
    process::ExitCode,
    time::Duration,
};

use actix_basic_logout::{BasicLogin, CredentialCache, Throttle};
use actix_session::storage::RedisSessionStore;
use actix_web::{App, HttpRequest, rt, test};
use actix_web_httpauth::extractors::basic::BasicAuth;
use allocation_counter::measure;
use benchmarks::{
    LOGOUT, PAGE, Site, Visitor, browser_in, page, private_cookie, realm, redis::Redis, session,
    site,
};
use futures_util::{StreamExt, stream};

const MANY: u32 = 1_000_000;
const MB: f64 = 1e6;

/// The documented capacities and bounds.
const REVOKED_LOGINS: (f64, f64) = (100_000.0, 20.0 * MB);
const FAILURES: (f64, f64) = (2.0 * 229_376.0, 32.0 * MB);
const KNOWN_NETWORKS: (f64, f64) = (50_000.0, 20.0 * MB);
const GUESSES: (f64, f64) = (100_000.0, 30.0 * MB);
const CACHED: (f64, f64) = (10_000.0, 4.0 * MB);
const PASS_CACHE: (f64, f64) = (1_000.0, 1.5 * MB);
const IN_REDIS: f64 = 1_000.0;

/// Runs `visit` a million times. Prints the memory that stays: in all, and divided by the capacity.
/// Returns whether it is within the bound.
fn is_bounded(what: &str, (capacity, bound): (f64, f64), mut visit: impl FnMut(u32)) -> bool {
    let first = measure(|| (0..capacity as u32).for_each(&mut visit)).bytes_current as f64;
    let rest = measure(|| (capacity as u32..MANY).for_each(&mut visit)).bytes_current as f64;
    let all = first + rest;
    println!("| {what} | {:.0} | {:.1} MB | {:.1} MB |", all / capacity, all / MB, bound / MB);
    all <= bound
}

/// The number of allocations of a logged-in user's request.
fn allocations(site: &Site, browser: &Visitor) -> u64 {
    let request = browser.request(PAGE);
    let mut answer = None;
    let counted = measure(|| answer = Some(site.serve(request))).count_total;
    assert_eq!(benchmarks::status(&answer.expect("an answer")), 200);
    counted
}

/// Another address for each number.
fn from(number: u32) -> SocketAddr {
    SocketAddr::from((Ipv4Addr::from_bits(0x0a00_0000 + number), 40_000))
}

/// Measures visitors who are prompted and leave, with sessions in Redis.
async fn in_redis() -> bool {
    let redis = Redis::start().await;
    let store = RedisSessionStore::new(&redis.url).await.expect("Redis answers");
    let login = realm().build().expect("a realm");
    let app = App::new()
        .service(page().wrap(login))
        .wrap(session(store, actix_session::config::CookieContentSecurity::Private));
    let app = test::init_service(app).await;
    let before = redis.used_memory();
    stream::iter(0..MANY)
        .for_each_concurrent(64, async |_| {
            let answer = test::call_service(&app, Visitor::browser().request(PAGE)).await;
            assert_eq!(answer.status(), 401);
        })
        .await;
    let all = redis.used_memory() - before;
    let each = all / f64::from(MANY);
    println!(
        "| visitors who were prompted and left, in Redis | {each:.0} | {:.1} MB | {IN_REDIS:.0} bytes \
         each |",
        all / MB
    );
    each <= IN_REDIS
}

fn main() -> ExitCode {
    println!("| a million of | bytes each | total | documented bound |");
    println!("|---|---|---|---|");
    let (_, place) = site(realm(), private_cookie());
    let browser = browser_in(&place);
    allocations(&place, &browser);
    let before = allocations(&place, &browser);

    let mut holds = is_bounded("logouts", REVOKED_LOGINS, |_| {
        assert_eq!(place.visit(&mut browser_in(&place).post(), LOGOUT), 401);
    });
    let after = allocations(&place, &browser);

    let users = Throttle::new(async |_: &HttpRequest, _: &BasicAuth| Ok(false));
    let (_, throttled) = site(BasicLogin::builder("Throttled", users), private_cookie());
    holds &=
        is_bounded("wrong passwords, each with another user-id and address", FAILURES, |number| {
            let mut curl = Visitor::non_browser().with(&format!("user{number}"), "looking-glass");
            curl.from = Some(from(number));
            assert_eq!(throttled.visit(&mut curl, PAGE), 401);
        });

    let users = Throttle::new(async |_: &HttpRequest, _: &BasicAuth| Ok(true));
    let (_, throttled) = site(BasicLogin::builder("Known networks", users), private_cookie());
    holds &= is_bounded("users with known networks", KNOWN_NETWORKS, |number| {
        for network in 0..8 {
            let mut curl = Visitor::non_browser().with(&format!("user{number}"), "wonderland");
            curl.from = Some(from(8 * number + network));
            assert_eq!(throttled.visit(&mut curl, PAGE), 200);
        }
    });

    let (_, guessed) = site(realm(), private_cookie());
    holds &= is_bounded("sessions with guesses", GUESSES, |number| {
        // A logout by `fetch` leaves a session that knows these credentials.
        let mut fetch = Visitor::browser().header("sec-fetch-mode", "cors").post();
        fetch = fetch.with(&format!("user{number}"), "x");
        assert_eq!(guessed.visit(&mut fetch, LOGOUT), 204);
        let mut guess = fetch.with("mallory", "x");
        assert_eq!(guessed.visit(&mut guess, PAGE), 401);
    });

    let users = CredentialCache::new(
        async |_: &HttpRequest, _: &BasicAuth| Ok(true),
        Duration::from_secs(60 * 60),
    );
    let (_, cached) = site(BasicLogin::builder("Cached", users), private_cookie());
    holds &= is_bounded("non-browser clients with `CredentialCache`", CACHED, |number| {
        let mut curl = Visitor::non_browser().with(&format!("user{number}"), "wonderland");
        assert_eq!(cached.visit(&mut curl, PAGE), 200);
    });

    let (_, busy) = site(realm(), private_cookie());
    holds &= is_bounded("logged-in users who open pages", PASS_CACHE, |_| {
        assert_eq!(busy.visit(&mut browser_in(&busy), PAGE), 200);
    });

    let visitors = measure(|| {
        for _ in 0..MANY {
            assert_eq!(place.visit(&mut Visitor::browser(), PAGE), 401);
        }
    });
    println!(
        "| visitors who were prompted and left, in cookies | {} | {} | nothing |",
        visitors.bytes_current / i64::from(MANY),
        visitors.bytes_current,
    );
    holds &= visitors.bytes_current <= 0;
    holds &= rt::System::new().block_on(in_redis());

    println!(
        "\nA request of a logged-in user makes {before} allocations, and {after} after the logouts."
    );
    if holds && before == after { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
