//! The revocation list: the logins that ended before their deadline, and the stores that keep it.
//!
//! `registry` is what the rest of the crate uses. It takes ids and user names, never a session
//! entry. Uses `retry_later`.

pub(crate) mod key;
mod memory;
#[cfg(feature = "redis")]
pub(crate) mod redis;
pub(crate) mod registry;
pub(crate) mod store;
pub(crate) mod subscription;
