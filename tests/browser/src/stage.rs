//! Everything that a scenario needs.

use std::thread;

use tokio::sync::{Semaphore, SemaphorePermit};

use crate::{
    browser::Browser,
    demo::Demo,
    engine::{Engine, Wish},
    log::{Exchange, Log},
    observations::{self, Observation},
    proxy::{Hold, Proxy},
    site::{Running, Site},
    tab::Tab,
    wait::until,
};

/// Browsers at work at the same time; more only get in each other's way.
static SEATS: Semaphore = Semaphore::const_new(3);

/// A browser, the demo or a site, and between them what writes down the requests. Nothing outlives it.
pub struct Stage {
    // The order matters: they are dropped in it.
    browser: Browser,
    engine: Engine,
    proxy: Proxy,
    server: Server,
    _seat: SemaphorePermit<'static>,
}

enum Server {
    Demo(Demo),
    Site(Running),
}

impl Server {
    fn address(&self) -> &str {
        match self {
            Self::Demo(demo) => &demo.address,
            Self::Site(site) => &site.address,
        }
    }
}

impl Stage {
    /// With the demo's environment variables.
    pub async fn open(engine: Engine, variables: &[(&str, &str)]) -> Self {
        Self::with(engine, Wish::None, || Server::Demo(Demo::start(variables)), false).await
    }

    /// With a site instead of the demo.
    pub async fn open_site(engine: Engine, site: Site) -> Self {
        Self::open_site_wishing(engine, Wish::None, site).await
    }

    /// With a site, and a browser that is set otherwise than it comes.
    pub async fn open_site_wishing(engine: Engine, wish: Wish, site: Site) -> Self {
        let https = site.https;
        Self::with(engine, wish, || Server::Site(Running::start(site)), https).await
    }

    async fn with(
        engine: Engine,
        wish: Wish,
        server: impl FnOnce() -> Server,
        https: bool,
    ) -> Self {
        let seat = SEATS.acquire().await.expect("nobody closes it");
        let server = server();
        let proxy = Proxy::start(server.address(), https).await;
        let browser = Browser::start(engine, wish, &proxy.record).await;
        Self { browser, engine, proxy, server, _seat: seat }
    }

    pub async fn tab(&self) -> Tab {
        self.browser.open(&self.proxy.origin("127.0.0.1")).await
    }

    /// A tab whose addresses name this host instead of 127.0.0.1.
    pub async fn tab_at(&self, host: &str) -> Tab {
        self.browser.open(&self.proxy.origin(host)).await
    }

    /// Host and port, as the browser uses them.
    #[must_use]
    pub fn address(&self) -> &str {
        &self.proxy.address
    }

    /// The same application on another port.
    pub async fn another_port(&self) -> Port {
        Port(Proxy::start(self.server.address(), false).await)
    }

    /// A tab whose addresses begin with that port.
    pub async fn tab_on(&self, port: &Port) -> Tab {
        self.browser.open(&port.0.origin("127.0.0.1")).await
    }

    /// The demo ends and starts again, with other keys and no memory.
    pub fn restart(&mut self, variables: &[(&str, &str)]) {
        let demo = Demo::start(variables);
        self.proxy.turn_to(&demo.address);
        self.server = Server::Demo(demo);
    }

    /// The site's sessions are gone, as if each had come to the end of its time.
    pub fn expire_sessions(&self) {
        match &self.server {
            Server::Site(site) => site.expire_sessions(),
            Server::Demo(_) => panic!("the demo keeps its sessions in cookies"),
        }
    }

    /// How often the browser wanted a password so far.
    pub async fn dialogs(&self) -> usize {
        self.browser.dialogs().await
    }

    /// The end of a scenario: so many dialogs have opened in all, and this is what the user sees.
    /// Both are written down for the table of all browsers.
    pub async fn ends(&self, tab: &Tab, dialogs: usize) {
        assert_eq!(self.dialogs().await, dialogs, "dialogs; the scenario ends");
        let log = self.log();
        assert!(log.0.iter().all(|it| !it.again || !it.let_in()), "let in after Cancel:\n{log}");
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

/// Another port of the application that a stage shows, with a log of its own.
pub struct Port(Proxy);

impl Port {
    /// What was seen on this port.
    #[must_use]
    pub fn log(&self) -> Log {
        self.0.log()
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
