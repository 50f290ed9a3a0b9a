//! `kill -9` while a thousand sends are in flight: every message that was acknowledged is there, once,
//! in order, and no reader finds a hole.
//!
//! Three times on each engine; fifty with `HALLPASS_SOAK=1`.

#![expect(clippy::unwrap_used, reason = "what tests stand on may fail loudly")]

use std::collections::{BTreeMap, HashMap};
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use hallpass_core::id::ChatFeedId;
use hallpass_store::{Database, EventKind, Store};
use hallpass_testkit::postgres;
use serde_json::{Value, json};
use tokio::sync::Notify;
use tokio::task::JoinSet;

const SENDS: usize = 1000;

fn rounds() -> usize {
    if std::env::var_os("HALLPASS_SOAK").is_some_and(|value| value == "1") { 50 } else { 3 }
}

struct Server {
    child: Child,
    /// Kept open: a closed pipe is not what is tested.
    _stdout: BufReader<ChildStdout>,
    url: String,
    key: String,
    channel: String,
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

impl Server {
    fn start(folder: &Path, database: Option<&str>) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_hallpass"));
        command.args(["dev", "--port", "0", "--data-dir"]).arg(folder);
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("HALLPASS_") {
                command.env_remove(name);
            }
        }
        command.env_remove("DATABASE_URL").env("HALLPASS_HTTP__ACCESS_LOG", "false");
        if let Some(url) = database {
            command.env("HALLPASS_DATABASE__URL", url);
        }
        let mut child = command
            .current_dir(folder)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the binary starts");
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        stdout.read_line(&mut line).expect("the ready line");
        let ready: Value = serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}"));
        let text =
            |name: &str| ready[name].as_str().unwrap_or_else(|| panic!("{name} in {ready}")).to_owned();
        let (url, key, channel) = (text("url"), text("api_key"), text("channel_id"));
        Self { child, _stdout: stdout, url, key, channel }
    }

    /// `kill -9`.
    fn kill(mut self) {
        assert_eq!(self.child.try_wait().unwrap(), None, "it ended by itself");
        self.child.kill().unwrap();
    }

    fn client(&self) -> Client {
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        Client { http, url: self.url.clone(), key: self.key.clone(), channel: self.channel.clone() }
    }
}

#[derive(Clone)]
struct Client {
    http: reqwest::Client,
    url: String,
    key: String,
    channel: String,
}

impl Client {
    /// The id, if it was acknowledged.
    async fn say(&self, content: &str) -> Option<String> {
        let body = json!({ "channel_id": self.channel, "content": content });
        let request =
            self.http.post(format!("{}/api/v1/messages", self.url)).bearer_auth(&self.key).json(&body);
        let answer = request.send().await.ok()?;
        if answer.status() != 200 {
            let text = answer.text().await.ok()?;
            panic!("refused: {text}");
        }
        let sent: Value = answer.json().await.ok()?;
        assert_eq!(sent["content"], content);
        Some(sent["id"].as_str().unwrap().to_owned())
    }

    /// Everything that a reader sees, oldest first: ids and contents.
    async fn walk(&self) -> Vec<(String, String)> {
        let (mut seen, mut after) = (Vec::new(), String::new());
        loop {
            let url = format!(
                "{}/api/v1/messages?channel_id={}&direction=asc&first=100&after={after}",
                self.url, self.channel
            );
            let answer = self.http.get(url).bearer_auth(&self.key).send().await.unwrap();
            assert_eq!(answer.status(), 200);
            let page: Value = answer.json().await.unwrap();
            let text = |message: &Value, name: &str| message[name].as_str().unwrap().to_owned();
            seen.extend(page["data"].as_array().unwrap().iter().map(|m| (text(m, "id"), text(m, "content"))));
            match page["page_info"]["end_cursor"].as_str() {
                Some(cursor) => cursor.clone_into(&mut after),
                None => return seen,
            }
        }
    }
}

