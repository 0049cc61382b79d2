//! Users from an htpasswd file, with failed logins limited and programs remembered.
//!
//! `cargo run --example htpasswd`, then open the address that it prints. `USERS` names the file
//! (default `examples/htpasswd/users.htpasswd`, made by `htpasswd -B -C 12`: alice / wonderland,
//! bob / builder); change it while this runs. `ADDR` says where to listen (default
//! `127.0.0.1:8080`), `RUST_LOG` what is logged.

use std::{
    env,
    error::Error,
    io::{self, Write},
    time::Duration,
};

use actix_basic_logout::{BasicLogin, Remember, Throttle, User, Users};
use actix_session::{SessionMiddleware, storage::CookieSessionStore};
use actix_web::{App, HttpServer, cookie::Key, web};
use tracing_subscriber::EnvFilter;

#[actix_web::main]
#[expect(clippy::print_stdout, reason = "the line that says where it listens")]
async fn main() -> Result<(), Box<dyn Error>> {
    tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::try_from_default_env().unwrap_or_else(|_| "warn".into()))
        .with_writer(io::stderr)
        .init();
    let file = env::var("USERS").unwrap_or_else(|_| "examples/htpasswd/users.htpasswd".to_owned());
    let address = env::var("ADDR").unwrap_or_else(|_| "127.0.0.1:8080".to_owned());

    // The order matters: a program that is remembered is not limited.
    let users = Users::htpasswd(file)?;
    let users = Remember::new(Throttle::new(users), Duration::from_secs(5 * 60));
    let login = BasicLogin::builder("Admin area", users).build()?;

    let key = Key::generate();
    let server = HttpServer::new(move || {
        let session = SessionMiddleware::builder(CookieSessionStore::default(), key.clone())
            .cookie_secure(false) // plain http; leave it out where there is https
            .build();
        App::new()
            .service(web::resource("/").wrap(login.clone()).get(home))
            .route("/logout", web::post().to(login.logout()))
            .wrap(session)
    })
    .workers(2)
    .bind(address)?;
    for address in server.addrs() {
        println!("http://{address}/");
        io::stdout().flush()?;
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
