//! The interface of a revocation store, and its error.

use std::{fmt, sync::Arc, time::Duration};

use actix_web::{HttpResponse, ResponseError, http::StatusCode};
use futures_core::future::BoxFuture;

use super::key::RevocationKey;
use crate::retry_later::TryLater;

/// Stores the revocation list: the logins that have ended before their deadline.
///
/// A logout changes the browser's session. It cannot change requests that are in flight with the
/// old session, nor a copy of an old session cookie (replay). So the logout also puts the id of the
/// login on the revocation list, and the middleware refuses each later request with that login.
/// [`revoke_user`](crate::BasicLogin::revoke_user) and
/// [`revoke_login`](crate::BasicLogin::revoke_login) put logins on the list as well. Such a list is
/// also called a denylist or blocklist.
///
/// A logout without a login, which needs no password, leaves entries as well. Their `ttl` is 20
/// minutes.
///
/// By default, all realms of a process share a list in memory, of up to 100,000 entries about logins,
/// and as many about logouts without a login. Set a
/// shared store if several machines or processes share sessions, or if the list must survive a
/// restart. Give all realms the same store: `RedisRevocationStore` (feature `redis`), or your own
/// implementation of this trait.
///
/// A store is a map from keys to numbers whose entries expire. The middleware reads it on each
/// request with a login. Logins, logouts and revocations write it. A store that evicts entries when it
/// is full must evict those first that expire soonest, and should evict none.
///
/// ```
/// use std::{collections::HashMap, sync::Mutex, time::Duration};
/// use actix_basic_logout::{BasicLogin, RevocationError, RevocationKey, RevocationStore};
/// # use actix_web::HttpRequest;
/// # use actix_web_httpauth::extractors::basic::BasicAuth;
/// use futures_core::future::BoxFuture;
///
/// /// Keeps its entries until the process ends. A real store removes them after `ttl`.
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
    /// Stores a number under each key, for at least the time `ttl`, and replaces older numbers.
    ///
    /// It must store all entries or none.
    ///
    /// # Errors
    ///
    /// Fails if the entries cannot be stored. The request, such as a logout, then gets 503 and
    /// changes nothing.
    fn set<'a>(
        &'a self,
        entries: &'a [(RevocationKey, u64)],
        ttl: Duration,
    ) -> BoxFuture<'a, Result<(), RevocationError>>;

    /// Returns the number under each key, in the order of the keys, and `None` for a key without
    /// one.
    ///
    /// # Errors
    ///
    /// Fails if the keys cannot be looked up. The request then gets 503 without a challenge. The
    /// middleware lets no user in who may have logged out, and the browser asks for no password
    /// that could not be accepted.
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
/// If a handler returns it, the response is 503 with `Retry-After` (RFC 9110, section 15.6.4).
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
    /// Wraps the cause. The log contains it, and no response does.
    ///
    /// ```
    /// use std::{error::Error, io};
    /// use actix_basic_logout::RevocationError;
    ///
    /// let error = RevocationError::new(io::Error::other("connection refused"));
    /// assert!(error.source().is_some_and(|it| it.is::<io::Error>()));
    /// // The cause may also be a text.
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
