//! Webhooks: endpoints that are told of events, and their delivery log.

use std::fmt;

use axum::extract::State;
use axum::response::Response;
use hallpass_app::webhooks::{
    API_VERSIONS, CreateWebhook, UpdateWebhook, WebhookDelivery, WebhookSecret, Wire,
};
use hallpass_core::id::{CompanyId, WebhookDeliveryId, WebhookId};
use hallpass_core::webhook::{DisabledReason, EventType, Webhook};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{ListView, PageParams, time};
use crate::error::ApiError;
use crate::extract::{self, Authed, JsonBody, Param, Params2, Patch, Query};
use crate::idempotent::{Post, json};
use crate::state::Http;

const MAX_EVENTS: usize = 100;

/// A webhook, as lists show it.
#[derive(Serialize, ToSchema)]
pub(crate) struct WebhookListItem {
    id: String,
    url: String,
    enabled: bool,
    events: Vec<String>,
    /// v1, v2 or v5. What is sent is of v1.
    api_version: String,
    /// Told of the company's connected accounts, not of itself.
    child_resource_events: bool,
    #[schema(format = DateTime)]
    created_at: String,
    /// Ours, beyond the contract: when it was switched off.
    disabled_at: Option<String>,
    /// Ours, beyond the contract: `by_hand`, `gone` (the receiver answered 410), or `failing` (nothing but
    /// failures for five days).
    disabled_reason: Option<&'static str>,
    /// Ours, beyond the contract: since when every event of the queue has failed. Tests and replays do not
    /// count.
    failing_since: Option<String>,
}

/// A webhook.
#[derive(Serialize, ToSchema)]
pub(crate) struct WebhookView {
    #[serde(flatten)]
    item: WebhookListItem,
    /// Its company.
    resource_id: String,
    /// What `test` takes.
    testable_events: Vec<&'static str>,
}

/// A webhook with its secret, which is shown this once.
#[derive(Serialize, ToSchema)]
pub(crate) struct WebhookWithSecret {
    #[serde(flatten)]
    webhook: WebhookView,
    /// `ws_…`: signs what is sent, as it is, prefix included.
    webhook_secret: String,
}

impl fmt::Debug for WebhookWithSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WebhookWithSecret").field("id", &self.webhook.item.id).finish_non_exhaustive()
    }
}

/// A line of the delivery log.
#[derive(Serialize, ToSchema)]
pub(crate) struct DeliveryView {
    /// The header `webhook-id`, and the `id` of what is sent: the same at every attempt.
    id: String,
    event: String,
    /// `delivered`; `retrying`, the next ones wait for it; `waiting`, it stepped aside and is tried again
    /// by itself; `failed`, given up; `skipped`, what it was about is gone; `disabled`, no delivery: the
    /// webhook was switched off here.
    status: &'static str,
    attempts: u32,
    /// The last answer's.
    response_status: Option<u16>,
    /// Why the last attempt failed.
    error: Option<String>,
    /// When it happened.
    #[schema(format = DateTime)]
    created_at: String,
    last_attempt_at: Option<String>,
    /// None if there is none to come, or none while the webhook is switched off.
    next_attempt_at: Option<String>,
}

fn list_item(webhook: &Webhook) -> WebhookListItem {
    WebhookListItem {
        id: webhook.id.to_string(),
        url: webhook.url.clone(),
        enabled: webhook.enabled,
        events: webhook.events.clone(),
        api_version: webhook.api_version.clone(),
        child_resource_events: webhook.child_events,
        created_at: time(webhook.created_at),
        disabled_at: webhook.disabled_at.map(time),
        disabled_reason: webhook.disabled_reason.map(DisabledReason::name),
        failing_since: webhook.failing_since.map(time),
    }
}

fn view(webhook: &Webhook) -> WebhookView {
    let named = |event: &EventType| webhook.events.iter().any(|name| name == event.name());
    WebhookView {
        item: list_item(webhook),
        resource_id: webhook.company.to_string(),
        // Who names none of ours need not know them.
        testable_events: EventType::ALL
            .iter()
            .filter(|event| event.is_of_the_contract() || named(event))
            .map(|event| event.name())
            .collect(),
    }
}

fn with_secret((webhook, secret): &(Webhook, WebhookSecret)) -> WebhookWithSecret {
    WebhookWithSecret { webhook: view(webhook), webhook_secret: secret.expose().to_owned() }
}

fn delivery_view(delivery: &WebhookDelivery) -> DeliveryView {
    let happened = Timestamp::from_millisecond(delivery.id.millis()).unwrap_or(Timestamp::UNIX_EPOCH);
    DeliveryView {
        id: delivery.id.to_string(),
        event: delivery.event.clone(),
        status: delivery.state.name(),
        attempts: delivery.attempts,
        response_status: delivery.status,
        error: delivery.error.clone(),
        created_at: time(happened),
        last_attempt_at: delivery.attempted_at.map(time),
        next_attempt_at: delivery.next_at.map(time),
    }
}

