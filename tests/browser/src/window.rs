//! A browser window, controlled by BiDi or by classic WebDriver.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::{bidi::Bidi, webdriver::WebDriver};

pub(crate) enum Window {
    Bidi { bidi: Arc<Bidi>, context: String },
    WebDriver(Arc<WebDriver>),
}

/// A point in time: [`Window::has_loaded`] ignores pages that loaded before it.
pub(crate) type Mark = usize;

impl Window {
    /// The name by which dialogs are assigned to windows. Classic WebDriver has only one window.
    pub(crate) fn name(&self) -> &str {
        match self {
            Self::Bidi { context, .. } => context,
            Self::WebDriver(_) => "",
        }
    }

    /// Starts a navigation and does not wait for it.
    pub(crate) async fn navigate(&self, url: &str) {
        match self {
            Self::Bidi { bidi, context } => {
                let params = json!({ "context": context, "url": url, "wait": "none" });
                // The command ends when the server has responded, which may be after a dialog.
                let bidi = Arc::clone(bidi);
                tokio::spawn(
                    async move { bidi.try_call("browsingContext.navigate", params).await },
                );
            }
            Self::WebDriver(it) => it.begin("url", json!({ "url": url })),
        }
    }

    pub(crate) async fn reload(&self) {
        match self {
            Self::Bidi { bidi, context } => {
                let params = json!({ "context": context, "wait": "none" });
                let bidi = Arc::clone(bidi);
                tokio::spawn(async move { bidi.try_call("browsingContext.reload", params).await });
            }
            Self::WebDriver(it) => it.begin("refresh", json!({})),
        }
    }

    pub(crate) async fn back(&self) {
        match self {
            Self::Bidi { bidi, context } => {
                let params = json!({ "context": context, "delta": -1 });
                bidi.call("browsingContext.traverseHistory", params).await;
            }
            Self::WebDriver(it) => it.begin("back", json!({})),
        }
    }

    /// Moves the pointer to the element that the selector finds, and clicks. Does not wait for a
    /// page.
    pub(crate) async fn click(&self, selector: &str) {
        let locator = json!({ "type": "css", "value": selector });
        let (element, key) = match self {
            Self::Bidi { bidi, context } => {
                let params = json!({ "context": context, "locator": locator });
                let found = bidi.call("browsingContext.locateNodes", params).await;
                (found["nodes"][0]["sharedId"].clone(), "sharedId")
            }
            Self::WebDriver(it) => {
                let wanted = json!({ "using": "css selector", "value": selector });
                let found = it.post("element", wanted).await.unwrap_or_default();
                (found[ELEMENT].clone(), ELEMENT)
            }
        };
        assert!(element.is_string(), "the page has no element {selector}");
        let element = json!({ key: element });
        match self {
            Self::Bidi { bidi, context } => {
                let origin = json!({ "type": "element", "element": element });
                let params = json!({ "context": context, "actions": press(&origin) });
                bidi.call("input.performActions", params).await;
            }
            Self::WebDriver(it) => {
                let actions = json!({ "actions": press(&element) });
                it.post("actions", actions).await.expect("the element can be clicked");
            }
        }
    }

    pub(crate) async fn evaluate(&self, expression: &str) -> Result<Value, String> {
        match self {
            Self::Bidi { bidi, context } => bidi.evaluate(context, expression).await,
            Self::WebDriver(it) => it.evaluate(expression).await,
        }
    }

    /// Marks the current point in time, before an action that loads a page.
    pub(crate) async fn mark(&self) -> Mark {
        match self {
            Self::Bidi { bidi, .. } => bidi.events().len(),
            Self::WebDriver(it) => {
                it.evaluate("void (window.left = true)").await.expect("the page runs scripts");
                0
            }
        }
    }

    /// Whether a page has loaded since that mark.
    pub(crate) async fn has_loaded(&self, since: Mark) -> bool {
        match self {
            Self::Bidi { bidi, context } => {
                let events = bidi.events();
                let mut loaded = events.named("browsingContext.load", since);
                loaded.any(|(_, it)| it["context"] == *context)
            }
            Self::WebDriver(it) => {
                let loaded = "!window.left && document.readyState === 'complete'";
                it.evaluate(loaded).await == Ok(Value::Bool(true))
            }
        }
    }
}

/// The key of an element's id in WebDriver's JSON (the web element identifier).
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";

/// The actions of a click at the center of this element.
fn press(origin: &Value) -> Value {
    let actions = json!([
        { "type": "pointerMove", "x": 0, "y": 0, "duration": 0, "origin": origin },
        { "type": "pointerDown", "button": 0 },
        { "type": "pointerUp", "button": 0 },
    ]);
    json!([{ "type": "pointer", "id": "mouse", "actions": actions }])
}
