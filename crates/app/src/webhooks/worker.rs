//! Working for one webhook, under its lease: what is tried, in which order, and when it is written down.

use std::sync::Arc;
use std::time::Duration;

use hallpass_core::id::WebhookId;
use hallpass_core::webhook::Health;
use hallpass_store::{Delivery, Lease, Progress};
use jiff::{SignedDuration, Timestamp};

use super::Live;
use super::outcome::ASKED;
use crate::App;
use crate::error::AppError;

/// How long a lease holds. Longer than writing progress and one attempt take together.
const LEASE: SignedDuration = SignedDuration::from_secs(30);
/// How often a worker writes what it did.
const WRITE_EVERY: Duration = Duration::from_secs(3);
/// How long a worker goes on before others have their turn.
const SLICE: Duration = Duration::from_secs(20);
/// Rows of a queue read at once.
const MAX_RUNS: i64 = 256;
/// Deliveries beside the queue read at once.
const MAX_BESIDE: i64 = 10;

/// Works for one webhook under a lease.
pub(super) struct Worker<'a> {
    pub(super) app: &'a App,
    pub(super) lease: Lease,
    pub(super) health: Health,
    /// Not yet written.
    pub(super) done: Progress,
    /// What stepped aside is not tried before.
    aside_from: Option<Timestamp>,
    started: Duration,
    written: Duration,
    /// The lease is still ours, as far as we know.
    held: bool,
}

/// Whether a worker goes on.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Next {
    GoOn,
    Stop,
}

impl App {
    /// Works for a webhook until nothing is due, something failed, or others have their turn.
    pub(super) async fn work(&self, id: WebhookId) -> Result<(), AppError> {
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
            aside_from: None,
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
}

impl Worker<'_> {
    async fn run(&mut self) -> Result<(), AppError> {
        while self.round().await? == Next::GoOn {
            if !self.write(Some(LEASE)).await? || self.must_pause() {
                break;
            }
            if self.app.clock.monotonic().saturating_sub(self.started) > SLICE {
                break;
            }
        }
        Ok(())
    }

    /// What somebody asked for, then the queue from its head, then what stepped aside.
    async fn round(&mut self) -> Result<Next, AppError> {
        let id = self.lease.webhook;
        let now = self.app.clock.now();
        let (runs, beside) = {
            let mut conn = self.app.store.read().await?;
            let runs = conn.list_webhook_runs(id, MAX_RUNS).await?;
            (runs, conn.list_waiting_deliveries(id, now, MAX_BESIDE).await?)
        };
        let (asked, mut aside): (Vec<_>, Vec<_>) =
            beside.into_iter().partition(|delivery| delivery.next_at == Some(ASKED));
        self.aside_from = None;
        let mut tried = !asked.is_empty();
        if self.try_each(asked).await? == Next::Stop {
            return Ok(Next::Stop);
        }
        let queued = !runs.is_empty();
        if queued && self.health.is_open(now) {
            tried = true;
            let read = self.take(runs).await?;
            self.done.finished.extend(read.over);
            if let Some(gone) = read.gone {
                self.done.deliveries.push(gone);
                self.health.head_skipped();
            }
            for item in read.queued {
                if self.try_head(item).await? == Next::Stop {
                    self.aside_from = self.health.not_before.filter(|_| self.health.head_attempts > 0);
                    return Ok(Next::Stop);
                }
            }
            self.done.shortened = read.cut.or(self.done.shortened);
        }
        if queued && self.health.failures > 0 {
            // The queue's head says how it goes. What stepped aside waits for it.
            self.aside_from = self.health.not_before;
            aside.clear();
        }
        tried |= !aside.is_empty();
        let next = self.try_each(aside).await?;
        Ok(if tried { next } else { Next::Stop })
    }

    async fn try_each(&mut self, beside: Vec<Delivery>) -> Result<Next, AppError> {
        for delivery in beside {
            let (failed, next) = self.try_beside(delivery).await?;
            if next == Next::Stop {
                return Ok(Next::Stop);
            }
            if failed {
                // One is enough to let the others wait for the queue.
                break;
            }
        }
        Ok(Next::GoOn)
    }

    fn must_pause(&self) -> bool {
        self.app.hooks.stopping() || !self.app.authority.is_fresh()
    }

    /// The webhook, if it may be sent to.
    pub(super) async fn live(&self) -> Result<Option<Arc<Live>>, AppError> {
        if self.must_pause() {
            return Ok(None);
        }
        let live = self.app.live_webhook(self.lease.webhook).await?;
        Ok(live.filter(|live| live.webhook.enabled))
    }

    pub(super) async fn write_now_and_then(&mut self) -> Result<Next, AppError> {
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
        done.aside_from = self.aside_from;
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
