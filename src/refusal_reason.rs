//! Why a request is refused, and what its page says.

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
/// assert_eq!(browser.open("/admin/").await.text(), "Please log in.");
/// browser.user_types("alice", "x");
/// assert_eq!(browser.open("/admin/").await.text(), "Try again.");
/// browser.log_in("/admin/", "alice", "wonderland").await;
/// assert_eq!(browser.open("/logout").await.text(), "Bye!");
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
    /// Nobody has asked for this logout: another site sent the browser here, or the browser was
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

impl Reason {
    /// The heading of the page.
    pub(crate) fn title(self) -> &'static str {
        match self {
            Self::LoginRequired => "Login required",
            Self::LoggedOut => "You are logged out",
            Self::LoginExpired => "Your login has expired",
            Self::LoginRevoked | Self::CredentialsChanged => "Your login has ended",
            Self::WrongCredentials => "Wrong user name or password",
            Self::LogoutForbidden => "Logout refused",
            Self::CookiesRequired => "Cookies required",
            Self::CrossSite => "Request refused",
            Self::TooManyAttempts => "Too many attempts",
            Self::Busy => "The server is busy",
            Self::Unavailable => "Temporarily unavailable",
        }
    }

    /// The sentence below the heading.
    pub(crate) fn detail(self) -> &'static str {
        match self {
            Self::LoginRequired => "Log in to see this page.",
            Self::LoggedOut | Self::LoginExpired => "Log in again to continue.",
            Self::LoginRevoked => "It was ended by this site. Log in again to continue.",
            Self::CredentialsChanged => {
                "This site no longer accepts your password. Log in again to continue."
            }
            Self::WrongCredentials => "Check both and try again.",
            Self::LogoutForbidden => {
                "The request to log out came from another site or from a page preview. \
                 To log out, use the button or link on this site."
            }
            Self::CookiesRequired => {
                "Your browser does not keep cookies for this site. Allow cookies, then reload this page."
            }
            Self::CrossSite => {
                "The request came from another site, so nothing was changed. \
                 Open this site's own page and try again."
            }
            Self::TooManyAttempts => "Too many logins have failed.",
            Self::Busy => "Your password cannot be checked right now.",
            Self::Unavailable => "Your login cannot be checked right now.",
        }
    }

    /// The text of the page's link to the landing path.
    pub(crate) fn link(self) -> &'static str {
        match self {
            Self::LoginRequired
            | Self::LoggedOut
            | Self::LoginExpired
            | Self::LoginRevoked
            | Self::CredentialsChanged
            | Self::WrongCredentials => "Log in",
            Self::CookiesRequired | Self::TooManyAttempts | Self::Busy | Self::Unavailable => {
                "Try again"
            }
            Self::LogoutForbidden | Self::CrossSite => "Open this site",
        }
    }
}
