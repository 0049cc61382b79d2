//! Fuzzes the parser of htpasswd files. The same bytes are also parsed as an environment variable
//! with plaintext passwords.

#![no_main]

use std::{collections::HashSet, path::Path};

use actix_basic_logout::{
    UsersError,
    fuzzing::{htpasswd, plaintext},
};
use libfuzzer_sys::fuzz_target;

const HASH: &str = "$2y$12$rt0frD9qtG6jPL8.8clKb.OSbnD5vvdF8fpgV/yRKv6zP3iFdHatW";
const MAX_KINDS: usize = 8;

fuzz_target!(|data: &[u8]| {
    match read(data) {
        Ok((users, kinds)) => {
            assert_eq!(users, user_ids(data).len());
            assert!(
                (1..=MAX_KINDS).contains(&kinds),
                "{kinds} kinds of hashes, expected 1 to {MAX_KINDS}"
            );
            assert_invalid_line_is_reported(data);
        }
        Err(error) => {
            assert_error_has_line(&error, "users, line ", data);
            assert_error_hides_secret(&error, data, |it| read(it).err());
        }
    }
    match plaintext("USERS", data) {
        Ok(users) => assert_eq!(users, user_ids(data).len()),
        Err(error) => {
            assert_error_has_line(&error, "the environment variable USERS, line ", data);
            assert_error_hides_secret(&error, data, |it| plaintext("USERS", it).err());
        }
    }
});

fn read(content: &[u8]) -> Result<(usize, usize), UsersError> {
    htpasswd(Path::new("users"), content)
}

const BOM: &[u8] = b"\xef\xbb\xbf";

fn lines(content: &[u8]) -> Vec<&[u8]> {
    content.strip_prefix(BOM).unwrap_or(content).split(|it| *it == b'\n').collect()
}

/// The user-ids in a valid file.
fn user_ids(content: &[u8]) -> HashSet<&str> {
    let text = |line| str::from_utf8(line).expect("a valid file is UTF-8");
    let users = lines(content).into_iter().map(text).filter(|it| !it.starts_with('#'));
    users.filter_map(|it| it.split_once(':')).map(|(user_id, _)| user_id).collect()
}

/// Asserts that the error is a single line of text and contains the number of a line that exists.
/// Only the error about a file without users has no line number.
fn assert_error_has_line(error: &UsersError, place: &str, content: &[u8]) {
    let text = error.to_string();
    assert!(
        !text.chars().any(char::is_control),
        "the error contains a control character: {text:?}"
    );
    let lines = lines(content);
    let Some(number) = error.line() else {
        assert!(text.ends_with(" contains no users; add at least one"), "{text}");
        let skipped = |it: &str| it.trim().is_empty() || it.starts_with('#');
        assert!(lines.iter().all(|it| str::from_utf8(it).is_ok_and(skipped)), "{text}");
        return;
    };
    let reported = text.strip_prefix(place).and_then(|it| it.split_once(": "));
    assert_eq!(reported.map(|it| it.0), Some(&*number.to_string()), "{text}");
    assert!((1..=lines.len()).contains(&number), "line {number} does not exist");
}

/// Asserts that the error does not contain the hash or password of its line: appends a marker to
/// the line and checks that the new error does not contain the marker. A search for the secret
/// itself would fail, because libFuzzer finds secrets that are words of the error message.
fn assert_error_hides_secret(
    error: &UsersError,
    content: &[u8],
    read: impl FnOnce(&[u8]) -> Option<UsersError>,
) {
    const MARKER: &[u8] = b"~q7";
    let mut lines: Vec<_> = lines(content).into_iter().map(<[u8]>::to_vec).collect();
    let Some(line) = error.line().map(|it| &mut lines[it - 1]) else { return };
    if !line.contains(&b':') || content.windows(MARKER.len()).any(|it| it == MARKER) {
        return;
    }
    line.extend_from_slice(MARKER);
    let text = read(&lines.join(&b'\n')).map(|it| it.to_string()).unwrap_or_default();
    assert!(!text.contains("~q7"), "the error contains a secret: {text:?}");
}

/// Inserts an invalid line at the beginning, middle and end of a valid file, and asserts that the
/// error contains the number of that line.
fn assert_invalid_line_is_reported(good: &[u8]) {
    let lines = lines(good);
    let user = *user_ids(good).iter().next().expect("a valid file has a user");
    let is_of = |line: &&[u8], user: &str| line.starts_with(format!("{user}:").as_bytes());
    let first = lines.iter().position(|it| is_of(it, user)).expect("the user has a line");
    for at in [0, lines.len() / 2, lines.len()] {
        let with = |bad: &str| {
            let mut lines = lines.clone();
            lines.insert(at, bad.as_bytes());
            read(&lines.join(&b'\n')).err().and_then(|it| it.line())
        };
        assert_eq!(with("no colon"), Some(at + 1));
        assert_eq!(with(":hash"), Some(at + 1), "empty user-id");
        // Of two lines for one user, the error reports the second.
        let second = if at <= first { first + 1 } else { at };
        assert_eq!(with(&format!("{user}:{HASH}")), Some(second + 1), "duplicate user-id");
        for weak in ["$apr1$OGldTsbP$iiI7M99eL5NYW4VNVZuNV1", "wonderland", &HASH[1..], ""] {
            let bad = format!("a user like no other:{weak}");
            if !lines.iter().any(|it| is_of(it, "a user like no other")) {
                assert_eq!(with(&bad), Some(at + 1), "{weak}");
            }
        }
    }
}
