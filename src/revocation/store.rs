//! The interface of a revocation store, and its error.

use std::{fmt, sync::Arc, time::Duration};

use actix_web::{HttpResponse, ResponseError, http::StatusCode};
use futures_core::future::BoxFuture;

use super::key::RevocationKey;
use crate::retry_later::TryLater;

/// Where a realm remembers which logins have ended, for as long as anybody could come back with
/// one.
///
/// A logout changes the browser's session, but neither the requests that are on their way with the
/// old one nor a copy of an old cookie. So it also *ends* the login, and whatever turns up with an
/// ended login later is refused. [`revoke_user`](crate::BasicLogin::revoke_user) and
/// [`revoke_login`](crate::BasicLogin::revoke_login) do the same from outside.
///
/// By default this is remembered in the memory of the process, for all its realms. Where several
/// machines or processes share sessions, or old cookies have to stay dead after a restart, give all
/// realms one store that is shared: `RedisRevocationStore` (feature `redis`), or your own. It is a
/// map with numbers in it, whose entries expire. It is read on each request that comes with a login,
/// and written by logouts and revocations alone.
///
/// ```
/// use std::{collections::HashMap, sync::Mutex, time::Duration};
/// use actix_basic_logout::{BasicLogin, RevocationError, RevocationKey, RevocationStore};
/// # use actix_web::HttpRequest;
/// # use actix_web_httpauth::extractors::basic::BasicAuth;
/// use futures_core::future::BoxFuture;
///
/// /// Forgets nothing; a real one would after `ttl`.
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
/// let (ended, other) = ("ee".repeat(16).parse()?, "ff".repeat(16).parse()?);
/// table.set(&[(ended, 7)], Duration::from_secs(60)).await?;
/// assert_eq!(table.get(&[other, ended]).await?, [None, Some(7)]);
///
/// let login = BasicLogin::builder("Admin area", users).revocation_store(table).build()?;
/// assert!(login.revoke_user("alice").await.is_ok());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # }).unwrap();
/// ```
pub trait RevocationStore: Send + Sync + 'static {
    /// Remembers a number under each of these keys, in the place of an older one, for at least this
    /// long. All or nothing.
    ///
    /// # Errors
    ///
    /// What keeps it from being remembered. The logout, or whatever wanted it, is answered 503 and
    /// changes nothing.
    fn set<'a>(
        &'a self,
        entries: &'a [(RevocationKey, u64)],
        ttl: Duration,
    ) -> BoxFuture<'a, Result<(), RevocationError>>;

    /// What is remembered under each of these keys, in their order.
    ///
    /// # Errors
    ///
    /// What keeps it from being looked up. The request is answered 503: nobody is let in who may
    /// have logged out, and nobody is asked for a password in vain.
    fn get<'a>(
        &'a self,
        keys: &'a [RevocationKey],
    ) -> BoxFuture<'a, Result<Vec<Option<u64>>, RevocationError>>;
}

/// One store for several realms.
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

/// A [`RevocationStore`] cannot be reached, or answers nonsense.
///
/// As a handler's error it is answered 503 with `Retry-After` (RFC 9110, section 15.6.4).
///
/// ```
/// use actix_basic_logout::RevocationError;
/// use actix_web::ResponseError;
///
/// let error = RevocationError::new("connection refused");
/// assert_eq!(error.to_string(), "no access to the ended logins: connection refused");
/// assert_eq!(error.status_code(), 503);
/// ```
#[derive(Debug)]
pub struct RevocationError(Box<dyn std::error::Error + Send + Sync>);

impl RevocationError {
    /// What has happened, for the log: no client sees it.
    ///
    /// ```
    /// use std::{error::Error, io};
    /// use actix_basic_logout::RevocationError;
    ///
    /// let error = RevocationError::new(io::Error::other("connection refused"));
    /// assert!(error.source().is_some_and(|it| it.is::<io::Error>()));
    /// // Or a text.
    /// let error = RevocationError::new("no such table");
    /// assert_eq!(error.to_string(), "no access to the ended logins: no such table");
    /// ```
    pub fn new(source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self(source.into())
    }
}

impl fmt::Display for RevocationError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "no access to the ended logins: {}", self.0)
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
