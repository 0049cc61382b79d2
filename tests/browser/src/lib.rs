//! What it takes to try the crate in a real browser: the demo itself, a site that has what the demo
//! has not, a proxy that writes down what the server saw, and a browser driven by WebDriver BiDi. The promises are in `tests/promises`.
//!
//! Nothing here returns errors: whatever goes wrong fails the test that it goes wrong in.

mod bidi;
mod browser;
mod demo;
mod http;
mod log;
mod proxy;
mod site;
mod stage;
mod wait;

pub use browser::{Dialog, Engine, Tab, Wish};
pub use log::{Exchange, Log};
pub use proxy::Hold;
pub use site::Site;
pub use stage::{Port, Stage};
pub use wait::until;
