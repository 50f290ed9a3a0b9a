//! Which crate may name what: the arrows of ARCHITECTURE.md, held against `cargo metadata`.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use cargo_metadata::{DependencyKind, Metadata, MetadataCommand};

/// Every crate and the crates of ours that it may name. A new arrow is a decision record.
const ARROWS: &[(&str, &[&str])] = &[
    ("hallpass-core", &[]),
    ("hallpass-token", &["hallpass-core"]),
    ("hallpass-oauth", &["hallpass-core", "hallpass-token"]),
    ("hallpass-store", &["hallpass-core"]),
    ("hallpass-fanout", &["hallpass-core"]),
    ("hallpass-pages", &["hallpass-core"]),
    ("hallpass-outbound", &[]),
    ("hallpass-mail", &[]),
    ("hallpass-blobs", &["hallpass-core"]),
    (
        "hallpass-app",
        &[
            "hallpass-core",
            "hallpass-token",
            "hallpass-oauth",
            "hallpass-pages",
            "hallpass-store",
            "hallpass-fanout",
            "hallpass-outbound",
            "hallpass-mail",
            "hallpass-blobs",
        ],
    ),
    ("hallpass-http", &["hallpass-core", "hallpass-oauth", "hallpass-pages", "hallpass-app"]),
    (
        "hallpass",
        &[
            "hallpass-core",
            "hallpass-token",
            "hallpass-oauth",
            "hallpass-store",
            "hallpass-fanout",
            "hallpass-outbound",
            "hallpass-app",
            "hallpass-http",
        ],
    ),
    (
        "hallpass-testkit",
        &[
            "hallpass-core",
            "hallpass-token",
            "hallpass-store",
            "hallpass-outbound",
            "hallpass-app",
            "hallpass-http",
        ],
    ),
];

/// Whose name a crate of others is kept to.
const KEPT_TO: &[(&str, &[&str])] = &[
    ("axum", &["hallpass-http", "hallpass-testkit"]),
    ("sqlx", &["hallpass-store"]),
    ("rusqlite", &["hallpass-store"]),
    ("async-nats", &["hallpass-fanout"]),
    // The binary's own tests speak HTTP to it.
    ("reqwest", &["hallpass-outbound", "hallpass"]),
    ("lettre", &["hallpass-mail"]),
    ("object_store", &["hallpass-blobs"]),
    // Tests make pictures, hostile ones too, and look at what became of them.
    ("image", &["hallpass-blobs", "hallpass-testkit"]),
    ("gif", &["hallpass-blobs"]),
];

/// Named outside its home by tests alone.
const FOR_TESTS: &[(&str, &str)] = &[("reqwest", "hallpass")];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn metadata() -> Metadata {
    MetadataCommand::new()
        .manifest_path(root().join("Cargo.toml"))
        .no_deps()
        .exec()
        .expect("cargo metadata reads the workspace")
}

#[test]
fn arrows_point_one_way() {
    let allowed: BTreeMap<&str, &[&str]> = ARROWS.iter().copied().collect();
    for package in metadata().packages {
        let name = package.name.as_str();
        let may =
            allowed.get(name).unwrap_or_else(|| panic!("{name} is new: give it its arrows in this test"));
        for dependency in package.dependencies.iter().filter(|d| allowed.contains_key(d.name.as_str())) {
            let for_tests = dependency.kind == DependencyKind::Development;
            assert!(
                may.contains(&dependency.name.as_str())
                    || (for_tests && dependency.name == "hallpass-testkit"),
                "{name} → {} ({}) is no arrow of ours",
                dependency.name,
                dependency.kind,
            );
        }
    }
}

#[test]
fn nothing_that_ships_depends_on_the_testkit() {
    for package in metadata().packages {
        for dependency in package.dependencies.iter().filter(|d| d.name == "hallpass-testkit") {
            assert_eq!(dependency.kind, DependencyKind::Development, "{}", package.name);
        }
    }
}

#[test]
fn axum_sqlx_and_nats_each_have_one_home() {
    for package in metadata().packages {
        for (kept, homes) in KEPT_TO {
            let named = package.dependencies.iter().any(|d| d.name == *kept);
            assert!(!named || homes.contains(&package.name.as_str()), "{} names {kept}", package.name);
            let ships = |d: &&cargo_metadata::Dependency| d.name == *kept && d.kind == DependencyKind::Normal;
            let for_tests = FOR_TESTS.contains(&(*kept, package.name.as_str()));
            assert!(
                !for_tests || !package.dependencies.iter().any(|d| ships(&d)),
                "{} ships {kept}",
                package.name
            );
        }
    }
}

/// The lines of `[workspace.dependencies]`: name, and the comment at the line's end.
fn workspace_dependencies() -> Vec<(String, Option<String>)> {
    let text = std::fs::read_to_string(root().join("Cargo.toml")).expect("Cargo.toml is there");
    let section = text.split("[workspace.dependencies]").nth(1).expect("it has dependencies");
    section
        .lines()
        .take_while(|line| !line.starts_with('['))
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| line.split_once('='))
        .map(|(name, rest)| {
            let reason = rest.rsplit_once(" # ").map(|(_, reason)| reason.trim().to_owned());
            (name.trim().to_owned(), reason)
        })
        .collect()
}

#[test]
fn every_dependency_says_why() {
    let dependencies = workspace_dependencies();
    assert!(dependencies.len() > 20, "the section was read");
    for (name, reason) in dependencies.iter().filter(|(name, _)| !name.starts_with("hallpass-")) {
        let told = reason.as_ref().is_some_and(|reason| reason.len() > 3);
        assert!(told, "{name}: say why in a comment at the end of its line in Cargo.toml");
    }
}

#[test]
fn every_dependency_is_named_once_and_used() {
    let mut used = BTreeSet::new();
    for package in metadata().packages {
        let manifest = std::fs::read_to_string(&package.manifest_path).expect("the manifest is there");
        for dependency in &package.dependencies {
            let inherited = format!("{}.workspace = true", dependency.name);
            let inherited_with = format!("{} = {{ workspace = true", dependency.name);
            assert!(
                manifest.contains(&inherited) || manifest.contains(&inherited_with),
                "{}: {} names its own version; name it in the workspace's Cargo.toml",
                package.name,
                dependency.name
            );
            used.insert(dependency.name.clone());
        }
    }
    for (name, _) in workspace_dependencies() {
        assert!(used.contains(&name), "{name} is in the workspace's Cargo.toml and nobody uses it");
    }
}
