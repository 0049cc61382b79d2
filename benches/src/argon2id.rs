//! An Argon2id hash, and a validator that verifies passwords on the worker thread.

use std::sync::LazyLock;

use actix_web::{Error, dev::ServiceRequest, error::ErrorUnauthorized};
use actix_web_httpauth::extractors::basic::BasicAuth;
use argon2::{Algorithm, Argon2, Params, Version};
use base64::{Engine, prelude::BASE64_STANDARD_NO_PAD};

use crate::PASSWORD;

const SALT: &[u8] = b"0123456789abcdef";

static HASH: LazyLock<[u8; 32]> = LazyLock::new(|| hash(PASSWORD));

/// Argon2id with 19 MiB, two passes and one lane.
fn hash(password: &str) -> [u8; 32] {
    let mut hash = [0; 32];
    Argon2::new(Algorithm::Argon2id, Version::V0x13, Params::DEFAULT)
        .hash_password_into(password.as_bytes(), SALT, &mut hash)
        .expect("a hash");
    hash
}

/// The hash as a PHC string.
#[must_use]
pub fn stored() -> String {
    let base64 = BASE64_STANDARD_NO_PAD;
    let (salt, hash) = (base64.encode(SALT), base64.encode(*HASH));
    format!("$argon2id$v=19$m=19456,t=2,p=1${salt}${hash}")
}

/// Hashes on the worker thread, as simple validators do.
///
/// # Errors
///
/// 401 for a wrong password.
pub async fn validator(
    req: ServiceRequest,
    credentials: BasicAuth,
) -> Result<ServiceRequest, (Error, ServiceRequest)> {
    if hash(credentials.password().unwrap_or_default()) == *HASH {
        Ok(req)
    } else {
        Err((ErrorUnauthorized("no"), req))
    }
}
