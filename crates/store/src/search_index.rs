//! The index of what messages say, and how it follows the channels.
//!
//! It is written behind: sending does not wait for it. Each channel has a cursor over its events. A batch of
//! them is read and made into words first; then, in one transaction of few statements, the cursor is moved
//! from where it was and the words are written. So every change is indexed once, whatever stops when, and of
//! two nodes one does it. What changes between the reading and the writing has an event of its own, which
//! comes later.

use std::collections::HashMap;
use std::sync::Arc;

use hallpass_core::channel::ChannelId;
use hallpass_core::entity::PollOption;
use hallpass_core::id::MessageId;
use hallpass_core::search::words;

use crate::Store;
use crate::conn::{Conn, Tx, dialect, on};
use crate::error::StoreError;
use crate::messages::EventKind;
use crate::row::{json, parsed, to_json};
use crate::search::marker;

/// How many messages of a channel that is gone are taken out in one transaction.
const FORGOTTEN: i64 = 200;
/// How many places there are within a millisecond.
const PLACES_BITS: u32 = 20;

const BEHIND: &str = "SELECT h.channel_id, h.seq, COALESCE(c.seq, 0) FROM channel_heads h
     LEFT JOIN search_cursors c ON c.channel_id = h.channel_id
     WHERE h.channel_id > $1 ORDER BY h.channel_id LIMIT $2";
const CURSOR: &str = "SELECT seq FROM search_cursors WHERE channel_id = $1";
const NEXT: &str = "SELECT e.seq, e.kind, e.subject, m.created_at, m.content, m.poll
     FROM events e LEFT JOIN messages m ON m.id = e.subject AND m.deleted_at IS NULL
     WHERE e.channel_id = $1 AND e.seq > $2 ORDER BY e.seq LIMIT $3";
const ADVANCE: &str = "INSERT INTO search_cursors (channel_id, seq) VALUES ($1, $3)
     ON CONFLICT (channel_id) DO UPDATE SET seq = excluded.seq WHERE search_cursors.seq = $2 RETURNING seq";
const DOC: &str = "SELECT n FROM search_docs WHERE message_id = $1";
const INSERT_DOC: &str =
    "INSERT INTO search_docs (n, message_id) VALUES ($1, $2) ON CONFLICT DO NOTHING RETURNING n";
const OF_CHANNEL: &str = "SELECT m.position, d.n
     FROM messages m LEFT JOIN search_docs d ON d.message_id = m.id
     WHERE m.channel_id = $1 AND m.position > $2 ORDER BY m.position LIMIT $3";
const DELETE_DOC: &str = "DELETE FROM search_docs WHERE message_id = $1 RETURNING n";

pub(crate) const ALL: &[&str] = &[BEHIND, CURSOR, NEXT, ADVANCE, DOC, INSERT_DOC, OF_CHANNEL, DELETE_DOC];

/// A channel and how far it is indexed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Behind {
    /// The channel.
    pub channel: ChannelId,
    /// How many of its events are not.
    pub events: i64,
}

#[derive(sqlx::FromRow)]
struct Row {
    seq: i64,
    kind: String,
    subject: String,
    created_at: Option<i64>,
    content: Option<String>,
    poll: Option<String>,
}

/// What becomes of a message in the index.
struct Doc {
    message: String,
    /// Nobody indexed it before.
    new: bool,
    /// Where it goes if nothing is there, by its time, and its words as the engine takes them. None if it is
    /// deleted.
    says: Option<(i64, String)>,
}

/// What a batch of events comes to.
struct Batch {
    channel: String,
    from: i64,
    to: i64,
    docs: Vec<Doc>,
}

