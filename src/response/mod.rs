//! The responses of this crate: refusals, logout pages, redirects and errors, with the headers that
//! HTTP requires.
//!
//! Uses `reason`, `request`, `retry_later`, `revocation` (its error) and `decision` (the kind of
//! refusal).

pub(crate) mod challenge;
pub(crate) mod notice;
pub(crate) mod responder;
