//! The effect of a flood of requests without a login on the server and on its users:
//! `cargo bench -p benchmarks --bench flood`.
//!
//! It builds the demo in release mode. For each kind of request it starts a new demo, once with
//! sessions in cookies and once with its own Redis (it needs `redis-server` and `redis-cli`). It
//! sends a million requests over persistent connections, as fast as the server answers, for at most
//! 10 seconds. Meanwhile a logged-in user requests a page a hundred times a second. It measures the
//! memory of the demo, the data in Redis, and how long the logged-in user waits.
//!
//! It fails if the memory or the data grows beyond the documented bounds, if a login ends, or if an
//! ended login comes back.
//!
//! `FLOOD_REQUESTS` sets the number of requests, `FLOOD_SECONDS` the limit, and `FLOOD_ONLY` a part of the names of the kinds
//! to run. `cargo test -p benchmarks --bench flood` sends three hundred of each kind to a debug build. Clients and servers share
//! the machine.

#![expect(clippy::print_stdout, reason = "a benchmark")]

use std::{
    env,
    net::SocketAddr,
    path::PathBuf,
    process::ExitCode,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, Ordering::SeqCst},
    },
    thread,
    time::{Duration, Instant},
};

use actix_web::rt::{self, System};
use benchmarks::{
    LOGOUT, PAGE, PASSWORD,
    client::{BROWSER, Client},
    demo::{self, Demo},
    redis::Redis,
};

const THREADS: u32 = 2;
const CONNECTIONS: u32 = 8;
/// How often the logged-in user requests a page.
const INTERVAL: Duration = Duration::from_millis(10);
/// The length of a long header. A request head has at most 128 KiB.
const LONG: usize = 100_000;

/// The documented bounds: entries of the revocation list in memory, and of what a request leaves in
/// Redis.
const MEMORY: f64 = 20e6;
const BYTES_EACH: f64 = 1_500.0;
/// The times to live in seconds. That of a record is rounded up.
const SESSION_TTL: u64 = 15 * 60;
const RECORD_TTL: u64 = 20 * 60 + 1;
/// Memory that does not grow with the number of requests: buffers of the connections, and of the
/// allocator.
const BUFFERS: f64 = 20e6;

/// The number of requests of each kind, and the time after which no more are sent.
#[derive(Clone, Copy)]
struct Size {
    requests: u32,
    limit: Duration,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Flood {
    Visits,
    LogoutsOfChallenges,
    LogoutsWithForgedCookies,
    LogoutsWithInventedCredentials,
    WrongPasswords,
    InventedUsers,
    LongHeaders,
}

impl Flood {
    const ALL: [Self; 7] = [
        Self::Visits,
        Self::LogoutsOfChallenges,
        Self::LogoutsWithForgedCookies,
        Self::LogoutsWithInventedCredentials,
        Self::WrongPasswords,
        Self::InventedUsers,
        Self::LongHeaders,
    ];

    fn name(self) -> &'static str {
        match self {
            Self::Visits => "visits",
            Self::LogoutsOfChallenges => "visits, each with a logout",
            Self::LogoutsWithForgedCookies => "logouts with forged cookies",
            Self::LogoutsWithInventedCredentials => "logouts with invented credentials",
            Self::WrongPasswords => "wrong passwords of one user",
            Self::InventedUsers => "passwords of invented users",
            Self::LongHeaders => "headers of 100 kB",
        }
    }

    /// The number of requests of this kind, if there are `many` of the others.
    fn requests(self, many: u32) -> u32 {
        if self == Self::LongHeaders { many / 10 } else { many }
    }

    /// The headers of a connection.
    fn headers(self, connection: u32, address: SocketAddr) -> String {
        let long = || "x".repeat(LONG);
        let host = format!("Host: {address}\r\n");
        let with = |line: String| format!("{host}{BROWSER}{line}\r\n");
        match (self, connection % 5) {
            (Self::LongHeaders, 0) => format!("Host: {}\r\n{BROWSER}", long()),
            (Self::LongHeaders, 1) => with(format!("X-Forwarded-Host: {}", long())),
            (Self::LongHeaders, 2) => {
                let accept = BROWSER.replace("text/html", &"a/b,".repeat(LONG / 4));
                format!("{host}{accept}")
            }
            (Self::LongHeaders, 3) => with(format!("Cookie: id={}", long())),
            (Self::LongHeaders, _) => with(format!("Authorization: Basic {}", long())),
            _ => host + BROWSER,
        }
    }

