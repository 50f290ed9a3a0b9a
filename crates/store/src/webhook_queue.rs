//! What waits for webhooks, who delivers it, and what became of it.
//!
//! 1. A [`Run`] is a row of the outbox and of one webhook's queue: a run of a channel's events, or one
//!    subject. It goes away when all of it was delivered or stepped aside.
//! 2. A webhook is worked for by whoever holds its lease, a compare-and-set with an end. Progress is
//!    written only under the lease.
//! 3. A [`Delivery`] is a line of the log. One that stepped aside is tried again from there.

use std::collections::HashMap;

use hallpass_core::channel::ChannelId;
use hallpass_core::entity::Message;
use hallpass_core::id::{CompanyId, WebhookDeliveryId, WebhookId};
use hallpass_core::webhook::{DeliveryState, EventType, Health};
use jiff::Timestamp;

use crate::conn::{Conn, Tx, dialect, on};
use crate::error::StoreError;
use crate::page::Scan;
use crate::row::{parsed, parsed_opt, time, to_json};
use crate::webhooks::never;

macro_rules! delivery {
    () => {
        "SELECT id, event, company_id, channel_id, seq, subject, state, attempts, status, error, attempted_at,
             next_at
         FROM webhook_deliveries "
    };
}
/// The webhooks that something waits for, found by leaping from one to the next.
macro_rules! queued {
    ($and:literal) => {
        concat!(
            "WITH RECURSIVE wanted (id) AS (
             SELECT MIN(webhook_id) FROM webhook_runs ",
            $and,
            "
             UNION ALL
             SELECT (SELECT MIN(r.webhook_id) FROM webhook_runs r WHERE r.webhook_id > wanted.id)
             FROM wanted WHERE wanted.id IS NOT NULL
         ) "
        )
    };
}

pub(crate) const INSERT_RUN: &str =
    "INSERT INTO webhook_runs (webhook_id, event, company_id, channel_id, from_seq, to_seq, at)
     VALUES ($1, $2, $3, $4, $5, $6, $7)";
const RUNS: &str = "SELECT n, event, company_id, channel_id, from_seq, to_seq, subject, at FROM webhook_runs
     WHERE webhook_id = $1 ORDER BY n LIMIT $2";
const SHORTEN: &str = "UPDATE webhook_runs SET from_seq = $2 WHERE n = $1";
const QUEUED: &str = concat!(
    queued!("WHERE webhook_id > $4"),
    "SELECT s.webhook_id FROM wanted JOIN webhook_states s ON s.webhook_id = wanted.id
     WHERE s.not_before <= $1 AND (s.lease_until <= $1 OR s.lease_owner = $2) LIMIT $3"
);
const DUE: &str = "SELECT webhook_id FROM webhook_states
     WHERE due_at <= $1 AND (lease_until <= $1 OR lease_owner = $2)
     ORDER BY due_at LIMIT $3";
const OLDEST: &str = concat!(
    queued!(""),
    "SELECT MIN((SELECT r.at FROM webhook_runs r WHERE r.webhook_id = s.webhook_id ORDER BY r.n LIMIT 1))
     FROM wanted JOIN webhook_states s ON s.webhook_id = wanted.id WHERE s.not_before < ",
    never!()
);
const DEPTH: &str = "SELECT CAST(COALESCE(SUM(COALESCE(page.to_seq - page.from_seq, 0) + 1), 0) AS BIGINT)
     FROM (SELECT from_seq, to_seq FROM webhook_runs ORDER BY n LIMIT 10000) AS page";
const LEASE: &str = "UPDATE webhook_states SET lease_owner = $2, lease_until = $3
     WHERE webhook_id = $1 AND (lease_until <= $4 OR lease_owner = $2) AND (not_before <= $4 OR due_at <= $4)
     RETURNING failures, head_attempts, failing_since, not_before";
const HOLD: &str = "UPDATE webhook_states SET lease_until = $3 WHERE webhook_id = $1 AND lease_owner = $2
     RETURNING webhook_id";
