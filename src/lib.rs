//! HTTP Basic authentication for actix-web with a logout that works.
//!
//! The crate provides a middleware, [`BasicLogin`], which protects an `App`, a scope or a resource
//! with HTTP Basic authentication ([RFC 7617](https://www.rfc-editor.org/rfc/rfc7617)), a [logout
//! handler](BasicLogin::logout), and an extractor, [`User`], for the logged-in user. It uses the
//! credential types of [actix-web-httpauth](actix_web_httpauth) and keeps one small entry per realm
//! in the session of [actix-session](actix_session).
//!
//! # The problem
//!
//! A browser that has logged in with HTTP Basic sends the credentials with every further request,
//! and HTTP has no header that tells it to stop. The "log out" link of an application behind
//! `HttpAuthentication::basic` therefore does nothing: the next click is logged in again.
//!
//! # How it works
//!
//! 1. Credentials alone do not let a browser in. The session must record that the user *typed*
//!    them: the browser was challenged, held no credentials, and then sent some.
//! 2. Logout deletes that record, renews the session id and revokes the id of the login. Requests
//!    in flight, in any tab, cannot restore the login.
//! 3. A challenge in answer to the old credentials makes the browser forget them. So the next
//!    credentials that the browser sends to the same path were typed by the user.
//! 4. Requests of a logged-in user pass without a call of the authenticator until a verification is
//!    due, every five minutes by default. They write the session only to record a visit or a
//!    verification. So a password is hashed at login and at each verification, not on every request.
//! 5. Background requests (`fetch`, images, `WebSocket`) of a user who is not logged in are refused
//!    without a dialog. The dialog opens when the user opens a page.
//! 6. Non-browser clients such as `curl -u` get plain, stateless Basic authentication, and leave no
//!    session.
//!
//! The states of a realm in a session, and the transitions between them:
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
//! async fn check(_: &HttpRequest, credentials: &BasicAuth) -> Result<bool, Error> {
//!     Ok(credentials.user_id() == "alice" && credentials.password() == Some("wonderland"))
//! }
//!
//! async fn dashboard(user: User) -> String {
//!     format!("Hello, {}", user.id())
//! }
//!
//! # actix_web::rt::System::new().block_on(async {
//! let login = BasicLogin::builder("Admin area", check).landing_path("/admin/").build()?;
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
//! Validators that were written for `HttpAuthentication::basic` work unchanged: see
//! [`BasicLogin::with_validator`].
//!
//! # Passwords
//!
//! Every async function or closure with the right signature is an [`Authenticator`]. If several
//! user-ids name the same user, it returns the user's canonical id
//! ([`Verdict::valid_as`]). Optional features provide composable authenticators; none is enabled by
//! default:
//!
//! - `users`: [`Users`] takes hashed or plaintext passwords from an htpasswd file, an environment
//!   variable or the code. A [`HashLimiter`] computes the hashes off the worker threads. Unknown
//!   users and wrong passwords get the same response after the same work, which prevents user
//!   enumeration.
//! - `throttle`: [`Throttle`] limits failed logins per user-id and per address, against brute force.
//!   It does not limit existing logins. After a restart, this holds only if a
//!   [`fingerprint_key`](BasicLoginBuilder::fingerprint_key) is set.
//! - `cache`: [`CredentialCache`] caches valid credentials for a while. Clients without a session
//!   then do not cost one hash per request.
//!
//! ```no_run
//! # #[cfg(all(feature = "users", feature = "throttle", feature = "cache"))]
//! # {
//! use std::time::Duration;
//! use actix_basic_logout::{BasicLogin, CredentialCache, Throttle, Users};
//!
//! let users = Users::htpasswd("users.htpasswd")?;
//! let users = Throttle::new(CredentialCache::new(users, Duration::from_secs(5 * 60)));
//! let login = BasicLogin::builder("Admin area", users).build()?;
//! # }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! If a password changes or a user is removed, a login ends at its next verification: at the latest
//! [`reverify_after`](BasicLoginBuilder::reverify_after) after the previous one of the same credentials. To end it at once,
//! also call [`revoke_user`](BasicLogin::revoke_user).
//!
//! # Wrap order
//!
//! [`SessionMiddleware`](actix_session::SessionMiddleware) must be outside [`BasicLogin`], so its
//! `.wrap` comes later. Usually it wraps the whole `App`, because the logout handler needs it as
//! well. If it is missing or inside, changes to the session are lost, so browsers cannot log in;
//! an error is logged.
//!
//! `actix-cors` belongs outside [`BasicLogin`], so that it answers preflight requests first. Do not
//! use `NormalizePath` outside: this crate needs the path that the browser knows, because a browser
//! sends its credentials to everything below the directory in which the user logged in. With
//! `NormalizePath::trim`, a logout by `fetch` or redirect can be undone.
//!
//! If a middleware *inside* returns `Err`, the session middleware does not save a login that was
//! made on that request. Let the inner middleware return a response instead.
//!
//! # Cookies
//!
//! Session cookies are `Secure` by default, and browsers drop such cookies on plain HTTP (most
//! make an exception for localhost). The browser then cannot log in: after at most two dialogs it
//! shows a page that asks for cookies, and a warning is logged. Serve HTTPS, or build the session
//! middleware with `cookie_secure(false)` where you must. If you rename the cookie, pass its name
//! to [`session_cookie`](BasicLoginBuilder::session_cookie).
//!
//! # Choosing a session store
//!
//! Any [`SessionStore`](actix_session::storage::SessionStore) works.
//! [`CookieSessionStore`](https://docs.rs/actix-session/latest/actix_session/storage/struct.CookieSessionStore.html)
//! needs nothing on the server.
//!
//! A server-side store deletes a session at logout, but a slow request may save it again. With
//! `CookieSessionStore`, an old copy of the cookie stays readable. With either store, this crate
//! prevents the replay of an old session: it keeps the id of the login on a revocation list until
//! the login would have expired, that is, for the shorter of
//! [`login_deadline`](BasicLoginBuilder::login_deadline) and
//! [`visit_deadline`](BasicLoginBuilder::visit_deadline). By default the list is in the memory of
//! the process and holds 100,000 ids. A [`RevocationStore`] shares it with other processes and
//! keeps it across restarts.
//!
//! A server-side store holds one session of less than 256 bytes for each browser that was
//! challenged. A client that claims to be a browser and sends no cookie leaves one session for each
//! refused page. Sessions are deleted after the session middleware's `state_ttl`. Non-browser
//! clients leave none.
//!
//! # Several machines
//!
//! Machines that share sessions must share four things: the session store (or sessions in
//! cookies), the cookie key, the [`fingerprint_key`](BasicLoginBuilder::fingerprint_key) and the
//! [`revocation_store`](BasicLoginBuilder::revocation_store). `RedisRevocationStore` (feature
//! `redis`) complements actix-session's `RedisSessionStore`. Wrap [`session_store_errors`] around
//! the session middleware to get 503 responses while Redis is down.
//!
//! # Ending logins
//!
//! - [`login_deadline`](BasicLoginBuilder::login_deadline) is the absolute timeout, and
//!   [`visit_deadline`](BasicLoginBuilder::visit_deadline) the idle timeout.
//! - [`revoke_user`](BasicLogin::revoke_user) revokes all logins of a user, and
//!   [`revoke_login`](BasicLogin::revoke_login) one login.
//! - [`User::ended`] resolves when the login ends (other than by the idle timeout). Use it to close
//!   what stays open after its request, such as a `WebSocket`.
//!
//! # Security
//!
//! `SECURITY.md` holds the threat model. Where to find the usual topics:
//!
//! - CSRF: [`BasicLogin::logout`], [`Reason::CrossSite`]
//! - session fixation: [`renew_session_at_login`](BasicLoginBuilder::renew_session_at_login)
//! - brute force and rate limits: [`Throttle`], [`TryLater`]
//! - user enumeration and timing attacks: [`Users`]
//! - replay of old cookies: [`RevocationStore`]
//! - denial of service by logins: [`HashLimiter`]
//!
//! # Errors and panics
//!
//! Invalid configuration is an error at start-up: [`ConfigError`], [`UsersError`],
//! [`ThrottleError`]. Failures at run time become responses: the authenticator's own error, or 503
//! while the revocation store is unavailable or the queue for password hashes is full. Nothing
//! panics, with one exception: the futures of [`HashLimiter`], `RedisRevocationStore::new` and
//! [`User::ended`] panic if they are polled outside a Tokio runtime. actix-web's runtime is one.
//!
//! # Testing an application that uses it
//!
//! `actix_web::test` sends requests of a [non-browser client](RequestKind::NonBrowser): with an
//! `Authorization` header, as above, they need no session. The feature `test-util` adds
//! `test::Browser`, which logs in and out as browsers do, and `test::Clock`. The [testing
//! guide](guide::testing) shows both.
//!
//! # The examples
//!
//! The examples in this documentation are tests, and assert what they show. Many of them use a
//! `browser`, which is a `test::Browser` that visits an application with a realm at `/admin/` and a
//! logout at `/logout`. There, `users` accepts alice with the password `wonderland`, and `basic`
//! creates credentials.
//!
//! # Limits
//!
//! This crate does not protect a password on the network: use TLS. After a logout by `fetch`, by
//! [`LogoutResponse::Redirect`], or by [`LogoutResponse::Page`] with scripts disabled, the
//! password stays in the browser's memory until the next visit. It lets no request in, unless an
//! attacker plants a session in which it counts as typed. An attacker at the computer might also
//! read it. The [limits guide](guide::limits) lists the other limits.
//!
//! # Guides
//!
//! - [Migration from `HttpAuthentication::basic`](guide::migrating)
//! - [Your own authenticator](guide::authenticators), and canonical user ids
//! - [Choosing the stores](guide::stores), and what logout means with each
//! - [Behind a proxy](guide::proxies)
//! - [Testing an application](guide::testing), as a non-browser client and as a browser
//! - [Single-page applications](guide::single_page)
//! - [Programs and browsers](guide::clients), and what each gets
//! - [Health routes and metrics](guide::health)
//! - [CORS](guide::cors)
//! - [Content-Security-Policy](guide::csp)
//! - [Limits](guide::limits)
//! - [The states of a session](guide::states)

