//! Finds the password dialogs of a browser, answers and counts them.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicUsize, Ordering},
};

use serde_json::{Value, json};

use crate::{
    bidi::Bidi,
    engine::Engine,
    proxy::Recorder,
    screen::{ESCAPE, RETURN, Screen, TAB},
    wait::wait_until,
};

pub(crate) enum Dialogs {
    /// The browser opens no dialog. It reports each challenged request to its driver.
    Intercepted { bidi: Arc<Bidi> },
    /// Firefox opens its native dialog. The suite reaches it from the chrome context, in which the
    /// browser's own window runs.
    Firefox { bidi: Arc<Bidi>, chrome: String },
    /// The browser opens its native dialog on a virtual screen, and dims the page below it.
    OnScreen {
        screen: Box<Screen>,
        cancels_by_button: bool,
        recorder: Arc<Recorder>,
        seen: AtomicUsize,
        open: AtomicBool,
    },
}

/// An open dialog: the id of the intercepted request, the index of Firefox's dialog, or the only
/// dialog on the screen.
pub(crate) enum OpenDialog {
    Request(String),
    Number(u64),
    OnScreen,
}

impl Dialogs {
    pub(crate) async fn intercepted(bidi: Arc<Bidi>) -> Self {
        let events = json!({ "events": ["network.authRequired"] });
        bidi.call("session.subscribe", events).await;
        let phases = json!({ "phases": ["authRequired"] });
        bidi.call("network.addIntercept", phases).await;
        Self::Intercepted { bidi }
    }

    pub(crate) fn on_screen(engine: Engine, screen: Screen, recorder: Arc<Recorder>) -> Self {
        let (seen, open) = Default::default();
        let cancels_by_button = engine == Engine::WebKit;
        Self::OnScreen { screen: Box::new(screen), cancels_by_button, recorder, seen, open }
    }

    pub(crate) fn screen(&self) -> Option<&Screen> {
        match self {
            Self::OnScreen { screen, .. } => Some(screen),
            Self::Intercepted { .. } | Self::Firefox { .. } => None,
        }
    }

    pub(crate) async fn firefox(bidi: Arc<Bidi>) -> Self {
        let scope = json!({ "moz:scope": "chrome" });
        let tree = bidi.call("browsingContext.getTree", scope).await;
        let chrome = tree["contexts"][0]["context"].as_str().expect("a browser window").to_owned();
        bidi.evaluate(&chrome, FIREFOX_SCRIPT).await.expect("the chrome context responds");
        Self::Firefox { bidi, chrome }
    }

    /// How many dialogs have opened so far, in all tabs.
    pub(crate) async fn count(&self) -> usize {
        match self {
            Self::Intercepted { bidi } => bidi.events().named("network.authRequired", 0).count(),
            Self::Firefox { bidi, chrome } => {
                let count = bidi.evaluate(chrome, "suite.dialogs.length").await;
                let count = count.expect("the chrome context responds").as_u64().expect("a length");
                usize::try_from(count).expect("a small number")
            }
            Self::OnScreen { screen, seen, open, .. } => {
                let new = !open.load(Ordering::SeqCst) && screen.shows_dialog();
                seen.load(Ordering::SeqCst) + usize::from(new)
            }
        }
    }

    /// The next dialog of a tab. The search starts at index `from` and moves that index past the
    /// dialog that it finds.
    pub(crate) async fn next(&self, context: &str, from: &AtomicUsize) -> Option<OpenDialog> {
        let begin = from.load(Ordering::SeqCst);
        match self {
            Self::Intercepted { bidi } => {
                let events = bidi.events();
                let mut asking = events.named("network.authRequired", begin);
                let (number, event) = asking.find(|(_, it)| it["context"] == *context)?;
                from.store(number + 1, Ordering::SeqCst);
                event["request"]["request"].as_str().map(|it| OpenDialog::Request(it.to_owned()))
            }
            Self::Firefox { bidi, chrome } => {
                let next = format!("suite.next({}, {begin})", json!(context));
                let number = bidi.evaluate(chrome, &next).await.ok()?.as_u64()?;
                from.store(usize::try_from(number).ok()? + 1, Ordering::SeqCst);
                Some(OpenDialog::Number(number))
            }
            Self::OnScreen { screen, seen, open, .. } => {
                if open.load(Ordering::SeqCst) || !screen.shows_dialog() {
                    return None;
                }
                open.store(true, Ordering::SeqCst);
                seen.fetch_add(1, Ordering::SeqCst);
                Some(OpenDialog::OnScreen)
            }
        }
    }

