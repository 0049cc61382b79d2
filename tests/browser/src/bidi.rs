//! A WebDriver BiDi connection: commands, their results, and events.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use futures_util::{
    SinkExt, StreamExt,
    stream::{SplitSink, SplitStream},
};
use serde_json::{Value, json};
use tokio::{
    net::TcpStream,
    sync::{Mutex as AsyncMutex, oneshot},
    time::timeout,
};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async, tungstenite::Message};

use crate::wait::TIMEOUT;

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;
pub(crate) type CommandResult = Result<Value, String>;

pub(crate) struct Bidi {
    sink: AsyncMutex<SplitSink<Socket, Message>>,
    next: AtomicU64,
    inbox: Arc<Inbox>,
}

#[derive(Default)]
struct Inbox {
    waiting: Mutex<HashMap<u64, oneshot::Sender<CommandResult>>>,
    events: Mutex<Vec<Value>>,
}

impl Bidi {
    pub(crate) async fn connect(url: &str) -> Self {
        let (socket, _) = connect_async(url).await.expect("the driver accepts the WebSocket");
        let (sink, stream) = socket.split();
        let inbox = Arc::<Inbox>::default();
        tokio::spawn(read(stream, Arc::clone(&inbox)));
        Self { sink: AsyncMutex::new(sink), next: AtomicU64::new(1), inbox }
    }

    /// Sends a command and returns its result.
    ///
    /// # Panics
    ///
    /// If the command fails.
    pub(crate) async fn call(&self, method: &str, params: Value) -> Value {
        let shown = params.to_string();
        match self.try_call(method, params).await {
            Ok(result) => result,
            Err(error) => panic!("{method} {shown}: {error}"),
        }
    }

    /// Sends a command and returns its result, or an error after 30 seconds.
    pub(crate) async fn try_call(&self, method: &str, params: Value) -> CommandResult {
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        let (sender, receiver) = oneshot::channel();
        lock(&self.inbox.waiting).insert(id, sender);
        let command = json!({ "id": id, "method": method, "params": params }).to_string();
        let sent = self.sink.lock().await.send(Message::text(command)).await;
        sent.map_err(|error| error.to_string())?;
        match timeout(TIMEOUT, receiver).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(_)) => Err("the browser closed the connection".to_owned()),
            Err(_) => Err(format!("no response within {} s", TIMEOUT.as_secs())),
        }
    }

    /// Evaluates an expression in a browsing context and awaits the promise that it may return.
    pub(crate) async fn evaluate(&self, context: &str, expression: &str) -> CommandResult {
        let params = json!({
            "expression": expression,
            "target": { "context": context },
            "awaitPromise": true,
            "userActivation": true,
        });
        let evaluated = self.try_call("script.evaluate", params).await?;
        if evaluated["type"] == "success" {
            Ok(evaluated["result"]["value"].clone())
        } else {
            Err(evaluated["exceptionDetails"]["text"].to_string())
        }
    }

    /// All events that the browser has reported so far, oldest first.
    pub(crate) fn events(&self) -> Events<'_> {
        Events(lock(&self.inbox.events))
    }
}

pub(crate) struct Events<'a>(MutexGuard<'a, Vec<Value>>);

impl Events<'_> {
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// The events of one method, starting at index `from`, each with its index.
    pub(crate) fn named<'a>(
        &'a self,
        method: &'a str,
        from: usize,
    ) -> impl Iterator<Item = (usize, &'a Value)> {
        self.0
            .iter()
            .enumerate()
            .skip(from)
            .filter(move |(_, event)| event["method"] == method)
            .map(|(number, event)| (number, &event["params"]))
    }
}

async fn read(mut stream: SplitStream<Socket>, inbox: Arc<Inbox>) {
    while let Some(Ok(message)) = stream.next().await {
        let Ok(text) = message.to_text() else { continue };
        let Ok(message) = serde_json::from_str::<Value>(text) else { continue };
        match message["id"].as_u64() {
            None if message["type"] == "event" => lock(&inbox.events).push(message),
            None => {}
            Some(id) => {
                let Some(sender) = lock(&inbox.waiting).remove(&id) else { continue };
                let answer = if message["type"] == "success" {
                    Ok(message["result"].clone())
                } else {
                    Err(format!("{}: {}", message["error"], message["message"]))
                };
                // The caller may have stopped waiting.
                let _ = sender.send(answer);
            }
        }
    }
    lock(&inbox.waiting).clear();
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
