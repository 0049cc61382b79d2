//! The test fixture of a scenario: browser, proxy and server.

use std::thread;

use tokio::sync::{Semaphore, SemaphorePermit};

use crate::{
    browser::Browser,
    demo::Demo,
    engine::{BrowserConfig, Engine},
    log::{Exchange, Log},
    observations::{self, Observation},
    proxy::{HoldGuard, Proxy},
    site::{RunningSite, Site},
    tab::Tab,
    wait::wait_until,
};

/// Limits how many browsers run at the same time. More browsers only slow each other down.
static BROWSER_SLOTS: Semaphore = Semaphore::const_new(3);

/// A browser, a server (the demo or a [`Site`]), and a proxy between them that records each
/// request.
///
/// Dropping the fixture ends all of its processes and removes the browser's profile.
pub struct Fixture {
    // Fields are dropped in this order: the browser goes first, the server after the proxy.
    browser: Browser,
    engine: Engine,
    proxy: Proxy,
    server: Server,
    _slot: SemaphorePermit<'static>,
}

enum Server {
    Demo(Demo),
    Site(RunningSite),
}

impl Server {
    fn address(&self) -> &str {
        match self {
            Self::Demo(demo) => &demo.address,
            Self::Site(site) => &site.address,
        }
    }
}

impl Fixture {
    /// Starts the demo with these environment variables.
    pub async fn open(engine: Engine, variables: &[(&str, &str)]) -> Self {
        Self::with(engine, BrowserConfig::Default, || Server::Demo(Demo::start(variables)), false)
            .await
    }

    /// Starts a site instead of the demo.
    pub async fn open_site(engine: Engine, site: Site) -> Self {
        Self::open_site_with(engine, BrowserConfig::Default, site).await
    }

    /// Starts a site, and a browser with these settings.
    pub async fn open_site_with(engine: Engine, config: BrowserConfig, site: Site) -> Self {
        let https = site.https;
        Self::with(engine, config, || Server::Site(RunningSite::start(site)), https).await
    }

    async fn with(
        engine: Engine,
        config: BrowserConfig,
        server: impl FnOnce() -> Server,
        https: bool,
    ) -> Self {
        let slot = BROWSER_SLOTS.acquire().await.expect("the semaphore is never closed");
        let server = server();
        let proxy = Proxy::start(server.address(), https).await;
        let browser = Browser::start(engine, config, &proxy.recorder).await;
        Self { browser, engine, proxy, server, _slot: slot }
    }

    /// Opens a tab whose URLs begin with the proxy's address.
    pub async fn tab(&self) -> Tab {
        self.browser.open(&self.proxy.origin("127.0.0.1")).await
    }

    /// Opens a tab whose URLs use this host name instead of 127.0.0.1.
    pub async fn tab_on_host(&self, host: &str) -> Tab {
        self.browser.open(&self.proxy.origin(host)).await
    }

    /// Host and port of the proxy, which the browser uses in its URLs.
    #[must_use]
    pub fn address(&self) -> &str {
        &self.proxy.address
    }

    /// Makes the same application available on another port.
    pub async fn another_port(&self) -> Port {
        Port(Proxy::start(self.server.address(), false).await)
    }

    /// Opens a tab whose URLs use that port.
    pub async fn tab_on_port(&self, port: &Port) -> Tab {
        self.browser.open(&port.0.origin("127.0.0.1")).await
    }

    /// Restarts the demo. The new process draws new keys and has an empty memory.
    pub fn restart(&mut self, variables: &[(&str, &str)]) {
        let demo = Demo::start(variables);
        self.proxy.set_target(&demo.address);
        self.server = Server::Demo(demo);
    }

    /// Deletes all sessions of the site, as if each had expired.
    ///
    /// # Panics
    ///
    /// If the server is the demo, which keeps its sessions in cookies.
    pub fn expire_sessions(&self) {
        match &self.server {
            Server::Site(site) => site.expire_sessions(),
            Server::Demo(_) => panic!("the demo keeps its sessions in cookies"),
        }
    }

    /// How often the browser has asked for a password so far.
    pub async fn dialogs(&self) -> usize {
        self.browser.dialogs().await
    }

    /// Ends a scenario: asserts how many dialogs have opened in total, and stores this number with
    /// the headline of the last page for the table of all browsers.
    ///
    /// # Panics
    ///
    /// If the number differs, or if Chromium received a protected page after Cancel.
    pub async fn finish(&self, tab: &Tab, dialogs: usize) {
        assert_eq!(self.dialogs().await, dialogs, "wrong number of dialogs in the scenario");
        let log = self.log();
        assert!(
            log.0.iter().all(|it| !it.repeated || !it.is_admitted()),
            "a request after Cancel received a protected page:\n{log}"
        );
        let headline =
            wait_until("the last page has a headline", async || tab.headline().await).await;
        observations::write(&Observation {
            engine: self.engine.to_string(),
            version: self.browser.version.clone(),
            scenario: scenario(),
            dialogs,
            headline,
        });
    }

    /// The requests that the server has received so far.
    #[must_use]
    pub fn log(&self) -> Log {
        self.proxy.log()
    }

    /// The current tick of the log's clock.
    #[must_use]
    pub fn now(&self) -> u64 {
        self.proxy.now()
    }

    /// Holds back requests for that path until the guard is dropped.
    pub fn hold_requests(&self, path: &str) -> HoldGuard {
        self.proxy.hold_requests(path)
    }

    /// Holds back the server's responses for that path until the guard is dropped.
    pub fn hold_responses(&self, path: &str) -> HoldGuard {
        self.proxy.hold_responses(path)
    }

    /// Waits until the server has responded to a request that `wanted` accepts. `what` describes
    /// the request in the panic message.
    pub async fn wait_for_response(
        &self,
        what: &str,
        wanted: impl Fn(&Exchange) -> bool,
    ) -> Exchange {
        wait_until(what, async || {
            let log = self.log();
            log.0.into_iter().find(|it| it.response.is_some() && wanted(it))
        })
        .await
    }
}

/// Another port of the fixture's application, with its own log.
pub struct Port(Proxy);

impl Port {
    /// The requests that this port has received so far.
    #[must_use]
    pub fn log(&self) -> Log {
        self.0.log()
    }
}

impl Drop for Fixture {
    fn drop(&mut self) {
        if thread::panicking() {
            if let Some(screen) = self.browser.screen() {
                let file = observations::directory().join(format!("failed/{}.png", scenario()));
                screen.save_png(&file);
                eprintln!("screenshot: {}", file.display());
            }
            eprintln!("arrival, response and description of each request:\n{}", self.log());
        }
    }
}

/// The name of the scenario. The test harness names each thread after its test.
fn scenario() -> String {
    let thread = thread::current();
    let name = thread.name().unwrap_or("example");
    name.rsplit("::").next().unwrap_or(name).to_owned()
}
