//! A single-page application: its script reads and writes notes as JSON, logs out with `fetch`, and
//! polls to notice a logout in another tab.
//!
//! Run `cargo run --example single_page`, open the printed address in two tabs (alice, password
//! wonderland), and log out in one of them. `ADDR` sets the address (default `127.0.0.1:8080`).
//!
//! The interesting file is `examples/single_page/app.js`. The page itself is protected as well, so
//! its user has logged in before the script runs.

use std::{
    env,
    error::Error,
    io::{self, Write},
    sync::{Mutex, PoisonError},
    time::Duration,
};

use actix_basic_logout::{BasicLogin, BasicLoginBuilder, User};
use actix_session::{SessionMiddleware, storage::CookieSessionStore};
use actix_web::{
    App, HttpRequest, HttpResponse, HttpServer, Responder, cookie::Key, middleware::DefaultHeaders,
    web,
};
use actix_web_httpauth::extractors::basic::BasicAuth;
use serde::{Deserialize, Serialize};
use serde_json::json;

/// The policy allows no inline script. It allows inline styles, because this crate's pages have
/// one.
const POLICY: &str = "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; \
                      base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

const MAX_NOTES: usize = 100;
const MAX_BYTES: usize = 2048;

#[derive(Clone, Serialize)]
struct Note {
    by: String,
    text: String,
}

#[derive(Deserialize)]
struct NewNote {
    text: String,
}

type Notes = Mutex<Vec<Note>>;

fn realm() -> BasicLoginBuilder {
    let users = [("alice", "wonderland"), ("bob", "builder")];
    let is_user = async move |_: &HttpRequest, it: &BasicAuth| {
        Ok(users.contains(&(it.user_id(), it.password().unwrap_or_default())))
    };
    BasicLogin::builder("Notes", is_user)
        .landing_path("/app/")
        // Each poll counts as a visit, so the idle timeout would never end the login of an open
        // page.
        .login_deadline(Duration::from_secs(8 * 60 * 60))
}

fn routes(login: BasicLogin, notes: web::Data<Notes>) -> impl FnOnce(&mut web::ServiceConfig) {
    move |config| {
        let app = web::scope("/app")
            .wrap(login.clone())
            .app_data(notes)
            .app_data(web::JsonConfig::default().limit(MAX_BYTES))
            .route("/", web::get().to(page))
            .route("/app.js", web::get().to(script))
            .route("/style.css", web::get().to(style))
            .route("/api/me", web::get().to(me))
            .route("/api/notes", web::get().to(list))
            .route("/api/notes", web::post().to(add));
        config
            .service(web::redirect("/", "/app/"))
            .service(app)
            .route("/logout", web::post().to(login.logout()));
    }
}

fn policy() -> DefaultHeaders {
    DefaultHeaders::new().add(("Content-Security-Policy", POLICY))
}

async fn me(user: User) -> impl Responder {
    web::Json(json!({ "user": user.id() }))
}

async fn list(notes: web::Data<Notes>) -> impl Responder {
    web::Json(notes.lock().unwrap_or_else(PoisonError::into_inner).clone())
}

async fn add(user: User, note: web::Json<NewNote>, notes: web::Data<Notes>) -> impl Responder {
    let mut notes = notes.lock().unwrap_or_else(PoisonError::into_inner);
    if notes.len() == MAX_NOTES {
        notes.remove(0);
    }
    notes.push(Note { by: user.id().to_owned(), text: note.into_inner().text });
    HttpResponse::Created()
}

async fn page() -> web::Html {
    web::Html::new(include_str!("single_page/page.html"))
}

async fn script() -> HttpResponse {
    HttpResponse::Ok().content_type("text/javascript").body(include_str!("single_page/app.js"))
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
    let (login, notes, key) = (realm().build()?, web::Data::new(Notes::default()), Key::generate());
    let server = HttpServer::new(move || {
        App::new()
            .configure(routes(login.clone(), notes.clone()))
            .wrap(session(&key))
            .wrap(policy())
    })
    .workers(2)
    .bind(address)?;
    let mut output = io::stdout();
    for address in server.addrs() {
        writeln!(output, "http://{address}/  users: alice / wonderland, bob / builder")?;
    }
    Ok(server.run().await?)
}

#[cfg(test)]
mod tests {
    use actix_basic_logout::test::{Browser, Clock, subresource};
    use actix_web::{
        http::{
            Method,
            header::{CONTENT_SECURITY_POLICY, CONTENT_TYPE, SET_COOKIE, WWW_AUTHENTICATE},
        },
        test,
    };

