//! A browser for the tests of the examples: it keeps the session's cookie, and sends the credentials
//! that it is told to.
#![allow(dead_code, reason = "no example needs all of it")]

use actix_http::Request;
use actix_web::{
    Error,
    body::{BoxBody, MessageBody},
    cookie::Cookie,
    dev::{Service, ServiceResponse},
    http::{
        StatusCode,
        header::{HeaderMap, HeaderName},
    },
    test::{self, TestRequest},
};
use actix_web_httpauth::headers::authorization::{Authorization, Basic};
use futures_core::future::LocalBoxFuture;

/// A user-id and a password.
pub(crate) type Credentials = (&'static str, &'static str);

/// Opening a page.
pub(crate) fn page(path: &str) -> TestRequest {
    TestRequest::with_uri(path)
        .insert_header(("Accept", "text/html"))
        .insert_header(("Sec-Fetch-Site", "same-origin"))
        .insert_header(("Sec-Fetch-Mode", "navigate"))
}

/// A script's request.
pub(crate) fn fetch(path: &str) -> TestRequest {
    TestRequest::with_uri(path)
        .insert_header(("Accept", "application/json"))
        .insert_header(("Sec-Fetch-Site", "same-origin"))
        .insert_header(("Sec-Fetch-Mode", "cors"))
}

type App = dyn Fn(Request) -> LocalBoxFuture<'static, Result<ServiceResponse<BoxBody>, Error>>;

pub(crate) struct Browser {
    app: Box<App>,
    pub(crate) cookie: Option<Cookie<'static>>,
}

pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
}

impl Answer {
    /// A header's value, or nothing.
    pub(crate) fn header(&self, name: HeaderName) -> &str {
        self.headers.get(name).map_or("", |it| it.to_str().expect("text"))
    }
}

impl Browser {
    /// Before its first request.
    pub(crate) fn new<S, B>(app: S) -> Self
    where
        S: Service<Request, Response = ServiceResponse<B>, Error = Error> + 'static,
        S::Future: 'static,
        B: MessageBody + 'static,
    {
        let app = move |req| -> LocalBoxFuture<'static, _> {
            let answer = app.call(req);
            Box::pin(async move { answer.await.map(ServiceResponse::map_into_boxed_body) })
        };
        Self { app: Box::new(app), cookie: None }
    }

    pub(crate) async fn send(
        &mut self,
        mut req: TestRequest,
        credentials: Option<Credentials>,
    ) -> Answer {
        if let Some(cookie) = &self.cookie {
            req = req.cookie(cookie.clone());
        }
        if let Some((user_id, password)) = credentials {
            req = req.insert_header(Authorization::from(Basic::new(user_id, Some(password))));
        }
        let answer = (self.app)(req.to_request()).await.expect("an answer");
        if let Some(cookie) = answer.response().cookies().find(|it| it.name() == "id") {
            self.cookie = Some(cookie.into_owned());
        }
        let (status, headers) = (answer.status(), answer.headers().clone());
        let body = String::from_utf8(test::read_body(answer).await.to_vec()).expect("text");
        Answer { status, headers, body }
    }

    /// Opens a page, is asked, and types.
    pub(crate) async fn log_in(&mut self, path: &str, credentials: Credentials) -> Answer {
        let asked = self.send(page(path), None).await;
        assert_eq!(asked.status, 401, "{path}");
        let welcome = self.send(page(path), Some(credentials)).await;
        assert_eq!(welcome.status, 200, "{path}: {}", welcome.body);
        welcome
    }
}
