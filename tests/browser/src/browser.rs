//! A browser, and what a person does with it.

use std::{
    fs,
    io::{ErrorKind, Read, Write},
    net::TcpStream,
    path::Path,
    process::Stdio,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use rustix::process::{Pid, Signal, kill_process, test_kill_process};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::{Child, Command},
    time::timeout,
};

use crate::{
    bidi::Bidi,
    http,
    wait::{LIMIT, until},
};

/// Which browser.
#[derive(Clone, Copy, Debug)]
pub enum Engine {
    Chromium,
}

/// How a browser is set, other than it comes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Wish {
    #[default]
    None,
    /// It takes no cookies.
    NoCookies,
}

impl Engine {
    /// The driver, and where it comes from.
    fn driver(self) -> (&'static str, &'static [&'static str], &'static str) {
        match self {
            Self::Chromium => {
                ("chromedriver", &["--port=0"], "apt-get install chromium chromium-driver")
            }
        }
    }

    /// The port in a line of the driver's output, if the line tells it.
    fn port(self, line: &str) -> Option<u16> {
        let (_, port) = match self {
            Self::Chromium => line.split_once("was started successfully on port ")?,
        };
        port.trim_end_matches('.').parse().ok()
    }

    fn capabilities(self, profile: &Path, wish: Wish) -> Value {
        let own = match self {
            Self::Chromium => json!({
                "browserName": "chrome",
                "goog:chromeOptions": { "args": [
                    "--headless=new",
                    "--no-sandbox", // it refuses to start as root otherwise, and sees only our own pages
                    "--disable-gpu",
                    "--disable-quic",
                    "--no-first-run",
                    "--disable-background-networking",
                    "--disable-component-update",
                    "--disable-sync",
                    // A tab in the background is to poll as often as it wants.
                    "--disable-background-timer-throttling",
                    "--disable-backgrounding-occluded-windows",
                    "--disable-renderer-backgrounding",
                    "--host-resolver-rules=MAP admin.test 127.0.0.1, MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
                    format!("--user-data-dir={}", profile.display()),
                ], "prefs": match wish {
                    Wish::None => json!({}),
                    Wish::NoCookies => {
                        json!({ "profile.default_content_setting_values.cookies": 2 })
                    }
                } },
            }),
        };
        let mut all = json!({
            "webSocketUrl": true,
            "acceptInsecureCerts": true,
            "unhandledPromptBehavior": "ignore",
            "pageLoadStrategy": "none",
        });
        if let (Value::Object(all), Value::Object(own)) = (&mut all, own) {
            all.extend(own);
        }
        json!({ "capabilities": { "alwaysMatch": all } })
    }
}

/// A browser with an empty profile, and its driver; both end when it is dropped.
pub(crate) struct Browser {
    bidi: Arc<Bidi>,
    _session: Session,
}

impl Browser {
    pub(crate) async fn start(engine: Engine, wish: Wish) -> Self {
        let driver = Driver::start(engine).await;
        let profile = tempfile::Builder::new().prefix("browser-suite-").tempdir();
        let profile = profile.expect("a directory for the profile");
        let wanted = engine.capabilities(profile.path(), wish);
        let answer = timeout(LIMIT, http::post(&driver.address, "/session", &wanted)).await;
        let answer = answer.expect("the driver answers in time").expect("the driver answers");
        let value = &answer["value"];
        let (Some(id), Some(url)) =
            (value["sessionId"].as_str(), value["capabilities"]["webSocketUrl"].as_str())
        else {
            let (.., install) = engine.driver();
            panic!("{engine:?} does not start ({install}): {value:#}");
        };
        let pid = ["goog:processID", "moz:processID"]
            .iter()
            .find_map(|name| value["capabilities"][name].as_i64())
            .and_then(|pid| Pid::from_raw(pid.try_into().ok()?));
        let session = Session { id: id.to_owned(), pid, driver, profile: Some(profile) };

        let bidi = Bidi::connect(url).await;
        let events = ["network.authRequired", "browsingContext.load"];
        bidi.call("session.subscribe", json!({ "events": events })).await;
        bidi.call("network.addIntercept", json!({ "phases": ["authRequired"] })).await;
        Self { bidi: Arc::new(bidi), _session: session }
    }

    /// A new window, whose addresses begin with that host and port.
    pub(crate) async fn open(&self, address: &str) -> Tab {
        let created = self.bidi.call("browsingContext.create", json!({ "type": "window" })).await;
        let context = created["context"].as_str().expect("a context has an id").to_owned();
        // The very first page of a window may come before the driver has everything in place, and
        // then its dialog is never reported.
        let params = json!({ "context": context, "url": "about:blank", "wait": "complete" });
        self.bidi.call("browsingContext.navigate", params).await;
        let bidi = Arc::clone(&self.bidi);
        let (acted, asked) = Default::default();
        Tab { bidi, context, address: address.to_owned(), acted, asked }
    }

