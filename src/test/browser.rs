use std::{collections::VecDeque, fmt, rc::Rc};

use actix_http::Request;
use actix_web::{
    Error,
    body::{BodyStream, BoxBody, MessageBody, to_bytes},
    cookie::Cookie,
    dev::{Payload, RequestHead, Service, ServiceResponse},
    http::{
        Method, StatusCode,
        header::{self, HeaderName, HeaderValue},
    },
    test::TestRequest,
    web::Bytes,
};
use base64::prelude::{BASE64_STANDARD, Engine as _};
use futures_core::future::LocalBoxFuture;

use super::{
    Response,
    auth_cache::{AuthCache, Engine, Held, Initiator, Reaction},
    challenge::basic_realm,
    cookies::CookieJar,
    request::{HOST, ORIGIN, form, navigation, subresource},
};
use crate::request::authorization::{RESERVED_USER, reserved_password};

/// The maximum number of challenges of one request. Real browsers give up as well.
const MAX_CHALLENGES: usize = 20;

#[derive(Clone, PartialEq, Eq)]
struct Credentials {
    user_id: String,
    password: String,
}

impl Credentials {
    fn new(user_id: &str, password: &str) -> Self {
        Self { user_id: user_id.to_owned(), password: password.to_owned() }
    }

    fn header(&self) -> HeaderValue {
        let Self { user_id, password } = self;
        let text = format!("Basic {}", BASE64_STANDARD.encode(format!("{user_id}:{password}")));
        header_value(&text)
    }
}

enum Answer {
    Types(Credentials),
    Cancels,
}

type App = dyn Fn(Request) -> LocalBoxFuture<'static, Result<ServiceResponse<BoxBody>, Error>>;

/// A simulated browser with its user, for tests of an application.
///
/// It wraps any service that [`actix_web::test::init_service`] returns. It has a cookie jar and a
/// cache of credentials, and it reacts to challenges like real browsers:
///
/// - **Cookies**: The cookie jar stores cookies by name and path, and removes them on `Max-Age=0`
///   or an `Expires` in the past. The browser sends a cookie to the paths that it matches ([RFC
///   6265, section 5.1.4](https://www.rfc-editor.org/rfc/rfc6265#section-5.1.4)). It keeps `Secure`
///   cookies, like real browsers on localhost. It ignores `Domain` and `SameSite`, and no cookie
///   expires as time passes.
/// - **Credentials**: The browser stores credentials for each realm. It sends them without waiting
///   for a challenge to all paths in the directory where the user typed them: the path up to its
///   last slash ([RFC 7617, section 2.2](https://www.rfc-editor.org/rfc/rfc7617#section-2.2)).
/// - **Challenges**: On a 401 with a `Basic` challenge, the browser drops the credentials that the
///   request carried for that realm. If it holds other credentials for the realm, it repeats the
///   request with them. Otherwise it opens a dialog. A scheme that browsers do not know, such as
///   `xBasic`, opens no dialog.
/// - **Scripts**: The browser runs the script on the page of
///   [`LogoutResponse::Page`](crate::LogoutResponse::Page) as soon as it shows the page. It runs no
///   other script.
///
/// The test decides how the user answers each dialog, in advance, with
/// [`user_types`](Self::user_types) and [`user_cancels`](Self::user_cancels). A dialog without an
/// answer stays open, and the browser returns the 401 behind it. [`Response::dialogs`] returns how
/// many dialogs opened.
///
/// The browser does not follow redirects, so a test can assert them. It behaves like
/// [`Engine::Chromium`] unless [`engine`](Self::engine) sets another engine. Its pages come from
/// `http://localhost:8080`.
///
/// ```
/// use actix_basic_logout::{BasicLogin, User, test::Browser};
/// # use actix_session::{SessionMiddleware, storage::CookieSessionStore};
/// # use actix_web::{App, Error, HttpRequest, cookie::Key, test, web};
/// # use actix_web_httpauth::extractors::basic::BasicAuth;
/// # async fn users(_: &HttpRequest, credentials: &BasicAuth) -> Result<bool, Error> {
/// #     Ok(credentials.password() == Some("wonderland"))
/// # }
/// # #[actix_web::main]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let login = BasicLogin::builder("Admin area", users).build()?;
/// # let greet = web::get().to(async |user: User| format!("Hello, {}", user.id()));
/// # let sessions = SessionMiddleware::new(CookieSessionStore::default(), Key::generate());
/// # let app = App::new()
/// #     .service(web::scope("/admin").wrap(login.clone()).route("/", greet))
/// #     .route("/logout", web::post().to(login.logout()))
/// #     .wrap(sessions);
///
/// let mut browser = Browser::new(test::init_service(app).await);
/// browser.user_types("alice", "wonderland");
/// let page = browser.open("/admin/").await;
/// assert_eq!((page.dialogs(), page.text()), (1, "Hello, alice"));
/// // The browser sends the credentials with the next request, and no dialog opens.
/// assert_eq!(browser.open("/admin/").await.dialogs(), 0);
///
/// // After a logout, the browser has to ask its user again.
/// browser.submit("/logout").await;
/// let page = browser.open("/admin/").await;
/// assert_eq!((page.dialogs(), page.status().as_u16()), (1, 401));
/// # Ok(())
/// # }
/// ```
pub struct Browser {
    app: Rc<App>,
    auth: AuthCache<Credentials>,
    cookies: CookieJar,
    keeps_cookies: bool,
    answers: VecDeque<Answer>,
}

