//! A disk that is full: nothing is acknowledged that is not there, reading goes on, and room again is used.

use std::path::{Path, PathBuf};
use std::process::Command;

use hallpass_store::Database;
use serde_json::json;
use tokio::task::JoinSet;

use super::server::{Server, check_store};

/// A library that makes writes to files fail as long as a certain file exists.
fn shim(folder: &Path) -> PathBuf {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/process/enospc.c");
    let library = folder.join("enospc.so");
    let built = Command::new("cc").args(["-O1", "-shared", "-fPIC", "-o"]).arg(&library).arg(source).status();
    assert!(built.expect("cc runs").success());
    library
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_refuses_writes_and_loses_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    std::fs::create_dir(&data).unwrap();
    let full = folder.path().join("full");
    let environment = [
        ("LD_PRELOAD", shim(folder.path()).display().to_string()),
        ("DISK_IS_FULL", full.display().to_string()),
    ];
    let server = Server::start(&data, &environment);
    let client = server.client();
    client.say("before").await.unwrap();

    std::fs::write(&full, "").unwrap();
    let mut sends = JoinSet::new();
    for n in 0..50 {
        let client = client.clone();
        sends.spawn(async move { client.send(&format!("while full {n}")).await });
    }
    for answer in sends.join_all().await {
        let (status, body) = answer.expect("an answer");
        assert_eq!((status, &body["error"]["code"]), (503, &json!("unavailable")), "{body}");
    }
    let parent = &server.ready["company_id"];
    let company = json!({ "title": "No room", "email": "no-room@example.com", "parent_company_id": parent });
    let (status, body) = client.call("POST", "/api/v1/companies", Some(company.clone())).await.unwrap();
    assert_eq!(status, 503, "{body}");
    let read = client.walk().await;
    assert_eq!(read.last().unwrap().1, "before", "reading goes on, and shows only what is there");

    std::fs::remove_file(&full).unwrap();
    let after = client.say("after").await.unwrap();
    let (status, body) = client.call("POST", "/api/v1/companies", Some(company)).await.unwrap();
    assert_eq!(status, 200, "{body}");
    let seen = client.walk().await;
    assert_eq!(seen.last().map(|(id, _)| id), Some(&after));
    assert_eq!(seen.len(), read.len() + 1);
    let channel = server.channel.clone();
    server.kill();
    check_store(&Database::Sqlite(data.join("hallpass.db")), &channel, &seen).await;
}
