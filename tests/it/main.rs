//! Integration tests: the guarantees of the crate through its public API.

#![expect(unreachable_pub, reason = "a test has no outside")]
#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

mod answers;
mod attacks;
mod clients;
mod deadlines;
mod flows;
mod model;
mod neighbours;
mod redis;
mod replay_model;
mod revocation;
mod setup_mistakes;
mod support;
mod traces;
