//! A reverse proxy that forwards requests and responses unchanged and records them.

use std::{
    convert::Infallible,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use base64::{Engine, prelude::BASE64_STANDARD};
use http_body_util::{BodyExt, Full};
use hyper::{
    HeaderMap, Method, Request, Response, StatusCode,
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
    log::{Exchange, Log, LoggedResponse},
    webdriver::WebDriver,
};

/// A proxy between a browser and a server. It stops accepting connections when it is dropped.
pub(crate) struct Proxy {
    /// Host and port on which the proxy listens.
    pub(crate) address: String,
    pub(crate) recorder: Arc<Recorder>,
    scheme: &'static str,
    accepting: JoinHandle<()>,
}

impl Proxy {
    /// Starts a proxy for the server at `target` (host and port). It uses plain HTTP with the
    /// server, and HTTPS with the browser if `https` is set.
    pub(crate) async fn start(target: &str, https: bool) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("a bound port").to_string();
        let recorder = Arc::<Recorder>::default();
        recorder.lock().target = target.to_owned();
        recorder.lock().is_https = https;
        let tls = https.then(tls);
        let accepting = tokio::spawn(accept(listener, tls, Arc::clone(&recorder)));
        let scheme = if https { "https" } else { "http" };
        Self { address, recorder, scheme, accepting }
    }

    /// The origin of URLs that use this host name.
    pub(crate) fn origin(&self, host: &str) -> String {
        let (_, port) = self.address.rsplit_once(':').expect("host and port");
        format!("{}://{host}:{port}", self.scheme)
    }

    /// Forwards all further requests to this host and port.
    pub(crate) fn set_target(&self, target: &str) {
        self.recorder.lock().target = target.to_owned();
    }

    pub(crate) fn log(&self) -> Log {
        let state = self.recorder.lock();
        assert_eq!(state.unlike_a_browser, [""; 0], "the crate would take them for programs");
        state.log.clone()
    }

    /// Holds back further requests for that path until the guard is dropped.
    pub(crate) fn hold_requests(&self, path: &str) -> HoldGuard {
        self.recorder.hold(Some(path), Direction::Request)
    }

    /// Holds back further responses to requests for that path until the guard is dropped.
    pub(crate) fn hold_responses(&self, path: &str) -> HoldGuard {
        self.recorder.hold(Some(path), Direction::Response)
    }

    /// The current tick of the log's clock.
    pub(crate) fn now(&self) -> u64 {
        self.recorder.lock().clock
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

/// Holds back requests or responses until it is dropped.
#[must_use = "dropping the guard releases everything that it holds back"]
pub struct HoldGuard(
    #[expect(dead_code, reason = "the receivers notice when it is dropped")] watch::Sender<()>,
);

struct Gate {
    /// The path that this gate is closed for; `None` closes it for every path.
    path: Option<String>,
    direction: Direction,
    /// Reports an error when the guard is dropped, which opens the gate.
    open: watch::Receiver<()>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Direction {
    Request,
    Response,
}

/// Accepts TLS with a self-signed certificate.
fn tls() -> TlsAcceptor {
    let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).expect("a certificate");
    let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).expect("a private key");
    let config = ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .expect("a certificate and its key");
    TlsAcceptor::from(Arc::new(config))
}

async fn accept(listener: TcpListener, tls: Option<TlsAcceptor>, recorder: Arc<Recorder>) {
    while let Ok((stream, _)) = listener.accept().await {
        let (tls, recorder) = (tls.clone(), Arc::clone(&recorder));
        tokio::spawn(async move {
            match tls {
                None => serve(stream, &recorder).await,
                // A failed handshake is ignored: the browser may reject the certificate.
                Some(tls) => {
                    if let Ok(stream) = tls.accept(stream).await {
                        serve(stream, &recorder).await;
                    }
                }
            }
        });
    }
}

async fn serve(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    recorder: &Arc<Recorder>,
) {
    let service = service_fn(|request| forward(request, recorder));
    let connection = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
    // An error is ignored: the browser may close the connection at any time.
    let _ = connection.with_upgrades().await;
}

async fn forward(
    request: Request<Incoming>,
    recorder: &Arc<Recorder>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let number = recorder.arrived(&request);
    let recorder = Arc::clone(recorder);
    // A separate task, so that a request that has reached the proxy also reaches the server when
    // the browser closes the connection.
    let forwarding = tokio::spawn(async move {
        let path = request.uri().path().to_owned();
        recorder.wait(&path, Direction::Request).await;
        let target = recorder.lock().target.clone();
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
        recorder.record_response(number, &response);
        recorder.wait(&path, Direction::Response).await;
        if has_challenge(&response) {
            recorder.sync_challenge().await;
        }
        response.map(Full::new)
    });
    Ok(forwarding.await.expect("forwarding does not panic"))
}

/// Forwards a WebSocket handshake. If the server accepts it, copies bytes in both directions until
/// either side closes its connection.
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

/// The log of a proxy, and the gates that hold back its traffic.
#[derive(Default)]
pub(crate) struct Recorder(Mutex<State>);

#[derive(Default)]
struct State {
    target: String,
    /// Method and path of the navigation whose dialog the user has just cancelled.
    cancelled: Option<(String, String)>,
    /// Increases by one with each request and each response.
    clock: u64,
    log: Log,
    is_https: bool,
    /// Requests over plain HTTP without the headers by which the crate recognizes a browser there.
    unlike_a_browser: Vec<String>,
    gates: Vec<Gate>,
    /// The driver that [`sync_challenge`](Recorder::sync_challenge) waits for, if the browser is
    /// WebKitGTK.
    webkit: Option<Arc<WebDriver>>,
}

impl Recorder {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Records that the user cancels the dialog of the last navigation that was challenged.
    pub(crate) fn dialog_cancelled(&self) {
        let mut state = self.lock();
        let was_challenged =
            |it: &&Exchange| it.navigation && it.response.is_some_and(|it| it.has_challenge);
        let last = state.log.0.iter().rev().find(was_challenged);
        state.cancelled = last.map(|it| (it.method.clone(), it.path.clone()));
    }

    /// Delays further challenges until this browser has processed earlier messages between its
    /// processes. In WebKitGTK the web process reports to the UI process that a page load has
    /// begun, and this closes any open dialog. The challenge comes from the network process and can
    /// arrive first; its dialog would then be closed at once.
    pub(crate) fn sync_challenges_with(&self, driver: &Arc<WebDriver>) {
        self.lock().webkit = Some(Arc::clone(driver));
    }

    /// Waits until WebKitGTK's processes have exchanged all earlier messages.
    async fn sync_challenge(&self) {
        let webkit = self.lock().webkit.clone();
        if let Some(driver) = webkit {
            // The command passes through the web process and back to the UI process, in order after
            // all earlier messages.
            let _ = driver.evaluate("0").await;
        }
    }

    /// Holds back all further requests until the guard is dropped.
    pub(crate) fn hold_all(&self) -> HoldGuard {
        self.hold(None, Direction::Request)
    }

    /// Closes a gate for this path, or for all paths.
    fn hold(&self, path: Option<&str>, direction: Direction) -> HoldGuard {
        let (sender, receiver) = watch::channel(());
        let path = path.map(ToOwned::to_owned);
        self.lock().gates.push(Gate { path, direction, open: receiver });
        HoldGuard(sender)
    }

    /// Waits until every gate for this path and direction is open.
    async fn wait(&self, path: &str, direction: Direction) {
        let gates: Vec<_> = {
            let state = self.lock();
            let stops = |it: &&Gate| {
                it.direction == direction && it.path.as_ref().is_none_or(|closed| closed == path)
            };
            let closed = state.gates.iter().filter(stops);
            closed.map(|it| it.open.clone()).collect()
        };
        for mut gate in gates {
            // The gate opens with an error, when the guard has dropped the sender.
            while gate.changed().await.is_ok() {}
        }
    }

    /// Adds a request to the log and returns its index there.
    fn arrived<B>(&self, request: &Request<B>) -> usize {
        let headers = request.headers();
        let exchange = Exchange {
            method: request.method().to_string(),
            path: request.uri().path().to_owned(),
            user: user_of(headers),
            session: text(headers, "cookie").is_some_and(|it| it.split("; ").any(is_session)),
            navigation: is_navigation(headers),
            repeated: false,
            arrived: 0,
            response: None,
        };
        let mut state = self.lock();
        if !state.is_https && !is_like_a_browser(request) {
            state
                .unlike_a_browser
                .push(format!("{} {} {headers:?}", exchange.method, exchange.path));
        }
        state.clock += 1;
        let arrived = state.clock;
        let request = (exchange.method.clone(), exchange.path.clone());
        let repeated = exchange.navigation && state.cancelled.take() == Some(request);
        let navigation = exchange.navigation && !repeated;
        state.log.0.push(Exchange { arrived, navigation, repeated, ..exchange });
        state.log.0.len() - 1
    }

    fn record_response<B>(&self, number: usize, response: &Response<B>) {
        let has_challenge = has_challenge(response);
        let mut state = self.lock();
        state.clock += 1;
        let logged =
            LoggedResponse { at: state.clock, status: response.status().as_u16(), has_challenge };
        state.log.0[number].response = Some(logged);
    }
}

/// Whether the response carries a Basic challenge.
fn has_challenge<B>(response: &Response<B>) -> bool {
    text(response.headers(), "www-authenticate")
        .is_some_and(|it| it.to_ascii_lowercase().starts_with("basic "))
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

fn is_session(cookie: &str) -> bool {
    cookie.split_once('=').is_some_and(|(name, _)| ["id", "__Host-id"].contains(&name))
}

/// Whether the request is a navigation.
///
/// Browsers send no `Sec-Fetch-Mode` over plain HTTP except to localhost. In this case the function
/// looks at `Upgrade-Insecure-Requests`.
fn is_navigation(headers: &HeaderMap) -> bool {
    match text(headers, "sec-fetch-mode") {
        Some(mode) => mode == "navigate",
        None => headers.contains_key(header::UPGRADE_INSECURE_REQUESTS),
    }
}

/// Whether the request has the headers by which the crate recognizes a browser on plain HTTP: a navigation
/// has `Upgrade-Insecure-Requests`, and the handshake of a WebSocket has `Origin`. Everything else has
/// `Accept-Language`.
fn is_like_a_browser<B>(request: &Request<B>) -> bool {
    let headers = request.headers();
    let has = |name| headers.contains_key(name);
    if text(headers, "sec-fetch-mode") == Some("navigate") {
        return has(header::UPGRADE_INSECURE_REQUESTS);
    }
    has(header::UPGRADE_INSECURE_REQUESTS)
        || has(header::ACCEPT_LANGUAGE)
        || (has(header::UPGRADE) && has(header::ORIGIN))
        || request.method() == Method::OPTIONS
}

/// The user-id in the `Authorization` header.
fn user_of(headers: &HeaderMap) -> Option<String> {
    let (scheme, credentials) = text(headers, "authorization")?.split_once(' ')?;
    assert_eq!(scheme, "Basic", "the server offers no other scheme");
    let credentials = BASE64_STANDARD.decode(credentials).expect("base64");
    let user = credentials.split(|byte| *byte == b':').next().unwrap_or_default();
    Some(String::from_utf8_lossy(user).into_owned())
}
