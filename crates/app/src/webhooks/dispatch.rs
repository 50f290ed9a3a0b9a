//! The dispatcher: works through the queues of webhooks.
//!
//! 1. Webhooks that something waits for are looked for when this node wrote something, and twice a
//!    second: another node may have, or may have died. Each is worked for by one node, under a lease
//!    with an end, and by one task: one that hangs holds up nobody else.
//! 2. A worker reads a little of the queue, sends event after event, and writes what became of them
//!    every few seconds, with the lease. If it dies, what it sent since goes out again, under the same
//!    id, which follows from the event itself.
//! 3. If the event at the head fails, the others wait: it is tried again after 10, 20 and 40 s. Then
//!    it steps aside, to a schedule of its own, and the next one is tried. As long as everything fails,
//!    pauses grow to a day.
//! 4. Nothing is sent while this node cannot tell whether rights are current.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures_util::future::join_all;
use hallpass_core::authority::Change;
use hallpass_core::channel::ChannelId;
use hallpass_core::clock::draw;
use hallpass_core::entity::Message;
use hallpass_core::id::{CompanyId, WebhookDeliveryId, WebhookId};
use hallpass_core::webhook::{
    DeliveryState, DisabledReason, EventType, GIVE_UP_AFTER, QUICK_ATTEMPTS, pause_after,
};
use hallpass_outbound::{Failure, Outbound};
use hallpass_store::{Delivery, Health, Lease, Progress, Run};
use hallpass_token::{PurposeKey, sha256};
use jiff::{SignedDuration, Timestamp};
use parking_lot::Mutex;
use tokio::sync::{Notify, watch};
use tokio::task::JoinSet;

use super::payload::{About, Event, Subject};
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
/// How long a lease holds. Longer than writing progress and one attempt take together.
const LEASE: SignedDuration = SignedDuration::from_secs(30);
/// How often a worker writes what it did.
const WRITE_EVERY: Duration = Duration::from_secs(3);
/// How long a worker goes on before others have their turn.
const SLICE: Duration = Duration::from_secs(20);
/// Webhooks of which it is remembered when they had their turn.
const MAX_TURNS: usize = 10_000;
/// Rows of a queue read at once, and the most events in them.
const MAX_RUNS: i64 = 256;
const MOST: i64 = 256;
/// The most deliveries tried at once that had stepped aside.
const MAX_WAITING: i64 = 10;

/// What delivers, and what it knows.
pub(crate) struct Dispatcher {
    pub(super) sealing: PurposeKey,
    pub(super) wire: Arc<dyn Wire>,
    pub(super) told: Cache<CompanyId, Arc<Told>>,
    pub(super) live: Cache<WebhookId, Arc<Live>>,
    pub(crate) enabled: bool,
    pub(crate) log_kept: SignedDuration,
    outbound: Outbound,
    /// This node, in leases.
    owner: String,
    /// Webhooks that a task of this node works for.
    busy: Mutex<HashSet<WebhookId>>,
    /// When this node last worked for a webhook.
    turns: Mutex<HashMap<WebhookId, Duration>>,
    /// How far the last list of queues went; none if to the end.
    listed_to: Mutex<Option<WebhookId>>,
    hint: Arc<Notify>,
    stop: watch::Sender<bool>,
    running: AtomicBool,
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
            running: AtomicBool::new(false),
        }
    }

    /// Something was put into a queue.
    pub(crate) fn wake(&self) {
        self.hint.notify_one();
    }

    /// What [`wake`](Self::wake) does, to hand out.
    pub(crate) fn hint(&self) -> Arc<Notify> {
        Arc::clone(&self.hint)
    }

    fn stopping(&self) -> bool {
        *self.stop.borrow()
    }
}

/// What became of an attempt.
enum Outcome {
    Delivered(u16),
    Failed {
        status: Option<u16>,
        why: String,
    },
    /// What it is about is not there any more.
    NothingToTell,
    /// This node is shutting down.
    Stopped,
}

/// An event at its place in the queue.
struct Queued {
    event: Event,
    place: Option<(ChannelId, i64)>,
    subject: Option<String>,
    /// Its run, and the event the run goes on with; none if it is the last.
    run: i64,
    next: Option<i64>,
}

