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
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use actix_basic_logout::{
    LoginId, RedisRevocationStore, RevocationError, RevocationKey, RevocationStore,
};
use actix_web::rt;
use base64::{Engine, prelude::BASE64_STANDARD};
use futures_core::future::BoxFuture;
use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

use crate::support::site::{Answer, Credentials, Setup, Site, Store, Wire};

const ALICE: Credentials = ("alice", "one");
const LIMIT: Duration = Duration::from_secs(30);

/// Times to live in Redis, in seconds.
const FIFTEEN_MINUTES: i64 = 15 * 60;
/// A record of the revocation list is kept for one second more, so that it never expires early.
const TWENTY_MINUTES: i64 = 20 * 60 + 1;
const DAY: i64 = 24 * 60 * 60;
const THIRTY_DAYS: i64 = 30 * DAY;

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
    // The deadlines of the user's logins are unknown, so the time is the longest that any login has.
    // Each record of an ended login gets the time of a challenge in addition.
    assert_eq!(seconds, 400 * 24 * 60 * 60 + 20 * 60 + 1);

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

/// The time to live of a key in seconds.
fn ttl(redis: &Redis, key: &str) -> i64 {
    redis_cli(redis, &["ttl", key]).trim().parse().unwrap()
}

/// The times to live of all keys that match a pattern.
fn ttls(redis: &Redis, pattern: &str) -> Vec<i64> {
    let script = "local ttls = {} \
                  for i, key in ipairs(redis.call('keys', ARGV[1])) do \
                  ttls[i] = redis.call('ttl', key) end return ttls";
    let ttls = redis_cli(redis, &["eval", script, "0", pattern]);
    ttls.split_whitespace().map(|it| it.parse().unwrap()).collect()
}

/// The time to live of the session of a cookie.
fn session_ttl(redis: &Redis, cookie: &str) -> i64 {
    ttl(redis, &Site::content(cookie))
}

/// Whether a time to live is this one, of which up to a minute has passed.
fn assert_is(ttl: i64, expected: i64) {
    assert!((expected - 60..=expected).contains(&ttl), "{ttl} instead of {expected}");
}

/// The key in Redis of the record that a login has ended.
fn record_of(login: LoginId) -> String {
    format!("basic-logout:{login}")
}

fn last_login(site: &Site) -> LoginId {
    site.seen().users.last().unwrap().login_id().unwrap()
}

/// Logs out on the first machine without a login, in each of the four ways that leave a record or a
/// session. Returns the new cookies.
async fn log_out_without_login(site: &Site, number: u32) -> Vec<String> {
    const WRONG: Credentials = ("alice", "wrong");
    const INVENTED: Credentials = ("mallory", "x");
    let challenged = ask(site, wire(0, "/a/", None, None)).await.set_cookie;
    let prompted = ask(site, wire(0, "/a/", None, None)).await.set_cookie;
    let refused = ask(site, wire(0, "/a/", prompted.as_deref(), Some(WRONG))).await;
    let rechallenged = refused.set_cookie.or(prompted);
    let forged = format!("forged{number}");
    let mut cookies = Vec::new();
    for (cookie, credentials) in [
        (challenged.as_deref(), None),
        (rechallenged.as_deref(), Some(WRONG)),
        (Some(forged.as_str()), Some(INVENTED)),
        (None, Some(INVENTED)),
    ] {
        let answer = ask(site, wire(0, "/logout", cookie, credentials)).await;
        assert!([200, 401].contains(&answer.status), "{answer:?}");
        cookies.extend(answer.set_cookie);
    }
    cookies
}

/// Two machines whose session store is wrapped in `AnonymousTtl`.
async fn with_anonymous_ttl(redis: &Redis, prolongs_sessions: bool) -> Site {
    let setup = Setup::new(Store::Redis(redis.port));
    let setup = Setup { two_machines: true, anonymous_ttl: true, prolongs_sessions, ..setup };
    Site::new(&setup).await
}

