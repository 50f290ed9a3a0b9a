//! Messages, and the event rows that go with every durable change of a channel.
//!
//! Sending is set-based: the counters of all channels of a batch move in one statement, and on PostgreSQL
//! all its rows go in by another. Order is by `position`, never by id or time.

use std::collections::BTreeMap;

use hallpass_core::channel::ChannelId;
use hallpass_core::entity::{Message, MessageEdit};
use hallpass_core::file::FileUse;
use hallpass_core::id::{ApiKeyId, FileId, MessageId, UserId};
use jiff::Timestamp;
use sqlx::Row as _;

use crate::conn::{Conn, Inner, Tx, dialect, on};
use crate::dialect::{postgres, sqlite};
use crate::error::StoreError;
use crate::row::{json, parsed, parsed_opt, time, to_json};
use crate::{Pools, Store};

macro_rules! message_columns {
    () => {
        "position, id, user_id, content, mentions, mentions_everyone, poll, replying_to,
         created_at, updated_at, edited_at, pinned_at, attachments, reacted"
    };
}
pub(crate) use message_columns;

const FIND: &str =
    concat!("SELECT ", message_columns!(), ", channel_id FROM messages WHERE id = $1 AND deleted_at IS NULL");
const LIST_DOWN: &str = concat!(
    "SELECT ",
    message_columns!(),
    " FROM messages WHERE channel_id = $1 AND position < $2 AND deleted_at IS NULL
      ORDER BY position DESC LIMIT $3"
);
const LIST_UP: &str = concat!(
    "SELECT ",
    message_columns!(),
    " FROM messages WHERE channel_id = $1 AND position > $2 AND deleted_at IS NULL
      ORDER BY position ASC LIMIT $3"
);
const POSITION: &str = "SELECT channel_id, position FROM messages WHERE id = $1";
const POSTED_BY_KEY: &str = "SELECT posted_by_key FROM messages WHERE id = $1";
const UPDATE: &str = "UPDATE messages SET content = COALESCE($2, content),
         mentions = CASE WHEN $2 IS NULL THEN mentions ELSE $3 END,
         mentions_everyone = CASE WHEN $2 IS NULL THEN mentions_everyone ELSE $4 END,
         edited_at = CASE WHEN $5 THEN $6 ELSE edited_at END,
         pinned_at = CASE WHEN CAST($7 AS BOOLEAN) IS NULL THEN pinned_at WHEN $7 THEN COALESCE(pinned_at, $6)
             ELSE NULL END,
         updated_at = $6
     WHERE id = $1 AND deleted_at IS NULL RETURNING id";
const DELETE: &str = "UPDATE messages SET deleted_at = $2, content = NULL, mentions = NULL, poll = NULL,
         pinned_at = NULL, attachments = NULL
     WHERE id = $1 AND deleted_at IS NULL RETURNING id";
const DELETE_EDITS: &str = "DELETE FROM message_edits WHERE message_id = $1";
const DELETE_OF_CHANNEL: &str =
    "UPDATE messages SET deleted_at = $2, content = NULL, mentions = NULL, poll = NULL,
         pinned_at = NULL, attachments = NULL
     WHERE channel_id = $1 AND deleted_at IS NULL";
const DELETE_EDITS_OF_CHANNEL: &str =
    "DELETE FROM message_edits WHERE message_id IN (SELECT id FROM messages WHERE channel_id = $1)";
// Their reactions go as those of one message with too many do: by and by.
const DELETE_COUNTS_OF_CHANNEL: &str = "DELETE FROM reaction_counts
     WHERE message_id IN (SELECT id FROM messages WHERE channel_id = $1 AND reacted)";
const LEAVE_DEBRIS_OF_CHANNEL: &str = "INSERT INTO reaction_debris (message_id)
     SELECT id FROM messages WHERE channel_id = $1 AND reacted ON CONFLICT (message_id) DO NOTHING";
const KEEP_EDIT: &str = "INSERT INTO message_edits (message_id, n, content, replaced_at)
     SELECT m.id, (SELECT COALESCE(MAX(e.n), 0) + 1 FROM message_edits e WHERE e.message_id = m.id), m.content, $2
     FROM messages m WHERE m.id = $1 AND m.deleted_at IS NULL AND m.content IS NOT NULL";
const EDITS_DOWN: &str = "SELECT n, content, replaced_at FROM message_edits
     WHERE message_id = $1 AND n < $2 ORDER BY n DESC LIMIT $3";
