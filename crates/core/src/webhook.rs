//! Webhooks: who is told of what, and when an attempt that failed is made again.

use jiff::{SignedDuration, Timestamp};

use crate::catalogue::scopes::{CHAT_READ, DMS_READ, SUPPORT_CHAT_READ, WEBHOOK_RECEIVE_CHAT};
use crate::decision::ChannelKind;
use crate::entity::KeyHolder;
use crate::id::{CompanyId, WebhookId};
use crate::scope::ScopeSet;

macro_rules! events {
    ($($(#[$doc:meta])* $event:ident = $name:literal;)*) => {
        /// What this server tells of.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum EventType { $($(#[$doc])* $event),* }

        impl EventType {
            /// Every one.
            pub const ALL: &[Self] = &[$(Self::$event),*];

            /// Its name on the wire.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$event => $name),* }
            }
        }
    };
}

events! {
    /// Somebody sent a message.
    ChatMessageCreated = "chat.message.created";
    /// Somebody reacted to a message.
    ChatReactionCreated = "chat.reaction.created";
    /// Ours: a message's text, or its pin, changed.
    MessageUpdated = "hallpass.message.updated";
    /// Ours: a message was deleted.
    MessageDeleted = "hallpass.message.deleted";
    /// Ours: a user became a member of the company.
    UserEnrolled = "hallpass.user.enrolled";
    /// Ours: tokens were revoked.
    TokenRevoked = "hallpass.token.revoked";
    /// Ours: an API key was made.
    ApiKeyCreated = "hallpass.api_key.created";
    /// Ours: an app may act in the company from now on.
    AppAuthorized = "hallpass.app.authorized";
}

/// The contract's events that are about things this server does not have. A webhook may name them, and
/// is never told of them.
pub const FOREIGN_EVENTS: &[&str] = &[
    "course_lesson_interaction.completed",
    "dispute.created",
    "dispute.updated",
    "dispute_alert.created",
    "entry.approved",
    "entry.created",
    "entry.deleted",
    "entry.denied",
    "identity_profile.approved",
    "identity_profile.needs_action",
    "identity_profile.rejected",
    "identity_profile.updated",
    "invoice.created",
    "invoice.marked_uncollectible",
    "invoice.paid",
    "invoice.past_due",
    "invoice.voided",
    "ledger_account.funds_available",
    "membership.activated",
    "membership.cancel_at_period_end_changed",
    "membership.deactivated",
    "membership.trial_ending_soon",
    "payment.created",
    "payment.failed",
    "payment.pending",
    "payment.succeeded",
    "payout_account.status_updated",
    "payout_method.created",
    "refund.created",
    "refund.updated",
    "resolution_center_case.created",
    "resolution_center_case.decided",
    "resolution_center_case.updated",
    "setup_intent.canceled",
    "setup_intent.requires_action",
    "setup_intent.succeeded",
    "verification.succeeded",
    "withdrawal.created",
    "withdrawal.updated",
];

impl EventType {
    /// What a webhook is told of that names nothing: the contract's events.
    pub const OF_THE_CONTRACT: [Self; 2] = [Self::ChatMessageCreated, Self::ChatReactionCreated];

    /// The event of this name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|event| event.name() == name)
    }

    /// Whether it is one of the contract's, which every client knows.
    pub fn is_of_the_contract(self) -> bool {
        Self::OF_THE_CONTRACT.contains(&self)
    }
}

/// Whether a webhook may name an event.
pub fn is_known_event(name: &str) -> bool {
    EventType::parse(name).is_some() || FOREIGN_EVENTS.contains(&name)
}

/// Why a webhook is switched off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DisabledReason {
    /// Somebody said so.
    ByHand,
    /// The receiver answered 410 Gone.
    Gone,
    /// Nothing but failures for [`GIVE_UP_AFTER`].
    Failing,
}

impl DisabledReason {
    /// Its name, stored and on the wire.
    pub const fn name(self) -> &'static str {
        match self {
            Self::ByHand => "by_hand",
            Self::Gone => "gone",
            Self::Failing => "failing",
        }
    }

    /// The reason of this name.
    pub fn parse(name: &str) -> Option<Self> {
        [Self::ByHand, Self::Gone, Self::Failing].into_iter().find(|reason| reason.name() == name)
    }
}

/// A webhook, without its secrets.
#[derive(Clone, Debug, PartialEq)]
#[expect(missing_docs, reason = "the fields are the contract's")]
pub struct Webhook {
    pub id: WebhookId,
    pub company: CompanyId,
    pub url: String,
    pub enabled: bool,
    /// As named, [foreign ones](FOREIGN_EVENTS) too.
    pub events: Vec<String>,
    pub api_version: String,
    /// Told of the company's connected accounts, not of itself.
    pub child_events: bool,
    /// What whoever made or last changed it might read throughout the company, of [`READS`]: it is told of
    /// nothing else.
    pub reads: ScopeSet,
    /// The holder of the key that did, if a key did.
    pub key_holder: Option<KeyHolder>,
    pub disabled_at: Option<Timestamp>,
    pub disabled_reason: Option<DisabledReason>,
    /// Since when every attempt at the head of its queue has failed.
    pub failing_since: Option<Timestamp>,
    pub created_at: Timestamp,
}

