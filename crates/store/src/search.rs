//! Searching messages: the index, how it follows the channels, and what may be searched.
//!
//! The index is written behind: sending does not wait for it. Each channel has a cursor over its events; a
//! batch of them is indexed, and the cursor moved from where it was, in one transaction. So every change is
//! indexed once, whatever stops when, and of two nodes one.

use hallpass_core::channel::ChannelId;
use hallpass_core::entity::Message;
use hallpass_core::id::{ChatFeedId, CompanyId, ExperienceId, FeedId, MessageId, UserId};
use hallpass_core::search::{Query, Term, words};

use crate::conn::{Conn, Inner, Tx, dialect, on};
use crate::dialect::postgres;
use crate::error::{Cause, StoreError};
use crate::messages::EventKind;
use crate::page::Scan;
use crate::row::parsed;
use crate::{Pools, Store, execute};

/// The most events that one transaction indexes.
const MAX_EVENTS: i64 = 200;
/// How many places there are within a millisecond.
const PLACES_BITS: u32 = 20;

const BEHIND: &str = "SELECT h.channel_id, h.seq, COALESCE(c.seq, 0) FROM channel_heads h
     LEFT JOIN search_cursors c ON c.channel_id = h.channel_id
     WHERE h.channel_id > $1 ORDER BY h.channel_id LIMIT $2";
const CURSOR: &str = "SELECT seq FROM search_cursors WHERE channel_id = $1";
const ADVANCE: &str = "INSERT INTO search_cursors (channel_id, seq) VALUES ($1, $3)
     ON CONFLICT (channel_id) DO UPDATE SET seq = excluded.seq WHERE search_cursors.seq = $2 RETURNING seq";
const DOC: &str = "SELECT n FROM search_docs WHERE message_id = $1";
const INSERT_DOC: &str =
    "INSERT INTO search_docs (n, message_id) VALUES ($1, $2) ON CONFLICT DO NOTHING RETURNING n";
const DELETE_DOC: &str = "DELETE FROM search_docs WHERE message_id = $1 RETURNING n";
// $2 is the viewer, or '' for those who see private ones too.
const CHATS: &str = "SELECT c.id, c.experience_id, e.is_public
     FROM channels c JOIN experiences e ON e.id = c.experience_id
     WHERE c.company_id = $1 AND e.deleted_at IS NULL
       AND ($2 = '' OR e.is_public OR EXISTS (SELECT 1 FROM experience_members x
                                              WHERE x.experience_id = e.id AND x.user_id = $2))
     ORDER BY c.created_at DESC, c.id DESC LIMIT $3";
const SEATED: &str = "SELECT m.feed_id FROM feed_members m
     WHERE m.user_id = $1 AND m.company_id = $2
       AND EXISTS (SELECT 1 FROM feeds f WHERE f.id = m.feed_id AND f.deleted_at IS NULL)
     ORDER BY m.active_at DESC, m.feed_id DESC LIMIT $3";
const OPEN: &str = "SELECT id FROM feeds
     WHERE company_id = $1 AND deleted_at IS NULL AND (customer_id IS NOT NULL OR by_key)
     ORDER BY created_at DESC, id DESC LIMIT $2";

pub(crate) const ALL: &[&str] = &[BEHIND, CURSOR, ADVANCE, DOC, INSERT_DOC, DELETE_DOC, CHATS, SEATED, OPEN];

/// A channel and how far it is indexed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Behind {
    /// The channel.
    pub channel: ChannelId,
    /// How many of its events are not.
    pub events: i64,
}

/// A chat channel that somebody may find things in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields are those of Channel")]
pub struct ChatPlace {
    pub channel: ChatFeedId,
    pub experience: ExperienceId,
    pub public: bool,
}

/// A channel's id as a word. No text has it: words have no underscore.
fn marker(channel: ChannelId) -> String {
    channel.to_string().to_lowercase()
}

/// A query in FTS5's own words. What is in quotes is text to it.
fn fts(channels: &[ChannelId], query: &Query) -> String {
    let any: Vec<String> = channels.iter().map(|channel| format!("\"{}\"", marker(*channel))).collect();
    let term =
        |term: &Term| format!(" AND \"{}\"{}", term.words.join(" "), if term.prefix { " *" } else { "" });
    let all: String = query.terms().iter().map(term).collect();
    format!("({}){all}", any.join(" OR "))
}

