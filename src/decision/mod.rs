//! The state machine: pure functions from the facts of a request to a decision. The tables are in `tables/`.
//!
//! `authenticate` decides about requests that want to pass, `logout` about logouts, `page_script` about the logout page's
//! script. Uses `reason`, `request` and `session`.

pub(crate) mod authenticate;
pub(crate) mod facts;
pub(crate) mod logout;
pub(crate) mod page_script;

#[cfg(test)]
mod tests;
