//! The content of a refusal or of a logout's response: an HTML page, problem details or plain text.

use std::{borrow::Cow, time::Duration};

use actix_web::{
    HttpRequest, HttpResponse,
    http::{
        StatusCode,
        header::{ACCEPT, Accept, ContentType, Header, HeaderValue, Quality},
    },
    mime,
};
use html_escape::encode_double_quoted_attribute;
use serde::Serialize;

use crate::{
    refusal_reason::Reason,
    request::{kind::RequestKind, origin::has_fetch_metadata},
    retry_later,
};

const STATELESS_CLIENT: &str = "Log in again to continue. Requests without the session cookie are authenticated by their password alone.";

/// For a client that does not accept HTML.
const IMITATED_BROWSER: &str = " The headers of this client are those of a browser. If it is a program, the administrator of this site can let it in.";

/// Maximum length in bytes of an `Accept` header that is parsed. Those of browsers have up to 200.
const MAX_ACCEPT: usize = 1024;

/// Describes a response of this crate: its status, the reason, and the texts for the user.
///
/// An application that sets [`respond_with`](crate::BasicLoginBuilder::respond_with) gets a
/// `Notice` for each refusal and for each logout, and builds the response from it. Without that
/// option, this crate builds the response: an HTML page, problem details in JSON (RFC 9457,
/// `application/problem+json`), or plain text. The request's `Accept` header selects the format. If
/// it names none of them, or is longer than 1,024 bytes, a navigation gets HTML and any other request
/// plain text.
///
/// ```
/// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/guide/browser.rs"));
/// # #[actix_web::main]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use actix_basic_logout::BasicLogin;
/// use actix_web::HttpResponse;
///
/// let login = BasicLogin::builder("Admin area", users)
///     .respond_with(|_, notice| {
///         let text = format!("{:?}; log in at {}", notice.reason(), notice.landing_path());
///         HttpResponse::build(notice.status()).body(text)
///     })
///     .build()?;
/// let mut browser = browser(&login).await;
/// assert_eq!(browser.open("/admin/").await.text(), "LoginRequired; log in at /");
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Notice<'a> {
    pub(crate) status: StatusCode,
    pub(crate) reason: Reason,
    pub(crate) landing_path: &'a str,
    pub(crate) request_kind: RequestKind,
    pub(crate) script: Option<&'a str>,
    pub(crate) retry_after: Option<Duration>,
}

