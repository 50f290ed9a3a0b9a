//! Messages.

use axum::extract::State;
use axum::response::Response;
use hallpass_app::Shown;
use hallpass_app::channels::VenueRef;
use hallpass_app::files::Attachment;
use hallpass_app::messages::{EditMessage, MessageWithAuthor, SendMessage};
use hallpass_core::channel::ChannelId;
use hallpass_core::entity::{MessageEdit, PollOption};
use hallpass_core::id::{FileId, MessageId, UserId};
use hallpass_core::reaction::{Mark, Tally};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::files::FileRef;
use super::{ListView, PageParams, UrlView, time};
use crate::error::ApiError;
use crate::extract::{self, Authed, JsonBody, Param, Patch, Query};
use crate::idempotent::{Post, json};
use crate::state::Http;

const MAX_ATTACHMENTS: usize = 20;
const MAX_POLL_OPTIONS: usize = 20;
const MAX_POLL_OPTION_CHARS: usize = 200;

/// A message's author, as the channel's company shows them.
#[derive(Serialize, ToSchema)]
pub(crate) struct AuthorView<'m> {
    #[schema(value_type = String)]
    id: UserId,
    name: Option<&'m str>,
    username: &'m str,
    /// Ours, beyond the contract.
    profile_picture: Option<UrlView>,
}

impl<'m> AuthorView<'m> {
    pub(super) fn of(author: &'m Shown) -> Self {
        Self {
            id: author.id,
            name: author.name.as_deref(),
            username: &author.username,
            profile_picture: UrlView::of(author.picture.as_deref()),
        }
    }
}

/// An option of a poll.
#[derive(Serialize, Deserialize, ToSchema)]
pub(crate) struct PollOptionView {
    /// "1", "2", … in order.
    id: String,
    text: String,
}

/// A poll.
#[derive(Serialize, ToSchema)]
pub(crate) struct PollView {
    options: Option<Vec<PollOptionView>>,
}

/// Votes for one option.
#[derive(Serialize, ToSchema)]
pub(crate) struct PollVoteView {
    count: i64,
    option_id: Option<String>,
}

/// Reactions of one kind.
#[derive(Serialize, ToSchema)]
pub(crate) struct ReactionCountView {
    count: i64,
    emoji: Option<&'static str>,
}

/// A file of a message.
#[derive(Serialize, ToSchema)]
pub(crate) struct AttachmentView<'m> {
    #[schema(value_type = String)]
    id: FileId,
    filename: &'m str,
    content_type: Option<&'m str>,
    /// In bytes, as a decimal number.
    size: Option<String>,
    /// For good, or for five minutes and this reader if the file is private.
    url: Option<&'m str>,
}

fn attachment(attachment: &Attachment) -> AttachmentView<'_> {
    AttachmentView {
        id: attachment.file.id,
        filename: &attachment.file.filename,
        content_type: attachment.file.content_type.as_deref(),
        size: attachment.file.size_bytes.map(|bytes| bytes.to_string()),
        url: attachment.url.as_deref(),
    }
}

/// A message.
#[derive(Serialize, ToSchema)]
pub(crate) struct MessageView<'m> {
    #[schema(value_type = String)]
    id: MessageId,
    /// Ours, beyond the contract.
    #[schema(value_type = String)]
    channel_id: ChannelId,
    /// Markdown, as sent.
    content: Option<&'m str>,
    #[schema(format = DateTime)]
    created_at: String,
    #[schema(format = DateTime)]
    updated_at: String,
    is_edited: bool,
    is_pinned: bool,
    /// Ids of the users mentioned.
    #[schema(value_type = Vec<String>)]
    mentions: &'m [UserId],
    mentions_everyone: bool,
    message_type: &'static str,
    poll: Option<PollView>,
    poll_votes: Vec<PollVoteView>,
    reaction_counts: Vec<ReactionCountView>,
    #[schema(value_type = Option<String>)]
    replying_to_message_id: Option<MessageId>,
    user: AuthorView<'m>,
    view_count: Option<i64>,
    /// Ours, beyond the contract.
    attachments: Vec<AttachmentView<'m>>,
}

/// A message on its way out. Its view borrows from it, so that a page is not copied to be written.
pub(crate) struct Viewed(pub(crate) MessageWithAuthor);

