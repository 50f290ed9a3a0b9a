//! Files: made here, sent to a link, looked at, and then used as pictures and attachments.
//!
//! 1. [`App::create_file`]: a row, and a link that allows to send one file of some length for an hour.
//! 2. [`App::begin_upload`]: what arrives lies in this node's quarantine ([`intake`]).
//! 3. A worker looks at it, encodes pictures anew, copies the result to its immutable place, and the file
//!    is ready ([`work`]).
//! 4. Whoever made it uses it: [`App::adopt_image`] and [`attachments`]. A file that nothing uses any
//!    more is gone ([`sweep`]).
//! 5. [`App::open_file`] and [`App::open_picture`] serve it ([`serve`]).

mod attachments;
mod intake;
mod pictures;
mod serve;
mod sweep;
mod work;

use ahash::AHashSet;
use hallpass_blobs::{OCTETS, PictureLimits};
use hallpass_core::decision::Action;
use hallpass_core::file::{File, UploadStatus, Visibility, safe_filename, url_segment};
use hallpass_core::id::{CompanyId, FileId};
use hallpass_store::NewFile;
use hallpass_token::{FileLinks, MasterKey, Reader, UploadLink};
use jiff::SignedDuration;
use parking_lot::Mutex;
use tokio::sync::Semaphore;

use crate::caller::Caller;
use crate::error::AppError;
use crate::{App, Ticket};

pub use attachments::Attachment;
pub use hallpass_blobs::{Blobs, Bucket, ByteStream, Quarantine, Shape, TYPES};
pub use intake::Intake;
pub(crate) use pictures::forget_picture;
pub use pictures::use_picture;
pub use serve::Served;

/// How long an upload link is good for.
const UPLOAD_LINK: SignedDuration = SignedDuration::from_hours(1);
/// How long a link to a private file is good for.
const READING_LINK: SignedDuration = SignedDuration::from_mins(5);
/// When a file that never arrived, or failed, is forgotten.
const FORGET_AFTER: SignedDuration = SignedDuration::from_hours(24);
/// How many uploads a node takes at once, and of one company.
const MAX_UPLOADS: usize = 64;
const MAX_UPLOADS_OF_COMPANY: usize = 16;
/// How many workers look at files; a picture takes two of them, for its memory.
const WORKERS: usize = 4;

/// How files are treated.
#[derive(Clone, Debug)]
pub struct FilesPolicy {
    /// The longest upload.
    pub max_bytes: u64,
    /// The largest picture, once unpacked.
    pub max_pixels: u64,
    /// The types that are served as themselves; all else is octets.
    pub types: Vec<String>,
    /// Where files are served from, without a slash at the end; none for the public URL.
    pub public_url: Option<String>,
    /// How long a file is kept that nothing uses.
    pub keep_unused: SignedDuration,
}

impl Default for FilesPolicy {
    fn default() -> Self {
        Self {
            max_bytes: 100 << 20,
            max_pixels: 40_000_000,
            types: TYPES.iter().map(|kind| (*kind).to_owned()).collect(),
            public_url: None,
            keep_unused: SignedDuration::from_hours(30 * 24),
        }
    }
}

/// Where files go, and how they are treated.
#[derive(Clone, Debug)]
pub struct FileStorage {
    /// The immutable copies.
    pub blobs: Blobs,
    /// What is arriving at this node.
    pub quarantine: Quarantine,
    /// How they are treated.
    pub policy: FilesPolicy,
}

impl FileStorage {
    /// For commands that touch no files.
    pub fn nowhere() -> Self {
        Self { blobs: Blobs::in_memory(), quarantine: Quarantine::nowhere(), policy: FilesPolicy::default() }
    }
}

/// What the use cases of files share.
pub(crate) struct Files {
    blobs: Blobs,
    quarantine: Quarantine,
    policy: FilesPolicy,
    links: FileLinks,
    base: String,
    room: intake::Room,
    workers: Semaphore,
    /// The drafts that this node works on: two workers on one would spoil it.
    at_work: Mutex<AHashSet<String>>,
}

impl Files {
    pub(crate) fn new(storage: FileStorage, master: &MasterKey, issuer: &str) -> Self {
        // At zero from the start, so that what did not happen yet can be told from what is not counted.
        for outcome in ["ready", "rejected", "broken"] {
            metrics::counter!("hallpass_file_uploads_total", "outcome" => outcome).increment(0);
        }
        metrics::counter!("hallpass_files_forgotten_total").increment(0);
        metrics::counter!("hallpass_file_copies_removed_total").increment(0);
        Self {
            links: FileLinks::derive(master),
            base: storage.policy.public_url.clone().unwrap_or_else(|| issuer.to_owned()),
            room: intake::Room::default(),
            workers: Semaphore::new(WORKERS),
            at_work: Mutex::default(),
            blobs: storage.blobs,
            quarantine: storage.quarantine,
            policy: storage.policy,
        }
    }

    fn limits(&self) -> PictureLimits {
        PictureLimits { max_pixels: self.policy.max_pixels }
    }
}

/// What file is to be made.
#[derive(Clone, Debug)]
pub struct CreateFile {
    /// As sent.
    pub filename: String,
    /// Public if not said.
    pub visibility: Option<Visibility>,
}

