//! Guides: how to use this crate in an application. This module contains documentation only.
//!
//! - [`migrating`]: migration from `HttpAuthentication::basic`
//! - [`authenticators`]: an authenticator of your own, and canonical user ids
//! - [`stores`]: session stores, revocation stores, keys, several machines
//! - [`proxies`]: behind a proxy that terminates TLS
//! - [`testing`]: an application's own tests, as a non-browser client and as a browser
//! - [`automation`]: browser tests with Playwright, Puppeteer and Selenium
//! - [`single_page`]: `fetch`, event streams and WebSockets
//! - [`clients`]: programs and browsers, and how a request is classified
//! - [`health`]: routes without a password, and metrics with one
//! - [`cors`]: preflights and other origins
//! - [`csp`]: a `Content-Security-Policy`
//! - [`limits`]: the limits of this crate, and what to do instead
//! - [`states`]: the state machine, as a picture and as tables

#[doc = include_str!("migrating.md")]
///
/// Reference: [`BasicLogin::with_validator`](crate::BasicLogin::with_validator),
/// [`Authenticator`](crate::Authenticator), [`User`](crate::User).
pub mod migrating {}

#[doc = include_str!("authenticators.md")]
///
/// Reference: [`Authenticator`](crate::Authenticator), [`Verdict`](crate::Verdict),
/// [`TryLater`](crate::TryLater), [`revoke_user`](crate::BasicLogin::revoke_user).
pub mod authenticators {}

#[doc = include_str!("stores.md")]
///
/// Reference: [`RevocationStore`](crate::RevocationStore),
/// [`session_store_errors`](crate::session_store_errors),
/// [`revocation_store`](crate::BasicLoginBuilder::revocation_store),
/// [`fingerprint_key`](crate::BasicLoginBuilder::fingerprint_key),
/// [`login_deadline`](crate::BasicLoginBuilder::login_deadline),
/// [`visit_deadline`](crate::BasicLoginBuilder::visit_deadline).
pub mod stores {}

#[doc = include_str!("proxies.md")]
///
/// Reference: [`session_cookie`](crate::BasicLoginBuilder::session_cookie).
pub mod proxies {}

#[doc = include_str!("testing.md")]
///
/// Reference: [`RequestKind::of`](crate::RequestKind::of),
/// [`clock`](crate::BasicLoginBuilder::clock),
/// [`classify_with`](crate::BasicLoginBuilder::classify_with),
/// [`LogoutResponse`](crate::LogoutResponse), [`revoke_user`](crate::BasicLogin::revoke_user).
pub mod testing {}

#[doc = include_str!("automation.md")]
///
/// Reference: [`Browser`](crate::test::Browser), [`LogoutResponse`](crate::LogoutResponse).
pub mod automation {}

#[doc = include_str!("single_page.md")]
///
/// Reference: [`User::ended`](crate::User::ended),
/// [`allow_session_only`](crate::BasicLoginBuilder::allow_session_only),
/// [`challenge_subresources`](crate::BasicLoginBuilder::challenge_subresources).
pub mod single_page {}

#[doc = include_str!("clients.md")]
///
/// Reference: [`RequestKind`](crate::RequestKind),
/// [`classify_with`](crate::BasicLoginBuilder::classify_with),
/// [`Reason::NoLogin`](crate::Reason::NoLogin).
pub mod clients {}

#[doc = include_str!("health.md")]
///
/// Reference: [`RequestKind::NonBrowser`](crate::RequestKind::NonBrowser),
/// [`classify_with`](crate::BasicLoginBuilder::classify_with).
pub mod health {}

#[doc = include_str!("cors.md")]
///
/// Reference: [`Reason::CrossSite`](crate::Reason::CrossSite), [`RequestKind`](crate::RequestKind).
pub mod cors {}

#[doc = include_str!("csp.md")]
///
/// Reference: [`LOGOUT_SCRIPT_HASH`](crate::LOGOUT_SCRIPT_HASH),
/// [`LogoutResponse::Page`](crate::LogoutResponse::Page),
/// [`Notice::script`](crate::Notice::script).
pub mod csp {}

#[doc = include_str!("limits.md")]
///
/// Reference: [`LogoutResponse`](crate::LogoutResponse),
/// [`revoke_user`](crate::BasicLogin::revoke_user),
/// [`revoke_login`](crate::BasicLogin::revoke_login),
/// [`revocation_store`](crate::BasicLoginBuilder::revocation_store).
pub mod limits {}

#[doc = include_str!("states.md")]
///
#[doc = include_str!("states.svg")]
///
/// # Middleware
///
/// ```text
#[doc = include_str!("../decision/tables/authenticate.txt")]
/// ```
///
/// # Middleware, with `challenge_subresources`
///
/// ```text
#[doc = include_str!("../decision/tables/challenged_subresources.txt")]
/// ```
///
/// # Logout
///
/// ```text
#[doc = include_str!("../decision/tables/logout.txt")]
/// ```
///
/// # Script of the logout page
///
/// ```text
#[doc = include_str!("../decision/tables/page_script.txt")]
/// ```
///
/// Reference: [`challenge_subresources`](crate::BasicLoginBuilder::challenge_subresources),
/// [`LogoutResponse`](crate::LogoutResponse), [`LogoutScope`](crate::LogoutScope).
pub mod states {}
