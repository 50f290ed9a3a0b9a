//! What documents say of the code, held against the code.

use std::collections::BTreeSet;
use std::path::Path;

/// Where the tests are that documents name.
const CRATES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");
const OAUTH: &str = include_str!("../../../docs/oauth.md");
const REQUIREMENTS: &str = "## Requirements and the tests that show them";

/// The names of all test functions below a folder.
fn tests_below(folder: &Path, found: &mut BTreeSet<String>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            if !path.ends_with("target") {
                tests_below(&path, found);
            }
        } else if path.extension().is_some_and(|kind| kind == "rs") {
            tests_of(&std::fs::read_to_string(&path).unwrap(), found);
        }
    }
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
    tests_below(Path::new(CRATES), &mut there);
    assert!(there.len() > 500, "the tests were read: {}", there.len());
    let requirements = requirements();
    assert!(requirements.len() > 50, "the tables were read: {}", requirements.len());
    for (row, names) in requirements {
        for name in names {
            assert!(there.contains(name), "there is no test `{name}`: {row}");
        }
    }
}
