//! A minimal HTTP client with one connection.

use std::net::SocketAddr;

use base64::{Engine, prelude::BASE64_STANDARD};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

/// The headers that browsers send when a user opens a page.
pub const BROWSER: &str = "User-Agent: Mozilla/5.0\r\nAccept: text/html\r\n\
                           Sec-Fetch-Site: none\r\nSec-Fetch-Mode: navigate\r\n";

pub struct Client {
    stream: TcpStream,
    /// The last response.
    buffer: Vec<u8>,
    body: usize,
    pub headers: String,
    pub cookie: Option<String>,
}

impl Client {
    /// Connects to a server.
    ///
    /// # Panics
    ///
    /// If the server cannot be reached. The other methods panic if a response is not as expected.
    pub async fn new(address: SocketAddr, headers: &str) -> Self {
        let stream = TcpStream::connect(address).await.expect("a connection");
        stream.set_nodelay(true).expect("no delay");
        let headers = format!("Host: {address}\r\n{headers}");
        Self { stream, buffer: Vec::new(), body: 0, headers, cookie: None }
    }

    /// Sends these credentials with each further request.
    pub fn add_credentials(&mut self, user_id: &str, password: &str) {
        let token = BASE64_STANDARD.encode(format!("{user_id}:{password}"));
        self.headers += &["Authorization: Basic ", &token, "\r\n"].concat();
    }

    /// Requests a page, reads the whole response, and keeps the cookie. Returns the status.
    pub async fn get(&mut self, path: &str) -> u16 {
        let cookie = self.cookie.as_ref().map_or(String::new(), |it| format!("Cookie: {it}\r\n"));
        let request = format!("GET {path} HTTP/1.1\r\n{}{cookie}\r\n", self.headers);
        self.stream.write_all(request.as_bytes()).await.expect("the request is sent");
        self.buffer.clear();
        loop {
            let read = self.stream.read_buf(&mut self.buffer).await.expect("a response");
            assert_ne!(read, 0, "the server closed the connection");
            let Some(end) = self.buffer.windows(4).position(|it| it == b"\r\n\r\n") else {
                continue;
            };
            let head = std::str::from_utf8(&self.buffer[..end]).expect("text");
            let header = |name: &str| {
                head.lines().find_map(|line| {
                    let (found, value) = line.split_once(": ")?;
                    found.eq_ignore_ascii_case(name).then_some(value)
                })
            };
            let length: usize =
                header("content-length").expect("a length").parse().expect("a number");
            self.body = end + 4;
            if self.buffer.len() < self.body + length {
                continue;
            }
            if let Some(cookie) = header("set-cookie") {
                self.cookie = cookie.split(';').next().map(str::to_owned);
            }
            return head[9..12].parse().expect("a status");
        }
    }

    /// The body of the last response.
    #[must_use]
    pub fn body(&self) -> &[u8] {
        &self.buffer[self.body..]
    }
}
