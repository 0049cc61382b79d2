//! Logouts that arrive while the response to a login is still in flight: no later response of the server
//! may log the browser in again.

use super::*;
use crate::support::site::Running;

const CAROL: Credentials = ("carol", "three");

/// A login whose handler has not returned yet.
struct LateLogin<'a> {
    site: &'a Site,
    wire: Wire,
    running: Running,
}

impl<'a> LateLogin<'a> {
    fn start(site: &'a Site, path: &str, cookie: Option<&String>, user: Credentials) -> Self {
        let wire = Wire { number: 1, ..wire(path, cookie, Some(user)) };
        let mut running = site.start(&wire, true);
        assert!(running.run().is_none(), "held in the authenticator");
        site.permit(1);
        assert!(running.run().is_none(), "held in the handler");
        Self { site, wire, running }
    }

    /// The response arrives after that of a logout. Returns the status of the next page.
    fn arrive_after(mut self, logout: Answer) -> u16 {
        assert!(logout.logged_out, "{logout:?}");
        self.site.permit(1);
        let late = self.running.run().expect("an answer").set_cookie.or(logout.set_cookie);
        self.site.answer(&wire(&self.wire.path, late.as_ref(), self.wire.credentials)).status
    }
}

#[actix_web::test]
async fn logout_ends_a_login_whose_challenge_expires_meanwhile() {
    for store in STORES {
        let site = Site::new(&Setup::new(store)).await;
        let challenge = site.answer(&wire("/a/", None, None)).set_cookie;
        site.seen().now += 14 * MINUTE + Duration::from_secs(50);
        let login = LateLogin::start(&site, "/a/", challenge.as_ref(), ALICE);
        site.seen().now += Duration::from_secs(20);
        let logout = site.answer(&wire("/logout", challenge.as_ref(), Some(ALICE)));
        assert_eq!(login.arrive_after(logout), 401, "{store:?}");
    }
}

#[actix_web::test]
async fn logout_ends_a_change_of_users() {
    for store in STORES {
        for renews in [false, true] {
            let more =
                |it: BasicLoginBuilder| if renews { it.renew_session_at_login() } else { it };
            let site = Site::with(&Setup::new(store), more).await;
            let cookie = log_in(&site, ALICE).cookie;
            let login = LateLogin::start(&site, "/a/", cookie.as_ref(), BOB);
            let logout = site.answer(&wire("/logout", cookie.as_ref(), Some(BOB)));
            assert_eq!(login.arrive_after(logout), 401, "{store:?}, renews: {renews}");
        }
    }
}

#[actix_web::test]
async fn logout_with_a_replaced_session_ends_a_login_in_its_handler() {
    for store in STORES {
        for (first, other, credentials) in
            [(None, "/a/b/", None), (Some(("alice", "wrong")), "/a/x/", Some(ALICE))]
        {
            let site = Site::new(&Setup::new(store)).await;
            let challenge = site.answer(&wire("/a/", None, first)).set_cookie;
            let login = LateLogin::start(&site, "/a/", challenge.as_ref(), ALICE);
            // Another page is challenged, which replaces the session.
            assert_eq!(site.answer(&wire(other, challenge.as_ref(), credentials)).status, 401);
            let logout = site.answer(&wire("/logout", challenge.as_ref(), Some(ALICE)));
            assert_eq!(login.arrive_after(logout), 401, "{store:?} {other}");
        }
    }
}

#[actix_web::test]
async fn logout_with_a_replaced_session_ends_the_other_realms_login() {
    for store in STORES {
        let site = Site::new(&Setup::new(store)).await;
        let old = log_in(&site, ALICE).cookie;
        let renewed = site.answer(&wire("/a/b/", old.as_ref(), None)).set_cookie;
        assert!(site.answer(&wire("/a/out-of-b", old.as_ref(), Some(ALICE))).logged_out);
        assert_refused(&site.answer(&wire("/a/", renewed.as_ref(), Some(ALICE))));
    }
}

