//! The pure heart of Hallpass: ids, scopes, roles, the decision, the rules of a channel.
//!
//! No async, no I/O, no clock: everything comes in as a value, so every rule can be tested as an
//! equation.

pub mod app;
pub mod authority;
pub mod catalogue;
pub mod channel;
pub mod clock;
pub mod content;
pub mod decision;
pub mod emoji;
pub mod entity;
pub mod file;
pub mod id;
pub mod locale;
pub mod mail;
pub mod oauth;
pub mod reaction;
pub mod redirect_uri;
pub mod role;
pub mod scope;
pub mod search;
pub mod session;
pub mod statement;
pub mod webhook;

pub use clock::{Clock, Entropy};
pub use scope::{Scope, ScopeSet};
