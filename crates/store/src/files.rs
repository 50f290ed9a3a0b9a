//! Uploaded files, what they are used for, and the immutable copies of their content.
//!
//! A file lives from its making to its end by its `due_at`: while it is set, somebody will look at the
//! file again and forget it, or take up what another node left. A file in use has none.
//!
//! A copy (`blobs`) is shared by all files of the same content. Whoever begins to use one
//! [touches](Tx::touch_blob) it first, which keeps it for an hour; whoever ends a use makes it suspect. A
//! suspect without users is doomed, its bytes are removed, and only then its row: in between nobody can
//! touch it.

use std::fmt::Display;

use hallpass_core::channel::ChannelId;
use hallpass_core::file::{ContentHash, File, FileBlob, FileUse, UploadStatus, Visibility};
use hallpass_core::id::{ApiKeyId, CompanyId, FileId, MessageId, UserId};
use jiff::Timestamp;

use crate::conn::{Conn, Tx, dialect, on};
use crate::error::StoreError;
use crate::row::{parsed, parsed_opt, time, to_json};

macro_rules! file_columns {
    () => {
        "f.id, f.company_id, f.user_id, f.key_id, f.filename, f.visibility, f.status, f.content_type,
         f.size_bytes, f.created_at, f.released_at"
    };
}
pub(crate) use file_columns;

const FIND: &str = concat!("SELECT ", file_columns!(), " FROM files f WHERE f.id = $1");
const FIND_BLOB: &str =
    "SELECT px, hash, content_type, size_bytes FROM file_blobs WHERE file_id = $1 AND px = $2";
// Of what pictures are for: a file may be attached to any number of messages.
const PICTURE_USES: &str = "SELECT kind, subject FROM file_uses
     WHERE file_id = $1 AND kind IN ('app', 'banner', 'experience', 'logo', 'override', 'user')
     ORDER BY kind, subject LIMIT 100";
const DUE: &str = "SELECT id, status, draft FROM files WHERE due_at <= $1 ORDER BY due_at LIMIT $2";
const UNCHECKED: &str =
    "SELECT file_id, kind, subject FROM file_uses WHERE check_at <= $1 ORDER BY check_at LIMIT $2";
const SUSPECTS: &str = "SELECT hash FROM blobs WHERE suspect_at <= $1 ORDER BY suspect_at LIMIT $2";

const INSERT: &str =
    "INSERT INTO files (id, company_id, user_id, key_id, filename, visibility, status, due_at, created_at)
     VALUES ($1, $2, $3, $4, $5, $6, 'pending', $7, $8)";
const BEGIN: &str = "UPDATE files SET status = 'processing', draft = $2, due_at = $3
     WHERE id = $1 AND status = 'pending' RETURNING id";
const TAKE_UP: &str = "UPDATE files SET due_at = $3
     WHERE id = $1 AND status = 'processing' AND due_at <= $2 RETURNING id";
const RETURN: &str = "UPDATE files SET status = 'pending', draft = NULL, due_at = $3
     WHERE id = $1 AND status = 'processing' AND draft = $2 RETURNING id";
const FINISH: &str =
    "UPDATE files SET status = 'ready', content_type = $3, size_bytes = $4, draft = NULL, due_at = $5
     WHERE id = $1 AND status = 'processing' AND draft = $2 RETURNING id";
const FAIL: &str = "UPDATE files SET status = 'failed', draft = NULL, due_at = $3
     WHERE id = $1 AND status = 'processing' AND draft = $2 RETURNING id";
const INSERT_BLOB: &str = "INSERT INTO file_blobs (file_id, px, hash, content_type, size_bytes)
     VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING";
// The file's row is locked before its uses are looked at, by those who begin one and those who end one.
const KEEP: &str = "UPDATE files SET due_at = NULL
     WHERE id = $1 AND status = 'ready' AND released_at IS NULL RETURNING id";
const LOCK: &str = "UPDATE files SET released_at = released_at WHERE id = $1";
const INSERT_USE: &str = "INSERT INTO file_uses (file_id, kind, subject, check_at, created_at)
     VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING";
