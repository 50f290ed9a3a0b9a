//! Webhooks: endpoints of others that are told of events.
//!
//! 1. What happens is put into the queues of those who are told in the transaction in which it happens
//!    ([`told`]).
//! 2. A dispatcher has the queues worked through, one node per endpoint ([`dispatch`]): a [`worker`] reads
//!    from the [`queue`], makes an [`attempt`], and draws the [`outcome`].
//! 3. What is told is rendered when it is sent, from what is there then ([`payload`]).

mod attempt;
mod dispatch;
mod outcome;
pub(crate) mod payload;
mod queue;
pub(crate) mod told;
mod worker;

use std::sync::Arc;

use hallpass_core::authority::Change;
use hallpass_core::decision::Action;
use hallpass_core::entity::KeyHolder;
use hallpass_core::id::{CompanyId, WebhookDeliveryId, WebhookId};
use hallpass_core::scope::ScopeSet;
use hallpass_core::webhook::{DeliveryState, DisabledReason, EventType, READS, Webhook, is_known_event};
use hallpass_outbound::{Outbound, Url, parse_url};
pub use hallpass_store::Delivery as WebhookDelivery;
use hallpass_store::{Key, WebhookPatch};
pub use hallpass_token::WebhookSecret;
use hallpass_token::{PurposeKey, WebhookSigner};
use jiff::{SignedDuration, Timestamp};
use serde_json::value::RawValue;

use crate::caller::Caller;
use crate::error::AppError;
use crate::idempotency::secret_is_gone;
use crate::messages::MessageWithAuthor;
use crate::page::{Direction, Page, PageAsk};
use crate::reactions::ReactionWithUser;
use crate::{App, Ticket};

pub(crate) use dispatch::Dispatcher;
use outcome::ASKED;
pub(crate) use payload::Subject;

/// The most webhooks of one company.
pub const MAX_WEBHOOKS: i64 = 50;
/// How long a secret that was replaced still signs.
pub const OLD_SECRET_LIVES: SignedDuration = SignedDuration::from_hours(24);
/// How long the delivery log goes back, unless it is set.
pub const LOG_KEPT: SignedDuration = SignedDuration::from_hours(30 * 24);
/// The versions that a webhook may name. What is sent is of the first.
pub const API_VERSIONS: [&str; 3] = ["v1", "v2", "v5"];

/// How things look on the wire, which only the HTTP face knows.
pub trait Wire: Send + Sync {
    /// A message.
    fn message(&self, message: MessageWithAuthor) -> Box<RawValue>;
    /// A reaction or vote.
    fn reaction(&self, reaction: ReactionWithUser) -> Box<RawValue>;
}

/// What webhooks need of the outside.
pub struct WebhookParts {
    /// The way out.
    pub outbound: Outbound,
    /// How things look on the wire.
    pub wire: Arc<dyn Wire>,
    /// Whether [`App::run_background`] delivers.
    pub dispatch: bool,
    /// How long the delivery log goes back.
    pub log_kept: SignedDuration,
}

/// What webhook is to be made.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "the fields are those of Webhook")]
pub struct CreateWebhook {
    /// None for the caller's.
    pub company: Option<CompanyId>,
    pub url: String,
    pub enabled: bool,
    /// None for the contract's own.
    pub events: Option<Vec<String>>,
    pub api_version: Option<String>,
    pub child_events: bool,
}

/// What is changed of a webhook.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields are those of Webhook")]
pub struct UpdateWebhook {
    pub url: Option<String>,
    pub enabled: Option<bool>,
    pub events: Option<Vec<String>>,
    pub api_version: Option<String>,
    pub child_events: Option<bool>,
}

/// A webhook as it is worked for: with what signs.
pub(crate) struct Live {
    pub(crate) webhook: Webhook,
    pub(crate) url: Url,
    signer: WebhookSigner,
    old: Option<(WebhookSigner, Timestamp)>,
}

