//! The middleware: reads a request, decides, and lets it pass or responds to it.
//!
//! `pass_cache` skips these steps for repeated requests. Uses all modules below it; only `lib.rs` uses it.

mod pass_cache;

use std::{
    fmt,
    future::{Ready, ready},
    rc::Rc,
};

use actix_session::{Session, SessionExt};
use actix_web::{
    Error, HttpMessage, HttpRequest, HttpResponse,
    body::{EitherBody, MessageBody},
    dev::{Service, ServiceRequest, ServiceResponse, Transform, forward_ready},
    http::header::CACHE_CONTROL,
};
use futures_core::future::LocalBoxFuture;

use self::pass_cache::{CacheLookup, PassCache};
use crate::{
    authenticator::reverification::Verified,
    config::BasicLogin,
    context::{RequestContext, drop_revoked_entry},
    decision::{
        authenticate::{Decision, OnSuccess, authenticate},
        facts::Refusal,
    },
    logout::{LoggedInHere, page_script},
    refusal_reason::Reason,
    request::{
        authorization::Authorization,
        path::{RequestPath, start_of},
    },
    response::responder::no_store,
    revocation::store::RevocationError,
    session::state::State,
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
        let (service, cache) = (Rc::new(service), Rc::new(PassCache::new()));
        ready(Ok(BasicLoginService { service, login: self.clone(), cache }))
    }
}

#[doc(hidden)]
pub struct BasicLoginService<S> {
    service: Rc<S>,
    login: BasicLogin,
    cache: Rc<PassCache>,
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
        let cache = Rc::clone(&self.cache);
        Box::pin(async move {
            // Keep no clone of the request: routing needs the only reference to it.
            let session = req.get_session();
            // A refusal is `Ok`: SessionMiddleware does not save the session if the wrapped service returns an error.
            let req = match login.authenticate(req, &session, &cache).await {
                Ok(req) => req,
                Err(response) => return Ok(response.map_into_right_body()),
            };
            let mut response = service.call(req).await?;
            if let Err(error) = drop_revoked_entry(&session, &login.realm, response.request()).await
            {
                // An error keeps the session from being saved: it may hold a revoked login.
                return Err(login.realm.error(response.request(), error.into()));
            }
            if !response.headers().contains_key(CACHE_CONTROL) {
                no_store(response.headers_mut());
            }
            Ok(response.map_into_left_body())
        })
    }
}

/// The outcome of a request: it passes, or this response is sent.
enum Outcome {
    Pass(Option<User>),
    Respond(HttpResponse),
}

impl BasicLogin {
    /// Lets a request pass, with its [`User`], or responds to it. The slow path is boxed to keep this future small.
    async fn authenticate(
        &self,
        req: ServiceRequest,
        session: &Session,
        cache: &PassCache,
    ) -> Result<ServiceRequest, ServiceResponse> {
        if let Some(refusal) = self.realm.refuse_forged_cookie(req.request()) {
            return self.conclude(req, Ok(Outcome::Respond(refusal)));
        }
        if page_script::is_script(&self.realm, req.request()) {
            let response =
                Box::pin(page_script::respond(&self.realm, req.request(), session)).await;
            return self.conclude(req, response.map(Outcome::Respond).map_err(Error::from));
        }
        let lookup = cache.look_up(&self.realm, req.request(), session);
        let cached = match &lookup {
            Some(lookup) => lookup.get(&self.realm).await,
            None => Ok(None),
        };
        match cached {
            Ok(None) => Box::pin(self.authenticate_uncached(req, session, cache, lookup)).await,
            Ok(user) => self.conclude(req, Ok(Outcome::Pass(user))),
            Err(error) => self.conclude(req, Err(error.into())),
        }
    }

    /// Applies an outcome. An error proves nothing about the credentials, so it changes no state.
    #[expect(clippy::result_large_err, reason = "both variants go to actix-web as they are")]
    fn conclude(
        &self,
        req: ServiceRequest,
        outcome: Result<Outcome, Error>,
    ) -> Result<ServiceRequest, ServiceResponse> {
        match outcome {
            Ok(Outcome::Pass(user)) => {
                if let Some(user) = user {
                    req.extensions_mut().insert(user);
                }
                Ok(req)
            }
            Ok(Outcome::Respond(response)) => Err(req.into_response(response)),
            Err(error) => {
                let error = self.realm.error(req.request(), error);
                let mut response = req.error_response(error);
                no_store(response.headers_mut());
                Err(response)
            }
        }
    }

