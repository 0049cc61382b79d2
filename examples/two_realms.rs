//! Two realms on one origin, each with its own users and logout, and a page that shows who is
//! logged in.
//!
//! Run `cargo run --example two_realms`, then open the printed address. `ADDR` sets the address
//! (default `127.0.0.1:8080`).
//!
//! Neither realm is below the other's path: a browser sends the password of `/staff/` to every path
//! below it, and forgets the password if it is refused. Firefox forgets all passwords of an origin
//! at once. After a new challenge for one realm, it prompts once more for the other, whose login is
//! still valid.

use std::{
    env,
    error::Error,
    io::{self, Write},
};

use actix_basic_logout::{BasicLogin, ConfigError, LogoutResponse, LogoutScope, User};
use actix_session::{SessionMiddleware, storage::CookieSessionStore};
use actix_web::{App, HttpRequest, HttpResponse, HttpServer, Responder, cookie::Key, web};
use actix_web_httpauth::extractors::basic::BasicAuth;
use html_escape::encode_double_quoted_attribute as escape;
use serde_json::json;

/// User-ids and passwords. In production, store hashes: see the examples `htpasswd` and `database`.
type UserList = &'static [(&'static str, &'static str)];

const STAFF: UserList = &[("alice", "wonderland"), ("bob", "builder")];
const ADMINS: UserList = &[("root", "toor")];

fn realm(name: &str, landing: &str, users: UserList) -> Result<BasicLogin, ConfigError> {
    let is_user = async move |_: &HttpRequest, it: &BasicAuth| {
        Ok(users.contains(&(it.user_id(), it.password().unwrap_or_default())))
    };
    BasicLogin::builder(name, is_user)
        .landing_path(landing)
        // By default a logout clears the whole session, which would end the other realm's login,
        // too.
        .logout_scope(LogoutScope::Realm)
        .logout_response(LogoutResponse::Redirect("/".to_owned()))
        .build()
}

fn realms() -> Result<[BasicLogin; 2], ConfigError> {
    Ok([realm("Staff", "/staff/", STAFF)?, realm("Admin", "/admin/", ADMINS)?])
}

fn routes([staff, admin]: [BasicLogin; 2]) -> impl FnOnce(&mut web::ServiceConfig) {
    move |config| {
        config
            .route("/", web::get().to(home))
            .route("/style.css", web::get().to(style))
            .route("/who.js", web::get().to(script));
        for (path, login) in [("/staff", staff), ("/admin", admin)] {
            let scope = web::scope(path)
                .wrap(login.clone())
                .route("/", web::get().to(inside))
                .route("/whoami", web::get().to(whoami))
                // Below its realm's path, the logout gets that realm's credentials, not the
                // other's.
                .route("/logout", web::post().to(login.logout()));
            config.service(scope);
        }
    }
}

/// The public page. Its script requests the current user of each realm.
async fn home() -> web::Html {
    web::Html::new(include_str!("two_realms/home.html"))
}

/// One handler for both realms: `User` has the name of the realm.
async fn inside(user: User) -> web::Html {
    let (realm, user) = (escape(user.realm()), escape(user.id()));
    web::Html::new(format!(include_str!("two_realms/inside.html"), realm = realm, user = user))
}

async fn whoami(user: User) -> impl Responder {
    web::Json(json!({ "user": user.id() }))
}

async fn style() -> HttpResponse {
    HttpResponse::Ok().content_type("text/css").body(include_str!("admin/style.css"))
}

async fn script() -> HttpResponse {
    HttpResponse::Ok().content_type("text/javascript").body(include_str!("two_realms/who.js"))
}

/// One session for both realms. Each realm has its own entry in it.
fn session(key: &Key) -> SessionMiddleware<CookieSessionStore> {
    SessionMiddleware::builder(CookieSessionStore::default(), key.clone())
        .cookie_secure(false) // only for plain http; remove this line for https
        .build()
}

#[actix_web::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let address = env::var("ADDR").unwrap_or_else(|_| "127.0.0.1:8080".to_owned());
    let (realms, key) = (realms()?, Key::generate());
    let server =
        HttpServer::new(move || App::new().configure(routes(realms.clone())).wrap(session(&key)))
            .workers(2)
            .bind(address)?;
    let mut output = io::stdout();
    for address in server.addrs() {
        writeln!(output, "http://{address}/  Staff: alice / wonderland  Admin: root / toor")?;
    }
    Ok(server.run().await?)
}

#[cfg(test)]
mod tests {
    use actix_basic_logout::test::Browser;
    use actix_web::{
        http::header::{LOCATION, WWW_AUTHENTICATE},
        test,
    };

    use super::*;

    /// A new browser for the application as `main` serves it.
    async fn browser() -> Browser {
        let app = App::new().configure(routes(realms().expect("realms")));
        Browser::new(test::init_service(app.wrap(session(&Key::from(&[7; 64])))).await)
    }

    #[actix_web::test]
    async fn login_to_one_realm_is_not_valid_in_the_other() {
        let mut browser = browser().await;
        let staff = browser.log_in("/staff/", "alice", "wonderland").await;
        let text = staff.text();
        assert!(text.contains("Staff") && text.contains("alice"), "{text}");

        let admin = browser.open("/admin/").await;
        assert_eq!((admin.status().as_u16(), admin.dialogs()), (401, 1));
        let challenge = "Basic realm=\"Admin\", charset=\"UTF-8\"";
        assert_eq!(admin.header(WWW_AUTHENTICATE), Some(challenge));
        browser.user_types("alice", "wonderland");
        assert_eq!(browser.open("/admin/").await.status(), 401);
        let staff = browser.open("/staff/").await;
        assert_eq!((staff.status().as_u16(), staff.dialogs()), (200, 0), "still logged in");
        browser.log_in("/admin/", "root", "toor").await;
    }

    #[actix_web::test]
    async fn logout_of_one_realm_keeps_the_other() {
        for (left, kept, kept_user) in [("/staff", "/admin", "root"), ("/admin", "/staff", "alice")]
        {
            let mut browser = browser().await;
            browser.log_in("/staff/", "alice", "wonderland").await;
            browser.log_in("/admin/", "root", "toor").await;

            let out = browser.submit(&format!("{left}/logout")).await;
            assert_eq!((out.status().as_u16(), out.header(LOCATION)), (303, Some("/")));

            // The request of the home page's script.
            let gone = browser.fetch(&format!("{left}/whoami")).await;
            assert_eq!((gone.status().as_u16(), gone.dialogs()), (401, 0));
            assert!(gone.sent_credentials());
            let challenge = gone.header(WWW_AUTHENTICATE).expect("a challenge");
            assert!(challenge.starts_with("xBasic "), "{challenge}");
            let there = browser.fetch(&format!("{kept}/whoami")).await;
            assert_eq!(there.text(), json!({ "user": kept_user }).to_string());
        }
    }

    #[actix_web::test]
    async fn public_page_shows_the_users_of_both_realms() {
        let mut browser = browser().await;
        for path in ["/", "/who.js", "/style.css"] {
            assert_eq!(browser.open(path).await.status(), 200, "{path}");
        }
        for path in ["/staff/whoami", "/admin/whoami"] {
            assert_eq!(browser.fetch(path).await.status(), 401, "{path}");
        }
    }
}