impl fmt::Debug for Browser {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Browser").finish_non_exhaustive()
    }
}

fn shared<S, B>(app: S) -> Rc<App>
where
    S: Service<Request, Response = ServiceResponse<B>, Error = Error> + 'static,
    S::Future: 'static,
    B: MessageBody + 'static,
{
    Rc::new(move |req| {
        let response = app.call(req);
        Box::pin(async move { response.await.map(ServiceResponse::map_into_boxed_body) })
    })
}

impl Browser {
    /// Creates a browser for an initialized application. It has no cookies and no credentials.
    ///
    /// ```
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/guide/browser.rs"));
    /// # #[actix_web::main]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let login = BasicLogin::builder("Admin area", users).build()?;
    /// let mut browser = Browser::new(app(&login).await);
    /// assert_eq!(browser.open("/admin/").await.status(), 401);
    /// # Ok(())
    /// # }
    /// ```
    pub fn new<S, B>(app: S) -> Self
    where
        S: Service<Request, Response = ServiceResponse<B>, Error = Error> + 'static,
        S::Future: 'static,
        B: MessageBody + 'static,
    {
        Self {
            app: shared(app),
            auth: AuthCache::new(Engine::default()),
            cookies: CookieJar::default(),
            keeps_cookies: true,
            answers: VecDeque::new(),
        }
    }

    /// Sets the engine like which the browser behaves. Default: [`Engine::Chromium`].
    ///
    /// The browser drops all credentials.
    ///
    /// ```
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/guide/browser.rs"));
    /// # #[actix_web::main]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let login = BasicLogin::builder("Admin area", users).build()?;
    /// use actix_basic_logout::test::Engine;
    ///
    /// let mut browser = browser(&login).await.engine(Engine::Firefox);
    /// // Unlike Chromium, Firefox does not repeat a navigation when its user cancels the dialog.
    /// browser.user_cancels();
    /// let page = browser.open("/admin/").await;
    /// assert_eq!((page.dialogs(), page.status().as_u16()), (1, 401));
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn engine(mut self, engine: Engine) -> Self {
        self.auth = AuthCache::new(engine);
        self
    }

    /// Makes the browser ignore the cookies that responses set, as if its user had disabled
    /// cookies.
    ///
    /// ```
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/guide/browser.rs"));
    /// # #[actix_web::main]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let login = BasicLogin::builder("Admin area", users).build()?;
    /// let mut browser = browser(&login).await.without_cookies();
    /// browser.user_types("alice", "wonderland").user_types("alice", "wonderland");
    /// // Valid credentials do not log a browser in that keeps no cookies.
    /// assert_eq!(browser.open("/admin/").await.status(), 401);
    /// assert_eq!(browser.cookies().count(), 0);
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn without_cookies(mut self) -> Self {
        self.keeps_cookies = false;
        self
    }

