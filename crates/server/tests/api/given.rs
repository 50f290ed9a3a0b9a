//! What these tests begin with: requests made by hand, two nodes, time that ran out.

use std::fmt::Display;
use std::time::{Duration, Instant};

use hallpass_core::Scope;
use hallpass_core::id::CompanyId;
use hallpass_core::statement::{KeyRights, Pattern, Statement};
use hallpass_store::Database;
use hallpass_testkit::{Answer, Body, Engine, Setup, TestServer, http};
use serde_json::{Value, json};
use tempfile::TempDir;

/// A request by hand, `path` with its base.
pub(crate) fn request(
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: impl Into<Body>,
) -> http::Request<Body> {
    let mut request = http::Request::builder().method(method).uri(path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(body.into()).expect("a request")
}

/// Sends raw bytes as JSON to an operation, `path` without its base.
pub(crate) async fn raw_json(
    server: &TestServer,
    bearer: &str,
    method: &str,
    path: &str,
    body: impl Into<Body>,
) -> Answer {
    let bearer = format!("Bearer {bearer}");
    let headers = [("authorization", bearer.as_str()), ("content-type", "application/json")];
    server.send(request(method, &format!("/api/v1{path}"), &headers, body)).await
}

/// Calls with further headers.
pub(crate) async fn with_headers(
    server: &TestServer,
    bearer: &str,
    (method, path): (&str, &str),
    headers: &[(&str, &str)],
    body: Option<Value>,
) -> Answer {
    let bearer = format!("Bearer {bearer}");
    let mut all = vec![("authorization", bearer.as_str())];
    all.extend_from_slice(headers);
    if body.is_some() {
        all.push(("content-type", "application/json"));
    }
    let body = body.map(|body| body.to_string()).unwrap_or_default();
    server.send(request(method, &format!("/api/v1{path}"), &all, body)).await
}

/// POSTs with an `Idempotency-Key`.
pub(crate) async fn once(server: &TestServer, bearer: &str, path: &str, key: &str, body: Value) -> Answer {
    with_headers(server, bearer, ("POST", path), &[("idempotency-key", key)], Some(body)).await
}

/// A database that outlives its servers.
pub(crate) struct Lasting {
    pub(crate) database: Database,
    _folder: TempDir,
}

impl Lasting {
    pub(crate) async fn new() -> Self {
        let folder = TempDir::new().expect("a temporary folder");
        let database = match Engine::of_this_run() {
            Engine::Sqlite => Database::Sqlite(folder.path().join("hallpass.db")),
            Engine::Postgres => {
                let url = tokio::task::spawn_blocking(hallpass_testkit::postgres::fresh_database)
                    .await
                    .expect("PostgreSQL starts");
                Database::Postgres { url, max_connections: 8 }
            }
        };
        Self { database, _folder: folder }
    }

    /// Starts a server on it. Each has its own randomness, as after a real restart.
    pub(crate) async fn start(&self, seed: u64) -> TestServer {
        TestServer::with(Setup { database: Some(self.database.clone()), seed, ..Setup::default() }).await
    }
}

/// Two nodes on one PostgreSQL.
pub(crate) async fn two_nodes() -> (TestServer, TestServer) {
    let a = TestServer::on(Engine::Postgres).await;
    let b = a.another_node().await;
    (a, b)
}

/// Rights by statements.
pub(crate) fn statements(rows: &[(&[&str], bool, &str)]) -> KeyRights {
    let statement = |(actions, grant, resource): &(&[&str], bool, &str)| Statement {
        actions: actions.iter().map(|name| Scope::parse(name).expect("a scope")).collect(),
        grant: *grant,
        resources: vec![Pattern::try_from((*resource).to_owned()).expect("a pattern")],
    };
    KeyRights::Statements(rows.iter().map(statement).collect())
}

/// Rights to some actions in one company.
pub(crate) fn may(company: CompanyId, actions: &[&str]) -> KeyRights {
    statements(&[(actions, true, &company.to_string())])
}

/// Asks a node until the answer is `refused`. An answer that grants may come only to a question asked
/// within a second of now; a node that lags says 503 meanwhile.
pub(crate) async fn refused_within_a_second(
    node: &TestServer,
    ask: impl AsyncFn() -> Answer,
    refused: impl Fn(&Answer) -> bool,
    what: impl Display,
) {
    let narrowed = Instant::now();
    let mut log = node.app.authority().subscribe();
    loop {
        let asked = narrowed.elapsed();
        let answer = ask().await;
        if refused(&answer) {
            return;
        }
        let is_lagging = answer.status == 503;
        assert!(
            is_lagging || asked < Duration::from_secs(1),
            "{what}: after {asked:?} still {} {:#}",
            answer.status,
            answer.body
        );
        assert!(asked < Duration::from_secs(30), "{what}: still lagging");
        entry_of(&mut log).await;
    }
}

/// Waits for something that the authority log, or time, brings.
pub(crate) async fn eventually(node: &TestServer, condition: impl AsyncFn() -> bool, what: impl Display) {
    let started = Instant::now();
    let mut log = node.app.authority().subscribe();
    while !condition().await {
        assert!(started.elapsed() < Duration::from_secs(30), "{what} did not happen");
        entry_of(&mut log).await;
    }
}

/// The next entry of the log as a node reads it, or a little patience.
async fn entry_of(log: &mut tokio::sync::watch::Receiver<u64>) {
    let patience = tokio::time::timeout(Duration::from_millis(50), log.changed()).await;
    assert!(!matches!(patience, Ok(Err(_))), "the node ended");
}

/// The claims of a token, unverified.
pub(crate) fn claims(token: &str) -> Value {
    part(token, 1)
}

/// The header of a token, unverified.
pub(crate) fn header(token: &str) -> Value {
    part(token, 0)
}

fn part(token: &str, n: usize) -> Value {
    let text = token.split('.').nth(n).expect("three parts");
    serde_json::from_slice(&decode(text)).expect("JSON")
}

const BASE64URL: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// base64url without padding (RFC 7515 §2).
pub(crate) fn decode(text: &str) -> Vec<u8> {
    let (mut bits, mut held, mut bytes) = (0_u32, 0_u32, Vec::new());
    for c in text.bytes() {
        let digit = BASE64URL.iter().position(|known| *known == c).expect("base64url");
        bits = bits << 6 | u32::try_from(digit).expect("six bits");
        held += 6;
        if held >= 8 {
            held -= 8;
            bytes.push(u8::try_from(bits >> held & 0xff).expect("eight bits"));
        }
    }
    bytes
}

/// base64url without padding.
pub(crate) fn encode(bytes: &[u8]) -> String {
    bytes
        .chunks(3)
        .flat_map(|chunk| {
            let word = chunk
                .iter()
                .chain([0; 3].iter().take(3 - chunk.len()))
                .fold(0_u32, |w, b| w << 8 | u32::from(*b));
            (0..=chunk.len()).map(move |n| {
                let digit = word >> (18 - 6 * n) & 63;
                char::from(BASE64URL[digit as usize])
            })
        })
        .collect()
}

/// The ids of a page.
pub(crate) fn ids(page: &Value) -> Vec<String> {
    let id = |item: &Value| item["id"].as_str().expect("an id").to_owned();
    page["data"].as_array().expect("data").iter().map(id).collect()
}

/// A text of a JSON object.
#[track_caller]
pub(crate) fn text<'v>(value: &'v Value, field: &str) -> &'v str {
    value[field].as_str().unwrap_or_else(|| panic!("no text {field} in {value:#}"))
}

/// The body that enrols a user as the guide does.
pub(crate) fn enrolment(parent: CompanyId, email: &str, title: &str) -> Value {
    json!({ "email": email, "parent_company_id": parent, "title": title })
}
