//! What it takes to try the crate in a real browser: the demo itself, a site that has what the demo
//! has not, a proxy that writes down what the server saw, and a browser with its dialogs. The
//! promises are in `tests/promises`.
//!
//! Nothing here returns errors: whatever goes wrong fails the test that it goes wrong in.

mod bidi;
mod browser;
mod demo;
mod dialogs;
mod engine;
mod http;
mod log;
pub mod observations;
mod processes;
mod proxy;
mod screen;
mod site;
mod stage;
mod tab;
mod wait;
mod webdriver;
mod window;

pub use engine::{Engine, Wish};
pub use log::{Exchange, Log};
pub use proxy::Hold;
pub use site::Site;
pub use stage::{Port, Stage};
pub use tab::{Dialog, Tab};
pub use wait::until;
