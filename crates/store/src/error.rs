//! What can go wrong in the store.

/// A failure of the store.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// A unique or foreign key would have been violated; nothing was written.
    #[error("the write conflicts with what is stored")]
    Conflict,
    /// The engine gave up on this transaction in favour of another one; trying again may succeed.
    #[error("the transaction lost against a concurrent one")]
    Serialization,
    /// The database does not answer or cannot write: gone, full, overloaded.
    #[error("the database is not available")]
    Unavailable(#[source] Option<sqlx::Error>),
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
    Database(#[source] sqlx::Error),
    /// The operation panicked inside a write; nothing was written.
    #[error("the operation panicked")]
    Panicked,
    /// The migrations do not fit the database.
    #[error("the database's schema does not fit")]
    Migrate(#[from] sqlx::migrate::MigrateError),
}

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        use sqlx::Error as E;
        use sqlx::error::ErrorKind as Kind;
        match &error {
            E::Database(database) => match (database.kind(), database.code().as_deref()) {
                (Kind::UniqueViolation | Kind::ForeignKeyViolation, _) => Self::Conflict,
                // PostgreSQL: serialisation failure, deadlock.
                (_, Some("40001" | "40P01")) => Self::Serialization,
                (_, Some(code)) if is_outage(code) => Self::Unavailable(Some(error)),
                _ => Self::Database(error),
            },
            E::Configuration(_)
            | E::Io(_)
            | E::Tls(_)
            | E::PoolTimedOut
            | E::PoolClosed
            | E::WorkerCrashed
            | E::Protocol(_) => Self::Unavailable(Some(error)),
            _ => Self::Database(error),
        }
    }
}

/// Codes that say the engine cannot serve now, rather than that the statement is wrong.
fn is_outage(code: &str) -> bool {
    // PostgreSQL's are five characters: connection, authorisation, resources (disk full, too many clients),
    // intervention, system; lock time-out; a primary that no longer is one; a transaction or session
    // that idled too long; a database that takes no connections. SQLite's are shorter.
    if code.len() == 5 {
        return ["08", "28", "53", "57", "58"].iter().any(|class| code.starts_with(class))
            || matches!(code, "55P03" | "25006" | "25P03" | "25P04" | "55000" | "3D000");
    }
    // SQLite primary codes: PERM, BUSY, LOCKED, NOMEM, READONLY, IOERR, CORRUPT, FULL, CANTOPEN, PROTOCOL, NOTADB.
    code.parse::<u32>()
        .is_ok_and(|code| matches!(code & 0xff, 3 | 5 | 6 | 7 | 8 | 10 | 11 | 13 | 14 | 15 | 26))
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
