//! Files as attachments of messages.
//!
//! The use is written before the message: the path of a message stays as short as it is. A message that
//! then never comes leaves a use that housekeeping finds and takes back.

use ahash::AHashMap;
use hallpass_core::file::{File, FileUse};
use hallpass_core::id::{FileId, MessageId};
use jiff::SignedDuration;

use hallpass_token::Reader;

use super::must_be_ready;
use crate::App;
use crate::caller::Caller;
use crate::error::AppError;
use crate::messages::MessageWithAuthor;

/// When a message that was to use a file must be there.
const CHECK_AFTER: SignedDuration = SignedDuration::from_hours(1);

/// An attachment, with the address that its reader may have.
#[derive(Clone, Debug, PartialEq)]
pub struct Attachment {
    /// The file.
    pub file: File,
    /// Where it is read; signed for this reader for five minutes if it is private, none without a reader.
    pub url: Option<String>,
}

impl App {
    /// Files that a message may have: each ready and made by the caller's side, or of the message already.
    ///
    /// # Errors
    /// [`AppError::NotFound`] for any other, [`AppError::Unprocessable`] for one that is not ready.
    pub(crate) async fn must_be_attachable(
        &self,
        caller: &Caller,
        ids: &[FileId],
        there: &[FileId],
    ) -> Result<(), AppError> {
        for id in ids.iter().filter(|id| !there.contains(id)) {
            must_be_ready("attachments", &self.own_file(caller, *id).await?)?;
        }
        Ok(())
    }

    /// Uses files for a message that is about to be sent.
    ///
    /// # Errors
    /// [`AppError::NotFound`] for a file that is gone.
    pub(crate) async fn use_for(&self, message: MessageId, ids: &[FileId]) -> Result<(), AppError> {
        if ids.is_empty() {
            return Ok(());
        }
        self.store
            .write((message, ids.to_vec(), self.clock.now()), |(message, ids, at), tx| {
                Box::pin(async move {
                    for id in ids {
                        let check_at = Some(*at + CHECK_AFTER);
                        if !tx.insert_file_use(*id, FileUse::Message(*message), check_at, *at).await? {
                            return Err(AppError::NotFound("file"));
                        }
                    }
                    Ok(())
                })
            })
            .await
    }

    /// Fills in the attachments of messages, with addresses for this reader; private ones have none without
    /// one.
    ///
    /// # Errors
    /// Those of the store.
    pub(crate) async fn attach(
        &self,
        reader: Option<Reader>,
        items: &mut [MessageWithAuthor],
    ) -> Result<(), AppError> {
        let ids: Vec<FileId> = items.iter().flat_map(|item| &item.message.attachments).copied().collect();
        if ids.is_empty() {
            return Ok(());
        }
        let found = self.store.read().await?.list_files(&ids).await?;
        let files: AHashMap<FileId, File> = found.into_iter().map(|file| (file.id, file)).collect();
        for item in items {
            let of_message = item.message.attachments.iter().filter_map(|id| files.get(id));
            item.attachments = of_message
                .map(|file| Attachment { file: file.clone(), url: self.file_url(file, reader) })
                .collect();
        }
        Ok(())
    }
}
