//! People: their addresses, their passwords, and the users that companies made for them.

use hallpass_core::id::{CompanyId, PersonId, UserId};
use jiff::Timestamp;

use crate::conn::{Conn, Tx, on};
use crate::error::StoreError;
use crate::row::{parsed, parsed_opt, time};

const FIND_BY_ADDRESS: &str =
    "SELECT person_id FROM person_emails WHERE email_key = $1 AND verified_at IS NOT NULL";
const PASSWORD: &str = "SELECT phc FROM person_passwords WHERE person_id = $1";
const SET_PASSWORD: &str = "INSERT INTO person_passwords (person_id, phc, updated_at) VALUES ($1, $2, $3)
     ON CONFLICT (person_id) DO UPDATE SET phc = excluded.phc, updated_at = excluded.updated_at";
const REHASH: &str = "UPDATE person_passwords SET phc = $3 WHERE person_id = $1 AND phc = $2";
const HOLD: &str = "UPDATE people SET changed_at = $2 WHERE id = $1 RETURNING id";
const EPOCH: &str = "SELECT sessions_epoch FROM people WHERE id = $1";
const MOVE_EPOCH: &str = "UPDATE people SET sessions_epoch = sessions_epoch + 1 WHERE id = $1";
const HOLD_IN: &str = "UPDATE people SET changed_at = $3 WHERE id = $1 AND sessions_epoch = $2 RETURNING id";
const INSERT_PERSON: &str = "INSERT INTO people (id, created_at) VALUES ($1, $2)";
const INSERT_EMAIL: &str = "INSERT INTO person_emails (person_id, email_key, email, verified_at, created_at)
     VALUES ($1, $2, $3, $4, $4)
     ON CONFLICT (person_id, email_key) DO UPDATE SET email = excluded.email,
         verified_at = COALESCE(person_emails.verified_at, excluded.verified_at)";
const LIST_EMAILS: &str = "SELECT email, verified_at FROM person_emails
     WHERE person_id = $1 AND verified_at IS NOT NULL ORDER BY verified_at, email_key";
const DELETE_EMAIL: &str = "DELETE FROM person_emails WHERE person_id = $1 AND email_key = $2
     AND EXISTS (SELECT 1 FROM person_emails e
                 WHERE e.person_id = $1 AND e.email_key <> $2 AND e.verified_at IS NOT NULL)
     RETURNING email";
// Made by the company itself, else by its parent for it, where they are enrolled.
macro_rules! local_to {
    ($company:literal) => {
        concat!(
            "(u.home_company_id = ",
            $company,
            " OR u.home_company_id = (SELECT c.parent_id FROM companies c WHERE c.id = ",
            $company,
            ") AND (EXISTS (SELECT 1 FROM members m WHERE m.company_id = ",
            $company,
            " AND m.user_id = u.id AND m.status = 'joined')
              OR EXISTS (SELECT 1 FROM authorized_users t WHERE t.company_id = ",
            $company,
            " AND t.user_id = u.id)))"
        )
    };
}
const FIND_LINKED: &str = concat!(
    "SELECT u.id, u.deactivated_at, u.home_company_id FROM users u WHERE u.person_id = $1 AND ",
    local_to!("$2")
);
const FIND_LINKABLE: &str = concat!(
    "SELECT u.id, u.deactivated_at, u.home_company_id FROM person_emails e JOIN users u ON u.email_key = e.email_key
     WHERE e.person_id = $1 AND e.verified_at IS NOT NULL AND u.person_id IS NULL
       AND NOT EXISTS (SELECT 1 FROM users l WHERE l.person_id = $1 AND l.home_company_id = u.home_company_id)
       AND u.home_company_id IN ($2, (SELECT c.parent_id FROM companies c WHERE c.id = $2)) AND ",
    local_to!("$2")
);
const LINK: &str = "UPDATE users SET person_id = $2 WHERE id = $1 AND person_id IS NULL RETURNING id";

pub(crate) const ALL: &[&str] = &[
    FIND_BY_ADDRESS,
    PASSWORD,
    SET_PASSWORD,
    REHASH,
    HOLD,
    EPOCH,
    MOVE_EPOCH,
    HOLD_IN,
    INSERT_PERSON,
    INSERT_EMAIL,
    LIST_EMAILS,
    DELETE_EMAIL,
    FIND_LINKED,
    FIND_LINKABLE,
    LINK,
];

/// An address that a person has proved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    /// As they wrote it.
    pub email: String,
    /// When they proved it.
    pub verified_at: Timestamp,
}

