//! What was seen at the end of each scenario, kept for the table of all browsers.

use std::{env, ffi::OsStr, fs, path::PathBuf};

use serde_json::{Value, json};

/// How a scenario ended in a browser.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Observation {
    pub engine: String,
    pub version: String,
    pub scenario: String,
    pub dialogs: usize,
    /// What the last page says.
    pub sees: String,
}

/// Where the suite leaves what it has seen.
#[must_use]
pub fn directory() -> PathBuf {
    let target = env::var_os("CARGO_TARGET_DIR").map_or_else(
        || PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../target")),
        PathBuf::from,
    );
    target.join("browser-suite")
}

pub(crate) fn write(it: &Observation) {
    let directory = directory().join("observed");
    fs::create_dir_all(&directory).expect("a directory below target");
    let file = directory.join(format!("{} - {}.json", it.engine, it.scenario));
    let value = json!({
        "engine": it.engine,
        "version": it.version,
        "scenario": it.scenario,
        "dialogs": it.dialogs,
        "sees": it.sees,
    });
    fs::write(file, value.to_string()).expect("a file below target");
}

/// All that there are, by scenario.
#[must_use]
pub fn read() -> Vec<Observation> {
    let files = fs::read_dir(directory().join("observed")).into_iter().flatten();
    let files = files.map(|it| it.expect("a file below target").path());
    let mut all: Vec<_> = files
        .filter(|it| it.extension() == Some(OsStr::new("json")))
        .map(|it| {
            let text = fs::read_to_string(it).expect("a file below target");
            let value: Value = serde_json::from_str(&text).expect("what was written here");
            let word = |key: &str| value[key].as_str().expect("a string").to_owned();
            Observation {
                engine: word("engine"),
                version: word("version"),
                scenario: word("scenario"),
                dialogs: value["dialogs"].as_u64().expect("a number").try_into().expect("a few"),
                sees: word("sees"),
            }
        })
        .collect();
    all.sort_by(|a, b| a.scenario.cmp(&b.scenario));
    all
}
