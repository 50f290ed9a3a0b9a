//! With PostgreSQL: the master key, many nodes, commands beside them.

use std::time::Instant;

use hallpass_testkit::postgres::fresh_database;
use serde_json::Value;

use super::process::{DEADLINE, Process, finish, hallpass, me, mint};

#[test]
fn the_master_key_must_be_given_and_be_the_same_on_every_node() {
    let folder = tempfile::tempdir().unwrap();
    let url = fresh_database();
    let serve = |key: Option<&str>| {
        let mut command = hallpass(folder.path(), &["serve", "--port", "0"]);
        command.env("DATABASE_URL", &url);
        if let Some(key) = key {
            command.env("HALLPASS_KEYS__MASTER_KEY", key);
        }
        command
    };
    let none = finish(&mut serve(None), "");
    assert!(none.complaint().contains("keys.master_key: must be given"), "{}", none.stderr);
    let (right, wrong) = ("ab".repeat(32), "cd".repeat(32));
    let mut first = Process::start(&mut serve(Some(&right)));
    first.port();
    let other = finish(&mut serve(Some(&wrong)), "");
    assert!(other.complaint().contains("keys.master_key"), "{}", other.stderr);
    // A second node; neither needs a folder but for files, which a bucket would take.
    let mut second = Process::start(&mut serve(Some(&right)));
    second.port();
    first.stop();
    second.stop();
    let made: Vec<_> =
        std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(made, ["data"]);
    let made: Vec<_> = std::fs::read_dir(folder.path().join("data"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    assert_eq!(made, ["files"]);
}

#[test]
fn commands_act_on_the_database_and_reach_every_node() {
    let folder = tempfile::tempdir().unwrap();
    let url = fresh_database();
    let command = |args: &[&str]| {
        let mut command = hallpass(folder.path(), args);
        command
            .env("DATABASE_URL", &url)
            .env("HALLPASS_KEYS__MASTER_KEY", "ab".repeat(32))
            .env("HALLPASS_HTTP__PUBLIC_URL", "http://localhost:1");
        command
    };
    let ask = |args: &[&str]| finish(&mut command(&[args, &["--json"]].concat()), "").json();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let nodes: Vec<(Process, u16)> = (0..2)
        .map(|_| {
            let mut node = Process::start(&mut command(&["serve", "--port", "0"]));
            let port = node.port();
            (node, port)
        })
        .collect();
    let (one, two) = (nodes[0].1, nodes[1].1);
    let owner = ["--owner-email", "olive@acme.example", "--owner-username", "olive"];
    let company = ask(&[&["company", "create", "--title", "Acme"], &owner[..]].concat());
    let biz = text(&company["id"]);
    let key = ask(&["key", "create", "--company", &biz, "--role", "owner"]);
    let ann = ask(&["user", "create", "--company", &biz, "--email", "ann@acme.example"]);
    let token = mint(one, &text(&key["secret"]), &company["id"], &ann["id"]);
    assert_eq!((me(one, &token), me(two, &token)), (200, 200));
    ask(&["user", "deactivate", &text(&ann["id"])]);
    let revoked = Instant::now();
    for port in [one, two] {
        while me(port, &token) != 401 {
            assert!(revoked.elapsed() < DEADLINE, "node on {port} still answers");
        }
    }
    for (node, _) in nodes {
        node.stop();
    }
}

#[test]
fn dev_servers_share_a_database_and_its_demo_data() {
    let folder = tempfile::tempdir().unwrap();
    let url = fresh_database();
    let dev = || {
        Process::start(
            hallpass(folder.path(), &["dev", "--port", "0"])
                .env("HALLPASS_DATABASE__URL", &url)
                .env("HALLPASS_HTTP__PUBLIC_URL", "http://localhost:1"),
        )
    };
    // At the same time: one of them makes the data.
    let (mut first, mut second) = (dev(), dev());
    let (mut one, mut two) = (first.ready(), second.ready());
    let port = |ready: &Value| ready["url"].as_str().unwrap().rsplit(':').next().unwrap().parse().unwrap();
    let token =
        mint(port(&one), one["api_key"].as_str().unwrap(), &one["company_id"], &one["users"][3]["id"]);
    assert_eq!(me(port(&two), &token), 200);
    one["url"] = Value::Null;
    two["url"] = Value::Null;
    assert_eq!(one, two);
    first.stop();
    second.stop();
    let serve = finish(
        hallpass(folder.path(), &["serve", "--port", "0"])
            .env("DATABASE_URL", &url)
            .env("HALLPASS_KEYS__MASTER_KEY", "ab".repeat(32)),
        "",
    );
    assert!(serve.complaint().contains("was made by `hallpass dev`"), "{}", serve.stderr);
}
