use proptest::prelude::*;

use super::*;

/// Passwords with hashes of other implementations: Apache's htpasswd, Python's hashlib (OpenSSL),
/// and the reference implementation of Argon2.
const KNOWN: [(&str, &str); 7] = [
    ("wonderland", "$2y$04$qqxtSNcE5L3nZxkNayxMDOGS1/Xpv5quGRK8y21J1utjVbTHTJ5Au"),
    ("wonderland", "$2y$05$jKNDJhxZXLGCM1j.Y9j27uAG0pyON.6oWpBCmm0vZE0R4PC9iqncK"),
    ("straße", "$2y$04$m3e8ix4hfRAMfdENAY.D2es3VCh3lHVQEYeeAu6V7KKE9t0fVN8Oy"),
    (
        "wonderland",
        "$scrypt$ln=4,r=8,p=1$MDEyMzQ1Njc4OWFiY2RlZg$d80gVbyUXkI0LPQnTPDZYrK8loKWJPKPRoQ36tRAKO8",
    ),
    (
        "wonderland",
        "$pbkdf2-sha256$i=1000,l=32$MDEyMzQ1Njc4OWFiY2RlZg$\
         b0FaKDULMkLlg4NThBeBNEp1S6xlfQTtaZwup0NyE5Q",
    ),
    (
        "wonderland",
        "$pbkdf2-sha512$i=1000$MDEyMzQ1Njc4OWFiY2RlZg$\
         GBQV0aUMYbiyELyBOq6WBd4dDN58zrZ+z4OumtmTSVsnU38dCxiEe/njJ/gCTDccmdqsjR3CyKjD3hhVEdAIZQ",
    ),
    (
        "password",
        "$argon2id$v=19$m=256,t=2,p=2$c29tZXNhbHQ$bQk8UB/VmZZF4Oo79iDXuL5/0ttZwg2f/5U52iv1cDc",
    ),
];

fn read(text: &str) -> PasswordHash {
    PasswordHash::read(text).unwrap_or_else(|bad| panic!("{text}: {bad}"))
}

#[test]
fn hashes_of_other_implementations_verify() {
    for (password, text) in KNOWN {
        let hash = read(text);
        assert!(hash.is_of(password), "{text}");
        for wrong in ["", "Wonderland", "wonderland ", "passwor", "strasse", text] {
            assert!(!hash.is_of(wrong), "{wrong} for {text}");
        }
        // A changed salt or hash does not match the password.
        let cut = text.rfind('$').unwrap() + if text.starts_with("$2y$") { 3 } else { 1 };
        let other = if text.as_bytes()[cut] == b'A' { "B" } else { "A" };
        assert!(!read(&[&text[..cut], other, &text[cut + 1..]].concat()).is_of(password), "{text}");
    }
}

