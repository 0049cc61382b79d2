//! An admin area behind HTTP Basic authentication, with a log-out that works.
//!
//! `cargo run --example admin`, then open the address that it prints. `ADDR` says where to listen
//! (default `127.0.0.1:8080`), `LOGOUT` how log-out answers (`challenge`, `page` or `redirect`),
//! `LOGIN_SECONDS` and `IDLE_SECONDS` when a login ends by itself (default: never), `SECRET` the key
//! of sessions and fingerprints (64 bytes or more, hex; default: drawn at the start), `RUST_LOG` what
//! is logged (try `actix_basic_logout=debug`).

use std::{
    env,
    io::{self, Write},
    net::SocketAddr,
    process::ExitCode,
    time::Duration,
};

use actix_basic_logout::{BasicLogin, LogoutAnswer, User};
use actix_session::{SessionMiddleware, storage::CookieSessionStore};
use actix_web::{App, HttpRequest, HttpResponse, HttpServer, Responder, cookie::Key, web};
use actix_web_httpauth::extractors::basic::BasicAuth;
use serde_json::json;
use tracing_subscriber::EnvFilter;

#[actix_web::main]
async fn main() -> ExitCode {
    tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::from_default_env())
        .with_writer(io::stderr)
        .init();
    match serve().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("admin: {error}");
            ExitCode::FAILURE
        }
    }
}

#[expect(clippy::print_stdout, reason = "the line that says where it listens")]
async fn serve() -> Result<(), String> {
    let address: SocketAddr =
        variable("ADDR", SocketAddr::from(([127, 0, 0, 1], 8080)), |value| {
            value.parse().map_err(|_| "an address and a port, such as 127.0.0.1:8080")
        })?;
    let answer = variable("LOGOUT", LogoutAnswer::Challenge, |value| match value {
        "challenge" => Ok(LogoutAnswer::Challenge),
        "page" => Ok(LogoutAnswer::Page),
        "redirect" => Ok(LogoutAnswer::Redirect("/".to_owned())),
        _ => Err("challenge, page or redirect"),
    })?;
    let (login_seconds, idle_seconds) = (seconds("LOGIN_SECONDS")?, seconds("IDLE_SECONDS")?);
    let secret = variable("SECRET", None, |value| {
        bytes(value).filter(|it| it.len() >= 64).map(Some).ok_or("64 bytes or more, in hex")
    })?;
    let mut login =
        BasicLogin::builder("Admin area", is_user).landing("/admin/").logout_answer(answer);
    if let Some(after) = login_seconds {
        login = login.login_deadline(after);
    }
    if let Some(after) = idle_seconds {
        login = login.visit_deadline(after);
    }
    let mut key = Key::generate();
    if let Some(secret) = secret {
        key = Key::from(&secret);
        login = login.fingerprint_key(secret);
    }
    let login = login.build().map_err(|error| error.to_string())?;

    let server = HttpServer::new(move || {
        let admin = web::scope("/admin")
            .wrap(login.clone())
            .route("/style.css", web::get().to(style))
            .route("/app.js", web::get().to(script))
            .route("/logo.svg", web::get().to(logo))
            .route("/api/whoami", web::get().to(whoami))
            .route("/logout", web::get().to(login.logout()))
            .route("/logout", web::post().to(login.logout()))
            .default_service(web::to(dashboard));
        // The session goes around everything, so its `.wrap` comes last.
        let session = SessionMiddleware::builder(CookieSessionStore::default(), key.clone())
            .cookie_secure(false) // plain http; leave it out where there is https
            .build();
        App::new()
            .route("/", web::get().to(home))
            .route("/style.css", web::get().to(style))
            .service(admin)
            .route("/logout", web::get().to(login.logout()))
            .route("/logout", web::post().to(login.logout()))
            .wrap(session)
    })
    .workers(2)
    .bind(address)
    .map_err(|error| format!("cannot listen on ADDR={address}: {error}"))?;

    if let Some(address) = server.addrs().first() {
        println!("http://{address}/  users: alice / wonderland, bob / builder");
        io::stdout().flush().map_err(|error| error.to_string())?;
    }
    server.run().await.map_err(|error| error.to_string())
}

/// An environment variable, or an error that says which and why.
fn variable<T>(
    name: &str,
    default: T,
    parse: impl FnOnce(&str) -> Result<T, &'static str>,
) -> Result<T, String> {
    match env::var(name) {
        Ok(value) => parse(&value).map_err(|expected| {
            // What was meant for a secret stays one.
            let value = if name == "SECRET" { "...".to_owned() } else { format!("{value:?}") };
            format!("{name}={value} makes no sense: it takes {expected}")
        }),
        Err(env::VarError::NotPresent) => Ok(default),
        Err(env::VarError::NotUnicode(_)) => Err(format!("{name} is not UTF-8")),
    }
}

fn seconds(name: &str) -> Result<Option<Duration>, String> {
    variable(name, None, |value| {
        let seconds = value.parse().ok().filter(|it| *it > 0);
        seconds.map(|it| Some(Duration::from_secs(it))).ok_or("a number of seconds, 1 or more")
    })
}

/// What hexadecimal digits stand for.
fn bytes(hex: &str) -> Option<Vec<u8>> {
    let digits: Option<Vec<_>> = hex.chars().map(|it| it.to_digit(16)).collect();
    let (pairs, []) = digits.as_deref()?.as_chunks() else { return None };
    pairs.iter().map(|[high, low]| u8::try_from(high * 16 + low).ok()).collect()
}

/// The authenticator. A real one would compare hashes.
async fn is_user(_: &HttpRequest, credentials: &BasicAuth) -> Result<bool, actix_web::Error> {
    let users = [("alice", "wonderland"), ("bob", "builder")];
    Ok(users.contains(&(credentials.user_id(), credentials.password().unwrap_or_default())))
}

async fn home() -> impl Responder {
    asset("text/html; charset=utf-8", include_str!("admin/home.html"))
}

async fn dashboard(req: HttpRequest, user: User) -> impl Responder {
    let minutes = user.since().elapsed().unwrap_or_default().as_secs() / 60;
    let body = include_str!("admin/dashboard.html")
        .replace("{user}", &escape(user.id()))
        .replace("{since}", &format!("{minutes} min"))
        .replace("{path}", &escape(req.path()));
    HttpResponse::Ok().content_type("text/html; charset=utf-8").body(body)
}

async fn whoami(user: User) -> impl Responder {
    web::Json(json!({ "user": user.id() }))
}

async fn style() -> impl Responder {
    asset("text/css", include_str!("admin/style.css"))
}

async fn script() -> impl Responder {
    asset("text/javascript", include_str!("admin/app.js"))
}

async fn logo() -> impl Responder {
    asset("image/svg+xml", include_str!("admin/logo.svg"))
}

fn asset(content_type: &str, body: &'static str) -> HttpResponse {
    HttpResponse::Ok().content_type(content_type).body(body)
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
