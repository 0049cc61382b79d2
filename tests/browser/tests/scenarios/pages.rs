//! Subresources of pages: images, scripts, streams and WebSockets.

use browser_suite::{Engine, Exchange, Fixture, Log, Site, Tab, wait_until};

use crate::steps::*;

/// Waits until the server has responded to six protected subresources, and returns their requests.
async fn wait_for_subresources(fixture: &Fixture, since: u64) -> Log {
    wait_until("six subresources have a response", async || {
        let log = fixture.log().since(since);
        let parts = log.0.into_iter().filter(|it| is_subresource(it) && it.response.is_some());
        let parts = parts.collect::<Vec<_>>();
        (parts.len() >= 6).then_some(Log(parts))
    })
    .await
}

fn is_subresource(it: &Exchange) -> bool {
    it.path.starts_with("/admin/parts/") || it.path.starts_with("/admin/api/")
}

pub(crate) async fn public_page_never_prompts_after_logout(engine: Engine) {
    // A logout with a challenge makes the browser drop the credentials; a logout by `fetch` does
    // not.
    for by_fetch in [false, true] {
        let fixture = Fixture::open_site(engine, Site::default()).await;
        let tab = fixture.tab().await;
        log_in(&tab, ALICE).await;
        if by_fetch {
            assert_eq!(fetch(&tab, "POST", "/admin/logout").await, 204);
        } else {
            log_out(&tab).await;
        }
        let (dialogs, since) = (fixture.dialogs().await, fixture.now());
        tab.visit("/gallery").await;
        assert!(tab.page().await.contains("Anybody may read this"));
        let parts = wait_for_subresources(&fixture, since).await;
        assert!(parts.0.iter().all(|it| it.status() == Some(401)), "{parts}");
        assert_eq!(fixture.dialogs().await, dialogs, "{parts}");
        log_in(&tab, ALICE).await;
        fixture.finish(&tab, dialogs + 1).await;
    }
}

pub(crate) async fn protected_page_with_subresources_prompts_once(engine: Engine) {
    for by_fetch in [false, true] {
        let fixture = Fixture::open_site(engine, Site::default()).await;
        let tab = fixture.tab().await;
        log_in(&tab, ALICE).await;
        if by_fetch {
            assert_eq!(fetch(&tab, "POST", "/admin/logout").await, 204);
        } else {
            log_out(&tab).await;
        }
        let (dialogs, since) = (fixture.dialogs().await, fixture.now());
        tab.visit("/admin/gallery").await;
        enter_credentials(&tab, ALICE).await;
        assert_signed_in(&tab, ALICE).await;
        let parts = wait_for_subresources(&fixture, since).await;
        assert!(parts.0.iter().all(|it| it.status() == Some(200)), "{parts}");
        assert!(parts.0.iter().all(|it| it.user.as_deref() == Some("alice")), "{parts}");
        fixture.finish(&tab, dialogs + 1).await;
    }
}

pub(crate) async fn favicon_neither_prompts_nor_drops_credentials(engine: Engine) {
    let fixture = Fixture::open_site(engine, Site { protect_all: true, ..Site::default() }).await;
    let tab = fixture.tab().await;
    log_in(&tab, ALICE).await;
    let icon = |it: &Exchange| it.path == "/favicon.ico";
    fixture.wait_for_response("a favicon is served", icon).await;
    log_out(&tab).await;
    let since = fixture.now();
    log_in(&tab, ALICE).await;
    // The browser may have the icon in its cache, so request it once more by script.
    fetch(&tab, "GET", "/favicon.ico").await;
    fixture
        .wait_for_response("the favicon is served again", |it| icon(it) && it.arrived > since)
        .await;
    tab.visit("/admin/users").await;
    assert_signed_in(&tab, ALICE).await;
    // If the server rejected credentials for the favicon, the browser would drop them silently.
    let with_credentials = fixture.log().lines(|it| icon(it) && it.user.is_some());
    assert!(!with_credentials.is_empty(), "{}", fixture.log());
    assert!(with_credentials.iter().all(|it| it.ends_with(": 200")), "{with_credentials:?}");
    assert_navigations(
        &fixture,
        &[
            &LOGIN,
            &[
                "POST /admin/logout as alice, session: 401 challenge",
                "GET /admin/ as nobody, session: 401 challenge",
                "GET /admin/ as alice, session: 200",
                "GET /admin/users as alice, session: 200",
            ],
        ],
    );
    fixture.finish(&tab, 3).await;
}

