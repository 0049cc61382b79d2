//! Pure functions that read a request: its kind, credentials, origin and path.
//!
//! This module uses no other module of the crate.

pub(crate) mod authorization;
pub(crate) mod fingerprint;
pub(crate) mod kind;
pub(crate) mod origin;
pub(crate) mod path;