const USED_BY: &str = "SELECT file_id FROM file_uses WHERE kind = $1 AND subject = $2 ORDER BY file_id";
// Only messages that have files are looked up.
const USES_OF_CHANNEL: &str = "SELECT u.file_id, u.subject
     FROM messages m JOIN file_uses u ON u.kind = 'message' AND u.subject = m.id
     WHERE m.channel_id = $1 AND m.attachments IS NOT NULL";
const DELETE_USE: &str = "DELETE FROM file_uses WHERE file_id = $1 AND kind = $2 AND subject = $3";
const CHECKED: &str =
    "UPDATE file_uses SET check_at = NULL WHERE file_id = $1 AND kind = $2 AND subject = $3";
const RELEASE: &str = "UPDATE files SET released_at = $2, due_at = $2
     WHERE id = $1 AND released_at IS NULL
       AND NOT EXISTS (SELECT 1 FROM file_uses u WHERE u.file_id = $1)";
// Nothing used it after all: it is as it was before.
const WITHDRAW: &str = "UPDATE files SET due_at = $2
     WHERE id = $1 AND status = 'ready' AND released_at IS NULL
       AND NOT EXISTS (SELECT 1 FROM file_uses u WHERE u.file_id = $1)";
const SUSPECT: &str = "UPDATE blobs SET suspect_at = $2
     WHERE suspect_at IS NULL AND hash IN (SELECT hash FROM file_blobs WHERE file_id = $1)";
// Due still, and not taken up or put to use since.
const LOCK_DUE: &str = "UPDATE files SET due_at = due_at
     WHERE id = $1 AND due_at <= $2 AND status <> 'processing'
       AND NOT EXISTS (SELECT 1 FROM file_uses u WHERE u.file_id = $1) RETURNING id";
const DELETE_BLOBS: &str = "DELETE FROM file_blobs WHERE file_id = $1";
const DELETE: &str = "DELETE FROM files WHERE id = $1";
const TOUCH: &str = "INSERT INTO blobs (hash, suspect_at) VALUES ($1, $2)
     ON CONFLICT (hash) DO UPDATE SET suspect_at = excluded.suspect_at
         WHERE blobs.doomed_at IS NULL RETURNING hash";
const CLEAR: &str = "UPDATE blobs SET suspect_at = NULL
     WHERE hash = $1 AND suspect_at <= $2 AND doomed_at IS NULL
       AND EXISTS (SELECT 1 FROM file_blobs b WHERE b.hash = $1) RETURNING hash";
// Whoever dooms it removes it; another node only after the time for that is long over.
const DOOM: &str = "UPDATE blobs SET doomed_at = $2
     WHERE hash = $1 AND suspect_at <= $2 AND (doomed_at IS NULL OR doomed_at < $3)
       AND NOT EXISTS (SELECT 1 FROM file_blobs b WHERE b.hash = $1) RETURNING hash";
const DELETE_BLOB: &str = "DELETE FROM blobs WHERE hash = $1 AND doomed_at = $2";

pub(crate) const ALL: &[&str] = &[
    FIND,
    FIND_BLOB,
    PICTURE_USES,
    DUE,
    UNCHECKED,
    SUSPECTS,
    INSERT,
    BEGIN,
    TAKE_UP,
    RETURN,
    FINISH,
    FAIL,
    INSERT_BLOB,
    KEEP,
    LOCK,
    INSERT_USE,
    USED_BY,
    USES_OF_CHANNEL,
    DELETE_USE,
    CHECKED,
    RELEASE,
    WITHDRAW,
    SUSPECT,
    LOCK_DUE,
    DELETE_BLOBS,
    DELETE,
    TOUCH,
    CLEAR,
    DOOM,
    DELETE_BLOB,
];

/// A file to be stored, pending.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "the fields are those of File")]
pub struct NewFile {
    pub id: FileId,
    pub company: CompanyId,
    pub user: Option<UserId>,
    pub key: Option<ApiKeyId>,
    pub filename: String,
    pub visibility: Visibility,
    /// When it is given up if nothing arrives.
    pub due_at: Timestamp,
}

/// A file that must be looked at again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DueFile {
    /// Which.
    pub id: FileId,
    /// How far it has come.
    pub status: UploadStatus,
    /// Its draft in some node's quarantine.
    pub draft: Option<String>,
}