    /// Sends a request of this kind, or two. Returns how many.
    async fn send(self, client: &mut Client, headers: &str, number: u32) -> u32 {
        let mut credentials = |user: &str, password: &str| {
            client.headers.truncate(headers.len());
            client.add_credentials(user, password);
        };
        let user = format!("user{number}");
        match self {
            Self::Visits | Self::LongHeaders => {}
            Self::WrongPasswords => credentials("alice", &user),
            Self::LogoutsOfChallenges => {
                client.cookie = None;
                assert_eq!(client.get(PAGE).await, 401);
                refused(client.get(LOGOUT).await);
                return 2;
            }
            Self::LogoutsWithForgedCookies
            | Self::LogoutsWithInventedCredentials
            | Self::InventedUsers => credentials(&user, "looking-glass"),
        }
        client.cookie = None;
        if self == Self::LogoutsWithForgedCookies {
            client.cookie = Some(format!("id={number:064}"));
        }
        let is_logout =
            [Self::LogoutsWithForgedCookies, Self::LogoutsWithInventedCredentials].contains(&self);
        refused(client.get(if is_logout { LOGOUT } else { PAGE }).await);
        1
    }
}

/// A client without a login gets a challenge or a page that asks for cookies, or a logout that says
/// that nobody was logged in.
fn refused(status: u16) {
    assert!([200, 400, 401, 403].contains(&status), "{status}");
}

/// Sends requests from several threads. Returns how many, and how long it took.
fn flood(kind: Flood, address: SocketAddr, size: Size) -> (u32, Duration) {
    let requests = kind.requests(size.requests);
    let start = Instant::now();
    let next = Arc::new(AtomicU32::new(0));
    let send = |number| {
        let next = Arc::clone(&next);
        thread::spawn(move || {
            let connection = |connection: u32| {
                let next = Arc::clone(&next);
                async move {
                    let headers = kind.headers(connection, address);
                    let mut client = Client::new(address, "").await;
                    client.headers.clone_from(&headers);
                    let mut sent = 0;
                    loop {
                        let number = next.fetch_add(1, SeqCst);
                        if number >= requests || start.elapsed() > size.limit {
                            return sent;
                        }
                        sent += kind.send(&mut client, &headers, number).await;
                    }
                }
            };
            System::new().block_on(async {
                let all =
                    (0..CONNECTIONS).map(|it| rt::spawn(connection(number * CONNECTIONS + it)));
                let mut sent = 0;
                for it in all.collect::<Vec<_>>() {
                    sent += it.await.expect("all requests are answered");
                }
                sent
            })
        })
    };
    let threads: Vec<_> = (0..THREADS).map(send).collect();
    let sent = threads.into_iter().map(|it| it.join().expect("a thread")).sum();
    (sent, start.elapsed())
}

/// A browser in which a user has logged in.
async fn log_in(address: SocketAddr, user: &str, password: &str) -> Client {
    let mut browser = Client::new(address, BROWSER).await;
    assert_eq!(browser.get(PAGE).await, 401);
    browser.add_credentials(user, password);
    assert_eq!(browser.get(PAGE).await, 200);
    browser
}

/// How long a logged-in user waits for a page, at rest and during the flood.
struct Waits {
    at_rest: Vec<Duration>,
    in_flood: Vec<Duration>,
    is_logged_in: bool,
}

/// Requests a page a hundred times a second until the flood is over, or as often as the server
/// answers if that is less.
fn watch(address: SocketAddr, is_flooded: &AtomicBool, is_over: &AtomicBool) -> Waits {
    let system = System::new();
    let mut alice = system.block_on(log_in(address, "alice", PASSWORD));
    let mut waits = Waits { at_rest: Vec::new(), in_flood: Vec::new(), is_logged_in: true };
    while !is_over.load(SeqCst) {
        thread::sleep(INTERVAL);
        let sent_at = Instant::now();
        let during = if is_flooded.load(SeqCst) { &mut waits.in_flood } else { &mut waits.at_rest };
        waits.is_logged_in &= system.block_on(alice.get(PAGE)) == 200;
        during.push(sent_at.elapsed());
    }
    waits
}

/// The 99th percentile in milliseconds.
fn p99(mut waits: Vec<Duration>) -> f64 {
    waits.sort_unstable();
    let index = (waits.len() * 99 / 100).min(waits.len().saturating_sub(1));
    waits.get(index).map_or(f64::NAN, Duration::as_secs_f64) * 1000.0
}

/// The data in Redis.
struct Stored {
    keys: f64,
    bytes: f64,
    /// The number of keys that live longer than a client without a login can cause.
    lasting: u64,
    /// The longest times to live of the other keys.
    longest_session: u64,
    longest_record: u64,
}

impl Stored {
    fn new(redis: &Redis) -> Self {
        let script = "local cursor, lasting, session, record = '0', 0, 0, 0 \
                      repeat local page = redis.call('scan', cursor, 'count', 10000) cursor = page[1] \
                      for _, key in ipairs(page[2]) do local ttl = redis.call('ttl', key) \
                      local is_record = string.find(key, 'basic-logout:', 1, true) == 1 \
                      if ttl < 0 or ttl > tonumber(ARGV[is_record and 2 or 1]) then lasting = lasting + 1 \
                      elseif is_record then record = math.max(record, ttl) \
                      else session = math.max(session, ttl) end end \
                      until cursor == '0' return {lasting, session, record}";
        let ttls = [SESSION_TTL, RECORD_TTL].map(|it| it.to_string());
        let found = redis.ask(&["eval", script, "0", &ttls[0], &ttls[1]]);
        let mut found = found.split_whitespace().map(|it| it.parse().expect("a number"));
        let mut next = || found.next().expect("a number");
        Self {
            keys: redis.ask(&["dbsize"]).trim().parse().expect("a number"),
            bytes: redis.used_memory(),
            lasting: next(),
            longest_session: next(),
            longest_record: next(),
        }
    }
}