    /// Replaces the application, for example to simulate a restart. The browser keeps its cookies
    /// and credentials.
    ///
    /// ```
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/guide/browser.rs"));
    /// # #[actix_web::main]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let login = BasicLogin::builder("Admin area", users).build()?;
    /// let mut browser = browser(&login).await;
    /// browser.log_in("/admin/", "alice", "wonderland").await;
    /// browser.replace_app(app(&login).await);
    /// let page = browser.open("/admin/").await;
    /// assert_eq!((page.dialogs(), page.text()), (0, "Hello, alice"));
    /// # Ok(())
    /// # }
    /// ```
    pub fn replace_app<S, B>(&mut self, app: S)
    where
        S: Service<Request, Response = ServiceResponse<B>, Error = Error> + 'static,
        S::Future: 'static,
        B: MessageBody + 'static,
    {
        self.app = shared(app);
    }

    /// Makes the user type a user name and a password into the next dialog.
    ///
    /// Each further call answers one further dialog, in order.
    ///
    /// ```
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/guide/browser.rs"));
    /// # #[actix_web::main]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let login = BasicLogin::builder("Admin area", users).build()?;
    /// let mut browser = browser(&login).await;
    /// browser.user_types("alice", "x").user_types("alice", "wonderland");
    /// let page = browser.open("/admin/").await;
    /// assert_eq!((page.dialogs(), page.text()), (2, "Hello, alice"));
    /// # Ok(())
    /// # }
    /// ```
    pub fn user_types(&mut self, user_id: &str, password: &str) -> &mut Self {
        self.answers.push_back(Answer::Types(Credentials::new(user_id, password)));
        self
    }

    /// Makes the user cancel the next dialog.
    ///
    /// Each further call answers one further dialog, in order. If the dialog belongs to a
    /// navigation, Chromium repeats the request without credentials and shows that response.
    ///
    /// ```
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/guide/browser.rs"));
    /// # #[actix_web::main]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let login = BasicLogin::builder("Admin area", users).build()?;
    /// let mut browser = browser(&login).await;
    /// browser.user_cancels();
    /// let page = browser.open("/admin/").await;
    /// assert_eq!((page.dialogs(), page.status().as_u16()), (1, 401));
    /// # Ok(())
    /// # }
    /// ```
    pub fn user_cancels(&mut self) -> &mut Self {
        self.answers.push_back(Answer::Cancels);
        self
    }

    /// Opens a page, and types a user name and a password into the dialog.
    ///
    /// Earlier answers that no dialog has used are dropped.
    ///
    /// # Panics
    ///
    /// Panics unless exactly one dialog opens, and if the response is a client or server error.
    ///
    /// ```
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/guide/browser.rs"));
    /// # #[actix_web::main]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let login = BasicLogin::builder("Admin area", users).build()?;
    /// let mut browser = browser(&login).await;
    /// let page = browser.log_in("/admin/", "alice", "wonderland").await;
    /// assert_eq!(page.text(), "Hello, alice");
    /// # Ok(())
    /// # }
    /// ```
    #[track_caller]
    pub fn log_in(
        &mut self,
        path: &str,
        user_id: &str,
        password: &str,
    ) -> impl Future<Output = Response> {
        let caller = std::panic::Location::caller();
        let path = path.to_owned();
        self.answers.clear();
        self.user_types(user_id, password);
        async move {
            let page = self.open(&path).await;
            let (status, dialogs) = (page.status(), page.dialogs());
            assert!(
                dialogs == 1 && !status.is_client_error() && !status.is_server_error(),
                "the login at {path} failed with {status} after {dialogs} dialogs (called at {caller})"
            );
            page
        }
    }

