//! Group commit seen from inside: what shares a commit, what is lost with it, what is told to whom.

use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::task::Poll;

use futures_util::future::join_all;
use hallpass_core::id::UserId;
use jiff::Timestamp;
use sqlx::{AssertSqlSafe, Connection, SqliteConnection};
use tempfile::TempDir;
use tokio::sync::Semaphore;

use crate::conn::{Inner, Tx};
use crate::{Database, NewUser, Store, StoreError};

struct Db {
    store: Store,
    path: PathBuf,
    _folder: TempDir,
}

type Answer<T> = Pin<Box<dyn Future<Output = Result<T, StoreError>> + Send>>;

impl Db {
    async fn open() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("hallpass.db");
        let store = Store::open(&Database::Sqlite(path.clone())).await.unwrap();
        Self { store, path, _folder: folder }
    }

    /// Keeps the writer busy, and all who come meanwhile waiting, until the answer is `open`ed.
    async fn gate(&self) -> Gate {
        let (entered, open) = (Arc::new(Semaphore::new(0)), Arc::new(Semaphore::new(0)));
        let store = self.store.clone();
        let both = (entered.clone(), open.clone());
        let answer = tokio::spawn(async move {
            store
                .write(both, |(entered, open), _| {
                    Box::pin(async move {
                        entered.add_permits(1);
                        drop(open.acquire().await.unwrap());
                        Ok::<_, StoreError>(())
                    })
                })
                .await
        });
        drop(entered.acquire().await.unwrap());
        Gate { open, answer }
    }

    /// Adds a user of that number and then ends as `end` says.
    fn add(&self, n: u128, end: fn(&'_ mut Tx) -> super::WriteFuture<'_, (), StoreError>) -> Answer<bool> {
        let store = self.store.clone();
        Box::pin(async move {
            store
                .write(new_user(n), move |new, tx| {
                    Box::pin(async move {
                        let added = tx.insert_user(new, Timestamp::UNIX_EPOCH).await?;
                        end(tx).await?;
                        Ok(added)
                    })
                })
                .await
        })
    }

    /// Who is there, for a connection of its own.
    async fn users(&self) -> Vec<u128> {
        let mut conn = SqliteConnection::connect(self.path.to_str().unwrap()).await.unwrap();
        let ids: Vec<String> =
            sqlx::query_scalar("SELECT id FROM users ORDER BY id").fetch_all(&mut conn).await.unwrap();
        ids.iter().map(|id| id.parse::<UserId>().unwrap().bits()).collect()
    }

    /// How many pages the writer's connection may fill.
    async fn allow_pages(&self, pages: i64) {
        let told: i64 = self
            .store
            .write(pages, |pages, tx| {
                let limit = AssertSqlSafe(format!("PRAGMA max_page_count = {pages}"));
                Box::pin(async move {
                    Ok::<_, StoreError>(sqlx::query_scalar(limit).fetch_one(sqlite(tx)).await?)
                })
            })
            .await
            .unwrap();
        assert!(told >= 1);
    }
}

struct Gate {
    open: Arc<Semaphore>,
    answer: tokio::task::JoinHandle<Result<(), StoreError>>,
}

impl Gate {
    /// Puts everything into the queue, in this order, and then lets the writer go on.
    async fn release<T>(self, mut waiting: Vec<Answer<T>>) -> Vec<Result<T, StoreError>> {
        queue(&mut waiting).await;
        self.open.add_permits(1);
        self.answer.await.unwrap().unwrap();
        join_all(waiting).await
    }
}

/// Polls each once, in order: it waits in the writer's queue.
async fn queue<T>(waiting: &mut [Answer<T>]) {
    // Unconstrained: tokio's budget would stop some short of the queue.
    tokio::task::unconstrained(std::future::poll_fn(|cx| {
        for answer in &mut *waiting {
            assert!(answer.as_mut().poll(cx).is_pending());
        }
        Poll::Ready(())
    }))
    .await;
}

fn sqlite(tx: &mut Tx) -> &mut SqliteConnection {
    match &mut tx.0.0 {
        Inner::SqliteWrite(conn) => conn,
        _ => unreachable!("the writer's connection"),
    }
}

fn new_user(n: u128) -> NewUser {
    NewUser {
        id: UserId::from_bits(n),
        person: None,
        home: None,
        username: format!("user{n}"),
        name: None,
        email: None,
    }
}

