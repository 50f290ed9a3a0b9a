//! The database goes away and comes back.

use std::str::FromStr;

use hallpass_store::{Database, Store, StoreError};
use sqlx::ConnectOptions;
use sqlx::postgres::PgConnectOptions;

use crate::fixtures::*;

async fn add(db: &Db, n: u128) -> Result<bool, StoreError> {
    db.store.write(new_user(n, None), |new, tx| Box::pin(tx.insert_user(new, at(0)))).await
}

#[tokio::test]
async fn a_file_that_is_moved_away_takes_no_writes_until_it_is_back() {
    let folder = tempfile::tempdir().unwrap();
    let (here, away) = (folder.path().join("data"), folder.path().join("away"));
    std::fs::create_dir(&here).unwrap();
    let database = Database::Sqlite(here.join("hallpass.db"));
    let store = Store::open(&database).await.unwrap();
    let add =
        async |n: u128| store.write(new_user(n, None), |new, tx| Box::pin(tx.insert_user(new, at(0)))).await;
    assert!(add(1).await.unwrap());
    std::fs::rename(&here, &away).unwrap();
    for n in 2..=4 {
        let refused = add(n).await;
        assert!(matches!(refused, Err(StoreError::Unavailable(_))), "{refused:?}");
        assert!(matches!(store.read().await.err(), Some(StoreError::Unavailable(_))));
    }
    assert!(!here.exists(), "nothing was made in its place");
    // An empty folder, as of a volume that is not mounted, is no better.
    std::fs::create_dir(&here).unwrap();
    assert!(matches!(add(5).await, Err(StoreError::Unavailable(_))));
    assert_eq!(std::fs::read_dir(&here).unwrap().count(), 0, "no empty database was made");
    std::fs::remove_dir(&here).unwrap();
    std::fs::rename(&away, &here).unwrap();
    assert!(add(6).await.unwrap());
    let mut read = store.read().await.unwrap();
    for (n, stored) in [(1, true), (2, false), (5, false), (6, true)] {
        assert_eq!(read.find_user(user(n)).await.unwrap().is_some(), stored, "{n}");
    }
}

#[tokio::test]
async fn a_file_that_is_deleted_or_replaced_takes_no_writes() {
    for suffix in ["", "-wal"] {
        let db = Db::sqlite().await;
        let Database::Sqlite(path) = &db.database else { unreachable!() };
        assert!(add(&db, 1).await.unwrap());
        let mut file = path.clone().into_os_string();
        file.push(suffix);
        std::fs::remove_file(&file).unwrap();
        let refused = add(&db, 2).await;
        assert!(matches!(refused, Err(StoreError::Unavailable(_))), "{suffix}: {refused:?}");
        std::fs::write(&file, b"").unwrap();
        let refused = add(&db, 3).await;
        assert!(matches!(refused, Err(StoreError::Unavailable(_))), "{suffix}: {refused:?}");
    }
}

#[tokio::test]
async fn closing_finishes_what_was_begun_and_refuses_the_rest() {
    for db in [Db::sqlite().await, Db::postgres().await] {
        let mut writes = Vec::new();
        for n in 1..=50 {
            let mut write = Box::pin(add(&db, n));
            // Begun, not finished.
            std::future::poll_fn(|cx| {
                drop(write.as_mut().poll(cx));
                std::task::Poll::Ready(())
            })
            .await;
            writes.push(write);
        }
        if db.store.is_shared() {
            // There each write is a task of its own, which may not have reached the pool yet.
            for write in writes.drain(..) {
                assert!(write.await.unwrap());
            }
        }
        db.store.close().await;
        for write in writes {
            assert!(write.await.unwrap());
        }
        if let Database::Sqlite(path) = &db.database {
            assert!(!path.with_extension("db-wal").exists(), "the log was not folded in");
        }
        assert!(matches!(add(&db, 51).await, Err(StoreError::Unavailable(_))));
        assert!(matches!(db.store.read().await.err(), Some(StoreError::Unavailable(_))));
        assert_eq!(db.number("SELECT COUNT(*) FROM users").await, 50);
        db.store.close().await;
    }
}

#[tokio::test]
async fn a_server_that_hangs_up_is_unavailable_and_then_works() {
    let db = Db::postgres().await;
    assert!(add(&db, 1).await.unwrap());
    let Database::Postgres { url, .. } = &db.database else { unreachable!() };
    let options = PgConnectOptions::from_str(url).unwrap();
    let name = options.get_database().unwrap().to_owned();
    let mut admin = options.database("postgres").connect().await.unwrap();
    let allow = |yes: bool| {
        sqlx::raw_sql(sqlx::AssertSqlSafe(format!("ALTER DATABASE {name} ALLOW_CONNECTIONS {yes}")))
    };
    allow(false).execute(&mut admin).await.unwrap();
    sqlx::query("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1")
        .bind(&name)
        .execute(&mut admin)
        .await
        .unwrap();
    let refused = add(&db, 2).await;
    assert!(matches!(refused, Err(StoreError::Unavailable(_))), "{refused:?}");
    let refused = db.store.read().await.err();
    assert!(matches!(refused, Some(StoreError::Unavailable(_))), "{refused:?}");
    allow(true).execute(&mut admin).await.unwrap();
    assert!(add(&db, 3).await.unwrap());
    assert_eq!(db.number("SELECT COUNT(*) FROM users").await, 2);
}

#[tokio::test]
async fn what_cannot_be_opened_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let unusable = [
        Database::Sqlite(folder.path().join("no/such/folder/hallpass.db")),
        Database::Sqlite(folder.path().to_owned()),
        Database::Postgres {
            url: format!("postgres://postgres@localhost/x?host={}", folder.path().display()),
            max_connections: 1,
        },
        Database::Postgres { url: "not a url".to_owned(), max_connections: 1 },
    ];
    for database in unusable {
        let refused = Store::open(&database).await.err();
        assert!(matches!(refused, Some(StoreError::Unavailable(_))), "{database:?}: {refused:?}");
    }
    let not_ours = folder.path().join("letter.txt");
    std::fs::write(&not_ours, "Dear database, ".repeat(100)).unwrap();
    let refused = Store::open(&Database::Sqlite(not_ours)).await.err();
    assert!(matches!(refused, Some(StoreError::Unavailable(_))), "{refused:?}");
}
