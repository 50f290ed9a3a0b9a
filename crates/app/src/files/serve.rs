//! Serving: whether a file may be had, decided anew each time, and its bytes.

use std::ops::Range;

use hallpass_blobs::ByteStream;
use hallpass_core::file::{
    BANNER, ContentHash, File, FileUse, SQUARES, USUAL_SQUARE, UploadStatus, Visibility,
};
use hallpass_core::id::{FileId, UserId};
use hallpass_token::{InvalidSignature, Reader};

use super::intake::broken;
use crate::App;
use crate::caller::is_live;
use crate::error::AppError;

/// A file, or a form of it, that may be had.
#[derive(Clone, Debug)]
pub struct Served {
    /// What it is served as.
    pub content_type: String,
    /// How long it is.
    pub size_bytes: u64,
    /// What it is called when it is saved.
    pub filename: String,
    /// Anybody may keep it.
    pub public: bool,
    hash: ContentHash,
}

impl Served {
    /// Names exactly these bytes.
    pub fn tag(&self) -> String {
        format!("\"{}\"", self.hash)
    }
}

impl App {
    /// Opens a file by the name in its address: a public one, or a private one with a link for a reader
    /// who may still read.
    ///
    /// # Errors
    /// [`AppError::NotFound`], alike for whatever is not there or not to be had; [`AppError::Forbidden`] for a
    /// genuine link that is over.
    pub async fn open_file(&self, id: FileId, name: &str, link: Option<&str>) -> Result<Served, AppError> {
        self.must_be_fresh()?;
        let none = || AppError::NotFound("file");
        let file = self.store.read().await?.find_file(id).await?.ok_or_else(none)?;
        if file.filename != name || !self.is_live_file(&file).await? {
            return Err(none());
        }
        let public = file.visibility == Visibility::Public;
        if !public {
            let opened = self.files.links.open_reading(id, link.ok_or_else(none)?, self.clock.now());
            let reader = opened.map_err(|error| match error {
                InvalidSignature::Mismatch => none(),
                InvalidSignature::Expired => AppError::Forbidden {
                    code: "link_expired",
                    message: "this link is over; ask for the file again".to_owned(),
                },
            })?;
            if !self.reader_may(reader).await? {
                return Err(none());
            }
        }
        let blob = self.store.read().await?.find_file_blob(id, 0).await?.ok_or_else(none)?;
        Ok(Served {
            content_type: blob.content_type,
            size_bytes: blob.size_bytes,
            filename: file.filename,
            public,
            hash: blob.hash,
        })
    }

    /// Opens a picture in a size: [`SQUARES`], or the one that there is.
    ///
    /// # Errors
    /// [`AppError::NotFound`] unless somebody who is there uses it as a picture; [`AppError::Invalid`] for a
    /// size that is none.
    pub async fn open_picture(&self, id: FileId, size: Option<u32>) -> Result<Served, AppError> {
        self.must_be_fresh()?;
        if size.is_some_and(|size| !SQUARES.contains(&size) && size != BANNER) {
            return Err(AppError::invalid("size", "size is 64, 128, 256 or 512, or 1600 of a banner"));
        }
        let none = || AppError::NotFound("picture");
        let mut read = self.store.read().await?;
        let file = read.find_file(id).await?.ok_or_else(none)?;
        if file.status != UploadStatus::Ready || file.released {
            return Err(none());
        }
        let uses = read.list_picture_uses(id).await?;
        let mut blob = read.find_file_blob(id, size.unwrap_or(USUAL_SQUARE)).await?;
        if blob.is_none() && size.is_none() {
            blob = read.find_file_blob(id, BANNER).await?;
        }
        drop(read);
        let blob = blob.ok_or_else(none)?;
        for what in uses {
            if self.is_shown(what).await? {
                return Ok(Served {
                    content_type: blob.content_type,
                    size_bytes: blob.size_bytes,
                    filename: id.to_string(),
                    public: true,
                    hash: blob.hash,
                });
            }
        }
        Err(none())
    }

    /// The bytes of a range of what was opened.
    ///
    /// # Errors
    /// [`AppError::Unavailable`] if the store of files does not answer.
    pub async fn read_served(&self, served: &Served, range: Range<u64>) -> Result<ByteStream, AppError> {
        self.files.blobs.read(served.hash, range).await.map_err(broken)
    }

    fn must_be_fresh(&self) -> Result<(), AppError> {
        if self.authority.is_fresh() {
            return Ok(());
        }
        Err(AppError::Unavailable("this node cannot tell whether rights are current"))
    }

    /// Whether a user is there and active.
    pub(super) async fn is_active(&self, user: UserId) -> Result<bool, AppError> {
        Ok(self.user(user).await?.is_some_and(|user| !user.deactivated))
    }

    /// Ready, in use or never used, of a company that is there and not of a user who was deactivated.
    async fn is_live_file(&self, file: &File) -> Result<bool, AppError> {
        let ready = file.status == UploadStatus::Ready && !file.released;
        if !ready || self.company(file.company).await?.is_none() {
            return Ok(false);
        }
        match file.user {
            Some(user) => self.is_active(user).await,
            None => Ok(true),
        }
    }

    /// Whether the reader that a link was made for may still read in that company.
    async fn reader_may(&self, reader: Reader) -> Result<bool, AppError> {
        match reader {
            Reader::User(company, user) => {
                Ok(self.is_active(user).await? && self.standing(company, user).await?.enrolled())
            }
            Reader::Key(_, key) => {
                Ok(self.api_key(key).await?.is_some_and(|key| is_live(&key, self.clock.now())))
            }
        }
    }

    /// Whether whose picture it is, is there.
    async fn is_shown(&self, what: FileUse) -> Result<bool, AppError> {
        match what {
            FileUse::User(user) => self.is_active(user).await,
            FileUse::Override(company, user) => {
                Ok(self.company(company).await?.is_some() && self.is_active(user).await?)
            }
            FileUse::Logo(company) | FileUse::Banner(company) => Ok(self.company(company).await?.is_some()),
            FileUse::Experience(id) => Ok(self.store.read().await?.find_experience(id).await?.is_some()),
            FileUse::App(id) => Ok(self.store.read().await?.find_app(id).await?.is_some()),
            FileUse::Message(_) => Ok(false),
        }
    }
}
