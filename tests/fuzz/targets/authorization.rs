//! Fuzzes the parser of `Authorization` headers and the builder of challenges. Each line of the
//! input is used as a header value and as the name of a realm.

#![no_main]

use actix_basic_logout::fuzzing::{challenge, credentials};
use actix_web::http::header::{AUTHORIZATION, HeaderMap, HeaderValue};
use actix_web_httpauth::headers::authorization::{Basic, Scheme};
use base64::{Engine, prelude::BASE64_STANDARD};
use libfuzzer_sys::fuzz_target;

const MAX_HEADER: usize = 8 * 1024;
const MAX_USER_ID: usize = 1024;

fuzz_target!(|data: &[u8]| {
    let lines = || data.split(|it| *it == b'\n');
    for realm in lines().filter_map(|it| str::from_utf8(it).ok()) {
        assert_challenge_contains(realm);
    }
    let mut headers = HeaderMap::new();
    for value in lines().filter_map(|it| HeaderValue::from_bytes(it).ok()) {
        assert_agrees_with_reference(&value);
        headers.append(AUTHORIZATION, value);
    }
    if headers.len() > 1 {
        assert!(credentials(&headers).is_err(), "several headers must be rejected: {headers:?}");
    }
});

/// Parses one header with the crate. Returns user-id and password, or `None` if it is rejected.
fn parse(value: &HeaderValue) -> Option<(String, String)> {
    let mut headers = HeaderMap::new();
    headers.insert(AUTHORIZATION, value.clone());
    let auth = credentials(&headers).ok()?.expect("the header is present");
    Some((
        auth.user_id().to_owned(),
        auth.password().expect("the header contains a password").to_owned(),
    ))
}

fn assert_agrees_with_reference(value: &HeaderValue) {
    let parsed = parse(value);
    match (&parsed, reference(value.as_bytes())) {
        (Some(parsed), Ok(expected)) => assert_eq!(*parsed, expected),
        (None, Err(_)) => {}
        (parsed, expected) => {
            panic!("the crate parsed {value:?} as {parsed:?}, expected {expected:?}")
        }
    }
    if let Some((user_id, password)) = &parsed {
        let again = BASE64_STANDARD.encode(format!("{user_id}:{password}"));
        let again = HeaderValue::from_str(&format!("Basic {again}")).expect("base64");
        // `Basic`, the space and the padding may have made the header too long.
        if again.len() <= MAX_HEADER {
            assert_eq!(parse(&again).as_ref(), parsed.as_ref());
        }
        let theirs = Basic::parse(&again).expect("both parsers accept it");
        let password = Some(&**password).filter(|it| !it.is_empty());
        assert_eq!((theirs.user_id(), theirs.password()), (&**user_id, password));
    }
    // If actix-web-httpauth accepts the header, the crate returns the same credentials, or rejects
    // the header for one of three reasons that actix-web-httpauth does not check.
    if let Ok(theirs) = Basic::parse(value) {
        let (user_id, password) = (theirs.user_id(), theirs.password().unwrap_or_default());
        match &parsed {
            Some(ours) => assert_eq!((&*ours.0, &*ours.1), (user_id, password)),
            None => assert!(
                value.len() > MAX_HEADER
                    || user_id.len() > MAX_USER_ID
                    || user_id.chars().chain(password.chars()).any(char::is_control),
                "the crate rejected {value:?} without a reason"
            ),
        }
    }
}

/// A reference implementation of RFC 7617: returns user-id and password, or the reason for
/// rejection.
fn reference(value: &[u8]) -> Result<(String, String), &'static str> {
    if value.len() > MAX_HEADER {
        return Err("too long");
    }
    let space = value.iter().position(|it| *it == b' ').ok_or("no space")?;
    let (scheme, mut token) = value.split_at(space);
    if !scheme.eq_ignore_ascii_case(b"basic") {
        return Err("another scheme");
    }
    while let [b' ', rest @ ..] | [rest @ .., b' '] = token {
        token = rest;
    }
    let text = String::from_utf8(reference_base64(token)?).map_err(|_| "not UTF-8")?;
    if text.chars().any(|it| matches!(it, '\0'..='\x1f' | '\x7f'..='\u{9f}')) {
        return Err("a control character");
    }
    let colon = text.find(':').ok_or("no colon")?;
    if colon > MAX_USER_ID {
        return Err("the user-id is too long");
    }
    Ok((text[..colon].to_owned(), text[colon + 1..].to_owned()))
}

/// A reference implementation of Base64 (RFC 4648, section 4) that works bit by bit. Padding is
/// optional.
fn reference_base64(token: &[u8]) -> Result<Vec<u8>, &'static str> {
    let padding = token.iter().rev().take_while(|it| **it == b'=').count();
    let digits = &token[..token.len() - padding];
    if padding > (4 - digits.len() % 4) % 4 {
        return Err("too much padding");
    }
    let (mut bytes, mut bits, mut held) = (Vec::new(), 0_u32, 0_u32);
    for digit in digits {
        let six = match digit {
            b'A'..=b'Z' => digit - b'A',
            b'a'..=b'z' => digit - b'a' + 26,
            b'0'..=b'9' => digit - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => return Err("not a Base64 digit"),
        };
        bits = bits << 6 | u32::from(six);
        held += 6;
        if held >= 8 {
            held -= 8;
            bytes.push((bits >> held) as u8);
            bits &= (1 << held) - 1;
        }
    }
    if held >= 6 {
        return Err("incomplete last group");
    }
    if bits == 0 { Ok(bytes) } else { Err("unused bits are not zero") }
}

/// Asserts that the quoted string in the challenge (RFC 9110, section 5.6.4) decodes to the realm.
/// A realm with control characters other than tab has no challenge.
fn assert_challenge_contains(realm: &str) {
    let is_allowed = !realm.bytes().any(|it| (it < 0x20 && it != b'\t') || it == 0x7f);
    let challenge = challenge(realm);
    assert_eq!(challenge.is_some(), is_allowed, "{realm:?}");
    let Some(challenge) = challenge else { return };
    let quoted = challenge
        .as_bytes()
        .strip_prefix(br#"Basic realm=""#)
        .expect("the challenge begins with the realm");
    let (mut decoded, mut rest) = (Vec::new(), quoted);
    loop {
        match rest {
            [b'\\', it, after @ ..] => {
                decoded.push(*it);
                rest = after;
            }
            [b'"', after @ ..] => {
                rest = after;
                break;
            }
            [it, after @ ..] => {
                decoded.push(*it);
                rest = after;
            }
            [] => panic!("the realm in {challenge:?} has no closing quote"),
        }
    }
    assert_eq!(str::from_utf8(&decoded), Ok(realm));
    assert_eq!(rest, br#", charset="UTF-8""#);
}
