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
use tokio::{
    io::{AsyncRead, AsyncWrite, copy_bidirectional},
    net::TcpListener,
    sync::watch,
    task::JoinHandle,
};
use tokio_rustls::{
    TlsAcceptor,
    rustls::{ServerConfig, pki_types::PrivateKeyDer},
};

use crate::{
    http,
    log::{Answered, Exchange, Log},
    webdriver::WebDriver,
};

pub(crate) struct Proxy {
    /// Host and port, as the browser is to use them.
    pub(crate) address: String,
    pub(crate) record: Arc<Record>,
    scheme: &'static str,
    accepting: JoinHandle<()>,
}

impl Proxy {
    /// Speaks plain http to that host and port, and to the browser https if it is to.
    pub(crate) async fn start(target: &str, https: bool) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("a bound port").to_string();
        let record = Arc::<Record>::default();
        record.book().target = target.to_owned();
        let tls = https.then(tls);
        let accepting = tokio::spawn(accept(listener, tls, Arc::clone(&record)));
        let scheme = if https { "https" } else { "http" };
        Self { address, record, scheme, accepting }
    }

    /// What addresses begin with that name this host.
    pub(crate) fn origin(&self, host: &str) -> String {
        let (_, port) = self.address.rsplit_once(':').expect("host and port");
        format!("{}://{host}:{port}", self.scheme)
    }

    /// From now on requests go to that host and port.
    pub(crate) fn turn_to(&self, target: &str) {
        self.record.book().target = target.to_owned();
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

/// With a certificate that nobody has signed.
fn tls() -> TlsAcceptor {
    let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).expect("a certificate");
    let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).expect("a private key");
    let config = ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .expect("a certificate and its key");
    TlsAcceptor::from(Arc::new(config))
}

async fn accept(listener: TcpListener, tls: Option<TlsAcceptor>, record: Arc<Record>) {
    while let Ok((stream, _)) = listener.accept().await {
        let (tls, record) = (tls.clone(), Arc::clone(&record));
        tokio::spawn(async move {
            match tls {
                None => serve(stream, &record).await,
                // A browser does not have to like the certificate.
                Some(tls) => {
                    if let Ok(stream) = tls.accept(stream).await {
                        serve(stream, &record).await;
                    }
                }
            }
        });
    }
}

async fn serve(stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static, record: &Arc<Record>) {
    let service = service_fn(|request| pass_on(request, record));
    let connection = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
    // A browser may hang up whenever it likes.
    let _ = connection.with_upgrades().await;
}

async fn pass_on(
    request: Request<Incoming>,
    record: &Arc<Record>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let number = record.arrived(&request);
    let record = Arc::clone(record);
    // In a task of its own: what has reached the proxy reaches the server, even if the browser
    // has hung up meanwhile.
    let passing = tokio::spawn(async move {
        let path = request.uri().path().to_owned();
        record.wait(&path, Side::Request).await;
        let target = record.book().target.clone();
        let passed = if request.headers().contains_key(header::UPGRADE) {
            upgrade(request, &target).await
        } else {
            let (mut parts, body) = request.into_parts();
            let body = body.collect().await.map(|body| body.to_bytes()).unwrap_or_default();
            drop_hop_by_hop(&mut parts.headers);
            let passed = http::send(&target, Request::from_parts(parts, Full::new(body))).await;
            passed.map(|mut response| {
                drop_hop_by_hop(response.headers_mut());
                response
            })
        };
        let response = passed.unwrap_or_else(|error| {
            let mut response = Response::new(Bytes::from(error.to_string()));
            *response.status_mut() = StatusCode::BAD_GATEWAY;
            response
        });
        record.answered(number, &response);
        record.wait(&path, Side::Answer).await;
        if asks(&response) {
            record.catch_up().await;
        }
        response.map(Full::new)
    });
    Ok(passing.await.expect("passing on does not panic"))
}

