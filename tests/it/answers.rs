//! Responses of the crate: status, challenge, headers and texts, and the secrets that none may contain.

#![expect(clippy::expect_used, reason = "what fails here is a test")]

mod authenticators;
mod canonical_ids;
mod credential_cache;
mod cross_site;
mod directory;
mod htpasswd;
mod leaks;
mod own_responses;
mod page_texts;
mod pass_cache;
mod passwords;
mod refusals;
mod reverification;
mod secrets;
mod set_up;
mod throttle;
mod users;

use std::{
    future::Future,
    pin::Pin,
    rc::Rc,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    task::{Context, Poll, Waker},
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use actix_basic_logout::{BasicLogin, BasicLoginBuilder, User, test::Clock};
use actix_session::{SessionMiddleware, storage::CookieSessionStore};
use actix_web::{
    App, Error, HttpRequest,
    body::MessageBody,
    cookie::{Cookie, Key},
    dev::{Service, ServiceFactory, ServiceRequest, ServiceResponse},
    http::{StatusCode, header::HeaderMap},
    middleware::Next,
    test::{self, TestRequest},
    web,
};
use actix_web_httpauth::extractors::basic::BasicAuth;
use base64::{Engine, prelude::BASE64_STANDARD};
use futures_core::future::LocalBoxFuture;

const FIREFOX: &str = "Mozilla/5.0 (X11; Linux x86_64; rv:153.0) Gecko/20100101 Firefox/153.0";
const CHALLENGE: &str = r#"Basic realm="Admin area", charset="UTF-8""#;
const QUIET_CHALLENGE: &str = r#"xBasic realm="Admin area", charset="UTF-8""#;

/// A realm with one user and a stopped clock.
fn realm() -> BasicLoginBuilder {
    BasicLogin::builder("Admin area", is_alice).landing_path("/admin/").clock(noon)
}

async fn is_alice(_: &HttpRequest, credentials: &BasicAuth) -> Result<bool, Error> {
    Ok((credentials.user_id(), credentials.password()) == ("alice", Some("wonderland")))
}

fn noon() -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(43_200)
}

/// A clock that shows noon until a test sets it.
#[derive(Clone)]
struct Watch(Clock);

impl Watch {
    fn new() -> Self {
        Self(Clock::starting_at(noon()))
    }

    /// Advances the clock to so many seconds after noon.
    fn set(&self, seconds: u64) {
        let ahead = Duration::from_secs(seconds).checked_sub(self.seconds());
        self.0.advance(ahead.expect("a later time"));
    }

    fn seconds(&self) -> Duration {
        self.0.system_time()().duration_since(noon()).expect("a time after noon")
    }

    fn instant(&self) -> impl Fn() -> Instant + Send + Sync + 'static {
        self.0.instant()
    }

    fn system_time(&self) -> impl Fn() -> SystemTime + Send + Sync + 'static {
        self.0.system_time()
    }
}

/// Polls a future once, and returns its output if it is ready.
fn poll_once<F: Future + ?Sized>(future: &mut Pin<Box<F>>) -> Option<F::Output> {
    match future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => Some(output),
        Poll::Pending => None,
    }
}

fn session() -> SessionMiddleware<CookieSessionStore> {
    SessionMiddleware::new(CookieSessionStore::default(), Key::from(&[7; 64]))
}

