//! What waits for a webhook, read: runs of the outbox and lines of the log, as the events they point at.

use std::collections::HashMap;

use hallpass_core::channel::ChannelId;
use hallpass_core::entity::Message;
use hallpass_core::id::WebhookDeliveryId;
use hallpass_core::webhook::{DeliveryState, EventType};
use hallpass_store::{Delivery, Run};
use hallpass_token::sha256;
use jiff::Timestamp;

use super::outcome::skip;
use super::payload::{About, Event, Subject};
use super::worker::Worker;
use crate::error::AppError;

/// The most events read at once.
const MOST: i64 = 256;

/// An event at its place in the queue.
pub(super) struct Queued {
    pub(super) event: Event,
    pub(super) place: Option<(ChannelId, i64)>,
    pub(super) subject: Option<String>,
    pub(super) mark: Mark,
}

/// How far the queue is once an event is through.
#[derive(Clone, Copy)]
pub(super) struct Mark {
    pub(super) run: i64,
    /// The event the run goes on with; none if it is the last.
    pub(super) next: Option<i64>,
}

/// What was read of a queue.
#[derive(Default)]
pub(super) struct Read {
    pub(super) queued: Vec<Queued>,
    /// The line of a head that failed, and is gone by now.
    pub(super) gone: Option<Delivery>,
    /// Runs whose events are all gone.
    pub(super) over: Vec<i64>,
    /// A run whose first part is gone, and where it goes on.
    pub(super) cut: Option<(i64, i64)>,
}

impl Worker<'_> {
    /// The events at the beginning of the queue, as they are now.
    pub(super) async fn take(&self, runs: Vec<Run>) -> Result<Read, AppError> {
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
        if let Some((head, Some((channel, seq, _)))) = taken.first().map(|run| (run, run.span))
            && self.health.head_attempts > 0
            && head.subject.is_none()
            && !messages.contains_key(&(channel, seq))
        {
            read.gone = Some(self.gone_head(head, (channel, seq)));
        }
        for run in taken {
            self.unfold(&run, &mut messages, &mut read);
        }
        Ok(read)
    }

    fn gone_head(&self, head: &Run, place: (ChannelId, i64)) -> Delivery {
        let mut line = Delivery {
            id: self.delivery_id(head, Some(place)),
            event: head.event.name().to_owned(),
            company: head.company,
            place: Some(place),
            subject: None,
            state: DeliveryState::Skipped,
            attempts: self.health.head_attempts,
            status: None,
            error: None,
            attempted_at: Some(self.app.clock.now()),
            next_at: None,
        };
        skip(&mut line);
        line
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
            let mark = Mark { run: run.n, next: None };
            read.queued.push(Queued { event, place: None, subject, mark });
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
            let mark = Mark { run: run.n, next: Some(seq + 1) };
            read.queued.push(Queued { event, place, subject: None, mark });
        }
        let goes_on = (last < to).then_some(last + 1);
        match (&mut read.queued[start..], goes_on) {
            // The last one that is left says where the run goes on, or that it is through.
            ([.., end], _) => end.mark.next = goes_on,
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

    /// What a line of the log was about, as it is now.
    pub(super) async fn recall(&self, entry: &Delivery) -> Result<Option<Event>, AppError> {
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
}