// After the lease's row is held, so that whoever made a delivery due meanwhile is seen. What somebody
// asked for is due whatever else waits.
const SETTLE: &str = concat!(
    "UPDATE webhook_states SET failures = $2, head_attempts = $3, failing_since = $4,
         not_before = CASE WHEN not_before = ",
    never!(),
    " THEN not_before ELSE $5 END,
         due_at = CASE WHEN not_before = ",
    never!(),
    " THEN due_at ELSE COALESCE((
             SELECT CASE WHEN d.next_at BETWEEN 1 AND $6 THEN $6 ELSE d.next_at END
             FROM webhook_deliveries d WHERE d.webhook_id = $1 AND d.state = 'waiting'
             ORDER BY d.next_at LIMIT 1), ",
    never!(),
    ") END
     WHERE webhook_id = $1"
);
const URGE: &str = concat!(
    "UPDATE webhook_states SET due_at = 0 WHERE webhook_id = $1 AND not_before < ",
    never!(),
    " RETURNING webhook_id"
);
const FIND: &str = concat!(delivery!(), "WHERE webhook_id = $1 AND created_at = $2 AND id = $3");
const LIST_DOWN: &str = concat!(
    delivery!(),
    "WHERE webhook_id = $1 AND (created_at, id) < ($2, $3) ORDER BY created_at DESC, id DESC LIMIT $4"
);
const LIST_UP: &str = concat!(
    delivery!(),
    "WHERE webhook_id = $1 AND (created_at, id) > ($2, $3) ORDER BY created_at ASC, id ASC LIMIT $4"
);
const WAITING: &str = concat!(
    delivery!(),
    "WHERE webhook_id = $1 AND state = 'waiting' AND next_at <= $2 ORDER BY next_at LIMIT $3"
);
const REPLAY: &str = "UPDATE webhook_deliveries SET state = 'waiting', next_at = 0
     WHERE webhook_id = $1 AND created_at = $2 AND id = $3 AND state NOT IN ('retrying', 'disabled')
     RETURNING id";
const PRUNE_DELIVERIES: &str = "DELETE FROM webhook_deliveries WHERE (webhook_id, created_at, id) IN (
         SELECT webhook_id, created_at, id FROM webhook_deliveries WHERE created_at < $1
         ORDER BY created_at LIMIT $2)";
const PRUNE_RUNS: &str = "DELETE FROM webhook_runs WHERE n IN (
         SELECT page.n FROM (SELECT n, at FROM webhook_runs ORDER BY n LIMIT $2) AS page WHERE page.at < $1)";
const DELETED: &str =
    "SELECT id FROM webhooks WHERE deleted_at IS NOT NULL AND deleted_at < $1 ORDER BY deleted_at LIMIT 1";
const CLEAR_DELIVERIES: &str =
    "DELETE FROM webhook_deliveries WHERE webhook_id = $1 AND (created_at, id) IN (
         SELECT created_at, id FROM webhook_deliveries WHERE webhook_id = $1 LIMIT $2)";
const CLEAR_RUNS: &str = "DELETE FROM webhook_runs WHERE n IN (
         SELECT n FROM webhook_runs WHERE webhook_id = $1 LIMIT $2)";
const CLEAR_STATE: &str = "DELETE FROM webhook_states WHERE webhook_id = $1";
const CLEAR: &str = "DELETE FROM webhooks WHERE id = $1 AND deleted_at IS NOT NULL";

pub(crate) const ALL: &[&str] = &[
    INSERT_RUN,
    RUNS,
    SHORTEN,
    QUEUED,
    DUE,
    OLDEST,
    DEPTH,
    LEASE,
    HOLD,
    SETTLE,
    URGE,
    FIND,
    LIST_DOWN,
    LIST_UP,
    WAITING,
    REPLAY,
    PRUNE_DELIVERIES,
    PRUNE_RUNS,
    DELETED,
    CLEAR_DELIVERIES,
    CLEAR_RUNS,
    CLEAR_STATE,
    CLEAR,
];

const TABLE: &str = "webhook_deliveries";

/// A run of a channel's events, for one webhook's queue.
#[derive(Clone, Debug)]
pub struct NewRun {
    /// Who is told.
    pub webhook: WebhookId,
    /// What kind of event each of them is.
    pub event: EventType,
    /// The channel's company.
    pub company: CompanyId,
    /// Where.
    pub channel: ChannelId,
    /// The first of them.
    pub from_seq: i64,
    /// The last of them.
    pub to_seq: i64,
    /// When.
    pub at: Timestamp,
}

