//! A site, and browsers that behave as real browsers were measured to.

pub mod browser;
pub mod log;
pub mod site;
pub mod store;
