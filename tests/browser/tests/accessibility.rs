//! Checks every page of this crate, and the pages of the demo, with axe-core in Chromium.
//!
//! The environment variable `AXE_CORE` names the file `axe.min.js` of the npm package `axe-core`.

use std::{env, fs, thread, time::Duration};

use actix_basic_logout::{
    BasicLogin, LogoutResponse, Reason, RevocationError, TryLater,
    test::{Browser, Clock, form, navigation},
};
use actix_session::{SessionMiddleware, storage::CookieSessionStore};
use actix_web::{
    App, Error, HttpRequest, HttpResponse,
    cookie::Key,
    rt::System,
    test::{self, TestRequest},
    web,
};
use actix_web_httpauth::extractors::basic::BasicAuth;
use base64::{Engine as _, prelude::BASE64_STANDARD};
use browser_suite::{Engine, Fixture, Site, Tab};

/// The rules that must hold: WCAG 2.2, levels A and AA, and the best practices of axe.
const RUN: &str = r#"axe.run({ runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"] })
    .then(({ passes, violations }) => JSON.stringify({
        passes: passes.length,
        violations: violations.map(({ id, help, nodes }) =>
            `${id}: ${help}: ${nodes.map(({ html }) => html).join(" ")}`),
    }))"#;

/// The user-id decides how the password check ends.
async fn check(_: &HttpRequest, credentials: &BasicAuth) -> Result<bool, Error> {
    match credentials.user_id() {
        "throttled" => Err(TryLater::too_many_attempts(Duration::from_secs(60)).into()),
        "busy" => Err(TryLater::busy(Duration::from_secs(30)).into()),
        "unavailable" => Err(RevocationError::new("connection refused").into()),
        "removed" => Ok(true),
        _ => Ok(credentials.password() == Some("wonderland")),
    }
}

/// Every page of this crate, as it would reach a browser, with a name.
async fn pages() -> Vec<(String, String)> {
    let clock = Clock::new();
    let realm = |response| {
        BasicLogin::builder("Admin area", check)
            .logout_response(response)
            .login_deadline(Duration::from_secs(1000))
            .clock(clock.system_time())
            .build()
            .expect("a realm")
    };
    let mut pages = Vec::new();
    for response in [LogoutResponse::Challenge, LogoutResponse::Page] {
        let login = realm(response.clone());
        let app = App::new()
            .service(
                web::scope("/admin").wrap(login.clone()).default_service(web::to(HttpResponse::Ok)),
            )
            .route("/logout", web::to(login.logout()))
            .wrap(SessionMiddleware::new(CookieSessionStore::default(), Key::generate()));
        let mut browser = Browser::new(test::init_service(app).await);
        let mut add = |name: String, page: &actix_basic_logout::test::Response| {
            pages
                .push((format!("{response:?}, {name}, {}", page.status()), page.text().to_owned()));
        };
        add(format!("{:?}", Reason::LoginRequired), &browser.open("/admin/").await);
        for user in ["alice", "throttled", "busy", "unavailable"] {
            browser.forget_credentials();
            browser.clear_cookies();
            let page = browser.user_types(user, "wrong").open("/admin/").await;
            add(format!("after the login of {user}"), &page);
        }
        browser.forget_credentials();
        browser.clear_cookies();
        browser.log_in("/admin/", "alice", "wonderland").await;
        let link = navigation("/logout").insert_header(("Sec-Fetch-Site", "cross-site"));
        add(format!("{:?}", Reason::LogoutForbidden), &browser.send(link).await);
        browser.clear_cookies();
        let tossed = navigation("/logout").insert_header(("Cookie", "id=a; id=b"));
        add(format!("{:?}", Reason::LogoutUncertain), &browser.send(tossed).await);
        browser.log_in("/admin/", "alice", "wonderland").await;
        add(format!("{:?}", Reason::LoggedOut), &browser.open("/logout").await);
        browser.log_in("/admin/", "alice", "wonderland").await;
        clock.advance(Duration::from_secs(1001));
        add(format!("{:?}", Reason::LoginExpired), &browser.open("/admin/").await);
        browser.log_in("/admin/", "alice", "wonderland").await;
        login.revoke_user("alice").await.expect("the memory of the process");
        add(format!("{:?}", Reason::LoginRevoked), &browser.open("/admin/").await);
        browser.clear_cookies();
        let foreign = form("/admin/").insert_header(("Sec-Fetch-Site", "cross-site"));
        add(format!("{:?}", Reason::CrossSite), &browser.send(foreign).await);
        let text_browser = TestRequest::with_uri("/logout").insert_header(("Accept", "text/html"));
        add(format!("{:?}", Reason::NoLogin), &browser.send_as_non_browser(text_browser).await);
        let mut browser = browser.without_cookies();
        for _ in 0..3 {
            browser.user_types("alice", "wonderland");
        }
        add(format!("{:?}", Reason::CookiesRequired), &browser.open("/admin/").await);
    }
    pages.push(("CredentialsChanged".to_owned(), changed_credentials().await));
    pages
}

