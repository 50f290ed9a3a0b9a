//! An upload as it arrives: counted, no longer than its link allows, into quarantine.

use std::sync::Arc;

use ahash::AHashMap;
use hallpass_blobs::{BlobError, Draft};
use hallpass_core::file::{File, UploadStatus};
use hallpass_core::id::{CompanyId, FileId};
use hallpass_token::InvalidSignature;
use parking_lot::Mutex;

use super::work::LEASE;
use super::{MAX_UPLOADS, MAX_UPLOADS_OF_COMPANY};
use crate::App;
use crate::caller::is_live;
use crate::error::AppError;

/// The uploads under way at this node.
#[derive(Clone, Default)]
pub(crate) struct Room(Arc<Mutex<Taken>>);

#[derive(Default)]
struct Taken {
    all: usize,
    by_company: AHashMap<CompanyId, usize>,
}

/// A place among them, until it is dropped.
struct Place {
    room: Room,
    company: CompanyId,
}

impl Room {
    fn enter(&self, company: CompanyId) -> Result<Place, AppError> {
        let mut taken = self.0.lock();
        let here = taken.by_company.get(&company).copied().unwrap_or(0);
        if taken.all >= MAX_UPLOADS || here >= MAX_UPLOADS_OF_COMPANY {
            return Err(AppError::RateLimited { retry_after_secs: 1 });
        }
        taken.all += 1;
        taken.by_company.insert(company, here + 1);
        Ok(Place { room: self.clone(), company })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.room.0.lock();
        taken.all -= 1;
        if let Some(here) = taken.by_company.get_mut(&self.company) {
            *here -= 1;
            if *here == 0 {
                taken.by_company.remove(&self.company);
            }
        }
    }
}

/// An upload that is arriving. Dropped before [`finish`](Self::finish), nothing of it stays, and it may be
/// sent again.
pub struct Intake {
    app: App,
    file: FileId,
    draft: Draft,
    _place: Place,
}

impl App {
    /// Begins an upload: the link is genuine and not over, nothing was sent to it before, and whoever it
    /// was made for may still act.
    ///
    /// # Errors
    /// [`AppError::NotFound`] for anything that is no link of ours, [`AppError::Forbidden`] for one that is
    /// over, [`AppError::Conflict`] for one that was used, [`AppError::TooLarge`] by the length that was
    /// declared, [`AppError::RateLimited`] if too many are under way.
    pub async fn begin_upload(&self, link: &str, declared_bytes: Option<u64>) -> Result<Intake, AppError> {
        let no_link = || AppError::NotFound("upload link");
        let link = self.files.links.open_upload(link, self.clock.now()).map_err(|error| match error {
            InvalidSignature::Mismatch => no_link(),
            InvalidSignature::Expired => AppError::Forbidden {
                code: "upload_link_expired",
                message: "this upload link is over; make another file".to_owned(),
            },
        })?;
        if declared_bytes.is_some_and(|bytes| bytes > link.max_bytes) {
            return Err(AppError::TooLarge { limit_bytes: link.max_bytes });
        }
        let file = self.store.read().await?.find_file(link.file).await?.ok_or_else(no_link)?;
        if file.status != UploadStatus::Pending {
            return Err(was_used());
        }
        if !self.uploader_may(&file).await? {
            return Err(no_link());
        }
        let place = self.files.room.enter(file.company)?;
        // Two who send at once each have a draft of their own; the first to end is the file.
        let name = format!("{}-{}", file.id, crate::hex(&self.random::<8>()));
        let draft = self.files.quarantine.draft(&name, link.max_bytes).await.map_err(broken)?;
        Ok(Intake { app: self.clone(), file: file.id, draft, _place: place })
    }

    /// Whether the credential that a file was made with still stands.
    async fn uploader_may(&self, file: &File) -> Result<bool, AppError> {
        if !self.authority.is_fresh() {
            return Err(AppError::Unavailable("this node cannot tell whether rights are current"));
        }
        let Some(key) = file.key else { return Ok(false) };
        if !self.api_key(key).await?.is_some_and(|key| is_live(&key, self.clock.now())) {
            return Ok(false);
        }
        match file.user {
            None => Ok(true),
            Some(user) => {
                Ok(self.is_active(user).await? && self.standing(file.company, user).await?.enrolled())
            }
        }
    }
}

impl Intake {
    /// Takes what arrived.
    ///
    /// # Errors
    /// [`AppError::TooLarge`] with the first byte too many, [`AppError::Unavailable`] if the disk refuses.
    pub async fn write(&mut self, chunk: &[u8]) -> Result<(), AppError> {
        self.draft.write(chunk).await.map_err(broken)
    }

    /// All of it has arrived: has it looked at, and returns when the file is ready.
    ///
    /// # Errors
    /// [`AppError::Unprocessable`] if it is empty, or a picture that cannot be taken (the file has failed
    /// then), [`AppError::Conflict`] if another upload was first.
    pub async fn finish(self) -> Result<(), AppError> {
        let Self { app, file, draft, _place: place } = self;
        if draft.written() == 0 {
            return Err(AppError::unprocessable("file_empty", "body", "the file is empty"));
        }
        // In a task: a client that hangs up now has done its part.
        let task = tokio::spawn(async move {
            let _place = place;
            let draft = draft.finish().await.map_err(broken)?;
            let due_at = app.clock.now() + LEASE;
            let begun = app
                .store
                .write((file, draft.clone(), due_at), |(file, draft, due_at), tx| {
                    Box::pin(async move { Ok::<_, AppError>(tx.begin_file(*file, draft, *due_at).await?) })
                })
                .await;
            match begun {
                Ok(true) => app.work_on(file, &draft).await,
                Ok(false) => {
                    app.files.quarantine.remove(&draft).await;
                    Err(was_used())
                }
                // Whether it was written is not known: if it was, the draft is taken up later.
                Err(error) => Err(error),
            }
        });
        task.await.map_err(|_| AppError::Internal(hallpass_store::StoreError::Panicked))?
    }
}

fn was_used() -> AppError {
    AppError::conflict("upload_used", "a file was sent to this link before; make another")
}

/// What the machine did not do.
#[expect(clippy::needless_pass_by_value, reason = "as map_err passes it")]
pub(super) fn broken(error: BlobError) -> AppError {
    match error {
        BlobError::TooLong { limit_bytes } => AppError::TooLarge { limit_bytes },
        BlobError::Store(_) | BlobError::Io(_) => {
            tracing::warn!(error = %error, "the store of files did not do it");
            AppError::Unavailable("the store of files is not available")
        }
    }
}
