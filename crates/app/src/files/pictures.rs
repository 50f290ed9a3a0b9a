//! Files as pictures: the squares they are shown in, and whose they are.

use hallpass_blobs::{Shape, squares};
use hallpass_core::file::{BANNER, FileBlob, FileUse, USUAL_SQUARE};
use hallpass_core::id::{CompanyId, FileId, UserId};
use hallpass_store::{StoreError, Tx};
use jiff::Timestamp;

use super::intake::broken;
use super::{must_be_ready, served_type};
use crate::App;
use crate::caller::Caller;
use crate::error::AppError;

impl App {
    /// Takes a file as a picture: it is ready, a picture, and was made by the caller's side (the same
    /// user, or a key of the same company). Makes the sizes that it is shown in. To be used, it is then
    /// given to [`use_picture`] in the transaction that says for what.
    ///
    /// # Errors
    /// [`AppError::NotFound`] for somebody else's file, [`AppError::Unprocessable`] (`file_not_ready`,
    /// `not_a_picture`) naming `param`.
    pub async fn adopt_image(
        &self,
        caller: &Caller,
        param: &'static str,
        id: FileId,
        shape: Shape,
    ) -> Result<FileId, AppError> {
        let file = self.own_file(caller, id).await?;
        must_be_ready(param, &file)?;
        let not_a_picture = || AppError::unprocessable("not_a_picture", param, "this file is no picture");
        if !file.is_picture() {
            return Err(not_a_picture());
        }
        let usual = match shape {
            Shape::Squares => USUAL_SQUARE,
            Shape::Banner => BANNER,
        };
        let mut read = self.store.read().await?;
        if read.find_file_blob(id, usual).await?.is_some() {
            return Ok(id);
        }
        let original = read.find_file_blob(id, 0).await?.ok_or(AppError::NotFound("file"))?;
        drop(read);
        let bytes = self.files.blobs.read_whole(original.hash).await.map_err(broken)?;
        let (kind, limits) = (served_type(file.content_type.as_deref()).to_owned(), self.files.limits());
        let made = self
            .in_worker(move || squares(&kind, &bytes, shape, limits))
            .await?
            .map_err(|_| not_a_picture())?;
        let mut forms = Vec::with_capacity(made.len());
        for square in made {
            forms.push(FileBlob {
                px: square.px,
                hash: square.hash,
                content_type: square.content_type.to_owned(),
                size_bytes: square.bytes.len() as u64,
            });
            self.put_copy(square.hash, square.bytes).await?;
        }
        self.store
            .write((id, forms), |(id, forms), tx| {
                Box::pin(async move {
                    for form in forms {
                        tx.insert_file_blob(*id, form).await?;
                    }
                    Ok::<_, AppError>(())
                })
            })
            .await?;
        Ok(id)
    }

    /// Where files and pictures are served from.
    pub fn files_base(&self) -> &str {
        &self.files.base
    }

    /// Where a picture is shown: the usual square, others with `?size=`.
    pub fn picture_url(&self, id: FileId) -> String {
        format!("{}/pictures/{id}", self.files.base)
    }

    /// Where a banner is shown. It names its size: the same file may be a logo, too.
    pub fn banner_url(&self, id: FileId) -> String {
        format!("{}?size={BANNER}", self.picture_url(id))
    }
}

/// Makes an adopted picture the one of `what`, and the one before, if it was used for nothing else, is
/// gone; with none, only that.
///
/// # Errors
/// [`AppError::NotFound`] if the file went away meanwhile.
pub async fn use_picture(
    tx: &mut Tx,
    what: FileUse,
    picture: Option<FileId>,
    at: Timestamp,
) -> Result<(), AppError> {
    if tx.replace_file_uses(what, picture.as_slice(), at).await? {
        Ok(())
    } else {
        Err(AppError::NotFound("file"))
    }
}

/// Ends what a company showed as a user's picture: whoever is enrolled again brings none back.
pub(crate) async fn forget_picture(
    tx: &mut Tx,
    company: CompanyId,
    user: UserId,
    at: Timestamp,
) -> Result<(), StoreError> {
    let what = FileUse::Override(company, user);
    if !tx.list_files_of_use(what).await?.is_empty() {
        tx.update_override(company, user, None, Some(None), at).await?;
        tx.replace_file_uses(what, &[], at).await?;
    }
    Ok(())
}
