//! The error for an invalid list of users.

use std::{fmt, io, sync::Arc};

/// The reason why a list of [`Users`](crate::Users) is invalid.
///
/// The text names the source, the line, the problem and a fix. It never contains a password or a
/// hash.
///
/// ```
/// use actix_basic_logout::Users;
///
/// let error = Users::htpasswd("nowhere/users.htpasswd").unwrap_err();
/// assert!(error.to_string().starts_with("nowhere/users.htpasswd cannot be read: "));
/// ```
#[derive(Clone, Debug)]
pub struct UsersError {
    text: String,
    line: Option<usize>,
    cause: Option<Arc<io::Error>>,
}

impl UsersError {
    pub(crate) fn new(text: String, line: Option<usize>) -> Self {
        Self { text, line, cause: None }
    }

    pub(crate) fn with_cause(self, cause: io::Error) -> Self {
        Self { cause: Some(Arc::new(cause)), ..self }
    }

    /// Returns the number of the line, or of the entry in a list, counted from 1. None if the error
    /// is about the whole source.
    ///
    /// ```
    /// use actix_basic_logout::Users;
    ///
    /// let error = Users::plaintext([("alice", "wonderland"), ("alice", "x")]).unwrap_err();
    /// assert_eq!(error.line(), Some(2));
    /// let error = Users::plaintext([("", ""); 0]).unwrap_err();
    /// assert_eq!(error.line(), None);
    /// ```
    #[must_use]
    pub fn line(&self) -> Option<usize> {
        self.line
    }
}

impl fmt::Display for UsersError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)?;
        self.cause.as_ref().map_or(Ok(()), |cause| write!(f, ": {cause}"))
    }
}

impl std::error::Error for UsersError {}
