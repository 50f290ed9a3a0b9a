//! The store, on both engines: the same list of tests runs on an SQLite file and on a PostgreSQL
//! that the tests start themselves.

#![expect(clippy::unwrap_used, reason = "tests may")]

mod contract;
mod fixtures;
mod model;
mod outage;
mod plans;
#[expect(dead_code, reason = "other tests kill the server")]
#[path = "../../../testkit/src/postgres.rs"]
#[expect(unreachable_pub, reason = "the crate it belongs to is the testkit, which others use")]
mod postgres;
mod races;
mod schema;
mod statements;
