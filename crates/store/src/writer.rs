//! The writer of SQLite: one connection, group commit.
//!
//! 1. Whatever waits when the writer is free becomes one batch.
//! 2. Each operation runs in a savepoint of the batch's transaction; one that fails is rolled back
//!    to it and fails alone.
//! 3. One commit (`synchronous=FULL`: on disk) ends the batch; only then is anybody answered.
//! 4. If the shared transaction is lost — on some errors (disk full, I/O) the engine rolls back all
//!    of it — every operation of the batch runs again, each in a transaction of its own. What one was
//!    going to be told before is forgotten: it may have rested on what is no longer there.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, Connection, SqliteConnection};
use tokio::sync::{Mutex, mpsc, oneshot};
use tracing::warn;

use crate::conn::{Conn, Inner, Tx};
use crate::error::{MaybeStoreError, StoreError};
use crate::file::DatabaseFile;

/// The most operations that share a commit.
const MAX_BATCH: usize = 256;
/// The most that wait; further callers wait for a place in the queue.
const MAX_WAITING: usize = 4096;

/// What an operation's future is.
pub type WriteFuture<'t, T, E> = BoxFuture<'t, Result<T, E>>;

/// One waiting write.
pub(crate) trait Job: Send {
    /// Runs it; `true` keeps what it wrote.
    fn run<'t>(&'t mut self, tx: &'t mut Tx) -> BoxFuture<'t, bool>;
    /// Answers its caller with what it returned when it last ran.
    fn answer(self: Box<Self>);
    /// Answers its caller that nothing was written.
    fn fail(self: Box<Self>, error: StoreError);
}

pub(crate) struct Write<D, F, T, E> {
    pub(crate) data: D,
    pub(crate) op: F,
    pub(crate) outcome: Option<Result<T, E>>,
    pub(crate) reply: oneshot::Sender<Result<T, E>>,
}

impl<D, F, T, E> Job for Write<D, F, T, E>
where
    D: Send + Sync,
    F: for<'t> Fn(&'t D, &'t mut Tx) -> WriteFuture<'t, T, E> + Send + Sync,
    T: Send,
    E: MaybeStoreError + Send,
{
    fn run<'t>(&'t mut self, tx: &'t mut Tx) -> BoxFuture<'t, bool> {
        Box::pin(async move {
            let outcome = caught(&self.data, &self.op, tx).await;
            let keep = outcome.is_ok();
            self.outcome = Some(outcome);
            keep
        })
    }

    fn answer(self: Box<Self>) {
        let outcome = self.outcome.unwrap_or_else(|| Err(StoreError::Unavailable(None).into()));
        // A caller that went away does not need the answer; the write stands.
        let _gone = self.reply.send(outcome);
    }

    fn fail(self: Box<Self>, error: StoreError) {
        let _gone = self.reply.send(Err(error.into()));
    }
}

/// Runs an operation; a panic, also one before its future exists, becomes an error.
pub(crate) async fn caught<D, F, T, E>(data: &D, op: &F, tx: &mut Tx) -> Result<T, E>
where
    F: for<'t> Fn(&'t D, &'t mut Tx) -> WriteFuture<'t, T, E>,
    E: MaybeStoreError,
{
    AssertUnwindSafe(async { op(data, tx).await })
        .catch_unwind()
        .await
        .unwrap_or_else(|_| Err(StoreError::Panicked.into()))
}

/// What the writer is asked for.
pub(crate) enum Order {
    /// To write.
    Write(Box<dyn Job>),
    /// To finish what waits and close the database; answered when that is done.
    Close(oneshot::Sender<()>),
}

/// Starts the writer's task.
pub(crate) fn start(
    options: SqliteConnectOptions,
    file: DatabaseFile,
    conn: SqliteConnection,
    turn: Arc<Mutex<()>>,
) -> mpsc::Sender<Order> {
    let (orders, waiting) = mpsc::channel(MAX_WAITING);
    let tx = Tx(Conn(Inner::SqliteWrite(conn)));
    tokio::spawn(Writer { options, file, turn, tx, broken: false }.serve(waiting));
    orders
}

struct Writer {
    options: SqliteConnectOptions,
    file: DatabaseFile,
    /// Held while a transaction is open.
    turn: Arc<Mutex<()>>,
    tx: Tx,
    /// The connection is in a state that nobody knows.
    broken: bool,
}

