//! What a webhook is told, rendered when it is sent: what was deleted meanwhile is not told any more.

use hallpass_core::channel::Venue;
use hallpass_core::clock::wire_time;
use hallpass_core::entity::Message;
use hallpass_core::id::{
    ApiKeyId, AppId, CompanyId, MessageId, ReactionId, TokenId, UserId, WebhookDeliveryId,
};
use hallpass_core::reaction::Mark;
use hallpass_core::webhook::{EventType, Webhook};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::value::{RawValue, to_raw_value};
use serde_json::{Value, json};

use crate::App;
use crate::channels::VenueRef;
use crate::error::AppError;
use crate::messages::MessageWithAuthor;

/// What an event outside a channel's run is about; ids only.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "about", rename_all = "snake_case")]
pub(crate) enum Subject {
    /// A message: edited, pinned or deleted, as which of its channel's events.
    Message { message: MessageId, channel: String, change: Option<String>, seq: i64 },
    /// A reaction to a message.
    Reaction { message: MessageId, reaction: ReactionId },
    /// A user.
    User { user: UserId },
    /// Tokens: one of them, or all of a user's, or all of a key's.
    Tokens { token: Option<TokenId>, user: Option<UserId>, api_key: Option<ApiKeyId> },
    /// An API key.
    ApiKey { api_key: ApiKeyId },
    /// An app.
    App { app: AppId },
    /// Nothing: a test.
    Test,
}

impl Subject {
    /// As it is stored.
    pub(crate) fn to_text(&self) -> String {
        serde_json::to_string(self).expect("ids and texts serialise")
    }
}

/// An event that is to be told.
#[derive(Debug)]
pub(crate) struct Event {
    pub(crate) id: WebhookDeliveryId,
    pub(crate) kind: EventType,
    pub(crate) company: CompanyId,
    pub(crate) at: Timestamp,
    pub(crate) about: About,
}

/// What it is about.
#[derive(Debug)]
pub(crate) enum About {
    /// A message, as it is now.
    Message(Box<Message>),
    /// Anything else.
    Subject(Subject),
}

#[derive(Serialize)]
struct Envelope<'e> {
    id: WebhookDeliveryId,
    api_version: &'static str,
    #[serde(rename = "type")]
    event: &'static str,
    timestamp: String,
    company_id: CompanyId,
    data: &'e RawValue,
}

#[derive(Serialize)]
struct MessageData<'e> {
    message: &'e RawValue,
    #[serde(skip_serializing_if = "Option::is_none")]
    reaction: Option<&'e RawValue>,
    channel: Value,
    audience: Value,
    reason: &'static str,
}

fn raw(value: &impl Serialize) -> Result<Box<RawValue>, AppError> {
    to_raw_value(value).map_err(|_| AppError::Unavailable("an event cannot be written as JSON"))
}

/// Why a message is told.
fn reason(message: &Message, venue: &Venue) -> &'static str {
    use hallpass_core::decision::ChannelKind;
    match venue.kind() {
        ChannelKind::DirectMessage => "direct_message",
        ChannelKind::Support => "support_message",
        ChannelKind::Channel if message.mentions_everyone => "mention_everyone",
        ChannelKind::Channel if !message.mentions.is_empty() => "mention",
        ChannelKind::Channel if message.replying_to.is_some() => "reply",
        ChannelKind::Channel => "message",
    }
}

fn channel(venue: &Venue) -> Value {
    use hallpass_core::decision::ChannelKind;
    let kind = match venue.kind() {
        ChannelKind::Channel => "chat",
        ChannelKind::DirectMessage => "direct_message",
        ChannelKind::Support => "support",
    };
    let experience = match venue {
        Venue::Chat(channel) => Some(channel.experience),
        Venue::Feed(_) => None,
    };
    json!({ "id": venue.id(), "type": kind, "experience_id": experience })
}

fn audience(venue: &Venue) -> Value {
    match venue {
        Venue::Chat(_) => json!({ "type": "channel", "user_ids": null }),
        Venue::Feed(feed) => {
            let users: Vec<UserId> = feed.members.iter().map(|seat| seat.user).collect();
            json!({ "type": "users", "user_ids": users })
        }
    }
}

