//! The texts of pages that depend on the state of the login.

use actix_basic_logout::LogoutResponse;

use super::*;

#[actix_web::test]
async fn page_says_logged_out_only_after_a_logout() {
    let site = site(&realm().build().expect("a realm")).await;
    let logged_in = log_in(&site).await;
    let stale = Cookie::new("id", "its-session-no-longer-exists");
    let other_port = ("Host", "localhost:8081");
    for (name, req) in [
        ("no session", page("/admin/")),
        ("session no longer exists", page("/admin/").cookie(stale)),
        (
            "logged in on another port",
            page("/admin/")
                .cookie(logged_in.clone())
                .insert_header(other_port)
                .insert_header(basic("alice", "looking-glass")),
        ),
    ] {
        let answer = ask(&site, req).await;
        assert!(answer.body.contains("<h1>Login required</h1>"), "{name}: {}", answer.body);
    }

    let logout = page("/logout").cookie(logged_in.clone()).insert_header(alice());
    let answer = ask(&site, logout.insert_header(("Sec-Fetch-Site", "cross-site"))).await;
    assert!(answer.body.contains("<h1>Logout refused</h1>"), "{}", answer.body);

    let logout = page("/logout").cookie(logged_in).insert_header(alice());
    let answer = ask(&site, logout).await;
    assert!(answer.body.contains("<h1>You are logged out</h1>"), "{}", answer.body);
}

#[actix_web::test]
async fn logout_tells_non_browser_clients_that_their_password_still_counts() {
    for response in [LogoutResponse::Challenge, LogoutResponse::Page] {
        let site = site(&realm().logout_response(response).build().expect("a realm")).await;
        let login = log_in(&site).await;
        let logout = non_browser("/logout").cookie(login).insert_header(alice());
        let answer = ask(&site, logout).await;
        assert_eq!(
            answer.body,
            "You are logged out. Log in again to continue. Requests without the session cookie are \
             authenticated by their password alone.\n"
        );
        let next = ask(&site, non_browser("/admin/").insert_header(alice())).await;
        assert_eq!(next.status, 200, "the password alone is accepted");
    }
}
