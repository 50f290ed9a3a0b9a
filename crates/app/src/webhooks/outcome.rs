//! What follows from an attempt: for the log, for the queue, for the webhook.

use hallpass_core::authority::Change;
use hallpass_core::clock::draw;
use hallpass_core::id::WebhookDeliveryId;
use hallpass_core::webhook::{DeliveryState, DisabledReason, GIVE_UP_AFTER, HeadFailed, Health, pause_after};
use hallpass_store::Delivery;
use jiff::Timestamp;

use super::Live;
use super::attempt::Outcome;
use super::payload::Subject;
use super::queue::{Mark, Queued};
use super::worker::{Next, Worker};
use crate::App;
use crate::error::AppError;

/// Of a delivery that somebody asked for: ahead of everything that waits.
pub(super) const ASKED: Timestamp = Timestamp::UNIX_EPOCH;

impl Worker<'_> {
    /// Tries the event at the head of the queue.
    pub(super) async fn try_head(&mut self, item: Queued) -> Result<Next, AppError> {
        let Queued { event, place, subject, mark } = item;
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
                self.health = Health::default();
            }
            Outcome::NothingToTell => {
                skip(&mut entry);
                entry.attempts = self.health.head_attempts;
                self.health.head_skipped();
            }
            Outcome::Failed { status, why } => {
                entry.status = status;
                entry.error = Some(why);
                return self.head_failed(&live, entry, mark).await;
            }
        }
        self.done.deliveries.push(entry);
        self.pass(mark);
        self.write_now_and_then().await
    }

    async fn head_failed(&mut self, live: &Live, mut entry: Delivery, mark: Mark) -> Result<Next, AppError> {
        let gone = entry.status == Some(GONE);
        let follows = match self.health.head_failed(self.app.clock.now(), self.jitter()) {
            _ if gone => HeadFailed::GivenUp,
            follows => follows,
        };
        match follows {
            HeadFailed::TriedAgain(at) => {
                entry.state = DeliveryState::Retrying;
                entry.next_at = Some(at);
                if let Some((_, seq)) = entry.place {
                    // So that it is known as the head if it is gone by then.
                    self.done.shortened = Some((mark.run, seq));
                }
            }
            HeadFailed::StepsAside(at) => {
                entry.state = DeliveryState::Waiting;
                entry.next_at = Some(at);
                self.pass(mark);
            }
            HeadFailed::GivenUp => {
                entry.state = DeliveryState::Failed;
                // Before anything else: what is not switched off keeps its head.
                self.app.give_up_on(live, &entry).await?;
                // Whoever switches it on again meets another head.
                self.health.head_attempts = 0;
                self.health.not_before = None;
                self.pass(mark);
            }
        }
        self.done.deliveries.push(entry);
        if matches!(follows, HeadFailed::StepsAside(_)) && self.health.not_before.is_none() {
            // Perhaps it was this event, and not the receiver: the next one tells.
            return self.write_now_and_then().await;
        }
        Ok(Next::Stop)
    }

    /// Tries a delivery beside the queue: one that stepped aside, or was asked for. Whether it failed, and
    /// whether to go on.
    pub(super) async fn try_beside(&mut self, mut entry: Delivery) -> Result<(bool, Next), AppError> {
        let Some(live) = self.live().await? else { return Ok((false, Next::Stop)) };
        let now = self.app.clock.now();
        let asked = entry.next_at == Some(ASKED);
        let outcome = match self.recall(&entry).await? {
            Some(event) => self.attempt(&live, event).await?,
            None => Outcome::NothingToTell,
        };
        entry.attempted_at = Some(now);
        entry.next_at = None;
        entry.status = None;
        entry.error = None;
        let mut failed = false;
        match outcome {
            Outcome::Stopped => return Ok((false, Next::Stop)),
            Outcome::NothingToTell => skip(&mut entry),
            Outcome::Delivered(status) => {
                entry.state = DeliveryState::Delivered;
                entry.status = Some(status);
                entry.attempts += 1;
                self.health.other_delivered();
            }
            Outcome::Failed { status, why } => {
                failed = true;
                entry.status = status;
                entry.error = Some(why);
                entry.attempts += 1;
                // A test, or an old event that is sent again, says nothing about five days.
                let of_the_queue = !asked && !is_test(&entry);
                let given_up =
                    status == Some(GONE) || of_the_queue && self.health.has_failed_long_enough(now);
                let age = i128::from(now.as_millisecond() - entry.id.millis());
                if given_up || age >= GIVE_UP_AFTER.as_millis() {
                    entry.state = DeliveryState::Failed;
                } else {
                    entry.state = DeliveryState::Waiting;
                    entry.next_at = Some(now + pause_after(entry.attempts, self.jitter()));
                }
                if given_up {
                    self.app.give_up_on(&live, &entry).await?;
                    self.done.deliveries.push(entry);
                    return Ok((true, Next::Stop));
                }
            }
        }
        self.done.deliveries.push(entry);
        Ok((failed, self.write_now_and_then().await?))
    }

    /// An event of a run is through.
    fn pass(&mut self, Mark { run, next }: Mark) {
        if let Some(seq) = next {
            self.done.shortened = Some((run, seq));
        } else {
            self.done.finished.push(run);
            self.done.shortened = self.done.shortened.filter(|(other, _)| *other != run);
        }
    }

    fn jitter(&self) -> u8 {
        draw::<1>(&*self.app.entropy)[0]
    }
}

/// The status by which a receiver says that it wants nothing more.
const GONE: u16 = 410;

pub(super) fn skip(entry: &mut Delivery) {
    entry.state = DeliveryState::Skipped;
    entry.error = Some("what it was about is gone".to_owned());
}

fn is_test(entry: &Delivery) -> bool {
    entry.subject.as_deref() == Some(Subject::Test.to_text().as_str())
}

impl App {
    /// Switches a webhook off after its last failure, and says so to the operator and in its log.
    async fn give_up_on(&self, live: &Live, last: &Delivery) -> Result<(), AppError> {
        let (reason, why) = match (last.status, &last.error) {
            (Some(GONE), _) => (DisabledReason::Gone, "the receiver answered 410 Gone".to_owned()),
            (_, error) => {
                let error = error.as_deref().unwrap_or_default();
                (DisabledReason::Failing, format!("nothing but failures for five days, at last: {error}"))
            }
        };
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
            error: Some(why.clone()),
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
