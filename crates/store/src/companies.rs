//! Companies and their connected accounts.

use hallpass_core::entity::Company;
use hallpass_core::id::{CompanyId, FileId, UserId};
use jiff::Timestamp;

use crate::conn::{Conn, Tx, on};
use crate::error::StoreError;
use crate::page::Scan;
use crate::row::{parsed, parsed_opt, time};

macro_rules! columns {
    () => {
        "id, parent_id, owner_user_id, title, route, description, metadata, country, target_audience,
         affiliate_instructions, social_links, send_customer_emails, explicit_scopes, open_enrolment,
         member_count, created_at, updated_at, logo_id, banner_id"
    };
}

const FIND: &str = concat!("SELECT ", columns!(), " FROM companies WHERE id = $1");
const INSERT: &str =
    "INSERT INTO companies (id, parent_id, owner_user_id, title, route, description, metadata,
         country, send_customer_emails, explicit_scopes, open_enrolment, created_at, updated_at)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $12)";
const UPDATE: &str = "UPDATE companies SET title = COALESCE($2, title), route = COALESCE($3, route),
         description = CASE WHEN $4 THEN $5 ELSE description END,
         target_audience = CASE WHEN $6 THEN $7 ELSE target_audience END,
         affiliate_instructions = CASE WHEN $8 THEN $9 ELSE affiliate_instructions END,
         social_links = COALESCE($10, social_links),
         send_customer_emails = COALESCE($11, send_customer_emails),
         metadata = CASE WHEN $12 THEN $13 ELSE metadata END, updated_at = $14,
         logo_id = CASE WHEN $15 THEN $16 ELSE logo_id END,
         banner_id = CASE WHEN $17 THEN $18 ELSE banner_id END,
         country = CASE WHEN $19 THEN $20 ELSE country END
     WHERE id = $1";
const SETTINGS: &str = "UPDATE companies SET explicit_scopes = COALESCE($2, explicit_scopes),
         open_enrolment = COALESCE($3, open_enrolment), updated_at = $4
     WHERE id = $1 RETURNING id";
const ROUTE_TAKEN: &str = "SELECT 1 FROM companies WHERE route = $1 AND id <> $2";
const LOCK: &str = "UPDATE companies SET updated_at = updated_at WHERE id = $1 RETURNING id";
const OWNS_ANOTHER: &str =
    "SELECT 1 FROM companies WHERE owner_user_id = $2 AND parent_id = $1 AND id <> $3 LIMIT 1";
const DETACH: &str = "UPDATE companies SET parent_id = NULL, updated_at = $2
     WHERE id = $1 AND parent_id IS NOT NULL RETURNING id";
const DETACH_FEEDS: &str = "UPDATE feeds SET root_id = company_id
     WHERE company_id = $1 AND customer_id IS NOT NULL AND deleted_at IS NULL";
const CHILDREN_DOWN: &str = concat!(
    "SELECT ",
    columns!(),
    " FROM companies WHERE parent_id = $1 AND (created_at, id) < ($2, $3)
      AND created_at > $4 AND created_at < $5 ORDER BY created_at DESC, id DESC LIMIT $6"
);
const CHILDREN_UP: &str = concat!(
    "SELECT ",
    columns!(),
    " FROM companies WHERE parent_id = $1 AND (created_at, id) > ($2, $3)
      AND created_at > $4 AND created_at < $5 ORDER BY created_at ASC, id ASC LIMIT $6"
);
const OWNED_DOWN: &str = concat!(
    "SELECT ",
    columns!(),
    " FROM companies WHERE owner_user_id = $1 AND (created_at, id) < ($2, $3)
      AND created_at > $4 AND created_at < $5 ORDER BY created_at DESC, id DESC LIMIT $6"
);
const OWNED_UP: &str = concat!(
    "SELECT ",
    columns!(),
    " FROM companies WHERE owner_user_id = $1 AND (created_at, id) > ($2, $3)
      AND created_at > $4 AND created_at < $5 ORDER BY created_at ASC, id ASC LIMIT $6"
);
// Along the primary key: ids sort by creation.
const EVERY: &str = concat!("SELECT ", columns!(), " FROM companies WHERE id < $1 ORDER BY id DESC LIMIT $2");
// $7 the company: it, and its connected accounts. Along the owner's index.
const OWNED_WITHIN_DOWN: &str = concat!(
    "SELECT ",
    columns!(),
    " FROM companies WHERE owner_user_id = $1 AND (created_at, id) < ($2, $3)
      AND created_at > $4 AND created_at < $5 AND $7 IN (id, COALESCE(parent_id, ''))
      ORDER BY created_at DESC, id DESC LIMIT $6"
);
const OWNED_WITHIN_UP: &str = concat!(
    "SELECT ",
    columns!(),
    " FROM companies WHERE owner_user_id = $1 AND (created_at, id) > ($2, $3)
      AND created_at > $4 AND created_at < $5 AND $7 IN (id, COALESCE(parent_id, ''))
      ORDER BY created_at ASC, id ASC LIMIT $6"
);

