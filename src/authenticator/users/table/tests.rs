use std::error::Error as _;

use super::*;
use crate::Users;

const HASH: &str = "$2y$04$qqxtSNcE5L3nZxkNayxMDOGS1/Xpv5quGRK8y21J1utjVbTHTJ5Au";
const APR1: &str = "$apr1$7RmEoxDb$UAKt.lg62KzpFVv9.Aj0g.";

fn file(text: impl AsRef<[u8]>) -> Result<Table, UsersError> {
    let source = Source::File("users.htpasswd".into());
    Table::new(&source, &parse_lines(&source, text.as_ref())?)
}

#[track_caller]
fn refuses(text: impl AsRef<[u8]>, expected: &str) {
    let error = file(text).expect_err(expected);
    assert_eq!(error.to_string(), format!("users.htpasswd{expected}"));
    let line = expected.strip_prefix(", line ").map(|it| it[..1].parse().unwrap());
    assert_eq!(error.line(), line);
}

#[test]
fn file_is_parsed_line_by_line() {
    let text = format!("\u{feff}# users\r\n\r\nalice:{HASH}\r\n  \n#bob:{HASH}\nbøb smith:{HASH}");
    let table = file(text).expect("users");
    let mut users: Vec<_> = table.users.keys().map(String::as_str).collect();
    users.sort_unstable();
    assert_eq!(users, ["alice", "bøb smith"]);
    assert!(table.plan("alice").agrees("wonderland"));
    assert!(!table.plan("alice").agrees("looking-glass"));
    assert!(!table.plan("ALICE").agrees("wonderland"));
    assert!(!table.plan("#bob").agrees("wonderland"));
}

#[test]
fn errors_name_the_line_and_the_fix() {
    let fix_hint = "re-hash the password with: htpasswd -B -C 12 users.htpasswd";
    refuses("", " contains no users; add at least one");
    refuses("# nobody\n\n", " contains no users; add at least one");
    refuses(
        format!("alice:{HASH}\nbob:{APR1}\n"),
        &format!(
            ", line 2: user \"bob\" has an apr1 (MD5) hash, which is not accepted; {fix_hint} bob"
        ),
    );
    refuses(
        format!("bob's:{APR1}\n"),
        &format!(
            ", line 1: user \"bob's\" has an apr1 (MD5) hash, which is not accepted; \
             {fix_hint} 'bob'\\''s'"
        ),
    );
    refuses(
        "bob:wonderland\n",
        &format!(
            ", line 1: user \"bob\" has neither a PHC string (argon2id, scrypt, pbkdf2) nor a \
             bcrypt hash; {fix_hint} bob"
        ),
    );
    refuses(
        format!("bob:{}\n", &HASH[..40]),
        &format!(", line 1: user \"bob\" has a truncated or malformed bcrypt hash; {fix_hint} bob"),
    );
    refuses(
        "bob:$argon2id$v=19$m=104857600,t=1,p=1$c29tZXNhbHQ$bQk8UB/VmZZF4Oo79iDXuL5/0ttZwg2f\n",
        &format!(
            ", line 1: user \"bob\" has a hash whose cost is out of range: Argon2id may use at \
             most 1 GiB of memory (m=1048576); {fix_hint} bob"
        ),
    );
    refuses(
        format!("alice:{HASH}\n\nalice:{HASH}\n"),
        ", line 3: user \"alice\" is already listed in line 1; remove one",
    );
    refuses(
        format!("al:ice:{HASH}\n"),
        ", line 1: contains two colons; a user-id cannot contain a colon",
    );
    refuses(
        "\n\nwonderland\n",
        ", line 3: has no colon; write `user-id:hash`, as `htpasswd -nB` prints it (or \
         `user-id:password` in a variable with plaintext passwords)",
    );
    refuses(format!(":{HASH}"), ", line 1: has an empty user-id");
    refuses(
        format!("a\tb:{HASH}"),
        ", line 1: user \"a\\tb\" contains a control character; remove it",
    );
    refuses(
        format!("{}:{HASH}", "u".repeat(1025)),
        ", line 1: has a user-id of more than 1024 bytes",
    );
    refuses([b"alice:x\n", &b"\xe9:x"[..]].concat(), ", line 2: is not UTF-8; save it as UTF-8");
}

#[test]
fn byte_order_mark_between_joined_files_is_an_error() {
    let expected =
        ", line 2: begins with a byte order mark, perhaps because two files were joined; remove it";
    refuses(format!("\u{feff}alice:{HASH}\n\u{feff}bob:{HASH}\n"), expected);
    refuses(format!("alice:{HASH}\n\u{feff}# users\nbob:{HASH}\n"), expected);
}

