//! All SQL of Hallpass and all its migrations, on SQLite and PostgreSQL.
//!
//! SQL is written once, in a portable subset; what truly differs lives in [`dialect`]. Reads take a
//! [`Conn`] from [`Store::read`]; writes go through [`Store::write`], which on SQLite shares commits
//! ([`writer`]) and on PostgreSQL retries what lost against a concurrent transaction.
//!
//! # Errors
//! Every function that speaks to the database fails alike: [`StoreError::Unavailable`] if it does not
//! answer or cannot write, [`StoreError::Corrupt`] if what it reads does not parse,
//! [`StoreError::Conflict`] where a unique or foreign key would be violated,
//! [`StoreError::Serialization`] inside a write that is then tried again. Only what is particular to a
//! function is said there.

#![expect(clippy::missing_errors_doc, reason = "said once, above")]

mod api_keys;
mod append;
mod apps;
mod authority;
mod authorization_codes;
mod channels;
mod clock;
mod code_flows;
mod companies;
mod conn;
mod consents;
mod dialect;
mod direct;
mod error;
mod experiences;
mod facts;
mod feeds;
mod file;
mod files;
mod grants;
mod idempotency;
mod mails;
mod members;
mod messages;
mod migrations;
mod page;
mod passkeys;
mod people;
mod reactions;
mod row;
mod search;
mod search_index;
mod sessions;
mod signing_keys;
mod team;
mod throttles;
mod users;
mod webhook_queue;
mod webhooks;
mod writer;

use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{ConnectOptions, Connection, PgPool, SqlitePool};
use tokio::sync::{mpsc, oneshot};

pub use api_keys::{KeyPage, NewApiKey};
pub use append::Append;
pub use apps::{AppFilter, AppPatch, CompanyApp, NewApp};
pub use authority::{AUTHORITY_PAGE, Head};
pub use channels::{ChannelFilter, ChannelPatch};
pub use code_flows::{Flow, FlowPurpose, NewFlow};
pub use companies::{CompanyFilter, CompanyPatch, NewCompany};
pub use conn::{Conn, Tx};
pub use error::{Cause, MaybeStoreError, StoreError};
pub use experiences::{ExperienceFilter, ExperiencePatch, NewExperience};
pub use feeds::{FeedTouch, NewFeed, SupportFilter};
pub use files::{DueFile, NewFile};
pub use grants::Rotation;
pub use idempotency::{Claim, StoredAnswer};
pub use mails::{MailState, SealedMail};
pub use members::{MemberFilter, MemberOrder};
pub use messages::{EventKind, HeadBump, NewMessage, Replied};
pub use page::{Key, Scan};
pub use passkeys::{ChallengePurpose, Passkey};
pub use people::{Address, LocalUser};
pub use search::ChatPlace;
pub use search_index::Behind;
pub use signing_keys::{KeyState, SigningKeyRow};
pub use team::TeamFilter;
pub use throttles::Rate;
pub use users::{NewUser, Profile, ProfileOverride, UserPatch};
pub use webhook_queue::{Delivery, Lease, NewRun, Progress, Run};
pub use webhooks::{Happened, SealedSecrets, WebhookPatch};
pub use writer::WriteFuture;

use append::Appender;
use conn::Inner;
use direct::Readers;
use file::DatabaseFile;
use writer::{Order, Write};

/// Where the data lives.
#[derive(Clone, Debug)]
pub enum Database {
    /// An SQLite file.
    Sqlite(PathBuf),
    /// A PostgreSQL URL and the size of the pool.
    Postgres {
        /// `postgres://user:password@host/database`.
        url: String,
        /// The most connections at once.
        max_connections: u32,
    },
}

/// The database. Cheap to clone.
#[derive(Clone)]
pub struct Store {
    pools: Pools,
}

#[derive(Clone)]
enum Pools {
    Sqlite {
        file: DatabaseFile,
        read: SqlitePool,
        write: mpsc::Sender<Order>,
        readers: Readers,
        append: Appender,
    },
    Postgres(PgPool),
}

/// How often a transaction that lost is tried again.
const MAX_ATTEMPTS: u32 = 10;

/// How long a connection to PostgreSQL is trusted without being asked: shorter than any restart of the
/// server.
const RESTED: Duration = Duration::from_millis(50);
/// A checkpoint costs two syncs; every 32 MiB of log is often enough.
const CHECKPOINT_PAGES: u32 = 8000;
/// What the log is cut to after a checkpoint.
const MAX_LOG_BYTES: u32 = 64 << 20;

fn sqlite_options(path: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .foreign_keys(true)
        .busy_timeout(Duration::from_secs(5))
        .pragma("temp_store", "memory")
        .pragma("wal_autocheckpoint", CHECKPOINT_PAGES.to_string())
        .pragma("journal_size_limit", MAX_LOG_BYTES.to_string())
        .statement_cache_capacity(256)
        .disable_statement_logging()
}

