//! The credentials that a browser holds, the requests that carry them, and the browser's reaction
//! to a challenge.
//!
//! The rules were measured in Chromium, Firefox, WebKit and w3m. [`Browser`](super::Browser) follows
//! them, and so does the model of a browser in this crate's own tests.

/// A browser engine. The engines differ in HTTP authentication.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Engine {
    /// The default. It drops refused credentials on any 401, also without a challenge that it
    /// knows. When the user cancels the dialog over a navigation, it repeats the request without
    /// credentials and shows that response.
    #[default]
    Chromium,
    /// It drops the credentials of all realms of an origin at once. On a 401 without a challenge
    /// that it knows, it keeps them.
    Firefox,
    /// It drops refused credentials on any 401, and sends none with a `WebSocket` handshake. It
    /// sends credentials to each path that begins with the directory without its last slash: after
    /// a login in `/admin/` also to `/administrators`.
    WebKit,
    /// The text browser w3m, which counts as a
    /// [`SimpleBrowser`](crate::RequestKind::SimpleBrowser). It sends no credentials before a
    /// challenge, and answers each challenge with those that it holds. It keeps refused credentials
    /// until its user types others. It runs no scripts.
    W3m,
}

/// Credentials of a realm.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "this crate's tests build it")]
pub struct Held<C> {
    /// The realm to which they belong.
    pub realm: String,
    /// A user-id and a password.
    pub credentials: C,
}

/// The cause of a browser's request.
#[derive(Clone, Debug)]
#[expect(clippy::exhaustive_enums, reason = "this crate's tests match it")]
pub enum Initiator<C> {
    /// A navigation or a subresource of a page. A challenge may open a dialog.
    Page,
    /// A `WebSocket` handshake. It never opens a dialog.
    WebSocket,
    /// An `XMLHttpRequest` to which a script gave credentials. It never opens a dialog.
    Script(Held<C>),
    /// A navigation that the browser repeats because the user cancelled its dialog. It carries no
    /// credentials and never opens a dialog.
    AfterCancel,
}

/// The reaction of a browser to a challenge.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "this crate's tests match it")]
pub enum Reaction<C> {
    /// It repeats the request with these credentials, without a dialog.
    Repeat(Held<C>),
    /// It opens a dialog.
    Ask,
    /// It shows the response.
    Show,
}

#[derive(Debug)]
struct Entry<C> {
    origin: String,
    held: Held<C>,
    directories: Vec<String>,
}

/// The credentials that a browser holds for each origin and realm, and the directories to which it
/// sends them without a challenge ([RFC 7617, section
/// 2.2](https://www.rfc-editor.org/rfc/rfc7617#section-2.2)).
#[derive(Debug)]
pub struct AuthCache<C> {
    engine: Engine,
    entries: Vec<Entry<C>>,
}

/// A path up to its last slash.
fn directory(path: &str) -> &str {
    path.rfind('/').map_or("/", |slash| &path[..=slash])
}

impl<C: Clone + PartialEq> AuthCache<C> {
    /// An empty cache.
    #[must_use]
    pub const fn new(engine: Engine) -> Self {
        Self { engine, entries: Vec::new() }
    }

    /// The engine that the cache behaves like.
    #[must_use]
    pub const fn engine(&self) -> Engine {
        self.engine
    }

    /// The credentials for a realm of an origin.
    #[must_use]
    pub fn get(&self, origin: &str, realm: &str) -> Option<&Held<C>> {
        self.entries_of(origin).map(|entry| &entry.held).find(|held| held.realm == realm)
    }

    /// The realms of an origin for which the cache holds credentials.
    pub fn realms(&self, origin: &str) -> impl Iterator<Item = &str> {
        self.entries_of(origin).map(|entry| &*entry.held.realm)
    }

    fn entries_of(&self, origin: &str) -> impl Iterator<Item = &Entry<C>> {
        self.entries.iter().filter(move |entry| entry.origin == origin)
    }

