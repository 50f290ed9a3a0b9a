//! Whether the database's file is still where it was opened.
//!
//! An open file lives on without a name: after a folder was moved, a volume unmounted or a file
//! replaced under the running server, SQLite would go on writing, and acknowledging, into a place
//! that nobody will find. So the names are looked up again before every transaction, which costs a
//! microsecond, and a file that is gone or another one is an outage: until it is back, or the server
//! is started anew on what is there now.

use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::error::StoreError;

/// Device and number of a file: what stays the same when it is moved.
type Identity = (u64, u64);

/// The files of an open database.
#[derive(Clone, Debug)]
pub(crate) struct DatabaseFile {
    path: Arc<Path>,
    identity: Identity,
    log: Arc<Path>,
    log_identity: Identity,
}

#[cfg(unix)]
fn identity(path: &Path) -> io::Result<Identity> {
    use std::os::unix::fs::MetadataExt;
    let metadata = std::fs::metadata(path)?;
    Ok((metadata.dev(), metadata.ino()))
}

/// Elsewhere an open file can neither be moved nor deleted.
#[cfg(not(unix))]
fn identity(path: &Path) -> io::Result<Identity> {
    std::fs::metadata(path).map(|_| (0, 0))
}

fn unavailable(error: io::Error) -> StoreError {
    StoreError::Unavailable(Some(error.into()))
}

impl DatabaseFile {
    /// Remembers a database that was just opened and read: its log exists.
    pub(crate) fn opened(path: &Path) -> Result<Self, StoreError> {
        let mut log = OsString::from(path);
        log.push("-wal");
        let log = PathBuf::from(log);
        Ok(Self {
            identity: identity(path).map_err(unavailable)?,
            log_identity: identity(&log).map_err(unavailable)?,
            path: path.into(),
            log: log.into(),
        })
    }

    /// Whether what is written now will be found again.
    pub(crate) fn check(&self) -> Result<(), StoreError> {
        self.check_database()?;
        same(&self.log, self.log_identity)
    }

    /// Whether what is read now is the database.
    pub(crate) fn check_database(&self) -> Result<(), StoreError> {
        same(&self.path, self.identity)
    }
}

fn same(path: &Path, expected: Identity) -> Result<(), StoreError> {
    if identity(path).map_err(unavailable)? == expected {
        return Ok(());
    }
    let message = format!("{} was replaced while it was open; restart to use it", path.display());
    Err(unavailable(io::Error::other(message)))
}