impl Notice<'_> {
    /// The status of the response.
    ///
    /// - 401: a refusal, or a logout that challenges the browser.
    /// - 403: a refusal that must leave a dialog of the browser alone, a request from another site
    ///   with an unsafe method, or a logout that another site or a prefetch requested.
    /// - 200: a logout that needs no challenge.
    /// - 429 or 503: the authenticator returned [`TryLater`](crate::TryLater).
    /// - 503: the revocation store is unavailable.
    ///
    /// The response always has this status, even if the application sets another one.
    ///
    /// ```
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/guide/browser.rs"));
    /// # #[actix_web::main]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # use actix_basic_logout::BasicLogin;
    /// use actix_web::HttpResponse;
    ///
    /// let login = BasicLogin::builder("Admin area", users)
    ///     .respond_with(|_, notice| HttpResponse::Ok().body(notice.status().to_string()))
    ///     .build()?;
    /// let mut browser = browser(&login).await;
    /// let answer = browser.open("/admin/").await;
    /// assert_eq!(answer.status(), 401);
    /// assert_eq!(answer.text(), "401 Unauthorized");
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// Why the request was refused.
    ///
    /// ```
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/guide/browser.rs"));
    /// # #[actix_web::main]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # use actix_basic_logout::BasicLogin;
    /// use actix_web::HttpResponse;
    ///
    /// let login = BasicLogin::builder("Admin area", users)
    ///     .respond_with(|_, notice| HttpResponse::Ok().body(format!("{:?}", notice.reason())))
    ///     .build()?;
    /// let mut browser = browser(&login).await;
    /// assert_eq!(browser.open("/admin/").await.text(), "LoginRequired");
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn reason(&self) -> Reason {
        self.reason
    }

    /// The [landing path](crate::BasicLoginBuilder::landing_path), for a link to a page where the
    /// user can log in again.
    ///
    /// It is exactly what the application set. Escape it where you insert it, for example in HTML.
    /// This crate's own page does so.
    ///
    /// ```
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/guide/browser.rs"));
    /// # #[actix_web::main]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # use actix_basic_logout::BasicLogin;
    /// use actix_web::HttpResponse;
    ///
    /// let login = BasicLogin::builder("Admin area", users)
    ///     .landing_path("/admin/")
    ///     .respond_with(|_, notice| HttpResponse::Ok().body(notice.landing_path().to_owned()))
    ///     .build()?;
    /// let mut browser = browser(&login).await;
    /// assert_eq!(browser.open("/admin/").await.text(), "/admin/");
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn landing_path(&self) -> &str {
        self.landing_path
    }

    /// The `<script>` element that the page of a logout must contain under
    /// [`LogoutResponse::Page`](crate::LogoutResponse::Page). None for every other response.
    ///
    /// The script replaces the credentials that the browser holds. Insert the element unchanged and
    /// unescaped.
    ///
    /// ```
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/guide/browser.rs"));
    /// # #[actix_web::main]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use actix_basic_logout::{BasicLogin, LogoutResponse};
    /// use actix_web::HttpResponse;
    ///
    /// let login = BasicLogin::builder("Admin area", users)
    ///     .logout_response(LogoutResponse::Page)
    ///     .respond_with(|_, notice| match notice.script() {
    ///         Some(script) => HttpResponse::Ok().body(format!("<p>Bye!</p>{script}")),
    ///         None => HttpResponse::Ok().body("<p>Who are you?</p>"),
    ///     })
    ///     .build()?;
    /// let mut browser = browser(&login).await;
    /// assert_eq!(browser.open("/admin/").await.text(), "<p>Who are you?</p>");
    /// browser.log_in("/admin/", "alice", "wonderland").await;
    /// let page = browser.open("/logout").await;
    /// assert!(page.text().starts_with("<p>Bye!</p><script "));
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn script(&self) -> Option<&str> {
        self.script
    }

    /// The time after which the client may try again, with the statuses 429 and 503. None
    /// otherwise.
    ///
    /// The `Retry-After` header of the response (RFC 9110, section 10.2.3) contains the same time
    /// in whole seconds, rounded up.
    ///
    /// ```
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/guide/browser.rs"));
    /// # #[actix_web::main]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use std::time::Duration;
    /// use actix_basic_logout::{BasicLogin, TryLater};
    /// use actix_web::HttpResponse;
    ///
    /// let busy = async |_: &HttpRequest, _: &BasicAuth| -> Result<bool, Error> {
    ///     Err(TryLater::busy(Duration::from_secs(30)).into())
    /// };
    /// let login = BasicLogin::builder("Admin area", busy)
    ///     .respond_with(|_, it| HttpResponse::Ok().body(format!("{:?}", it.retry_after())))
    ///     .build()?;
    /// let mut browser = browser(&login).await;
    /// assert_eq!(browser.open("/admin/").await.text(), "None");
    /// browser.user_types("alice", "wonderland");
    /// assert_eq!(browser.open("/admin/").await.text(), "Some(30s)");
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        self.retry_after
    }

    /// The kind of the request. A navigation needs a page for a user; other requests need a
    /// response for a script or a non-browser client.
    ///
    /// ```
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/guide/browser.rs"));
    /// # #[actix_web::main]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # use actix_basic_logout::BasicLogin;
    /// use actix_basic_logout::RequestKind;
    /// use actix_web::HttpResponse;
    ///
    /// let login = BasicLogin::builder("Admin area", users)
    ///     .respond_with(|_, notice| match notice.request_kind() {
    ///         RequestKind::Navigation => HttpResponse::Ok().body("<h1>Please log in</h1>"),
    ///         _ => HttpResponse::Ok().body("login required"),
    ///     })
    ///     .build()?;
    /// let mut browser = browser(&login).await;
    /// assert_eq!(browser.open("/admin/").await.text(), "<h1>Please log in</h1>");
    /// assert_eq!(browser.fetch("/admin/").await.text(), "login required");
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn request_kind(&self) -> RequestKind {
        self.request_kind
    }

    /// The heading of this crate's own page, such as "You are logged out". It is plain text in
    /// English.
    ///
    /// Problem details (RFC 9457) contain it as `title`.
    ///
    /// ```
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/guide/browser.rs"));
    /// # #[actix_web::main]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # use actix_basic_logout::BasicLogin;
    /// use actix_web::HttpResponse;
    ///
    /// let login = BasicLogin::builder("Admin area", users)
    ///     .respond_with(|_, notice| HttpResponse::Ok().body(format!("<h1>{}</h1>", notice.title())))
    ///     .build()?;
    /// let mut browser = browser(&login).await;
    /// let page = browser.open("/admin/").await;
    /// assert_eq!(page.text(), "<h1>Login required</h1>");
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn title(&self) -> &'static str {
        self.reason.title()
    }

    /// The sentences below the heading: what happened, what to do, and how long to wait if there is
    /// a time. It is plain text in English.
    ///
    /// Problem details (RFC 9457) contain it as `detail`.
    ///
    /// ```
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/guide/browser.rs"));
    /// # #[actix_web::main]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use std::time::Duration;
    /// use actix_basic_logout::{BasicLogin, TryLater};
    /// use actix_web::HttpResponse;
    ///
    /// let busy = async |_: &HttpRequest, _: &BasicAuth| -> Result<bool, Error> {
    ///     Err(TryLater::busy(Duration::from_secs(30)).into())
    /// };
    /// let login = BasicLogin::builder("Admin area", busy)
    ///     .respond_with(|_, notice| HttpResponse::Ok().body(notice.detail().into_owned()))
    ///     .build()?;
    /// let app = test::init_service(App::new().wrap(login)).await;
    /// let request = TestRequest::get().insert_header(ALICE).to_request();
    /// let page = String::from_utf8(test::call_and_read_body(&app, request).await.to_vec())?;
    /// assert!(page.ends_with("Try again in 30 seconds."), "{page}");
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn detail(&self) -> Cow<'static, str> {
        let detail = self.reason.detail();
        match self.retry_after.map(retry_later::seconds) {
            None if self.may_be_stateless() => STATELESS_CLIENT.into(),
            None => detail.into(),
            Some(1) => format!("{detail} Try again in a second.").into(),
            Some(seconds @ 2..=90) => format!("{detail} Try again in {seconds} seconds.").into(),
            Some(seconds) => {
                format!("{detail} Try again in {} minutes.", seconds.div_ceil(60)).into()
            }
        }
    }

    /// This crate's own response, in the format that the client accepts.
    pub(crate) fn to_response(&self, req: &HttpRequest) -> HttpResponse {
        let hint = if self.may_be_for_a_program(req) { IMITATED_BROWSER } else { "" };
        self.to_response_as(self.format(req), hint)
    }

    /// The response in a format. The hint follows the text, except on a page.
    pub(crate) fn to_response_as(&self, format: Format, hint: &str) -> HttpResponse {
        let mut response = HttpResponse::build(self.status);
        match format {
            Format::Html => response.insert_header(ContentType::html()).body(self.html()),
            // `json` does not replace a content type.
            Format::Json => {
                response.insert_header(("Content-Type", "application/problem+json")).json(Problem {
                    status: self.status.as_u16(),
                    title: self.title(),
                    detail: &format!("{}{hint}", self.detail()),
                })
            }
            Format::Text => response.insert_header(ContentType::plaintext()).body(format!(
                "{}. {}{hint}\n",
                self.title(),
                self.detail()
            )),
        }
    }

    /// Whether the client may be a program that was refused only because it looks like a browser.
    fn may_be_for_a_program(&self, req: &HttpRequest) -> bool {
        self.request_kind != RequestKind::NonBrowser
            && (self.reason == Reason::CookiesRequired
                || (self.reason == Reason::LoginRequired && !has_fetch_metadata(req)))
    }

    /// Whether the next request of this client may come without a session. Its credentials alone
    /// authenticate it then, so the page must not claim that the client has to log in.
    fn may_be_stateless(&self) -> bool {
        self.reason == Reason::LoggedOut && self.request_kind == RequestKind::NonBrowser
    }

    fn format(&self, req: &HttpRequest) -> Format {
        // Fast path: browsers begin `Accept` like this in a navigation.
        let accept = req.headers().get(ACCEPT);
        if accept.is_some_and(|it| it.as_bytes().starts_with(b"text/html,")) {
            return Format::Html;
        }
        let length: usize = req.headers().get_all(ACCEPT).map(HeaderValue::len).sum();
        if length > MAX_ACCEPT {
            return self.usual_format();
        }
        let mut accept = Accept::parse(req).unwrap_or_else(|_| Accept(Vec::new()));
        // A quality of 0 means "not acceptable" (RFC 9110, section 12.4.2), but `ranked` only puts
        // it last.
        accept.retain(|it| it.quality > Quality::ZERO);
        let accepted = accept.ranked();
        let named = accepted.iter().find_map(|mime| match (mime.type_(), mime.subtype()) {
            (mime::TEXT, mime::HTML) => Some(Format::Html),
            (mime::TEXT, mime::PLAIN) => Some(Format::Text),
            (mime::APPLICATION, mime::JSON) => Some(Format::Json),
            (mime::APPLICATION, subtype) if subtype == "problem" => Some(Format::Json),
            _ => None,
        });
        named.unwrap_or_else(|| self.usual_format())
    }

    /// The format for a client that names none of the formats in `Accept`.
    pub(crate) fn usual_format(&self) -> Format {
        match self.request_kind {
            RequestKind::Navigation | RequestKind::SimpleBrowser => Format::Html,
            RequestKind::Subresource | RequestKind::NonBrowser => Format::Text,
        }
    }

    fn html(&self) -> String {
        // Firefox opens no more dialogs in a tab in which the user has cancelled several, until the
        // user reloads the page.
        let hint = match self.status {
            StatusCode::OK | StatusCode::UNAUTHORIZED if self.reason != Reason::NoLogin => {
                "<p class=hint>If your browser does not ask for a password, reload the page.</p>"
            }
            _ => "",
        };
        format!(
            include_str!("page.html"),
            title = self.title(),
            detail = self.detail(),
            link = self.reason.link(),
            style = include_str!("page.css"),
            landing_path = encode_double_quoted_attribute(self.landing_path),
            hint = hint,
            script = self.script.unwrap_or_default(),
        )
    }
}

/// Problem details (RFC 9457).
#[derive(Serialize)]
struct Problem<'a> {
    status: u16,
    title: &'a str,
    detail: &'a str,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    Html,
    Json,
    Text,
}
