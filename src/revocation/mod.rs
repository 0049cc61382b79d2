//! The revocation list: logins that ended before their timeout, and the stores that hold it.
//!
//! The rest of the crate uses `registry`, which takes ids and user-ids, and no session entry.
//! Uses `retry_later`.

pub(crate) mod key;
mod memory;
#[cfg(feature = "redis")]
pub(crate) mod redis;
pub(crate) mod registry;
pub(crate) mod store;
