//! Custom pages for every refusal and for the logout, under a strict `Content-Security-Policy`.
//!
//! Run `cargo run --example custom_pages`, then open the printed address (alice, password
//! wonderland). Cancel the dialog, enter a wrong password, or log out to see the pages. `ADDR` sets
//! the address (default `127.0.0.1:8080`).

use std::{
    env,
    error::Error,
    io::{self, Write},
    time::Duration,
};

use actix_basic_logout::{
    Authenticator, BasicLogin, BasicLoginBuilder, LOGOUT_SCRIPT_HASH, LogoutResponse, Notice,
    Reason, RequestKind, Throttle, User,
};
use actix_session::{SessionMiddleware, storage::CookieSessionStore};
use actix_web::{
    App, HttpRequest, HttpResponse, HttpServer, cookie::Key, http::header::Header,
    middleware::DefaultHeaders, web,
};
use actix_web_httpauth::{
    extractors::basic::BasicAuth,
    headers::authorization::{Authorization, Basic},
};
use html_escape::encode_double_quoted_attribute as escape;

fn realm(name: &str, users: impl Authenticator) -> BasicLoginBuilder {
    BasicLogin::builder(name, users)
        .landing_path("/members/")
        .login_deadline(Duration::from_secs(8 * 60 * 60))
        .logout_response(LogoutResponse::Page)
        .respond_with(respond)
}

/// The policy allows one inline script only: the one that replaces the browser's credentials after
/// a logout.
fn policy() -> DefaultHeaders {
    let policy = format!(
        "default-src 'none'; style-src 'self'; script-src {LOGOUT_SCRIPT_HASH}; \
         connect-src 'self'; img-src data:; form-action 'self'; base-uri 'none'; \
         frame-ancestors 'none'"
    );
    DefaultHeaders::new().add(("Content-Security-Policy", policy))
}

/// The crate sets the status, the challenge and `Cache-Control`. This function provides the page.
fn respond(req: &HttpRequest, notice: &Notice<'_>) -> HttpResponse {
    let mut response = HttpResponse::build(notice.status());
    if notice.request_kind() != RequestKind::Navigation {
        // The crate replaces an empty body: scripts get JSON, non-browser clients get plain text.
        return response.finish();
    }
    let (title, text) = words(req, notice);
    response.content_type("text/html; charset=utf-8").body(format!(
        include_str!("custom_pages/notice.html"),
        title = title,
        text = escape(&text),
        landing = escape(notice.landing_path()),
        // This is a `<script>` element. The policy allows only its exact text, so do not change it.
        script = notice.script().unwrap_or_default(),
    ))
}

fn words(req: &HttpRequest, notice: &Notice<'_>) -> (&'static str, String) {
    let again = notice.retry_after().map_or(1, |it| it.as_secs().max(1));
    let (title, text) = match notice.reason() {
        Reason::LoginRequired => ("Members only", "Log in to continue."),
        Reason::LoggedOut => ("Goodbye", "You are logged out, in all tabs of this browser."),
        Reason::LoginExpired => ("Login expired", "A login lasts eight hours."),
        Reason::LoginRevoked => {
            ("Login revoked", "This login was ended on another device or by an administrator.")
        }
        Reason::CredentialsChanged => ("Your password has changed", "Log in with the new one."),
        Reason::WrongCredentials => {
            return match typed(req) {
                Some(name) => {
                    ("Login failed", format!("The password does not match the user name “{name}”."))
                }
                None => {
                    ("Login failed", "The server cannot read the user name or password.".to_owned())
                }
            };
        }
        Reason::LogoutForbidden => ("Still logged in", "To log out, use the button on our pages."),
        Reason::NoLogin => {
            ("Not logged in", "Your program sends the password with each request. Close it.")
        }
        Reason::ForgedCookie => {
            ("Forged cookie", "Delete the cookies of this site, then try again.")
        }
        Reason::LogoutUncertain => {
            ("Logout failed", "Delete the cookies of this site, then close the browser.")
        }
        Reason::CookiesRequired => {
            ("Cookies required", "Allow cookies for this site, then reload.")
        }
        Reason::CrossSite => {
            ("Request from another site", "It was refused. Use the pages of this site.")
        }
        Reason::TooManyAttempts => {
            return ("Too many attempts", format!("Try again in {again} seconds."));
        }
        Reason::Busy => return ("Server busy", format!("Try again in {again} seconds.")),
        Reason::Unavailable => ("Out of service", "The server cannot look up your login now."),
        // A later version of the crate may add reasons: show the crate's own text for them.
        _ => return (notice.title(), notice.detail().into_owned()),
    };
    (title, text.to_owned())
}