fn well(_: &mut Tx) -> super::WriteFuture<'_, (), StoreError> {
    Box::pin(async { Ok(()) })
}
fn refused(_: &mut Tx) -> super::WriteFuture<'_, (), StoreError> {
    Box::pin(async { Err(StoreError::Corrupt { table: "t", column: "c", id: "mine".to_owned() }) })
}
fn panicking(_: &mut Tx) -> super::WriteFuture<'_, (), StoreError> {
    Box::pin(async { panic!("on purpose") })
}
/// Fills more pages than there are, in one row: without a statement journal the engine gives the
/// whole transaction up.
fn too_large(tx: &mut Tx) -> super::WriteFuture<'_, (), StoreError> {
    Box::pin(async move {
        let large = "INSERT INTO server_facts (name, value) VALUES ('large', hex(zeroblob(4000000)))";
        sqlx::query(large).execute(sqlite(tx)).await?;
        Ok(())
    })
}
/// What an operation must not do: not look at an error.
fn swallowing(tx: &mut Tx) -> super::WriteFuture<'_, (), StoreError> {
    Box::pin(async move {
        drop(too_large(tx).await);
        Ok(())
    })
}
/// The engine gives the whole transaction up, as it may on any I/O error.
fn losing_everything(tx: &mut Tx) -> super::WriteFuture<'_, (), StoreError> {
    Box::pin(async move {
        sqlx::query("ROLLBACK").execute(sqlite(tx)).await?;
        Err(StoreError::Corrupt { table: "t", column: "c", id: "mine".to_owned() })
    })
}

/// The commits in the write-ahead log: its frames that name the size of the database after them.
fn commits(path: &Path) -> usize {
    let log = std::fs::read(path.with_extension("db-wal")).unwrap();
    let number = |at: usize| u32::from_be_bytes(log[at..at + 4].try_into().unwrap());
    let (page, salts) = (number(8) as usize, &log[16..24]);
    (32..log.len())
        .step_by(24 + page)
        .filter(|frame| &log[frame + 8..frame + 16] == salts && number(frame + 4) != 0)
        .count()
}

#[tokio::test]
async fn whatever_waits_shares_a_commit() {
    let db = Db::open().await;
    for (n, jobs, expected) in [(1000, 1, 1), (2000, 100, 1), (3000, 256, 1), (4000, 257, 2), (5000, 1000, 4)]
    {
        let gate = db.gate().await;
        let before = commits(&db.path);
        let answers = gate.release((n..n + jobs).map(|n| db.add(n, well)).collect()).await;
        assert!(answers.into_iter().all(|added| added.unwrap()));
        // The gate itself wrote nothing, so its commit leaves no frame.
        assert_eq!(commits(&db.path) - before, expected, "{jobs} jobs");
    }
    assert_eq!(db.users().await.len(), 1 + 100 + 256 + 257 + 1000);
}

#[tokio::test]
async fn nobody_is_answered_before_the_commit() {
    let db = Db::open().await;
    let gate = db.gate().await;
    let path = db.path.clone();
    let watched = (1..=30).map(|n| {
        let (add, path) = (db.add(n, well), path.clone());
        Box::pin(async move {
            add.await?;
            // At the moment of the answer, for somebody who was not there before.
            let mut conn = SqliteConnection::connect(path.to_str().unwrap()).await?;
            let there: i64 = sqlx::query_scalar("SELECT COUNT(*) FROM users").fetch_one(&mut conn).await?;
            Ok(there)
        }) as Answer<i64>
    });
    for there in gate.release(watched.collect()).await {
        assert_eq!(there.unwrap(), 30, "the whole batch is on disk when the first is answered");
    }
}

#[tokio::test]
async fn one_that_fails_in_a_batch_fails_alone_with_its_own_error() {
    let db = Db::open().await;
    let gate = db.gate().await;
    let before = commits(&db.path);
    let answers = gate
        .release((1..=40).map(|n| db.add(n, [well, refused, well, panicking][n as usize % 4])).collect())
        .await;
    for (n, answer) in (1_u128..).zip(answers) {
        match (n % 4, answer) {
            (0 | 2, Ok(true)) | (3, Err(StoreError::Panicked)) => {}
            (1, Err(StoreError::Corrupt { id, .. })) if id == "mine" => {}
            (_, answer) => panic!("{n}: {answer:?}"),
        }
    }
    assert_eq!(db.users().await, (1..=40).filter(|n| n % 2 == 0).collect::<Vec<_>>());
    assert_eq!(commits(&db.path) - before, 1, "and the others still shared their commit");
}