// A company among its connected accounts: a page of those, and itself.
macro_rules! family {
    ($beyond:literal, $order:literal) => {
        concat!(
            "SELECT ",
            columns!(),
            " FROM (SELECT ",
            columns!(),
            " FROM companies WHERE parent_id = $1 AND (created_at, id) ",
            $beyond,
            " ($2, $3) AND created_at > $4 AND created_at < $5 ORDER BY created_at ",
            $order,
            ", id ",
            $order,
            " LIMIT $6) AS page UNION SELECT ",
            columns!(),
            " FROM companies WHERE id = $1 AND (created_at, id) ",
            $beyond,
            " ($2, $3) AND created_at > $4 AND created_at < $5 ORDER BY created_at ",
            $order,
            ", id ",
            $order,
            " LIMIT $6"
        )
    };
}
const FAMILY_DOWN: &str = family!("<", "DESC");
const FAMILY_UP: &str = family!(">", "ASC");

pub(crate) const ALL: &[&str] = &[
    FAMILY_DOWN,
    FAMILY_UP,
    FIND,
    INSERT,
    UPDATE,
    SETTINGS,
    ROUTE_TAKEN,
    LOCK,
    OWNS_ANOTHER,
    DETACH,
    DETACH_FEEDS,
    CHILDREN_DOWN,
    CHILDREN_UP,
    OWNED_DOWN,
    OWNED_UP,
    EVERY,
    OWNED_WITHIN_DOWN,
    OWNED_WITHIN_UP,
];

/// A company to be stored.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "the fields are those of Company")]
pub struct NewCompany {
    pub id: CompanyId,
    pub parent: Option<CompanyId>,
    pub owner: UserId,
    pub title: String,
    pub route: String,
    pub description: Option<String>,
    pub metadata: Option<String>,
    pub country: Option<String>,
    pub send_customer_emails: bool,
    pub explicit_scopes: bool,
    pub open_enrolment: bool,
}

/// What is changed of a company. The outer `Option`: whether; the inner: to what.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields are those of Company")]
pub struct CompanyPatch {
    pub title: Option<String>,
    pub route: Option<String>,
    pub description: Option<Option<String>>,
    pub target_audience: Option<Option<String>>,
    pub affiliate_instructions: Option<Option<String>>,
    pub social_links: Option<String>,
    pub send_customer_emails: Option<bool>,
    pub metadata: Option<Option<String>>,
    pub logo: Option<Option<FileId>>,
    pub banner: Option<Option<FileId>>,
    pub country: Option<Option<String>>,
}

/// Which companies a list shows.
#[derive(Clone, Debug)]
pub enum CompanyFilter {
    /// The connected accounts of a company.
    ChildrenOf(CompanyId),
    /// A company and its connected accounts.
    Family(CompanyId),
    /// Those a user owns.
    OwnedBy(UserId),
    /// Those a user owns among a company and its connected accounts.
    OwnedWithin(UserId, CompanyId),
}

#[derive(sqlx::FromRow)]
struct Row {
    id: String,
    parent_id: Option<String>,
    owner_user_id: String,
    title: String,
    route: String,
    description: Option<String>,
    metadata: Option<String>,
    country: Option<String>,
    target_audience: Option<String>,
    affiliate_instructions: Option<String>,
    social_links: String,
    send_customer_emails: bool,
    explicit_scopes: bool,
    open_enrolment: bool,
    member_count: i64,
    created_at: i64,
    updated_at: i64,
    logo_id: Option<String>,
    banner_id: Option<String>,
}

