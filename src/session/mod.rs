//! The session's record of a realm: the state, the login, and the timeouts of a login.
//!
//! `entry` is the only code that reads and writes sessions. Uses `request` and `revocation`.

pub(crate) mod deadlines;
pub(crate) mod entry;
pub(crate) mod login;
pub(crate) mod login_validity;
pub(crate) mod state;