    /// How often the browser wanted a password so far, in any tab. It reports each request by
    /// itself, where a person may see one dialog for several.
    pub(crate) fn dialogs(&self) -> usize {
        self.bidi.events().named("network.authRequired", 0).count()
    }
}

/// A tab, in a window of its own.
pub struct Tab {
    bidi: Arc<Bidi>,
    context: String,
    address: String,
    /// How many events there were when its user did something last.
    acted: AtomicUsize,
    /// How many events have been searched for dialogs.
    asked: AtomicUsize,
}

impl Tab {
    /// Types the path into the address bar.
    pub async fn visit(&self, path: &str) {
        self.visit_elsewhere(&format!("http://{}{path}", self.address)).await;
    }

    /// Types a whole address into the address bar.
    pub async fn visit_elsewhere(&self, url: &str) {
        self.act();
        let params = json!({ "context": self.context, "url": url, "wait": "none" });
        // It is answered when the server's answer is there, and that may be after a dialog.
        let bidi = Arc::clone(&self.bidi);
        tokio::spawn(async move { bidi.try_call("browsingContext.navigate", params).await });
    }

    /// Clicks what the selector finds.
    pub async fn click(&self, selector: &str) {
        // The mouse does not scroll.
        let scroll = format!("document.querySelector({}).scrollIntoView()", json!(selector));
        self.evaluate(&scroll).await;
        let locator = json!({ "type": "css", "value": selector });
        let params = json!({ "context": self.context, "locator": locator });
        let found = self.bidi.call("browsingContext.locateNodes", params).await;
        let element = &found["nodes"][0]["sharedId"];
        assert!(element.is_string(), "there is no {selector} on the page");
        let origin = json!({ "type": "element", "element": { "sharedId": element } });
        let actions = json!([
            { "type": "pointerMove", "x": 0, "y": 0, "origin": origin },
            { "type": "pointerDown", "button": 0 },
            { "type": "pointerUp", "button": 0 },
        ]);
        let mouse = json!({ "type": "pointer", "id": "mouse", "actions": actions });
        self.act();
        let params = json!({ "context": self.context, "actions": [mouse] });
        self.bidi.call("input.performActions", params).await;
    }

    /// From now on pages have this script run before their own.
    pub async fn run_first(&self, script: &str) {
        let function = format!("() => {{ {script} }}");
        let params = json!({ "functionDeclaration": function, "contexts": [self.context] });
        self.bidi.call("script.addPreloadScript", params).await;
    }

    /// The reload button.
    pub async fn reload(&self) {
        self.act();
        let params = json!({ "context": self.context, "wait": "none" });
        let bidi = Arc::clone(&self.bidi);
        tokio::spawn(async move { bidi.try_call("browsingContext.reload", params).await });
    }

    /// The back button.
    pub async fn back(&self) {
        self.act();
        let params = json!({ "context": self.context, "delta": -1 });
        self.bidi.call("browsingContext.traverseHistory", params).await;
    }

    /// The next dialog of this tab that has not been seen yet.
    pub async fn dialog(&self) -> Dialog<'_> {
        let request = until("a dialog opens", async || {
            let events = self.bidi.events();
            let mut asking =
                events.named("network.authRequired", self.asked.load(Ordering::SeqCst));
            let (number, event) = asking.find(|(_, it)| it["context"] == *self.context)?;
            self.asked.store(number + 1, Ordering::SeqCst);
            event["request"]["request"].as_str().map(ToOwned::to_owned)
        });
        Dialog { tab: self, request: request.await }
    }

    /// Waits for the page that the last visit, click or answer leads to, and reads it.
    pub async fn page(&self) -> String {
        until("a page loads", async || {
            let events = self.bidi.events();
            let mut loaded =
                events.named("browsingContext.load", self.acted.load(Ordering::SeqCst));
            loaded.find(|(_, it)| it["context"] == *self.context).map(drop)
        })
        .await;
        self.text().await.expect("a page that has loaded can be read")
    }

    /// What is to be read in the tab now; nothing while one page gives way to the next.
    pub async fn text(&self) -> Option<String> {
        let text = self.try_evaluate("document.body.innerText").await.ok()?;
        text.as_str().map(ToOwned::to_owned)
    }

    /// Waits until the tab shows these words.
    pub async fn shows(&self, words: &str) {
        until(&format!("the tab shows {words:?}"), async || {
            self.text().await.filter(|text| text.contains(words)).map(drop)
        })
        .await;
    }

    /// The value of an expression, or of the promise that it makes.
    pub async fn evaluate(&self, expression: &str) -> Value {
        match self.try_evaluate(expression).await {
            Ok(value) => value,
            Err(error) => panic!("{expression}: {error}"),
        }
    }

