//! A `WebSocket` and server-sent events behind the login. Both end when the login ends.
//!
//! Run `cargo run --example websocket`, open the printed address in two tabs (alice, password
//! wonderland), and log out in one of them. `ADDR` sets the address (default `127.0.0.1:8080`).

use std::{
    convert::Infallible,
    env,
    io::{self, Write},
    pin::pin,
    time::{Duration, Instant},
};

use actix_basic_logout::{BasicLogin, User};
use actix_session::{SessionMiddleware, storage::CookieSessionStore};
use actix_web::{
    App, Error, HttpRequest, HttpResponse, HttpServer, cookie::Key, http::header, rt, web,
};
use actix_web_httpauth::extractors::basic::BasicAuth;
use actix_ws::{CloseCode, CloseReason, Message};
use futures_util::{StreamExt, stream};
use tokio::time::interval;

const TICK: Duration = Duration::from_millis(500);

fn realm(name: &str) -> Result<BasicLogin, actix_basic_logout::ConfigError> {
    let users = async |_: &HttpRequest, credentials: &BasicAuth| {
        Ok(credentials.user_id() == "alice" && credentials.password() == Some("wonderland"))
    };
    BasicLogin::builder(name, users)
        .landing_path("/live/")
        // Safari sends no credentials with a `WebSocket`, so the session alone must suffice there.
        .allow_session_only(|req| req.path() == "/live/socket")
        .build()
}

fn routes(login: BasicLogin) -> impl FnOnce(&mut web::ServiceConfig) {
    move |config| {
        let live = web::scope("/live")
            .wrap(login.clone())
            .route("/", web::get().to(page))
            .route("/socket", web::get().to(socket))
            .route("/events", web::get().to(events));
        config
            .service(web::redirect("/", "/live/"))
            .service(live)
            .route("/logout", web::post().to(login.logout()));
    }
}

async fn page(_: User) -> HttpResponse {
    HttpResponse::Ok()
        .content_type("text/html; charset=utf-8")
        .body(include_str!("websocket/page.html"))
}

/// The message that both connections send.
fn status(user: &User, begun: Instant) -> String {
    format!("{}, for {:.1} s", user.id(), begun.elapsed().as_secs_f32())
}

async fn socket(req: HttpRequest, body: web::Payload, user: User) -> Result<HttpResponse, Error> {
    let (response, mut session, mut messages) = actix_ws::handle(&req, body)?;
    rt::spawn(async move {
        let (mut ended, mut ticks) = (pin!(user.ended()), interval(TICK));
        let begun = Instant::now();
        let reason = loop {
            tokio::select! {
                () = &mut ended => {
                    let description = Some("you are logged out".to_owned());
                    break Some(CloseReason { code: CloseCode::Policy, description });
                }
                _ = ticks.tick() => {
                    if session.text(status(&user, begun)).await.is_err() {
                        break None;
                    }
                }
                message = messages.recv() => match message {
                    Some(Ok(Message::Ping(bytes))) => {
                        if session.pong(&bytes).await.is_err() {
                            break None;
                        }
                    }
                    Some(Ok(Message::Close(reason))) => break reason,
                    Some(Ok(_)) => {}
                    Some(Err(_)) | None => break None,
                }
            }
        };
        // An error means that the client has already disconnected.
        let _ = session.close(reason).await;
    });
    Ok(response)
}

async fn events(user: User) -> HttpResponse {
    let (ended, begun) = (Box::pin(user.ended()), Instant::now());
    let ticks = stream::unfold((user, interval(TICK)), move |(user, mut ticks)| async move {
        ticks.tick().await;
        let event = format!("data: {}\n\n", status(&user, begun));
        Some((Ok::<_, Infallible>(web::Bytes::from(event)), (user, ticks)))
    });
    HttpResponse::Ok()
        .insert_header((header::CONTENT_TYPE, "text/event-stream"))
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .streaming(Box::pin(ticks).take_until(ended))
}

fn session(key: &Key) -> SessionMiddleware<CookieSessionStore> {
    SessionMiddleware::builder(CookieSessionStore::default(), key.clone())
        .cookie_secure(false) // only for plain http; remove this line for https
        .build()
}

