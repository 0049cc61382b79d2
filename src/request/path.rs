//! Paths as a session stores them, and the directories to which browsers send credentials.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// Maximum length in bytes of a path that is stored in full. A session in a cookie holds 4 KiB in
/// all.
const MAX_LENGTH: usize = 512;

/// The text, or its hash if it is longer than `max_length` or grows in a session, which is stored as JSON in JSON.
pub(super) fn bounded(text: &str, max_length: usize) -> String {
    let grows = |it: char| matches!(it, '"' | '\\') || it.is_control();
    if text.len() <= max_length && !text.contains(grows) {
        return text.to_owned();
    }
    format!("sha256:{:x}", Sha256::digest(text))
}

/// The path of a request, stored to recognize it later. If it is too long, or has characters that JSON
/// escapes, its hash is stored instead.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct RequestPath(String);

impl RequestPath {
    pub(crate) fn of(path: &str) -> Self {
        Self(bounded(path, MAX_LENGTH))
    }

    /// The directory of this path. A browser whose user logged in at this path sends the
    /// credentials to all paths in the directory without waiting for a challenge (RFC 7617, section
    /// 2.2).
    ///
    /// None if only the hash of the path is known. A guess would be a vulnerability: if
    /// the directory were too wide, a browser would seem to have dropped credentials that it still
    /// holds.
    pub(crate) fn directory(&self) -> Option<Directory> {
        let end = self.0.starts_with('/').then(|| self.0.rfind('/')).flatten()?;
        Some(Directory(self.0[..=end].to_owned()))
    }
}

/// The start of a path, for the log. A client can send a path of 64 KiB.
pub(crate) fn start_of(path: &str) -> &str {
    const LENGTH: usize = 256;
    match path.char_indices().find(|(index, letter)| index + letter.len_utf8() > LENGTH) {
        Some((end, _)) => path.get(..end).unwrap_or_default(),
        None => path,
    }
}

/// A path up to its last slash.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Directory(String);

impl Directory {
    /// The directory that holds all paths.
    pub(crate) fn root() -> Self {
        Self("/".to_owned())
    }

    pub(crate) fn holds(&self, path: &str) -> bool {
        path.starts_with(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn directory(path: &str) -> Option<Directory> {
        RequestPath::of(path).directory()
    }

    #[test]
    fn stored_path_does_not_grow_in_json() {
        for path in [&*"/\"".repeat(200), &*"/\\".repeat(200), "/\u{1}", &*"/a".repeat(257)] {
            let stored = serde_json::to_string(&RequestPath::of(path)).expect("JSON");
            assert_eq!(stored.len(), r#""sha256:""#.len() + 64, "{path:?}");
            assert_eq!(directory(path), None, "{path:?}");
        }
        assert_eq!(RequestPath::of("/a'%22<b").0, "/a'%22<b");
    }

    #[test]
    fn logged_path_has_at_most_256_bytes() {
        for path in ["/", "/admin/", &format!("/{}", "a".repeat(255))] {
            assert_eq!(start_of(path), path);
        }
        assert_eq!(start_of(&"/".repeat(257)).len(), 256);
        assert_eq!(start_of(&"\u{20ac}".repeat(1000)).len(), 255);
    }

    #[test]
    fn directory_ends_with_the_last_slash() {
        assert_eq!(directory("/"), Some(Directory("/".into())));
        assert_eq!(directory("/admin"), Some(Directory("/".into())));
        assert_eq!(directory("/admin/"), Some(Directory("/admin/".into())));
        assert_eq!(directory("/admin/users/7"), Some(Directory("/admin/users/".into())));
    }

    #[test]
    fn directory_contains_paths_at_or_below_it() {
        let admin = directory("/admin/x").expect("a directory");
        assert!(admin.holds("/admin/"));
        assert!(admin.holds("/admin/a/b"));
        assert!(!admin.holds("/admin"));
        assert!(!admin.holds("/administrator"));
        assert!(!admin.holds("/"));
    }

    #[test]
    fn long_path_is_recognized_but_has_no_directory() {
        let long = format!("/{}", "x/".repeat(MAX_LENGTH));
        assert_eq!(RequestPath::of(&long), RequestPath::of(&long));
        assert_ne!(RequestPath::of(&long), RequestPath::of(&format!("{long}y")));
        assert_eq!(directory(&long), None);
        assert!(RequestPath::of(&long).0.len() < 80);
    }

    #[test]
    fn request_target_that_is_no_path_has_no_directory() {
        assert_eq!(directory("*"), None);
        assert_eq!(directory(""), None);
    }
}
