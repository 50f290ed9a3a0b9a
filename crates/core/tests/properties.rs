//! Properties of the pure rules: nothing that narrows ever widens, and no text makes anything panic.

#![expect(clippy::unwrap_used, reason = "what tests stand on may fail loudly")]

mod properties {
    mod content;
    mod decision;
    mod draw;
    mod emoji;
    mod ids;
    mod scopes;
    mod search;
    mod statements;
}
