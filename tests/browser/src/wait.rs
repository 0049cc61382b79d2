//! Waiting for a condition.

use std::time::Duration;

/// How long anything may take on a machine that is busy with something else.
pub(crate) const LIMIT: Duration = Duration::from_secs(30);

/// Asks again and again until the condition holds; panics with `what` if it does not in time.
pub async fn until<T>(what: &str, mut condition: impl AsyncFnMut() -> Option<T>) -> T {
    let asking = async {
        loop {
            if let Some(it) = condition().await {
                return it;
            }
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
    };
    match tokio::time::timeout(LIMIT, asking).await {
        Ok(it) => it,
        Err(_) => panic!("waited {} s in vain: {what}", LIMIT.as_secs()),
    }
}
