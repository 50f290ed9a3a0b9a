//! Sending on SQLite seen from inside: what is told when the connection or the disk fails.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use futures_util::future::join_all;
use hallpass_core::id::{ChatFeedId, MessageId, UserId};
use jiff::Timestamp;
use rusqlite::Connection;
use tempfile::TempDir;
use tokio::sync::Semaphore;

use super::{Append, Engine, WriteFuture};
use crate::{Database, NewMessage, NewUser, Store, StoreError};

struct Db {
    store: Store,
    path: PathBuf,
    _folder: TempDir,
}

/// What an operation does after its message went in.
type End = fn(&mut Connection) -> Result<(), StoreError>;

impl Db {
    async fn open() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("hallpass.db");
        let store = Store::open(&Database::Sqlite(path.clone())).await.unwrap();
        Self { store, path, _folder: folder }
    }

    async fn send(&self, n: i64, end: End) -> Result<(), StoreError> {
        self.store.append(message(n), move |message, tx| sent(message, tx, end)).await
    }

    /// The positions of what is stored, for a connection of its own.
    fn stored(&self) -> Vec<i64> {
        let conn = Connection::open(&self.path).unwrap();
        let verdict: String = conn.query_row("PRAGMA integrity_check", (), |row| row.get(0)).unwrap();
        assert_eq!(verdict, "ok");
        let mut statement = conn.prepare("SELECT position FROM messages ORDER BY position").unwrap();
        statement.query_map((), |row| row.get(0)).unwrap().map(Result::unwrap).collect()
    }

    /// Runs a pragma on the connection that sends.
    async fn pragma(&self, pragma: &'static str) {
        let told = self.store.append((), move |(), tx| {
            Box::pin(async move {
                Ok::<_, StoreError>(sqlite(tx).query_row(pragma, (), |row| row.get::<_, i64>(0))?)
            })
        });
        assert!(told.await.unwrap() >= 1);
    }
}

fn message(n: i64) -> NewMessage {
    NewMessage {
        id: MessageId::from_bits(n.unsigned_abs().into()),
        channel: ChatFeedId::from_bits(1).into(),
        position: n,
        seq: n,
        author: UserId::from_bits(1),
        posted_by_key: None,
        content: "hello".to_owned(),
        mentions: Vec::new(),
        mentions_everyone: false,
        poll: None,
        replying_to: None,
        attachments: Vec::new(),
        at: Timestamp::UNIX_EPOCH,
    }
}

fn sent<'t>(message: &'t NewMessage, mut tx: Append<'t>, end: End) -> WriteFuture<'t, (), StoreError> {
    Box::pin(async move {
        tx.insert_messages(std::slice::from_ref(message)).await?;
        end(sqlite(tx))
    })
}

fn sqlite(tx: Append<'_>) -> &mut Connection {
    match tx.0 {
        Engine::Sqlite(conn) => conn,
        Engine::Postgres(_) => unreachable!("the store is on SQLite"),
    }
}

const WELL: End = |_| Ok(());

fn refused(_: &mut Connection) -> Result<(), StoreError> {
    Err(StoreError::Conflict)
}
fn panicking(_: &mut Connection) -> Result<(), StoreError> {
    panic!("on purpose")
}
fn too_large(conn: &mut Connection) -> Result<(), StoreError> {
    let large = "INSERT INTO server_facts (name, value) VALUES ('large', hex(zeroblob(4000000)))";
    conn.execute(large, ())?;
    Ok(())
}
/// The engine gives the transaction up, as it may on any I/O error.
fn losing_it(conn: &mut Connection) -> Result<(), StoreError> {
    conn.execute("ROLLBACK", ())?;
    Err(StoreError::Conflict)
}
fn ending_it(conn: &mut Connection) -> Result<(), StoreError> {
    conn.execute("ROLLBACK", ())?;
    Ok(())
}
#[tokio::test]
async fn what_fails_leaves_nothing_and_the_next_one_works() {
    let db = Db::open().await;
    let ends: [End; 6] = [WELL, refused, panicking, losing_it, ending_it, WELL];
    for (n, end) in (1..).zip(ends.into_iter().cycle().take(18)) {
        match (n % 6, db.send(n, end).await) {
            (0 | 1, Ok(()))
            | (2 | 4, Err(StoreError::Conflict))
            | (3, Err(StoreError::Panicked))
            | (5, Err(StoreError::Unavailable(_))) => {}
            (_, outcome) => panic!("{n}: {outcome:?}"),
        }
    }
    assert_eq!(db.stored(), [1, 6, 7, 12, 13, 18]);
}

