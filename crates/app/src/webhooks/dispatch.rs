//! The dispatcher: finds the webhooks that something waits for, and has them worked for.
//!
//! 1. Webhooks that something waits for are looked for when this node wrote something, and twice a
//!    second: another node may have, or may have died. Each is worked for by one node, under a lease
//!    with an end, and by one task: one that hangs holds up nobody else.
//! 2. A worker reads a little of the queue ([`queue`](super::queue)), sends event after event
//!    ([`attempt`](super::attempt)), and writes what became of them every few seconds, with the lease
//!    ([`worker`](super::worker)). If it dies, what it sent since goes out again, under the same id, which
//!    follows from the event itself.
//! 3. What follows from a failure is in [`outcome`](super::outcome), when things are tried again in
//!    [`Health`](hallpass_core::webhook::Health): the head of a queue after 10, 20 and 40 s while the
//!    others wait; then it steps aside, to a schedule of its own. While every head fails, they come ever
//!    more rarely. What was asked for, or stepped aside, is tried at its own time and holds up no queue.
//! 4. Nothing is sent while this node cannot tell whether rights are current.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use hallpass_core::id::{CompanyId, WebhookId};
use hallpass_core::webhook::DisabledReason;
use hallpass_outbound::Outbound;
use hallpass_token::PurposeKey;
use jiff::SignedDuration;
use parking_lot::Mutex;
use tokio::sync::{Notify, watch};
use tokio::task::JoinSet;

use super::told::Told;
use super::{Live, WebhookParts, Wire};
use crate::App;
use crate::authority::Authority;
use crate::cache::Cache;
use crate::error::AppError;

/// How often queues are looked at when nothing hastens it.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// How long a hint waits for others.
const GATHER: Duration = Duration::from_millis(20);
/// How often the queue is measured.
const MEASURE_EVERY: Duration = Duration::from_secs(15);
/// Webhooks worked for at once.
const MAX_WORKERS: usize = 64;
/// Webhooks of which it is remembered when they had their turn.
const MAX_TURNS: usize = 10_000;

/// What delivers, and what it knows.
pub(crate) struct Dispatcher {
    pub(super) sealing: PurposeKey,
    pub(super) wire: Arc<dyn Wire>,
    pub(super) told: Cache<CompanyId, Arc<Told>>,
    pub(super) live: Cache<WebhookId, Arc<Live>>,
    pub(crate) enabled: bool,
    pub(crate) log_kept: SignedDuration,
    pub(super) outbound: Outbound,
    /// This node, in leases.
    pub(super) owner: String,
    /// Webhooks that a task of this node works for.
    busy: Mutex<HashSet<WebhookId>>,
    /// When this node last worked for a webhook.
    turns: Mutex<HashMap<WebhookId, Duration>>,
    /// How far the last list of queues went; none if to the end.
    listed_to: Mutex<Option<WebhookId>>,
    hint: Arc<Notify>,
    stop: watch::Sender<bool>,
    /// Whether deliveries are under way by themselves.
    running: watch::Sender<bool>,
}

impl Dispatcher {
    pub(crate) fn new(
        parts: WebhookParts,
        sealing: PurposeKey,
        authority: &Arc<Authority>,
        owner: String,
    ) -> Self {
        Self {
            sealing,
            wire: parts.wire,
            told: Cache::new(authority, 20_000),
            live: Cache::new(authority, 5_000),
            enabled: parts.dispatch,
            log_kept: parts.log_kept,
            outbound: parts.outbound,
            owner,
            busy: Mutex::default(),
            turns: Mutex::default(),
            listed_to: Mutex::default(),
            hint: Arc::default(),
            stop: watch::Sender::new(false),
            running: watch::Sender::new(false),
        }
    }

    /// Something was put into a queue.
    pub(crate) fn wake(&self) {
        self.hint.notify_one();
    }

    /// Returns a little after a hint, so that one look serves those that follow.
    async fn gathered_hints(&self) {
        self.hint.notified().await;
        tokio::time::sleep(GATHER).await;
    }

    /// What [`wake`](Self::wake) does, to hand out.
    pub(crate) fn hint(&self) -> Arc<Notify> {
        Arc::clone(&self.hint)
    }

    pub(super) fn stopping(&self) -> bool {
        *self.stop.borrow()
    }

    /// Turns true when this node shuts down.
    pub(super) fn stop_signal(&self) -> watch::Receiver<bool> {
        self.stop.subscribe()
    }
}

impl App {
    /// Delivers until the future is dropped, or [`Self::stop_webhooks`].
    pub(crate) async fn run_webhooks(&self) {
        if !self.hooks.enabled {
            return;
        }
        let _running = Running::begin(&self.hooks.running);
        for outcome in ["delivered", "failed", "refused"] {
            metrics::counter!("hallpass_webhook_deliveries_total", "outcome" => outcome).absolute(0);
        }
        for reason in [DisabledReason::Gone, DisabledReason::Failing] {
            metrics::counter!("hallpass_webhook_disabled_total", "reason" => reason.name()).absolute(0);
        }
        let mut stop = self.hooks.stop.subscribe();
        let mut workers: JoinSet<()> = JoinSet::new();
        let mut measured: Option<Duration> = None;
        while !self.hooks.stopping() {
            if let Err(error) = self.look(&mut workers).await {
                tracing::warn!(error = %error, "cannot look for webhooks to deliver to");
            }
            let now = self.clock.monotonic();
            if measured.is_none_or(|at| now.saturating_sub(at) >= MEASURE_EVERY) {
                measured = Some(now);
                self.measure_webhooks().await;
            }
            tokio::select! {
                () = tokio::time::sleep(LOOK_EVERY) => {}
                () = self.hooks.gathered_hints() => {}
                _ = stop.wait_for(|stopping| *stopping) => {}
                Some(_) = workers.join_next() => {}
            }
        }
        while workers.join_next().await.is_some() {}
    }