fn postgres_options(url: &str) -> Result<PgConnectOptions, StoreError> {
    Ok(PgConnectOptions::from_str(url)?
        .application_name("hallpass")
        .statement_cache_capacity(256)
        .options([
            ("statement_timeout", "10s"),
            ("lock_timeout", "5s"),
            ("idle_in_transaction_session_timeout", "10s"),
            ("default_transaction_isolation", "read committed"),
        ])
        .options(PLANNER)
        .disable_statement_logging())
}

impl Store {
    /// Opens the database and brings its schema up to date.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] if it cannot be reached, [`StoreError::Migrate`] if its schema is
    /// from a newer version or was altered.
    pub async fn open(database: &Database) -> Result<Self, StoreError> {
        let pools = match database {
            Database::Sqlite(path) => {
                let options = sqlite_options(path);
                let mut writer = options.connect().await?;
                migrations::run_sqlite(&mut writer).await?;
                let file = DatabaseFile::opened(path)?;
                let read = SqlitePoolOptions::new()
                    .max_connections(4)
                    .min_connections(1)
                    .test_before_acquire(false)
                    .acquire_timeout(Duration::from_secs(5))
                    .connect_with(options.clone().read_only(true))
                    .await?;
                let append = Appender::new(path, file.clone());
                let write = writer::start(options, file.clone(), writer, Arc::clone(append.turn()));
                Pools::Sqlite { file, read, write, readers: Readers::new(path), append }
            }
            Database::Postgres { url, max_connections } => {
                let options = postgres_options(url)?;
                // A migration may take its time, and may wait for another node's.
                let patient = options.clone().options([("statement_timeout", "0"), ("lock_timeout", "0")]);
                let mut migrating = patient.connect().await?;
                migrations::run_postgres(&mut migrating).await?;
                migrating.close().await?;
                let pool = PgPoolOptions::new()
                    .max_connections(*max_connections)
                    .acquire_timeout(Duration::from_secs(5))
                    // Asking each connection whether its server is still there is one more round trip for
                    // everything.
                    .test_before_acquire(false)
                    .before_acquire(|conn, meta| {
                        Box::pin(async move {
                            if meta.idle_for > RESTED {
                                conn.ping().await?;
                            }
                            Ok(true)
                        })
                    })
                    .connect_with(options)
                    .await?;
                Pools::Postgres(pool)
            }
        };
        Ok(Self { pools })
    }

    /// Whether this is PostgreSQL: shared with other nodes.
    pub fn is_shared(&self) -> bool {
        matches!(self.pools, Pools::Postgres(_))
    }

    /// A connection to read through.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] if none can be had within five seconds.
    pub async fn read(&self) -> Result<Conn, StoreError> {
        // Boxed, as the queries are: acquiring is a future of four kilobytes.
        Ok(Conn(match &self.pools {
            Pools::Sqlite { file, read, .. } => {
                file.check_database()?;
                Inner::SqliteRead(Box::pin(read.acquire()).await?)
            }
            Pools::Postgres(pool) => Inner::Postgres(Box::pin(pool.acquire()).await?),
        }))
    }

    /// Runs `op` in a write transaction and returns when it is on disk.
    ///
    /// `op` may run more than once, and must do nothing but SQL. If it fails, nothing it wrote stays.
    /// It must not go on after an error of the store: an engine may have given the transaction up.
    ///
    /// # Errors
    /// What `op` returns, or a [`StoreError`] if the commit failed, [`StoreError::Unknown`] if nobody can
    /// tell; [`StoreError::Panicked`] if `op` did.
    pub async fn write<D, T, E, F>(&self, data: D, op: F) -> Result<T, E>
    where
        D: Send + Sync + 'static,
        T: Send + 'static,
        E: MaybeStoreError + Send + 'static,
        F: for<'t> Fn(&'t D, &'t mut Tx) -> WriteFuture<'t, T, E> + Send + Sync + 'static,
    {
        match &self.pools {
            Pools::Sqlite { write, .. } => {
                let (reply, answer) = oneshot::channel();
                let job = Box::new(Write { data, op, outcome: None, reply });
                write.send(Order::Write(job)).await.map_err(|_| StoreError::Unavailable(None))?;
                answer.await.map_err(|_| StoreError::Unavailable(None))?
            }
            Pools::Postgres(pool) => {
                let pool = pool.clone();
                // In a task of its own: a caller that goes away must not tear a commit in two.
                tokio::spawn(async move { write_postgres(&pool, "BEGIN", &data, &op).await })
                    .await
                    .unwrap_or_else(|_| Err(StoreError::Panicked.into()))
            }
        }
    }