    /// Reads a request that is not in the cache, decides, and applies the decision.
    async fn authenticate_uncached(
        &self,
        req: ServiceRequest,
        session: &Session,
        cache: &PassCache,
        lookup: Option<CacheLookup>,
    ) -> Result<ServiceRequest, ServiceResponse> {
        let realm = &*self.realm;
        let mut context = match RequestContext::read(realm, req.request(), session).await {
            Ok(context) => context,
            Err(error) => return self.conclude(req, Err(error.into())),
        };
        context.notice_missing_cookies(realm, req.request());
        match authenticate(&context.facts(realm, req.path())) {
            Decision::Pass => {
                let user = self.pass(req.request(), &mut context, cache, lookup).await;
                self.conclude(req, user.map(Outcome::Pass).map_err(Error::from))
            }
            Decision::Refuse(refusal) => Box::pin(self.refuse(req, context, refusal)).await,
            Decision::Check { on_success, on_failure } => {
                self.check(req, context, on_success, on_failure).await
            }
        }
    }

    /// Asks the authenticator. A validator takes the request, so errors are converted after it has returned the
    /// request.
    async fn check(
        &self,
        req: ServiceRequest,
        mut context: Box<RequestContext>,
        on_success: OnSuccess,
        on_failure: Refusal,
    ) -> Result<ServiceRequest, ServiceResponse> {
        // Malformed credentials are never checked.
        let Authorization::Basic(credentials) = &context.authorization else {
            return Box::pin(self.refuse(req, context, on_failure)).await;
        };
        let config = &self.realm.config;
        // A validator may add data to the request, so it sees every request.
        let is_shared = on_success == OnSuccess::Confirm && !config.checker.sees_every_request();
        let (req, verified) = if is_shared {
            let verified = Box::pin(context.reverify(&self.realm, req.request(), None)).await;
            (req, verified)
        } else {
            let (req, verdict) = config.checker.authenticate(req, credentials).await;
            (req, verdict.map(|verdict| Verified { verdict, at: context.now }))
        };
        let checked = match verified {
            Ok(verified) => {
                self.conclude_check(req.request(), &mut context, verified, on_success).await
            }
            Err(error) => Err(error),
        };
        let refusal = match checked {
            Ok(Checked::Pass(user)) => return self.conclude(req, Ok(Outcome::Pass(user))),
            Err(error) => return self.conclude(req, Err(error)),
            Ok(Checked::Failed) => on_failure,
            Ok(Checked::LoggedOut(refusal)) => refusal,
        };
        Box::pin(self.refuse(req, context, refusal)).await
    }

    /// Lets a logged-in request pass, and caches it.
    async fn pass(
        &self,
        req: &HttpRequest,
        context: &mut RequestContext,
        cache: &PassCache,
        lookup: Option<CacheLookup>,
    ) -> Result<Option<User>, RevocationError> {
        let user = User::of(&self.realm, req, context);
        if let (Some(lookup), Some(user)) = (lookup, &user) {
            cache.insert(&lookup, &self.realm, context, user);
        }
        context.touch(&self.realm, req, None).await?;
        Ok(user)
    }

    /// Applies the authenticator's verdict: logs in, or confirms the login.
    async fn conclude_check(
        &self,
        req: &HttpRequest,
        context: &mut RequestContext,
        verified: Verified,
        on_success: OnSuccess,
    ) -> Result<Checked, Error> {
        let realm = &*self.realm;
        let mut user = verified.verdict.into_user(context.user_id());
        if on_success == OnSuccess::LogIn
            && let Some(named) = user.as_deref().filter(|it| context.user_id() != Some(it))
            && !Box::pin(self.is_still_named(req, context, named)).await?
        {
            user = None;
        }
        if user.is_some() && on_success == OnSuccess::LogIn {
            Box::pin(context.record_success(realm, req)).await?;
        }
        // A logout may have been handled while the authenticator was checking the credentials.
        if context.has_id() && Box::pin(context.notice_logout(realm, req)).await? {
            return Ok(match authenticate(&context.facts(realm, req.path())) {
                Decision::Refuse(refusal) => Checked::LoggedOut(refusal),
                Decision::Pass | Decision::Check { .. } => Checked::Failed,
            });
        }
        let logged_in = context.login().map(|(_, login)| login.user.clone());
        if on_success == OnSuccess::Confirm && user != logged_in {
            Box::pin(context.end_rejected(realm)).await?;
            return Ok(Checked::Failed);
        }
        let Some(user) = user else { return Ok(Checked::Failed) };
        let verified_at = verified.at;
        Ok(Checked::Pass(self.admit(req, context, on_success, user, verified_at).await?))
    }