/// What was read of a queue.
#[derive(Default)]
struct Read {
    queued: Vec<Queued>,
    /// Runs whose events are all gone.
    over: Vec<i64>,
    /// A run whose first part is gone, and where it goes on.
    cut: Option<(i64, i64)>,
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
                () = self.hooks.hint.notified() => tokio::time::sleep(GATHER).await,
                _ = stop.changed() => {}
                Some(_) = workers.join_next() => {}
            }
        }
        while workers.join_next().await.is_some() {}
    }

    /// Ends deliveries: attempts under way are given up, and what became of the others is written.
    pub async fn stop_webhooks(&self) {
        self.hooks.stop.send_replace(true);
        while self.hooks.running.load(Ordering::Acquire) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
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

    async fn work(&self, id: WebhookId) -> Result<(), AppError> {
        let lease = Lease { webhook: id, owner: self.hooks.owner.clone() };
        let now = self.clock.now();
        let taken = self
            .store
            .write((lease.clone(), now), |(lease, now), tx| {
                Box::pin(tx.lease_webhook(lease, *now + LEASE, *now))
            })
            .await
            .map_err(AppError::from)?;
        let Some(health) = taken else { return Ok(()) };
        let started = self.clock.monotonic();
        let mut worker = Worker {
            app: self,
            lease,
            health,
            done: Progress::default(),
            started,
            written: started,
            held: true,
        };
        let outcome = worker.run().await;
        if worker.held {
            worker.write(None).await?;
        }
        outcome
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

    /// Switches a webhook off, and says so to the operator and in its log.
    async fn give_up_on(&self, live: &Live, reason: DisabledReason, why: &str) -> Result<(), AppError> {
        let at = self.clock.now();
        let (id, company) = (live.webhook.id, live.webhook.company);
        let note = Delivery {
            id: WebhookDeliveryId::generate(at, &*self.entropy),
            event: "hallpass.webhook.disabled".to_owned(),
            company,
            place: None,
            subject: None,
            state: DeliveryState::Disabled,
            attempts: 0,
            status: None,
            error: Some(why.to_owned()),
            attempted_at: Some(at),
            next_at: None,
        };
        let n = self
            .store
            .write((id, company, reason, at, note), |(id, company, reason, at, note), tx| {
                Box::pin(async move {
                    let n = App::note(tx, &[(Change::Webhooks(*company), false)], *at).await?;
                    if tx.disable_webhook(*id, *reason, *at).await? {
                        tx.put_webhook_deliveries(*id, std::slice::from_ref(note)).await?;
                    }
                    Ok::<_, AppError>(n)
                })
            })
            .await?;
        self.settle(n).await?;
        metrics::counter!("hallpass_webhook_disabled_total", "reason" => reason.name()).increment(1);
        tracing::warn!(webhook.id = %id, company.id = %company, reason = reason.name(),
            "a webhook was switched off: {why}");
        Ok(())
    }
}

/// Says that the dispatcher runs.
struct Running<'a>(&'a AtomicBool);

impl<'a> Running<'a> {
    fn begin(running: &'a AtomicBool) -> Self {
        running.store(true, Ordering::Release);
        Self(running)
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Release);
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

/// Works for one webhook under a lease.
struct Worker<'a> {
    app: &'a App,
    lease: Lease,
    health: Health,
    /// Not yet written.
    done: Progress,
    started: Duration,
    written: Duration,
    /// The lease is still ours, as far as we know.
    held: bool,
}

/// Whether a worker goes on.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Next {
    GoOn,
    Stop,
}

