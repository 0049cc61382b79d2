//! Login and logout of browsers and non-browser clients.

use std::time::Duration;

use actix_basic_logout::{BasicLoginBuilder, LogoutResponse, LogoutScope, RequestKind};

use crate::support::{
    browser::{Browser, Engine, Kind},
    log::Log,
    site::{A, B, Credentials, LOGIN_DEADLINE, Setup, Site, Store, Wire, at_once, nested},
};

const ALICE: Credentials = ("alice", "one");
const BOB: Credentials = ("bob", "two");
const CAROL: Credentials = ("carol", "three");
const WRONG: Credentials = ("alice", "wrong");

const ENGINES: [Engine; 3] = [Engine::Chromium, Engine::Firefox, Engine::WebKit];
const STORES: [Store; 2] = [Store::Cookie, Store::Memory];

/// Runs a flow in each browser engine with each kind of session store.
async fn in_every_setup(change: impl Fn(&mut Setup), flow: impl AsyncFn(&mut Browser, &Site)) {
    for store in STORES {
        for engine in ENGINES {
            let mut setup = Setup::new(store);
            change(&mut setup);
            let site = Site::new(&setup).await;
            flow(&mut Browser::new(engine), &site).await;
        }
    }
}

#[actix_web::test]
async fn first_visit_prompts_once_and_logs_in() {
    in_every_setup(
        |_| {},
        async |browser, site| {
            assert_eq!(browser.open(site, "/a/").status, 401);
            assert_eq!(browser.type_credentials(site, ALICE).body, "Signed in as alice");
            assert_eq!(browser.open(site, "/a/x").body, "Signed in as alice");
            assert_eq!(browser.fetch(site, "/a/y/z"), 200);
            assert_eq!(browser.prompts, 1);
            assert_eq!(site.seen().checked.len(), 1, "the password was checked once");
        },
    )
    .await;
}

fn log_in(browser: &mut Browser, site: &Site) {
    browser.open(site, "/a/");
    assert_eq!(browser.type_credentials(site, ALICE).body, "Signed in as alice");
    browser.prompts = 0;
}

#[actix_web::test]
async fn wrong_credentials_prompt_again_with_a_reason() {
    in_every_setup(
        |_| {},
        async |browser, site| {
            browser.open(site, "/a/");
            let refused = browser.type_credentials(site, WRONG);
            assert_eq!(refused.status, 401);
            assert!(refused.body.contains("Wrong user name or password"));
            assert_eq!(browser.type_credentials(site, ALICE).body, "Signed in as alice");
            assert_eq!(browser.prompts, 2);
        },
    )
    .await;
}

#[actix_web::test]
async fn old_credentials_are_refused_after_logout() {
    for (method, path) in [
        ("GET", "/a/logout"),
        ("POST", "/a/logout"),
        ("POST", "/logout"),
        ("GET", "/deep/below/logout"),
    ] {
        in_every_setup(
            |_| {},
            async |browser, site| {
                log_in(browser, site);
                let answer = browser.request(site, Kind::Page, method, path);
                assert_eq!((answer.status, browser.prompts), (401, 1), "{method} {path}");
                assert!(answer.body.contains("You are logged out"));
                assert_eq!(browser.holds(A), None, "the browser dropped the credentials");

                let served = site.seen().served.len();
                let answer = browser.cancel_dialog(site);
                assert!(answer.body.contains("You are logged out"), "{}", answer.body);
                assert_eq!(browser.open(site, "/a/").status, 401);
                assert_eq!(site.seen().served.len(), served);
                assert_eq!(browser.type_credentials(site, ALICE).body, "Signed in as alice");
                assert_eq!(browser.prompts, 2);
            },
        )
        .await;
    }
}

#[actix_web::test]
async fn login_at_the_logout_prompt_redirects_to_landing_path() {
    for path in ["/a/logout", "/logout"] {
        for (user, body) in [(ALICE, "Signed in as alice"), (BOB, "Signed in as bob")] {
            in_every_setup(
                |_| {},
                async |browser, site| {
                    log_in(browser, site);
                    browser.request(site, Kind::Page, "POST", path);
                    assert_eq!(browser.type_credentials(site, user).body, body, "{path}");
                    assert_eq!(browser.prompts, 1);
                },
            )
            .await;
        }
    }
}

#[actix_web::test]
async fn wrong_password_at_the_logout_prompt_prompts_again() {
    in_every_setup(
        |_| {},
        async |browser, site| {
            log_in(browser, site);
            browser.open(site, "/logout");
            assert_eq!(browser.type_credentials(site, WRONG).status, 401);
            assert_eq!(browser.type_credentials(site, BOB).body, "Signed in as bob");
            assert_eq!(browser.prompts, 2);
        },
    )
    .await;
}

#[actix_web::test]
async fn five_logins_and_logouts_prompt_once_each() {
    in_every_setup(
        |_| {},
        async |browser, site| {
            log_in(browser, site);
            for round in 1..=5 {
                browser.open(site, "/a/logout");
                assert_eq!(browser.type_credentials(site, ALICE).body, "Signed in as alice");
                assert_eq!(browser.prompts, round);
                assert_eq!(browser.open(site, "/a/x").body, "Signed in as alice");
            }
        },
    )
    .await;
}

