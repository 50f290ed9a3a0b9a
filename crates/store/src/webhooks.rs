//! Webhooks: the endpoints, their sealed secrets, and who of them is told of what.
//!
//! What is waiting for them and what became of it is in [`webhook_queue`](crate::webhook_queue).

use hallpass_core::entity::{Company, KeyHolder};
use hallpass_core::id::{CompanyId, WebhookId};
use hallpass_core::scope::ScopeSet;
use hallpass_core::webhook::{DisabledReason, EventType, Webhook};
use jiff::Timestamp;

use crate::conn::{Conn, Tx, on};
use crate::error::StoreError;
use crate::page::Scan;
use crate::row::{json, parsed, parsed_opt, time, to_json};

macro_rules! select {
    () => {
        "SELECT w.id, w.company_id, w.url, w.enabled, w.events, w.api_version, w.child_events, w.disabled_at,
             w.disabled_reason, s.failing_since, w.created_at,
             w.reads, w.key_holder
         FROM webhooks w JOIN webhook_states s ON s.webhook_id = w.id "
    };
}
/// `not_before` of what is switched off.
macro_rules! never {
    () => {
        "9223372036854775807"
    };
}
pub(crate) use never;

const FIND: &str = concat!(select!(), "WHERE w.id = $1 AND w.deleted_at IS NULL");
const LIST_DOWN: &str = concat!(
    select!(),
    "WHERE w.company_id = $1 AND (w.created_at, w.id) < ($2, $3) AND w.deleted_at IS NULL
     ORDER BY w.created_at DESC, w.id DESC LIMIT $4"
);
const LIST_UP: &str = concat!(
    select!(),
    "WHERE w.company_id = $1 AND (w.created_at, w.id) > ($2, $3) AND w.deleted_at IS NULL
     ORDER BY w.created_at ASC, w.id ASC LIMIT $4"
);
const COUNT: &str = "SELECT COUNT(*) FROM webhooks WHERE company_id = $1 AND deleted_at IS NULL";
const SECRETS: &str =
    "SELECT secret, old_secret, old_secret_until FROM webhooks WHERE id = $1 AND deleted_at IS NULL";
const INSERT: &str = "INSERT INTO webhooks (id, company_id, url, enabled, events, api_version, child_events,
         secret, disabled_at, disabled_reason, created_at, updated_at, reads, key_holder)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $11, $12, $13)";
const INSERT_STATE: &str =
    concat!("INSERT INTO webhook_states (webhook_id, due_at) VALUES ($1, ", never!(), ")");
const UPDATE: &str = "UPDATE webhooks SET url = COALESCE($2, url), events = COALESCE($3, events),
         api_version = COALESCE($4, api_version), child_events = COALESCE($5, child_events), updated_at = $6,
         reads = $7, key_holder = $8
     WHERE id = $1 AND deleted_at IS NULL RETURNING id";
const SWITCH_ON: &str = "UPDATE webhooks SET enabled = TRUE, disabled_at = NULL, disabled_reason = NULL
     WHERE id = $1 AND deleted_at IS NULL RETURNING id";
const SWITCH_OFF: &str = "UPDATE webhooks SET enabled = FALSE, disabled_at = $2, disabled_reason = $3
     WHERE id = $1 AND enabled AND deleted_at IS NULL RETURNING id";
const RESUME: &str = "UPDATE webhook_states SET not_before = 0, due_at = 0, failures = 0, head_attempts = 0,
         failing_since = NULL
     WHERE webhook_id = $1";
const PAUSE: &str = concat!(
    "UPDATE webhook_states SET not_before = ",
    never!(),
    ", due_at = ",
    never!(),
    " WHERE webhook_id = $1"
);
const ROTATE: &str = "UPDATE webhooks SET old_secret = secret, old_secret_until = $3, secret = $2
     WHERE id = $1 AND deleted_at IS NULL RETURNING id";
const DELETE: &str = "UPDATE webhooks SET deleted_at = $2, enabled = FALSE
     WHERE id = $1 AND deleted_at IS NULL RETURNING id";
