//! The results of each scenario, stored for the table of all browsers.

use std::{env, ffi::OsStr, fs, path::PathBuf};

use serde_json::{Value, json};

/// The result of one scenario in one browser.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Observation {
    pub engine: String,
    pub version: String,
    pub scenario: String,
    /// Number of dialogs in the whole scenario.
    pub dialogs: usize,
    /// Headline of the last page.
    pub headline: String,
}

/// The directory for the results of the suite, below Cargo's target directory.
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
    fs::create_dir_all(&directory).expect("the target directory is writable");
    let file = directory.join(format!("{} - {}.json", it.engine, it.scenario));
    let value = json!({
        "engine": it.engine,
        "version": it.version,
        "scenario": it.scenario,
        "dialogs": it.dialogs,
        "headline": it.headline,
    });
    fs::write(file, value.to_string()).expect("the target directory is accessible");
}

/// Reads all results, sorted by scenario.
#[must_use]
pub fn read() -> Vec<Observation> {
    let files = fs::read_dir(directory().join("observed")).into_iter().flatten();
    let files = files.map(|it| it.expect("the target directory is accessible").path());
    let mut all: Vec<_> = files
        .filter(|it| it.extension() == Some(OsStr::new("json")))
        .map(|it| {
            let text = fs::read_to_string(it).expect("the target directory is accessible");
            let value: Value = serde_json::from_str(&text).expect("JSON that the suite wrote");
            let word = |key: &str| value[key].as_str().expect("a string").to_owned();
            Observation {
                engine: word("engine"),
                version: word("version"),
                scenario: word("scenario"),
                dialogs: value["dialogs"]
                    .as_u64()
                    .expect("a number")
                    .try_into()
                    .expect("a small number"),
                headline: word("headline"),
            }
        })
        .collect();
    all.sort_by(|a, b| a.scenario.cmp(&b.scenario));
    all
}
