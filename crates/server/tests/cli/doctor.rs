//! `hallpass doctor`: healthy, and not.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use hallpass_testkit::postgres::{Server, fresh_database};

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

#[test]
fn it_only_looks_at_what_is_not_migrated_or_never_served() {
    let folder = tempfile::tempdir().unwrap();
    let url = fresh_database();
    let postgres = [("DATABASE_URL", url.as_str()), ("HALLPASS_KEYS__MASTER_KEY", &"ab".repeat(32))];
    std::fs::create_dir(folder.path().join("data")).unwrap();
    std::fs::write(folder.path().join("data/hallpass.db"), b"").unwrap();
    for env in [&[][..], &postgres] {
        let hallpass = |args: &[&str]| {
            let mut command = hallpass(folder.path(), &[args, &["--data-dir", "data", "--json"]].concat());
            command.envs(env.iter().copied());
            command
        };
        for _ in 0..2 {
            assert_eq!(verdict(folder.path(), env, "database"), (true, "warn".to_owned()));
        }
        if env.is_empty() {
            std::fs::remove_file(folder.path().join("data/hallpass.db")).unwrap();
        }
        finish(&mut hallpass(&["migrate"]), "").json();
        assert_eq!(verdict(folder.path(), env, "database"), (true, "ok".to_owned()));
        assert_eq!(verdict(folder.path(), env, "master key"), (true, "absent".to_owned()));
        // It is nobody's yet: `dev` may still have it, which refuses a production database.
        let mut dev = Process::start(
            hallpass(&["dev", "--port", "0"])
                .env_remove("HALLPASS_KEYS__MASTER_KEY")
                .env_remove("DATABASE_URL")
                .envs(env.first().map(|(_, url)| ("HALLPASS_DATABASE__URL", url))),
        );
        dev.ready();
        dev.stop();
    }
}

#[test]
fn a_clock_that_is_not_the_databases_fails() {
    let folder = tempfile::tempdir().unwrap();
    let url = fresh_database();
    let env = [("DATABASE_URL", url.as_str())];
    let sql = |text: &str| {
        let psql = Server::shared().bin().join("psql");
        let done = Command::new(psql).args(["-XAtq", "-v", "ON_ERROR_STOP=1", "-c", text, &url]).output();
        let done = done.unwrap();
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    };
    assert_eq!(verdict(folder.path(), &env, "database clock"), (true, "ok".to_owned()));
    // An hour later in this database.
    sql("CREATE FUNCTION public.clock_timestamp() RETURNS timestamptz LANGUAGE sql
         AS $$ SELECT pg_catalog.clock_timestamp() + interval '1 hour' $$");
    sql(
        "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET search_path = public, pg_catalog', current_database()); END $$",
    );
    assert_eq!(verdict(folder.path(), &env, "database clock"), (false, "fail".to_owned()));
}
