//! Users in a database: `SQLite` through sqlx, with Argon2id hashes.
//!
//! - `cargo run -p database -- add alice` reads a password from standard input, and adds the user
//!   or changes the password.
//! - `cargo run -p database -- remove alice` removes the user.
//! - `cargo run -p database` starts the server. Open the printed address.
//!
//! `DATABASE` sets the file (default `users.db`), and `ADDR` the address (default
//! `127.0.0.1:8080`).

use std::{
    env,
    error::Error as StdError,
    io::{self, Write},
    time::Duration,
};

use actix_basic_logout::{
    Authenticator, BasicLogin, HashLimiter, Throttle, TryLater, User, Verdict,
};
use actix_session::{SessionMiddleware, storage::CookieSessionStore};
use actix_web::{App, Error, HttpRequest, HttpServer, cookie::Key, web};
use actix_web_httpauth::extractors::basic::BasicAuth;
use futures_core::future::LocalBoxFuture;
use sqlx::sqlite::{SqliteConnectOptions, SqlitePool, SqlitePoolOptions};

/// The users in the database.
#[derive(Clone)]
struct Database {
    rows: SqlitePool,
    passwords: HashLimiter,
}

impl Database {
    async fn open(options: SqliteConnectOptions) -> Result<Self, sqlx::Error> {
        let rows = SqlitePoolOptions::new()
            .max_connections(4)
            .connect_with(options.create_if_missing(true))
            .await?;
        // Users may type their user-id in upper or lower case.
        let table = "CREATE TABLE IF NOT EXISTS users \
                     (id TEXT PRIMARY KEY COLLATE NOCASE, hash TEXT NOT NULL)";
        sqlx::query(table).execute(&rows).await?;
        Ok(Self { rows, passwords: HashLimiter::shared() })
    }

    /// Adds a user, or changes a user's password.
    async fn add(&self, user_id: &str, password: &str) -> Result<(), Error> {
        let hash = self.passwords.hash(password).await?;
        // A change of the password keeps the id as it is: logins with the old id would end.
        let insert = "INSERT INTO users (id, hash) VALUES (?, ?) \
                      ON CONFLICT (id) DO UPDATE SET hash = excluded.hash";
        sqlx::query(insert)
            .bind(user_id)
            .bind(hash)
            .execute(&self.rows)
            .await
            .map_err(unavailable)?;
        Ok(())
    }

    /// Removes a user. Returns whether the user existed.
    async fn remove(&self, user_id: &str) -> Result<bool, Error> {
        let removed = sqlx::query("DELETE FROM users WHERE id = ?").bind(user_id);
        Ok(removed.execute(&self.rows).await.map_err(unavailable)?.rows_affected() > 0)
    }

    /// The user's id as it is in the database, and the password hash.
    async fn user(&self, user_id: &str) -> Result<Option<(String, String)>, Error> {
        sqlx::query_as("SELECT id, hash FROM users WHERE id = ?")
            .bind(user_id)
            .fetch_optional(&self.rows)
            .await
            .map_err(unavailable)
    }
}

/// An unavailable database is not a wrong password: the response is 503.
#[expect(clippy::needless_pass_by_value, reason = "the signature that `map_err` needs")]
fn unavailable(error: sqlx::Error) -> Error {
    tracing::error!(%error, "the database is unavailable");
    TryLater::busy(Duration::from_secs(10)).into()
}

impl Authenticator for Database {
    fn authenticate<'a>(
        &'a self,
        _: &'a HttpRequest,
        credentials: &'a BasicAuth,
    ) -> LocalBoxFuture<'a, Result<Verdict, Error>> {
        Box::pin(async move {
            let (id, hash) = self.user(credentials.user_id()).await?.unzip();
            let password = credentials.password().unwrap_or_default();
            // Call `verify` even if there is no such user: it takes the same time, against user
            // enumeration.
            let is_valid = self.passwords.verify(hash.as_deref(), password).await?;
            Ok(verdict(id, is_valid))
        })
    }

    fn reverify<'a>(
        &'a self,
        _: &'a HttpRequest,
        credentials: &'a BasicAuth,
    ) -> LocalBoxFuture<'a, Result<Verdict, Error>> {
        Box::pin(async move {
            let (id, hash) = self.user(credentials.user_id()).await?.unzip();
            let password = credentials.password().unwrap_or_default();
            let is_valid = self.passwords.reverify(hash.as_deref(), password).await?;
            Ok(verdict(id, is_valid))
        })
    }
}

/// Names the user by the id in the database, not as the user typed it: `revoke_user("alice")` must also
/// end a login as `ALICE`.
fn verdict(id: Option<String>, is_valid: bool) -> Verdict {
    match id {
        Some(id) if is_valid => Verdict::valid_as(id),
        _ => Verdict::invalid(),
    }
}

