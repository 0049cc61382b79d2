//! The measured cases: a request, and the site that serves it.

use std::{
    rc::Rc,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, SystemTime},
};

use actix_basic_logout::{BasicLogin, BasicLoginBuilder, Throttle, TryLater};
use actix_http::Request;
use actix_identity::{Identity, IdentityMiddleware};
use actix_session::{
    SessionMiddleware,
    config::CookieContentSecurity,
    storage::{CookieSessionStore, SessionStore},
};
use actix_web::{
    App, Error, HttpMessage, HttpRequest, Resource, body::to_bytes, cookie::Key,
    dev::ServiceRequest, error::ErrorUnauthorized, http::StatusCode, web,
};
use actix_web_httpauth::{extractors::basic::BasicAuth, middleware::HttpAuthentication};
use futures_util::future::FutureExt;

use crate::{
    site::{Answer, Site, Visitor},
    store::{MemoryStore, Revocations},
};

pub const PAGE: &str = "/admin/";
pub const LOGOUT: &str = "/logout";
/// The password of all users.
pub const PASSWORD: &str = "wonderland";
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// A site, and a request to it.
pub struct Case {
    site: Rc<Site>,
    prepare: Box<dyn Fn() -> Request>,
    expected: (StatusCode, &'static str),
}

impl Case {
    fn new(
        site: Rc<Site>,
        status: u16,
        text: &'static str,
        prepare: impl Fn() -> Request + 'static,
    ) -> Self {
        let status = StatusCode::from_u16(status).expect("a status");
        Self { site, prepare: Box::new(prepare), expected: (status, text) }
    }

    /// A case that sends the same request each time.
    fn always(
        site: Site,
        status: u16,
        text: &'static str,
        visitor: &Visitor,
        path: &'static str,
    ) -> Self {
        let visitor = visitor.clone();
        Self::new(Rc::new(site), status, text, move || visitor.request(path))
    }

    /// Prepares a request, after all requests that must precede it.
    #[must_use]
    pub fn prepare(&self) -> Request {
        (self.prepare)()
    }

    pub fn serve(&self, request: Request) -> Answer {
        self.site.serve(request)
    }

    /// Sends one request, and checks that the response is the one that the case's name promises.
    ///
    /// # Panics
    ///
    /// If the response is another one.
    pub fn check(&self) {
        let answer = self.serve(self.prepare()).expect("an answer");
        let (status, text) = self.expected;
        assert_eq!(answer.status(), status);
        let body = to_bytes(answer.into_body()).now_or_never().expect("a body at once");
        let body = body.expect("a whole body");
        let body = String::from_utf8_lossy(&body);
        assert!(body.contains(text), "{text:?} is not in {body}");
    }
}

/// Creates a case.
pub type Make = fn() -> Case;

/// All cases, by name.
pub const CASES: &[(&str, Make)] = &[
    ("bare handler", bare),
    ("session (private cookie)", || session_alone(&private_cookie)),
    ("session (signed cookie)", || session_alone(&signed_cookie)),
    ("session (in memory)", || session_alone(&in_memory())),
    ("httpauth", httpauth),
    ("httpauth, session", httpauth_and_session),
    ("httpauth: non-browser client", httpauth_non_browser),
    ("httpauth, session: non-browser client", httpauth_and_session_non_browser),
    ("identity, session", identity),
    ("logged in (private cookie)", || logged_in(&private_cookie)),
    ("logged in (signed cookie)", || logged_in(&signed_cookie)),
    ("logged in (in memory)", || logged_in(&in_memory())),
    ("non-browser client", non_browser),
    ("login", login),
    ("logout", log_out),
    ("refused: LoginRequired", login_required),
    ("refused: WrongCredentials", wrong_credentials),
    ("refused: LoggedOut", logged_out),
    ("refused: LoginExpired", login_expired),
    ("refused: LoginRevoked", login_revoked),
    ("refused: CredentialsChanged", credentials_changed),
    ("refused: CookiesRequired", cookies_required),
    ("refused: CrossSite", cross_site),
    ("refused: LogoutForbidden", logout_forbidden),
    ("refused: TooManyAttempts", too_many_attempts),
    ("refused: Busy", busy),
    ("refused: Unavailable", unavailable),
];

// The parts of a case.

#[must_use]
pub fn page() -> Resource {
    web::resource(PAGE).get(async || "admin").post(async || "admin")
}

pub fn session<S: SessionStore>(store: S, cookie: CookieContentSecurity) -> SessionMiddleware<S> {
    let builder = SessionMiddleware::builder(store, Key::from(&[7; 64]));
    builder.cookie_content_security(cookie).build()
}

#[must_use]
pub fn private_cookie() -> SessionMiddleware<CookieSessionStore> {
    session(CookieSessionStore::default(), CookieContentSecurity::Private)
}

fn signed_cookie() -> SessionMiddleware<CookieSessionStore> {
    session(CookieSessionStore::default(), CookieContentSecurity::Signed)
}

/// Returns a constructor of session middlewares that share one store.
fn in_memory() -> impl Fn() -> SessionMiddleware<MemoryStore> {
    let store = MemoryStore::default();
    move || session(store.clone(), CookieContentSecurity::Private)
}

fn is_right(credentials: &BasicAuth) -> bool {
    credentials.user_id() == "alice" && credentials.password() == Some(PASSWORD)
}

/// Compares two strings.
///
/// # Errors
///
/// 401 for other credentials.
pub async fn validator(
    req: ServiceRequest,
    credentials: BasicAuth,
) -> Result<ServiceRequest, (Error, ServiceRequest)> {
    if is_right(&credentials) { Ok(req) } else { Err((ErrorUnauthorized("no"), req)) }
}

pub fn realm() -> BasicLoginBuilder {
    let users = async |_: &HttpRequest, credentials: &BasicAuth| Ok(is_right(credentials));
    BasicLogin::builder("Admin area", users).landing_path(PAGE)
}

pub fn site<S: SessionStore + 'static>(
    realm: BasicLoginBuilder,
    session: SessionMiddleware<S>,
) -> (BasicLogin, Site) {
    let login = realm.build().expect("a realm");
    let app = App::new()
        .service(page().wrap(login.clone()))
        .route(LOGOUT, web::post().to(login.logout()))
        .wrap(session);
    (login, Site::new(app))
}