impl Store {
    /// Indexes the next events of a channel, at most `limit`; `true` if there may be more.
    pub async fn index_channel(&self, channel: ChannelId, limit: i64) -> Result<bool, StoreError> {
        let id = channel.to_string();
        let (from, rows) = {
            let mut conn = self.read().await?;
            let from = conn.search_cursor(&id).await?;
            let rows: Vec<Row> = on!(conn, c => sqlx::query_as(NEXT)
                .bind(&id).bind(from).bind(limit).fetch_all(c).await)?;
            (from, rows)
        };
        let Some(last) = rows.last() else { return Ok(false) };
        let (to, full) = (last.seq, i64::try_from(rows.len()) == Ok(limit));
        if rows.iter().any(|row| row.kind == EventKind::ChannelDeleted.name()) {
            self.forget_channel(&id).await?;
        }
        let docs = docs(channel, rows, self.is_shared())?;
        let batch = Arc::new(Batch { channel: id, from, to, docs });
        let written = self.write(batch, |batch, tx| Box::pin(tx.index(batch))).await?;
        // Where somebody else was faster, there may be more than they did.
        Ok(!written || full)
    }
}

impl Store {
    /// Takes all that was said in a channel out of the index.
    async fn forget_channel(&self, id: &str) -> Result<(), StoreError> {
        let mut position = i64::MIN;
        loop {
            let rows: Vec<(i64, Option<i64>)> = {
                let mut conn = self.read().await?;
                on!(conn, c => sqlx::query_as(OF_CHANNEL)
                    .bind(id).bind(position).bind(FORGOTTEN).fetch_all(c).await)?
            };
            let Some((last, _)) = rows.last() else { return Ok(()) };
            position = *last;
            let indexed: Vec<i64> = rows.into_iter().filter_map(|(_, n)| n).collect();
            if !indexed.is_empty() {
                self.write(indexed, |indexed, tx| Box::pin(tx.forget(indexed))).await?;
            }
        }
    }
}

/// Each message of a batch once, in the order of its first event.
fn docs(channel: ChannelId, rows: Vec<Row>, shared: bool) -> Result<Vec<Doc>, StoreError> {
    let mut places: HashMap<String, usize> = HashMap::with_capacity(rows.len());
    let mut docs = Vec::with_capacity(rows.len());
    let is = |row: &Row, kind: EventKind| row.kind == kind.name();
    for row in rows {
        let new = is(&row, EventKind::MessageCreated);
        let about_text = new || is(&row, EventKind::MessageEdited) || is(&row, EventKind::MessageDeleted);
        if !about_text || places.contains_key(&row.subject) {
            continue;
        }
        let says = match row.created_at {
            Some(at) => {
                let id: MessageId = parsed("events", "subject", &row.subject, &row.subject)?;
                let words = words(&searched(&row)?);
                let terms = if shared { tsvector(channel, &words) } else { plain(channel, &words) };
                Some((place(id, at), terms))
            }
            None => None,
        };
        places.insert(row.subject.clone(), docs.len());
        docs.push(Doc { message: row.subject, new, says });
    }
    Ok(docs)
}

/// What is searched of a message: its text, and what its poll asks.
fn searched(row: &Row) -> Result<String, StoreError> {
    let mut text = row.content.clone().unwrap_or_default();
    if let Some(poll) = &row.poll {
        let options: Vec<PollOption> = json("messages", "poll", &row.subject, poll)?;
        for option in options {
            text.push('\n');
            text.push_str(&option.text);
        }
    }
    Ok(text)
}

/// Words as FTS5 takes them.
fn plain(channel: ChannelId, words: &[String]) -> String {
    format!("{} {}", marker(channel), words.join(" "))
}

/// A `tsvector`: words with their places, from one.
fn tsvector(channel: ChannelId, words: &[String]) -> String {
    let places = (1..).zip(words).map(|(place, word)| format!("'{word}':{place}"));
    std::iter::once(format!("'{}'", marker(channel))).chain(places).collect::<Vec<_>>().join(" ")
}

/// Where a message goes, by its time.
fn place(id: MessageId, at: i64) -> i64 {
    let within = i64::try_from(id.bits() & ((1 << PLACES_BITS) - 1)).unwrap_or(0);
    (at << PLACES_BITS) | within
}

impl Conn {
    async fn search_cursor(&mut self, channel: &str) -> Result<i64, StoreError> {
        let seq: Option<i64> =
            on!(self, c => sqlx::query_scalar(CURSOR).bind(channel).fetch_optional(c).await)?;
        Ok(seq.unwrap_or(0))
    }

