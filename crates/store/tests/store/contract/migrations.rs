use hallpass_store::{Database, Store, StoreError};

use crate::fixtures::*;
use crate::postgres::fresh_database;

on_both! {
    a_migrated_database_needs_none,
    a_database_that_does_not_fit_is_refused,
}

#[tokio::test]
async fn an_empty_database_needs_all_of_them_and_stays_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let (none, empty) = (folder.path().join("none.db"), folder.path().join("empty.db"));
    std::fs::write(&empty, b"").unwrap();
    let databases = [
        Database::Sqlite(none),
        Database::Sqlite(empty),
        Database::Postgres { url: fresh_database(), max_connections: 2 },
    ];
    for database in databases.iter().chain(&databases) {
        let pending = database.pending_migrations().await.unwrap();
        assert_eq!(pending.first().map(String::as_str), Some("0001_spine"), "{database:?}");
    }
    let files: Vec<_> = std::fs::read_dir(folder.path()).unwrap().map(Result::unwrap).collect();
    assert!(matches!(files.as_slice(), [file] if file.metadata().unwrap().len() == 0), "{files:?}");
    for database in &databases {
        Store::open(database).await.unwrap().close().await;
        assert!(database.pending_migrations().await.unwrap().is_empty());
    }
}

async fn a_migrated_database_needs_none(db: &Db) {
    // Whether or not somebody works on it.
    assert!(db.database.pending_migrations().await.unwrap().is_empty());
    db.users([1]).await;
    db.store.close().await;
    assert!(db.database.pending_migrations().await.unwrap().is_empty());
}

async fn a_database_that_does_not_fit_is_refused(db: &Db) {
    for change in [
        "UPDATE _sqlx_migrations SET version = version + 9999",
        "UPDATE _sqlx_migrations SET version = version - 9999, checksum = 'x'",
        "UPDATE _sqlx_migrations SET success = FALSE",
    ] {
        db.execute(change).await;
        let refused = db.database.pending_migrations().await;
        assert!(matches!(refused, Err(StoreError::Migrate(_))), "{change}: {refused:?}");
    }
}
