//! Chat channels and their rules.

use axum::extract::State;
use axum::response::Response;
use hallpass_app::ChannelPatch;
use hallpass_app::channels::ChannelRef;
use hallpass_core::content::{MAX_BANNED_WORD_CHARS, MAX_BANNED_WORDS};
use hallpass_core::entity::Channel;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{ListView, PageParams};
use crate::error::ApiError;
use crate::extract::{self, Authed, JsonBody, Param, Patch, Query};
use crate::idempotent::json;
use crate::state::Http;

/// The longest pause between two posts, seconds: a week.
const MAX_COOLDOWN: i64 = 7 * 24 * 3600;

/// The experience whose feed a channel is.
#[derive(Serialize, ToSchema)]
pub(crate) struct ChannelExperienceView {
    id: String,
    name: String,
}

/// A chat channel.
#[derive(Serialize, ToSchema)]
pub(crate) struct ChannelView {
    id: String,
    experience: ChannelExperienceView,
    /// `everyone` or `admins`.
    who_can_post: &'static str,
    /// `everyone` or `no_one`.
    who_can_react: &'static str,
    ban_media: bool,
    ban_urls: bool,
    /// Empty unless the caller moderates.
    banned_words: Vec<String>,
    user_posts_cooldown_seconds: Option<u32>,
}

fn view(channel: &Channel, moderates: bool) -> ChannelView {
    let rules = &channel.rules;
    ChannelView {
        id: channel.id.to_string(),
        experience: ChannelExperienceView {
            id: channel.experience.to_string(),
            name: channel.experience_name.clone(),
        },
        who_can_post: if rules.admins_post { "admins" } else { "everyone" },
        who_can_react: if rules.no_reactions { "no_one" } else { "everyone" },
        ban_media: rules.ban_media,
        ban_urls: rules.ban_urls,
        banned_words: if moderates { rules.banned_words.clone() } else { Vec::new() },
        user_posts_cooldown_seconds: rules.cooldown_secs,
    }
}

/// List chat channels
///
/// Those the caller has access to, newest first.
#[utoipa::path(get, path = "/chat_channels", operation_id = "chat_channels.list", tag = "Chat channels",
    params(("company_id" = String, Query), ("product_id" = Option<String>, Query), PageParams),
    responses((status = 200, body = ListView<ChannelView>)))]
pub(crate) async fn list(
    State(http): State<Http>,
    Authed(caller): Authed,
    query: Query,
) -> Result<Response, ApiError> {
    let company = extract::required("company_id", query.company()?)?;
    let page = http.app.list_channels(&caller, company, query.id("product_id")?, &query.page()?).await?;
    Ok(json(&ListView::of(page, |(channel, moderates)| view(&channel, moderates))))
}

/// Retrieve a chat channel
#[utoipa::path(get, path = "/chat_channels/{id}", operation_id = "chat_channels.retrieve",
    tag = "Chat channels",
    params(("id" = String, Path, description = "The channel's id, or its experience's.")),
    responses((status = 200, body = ChannelView)))]
pub(crate) async fn retrieve(
    State(http): State<Http>,
    Authed(caller): Authed,
    Param(id): Param,
) -> Result<Response, ApiError> {
    let (channel, moderates) = http.app.retrieve_channel(&caller, ChannelRef::parse("id", &id)?).await?;
    Ok(json(&view(&channel, moderates)))
}

/// What to change of a channel's rules. Null changes nothing, except that it lifts the cooldown.
#[derive(Deserialize, ToSchema)]
pub(crate) struct UpdateChannelBody {
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    who_can_post: Patch<String>,
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    who_can_react: Patch<String>,
    #[serde(default)]
    #[schema(value_type = Option<bool>)]
    ban_media: Patch<bool>,
    #[serde(default)]
    #[schema(value_type = Option<bool>)]
    ban_urls: Patch<bool>,
    #[serde(default)]
    #[schema(value_type = Option<Vec<String>>)]
    banned_words: Patch<Vec<String>>,
    /// At most a week.
    #[serde(default)]
    #[schema(value_type = Option<i64>)]
    user_posts_cooldown_seconds: Patch<i64>,
}

/// Update a chat channel
#[utoipa::path(patch, path = "/chat_channels/{id}", operation_id = "chat_channels.update",
    tag = "Chat channels",
    params(("id" = String, Path, description = "The channel's id, or its experience's.")),
    request_body = UpdateChannelBody, responses((status = 200, body = ChannelView)))]
pub(crate) async fn update(
    State(http): State<Http>,
    Authed(caller): Authed,
    Param(id): Param,
    body: JsonBody<UpdateChannelBody>,
) -> Result<Response, ApiError> {
    let which = ChannelRef::parse("id", &id)?;
    let body = body.value;
    let patch = ChannelPatch {
        admins_post: either("who_can_post", body.who_can_post.value(), ["everyone", "admins"])?,
        no_reactions: either("who_can_react", body.who_can_react.value(), ["everyone", "no_one"])?,
        ban_media: body.ban_media.value(),
        ban_urls: body.ban_urls.value(),
        banned_words: body.banned_words.value().map(|words| banned_words(&words)).transpose()?,
        cooldown_secs: body
            .user_posts_cooldown_seconds
            .clearable(cooldown)?
            .map(|secs| secs.filter(|s| *s > 0)),
    };
    let (channel, moderates) = http.app.update_channel(&caller, which, patch).await?;
    Ok(json(&view(&channel, moderates)))
}

/// Whether the second of two words was said.
fn either(param: &str, word: Option<String>, words: [&str; 2]) -> Result<Option<bool>, ApiError> {
    match word {
        None => Ok(None),
        Some(word) if word == words[0] => Ok(Some(false)),
        Some(word) if word == words[1] => Ok(Some(true)),
        Some(_) => Err(ApiError::invalid(param, format!("{param} is {} or {}", words[0], words[1]))),
    }
}

fn banned_words(words: &[String]) -> Result<Vec<String>, ApiError> {
    if words.len() > MAX_BANNED_WORDS {
        return Err(ApiError::invalid("banned_words", format!("more than {MAX_BANNED_WORDS} words")));
    }
    words.iter().map(|word| extract::text("banned_words", word, MAX_BANNED_WORD_CHARS)).collect()
}

fn cooldown(secs: i64) -> Result<u32, ApiError> {
    u32::try_from(secs).ok().filter(|_| secs <= MAX_COOLDOWN).ok_or_else(|| {
        ApiError::invalid(
            "user_posts_cooldown_seconds",
            format!("user_posts_cooldown_seconds is 0 to {MAX_COOLDOWN}"),
        )
    })
}