/// What to make.
#[derive(Deserialize, ToSchema)]
pub(crate) struct CreateWebhookBody {
    /// `https`; `http` only to networks that the server's operator has named.
    #[schema(value_type = String)]
    url: Option<String>,
    /// Absent: the chat events of the contract. Events about things this server does not have are taken,
    /// and never happen.
    events: Option<Vec<String>>,
    /// Absent: true.
    enabled: Option<bool>,
    api_version: Option<String>,
    child_resource_events: Option<bool>,
    /// A company: the credential's own, or a connected account of it.
    resource_id: Option<String>,
}

/// What to change.
#[derive(Deserialize, ToSchema)]
pub(crate) struct UpdateWebhookBody {
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    url: Patch<String>,
    #[serde(default)]
    #[schema(value_type = Option<Vec<String>>)]
    events: Patch<Vec<String>>,
    #[serde(default)]
    #[schema(value_type = Option<bool>)]
    enabled: Patch<bool>,
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    api_version: Patch<String>,
    #[serde(default)]
    #[schema(value_type = Option<bool>)]
    child_resource_events: Patch<bool>,
}

/// What to try.
#[derive(Deserialize, ToSchema)]
pub(crate) struct TestWebhookBody {
    /// One of `testable_events`, or any other that this server tells of.
    #[schema(value_type = String)]
    event: Option<String>,
}

/// Nothing, or an empty object.
#[derive(Deserialize)]
pub(crate) struct NoBody {}

fn few(events: Option<Vec<String>>) -> Result<Option<Vec<String>>, ApiError> {
    match &events {
        Some(names) if names.len() > MAX_EVENTS => {
            Err(ApiError::invalid("events", format!("events has more than {MAX_EVENTS} items")))
        }
        _ => Ok(events),
    }
}

fn version(version: Option<String>) -> Result<Option<String>, ApiError> {
    match &version {
        Some(name) if !API_VERSIONS.contains(&name.as_str()) => Err(ApiError::invalid(
            "api_version",
            format!("api_version is one of {}", API_VERSIONS.join(", ")),
        )),
        _ => Ok(version),
    }
}

/// List webhooks
#[utoipa::path(get, path = "/webhooks", operation_id = "webhooks.list", tag = "Webhooks",
    params(("company_id" = Option<String>, Query), PageParams),
    responses((status = 200, body = ListView<WebhookListItem>)))]
pub(crate) async fn list(
    State(http): State<Http>,
    Authed(caller): Authed,
    query: Query,
) -> Result<Response, ApiError> {
    let page = http.app.list_webhooks(&caller, query.company()?, &query.page()?).await?;
    Ok(json(&ListView::of(page, |webhook| list_item(&webhook))))
}

/// Create a webhook
///
/// The answer holds the secret, which is not shown again.
#[utoipa::path(post, path = "/webhooks", operation_id = "webhooks.create", tag = "Webhooks",
    request_body = CreateWebhookBody, responses((status = 200, body = WebhookWithSecret)))]
pub(crate) async fn create(
    post: Post,
    JsonBody { value: body, bytes }: JsonBody<CreateWebhookBody>,
) -> Result<Response, ApiError> {
    let company: Option<CompanyId> = extract::id_opt("resource_id", body.resource_id.as_deref())?;
    let ask = CreateWebhook {
        company,
        url: extract::required("url", body.url)?,
        enabled: body.enabled.unwrap_or(true),
        events: few(body.events)?,
        api_version: version(body.api_version)?,
        child_events: body.child_resource_events.unwrap_or(false),
    };
    let allowed = |_, _| async { Ok(()) };
    post.secret()
        .once(bytes, allowed, move |app, by, ticket| async move {
            Ok(with_secret(&app.create_webhook(&by, ask, ticket).await?))
        })
        .await
}

/// Retrieve a webhook
#[utoipa::path(get, path = "/webhooks/{id}", operation_id = "webhooks.retrieve", tag = "Webhooks",
    params(("id" = String, Path)), responses((status = 200, body = WebhookView)))]
pub(crate) async fn retrieve(
    State(http): State<Http>,
    Authed(caller): Authed,
    Param(id): Param,
) -> Result<Response, ApiError> {
    Ok(json(&view(&http.app.retrieve_webhook(&caller, extract::id("id", &id)?).await?)))
}

/// Update a webhook
///
/// Switching it on, or giving it another address, forgets its failures.
#[utoipa::path(patch, path = "/webhooks/{id}", operation_id = "webhooks.update", tag = "Webhooks",
    params(("id" = String, Path)), request_body = UpdateWebhookBody,
    responses((status = 200, body = WebhookView)))]
pub(crate) async fn update(
    State(http): State<Http>,
    Authed(caller): Authed,
    Param(id): Param,
    body: JsonBody<UpdateWebhookBody>,
) -> Result<Response, ApiError> {
    let body = body.value;
    let ask = UpdateWebhook {
        url: body.url.value(),
        enabled: body.enabled.value(),
        events: few(body.events.value())?,
        api_version: version(body.api_version.value())?,
        child_events: body.child_resource_events.value(),
    };
    Ok(json(&view(&http.app.update_webhook(&caller, extract::id("id", &id)?, ask).await?)))
}

