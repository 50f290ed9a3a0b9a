//! SQLite without a thread in between.
//!
//! sqlx gives each SQLite connection a thread of its own, and every statement, parameter and row
//! crosses over to it. On the two paths where that costs more than the statements, [sending](crate::append)
//! and reading a page of a channel, the same library is called directly: sends on a thread for
//! blocking work, a whole batch at a time; pages where they are asked for, because fifty neighbouring rows
//! take less time than handing them to another thread.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};

use crate::error::StoreError;

/// How many statements a connection keeps prepared.
const STATEMENTS: usize = 32;

/// Opens a file that sqlx has made, with the same settings.
fn open(path: &Path, access: OpenFlags) -> Result<Connection, rusqlite::Error> {
    // Not shared between threads: each connection has one owner at a time.
    let conn = Connection::open_with_flags(path, access | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    conn.busy_timeout(Duration::from_secs(5))?;
    // One plan whatever is bound. Else SQLite looks at the value of a LIMIT and plans anew each time.
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    conn.pragma_update(None, "synchronous", "FULL")?;
    conn.pragma_update(None, "foreign_keys", true)?;
    conn.pragma_update(None, "temp_store", "memory")?;
    conn.pragma_update(None, "wal_autocheckpoint", super::CHECKPOINT_PAGES)?;
    conn.pragma_update(None, "journal_size_limit", super::MAX_LOG_BYTES)?;
    conn.set_prepared_statement_cache_capacity(STATEMENTS);
    Ok(conn)
}

/// Opens a connection to write through.
pub(crate) fn open_writer(path: &Path) -> Result<Connection, rusqlite::Error> {
    open(path, OpenFlags::SQLITE_OPEN_READ_WRITE)
}

/// Connections to read through; as many as read at once.
#[derive(Clone)]
pub(crate) struct Readers {
    path: Arc<Path>,
    /// None once closed.
    idle: Arc<Mutex<Option<Vec<Connection>>>>,
}

impl Readers {
    pub(crate) fn new(path: &Path) -> Self {
        Self { path: path.into(), idle: Arc::new(Mutex::new(Some(Vec::new()))) }
    }

    /// Runs `read` with a connection.
    pub(crate) fn with<T>(
        &self,
        read: impl FnOnce(&Connection) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let idle = match self.idle.lock().as_mut() {
            Some(idle) => idle.pop(),
            None => return Err(StoreError::Unavailable(None)),
        };
        let conn = match idle {
            Some(conn) => conn,
            None => open(&self.path, OpenFlags::SQLITE_OPEN_READ_ONLY)?,
        };
        let outcome = read(&conn);
        // After an error the next reader gets a new one.
        if outcome.is_ok()
            && let Some(idle) = self.idle.lock().as_mut()
        {
            idle.push(conn);
        }
        outcome
    }

    pub(crate) fn close(&self) {
        drop(self.idle.lock().take());
    }
}
