//! Verification of existing logins: one check for all requests that need it, and no queue for others.

use actix_basic_logout::{HashLimiter, TryLater, Users, Verdict};
use actix_web::{error::ErrorInternalServerError, rt};

use super::{directory::Directory, *};

const PASSWORD: &str = "wonderland";
const MINUTE: Duration = Duration::from_secs(60);
/// The hash of `wonderland`, with the lowest cost.
const HASHED: &str = "$2y$04$qqxtSNcE5L3nZxkNayxMDOGS1/Xpv5quGRK8y21J1utjVbTHTJ5Au";
/// The default of `reverify_after`, in seconds.
const DUE: u64 = 300;

type Request = Pin<Box<dyn Future<Output = Answer>>>;

fn knows(credentials: &BasicAuth) -> Verdict {
    (credentials.password() == Some(PASSWORD)).into()
}

/// A directory, its site and the clock of the site.
async fn site_with(
    more: impl Fn(BasicLoginBuilder) -> BasicLoginBuilder,
) -> (Directory, Site, Watch) {
    let (users, watch) = (Directory::new(knows), Watch::new());
    let login = BasicLogin::builder("Admin area", users.clone()).landing_path("/admin/");
    let login = more(login.clock(watch.system_time())).build().expect("a realm");
    let outside = web::get().to(async |user: User| user.id().to_owned());
    let app = App::new()
        .app_data(login.clone())
        .service(
            web::scope("/admin")
                .service(
                    web::scope("/inside")
                        .wrap(login.clone())
                        .default_service(web::to(async |user: User| user.id().to_owned())),
                )
                .route("/outside", outside),
        )
        .wrap(session());
    (users, start(app).await, watch)
}

async fn log_in_as(site: &Site, user_id: &str) -> Cookie<'static> {
    let dialog = ask(site, page("/admin/inside")).await.session();
    let typed = page("/admin/inside").cookie(dialog);
    let answer = ask(site, typed.insert_header(basic(user_id, PASSWORD))).await;
    assert_eq!((answer.status, &*answer.body), (StatusCode::OK, user_id));
    answer.session()
}

fn request(site: &Site, path: &str, session: &Cookie<'static>, user_id: &str) -> Request {
    site.0(fetch(path).cookie(session.clone()).insert_header(basic(user_id, PASSWORD)))
}

fn replay(site: &Site, session: &Cookie<'static>, user_id: &str) -> Request {
    request(site, "/admin/inside/", session, user_id)
}

/// Starts so many replays of alice's login. None of them ends at once.
fn replays(site: &Site, session: &Cookie<'static>, number: usize) -> Vec<Request> {
    let mut started: Vec<_> = (0..number).map(|_| replay(site, session, "alice")).collect();
    assert!(started.iter_mut().all(|it| poll_once(it).is_none()));
    started
}

async fn assert_all(requests: Vec<Request>, status: StatusCode) {
    for request in requests {
        assert_eq!(request.await.status, status);
    }
}

#[actix_web::test]
async fn concurrent_replays_of_a_due_login_cost_one_check() {
    let (users, site, watch) = site_with(|it| it).await;
    let (alice, bob) = (log_in_as(&site, "alice").await, log_in_as(&site, "bob").await);
    watch.set(DUE);
    users.checks();
    users.hold();
    let mut all = replays(&site, &alice, 120);
    let mut outside = request(&site, "/admin/outside", &alice, "alice");
    assert!(poll_once(&mut outside).is_none());
    assert_eq!(users.checks(), 1);
    all.push(outside);
    let mut of_bob = replay(&site, &bob, "bob");
    assert!(poll_once(&mut of_bob).is_none());
    assert_eq!(users.checks(), 1, "bob's credentials are not alice's");
    users.release(2);
    assert_eq!(of_bob.await.body, "bob");
    assert_all(all, StatusCode::OK).await;
    assert_eq!(users.checks(), 0);
}

#[actix_web::test]
async fn replays_of_one_user_take_one_place_in_the_queue() {
    let watch = Watch::new();
    let limiter = HashLimiter::builder().concurrency(1).queue_limit(1).build().expect("a limiter");
    let users = ["alice", "bob", "carol"].map(|user_id| (user_id, HASHED));
    let users = Users::hashed(users).expect("users").hash_limiter(limiter);
    let login = BasicLogin::builder("Admin area", users).clock(watch.system_time());
    let site = site(&login.build().expect("a realm")).await;
    let mut sessions = Vec::new();
    for user_id in ["alice", "bob", "carol"] {
        let dialog = ask(&site, page("/admin/inside/")).await.session();
        let typed = page("/admin/inside/").cookie(dialog).insert_header(basic(user_id, PASSWORD));
        sessions.push(ask(&site, typed).await.session());
    }
    watch.set(DUE);
    // Alice's hash takes the permit for new logins, bob's the one for existing logins. Carol waits.
    let mut all = Vec::new();
    for (session, user_id) in sessions.iter().zip(["alice", "bob", "carol"]) {
        all.extend((0..120).map(|_| rt::spawn(replay(&site, session, user_id))));
    }
    for request in all {
        assert_eq!(request.await.expect("an answer").status, StatusCode::OK);
    }
}