#[actix_web::test]
async fn fetch_logout_opens_no_dialog_and_next_page_prompts_once() {
    for path in ["/a/logout", "/logout"] {
        in_every_setup(
            |_| {},
            async |browser, site| {
                log_in(browser, site);
                assert_eq!(browser.fetch(site, path), 204);
                assert_eq!(browser.fetch(site, "/a/x"), 401);
                assert_eq!(browser.prompts, 0, "no dialog over a background request");
                assert_eq!(browser.open(site, "/a/").status, 401);
                assert_eq!(browser.type_credentials(site, ALICE).body, "Signed in as alice");
                assert_eq!(browser.prompts, 1);
            },
        )
        .await;
    }
}

#[actix_web::test]
async fn logout_page_opens_no_dialog() {
    for path in ["/a/logout", "/logout"] {
        in_every_setup(
            |setup| setup.logout_response = LogoutResponse::Page,
            async |browser, site| {
                log_in(browser, site);
                let answer = browser.request(site, Kind::Page, "POST", path);
                assert_eq!((answer.status, browser.prompts), (200, 0), "{path}");
                assert!(answer.body.contains("You are logged out"));
                let held = browser.holds(A).map(|it| it.credentials.by.0);
                assert_eq!(held, Some("logged-out"), "the reserved user replaced alice");

                assert_eq!(browser.open(site, "/a/").status, 401);
                assert_eq!(browser.type_credentials(site, ALICE).body, "Signed in as alice");
                assert_eq!(browser.prompts, 1);
                assert!(!site.seen().checked.is_empty());
            },
        )
        .await;
    }
}

#[actix_web::test]
async fn logout_page_without_scripts_prompts_at_the_next_visit() {
    in_every_setup(
        |setup| setup.logout_response = LogoutResponse::Page,
        async |browser, site| {
            log_in(browser, site);
            browser.send(Kind::Page, 0, "GET", "/logout");
            browser.progress(site, 0, false);
            browser.deliver(0);
            browser.exchanges.clear(); // The browser blocks the script's request.

            let served = site.seen().served.len();
            assert_eq!(browser.open(site, "/a/").status, 401);
            assert_eq!(site.seen().served.len(), served);
            assert_eq!(browser.type_credentials(site, ALICE).body, "Signed in as alice");
            assert_eq!(browser.prompts, 1);
        },
    )
    .await;
}

#[actix_web::test]
async fn logout_redirect_prompts_at_the_next_visit() {
    let redirect = LogoutResponse::Redirect("/free".to_owned());
    in_every_setup(
        |setup| setup.logout_response = redirect.clone(),
        async |browser, site| {
            log_in(browser, site);
            assert_eq!(browser.open(site, "/logout").body, "free");
            assert_eq!(browser.prompts, 0);
            assert_eq!(browser.open(site, "/a/").status, 401);
            assert_eq!(browser.type_credentials(site, BOB).body, "Signed in as bob");
            assert_eq!(browser.prompts, 1);
        },
    )
    .await;
}

#[actix_web::test]
async fn logout_without_login_says_so_and_leaves_no_session() {
    for (answer, body) in [
        (LogoutResponse::Challenge, "You are logged out"),
        (LogoutResponse::Page, "You are logged out"),
        (LogoutResponse::Redirect("/free".to_owned()), "free"),
    ] {
        in_every_setup(
            |setup| setup.logout_response = answer.clone(),
            async |browser, site| {
                let shown = browser.open(site, "/logout");
                assert!(shown.status == 200 && shown.body.contains(body));
                assert_eq!((browser.prompts, browser.cookie.as_deref()), (0, None));
                assert_eq!(browser.fetch(site, "/logout"), 204);
                assert_eq!(site.memory.len(), 0);
            },
        )
        .await;
    }
}

#[actix_web::test]
async fn poll_during_logout_is_refused_quietly() {
    in_every_setup(
        |_| {},
        async |browser, site| {
            log_in(browser, site);
            // Two polls are in flight with the old credentials and the old cookie.
            browser.send(Kind::Fetch, 1, "GET", "/a/poll");
            browser.send(Kind::Fetch, 1, "GET", "/logout");
            let in_flight: Vec<_> = browser.exchanges.drain(..).collect();
            browser.open(site, "/logout");

            let served = site.seen().served.len();
            browser.exchanges.extend(in_flight);
            let cookie = browser.cookie.clone();
            browser.progress(site, 0, false);
            browser.progress(site, 0, false);
            assert_eq!(site.seen().served.len(), served);
            browser.exchanges.truncate(0);
            browser.cookie = cookie;

            // More polls are sent while the dialog is open and after the user has typed.
            assert_eq!(browser.fetch(site, "/a/poll"), 401);
            assert_eq!(browser.prompts, 1);
            assert_eq!(browser.type_credentials(site, ALICE).body, "Signed in as alice");
            assert_eq!(browser.fetch(site, "/a/poll"), 200);
            assert_eq!(browser.prompts, 1);
        },
    )
    .await;
}

#[actix_web::test]
async fn second_logout_click_does_not_log_in() {
    in_every_setup(
        |_| {},
        async |browser, site| {
            log_in(browser, site);
            browser.send(Kind::Page, 0, "GET", "/logout");
            browser.progress(site, 0, false); // The second click discards the answer.
            browser.send(Kind::Page, 0, "GET", "/logout");
            browser.settle(site);
            assert_eq!((browser.shown[&0].status, browser.prompts), (401, 1));
            assert_eq!(browser.type_credentials(site, ALICE).status, 200);
        },
    )
    .await;
}