#[derive(sqlx::FromRow)]
struct Row {
    id: String,
    company_id: String,
    user_id: Option<String>,
    key_id: Option<String>,
    filename: String,
    visibility: String,
    status: String,
    content_type: Option<String>,
    size_bytes: Option<i64>,
    created_at: i64,
    released_at: Option<i64>,
}

const TABLE: &str = "files";

/// A length column; none is ours to be negative.
fn length(table: &'static str, id: &str, bytes: i64) -> Result<u64, StoreError> {
    bytes.try_into().map_err(|_| StoreError::Corrupt { table, column: "size_bytes", id: id.to_owned() })
}

impl TryFrom<Row> for File {
    type Error = StoreError;
    fn try_from(row: Row) -> Result<Self, StoreError> {
        Ok(Self {
            id: parsed(TABLE, "id", &row.id, &row.id)?,
            company: parsed(TABLE, "company_id", &row.id, &row.company_id)?,
            user: parsed_opt(TABLE, "user_id", &row.id, row.user_id.as_deref())?,
            key: parsed_opt(TABLE, "key_id", &row.id, row.key_id.as_deref())?,
            visibility: parsed(TABLE, "visibility", &row.id, &row.visibility)?,
            status: parsed(TABLE, "status", &row.id, &row.status)?,
            size_bytes: row.size_bytes.map(|bytes| length(TABLE, &row.id, bytes)).transpose()?,
            created_at: time(TABLE, "created_at", &row.id, row.created_at)?,
            released: row.released_at.is_some(),
            filename: row.filename,
            content_type: row.content_type,
        })
    }
}

fn bytes(size: u64) -> i64 {
    i64::try_from(size).unwrap_or(i64::MAX)
}

fn use_of(file: &str, kind: &str, subject: &str) -> Result<FileUse, StoreError> {
    FileUse::parse(kind, subject).ok_or_else(|| StoreError::Corrupt {
        table: "file_uses",
        column: "subject",
        id: file.to_owned(),
    })
}

impl Conn {
    /// A file by id, in whatever state.
    pub async fn find_file(&mut self, id: FileId) -> Result<Option<File>, StoreError> {
        let row: Option<Row> =
            on!(self, c => sqlx::query_as(FIND).bind(id.to_string()).fetch_optional(c).await)?;
        row.map(File::try_from).transpose()
    }

    /// The files of these ids, those that there are.
    pub async fn list_files(&mut self, ids: &[FileId]) -> Result<Vec<File>, StoreError> {
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let statement = dialect!(self, LIST_FILES);
        let rows: Vec<Row> = on!(self, c => sqlx::query_as(statement).bind(to_json(ids)).fetch_all(c).await)?;
        rows.into_iter().map(File::try_from).collect()
    }

    /// The form of a file's content of `px` pixels; 0 for the file itself.
    pub async fn find_file_blob(&mut self, id: FileId, px: u32) -> Result<Option<FileBlob>, StoreError> {
        let found: Option<(i64, String, String, i64)> = on!(self, c => sqlx::query_as(FIND_BLOB)
            .bind(id.to_string()).bind(i64::from(px)).fetch_optional(c).await)?;
        let Some((_, hash, content_type, size)) = found else { return Ok(None) };
        let (table, id) = ("file_blobs", id.to_string());
        Ok(Some(FileBlob {
            px,
            hash: parsed(table, "hash", &id, &hash)?,
            size_bytes: length(table, &id, size)?,
            content_type,
        }))
    }

    /// What a file is shown as the picture of, at most a hundred.
    pub async fn list_picture_uses(&mut self, id: FileId) -> Result<Vec<FileUse>, StoreError> {
        let id = id.to_string();
        let rows: Vec<(String, String)> =
            on!(self, c => sqlx::query_as(PICTURE_USES).bind(&id).fetch_all(c).await)?;
        rows.iter().map(|(kind, subject)| use_of(&id, kind, subject)).collect()
    }

