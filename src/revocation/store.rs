//! The interface of a revocation store, and its error.

use std::{fmt, sync::Arc, time::Duration};

use actix_web::{HttpResponse, ResponseError, http::StatusCode};
use futures_core::future::BoxFuture;

use super::key::RevocationKey;
use crate::retry_later::TryLater;

/// A revocation list (denylist, blocklist): the logins that have ended, kept for as long as a client could
/// still present them.
///
/// A logout changes the browser's session. It cannot change requests in flight with the old session, or a
/// copy of an old cookie. So it also revokes the id of the login, and later requests with that id are
/// refused, which prevents their replay. [`revoke_user`](crate::BasicLogin::revoke_user) and
/// [`revoke_login`](crate::BasicLogin::revoke_login) do the same without a request.
///
/// By default, the list is in the memory of the process, for all its realms. If several machines or
/// processes share sessions, or if old cookies must be refused after a restart, give all realms one
/// shared store: `RedisRevocationStore` (feature `redis`), or your own. A store is a map of numbers whose
/// entries expire. It is read on each request with a login, and written by logouts and revocations only.
///
/// ```
/// use std::{collections::HashMap, sync::Mutex, time::Duration};
/// use actix_basic_logout::{BasicLogin, RevocationError, RevocationKey, RevocationStore};
/// # use actix_web::HttpRequest;
/// # use actix_web_httpauth::extractors::basic::BasicAuth;
/// use futures_core::future::BoxFuture;
///
/// /// Entries never expire here; a real store removes them after `ttl`.
/// #[derive(Default)]
/// struct Table(Mutex<HashMap<String, u64>>);
///
/// impl RevocationStore for Table {
///     fn set<'a>(
///         &'a self,
///         entries: &'a [(RevocationKey, u64)],
///         _ttl: Duration,
///     ) -> BoxFuture<'a, Result<(), RevocationError>> {
///         Box::pin(async move {
///             let mut rows = self.0.lock().map_err(|_| RevocationError::new("poisoned"))?;
///             rows.extend(entries.iter().map(|(key, value)| (key.to_string(), *value)));
///             Ok(())
///         })
///     }
///
///     fn get<'a>(
///         &'a self,
///         keys: &'a [RevocationKey],
///     ) -> BoxFuture<'a, Result<Vec<Option<u64>>, RevocationError>> {
///         Box::pin(async move {
///             let rows = self.0.lock().map_err(|_| RevocationError::new("poisoned"))?;
///             Ok(keys.iter().map(|key| rows.get(&key.to_string()).copied()).collect())
///         })
///     }
/// }
///
/// # let users = async |_: &HttpRequest, _: &BasicAuth| Ok(true);
/// # actix_web::rt::System::new().block_on(async {
/// let table = Table::default();
/// let (revoked, other) = ("ee".repeat(16).parse()?, "ff".repeat(16).parse()?);
/// table.set(&[(revoked, 7)], Duration::from_secs(60)).await?;
/// assert_eq!(table.get(&[other, revoked]).await?, [None, Some(7)]);
///
/// let login = BasicLogin::builder("Admin area", users).revocation_store(table).build()?;
/// assert!(login.revoke_user("alice").await.is_ok());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # }).unwrap();
/// ```
pub trait RevocationStore: Send + Sync + 'static {
    /// Stores a number under each of these keys for at least `ttl`, and replaces older numbers. The
    /// operation must be atomic: all entries are stored, or none.
    ///
    /// # Errors
    ///
    /// The entries could not be stored. The logout or revocation then fails with 503 and changes
    /// nothing.
    fn set<'a>(
        &'a self,
        entries: &'a [(RevocationKey, u64)],
        ttl: Duration,
    ) -> BoxFuture<'a, Result<(), RevocationError>>;

    /// Returns the number under each of these keys, in the same order.
    ///
    /// # Errors
    ///
    /// The list could not be read. The request then receives 503: it does not pass, because the user may
    /// have logged out, and no prompt opens, because a login could not succeed.
    fn get<'a>(
        &'a self,
        keys: &'a [RevocationKey],
    ) -> BoxFuture<'a, Result<Vec<Option<u64>>, RevocationError>>;
}

/// Shares one store between several realms.
impl<S: RevocationStore + ?Sized> RevocationStore for Arc<S> {
    fn set<'a>(
        &'a self,
        entries: &'a [(RevocationKey, u64)],
        ttl: Duration,
    ) -> BoxFuture<'a, Result<(), RevocationError>> {
        (**self).set(entries, ttl)
    }

    fn get<'a>(
        &'a self,
        keys: &'a [RevocationKey],
    ) -> BoxFuture<'a, Result<Vec<Option<u64>>, RevocationError>> {
        (**self).get(keys)
    }
}

/// The error of a [`RevocationStore`] that is unavailable or returns invalid data.
///
/// As a handler's error, it becomes a 503 with `Retry-After` (RFC 9110, section 15.6.4).
///
/// ```
/// use actix_basic_logout::RevocationError;
/// use actix_web::ResponseError;
///
/// let error = RevocationError::new("connection refused");
/// assert_eq!(error.to_string(), "the revocation store is unavailable: connection refused");
/// assert_eq!(error.status_code(), 503);
/// ```
#[derive(Debug)]
pub struct RevocationError(Box<dyn std::error::Error + Send + Sync>);

impl RevocationError {
    /// Creates an error from its cause, which appears in the log only. No client sees it.
    ///
    /// ```
    /// use std::{error::Error, io};
    /// use actix_basic_logout::RevocationError;
    ///
    /// let error = RevocationError::new(io::Error::other("connection refused"));
    /// assert!(error.source().is_some_and(|it| it.is::<io::Error>()));
    /// // The cause may be a text.
    /// let error = RevocationError::new("no such table");
    /// assert_eq!(error.to_string(), "the revocation store is unavailable: no such table");
    /// ```
    pub fn new(source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self(source.into())
    }
}

impl fmt::Display for RevocationError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the revocation store is unavailable: {}", self.0)
    }
}

impl std::error::Error for RevocationError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&*self.0)
    }
}

impl ResponseError for RevocationError {
    fn status_code(&self) -> StatusCode {
        StatusCode::SERVICE_UNAVAILABLE
    }

    fn error_response(&self) -> HttpResponse {
        TryLater::unavailable().error_response()
    }
}