    /// Waits for writes under way and closes every connection. Who still holds a [`Conn`] holds this
    /// up. Afterwards everything is [`StoreError::Unavailable`].
    pub async fn close(&self) {
        match &self.pools {
            Pools::Sqlite { read, write, readers, append, .. } => {
                read.close().await;
                readers.close();
                append.close().await;
                // The last to close folds the log into the database.
                let (done, closed) = oneshot::channel();
                if write.send(Order::Close(done)).await.is_ok() {
                    // An error says that it closed in some other way.
                    drop(closed.await);
                }
            }
            Pools::Postgres(pool) => pool.close().await,
        }
    }
}

async fn write_postgres<D, T, E, F>(pool: &PgPool, begin: &'static str, data: &D, op: &F) -> Result<T, E>
where
    E: MaybeStoreError,
    F: for<'t> Fn(&'t D, &'t mut Tx) -> WriteFuture<'t, T, E>,
{
    let mut attempt = 1;
    loop {
        let outcome = attempt_postgres(pool, begin, data, op).await;
        let Err(error) = &outcome else { return outcome };
        if attempt == MAX_ATTEMPTS || !matches!(error.store_error(), Some(StoreError::Serialization)) {
            return outcome;
        }
        // Losers step back further each time so that one of them wins.
        tokio::time::sleep(Duration::from_millis(u64::from(attempt * attempt))).await;
        attempt += 1;
    }
}

async fn attempt_postgres<D, T, E, F>(pool: &PgPool, begin: &'static str, data: &D, op: &F) -> Result<T, E>
where
    E: MaybeStoreError,
    F: for<'t> Fn(&'t D, &'t mut Tx) -> WriteFuture<'t, T, E>,
{
    let conn = Box::pin(pool.acquire()).await.map_err(StoreError::from)?;
    let mut tx = Tx(Conn(Inner::Postgres(conn)));
    execute(&mut tx, begin).await.map_err(StoreError::from)?;
    let outcome = writer::caught(data, op, &mut tx).await;
    let end = match &outcome {
        // In a transaction that a swallowed error has doomed, a bare COMMIT succeeds and rolls back.
        // The SELECT before it does not succeed.
        Ok(_) => execute(&mut tx, "SELECT 1; COMMIT").await,
        Err(_) => execute(&mut tx, "ROLLBACK").await,
    };
    match (outcome, end) {
        (outcome, Ok(())) => outcome,
        (outcome, Err(end)) => {
            // A connection in an unknown state does not go back to the pool.
            if let Inner::Postgres(conn) = tx.0.0 {
                drop(conn.detach());
            }
            Err(match outcome {
                // What the server refuses, it has not done. Silence may mean either.
                Ok(_) if end.as_database_error().is_none() => StoreError::Unknown(end.into()).into(),
                Ok(_) => StoreError::from(end).into(),
                Err(error) => error,
            })
        }
    }
}

/// Every statement of ours has an index to walk, in whose order lists come. PostgreSQL's planner would
/// rather read and sort everything as long as a table is small, its statistics are old, or a plan has
/// to fit any parameters, and keeps that plan when the table has grown.
#[doc(hidden)]
pub const PLANNER: [(&str, &str); 2] = [("enable_seqscan", "off"), ("enable_bitmapscan", "off")];

#[doc(hidden)]
pub use dialect::postgres::BEGIN_SEARCH;

/// Every statement of the store, for the tests that prepare and explain them.
#[doc(hidden)]
pub fn statements(shared: bool) -> Vec<&'static str> {
    let common = [
        api_keys::ALL,
        apps::ALL,
        authority::ALL,
        authorization_codes::ALL,
        channels::ALL,
        code_flows::ALL,
        companies::ALL,
        consents::ALL,
        experiences::ALL,
        facts::ALL,
        feeds::ALL,
        files::ALL,
        grants::ALL,
        idempotency::ALL,
        mails::ALL,
        members::ALL,
        members::everybody::ALL,
        messages::ALL,
        passkeys::ALL,
        people::ALL,
        reactions::ALL,
        search::ALL,
        search_index::ALL,
        sessions::ALL,
        signing_keys::ALL,
        team::ALL,
        throttles::ALL,
        users::ALL,
        webhook_queue::ALL,
        webhooks::ALL,
    ];
    let engine = if shared {
        [dialect::postgres::ALL, members::these_postgres::ALL, channels::postgres::ALL]
    } else {
        [dialect::sqlite::ALL, members::these_sqlite::ALL, channels::sqlite::ALL]
    };
    common.concat().into_iter().chain(engine.concat()).collect()
}

/// Runs statements that take no parameters and return nothing of interest.
async fn execute(conn: &mut Conn, statement: &'static str) -> Result<(), sqlx::Error> {
    conn::on!(conn, c => sqlx::raw_sql(statement).execute(c).await.map(drop))
}
