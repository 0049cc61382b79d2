//! Users with plaintext and hashed passwords, and protection against user enumeration.

use std::{env, process::Command};

use actix_basic_logout::{Authenticator, HashLimiter, TryLater, Users};
use serde_json::Value;

use super::*;
use crate::support::log::Log;

/// Hashes of "wonderland", made by Apache's htpasswd, by Python's hashlib and by this crate.
const BCRYPT: &str = "$2y$04$qqxtSNcE5L3nZxkNayxMDOGS1/Xpv5quGRK8y21J1utjVbTHTJ5Au";
const SLOW_BCRYPT: &str = "$2y$12$rt0frD9qtG6jPL8.8clKb.OSbnD5vvdF8fpgV/yRKv6zP3iFdHatW";
const SCRYPT: &str =
    "$scrypt$ln=4,r=8,p=1$MDEyMzQ1Njc4OWFiY2RlZg$d80gVbyUXkI0LPQnTPDZYrK8loKWJPKPRoQ36tRAKO8";
const PBKDF2: &str = "$pbkdf2-sha256$i=1000,l=32$MDEyMzQ1Njc4OWFiY2RlZg$\
                      b0FaKDULMkLlg4NThBeBNEp1S6xlfQTtaZwup0NyE5Q";

async fn site_of(users: impl Authenticator) -> Site {
    let builder = BasicLogin::builder("Admin area", users).landing_path("/admin/").clock(noon);
    site(&builder.build().expect("a realm")).await
}

async fn status_of(site: &Site, user_id: &str, password: &str) -> u16 {
    let answer = ask(site, non_browser("/admin/").insert_header(basic(user_id, password))).await;
    answer.status.as_u16()
}

#[actix_web::test]
async fn users_log_in_with_hashes_of_every_kind() {
    let argon2id = HashLimiter::shared().hash("wonderland").await.expect("a hash");
    let users =
        [("ann", &*argon2id), ("ben", BCRYPT), ("cid", SCRYPT), ("dan", PBKDF2), ("alice", BCRYPT)];
    let site = site_of(Users::hashed(users).expect("users")).await;
    for (user_id, _) in users {
        assert_eq!(status_of(&site, user_id, "wonderland").await, 200, "{user_id}");
        assert_eq!(status_of(&site, user_id, "looking-glass").await, 401, "{user_id}");
        assert_eq!(status_of(&site, user_id, "").await, 401, "{user_id}");
    }
    assert_eq!(status_of(&site, "eve", "wonderland").await, 401);
    assert_eq!(status_of(&site, "ann", &argon2id).await, 401, "a hash is no password");
    log_in(&site).await;
}

#[actix_web::test]
async fn users_log_in_with_plaintext_passwords() {
    let users = Users::plaintext([("alice", "wonderland"), ("bob", "a:b c")]).expect("users");
    let site = site_of(users).await;
    log_in(&site).await;
    for (user_id, password, status) in [
        ("alice", "wonderland", 200),
        ("bob", "a:b c", 200),
        ("alice", "a:b c", 401),
        ("bob", "wonderland", 401),
        ("alice", "wonderlan", 401),
        ("alice", "wonderland ", 401),
        ("alice", "", 401),
        ("", "wonderland", 401),
        ("eve", "wonderland", 401),
        ("alicewonderland", "", 401),
    ] {
        assert_eq!(status_of(&site, user_id, password).await, status, "{user_id} {password}");
    }
}

#[actix_web::test]
async fn users_are_read_from_the_environment() {
    const HASHED: &str = "HASHED_USERS_OF_A_TEST";
    const PLAINTEXT: &str = "PLAINTEXT_USERS_OF_A_TEST";
    if env::var_os(HASHED).is_none() {
        // A test must not change the environment of other tests, so this one runs again in its own
        // process.
        let this = "answers::passwords::users_are_read_from_the_environment";
        let output = Command::new(env::current_exe().expect("the path of this test"))
            .args(["--exact", this])
            .env(HASHED, format!("ann:{SCRYPT}\nalice:{BCRYPT}\n"))
            .env(PLAINTEXT, "# for development\r\nalice:wonder:land\r\n")
            .output()
            .expect("the test runs");
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success() && text.contains("1 passed"), "{text}");
        return;
    }
    let site = site_of(Users::env(HASHED).expect("users")).await;
    assert_eq!(status_of(&site, "ann", "wonderland").await, 200);
    assert_eq!(status_of(&site, "alice", "wonderland").await, 200);
    assert_eq!(status_of(&site, "alice", "wonder:land").await, 401);
    let site = site_of(Users::env_plaintext(PLAINTEXT).expect("users")).await;
    assert_eq!(status_of(&site, "alice", "wonder:land").await, 200);
    assert_eq!(status_of(&site, "alice", "wonderland").await, 401);
    let error = Users::env(PLAINTEXT).expect_err("no hash").to_string();
    assert!(error.starts_with(&format!("the environment variable {PLAINTEXT}, line 2: ")));
    assert!(!error.contains("wonder"), "{error}");
}

