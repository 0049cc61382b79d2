//! A Redis server of its own.

use std::{
    net::TcpListener,
    process::{Child, Command, Stdio},
    time::Duration,
};

use actix_session::storage::RedisSessionStore;
use actix_web::rt;
use tempfile::TempDir;

/// A Redis server. Dropping this ends it.
pub struct Redis {
    pub url: String,
    port: String,
    child: Child,
    _directory: TempDir,
}

impl Redis {
    /// Starts `redis-server` on a free port, with its data in a temporary directory.
    ///
    /// # Panics
    ///
    /// If it does not start. The other methods panic if Redis or `redis-cli` fails.
    pub async fn start() -> Self {
        let free = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = free.local_addr().expect("an address").port().to_string();
        drop(free);
        let directory = TempDir::new().expect("a directory");
        let child = Command::new("redis-server")
            .args(["--port", &port, "--bind", "127.0.0.1", "--save", "", "--dir"])
            .arg(directory.path())
            .stdout(Stdio::null())
            .spawn()
            .unwrap_or_else(|error| panic!("redis-server: {error}"));
        let url = format!("redis://127.0.0.1:{port}");
        while RedisSessionStore::new(&url).await.is_err() {
            rt::time::sleep(Duration::from_millis(20)).await;
        }
        Self { url, port, child, _directory: directory }
    }

    /// Sends a command with `redis-cli`, and returns what it prints.
    #[must_use]
    pub fn ask(&self, command: &[&str]) -> String {
        let cli = Command::new("redis-cli")
            .args(["-p", &self.port])
            .args(command)
            .output()
            .unwrap_or_else(|error| panic!("redis-cli: {error}"));
        assert!(cli.status.success(), "redis-cli");
        String::from_utf8(cli.stdout).expect("text")
    }

    /// The memory of its data in bytes: `used_memory`.
    #[must_use]
    pub fn used_memory(&self) -> f64 {
        let text = self.ask(&["info", "memory"]);
        let used = text.lines().find_map(|line| line.strip_prefix("used_memory:"));
        used.expect("used_memory").trim().parse().expect("a number")
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
