//! Mistakes in an application's setup, reported once in its log with the cause and the fix.
//!
//! Both mistakes look the same from a browser: it prompts again and again.

use std::{
    fmt,
    pin::Pin,
    rc::{Rc, Weak},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, Ordering::Relaxed},
    },
    task::{Context, Poll},
};

use actix_session::Session;
use actix_web::{
    HttpMessage, HttpRequest, HttpResponse,
    body::{BodySize, BoxBody, MessageBody},
    web::Bytes,
};

use crate::{request::origin::has_cookie, session::entry};

/// After how many browsers in a row that answer a challenge without a cookie the log warns.
const REPORT_AFTER: u32 = 3;

/// What a realm has reported, and what it counts.
#[derive(Debug)]
pub(crate) struct SetupMistakes {
    realm: Arc<str>,
    entry_key: String,
    session_cookie: String,
    reported_lost_session: AtomicBool,
    reported_missing_cookies: AtomicBool,
    reported_cookie_name: AtomicBool,
    without_cookie: AtomicU32,
}

impl SetupMistakes {
    pub(crate) fn new(realm: &Arc<str>, entry_key: &str, session_cookie: &str) -> Arc<Self> {
        Arc::new(Self {
            realm: Arc::clone(realm),
            entry_key: entry_key.to_owned(),
            session_cookie: session_cookie.to_owned(),
            reported_lost_session: AtomicBool::default(),
            reported_missing_cookies: AtomicBool::default(),
            reported_cookie_name: AtomicBool::default(),
            without_cookie: AtomicU32::default(),
        })
    }

    /// Checks the cookie of a navigation without a login: whether it came, and whether there was a session without it.
    pub(crate) fn check_cookie(&self, req: &HttpRequest, is_fresh: bool, has_credentials: bool) {
        let Self { realm, session_cookie: cookie, .. } = self;
        if has_cookie(req, cookie) {
            self.without_cookie.store(0, Relaxed);
        } else if !is_fresh {
            if !self.reported_cookie_name.swap(true, Relaxed) {
                tracing::error!(
                    %realm, cookie,
                    "a session came without the cookie that it should be in: tell BasicLogin its \
                     name with `session_cookie`, or requests that race a logout may undo it"
                );
            }
        } else if has_credentials
            && self.without_cookie.fetch_add(1, Relaxed) + 1 == REPORT_AFTER
            && !self.reported_missing_cookies.swap(true, Relaxed)
        {
            tracing::warn!(
                %realm, cookie,
                "browsers answer challenges without the session's cookie, so they prompt again and \
                 again: over plain http, except on localhost, they drop a cookie that is `Secure`; \
                 serve https, or build SessionMiddleware with `cookie_secure(false)`; also check \
                 the cookie's domain and path"
            );
        }
    }

    /// Has the response check, once it has passed all middleware, whether what was written to the session was saved.
    pub(crate) fn watch_session(
        self: &Arc<Self>,
        req: &HttpRequest,
        session: &Session,
        response: HttpResponse,
    ) -> HttpResponse {
        if self.reported_lost_session.load(Relaxed) {
            return response;
        }
        let alive = Rc::new(());
        let request = Rc::downgrade(&alive);
        req.extensions_mut().insert(Alive(alive));
        response.map_body(|_, body| {
            let watch = Watch { setup: Arc::clone(self), session: session.clone(), request };
            BoxBody::new(Watched { body, watch: Some(watch) })
        })
    }
}

/// Lives as long as its request, which ends when the response has left the last middleware.
struct Alive(#[expect(dead_code, reason = "held for its life alone")] Rc<()>);

struct Watch {
    setup: Arc<SetupMistakes>,
    session: Session,
    request: Weak<()>,
}

impl Watch {
    /// The server asks for the body of a response after everything else, so a client that hangs up earlier is no false
    /// alarm. Nor is a middleware that reads bodies: the request still exists then.
    fn check(&self) {
        let setup = &self.setup;
        if self.request.strong_count() == 0
            && entry::contains(&self.session, &setup.entry_key)
            && !setup.reported_lost_session.swap(true, Relaxed)
        {
            tracing::error!(
                realm = %setup.realm,
                "what BasicLogin wrote to the session was lost, so browsers prompt again and again: \
                 SessionMiddleware is missing, or inside BasicLogin; it has to be wrapped around \
                 it, by a `.wrap` that comes later"
            );
        }
    }
}

/// A body that checks the session before it is sent.
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
            watch.check();
        }
        Pin::new(&mut self.body).poll_next(cx)
    }
}
