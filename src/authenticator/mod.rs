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
/// `Result<bool, actix_web::Error>` is an authenticator. Implement the trait for a type of your own
/// to name it or to wrap another authenticator. The optional features of this crate provide three:
/// `Users`, `Throttle` and `CredentialCache`.
///
/// The middleware calls it at a login, for each request of a client without a session, and again
/// for a login when [`reverify_after`](crate::BasicLoginBuilder::reverify_after) has passed. It
/// never passes on a malformed header. The password is never `None`: a missing one is an empty
/// string.
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
    /// down. It is sent as its own response and changes no login. Only an error with status 401
    /// counts as `Ok(false)`. A [`TryLater`](crate::TryLater) is answered in the same form as a
    /// refusal.
    fn authenticate<'a>(
        &'a self,
        req: &'a HttpRequest,
        credentials: &'a BasicAuth,
    ) -> LocalBoxFuture<'a, Result<bool, Error>>;

    /// Returns whether the credentials of an existing login are still valid.
    ///
    /// They are the credentials that the user logged in with, so nobody is guessing. A rate limiter
    /// does not limit these calls, since otherwise an attacker could lock out users who are logged
    /// in. Default: calls [`authenticate`](Self::authenticate). A wrapper calls this method of the
    /// authenticator that it wraps.
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

    /// Returns a number that changes when earlier answers may no longer hold, because a password was
    /// changed or a user was removed.
    ///
    /// A cache reads it before each check and stores it with the answer. Default: always 0, so
    /// cached answers are valid until they expire. A wrapper returns the revision of the
    /// authenticator that it wraps.
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
    /// They are new: for a login, or for one request without a session.
    Login,
    /// They are those of an existing login.
    Reverify,
}

/// Treats an error with status 401 as wrong credentials: it is what validators return for them, and
/// it has no challenge of its own.
pub(crate) fn unauthorized_is_wrong(verdict: Result<bool, Error>) -> Result<bool, Error> {
    match verdict {
        Err(error) if error.as_response_error().status_code() == StatusCode::UNAUTHORIZED => {
            Ok(false)
        }
        verdict => verdict,
    }
}
