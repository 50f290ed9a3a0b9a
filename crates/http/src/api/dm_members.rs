//! Who is in a direct message.

use axum::extract::State;
use axum::response::Response;
use hallpass_core::entity::{FeedMember, FeedStatus, Notifications};
use hallpass_core::id::FeedMemberId;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::dm_channels::somebody;
use super::{ListView, PageParams, millis};
use crate::error::ApiError;
use crate::extract::{self, Authed, JsonBody, Param, Patch, Query};
use crate::idempotent::{Post, json};
use crate::state::Http;

/// A member of a direct message, as lists show them.
#[derive(Serialize, ToSchema)]
pub(crate) struct DmMemberListItem {
    id: String,
    channel_id: String,
    user_id: String,
    /// `requested`, `accepted`, `hidden`, `closed` or `archived`.
    status: &'static str,
    /// Unix milliseconds, as text.
    last_viewed_at: Option<String>,
    /// Ours, beyond the contract.
    is_admin: bool,
}

/// A member of a direct message.
#[derive(Serialize, ToSchema)]
pub(crate) struct DmMemberView {
    #[serde(skip)]
    member: FeedMemberId,
    #[serde(flatten)]
    item: DmMemberListItem,
    /// `all`, `mentions` or `none`.
    notification_preference: &'static str,
}

fn item(member: &FeedMember) -> DmMemberListItem {
    DmMemberListItem {
        id: member.id.to_string(),
        channel_id: member.feed.to_string(),
        user_id: member.user.to_string(),
        status: member.status.name(),
        last_viewed_at: member.last_viewed_at.map(millis),
        is_admin: member.admin,
    }
}

fn view(member: &FeedMember) -> DmMemberView {
    let notification_preference = member.notifications.name();
    DmMemberView { member: member.id, notification_preference, item: item(member) }
}

/// List the members of a direct message
///
/// By when they came.
#[utoipa::path(get, path = "/dm_members", operation_id = "dm_members.list", tag = "Direct messages",
    params(("channel_id" = String, Query), PageParams),
    responses((status = 200, body = ListView<DmMemberListItem>)))]
pub(crate) async fn list(
    State(http): State<Http>,
    Authed(caller): Authed,
    query: Query,
) -> Result<Response, ApiError> {
    let feed = extract::required("channel_id", query.id("channel_id")?)?;
    let page = http.app.list_feed_members(&caller, feed, &query.page()?).await?;
    Ok(json(&ListView::of(page, |member| item(&member))))
}

/// Whom to add.
#[derive(Deserialize, ToSchema)]
pub(crate) struct CreateDmMemberBody {
    #[schema(value_type = String)]
    channel_id: Option<String>,
    /// An id, a username or an address.
    #[schema(value_type = String)]
    user_id: Option<String>,
}

/// Add somebody to a direct message
///
/// By its admins. Who is in it already stays as they are.
#[utoipa::path(post, path = "/dm_members", operation_id = "dm_members.create", tag = "Direct messages",
    request_body = CreateDmMemberBody, responses((status = 200, body = DmMemberView)))]
pub(crate) async fn create(
    post: Post,
    JsonBody { value: body, bytes }: JsonBody<CreateDmMemberBody>,
) -> Result<Response, ApiError> {
    let feed = extract::required("channel_id", body.channel_id.as_deref())?;
    let feed = extract::id("channel_id", feed)?;
    let user = somebody("user_id", extract::required("user_id", body.user_id.as_deref())?)?;
    post.once_by_id(
        bytes,
        |added: &DmMemberView| added.member,
        move |app, by, id| async move { Ok(view(&app.added_feed_member(&by, id).await?)) },
        move |app, by, ticket| async move { Ok(view(&app.add_feed_member(&by, feed, user, ticket).await?)) },
    )
    .await
}

/// Retrieve a member of a direct message
#[utoipa::path(get, path = "/dm_members/{id}", operation_id = "dm_members.retrieve", tag = "Direct messages",
    params(("id" = String, Path)), responses((status = 200, body = DmMemberView)))]
pub(crate) async fn retrieve(
    State(http): State<Http>,
    Authed(caller): Authed,
    Param(id): Param,
) -> Result<Response, ApiError> {
    Ok(json(&view(&http.app.retrieve_feed_member(&caller, extract::id("id", &id)?).await?)))
}

/// What to change of one's own membership. Null changes nothing.
#[derive(Deserialize, ToSchema)]
pub(crate) struct UpdateDmMemberBody {
    /// `requested`, `accepted`, `hidden`, `closed` or `archived`.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    status: Patch<String>,
    /// `all`, `mentions` or `none`.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    notification_preference: Patch<String>,
}

/// Update one's own membership of a direct message
#[utoipa::path(patch, path = "/dm_members/{id}", operation_id = "dm_members.update", tag = "Direct messages",
    params(("id" = String, Path)), request_body = UpdateDmMemberBody,
    responses((status = 200, body = DmMemberView)))]
pub(crate) async fn update(
    State(http): State<Http>,
    Authed(caller): Authed,
    Param(id): Param,
    body: JsonBody<UpdateDmMemberBody>,
) -> Result<Response, ApiError> {
    let id = extract::id("id", &id)?;
    let body = body.value;
    let status = named("status", body.status, FeedStatus::parse)?;
    let notifications = named("notification_preference", body.notification_preference, Notifications::parse)?;
    Ok(json(&view(&http.app.update_feed_member(&caller, id, status, notifications).await?)))
}

fn named<T>(
    param: &str,
    name: Patch<String>,
    parse: impl Fn(&str) -> Option<T>,
) -> Result<Option<T>, ApiError> {
    let unknown = || ApiError::invalid(param, format!("{param} is none of the known words"));
    name.value().map(|name| parse(&name).ok_or_else(unknown)).transpose()
}

/// Remove somebody from a direct message
///
/// By its admins; oneself by anybody, for which `dms:read` is enough. Removing others takes
/// `dms:channel:manage` or `dms:message:manage`. The last admin hands on to whoever came first; the last
/// member ends it with `dms:channel:manage`, and without leaves it empty, where nobody enters any more.
#[utoipa::path(delete, path = "/dm_members/{id}", operation_id = "dm_members.delete", tag = "Direct messages",
    params(("id" = String, Path)), responses((status = 200, body = bool)))]
pub(crate) async fn delete(
    State(http): State<Http>,
    Authed(caller): Authed,
    Param(id): Param,
) -> Result<Response, ApiError> {
    http.app.remove_feed_member(&caller, extract::id("id", &id)?).await?;
    Ok(json(&true))
}
