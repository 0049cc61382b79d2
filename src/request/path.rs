//! Paths as a session stores them, and the directories to which browsers send credentials.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// Maximum length in bytes of a path that is stored in full. A session in a cookie holds 4 KiB in
/// all.
const MAX_LENGTH: usize = 512;

/// The path of a request, stored to recognize it later. If it is too long, its hash is stored
/// instead.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct RequestPath(String);

impl RequestPath {
    pub(crate) fn of(path: &str) -> Self {
        if path.len() <= MAX_LENGTH {
            return Self(path.to_owned());
        }
        Self(format!("sha256:{:x}", Sha256::digest(path)))
    }

    /// The directory of this path. A browser whose user logged in at this path sends the
    /// credentials to all paths in the directory without waiting for a challenge (RFC 7617, section
    /// 2.2).
    ///
    /// None if the path is unknown because it was too long. A guess would be a vulnerability: if
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
