//! The cost of password checks for logged-in users, and what their timing reveals.
//!
//! `cargo bench -p benchmarks --bench passwords` starts two sites with the same users, whose
//! passwords are hashed by Argon2id (19 MiB, two passes, one lane). One site uses
//! `HttpAuthentication::basic`, whose validator computes the hash on the worker thread, as simple
//! validators do. The other uses `BasicLogin` with `Users`. The benchmark measures over loopback,
//! with persistent connections:
//!
//! 1. how long fifty logged-in users wait for a page that each requests once a second, at rest
//!    and while two hundred other users log in at the same time;
//! 2. how long a wrong password takes for each user and for an unknown user. It fails if two of
//!    these medians differ by more than 5 %.
//!
//! The clients run on the same machine and share its cores in all measurements.

#![expect(clippy::print_stdout, reason = "a benchmark")]

use std::{
    cell::Cell,
    net::SocketAddr,
    process::ExitCode,
    rc::Rc,
    thread,
    time::{Duration, Instant},
};

use actix_basic_logout::{BasicLogin, HashLimiter, User, Users};
use actix_session::{SessionMiddleware, storage::CookieSessionStore};
use actix_web::{App, HttpServer, cookie::Key, rt, web};
use actix_web_httpauth::middleware::HttpAuthentication;
use benchmarks::{
    PAGE, PASSWORD, argon2id,
    client::{BROWSER, Client},
};

const LOGINS: usize = 200;
const LOGGED_IN: usize = 50;
const INTERVAL: Duration = Duration::from_secs(1);
const REST: Duration = Duration::from_secs(20);
const STORMS: usize = 10;

fn user(number: usize) -> String {
    format!("user{number}")
}

fn naive() -> SocketAddr {
    let factory = move || {
        let guard = HttpAuthentication::basic(argon2id::validator);
        App::new().service(web::resource(PAGE).wrap(guard).get(async || "admin"))
    };
    let server = HttpServer::new(factory).keep_alive(Duration::from_secs(600)).disable_signals();
    let server = server.bind(("127.0.0.1", 0)).unwrap();
    let address = server.addrs()[0];
    rt::spawn(server.run());
    address
}

fn ours(users: Users) -> SocketAddr {
    let login = BasicLogin::builder("Admin area", users).build().unwrap();
    let key = Key::generate();
    let factory = move || {
        let session = SessionMiddleware::builder(CookieSessionStore::default(), key.clone());
        App::new()
            .service(web::resource(PAGE).wrap(login.clone()).get(async |_: User| "admin"))
            .wrap(session.cookie_secure(false).build())
    };
    let server = HttpServer::new(factory).keep_alive(Duration::from_secs(600)).disable_signals();
    let server = server.bind(("127.0.0.1", 0)).unwrap();
    let address = server.addrs()[0];
    rt::spawn(server.run());
    address
}

/// A browser that was prompted and whose next request sends the credentials.
async fn prompted(address: SocketAddr, number: usize) -> Client {
    let mut browser = Client::new(address, BROWSER).await;
    assert_eq!(browser.get(PAGE).await, 401);
    browser.add_credentials(&user(number), PASSWORD);
    browser
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    Rest,
    Storm,
    Neither,
    Over,
}

/// The waiting times of the logged-in users, sorted.
struct Waits {
    at_rest: Vec<Duration>,
    in_storms: Vec<Duration>,
    /// The time from the first login of a storm to the last, on average.
    all_in_after: Duration,
}

fn percentile(sorted: &[Duration], percent: usize) -> Duration {
    sorted[(sorted.len() * percent / 100).min(sorted.len() - 1)]
}

/// Measures how long logged-in users wait, at rest and while many others log in at the same time. A
/// wait counts from the time when the request should have been sent, so it includes delays by the
/// request before.
async fn waits(address: SocketAddr) -> Waits {
    let phase = Rc::new(Cell::new(Phase::Neither));
    let start = Instant::now() + INTERVAL;
    let mut logged_in = Vec::new();
    for number in 0..LOGGED_IN {
        let mut browser = prompted(address, number).await;
        assert_eq!(browser.get(PAGE).await, 200);
        let phase = Rc::clone(&phase);
        logged_in.push(rt::spawn(async move {
            let mut waits = Vec::new();
            let mut due = start + INTERVAL * u32::try_from(number).unwrap() / LOGGED_IN as u32;
            loop {
                rt::time::sleep_until(due.into()).await;
                let at = phase.get();
                if at == Phase::Over {
                    return waits;
                }
                assert_eq!(browser.get(PAGE).await, 200);
                waits.push((at, due.elapsed()));
                due += INTERVAL;
            }
        }));
    }
    rt::time::sleep_until(start.into()).await;
    phase.set(Phase::Rest);
    rt::time::sleep(REST).await;
    let mut all_in_after = Duration::ZERO;
    for _ in 0..STORMS {
        phase.set(Phase::Neither);
        let mut browsers = Vec::new();
        for number in 0..LOGINS {
            browsers.push(prompted(address, number).await);
        }
        phase.set(Phase::Storm);
        let start = Instant::now();
        let log_in = |mut browser: Client| {
            rt::spawn(async move { assert_eq!(browser.get(PAGE).await, 200) })
        };
        for login in browsers.into_iter().map(log_in).collect::<Vec<_>>() {
            login.await.unwrap();
        }
        all_in_after += start.elapsed();
    }
    phase.set(Phase::Over);
    let mut all = Vec::new();
    for browser in logged_in {
        all.extend(browser.await.unwrap());
    }
    let during = |phase| {
        let waits = all.iter().filter(|(at, _)| *at == phase);
        let mut waits: Vec<_> = waits.map(|(_, wait)| *wait).collect();
        waits.sort_unstable();
        waits
    };
    Waits {
        at_rest: during(Phase::Rest),
        in_storms: during(Phase::Storm),
        all_in_after: all_in_after / STORMS as u32,
    }
}

