//! The things of the domain, as every layer below the wire knows them.

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;

use crate::channel::ChannelId;
use crate::decision::ChannelKind;
use crate::id::*;
use crate::statement::KeyRights;

/// A tenant.
#[derive(Clone, Debug, PartialEq)]
#[expect(missing_docs, reason = "the fields are the contract's")]
pub struct Company {
    pub id: CompanyId,
    /// Set for a connected account.
    pub parent: Option<CompanyId>,
    pub owner: UserId,
    pub title: String,
    pub route: String,
    pub description: Option<String>,
    /// A JSON object, as text.
    pub metadata: Option<String>,
    pub country: Option<String>,
    pub target_audience: Option<String>,
    pub affiliate_instructions: Option<String>,
    /// A JSON array, as text.
    pub social_links: String,
    pub send_customer_emails: bool,
    /// Tokens must name their scopes.
    pub explicit_scopes: bool,
    /// Signing in by OAuth for this company enrols.
    pub open_enrolment: bool,
    pub member_count: i64,
    pub logo: Option<FileId>,
    pub banner: Option<FileId>,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

/// Who speaks in chat.
#[derive(Clone, Debug, PartialEq)]
#[expect(missing_docs, reason = "the fields are the contract's")]
pub struct User {
    pub id: UserId,
    /// The human behind, where one has proved it.
    pub person: Option<PersonId>,
    /// The company that made the user; none for a person's own.
    pub home: Option<CompanyId>,
    pub username: String,
    pub name: Option<String>,
    pub bio: Option<String>,
    /// The address the home company supplied.
    pub email: Option<String>,
    pub deactivated: bool,
    pub picture: Option<FileId>,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

/// A user's membership of a company.
#[derive(Clone, Debug, PartialEq)]
#[expect(missing_docs, reason = "the fields are the contract's")]
pub struct Member {
    pub id: MemberId,
    pub company: CompanyId,
    pub user: UserId,
    /// `false`: has left.
    pub joined: bool,
    pub joined_at: Timestamp,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
    pub username: String,
    /// As shown in this company.
    pub name: Option<String>,
    pub email: Option<String>,
    /// On the team as well.
    pub on_team: bool,
}

/// An API key, without its secret.
#[derive(Clone, Debug, PartialEq)]
#[expect(missing_docs, reason = "the fields are the contract's")]
pub struct ApiKey {
    pub id: ApiKeyId,
    pub company: CompanyId,
    /// Set for an app's key.
    pub app: Option<AppId>,
    pub rights: KeyRights,
    pub name: Option<String>,
    /// Enough of the secret to tell it from others.
    pub hint: String,
    pub created_at: Timestamp,
    pub last_used_at: Option<Timestamp>,
    pub expires_at: Option<Timestamp>,
    pub revoked_at: Option<Timestamp>,
}

impl ApiKey {
    /// Whose it is.
    pub fn holder(&self) -> KeyHolder {
        self.app.map_or(KeyHolder::Company(self.company), KeyHolder::App)
    }
}

/// Whose keys: what one of them begins or posts, the others of the same holder go on with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyHolder {
    /// A company's own, its apps' aside.
    Company(CompanyId),
    /// An app's.
    App(AppId),
}

impl fmt::Display for KeyHolder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Company(id) => id.fmt(f),
            Self::App(id) => id.fmt(f),
        }
    }
}

impl FromStr for KeyHolder {
    type Err = InvalidId;
    fn from_str(text: &str) -> Result<Self, InvalidId> {
        text.parse().map(Self::App).or_else(|_| text.parse().map(Self::Company))
    }
}

/// A thing made by an app inside a company.
#[derive(Clone, Debug, PartialEq)]
#[expect(missing_docs, reason = "the fields are the contract's")]
pub struct Experience {
    pub id: ExperienceId,
    pub company: CompanyId,
    pub app: AppId,
    pub app_name: String,
    pub app_icon: Option<FileId>,
    pub name: String,
    pub public: bool,
    pub sort_order: Option<String>,
    pub picture: Option<FileId>,
    pub created_at: Timestamp,
}

/// A product, known by its id.
#[derive(Clone, Debug, PartialEq)]
#[expect(missing_docs, reason = "the fields are the contract's")]
pub struct Product {
    pub id: ProductId,
    pub title: String,
    pub route: String,
}

/// A chat channel: the feed of an experience, with its rules.
#[derive(Clone, Debug, PartialEq)]
#[expect(missing_docs, reason = "the fields are the contract's")]
pub struct Channel {
    pub id: ChatFeedId,
    pub company: CompanyId,
    pub experience: ExperienceId,
    pub experience_name: String,
    pub public: bool,
    pub rules: ChannelRules,
    pub created_at: Timestamp,
}

/// A direct message or support chat.
#[derive(Clone, Debug, PartialEq)]
#[expect(missing_docs, reason = "the fields are the contract's")]
pub struct Feed {
    pub id: FeedId,
    pub company: CompanyId,
    /// The customer of a support chat; none for a direct message.
    pub customer: Option<UserId>,
    pub custom_name: Option<String>,
    /// Begun with an API key of theirs, all of which take part; none if begun by people.
    pub key_holder: Option<KeyHolder>,
    /// Since when nothing is asked any more, in a support chat.
    pub resolved_at: Option<Timestamp>,
    pub last_message_at: Option<Timestamp>,
    /// When something was last said, or it began.
    pub active_at: Timestamp,
    pub created_at: Timestamp,
    /// Who is in it, at most 50; of a support chat the customer alone.
    pub members: Vec<FeedSeat>,
}

