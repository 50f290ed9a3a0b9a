//! The vocabulary of the authority log: what changed, and whom it concerns.
//!
//! The log is the one mechanism by which a narrowing of rights reaches every node: a numbered list
//! of [`Change`]s. A change that *kills* refuses every older token that it matches; any change makes
//! what was cached about its subject stale.

use std::fmt;

use crate::channel::ChannelId;
use crate::id::{ApiKeyId, AppId, CompanyId, ExperienceId, TokenId, UserId};

/// What an entry is about. Written as a kind, a subject and a scope (empty where there is none).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Change {
    /// One token, as far as the company may speak of it: its own tokens, and those its keys minted.
    Token(CompanyId, TokenId),
    /// An API key: revoked, or its rights changed.
    Key(ApiKeyId),
    /// An app: suspended, or its rights changed.
    App(AppId),
    /// A user everywhere: deactivated, or their profile changed.
    User(UserId),
    /// A user in a company: un-enrolled, role changed, override changed.
    Standing(CompanyId, UserId),
    /// A company: closed, parent link cut, settings changed.
    Company(CompanyId),
    /// An experience: made private, deleted, renamed.
    Experience(ExperienceId),
    /// A user's access to a private experience.
    Access(ExperienceId, UserId),
    /// A channel's rules, or who is in it.
    Channel(ChannelId),
    /// A sign-in session.
    Session(String),
    /// A consent grant.
    Grant(String),
    /// A signing key: retired at once, or promoted.
    SigningKey(String),
    /// Which webhooks of a company are told of what. Not about rights, but who writes an event must know.
    Webhooks(CompanyId),
    /// Nothing: the numbers leapt ahead of all that were ever given out.
    Leap,
}

/// One numbered entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its number, in commit order; without gaps but for [leaps](Change::Leap).
    pub n: u64,
    /// What it is about.
    pub change: Change,
    /// Whether tokens that match and are older die.
    pub kills: bool,
}

/// The three texts are no change that this version knows.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown authority entry of kind {0:?}")]
pub struct UnknownChange(pub String);

impl Change {
    /// Its kind as stored.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Token(..) => "token",
            Self::Key(_) => "key",
            Self::App(_) => "app",
            Self::User(_) => "user",
            Self::Standing(..) => "standing",
            Self::Company(_) => "company",
            Self::Experience(_) => "experience",
            Self::Access(..) => "access",
            Self::Channel(_) => "channel",
            Self::Session(_) => "session",
            Self::Grant(_) => "grant",
            Self::SigningKey(_) => "signing_key",
            Self::Webhooks(_) => "webhooks",
            Self::Leap => "leap",
        }
    }

    /// Its subject and scope as stored.
    pub fn parts(&self) -> (String, String) {
        let alone = |subject: &dyn fmt::Display| (subject.to_string(), String::new());
        match self {
            Self::Token(company, id) => (id.to_string(), company.to_string()),
            Self::Key(id) => alone(id),
            Self::App(id) => alone(id),
            Self::User(id) => alone(id),
            Self::Standing(company, user) => (user.to_string(), company.to_string()),
            Self::Company(id) | Self::Webhooks(id) => alone(id),
            Self::Experience(id) => alone(id),
            Self::Access(experience, user) => (user.to_string(), experience.to_string()),
            Self::Channel(id) => alone(id),
            Self::Session(id) | Self::Grant(id) | Self::SigningKey(id) => alone(id),
            Self::Leap => alone(&""),
        }
    }

    /// Reads what [`kind`](Self::kind) and [`parts`](Self::parts) wrote.
    ///
    /// # Errors
    /// [`UnknownChange`] if it is of a kind or form this version does not know: the reader must stop
    /// trusting what it has cached, not skip the entry.
    pub fn parse(kind: &str, subject: &str, scope: &str) -> Result<Self, UnknownChange> {
        let unknown = |_| UnknownChange(kind.to_owned());
        Ok(match kind {
            "token" => Self::Token(scope.parse().map_err(unknown)?, subject.parse().map_err(unknown)?),
            "key" => Self::Key(subject.parse().map_err(unknown)?),
            "app" => Self::App(subject.parse().map_err(unknown)?),
            "user" => Self::User(subject.parse().map_err(unknown)?),
            "standing" => Self::Standing(scope.parse().map_err(unknown)?, subject.parse().map_err(unknown)?),
            "company" => Self::Company(subject.parse().map_err(unknown)?),
            "experience" => Self::Experience(subject.parse().map_err(unknown)?),
            "access" => Self::Access(scope.parse().map_err(unknown)?, subject.parse().map_err(unknown)?),
            "channel" => Self::Channel(subject.parse().map_err(unknown)?),
            "session" => Self::Session(subject.to_owned()),
            "grant" => Self::Grant(subject.to_owned()),
            "signing_key" => Self::SigningKey(subject.to_owned()),
            "webhooks" => Self::Webhooks(subject.parse().map_err(unknown)?),
            "leap" => Self::Leap,
            _ => return Err(UnknownChange(kind.to_owned())),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::{ChatFeedId, FeedId};

    #[test]
    fn every_change_survives_storage() {
        let changes = [
            Change::Token(CompanyId::from_bits(12), TokenId::from_bits(1)),
            Change::Key(ApiKeyId::from_bits(2)),
            Change::App(AppId::from_bits(3)),
            Change::User(UserId::from_bits(4)),
            Change::Standing(CompanyId::from_bits(5), UserId::from_bits(6)),
            Change::Company(CompanyId::from_bits(7)),
            Change::Experience(ExperienceId::from_bits(8)),
            Change::Access(ExperienceId::from_bits(9), UserId::from_bits(10)),
            Change::Channel(ChatFeedId::from_bits(11).into()),
            Change::Channel(FeedId::from_bits(13).into()),
            Change::Session("s".into()),
            Change::Grant("g".into()),
            Change::SigningKey("k".into()),
            Change::Webhooks(CompanyId::from_bits(13)),
        ];
        for change in changes {
            let (subject, scope) = change.parts();
            assert_eq!(Change::parse(change.kind(), &subject, &scope), Ok(change));
        }
    }
}
