//! Runs the demo as a child process.

use std::{
    env,
    ffi::OsString,
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::OnceLock,
};

use serde_json::Value;

/// The process of `examples/admin.rs`. It listens on a free port and ends when this is dropped.
pub(crate) struct Demo {
    child: Child,
    /// Host and port.
    pub(crate) address: String,
}

impl Demo {
    pub(crate) fn start(variables: &[(&str, &str)]) -> Self {
        let mut child = Command::new(binary())
            .env("ADDR", "127.0.0.1:0")
            .envs(variables.iter().copied())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the demo starts");
        let mut line = String::new();
        let stdout = child.stdout.take().expect("stdout is piped");
        BufReader::new(stdout).read_line(&mut line).expect("the demo prints its address");
        let address = line.split('/').nth(2).expect("the line begins with a URL").to_owned();
        Self { child, address }
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Path of the demo's executable. Cargo rebuilds it first if its sources have changed.
fn binary() -> &'static Path {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    BINARY.get_or_init(|| {
        let cargo = env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo"));
        let root = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");
        let output = Command::new(cargo)
            .current_dir(root)
            .args(["build", "--example", "admin", "--message-format", "json-render-diagnostics"])
            .stderr(Stdio::inherit())
            .output()
            .expect("cargo runs");
        assert!(output.status.success(), "the demo does not build");
        let messages = String::from_utf8(output.stdout).expect("cargo prints UTF-8");
        let executable = messages.lines().find_map(|line| {
            let message: Value = serde_json::from_str(line).ok()?;
            let is_demo = message["target"]["name"] == "admin";
            message["executable"].as_str().filter(|_| is_demo).map(PathBuf::from)
        });
        executable.expect("cargo names the demo's binary")
    })
}
