//! What checking passwords costs, beside plain `HttpAuthentication::basic`.
//!
//! `cargo bench --bench passwords` starts two sites with the same users, whose passwords are hashed
//! by Argon2id (19 MiB, two passes, one lane). One is guarded by `HttpAuthentication::basic`, whose
//! validator computes the hash where it runs, on the worker, as validators do that do nothing about
//! it. The other is guarded by `BasicLogin` with `Users`. It measures, over loopback and with
//! connections that are kept:
//!
//! 1. how many requests per second a browser that is logged in is served;
//! 2. how long requests to a public page take while 200 users log in at once;
//! 3. how long a wrong password takes, of each user and of nobody. It fails if two of these medians
//!    differ by more than 5 %.
//!
//! The clients run on the same machine, and take their part of it in all of them.

#![expect(clippy::print_stdout, clippy::unwrap_used, reason = "a benchmark")]
#![expect(clippy::cast_precision_loss, reason = "figures for people")]

use std::{
    cell::Cell,
    net::SocketAddr,
    process::ExitCode,
    rc::Rc,
    thread,
    time::{Duration, Instant},
};

use actix_basic_logout::{BasicLogin, HashPool, User, Users};
use actix_session::{SessionMiddleware, storage::CookieSessionStore};
use actix_web::{App, Error, HttpServer, cookie::Key, dev::ServiceRequest, error, rt, web};
use actix_web_httpauth::{extractors::basic::BasicAuth, middleware::HttpAuthentication};
use argon2::{Algorithm, Argon2, Params, Version};
use base64::{Engine, prelude::BASE64_STANDARD};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

const PASSWORD: &str = "wonderland";
const LOGINS: usize = 200;
const SERVE_FOR: Duration = Duration::from_secs(5);
const SALT: &[u8] = b"0123456789abcdef";

fn argon2id(password: &str) -> [u8; 32] {
    let mut hash = [0; 32];
    Argon2::new(Algorithm::Argon2id, Version::V0x13, Params::DEFAULT)
        .hash_password_into(password.as_bytes(), SALT, &mut hash)
        .unwrap();
    hash
}

fn user(number: usize) -> String {
    format!("user{number}")
}

async fn naive_validator(
    req: ServiceRequest,
    credentials: BasicAuth,
) -> Result<ServiceRequest, (Error, ServiceRequest)> {
    thread_local!(static STORED: [u8; 32] = argon2id(PASSWORD));
    let good = argon2id(credentials.password().unwrap_or_default());
    if STORED.with(|stored| *stored == good) {
        Ok(req)
    } else {
        Err((error::ErrorUnauthorized("no"), req))
    }
}

fn naive() -> SocketAddr {
    let factory = move || {
        App::new().route("/free", web::get().to(async || "free")).service(
            web::resource("/admin/")
                .wrap(HttpAuthentication::basic(naive_validator))
                .get(async || "admin"),
        )
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
            .route("/free", web::get().to(async || "free"))
            .service(web::resource("/admin/").wrap(login.clone()).get(async |_: User| "admin"))
            .wrap(session.cookie_secure(false).build())
    };
    let server = HttpServer::new(factory).keep_alive(Duration::from_secs(600)).disable_signals();
    let server = server.bind(("127.0.0.1", 0)).unwrap();
    let address = server.addrs()[0];
    rt::spawn(server.run());
    address
}

/// A client and its connection.
struct Client {
    stream: TcpStream,
    buffer: Vec<u8>,
    headers: String,
    cookie: Option<String>,
}

const BROWSER: &str = "User-Agent: Mozilla/5.0\r\nAccept: text/html\r\n\
                       Sec-Fetch-Site: none\r\nSec-Fetch-Mode: navigate\r\n";

impl Client {
    async fn new(address: SocketAddr, headers: &str) -> Self {
        let stream = TcpStream::connect(address).await.unwrap();
        stream.set_nodelay(true).unwrap();
        let headers = format!("Host: {address}\r\n{headers}");
        Self { stream, buffer: Vec::new(), headers, cookie: None }
    }

    fn type_in(&mut self, user_id: &str, password: &str) {
        let token = BASE64_STANDARD.encode(format!("{user_id}:{password}"));
        self.headers += &["Authorization: Basic ", &token, "\r\n"].concat();
    }

    /// Asks, reads the whole answer, keeps the cookie, and says the status.
    async fn get(&mut self, path: &str) -> u16 {
        let cookie = self.cookie.as_ref().map_or(String::new(), |it| format!("Cookie: {it}\r\n"));
        let request = format!("GET {path} HTTP/1.1\r\n{}{cookie}\r\n", self.headers);
        self.stream.write_all(request.as_bytes()).await.unwrap();
        self.buffer.clear();
        loop {
            assert_ne!(self.stream.read_buf(&mut self.buffer).await.unwrap(), 0, "it hung up");
            let Some(end) = self.buffer.windows(4).position(|it| it == b"\r\n\r\n") else {
                continue;
            };
            let head = std::str::from_utf8(&self.buffer[..end]).unwrap();
            let header = |name: &str| {
                head.lines().find_map(|line| {
                    let (found, value) = line.split_once(": ")?;
                    found.eq_ignore_ascii_case(name).then_some(value)
                })
            };
            let length: usize = header("content-length").unwrap().parse().unwrap();
            if self.buffer.len() < end + 4 + length {
                continue;
            }
            if let Some(cookie) = header("set-cookie") {
                self.cookie = cookie.split(';').next().map(str::to_owned);
            }
            return head[9..12].parse().unwrap();
        }
    }
}

