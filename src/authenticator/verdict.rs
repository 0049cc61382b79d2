//! The answer of an authenticator.

use actix_web::{Error, error::ErrorInternalServerError};

use crate::request::authorization::MAX_USER_ID;

/// The answer of an [`Authenticator`](crate::Authenticator): whether credentials are valid, and who the
/// user is.
///
/// A user may be able to log in with several spellings of a user-id, for example because the
/// database ignores case, or with a name and with an email address. The authenticator then returns
/// the user's canonical id with [`valid_as`](Self::valid_as): one id for each user, whatever the user
/// typed. [`User::id`](crate::User::id) returns that id,
/// [`revoke_user`](crate::BasicLogin::revoke_user) takes it, and the log contains it.
///
/// If the authenticator accepts several spellings and returns [`valid`](Self::valid), each spelling
/// is a user of its own. `revoke_user("alice")` then does not end a login as `ALICE`.
///
/// A `bool` converts to a verdict: `true` to [`valid`](Self::valid), `false` to
/// [`invalid`](Self::invalid). Functions and closures may return either.
///
/// ```
/// use actix_basic_logout::{BasicLogin, User, Verdict};
/// use actix_web::{App, Error, HttpRequest, test, web};
/// use actix_web_httpauth::extractors::basic::BasicAuth;
///
/// /// Ignores the case of user names.
/// async fn users(_: &HttpRequest, credentials: &BasicAuth) -> Result<Verdict, Error> {
///     let name = credentials.user_id().to_lowercase();
///     Ok(match (&*name, credentials.password()) {
///         ("alice", Some("wonderland")) => Verdict::valid_as(name),
///         _ => Verdict::invalid(),
///     })
/// }
/// # actix_web::rt::System::new().block_on(async {
/// let login = BasicLogin::builder("Admin area", users).build().unwrap();
/// let id = web::get().to(async |user: User| user.id().to_owned());
/// let app = test::init_service(App::new().wrap(login).route("/", id)).await;
/// let alice = ("Authorization", "Basic QUxJQ0U6d29uZGVybGFuZA=="); // ALICE:wonderland
/// let req = test::TestRequest::get().insert_header(alice).to_request();
/// assert_eq!(test::call_and_read_body(&app, req).await, "alice");
/// # });
/// ```
#[derive(Clone, Debug, PartialEq)]
#[must_use = "a verdict says whether the credentials are valid"]
pub struct Verdict {
    /// None if the credentials are invalid.
    accepted: Option<Accepted>,
}

/// The answer about valid credentials.
#[derive(Clone, Debug, PartialEq)]
struct Accepted {
    /// The canonical id of the user. None if it is the presented user-id.
    user_id: Option<String>,
}

impl Verdict {
    /// The credentials are not valid.
    ///
    /// ```
    /// use actix_basic_logout::Verdict;
    ///
    /// assert!(!Verdict::invalid().is_valid());
    /// assert_eq!(Verdict::invalid(), Verdict::from(false));
    /// ```
    pub fn invalid() -> Self {
        Self { accepted: None }
    }

    /// The credentials are valid, and the user is the one whom the presented user-id names.
    ///
    /// Return this only if no other user-id names the same user. Otherwise return
    /// [`valid_as`](Self::valid_as).
    ///
    /// ```
    /// use actix_basic_logout::Verdict;
    ///
    /// assert!(Verdict::valid().is_valid());
    /// assert_eq!(Verdict::valid().user_id(), None);
    /// assert_eq!(Verdict::valid(), Verdict::from(true));
    /// ```
    pub fn valid() -> Self {
        Self { accepted: Some(Accepted { user_id: None }) }
    }

    /// The credentials are valid, and this is the canonical id of the user.
    ///
    /// The id must identify one user, and must be the same at each login and each
    /// [reverification](crate::Authenticator::reverify) of that user. If a reverification returns
    /// another id than the login has, the login ends, because the credentials now belong to another
    /// user. The session stores the id, so choose one that the user may see.
    ///
    /// An id has at most 1024 bytes. With a longer one the middleware logs an error and answers 500.
    ///
    /// ```
    /// use actix_basic_logout::Verdict;
    ///
    /// let verdict = Verdict::valid_as("alice");
    /// assert!(verdict.is_valid());
    /// assert_eq!(verdict.user_id(), Some("alice"));
    /// ```
    pub fn valid_as(user_id: impl Into<String>) -> Self {
        Self { accepted: Some(Accepted { user_id: Some(user_id.into()) }) }
    }

    /// Returns whether the credentials are valid.
    ///
    /// ```
    /// use actix_basic_logout::Verdict;
    ///
    /// assert!(Verdict::valid_as("alice").is_valid());
    /// assert!(!Verdict::invalid().is_valid());
    /// ```
    #[must_use]
    pub fn is_valid(&self) -> bool {
        self.accepted.is_some()
    }

    /// Returns the canonical id of the user. `None` if the credentials are invalid, or if the user
    /// is the one whom the presented user-id names.
    ///
    /// ```
    /// use actix_basic_logout::Verdict;
    ///
    /// assert_eq!(Verdict::valid_as("alice").user_id(), Some("alice"));
    /// assert_eq!(Verdict::valid().user_id(), None);
    /// assert_eq!(Verdict::invalid().user_id(), None);
    /// ```
    #[must_use]
    pub fn user_id(&self) -> Option<&str> {
        self.accepted.as_ref()?.user_id.as_deref()
    }

    /// The id of the user, given the presented user-id. None if the credentials are invalid.
    pub(crate) fn into_user(self, presented: Option<&str>) -> Option<String> {
        self.accepted?.user_id.or_else(|| presented.map(str::to_owned))
    }

    /// Whether the canonical id is longer than a session may store.
    pub(crate) fn is_too_long(&self) -> bool {
        self.user_id().is_some_and(|id| id.len() > MAX_USER_ID)
    }

    /// Returns an error if the canonical id is longer than a session may store.
    pub(crate) fn limited(self) -> Result<Self, Error> {
        if !self.is_too_long() {
            return Ok(self);
        }
        tracing::error!(
            bytes = self.user_id().map(str::len),
            limit = MAX_USER_ID,
            "the authenticator returned a user id above the limit of 1024 bytes: return a shorter id"
        );
        Err(ErrorInternalServerError("the authenticator returned a user id that is too long"))
    }
}

impl From<bool> for Verdict {
    fn from(is_valid: bool) -> Self {
        if is_valid { Self::valid() } else { Self::invalid() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn user_is_the_canonical_id_or_the_presented_one() {
        for (verdict, expected) in [
            (Verdict::valid_as("alice"), Some("alice")),
            (Verdict::valid_as(""), Some("")),
            (Verdict::valid(), Some("ALICE")),
            (Verdict::invalid(), None),
        ] {
            assert_eq!(verdict.into_user(Some("ALICE")).as_deref(), expected);
        }
    }

    #[test]
    fn canonical_id_of_more_than_1024_bytes_is_an_error() {
        for verdict in [Verdict::valid(), Verdict::invalid(), Verdict::valid_as("u".repeat(1024))] {
            assert_eq!(verdict.clone().limited().expect("a verdict"), verdict);
        }
        let error = Verdict::valid_as("u".repeat(1025)).limited().expect_err("too long");
        assert_eq!(error.as_response_error().status_code(), 500);
    }
}