#[actix_web::test]
async fn request_in_its_handler_cannot_undo_a_logout() {
    in_every_setup(
        |_| {},
        async |browser, site| {
            log_in(browser, site);
            browser.send(Kind::Fetch, 1, "GET", "/a/write");
            browser.progress(site, 0, true);
            let mut slow = browser.exchanges.remove(0);
            browser.open(site, "/logout");
            browser.cancel_dialog(site);

            // The handler returns and writes the session. Its cookie replaces the logout's.
            let prompts = browser.prompts;
            site.permit(slow.wire.number);
            slow = {
                browser.exchanges.push(slow);
                browser.progress(site, 0, true);
                browser.exchanges.remove(0)
            };
            browser.exchanges.push(slow);
            browser.deliver(0);
            assert_eq!(browser.prompts, prompts);
            let entry = site.peek(browser.cookie.as_deref(), A).expect("an entry");
            assert_eq!(entry["is"], "logged_out", "the late write did not restore the login");

            let wire =
                Wire { credentials: Some(ALICE), ..Wire::page("/a/", browser.cookie.clone()) };
            assert_eq!(site.answer(&wire).status, 401);
        },
    )
    .await;
}

fn curl(path: &str, credentials: Option<Credentials>, cookie: Option<String>) -> Wire {
    let headers = vec![("user-agent", "curl/8.14.1".to_owned())];
    Wire { headers, credentials, ..Wire::page(path, cookie) }
}

#[actix_web::test]
async fn logout_during_authentication_refuses_the_request() {
    in_every_setup(
        |_| {},
        async |browser, site| {
            log_in(browser, site);
            // Another user's credentials need a call of the authenticator.
            let cookie = browser.cookie.clone();
            let wire = Wire { credentials: Some(BOB), ..Wire::page("/a/x", cookie) };
            let mut slow = site.start(&wire, true);
            assert!(slow.run().is_none(), "held in the authenticator");
            browser.open(site, "/logout");

            let served = site.seen().served.len();
            site.permit(wire.number);
            let answer = slow.run().expect("an answer");
            assert_eq!(answer.status, 401);
            assert_eq!(site.seen().served.len(), served);
        },
    )
    .await;
}

#[actix_web::test]
async fn logout_invalidates_old_cookie() {
    in_every_setup(
        |_| {},
        async |browser, site| {
            log_in(browser, site);
            let wire =
                Wire { credentials: Some(ALICE), ..Wire::page("/a/", browser.cookie.clone()) };
            assert_eq!(site.answer(&wire).status, 200);
            browser.open(site, "/logout");
            assert_eq!(site.answer(&wire).status, 401);
        },
    )
    .await;
}

#[actix_web::test]
async fn session_without_credentials_is_refused() {
    in_every_setup(
        |_| {},
        async |browser, site| {
            log_in(browser, site);
            let answer = site.answer(&Wire::page("/a/", browser.cookie.clone()));
            assert_eq!(answer.status, 401);
            let answer = site.answer(&curl("/a/", None, browser.cookie.clone()));
            assert_eq!(answer.status, 401);
        },
    )
    .await;
}

#[actix_web::test]
async fn public_page_reads_any_session_by_its_cookie() {
    in_every_setup(
        |_| {},
        async |browser, site| {
            log_in(browser, site);
            assert_eq!(browser.open(site, "/a/write").status, 200);
            let number = site.seen().served.last().unwrap().0;
            let thief = |path| site.answer(&Wire::page(path, browser.cookie.clone()));
            assert_eq!(thief("/free/read").body, format!("{number}"));
            assert_eq!(thief("/a/").status, 401);
        },
    )
    .await;
}

#[actix_web::test]
async fn logged_in_request_neither_writes_session_nor_checks_password() {
    in_every_setup(
        |_| {},
        async |browser, site| {
            log_in(browser, site);
            let checked = site.seen().checked.len();
            for path in ["/a/", "/a/x", "/a/y/z"] {
                let wire =
                    Wire { credentials: Some(ALICE), ..Wire::page(path, browser.cookie.clone()) };
                let answer = site.answer(&wire);
                assert_eq!((answer.status, answer.set_cookie), (200, None));
            }
            assert_eq!(site.seen().checked.len(), checked);
        },
    )
    .await;
}

#[actix_web::test]
async fn password_is_reverified_after_five_minutes() {
    in_every_setup(
        |_| {},
        async |browser, site| {
            log_in(browser, site);
            site.seen().now += Duration::from_millis(299_999);
            browser.open(site, "/a/");
            assert_eq!(site.seen().checked.len(), 1);
            site.seen().now += Duration::from_millis(1);
            browser.open(site, "/a/");
            assert_eq!(site.seen().checked.len(), 2);
            browser.open(site, "/a/");
            assert_eq!(site.seen().checked.len(), 2, "not again for five minutes");
            assert_eq!(browser.prompts, 0);
        },
    )
    .await;
}

#[actix_web::test]
async fn clock_set_back_causes_reverification() {
    in_every_setup(
        |_| {},
        async |browser, site| {
            log_in(browser, site);
            site.seen().now -= Duration::from_millis(1);
            assert_eq!(browser.open(site, "/a/").status, 200);
            assert_eq!(site.seen().checked.len(), 2);
        },
    )
    .await;
}

