//! Where an upload lies until it was looked at: a folder of this node, served to nobody.

use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::fs::File;
use tokio::io::AsyncWriteExt as _;

use crate::BlobError;

/// The folder.
#[derive(Clone, Debug)]
pub struct Quarantine {
    folder: PathBuf,
}

/// An upload that is arriving. Dropped before [`finish`](Draft::finish), it is removed.
#[derive(Debug)]
pub struct Draft {
    file: Option<File>,
    path: PathBuf,
    name: String,
    written: u64,
    limit_bytes: u64,
}

impl Quarantine {
    /// Opens the folder, and makes it for this user's eyes only.
    ///
    /// # Errors
    /// [`BlobError::Io`] if it cannot be made.
    pub fn open(folder: &Path) -> Result<Self, BlobError> {
        let mut builder = std::fs::DirBuilder::new();
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder.recursive(true).create(folder)?;
        Ok(Self { folder: folder.to_owned() })
    }

    /// No folder: drafts cannot be begun.
    pub fn nowhere() -> Self {
        Self { folder: PathBuf::from("/nonexistent") }
    }

    /// Begins a draft under a name of ours: letters, digits, `_` and `-`.
    ///
    /// # Errors
    /// [`BlobError::Io`] if it cannot be made, or is there.
    pub async fn draft(&self, name: &str, limit_bytes: u64) -> Result<Draft, BlobError> {
        let path = self.path(name);
        let file = File::options().write(true).create_new(true).open(&path).await?;
        Ok(Draft { file: Some(file), path, name: name.to_owned(), written: 0, limit_bytes })
    }

    /// Where the draft of a name lies.
    pub fn path(&self, name: &str) -> PathBuf {
        let safe = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-');
        // Names are made here and come back from the database, which others may have written to.
        self.folder.join(if safe { name } else { "no-such-draft" })
    }

    /// Whether the draft of a name lies here, on this node.
    pub fn has(&self, name: &str) -> bool {
        self.path(name).is_file()
    }

    /// Removes a draft, and what was made of it.
    pub async fn remove(&self, name: &str) {
        for path in [self.path(name), prepared_path(&self.path(name))] {
            // Not there is as good, and what cannot be removed is swept later.
            drop(tokio::fs::remove_file(path).await);
        }
    }

    /// Removes what nobody touched for so long.
    ///
    /// # Errors
    /// [`BlobError::Io`] if the folder cannot be read.
    pub fn sweep(&self, older_than: Duration) -> Result<usize, BlobError> {
        let mut swept = 0;
        for entry in std::fs::read_dir(&self.folder)? {
            let entry = entry?;
            let touched = entry.metadata()?.modified()?;
            if touched.elapsed().is_ok_and(|age| age > older_than)
                && std::fs::remove_file(entry.path()).is_ok()
            {
                swept += 1;
            }
        }
        Ok(swept)
    }
}

/// What is made of a draft lies beside it.
pub(crate) fn prepared_path(draft: &Path) -> PathBuf {
    draft.with_extension("prepared")
}

impl Draft {
    /// Writes what arrived.
    ///
    /// # Errors
    /// [`BlobError::TooLong`] with the first byte too many, [`BlobError::Io`] if the disk refuses.
    pub async fn write(&mut self, chunk: &[u8]) -> Result<(), BlobError> {
        self.written += chunk.len() as u64;
        if self.written > self.limit_bytes {
            return Err(BlobError::TooLong { limit_bytes: self.limit_bytes });
        }
        if let Some(file) = &mut self.file {
            file.write_all(chunk).await?;
        }
        Ok(())
    }

    /// How much has arrived.
    pub fn written(&self) -> u64 {
        self.written
    }

    /// Closes it, whole and on disk; from now on it stays until it is removed by name.
    ///
    /// # Errors
    /// [`BlobError::Io`] if the disk refuses.
    pub async fn finish(mut self) -> Result<String, BlobError> {
        if let Some(mut file) = self.file.take() {
            file.flush().await?;
            if let Err(error) = file.sync_all().await {
                drop(tokio::fs::remove_file(&self.path).await);
                return Err(error.into());
            }
        }
        Ok(std::mem::take(&mut self.name))
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        if self.file.take().is_some() {
            // A file less or a file swept tomorrow.
            drop(std::fs::remove_file(&self.path));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_draft_stays_only_if_it_was_finished_and_never_grows_too_long() {
        let folder = tempfile::tempdir().unwrap();
        let quarantine = Quarantine::open(&folder.path().join("q")).unwrap();
        let mut draft = quarantine.draft("file_1", 5).await.unwrap();
        draft.write(b"123").await.unwrap();
        draft.write(b"45").await.unwrap();
        assert!(matches!(draft.write(b"6").await, Err(BlobError::TooLong { limit_bytes: 5 })));
        drop(draft);
        assert!(!quarantine.has("file_1"));

        let mut draft = quarantine.draft("file_1", 5).await.unwrap();
        draft.write(b"12345").await.unwrap();
        assert_eq!(draft.written(), 5);
        assert_eq!(draft.finish().await.unwrap(), "file_1");
        assert_eq!(std::fs::read(quarantine.path("file_1")).unwrap(), b"12345");
        assert!(quarantine.draft("file_1", 5).await.is_err(), "no draft is written over");
        assert_eq!(quarantine.sweep(Duration::from_hours(1)).unwrap(), 0);
        assert_eq!(quarantine.sweep(Duration::ZERO).unwrap(), 1);
        quarantine.remove("file_1").await;
        assert!(!quarantine.has("file_1"));
    }

    #[test]
    fn no_name_leads_out_of_the_folder() {
        let folder = tempfile::tempdir().unwrap();
        let quarantine = Quarantine::open(folder.path()).unwrap();
        for name in ["../x", "/etc/passwd", "a/b", "..", "a\0b"] {
            assert_eq!(quarantine.path(name), folder.path().join("no-such-draft"));
        }
    }
}
