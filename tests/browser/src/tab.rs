//! A browser tab, with the actions of a user.

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
    dialogs::{Dialogs, OpenDialog},
    wait::wait_until,
    window::Window,
};

/// A tab in a separate window.
pub struct Tab {
    window: Window,
    dialogs: Arc<Dialogs>,
    origin: String,
    /// When the user last did something that loads a page.
    last_action: AtomicUsize,
    /// Where the search for the next dialog starts.
    next_dialog: AtomicUsize,
}

impl Tab {
    pub(crate) fn new(window: Window, dialogs: Arc<Dialogs>, origin: &str) -> Self {
        let (last_action, next_dialog) = Default::default();
        Self { window, dialogs, origin: origin.to_owned(), last_action, next_dialog }
    }

    /// Enters the URL of this path into the address bar.
    pub async fn visit(&self, path: &str) {
        self.visit_url(&format!("{}{path}", self.origin)).await;
    }

    /// Enters a complete URL into the address bar.
    pub async fn visit_url(&self, url: &str) {
        self.expect_page_load().await;
        if !self.dialogs.visit(self.window.name(), url).await {
            self.window.navigate(url).await;
        }
    }

    /// Presses the reload button.
    pub async fn reload(&self) {
        self.expect_page_load().await;
        if !self.dialogs.reload(self.window.name()).await {
            self.window.reload().await;
        }
    }

    /// Clicks the element that the selector finds.
    pub async fn click(&self, selector: &str) {
        // The pointer action does not scroll.
        let scroll = format!("document.querySelector({}).scrollIntoView()", json!(selector));
        self.evaluate(&scroll).await;
        self.expect_page_load().await;
        self.window.click(selector).await;
    }

    /// Presses the back button.
    pub async fn back(&self) {
        self.expect_page_load().await;
        self.window.back().await;
    }

    /// Runs this script in all further pages, before their own scripts.
    pub async fn add_preload_script(&self, script: &str) {
        let (bidi, context) = self.bidi();
        let function = format!("() => {{ {script} }}");
        let params = json!({ "functionDeclaration": function, "contexts": [context] });
        bidi.call("script.addPreloadScript", params).await;
    }

    /// Waits for the next dialog of this tab.
    pub async fn dialog(&self) -> Dialog<'_> {
        let next = async || self.dialogs.next(self.window.name(), &self.next_dialog).await;
        Dialog { tab: self, open: wait_until("a dialog opens", next).await }
    }

    /// Waits for the page that the last action leads to, and returns its text.
    pub async fn page(&self) -> String {
        wait_until("a page loads", async || {
            self.window.has_loaded(self.last_action.load(Ordering::SeqCst)).await.then_some(())
        })
        .await;
        let text = async || self.text().await.filter(|it| !it.trim().is_empty());
        wait_until("the loaded page has text", text).await
    }

    /// The text in the tab; `None` while the browser replaces one page by the next.
    pub async fn text(&self) -> Option<String> {
        let text = self.window.evaluate("document.body.innerText").await.ok()?;
        text.as_str().map(ToOwned::to_owned)
    }

    /// `Signed in as …` if the page contains that, otherwise its headline.
    pub(crate) async fn headline(&self) -> Option<String> {
        let headline = "/Signed in as \\w+/.exec(document.body.innerText)?.[0] \
                        ?? document.querySelector('h1').innerText";
        self.window.evaluate(headline).await.ok()?.as_str().map(ToOwned::to_owned)
    }

    /// Waits until the tab shows this text.
    pub async fn wait_for_text(&self, words: &str) {
        wait_until(&format!("the tab shows {words:?}"), async || {
            self.text().await.filter(|text| text.contains(words)).map(drop)
        })
        .await;
    }

    /// Evaluates an expression in the page and awaits the promise that it may return.
    ///
    /// # Panics
    ///
    /// If the expression throws, or the promise is rejected.
    pub async fn evaluate(&self, expression: &str) -> Value {
        match self.window.evaluate(expression).await {
            Ok(value) => value,
            Err(error) => panic!("{expression}: {error}"),
        }
    }

    /// Sets the preferred color scheme, `light` or `dark`. Chromium only.
    pub async fn set_color_scheme(&self, scheme: &str) {
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

    /// Sets the size of the viewport, in pixels.
    pub async fn resize(&self, width: u32, height: u32) {
        let (bidi, context) = self.bidi();
        let viewport = json!({ "width": width, "height": height });
        bidi.call(
            "browsingContext.setViewport",
            json!({ "context": context, "viewport": viewport }),
        )
        .await;
    }

    /// Saves a screenshot of the tab as a PNG file.
    pub async fn screenshot(&self, file: &Path) {
        let (bidi, context) = self.bidi();
        let shot = bidi.call("browsingContext.captureScreenshot", json!({ "context": context }));
        let shot = shot.await;
        let image = BASE64_STANDARD.decode(shot["data"].as_str().expect("an image"));
        fs::write(file, image.expect("base64")).expect("the file can be written");
    }

    /// Makes [`page`](Self::page) wait for a page that loads after this call.
    pub async fn expect_page_load(&self) {
        self.last_action.store(self.window.mark().await, Ordering::SeqCst);
    }

    fn bidi(&self) -> (&Bidi, &str) {
        match &self.window {
            Window::Bidi { bidi, context } => (bidi, context),
            Window::WebDriver(_) => panic!("classic WebDriver does not support this command"),
        }
    }
}

/// A dialog that asks for a user name and a password.
#[must_use = "a dialog stays open until it is answered"]
pub struct Dialog<'a> {
    tab: &'a Tab,
    open: OpenDialog,
}

impl Dialog<'_> {
    /// Submits these credentials.
    pub async fn submit(self, user: &str, password: &str) {
        self.close(Some((user, password))).await;
    }

    /// Cancels the dialog.
    pub async fn cancel(self) {
        self.close(None).await;
    }

    async fn close(self, credentials: Option<(&str, &str)>) {
        // Ignore an empty page that the browser may already have loaded below the dialog.
        if let Window::Bidi { .. } = self.tab.window {
            self.tab.expect_page_load().await;
        }
        self.tab.dialogs.close(&self.open, credentials).await;
    }
}
