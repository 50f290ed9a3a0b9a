//! Users.

use hallpass_core::entity::User;
use hallpass_core::id::{CompanyId, FileId, PersonId, UserId};
use jiff::Timestamp;

use crate::conn::{Conn, Tx, on};
use crate::error::StoreError;
use crate::page::Scan;
use crate::row::{like_pattern, parsed, parsed_opt, time};

macro_rules! columns {
    () => {
        "u.id, u.person_id, u.home_company_id, u.username, u.name, u.bio, u.email, u.deactivated_at,
         u.created_at, u.updated_at, u.picture_id"
    };
}
/// Enrolled in the company `$company`: member or on the team.
macro_rules! enrolled {
    ($company:literal) => {
        concat!(
            "(EXISTS (SELECT 1 FROM members m WHERE m.company_id = ",
            $company,
            " AND m.user_id = u.id AND m.status = 'joined')
              OR EXISTS (SELECT 1 FROM authorized_users t WHERE t.company_id = ",
            $company,
            " AND t.user_id = u.id))"
        )
    };
}

/// Active, and found by what is shown in the company: username, or the name with its override.
macro_rules! shown {
    () => {
        " AND u.deactivated_at IS NULL
          AND ($3 = '' OR u.username_key LIKE $3 ESCAPE '\\' OR COALESCE(
              (SELECT o.name_key FROM profile_overrides o WHERE o.company_id = $1 AND o.user_id = u.id),
              u.name_key, '') LIKE $3 ESCAPE '\\')"
    };
}

const FIND: &str = concat!("SELECT ", columns!(), " FROM users u WHERE u.id = $1");
const FIND_LOCAL_BY_EMAIL: &str =
    concat!("SELECT ", columns!(), " FROM users u WHERE u.home_company_id = $1 AND u.email_key = $2");
const FIND_OWN: &str = concat!(
    "SELECT ",
    columns!(),
    " FROM users u WHERE u.person_id = $1 AND u.home_company_id IS NULL ORDER BY u.id LIMIT 1"
);
// A company's own user of that name goes before a person's own user who is enrolled there.
const FIND_BY_USERNAME: &str = concat!(
    "SELECT ",
    columns!(),
    " FROM users u WHERE u.username_key = $2 AND COALESCE(u.home_company_id, '') IN ($1, '') AND ",
    enrolled!("$1"),
    " ORDER BY COALESCE(u.home_company_id, '') DESC LIMIT 1"
);
const FIND_ENROLLED: &str =
    concat!("SELECT ", columns!(), " FROM users u WHERE u.id = $2 AND ", enrolled!("$1"));
// Supplied by the company, by its parent for it, or proved by a person whose own user this is: as
// [`address!`] shows them.
const FIND_BY_ADDRESS: &str = concat!(
    "SELECT ",
    columns!(),
    " FROM users u WHERE u.home_company_id = $1 AND u.email_key = $2 AND ",
    enrolled!("$1"),
    " UNION ALL SELECT ",
    columns!(),
    " FROM users u WHERE u.home_company_id = (SELECT c.parent_id FROM companies c WHERE c.id = $1)
        AND u.email_key = $2 AND ",
    enrolled!("$1"),
    " UNION ALL SELECT ",
    columns!(),
    " FROM person_emails e JOIN users u ON u.person_id = e.person_id
      WHERE e.email_key = $2 AND e.verified_at IS NOT NULL AND u.home_company_id IS NULL AND ",
    enrolled!("$1"),
    " LIMIT 10"
);
// The first that was proved; as [`address!`] shows it.
const PROVED_ADDRESS: &str =
    "SELECT email FROM person_emails WHERE person_id = $1 AND verified_at IS NOT NULL
     ORDER BY verified_at, email_key LIMIT 1";
const FIND_OWN_BY_USERNAME: &str = concat!(
    "SELECT ",
    columns!(),
    " FROM users u WHERE u.username_key = $1 AND COALESCE(u.home_company_id, '') = ''"
);
// Reached by a credential of company $2: enrolled there or in one of its connected accounts.
const SEEN_FROM: &str = "SELECT 1 FROM members m JOIN companies c ON c.id = m.company_id
     WHERE m.user_id = $1 AND m.status = 'joined' AND (c.id = $2 OR c.parent_id = $2)
     UNION ALL
     SELECT 1 FROM authorized_users t JOIN companies c ON c.id = t.company_id
     WHERE t.user_id = $1 AND (c.id = $2 OR c.parent_id = $2)
     LIMIT 1";
const OVERRIDE: &str =
    "SELECT name, picture_id FROM profile_overrides WHERE company_id = $1 AND user_id = $2";
// The company's members and team, not the server's users, are what is walked: each in the order of an
// index and no further than a page. `page` is at most two pages.
macro_rules! list {
    ($beyond:literal, $order:literal) => {
        concat!(
            "SELECT ",
            columns!(),
            " FROM (SELECT user_id FROM (
                SELECT m.user_id FROM members m JOIN users u ON u.id = m.user_id
                WHERE m.company_id = $1 AND m.user_id ",
            $beyond,
            " $2 AND m.status = 'joined'",
            shown!(),
            " ORDER BY m.user_id ",
            $order,
            " LIMIT $4) AS member
              UNION SELECT user_id FROM (
                SELECT t.user_id FROM authorized_users t JOIN users u ON u.id = t.user_id
                WHERE t.company_id = $1 AND t.user_id ",
            $beyond,
            " $2",
            shown!(),
            " ORDER BY t.user_id ",
            $order,
            " LIMIT $4) AS team
              ) AS page JOIN users u ON u.id = page.user_id ORDER BY u.id ",
            $order,
            " LIMIT $4"
        )
    };
}
const LIST_DOWN: &str = list!("<", "DESC");
const LIST_UP: &str = list!(">", "ASC");
const INSERT: &str =
    "INSERT INTO users (id, person_id, home_company_id, username, username_key, name, bio, email,
         email_key, created_at, updated_at, name_key)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $10, $11) ON CONFLICT DO NOTHING RETURNING id";