// On docs.rs each item names the feature that it needs.
#![cfg_attr(docsrs, feature(doc_cfg))]

mod anonymous_ttl;
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

// Search terms stand here, because rustdoc ignores the aliases of an item that it inlines.
#[cfg(feature = "cache")]
#[doc(alias = "verification cache")]
pub use crate::authenticator::cache::CredentialCache;
#[cfg(feature = "users")]
#[doc(alias = "password hashing")]
#[doc(alias = "denial of service")]
#[doc(alias = "Argon2")]
#[doc(alias = "bcrypt")]
#[doc(alias = "scrypt")]
#[doc(alias = "PBKDF2")]
pub use crate::authenticator::password::hash_limiter::HashLimiter;
#[cfg(feature = "throttle")]
#[doc(alias = "rate limit")]
#[doc(alias = "rate limiting")]
#[doc(alias = "brute force")]
#[doc(alias = "credential stuffing")]
pub use crate::authenticator::throttle::Throttle;
#[cfg(feature = "throttle")]
pub use crate::authenticator::throttle::builder::{ThrottleBuilder, ThrottleError};
#[cfg(feature = "users")]
#[doc(alias = "user enumeration")]
#[doc(alias = "timing attack")]
#[doc(alias = "password file")]
pub use crate::authenticator::users::Users;
#[cfg(feature = "users")]
pub use crate::authenticator::{
    password::builder::{HashLimiterBuilder, HashLimiterError},
    users::error::UsersError,
};
#[doc(alias = "Clear-Site-Data")]
pub use crate::decision::logout::LogoutResponse;
#[doc(alias = "Content-Security-Policy")]
#[doc(alias = "CSP")]
pub use crate::logout::page_script::LOGOUT_SCRIPT_HASH;
#[doc(hidden)]
pub use crate::middleware::BasicLoginService;
#[doc(alias = "problem details")]
#[doc(alias = "RFC 9457")]
pub use crate::response::notice::Notice;
#[doc(alias = "Retry-After")]
#[doc(alias = "too many requests")]
#[doc(alias = "rate limit")]
pub use crate::retry_later::TryLater;
#[doc(alias = "session id")]
pub use crate::revocation::key::LoginId;
#[cfg(feature = "redis")]
#[doc(alias = "Redis")]
pub use crate::revocation::redis::RedisRevocationStore;
#[doc(alias = "revocation list")]
#[doc(alias = "denylist")]
#[doc(alias = "blocklist")]
#[doc(alias = "replay")]
pub use crate::revocation::store::RevocationStore;
#[doc(alias = "store unavailable")]
pub use crate::session_errors::session_store_errors;
pub use crate::{
    anonymous_ttl::AnonymousTtl,
    authenticator::{Authenticator, verdict::Verdict},
    builder::{BasicLoginBuilder, error::ConfigError},
    config::{BasicLogin, LogoutScope},
    logout::Logout,
    refusal_reason::Reason,
    request::kind::RequestKind,
    revocation::{
        key::{LoginIdError, RevocationKey},
        store::RevocationError,
    },
    user::User,
};

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
mod readme {}
