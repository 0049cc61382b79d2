//! Converts errors of the session store to responses.

use actix_session::storage::{SaveError, UpdateError};
use actix_web::{
    Error,
    body::{EitherBody, MessageBody},
    dev::{ServiceRequest, ServiceResponse},
    error::InternalError,
    middleware::Next,
};

use crate::{
    request::{kind::RequestKind, path::start_of},
    response::responder::without_session,
};

/// Middleware that answers 503 with `Retry-After` (RFC 9110, section 15.6.4) while the session
/// store is unavailable. Without it, the session middleware answers 500.
///
/// Wrap it around the session middleware with [`from_fn`](actix_web::middleware::from_fn). While
/// the store is unavailable, no login can be loaded or saved. Each request that needs the session
/// is refused, and no prompt opens, because the user would type the password in vain. Other errors
/// and responses stay unchanged. The cause is logged at level `error`.
///
/// Sessions in cookies have no store that can be unavailable. There, this middleware only affects a
/// session that is too large for its cookie, because actix-session reports that error in the same
/// way.
///
/// ```
/// use actix_basic_logout::session_store_errors;
/// # use actix_session::storage::{LoadError, SaveError, SessionKey, SessionStore, UpdateError};
/// use actix_session::SessionMiddleware;
/// # use actix_web::{cookie::time::Duration, dev::Service};
/// use actix_web::{App, cookie::Key, middleware::from_fn, test};
/// # use std::collections::HashMap;
/// #
/// # /// A store that is down.
/// # struct Down;
/// # type State = HashMap<String, String>;
/// # impl SessionStore for Down {
/// #     async fn load(&self, _: &SessionKey) -> Result<Option<State>, LoadError> {
/// #         Ok(Some(State::new()))
/// #     }
/// #     async fn save(&self, _: State, _: &Duration) -> Result<SessionKey, SaveError> {
/// #         Err(SaveError::Other(std::io::Error::other("down").into()))
/// #     }
/// #     async fn update(&self, _: SessionKey, _: State, _: &Duration) -> Result<SessionKey, UpdateError> {
/// #         unreachable!()
/// #     }
/// #     async fn update_ttl(&self, _: &SessionKey, _: &Duration) -> Result<(), anyhow::Error> {
/// #         Ok(())
/// #     }
/// #     async fn delete(&self, _: &SessionKey) -> Result<(), anyhow::Error> {
/// #         Ok(())
/// #     }
/// # }
/// # use actix_session::Session;
/// # use actix_web::web;
/// # actix_web::rt::System::new().block_on(async {
/// # let store = Down;
/// # let page = web::to(async |session: Session| session.insert("seen", true).map(|()| "Hello"));
/// let app = App::new()
///     .route("/", page)
///     .wrap(SessionMiddleware::new(store, Key::generate()))
///     .wrap(from_fn(session_store_errors));
/// let app = test::init_service(app).await;
/// // While the store is down:
/// let error = app.call(test::TestRequest::get().to_request()).await.unwrap_err();
/// let answer = error.error_response();
/// assert_eq!(answer.status(), 503);
/// assert_eq!(answer.headers().get("Retry-After").unwrap(), "5");
/// # });
/// ```
///
/// # Errors
///
/// Returns the errors of the inner service, except those of the session store.
pub async fn session_store_errors<B: MessageBody + 'static>(
    req: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<EitherBody<B>>, Error> {
    let (request_kind, path) = (RequestKind::of(req.request()), start_of(req.path()).to_owned());
    match next.call(req).await {
        Ok(response) => Ok(response.map_into_left_body()),
        Err(error) if is_store_error(&error) => {
            tracing::error!(
                %error, path,
                "session store failed, request answered 503: check the session store"
            );
            Err(InternalError::from_response(error, without_session(request_kind)).into())
        }
        Err(error) => Err(error),
    }
}

/// Whether actix-session's middleware made this error from an error of its store.
fn is_store_error(error: &Error) -> bool {
    error.as_error::<InternalError<anyhow::Error>>().is_some()
        || error.as_error::<InternalError<SaveError>>().is_some()
        || error.as_error::<InternalError<UpdateError>>().is_some()
}