impl Live {
    /// The header `webhook-signature`: by every secret that is alive.
    pub(crate) fn sign(&self, id: &str, at: Timestamp, body: &[u8]) -> String {
        let mut signatures = self.signer.sign(id, at.as_second(), body);
        if let Some((old, until)) = &self.old
            && at < *until
        {
            signatures.push(' ');
            signatures.push_str(&old.sign(id, at.as_second(), body));
        }
        signatures
    }
}

/// To what a sealed secret belongs.
fn place(id: WebhookId) -> Vec<u8> {
    format!("webhooks/secret/{id}").into_bytes()
}

fn unseal(sealing: &PurposeKey, id: WebhookId, sealed: &[u8]) -> Result<WebhookSecret, AppError> {
    let unreadable = || AppError::conflict("corrupt", "a webhook's secret cannot be unsealed");
    let plain = sealing.open(&place(id), sealed).map_err(|_| unreadable())?;
    let text = std::str::from_utf8(&plain).map_err(|_| unreadable())?;
    WebhookSecret::parse(text).map_err(|_| unreadable())
}

fn check_url(url: &str) -> Result<(), AppError> {
    parse_url(url)
        .map(drop)
        .map_err(|why| AppError::unprocessable("invalid_url", "url", format!("url: {why}")))
}

fn check_events(events: &[String]) -> Result<(), AppError> {
    match events.iter().find(|name| !is_known_event(name)) {
        Some(_) => Err(AppError::invalid("events", "events names one that does not exist")),
        None => Ok(()),
    }
}

fn check_version(version: Option<&String>) -> Result<(), AppError> {
    match version {
        Some(version) if !API_VERSIONS.contains(&version.as_str()) => {
            Err(AppError::invalid("api_version", "api_version is one of v1, v2, v5"))
        }
        _ => Ok(()),
    }
}

/// Without repetitions, in their order.
fn each_once(events: Vec<String>) -> Vec<String> {
    let mut once: Vec<String> = Vec::with_capacity(events.len());
    for event in events {
        if !once.contains(&event) {
            once.push(event);
        }
    }
    once
}

impl App {
    /// A company's webhooks, newest first.
    ///
    /// # Errors
    /// [`AppError::NotFound`] for a company out of reach, [`AppError::MissingScopes`].
    pub async fn list_webhooks(
        &self,
        caller: &Caller,
        company: Option<CompanyId>,
        page: &PageAsk,
    ) -> Result<Page<Webhook>, AppError> {
        let company = company.unwrap_or_else(|| caller.home());
        self.permit(caller, Action::ManageWebhooks, company, None, "company").await?;
        let plan = page.plan(self, "webhooks.list", company, &[], (Direction::Desc, 100))?;
        let key =
            |webhook: &Webhook| Key { at: webhook.created_at.as_millisecond(), id: webhook.id.to_string() };
        plan.fetch(
            self,
            key,
            |scan| async move { self.store.read().await?.list_webhooks(company, &scan).await },
        )
        .await
    }

