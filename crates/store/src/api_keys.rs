//! API keys. The secret is stored as its SHA-256 only.

use hallpass_core::entity::ApiKey;
use hallpass_core::id::{ApiKeyId, AppId, CompanyId};
use jiff::Timestamp;

use crate::conn::{Conn, Tx, on};
use crate::error::StoreError;
use crate::page::Scan;
use crate::row::{json, parsed, parsed_opt, time, to_json};

macro_rules! columns {
    () => {
        "id, company_id, app_id, rights, name, hint, created_at, last_used_at, expires_at, revoked_at"
    };
}

const FIND: &str = concat!("SELECT ", columns!(), " FROM api_keys WHERE id = $1");
const FIND_BY_HASH: &str = concat!("SELECT ", columns!(), " FROM api_keys WHERE secret_hash = $1");
const FIND_OF_APP: &str = "SELECT id FROM api_keys
     WHERE app_id = $1 AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > $2)
     ORDER BY created_at, id LIMIT 1";
const INSERT: &str = "INSERT INTO api_keys
     (id, company_id, app_id, secret_hash, hint, name, rights, created_at, expires_at)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)";
const COUNT_LIVE: &str = "SELECT COUNT(*) FROM api_keys
     WHERE company_id = $1 AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > $2)";
const REVOKE: &str = "UPDATE api_keys SET revoked_at = $2 WHERE id = $1 AND revoked_at IS NULL RETURNING id";
const TOUCH: &str = "UPDATE api_keys SET last_used_at = $2
     WHERE id = $1 AND (last_used_at IS NULL OR last_used_at < $2)";
const LIST_DOWN: &str = concat!(
    "SELECT ",
    columns!(),
    " FROM api_keys WHERE company_id = $1 AND (created_at, id) < ($2, $3)
     ORDER BY created_at DESC, id DESC LIMIT $4"
);

const LIST_UP: &str = concat!(
    "SELECT ",
    columns!(),
    " FROM api_keys WHERE company_id = $1 AND (created_at, id) > ($2, $3)
     ORDER BY created_at ASC, id ASC LIMIT $4"
);

pub(crate) const ALL: &[&str] =
    &[FIND, FIND_BY_HASH, FIND_OF_APP, INSERT, COUNT_LIVE, REVOKE, TOUCH, LIST_DOWN, LIST_UP];

/// Keys of one company.
pub type KeyPage = Vec<ApiKey>;

/// A key to be stored.
#[derive(Clone, Debug)]
pub struct NewApiKey {
    /// The key.
    pub key: ApiKey,
    /// SHA-256 of its secret.
    pub secret_hash: [u8; 32],
}

#[derive(sqlx::FromRow)]
struct Row {
    id: String,
    company_id: String,
    app_id: Option<String>,
    rights: String,
    name: Option<String>,
    hint: String,
    created_at: i64,
    last_used_at: Option<i64>,
    expires_at: Option<i64>,
    revoked_at: Option<i64>,
}

const TABLE: &str = "api_keys";

impl TryFrom<Row> for ApiKey {
    type Error = StoreError;
    fn try_from(row: Row) -> Result<Self, StoreError> {
        let at = |column, value: Option<i64>| value.map(|v| time(TABLE, column, &row.id, v)).transpose();
        Ok(Self {
            id: parsed(TABLE, "id", &row.id, &row.id)?,
            company: parsed(TABLE, "company_id", &row.id, &row.company_id)?,
            app: parsed_opt(TABLE, "app_id", &row.id, row.app_id.as_deref())?,
            rights: json(TABLE, "rights", &row.id, &row.rights)?,
            created_at: time(TABLE, "created_at", &row.id, row.created_at)?,
            last_used_at: at("last_used_at", row.last_used_at)?,
            expires_at: at("expires_at", row.expires_at)?,
            revoked_at: at("revoked_at", row.revoked_at)?,
            name: row.name,
            hint: row.hint,
        })
    }
}

impl Conn {
    /// A key by its id, revoked or not.
    pub async fn find_api_key(&mut self, id: ApiKeyId) -> Result<Option<ApiKey>, StoreError> {
        let row: Option<Row> =
            on!(self, c => sqlx::query_as(FIND).bind(id.to_string()).fetch_optional(c).await)?;
        row.map(ApiKey::try_from).transpose()
    }

    /// A key by the hash of its secret, revoked or not.
    pub async fn find_api_key_by_hash(&mut self, hash: &[u8; 32]) -> Result<Option<ApiKey>, StoreError> {
        let row: Option<Row> =
            on!(self, c => sqlx::query_as(FIND_BY_HASH).bind(hash.to_vec()).fetch_optional(c).await)?;
        row.map(ApiKey::try_from).transpose()
    }

    /// A company's keys by creation time.
    pub async fn list_api_keys(&mut self, company: CompanyId, scan: &Scan) -> Result<KeyPage, StoreError> {
        let (at, id) = scan.start();
        let statement = if scan.descending { LIST_DOWN } else { LIST_UP };
        let rows: Vec<Row> = on!(self, c => sqlx::query_as(statement)
            .bind(company.to_string()).bind(at).bind(id).bind(scan.limit).fetch_all(c).await)?;
        rows.into_iter().map(ApiKey::try_from).collect()
    }

    /// How many of a company's keys work at `now`.
    pub async fn count_live_api_keys(
        &mut self,
        company: CompanyId,
        now: Timestamp,
    ) -> Result<i64, StoreError> {
        Ok(on!(self, c => sqlx::query_scalar(COUNT_LIVE)
            .bind(company.to_string()).bind(now.as_millisecond()).fetch_one(c).await)?)
    }
}

impl Conn {
    /// The first key of an app that lives at `now`.
    pub async fn find_app_key(&mut self, app: AppId, now: Timestamp) -> Result<Option<ApiKeyId>, StoreError> {
        let id: Option<String> = on!(self, c => sqlx::query_scalar(FIND_OF_APP)
            .bind(app.to_string()).bind(now.as_millisecond()).fetch_optional(c).await)?;
        id.map(|id| parsed("api_keys", "id", &id, &id)).transpose()
    }
}

impl Tx {
    /// Stores a key.
    pub async fn insert_api_key(&mut self, new: &NewApiKey) -> Result<(), StoreError> {
        let key = &new.key;
        on!(self.0, c => sqlx::query(INSERT)
            .bind(key.id.to_string()).bind(key.company.to_string()).bind(key.app.map(|app| app.to_string()))
            .bind(new.secret_hash.to_vec()).bind(&key.hint).bind(&key.name).bind(to_json(&key.rights))
            .bind(key.created_at.as_millisecond()).bind(key.expires_at.map(Timestamp::as_millisecond))
            .execute(c).await.map(drop))?;
        Ok(())
    }

    /// Revokes a key; `false` if it was revoked before or never was.
    pub async fn revoke_api_key(&mut self, id: ApiKeyId, at: Timestamp) -> Result<bool, StoreError> {
        let revoked: Option<String> = on!(self.0, c => sqlx::query_scalar(REVOKE)
            .bind(id.to_string()).bind(at.as_millisecond()).fetch_optional(c).await)?;
        Ok(revoked.is_some())
    }

    /// Notes that a key was used.
    pub async fn update_api_key_last_used(&mut self, id: ApiKeyId, at: Timestamp) -> Result<(), StoreError> {
        on!(self.0, c => sqlx::query(TOUCH)
            .bind(id.to_string()).bind(at.as_millisecond()).execute(c).await.map(drop))?;
        Ok(())
    }
}