    /// Opens a page, as if the user had typed its address. Sends a [`navigation`].
    ///
    /// # Panics
    ///
    /// Panics like [`send`](Self::send).
    ///
    /// ```
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/guide/browser.rs"));
    /// # #[actix_web::main]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let login = BasicLogin::builder("Admin area", users).build()?;
    /// let mut browser = browser(&login).await;
    /// let page = browser.open("/admin/").await;
    /// assert_eq!((page.dialogs(), page.status().as_u16()), (1, 401));
    /// # Ok(())
    /// # }
    /// ```
    pub async fn open(&mut self, path: &str) -> Response {
        self.send(navigation(path)).await
    }

    /// Fetches a resource, as a script of a page does. Sends a [`subresource`].
    ///
    /// # Panics
    ///
    /// Panics like [`send`](Self::send).
    ///
    /// ```
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/guide/browser.rs"));
    /// # #[actix_web::main]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let login = BasicLogin::builder("Admin area", users).build()?;
    /// let mut browser = browser(&login).await;
    /// let data = browser.fetch("/admin/").await;
    /// assert_eq!((data.dialogs(), data.status().as_u16()), (0, 401));
    /// # Ok(())
    /// # }
    /// ```
    pub async fn fetch(&mut self, path: &str) -> Response {
        self.send(subresource(path)).await
    }

    /// Submits an empty form with `method="post"` of a page. Sends a [`form`].
    ///
    /// # Panics
    ///
    /// Panics like [`send`](Self::send).
    ///
    /// ```
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/guide/browser.rs"));
    /// # #[actix_web::main]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let login = BasicLogin::builder("Admin area", users).build()?;
    /// let mut browser = browser(&login).await;
    /// browser.log_in("/admin/", "alice", "wonderland").await;
    /// let page = browser.submit("/logout").await;
    /// assert_eq!(page.status(), 401); // the challenge makes the browser drop the credentials
    /// assert_eq!(browser.credentials("Admin area"), None);
    /// # Ok(())
    /// # }
    /// ```
    pub async fn submit(&mut self, path: &str) -> Response {
        self.send(form(path)).await
    }

    /// Sends any request as this browser: with its cookies, its credentials, and a `User-Agent`
    /// that begins with `Mozilla/`.
    ///
    /// Start with [`navigation`], [`subresource`] or [`form`] to get the headers of such a request.
    /// The browser adds `Origin` to a request whose method is neither `GET` nor `HEAD`, unless its
    /// `Sec-Fetch-Site` is `cross-site`. A cookie of the request replaces the browser's cookie of
    /// the same name. A request with an `Authorization` header is sent unchanged, and it opens no
    /// dialog, as if a script had set the header.
    ///
    /// # Panics
    ///
    /// Panics if the body of the request or of a response cannot be read, or if the application
    /// challenges the request more than 20 times.
    ///
    /// ```
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/guide/browser.rs"));
    /// # #[actix_web::main]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let login = BasicLogin::builder("Admin area", users).build()?;
    /// use actix_basic_logout::test::navigation;
    ///
    /// let mut browser = browser(&login).await;
    /// browser.log_in("/admin/", "alice", "wonderland").await;
    /// let link = navigation("/logout").insert_header(("Sec-Fetch-Site", "cross-site"));
    /// // Another site may not log the user out (CSRF).
    /// assert_eq!(browser.send(link).await.status(), 403);
    /// # Ok(())
    /// # }
    /// ```
    pub async fn send(&mut self, request: TestRequest) -> Response {
        let request = self.prepare(request).await;
        let initiator = match request.header("upgrade") {
            Some("websocket") => Initiator::WebSocket,
            _ => Initiator::Page,
        };
        let page = self.exchange(&request, initiator).await;
        if request.is_navigation()
            && self.auth.engine() != Engine::W3m
            && let Some(script) = LogoutScript::on(page.text())
        {
            self.run(&script, &request.head).await;
        }
        page
    }

