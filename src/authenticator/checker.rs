//! The authenticator or the validator of a realm.

use std::{future::Future, sync::Arc};

use actix_web::{Error, HttpRequest, dev::ServiceRequest};
use actix_web_httpauth::extractors::basic::BasicAuth;
use futures_core::future::LocalBoxFuture;

use crate::authenticator::{Authenticator, unauthorized_is_wrong, verdict::Verdict};

type Validated = Result<ServiceRequest, (Error, ServiceRequest)>;
type Validator =
    dyn Fn(ServiceRequest, BasicAuth) -> LocalBoxFuture<'static, Validated> + Send + Sync;

/// Checks credentials: an authenticator, or a validator written for actix-web-httpauth.
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

    /// Whether every request must be checked. A validator may add data to the request for the
    /// handlers, so no request may skip it.
    pub(crate) fn sees_every_request(&self) -> bool {
        matches!(self, Self::Validator(_))
    }

    /// Verifies the credentials of an existing login again. A validator needs a `ServiceRequest`,
    /// which does not exist outside the middleware, so it reports every login as invalid.
    pub(crate) async fn reverify(
        &self,
        req: &HttpRequest,
        credentials: &BasicAuth,
    ) -> Result<Verdict, Error> {
        match self {
            Self::Authenticator(it) => settled(it.reverify(req, credentials).await),
            Self::Validator(_) => Ok(Verdict::invalid()),
        }
    }

    /// Checks the credentials of a request.
    pub(crate) async fn authenticate(
        &self,
        req: ServiceRequest,
        credentials: &BasicAuth,
    ) -> (ServiceRequest, Result<Verdict, Error>) {
        let (req, verdict) = match self {
            Self::Authenticator(authenticator) => {
                let verdict = authenticator.authenticate(req.request(), credentials).await;
                (req, verdict)
            }
            Self::Validator(validator) => match validator(req, credentials.clone()).await {
                Ok(req) => (req, Ok(Verdict::valid())),
                Err((error, req)) => (req, Err(error)),
            },
        };
        (req, settled(verdict))
    }
}

/// The verdict as the middleware uses it.
fn settled(verdict: Result<Verdict, Error>) -> Result<Verdict, Error> {
    unauthorized_is_wrong(verdict)?.limited()
}