/// The median time of a wrong password for each of these user-ids, sent in turn over one
/// connection.
async fn wrong_password_takes(
    address: SocketAddr,
    user_ids: &[&str],
    samples: usize,
) -> Vec<Duration> {
    let mut client = Client::new(address, "User-Agent: bench\r\n").await;
    let headers = client.headers.clone();
    let mut taken = vec![Vec::new(); user_ids.len()];
    // The first round warms up.
    for round in 0..=samples {
        for turn in 0..user_ids.len() {
            // Each user-id comes first equally often.
            let of = (round + turn) % user_ids.len();
            client.headers.clone_from(&headers);
            client.add_credentials(user_ids[of], "looking-glass");
            let start = Instant::now();
            assert_eq!(client.get(PAGE).await, 401);
            if round > 0 {
                taken[of].push(start.elapsed());
            }
        }
    }
    let median = |mut taken: Vec<Duration>| {
        taken.sort_unstable();
        taken[samples / 2]
    };
    taken.into_iter().map(median).collect()
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}

/// Measures and prints the medians. Returns whether their differences are too small for user
/// enumeration.
async fn alike(what: &str, users: Users, user_ids: &[&str], samples: usize) -> bool {
    let medians = wrong_password_takes(ours(users), user_ids, samples).await;
    println!("\n2. A wrong password takes, {what} (medians of {samples}):");
    for (user_id, median) in user_ids.iter().zip(&medians) {
        println!("   {user_id:<25} {:9.3} ms", millis(*median));
    }
    let (least, most) = (medians.iter().min().unwrap(), medians.iter().max().unwrap());
    let apart = (most.as_secs_f64() / least.as_secs_f64() - 1.0) * 100.0;
    println!("   they differ by {apart:.1} %");
    apart <= 5.0
}

#[actix_web::main]
async fn main() -> ExitCode {
    let stored = argon2id::stored();
    // A busy machine must not reach the default timeout of ten seconds.
    let limiter = HashLimiter::builder().queue_timeout(Duration::from_secs(60)).build().unwrap();
    println!("{} cores; {limiter:?}", thread::available_parallelism().unwrap());
    let users = || {
        let users = Users::hashed((0..LOGINS).map(|it| (user(it), stored.clone())));
        users.unwrap().hash_limiter(limiter.clone())
    };
    let (naive, own) = (naive(), ours(users()));

    println!("\n1. {LOGGED_IN} logged-in users wait (median, 99th percentile):");
    for (name, address) in
        [("HttpAuthentication::basic", naive), ("BasicLogin               ", own)]
    {
        let Waits { at_rest, in_storms, all_in_after } = waits(address).await;
        for (when, waits) in [("at rest           ", &at_rest), ("while others log in", &in_storms)]
        {
            let (median, p99) = (percentile(waits, 50), percentile(waits, 99));
            let (median, p99, of) = (millis(median), millis(p99), waits.len());
            println!("   {name} {when} {median:9.2} ms {p99:9.2} ms   of {of} requests");
        }
        let times = millis(percentile(&in_storms, 99)) / millis(percentile(&at_rest, 99));
        println!("   {name} 99th percentiles: {times:.1} times as long");
        let seconds = all_in_after.as_secs_f64();
        println!("   {name} {LOGINS} users are logged in after {seconds:.1} s");
    }

    let bcrypt = "$2y$10$qqxtSNcE5L3nZxkNayxMDOGS1/Xpv5quGRK8y21J1utjVbTHTJ5Au";
    let mixed = Users::hashed([("of-argon2id", &*stored), ("of-bcrypt", bcrypt)]).unwrap();
    let clear = Users::plaintext((0..LOGINS).map(|it| (user(it), PASSWORD))).unwrap();
    let two = ["user0", "nobody"];
    let mut are_alike = alike("all hashed by Argon2id", users(), &two, 200).await;
    let three = ["of-argon2id", "of-bcrypt", "nobody"];
    are_alike &= alike("hashed by Argon2id and by bcrypt", mixed, &three, 150).await;
    let three = ["user0", "user199", "nobody"];
    are_alike &= alike("with plaintext passwords", clear, &three, 10_000).await;

    if are_alike { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
