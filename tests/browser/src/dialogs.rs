//! Where a browser asks for a password, and how it is told.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicUsize, Ordering},
};

use serde_json::{Value, json};

use crate::{
    bidi::Bidi,
    engine::Engine,
    proxy::Record,
    screen::{ESCAPE, RETURN, Screen, TAB},
    wait::until,
};

pub(crate) enum Dialogs {
    /// The browser asks its driver, once for each request.
    Reported { bidi: Arc<Bidi> },
    /// Firefox opens its dialog, which is reached from the scope of its own window.
    Firefox { bidi: Arc<Bidi>, chrome: String },
    /// The browser opens its dialog on a screen, and dims the page below it.
    OnScreen {
        screen: Box<Screen>,
        cancels_by_button: bool,
        record: Arc<Record>,
        seen: AtomicUsize,
        open: AtomicBool,
    },
}

/// A dialog that is open.
pub(crate) enum Open {
    Request(String),
    Number(u64),
    OnScreen,
}

impl Dialogs {
    pub(crate) async fn reported(bidi: Arc<Bidi>) -> Self {
        let events = json!({ "events": ["network.authRequired"] });
        bidi.call("session.subscribe", events).await;
        let phases = json!({ "phases": ["authRequired"] });
        bidi.call("network.addIntercept", phases).await;
        Self::Reported { bidi }
    }

    pub(crate) fn on_screen(engine: Engine, screen: Screen, record: Arc<Record>) -> Self {
        let (seen, open) = Default::default();
        let cancels_by_button = engine == Engine::WebKit;
        Self::OnScreen { screen: Box::new(screen), cancels_by_button, record, seen, open }
    }

    pub(crate) fn screen(&self) -> Option<&Screen> {
        match self {
            Self::OnScreen { screen, .. } => Some(screen),
            Self::Reported { .. } | Self::Firefox { .. } => None,
        }
    }

    pub(crate) async fn firefox(bidi: Arc<Bidi>) -> Self {
        let scope = json!({ "moz:scope": "chrome" });
        let tree = bidi.call("browsingContext.getTree", scope).await;
        let chrome = tree["contexts"][0]["context"].as_str().expect("a window").to_owned();
        bidi.evaluate(&chrome, FIREFOX).await.expect("a window's scope");
        Self::Firefox { bidi, chrome }
    }

    /// How many there were so far, in any tab.
    pub(crate) async fn count(&self) -> usize {
        match self {
            Self::Reported { bidi } => bidi.events().named("network.authRequired", 0).count(),
            Self::Firefox { bidi, chrome } => {
                let count = bidi.evaluate(chrome, "suite.dialogs.length").await;
                let count = count.expect("a window's scope").as_u64().expect("a length");
                usize::try_from(count).expect("a few")
            }
            Self::OnScreen { screen, seen, open, .. } => {
                let new = !open.load(Ordering::SeqCst) && screen.asks();
                seen.load(Ordering::SeqCst) + usize::from(new)
            }
        }
    }

    /// The next one in that tab, from a number on that is carried forward.
    pub(crate) async fn next(&self, context: &str, from: &AtomicUsize) -> Option<Open> {
        let begin = from.load(Ordering::SeqCst);
        match self {
            Self::Reported { bidi } => {
                let events = bidi.events();
                let mut asking = events.named("network.authRequired", begin);
                let (number, event) = asking.find(|(_, it)| it["context"] == *context)?;
                from.store(number + 1, Ordering::SeqCst);
                event["request"]["request"].as_str().map(|it| Open::Request(it.to_owned()))
            }
            Self::Firefox { bidi, chrome } => {
                let next = format!("suite.next({}, {begin})", json!(context));
                let number = bidi.evaluate(chrome, &next).await.ok()?.as_u64()?;
                from.store(usize::try_from(number).ok()? + 1, Ordering::SeqCst);
                Some(Open::Number(number))
            }
            Self::OnScreen { screen, seen, open, .. } => {
                if open.load(Ordering::SeqCst) || !screen.asks() {
                    return None;
                }
                open.store(true, Ordering::SeqCst);
                seen.fetch_add(1, Ordering::SeqCst);
                Some(Open::OnScreen)
            }
        }
    }

    /// Types the address where a person would, if that can be told from a navigation.
    pub(crate) async fn visit(&self, context: &str, url: &str) -> bool {
        let Self::Firefox { bidi, chrome } = self else { return false };
        let visit = format!("suite.visit({}, {})", json!(context), json!(url));
        bidi.evaluate(chrome, &visit).await.expect("an address bar");
        true
    }

    /// Presses the reload button, likewise.
    pub(crate) async fn reload(&self, context: &str) -> bool {
        let Self::Firefox { bidi, chrome } = self else { return false };
        let reload = format!("suite.reload({})", json!(context));
        bidi.evaluate(chrome, &reload).await.expect("a reload button");
        true
    }

    /// Closes it with a user name and a password, or without.
    pub(crate) async fn close(&self, dialog: &Open, credentials: Option<(&str, &str)>) {
        match (self, dialog) {
            (Self::Reported { bidi }, Open::Request(request)) => {
                let mut params = json!({ "request": request, "action": "cancel" });
                if let Some((username, password)) = credentials {
                    params["action"] = json!("provideCredentials");
                    params["credentials"] = json!({
                        "type": "password", "username": username, "password": password,
                    });
                }
                bidi.call("network.continueWithAuth", params).await;
            }
            (Self::Firefox { bidi, chrome }, Open::Number(number)) => {
                let credentials = credentials.map_or(Value::Null, |it| json!(it));
                let close = format!("suite.close({number}, {credentials})");
                bidi.evaluate(chrome, &close).await.expect("a dialog that is open");
            }
            (Self::OnScreen { screen, record, open, cancels_by_button, .. }, Open::OnScreen) => {
                // What comes of it may open the next one, which looks the same.
                let held = record.hold_all();
                match credentials {
                    Some((user, password)) => {
                        screen.type_text(user);
                        screen.press(TAB);
                        screen.type_text(password);
                        screen.press(RETURN);
                    }
                    // Escape would stop the loading in WebKit, which then shows nothing at all.
                    None if *cancels_by_button => {
                        screen.press(TAB);
                        screen.press(TAB);
                        screen.press(RETURN);
                    }
                    None => {
                        record.cancelled();
                        screen.press(ESCAPE);
                    }
                }
                until("the dialog closes", async || (!screen.is_dimmed()).then_some(())).await;
                open.store(false, Ordering::SeqCst);
                drop(held);
            }
            _ => unreachable!("one browser opens one kind of dialog"),
        }
    }
}

/// Keeps Firefox's dialogs for passwords in the order in which they have opened. It stops opening
/// them in a tab where a few were cancelled, until somebody types an address there or reloads.
const FIREFOX: &str = r#"void (() => {
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
