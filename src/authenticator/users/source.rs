//! The source of a list of users, for error messages.

use std::{env, io, path::PathBuf};

use crate::authenticator::users::error::UsersError;

/// The source of a list of users. Error messages name it.
#[derive(Clone, Debug)]
pub(crate) enum Source {
    List,
    Variable(String),
    File(PathBuf),
}

impl Source {
    /// The position of an entry, for error messages.
    pub(crate) fn number(&self, number: usize) -> String {
        let unit = if matches!(self, Self::List) { "entry" } else { "line" };
        format!("{unit} {number}")
    }

    /// The instruction to replace a user's hash, with the command.
    pub(crate) fn fix_hint(&self, user_id: &str) -> String {
        // Quoted for a shell.
        let quoted = |text: &str| {
            let plain = |it: char| it.is_ascii_alphanumeric() || "-_./@".contains(it);
            if !text.is_empty() && text.chars().all(plain) {
                text.to_owned()
            } else {
                format!("'{}'", text.replace('\'', r"'\''"))
            }
        };
        let user = quoted(user_id);
        match self {
            Self::File(path) => {
                let path = quoted(&path.to_string_lossy());
                format!("re-hash the password with: htpasswd -B -C 12 {path} {user}")
            }
            _ => format!("make a new one with: htpasswd -nB -C 12 {user}"),
        }
    }

    pub(crate) fn error(&self, number: Option<usize>, what: impl Into<String>) -> UsersError {
        let name = match self {
            Self::List => "the list of users".to_owned(),
            Self::Variable(name) => format!("the environment variable {name}"),
            Self::File(path) => path.display().to_string(),
        };
        let place = match number {
            Some(number) => format!("{name}, {}:", self.number(number)),
            None => name,
        };
        UsersError::new(format!("{place} {}", what.into()), number)
    }

    pub(crate) fn io(&self, what: &str, cause: io::Error) -> UsersError {
        self.error(None, what).with_cause(cause)
    }
}

/// Reads an environment variable.
pub(crate) fn read_variable(name: &str) -> Result<(Source, String), UsersError> {
    let source = Source::Variable(name.to_owned());
    match env::var(name) {
        Ok(text) => Ok((source, text)),
        Err(env::VarError::NotPresent) => Err(source
            .error(None, "is not set; set it to lines of user-id, colon, and hash or password")),
        Err(env::VarError::NotUnicode(_)) => {
            Err(source.error(None, "is not UTF-8; set it to UTF-8 text"))
        }
    }
}
