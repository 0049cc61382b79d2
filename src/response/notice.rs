//! What a person or a program is told with a refusal or a log-out, and why.

use std::{borrow::Cow, time::Duration};

use actix_web::{
    HttpRequest, HttpResponse,
    http::{
        StatusCode,
        header::{ACCEPT, Accept, ContentType, Header, Quality},
    },
    mime,
};

use crate::{request::kind::RequestKind, retry_later, session::Cause};

/// Why a request was refused, or what has just happened to the login.
///
/// More reasons may come, so a `match` on it needs an arm for the others.
///
/// ```
/// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/guide/browser.rs"));
/// # #[actix_web::main]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use actix_basic_logout::{BasicLogin, Reason};
/// use actix_web::HttpResponse;
///
/// fn greeting(reason: Reason) -> &'static str {
///     match reason {
///         Reason::LoggedOut => "Bye!",
///         Reason::WrongCredentials => "Try again.",
///         _ => "Please log in.",
///     }
/// }
///
/// let login = BasicLogin::builder("Admin area", users)
///     .respond_with(|_, notice| HttpResponse::Ok().body(greeting(notice.reason())))
///     .build()?;
/// let mut browser = browser(&login).await;
/// assert_eq!(text(browser.open("/admin/").await).await, "Please log in.");
/// browser.credentials = Some(WRONG);
/// assert_eq!(text(browser.open("/admin/").await).await, "Try again.");
/// browser.log_in().await;
/// assert_eq!(text(browser.open("/logout").await).await, "Bye!");
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Reason {
    /// Nobody is logged in, or the request came without the credentials of the login.
    LoginRequired,
    /// The user has logged out.
    LoggedOut,
    /// The login has outlived its
    /// [deadline](crate::BasicLoginBuilder::login_deadline), or nobody has used it for
    /// [so long](crate::BasicLoginBuilder::visit_deadline).
    LoginExpired,
    /// The login was ended from outside, by [`revoke_user`](crate::BasicLogin::revoke_user) or
    /// [`revoke_login`](crate::BasicLogin::revoke_login).
    LoginRevoked,
    /// The authenticator no longer agrees with the credentials of the login.
    CredentialsChanged,
    /// The credentials are wrong.
    WrongCredentials,
    /// Nobody has asked for this log-out: another site sent the browser here, or the browser was
    /// fetching ahead of its user.
    LogoutForbidden,
    /// The browser has answered two challenges within a minute, and has brought no cookie: it keeps
    /// none, and there is no login without.
    CookiesRequired,
    /// Another site's page has sent this by a method that is not safe (RFC 9110, section 9.2.1),
    /// and the session stayed at home.
    CrossSite,
    /// Too many logins have failed, so this one was not looked at
    /// ([`TryLater::too_many_attempts`](crate::TryLater::too_many_attempts)).
    TooManyAttempts,
    /// Passwords cannot be checked at the moment ([`TryLater::busy`](crate::TryLater::busy)).
    Busy,
    /// It cannot be looked up whether this login has ended
    /// ([`RevocationError`](crate::RevocationError)), or what its session holds
    /// ([`session_store_errors`](crate::session_store_errors)).
    Unavailable,
}

impl From<Cause> for Reason {
    fn from(why: Cause) -> Self {
        match why {
            Cause::NeverLoggedIn => Self::LoginRequired,
            Cause::LoggedOut => Self::LoggedOut,
            Cause::CredentialsChanged => Self::CredentialsChanged,
            Cause::Expired => Self::LoginExpired,
            Cause::Revoked => Self::LoginRevoked,
        }
    }
}

impl Reason {
    fn title(self) -> &'static str {
        match self {
            Self::LoginRequired => "Login required",
            Self::LoggedOut => "You are logged out",
            Self::LoginExpired => "Your login has expired",
            Self::LoginRevoked | Self::CredentialsChanged => "Your login has ended",
            Self::WrongCredentials => "That did not match",
            Self::LogoutForbidden => "You are not logged out",
            Self::CookiesRequired => "Cookies required",
            Self::CrossSite => "Sent by another site",
            Self::TooManyAttempts => "Too many attempts",
            Self::Busy => "Too busy",
            Self::Unavailable => "Not available",
        }
    }

    fn detail(self) -> &'static str {
        match self {
            Self::LoginRequired => "This page is for users who have logged in.",
            Self::LoggedOut => "Whoever wants in now has to type a user name and a password.",
            Self::LoginExpired => "Please log in again.",
            Self::LoginRevoked => "It was ended from elsewhere. Please log in again.",
            Self::CredentialsChanged => "Your user name and password are no longer accepted.",
            Self::WrongCredentials => "The user name or the password is wrong.",
            Self::LogoutForbidden => "To log out, use this site's own button or link.",
            Self::CookiesRequired => {
                "Your browser keeps no cookies for this site. Allow them, then load the page anew."
            }
            Self::CrossSite => "Nothing was done. Use this site's own pages.",
            Self::TooManyAttempts => "Too many logins have failed.",
            Self::Busy => "The server cannot check your password at the moment.",
            Self::Unavailable => "The server cannot look up your login at the moment.",
        }
    }
}

/// What an answer of this crate has to say; given to the application's own
/// [responses](crate::BasicLoginBuilder::respond_with).
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
/// assert_eq!(text(browser.open("/admin/").await).await, "LoginRequired; log in at /");
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Notice<'a> {
    pub(crate) status: StatusCode,
    pub(crate) reason: Reason,
    pub(crate) landing: &'a str,
    pub(crate) client: RequestKind,
    pub(crate) script: Option<&'a str>,
    pub(crate) retry_after: Option<Duration>,
}

