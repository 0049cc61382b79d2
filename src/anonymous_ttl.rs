//! A session store that keeps sessions without a login for minutes only.

use actix_session::storage::{LoadError, SaveError, SessionKey, SessionStore, UpdateError};
use actix_web::cookie::time::Duration;

use crate::{revocation::registry::CHALLENGE_LIFETIME, session::entry};

/// The state of a session, as [`SessionStore`] has it.
type SessionState = std::collections::HashMap<String, String>;

/// Wraps a [`SessionStore`], and keeps sessions of clients that never logged in for at most 15 minutes.
///
/// Each challenge to a browser begins a session. Without this wrapper, a session store keeps it as
/// long as the session of a user: for the `state_ttl` of the session middleware, which is a day by
/// default. A flood of requests can then fill the store (denial of service), and a full Redis evicts
/// sessions of users. With this wrapper, a flood leaves at most what it sends in 15 minutes. A Redis
/// with the eviction policy `volatile-ttl` evicts these short-lived sessions first.
///
/// A session is kept for the full `state_ttl` once a user has logged in, and also if the application
/// has stored data in it. A browser that returns after its session has expired is prompted once more.
/// Sessions in cookies leave nothing on the server and need no wrapper.
///
/// ```
/// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/guide/browser.rs"));
/// # use std::{collections::HashMap, sync::{Arc, Mutex}};
/// # use actix_session::storage::{LoadError, SaveError, SessionKey, SessionStore, UpdateError};
/// # use actix_web::cookie::time;
/// # type State = HashMap<String, String>;
/// # /// One session, with its time to live.
/// # #[derive(Clone, Default)]
/// # struct Sessions(Arc<Mutex<(State, time::Duration)>>);
/// # impl Sessions {
/// #     fn ttl(&self) -> time::Duration {
/// #         self.0.lock().unwrap().1
/// #     }
/// # }
/// # impl SessionStore for Sessions {
/// #     async fn load(&self, _: &SessionKey) -> Result<Option<State>, LoadError> {
/// #         Ok(Some(self.0.lock().unwrap().0.clone()))
/// #     }
/// #     async fn save(&self, state: State, ttl: &time::Duration) -> Result<SessionKey, SaveError> {
/// #         *self.0.lock().unwrap() = (state, *ttl);
/// #         Ok("key".to_owned().try_into().unwrap())
/// #     }
/// #     async fn update(
/// #         &self,
/// #         key: SessionKey,
/// #         state: State,
/// #         ttl: &time::Duration,
/// #     ) -> Result<SessionKey, UpdateError> {
/// #         *self.0.lock().unwrap() = (state, *ttl);
/// #         Ok(key)
/// #     }
/// #     async fn update_ttl(&self, _: &SessionKey, _: &time::Duration) -> anyhow::Result<()> {
/// #         Ok(())
/// #     }
/// #     async fn delete(&self, _: &SessionKey) -> anyhow::Result<()> {
/// #         Ok(())
/// #     }
/// # }
/// # #[actix_web::main]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use actix_basic_logout::{AnonymousTtl, BasicLogin};
///
/// let login = BasicLogin::builder("Admin area", users).build()?;
/// # let store = Sessions::default();
/// // `store` is your session store, for example a `RedisSessionStore`.
/// let sessions = SessionMiddleware::new(AnonymousTtl::new(store.clone()), Key::generate());
/// # let admin = web::scope("/admin").wrap(login).default_service(web::to(async || "Hello"));
/// # let app = App::new().service(admin).wrap(sessions);
/// let mut browser = Browser::new(test::init_service(app).await);
/// browser.open("/admin/").await;
/// assert_eq!(store.ttl().whole_minutes(), 15);
/// browser.log_in("/admin/", "alice", "wonderland").await;
/// assert_eq!(store.ttl().whole_days(), 1);
/// # Ok(())
/// # }
/// ```
///
/// # Errors
///
/// Its methods return the errors of the wrapped store.
#[derive(Clone, Copy, Debug)]
pub struct AnonymousTtl<S> {
    store: S,
}

impl<S> AnonymousTtl<S> {
    /// Wraps a session store.
    ///
    /// ```
    /// use actix_basic_logout::AnonymousTtl;
    /// use actix_session::{SessionMiddleware, storage::CookieSessionStore};
    /// use actix_web::cookie::Key;
    ///
    /// let store = AnonymousTtl::new(CookieSessionStore::default());
    /// let sessions = SessionMiddleware::new(store, Key::generate());
    /// # let _ = sessions;
    /// ```
    #[must_use]
    pub fn new(store: S) -> Self {
        Self { store }
    }
}

/// The time to live of a session, given the one that the session middleware asks for.
fn limited(state: &SessionState, ttl: &Duration) -> Duration {
    let seconds = i64::try_from(CHALLENGE_LIFETIME.as_secs()).unwrap_or(i64::MAX);
    if entry::is_anonymous(state) { Duration::seconds(seconds).min(*ttl) } else { *ttl }
}

impl<S: SessionStore> SessionStore for AnonymousTtl<S> {
    async fn load(&self, session_key: &SessionKey) -> Result<Option<SessionState>, LoadError> {
        self.store.load(session_key).await
    }

    async fn save(&self, state: SessionState, ttl: &Duration) -> Result<SessionKey, SaveError> {
        let ttl = limited(&state, ttl);
        self.store.save(state, &ttl).await
    }

    async fn update(
        &self,
        session_key: SessionKey,
        state: SessionState,
        ttl: &Duration,
    ) -> Result<SessionKey, UpdateError> {
        let ttl = limited(&state, ttl);
        self.store.update(session_key, state, &ttl).await
    }

    async fn update_ttl(&self, session_key: &SessionKey, ttl: &Duration) -> anyhow::Result<()> {
        // A session that no longer exists has no time to live. A session without a login keeps its own: it
        // is not needed for longer, and a login may replace it at this moment.
        match self.store.load(session_key).await? {
            Some(state) if !entry::is_anonymous(&state) => {
                self.store.update_ttl(session_key, ttl).await
            }
            _ => Ok(()),
        }
    }

    async fn delete(&self, session_key: &SessionKey) -> anyhow::Result<()> {
        self.store.delete(session_key).await
    }
}