const EDITS_UP: &str = "SELECT n, content, replaced_at FROM message_edits
     WHERE message_id = $1 AND n > $2 ORDER BY n ASC LIMIT $3";
const UPDATE_ATTACHMENTS: &str = "UPDATE messages SET attachments = $2 WHERE id = $1 AND deleted_at IS NULL";
const BUMP_SEQ: &str = "UPDATE channel_heads SET seq = seq + 1 WHERE channel_id = $1 RETURNING seq";
const INSERT_HEAD: &str = "INSERT INTO channel_heads (channel_id, position, seq) VALUES ($1, 0, 0)";
const HEAD: &str = "SELECT position, seq FROM channel_heads WHERE channel_id = $1";
const EVENTS: &str =
    "SELECT seq, kind, subject FROM events WHERE channel_id = $1 AND seq > $2 ORDER BY seq LIMIT $3";
const TAKE_COOLDOWN: &str = "INSERT INTO cooldowns (channel_id, user_id, posted_at) VALUES ($1, $2, $3)
     ON CONFLICT (channel_id, user_id) DO UPDATE SET posted_at = excluded.posted_at
         WHERE cooldowns.posted_at <= excluded.posted_at - $4
     RETURNING posted_at";
// A post from a clock that was ahead counts from now: nobody waits longer than the pause.
const COOLDOWN: &str = "UPDATE cooldowns SET posted_at = CASE WHEN posted_at > $1 THEN $1 ELSE posted_at END
     WHERE channel_id = $2 AND user_id = $3 RETURNING posted_at";

const INSERT_MESSAGE: &str = "INSERT INTO messages (channel_id, position, id, user_id, content, mentions,
     mentions_everyone, poll, replying_to, created_at, updated_at, posted_by_key, attachments)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)";
const INSERT_EVENT: &str =
    "INSERT INTO events (channel_id, seq, kind, subject, at) VALUES ($1, $2, $3, $4, $5)";

pub(crate) const ALL: &[&str] = &[
    FIND,
    LIST_DOWN,
    LIST_UP,
    POSITION,
    POSTED_BY_KEY,
    UPDATE,
    UPDATE_ATTACHMENTS,
    DELETE,
    DELETE_EDITS,
    DELETE_OF_CHANNEL,
    DELETE_EDITS_OF_CHANNEL,
    DELETE_COUNTS_OF_CHANNEL,
    LEAVE_DEBRIS_OF_CHANNEL,
    KEEP_EDIT,
    EDITS_DOWN,
    EDITS_UP,
    BUMP_SEQ,
    INSERT_HEAD,
    HEAD,
    EVENTS,
    TAKE_COOLDOWN,
    COOLDOWN,
    INSERT_MESSAGE,
    INSERT_EVENT,
];

/// What happened, in an event row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "named by what happened")]
pub enum EventKind {
    MessageCreated,
    MessageEdited,
    MessageDeleted,
    MessagePinned,
    ChannelUpdated,
    ChannelDeleted,
    ExperienceDeleted,
    ReactionCreated,
    ReactionDeleted,
    VoteCast,
    VoteWithdrawn,
    MemberAdded,
    MemberUpdated,
    MemberRemoved,
}

impl EventKind {
    const ALL: [Self; 14] = [
        Self::MessageCreated,
        Self::MessageEdited,
        Self::MessageDeleted,
        Self::MessagePinned,
        Self::ChannelUpdated,
        Self::ChannelDeleted,
        Self::ExperienceDeleted,
        Self::ReactionCreated,
        Self::ReactionDeleted,
        Self::VoteCast,
        Self::VoteWithdrawn,
        Self::MemberAdded,
        Self::MemberUpdated,
        Self::MemberRemoved,
    ];

    /// Its name as stored.
    pub const fn name(self) -> &'static str {
        match self {
            Self::MessageCreated => "message.created",
            Self::MessageEdited => "message.edited",
            Self::MessageDeleted => "message.deleted",
            Self::MessagePinned => "message.pinned",
            Self::ChannelUpdated => "channel.updated",
            Self::ChannelDeleted => "channel.deleted",
            Self::ExperienceDeleted => "experience.deleted",
            Self::ReactionCreated => "reaction.created",
            Self::ReactionDeleted => "reaction.deleted",
            Self::VoteCast => "vote.cast",
            Self::VoteWithdrawn => "vote.withdrawn",
            Self::MemberAdded => "member.added",
            Self::MemberUpdated => "member.updated",
            Self::MemberRemoved => "member.removed",
        }
    }
}