#[actix_web::test]
async fn login_ends_when_its_password_is_no_longer_accepted() {
    in_every_setup(
        |_| {},
        async |browser, site| {
            log_in(browser, site);
            let old = browser.cookie.clone();
            site.seen().revoked.push(ALICE.1);
            site.seen().now += Duration::from_secs(300);
            assert_eq!(browser.fetch(site, "/a/poll"), 401);
            assert_eq!(browser.prompts, 0, "the refusal opened no dialog");
            let answer = browser.open(site, "/a/");
            assert!(answer.body.contains("no longer accepts your password"), "{}", answer.body);
            assert_eq!(browser.type_credentials(site, BOB).body, "Signed in as bob");
            assert_eq!(browser.prompts, 1);

            // The login stays ended, even if the password is accepted again.
            site.seen().revoked.clear();
            let wire = Wire { credentials: Some(ALICE), ..Wire::page("/a/", old) };
            assert_eq!(site.answer(&wire).status, 401);
        },
    )
    .await;
}

#[actix_web::test]
async fn new_fingerprint_key_costs_one_check_and_no_prompt() {
    for store in STORES {
        let site = Site::new(&Setup::new(store)).await;
        let mut browser = Browser::new(Engine::Firefox);
        log_in(&mut browser, &site);
        let cookie = match store {
            Store::Cookie => browser.cookie.clone(),
            // The other site has its own store, so it does not know the session.
            Store::Memory | Store::Redis(_) => continue,
        };
        let other = Site::with(&Setup::new(store), |it| it.fingerprint_key([8; 32])).await;
        browser.cookie = cookie;
        assert_eq!(browser.open(&other, "/a/").status, 200);
        assert_eq!(browser.open(&other, "/a/").status, 200);
        assert_eq!((browser.prompts, other.seen().checked.len()), (0, 1));
    }
}

#[actix_web::test]
async fn authenticator_failure_is_not_a_refusal() {
    in_every_setup(
        |_| {},
        async |browser, site| {
            browser.open(site, "/a/");
            site.seen().authenticator_is_down = true;
            let before = browser.cookie.clone();
            assert_eq!(browser.type_credentials(site, ALICE).status, 503);
            assert_eq!((browser.prompts, browser.cookie == before), (1, true));
            site.seen().authenticator_is_down = false;
            assert_eq!(browser.open(site, "/a/").status, 200);
            assert_eq!(browser.prompts, 1);
        },
    )
    .await;
}

#[actix_web::test]
async fn unavailable_store_is_not_a_refusal() {
    let site = Site::new(&Setup::new(Store::Memory)).await;
    let mut browser = Browser::new(Engine::Chromium);
    log_in(&mut browser, &site);
    site.memory.set_broken(true);
    let served = site.seen().served.len();
    assert_eq!(browser.open(&site, "/a/").status, 500);
    assert_eq!(browser.open(&site, "/logout").status, 500);
    assert_eq!(site.seen().served.len(), served);
    site.memory.set_broken(false);
    assert_eq!(browser.open(&site, "/a/").status, 200);
    assert_eq!(browser.prompts, 0);
}

#[actix_web::test]
async fn public_pages_use_no_store_without_a_session_cookie() {
    let site = Site::new(&Setup::new(Store::Memory)).await;
    let mut browser = Browser::new(Engine::Firefox);
    log_in(&mut browser, &site);
    site.memory.set_broken(true);
    for (cookie, status) in [(None, 200), (browser.cookie.clone(), 500)] {
        for wire in [Wire::page("/free", None), curl("/free", Some(ALICE), None)] {
            assert_eq!(site.answer(&Wire { cookie: cookie.clone(), ..wire }).status, status);
        }
    }
}

#[actix_web::test]
async fn browser_classified_as_non_browser_cannot_log_out() {
    for store in STORES {
        let classified = |it: BasicLoginBuilder| it.classify_with(|_| RequestKind::NonBrowser);
        let site = Site::with(&Setup::new(store), classified).await;
        let mut browser = Browser::new(Engine::Chromium);
        log_in(&mut browser, &site);
        assert_eq!(browser.cookie, None);
        browser.open(&site, "/logout");
        for path in ["/a/", "/a/x"] {
            let wire =
                Wire { credentials: Some(ALICE), ..Wire::page(path, browser.cookie.clone()) };
            assert_eq!(site.answer(&wire).body, "Signed in as alice");
        }
    }
}

#[actix_web::test]
async fn non_browser_is_served_every_time_and_leaves_no_session() {
    in_every_setup(
        |_| {},
        async |_, site| {
            for _ in 0..3 {
                let answer = site.answer(&curl("/a/x", Some(ALICE), None));
                assert_eq!((answer.status, answer.set_cookie), (200, None));
            }
            let answer = site.answer(&curl("/a/x", Some(WRONG), None));
            assert_eq!(answer.challenge.as_deref(), Some(A));
            assert_eq!(site.answer(&curl("/a/x", None, None)).challenge.as_deref(), Some(A));
            assert_eq!(site.memory.len(), 0);

            // A stale cookie does not matter for a non-browser client.
            let stale = Some("stale".to_owned());
            assert_eq!(site.answer(&curl("/a/x", Some(ALICE), stale)).status, 200);
        },
    )
    .await;
}

