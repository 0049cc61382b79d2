//! The middleware: plumbing around [`decide`].

pub(crate) mod pass_cache;

use std::{
    fmt,
    future::{Ready, ready},
    rc::Rc,
};

use actix_session::{Session, SessionExt};
use actix_web::{
    Error, HttpMessage,
    body::{EitherBody, MessageBody},
    dev::{Service, ServiceRequest, ServiceResponse, Transform, forward_ready},
    http::header::CACHE_CONTROL,
};
use futures_core::future::LocalBoxFuture;

use crate::{
    config::BasicLogin,
    context::{RequestContext, drop_revoked_entry_if_written},
    decision::{Decision, OnSuccess, Refusal, authenticate},
    diagnostics::setup::Misuse,
    logout,
    middleware::pass_cache::{CacheLookup, PassCache},
    request::authorization::Authorization,
    request::path::Place,
    response,
    response::notice::Reason,
    revocation::RevocationError,
    session::State,
    user::User,
};

impl<S, B> Transform<S, ServiceRequest> for BasicLogin
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = Error> + 'static,
    S::Future: 'static,
    B: MessageBody + 'static,
{
    type Response = ServiceResponse<EitherBody<B>>;
    type Error = Error;
    type Transform = BasicLoginService<S>;
    type InitError = ();
    type Future = Ready<Result<Self::Transform, Self::InitError>>;

    fn new_transform(&self, service: S) -> Self::Future {
        let (service, known) = (Rc::new(service), Rc::new(PassCache::new()));
        ready(Ok(BasicLoginService { service, login: self.clone(), known }))
    }
}

#[doc(hidden)]
pub struct BasicLoginService<S> {
    service: Rc<S>,
    login: BasicLogin,
    known: Rc<PassCache>,
}

impl<S> fmt::Debug for BasicLoginService<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BasicLoginService").field("login", &self.login).finish_non_exhaustive()
    }
}

impl<S, B> Service<ServiceRequest> for BasicLoginService<S>
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = Error> + 'static,
    S::Future: 'static,
    B: MessageBody + 'static,
{
    type Response = ServiceResponse<EitherBody<B>>;
    type Error = Error;
    type Future = LocalBoxFuture<'static, Result<Self::Response, Self::Error>>;

    forward_ready!(service);

    fn call(&self, req: ServiceRequest) -> Self::Future {
        let (service, login) = (Rc::clone(&self.service), self.login.clone());
        let known = Rc::clone(&self.known);
        Box::pin(async move {
            // No clone of the request is kept: routing needs it alone.
            let session = req.get_session();
            // Always `Ok`: SessionMiddleware saves nothing when what it wraps returns an error.
            let req = match login.admit(req, &session, &known).await {
                Ok(req) => req,
                Err(response) => return Ok(response.map_into_right_body()),
            };
            let mut response = service.call(req).await?;
            if let Err(error) = drop_revoked_entry_if_written(&session, &login.config).await {
                // Its session must not be saved: it may hold a login that has ended.
                let req = response.request();
                return Err(response::error_response(&login.config, req, error.into()));
            }
            if !response.headers().contains_key(CACHE_CONTROL) {
                response::no_store(response.headers_mut());
            }
            Ok(response.map_into_left_body())
        })
    }
}

/// Left in a request whose credentials were typed at this very path, and in which realm.
pub(crate) struct LoggedInHere(pub(crate) String);

impl BasicLogin {
    /// Lets a request pass, with its [`User`], or answers it. What most requests do without is in a
    /// box, so that they need not make room for it.
    async fn admit(
        &self,
        req: ServiceRequest,
        session: &Session,
        known: &PassCache,
    ) -> Result<ServiceRequest, ServiceResponse> {
        let config = &*self.config;
        if logout::is_replacing(config, req.request()) {
            return Err(Box::pin(self.replace(req, session)).await);
        }
        let spot = known.find(config, req.request(), session);
        if let Some(spot) = &spot {
            match spot.get(config).await {
                Ok(None) => {}
                Ok(user) => {
                    Self::pass(&req, user);
                    return Ok(req);
                }
                Err(error) => return Err(self.error_response(req, error)),
            }
        }
        Box::pin(self.read(req, session, known, spot)).await
    }

    /// Answers the page answer's script.
    async fn replace(&self, req: ServiceRequest, session: &Session) -> ServiceResponse {
        let replaced = async {
            let mut visit = RequestContext::read(&self.config, req.request(), session).await?;
            logout::replace(self, req.request(), &mut visit).await
        };
        match replaced.await {
            Ok(response) => req.into_response(response),
            Err(error) => self.error_response(req, error),
        }
    }

