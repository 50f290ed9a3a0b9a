//! Experiences, the products they are attached to, and who is let into private ones.

use hallpass_core::entity::{Experience, Product};
use hallpass_core::id::{AppId, CompanyId, ExperienceId, FileId, ProductId, UserId};
use jiff::Timestamp;

use crate::conn::{Conn, Tx, on};
use crate::error::StoreError;
use crate::page::Scan;
use crate::row::{parsed, parsed_opt, time};

macro_rules! columns {
    () => {
        "e.id, e.company_id, e.app_id, a.name AS app_name, a.icon_file_id AS app_icon, e.name, e.is_public, e.sort_order, e.created_at, e.picture_id"
    };
}
macro_rules! from {
    () => {
        " FROM experiences e JOIN apps a ON a.id = e.app_id "
    };
}
// $2/$3 the key, $4/$5 created within, $6 app or '', $7 product or '', $8 viewer or '' for those who
// see private ones too.
macro_rules! filters {
    () => {
        " AND e.deleted_at IS NULL AND e.created_at > $4 AND e.created_at < $5
          AND ($6 = '' OR e.app_id = $6)
          AND ($7 = '' OR EXISTS (SELECT 1 FROM experience_products p
                                  WHERE p.experience_id = e.id AND p.product_id = $7))
          AND ($8 = '' OR e.is_public OR EXISTS (SELECT 1 FROM experience_members x
                                  WHERE x.experience_id = e.id AND x.user_id = $8)) "
    };
}

const FIND: &str = concat!("SELECT ", columns!(), from!(), "WHERE e.id = $1 AND e.deleted_at IS NULL");
const LIST_DOWN: &str = concat!(
    "SELECT ",
    columns!(),
    from!(),
    "WHERE e.company_id = $1 AND (e.created_at, e.id) < ($2, $3)",
    filters!(),
    "ORDER BY e.created_at DESC, e.id DESC LIMIT $9"
);
const LIST_UP: &str = concat!(
    "SELECT ",
    columns!(),
    from!(),
    "WHERE e.company_id = $1 AND (e.created_at, e.id) > ($2, $3)",
    filters!(),
    "ORDER BY e.created_at ASC, e.id ASC LIMIT $9"
);
const PRODUCTS: &str = "SELECT p.id, p.title, p.route FROM experience_products x
     JOIN products p ON p.company_id = x.company_id AND p.id = x.product_id WHERE x.experience_id = $1 ORDER BY x.created_at, x.product_id
     LIMIT 100";
const HAS_PRODUCT: &str = "SELECT 1 FROM products WHERE company_id = $1 AND id = $2";
// $3 is the app whose key asks, or ''.
const FIND_PRODUCT: &str = "SELECT MIN(c.id) FROM products p JOIN companies c ON c.id = p.company_id
     WHERE p.id = $2 AND (c.parent_id = $1
         OR EXISTS (SELECT 1 FROM app_installs i WHERE i.app_id = $3 AND i.company_id = c.id))";
const INSERT: &str =
    "INSERT INTO experiences (id, company_id, app_id, name, is_public, sort_order, created_at, updated_at)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $7)";
const UPDATE: &str = "UPDATE experiences SET name = COALESCE($2, name), is_public = COALESCE($3, is_public),
         sort_order = CASE WHEN $4 THEN $5 ELSE sort_order END, updated_at = $6,
         picture_id = CASE WHEN $7 THEN $8 ELSE picture_id END
     WHERE id = $1 AND deleted_at IS NULL RETURNING id";
const DELETE: &str =
    "UPDATE experiences SET deleted_at = $2 WHERE id = $1 AND deleted_at IS NULL RETURNING id";
const INSERT_PRODUCT: &str = "INSERT INTO products (company_id, id, title, route, created_at)
     VALUES ($1, $2, $2, $3, $4) ON CONFLICT DO NOTHING";
