//! An htpasswd file, and the same bytes as a variable with plaintext passwords.

#![no_main]

use std::{collections::HashSet, path::Path};

use actix_basic_logout::{
    UsersError,
    fuzzing::{htpasswd, plaintext},
};
use libfuzzer_sys::fuzz_target;

const HASH: &str = "$2y$12$rt0frD9qtG6jPL8.8clKb.OSbnD5vvdF8fpgV/yRKv6zP3iFdHatW";
const MOST_KINDS: usize = 8;

fuzz_target!(|data: &[u8]| {
    match read(data) {
        Ok((users, kinds)) => {
            assert_eq!(users, named(data).len());
            assert!((1..=MOST_KINDS).contains(&kinds), "{kinds} kinds of hashes");
            a_bad_line_is_named(data);
        }
        Err(error) => {
            names_a_line(&error, "users, line ", data);
            keeps_the_secret(&error, data, |it| read(it).err());
        }
    }
    match plaintext("USERS", data) {
        Ok(users) => assert_eq!(users, named(data).len()),
        Err(error) => {
            names_a_line(&error, "the environment variable USERS, line ", data);
            keeps_the_secret(&error, data, |it| plaintext("USERS", it).err());
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

/// The user-ids of a file that was found to be good.
fn named(content: &[u8]) -> HashSet<&str> {
    let text = |line| str::from_utf8(line).expect("a good file is text");
    let users = lines(content).into_iter().map(text).filter(|it| !it.starts_with('#'));
    users.filter_map(|it| it.split_once(':')).map(|(user_id, _)| user_id).collect()
}

/// An error has a line of the file in it, or is about a file without users.
fn names_a_line(error: &UsersError, place: &str, content: &[u8]) {
    let text = error.to_string();
    assert!(!text.chars().any(char::is_control), "more than a line, or a terminal's: {text:?}");
    let lines = lines(content);
    let Some(number) = error.line() else {
        assert!(text.ends_with(" holds no user, so nobody could log in"), "{text}");
        let skipped = |it: &str| it.trim().is_empty() || it.starts_with('#');
        assert!(lines.iter().all(|it| str::from_utf8(it).is_ok_and(skipped)), "{text}");
        return;
    };
    let told = text.strip_prefix(place).and_then(|it| it.split_once(": "));
    assert_eq!(told.map(|it| it.0), Some(&*number.to_string()), "{text}");
    assert!((1..=lines.len()).contains(&number), "there is no line {number}");
}

/// With a mark at the end of the secret in that line, an error shows no mark. (Whether it shows the
/// secret as it is is unknown: libFuzzer finds secrets that are words of the errors.)
fn keeps_the_secret(
    error: &UsersError,
    content: &[u8],
    read: impl FnOnce(&[u8]) -> Option<UsersError>,
) {
    const MARK: &[u8] = b"~q7";
    let mut lines: Vec<_> = lines(content).into_iter().map(<[u8]>::to_vec).collect();
    let Some(line) = error.line().map(|it| &mut lines[it - 1]) else { return };
    if !line.contains(&b':') || content.windows(MARK.len()).any(|it| it == MARK) {
        return;
    }
    line.extend_from_slice(MARK);
    let text = read(&lines.join(&b'\n')).map(|it| it.to_string()).unwrap_or_default();
    assert!(!text.contains("~q7"), "a secret is in {text:?}");
}

/// A line that is wrong is the one that is named, wherever it stands among good ones.
fn a_bad_line_is_named(good: &[u8]) {
    let lines = lines(good);
    let user = *named(good).iter().next().expect("a good file has a user");
    let is_of = |line: &&[u8], user: &str| line.starts_with(format!("{user}:").as_bytes());
    let first = lines.iter().position(|it| is_of(it, user)).expect("the line is there");
    for at in [0, lines.len() / 2, lines.len()] {
        let with = |bad: &str| {
            let mut lines = lines.clone();
            lines.insert(at, bad.as_bytes());
            read(&lines.join(&b'\n')).err().and_then(|it| it.line())
        };
        assert_eq!(with("no colon"), Some(at + 1));
        assert_eq!(with(":hash"), Some(at + 1), "an empty user-id");
        // The second of two is in the way.
        let second = if at <= first { first + 1 } else { at };
        assert_eq!(with(&format!("{user}:{HASH}")), Some(second + 1), "there twice");
        for weak in ["$apr1$OGldTsbP$iiI7M99eL5NYW4VNVZuNV1", "wonderland", &HASH[1..], ""] {
            let bad = format!("a user like no other:{weak}");
            if !lines.iter().any(|it| is_of(it, "a user like no other")) {
                assert_eq!(with(&bad), Some(at + 1), "{weak}");
            }
        }
    }
}