#[actix_web::test]
#[ignore = "needs a redis-server"]
async fn redis_keeps_sessions_without_a_login_for_fifteen_minutes() {
    for prolongs_sessions in [false, true] {
        let redis = Redis::start().await;
        let site = with_anonymous_ttl(&redis, prolongs_sessions).await;
        let challenged = ask(&site, wire(0, "/a/", None, None)).await.set_cookie.unwrap();
        assert_is(session_ttl(&redis, &challenged), FIFTEEN_MINUTES);
        for number in 0..5 {
            for cookie in log_out_without_login(&site, number).await {
                assert_is(session_ttl(&redis, &cookie), FIFTEEN_MINUTES);
                // The next visit keeps it anonymous.
                let next = ask(&site, wire(1, "/a/", Some(&cookie), None)).await.set_cookie;
                assert_is(session_ttl(&redis, &next.unwrap_or(cookie)), FIFTEEN_MINUTES);
            }
        }
        let ttls = ttls(&redis, "*");
        assert!(ttls.iter().all(|it| (1..=TWENTY_MINUTES).contains(it)), "{ttls:?}");

        let login = ask(&site, wire(1, "/a/", Some(&challenged), Some(ALICE))).await;
        assert_eq!(login.status, 200);
        let login = login.set_cookie.unwrap();
        assert_is(session_ttl(&redis, &login), DAY);
        let out = ask(&site, wire(2, "/logout", Some(&login), Some(ALICE))).await;
        let out = out.set_cookie.unwrap();
        assert_is(session_ttl(&redis, &out), DAY);
        // Also with the challenges that follow.
        let next = ask(&site, wire(3, "/a/", Some(&out), None)).await.set_cookie.unwrap_or(out);
        assert_is(session_ttl(&redis, &next), DAY);
    }
}

#[actix_web::test]
#[ignore = "needs a redis-server"]
async fn requests_do_not_prolong_a_session_without_a_login() {
    let redis = Redis::start().await;
    let site = with_anonymous_ttl(&redis, true).await;
    // As if time had passed since the request before.
    let age = |cookie: &str| {
        redis_cli(&redis, &["expire", &Site::content(cookie), "300"]);
        assert_is(session_ttl(&redis, cookie), 300);
    };
    let challenged = ask(&site, wire(0, "/a/", None, None)).await.set_cookie.unwrap();
    for path in ["/free", "/a/", "/a/x", "/free"] {
        age(&challenged);
        let answer = ask(&site, wire(1, path, Some(&challenged), None)).await;
        match &answer.set_cookie {
            // The next challenge has a session of its own.
            Some(cookie) if *cookie != challenged => {
                assert_is(session_ttl(&redis, cookie), FIFTEEN_MINUTES);
            }
            _ => assert_is(session_ttl(&redis, &challenged), 300),
        }
    }
    let login = log_in(&site).await;
    for path in ["/free", "/a/x"] {
        age(&login);
        assert_eq!(ask(&site, wire(1, path, Some(&login), Some(ALICE))).await.status, 200);
        assert_is(session_ttl(&redis, &login), DAY);
    }
    // A session that has expired does not come back.
    redis_cli(&redis, &["del", &Site::content(&challenged)]);
    ask(&site, wire(1, "/free", Some(&challenged), None)).await;
    assert_eq!(session_ttl(&redis, &challenged), -2, "no such key");
}

#[actix_web::test]
#[ignore = "needs a redis-server"]
async fn redis_keeps_sessions_with_application_data_for_the_full_time() {
    let redis = Redis::start().await;
    for prolongs_sessions in [false, true] {
        let site = with_anonymous_ttl(&redis, prolongs_sessions).await;
        let written = ask(&site, wire(0, "/free/write", None, None)).await.set_cookie.unwrap();
        assert_is(session_ttl(&redis, &written), DAY);
        let challenged = ask(&site, wire(1, "/a/", Some(&written), None)).await.set_cookie;
        assert_is(session_ttl(&redis, &challenged.unwrap_or(written)), DAY);

        let challenged = ask(&site, wire(0, "/a/", None, None)).await.set_cookie.unwrap();
        let written = ask(&site, wire(1, "/free/write", Some(&challenged), None)).await.set_cookie;
        let written = written.unwrap_or(challenged);
        assert_is(session_ttl(&redis, &written), DAY);
        ask(&site, wire(1, "/free", Some(&written), None)).await;
        assert_is(session_ttl(&redis, &written), DAY);
    }
}