#[actix_web::test]
async fn sequential_replays_cost_one_check_per_reverify_after() {
    let (users, site, watch) = site_with(|it| it).await;
    let old = log_in_as(&site, "alice").await;
    users.checks();
    let mut newer = old.clone();
    for (seconds, checks) in [(DUE, 1), (2 * DUE - 1, 0), (2 * DUE, 1), (3 * DUE - 1, 0)] {
        watch.set(seconds);
        for _ in 0..5 {
            let answer = replay(&site, &old, "alice").await;
            assert_eq!((answer.status, &*answer.body), (StatusCode::OK, "alice"));
            newer = answer.session();
            assert_eq!(request(&site, "/admin/outside", &old, "alice").await.body, "alice");
        }
        assert_eq!(users.checks(), checks, "after {seconds} s");
    }
    // The login was confirmed with the time of the check, not with that of the replay.
    users.change(|_| Verdict::invalid());
    assert_eq!(replay(&site, &newer, "alice").await.status, StatusCode::OK);
    watch.set(3 * DUE);
    assert_eq!(replay(&site, &newer, "alice").await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(users.checks(), 1);
}

#[actix_web::test]
async fn next_request_takes_over_an_abandoned_reverification() {
    let (users, site, watch) = site_with(|it| it).await;
    let alice = log_in_as(&site, "alice").await;
    watch.set(DUE);
    users.checks();
    users.hold();
    let mut all = replays(&site, &alice, 3);
    drop(all.remove(0));
    assert!(all.iter_mut().all(|it| poll_once(it).is_none()));
    assert_eq!(users.checks(), 2, "the second request checks in place of the first");
    users.release(1);
    assert_all(all, StatusCode::OK).await;
    assert_eq!(users.checks(), 0);
}

#[actix_web::test]
async fn failed_reverification_is_not_repeated_by_the_waiting_requests() {
    let (users, site, watch) = site_with(|it| it).await;
    let alice = log_in_as(&site, "alice").await;
    watch.set(DUE);
    users.checks();
    for (error, status, retry_after) in
        [(None, 500, "5"), (Some(TryLater::busy(Duration::from_secs(7))), 503, "7")]
    {
        users.hold();
        users.fail_or(move |_| {
            Err(match &error {
                Some(later) => later.clone().into(),
                None => ErrorInternalServerError("the database is down"),
            })
        });
        let mut all = replays(&site, &alice, 5);
        users.release(1);
        assert_eq!(all.remove(0).await.status.as_u16(), status, "its own error");
        for request in all {
            let answer = request.await;
            assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
            assert_eq!(answer.header("Retry-After"), Some(retry_after));
            assert_eq!((answer.challenge(), answer.cookies.len()), (None, 0));
        }
        assert_eq!(users.checks(), 1);
    }
    users.change(knows);
    users.release(1);
    assert_eq!(replay(&site, &alice, "alice").await.status, StatusCode::OK, "no login has ended");
}

#[actix_web::test]
async fn changed_password_ends_the_login_for_all_waiting_requests() {
    let (users, site, watch) = site_with(|it| it).await;
    let (one, other) = (log_in_as(&site, "alice").await, log_in_as(&site, "alice").await);
    watch.set(DUE);
    users.checks();
    users.hold();
    users.change(|_| Verdict::invalid());
    let mut all = replays(&site, &one, 60);
    all.extend(replays(&site, &other, 60));
    assert_eq!(users.checks(), 1);
    users.release(1);
    assert_eq!(all.remove(0).await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(all.remove(59).await.status, StatusCode::UNAUTHORIZED);
    // For these requests, their login has just ended.
    assert_all(all, StatusCode::FORBIDDEN).await;
    // Both logins have ended, even if the password becomes valid again.
    users.change(knows);
    for session in [one, other] {
        assert_ne!(replay(&site, &session, "alice").await.status, StatusCode::OK);
    }
    assert_eq!(users.checks(), 0);
}

#[actix_web::test]
async fn request_shares_no_check_that_is_older_than_reverify_after() {
    let (users, site, watch) = site_with(|it| it.reverify_after(MINUTE)).await;
    let alice = log_in_as(&site, "alice").await;
    users.checks();
    users.hold();
    watch.set(60);
    let mut first = replays(&site, &alice, 2);
    watch.set(119);
    first.extend(replays(&site, &alice, 2));
    assert_eq!(users.checks(), 1);
    watch.set(120);
    users.change(|_| Verdict::invalid());
    let mut late = replays(&site, &alice, 2);
    assert_eq!(users.checks(), 1, "a check of its own");
    users.release(2);
    assert_eq!(late.remove(0).await.status, StatusCode::UNAUTHORIZED);
    // The login has just ended.
    assert_all(late, StatusCode::FORBIDDEN).await;
    assert_all(first, StatusCode::FORBIDDEN).await;
}

#[actix_web::test]
async fn zero_reverify_after_shares_no_check() {
    let (users, site, _) = site_with(|it| it.reverify_after(Duration::ZERO)).await;
    let alice = log_in_as(&site, "alice").await;
    users.checks();
    users.hold();
    let all = replays(&site, &alice, 5);
    assert_eq!(users.checks(), 5);
    users.release(5);
    assert_all(all, StatusCode::OK).await;
    users.release(1);
    assert_eq!(replay(&site, &alice, "alice").await.status, StatusCode::OK);
    assert_eq!(users.checks(), 1);
}

#[actix_web::test]
async fn validator_sees_each_of_several_concurrent_requests() {
    let (users, watch) = (Directory::new(knows), Watch::new());
    let directory = users.clone();
    let validator = move |req: ServiceRequest, credentials: BasicAuth| {
        let users = directory.clone();
        async move {
            use actix_basic_logout::Authenticator;
            match users.authenticate(req.request(), &credentials).await {
                Ok(verdict) if verdict.is_valid() => Ok(req),
                Ok(_) => Err((ErrorInternalServerError("rejected"), req)),
                Err(error) => Err((error, req)),
            }
        }
    };
    let login = BasicLogin::with_validator("Admin area", validator).clock(watch.system_time());
    let site = site(&login.build().expect("a realm")).await;
    let alice = log_in(&site).await;
    for seconds in [0, DUE] {
        watch.set(seconds);
        users.checks();
        users.hold();
        let all = replays(&site, &alice, 5);
        assert_eq!(users.checks(), 5);
        users.release(5);
        assert_all(all, StatusCode::OK).await;
    }
}

#[actix_web::test]
async fn second_checks_after_a_revocation_are_shared() {
    let users = Directory::new(|it| match it.password() {
        Some(PASSWORD) => Verdict::valid_as("alice"),
        _ => Verdict::invalid(),
    });
    let login = BasicLogin::builder("shared second checks", users.clone()).build();
    let login = login.expect("a realm");
    let site = site(&login).await;
    login.revoke_user("alice").await.expect("revoked");
    let dialog = ask(&site, page("/admin/inside/")).await.session();
    users.hold();
    let mut all: Vec<_> = (0..5).map(|_| replay(&site, &dialog, "ALICE")).collect();
    assert!(all.iter_mut().all(|it| poll_once(it).is_none()));
    assert_eq!(users.checks(), 5, "new logins");
    users.release(5);
    assert!(all.iter_mut().all(|it| poll_once(it).is_none()));
    assert_eq!(users.checks(), 1);
    // After another revocation, a check that began before is not shared.
    login.revoke_user("alice").await.expect("revoked");
    let mut late = replay(&site, &dialog, "ALICE");
    assert!(poll_once(&mut late).is_none());
    users.release(2);
    assert!(poll_once(&mut late).is_none());
    users.release(1);
    assert_eq!(late.await.body, "alice");
    assert_eq!(users.checks(), 2);
    assert_all(all, StatusCode::OK).await;
}

#[actix_web::test]
async fn rejected_login_outside_the_middleware_ends_after_one_check() {
    let (users, site, watch) = site_with(|it| it).await;
    let session = log_in_as(&site, "alice").await;
    watch.set(DUE);
    users.change(|_| Verdict::invalid());
    users.checks();
    for _ in 0..10 {
        let answer = request(&site, "/admin/outside", &session, "alice").await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
    }
    assert_eq!(users.checks(), 1);
    users.change(knows);
    let answer = request(&site, "/admin/outside", &session, "alice").await;
    assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "the login has ended");
}

#[actix_web::test]
async fn public_page_ends_no_login_of_a_validator_realm() {
    let watch = Watch::new();
    let validator = async |req: ServiceRequest, credentials: BasicAuth| match credentials.password()
    {
        Some(PASSWORD) => Ok(req),
        _ => Err((ErrorInternalServerError("no"), req)),
    };
    let login = BasicLogin::with_validator("Admin area", validator).clock(watch.system_time());
    let login = login.build().expect("a realm");
    let app = App::new()
        .app_data(login.clone())
        .route(
            "/admin/public",
            web::get().to(async |user: Option<User>| user.map_or("nobody", |_| "somebody")),
        )
        .service(
            web::scope("/admin")
                .wrap(login)
                .default_service(web::to(async |user: User| user.id().to_owned())),
        );
    let site = start(app.wrap(session())).await;
    let dialog = ask(&site, page("/admin/inside")).await.session();
    let typed = page("/admin/inside").cookie(dialog).insert_header(basic("alice", PASSWORD));
    let session = ask(&site, typed).await.session();
    for seconds in [0, DUE] {
        watch.set(seconds);
        let public = request(&site, "/admin/public", &session, "alice").await;
        assert_eq!((&*public.body, public.cookies.len()), ("nobody", 0));
        assert_eq!(request(&site, "/admin/inside", &session, "alice").await.status, 200);
    }
}
