//! A site that is served without a network, and its visitors.

use std::net::SocketAddr;

use actix_http::Request;
use actix_web::{
    App, Error,
    body::MessageBody,
    cookie::Cookie,
    dev::{Service, ServiceFactory, ServiceRequest, ServiceResponse},
    http::{Method, StatusCode, header},
    rt::{System, SystemRunner},
    test::{TestRequest, init_service},
};
use base64::{Engine, prelude::BASE64_STANDARD};
use futures_core::future::LocalBoxFuture;
use futures_util::future::FutureExt;
use tokio::runtime::Handle;

pub type Answer = Result<ServiceResponse, Error>;

#[must_use]
pub fn status(answer: &Answer) -> StatusCode {
    match answer {
        Ok(response) => response.status(),
        Err(error) => error.as_response_error().status_code(),
    }
}

pub struct Site {
    serve: Box<dyn Fn(Request) -> LocalBoxFuture<'static, Answer>>,
    handle: Handle,
    _system: SystemRunner,
}

impl Site {
    pub(crate) fn new<T, B>(app: App<T>) -> Self
    where
        T: ServiceFactory<
                ServiceRequest,
                Config = (),
                Response = ServiceResponse<B>,
                Error = Error,
                InitError = (),
            > + 'static,
        B: MessageBody + 'static,
    {
        let system = System::new();
        let (service, handle) =
            system.block_on(async { (init_service(app).await, Handle::current()) });
        let serve = move |request| -> LocalBoxFuture<'static, Answer> {
            let answer = service.call(request);
            Box::pin(async move { Ok(answer.await?.map_into_boxed_body()) })
        };
        Self { serve: Box::new(serve), handle, _system: system }
    }

    /// Serves a request. The future is polled once, because no measured request waits for anything.
    ///
    /// # Panics
    ///
    /// If the response is not ready at once.
    pub fn serve(&self, request: Request) -> Answer {
        let _runtime = self.handle.enter();
        (self.serve)(request).now_or_never().expect("an answer at once")
    }

    /// Sends a request of this visitor, who keeps the cookie. Returns the status of the response.
    pub fn visit(&self, visitor: &mut Visitor, path: &str) -> StatusCode {
        let answer = self.serve(visitor.request(path));
        if let Ok(response) = &answer
            && let Some(value) = response.headers().get(header::SET_COOKIE)
        {
            let cookie = Cookie::parse(value.to_str().expect("text")).expect("a cookie");
            visitor.cookie = Some(format!("{}={}", cookie.name(), cookie.value()));
        }
        status(&answer)
    }
}

/// A client with a cookie jar.
#[derive(Clone)]
pub struct Visitor {
    headers: Vec<(&'static str, &'static str)>,
    credentials: Option<String>,
    pub(crate) cookie: Option<String>,
    method: Method,
    pub from: Option<SocketAddr>,
}

impl Visitor {
    fn new(headers: Vec<(&'static str, &'static str)>) -> Self {
        Self { headers, credentials: None, cookie: None, method: Method::GET, from: None }
    }

    #[must_use]
    pub fn browser() -> Self {
        let headers = vec![
            (
                "user-agent",
                "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
            ),
            ("accept", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"),
            ("accept-language", "en-US,en;q=0.5"),
            ("accept-encoding", "gzip, deflate, br, zstd"),
            ("sec-fetch-site", "none"),
            ("sec-fetch-mode", "navigate"),
            ("sec-fetch-dest", "document"),
        ];
        Self::new(headers)
    }

    #[must_use]
    pub fn non_browser() -> Self {
        let headers = vec![("user-agent", "curl/8.14.1"), ("accept", "*/*")];
        Self::new(headers)
    }

    /// The same visitor, with these credentials in each request.
    #[must_use]
    pub fn with(mut self, user_id: &str, password: &str) -> Self {
        let token = BASE64_STANDARD.encode(format!("{user_id}:{password}"));
        self.credentials = Some(format!("Basic {token}"));
        self
    }

    /// The same visitor, with this header in each request.
    #[must_use]
    pub fn header(mut self, name: &'static str, value: &'static str) -> Self {
        self.headers.retain(|(it, _)| *it != name);
        self.headers.push((name, value));
        self
    }

    /// The same visitor, with POST as the method.
    #[must_use]
    pub fn post(mut self) -> Self {
        self.method = Method::POST;
        self
    }

    /// Builds a request.
    ///
    /// # Panics
    ///
    /// If a header is invalid.
    #[must_use]
    pub fn request(&self, path: &str) -> Request {
        let mut request = TestRequest::with_uri(path)
            .method(self.method.clone())
            .insert_header(("host", "localhost:8080"));
        for header in &self.headers {
            request = request.insert_header(*header);
        }
        if let Some(credentials) = &self.credentials {
            request = request.insert_header((header::AUTHORIZATION, &**credentials));
        }
        if let Some(cookie) = &self.cookie {
            request = request.insert_header((header::COOKIE, &**cookie));
        }
        if let Some(from) = self.from {
            request = request.peer_addr(from);
        }
        request.to_request()
    }
}
