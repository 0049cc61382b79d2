//! The harness that tests the crate in real browsers. It starts the demo or a site with additional
//! features, a proxy that records each request, and a browser whose dialogs it can answer. The
//! scenarios are in `tests/scenarios`.
//!
//! The functions panic instead of returning errors, because any failure must fail the test.

mod bidi;
mod browser;
mod demo;
mod dialogs;
mod engine;
mod fixture;
mod http;
mod log;
pub mod observations;
mod processes;
mod proxy;
mod screen;
mod site;
mod tab;
mod wait;
mod webdriver;
mod window;

pub use engine::{BrowserConfig, Engine};
pub use fixture::{Fixture, Port};
pub use log::{Exchange, Log};
pub use proxy::HoldGuard;
pub use site::Site;
pub use tab::{Dialog, Tab};
pub use wait::wait_until;
