//! A tab, and what a person does with it.

use std::{
    fs,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use serde_json::{Value, json};

use crate::{
    bidi::Bidi,
    dialogs::{Dialogs, Open},
    wait::until,
    window::Window,
};

/// A tab, in a window of its own.
pub struct Tab {
    window: Window,
    dialogs: Arc<Dialogs>,
    origin: String,
    /// When its user did something last.
    acted: AtomicUsize,
    /// From where on the next dialog is looked for.
    asked: AtomicUsize,
}

impl Tab {
    pub(crate) fn new(window: Window, dialogs: Arc<Dialogs>, origin: &str) -> Self {
        let (acted, asked) = Default::default();
        Self { window, dialogs, origin: origin.to_owned(), acted, asked }
    }

    /// Types the path into the address bar.
    pub async fn visit(&self, path: &str) {
        self.visit_elsewhere(&format!("{}{path}", self.origin)).await;
    }

    /// Types a whole address into the address bar.
    pub async fn visit_elsewhere(&self, url: &str) {
        self.act().await;
        if !self.dialogs.visit(self.window.name(), url).await {
            self.window.navigate(url).await;
        }
    }

    /// The reload button.
    pub async fn reload(&self) {
        self.act().await;
        if !self.dialogs.reload(self.window.name()).await {
            self.window.reload().await;
        }
    }

    /// Clicks what the selector finds.
    pub async fn click(&self, selector: &str) {
        // The mouse does not scroll.
        let scroll = format!("document.querySelector({}).scrollIntoView()", json!(selector));
        self.evaluate(&scroll).await;
        self.act().await;
        self.window.click(selector).await;
    }

    /// The back button.
    pub async fn back(&self) {
        self.act().await;
        self.window.back().await;
    }

    /// From now on pages have this script run before their own.
    pub async fn run_first(&self, script: &str) {
        let (bidi, context) = self.bidi();
        let function = format!("() => {{ {script} }}");
        let params = json!({ "functionDeclaration": function, "contexts": [context] });
        bidi.call("script.addPreloadScript", params).await;
    }

    /// The next dialog of this tab that has not been seen yet.
    pub async fn dialog(&self) -> Dialog<'_> {
        let next = async || self.dialogs.next(self.window.name(), &self.asked).await;
        Dialog { tab: self, open: until("a dialog opens", next).await }
    }

    /// Waits for the page that the last visit, click or answer leads to, and reads it.
    pub async fn page(&self) -> String {
        until("a page loads", async || {
            self.window.has_loaded(self.acted.load(Ordering::SeqCst)).await.then_some(())
        })
        .await;
        let text = async || self.text().await.filter(|it| !it.trim().is_empty());
        until("a page that has loaded can be read", text).await
    }

    /// What is to be read in the tab now; nothing while one page gives way to the next.
    pub async fn text(&self) -> Option<String> {
        let text = self.window.evaluate("document.body.innerText").await.ok()?;
        text.as_str().map(ToOwned::to_owned)
    }

    /// What the page says first of all: who is signed in, or else its headline.
    pub(crate) async fn headline(&self) -> Option<String> {
        let headline = "/Signed in as \\w+/.exec(document.body.innerText)?.[0] \
                        ?? document.querySelector('h1').innerText";
        self.window.evaluate(headline).await.ok()?.as_str().map(ToOwned::to_owned)
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
        match self.window.evaluate(expression).await {
            Ok(value) => value,
            Err(error) => panic!("{expression}: {error}"),
        }
    }

    /// Whether pages are to be `light` or `dark`; in Chromium alone.
    pub async fn prefer(&self, scheme: &str) {
        let (bidi, context) = self.bidi();
        let session = bidi.call("goog:cdp.getSession", json!({ "context": context })).await;
        let feature = json!({ "name": "prefers-color-scheme", "value": scheme });
        let command = json!({
            "method": "Emulation.setEmulatedMedia",
            "params": { "features": [feature] },
            "session": session["session"],
        });
        bidi.call("goog:cdp.sendCommand", command).await;
    }

    /// How much of a page is seen at once, in pixels.
    pub async fn resize(&self, width: u32, height: u32) {
        let (bidi, context) = self.bidi();
        let viewport = json!({ "width": width, "height": height });
        bidi.call(
            "browsingContext.setViewport",
            json!({ "context": context, "viewport": viewport }),
        )
        .await;
    }

    /// What the tab looks like, as PNG.
    pub async fn screenshot(&self, file: &Path) {
        let (bidi, context) = self.bidi();
        let shot = bidi.call("browsingContext.captureScreenshot", json!({ "context": context }));
        let shot = shot.await;
        let image = BASE64_STANDARD.decode(shot["data"].as_str().expect("an image"));
        fs::write(file, image.expect("base64")).expect("the file can be written");
    }

    /// Says that what comes now leads to another [page](Self::page).
    pub async fn act(&self) {
        self.acted.store(self.window.mark().await, Ordering::SeqCst);
    }

    fn bidi(&self) -> (&Bidi, &str) {
        match &self.window {
            Window::Bidi { bidi, context } => (bidi, context),
            Window::WebDriver(_) => panic!("this browser's protocol has nothing for that"),
        }
    }
}

/// A dialog that wants a user name and a password.
#[must_use = "a dialog stays open until it is answered"]
pub struct Dialog<'a> {
    tab: &'a Tab,
    open: Open,
}

impl Dialog<'_> {
    pub async fn answer(self, user: &str, password: &str) {
        self.close(Some((user, password))).await;
    }

    pub async fn cancel(self) {
        self.close(None).await;
    }

    async fn close(self, credentials: Option<(&str, &str)>) {
        // A browser may have shown an empty page under its dialog.
        if let Window::Bidi { .. } = self.tab.window {
            self.tab.act().await;
        }
        self.tab.dialogs.close(&self.open, credentials).await;
    }
}
