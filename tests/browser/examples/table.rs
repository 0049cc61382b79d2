//! Writes down what the suite saw in its last run: all of it to BROWSERS.md, the short form to the
//! README of the crate. `cargo run -p browser-suite --example table`; with `-- --check` it only
//! compares, whatever the versions of the browsers.

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
    let readme = fs::read_to_string(README).expect("a README");
    let (before, rest) = readme.split_once(BEGIN).expect("the place for the table");
    let (_, after) = rest.split_once(END).expect("its end");
    let files =
        [(TABLE, table(&all)), (README, format!("{before}{BEGIN}{}{END}{after}", short(&all)))];
    if env::args().nth(1).as_deref() != Some("--check") {
        for (file, text) in files {
            fs::write(file, text).expect("the file can be written");
        }
        return ExitCode::SUCCESS;
    }
    for (file, text) in files {
        let written = fs::read_to_string(file).unwrap_or_default();
        if without_versions(&written) != without_versions(&text) {
            eprintln!("{file} is not what the suite saw:\n{text}");
            return ExitCode::FAILURE;
        }
    }
    println!("{} observations, as written down", all.len());
    ExitCode::SUCCESS
}

fn table(all: &[Observation]) -> String {
    let mut text = "# What browsers did\n\n\
         Written by the suite from its last run: the number of dialogs in the whole of a scenario, \
         and what the user sees in the end. By protocol a browser reports each request that wants \
         a password; with its own dialog, the dialogs are counted. `README.md` beside this file \
         explains where they differ.\n\n| browser | version | scenarios |\n|---|---|--:|\n"
        .to_owned();
    for engine in Engine::ALL {
        let (version, count) = version_and_count(all, engine);
        let _ = writeln!(text, "| {engine} | {version} | {count} |");
    }
    text.push_str("\n| scenario |");
    Engine::ALL.iter().for_each(|it| text.push_str(&format!(" {it} |")));
    text.push_str(" in the end |\n|---|--:|--:|--:|--:|--:|---|\n");
    let scenarios: BTreeSet<_> = all.iter().map(|it| it.scenario.as_str()).collect();
    for scenario in scenarios {
        let seen: Vec<_> = all.iter().filter(|it| it.scenario == scenario).collect();
        let _ = write!(text, "| {} |", scenario.replace('_', " "));
        for engine in Engine::ALL {
            let dialogs = seen.iter().find(|it| it.engine == engine.to_string());
            let dialogs = dialogs.map_or("–".to_owned(), |it| it.dialogs.to_string());
            let _ = write!(text, " {dialogs} |");
        }
        let _ = writeln!(text, " {} |", endings(&seen));
    }
    text
}

/// What most see in the end, and where another page is the last.
fn endings(seen: &[&Observation]) -> String {
    let count = |end: &str| seen.iter().filter(|it| it.sees == end).count();
    let most = seen.iter().map(|it| it.sees.as_str()).max_by_key(|it| count(it)).unwrap_or("");
    let mut text = most.to_owned();
    for other in Engine::ALL.iter().filter_map(|engine| {
        let engine = engine.to_string();
        seen.iter().find(|it| it.engine == engine && it.sees != most)
    }) {
        let _ = write!(text, "; {}: {}", other.engine, other.sees);
    }
    text
}

fn short(all: &[Observation]) -> String {
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

/// Numbers with points in them give way to a star.
fn without_versions(text: &str) -> String {
    let is_version = |it: &str| it.contains('.') && it.starts_with(|it: char| it.is_ascii_digit());
    let cells = text.split('|').map(|it| if is_version(it.trim()) { "*" } else { it });
    cells.collect::<Vec<_>>().join("|")
}