/// A browser that has just logged in.
///
/// # Panics
///
/// If the login fails.
#[must_use]
pub fn browser_in(site: &Site) -> Visitor {
    let mut browser = Visitor::browser();
    assert_eq!(site.visit(&mut browser, PAGE), 401);
    let mut browser = browser.with("alice", PASSWORD);
    assert_eq!(site.visit(&mut browser, PAGE), 200);
    browser
}

// The peers: a bare handler, sessions, actix-web-httpauth and actix-identity.

fn bare() -> Case {
    let browser = browser_in(&site(realm(), private_cookie()).1);
    Case::always(Site::new(App::new().service(page())), 200, "admin", &browser, PAGE)
}

fn session_alone<S: SessionStore + 'static>(session: &dyn Fn() -> SessionMiddleware<S>) -> Case {
    let browser = browser_in(&site(realm(), session()).1);
    let site = Site::new(App::new().service(page()).wrap(session()));
    Case::always(site, 200, "admin", &browser, PAGE)
}

fn httpauth() -> Case {
    let browser = browser_in(&site(realm(), private_cookie()).1);
    let page = page().wrap(HttpAuthentication::basic(validator));
    Case::always(Site::new(App::new().service(page)), 200, "admin", &browser, PAGE)
}

fn httpauth_and_session() -> Case {
    let browser = browser_in(&site(realm(), private_cookie()).1);
    let page = page().wrap(HttpAuthentication::basic(validator));
    let app = App::new().service(page).wrap(private_cookie());
    Case::always(Site::new(app), 200, "admin", &browser, PAGE)
}

fn httpauth_non_browser() -> Case {
    let page = page().wrap(HttpAuthentication::basic(validator));
    let curl = Visitor::non_browser().with("alice", PASSWORD);
    Case::always(Site::new(App::new().service(page)), 200, "admin", &curl, PAGE)
}

fn httpauth_and_session_non_browser() -> Case {
    let page = page().wrap(HttpAuthentication::basic(validator));
    let curl = Visitor::non_browser().with("alice", PASSWORD);
    let app = App::new().service(page).wrap(private_cookie());
    Case::always(Site::new(app), 200, "admin", &curl, PAGE)
}

/// The handler extracts the `Identity`, because the middleware alone refuses nobody.
fn identity() -> Case {
    let app = App::new()
        .route(PAGE, web::get().to(async |_: Identity| "admin"))
        .route(
            "/login",
            web::get().to(async |req: HttpRequest| {
                Identity::login(&req.extensions(), "alice".to_owned()).map(|_| "welcome")
            }),
        )
        .wrap(IdentityMiddleware::default())
        .wrap(private_cookie());
    let site = Site::new(app);
    let mut browser = Visitor::browser();
    assert_eq!(site.visit(&mut browser, "/login"), 200);
    Case::always(site, 200, "admin", &browser, PAGE)
}

// This crate: requests that pass, a login and a logout.

fn logged_in<S: SessionStore + 'static>(session: &dyn Fn() -> SessionMiddleware<S>) -> Case {
    let (_, site) = site(realm(), session());
    let browser = browser_in(&site);
    Case::always(site, 200, "admin", &browser, PAGE)
}

fn non_browser() -> Case {
    let (_, site) = site(realm(), private_cookie());
    Case::always(site, 200, "admin", &Visitor::non_browser().with("alice", PASSWORD), PAGE)
}

fn login() -> Case {
    let (_, site) = site(realm(), private_cookie());
    let mut browser = Visitor::browser();
    assert_eq!(site.visit(&mut browser, PAGE), 401);
    Case::always(site, 200, "admin", &browser.with("alice", PASSWORD), PAGE)
}

