//! The error of an authenticator that cannot check credentials now.

use std::{fmt, time::Duration};

use actix_web::{
    HttpResponse, ResponseError,
    http::{
        StatusCode,
        header::{CACHE_CONTROL, ContentType, HeaderValue, RETRY_AFTER},
    },
};

use crate::refusal_reason::Reason;

/// The error of an [authenticator](crate::Authenticator) that cannot check credentials now: 429
/// (too many requests) or 503 (service unavailable), with `Retry-After`.
///
/// The middleware answers it in the format of a refusal (a page, JSON or plain text) or with the
/// application's [own response](crate::BasicLoginBuilder::respond_with), and adds `Retry-After`
/// (RFC 9110, section 10.2.3). It changes no login and sends no challenge.
///
/// `Throttle` and `HashLimiter` return it. Your authenticator may return it as well.
///
/// ```
/// use std::time::Duration;
/// use actix_basic_logout::{BasicLogin, TryLater};
/// use actix_web::{App, Error, HttpRequest, test};
/// use actix_web_httpauth::extractors::basic::BasicAuth;
///
/// async fn users(_: &HttpRequest, _: &BasicAuth) -> Result<bool, Error> {
///     Err(TryLater::busy(Duration::from_secs(30)).into())
/// }
/// # actix_web::rt::System::new().block_on(async {
/// let login = BasicLogin::builder("Admin area", users).build()?;
/// let app = test::init_service(App::new().wrap(login)).await;
/// let alice = ("Authorization", "Basic YWxpY2U6eA==");
/// let answer =
///     test::call_service(&app, test::TestRequest::get().insert_header(alice).to_request()).await;
/// assert_eq!(answer.status(), 503);
/// assert_eq!(answer.headers().get("Retry-After").unwrap(), "30");
/// # Ok::<(), actix_basic_logout::ConfigError>(())
/// # }).unwrap();
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TryLater {
    reason: Reason,
    after: Duration,
}

impl TryLater {
    /// 429 Too Many Requests (RFC 6585, section 4): a rate limit was reached, and the credentials
    /// were not checked.
    ///
    /// ```
    /// use std::time::Duration;
    /// use actix_basic_logout::{Reason, TryLater};
    /// use actix_web::ResponseError;
    ///
    /// let error = TryLater::too_many_attempts(Duration::from_secs(60));
    /// assert_eq!(error.reason(), Reason::TooManyAttempts);
    /// // Outside a realm, the response is plain text:
    /// let answer = error.error_response();
    /// assert_eq!(answer.status(), 429);
    /// assert_eq!(answer.headers().get("Retry-After").unwrap(), "60");
    /// ```
    #[must_use]
    pub fn too_many_attempts(after: Duration) -> Self {
        Self { reason: Reason::TooManyAttempts, after }
    }

    /// 503 Service Unavailable (RFC 9110, section 15.6.4): passwords cannot be checked now.
    ///
    /// ```
    /// use std::time::Duration;
    /// use actix_basic_logout::{Reason, TryLater};
    /// use actix_web::ResponseError;
    ///
    /// let error = TryLater::busy(Duration::from_secs(10));
    /// assert_eq!(error.reason(), Reason::Busy);
    /// assert_eq!(error.error_response().status(), 503);
    /// assert_eq!(error.to_string(), "too busy to check passwords, try again in 10 s");
    /// ```
    #[must_use]
    pub fn busy(after: Duration) -> Self {
        Self { reason: Reason::Busy, after }
    }

    /// 503: the revocation store is unavailable.
    pub(crate) fn unavailable() -> Self {
        Self { reason: Reason::Unavailable, after: Duration::from_secs(5) }
    }

    /// Why the client must wait: [`TooManyAttempts`](crate::Reason::TooManyAttempts) or
    /// [`Busy`](crate::Reason::Busy).
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use actix_basic_logout::{Reason, TryLater};
    /// let error = TryLater::busy(Duration::from_secs(10));
    /// assert_eq!(error.reason(), Reason::Busy);
    /// ```
    #[must_use]
    pub fn reason(&self) -> Reason {
        self.reason
    }

    /// The time to wait before the next attempt. `Retry-After` has it in whole seconds, rounded up,
    /// and at least one.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use actix_basic_logout::TryLater;
    /// # use actix_web::ResponseError;
    /// let error = TryLater::busy(Duration::from_millis(1500));
    /// assert_eq!(error.retry_after(), Duration::from_millis(1500));
    /// assert_eq!(error.error_response().headers().get("Retry-After").unwrap(), "2");
    /// ```
    #[must_use]
    pub fn retry_after(&self) -> Duration {
        self.after
    }

    pub(crate) fn status(&self) -> StatusCode {
        match self.reason {
            Reason::TooManyAttempts => StatusCode::TOO_MANY_REQUESTS,
            _ => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    pub(crate) fn header(&self) -> HeaderValue {
        HeaderValue::from(seconds(self.after))
    }
}

/// A wait in whole seconds, rounded up, and at least one.
pub(crate) fn seconds(after: Duration) -> u64 {
    let whole = after.as_secs();
    if after.subsec_nanos() > 0 { whole.saturating_add(1) } else { whole.max(1) }
}

impl fmt::Display for TryLater {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = match self.reason {
            Reason::TooManyAttempts => "too many failed logins",
            Reason::Unavailable => "the revocation store is unavailable",
            _ => "too busy to check passwords",
        };
        write!(f, "{what}, try again in {} s", seconds(self.after))
    }
}

impl ResponseError for TryLater {
    fn status_code(&self) -> StatusCode {
        self.status()
    }

    /// The response outside a [`BasicLogin`](crate::BasicLogin): plain text.
    fn error_response(&self) -> HttpResponse {
        HttpResponse::build(self.status())
            .insert_header(ContentType::plaintext())
            .insert_header((CACHE_CONTROL, "no-store"))
            .insert_header((RETRY_AFTER, self.header()))
            .body(format!("{self}\n"))
    }
}

impl std::error::Error for TryLater {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retry_after_is_in_whole_seconds_rounded_up() {
        for (after, expected) in [
            (Duration::ZERO, 1),
            (Duration::from_millis(1), 1),
            (Duration::from_secs(1), 1),
            (Duration::from_millis(1001), 2),
            (Duration::from_secs(59), 59),
            (Duration::MAX, u64::MAX),
        ] {
            assert_eq!(seconds(after), expected, "{after:?}");
        }
    }

    #[test]
    fn try_later_outside_a_realm_is_plain_text_and_not_stored() {
        let answer = TryLater::too_many_attempts(Duration::from_secs(7)).error_response();
        assert_eq!(answer.status(), StatusCode::TOO_MANY_REQUESTS);
        assert_eq!(answer.headers().get(RETRY_AFTER).expect("a header"), "7");
        assert_eq!(answer.headers().get("Cache-Control").expect("a header"), "no-store");
        assert_eq!(TryLater::busy(Duration::ZERO).status_code(), StatusCode::SERVICE_UNAVAILABLE);
    }
}
