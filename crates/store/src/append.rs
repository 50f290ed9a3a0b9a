//! Sending: the one write that happens all the time.
//!
//! On PostgreSQL an [`Append`] is a write transaction like any other. On SQLite it runs on a connection
//! of its own, by direct calls on one thread ([`direct`](crate::direct)), in turn with the
//! [writer](crate::writer).

use std::panic::AssertUnwindSafe;
use std::path::Path;
use std::sync::Arc;

use futures_util::FutureExt;
use hallpass_core::authority::Entry;
use hallpass_core::channel::ChannelId;
use hallpass_core::entity::Message;
use hallpass_core::id::{MessageId, UserId};
use jiff::Timestamp;
use parking_lot::Mutex;
use rusqlite::Connection;
use tokio::runtime::Handle;

use crate::conn::Tx;
use crate::dialect::postgres;
use crate::direct;
use crate::error::{MaybeStoreError, StoreError};
use crate::feeds::FeedTouch;
use crate::file::DatabaseFile;
use crate::grants::{self, Rotation};
use crate::messages::{HeadBump, NewMessage, Replied};
use crate::webhook_queue::{self, NewRun};
use crate::writer::{WriteFuture, outage};
use crate::{Pools, Store, authority, feeds, messages, write_postgres};

/// A transaction that sends messages, with all that a send needs to look at.
///
/// From its begin to its commit nobody appends to the authority log: what it says stays the last word on
/// what is sent.
pub struct Append<'t>(Engine<'t>);