    /// The files that must be looked at again, the longest overdue first.
    pub async fn list_due_files(&mut self, now: Timestamp, limit: i64) -> Result<Vec<DueFile>, StoreError> {
        let rows: Vec<(String, String, Option<String>)> = on!(self, c => sqlx::query_as(DUE)
            .bind(now.as_millisecond()).bind(limit).fetch_all(c).await)?;
        let due = |(id, status, draft): (String, String, Option<String>)| {
            let status = parsed(TABLE, "status", &id, &status)?;
            Ok(DueFile { id: parsed(TABLE, "id", &id, &id)?, status, draft })
        };
        rows.into_iter().map(due).collect()
    }

    /// The uses that were written ahead of what they speak of, and should be confirmed by now.
    pub async fn list_unchecked_uses(
        &mut self,
        now: Timestamp,
        limit: i64,
    ) -> Result<Vec<(FileId, FileUse)>, StoreError> {
        let rows: Vec<(String, String, String)> = on!(self, c => sqlx::query_as(UNCHECKED)
            .bind(now.as_millisecond()).bind(limit).fetch_all(c).await)?;
        rows.iter()
            .map(|(file, kind, subject)| {
                Ok((parsed("file_uses", "file_id", file, file)?, use_of(file, kind, subject)?))
            })
            .collect()
    }

    /// The copies that may have lost their last user.
    pub async fn list_suspect_blobs(
        &mut self,
        now: Timestamp,
        limit: i64,
    ) -> Result<Vec<ContentHash>, StoreError> {
        let rows: Vec<String> = on!(self, c => sqlx::query_scalar(SUSPECTS)
            .bind(now.as_millisecond()).bind(limit).fetch_all(c).await)?;
        rows.iter().map(|hash| parsed("blobs", "hash", hash, hash)).collect()
    }

    /// The files of a channel's messages, and which message has each.
    pub(crate) async fn list_file_uses_of_channel(
        &mut self,
        channel: ChannelId,
    ) -> Result<Vec<(FileId, MessageId)>, StoreError> {
        let rows: Vec<(String, String)> = on!(self, c => sqlx::query_as(USES_OF_CHANNEL)
            .bind(channel.to_string()).fetch_all(c).await)?;
        let (table, id) = ("file_uses", channel.to_string());
        rows.iter()
            .map(|(file, message)| {
                Ok((parsed(table, "file_id", &id, file)?, parsed(table, "subject", &id, message)?))
            })
            .collect()
    }

    /// The files that are used for something.
    pub async fn list_files_of_use(&mut self, what: FileUse) -> Result<Vec<FileId>, StoreError> {
        let rows: Vec<String> = on!(self, c => sqlx::query_scalar(USED_BY)
            .bind(what.kind()).bind(what.subject()).fetch_all(c).await)?;
        rows.iter().map(|id| parsed("file_uses", "file_id", id, id)).collect()
    }
}

impl Tx {
    /// Stores a file of which nothing has arrived.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] if the id is taken.
    pub async fn insert_file(&mut self, new: &NewFile, at: Timestamp) -> Result<(), StoreError> {
        let text = |id: &dyn Display| id.to_string();
        on!(self.0, c => sqlx::query(INSERT)
            .bind(new.id.to_string()).bind(new.company.to_string()).bind(new.user.map(|id| text(&id)))
            .bind(new.key.map(|id| text(&id))).bind(&new.filename).bind(new.visibility.as_str())
            .bind(new.due_at.as_millisecond()).bind(at.as_millisecond()).execute(c).await.map(drop))?;
        Ok(())
    }

    /// From pending to processing, with the draft to work on; `false` if another upload was first. At
    /// `due_at` another node may take it up.
    pub async fn begin_file(
        &mut self,
        id: FileId,
        draft: &str,
        due_at: Timestamp,
    ) -> Result<bool, StoreError> {
        let done: Option<String> = on!(self.0, c => sqlx::query_scalar(BEGIN)
            .bind(id.to_string()).bind(draft).bind(due_at.as_millisecond()).fetch_optional(c).await)?;
        Ok(done.is_some())
    }

    /// Takes up what a node left in the middle; `false` if somebody else has.
    pub async fn take_up_file(
        &mut self,
        id: FileId,
        now: Timestamp,
        due_at: Timestamp,
    ) -> Result<bool, StoreError> {
        let done: Option<String> = on!(self.0, c => sqlx::query_scalar(TAKE_UP)
            .bind(id.to_string()).bind(now.as_millisecond()).bind(due_at.as_millisecond())
            .fetch_optional(c).await)?;
        Ok(done.is_some())
    }