const ATTACH: &str = "INSERT INTO experience_products (experience_id, company_id, product_id, created_at)
     VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING";
const DETACH: &str =
    "DELETE FROM experience_products WHERE experience_id = $1 AND product_id = $2 RETURNING product_id";
const COPY_PRODUCTS: &str =
    "INSERT INTO experience_products (experience_id, company_id, product_id, created_at)
     SELECT CAST($2 AS TEXT), company_id, product_id, CAST($3 AS BIGINT)
     FROM experience_products WHERE experience_id = $1";
const HAS_ACCESS: &str = "SELECT 1 FROM experience_members WHERE experience_id = $1 AND user_id = $2";
const GRANT: &str = "INSERT INTO experience_members (experience_id, user_id, created_at)
     VALUES ($1, $2, $3) ON CONFLICT DO NOTHING";
const REVOKE: &str =
    "DELETE FROM experience_members WHERE experience_id = $1 AND user_id = $2 RETURNING user_id";
const REVOKE_ALL: &str = "DELETE FROM experience_members WHERE user_id = $2
     AND experience_id IN (SELECT id FROM experiences WHERE company_id = $1)";

pub(crate) const ALL: &[&str] = &[
    FIND,
    LIST_DOWN,
    LIST_UP,
    PRODUCTS,
    HAS_PRODUCT,
    FIND_PRODUCT,
    INSERT,
    UPDATE,
    DELETE,
    INSERT_PRODUCT,
    ATTACH,
    DETACH,
    COPY_PRODUCTS,
    HAS_ACCESS,
    GRANT,
    REVOKE,
    REVOKE_ALL,
];

/// An experience to be stored.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "the fields are those of Experience")]
pub struct NewExperience {
    pub id: ExperienceId,
    pub company: CompanyId,
    pub app: AppId,
    pub name: String,
    pub public: bool,
    pub sort_order: Option<String>,
}

/// What is changed of an experience.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields are those of Experience")]
pub struct ExperiencePatch {
    pub name: Option<String>,
    pub public: Option<bool>,
    pub sort_order: Option<Option<String>>,
    pub picture: Option<Option<FileId>>,
}

/// Which experiences a list shows.
#[derive(Clone, Debug)]
pub struct ExperienceFilter {
    /// Created after, milliseconds, exclusive.
    pub after: i64,
    /// Created before, milliseconds, exclusive.
    pub before: i64,
    /// Of this app only.
    pub app: Option<AppId>,
    /// Attached to this product only.
    pub product: Option<ProductId>,
    /// As this user sees them; none for those who see private ones too.
    pub viewer: Option<UserId>,
}

#[derive(sqlx::FromRow)]
struct Row {
    id: String,
    company_id: String,
    app_id: String,
    app_name: String,
    app_icon: Option<String>,
    name: String,
    is_public: bool,
    sort_order: Option<String>,
    created_at: i64,
    picture_id: Option<String>,
}

const TABLE: &str = "experiences";

impl TryFrom<Row> for Experience {
    type Error = StoreError;
    fn try_from(row: Row) -> Result<Self, StoreError> {
        Ok(Self {
            id: parsed(TABLE, "id", &row.id, &row.id)?,
            company: parsed(TABLE, "company_id", &row.id, &row.company_id)?,
            app: parsed(TABLE, "app_id", &row.id, &row.app_id)?,
            picture: parsed_opt(TABLE, "picture_id", &row.id, row.picture_id.as_deref())?,
            created_at: time(TABLE, "created_at", &row.id, row.created_at)?,
            app_icon: parsed_opt("apps", "icon_file_id", &row.app_id, row.app_icon.as_deref())?,
            app_name: row.app_name,
            name: row.name,
            public: row.is_public,
            sort_order: row.sort_order,
        })
    }
}

fn text<T: ToString>(id: Option<T>) -> String {
    id.map(|id| id.to_string()).unwrap_or_default()
}

