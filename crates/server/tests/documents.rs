//! What documents say of the code, held against the code.

#![expect(clippy::unwrap_used, reason = "what fails here fails a test")]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");
/// What is built or installed, and whatever hides.
const NOT_OURS: [&str; 3] = ["target", "node_modules", "dist"];
const OAUTH: &str = include_str!("../../../docs/oauth.md");
const REQUIREMENTS: &str = "## Requirements and the tests that show them";

/// The files below a folder whose names end so.
fn files_below(folder: &Path, ending: &str, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        let (path, name) = (entry.path(), entry.file_name());
        let name = name.to_str().unwrap();
        if entry.file_type().unwrap().is_dir() {
            if !NOT_OURS.contains(&name) && !name.starts_with('.') {
                files_below(&path, ending, found);
            }
        } else if name.ends_with(ending) {
            found.push(path);
        }
    }
}

fn all_files(below: &str, ending: &str) -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    files_below(&Path::new(ROOT).join(below), ending, &mut found);
    found.into_iter().map(|path| (path.clone(), std::fs::read_to_string(path).unwrap())).collect()
}

/// The functions under a `#[test]` or `#[tokio::test]`.
fn tests_of(source: &str, found: &mut BTreeSet<String>) {
    let mut is_next = false;
    for line in source.lines().map(str::trim_start) {
        if line.starts_with("#[test]") || line.starts_with("#[tokio::test") {
            is_next = true;
        } else if let Some((_, name)) = line.split_once("fn ").filter(|_| is_next) {
            found.extend(name.split('(').next().map(str::to_owned));
            is_next = false;
        }
    }
}

/// The rows of the tables of requirements: what is asked, and the names that show it.
fn requirements() -> Vec<(&'static str, Vec<&'static str>)> {
    let tables = OAUTH.split_once(REQUIREMENTS).unwrap().1;
    let rows = tables.lines().filter(|line| line.starts_with('|') && !line.starts_with("|-"));
    rows.filter_map(|line| {
        let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
        let shown = cells.last().copied().filter(|shown| *shown != "shown by")?;
        let names = match shown.strip_prefix('–') {
            Some(reason) => {
                assert!(!reason.trim().is_empty(), "without a test and without a reason: {line}");
                Vec::new()
            }
            None => shown.split('`').skip(1).step_by(2).collect(),
        };
        assert!(shown.starts_with('–') || !names.is_empty(), "nothing shows this: {line}");
        Some((line, names))
    })
    .collect()
}

#[test]
fn every_test_that_shows_a_requirement_exists() {
    let mut there = BTreeSet::new();
    for (_, source) in all_files("crates", ".rs") {
        tests_of(&source, &mut there);
    }
    assert!(there.len() > 500, "the tests were read: {}", there.len());
    let requirements = requirements();
    assert!(requirements.len() > 50, "the tables were read: {}", requirements.len());
    for (row, names) in requirements {
        for name in names {
            assert!(there.contains(name), "there is no test `{name}`: {row}");
        }
    }
}

#[test]
fn every_link_leads_to_a_file() {
    let mut links = 0;
    for (path, text) in all_files(".", ".md") {
        for link in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            let target = link.split('#').next().unwrap_or_default();
            if target.is_empty() || target.contains("://") || target.contains(char::is_whitespace) {
                continue;
            }
            links += 1;
            assert!(path.with_file_name("").join(target).exists(), "{}: {link}", path.display());
        }
    }
    assert!(links > 80, "the documents were read: {links}");
}

#[test]
fn every_decision_is_in_the_index_under_its_number() {
    let decisions = all_files("docs/decisions", ".md");
    let is_index = |path: &Path| path.ends_with("README.md");
    let index = &decisions.iter().find(|(path, _)| is_index(path)).unwrap().1;
    for (path, text) in decisions.iter().filter(|(path, _)| !is_index(path)) {
        let file = path.file_name().unwrap().to_str().unwrap();
        let number = file.split('-').next().unwrap().trim_start_matches('0');
        assert!(text.starts_with(&format!("# {number}. ")), "{file} has another number in its title");
        let entries = index.lines().filter(|line| line.starts_with(&format!("{number}. ["))).count();
        assert!(entries == 1 && index.contains(&format!("]({file})")), "{file} is not in the index, once");
    }
}
