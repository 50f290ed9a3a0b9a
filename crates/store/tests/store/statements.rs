//! Every statement is known, and both engines accept it.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use sqlx::{Executor, SqlSafeStr};

use crate::fixtures::{Db, Outsider};

fn sources(folder: &str) -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    let mut folders = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs")
                && path.file_name().is_some_and(|name| name != "tests.rs")
            {
                let text = std::fs::read_to_string(&path).unwrap();
                found.push((path, text));
            }
        }
    }
    found
}

/// The names of constants of this type that a file declares.
fn constants<'a>(text: &'a str, of: &'a str) -> impl Iterator<Item = &'a str> {
    text.lines().filter_map(move |line| {
        let line = line.trim_start().trim_start_matches("pub(crate) ").trim_start_matches("pub(super) ");
        line.strip_prefix("const ")?.split_once(of).map(|(name, _)| name)
    })
}

#[test]
fn every_sql_constant_is_listed_in_its_module() {
    // A table's name, and several statements in one, which nobody prepares.
    let exempt = ["TABLE", "BEGIN_APPEND", "BEGIN_SEARCH"];
    let mut listed = 0;
    for (path, text) in sources("src") {
        let names: Vec<&str> = constants(&text, ": &str =").filter(|name| !exempt.contains(name)).collect();
        if names.is_empty() {
            continue;
        }
        let all: BTreeSet<&str> = text
            .split("const ALL: &[&str] =")
            .skip(1)
            .flat_map(|list| {
                list.split_once(';').unwrap().0.split(|c: char| !c.is_alphanumeric() && c != '_')
            })
            .collect();
        for name in names {
            assert!(all.contains(name), "{}: {name} is missing from ALL", path.display());
            listed += 1;
        }
    }
    assert!(listed > 80, "only {listed} statements found: is the scan broken?");
}

#[test]
fn every_module_is_in_the_list_of_lists() {
    let source = sources("src");
    let lib = &source.iter().find(|(path, _)| path.ends_with("src/lib.rs")).unwrap().1;
    for (path, text) in &source {
        if constants(text, ": &[&str] =").any(|name| name == "ALL") {
            let module = path.file_stem().unwrap().to_str().unwrap();
            assert!(lib.contains(&format!("{module}::ALL")), "{module}::ALL is not in statements()");
        }
    }
    let both: BTreeSet<_> = hallpass_store::statements(false).into_iter().collect();
    assert_eq!(both.len(), hallpass_store::statements(false).len(), "a statement is there twice");
}

#[test]
fn every_public_function_has_a_contract_test() {
    let contract: String = sources("tests/store/contract").into_iter().map(|(_, text)| text).collect();
    let mut functions = 0;
    for (path, text) in sources("src") {
        for line in text.lines() {
            let Some(rest) = line.trim_start().strip_prefix("pub async fn ") else { continue };
            let name = rest.split(['(', '<']).next().unwrap();
            if path.ends_with("lib.rs") || path.ends_with("writer.rs") {
                continue;
            }
            functions += 1;
            assert!(contract.contains(&format!(".{name}(")), "{name} is not exercised");
        }
    }
    assert!(functions > 70, "only {functions} functions found: is the scan broken?");
}

#[tokio::test]
async fn sqlite_accepts_every_statement() {
    let db = Db::sqlite().await;
    let Outsider::Sqlite(mut conn) = db.outsider().await else { unreachable!() };
    for statement in hallpass_store::statements(false) {
        if let Err(error) = (&mut conn).prepare(statement.into_sql_str()).await {
            panic!("{statement}\n{error}");
        }
    }
}

#[tokio::test]
async fn postgres_accepts_every_statement() {
    let db = Db::postgres().await;
    let Outsider::Postgres(mut conn) = db.outsider().await else { unreachable!() };
    for statement in hallpass_store::statements(true) {
        if let Err(error) = (&mut conn).prepare(statement.into_sql_str()).await {
            panic!("{statement}\n{error}");
        }
    }
}
