//! Reactions and votes, and how many there are of each.
//!
//! Counts are rows of their own that move in the transaction that moves what they count, so that neither
//! reading a message nor reacting to it depends on how many did before. Whoever writes here holds the
//! channel's head (an event is inserted first): of one message, one at a time.

use std::collections::HashMap;

use hallpass_core::emoji::Emoji;
use hallpass_core::id::{ApiKeyId, MessageId, ReactionId, UserId};
use hallpass_core::reaction::{Mark, Reaction, Tally};
use jiff::Timestamp;

use crate::conn::{Conn, Tx, dialect, on};
use crate::error::StoreError;
use crate::page::Scan;
use crate::row::{parsed, time, to_json};

/// The most reactions that one transaction deletes.
const MAX_DELETED: usize = 1000;

macro_rules! columns {
    () => {
        "id, message_id, user_id, mark, option_id, posted_by_key, created_at"
    };
}

const FIND: &str = concat!("SELECT ", columns!(), " FROM reactions WHERE id = $1");
const FIND_OWN: &str =
    concat!("SELECT ", columns!(), " FROM reactions WHERE message_id = $1 AND user_id = $2 AND mark = $3");
const LIST_DOWN: &str = concat!(
    "SELECT ",
    columns!(),
    " FROM reactions WHERE message_id = $1 AND (created_at, id) < ($2, $3)
      ORDER BY created_at DESC, id DESC LIMIT $4"
);
const LIST_UP: &str = concat!(
    "SELECT ",
    columns!(),
    " FROM reactions WHERE message_id = $1 AND (created_at, id) > ($2, $3)
      ORDER BY created_at ASC, id ASC LIMIT $4"
);
const MARK_REACTED: &str = "UPDATE messages SET reacted = $2 WHERE id = $1 AND reacted <> $2";
const INSERT: &str = concat!(
    "INSERT INTO reactions (",
    columns!(),
    ") VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (message_id, user_id, mark) DO NOTHING RETURNING id"
);
const MOVE: &str = "UPDATE reactions SET option_id = $3 WHERE id = $1 AND option_id = $2 RETURNING id";
const DELETE: &str = "DELETE FROM reactions WHERE id = $1 RETURNING message_id, mark, option_id";
const TAKE_OVER: &str = "UPDATE reactions SET posted_by_key = NULL WHERE id = $1";
const COUNT_UP: &str = "INSERT INTO reaction_counts (message_id, mark, count, first_at)
     VALUES ($1, $2, 1, $3)
     ON CONFLICT (message_id, mark) DO UPDATE SET count = reaction_counts.count + 1";
const COUNT_DOWN: &str = "UPDATE reaction_counts SET count = count - 1
     WHERE message_id = $1 AND mark = $2 AND count > 1 RETURNING mark";
const COUNT_OUT: &str = "DELETE FROM reaction_counts WHERE message_id = $1 AND mark = $2";
// Shortcodes begin with a colon, the ids of options are digits.
const EMOJI: &str =
    "SELECT COUNT(*) FROM reaction_counts WHERE message_id = $1 AND mark >= ':' AND mark < ';'";
const DELETE_COUNTS: &str = "DELETE FROM reaction_counts WHERE message_id = $1";
const DELETE_SOME: &str = "DELETE FROM reactions
     WHERE id IN (SELECT id FROM reactions WHERE message_id = $1 LIMIT $2) RETURNING id";
const LEAVE_DEBRIS: &str = "INSERT INTO reaction_debris (message_id) VALUES ($1) ON CONFLICT DO NOTHING";
const DEBRIS: &str =
    "SELECT message_id FROM reaction_debris WHERE message_id > '' ORDER BY message_id LIMIT 1";
const CLEAR_DEBRIS: &str = "DELETE FROM reaction_debris WHERE message_id = $1";

pub(crate) const ALL: &[&str] = &[
    FIND,
    FIND_OWN,
    TAKE_OVER,
    LIST_DOWN,
    LIST_UP,
    MARK_REACTED,
    INSERT,
    MOVE,
    DELETE,
    COUNT_UP,
    COUNT_DOWN,
    COUNT_OUT,
    EMOJI,
    DELETE_COUNTS,
    DELETE_SOME,
    LEAVE_DEBRIS,
    DEBRIS,
    CLEAR_DEBRIS,
];

#[derive(sqlx::FromRow)]
struct Row {
    id: String,
    message_id: String,
    user_id: String,
    mark: String,
    option_id: Option<String>,
    posted_by_key: Option<String>,
    created_at: i64,
}

const TABLE: &str = "reactions";

fn emoji(table: &'static str, id: &str, mark: &str) -> Result<Mark, StoreError> {
    let corrupt = |_| StoreError::Corrupt { table, column: "mark", id: id.to_owned() };
    Emoji::parse(mark).map(Mark::Emoji).map_err(corrupt)
}

