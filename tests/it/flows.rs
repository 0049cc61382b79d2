//! Logging in and out, as browsers and programs do.