/// A file with the addresses that its reader may have.
#[derive(Clone, Debug, PartialEq)]
pub struct FileDetails {
    /// The file.
    pub file: File,
    /// Where it is read: for good, or for five minutes. None until it is ready.
    pub url: Option<String>,
    /// Where it is sent to; none once it was.
    pub upload_url: Option<String>,
}

impl App {
    /// Makes a file, and a link to send it to.
    ///
    /// # Errors
    /// [`AppError::NotFound`] if the caller's company is out of reach.
    pub async fn create_file(
        &self,
        caller: &Caller,
        ask: CreateFile,
        ticket: Option<Ticket>,
    ) -> Result<FileDetails, AppError> {
        self.may_create_file(caller).await?;
        let at = self.clock.now();
        let new = NewFile {
            id: FileId::from_bits(self.bits(ticket)),
            company: caller.home(),
            user: caller.user(),
            // For a user, the key that minted the token: the upload's link dies with it, too.
            key: Self::key_id_of(caller),
            filename: safe_filename(&ask.filename),
            visibility: ask.visibility.unwrap_or(Visibility::Public),
            due_at: at + FORGET_AFTER,
        };
        let id = new.id;
        let again = ticket.is_some_and(|ticket| ticket.is_again());
        self.store
            .write((new, at, again), |(new, at, again), tx| {
                Box::pin(async move {
                    if *again && tx.find_file(new.id).await?.is_some() {
                        return Ok::<_, AppError>(());
                    }
                    Ok(tx.insert_file(new, *at).await?)
                })
            })
            .await?;
        self.retrieve_file(caller, id).await
    }

    /// Whether the caller may make files: any live credential of a company.
    ///
    /// # Errors
    /// As for [`create_file`](Self::create_file).
    pub async fn may_create_file(&self, caller: &Caller) -> Result<(), AppError> {
        self.permit(caller, Action::CreateFile, caller.home(), None, "company").await.map(drop)
    }

    /// A file, to whoever made it: the same key, or the same user in the same company.
    ///
    /// # Errors
    /// [`AppError::NotFound`] for everybody else.
    pub async fn retrieve_file(&self, caller: &Caller, id: FileId) -> Result<FileDetails, AppError> {
        self.permit(caller, Action::ReadFile, caller.home(), None, "file").await?;
        let file = self.own_file(caller, id).await?;
        match caller {
            Caller::Key(live) if file.key != Some(live.key.id) => Err(AppError::NotFound("file")),
            _ => Ok(self.details(file, caller)),
        }
    }

    /// A file that the caller's side made: the company by some key of its own, or this very user.
    pub(crate) async fn own_file(&self, caller: &Caller, id: FileId) -> Result<File, AppError> {
        let found = self.store.read().await?.find_file(id).await?;
        found.filter(|file| !file.released && is_own(caller, file)).ok_or(AppError::NotFound("file"))
    }

    fn details(&self, file: File, caller: &Caller) -> FileDetails {
        let url = self.file_url(&file, Some(reader(caller)));
        let upload_url = (file.status == UploadStatus::Pending).then(|| {
            let link = UploadLink { file: file.id, max_bytes: self.files.policy.max_bytes };
            let link = self.files.links.upload(link, self.clock.now() + UPLOAD_LINK);
            format!("{}/uploads/{link}", self.issuer)
        });
        FileDetails { file, url, upload_url }
    }

    /// Where a file is read; none unless it is ready. A private one by a link for this reader alone.
    pub(crate) fn file_url(&self, file: &File, reader: Option<Reader>) -> Option<String> {
        if file.status != UploadStatus::Ready || file.released {
            return None;
        }
        let plain = format!("{}/files/{}/{}", self.files.base, file.id, url_segment(&file.filename));
        Some(match file.visibility {
            Visibility::Public => plain,
            Visibility::Private => {
                let link = self.files.links.reading(file.id, reader?, self.clock.now() + READING_LINK);
                format!("{plain}?link={link}")
            }
        })
    }

    /// Where files are served from, without a slash at the end.
    pub fn files_url(&self) -> &str {
        &self.files.base
    }

    /// The longest upload.
    pub fn max_file_bytes(&self) -> u64 {
        self.files.policy.max_bytes
    }
}

/// For whom links are made.
pub(crate) fn reader(caller: &Caller) -> Reader {
    match caller {
        Caller::Key(live) => Reader::Key(live.key.company, live.key.id),
        Caller::User(user) => Reader::User(user.company(), user.user()),
    }
}

fn is_own(caller: &Caller, file: &File) -> bool {
    let company: CompanyId = caller.home();
    file.company == company && file.user == caller.user()
}

pub(crate) fn must_be_ready(param: &'static str, file: &File) -> Result<(), AppError> {
    if file.status == UploadStatus::Ready {
        return Ok(());
    }
    Err(AppError::unprocessable(
        "file_not_ready",
        param,
        format!("{} is {}, not ready", file.id, file.status.as_str()),
    ))
}

/// What a file is served as.
fn served_type(content_type: Option<&str>) -> &str {
    content_type.unwrap_or(OCTETS)
}
