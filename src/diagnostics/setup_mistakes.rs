//! Detects mistakes in an application's setup, and logs each once with its cause and fix.
//!
//! A lost session and missing cookies look the same in a browser: it cannot log in.

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
    http::header::{HeaderValue, USER_AGENT},
    web::Bytes,
};

use crate::{
    request::{origin::has_cookie, path::start_of},
    session::entry,
};

/// A warning is logged after this number of browsers in a row have answered a challenge without a cookie.
const REPORT_AFTER: u32 = 3;

/// The mistakes that a realm has already logged, and its counter of missing cookies.
#[derive(Debug)]
pub(crate) struct SetupMistakes {
    realm: Arc<str>,
    entry_key: String,
    session_cookie: String,
    reported_lost_session: AtomicBool,
    reported_missing_cookies: AtomicBool,
    reported_cookie_name: AtomicBool,
    reported_several_cookies: AtomicBool,
    reported_imitated_browser: AtomicBool,
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
            reported_several_cookies: AtomicBool::default(),
            reported_imitated_browser: AtomicBool::default(),
            without_cookie: AtomicU32::default(),
        })
    }

    /// Checks a navigation without a login: does it carry the session cookie, or does it have a session without that
    /// cookie?
    pub(crate) fn check_cookie(&self, req: &HttpRequest, is_fresh: bool, has_credentials: bool) {
        let Self { realm, session_cookie: cookie, .. } = self;
        if has_cookie(req, cookie) {
            self.without_cookie.store(0, Relaxed);
        } else if !is_fresh {
            if !self.reported_cookie_name.swap(true, Relaxed) {
                tracing::error!(
                    %realm, cookie,
                    "a request has a session, but not the configured session cookie: pass the \
                     cookie's name to `session_cookie`, or requests in flight may undo a logout"
                );
            }
        } else if has_credentials
            && self.without_cookie.fetch_add(1, Relaxed) + 1 == REPORT_AFTER
            && !self.reported_missing_cookies.swap(true, Relaxed)
        {
            tracing::warn!(
                %realm, cookie,
                "browsers answer challenges without the session cookie, so they prompt again and \
                 again: on plain HTTP, except on localhost, browsers drop a `Secure` cookie; \
                 serve HTTPS, or build SessionMiddleware with `cookie_secure(false)`; also check \
                 the cookie's domain and path"
            );
        }
    }

    /// Reports a request that carries credentials and no session cookie, and was refused because its headers are those
    /// of a browser.
    pub(crate) fn report_imitated_browser(&self, req: &HttpRequest) {
        if !self.reported_imitated_browser.swap(true, Relaxed) {
            let user_agent = req.headers().get(USER_AGENT).map(HeaderValue::as_bytes);
            let user_agent = String::from_utf8_lossy(user_agent.unwrap_or_default());
            tracing::warn!(
                realm = %self.realm, user_agent = start_of(&user_agent), path = start_of(req.path()),
                "a client with credentials was refused because it looks like a browser and sends no session \
                 cookie: if it is a program, let `classify_with` return `RequestKind::NonBrowser` for it"
            );
        }
    }

    /// Reports a request that carries several cookies of the session's name, or a forged one.
    pub(crate) fn report_several_cookies(&self) {
        let Self { realm, session_cookie: cookie, .. } = self;
        if !self.reported_several_cookies.swap(true, Relaxed) {
            tracing::warn!(
                %realm, cookie,
                "a request has two session cookies, or one with an encoded name, so its login may be \
                 hidden and its logout may fail: another path, a sibling subdomain or an attacker has set \
                 one of them; give the cookie a name that begins with `__Host-`, and no other \
                 application the same name"
            );
        }
    }

    /// Wraps the body of a response that follows a write to the session. When the response has passed all middleware,
    /// the body checks whether the session was saved.
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

/// Shows whether its request still exists. A request is dropped when the response has left the outermost middleware.
struct Alive(#[expect(dead_code, reason = "dropped with the request")] Rc<()>);

struct Watch {
    setup: Arc<SetupMistakes>,
    session: Session,
    request: Weak<()>,
}

impl Watch {
    /// Logs an error if the session entry was not saved.
    ///
    /// The server polls the body of a response last, so a client that disconnects earlier causes no false alarm.
    /// Neither does a middleware that reads bodies, because the request still exists then.
    fn check(&self) {
        let setup = &self.setup;
        if self.request.strong_count() == 0
            && entry::contains(&self.session, &setup.entry_key)
            && !setup.reported_lost_session.swap(true, Relaxed)
        {
            tracing::error!(
                realm = %setup.realm,
                "the session was not saved, so browsers cannot log in: SessionMiddleware \
                 is missing, or inside BasicLogin; wrap it around BasicLogin, with a `.wrap` that \
                 comes later"
            );
        }
    }
}

/// A body that checks whether the session was saved before it sends anything.
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