    /// Makes a webhook; with it comes the only copy of its secret.
    ///
    /// # Errors
    /// [`AppError::NotFound`] for a company out of reach, [`AppError::MissingScopes`], and for an URL that
    /// cannot be one, or events that do not exist.
    pub async fn create_webhook(
        &self,
        caller: &Caller,
        ask: CreateWebhook,
        ticket: Option<Ticket>,
    ) -> Result<(Webhook, WebhookSecret), AppError> {
        let company = ask.company.unwrap_or_else(|| caller.home());
        self.permit(caller, Action::ManageWebhooks, company, None, "company").await?;
        check_url(&ask.url)?;
        let events = ask.events.unwrap_or_else(|| {
            EventType::OF_THE_CONTRACT.iter().map(|event| event.name().to_owned()).collect()
        });
        check_events(&events)?;
        check_version(ask.api_version.as_ref())?;
        let (reads, key_holder) = self.webhook_reads(caller, company).await?;
        let at = self.clock.now();
        let webhook = Webhook {
            id: WebhookId::from_bits(self.bits(ticket)),
            company,
            url: ask.url,
            enabled: ask.enabled,
            events: each_once(events),
            api_version: ask.api_version.unwrap_or_else(|| API_VERSIONS[0].to_owned()),
            child_events: ask.child_events,
            reads,
            key_holder,
            disabled_at: (!ask.enabled).then_some(at),
            disabled_reason: (!ask.enabled).then_some(DisabledReason::ByHand),
            failing_since: None,
            created_at: at,
        };
        let secret = WebhookSecret::generate(&*self.entropy);
        let sealed = self.hooks.sealing.seal(&*self.entropy, &place(webhook.id), secret.expose().as_bytes());
        let again = ticket.is_some_and(|ticket| ticket.is_again());
        let n = self
            .store
            .write((webhook.clone(), sealed, again), |(webhook, sealed, again), tx| {
                Box::pin(async move {
                    if *again && tx.find_webhook(webhook.id).await?.is_some() {
                        return Err(secret_is_gone());
                    }
                    // The log before the row: as senders do.
                    let n = App::note(tx, &[(Change::Webhooks(webhook.company), false)], webhook.created_at)
                        .await?;
                    if !tx.lock_company(webhook.company).await? {
                        return Err(AppError::NotFound("company"));
                    }
                    if tx.count_webhooks(webhook.company).await? >= MAX_WEBHOOKS {
                        return Err(AppError::conflict(
                            "too_many_webhooks",
                            format!("a company has at most {MAX_WEBHOOKS} webhooks; delete one first"),
                        ));
                    }
                    tx.insert_webhook(webhook, sealed).await?;
                    Ok(n)
                })
            })
            .await?;
        self.settle(n).await?;
        Ok((webhook, secret))
    }

    /// What a webhook of the caller's may be told of channels, and whose key the caller is: what happens is
    /// told to nobody who might not read it.
    async fn webhook_reads(
        &self,
        caller: &Caller,
        company: CompanyId,
    ) -> Result<(ScopeSet, Option<KeyHolder>), AppError> {
        let record = self.company(company).await?.ok_or(AppError::NotFound("company"))?;
        let rights = self.held_throughout(caller, &record).await?;
        Ok((rights.and(&READS), caller.key_holder()))
    }

    /// Finds a webhook that the caller may manage.
    ///
    /// # Errors
    /// [`AppError::NotFound`] out of reach, [`AppError::MissingScopes`].
    pub async fn retrieve_webhook(&self, caller: &Caller, id: WebhookId) -> Result<Webhook, AppError> {
        let found = self.store.read().await?.find_webhook(id).await?;
        let webhook = found.ok_or(AppError::NotFound("webhook"))?;
        self.permit(caller, Action::ManageWebhooks, webhook.company, None, "webhook").await?;
        Ok(webhook)
    }

    /// Changes a webhook. Switching it on, or giving it another address, forgets its failures.
    ///
    /// # Errors
    /// As for creating one.
    pub async fn update_webhook(
        &self,
        caller: &Caller,
        id: WebhookId,
        ask: UpdateWebhook,
    ) -> Result<Webhook, AppError> {
        let before = self.retrieve_webhook(caller, id).await?;
        if ask == UpdateWebhook::default() {
            return Ok(before);
        }
        if let Some(url) = &ask.url {
            check_url(url)?;
        }
        check_events(ask.events.as_deref().unwrap_or_default())?;
        check_version(ask.api_version.as_ref())?;
        let moved = ask.url.as_ref().is_some_and(|url| *url != before.url);
        let switch = match ask.enabled {
            Some(false) => Some(false),
            Some(true) if !before.enabled || moved => Some(true),
            None if before.enabled && moved => Some(true),
            _ => None,
        };
        let (reads, key_holder) = self.webhook_reads(caller, before.company).await?;
        let patch = WebhookPatch {
            reads,
            key_holder,
            url: ask.url,
            events: ask.events.map(each_once),
            api_version: ask.api_version,
            child_events: ask.child_events,
        };
        let at = self.clock.now();
        let (after, n) = self
            .store
            .write((before, patch, switch, at), |(before, patch, switch, at), tx| {
                Box::pin(async move {
                    let n = App::note(tx, &[(Change::Webhooks(before.company), false)], *at).await?;
                    let gone = AppError::NotFound("webhook");
                    if !tx.update_webhook(before.id, patch, *at).await? {
                        return Err(gone);
                    }
                    // `false` of either: it was so already.
                    let _changed = match switch {
                        Some(true) => tx.enable_webhook(before.id).await?,
                        Some(false) => tx.disable_webhook(before.id, DisabledReason::ByHand, *at).await?,
                        None => false,
                    };
                    Ok((tx.find_webhook(before.id).await?.ok_or(gone)?, n))
                })
            })
            .await?;
        self.settle(n).await?;
        self.hooks.wake();
        Ok(after)
    }

