//! Finds the `Basic` challenge of a response.

use actix_web::http::header::{HeaderMap, WWW_AUTHENTICATE};

/// The realm of the first `Basic` challenge. It is empty if the challenge names no realm.
pub(super) fn basic_realm(headers: &HeaderMap) -> Option<String> {
    let values = headers.get_all(WWW_AUTHENTICATE).filter_map(|value| value.to_str().ok());
    values.into_iter().find_map(realm_in)
}

fn realm_in(value: &str) -> Option<String> {
    let mut realm = None;
    for part in split_outside_quotes(value) {
        let part = part.trim();
        let (before, parameter) = match part.split_once(' ') {
            // A scheme and its first parameter. `realm = "x"` also contains a space, but is a
            // parameter.
            Some((scheme, rest)) if !scheme.contains('=') && !rest.trim().starts_with('=') => {
                (Some(scheme), rest)
            }
            None if !part.contains('=') && !part.is_empty() => (Some(part), ""),
            _ => (None, part),
        };
        if let Some(scheme) = before {
            if realm.is_some() {
                break;
            }
            realm = scheme.eq_ignore_ascii_case("basic").then(String::new);
        }
        if let Some(realm) = &mut realm
            && let Some((name, quoted)) = parameter.split_once('=')
            && name.trim().eq_ignore_ascii_case("realm")
        {
            *realm = unquoted(quoted.trim());
        }
    }
    realm
}

/// Splits a value at the commas that are outside quoted strings.
fn split_outside_quotes(value: &str) -> impl Iterator<Item = &str> {
    let (mut is_quoted, mut is_escaped) = (false, false);
    value.split(move |c| {
        if is_escaped {
            is_escaped = false;
        } else {
            match c {
                '\\' if is_quoted => is_escaped = true,
                '"' => is_quoted = !is_quoted,
                _ => return c == ',' && !is_quoted,
            }
        }
        false
    })
}

fn unquoted(value: &str) -> String {
    let Some(value) = value.strip_prefix('"').and_then(|value| value.strip_suffix('"')) else {
        return value.to_owned();
    };
    let mut text = String::new();
    let mut chars = value.chars();
    while let Some(c) = chars.next() {
        text.extend(if c == '\\' { chars.next() } else { Some(c) });
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn basic_realm_is_found_among_other_challenges() {
        let rows = [
            (r#"Basic realm="Admin area", charset="UTF-8""#, Some("Admin area")),
            (r#"basic charset="UTF-8", REALM=short"#, Some("short")),
            (r#"Basic realm="a, \"b\" \\ Basic realm=c""#, Some(r#"a, "b" \ Basic realm=c"#)),
            (r#"Bearer realm="x", Basic realm="y""#, Some("y")),
            (r#"Basic realm="y", Bearer realm="x""#, Some("y")),
            (r#"Bearer realm="Basic realm=x""#, None),
            (r#"xBasic realm="Admin area""#, None),
            ("Basic", Some("")),
            ("Negotiate, Basic realm = \"x\"", Some("x")),
            ("", None),
        ];
        for (value, realm) in rows {
            assert_eq!(realm_in(value).as_deref(), realm, "{value}");
        }
    }
}