/// A message to be stored at a place that is already reserved.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "the fields are those of Message")]
pub struct NewMessage {
    pub id: MessageId,
    pub channel: ChannelId,
    pub position: i64,
    pub seq: i64,
    pub author: UserId,
    /// The API key that posted it in the author's name.
    pub posted_by_key: Option<ApiKeyId>,
    pub content: String,
    pub mentions: Vec<UserId>,
    pub mentions_everyone: bool,
    /// The options, as JSON.
    pub poll: Option<String>,
    pub replying_to: Option<MessageId>,
    pub attachments: Vec<FileId>,
    pub at: Timestamp,
}

/// How far a channel's counters are to move.
#[derive(Clone, Copy, Debug)]
pub struct HeadBump {
    /// The channel.
    pub channel: ChannelId,
    /// By how many messages.
    pub messages: i64,
}

/// Where a message lies: what a reply points at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Replied {
    /// Its channel.
    pub channel: ChannelId,
    /// Its place there.
    pub position: i64,
}

#[derive(sqlx::FromRow)]
pub(crate) struct Row<'r> {
    position: i64,
    id: &'r str,
    user_id: &'r str,
    content: Option<&'r str>,
    mentions: Option<&'r str>,
    mentions_everyone: bool,
    poll: Option<&'r str>,
    replying_to: Option<&'r str>,
    created_at: i64,
    updated_at: i64,
    edited_at: Option<i64>,
    pinned_at: Option<i64>,
    attachments: Option<&'r str>,
    reacted: bool,
}

const TABLE: &str = "messages";

impl<'r> Row<'r> {
    /// Reads a row that sqlx fetched.
    fn fetched<R: sqlx::Row>(row: &'r R) -> Result<Self, StoreError>
    where
        Self: sqlx::FromRow<'r, R>,
    {
        Ok(sqlx::FromRow::from_row(row)?)
    }

    fn direct(row: &'r rusqlite::Row<'_>) -> Result<Self, StoreError> {
        let text = |column| Ok::<_, StoreError>(row.get_ref(column)?.as_str()?);
        let text_opt = |column| Ok::<_, StoreError>(row.get_ref(column)?.as_str_or_null()?);
        Ok(Self {
            position: row.get(0)?,
            id: text(1)?,
            user_id: text(2)?,
            content: text_opt(3)?,
            mentions: text_opt(4)?,
            mentions_everyone: row.get(5)?,
            poll: text_opt(6)?,
            replying_to: text_opt(7)?,
            created_at: row.get(8)?,
            updated_at: row.get(9)?,
            edited_at: row.get(10)?,
            pinned_at: row.get(11)?,
            attachments: text_opt(12)?,
            reacted: row.get(13)?,
        })
    }

    fn message(self, channel: ChannelId) -> Result<Message, StoreError> {
        let id = self.id;
        Ok(Message {
            id: parsed(TABLE, "id", id, id)?,
            channel,
            author: parsed(TABLE, "user_id", id, self.user_id)?,
            replying_to: parsed_opt(TABLE, "replying_to", id, self.replying_to)?,
            mentions: match self.mentions {
                None => Vec::new(),
                Some(ids) => json(TABLE, "mentions", id, ids)?,
            },
            poll: self.poll.map(|poll| json(TABLE, "poll", id, poll)).transpose()?,
            created_at: time(TABLE, "created_at", id, self.created_at)?,
            updated_at: time(TABLE, "updated_at", id, self.updated_at)?,
            position: self.position,
            mentions_everyone: self.mentions_everyone,
            edited: self.edited_at.is_some(),
            pinned: self.pinned_at.is_some(),
            attachments: match self.attachments {
                None => Vec::new(),
                Some(ids) => json(TABLE, "attachments", id, ids)?,
            },
            reacted: self.reacted,
            content: self.content.map(str::to_owned),
        })
    }

    /// With the channel's id, which [`FIND`] reads too.
    fn message_in(self, channel: &str) -> Result<Message, StoreError> {
        let channel = parsed(TABLE, "channel_id", self.id, channel)?;
        self.message(channel)
    }
}

/// One column of many rows.
fn column<'m, T>(messages: &'m [NewMessage], value: impl Fn(&'m NewMessage) -> T) -> Vec<T> {
    messages.iter().map(value).collect()
}

fn ids_json<T: serde::Serialize>(ids: &[T]) -> Option<String> {
    (!ids.is_empty()).then(|| to_json(ids))
}

fn place(id: MessageId, channel: &str, position: i64) -> Result<Replied, StoreError> {
    Ok(Replied { channel: parsed(TABLE, "channel_id", &id.to_string(), channel)?, position })
}

/// `(channel, position, seq)` of a row.
fn head((id, position, seq): (&str, i64, i64)) -> Result<(ChannelId, i64, i64), StoreError> {
    Ok((parsed("channel_heads", "channel_id", id, id)?, position, seq))
}

/// What [`Tx::bump_heads`] asks, as one parameter.
fn moves(bumps: &[HeadBump]) -> String {
    // An UPDATE takes each row once, however often it is joined.
    let mut moves = BTreeMap::<ChannelId, i64>::new();
    for bump in bumps {
        *moves.entry(bump.channel).or_default() += bump.messages;
    }
    to_json(&moves.into_iter().collect::<Vec<_>>())
}

/// A row of `MESSAGES_OF_EVENTS`: the event's channel and number, and the message.
pub(crate) fn of_event<'r, R: sqlx::Row>(row: &'r R) -> Result<((ChannelId, i64), Message), StoreError>
where
    Row<'r>: sqlx::FromRow<'r, R>,
    &'r str: sqlx::Decode<'r, R::Database> + sqlx::Type<R::Database>,
    i64: sqlx::Decode<'r, R::Database> + sqlx::Type<R::Database>,
    &'static str: sqlx::ColumnIndex<R>,
{
    let channel: &str = row.try_get("channel_id")?;
    let seq: i64 = row.try_get("seq")?;
    let channel = parsed("events", "channel_id", channel, channel)?;
    Ok(((channel, seq), Row::fetched(row)?.message(channel)?))
}

