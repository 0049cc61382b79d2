//! Parses stored password hashes, bounds their cost, and computes them.
//!
//! Pure and slow: only a [`HashLimiter`](crate::HashLimiter) may compute one.

use std::{fmt, hint::black_box};

use argon2::{Algorithm, Argon2, Params, Version};
use base64::{
    Engine,
    alphabet::BCRYPT,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
// The digests in the version that `pbkdf2` takes, which is not this crate's own.
use pbkdf2::sha2::{Sha256, Sha512};
use phc::{Ident, Output, ParamsString, Salt};
use subtle::ConstantTimeEq;

/// The longest password that is hashed, in bytes.
pub(crate) const MAX_PASSWORD: usize = 1024;

/// The number of bytes that bcrypt considers.
const MAX_BCRYPT_PASSWORD: usize = 72;

/// The limits of the cost of one hash. A typo in the stored parameters could otherwise exhaust the
/// memory or the processor time of the server.
const MAX_MEMORY_KIB: u64 = 1024 * 1024;
const MAX_KIB_PASSES: u64 = 8 * MAX_MEMORY_KIB;
const MAX_LANES: u32 = 64;
const MAX_ROUNDS: u32 = 10_000_000;
const BCRYPT_COSTS: std::ops::RangeInclusive<u32> = 4..=17;

/// The maximum number of kinds. Every login computes one hash of each kind, so their number is
/// limited.
pub(crate) const MAX_KINDS: usize = 8;

/// bcrypt's own base64. The last characters of salt and hash have unused bits.
const BCRYPT_BASE64: GeneralPurpose = GeneralPurpose::new(
    &BCRYPT,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::RequireNone)
        .with_decode_allow_trailing_bits(true),
);

/// An algorithm and its parameters, which determine the cost of a hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    Argon2id { memory_kib: u32, passes: u32, lanes: u32, length: usize },
    Bcrypt { cost: u32 },
    Pbkdf2Sha256 { rounds: u32, length: usize },
    Pbkdf2Sha512 { rounds: u32, length: usize },
    Scrypt { log_n: u8, block: u32, lanes: u32, length: usize },
}

impl Kind {
    /// The kind of new hashes: Argon2id with 19 MiB, two passes and one lane, the first choice of
    /// the OWASP Password Storage Cheat Sheet.
    pub(crate) const NEW: Self = Self::Argon2id {
        memory_kib: Params::DEFAULT_M_COST,
        passes: Params::DEFAULT_T_COST,
        lanes: Params::DEFAULT_P_COST,
        length: Params::DEFAULT_OUTPUT_LEN,
    };

    /// A dummy hash. It matches no password and costs as much as a real one.
    pub(crate) fn dummy(self) -> PasswordHash {
        PasswordHash { kind: self, salt: vec![0; 16], hash: vec![0; self.length()] }
    }

    fn length(self) -> usize {
        match self {
            Self::Argon2id { length, .. }
            | Self::Pbkdf2Sha256 { length, .. }
            | Self::Pbkdf2Sha512 { length, .. }
            | Self::Scrypt { length, .. } => length,
            Self::Bcrypt { .. } => 23,
        }
    }

    /// Computes a hash. None if the algorithm rejects the parameters, which [`PasswordHash::read`]
    /// rules out.
    fn compute(self, password: &str, salt: &[u8]) -> Option<Vec<u8>> {
        let password = password.as_bytes();
        let mut out = vec![0; self.length()];
        match self {
            Self::Argon2id { memory_kib, passes, lanes, length } => {
                let params = Params::new(memory_kib, passes, lanes, Some(length)).ok()?;
                Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
                    .hash_password_into(password, salt, &mut out)
                    .ok()?;
            }
            Self::Bcrypt { cost } => {
                // bcrypt also hashes the NUL that ends a C string, if it fits.
                let mut key = [password, &[0]].concat();
                key.truncate(MAX_BCRYPT_PASSWORD);
                let hash = bcrypt::bcrypt(cost, salt.try_into().ok()?, &key);
                out.copy_from_slice(&hash[..23]);
            }
            Self::Pbkdf2Sha256 { rounds, .. } => {
                pbkdf2::pbkdf2_hmac::<Sha256>(password, salt, rounds, &mut out);
            }
            Self::Pbkdf2Sha512 { rounds, .. } => {
                pbkdf2::pbkdf2_hmac::<Sha512>(password, salt, rounds, &mut out);
            }
            Self::Scrypt { log_n, block, lanes, .. } => {
                let params = scrypt::Params::new(log_n, block, lanes).ok()?;
                scrypt::scrypt(password, salt, &params, &mut out).ok()?;
            }
        }
        Some(out)
    }
}

/// A stored hash.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct PasswordHash {
    pub(crate) kind: Kind,
    salt: Vec<u8>,
    hash: Vec<u8>,
}

impl fmt::Debug for PasswordHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PasswordHash(..)")
    }
}

