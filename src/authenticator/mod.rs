//! Checks credentials: the `Authenticator` trait, and the authenticators that the crate provides.
//!
//! May use `request`, `retry_later` and the expiring map. Knows nothing of realms, sessions and
//! logins.

#[cfg(feature = "cache")]
pub(crate) mod cache;
pub(crate) mod checker;
#[cfg(feature = "users")]
pub(crate) mod password;
pub(crate) mod reverification;
pub(crate) mod shared_check;
#[cfg(feature = "throttle")]
pub(crate) mod throttle;
#[cfg(feature = "users")]
pub(crate) mod users;
pub(crate) mod verdict;

use std::future::ready;

use actix_web::{Error, HttpRequest, http::StatusCode};
use actix_web_httpauth::extractors::basic::BasicAuth;
use futures_core::future::LocalBoxFuture;

use self::verdict::Verdict;

/// Checks whether credentials are valid.
///
/// Every `async` function or closure that takes `(&HttpRequest, &BasicAuth)` and returns
/// `Result<bool, actix_web::Error>` or `Result<Verdict, actix_web::Error>` is an authenticator.
/// Implement the trait for your own type to give it a name or to wrap another authenticator. The
/// optional features of this crate provide three: `Users`, `Throttle` and `CredentialCache`.
///
/// The user-id that the middleware passes is what the user typed. If several user-ids name the same
/// user, for example because the database ignores case, return the user's canonical id with
/// [`Verdict::valid_as`]. Otherwise [`revoke_user`](crate::BasicLogin::revoke_user) ends only the
/// logins with the spelling that it is called with.
///
/// The middleware calls the authenticator at each login, for each request of a non-browser client
/// without a session, and again for a login when
/// [`reverify_after`](crate::BasicLoginBuilder::reverify_after) has passed. A malformed
/// `Authorization` header never reaches the authenticator. The password is never `None`: an absent
/// password is an empty string.
///
/// ```
/// use actix_basic_logout::{Authenticator, BasicLogin, Verdict};
/// use actix_web::{Error, HttpRequest, test::TestRequest};
/// use actix_web_httpauth::{extractors::basic::BasicAuth, headers::authorization::Basic};
/// use futures_core::future::LocalBoxFuture;
///
/// /// Accepts one user-id, in upper or lower case.
/// struct OneUser(&'static str);
///
/// impl Authenticator for OneUser {
///     fn authenticate<'a>(
///         &'a self,
///         _: &'a HttpRequest,
///         credentials: &'a BasicAuth,
///     ) -> LocalBoxFuture<'a, Result<Verdict, Error>> {
///         let is_user = credentials.user_id().eq_ignore_ascii_case(self.0);
///         let verdict = if is_user { Verdict::valid_as(self.0) } else { Verdict::invalid() };
///         Box::pin(async { Ok(verdict) })
///     }
/// }
///
/// # actix_web::rt::System::new().block_on(async {
/// let req = TestRequest::default().to_http_request();
/// let alice = BasicAuth::from(Basic::new("Alice", Some("")));
/// assert_eq!(OneUser("alice").authenticate(&req, &alice).await?.user_id(), Some("alice"));
/// assert!(!OneUser("bob").authenticate(&req, &alice).await?.is_valid());
/// // The defaults of the other methods:
/// assert!(OneUser("alice").reverify(&req, &alice).await?.is_valid());
/// assert_eq!(OneUser("alice").revision().await, 0);
/// assert!(OneUser("alice").is_cacheable());
///
/// // A closure that accepts one user-id in one spelling.
/// let one_user = async |_: &HttpRequest, credentials: &BasicAuth| {
///     Ok(credentials.user_id() == "Alice")
/// };
/// assert_eq!(one_user.authenticate(&req, &alice).await?, Verdict::valid());
/// assert!(BasicLogin::builder("Admin area", one_user).build().is_ok());
/// # Ok::<(), Error>(())
/// # }).unwrap();
/// ```
pub trait Authenticator: Send + Sync + 'static {
    /// Returns whether these credentials are valid, and who the user is if the presented user-id is
    /// not the user's canonical id.
    ///
    /// # Errors
    ///
    /// An error means that the credentials could not be checked, for example because a database is
    /// unavailable. The middleware sends the error's own response and changes no login. There are
    /// two exceptions: an error with status 401 counts as [`Verdict::invalid`], and a
    /// [`TryLater`](crate::TryLater) gets the same page, JSON or text as a refusal.
    fn authenticate<'a>(
        &'a self,
        req: &'a HttpRequest,
        credentials: &'a BasicAuth,
    ) -> LocalBoxFuture<'a, Result<Verdict, Error>>;

    /// Returns whether the credentials of an existing login are still valid.
    ///
    /// The user logged in with these same credentials, so this call is not a guess. A rate limiter
    /// must not limit it, because an attacker could otherwise log users out by exhausting the
    /// limit. Default: calls [`authenticate`](Self::authenticate). A wrapper calls `reverify` of
    /// the wrapped authenticator.
    ///
    /// The login ends if the credentials are no longer valid, or if the verdict names another user
    /// than the login.
    ///
    /// The middleware calls this at most once per
    /// [`reverify_after`](crate::BasicLoginBuilder::reverify_after) for all logins with the same
    /// credentials: they share the verdict. So the verdict must depend on the credentials only, not
    /// on the client's address or other parts of the request. If it does depend on them, set
    /// `reverify_after` to zero: each request is then checked for itself.
    ///
    /// # Errors
    ///
    /// As for [`authenticate`](Self::authenticate). Other requests that wait for the same verdict are
    /// answered 503 ([`TryLater`](crate::TryLater)).
    fn reverify<'a>(
        &'a self,
        req: &'a HttpRequest,
        credentials: &'a BasicAuth,
    ) -> LocalBoxFuture<'a, Result<Verdict, Error>> {
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

    /// Returns whether a cache may use a verdict for other requests with the same credentials.
    ///
    /// Default: `true`. Return `false` if the verdict also depends on other parts of the request, such as
    /// the client's address, or if the authenticator counts the requests, as a rate limiter does: guesses
    /// that a cache answers would bypass the limits. A wrapper returns the value of the wrapped
    /// authenticator. A closure cannot do so: do not put a closure around a `Throttle` into a cache.
    fn is_cacheable(&self) -> bool {
        true
    }
}

impl<F, V> Authenticator for F
where
    F: AsyncFn(&HttpRequest, &BasicAuth) -> Result<V, Error> + Send + Sync + 'static,
    V: Into<Verdict>,
{
    fn authenticate<'a>(
        &'a self,
        req: &'a HttpRequest,
        credentials: &'a BasicAuth,
    ) -> LocalBoxFuture<'a, Result<Verdict, Error>> {
        Box::pin(async move { self(req, credentials).await.map(Into::into) })
    }
}

/// Treats an error with status 401 as wrong credentials, because validators return such an error
/// for them. The middleware then sends its own refusal instead of the error's response.
pub(crate) fn unauthorized_is_wrong(verdict: Result<Verdict, Error>) -> Result<Verdict, Error> {
    match verdict {
        Err(error) if error.as_response_error().status_code() == StatusCode::UNAUTHORIZED => {
            Ok(Verdict::invalid())
        }
        verdict => verdict,
    }
}