    /// Lets a request pass, or answers it, that is not known.
    async fn read(
        &self,
        mut req: ServiceRequest,
        session: &Session,
        known: &PassCache,
        spot: Option<CacheLookup>,
    ) -> Result<ServiceRequest, ServiceResponse> {
        let config = &*self.config;
        let mut visit = match RequestContext::read(config, req.request(), session).await {
            Ok(visit) => visit,
            Err(error) => return Err(self.error_response(req, error)),
        };
        visit.notice_missing_cookies(config);
        config.misuse.look_at_cookie(config, req.request(), &visit);
        let refuse = 'refused: {
            let (good, bad) = match authenticate(&visit.ask(config, req.path())) {
                Decision::Pass => {
                    let user = User::of(&self.config, &visit);
                    if let (Some(spot), Some(user)) = (spot, &user) {
                        known.insert(&spot, config, &visit, user);
                    }
                    if let Err(error) = visit.keep(config, req.request(), false).await {
                        return Err(self.error_response(req, error));
                    }
                    Self::pass(&req, user);
                    return Ok(req);
                }
                Decision::Refuse(refuse) => break 'refused refuse,
                Decision::Check { good, bad } => (good, bad),
            };
            // Only credentials that could be read are ever checked.
            let Authorization::Basic(credentials) = &visit.authorization else {
                break 'refused bad;
            };
            let verdict;
            (req, verdict) = config.checker.check(req, credentials, good).await;
            let verdict = match verdict {
                Ok(verdict) => verdict,
                Err(error) => return Err(self.error_response(req, error)),
            };
            // Somebody may have logged out while the authenticator was thinking.
            match visit.notice_logout(config).await {
                Ok(false) => {}
                Ok(true) => match authenticate(&visit.ask(config, req.path())) {
                    Decision::Refuse(refuse) => break 'refused refuse,
                    _ => break 'refused bad,
                },
                Err(error) => return Err(self.error_response(req, error)),
            }
            if verdict {
                return match self.let_in(&req, &mut visit, good).await {
                    Ok(()) => Ok(req),
                    Err(error) => Err(self.error_response(req, error)),
                };
            }
            if good == OnSuccess::Confirm {
                if let Err(error) = visit.end(config).await {
                    return Err(self.error_response(req, error));
                }
                let user = visit.user_id();
                tracing::info!(realm = %config.realm, user, "login no longer accepted");
            }
            bad
        };
        Err(Box::pin(self.refuse(req, visit, refuse)).await)
    }

    /// An error that says nothing about the credentials, and changes nothing.
    fn error_response(&self, req: ServiceRequest, error: impl Into<Error>) -> ServiceResponse {
        let error = response::error_response(&self.config, req.request(), error.into());
        let mut response = req.error_response(error);
        response::no_store(response.headers_mut());
        response
    }

    fn pass(req: &ServiceRequest, user: Option<User>) {
        if let Some(user) = user {
            req.extensions_mut().insert(user);
        }
    }

    /// Remembers what good credentials lead to.
    async fn let_in(
        &self,
        req: &ServiceRequest,
        visit: &mut RequestContext,
        good: OnSuccess,
    ) -> Result<(), RevocationError> {
        let config = &self.config;
        match good {
            OnSuccess::LogIn => {
                let path = Place::of(req.path());
                let typed_here = matches!(
                    &visit.state,
                    State::Rechallenged { path: at, .. } | State::Prompted { path: at, .. } if *at == path
                );
                visit.log_in(config, req.request()).await?;
                if typed_here {
                    req.extensions_mut().insert(LoggedInHere(config.realm.to_string()));
                }
                tracing::info!(realm = %config.realm, user = visit.user_id(), "logged in");
            }
            OnSuccess::Confirm => visit.keep(config, req.request(), true).await?,
            OnSuccess::Stateless => {
                tracing::debug!(realm = %config.realm, user = visit.user_id(), "let in once");
            }
        }
        let user = match good {
            OnSuccess::LogIn | OnSuccess::Confirm => User::of(config, visit),
            OnSuccess::Stateless => User::of_program(config, visit),
        };
        Self::pass(req, user);
        Ok(())
    }

    async fn refuse(
        &self,
        req: ServiceRequest,
        mut visit: Box<RequestContext>,
        refuse: Refusal,
    ) -> ServiceResponse {
        let Refusal { how, reason, next } = refuse;
        let config = &*self.config;
        if reason == Reason::WrongCredentials {
            let user = visit.user_id();
            tracing::warn!(realm = %config.realm, user, path = req.path(), "wrong credentials");
        } else {
            tracing::debug!(realm = %config.realm, ?reason, ?how, path = req.path(), "refused");
        }
        let mut response = response::refuse(config, req.request(), visit.client, how, reason);
        if let Some(next) = next {
            if let Err(error) = visit.write(config, req.request(), next).await {
                return self.error_response(req, error);
            }
            response = Misuse::watch(self, req.request(), &visit.session, response);
        }
        req.into_response(response)
    }
}
