//! Attacks on answers that do not ask the authenticator: none of them may tell a right password from
//! a wrong one when the limits are reached.

use actix_basic_logout::CredentialCache;
use actix_web::http::Method;

use super::*;

/// A dictionary whose last password is right.
fn dictionary() -> impl Iterator<Item = String> {
    (0..200).map(|it| format!("guess{it}")).chain(["wonderland".to_owned()])
}

/// Presents each password with the same cookie. Returns the statuses.
async fn guess_with(site: &Site, cookie: &Cookie<'static>) -> Vec<u16> {
    let mut statuses = Vec::new();
    for guess in dictionary() {
        let req = page("/admin/").cookie(cookie.clone());
        statuses.push(status_of(site, req, "alice", &guess).await);
    }
    statuses
}

/// The right password gets the same answer as the wrong one before it.
#[track_caller]
fn assert_right_is_not_recognized(statuses: &[u16], name: &str) {
    let [.., wrong, right] = statuses else { panic!("no guesses") };
    assert_eq!(right, wrong, "{name}: {statuses:?}");
    assert_ne!(*right, 200, "{name}");
}

async fn limited_site(users: &Counted, watch: &Watch) -> Site {
    site_of(throttle_of_three(users, watch), watch).await
}

#[actix_web::test]
async fn cookie_of_a_login_does_not_confirm_a_right_guess() {
    let (users, watch) = (Counted::new(), Watch::new());
    let site = limited_site(&users, &watch).await;
    let stolen = log_in(&site).await;
    let (log, guard) = Log::capture();
    assert_right_is_not_recognized(&guess_with(&site, &stolen).await, "a login");
    drop(guard);
    assert_eq!(log.text().matches("the session cookie may be stolen").count(), 1, "{}", log.text());
    let next_day = page("/admin/").cookie(stolen).insert_header(alice());
    watch.set(2 * 24 * 60 * 60);
    assert_eq!(ask(&site, next_day).await.challenge(), Some(CHALLENGE), "the login has ended");
}

#[actix_web::test]
async fn login_survives_nine_other_credentials() {
    let (users, watch) = (Counted::new(), Watch::new());
    let site = limited_site(&users, &watch).await;
    let session = log_in(&site).await;
    // A browser that holds other credentials for a page below sends them with each of its requests.
    for number in 0..100 {
        let req = page("/admin/").cookie(session.clone());
        status_of(&site, req, &format!("user{}", number % 9), "x").await;
    }
    let visit = || page("/admin/").cookie(session.clone()).insert_header(alice());
    assert_eq!(ask(&site, visit()).await.status, 200);
    status_of(&site, page("/admin/").cookie(session.clone()), "user9", "x").await;
    let answer = ask(&site, visit()).await;
    assert_eq!(answer.status, 401, "the tenth ended it");
    assert!(answer.body.contains("It was ended by this site"), "{}", answer.body);
}

#[actix_web::test]
async fn cookie_of_an_ended_login_does_not_confirm_a_right_guess() {
    let month = 31 * 24 * 60 * 60;
    for (name, path, seconds) in
        [("logged out", "/logout", 0), ("expired", "/admin/", month), ("both", "/logout", month)]
    {
        let (users, watch) = (Counted::new(), Watch::new());
        let site = limited_site(&users, &watch).await;
        let stolen = log_in(&site).await;
        ask(&site, page(path).cookie(stolen.clone()).insert_header(alice())).await;
        watch.set(seconds);
        assert_right_is_not_recognized(&guess_with(&site, &stolen).await, name);
        // A wrong guess gets a session that waits for the credentials of the login.
        let wrong = page("/admin/").cookie(stolen.clone()).insert_header(basic("alice", "wrong"));
        if let Some(cookie) = ask(&site, wrong).await.cookies.pop() {
            assert_right_is_not_recognized(&guess_with(&site, &cookie).await, name);
        }
    }
}

#[actix_web::test]
async fn new_sessions_from_one_ended_login_share_its_guesses() {
    let (users, watch) = (Counted::new(), Watch::new());
    let site = limited_site(&users, &watch).await;
    let stolen = log_in(&site).await;
    ask(&site, page("/logout").cookie(stolen.clone()).insert_header(alice())).await;
    let mut statuses = Vec::new();
    for guess in dictionary() {
        let wrong = page("/admin/").cookie(stolen.clone()).insert_header(basic("alice", "wrong"));
        let session = ask(&site, wrong).await.session();
        let req = page("/admin/").cookie(session);
        statuses.push(status_of(&site, req, "alice", &guess).await);
    }
    assert_right_is_not_recognized(&statuses, "a new session for each guess");
}

