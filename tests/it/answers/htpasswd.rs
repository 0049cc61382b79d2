//! htpasswd files: the accepted hashes, when a file is reloaded, and the effect of changes on logins.

use std::{env, fs, path::PathBuf, process::Command};

use actix_basic_logout::Users;
use tempfile::TempDir;

use super::*;
use crate::support::log::Log;

const WONDERLAND: &str = "$2y$04$qqxtSNcE5L3nZxkNayxMDOGS1/Xpv5quGRK8y21J1utjVbTHTJ5Au";
const STRASSE: &str = "$2y$04$m3e8ix4hfRAMfdENAY.D2es3VCh3lHVQEYeeAu6V7KKE9t0fVN8Oy";

/// An htpasswd file, and a site with its users.
struct Guarded {
    directory: TempDir,
    site: Site,
    watch: Watch,
}

impl Guarded {
    async fn by(text: &str) -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let (path, watch) = (directory.path().join("users"), Watch::new());
        fs::write(&path, text).expect("written");
        let users = Users::htpasswd(&path).expect("users").clock(watch.instant());
        let login = BasicLogin::builder("Admin area", users).clock(watch.system_time());
        let site = site(&login.build().expect("a realm")).await;
        Self { directory, site, watch }
    }

    fn path(&self) -> PathBuf {
        self.directory.path().join("users")
    }

    fn write(&self, text: &str) {
        fs::write(self.path(), text).expect("written");
    }

    async fn status_of(&self, user_id: &str, password: &str) -> u16 {
        let req = non_browser("/admin/").insert_header(basic(user_id, password));
        ask(&self.site, req).await.status.as_u16()
    }
}

#[actix_web::test]
async fn changed_file_is_reloaded_within_a_second() {
    let guarded = Guarded::by(&format!("alice:{WONDERLAND}\n")).await;
    assert_eq!(guarded.status_of("alice", "wonderland").await, 200);
    guarded.write(&format!("alice:{STRASSE}\nbob:{WONDERLAND}\n"));
    assert_eq!(
        guarded.status_of("alice", "wonderland").await,
        200,
        "the file is not checked again within a second"
    );
    guarded.watch.set(1);
    assert_eq!(guarded.status_of("alice", "wonderland").await, 401);
    assert_eq!(guarded.status_of("alice", "straße").await, 200);
    assert_eq!(guarded.status_of("bob", "wonderland").await, 200);
    guarded.write(&format!("alice:{STRASSE}\n"));
    guarded.watch.set(2);
    assert_eq!(guarded.status_of("bob", "wonderland").await, 401, "removed");
}

#[actix_web::test]
async fn replaced_file_is_reloaded() {
    let guarded = Guarded::by(&format!("alice:{WONDERLAND}\n")).await;
    assert_eq!(guarded.status_of("alice", "wonderland").await, 200);
    let new = guarded.directory.path().join("users.new");
    fs::write(&new, format!("alice:{STRASSE}\n")).expect("written");
    fs::rename(new, guarded.path()).expect("renamed");
    guarded.watch.set(1);
    assert_eq!(guarded.status_of("alice", "straße").await, 200);
    assert_eq!(guarded.status_of("alice", "wonderland").await, 401);
}

#[actix_web::test]
async fn login_ends_at_reverification_after_a_password_change() {
    for text in [format!("alice:{STRASSE}\n"), format!("bob:{WONDERLAND}\n")] {
        let guarded = Guarded::by(&format!("alice:{WONDERLAND}\n")).await;
        let logged_in = log_in(&guarded.site).await;
        let visit = || page("/admin/").cookie(logged_in.clone()).insert_header(alice());
        guarded.write(&text);
        guarded.watch.set(299);
        assert_eq!(ask(&guarded.site, visit()).await.status, StatusCode::OK);
        guarded.watch.set(300);
        let answer = ask(&guarded.site, visit()).await;
        assert_eq!(answer.challenge(), Some(CHALLENGE));
        assert!(answer.body.contains("Your login has ended"), "{}", answer.body);
    }
}

#[actix_web::test]
async fn previous_users_stay_valid_while_the_file_is_broken() {
    let good = format!("alice:{WONDERLAND}\n");
    let guarded = Guarded::by(&good).await;
    let path = guarded.path();
    let mut second = 0;
    for (broken, what) in [
        (
            Some("alice:$2y$04$qqxtSNcE5L3n"),
            "users, line 1: user \"alice\" has a truncated or malformed bcrypt hash",
        ),
        (Some("bob:$apr1$x$y\n"), "users, line 1: user \"bob\" has an apr1 (MD5) hash"),
        (Some(""), "users contains no users"),
        (None, "users cannot be read: "),
    ] {
        match broken {
            Some(text) => guarded.write(text),
            None => fs::remove_file(&path).expect("removed"),
        }
        for _ in 0..3 {
            second += 1;
            guarded.watch.set(second);
            assert_eq!(guarded.status_of("alice", "wonderland").await, 200, "{what}");
            assert_eq!(guarded.status_of("bob", "wonderland").await, 401, "{what}");
        }
        let error = Users::htpasswd(&path).expect_err(what).to_string();
        assert!(error.contains(what), "{error}");
        guarded.write(&good.replace("alice", "bob"));
        second += 1;
        guarded.watch.set(second);
        assert_eq!(
            guarded.status_of("bob", "wonderland").await,
            200,
            "the repaired file is loaded"
        );
        guarded.write(&good);
        second += 1;
        guarded.watch.set(second);
        assert_eq!(guarded.status_of("alice", "wonderland").await, 200);
    }
}

