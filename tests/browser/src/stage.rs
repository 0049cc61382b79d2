//! Everything that a scenario needs.

use std::thread;

use tokio::sync::{Semaphore, SemaphorePermit};

use crate::{
    browser::Browser,
    demo::Demo,
    engine::Engine,
    log::{Exchange, Log},
    observations::{self, Observation},
    proxy::{Hold, Proxy},
    tab::Tab,
    wait::until,
};

/// Browsers at work at the same time; more only get in each other's way.
static SEATS: Semaphore = Semaphore::const_new(2);

/// A browser, the demo, and between them what writes down the requests. Nothing outlives it.
pub struct Stage {
    // The order matters: they are dropped in it.
    browser: Browser,
    engine: Engine,
    proxy: Proxy,
    _demo: Demo,
    _seat: SemaphorePermit<'static>,
}

impl Stage {
    /// With the demo's environment variables.
    pub async fn open(engine: Engine, variables: &[(&str, &str)]) -> Self {
        let seat = SEATS.acquire().await.expect("nobody closes it");
        let demo = Demo::start(variables);
        let proxy = Proxy::start(&demo.address).await;
        let browser = Browser::start(engine, &proxy.record).await;
        Self { browser, engine, proxy, _demo: demo, _seat: seat }
    }

    pub async fn tab(&self) -> Tab {
        self.browser.open(&format!("http://{}", self.proxy.address)).await
    }

    /// How often the browser wanted a password so far.
    pub async fn dialogs(&self) -> usize {
        self.browser.dialogs().await
    }

    /// The end of a scenario: so many dialogs have opened in all, and this is what the user sees.
    /// Both are written down for the table of all browsers.
    pub async fn ends(&self, tab: &Tab, dialogs: usize) {
        assert_eq!(self.dialogs().await, dialogs, "dialogs; the scenario ends");
        let sees = until("the last page has a headline", async || tab.headline().await).await;
        observations::write(&Observation {
            engine: self.engine.to_string(),
            version: self.browser.version.clone(),
            scenario: scenario(),
            dialogs,
            sees,
        });
    }

    /// What the server saw so far.
    #[must_use]
    pub fn log(&self) -> Log {
        self.proxy.log()
    }

    /// What the clock of the log shows.
    #[must_use]
    pub fn now(&self) -> u64 {
        self.proxy.now()
    }

    /// Requests for that path do not reach the server until what is returned is dropped.
    pub fn hold_requests(&self, path: &str) -> Hold {
        self.proxy.hold_requests(path)
    }

    /// The server's answers for that path do not reach the browser until what is returned is
    /// dropped.
    pub fn hold_answers(&self, path: &str) -> Hold {
        self.proxy.hold_answers(path)
    }

    /// Waits until the server has answered such a request.
    pub async fn served(&self, what: &str, wanted: impl Fn(&Exchange) -> bool) -> Exchange {
        until(what, async || {
            let log = self.log();
            log.0.into_iter().find(|it| it.answered.is_some() && wanted(it))
        })
        .await
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        if thread::panicking() {
            if let Some(screen) = self.browser.screen() {
                let file = observations::directory().join(format!("failed/{}.png", scenario()));
                screen.picture(&file);
                eprintln!("{} shows the screen", file.display());
            }
            eprintln!("arrived, answered, request:\n{}", self.log());
        }
    }
}

/// The test's name, which is its thread's.
fn scenario() -> String {
    let thread = thread::current();
    let name = thread.name().unwrap_or("example");
    name.rsplit("::").next().unwrap_or(name).to_owned()
}
