//! Starts a browser with an empty profile.

use std::sync::Arc;

use rustix::process::Pid;
use serde_json::{Value, json};
use tokio::time::timeout;

use crate::{
    bidi::Bidi,
    dialogs::Dialogs,
    engine::{BrowserConfig, Engine},
    http,
    processes::DriverProcess,
    proxy::Recorder,
    screen::Screen,
    tab::Tab,
    wait::TIMEOUT,
    webdriver::WebDriver,
    window::Window,
};

/// A running browser. It and its helper processes end when this is dropped.
pub(crate) struct Browser {
    protocol: Protocol,
    dialogs: Arc<Dialogs>,
    pub(crate) version: String,
    _process: DriverProcess,
}

enum Protocol {
    Bidi(Arc<Bidi>),
    WebDriver(Arc<WebDriver>),
}

impl Browser {
    /// Starts the browser. On a screen, it closes dialogs while the recorder's proxy holds back all
    /// requests.
    pub(crate) async fn start(
        engine: Engine,
        config: BrowserConfig,
        recorder: &Arc<Recorder>,
    ) -> Self {
        let screen = if engine.on_screen() { Some(Screen::start().await) } else { None };
        let mut process = DriverProcess::start(engine, config, screen.as_ref()).await;
        let wanted = engine.capabilities(process.profile(), config);
        let (protocol, session) = if engine.is_firefox() {
            let bidi = Bidi::connect(&format!("ws://{}/session", process.address)).await;
            let session = bidi.call("session.new", wanted).await;
            (Protocol::Bidi(Arc::new(bidi)), session)
        } else {
            let session = new_session(engine, &mut process, &wanted).await;
            let protocol = match session["capabilities"]["webSocketUrl"].as_str() {
                Some(url) => Protocol::Bidi(Arc::new(Bidi::connect(url).await)),
                None => {
                    let driver = Arc::new(WebDriver {
                        address: process.address.clone(),
                        session: process
                            .session
                            .clone()
                            .expect("the session has just been created"),
                    });
                    recorder.sync_challenges_with(&driver);
                    Protocol::WebDriver(driver)
                }
            };
            (protocol, session)
        };
        let version = session["capabilities"]["browserVersion"].as_str().expect("a version");
        if let Protocol::Bidi(bidi) = &protocol {
            bidi.call("session.subscribe", json!({ "events": ["browsingContext.load"] })).await;
        }
        let dialogs = match (&protocol, screen) {
            (_, Some(screen)) => Dialogs::on_screen(engine, screen, Arc::clone(recorder)),
            (Protocol::Bidi(bidi), None) if engine == Engine::FirefoxDialog => {
                Dialogs::firefox(Arc::clone(bidi)).await
            }
            (Protocol::Bidi(bidi), None) => Dialogs::intercepted(Arc::clone(bidi)).await,
            (Protocol::WebDriver(_), None) => {
                unreachable!("classic WebDriver runs only on a screen")
            }
        };
        let version = version.to_owned();
        Self { protocol, dialogs: Arc::new(dialogs), version, _process: process }
    }

    /// Opens a window in which paths are relative to `origin`. On a screen, returns the only
    /// window.
    pub(crate) async fn open(&self, origin: &str) -> Tab {
        let window = match &self.protocol {
            Protocol::WebDriver(it) => Window::WebDriver(Arc::clone(it)),
            Protocol::Bidi(bidi) => {
                let context = if self.screen().is_some() {
                    let tree = bidi.call("browsingContext.getTree", json!({})).await;
                    tree["contexts"][0]["context"].clone()
                } else {
                    let window = json!({ "type": "window" });
                    bidi.call("browsingContext.create", window).await["context"].clone()
                };
                let context = context.as_str().expect("a context has an id").to_owned();
                // Chromium's driver intercepts dialogs only after the new window has responded to
                // it. If it misses a dialog, the window shows an empty page after every cancelled
                // dialog.
                bidi.evaluate(&context, "0").await.expect("the window responds");
                let blank = json!({ "context": context, "url": "about:blank", "wait": "complete" });
                bidi.call("browsingContext.navigate", blank).await;
                Window::Bidi { bidi: Arc::clone(bidi), context }
            }
        };
        Tab::new(window, Arc::clone(&self.dialogs), origin)
    }

    /// How often the browser has asked for a password so far, in all tabs.
    pub(crate) async fn dialogs(&self) -> usize {
        self.dialogs.count().await
    }

    pub(crate) fn screen(&self) -> Option<&Screen> {
        self.dialogs.screen()
    }
}

/// Creates a session with the driver, and remembers session and browser process for the shutdown.
async fn new_session(engine: Engine, process: &mut DriverProcess, wanted: &Value) -> Value {
    let answer = timeout(TIMEOUT, http::post(&process.address, "/session", wanted)).await;
    let answer = answer.expect("the driver responds in time").expect("the driver responds");
    let value = &answer["value"];
    let Some(id) = value["sessionId"].as_str() else {
        panic!("{engine:?} does not start ({}): {value:#}", engine.install_hint());
    };
    process.session = Some(format!("/session/{id}"));
    process.browser = value["capabilities"]["goog:processID"]
        .as_i64()
        .and_then(|pid| Pid::from_raw(pid.try_into().ok()?));
    value.clone()
}
