//! PostgreSQL dies as hard as a process can, under a crowd, and comes back.

use std::collections::BTreeMap;

use hallpass_store::Database;
use hallpass_testkit::postgres;
use tokio::task::JoinSet;

use super::server::{Server, check_store};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_acknowledged_is_lost_when_postgres_is_killed() {
    let mut database = tokio::task::spawn_blocking(|| postgres::Server::start(true)).await.unwrap();
    let url = database.fresh_database();
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path(), &[("HALLPASS_DATABASE__URL", url.clone())]);
    let client = server.client();
    let mut acknowledged = BTreeMap::new();
    for round in 0..2 {
        let mut sends = JoinSet::new();
        for n in 0..300 {
            let (client, content) = (client.clone(), format!("round {round} message {n}"));
            sends.spawn(async move { (client.send(&content).await, content) });
        }
        let mut answered = vec![sends.join_next().await.unwrap().unwrap()];
        database = tokio::task::spawn_blocking(move || {
            database.kill();
            database
        })
        .await
        .unwrap();
        answered.extend(sends.join_all().await);
        for (answer, content) in answered {
            match answer.expect("the server itself lives") {
                (200, sent) => drop(acknowledged.insert(sent["id"].as_str().unwrap().to_owned(), content)),
                (503, _) => {}
                (status, body) => panic!("{status} {body}"),
            }
        }
        assert_eq!(client.send("anybody there?").await.unwrap().0, 503);
        database = tokio::task::spawn_blocking(move || {
            database.start_again();
            database
        })
        .await
        .unwrap();
        client.until_ready().await;
        let id = client.say(&format!("after round {round}")).await.unwrap();
        acknowledged.insert(id, format!("after round {round}"));
    }
    let seen = client.walk().await;
    let found: BTreeMap<String, String> = seen.iter().cloned().collect();
    assert_eq!(found.len(), seen.len());
    for (id, content) in &acknowledged {
        assert_eq!(found.get(id), Some(content), "lost");
    }
    let channel = server.channel.clone();
    server.kill();
    check_store(&Database::Postgres { url, max_connections: 2 }, &channel, &seen).await;
}
