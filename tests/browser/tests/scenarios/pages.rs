//! What belongs to a page: pictures, scripts, streams.

use browser_suite::{Engine, Exchange, Log, Site, Stage, Tab, until};

use crate::steps::*;

/// Waits until the six protected parts of a page have been answered.
async fn parts(stage: &Stage, since: u64) -> Log {
    until("six parts are answered", async || {
        let log = stage.log().since(since);
        let parts = log.0.into_iter().filter(|it| is_part(it) && it.answered.is_some());
        let parts = parts.collect::<Vec<_>>();
        (parts.len() >= 6).then_some(Log(parts))
    })
    .await
}

fn is_part(it: &Exchange) -> bool {
    it.path.starts_with("/admin/parts/") || it.path.starts_with("/admin/api/")
}

pub(crate) async fn public_page_never_prompts_after_logout(engine: Engine) {
    // After the one the browser holds no credentials any more, after the other it still does.
    for by_fetch in [false, true] {
        let stage = Stage::open_site(engine, Site::default()).await;
        let tab = stage.tab().await;
        log_in(&tab, ALICE).await;
        if by_fetch {
            assert_eq!(fetch(&tab, "POST", "/admin/logout").await, 204);
        } else {
            log_out(&tab).await;
        }
        let (dialogs, since) = (stage.dialogs().await, stage.now());
        tab.visit("/gallery").await;
        assert!(tab.page().await.contains("Anybody may read this"));
        let parts = parts(&stage, since).await;
        assert!(parts.0.iter().all(|it| it.status() == Some(401)), "{parts}");
        assert_eq!(stage.dialogs().await, dialogs, "{parts}");
        log_in(&tab, ALICE).await;
        stage.ends(&tab, dialogs + 1).await;
    }
}

pub(crate) async fn protected_page_with_subresources_prompts_once(engine: Engine) {
    for by_fetch in [false, true] {
        let stage = Stage::open_site(engine, Site::default()).await;
        let tab = stage.tab().await;
        log_in(&tab, ALICE).await;
        if by_fetch {
            assert_eq!(fetch(&tab, "POST", "/admin/logout").await, 204);
        } else {
            log_out(&tab).await;
        }
        let (dialogs, since) = (stage.dialogs().await, stage.now());
        tab.visit("/admin/gallery").await;
        type_in(&tab, ALICE).await;
        signed_in(&tab, ALICE).await;
        let parts = parts(&stage, since).await;
        assert!(parts.0.iter().all(|it| it.status() == Some(200)), "{parts}");
        assert!(parts.0.iter().all(|it| it.user.as_deref() == Some("alice")), "{parts}");
        stage.ends(&tab, dialogs + 1).await;
    }
}

pub(crate) async fn favicon_neither_prompts_nor_drops_credentials(engine: Engine) {
    let stage = Stage::open_site(engine, Site { whole: true, ..Site::default() }).await;
    let tab = stage.tab().await;
    log_in(&tab, ALICE).await;
    let icon = |it: &Exchange| it.path == "/favicon.ico";
    stage.served("a favicon", icon).await;
    log_out(&tab).await;
    let since = stage.now();
    log_in(&tab, ALICE).await;
    // A browser may keep the icon that it has, and is asked for another.
    fetch(&tab, "GET", "/favicon.ico").await;
    stage.served("another favicon", |it| icon(it) && it.arrived > since).await;
    tab.visit("/admin/users").await;
    signed_in(&tab, ALICE).await;
    // A browser drops what is rejected there, without a word.
    let with_credentials = stage.log().lines(|it| icon(it) && it.user.is_some());
    assert!(!with_credentials.is_empty(), "{}", stage.log());
    assert!(with_credentials.iter().all(|it| it.ends_with(": 200")), "{with_credentials:?}");
    assert_navigations(
        &stage,
        &[
            &LOGIN,
            &[
                "POST /admin/logout as alice, session: 401 asks",
                "GET /admin/ as nobody, session: 401 asks",
                "GET /admin/ as alice, session: 200",
                "GET /admin/users as alice, session: 200",
            ],
        ],
    );
    stage.ends(&tab, 3).await;
}

