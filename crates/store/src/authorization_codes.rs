//! Authorization codes: kept as their SHA-256, used once by compare-and-set.

use hallpass_core::id::{AppId, CompanyId, UserId};
use hallpass_core::oauth::{Authorization, AuthorizationCode};
use hallpass_core::scope::ScopeSet;
use jiff::Timestamp;

use crate::conn::{Conn, Tx, on};
use crate::error::StoreError;
use crate::row::{json, parsed, parsed_opt, time, to_json};

const TABLE: &str = "authorization_codes";
const FIND: &str = "SELECT grant_id, app_id, user_id, company_id, session_id, scopes, auth_time, amr,
         redirect_uri, code_challenge, nonce, created_at, expires_at, consumed_at
     FROM authorization_codes WHERE hash = $1";
const INSERT: &str =
    "INSERT INTO authorization_codes (hash, grant_id, app_id, user_id, company_id, session_id,
         scopes, auth_time, amr, redirect_uri, code_challenge, nonce, created_at, expires_at)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)";
const CONSUME: &str = "UPDATE authorization_codes SET consumed_at = $2
     WHERE hash = $1 AND consumed_at IS NULL RETURNING grant_id";
const PRUNE: &str = "DELETE FROM authorization_codes WHERE expires_at < $1";

// $3: '' for those at large.
const CONSUME_OF_APP: &str = "UPDATE authorization_codes SET consumed_at = $4
     WHERE user_id = $1 AND app_id = $2 AND COALESCE(company_id, '') = $3 AND consumed_at IS NULL";

pub(crate) const ALL: &[&str] = &[FIND, INSERT, CONSUME, CONSUME_OF_APP, PRUNE];

#[derive(sqlx::FromRow)]
struct Row {
    grant_id: String,
    app_id: String,
    user_id: String,
    company_id: Option<String>,
    session_id: String,
    scopes: String,
    auth_time: i64,
    amr: String,
    redirect_uri: String,
    code_challenge: Option<String>,
    nonce: Option<String>,
    created_at: i64,
    expires_at: i64,
    consumed_at: Option<i64>,
}

impl TryFrom<Row> for AuthorizationCode {
    type Error = StoreError;
    fn try_from(row: Row) -> Result<Self, StoreError> {
        let id = &row.grant_id;
        let corrupt = |column| StoreError::Corrupt { table: TABLE, column, id: id.clone() };
        let time = |column, at| time(TABLE, column, id, at);
        Ok(Self {
            grant: parsed(TABLE, "grant_id", id, id)?,
            authorization: Authorization {
                app: parsed(TABLE, "app_id", id, &row.app_id)?,
                user: parsed(TABLE, "user_id", id, &row.user_id)?,
                company: parsed_opt(TABLE, "company_id", id, row.company_id.as_deref())?,
                session: parsed(TABLE, "session_id", id, &row.session_id)?,
                scopes: ScopeSet::parse(&row.scopes).map_err(|_| corrupt("scopes"))?,
                auth_time: time("auth_time", row.auth_time)?,
                amr: json(TABLE, "amr", id, &row.amr)?,
            },
            created_at: time("created_at", row.created_at)?,
            expires_at: time("expires_at", row.expires_at)?,
            consumed_at: row.consumed_at.map(|at| time("consumed_at", at)).transpose()?,
            redirect_uri: row.redirect_uri,
            code_challenge: row.code_challenge,
            nonce: row.nonce,
        })
    }
}

impl Conn {
    /// The code with this hash, used or not.
    pub async fn find_authorization_code(
        &mut self,
        hash: &[u8; 32],
    ) -> Result<Option<AuthorizationCode>, StoreError> {
        let row: Option<Row> =
            on!(self, c => sqlx::query_as(FIND).bind(hash.to_vec()).fetch_optional(c).await)?;
        row.map(AuthorizationCode::try_from).transpose()
    }
}

impl Tx {
    /// Stores a code.
    pub async fn insert_authorization_code(
        &mut self,
        hash: &[u8; 32],
        new: &AuthorizationCode,
    ) -> Result<(), StoreError> {
        let whom = &new.authorization;
        on!(self.0, c => sqlx::query(INSERT)
            .bind(hash.to_vec()).bind(new.grant.to_string()).bind(whom.app.to_string())
            .bind(whom.user.to_string()).bind(whom.company.map(|id| id.to_string()))
            .bind(whom.session.to_string()).bind(whom.scopes.to_string())
            .bind(whom.auth_time.as_millisecond()).bind(to_json(&whom.amr)).bind(&new.redirect_uri)
            .bind(&new.code_challenge).bind(&new.nonce).bind(new.created_at.as_millisecond())
            .bind(new.expires_at.as_millisecond()).execute(c).await.map(drop))?;
        Ok(())
    }

    /// Uses a code up; `false` if it was before.
    pub async fn consume_authorization_code(
        &mut self,
        hash: &[u8; 32],
        at: Timestamp,
    ) -> Result<bool, StoreError> {
        let consumed: Option<String> = on!(self.0, c => sqlx::query_scalar(CONSUME)
            .bind(hash.to_vec()).bind(at.as_millisecond()).fetch_optional(c).await)?;
        Ok(consumed.is_some())
    }

    /// Uses up the codes that a user gave an app, in a company or at large.
    pub async fn consume_codes_of_app(
        &mut self,
        user: UserId,
        app: AppId,
        company: Option<CompanyId>,
        at: Timestamp,
    ) -> Result<(), StoreError> {
        on!(self.0, c => sqlx::query(CONSUME_OF_APP)
            .bind(user.to_string()).bind(app.to_string())
            .bind(company.map_or(String::new(), |id| id.to_string())).bind(at.as_millisecond())
            .execute(c).await.map(drop))?;
        Ok(())
    }

    /// Forgets codes that ended before a time.
    pub async fn prune_authorization_codes(&mut self, before: Timestamp) -> Result<(), StoreError> {
        on!(self.0, c => sqlx::query(PRUNE).bind(before.as_millisecond()).execute(c).await.map(drop))?;
        Ok(())
    }
}