    /// The credentials that a request carries before any challenge.
    #[must_use]
    pub fn sends(&self, origin: &str, path: &str, initiator: &Initiator<C>) -> Option<Held<C>> {
        match (initiator, self.engine) {
            (Initiator::AfterCancel, _)
            | (Initiator::Page, Engine::W3m)
            | (Initiator::WebSocket, Engine::WebKit)
            | (Initiator::Script(_), Engine::Chromium) => None,
            (Initiator::Script(own), _) => Some(own.clone()),
            _ => self.covering(origin, path),
        }
    }

    /// The credentials with the longest directory that contains a path.
    fn covering(&self, origin: &str, path: &str) -> Option<Held<C>> {
        let contains = |directory: &String| match self.engine {
            Engine::WebKit => path.starts_with(directory.trim_end_matches('/')),
            _ => path.starts_with(directory),
        };
        let longest = |entry: &&Entry<C>| {
            entry.directories.iter().filter(|it| contains(it)).map(String::len).max()
        };
        let covering = self.entries_of(origin).filter(|entry| longest(entry).is_some());
        covering.max_by_key(longest).map(|entry| entry.held.clone())
    }

    /// Stores credentials that the browser sent to a path in answer to a challenge.
    pub fn insert(&mut self, origin: &str, path: &str, held: Held<C>) {
        let directory = directory(path).to_owned();
        let mut entries = self.entries.iter_mut().filter(|entry| entry.origin == origin);
        match entries.find(|entry| entry.held.realm == held.realm) {
            Some(entry) => {
                entry.held = held;
                entry.directories.push(directory);
            }
            None => self.entries.push(Entry {
                origin: origin.to_owned(),
                held,
                directories: vec![directory],
            }),
        }
    }

    /// Drops refused credentials, unless other credentials have replaced them since.
    fn remove(&mut self, origin: &str, refused: &Held<C>) {
        if self.engine == Engine::W3m {
            return;
        }
        let held = self.get(origin, &refused.realm);
        if held.is_some_and(|held| held.credentials == refused.credentials) {
            let all_realms = self.engine == Engine::Firefox;
            self.entries.retain(|entry| {
                entry.origin != origin || !(all_realms || entry.held.realm == refused.realm)
            });
        }
    }

    /// Drops all credentials.
    pub fn clear(&mut self) {
        self.entries.clear();
    }

    /// Reacts to a 401 with a `Basic` challenge.
    ///
    /// `sent` are the credentials that the refused request carried. The browser drops them when the
    /// challenge arrives, before its user answers the dialog. A challenge of another realm drops
    /// nothing.
    #[must_use]
    pub fn challenged(
        &mut self,
        origin: &str,
        path: &str,
        realm: &str,
        sent: Option<&Held<C>>,
        initiator: &Initiator<C>,
    ) -> Reaction<C> {
        if let Some(sent) = sent.filter(|sent| sent.realm == realm) {
            self.remove(origin, sent);
        }
        match initiator {
            Initiator::AfterCancel => return Reaction::Show,
            Initiator::Script(own) => {
                let refused = sent.is_some_and(|sent| sent.credentials == own.credentials);
                return if refused { Reaction::Show } else { Reaction::Repeat(own.clone()) };
            }
            Initiator::Page | Initiator::WebSocket => {}
        }
        let was_refused = self.engine == Engine::W3m && sent.is_some();
        if let Some(held) = self.get(origin, realm).cloned().filter(|_| !was_refused) {
            self.insert(origin, path, held.clone());
            return Reaction::Repeat(held);
        }
        if matches!(initiator, Initiator::Page) { Reaction::Ask } else { Reaction::Show }
    }

    /// Reacts to a 401 without a challenge that browsers know. It opens no dialog.
    pub fn refused(&mut self, origin: &str, sent: Option<&Held<C>>) {
        if let Some(sent) = sent.filter(|_| self.engine != Engine::Firefox) {
            self.remove(origin, sent);
        }
    }

    /// Whether the browser repeats a request, as [`Initiator::AfterCancel`], when its user cancels
    /// the dialog.
    #[must_use]
    pub fn repeats_after_cancel(&self, is_navigation: bool) -> bool {
        self.engine == Engine::Chromium && is_navigation
    }
}
