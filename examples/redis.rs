//! Two instances of one application that share sessions and revoked logins in Redis: a logout on
//! one counts on the other.
//!
//! Run `cargo run --example redis` with a Redis server at `REDIS_URL` (default
//! `redis://127.0.0.1:6379`). Open both printed addresses and log in as alice with the password
//! wonderland. `ADDR` sets the addresses (default `127.0.0.1:8080 127.0.0.1:8081`).
//!
//! Both instances run in one process, so that one command starts them. They share only the key and
//! the data in Redis. On separate machines the key comes from the configuration, as in the example
//! `admin`. Browsers keep passwords for each port, so each address prompts once here. Behind one
//! host name, one prompt serves both.

use std::{
    env,
    error::Error,
    io::{self, Write},
    process::ExitCode,
    time::Duration,
};

use actix_basic_logout::{
    AnonymousTtl, BasicLogin, RedisRevocationStore, User, session_store_errors,
};
use actix_session::{SessionMiddleware, storage::RedisSessionStore};
use actix_web::{
    App, HttpRequest, HttpResponse, HttpServer, cookie::Key, middleware::from_fn, web,
};
use actix_web_httpauth::extractors::basic::BasicAuth;
use deadpool_redis::{PoolConfig, Runtime, Timeouts};
use futures_util::future::try_join_all;

const LOCAL_REDIS: &str = "redis://127.0.0.1:6379";

/// The configuration of an instance. Instances with the same key and the same Redis share their
/// logins.
#[derive(Clone)]
struct Instance {
    login: BasicLogin,
    sessions: RedisSessionStore,
    key: Key,
}

impl Instance {
    async fn connect(redis: &str, key: &Key) -> Result<Self, Box<dyn Error>> {
        let revocations = RedisRevocationStore::new(redis).await.map_err(|error| {
            format!(
                "{error}\nStart a Redis server with `redis-server`, or set REDIS_URL to one \
                 (default {LOCAL_REDIS})."
            )
        })?;
        let is_user = async |_: &HttpRequest, it: &BasicAuth| {
            Ok(it.user_id() == "alice" && it.password() == Some("wonderland"))
        };
        let login = BasicLogin::builder("Admin area", is_user)
            .landing_path("/admin/")
            .revocation_store(revocations)
            // With different keys, each instance would verify the password of each login once more.
            .fingerprint_key(key.master())
            .build()?;
        Ok(Self { login, sessions: session_store(redis).await?, key: key.clone() })
    }

    fn session(&self) -> SessionMiddleware<AnonymousTtl<RedisSessionStore>> {
        // Otherwise a flood of visitors without a login fills Redis with sessions that last a day.
        let sessions = AnonymousTtl::new(self.sessions.clone());
        SessionMiddleware::builder(sessions, self.key.clone())
            .cookie_secure(false) // only for plain http; remove this line for https
            .build()
    }
}

/// Connects to Redis. The pool gives up on a connection after two seconds, so that requests do not
/// hang while Redis is unavailable.
async fn session_store(redis: &str) -> Result<RedisSessionStore, Box<dyn Error>> {
    let timeout = Some(Duration::from_secs(2));
    let timeouts = Timeouts { wait: timeout, create: timeout, recycle: timeout };
    let mut config = deadpool_redis::Config::from_url(redis);
    config.pool = Some(PoolConfig { timeouts, ..PoolConfig::default() });
    let pool = config.create_pool(Some(Runtime::Tokio1))?;
    Ok(RedisSessionStore::builder_pooled(pool).build().await?)
}

fn routes(login: BasicLogin) -> impl FnOnce(&mut web::ServiceConfig) {
    move |config| {
        config
            .service(web::redirect("/", "/admin/"))
            .route("/style.css", web::get().to(style))
            .service(web::scope("/admin").wrap(login.clone()).route("/", web::get().to(page)))
            .route("/logout", web::post().to(login.logout()));
    }
}

async fn page(req: HttpRequest, user: User) -> web::Html {
    let user = user.id().replace('&', "&amp;").replace('<', "&lt;");
    let instance = req.app_config().local_addr();
    web::Html::new(format!(include_str!("redis/page.html"), instance = instance, user = user))
}

async fn style() -> HttpResponse {
    HttpResponse::Ok().content_type("text/css").body(include_str!("admin/style.css"))
}

async fn serve() -> Result<(), Box<dyn Error>> {
    let redis = env::var("REDIS_URL").unwrap_or_else(|_| LOCAL_REDIS.to_owned());
    let addresses = env::var("ADDR").unwrap_or_else(|_| "127.0.0.1:8080 127.0.0.1:8081".to_owned());
    let key = Key::generate();
    let mut output = io::stdout();
    let mut servers = Vec::new();
    for address in addresses.split_whitespace() {
        let instance = Instance::connect(&redis, &key).await?;
        let server = HttpServer::new(move || {
            App::new()
                .configure(routes(instance.login.clone()))
                .wrap(instance.session())
                // While Redis is unavailable, the response is 503 and no prompt opens.
                .wrap(from_fn(session_store_errors))
        })
        .workers(1)
        .bind(address)?;
        for address in server.addrs() {
            writeln!(output, "http://{address}/  user: alice / wonderland")?;
        }
        servers.push(server.run());
    }
    try_join_all(servers).await?;
    Ok(())
}

#[actix_web::main]
async fn main() -> ExitCode {
    match serve().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("redis: {error}");
            ExitCode::FAILURE
        }
    }
}