#[test]
fn ninth_kind_of_hash_is_an_error() {
    let user = |rounds: usize| {
        let hash = "c29tZXNhbHQ$bQk8UB/VmZZF4Oo79iDXuL5/0ttZwg2f/5U52iv1cDc";
        format!("user{rounds}:$pbkdf2-sha256$i={rounds}${hash}\n")
    };
    let eight: String = (1..=8).map(user).collect();
    assert_eq!(file(&eight).expect("users").kinds.len(), 8);
    assert!(file(format!("{eight}{}", user(3).replace("user", "another"))).is_ok());
    let error = file(eight + &user(9)).expect_err("too many");
    assert_eq!(error.line(), Some(9));
    assert!(error.to_string().contains("user \"user9\" has a ninth kind of hash"), "{error}");
}

#[test]
fn cheap_bcrypt_hashes_are_counted() {
    let table = file(format!("alice:{HASH}\nbob:{}\n", HASH.replace("$04$", "$10$")));
    assert_eq!(table.expect("users").count_cheap(), 1);
}

#[test]
fn list_in_code_is_checked_like_a_file() {
    let hashed = |user: &str, hash: &str| Users::hashed([("zoe", HASH), (user, hash)]);
    assert!(hashed("alice", HASH).is_ok());
    for (user, hash, expected) in [
        ("zoe", HASH, "entry 2: user \"zoe\" is already listed in entry 1; remove one"),
        ("a:b", HASH, "entry 2: user \"a:b\" contains a colon, which a user-id cannot contain"),
        ("", HASH, "entry 2: has an empty user-id"),
    ] {
        let error = hashed(user, hash).expect_err(expected);
        assert_eq!(error.to_string(), format!("the list of users, {expected}"));
    }
    assert!(Users::hashed([("", ""); 0]).is_err());
}

#[test]
fn plaintext_passwords_are_checked_for_mistakes() {
    let error = |password: &str| {
        let users = Users::plaintext([("alice", password)]);
        users.expect_err("an error").to_string()
    };
    assert!(error("").ends_with("user \"alice\" has an empty password"));
    assert!(error(HASH).contains("use `Users::hashed` or `Users::env`"));
    assert!(error(APR1).contains("a hash instead of a plaintext password"));
    assert!(
        error("{SHA}tiY7sUhYKUwI5L3866kDY+ENcrQ=")
            .contains("a hash instead of a plaintext password")
    );
    assert!(error(&"x".repeat(1025)).contains("more than 1024 bytes"));
    assert!(error("new\nline").contains("a control character"));
    for good in ["GCMrOr1ri8CSU", "$money$", "a:b", "{x}", " "] {
        assert!(Users::plaintext([("alice", good)]).is_ok(), "{good}");
    }
    assert!(Users::plaintext([("", ""); 0]).is_err());
    assert!(Users::plaintext([("a", "x"), ("a", "y")]).is_err());
}

#[test]
fn errors_and_debug_show_no_password_and_no_hash() {
    let secret = "wonderland";
    let source = Source::Variable("USERS".to_owned());
    let mut errors = vec![
        file(secret).expect_err("no colon"),
        file(format!("bob:{secret}")).expect_err("no hash"),
        file(format!("a:b:{secret}")).expect_err("colons"),
        file(format!("bob:{secret}\0")).expect_err("no hash"),
        Users::hashed([("bob", secret)]).expect_err("no hash"),
        Users::plaintext([("bob", secret), ("bob", secret)]).expect_err("twice"),
    ];
    errors.extend(Plaintext::new(&source, &pairs([("bob", HASH)])).err());
    assert_eq!(errors.len(), 7);
    for error in errors {
        let shown = format!("{error} {error:?}");
        assert!(!shown.contains(secret) && !shown.contains("qqxtSN"), "{shown}");
        assert!(error.source().is_none());
    }
    for users in [
        Users::hashed([("bob", HASH)]).expect("users"),
        Users::plaintext([("bob", secret)]).expect("users"),
    ] {
        let shown = format!("{users:?}");
        assert!(!shown.contains(secret) && !shown.contains("qqxtSN"), "{shown}");
    }
    let shown = format!("{:?}", file(format!("bob:{HASH}")).expect("users"));
    assert!(!shown.contains("qqxtSN"), "{shown}");
}
