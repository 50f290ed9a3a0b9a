//! What tests are made of: a server in the process, actors, a contract to hold every answer against,
//! a real PostgreSQL.

pub mod authenticator;
mod captured;
pub mod clock;
pub mod contract;
pub mod files;
pub mod pictures;
pub mod postgres;
pub mod s3;
pub mod server;

pub use authenticator::SoftPasskey;
/// What requests made by hand are made of.
pub use axum::{body::Body, http};
pub use captured::Captured;
pub use clock::{FixedClock, SeededEntropy};
pub use server::{
    Actor, Answer, CHAT_SCOPES, Engine, PUBLIC_URL, Setup, TestCompany, TestServer, hashing, poll,
    webhook_parts,
};
