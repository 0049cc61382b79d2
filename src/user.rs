//! Who is logged in, for handlers.

use std::{sync::Arc, time::SystemTime};

use actix_web::{
    Error, FromRequest, HttpMessage, HttpRequest, HttpResponse, dev::Payload, error::InternalError,
};
use futures_core::future::LocalBoxFuture;

use crate::{
    challenge,
    client::Client,
    config::{BasicLogin, Config},
    credentials::Authorization,
    decision::{Decision, Good, How, decide},
    login::State,
    notice::Reason,
    visit::Visit,
};

/// Who is logged in, and since when.
///
/// An extractor: `User` demands a login, `Option<User>` does not. In a handler behind the
/// middleware it is always there.
///
/// Elsewhere it is there if the browser is logged in and has sent its credentials along; register
/// the realm with `.app_data(login.clone())`, or it never is (nor with
/// [validators](BasicLogin::with_validator), which need the middleware's request).
/// Where it is demanded and missing,
/// the answer is 401. Its challenge opens no dialog, because nobody could log in there, but for a
/// browser that is logged in and has only not sent its credentials to this path: it repeats the
/// request by itself. Programs get the plain challenge.
///
/// ```
/// use actix_basic_logout::User;
///
/// async fn greet(user: Option<User>) -> String {
///     match user {
///         Some(user) => format!("Hello, {}", user.id()),
///         None => "Hello, whoever you are".to_owned(),
///     }
/// }
/// # use actix_web::{App, test, web};
/// # actix_web::rt::System::new().block_on(async {
/// let app = test::init_service(App::new().route("/", web::get().to(greet))).await;
/// let body = test::call_and_read_body(&app, test::TestRequest::get().to_request()).await;
/// assert_eq!(body, "Hello, whoever you are");
/// # });
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    pub(crate) id: String,
    pub(crate) realm: Arc<str>,
    pub(crate) since: SystemTime,
}

impl User {
    /// The user-id (RFC 7617, section 2), as the authenticator agreed to it. It may be empty if
    /// the authenticator takes empty ones.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The realm that the user is logged in to.
    #[must_use]
    pub fn realm(&self) -> &str {
        &self.realm
    }

    /// When the login happened. For a program without a session: now.
    #[must_use]
    pub fn since(&self) -> SystemTime {
        self.since
    }

    pub(crate) fn of(config: &Config, state: &State) -> Option<Self> {
        match state {
            State::LoggedIn(login) => Some(Self {
                id: login.user.clone(),
                realm: Arc::clone(&config.realm),
                since: login.since(),
            }),
            _ => None,
        }
    }
}

impl FromRequest for User {
    type Error = Error;
    type Future = LocalBoxFuture<'static, Result<Self, Error>>;

    fn from_request(req: &HttpRequest, _: &mut Payload) -> Self::Future {
        let found = req.extensions().get::<Self>().cloned();
        let req = req.clone();
        Box::pin(async move {
            match found {
                Some(user) => Ok(user),
                None => outside(&req).await,
            }
        })
    }
}

/// The user of a request that has not come through the middleware.
async fn outside(req: &HttpRequest) -> Result<User, Error> {
    let Some(BasicLogin { config }) = req.app_data::<BasicLogin>() else {
        tracing::debug!(
            path = req.path(),
            "a User was extracted outside BasicLogin, and no BasicLogin is in the app_data"
        );
        return Err(login_required(challenge::refuse_without_realm(req)));
    };
    let mut visit = Visit::read(config, req);
    let decision = decide(&visit.ask(config, req.path()));
    let is_in = match (&decision, &visit.authorization) {
        (Decision::Pass, _) => {
            visit.keep(config, req, false);
            true
        }
        (Decision::Check { good: Good::Confirm, .. }, Authorization::Basic(credentials)) => {
            let agreed = match config.checker.reverify(req, credentials).await {
                Ok(agreed) => agreed,
                Err(error) => return Err(challenge::own_error(config, req, visit.client, error)),
            };
            let is_in = agreed && !visit.notice_log_out();
            if is_in {
                visit.keep(config, req, true);
            }
            is_in
        }
        _ => false,
    };
    if let Some(user) = User::of(config, &visit.state).filter(|_| is_in) {
        return Ok(user);
    }
    let logged_in_but_not_sent = matches!(visit.state, State::LoggedIn(_))
        && matches!(visit.authorization, Authorization::Missing);
    let how = match visit.client {
        Client::Program => How::Challenge,
        _ if logged_in_but_not_sent => How::Challenge,
        _ => How::Quietly,
    };
    let response = challenge::refuse(config, req, visit.client, how, Reason::LoginRequired);
    Err(login_required(response))
}

fn login_required(response: HttpResponse) -> Error {
    InternalError::from_response("login required", response).into()
}
