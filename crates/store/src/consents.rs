//! What users allowed apps, remembered.

use hallpass_core::id::{AppId, CompanyId, PersonId, UserId};
use hallpass_core::oauth::Consent;
use hallpass_core::scope::ScopeSet;
use jiff::Timestamp;

use crate::conn::{Conn, Tx, on};
use crate::error::StoreError;
use crate::row::{parsed, time};

macro_rules! columns {
    () => {
        "user_id, app_id, company_id, scopes, created_at, updated_at"
    };
}
const TABLE: &str = "consents";
const FIND: &str =
    concat!("SELECT ", columns!(), " FROM consents WHERE user_id = $1 AND app_id = $2 AND company_id = $3");
// Of all users of a person.
const LIST: &str = "SELECT c.user_id, c.app_id, c.company_id, c.scopes, c.created_at, c.updated_at
     FROM users u JOIN consents c ON c.user_id = u.id WHERE u.person_id = $1 LIMIT $2";
const PUT: &str =
    "INSERT INTO consents (user_id, app_id, company_id, scopes, created_at, updated_at) VALUES ($1, $2, $3, $4, $5, $5)
     ON CONFLICT (user_id, app_id, company_id) DO UPDATE SET scopes = excluded.scopes, updated_at = excluded.updated_at";
const DELETE: &str =
    "DELETE FROM consents WHERE user_id = $1 AND app_id = $2 AND company_id = $3 RETURNING app_id";

const LOCK: &str = "UPDATE consents SET updated_at = updated_at
     WHERE user_id = $1 AND app_id = $2 AND company_id = $3 RETURNING scopes";

pub(crate) const ALL: &[&str] = &[FIND, LIST, PUT, DELETE, LOCK];

#[derive(sqlx::FromRow)]
struct Row {
    user_id: String,
    app_id: String,
    company_id: String,
    scopes: String,
    created_at: i64,
    updated_at: i64,
}

impl TryFrom<Row> for Consent {
    type Error = StoreError;
    fn try_from(row: Row) -> Result<Self, StoreError> {
        let id = &row.user_id;
        let corrupt = |column| StoreError::Corrupt { table: TABLE, column, id: id.clone() };
        Ok(Self {
            user: parsed(TABLE, "user_id", id, id)?,
            app: parsed(TABLE, "app_id", id, &row.app_id)?,
            company: match row.company_id.as_str() {
                "" => None,
                company => Some(parsed(TABLE, "company_id", id, company)?),
            },
            scopes: ScopeSet::parse(&row.scopes).map_err(|_| corrupt("scopes"))?,
            created_at: time(TABLE, "created_at", id, row.created_at)?,
            updated_at: time(TABLE, "updated_at", id, row.updated_at)?,
        })
    }
}

fn text(company: Option<CompanyId>) -> String {
    company.map_or(String::new(), |id| id.to_string())
}

impl Conn {
    /// What a user allowed an app, in a company or at large.
    pub async fn find_consent(
        &mut self,
        user: UserId,
        app: AppId,
        company: Option<CompanyId>,
    ) -> Result<Option<Consent>, StoreError> {
        let row: Option<Row> = on!(self, c => sqlx::query_as(FIND)
            .bind(user.to_string()).bind(app.to_string()).bind(text(company)).fetch_optional(c).await)?;
        row.map(Consent::try_from).transpose()
    }

    /// What a person allowed as any of their users, the latest first.
    pub async fn list_consents(&mut self, person: PersonId, limit: i64) -> Result<Vec<Consent>, StoreError> {
        let rows: Vec<Row> = on!(self, c => sqlx::query_as(LIST)
            .bind(person.to_string()).bind(limit).fetch_all(c).await)?;
        let mut found = rows.into_iter().map(Consent::try_from).collect::<Result<Vec<_>, _>>()?;
        found.sort_by_key(|consent| std::cmp::Reverse((consent.updated_at, consent.app, consent.company)));
        Ok(found)
    }
}

impl Tx {
    /// Remembers what a user allows an app, instead of what was remembered.
    pub async fn put_consent(
        &mut self,
        user: UserId,
        app: AppId,
        company: Option<CompanyId>,
        scopes: &ScopeSet,
        at: Timestamp,
    ) -> Result<(), StoreError> {
        on!(self.0, c => sqlx::query(PUT)
            .bind(user.to_string()).bind(app.to_string()).bind(text(company)).bind(scopes.to_string())
            .bind(at.as_millisecond()).execute(c).await.map(drop))?;
        Ok(())
    }

    /// Holds what a user allowed an app until the transaction ends; what, if anything.
    pub async fn lock_consent(
        &mut self,
        user: UserId,
        app: AppId,
        company: Option<CompanyId>,
    ) -> Result<Option<ScopeSet>, StoreError> {
        let id = user.to_string();
        let held: Option<String> = on!(self.0, c => sqlx::query_scalar(LOCK)
            .bind(&id).bind(app.to_string()).bind(text(company)).fetch_optional(c).await)?;
        let corrupt = |_| StoreError::Corrupt { table: TABLE, column: "scopes", id: id.clone() };
        held.map(|scopes| ScopeSet::parse(&scopes).map_err(corrupt)).transpose()
    }

    /// Forgets what a user allowed an app; `false` if there was nothing.
    pub async fn delete_consent(
        &mut self,
        user: UserId,
        app: AppId,
        company: Option<CompanyId>,
    ) -> Result<bool, StoreError> {
        let deleted: Option<String> = on!(self.0, c => sqlx::query_scalar(DELETE)
            .bind(user.to_string()).bind(app.to_string()).bind(text(company)).fetch_optional(c).await)?;
        Ok(deleted.is_some())
    }
}