#[test]
fn cheap_bcrypt_hash_is_logged_and_an_expensive_one_is_not() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("users");
    for (hash, warnings) in [(WONDERLAND.to_owned(), 1), (WONDERLAND.replace("$04$", "$12$"), 0)] {
        fs::write(&path, format!("alice:{hash}\n")).expect("written");
        let (log, guard) = Log::capture();
        Users::htpasswd(&path).expect("users");
        drop(guard);
        let text = log.text();
        assert_eq!(log.count("a cost below 10"), warnings, "{text}");
        assert!(!text.contains("qqxtSN"), "{text}");
    }
}

/// Runs Apache's `htpasswd`, and returns whether it is installed. It must be if `NO_TOOL_IS_MISSING` is
/// set.
#[track_caller]
fn apache(arguments: &[&str]) -> bool {
    match Command::new("htpasswd").args(arguments).output() {
        Ok(output) => {
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
            true
        }
        Err(error) => {
            assert!(env::var_os("NO_TOOL_IS_MISSING").is_none(), "htpasswd: {error}");
            eprintln!("skipped: htpasswd is not installed");
            false
        }
    }
}

#[actix_web::test]
async fn file_made_by_apache_htpasswd_is_accepted() {
    let guarded = Guarded::by(&format!("alice:{WONDERLAND}\n")).await;
    let path = guarded.path();
    let path = path.to_str().expect("UTF-8");
    if !apache(&["-cbB", "-C", "4", path, "alice", "one"]) {
        return;
    }
    assert!(apache(&["-bB", "-C", "5", path, "bob smith", "zwei für"]));
    let seventy_two = "7".repeat(72);
    assert!(apache(&["-bB", "-C", "4", path, "carol", &seventy_two]));
    assert_eq!(guarded.status_of("alice", "one").await, 200);
    assert_eq!(guarded.status_of("alice", "wonderland").await, 401);
    assert_eq!(guarded.status_of("bob smith", "zwei für").await, 200);
    assert_eq!(guarded.status_of("carol", &seventy_two).await, 200);
    assert_eq!(
        guarded.status_of("carol", &(seventy_two + "7")).await,
        401,
        "bcrypt would truncate it"
    );

    assert!(apache(&["-bB", "-C", "4", path, "alice", "two"]));
    assert!(apache(&["-D", path, "bob smith"]));
    guarded.watch.set(1);
    assert_eq!(guarded.status_of("alice", "two").await, 200);
    assert_eq!(guarded.status_of("alice", "one").await, 401);
    assert_eq!(guarded.status_of("bob smith", "zwei für").await, 401);
}

#[actix_web::test]
async fn example_file_is_valid_for_apache_and_for_this_crate() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/htpasswd/users.htpasswd");
    let login = BasicLogin::builder("Admin area", Users::htpasswd(path).expect("users"));
    let site = site(&login.build().expect("a realm")).await;
    for (user_id, password) in [("alice", "wonderland"), ("bob", "builder")] {
        let req = non_browser("/admin/").insert_header(basic(user_id, password));
        assert_eq!(ask(&site, req).await.status, StatusCode::OK);
        apache(&["-vb", path, user_id, password]);
    }
}

#[actix_web::test]
async fn htpasswd_rejects_weak_apache_hashes_with_line_and_fix() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("users");
    let text = path.to_str().expect("UTF-8");
    for (option, what) in [
        ("-m", "an apr1 (MD5) hash"),
        ("-s", "a SHA-1 hash without salt"),
        ("-d", "a plain crypt (DES) hash"),
        ("-2", "a SHA-crypt hash"),
        ("-5", "a SHA-crypt hash"),
    ] {
        fs::write(&path, format!("alice:{WONDERLAND}\n")).expect("written");
        if !apache(&["-b", option, text, "bob", "builder"]) {
            return;
        }
        let error = Users::htpasswd(&path).expect_err(option);
        assert_eq!(
            error.to_string(),
            format!(
                "{text}, line 2: user \"bob\" has {what}, which is not accepted; re-hash the \
                 password with: htpasswd -B -C 12 {text} bob"
            )
        );
        assert_eq!(error.line(), Some(2));
    }
    // The command in the error fixes it.
    assert!(apache(&["-b", "-B", "-C", "12", text, "bob", "builder"]));
    assert!(Users::htpasswd(&path).is_ok());
}