#[actix_web::test]
async fn unknown_user_gets_the_same_response_as_a_wrong_password() {
    for users in [
        Users::hashed([("alice", BCRYPT), ("ben", SCRYPT)]).expect("users"),
        Users::plaintext([("alice", "wonderland")]).expect("users"),
    ] {
        let site = site_of(users).await;
        let in_dialog = ask(&site, page("/admin/")).await.session();
        for req in [
            || non_browser("/admin/"),
            || page("/admin/"),
            || fetch("/admin/"),
            || page("/admin/").insert_header(("Accept", "application/json")),
        ] {
            let mut answers = Vec::new();
            for user_id in ["alice", "eve"] {
                let req = req().cookie(in_dialog.clone());
                answers.push(ask(&site, req.insert_header(basic(user_id, "x"))).await);
            }
            let [known, unknown] = answers.try_into().expect("two");
            assert_eq!(known.status, StatusCode::UNAUTHORIZED);
            assert_eq!(format!("{known:?}"), format!("{unknown:?}"));
        }
    }
}

#[actix_web::test]
async fn overlong_password_is_wrong_for_every_user() {
    let long = "x".repeat(1025);
    let site = site_of(Users::hashed([("alice", BCRYPT)]).expect("users")).await;
    assert_eq!(status_of(&site, "alice", &long).await, 401);
    assert_eq!(status_of(&site, "eve", &long).await, 401);
}

#[actix_web::test]
async fn password_that_bcrypt_truncates_is_rejected() {
    let of_seventy_two_sevens = "$2y$04$CAPyMgcZsUnFL3jJ8t7xo.KTzD.yg/2O.rtQGyBA76IUcSObDNa/y";
    let site = site_of(Users::hashed([("alice", of_seventy_two_sevens)]).expect("users")).await;
    assert_eq!(status_of(&site, "alice", &"7".repeat(72)).await, 200);
    assert_eq!(status_of(&site, "alice", &"7".repeat(73)).await, 401);
}

#[actix_web::test]
async fn full_hash_limiter_gives_503_and_changes_no_login() {
    let limiter = HashLimiter::builder().concurrency(1).queue_limit(0);
    let limiter = limiter.queue_timeout(Duration::from_secs(7)).build().expect("a limiter");
    let users = Users::hashed([("alice", SLOW_BCRYPT)]).expect("users").hash_limiter(limiter);
    let site = site_of(users).await;
    let in_dialog = ask(&site, page("/admin/")).await.session();
    // The first login takes the only permit for the time of a slow hash.
    let mut first = Box::pin(ask(&site, non_browser("/admin/").insert_header(alice())));
    assert!(poll_once(&mut first).is_none());
    let typed = page("/admin/").cookie(in_dialog.clone()).insert_header(alice());
    let mut second = Box::pin(ask(&site, typed));
    let answer = poll_once(&mut second).expect("an answer without waiting");
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(answer.header("Retry-After"), Some("7"));
    assert_eq!((answer.challenge(), answer.cookies.len()), (None, 0));
    assert_eq!(answer.header("Cache-Control"), Some("no-store"));
    assert!(answer.body.contains("<h1>The server is busy</h1>"), "{}", answer.body);
    assert_eq!(first.await.status, StatusCode::OK);
    // The user can submit the same credentials again at the same prompt.
    let again = page("/admin/").cookie(in_dialog).insert_header(alice());
    assert_eq!(ask(&site, again).await.body, "alice");
}

