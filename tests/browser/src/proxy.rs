//! A reverse proxy that passes everything on untouched and writes it down.

use std::{
    convert::Infallible,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use base64::{Engine, prelude::BASE64_STANDARD};
use http_body_util::{BodyExt, Full};
use hyper::{
    HeaderMap, Request, Response, StatusCode,
    body::{Bytes, Incoming},
    header,
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::TokioIo;
use tokio::{net::TcpListener, sync::watch, task::JoinHandle};

use crate::{
    http,
    log::{Answered, Exchange, Log},
};

pub(crate) struct Proxy {
    /// Host and port, as the browser is to use them.
    pub(crate) address: String,
    pub(crate) record: Arc<Record>,
    accepting: JoinHandle<()>,
}

impl Proxy {
    pub(crate) async fn start(target: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("a bound port").to_string();
        let record = Arc::<Record>::default();
        let accepting = tokio::spawn(accept(listener, target.to_owned(), Arc::clone(&record)));
        Self { address, record, accepting }
    }

    pub(crate) fn log(&self) -> Log {
        self.record.book().log.clone()
    }

    /// From now on requests for that path wait here.
    pub(crate) fn hold_requests(&self, path: &str) -> Hold {
        self.record.hold(Some(path), Side::Request)
    }

    /// From now on the answers to requests for that path wait here.
    pub(crate) fn hold_answers(&self, path: &str) -> Hold {
        self.record.hold(Some(path), Side::Answer)
    }

    /// Where the clock of the log stands.
    pub(crate) fn now(&self) -> u64 {
        self.record.book().clock
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

/// Keeps what is held back until it is dropped.
#[must_use = "what is held back goes on as soon as this is dropped"]
pub struct Hold(#[expect(dead_code, reason = "those who wait see its end")] watch::Sender<()>);

struct Gate {
    /// Of those that it is closed to; all, if there is none.
    path: Option<String>,
    side: Side,
    open: watch::Receiver<()>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Side {
    Request,
    Answer,
}

async fn accept(listener: TcpListener, target: String, record: Arc<Record>) {
    while let Ok((stream, _)) = listener.accept().await {
        let (target, record) = (target.clone(), Arc::clone(&record));
        tokio::spawn(async move {
            let service = service_fn(|request| pass_on(request, &target, &record));
            // A browser may hang up whenever it likes.
            let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
        });
    }
}

async fn pass_on(
    request: Request<Incoming>,
    target: &str,
    record: &Arc<Record>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let number = record.arrived(&request);
    let (target, record) = (target.to_owned(), Arc::clone(record));
    // In a task of its own: what has reached the proxy reaches the server, even if the browser
    // has hung up meanwhile.
    let passing = tokio::spawn(async move {
        let (mut parts, body) = request.into_parts();
        let body = body.collect().await.map(|body| body.to_bytes()).unwrap_or_default();
        drop_hop_by_hop(&mut parts.headers);
        let path = parts.uri.path().to_owned();
        record.wait(&path, Side::Request).await;
        let request = Request::from_parts(parts, Full::new(body));
        let mut response = http::send(&target, request).await.unwrap_or_else(|error| {
            let mut response = Response::new(Bytes::from(error.to_string()));
            *response.status_mut() = StatusCode::BAD_GATEWAY;
            response
        });
        drop_hop_by_hop(response.headers_mut());
        record.answered(number, &response);
        record.wait(&path, Side::Answer).await;
        response.map(Full::new)
    });
    Ok(passing.await.expect("passing on does not panic"))
}

fn drop_hop_by_hop(headers: &mut HeaderMap) {
    for name in [header::CONNECTION, header::TRANSFER_ENCODING] {
        headers.remove(name);
    }
}

#[derive(Default)]
pub(crate) struct Record(Mutex<Book>);

#[derive(Default)]
struct Book {
    clock: u64,
    log: Log,
    gates: Vec<Gate>,
}

impl Record {
    fn book(&self) -> MutexGuard<'_, Book> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// From now on nothing reaches the server.
    pub(crate) fn hold_all(&self) -> Hold {
        self.hold(None, Side::Request)
    }

    fn hold(&self, path: Option<&str>, side: Side) -> Hold {
        let (sender, receiver) = watch::channel(());
        let path = path.map(ToOwned::to_owned);
        self.book().gates.push(Gate { path, side, open: receiver });
        Hold(sender)
    }

    async fn wait(&self, path: &str, side: Side) {
        let gates: Vec<_> = {
            let book = self.book();
            let stops = |it: &&Gate| {
                it.side == side && it.path.as_ref().is_none_or(|closed| closed == path)
            };
            let closed = book.gates.iter().filter(stops);
            closed.map(|it| it.open.clone()).collect()
        };
        for mut gate in gates {
            // An error is what opens it: the other end is gone.
            while gate.changed().await.is_ok() {}
        }
    }

    fn arrived<B>(&self, request: &Request<B>) -> usize {
        let headers = request.headers();
        let exchange = Exchange {
            method: request.method().to_string(),
            path: request.uri().path().to_owned(),
            user: user_of(headers),
            session: text(headers, "cookie")
                .is_some_and(|it| it.split("; ").any(|pair| pair.starts_with("id="))),
            navigation: text(headers, "sec-fetch-mode") == Some("navigate"),
            arrived: 0,
            answered: None,
        };
        let mut book = self.book();
        book.clock += 1;
        let arrived = book.clock;
        book.log.0.push(Exchange { arrived, ..exchange });
        book.log.0.len() - 1
    }

    fn answered<B>(&self, number: usize, response: &Response<B>) {
        let asks = text(response.headers(), "www-authenticate")
            .is_some_and(|it| it.to_ascii_lowercase().starts_with("basic "));
        let mut book = self.book();
        book.clock += 1;
        let answered = Answered { at: book.clock, status: response.status().as_u16(), asks };
        book.log.0[number].answered = Some(answered);
    }
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

fn user_of(headers: &HeaderMap) -> Option<String> {
    let (scheme, credentials) = text(headers, "authorization")?.split_once(' ')?;
    assert_eq!(scheme, "Basic", "the only scheme that these browsers were asked for");
    let credentials = BASE64_STANDARD.decode(credentials).expect("base64");
    let user = credentials.split(|byte| *byte == b':').next().unwrap_or_default();
    Some(String::from_utf8_lossy(user).into_owned())
}