/// Sends a thousand at once and kills the server when `killed_at` of them are acknowledged; which.
async fn interrupted(server: Server, round: usize, killed_at: usize) -> BTreeMap<String, String> {
    let client = server.client();
    let (count, reached) = (Arc::new(AtomicUsize::new(0)), Arc::new(Notify::new()));
    let mut sends = JoinSet::new();
    for n in 0..SENDS {
        let (client, count, reached) = (client.clone(), Arc::clone(&count), Arc::clone(&reached));
        sends.spawn(async move {
            let content = format!("round {round} message {n}");
            let id = client.say(&content).await?;
            if count.fetch_add(1, Ordering::SeqCst) + 1 == killed_at {
                reached.notify_one();
            }
            Some((id, content))
        });
    }
    reached.notified().await;
    server.kill();
    let acknowledged: BTreeMap<String, String> = sends.join_all().await.into_iter().flatten().collect();
    assert!((killed_at..=SENDS).contains(&acknowledged.len()));
    acknowledged
}

async fn check_store(database: &Database, channel: &str, seen: &[(String, String)]) {
    let store = Store::open(database).await.unwrap();
    let channel: ChatFeedId = channel.parse().unwrap();
    let mut conn = store.read().await.unwrap();
    let (position, seq) = conn.find_head(channel).await.unwrap().unwrap();
    let stored = store.list_messages(channel, false, None, i64::MAX).await.unwrap();
    assert!(stored.iter().map(|message| message.position).eq(1..=position), "a hole in the positions");
    assert!(stored.iter().map(|message| message.id.to_string()).eq(seen.iter().map(|(id, _)| id.clone())));
    let events = conn.list_events(channel, 0, i64::MAX).await.unwrap();
    assert!(events.iter().map(|(seq, ..)| *seq).eq(1..=seq), "a hole in the events");
    let created = events.iter().filter(|(_, kind, _)| *kind == EventKind::MessageCreated);
    assert!(created.map(|(.., subject)| subject).eq(seen.iter().map(|(id, _)| id)));
    drop(conn);
    store.close().await;
}

async fn nothing_acknowledged_is_lost(url: Option<String>) {
    let folder = tempfile::tempdir().unwrap();
    let database = match &url {
        None => Database::Sqlite(folder.path().join("hallpass.db")),
        Some(url) => Database::Postgres { url: url.clone(), max_connections: 2 },
    };
    let mut acknowledged: BTreeMap<String, String> = BTreeMap::new();
    // Spread over the whole run, early and late, a little differently each time.
    let salt = usize::try_from(std::process::id()).unwrap();
    for round in 0..rounds() {
        let server = Server::start(folder.path(), url.as_deref());
        let killed_at = 1 + (salt * 7919 + round * 389) % (SENDS - 100);
        acknowledged.extend(interrupted(server, round, killed_at).await);

        let server = Server::start(folder.path(), url.as_deref());
        let seen = server.client().walk().await;
        let mut by_content: HashMap<&str, usize> = HashMap::new();
        for (_, content) in seen.iter().filter(|(_, content)| content.starts_with("round ")) {
            *by_content.entry(content).or_default() += 1;
        }
        assert!(by_content.values().all(|count| *count == 1), "a message is there twice");
        let by_id: HashMap<&str, &str> = seen.iter().map(|(id, text)| (id.as_str(), text.as_str())).collect();
        assert_eq!(by_id.len(), seen.len());
        for (id, content) in &acknowledged {
            let found = by_id.get(id.as_str());
            assert_eq!(found, Some(&content.as_str()), "round {round}, killed at {killed_at}: {id} is lost");
        }
        // It goes on where it was.
        let next = server.client().say(&format!("after round {round}")).await.expect("an answer");
        let channel = server.channel.clone();
        let seen = server.client().walk().await;
        assert_eq!(seen.last().map(|(id, _)| id), Some(&next));
        server.kill();
        check_store(&database, &channel, &seen).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_acknowledged_is_lost_when_the_server_is_killed_on_sqlite() {
    nothing_acknowledged_is_lost(None).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_acknowledged_is_lost_when_the_server_is_killed_on_postgres() {
    let url = tokio::task::spawn_blocking(postgres::fresh_durable_database).await.unwrap();
    nothing_acknowledged_is_lost(Some(url)).await;
}