const TOLD: &str = "SELECT id, events FROM webhooks
     WHERE company_id = $1 AND child_events = $2 AND enabled AND deleted_at IS NULL";
// The webhooks' own company, then the parent's that are told of connected accounts.
const TELL: &str =
    "INSERT INTO webhook_runs (webhook_id, event, company_id, channel_id, from_seq, to_seq, subject, at)
     SELECT w.id, CAST($2 AS TEXT), w.company_id, CAST($3 AS TEXT), CAST($4 AS BIGINT), CAST($4 AS BIGINT),
         CAST($5 AS TEXT), CAST($6 AS BIGINT)
     FROM webhooks w WHERE w.company_id = $1 AND NOT w.child_events AND w.enabled AND w.deleted_at IS NULL
         AND w.events LIKE $7
     UNION ALL
     SELECT w.id, CAST($2 AS TEXT), c.id, CAST($3 AS TEXT), CAST($4 AS BIGINT), CAST($4 AS BIGINT),
         CAST($5 AS TEXT), CAST($6 AS BIGINT)
     FROM companies c JOIN webhooks w ON w.company_id = c.parent_id
     WHERE c.id = $1 AND w.child_events AND w.enabled AND w.deleted_at IS NULL AND w.events LIKE $7";

pub(crate) const ALL: &[&str] = &[
    FIND,
    LIST_DOWN,
    LIST_UP,
    COUNT,
    SECRETS,
    INSERT,
    INSERT_STATE,
    UPDATE,
    SWITCH_ON,
    SWITCH_OFF,
    RESUME,
    PAUSE,
    ROTATE,
    DELETE,
    TOLD,
    TELL,
];

const TABLE: &str = "webhooks";

/// What is changed of a webhook, but for its being enabled.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields are those of Webhook")]
pub struct WebhookPatch {
    pub url: Option<String>,
    pub events: Option<Vec<String>>,
    pub api_version: Option<String>,
    pub child_events: Option<bool>,
    /// Always set: of whoever changes it.
    pub reads: ScopeSet,
    /// The same.
    pub key_holder: Option<KeyHolder>,
}

/// A webhook's secrets, sealed.
#[derive(Clone, PartialEq, Eq)]
pub struct SealedSecrets {
    /// The one that signs.
    pub secret: Vec<u8>,
    /// The one before, and until when it signs too.
    pub old: Option<(Vec<u8>, Timestamp)>,
}

/// What happened, as an outbox row points at it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Happened {
    /// What.
    pub event: EventType,
    /// The channel and the number of its event, if it happened in one.
    pub place: Option<(String, i64)>,
    /// What it is about, in JSON; ids only.
    pub subject: Option<String>,
    /// When.
    pub at: Timestamp,
}

#[derive(sqlx::FromRow)]
struct Row {
    id: String,
    company_id: String,
    url: String,
    enabled: bool,
    events: String,
    api_version: String,
    child_events: bool,
    disabled_at: Option<i64>,
    disabled_reason: Option<String>,
    failing_since: Option<i64>,
    created_at: i64,
    reads: String,
    key_holder: Option<String>,
}

impl TryFrom<Row> for Webhook {
    type Error = StoreError;
    fn try_from(row: Row) -> Result<Self, StoreError> {
        let at = |column, value: Option<i64>| value.map(|v| time(TABLE, column, &row.id, v)).transpose();
        let corrupt = |column| StoreError::Corrupt { table: TABLE, column, id: row.id.clone() };
        Ok(Self {
            id: parsed(TABLE, "id", &row.id, &row.id)?,
            company: parsed(TABLE, "company_id", &row.id, &row.company_id)?,
            events: json(TABLE, "events", &row.id, &row.events)?,
            disabled_at: at("disabled_at", row.disabled_at)?,
            disabled_reason: row
                .disabled_reason
                .as_deref()
                .map(|name| DisabledReason::parse(name).ok_or_else(|| corrupt("disabled_reason")))
                .transpose()?,
            reads: ScopeSet::parse(&row.reads).map_err(|_| corrupt("reads"))?,
            key_holder: parsed_opt(TABLE, "key_holder", &row.id, row.key_holder.as_deref())?,
            failing_since: at("failing_since", row.failing_since)?,
            created_at: time(TABLE, "created_at", &row.id, row.created_at)?,
            url: row.url,
            enabled: row.enabled,
            api_version: row.api_version,
            child_events: row.child_events,
        })
    }
}