#[actix_web::test]
async fn realm_that_raced_a_logout_keeps_the_predecessor_of_the_other() {
    let setup = Setup { logout_scope: LogoutScope::Realm, ..Setup::new(Store::Memory) };
    let site = Site::new(&setup).await;
    let first = log_in(&site, ALICE).cookie;
    let second = site.answer(&wire("/a/b/", first.as_ref(), None)).set_cookie;
    site.answer(&wire("/logout", first.as_ref(), Some(ALICE)));
    assert_eq!(site.answer(&wire("/a/b/", second.as_ref(), Some(CAROL))).status, 200);
    let third = site.answer(&wire("/a/", second.as_ref(), Some(ALICE))).set_cookie;
    assert!(site.answer(&wire("/a/out-of-b", second.as_ref(), Some(CAROL))).logged_out);
    assert_refused(&site.answer(&wire("/a/b/", third.as_ref(), Some(CAROL))));
}

#[actix_web::test]
async fn challenge_proves_nothing_after_a_logout() {
    for store in STORES {
        for minutes in [1, 16] {
            let site = Site::new(&Setup::new(store)).await;
            let challenge = site.answer(&wire("/a/", None, None)).set_cookie;
            site.seen().now += minutes * MINUTE;
            // The browser never gets the answer, and keeps the credentials for this directory.
            site.answer(&wire("/a/deep/x", challenge.as_ref(), Some(ALICE)));
            let cookie = site.answer(&wire("/logout", challenge.as_ref(), None)).set_cookie;
            let page = site.answer(&wire("/a/", cookie.as_ref(), None));
            let cookie = page.set_cookie.or(cookie);
            assert_refused(&site.answer(&wire("/a/deep/x", cookie.as_ref(), Some(ALICE))));
        }
    }
}

#[actix_web::test]
async fn late_write_restores_no_data_of_the_application() {
    for store in STORES {
        let site = Site::new(&Setup::new(store)).await;
        let cookie = log_in(&site, ALICE).cookie;
        let write = Wire { number: 77, ..wire("/a/write", cookie.as_ref(), Some(ALICE)) };
        let mut running = site.start(&write, true);
        assert!(running.run().is_none(), "held in the handler");
        let logout = site.answer(&wire("/logout", cookie.as_ref(), Some(ALICE)));
        site.permit(77);
        let late = running.run().expect("an answer").set_cookie.or(logout.set_cookie);
        assert_eq!(site.answer(&wire("/free/read", late.as_ref(), None)).body, "", "{store:?}");
    }
}

#[actix_web::test]
async fn odd_headers_give_no_server_error() {
    let long = "x".repeat(30_000);
    let site = Site::new(&Setup::new(Store::Memory)).await;
    let own = log_in(&site, ALICE).cookie;
    for (name, values) in [
        ("cookie", vec!["", ";", "id", "id=", "=", "id=\"", "id=%", "%=%", &long]),
        ("origin", vec!["", "null", "://", "http://", &long]),
        ("sec-fetch-site", vec!["CROSS-SITE", "", "x", &long]),
        ("x-forwarded-host", vec!["", ",", "[::1]:x", &long]),
        ("forwarded", vec!["", "host=", "for=;host=\"", "proto=,", &long]),
        ("x-basic-logout", vec!["1", "", &long]),
        ("accept", vec!["", "text/html;q=", &long]),
    ] {
        for (value, path) in
            values.iter().flat_map(|value| ["/a/", "/logout", "/a/logout"].map(|it| (value, it)))
        {
            for credentials in [None, Some(ALICE), Some(("logged-out", "x")), Some(("", ""))] {
                let cookie = own.as_ref().filter(|_| name != "cookie");
                let mut wire = wire(path, cookie, credentials);
                wire.headers.push((name, (*value).to_owned()));
                let answer = site.answer(&wire);
                assert!(answer.status < 500, "{name}: {value:.20} {answer:?}");
            }
        }
    }
}