const TABLE: &str = "companies";

impl TryFrom<Row> for Company {
    type Error = StoreError;
    fn try_from(row: Row) -> Result<Self, StoreError> {
        Ok(Self {
            id: parsed(TABLE, "id", &row.id, &row.id)?,
            parent: parsed_opt(TABLE, "parent_id", &row.id, row.parent_id.as_deref())?,
            owner: parsed(TABLE, "owner_user_id", &row.id, &row.owner_user_id)?,
            logo: parsed_opt(TABLE, "logo_id", &row.id, row.logo_id.as_deref())?,
            banner: parsed_opt(TABLE, "banner_id", &row.id, row.banner_id.as_deref())?,
            created_at: time(TABLE, "created_at", &row.id, row.created_at)?,
            updated_at: time(TABLE, "updated_at", &row.id, row.updated_at)?,
            title: row.title,
            route: row.route,
            description: row.description,
            metadata: row.metadata,
            country: row.country,
            target_audience: row.target_audience,
            affiliate_instructions: row.affiliate_instructions,
            social_links: row.social_links,
            send_customer_emails: row.send_customer_emails,
            explicit_scopes: row.explicit_scopes,
            open_enrolment: row.open_enrolment,
            member_count: row.member_count,
        })
    }
}

impl Conn {
    /// A company by id.
    pub async fn find_company(&mut self, id: CompanyId) -> Result<Option<Company>, StoreError> {
        let row: Option<Row> =
            on!(self, c => sqlx::query_as(FIND).bind(id.to_string()).fetch_optional(c).await)?;
        row.map(Company::try_from).transpose()
    }

    /// Companies by creation time, within the open interval `(after, before)` of milliseconds.
    pub async fn list_companies(
        &mut self,
        filter: &CompanyFilter,
        (after, before): (i64, i64),
        scan: &Scan,
    ) -> Result<Vec<Company>, StoreError> {
        let (at, id) = scan.start_within(after, before);
        let (statement, subject) = match (filter, scan.descending) {
            (CompanyFilter::ChildrenOf(parent), true) => (CHILDREN_DOWN, parent.to_string()),
            (CompanyFilter::ChildrenOf(parent), false) => (CHILDREN_UP, parent.to_string()),
            (CompanyFilter::Family(company), true) => (FAMILY_DOWN, company.to_string()),
            (CompanyFilter::Family(company), false) => (FAMILY_UP, company.to_string()),
            (CompanyFilter::OwnedBy(user), true) => (OWNED_DOWN, user.to_string()),
            (CompanyFilter::OwnedBy(user), false) => (OWNED_UP, user.to_string()),
            (CompanyFilter::OwnedWithin(user, _), true) => (OWNED_WITHIN_DOWN, user.to_string()),
            (CompanyFilter::OwnedWithin(user, _), false) => (OWNED_WITHIN_UP, user.to_string()),
        };
        let rows: Vec<Row> = match filter {
            CompanyFilter::OwnedWithin(_, company) => on!(self, c => sqlx::query_as(statement)
                .bind(subject).bind(at).bind(id).bind(after).bind(before).bind(scan.limit)
                .bind(company.to_string()).fetch_all(c).await)?,
            CompanyFilter::ChildrenOf(_) | CompanyFilter::Family(_) | CompanyFilter::OwnedBy(_) => {
                on!(self, c => sqlx::query_as(statement)
                .bind(subject).bind(at).bind(id).bind(after).bind(before).bind(scan.limit)
                .fetch_all(c).await)?
            }
        };
        rows.into_iter().map(Company::try_from).collect()
    }

    /// Companies of all kinds, newest first, behind `after`.
    pub async fn list_every_company(
        &mut self,
        after: Option<CompanyId>,
        limit: i64,
    ) -> Result<Vec<Company>, StoreError> {
        // '~' sorts after every id.
        let after = after.map_or_else(|| "~".to_owned(), |id| id.to_string());
        let rows: Vec<Row> =
            on!(self, c => sqlx::query_as(EVERY).bind(after).bind(limit).fetch_all(c).await)?;
        rows.into_iter().map(Company::try_from).collect()
    }