impl Worker<'_> {
    async fn run(&mut self) -> Result<(), AppError> {
        loop {
            let id = self.lease.webhook;
            let now = self.app.clock.now();
            let (runs, mut waiting) = {
                let mut conn = self.app.store.read().await?;
                let runs = conn.list_webhook_runs(id, MAX_RUNS).await?;
                (runs, conn.list_waiting_deliveries(id, now, MAX_WAITING).await?)
            };
            if self.health.failures > 0 && !runs.is_empty() {
                // The queue's head says how it goes; only what somebody asked for goes before it.
                waiting.retain(|delivery| delivery.next_at == Some(Timestamp::UNIX_EPOCH));
            }
            if runs.is_empty() && waiting.is_empty() {
                return Ok(());
            }
            for delivery in waiting {
                let failed = self.try_waiting(delivery, runs.is_empty()).await?;
                match failed {
                    Some(Next::Stop) => return Ok(()),
                    // One failure is enough to let the others wait.
                    Some(Next::GoOn) => break,
                    None => {}
                }
            }
            let read = self.take(runs).await?;
            for item in read.queued {
                if self.try_head(item).await? == Next::Stop {
                    return Ok(());
                }
            }
            self.done.finished.extend(read.over);
            self.done.shortened = read.cut.or(self.done.shortened);
            if !self.write(Some(LEASE)).await? || self.must_pause() {
                return Ok(());
            }
            if self.app.clock.monotonic().saturating_sub(self.started) > SLICE {
                return Ok(());
            }
        }
    }

    fn must_pause(&self) -> bool {
        self.app.hooks.stopping() || !self.app.authority.is_fresh()
    }

    /// The events at the beginning of the queue, as they are now.
    async fn take(&self, runs: Vec<Run>) -> Result<Read, AppError> {
        let mut room = MOST;
        let mut spans = Vec::new();
        let mut taken = Vec::new();
        for run in runs {
            if room == 0 {
                break;
            }
            room = (room - run.span.map_or(1, |(_, from, to)| to - from + 1)).max(0);
            if let (Some((channel, from, to)), None) = (run.span, &run.subject) {
                spans.push((channel, from, to.min(from + MOST - 1)));
            }
            taken.push(run);
        }
        let mut messages = if spans.is_empty() {
            HashMap::new()
        } else {
            self.app.store.read().await?.find_messages_of_events(&spans).await?
        };
        let mut read = Read::default();
        for run in taken {
            self.unfold(&run, &mut messages, &mut read);
        }
        Ok(read)
    }

    /// The events of one run that still are.
    fn unfold(&self, run: &Run, messages: &mut HashMap<(ChannelId, i64), Message>, read: &mut Read) {
        if let Some(text) = &run.subject {
            let Ok(subject) = serde_json::from_str::<Subject>(text) else {
                tracing::error!(run = run.n, "a row of the outbox does not parse, and is passed over");
                read.over.push(run.n);
                return;
            };
            let about = About::Subject(subject);
            let (id, subject) = (self.delivery_id(run, None), run.subject.clone());
            let event = Event { id, kind: run.event, company: run.company, at: run.at, about };
            read.queued.push(Queued { event, place: None, subject, run: run.n, next: None });
            return;
        }
        let Some((channel, from, to)) = run.span else { return read.over.push(run.n) };
        let last = to.min(from + MOST - 1);
        let start = read.queued.len();
        for seq in from..=last {
            let Some(message) = messages.remove(&(channel, seq)) else { continue };
            let place = Some((channel, seq));
            let about = About::Message(Box::new(message));
            let id = self.delivery_id(run, place);
            let event = Event { id, kind: run.event, company: run.company, at: run.at, about };
            read.queued.push(Queued { event, place, subject: None, run: run.n, next: Some(seq + 1) });
        }
        let goes_on = (last < to).then_some(last + 1);
        match (&mut read.queued[start..], goes_on) {
            // The last one that is left says where the run goes on, or that it is through.
            ([.., end], _) => end.next = goes_on,
            ([], Some(seq)) => read.cut = Some((run.n, seq)),
            ([], None) => read.over.push(run.n),
        }
    }

    /// The id under which this webhook is told of an event, however often: its time, its place among
    /// those of one millisecond, and a hash.
    fn delivery_id(&self, run: &Run, place: Option<(ChannelId, i64)>) -> WebhookDeliveryId {
        let order = place.map_or(run.n, |(_, seq)| seq).cast_unsigned() & 0xff_ffff;
        let place = place.map(|(channel, seq)| format!("{channel} {seq}"));
        let text = format!(
            "{} {} {} {} {}",
            self.lease.webhook,
            run.event.name(),
            run.company,
            place.unwrap_or_default(),
            run.subject.as_deref().unwrap_or_default()
        );
        let hash = sha256(text.as_bytes());
        let tail: [u8; 8] = std::array::from_fn(|n| hash[n]);
        let millis = u128::try_from(run.at.as_millisecond()).unwrap_or(0);
        let tail = u128::from(u64::from_be_bytes(tail) >> 8);
        WebhookDeliveryId::from_bits(millis << 80 | u128::from(order) << 56 | tail)
    }

    /// Tries the event at the head of the queue.
    async fn try_head(&mut self, item: Queued) -> Result<Next, AppError> {
        let Queued { event, place, subject, run, next } = item;
        let mut entry = Delivery {
            id: event.id,
            event: event.kind.name().to_owned(),
            company: event.company,
            place,
            subject,
            state: DeliveryState::Delivered,
            attempts: self.health.head_attempts + 1,
            status: None,
            error: None,
            attempted_at: Some(self.app.clock.now()),
            next_at: None,
        };
        let Some(live) = self.live().await? else { return Ok(Next::Stop) };
        match self.attempt(&live, event).await? {
            Outcome::Stopped => return Ok(Next::Stop),
            Outcome::Delivered(status) => {
                entry.status = Some(status);
                self.done.deliveries.push(entry);
                self.health = Health::default();
                self.pass(run, next);
            }
            Outcome::NothingToTell => {
                entry.state = DeliveryState::Skipped;
                entry.error = Some("what it was about is gone".to_owned());
                self.done.deliveries.push(entry);
                self.health.head_attempts = 0;
                self.pass(run, next);
            }
            Outcome::Failed { status, why } => {
                entry.status = status;
                entry.error = Some(why);
                return self.head_failed(&live, entry, (run, next)).await;
            }
        }
        self.write_now_and_then().await
    }

    async fn head_failed(
        &mut self,
        live: &Live,
        mut entry: Delivery,
        (run, next): (i64, Option<i64>),
    ) -> Result<Next, AppError> {
        let now = self.app.clock.now();
        self.health.failures = self.health.failures.saturating_add(1);
        self.health.head_attempts += 1;
        self.health.failing_since.get_or_insert(now);
        let pause = self.pause(self.health.failures);
        if self.health.head_attempts < QUICK_ATTEMPTS {
            entry.state = DeliveryState::Retrying;
            entry.next_at = Some(now + pause);
        } else {
            entry.state = DeliveryState::Waiting;
            entry.next_at = Some(now + self.pause(self.health.head_attempts));
            self.health.head_attempts = 0;
            self.pass(run, next);
        }
        let stepped_aside = entry.state == DeliveryState::Waiting;
        let gave_up = self.gave_up(live, &entry).await?;
        self.done.deliveries.push(entry);
        if gave_up {
            return Ok(Next::Stop);
        }
        if stepped_aside {
            // Perhaps it was this event, and not the receiver: the next one tells.
            return self.write_now_and_then().await;
        }
        self.done.not_before = Some(now + pause);
        Ok(Next::Stop)
    }

    /// Tries a delivery that had stepped aside. What to do if it failed; none if it did not.
    async fn try_waiting(&mut self, mut entry: Delivery, alone: bool) -> Result<Option<Next>, AppError> {
        let Some(live) = self.live().await? else { return Ok(Some(Next::Stop)) };
        let now = self.app.clock.now();
        let outcome = match self.recall(&entry).await? {
            Some(event) => self.attempt(&live, event).await?,
            None => Outcome::NothingToTell,
        };
        entry.attempted_at = Some(now);
        entry.next_at = None;
        entry.status = None;
        entry.error = None;
        match outcome {
            Outcome::Stopped => return Ok(Some(Next::Stop)),
            Outcome::NothingToTell => {
                entry.state = DeliveryState::Skipped;
                entry.error = Some("what it was about is gone".to_owned());
                self.done.deliveries.push(entry);
            }
            Outcome::Delivered(status) => {
                entry.state = DeliveryState::Delivered;
                entry.status = Some(status);
                entry.attempts += 1;
                self.done.deliveries.push(entry);
                self.health.failures = 0;
                self.health.failing_since = None;
            }
            Outcome::Failed { status, why } => {
                entry.status = status;
                entry.error = Some(why);
                entry.attempts += 1;
                self.health.failing_since.get_or_insert(now);
                let age = now.as_millisecond() - entry.id.millis();
                if i128::from(age) >= GIVE_UP_AFTER.as_millis() {
                    entry.state = DeliveryState::Failed;
                } else {
                    entry.state = DeliveryState::Waiting;
                    entry.next_at = Some(now + self.pause(entry.attempts));
                }
                let gave_up = self.gave_up(&live, &entry).await?;
                self.done.deliveries.push(entry);
                if gave_up {
                    return Ok(Some(Next::Stop));
                }
                if alone {
                    self.health.failures = self.health.failures.saturating_add(1);
                    self.done.not_before = Some(now + self.pause(self.health.failures));
                    return Ok(Some(Next::Stop));
                }
                return Ok(Some(Next::GoOn));
            }
        }
        match self.write_now_and_then().await? {
            Next::Stop => Ok(Some(Next::Stop)),
            Next::GoOn => Ok(None),
        }
    }

    /// Whether the webhook is switched off after this failure.
    async fn gave_up(&self, live: &Live, failed: &Delivery) -> Result<bool, AppError> {
        if failed.status == Some(410) {
            self.app.give_up_on(live, DisabledReason::Gone, "the receiver answered 410 Gone").await?;
            return Ok(true);
        }
        let now = self.app.clock.now();
        let failing =
            self.health.failing_since.map_or(SignedDuration::ZERO, |since| now.duration_since(since));
        if failing >= GIVE_UP_AFTER {
            let last = failed.error.as_deref().unwrap_or_default();
            let why = format!("nothing but failures for five days, at last: {last}");
            self.app.give_up_on(live, DisabledReason::Failing, &why).await?;
            return Ok(true);
        }
        Ok(false)
    }

    /// What a line of the log was about, as it is now.
    async fn recall(&self, entry: &Delivery) -> Result<Option<Event>, AppError> {
        let Some(kind) = EventType::parse(&entry.event) else { return Ok(None) };
        let about = match (&entry.subject, entry.place) {
            (Some(text), _) => match serde_json::from_str(text) {
                Ok(subject) => About::Subject(subject),
                Err(_) => return Ok(None),
            },
            (None, Some((channel, seq))) => {
                let mut conn = self.app.store.read().await?;
                let found = conn.find_messages_of_events(&[(channel, seq, seq)]).await?;
                match found.into_values().next() {
                    Some(message) => About::Message(Box::new(message)),
                    None => return Ok(None),
                }
            }
            (None, None) => return Ok(None),
        };
        let at = Timestamp::from_millisecond(entry.id.millis()).unwrap_or(Timestamp::UNIX_EPOCH);
        Ok(Some(Event { id: entry.id, kind, company: entry.company, at, about }))
    }

    /// The webhook, if it may be sent to.
    async fn live(&self) -> Result<Option<Arc<Live>>, AppError> {
        if self.must_pause() {
            return Ok(None);
        }
        let live = self.app.live_webhook(self.lease.webhook).await?;
        Ok(live.filter(|live| live.webhook.enabled))
    }

    async fn attempt(&self, live: &Live, event: Event) -> Result<Outcome, AppError> {
        let id = event.id.to_string();
        let Some(body) = self.app.render_event(event).await? else { return Ok(Outcome::NothingToTell) };
        let at = self.app.clock.now();
        let (timestamp, signature) = (at.as_second().to_string(), live.sign(&id, at, &body));
        let headers = [
            ("webhook-id", id.as_str()),
            ("webhook-timestamp", timestamp.as_str()),
            ("webhook-signature", signature.as_str()),
        ];
        let mut stop = self.app.hooks.stop.subscribe();
        let answer = tokio::select! {
            answer = self.app.hooks.outbound.post_json(&live.url, &headers, body) => answer,
            _ = stop.wait_for(|stopping| *stopping) => return Ok(Outcome::Stopped),
        };
        let (outcome, name) = match answer {
            Ok(answer) if (200..300).contains(&answer.status) => {
                (Outcome::Delivered(answer.status), "delivered")
            }
            Ok(answer) => {
                let why = match answer.status {
                    300..400 => format!("answered {}: redirects are not followed", answer.status),
                    status => format!("answered {status}"),
                };
                (Outcome::Failed { status: Some(answer.status), why }, "failed")
            }
            Err(failure) => {
                let name = if matches!(failure, Failure::Refused(_)) { "refused" } else { "failed" };
                (Outcome::Failed { status: None, why: failure.to_string() }, name)
            }
        };
        metrics::counter!("hallpass_webhook_deliveries_total", "outcome" => name).increment(1);
        Ok(outcome)
    }

    fn pause(&self, failures: u32) -> SignedDuration {
        pause_after(failures, draw::<1>(&*self.app.entropy)[0])
    }

    /// An event of a run is through.
    fn pass(&mut self, run: i64, next: Option<i64>) {
        if let Some(seq) = next {
            self.done.shortened = Some((run, seq));
        } else {
            self.done.finished.push(run);
            self.done.shortened = self.done.shortened.filter(|(other, _)| *other != run);
        }
    }

    async fn write_now_and_then(&mut self) -> Result<Next, AppError> {
        if self.app.clock.monotonic().saturating_sub(self.written) < WRITE_EVERY {
            return Ok(Next::GoOn);
        }
        Ok(if self.write(Some(LEASE)).await? { Next::GoOn } else { Next::Stop })
    }

    /// Writes what was done, and keeps the lease for `keep` or gives it back. `false` if it was lost.
    async fn write(&mut self, keep: Option<SignedDuration>) -> Result<bool, AppError> {
        let mut done = std::mem::take(&mut self.done);
        done.lease_until = keep.map(|keep| self.app.clock.now() + keep);
        done.health = self.health;
        self.written = self.app.clock.monotonic();
        let held = self
            .app
            .store
            .write((self.lease.clone(), done), |(lease, done), tx| Box::pin(tx.advance_webhook(lease, done)))
            .await
            .map_err(AppError::from);
        self.held = matches!(held, Ok(true)) && keep.is_some();
        held
    }
}