/// Anyone can put the fingerprint of a guess into a session, by a logout. It must not show whether that is
/// also the fingerprint in another session.
#[actix_web::test]
async fn guesses_at_a_stolen_session_do_not_confirm_the_fingerprint_of_another() {
    let (users, watch) = (Counted::new(), Watch::new());
    let site = limited_site(&users, &watch).await;
    let stolen = log_in(&site).await;
    for guess in dictionary() {
        let junk = page("/admin/").cookie(stolen.clone()).insert_header(basic("junk", &guess));
        ask(&site, junk).await;
    }
    let mut answers = Vec::new();
    for guess in ["x", "wonderland"] {
        let logout = fetch("/logout").method(Method::POST).insert_header(basic("alice", guess));
        let mut cookie = ask(&site, logout).await.session();
        let mut statuses = Vec::new();
        for number in 0..12 {
            let junk = basic(&format!("junk{number}"), "x");
            let req =
                page("/admin/").insert_header(junk).insert_header(("Sec-Fetch-Site", "cross-site"));
            statuses.push(ask(&site, req.cookie(cookie.clone())).await.status);
        }
        let rechallenged = page("/admin/").cookie(cookie).insert_header(basic("junk", "x"));
        cookie = ask(&site, rechallenged).await.session();
        let checked = page("/admin/").cookie(cookie).insert_header(basic("alice", guess));
        statuses.push(ask(&site, checked).await.status);
        answers.push(statuses);
    }
    assert_eq!(answers[0], answers[1]);
}

#[actix_web::test]
async fn extractor_outside_the_middleware_does_not_confirm_a_right_guess() {
    let (users, watch) = (Counted::new(), Watch::new());
    let login = BasicLogin::builder("Admin area", throttle_of_three(&users, &watch));
    let login = login.clock(watch.system_time()).build().expect("a realm");
    let id = async |user: User| user.id().to_owned();
    let app = App::new()
        .app_data(login.clone())
        .route("/admin/public", web::get().to(id))
        .service(web::scope("/admin").wrap(login).default_service(web::to(id)));
    let site = start(app.wrap(session())).await;
    let stolen = log_in(&site).await;
    let mut statuses = Vec::new();
    for guess in dictionary() {
        let req = page("/admin/public").cookie(stolen.clone());
        statuses.push(status_of(&site, req, "alice", &guess).await);
    }
    assert_right_is_not_recognized(&statuses, "the extractor");
}

#[actix_web::test]
async fn cache_around_a_throttle_does_not_confirm_a_right_guess() {
    let (users, watch) = (Counted::new(), Watch::new());
    let (log, guard) = Log::capture();
    let cached = CredentialCache::new(throttle_of_three(&users, &watch), MINUTE);
    drop(guard);
    assert!(log.text().contains("CredentialCache caches nothing"), "{}", log.text());
    let login = BasicLogin::builder("Admin area", cached.clock(watch.instant()));
    let site = site(&login.build().expect("a realm")).await;
    assert_eq!(status_of(&site, from("1.2.3.4"), "alice", "wonderland").await, 200);
    let mut statuses = Vec::new();
    for guess in dictionary() {
        statuses.push(status_of(&site, from("6.6.6.6"), "alice", &guess).await);
    }
    assert_right_is_not_recognized(&statuses, "the cache");
}

#[actix_web::test]
async fn check_in_progress_does_not_confirm_a_right_guess() {
    let (mut users, watch) = (Counted::new(), Watch::new());
    let held = Arc::new(Notify::new());
    users.held = Some(Arc::clone(&held));
    let cached = CredentialCache::new(throttle_of_three(&users, &watch), MINUTE);
    let login = BasicLogin::builder("Admin area", cached.clock(watch.instant()));
    let site = site(&login.build().expect("a realm")).await;
    let mut honest = Box::pin(status_of(&site, from("1.2.3.4"), "alice", "wonderland"));
    assert!(poll_once(&mut honest).is_none());
    let guess = |it| Box::pin(status_of(&site, from("6.6.6.6"), "alice", it));
    let mut guesses: Vec<_> = ["x", "y", "z", "wonderland"].map(guess).into();
    assert!(guesses.iter_mut().all(|it| poll_once(it).is_none()));
    held.notify_waiters();
    assert_eq!(honest.await, 200);
    let right = guesses.last_mut().expect("a guess");
    assert!(poll_once(right).is_none(), "it needs a check of its own");
}

