//! `hallpass dev`: the ready line, what stays, what is reproducible, what is refused.

use serde_json::{Value, json};

use super::process::{Process, finish, hallpass, mint, request, run};

fn port(ready: &Value) -> u16 {
    ready["url"].as_str().unwrap().rsplit(':').next().unwrap().parse().unwrap()
}

/// The names of a JSON text in the order they are written; their values hold no quotes.
fn names(line: &str) -> Vec<&str> {
    let parts: Vec<&str> = line.split('"').collect();
    parts.windows(2).filter(|pair| pair[1].starts_with(':')).map(|pair| pair[0]).collect()
}

#[test]
fn the_ready_line_is_the_one_that_was_promised() {
    let folder = tempfile::tempdir().unwrap();
    let mut dev = Process::start(&mut hallpass(folder.path(), &["dev", "--port", "0"]));
    let line = dev.line();
    let mut promised = vec!["event", "url", "company_id", "api_key", "app_id", "users"];
    promised.extend(["id", "username", "email", "password", "role"].repeat(6));
    promised.extend(["experience_id", "channel_id", "oauth", "client_id", "client_secret", "redirect_uri"]);
    promised.push("other");
    promised.extend(["company_id", "api_key", "user_id", "channel_id"]);
    assert_eq!(names(&line), promised);

    let ready: Value = serde_json::from_str(&line).unwrap();
    assert_eq!(ready["event"], "ready");
    for (name, prefix) in
        [("client_id", "app_"), ("client_secret", "hpc_"), ("redirect_uri", "http://localhost:3000/")]
    {
        assert!(ready["oauth"][name].as_str().unwrap().starts_with(prefix), "{ready}");
    }
    assert!(ready["api_key"].as_str().unwrap().starts_with("hpd_"));
    let people: Vec<_> = ready["users"]
        .as_array()
        .unwrap()
        .iter()
        .map(|user| (user["username"].as_str().unwrap(), user["role"].as_str().unwrap()))
        .collect();
    assert_eq!(
        people,
        [
            ("owner", "owner"),
            ("admin", "admin"),
            ("moderator", "moderator"),
            ("ann", "member"),
            ("ben", "member"),
            ("cleo", "member")
        ]
    );
    // Ready means ready.
    assert_eq!(request(port(&ready), "GET", "/readyz", None, None).0, 200);
    let (company, key) = (&ready["company_id"], ready["api_key"].as_str().unwrap());
    for user in ready["users"].as_array().unwrap() {
        mint(port(&ready), key, company, &user["id"]);
    }
    mint(
        port(&ready),
        ready["other"]["api_key"].as_str().unwrap(),
        &ready["other"]["company_id"],
        &ready["other"]["user_id"],
    );
    dev.stop();
}

#[test]
fn a_second_start_on_the_folder_keeps_everything_and_prints_the_same_line() {
    let folder = tempfile::tempdir().unwrap();
    let start = |args: &[&str]| {
        let args = [&["dev", "--data-dir", "data"], args].concat();
        let mut dev = Process::start(&mut hallpass(folder.path(), &args));
        let line = dev.line();
        (dev, line)
    };
    let (dev, first) = start(&["--port", "0"]);
    let ready: Value = serde_json::from_str(&first).unwrap();
    let key = ready["api_key"].as_str().unwrap();
    let token = mint(port(&ready), key, &ready["company_id"], &ready["users"][3]["id"]);
    let message = json!({"channel_id": ready["channel_id"], "content": "still here"});
    assert_eq!(request(port(&ready), "POST", "/api/v1/messages", Some(&token), Some(&message)).0, 200);
    dev.stop();

    // Without a port it takes the last one.
    let (dev, second) = start(&[]);
    assert_eq!(first, second);
    let path = format!("/api/v1/messages?channel_id={}", ready["channel_id"].as_str().unwrap());
    let (status, messages) = request(port(&ready), "GET", &path, Some(&token), None);
    assert_eq!(status, 200, "{messages}");
    assert!(messages.contains("still here") && messages.contains("Is this thing on?"), "{messages}");
    dev.stop();

    // On another one only the URL changes, and the one before is free to be taken.
    let squatter = std::net::TcpListener::bind(("127.0.0.1", port(&ready))).unwrap();
    let (dev, third) = start(&["--port", "0"]);
    assert_ne!(first, third);
    let without_url = |line: &str| {
        let mut ready: Value = serde_json::from_str(line).unwrap();
        ready["url"] = Value::Null;
        ready
    };
    assert_eq!(without_url(&first), without_url(&third));
    dev.stop();
    drop(squatter);
}

