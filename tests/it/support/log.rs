//! Captures the log for assertions.

use std::{
    io,
    sync::{Arc, Mutex, MutexGuard},
};

use tracing::{Dispatch, Level, subscriber::DefaultGuard};
use tracing_subscriber::{fmt::MakeWriter, util::SubscriberInitExt};

#[derive(Clone, Default)]
pub struct Log(Arc<Mutex<Vec<u8>>>);

/// Captures the log until it is dropped.
pub struct Guard {
    _guard: DefaultGuard,
    /// With a single dispatcher, `tracing` caches for all threads whether a log line is enabled, as
    /// decided by the first thread that reaches the line. That may be another test's thread, without
    /// a subscriber. A second dispatcher prevents that.
    _second: Dispatch,
}

impl Log {
    /// Captures what this thread logs from now on, through `log` and `tracing`.
    pub fn capture() -> (Self, Guard) {
        let log = Self::default();
        let second = Dispatch::new(tracing_subscriber::registry());
        let guard = tracing_subscriber::fmt()
            .with_max_level(Level::TRACE)
            .with_ansi(false)
            .with_writer(log.clone())
            .finish()
            .set_default();
        (log, Guard { _guard: guard, _second: second })
    }

    pub fn text(&self) -> String {
        let bytes = self.0.lock().expect("unpoisoned");
        String::from_utf8(bytes.clone()).expect("text")
    }

    pub fn count(&self, part: &str) -> usize {
        self.text().matches(part).count()
    }
}

pub struct Line<'a>(MutexGuard<'a, Vec<u8>>);

impl io::Write for Line<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Log {
    type Writer = Line<'a>;

    fn make_writer(&'a self) -> Self::Writer {
        Line(self.0.lock().expect("unpoisoned"))
    }
}
