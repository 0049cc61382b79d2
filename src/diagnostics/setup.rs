//! What an application gets wrong, said once in its log: the cause and the cure.
//!
//! Both mistakes look the same from a browser: it is asked for a password for ever.

use std::{
    fmt,
    pin::Pin,
    rc::{Rc, Weak},
    sync::atomic::{AtomicBool, AtomicU32, Ordering::Relaxed},
    task::{Context, Poll},
};

use actix_session::Session;
use actix_web::{
    HttpMessage, HttpRequest, HttpResponse,
    body::{BodySize, BoxBody, MessageBody},
    web::Bytes,
};

use crate::{
    config::{BasicLogin, Config},
    context::{RequestContext, has_cookie},
    request::kind::RequestKind,
    session::State,
};

/// After how many browsers in a row that answer a challenge without a cookie it is said.
const IN_A_ROW: u32 = 3;

/// What has been said, and what is counted.
#[derive(Debug, Default)]
pub(crate) struct Misuse {
    session_said: AtomicBool,
    cookie_said: AtomicBool,
    name_said: AtomicBool,
    without_cookie: AtomicU32,
}

impl Misuse {
    /// Looks at the cookie that a browser brings, or does not.
    pub(crate) fn look_at_cookie(
        &self,
        config: &Config,
        req: &HttpRequest,
        visit: &RequestContext,
    ) {
        let Config { realm, session_cookie: cookie, .. } = config;
        if matches!(visit.state, State::LoggedIn(_)) || visit.client != RequestKind::Navigation {
            return;
        }
        if has_cookie(req, cookie) {
            self.without_cookie.store(0, Relaxed);
        } else if visit.state != State::Fresh {
            if !self.name_said.swap(true, Relaxed) {
                tracing::error!(
                    %realm, cookie,
                    "a session came without the cookie that it should be in: tell BasicLogin its \
                     name with `session_cookie`, or a log-out may be undone by requests on their way"
                );
            }
        } else if visit.user_id().is_some()
            && self.without_cookie.fetch_add(1, Relaxed) + 1 == IN_A_ROW
            && !self.cookie_said.swap(true, Relaxed)
        {
            tracing::warn!(
                %realm, cookie,
                "browsers answer challenges without the session's cookie, so they are asked for \
                 ever: over plain http, off localhost, they drop a cookie that is `Secure`; serve \
                 https, or build SessionMiddleware with `cookie_secure(false)`; also check the \
                 cookie's domain and path"
            );
        }
    }

    /// Has the answer look, once it has passed all middleware, whether what was written to the
    /// session was taken from it.
    pub(crate) fn watch(
        login: &BasicLogin,
        req: &HttpRequest,
        session: &Session,
        response: HttpResponse,
    ) -> HttpResponse {
        if login.config.misuse.session_said.load(Relaxed) {
            return response;
        }
        let alive = Rc::new(());
        let request = Rc::downgrade(&alive);
        req.extensions_mut().insert(Alive(alive));
        response.map_body(|_, body| {
            BoxBody::new(Watched {
                body,
                watch: Some(Watch { login: login.clone(), session: session.clone(), request }),
            })
        })
    }
}

/// Lives as long as its request, which ends when the answer has left the last middleware.
struct Alive(#[expect(dead_code, reason = "held for its life alone")] Rc<()>);

struct Watch {
    login: BasicLogin,
    session: Session,
    request: Weak<()>,
}

impl Watch {
    /// The body of an answer is asked for by the server, after everything else: a client that
    /// hangs up earlier is no false alarm. Nor is a middleware that reads bodies: the request is
    /// still there then.
    fn look(&self) {
        let config = &self.login.config;
        if self.request.strong_count() == 0
            && self.session.contains_key(&config.entry_key)
            && !config.misuse.session_said.swap(true, Relaxed)
        {
            tracing::error!(
                realm = %config.realm,
                "what BasicLogin wrote to the session was lost, so browsers are asked for ever: \
                 SessionMiddleware is missing, or inside BasicLogin; it has to be wrapped around \
                 it, by a `.wrap` that comes later"
            );
        }
    }
}

/// A body that looks at the session before it is sent.
struct Watched {
    body: BoxBody,
    watch: Option<Watch>,
}

impl fmt::Debug for Watched {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Watched(..)")
    }
}

impl MessageBody for Watched {
    type Error = Box<dyn std::error::Error>;

    fn size(&self) -> BodySize {
        self.body.size()
    }

    fn poll_next(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, Self::Error>>> {
        if let Some(watch) = self.watch.take() {
            watch.look();
        }
        Pin::new(&mut self.body).poll_next(cx)
    }
}