/// A user that a company made, for whom a person is or may be linked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LocalUser {
    /// Which.
    pub id: UserId,
    /// Whether they were deactivated.
    pub deactivated: bool,
}

/// An id, when it was deactivated, and who made it.
type LocalRow = (String, Option<i64>, Option<String>);

/// The one made by the company itself, else the oldest.
fn nearest(rows: Vec<LocalRow>, company: CompanyId) -> Result<Option<LocalUser>, StoreError> {
    let mut found = Vec::with_capacity(rows.len());
    for (id, deactivated_at, home) in rows {
        let home: Option<CompanyId> = parsed_opt("users", "home_company_id", &id, home.as_deref())?;
        let user = LocalUser { id: parsed("users", "id", &id, &id)?, deactivated: deactivated_at.is_some() };
        found.push((home != Some(company), user));
    }
    Ok(found.into_iter().min_by_key(|(elsewhere, user)| (*elsewhere, user.id)).map(|(_, user)| user))
}

impl Conn {
    /// The person who has proved an address.
    pub async fn find_person_by_address(&mut self, address: &str) -> Result<Option<PersonId>, StoreError> {
        let id: Option<String> = on!(self, c => sqlx::query_scalar(FIND_BY_ADDRESS)
            .bind(address.to_lowercase()).fetch_optional(c).await)?;
        id.map(|id| parsed("person_emails", "person_id", &id, &id)).transpose()
    }

    /// How often a person's sessions were ended together; none if there is no such person.
    pub async fn find_sessions_epoch(&mut self, person: PersonId) -> Result<Option<i64>, StoreError> {
        let epoch: Option<i64> = on!(self, c => sqlx::query_scalar(EPOCH)
            .bind(person.to_string()).fetch_optional(c).await)?;
        Ok(epoch)
    }

    /// The hash of a person's password, if they have one.
    pub async fn find_password(&mut self, person: PersonId) -> Result<Option<String>, StoreError> {
        let phc: Option<String> = on!(self, c => sqlx::query_scalar(PASSWORD)
            .bind(person.to_string()).fetch_optional(c).await)?;
        Ok(phc)
    }

    /// The addresses that a person has proved, the primary one first: the one proved first of those left.
    pub async fn list_addresses(&mut self, person: PersonId) -> Result<Vec<Address>, StoreError> {
        let rows: Vec<(String, i64)> = on!(self, c => sqlx::query_as(LIST_EMAILS)
            .bind(person.to_string()).fetch_all(c).await)?;
        rows.into_iter()
            .map(|(email, at)| {
                let verified_at = time("person_emails", "verified_at", &person.to_string(), at)?;
                Ok(Address { email, verified_at })
            })
            .collect()
    }

    /// The user linked to a person in a company: one that the company made, else one that its parent made
    /// for it.
    pub async fn find_linked_user(
        &mut self,
        person: PersonId,
        company: CompanyId,
    ) -> Result<Option<LocalUser>, StoreError> {
        let rows: Vec<LocalRow> = on!(self, c => sqlx::query_as(FIND_LINKED)
            .bind(person.to_string()).bind(company.to_string()).fetch_all(c).await)?;
        nearest(rows, company)
    }

    /// A user whom nobody is linked to, made as [`find_linked_user`](Self::find_linked_user) wants them
    /// for an address that the person has proved.
    pub async fn find_linkable_user(
        &mut self,
        person: PersonId,
        company: CompanyId,
    ) -> Result<Option<LocalUser>, StoreError> {
        let rows: Vec<LocalRow> = on!(self, c => sqlx::query_as(FIND_LINKABLE)
            .bind(person.to_string()).bind(company.to_string()).fetch_all(c).await)?;
        nearest(rows, company)
    }
}

