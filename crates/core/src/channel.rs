//! Where messages are: a chat channel, a direct message or a support chat.

use std::fmt;
use std::str::FromStr;

use crate::decision::ChannelKind;
use crate::entity::{Channel, ChannelRules, Feed};
use crate::id::{ChatFeedId, CompanyId, FeedId, InvalidId};

/// The id of a channel of any kind.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ChannelId {
    /// The feed of an experience.
    Chat(ChatFeedId),
    /// A direct message or support chat.
    Feed(FeedId),
}

impl ChannelId {
    /// Its bits without the prefix.
    pub const fn bits(self) -> u128 {
        match self {
            Self::Chat(id) => id.bits(),
            Self::Feed(id) => id.bits(),
        }
    }
}

impl From<ChatFeedId> for ChannelId {
    fn from(id: ChatFeedId) -> Self {
        Self::Chat(id)
    }
}

impl From<FeedId> for ChannelId {
    fn from(id: FeedId) -> Self {
        Self::Feed(id)
    }
}

impl FromStr for ChannelId {
    type Err = InvalidId;
    fn from_str(text: &str) -> Result<Self, InvalidId> {
        match text.parse() {
            Ok(id) => Ok(Self::Chat(id)),
            Err(_) => text.parse().map(Self::Feed),
        }
    }
}

impl fmt::Display for ChannelId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Chat(id) => id.fmt(f),
            Self::Feed(id) => id.fmt(f),
        }
    }
}

impl fmt::Debug for ChannelId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl serde::Serialize for ChannelId {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Chat(id) => id.serialize(serializer),
            Self::Feed(id) => id.serialize(serializer),
        }
    }
}

/// A channel of any kind, with what is decided by.
#[derive(Clone, Debug, PartialEq)]
pub enum Venue {
    /// A chat channel.
    Chat(std::sync::Arc<Channel>),
    /// A direct message or support chat.
    Feed(std::sync::Arc<Feed>),
}

/// What holds in feeds: nothing is banned there.
static NO_RULES: ChannelRules = ChannelRules {
    admins_post: false,
    no_reactions: false,
    ban_media: false,
    ban_urls: false,
    banned_words: Vec::new(),
    cooldown_secs: None,
};

impl Venue {
    /// Its id.
    pub fn id(&self) -> ChannelId {
        match self {
            Self::Chat(channel) => channel.id.into(),
            Self::Feed(feed) => feed.id.into(),
        }
    }

    /// Its kind, which chooses the family of scopes.
    pub fn kind(&self) -> ChannelKind {
        match self {
            Self::Chat(_) => ChannelKind::Channel,
            Self::Feed(feed) => feed.kind(),
        }
    }

    /// Its company.
    pub fn company(&self) -> CompanyId {
        match self {
            Self::Chat(channel) => channel.company,
            Self::Feed(feed) => feed.company,
        }
    }

    /// What may be posted, and by whom.
    pub fn rules(&self) -> &ChannelRules {
        match self {
            Self::Chat(channel) => &channel.rules,
            Self::Feed(_) => &NO_RULES,
        }
    }
}