impl Feed {
    /// Direct message or support chat.
    pub const fn kind(&self) -> ChannelKind {
        match self.customer {
            None => ChannelKind::DirectMessage,
            Some(_) => ChannelKind::Support,
        }
    }

    /// Somebody's seat.
    pub fn seat(&self, user: UserId) -> Option<FeedSeat> {
        self.members.iter().copied().find(|seat| seat.user == user)
    }
}

/// A seat in a direct message or support chat, as far as decisions look at it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FeedSeat {
    /// Whose.
    pub user: UserId,
    /// Adds and removes others, renames, deletes.
    pub admin: bool,
}

/// A seat in a direct message or support chat, as it is shown.
#[derive(Clone, Debug, PartialEq)]
#[expect(missing_docs, reason = "the fields are the contract's")]
pub struct FeedMember {
    pub id: FeedMemberId,
    pub feed: FeedId,
    pub user: UserId,
    pub admin: bool,
    pub status: FeedStatus,
    pub notifications: Notifications,
    /// The position up to which they have read.
    pub read_position: i64,
    pub last_viewed_at: Option<Timestamp>,
    pub created_at: Timestamp,
}

/// Where somebody keeps a conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are the contract's")]
pub enum FeedStatus {
    Requested,
    Accepted,
    Hidden,
    Closed,
    Archived,
}

impl FeedStatus {
    /// Every status.
    pub const ALL: [Self; 5] = [Self::Requested, Self::Accepted, Self::Hidden, Self::Closed, Self::Archived];

    /// Its name on the wire.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Requested => "requested",
            Self::Accepted => "accepted",
            Self::Hidden => "hidden",
            Self::Closed => "closed",
            Self::Archived => "archived",
        }
    }

    /// Finds a status by its name on the wire.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.name() == name)
    }
}

/// Of what somebody wants to hear in a conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are the contract's")]
pub enum Notifications {
    All,
    Mentions,
    None,
}

impl Notifications {
    /// Every preference.
    pub const ALL: [Self; 3] = [Self::All, Self::Mentions, Self::None];

    /// Its name on the wire.
    pub const fn name(self) -> &'static str {
        match self {
            Self::All => "all",
            Self::Mentions => "mentions",
            Self::None => "none",
        }
    }

    /// Finds a preference by its name on the wire.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|preference| preference.name() == name)
    }
}

/// What a message said before an edit.
#[derive(Clone, Debug, PartialEq)]
pub struct MessageEdit {
    /// The how-manieth edit ended it, from 1.
    pub n: i64,
    /// Markdown, as sent.
    pub content: String,
    /// When it was replaced.
    pub replaced_at: Timestamp,
}

/// What may be posted in a channel, and by whom.
#[expect(clippy::struct_excessive_bools, reason = "four independent rules, each a switch of its own")]
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct ChannelRules {
    /// Only those who moderate may post.
    pub admins_post: bool,
    /// Nobody may react.
    pub no_reactions: bool,
    /// Attachments and images are refused.
    pub ban_media: bool,
    /// Links are refused.
    pub ban_urls: bool,
    /// Messages with one of these are refused.
    pub banned_words: Vec<String>,
    /// How long a user waits between two posts.
    pub cooldown_secs: Option<u32>,
}

/// One chat message.
#[derive(Clone, Debug, PartialEq)]
#[expect(missing_docs, reason = "the fields are the contract's")]
#[expect(
    clippy::struct_excessive_bools,
    reason = "independent facts, each a column or a field of the contract"
)]
pub struct Message {
    pub id: MessageId,
    pub channel: ChannelId,
    /// Its place in the channel's order.
    pub position: i64,
    pub author: UserId,
    /// Markdown, as sent.
    pub content: Option<String>,
    pub mentions: Vec<UserId>,
    pub mentions_everyone: bool,
    /// The options of its poll.
    pub poll: Option<Vec<PollOption>>,
    pub replying_to: Option<MessageId>,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
    pub edited: bool,
    pub pinned: bool,
    /// Files, in the order they were attached.
    pub attachments: Vec<FileId>,
    /// Somebody reacted or voted, at some time.
    pub reacted: bool,
}

/// One option of a poll.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct PollOption {
    /// "1", "2", … in order.
    pub id: String,
    /// What it says.
    pub text: String,
}

/// A member of a company's team.
#[derive(Clone, Debug, PartialEq)]
#[expect(missing_docs, reason = "the fields are the contract's")]
pub struct TeamMember {
    pub id: AuthorizedUserId,
    pub company: CompanyId,
    pub company_title: String,
    pub user: UserId,
    pub role: crate::role::Role,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
    pub username: String,
    /// As shown in this company.
    pub name: Option<String>,
    /// As shown in this company.
    pub picture: Option<FileId>,
    pub email: Option<String>,
}
