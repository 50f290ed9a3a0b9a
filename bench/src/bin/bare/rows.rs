//! The message row and its file. The table is the product's own: `--schema` names a file with the
//! statements that make `messages` there, so a column added there is paid for here too.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result};
use rusqlite::{CachedStatement, Connection, Row};
use serde::Serialize;

pub(crate) const INSERT: &str = "
    INSERT INTO messages (channel_id, position, id, user_id, content, mentions_everyone, created_at, updated_at)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";

/// A page and one row more, which tells whether there is another page.
pub(crate) const SELECT: &str = "
    SELECT channel_id, position, id, user_id, content, mentions_everyone, created_at, updated_at,
           mentions, poll, replying_to, edited_at, pinned_at
    FROM messages WHERE channel_id = ?1 AND deleted_at IS NULL ORDER BY position DESC LIMIT 51";

pub(crate) const CHANNEL: &str = "chat_feed_01JD0000000000000000000000";
const USER: &str = "user_01JD0000000000000000000000";

#[derive(Serialize)]
pub(crate) struct Message {
    channel_id: String,
    position: i64,
    id: String,
    user_id: String,
    content: Option<String>,
    mentions_everyone: bool,
    created_at: i64,
    updated_at: i64,
    mentions: Option<String>,
    poll: Option<String>,
    replying_to: Option<String>,
    edited_at: Option<i64>,
    pinned_at: Option<i64>,
}

impl Message {
    /// A new message; its position makes its id.
    pub(crate) fn new(channel_id: String, content: String, position: i64, at: i64) -> Self {
        Self {
            channel_id,
            position,
            id: format!("post_01JD{position:022}"),
            user_id: USER.to_owned(),
            content: Some(content),
            mentions_everyone: false,
            created_at: at,
            updated_at: at,
            mentions: None,
            poll: None,
            replying_to: None,
            edited_at: None,
            pinned_at: None,
        }
    }

    pub(crate) fn insert(&self, statement: &mut CachedStatement<'_>) -> rusqlite::Result<usize> {
        statement.execute((
            &self.channel_id,
            self.position,
            &self.id,
            &self.user_id,
            &self.content,
            self.mentions_everyone,
            self.created_at,
            self.updated_at,
        ))
    }

    pub(crate) fn from_row(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            channel_id: row.get(0)?,
            position: row.get(1)?,
            id: row.get(2)?,
            user_id: row.get(3)?,
            content: row.get(4)?,
            mentions_everyone: row.get(5)?,
            created_at: row.get(6)?,
            updated_at: row.get(7)?,
            mentions: row.get(8)?,
            poll: row.get(9)?,
            replying_to: row.get(10)?,
            edited_at: row.get(11)?,
            pinned_at: row.get(12)?,
        })
    }
}

/// Opens the file with the product's settings: WAL, synchronous=FULL, a checkpoint every 32 MiB of log.
pub(crate) fn open(path: &Path, schema: &Path) -> Result<Connection> {
    let db = Connection::open(path).with_context(|| format!("cannot open {}", path.display()))?;
    db.pragma_update(None, "journal_mode", "WAL")?;
    db.pragma_update(None, "synchronous", "FULL")?;
    db.pragma_update(None, "wal_autocheckpoint", 8000)?;
    db.pragma_update(None, "temp_store", "MEMORY")?;
    if !db.table_exists(None, "messages")? {
        let schema =
            fs::read_to_string(schema).with_context(|| format!("cannot read {}", schema.display()))?;
        db.execute_batch(&schema)?;
    }
    Ok(db)
}

pub(crate) fn last_position(db: &Connection) -> Result<i64> {
    Ok(db.query_row("SELECT COALESCE(MAX(position), 0) FROM messages", (), |row| row.get(0))?)
}
