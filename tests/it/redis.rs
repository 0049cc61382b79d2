//! Several machines that share sessions and revocations in a real Redis.
//!
//! These tests need a `redis-server`, so they run only on request:
//! `cargo test --test it redis -- --ignored`.

use std::{
    array, env,
    io::{BufRead, BufReader},
    net::TcpListener,
    process::{Child, Command, Stdio},
    rc::Rc,
    time::Duration,
};

use actix_basic_logout::{RedisRevocationStore, RevocationStore};
use actix_web::rt;
use base64::{Engine, prelude::BASE64_STANDARD};
use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

use crate::support::site::{Answer, Credentials, Setup, Site, Store, Wire};

const ALICE: Credentials = ("alice", "one");
const LIMIT: Duration = Duration::from_secs(30);

/// A Redis server with its own port and directory. It stops at the end of the test.
struct Redis {
    port: u16,
    directory: TempDir,
    child: Child,
}

impl Redis {
    async fn start() -> Self {
        let free = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = free.local_addr().unwrap().port();
        drop(free);
        let directory = TempDir::new().unwrap();
        let child = Self::serve(port, &directory);
        let redis = Self { port, directory, child };
        redis.wait_until_ready().await;
        redis
    }

    /// Starts the server. It saves its data to disk, so the data survives a restart.
    fn serve(port: u16, directory: &TempDir) -> Child {
        Command::new("redis-server")
            .args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--save", ""])
            .args(["--appendonly", "yes", "--appendfsync", "always", "--dir"])
            .arg(directory.path())
            .stdout(Stdio::null())
            .spawn()
            .expect("redis-server is installed")
    }

