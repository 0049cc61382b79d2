//! What the crate promises, seen from outside.

mod answers;
mod flows;
mod neighbours;
