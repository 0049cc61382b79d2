//! A site with features that the demo lacks: a second realm, pages with many subresources, streams,
//! and server-side sessions.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError, mpsc},
    thread::{self, JoinHandle},
};

use actix_basic_logout::{BasicLogin, BasicLoginBuilder, LogoutResponse, LogoutScope, User};
use actix_session::{
    SessionMiddleware,
    storage::{LoadError, SaveError, SessionKey, SessionStore, UpdateError},
};
use actix_web::{
    App, Error, HttpRequest, HttpResponse, HttpServer,
    cookie::{Key, time::Duration},
    dev::ServerHandle,
    error::ErrorBadRequest,
    http::header,
    middleware::{Condition, DefaultHeaders},
    rt::System,
    web::{self, Bytes},
};
use actix_web_httpauth::extractors::basic::BasicAuth;
use futures_util::{StreamExt, stream};
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

/// Configuration of a site.
#[derive(Clone, Debug, Default)]
pub struct Site {
    /// Protects every path, not only those below `/admin/`.
    pub protect_all: bool,
    pub logout_response: LogoutResponse,
    pub logout_scope: LogoutScope,
    /// Whether the proxy in front of the site uses HTTPS. The site itself marks its cookie `Secure`
    /// and gives it a `__Host-` name.
    pub https: bool,
    /// Alice is also a user of the vault realm, with the same password.
    pub shared_user: bool,
    /// The `Content-Security-Policy` of every response.
    pub csp: Option<String>,
    /// The WebSocket needs only the session, no credentials (`allow_session_only`).
    pub session_only_socket: bool,
}

/// A running site. It listens on a free port until this is dropped.
pub(crate) struct RunningSite {
    /// Host and port.
    pub(crate) address: String,
    sessions: Sessions,
    server: ServerHandle,
    thread: Option<JoinHandle<()>>,
}

impl RunningSite {
    pub(crate) fn start(site: Site) -> Self {
        let sessions = Sessions::default();
        let kept = sessions.clone();
        let (sender, receiver) = mpsc::channel();
        let thread = thread::spawn(move || {
            System::new().block_on(async move {
                let (admin, vault, key) = (site.admin(), site.vault(), Key::generate());
                let server = HttpServer::new(move || {
                    let session = SessionMiddleware::builder(kept.clone(), key.clone())
                        .cookie_name(site.cookie().to_owned())
                        .cookie_secure(site.https)
                        .build();
                    let mut headers = DefaultHeaders::new();
                    if let Some(csp) = &site.csp {
                        headers = headers.add((header::CONTENT_SECURITY_POLICY, csp.as_str()));
                    }
                    App::new()
                        .route("/", web::get().to(home))
                        .route("/gallery", web::get().to(public_gallery))
                        .route("/favicon.ico", web::get().to(picture))
                        .route("/logout", web::get().to(admin.logout()))
                        .route("/logout", web::post().to(admin.logout()))
                        .service(
                            web::scope("/admin/vault")
                                .wrap(vault.clone())
                                .route("/logout", web::post().to(vault.logout()))
                                .default_service(web::to(page)),
                        )
                        .service(
                            web::scope("/admin")
                                .wrap(Condition::new(!site.protect_all, admin.clone()))
                                .route("/gallery", web::get().to(gallery))
                                .route("/parts/one.svg", web::get().to(picture))
                                .route("/parts/two.svg", web::get().to(picture))
                                .route("/parts/style.css", web::get().to(style))
                                .route("/parts/script.js", web::get().to(script))
                                .route("/api/{name}", web::get().to(whoami))
                                .route("/events", web::get().to(events))
                                .route("/socket", web::get().to(socket))
                                .route("/logout", web::post().to(admin.logout()))
                                .route("/a/b/logout", web::post().to(admin.logout()))
                                .default_service(web::to(page)),
                        )
                        .wrap(Condition::new(site.protect_all, admin.clone()))
                        .wrap(session)
                        .wrap(headers)
                })
                .workers(1)
                .disable_signals()
                .bind("127.0.0.1:0")
                .expect("a free port");
                let address = server.addrs()[0].to_string();
                let server = server.run();
                sender
                    .send((address, server.handle()))
                    .expect("the starting thread waits for the address");
                server.await.expect("the site runs");
            });
        });
        let (address, server) = receiver.recv().expect("the site starts");
        Self { address, sessions, server, thread: Some(thread) }
    }

    pub(crate) fn expire_sessions(&self) {
        self.sessions.with(HashMap::clear);
    }
}

