//! Grants and their refresh tokens. Rotating one is one statement: a compare-and-set on its number and hash.

use hallpass_core::id::{AppId, CompanyId, GrantId, SessionId, UserId};
use hallpass_core::oauth::{Authorization, Grant, RevokedFor};
use hallpass_core::scope::ScopeSet;
use jiff::Timestamp;

use crate::conn::{Conn, Tx, on};
use crate::error::StoreError;
use crate::row::{json, parsed, parsed_opt, time, to_json};

macro_rules! columns {
    () => {
        "id, app_id, user_id, company_id, session_id, scopes, auth_time, amr, client_authenticated, number,
         token_hash, previous_hash, successor, rotated_at, created_at, idle_expires_at, expires_at, revoked_at"
    };
}
const TABLE: &str = "grants";
const FIND: &str = concat!("SELECT ", columns!(), " FROM grants WHERE id = $1");
const INSERT: &str =
    "INSERT INTO grants (id, app_id, user_id, company_id, session_id, scopes, auth_time, amr,
         client_authenticated, number, token_hash, created_at, idle_expires_at, expires_at)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, 1, $10, $11, $12, $13)";
const ROTATE: &str =
    "UPDATE grants SET number = number + 1, previous_hash = token_hash, token_hash = $4, successor = $5,
         rotated_at = $6, idle_expires_at = $7
     WHERE id = $1 AND number = $2 AND token_hash = $3 AND revoked_at IS NULL
         AND idle_expires_at > $6 AND expires_at > $6
     RETURNING number";
const REVOKE: &str = "UPDATE grants SET revoked_at = $2, revoked_for = $3, successor = NULL
     WHERE id = $1 AND revoked_at IS NULL RETURNING id";
// $3: '' for those at large.
const REVOKE_OF_APP: &str = "UPDATE grants SET revoked_at = $4, revoked_for = $5, successor = NULL
     WHERE user_id = $1 AND app_id = $2 AND COALESCE(company_id, '') = $3 AND revoked_at IS NULL RETURNING id";
// $2: in this company; '' for everywhere.
const REVOKE_OF_USER: &str = "UPDATE grants SET revoked_at = $3, revoked_for = $4, successor = NULL
     WHERE user_id = $1 AND ($2 = '' OR company_id = $2) AND revoked_at IS NULL";
const REVOKE_OF_SESSION: &str = "UPDATE grants SET revoked_at = $2, revoked_for = $3, successor = NULL
     WHERE session_id = $1 AND revoked_at IS NULL";
const PRUNE: &str = "DELETE FROM grants WHERE idle_expires_at < $1";

pub(crate) const ALL: &[&str] =
    &[FIND, INSERT, ROTATE, REVOKE, REVOKE_OF_APP, REVOKE_OF_USER, REVOKE_OF_SESSION, PRUNE];

/// A refresh token becomes its successor.
#[derive(Clone, Debug)]
pub struct Rotation {
    /// Its grant.
    pub grant: GrantId,
    /// Its number.
    pub number: u32,
    /// SHA-256 of its text.
    pub presented: [u8; 32],
    /// SHA-256 of the successor's.
    pub next: [u8; 32],
    /// The successor, sealed for whoever has the token it follows; none without a grace.
    pub successor: Option<Vec<u8>>,
    /// When.
    pub at: Timestamp,
    /// When the grant ends unless the successor is used.
    pub idle_expires_at: Timestamp,
}

#[derive(sqlx::FromRow)]
struct Row {
    id: String,
    app_id: String,
    user_id: String,
    company_id: Option<String>,
    session_id: String,
    scopes: String,
    auth_time: i64,
    amr: String,
    client_authenticated: bool,
    number: i64,
    token_hash: Vec<u8>,
    previous_hash: Option<Vec<u8>>,
    successor: Option<Vec<u8>>,
    rotated_at: Option<i64>,
    created_at: i64,
    idle_expires_at: i64,
    expires_at: i64,
    revoked_at: Option<i64>,
}

impl TryFrom<Row> for Grant {
    type Error = StoreError;
    fn try_from(row: Row) -> Result<Self, StoreError> {
        let id = &row.id;
        let corrupt = |column| StoreError::Corrupt { table: TABLE, column, id: id.clone() };
        let time = |column, at| time(TABLE, column, id, at);
        let hash = |column, bytes: Vec<u8>| bytes.try_into().map_err(|_| corrupt(column));
        Ok(Self {
            id: parsed(TABLE, "id", id, id)?,
            authorization: Authorization {
                app: parsed(TABLE, "app_id", id, &row.app_id)?,
                user: parsed(TABLE, "user_id", id, &row.user_id)?,
                company: parsed_opt(TABLE, "company_id", id, row.company_id.as_deref())?,
                session: parsed(TABLE, "session_id", id, &row.session_id)?,
                scopes: ScopeSet::parse(&row.scopes).map_err(|_| corrupt("scopes"))?,
                auth_time: time("auth_time", row.auth_time)?,
                amr: json(TABLE, "amr", id, &row.amr)?,
            },
            client_authenticated: row.client_authenticated,
            number: u32::try_from(row.number).map_err(|_| corrupt("number"))?,
            token_hash: hash("token_hash", row.token_hash)?,
            previous_hash: row.previous_hash.map(|bytes| hash("previous_hash", bytes)).transpose()?,
            successor: row.successor,
            rotated_at: row.rotated_at.map(|at| time("rotated_at", at)).transpose()?,
            created_at: time("created_at", row.created_at)?,
            idle_expires_at: time("idle_expires_at", row.idle_expires_at)?,
            expires_at: time("expires_at", row.expires_at)?,
            revoked_at: row.revoked_at.map(|at| time("revoked_at", at)).transpose()?,
        })
    }
}