/// What is said on the stream, or that it has failed.
const STREAM: &str = "new Promise(done => {
    const stream = new EventSource('/admin/events');
    stream.onmessage = it => { window.stream = stream; done(it.data) };
    stream.onerror = () => stream.readyState === EventSource.CLOSED && done('refused');
})";

const SOCKET: &str = "new Promise(done => {
    const socket = new WebSocket(`ws://${location.host}/admin/socket`);
    socket.onmessage = it => { window.socket = socket; done(it.data) };
    socket.onerror = () => done('refused');
})";

pub(crate) async fn event_stream_is_refused_without_dialog_after_logout(engine: Engine) {
    let (stage, tab, other) = two_tabs(engine, STREAM).await;
    // The stream that was open is opened again and again, by the browser itself.
    until("it is given up", async || {
        let state = other.evaluate("window.stream.readyState").await;
        (state == 2).then_some(())
    })
    .await;
    again(&stage, &tab, &other, STREAM, "/admin/events").await;
}

pub(crate) async fn web_socket_is_refused_without_dialog_after_logout(engine: Engine) {
    let (stage, tab, other) = two_tabs(engine, SOCKET).await;
    is_closed(&other).await;
    again(&stage, &tab, &other, SOCKET, "/admin/socket").await;
}

/// A WebSocket outside the login's directory, to which no browser sends credentials unasked; Safari
/// sends them with none at all.
pub(crate) async fn web_socket_opens_with_session_alone_and_closes_at_logout(engine: Engine) {
    let site = Site { session_suffices: true, ..Site::default() };
    let stage = Stage::open_site(engine, site).await;
    let tab = stage.tab().await;
    tab.visit("/admin/users/").await;
    type_in(&tab, ALICE).await;
    signed_in(&tab, ALICE).await;
    assert_eq!(tab.evaluate(SOCKET).await, "alice");
    assert_eq!(fetch(&tab, "POST", "/logout").await, 204);
    is_closed(&tab).await;
    assert_eq!(tab.evaluate(SOCKET).await, "refused");
    let sockets = stage.log().lines(|it| it.path == "/admin/socket");
    let begin = |line: &String| line.starts_with("GET /admin/socket as nobody, session: ");
    assert!(sockets.iter().all(begin), "{sockets:?}");
    assert!(sockets[0].ends_with(": 101") && sockets[1].ends_with(": 401"), "{sockets:?}");
    stage.ends(&tab, 1).await;
}

async fn is_closed(tab: &Tab) {
    until("the open one is closed", async || {
        let state = tab.evaluate("window.socket.readyState").await;
        (state == 3).then_some(())
    })
    .await;
}

/// A tab that has opened something, and another in which somebody has logged out.
async fn two_tabs(engine: Engine, open: &str) -> (Stage, Tab, Tab) {
    let stage = Stage::open_site(engine, Site::default()).await;
    let (tab, other) = (stage.tab().await, stage.tab().await);
    log_in(&tab, ALICE).await;
    other.visit("/").await;
    other.page().await;
    assert_eq!(other.evaluate(open).await, "alice");
    log_out(&tab).await;
    (stage, tab, other)
}

async fn again(stage: &Stage, tab: &Tab, other: &Tab, open: &str, path: &str) {
    let since = stage.now();
    for _ in 1..=3 {
        assert_eq!(other.evaluate(open).await, "refused");
    }
    // A challenge would be another matter, though no engine opens a dialog over a WebSocket.
    let refused = stage.log().since(since).lines(|it| it.path == path);
    assert_eq!(refused.len(), 3, "{refused:?}");
    assert!(refused.iter().all(|it| it.ends_with(": 401")), "{refused:?}");
    assert_eq!(stage.dialogs().await, 2, "the login's and the log-out's");
    log_in(tab, ALICE).await;
    assert_eq!(other.evaluate(open).await, "alice");
    assert_navigations(
        stage,
        &[
            &LOGIN,
            &[
                "GET / as nobody, session: 200",
                "POST /admin/logout as alice, session: 401 asks",
                "GET /admin/ as nobody, session: 401 asks",
                "GET /admin/ as alice, session: 200",
            ],
        ],
    );
    stage.ends(tab, 3).await;
}
