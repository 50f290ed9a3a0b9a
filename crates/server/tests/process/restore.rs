//! A database that goes back in time: a backup is put in place, or a replica without the end takes over.

use std::path::Path;
use std::process::Command;

use hallpass_testkit::postgres;
use serde_json::{Value, json};

use super::server::{Client, Server};

async fn mint(server: &Server, client: &Client) -> (String, Value) {
    let (company, user) = (&server.ready["company_id"], &server.ready["users"][1]["id"]);
    let body = json!({ "company_id": company, "user_id": user, "scoped_actions": ["chat:read"] });
    let (status, minted) = client.call("POST", "/api/v1/access_tokens", Some(body)).await.unwrap();
    assert_eq!(status, 200, "{minted}");
    (minted["token"].as_str().unwrap().to_owned(), user.clone())
}

async fn change_something(server: &Server, client: &Client, times: u32) {
    let path = format!("/api/v1/companies/{}", server.ready["company_id"].as_str().unwrap());
    for n in 0..times {
        let body = json!({ "description": format!("change {n}") });
        let (status, body) = client.call("PATCH", &path, Some(body)).await.unwrap();
        assert_eq!(status, 200, "{body}");
    }
}

async fn works(client: &Client, token: &str) -> u16 {
    let mut client = client.clone();
    token.clone_into(&mut client.key);
    client.call("GET", "/api/v1/users/me", None).await.unwrap().0
}

async fn revoke(client: &Client, what: Value) {
    let (status, body) = client.call("POST", "/api/v1/access_tokens/revoke", Some(what)).await.unwrap();
    assert_eq!((status, &body["revoked"]), (200, &json!(true)), "{body}");
}

fn copy(from: &Path, to: &Path) {
    for file in ["hallpass.db", "hallpass.db-wal"] {
        drop(std::fs::remove_file(to.join(file)));
        if from.join(file).exists() {
            std::fs::copy(from.join(file), to.join(file)).unwrap();
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_a_backup_is_put_back_revoking_works_on_tokens_from_before() {
    let (data, backup) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    // The port is part of the issuer, so all of them are on one.
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let start = || Server::start_on(data.path(), port, &[]);
    start().log();
    copy(data.path(), backup.path());
    let server = start();
    let client = server.client();
    change_something(&server, &client, 5).await;
    let (by_text, _) = mint(&server, &client).await;
    let (by_user, user) = mint(&server, &client).await;
    server.log();
    copy(backup.path(), data.path());
    let server = start();
    let client = server.client();
    assert_eq!(works(&client, &by_text).await, 200, "what was not revoked lives on");
    revoke(&client, json!({ "token": by_text })).await;
    assert_eq!(works(&client, &by_text).await, 401);
    assert_eq!(works(&client, &by_user).await, 200);
    revoke(&client, json!({ "user_id": user })).await;
    assert_eq!(works(&client, &by_user).await, 401);
    let (fresh, _) = mint(&server, &client).await;
    assert_eq!(works(&client, &fresh).await, 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_log_that_loses_its_end_under_a_running_server_is_noticed() {
    let database = tokio::task::spawn_blocking(|| postgres::Server::start(false)).await.unwrap();
    let url = database.fresh_database();
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path(), &[("HALLPASS_DATABASE__URL", url.clone())]);
    let client = server.client();
    change_something(&server, &client, 4).await;
    let (by_text, _) = mint(&server, &client).await;
    let (by_user, user) = mint(&server, &client).await;
    // Four entries were on the old primary only.
    let sql = "BEGIN; DELETE FROM authority_log WHERE n > (SELECT n FROM authority_head) - 4; \
               UPDATE authority_head SET n = n - 4; COMMIT";
    let lost = Command::new(database.bin().join("psql")).args(["-XAtq", "-c", sql, &url]).output().unwrap();
    assert!(lost.status.success(), "{}", String::from_utf8_lossy(&lost.stderr));
    revoke(&client, json!({ "token": by_text })).await;
    assert_eq!(works(&client, &by_text).await, 401);
    revoke(&client, json!({ "user_id": user })).await;
    assert_eq!(works(&client, &by_user).await, 401);
    assert!(server.log().contains("the authority log is not the one that was read before"));
}