#[actix_web::test]
#[ignore = "needs a redis-server"]
async fn redis_keeps_records_of_logouts_without_a_login_for_twenty_minutes() {
    let redis = Redis::start().await;
    let site = two_machines(&redis).await;
    for number in 0..50 {
        log_out_without_login(&site, number).await;
    }
    let records = ttls(&redis, "basic-logout:*");
    assert!((1..=200).contains(&records.len()), "{} records of 200 logouts", records.len());
    assert!(records.iter().all(|it| (1..=TWENTY_MINUTES).contains(it)), "{records:?}");

    let cookie = log_in(&site).await;
    let login = last_login(&site);
    assert_eq!(ttl(&redis, &record_of(login)), -2, "no record before the logout");
    ask(&site, wire(1, "/logout", Some(&cookie), Some(ALICE))).await;
    // A minute more, for clocks that differ, and the time of the challenge.
    assert_is(ttl(&redis, &record_of(login)), THIRTY_DAYS + 60 + TWENTY_MINUTES);
}

/// When a logout happens, seen from a login in progress.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum LogoutComes {
    BeforeTheLogin,
    DuringTheCheck,
    DuringTheHandler,
    AfterTheLogin,
}

/// Whether the login on the second machine is refused after a logout on the first machine with the
/// cookie from before the login.
async fn assert_logout_ends_login(site: &Site, number: u32, comes: LogoutComes) {
    use LogoutComes::{AfterTheLogin, BeforeTheLogin, DuringTheCheck, DuringTheHandler};
    let challenged = ask(site, wire(0, "/a/", None, None)).await.set_cookie.unwrap();
    let log_out = || ask(site, wire(2, "/logout", Some(&challenged), Some(ALICE)));
    if comes == BeforeTheLogin {
        log_out().await;
    }
    let served = site.seen().served.len();
    let slow = wire(number, "/a/", Some(&challenged), Some(ALICE));
    let login = rt::spawn(site.start(&slow, true));
    let reaches = async |is_there: &dyn Fn() -> bool| {
        let reaches = async {
            while !is_there() {
                tokio::task::yield_now().await;
            }
        };
        timeout(LIMIT, reaches).await.expect("the login continues");
    };
    if comes != BeforeTheLogin {
        reaches(&|| site.seen().checked.contains(&number)).await;
    }
    if comes == DuringTheCheck {
        log_out().await;
    }
    site.permit(number);
    if [DuringTheHandler, AfterTheLogin].contains(&comes) {
        reaches(&|| site.seen().served.len() > served).await;
    }
    if comes == DuringTheHandler {
        log_out().await;
    }
    site.permit(number);
    let answer = timeout(LIMIT, login).await.unwrap().unwrap();
    let is_in = [DuringTheHandler, AfterTheLogin].contains(&comes);
    assert_eq!(answer.status == 200, is_in, "{comes:?}");
    if comes == AfterTheLogin {
        log_out().await;
    }
    // If both cookies name the same session, credentials after the second challenge count as typed.
    let of_login = answer.set_cookie.filter(|it| {
        // If both cookies name the same session, credentials after its challenge count as typed.
        is_in && Site::content(it) != Site::content(&challenged)
    });
    for cookie in of_login.into_iter().chain([challenged]) {
        assert_refused_everywhere(site, &cookie).await;
    }
}

#[actix_web::test]
#[ignore = "needs a redis-server"]
async fn logout_with_the_challenge_ends_the_login_on_the_other_machine_in_any_order() {
    use LogoutComes::{AfterTheLogin, BeforeTheLogin, DuringTheCheck, DuringTheHandler};
    let redis = Redis::start().await;
    let mut number = 101;
    for renews in [false, true] {
        for store in [Store::Redis(redis.port), Store::Cookie] {
            let revocations = RedisRevocationStore::new(&redis.url()).await.unwrap();
            let setup = Setup { two_machines: true, anonymous_ttl: true, ..Setup::new(store) };
            let site = Site::with(&setup, |it| {
                // With renewal, the login replaces the session of the challenge.
                let it = if renews { it.renew_session_at_login() } else { it };
                it.revocation_store(revocations.clone())
            })
            .await;
            for comes in [BeforeTheLogin, DuringTheCheck, DuringTheHandler, AfterTheLogin] {
                assert_logout_ends_login(&site, number, comes).await;
                number += 2;
            }
        }
    }
}

