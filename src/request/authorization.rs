//! Parses the `Authorization` header as RFC 7617 says, into the types of actix-web-httpauth.

use actix_web::http::header::{AUTHORIZATION, HeaderMap, HeaderValue};
use actix_web_httpauth::{extractors::basic::BasicAuth, headers::authorization::Basic};
use base64::{
    Engine,
    alphabet::STANDARD,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use sha2::{Digest, Sha256};

const SCHEME: &str = "Basic";

/// Maximum length of the header value in bytes. A longer value is malformed.
const MAX_HEADER: usize = 8 * 1024;

/// Maximum length of a user-id in bytes. The session stores the user-id, and a session in a cookie
/// holds 4 KiB in all.
pub(crate) const MAX_USER_ID: usize = 1024;

/// Padding is optional, because browsers pad and some other clients do not. All other rules of RFC
/// 4648 are strict.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// The credentials that a request carries.
#[derive(Clone, Debug)]
pub(crate) enum Authorization {
    /// No `Authorization` header.
    Missing,
    /// A header that is malformed, too long, repeated, or of another scheme. The authenticator is
    /// not asked about it. It counts as wrong credentials, never as missing ones.
    Malformed,
    /// A user-id and a password, either of which may be empty.
    Basic(BasicAuth),
}

impl Authorization {
    /// Parses the header (RFC 7617, section 2; RFC 9110, section 11.6.2).
    pub(crate) fn read(headers: &HeaderMap) -> Self {
        let mut values = headers.get_all(AUTHORIZATION);
        match (values.next(), values.next()) {
            (None, _) => Self::Missing,
            (Some(value), None) => parse(value).map_or(Self::Malformed, Self::Basic),
            (Some(_), Some(_)) => Self::Malformed,
        }
    }
}

fn parse(value: &HeaderValue) -> Option<BasicAuth> {
    if value.len() > MAX_HEADER {
        return None;
    }
    let value = str::from_utf8(value.as_bytes()).ok()?;
    let (scheme, token) = value.split_at_checked(SCHEME.len())?;
    if !scheme.eq_ignore_ascii_case(SCHEME) {
        return None;
    }
    let decoded = BASE64.decode(token.strip_prefix(' ')?.trim_matches(' ')).ok()?;
    let mut text = String::from_utf8(decoded).ok()?;
    // Fast path: most credentials are ASCII.
    let has_control = if text.is_ascii() {
        text.as_bytes().iter().any(u8::is_ascii_control)
    } else {
        text.chars().any(char::is_control)
    };
    if has_control {
        return None;
    }
    // An empty password stays `Some("")`. The parser of actix-web-httpauth makes it `None`, on
    // which many validators panic.
    let password = text.split_off(text.bytes().position(|it| it == b':')? + 1);
    text.pop();
    let user_id = text;
    (user_id.len() <= MAX_USER_ID).then(|| Basic::new(user_id, Some(password)).into())
}

/// The user-id that the script of the logout page sends. While the application uses
/// `LogoutResponse::Page`, no user can log in with it.
pub(crate) const RESERVED_USER: &str = "logged-out";

/// The password that the script of a realm's logout page sends. It differs between realms, because
/// the script of one realm does not replace the credentials of another.
pub(crate) fn reserved_password(realm: &str) -> String {
    let mut hex = format!("{:x}", Sha256::digest(realm));
    hex.truncate(16);
    hex
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;
    use base64::prelude::BASE64_STANDARD;
    use proptest::prelude::*;

    use super::*;

    fn parsed(values: &[&[u8]]) -> Authorization {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(AUTHORIZATION, HeaderValue::from_bytes(value).expect("a header value"));
        }
        Authorization::read(&headers)
    }

    fn basic(text: impl AsRef<[u8]>) -> String {
        format!("Basic {}", BASE64_STANDARD.encode(text))
    }

    #[track_caller]
    fn accepts(value: &str, user_id: &str, password: &str) {
        match parsed(&[value.as_bytes()]) {
            Authorization::Basic(auth) => {
                assert_eq!((auth.user_id(), auth.password()), (user_id, Some(password)));
            }
            other => panic!("{value:?} was parsed as {other:?}"),
        }
    }

    #[track_caller]
    fn rejects(values: &[&[u8]]) {
        let parsed = parsed(values);
        assert!(matches!(parsed, Authorization::Malformed), "{values:?} was parsed as {parsed:?}");
    }

    #[test]
    fn credentials_are_parsed_as_rfc_7617_says() {
        accepts("Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==", "Aladdin", "open sesame");
        accepts("basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==", "Aladdin", "open sesame");
        accepts("BASIC QWxhZGRpbjpvcGVuIHNlc2FtZQ==", "Aladdin", "open sesame");
        accepts("Basic    QWxhZGRpbjpvcGVuIHNlc2FtZQ==", "Aladdin", "open sesame");
        accepts("Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==  ", "Aladdin", "open sesame");
        accepts("Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ", "Aladdin", "open sesame");
        accepts(&basic("alice:a:b::c"), "alice", "a:b::c");
        accepts(&basic("alice:"), "alice", "");
        accepts(&basic(":secret"), "", "secret");
        accepts(&basic(":"), "", "");
        accepts(&basic("test:123£"), "test", "123£");
        accepts(&basic(" alice : secret "), " alice ", " secret ");
    }

    #[test]
    fn missing_header_means_no_credentials() {
        assert!(matches!(parsed(&[]), Authorization::Missing));
    }

    #[test]
    fn malformed_header_is_unusable() {
        rejects(&[b""]);
        rejects(&[b"Basic"]);
        rejects(&[b"Basic "]);
        rejects(&[b"QWxhZGRpbjpvcGVuIHNlc2FtZQ=="]);
        rejects(&[b"Bearer QWxhZGRpbjpvcGVuIHNlc2FtZQ=="]);
        rejects(&[b"Basic\tQWxhZGRpbjpvcGVuIHNlc2FtZQ=="]);
        rejects(&[b"Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==, Basic x"]);
        rejects(&[b"Basic QWxhZGRpbjp vcGVuIHNlc2FtZQ=="]);
        rejects(&[b"Basic %%%%"]);
        rejects(&["Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==\u{e9}".as_bytes()]);
        rejects(&[basic("no colon").as_bytes()]);
        rejects(&[basic(b"latin1:\xe9").as_bytes()]);
        rejects(&[basic("alice:new\nline").as_bytes()]);
        rejects(&[basic("al\0ice:secret").as_bytes()]);
        rejects(&[basic("alice:\u{85}").as_bytes()]);
    }

    #[test]
    fn header_and_user_id_lengths_are_limited() {
        let user_id = "u".repeat(1024);
        accepts(&basic(format!("{user_id}:x")), &user_id, "x");
        rejects(&[basic(format!("{user_id}u:x")).as_bytes()]);

        // The longest password whose header, without padding, takes 8 KiB.
        let password = "p".repeat(6139 - "alice:".len());
        let header = basic(format!("alice:{password}"));
        let longest = header.trim_end_matches('=');
        assert_eq!(longest.len(), 8 * 1024);
        accepts(longest, "alice", &password);
        rejects(&[format!("{longest} ").as_bytes()]);
    }

    #[test]
    fn multiple_authorization_headers_are_unusable() {
        rejects(&[basic("alice:secret").as_bytes(), basic("alice:secret").as_bytes()]);
        rejects(&[basic("alice:secret").as_bytes(), b"Bearer x"]);
    }

    #[test]
    fn actix_web_httpauth_parser_still_has_its_bugs() {
        // When an assertion fails, a new release has fixed that deviation, and this crate's own
        // handling of it can go.
        let theirs = |value: &str| {
            use actix_web::http::header::Header;
            use actix_web_httpauth::headers::authorization::Authorization;
            let req = TestRequest::get().insert_header((AUTHORIZATION, value)).to_http_request();
            Authorization::<Basic>::parse(&req).map(|auth| {
                let basic = auth.into_scheme();
                (basic.user_id().to_owned(), basic.password().map(str::to_owned))
            })
        };
        assert!(theirs("basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==").is_err(), "scheme in any case");
        assert!(theirs("Basic  QWxhZGRpbjpvcGVuIHNlc2FtZQ==").is_err(), "several spaces");
        assert_eq!(theirs(&basic("alice:")).expect("credentials").1, None, "an empty password");
        assert!(theirs(&basic("al\0ice:x")).is_ok(), "control characters");
    }

    proptest! {
        #[test]
        fn parsing_any_header_does_not_panic(
            bytes in proptest::collection::vec(any::<u8>(), 0..64),
            scheme in prop_oneof![Just("Basic "), Just("basic"), Just("")],
        ) {
            let value = [scheme.as_bytes(), &bytes].concat();
            if let Ok(value) = HeaderValue::from_bytes(&value) {
                let _ = parse(&value);
            }
        }

        #[test]
        fn encoded_credentials_are_decoded_unchanged(
            user_id in "[^:\\pC]{0,40}", password in "[^\\pC]{0,40}",
        ) {
            accepts(&basic(format!("{user_id}:{password}")), &user_id, &password);
        }
    }
}
