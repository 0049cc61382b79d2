//! Users in an htpasswd file, which is reloaded when it changes.

use std::{
    fs::{self, File, Metadata},
    io::Read,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError},
    time::{Duration, Instant, SystemTime},
};

use actix_web::web;

use crate::authenticator::users::{
    error::UsersError,
    source::Source,
    table::{Table, parse_lines},
};

/// The largest file that is read, in bytes.
const MAX_FILE: u64 = 16 * 1024 * 1024;

/// The shortest time between two checks for a change.
const POLL_INTERVAL: Duration = Duration::from_secs(1);

/// A file that was written less than this time before it was read is read again: a second write
/// within the resolution of the file system's clock would not change the metadata.
const SETTLE_TIME: Duration = Duration::from_secs(3);

/// A file of users, and its last valid content.
#[derive(Debug)]
pub(crate) struct Htpasswd {
    path: PathBuf,
    last: Mutex<Last>,
    /// Held while the file is read.
    reading: Mutex<()>,
}

#[derive(Debug)]
struct Last {
    table: Arc<Table>,
    /// The number of changes so far.
    revision: u64,
    /// None if the file must be read again, even if its metadata is unchanged.
    stamp: Option<Stamp>,
    checked_at: Option<Instant>,
    /// The error that was already logged.
    logged_error: Option<String>,
}

/// The metadata that shows whether a file was changed or replaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stamp {
    length: u64,
    modified: Option<SystemTime>,
    /// Device, inode and time of the last change of the inode.
    #[cfg(unix)]
    inode: (u64, u64, i64, i64),
}

impl Stamp {
    fn of(metadata: &Metadata) -> Self {
        #[cfg(unix)]
        let inode = {
            use std::os::unix::fs::MetadataExt;
            (metadata.dev(), metadata.ino(), metadata.ctime(), metadata.ctime_nsec())
        };
        Self {
            length: metadata.len(),
            modified: metadata.modified().ok(),
            #[cfg(unix)]
            inode,
        }
    }

    /// Whether the file was written long enough ago. A time in the future counts as not
    /// long enough ago.
    fn has_settled(&self, now: SystemTime) -> bool {
        let age = self.modified.and_then(|it| now.duration_since(it).ok());
        age.is_some_and(|age| age > SETTLE_TIME)
    }
}