impl Writer {
    async fn serve(mut self, mut waiting: mpsc::Receiver<Order>) {
        let mut orders = Vec::with_capacity(MAX_BATCH);
        let mut closing = Vec::new();
        while waiting.recv_many(&mut orders, MAX_BATCH).await > 0 {
            let mut batch = Vec::with_capacity(orders.len());
            for order in orders.drain(..) {
                match order {
                    Order::Write(job) => batch.push(job),
                    Order::Close(done) => {
                        waiting.close();
                        closing.push(done);
                    }
                }
            }
            if !batch.is_empty() {
                let turn = Arc::clone(&self.turn);
                let _turn = turn.lock().await;
                self.run_batch(batch).await;
            }
        }
        if let Inner::SqliteWrite(conn) = self.tx.0.0
            && let Err(error) = conn.close().await
        {
            warn!(error = %error, "the database did not close cleanly");
        }
        for done in closing {
            // Whoever asked may have stopped waiting.
            let _gone = done.send(());
        }
    }

    async fn run_batch(&mut self, mut batch: Vec<Box<dyn Job>>) {
        if let Err(error) = self.begin().await {
            return refuse(batch, error);
        }
        if batch.len() == 1 {
            for job in batch {
                self.run_alone(job).await;
            }
            return;
        }
        match self.run_together(&mut batch).await {
            Ok(()) => {
                for job in batch {
                    job.answer();
                }
            }
            Err(error) => {
                warn!(error = %error, jobs = batch.len(), "a shared write was lost; each runs again alone");
                self.rollback().await;
                self.run_one_by_one(batch).await;
            }
        }
    }

    /// Runs a batch in the transaction that is open, and commits it.
    async fn run_together(&mut self, batch: &mut [Box<dyn Job>]) -> Result<(), StoreError> {
        for job in batch {
            self.execute("SAVEPOINT job").await?;
            if !job.run(&mut self.tx).await {
                // If the engine rolled everything back by itself, there is no savepoint to go back to.
                self.execute("ROLLBACK TO job").await?;
            }
            self.execute("RELEASE job").await?;
        }
        self.execute("COMMIT").await
    }

    async fn run_one_by_one(&mut self, batch: Vec<Box<dyn Job>>) {
        let mut batch = batch.into_iter();
        while let Some(job) = batch.next() {
            if let Err(error) = self.begin().await {
                job.fail(error);
                // Waiting for the same failure once per job would hold everybody up.
                return refuse(batch, StoreError::Unavailable(None));
            }
            self.run_alone(job).await;
        }
    }

    /// Runs one job in the transaction that is open, and ends it.
    async fn run_alone(&mut self, mut job: Box<dyn Job>) {
        if !job.run(&mut self.tx).await {
            self.rollback().await;
            return job.answer();
        }
        match self.execute("COMMIT").await {
            Ok(()) => job.answer(),
            Err(error) => {
                warn!(error = %error, "a commit failed");
                self.rollback().await;
                job.fail(outage(error));
            }
        }
    }

    /// Opens a transaction, on a new connection if this one is not to be trusted.
    async fn begin(&mut self) -> Result<(), StoreError> {
        self.file.check()?;
        if self.broken {
            let conn = self.options.clone().create_if_missing(false).connect().await?;
            let old = std::mem::replace(&mut self.tx, Tx(Conn(Inner::SqliteWrite(conn))));
            if let Inner::SqliteWrite(old) = old.0.0
                && let Err(error) = old.close().await
            {
                warn!(error = %error, "the old connection did not close cleanly");
            }
        }
        let begun = self.execute("BEGIN IMMEDIATE").await;
        self.broken = begun.is_err();
        begun.map_err(outage)
    }

    async fn rollback(&mut self) {
        if let Err(error) = self.execute("ROLLBACK").await
            // The engine was faster; the connection is in order.
            && !is_without_transaction(&error)
        {
            warn!(error = %error, "cannot roll back; the connection is opened anew");
            self.broken = true;
        }
    }

    async fn execute(&mut self, statement: &'static str) -> Result<(), StoreError> {
        crate::conn::on!(self.tx.0, c => sqlx::query(statement).execute(c).await.map(drop))?;
        Ok(())
    }
}

fn refuse(batch: impl IntoIterator<Item = Box<dyn Job>>, error: StoreError) {
    warn!(error = %error, "cannot begin a write");
    let mut error = Some(error);
    for job in batch {
        job.fail(error.take().unwrap_or(StoreError::Unavailable(None)));
    }
}

/// Of the writer's own statements, which are right, a failure says that the database cannot serve.
pub(crate) fn outage(error: StoreError) -> StoreError {
    match error {
        StoreError::Database(error) => StoreError::Unavailable(Some(error)),
        error => error,
    }
}

/// SQLite has no code of its own for this. Not recognising the text costs opening a connection.
fn is_without_transaction(error: &StoreError) -> bool {
    matches!(error, StoreError::Database(error) if error.to_string().contains("no transaction is active"))
}

#[cfg(test)]
mod tests;
