//! What goes out: refusals, logout pages, redirects, errors, each with the headers that the protocol needs.
//!
//! Uses `reason`, `request`, `retry_later`, `revocation` (its error) and `decision` (the kind of refusal).

pub(crate) mod challenge;
pub(crate) mod notice;
pub(crate) mod responder;