impl App {
    /// The body of a delivery; none if what it is about is gone, or not for this webhook to know.
    pub(crate) async fn render_event(
        &self,
        webhook: &Webhook,
        event: Event,
    ) -> Result<Option<Vec<u8>>, AppError> {
        let (id, kind, company, at) = (event.id, event.kind, event.company, event.at);
        let Some(data) = self.render_data(webhook, event).await? else { return Ok(None) };
        let envelope = Envelope {
            id,
            api_version: "v1",
            event: kind.name(),
            timestamp: wire_time(at),
            company_id: company,
            data: &data,
        };
        let body = serde_json::to_vec(&envelope);
        body.map(Some).map_err(|_| AppError::Unavailable("an event cannot be written as JSON"))
    }

    async fn render_data(&self, webhook: &Webhook, event: Event) -> Result<Option<Box<RawValue>>, AppError> {
        match event.about {
            About::Message(message) => self.render_message(webhook, *message, None).await,
            About::Subject(Subject::Message { message, channel: id, change, .. }) => {
                if event.kind == EventType::MessageDeleted {
                    let venue = self.venue(webhook, &id).await?;
                    return venue
                        .map(|venue| {
                            raw(&json!({ "message_id": message, "channel": channel(&venue),
                                         "audience": audience(&venue) }))
                        })
                        .transpose();
                }
                let found = self.store.read().await?.find_message(message).await?;
                let Some(found) = found else { return Ok(None) };
                let reason = if change.as_deref() == Some("pinned") { "pinned" } else { "edited" };
                self.render_message(webhook, found, Some(reason)).await
            }
            About::Subject(Subject::Reaction { message, reaction }) => {
                self.render_reaction(webhook, message, reaction).await
            }
            About::Subject(Subject::User { user }) => {
                let Some(found) = self.user(user).await? else { return Ok(None) };
                let shown = self.shown(event.company, user).await?;
                raw(&json!({ "user": { "id": found.id, "username": shown.username, "name": shown.name } }))
                    .map(Some)
            }
            About::Subject(Subject::Tokens { token, user, api_key }) => {
                raw(&json!({ "jti": token, "user_id": user, "api_key_id": api_key })).map(Some)
            }
            About::Subject(Subject::ApiKey { api_key }) => {
                let Some(key) = self.api_key(api_key).await? else { return Ok(None) };
                raw(&json!({ "api_key": {
                    "id": key.id, "name": key.name, "app_id": key.app,
                    "created_at": wire_time(key.created_at), "expires_at": key.expires_at.map(wire_time),
                } }))
                .map(Some)
            }
            About::Subject(Subject::App { app }) => {
                let Some((_, name)) = self.store.read().await?.find_app(app).await? else { return Ok(None) };
                raw(&json!({ "app": { "id": app, "name": name } })).map(Some)
            }
            About::Subject(Subject::Test) => self.render_sample(event.kind, event.company, event.at).await,
        }
    }

    /// A channel that is there and that the webhook may know of.
    async fn venue(&self, webhook: &Webhook, id: &str) -> Result<Option<Venue>, AppError> {
        let venue = match VenueRef::parse("channel_id", id)? {
            VenueRef::Chat(which) => self.channel(which).await?.map(Venue::Chat),
            VenueRef::Feed(id) => self.feed(id, None).await?.map(Venue::Feed),
        };
        let begun_by = |venue: &Venue| match venue {
            Venue::Chat(_) => None,
            Venue::Feed(feed) => feed.key_holder,
        };
        Ok(venue.filter(|venue| webhook.may_read(venue.kind(), begun_by(venue))))
    }