impl Webhook {
    /// Whether it is told of an event.
    pub fn wants(&self, event: EventType) -> bool {
        self.enabled && self.events.iter().any(|name| name == event.name())
    }
}

/// The rights that decide what a webhook is told of channels.
pub const READS: ScopeSet = ScopeSet::of(&[WEBHOOK_RECEIVE_CHAT, CHAT_READ, DMS_READ, SUPPORT_CHAT_READ]);

impl Webhook {
    /// Whether it may be told what happens in a place: of this kind, and begun by the keys of this holder.
    pub fn may_read(&self, kind: ChannelKind, begun_by: Option<KeyHolder>) -> bool {
        let read = match kind {
            ChannelKind::Channel => CHAT_READ,
            ChannelKind::DirectMessage => DMS_READ,
            ChannelKind::Support => SUPPORT_CHAT_READ,
        };
        self.reads.contains(WEBHOOK_RECEIVE_CHAT)
            && self.reads.contains(read)
            && (begun_by.is_none() || begun_by == self.key_holder)
    }
}

/// How far a delivery is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeliveryState {
    /// Answered with a 2xx.
    Delivered,
    /// Failed, at the head of its webhook's queue: the others wait for it.
    Retrying,
    /// Failed its quick retries and stepped aside: it is tried again on a schedule of its own.
    Waiting,
    /// Given up.
    Failed,
    /// What it was about is gone; there was nothing to tell.
    Skipped,
    /// No delivery: the webhook was switched off here.
    Disabled,
}

impl DeliveryState {
    const ALL: [Self; 6] =
        [Self::Delivered, Self::Retrying, Self::Waiting, Self::Failed, Self::Skipped, Self::Disabled];

    /// Its name, stored and on the wire.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Delivered => "delivered",
            Self::Retrying => "retrying",
            Self::Waiting => "waiting",
            Self::Failed => "failed",
            Self::Skipped => "skipped",
            Self::Disabled => "disabled",
        }
    }

    /// The state of this name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.name() == name)
    }
}

/// Attempts that a delivery makes at the head of its queue before it steps aside: the first and the
/// three quick retries of the contract.
pub const QUICK_ATTEMPTS: u32 = 4;
/// After how long of nothing but failures a webhook is switched off, and a delivery given up.
pub const GIVE_UP_AFTER: SignedDuration = SignedDuration::from_hours(5 * 24);
/// The longest pause between two attempts.
pub const LONGEST_PAUSE: SignedDuration = SignedDuration::from_hours(24);

/// The pause after `failures` attempts in a row that failed: 10, 20, 40 s, and so on to a day.
/// `jitter` lengthens all but the first three by up to a tenth, so that what failed together does not
/// come back together.
pub fn pause_after(failures: u32, jitter: u8) -> SignedDuration {
    let doubled = failures.saturating_sub(1).min(14);
    let pause = SignedDuration::from_secs(10 << doubled).min(LONGEST_PAUSE);
    if failures < QUICK_ATTEMPTS {
        return pause;
    }
    (pause + pause * i32::from(jitter) / 2560).min(LONGEST_PAUSE)
}

/// How it goes with a webhook's queue. Only the events at its head count: what stepped aside, or was
/// asked for by a test or a replay, has a schedule of its own and says nothing about the queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Health {
    /// Attempts in a row that failed, also on events that stepped aside since.
    pub failures: u32,
    /// Those of them on the event at the head.
    pub head_attempts: u32,
    /// Since when every attempt at the head has failed.
    pub failing_since: Option<Timestamp>,
    /// The head is not tried before.
    pub not_before: Option<Timestamp>,
}

/// What follows from a failure at the head of a queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HeadFailed {
    /// It is tried again then, and the others wait for it.
    TriedAgain(Timestamp),
    /// It steps aside and is tried by itself then. The next one has its turn.
    StepsAside(Timestamp),
    /// It is given up, and the webhook with it.
    GivenUp,
}

impl Health {
    /// Whether the head may be tried.
    pub fn is_open(&self, now: Timestamp) -> bool {
        self.not_before.is_none_or(|at| at <= now)
    }