impl Conn {
    /// An experience that is not deleted.
    pub async fn find_experience(&mut self, id: ExperienceId) -> Result<Option<Experience>, StoreError> {
        let row: Option<Row> =
            on!(self, c => sqlx::query_as(FIND).bind(id.to_string()).fetch_optional(c).await)?;
        row.map(Experience::try_from).transpose()
    }

    /// A company's experiences by creation time.
    pub async fn list_experiences(
        &mut self,
        company: CompanyId,
        filter: &ExperienceFilter,
        scan: &Scan,
    ) -> Result<Vec<Experience>, StoreError> {
        let (at, id) = scan.start_within(filter.after, filter.before);
        let statement = if scan.descending { LIST_DOWN } else { LIST_UP };
        let rows: Vec<Row> = on!(self, c => sqlx::query_as(statement)
            .bind(company.to_string()).bind(at).bind(id).bind(filter.after).bind(filter.before)
            .bind(text(filter.app)).bind(text(filter.product)).bind(text(filter.viewer)).bind(scan.limit)
            .fetch_all(c).await)?;
        rows.into_iter().map(Experience::try_from).collect()
    }

    /// The products an experience is attached to, at most 100.
    pub async fn list_experience_products(&mut self, id: ExperienceId) -> Result<Vec<Product>, StoreError> {
        let rows: Vec<(String, String, String)> =
            on!(self, c => sqlx::query_as(PRODUCTS).bind(id.to_string()).fetch_all(c).await)?;
        rows.into_iter()
            .map(|(id, title, route)| Ok(Product { id: parsed("products", "id", &id, &id)?, title, route }))
            .collect()
    }

    /// Whether a company ever attached anything to a product.
    pub async fn has_product(&mut self, company: CompanyId, id: ProductId) -> Result<bool, StoreError> {
        let recorded: Option<i32> = on!(self, c => sqlx::query_scalar(HAS_PRODUCT)
            .bind(company.to_string()).bind(id.to_string()).fetch_optional(c).await)?;
        Ok(recorded.is_some())
    }

    /// The connected account of a company, or the company that installed an app, that recorded a product: the
    /// oldest if there are several.
    pub async fn find_account_with_product(
        &mut self,
        company: CompanyId,
        app: Option<AppId>,
        id: ProductId,
    ) -> Result<Option<CompanyId>, StoreError> {
        let found: Option<String> = on!(self, c => sqlx::query_scalar(FIND_PRODUCT)
            .bind(company.to_string()).bind(id.to_string())
            .bind(app.map(|id| id.to_string()).unwrap_or_default()).fetch_one(c).await)?;
        found.map(|found| parsed("products", "company_id", &id.to_string(), &found)).transpose()
    }

    /// Whether a user was let into an experience.
    pub async fn has_experience_access(
        &mut self,
        experience: ExperienceId,
        user: UserId,
    ) -> Result<bool, StoreError> {
        let granted: Option<i32> = on!(self, c => sqlx::query_scalar(HAS_ACCESS)
            .bind(experience.to_string()).bind(user.to_string()).fetch_optional(c).await)?;
        Ok(granted.is_some())
    }
}

impl Tx {
    /// Stores an experience.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] if the id is taken.
    pub async fn insert_experience(&mut self, new: &NewExperience, at: Timestamp) -> Result<(), StoreError> {
        on!(self.0, c => sqlx::query(INSERT)
            .bind(new.id.to_string()).bind(new.company.to_string()).bind(new.app.to_string())
            .bind(&new.name).bind(new.public).bind(&new.sort_order).bind(at.as_millisecond())
            .execute(c).await.map(drop))?;
        Ok(())
    }