impl Serialize for Viewed {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let (message, author) = (&self.0.message, &self.0.author);
        let options = message.poll.as_deref().unwrap_or_default();
        let votes = |option: &PollOption| {
            let is_it = |tally: &&Tally| matches!(&tally.mark, Mark::Vote(id) if *id == option.id);
            self.0.tallies.iter().find(is_it).map_or(0, |tally| tally.count)
        };
        let created_at = time(message.created_at);
        let untouched = message.updated_at == message.created_at;
        let view = MessageView {
            id: message.id,
            channel_id: message.channel,
            content: message.content.as_deref(),
            updated_at: if untouched { created_at.clone() } else { time(message.updated_at) },
            created_at,
            is_edited: message.edited,
            is_pinned: message.pinned,
            mentions: &message.mentions,
            mentions_everyone: message.mentions_everyone,
            message_type: "regular",
            poll_votes: options
                .iter()
                .map(|option| PollVoteView { count: votes(option), option_id: Some(option.id.clone()) })
                .collect(),
            poll: (!options.is_empty()).then(|| PollView {
                options: Some(
                    options
                        .iter()
                        .map(|option| PollOptionView { id: option.id.clone(), text: option.text.clone() })
                        .collect(),
                ),
            }),
            reaction_counts: self
                .0
                .tallies
                .iter()
                .filter_map(|tally| match &tally.mark {
                    Mark::Emoji(emoji) => {
                        Some(ReactionCountView { count: tally.count, emoji: Some(emoji.shortcode()) })
                    }
                    Mark::Vote(_) => None,
                })
                .collect(),
            replying_to_message_id: message.replying_to,
            user: AuthorView::of(author),
            view_count: None,
            attachments: self.0.attachments.iter().map(attachment).collect(),
        };
        view.serialize(serializer)
    }
}

/// What to send.
#[derive(Deserialize, ToSchema)]
pub(crate) struct SendBody {
    /// A channel's id, or its experience's.
    #[schema(value_type = String)]
    channel_id: Option<String>,
    /// Markdown, at most 20,000 characters.
    #[schema(value_type = String)]
    content: Option<String>,
    /// At most 20 files that are `ready` and that the caller made.
    attachments: Option<Vec<FileRef>>,
    /// Accepted; links are not previewed by the server.
    #[expect(dead_code, reason = "accepted for compatibility; there are no previews to switch off")]
    auto_detect_links: Option<bool>,
    poll: Option<PollBody>,
    /// A message of the same channel.
    replying_to_message_id: Option<String>,
}

/// A poll to hold.
#[derive(Deserialize, ToSchema)]
pub(crate) struct PollBody {
    /// 2 to 20, with ids "1", "2", … in order.
    options: Vec<PollOptionView>,
}

/// Send a message
///
/// The answer means that the message is on disk.
#[utoipa::path(post, path = "/messages", operation_id = "messages.create", tag = "Messages",
    request_body = SendBody, responses((status = 200, body = MessageView)))]
pub(crate) async fn create(
    post: Post,
    JsonBody { value: body, bytes }: JsonBody<SendBody>,
) -> Result<Response, ApiError> {
    let channel = extract::required("channel_id", body.channel_id.as_deref())?;
    let ask = SendMessage {
        channel: VenueRef::parse("channel_id", channel)?,
        content: extract::required("content", body.content)?,
        poll: body.poll.map(poll).transpose()?,
        replying_to: extract::id_opt("replying_to_message_id", body.replying_to_message_id.as_deref())?,
        attachments: attached(&body.attachments.unwrap_or_default())?,
    };
    let channel = ask.channel;
    post.once_by_id(
        bytes,
        |sent: &Viewed| sent.0.message.id,
        move |app, by, id| async move { Ok(Viewed(app.sent_message(&by, channel, id).await?)) },
        move |app, by, ticket| async move { Ok(Viewed(app.send_message(&by, ask, ticket).await?)) },
    )
    .await
}

fn attached(attachments: &[FileRef]) -> Result<Vec<FileId>, ApiError> {
    if attachments.len() > MAX_ATTACHMENTS {
        return Err(ApiError::invalid("attachments", format!("more than {MAX_ATTACHMENTS} attachments")));
    }
    let mut files = Vec::with_capacity(attachments.len());
    for attachment in attachments {
        let id = extract::required("attachments", attachment.file("attachments")?)?;
        // The same file twice is one attachment.
        if !files.contains(&id) {
            files.push(id);
        }
    }
    Ok(files)
}

