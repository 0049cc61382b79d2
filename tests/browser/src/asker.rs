//! A server of its own that asks everybody for a password.

use std::net::SocketAddr;

use serde_json::Value;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};

/// Until it is dropped.
pub(crate) struct Asker {
    pub(crate) address: SocketAddr,
    accepting: JoinHandle<()>,
}

impl Asker {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("a bound port");
        let accepting = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(ask(stream));
            }
        });
        Self { address, accepting }
    }
}

impl Asker {
    /// Whether a browser wanted this password, by its report.
    pub(crate) fn asked(&self, report: &Value) -> bool {
        let url = report["request"]["url"].as_str().unwrap_or_default();
        url.starts_with(&format!("http://{}/", self.address))
    }
}

impl Drop for Asker {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn ask(mut stream: TcpStream) {
    let mut request = [0; 4096];
    // A browser may hang up whenever it likes.
    let _ = stream.read(&mut request).await;
    let answer = "HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Basic realm=\"Ready?\"\r\n\
                  Content-Length: 0\r\nConnection: close\r\n\r\n";
    let _ = stream.write_all(answer.as_bytes()).await;
}