    /// Whether a user owns a connected account of `parent` other than `id`.
    pub async fn owns_another_child(
        &mut self,
        parent: CompanyId,
        owner: UserId,
        id: CompanyId,
    ) -> Result<bool, StoreError> {
        let found: Option<i32> = on!(self, c => sqlx::query_scalar(OWNS_ANOTHER)
            .bind(parent.to_string()).bind(owner.to_string()).bind(id.to_string())
            .fetch_optional(c).await)?;
        Ok(found.is_some())
    }

    /// Whether another company has this route.
    pub async fn is_route_taken(
        &mut self,
        route: &str,
        by_other_than: CompanyId,
    ) -> Result<bool, StoreError> {
        let taken: Option<i32> = on!(self, c => sqlx::query_scalar(ROUTE_TAKEN)
            .bind(route).bind(by_other_than.to_string()).fetch_optional(c).await)?;
        Ok(taken.is_some())
    }
}

impl Tx {
    /// Stores a company.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] if the id or the route is taken, or the owner or parent is not there.
    pub async fn insert_company(&mut self, new: &NewCompany, at: Timestamp) -> Result<(), StoreError> {
        on!(self.0, c => sqlx::query(INSERT)
            .bind(new.id.to_string()).bind(new.parent.map(|id| id.to_string())).bind(new.owner.to_string())
            .bind(&new.title).bind(&new.route).bind(&new.description).bind(&new.metadata).bind(&new.country)
            .bind(new.send_customer_emails).bind(new.explicit_scopes).bind(new.open_enrolment)
            .bind(at.as_millisecond()).execute(c).await.map(drop))?;
        Ok(())
    }

    /// Changes a company.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] if the route is taken.
    pub async fn update_company(
        &mut self,
        id: CompanyId,
        patch: &CompanyPatch,
        at: Timestamp,
    ) -> Result<(), StoreError> {
        on!(self.0, c => sqlx::query(UPDATE)
            .bind(id.to_string()).bind(&patch.title).bind(&patch.route)
            .bind(patch.description.is_some()).bind(patch.description.clone().flatten())
            .bind(patch.target_audience.is_some()).bind(patch.target_audience.clone().flatten())
            .bind(patch.affiliate_instructions.is_some()).bind(patch.affiliate_instructions.clone().flatten())
            .bind(&patch.social_links).bind(patch.send_customer_emails)
            .bind(patch.metadata.is_some()).bind(patch.metadata.clone().flatten())
            .bind(at.as_millisecond())
            .bind(patch.logo.is_some()).bind(patch.logo.flatten().map(|id| id.to_string()))
            .bind(patch.banner.is_some()).bind(patch.banner.flatten().map(|id| id.to_string()))
            .bind(patch.country.is_some()).bind(patch.country.clone().flatten())
            .execute(c).await.map(drop))?;
        Ok(())
    }

    /// Changes how a company hands out tokens and enrols; `false` if there is no such company.
    pub async fn update_company_settings(
        &mut self,
        id: CompanyId,
        explicit_scopes: Option<bool>,
        open_enrolment: Option<bool>,
        at: Timestamp,
    ) -> Result<bool, StoreError> {
        let done: Option<String> = on!(self.0, c => sqlx::query_scalar(SETTINGS)
            .bind(id.to_string()).bind(explicit_scopes).bind(open_enrolment).bind(at.as_millisecond())
            .fetch_optional(c).await)?;
        Ok(done.is_some())
    }

    /// Holds a company's row until the commit, so that what is counted about it stays true.
    pub async fn lock_company(&mut self, id: CompanyId) -> Result<bool, StoreError> {
        let locked: Option<String> =
            on!(self.0, c => sqlx::query_scalar(LOCK).bind(id.to_string()).fetch_optional(c).await)?;
        Ok(locked.is_some())
    }

    /// Cuts a connected account from its parent; `false` if it had none.
    pub async fn detach_company(&mut self, id: CompanyId, at: Timestamp) -> Result<bool, StoreError> {
        let done: Option<String> = on!(self.0, c => sqlx::query_scalar(DETACH)
            .bind(id.to_string()).bind(at.as_millisecond()).fetch_optional(c).await)?;
        on!(self.0, c => sqlx::query(DETACH_FEEDS).bind(id.to_string()).execute(c).await.map(drop))?;
        Ok(done.is_some())
    }
}
