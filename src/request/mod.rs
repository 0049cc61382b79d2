//! The kind, the credentials, the origin and the path of a request.
//!
//! Pure functions of the request. Uses no other module of this crate.

pub(crate) mod authorization;
pub(crate) mod fingerprint;
pub(crate) mod kind;
pub(crate) mod origin;
pub(crate) mod path;