    /// Enters the URL into the address bar, if the browser treats that differently from a
    /// navigation by the driver. Returns whether it did.
    pub(crate) async fn visit(&self, context: &str, url: &str) -> bool {
        let Self::Firefox { bidi, chrome } = self else { return false };
        let visit = format!("suite.visit({}, {})", json!(context), json!(url));
        bidi.evaluate(chrome, &visit).await.expect("the window has an address bar");
        true
    }

    /// Presses the reload button, under the same condition.
    pub(crate) async fn reload(&self, context: &str) -> bool {
        let Self::Firefox { bidi, chrome } = self else { return false };
        let reload = format!("suite.reload({})", json!(context));
        bidi.evaluate(chrome, &reload).await.expect("the window has a reload button");
        true
    }

    /// Submits these credentials, or cancels the dialog if there are none.
    pub(crate) async fn close(&self, dialog: &OpenDialog, credentials: Option<(&str, &str)>) {
        match (self, dialog) {
            (Self::Intercepted { bidi }, OpenDialog::Request(request)) => {
                let mut params = json!({ "request": request, "action": "cancel" });
                if let Some((username, password)) = credentials {
                    params["action"] = json!("provideCredentials");
                    params["credentials"] = json!({
                        "type": "password", "username": username, "password": password,
                    });
                }
                bidi.call("network.continueWithAuth", params).await;
            }
            (Self::Firefox { bidi, chrome }, OpenDialog::Number(number)) => {
                let credentials = credentials.map_or(Value::Null, |it| json!(it));
                let close = format!("suite.close({number}, {credentials})");
                bidi.evaluate(chrome, &close).await.expect("the dialog is open");
            }
            (
                Self::OnScreen { screen, recorder, open, cancels_by_button, .. },
                OpenDialog::OnScreen,
            ) => {
                // The next response may open another dialog, which looks the same. Hold back
                // requests until this dialog has closed.
                let held = recorder.hold_all();
                match credentials {
                    Some((user, password)) => {
                        screen.type_text(user);
                        screen.press(TAB);
                        screen.type_text(password);
                        screen.press(RETURN);
                    }
                    // In WebKit, Escape would also stop the page load, and the page would stay
                    // empty.
                    None if *cancels_by_button => {
                        screen.press(TAB);
                        screen.press(TAB);
                        screen.press(RETURN);
                    }
                    None => {
                        recorder.dialog_cancelled();
                        screen.press(ESCAPE);
                    }
                }
                wait_until("the dialog closes", async || (!screen.is_dimmed()).then_some(())).await;
                open.store(false, Ordering::SeqCst);
                drop(held);
            }
            _ => unreachable!("each browser has one kind of dialog"),
        }
    }
}

/// Runs in Firefox's chrome context and stores the password dialogs in the order in which they
/// open. It also uses the address bar and the reload button: after three cancelled dialogs in a
/// tab, Firefox opens no more until the user enters a URL there or reloads the page.
const FIREFOX_SCRIPT: &str = r#"void (() => {
    const { NavigableManager } = ChromeUtils.importESModule(
        "chrome://remote/content/shared/NavigableManager.sys.mjs");
    const dialogs = [];
    const window = context => NavigableManager.getBrowsingContextById(context).topChromeWindow;
    globalThis.suite = {
        dialogs,
        visit(context, url) {
            const { gURLBar } = window(context);
            gURLBar.value = url;
            gURLBar.handleCommand();
        },
        reload(context) {
            window(context).BrowserCommands.reload();
        },
        next(context, from) {
            const number = dialogs.findIndex((it, number) => number >= from && it.context === context);
            return number < 0 ? null : number;
        },
        close(number, credentials) {
            const { ui } = dialogs[number].dialog;
            if (credentials) {
                [ui.loginTextbox.value, ui.password1Textbox.value] = credentials;
                ui.button0.disabled = false;
                ui.button0.click();
            } else {
                ui.button1.click();
            }
        },
    };
    Services.obs.addObserver(({ Dialog: dialog }) => {
        if (dialog.args.promptType !== "promptUserAndPass") return;
        const context = NavigableManager.getIdForBrowsingContext(dialog.args.owningBrowsingContext);
        dialogs.push({ dialog, context });
    }, "common-dialog-loaded");
})()"#;
