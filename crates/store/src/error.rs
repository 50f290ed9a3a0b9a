//! What can go wrong in the store.

/// What an engine or its driver said.
pub type Cause = Box<dyn std::error::Error + Send + Sync>;

/// A failure of the store.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// A unique or foreign key would have been violated; nothing was written.
    #[error("the write conflicts with what is stored")]
    Conflict,
    /// The engine gave up on this transaction in favour of another one; trying again may succeed.
    #[error("the transaction lost against a concurrent one")]
    Serialization,
    /// The database does not answer or cannot write: gone, full, overloaded. Nothing was written.
    #[error("the database is not available")]
    Unavailable(#[source] Option<Cause>),
    /// The database went away under a commit; it may have been written.
    #[error("the outcome of the commit is not known")]
    Unknown(#[source] Cause),
    /// A stored value does not parse.
    #[error("{table}.{column} of {id} does not parse")]
    Corrupt {
        /// The table.
        table: &'static str,
        /// The column.
        column: &'static str,
        /// The row, as far as known.
        id: String,
    },
    /// The engine refused a statement: a bug of ours.
    #[error("the database refused a statement")]
    Database(#[source] Cause),
    /// The operation panicked inside a write; nothing was written.
    #[error("the operation panicked")]
    Panicked,
    /// The migrations do not fit the database.
    #[error("the database's schema does not fit")]
    Migrate(#[from] sqlx::migrate::MigrateError),
}

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        use sqlx::error::ErrorKind as Kind;
        if is_outage(&error) {
            return Self::Unavailable(Some(error.into()));
        }
        match error.as_database_error().map(|error| (error.kind(), error.code())) {
            Some((Kind::UniqueViolation | Kind::ForeignKeyViolation, _)) => Self::Conflict,
            // PostgreSQL: serialisation failure, deadlock.
            Some((_, Some(code))) if matches!(&*code, "40001" | "40P01") => Self::Serialization,
            _ => Self::Database(error.into()),
        }
    }
}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        use rusqlite::ffi;
        let code = error.sqlite_error().map_or(0, |error| error.extended_code);
        match code {
            ffi::SQLITE_CONSTRAINT_UNIQUE
            | ffi::SQLITE_CONSTRAINT_PRIMARYKEY
            | ffi::SQLITE_CONSTRAINT_FOREIGNKEY => Self::Conflict,
            code if is_sqlite_outage(code) => Self::Unavailable(Some(error.into())),
            _ => Self::Database(error.into()),
        }
    }
}

impl From<rusqlite::types::FromSqlError> for StoreError {
    fn from(error: rusqlite::types::FromSqlError) -> Self {
        Self::Database(error.into())
    }
}

/// Whether the engine cannot serve now, rather than that the statement is wrong.
pub(crate) fn is_outage(error: &sqlx::Error) -> bool {
    use sqlx::Error as E;
    match error {
        // PostgreSQL's codes have five characters, SQLite's fewer.
        E::Database(database) => database.code().is_some_and(|code| match code.len() {
            5 => is_postgres_outage(&code),
            _ => code.parse().is_ok_and(is_sqlite_outage),
        }),
        E::Configuration(_)
        | E::Io(_)
        | E::Tls(_)
        | E::PoolTimedOut
        | E::PoolClosed
        | E::WorkerCrashed
        | E::Protocol(_) => true,
        _ => false,
    }
}

fn is_postgres_outage(code: &str) -> bool {
    // Connection, authorisation, resources (disk full, too many clients), intervention, system; lock
    // time-out; a primary that no longer is one; a transaction or session that idled too long; a database
    // that takes no connections.
    ["08", "28", "53", "57", "58"].iter().any(|class| code.starts_with(class))
        || matches!(code, "55P03" | "25006" | "25P03" | "25P04" | "55000" | "3D000")
}

/// Codes are numbers, whose low byte says what kind it is.
fn is_sqlite_outage(code: i32) -> bool {
    // PERM, BUSY, LOCKED, NOMEM, READONLY, IOERR, CORRUPT, FULL, CANTOPEN, PROTOCOL, NOTADB.
    matches!(code & 0xff, 3 | 5 | 6 | 7 | 8 | 10 | 11 | 13 | 14 | 15 | 26)
}

/// An error that may be the store's: what the writer needs to know of a failed operation.
pub trait MaybeStoreError: From<StoreError> {
    /// The store's error inside, if it is one.
    fn store_error(&self) -> Option<&StoreError>;
}
impl MaybeStoreError for StoreError {
    fn store_error(&self) -> Option<&StoreError> {
        Some(self)
    }
}
