//! `hallpass doctor`: healthy, and not.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use super::process::{Process, finish, hallpass, run};

const SERVE: &[&str] = &["serve", "--port", "0", "--data-dir", "data"];

/// What it says of one check.
fn verdict(folder: &Path, env: &[(&str, &str)], check: &str) -> (bool, String) {
    let mut command = hallpass(folder, &["doctor", "--data-dir", "data", "--json"]);
    let ended = finish(command.envs(env.iter().copied()), "");
    let findings: serde_json::Value = serde_json::from_str(&ended.stdout).unwrap();
    let found = findings.as_array().unwrap().iter().find(|finding| finding["check"] == check);
    let verdict = found.map_or("absent", |finding| finding["verdict"].as_str().unwrap());
    (ended.status.success(), verdict.to_owned())
}

#[test]
fn a_sound_installation_is_well_before_during_and_after() {
    let folder = tempfile::tempdir().unwrap();
    let before = run(folder.path(), &["doctor", "--data-dir", "data"]);
    assert!(before.status.success(), "{}", before.stdout);
    assert!(!folder.path().join("data").exists(), "it only looks");
    let mut serve = Process::start(&mut hallpass(folder.path(), SERVE));
    serve.port();
    for check in ["server", "database", "clock", "disk", "permissions", "signing keys", "reachable"] {
        assert_eq!(verdict(folder.path(), &[], check), (true, "ok".to_owned()), "{check}");
    }
    serve.stop();
    assert_eq!(verdict(folder.path(), &[], "master key"), (true, "ok".to_owned()));
}

#[test]
fn what_is_wrong_fails() {
    let folder = tempfile::tempdir().unwrap();
    let mut serve = Process::start(&mut hallpass(folder.path(), SERVE));
    serve.port();
    serve.stop();
    let data = folder.path().join("data");
    let failed = |env: &[(&str, &str)], check: &str| {
        assert_eq!(verdict(folder.path(), env, check), (false, "fail".to_owned()), "{check}");
    };
    failed(&[("HALLPASS_HTTP__PUBLIC_URL", "https://a/b")], "configuration");
    failed(&[("HALLPASS_KEYS__MASTER_KEY", &"ab".repeat(32))], "database");
    let warned =
        verdict(folder.path(), &[("HALLPASS_HTTP__PUBLIC_URL", "http://chat.example.com")], "public URL");
    assert_eq!(warned, (true, "warn".to_owned()));

    std::fs::set_permissions(&data, PermissionsExt::from_mode(0o755)).unwrap();
    std::fs::set_permissions(data.join("master.key"), PermissionsExt::from_mode(0o644)).unwrap();
    failed(&[], "permissions");
    std::fs::set_permissions(&data, PermissionsExt::from_mode(0o700)).unwrap();
    assert_eq!(verdict(folder.path(), &[], "permissions"), (true, "ok".to_owned()));

    std::fs::remove_file(data.join("master.key")).unwrap();
    failed(&[], "database");
    let postgres = [("DATABASE_URL", "postgres://nobody@127.0.0.1:1/none")];
    failed(&postgres, "database");
}
