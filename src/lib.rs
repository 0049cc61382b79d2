//! HTTP Basic authentication for actix-web that can log out.
//!
//! A middleware, [`BasicLogin`], that guards an `App`, a scope or a resource by HTTP Basic
//! authentication ([RFC 7617](https://www.rfc-editor.org/rfc/rfc7617)), a handler that
//! [logs out](BasicLogin::logout), and an extractor, [`User`], that says who is there. It reads
//! credentials into the types of [actix-web-httpauth](actix_web_httpauth) and keeps one small entry
//! per realm in the session of [actix-session](actix_session).
//!
//! # The problem
//!
//! A browser that has once logged in by Basic sends the credentials with every request from then
//! on, and HTTP has no header that tells it to stop. So the "log out" link of an application behind
//! `HttpAuthentication::basic` does nothing: the next click is logged in again.
//!
//! # How it works
//!
//! 1. The credentials alone do not let a browser in. The session has to say that they were *typed*:
//!    that the browser was challenged, held none, and came back with some.
//! 2. Logging out takes that note away, renews the session's key and ends the login's id, so that
//!    requests that are still on their way, in any tab, bring nobody back.
//! 3. A challenge in answer to the old credentials makes the browser forget them. What it sends
//!    next was typed.
//! 4. While somebody is logged in, requests pass without asking the authenticator and without
//!    writing the session: a hash is computed at the login, not on every request.
//! 5. Background requests (`fetch`, images, `WebSocket`) are refused without a dialog. It opens
//!    over a page that somebody is opening.
//! 6. Programs, such as `curl -u`, know nothing of all this: they get plain, stateless Basic, and
//!    leave no session behind.
//!
//! What the session knows of a realm, and what leads from one state to another:
//!
#![doc = include_str!("guide/states.svg")]
//!
//! # Quick start
//!
//! ```
//! use actix_basic_logout::{BasicLogin, User};
//! use actix_session::{SessionMiddleware, storage::CookieSessionStore};
//! use actix_web::{App, Error, HttpRequest, cookie::Key, test, web};
//! use actix_web_httpauth::extractors::basic::BasicAuth;
//!
//! async fn users(_: &HttpRequest, credentials: &BasicAuth) -> Result<bool, Error> {
//!     Ok(credentials.user_id() == "alice" && credentials.password() == Some("wonderland"))
//! }
//!
//! async fn dashboard(user: User) -> String {
//!     format!("Hello, {}", user.id())
//! }
//!
//! # actix_web::rt::System::new().block_on(async {
//! let login = BasicLogin::builder("Admin area", users).landing_path("/admin/").build()?;
//! let app = App::new()
//!     .service(web::scope("/admin").wrap(login.clone()).route("/", web::get().to(dashboard)))
//!     .route("/logout", web::post().to(login.logout()))
//!     .wrap(SessionMiddleware::new(CookieSessionStore::default(), Key::generate()));
//!
//! let app = test::init_service(app).await;
//! let page = || test::TestRequest::with_uri("/admin/");
//! let refused = test::call_service(&app, page().to_request()).await;
//! assert_eq!(refused.status(), 401);
//! assert_eq!(
//!     refused.headers().get("WWW-Authenticate").unwrap(),
//!     "Basic realm=\"Admin area\", charset=\"UTF-8\""
//! );
//! let alice = page().insert_header(("Authorization", "Basic YWxpY2U6d29uZGVybGFuZA=="));
//! let body = test::call_and_read_body(&app, alice.to_request()).await;
//! assert_eq!(body, "Hello, alice");
//! # Ok::<(), actix_basic_logout::ConfigError>(())
//! # }).unwrap();
//! ```
//!
//! Validators that were written for `HttpAuthentication::basic` work unchanged:
//! [`BasicLogin::with_validator`].
//!
//! # Passwords
//!
//! Any closure is an [`Authenticator`]. The ready-made ones nest; each is a feature of this crate,
//! and none is on by default:
//!
//! - `users`: [`Users`] with hashed passwords, or passwords in the clear, from an htpasswd file, an
//!   environment variable or the code. Hashes are computed on a [`HashLimiter`], never on a worker.
//!   Nobody can tell an unknown user from a wrong password, by the answer or by its time.
//! - `throttle`: [`Throttle`] limits failed logins for each user-id and each address. Who is logged
//!   in is never limited.
//! - `cache`: [`CredentialCache`] keeps good credentials in mind for a while, so that programs, which
//!   come without a session, do not cost a hash with each request.
//!
//! ```no_run
//! # #[cfg(all(feature = "users", feature = "throttle", feature = "cache"))]
//! # {
//! use std::time::Duration;
//! use actix_basic_logout::{BasicLogin, CredentialCache, Throttle, Users};
//!
//! let users = Throttle::new(Users::htpasswd("users.htpasswd")?);
//! let users = CredentialCache::new(users, Duration::from_secs(5 * 60));
//! let login = BasicLogin::builder("Admin area", users).build()?;
//! # }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! When a password is changed or a user removed, a login ends at its next verification, at the latest
//! [`reverify_after`](BasicLoginBuilder::reverify_after) after the one before. For that to be now, call
//! [`revoke_user`](BasicLogin::revoke_user) as well.
//!
//! # Wrap order
//!
//! [`SessionMiddleware`](actix_session::SessionMiddleware) goes around [`BasicLogin`], so its
//! `.wrap` comes later; around the whole `App` is the usual place, and the logout handler needs it,
//! too. Missing or inside, what is written to the session is lost and browsers are asked for ever;
//! the log says so, at level `error`.
//!
//! `actix-cors` goes outside [`BasicLogin`], so that preflights never reach it. `NormalizePath` does not
//! belong in front of it: where a login happened, up to the last slash, is what the browser sends
//! its credentials to unasked, so the path has to be the one that the browser knows (with
//! `NormalizePath::trim` a logout by `fetch` or redirect can be undone). A middleware *inside*
//! that answers with `Err` keeps the session middleware from saving a login made on that very
//! request; have it answer with a response.
//!
//! # Cookies
//!
//! Session cookies are `Secure` by default, and browsers drop those on plain `http`, but for
//! localhost (not all of them spare it). They are asked for ever, then, and the log warns. Serve
//! `https`, or build the session middleware with `cookie_secure(false)` where you must.
//! If you change the cookie's name, [tell](BasicLoginBuilder::session_cookie) this crate.
//!
//! # Choosing a session store
//!
//! Any [`SessionStore`](actix_session::storage::SessionStore) will do.
//! [`CookieSessionStore`](https://docs.rs/actix-session/latest/actix_session/storage/struct.CookieSessionStore.html)
//! needs nothing on the server.
//! A store on the server's side deletes a session when it ends; a cookie stays readable, and is
//! refused because the login that it holds is remembered to have ended, for as long as it could have
//! lived: until its shorter [deadline](BasicLoginBuilder::visit_deadline). By default that is in the
//! memory of this process, 100,000 of them; a [`RevocationStore`] shares it with other processes and
//! keeps it through a restart.
//!
//! A store on the server's side keeps one session of less than 256 bytes for each browser that is
//! asked, and one for each page that is refused to a client which calls itself a browser and brings
//! no cookie, for as long as the session middleware's `state_ttl` says. Programs leave nothing.
//!
//! # Several machines
//!
//! Machines that share sessions share four things: the session's store and key, the
//! [`fingerprint_key`](BasicLoginBuilder::fingerprint_key), and the
//! [`revocations`](BasicLoginBuilder::revocation_store). `RedisRevocationStore` (feature `redis`) keeps those
//! beside actix-session's `RedisSessionStore`. Wrap [`session_store_errors`] around it all for a 503
//! where Redis is down.
//!
//! # Ending logins
//!
//! [`login_deadline`](BasicLoginBuilder::login_deadline) and
//! [`visit_deadline`](BasicLoginBuilder::visit_deadline) end a login by themselves,
//! [`revoke_user`](BasicLogin::revoke_user) all of a user's, [`revoke_login`](BasicLogin::revoke_login) one.
//! What stays open after its request, such as a `WebSocket`, waits for [`User::ended`].
//!
//! # Errors and panics
//!
//! What cannot work is an error at start-up: [`ConfigError`], [`UsersError`], [`ThrottleError`]. What
//! fails later is an answer: an authenticator's own error, or 503 where ended logins or passwords
//! cannot be looked at. Nothing panics, but for the futures of a [`HashLimiter`], of
//! `RedisRevocationStore::new` and of [`User::ended`] where they are polled outside a Tokio runtime;
//! actix-web's is one.
//!
//! # Testing an application that uses it
//!
//! `actix_web::test` sends requests of a [program](RequestKind::NonBrowser): give them an `Authorization`
//! header, as above, and no session is needed. The feature `test-util` adds `test::Browser`, which logs in
//! and out as browsers do, and `test::Clock`. The [testing guide](guide::testing) shows both.
//!
//! # The examples
//!
//! Examples of this documentation are tests, and assert what they show. In many of them a `browser`, a
//! `test::Browser`, uses an application that has a realm at `/admin/` and its logout at `/logout`. `users`
//! knows alice by the password `wonderland`, and `basic` makes credentials.
//!
//! # What it does not do
//!
//! It does not protect a password on the network: use TLS. And it cannot reach into a browser: the
//! password stays in the memory of one that has logged out by [`LogoutResponse::Redirect`], or with
//! scripts off by [`LogoutResponse::Page`], until the next visit. It lets nobody in, though.
//! `DESIGN.md` lists what else is known to remain.
//!
//! # Guides
//!
//! - [From `HttpAuthentication::basic`](guide::migrating)
//! - [Choosing the stores](guide::stores), and what logout means with each
//! - [Behind a proxy](guide::proxies)
//! - [Testing an application](guide::testing), as a program and as a browser
//! - [Single-page applications](guide::single_page)
//! - [Health routes and metrics](guide::health)
//! - [CORS](guide::cors)
//! - [Content-Security-Policy](guide::csp)
//! - [What it cannot do](guide::limits)

