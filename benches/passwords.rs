//! The cost of password checks for logged-in users, and what their timing reveals.
//!
//! `cargo bench -p benchmarks --bench passwords` starts two sites with the same users, whose passwords
//! are hashed by Argon2id (19 MiB, two passes, one lane). One is guarded by
//! `HttpAuthentication::basic`, whose validator computes the hash where it runs, on the worker, as
//! validators do that do nothing about it. The other is guarded by `BasicLogin` with `Users`. It
//! measures, over loopback and with connections that are kept:
//!
//! 1. how long fifty users who are logged in wait for a page that each of them asks for once a second,
//!    at rest and while two hundred others log in at once;
//! 2. how long a wrong password takes, of each user and of nobody. It fails if two of these medians
//!    differ by more than 5 %.
//!
//! The clients run on the same machine, and take their part of it in all of them.

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
const AT_WORK: usize = 50;
const EACH: Duration = Duration::from_secs(1);
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

/// A browser that has the dialog open, with what is typed into it.
async fn typed(address: SocketAddr, number: usize) -> Client {
    let mut browser = Client::new(address, BROWSER).await;
    assert_eq!(browser.get(PAGE).await, 401);
    browser.type_in(&user(number), PASSWORD);
    browser
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    Rest,
    Storm,
    Neither,
    Over,
}

/// How long those who are logged in waited, sorted.
struct Waits {
    at_rest: Vec<Duration>,
    in_storms: Vec<Duration>,
    /// From the first login of a storm to the last, on average.
    all_in_after: Duration,
}

fn percentile(sorted: &[Duration], percent: usize) -> Duration {
    sorted[(sorted.len() * percent / 100).min(sorted.len() - 1)]
}

/// Some are at work, at rest and while many others log in at once. A wait is counted from when the
/// request should have been sent: what has to wait for the one before is not left out.
async fn waits(address: SocketAddr) -> Waits {
    let phase = Rc::new(Cell::new(Phase::Neither));
    let start = Instant::now() + EACH;
    let mut at_work = Vec::new();
    for number in 0..AT_WORK {
        let mut browser = typed(address, number).await;
        assert_eq!(browser.get(PAGE).await, 200);
        let phase = Rc::clone(&phase);
        at_work.push(rt::spawn(async move {
            let mut waits = Vec::new();
            let mut due = start + EACH * u32::try_from(number).unwrap() / AT_WORK as u32;
            loop {
                rt::time::sleep_until(due.into()).await;
                let at = phase.get();
                if at == Phase::Over {
                    return waits;
                }
                assert_eq!(browser.get(PAGE).await, 200);
                waits.push((at, due.elapsed()));
                due += EACH;
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
            browsers.push(typed(address, number).await);
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
    for browser in at_work {
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

/// The medians of how long a wrong password takes for each of these, asked in turn over one
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
            // Nobody always comes first.
            let of = (round + turn) % user_ids.len();
            client.headers.clone_from(&headers);
            client.type_in(user_ids[of], "looking-glass");
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

/// Measures, prints the medians, and answers whether nobody can tell them apart.
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
    // A machine that is busy with other things must not run into the limit of ten seconds.
    let limiter = HashLimiter::builder().queue_timeout(Duration::from_secs(60)).build().unwrap();
    println!("{} cores; {limiter:?}", thread::available_parallelism().unwrap());
    let users = || {
        let users = Users::hashed((0..LOGINS).map(|it| (user(it), stored.clone())));
        users.unwrap().hash_limiter(limiter.clone())
    };
    let (naive, own) = (naive(), ours(users()));

    println!("\n1. {AT_WORK} users at work wait (median, 99th percentile):");
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
