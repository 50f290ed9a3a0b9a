//! Reactions, and votes in polls.

use axum::extract::State;
use axum::response::Response;
use hallpass_app::reactions::{ReactionWithUser, WhichReaction};
use hallpass_core::emoji::Emoji;
use hallpass_core::id::{MessageId, ReactionId};
use hallpass_core::reaction::Mark;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::messages::AuthorView;
use super::{ListView, PageParams};
use crate::error::ApiError;
use crate::extract::{self, Authed, JsonBody, Param, Query};
use crate::idempotent::{Post, json};
use crate::state::Http;

const MAX_OPTION_CHARS: usize = 10;

/// A reaction, or a vote.
#[derive(Serialize, ToSchema)]
pub(crate) struct ReactionView<'r> {
    #[schema(value_type = String)]
    id: ReactionId,
    /// The message's id.
    #[schema(value_type = String)]
    resource_id: MessageId,
    /// As a shortcode, `:heart:`; null for a vote.
    emoji: Option<&'static str>,
    user: AuthorView<'r>,
    /// For what was voted. Ours, beyond the contract.
    poll_option_id: Option<&'r str>,
}

/// A reaction on its way out.
pub(crate) struct Viewed(pub(crate) ReactionWithUser);

impl Serialize for Viewed {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let ReactionWithUser { reaction, user } = &self.0;
        let (emoji, option) = match &reaction.mark {
            Mark::Emoji(emoji) => (Some(emoji.shortcode()), None),
            Mark::Vote(option) => (None, Some(option.as_str())),
        };
        let view = ReactionView {
            id: reaction.id,
            resource_id: reaction.message,
            emoji,
            user: AuthorView::of(user),
            poll_option_id: option,
        };
        view.serialize(serializer)
    }
}

/// How to react.
#[derive(Deserialize, ToSchema)]
pub(crate) struct ReactBody {
    /// A message's id.
    #[schema(value_type = String)]
    resource_id: Option<String>,
    /// A shortcode (`:heart:`) or an emoji. This or `poll_option_id`.
    emoji: Option<String>,
    /// An option of the message's poll, to vote for it. This or `emoji`.
    poll_option_id: Option<String>,
}

/// List reactions
///
/// Newest first unless `direction` is `asc`; votes are among them.
#[utoipa::path(get, path = "/reactions", operation_id = "reactions.list", tag = "Reactions",
    params(("resource_id" = String, Query, description = "A message's id."),
           ("direction" = Option<String>, Query), PageParams),
    responses((status = 200, body = ListView<ReactionView>)))]
pub(crate) async fn list(
    State(http): State<Http>,
    Authed(caller): Authed,
    query: Query,
) -> Result<Response, ApiError> {
    let message = extract::id("resource_id", extract::required("resource_id", query.one("resource_id")?)?)?;
    let page = http.app.list_reactions(&caller, message, &query.page()?).await?;
    Ok(json(&ListView::of(page, Viewed)))
}

/// React to a message
///
/// Or vote in its poll. The same again answers the reaction that is there; a vote for another option
/// moves the one that is there.
#[utoipa::path(post, path = "/reactions", operation_id = "reactions.create", tag = "Reactions",
    request_body = ReactBody, responses((status = 200, body = ReactionView)))]
pub(crate) async fn create(
    post: Post,
    JsonBody { value: body, bytes }: JsonBody<ReactBody>,
) -> Result<Response, ApiError> {
    let message = extract::required("resource_id", body.resource_id.as_deref())?;
    let message: MessageId = extract::id("resource_id", message)?;
    let mark = mark(body.emoji.as_deref(), body.poll_option_id.as_deref())?;
    post.once_by_id(
        bytes,
        |made: &Viewed| made.0.reaction.id,
        move |app, by, id| async move { Ok(Viewed(app.made_reaction(&by, id).await?)) },
        move |app, by, ticket| async move { Ok(Viewed(app.react(&by, message, mark, ticket).await?)) },
    )
    .await
}

/// Exactly one of the two.
fn mark(emoji: Option<&str>, option: Option<&str>) -> Result<Mark, ApiError> {
    match (emoji, option) {
        (Some(_), Some(_)) => {
            Err(ApiError::invalid("poll_option_id", "emoji and poll_option_id exclude each other"))
        }
        (Some(emoji), None) => Emoji::parse(emoji).map(Mark::Emoji).map_err(|unknown| {
            ApiError::unprocessable("unknown_emoji", "emoji", format!("emoji is {unknown}"))
        }),
        (None, Some(option)) => extract::bounded("poll_option_id", option, MAX_OPTION_CHARS).map(Mark::Vote),
        (None, None) => extract::required("emoji", None),
    }
}

/// Retrieve a reaction
#[utoipa::path(get, path = "/reactions/{id}", operation_id = "reactions.retrieve", tag = "Reactions",
    params(("id" = String, Path)), responses((status = 200, body = ReactionView)))]
pub(crate) async fn retrieve(
    State(http): State<Http>,
    Authed(caller): Authed,
    Param(id): Param,
) -> Result<Response, ApiError> {
    Ok(json(&Viewed(http.app.retrieve_reaction(&caller, extract::id("id", &id)?).await?)))
}

/// Delete a reaction
///
/// By whose it is, or those who moderate the channel. With a message's id, the caller's own: the one with
/// `emoji`, or the vote for `poll_option_id`.
#[utoipa::path(delete, path = "/reactions/{id}", operation_id = "reactions.delete", tag = "Reactions",
    params(("id" = String, Path, description = "A reaction's id, or a message's."),
           ("emoji" = Option<String>, Query, description = "With a message's id: which reaction."),
           ("poll_option_id" = Option<String>, Query,
            description = "With a message's id: which vote. Ours, beyond the contract.")),
    responses((status = 200, body = bool)))]
pub(crate) async fn delete(
    State(http): State<Http>,
    Authed(caller): Authed,
    Param(id): Param,
    query: Query,
) -> Result<Response, ApiError> {
    let which = if let Ok(id) = id.parse() {
        WhichReaction::Id(id)
    } else {
        let neither = |_| ApiError::invalid("id", "id is neither a reaction's id nor a message's");
        let message = id.parse().map_err(neither)?;
        WhichReaction::Own(message, mark(query.one("emoji")?, query.one("poll_option_id")?)?)
    };
    http.app.delete_reaction(&caller, which).await?;
    Ok(json(&true))
}
