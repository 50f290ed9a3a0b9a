//! The pure heart of Hallpass: ids, scopes, roles, the decision, the rules of a channel.
//!
//! No async, no I/O, no clock: everything comes in as a value, so every rule can be tested as an
//! equation.

pub mod catalogue;
pub mod clock;
pub mod id;
pub mod scope;

pub use clock::{Clock, Entropy};
pub use scope::{Scope, ScopeSet};