#[test]
fn new_hash_verifies_and_has_a_random_salt() {
    let made = PasswordHash::make("wonderland").expect("a hash");
    assert!(made.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{made}");
    let hash = read(&made);
    assert_eq!(hash.kind, Kind::NEW);
    assert!(hash.is_of("wonderland") && !hash.is_of("looking-glass"));
    assert_ne!(PasswordHash::make("wonderland"), Some(made));
}

#[test]
fn bcrypt_rejects_passwords_longer_than_72_bytes() {
    let seventy_two = "7".repeat(72);
    let hash = read("$2y$04$CAPyMgcZsUnFL3jJ8t7xo.KTzD.yg/2O.rtQGyBA76IUcSObDNa/y");
    assert!(hash.is_of(&seventy_two));
    assert!(!hash.is_of(&(seventy_two.clone() + "7")));
    assert!(!hash.is_of(&seventy_two[1..]));
    assert!(!hash.is_of(&(seventy_two + "and whatever follows")));
}

#[test]
fn weak_hashes_are_rejected_by_name() {
    for (text, name) in [
        ("$apr1$7RmEoxDb$UAKt.lg62KzpFVv9.Aj0g.", "an apr1 (MD5) hash"),
        ("{SHA}tiY7sUhYKUwI5L3866kDY+ENcrQ=", "a SHA-1 hash without salt"),
        ("{SSHA}tiY7sUhYKUwI5L3866kDY+ENcrQ=", "an LDAP hash"),
        ("GCMrOr1ri8CSU", "a plain crypt (DES) hash"),
        ("$1$7RmEoxDb$UAKt.lg62KzpFVv9.Aj0g.", "an MD5 hash"),
        ("$5$nbsilwb8CBWWMnzw$GmNMqEMiVaG5zi1O1Sgcyu3Z50IPlBR4zcSKFUPY3MD", "a SHA-crypt hash"),
        ("$6$hturbAW.Bs.OKY9o$B0ZVajEHWT7cr6Sf3vN2OTMrwC1FF5jwZfhRelmfdt8SI", "a SHA-crypt hash"),
        ("$2x$04$qqxtSNcE5L3nZxkNayxMDOGS1/Xpv5quGRK8y21J1utjVbTHTJ5Au", "a $2x$ hash"),
        ("$2$04$qqxtSNcE5L3nZxkNayxMDOGS1/Xpv5quGRK8y21J1utjVbTHTJ5Au", "a $2$ hash"),
        ("$argon2i$v=19$m=256,t=2,p=1$c29tZXNhbHQ$/U3YPXYsSb3q9XxHvc0MLxur+GP", "an Argon2i"),
        ("$argon2d$v=19$m=256,t=2,p=1$c29tZXNhbHQ$/U3YPXYsSb3q9XxHvc0MLxur+GP", "an Argon2i"),
        ("$pbkdf2$i=1000$MDEyMzQ1Njc4OWFiY2RlZg$b0FaKDULMkLlg4NThBeBNEp1S6w", "a PBKDF2 hash with"),
    ] {
        let bad = PasswordHash::read(text).expect_err(text);
        assert!(matches!(bad, BadHash::Weak(_)), "{text}: {bad:?}");
        assert!(bad.to_string().starts_with(name), "{text}: {bad}");
    }
}

#[test]
fn too_expensive_hashes_are_rejected() {
    let salt_and_hash = "c29tZXNhbHQ$bQk8UB/VmZZF4Oo79iDXuL5/0ttZwg2f/5U52iv1cDc";
    for parameters in [
        "$argon2id$v=19$m=104857600,t=1,p=1", // 100 GiB
        "$argon2id$v=19$m=1048577,t=1,p=1",
        "$argon2id$v=19$m=1048576,t=9,p=1",
        "$argon2id$v=19$m=256,t=4294967295,p=1",
        "$argon2id$v=19$m=65536,t=1,p=65",
        "$argon2id$v=19$m=4294967295,t=4294967295,p=4294967295",
        "$scrypt$ln=24,r=8,p=1",
        "$scrypt$ln=63,r=8,p=1",
        "$scrypt$ln=64,r=8,p=1",
        "$scrypt$ln=4294967295,r=4294967295,p=4294967295",
        "$scrypt$ln=1,r=4294967295,p=1",
        "$scrypt$ln=20,r=8,p=65",
        "$scrypt$ln=20,r=8,p=9",
        "$pbkdf2-sha256$i=10000001",
        "$pbkdf2-sha512$i=4294967295",
    ] {
        let bad =
            PasswordHash::read(&format!("{parameters}${salt_and_hash}")).expect_err(parameters);
        assert!(matches!(bad, BadHash::TooExpensive(_)), "{parameters}: {bad:?}");
    }
    for cost in ["18", "31", "99", "00", "03"] {
        let text = format!("$2y${cost}$qqxtSNcE5L3nZxkNayxMDOGS1/Xpv5quGRK8y21J1utjVbTHTJ5Au");
        assert!(matches!(PasswordHash::read(&text), Err(BadHash::TooExpensive(_))), "{cost}");
    }
}

#[test]
fn costs_at_the_limits_are_accepted() {
    let salt_and_hash = "c29tZXNhbHQ$bQk8UB/VmZZF4Oo79iDXuL5/0ttZwg2f/5U52iv1cDc";
    for parameters in [
        "$argon2id$v=19$m=1048576,t=8,p=4",
        "$argon2id$v=19$m=512,t=1,p=64",
        "$scrypt$ln=20,r=8,p=8",
        "$pbkdf2-sha256$i=10000000",
    ] {
        read(&format!("{parameters}${salt_and_hash}"));
    }
    read("$2y$17$qqxtSNcE5L3nZxkNayxMDOGS1/Xpv5quGRK8y21J1utjVbTHTJ5Au");
}

#[test]
fn malformed_hash_is_rejected_and_not_shown() {
    let bcrypt = "$2y$04$qqxtSNcE5L3nZxkNayxMDOGS1/Xpv5quGRK8y21J1utjVbTHTJ5Au";
    for text in [
        &bcrypt[..59],
        &format!("{bcrypt}A"),
        &bcrypt.replace("04", "4x"),
        &bcrypt.replace("04", "+4"),
        &bcrypt.replace("qq", "q="),
        &bcrypt.replace("qq", "ß"),
        "$2y$",
        "$argon2id$v=19$m=256,t=2,p=2$c29tZXNhbHQ",
        "$argon2id$v=19$m=256,t=2,p=2",
        "$argon2id",
        "$argon2id$m=256,t=2,p=2$c29tZXNhbHQ$bQk8UB/VmZZF4Oo79iDXuL5/0ttZwg2f/5U52iv1cDc",
        "$argon2id$v=16$m=256,t=2,p=2$c29tZXNhbHQ$bQk8UB/VmZZF4Oo79iDXuL5/0ttZwg2f/5U52iv1cDc",
        "$argon2id$v=19$m=256,t=2$c29tZXNhbHQ$bQk8UB/VmZZF4Oo79iDXuL5/0ttZwg2f/5U52iv1cDc",
        "$argon2id$v=19$m=1,t=2,p=2$c29tZXNhbHQ$bQk8UB/VmZZF4Oo79iDXuL5/0ttZwg2f/5U52iv1cDc",
        "$argon2id$v=19$m=256,t=2,p=2,keyid=Zm9v$c29tZXNhbHQ$bQk8UB/VmZZF4Oo79iDXuL5/0ttZwg2f/5U5",
        "$argon2id$v=19$m=256,t=2,p=2$c29tZXNhbHQ$bQk8UB/VmZZF4Oo79iDXuL5/0ttZwg2f/5U52iv1cDc$x",
        "$scrypt$ln=0,r=8,p=1$c29tZXNhbHQ$bQk8UB/VmZZF4Oo79iDXuL5/0ttZwg2f/5U52iv1cDc",
        "$scrypt$ln=4,r=0,p=1$c29tZXNhbHQ$bQk8UB/VmZZF4Oo79iDXuL5/0ttZwg2f/5U52iv1cDc",
        "$scrypt$ln=4,r=8$c29tZXNhbHQ$bQk8UB/VmZZF4Oo79iDXuL5/0ttZwg2f/5U52iv1cDc",
        "$pbkdf2-sha256$i=0$c29tZXNhbHQ$bQk8UB/VmZZF4Oo79iDXuL5/0ttZwg2f/5U52iv1cDc",
        "$pbkdf2-sha256$i=9,l=31$c29tZXNhbHQ$bQk8UB/VmZZF4Oo79iDXuL5/0ttZwg2f/5U52iv1cDc",
        "$pbkdf2-sha256$l=32$c29tZXNhbHQ$bQk8UB/VmZZF4Oo79iDXuL5/0ttZwg2f/5U52iv1cDc",
    ] {
        let bad = PasswordHash::read(text).expect_err(text);
        assert!(matches!(bad, BadHash::Malformed(_)), "{text}: {bad:?}");
        assert!(!bad.to_string().contains("c29tZX"), "{bad}");
    }
    for text in ["", "wonderland", "$", "$$", "$sha256$x", "password", "bcrypt:x", "$y$j9T$x"] {
        assert_eq!(PasswordHash::read(text), Err(BadHash::Unknown), "{text}");
    }
    assert_eq!(format!("{:?}", read(bcrypt)), "PasswordHash(..)");
}

/// The kinds that a login computes, and the number of hashes that can match.
fn steps(kinds: &[Kind], own: Option<&PasswordHash>) -> (Vec<Kind>, usize) {
    let Plan(steps) = Plan::new(kinds, own);
    let own = steps.iter().filter(|(_, is_own)| *is_own).count();
    (steps.iter().map(|(hash, _)| hash.kind).collect(), own)
}

#[test]
fn every_login_computes_the_same_kinds_of_hashes() {
    let hashes: Vec<_> = KNOWN.iter().map(|(_, text)| read(text)).collect();
    let mut kinds: Vec<_> = hashes.iter().map(|it| it.kind).collect();
    kinds.sort_unstable();
    kinds.dedup();
    assert_eq!(kinds.len(), 6, "two kinds are equal");
    assert_eq!(steps(&kinds, None), (kinds.clone(), 0), "unknown user");
    for hash in &hashes {
        assert_eq!(steps(&kinds, Some(hash)), (kinds.clone(), 1), "known user");
    }
}

#[test]
fn plan_accepts_only_its_own_users_password() {
    let (alice, bob) = (read(KNOWN[0].1), read(KNOWN[6].1));
    let kinds = [alice.kind, bob.kind];
    assert!(Plan::new(&kinds, Some(&alice)).agrees("wonderland"));
    assert!(!Plan::new(&kinds, Some(&alice)).agrees("password"));
    assert!(Plan::new(&kinds, Some(&bob)).agrees("password"));
    assert!(!Plan::new(&kinds, Some(&bob)).agrees("wonderland"));
    assert!(!Plan::new(&kinds, None).agrees("wonderland"));
}

#[test]
fn dummy_hash_is_computed_and_matches_no_password() {
    for (password, text) in KNOWN {
        let dummy = read(text).kind.dummy();
        assert!(dummy.kind.compute(password, &dummy.salt).is_some(), "{text}");
        assert!(!dummy.is_of(password) && !dummy.is_of(""));
    }
}

proptest! {
    #[test]
    fn parsing_any_text_does_not_panic(
        head in prop_oneof![
            Just("$2y$"), Just("$argon2id$v=19$"), Just("$scrypt$"), Just("$pbkdf2-sha256$"), Just("")
        ],
        tail in "[$,=./0-9a-zA-Zß]{0,70}",
    ) {
        let _ = PasswordHash::read(&format!("{head}{tail}"));
    }

    #[test]
    fn parsing_any_parameters_does_not_panic(a in any::<u32>(), b in any::<u32>(), c in any::<u32>()) {
        let rest = "c29tZXNhbHQ$bQk8UB/VmZZF4Oo79iDXuL5/0ttZwg2f/5U52iv1cDc";
        let _ = PasswordHash::read(&format!("$argon2id$v=19$m={a},t={b},p={c}${rest}"));
        let _ = PasswordHash::read(&format!("$scrypt$ln={},r={b},p={c}${rest}", a % 70));
        let _ = PasswordHash::read(&format!("$pbkdf2-sha256$i={a}${rest}"));
    }
}
