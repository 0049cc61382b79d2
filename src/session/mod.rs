//! The data that the session stores for a realm: the state and the login record. Also decides when
//! a login ends.
//!
//! `entry` is the only code that reads and writes sessions. Uses `request` and `revocation`.

pub(crate) mod deadlines;
pub(crate) mod entry;
pub(crate) mod guesses;
pub(crate) mod login;
pub(crate) mod login_validity;
pub(crate) mod state;
