//! `kill -9` while webhooks are told: whatever was acknowledged is told, in order, and repeats come under
//! the id they had.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::server::Server;

const SENDS: usize = 300;
const KILLED_AT: usize = 100;
/// How long what must come is waited for, before it is called missing.
const PATIENCE: Duration = Duration::from_mins(1);

/// What came: `webhook-id` and the message's id.
type Came = watch::Sender<Vec<(String, String)>>;

async fn receiver() -> (SocketAddr, Arc<Came>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let came = Arc::new(Came::new(Vec::new()));
    let told = Arc::clone(&came);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(serve(BufReader::new(stream), Arc::clone(&told)));
        }
    });
    (address, came)
}

/// Requests of one connection. One that breaks off in the middle was not received.
async fn serve(mut stream: BufReader<TcpStream>, came: Arc<Came>) -> Option<()> {
    loop {
        let (mut id, mut length) = (String::new(), 0);
        loop {
            let mut line = String::new();
            stream.read_line(&mut line).await.ok().filter(|read| *read > 0)?;
            match line.trim_end().split_once(": ") {
                Some(("webhook-id", value)) => value.clone_into(&mut id),
                Some(("content-length", value)) => length = value.parse().unwrap(),
                None if line.trim_end().is_empty() => break,
                _ => {}
            }
        }
        let mut body = vec![0; length];
        stream.read_exact(&mut body).await.ok()?;
        let body: Value = serde_json::from_slice(&body).unwrap();
        assert_eq!(body["id"], id);
        let message = body["data"]["message"]["id"].as_str().unwrap().to_owned();
        came.send_modify(|came| came.push((id, message)));
        stream.write_all(b"HTTP/1.1 204 X\r\n\r\n").await.ok()?;
    }
}

async fn until(came: &Came, enough: impl Fn(&[(String, String)]) -> bool) {
    let mut changes = came.subscribe();
    let reached = tokio::time::timeout(PATIENCE, changes.wait_for(|came| enough(came))).await;
    assert!(reached.is_ok(), "{} came", came.borrow().len());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_acknowledged_is_told_although_the_server_is_killed() {
    let folder = tempfile::tempdir().unwrap();
    let (address, came) = receiver().await;
    let server = Server::start(folder.path(), &[]);
    let client = server.client();
    let body = json!({ "url": format!("http://{address}/"), "events": ["chat.message.created"] });
    let (status, hook) = client.call("POST", "/api/v1/webhooks", Some(body)).await.unwrap();
    assert_eq!(status, 200, "{hook}");

    let mut sends = JoinSet::new();
    for n in 0..SENDS {
        let client = client.clone();
        sends.spawn(async move { client.say(&format!("message {n}")).await });
    }
    until(&came, |came| came.len() >= KILLED_AT).await;
    server.kill();
    let acknowledged: Vec<String> = sends.join_all().await.into_iter().flatten().collect();
    assert!(acknowledged.len() >= KILLED_AT);

    let server = Server::start(folder.path(), &[]);
    let seen = server.client().walk().await;
    // The example's own messages were there before the webhook.
    let stored: Vec<&str> = seen
        .iter()
        .filter(|(_, content)| content.starts_with("message "))
        .map(|(id, _)| id.as_str())
        .collect();
    assert!(acknowledged.iter().all(|id| stored.contains(&id.as_str())));
    until(&came, |came| stored.iter().all(|id| came.iter().any(|(_, message)| message == id))).await;

    let (mut ids, mut first) = (HashMap::new(), Vec::new());
    for (id, message) in came.borrow().iter() {
        if let Some(before) = ids.insert(message.clone(), id.clone()) {
            assert_eq!(&before, id, "a repeat has the same id");
        } else {
            first.push(message.clone());
        }
    }
    assert_eq!(first, stored, "in order, none missing, and nothing that is not there");
}