/// Measures a kind of flood, and prints a line of the table. Returns whether the bounds hold.
fn holds(kind: Flood, executable: &PathBuf, redis: Option<&Redis>, size: Size) -> bool {
    let variables: Vec<_> = redis.iter().map(|it| ("SESSIONS", &*it.url)).collect();
    let demo = Demo::start(executable, &variables);
    let address = demo.address;
    let system = System::new();
    // Bob logs in and waits. In another browser he has logged out.
    let (bob, old) = system.block_on(async {
        let bob = log_in(address, "bob", "builder").await;
        let mut other = log_in(address, "bob", "builder").await;
        let old = other.cookie.clone();
        assert_eq!(other.get(LOGOUT).await, 401);
        (bob, old)
    });

    let (is_flooded, is_over) = (Arc::<AtomicBool>::default(), Arc::<AtomicBool>::default());
    let watcher = {
        let (is_flooded, is_over) = (Arc::clone(&is_flooded), Arc::clone(&is_over));
        thread::spawn(move || watch(address, &is_flooded, &is_over))
    };
    thread::sleep((size.limit / 5).min(INTERVAL * (20 + size.requests / 1_000)));
    let (memory, stored) = (demo.resident_memory(), redis.map(Stored::new));
    is_flooded.store(true, SeqCst);
    let (sent, took) = flood(kind, address, size);
    is_over.store(true, SeqCst);
    let waits = watcher.join().expect("the logged-in user is answered");
    let (memory_after, stored_after) = (demo.resident_memory(), redis.map(Stored::new));

    let each = f64::from(sent);
    let (mut is_bounded, mut growth) =
        (memory_after - memory <= MEMORY + BUFFERS, "| | |".to_owned());
    if let (Some(before), Some(after)) = (stored, stored_after) {
        let (keys, bytes) = (after.keys - before.keys, after.bytes - before.bytes);
        growth = format!(
            "{:.0} → {:.0} | {:.1} → {:.1} MB | {:.0} B | {} s, {} s",
            before.keys,
            after.keys,
            before.bytes / 1e6,
            after.bytes / 1e6,
            bytes / each,
            after.longest_session,
            after.longest_record
        );
        is_bounded &= keys <= 3.0 * each && bytes <= BYTES_EACH * each + BUFFERS;
        is_bounded &= after.lasting == before.lasting;
    }
    let place = if redis.is_some() { "Redis" } else { "cookies" };
    println!(
        "| {} | {place} | {sent} | {:.0} | {:.1} → {:.1} MB | {growth} | {:.1} ms | {:.1} ms |",
        kind.name(),
        each / took.as_secs_f64(),
        memory / 1e6,
        memory_after / 1e6,
        p99(waits.at_rest),
        p99(waits.in_flood),
    );

    let (is_in, is_out) = system.block_on(async {
        // The server has closed the idle connection.
        let mut again = Client::new(address, "").await;
        (again.headers, again.cookie) = (bob.headers, bob.cookie);
        let mut bob = again;
        let is_in = bob.get(PAGE).await == 200;
        bob.cookie = old;
        (is_in, bob.get(PAGE).await == 401)
    });
    for (what, is_so) in [
        ("memory, store or times to live are out of bounds", is_bounded),
        ("the login of the user who requests pages has ended", waits.is_logged_in),
        ("the login of the user who waits has ended", is_in),
        ("the login that had ended is valid again", is_out),
    ] {
        if !is_so {
            println!("{}, {place}: {what}", kind.name());
        }
    }
    is_bounded && waits.is_logged_in && is_in && is_out
}

fn main() -> ExitCode {
    let is_short = cfg!(debug_assertions);
    let number = |name, default| {
        env::var(name).map_or(default, |it| it.parse().unwrap_or_else(|_| panic!("{name}={it}")))
    };
    let requests = number("FLOOD_REQUESTS", if is_short { 300 } else { 1_000_000 });
    let limit = Duration::from_secs(number("FLOOD_SECONDS", 10).into());
    let size = Size { requests, limit };
    let executable = demo::build();
    println!(
        "| requests without a login | sessions in | requests | per second | memory of the demo | keys | \
         `used_memory` | per request | longest TTL | p99 at rest | p99 in the flood |"
    );
    println!("|---|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|");
    let mut all_hold = true;
    let only = env::var("FLOOD_ONLY").unwrap_or_default();
    for kind in Flood::ALL.into_iter().filter(|it| it.name().contains(&only)) {
        all_hold &= holds(kind, &executable, None, size);
        let redis = System::new().block_on(Redis::start());
        all_hold &= holds(kind, &executable, Some(&redis), size);
    }
    if all_hold { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
