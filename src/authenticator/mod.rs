//! Checks credentials: the `Authenticator` trait, and the authenticators that the crate provides.
//!
//! May use `request`, `retry_later` and the expiring map. Knows nothing of realms, sessions and
//! logins.

#[cfg(feature = "cache")]
pub(crate) mod cache;
pub(crate) mod checker;
#[cfg(feature = "users")]
pub(crate) mod password;
#[cfg(feature = "throttle")]
pub(crate) mod throttle;
#[cfg(feature = "users")]
pub(crate) mod users;

use std::future::ready;

use actix_web::{Error, HttpRequest, http::StatusCode};
use actix_web_httpauth::extractors::basic::BasicAuth;
use futures_core::future::LocalBoxFuture;

/// Checks whether credentials are valid.
///
/// Every `async` function or closure that takes `(&HttpRequest, &BasicAuth)` and returns
/// `Result<bool, actix_web::Error>` is an authenticator. Implement the trait for your own type to
/// give it a name or to wrap another authenticator. The optional features of this crate provide
/// three: `Users`, `Throttle` and `CredentialCache`.
///
/// The middleware calls the authenticator at each login, for each request of a non-browser client
/// without a session, and again for a login when
/// [`reverify_after`](crate::BasicLoginBuilder::reverify_after) has passed. A malformed
/// `Authorization` header never reaches the authenticator. The password is never `None`: an absent
/// password is an empty string.
///
/// ```
/// use actix_basic_logout::{Authenticator, BasicLogin};
/// use actix_web::{Error, HttpRequest, test::TestRequest};
/// use actix_web_httpauth::{extractors::basic::BasicAuth, headers::authorization::Basic};
/// use futures_core::future::LocalBoxFuture;
///
/// struct OneUser(&'static str);
///
/// impl Authenticator for OneUser {
///     fn authenticate<'a>(
///         &'a self,
///         _: &'a HttpRequest,
///         credentials: &'a BasicAuth,
///     ) -> LocalBoxFuture<'a, Result<bool, Error>> {
///         Box::pin(async move { Ok(credentials.user_id() == self.0) })
///     }
/// }
///
/// # actix_web::rt::System::new().block_on(async {
/// let req = TestRequest::default().to_http_request();
/// let alice = BasicAuth::from(Basic::new("alice", Some("")));
/// assert!(OneUser("alice").authenticate(&req, &alice).await?);
/// assert!(!OneUser("bob").authenticate(&req, &alice).await?);
/// // The defaults of the other methods:
/// assert!(OneUser("alice").reverify(&req, &alice).await?);
/// assert_eq!(OneUser("alice").revision().await, 0);
///
/// // The same as a closure.
/// let one_user = async |_: &HttpRequest, credentials: &BasicAuth| {
///     Ok(credentials.user_id() == "alice")
/// };
/// assert!(one_user.authenticate(&req, &alice).await?);
/// assert!(BasicLogin::builder("Admin area", one_user).build().is_ok());
/// # Ok::<(), Error>(())
/// # }).unwrap();
/// ```
pub trait Authenticator: Send + Sync + 'static {
    /// Returns whether these credentials are valid.
    ///
    /// # Errors
    ///
    /// An error means that the credentials could not be checked, for example because a database is
    /// unavailable. The middleware sends the error's own response and changes no login. There are
    /// two exceptions: an error with status 401 counts as `Ok(false)`, and a
    /// [`TryLater`](crate::TryLater) gets the same page, JSON or text as a refusal.
    fn authenticate<'a>(
        &'a self,
        req: &'a HttpRequest,
        credentials: &'a BasicAuth,
    ) -> LocalBoxFuture<'a, Result<bool, Error>>;

    /// Returns whether the credentials of an existing login are still valid.
    ///
    /// The user logged in with these same credentials, so this call is not a guess. A rate limiter
    /// must not limit it, because an attacker could otherwise log users out by exhausting the
    /// limit. Default: calls [`authenticate`](Self::authenticate). A wrapper calls `reverify` of
    /// the wrapped authenticator.
    ///
    /// # Errors
    ///
    /// As for [`authenticate`](Self::authenticate).
    fn reverify<'a>(
        &'a self,
        req: &'a HttpRequest,
        credentials: &'a BasicAuth,
    ) -> LocalBoxFuture<'a, Result<bool, Error>> {
        self.authenticate(req, credentials)
    }

    /// Returns a number that changes when earlier results may be out of date, because a password
    /// was changed or a user was removed.
    ///
    /// A cache reads the number before each check and stores it with the result. Default: always 0,
    /// so cached results are valid until they expire. A wrapper returns the revision of the wrapped
    /// authenticator.
    fn revision(&self) -> LocalBoxFuture<'_, u64> {
        Box::pin(ready(0))
    }
}

impl<F> Authenticator for F
where
    F: AsyncFn(&HttpRequest, &BasicAuth) -> Result<bool, Error> + Send + Sync + 'static,
{
    fn authenticate<'a>(
        &'a self,
        req: &'a HttpRequest,
        credentials: &'a BasicAuth,
    ) -> LocalBoxFuture<'a, Result<bool, Error>> {
        Box::pin(self(req, credentials))
    }
}

/// Why credentials are checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CheckKind {
    /// New credentials: for a login, or for a single request without a session.
    Login,
    /// The credentials of an existing login.
    Reverify,
}

/// Treats an error with status 401 as wrong credentials, because validators return such an error
/// for them. The middleware then sends its own refusal instead of the error's response.
pub(crate) fn unauthorized_is_wrong(verdict: Result<bool, Error>) -> Result<bool, Error> {
    match verdict {
        Err(error) if error.as_response_error().status_code() == StatusCode::UNAUTHORIZED => {
            Ok(false)
        }
        verdict => verdict,
    }
}