/// The user-id that the user entered. It is untrusted: escape it.
fn typed(req: &HttpRequest) -> Option<String> {
    let header = Authorization::<Basic>::parse(req).ok()?;
    Some(header.as_ref().user_id().to_owned())
}

fn routes(login: BasicLogin) -> impl FnOnce(&mut web::ServiceConfig) {
    move |config| {
        config
            .service(web::redirect("/", "/members/"))
            // Public, because the pages of refusals need it, too.
            .route("/style.css", web::get().to(style))
            .service(web::scope("/members").wrap(login.clone()).route("/", web::get().to(members)))
            .route("/logout", web::post().to(login.logout()));
    }
}

async fn members(user: User) -> web::Html {
    let page = format!(include_str!("custom_pages/members.html"), user = escape(user.id()));
    web::Html::new(page)
}

async fn style() -> HttpResponse {
    HttpResponse::Ok().content_type("text/css").body(include_str!("admin/style.css"))
}

fn session(key: &Key) -> SessionMiddleware<CookieSessionStore> {
    SessionMiddleware::builder(CookieSessionStore::default(), key.clone())
        .cookie_secure(false) // only for plain http; remove this line for https
        .build()
}

#[actix_web::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let address = env::var("ADDR").unwrap_or_else(|_| "127.0.0.1:8080".to_owned());
    let is_user = async |_: &HttpRequest, it: &BasicAuth| {
        Ok(it.user_id() == "alice" && it.password() == Some("wonderland"))
    };
    let login = realm("Members", Throttle::new(is_user)).build()?;
    let key = Key::generate();
    let server = HttpServer::new(move || {
        App::new().configure(routes(login.clone())).wrap(session(&key)).wrap(policy())
    })
    .workers(2)
    .bind(address)?;
    let mut output = io::stdout();
    for address in server.addrs() {
        writeln!(output, "http://{address}/  user: alice / wonderland")?;
    }
    Ok(server.run().await?)
}

