//! Searching messages: asking the [index](crate::search_index), and what may be searched.

use hallpass_core::channel::ChannelId;
use hallpass_core::entity::KeyHolder;
use hallpass_core::id::{ChatFeedId, CompanyId, ExperienceId, FeedId, MessageId, UserId};
use hallpass_core::search::{Query, Term};
use hallpass_core::statement::Parts;

use crate::channels::bounds;
use crate::conn::{Conn, Inner, dialect, on};
use crate::dialect::postgres;
use crate::error::{Cause, StoreError};
use crate::page::Scan;
use crate::row::parsed;
use crate::{Pools, Store, execute};

const SEATED: &str = "SELECT m.feed_id FROM feed_members m
     WHERE m.user_id = $1 AND m.company_id = $2
       AND EXISTS (SELECT 1 FROM feeds f WHERE f.id = m.feed_id AND f.deleted_at IS NULL)
     ORDER BY m.active_at DESC, m.feed_id DESC LIMIT $3";
const SUPPORT: &str = "SELECT id FROM feeds
     WHERE company_id = $1 AND customer_id IS NOT NULL AND deleted_at IS NULL
     ORDER BY created_at DESC, id DESC LIMIT $2";
const BEGUN: &str = "SELECT id FROM feeds
     WHERE company_id = $1 AND key_holder = $2 AND customer_id IS NULL AND deleted_at IS NULL
     ORDER BY active_at DESC, id DESC LIMIT $3";

pub(crate) const ALL: &[&str] = &[SEATED, SUPPORT, BEGUN];

/// A chat channel that somebody may find things in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields are those of Channel")]
pub struct ChatPlace {
    pub channel: ChatFeedId,
    pub experience: ExperienceId,
    pub public: bool,
}

/// A channel's id as a word. No text has it: words have no underscore.
pub(crate) fn marker(channel: ChannelId) -> String {
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

    /// A company's chat channels, newest first: those a viewer sees, or all, of some experiences.
    pub async fn list_chat_places(
        &mut self,
        company: CompanyId,
        viewer: Option<UserId>,
        parts: &Parts,
        limit: i64,
    ) -> Result<Vec<ChatPlace>, StoreError> {
        let (only, parts) = bounds(parts);
        let statement = dialect!(self, CHATS);
        let rows: Vec<(String, String, bool)> = on!(self, c => sqlx::query_as(statement)
            .bind(company.to_string()).bind(viewer.map(|id| id.to_string()).unwrap_or_default())
            .bind(limit).bind(only).bind(parts).fetch_all(c).await)?;
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

    /// A company's support chats, newest first, and the direct messages that the holder's keys began there, the
    /// last active first; at most `limit` of each.
    pub async fn list_open_feeds(
        &mut self,
        company: CompanyId,
        holder: Option<KeyHolder>,
        limit: i64,
    ) -> Result<Vec<FeedId>, StoreError> {
        let mut rows: Vec<String> = on!(self, c => sqlx::query_scalar(SUPPORT)
            .bind(company.to_string()).bind(limit).fetch_all(c).await)?;
        if let Some(holder) = holder {
            let begun: Vec<String> = on!(self, c => sqlx::query_scalar(BEGUN)
                .bind(company.to_string()).bind(holder.to_string()).bind(limit).fetch_all(c).await)?;
            rows.extend(begun);
        }
        rows.iter().map(|id| parsed("feeds", "id", id, id)).collect()
    }
}
