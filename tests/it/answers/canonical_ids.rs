//! Canonical user ids: who a user is, whatever the user typed.

use std::sync::Mutex;

use actix_basic_logout::{Authenticator, CredentialCache, Throttle, Verdict};

use super::{directory::Directory, *};
use crate::support::log::Log;

const MINUTE: Duration = Duration::from_secs(60);
const PASSWORD: &str = "wonderland";

/// Accepts one password for every name, and names the user in lower case.
fn lowercase(credentials: &BasicAuth) -> Verdict {
    match credentials.password() {
        Some(PASSWORD) => Verdict::valid_as(credentials.user_id().to_lowercase()),
        _ => Verdict::invalid(),
    }
}

/// A site that shows the user-id inside and outside the middleware, and its realm.
struct Realm {
    site: Site,
    login: BasicLogin,
    watch: Watch,
    users: Arc<Mutex<Vec<User>>>,
}

impl Realm {
    /// The name must be unique, because all realms of a process share one revocation list.
    async fn new(name: &str, users: impl Authenticator) -> Self {
        let watch = Watch::new();
        let login = BasicLogin::builder(name, users).landing_path("/admin/");
        let login = login.clock(watch.system_time()).build().expect("a realm");
        let seen = Arc::<Mutex<Vec<User>>>::default();
        let users = Arc::clone(&seen);
        let show = move |user: Option<User>| {
            seen.lock().expect("unpoisoned").extend(user.clone());
            async move { user.map_or("nobody".to_owned(), |it| it.id().to_owned()) }
        };
        let inside = web::scope("/inside").wrap(login.clone());
        let inside = inside.default_service(web::to(show.clone()));
        let admin = web::scope("/admin").service(inside).default_service(web::to(show));
        let app = App::new().app_data(login.clone()).service(admin).wrap(session());
        Self { site: start(app).await, login, watch, users }
    }

    async fn challenge(&self) -> Cookie<'static> {
        ask(&self.site, page("/admin/inside/")).await.session()
    }

    fn typed(&self, dialog: &Cookie<'static>, user_id: &str) -> LocalBoxFuture<'static, Answer> {
        let req = page("/admin/inside/").cookie(dialog.clone());
        self.site.0(req.insert_header(basic(user_id, PASSWORD)))
    }

    /// Logs in with this spelling of alice's user-id.
    async fn log_in_as(&self, user_id: &str) -> Cookie<'static> {
        let answer = self.typed(&self.challenge().await, user_id).await;
        assert_eq!((answer.status, &*answer.body), (StatusCode::OK, "alice"));
        answer.session()
    }

    async fn visit(&self, path: &str, session: &Cookie<'static>, user_id: &str) -> Answer {
        let req = page(path).cookie(session.clone());
        ask(&self.site, req.insert_header(basic(user_id, PASSWORD))).await
    }

    async fn assert_logged_in(&self, session: &Cookie<'static>, user_id: &str) {
        for path in ["/admin/inside/", "/admin/inside/", "/admin/inside/help", "/admin/inside/"] {
            let answer = self.visit(path, session, user_id).await;
            assert_eq!((answer.status, &*answer.body), (StatusCode::OK, "alice"), "{path}");
        }
    }

    async fn assert_revoked(&self, session: &Cookie<'static>, user_id: &str) {
        let answer = self.visit("/admin/inside/", session, user_id).await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
        assert!(answer.body.contains("It was ended by this site"), "{}", answer.body);
    }

    fn last_user(&self) -> User {
        self.users.lock().expect("unpoisoned").last().expect("a user").clone()
    }
}

/// Runs a test with an authenticator that ignores case, alone and in each wrapper.
async fn in_each_wrapper(test_name: &str, test: impl AsyncFn(Realm)) {
    let users = || Directory::new(lowercase);
    let name = |wrapper| format!("{test_name}: {wrapper}");
    test(Realm::new(&name("alone"), users()).await).await;
    test(Realm::new(&name("cache"), CredentialCache::new(users(), MINUTE)).await).await;
    test(Realm::new(&name("throttle"), Throttle::new(users())).await).await;
    let both = Throttle::new(CredentialCache::new(users(), MINUTE));
    test(Realm::new(&name("both"), both).await).await;
    let closure = async |_: &HttpRequest, it: &BasicAuth| Ok(lowercase(it));
    test(Realm::new(&name("closure"), closure).await).await;
}

#[actix_web::test]
async fn revoke_user_ends_a_login_with_another_spelling() {
    in_each_wrapper("revoked", async |realm| {
        let session = realm.log_in_as("ALICE").await;
        realm.assert_logged_in(&session, "ALICE").await;
        let mut ended = Box::pin(realm.last_user().ended());
        assert!(poll_once(&mut ended).is_none());

        realm.login.revoke_user("ALICE").await.expect("revoked");
        realm.assert_logged_in(&session, "ALICE").await;
        realm.login.revoke_user("alice").await.expect("revoked");
        realm.assert_revoked(&session, "ALICE").await;
        ended.await;

        let again = realm.log_in_as("Alice").await;
        realm.assert_logged_in(&again, "Alice").await;
    })
    .await;
}