    /// Ends deliveries: attempts under way are given up, and what became of the others is written.
    pub async fn stop_webhooks(&self) {
        self.hooks.stop.send_replace(true);
        let mut running = self.hooks.running.subscribe();
        // Fails only if the sender is gone, which is ours.
        let _ended = running.wait_for(|running| !running).await;
    }

    /// Delivers everything that is due now, and returns when nothing is: for tests, which have no patience
    /// and a clock of their own.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn deliver_webhooks(&self) -> Result<(), AppError> {
        for _ in 0..1000 {
            let due = self.claim_due(MAX_WORKERS).await?;
            if due.is_empty() {
                return Ok(());
            }
            join_all(due.into_iter().map(|id| self.work_for(id))).await;
        }
        Err(AppError::Unavailable("deliveries do not come to an end"))
    }

    async fn look(&self, workers: &mut JoinSet<()>) -> Result<(), AppError> {
        while workers.try_join_next().is_some() {}
        let room = MAX_WORKERS.saturating_sub(workers.len());
        if room == 0 || !self.authority.is_fresh() {
            return Ok(());
        }
        for id in self.claim_due(room).await? {
            let app = self.clone();
            workers.spawn(async move { app.work_for(id).await });
        }
        Ok(())
    }

    /// Webhooks to work for, marked as this node's business.
    async fn claim_due(&self, room: usize) -> Result<Vec<WebhookId>, AppError> {
        // Those that are being worked for are listed too, because their lease is ours.
        let limit = MAX_WORKERS * 2;
        let most = i64::try_from(limit).unwrap_or(i64::MAX);
        let (now, owner) = (self.clock.now(), &self.hooks.owner);
        let mut conn = self.store.read().await?;
        let mut due = conn.list_due_webhooks(owner, now, most).await?;
        // Where there are more than are listed at once, each has its turn.
        let after = *self.hooks.listed_to.lock();
        let queued = conn.list_queued_webhooks(owner, now, after, most).await?;
        let more_behind = queued.len() == limit;
        let wrapped = after.is_some() && !more_behind;
        due.extend(queued.iter().filter(|id| !due.contains(id)).copied().collect::<Vec<_>>());
        if wrapped {
            let from_start = conn.list_queued_webhooks(owner, now, None, most).await?;
            due.extend(from_start.iter().filter(|id| !due.contains(id)).copied().collect::<Vec<_>>());
        }
        drop(conn);
        *self.hooks.listed_to.lock() = queued.last().copied().filter(|_| more_behind);
        let mut busy = self.hooks.busy.lock();
        due.retain(|id| !busy.contains(id));
        // Who was worked for last comes last.
        let turns = self.hooks.turns.lock();
        due.sort_by_key(|id| turns.get(id).copied());
        drop(turns);
        due.truncate(room);
        busy.extend(due.iter().copied());
        Ok(due)
    }

    async fn work_for(&self, id: WebhookId) {
        let _free = Free { app: self, id };
        if let Err(error) = Box::pin(self.work(id)).await {
            tracing::warn!(webhook.id = %id, error = %error, "deliveries stopped; another attempt follows");
        }
    }

    async fn measure_webhooks(&self) {
        let measured = match self.store.read().await {
            Ok(mut conn) => conn.measure_webhook_queue().await,
            Err(error) => Err(error),
        };
        match measured {
            Ok((depth, oldest)) => {
                let age = oldest.map_or(0.0, |at| self.clock.now().duration_since(at).as_secs_f64());
                #[expect(clippy::cast_precision_loss, reason = "a gauge of at most some millions")]
                metrics::gauge!("hallpass_webhook_queue_depth").set(depth as f64);
                metrics::gauge!("hallpass_webhook_oldest_seconds").set(age.max(0.0));
            }
            Err(error) => tracing::warn!(error = %error, "the queue of webhooks cannot be measured"),
        }
    }
}

/// Says that the dispatcher runs.
struct Running<'a>(&'a watch::Sender<bool>);

impl<'a> Running<'a> {
    fn begin(running: &'a watch::Sender<bool>) -> Self {
        running.send_replace(true);
        Self(running)
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.0.send_replace(false);
    }
}

/// Lets a webhook be worked for again.
struct Free<'a> {
    app: &'a App,
    id: WebhookId,
}

impl Drop for Free<'_> {
    fn drop(&mut self) {
        let mut turns = self.app.hooks.turns.lock();
        if turns.len() > MAX_TURNS {
            turns.clear();
        }
        turns.insert(self.id, self.app.clock.monotonic());
        drop(turns);
        self.app.hooks.busy.lock().remove(&self.id);
    }
}
