//! Waits for a condition.

use std::time::Duration;

/// How long a single step may take. Generous, because the machine may be busy.
pub(crate) const TIMEOUT: Duration = Duration::from_secs(30);

/// Polls `condition` every 25 ms until it returns a value.
///
/// # Panics
///
/// With `what` in the message, if the condition returns nothing within 30 seconds.
pub async fn wait_until<T>(what: &str, mut condition: impl AsyncFnMut() -> Option<T>) -> T {
    let asking = async {
        loop {
            if let Some(it) = condition().await {
                return it;
            }
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
    };
    match tokio::time::timeout(TIMEOUT, asking).await {
        Ok(it) => it,
        Err(_) => panic!("timed out after {} s: {what}", TIMEOUT.as_secs()),
    }
}