#[actix_web::test]
async fn reverified_login_keeps_its_canonical_id() {
    in_each_wrapper("reverified", async |realm| {
        let session = realm.log_in_as("ALICE").await;
        for minutes in [5, 10] {
            realm.watch.set(minutes * 60);
            realm.assert_logged_in(&session, "ALICE").await;
        }
        realm.login.revoke_user("alice").await.expect("revoked");
        realm.watch.set(15 * 60);
        realm.assert_revoked(&session, "ALICE").await;
    })
    .await;
}

#[actix_web::test]
async fn extractor_outside_returns_the_canonical_id() {
    in_each_wrapper("outside", async |realm| {
        let dialog = ask(&realm.site, page("/admin/inside")).await.session();
        let req = page("/admin/inside").cookie(dialog).insert_header(basic("ALICE", PASSWORD));
        let session = ask(&realm.site, req).await.session();
        for minutes in [0, 5, 10] {
            realm.watch.set(minutes * 60);
            assert_eq!(realm.visit("/admin/outside", &session, "ALICE").await.body, "alice");
        }
        realm.login.revoke_user("alice").await.expect("revoked");
        assert_eq!(realm.visit("/admin/outside", &session, "ALICE").await.body, "nobody");
    })
    .await;
}

#[actix_web::test]
async fn non_browser_with_another_spelling_is_the_same_user() {
    in_each_wrapper("non-browser", async |realm| {
        for _ in 0..2 {
            let req = non_browser("/admin/inside/").insert_header(basic("ALICE", PASSWORD));
            let answer = ask(&realm.site, req).await;
            assert_eq!((answer.status, &*answer.body), (StatusCode::OK, "alice"));
        }
    })
    .await;
}

#[actix_web::test]
async fn credential_cache_shares_and_stores_the_canonical_id() {
    let users = Directory::new(lowercase);
    let realm = Realm::new("cached ids", CredentialCache::new(users.clone(), MINUTE)).await;
    let visit = || {
        let req = non_browser("/admin/inside/").insert_header(basic("ALICE", PASSWORD));
        Box::pin(ask(&realm.site, req))
    };
    users.hold();
    let mut concurrent = [visit(), visit(), visit()];
    assert!(concurrent.iter_mut().all(|it| poll_once(it).is_none()));
    users.release(1);
    for answer in concurrent {
        assert_eq!(answer.await.body, "alice");
    }
    assert_eq!(visit().await.body, "alice", "from the cache");
    assert_eq!(users.checks(), 1);
}

#[actix_web::test]
async fn log_names_the_canonical_id() {
    let (log, guard) = Log::capture();
    let users = Directory::new(lowercase);
    let realm = Realm::new("logged ids", users.clone()).await;
    let session = realm.log_in_as("ALICE").await;
    let req = non_browser("/admin/inside/").insert_header(basic("ALICE", PASSWORD));
    assert_eq!(ask(&realm.site, req).await.status, StatusCode::OK);
    users.change(|_| Verdict::invalid());
    realm.watch.set(300);
    let answer = realm.visit("/admin/inside/", &session, "ALICE").await;
    assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
    drop(guard);
    for message in
        ["logged in", "passed without a session", "login revoked: credentials no longer accepted"]
    {
        let line = format!(r#"{message} realm=logged ids user="alice""#);
        assert_eq!(log.count(&line), 1, "{line:?} is not in:\n{}", log.text());
    }
}

#[actix_web::test]
async fn canonical_id_of_more_than_1024_bytes_never_reaches_the_session() {
    let users = Directory::new(|_| Verdict::valid_as("u".repeat(1025)));
    let cached = CredentialCache::new(users.clone(), MINUTE);
    let realm = Realm::new("long ids", cached).await;
    let dialog = realm.challenge().await;
    let (log, guard) = Log::capture();
    for _ in 0..2 {
        let answer = realm.typed(&dialog, "ALICE").await;
        assert_eq!(answer.status, StatusCode::INTERNAL_SERVER_ERROR);
        assert_eq!((answer.challenge(), answer.cookies.len()), (None, 0));
        assert_eq!(answer.header("Cache-Control"), Some("no-store"));
        let req = non_browser("/admin/inside/").insert_header(basic("ALICE", PASSWORD));
        assert_eq!(ask(&realm.site, req).await.status, StatusCode::INTERNAL_SERVER_ERROR);
    }
    drop(guard);
    assert_eq!(users.checks(), 4, "it is not cached, either");
    let line = "the authenticator returned a user id above the limit of 1024 bytes";
    assert_eq!(log.count(line), 4, "{}", log.text());
    assert_eq!(log.count("uuuu"), 0, "{}", log.text());

    users.change(|_| Verdict::valid_as("u".repeat(1024)));
    let answer = realm.typed(&dialog, "ALICE").await;
    assert_eq!((answer.status, answer.body.len()), (StatusCode::OK, 1024));
    users.change(|_| Verdict::valid_as("u".repeat(1025)));
    realm.watch.set(300);
    let session = answer.session();
    assert_eq!(realm.visit("/admin/outside", &session, "ALICE").await.body, "nobody");
    let answer = realm.visit("/admin/inside/", &session, "ALICE").await;
    assert_eq!((answer.status, answer.cookies), (StatusCode::INTERNAL_SERVER_ERROR, vec![]));
}

#[actix_web::test]
async fn login_ends_when_reverification_names_another_user() {
    let users = Directory::new(lowercase);
    let realm = Realm::new("renamed", users.clone()).await;
    let session = realm.log_in_as("ALICE").await;
    realm.assert_logged_in(&session, "ALICE").await;
    let mut ended = Box::pin(realm.last_user().ended());
    assert!(poll_once(&mut ended).is_none());
    users.change(|_| Verdict::valid_as("bob"));
    realm.assert_logged_in(&session, "ALICE").await;

    realm.watch.set(300);
    let answer = realm.visit("/admin/outside", &session, "ALICE").await;
    assert_eq!(answer.body, "nobody");
    ended.await;
    let answer = realm.visit("/admin/inside/", &answer.session(), "ALICE").await;
    assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
    assert!(answer.body.contains("no longer accepts"), "{}", answer.body);
    users.change(lowercase);
    let answer = realm.visit("/admin/inside/", &session, "ALICE").await;
    assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "the login has ended");

    // A verdict without an id names the presented user-id.
    let session = realm.log_in_as("ALICE").await;
    users.change(|_| Verdict::valid());
    realm.watch.set(600);
    let answer = realm.visit("/admin/inside/", &session, "ALICE").await;
    assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
}

