//! Webhooks: who is told of what, and when an attempt that failed is made again.

use jiff::{SignedDuration, Timestamp};

use crate::id::{CompanyId, WebhookId};

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
    pub disabled_at: Option<Timestamp>,
    pub disabled_reason: Option<DisabledReason>,
    /// Since when every attempt has failed.
    pub failing_since: Option<Timestamp>,
    pub created_at: Timestamp,
}

impl Webhook {
    /// Whether it is told of an event.
    pub fn wants(&self, event: EventType) -> bool {
        self.enabled && self.events.iter().any(|name| name == event.name())
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

#[cfg(test)]
mod tests {
    use super::*;

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