impl Notice<'_> {
    /// The status of the answer: 401, 403 (a request that must not disturb the dialog open
    /// elsewhere, or another site's log-out), 200 after a log-out that needs no challenge, 429 or
    /// 503 where the authenticator says [`TryLater`](crate::TryLater), 503 where it cannot be looked up
    /// who has logged out. Whatever the response's own is, this one goes out.
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
    /// assert_eq!(text(answer).await, "401 Unauthorized");
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
    /// assert_eq!(text(browser.open("/admin/").await).await, "LoginRequired");
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn reason(&self) -> Reason {
        self.reason
    }

    /// Where to log in again, for a link: the
    /// [landing path](crate::BasicLoginBuilder::landing_path), as it was given. Escape it as its place
    /// wants; this crate's own page does.
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
    /// assert_eq!(text(browser.open("/admin/").await).await, "/admin/");
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn landing_path(&self) -> &str {
        self.landing
    }

    /// The `<script>` element that a "logged out" page has to hold under
    /// [`LogoutResponse::Page`](crate::LogoutResponse::Page); none for every other answer.
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
    /// assert_eq!(text(browser.open("/admin/").await).await, "<p>Who are you?</p>");
    /// browser.log_in().await;
    /// let page = text(browser.open("/logout").await).await;
    /// assert!(page.starts_with("<p>Bye!</p><script "));
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn script(&self) -> Option<&str> {
        self.script
    }

    /// When to try again, with 429 and 503; none otherwise. The answer's `Retry-After` (RFC 9110,
    /// section 10.2.3) says the same in whole seconds.
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
    /// assert_eq!(text(browser.open("/admin/").await).await, "None");
    /// browser.credentials = Some(ALICE);
    /// assert_eq!(text(browser.open("/admin/").await).await, "Some(30s)");
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        self.retry_after
    }

    fn detail(&self) -> Cow<'static, str> {
        let detail = self.reason.detail();
        match self.retry_after.map(retry_later::seconds) {
            None => detail.into(),
            Some(1) => format!("{detail} Try again in a second.").into(),
            Some(seconds @ 2..=90) => format!("{detail} Try again in {seconds} seconds.").into(),
            Some(seconds) => {
                format!("{detail} Try again in {} minutes.", seconds.div_ceil(60)).into()
            }
        }
    }

    /// This crate's own answer, in the format that the client accepts.
    pub(crate) fn to_response(&self, req: &HttpRequest) -> HttpResponse {
        self.to_response_as(self.format(req))
    }

    pub(crate) fn to_response_as(&self, format: Format) -> HttpResponse {
        let mut response = HttpResponse::build(self.status);
        match format {
            Format::Html => response.insert_header(ContentType::html()).body(self.html()),
            Format::Json => {
                response.insert_header(("Content-Type", "application/problem+json")).body(format!(
                    r#"{{"status":{},"title":"{}","detail":"{}"}}"#,
                    self.status.as_u16(),
                    self.reason.title(),
                    self.detail(),
                ))
            }
            Format::Text => response.insert_header(ContentType::plaintext()).body(format!(
                "{}. {}\n",
                self.reason.title(),
                self.detail()
            )),
        }
    }

    fn format(&self, req: &HttpRequest) -> Format {
        // What browsers send when they open a page, and what there is no need to weigh.
        let accept = req.headers().get(ACCEPT);
        if accept.is_some_and(|it| it.as_bytes().starts_with(b"text/html,")) {
            return Format::Html;
        }
        let mut accept = Accept::parse(req).unwrap_or_else(|_| Accept(Vec::new()));
        // "Not this" (RFC 9110, section 12.4.2), which `ranked` takes for "this if all else fails".
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

    /// What a client can be expected to accept.
    pub(crate) fn usual_format(&self) -> Format {
        match self.client {
            RequestKind::Navigation => Format::Html,
            _ => Format::Text,
        }
    }

    fn html(&self) -> String {
        let Self { status, reason, landing, script, .. } = self;
        let script = script.unwrap_or_default();
        let (title, detail) = (reason.title(), self.detail());
        // A browser that has asked and been cancelled two or three times (Firefox) stays silent
        // in that tab until the page is loaded anew.
        let hint = match *status {
            StatusCode::OK | StatusCode::UNAUTHORIZED => {
                "<p class=hint>If your browser does not ask for a password, reload the page.</p>"
            }
            _ => "",
        };
        format!(
            r#"<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<meta name="robots" content="noindex">
<title>{title}</title>
<style>
:root {{ color-scheme: light dark; }}
body {{ font: 1rem/1.5 system-ui, sans-serif; max-width: 26rem; margin: 20vh auto 0; padding: 0 1.5rem; }}
h1 {{ font-size: 1.5rem; margin: 0; }}
a {{ display: inline-block; padding: .45rem 1rem; border-radius: .4rem; background: #2457c5; color: #fff; text-decoration: none; }}
a:focus-visible {{ outline: 2px solid; outline-offset: 2px; }}
.hint {{ font-size: .875rem; opacity: .7; }}
</style>
</head>
<body>
<main>
<h1>{title}</h1>
<p>{detail}</p>
<p><a href="{landing}">Log in</a></p>
{hint}
</main>
{script}</body>
</html>
"#,
            landing = escape(landing),
        )
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    Html,
    Json,
    Text,
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('"', "&quot;").replace('<', "&lt;").replace('>', "&gt;")
}
