//! Decides which user-ids share a limit.

use std::{borrow::Cow, fmt, sync::Arc};

use icu_collator::{
    Collator, CollatorBorrowed,
    options::{AlternateHandling, CollatorOptions, Strength},
};

use crate::request::authorization::MAX_USER_ID;

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
    /// these share one limit. The collator needs quadratic time for some texts: some milliseconds
    /// for this length, but six seconds for 90 kB.
    pub(crate) fn fold(&self, user_id: &str) -> Option<Vec<u8>> {
        let text = match &self.key {
            Some(key) => Cow::Owned(key(user_id)),
            None => Cow::Borrowed(user_id),
        };
        if text.len() > MAX_USER_ID {
            return None;
        }
        // A comparison of capital letters takes this for an `i`, but the collation does not.
        let text = text.replace('ı', "i");
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
        // The iota subscript is an accent in the collation, and a letter in upper case.
        for it in ('\0'..=char::MAX).filter(|it| *it != '\u{345}') {
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
    fn key_of_the_application_is_folded_too() {
        let before_at = |it: &str| it.split('@').next().unwrap_or_default().to_owned();
        let user_ids = UserIds::new(Some(Arc::new(before_at)));
        assert_eq!(user_ids.fold("Álice@example.com"), fold("alice"));
        assert_ne!(user_ids.fold("bob@example.com"), fold("alice"));
        assert_eq!(user_ids.fold(&format!("alice@{}", "x".repeat(MAX_USER_ID))), fold("alice"));
    }

    #[test]
    fn overlong_user_ids_are_not_compared() {
        assert!(fold(&"a".repeat(MAX_USER_ID)).is_some());
        assert_eq!(fold(&"a".repeat(MAX_USER_ID + 1)), None);
        // The collator needs quadratic time for these: minutes, in a development build.
        for marks in ["\u{F71}", "\u{F71}\u{F80}\u{334}"] {
            assert_eq!(fold(&format!("\u{FB2}{}", marks.repeat(30_000))), None);
            assert!(fold(&marks.repeat(MAX_USER_ID / marks.len())).is_some());
        }
    }
}