const UPDATE: &str =
    "UPDATE users SET username = COALESCE($2, username), username_key = COALESCE($3, username_key),
         name = CASE WHEN $4 THEN $5 ELSE name END, name_key = CASE WHEN $4 THEN $9 ELSE name_key END,
         bio = CASE WHEN $6 THEN $7 ELSE bio END, updated_at = $8,
         picture_id = CASE WHEN $10 THEN $11 ELSE picture_id END
     WHERE id = $1";
const USERNAME_TAKEN: &str = "SELECT 1 FROM users
     WHERE COALESCE(home_company_id, '') = $1 AND username_key = $2 AND id <> $3";
const SET_OVERRIDE: &str =
    "INSERT INTO profile_overrides (company_id, user_id, name, updated_at, name_key, picture_id)
     VALUES ($1, $2, $3, $4, $5, $7)
     ON CONFLICT (company_id, user_id) DO UPDATE
         SET name = CASE WHEN $6 THEN excluded.name ELSE profile_overrides.name END,
             name_key = CASE WHEN $6 THEN excluded.name_key ELSE profile_overrides.name_key END,
             picture_id = CASE WHEN $8 THEN excluded.picture_id ELSE profile_overrides.picture_id END,
             updated_at = excluded.updated_at";
const DEACTIVATE: &str =
    "UPDATE users SET deactivated_at = $2 WHERE id = $1 AND deactivated_at IS NULL RETURNING id";
const REACTIVATE: &str = "UPDATE users SET deactivated_at = NULL WHERE id = $1 RETURNING id";
const IS_PROVED: &str =
    "SELECT 1 FROM person_emails WHERE person_id = $1 AND email_key = $2 AND verified_at IS NOT NULL";

