//! An htpasswd file that is read again when it has changed.

use std::{
    fs::{self, File, Metadata},
    io::Read,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError},
    time::{Duration, Instant, SystemTime},
};

use actix_web::web;

use crate::authenticator::users::{Place, Table, UsersError, lines};

/// Longest file that is read.
const MAX_FILE: u64 = 16 * 1024 * 1024;

/// How long the file is not looked at again.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// A file that was written so shortly before it was read may be written once more without a
/// change in what its directory says of it.
const SETTLES_IN: Duration = Duration::from_secs(3);

/// A file of users, and what it held when it was last whole.
#[derive(Debug)]
pub(crate) struct Htpasswd {
    path: PathBuf,
    last: Mutex<Last>,
    /// Held by the one who reads.
    reading: Mutex<()>,
}

#[derive(Debug)]
struct Last {
    table: Arc<Table>,
    /// Counts the changes.
    revision: u64,
    /// None if the file has to be read again, whatever its directory says.
    stamp: Option<Stamp>,
    looked: Option<Instant>,
    /// The error that the log holds already.
    said: Option<String>,
}

/// What the directory says of a file: another one in its place differs, too.
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

    /// A time in the future is no answer.
    fn has_settled(&self, now: SystemTime) -> bool {
        let age = self.modified.and_then(|it| now.duration_since(it).ok());
        age.is_some_and(|age| age > SETTLES_IN)
    }
}

