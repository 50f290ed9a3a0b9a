//! `Idempotency-Key`: a claim before the operation, the answer after it.

use jiff::Timestamp;

use crate::conn::{Tx, on};
use crate::error::StoreError;

const CLAIM: &str = "INSERT INTO idempotency_keys (scope_hash, body_hash, operation, created_at, leased_at)
     VALUES ($1, $2, $3, $4, $4) ON CONFLICT (scope_hash) DO NOTHING RETURNING operation";
const FIND: &str = "SELECT body_hash, status, answer, leased_at FROM idempotency_keys WHERE scope_hash = $1";
const TAKE_OVER: &str = "UPDATE idempotency_keys SET leased_at = $3
     WHERE scope_hash = $1 AND leased_at = $2 AND status IS NULL RETURNING operation";
// Who holds a claim names its lease: an attempt that outlived it touches nobody else's.
const RELAX: &str = "UPDATE idempotency_keys SET leased_at = 0
     WHERE scope_hash = $1 AND leased_at = $2 AND status IS NULL RETURNING operation";
const COMPLETE: &str = "UPDATE idempotency_keys SET status = $3, answer = $4
     WHERE scope_hash = $1 AND leased_at = $2 AND status IS NULL RETURNING operation";
const RELEASE: &str = "DELETE FROM idempotency_keys
     WHERE scope_hash = $1 AND leased_at = $2 AND status IS NULL RETURNING operation";
const EXPIRE: &str = "DELETE FROM idempotency_keys WHERE scope_hash = $1 AND created_at < $2";
const PRUNE: &str = "DELETE FROM idempotency_keys WHERE created_at < $1";

pub(crate) const ALL: &[&str] = &[CLAIM, FIND, TAKE_OVER, RELAX, COMPLETE, RELEASE, EXPIRE, PRUNE];

/// An answer kept for replay; no text if it carried a secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredAnswer {
    /// HTTP status.
    pub status: u16,
    /// The body.
    pub answer: Option<String>,
}

/// What a claim found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Claim {
    /// Ours to do, under this operation id. It is the same again if an earlier attempt died.
    Mine {
        /// The bits from which the operation derives what it creates.
        operation: u128,
        /// An earlier attempt may have got through to the commit.
        again: bool,
        /// Since when it is ours, to the millisecond: no other attempt under this key has the same.
        leased_at: Timestamp,
    },
    /// Done before.
    Done(StoredAnswer),
    /// Used before for another body.
    OtherBody,
    /// Being done right now.
    Busy,
}

/// How long an attempt may take before another one takes over, and how long answers are kept.
const LEASE_MILLIS: i64 = 60_000;
const KEPT_MILLIS: i64 = 24 * 3600 * 1000;

#[derive(sqlx::FromRow)]
struct Row {
    body_hash: Vec<u8>,
    status: Option<i64>,
    answer: Option<String>,
    leased_at: i64,
}

impl Tx {
    /// Claims a key for an operation, or says what became of it.
    pub async fn claim_idempotency_key(
        &mut self,
        scope: &[u8; 32],
        body: &[u8; 32],
        operation: u128,
        now: Timestamp,
    ) -> Result<Claim, StoreError> {
        let (leased_at, now) = (now, now.as_millisecond());
        on!(self.0, c => sqlx::query(EXPIRE)
            .bind(scope.to_vec()).bind(now - KEPT_MILLIS).execute(c).await.map(drop))?;
        let claimed: Option<String> = on!(self.0, c => sqlx::query_scalar(CLAIM)
            .bind(scope.to_vec()).bind(body.to_vec()).bind(format!("{operation:032x}")).bind(now)
            .fetch_optional(c).await)?;
        if claimed.is_some() {
            return Ok(Claim::Mine { operation, again: false, leased_at });
        }
        let row: Option<Row> =
            on!(self.0, c => sqlx::query_as(FIND).bind(scope.to_vec()).fetch_optional(c).await)?;
        // Given back between the two statements: begin again.
        let row = row.ok_or(StoreError::Serialization)?;
        if row.body_hash != body {
            return Ok(Claim::OtherBody);
        }
        let corrupt = |column| StoreError::Corrupt { table: "idempotency_keys", column, id: String::new() };
        if let Some(status) = row.status {
            let status = u16::try_from(status).map_err(|_| corrupt("status"))?;
            return Ok(Claim::Done(StoredAnswer { status, answer: row.answer }));
        }
        if now - row.leased_at < LEASE_MILLIS {
            return Ok(Claim::Busy);
        }
        // Others may have read the same dead lease; one of us finds it unchanged.
        let taken: Option<String> = on!(self.0, c => sqlx::query_scalar(TAKE_OVER)
            .bind(scope.to_vec()).bind(row.leased_at).bind(now).fetch_optional(c).await)?;
        let Some(operation) = taken else { return Ok(Claim::Busy) };
        let operation = u128::from_str_radix(&operation, 16).map_err(|_| corrupt("operation"))?;
        Ok(Claim::Mine { operation, again: true, leased_at })
    }

    /// Keeps the answer; `false` if the claim is another attempt's by now.
    pub async fn complete_idempotency_key(
        &mut self,
        scope: &[u8; 32],
        leased_at: Timestamp,
        answer: &StoredAnswer,
    ) -> Result<bool, StoreError> {
        let ours: Option<String> = on!(self.0, c => sqlx::query_scalar(COMPLETE)
            .bind(scope.to_vec()).bind(leased_at.as_millisecond()).bind(i64::from(answer.status))
            .bind(&answer.answer).fetch_optional(c).await)?;
        Ok(ours.is_some())
    }

    /// Lets the next attempt take over at once, under the same operation id; `false` if another one
    /// did already.
    pub async fn relax_idempotency_key(
        &mut self,
        scope: &[u8; 32],
        leased_at: Timestamp,
    ) -> Result<bool, StoreError> {
        let ours: Option<String> = on!(self.0, c => sqlx::query_scalar(RELAX)
            .bind(scope.to_vec()).bind(leased_at.as_millisecond()).fetch_optional(c).await)?;
        Ok(ours.is_some())
    }

    /// Gives a claim back: the operation did nothing; `false` if the claim is another attempt's by now.
    pub async fn release_idempotency_key(
        &mut self,
        scope: &[u8; 32],
        leased_at: Timestamp,
    ) -> Result<bool, StoreError> {
        let ours: Option<String> = on!(self.0, c => sqlx::query_scalar(RELEASE)
            .bind(scope.to_vec()).bind(leased_at.as_millisecond()).fetch_optional(c).await)?;
        Ok(ours.is_some())
    }

    /// Forgets keys from before `before`.
    pub async fn prune_idempotency_keys(&mut self, before: Timestamp) -> Result<(), StoreError> {
        on!(self.0, c => sqlx::query(PRUNE).bind(before.as_millisecond()).execute(c).await.map(drop))?;
        Ok(())
    }
}
