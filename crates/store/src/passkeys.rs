//! Passkeys, and the challenges that browsers were given for them.

use hallpass_core::id::{PasskeyId, PersonId};
use jiff::Timestamp;

use crate::conn::{Conn, Tx, on};
use crate::error::StoreError;
use crate::row::{json, parsed, parsed_opt, time, to_json};

macro_rules! columns {
    () => {
        "id, person_id, credential_id, public_key, sign_count, backup_eligible, backed_up, aaguid, transports,
         name, created_at, last_used_at"
    };
}
const INSERT: &str = concat!(
    "INSERT INTO passkeys (",
    columns!(),
    ") VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, NULL)
     ON CONFLICT (credential_id) DO NOTHING RETURNING id"
);
const FIND: &str = concat!("SELECT ", columns!(), " FROM passkeys WHERE credential_id = $1");
const LIST: &str = concat!("SELECT ", columns!(), " FROM passkeys WHERE person_id = $1 ORDER BY id");
// Of two answers with one count, one is a copy's.
const USED: &str = "UPDATE passkeys SET sign_count = $2, backed_up = $3, last_used_at = $4
     WHERE id = $1 AND (sign_count < $2 OR (sign_count = 0 AND $2 = 0)) RETURNING id";
const RENAME: &str = "UPDATE passkeys SET name = $3 WHERE id = $1 AND person_id = $2 RETURNING id";
const DELETE: &str = "DELETE FROM passkeys WHERE id = $1 AND person_id = $2 RETURNING name";
const CHALLENGE: &str = "INSERT INTO passkey_challenges (challenge, browser, purpose, person_id, expires_at)
     VALUES ($1, $2, $3, $4, $5)";
const TAKE: &str = "DELETE FROM passkey_challenges
     WHERE challenge = $1 AND browser = $2 AND purpose = $3 AND expires_at > $4 RETURNING challenge, person_id";
const PRUNE: &str = "DELETE FROM passkey_challenges WHERE expires_at <= $1";

pub(crate) const ALL: &[&str] = &[INSERT, FIND, LIST, USED, RENAME, DELETE, CHALLENGE, TAKE, PRUNE];

/// A person's passkey.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Passkey {
    /// Its id.
    pub id: PasskeyId,
    /// Whose it is.
    pub person: PersonId,
    /// As its authenticator knows it; unique.
    pub credential_id: Vec<u8>,
    /// Its public key (COSE).
    pub public_key: Vec<u8>,
    /// The signature counter.
    pub sign_count: u32,
    /// Whether it may be copied between devices.
    pub backup_eligible: bool,
    /// Whether it was.
    pub backed_up: bool,
    /// The make of its authenticator, as that says.
    pub aaguid: [u8; 16],
    /// How browsers may reach it.
    pub transports: Vec<String>,
    /// What its person calls it.
    pub name: String,
    /// When it was added.
    pub created_at: Timestamp,
    /// When somebody last signed in with it.
    pub last_used_at: Option<Timestamp>,
}

/// What a challenge is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChallengePurpose {
    /// Adding a passkey to a person.
    Add,
    /// Signing in.
    SignIn,
    /// Beginning an account.
    SignUp,
}

impl ChallengePurpose {
    const fn name(self) -> &'static str {
        match self {
            Self::Add => "add",
            Self::SignIn => "sign_in",
            Self::SignUp => "sign_up",
        }
    }
}

#[derive(sqlx::FromRow)]
struct Row {
    id: String,
    person_id: String,
    credential_id: Vec<u8>,
    public_key: Vec<u8>,
    sign_count: i64,
    backup_eligible: bool,
    backed_up: bool,
    aaguid: Vec<u8>,
    transports: String,
    name: String,
    created_at: i64,
    last_used_at: Option<i64>,
}

const TABLE: &str = "passkeys";

impl TryFrom<Row> for Passkey {
    type Error = StoreError;
    fn try_from(row: Row) -> Result<Self, StoreError> {
        let corrupt = |column| StoreError::Corrupt { table: TABLE, column, id: row.id.clone() };
        Ok(Self {
            id: parsed(TABLE, "id", &row.id, &row.id)?,
            person: parsed(TABLE, "person_id", &row.id, &row.person_id)?,
            sign_count: u32::try_from(row.sign_count).map_err(|_| corrupt("sign_count"))?,
            backup_eligible: row.backup_eligible,
            backed_up: row.backed_up,
            aaguid: row.aaguid.as_slice().try_into().map_err(|_| corrupt("aaguid"))?,
            transports: json(TABLE, "transports", &row.id, &row.transports)?,
            created_at: time(TABLE, "created_at", &row.id, row.created_at)?,
            last_used_at: row.last_used_at.map(|at| time(TABLE, "last_used_at", &row.id, at)).transpose()?,
            credential_id: row.credential_id,
            public_key: row.public_key,
            name: row.name,
        })
    }
}

