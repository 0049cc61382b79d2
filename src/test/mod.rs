//! A simulated browser and a mock clock for tests of an application. Requires the feature
//! `test-util`.
//!
//! Enable the feature for the tests only, not for the application:
//!
//! ```toml
//! [dev-dependencies]
//! actix-basic-logout = { version = "0.1", features = ["test-util"] }
//! ```
//!
//! - [`Browser`] stores cookies and credentials, and reacts to challenges like real browsers. With
//!   it, a test logs in and out like a user.
//! - [`Clock`] stands still until a test advances it. Each `clock` setter of this crate accepts it.
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
