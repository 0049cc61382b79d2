//! The measured cases: each is a site and a request.
//!
//! Every site answers `admin` to whom it lets in. They differ in what stands in front of that.

pub mod argon2id;
mod case;
pub mod client;
mod site;
#[expect(clippy::len_without_is_empty, reason = "it is the tests' own")]
#[path = "../../tests/it/support/store.rs"]
pub mod store;

pub use case::{
    CASES, Case, LOGOUT, Make, PAGE, PASSWORD, browser_in, page, private_cookie, realm, session,
    site, validator,
};
pub use site::{Answer, Site, Visitor, status};