    /// Whether the credentials of a login in progress still name this user, who is another one than the presented
    /// user-id names. Begins the user's current epoch.
    ///
    /// Before the check, only the epoch of the presented user-id was known. So a revocation of this user may have come
    /// during the check, after a change of the password that the check did not see.
    async fn is_still_named(
        &self,
        req: &HttpRequest,
        context: &mut RequestContext,
        user: &str,
    ) -> Result<bool, Error> {
        let Some(revocation) = context.enter_epoch_of(&self.realm, user).await? else {
            return Ok(true);
        };
        let verified = context.reverify(&self.realm, req, Some(revocation)).await?;
        Ok(verified.verdict.into_user(context.user_id()).as_deref() == Some(user))
    }

    /// Stores the effect of this user's valid credentials in the session.
    async fn admit(
        &self,
        req: &HttpRequest,
        context: &mut RequestContext,
        on_success: OnSuccess,
        user: String,
        verified_at: u64,
    ) -> Result<Option<User>, RevocationError> {
        let realm = &self.realm;
        match on_success {
            OnSuccess::LogIn => {
                let path = RequestPath::of(req.path());
                let typed_here = matches!(
                    &context.state,
                    State::Rechallenged { path: at, .. } | State::Prompted { path: at, .. }
                        if *at == path
                );
                context.log_in(realm, req, user.clone()).await?;
                if typed_here {
                    req.extensions_mut().insert(LoggedInHere(realm.name.to_string()));
                }
                tracing::info!(realm = %realm.name, user, "logged in");
            }
            OnSuccess::Confirm => context.touch(realm, req, Some(verified_at)).await?,
            OnSuccess::Stateless => {
                tracing::debug!(realm = %realm.name, user, "passed without a session");
                return Ok(Some(User::without_session(realm, context, user)));
            }
        }
        Ok(User::of(realm, req, context))
    }

    /// Writes the next state, if there is one, and responds.
    async fn refuse(
        &self,
        req: ServiceRequest,
        mut context: Box<RequestContext>,
        Refusal { kind, reason, next }: Refusal,
    ) -> Result<ServiceRequest, ServiceResponse> {
        let realm = &*self.realm;
        if reason == Reason::WrongCredentials {
            let user = context.user_id();
            tracing::warn!(realm = %realm.name, user, path = start_of(req.path()), "wrong credentials");
        } else {
            tracing::debug!(realm = %realm.name, ?reason, ?kind, path = start_of(req.path()), "refused");
        }
        let mut response =
            realm.responder.refuse(req.request(), context.request_kind, kind, reason);
        if let Some(next) = next {
            if let Err(error) = context.write(realm, req.request(), *next).await {
                return self.conclude(req, Err(error.into()));
            }
            response = realm.setup.watch_session(req.request(), &context.session, response);
        }
        self.conclude(req, Ok(Outcome::Respond(response)))
    }
}

/// The effect of a check.
enum Checked {
    Pass(Option<User>),
    Failed,
    /// The browser logged out during the check.
    LoggedOut(Refusal),
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;
    use actix_web_httpauth::extractors::basic::BasicAuth;

    use super::*;

    /// The largest allocation that glibc serves from its per-thread cache.
    const QUICK_ALLOCATION: usize = 1032;

    #[actix_web::test]
    async fn request_future_fits_into_a_quick_allocation() {
        let users = async |_: &HttpRequest, _: &BasicAuth| Ok(true);
        let login = BasicLogin::builder("Admin area", users).build().expect("a realm");
        let request = || TestRequest::get().to_srv_request();
        let (session, cache) = (request().get_session(), PassCache::new());
        let cached = login.authenticate(request(), &session, &cache);
        let uncached = login.authenticate_uncached(request(), &session, &cache, None);
        for size in [size_of_val(&cached), size_of_val(&uncached)] {
            assert!(size <= QUICK_ALLOCATION, "{size}");
        }
    }
}