// On docs.rs each item names the feature that it needs.
#![cfg_attr(docsrs, feature(doc_cfg))]

mod authenticator;
mod builder;
mod config;
mod context;
mod decision;
mod diagnostics;
mod expiring_map;
#[cfg(all(fuzzing, feature = "users"))]
#[doc(hidden)]
pub mod fuzzing;
#[cfg(any(doc, doctest))]
pub mod guide;
mod logout;
mod middleware;
mod refusal_reason;
mod request;
mod response;
mod retry_later;
mod revocation;
mod session;
mod session_errors;
#[cfg(feature = "test-util")]
pub mod test;
mod user;

#[cfg(feature = "cache")]
pub use crate::authenticator::cache::CredentialCache;
#[cfg(feature = "throttle")]
pub use crate::authenticator::throttle::{
    Throttle,
    builder::{ThrottleBuilder, ThrottleError},
};
#[cfg(feature = "users")]
pub use crate::authenticator::{
    password::{
        builder::{HashLimiterBuilder, HashLimiterError},
        hash_limiter::HashLimiter,
    },
    users::{Users, error::UsersError},
};
#[doc(hidden)]
pub use crate::middleware::BasicLoginService;
#[cfg(feature = "redis")]
pub use crate::revocation::redis::RedisRevocationStore;
pub use crate::{
    authenticator::Authenticator,
    builder::{BasicLoginBuilder, error::ConfigError},
    config::{BasicLogin, LogoutScope},
    decision::logout::LogoutResponse,
    logout::{Logout, page_script::LOGOUT_SCRIPT_HASH},
    refusal_reason::Reason,
    request::kind::RequestKind,
    response::notice::Notice,
    retry_later::TryLater,
    revocation::{
        key::{LoginId, LoginIdError, RevocationKey},
        store::{RevocationError, RevocationStore},
    },
    session_errors::session_store_errors,
    user::User,
};

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
mod readme {}