    async fn try_evaluate(&self, expression: &str) -> Result<Value, String> {
        let params = json!({
            "expression": expression,
            "target": { "context": self.context },
            "awaitPromise": true,
            "userActivation": true,
        });
        let evaluated = self.bidi.try_call("script.evaluate", params).await?;
        if evaluated["type"] == "success" {
            Ok(evaluated["result"]["value"].clone())
        } else {
            Err(evaluated["exceptionDetails"]["text"].to_string())
        }
    }

    /// Whether pages are to be `light` or `dark`.
    pub async fn prefer(&self, scheme: &str) {
        let session =
            self.bidi.call("goog:cdp.getSession", json!({ "context": self.context })).await;
        let feature = json!({ "name": "prefers-color-scheme", "value": scheme });
        let command = json!({
            "method": "Emulation.setEmulatedMedia",
            "params": { "features": [feature] },
            "session": session["session"],
        });
        self.bidi.call("goog:cdp.sendCommand", command).await;
    }

    /// What the tab looks like, as PNG.
    pub async fn screenshot(&self, file: &Path) {
        let params = json!({ "context": self.context });
        let shot = self.bidi.call("browsingContext.captureScreenshot", params).await;
        let image = BASE64_STANDARD.decode(shot["data"].as_str().expect("an image"));
        fs::write(file, image.expect("base64")).expect("the file can be written");
    }

    /// Says that what comes now leads to another [page](Self::page).
    pub fn act(&self) {
        self.acted.store(self.bidi.events().len(), Ordering::SeqCst);
    }
}

/// A dialog that wants a user name and a password.
#[must_use = "a dialog stays open until it is answered"]
pub struct Dialog<'a> {
    tab: &'a Tab,
    request: String,
}

impl Dialog<'_> {
    pub async fn answer(self, user: &str, password: &str) {
        let credentials = json!({ "type": "password", "username": user, "password": password });
        let action = json!({
            "request": self.request,
            "action": "provideCredentials",
            "credentials": credentials,
        });
        self.close(action).await;
    }

    pub async fn cancel(self) {
        let action = json!({ "request": self.request, "action": "cancel" });
        self.close(action).await;
    }

    async fn close(self, action: Value) {
        self.tab.bidi.call("network.continueWithAuth", action).await;
    }
}

/// chromedriver or its like.
struct Driver {
    child: Child,
    /// Host and port.
    address: String,
}

impl Driver {
    async fn start(engine: Engine) -> Self {
        let (program, arguments, install) = engine.driver();
        let child =
            Command::new(program).args(arguments).stdout(Stdio::piped()).kill_on_drop(true).spawn();
        let mut child = child.unwrap_or_else(|error| match error.kind() {
            ErrorKind::NotFound => panic!("{program} is not installed: {install}"),
            _ => panic!("{program} does not start: {error}"),
        });
        let mut lines = BufReader::new(child.stdout.take().expect("its output is piped")).lines();
        let port = timeout(LIMIT, async {
            while let Ok(Some(line)) = lines.next_line().await {
                if let Some(port) = engine.port(&line) {
                    return Some(port);
                }
            }
            None
        });
        let port = port.await.ok().flatten().expect("the driver says where it listens");
        // It must not fill the pipe.
        tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
        Self { child, address: format!("127.0.0.1:{port}") }
    }
}

/// What has to be ended in the end.
struct Session {
    id: String,
    pid: Option<Pid>,
    driver: Driver,
    profile: Option<TempDir>,
}

impl Drop for Session {
    fn drop(&mut self) {
        // The driver ends its browser when asked to; if it hangs, both are killed.
        let _ = self.delete();
        let _ = self.driver.child.start_kill();
        if let Some(pid) = self.pid {
            for _ in 0..100 {
                if test_kill_process(pid).is_err() {
                    break;
                }
                thread::sleep(Duration::from_millis(20));
            }
            let _ = kill_process(pid, Signal::KILL);
        }
        // The browser's last children may still be writing to it.
        if let Some(profile) = self.profile.take().map(TempDir::keep) {
            for _ in 0..100 {
                if fs::remove_dir_all(&profile).is_ok() {
                    break;
                }
                thread::sleep(Duration::from_millis(20));
            }
        }
    }
}

impl Session {
    /// By hand, because a destructor cannot wait for a future.
    fn delete(&self) -> std::io::Result<()> {
        let address = &self.driver.address;
        let mut stream = TcpStream::connect(address)?;
        stream.set_read_timeout(Some(Duration::from_secs(10)))?;
        let path = format!("/session/{}", self.id);
        write!(stream, "DELETE {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n")?;
        stream.read(&mut [0; 512]).map(drop)
    }
}
