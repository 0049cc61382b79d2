//! The reasons for a refusal, and the texts of their pages.

/// Why a request was refused, or how a logout ended.
///
/// Later versions may add reasons, so a `match` needs a wildcard arm.
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
    /// The user is not logged in, or the request carries no credentials.
    LoginRequired,
    /// The user logged out.
    LoggedOut,
    /// The login is past its [absolute timeout](crate::BasicLoginBuilder::login_deadline) or its
    /// [idle timeout](crate::BasicLoginBuilder::visit_deadline).
    #[doc(alias = "idle timeout")]
    #[doc(alias = "absolute timeout")]
    LoginExpired,
    /// The application revoked the login with [`revoke_user`](crate::BasicLogin::revoke_user) or
    /// [`revoke_login`](crate::BasicLogin::revoke_login).
    LoginRevoked,
    /// The authenticator no longer accepts the credentials of the login, for example after a password change.
    CredentialsChanged,
    /// The credentials are wrong.
    WrongCredentials,
    /// The user did not request this logout: another site caused it (CSRF), or the browser prefetched
    /// the page.
    LogoutForbidden,
    /// A logout of a client that has no login: it is no browser, and sends its credentials with each
    /// request.
    NoLogin,
    /// The request to log out carried two session cookies, so the login of the user may not have ended.
    /// Another application on this host, a sibling subdomain or an attacker on the network has set one
    /// of them (cookie tossing).
    #[doc(alias = "cookie tossing")]
    LogoutUncertain,
    /// The request carries a session cookie whose name begins with `__Host-` or `__Secure-` only after
    /// decoding. A sibling subdomain or an attacker on the network has set it.
    #[doc(alias = "session fixation")]
    ForgedCookie,
    /// The browser keeps no cookies: it answered two challenges within a minute without sending one. A
    /// login needs a cookie.
    CookiesRequired,
    /// Another site's page sent this request (cross-site request forgery, CSRF) with an unsafe method
    /// (RFC 9110, section 9.2.1), and the browser did not send the session cookie.
    #[doc(alias = "CSRF")]
    #[doc(alias = "cross-site request forgery")]
    CrossSite,
    /// A rate limit: too many logins have failed, so the credentials were not checked
    /// ([`TryLater::too_many_attempts`](crate::TryLater::too_many_attempts)).
    #[doc(alias = "rate limit")]
    #[doc(alias = "brute force")]
    TooManyAttempts,
    /// The server is too busy to check passwords ([`TryLater::busy`](crate::TryLater::busy)).
    Busy,
    /// The revocation store ([`RevocationError`](crate::RevocationError)) or the session store
    /// ([`session_store_errors`](crate::session_store_errors)) is unavailable.
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
            Self::NoLogin => "Nothing to log out",
            Self::LogoutUncertain => "You may still be logged in",
            Self::CookiesRequired => "Cookies required",
            Self::CrossSite | Self::ForgedCookie => "Request refused",
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
            Self::NoLogin => {
                "This client has no login here: it sends the password with each request. \
                 To stop that, close the client, or remove the password from its settings."
            }
            Self::LogoutUncertain => {
                "Your browser sent two session cookies, so the logout may have failed. \
                 Delete the cookies of this site, then close the browser."
            }
            Self::ForgedCookie => {
                "Your browser sent a session cookie that is not of this site. \
                 Delete the cookies of this site, then try again."
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
            Self::LogoutForbidden
            | Self::NoLogin
            | Self::LogoutUncertain
            | Self::CrossSite
            | Self::ForgedCookie => "Open this site",
        }
    }
}