/// Delete a webhook
#[utoipa::path(delete, path = "/webhooks/{id}", operation_id = "webhooks.delete", tag = "Webhooks",
    params(("id" = String, Path)), responses((status = 200, body = bool)))]
pub(crate) async fn delete(
    State(http): State<Http>,
    Authed(caller): Authed,
    Param(id): Param,
) -> Result<Response, ApiError> {
    http.app.delete_webhook(&caller, extract::id("id", &id)?).await?;
    Ok(json(&true))
}

/// Replace a webhook's secret
///
/// Ours, beyond the contract. For a day what is sent carries a signature by each of the two.
#[utoipa::path(post, path = "/webhooks/{id}/rotate_secret", operation_id = "webhooks.rotate_secret",
    tag = "Webhooks", params(("id" = String, Path)), responses((status = 200, body = WebhookWithSecret)))]
pub(crate) async fn rotate_secret(
    post: Post,
    Param(id): Param,
    JsonBody { bytes, .. }: JsonBody<NoBody>,
) -> Result<Response, ApiError> {
    let id: WebhookId = extract::id("id", &id)?;
    let allowed = |_, _| async { Ok(()) };
    post.secret()
        .once(bytes, allowed, move |app, by, _| async move {
            Ok(with_secret(&app.rotate_webhook_secret(&by, id).await?))
        })
        .await
}

/// Test a webhook
///
/// Ours, beyond the contract. Sends an event of the wanted form that did not happen, ahead of everything
/// that waits; the log says what became of it.
#[utoipa::path(post, path = "/webhooks/{id}/test", operation_id = "webhooks.test", tag = "Webhooks",
    params(("id" = String, Path)), request_body = TestWebhookBody,
    responses((status = 200, body = DeliveryView)))]
pub(crate) async fn test(
    post: Post,
    Param(id): Param,
    JsonBody { value: body, bytes }: JsonBody<TestWebhookBody>,
) -> Result<Response, ApiError> {
    let id: WebhookId = extract::id("id", &id)?;
    let name = extract::required("event", body.event)?;
    let event = EventType::parse(&name)
        .ok_or_else(|| ApiError::invalid("event", "event is not one that this server tells of"))?;
    post.once(
        bytes,
        move |app, by| async move { app.retrieve_webhook(&by, id).await.map(drop) },
        move |app, by, _| async move { Ok(delivery_view(&app.test_webhook(&by, id, event).await?)) },
    )
    .await
}

/// List deliveries
///
/// Ours, beyond the contract. Newest first; what waits in the queue is not in the log yet.
#[utoipa::path(get, path = "/webhooks/{id}/deliveries", operation_id = "webhooks.deliveries",
    tag = "Webhooks", params(("id" = String, Path), ("direction" = Option<String>, Query), PageParams),
    responses((status = 200, body = ListView<DeliveryView>)))]
pub(crate) async fn deliveries(
    State(http): State<Http>,
    Authed(caller): Authed,
    Param(id): Param,
    query: Query,
) -> Result<Response, ApiError> {
    let id: WebhookId = extract::id("id", &id)?;
    let page = http.app.list_webhook_deliveries(&caller, id, &query.page()?).await?;
    Ok(json(&ListView::of(page, |delivery| delivery_view(&delivery))))
}

/// Replay a delivery
///
/// Ours, beyond the contract. Sends it once more, under the same id, from what is there now.
#[utoipa::path(post, path = "/webhooks/{id}/deliveries/{delivery_id}/replay",
    operation_id = "webhooks.replay", tag = "Webhooks",
    params(("id" = String, Path), ("delivery_id" = String, Path)),
    responses((status = 200, body = DeliveryView)))]
pub(crate) async fn replay(
    post: Post,
    Params2(id, delivery): Params2,
    JsonBody { bytes, .. }: JsonBody<NoBody>,
) -> Result<Response, ApiError> {
    let id: WebhookId = extract::id("id", &id)?;
    let delivery: WebhookDeliveryId = extract::id("delivery_id", &delivery)?;
    post.once(
        bytes,
        move |app, by| async move { app.retrieve_webhook(&by, id).await.map(drop) },
        move |app, by, _| async move {
            Ok(delivery_view(&app.replay_webhook_delivery(&by, id, delivery).await?))
        },
    )
    .await
}

/// How webhooks are told of things: as they are in answers.
pub struct WebhookWire;

impl Wire for WebhookWire {
    fn message(
        &self,
        message: hallpass_app::messages::MessageWithAuthor,
    ) -> Box<serde_json::value::RawValue> {
        raw(&super::messages::Viewed(message))
    }

    fn reaction(
        &self,
        reaction: hallpass_app::reactions::ReactionWithUser,
    ) -> Box<serde_json::value::RawValue> {
        raw(&super::reactions::Viewed(reaction))
    }
}

fn raw(view: &impl Serialize) -> Box<serde_json::value::RawValue> {
    serde_json::value::to_raw_value(view).expect("views serialise: string keys, no failing impls")
}
