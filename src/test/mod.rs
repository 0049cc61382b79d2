//! A browser and a clock for the tests of an application. Feature `test-util`.
//!
//! Enable it where the tests are built, not in the application itself:
//!
//! ```toml
//! [dev-dependencies]
//! actix-basic-logout = { version = "0.1", features = ["test-util"] }
//! ```
//!
//! - [`Browser`] has a cookie jar, caches credentials for each directory, and answers challenges as
//!   browsers do. A test logs in and out with it like a user.
//! - [`Clock`] stands still until a test advances it, for every `clock` setter of this crate.
//!
//! The [testing guide](crate::guide::testing) shows both.

#[doc(hidden)]
pub mod auth_cache;
mod browser;
mod challenge;
mod clock;
mod cookies;
mod request;
mod response;

#[doc(alias = "cookie jar")]
pub use self::browser::Browser;
#[doc(alias = "mock clock")]
pub use self::clock::Clock;
pub use self::{
    auth_cache::Engine,
    request::{form, navigation, subresource},
    response::Response,
};