#[actix_web::main]
async fn main() -> Result<(), Box<dyn StdError>> {
    let file = env::var("DATABASE").unwrap_or_else(|_| "users.db".to_owned());
    let database = Database::open(SqliteConnectOptions::new().filename(file)).await?;
    let arguments: Vec<_> = env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [] => serve(database).await,
        ["add", user_id] if user_id.contains(':') => Err("a user-id cannot contain a colon".into()),
        ["add", user_id] => {
            eprintln!("password of {user_id}:");
            let mut password = String::new();
            io::stdin().read_line(&mut password)?;
            match password.trim_end_matches(['\r', '\n']) {
                "" => Err("the password is empty".into()),
                password => Ok(database.add(user_id, password).await?),
            }
        }
        ["remove", user_id] if database.remove(user_id).await? => Ok(()),
        ["remove", user_id] => Err(format!("there is no user {user_id:?}").into()),
        _ => Err("usage: database [add USER | remove USER]".into()),
    }
}

#[expect(clippy::print_stdout, reason = "prints the address")]
async fn serve(database: Database) -> Result<(), Box<dyn StdError>> {
    let address = env::var("ADDR").unwrap_or_else(|_| "127.0.0.1:8080".to_owned());
    let login = BasicLogin::builder("Admin area", Throttle::new(database)).build()?;
    let key = Key::generate();
    let server = HttpServer::new(move || {
        let session = SessionMiddleware::builder(CookieSessionStore::default(), key.clone())
            .cookie_secure(false) // only for plain http; remove this line for https
            .build();
        let home = web::resource("/")
            .wrap(login.clone())
            .get(async |user: User| format!("Signed in as {}\n", user.id()));
        App::new().service(home).route("/logout", web::to(login.logout())).wrap(session)
    })
    .workers(2)
    .bind(address)?;
    for address in server.addrs() {
        println!("http://{address}/");
        io::stdout().flush()?;
    }
    Ok(server.run().await?)
}

#[cfg(test)]
mod tests {
    use actix_web::test::{self, TestRequest};
    use actix_web_httpauth::headers::authorization::{Authorization, Basic};

    use super::*;

    async fn temporary_database() -> (tempfile::TempDir, Database) {
        let directory = tempfile::tempdir().expect("a directory");
        let file = directory.path().join("users.db");
        let database = Database::open(SqliteConnectOptions::new().filename(file)).await;
        (directory, database.expect("a database"))
    }

    async fn accepts(database: &Database, user_id: &str, password: &str) -> bool {
        let req = TestRequest::default().to_http_request();
        let credentials = Basic::new(user_id.to_owned(), Some(password.to_owned())).into();
        let verdict = database.authenticate(&req, &credentials).await.expect("a verdict");
        assert_eq!(database.reverify(&req, &credentials).await.expect("a verdict"), verdict);
        verdict.is_valid()
    }

    #[actix_web::test]
    async fn every_spelling_logs_in_the_same_user() {
        let (_directory, database) = temporary_database().await;
        database.add("alice", "wonderland").await.expect("added");
        let login = BasicLogin::builder("Admin area", database.clone()).build().expect("a realm");
        let id = web::get().to(async |user: User| user.id().to_owned());
        let app = test::init_service(App::new().wrap(login).route("/", id)).await;
        for password in ["wonderland", "looking-glass"] {
            database.add("Alice", password).await.expect("changed");
            for user_id in ["alice", "ALICE"] {
                let credentials = Basic::new(user_id, Some(password));
                let header = Authorization::from(credentials);
                let req = TestRequest::get().insert_header(header).to_request();
                assert_eq!(test::call_and_read_body(&app, req).await, "alice");
            }
        }
    }

    #[actix_web::test]
    async fn users_are_added_changed_and_removed() {
        let (_directory, database) = temporary_database().await;
        assert!(!accepts(&database, "alice", "wonderland").await);
        database.add("alice", "wonderland").await.expect("added");
        assert!(accepts(&database, "alice", "wonderland").await);
        assert!(!accepts(&database, "alice", "looking-glass").await);
        assert!(!accepts(&database, "bob", "wonderland").await);
        database.add("alice", "looking-glass").await.expect("changed");
        assert!(accepts(&database, "alice", "looking-glass").await);
        assert!(!accepts(&database, "alice", "wonderland").await);
        assert!(database.remove("alice").await.expect("an answer"));
        assert!(!database.remove("alice").await.expect("an answer"));
        assert!(!accepts(&database, "alice", "looking-glass").await);
    }

    #[actix_web::test]
    async fn database_stores_hashes_and_no_passwords() {
        let (_directory, database) = temporary_database().await;
        database.add("alice", "wonderland").await.expect("added");
        let (_, hash) = database.user("alice").await.expect("an answer").expect("a row");
        assert!(hash.starts_with("$argon2id$"), "{hash}");
    }

    #[actix_web::test]
    async fn unavailable_database_is_not_a_wrong_password() {
        let (_directory, database) = temporary_database().await;
        let login = BasicLogin::builder("Admin area", database.clone()).build().expect("a realm");
        let app = test::init_service(App::new().wrap(login)).await;
        database.rows.close().await;
        let alice = ("Authorization", "Basic YWxpY2U6eA==");
        let req = TestRequest::get().insert_header(alice).to_request();
        let answer = test::call_service(&app, req).await;
        assert_eq!(answer.status(), 503);
        assert_eq!(answer.headers().get("Retry-After").expect("a header"), "10");
    }
}
