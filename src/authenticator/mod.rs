//! Whether a user-id and a password are right.

#[cfg(feature = "cache")]
pub(crate) mod cache;
#[cfg(feature = "users")]
pub(crate) mod password;
#[cfg(feature = "throttle")]
pub(crate) mod throttle;
#[cfg(feature = "users")]
pub(crate) mod users;

use std::{
    future::{Future, ready},
    sync::Arc,
};

use actix_web::{Error, HttpRequest, dev::ServiceRequest, http::StatusCode};
use actix_web_httpauth::extractors::basic::BasicAuth;
use futures_core::future::LocalBoxFuture;

/// Says whether credentials are right.
///
/// Any `async` function or closure over `(&HttpRequest, &BasicAuth)` that answers
/// `Result<bool, actix_web::Error>` is one; implement the trait for a type of your own where you
/// want to name or to nest it. Ready-made ones are features of this crate: `Users`, `Throttle`,
/// `CredentialCache`.
///
/// It is asked at a login, for each request of a client without a session, and again for a login
/// once [`reverify_after`](crate::BasicLoginBuilder::reverify_after) has passed. It is never
/// asked about a header that is malformed. The password is never `None`: a missing one is an
/// empty string.
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
/// // The defaults of the others:
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
    /// Answers whether these credentials are right.
    ///
    /// # Errors
    ///
    /// An error is what keeps the question from being answered, such as a database that is down.
    /// It goes out as its own response and changes nothing; only one with the status 401 counts
    /// as `Ok(false)`. A [`TryLater`](crate::TryLater) goes out as a refusal does.
    fn authenticate<'a>(
        &'a self,
        req: &'a HttpRequest,
        credentials: &'a BasicAuth,
    ) -> LocalBoxFuture<'a, Result<bool, Error>>;

    /// Answers whether the credentials of a login that goes on are still right.
    ///
    /// They are those that it began with, so nobody is guessing: an authenticator that limits
    /// attempts lets these through, or anybody could lock its users out of their work. Default:
    /// the same as [`authenticate`](Self::authenticate). What wraps another authenticator passes
    /// this on to it.
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

    /// A number that changes when answers given before may no longer hold, because a password was
    /// changed or a user was removed.
    ///
    /// Who keeps answers asks for it first and keeps it with them. Default: 0 always, so kept
    /// answers hold for as long as they are kept. What wraps another authenticator passes this on
    /// to it.
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

/// Why the authenticator is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CheckKind {
    /// A login, or a request of a program.
    Login,
    /// The credentials of a login that continues.
    Reverify,
}

type Validated = Result<ServiceRequest, (Error, ServiceRequest)>;
type Validator =
    dyn Fn(ServiceRequest, BasicAuth) -> LocalBoxFuture<'static, Validated> + Send + Sync;

/// Whoever is asked: an authenticator, or a validator written for actix-web-httpauth.
#[derive(Clone)]
pub(crate) enum Checker {
    Authenticator(Arc<dyn Authenticator>),
    Validator(Arc<Validator>),
}

impl Checker {
    pub(crate) fn validator<F, O>(validator: F) -> Self
    where
        F: Fn(ServiceRequest, BasicAuth) -> O + Send + Sync + 'static,
        O: Future<Output = Validated> + 'static,
    {
        Self::Validator(Arc::new(move |req, credentials| Box::pin(validator(req, credentials))))
    }

    /// A validator may put things into the request that handlers look for, so it sees them all.
    pub(crate) fn sees_every_request(&self) -> bool {
        matches!(self, Self::Validator(_))
    }

    /// Asks about a login that goes on, outside the middleware, where there is no request to give to
    /// a validator.
    pub(crate) async fn reverify(
        &self,
        req: &HttpRequest,
        credentials: &BasicAuth,
    ) -> Result<bool, Error> {
        match self {
            Self::Authenticator(it) => unauthorized_is_wrong(it.reverify(req, credentials).await),
            Self::Validator(_) => Ok(false),
        }
    }

    /// Asks about credentials: those of a login that goes on, or new ones.
    pub(crate) async fn check(
        &self,
        req: ServiceRequest,
        credentials: &BasicAuth,
        kind: CheckKind,
    ) -> (ServiceRequest, Result<bool, Error>) {
        let (req, verdict) = match self {
            Self::Authenticator(authenticator) => {
                let verdict = match kind {
                    CheckKind::Reverify => authenticator.reverify(req.request(), credentials).await,
                    CheckKind::Login => {
                        authenticator.authenticate(req.request(), credentials).await
                    }
                };
                (req, verdict)
            }
            Self::Validator(validator) => match validator(req, credentials.clone()).await {
                Ok(req) => (req, Ok(true)),
                Err((error, req)) => (req, Err(error)),
            },
        };
        (req, unauthorized_is_wrong(verdict))
    }
}

/// `ErrorUnauthorized` has no challenge of its own; it is what validators say for "wrong".
pub(crate) fn unauthorized_is_wrong(verdict: Result<bool, Error>) -> Result<bool, Error> {
    match verdict {
        Err(error) if error.as_response_error().status_code() == StatusCode::UNAUTHORIZED => {
            Ok(false)
        }
        verdict => verdict,
    }
}