pub(crate) const ALL: &[&str] = &[
    FIND,
    FIND_LOCAL_BY_EMAIL,
    FIND_OWN,
    FIND_BY_USERNAME,
    FIND_ENROLLED,
    FIND_BY_ADDRESS,
    PROVED_ADDRESS,
    FIND_OWN_BY_USERNAME,
    SEEN_FROM,
    OVERRIDE,
    LIST_DOWN,
    LIST_UP,
    INSERT,
    UPDATE,
    USERNAME_TAKEN,
    SET_OVERRIDE,
    DEACTIVATE,
    REACTIVATE,
    IS_PROVED,
];

/// A user to be stored.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "the fields are those of User")]
pub struct NewUser {
    pub id: UserId,
    pub person: Option<PersonId>,
    pub home: Option<CompanyId>,
    pub username: String,
    pub name: Option<String>,
    pub email: Option<String>,
}

/// What is changed of a user's global profile.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UserPatch {
    /// A new username.
    pub username: Option<String>,
    /// A new name, or none.
    pub name: Option<Option<String>>,
    /// A new bio, or none.
    pub bio: Option<Option<String>>,
    /// A new picture, or none.
    pub picture: Option<Option<FileId>>,
}

/// What a company shows instead of a user's global profile.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProfileOverride {
    /// A name.
    pub name: Option<String>,
    /// A picture.
    pub picture: Option<FileId>,
}

/// A user as shown in a company, or globally.
#[derive(Clone, Debug, PartialEq)]
pub struct Profile {
    /// The user, with `name` replaced by the company's override if there is one.
    pub user: User,
}

#[derive(sqlx::FromRow)]
struct Row {
    id: String,
    person_id: Option<String>,
    home_company_id: Option<String>,
    username: String,
    name: Option<String>,
    bio: Option<String>,
    email: Option<String>,
    deactivated_at: Option<i64>,
    created_at: i64,
    updated_at: i64,
    picture_id: Option<String>,
}

const TABLE: &str = "users";

impl TryFrom<Row> for User {
    type Error = StoreError;
    fn try_from(row: Row) -> Result<Self, StoreError> {
        Ok(Self {
            id: parsed(TABLE, "id", &row.id, &row.id)?,
            person: parsed_opt(TABLE, "person_id", &row.id, row.person_id.as_deref())?,
            home: parsed_opt(TABLE, "home_company_id", &row.id, row.home_company_id.as_deref())?,
            created_at: time(TABLE, "created_at", &row.id, row.created_at)?,
            updated_at: time(TABLE, "updated_at", &row.id, row.updated_at)?,
            deactivated: row.deactivated_at.is_some(),
            picture: parsed_opt(TABLE, "picture_id", &row.id, row.picture_id.as_deref())?,
            username: row.username,
            name: row.name,
            bio: row.bio,
            email: row.email,
        })
    }
}

impl Conn {
    /// A user by id.
    pub async fn find_user(&mut self, id: UserId) -> Result<Option<User>, StoreError> {
        let row: Option<Row> =
            on!(self, c => sqlx::query_as(FIND).bind(id.to_string()).fetch_optional(c).await)?;
        row.map(User::try_from).transpose()
    }

    /// The user that a company made for an address.
    pub async fn find_local_user(
        &mut self,
        home: CompanyId,
        email: &str,
    ) -> Result<Option<User>, StoreError> {
        let row: Option<Row> = on!(self, c => sqlx::query_as(FIND_LOCAL_BY_EMAIL)
            .bind(home.to_string()).bind(email.to_lowercase()).fetch_optional(c).await)?;
        row.map(User::try_from).transpose()
    }

    /// A person's own user.
    pub async fn find_own_user(&mut self, person: PersonId) -> Result<Option<User>, StoreError> {
        let row: Option<Row> =
            on!(self, c => sqlx::query_as(FIND_OWN).bind(person.to_string()).fetch_optional(c).await)?;
        row.map(User::try_from).transpose()
    }

    /// The user whom a username means inside a company.
    pub async fn find_user_by_username(
        &mut self,
        company: CompanyId,
        username: &str,
    ) -> Result<Option<User>, StoreError> {
        let row: Option<Row> = on!(self, c => sqlx::query_as(FIND_BY_USERNAME)
            .bind(company.to_string()).bind(username.to_lowercase()).fetch_optional(c).await)?;
        row.map(User::try_from).transpose()
    }