#[actix_web::test]
#[ignore = "needs a redis-server"]
async fn logout_with_a_replaced_session_ends_the_login_on_every_machine() {
    let redis = Redis::start().await;
    let site = two_machines(&redis).await;
    for logs_out_first in [false, true] {
        let old = log_in(&site).await;
        assert_eq!(ask(&site, wire(1, "/a/x", Some(&old), Some(ALICE))).await.status, 200);
        let replace = || ask(&site, wire(3, "/a/b/", Some(&old), None));
        let log_out = || ask(&site, wire(4, "/logout", Some(&old), Some(ALICE)));
        let mut cookies = vec![old.clone()];
        if logs_out_first {
            cookies.extend(log_out().await.set_cookie);
        }
        // The challenge of the other realm replaces the session.
        let replaced = replace().await.set_cookie;
        if let Some(replaced) = &replaced
            && !logs_out_first
        {
            assert_eq!(ask(&site, wire(5, "/a/x", Some(replaced), Some(ALICE))).await.status, 200);
        }
        assert!(replaced.is_some() || logs_out_first);
        cookies.extend(replaced);
        if !logs_out_first {
            cookies.extend(log_out().await.set_cookie);
        }
        for cookie in cookies {
            assert_refused_everywhere(&site, &cookie).await;
        }
    }
}

#[actix_web::test]
#[ignore = "needs a redis-server"]
async fn logout_without_a_login_keeps_the_record_of_an_ended_login() {
    let redis = Redis::start().await;
    let site = two_machines(&redis).await;
    for is_revoked in [false, true] {
        let challenged = ask(&site, wire(0, "/a/", None, None)).await.set_cookie.unwrap();
        let welcome = ask(&site, wire(1, "/a/", Some(&challenged), Some(ALICE))).await;
        let cookie = welcome.set_cookie.unwrap();
        let replaced = ask(&site, wire(1, "/a/b/", Some(&cookie), None)).await.set_cookie.unwrap();
        let login = last_login(&site);
        if is_revoked {
            site.logins.0.revoke_login(login).await.unwrap();
        } else {
            ask(&site, wire(1, "/logout", Some(&replaced), Some(ALICE))).await;
        }
        let record = record_of(login);
        let (value, before) = (redis_cli(&redis, &["get", &record]), ttl(&redis, &record));
        assert!(before >= THIRTY_DAYS, "{before}");
        for number in 0..10 {
            log_out_without_login(&site, number).await;
            for cookie in [&challenged, &cookie, &replaced] {
                for credentials in [None, Some(ALICE), Some(("mallory", "x"))] {
                    ask(&site, wire(number, "/logout", Some(cookie), credentials)).await;
                    ask(&site, wire(number, "/a/", Some(cookie), credentials)).await;
                }
            }
        }
        let after = ttl(&redis, &record);
        assert!(after >= before - 60, "{after} instead of {before}");
        if !is_revoked {
            assert_eq!(redis_cli(&redis, &["get", &record]), value);
        }
        for cookie in [&challenged, &cookie, &replaced] {
            assert_refused_everywhere(&site, cookie).await;
        }
    }
}

/// A store that counts the lookups of one machine. Clones share the count.
#[derive(Clone)]
struct Counted {
    store: RedisRevocationStore,
    lookups: Arc<AtomicU32>,
}

impl Counted {
    async fn new(redis: &Redis) -> Self {
        let store = RedisRevocationStore::new(&redis.url()).await.unwrap();
        Self { store, lookups: Arc::default() }
    }

    fn lookups(&self) -> u32 {
        self.lookups.load(Relaxed)
    }
}

