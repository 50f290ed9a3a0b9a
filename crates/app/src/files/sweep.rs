//! Housekeeping: what never arrived, what nothing uses, and what a node left in the middle.

use std::time::Duration;

use hallpass_core::file::{ContentHash, FileUse, UploadStatus};
use hallpass_store::DueFile;
use jiff::{SignedDuration, Timestamp};

use super::FORGET_AFTER;
use super::intake::broken;
use super::work::LEASE;
use crate::App;
use crate::error::AppError;

/// How many of each kind at a time, and how many times a round.
const BATCH: i64 = 100;
const MAX_BATCHES: usize = 20;
/// How long removing one copy may take, and after what time another node may try.
const REMOVE_WITHIN: Duration = Duration::from_secs(30);
const REMOVAL_IS_STALE: SignedDuration = SignedDuration::from_mins(10);
/// When a draft that nobody knows is removed.
const OLD_DRAFT: Duration = Duration::from_hours(24);

impl App {
    /// One round of housekeeping for files.
    ///
    /// # Errors
    /// Those of the store, and [`AppError::Unavailable`] if copies cannot be removed.
    pub(crate) async fn sweep_files(&self) -> Result<(), AppError> {
        self.check_uses().await?;
        for _ in 0..MAX_BATCHES {
            let due = self.store.read().await?.list_due_files(self.clock.now(), BATCH).await?;
            let all = due.len() < usize::try_from(BATCH).unwrap_or(usize::MAX);
            for file in due {
                self.see_to(file).await?;
            }
            if all {
                break;
            }
        }
        let suspects = self.store.read().await?.list_suspect_blobs(self.clock.now(), BATCH).await?;
        for hash in suspects {
            self.remove_if_unused(hash).await?;
        }
        let quarantine = self.files.quarantine.clone();
        let swept = tokio::task::spawn_blocking(move || quarantine.sweep(OLD_DRAFT)).await;
        if let Ok(Err(error)) = swept {
            tracing::warn!(error = %error, "the quarantine cannot be swept");
        }
        Ok(())
    }

    /// A file whose time has come.
    async fn see_to(&self, due: DueFile) -> Result<(), AppError> {
        let now = self.clock.now();
        match (due.status, due.draft) {
            (UploadStatus::Processing, Some(draft)) => {
                let here = self.files.quarantine.has(&draft);
                let until = now + if here { LEASE } else { FORGET_AFTER };
                let taken = self
                    .store
                    .write((due.id, now, until, draft.clone(), here), |(id, now, until, draft, here), tx| {
                        Box::pin(async move {
                            let taken = tx.take_up_file(*id, *now, *until).await?;
                            if taken && !here {
                                // The node that has the draft is gone, or has given it up.
                                tx.fail_file(*id, draft, *until).await?;
                            }
                            Ok::<_, AppError>(taken)
                        })
                    })
                    .await?;
                if taken && here {
                    // Whatever comes of it is written at the file.
                    if let Err(error) = self.work_on(due.id, &draft).await {
                        tracing::info!(file.id = %due.id, error = %error, "an upload that was taken up failed");
                    }
                }
            }
            (
                UploadStatus::Processing | UploadStatus::Pending | UploadStatus::Ready | UploadStatus::Failed,
                _,
            ) => {
                let forgotten = self
                    .store
                    .write((due.id, now), |(id, now), tx| {
                        Box::pin(async move { Ok::<_, AppError>(tx.delete_due_file(*id, *now).await?) })
                    })
                    .await?;
                if forgotten {
                    metrics::counter!("hallpass_files_forgotten_total").increment(1);
                }
            }
        }
        Ok(())
    }

    /// Uses that were written ahead of their message: confirmed, or ended if it never came.
    async fn check_uses(&self) -> Result<(), AppError> {
        let now = self.clock.now();
        let unchecked = self.store.read().await?.list_unchecked_uses(now, BATCH).await?;
        for (file, what) in unchecked {
            let there = match what {
                FileUse::Message(message) => self.store.read().await?.find_message(message).await?.is_some(),
                _ => true,
            };
            let due_at = now + self.files.policy.keep_unused;
            self.store
                .write((file, what, there, due_at), |(file, what, there, due_at), tx| {
                    Box::pin(async move {
                        if *there {
                            tx.confirm_file_use(*file, *what).await?;
                        } else {
                            tx.withdraw_file_use(*file, *what, *due_at).await?;
                        }
                        Ok::<_, AppError>(())
                    })
                })
                .await?;
        }
        Ok(())
    }

    async fn remove_if_unused(&self, hash: ContentHash) -> Result<(), AppError> {
        let now: Timestamp = self.clock.now();
        let stale = now - REMOVAL_IS_STALE;
        let doomed = self
            .store
            .write((hash, now, stale), |(hash, now, stale), tx| {
                Box::pin(async move { Ok::<_, AppError>(tx.doom_blob(*hash, *now, *stale).await?) })
            })
            .await?;
        if !doomed {
            return Ok(());
        }
        let removed = tokio::time::timeout(REMOVE_WITHIN, self.files.blobs.remove(hash)).await;
        removed.map_err(|_| AppError::Unavailable("the store of files is too slow"))?.map_err(broken)?;
        self.store
            .write((hash, now), |(hash, now), tx| {
                Box::pin(async move { Ok::<_, AppError>(tx.delete_blob(*hash, *now).await?) })
            })
            .await?;
        metrics::counter!("hallpass_file_copies_removed_total").increment(1);
        Ok(())
    }
}