/// A WebSocket's handshake. If the server agrees, what follows goes to and fro until an end hangs
/// up.
async fn upgrade(
    mut request: Request<Incoming>,
    target: &str,
) -> Result<Response<Bytes>, http::Error> {
    let browser = hyper::upgrade::on(&mut request);
    let mut response = http::begin(target, request.map(|_| Full::default())).await?;
    if response.status() != StatusCode::SWITCHING_PROTOCOLS {
        let (mut parts, body) = response.into_parts();
        drop_hop_by_hop(&mut parts.headers);
        return Ok(Response::from_parts(parts, body.collect().await?.to_bytes()));
    }
    let server = hyper::upgrade::on(&mut response);
    tokio::spawn(async move {
        if let (Ok(browser), Ok(server)) = (browser.await, server.await) {
            let (mut browser, mut server) = (TokioIo::new(browser), TokioIo::new(server));
            let _ = copy_bidirectional(&mut browser, &mut server).await;
        }
    });
    Ok(response.map(|_| Bytes::new()))
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
    target: String,
    /// The page's request, by method and path, whose dialog was just cancelled.
    cancelled: Option<(String, String)>,
    clock: u64,
    log: Log,
    gates: Vec<Gate>,
    /// Of the browser whose window hears of a challenge before it hears that the page's load has begun.
    behind: Option<Arc<WebDriver>>,
}

impl Record {
    fn book(&self) -> MutexGuard<'_, Book> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The dialog over the last page is cancelled now.
    pub(crate) fn cancelled(&self) {
        let mut book = self.book();
        let asks = |it: &&Exchange| it.navigation && it.answered.is_some_and(|it| it.asks);
        let last = book.log.0.iter().rev().find(asks);
        book.cancelled = last.map(|it| (it.method.clone(), it.path.clone()));
    }

    /// From now on no challenge overtakes what that browser's processes tell each other. In WebKitGTK
    /// the process that asked for a page says so to the one with the window, and closes whatever
    /// dialog is open there; the challenge comes from a third, and can be faster.
    pub(crate) fn ask_behind(&self, driver: &Arc<WebDriver>) {
        self.book().behind = Some(Arc::clone(driver));
    }

    async fn catch_up(&self) {
        let behind = self.book().behind.clone();
        if let Some(driver) = behind {
            // It goes to the page and comes back the same way, behind all that was said before.
            let _ = driver.evaluate("0").await;
        }
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
            session: text(headers, "cookie").is_some_and(|it| it.split("; ").any(is_session)),
            navigation: opens_a_page(headers),
            again: false,
            arrived: 0,
            answered: None,
        };
        let mut book = self.book();
        book.clock += 1;
        let arrived = book.clock;
        let request = (exchange.method.clone(), exchange.path.clone());
        let again = exchange.navigation && book.cancelled.take() == Some(request);
        let navigation = exchange.navigation && !again;
        book.log.0.push(Exchange { arrived, navigation, again, ..exchange });
        book.log.0.len() - 1
    }

    fn answered<B>(&self, number: usize, response: &Response<B>) {
        let asks = asks(response);
        let mut book = self.book();
        book.clock += 1;
        let answered = Answered { at: book.clock, status: response.status().as_u16(), asks };
        book.log.0[number].answered = Some(answered);
    }
}

fn asks<B>(response: &Response<B>) -> bool {
    text(response.headers(), "www-authenticate")
        .is_some_and(|it| it.to_ascii_lowercase().starts_with("basic "))
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

fn is_session(cookie: &str) -> bool {
    cookie.split_once('=').is_some_and(|(name, _)| ["id", "__Host-id"].contains(&name))
}

/// Off localhost, plain http comes without `Sec-Fetch-Mode`. Then a page is told by this header,
/// which the crate does not look at.
fn opens_a_page(headers: &HeaderMap) -> bool {
    match text(headers, "sec-fetch-mode") {
        Some(mode) => mode == "navigate",
        None => headers.contains_key(header::UPGRADE_INSECURE_REQUESTS),
    }
}

fn user_of(headers: &HeaderMap) -> Option<String> {
    let (scheme, credentials) = text(headers, "authorization")?.split_once(' ')?;
    assert_eq!(scheme, "Basic", "the only scheme that these browsers were asked for");
    let credentials = BASE64_STANDARD.decode(credentials).expect("base64");
    let user = credentials.split(|byte| *byte == b':').next().unwrap_or_default();
    Some(String::from_utf8_lossy(user).into_owned())
}
