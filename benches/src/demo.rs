//! The demo (`examples/admin.rs`) as a process of its own.

use std::{
    env, fs,
    io::{BufRead, BufReader},
    net::SocketAddr,
    path::PathBuf,
    process::{Child, Command, Stdio},
};

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");

/// Builds the demo, in release mode if this benchmark was. Returns the path of the executable.
///
/// # Panics
///
/// If it does not build.
#[must_use]
pub fn build() -> PathBuf {
    let cargo = env::var("CARGO").unwrap_or("cargo".to_owned());
    let profile = if cfg!(debug_assertions) { "dev" } else { "release" };
    let built = Command::new(cargo)
        .args(["build", "--profile", profile, "--locked", "--example", "admin"])
        .args(["--message-format", "json"])
        .current_dir(ROOT)
        .stderr(Stdio::inherit())
        .output()
        .expect("cargo");
    assert!(built.status.success(), "the demo does not build");
    String::from_utf8_lossy(&built.stdout)
        .lines()
        .filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok())
        .find_map(|line| line["executable"].as_str().map(PathBuf::from))
        .expect("an executable")
}

/// The process of the demo. Dropping this ends it.
pub struct Demo {
    child: Child,
    pub address: SocketAddr,
}

impl Demo {
    /// Starts the demo with these environment variables.
    ///
    /// # Panics
    ///
    /// If it does not start.
    #[must_use]
    pub fn start(executable: &PathBuf, variables: &[(&str, &str)]) -> Self {
        let mut child = Command::new(executable)
            .env("ADDR", "127.0.0.1:0")
            .envs(variables.iter().copied())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the demo starts");
        let mut line = String::new();
        let stdout = child.stdout.take().expect("its output");
        BufReader::new(stdout).read_line(&mut line).expect("a line");
        let address = line.trim_start_matches("http://").split('/').next().unwrap_or_default();
        Self { child, address: address.parse().expect("an address") }
    }

    /// Its resident memory in bytes.
    ///
    /// # Panics
    ///
    /// If the system does not tell.
    #[must_use]
    pub fn resident_memory(&self) -> f64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id()));
        let status = status.expect("the demo runs");
        let kilobytes = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kilobytes = kilobytes.and_then(|it| it.trim().strip_suffix(" kB")).expect("VmRSS");
        kilobytes.parse::<f64>().expect("a number") * 1024.0
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