    /// The event at the head failed.
    ///
    /// Its quick retries follow its own count, whatever failed before. One event that steps aside may be
    /// poison, so the next one is tried at once; if that one steps aside too, it is the receiver, and
    /// those behind come ever more rarely. An event that failed once after days of silence is not five
    /// days of failures: a webhook is given up when the quick retries of an event are used up.
    pub fn head_failed(&mut self, now: Timestamp, jitter: u8) -> HeadFailed {
        self.failures = self.failures.saturating_add(1);
        self.head_attempts += 1;
        self.failing_since.get_or_insert(now);
        let again = now + pause_after(self.head_attempts, jitter);
        if self.head_attempts < QUICK_ATTEMPTS {
            self.not_before = Some(again);
            return HeadFailed::TriedAgain(again);
        }
        self.head_attempts = 0;
        if self.has_failed_long_enough(now) {
            return HeadFailed::GivenUp;
        }
        let aside = self.failures / QUICK_ATTEMPTS;
        self.not_before = (aside > 1).then(|| now + pause_after(QUICK_ATTEMPTS + aside - 2, jitter));
        HeadFailed::StepsAside(again)
    }

    /// What the event at the head was about is gone: its failures were its own.
    pub fn head_skipped(&mut self) {
        self.failures = self.failures.saturating_sub(self.head_attempts);
        self.head_attempts = 0;
        self.not_before = None;
        if self.failures == 0 {
            self.failing_since = None;
        }
    }

    /// Something that is not at the head arrived: the receiver is there. A head that failed keeps its time.
    pub fn other_delivered(&mut self) {
        self.failing_since = None;
        self.failures = self.head_attempts;
        if self.head_attempts == 0 {
            self.not_before = None;
        }
    }

    /// Whether there was nothing but failures for [`GIVE_UP_AFTER`].
    pub fn has_failed_long_enough(&self, now: Timestamp) -> bool {
        self.failing_since.is_some_and(|since| now.duration_since(since) >= GIVE_UP_AFTER)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(secs: i64) -> Timestamp {
        Timestamp::from_second(secs).expect("a time")
    }

    #[test]
    fn every_head_has_the_quick_retries_and_those_behind_a_dead_receiver_come_ever_more_rarely() {
        let (mut health, mut now, mut waits) = (Health::default(), 0, Vec::new());
        for _ in 0..6 {
            for pause in [10, 20, 40] {
                assert_eq!(health.head_failed(at(now), 0), HeadFailed::TriedAgain(at(now + pause)));
                assert_eq!(health.not_before, Some(at(now + pause)));
                now += pause;
            }
            assert_eq!(health.head_failed(at(now), 0), HeadFailed::StepsAside(at(now + 80)));
            let then = health.not_before.map_or(now, Timestamp::as_second);
            waits.push(then - now);
            now = then;
        }
        assert_eq!(waits, [0, 80, 160, 320, 640, 1280]);
        assert_eq!(health.failing_since, Some(at(0)));
    }

    #[test]
    fn five_days_give_up_when_the_quick_retries_are_used_up() {
        let days = GIVE_UP_AFTER.as_secs();
        let mut health = Health { failures: 4, failing_since: Some(at(0)), ..Health::default() };
        for n in 0..3 {
            assert!(matches!(health.head_failed(at(days + n), 0), HeadFailed::TriedAgain(_)));
        }
        assert_eq!(health.head_failed(at(days + 3), 0), HeadFailed::GivenUp);
    }

    #[test]
    fn what_is_gone_takes_its_failures_with_it() {
        let mut health = Health::default();
        health.head_failed(at(1), 0);
        health.head_failed(at(2), 0);
        health.head_skipped();
        assert_eq!(health, Health::default());
    }

    #[test]
    fn what_arrives_beside_the_queue_leaves_the_heads_schedule_alone() {
        let mut health = Health::default();
        health.head_failed(at(1), 0);
        health.other_delivered();
        assert_eq!((health.head_attempts, health.not_before), (1, Some(at(11))));
        assert_eq!(health.failing_since, None);
        let mut closed = Health { failures: 12, not_before: Some(at(999)), ..Health::default() };
        closed.other_delivered();
        assert_eq!(closed, Health::default());
    }

    #[test]
    fn pauses_are_those_of_the_contract_and_grow_to_a_day() {
        let secs: Vec<i64> = (1..=16).map(|failures| pause_after(failures, 0).as_secs()).collect();
        assert_eq!(secs[..8], [10, 20, 40, 80, 160, 320, 640, 1280]);
        assert_eq!(secs[13..], [81_920, 86_400, 86_400]);
        assert!(secs.is_sorted());
        assert_eq!(pause_after(u32::MAX, 255), LONGEST_PAUSE);
        assert_eq!(pause_after(3, 255).as_secs(), 40);
        assert!(pause_after(4, 255) > pause_after(4, 0));
        assert!(pause_after(4, 255) < SignedDuration::from_secs(88));
    }

    #[test]
    fn names_are_read_back() {
        for event in EventType::ALL {
            assert_eq!(EventType::parse(event.name()), Some(*event));
            assert!(!FOREIGN_EVENTS.contains(&event.name()));
        }
        for state in DeliveryState::ALL {
            assert_eq!(DeliveryState::parse(state.name()), Some(state));
        }
        for reason in [DisabledReason::ByHand, DisabledReason::Gone, DisabledReason::Failing] {
            assert_eq!(DisabledReason::parse(reason.name()), Some(reason));
        }
    }
}
