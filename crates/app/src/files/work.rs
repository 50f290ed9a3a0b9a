//! From quarantine to ready, off the async threads and a few at a time.

use std::time::Duration;

use hallpass_blobs::{BlobError, Rejected, prepare};
use hallpass_core::file::{ContentHash, FileBlob};
use hallpass_core::id::FileId;
use jiff::SignedDuration;

use super::FORGET_AFTER;
use super::intake::broken;
use crate::App;
use crate::error::AppError;

/// How long a node may work on a file before another may take it up.
pub(super) const LEASE: SignedDuration = SignedDuration::from_mins(5);
/// How long a copy may take, well within the time that [`KEEP_COPY`] guards it.
const COPY_WITHIN: Duration = Duration::from_mins(4);
/// How long a copy is kept that nobody uses yet.
const KEEP_COPY: SignedDuration = SignedDuration::from_hours(1);
/// How often a copy that is just being removed is waited for.
const MAX_TRIES: usize = 20;

/// A draft that is worked on, until it is dropped.
struct AtWork<'a> {
    app: &'a App,
    draft: &'a str,
}

impl Drop for AtWork<'_> {
    fn drop(&mut self) {
        self.app.files.at_work.lock().remove(self.draft);
    }
}

/// Why a draft became no file.
enum Trouble {
    /// For good: the code and what to say.
    Rejected(&'static str, &'static str),
    /// This time.
    Broken(AppError),
}

impl From<AppError> for Trouble {
    fn from(error: AppError) -> Self {
        Self::Broken(error)
    }
}
impl From<BlobError> for Trouble {
    fn from(error: BlobError) -> Self {
        Self::Broken(broken(error))
    }
}
impl From<Rejected> for Trouble {
    fn from(rejected: Rejected) -> Self {
        match rejected {
            Rejected::Unreadable => Self::Rejected("picture_unreadable", "the picture cannot be read"),
            Rejected::TooManyPixels => Self::Rejected("picture_too_large", "the picture has too many pixels"),
            Rejected::Io(error) => Self::Broken(broken(BlobError::Io(error))),
        }
    }
}

impl App {
    /// Works on a file that is processing: ready, failed, or pending again if this machine is at fault.
    pub(super) async fn work_on(&self, file: FileId, draft: &str) -> Result<(), AppError> {
        if !self.files.at_work.lock().insert(draft.to_owned()) {
            return Ok(());
        }
        let _at_work = AtWork { app: self, draft };
        let trouble = match self.make_copy(draft).await {
            Ok(blob) => {
                let due_at = self.clock.now() + self.files.policy.keep_unused;
                // An error here leaves the draft, and the file for whoever takes it up.
                self.store
                    .write((file, draft.to_owned(), blob, due_at), |(file, draft, blob, due_at), tx| {
                        Box::pin(async move {
                            Ok::<_, AppError>(tx.finish_file(*file, draft, blob, *due_at).await?)
                        })
                    })
                    .await?;
                self.files.quarantine.remove(draft).await;
                metrics::counter!("hallpass_file_uploads_total", "outcome" => "ready").increment(1);
                return Ok(());
            }
            Err(trouble) => trouble,
        };
        let rejected = matches!(trouble, Trouble::Rejected(..));
        let due_at = self.clock.now() + FORGET_AFTER;
        self.store
            .write((file, draft.to_owned(), due_at, rejected), |(file, draft, due_at, rejected), tx| {
                Box::pin(async move {
                    Ok::<_, AppError>(if *rejected {
                        tx.fail_file(*file, draft, *due_at).await?
                    } else {
                        tx.return_file(*file, draft, *due_at).await?
                    })
                })
            })
            .await?;
        self.files.quarantine.remove(draft).await;
        let outcome = if rejected { "rejected" } else { "broken" };
        metrics::counter!("hallpass_file_uploads_total", "outcome" => outcome).increment(1);
        match trouble {
            Trouble::Rejected(code, message) => Err(AppError::unprocessable(code, "body", message)),
            Trouble::Broken(error) => Err(error),
        }
    }

    async fn make_copy(&self, draft: &str) -> Result<FileBlob, Trouble> {
        let files = &self.files;
        let (path, types, limits) =
            (files.quarantine.path(draft), files.policy.types.clone(), files.limits());
        let made = self.in_worker(move || prepare(&path, &types, limits)).await??;
        self.keep_copy(made.hash).await?;
        within_time(files.blobs.put_file(made.hash, &made.path)).await?;
        Ok(FileBlob {
            px: 0,
            hash: made.hash,
            content_type: made.content_type.to_owned(),
            size_bytes: made.size_bytes,
        })
    }

    /// Runs what blocks for a while, a few at a time. A decoder that panics has met a hostile file.
    pub(super) async fn in_worker<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T, Rejected> + Send + 'static,
    ) -> Result<Result<T, Rejected>, AppError> {
        let _two = self
            .files
            .workers
            .acquire_many(2)
            .await
            .map_err(|_| AppError::Unavailable("the server is stopping"))?;
        Ok(tokio::task::spawn_blocking(work).await.unwrap_or(Err(Rejected::Unreadable)))
    }

    /// Keeps a copy from being removed while it is made and until it is used.
    pub(super) async fn keep_copy(&self, hash: ContentHash) -> Result<(), AppError> {
        for _ in 0..MAX_TRIES {
            let until = self.clock.now() + KEEP_COPY;
            let kept = self
                .store
                .write((hash, until), |(hash, until), tx| {
                    Box::pin(async move { Ok::<_, AppError>(tx.touch_blob(*hash, *until).await?) })
                })
                .await?;
            if kept {
                return Ok(());
            }
            // The last user of the same content went this very moment.
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        Err(AppError::Unavailable("the same content is just being removed"))
    }

    /// Puts bytes in their immutable place.
    pub(super) async fn put_copy(&self, hash: ContentHash, bytes: bytes::Bytes) -> Result<(), AppError> {
        self.keep_copy(hash).await?;
        within_time(self.files.blobs.put_bytes(hash, bytes)).await
    }
}

async fn within_time(copying: impl Future<Output = Result<(), BlobError>>) -> Result<(), AppError> {
    match tokio::time::timeout(COPY_WITHIN, copying).await {
        Ok(copied) => copied.map_err(broken),
        Err(_) => Err(AppError::Unavailable("the store of files is too slow")),
    }
}