#[tokio::test]
async fn a_refused_one_leaves_nothing_in_the_batch_for_others_to_meet() {
    let db = Db::open().await;
    let gate = db.gate().await;
    // The first takes the name and is refused after that; the second gets it; the third does not.
    let answers = gate.release(vec![db.add(1, refused), db.add(1, well), db.add(1, well)]).await;
    assert!(matches!(answers[..], [Err(StoreError::Corrupt { .. }), Ok(true), Ok(false)]), "{answers:?}");
}

#[tokio::test]
async fn when_the_disk_is_full_those_who_fit_are_written() {
    let db = Db::open().await;
    // What is there, and room for the small ones.
    let gate = db.gate().await;
    let limit = pages(&db.path).await + 20;
    gate.release::<bool>(Vec::new()).await;
    db.allow_pages(limit).await;
    let gate = db.gate().await;
    let ends = [well, too_large, well, refused, swallowing, well];
    let answers = gate.release((1..=12).map(|n| db.add(n, ends[n as usize % 6])).collect()).await;
    for (n, answer) in (1_u128..).zip(answers) {
        match (n % 6, answer) {
            (0 | 2 | 5, Ok(true))
            | (1 | 4, Err(StoreError::Unavailable(_)))
            | (3, Err(StoreError::Corrupt { .. })) => {}
            (_, answer) => panic!("{n}: {answer:?}"),
        }
    }
    assert_eq!(db.users().await, [2, 5, 6, 8, 11, 12]);
    // Full to the brim: nobody fits, and everybody is told so.
    let full = pages(&db.path).await;
    db.allow_pages(full).await;
    let mut n = 100;
    while db.add(n, well).await.is_ok() {
        n += 1;
        assert!(n < 10_000, "the quota does not hold");
    }
    let there = db.users().await;
    let gate = db.gate().await;
    let answers = gate.release((20_000..20_010).map(|n| db.add(n, too_large)).collect()).await;
    assert!(answers.iter().all(|answer| matches!(answer, Err(StoreError::Unavailable(_)))), "{answers:?}");
    assert_eq!(db.users().await, there, "nothing half done");
    // Room again.
    db.allow_pages(1_000_000).await;
    let gate = db.gate().await;
    let answers = gate.release((30_000..30_010).map(|n| db.add(n, well)).collect()).await;
    assert!(answers.into_iter().all(|added| added.unwrap()));
    assert_eq!(db.users().await.len(), there.len() + 10);
    integrity(&db.path).await;
}

async fn pages(path: &Path) -> i64 {
    let mut conn = SqliteConnection::connect(path.to_str().unwrap()).await.unwrap();
    sqlx::query_scalar("PRAGMA page_count").fetch_one(&mut conn).await.unwrap()
}

async fn integrity(path: &Path) {
    let mut conn = SqliteConnection::connect(path.to_str().unwrap()).await.unwrap();
    let verdict: String = sqlx::query_scalar("PRAGMA integrity_check").fetch_one(&mut conn).await.unwrap();
    assert_eq!(verdict, "ok");
}

#[tokio::test]
async fn a_lost_transaction_is_run_again_and_what_was_said_in_it_is_forgotten() {
    let db = Db::open().await;
    let gate = db.gate().await;
    // 2 is refused the id of 1 in the shared transaction, which then is lost. Alone, 1 fails, as it
    // must, and so 2 is not in its way any more.
    let first = db.store.clone();
    let attempts = Arc::new(AtomicU32::new(0));
    let counted = attempts.clone();
    let only_together: Answer<bool> = Box::pin(async move {
        first
            .write((counted, new_user(1)), |(counted, new), tx| {
                Box::pin(async move {
                    tx.insert_user(new, Timestamp::UNIX_EPOCH).await?;
                    if counted.fetch_add(1, Ordering::SeqCst) > 0 {
                        Err(StoreError::Conflict)
                    } else {
                        Ok(true)
                    }
                })
            })
            .await
    });
    let answers = gate
        .release(vec![only_together, db.add(1, well), db.add(3, losing_everything), db.add(4, well)])
        .await;
    assert!(
        matches!(
            answers[..],
            [Err(StoreError::Conflict), Ok(true), Err(StoreError::Corrupt { .. }), Ok(true)]
        ),
        "{answers:?}"
    );
    assert_eq!(attempts.load(Ordering::SeqCst), 2);
    assert_eq!(db.users().await, [1, 4]);
}

