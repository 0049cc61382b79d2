//! Parses and computes password hashes, off the worker threads and a bounded number at a time.
//!
//! `hash` is pure and slow, `hash_limiter` decides when a hash is computed, and `builder` has its
//! options. May use `retry_later`.

pub(crate) mod builder;
pub(crate) mod hash;
pub(crate) mod hash_limiter;