/// Opens an event stream and returns its first message, or `refused`.
const STREAM: &str = "new Promise(done => {
    const stream = new EventSource('/admin/events');
    stream.onmessage = it => { window.stream = stream; done(it.data) };
    stream.onerror = () => stream.readyState === EventSource.CLOSED && done('refused');
})";

/// Opens a WebSocket and returns its first message, or `refused`.
const SOCKET: &str = "new Promise(done => {
    const socket = new WebSocket(`ws://${location.host}/admin/socket`);
    socket.onmessage = it => { window.socket = socket; done(it.data) };
    socket.onerror = () => done('refused');
})";

pub(crate) async fn event_stream_is_refused_without_dialog_after_logout(engine: Engine) {
    let (fixture, tab, other) = log_out_in_one_of_two_tabs(engine, STREAM).await;
    // The browser reconnects the open stream until the server refuses it.
    wait_until("the browser closes the stream", async || {
        let state = other.evaluate("window.stream.readyState").await;
        (state == 2).then_some(())
    })
    .await;
    assert_refused_until_login(&fixture, &tab, &other, STREAM, "/admin/events").await;
}

pub(crate) async fn web_socket_is_refused_without_dialog_after_logout(engine: Engine) {
    let (fixture, tab, other) = log_out_in_one_of_two_tabs(engine, SOCKET).await;
    wait_for_close(&other).await;
    assert_refused_until_login(&fixture, &tab, &other, SOCKET, "/admin/socket").await;
}

/// The WebSocket lies outside the login's directory, so no browser sends credentials with its
/// handshake. Safari sends none with any WebSocket.
pub(crate) async fn web_socket_opens_with_session_alone_and_closes_at_logout(engine: Engine) {
    let site = Site { session_only_socket: true, ..Site::default() };
    let fixture = Fixture::open_site(engine, site).await;
    let tab = fixture.tab().await;
    tab.visit("/admin/users/").await;
    enter_credentials(&tab, ALICE).await;
    assert_signed_in(&tab, ALICE).await;
    assert_eq!(tab.evaluate(SOCKET).await, "alice");
    assert_eq!(fetch(&tab, "POST", "/logout").await, 204);
    wait_for_close(&tab).await;
    assert_eq!(tab.evaluate(SOCKET).await, "refused");
    let sockets = fixture.log().lines(|it| it.path == "/admin/socket");
    let begin = |line: &String| line.starts_with("GET /admin/socket as nobody, session: ");
    assert!(sockets.iter().all(begin), "{sockets:?}");
    assert!(sockets[0].ends_with(": 101") && sockets[1].ends_with(": 401"), "{sockets:?}");
    fixture.finish(&tab, 1).await;
}

async fn wait_for_close(tab: &Tab) {
    wait_until("the open WebSocket is closed", async || {
        let state = tab.evaluate("window.socket.readyState").await;
        (state == 3).then_some(())
    })
    .await;
}

/// Opens a stream or a WebSocket in one tab (`other`) and logs out in another (`tab`).
async fn log_out_in_one_of_two_tabs(engine: Engine, open: &str) -> (Fixture, Tab, Tab) {
    let fixture = Fixture::open_site(engine, Site::default()).await;
    let (tab, other) = (fixture.tab().await, fixture.tab().await);
    log_in(&tab, ALICE).await;
    other.visit("/").await;
    other.page().await;
    assert_eq!(other.evaluate(open).await, "alice");
    log_out(&tab).await;
    (fixture, tab, other)
}

/// Asserts that the server refuses the stream or WebSocket without a dialog until the user logs in.
async fn assert_refused_until_login(
    fixture: &Fixture,
    tab: &Tab,
    other: &Tab,
    open: &str,
    path: &str,
) {
    let since = fixture.now();
    for _ in 1..=3 {
        assert_eq!(other.evaluate(open).await, "refused");
    }
    // With a Basic challenge the log would say `401 challenge`. (No engine opens a dialog for a
    // WebSocket in any case.)
    let refused = fixture.log().since(since).lines(|it| it.path == path);
    assert_eq!(refused.len(), 3, "{refused:?}");
    assert!(refused.iter().all(|it| it.ends_with(": 401")), "{refused:?}");
    assert_eq!(fixture.dialogs().await, 2, "only the login and the logout may open dialogs");
    log_in(tab, ALICE).await;
    assert_eq!(other.evaluate(open).await, "alice");
    assert_navigations(
        fixture,
        &[
            &LOGIN,
            &[
                "GET / as nobody, session: 200",
                "POST /admin/logout as alice, session: 401 challenge",
                "GET /admin/ as nobody, session: 401 challenge",
                "GET /admin/ as alice, session: 200",
            ],
        ],
    );
    fixture.finish(tab, 3).await;
}