    /// Changes an experience; `false` if it is not there.
    pub async fn update_experience(
        &mut self,
        id: ExperienceId,
        patch: &ExperiencePatch,
        at: Timestamp,
    ) -> Result<bool, StoreError> {
        let done: Option<String> = on!(self.0, c => sqlx::query_scalar(UPDATE)
            .bind(id.to_string()).bind(&patch.name).bind(patch.public)
            .bind(patch.sort_order.is_some()).bind(patch.sort_order.clone().flatten())
            .bind(at.as_millisecond())
            .bind(patch.picture.is_some()).bind(patch.picture.flatten().map(|id| id.to_string()))
            .fetch_optional(c).await)?;
        Ok(done.is_some())
    }

    /// Deletes an experience for everybody; `false` if it is not there.
    pub async fn delete_experience(&mut self, id: ExperienceId, at: Timestamp) -> Result<bool, StoreError> {
        let done: Option<String> = on!(self.0, c => sqlx::query_scalar(DELETE)
            .bind(id.to_string()).bind(at.as_millisecond()).fetch_optional(c).await)?;
        Ok(done.is_some())
    }

    /// Attaches an experience to a product, which is recorded for `company` on first use.
    pub async fn insert_experience_product(
        &mut self,
        company: CompanyId,
        experience: ExperienceId,
        product: ProductId,
        at: Timestamp,
    ) -> Result<(), StoreError> {
        let (company, product, at) = (company.to_string(), product.to_string(), at.as_millisecond());
        let route = product.to_lowercase().replace('_', "-");
        on!(self.0, c => sqlx::query(INSERT_PRODUCT)
            .bind(&company).bind(&product).bind(route).bind(at).execute(c).await.map(drop))?;
        on!(self.0, c => sqlx::query(ATTACH)
            .bind(experience.to_string()).bind(&company).bind(&product).bind(at).execute(c).await.map(drop))?;
        Ok(())
    }

    /// Detaches an experience from a product; `false` if it was not attached.
    pub async fn delete_experience_product(
        &mut self,
        experience: ExperienceId,
        product: ProductId,
    ) -> Result<bool, StoreError> {
        let done: Option<String> = on!(self.0, c => sqlx::query_scalar(DETACH)
            .bind(experience.to_string()).bind(product.to_string()).fetch_optional(c).await)?;
        Ok(done.is_some())
    }

    /// Attaches `copy` to every product of `original`.
    pub async fn copy_experience_products(
        &mut self,
        original: ExperienceId,
        copy: ExperienceId,
        at: Timestamp,
    ) -> Result<(), StoreError> {
        on!(self.0, c => sqlx::query(COPY_PRODUCTS)
            .bind(original.to_string()).bind(copy.to_string()).bind(at.as_millisecond())
            .execute(c).await.map(drop))?;
        Ok(())
    }

    /// Lets a user into an experience.
    pub async fn insert_experience_access(
        &mut self,
        experience: ExperienceId,
        user: UserId,
        at: Timestamp,
    ) -> Result<(), StoreError> {
        on!(self.0, c => sqlx::query(GRANT)
            .bind(experience.to_string()).bind(user.to_string()).bind(at.as_millisecond())
            .execute(c).await.map(drop))?;
        Ok(())
    }

    /// Ends a user's access to an experience; `false` if they had none.
    pub async fn revoke_experience_access(
        &mut self,
        experience: ExperienceId,
        user: UserId,
    ) -> Result<bool, StoreError> {
        let done: Option<String> = on!(self.0, c => sqlx::query_scalar(REVOKE)
            .bind(experience.to_string()).bind(user.to_string()).fetch_optional(c).await)?;
        Ok(done.is_some())
    }

    /// Ends a user's access to every private experience of a company, so that enrolling again later
    /// brings none of it back.
    pub async fn revoke_all_experience_access(
        &mut self,
        company: CompanyId,
        user: UserId,
    ) -> Result<(), StoreError> {
        on!(self.0, c => sqlx::query(REVOKE_ALL)
            .bind(company.to_string()).bind(user.to_string()).execute(c).await.map(drop))?;
        Ok(())
    }
}