#[actix_web::test]
async fn revocation_during_a_check_ends_a_login_with_another_spelling() {
    let users = Directory::new(lowercase);
    let realm = Realm::new("in progress", users.clone()).await;
    let dialog = realm.challenge().await;
    users.hold();
    let mut login = realm.typed(&dialog, "ALICE");
    assert!(poll_once(&mut login).is_none());
    // The check has read the old password. The new one is another.
    users.change(|_| Verdict::invalid());
    realm.login.revoke_user("alice").await.expect("revoked");
    users.release(1);
    assert!(poll_once(&mut login).is_none());
    assert_eq!(users.checks(), 2, "checked again after the revocation");
    users.release(1);
    let answer = login.await;
    assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
    assert_eq!(answer.cookies, []);
}

#[actix_web::test]
async fn user_revoked_before_can_log_in_with_another_spelling() {
    let users = Directory::new(lowercase);
    let realm = Realm::new("revoked before", users.clone()).await;
    realm.log_in_as("ALICE").await;
    assert_eq!(users.checks(), 1, "never revoked");
    realm.login.revoke_user("alice").await.expect("revoked");
    let session = realm.log_in_as("ALICE").await;
    assert_eq!(users.checks(), 2, "checked again after the revocation");
    realm.assert_logged_in(&session, "ALICE").await;
    realm.log_in_as("alice").await;
    assert_eq!(users.checks(), 1, "its epoch was known before the check");
}

#[actix_web::test]
async fn revocation_during_the_second_check_ends_the_login() {
    let users = Directory::new(lowercase);
    let realm = Realm::new("second check", users.clone()).await;
    realm.login.revoke_user("alice").await.expect("revoked");
    let dialog = realm.challenge().await;
    users.hold();
    users.release(1);
    let mut login = realm.typed(&dialog, "ALICE");
    assert!(poll_once(&mut login).is_none());
    assert_eq!(users.checks(), 2);
    realm.login.revoke_user("alice").await.expect("revoked");
    users.release(1);
    let session = login.await.session();
    realm.assert_revoked(&session, "ALICE").await;
}

#[actix_web::test]
async fn login_fails_if_the_second_check_names_another_user() {
    let users = Directory::new(lowercase);
    let realm = Realm::new("renamed in between", users.clone()).await;
    realm.login.revoke_user("alice").await.expect("revoked");
    let dialog = realm.challenge().await;
    users.hold();
    let mut login = realm.typed(&dialog, "ALICE");
    assert!(poll_once(&mut login).is_none());
    users.change(|_| Verdict::valid_as("bob"));
    users.release(2);
    let answer = login.await;
    assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
    assert_eq!(answer.cookies, []);
}

#[actix_web::test]
async fn without_canonical_ids_each_spelling_is_a_user_of_its_own() {
    let users = Directory::new(|it| Verdict::from(it.password() == Some(PASSWORD)));
    let realm = Realm::new("no canonical ids", users).await;
    let answer = realm.typed(&realm.challenge().await, "ALICE").await;
    assert_eq!(answer.body, "ALICE");
    let session = answer.session();
    realm.login.revoke_user("alice").await.expect("revoked");
    let answer = realm.visit("/admin/inside/", &session, "ALICE").await;
    assert_eq!(answer.body, "ALICE", "not ended");
    realm.login.revoke_user("ALICE").await.expect("revoked");
    realm.assert_revoked(&session, "ALICE").await;
}