enum Engine<'t> {
    Sqlite(&'t mut Connection),
    Postgres(&'t mut Tx),
}

impl Store {
    /// Runs `op` in a transaction that sends messages, and returns when it is on disk. As for
    /// [`write`](Self::write), it may run more than once, must do nothing but SQL, and must not go on
    /// after an error. On SQLite a caller that goes away before its turn writes nothing.
    ///
    /// # Errors
    /// As for [`write`](Self::write).
    pub async fn append<D, T, E, F>(&self, data: D, op: F) -> Result<T, E>
    where
        D: Send + Sync + 'static,
        T: Send + 'static,
        E: MaybeStoreError + Send + 'static,
        F: for<'t> Fn(&'t D, Append<'t>) -> WriteFuture<'t, T, E> + Send + Sync + 'static,
    {
        match &self.pools {
            Pools::Sqlite { append, .. } => {
                let turn = Arc::clone(&append.turn).lock_owned().await;
                let (append, runtime) = (append.clone(), Handle::current());
                tokio::task::spawn_blocking(move || {
                    let outcome = append.run(|conn| {
                        // Nothing in there waits for anything but the disk.
                        let op = async { op(&data, Append(Engine::Sqlite(conn))).await };
                        let caught = runtime.block_on(AssertUnwindSafe(op).catch_unwind());
                        caught.unwrap_or_else(|_| Err(StoreError::Panicked.into()))
                    });
                    drop(turn);
                    outcome
                })
                .await
                .unwrap_or_else(|_| Err(StoreError::Panicked.into()))
            }
            Pools::Postgres(pool) => {
                let pool = pool.clone();
                tokio::spawn(async move {
                    write_postgres(&pool, postgres::BEGIN_APPEND, &data, &|data, tx| {
                        op(data, Append(Engine::Postgres(tx)))
                    })
                    .await
                })
                .await
                .unwrap_or_else(|_| Err(StoreError::Panicked.into()))
            }
        }
    }
}

/// SQLite's connection for sending.
#[derive(Clone)]
pub(crate) struct Appender {
    path: Arc<Path>,
    file: DatabaseFile,
    /// Held by whoever has a write transaction open, the writer too: SQLite has one at a time, and
    /// makes the second one poll.
    turn: Arc<tokio::sync::Mutex<()>>,
    conn: Arc<Mutex<State>>,
}

#[derive(Default)]
enum State {
    /// None yet, or the last one was not to be trusted.
    #[default]
    Unopened,
    Idle(Connection),
    Closed,
}

impl Appender {
    pub(crate) fn new(path: &Path, file: DatabaseFile) -> Self {
        Self { path: path.into(), file, turn: Arc::default(), conn: Arc::new(Mutex::new(State::Unopened)) }
    }

    /// Who may write.
    pub(crate) fn turn(&self) -> &Arc<tokio::sync::Mutex<()>> {
        &self.turn
    }

    /// Runs `op` in a transaction. Only whoever has the turn may ask.
    fn run<T, E: MaybeStoreError>(&self, op: impl FnOnce(&mut Connection) -> Result<T, E>) -> Result<T, E> {
        self.file.check()?;
        let mut state = self.conn.lock();
        let mut conn = match std::mem::take(&mut *state) {
            State::Idle(conn) => conn,
            State::Unopened => direct::open_writer(&self.path).map_err(StoreError::from)?,
            State::Closed => {
                *state = State::Closed;
                return Err(StoreError::Unavailable(None).into());
            }
        };
        let execute = |conn: &Connection, statement| -> Result<(), StoreError> {
            conn.prepare_cached(statement)?.execute(())?;
            Ok(())
        };
        execute(&conn, "BEGIN IMMEDIATE").map_err(outage)?;
        let outcome = op(&mut conn).and_then(|value| {
            execute(&conn, "COMMIT").map_err(outage)?;
            Ok(value)
        });
        // On some errors (disk full, I/O) the engine has rolled back by itself.
        if outcome.is_ok() || conn.is_autocommit() || execute(&conn, "ROLLBACK").is_ok() {
            *state = State::Idle(conn);
        }
        outcome
    }

    /// Lets whoever waits for the turn have it, then closes.
    pub(crate) async fn close(&self) {
        let _turn = self.turn.lock().await;
        *self.conn.lock() = State::Closed;
    }
}

impl Append<'_> {
    /// As [`Conn::list_authority_since`](crate::Conn::list_authority_since).
    pub async fn list_authority_since(&mut self, n: u64) -> Result<Vec<Entry>, StoreError> {
        match &mut self.0 {
            Engine::Sqlite(conn) => authority::list_since(conn, n),
            Engine::Postgres(tx) => tx.list_authority_since(n).await,
        }
    }

    /// As [`Conn::find_message`](crate::Conn::find_message).
    pub async fn find_message(&mut self, id: MessageId) -> Result<Option<Message>, StoreError> {
        match &mut self.0 {
            Engine::Sqlite(conn) => messages::direct::find(conn, id),
            Engine::Postgres(tx) => tx.find_message(id).await,
        }
    }

    /// As [`Conn::find_message_place`](crate::Conn::find_message_place).
    pub async fn find_message_place(&mut self, id: MessageId) -> Result<Option<Replied>, StoreError> {
        match &mut self.0 {
            Engine::Sqlite(conn) => messages::direct::find_place(conn, id),
            Engine::Postgres(tx) => tx.find_message_place(id).await,
        }
    }

    /// Notes that a user posts in a channel with a cooldown, unless they posted less than `pause`
    /// milliseconds before: then says when. A post in the future counts from now.
    pub async fn take_cooldown(
        &mut self,
        channel: ChannelId,
        user: UserId,
        pause: i64,
        at: Timestamp,
    ) -> Result<Option<i64>, StoreError> {
        match &mut self.0 {
            Engine::Sqlite(conn) => messages::direct::take_cooldown(conn, channel, user, pause, at),
            Engine::Postgres(tx) => tx.take_cooldown(channel, user, pause, at).await,
        }
    }

    /// As [`Tx::rotate_refresh_token`].
    pub async fn rotate_refresh_token(&mut self, rotation: &Rotation) -> Result<bool, StoreError> {
        match &mut self.0 {
            Engine::Sqlite(conn) => grants::direct::rotate(conn, rotation),
            Engine::Postgres(tx) => tx.rotate_refresh_token(rotation).await,
        }
    }

    /// As [`Tx::bump_heads`].
    pub async fn bump_heads(&mut self, bumps: &[HeadBump]) -> Result<Vec<(ChannelId, i64, i64)>, StoreError> {
        match &mut self.0 {
            Engine::Sqlite(conn) => messages::direct::bump_heads(conn, bumps),
            Engine::Postgres(tx) => tx.bump_heads(bumps).await,
        }
    }

    /// As [`Tx::insert_messages`].
    pub async fn insert_messages(&mut self, messages: &[NewMessage]) -> Result<(), StoreError> {
        match &mut self.0 {
            Engine::Sqlite(conn) => messages::direct::insert(conn, messages),
            Engine::Postgres(tx) => tx.insert_messages(messages).await,
        }
    }

    /// As [`Tx::insert_webhook_runs`].
    pub async fn insert_webhook_runs(&mut self, runs: &[NewRun]) -> Result<(), StoreError> {
        match &mut self.0 {
            Engine::Sqlite(conn) => webhook_queue::direct::insert_runs(conn, runs),
            Engine::Postgres(tx) => tx.insert_webhook_runs(runs).await,
        }
    }

    /// Notes that messages were sent to direct messages and support chats, whose heads must have been moved
    /// before; each of them once.
    pub async fn touch_feeds(&mut self, touches: &[FeedTouch]) -> Result<(), StoreError> {
        match &mut self.0 {
            Engine::Sqlite(conn) => feeds::direct::touch(conn, touches),
            Engine::Postgres(tx) => tx.touch_feeds(touches).await,
        }
    }
}

#[cfg(test)]
mod tests;
