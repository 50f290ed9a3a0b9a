//! A company's team: authorised users and their roles.

use hallpass_core::entity::TeamMember;
use hallpass_core::id::{AuthorizedUserId, CompanyId, UserId};
use hallpass_core::role::Role;
use jiff::Timestamp;

use crate::conn::{Conn, Tx, on};
use crate::error::StoreError;
use crate::page::Scan;
use crate::row::{address, parsed, parsed_opt, time};

macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT t.id, t.company_id, c.title AS company_title, t.user_id, t.role, t.created_at, t.updated_at,
                 u.username, ",
            address!("t.company_id", "TRUE"),
            ", COALESCE(o.name, u.name) AS name, COALESCE(o.picture_id, u.picture_id) AS picture_id
             FROM authorized_users t JOIN users u ON u.id = t.user_id JOIN companies c ON c.id = t.company_id
             LEFT JOIN profile_overrides o ON o.company_id = t.company_id AND o.user_id = t.user_id ",
            $rest
        )
    };
}
// $2/$3 the key, $4/$5 created within, $6 role or '', $7 user or ''.
macro_rules! list {
    ($beyond:literal, $order:literal) => {
        concat!(
            select!("WHERE t.company_id = $1 AND (t.created_at, t.id) "),
            $beyond,
            " ($2, $3) AND t.created_at > $4 AND t.created_at < $5
              AND ($6 = '' OR t.role = $6) AND ($7 = '' OR t.user_id = $7)
              ORDER BY t.created_at ",
            $order,
            ", t.id ",
            $order,
            " LIMIT $8"
        )
    };
}
const FIND: &str = select!("WHERE t.id = $1");
const FIND_BY_USER: &str = select!("WHERE t.company_id = $1 AND t.user_id = $2");
const LIST_DOWN: &str = list!("<", "DESC");
const LIST_UP: &str = list!(">", "ASC");
const INSERT: &str = "INSERT INTO authorized_users (id, company_id, user_id, role, created_at, updated_at)
     VALUES ($1, $2, $3, $4, $5, $5) ON CONFLICT (company_id, user_id) DO NOTHING RETURNING id";
// Compare and set: whoever decided by the old role decided for nothing if it is another one now.
const CHANGE: &str = "UPDATE authorized_users SET role = $3, custom_scopes = '', updated_at = $4
     WHERE id = $1 AND role = $2 RETURNING id";
const DELETE: &str = "DELETE FROM authorized_users WHERE id = $1 AND role = $2 RETURNING id";
const SET: &str = "INSERT INTO authorized_users (id, company_id, user_id, role, created_at, updated_at)
     VALUES ($1, $2, $3, $4, $5, $5)
     ON CONFLICT (company_id, user_id) DO UPDATE SET role = excluded.role, updated_at = excluded.updated_at";
const REMOVE: &str = "DELETE FROM authorized_users WHERE company_id = $1 AND user_id = $2 RETURNING id";
pub(crate) const ALL: &[&str] =
    &[FIND, FIND_BY_USER, LIST_DOWN, LIST_UP, INSERT, CHANGE, DELETE, SET, REMOVE];

/// Which members of a team a list shows. Empty texts filter nothing.
#[derive(Clone, Debug)]
pub struct TeamFilter {
    /// Put on the team after, milliseconds, exclusive.
    pub after: i64,
    /// Put on the team before, milliseconds, exclusive.
    pub before: i64,
    /// In this role.
    pub role: Option<Role>,
    /// This user.
    pub user: Option<UserId>,
}

#[derive(sqlx::FromRow)]
struct Row {
    id: String,
    company_id: String,
    company_title: String,
    user_id: String,
    role: String,
    created_at: i64,
    updated_at: i64,
    username: String,
    email: Option<String>,
    name: Option<String>,
    picture_id: Option<String>,
}

const TABLE: &str = "authorized_users";

impl TryFrom<Row> for TeamMember {
    type Error = StoreError;
    fn try_from(row: Row) -> Result<Self, StoreError> {
        let corrupt = || StoreError::Corrupt { table: TABLE, column: "role", id: row.id.clone() };
        Ok(Self {
            id: parsed(TABLE, "id", &row.id, &row.id)?,
            company: parsed(TABLE, "company_id", &row.id, &row.company_id)?,
            user: parsed(TABLE, "user_id", &row.id, &row.user_id)?,
            role: Role::parse(&row.role).ok_or_else(corrupt)?,
            created_at: time(TABLE, "created_at", &row.id, row.created_at)?,
            updated_at: time(TABLE, "updated_at", &row.id, row.updated_at)?,
            picture: parsed_opt("users", "picture_id", &row.user_id, row.picture_id.as_deref())?,
            company_title: row.company_title,
            username: row.username,
            name: row.name,
            email: row.email,
        })
    }
}