fn poll(body: PollBody) -> Result<Vec<PollOption>, ApiError> {
    let count = body.options.len();
    if !(2..=MAX_POLL_OPTIONS).contains(&count) {
        return Err(ApiError::unprocessable(
            "poll_options",
            "poll",
            format!("a poll has 2 to {MAX_POLL_OPTIONS} options"),
        ));
    }
    body.options
        .into_iter()
        .zip(1..)
        .map(|(option, place)| {
            if option.id != place.to_string() {
                return Err(ApiError::unprocessable(
                    "poll_options",
                    "poll",
                    "the options' ids are \"1\", \"2\", … in order",
                ));
            }
            Ok(PollOption {
                id: option.id,
                text: extract::text("poll", &option.text, MAX_POLL_OPTION_CHARS)?,
            })
        })
        .collect()
}

/// List messages
///
/// Newest first unless `direction` is `asc`.
#[utoipa::path(get, path = "/messages", operation_id = "messages.list", tag = "Messages",
    params(("channel_id" = String, Query, description = "A channel's id, or its experience's."),
           ("direction" = Option<String>, Query), PageParams),
    responses((status = 200, body = ListView<MessageView>)))]
pub(crate) async fn list(
    State(http): State<Http>,
    Authed(caller): Authed,
    query: Query,
) -> Result<Response, ApiError> {
    let channel = extract::required("channel_id", query.one("channel_id")?)?;
    let channel = VenueRef::parse("channel_id", channel)?;
    let page = Box::pin(http.app.list_messages(&caller, channel, &query.page()?)).await?;
    Ok(json(&ListView::of(page, Viewed)))
}

/// Retrieve a message
#[utoipa::path(get, path = "/messages/{id}", operation_id = "messages.retrieve", tag = "Messages",
    params(("id" = String, Path)), responses((status = 200, body = MessageView)))]
pub(crate) async fn retrieve(
    State(http): State<Http>,
    Authed(caller): Authed,
    Param(id): Param,
) -> Result<Response, ApiError> {
    Ok(json(&Viewed(http.app.retrieve_message(&caller, extract::id("id", &id)?).await?)))
}

/// What to change of a message.
#[derive(Deserialize, ToSchema)]
pub(crate) struct UpdateMessageBody {
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    content: Patch<String>,
    #[serde(default)]
    #[schema(value_type = Option<bool>)]
    is_pinned: Patch<bool>,
    /// Replaces all attachments; null leaves them.
    attachments: Option<Vec<FileRef>>,
}

/// Update a message
///
/// Its text, by its author; its pin, by those who moderate the channel, in a support chat by the team.
#[utoipa::path(patch, path = "/messages/{id}", operation_id = "messages.update", tag = "Messages",
    params(("id" = String, Path)), request_body = UpdateMessageBody,
    responses((status = 200, body = MessageView)))]
pub(crate) async fn update(
    State(http): State<Http>,
    Authed(caller): Authed,
    Param(id): Param,
    body: JsonBody<UpdateMessageBody>,
) -> Result<Response, ApiError> {
    let body = body.value;
    let edit = EditMessage {
        content: body.content.value(),
        pinned: body.is_pinned.value(),
        attachments: body.attachments.as_deref().map(attached).transpose()?,
    };
    Ok(json(&Viewed(http.app.edit_message(&caller, extract::id("id", &id)?, edit).await?)))
}

/// What a message said before an edit.
#[derive(Serialize, ToSchema)]
pub(crate) struct MessageEditView {
    /// Markdown, as sent.
    content: String,
    #[schema(format = DateTime)]
    replaced_at: String,
}

/// List what a message said before its edits (extension)
///
/// The latest first; for its author and those who moderate the channel.
#[utoipa::path(get, path = "/messages/{id}/edits", operation_id = "messages.edits", tag = "Messages",
    params(("id" = String, Path), ("direction" = Option<String>, Query), PageParams),
    responses((status = 200, body = ListView<MessageEditView>)))]
pub(crate) async fn edits(
    State(http): State<Http>,
    Authed(caller): Authed,
    Param(id): Param,
    query: Query,
) -> Result<Response, ApiError> {
    let page = http.app.list_message_edits(&caller, extract::id("id", &id)?, &query.page()?).await?;
    let view =
        |edit: MessageEdit| MessageEditView { content: edit.content, replaced_at: time(edit.replaced_at) };
    Ok(json(&ListView::of(page, view)))
}

/// Delete a message
///
/// By its author, or those who moderate the channel.
#[utoipa::path(delete, path = "/messages/{id}", operation_id = "messages.delete", tag = "Messages",
    params(("id" = String, Path)), responses((status = 200, body = bool)))]
pub(crate) async fn delete(
    State(http): State<Http>,
    Authed(caller): Authed,
    Param(id): Param,
) -> Result<Response, ApiError> {
    http.app.delete_message(&caller, extract::id("id", &id)?).await?;
    Ok(json(&true))
}