/// The same as a `tsquery`.
fn tsquery(channels: &[ChannelId], query: &Query) -> String {
    let any: Vec<String> = channels.iter().map(|channel| format!("'{}'", marker(*channel))).collect();
    let term = |term: &Term| {
        let words: Vec<String> = term.words.iter().map(|word| format!("'{word}'")).collect();
        format!(" & ({}{})", words.join(" <-> "), if term.prefix { ":*" } else { "" })
    };
    let all: String = query.terms().iter().map(term).collect();
    format!("({}){all}", any.join(" | "))
}

/// What is searched of a message: its text, and what its poll asks.
fn searched(message: &Message) -> Vec<String> {
    let mut text = message.content.clone().unwrap_or_default();
    for option in message.poll.iter().flatten() {
        text.push('\n');
        text.push_str(&option.text);
    }
    words(&text)
}

/// A `tsvector`: words with their places, from one.
fn tsvector(channel: ChannelId, words: &[String]) -> String {
    let places = (1..).zip(words).map(|(place, word)| format!("'{word}':{place}"));
    std::iter::once(format!("'{}'", marker(channel))).chain(places).collect::<Vec<_>>().join(" ")
}

/// Where a message goes, by its time, if nothing is there.
fn place(message: &Message) -> i64 {
    let within = i64::try_from(message.id.bits() & ((1 << PLACES_BITS) - 1)).unwrap_or(0);
    (message.created_at.as_millisecond() << PLACES_BITS) | within
}

impl Store {
    /// The messages of these channels that match, by time: `(n, id)`. A page starts beyond `n`, which is
    /// the time of a scan's key. None if it took too long.
    pub async fn search_messages(
        &self,
        channels: &[ChannelId],
        query: &Query,
        scan: &Scan,
    ) -> Result<Option<Vec<(i64, MessageId)>>, StoreError> {
        if channels.is_empty() {
            return Ok(Some(Vec::new()));
        }
        let Pools::Postgres(_) = &self.pools else {
            return self.read().await?.search(&fts(channels, query), scan).await.map(Some);
        };
        let (store, query, scan) = (self.clone(), tsquery(channels, query), scan.clone());
        // In a task of its own: a caller that goes away must not leave a transaction open.
        tokio::spawn(async move { store.search_within(&query, &scan).await })
            .await
            .unwrap_or(Err(StoreError::Panicked))
    }

    /// In a transaction with settings of its own.
    async fn search_within(
        &self,
        query: &str,
        scan: &Scan,
    ) -> Result<Option<Vec<(i64, MessageId)>>, StoreError> {
        let mut conn = self.read().await?;
        execute(&mut conn, postgres::BEGIN_SEARCH).await?;
        let found = conn.search(query, scan).await;
        if execute(&mut conn, "ROLLBACK").await.is_err()
            && let Inner::Postgres(conn) = conn.0
        {
            // In an unknown state; the pool makes another one.
            drop(conn.detach());
        }
        match found {
            Err(StoreError::Unavailable(Some(cause))) if is_out_of_time(&cause) => Ok(None),
            found => found.map(Some),
        }
    }
}

/// Whether PostgreSQL ended a statement because of its time.
fn is_out_of_time(cause: &Cause) -> bool {
    cause
        .downcast_ref::<sqlx::Error>()
        .and_then(sqlx::Error::as_database_error)
        .is_some_and(|error| error.code().as_deref() == Some("57014"))
}