impl PasswordHash {
    /// Parses a PHC string or a bcrypt hash.
    pub(crate) fn read(text: &str) -> Result<Self, BadHash> {
        match text.get(..4) {
            Some("$2a$" | "$2b$" | "$2y$") => return read_bcrypt(text),
            Some("$2x$") => return Err(BadHash::Weak("a $2x$ hash of a broken bcrypt")),
            _ => {}
        }
        match text.strip_prefix('$').and_then(|it| it.split('$').next()) {
            Some("argon2id" | "pbkdf2" | "pbkdf2-sha256" | "pbkdf2-sha512" | "scrypt") => {
                read_phc(text)
            }
            Some("argon2i" | "argon2d") => Err(BadHash::Weak("an Argon2i or Argon2d hash")),
            Some("apr1") => Err(BadHash::Weak("an apr1 (MD5) hash")),
            Some("1") => Err(BadHash::Weak("an MD5 hash")),
            Some("5" | "6") => Err(BadHash::Weak("a SHA-crypt hash")),
            Some("2") => Err(BadHash::Weak("a $2$ hash of the first bcrypt")),
            None if text.starts_with("{SHA}") => Err(BadHash::Weak("a SHA-1 hash without salt")),
            None if text.starts_with('{') => Err(BadHash::Weak("an LDAP hash")),
            None if is_crypt(text) => Err(BadHash::Weak("a plain crypt (DES) hash")),
            _ => Err(BadHash::Unknown),
        }
    }

    /// Hashes a new password and returns a PHC string.
    pub(crate) fn make(password: &str) -> Option<String> {
        let salt: [u8; 16] = rand::random();
        let Kind::Argon2id { memory_kib, passes, lanes, .. } = Kind::NEW else { return None };
        let hash = Kind::NEW.compute(password, &salt)?;
        let mut params = ParamsString::new();
        params.add_decimal("m", memory_kib).ok()?;
        params.add_decimal("t", passes).ok()?;
        params.add_decimal("p", lanes).ok()?;
        let made = phc::PasswordHash {
            algorithm: Ident::new("argon2id").ok()?,
            version: Some(Version::V0x13.into()),
            params,
            salt: Some(Salt::new(&salt).ok()?),
            hash: Some(Output::new(&hash).ok()?),
        };
        Some(made.to_string())
    }

    /// Whether a password of this length can be right.
    pub(crate) fn takes(&self, password: &str) -> bool {
        !matches!(self.kind, Kind::Bcrypt { .. }) || password.len() <= MAX_BCRYPT_PASSWORD
    }

    /// Whether this is the hash of the password. The time does not depend on the result.
    pub(crate) fn is_of(&self, password: &str) -> bool {
        let computed = self.kind.compute(password, &self.salt);
        let same = computed.is_some_and(|it| self.hash[..].ct_eq(&it).into());
        // bcrypt ignores further bytes, but they are part of the password.
        same & self.takes(password)
    }
}

/// The hashes that one login computes: one of each kind in use, for every user. So the time reveals
/// neither whether the user exists nor which kind of hash the user has.
#[derive(Debug)]
pub(crate) struct Plan(Vec<(PasswordHash, bool)>);

impl Plan {
    pub(crate) fn new(kinds: &[Kind], own: Option<&PasswordHash>) -> Self {
        let step = |kind: &Kind| match own {
            Some(own) if own.kind == *kind => (own.clone(), true),
            _ => (kind.dummy(), false),
        };
        Self(kinds.iter().map(step).collect())
    }

    /// Whether the password is that of the plan's user.
    pub(crate) fn agrees(&self, password: &str) -> bool {
        let check = |good, (hash, is_own): &(PasswordHash, bool)| {
            good | (black_box(hash.is_of(password)) & is_own)
        };
        self.0.iter().fold(false, check)
    }
}

/// The reason why a hash is rejected. It never contains the hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BadHash {
    /// An obsolete or broken algorithm.
    Weak(&'static str),
    /// A known format with an error in it.
    Malformed(&'static str),
    /// A cost outside the limits: the hash could take too much memory or time.
    TooExpensive(&'static str),
    /// An unknown format.
    Unknown,
}

impl fmt::Display for BadHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Weak(what) => write!(f, "{what}, which is not accepted"),
            Self::Malformed(what) => f.write_str(what),
            Self::TooExpensive(what) => write!(f, "a hash whose cost is out of range: {what}"),
            Self::Unknown => {
                f.write_str("neither a PHC string (argon2id, scrypt, pbkdf2) nor a bcrypt hash")
            }
        }
    }
}

fn is_crypt(text: &str) -> bool {
    let alphabet = |it: u8| it.is_ascii_alphanumeric() || it == b'.' || it == b'/';
    text.len() == 13 && text.bytes().all(alphabet)
}

