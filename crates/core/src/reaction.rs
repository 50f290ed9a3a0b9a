//! Reactions to messages, and votes in their polls.

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;

use crate::emoji::Emoji;
use crate::id::{InvalidId, MessageId, ReactionId, UserId};

/// The most different emoji on one message.
pub const MAX_EMOJI: i64 = 50;

/// What somebody thinks of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mark {
    /// An emoji; each once a user.
    Emoji(Emoji),
    /// An option of its poll, by id; one a user.
    Vote(String),
}

/// Somebody's reaction to a message, or vote in its poll.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields are the contract's")]
pub struct Reaction {
    pub id: ReactionId,
    pub message: MessageId,
    pub user: UserId,
    pub mark: Mark,
    /// Made with an API key, in the user's name.
    pub by_key: bool,
    pub created_at: Timestamp,
}

/// How often a message was marked so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tally {
    /// How.
    pub mark: Mark,
    /// How often.
    pub count: i64,
}

/// What the events of reactions and votes point at: the message, which outlives them, and the reaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "two ids, named")]
pub struct Reacted {
    pub message: MessageId,
    pub reaction: ReactionId,
}

impl fmt::Display for Reacted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.message, self.reaction)
    }
}

impl FromStr for Reacted {
    type Err = InvalidId;
    fn from_str(text: &str) -> Result<Self, InvalidId> {
        let invalid = InvalidId { expected: MessageId::PREFIX };
        let (message, reaction) = text.split_once(' ').ok_or(invalid)?;
        Ok(Self { message: message.parse()?, reaction: reaction.parse()? })
    }
}