    /// A user who is enrolled in a company.
    pub async fn find_enrolled_user(
        &mut self,
        company: CompanyId,
        id: UserId,
    ) -> Result<Option<User>, StoreError> {
        let row: Option<Row> = on!(self, c => sqlx::query_as(FIND_ENROLLED)
            .bind(company.to_string()).bind(id.to_string()).fetch_optional(c).await)?;
        row.map(User::try_from).transpose()
    }

    /// Whom an address means inside a company: the user the company made for it, else one its parent made,
    /// else one whose person proved it.
    pub async fn find_user_by_address(
        &mut self,
        company: CompanyId,
        address: &str,
    ) -> Result<Option<User>, StoreError> {
        let rows: Vec<Row> = on!(self, c => sqlx::query_as(FIND_BY_ADDRESS)
            .bind(company.to_string()).bind(address.to_lowercase()).fetch_all(c).await)?;
        let mut found = rows.into_iter().map(User::try_from).collect::<Result<Vec<_>, _>>()?;
        found.sort_by_key(|user| (user.home != Some(company), user.home.is_none(), user.id));
        Ok(found.into_iter().next())
    }

    /// Whether a person has proved an address.
    pub async fn is_address_proved(&mut self, person: PersonId, email: &str) -> Result<bool, StoreError> {
        let proved: Option<i32> = on!(self, c => sqlx::query_scalar(IS_PROVED)
            .bind(person.to_string()).bind(email.to_lowercase()).fetch_optional(c).await)?;
        Ok(proved.is_some())
    }

    /// The address to show of a person: the first they proved of those they have.
    pub async fn find_proved_address(&mut self, person: PersonId) -> Result<Option<String>, StoreError> {
        let address: Option<String> = on!(self, c => sqlx::query_scalar(PROVED_ADDRESS)
            .bind(person.to_string()).fetch_optional(c).await)?;
        Ok(address)
    }

    /// The person's own user who has a server-wide username.
    pub async fn find_own_user_by_username(&mut self, username: &str) -> Result<Option<User>, StoreError> {
        let row: Option<Row> = on!(self, c => sqlx::query_as(FIND_OWN_BY_USERNAME)
            .bind(username.to_lowercase()).fetch_optional(c).await)?;
        row.map(User::try_from).transpose()
    }

    /// Whether a user is enrolled in a company or in one of its connected accounts.
    pub async fn is_user_seen_from(&mut self, company: CompanyId, user: UserId) -> Result<bool, StoreError> {
        let seen: Option<i32> = on!(self, c => sqlx::query_scalar(SEEN_FROM)
            .bind(user.to_string()).bind(company.to_string()).fetch_optional(c).await)?;
        Ok(seen.is_some())
    }

    /// What a company shows for a user instead of their global profile.
    pub async fn find_override(
        &mut self,
        company: CompanyId,
        user: UserId,
    ) -> Result<ProfileOverride, StoreError> {
        let user = user.to_string();
        let found: Option<(Option<String>, Option<String>)> = on!(self, c => sqlx::query_as(OVERRIDE)
            .bind(company.to_string()).bind(&user).fetch_optional(c).await)?;
        let (name, picture) = found.unwrap_or_default();
        let picture = parsed_opt("profile_overrides", "picture_id", &user, picture.as_deref())?;
        Ok(ProfileOverride { name, picture })
    }

    /// The users enrolled in a company whose username or shown name contains `query`, by id.
    pub async fn list_users(
        &mut self,
        company: CompanyId,
        query: &str,
        scan: &Scan,
    ) -> Result<Vec<User>, StoreError> {
        let (_, from) = scan.start();
        let statement = if scan.descending { LIST_DOWN } else { LIST_UP };
        let rows: Vec<Row> = on!(self, c => sqlx::query_as(statement)
            .bind(company.to_string()).bind(from).bind(like_pattern(query)).bind(scan.limit)
            .fetch_all(c).await)?;
        rows.into_iter().map(User::try_from).collect()
    }