/// The page after an authenticator no longer accepts the credentials of a login.
async fn changed_credentials() -> String {
    let clock = Clock::new();
    let now = clock.system_time();
    let start = now();
    let check = move |_: &HttpRequest, _: &BasicAuth| {
        let accepted = now() == start;
        async move { Ok::<_, Error>(accepted) }
    };
    let login = BasicLogin::builder("Admin area", check)
        .clock(clock.system_time())
        .build()
        .expect("a realm");
    let app = App::new()
        .wrap(login)
        .wrap(SessionMiddleware::new(CookieSessionStore::default(), Key::generate()))
        .default_service(web::to(HttpResponse::Ok));
    let mut browser = Browser::new(test::init_service(app).await);
    browser.log_in("/", "alice", "wonderland").await;
    clock.advance(Duration::from_secs(600));
    browser.open("/").await.text().to_owned()
}

async fn load(tab: &Tab, html: &str) {
    tab.visit_url(&format!("data:text/html;base64,{}", BASE64_STANDARD.encode(html))).await;
    tab.page().await;
}

/// The number of rules that passed, and the violations.
async fn audit(tab: &Tab, axe: &str) -> (u64, Vec<String>) {
    tab.evaluate(&format!("{axe}; true")).await;
    let result = tab.evaluate(RUN).await;
    let result: serde_json::Value =
        serde_json::from_str(result.as_str().expect("a text")).expect("the JSON of the script");
    let violations = result["violations"].as_array().expect("a list").iter();
    let violations = violations.map(|it| it.as_str().expect("a text").to_owned()).collect();
    (result["passes"].as_u64().expect("a number"), violations)
}

fn axe() -> String {
    let path = env::var("AXE_CORE").expect(
        "AXE_CORE names axe.min.js: npm install --prefix target/axe --no-save axe-core, \
         then AXE_CORE=$PWD/target/axe/node_modules/axe-core/axe.min.js",
    );
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("AXE_CORE, {path}: {error}"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pages_have_no_accessibility_violations() {
    let axe = axe();
    let pages = thread::spawn(|| System::new().block_on(pages())).join().expect("all pages");
    let titles = [
        "Login required",
        "You are logged out",
        "Your login has expired",
        "Your login has ended",
        "Wrong user name or password",
        "Logout refused",
        "Cookies required",
        "Request refused",
        "Too many attempts",
        "The server is busy",
        "Temporarily unavailable",
    ];
    for title in titles {
        let heading = format!("<h1>{title}</h1>");
        assert!(pages.iter().any(|(_, html)| html.contains(&heading)), "no page {title}");
    }
    let fixture = Fixture::open_site(Engine::Chromium, Site::default()).await;
    let tab = fixture.tab().await;
    for scheme in ["light", "dark"] {
        tab.set_color_scheme(scheme).await;
        for width in [320, 1280] {
            tab.resize(width, 640).await;
            for (name, html) in &pages {
                load(&tab, html).await;
                let (passed, violations) = audit(&tab, &axe).await;
                assert_eq!(violations, [""; 0], "{name}, {scheme}, {width} pixels:\n{html}");
                assert!(passed > 10, "axe checked only {passed} rules on {name}");
                let overflow = "document.documentElement.scrollWidth > innerWidth";
                assert_eq!(tab.evaluate(overflow).await, false, "{name} overflows {width} pixels");
                let described = "document.documentElement.lang === 'en' \
                     && document.title === document.querySelector('h1').innerText \
                     && !!document.querySelector('meta[name=viewport]')";
                assert_eq!(
                    tab.evaluate(described).await,
                    true,
                    "{name} lacks lang, title or viewport"
                );
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pages_of_the_demo_have_no_accessibility_violations() {
    let axe = axe();
    let fixture = Fixture::open(Engine::Chromium, &[("LOGOUT", "page")]).await;
    let tab = fixture.tab().await;
    for scheme in ["light", "dark"] {
        tab.set_color_scheme(scheme).await;
        tab.visit("/").await;
        tab.page().await;
        assert_eq!(audit(&tab, &axe).await.1, [""; 0], "public page, {scheme}");
        tab.visit("/admin/").await;
        tab.dialog().await.submit("alice", "wonderland").await;
        tab.wait_for_text("Signed in as alice").await;
        assert_eq!(audit(&tab, &axe).await.1, [""; 0], "protected page, {scheme}");
        tab.visit("/logout").await;
        tab.wait_for_text("You are logged out").await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn accessibility_check_finds_known_defects() {
    let axe = axe();
    let fixture = Fixture::open_site(Engine::Chromium, Site::default()).await;
    let tab = fixture.tab().await;
    let html = "<!DOCTYPE html><title>x</title><main><h1>x</h1>\
                <p style='color: #ccc; background: #fff'>faint</p><img src='data:,'></main>";
    load(&tab, html).await;
    let (_, violations) = audit(&tab, &axe).await;
    for rule in ["html-has-lang", "color-contrast", "image-alt"] {
        assert!(
            violations.iter().any(|it| it.starts_with(rule)),
            "{rule} is not in {violations:?}"
        );
    }
}