impl Drop for RunningSite {
    fn drop(&mut self) {
        // `stop` signals the server at once. Its future would only wait for the end.
        drop(self.server.stop(false));
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Site {
    fn admin(&self) -> BasicLogin {
        let users = &[("alice", "wonderland"), ("bob", "builder")];
        let mut realm = self.realm("Admin area", "/admin/", users);
        if self.session_only_socket {
            // It renews the session at login, which may cost parallel requests a second dialog.
            realm = realm.allow_session_only(|req| req.path() == "/admin/socket");
        }
        realm.build().expect("a realm")
    }

    /// A second realm, below the path of the first.
    fn vault(&self) -> BasicLogin {
        let users: &[_] = if self.shared_user {
            &[("carol", "cave"), ("alice", "wonderland")]
        } else {
            &[("carol", "cave")]
        };
        self.realm("Vault", "/admin/vault/", users).build().expect("a realm")
    }

    fn realm(
        &self,
        name: &str,
        landing: &str,
        users: &'static [(&'static str, &'static str)],
    ) -> BasicLoginBuilder {
        let is_user = async move |_: &HttpRequest, auth: &BasicAuth| {
            Ok(users.contains(&(auth.user_id(), auth.password().unwrap_or_default())))
        };
        BasicLogin::builder(name, is_user)
            .landing_path(landing)
            .logout_response(self.logout_response.clone())
            .logout_scope(self.logout_scope)
            .session_cookie(self.cookie())
    }

    fn cookie(&self) -> &'static str {
        if self.https { "__Host-id" } else { "id" }
    }
}

async fn home() -> HttpResponse {
    html("<p>Anybody may read this</p><a href='/admin/'>Admin area</a>")
}

async fn page(user: User) -> HttpResponse {
    html(&signed_in(&user))
}

async fn gallery(user: User) -> HttpResponse {
    html(&format!("{}{PARTS}", signed_in(&user)))
}

async fn public_gallery() -> HttpResponse {
    html(&format!("<p>Anybody may read this</p>{PARTS}"))
}

fn signed_in(user: &User) -> String {
    let logout = match user.realm() {
        "Vault" => "/admin/vault/logout",
        _ => "/admin/logout",
    };
    format!(
        "<p>Signed in as {}</p><a href='/admin/'>Admin area</a>\
         <form method='post' action='{logout}'><button>Log out</button></form>",
        user.id()
    )
}

/// Six protected subresources.
const PARTS: &str = "<link rel='stylesheet' href='/admin/parts/style.css'>\
    <script src='/admin/parts/script.js'></script>\
    <img src='/admin/parts/one.svg' alt=''><img src='/admin/parts/two.svg' alt=''>\
    <script>fetch('/admin/api/one'); fetch('/admin/api/two')</script>";

fn html(body: &str) -> HttpResponse {
    let head = "<!DOCTYPE html><html lang='en'><meta charset='utf-8'><title>Site</title>";
    HttpResponse::Ok().content_type("text/html; charset=utf-8").body(format!("{head}{body}"))
}

async fn picture() -> HttpResponse {
    let svg = "<svg xmlns='http://www.w3.org/2000/svg' width='1' height='1'/>";
    HttpResponse::Ok().content_type("image/svg+xml").body(svg)
}

async fn style() -> HttpResponse {
    HttpResponse::Ok().content_type("text/css").body("p { color: green }")
}

async fn script() -> HttpResponse {
    HttpResponse::Ok().content_type("text/javascript").body("window.part = true")
}

async fn whoami(user: User) -> String {
    user.id().to_owned()
}

/// Sends one event and ends the stream. The browser reconnects after 20 ms.
async fn events(user: User) -> HttpResponse {
    let event = format!("retry: 20\ndata: {}\n\n", user.id());
    HttpResponse::Ok().content_type("text/event-stream").body(event)
}

/// A WebSocket that sends the user-id and then stays open until the login ends or the browser
/// closes it. It needs no library, because a server's short text frame is only its length and its
/// bytes (RFC 6455, section 5.2).
async fn socket(
    req: HttpRequest,
    user: User,
    incoming: web::Payload,
) -> Result<HttpResponse, Error> {
    let key = req.headers().get(header::SEC_WEBSOCKET_KEY);
    let key = key.ok_or_else(|| ErrorBadRequest("this path accepts only WebSocket handshakes"))?;
    let text = user.id().as_bytes();
    let frame = [&[0x81, text.len() as u8], text].concat();
    let hello = stream::iter([Ok::<_, Error>(Bytes::from(frame))]);
    // The stream ends when the browser closes the connection or the login ends.
    let silence = incoming.filter_map(async |it| it.err().map(|error| Err(error.into())));
    let silence = silence.take_until(Box::pin(user.ended()));
    Ok(HttpResponse::SwitchingProtocols()
        .upgrade("websocket")
        .insert_header((header::SEC_WEBSOCKET_ACCEPT, derive_accept_key(key.as_bytes())))
        .streaming(hello.chain(silence)))
}

type Entries = HashMap<String, String>;

/// A server-side session store. Clones share its sessions.
#[derive(Clone, Default)]
struct Sessions(Arc<Mutex<HashMap<String, Entries>>>);

impl Sessions {
    fn with<T>(&self, f: impl FnOnce(&mut HashMap<String, Entries>) -> T) -> T {
        f(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn put(&self, key: SessionKey, entries: Entries) -> SessionKey {
        self.with(|all| all.insert(key.as_ref().to_owned(), entries));
        key
    }
}

impl SessionStore for Sessions {
    async fn load(&self, key: &SessionKey) -> Result<Option<Entries>, LoadError> {
        Ok(self.with(|all| all.get(key.as_ref()).cloned()))
    }

    async fn save(&self, entries: Entries, _: &Duration) -> Result<SessionKey, SaveError> {
        let random = Key::generate();
        let key: String = random.signing().iter().map(|byte| format!("{byte:02x}")).collect();
        let key = SessionKey::try_from(key).map_err(|error| SaveError::Other(error.into()))?;
        Ok(self.put(key, entries))
    }

    async fn update(
        &self,
        key: SessionKey,
        entries: Entries,
        ttl: &Duration,
    ) -> Result<SessionKey, UpdateError> {
        if self.with(|all| all.contains_key(key.as_ref())) {
            return Ok(self.put(key, entries));
        }
        // The session was deleted meanwhile. Like the Redis store, save it under a new key.
        self.save(entries, ttl).await.map_err(|error| UpdateError::Other(error.into()))
    }

    async fn update_ttl(&self, _: &SessionKey, _: &Duration) -> Result<(), anyhow::Error> {
        Ok(())
    }

    async fn delete(&self, key: &SessionKey) -> Result<(), anyhow::Error> {
        self.with(|all| all.remove(key.as_ref()));
        Ok(())
    }
}
