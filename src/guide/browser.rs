// What examples of the documentation include: who may log in, an application, a browser in front
// of it, and a clock.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use actix_basic_logout::{BasicLogin, User};
use actix_http::Request;
use actix_session::{SessionMiddleware, storage::CookieSessionStore};
use actix_web::{
    App, Error, HttpRequest,
    body::MessageBody,
    cookie::{Cookie, Key},
    dev::{Service, ServiceResponse},
    test::{self, TestRequest},
    web,
};
use actix_web_httpauth::{extractors::basic::BasicAuth, headers::authorization::Basic};

const ALICE: (&str, &str) = ("Authorization", "Basic YWxpY2U6d29uZGVybGFuZA=="); // alice:wonderland
const WRONG: (&str, &str) = ("Authorization", "Basic YWxpY2U6eA=="); // alice:x
/// `wonderland`, in no time.
const HASHED: &str = "$2y$04$qqxtSNcE5L3nZxkNayxMDOGS1/Xpv5quGRK8y21J1utjVbTHTJ5Au";

async fn users(_: &HttpRequest, it: &BasicAuth) -> Result<bool, Error> {
    Ok((it.user_id(), it.password()) == ("alice", Some("wonderland")))
}

fn basic(user_id: &str, password: &str) -> BasicAuth {
    Basic::new(user_id.to_owned(), Some(password.to_owned())).into()
}

fn from(address: &str) -> TestRequest {
    TestRequest::default().peer_addr(format!("{address}:80").parse().expect("an address"))
}

fn sessions() -> SessionMiddleware<CookieSessionStore> {
    SessionMiddleware::new(CookieSessionStore::default(), Key::from(&[7; 64]))
}

/// A browser, with the session and the credentials that it sends along.
struct Browser<S> {
    app: S,
    session: Option<Cookie<'static>>,
    credentials: Option<(&'static str, &'static str)>,
}

/// In front of an application with a realm at `/admin/`, where everything greets, and its log-out.
async fn browser(
    login: &BasicLogin,
) -> Browser<
    impl Service<Request, Response = ServiceResponse<impl MessageBody + use<>>, Error = Error> + use<>,
> {
    let greet = web::to(async |user: User| format!("Hello, {}", user.id()));
    let app = App::new()
        .service(web::scope("/admin").wrap(login.clone()).default_service(greet))
        .route("/logout", web::to(login.logout()))
        .wrap(sessions());
    Browser::new(test::init_service(app).await)
}

impl<S, B> Browser<S>
where
    S: Service<Request, Response = ServiceResponse<B>, Error = Error>,
    B: MessageBody,
{
    fn new(app: S) -> Self {
        Self { app, session: None, credentials: None }
    }

    /// Its user opens a page of the realm, is asked, and types.
    async fn log_in(&mut self) {
        self.credentials = None;
        assert_eq!(self.open("/admin/").await.status(), 401);
        self.credentials = Some(ALICE);
        assert_eq!(self.open("/admin/").await.status(), 200);
    }

    async fn open(&mut self, path: &str) -> ServiceResponse<B> {
        self.send(TestRequest::with_uri(path).insert_header(("Accept", "text/html"))).await
    }

    /// A script of the page does.
    async fn fetch(&mut self, path: &str) -> ServiceResponse<B> {
        self.send(TestRequest::with_uri(path).insert_header(("Sec-Fetch-Mode", "cors"))).await
    }

    async fn send(&mut self, req: TestRequest) -> ServiceResponse<B> {
        let mut req = req.insert_header(("User-Agent", "Mozilla/5.0"));
        if let Some(session) = &self.session {
            req = req.cookie(session.clone());
        }
        if let Some(credentials) = self.credentials {
            req = req.insert_header(credentials);
        }
        let answer = test::call_service(&self.app, req.to_request()).await;
        if let Some(session) = answer.response().cookies().next() {
            self.session = Some(session.into_owned());
        }
        answer
    }
}

async fn text(answer: ServiceResponse<impl MessageBody>) -> String {
    String::from_utf8_lossy(&test::read_body(answer).await).into_owned()
}

/// A clock that stands until it is put forward.
#[derive(Default)]
struct Watch(Arc<AtomicU64>);

impl Watch {
    fn forward(&self, by: Duration) {
        self.0.fetch_add(by.as_secs(), Relaxed);
    }

    fn passed(&self) -> impl Fn() -> Duration + Send + Sync + use<> {
        let seconds = Arc::clone(&self.0);
        move || Duration::from_secs(seconds.load(Relaxed))
    }

    fn system_time(&self) -> impl Fn() -> SystemTime + Send + Sync + use<> {
        let passed = self.passed();
        move || UNIX_EPOCH + passed()
    }

    fn instant(&self) -> impl Fn() -> Instant + Send + Sync + use<> {
        let (start, passed) = (Instant::now(), self.passed());
        move || start + passed()
    }
}