#[tokio::test]
async fn a_full_disk_is_told_and_room_again_is_used() {
    let db = Db::open().await;
    db.send(1, WELL).await.unwrap();
    let outcome = {
        db.pragma("PRAGMA max_page_count = 200").await;
        db.send(2, too_large).await
    };
    assert!(matches!(outcome, Err(StoreError::Unavailable(_))), "{outcome:?}");
    let mut last = 2;
    while db.send(last, WELL).await.is_ok() {
        last += 1;
        assert!(last < 10_000, "the quota does not hold");
    }
    assert!(matches!(db.send(last, WELL).await, Err(StoreError::Unavailable(_))));
    db.pragma("PRAGMA max_page_count = 1000000").await;
    db.send(last, WELL).await.unwrap();
    assert_eq!(db.stored(), (1..=last).collect::<Vec<_>>());
}

#[tokio::test]
async fn another_process_that_holds_the_lock_makes_sends_wait_and_then_unavailable() {
    let db = Db::open().await;
    db.pragma("PRAGMA busy_timeout = 1").await;
    let other = Connection::open(&db.path).unwrap();
    other.execute("BEGIN IMMEDIATE", ()).unwrap();
    let outcome = db.send(1, WELL).await;
    assert!(matches!(outcome, Err(StoreError::Unavailable(_))), "{outcome:?}");
    other.execute("ROLLBACK", ()).unwrap();
    db.send(2, WELL).await.unwrap();
    assert_eq!(db.stored(), [2]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sends_and_other_writes_take_turns() {
    let db = Db::open().await;
    // Whoever met the other's lock would give up at once.
    db.pragma("PRAGMA busy_timeout = 1").await;
    let write = |n: u128| {
        let new = NewUser {
            id: UserId::from_bits(n),
            person: None,
            home: None,
            username: format!("user{n}"),
            name: None,
            email: None,
        };
        db.store.write(new, |new, tx| Box::pin(tx.insert_user(new, Timestamp::UNIX_EPOCH)))
    };
    let writes = join_all((1..=200).map(write));
    let sends = join_all((1..=200).map(|n| db.send(n, WELL)));
    let (writes, sends) = tokio::join!(writes, sends);
    assert!(writes.into_iter().all(Result::unwrap));
    assert!(sends.iter().all(Result::is_ok));
    assert_eq!(db.stored().len(), 200);
}

#[tokio::test]
async fn closing_lets_who_waits_send_and_refuses_the_rest() {
    let db = Db::open().await;
    let (entered, open) = (Arc::new(Semaphore::new(0)), Arc::new(Semaphore::new(0)));
    let gate = db.store.append((entered.clone(), open.clone()), |(entered, open), _| {
        Box::pin(async move {
            entered.add_permits(1);
            drop(open.acquire().await.unwrap());
            Ok::<_, StoreError>(())
        })
    });
    let behind = async {
        drop(entered.acquire().await.unwrap());
        let waiting = async { tokio::join!(db.send(1, WELL), db.send(2, WELL), db.store.close()) };
        let ((first, second, ()), ()) = tokio::join!(waiting, async { open.add_permits(1) });
        (first, second)
    };
    let (gate, (first, second)) = tokio::join!(gate, behind);
    assert!(gate.is_ok() && first.is_ok() && second.is_ok(), "{gate:?} {first:?} {second:?}");
    assert!(matches!(db.send(3, WELL).await, Err(StoreError::Unavailable(_))));
    assert!(!log_of(&db.path).exists(), "the log was not folded in");
    assert_eq!(db.stored(), [1, 2]);
}

fn log_of(path: &Path) -> PathBuf {
    path.with_extension("db-wal")
}
