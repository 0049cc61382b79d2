//! The state machine: pure functions from the facts of a request to a decision. The tables are in `tables/`.
//!
//! `authenticate` decides whether a request passes, `logout` decides about logouts, and `page_script` about requests of
//! the logout page's script. Uses `refusal_reason`, `request` and `session`.

pub(crate) mod authenticate;
pub(crate) mod facts;
pub(crate) mod logout;
pub(crate) mod page_script;

#[cfg(test)]
mod tests;
