//! The log of all requests and responses.

use std::fmt;

/// One request and its response.
#[derive(Clone, Debug)]
pub struct Exchange {
    pub method: String,
    pub path: String,
    /// The user-id in the `Authorization` header.
    pub user: Option<String>,
    /// Whether the request carried a session cookie.
    pub session: bool,
    /// Whether the request is a navigation.
    pub navigation: bool,
    /// Whether this is the request that Chromium sends when the user cancels its native dialog. It
    /// repeats the navigation without the requested credentials and shows the response. Under BiDi,
    /// Chromium sends no such request.
    pub repeated: bool,
    /// When the request arrived, in ticks of the log's clock.
    pub arrived: u64,
    /// The server's response, as soon as there is one.
    pub response: Option<LoggedResponse>,
}

#[derive(Clone, Copy, Debug)]
pub struct LoggedResponse {
    /// When the server's response reached the proxy, in ticks of the log's clock.
    pub at: u64,
    pub status: u16,
    /// Whether the response carries a Basic challenge. A browser that has no credentials for it
    /// opens a dialog.
    pub has_challenge: bool,
}

impl Exchange {
    /// Whether the response is a protected resource.
    #[must_use]
    pub fn is_admitted(&self) -> bool {
        self.path.starts_with("/admin/") && self.status() == Some(200)
    }

    #[must_use]
    pub fn is(&self, method: &str, path: &str) -> bool {
        self.method == method && self.path == path
    }

    #[must_use]
    pub fn status(&self) -> Option<u16> {
        self.response.map(|it| it.status)
    }
}

/// Shown as `GET /admin/ as alice, session: 200`. `nobody` means that the request carried no
/// credentials; `challenge` after the status means that the response carries a Basic challenge.
impl fmt::Display for Exchange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let user = self.user.as_deref().unwrap_or("nobody");
        let session = if self.session { ", session" } else { "" };
        write!(f, "{} {} as {user}{session}: ", self.method, self.path)?;
        match self.response {
            Some(LoggedResponse { status, has_challenge: true, .. }) => {
                write!(f, "{status} challenge")
            }
            Some(LoggedResponse { status, .. }) => write!(f, "{status}"),
            None => write!(f, "no response yet"),
        }
    }
}

/// Requests in the order in which they arrived.
#[derive(Clone, Debug, Default)]
pub struct Log(pub Vec<Exchange>);

impl Log {
    /// The exchanges that `wanted` accepts, as text.
    pub fn lines(&self, wanted: impl Fn(&Exchange) -> bool) -> Vec<String> {
        self.0.iter().filter(|it| wanted(it)).map(ToString::to_string).collect()
    }

    /// The requests that arrived after that tick.
    #[must_use]
    pub fn since(&self, tick: u64) -> Self {
        Self(self.0.iter().filter(|it| it.arrived > tick).cloned().collect())
    }
}

impl fmt::Display for Log {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|it| {
            let response = it.response.map(|it| it.at).unwrap_or_default();
            writeln!(f, "{:5} {response:5}  {it}", it.arrived)
        })
    }
}