impl Store {
    /// Messages of a channel, from the exclusive position `from` downwards or upwards.
    pub async fn list_messages(
        &self,
        channel: ChannelId,
        descending: bool,
        from: Option<i64>,
        limit: i64,
    ) -> Result<Vec<Message>, StoreError> {
        let (statement, open_end) = if descending { (LIST_DOWN, i64::MAX) } else { (LIST_UP, i64::MIN) };
        let from = from.unwrap_or(open_end);
        match &self.pools {
            Pools::Sqlite { file, readers, .. } => {
                file.check_database()?;
                readers.with(|conn| {
                    let mut statement = conn.prepare_cached(statement)?;
                    let mut rows = statement.query((channel.to_string(), from, limit))?;
                    let mut found = Vec::with_capacity(usize::try_from(limit).unwrap_or(0).min(128));
                    while let Some(row) = rows.next()? {
                        found.push(Row::direct(row)?.message(channel)?);
                    }
                    Ok(found)
                })
            }
            Pools::Postgres(pool) => {
                let query = sqlx::query(statement).bind(channel.to_string()).bind(from).bind(limit);
                let rows = Box::pin(query.fetch_all(pool)).await?;
                rows.iter().map(|row| Row::fetched(row)?.message(channel)).collect()
            }
        }
    }
}

impl Conn {
    /// A message that is not deleted.
    pub async fn find_message(&mut self, id: MessageId) -> Result<Option<Message>, StoreError> {
        on!(self, c => match sqlx::query(FIND).bind(id.to_string()).fetch_optional(c).await {
            Ok(Some(row)) => Row::fetched(&row)?.message_in(row.try_get("channel_id")?).map(Some),
            Ok(None) => Ok(None),
            Err(error) => Err(error.into()),
        })
    }

    /// Where a message lies, deleted or not.
    pub async fn find_message_place(&mut self, id: MessageId) -> Result<Option<Replied>, StoreError> {
        let row: Option<(String, i64)> =
            on!(self, c => sqlx::query_as(POSITION).bind(id.to_string()).fetch_optional(c).await)?;
        row.map(|(channel, position)| place(id, &channel, position)).transpose()
    }

    /// The API key that posted a message, if one did.
    pub async fn find_posting_key(&mut self, id: MessageId) -> Result<Option<ApiKeyId>, StoreError> {
        let key: Option<Option<String>> =
            on!(self, c => sqlx::query_scalar(POSTED_BY_KEY).bind(id.to_string()).fetch_optional(c).await)?;
        parsed_opt(TABLE, "posted_by_key", &id.to_string(), key.flatten().as_deref())
    }