    async fn wait_until_ready(&self) {
        let answers = async {
            while RedisRevocationStore::new(&self.url()).await.is_err() {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        timeout(LIMIT, answers).await.expect("Redis answers");
    }

    fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    fn stop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Stops the server without closing its connections, or resumes it.
    fn signal(&self, signal: &str) {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args([signal, &pid]).status().unwrap().success());
    }

    async fn restart(&mut self) {
        self.child = Self::serve(self.port, &self.directory);
        self.wait_until_ready().await;
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The site under test on two machines. Requests with even numbers go to the first machine, those with
/// odd numbers to the second.
async fn two_machines(redis: &Redis) -> Site {
    let store = Store::Redis(redis.port);
    Site::new(&Setup { two_machines: true, ..Setup::new(store) }).await
}

fn wire(number: u32, path: &str, cookie: Option<&str>, credentials: Option<Credentials>) -> Wire {
    Wire { number, credentials, ..Wire::page(path, cookie.map(str::to_owned)) }
}

async fn ask(site: &Site, wire: Wire) -> Answer {
    site.start(&wire, false).await
}

/// Logs alice in on the first machine, and returns her cookie.
async fn log_in(site: &Site) -> String {
    let challenged = ask(site, wire(0, "/a/", None, None)).await.set_cookie.unwrap();
    let welcome = ask(site, wire(2, "/a/", Some(&challenged), Some(ALICE))).await;
    assert_eq!(welcome.status, 200);
    welcome.set_cookie.unwrap()
}

async fn assert_refused_everywhere(site: &Site, cookie: &str) {
    for number in [10, 11] {
        let answer = ask(site, wire(number, "/a/", Some(cookie), Some(ALICE))).await;
        assert_eq!(answer.status, 401, "machine {}", number % 2);
    }
}

#[actix_web::test]
#[ignore = "needs a redis-server"]
async fn login_is_valid_on_the_other_machine_without_a_check() {
    let redis = Redis::start().await;
    let site = two_machines(&redis).await;
    let cookie = log_in(&site).await;
    let checked = site.seen().checked.len();
    for number in 3..9 {
        let answer = ask(&site, wire(number, "/a/x", Some(&cookie), Some(ALICE))).await;
        assert_eq!((answer.status, answer.set_cookie), (200, None));
    }
    assert_eq!(site.seen().checked.len(), checked);
}

#[actix_web::test]
#[ignore = "needs a redis-server"]
async fn logout_on_one_machine_counts_on_the_other_in_any_order() {
    let redis = Redis::start().await;
    let site = two_machines(&redis).await;
    for path in ["/a/write", "/a/fail/write", "/a/panic/write", "/a/hang/write"] {
        let cookie = log_in(&site).await;
        let slow = wire(13, path, Some(&cookie), Some(ALICE));
        let served = site.seen().served.len();
        let running = rt::spawn(site.start(&slow, true));
        let arrives = async {
            while site.seen().served.len() == served {
                tokio::task::yield_now().await;
            }
        };
        timeout(LIMIT, arrives).await.expect("the request reaches its handler");
        let out = ask(&site, wire(14, "/logout", Some(&cookie), Some(ALICE))).await;
        assert_eq!(out.status, 401);

        site.permit(slow.number);
        let late = match path {
            "/a/hang/write" => {
                running.abort();
                None
            }
            // A panic ends the task.
            _ => timeout(LIMIT, running).await.unwrap().ok().and_then(|it| it.set_cookie),
        };
        assert_eq!(late.is_some(), ["/a/write", "/a/fail/write"].contains(&path), "{path}");
        for cookie in [Some(cookie), out.set_cookie, late].into_iter().flatten() {
            assert_refused_everywhere(&site, &cookie).await;
        }
    }
}

#[actix_web::test]
#[ignore = "needs a redis-server"]
async fn revoked_user_is_logged_out_on_every_machine() {
    let redis = Redis::start().await;
    let site = two_machines(&redis).await;
    let (office, home) = (log_in(&site).await, log_in(&site).await);
    site.logins.0.revoke_user("alice").await.unwrap();
    for cookie in [office, home] {
        assert_refused_everywhere(&site, &cookie).await;
    }
    log_in(&site).await;
}

#[actix_web::test]
#[ignore = "needs a redis-server"]
async fn user_ended_resolves_after_logout_on_another_machine() {
    let redis = Redis::start().await;
    let (one, other) = (two_machines(&redis).await, two_machines(&redis).await);
    let cookie = log_in(&one).await;
    let user = one.seen().users.last().unwrap().clone();
    let ended = rt::spawn(user.ended());
    ask(&other, wire(4, "/logout", Some(&cookie), Some(ALICE))).await;
    timeout(LIMIT, ended).await.expect("`ended` resolves").unwrap();
}

#[actix_web::test]
#[ignore = "needs a redis-server"]
async fn redis_keys_expire_and_have_the_prefix() {
    let redis = Redis::start().await;
    let store = RedisRevocationStore::new(&redis.url()).await.unwrap().prefix("shop:");
    let site =
        Site::with(&Setup::new(Store::Cookie), |it| it.revocation_store(store.clone())).await;
    site.logins.0.revoke_user("alice").await.unwrap();
    let keys = redis_cli(&redis, &["keys", "*"]);
    assert!(keys.starts_with("shop:") && keys.lines().count() == 1, "{keys}");
    let seconds: u64 = redis_cli(&redis, &["ttl", keys.trim()]).trim().parse().unwrap();
    let days = 30 * 24 * 60 * 60;
    assert!((days..=days + 61).contains(&seconds), "{seconds}");

    assert!(store.get(&[]).await.is_err(), "Redis rejects a read of no keys");
    redis_cli(&redis, &["set", keys.trim(), "nonsense"]);
    let challenged = ask(&site, wire(0, "/a/", None, None)).await.set_cookie.unwrap();
    let answer = ask(&site, wire(1, "/a/", Some(&challenged), Some(ALICE))).await;
    assert_eq!(answer.status, 503, "an unreadable value refuses the request");
}

fn redis_cli(redis: &Redis, arguments: &[&str]) -> String {
    let port = redis.port.to_string();
    let output = Command::new("redis-cli").args(["-p", &port]).args(arguments).output().unwrap();
    String::from_utf8(output.stdout).unwrap()
}

#[actix_web::test]
#[ignore = "needs a redis-server"]
async fn unreachable_redis_is_an_error_at_start_up() {
    let error = RedisRevocationStore::new("redis://127.0.0.1:1").await.unwrap_err().to_string();
    assert!(error.starts_with("the revocation store is unavailable: "), "{error}");
    assert!(RedisRevocationStore::new("127.0.0.1").await.is_err(), "the address is not a URL");
}

/// A running example. It stops at the end of the test.
struct Example(Child);

impl Example {
    fn spawn(name: &str, variables: &[(&str, &str)], stderr: Stdio) -> Child {
        let test = env::current_exe().unwrap();
        let file = test.ancestors().nth(2).unwrap().join("examples").join(name);
        Command::new(&file)
            .envs(variables.iter().copied())
            .stdout(Stdio::piped())
            .stderr(stderr)
            .spawn()
            .unwrap_or_else(|error| panic!("{}: {error}; cargo build --examples", file.display()))
    }

    /// Starts an example, and returns the addresses that it prints.
    fn start<const N: usize>(name: &str, variables: &[(&str, &str)]) -> (Self, [String; N]) {
        let mut child = Self::spawn(name, variables, Stdio::null());
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let example = Self(child);
        let addresses = array::from_fn(|_| {
            let line = lines.next().expect("a line").unwrap();
            line.split('/').nth(2).expect("a URL").to_owned()
        });
        (example, addresses)
    }
}

impl Drop for Example {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// An instance of the example `admin`, or one of the two instances of the example `redis`.
struct Demo {
    address: String,
    _process: Rc<Example>,
}

impl Demo {
    fn start(redis: &Redis) -> Self {
        let (url, secret) = (redis.url(), "5a".repeat(64));
        let variables = [("ADDR", "127.0.0.1:0"), ("SESSIONS", &url), ("SECRET", &secret)];
        let (process, [address]) = Example::start("admin", &variables);
        Self { address, _process: Rc::new(process) }
    }

    fn two_in_one_process(redis: &Redis) -> [Self; 2] {
        let variables = [("ADDR", "127.0.0.1:0 127.0.0.1:0"), ("REDIS_URL", &redis.url())];
        let (process, addresses) = Example::start("redis", &variables);
        let process = Rc::new(process);
        addresses.map(|address| Self { address, _process: Rc::clone(&process) })
    }
}

/// A browser with its cookie. It sends alice's credentials after she has typed them.
#[derive(Default)]
struct Browser {
    cookie: Option<String>,
    has_typed: bool,
}

/// A response. `head` is in lower case.
struct Page {
    status: u16,
    head: String,
    body: String,
}

impl Browser {
    async fn ask(&mut self, demo: &Demo, method: &str, path: &str) -> Page {
        let alice = BASE64_STANDARD.encode("alice:wonderland");
        let alice = self.has_typed.then(|| format!("Authorization: Basic {alice}\r\n"));
        let cookie = self.cookie.as_ref().map(|it| format!("Cookie: {it}\r\n"));
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: localhost:8080\r\nConnection: close\r\n\
             User-Agent: Mozilla/5.0\r\nAccept: text/html\r\nContent-Length: 0\r\n\
             Sec-Fetch-Site: same-origin\r\nSec-Fetch-Mode: navigate\r\n{}{}\r\n",
            alice.unwrap_or_default(),
            cookie.unwrap_or_default(),
        );
        let answer = async {
            let mut stream = TcpStream::connect(&demo.address).await?;
            stream.write_all(request.as_bytes()).await?;
            let mut answer = String::new();
            stream.read_to_string(&mut answer).await?;
            std::io::Result::Ok(answer)
        };
        let answer = timeout(LIMIT, answer).await.expect("an answer in time").unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").expect("an answer");
        let set_cookie = head.lines().find_map(|it| it.strip_prefix("set-cookie: "));
        if let Some(cookie) = set_cookie.and_then(|it| it.split(';').next()) {
            self.cookie = Some(cookie.to_owned());
        }
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        Page { status, head: head.to_lowercase(), body: body.to_owned() }
    }

    async fn open(&mut self, demo: &Demo, path: &str) -> u16 {
        self.ask(demo, "GET", path).await.status
    }

    async fn log_in(demo: &Demo) -> Self {
        let mut browser = Self::default();
        assert_eq!(browser.open(demo, "/admin/").await, 401);
        browser.has_typed = true;
        assert_eq!(browser.open(demo, "/admin/").await, 200);
        browser
    }
}

#[actix_web::test]
#[ignore = "needs a redis-server"]
async fn two_demo_instances_share_logins() {
    let redis = Redis::start().await;
    let demos = [Demo::start(&redis), Demo::start(&redis)];
    for (here, there) in [(0, 1), (1, 0)].map(|(here, there)| (&demos[here], &demos[there])) {
        let mut browser = Browser::log_in(here).await;
        assert_eq!(browser.open(there, "/admin/").await, 200);
        assert_eq!(browser.ask(there, "POST", "/logout").await.status, 401);
        for demo in [here, there] {
            // Each challenge makes the browser drop its credentials. The paths differ, because
            // credentials that come to the path of the challenge count as typed.
            assert_eq!(browser.open(demo, &format!("/admin/{}", demo.address)).await, 401);
        }

        let (mut office, mut home) = (Browser::log_in(here).await, Browser::log_in(there).await);
        assert_eq!(office.ask(here, "POST", "/admin/everywhere").await.status, 303);
        for browser in [&mut office, &mut home] {
            let page = browser.ask(there, "GET", "/admin/").await;
            assert!(page.status == 401 && page.body.contains("Your login has ended"));
            assert_eq!(
                browser.open(there, "/admin/").await,
                200,
                "the user typed the password again"
            );
        }
    }
}

#[actix_web::test]
#[ignore = "needs a redis-server"]
async fn redis_example_runs_two_instances_with_shared_logins() {
    let mut redis = Redis::start().await;
    let demos = Demo::two_in_one_process(&redis);
    for (here, there) in [(0, 1), (1, 0)].map(|(here, there)| (&demos[here], &demos[there])) {
        redis_cli(&redis, &["flushall"]);
        let mut browser = Browser::log_in(here).await;
        for demo in [here, there] {
            let page = browser.ask(demo, "GET", "/admin/").await;
            assert!(page.status == 200 && page.body.contains(&demo.address), "{}", page.body);
        }
        let sessions = redis_cli(&redis, &["keys", "*"]);
        assert!(sessions.lines().count() == 1 && !sessions.contains("basic-logout:"), "{sessions}");

        assert_eq!(browser.ask(there, "POST", "/logout").await.status, 401);
        for (demo, path) in [(here, "/admin/"), (there, "/admin/elsewhere")] {
            assert_eq!(browser.open(demo, path).await, 401);
        }
        // The two instances are one process, so a store in memory would also pass the test above.
        let ended = redis_cli(&redis, &["keys", "basic-logout:*"]);
        assert!(ended.contains("basic-logout:"), "the revocation is in Redis: {ended}");
    }

    let mut browser = Browser::log_in(&demos[0]).await;
    redis.stop();
    for demo in &demos {
        assert_eq!(browser.open(demo, "/admin/").await, 503);
    }
}

#[test]
#[ignore = "needs a redis-server"]
fn redis_example_without_redis_names_what_to_start() {
    let child = Example::spawn("redis", &[("REDIS_URL", "redis://127.0.0.1:1")], Stdio::piped());
    let output = child.wait_with_output().unwrap();
    assert!(!output.status.success() && output.stdout.is_empty());
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(error.starts_with("redis: the revocation store is unavailable: "), "{error}");
    assert!(error.contains("`redis-server`") && error.contains("REDIS_URL"), "{error}");
}

#[actix_web::test]
#[ignore = "needs a redis-server"]
async fn demo_answers_503_without_redis_and_recovers() {
    let mut redis = Redis::start().await;
    let demo = Demo::start(&redis);
    let mut browser = Browser::log_in(&demo).await;
    let cookie = browser.cookie.clone();
    redis.stop();
    for (method, path) in [("GET", "/admin/"), ("GET", "/admin/api/whoami"), ("POST", "/logout")] {
        let page = browser.ask(&demo, method, path).await;
        assert_eq!(page.status, 503, "{path}");
        assert!(page.head.contains("\r\nretry-after: 5"), "{}", page.head);
        assert!(!page.head.contains("www-authenticate"), "{}", page.head);
        assert!(page.body.contains("Your login cannot be checked"), "{}", page.body);
    }
    assert_eq!(browser.cookie, cookie);

    redis.restart().await;
    assert_eq!(browser.open(&demo, "/admin/").await, 200, "the login is still valid");
    assert_eq!(browser.open(&demo, "/logout").await, 401);
}

#[actix_web::test]
#[ignore = "needs a redis-server"]
async fn hanging_redis_is_treated_like_an_unreachable_one() {
    let redis = Redis::start().await;
    let demo = Demo::start(&redis);
    let mut browser = Browser::log_in(&demo).await;
    redis.signal("-STOP");
    for (method, path) in [("GET", "/admin/"), ("POST", "/logout")] {
        let page = browser.ask(&demo, method, path).await;
        assert_eq!(page.status, 503, "{path}");
    }
    let store = async { RedisRevocationStore::new(&redis.url()).await.is_err() };
    assert!(timeout(LIMIT, store).await.expect("the connection attempt times out"));
    redis.signal("-CONT");
    redis.wait_until_ready().await;
    assert_eq!(browser.open(&demo, "/admin/").await, 200, "the login is still valid");
}

#[actix_web::test]
#[ignore = "needs a redis-server"]
async fn hanging_revocation_store_refuses_requests() {
    let redis = Redis::start().await;
    let store = RedisRevocationStore::new(&redis.url()).await.unwrap();
    let site =
        Site::with(&Setup::new(Store::Cookie), |it| it.revocation_store(store.clone())).await;
    let cookie = log_in(&site).await;
    redis.signal("-STOP");
    let answer = ask(&site, wire(4, "/a/", Some(&cookie), Some(ALICE)));
    assert_eq!(timeout(LIMIT, answer).await.expect("an answer").status, 503);
    redis.signal("-CONT");
    let back = async {
        while ask(&site, wire(4, "/a/", Some(&cookie), Some(ALICE))).await.status != 200 {}
    };
    timeout(LIMIT, back).await.expect("the site recovers");
}

#[actix_web::test]
#[ignore = "needs a redis-server"]
async fn restarted_instance_keeps_logins_and_logouts() {
    let redis = Redis::start().await;
    let demo = Demo::start(&redis);
    let (mut stays, mut goes) = (Browser::log_in(&demo).await, Browser::log_in(&demo).await);
    let old = goes.cookie.clone();
    goes.open(&demo, "/logout").await;
    drop(demo);

    let demo = Demo::start(&redis);
    assert_eq!(stays.open(&demo, "/admin/").await, 200);
    goes.cookie = old;
    assert_eq!(goes.open(&demo, "/admin/").await, 401);
}