/// Each request logs out another login, because a login ends only once.
fn log_out() -> Case {
    let site = Rc::new(site(realm(), private_cookie()).1);
    let at = Rc::clone(&site);
    Case::new(site, 401, "You are logged out", move || browser_in(&at).post().request(LOGOUT))
}

// This crate: refusals.

fn login_required() -> Case {
    let (_, site) = site(realm(), private_cookie());
    Case::always(site, 401, "Login required", &Visitor::browser(), PAGE)
}

fn wrong_credentials() -> Case {
    let (_, site) = site(realm(), private_cookie());
    let mut browser = Visitor::browser();
    assert_eq!(site.visit(&mut browser, PAGE), 401);
    let browser = browser.with("alice", "looking-glass");
    Case::always(site, 401, "Wrong user name or password", &browser, PAGE)
}

fn logged_out() -> Case {
    let (_, site) = site(realm(), private_cookie());
    let mut leaving = browser_in(&site).post();
    assert_eq!(site.visit(&mut leaving, LOGOUT), 401);
    // The logout challenged at its own path, so credentials at another path may be cached ones.
    let mut back = Visitor::browser().with("alice", PASSWORD);
    back.cookie = leaving.cookie;
    Case::always(site, 401, "You are logged out", &back, PAGE)
}

fn login_expired() -> Case {
    let days = Arc::new(AtomicU64::new(0));
    let clock = Arc::clone(&days);
    let realm = realm().login_deadline(DAY).clock(move || {
        SystemTime::UNIX_EPOCH + DAY * u32::try_from(clock.load(Relaxed)).expect("a number of days")
    });
    let site = Rc::new(site(realm, private_cookie()).1);
    let at = Rc::clone(&site);
    Case::new(site, 401, "Your login has expired", move || {
        let browser = browser_in(&at);
        days.fetch_add(1, Relaxed);
        browser.request(PAGE)
    })
}

fn login_revoked() -> Case {
    let (login, site) = site(realm(), private_cookie());
    let site = Rc::new(site);
    let at = Rc::clone(&site);
    Case::new(site, 401, "It was ended by this site", move || {
        let browser = browser_in(&at);
        login.revoke_user("alice").now_or_never().expect("at once").expect("revoked");
        browser.request(PAGE)
    })
}

fn credentials_changed() -> Case {
    let is_user = Arc::new(AtomicBool::new(true));
    let asked = Arc::clone(&is_user);
    let users = async move |_: &HttpRequest, credentials: &BasicAuth| {
        Ok(is_right(credentials) && asked.load(Relaxed))
    };
    let realm = BasicLogin::builder("Admin area", users).reverify_after(Duration::ZERO);
    let site = Rc::new(site(realm, private_cookie()).1);
    let at = Rc::clone(&site);
    Case::new(site, 401, "no longer accepts your password", move || {
        is_user.store(true, Relaxed);
        let browser = browser_in(&at);
        is_user.store(false, Relaxed);
        browser.request(PAGE)
    })
}

fn cookies_required() -> Case {
    let (_, site) = site(realm(), private_cookie());
    let browser = Visitor::browser().with("alice", PASSWORD);
    assert_eq!(site.visit(&mut browser.clone(), PAGE), 401);
    Case::always(site, 401, "Cookies required", &browser, PAGE)
}

fn cross_site() -> Case {
    let (_, site) = site(realm(), private_cookie());
    let form = Visitor::browser().header("sec-fetch-site", "cross-site").post();
    Case::always(site, 403, "came from another site", &form, PAGE)
}

fn logout_forbidden() -> Case {
    let (_, site) = site(realm(), private_cookie());
    let form = browser_in(&site).header("sec-fetch-site", "cross-site").post();
    Case::always(site, 403, "Logout refused", &form, LOGOUT)
}

fn too_many_attempts() -> Case {
    let users = async |_: &HttpRequest, credentials: &BasicAuth| Ok(is_right(credentials));
    let users = Throttle::builder(users).per_user_id(1, DAY).build().expect("a limit");
    let (_, site) = site(BasicLogin::builder("Admin area", users), private_cookie());
    let curl = Visitor::non_browser().with("alice", "looking-glass");
    assert_eq!(site.visit(&mut curl.clone(), PAGE), 401);
    Case::always(site, 429, "Too many attempts", &curl, PAGE)
}

fn busy() -> Case {
    let users = async |_: &HttpRequest, _: &BasicAuth| -> Result<bool, Error> {
        Err(TryLater::busy(Duration::from_secs(1)).into())
    };
    let (_, site) = site(BasicLogin::builder("Admin area", users), private_cookie());
    let curl = Visitor::non_browser().with("alice", PASSWORD);
    Case::always(site, 503, "The server is busy", &curl, PAGE)
}

fn unavailable() -> Case {
    let revocations = Revocations::default();
    let (_, site) = site(realm().revocation_store(revocations.clone()), private_cookie());
    let browser = browser_in(&site);
    revocations.set_broken(true);
    Case::always(site, 503, "Temporarily unavailable", &browser, PAGE)
}
