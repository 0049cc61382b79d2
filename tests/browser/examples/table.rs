//! Writes the results of the suite's last run to two files: the whole table to BROWSERS.md, the
//! summary to the README of the crate. Run it with `cargo run -p browser-suite --example table`.
//! With `-- --check` it compares the files with the results instead, and ignores the browsers'
//! versions.

use std::{collections::BTreeSet, env, fmt::Write, fs, process::ExitCode};

use browser_suite::{
    Engine,
    observations::{self, Observation},
};

const TABLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/BROWSERS.md");
const README: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../README.md");
const BEGIN: &str = "<!-- what the suite saw -->\n";
const END: &str = "<!-- until here -->\n";

fn main() -> ExitCode {
    let all = observations::read();
    let readme = fs::read_to_string(README).expect("README.md is readable");
    let (before, rest) =
        readme.split_once(BEGIN).expect("README.md contains the marker that begins the table");
    let (_, after) =
        rest.split_once(END).expect("README.md contains the marker that ends the table");
    let files =
        [(TABLE, table(&all)), (README, format!("{before}{BEGIN}{}{END}{after}", summary(&all)))];
    if env::args().nth(1).as_deref() != Some("--check") {
        for (file, text) in files {
            fs::write(file, text).expect("the file can be written");
        }
        return ExitCode::SUCCESS;
    }
    for (file, text) in files {
        let written = fs::read_to_string(file).unwrap_or_default();
        if without_versions(&written) != without_versions(&text) {
            eprintln!("{file} differs from the results of the last run. Expected:\n{text}");
            return ExitCode::FAILURE;
        }
    }
    println!("{} results agree with BROWSERS.md and README.md", all.len());
    ExitCode::SUCCESS
}

fn table(all: &[Observation]) -> String {
    let mut text = "# Results in real browsers\n\n\
         The suite's last run produced this file. The numbers count the dialogs in a whole \
         scenario; the last column shows the headline of the last page. Under BiDi (WebDriver \
         BiDi) a browser opens no dialog but reports each request for credentials to its driver. \
         Otherwise the suite counts and answers the browser's native dialogs. \
         [README.md](README.md) explains the differences.\n\n\
         | browser | version | scenarios |\n|---|---|--:|\n"
        .to_owned();
    for engine in Engine::ALL {
        let (version, count) = version_and_count(all, engine);
        let _ = writeln!(text, "| {engine} | {version} | {count} |");
    }
    text.push_str("\n| scenario |");
    Engine::ALL.iter().for_each(|it| text.push_str(&format!(" {it} |")));
    text.push_str(" last page |\n|---|--:|--:|--:|--:|--:|---|\n");
    let scenarios: BTreeSet<_> = all.iter().map(|it| it.scenario.as_str()).collect();
    for scenario in scenarios {
        let seen: Vec<_> = all.iter().filter(|it| it.scenario == scenario).collect();
        let _ = write!(text, "| {} |", scenario.replace('_', " "));
        for engine in Engine::ALL {
            let dialogs = seen.iter().find(|it| it.engine == engine.to_string());
            let dialogs = dialogs.map_or("–".to_owned(), |it| it.dialogs.to_string());
            let _ = write!(text, " {dialogs} |");
        }
        let _ = writeln!(text, " {} |", last_pages(&seen));
    }
    text
}

/// The last page in most browsers, and the exceptions.
fn last_pages(seen: &[&Observation]) -> String {
    let count = |end: &str| seen.iter().filter(|it| it.headline == end).count();
    let most = seen.iter().map(|it| it.headline.as_str()).max_by_key(|it| count(it)).unwrap_or("");
    let mut text = most.to_owned();
    for other in Engine::ALL.iter().filter_map(|engine| {
        let engine = engine.to_string();
        seen.iter().find(|it| it.engine == engine && it.headline != most)
    }) {
        let _ = write!(text, "; {}: {}", other.engine, other.headline);
    }
    text
}

fn summary(all: &[Observation]) -> String {
    let mut text = "| browser | version | scenarios |\n|---|---|--:|\n".to_owned();
    for engine in Engine::ALL {
        let (version, count) = version_and_count(all, engine);
        let _ = writeln!(text, "| {engine} | {version} | {count} |");
    }
    text
}

fn version_and_count(all: &[Observation], engine: Engine) -> (&str, usize) {
    let here = all.iter().filter(|it| it.engine == engine.to_string());
    let version = here.clone().next().map_or("not run", |it| it.version.as_str());
    (version, here.count())
}

/// Replaces version numbers (table cells of digits and dots) by a star.
fn without_versions(text: &str) -> String {
    let is_version = |it: &str| it.contains('.') && it.starts_with(|it: char| it.is_ascii_digit());
    let cells = text.split('|').map(|it| if is_version(it.trim()) { "*" } else { it });
    cells.collect::<Vec<_>>().join("|")
}