    /// Whether another user has this username among the users of `home` (of persons, for none).
    pub async fn is_username_taken(
        &mut self,
        home: Option<CompanyId>,
        username: &str,
        by_other_than: UserId,
    ) -> Result<bool, StoreError> {
        let home = home.map(|home| home.to_string()).unwrap_or_default();
        let taken: Option<i32> = on!(self, c => sqlx::query_scalar(USERNAME_TAKEN)
            .bind(home).bind(username.to_lowercase()).bind(by_other_than.to_string())
            .fetch_optional(c).await)?;
        Ok(taken.is_some())
    }
}

impl Tx {
    /// Stores a user; `false` if the username or the address is taken.
    pub async fn insert_user(&mut self, new: &NewUser, at: Timestamp) -> Result<bool, StoreError> {
        let stored: Option<String> = on!(self.0, c => sqlx::query_scalar(INSERT)
            .bind(new.id.to_string()).bind(new.person.map(|id| id.to_string()))
            .bind(new.home.map(|id| id.to_string())).bind(&new.username)
            .bind(new.username.to_lowercase()).bind(&new.name).bind(None::<String>).bind(&new.email)
            .bind(new.email.as_ref().map(|email| email.to_lowercase())).bind(at.as_millisecond())
            .bind(new.name.as_ref().map(|name| name.to_lowercase())).fetch_optional(c).await)?;
        Ok(stored.is_some())
    }

    /// Changes a user's global profile.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] if the username is taken.
    pub async fn update_user(
        &mut self,
        id: UserId,
        patch: &UserPatch,
        at: Timestamp,
    ) -> Result<(), StoreError> {
        on!(self.0, c => sqlx::query(UPDATE)
            .bind(id.to_string()).bind(&patch.username)
            .bind(patch.username.as_ref().map(|username| username.to_lowercase()))
            .bind(patch.name.is_some()).bind(patch.name.clone().flatten())
            .bind(patch.bio.is_some()).bind(patch.bio.clone().flatten()).bind(at.as_millisecond())
            .bind(patch.name.as_ref().and_then(|name| name.as_ref().map(|name| name.to_lowercase())))
            .bind(patch.picture.is_some()).bind(patch.picture.flatten().map(|id| id.to_string()))
            .execute(c).await.map(drop))?;
        Ok(())
    }

    /// Sets or clears the name and the picture that a company shows for a user.
    pub async fn update_override(
        &mut self,
        company: CompanyId,
        user: UserId,
        name: Option<Option<&str>>,
        picture: Option<Option<FileId>>,
        at: Timestamp,
    ) -> Result<(), StoreError> {
        let text = name.flatten();
        on!(self.0, c => sqlx::query(SET_OVERRIDE)
            .bind(company.to_string()).bind(user.to_string()).bind(text).bind(at.as_millisecond())
            .bind(text.map(str::to_lowercase)).bind(name.is_some())
            .bind(picture.flatten().map(|id| id.to_string())).bind(picture.is_some())
            .execute(c).await.map(drop))?;
        Ok(())
    }

    /// Deactivates a user; `false` if they were, or are not.
    pub async fn deactivate_user(&mut self, id: UserId, at: Timestamp) -> Result<bool, StoreError> {
        let done: Option<String> = on!(self.0, c => sqlx::query_scalar(DEACTIVATE)
            .bind(id.to_string()).bind(at.as_millisecond()).fetch_optional(c).await)?;
        Ok(done.is_some())
    }

    /// Undoes a deactivation; `false` if there is no such user.
    pub async fn reactivate_user(&mut self, id: UserId) -> Result<bool, StoreError> {
        let done: Option<String> = on!(self.0, c => sqlx::query_scalar(REACTIVATE)
            .bind(id.to_string()).fetch_optional(c).await)?;
        Ok(done.is_some())
    }
}
