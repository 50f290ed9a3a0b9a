//! The data folder: one at a time, the right mode, the right key.

use super::process::{Process, finish, hallpass, run};

const SERVE: &[&str] = &["serve", "--port", "0", "--data-dir", "data"];
const DEV: &[&str] = &["dev", "--port", "0", "--data-dir", "data"];

#[test]
fn a_second_server_on_a_folder_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let mut first = Process::start(&mut hallpass(folder.path(), SERVE));
    first.port();
    for second in [SERVE, DEV] {
        let second = run(folder.path(), second);
        let complaint = second.complaint();
        assert!(
            complaint.contains("another hallpass (process ") && complaint.contains("--data-dir"),
            "{complaint}"
        );
    }
    first.stop();
    // The lock ends with its holder.
    let mut third = Process::start(&mut hallpass(folder.path(), SERVE));
    third.port();
    third.stop();
}

#[test]
fn a_killed_server_leaves_nothing_in_the_way() {
    let folder = tempfile::tempdir().unwrap();
    let mut first = Process::start(&mut hallpass(folder.path(), SERVE));
    first.port();
    first.signal(rustix::process::Signal::KILL);
    first.wait();
    let mut second = Process::start(&mut hallpass(folder.path(), SERVE));
    second.port();
    assert!(run(folder.path(), &["keys", "list", "--data-dir", "data"]).status.success());
    second.stop();
}

#[test]
fn serve_refuses_what_dev_made_and_the_other_way_round() {
    for (maker, other, name) in [(DEV, SERVE, "hallpass dev"), (SERVE, DEV, "hallpass serve")] {
        let folder = tempfile::tempdir().unwrap();
        let mut first = Process::start(&mut hallpass(folder.path(), maker));
        first.says("listening on");
        first.stop();
        let second = run(folder.path(), other);
        assert!(second.complaint().contains(&format!("was made by `{name}`")), "{}", second.stderr);
        // And left it alone.
        let mut third = Process::start(&mut hallpass(folder.path(), maker));
        third.says("listening on");
        third.stop();
    }
}

#[test]
fn serve_refuses_keys_made_by_dev() {
    let folder = tempfile::tempdir().unwrap();
    let mut dev = Process::start(&mut hallpass(folder.path(), &["dev", "--port", "0"]));
    let key = dev.ready()["api_key"].as_str().unwrap().to_owned();
    dev.stop();
    let mut serve = Process::start(&mut hallpass(folder.path(), SERVE));
    let (status, _) = super::process::request(serve.port(), "GET", "/api/v1/companies", Some(&key), None);
    assert_eq!(status, 401);
    serve.stop();
}

#[test]
fn another_master_key_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let mut first = Process::start(&mut hallpass(folder.path(), SERVE));
    first.port();
    first.stop();
    let other = finish(hallpass(folder.path(), SERVE).env("HALLPASS_KEYS__MASTER_KEY", "ab".repeat(32)), "");
    assert!(other.complaint().contains("keys.master_key"), "{}", other.stderr);
    // None at all is not replaced by a new one.
    std::fs::rename(folder.path().join("data/master.key"), folder.path().join("kept")).unwrap();
    let none = run(folder.path(), SERVE);
    assert!(none.complaint().contains("master.key is missing"), "{}", none.stderr);
    // Given in a file, it is the same key.
    let mut again = Process::start(
        hallpass(folder.path(), SERVE).env("HALLPASS_KEYS__MASTER_KEY_FILE", folder.path().join("kept")),
    );
    again.port();
    again.stop();
    assert!(!folder.path().join("data/master.key").exists());
}

#[test]
fn nobody_else_can_read_the_folder() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().unwrap();
    let mut serve = Process::start(&mut hallpass(folder.path(), SERVE));
    serve.port();
    let data = folder.path().join("data");
    let files = std::fs::read_dir(&data).unwrap().map(|entry| entry.unwrap().path());
    for path in files.chain([data.clone()]) {
        let mode = std::fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o077, 0, "{}: {mode:o}", path.display());
    }
    serve.stop();
}

#[test]
fn a_busy_port_is_told_before_anything_is_made() {
    let folder = tempfile::tempdir().unwrap();
    let taken = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let ended = run(folder.path(), &["serve", "--data-dir", "data", "--port", &port]);
    assert!(ended.complaint().contains("cannot listen on"), "{}", ended.stderr);
    assert!(!folder.path().join("data/hallpass.db").exists());
}