    /// What a message said before its edits, by their number from the exclusive `from` on.
    pub async fn list_message_edits(
        &mut self,
        id: MessageId,
        descending: bool,
        from: Option<i64>,
        limit: i64,
    ) -> Result<Vec<MessageEdit>, StoreError> {
        let (statement, open_end) = if descending { (EDITS_DOWN, i64::MAX) } else { (EDITS_UP, i64::MIN) };
        let rows: Vec<(i64, String, i64)> = on!(self, c => sqlx::query_as(statement)
            .bind(id.to_string()).bind(from.unwrap_or(open_end)).bind(limit).fetch_all(c).await)?;
        rows.into_iter()
            .map(|(n, content, at)| {
                let replaced_at = time("message_edits", "replaced_at", &id.to_string(), at)?;
                Ok(MessageEdit { n, content, replaced_at })
            })
            .collect()
    }

    /// A channel's counters: `(position, seq)`.
    pub async fn find_head(&mut self, channel: ChannelId) -> Result<Option<(i64, i64)>, StoreError> {
        Ok(on!(self, c => sqlx::query_as(HEAD).bind(channel.to_string()).fetch_optional(c).await)?)
    }

    /// The events of a channel after `seq`: `(seq, kind, subject)`, contiguous.
    pub async fn list_events(
        &mut self,
        channel: ChannelId,
        seq: i64,
        limit: i64,
    ) -> Result<Vec<(i64, EventKind, String)>, StoreError> {
        let rows: Vec<(i64, String, String)> = on!(self, c => sqlx::query_as(EVENTS)
            .bind(channel.to_string()).bind(seq).bind(limit).fetch_all(c).await)?;
        rows.into_iter()
            .map(|(seq, kind, subject)| {
                let kind =
                    EventKind::ALL.into_iter().find(|known| known.name() == kind).ok_or_else(|| {
                        StoreError::Corrupt {
                            table: "events",
                            column: "kind",
                            id: format!("{channel} {seq}"),
                        }
                    })?;
                Ok((seq, kind, subject))
            })
            .collect()
    }
}

impl Tx {
    /// Begins a channel's counters at zero.
    pub(crate) async fn insert_head(&mut self, channel: ChannelId) -> Result<(), StoreError> {
        on!(self.0, c => sqlx::query(INSERT_HEAD).bind(channel.to_string()).execute(c).await.map(drop))?;
        Ok(())
    }

    /// Moves the counters of several channels and returns where they now are, `(channel, position,
    /// seq)`. Rows are locked in the order of their ids, so crossing batches cannot deadlock.
    pub async fn bump_heads(&mut self, bumps: &[HeadBump]) -> Result<Vec<(ChannelId, i64, i64)>, StoreError> {
        let statement = dialect!(self.0, BUMP_HEADS);
        let rows: Vec<(String, i64, i64)> =
            on!(self.0, c => sqlx::query_as(statement).bind(moves(bumps)).fetch_all(c).await)?;
        rows.iter().map(|(id, position, seq)| head((id, *position, *seq))).collect()
    }

    /// Stores messages at their places, each with its event.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] if an id or a place is taken.
    pub async fn insert_messages(&mut self, messages: &[NewMessage]) -> Result<(), StoreError> {
        if let Inner::Postgres(conn) = &mut self.0.0 {
            let all = sqlx::query(postgres::INSERT_MESSAGES)
                .bind(column(messages, |m| m.channel.to_string()))
                .bind(column(messages, |m| m.position))
                .bind(column(messages, |m| m.seq))
                .bind(column(messages, |m| m.id.to_string()))
                .bind(column(messages, |m| m.author.to_string()))
                .bind(column(messages, |m| m.content.as_str()))
                .bind(column(messages, |m| ids_json(&m.mentions)))
                .bind(column(messages, |m| m.mentions_everyone))
                .bind(column(messages, |m| m.poll.as_deref()))
                .bind(column(messages, |m| m.replying_to.map(|id| id.to_string())))
                .bind(column(messages, |m| m.at.as_millisecond()))
                .bind(column(messages, |m| m.posted_by_key.map(|id| id.to_string())))
                .bind(column(messages, |m| ids_json(&m.attachments)))
                .bind(EventKind::MessageCreated.name());
            Box::pin(all.execute(&mut **conn)).await?;
            return Ok(());
        }
        for m in messages {
            let (channel, id, at) = (m.channel.to_string(), m.id.to_string(), m.at.as_millisecond());
            on!(self.0, c => sqlx::query(INSERT_MESSAGE).bind(&channel).bind(m.position).bind(&id)
                .bind(m.author.to_string()).bind(&m.content).bind(ids_json(&m.mentions))
                .bind(m.mentions_everyone).bind(&m.poll).bind(m.replying_to.map(|id| id.to_string()))
                .bind(at).bind(at).bind(m.posted_by_key.map(|id| id.to_string()))
                .bind(ids_json(&m.attachments)).execute(c).await.map(drop))?;
            on!(self.0, c => sqlx::query(INSERT_EVENT).bind(&channel).bind(m.seq)
                .bind(EventKind::MessageCreated.name()).bind(&id).bind(at).execute(c).await.map(drop))?;
        }
        Ok(())
    }

