//! A browser with an empty profile.

use std::sync::Arc;

use rustix::process::Pid;
use serde_json::{Value, json};
use tokio::time::timeout;

use crate::{
    bidi::Bidi,
    dialogs::Dialogs,
    engine::{Engine, Wish},
    http,
    processes::Speaker,
    proxy::Record,
    screen::Screen,
    tab::Tab,
    wait::LIMIT,
    webdriver::WebDriver,
    window::Window,
};

/// It and all that it needs end when it is dropped.
pub(crate) struct Browser {
    protocol: Protocol,
    dialogs: Arc<Dialogs>,
    pub(crate) version: String,
    _speaker: Speaker,
}

enum Protocol {
    Bidi(Arc<Bidi>),
    WebDriver(Arc<WebDriver>),
}

impl Browser {
    /// Dialogs on a screen are closed while nothing reaches the server that keeps this record.
    pub(crate) async fn start(engine: Engine, wish: Wish, record: &Arc<Record>) -> Self {
        let screen = if engine.on_screen() { Some(Screen::start().await) } else { None };
        let mut speaker = Speaker::start(engine, wish, screen.as_ref()).await;
        let wanted = engine.capabilities(speaker.profile(), wish);
        let (protocol, session) = if engine.is_firefox() {
            let bidi = Bidi::connect(&format!("ws://{}/session", speaker.address)).await;
            let session = bidi.call("session.new", wanted).await;
            (Protocol::Bidi(Arc::new(bidi)), session)
        } else {
            let session = new_session(engine, &mut speaker, &wanted).await;
            let protocol = match session["capabilities"]["webSocketUrl"].as_str() {
                Some(url) => Protocol::Bidi(Arc::new(Bidi::connect(url).await)),
                None => {
                    let driver = Arc::new(WebDriver {
                        address: speaker.address.clone(),
                        session: speaker.session.clone().expect("it has just begun"),
                    });
                    record.ask_behind(&driver);
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
            (_, Some(screen)) => Dialogs::on_screen(engine, screen, Arc::clone(record)),
            (Protocol::Bidi(bidi), None) if engine == Engine::FirefoxDialog => {
                Dialogs::firefox(Arc::clone(bidi)).await
            }
            (Protocol::Bidi(bidi), None) => Dialogs::reported(Arc::clone(bidi)).await,
            (Protocol::WebDriver(_), None) => unreachable!("it has no way to tell of dialogs"),
        };
        let version = version.to_owned();
        Self { protocol, dialogs: Arc::new(dialogs), version, _speaker: speaker }
    }

    /// A new window, whose addresses begin with that; on a screen, the only one.
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
                // Chromium's driver catches dialogs from when the new window has answered it. One that
                // it misses marks the window: every cancelled page is an empty one from then on.
                bidi.evaluate(&context, "0").await.expect("a window that answers");
                let blank = json!({ "context": context, "url": "about:blank", "wait": "complete" });
                bidi.call("browsingContext.navigate", blank).await;
                Window::Bidi { bidi: Arc::clone(bidi), context }
            }
        };
        Tab::new(window, Arc::clone(&self.dialogs), origin)
    }

    /// How often the browser wanted a password so far, in any tab.
    pub(crate) async fn dialogs(&self) -> usize {
        self.dialogs.count().await
    }

    pub(crate) fn screen(&self) -> Option<&Screen> {
        self.dialogs.screen()
    }
}

async fn new_session(engine: Engine, speaker: &mut Speaker, wanted: &Value) -> Value {
    let answer = timeout(LIMIT, http::post(&speaker.address, "/session", wanted)).await;
    let answer = answer.expect("the driver answers in time").expect("the driver answers");
    let value = &answer["value"];
    let Some(id) = value["sessionId"].as_str() else {
        panic!("{engine:?} does not start ({}): {value:#}", engine.cure());
    };
    speaker.session = Some(format!("/session/{id}"));
    speaker.browser = value["capabilities"]["goog:processID"]
        .as_i64()
        .and_then(|pid| Pid::from_raw(pid.try_into().ok()?));
    value.clone()
}
