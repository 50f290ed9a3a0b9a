//! The clock of a database server. Nothing we store comes from it; it tells whether ours is right.

use hallpass_core::Clock;
use jiff::{SignedDuration, Timestamp};
use sqlx::{ConnectOptions, Connection};

use crate::dialect::postgres;
use crate::error::StoreError;
use crate::{Database, postgres_options};

impl Database {
    /// How far the server's clock is ahead of `clock`, but for the time the question takes; none with
    /// SQLite, which has no clock of its own.
    pub async fn clock_lead(&self, clock: &dyn Clock) -> Result<Option<SignedDuration>, StoreError> {
        let Self::Postgres { url, .. } = self else { return Ok(None) };
        let mut conn = postgres_options(url)?.connect().await?;
        let asked = clock.now();
        let theirs: i64 = sqlx::query_scalar(postgres::CLOCK).fetch_one(&mut conn).await?;
        let answered = clock.now();
        conn.close().await?;
        let ours = asked + answered.duration_since(asked) / 2;
        let theirs = Timestamp::from_millisecond(theirs).unwrap_or(Timestamp::MAX);
        Ok(Some(theirs.duration_since(ours)))
    }
}