    /// Records one change of a channel under its next `seq`.
    pub async fn insert_event(
        &mut self,
        channel: ChannelId,
        kind: EventKind,
        subject: &str,
        at: Timestamp,
    ) -> Result<i64, StoreError> {
        let seq: i64 = on!(self.0, c => sqlx::query_scalar(BUMP_SEQ)
            .bind(channel.to_string()).fetch_one(c).await)?;
        on!(self.0, c => sqlx::query(INSERT_EVENT)
            .bind(channel.to_string()).bind(seq).bind(kind.name()).bind(subject).bind(at.as_millisecond())
            .execute(c).await.map(drop))?;
        Ok(seq)
    }

    /// Changes a message; `false` if it is not there. `content` comes with its mentions.
    pub async fn update_message(
        &mut self,
        id: MessageId,
        content: Option<(&str, &[UserId], bool)>,
        edited: bool,
        pinned: Option<bool>,
        at: Timestamp,
    ) -> Result<bool, StoreError> {
        let done: Option<String> = on!(self.0, c => sqlx::query_scalar(UPDATE)
            .bind(id.to_string()).bind(content.map(|(text, ..)| text))
            .bind(content.and_then(|(_, mentions, _)| ids_json(mentions)))
            .bind(content.is_some_and(|(.., everyone)| everyone)).bind(edited)
            .bind(at.as_millisecond()).bind(pinned).fetch_optional(c).await)?;
        Ok(done.is_some())
    }

    /// Says which files a message has.
    pub async fn update_message_attachments(
        &mut self,
        id: MessageId,
        files: &[FileId],
    ) -> Result<(), StoreError> {
        on!(self.0, c => sqlx::query(UPDATE_ATTACHMENTS)
            .bind(id.to_string()).bind(ids_json(files)).execute(c).await.map(drop))?;
        Ok(())
    }

    /// Keeps what a message says now, about to be replaced. Two edits must not do so at once: the
    /// channel's head is held, by an event, before.
    pub async fn keep_message_edit(&mut self, id: MessageId, at: Timestamp) -> Result<(), StoreError> {
        on!(self.0, c => sqlx::query(KEEP_EDIT).bind(id.to_string()).bind(at.as_millisecond())
            .execute(c).await.map(drop))?;
        Ok(())
    }

    /// Deletes a message and what it said before its edits, leaving a tombstone without content; `false`
    /// if it is not there.
    pub async fn delete_message(&mut self, id: MessageId, at: Timestamp) -> Result<bool, StoreError> {
        let done: Option<String> = on!(self.0, c => sqlx::query_scalar(DELETE)
            .bind(id.to_string()).bind(at.as_millisecond()).fetch_optional(c).await)?;
        on!(self.0, c => sqlx::query(DELETE_EDITS).bind(id.to_string()).execute(c).await.map(drop))?;
        Ok(done.is_some())
    }

    /// Deletes all messages of a channel, as one by one.
    pub(crate) async fn delete_messages_of(
        &mut self,
        channel: ChannelId,
        at: Timestamp,
    ) -> Result<(), StoreError> {
        let id = channel.to_string();
        for (file, message) in self.list_file_uses_of_channel(channel).await? {
            self.delete_file_use(file, FileUse::Message(message), at).await?;
        }
        for statement in [DELETE_EDITS_OF_CHANNEL, DELETE_COUNTS_OF_CHANNEL, LEAVE_DEBRIS_OF_CHANNEL] {
            on!(self.0, c => sqlx::query(statement).bind(&id).execute(c).await.map(drop))?;
        }
        on!(self.0, c => sqlx::query(DELETE_OF_CHANNEL).bind(&id).bind(at.as_millisecond())
            .execute(c).await.map(drop))?;
        Ok(())
    }