    /// Channels and how far they are behind, in the order of their ids' texts; from behind `after`.
    pub async fn list_behind(&mut self, after: &str, limit: i64) -> Result<Vec<Behind>, StoreError> {
        let rows: Vec<(String, i64, i64)> =
            on!(self, c => sqlx::query_as(BEHIND).bind(after).bind(limit).fetch_all(c).await)?;
        rows.into_iter()
            .map(|(id, head, cursor)| {
                let channel = parsed("channel_heads", "channel_id", &id, &id)?;
                Ok(Behind { channel, events: head - cursor })
            })
            .collect()
    }
}

impl Tx {
    /// Writes a batch; `false` if somebody else has.
    async fn index(&mut self, batch: &Batch) -> Result<bool, StoreError> {
        let moved: Option<i64> = on!(self.0, c => sqlx::query_scalar(ADVANCE)
            .bind(&batch.channel).bind(batch.from).bind(batch.to).fetch_optional(c).await)?;
        if moved.is_none() {
            return Ok(false);
        }
        let mut terms: Vec<(i64, &str)> = Vec::with_capacity(batch.docs.len());
        let all_placed = self.place_new(&batch.docs).await?;
        for doc in &batch.docs {
            let Some((first, words)) = &doc.says else {
                self.unindex(&doc.message).await?;
                continue;
            };
            let n = if doc.new && all_placed { *first } else { self.take_place(*first, doc).await? };
            terms.push((n, words));
        }
        let statement = dialect!(self.0, INDEX);
        on!(self.0, c => sqlx::query(statement).bind(to_json(&terms)).execute(c).await.map(drop))?;
        Ok(true)
    }

    /// Gives the new messages of a batch their places; `false` if they must be looked at one by one, because
    /// of two in the same place.
    async fn place_new(&mut self, docs: &[Doc]) -> Result<bool, StoreError> {
        let new = docs.iter().filter(|doc| doc.new);
        let places: Vec<(i64, &str)> =
            new.filter_map(|doc| doc.says.as_ref().map(|(n, _)| (*n, doc.message.as_str()))).collect();
        let statement = dialect!(self.0, INSERT_DOCS);
        let inserted: u64 = on!(self.0, c => sqlx::query(statement)
            .bind(to_json(&places)).execute(c).await.map(|done| done.rows_affected()))?;
        Ok(usize::try_from(inserted) == Ok(places.len()))
    }

    /// The place that a message has, without the words that are there; or the next one that is free.
    async fn take_place(&mut self, first: i64, doc: &Doc) -> Result<i64, StoreError> {
        let id = &doc.message;
        let there: Option<i64> = on!(self.0, c => sqlx::query_scalar(DOC).bind(id).fetch_optional(c).await)?;
        if let Some(n) = there {
            self.drop_words(n).await?;
            return Ok(n);
        }
        for n in first..first + (1 << PLACES_BITS) {
            let taken: Option<i64> = on!(self.0, c => sqlx::query_scalar(INSERT_DOC)
                .bind(n).bind(id).fetch_optional(c).await)?;
            if let Some(n) = taken {
                return Ok(n);
            }
        }
        Err(StoreError::Conflict)
    }

    async fn unindex(&mut self, message: &str) -> Result<(), StoreError> {
        let n: Option<i64> = on!(self.0, c => sqlx::query_scalar(DELETE_DOC)
            .bind(message).fetch_optional(c).await)?;
        match n {
            Some(n) => self.drop_words(n).await,
            None => Ok(()),
        }
    }

    async fn forget(&mut self, indexed: &[i64]) -> Result<(), StoreError> {
        let (docs, words) = (dialect!(self.0, DELETE_DOCS), dialect!(self.0, UNINDEX));
        let indexed = to_json(indexed);
        for statement in [docs, words] {
            on!(self.0, c => sqlx::query(statement).bind(&indexed).execute(c).await.map(drop))?;
        }
        Ok(())
    }

    async fn drop_words(&mut self, n: i64) -> Result<(), StoreError> {
        let statement = dialect!(self.0, UNINDEX);
        on!(self.0, c => sqlx::query(statement).bind(to_json(&[n])).execute(c).await.map(drop))?;
        Ok(())
    }
}