fn read_bcrypt(text: &str) -> Result<PasswordHash, BadHash> {
    const MALFORMED: BadHash = BadHash::Malformed("a truncated or malformed bcrypt hash");
    let bytes = text.as_bytes();
    if bytes.len() != 60 || !text.is_ascii() || bytes[6] != b'$' {
        return Err(MALFORMED);
    }
    let (cost, rest) = (&text[4..6], &text[7..]);
    let digits = cost.bytes().all(|it| it.is_ascii_digit());
    let cost: u32 = cost.parse().ok().filter(|_| digits).ok_or(MALFORMED)?;
    if !BCRYPT_COSTS.contains(&cost) {
        return Err(BadHash::TooExpensive("the cost of bcrypt must be 4 to 17"));
    }
    let decode = |part: &str| BCRYPT_BASE64.decode(part).map_err(|_| MALFORMED);
    let (salt, hash) = (decode(&rest[..22])?, decode(&rest[22..])?);
    let kind = Kind::Bcrypt { cost };
    if salt.len() != 16 || hash.len() != kind.length() {
        return Err(MALFORMED);
    }
    Ok(PasswordHash { kind, salt, hash })
}

fn read_phc(text: &str) -> Result<PasswordHash, BadHash> {
    use BadHash::{Malformed, TooExpensive};

    let parsed = phc::PasswordHash::new(text)
        .map_err(|_| Malformed("a truncated or malformed PHC string"))?;
    let (Some(salt), Some(hash)) = (&parsed.salt, &parsed.hash) else {
        return Err(Malformed("a PHC string without a salt or without a hash"));
    };
    let length = hash.len();
    let number = |name: &str| parsed.params.get_decimal(name);
    let known = |names: &[&str]| {
        let unknown = parsed.params.iter().any(|(name, _)| !names.contains(&name.as_str()));
        if unknown { Err(Malformed("a PHC string with an unknown parameter")) } else { Ok(()) }
    };
    let missing = || Malformed("a PHC string without a required parameter");
    let kind = match parsed.algorithm.as_str() {
        "argon2id" => {
            known(&["m", "t", "p"])?;
            if parsed.version != Some(Version::V0x13.into()) {
                return Err(Malformed("an Argon2id hash whose version is not 19 (v=19)"));
            }
            let memory_kib = number("m").ok_or_else(missing)?;
            let passes = number("t").ok_or_else(missing)?;
            let lanes = number("p").ok_or_else(missing)?;
            if u64::from(memory_kib) > MAX_MEMORY_KIB {
                return Err(TooExpensive("Argon2id may use at most 1 GiB of memory (m=1048576)"));
            }
            if u64::from(memory_kib) * u64::from(passes) > MAX_KIB_PASSES || lanes > MAX_LANES {
                return Err(TooExpensive(
                    "Argon2id may use at most 8 passes over 1 GiB, and 64 lanes",
                ));
            }
            if Params::new(memory_kib, passes, lanes, Some(length)).is_err() {
                return Err(Malformed("an Argon2id hash with invalid parameters"));
            }
            Kind::Argon2id { memory_kib, passes, lanes, length }
        }
        "scrypt" => {
            known(&["ln", "r", "p"])?;
            let log_n = number("ln").ok_or_else(missing)?;
            let block = number("r").ok_or_else(missing)?;
            let lanes = number("p").ok_or_else(missing)?;
            // Each parameter is bounded first, so that the products do not overflow.
            let (most_n, most_block) = (30, 1 << 20);
            let kib = 1u64.checked_shl(log_n).unwrap_or(u64::MAX) / 8;
            if log_n > most_n
                || block > most_block
                || lanes > MAX_LANES
                || kib.saturating_mul(u64::from(block)) > MAX_MEMORY_KIB
                || kib.saturating_mul(u64::from(block) * u64::from(lanes)) > MAX_KIB_PASSES
            {
                return Err(TooExpensive(
                    "scrypt may use at most 1 GiB of memory, 8 GiB over all lanes, and 64 lanes",
                ));
            }
            let log_n = u8::try_from(log_n).unwrap_or(u8::MAX);
            if log_n == 0 || scrypt::Params::new(log_n, block, lanes).is_err() {
                return Err(Malformed("an scrypt hash with invalid parameters"));
            }
            Kind::Scrypt { log_n, block, lanes, length }
        }
        pbkdf2 => {
            known(&["i", "l"])?;
            let rounds = number("i").ok_or_else(missing)?;
            if number("l").is_some_and(|it| usize::try_from(it) != Ok(length)) {
                return Err(Malformed("a PBKDF2 hash whose length differs from its parameter l"));
            }
            if rounds > MAX_ROUNDS {
                return Err(TooExpensive("PBKDF2 may use at most 10 million rounds"));
            }
            match pbkdf2 {
                _ if rounds == 0 => return Err(Malformed("a PBKDF2 hash with zero rounds")),
                "pbkdf2-sha256" => Kind::Pbkdf2Sha256 { rounds, length },
                "pbkdf2-sha512" => Kind::Pbkdf2Sha512 { rounds, length },
                _ => return Err(BadHash::Weak("a PBKDF2 hash with SHA-1")),
            }
        }
    };
    Ok(PasswordHash { kind, salt: salt.as_ref().to_vec(), hash: hash.as_bytes().to_vec() })
}

#[cfg(test)]
mod tests;