impl TryFrom<Row> for Reaction {
    type Error = StoreError;
    fn try_from(row: Row) -> Result<Self, StoreError> {
        let id = &row.id;
        Ok(Self {
            id: parsed(TABLE, "id", id, id)?,
            message: parsed(TABLE, "message_id", id, &row.message_id)?,
            user: parsed(TABLE, "user_id", id, &row.user_id)?,
            created_at: time(TABLE, "created_at", id, row.created_at)?,
            by_key: row.posted_by_key.is_some(),
            mark: match row.option_id {
                Some(option) => Mark::Vote(option),
                None => emoji(TABLE, id, &row.mark)?,
            },
        })
    }
}

/// What is unique about it for its user.
fn unique(mark: &Mark) -> &str {
    match mark {
        Mark::Emoji(emoji) => emoji.shortcode(),
        Mark::Vote(_) => "vote",
    }
}

/// What it is counted under.
fn counted(mark: &Mark) -> &str {
    match mark {
        Mark::Emoji(emoji) => emoji.shortcode(),
        Mark::Vote(option) => option,
    }
}

impl Conn {
    /// A reaction or vote.
    pub async fn find_reaction(&mut self, id: ReactionId) -> Result<Option<Reaction>, StoreError> {
        let row: Option<Row> =
            on!(self, c => sqlx::query_as(FIND).bind(id.to_string()).fetch_optional(c).await)?;
        row.map(Reaction::try_from).transpose()
    }

    /// A user's reaction with this emoji, or their vote, whatever it is for.
    pub async fn find_own_reaction(
        &mut self,
        message: MessageId,
        user: UserId,
        mark: &Mark,
    ) -> Result<Option<Reaction>, StoreError> {
        let row: Option<Row> = on!(self, c => sqlx::query_as(FIND_OWN)
            .bind(message.to_string()).bind(user.to_string()).bind(unique(mark)).fetch_optional(c).await)?;
        row.map(Reaction::try_from).transpose()
    }

    /// The reactions and votes of a message by creation time.
    pub async fn list_reactions(
        &mut self,
        message: MessageId,
        scan: &Scan,
    ) -> Result<Vec<Reaction>, StoreError> {
        let (at, id) = scan.start();
        let statement = if scan.descending { LIST_DOWN } else { LIST_UP };
        let rows: Vec<Row> = on!(self, c => sqlx::query_as(statement)
            .bind(message.to_string()).bind(at).bind(id).bind(scan.limit).fetch_all(c).await)?;
        rows.into_iter().map(Reaction::try_from).collect()
    }

    /// How often messages were marked with what, each in the order of the first of its kind.
    pub async fn list_tallies(
        &mut self,
        messages: &[MessageId],
    ) -> Result<HashMap<MessageId, Vec<Tally>>, StoreError> {
        let statement = dialect!(self, TALLIES);
        let mut rows: Vec<(String, String, i64, i64)> =
            on!(self, c => sqlx::query_as(statement).bind(to_json(messages)).fetch_all(c).await)?;
        rows.sort_unstable_by(|a, b| (a.3, &a.1).cmp(&(b.3, &b.1)));
        let table = "reaction_counts";
        let mut tallies: HashMap<MessageId, Vec<Tally>> = HashMap::new();
        for (message, mark, count, _) in rows {
            let id = parsed(table, "message_id", &message, &message)?;
            let mark = if mark.starts_with(':') { emoji(table, &message, &mark)? } else { Mark::Vote(mark) };
            tallies.entry(id).or_default().push(Tally { mark, count });
        }
        Ok(tallies)
    }

    /// With how many different emoji a message was marked.
    pub async fn count_emoji(&mut self, message: MessageId) -> Result<i64, StoreError> {
        Ok(on!(self, c => sqlx::query_scalar(EMOJI).bind(message.to_string()).fetch_one(c).await)?)
    }
}

impl Tx {
    /// Notes that somebody reacted to a message, so that its tallies are looked up. Before the channel's
    /// head is taken: whoever edits takes the two in this order.
    pub async fn mark_reacted(&mut self, message: MessageId) -> Result<(), StoreError> {
        on!(self.0, c => sqlx::query(MARK_REACTED)
            .bind(message.to_string()).bind(true).execute(c).await.map(drop))?;
        Ok(())
    }

