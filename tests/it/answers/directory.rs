//! An authenticator whose answers a test chooses, and whose checks it counts and holds.

use std::sync::Mutex;

use actix_basic_logout::{Authenticator, Verdict};
use tokio::sync::Semaphore;

use super::*;

type Judge = Box<dyn Fn(&BasicAuth) -> Result<Verdict, Error> + Send + Sync>;

#[derive(Clone)]
pub(super) struct Directory {
    judge: Arc<Mutex<Judge>>,
    checks: Arc<AtomicU64>,
    /// One permit for each check that may end. It is acquired after the check has its answer.
    gate: Arc<Semaphore>,
}

impl Directory {
    pub(super) fn new(judge: impl Fn(&BasicAuth) -> Verdict + Send + Sync + 'static) -> Self {
        let judge: Judge = Box::new(move |it| Ok(judge(it)));
        let gate = Arc::new(Semaphore::new(Semaphore::MAX_PERMITS));
        Self { judge: Arc::new(Mutex::new(judge)), checks: Arc::default(), gate }
    }

    pub(super) fn change(&self, judge: impl Fn(&BasicAuth) -> Verdict + Send + Sync + 'static) {
        self.fail_or(move |it| Ok(judge(it)));
    }

    pub(super) fn fail_or(
        &self,
        judge: impl Fn(&BasicAuth) -> Result<Verdict, Error> + Send + Sync + 'static,
    ) {
        *self.judge.lock().expect("unpoisoned") = Box::new(judge);
    }

    /// The number of checks since the last call.
    pub(super) fn checks(&self) -> u64 {
        self.checks.swap(0, Relaxed)
    }

    pub(super) fn hold(&self) {
        self.gate.forget_permits(Semaphore::MAX_PERMITS);
    }

    pub(super) fn release(&self, checks: usize) {
        self.gate.add_permits(checks);
    }
}

impl Authenticator for Directory {
    fn authenticate<'a>(
        &'a self,
        _: &'a HttpRequest,
        credentials: &'a BasicAuth,
    ) -> LocalBoxFuture<'a, Result<Verdict, Error>> {
        Box::pin(async move {
            self.checks.fetch_add(1, Relaxed);
            let verdict = self.judge.lock().expect("unpoisoned")(credentials);
            self.gate.acquire().await.expect("open").forget();
            verdict
        })
    }
}
