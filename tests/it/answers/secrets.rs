//! Secrets that no log line and no `Debug` may contain: the password, the header and what it encodes.

use std::sync::{Arc, Mutex};

use actix_basic_logout::{ConfigError, Notice};
use actix_web::HttpResponse;

use super::*;
use crate::support::log::Log;

const PASSWORD: &str = "wonderland";
const WRONG: &str = "looking-glass";

/// Asserts that a text contains no password and no encoded credentials, with or without padding.
fn assert_no_secret(text: &str) {
    for password in [PASSWORD, WRONG] {
        let encoded = BASE64_STANDARD.encode(format!("alice:{password}"));
        for secret in [password, encoded.trim_end_matches('=')] {
            assert!(!text.contains(secret), "{secret} in:\n{text}");
        }
    }
    assert!(!text.contains("Basic YW"), "an Authorization header in:\n{text}");
}

#[actix_web::test]
async fn log_names_realm_and_user_but_no_secret() {
    let (log, guard) = Log::capture();

    let site = site(&realm().build().expect("a realm")).await;
    let challenged = ask(&site, page("/admin/")).await.session();
    let wrong = page("/admin/").cookie(challenged).insert_header(basic("alice", WRONG));
    ask(&site, wrong).await;
    let logged_in = log_in(&site).await;
    ask(&site, page("/admin/a").cookie(logged_in.clone()).insert_header(alice())).await;
    let foreign = page("/logout").insert_header(("Sec-Fetch-Site", "cross-site"));
    ask(&site, foreign.cookie(logged_in.clone()).insert_header(alice())).await;
    let out = page("/logout").cookie(logged_in.clone()).insert_header(alice());
    let logged_out = ask(&site, out).await.session();
    ask(&site, page("/admin/").cookie(logged_out).insert_header(alice())).await;
    ask(&site, page("/admin/").cookie(logged_in).insert_header(alice())).await;
    ask(&site, non_browser("/admin/").insert_header(alice())).await;
    ask(&site, non_browser("/admin/").insert_header(basic("alice", WRONG))).await;
    drop(guard);

    let text = log.text();
    let line = |message: &str| {
        let found = text.lines().find(|line| line.contains(&format!(": {message} ")));
        found.unwrap_or_else(|| panic!("{message:?} is not in:\n{text}"))
    };
    for (level, message) in [
        ("WARN", "wrong credentials"),
        ("INFO", "logged in"),
        ("INFO", "logged out"),
        ("DEBUG", "passed without a session"),
    ] {
        let line = line(message);
        assert!(line.contains(level), "{line}");
        assert!(line.contains("realm=Admin area"), "{line}");
        assert!(line.contains("user=\"alice\""), "{line}");
    }
    assert!(line("cross-site or prefetched logout refused").contains("WARN"));
    assert!(line("refused").contains("DEBUG"));
    assert_no_secret(&text);
}

#[actix_web::test]
async fn debug_of_credentials_shows_no_secret() {
    let key = "a key of some 40 bytes, never to be shown";
    let shown: Arc<Mutex<Vec<String>>> = Arc::default();
    let notices = Arc::clone(&shown);
    let builder = realm().fingerprint_key(key).respond_with(move |_, notice: &Notice<'_>| {
        notices.lock().expect("unpoisoned").push(format!("{notice:?}"));
        HttpResponse::Ok().body("words")
    });
    let of_builder = format!("{builder:?}");
    let login = builder.build().expect("a realm");
    let admin = web::scope("/admin")
        .wrap(login.clone())
        .default_service(web::to(async |user: User| format!("{user:?}")));
    let app = App::new().service(admin).route("/logout", web::to(login.logout())).wrap(session());
    let site = start(app).await;
    let user = ask(&site, non_browser("/admin/").insert_header(alice())).await.body;
    ask(&site, non_browser("/admin/").insert_header(basic("alice", WRONG))).await;
    ask(&site, page("/logout").insert_header(alice())).await;

    let short = realm().fingerprint_key(PASSWORD).build().expect_err("too short");
    assert!(matches!(short, ConfigError::FingerprintKeyTooShort { .. }));
    let notices = shown.lock().expect("unpoisoned").clone();
    assert_eq!(notices.len(), 2);
    for text in [
        &of_builder,
        &format!("{login:?}"),
        &format!("{:?}", login.logout()),
        &format!("{short:?} {short}"),
        &user,
        &notices.concat(),
    ] {
        assert_no_secret(text);
        assert!(!text.contains(key), "{text}");
        assert!(!text.is_empty());
    }
    assert!(user.contains("alice"));
    assert!(of_builder.contains("Admin area"));
}