#[tokio::test]
async fn a_commit_that_fails_is_told_to_nobody_as_done() {
    // Alone, and with company: the transaction is over before its commit.
    fn ended(tx: &mut Tx) -> super::WriteFuture<'_, (), StoreError> {
        Box::pin(async move {
            sqlx::query("ROLLBACK").execute(sqlite(tx)).await?;
            Ok(())
        })
    }
    let db = Db::open().await;
    let answer = db.add(1, ended).await;
    assert!(matches!(answer, Err(StoreError::Unavailable(_))), "{answer:?}");
    let gate = db.gate().await;
    let answers = gate.release(vec![db.add(2, well), db.add(3, ended), db.add(4, well)]).await;
    assert!(matches!(answers[..], [Ok(true), Err(StoreError::Unavailable(_)), Ok(true)]), "{answers:?}");
    assert_eq!(db.users().await, [2, 4]);
}

#[tokio::test]
async fn a_connection_that_cannot_be_trusted_is_opened_anew() {
    // Leaves a transaction open that the writer does not know of.
    fn begun_again(tx: &mut Tx) -> super::WriteFuture<'_, (), StoreError> {
        Box::pin(async move {
            sqlx::raw_sql("ROLLBACK; BEGIN IMMEDIATE; DELETE FROM users; PRAGMA foreign_keys")
                .execute(sqlite(tx))
                .await?;
            Err(StoreError::Conflict)
        })
    }
    let db = Db::open().await;
    assert!(db.add(1, well).await.unwrap());
    let answers =
        db.gate().await.release(vec![db.add(2, well), db.add(3, begun_again), db.add(4, well)]).await;
    assert!(matches!(answers[..], [Ok(true), Err(StoreError::Conflict), Ok(true)]), "{answers:?}");
    assert_eq!(db.users().await, [1, 2, 4]);
    // The engine's own word for a connection that is unusable.
    let answer = db
        .store
        .write((), |(), tx| {
            Box::pin(async move {
                let closed = SqliteConnection::connect("sqlite::memory:").await?;
                // A connection to somewhere else has no such transaction, nor tables.
                drop(std::mem::replace(sqlite(tx), closed).close().await);
                Ok::<_, StoreError>(())
            })
        })
        .await;
    assert!(answer.is_err(), "{answer:?}");
    integrity(&db.path).await;
}

#[tokio::test]
async fn another_process_that_holds_the_lock_makes_writes_wait_and_then_unavailable() {
    let db = Db::open().await;
    db.store
        .write((), |(), tx| {
            Box::pin(async move {
                sqlx::query("PRAGMA busy_timeout = 1").execute(sqlite(tx)).await?;
                Ok::<_, StoreError>(())
            })
        })
        .await
        .unwrap();
    let mut other = SqliteConnection::connect(db.path.to_str().unwrap()).await.unwrap();
    sqlx::query("BEGIN IMMEDIATE").execute(&mut other).await.unwrap();
    let mut waiting = vec![db.add(1, well), db.add(2, well)];
    queue(&mut waiting).await;
    for answer in join_all(waiting).await {
        assert!(matches!(answer, Err(StoreError::Unavailable(_))), "{answer:?}");
    }
    sqlx::query("ROLLBACK").execute(&mut other).await.unwrap();
    assert!(db.add(3, well).await.unwrap());
    assert_eq!(db.users().await, [3]);
}

#[tokio::test]
async fn a_caller_that_goes_away_is_written_all_the_same() {
    let db = Db::open().await;
    let gate = db.gate().await;
    let mut leaving: Vec<Answer<bool>> = (1..=10).map(|n| db.add(n, well)).collect();
    queue(&mut leaving).await;
    drop(leaving);
    let answers = gate.release(vec![db.add(11, well)]).await;
    assert!(matches!(answers[..], [Ok(true)]));
    assert_eq!(db.users().await, (1..=11).collect::<Vec<_>>());
}
