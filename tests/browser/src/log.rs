//! What the server saw, and what it said.

use std::fmt;

/// One request and its answer.
#[derive(Clone, Debug)]
pub struct Exchange {
    pub method: String,
    pub path: String,
    /// The user-id of the `Authorization` header.
    pub user: Option<String>,
    /// Whether a session cookie came with it.
    pub session: bool,
    /// Whether the browser was opening a page.
    pub navigation: bool,
    /// Chromium sends a page's request once more when its dialog is cancelled, without the
    /// credentials that were asked for, and shows the answer. Over the protocol it does not.
    pub again: bool,
    /// When it arrived, and when its answer was ready to go out: ticks of one clock.
    pub arrived: u64,
    pub answered: Option<Answered>,
}

#[derive(Clone, Copy, Debug)]
pub struct Answered {
    pub at: u64,
    pub status: u16,
    /// Whether a browser opens a dialog over it, if it has nothing to answer by itself.
    pub asks: bool,
}

impl Exchange {
    /// Whether it was answered with what only users may see.
    #[must_use]
    pub fn let_in(&self) -> bool {
        self.path.starts_with("/admin/") && self.status() == Some(200)
    }

    #[must_use]
    pub fn is(&self, method: &str, path: &str) -> bool {
        self.method == method && self.path == path
    }

    #[must_use]
    pub fn status(&self) -> Option<u16> {
        self.answered.map(|it| it.status)
    }
}

/// `GET /admin/ as alice, session: 200`
impl fmt::Display for Exchange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let user = self.user.as_deref().unwrap_or("nobody");
        let session = if self.session { ", session" } else { "" };
        write!(f, "{} {} as {user}{session}: ", self.method, self.path)?;
        match self.answered {
            Some(Answered { status, asks: true, .. }) => write!(f, "{status} asks"),
            Some(Answered { status, .. }) => write!(f, "{status}"),
            None => write!(f, "on its way"),
        }
    }
}

/// Requests in the order in which they arrived.
#[derive(Clone, Debug, Default)]
pub struct Log(pub Vec<Exchange>);

impl Log {
    /// Those that are wanted, as text.
    pub fn lines(&self, wanted: impl Fn(&Exchange) -> bool) -> Vec<String> {
        self.0.iter().filter(|it| wanted(it)).map(ToString::to_string).collect()
    }

    /// Those that arrived after that tick.
    #[must_use]
    pub fn since(&self, tick: u64) -> Self {
        Self(self.0.iter().filter(|it| it.arrived > tick).cloned().collect())
    }
}

impl fmt::Display for Log {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|it| {
            let answered = it.answered.map(|it| it.at).unwrap_or_default();
            writeln!(f, "{:5} {answered:5}  {it}", it.arrived)
        })
    }
}