#[actix_web::test]
async fn logout_does_not_lock_out_a_non_browser_with_a_cookie_jar() {
    for response in [
        LogoutResponse::Challenge,
        LogoutResponse::Page,
        LogoutResponse::Redirect("/free".to_owned()),
    ] {
        in_every_setup(
            |setup| setup.logout_response = response.clone(),
            async |_, site| {
                assert_eq!(site.answer(&curl("/a/x", Some(ALICE), None)).status, 200);
                for credentials in [None, Some(ALICE), Some(WRONG)] {
                    for path in ["/logout", "/deep/below/logout"] {
                        let (log, guard) = Log::capture();
                        let out = site.answer(&curl(path, credentials, None));
                        drop(guard);
                        assert_eq!((out.status, out.set_cookie), (200, None), "{path}");
                        assert!(out.body.starts_with("Nothing to log out. "), "{}", out.body);
                        assert_eq!(log.count("logged out"), 0, "{}", log.text());
                    }
                }
                assert_eq!(site.answer(&curl("/a/x", Some(ALICE), None)).status, 200);
                assert_eq!((site.memory.len(), site.revocations.ttls().len()), (0, 0));
            },
        )
        .await;
    }
}

#[actix_web::test]
async fn cross_site_request_cannot_log_a_visitor_out() {
    in_every_setup(
        |_| {},
        async |browser, site| {
            log_in(browser, site);
            let mut wire =
                Wire { credentials: Some(ALICE), ..Wire::page("/logout", browser.cookie.clone()) };
            wire.headers.retain(|(name, _)| *name != "sec-fetch-site");
            wire.headers.push(("sec-fetch-site", "cross-site".to_owned()));
            let answer = site.answer(&wire);
            assert_eq!((answer.status, answer.set_cookie), (403, None));
            assert_eq!(browser.open(site, "/a/").status, 200);
        },
    )
    .await;
}

#[actix_web::test]
async fn logout_scope_decides_whether_application_data_stays() {
    for (logout_scope, kept) in [(LogoutScope::Session, false), (LogoutScope::Realm, true)] {
        for store in STORES {
            let site = Site::new(&Setup { logout_scope, ..Setup::new(store) }).await;
            let mut browser = Browser::new(Engine::Chromium);
            log_in(&mut browser, &site);
            assert_eq!(browser.open(&site, "/a/write").status, 200);
            assert!(site.dump(browser.cookie.as_deref()).contains("written"));
            browser.open(&site, "/logout");
            assert_eq!(site.dump(browser.cookie.as_deref()).contains("written"), kept, "{store:?}");
        }
    }
}

