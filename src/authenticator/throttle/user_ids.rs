//! Decides which user-ids share a limit.

use std::{borrow::Cow, fmt, sync::Arc};

use icu_collator::{
    Collator, CollatorBorrowed,
    options::{AlternateHandling, CollatorOptions, Strength},
};
use icu_normalizer::DecomposingNormalizerBorrowed;
use icu_properties::{CodePointSetData, props::DefaultIgnorableCodePoint};

/// The maximum length of a user-id that is compared, without invisible characters. The collator needs
/// quadratic time for some texts: 0.2 milliseconds for this length, but six seconds for 90 kB.
const MAX_COMPARED: usize = 256;

/// A combining character. The collation ignores it like other accents, but its upper case is a letter.
const IOTA_SUBSCRIPT: char = '\u{345}';

/// The application's rule of which user-ids name the same user.
pub(crate) type UserIdKey = dyn Fn(&str) -> String + Send + Sync;

/// Maps the spellings of a user-id to one text, by the root collation of Unicode at its primary
/// strength. Databases compare by it, or distinguish more.
pub(crate) struct UserIds {
    collator: Option<CollatorBorrowed<'static>>,
    key: Option<Arc<UserIdKey>>,
}

impl UserIds {
    pub(crate) fn new(key: Option<Arc<UserIdKey>>) -> Self {
        let mut options = CollatorOptions::default();
        options.strength = Some(Strength::Primary);
        // Ignores spaces and punctuation, as databases ignore spaces at the end.
        options.alternate_handling = Some(AlternateHandling::Shifted);
        // The data of the root collation is compiled in, so this cannot fail.
        let collator = Collator::try_new(<_>::default(), options).ok();
        Self { collator, key }
    }

    /// A text that all spellings of the user-id have in common. None if it is too long: all of
    /// these share one limit.
    pub(crate) fn fold(&self, user_id: &str) -> Option<Vec<u8>> {
        let text = match &self.key {
            Some(key) => Cow::Owned(key(user_id)),
            None => Cow::Borrowed(user_id),
        };
        // A comparison of identifiers ignores these (NFKC_Casefold), but the collation keeps some.
        let invisible = CodePointSetData::new::<DefaultIgnorableCodePoint>();
        let is_ignored = |it: &char| invisible.contains(*it) || it.is_whitespace();
        let text: String = text.chars().filter(|it| !is_ignored(it)).collect();
        if text.len() > MAX_COMPARED {
            return None;
        }
        // In upper case, some letters are others than the collation takes them for: `ı` is an `I`. But the
        // iota subscript stays an accent.
        let text = DecomposingNormalizerBorrowed::new_nfkd().normalize(&text);
        let text = text.replace(IOTA_SUBSCRIPT, "").to_uppercase();
        let Some(collator) = &self.collator else {
            return Some(text.trim().to_lowercase().into_bytes());
        };
        let mut folded = Vec::new();
        let Ok(()) = collator.write_sort_key_to(&text, &mut folded);
        Some(folded)
    }
}

impl fmt::Debug for UserIds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UserIds").field("has_key", &self.key.is_some()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fold(user_id: &str) -> Option<Vec<u8>> {
        UserIds::new(None).fold(user_id)
    }

    #[test]
    fn spellings_that_collations_compare_as_equal_are_folded() {
        for (user_id, spellings) in [
            ("alice", &["ALICE", "álice", "a\u{301}lice", "ali\u{AD}ce", "ａｌｉｃｅ"][..]),
            ("alice", &["alice  ", "\u{A0}alice", "alice \u{AD}", "al\u{200B}ice", "alice\0"]),
            ("alice", &["alıce", "alİce", "ⓐlice", "𝒶lice", "a\u{E0061}lice", "\u{FEFF}alice"]),
            ("weiss", &["Weiß", "WEIẞ", "weiſs"]),
            ("soren", &["Søren", "SØREN", "so\u{338}ren"]),
            ("lodz", &["Łódź"]),
            ("aelf", &["Ælf"]),
            ("kate", &["\u{212A}ate"]),
            ("fin", &["ﬁn"]),
            ("user1", &["user１", "user①"]),
            ("σας", &["ΣΑΣ", "σασ"]),
            ("ひ", &["ヒ", "ﾋ"]),
            ("john.doe", &["john_doe", "John Doe", "johndoe"]),
            ("κα", &["κᾳ", "ΚΑ", "κα\u{345}", "κ\u{345}α"]),
            ("alice", &["al\u{345}ice", "alice\u{345}\u{345}"]),
            ("alice", &["al\u{1D6A4}ce", "ali\u{3164}ce", "ali\u{115F}ce", "alice\u{E0FFF}"]),
        ] {
            for spelling in spellings {
                assert_eq!(fold(spelling), fold(user_id), "{spelling:?}");
            }
        }
    }

    #[test]
    fn different_user_ids_keep_limits_of_their_own() {
        let user_ids =
            ["alice", "alicea", "alic", "ecila", "bob", "user1", "user2", "аlice", "李", "力", ""];
        for (index, one) in user_ids.iter().enumerate() {
            for other in &user_ids[..index] {
                assert_ne!(fold(one), fold(other), "{one} {other}");
            }
        }
    }

    #[test]
    fn upper_and_lower_case_of_every_character_are_folded() {
        let user_ids = UserIds::new(None);
        for it in ('\0'..=char::MAX).filter(|it| *it != IOTA_SUBSCRIPT) {
            for mapped in [it.to_uppercase().to_string(), it.to_lowercase().to_string()] {
                if mapped != it.to_string()
                    && (mapped.chars().count() == 1 || !mapped.ends_with('Ι'))
                {
                    assert_eq!(user_ids.fold(&mapped), user_ids.fold(&it.to_string()), "{it:?}");
                }
            }
        }
    }

    #[test]
    fn characters_that_identifiers_ignore_are_folded() {
        let user_ids = UserIds::new(None);
        let ignored = CodePointSetData::new::<DefaultIgnorableCodePoint>();
        let ignored: Vec<_> = ignored.iter_ranges().flatten().filter_map(char::from_u32).collect();
        assert!(ignored.len() > 4000);
        for it in ignored {
            assert_eq!(user_ids.fold(&format!("ali{it}ce")), user_ids.fold("alice"), "{it:?}");
        }
    }

    #[test]
    fn key_of_the_application_is_folded_too() {
        let before_at = |it: &str| it.split('@').next().unwrap_or_default().to_owned();
        let user_ids = UserIds::new(Some(Arc::new(before_at)));
        assert_eq!(user_ids.fold("Álice@example.com"), fold("alice"));
        assert_ne!(user_ids.fold("bob@example.com"), fold("alice"));
        assert_eq!(user_ids.fold(&format!("alice@{}", "x".repeat(1024))), fold("alice"));
    }

    #[test]
    fn overlong_user_ids_are_not_compared() {
        assert!(fold(&"a".repeat(MAX_COMPARED)).is_some());
        assert_eq!(fold(&"a".repeat(MAX_COMPARED + 1)), None);
        assert_eq!(fold(&format!("alice{}", "\u{AD} ".repeat(30_000))), fold("alice"));
        // The collator needs quadratic time for these: minutes, in a development build.
        for marks in ["\u{F71}", "\u{F71}\u{F80}\u{334}"] {
            assert_eq!(fold(&format!("\u{FB2}{}", marks.repeat(30_000))), None);
            assert!(fold(&marks.repeat(MAX_COMPARED / marks.len())).is_some());
        }
    }
}