#[cfg(test)]
mod tests {
    use std::sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    };

    use actix_basic_logout::{
        RevocationError, RevocationKey, RevocationStore, TryLater,
        test::{Browser, Clock, Response, form, subresource},
    };
    use actix_web::{
        http::header::{CONTENT_SECURITY_POLICY, CONTENT_TYPE},
        test::{self, TestRequest},
    };
    use base64::{Engine, prelude::BASE64_STANDARD};
    use futures_core::future::BoxFuture;
    use sha2::{Digest, Sha256};

    use super::*;

    async fn users(_: &HttpRequest, credentials: &BasicAuth) -> Result<bool, actix_web::Error> {
        match credentials.user_id() {
            "alice" => Ok(credentials.password() == Some("wonderland")),
            "hasty" => Err(TryLater::too_many_attempts(Duration::from_secs(60)).into()),
            "queueing" => Err(TryLater::busy(Duration::from_secs(30)).into()),
            _ => Ok(false),
        }
    }

    /// A new browser for the application as `main` serves it.
    async fn browser(login: BasicLogin) -> Browser {
        let key = Key::from(&[7; 64]);
        let app = App::new().configure(routes(login)).wrap(session(&key)).wrap(policy());
        Browser::new(test::init_service(app).await)
    }

    async fn at(login: BasicLoginBuilder) -> Browser {
        browser(login.build().expect("a realm")).await
    }

    fn members() -> BasicLoginBuilder {
        realm("Members", users)
    }

    async fn log_in(browser: &mut Browser) {
        browser.log_in("/members/", "alice", "wonderland").await;
    }

    /// The page after the user has entered these credentials.
    async fn typed(browser: &mut Browser, user_id: &str, password: &str) -> Response {
        browser.forget_credentials();
        browser.user_types(user_id, password);
        browser.open("/members/").await
    }

    #[track_caller]
    fn shows(page: &Response, status: u16, title: &str) {
        let body = page.text();
        assert_eq!(page.status(), status, "{body}");
        assert_eq!(page.header(CONTENT_TYPE), Some("text/html; charset=utf-8"));
        let policy = page.header(CONTENT_SECURITY_POLICY).expect("a policy");
        assert!(policy.starts_with("default-src 'none'; "), "{policy}");
        assert!(body.contains(&format!("<h1>{title}</h1>")), "{body}");
        assert!(body.contains("<a class=\"button\" href=\"/members/\">Log in</a>"), "{body}");
        assert!(!body.contains("<style") && !body.contains(" style="), "the policy forbids it");
    }

    struct Unreachable;

    impl RevocationStore for Unreachable {
        fn set<'a>(
            &'a self,
            _: &'a [(RevocationKey, u64)],
            _: Duration,
        ) -> BoxFuture<'a, Result<(), RevocationError>> {
            Box::pin(async { Err(RevocationError::new("down")) })
        }

        fn get<'a>(
            &'a self,
            _: &'a [RevocationKey],
        ) -> BoxFuture<'a, Result<Vec<Option<u64>>, RevocationError>> {
            Box::pin(async { Err(RevocationError::new("down")) })
        }
    }

    #[actix_web::test]
    async fn each_reason_has_its_own_page() {
        let forged = |path| form(path).insert_header(("Sec-Fetch-Site", "cross-site"));
        let mut browser = at(members()).await;
        shows(&browser.open("/members/").await, 401, "Members only");
        shows(&typed(&mut browser, "alice", "looking-glass").await, 401, "Login failed");
        let hasty = typed(&mut browser, "hasty", "x").await;
        shows(&hasty, 429, "Too many attempts");
        assert!(hasty.text().contains("in 60 seconds"), "{}", hasty.text());
        shows(&typed(&mut browser, "queueing", "x").await, 503, "Server busy");
        browser.forget_credentials();
        log_in(&mut browser).await;
        shows(&browser.send(forged("/logout")).await, 403, "Still logged in");
        shows(&browser.submit("/logout").await, 200, "Goodbye");

        browser.clear_cookies();
        browser.forget_credentials();
        shows(&browser.send(forged("/members/")).await, 403, "Request from another site");
        let mut browser = at(members()).await.without_cookies();
        browser.user_types("alice", "wonderland").user_types("alice", "wonderland");
        shows(&browser.open("/members/").await, 401, "Cookies required");

        let mut browser = at(members().revocation_store(Unreachable)).await;
        shows(&typed(&mut browser, "alice", "wonderland").await, 503, "Out of service");

        let clock = Clock::new();
        let mut browser = at(members().clock(clock.system_time())).await;
        log_in(&mut browser).await;
        clock.advance(Duration::from_secs(8 * 60 * 60));
        shows(&browser.open("/members/").await, 401, "Login expired");

        let is_member = Arc::new(AtomicBool::new(true));
        let members = Arc::clone(&is_member);
        let members = async move |_: &HttpRequest, _: &BasicAuth| Ok(members.load(Relaxed));
        // A unique name, because realms with the same name in one process share their revocations.
        let login = realm("Revoked", members).reverify_after(Duration::ZERO).build().expect("one");
        let mut browser = self::browser(login.clone()).await;
        log_in(&mut browser).await;
        login.revoke_user("alice").await.expect("revoked");
        shows(&browser.open("/members/").await, 401, "Login revoked");
        log_in(&mut browser).await;
        is_member.store(false, Relaxed);
        shows(&browser.open("/members/").await, 401, "Your password has changed");
    }

    #[actix_web::test]
    async fn user_id_is_escaped_on_pages() {
        let mut browser = at(members()).await;
        let name = r#"<script src="//evil.example/&">{script}"#;
        let answer = typed(&mut browser, name, "x").await;
        shows(&answer, 401, "Login failed");
        let shown = "“&lt;script src=&quot;//evil.example/&amp;&quot;&gt;{script}”";
        assert!(answer.text().contains(shown), "{}", answer.text());
        assert!(!answer.text().contains("<script"), "{}", answer.text());
    }

    #[actix_web::test]
    async fn policy_allows_only_the_logout_page_script() {
        let mut browser = at(members()).await;
        log_in(&mut browser).await;
        let out = browser.submit("/logout").await;
        shows(&out, 200, "Goodbye");
        let (_, script) = out.text().split_once("<script ").expect("a script");
        let (script, rest) = script.split_once("</script>").expect("its end");
        assert!(!rest.contains("<script"), "{rest}");
        let (_, text) = script.split_once('>').expect("its text");
        let hash = BASE64_STANDARD.encode(Sha256::digest(text));
        let policy = out.header(CONTENT_SECURITY_POLICY).expect("a policy");
        assert!(policy.contains(&format!("script-src 'sha256-{hash}';")), "{policy}");
        assert!(!policy.contains("unsafe"), "{policy}");
    }

    #[actix_web::test]
    async fn subresources_and_non_browsers_get_no_html() {
        let mut browser = at(members()).await;
        let json = ("Accept", "application/json");
        let script = browser.send(subresource("/members/").insert_header(json)).await;
        assert_eq!(script.header(CONTENT_TYPE), Some("application/problem+json"));
        assert!(script.text().contains(r#""title":"Login required""#), "{}", script.text());
        let program = browser.send_as_non_browser(TestRequest::with_uri("/members/")).await;
        assert_eq!(program.header(CONTENT_TYPE), Some("text/plain; charset=utf-8"));
    }
}
