//! A classic WebDriver session, for the browser that does not support BiDi.

use std::sync::Arc;

use serde_json::{Value, json};
use tokio::time::timeout;

use crate::{http, wait::TIMEOUT};

pub(crate) struct WebDriver {
    /// Host and port of the driver.
    pub(crate) address: String,
    /// The session's path.
    pub(crate) session: String,
}

impl WebDriver {
    /// Sends a command and returns the value of the driver's response.
    pub(crate) async fn post(&self, command: &str, body: Value) -> Result<Value, String> {
        let path = format!("{}/{command}", self.session);
        let answer = timeout(TIMEOUT, http::post(&self.address, &path, &body)).await;
        let answer =
            answer.map_err(|_| format!("{command}: the driver did not respond in time"))?;
        let value = answer.map_err(|error| error.to_string())?["value"].take();
        match value["error"].as_str() {
            Some(error) => Err(format!("{command}: {error}: {}", value["message"])),
            None => Ok(value),
        }
    }

    /// Sends a command and does not wait for its response. The driver responds when the page has
    /// loaded, which may be after a dialog.
    pub(crate) fn begin(self: &Arc<Self>, command: &'static str, body: Value) {
        let it = Arc::clone(self);
        tokio::spawn(async move { it.post(command, body).await });
    }

    /// Evaluates an expression in the page and awaits the promise that it may return.
    pub(crate) async fn evaluate(&self, expression: &str) -> Result<Value, String> {
        let script = format!(
            "const done = arguments[arguments.length - 1];
             Promise.resolve().then(() => ({expression}))
                 .then(value => done({{ value }}), error => done({{ error: String(error) }}));"
        );
        let mut answer =
            self.post("execute/async", json!({ "script": script, "args": [] })).await?;
        match answer["error"].as_str() {
            Some(error) => Err(error.to_owned()),
            None => Ok(answer["value"].take()),
        }
    }
}
