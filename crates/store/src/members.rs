//! Enrolment: who is a member of which company, and where a user stands.

use hallpass_core::decision::Standing;
use hallpass_core::entity::Member;
use hallpass_core::id::{CompanyId, MemberId, UserId};
use hallpass_core::role::Role;
use hallpass_core::scope::ScopeSet;
use jiff::Timestamp;

use crate::conn::{Conn, Inner, Tx, on};
use crate::error::StoreError;
use crate::page::Scan;
use crate::row::{like_pattern, parsed, time, to_json};

macro_rules! columns {
    () => {
        concat!(
            "m.id, m.company_id, m.user_id, m.status, m.joined_at, m.created_at, m.updated_at, u.username,
         COALESCE((SELECT o.name FROM profile_overrides o
                   WHERE o.company_id = m.company_id AND o.user_id = m.user_id), u.name) AS name,
         ",
            crate::row::address!(
                "m.company_id",
                "(m.status = 'joined' OR EXISTS (SELECT 1 FROM authorized_users x
             WHERE x.company_id = m.company_id AND x.user_id = m.user_id))"
            ),
            ",
         EXISTS (SELECT 1 FROM authorized_users t
                 WHERE t.company_id = m.company_id AND t.user_id = m.user_id) AS on_team"
        )
    };
}
// $2/$3 the key, $4/$5 created within, $6 status or '', $7 access level or '', $8 name pattern or '',
// $9 e-mail pattern or ''.
macro_rules! filters {
    ($created_at:literal) => {
        concat!(" AND ", $created_at, " > $4 AND ", $created_at, " < $5 AND ($6 = '' OR m.status = $6)
          AND ($7 = '' OR ($7 = 'admin') = EXISTS (SELECT 1 FROM authorized_users t
                WHERE t.company_id = m.company_id AND t.user_id = m.user_id))
          AND ($8 = '' OR u.username_key LIKE $8 ESCAPE '\\' OR COALESCE(
                (SELECT o.name_key FROM profile_overrides o
                 WHERE o.company_id = m.company_id AND o.user_id = m.user_id), u.name_key, '') LIKE $8 ESCAPE '\\'
               OR ($9 <> '' AND CASE WHEN ", crate::row::supplied!("m.company_id"), " THEN COALESCE(u.email_key, '') LIKE $9 ESCAPE '\\'
                   ELSE u.home_company_id IS NULL
                       AND (m.status = 'joined' OR EXISTS (SELECT 1 FROM authorized_users x
                            WHERE x.company_id = m.company_id AND x.user_id = m.user_id))
                       AND (SELECT e.email_key FROM person_emails e
                            WHERE e.person_id = u.person_id AND e.verified_at IS NOT NULL
                            ORDER BY e.verified_at, e.email_key LIMIT 1)
                           LIKE $9 ESCAPE '\\' END))")
    };
}
// `$created_at` is spelled so that a walk by another key does not leave that key's index for its bounds.
macro_rules! walk {
    ($from:expr, $key:literal, $created_at:literal, $beyond:literal, $order:literal) => {
        concat!(
            "SELECT ",
            columns!(),
            " FROM ",
            $from,
            " JOIN users u ON u.id = m.user_id WHERE m.company_id = $1 AND (m.",
            $key,
            ", m.id) ",
            $beyond,
            " ($2, $3)",
            filters!($created_at),
            " ORDER BY m.",
            $key,
            " ",
            $order,
            ", m.id ",
            $order,
            " LIMIT $10"
        )
    };
}
/// The lists of members that start from `$from`.
macro_rules! walks {
    ($(#[$doc:meta])* $name:ident, $from:expr) => {
        $(#[$doc])*
        pub(crate) mod $name {
            pub(crate) const CREATED_DOWN: &str = walk!($from, "created_at", "m.created_at", "<", "DESC");
            pub(crate) const CREATED_UP: &str = walk!($from, "created_at", "m.created_at", ">", "ASC");
            pub(crate) const JOINED_DOWN: &str = walk!($from, "joined_at", "(m.created_at + 0)", "<", "DESC");
            pub(crate) const JOINED_UP: &str = walk!($from, "joined_at", "(m.created_at + 0)", ">", "ASC");
            pub(crate) const ACTED_DOWN: &str = walk!($from, "updated_at", "(m.created_at + 0)", "<", "DESC");
            pub(crate) const ACTED_UP: &str = walk!($from, "updated_at", "(m.created_at + 0)", ">", "ASC");
            pub(crate) const ALL: &[&str] =
                &[CREATED_DOWN, CREATED_UP, JOINED_DOWN, JOINED_UP, ACTED_DOWN, ACTED_UP];

            pub(super) fn choose(order: super::MemberOrder, descending: bool) -> &'static str {
                use super::MemberOrder::{Action, Creation, Joining};
                match (order, descending) {
                    (Creation, true) => CREATED_DOWN,
                    (Creation, false) => CREATED_UP,
                    (Joining, true) => JOINED_DOWN,
                    (Joining, false) => JOINED_UP,
                    (Action, true) => ACTED_DOWN,
                    (Action, false) => ACTED_UP,
                }
            }
        }
    };
}
walks! {
    /// Along the company's index.
    everybody, "members m"
}
walks! {
    /// From the users of the JSON array $11, who are few, so that they are not looked for among everybody.
    these_sqlite, concat!(crate::dialect::sqlite_texts!("$11"), " AS wanted JOIN members m ON m.user_id = wanted.id")
}
walks! {
    /// The same.
    these_postgres, concat!(crate::dialect::postgres_texts!("$11"), " AS wanted JOIN members m ON m.user_id = wanted.id")
}

const STANDING: &str = "SELECT
       (SELECT status FROM members WHERE company_id = $1 AND user_id = $2) AS status,
       (SELECT role FROM authorized_users WHERE company_id = $1 AND user_id = $2) AS role,
       (SELECT custom_scopes FROM authorized_users WHERE company_id = $1 AND user_id = $2) AS custom_scopes";
const FIND: &str =
    concat!("SELECT ", columns!(), " FROM members m JOIN users u ON u.id = m.user_id WHERE m.id = $1");
const FIND_BY_USER: &str = concat!(
    "SELECT ",
    columns!(),
    " FROM members m JOIN users u ON u.id = m.user_id WHERE m.company_id = $1 AND m.user_id = $2"
);
const JOIN: &str = "INSERT INTO members (id, company_id, user_id, status, joined_at, created_at, updated_at)
     VALUES ($1, $2, $3, 'joined', $4, $4, $4)
     ON CONFLICT (company_id, user_id) DO UPDATE
         SET status = 'joined', joined_at = excluded.joined_at, updated_at = excluded.updated_at
         WHERE members.status = 'left'
     RETURNING id";
const LEAVE: &str = "UPDATE members SET status = 'left', updated_at = $3
     WHERE company_id = $1 AND user_id = $2 AND status = 'joined' RETURNING id";
const COUNT: &str = "UPDATE companies SET member_count = member_count + $2 WHERE id = $1";

pub(crate) const ALL: &[&str] = &[STANDING, FIND, FIND_BY_USER, JOIN, LEAVE, COUNT];

/// Which members a list shows. Empty texts filter nothing.
#[derive(Clone, Debug)]
pub struct MemberFilter {
    /// Created after, milliseconds, exclusive.
    pub after: i64,
    /// Created before, milliseconds, exclusive.
    pub before: i64,
    /// `joined` or `left`.
    pub status: String,
    /// `admin` (on the team) or `customer`.
    pub access_level: String,
    /// Part of a username or name.
    pub query: String,
    /// Whether the query may match addresses.
    pub match_email: bool,
    /// These users only.
    pub users: Vec<UserId>,
    /// In which order.
    pub order: MemberOrder,
}

/// What a list of members is ordered by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MemberOrder {
    /// When the membership was first made.
    #[default]
    Creation,
    /// When they joined last.
    Joining,
    /// When they joined or left last: nothing else changes a membership.
    Action,
}

#[derive(sqlx::FromRow)]
struct Row {
    id: String,
    company_id: String,
    user_id: String,
    status: String,
    joined_at: i64,
    created_at: i64,
    updated_at: i64,
    username: String,
    name: Option<String>,
    email: Option<String>,
    on_team: bool,
}

const TABLE: &str = "members";

impl TryFrom<Row> for Member {
    type Error = StoreError;
    fn try_from(row: Row) -> Result<Self, StoreError> {
        Ok(Self {
            id: parsed(TABLE, "id", &row.id, &row.id)?,
            company: parsed(TABLE, "company_id", &row.id, &row.company_id)?,
            user: parsed(TABLE, "user_id", &row.id, &row.user_id)?,
            joined: row.status == "joined",
            joined_at: time(TABLE, "joined_at", &row.id, row.joined_at)?,
            created_at: time(TABLE, "created_at", &row.id, row.created_at)?,
            updated_at: time(TABLE, "updated_at", &row.id, row.updated_at)?,
            username: row.username,
            name: row.name,
            email: row.email,
            on_team: row.on_team,
        })
    }
}

impl Conn {
    /// Where a user stands in a company.
    pub async fn find_standing(&mut self, company: CompanyId, user: UserId) -> Result<Standing, StoreError> {
        let (status, role, custom): (Option<String>, Option<String>, Option<String>) = on!(self, c => sqlx::query_as(STANDING)
                .bind(company.to_string()).bind(user.to_string()).fetch_one(c).await)?;
        let corrupt =
            |column| StoreError::Corrupt { table: "authorized_users", column, id: user.to_string() };
        Ok(Standing {
            member: status.as_deref() == Some("joined"),
            role: role.map(|role| Role::parse(&role).ok_or_else(|| corrupt("role"))).transpose()?,
            custom: custom
                .map(|scopes| ScopeSet::parse(&scopes).map_err(|_| corrupt("custom_scopes")))
                .transpose()?
                .unwrap_or_default(),
        })
    }

    /// A membership by its id.
    pub async fn find_member(&mut self, id: MemberId) -> Result<Option<Member>, StoreError> {
        let row: Option<Row> =
            on!(self, c => sqlx::query_as(FIND).bind(id.to_string()).fetch_optional(c).await)?;
        row.map(Member::try_from).transpose()
    }

    /// A user's membership of a company, also a past one.
    pub async fn find_member_of(
        &mut self,
        company: CompanyId,
        user: UserId,
    ) -> Result<Option<Member>, StoreError> {
        let row: Option<Row> = on!(self, c => sqlx::query_as(FIND_BY_USER)
            .bind(company.to_string()).bind(user.to_string()).fetch_optional(c).await)?;
        row.map(Member::try_from).transpose()
    }

    /// A company's members.
    pub async fn list_members(
        &mut self,
        company: CompanyId,
        filter: &MemberFilter,
        scan: &Scan,
    ) -> Result<Vec<Member>, StoreError> {
        // The bounds are of creation, which is only one of the orders.
        let (at, id) = match filter.order {
            MemberOrder::Creation => scan.start_within(filter.after, filter.before),
            MemberOrder::Joining | MemberOrder::Action => scan.start(),
        };
        let statement = match (&self.0, filter.users.is_empty()) {
            (_, true) => everybody::choose(filter.order, scan.descending),
            (Inner::Postgres(_), false) => these_postgres::choose(filter.order, scan.descending),
            (_, false) => these_sqlite::choose(filter.order, scan.descending),
        };
        let pattern = like_pattern(&filter.query);
        let emails = if filter.match_email { pattern.clone() } else { String::new() };
        let rows: Vec<Row> = on!(self, c => {
            let mut query = sqlx::query_as(statement)
                .bind(company.to_string()).bind(at).bind(id).bind(filter.after).bind(filter.before)
                .bind(&filter.status).bind(&filter.access_level).bind(pattern).bind(emails).bind(scan.limit);
            if !filter.users.is_empty() {
                query = query.bind(to_json(&filter.users));
            }
            query.fetch_all(c).await
        })?;
        rows.into_iter().map(Member::try_from).collect()
    }
}

impl Tx {
    /// Makes a user a member, again if they had left; `false` if they are one.
    pub async fn insert_member(
        &mut self,
        id: MemberId,
        company: CompanyId,
        user: UserId,
        at: Timestamp,
    ) -> Result<bool, StoreError> {
        let joined: Option<String> = on!(self.0, c => sqlx::query_scalar(JOIN)
            .bind(id.to_string()).bind(company.to_string()).bind(user.to_string())
            .bind(at.as_millisecond()).fetch_optional(c).await)?;
        if joined.is_some() {
            self.count_members(company, 1).await?;
        }
        Ok(joined.is_some())
    }

    /// Ends a membership; `false` if there was none.
    pub async fn revoke_member(
        &mut self,
        company: CompanyId,
        user: UserId,
        at: Timestamp,
    ) -> Result<bool, StoreError> {
        let left: Option<String> = on!(self.0, c => sqlx::query_scalar(LEAVE)
            .bind(company.to_string()).bind(user.to_string()).bind(at.as_millisecond())
            .fetch_optional(c).await)?;
        if left.is_some() {
            self.count_members(company, -1).await?;
        }
        Ok(left.is_some())
    }

    async fn count_members(&mut self, company: CompanyId, more: i64) -> Result<(), StoreError> {
        on!(self.0, c => sqlx::query(COUNT)
            .bind(company.to_string()).bind(more).execute(c).await.map(drop))?;
        Ok(())
    }
}
