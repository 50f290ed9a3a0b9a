//! The configuration as the binary reads it.

use serde_json::Value;

use super::process::{Process, finish, hallpass, run};

#[test]
fn flags_beat_the_environment_which_beats_the_file() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(
        folder.path().join("hallpass.toml"),
        "data_dir = 'from-file'\n[http]\nlisten = '127.0.0.1:1'\n[limits]\nmints_per_minute = 5\n",
    )
    .unwrap();
    let print = |args: &[&str], env: &[(&str, &str)]| -> Value {
        let mut command = hallpass(folder.path(), &[&["config", "print", "--json"], args].concat());
        finish(command.envs(env.iter().copied()), "").json()
    };
    let file = print(&[], &[]);
    assert_eq!((&file["data_dir"], &file["http"]["listen"]), (&"from-file".into(), &"127.0.0.1:1".into()));
    assert_eq!(file["limits"]["mints_per_minute"], 5);
    let env = print(&[], &[("HALLPASS_DATA_DIR", "from-env"), ("HALLPASS_HTTP__LISTEN", "127.0.0.1:2")]);
    assert_eq!((&env["data_dir"], &env["http"]["listen"]), (&"from-env".into(), &"127.0.0.1:2".into()));
    assert_eq!(env["limits"]["mints_per_minute"], 5);
    let flag = print(&["--data-dir", "from-flag"], &[("HALLPASS_DATA_DIR", "from-env")]);
    assert_eq!(flag["data_dir"], "from-flag");
    // The server obeys the same.
    let mut serve = Process::start(
        hallpass(folder.path(), &["serve", "--data-dir", "from-flag", "--port", "0"])
            .env("HALLPASS_HTTP__LISTEN", "127.0.0.1:2"),
    );
    assert_ne!(serve.port(), 2);
    serve.stop();
    assert!(folder.path().join("from-flag/hallpass.db").exists());
}

#[test]
fn a_misspelt_key_is_named() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("bad.toml"), "[http]\nlisen = '127.0.0.1:1'\n").unwrap();
    let file = run(folder.path(), &["config", "check", "--config", "bad.toml"]);
    assert!(file.complaint().contains("http.lisen"), "{}", file.stderr);
    let env = finish(hallpass(folder.path(), &["serve"]).env("HALLPASS_LIMITS__MINTS", "1"), "");
    assert!(env.complaint().contains("limits.mints"), "{}", env.stderr);
    std::fs::write(folder.path().join("bad.toml"), "[http\n").unwrap();
    let syntax = run(folder.path(), &["config", "check", "--config", "bad.toml"]);
    assert!(syntax.complaint().contains("bad.toml"), "{}", syntax.stderr);
    let absent = run(folder.path(), &["serve", "--config", "absent.toml"]);
    assert!(absent.complaint().contains("absent.toml"), "{}", absent.stderr);
}

#[test]
fn secrets_are_masked() {
    let folder = tempfile::tempdir().unwrap();
    for args in [&["config", "print"][..], &["config", "check"], &["config", "print", "--json"]] {
        let ended = finish(
            hallpass(folder.path(), args)
                .env("DATABASE_URL", "postgres://hallpass:pl4nted@db.example/hallpass")
                .env("HALLPASS_KEYS__MASTER_KEY", "5e".repeat(32)),
            "",
        );
        assert!(ended.status.success(), "{}", ended.stderr);
        assert!(
            ended.stdout.contains("postgres://hallpass:********@db.example/hallpass"),
            "{}",
            ended.stdout
        );
        for secret in ["pl4nted", &"5e".repeat(32)] {
            assert!(!ended.stdout.contains(secret) && !ended.stderr.contains(secret), "{}", ended.stdout);
        }
    }
}
