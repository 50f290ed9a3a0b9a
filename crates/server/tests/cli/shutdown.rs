//! Stopping: drain, close, within ten seconds; at once if asked twice.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use serde_json::{Value, json};

use super::operators::{acme, ask, text};
use super::process::{DEADLINE, Process, answer, hallpass};

const SERVE: &[&str] = &["serve", "--port", "0", "--data-dir", "data"];

/// A request that is under way: the server asks for the rest of it.
fn begin(port: u16, bearer: &str, length: usize) -> TcpStream {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    stream.set_read_timeout(Some(DEADLINE)).unwrap();
    write!(
        stream,
        "POST /api/v1/access_tokens HTTP/1.1\r\nhost: 127.0.0.1:{port}\r\nconnection: close\r\n\
         authorization: Bearer {bearer}\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\
         expect: 100-continue\r\n\r\n"
    )
    .unwrap();
    let mut go_on = [0; 25];
    stream.read_exact(&mut go_on).unwrap();
    assert_eq!(&go_on, b"HTTP/1.1 100 Continue\r\n\r\n");
    stream
}

/// A company on the folder, and the secret of a key of it.
fn acme_and_key(folder: &Path) -> (Value, String) {
    let company = acme(folder);
    let key = ask(folder, &["key", "create", "--company", text(&company["id"]), "--role", "owner"]).json();
    (company, text(&key["secret"]).to_owned())
}

#[test]
fn it_finishes_what_is_under_way_and_ends_well() {
    for signal in [Signal::TERM, Signal::INT] {
        let folder = tempfile::tempdir().unwrap();
        let (company, key) = acme_and_key(folder.path());
        let mut serve = Process::start(&mut hallpass(folder.path(), SERVE));
        let port = serve.port();
        let body = json!({"company_id": company["id"], "user_id": company["owner"]["id"]}).to_string();
        let mut under_way = begin(port, &key, body.len());
        let asked = Instant::now();
        serve.signal(signal);
        serve.says("draining");
        under_way.write_all(body.as_bytes()).unwrap();
        let (status, answered) = answer(&mut under_way);
        assert_eq!(status, 200, "{answered}");
        let status = serve.wait();
        assert!(status.success(), "{}", serve.said());
        assert!(asked.elapsed() < Duration::from_secs(10), "{:?}", asked.elapsed());
        assert!(TcpStream::connect(("127.0.0.1", port)).is_err(), "it still listens");
        assert!(!folder.path().join("data/admin.sock").exists());
        // Closed, not torn: the log is folded into the database.
        assert!(!folder.path().join("data/hallpass.db-wal").exists());
    }
}

#[test]
fn a_client_that_never_finishes_does_not_hold_it_up() {
    let folder = tempfile::tempdir().unwrap();
    let (_, key) = acme_and_key(folder.path());
    let mut serve = Process::start(
        hallpass(folder.path(), SERVE)
            .env("HALLPASS_HTTP__BODY_TIMEOUT_SECS", "600")
            .env("HALLPASS_HTTP__HEADER_TIMEOUT_SECS", "600"),
    );
    let port = serve.port();
    let stuck = begin(port, &key, 2);
    let mut half = TcpStream::connect(("127.0.0.1", port)).unwrap();
    write!(half, "GET /livez HTTP/1.1\r\n").unwrap();
    let asked = Instant::now();
    serve.signal(Signal::TERM);
    let status = serve.wait();
    assert!(status.success(), "{}", serve.said());
    assert!(asked.elapsed() < Duration::from_secs(10), "{:?}", asked.elapsed());
    drop((stuck, half));
}

#[test]
fn a_second_signal_ends_it_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let (_, key) = acme_and_key(folder.path());
    let mut serve = Process::start(
        hallpass(folder.path(), SERVE)
            .env("HALLPASS_HTTP__BODY_TIMEOUT_SECS", "600")
            .env("HALLPASS_HTTP__HEADER_TIMEOUT_SECS", "600"),
    );
    let port = serve.port();
    let stuck = begin(port, &key, 2);
    let asked = Instant::now();
    serve.signal(Signal::TERM);
    serve.says("draining");
    serve.signal(Signal::TERM);
    let status = serve.wait();
    assert_eq!(status.code(), Some(1));
    assert!(asked.elapsed() < Duration::from_secs(5), "{:?}", asked.elapsed());
    drop(stuck);
}

/// A shell's usual 1024 would end at a thousand clients.
#[test]
fn threat_23_connections_may_take_as_many_files_as_the_system_allows() {
    let folder = tempfile::tempdir().unwrap();
    let command = hallpass(folder.path(), &[]);
    let program = command.get_program().to_owned();
    let mut limited = std::process::Command::new("sh");
    limited.args(["-c", "ulimit -Sn 64; exec \"$0\" \"$@\""]).arg(program).args(SERVE);
    limited.current_dir(folder.path());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => limited.env(name, value),
            None => limited.env_remove(name),
        };
    }
    let mut process = Process::start(&mut limited);
    let port = process.port();
    let open: Vec<TcpStream> = (0..200)
        .map(|_| {
            let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
            stream.set_read_timeout(Some(DEADLINE)).unwrap();
            write!(stream, "GET /livez HTTP/1.1\r\nhost: 127.0.0.1:{port}\r\n\r\n").unwrap();
            let mut status = [0; 12];
            stream.read_exact(&mut status).unwrap();
            assert_eq!(&status, b"HTTP/1.1 200");
            stream
        })
        .collect();
    drop(open);
    process.stop();
}