impl Conn {
    /// A member of a team by id.
    pub async fn find_team_member(&mut self, id: AuthorizedUserId) -> Result<Option<TeamMember>, StoreError> {
        let row: Option<Row> =
            on!(self, c => sqlx::query_as(FIND).bind(id.to_string()).fetch_optional(c).await)?;
        row.map(TeamMember::try_from).transpose()
    }

    /// A user as a member of a company's team.
    pub async fn find_team_member_of(
        &mut self,
        company: CompanyId,
        user: UserId,
    ) -> Result<Option<TeamMember>, StoreError> {
        let row: Option<Row> = on!(self, c => sqlx::query_as(FIND_BY_USER)
            .bind(company.to_string()).bind(user.to_string()).fetch_optional(c).await)?;
        row.map(TeamMember::try_from).transpose()
    }

    /// A company's team, by when each was put on it.
    pub async fn list_team(
        &mut self,
        company: CompanyId,
        filter: &TeamFilter,
        scan: &Scan,
    ) -> Result<Vec<TeamMember>, StoreError> {
        let (at, id) = scan.start_within(filter.after, filter.before);
        let statement = if scan.descending { LIST_DOWN } else { LIST_UP };
        let rows: Vec<Row> = on!(self, c => sqlx::query_as(statement)
            .bind(company.to_string()).bind(at).bind(id).bind(filter.after).bind(filter.before)
            .bind(filter.role.map_or("", Role::name))
            .bind(filter.user.map(|user| user.to_string()).unwrap_or_default()).bind(scan.limit)
            .fetch_all(c).await)?;
        rows.into_iter().map(TeamMember::try_from).collect()
    }
}

impl Tx {
    /// Puts a user on a company's team; `false` if they are on it.
    pub async fn insert_team_member(
        &mut self,
        id: AuthorizedUserId,
        company: CompanyId,
        user: UserId,
        role: Role,
        at: Timestamp,
    ) -> Result<bool, StoreError> {
        let stored: Option<String> = on!(self.0, c => sqlx::query_scalar(INSERT)
            .bind(id.to_string()).bind(company.to_string()).bind(user.to_string()).bind(role.name())
            .bind(at.as_millisecond()).fetch_optional(c).await)?;
        Ok(stored.is_some())
    }

    /// Changes a team member's role; `false` if it is not `from`.
    pub async fn change_team_role(
        &mut self,
        id: AuthorizedUserId,
        from: Role,
        to: Role,
        at: Timestamp,
    ) -> Result<bool, StoreError> {
        let changed: Option<String> = on!(self.0, c => sqlx::query_scalar(CHANGE)
            .bind(id.to_string()).bind(from.name()).bind(to.name()).bind(at.as_millisecond())
            .fetch_optional(c).await)?;
        Ok(changed.is_some())
    }

    /// Takes a member off their team; `false` if their role is not `role`.
    pub async fn delete_team_member(&mut self, id: AuthorizedUserId, role: Role) -> Result<bool, StoreError> {
        let deleted: Option<String> = on!(self.0, c => sqlx::query_scalar(DELETE)
            .bind(id.to_string()).bind(role.name()).fetch_optional(c).await)?;
        Ok(deleted.is_some())
    }

    /// Puts a user on a company's team, or changes their role, whatever it was.
    pub async fn update_team_role(
        &mut self,
        id: AuthorizedUserId,
        company: CompanyId,
        user: UserId,
        role: Role,
        at: Timestamp,
    ) -> Result<(), StoreError> {
        on!(self.0, c => sqlx::query(SET)
            .bind(id.to_string()).bind(company.to_string()).bind(user.to_string()).bind(role.name())
            .bind(at.as_millisecond()).execute(c).await.map(drop))?;
        Ok(())
    }

    /// Takes a user off a company's team; `false` if they were not on it.
    pub async fn revoke_team_role(&mut self, company: CompanyId, user: UserId) -> Result<bool, StoreError> {
        let removed: Option<String> = on!(self.0, c => sqlx::query_scalar(REMOVE)
            .bind(company.to_string()).bind(user.to_string()).fetch_optional(c).await)?;
        Ok(removed.is_some())
    }
}
