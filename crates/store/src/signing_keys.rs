//! Signing keys at rest: sealed, with a state that only moves forward.

use hallpass_core::clock::from_millis;
use jiff::Timestamp;

use crate::conn::{Conn, Tx, on};
use crate::error::StoreError;

const LIST: &str = "SELECT kid, state, public_jwk, sealed, created_at, changed_at FROM signing_keys
     WHERE state <> 'gone' ORDER BY created_at, kid";
const INSERT: &str = "INSERT INTO signing_keys (kid, state, public_jwk, sealed, created_at, changed_at)
     VALUES ($1, $2, $3, $4, $5, $5) ON CONFLICT DO NOTHING RETURNING kid";
const MOVE: &str = "UPDATE signing_keys SET state = $3, changed_at = $4
     WHERE kid = $1 AND state = $2 RETURNING kid";
const ERASE: &str = "UPDATE signing_keys SET sealed = $2 WHERE kid = $1";

pub(crate) const ALL: &[&str] = &[LIST, INSERT, MOVE, ERASE];

/// Where a signing key is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyState {
    /// Published, does not sign yet.
    Next,
    /// Signs.
    Active,
    /// Published until the newest token it signed is dead.
    Retiring,
    /// Neither published nor trusted.
    Gone,
}

impl KeyState {
    /// Its name as stored and printed.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Next => "next",
            Self::Active => "active",
            Self::Retiring => "retiring",
            Self::Gone => "gone",
        }
    }

    fn parse(name: &str) -> Option<Self> {
        [Self::Next, Self::Active, Self::Retiring, Self::Gone].into_iter().find(|state| state.name() == name)
    }
}

/// A key as stored.
#[derive(Clone, Debug)]
pub struct SigningKeyRow {
    /// RFC 7638 thumbprint.
    pub kid: String,
    /// Where it is in its life.
    pub state: KeyState,
    /// The public key, as a JWK in JSON.
    pub public_jwk: String,
    /// The private key, sealed.
    pub sealed: Vec<u8>,
    /// When it was made and first published.
    pub created_at: Timestamp,
    /// When its state last changed.
    pub changed_at: Timestamp,
}

#[derive(sqlx::FromRow)]
struct Row {
    kid: String,
    state: String,
    public_jwk: String,
    sealed: Vec<u8>,
    created_at: i64,
    changed_at: i64,
}

impl TryFrom<Row> for SigningKeyRow {
    type Error = StoreError;
    fn try_from(row: Row) -> Result<Self, StoreError> {
        let corrupt = |column| StoreError::Corrupt { table: "signing_keys", column, id: row.kid.clone() };
        Ok(Self {
            state: KeyState::parse(&row.state).ok_or_else(|| corrupt("state"))?,
            created_at: from_millis(row.created_at).map_err(|_| corrupt("created_at"))?,
            changed_at: from_millis(row.changed_at).map_err(|_| corrupt("changed_at"))?,
            kid: row.kid,
            public_jwk: row.public_jwk,
            sealed: row.sealed,
        })
    }
}

impl Conn {
    /// Every key that is not gone, oldest first.
    pub async fn list_signing_keys(&mut self) -> Result<Vec<SigningKeyRow>, StoreError> {
        let rows: Vec<Row> = on!(self, c => sqlx::query_as(LIST).fetch_all(c).await)?;
        rows.into_iter().map(SigningKeyRow::try_from).collect()
    }
}

impl Tx {
    /// Stores a new key; `false` if another node stored one in that state first.
    pub async fn insert_signing_key(&mut self, key: &SigningKeyRow) -> Result<bool, StoreError> {
        let stored: Option<String> = on!(self.0, c => sqlx::query_scalar(INSERT)
            .bind(&key.kid).bind(key.state.name()).bind(&key.public_jwk).bind(&key.sealed)
            .bind(key.created_at.as_millisecond()).fetch_optional(c).await)?;
        Ok(stored.is_some())
    }

    /// Moves a key from one state to another; `false` if it was not in that state. A key that is
    /// gone is erased.
    pub async fn move_signing_key(
        &mut self,
        kid: &str,
        from: KeyState,
        to: KeyState,
        at: Timestamp,
    ) -> Result<bool, StoreError> {
        let moved: Option<String> = on!(self.0, c => sqlx::query_scalar(MOVE)
            .bind(kid).bind(from.name()).bind(to.name()).bind(at.as_millisecond()).fetch_optional(c).await)?;
        if to == KeyState::Gone && moved.is_some() {
            on!(self.0, c => sqlx::query(ERASE).bind(kid).bind(Vec::<u8>::new()).execute(c).await.map(drop))?;
        }
        Ok(moved.is_some())
    }
}
