//! Migration from `HttpAuthentication::basic`: the same application before and after, side by side,
//! with the same unchanged validator.
//!
//! Run `cargo run --example migration`, then open the printed address (alice, password wonderland).
//! Log out of both and go back: only one prompts again. `ADDR` sets the address (default
//! `127.0.0.1:8080`).

use std::{
    env,
    error::Error as StdError,
    io::{self, Write},
};

use actix_basic_logout::{BasicLogin, ConfigError};
use actix_session::{SessionMiddleware, storage::CookieSessionStore};
use actix_web::{
    App, Error, HttpMessage, HttpRequest, HttpResponse, HttpServer, cookie::Key,
    dev::ServiceRequest, error::ErrorUnauthorized, web,
};
use actix_web_httpauth::{extractors::basic::BasicAuth, middleware::HttpAuthentication};

fn before(config: &mut web::ServiceConfig) {
    config.service(
        web::scope("/before")
            .route("/", web::get().to(dashboard))
            .route("/logout", web::post().to(log_out))
            .wrap(HttpAuthentication::basic(validator)),
    );
}

fn realm() -> Result<BasicLogin, ConfigError> {
    BasicLogin::with_validator("After", validator).landing_path("/after/").build()
}

fn after(login: BasicLogin, key: Key) -> impl FnOnce(&mut web::ServiceConfig) {
    move |config| {
        config.service(
            web::scope("/after")
                .route("/", web::get().to(dashboard))
                .route("/logout", web::post().to(login.logout()))
                .wrap(login)
                // Last, because the session encloses the login. Most applications wrap it around
                // `App`.
                .wrap(session(key)),
        );
    }
}

fn session(key: Key) -> SessionMiddleware<CookieSessionStore> {
    SessionMiddleware::builder(CookieSessionStore::default(), key)
        .cookie_secure(false) // only for plain http; remove this line for https
        .build()
}

/// The validator stores this in the request, for the handlers.
#[derive(Clone)]
struct Account {
    name: &'static str,
}

/// The validator, unchanged by the migration.
async fn validator(
    req: ServiceRequest,
    credentials: BasicAuth,
) -> Result<ServiceRequest, (Error, ServiceRequest)> {
    match (credentials.user_id(), credentials.password()) {
        ("alice", Some("wonderland")) => {
            req.extensions_mut().insert(Account { name: "Alice Liddell" });
            Ok(req)
        }
        _ => Err((ErrorUnauthorized("wrong"), req)),
    }
}

/// A handler, unchanged by the migration.
async fn dashboard(req: HttpRequest, account: web::ReqData<Account>) -> web::Html {
    let (path, name) = (req.path(), account.name);
    web::Html::new(format!(include_str!("migration/dashboard.html"), path = path, name = name))
}

/// The logout before the migration: it can only redirect, and the browser keeps the credentials.
async fn log_out() -> web::Redirect {
    web::Redirect::to("/").see_other()
}

async fn home() -> web::Html {
    web::Html::new(include_str!("migration/home.html"))
}

async fn style() -> HttpResponse {
    HttpResponse::Ok().content_type("text/css").body(include_str!("admin/style.css"))
}

fn routes(login: BasicLogin, key: Key) -> impl FnOnce(&mut web::ServiceConfig) {
    move |config| {
        config
            .route("/", web::get().to(home))
            .route("/style.css", web::get().to(style))
            .configure(before)
            .configure(after(login, key));
    }
}

#[actix_web::main]
async fn main() -> Result<(), Box<dyn StdError>> {
    let address = env::var("ADDR").unwrap_or_else(|_| "127.0.0.1:8080".to_owned());
    let (login, key) = (realm()?, Key::generate());
    let server = HttpServer::new(move || App::new().configure(routes(login.clone(), key.clone())))
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
    use actix_basic_logout::test::Browser;
    use actix_web::{
        http::header::{LOCATION, WWW_AUTHENTICATE},
        test,
    };

    use super::*;

    /// A new browser for the application as `main` serves it.
    async fn browser() -> Browser {
        let routes = routes(realm().expect("a realm"), Key::from(&[7; 64]));
        Browser::new(test::init_service(App::new().configure(routes)).await)
    }

    #[actix_web::test]
    async fn validator_works_before_and_after_the_migration() {
        let mut browser = browser().await;
        for path in ["/before/", "/after/"] {
            let welcome = browser.log_in(path, "alice", "wonderland").await;
            assert!(welcome.text().contains("Alice Liddell"), "{}", welcome.text());
            let again = browser.open(path).await;
            assert!(again.text().contains("Alice Liddell"), "{}", again.text());
            browser.forget_credentials();
            browser.user_types("alice", "looking-glass");
            assert_eq!(browser.open(path).await.status(), 401, "{path}");
        }
    }

    #[actix_web::test]
    async fn only_the_migrated_app_prompts_after_logout() {
        let mut browser = browser().await;

        browser.log_in("/before/", "alice", "wonderland").await;
        let out = browser.submit("/before/logout").await;
        assert_eq!(out.header(LOCATION), Some("/"));
        let still = browser.open("/before/").await;
        assert_eq!(still.status(), 200, "the browser still sends the credentials");

        browser.log_in("/after/", "alice", "wonderland").await;
        let out = browser.submit("/after/logout").await;
        assert_eq!((out.status().as_u16(), out.dialogs()), (401, 1));
        let asked = browser.open("/after/").await;
        assert_eq!((asked.status().as_u16(), asked.dialogs()), (401, 1));
        let challenge = "Basic realm=\"After\", charset=\"UTF-8\"";
        assert_eq!(asked.header(WWW_AUTHENTICATE), Some(challenge));
    }
}