    /// Deletes a webhook. Nothing more is sent to it, and its log goes.
    ///
    /// # Errors
    /// [`AppError::NotFound`] out of reach, [`AppError::MissingScopes`].
    pub async fn delete_webhook(&self, caller: &Caller, id: WebhookId) -> Result<(), AppError> {
        let webhook = self.retrieve_webhook(caller, id).await?;
        let n = self
            .store
            .write((webhook.company, id, self.clock.now()), |(company, id, at), tx| {
                Box::pin(async move {
                    let n = App::note(tx, &[(Change::Webhooks(*company), false)], *at).await?;
                    if tx.delete_webhook(*id, *at).await? {
                        Ok(n)
                    } else {
                        Err(AppError::NotFound("webhook"))
                    }
                })
            })
            .await?;
        self.settle(n).await
    }

    /// Gives a webhook another secret, whose only copy this is. The one before signs too for a day.
    ///
    /// # Errors
    /// [`AppError::NotFound`] out of reach, [`AppError::MissingScopes`].
    pub async fn rotate_webhook_secret(
        &self,
        caller: &Caller,
        id: WebhookId,
    ) -> Result<(Webhook, WebhookSecret), AppError> {
        let webhook = self.retrieve_webhook(caller, id).await?;
        let secret = WebhookSecret::generate(&*self.entropy);
        let sealed = self.hooks.sealing.seal(&*self.entropy, &place(id), secret.expose().as_bytes());
        let n = self
            .store
            .write((webhook.company, id, sealed, self.clock.now()), |(company, id, sealed, at), tx| {
                Box::pin(async move {
                    let n = App::note(tx, &[(Change::Webhooks(*company), false)], *at).await?;
                    if !tx.rotate_webhook_secret(*id, sealed, *at + OLD_SECRET_LIVES).await? {
                        return Err(AppError::NotFound("webhook"));
                    }
                    Ok(n)
                })
            })
            .await?;
        self.settle(n).await?;
        Ok((webhook, secret))
    }

    /// Has a webhook told of an event that did not happen.
    ///
    /// # Errors
    /// [`AppError::NotFound`] out of reach, [`AppError::MissingScopes`], [`AppError::Conflict`] while it is
    /// switched off.
    pub async fn test_webhook(
        &self,
        caller: &Caller,
        id: WebhookId,
        event: EventType,
    ) -> Result<WebhookDelivery, AppError> {
        let webhook = self.retrieve_webhook(caller, id).await?;
        let at = self.clock.now();
        let delivery = WebhookDelivery {
            id: WebhookDeliveryId::generate(at, &*self.entropy),
            event: event.name().to_owned(),
            company: webhook.company,
            place: None,
            subject: Some(Subject::Test.to_text()),
            state: DeliveryState::Waiting,
            attempts: 0,
            status: None,
            error: None,
            attempted_at: None,
            next_at: Some(ASKED),
        };
        self.store
            .write((id, delivery.clone()), |(id, delivery), tx| {
                Box::pin(async move {
                    tx.put_webhook_deliveries(*id, std::slice::from_ref(delivery)).await?;
                    if tx.urge_webhook(*id).await? { Ok(()) } else { Err(switched_off()) }
                })
            })
            .await?;
        self.hooks.wake();
        Ok(shown(delivery, true, at))
    }