/// What waits in a webhook's queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Run {
    /// Its place in the queue.
    pub n: i64,
    /// What kind of event.
    pub event: EventType,
    /// Whose.
    pub company: CompanyId,
    /// The channel and the events in it, first and last.
    pub span: Option<(ChannelId, i64, i64)>,
    /// What it is about, in JSON.
    pub subject: Option<String>,
    /// When it happened.
    pub at: Timestamp,
}

/// A line of the delivery log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// `webhook-id`. Its time is that of the event.
    pub id: WebhookDeliveryId,
    /// What kind of event.
    pub event: String,
    /// Whose.
    pub company: CompanyId,
    /// The channel and the event's number there.
    pub place: Option<(ChannelId, i64)>,
    /// What it is about, in JSON.
    pub subject: Option<String>,
    /// How far it is.
    pub state: DeliveryState,
    /// How often it was tried.
    pub attempts: u32,
    /// The last answer's status.
    pub status: Option<u16>,
    /// Why the last attempt failed.
    pub error: Option<String>,
    /// When it was last tried.
    pub attempted_at: Option<Timestamp>,
    /// When it is tried next.
    pub next_at: Option<Timestamp>,
}

/// A lease of a webhook.
#[derive(Clone, Debug)]
pub struct Lease {
    /// Whose webhook is worked for.
    pub webhook: WebhookId,
    /// Who works.
    pub owner: String,
}

/// What a worker did since it last wrote.
#[derive(Clone, Debug, Default)]
pub struct Progress {
    /// Until when the lease is to hold; none gives it back.
    pub lease_until: Option<Timestamp>,
    /// How it goes.
    pub health: Health,
    /// What stepped aside is not tried before.
    pub aside_from: Option<Timestamp>,
    /// The log's new lines, and those that changed.
    pub deliveries: Vec<Delivery>,
    /// Runs that are through.
    pub finished: Vec<i64>,
    /// A run that is partly through, and the event it goes on with.
    pub shortened: Option<(i64, i64)>,
}

#[derive(sqlx::FromRow)]
struct RunRow {
    n: i64,
    event: String,
    company_id: String,
    channel_id: Option<String>,
    from_seq: Option<i64>,
    to_seq: Option<i64>,
    subject: Option<String>,
    at: i64,
}

impl TryFrom<RunRow> for Run {
    type Error = StoreError;
    fn try_from(row: RunRow) -> Result<Self, StoreError> {
        let id = row.n.to_string();
        let corrupt = |column| StoreError::Corrupt { table: "webhook_runs", column, id: id.clone() };
        let channel = parsed_opt("webhook_runs", "channel_id", &id, row.channel_id.as_deref())?;
        Ok(Self {
            n: row.n,
            event: EventType::parse(&row.event).ok_or_else(|| corrupt("event"))?,
            company: parsed("webhook_runs", "company_id", &id, &row.company_id)?,
            span: match (channel, row.from_seq, row.to_seq) {
                (Some(channel), Some(from), Some(to)) => Some((channel, from, to)),
                (None, ..) => None,
                _ => return Err(corrupt("from_seq")),
            },
            subject: row.subject,
            at: time("webhook_runs", "at", &id, row.at)?,
        })
    }
}

#[derive(sqlx::FromRow)]
struct Row {
    id: String,
    event: String,
    company_id: String,
    channel_id: Option<String>,
    seq: Option<i64>,
    subject: Option<String>,
    state: String,
    attempts: i64,
    status: Option<i64>,
    error: Option<String>,
    attempted_at: Option<i64>,
    next_at: Option<i64>,
}

