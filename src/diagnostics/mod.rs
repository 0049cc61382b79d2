//! Detects mistakes that show only at run time: a missing session middleware, and browsers without cookies.
//!
//! Each mistake is logged once. Uses `request` and `session`.

pub(crate) mod missing_cookies;
pub(crate) mod setup_mistakes;