impl Htpasswd {
    pub(crate) fn open(path: PathBuf) -> Result<Self, UsersError> {
        let (table, stamp) = read(&path)?;
        warn_of_cheap_hashes(&path, &table);
        let last = Last {
            table: Arc::new(table),
            revision: 0,
            stamp,
            checked_at: None,
            logged_error: None,
        };
        Ok(Self { path, last: Mutex::new(last), reading: Mutex::default() })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Returns the users, which may be a second old, and the number of changes so far. Reads the
    /// file off the worker thread.
    pub(crate) async fn current(self: &Arc<Self>, now: Instant) -> (Arc<Table>, u64) {
        let is_due = {
            let mut last = self.lock();
            let is_due =
                last.checked_at.is_none_or(|it| now.saturating_duration_since(it) >= POLL_INTERVAL);
            if is_due {
                last.checked_at = Some(now);
            }
            is_due
        };
        if is_due {
            let this = Arc::clone(self);
            // `reload` stores its result itself, so a client that disconnects does not lose it.
            if let Err(error) = web::block(move || this.reload()).await {
                tracing::error!(
                    %error, path = %self.path.display(),
                    "htpasswd file not checked for changes; the previous users stay valid"
                );
            }
        }
        let last = self.lock();
        (Arc::clone(&last.table), last.revision)
    }

    /// Reads the file if it has changed.
    fn reload(&self) {
        let _reading = match self.reading.try_lock() {
            Ok(guard) => guard,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            Err(TryLockError::WouldBlock) => return,
        };
        let known = self.lock().stamp;
        let found = fs::metadata(&self.path).ok().map(|it| Stamp::of(&it));
        if found.is_some() && found == known {
            return;
        }
        let read = read(&self.path);
        let mut last = self.lock();
        match read {
            Ok((table, stamp)) => {
                last.stamp = stamp;
                let was_broken = last.logged_error.take().is_some();
                if *last.table != table {
                    warn_of_cheap_hashes(&self.path, &table);
                    tracing::info!(path = %self.path.display(), "htpasswd file reloaded");
                    last.table = Arc::new(table);
                    last.revision += 1;
                } else if was_broken {
                    tracing::info!(path = %self.path.display(), "htpasswd file can be read again");
                }
            }
            Err(error) => {
                last.stamp = None;
                let text = error.to_string();
                if last.logged_error.as_ref() != Some(&text) {
                    tracing::warn!("{text}; the previous users stay valid until it is fixed");
                    last.logged_error = Some(text);
                }
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Last> {
        // No code panics while it changes `Last`, so a poisoned lock is consistent.
        self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Reads the whole file. Returns the users, and the stamp of the file if it has settled.
fn read(path: &Path) -> Result<(Table, Option<Stamp>), UsersError> {
    let source = Source::File(path.to_owned());
    let cannot = |error| source.io("cannot be read", error);
    let before = fs::metadata(path).map_err(cannot)?;
    if !before.is_file() {
        return Err(source.error(None, "is not a file"));
    }
    if before.len() > MAX_FILE {
        return Err(source.error(None, "is longer than 16 MiB; is it the right file?"));
    }
    let mut bytes = Vec::new();
    File::open(path)
        .and_then(|file| file.take(MAX_FILE + 1).read_to_end(&mut bytes))
        .map_err(cannot)?;
    let stamp = Stamp::of(&before);
    let after = fs::metadata(path).map_err(cannot)?;
    if stamp != Stamp::of(&after) || u64::try_from(bytes.len()) != Ok(stamp.length) {
        return Err(source.error(None, "was written to while it was read; try again"));
    }
    let table = Table::new(&source, &parse_lines(&source, &bytes)?)?;
    Ok((table, Some(stamp).filter(|it| it.has_settled(SystemTime::now()))))
}

fn warn_of_cheap_hashes(path: &Path, table: &Table) {
    let users = table.count_cheap();
    if users > 0 {
        tracing::warn!(
            path = %path.display(), users,
            "users have bcrypt hashes with a cost below 10, so an attacker who steals the file can \
             guess passwords fast: hash the passwords again with `htpasswd -B -C 12`"
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HASH: &str = "$2y$04$qqxtSNcE5L3nZxkNayxMDOGS1/Xpv5quGRK8y21J1utjVbTHTJ5Au";

    #[test]
    fn recently_written_file_is_read_again() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("users");
        fs::write(&path, format!("alice:{HASH}\n")).expect("written");
        let hour = Duration::from_secs(3600);
        for (modified, is_settled) in [
            (SystemTime::now() - hour, true),
            (SystemTime::now(), false),
            (SystemTime::now() + hour, false),
        ] {
            let file = File::options().write(true).open(&path).expect("open");
            file.set_modified(modified).expect("set");
            let (_, stamp) = read(&path).expect("users");
            assert_eq!(stamp.is_some(), is_settled);
        }
    }

    #[cfg(unix)]
    #[test]
    fn replaced_file_has_another_stamp() {
        let directory = tempfile::tempdir().expect("a directory");
        let (one, other) = (directory.path().join("one"), directory.path().join("other"));
        let then = SystemTime::now() - Duration::from_secs(3600);
        for path in [&one, &other] {
            fs::write(path, "the same length").expect("written");
            File::options().write(true).open(path).expect("open").set_modified(then).expect("set");
        }
        let stamp = |path: &Path| Stamp::of(&fs::metadata(path).expect("there"));
        let before = stamp(&one);
        assert_eq!(before, stamp(&one));
        fs::rename(&other, &one).expect("renamed");
        assert_ne!(before, stamp(&one));
    }

    #[test]
    fn htpasswd_rejects_directory_and_oversized_file() {
        let directory = tempfile::tempdir().expect("a directory");
        let error = |path: &Path| read(path).expect_err("an error").to_string();
        assert!(error(directory.path()).ends_with(" is not a file"));
        let path = directory.path().join("users");
        assert!(error(&path).contains("users cannot be read: "));
        File::create(&path).expect("a file").set_len(MAX_FILE + 1).expect("longer");
        assert!(error(&path).contains("is longer than 16 MiB"));
    }

    #[derive(Clone, Default)]
    struct Log(Arc<Mutex<Vec<u8>>>);

    impl std::io::Write for Log {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().expect("unpoisoned").write(bytes)
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn broken_file_and_its_repair_are_logged_once() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("users");
        let good = format!("alice:{}\n", HASH.replace("$04$", "$12$"));
        fs::write(&path, &good).expect("written");
        let file = Htpasswd::open(path.clone()).expect("users");
        let log = Log::default();
        let writer = log.clone();
        let subscriber = tracing_subscriber::fmt().with_writer(move || writer.clone()).finish();
        // With only one dispatcher, tests on other threads would decide which levels are enabled.
        let _second = tracing::Dispatch::new(tracing_subscriber::registry());
        tracing::subscriber::with_default(subscriber, || {
            for text in ["bob:$apr1$secret$\n", "bob:secret\n", &good] {
                fs::write(&path, text).expect("written");
                for _ in 0..3 {
                    file.reload();
                }
            }
        });
        let text = String::from_utf8(log.0.lock().expect("unpoisoned").clone()).expect("text");
        assert_eq!(text.lines().count(), 3, "{text}");
        let consequence = "the previous users stay valid until it is fixed";
        assert_eq!(text.matches(consequence).count(), 2, "{text}");
        assert!(
            text.contains("WARN") && text.contains("line 1: user \"bob\" has an apr1"),
            "{text}"
        );
        assert!(text.contains("htpasswd file can be read again"), "{text}");
        assert!(!text.contains("secret"), "{text}");
    }

    /// The kernel generates this file when it is read, so it is longer than its metadata says.
    #[cfg(target_os = "linux")]
    #[test]
    fn file_that_changes_while_it_is_read_is_an_error() {
        let error = read(Path::new("/proc/version")).expect_err("an error").to_string();
        assert_eq!(error, "/proc/version was written to while it was read; try again");
    }

    #[test]
    fn unchanged_file_is_not_read_again() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("users");
        fs::write(&path, format!("alice:{HASH}\n")).expect("written");
        let then = SystemTime::now() - Duration::from_secs(3600);
        File::options().write(true).open(&path).expect("open").set_modified(then).expect("set");
        let file = Htpasswd::open(path).expect("users");
        // Reading the file would clear it.
        file.lock().logged_error = Some("something".to_owned());
        file.reload();
        assert!(file.lock().logged_error.is_some());
        file.lock().stamp = None;
        file.reload();
        assert!(file.lock().logged_error.is_none());
        assert_eq!(file.lock().revision, 0, "nothing has changed");
    }
}
