//! The writer of SQLite: one connection, group commit.
//!
//! 1. Whatever waits when the writer is free becomes one batch.
//! 2. Each operation runs in a savepoint of the batch's transaction; one that fails is rolled back
//!    to it and fails alone.
//! 3. One commit (`synchronous=FULL`: on disk) ends the batch; only then is anybody answered.
//! 4. If the engine rolled the whole transaction back on an error (disk full, I/O), which it may, the
//!    others of the batch are run again, each in a transaction of its own.

use std::panic::AssertUnwindSafe;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, Connection, SqliteConnection};
use tokio::sync::{mpsc, oneshot};
use tracing::{error, warn};

use crate::conn::{Conn, Inner, Tx};
use crate::error::{MaybeStoreError, StoreError};

/// The most operations that share a commit.
const MAX_BATCH: usize = 256;

/// What an operation's future is.
pub type WriteFuture<'t, T, E> = BoxFuture<'t, Result<T, E>>;

/// One waiting write.
pub(crate) trait Job: Send {
    /// Runs it; `true` keeps what it wrote.
    fn run<'t>(&'t mut self, tx: &'t mut Tx) -> BoxFuture<'t, bool>;
    /// Answers its caller.
    fn finish(self: Box<Self>, committed: Result<(), StoreError>);
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
            let run = AssertUnwindSafe((self.op)(&self.data, tx)).catch_unwind().await;
            let outcome = run.unwrap_or_else(|_| Err(StoreError::Panicked.into()));
            let keep = outcome.is_ok();
            self.outcome = Some(outcome);
            keep
        })
    }

    fn finish(self: Box<Self>, committed: Result<(), StoreError>) {
        let outcome = match (committed, self.outcome) {
            (Ok(()), Some(outcome)) => outcome,
            (Ok(()), None) => Err(StoreError::Unavailable(None).into()),
            // A refusal stands, whatever became of the commit.
            (Err(_), Some(Err(refusal))) => Err(refusal),
            (Err(error), _) => Err(error.into()),
        };
        // A caller that went away does not need the answer; the write stands.
        let _gone = self.reply.send(outcome);
    }
}

/// Starts the writer's task.
pub(crate) fn start(options: SqliteConnectOptions, conn: SqliteConnection) -> mpsc::Sender<Box<dyn Job>> {
    let (jobs, waiting) = mpsc::channel(4096);
    tokio::spawn(Writer { options, tx: Tx(Conn(Inner::SqliteWrite(conn))), broken: false }.serve(waiting));
    jobs
}

struct Writer {
    options: SqliteConnectOptions,
    tx: Tx,
    broken: bool,
}

impl Writer {
    async fn serve(mut self, mut waiting: mpsc::Receiver<Box<dyn Job>>) {
        let mut batch = Vec::with_capacity(MAX_BATCH);
        while waiting.recv_many(&mut batch, MAX_BATCH).await > 0 {
            self.run_batch(std::mem::take(&mut batch)).await;
        }
        if let Inner::SqliteWrite(conn) = self.tx.0.0
            && let Err(error) = conn.close().await
        {
            warn!(error = %error, "the database did not close cleanly");
        }
    }

    async fn run_batch(&mut self, batch: Vec<Box<dyn Job>>) {
        match self.try_batch(batch).await {
            Ok(()) => {}
            Err(again) => {
                // The engine took everybody down with one of them: each alone.
                for job in again {
                    if let Err(last) = self.try_batch(vec![job]).await {
                        for job in last {
                            job.finish(Err(StoreError::Unavailable(None)));
                        }
                    }
                }
            }
        }
    }

    /// Runs a batch in one transaction. Gives back the jobs that must be run again.
    async fn try_batch(&mut self, mut batch: Vec<Box<dyn Job>>) -> Result<(), Vec<Box<dyn Job>>> {
        if let Err(error) = self.begin().await {
            error!(error = %error, jobs = batch.len(), "cannot begin a write");
            let mut error = Some(error);
            for job in batch {
                job.finish(Err(error.take().unwrap_or(StoreError::Unavailable(None))));
            }
            return Ok(());
        }
        if let [job] = batch.as_mut_slice() {
            // Alone, the transaction is its savepoint.
            if !job.run(&mut self.tx).await {
                self.rollback().await;
                batch.into_iter().for_each(|job| job.finish(Ok(())));
                return Ok(());
            }
        }
        let mut failed = None;
        if batch.len() > 1 {
            for (index, job) in batch.iter_mut().enumerate() {
                if self.run_in_savepoint(job.as_mut()).await.is_err() {
                    failed = Some(index);
                    break;
                }
            }
        }
        if let Some(index) = failed {
            // The transaction is gone. The one that lost it gets its error, the others run again.
            self.rollback().await;
            let culprit = batch.remove(index);
            culprit.finish(Err(StoreError::Unavailable(None)));
            return if batch.is_empty() { Ok(()) } else { Err(batch) };
        }
        match self.execute("COMMIT").await {
            Ok(()) => {
                for job in batch {
                    job.finish(Ok(()));
                }
            }
            Err(error) => {
                error!(error = %error, jobs = batch.len(), "a commit failed");
                self.rollback().await;
                let mut error = Some(error);
                for job in batch {
                    job.finish(Err(error.take().unwrap_or(StoreError::Unavailable(None))));
                }
            }
        }
        Ok(())
    }

    /// Runs one job of several; `Err` if the whole transaction was lost with it.
    async fn run_in_savepoint(&mut self, job: &mut dyn Job) -> Result<(), StoreError> {
        self.execute("SAVEPOINT job").await?;
        if job.run(&mut self.tx).await {
            return self.execute("RELEASE job").await;
        }
        // If the engine rolled everything back by itself, there is no savepoint to go back to.
        self.execute("ROLLBACK TO job").await?;
        self.execute("RELEASE job").await
    }

    async fn begin(&mut self) -> Result<(), StoreError> {
        if self.broken {
            let conn = self.options.connect().await?;
            self.tx = Tx(Conn(Inner::SqliteWrite(conn)));
            self.broken = false;
        }
        self.execute("BEGIN IMMEDIATE").await
    }

    async fn rollback(&mut self) {
        // "no transaction is active" is fine: the engine was faster. Anything else, and this
        // connection is not trusted again.
        if let Err(error) = self.execute("ROLLBACK").await {
            warn!(error = %error, "rolled back by the engine; the connection is opened anew");
            self.broken = true;
        }
    }

    async fn execute(&mut self, statement: &'static str) -> Result<(), StoreError> {
        crate::conn::on!(self.tx.0, c => sqlx::query(statement).execute(c).await.map(drop))?;
        Ok(())
    }
}
