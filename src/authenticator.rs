//! Whether a user-id and a password are right.

use std::{future::Future, sync::Arc};

use actix_web::{Error, HttpRequest, dev::ServiceRequest, http::StatusCode};
use actix_web_httpauth::extractors::basic::BasicAuth;
use futures_core::future::LocalBoxFuture;

/// Says whether credentials are right.
///
/// Any `async` function or closure over `(&HttpRequest, &BasicAuth)` that answers
/// `Result<bool, actix_web::Error>` is one; implement the trait for a type of your own where you
/// want to name or to nest it.
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
/// assert!(OneUser("alice").authenticate(&req, &alice).await.unwrap());
///
/// // The same as a closure.
/// let one_user = async |_: &HttpRequest, credentials: &BasicAuth| {
///     Ok(credentials.user_id() == "alice")
/// };
/// assert!(one_user.authenticate(&req, &alice).await.unwrap());
/// assert!(BasicLogin::builder("Admin area", one_user).build().is_ok());
/// # });
/// ```
pub trait Authenticator: Send + Sync + 'static {
    /// Answers whether these credentials are right.
    ///
    /// # Errors
    ///
    /// An error is what keeps the question from being answered, such as a database that is down.
    /// It goes out as its own response and changes nothing; only one with the status 401 counts
    /// as `Ok(false)`.
    fn authenticate<'a>(
        &'a self,
        req: &'a HttpRequest,
        credentials: &'a BasicAuth,
    ) -> LocalBoxFuture<'a, Result<bool, Error>>;
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

    /// Asks outside the middleware, where there is no request to give to a validator.
    pub(crate) async fn ask(
        &self,
        req: &HttpRequest,
        credentials: &BasicAuth,
    ) -> Result<bool, Error> {
        match self {
            Self::Authenticator(it) => {
                unauthorized_is_wrong(it.authenticate(req, credentials).await)
            }
            Self::Validator(_) => Ok(false),
        }
    }

    pub(crate) async fn check(
        &self,
        req: ServiceRequest,
        credentials: BasicAuth,
    ) -> (ServiceRequest, Result<bool, Error>) {
        let (req, verdict) = match self {
            Self::Authenticator(authenticator) => {
                let verdict = authenticator.authenticate(req.request(), &credentials).await;
                (req, verdict)
            }
            Self::Validator(validator) => match validator(req, credentials).await {
                Ok(req) => (req, Ok(true)),
                Err((error, req)) => (req, Err(error)),
            },
        };
        (req, unauthorized_is_wrong(verdict))
    }
}

/// `ErrorUnauthorized` has no challenge of its own; it is what validators say for "wrong".
fn unauthorized_is_wrong(verdict: Result<bool, Error>) -> Result<bool, Error> {
    match verdict {
        Err(error) if error.as_response_error().status_code() == StatusCode::UNAUTHORIZED => {
            Ok(false)
        }
        verdict => verdict,
    }
}
