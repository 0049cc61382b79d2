//! Mistakes that are visible at run time only: a missing session middleware, browsers without cookies.
//!
//! Each is reported once. Uses `request` and `session`.

pub(crate) mod missing_cookies;
pub(crate) mod setup_mistakes;