/// A browser that has the dialog open, with what is typed into it.
async fn typed(address: SocketAddr, number: usize) -> Client {
    let mut browser = Client::new(address, BROWSER).await;
    assert_eq!(browser.get("/admin/").await, 401);
    browser.type_in(&user(number), PASSWORD);
    browser
}

/// Requests per second of a browser with four connections.
async fn served_per_second(address: SocketAddr) -> f64 {
    let mut browser = typed(address, 0).await;
    assert_eq!(browser.get("/admin/").await, 200);
    let (headers, cookie) = (browser.headers.clone(), browser.cookie.clone());
    let served = Rc::new(Cell::new(0_u64));
    let start = Instant::now();
    let mut connections = Vec::new();
    for _ in 0..4 {
        let mut connection = Client::new(address, "").await;
        connection.headers.clone_from(&headers);
        connection.cookie.clone_from(&cookie);
        let served = Rc::clone(&served);
        connections.push(rt::spawn(async move {
            while start.elapsed() < SERVE_FOR {
                assert_eq!(connection.get("/admin/").await, 200);
                served.set(served.get() + 1);
            }
        }));
    }
    for connection in connections {
        connection.await.unwrap();
    }
    served.get() as f64 / start.elapsed().as_secs_f64()
}

struct Waits {
    all: Duration,
    median: Duration,
    longest: Duration,
}

/// How long a public page takes while many log in: one connection for each worker asks for it a
/// hundred times a second. What has to wait for the one before is counted from when it should have
/// been sent.
async fn waits_while_many_log_in(address: SocketAddr) -> Waits {
    let mut browsers = Vec::new();
    for number in 0..LOGINS {
        browsers.push(typed(address, number).await);
    }
    let is_over = Rc::new(Cell::new(false));
    let mut watchers = Vec::new();
    for _ in 0..thread::available_parallelism().unwrap().get() {
        let mut watcher = Client::new(address, BROWSER).await;
        assert_eq!(watcher.get("/free").await, 200);
        let is_over = Rc::clone(&is_over);
        watchers.push(rt::spawn(async move {
            let mut waits = Vec::new();
            let mut due = Instant::now();
            while !is_over.get() {
                rt::time::sleep_until(due.into()).await;
                assert_eq!(watcher.get("/free").await, 200);
                waits.push(due.elapsed());
                due += Duration::from_millis(10);
            }
            waits
        }));
    }
    let start = Instant::now();
    let log_in = |mut browser: Client| {
        rt::spawn(async move { assert_eq!(browser.get("/admin/").await, 200) })
    };
    for login in browsers.into_iter().map(log_in).collect::<Vec<_>>() {
        login.await.unwrap();
    }
    let all = start.elapsed();
    is_over.set(true);
    let mut waits = Vec::new();
    for watcher in watchers {
        waits.extend(watcher.await.unwrap());
    }
    waits.sort_unstable();
    Waits { all, median: waits[waits.len() / 2], longest: waits[waits.len() - 1] }
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
            assert_eq!(client.get("/admin/").await, 401);
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
    println!("\n3. A wrong password takes, {what} (medians of {samples}):");
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
    let stored = {
        let base64 = base64::prelude::BASE64_STANDARD_NO_PAD;
        let (salt, hash) = (base64.encode(SALT), base64.encode(argon2id(PASSWORD)));
        format!("$argon2id$v=19$m=19456,t=2,p=1${salt}${hash}")
    };
    // A machine that is busy with other things must not run into the limit of ten seconds.
    let pool = HashPool::new().wait(Duration::from_secs(60));
    println!("{} cores; {pool:?}", thread::available_parallelism().unwrap());
    let users = || {
        let users = Users::hashed((0..LOGINS).map(|it| (user(it), stored.clone())));
        users.unwrap().hash_pool(pool.clone())
    };
    let (naive, ours_address) = (naive(), ours(users()));

    let (theirs, own) = (served_per_second(naive).await, served_per_second(ours_address).await);
    println!("\n1. Requests per second of a browser that is logged in:");
    println!("   HttpAuthentication::basic {theirs:9.0}");
    println!("   BasicLogin                {own:9.0}   {:.0} times as many", own / theirs);

    let (theirs, own) =
        (waits_while_many_log_in(naive).await, waits_while_many_log_in(ours_address).await);
    println!("\n2. A public page, while {LOGINS} users log in at once, takes (median, longest):");
    for (name, waits) in
        [("HttpAuthentication::basic", &theirs), ("BasicLogin               ", &own)]
    {
        println!(
            "   {name} {:9.2} ms {:9.2} ms   all are logged in after {:.1} s",
            millis(waits.median),
            millis(waits.longest),
            waits.all.as_secs_f64(),
        );
    }
    let ratio = |of: fn(&Waits) -> Duration| millis(of(&theirs)) / millis(of(&own));
    println!("   {:.0} and {:.0} times as long", ratio(|it| it.median), ratio(|it| it.longest));

    let bcrypt = "$2y$10$qqxtSNcE5L3nZxkNayxMDOGS1/Xpv5quGRK8y21J1utjVbTHTJ5Au";
    let mixed = Users::hashed([("of-argon2id", &*stored), ("of-bcrypt", bcrypt)]).unwrap();
    let clear = Users::in_the_clear((0..LOGINS).map(|it| (user(it), PASSWORD))).unwrap();
    let two = ["user0", "nobody"];
    let mut are_alike = alike("all hashed by Argon2id", users(), &two, 200).await;
    let three = ["of-argon2id", "of-bcrypt", "nobody"];
    are_alike &= alike("hashed by Argon2id and by bcrypt", mixed, &three, 150).await;
    let three = ["user0", "user199", "nobody"];
    are_alike &= alike("with passwords in the clear", clear, &three, 10_000).await;

    if are_alike { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