#[test]
fn the_same_seed_makes_the_same_ids_and_secrets() {
    let folder = tempfile::tempdir().unwrap();
    let facts = |seed: &str| {
        let mut dev = Process::start(&mut hallpass(folder.path(), &["dev", "--port", "0", "--seed", seed]));
        let mut ready = dev.ready();
        let (_, keys) = request(port(&ready), "GET", "/.well-known/jwks.json", None, None);
        dev.stop();
        ready["url"] = Value::Null;
        let keys: Value = serde_json::from_str(&keys).unwrap();
        (ready, keys["keys"][0]["kid"].clone())
    };
    let seven = facts("7");
    assert_eq!(seven, facts("7"));
    let eight = facts("8");
    assert_ne!(seven.0["company_id"], eight.0["company_id"]);
    assert_ne!(seven.0["api_key"], eight.0["api_key"]);
    assert_ne!(seven.1, eight.1);
}

#[test]
fn its_own_folder_goes_when_it_ends() {
    let folder = tempfile::tempdir().unwrap();
    let mut dev =
        Process::start(hallpass(folder.path(), &["dev", "--port", "0"]).env("TMPDIR", folder.path()));
    dev.ready();
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    dev.stop();
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn it_answers_on_its_own_address_only() {
    let folder = tempfile::tempdir().unwrap();
    let mut dev = Process::start(&mut hallpass(folder.path(), &["dev", "--port", "0"]));
    let port = port(&dev.ready());
    let ask = |head: &str| {
        use std::io::Write as _;
        let mut stream = std::net::TcpStream::connect(("127.0.0.1", port)).unwrap();
        write!(stream, "GET /livez HTTP/1.1\r\nconnection: close\r\n{head}\r\n").unwrap();
        super::process::answer(&mut stream).0
    };
    assert_eq!(ask(&format!("host: localhost:{port}\r\n")), 200);
    assert_eq!(ask("host: evil.example\r\n"), 421);
    assert_eq!(ask(&format!("host: 127.0.0.1:{port}\r\nx-forwarded-for: 1.2.3.4\r\n")), 421);
    dev.stop();
}

#[test]
fn it_refuses_production_settings() {
    let folder = tempfile::tempdir().unwrap();
    for (name, value, key) in [
        ("HALLPASS_KEYS__MASTER_KEY", "ab".repeat(32), "keys.master_key"),
        ("HALLPASS_HTTP__PUBLIC_URL", "https://chat.example.com".to_owned(), "http.public_url"),
        ("HALLPASS_HTTP__TRUSTED_PROXIES", "10.0.0.0/8".to_owned(), "http.trusted_proxies"),
    ] {
        let ended = finish(hallpass(folder.path(), &["dev", "--port", "0"]).env(name, value), "");
        assert!(ended.complaint().contains(key), "{}", ended.stderr);
    }
    std::fs::write(
        folder.path().join("p.toml"),
        "[http]\nlisten = '0.0.0.0:1'\npublic_url = 'http://localhost'",
    )
    .unwrap();
    let ended = run(folder.path(), &["dev", "--config", "p.toml"]);
    assert!(ended.complaint().contains("http.listen"), "{}", ended.stderr);
}

#[test]
fn it_does_not_read_what_belongs_to_the_app_beside_it() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("hallpass.toml"), "[keys]\nmaster_key = 'of production'").unwrap();
    let mut dev = Process::start(
        hallpass(folder.path(), &["dev", "--port", "0"])
            .env("DATABASE_URL", "postgres://app@nowhere.invalid/app"),
    );
    dev.ready();
    dev.stop();
}
