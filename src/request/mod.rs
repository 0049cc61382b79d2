//! What a request says about itself: its kind, credentials, origin and path.
//!
//! Pure functions of the request. Uses no other module of this crate.

pub(crate) mod authorization;
pub(crate) mod fingerprint;
pub(crate) mod kind;
pub(crate) mod origin;
pub(crate) mod path;