    async fn render_message(
        &self,
        webhook: &Webhook,
        message: Message,
        why: Option<&'static str>,
    ) -> Result<Option<Box<RawValue>>, AppError> {
        let Some(venue) = self.venue(webhook, &message.channel.to_string()).await? else { return Ok(None) };
        let reason = why.unwrap_or_else(|| reason(&message, &venue));
        // Nobody reads a private file by way of a webhook: it is named, without an address.
        let message = self.hooks.wire.message(self.with_author(None, &venue, message).await?);
        let data = MessageData {
            message: &message,
            reaction: None,
            channel: channel(&venue),
            audience: audience(&venue),
            reason,
        };
        raw(&data).map(Some)
    }

    async fn render_reaction(
        &self,
        webhook: &Webhook,
        message: MessageId,
        reaction: ReactionId,
    ) -> Result<Option<Box<RawValue>>, AppError> {
        let mut conn = self.store.read().await?;
        let (Some(message), Some(reaction)) =
            (conn.find_message(message).await?, conn.find_reaction(reaction).await?)
        else {
            return Ok(None);
        };
        drop(conn);
        let Some(venue) = self.venue(webhook, &message.channel.to_string()).await? else { return Ok(None) };
        let reason = match reaction.mark {
            Mark::Emoji(_) => "reaction",
            Mark::Vote(_) => "vote",
        };
        let reaction = self.hooks.wire.reaction(self.with_user(&venue, reaction).await?);
        let message = self.hooks.wire.message(self.with_author(None, &venue, message).await?);
        let data = MessageData {
            message: &message,
            reaction: Some(&reaction),
            channel: channel(&venue),
            audience: audience(&venue),
            reason,
        };
        raw(&data).map(Some)
    }

    /// What a test is told: of the form of the event, about things that are not there.
    async fn render_sample(
        &self,
        event: EventType,
        company: CompanyId,
        at: Timestamp,
    ) -> Result<Option<Box<RawValue>>, AppError> {
        use hallpass_core::id::{ChatFeedId, ExperienceId};
        let Some(record) = self.company(company).await? else { return Ok(None) };
        let author = self.shown(company, record.owner).await?;
        let channel_id = ChatFeedId::from_bits(company.bits());
        let message = Message {
            id: MessageId::from_bits(company.bits()),
            channel: channel_id.into(),
            position: 1,
            author: record.owner,
            content: Some("This is a test.".to_owned()),
            mentions: Vec::new(),
            mentions_everyone: false,
            poll: None,
            replying_to: None,
            created_at: at,
            updated_at: at,
            edited: false,
            pinned: false,
            attachments: Vec::new(),
            reacted: false,
        };
        let id = message.id;
        let channel = json!({ "id": channel_id, "type": "chat",
                              "experience_id": ExperienceId::from_bits(company.bits()) });
        let audience = json!({ "type": "channel", "user_ids": null });
        let user = json!({ "id": author.id, "username": author.username, "name": author.name });
        let data = match event {
            EventType::ChatMessageCreated | EventType::ChatReactionCreated | EventType::MessageUpdated => {
                let with_author =
                    MessageWithAuthor { message, author, tallies: Vec::new(), attachments: Vec::new() };
                let message = self.hooks.wire.message(with_author);
                let reaction = (event == EventType::ChatReactionCreated)
                    .then(|| {
                        raw(&json!({ "id": ReactionId::from_bits(company.bits()), "emoji": ":heart:",
                                     "resource_id": id, "user": user }))
                    })
                    .transpose()?;
                return raw(&MessageData {
                    message: &message,
                    reaction: reaction.as_deref(),
                    channel,
                    audience,
                    reason: "test",
                })
                .map(Some);
            }
            EventType::MessageDeleted => {
                json!({ "message_id": id, "channel": channel, "audience": audience })
            }
            EventType::UserEnrolled => json!({ "user": user }),
            EventType::TokenRevoked => json!({ "jti": null, "user_id": author.id, "api_key_id": null }),
            EventType::ApiKeyCreated => json!({ "api_key": {
                "id": ApiKeyId::from_bits(company.bits()), "name": "test", "app_id": null,
                "created_at": wire_time(at), "expires_at": null,
            } }),
            EventType::AppAuthorized => json!({ "app": { "id": self.builtin_app, "name": "Chat" } }),
        };
        raw(&data).map(Some)
    }
}