    /// Stores and counts a reaction or vote; `false` if its user has one like it.
    pub async fn insert_reaction(
        &mut self,
        new: &Reaction,
        posted_by_key: Option<ApiKeyId>,
    ) -> Result<bool, StoreError> {
        let option = match &new.mark {
            Mark::Emoji(_) => None,
            Mark::Vote(option) => Some(option),
        };
        let made: Option<String> = on!(self.0, c => sqlx::query_scalar(INSERT)
            .bind(new.id.to_string()).bind(new.message.to_string()).bind(new.user.to_string())
            .bind(unique(&new.mark)).bind(option).bind(posted_by_key.map(|id| id.to_string()))
            .bind(new.created_at.as_millisecond()).fetch_optional(c).await)?;
        if made.is_some() {
            self.count_up(new.message, &new.mark, new.created_at).await?;
        }
        Ok(made.is_some())
    }

    /// Moves a vote to another option; `false` if it is no longer there, or no longer for the one it was.
    pub async fn move_vote(
        &mut self,
        vote: &Reaction,
        option: &str,
        at: Timestamp,
    ) -> Result<bool, StoreError> {
        let moved: Option<String> = on!(self.0, c => sqlx::query_scalar(MOVE)
            .bind(vote.id.to_string()).bind(counted(&vote.mark)).bind(option).fetch_optional(c).await)?;
        if moved.is_some() {
            self.count_down(vote.message, counted(&vote.mark)).await?;
            self.count_up(vote.message, &Mark::Vote(option.to_owned()), at).await?;
        }
        Ok(moved.is_some())
    }

    /// Takes a reaction or vote back; `false` if it is not there.
    pub async fn delete_reaction(&mut self, id: ReactionId) -> Result<bool, StoreError> {
        let gone: Option<(String, String, Option<String>)> = on!(self.0, c => sqlx::query_as(DELETE)
            .bind(id.to_string()).fetch_optional(c).await)?;
        let Some((message, mark, option)) = gone else { return Ok(false) };
        let message = parsed(TABLE, "message_id", &id.to_string(), &message)?;
        self.count_down(message, option.as_deref().unwrap_or(&mark)).await?;
        Ok(true)
    }

    /// Makes what a key did in its owner's name the owner's own.
    pub async fn take_over_reaction(&mut self, id: ReactionId) -> Result<(), StoreError> {
        on!(self.0, c => sqlx::query(TAKE_OVER).bind(id.to_string()).execute(c).await.map(drop))?;
        Ok(())
    }

    async fn count_up(&mut self, message: MessageId, mark: &Mark, at: Timestamp) -> Result<(), StoreError> {
        on!(self.0, c => sqlx::query(COUNT_UP).bind(message.to_string()).bind(counted(mark))
            .bind(at.as_millisecond()).execute(c).await.map(drop))?;
        Ok(())
    }

    async fn count_down(&mut self, message: MessageId, mark: &str) -> Result<(), StoreError> {
        let left: Option<String> = on!(self.0, c => sqlx::query_scalar(COUNT_DOWN)
            .bind(message.to_string()).bind(mark).fetch_optional(c).await)?;
        if left.is_none() {
            on!(self.0, c => sqlx::query(COUNT_OUT)
                .bind(message.to_string()).bind(mark).execute(c).await.map(drop))?;
        }
        Ok(())
    }

    /// Deletes what is counted of a deleted message, and its reactions and votes; if there are too many
    /// for one transaction, [`sweep_reactions`](Self::sweep_reactions) goes on.
    pub async fn delete_reactions_of(&mut self, message: MessageId) -> Result<(), StoreError> {
        on!(self.0, c => sqlx::query(DELETE_COUNTS).bind(message.to_string()).execute(c).await.map(drop))?;
        if self.delete_some_of(message).await? == MAX_DELETED {
            on!(self.0, c => sqlx::query(LEAVE_DEBRIS).bind(message.to_string()).execute(c).await.map(drop))?;
        }
        Ok(())
    }

    async fn delete_some_of(&mut self, message: MessageId) -> Result<usize, StoreError> {
        let limit = i64::try_from(MAX_DELETED).unwrap_or(i64::MAX);
        let gone: Vec<String> = on!(self.0, c => sqlx::query_scalar(DELETE_SOME)
            .bind(message.to_string()).bind(limit).fetch_all(c).await)?;
        Ok(gone.len())
    }

    /// Deletes some of what deleted messages left behind; `true` if there may be more.
    pub async fn sweep_reactions(&mut self) -> Result<bool, StoreError> {
        let next: Option<String> = on!(self.0, c => sqlx::query_scalar(DEBRIS).fetch_optional(c).await)?;
        let Some(message) = next else { return Ok(false) };
        let id = parsed("reaction_debris", "message_id", &message, &message)?;
        if self.delete_some_of(id).await? < MAX_DELETED {
            on!(self.0, c => sqlx::query(CLEAR_DEBRIS).bind(&message).execute(c).await.map(drop))?;
        }
        Ok(true)
    }
}