impl Htpasswd {
    pub(crate) fn open(path: PathBuf) -> Result<Self, UsersError> {
        let (table, stamp) = read(&path)?;
        warn_of_cheap(&path, &table);
        let last = Last { table: Arc::new(table), revision: 0, stamp, looked: None, said: None };
        Ok(Self { path, last: Mutex::new(last), reading: Mutex::default() })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The users as of now, give or take a second, and how often they have changed. The file is
    /// looked at beside the worker.
    pub(crate) async fn current(self: &Arc<Self>, now: Instant) -> (Arc<Table>, u64) {
        let is_due = {
            let mut last = self.lock();
            let is_due = last
                .looked
                .is_none_or(|looked| now.saturating_duration_since(looked) >= LOOK_EVERY);
            if is_due {
                last.looked = Some(now);
            }
            is_due
        };
        if is_due {
            let this = Arc::clone(self);
            // What it finds it keeps by itself, since who has asked may have hung up.
            if let Err(error) = web::block(move || this.look()).await {
                tracing::error!(%error, path = %self.path.display(), "users could not be read");
            }
        }
        let last = self.lock();
        (Arc::clone(&last.table), last.revision)
    }

    /// Reads the file if it has changed.
    fn look(&self) {
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
                let was_broken = last.said.take().is_some();
                if *last.table != table {
                    warn_of_cheap(&self.path, &table);
                    tracing::info!(path = %self.path.display(), "users were read again");
                    last.table = Arc::new(table);
                    last.revision += 1;
                } else if was_broken {
                    tracing::info!(path = %self.path.display(), "users can be read again");
                }
            }
            Err(error) => {
                last.stamp = None;
                let text = error.to_string();
                if last.said.as_ref() != Some(&text) {
                    tracing::warn!("{text}; the users of before stay until it is mended");
                    last.said = Some(text);
                }
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Last> {
        // Nothing in here panics halfway through a change.
        self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Reads a whole file: the users, and by what to know that it has not changed since.
fn read(path: &Path) -> Result<(Table, Option<Stamp>), UsersError> {
    let place = Place::File(path.to_owned());
    let cannot = |error| place.io("cannot be read", error);
    let before = fs::metadata(path).map_err(cannot)?;
    if !before.is_file() {
        return Err(place.error(None, "is no file"));
    }
    if before.len() > MAX_FILE {
        return Err(place.error(None, "is longer than 16 MiB; is it the right file?"));
    }
    let mut bytes = Vec::new();
    File::open(path)
        .and_then(|file| file.take(MAX_FILE + 1).read_to_end(&mut bytes))
        .map_err(cannot)?;
    let stamp = Stamp::of(&before);
    let after = fs::metadata(path).map_err(cannot)?;
    if stamp != Stamp::of(&after) || u64::try_from(bytes.len()) != Ok(stamp.length) {
        return Err(place.error(None, "was written to while it was read; try again"));
    }
    let table = Table::new(&place, &lines(&place, &bytes)?)?;
    Ok((table, Some(stamp).filter(|it| it.has_settled(SystemTime::now()))))
}

fn warn_of_cheap(path: &Path, table: &Table) {
    let users = table.cheap();
    if users > 0 {
        tracing::warn!(
            path = %path.display(), users,
            "there are users with bcrypt hashes of a cost below 10, which whoever gets hold of the \
             file tries many passwords against: re-hash them with `htpasswd -B -C 12`"
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HASH: &str = "$2y$04$qqxtSNcE5L3nZxkNayxMDOGS1/Xpv5quGRK8y21J1utjVbTHTJ5Au";

    #[test]
    fn a_file_that_was_just_written_is_read_again_whatever_its_directory_says() {
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
    fn another_file_in_its_place_has_another_stamp() {
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
    fn what_is_no_file_or_too_long_is_refused() {
        let directory = tempfile::tempdir().expect("a directory");
        let error = |path: &Path| read(path).expect_err("an error").to_string();
        assert!(error(directory.path()).ends_with(" is no file"));
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
    fn a_broken_file_is_told_once_and_its_mending_too() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("users");
        let good = format!("alice:{}\n", HASH.replace("$04$", "$12$"));
        fs::write(&path, &good).expect("written");
        let file = Htpasswd::open(path.clone()).expect("users");
        let log = Log::default();
        let writer = log.clone();
        let subscriber = tracing_subscriber::fmt().with_writer(move || writer.clone()).finish();
        // While there is but one, other threads' tests decide whether anybody listens.
        let _second = tracing::Dispatch::new(tracing_subscriber::registry());
        tracing::subscriber::with_default(subscriber, || {
            for text in ["bob:$apr1$secret$\n", "bob:secret\n", &good] {
                fs::write(&path, text).expect("written");
                for _ in 0..3 {
                    file.look();
                }
            }
        });
        let text = String::from_utf8(log.0.lock().expect("unpoisoned").clone()).expect("text");
        assert_eq!(text.lines().count(), 3, "{text}");
        let stays = "the users of before stay until it is mended";
        assert_eq!(text.matches(stays).count(), 2, "{text}");
        assert!(
            text.contains("WARN") && text.contains("line 1: user \"bob\" has an apr1"),
            "{text}"
        );
        assert!(text.contains("users can be read again"), "{text}");
        assert!(!text.contains("secret"), "{text}");
    }

    /// What the kernel makes up while it is read is longer than its directory says.
    #[cfg(target_os = "linux")]
    #[test]
    fn a_file_of_another_length_than_its_directory_says_is_not_believed() {
        let error = read(Path::new("/proc/version")).expect_err("an error").to_string();
        assert_eq!(error, "/proc/version was written to while it was read; try again");
    }

    #[test]
    fn a_stamp_that_is_known_saves_the_reading() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("users");
        fs::write(&path, format!("alice:{HASH}\n")).expect("written");
        let then = SystemTime::now() - Duration::from_secs(3600);
        File::options().write(true).open(&path).expect("open").set_modified(then).expect("set");
        let file = Htpasswd::open(path).expect("users");
        // Had it read the file, this would not be there any more.
        file.lock().said = Some("something".to_owned());
        file.look();
        assert!(file.lock().said.is_some());
        file.lock().stamp = None;
        file.look();
        assert!(file.lock().said.is_none());
        assert_eq!(file.lock().revision, 0, "nothing has changed");
    }
}
