//! Logouts and expiries that a later event must not undo, and records that nobody may leave for long.

use super::*;
use crate::support::store::Revocations;

const CAROL: Credentials = ("carol", "three");
const HOUR: Duration = Duration::from_secs(60 * 60);

fn fetch(path: &str, cookie: Option<&String>, credentials: Option<Credentials>) -> Wire {
    with_header(&wire(path, cookie, credentials), "sec-fetch-mode", "cors")
}

/// A cookie that cannot be read, because its middle has changed. The key of its session stays the same.
fn damaged(cookie: &str) -> String {
    let mut chars: Vec<char> = cookie.chars().collect();
    let at = (30..44).find(|at| !chars[at - 2..=*at].contains(&'%')).expect("a letter");
    chars[at] = if chars[at] == 'A' { 'B' } else { 'A' };
    chars.into_iter().collect()
}

#[actix_web::test]
async fn longer_absolute_timeout_revives_no_expired_login() {
    let revocations = Revocations::default();
    let start = async |hours: u32, now| {
        let more = |it: BasicLoginBuilder| {
            it.login_deadline(HOUR * hours).revocation_store(revocations.clone())
        };
        let site = Site::with(&Setup::new(Store::Cookie), more).await;
        site.seen().now = now;
        site
    };
    let site = start(8, DAY).await;
    let mut browser = log_in(&site, ALICE);
    site.seen().now = DAY + HOUR * 7;
    assert_eq!(browser.open(&site, "/a/").status, 200);
    site.seen().now = DAY + HOUR * 8;
    let poll = site.answer(&fetch("/a/poll", browser.cookie.as_ref(), Some(ALICE)));
    assert_eq!((poll.status, &poll.set_cookie), (401, &None), "expired");
    let site = start(24, DAY + HOUR * 14).await;
    let page = site.answer(&wire("/a/", browser.cookie.as_ref(), Some(ALICE)));
    assert_eq!(page.status, 401, "the login ended at 8 hours");
}

#[actix_web::test]
async fn late_write_revives_no_login_of_another_realm() {
    let site =
        Site::with(&Setup::new(Store::Memory), BasicLoginBuilder::renew_session_at_login).await;
    let c0 = site.answer(&wire("/a/b/", None, None)).set_cookie;
    let c1 = site.answer(&wire("/a/b/", c0.as_ref(), Some(CAROL))).set_cookie;
    let c2 = site.answer(&wire("/a/", c1.as_ref(), None)).set_cookie;
    let c3 = site.answer(&wire("/a/", c2.as_ref(), Some(ALICE))).set_cookie;
    assert!(c3.is_some() && c3 != c2);
    let write = Wire { number: 77, ..wire("/a/write", c3.as_ref(), Some(ALICE)) };
    let mut running = site.start(&write, true);
    assert!(running.run().is_none(), "held in the handler");
    // Sent before the response to the login arrived.
    let logout = site.answer(&wire("/logout", c2.as_ref(), Some(ALICE)));
    assert!(logout.logged_out);
    assert_eq!(site.answer(&fetch("/a/b/", c3.as_ref(), Some(CAROL))).status, 403, "B has ended");
    site.permit(77);
    let late = running.run().expect("an answer").set_cookie.or(logout.set_cookie);
    assert_eq!(site.answer(&fetch("/a/", late.as_ref(), Some(ALICE))).status / 100, 4);
    let page = site.answer(&wire("/a/b/", late.as_ref(), Some(CAROL)));
    assert_eq!(page.status, 401, "{}", page.body);
}

#[actix_web::test]
async fn session_that_a_handler_renewed_does_not_survive_a_logout() {
    for minutes in [1, 21] {
        let site = Site::new(&Setup::new(Store::Memory)).await;
        let c0 = log_in(&site, ALICE).cookie;
        site.seen().now += MINUTE * minutes;
        site.revocations.advance(MINUTE * minutes);
        let late = site.answer(&wire("/a/renew", c0.as_ref(), Some(ALICE)));
        assert_eq!(late.status, 200);
        assert!(late.set_cookie.is_some() && late.set_cookie != c0);
        let logout = site.answer(&fetch("/logout", c0.as_ref(), Some(ALICE)));
        assert_eq!((logout.status, logout.logged_out), (204, true));
        let page = site.answer(&wire("/a/", late.set_cookie.as_ref(), Some(ALICE)));
        assert_eq!(page.status, 401, "{minutes}: {}", page.body);
    }
}

