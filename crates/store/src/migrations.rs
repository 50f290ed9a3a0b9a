//! The migrations: running them, and telling which ones a database still needs.

use sqlx::migrate::{Migrate, MigrateError, Migrator};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, Connection, PgConnection, SqliteConnection};

use crate::dialect::{postgres, sqlite};
use crate::error::{StoreError, is_outage};
use crate::{Database, postgres_options};

static SQLITE: Migrator = sqlx::migrate!("migrations/sqlite");
static POSTGRES: Migrator = sqlx::migrate!("migrations/postgres");

/// Where sqlx remembers what was applied.
const TABLE: &str = "_sqlx_migrations";

/// Brings an SQLite schema up to date.
pub(crate) async fn run_sqlite(conn: &mut SqliteConnection) -> Result<(), StoreError> {
    SQLITE.run(conn).await.map_err(refused)
}

/// Brings a PostgreSQL schema up to date; nodes that start together wait for each other.
pub(crate) async fn run_postgres(conn: &mut PgConnection) -> Result<(), StoreError> {
    POSTGRES.run(conn).await.map_err(refused)
}

impl Database {
    /// The migrations that [`Store::open`](crate::Store::open) would run, in order. Nothing is
    /// changed; an SQLite file that is not there is not made.
    ///
    /// # Errors
    /// Those of [`Store::open`](crate::Store::open).
    pub async fn pending_migrations(&self) -> Result<Vec<String>, StoreError> {
        match self {
            Self::Sqlite(path) if !path.exists() => Ok(names(&SQLITE, &[])),
            Self::Sqlite(path) => {
                // Not `read_only`: such a connection leaves the log's files behind when it closes.
                let options = SqliteConnectOptions::new().filename(path).pragma("query_only", "on");
                let mut conn = options.connect().await?;
                let begun = sqlx::query_scalar(sqlite::IS_BEGUN).fetch_one(&mut conn).await?;
                let pending = pending(&SQLITE, &mut conn, begun).await;
                conn.close().await?;
                pending
            }
            Self::Postgres { url, .. } => {
                let mut conn = postgres_options(url)?.connect().await?;
                let begun = sqlx::query_scalar(postgres::IS_BEGUN).fetch_one(&mut conn).await?;
                let pending = pending(&POSTGRES, &mut conn, begun).await;
                conn.close().await?;
                pending
            }
        }
    }
}

/// Checks what was applied as running the migrations does, and names the rest.
async fn pending(
    migrator: &Migrator,
    conn: &mut impl Migrate,
    begun: bool,
) -> Result<Vec<String>, StoreError> {
    if !begun {
        return Ok(names(migrator, &[]));
    }
    if let Some(version) = conn.dirty_version(TABLE).await.map_err(refused)? {
        return Err(refused(MigrateError::Dirty(version)));
    }
    let mut applied = Vec::new();
    for done in conn.list_applied_migrations(TABLE).await.map_err(refused)? {
        match migrator.iter().find(|known| known.version == done.version) {
            None => return Err(refused(MigrateError::VersionMissing(done.version))),
            Some(known) if known.checksum != done.checksum => {
                return Err(refused(MigrateError::VersionMismatch(done.version)));
            }
            Some(_) => applied.push(done.version),
        }
    }
    Ok(names(migrator, &applied))
}

/// The names of the files without those that were applied.
fn names(migrator: &Migrator, applied: &[i64]) -> Vec<String> {
    let rest = migrator.iter().filter(|migration| !applied.contains(&migration.version));
    rest.map(|migration| format!("{:04}_{}", migration.version, migration.description.replace(' ', "_")))
        .collect()
}

/// A database that fails under a migration is one thing, a schema that does not fit another.
fn refused(error: MigrateError) -> StoreError {
    match error {
        MigrateError::Execute(error) if !is_outage(&error) => {
            StoreError::Migrate(MigrateError::Execute(error))
        }
        MigrateError::Execute(error) => error.into(),
        error => StoreError::Migrate(error),
    }
}