#[actix_web::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let address = env::var("ADDR").unwrap_or_else(|_| "127.0.0.1:8080".to_owned());
    let (login, key) = (realm("Live")?, Key::generate());
    let server =
        HttpServer::new(move || App::new().configure(routes(login.clone())).wrap(session(&key)))
            .bind(&address)?;
    let mut output = io::stdout();
    for address in server.addrs() {
        writeln!(output, "http://{address}/  user: alice / wonderland")?;
    }
    Ok(server.run().await?)
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use base64::{Engine, prelude::BASE64_STANDARD};
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::TcpStream,
        time::timeout,
    };
    use tokio_tungstenite::{
        WebSocketStream, client_async,
        tungstenite::{Message, client::IntoClientRequest, protocol::frame::coding::CloseCode},
    };

    use super::*;

    const LIMIT: Duration = Duration::from_secs(30);

    /// Serves the application on a free port. Returns the address and the realm. Each test needs
    /// another name, because realms with the same name in one process share their revocations.
    fn serve(name: &str) -> (SocketAddr, BasicLogin) {
        let (login, key) = (realm(name).expect("a realm"), Key::from(&[7; 64]));
        let for_app = login.clone();
        let server = HttpServer::new(move || {
            App::new().configure(routes(for_app.clone())).wrap(session(&key))
        });
        let server = server.workers(1).disable_signals().bind("127.0.0.1:0").expect("a port");
        let address = server.addrs()[0];
        rt::spawn(server.run());
        (address, login)
    }

    fn alice() -> String {
        format!("Authorization: Basic {}\r\n", BASE64_STANDARD.encode("alice:wonderland"))
    }

    /// Sends a browser's request. Returns the head of the response, and the connection for its
    /// body.
    async fn begin(address: SocketAddr, line: &str, headers: &str) -> (String, TcpStream) {
        let mut stream = TcpStream::connect(address).await.expect("a connection");
        let request = format!(
            "{line} HTTP/1.1\r\nHost: {address}\r\nUser-Agent: Mozilla/5.0\r\nUpgrade-Insecure-Requests: 1\r\n\
             Connection: close\r\nContent-Length: 0\r\n{headers}\r\n"
        );
        stream.write_all(request.as_bytes()).await.expect("a request");
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(stream.read_u8().await.expect("an answer"));
        }
        (String::from_utf8(head).expect("text"), stream)
    }

    fn cookie(head: &str) -> String {
        let line = head.lines().find(|line| line.starts_with("set-cookie: ")).expect("a cookie");
        line["set-".len()..].split(';').next().expect("a value").to_owned() + "\r\n"
    }

    async fn log_in(address: SocketAddr) -> String {
        let (asked, _) = begin(address, "GET /live/", "").await;
        assert!(asked.starts_with("HTTP/1.1 401"), "{asked}");
        let headers = cookie(&asked) + &alice();
        let (welcome, _) = begin(address, "GET /live/", &headers).await;
        assert!(welcome.starts_with("HTTP/1.1 200"), "{welcome}");
        cookie(&welcome)
    }

    /// Opens the socket as Safari does, without credentials.
    async fn open(
        address: SocketAddr,
        cookie: &str,
    ) -> Result<WebSocketStream<TcpStream>, tokio_tungstenite::tungstenite::Error> {
        let url = format!("ws://{address}/live/socket");
        let mut request = url.into_client_request().expect("a request");
        let origin = format!("http://{address}");
        for (name, value) in [
            ("User-Agent", "Mozilla/5.0"),
            ("Origin", origin.as_str()),
            ("Cookie", cookie.trim().trim_start_matches("cookie: ")),
        ] {
            request.headers_mut().insert(name, value.parse().expect("a value"));
        }
        let stream = TcpStream::connect(address).await.expect("a connection");
        Ok(client_async(request, stream).await?.0)
    }

    #[actix_web::test]
    async fn logout_closes_an_open_websocket_with_a_reason() {
        let (address, _) = serve("Logout");
        let cookie = log_in(address).await;
        let mut socket = open(address, &cookie).await.expect("a socket");
        let first = timeout(LIMIT, socket.next()).await.expect("in time");
        let Some(Ok(Message::Text(text))) = first else { panic!("{first:?}") };
        assert!(text.starts_with("alice, for 0"), "{text}");

        let (out, _) = begin(address, "POST /logout", &(cookie.clone() + &alice())).await;
        assert!(out.starts_with("HTTP/1.1 401"), "{out}");
        let frame = loop {
            match timeout(LIMIT, socket.next()).await.expect("in time") {
                Some(Ok(Message::Text(_))) => {}
                Some(Ok(Message::Close(frame))) => break frame.expect("a reason"),
                other => panic!("{other:?}"),
            }
        };
        assert_eq!((frame.code, &*frame.reason), (CloseCode::Policy, "you are logged out"));
        assert!(open(address, &cookie).await.is_err(), "a new socket is refused");
    }

    #[actix_web::test]
    async fn revocation_ends_an_event_stream() {
        let (address, login) = serve("Revocation");
        let headers = log_in(address).await + &alice();
        let (head, mut stream) = begin(address, "GET /live/events", &headers).await;
        assert!(head.starts_with("HTTP/1.1 200"), "{head}");
        let mut first = [0; 64];
        let length = stream.read(&mut first).await.expect("an event");
        assert!(first[..length].windows(9).any(|it| it == b"data: ali"));

        login.revoke_user("alice").await.expect("revoked");
        let mut rest = Vec::new();
        timeout(LIMIT, stream.read_to_end(&mut rest)).await.expect("it ends").expect("well");
        assert!(rest.ends_with(b"0\r\n\r\n"), "the response is complete");
    }

    #[actix_web::test]
    async fn websocket_and_event_stream_require_a_login() {
        let (address, _) = serve("Nobody");
        assert!(open(address, "id=nothing").await.is_err());
        let (head, _) = begin(address, "GET /live/events", "").await;
        assert!(head.starts_with("HTTP/1.1 401"), "{head}");
    }
}
