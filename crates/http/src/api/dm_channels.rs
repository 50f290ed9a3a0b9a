//! Direct messages, and the support chats among them.

use axum::extract::State;
use axum::response::Response;
use hallpass_app::direct_messages::CreateDirectMessage;
use hallpass_core::entity::Feed;
use hallpass_core::id::FeedId;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{ListView, PageParams, millis, time};
use crate::error::ApiError;
use crate::extract::{self, Authed, JsonBody, Param, Patch, Query};
use crate::idempotent::{Post, json};
use crate::state::Http;

const MAX_NAME: usize = 255;
/// How many names a request may give, twice or not.
const MAX_NAMED: usize = 100;
/// The longest address, which is the longest of what names somebody.
const MAX_NAME_OF_SOMEBODY: usize = 254;

/// A direct message or support chat.
#[derive(Serialize, ToSchema)]
pub(crate) struct DmChannelView {
    #[serde(skip)]
    feed: FeedId,
    id: String,
    name: Option<String>,
    /// Unix milliseconds, as text.
    created_at: String,
    #[schema(format = DateTime)]
    last_message_at: Option<String>,
    /// Ours, beyond the contract.
    company_id: String,
}

fn view(feed: Feed) -> DmChannelView {
    DmChannelView {
        feed: feed.id,
        id: feed.id.to_string(),
        name: feed.custom_name,
        created_at: millis(feed.created_at),
        last_message_at: feed.last_message_at.map(time),
        company_id: feed.company.to_string(),
    }
}

/// List direct messages
///
/// The caller's, the last active first; among them the support chat whose customer the caller is. A key's are
/// those that keys began.
#[utoipa::path(get, path = "/dm_channels", operation_id = "dm_channels.list", tag = "Direct messages",
    params(("company_id" = Option<String>, Query), PageParams),
    responses((status = 200, body = ListView<DmChannelView>)))]
pub(crate) async fn list(
    State(http): State<Http>,
    Authed(caller): Authed,
    query: Query,
) -> Result<Response, ApiError> {
    let page = http.app.list_direct_messages(&caller, query.company()?, &query.page()?).await?;
    Ok(json(&ListView::of(page, view)))
}

/// What direct message to begin.
#[derive(Deserialize, ToSchema)]
pub(crate) struct CreateDmChannelBody {
    /// Ids, usernames or addresses, at most 49 other people. Addresses need `member:email:read`.
    #[schema(value_type = Vec<String>)]
    with_user_ids: Option<Vec<String>>,
    /// Default: the credential's company.
    company_id: Option<String>,
    /// The same as `company_id`.
    account_id: Option<String>,
    /// At most 255 characters.
    custom_name: Option<String>,
}

/// Begin a direct message
///
/// With the same people again: the one there is, as it is, unless the caller has left it.
#[utoipa::path(post, path = "/dm_channels", operation_id = "dm_channels.create", tag = "Direct messages",
    request_body = CreateDmChannelBody, responses((status = 200, body = DmChannelView)))]
pub(crate) async fn create(
    post: Post,
    JsonBody { value: body, bytes }: JsonBody<CreateDmChannelBody>,
) -> Result<Response, ApiError> {
    let with = extract::required("with_user_ids", body.with_user_ids)?;
    if with.len() > MAX_NAMED {
        return Err(ApiError::unprocessable(
            "too_many_members",
            "with_user_ids",
            format!("with_user_ids has more than {MAX_NAMED} items"),
        ));
    }
    let with = with.iter().map(|name| somebody("with_user_ids", name)).collect::<Result<Vec<_>, _>>()?;
    let ask = CreateDirectMessage {
        with,
        company: extract::company(
            ["company_id", "account_id"],
            body.company_id.as_deref(),
            body.account_id.as_deref(),
        )?,
        custom_name: body
            .custom_name
            .as_deref()
            .map(|name| extract::text("custom_name", name, MAX_NAME))
            .transpose()?,
    };
    post.once_by_id(
        bytes,
        |made: &DmChannelView| made.feed,
        move |app, by, id| async move { Ok(view(app.created_direct_message(&by, id).await?)) },
        move |app, by, ticket| async move { Ok(view(app.create_direct_message(&by, ask, ticket).await?)) },
    )
    .await
}

/// What names somebody: an id, a username or an address.
pub(crate) fn somebody(param: &str, name: &str) -> Result<String, ApiError> {
    if name.is_empty() || name.len() > MAX_NAME_OF_SOMEBODY {
        let message = format!("{param} names people by id, username or address");
        return Err(ApiError::invalid(param, message));
    }
    Ok(name.to_owned())
}

/// Retrieve a direct message
///
/// Or a support chat.
#[utoipa::path(get, path = "/dm_channels/{id}", operation_id = "dm_channels.retrieve", tag = "Direct messages",
    params(("id" = String, Path)), responses((status = 200, body = DmChannelView)))]
pub(crate) async fn retrieve(
    State(http): State<Http>,
    Authed(caller): Authed,
    Param(id): Param,
) -> Result<Response, ApiError> {
    Ok(json(&view(http.app.retrieve_direct_message(&caller, extract::id("id", &id)?).await?)))
}

/// What to change of a direct message.
#[derive(Deserialize, ToSchema)]
pub(crate) struct UpdateDmChannelBody {
    /// Null takes the name away.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    custom_name: Patch<String>,
}

/// Rename a direct message
///
/// By its admins; a support chat by the team.
#[utoipa::path(patch, path = "/dm_channels/{id}", operation_id = "dm_channels.update", tag = "Direct messages",
    params(("id" = String, Path)), request_body = UpdateDmChannelBody,
    responses((status = 200, body = DmChannelView)))]
pub(crate) async fn update(
    State(http): State<Http>,
    Authed(caller): Authed,
    Param(id): Param,
    body: JsonBody<UpdateDmChannelBody>,
) -> Result<Response, ApiError> {
    let id: FeedId = extract::id("id", &id)?;
    let name = body.value.custom_name.clearable(|name| extract::text("custom_name", &name, MAX_NAME))?;
    Ok(json(&view(http.app.rename_direct_message(&caller, id, name).await?)))
}

/// Delete a direct message
///
/// With all that was said in it, by its admins; a support chat by the team.
#[utoipa::path(delete, path = "/dm_channels/{id}", operation_id = "dm_channels.delete", tag = "Direct messages",
    params(("id" = String, Path)), responses((status = 200, body = bool)))]
pub(crate) async fn delete(
    State(http): State<Http>,
    Authed(caller): Authed,
    Param(id): Param,
) -> Result<Response, ApiError> {
    http.app.delete_direct_message(&caller, extract::id("id", &id)?).await?;
    Ok(json(&true))
}