impl RevocationStore for Counted {
    fn set<'a>(
        &'a self,
        entries: &'a [(RevocationKey, u64)],
        ttl: Duration,
    ) -> BoxFuture<'a, Result<(), RevocationError>> {
        self.store.set(entries, ttl)
    }

    fn get<'a>(
        &'a self,
        keys: &'a [RevocationKey],
    ) -> BoxFuture<'a, Result<Vec<Option<u64>>, RevocationError>> {
        self.lookups.fetch_add(1, Relaxed);
        self.store.get(keys)
    }
}

/// A machine that counts its lookups.
async fn machine_with(store: &Counted, redis: &Redis) -> Site {
    let setup = Setup::new(Store::Redis(redis.port));
    Site::with(&setup, |it| it.revocation_store(store.clone())).await
}

#[actix_web::test]
#[ignore = "needs a redis-server"]
async fn logouts_without_a_login_cause_no_lookup_on_another_machine() {
    let redis = Redis::start().await;
    let store = Counted::new(&redis).await;
    let (one, other) = (two_machines(&redis).await, machine_with(&store, &redis).await);
    log_in(&other).await;
    let user = other.seen().users.last().unwrap().clone();
    let before = store.lookups();
    let ended = rt::spawn(user.ended());
    let start = Instant::now();
    for number in 0..25 {
        log_out_without_login(&one, number).await;
    }
    // It looks once at the start, and then once a second.
    let polls = u32::try_from(start.elapsed().as_secs()).unwrap() + 1;
    let lookups = store.lookups() - before;
    assert!((1..=polls).contains(&lookups), "{lookups} lookups during 100 logouts");
    assert!(!ended.is_finished());
}

#[actix_web::test]
#[ignore = "needs a redis-server"]
async fn user_ended_resolves_within_a_second_of_a_logout_by_another_process() {
    let redis = Redis::start().await;
    let store = Counted::new(&redis).await;
    let site = machine_with(&store, &redis).await;
    let cookie = log_in(&site).await;
    let user = site.seen().users.last().unwrap().clone();
    ask(&site, wire(1, "/logout", Some(&cookie), Some(ALICE))).await;
    // The records of the logout are put aside until `ended` waits. Their return wakes no task of this
    // process, like records that another process writes.
    let rename = |from: &str, to: &str| {
        let script = "for _, key in ipairs(redis.call('keys', ARGV[1] .. '*')) do \
                      redis.call('rename', key, ARGV[2] .. string.sub(key, #ARGV[1] + 1)) end";
        redis_cli(&redis, &["eval", script, "0", from, to]);
    };
    rename("basic-logout:", "aside:");
    let before = store.lookups();
    let ended = rt::spawn(user.ended());
    let has_looked_twice = async {
        while store.lookups() < before + 2 {
            tokio::task::yield_now().await;
        }
    };
    timeout(LIMIT, has_looked_twice).await.expect("`ended` polls");
    assert!(!ended.is_finished());
    rename("aside:", "basic-logout:");
    let start = Instant::now();
    timeout(LIMIT, ended).await.expect("`ended` resolves").unwrap();
    // The next lookup is due within a second. A busy machine may be late.
    assert!(start.elapsed() < Duration::from_secs(5), "after {:?}", start.elapsed());
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
        let keys = redis_cli(&redis, &["keys", "*"]);
        let sessions = keys.lines().filter(|it| !it.starts_with("basic-logout:")).count();
        assert_eq!(sessions, 1, "{keys}");

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
async fn full_redis_answers_503_where_it_must_write_and_keeps_logins() {
    let redis = Redis::start().await;
    let demo = Demo::start(&redis);
    let mut browser = Browser::log_in(&demo).await;
    // The eviction policy is `noeviction`, the default.
    redis_cli(&redis, &["config", "set", "maxmemory", "1"]);
    assert_eq!(browser.open(&demo, "/admin/").await, 200);
    assert_eq!(Browser::default().open(&demo, "/admin/").await, 503);
    assert_eq!(browser.ask(&demo, "POST", "/logout").await.status, 503);
    assert_eq!(browser.open(&demo, "/admin/").await, 200);

    redis_cli(&redis, &["config", "set", "maxmemory", "0"]);
    assert_eq!(browser.ask(&demo, "POST", "/logout").await.status, 401);
    assert_eq!(browser.open(&demo, "/admin/x").await, 401);
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
