//! Channels and messages through the whole path: rules, pages, order, races, two nodes.

mod chat {
    mod batches;
    mod channels;
    mod experiences;
    mod gate;
    mod messages;
    mod nodes;
    mod order;
    mod pages;
    mod races;
    mod rules;
}