    /// A webhook's delivery log, newest first.
    ///
    /// # Errors
    /// [`AppError::NotFound`] out of reach, [`AppError::MissingScopes`].
    pub async fn list_webhook_deliveries(
        &self,
        caller: &Caller,
        id: WebhookId,
        page: &PageAsk,
    ) -> Result<Page<WebhookDelivery>, AppError> {
        let webhook = self.retrieve_webhook(caller, id).await?;
        let filter = id.to_string();
        let plan =
            page.plan(self, "webhooks.deliveries", webhook.company, &[&filter], (Direction::Desc, 100))?;
        let key = |delivery: &WebhookDelivery| Key { at: delivery.id.millis(), id: delivery.id.to_string() };
        let (enabled, now) = (webhook.enabled, self.clock.now());
        plan.fetch(self, key, |scan| async move {
            let lines = self.store.read().await?.list_webhook_deliveries(id, &scan).await?;
            Ok(lines.into_iter().map(|line| shown(line, enabled, now)).collect())
        })
        .await
    }

    /// Delivers once more what was delivered or given up, under the same id.
    ///
    /// # Errors
    /// [`AppError::NotFound`] out of reach, [`AppError::MissingScopes`], [`AppError::Conflict`] while it is
    /// being tried anyway or the webhook is switched off.
    pub async fn replay_webhook_delivery(
        &self,
        caller: &Caller,
        id: WebhookId,
        delivery: WebhookDeliveryId,
    ) -> Result<WebhookDelivery, AppError> {
        self.retrieve_webhook(caller, id).await?;
        let replayed = self
            .store
            .write((id, delivery), |(id, delivery), tx| {
                Box::pin(async move {
                    let absent = AppError::NotFound("delivery");
                    if tx.find_webhook_delivery(*id, *delivery).await?.is_none() {
                        return Err(absent);
                    }
                    if !tx.urge_webhook(*id).await? {
                        return Err(switched_off());
                    }
                    if !tx.replay_webhook_delivery(*id, *delivery).await? {
                        return Err(AppError::conflict(
                            "delivery_not_replayable",
                            "this delivery is being tried already, or is none",
                        ));
                    }
                    tx.find_webhook_delivery(*id, *delivery).await?.ok_or(absent)
                })
            })
            .await?;
        self.hooks.wake();
        Ok(shown(replayed, true, self.clock.now()))
    }

    /// A webhook as it is worked for, by cache.
    pub(crate) async fn live_webhook(&self, id: WebhookId) -> Result<Option<Arc<Live>>, AppError> {
        if let Some(live) = self.hooks.live.get(&id) {
            return Ok(Some(live));
        }
        let rev = self.authority.rev();
        let mut conn = self.store.read().await?;
        let Some(webhook) = conn.find_webhook(id).await? else { return Ok(None) };
        let Some(sealed) = conn.find_webhook_secrets(id).await? else { return Ok(None) };
        let old = sealed
            .old
            .map(|(old, until)| Ok::<_, AppError>((unseal(&self.hooks.sealing, id, &old)?.signer(), until)))
            .transpose()?;
        let Ok(url) = parse_url(&webhook.url) else { return Ok(None) };
        let signer = unseal(&self.hooks.sealing, id, &sealed.secret)?.signer();
        let change = Change::Webhooks(webhook.company);
        let live = Arc::new(Live { webhook, url, signer, old });
        self.hooks.live.put(id, Arc::clone(&live), rev, [&change; 3]);
        Ok(Some(live))
    }
}

/// A line of the log as it is shown: what is due is tried now, and nothing is tried while the webhook is
/// off.
fn shown(mut line: WebhookDelivery, enabled: bool, now: Timestamp) -> WebhookDelivery {
    line.next_at = line.next_at.filter(|_| enabled).map(|at| at.max(now));
    line
}

fn switched_off() -> AppError {
    AppError::conflict("webhook_disabled", "this webhook is switched off; enable it first")
}
