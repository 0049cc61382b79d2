//! An admin area behind HTTP Basic authentication, with a logout that works.
//!
//! Run `cargo run --example admin`, then open the printed address. These environment variables
//! configure it:
//!
//! - `ADDR`: the address to listen on. Default: `127.0.0.1:8080`.
//! - `LOGOUT`: the response to a logout: `challenge`, `page` or `redirect`. Default: `challenge`.
//! - `LOGIN_SECONDS`: the absolute timeout of a login. Default: none.
//! - `IDLE_SECONDS`: the idle timeout of a login. Default: 30 days.
//! - `RUST_LOG`: the log levels, for example `actix_basic_logout=debug`. Default: `error`.
//! - `SESSIONS`: a Redis server for sessions and revoked logins, such as
//!   `redis://127.0.0.1:6379`. Default: sessions in cookies, and revoked logins in memory.
//! - `SECRET`: the key of sessions and fingerprints, 64 bytes or more in hex. Default: random.
//!
//! Several instances with the same `SESSIONS` and `SECRET` share their logins:
//!
//! ```sh
//! export SESSIONS=redis://127.0.0.1:6379 SECRET=$(openssl rand -hex 64)
//! ADDR=127.0.0.1:8080 cargo run --example admin & ADDR=127.0.0.1:8081 cargo run --example admin
//! ```

use std::{
    env,
    io::{self, Write},
    net::SocketAddr,
    process::ExitCode,
    time::Duration,
};

use actix_basic_logout::{
    AnonymousTtl, BasicLogin, LogoutResponse, RedisRevocationStore, RevocationError, User,
    session_store_errors,
};
use actix_session::{
    SessionMiddleware,
    storage::{CookieSessionStore, RedisSessionStore, SessionStore},
};
use actix_web::{
    App, HttpRequest, HttpResponse, HttpServer, Responder, cookie::Key, middleware::from_fn, web,
};
use actix_web_httpauth::extractors::basic::BasicAuth;
use deadpool_redis::{PoolConfig, Runtime, Timeouts};
use html_escape::encode_double_quoted_attribute as escape;
use serde_json::json;
use tracing_subscriber::{
    filter::{LevelFilter, Targets},
    layer::SubscriberExt,
    util::SubscriberInitExt,
};

