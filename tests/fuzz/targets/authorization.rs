//! `Authorization` headers, one a line; and each line as a realm.

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
        its_challenge_names(realm);
    }
    let mut headers = HeaderMap::new();
    for value in lines().filter_map(|it| HeaderValue::from_bytes(it).ok()) {
        is_read_as_told(&value);
        headers.append(AUTHORIZATION, value);
    }
    if headers.len() > 1 {
        assert!(credentials(&headers).is_err(), "one of several counts: {headers:?}");
    }
});

/// User-id and password, as one header says.
fn read(value: &HeaderValue) -> Option<(String, String)> {
    let mut headers = HeaderMap::new();
    headers.insert(AUTHORIZATION, value.clone());
    let auth = credentials(&headers).ok()?.expect("a header was there");
    Some((auth.user_id().to_owned(), auth.password().expect("there is one").to_owned()))
}

fn is_read_as_told(value: &HeaderValue) {
    let read = read(value);
    match (&read, told(value.as_bytes())) {
        (Some(read), Ok(told)) => assert_eq!(*read, told),
        (None, Err(_)) => {}
        (read, told) => panic!("{value:?} was read as {read:?}, and should be {told:?}"),
    }
    if let Some((user_id, password)) = &read {
        let again = BASE64_STANDARD.encode(format!("{user_id}:{password}"));
        let again = HeaderValue::from_str(&format!("Basic {again}")).expect("base64");
        // With a scheme of five letters, one space and padding it may have become too long.
        if again.len() <= MAX_HEADER {
            assert_eq!(self::read(&again).as_ref(), read.as_ref());
        }
        let theirs = Basic::parse(&again).expect("accepted by both");
        let password = Some(&**password).filter(|it| !it.is_empty());
        assert_eq!((theirs.user_id(), theirs.password()), (&**user_id, password));
    }
    // The result of actix-web-httpauth is the same, except for three kinds of headers that it accepts.
    if let Ok(theirs) = Basic::parse(value) {
        let (user_id, password) = (theirs.user_id(), theirs.password().unwrap_or_default());
        match &read {
            Some(ours) => assert_eq!((&*ours.0, &*ours.1), (user_id, password)),
            None => assert!(
                value.len() > MAX_HEADER
                    || user_id.len() > MAX_USER_ID
                    || user_id.chars().chain(password.chars()).any(char::is_control),
                "{value:?} is refused for no reason"
            ),
        }
    }
}

/// RFC 7617 by hand: user-id and password, or why not.
fn told(value: &[u8]) -> Result<(String, String), &'static str> {
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
    let text = String::from_utf8(decoded(token)?).map_err(|_| "not UTF-8")?;
    if text.chars().any(|it| matches!(it, '\0'..='\x1f' | '\x7f'..='\u{9f}')) {
        return Err("a control character");
    }
    let colon = text.find(':').ok_or("no colon")?;
    if colon > MAX_USER_ID {
        return Err("the user-id is too long");
    }
    Ok((text[..colon].to_owned(), text[colon + 1..].to_owned()))
}

/// RFC 4648, section 4, bit by bit, with as much padding as there is.
fn decoded(token: &[u8]) -> Result<Vec<u8>, &'static str> {
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
            _ => return Err("no base64"),
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
        return Err("a digit is missing");
    }
    if bits == 0 { Ok(bytes) } else { Err("bits of nothing") }
}

/// The realm in a challenge is read back as RFC 9110, section 5.6.4, has it.
fn its_challenge_names(realm: &str) {
    let is_carried = !realm.bytes().any(|it| (it < 0x20 && it != b'\t') || it == 0x7f);
    let challenge = challenge(realm);
    assert_eq!(challenge.is_some(), is_carried, "{realm:?}");
    let Some(challenge) = challenge else { return };
    let quoted = challenge.as_bytes().strip_prefix(br#"Basic realm=""#).expect("a realm");
    let (mut named, mut rest) = (Vec::new(), quoted);
    loop {
        match rest {
            [b'\\', it, after @ ..] => {
                named.push(*it);
                rest = after;
            }
            [b'"', after @ ..] => {
                rest = after;
                break;
            }
            [it, after @ ..] => {
                named.push(*it);
                rest = after;
            }
            [] => panic!("no end of the realm in {challenge:?}"),
        }
    }
    assert_eq!(str::from_utf8(&named), Ok(realm));
    assert_eq!(rest, br#", charset="UTF-8""#);
}
