//! Users from an htpasswd file, with a rate limit for failed logins and a cache for non-browser
//! clients.
//!
//! Run `cargo run --example htpasswd`, then open the printed address. `USERS` sets the file
//! (default `examples/htpasswd/users.htpasswd`, made by `htpasswd -B -C 12`: alice / wonderland and
//! bob / builder). You can change the file while the example runs. `ADDR` sets the address (default
//! `127.0.0.1:8080`), and `RUST_LOG` the log levels (default `warn`).

use std::{
    env,
    error::Error,
    io::{self, Write},
    path::Path,
    time::Duration,
};

use actix_basic_logout::{BasicLogin, CredentialCache, Throttle, User, Users};
use actix_session::{SessionMiddleware, storage::CookieSessionStore};
use actix_web::{App, HttpServer, cookie::Key, web};
use tracing_subscriber::{filter::Targets, layer::SubscriberExt, util::SubscriberInitExt};

fn realm(file: impl AsRef<Path>) -> Result<BasicLogin, Box<dyn Error>> {
    // The order matters: outside, the cache would cache nothing.
    let users = CredentialCache::new(Users::htpasswd(file)?, Duration::from_secs(5 * 60));
    let users = Throttle::new(users);
    Ok(BasicLogin::builder("Admin area", users).build()?)
}

fn routes(login: BasicLogin) -> impl FnOnce(&mut web::ServiceConfig) {
    move |config| {
        config
            .service(web::resource("/").wrap(login.clone()).get(home))
            .route("/logout", web::post().to(login.logout()));
    }
}

fn session(key: &Key) -> SessionMiddleware<CookieSessionStore> {
    SessionMiddleware::builder(CookieSessionStore::default(), key.clone())
        .cookie_secure(false) // only for plain http; remove this line for https
        .build()
}

#[actix_web::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let levels: Targets = env::var("RUST_LOG").unwrap_or_else(|_| "warn".to_owned()).parse()?;
    let log = tracing_subscriber::fmt::layer().with_writer(io::stderr);
    tracing_subscriber::registry().with(log).with(levels).init();
    let file = env::var("USERS").unwrap_or_else(|_| "examples/htpasswd/users.htpasswd".to_owned());
    let address = env::var("ADDR").unwrap_or_else(|_| "127.0.0.1:8080".to_owned());
    let (login, key) = (realm(file)?, Key::generate());
    let server =
        HttpServer::new(move || App::new().configure(routes(login.clone())).wrap(session(&key)))
            .workers(2)
            .bind(address)?;
    let mut output = io::stdout();
    for address in server.addrs() {
        writeln!(output, "http://{address}/  users: alice / wonderland, bob / builder")?;
    }
    Ok(server.run().await?)
}

async fn home(user: User) -> web::Html {
    let name = user.id().replace('&', "&amp;").replace('<', "&lt;");
    web::Html::new(format!(
        "<!DOCTYPE html><title>Admin area</title><h1>Signed in as {name}</h1>\
         <form method=post action=/logout><button>Log out</button></form>"
    ))
}

#[cfg(test)]
mod tests {
    use std::{fs, path::PathBuf};

    use actix_basic_logout::test::Browser;
    use actix_web::{
        http::header::RETRY_AFTER,
        test::{self, TestRequest},
    };
    use actix_web_httpauth::headers::authorization::{Authorization, Basic};

    use super::*;

    /// `wonderland`, at the least cost.
    const QUICK: &str = "$2y$04$qqxtSNcE5L3nZxkNayxMDOGS1/Xpv5quGRK8y21J1utjVbTHTJ5Au";

    /// A new browser for the application as `main` serves it.
    async fn at(file: &Path) -> Browser {
        let app = App::new().configure(routes(realm(file).expect("users")));
        Browser::new(test::init_service(app.wrap(session(&Key::from(&[7; 64])))).await)
    }

    /// The request of `curl --user`.
    fn curl(user_id: &'static str, password: &'static str) -> TestRequest {
        let credentials = Authorization::from(Basic::new(user_id, Some(password)));
        TestRequest::with_uri("/").insert_header(credentials)
    }

    fn file_of(users: &str) -> (tempfile::TempDir, PathBuf) {
        let directory = tempfile::tempdir().expect("a directory");
        let file = directory.path().join("users.htpasswd");
        fs::write(&file, users).expect("written");
        (directory, file)
    }

    #[actix_web::test]
    async fn users_of_the_file_log_in_and_out() {
        let file = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/htpasswd/users.htpasswd");
        let mut browser = at(Path::new(file)).await;
        let welcome = browser.log_in("/", "alice", "wonderland").await;
        assert!(welcome.text().contains("Signed in as alice"), "{}", welcome.text());
        assert_eq!(browser.submit("/logout").await.status(), 401);
        assert_eq!(browser.open("/").await.status(), 401);
    }

    #[actix_web::test]
    async fn changed_file_takes_effect_at_run_time() {
        let (_directory, file) = file_of(&format!("alice:{QUICK}\n"));
        at(&file).await.log_in("/", "alice", "wonderland").await;
        let mut browser = at(&file).await;
        fs::write(&file, format!("carol:{QUICK}\n")).expect("written");
        browser.log_in("/", "carol", "wonderland").await;
        let refused = browser.send_as_non_browser(curl("alice", "wonderland")).await;
        assert_eq!(refused.status(), 401);
    }

    #[actix_web::test]
    async fn password_guessing_is_limited() {
        let (_directory, file) = file_of(&format!("alice:{QUICK}\n"));
        let browser = at(&file).await;
        let mut answers = Vec::new();
        for guess in ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l"] {
            let answer = browser.send_as_non_browser(curl("alice", guess)).await;
            answers.push((answer.status().as_u16(), answer.header(RETRY_AFTER).is_some()));
        }
        assert_eq!((answers[0], answers[11]), ((401, false), (429, true)));
    }
}
