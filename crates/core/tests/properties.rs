//! Properties of the pure rules: nothing that narrows ever widens, and no text makes anything panic.

mod properties {
    mod content;
    mod decision;
    mod draw;
    mod ids;
    mod scopes;
    mod statements;
}
