use actix_web::{
    Error,
    body::{BoxBody, to_bytes},
    dev::ServiceResponse,
    http::{
        StatusCode,
        header::{AsHeaderName, HeaderMap},
    },
    web::Bytes,
};

/// The response that a [`Browser`](super::Browser) shows, with its complete body.
#[derive(Debug)]
pub struct Response {
    status: StatusCode,
    headers: HeaderMap,
    body: Bytes,
    text: String,
    pub(super) dialogs: usize,
    pub(super) sent_credentials: bool,
}

impl Response {
    /// Reads a response and its body. An error becomes the response that the server of actix-web
    /// would send.
    pub(super) async fn read(response: Result<ServiceResponse<BoxBody>, Error>) -> Self {
        let response = match response {
            Ok(response) => response.into_parts().1,
            Err(error) => error.error_response(),
        };
        let (status, headers) = (response.status(), response.headers().clone());
        let body = to_bytes(response.into_body()).await;
        #[expect(clippy::panic, reason = "a failed test panics")]
        let body =
            body.unwrap_or_else(|error| panic!("the body of the response cannot be read: {error}"));
        let text = String::from_utf8_lossy(&body).into_owned();
        Self { status, headers, body, text, dialogs: 0, sent_credentials: false }
    }

    /// The status code.
    ///
    /// ```
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/guide/browser.rs"));
    /// # #[actix_web::main]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let login = BasicLogin::builder("Admin area", users).build()?;
    /// let mut browser = browser(&login).await;
    /// assert_eq!(browser.open("/admin/").await.status(), 401);
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub const fn status(&self) -> StatusCode {
        self.status
    }

    /// All headers.
    ///
    /// ```
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/guide/browser.rs"));
    /// # #[actix_web::main]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let login = BasicLogin::builder("Admin area", users).build()?;
    /// let mut browser = browser(&login).await;
    /// let page = browser.open("/admin/").await;
    /// assert!(page.headers().contains_key("WWW-Authenticate"));
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub const fn headers(&self) -> &HeaderMap {
        &self.headers
    }

    /// The value of the first header with a name, if it is text.
    ///
    /// ```
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/guide/browser.rs"));
    /// # #[actix_web::main]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let login = BasicLogin::builder("Admin area", users).build()?;
    /// let mut browser = browser(&login).await;
    /// let data = browser.fetch("/admin/").await;
    /// let challenge = r#"xBasic realm="Admin area", charset="UTF-8""#;
    /// assert_eq!(data.header("WWW-Authenticate"), Some(challenge));
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn header(&self, name: impl AsHeaderName) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// The body as text. Invalid UTF-8 is replaced by U+FFFD.
    ///
    /// ```
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/guide/browser.rs"));
    /// # #[actix_web::main]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let login = BasicLogin::builder("Admin area", users).build()?;
    /// let mut browser = browser(&login).await;
    /// let page = browser.log_in("/admin/", "alice", "wonderland").await;
    /// assert_eq!(page.text(), "Hello, alice");
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The body.
    ///
    /// ```
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/guide/browser.rs"));
    /// # #[actix_web::main]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let login = BasicLogin::builder("Admin area", users).build()?;
    /// let mut browser = browser(&login).await;
    /// let page = browser.log_in("/admin/", "alice", "wonderland").await;
    /// assert_eq!(page.body(), "Hello, alice");
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub const fn body(&self) -> &Bytes {
        &self.body
    }

    /// The number of dialogs that opened before the browser showed this response.
    ///
    /// ```
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/guide/browser.rs"));
    /// # #[actix_web::main]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let login = BasicLogin::builder("Admin area", users).build()?;
    /// let mut browser = browser(&login).await;
    /// assert_eq!(browser.open("/admin/").await.dialogs(), 1);
    /// assert_eq!(browser.fetch("/admin/").await.dialogs(), 0);
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub const fn dialogs(&self) -> usize {
        self.dialogs
    }

    /// Whether the request of this response carried credentials. If the browser repeated the
    /// request, its last repetition counts.
    ///
    /// ```
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/guide/browser.rs"));
    /// # #[actix_web::main]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let login = BasicLogin::builder("Admin area", users).build()?;
    /// let mut browser = browser(&login).await;
    /// browser.log_in("/admin/", "alice", "wonderland").await;
    /// assert!(browser.open("/admin/").await.sent_credentials());
    /// assert!(!browser.open("/").await.sent_credentials());
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub const fn sent_credentials(&self) -> bool {
        self.sent_credentials
    }
}