#[actix_web::test]
async fn challenge_of_a_fresh_realm_forgets_no_predecessor() {
    for logout_first in [true, false] {
        let site =
            Site::with(&Setup::new(Store::Memory), BasicLoginBuilder::renew_session_at_login).await;
        let c0 = site.answer(&wire("/a/", None, None)).set_cookie;
        let c1 = site.answer(&wire("/a/", c0.as_ref(), Some(ALICE))).set_cookie;
        let c2 = site.answer(&wire("/a/", c1.as_ref(), Some(BOB))).set_cookie;
        assert!(c1.is_some() && c2.is_some() && c1 != c2);
        let log_out = || {
            let logout = site.answer(&fetch("/logout", c0.as_ref(), Some(ALICE)));
            assert_eq!((logout.status, logout.logged_out), (204, true));
        };
        if logout_first {
            log_out();
            assert_eq!(site.answer(&fetch("/a/", c2.as_ref(), Some(BOB))).status, 403, "ended");
        }
        let c3 = site.answer(&wire("/a/b/", c2.as_ref(), None)).set_cookie;
        assert!(c3.is_some() && c3 != c2);
        if !logout_first {
            log_out();
        }
        let page = site.answer(&wire("/a/", c3.as_ref(), Some(BOB)));
        assert_eq!(page.status, 401, "{logout_first}");
    }
}

/// Each challenge of another realm replaces the session of the login, and a logout brings each replaced session.
#[actix_web::test]
async fn former_user_leaves_no_record_beyond_the_life_of_the_login() {
    for store in STORES {
        for is_revoked in [true, false] {
            let setup = Setup { deadlines: true, ..Setup::new(store) };
            let site = Site::new(&setup).await;
            let mut cookie = log_in(&site, ALICE).cookie;
            site.seen().revoked.push(ALICE.1);
            if is_revoked {
                site.logins.0.revoke_user("alice").await.expect("revoked");
            }
            let mut cookies = vec![cookie.clone().unwrap()];
            for number in 0..20 {
                let path = format!("/a/b/{number}");
                cookie = site.answer(&wire(&path, cookie.as_ref(), Some(("x", "x")))).set_cookie;
                cookies.push(cookie.clone().unwrap());
            }
            let before = site.revocations.stored();
            for old in &cookies[..20] {
                let old = if store == Store::Cookie { damaged(old) } else { old.clone() };
                assert_eq!(site.answer(&wire("/logout", Some(&old), None)).status, 401);
            }
            let mut left = site.revocations.stored();
            for it in before {
                left.remove(left.iter().position(|other| *other == it).expect("it stays"));
            }
            let longest = left.into_iter().max().expect("records");
            assert!(longest < HOUR, "{store:?} {is_revoked}: {longest:?}");
        }
    }
}

#[actix_web::test]
async fn session_that_a_handler_renewed_keeps_no_login_of_another_realm_after_its_logout() {
    let setup = Setup { logout_scope: LogoutScope::Realm, ..Setup::new(Store::Memory) };
    let site = Site::new(&setup).await;
    let login = log_in(&site, ALICE).cookie;
    let both = site.answer(&wire("/a/b/", login.as_ref(), None)).set_cookie;
    assert_eq!(site.answer(&wire("/a/b/", both.as_ref(), Some(CAROL))).status, 200);
    site.seen().now += MINUTE * 21;
    site.revocations.advance(MINUTE * 21);
    let late = site.answer(&wire("/a/renew", both.as_ref(), Some(ALICE)));
    assert!(late.set_cookie.is_some() && late.set_cookie != both);
    // Sent before the response to the renewal arrived.
    let logout = site.answer(&fetch("/a/out-of-b", both.as_ref(), Some(CAROL)));
    assert_eq!((logout.status, logout.logged_out), (204, true));
    let page = site.answer(&wire("/a/b/", late.set_cookie.as_ref(), Some(CAROL)));
    assert_eq!(page.status, 401, "{}", page.body);
}