impl Conn {
    /// A webhook that is not deleted.
    pub async fn find_webhook(&mut self, id: WebhookId) -> Result<Option<Webhook>, StoreError> {
        let row: Option<Row> =
            on!(self, c => sqlx::query_as(FIND).bind(id.to_string()).fetch_optional(c).await)?;
        row.map(Webhook::try_from).transpose()
    }

    /// A company's webhooks by creation time.
    pub async fn list_webhooks(
        &mut self,
        company: CompanyId,
        scan: &Scan,
    ) -> Result<Vec<Webhook>, StoreError> {
        let (at, id) = scan.start();
        let statement = if scan.descending { LIST_DOWN } else { LIST_UP };
        let rows: Vec<Row> = on!(self, c => sqlx::query_as(statement)
            .bind(company.to_string()).bind(at).bind(id).bind(scan.limit).fetch_all(c).await)?;
        rows.into_iter().map(Webhook::try_from).collect()
    }

    /// How many webhooks a company has.
    pub async fn count_webhooks(&mut self, company: CompanyId) -> Result<i64, StoreError> {
        Ok(on!(self, c => sqlx::query_scalar(COUNT).bind(company.to_string()).fetch_one(c).await)?)
    }

    /// A webhook's secrets, sealed.
    pub async fn find_webhook_secrets(&mut self, id: WebhookId) -> Result<Option<SealedSecrets>, StoreError> {
        type Secrets = (Vec<u8>, Option<Vec<u8>>, Option<i64>);
        let row: Option<Secrets> =
            on!(self, c => sqlx::query_as(SECRETS).bind(id.to_string()).fetch_optional(c).await)?;
        row.map(|(secret, old, until)| {
            let old = old.zip(until).map(|(old, until)| {
                Ok::<_, StoreError>((old, time(TABLE, "old_secret_until", &id.to_string(), until)?))
            });
            Ok(SealedSecrets { secret, old: old.transpose()? })
        })
        .transpose()
    }

    /// The webhooks that are told of what happens in a company, and of which events: its own, and its
    /// parent's that are told of connected accounts.
    pub async fn list_told_webhooks(
        &mut self,
        company: &Company,
    ) -> Result<Vec<(WebhookId, Vec<String>)>, StoreError> {
        let mut told = Vec::new();
        for (owner, of_children) in [(Some(company.id), false), (company.parent, true)] {
            let Some(owner) = owner else { continue };
            let rows: Vec<(String, String)> = on!(self, c => sqlx::query_as(TOLD)
                .bind(owner.to_string()).bind(of_children).fetch_all(c).await)?;
            for (id, events) in rows {
                told.push((parsed(TABLE, "id", &id, &id)?, json(TABLE, "events", &id, &events)?));
            }
        }
        Ok(told)
    }
}

impl Tx {
    /// Stores a webhook with its sealed secret.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] if the id is taken or the company is not there.
    pub async fn insert_webhook(&mut self, new: &Webhook, secret: &[u8]) -> Result<(), StoreError> {
        on!(self.0, c => sqlx::query(INSERT)
            .bind(new.id.to_string()).bind(new.company.to_string()).bind(&new.url).bind(new.enabled)
            .bind(to_json(&new.events)).bind(&new.api_version).bind(new.child_events).bind(secret.to_vec())
            .bind(new.disabled_at.map(Timestamp::as_millisecond))
            .bind(new.disabled_reason.map(DisabledReason::name)).bind(new.created_at.as_millisecond())
            .bind(new.reads.to_string()).bind(new.key_holder.map(|holder| holder.to_string()))
            .execute(c).await.map(drop))?;
        on!(self.0, c => sqlx::query(INSERT_STATE).bind(new.id.to_string()).execute(c).await.map(drop))?;
        if !new.enabled {
            self.pause_webhook(new.id).await?;
        }
        Ok(())
    }

