//! What the crate promises, seen from outside.

mod flows;
mod neighbours;