    /// Sends a request as a non-browser client such as `curl`: without the cookies, the credentials
    /// and the headers of this browser.
    ///
    /// # Panics
    ///
    /// Panics if the body of the response cannot be read.
    ///
    /// ```
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/guide/browser.rs"));
    /// # #[actix_web::main]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let login = BasicLogin::builder("Admin area", users).build()?;
    /// let browser = browser(&login).await;
    /// let curl = TestRequest::with_uri("/admin/").insert_header(ALICE);
    /// assert_eq!(browser.send_as_non_browser(curl).await.text(), "Hello, alice");
    /// # Ok(())
    /// # }
    /// ```
    pub async fn send_as_non_browser(&self, request: TestRequest) -> Response {
        let request = request.to_request();
        let has_credentials = request.head().headers.contains_key(header::AUTHORIZATION);
        let mut response = Response::read((self.app)(request).await).await;
        response.sent_credentials = has_credentials;
        response
    }

    /// The cookies in the cookie jar.
    ///
    /// ```
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/guide/browser.rs"));
    /// # #[actix_web::main]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let login = BasicLogin::builder("Admin area", users).build()?;
    /// let mut browser = browser(&login).await;
    /// browser.open("/admin/").await;
    /// let names: Vec<_> = browser.cookies().map(Cookie::name).collect();
    /// assert_eq!(names, ["id"]);
    /// # Ok(())
    /// # }
    /// ```
    pub fn cookies(&self) -> impl Iterator<Item = &Cookie<'static>> {
        self.cookies.iter()
    }

    /// The cookie with a name, if the cookie jar holds one.
    ///
    /// ```
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/guide/browser.rs"));
    /// # #[actix_web::main]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let login = BasicLogin::builder("Admin area", users).build()?;
    /// let mut browser = browser(&login).await;
    /// assert!(browser.cookie("id").is_none());
    /// browser.open("/admin/").await;
    /// assert!(browser.cookie("id").is_some());
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn cookie(&self, name: &str) -> Option<&Cookie<'static>> {
        self.cookies().find(|cookie| cookie.name() == name)
    }

    /// Adds a cookie to the cookie jar, as if the response of `/` had set it.
    ///
    /// ```
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/guide/browser.rs"));
    /// # #[actix_web::main]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let login = BasicLogin::builder("Admin area", users).build()?;
    /// let mut browser = browser(&login).await;
    /// browser.set_cookie(Cookie::new("theme", "dark"));
    /// assert_eq!(browser.cookie("theme").map(Cookie::value), Some("dark"));
    /// # Ok(())
    /// # }
    /// ```
    pub fn set_cookie(&mut self, cookie: Cookie<'static>) {
        self.cookies.set(cookie, "/");
    }

    /// Removes all cookies from the cookie jar.
    ///
    /// ```
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/guide/browser.rs"));
    /// # #[actix_web::main]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let login = BasicLogin::builder("Admin area", users).build()?;
    /// let mut browser = browser(&login).await;
    /// browser.log_in("/admin/", "alice", "wonderland").await;
    /// browser.clear_cookies();
    /// assert_eq!(browser.cookies().count(), 0);
    /// assert_eq!(browser.open("/admin/").await.status(), 401);
    /// # Ok(())
    /// # }
    /// ```
    pub fn clear_cookies(&mut self) {
        self.cookies.clear();
    }

    /// The user-id and the password that the browser holds for a realm.
    ///
    /// ```
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/guide/browser.rs"));
    /// # #[actix_web::main]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let login = BasicLogin::builder("Admin area", users).build()?;
    /// let mut browser = browser(&login).await;
    /// browser.log_in("/admin/", "alice", "wonderland").await;
    /// assert_eq!(browser.credentials("Admin area"), Some(("alice", "wonderland")));
    /// assert_eq!(browser.credentials("Back office"), None);
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn credentials(&self, realm: &str) -> Option<(&str, &str)> {
        let held = &self.auth.get(ORIGIN, realm)?.credentials;
        Some((&held.user_id, &held.password))
    }

    /// Drops all credentials, like a browser that is closed and opened again.
    ///
    /// ```
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/guide/browser.rs"));
    /// # #[actix_web::main]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let login = BasicLogin::builder("Admin area", users).build()?;
    /// let mut browser = browser(&login).await;
    /// browser.log_in("/admin/", "alice", "wonderland").await;
    /// browser.forget_credentials();
    /// assert_eq!(browser.credentials("Admin area"), None);
    /// assert_eq!(browser.open("/admin/").await.dialogs(), 1);
    /// # Ok(())
    /// # }
    /// ```
    pub fn forget_credentials(&mut self) {
        self.auth.clear();
    }

    async fn prepare(&self, request: TestRequest) -> Outgoing {
        let mut request = request.to_request();
        let body = to_bytes(BodyStream::new(request.take_payload())).await;
        #[expect(clippy::panic, reason = "a failed test panics")]
        let body =
            body.unwrap_or_else(|error| panic!("the body of the request cannot be read: {error}"));
        let mut request = Outgoing { head: request.head().clone(), body };
        let is_cross_site = request.header("sec-fetch-site") == Some("cross-site");
        let is_safe = matches!(request.head.method, Method::GET | Method::HEAD);
        request.add(header::HOST, HOST);
        request.add(header::USER_AGENT, "Mozilla/5.0 (X11; Linux x86_64)");
        if !is_safe && !is_cross_site {
            request.add(header::ORIGIN, ORIGIN);
        }
        if self.auth.engine() == Engine::W3m {
            request.become_w3m();
        }
        request
    }

    /// Sends a request, and reacts to challenges until the browser shows a response.
    async fn exchange(
        &mut self,
        request: &Outgoing,
        mut initiator: Initiator<Credentials>,
    ) -> Response {
        let path = request.head.uri.path().to_owned();
        let is_own = request.head.headers.contains_key(header::AUTHORIZATION);
        let mut sent = self.auth.sends(ORIGIN, &path, &initiator).filter(|_| !is_own);
        let mut dialogs = 0;
        for _ in 0..MAX_CHALLENGES {
            let mut response = self.deliver(request, sent.as_ref()).await;
            response.dialogs = dialogs;
            response.sent_credentials = is_own || sent.is_some();
            if response.status() != StatusCode::UNAUTHORIZED {
                if let (Initiator::Script(_), true, Some(sent)) =
                    (&initiator, response.status().is_success(), sent)
                {
                    self.auth.insert(ORIGIN, &path, sent);
                }
                return response;
            }
            if is_own {
                return response;
            }
            let Some(realm) = basic_realm(response.headers()) else {
                self.auth.refused(ORIGIN, sent.as_ref());
                return response;
            };
            if let Initiator::Script(own) = &mut initiator {
                own.realm.clone_from(&realm);
            }
            sent = match self.auth.challenged(ORIGIN, &path, &realm, sent.as_ref(), &initiator) {
                Reaction::Repeat(held) => Some(held),
                Reaction::Show => return response,
                Reaction::Ask => {
                    dialogs += 1;
                    match self.answers.pop_front() {
                        Some(Answer::Types(credentials)) => {
                            let typed = Held { realm, credentials };
                            self.auth.insert(ORIGIN, &path, typed.clone());
                            Some(typed)
                        }
                        Some(Answer::Cancels)
                            if self.auth.repeats_after_cancel(request.is_navigation()) =>
                        {
                            initiator = Initiator::AfterCancel;
                            None
                        }
                        Some(Answer::Cancels) | None => {
                            response.dialogs = dialogs;
                            return response;
                        }
                    }
                }
            };
        }
        #[expect(clippy::panic, reason = "a failed test panics")]
        {
            panic!("{path} was challenged {MAX_CHALLENGES} times")
        }
    }

    /// Sends a request once, and stores the cookies that its response sets.
    async fn deliver(
        &mut self,
        request: &Outgoing,
        credentials: Option<&Held<Credentials>>,
    ) -> Response {
        let mut head = request.head.clone();
        if let Some(held) = credentials {
            head.headers.insert(header::AUTHORIZATION, held.credentials.header());
        }
        let path = head.uri.path().to_owned();
        if let Some(cookies) = self.cookies.header(&path, request.header("cookie")) {
            head.headers.insert(header::COOKIE, header_value(&cookies));
        }
        let mut outgoing = Request::with_payload(Payload::from(request.body.clone()));
        *outgoing.head_mut() = head;
        let response = Response::read((self.app)(outgoing).await).await;
        for value in response.headers().get_all(header::SET_COOKIE) {
            let cookie = value.to_str().ok().and_then(|it| Cookie::parse(it.to_owned()).ok());
            if let Some(cookie) = cookie.filter(|_| self.keeps_cookies) {
                self.cookies.set(cookie, &path);
            }
        }
        response
    }

    /// Runs the script of a logout page. It requests the page's own URL with the reserved
    /// credentials, which replace those that the browser holds.
    async fn run(&mut self, script: &LogoutScript, page: &RequestHead) {
        let is_of_script = |realm: &&str| reserved_password(realm) == script.password;
        let realm = self.auth.realms(ORIGIN).find(is_of_script).unwrap_or_default().to_owned();
        let own = Held { realm, credentials: Credentials::new(RESERVED_USER, &script.password) };
        let request = subresource(&page.uri.to_string())
            .method(script.method.clone())
            .insert_header(("X-Basic-Logout", "1"));
        let request = self.prepare(request).await;
        self.exchange(&request, Initiator::Script(own)).await;
    }
}

