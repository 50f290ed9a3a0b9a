//! Channels and messages through the whole path: rules, pages, order, races, two nodes.

#![expect(clippy::unwrap_used, reason = "what tests stand on may fail loudly")]

mod chat {
    mod attachments;
    mod batches;
    mod channels;
    mod conversations;
    mod direct_messages;
    mod edits;
    mod experiences;
    mod gate;
    mod messages;
    mod nodes;
    mod order;
    mod outage;
    mod pages;
    mod polls;
    mod races;
    mod reactions;
    mod rules;
    mod search;
    mod support;
    mod venues;
}
