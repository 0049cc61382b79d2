//! Sessions that challenges of another realm have replaced, one after the other, while requests with the
//! older ones are in flight.

use super::*;

const WRONG: Credentials = ("alice", "wrong");

/// Challenges of the realm below the path of a login. Each replaces the session.
fn challenges_of_b(site: &Site, number: usize, login: Option<&String>) -> Vec<Option<String>> {
    let mut cookies = vec![login.cloned()];
    for it in 0..number {
        let request = wire(&format!("/a/b/{it}"), cookies[it].as_ref(), Some(ALICE));
        cookies.push(site.answer(&request).set_cookie);
        assert!(cookies[it + 1].is_some() && cookies[it + 1] != cookies[it]);
    }
    cookies
}

#[actix_web::test]
async fn logout_with_any_of_four_replaced_sessions_ends_the_login() {
    for logout_scope in [LogoutScope::Session, LogoutScope::Realm] {
        for brought in 0..4 {
            let setup = Setup { logout_scope, ..Setup::new(Store::Memory) };
            let site = Site::new(&setup).await;
            let login = log_in(&site, ALICE).cookie;
            let socket = Socket::open(&last_user(&site)).await;
            let cookies = challenges_of_b(&site, 4, login.as_ref());
            // The response to the last challenge arrives after the logout.
            let logout = wire("/logout", cookies[brought].as_ref(), Some(ALICE));
            assert!(site.answer(&logout).logged_out);
            let page = site.answer(&wire("/a/", cookies[4].as_ref(), Some(ALICE)));
            assert_eq!(page.status, 401, "{logout_scope:?} {brought}");
            assert!(!socket.is_open().await, "{logout_scope:?} {brought}");
        }
    }
}

#[actix_web::test]
async fn late_write_with_a_replaced_session_does_not_survive_a_logout() {
    let site = Site::new(&Setup::new(Store::Memory)).await;
    let first = log_in(&site, ALICE).cookie;
    let second = site.answer(&wire("/a/b/1", first.as_ref(), Some(ALICE))).set_cookie;
    let write = Wire { number: 77, ..wire("/a/write", second.as_ref(), Some(ALICE)) };
    let mut running = site.start(&write, true);
    assert!(running.run().is_none(), "held in the handler");
    site.answer(&wire("/a/b/2", second.as_ref(), Some(ALICE)));
    let logout = site.answer(&wire("/logout", second.as_ref(), Some(ALICE)));
    assert!(logout.logged_out);
    site.permit(77);
    let late = running.run().expect("an answer").set_cookie.or(logout.set_cookie);
    let page = site.answer(&wire("/a/", late.as_ref(), Some(ALICE)));
    assert_eq!(page.status, 401, "{}", page.body);
}

#[actix_web::test]
async fn unavailable_revocation_store_changes_no_session() {
    for store in STORES {
        let setup = Setup::new(store);
        let site = Site::with(&setup, BasicLoginBuilder::renew_session_at_login).await;
        let login = log_in(&site, ALICE).cookie;
        site.revocations.set_broken(true);
        let answer = site.answer(&wire("/a/b/", login.as_ref(), None));
        assert_eq!((answer.status, answer.set_cookie), (503, None));
        site.revocations.set_broken(false);
        assert!(site.answer(&wire("/logout", login.as_ref(), Some(ALICE))).logged_out);
        assert_eq!(site.answer(&wire("/a/", login.as_ref(), Some(ALICE))).status, 401);
    }
}

#[actix_web::test]
async fn challenges_beside_an_ended_login_leave_no_records() {
    let site = Site::new(&Setup::new(Store::Cookie)).await;
    let mut cookie = log_in(&site, ALICE).cookie;
    // Alice is dismissed.
    site.seen().revoked.push(ALICE.1);
    site.logins.0.revoke_user("alice").await.expect("revoked");
    assert_eq!(site.answer(&wire("/a/", cookie.as_ref(), Some(ALICE))).status, 401);
    let before = site.revocations.stored().len();
    for number in 0..100 {
        let challenge = wire(&format!("/a/b/{number}"), cookie.as_ref(), Some(("x", "x")));
        cookie = site.answer(&challenge).set_cookie;
    }
    assert_eq!(site.revocations.stored().len(), before);
}

/// The sessions that follow know no predecessor that the logout has ended.
#[actix_web::test]
async fn raced_logout_costs_one_prompt_in_another_realm() {
    let site = Site::new(&Setup::new(Store::Memory)).await;
    let login = log_in(&site, ALICE).cookie;
    let challenged = site.answer(&wire("/a/b/", login.as_ref(), None)).set_cookie;
    assert!(site.answer(&wire("/logout", login.as_ref(), Some(ALICE))).logged_out);
    let carol = Some(("carol", "three"));
    let again = site.answer(&wire("/a/b/", challenged.as_ref(), carol));
    assert_eq!(again.status, 401, "the logout has ended the challenge");
    assert_eq!(site.answer(&wire("/a/b/", again.set_cookie.as_ref(), carol)).status, 200);
}

/// A login that only a predecessor has ended stays ended when that is forgotten.
#[actix_web::test]
async fn login_of_another_realm_does_not_revive_when_its_predecessor_is_forgotten() {
    let site = Site::new(&Setup::new(Store::Memory)).await;
    let carol = Some(("carol", "three"));
    let challenge = site.answer(&wire("/a/b/", None, None)).set_cookie;
    let of_b = site.answer(&wire("/a/b/", challenge.as_ref(), carol)).set_cookie.or(challenge);
    let first = site.answer(&wire("/a/", of_b.as_ref(), None)).set_cookie;
    let of_a = site.answer(&wire("/a/", first.as_ref(), Some(ALICE))).set_cookie.or(first);
    assert_eq!(site.answer(&wire("/a/b/", of_a.as_ref(), carol)).status, 200);
    let mut cookie =
        site.answer(&wire("/a/x", of_a.as_ref(), Some(WRONG))).set_cookie.or(of_a.clone());
    // A logout with an older session ends both logins.
    assert!(site.answer(&wire("/logout", of_a.as_ref(), Some(ALICE))).logged_out);
    for number in 0..6 {
        let path = format!("/a/{number}");
        cookie = site.answer(&wire(&path, cookie.as_ref(), Some(WRONG))).set_cookie.or(cookie);
    }
    assert_eq!(site.answer(&wire("/a/b/", cookie.as_ref(), carol)).status, 401);
}