/// A request that can be repeated.
struct Outgoing {
    head: RequestHead,
    body: Bytes,
}

impl Outgoing {
    fn header(&self, name: &str) -> Option<&str> {
        self.head.headers.get(name).and_then(|value| value.to_str().ok())
    }

    fn add(&mut self, name: HeaderName, value: &'static str) {
        if !self.head.headers.contains_key(&name) {
            self.head.headers.insert(name, HeaderValue::from_static(value));
        }
    }

    /// Replaces the headers of a current browser by those of w3m.
    fn become_w3m(&mut self) {
        let headers = &mut self.head.headers;
        for name in [
            "origin",
            "sec-fetch-dest",
            "sec-fetch-mode",
            "sec-fetch-site",
            "sec-fetch-user",
            "upgrade-insecure-requests",
        ] {
            headers.remove(name);
        }
        for (name, value) in [
            (header::USER_AGENT, "w3m/0.5.3+git20230121"),
            (header::ACCEPT, "text/html, text/*;q=0.5, image/*, application/*"),
            (header::ACCEPT_LANGUAGE, "en;q=1.0"),
        ] {
            headers.insert(name, HeaderValue::from_static(value));
        }
    }

    fn is_navigation(&self) -> bool {
        match self.header("sec-fetch-mode") {
            Some(mode) => mode == "navigate",
            None => self.header("accept").is_some_and(|types| types.contains("text/html")),
        }
    }
}

