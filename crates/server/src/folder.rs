//! The data folder: its lock, and the master key of a single node.
//!
//! | file | what |
//! |---|---|
//! | `hallpass.lock` | locked by whoever works on the folder |
//! | `hallpass.db` | the SQLite database |
//! | `master.key` | the master key made on first start; keep it apart from backups of the rest |
//! | `admin.sock` | where the running server takes commands |
//! | `dev.json` | the port of `hallpass dev` |

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use hallpass_core::Entropy;
use hallpass_token::MasterKey;
use rustix::fs::{FlockOperation, flock};

/// Of the files that hold secrets: nobody else's.
const PRIVATE_FILE: u32 = 0o600;
const PRIVATE_FOLDER: u32 = 0o700;

/// A data folder that this process holds alone.
pub(crate) struct DataFolder {
    path: PathBuf,
    /// Held until it is closed.
    _lock: File,
}

/// The database in a folder.
pub(crate) fn database_in(folder: &Path) -> PathBuf {
    folder.join("hallpass.db")
}

/// The master key in a folder.
pub(crate) fn master_key_in(folder: &Path) -> PathBuf {
    folder.join("master.key")
}

impl DataFolder {
    /// Makes the folder if it is not there, and locks it; none if another process holds it.
    pub(crate) fn try_lock(path: &Path) -> anyhow::Result<Option<Self>> {
        let shown = path.display();
        DirBuilder::new()
            .recursive(true)
            .mode(PRIVATE_FOLDER)
            .create(path)
            .with_context(|| format!("cannot make the data folder {shown}"))?;
        // Absolute from here on: nothing depends on where we stand.
        let path = path.canonicalize().with_context(|| format!("cannot enter the data folder {shown}"))?;
        let file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .mode(PRIVATE_FILE)
            .open(path.join("hallpass.lock"))
            .with_context(|| format!("cannot write into the data folder {shown}"))?;
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(rustix::io::Errno::WOULDBLOCK) => return Ok(None),
            Err(error) => return Err(error).with_context(|| format!("cannot lock the data folder {shown}")),
        }
        // For people who wonder which process it is.
        file.set_len(0)?;
        (&file).write_all(format!("{}\n", std::process::id()).as_bytes())?;
        Ok(Some(Self { path, _lock: file }))
    }

    /// As [`Self::try_lock`], for servers.
    ///
    /// # Errors
    /// If another process holds the folder.
    pub(crate) fn lock(path: &Path) -> anyhow::Result<Self> {
        if let Some(folder) = Self::try_lock(path)? {
            return Ok(folder);
        }
        let holder = fs::read_to_string(path.join("hallpass.lock")).unwrap_or_default();
        bail!(
            "another hallpass (process {}) uses the data folder {}; stop it, or name another folder with --data-dir",
            holder.trim(),
            path.display()
        )
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn database(&self) -> PathBuf {
        database_in(&self.path)
    }

    /// The folder's own master key, made if this is a first start.
    ///
    /// # Errors
    /// If there is a database but no key: a new one could not unseal anything.
    pub(crate) fn master_key(&self, fresh: impl FnOnce() -> MasterKey) -> anyhow::Result<MasterKey> {
        let path = master_key_in(&self.path);
        match fs::read_to_string(&path) {
            Ok(text) => {
                return MasterKey::parse(&text).with_context(|| {
                    format!("{} holds no master key; put the right one back", path.display())
                });
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error).with_context(|| format!("cannot read {}", path.display())),
        }
        if self.database().exists() {
            bail!(
                "{} is missing, and the database next to it was made with it; put the file back, or give the \
                 key as keys.master_key",
                path.display()
            );
        }
        let key = fresh();
        self.write_private("master.key", key.to_text().as_bytes())?;
        Ok(key)
    }

    /// Writes a file that only we can read, whole or not at all.
    pub(crate) fn write_private(&self, name: &str, content: &[u8]) -> anyhow::Result<()> {
        let (path, fresh) = (self.path.join(name), self.path.join(format!("{name}.new")));
        let write = || {
            let mut file =
                OpenOptions::new().create(true).write(true).truncate(true).mode(PRIVATE_FILE).open(&fresh)?;
            file.write_all(content)?;
            file.sync_all()?;
            fs::rename(&fresh, &path)?;
            File::open(&self.path)?.sync_all()
        };
        write().with_context(|| format!("cannot write {}", path.display()))
    }
}

/// A folder that goes when it is dropped.
pub(crate) struct TemporaryFolder(PathBuf);

impl TemporaryFolder {
    pub(crate) fn make(entropy: &dyn Entropy) -> anyhow::Result<Self> {
        let name = u64::from_be_bytes(hallpass_core::clock::draw(entropy));
        let path = std::env::temp_dir().join(format!("hallpass-dev-{name:016x}"));
        DirBuilder::new()
            .mode(PRIVATE_FOLDER)
            .create(&path)
            .with_context(|| format!("cannot make the temporary folder {}", path.display()))?;
        Ok(Self(path))
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for TemporaryFolder {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.0) {
            tracing::warn!(error = %error, "cannot remove the temporary folder {}", self.0.display());
        }
    }
}

/// Whether others than the owner may read a path.
pub(crate) fn is_exposed(path: &Path) -> io::Result<bool> {
    Ok(fs::metadata(path)?.permissions().mode() & 0o077 != 0)
}
