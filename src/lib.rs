//! HTTP Basic authentication that can log out.

mod authenticator;
mod challenge;
mod client;
mod config;
mod credentials;
mod decision;
mod ended;
mod fingerprint;
mod login;
mod logout;
mod middleware;
mod misuse;
mod notice;
mod place;
mod user;
mod visit;

#[doc(hidden)]
pub use crate::middleware::BasicLoginService;
pub use crate::{
    authenticator::Authenticator,
    client::Client,
    config::{BasicLogin, BasicLoginBuilder, ConfigError, LogoutAnswer, LogoutClears},
    logout::{LOGOUT_SCRIPT_HASH, Logout},
    notice::{Notice, Reason},
    user::User,
};