#[actix_web::test]
async fn existing_login_is_reverified_while_the_hash_limiter_is_full() {
    let watch = Watch::new();
    let limiter = HashLimiter::builder().concurrency(1).queue_limit(0).build().expect("a limiter");
    let users = Users::hashed([("alice", SLOW_BCRYPT)]).expect("users").hash_limiter(limiter);
    let login = BasicLogin::builder("Admin area", users).clock(watch.system_time());
    let site = site(&login.build().expect("a realm")).await;
    let logged_in = log_in(&site).await;
    watch.set(300);
    let mut other = Box::pin(ask(&site, non_browser("/admin/").insert_header(basic("eve", "x"))));
    assert!(poll_once(&mut other).is_none());
    let mut late = Box::pin(ask(&site, non_browser("/admin/").insert_header(basic("eve", "x"))));
    assert_eq!(poll_once(&mut late).expect("an answer").status, StatusCode::SERVICE_UNAVAILABLE);
    let answer = ask(&site, page("/admin/").cookie(logged_in).insert_header(alice())).await;
    assert_eq!((answer.status, &*answer.body), (StatusCode::OK, "alice"));
    assert_eq!(other.await.status, StatusCode::UNAUTHORIZED);
}

/// An authenticator of an application that returns `TryLater`.
async fn later(_: &HttpRequest, credentials: &BasicAuth) -> Result<bool, Error> {
    let after = Duration::from_secs(90);
    Err(match credentials.user_id() {
        "busy" => TryLater::busy(after),
        _ => TryLater::too_many_attempts(after),
    }
    .into())
}

#[actix_web::test]
async fn try_later_is_sent_in_the_accepted_format() {
    let site = site_of(later).await;
    let in_dialog = ask(&site, page("/admin/")).await.session();
    for (user_id, status, title) in
        [("busy", 503, "The server is busy"), ("many", 429, "Too many attempts")]
    {
        let typed = || page("/admin/").cookie(in_dialog.clone()).insert_header(basic(user_id, "x"));
        let html = ask(&site, typed()).await;
        assert!(html.body.contains(&format!("<h1>{title}</h1>")), "{}", html.body);
        assert!(html.body.contains("Try again in 90 seconds."), "{}", html.body);
        assert!(!html.body.contains("reload the page"), "there is no dialog to reopen");
        let json = ask(&site, typed().insert_header(("Accept", "application/json"))).await;
        let problem: Value = serde_json::from_str(&json.body).expect("JSON");
        assert_eq!((&problem["status"], &problem["title"]), (&status.into(), &title.into()));
        let text = ask(&site, non_browser("/admin/").insert_header(basic(user_id, "x"))).await;
        assert!(text.body.starts_with(&format!("{title}. ")), "{}", text.body);
        assert_eq!(text.header("Content-Type"), Some("text/plain; charset=utf-8"));
        for answer in [html, json, text] {
            assert_eq!(answer.status.as_u16(), status);
            assert_eq!(answer.header("Retry-After"), Some("90"));
            assert_eq!((answer.challenge(), answer.cookies.len()), (None, 0));
            assert_eq!(answer.header("Cache-Control"), Some("no-store"));
        }
    }
}

#[actix_web::test]
async fn application_can_respond_to_try_later_itself() {
    let login = BasicLogin::builder("Admin area", later).respond_with(|_, notice| {
        let words = format!("{:?} {:?}", notice.reason(), notice.retry_after());
        actix_web::HttpResponse::Ok().insert_header(("Retry-After", "0")).body(words)
    });
    let site = site(&login.build().expect("a realm")).await;
    let answer = ask(&site, non_browser("/admin/").insert_header(basic("many", "x"))).await;
    assert_eq!(answer.status, StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(answer.body, "TooManyAttempts Some(90s)");
    assert_eq!(answer.header("Retry-After"), Some("90"));
    assert_eq!(ask(&site, non_browser("/admin/")).await.body, "LoginRequired None");
}

#[actix_web::test]
async fn unusable_stored_hash_is_logged_and_accepts_no_password() {
    let (log, guard) = Log::capture();
    let limiter = HashLimiter::builder().build().expect("a limiter");
    for stored in ["$apr1$7RmEoxDb$UAKt.lg62KzpFVv9.Aj0g.", "wonderland", ""] {
        assert!(!limiter.verify(Some(stored), "wonderland").await.expect("an answer"), "{stored}");
        assert!(!limiter.reverify(Some(stored), stored).await.expect("an answer"), "{stored}");
    }
    drop(guard);
    assert_eq!(log.count("its user cannot log in"), 6, "{}", log.text());
    assert!(log.text().contains("ERROR"));
    assert!(!log.text().contains("wonderland") && !log.text().contains("UAKt"), "{}", log.text());
}