impl TryFrom<Row> for Delivery {
    type Error = StoreError;
    fn try_from(row: Row) -> Result<Self, StoreError> {
        let at = |column, value: Option<i64>| value.map(|v| time(TABLE, column, &row.id, v)).transpose();
        let corrupt = |column| StoreError::Corrupt { table: TABLE, column, id: row.id.clone() };
        let channel: Option<ChannelId> = parsed_opt(TABLE, "channel_id", &row.id, row.channel_id.as_deref())?;
        Ok(Self {
            id: parsed(TABLE, "id", &row.id, &row.id)?,
            company: parsed(TABLE, "company_id", &row.id, &row.company_id)?,
            place: channel.zip(row.seq),
            state: DeliveryState::parse(&row.state).ok_or_else(|| corrupt("state"))?,
            attempts: u32::try_from(row.attempts).map_err(|_| corrupt("attempts"))?,
            status: row.status.map(u16::try_from).transpose().map_err(|_| corrupt("status"))?,
            attempted_at: at("attempted_at", row.attempted_at)?,
            next_at: at("next_at", row.next_at)?,
            event: row.event,
            subject: row.subject,
            error: row.error,
        })
    }
}

/// A delivery as one item of the list that is stored by one statement.
fn item(delivery: &Delivery) -> impl serde::Serialize {
    let (channel, seq) = delivery.place.unzip();
    (
        (delivery.id.millis(), delivery.id, delivery.event.clone(), delivery.company),
        (channel, seq, delivery.subject.clone(), delivery.state.name()),
        (delivery.attempts, delivery.status, delivery.error.clone()),
        (
            delivery.attempted_at.map(Timestamp::as_millisecond),
            delivery.next_at.map(Timestamp::as_millisecond),
        ),
    )
}

impl Conn {
    /// The beginning of a webhook's queue.
    pub async fn list_webhook_runs(&mut self, id: WebhookId, limit: i64) -> Result<Vec<Run>, StoreError> {
        let rows: Vec<RunRow> =
            on!(self, c => sqlx::query_as(RUNS).bind(id.to_string()).bind(limit).fetch_all(c).await)?;
        rows.into_iter().map(Run::try_from).collect()
    }

    /// The messages that events of channels are about, by channel and number; those deleted since are
    /// missing.
    pub async fn find_messages_of_events(
        &mut self,
        spans: &[(ChannelId, i64, i64)],
    ) -> Result<HashMap<(ChannelId, i64), Message>, StoreError> {
        let statement = dialect!(self, MESSAGES_OF_EVENTS);
        let spans = to_json(spans);
        on!(self, c => {
            let rows = sqlx::query(statement).bind(spans).fetch_all(c).await?;
            rows.iter().map(crate::messages::of_event).collect()
        })
    }

    /// Webhooks with a delivery that stepped aside and is due, and that nobody else works for.
    pub async fn list_due_webhooks(
        &mut self,
        owner: &str,
        now: Timestamp,
        limit: i64,
    ) -> Result<Vec<WebhookId>, StoreError> {
        let ids: Vec<String> = on!(self, c => sqlx::query_scalar(DUE)
            .bind(now.as_millisecond()).bind(owner).bind(limit).fetch_all(c).await)?;
        ids.iter().map(|id| parsed("webhook_states", "webhook_id", id, id)).collect()
    }

    /// Webhooks behind `after`, in the order of their ids, with something in their queue that may be
    /// tried now, and that nobody else works for.
    pub async fn list_queued_webhooks(
        &mut self,
        owner: &str,
        now: Timestamp,
        after: Option<WebhookId>,
        limit: i64,
    ) -> Result<Vec<WebhookId>, StoreError> {
        let after = after.map(|id| id.to_string()).unwrap_or_default();
        let ids: Vec<String> = on!(self, c => sqlx::query_scalar(QUEUED)
            .bind(now.as_millisecond()).bind(owner).bind(limit).bind(after).fetch_all(c).await)?;
        ids.iter().map(|id| parsed("webhook_states", "webhook_id", id, id)).collect()
    }

    /// How many events wait, counted up to ten thousand runs, and since when the oldest does that waits
    /// for an enabled webhook.
    pub async fn measure_webhook_queue(&mut self) -> Result<(i64, Option<Timestamp>), StoreError> {
        let depth: i64 = on!(self, c => sqlx::query_scalar(DEPTH).fetch_one(c).await)?;
        let oldest: Option<i64> = on!(self, c => sqlx::query_scalar(OLDEST).fetch_one(c).await)?;
        Ok((depth, oldest.map(|at| time("webhook_runs", "at", "oldest", at)).transpose()?))
    }