#[actix_web::main]
async fn main() -> ExitCode {
    match serve().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("admin: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn serve() -> Result<(), String> {
    let levels = variable("RUST_LOG", Targets::new().with_default(LevelFilter::ERROR), |value| {
        value.parse().map_err(|_| "log levels, such as info or actix_basic_logout=debug")
    })?;
    let log = tracing_subscriber::fmt::layer().with_writer(io::stderr);
    tracing_subscriber::registry().with(log).with(levels).init();
    let address: SocketAddr =
        variable("ADDR", SocketAddr::from(([127, 0, 0, 1], 8080)), |value| {
            value.parse().map_err(|_| "an address and a port, such as 127.0.0.1:8080")
        })?;
    let answer = variable("LOGOUT", LogoutResponse::Challenge, |value| match value {
        "challenge" => Ok(LogoutResponse::Challenge),
        "page" => Ok(LogoutResponse::Page),
        "redirect" => Ok(LogoutResponse::Redirect("/".to_owned())),
        _ => Err("challenge, page or redirect"),
    })?;
    let (login_seconds, idle_seconds) = (seconds("LOGIN_SECONDS")?, seconds("IDLE_SECONDS")?);
    let secret = variable("SECRET", None, |value| {
        bytes(value).filter(|it| it.len() >= 64).map(Some).ok_or("64 bytes or more, in hex")
    })?;
    let mut login =
        BasicLogin::builder("Admin area", is_user).landing_path("/admin/").logout_response(answer);
    if let Some(after) = login_seconds {
        login = login.login_deadline(after);
    }
    if let Some(after) = idle_seconds {
        login = login.visit_deadline(after);
    }
    let redis = variable("SESSIONS", None, |value| {
        value.starts_with("redis://").then(|| Some(value.to_owned())).ok_or("redis://host:port")
    })?;
    let redis = match redis {
        None => None,
        Some(url) => {
            let (sessions, revocations) =
                connect(&url).await.map_err(|it| format!("SESSIONS: {it}"))?;
            login = login.revocation_store(revocations);
            Some(sessions)
        }
    };
    let mut key = Key::generate();
    if let Some(secret) = secret {
        key = Key::from(&secret);
        login = login.fingerprint_key(secret);
    }
    let login = login.build().map_err(|error| error.to_string())?;
    match redis {
        // Otherwise a flood of visitors without a login fills Redis with sessions that last a day.
        Some(store) => listen(address, login, key, move || AnonymousTtl::new(store.clone())).await,
        None => listen(address, login, key, CookieSessionStore::default).await,
    }
}

#[expect(clippy::print_stdout, reason = "prints the address")]
async fn listen<S: SessionStore + 'static>(
    address: SocketAddr,
    login: BasicLogin,
    key: Key,
    store: impl Fn() -> S + Clone + Send + 'static,
) -> Result<(), String> {
    let server = HttpServer::new(move || {
        let admin = web::scope("/admin")
            .wrap(login.clone())
            .route("/style.css", web::get().to(style))
            .route("/app.js", web::get().to(script))
            .route("/logo.svg", web::get().to(logo))
            .route("/api/whoami", web::get().to(whoami))
            .route("/logout", web::get().to(login.logout()))
            .route("/logout", web::post().to(login.logout()))
            .route("/everywhere", web::post().to(log_out_everywhere))
            .default_service(web::to(dashboard));
        // The session middleware wraps the whole application, and so encloses the login.
        let session = SessionMiddleware::builder(store(), key.clone())
            .cookie_secure(false) // only for plain http; remove this line for https
            .build();
        App::new()
            .app_data(web::ThinData(login.clone()))
            .route("/", web::get().to(home))
            .route("/style.css", web::get().to(style))
            .service(admin)
            .route("/logout", web::get().to(login.logout()))
            .route("/logout", web::post().to(login.logout()))
            .wrap(session)
            .wrap(from_fn(session_store_errors))
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

/// Connects to Redis, for sessions and revoked logins. The pool gives up on a connection after two
/// seconds, so that requests do not hang while Redis is unavailable.
async fn connect(
    url: &str,
) -> Result<(RedisSessionStore, RedisRevocationStore), Box<dyn std::error::Error>> {
    let revocations = RedisRevocationStore::new(url).await?;
    let timeout = Some(Duration::from_secs(2));
    let timeouts = Timeouts { wait: timeout, create: timeout, recycle: timeout };
    let mut config = deadpool_redis::Config::from_url(url);
    config.pool = Some(PoolConfig { timeouts, ..PoolConfig::default() });
    let pool = config.create_pool(Some(Runtime::Tokio1))?;
    Ok((RedisSessionStore::builder_pooled(pool).build().await?, revocations))
}

/// Reads an environment variable. An error names the variable and the expected value.
fn variable<T>(
    name: &str,
    default: T,
    parse: impl FnOnce(&str) -> Result<T, &'static str>,
) -> Result<T, String> {
    match env::var(name) {
        Ok(value) => parse(&value).map_err(|expected| {
            // A secret must not be printed, and a URL may contain a password.
            let is_secret = ["SECRET", "SESSIONS"].contains(&name);
            let value = if is_secret { "...".to_owned() } else { format!("{value:?}") };
            format!("{name}={value} is invalid: expected {expected}")
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

/// Decodes hexadecimal digits.
fn bytes(hex: &str) -> Option<Vec<u8>> {
    let digits: Option<Vec<_>> = hex.chars().map(|it| it.to_digit(16)).collect();
    let (pairs, []) = digits.as_deref()?.as_chunks() else { return None };
    pairs.iter().map(|[high, low]| u8::try_from(high * 16 + low).ok()).collect()
}

/// The authenticator. In production, compare hashes: see the examples `htpasswd` and `database`.
async fn is_user(_: &HttpRequest, credentials: &BasicAuth) -> Result<bool, actix_web::Error> {
    let users = [("alice", "wonderland"), ("bob", "builder")];
    Ok(users.contains(&(credentials.user_id(), credentials.password().unwrap_or_default())))
}

async fn home() -> impl Responder {
    asset("text/html; charset=utf-8", include_str!("admin/home.html"))
}

async fn dashboard(req: HttpRequest, user: User) -> impl Responder {
    let minutes = user.logged_in_at().elapsed().unwrap_or_default().as_secs() / 60;
    let body = include_str!("admin/dashboard.html")
        .replace("{user}", &escape(user.id()))
        .replace("{since}", &format!("{minutes} min"))
        .replace("{path}", &escape(req.path()));
    HttpResponse::Ok().content_type("text/html; charset=utf-8").body(body)
}

/// Revokes all logins of this user, in every browser.
async fn log_out_everywhere(
    web::ThinData(login): web::ThinData<BasicLogin>,
    user: User,
) -> Result<impl Responder, RevocationError> {
    login.revoke_user(user.id()).await?;
    Ok(web::Redirect::to("/admin/").see_other())
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