#[actix_web::test]
async fn application_data_outlives_a_login_that_expires() {
    type End = (&'static str, fn(&Site));
    let ends: [End; 3] = [
        ("expired", |site| site.seen().now += LOGIN_DEADLINE),
        ("revoked", |site| at_once(site.logins.0.revoke_user("alice")).unwrap()),
        ("no longer accepts your password", |site| {
            site.seen().revoked.push("one");
            site.seen().now += Duration::from_secs(300);
        }),
    ];
    for (how, end) in ends {
        in_every_setup(
            |setup| setup.deadlines = how == "expired",
            async |browser, site| {
                log_in(browser, site);
                assert_eq!(browser.open(site, "/a/write").status, 200);
                end(site);
                assert_eq!(browser.open(site, "/a/").status, 401, "{how}");
                assert_eq!(browser.type_credentials(site, BOB).body, "Signed in as bob", "{how}");
                assert!(site.dump(browser.cookie.as_deref()).contains("written"), "{how}");
            },
        )
        .await;
    }
}

#[actix_web::test]
async fn application_data_outlives_a_change_of_users() {
    in_every_setup(
        |_| {},
        async |browser, site| {
            log_in(browser, site);
            assert_eq!(browser.open(site, "/a/write").status, 200);
            let bob = Wire { credentials: Some(BOB), ..Wire::page("/a/", browser.cookie.clone()) };
            let answer = site.answer(&bob);
            assert_eq!(answer.body, "Signed in as bob");
            let session = answer.set_cookie.or(browser.cookie.clone());
            assert!(site.dump(session.as_deref()).contains("written"));
        },
    )
    .await;
}

#[actix_web::test]
async fn logout_clears_the_session_or_only_its_realm() {
    for (logout_scope, kept) in [(LogoutScope::Session, false), (LogoutScope::Realm, true)] {
        for store in STORES {
            let setup = Setup { logout_scope, ..Setup::new(store) };
            let site = Site::new(&setup).await;
            let mut browser = Browser::new(Engine::Chromium);
            log_in(&mut browser, &site);
            browser.open(&site, "/a/b/");
            assert_eq!(browser.type_credentials(&site, CAROL).body, "Signed in as carol");
            let with_both = browser.cookie.clone();
            browser.open(&site, "/logout");
            browser.cancel_dialog(&site);

            let b = site.peek(browser.cookie.as_deref(), B).expect("an entry, not Fresh");
            assert_eq!(b["is"], if kept { "logged_in" } else { "logged_out" });
            let wire =
                Wire { credentials: Some(CAROL), ..Wire::page("/a/b/", browser.cookie.clone()) };
            assert_eq!(site.answer(&wire).status, if kept { 200 } else { 401 });
            // The old cookie does not restore the other realm's login either.
            let wire = Wire { credentials: Some(CAROL), ..Wire::page("/a/b/", with_both) };
            let is_logged_in = kept && store == Store::Cookie;
            let status = if is_logged_in { 200 } else { 401 };
            assert_eq!(site.answer(&wire).status, status, "{store:?}");
        }
    }
}

#[actix_web::test]
async fn two_realms_have_separate_logins() {
    in_every_setup(
        |_| {},
        async |browser, site| {
            log_in(browser, site);
            assert_eq!(browser.open(site, "/a/b/").status, 401);
            assert_eq!(browser.type_credentials(site, CAROL).body, "Signed in as carol");
            assert_eq!(browser.open(site, "/a/").body, "Signed in as alice");
            assert_eq!(browser.open(site, "/a/b/x").body, "Signed in as carol");
            assert_eq!(browser.prompts, 1);
            let cookie = browser.cookie.clone();
            let alice = Wire { credentials: Some(ALICE), ..Wire::page("/a/b/", cookie) };
            assert_eq!(site.answer(&alice).status, 401, "a user of realm A is no user of realm B");
        },
    )
    .await;
}

#[actix_web::test]
async fn unreadable_entry_counts_as_logged_out() {
    let key = format!("actix-basic-logout:{A}");
    for broken in ["7", "{}", "{\"state\":{\"logged_in\":{}}}", "not JSON"] {
        for wire in [Wire::page("/a/", None), curl("/a/", None, None)] {
            let site = Site::new(&Setup::new(Store::Memory)).await;
            let mut browser = Browser::new(Engine::Firefox);
            log_in(&mut browser, &site);
            site.memory.set(&key, broken);
            let cookie = browser.cookie.clone();
            let answer = site.answer(&Wire { credentials: Some(ALICE), cookie, ..wire });
            assert_eq!(answer.status, 401, "{broken}");
            browser.cookie = answer.set_cookie;
            assert_eq!(
                browser.open(&site, "/a/").status,
                200,
                "credentials typed after that challenge"
            );
        }
    }
}

#[actix_web::test]
async fn login_without_an_id_is_refused() {
    let site = Site::new(&Setup::new(Store::Memory)).await;
    let mut browser = Browser::new(Engine::Firefox);
    log_in(&mut browser, &site);
    let entry = site.peek(browser.cookie.as_deref(), A).unwrap();
    let mut without_id = entry.clone();
    without_id["id"] = serde_json::Value::Null;
    for (entry, status) in [(entry, 200), (without_id, 401)] {
        site.memory.set(&format!("actix-basic-logout:{A}"), &nested(entry).to_string());
        let cookie = browser.cookie.clone();
        let wire = Wire { credentials: Some(ALICE), ..Wire::page("/a/", cookie) };
        assert_eq!(site.answer(&wire).status, status);
    }
}

#[actix_web::test]
async fn state_of_one_origin_proves_nothing_for_another() {
    in_every_setup(
        |_| {},
        async |browser, site| {
            log_in(browser, site);
            assert_eq!(browser.fetch(site, "/logout"), 204);
            // Browsers share cookies across ports, but not credentials.
            let other = Wire {
                origin: "http://localhost:9090",
                ..Wire::page("/a/", browser.cookie.clone())
            };
            let answer = site.answer(&other);
            assert_eq!(answer.status, 401);
            let cookie = answer.set_cookie.or(browser.cookie.clone());
            let old = Wire { credentials: Some(ALICE), ..Wire::page("/a/", cookie) };
            assert_eq!(site.answer(&old).status, 401);
        },
    )
    .await;
}

#[actix_web::test]
async fn changed_origin_during_logout_costs_a_second_prompt() {
    for (changes, prompts) in [(false, 1), (true, 2)] {
        for store in STORES {
            let site = Site::new(&Setup::new(store)).await;
            let mut cookie = None;
            let mut by_proxy = |path: &str, credentials, is_https| {
                let mut wire = Wire { credentials, ..Wire::page(path, cookie.clone()) };
                if is_https {
                    wire.headers.push(("x-forwarded-proto", "https".to_owned()));
                }
                let answer = site.answer(&wire);
                cookie = answer.set_cookie.or(cookie.take());
                answer.status
            };
            assert_eq!(by_proxy("/a/", None, true), 401);
            assert_eq!(by_proxy("/a/", Some(ALICE), true), 200);
            assert_eq!(by_proxy("/logout", Some(ALICE), true), 401);
            // The browser prompts again after each refusal.
            let types = |_: &usize| by_proxy("/logout", Some(ALICE), !changes) == 303;
            assert_eq!((1..9).find(types), Some(prompts), "{store:?}");
        }
    }
}

#[actix_web::test]
async fn login_on_another_port_does_not_accept_old_credentials() {
    in_every_setup(
        |_| {},
        async |browser, site| {
            log_in(browser, site);
            // After a logout by fetch, the browser keeps alice's credentials for this port.
            assert_eq!(browser.fetch(site, "/logout"), 204);
            let at_other_port = |credentials, cookie: &Option<String>| Wire {
                origin: "http://localhost:9090",
                credentials,
                ..Wire::page("/a/", cookie.clone())
            };
            let mut cookie = browser.cookie.clone();
            for credentials in [None, Some(BOB), Some(BOB)] {
                let answer = site.answer(&at_other_port(credentials, &cookie));
                cookie = answer.set_cookie.or(cookie);
            }
            assert_eq!(site.answer(&at_other_port(Some(BOB), &cookie)).body, "Signed in as bob");
            let old = Wire { credentials: Some(ALICE), ..Wire::page("/a/", cookie.clone()) };
            assert_eq!(site.answer(&old).status, 401);
        },
    )
    .await;
}

/// Opens a page in the second tab, which is on another port.
fn open_at_other_port(browser: &mut Browser, site: &Site, path: &str) -> u16 {
    browser.second_origin = Some("http://localhost:9090");
    browser.send(Kind::Page, 1, "GET", path);
    browser.settle(site);
    browser.shown[&1].status
}

/// Leaves alice's credentials in the browser for `/a/x/…` on the other port, and logs bob in on this
/// port.
fn leave_credentials_on_other_port(browser: &mut Browser, site: &Site) {
    assert_eq!(open_at_other_port(browser, site, "/a/x/y"), 401);
    browser.type_into(0, ALICE);
    browser.settle(site);
    assert_eq!(browser.shown[&1].body, "Signed in as alice");
    assert_eq!(browser.fetch(site, "/logout"), 204);
    browser.open(site, "/a/");
    browser.type_credentials(site, BOB);
    assert_eq!(browser.type_credentials(site, BOB).body, "Signed in as bob");
}

#[actix_web::test]
async fn page_on_another_port_does_not_adopt_a_login() {
    in_every_setup(
        |_| {},
        async |browser, site| {
            leave_credentials_on_other_port(browser, site);
            let status = open_at_other_port(browser, site, "/a/");
            assert_eq!(status, 401, "the browser answered the challenge with alice's credentials");
        },
    )
    .await;
}

#[actix_web::test]
async fn logout_on_another_port_does_not_trust_the_directory() {
    in_every_setup(
        |setup| setup.logout_response = LogoutResponse::Redirect("/free".to_owned()),
        async |browser, site| {
            leave_credentials_on_other_port(browser, site);
            browser.send(Kind::Page, 1, "POST", "/logout");
            browser.settle(site);
            let status = open_at_other_port(browser, site, "/a/");
            assert_eq!(status, 401, "the browser answered the challenge with alice's credentials");
        },
    )
    .await;
}

#[actix_web::test]
async fn websocket_without_credentials_proves_nothing() {
    in_every_setup(
        |_| {},
        async |browser, site| {
            log_in(browser, site);
            assert_eq!(browser.fetch(site, "/logout"), 204);
            let mut socket = Wire::page("/a/socket", browser.cookie.clone());
            socket.headers.truncate(2);
            socket.headers.push(("origin", socket.origin.to_owned()));
            let answer = site.answer(&socket);
            assert_eq!((answer.status, answer.set_cookie), (401, None));
            assert!(answer.is_quiet);
            let wire =
                Wire { credentials: Some(ALICE), ..Wire::page("/a/", browser.cookie.clone()) };
            assert_eq!(site.answer(&wire).status, 401);
        },
    )
    .await;
}

#[actix_web::test]
async fn browser_answers_a_challenged_fetch_outside_the_directory() {
    in_every_setup(
        |_| {},
        async |browser, site| {
            browser.open(site, "/a/deep/page");
            browser.type_credentials(site, ALICE);
            assert_eq!(browser.fetch(site, "/a/x"), 200);
            assert_eq!(browser.prompts, 1);
        },
    )
    .await;
}

#[actix_web::test]
async fn plain_http_without_sec_fetch_headers_works() {
    in_every_setup(
        |_| {},
        async |browser, site| {
            browser.is_plain_http = true;
            log_in(browser, site);
            assert_eq!(browser.fetch(site, "/a/poll"), 200);
            browser.open(site, "/logout");
            assert_eq!(browser.fetch(site, "/a/poll"), 401);
            assert_eq!(browser.type_credentials(site, ALICE).body, "Signed in as alice");
            assert_eq!(browser.prompts, 1);
        },
    )
    .await;
}

#[actix_web::test]
async fn subresources_are_challenged_if_configured() {
    for store in STORES {
        for engine in ENGINES {
            let site =
                Site::with(&Setup::new(store), BasicLoginBuilder::challenge_subresources).await;
            let mut browser = Browser::new(engine);
            assert_eq!(browser.fetch(&site, "/a/data"), 401);
            assert_eq!(browser.prompts, 1);
            browser.type_into(0, ALICE);
            browser.settle(&site);
            assert_eq!(browser.fetch(&site, "/a/data"), 200);
            assert_eq!(browser.fetch(&site, "/logout"), 204);
            assert_eq!(browser.fetch(&site, "/a/data"), 401);
            assert_eq!(browser.prompts, 2);
            browser.type_into(0, BOB);
            browser.settle(&site);
            assert_eq!(browser.fetch(&site, "/a/data"), 200);
            assert_eq!(browser.prompts, 2);
        }
    }
}

#[actix_web::test]
async fn login_works_at_a_path_longer_than_a_cookie() {
    let long = format!("/a/{}", "x".repeat(6000));
    in_every_setup(
        |_| {},
        async |browser, site| {
            browser.open(site, &long);
            assert_eq!(browser.type_credentials(site, ALICE).body, "Signed in as alice");
            browser.fetch(site, "/logout");
            assert_eq!(browser.open(site, &long).status, 401);
            assert_eq!(browser.type_credentials(site, ALICE).body, "Signed in as alice");
        },
    )
    .await;
}

#[actix_web::test]
async fn request_that_raced_logout_keeps_typed_credentials() {
    in_every_setup(
        |_| {},
        async |browser, site| {
            log_in(browser, site);
            // Chromium's cache may hold a request back. Its cookie is then from before the logout, and
            // its credentials from after the next login.
            let cookie = browser.cookie.clone();
            browser.open(site, "/logout");
            assert_eq!(browser.type_credentials(site, BOB).body, "Signed in as bob");
            let mut late = Wire { credentials: Some(BOB), ..Wire::page("/a/poll", cookie) };
            late.headers.retain(|(name, _)| *name != "sec-fetch-mode");
            late.headers.push(("sec-fetch-mode", "cors".to_owned()));
            let answer = site.answer(&late);
            assert_eq!((answer.status, answer.set_cookie), (403, None));
            late.credentials = None;
            assert_eq!(site.answer(&late).status, 401, "the browser has no credentials to drop");
        },
    )
    .await;
}

#[actix_web::test]
async fn late_write_of_a_public_page_may_begin_an_unmarked_session() {
    for (writes, status) in [(false, 401), (true, 200)] {
        let site = Site::new(&Setup::new(Store::Memory)).await;
        let mut browser = Browser::new(Engine::Chromium);
        browser.open(&site, "/a/x/y");
        assert_eq!(browser.type_credentials(&site, ALICE).body, "Signed in as alice");
        let late = Wire::page("/free/write", browser.cookie.clone());
        assert_eq!(browser.fetch(&site, "/logout"), 204);
        if writes {
            browser.cookie = site.answer(&late).set_cookie;
        }
        // `/a/` is above the directory of the login, so the browser sends no credentials preemptively.
        assert_eq!(browser.open(&site, "/a/").status, status);
    }
}

#[actix_web::test]
async fn replacement_session_is_fresh_for_no_realm() {
    for store in STORES {
        let site = Site::new(&Setup::new(store)).await;
        let mut browser = Browser::new(Engine::Chromium);
        for (path, user) in [("/a/c/", ALICE), ("/a/b/c/", CAROL)] {
            browser.open(&site, path);
            assert_eq!(
                browser.type_credentials(&site, user).body,
                format!("Signed in as {}", user.0)
            );
        }
        let old = browser.cookie.clone();
        assert_eq!(browser.fetch(&site, "/logout"), 204);
        // Realm A answers a request that raced the logout, with a new session.
        let raced = Wire { credentials: Some(ALICE), ..Wire::page("/a/c/", old) };
        browser.cookie = site.answer(&raced).set_cookie;
        browser.prompts = 0;
        // `/a/b/` is above the directory of realm B's login, so the browser sends no credentials
        // preemptively.
        assert_eq!(browser.open(&site, "/a/b/").status, 401, "{store:?}");
        assert_eq!(browser.prompts, 1);
    }
}

#[actix_web::test]
async fn prefetch_logs_nobody_out() {
    in_every_setup(
        |_| {},
        async |browser, site| {
            log_in(browser, site);
            let mut wire =
                Wire { credentials: Some(ALICE), ..Wire::page("/logout", browser.cookie.clone()) };
            wire.headers.push(("sec-purpose", "prefetch;prerender".to_owned()));
            let answer = site.answer(&wire);
            assert_eq!((answer.status, answer.set_cookie), (403, None));
            assert_eq!(browser.open(site, "/a/").status, 200);
        },
    )
    .await;
}

#[actix_web::test]
async fn session_stores_no_password() {
    in_every_setup(
        |_| {},
        async |browser, site| {
            browser.open(site, "/a/");
            let mut sessions = vec![site.dump(browser.cookie.as_deref())];
            browser.type_credentials(site, WRONG);
            sessions.push(site.dump(browser.cookie.as_deref()));
            browser.type_credentials(site, ALICE);
            sessions.push(site.dump(browser.cookie.as_deref()));
            browser.open(site, "/logout");
            sessions.push(site.dump(browser.cookie.as_deref()));
            assert!(sessions[2].contains("alice"), "{}", sessions[2]);
            for secret in ["wrong", "\"one\"", "alice:one", "YWxpY2U6b25l", "YWxpY2U6d3Jvbmc"] {
                assert!(!sessions.concat().contains(secret), "{secret} in {sessions:?}");
            }
        },
    )
    .await;
}

#[actix_web::test]
async fn zero_reverify_after_checks_every_request_and_writes_nothing() {
    for store in STORES {
        let always = |it: BasicLoginBuilder| it.reverify_after(Duration::ZERO);
        let site = Site::with(&Setup::new(store), always).await;
        let mut browser = Browser::new(Engine::Firefox);
        log_in(&mut browser, &site);
        let checked = site.seen().checked.len();
        for _ in 0..2 {
            let wire =
                Wire { credentials: Some(ALICE), ..Wire::page("/a/", browser.cookie.clone()) };
            let answer = site.answer(&wire);
            assert_eq!((answer.status, answer.set_cookie), (200, None));
        }
        assert_eq!(site.seen().checked.len(), checked + 2);
    }
}

#[actix_web::test]
async fn session_fixation_is_prevented_by_renewal_at_login() {
    for renews in [false, true] {
        let more = |it: BasicLoginBuilder| if renews { it.renew_session_at_login() } else { it };
        let site = Site::with(&Setup::new(Store::Memory), more).await;
        let planted = site.answer(&Wire::page("/a/", None)).set_cookie;
        let mut browser = Browser::new(Engine::Chromium);
        browser.cookie.clone_from(&planted);
        log_in(&mut browser, &site);
        assert_eq!(browser.cookie != planted, renews);
        assert_eq!(site.has_no_session(planted.as_deref().unwrap()), renews);
        // Either way, the attacker's session does not pass without credentials.
        assert_eq!(site.answer(&Wire::page("/a/", planted)).status, 401);
        assert_eq!(browser.open(&site, "/a/x").status, 200);
    }
}
