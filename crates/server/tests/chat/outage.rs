//! The database goes away and comes back: 503 meanwhile, and nothing acknowledged that is not there.

use std::process::Command;

use hallpass_store::{Database, EventKind};
use hallpass_testkit::{Actor, TestServer, postgres};

use super::messages::events;

/// Cuts the database off, or brings it back.
fn reach(database: &Database, yes: bool) {
    match database {
        Database::Sqlite(file) => {
            let away = file.with_extension("away");
            let (from, to) = if yes { (&away, file) } else { (file, &away) };
            std::fs::rename(from, to).unwrap();
        }
        Database::Postgres { url, .. } => {
            let name =
                url.rsplit('/').find_map(|part| part.split('?').next().filter(|n| n.starts_with("test_")));
            let name = name.expect("a test's database");
            let mut sql = format!("ALTER DATABASE {name} ALLOW_CONNECTIONS {yes};");
            if !yes {
                sql.push_str(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
                     WHERE datname NOT IN (SELECT datname FROM pg_database WHERE datallowconn)",
                );
            }
            let server = postgres::Server::shared();
            let done = Command::new(server.bin().join("psql"))
                .args(["-XAtq", "-U", "postgres", "-d", "postgres", "-c", &sql, "-h"])
                .arg(server.socket_folder())
                .output()
                .unwrap();
            assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
        }
    }
}

async fn is_unavailable(who: &Actor<'_>, channel: &str) {
    let answer = who.say(channel, "is anybody there?").await;
    assert_eq!(answer.headers["retry-after"], "1");
    answer.refused(503, "unavailable");
    who.get(&format!("/messages?channel_id={channel}")).await.refused(503, "unavailable");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_goes_away_is_503_and_then_everything_works_again() {
    let server = TestServer::start().await;
    let acme = server.company("acme").await;
    let (_, channel) = acme.channel("General", true).await;
    let (_, ann) = acme.member("ann").await;
    let mut said = vec![ann.say(&channel, "before").await.ok()["id"].as_str().unwrap().to_owned()];
    for _ in 0..2 {
        let database = server.database.clone();
        tokio::task::spawn_blocking(move || reach(&database, false)).await.unwrap();
        for _ in 0..3 {
            is_unavailable(&ann, &channel).await;
        }
        let database = server.database.clone();
        tokio::task::spawn_blocking(move || reach(&database, true)).await.unwrap();
        // Connections that broke are found out one by one; a load balancer would ask `/readyz`.
        while server.app.authority().refresh().await.is_err() {}
        said.push(ann.say(&channel, "after").await.ok()["id"].as_str().unwrap().to_owned());
    }
    let expected: Vec<_> = said.into_iter().map(|id| (EventKind::MessageCreated, id)).collect();
    assert_eq!(events(&server, &channel).await, expected);
}
