//! A running `hallpass dev` and its client.

use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::thread::JoinHandle;

use hallpass_core::channel::ChannelId;
use hallpass_store::{Database, EventKind, Store};
use serde_json::{Value, json};

pub(crate) struct Server {
    child: Child,
    /// Kept open: a closed pipe is not what is tested.
    _stdout: BufReader<ChildStdout>,
    /// What it writes to standard error, until it ends.
    stderr: Option<JoinHandle<String>>,
    pub(crate) ready: Value,
    pub(crate) url: String,
    pub(crate) key: String,
    pub(crate) channel: String,
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

impl Server {
    pub(crate) fn start(folder: &Path, environment: &[(&str, String)]) -> Self {
        Self::start_on(folder, 0, environment)
    }

    pub(crate) fn start_on(folder: &Path, port: u16, environment: &[(&str, String)]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_hallpass"));
        command.args(["dev", "--port", &port.to_string(), "--data-dir"]).arg(folder);
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("HALLPASS_") {
                command.env_remove(name);
            }
        }
        command.env_remove("DATABASE_URL").envs(environment.iter().map(|(name, value)| (name, value)));
        let mut child = command
            .current_dir(folder)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the binary starts");
        let mut errors = child.stderr.take().unwrap();
        let stderr = std::thread::spawn(move || {
            let mut text = Vec::new();
            errors.read_to_end(&mut text).unwrap();
            String::from_utf8(text).unwrap()
        });
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        stdout.read_line(&mut line).expect("the ready line");
        let ready: Value = match serde_json::from_str(&line) {
            Ok(ready) => ready,
            Err(error) => panic!("{error}: {line} {}", stderr.join().unwrap()),
        };
        let text =
            |name: &str| ready[name].as_str().unwrap_or_else(|| panic!("{name} in {ready}")).to_owned();
        let (url, key, channel) = (text("url"), text("api_key"), text("channel_id"));
        Self { child, _stdout: stdout, stderr: Some(stderr), ready, url, key, channel }
    }

    /// `kill -9`.
    pub(crate) fn kill(mut self) {
        assert_eq!(self.child.try_wait().unwrap(), None, "it ended by itself");
        self.child.kill().unwrap();
    }

    /// Ends it, and returns all that it wrote to standard error.
    pub(crate) fn log(mut self) -> String {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
        assert!(self.child.wait().unwrap().success());
        self.stderr.take().unwrap().join().unwrap()
    }

    pub(crate) fn client(&self) -> Client {
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        Client { http, url: self.url.clone(), key: self.key.clone(), channel: self.channel.clone() }
    }
}

#[derive(Clone)]
pub(crate) struct Client {
    pub(crate) http: reqwest::Client,
    url: String,
    pub(crate) key: String,
    channel: String,
}

impl Client {
    /// Status and body, if there was an answer.
    pub(crate) async fn call(&self, method: &str, path: &str, body: Option<Value>) -> Option<(u16, Value)> {
        let method = method.parse().unwrap();
        let request = self.http.request(method, format!("{}{path}", self.url)).bearer_auth(&self.key);
        let request = match body {
            Some(body) => request.json(&body),
            None => request,
        };
        let answer = request.send().await.ok()?;
        Some((answer.status().as_u16(), answer.json().await.ok()?))
    }

    /// Status and body of sending a message, if there was an answer.
    pub(crate) async fn send(&self, content: &str) -> Option<(u16, Value)> {
        let body = json!({ "channel_id": self.channel, "content": content });
        self.call("POST", "/api/v1/messages", Some(body)).await
    }

    /// The id of a message that is sent, if it was acknowledged.
    pub(crate) async fn say(&self, content: &str) -> Option<String> {
        let (status, sent) = self.send(content).await?;
        assert_eq!((status, &sent["content"]), (200, &json!(content)), "{sent}");
        Some(sent["id"].as_str().unwrap().to_owned())
    }

    /// Everything that a reader sees, oldest first: ids and contents.
    pub(crate) async fn walk(&self) -> Vec<(String, String)> {
        let (mut seen, mut after) = (Vec::new(), String::new());
        loop {
            let path =
                format!("/api/v1/messages?channel_id={}&direction=asc&first=100&after={after}", self.channel);
            let (status, page) = self.call("GET", &path, None).await.expect("an answer");
            assert_eq!(status, 200, "{page}");
            let text = |message: &Value, name: &str| message[name].as_str().unwrap().to_owned();
            seen.extend(page["data"].as_array().unwrap().iter().map(|m| (text(m, "id"), text(m, "content"))));
            match page["page_info"]["end_cursor"].as_str() {
                Some(cursor) => cursor.clone_into(&mut after),
                None => return seen,
            }
        }
    }

    /// Asks until the server says that it can serve.
    pub(crate) async fn until_ready(&self) {
        let url = format!("{}/readyz", self.url);
        // Each question is a round trip, which paces the loop.
        while self.http.get(&url).send().await.is_ok_and(|answer| answer.status() != 200) {}
    }
}

/// What lies in the database is what was seen, each once, without holes.
pub(crate) async fn check_store(database: &Database, channel: &str, seen: &[(String, String)]) {
    let store = Store::open(database).await.unwrap();
    let channel: ChannelId = channel.parse().unwrap();
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