    /// As [`Append::take_cooldown`](crate::Append::take_cooldown).
    pub(crate) async fn take_cooldown(
        &mut self,
        channel: ChannelId,
        user: UserId,
        pause: i64,
        at: Timestamp,
    ) -> Result<Option<i64>, StoreError> {
        let taken: Option<i64> = on!(self.0, c => sqlx::query_scalar(TAKE_COOLDOWN)
            .bind(channel.to_string()).bind(user.to_string()).bind(at.as_millisecond()).bind(pause)
            .fetch_optional(c).await)?;
        if taken.is_some() {
            return Ok(None);
        }
        let posted_at: i64 = on!(self.0, c => sqlx::query_scalar(COOLDOWN)
            .bind(at.as_millisecond()).bind(channel.to_string()).bind(user.to_string())
            .fetch_one(c).await)?;
        Ok(Some(posted_at))
    }
}

/// What [`Append`](crate::Append) does on SQLite, with the same statements.
pub(crate) mod direct {
    use rusqlite::{Connection, OptionalExtension};

    use super::*;

    pub(crate) fn find(conn: &Connection, id: MessageId) -> Result<Option<Message>, StoreError> {
        let mut statement = conn.prepare_cached(FIND)?;
        let mut rows = statement.query((id.to_string(),))?;
        rows.next()?.map(|row| Row::direct(row)?.message_in(row.get_ref(14)?.as_str()?)).transpose()
    }

    pub(crate) fn find_place(conn: &Connection, id: MessageId) -> Result<Option<Replied>, StoreError> {
        let mut statement = conn.prepare_cached(POSITION)?;
        let mut rows = statement.query((id.to_string(),))?;
        rows.next()?.map(|row| place(id, row.get_ref(0)?.as_str()?, row.get(1)?)).transpose()
    }

    pub(crate) fn take_cooldown(
        conn: &Connection,
        channel: ChannelId,
        user: UserId,
        pause: i64,
        at: Timestamp,
    ) -> Result<Option<i64>, StoreError> {
        let (channel, user, at) = (channel.to_string(), user.to_string(), at.as_millisecond());
        let taken = conn
            .prepare_cached(TAKE_COOLDOWN)?
            .query_row((&channel, &user, at, pause), |row| row.get::<_, i64>(0))
            .optional()?;
        if taken.is_some() {
            return Ok(None);
        }
        Ok(Some(conn.prepare_cached(COOLDOWN)?.query_row((at, &channel, &user), |row| row.get(0))?))
    }

    pub(crate) fn bump_heads(
        conn: &Connection,
        bumps: &[HeadBump],
    ) -> Result<Vec<(ChannelId, i64, i64)>, StoreError> {
        let mut statement = conn.prepare_cached(sqlite::BUMP_HEADS)?;
        let mut rows = statement.query((moves(bumps),))?;
        let mut moved = Vec::with_capacity(bumps.len());
        while let Some(row) = rows.next()? {
            moved.push(head((row.get_ref(0)?.as_str()?, row.get(1)?, row.get(2)?))?);
        }
        Ok(moved)
    }

    pub(crate) fn insert(conn: &Connection, messages: &[NewMessage]) -> Result<(), StoreError> {
        let (mut insert, mut event) =
            (conn.prepare_cached(INSERT_MESSAGE)?, conn.prepare_cached(INSERT_EVENT)?);
        for m in messages {
            let (channel, id, at) = (m.channel.to_string(), m.id.to_string(), m.at.as_millisecond());
            insert.execute((
                &channel,
                m.position,
                &id,
                m.author.to_string(),
                &m.content,
                ids_json(&m.mentions),
                m.mentions_everyone,
                &m.poll,
                m.replying_to.map(|id| id.to_string()),
                at,
                at,
                m.posted_by_key.map(|id| id.to_string()),
                ids_json(&m.attachments),
            ))?;
            event.execute((&channel, m.seq, EventKind::MessageCreated.name(), &id, at))?;
        }
        Ok(())
    }
}