/// An application that answers requests. It hides the types of the middleware.
struct Site(Box<dyn Fn(TestRequest) -> LocalBoxFuture<'static, Answer>>);

async fn start<T, B>(app: App<T>) -> Site
where
    T: ServiceFactory<
            ServiceRequest,
            Config = (),
            Response = ServiceResponse<B>,
            Error = Error,
            InitError = (),
        > + 'static,
    B: MessageBody + 'static,
{
    let app = Rc::new(test::init_service(app).await);
    Site(Box::new(move |req| {
        let app = Rc::clone(&app);
        Box::pin(async move { Answer::of(app.call(req.to_request()).await).await })
    }))
}

/// A protected `/admin/` that shows the user-id, a public page, and a logout inside and outside.
async fn site(login: &BasicLogin) -> Site {
    let admin = web::scope("/admin")
        .wrap(login.clone())
        .route("/logout", web::to(login.logout()))
        .default_service(web::to(async |user: User| user.id().to_owned()));
    let app = App::new()
        .service(admin)
        .route("/logout", web::to(login.logout()))
        .route("/", web::get().to(async || "welcome"))
        .wrap(session());
    start(app).await
}

/// A navigation.
fn page(path: &str) -> TestRequest {
    from_page(path)
        .insert_header(("Sec-Fetch-Mode", "navigate"))
        .insert_header(("Upgrade-Insecure-Requests", "1"))
        .insert_header(HTML)
}

/// A fetch by a page of this site.
fn fetch(path: &str) -> TestRequest {
    from_page(path).insert_header(("Sec-Fetch-Mode", "cors")).insert_header(("Accept", "*/*"))
}

fn from_page(path: &str) -> TestRequest {
    TestRequest::get()
        .uri(path)
        .insert_header(("User-Agent", FIREFOX))
        .insert_header(("Accept-Language", "en"))
        .insert_header(("Sec-Fetch-Site", "same-origin"))
}

/// A request of curl.
fn non_browser(path: &str) -> TestRequest {
    TestRequest::get().uri(path).insert_header(("User-Agent", "curl/8.14.1"))
}

const HTML: (&str, &str) = ("Accept", "text/html,application/xhtml+xml,*/*;q=0.8");

fn basic(user_id: &str, password: &str) -> (&'static str, String) {
    let credentials = BASE64_STANDARD.encode(format!("{user_id}:{password}"));
    ("Authorization", format!("Basic {credentials}"))
}

fn alice() -> (&'static str, String) {
    basic("alice", "wonderland")
}

#[derive(Debug)]
struct Answer {
    status: StatusCode,
    status_text: String,
    headers: HeaderMap,
    body: String,
    cookies: Vec<Cookie<'static>>,
}

impl Answer {
    async fn of(response: Result<ServiceResponse<impl MessageBody>, Error>) -> Self {
        let response = response.expect("a response");
        let head = response.response().head();
        let (status, status_text) = (head.status, head.reason().to_owned());
        let headers = response.headers().clone();
        let cookies = response.response().cookies().map(Cookie::into_owned).collect();
        let body = test::read_body(response).await;
        let body = String::from_utf8(body.to_vec()).expect("text");
        Self { status, status_text, headers, body, cookies }
    }

    /// The header of this name. Panics if there are several.
    #[track_caller]
    fn header(&self, name: &str) -> Option<&str> {
        let mut values = self.headers.get_all(name);
        let value = values.next().map(|value| value.to_str().expect("text"));
        assert!(values.next().is_none(), "several {name}");
        value
    }

    #[track_caller]
    fn challenge(&self) -> Option<&str> {
        self.header("WWW-Authenticate")
    }

    /// The reserved password that the script of a logout page sends.
    fn reserved_password(&self) -> Option<&str> {
        self.body.split("data-password=\"").nth(1)?.split('"').next()
    }

    #[track_caller]
    fn session(&self) -> Cookie<'static> {
        self.cookies.iter().find(|it| it.name() == "id").expect("a session cookie").clone()
    }
}

/// Converts an error to a response, as the server does.
async fn answer_errors(
    req: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse, Error> {
    Ok(match next.call(req).await {
        Ok(response) => response.map_into_boxed_body(),
        Err(error) => {
            let req = TestRequest::default().to_http_request();
            ServiceResponse::new(req, error.error_response())
        }
    })
}

async fn ask(site: &Site, req: TestRequest) -> Answer {
    site.0(req).await
}

/// Logs alice in at `/admin/`, and returns her session cookie.
async fn log_in(site: &Site) -> Cookie<'static> {
    let challenged = ask(site, page("/admin/")).await;
    assert_eq!(challenged.challenge(), Some(CHALLENGE));
    let typed = page("/admin/").cookie(challenged.session()).insert_header(alice());
    let welcome = ask(site, typed).await;
    assert_eq!((welcome.status, &*welcome.body), (StatusCode::OK, "alice"));
    welcome.session()
}
