//! The revocation list in Redis, for machines that share sessions.

use std::{fmt, time::Duration};

use futures_core::future::BoxFuture;
use redis::{
    Client, FromRedisValue, Pipeline, RedisError, RedisResult,
    aio::{ConnectionManager, ConnectionManagerConfig},
};

use super::{
    key::RevocationKey,
    store::{RevocationError, RevocationStore},
};

/// The timeout for a reply of Redis, and for a connection to it. After that the request is refused.
const TIMEOUT: Duration = Duration::from_secs(2);

/// A [`RevocationStore`] in Redis, for several machines or processes that share sessions.
///
/// It can use the same Redis as actix-session's
/// [`RedisSessionStore`](https://docs.rs/actix-session/latest/actix_session/storage/struct.RedisSessionStore.html).
///
/// Redis holds one small key for each ended login and each revoked user. The keys expire. A request
/// with a login costs one `MGET`. While Redis is unavailable, requests with a login get 503: at
/// once, or after a few seconds if Redis does not reply. When Redis is available again, the store
/// reconnects, and requests are served again. Clones share one connection.
///
/// For TLS (`rediss://`), enable the feature `redis-session-rustls` or `redis-session-native-tls`
/// of actix-session. Both crates use the same Redis client.
///
/// ```no_run
/// use actix_basic_logout::{BasicLogin, RedisRevocationStore};
/// # use actix_web::HttpRequest;
/// # use actix_web_httpauth::extractors::basic::BasicAuth;
/// # let users = async |_: &HttpRequest, _: &BasicAuth| Ok(true);
/// # let secret = [7; 64];
///
/// # async move {
/// let revocations = RedisRevocationStore::new("redis://127.0.0.1:6379").await?;
/// let login = BasicLogin::builder("Admin area", users)
///     .revocation_store(revocations)
///     .fingerprint_key(secret) // the same on all machines, like the cookie key
///     .build()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # };
/// ```
#[derive(Clone)]
pub struct RedisRevocationStore {
    connection: ConnectionManager,
    prefix: String,
}

impl RedisRevocationStore {
    /// Connects to a Redis server. The URL has the form
    /// `redis://[user:password@]host[:port][/database]`.
    ///
    /// # Errors
    ///
    /// Fails if the URL is invalid, or if the server does not answer within 2 seconds.
    ///
    /// # Panics
    ///
    /// Panics if the future is polled outside a Tokio runtime. actix-web runs on Tokio.
    ///
    /// ```
    /// use actix_basic_logout::RedisRevocationStore;
    ///
    /// # #[actix_web::main]
    /// # async fn main() -> std::io::Result<()> {
    /// let error = RedisRevocationStore::new("http://127.0.0.1").await.unwrap_err();
    /// assert!(error.to_string().starts_with("the revocation store is unavailable: "));
    ///
    /// # let port = std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
    /// # let url = format!("redis://127.0.0.1:{port}");
    /// // No server listens at `url`.
    /// assert!(RedisRevocationStore::new(&url).await.is_err());
    /// # Ok(())
    /// # }
    /// ```
    pub async fn new(url: &str) -> Result<Self, RevocationError> {
        let client = Client::open(url).map_err(RevocationError::new)?;
        let config = ConnectionManagerConfig::new()
            .set_response_timeout(TIMEOUT)
            .set_connection_timeout(TIMEOUT)
            .set_number_of_retries(0);
        let connection = ConnectionManager::new_with_config(client, config).await;
        let connection = connection.map_err(RevocationError::new)?;
        Ok(Self { connection, prefix: "basic-logout:".to_owned() })
    }

    /// Sets the prefix of the keys in Redis. Default: `basic-logout:`.
    ///
    /// If several applications share a Redis database and have realms of the same name, give each
    /// application its own prefix. Otherwise [`revoke_user`](crate::BasicLogin::revoke_user) in one
    /// application also ends the logins of that user in the others.
    ///
    /// ```
    /// use actix_basic_logout::{RedisRevocationStore, RevocationStore};
    /// # use std::{io::{Read, Write}, net::TcpListener, thread};
    ///
    /// # #[actix_web::main]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # // A stand-in for Redis that holds one key.
    /// # let listener = TcpListener::bind("127.0.0.1:0")?;
    /// # let url = format!("redis://{}", listener.local_addr()?);
    /// # thread::spawn(move || -> std::io::Result<()> {
    /// #     let (mut connection, mut read) = (listener.accept()?.0, [0; 4096]);
    /// #     loop {
    /// #         let length = connection.read(&mut read)?;
    /// #         let commands = String::from_utf8_lossy(&read[..length]).into_owned();
    /// #         let has_key = commands.contains("\r\nshop:00112233445566778899aabbccddeeff\r\n");
    /// #         connection.write_all(match commands.contains("MGET") {
    /// #             true if has_key => b"*1\r\n$1\r\n7\r\n".to_vec(),
    /// #             true => b"*1\r\n$-1\r\n".to_vec(),
    /// #             false => b"+OK\r\n".repeat(commands.matches("CLIENT").count()),
    /// #         }.as_slice())?;
    /// #     }
    /// # });
    /// let store = RedisRevocationStore::new(&url).await?;
    /// let shop = store.clone().prefix("shop:");
    /// // Redis holds the key `shop:00112233445566778899aabbccddeeff` with the value 7.
    /// let key = "00112233445566778899aabbccddeeff".parse()?;
    /// assert_eq!(shop.get(&[key]).await?, [Some(7)]);
    /// assert_eq!(store.get(&[key]).await?, [None]);
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn prefix(mut self, prefix: impl Into<String>) -> Self {
        self.prefix = prefix.into();
        self
    }

    fn key(&self, key: RevocationKey) -> String {
        format!("{}{key}", self.prefix)
    }

    /// Runs commands. If the connection was dropped, because it was idle or because the server
    /// restarted, the commands run a second time on a new connection. All commands here are
    /// idempotent.
    async fn run<T: FromRedisValue>(&self, commands: &Pipeline) -> RedisResult<T> {
        let mut connection = self.connection.clone();
        match commands.query_async(&mut connection).await {
            Err(error) if RedisError::is_connection_dropped(&error) => {
                commands.query_async(&mut connection).await
            }
            result => result,
        }
    }
}

impl fmt::Debug for RedisRevocationStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let prefix = &self.prefix;
        f.debug_struct("RedisRevocationStore").field("prefix", prefix).finish_non_exhaustive()
    }
}

impl RevocationStore for RedisRevocationStore {
    fn set<'a>(
        &'a self,
        entries: &'a [(RevocationKey, u64)],
        ttl: Duration,
    ) -> BoxFuture<'a, Result<(), RevocationError>> {
        Box::pin(async move {
            let mut commands = redis::pipe();
            commands.atomic();
            let seconds = ttl.as_secs().saturating_add(1);
            for (key, value) in entries {
                commands.set_ex(self.key(*key), value, seconds).ignore();
            }
            self.run(&commands).await.map_err(RevocationError::new)
        })
    }

    fn get<'a>(
        &'a self,
        keys: &'a [RevocationKey],
    ) -> BoxFuture<'a, Result<Vec<Option<u64>>, RevocationError>> {
        Box::pin(async move {
            let mut commands = redis::pipe();
            commands.cmd("MGET").arg(keys.iter().map(|it| self.key(*it)).collect::<Vec<_>>());
            let (values,) = self.run(&commands).await.map_err(RevocationError::new)?;
            Ok(values)
        })
    }
}