impl Conn {
    /// A grant, whatever became of it.
    pub async fn find_grant(&mut self, id: GrantId) -> Result<Option<Grant>, StoreError> {
        let row: Option<Row> =
            on!(self, c => sqlx::query_as(FIND).bind(id.to_string()).fetch_optional(c).await)?;
        row.map(Grant::try_from).transpose()
    }
}

impl Tx {
    /// Stores a grant with its first refresh token.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] if the id is taken.
    pub async fn insert_grant(&mut self, new: &Grant) -> Result<(), StoreError> {
        let whom = &new.authorization;
        on!(self.0, c => sqlx::query(INSERT)
            .bind(new.id.to_string()).bind(whom.app.to_string()).bind(whom.user.to_string())
            .bind(whom.company.map(|id| id.to_string())).bind(whom.session.to_string())
            .bind(whom.scopes.to_string()).bind(whom.auth_time.as_millisecond()).bind(to_json(&whom.amr))
            .bind(new.client_authenticated).bind(new.token_hash.to_vec())
            .bind(new.created_at.as_millisecond()).bind(new.idle_expires_at.as_millisecond())
            .bind(new.expires_at.as_millisecond()).execute(c).await.map(drop))?;
        Ok(())
    }

    /// Rotates a refresh token that is in force, in a grant that lives; `false` if it is not.
    pub async fn rotate_refresh_token(&mut self, rotation: &Rotation) -> Result<bool, StoreError> {
        let number: Option<i64> = on!(self.0, c => sqlx::query_scalar(ROTATE)
            .bind(rotation.grant.to_string()).bind(i64::from(rotation.number))
            .bind(rotation.presented.to_vec()).bind(rotation.next.to_vec()).bind(&rotation.successor)
            .bind(rotation.at.as_millisecond()).bind(rotation.idle_expires_at.as_millisecond())
            .fetch_optional(c).await)?;
        Ok(number.is_some())
    }

    /// Revokes a grant; `false` if it was before, or there is none.
    pub async fn revoke_grant(
        &mut self,
        id: GrantId,
        why: RevokedFor,
        at: Timestamp,
    ) -> Result<bool, StoreError> {
        let revoked: Option<String> = on!(self.0, c => sqlx::query_scalar(REVOKE)
            .bind(id.to_string()).bind(at.as_millisecond()).bind(why.name()).fetch_optional(c).await)?;
        Ok(revoked.is_some())
    }

    /// Revokes what a user gave an app, in a company or at large; which.
    pub async fn revoke_grants_of_app(
        &mut self,
        user: UserId,
        app: AppId,
        company: Option<CompanyId>,
        at: Timestamp,
    ) -> Result<Vec<GrantId>, StoreError> {
        let revoked: Vec<String> = on!(self.0, c => sqlx::query_scalar(REVOKE_OF_APP)
            .bind(user.to_string()).bind(app.to_string())
            .bind(company.map_or(String::new(), |id| id.to_string())).bind(at.as_millisecond())
            .bind(RevokedFor::User.name()).fetch_all(c).await)?;
        revoked.iter().map(|id| parsed(TABLE, "id", id, id)).collect()
    }

    /// Revokes what a user gave, in a company or everywhere: they were removed, or deactivated.
    pub async fn revoke_grants_of_user(
        &mut self,
        user: UserId,
        company: Option<CompanyId>,
        at: Timestamp,
    ) -> Result<(), StoreError> {
        on!(self.0, c => sqlx::query(REVOKE_OF_USER)
            .bind(user.to_string()).bind(company.map_or(String::new(), |id| id.to_string()))
            .bind(at.as_millisecond()).bind(RevokedFor::Removed.name()).execute(c).await.map(drop))?;
        Ok(())
    }

    /// Revokes what was given in a session.
    pub async fn revoke_grants_of_session(
        &mut self,
        session: SessionId,
        at: Timestamp,
    ) -> Result<(), StoreError> {
        on!(self.0, c => sqlx::query(REVOKE_OF_SESSION)
            .bind(session.to_string()).bind(at.as_millisecond()).bind(RevokedFor::Session.name())
            .execute(c).await.map(drop))?;
        Ok(())
    }

    /// Forgets grants that ended before a time, however they ended.
    pub async fn prune_grants(&mut self, before: Timestamp) -> Result<(), StoreError> {
        on!(self.0, c => sqlx::query(PRUNE).bind(before.as_millisecond()).execute(c).await.map(drop))?;
        Ok(())
    }
}

pub(crate) mod direct {
    use rusqlite::Connection;

    use super::*;

    pub(crate) fn rotate(conn: &Connection, rotation: &Rotation) -> Result<bool, StoreError> {
        Ok(conn.prepare_cached(ROTATE)?.exists((
            rotation.grant.to_string(),
            i64::from(rotation.number),
            rotation.presented.as_slice(),
            rotation.next.as_slice(),
            &rotation.successor,
            rotation.at.as_millisecond(),
            rotation.idle_expires_at.as_millisecond(),
        ))?)
    }
}