/// A cache inside answers valid credentials at once, and wrong ones only after a hash.
#[actix_web::test]
async fn hanging_up_before_the_answer_gains_no_guesses() {
    let (mut users, watch) = (Counted::new(), Watch::new());
    let held = Arc::new(Notify::new());
    users.held = Some(Arc::clone(&held));
    let cache = CredentialCache::new(users.clone(), MINUTE).clock(watch.instant());
    let throttle = Throttle::builder(cache).clock(watch.instant()).per_user_id(3, MINUTE);
    let login = BasicLogin::builder("Admin area", throttle.build().expect("a limit"));
    let site = site(&login.build().expect("a realm")).await;
    let mut honest = Box::pin(status_of(&site, from("1.2.3.4"), "alice", "wonderland"));
    assert!(poll_once(&mut honest).is_none());
    held.notify_waiters();
    assert_eq!(honest.await, 200);
    let mut answers = Vec::new();
    for (number, guess) in dictionary().enumerate() {
        let address = format!("6.{}.{}.6", number / 256, number % 256);
        answers.push(poll_once(&mut Box::pin(status_of(&site, from(&address), "alice", &guess))));
    }
    assert_eq!(answers.last(), Some(&Some(429)));
    assert_eq!(users.checks(), 1 + 3);
}

#[actix_web::test]
async fn errors_gain_no_guesses_at_cached_credentials() {
    let (users, watch) = (Counted::new(), Watch::new());
    let cache = CredentialCache::new(users.clone(), MINUTE).clock(watch.instant());
    let throttle = Throttle::builder(cache).clock(watch.instant()).per_user_id(3, MINUTE);
    let login = BasicLogin::builder("Admin area", throttle.build().expect("a limit"));
    let site = site(&login.build().expect("a realm")).await;
    assert_eq!(status_of(&site, from("1.2.3.4"), "alice", "wonderland").await, 200);
    users.down.store(true, Relaxed);
    let mut statuses = Vec::new();
    for (number, guess) in dictionary().enumerate() {
        let address = format!("6.{}.{}.6", number / 256, number % 256);
        statuses.push(status_of(&site, from(&address), "alice", &guess).await);
    }
    assert_eq!(statuses[..4], [503, 503, 503, 429]);
    assert_right_is_not_recognized(&statuses, "while the database is down");
}

#[actix_web::test]
async fn links_of_another_site_end_no_login() {
    let (users, watch) = (Counted::new(), Watch::new());
    let site = limited_site(&users, &watch).await;
    let session = log_in(&site).await;
    let visit = || page("/admin/").cookie(session.clone()).insert_header(alice());
    let link = || visit().insert_header(("Sec-Fetch-Site", "cross-site"));
    for request in [visit(), link()] {
        assert_eq!(ask(&site, request).await.status, 200);
    }
    for number in 0..20 {
        // As of `https://user0:x@example.org/admin/`.
        let status = status_of(&site, link(), &format!("user{number}"), "x").await;
        assert_eq!(status, if number < 9 { 401 } else { 403 });
    }
    assert_eq!(ask(&site, visit()).await.status, 200);
    assert_eq!(ask(&site, link()).await.status, 403, "a client could claim to be a link");
}

#[actix_web::test]
async fn page_about_cookies_does_not_confirm_a_right_guess() {
    let (users, watch) = (Counted::new(), Watch::new());
    let site = limited_site(&users, &watch).await;
    let without_cookies = |password| page("/admin/").insert_header(basic("alice", password));
    // Alice's browser keeps no cookies, and sends what she typed.
    ask(&site, without_cookies("wonderland")).await;
    let mut answers = Vec::new();
    for guess in ["x", "wonderland"] {
        let answer = ask(&site, without_cookies(guess)).await;
        answers.push((answer.status, answer.challenge().map(str::to_owned), answer.body));
    }
    assert_eq!(answers[0], answers[1]);
}