#[expect(clippy::panic, reason = "a failed test panics")]
fn header_value(text: &str) -> HeaderValue {
    HeaderValue::from_bytes(text.as_bytes())
        .unwrap_or_else(|_| panic!("not a valid header value: {text:?}"))
}

/// The script on the page of [`LogoutResponse::Page`](crate::LogoutResponse::Page).
struct LogoutScript {
    method: Method,
    password: String,
}

impl LogoutScript {
    /// Finds the script on a page.
    fn on(page: &str) -> Option<Self> {
        let attribute = |name: &str| {
            let (_, value) = page.split_once(&format!("{name}=\""))?;
            value.split('"').next()
        };
        if !page.contains("X-Basic-Logout") {
            return None;
        }
        let method = Method::from_bytes(attribute("data-method")?.as_bytes()).ok()?;
        Some(Self { method, password: attribute("data-password")?.to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use actix_web::{App, HttpRequest, HttpResponse, test, web};

    use super::*;

    const ENGINES: [Engine; 3] = [Engine::Chromium, Engine::Firefox, Engine::WebKit];

    /// Accepts `alice:x`, except on two paths, and responds whether the request carried
    /// credentials.
    async fn serve(req: HttpRequest) -> HttpResponse {
        let sent = req.headers().get(header::AUTHORIZATION).map(|it| it.as_bytes().to_owned());
        let alice = Credentials::new("alice", "x").header();
        let body = if sent.is_some() { "with credentials" } else { "without credentials" };
        match req.path() {
            "/free" => HttpResponse::Ok().body(body),
            "/a/quiet" => HttpResponse::Unauthorized()
                .insert_header((header::WWW_AUTHENTICATE, "xBasic realm=\"R\""))
                .body(body),
            path if !path.ends_with("/refused") && sent.as_deref() == Some(alice.as_bytes()) => {
                HttpResponse::Ok().body(body)
            }
            _ => HttpResponse::Unauthorized()
                .insert_header((header::WWW_AUTHENTICATE, "Basic realm=\"R\""))
                .body(body),
        }
    }

    async fn logged_in(engine: Engine) -> Browser {
        let app = App::new().default_service(web::to(serve));
        let mut browser = Browser::new(test::init_service(app).await).engine(engine);
        browser.log_in("/a/", "alice", "x").await;
        browser
    }

    #[actix_web::test]
    async fn w3m_sends_held_credentials_after_a_challenge_only() {
        let mut browser = logged_in(Engine::W3m).await;
        assert!(!browser.open("/free").await.sent_credentials());
        let page = browser.open("/a/c").await;
        assert_eq!((page.sent_credentials(), page.dialogs()), (true, 0));
    }

    #[actix_web::test]
    async fn credentials_are_sent_to_their_directory_and_after_a_challenge() {
        for engine in ENGINES {
            let mut browser = logged_in(engine).await;
            for (path, sent) in [("/a/b/c", true), ("/free", false)] {
                let page = browser.open(path).await;
                assert_eq!(
                    (page.sent_credentials(), page.dialogs()),
                    (sent, 0),
                    "{engine:?} {path}"
                );
            }
            let page = browser.open("/other").await;
            assert_eq!((page.status().as_u16(), page.dialogs()), (200, 0), "{engine:?}");
            // The directory of `/other` is the whole site.
            assert!(browser.open("/free").await.sent_credentials(), "{engine:?}");
        }
    }

    #[actix_web::test]
    async fn refused_credentials_are_forgotten_and_a_dialog_opens() {
        for engine in ENGINES {
            let mut browser = logged_in(engine).await;
            let page = browser.open("/a/refused").await;
            assert_eq!((page.status().as_u16(), page.dialogs()), (401, 1), "{engine:?}");
            assert_eq!(browser.credentials("R"), None, "{engine:?}");
        }
    }

    #[actix_web::test]
    async fn unknown_schemes_open_no_dialog() {
        for engine in ENGINES {
            let mut browser = logged_in(engine).await;
            let page = browser.fetch("/a/quiet").await;
            assert_eq!((page.status().as_u16(), page.dialogs()), (401, 0), "{engine:?}");
            let keeps = browser.credentials("R").is_some();
            assert_eq!(keeps, engine == Engine::Firefox, "{engine:?}");
        }
    }

    #[actix_web::test]
    async fn chromium_repeats_a_cancelled_navigation() {
        for engine in ENGINES {
            let mut browser = logged_in(engine).await;
            let page = browser.user_cancels().open("/a/refused").await;
            assert_eq!(page.dialogs(), 1, "{engine:?}");
            assert_eq!(page.sent_credentials(), engine != Engine::Chromium, "{engine:?}");
        }
    }

    #[actix_web::test]
    async fn request_with_own_credentials_is_sent_unchanged() {
        let mut browser = logged_in(Engine::Chromium).await;
        let own = Credentials::new("bob", "y").header();
        let request = subresource("/a/").insert_header((header::AUTHORIZATION, own));
        let response = browser.send(request).await;
        assert_eq!((response.status().as_u16(), response.dialogs()), (401, 0));
        assert_eq!(browser.credentials("R"), Some(("alice", "x")));
    }
}