    /// Back to pending: its content may be sent again. `false` if it is not this draft that is worked on.
    pub async fn return_file(
        &mut self,
        id: FileId,
        draft: &str,
        due_at: Timestamp,
    ) -> Result<bool, StoreError> {
        let done: Option<String> = on!(self.0, c => sqlx::query_scalar(RETURN)
            .bind(id.to_string()).bind(draft).bind(due_at.as_millisecond()).fetch_optional(c).await)?;
        Ok(done.is_some())
    }

    /// Ready, with what it was found to be; `false` if it is not this draft that is worked on.
    pub async fn finish_file(
        &mut self,
        id: FileId,
        draft: &str,
        blob: &FileBlob,
        due_at: Timestamp,
    ) -> Result<bool, StoreError> {
        let done: Option<String> = on!(self.0, c => sqlx::query_scalar(FINISH)
            .bind(id.to_string()).bind(draft).bind(&blob.content_type).bind(bytes(blob.size_bytes))
            .bind(due_at.as_millisecond()).fetch_optional(c).await)?;
        if done.is_none() {
            return Ok(false);
        }
        self.insert_file_blob(id, blob).await?;
        Ok(true)
    }

    /// Failed for good; `false` if it is not this draft that is worked on.
    pub async fn fail_file(
        &mut self,
        id: FileId,
        draft: &str,
        due_at: Timestamp,
    ) -> Result<bool, StoreError> {
        let done: Option<String> = on!(self.0, c => sqlx::query_scalar(FAIL)
            .bind(id.to_string()).bind(draft).bind(due_at.as_millisecond()).fetch_optional(c).await)?;
        Ok(done.is_some())
    }

    /// Records a form of a file's content, whose copy was [touched](Self::touch_blob) before.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] if there is no such copy.
    pub async fn insert_file_blob(&mut self, id: FileId, blob: &FileBlob) -> Result<(), StoreError> {
        on!(self.0, c => sqlx::query(INSERT_BLOB)
            .bind(id.to_string()).bind(i64::from(blob.px)).bind(blob.hash.to_string())
            .bind(&blob.content_type).bind(bytes(blob.size_bytes)).execute(c).await.map(drop))?;
        Ok(())
    }

    /// Begins a use of a file; `false` if it is not ready, or gone. With `check_at`, what it speaks of is
    /// only written later, and looked for then.
    pub async fn insert_file_use(
        &mut self,
        id: FileId,
        what: FileUse,
        check_at: Option<Timestamp>,
        at: Timestamp,
    ) -> Result<bool, StoreError> {
        let id = id.to_string();
        let kept: Option<String> =
            on!(self.0, c => sqlx::query_scalar(KEEP).bind(&id).fetch_optional(c).await)?;
        if kept.is_none() {
            return Ok(false);
        }
        on!(self.0, c => sqlx::query(INSERT_USE)
            .bind(&id).bind(what.kind()).bind(what.subject()).bind(check_at.map(Timestamp::as_millisecond))
            .bind(at.as_millisecond()).execute(c).await.map(drop))?;
        Ok(true)
    }

    /// Ends a use of a file, and with the last one the file.
    pub async fn delete_file_use(
        &mut self,
        id: FileId,
        what: FileUse,
        at: Timestamp,
    ) -> Result<(), StoreError> {
        let id = id.to_string();
        on!(self.0, c => sqlx::query(LOCK).bind(&id).execute(c).await.map(drop))?;
        on!(self.0, c => sqlx::query(DELETE_USE)
            .bind(&id).bind(what.kind()).bind(what.subject()).execute(c).await.map(drop))?;
        on!(self.0, c => sqlx::query(RELEASE)
            .bind(&id).bind(at.as_millisecond()).execute(c).await.map(drop))?;
        Ok(())
    }

