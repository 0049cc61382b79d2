//! Entry points for the fuzz targets in `tests/fuzz`. Only `cargo fuzz` builds this module. It is
//! not public API.

use std::path::Path;

use actix_session::Session;
use actix_web::http::header::{HeaderMap, HeaderValue};
use actix_web_httpauth::extractors::basic::BasicAuth;

use crate::{
    authenticator::users::{
        error::UsersError,
        source::Source,
        table::{Plaintext, Table, parse_lines},
    },
    request::authorization::Authorization,
    response::challenge::Challenges,
    session::entry::{self, FoundEntry},
};

#[derive(Clone, Copy, Debug)]
pub struct Unusable;

/// The credentials of a request, if there are any.
pub fn credentials(headers: &HeaderMap) -> Result<Option<BasicAuth>, Unusable> {
    match Authorization::read(headers) {
        Authorization::Missing => Ok(None),
        Authorization::Malformed => Err(Unusable),
        Authorization::Basic(auth) => Ok(Some(auth)),
    }
}

/// The challenge of a realm, if its name fits into a header.
pub fn challenge(realm: &str) -> Option<HeaderValue> {
    Challenges::of(realm).ok().map(|it| it.basic)
}

/// A realm's entry in a session.
#[derive(Debug, PartialEq)]
pub struct Entry(entry::Entry);

impl Entry {
    pub fn find(session: &Session, realm: &str) -> Option<Self> {
        match entry::find(session, &entry::key_of(realm)) {
            FoundEntry::Entry(entry) => Some(Self(entry)),
            _ => None,
        }
    }

    pub fn put(&self, session: &Session, realm: &str) {
        entry::put(session, &entry::key_of(realm), &self.0);
    }
}

/// The number of users and of kinds of hashes in a file with this content.
pub fn htpasswd(path: &Path, content: &[u8]) -> Result<(usize, usize), UsersError> {
    let source = Source::File(path.to_owned());
    Table::new(&source, &parse_lines(&source, content)?).map(|it| (it.users.len(), it.kinds.len()))
}

/// The number of users in an environment variable with this content.
pub fn plaintext(name: &str, content: &[u8]) -> Result<usize, UsersError> {
    let source = Source::Variable(name.to_owned());
    Plaintext::new(&source, &parse_lines(&source, content)?).map(|it| it.users.len())
}