    use super::*;

    /// A new browser for the application as `main` serves it.
    async fn at(login: BasicLoginBuilder) -> Browser {
        let login = login.build().expect("a realm");
        let app = App::new()
            .configure(routes(login, web::Data::new(Notes::default())))
            .wrap(session(&Key::from(&[7; 64])))
            .wrap(policy());
        Browser::new(test::init_service(app).await)
    }

    #[actix_web::test]
    async fn page_has_no_inline_script_and_its_policy_forbids_it() {
        let mut browser = at(realm()).await;
        let asked = browser.open("/app/").await;
        let welcome = browser.log_in("/app/", "alice", "wonderland").await;
        for answer in [&asked, &welcome] {
            assert_eq!(answer.header(CONTENT_SECURITY_POLICY), Some(POLICY));
            let text = answer.text();
            assert_eq!(
                text.matches("<script").count(),
                text.matches("<script src=").count(),
                "{text}"
            );
            assert!(!text.contains(" onclick="), "{text}");
        }
        assert!(welcome.text().contains("<script src=\"/app/app.js\""), "{}", welcome.text());
        assert_eq!(browser.open("/app/app.js").await.status(), 200);
    }

    #[actix_web::test]
    async fn logged_in_user_reads_and_writes() {
        let mut browser = at(realm()).await;
        browser.log_in("/app/", "alice", "wonderland").await;
        assert_eq!(browser.fetch("/app/api/me").await.text(), r#"{"user":"alice"}"#);
        let note = |text: &str| {
            let note = subresource("/app/api/notes").method(Method::POST);
            note.set_json(json!({ "text": text }))
        };
        assert_eq!(browser.send(note("tea")).await.status(), 201);
        let notes = browser.fetch("/app/api/notes").await;
        assert_eq!(notes.text(), r#"[{"by":"alice","text":"tea"}]"#);

        assert_eq!(browser.send(note(&"tea".repeat(1000))).await.status(), 413);
    }

    #[actix_web::test]
    async fn fetch_logout_opens_no_dialog_and_other_tabs_notice() {
        let mut browser = at(realm()).await;
        browser.log_in("/app/", "alice", "wonderland").await;
        let poll = "/app/api/notes";
        assert_eq!(browser.fetch(poll).await.status(), 200);

        // `/logout` is outside the login's directory, so the browser sends no credentials there.
        let out = browser.send(subresource("/logout").method(Method::POST)).await;
        assert!(!out.sent_credentials());
        assert_eq!((out.status().as_u16(), out.header(WWW_AUTHENTICATE)), (204, None));
        assert!(out.header(SET_COOKIE).is_some());

        // The browser still sends them below `/app/`, where the user entered them.
        let json = ("Accept", "application/json");
        let refused = browser.send(subresource(poll).insert_header(json)).await;
        assert!(refused.sent_credentials());
        assert_eq!((refused.status().as_u16(), refused.dialogs()), (401, 0));
        let challenge = refused.header(WWW_AUTHENTICATE).expect("a challenge");
        assert!(challenge.starts_with("xBasic "), "{challenge}");
        assert_eq!(refused.header(CONTENT_TYPE), Some("application/problem+json"));
        let text = refused.text();
        assert!(text.contains(r#""title":"You are logged out""#), "{text}");

        // "Log in again" is a navigation: a dialog opens, and the user logs in.
        browser.log_in("/app/", "alice", "wonderland").await;
        assert_eq!(browser.fetch(poll).await.status(), 200);
    }

    #[actix_web::test]
    async fn polling_page_reaches_its_absolute_timeout() {
        let clock = Clock::new();
        let mut browser = at(realm().clock(clock.system_time())).await;
        browser.log_in("/app/", "alice", "wonderland").await;
        for hour in 1..=8 {
            clock.advance(Duration::from_secs(60 * 60));
            let poll = browser.fetch("/app/api/notes").await;
            assert_eq!(poll.status(), if hour < 8 { 200 } else { 401 }, "hour {hour}");
        }
    }

    #[actix_web::test]
    async fn fetch_without_login_reads_nothing() {
        let mut browser = at(realm()).await;
        for path in ["/app/api/me", "/app/api/notes", "/app/app.js"] {
            assert_eq!(browser.fetch(path).await.status(), 401, "{path}");
        }
    }
}