    /// Takes back a use of what never came; without another, the file is forgotten at `due_at`.
    pub async fn withdraw_file_use(
        &mut self,
        id: FileId,
        what: FileUse,
        due_at: Timestamp,
    ) -> Result<(), StoreError> {
        let id = id.to_string();
        on!(self.0, c => sqlx::query(LOCK).bind(&id).execute(c).await.map(drop))?;
        on!(self.0, c => sqlx::query(DELETE_USE)
            .bind(&id).bind(what.kind()).bind(what.subject()).execute(c).await.map(drop))?;
        on!(self.0, c => sqlx::query(WITHDRAW)
            .bind(&id).bind(due_at.as_millisecond()).execute(c).await.map(drop))?;
        Ok(())
    }

    /// Makes `files` what is used for `what`, and nothing else; `false` if one of them is not ready, or
    /// gone.
    pub async fn replace_file_uses(
        &mut self,
        what: FileUse,
        files: &[FileId],
        at: Timestamp,
    ) -> Result<bool, StoreError> {
        let before = self.list_files_of_use(what).await?;
        for id in files.iter().filter(|id| !before.contains(id)) {
            if !self.insert_file_use(*id, what, None, at).await? {
                return Ok(false);
            }
        }
        for id in before.into_iter().filter(|id| !files.contains(id)) {
            self.delete_file_use(id, what, at).await?;
        }
        Ok(true)
    }

    /// What a use speaks of is there.
    pub async fn confirm_file_use(&mut self, id: FileId, what: FileUse) -> Result<(), StoreError> {
        on!(self.0, c => sqlx::query(CHECKED)
            .bind(id.to_string()).bind(what.kind()).bind(what.subject()).execute(c).await.map(drop))?;
        Ok(())
    }

    /// Forgets a file that is due; `false` if it was put to use, or is not due any more.
    pub async fn delete_due_file(&mut self, id: FileId, now: Timestamp) -> Result<bool, StoreError> {
        let (id, now) = (id.to_string(), now.as_millisecond());
        let due: Option<String> =
            on!(self.0, c => sqlx::query_scalar(LOCK_DUE).bind(&id).bind(now).fetch_optional(c).await)?;
        if due.is_none() {
            return Ok(false);
        }
        on!(self.0, c => sqlx::query(SUSPECT).bind(&id).bind(now).execute(c).await.map(drop))?;
        on!(self.0, c => sqlx::query(DELETE_BLOBS).bind(&id).execute(c).await.map(drop))?;
        on!(self.0, c => sqlx::query(DELETE).bind(&id).execute(c).await.map(drop))?;
        Ok(true)
    }

    /// Keeps a copy until `until` whether anybody uses it or not; `false` if it is being removed.
    pub async fn touch_blob(&mut self, hash: ContentHash, until: Timestamp) -> Result<bool, StoreError> {
        let kept: Option<String> = on!(self.0, c => sqlx::query_scalar(TOUCH)
            .bind(hash.to_string()).bind(until.as_millisecond()).fetch_optional(c).await)?;
        Ok(kept.is_some())
    }

    /// Decides about a suspect: used, it is one no more; unused, it is doomed, and `true` says that the
    /// caller removes it now. Doomed by another node after `stale`: that node is at it.
    pub async fn doom_blob(
        &mut self,
        hash: ContentHash,
        now: Timestamp,
        stale: Timestamp,
    ) -> Result<bool, StoreError> {
        let (hash, now) = (hash.to_string(), now.as_millisecond());
        let used: Option<String> =
            on!(self.0, c => sqlx::query_scalar(CLEAR).bind(&hash).bind(now).fetch_optional(c).await)?;
        if used.is_some() {
            return Ok(false);
        }
        let doomed: Option<String> = on!(self.0, c => sqlx::query_scalar(DOOM)
            .bind(&hash).bind(now).bind(stale.as_millisecond()).fetch_optional(c).await)?;
        Ok(doomed.is_some())
    }

    /// Forgets a copy whose bytes are removed, doomed at `at`.
    pub async fn delete_blob(&mut self, hash: ContentHash, at: Timestamp) -> Result<(), StoreError> {
        on!(self.0, c => sqlx::query(DELETE_BLOB)
            .bind(hash.to_string()).bind(at.as_millisecond()).execute(c).await.map(drop))?;
        Ok(())
    }
}
