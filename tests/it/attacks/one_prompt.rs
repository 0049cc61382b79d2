//! A page and its poll carry the answer to the same prompt. Both begin the same login, and whatever ends it
//! ends both copies of its session.

use super::*;

const USERS: [&str; 10] = ["u0", "u1", "u2", "u3", "u4", "u5", "u6", "u7", "u8", "u9"];

/// Alice's login with its two sessions, and its user as the handlers saw it.
struct OneLogin {
    site: Site,
    of_page: Option<String>,
    of_poll: Option<String>,
    user: User,
}

impl OneLogin {
    async fn new(store: Store) -> Self {
        let site = site_with_sockets(store).await;
        let challenge = site.answer(&wire("/a/", None, None)).set_cookie;
        let poll = Wire { number: 1, ..wire("/a/poll", challenge.as_ref(), Some(ALICE)) };
        let mut running = site.start(&poll, true);
        assert!(running.run().is_none(), "held in the authenticator");
        let page = site.answer(&wire("/a/", challenge.as_ref(), Some(ALICE)));
        let user = last_user(&site);
        site.permit(1);
        site.permit(1);
        let poll = running.run().expect("an answer");
        assert_eq!((page.status, poll.status), (200, 200));
        assert_eq!(user.login_id(), last_user(&site).login_id());
        Self { site, of_page: page.set_cookie, of_poll: poll.set_cookie, user }
    }

    fn page(&self, cookie: Option<&String>, credentials: Credentials) -> Answer {
        self.site.answer(&wire("/a/", cookie, Some(credentials)))
    }

    /// The login has ended for both sessions, with the password and without it.
    fn assert_ended(&self, name: &str) {
        for cookie in [&self.of_page, &self.of_poll] {
            assert_eq!(self.site.answer(&socket(cookie.as_ref())).status, 401, "{name}");
            assert_eq!(self.page(cookie.as_ref(), ALICE).status, 401, "{name}");
        }
    }
}

#[actix_web::test]
async fn logout_at_any_time_ends_both_sessions_of_one_prompt() {
    for minutes in [5, 25] {
        let login = OneLogin::new(Store::Cookie).await;
        let open = Socket::open(&login.user).await;
        login.site.seen().now += minutes * MINUTE;
        login.site.revocations.advance(minutes * MINUTE);
        let cookie = login.page(login.of_poll.as_ref(), ALICE).set_cookie.or(login.of_poll.clone());
        let logout = login.site.answer(&wire("/logout", cookie.as_ref(), Some(ALICE)));
        assert!(logout.logged_out);
        assert!(!open.is_open().await, "after {minutes} minutes");
        login.assert_ended("a logout");
    }
}

#[actix_web::test]
async fn other_ends_of_a_login_end_both_sessions_of_one_prompt() {
    let login = OneLogin::new(Store::Cookie).await;
    let bob = login.page(login.of_poll.as_ref(), BOB);
    assert_eq!(bob.body, "Signed in as bob");
    login.assert_ended("another user's login");

    let login = OneLogin::new(Store::Cookie).await;
    let logout = login.site.answer(&wire("/a/out-of-b", login.of_poll.as_ref(), Some(ALICE)));
    assert!(logout.logged_out);
    login.assert_ended("a logout of another realm");

    let login = OneLogin::new(Store::Cookie).await;
    let id = login.user.login_id().expect("a login");
    login.site.logins.0.revoke_login(id).await.expect("revoked");
    login.assert_ended("revoke_login");

    let login = OneLogin::new(Store::Cookie).await;
    for user in USERS {
        login.page(login.of_page.as_ref(), (user, "x"));
    }
    login.assert_ended("guesses");
}

#[actix_web::test]
async fn late_response_restores_no_login_after_a_logout_of_another_realm() {
    for store in STORES {
        for is_in_handler in [true, false] {
            let site = Site::new(&Setup::new(store)).await;
            let challenge = site.answer(&wire("/a/", None, None)).set_cookie;
            let poll = Wire { number: 1, ..wire("/a/poll", challenge.as_ref(), Some(ALICE)) };
            let mut running = site.start(&poll, true);
            assert!(running.run().is_none(), "held in the authenticator");
            if is_in_handler {
                site.permit(1);
                assert!(running.run().is_none(), "held in the handler");
            }
            let page = site.answer(&wire("/a/", challenge.as_ref(), Some(ALICE)));
            assert_eq!(page.status, 200);
            let cookie = page.set_cookie.or(challenge);
            let logout = site.answer(&wire("/a/out-of-b", cookie.as_ref(), Some(ALICE)));
            assert!(logout.logged_out);
            site.permit(1);
            site.permit(1);
            let late = running.run().expect("an answer").set_cookie.or(logout.set_cookie);
            let page = site.answer(&wire("/a/", late.as_ref(), Some(ALICE)));
            assert_eq!(page.status, 401, "{store:?}, in the handler: {is_in_handler}");
        }
    }
}

#[actix_web::test]
async fn request_in_flight_restores_no_login_that_ended() {
    for end in ["revoke_login", "revoke_user", "timeout"] {
        let site = Site::new(&Setup { deadlines: true, ..Setup::new(Store::Cookie) }).await;
        let challenge = site.answer(&wire("/a/", None, None)).set_cookie;
        let cookie = site.answer(&wire("/a/", challenge.as_ref(), Some(ALICE))).set_cookie;
        let id = last_user(&site).login_id().expect("a login");
        match end {
            "revoke_login" => site.logins.0.revoke_login(id).await.expect("revoked"),
            "revoke_user" => site.logins.0.revoke_user("alice").await.expect("revoked"),
            _ => site.seen().now += VISIT_DEADLINE,
        }
        let refused = site.answer(&wire("/a/", cookie.as_ref(), Some(ALICE)));
        assert_eq!(refused.status, 401, "{end}");
        // The browser sent it together with the first page.
        let late = site.answer(&wire("/a/image", challenge.as_ref(), Some(ALICE)));
        assert_eq!(late.status, 401, "{end}");
        let next = late.set_cookie.or(refused.set_cookie);
        assert_eq!(site.answer(&wire("/a/", next.as_ref(), Some(ALICE))).status, 401, "{end}");
    }
}
