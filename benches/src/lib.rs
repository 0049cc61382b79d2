//! The parts that the benchmarks share: the measured cases, the demo as a process, and Redis.
//!
//! A case is a site and a request. The handler of every site answers `admin`. The sites differ in
//! the middleware around the handler.

pub mod argon2id;
mod case;
pub mod client;
pub mod demo;
pub mod redis;
mod site;
#[expect(clippy::len_without_is_empty, reason = "shared with the tests")]
#[path = "../../tests/it/support/store.rs"]
pub mod store;

pub use case::{
    CASES, Case, LOGOUT, Make, PAGE, PASSWORD, browser_in, page, private_cookie, realm, session,
    site, validator,
};
pub use site::{Answer, Site, Visitor, status};