impl Tx {
    /// Holds a person until the commit: changes to how they sign in happen one after the other. `false` if
    /// there is no such person.
    pub async fn hold_person(&mut self, person: PersonId, at: Timestamp) -> Result<bool, StoreError> {
        let held: Option<String> = on!(self.0, c => sqlx::query_scalar(HOLD)
            .bind(person.to_string()).bind(at.as_millisecond()).fetch_optional(c).await)?;
        Ok(held.is_some())
    }

    /// Holds a person until the commit, if their sessions were not ended together since `epoch`; else
    /// `false`.
    pub async fn hold_person_in(
        &mut self,
        person: PersonId,
        epoch: i64,
        at: Timestamp,
    ) -> Result<bool, StoreError> {
        let held: Option<String> = on!(self.0, c => sqlx::query_scalar(HOLD_IN)
            .bind(person.to_string()).bind(epoch).bind(at.as_millisecond()).fetch_optional(c).await)?;
        Ok(held.is_some())
    }

    /// Shuts out who proved themselves and has no session yet; holds the person until the commit.
    pub async fn move_sessions_epoch(&mut self, person: PersonId) -> Result<(), StoreError> {
        on!(self.0, c => sqlx::query(MOVE_EPOCH).bind(person.to_string()).execute(c).await.map(drop))?;
        Ok(())
    }

    /// Stores a person with a verified address, and a password (PHC string) if they have one.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] if a person has proved that address before.
    pub async fn insert_person(
        &mut self,
        id: PersonId,
        email: &str,
        phc: Option<&str>,
        at: Timestamp,
    ) -> Result<(), StoreError> {
        on!(self.0, c => sqlx::query(INSERT_PERSON)
            .bind(id.to_string()).bind(at.as_millisecond()).execute(c).await.map(drop))?;
        self.insert_address(id, email, at).await?;
        match phc {
            Some(phc) => self.set_password(id, phc, at).await,
            None => Ok(()),
        }
    }

    /// Stores an address that a person has proved.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] if another person has proved it.
    pub async fn insert_address(
        &mut self,
        person: PersonId,
        email: &str,
        at: Timestamp,
    ) -> Result<(), StoreError> {
        on!(self.0, c => sqlx::query(INSERT_EMAIL)
            .bind(person.to_string()).bind(email.to_lowercase()).bind(email).bind(at.as_millisecond())
            .execute(c).await.map(drop))?;
        Ok(())
    }

    /// Removes an address, as it was written; none if the person has not proved it, or no other. The person
    /// must be [held](Self::hold_person).
    pub async fn delete_address(
        &mut self,
        person: PersonId,
        email: &str,
    ) -> Result<Option<String>, StoreError> {
        let removed: Option<String> = on!(self.0, c => sqlx::query_scalar(DELETE_EMAIL)
            .bind(person.to_string()).bind(email.to_lowercase()).fetch_optional(c).await)?;
        Ok(removed)
    }

    /// Sets or replaces a password (PHC string).
    pub async fn set_password(
        &mut self,
        person: PersonId,
        phc: &str,
        at: Timestamp,
    ) -> Result<(), StoreError> {
        on!(self.0, c => sqlx::query(SET_PASSWORD)
            .bind(person.to_string()).bind(phc).bind(at.as_millisecond()).execute(c).await.map(drop))?;
        Ok(())
    }

    /// Keeps the same password under newer parameters, unless it was changed meanwhile.
    pub async fn rehash_password(
        &mut self,
        person: PersonId,
        old: &str,
        new: &str,
    ) -> Result<(), StoreError> {
        on!(self.0, c => sqlx::query(REHASH)
            .bind(person.to_string()).bind(old).bind(new).execute(c).await.map(drop))?;
        Ok(())
    }

    /// Links a user to a person; `false` if somebody is linked already.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] if the person is linked to another user of the same company.
    pub async fn link_user(&mut self, user: UserId, person: PersonId) -> Result<bool, StoreError> {
        let linked: Option<String> = on!(self.0, c => sqlx::query_scalar(LINK)
            .bind(user.to_string()).bind(person.to_string()).fetch_optional(c).await)?;
        Ok(linked.is_some())
    }
}
