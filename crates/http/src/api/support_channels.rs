//! Support chats.

use axum::extract::State;
use axum::response::Response;
use bytes::Bytes;
use hallpass_app::support_chats::{CreateSupportChat, ListSupportChats, SupportChat, SupportView};
use hallpass_core::id::FeedId;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::dm_channels::somebody;
use super::{ListView, PageParams, time};
use crate::error::ApiError;
use crate::extract::{self, Authed, JsonBody, Param, Query};
use crate::idempotent::{Post, json};
use crate::state::Http;

const MAX_NAME: usize = 255;
const VIEWS: [&str; 3] = ["all", "admin", "customer"];
const ORDERS: [&str; 2] = ["created_at", "last_post_sent_at"];

/// The customer of a support chat.
#[derive(Serialize, ToSchema)]
pub(crate) struct CustomerView {
    id: String,
    name: Option<String>,
    username: String,
}

/// A support chat.
#[derive(Serialize, ToSchema)]
pub(crate) struct SupportChannelView {
    #[serde(skip)]
    feed: FeedId,
    id: String,
    company_id: Option<String>,
    /// The same as `company_id`.
    account_id: Option<String>,
    custom_name: Option<String>,
    customer_user: Option<CustomerView>,
    #[schema(format = DateTime)]
    last_message_at: Option<String>,
    /// Null while it awaits a response.
    #[schema(format = DateTime)]
    resolved_at: Option<String>,
}

fn view(chat: SupportChat) -> SupportChannelView {
    let SupportChat { feed, customer } = chat;
    SupportChannelView {
        feed: feed.id,
        id: feed.id.to_string(),
        company_id: Some(feed.company.to_string()),
        account_id: Some(feed.company.to_string()),
        custom_name: feed.custom_name,
        customer_user: customer.map(|customer| CustomerView {
            id: customer.id.to_string(),
            name: customer.name.clone(),
            username: customer.username.clone(),
        }),
        last_message_at: feed.last_message_at.map(time),
        resolved_at: feed.resolved_at.map(time),
    }
}

/// List support chats
///
/// The team and keys see the company's, keys those of its connected accounts too; a customer sees their own.
/// The last active first unless asked otherwise; one in which nothing was said yet counts as of its creation.
#[utoipa::path(get, path = "/support_channels", operation_id = "support_channels.list", tag = "Support chats",
    params(("company_id" = Option<String>, Query),
           ("open" = Option<bool>, Query, description = "`true`: those that await a response, `false`: those that are resolved."),
           ("view" = Option<String>, Query, description = "`all`, or only as the team (`admin`) or as the `customer`."),
           ("order" = Option<String>, Query, description = "`last_post_sent_at` or `created_at`."),
           ("direction" = Option<String>, Query), PageParams),
    responses((status = 200, body = ListView<SupportChannelView>)))]
pub(crate) async fn list(
    State(http): State<Http>,
    Authed(caller): Authed,
    query: Query,
) -> Result<Response, ApiError> {
    let ask = ListSupportChats {
        company: query.company()?,
        open: query.word("open", &["true", "false"])?.map(|open| open == "true"),
        view: match query.word("view", &VIEWS)? {
            Some("admin") => SupportView::Admin,
            Some("customer") => SupportView::Customer,
            _ => SupportView::All,
        },
        by_creation: query.word("order", &ORDERS)? == Some("created_at"),
        page: query.page()?,
    };
    Ok(json(&ListView::of(http.app.list_support_chats(&caller, ask).await?, view)))
}

/// What support chat to open.
#[derive(Deserialize, ToSchema)]
pub(crate) struct CreateSupportChannelBody {
    #[schema(value_type = String)]
    company_id: Option<String>,
    /// The same as `company_id`.
    account_id: Option<String>,
    /// The customer: an id or a username.
    #[schema(value_type = String)]
    user_id: Option<String>,
    /// At most 255 characters.
    custom_name: Option<String>,
}

/// Open a support chat
///
/// One per customer and company: again, the one there is, as it is.
#[utoipa::path(post, path = "/support_channels", operation_id = "support_channels.create",
    tag = "Support chats", request_body = CreateSupportChannelBody,
    responses((status = 200, body = SupportChannelView)))]
pub(crate) async fn create(
    post: Post,
    JsonBody { value: body, bytes }: JsonBody<CreateSupportChannelBody>,
) -> Result<Response, ApiError> {
    let company = extract::company(
        ["company_id", "account_id"],
        body.company_id.as_deref(),
        body.account_id.as_deref(),
    )?;
    let ask = CreateSupportChat {
        company: extract::required("company_id", company)?,
        user: somebody("user_id", extract::required("user_id", body.user_id.as_deref())?)?,
        custom_name: body
            .custom_name
            .as_deref()
            .map(|name| extract::text("custom_name", name, MAX_NAME))
            .transpose()?,
    };
    post.once_by_id(
        bytes,
        |made: &SupportChannelView| made.feed,
        move |app, by, id| async move { Ok(view(app.created_support_chat(&by, id).await?)) },
        move |app, by, ticket| async move { Ok(view(app.create_support_chat(&by, ask, ticket).await?)) },
    )
    .await
}

/// Retrieve a support chat
#[utoipa::path(get, path = "/support_channels/{id}", operation_id = "support_channels.retrieve",
    tag = "Support chats", params(("id" = String, Path)),
    responses((status = 200, body = SupportChannelView)))]
pub(crate) async fn retrieve(
    State(http): State<Http>,
    Authed(caller): Authed,
    Param(id): Param,
) -> Result<Response, ApiError> {
    Ok(json(&view(http.app.retrieve_support_chat(&caller, extract::id("id", &id)?).await?)))
}

/// A body that may be absent.
#[derive(Deserialize)]
pub(crate) struct Nothing {}

/// Resolve a support chat (extension)
///
/// By the team. The customer's next message reopens it.
#[utoipa::path(post, path = "/support_channels/{id}/resolve", operation_id = "support_channels.resolve",
    tag = "Support chats", params(("id" = String, Path)),
    responses((status = 200, body = SupportChannelView)))]
pub(crate) async fn resolve(
    post: Post,
    Param(id): Param,
    body: JsonBody<Nothing>,
) -> Result<Response, ApiError> {
    set(post, &id, body.bytes, true).await
}

/// Reopen a support chat (extension)
///
/// By the team.
#[utoipa::path(post, path = "/support_channels/{id}/reopen", operation_id = "support_channels.reopen",
    tag = "Support chats", params(("id" = String, Path)),
    responses((status = 200, body = SupportChannelView)))]
pub(crate) async fn reopen(
    post: Post,
    Param(id): Param,
    body: JsonBody<Nothing>,
) -> Result<Response, ApiError> {
    set(post, &id, body.bytes, false).await
}

async fn set(post: Post, id: &str, bytes: Bytes, resolved: bool) -> Result<Response, ApiError> {
    let id: FeedId = extract::id("id", id)?;
    post.once(
        bytes,
        move |app, by| async move { app.may_resolve_support_chat(&by, id).await },
        move |app, by, _| async move { Ok(view(app.resolve_support_chat(&by, id, resolved).await?)) },
    )
    .await
}