    /// Changes a webhook; `false` if it is not there. Another address begins without the failures of the
    /// one before.
    pub async fn update_webhook(
        &mut self,
        id: WebhookId,
        patch: &WebhookPatch,
        at: Timestamp,
    ) -> Result<bool, StoreError> {
        let done: Option<String> = on!(self.0, c => sqlx::query_scalar(UPDATE)
            .bind(id.to_string()).bind(&patch.url).bind(patch.events.as_ref().map(to_json))
            .bind(&patch.api_version).bind(patch.child_events).bind(at.as_millisecond())
            .bind(patch.reads.to_string()).bind(patch.key_holder.map(|holder| holder.to_string()))
            .fetch_optional(c).await)?;
        Ok(done.is_some())
    }

    /// Switches a webhook on, and lets it begin without its earlier failures; `false` if it is not there.
    pub async fn enable_webhook(&mut self, id: WebhookId) -> Result<bool, StoreError> {
        let done: Option<String> =
            on!(self.0, c => sqlx::query_scalar(SWITCH_ON).bind(id.to_string()).fetch_optional(c).await)?;
        on!(self.0, c => sqlx::query(RESUME).bind(id.to_string()).execute(c).await.map(drop))?;
        Ok(done.is_some())
    }

    /// Switches a webhook off; `false` if it is not there or was off. What waits for it waits on.
    pub async fn disable_webhook(
        &mut self,
        id: WebhookId,
        reason: DisabledReason,
        at: Timestamp,
    ) -> Result<bool, StoreError> {
        let done: Option<String> = on!(self.0, c => sqlx::query_scalar(SWITCH_OFF)
            .bind(id.to_string()).bind(at.as_millisecond()).bind(reason.name()).fetch_optional(c).await)?;
        if done.is_some() {
            self.pause_webhook(id).await?;
        }
        Ok(done.is_some())
    }

    async fn pause_webhook(&mut self, id: WebhookId) -> Result<(), StoreError> {
        on!(self.0, c => sqlx::query(PAUSE).bind(id.to_string()).execute(c).await.map(drop))?;
        Ok(())
    }

    /// Gives a webhook another secret; the one before signs too until `old_until`. `false` if it is not
    /// there.
    pub async fn rotate_webhook_secret(
        &mut self,
        id: WebhookId,
        secret: &[u8],
        old_until: Timestamp,
    ) -> Result<bool, StoreError> {
        let done: Option<String> = on!(self.0, c => sqlx::query_scalar(ROTATE)
            .bind(id.to_string()).bind(secret.to_vec()).bind(old_until.as_millisecond())
            .fetch_optional(c).await)?;
        Ok(done.is_some())
    }

    /// Deletes a webhook; `false` if it is not there. What belongs to it is cleared away later.
    pub async fn delete_webhook(&mut self, id: WebhookId, at: Timestamp) -> Result<bool, StoreError> {
        let done: Option<String> = on!(self.0, c => sqlx::query_scalar(DELETE)
            .bind(id.to_string()).bind(at.as_millisecond()).fetch_optional(c).await)?;
        if done.is_some() {
            self.pause_webhook(id).await?;
        }
        Ok(done.is_some())
    }

    /// The outbox: puts what happened in a company into the queue of every webhook that is told of it.
    /// Returns how many there are.
    pub async fn tell_webhooks(&mut self, company: CompanyId, what: &Happened) -> Result<u64, StoreError> {
        let (channel, seq) = what.place.as_ref().map(|(channel, seq)| (channel.as_str(), *seq)).unzip();
        Ok(on!(self.0, c => sqlx::query(TELL)
            .bind(company.to_string()).bind(what.event.name()).bind(channel).bind(seq).bind(&what.subject)
            .bind(what.at.as_millisecond()).bind(format!("%\"{}\"%", what.event.name()))
            .execute(c).await.map(|done| done.rows_affected()))?)
    }
}