    /// One delivery.
    pub async fn find_webhook_delivery(
        &mut self,
        webhook: WebhookId,
        id: WebhookDeliveryId,
    ) -> Result<Option<Delivery>, StoreError> {
        let row: Option<Row> = on!(self, c => sqlx::query_as(FIND)
            .bind(webhook.to_string()).bind(id.millis()).bind(id.to_string()).fetch_optional(c).await)?;
        row.map(Delivery::try_from).transpose()
    }

    /// A webhook's delivery log, by the time of the events.
    pub async fn list_webhook_deliveries(
        &mut self,
        webhook: WebhookId,
        scan: &Scan,
    ) -> Result<Vec<Delivery>, StoreError> {
        let (at, id) = scan.start();
        let statement = if scan.descending { LIST_DOWN } else { LIST_UP };
        let rows: Vec<Row> = on!(self, c => sqlx::query_as(statement)
            .bind(webhook.to_string()).bind(at).bind(id).bind(scan.limit).fetch_all(c).await)?;
        rows.into_iter().map(Delivery::try_from).collect()
    }

    /// Deliveries that stepped aside and are due.
    pub async fn list_waiting_deliveries(
        &mut self,
        webhook: WebhookId,
        now: Timestamp,
        limit: i64,
    ) -> Result<Vec<Delivery>, StoreError> {
        let rows: Vec<Row> = on!(self, c => sqlx::query_as(WAITING)
            .bind(webhook.to_string()).bind(now.as_millisecond()).bind(limit).fetch_all(c).await)?;
        rows.into_iter().map(Delivery::try_from).collect()
    }
}

impl Tx {
    /// The outbox of sends: runs of events that are written in this transaction.
    pub async fn insert_webhook_runs(&mut self, runs: &[NewRun]) -> Result<(), StoreError> {
        for run in runs {
            on!(self.0, c => sqlx::query(INSERT_RUN)
                .bind(run.webhook.to_string()).bind(run.event.name()).bind(run.company.to_string())
                .bind(run.channel.to_string()).bind(run.from_seq).bind(run.to_seq)
                .bind(run.at.as_millisecond()).execute(c).await.map(drop))?;
        }
        Ok(())
    }

    /// Takes a webhook's lease until `until`, if it is free and something may be attempted: the head of
    /// the queue, or something beside it.
    pub async fn lease_webhook(
        &mut self,
        lease: &Lease,
        until: Timestamp,
        now: Timestamp,
    ) -> Result<Option<Health>, StoreError> {
        let row: Option<(i64, i64, Option<i64>, i64)> = on!(self.0, c => sqlx::query_as(LEASE)
            .bind(lease.webhook.to_string()).bind(&lease.owner).bind(until.as_millisecond())
            .bind(now.as_millisecond()).fetch_optional(c).await)?;
        row.map(|(failures, head_attempts, since, not_before)| {
            let id = lease.webhook.to_string();
            let count = |n: i64| u32::try_from(n).unwrap_or(u32::MAX);
            let at = |column, at| time("webhook_states", column, &id, at);
            Ok(Health {
                failures: count(failures),
                head_attempts: count(head_attempts),
                failing_since: since.map(|since| at("failing_since", since)).transpose()?,
                not_before: (not_before > 0).then(|| at("not_before", not_before)).transpose()?,
            })
        })
        .transpose()
    }

    /// Writes what a worker did; `false`, and nothing is written, if the lease is another's by now.
    pub async fn advance_webhook(&mut self, lease: &Lease, did: &Progress) -> Result<bool, StoreError> {
        let id = lease.webhook.to_string();
        let until = did.lease_until.map_or(0, Timestamp::as_millisecond);
        let held: Option<String> = on!(self.0, c => sqlx::query_scalar(HOLD)
            .bind(&id).bind(&lease.owner).bind(until).fetch_optional(c).await)?;
        if held.is_none() {
            return Ok(false);
        }
        if !did.deliveries.is_empty() {
            self.put_webhook_deliveries(lease.webhook, &did.deliveries).await?;
        }
        if !did.finished.is_empty() {
            let statement = dialect!(self.0, DELETE_RUNS);
            let finished = to_json(&did.finished);
            on!(self.0, c => sqlx::query(statement).bind(finished).execute(c).await.map(drop))?;
        }
        if let Some((n, from_seq)) = did.shortened {
            on!(self.0, c => sqlx::query(SHORTEN).bind(n).bind(from_seq).execute(c).await.map(drop))?;
        }
        on!(self.0, c => sqlx::query(SETTLE)
            .bind(&id).bind(i64::from(did.health.failures)).bind(i64::from(did.health.head_attempts))
            .bind(did.health.failing_since.map(Timestamp::as_millisecond))
            .bind(did.health.not_before.map_or(0, Timestamp::as_millisecond))
            .bind(did.aside_from.map_or(0, Timestamp::as_millisecond)).execute(c).await.map(drop))?;
        Ok(true)
    }