impl Conn {
    async fn search(&mut self, query: &str, scan: &Scan) -> Result<Vec<(i64, MessageId)>, StoreError> {
        let statement = if scan.descending { dialect!(self, SEARCH_DOWN) } else { dialect!(self, SEARCH_UP) };
        let (from, _) = scan.start();
        let rows: Vec<(i64, String)> = on!(self, c => sqlx::query_as(statement)
            .bind(query).bind(from).bind(scan.limit).fetch_all(c).await)?;
        rows.into_iter().map(|(n, id)| Ok((n, parsed("search_docs", "message_id", &id, &id)?))).collect()
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

    /// A company's chat channels, newest first: those a viewer sees, or all.
    pub async fn list_chat_places(
        &mut self,
        company: CompanyId,
        viewer: Option<UserId>,
        limit: i64,
    ) -> Result<Vec<ChatPlace>, StoreError> {
        let rows: Vec<(String, String, bool)> = on!(self, c => sqlx::query_as(CHATS)
            .bind(company.to_string()).bind(viewer.map(|id| id.to_string()).unwrap_or_default())
            .bind(limit).fetch_all(c).await)?;
        rows.into_iter()
            .map(|(id, experience, public)| {
                Ok(ChatPlace {
                    channel: parsed("channels", "id", &id, &id)?,
                    experience: parsed("channels", "experience_id", &id, &experience)?,
                    public,
                })
            })
            .collect()
    }

    /// The direct messages and support chats of a company that a user is in, latest activity first.
    pub async fn list_seated(
        &mut self,
        user: UserId,
        company: CompanyId,
        limit: i64,
    ) -> Result<Vec<FeedId>, StoreError> {
        let rows: Vec<String> = on!(self, c => sqlx::query_scalar(SEATED)
            .bind(user.to_string()).bind(company.to_string()).bind(limit).fetch_all(c).await)?;
        rows.iter().map(|id| parsed("feed_members", "feed_id", id, id)).collect()
    }

    /// A company's support chats, and the direct messages that it began itself, newest first.
    pub async fn list_open_feeds(
        &mut self,
        company: CompanyId,
        limit: i64,
    ) -> Result<Vec<FeedId>, StoreError> {
        let rows: Vec<String> = on!(self, c => sqlx::query_scalar(OPEN)
            .bind(company.to_string()).bind(limit).fetch_all(c).await)?;
        rows.iter().map(|id| parsed("feeds", "id", id, id)).collect()
    }
}

impl Tx {
    /// Indexes the next events of a channel; `true` if there may be more.
    pub async fn index_channel(&mut self, channel: ChannelId) -> Result<bool, StoreError> {
        let id = channel.to_string();
        let from: Option<i64> =
            on!(self.0, c => sqlx::query_scalar(CURSOR).bind(&id).fetch_optional(c).await)?;
        let from = from.unwrap_or(0);
        let events = self.list_events(channel, from, MAX_EVENTS).await?;
        let Some((to, ..)) = events.last() else { return Ok(false) };
        let moved: Option<i64> = on!(self.0, c => sqlx::query_scalar(ADVANCE)
            .bind(&id).bind(from).bind(to).fetch_optional(c).await)?;
        if moved.is_none() {
            // Another node is at it.
            return Ok(false);
        }
        let mut done: Vec<&str> = Vec::new();
        for (_, kind, subject) in &events {
            let about_text = matches!(
                kind,
                EventKind::MessageCreated | EventKind::MessageEdited | EventKind::MessageDeleted
            );
            if !about_text || done.contains(&subject.as_str()) {
                continue;
            }
            done.push(subject);
            let message: MessageId = parsed("events", "subject", &id, subject)?;
            match self.find_message(message).await? {
                Some(message) => self.index(&message).await?,
                None => self.unindex(message).await?,
            }
        }
        Ok(i64::try_from(events.len()).unwrap_or(0) == MAX_EVENTS)
    }

    /// Writes what a message says now.
    async fn index(&mut self, message: &Message) -> Result<(), StoreError> {
        let id = message.id.to_string();
        let there: Option<i64> = on!(self.0, c => sqlx::query_scalar(DOC).bind(&id).fetch_optional(c).await)?;
        let n = match there {
            Some(n) => {
                self.drop_words(n).await?;
                n
            }
            None => self.take_place(message, &id).await?,
        };
        let words = searched(message);
        let terms = match &self.0.0 {
            Inner::Postgres(_) => tsvector(message.channel, &words),
            _ => format!("{} {}", marker(message.channel), words.join(" ")),
        };
        let statement = dialect!(self.0, INDEX);
        on!(self.0, c => sqlx::query(statement).bind(n).bind(&terms).execute(c).await.map(drop))?;
        Ok(())
    }

    /// The message's place, or the next one that is free.
    async fn take_place(&mut self, message: &Message, id: &str) -> Result<i64, StoreError> {
        let first = place(message);
        for n in first..first + (1 << PLACES_BITS) {
            let taken: Option<i64> = on!(self.0, c => sqlx::query_scalar(INSERT_DOC)
                .bind(n).bind(id).fetch_optional(c).await)?;
            if let Some(n) = taken {
                return Ok(n);
            }
        }
        Err(StoreError::Conflict)
    }

    async fn unindex(&mut self, message: MessageId) -> Result<(), StoreError> {
        let n: Option<i64> = on!(self.0, c => sqlx::query_scalar(DELETE_DOC)
            .bind(message.to_string()).fetch_optional(c).await)?;
        match n {
            Some(n) => self.drop_words(n).await,
            None => Ok(()),
        }
    }

    async fn drop_words(&mut self, n: i64) -> Result<(), StoreError> {
        let statement = dialect!(self.0, UNINDEX);
        on!(self.0, c => sqlx::query(statement).bind(n).execute(c).await.map(drop))?;
        Ok(())
    }
}
