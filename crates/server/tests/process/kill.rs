//! `kill -9` while a thousand sends are in flight: every message that was acknowledged is there, once,
//! in order, and no reader finds a hole.
//!
//! Three times on each engine; fifty with `HALLPASS_SOAK=1`.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use hallpass_store::Database;
use hallpass_testkit::postgres;
use tokio::sync::Notify;
use tokio::task::JoinSet;

use super::server::{Server, check_store};

const SENDS: usize = 1000;

fn rounds() -> usize {
    if std::env::var_os("HALLPASS_SOAK").is_some_and(|value| value == "1") { 50 } else { 3 }
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

fn database_of(url: Option<&str>) -> Vec<(&'static str, String)> {
    url.map(|url| ("HALLPASS_DATABASE__URL", url.to_owned())).into_iter().collect()
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
        let server = Server::start(folder.path(), &database_of(url.as_deref()));
        let killed_at = 1 + (salt * 7919 + round * 389) % (SENDS - 100);
        acknowledged.extend(interrupted(server, round, killed_at).await);

        let server = Server::start(folder.path(), &database_of(url.as_deref()));
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