    /// Writes lines of a webhook's log, each anew or in place of the one of its id.
    pub async fn put_webhook_deliveries(
        &mut self,
        webhook: WebhookId,
        deliveries: &[Delivery],
    ) -> Result<(), StoreError> {
        let statement = dialect!(self.0, PUT_DELIVERIES);
        let items = to_json(&deliveries.iter().map(item).collect::<Vec<_>>());
        on!(self.0, c => sqlx::query(statement)
            .bind(webhook.to_string()).bind(items).execute(c).await.map(drop))?;
        Ok(())
    }

    /// Makes an old delivery due at once; `false` if there is none of this id, or it is being tried.
    pub async fn replay_webhook_delivery(
        &mut self,
        webhook: WebhookId,
        id: WebhookDeliveryId,
    ) -> Result<bool, StoreError> {
        let done: Option<String> = on!(self.0, c => sqlx::query_scalar(REPLAY)
            .bind(webhook.to_string()).bind(id.millis()).bind(id.to_string()).fetch_optional(c).await)?;
        Ok(done.is_some())
    }

    /// Has a webhook worked for at once, for something beside its queue; `false` if it is switched off.
    pub async fn urge_webhook(&mut self, id: WebhookId) -> Result<bool, StoreError> {
        let done: Option<String> =
            on!(self.0, c => sqlx::query_scalar(URGE).bind(id.to_string()).fetch_optional(c).await)?;
        Ok(done.is_some())
    }

    /// Forgets at most `limit` deliveries, and as many runs, of before `before`; how many.
    pub async fn prune_webhook_queue(&mut self, before: Timestamp, limit: i64) -> Result<u64, StoreError> {
        let mut pruned = 0;
        for statement in [PRUNE_DELIVERIES, PRUNE_RUNS] {
            pruned += on!(self.0, c => sqlx::query(statement)
                .bind(before.as_millisecond()).bind(limit).execute(c).await.map(|done| done.rows_affected()))?;
        }
        Ok(pruned)
    }

    /// Clears away at most `limit` rows of each kind that belong to a webhook deleted before `before`; the
    /// webhook itself when nothing is left of it. `false` if there is none.
    pub async fn clear_deleted_webhook(&mut self, before: Timestamp, limit: i64) -> Result<bool, StoreError> {
        let found: Option<String> = on!(self.0, c => sqlx::query_scalar(DELETED)
            .bind(before.as_millisecond()).fetch_optional(c).await)?;
        let Some(id) = found else { return Ok(false) };
        let mut cleared = 0;
        for statement in [CLEAR_DELIVERIES, CLEAR_RUNS] {
            cleared += on!(self.0, c => sqlx::query(statement)
                .bind(&id).bind(limit).execute(c).await.map(|done| done.rows_affected()))?;
        }
        if cleared == 0 {
            for statement in [CLEAR_STATE, CLEAR] {
                on!(self.0, c => sqlx::query(statement).bind(&id).execute(c).await.map(drop))?;
            }
        }
        Ok(true)
    }
}

/// What [`Append`](crate::Append) does on SQLite, with the same statement.
pub(crate) mod direct {
    use rusqlite::Connection;

    use super::*;

    pub(crate) fn insert_runs(conn: &Connection, runs: &[NewRun]) -> Result<(), StoreError> {
        let mut insert = conn.prepare_cached(INSERT_RUN)?;
        for run in runs {
            insert.execute((
                run.webhook.to_string(),
                run.event.name(),
                run.company.to_string(),
                run.channel.to_string(),
                run.from_seq,
                run.to_seq,
                run.at.as_millisecond(),
            ))?;
        }
        Ok(())
    }
}