impl Conn {
    /// The passkey of a credential id.
    pub async fn find_passkey(&mut self, credential_id: &[u8]) -> Result<Option<Passkey>, StoreError> {
        let row: Option<Row> = on!(self, c => sqlx::query_as(FIND)
            .bind(credential_id.to_vec()).fetch_optional(c).await)?;
        row.map(Passkey::try_from).transpose()
    }

    /// A person's passkeys, the oldest first.
    pub async fn list_passkeys(&mut self, person: PersonId) -> Result<Vec<Passkey>, StoreError> {
        let rows: Vec<Row> =
            on!(self, c => sqlx::query_as(LIST).bind(person.to_string()).fetch_all(c).await)?;
        rows.into_iter().map(Passkey::try_from).collect()
    }
}

impl Tx {
    /// Stores a passkey; `false` if its credential id is known.
    pub async fn insert_passkey(&mut self, new: &Passkey) -> Result<bool, StoreError> {
        let stored: Option<String> = on!(self.0, c => sqlx::query_scalar(INSERT)
            .bind(new.id.to_string()).bind(new.person.to_string()).bind(&new.credential_id)
            .bind(&new.public_key).bind(i64::from(new.sign_count)).bind(new.backup_eligible)
            .bind(new.backed_up).bind(new.aaguid.to_vec()).bind(to_json(&new.transports)).bind(&new.name)
            .bind(new.created_at.as_millisecond()).fetch_optional(c).await)?;
        Ok(stored.is_some())
    }

    /// Notes a sign-in; `false` if the passkey is gone, or its counter did not rise.
    pub async fn use_passkey(
        &mut self,
        id: PasskeyId,
        sign_count: u32,
        backed_up: bool,
        at: Timestamp,
    ) -> Result<bool, StoreError> {
        let used: Option<String> = on!(self.0, c => sqlx::query_scalar(USED)
            .bind(id.to_string()).bind(i64::from(sign_count)).bind(backed_up).bind(at.as_millisecond())
            .fetch_optional(c).await)?;
        Ok(used.is_some())
    }

    /// Gives a person's passkey another name; `false` if there is none.
    pub async fn rename_passkey(
        &mut self,
        person: PersonId,
        id: PasskeyId,
        name: &str,
    ) -> Result<bool, StoreError> {
        let renamed: Option<String> = on!(self.0, c => sqlx::query_scalar(RENAME)
            .bind(id.to_string()).bind(person.to_string()).bind(name).fetch_optional(c).await)?;
        Ok(renamed.is_some())
    }

    /// Removes a person's passkey and gives its name.
    pub async fn delete_passkey(
        &mut self,
        person: PersonId,
        id: PasskeyId,
    ) -> Result<Option<String>, StoreError> {
        let name: Option<String> = on!(self.0, c => sqlx::query_scalar(DELETE)
            .bind(id.to_string()).bind(person.to_string()).fetch_optional(c).await)?;
        Ok(name)
    }

    /// Stores a challenge.
    pub async fn insert_challenge(
        &mut self,
        challenge: [u8; 32],
        browser: [u8; 32],
        purpose: ChallengePurpose,
        person: Option<PersonId>,
        expires_at: Timestamp,
    ) -> Result<(), StoreError> {
        on!(self.0, c => sqlx::query(CHALLENGE)
            .bind(challenge.to_vec()).bind(browser.to_vec()).bind(purpose.name())
            .bind(person.map(|id| id.to_string())).bind(expires_at.as_millisecond())
            .execute(c).await.map(drop))?;
        Ok(())
    }

    /// Takes a challenge, and whom it is about; none if it is over, taken, another browser's, or for
    /// something else.
    pub async fn take_challenge(
        &mut self,
        challenge: [u8; 32],
        browser: [u8; 32],
        purpose: ChallengePurpose,
        now: Timestamp,
    ) -> Result<Option<Option<PersonId>>, StoreError> {
        let taken: Option<(Vec<u8>, Option<String>)> = on!(self.0, c => sqlx::query_as(TAKE)
            .bind(challenge.to_vec()).bind(browser.to_vec()).bind(purpose.name())
            .bind(now.as_millisecond()).fetch_optional(c).await)?;
        taken
            .map(|(_, person)| parsed_opt("passkey_challenges", "person_id", "", person.as_deref()))
            .transpose()
    }

    /// Forgets challenges that are over.
    pub async fn prune_challenges(&mut self, now: Timestamp) -> Result<(), StoreError> {
        on!(self.0, c => sqlx::query(PRUNE).bind(now.as_millisecond()).execute(c).await.map(drop))?;
        Ok(())
    }
}
