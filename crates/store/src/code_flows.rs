//! One-time codes that were sent by e-mail: asked for, proved, used. Each step happens once, on whichever
//! node, because a row is changed only where the step before was the last.

use hallpass_core::id::{FlowId, PersonId};
use jiff::Timestamp;

use crate::conn::{Conn, Tx, on};
use crate::error::StoreError;
use crate::row::{parsed, parsed_opt};

const INSERT: &str =
    "INSERT INTO code_flows (id, browser, purpose, email, person_id, code_mac, attempts, expires_at)
     VALUES ($1, $2, $3, $4, $5, $6, 0, $7)";
const TRY: &str = "UPDATE code_flows SET attempts = attempts + 1
     WHERE id = $1 AND browser = $2 AND proved_at IS NULL AND attempts < $3 AND expires_at > $4
     RETURNING purpose, email, person_id, code_mac, attempts";
const PROVE: &str = "UPDATE code_flows SET proved_at = $2, expires_at = $3
     WHERE id = $1 AND proved_at IS NULL RETURNING id";
const FIND_PROVED: &str = "SELECT purpose, email, person_id, code_mac, attempts FROM code_flows
     WHERE id = $1 AND browser = $2 AND proved_at IS NOT NULL AND used_at IS NULL AND expires_at > $3";
const USE: &str = "UPDATE code_flows SET used_at = $4
     WHERE id = $1 AND browser = $2 AND purpose = $3 AND proved_at IS NOT NULL AND used_at IS NULL
       AND expires_at > $4
     RETURNING email";
const PRUNE: &str = "DELETE FROM code_flows WHERE expires_at <= $1";

pub(crate) const ALL: &[&str] = &[INSERT, TRY, PROVE, FIND_PROVED, USE, PRUNE];

/// What a code is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FlowPurpose {
    /// To sign in or up.
    SignIn,
    /// To choose a new password.
    Reset,
    /// To prove another address.
    Address,
}

impl FlowPurpose {
    const fn name(self) -> &'static str {
        match self {
            Self::SignIn => "sign_in",
            Self::Reset => "reset",
            Self::Address => "address",
        }
    }
}

impl std::str::FromStr for FlowPurpose {
    type Err = ();
    fn from_str(text: &str) -> Result<Self, ()> {
        [Self::SignIn, Self::Reset, Self::Address].into_iter().find(|one| one.name() == text).ok_or(())
    }
}

/// A flow to be stored.
#[derive(Clone, Debug)]
pub struct NewFlow {
    /// Its id.
    pub id: FlowId,
    /// Whose it is: the hash of the browser's cookie.
    pub browser: [u8; 32],
    /// What for.
    pub purpose: FlowPurpose,
    /// Where the code goes.
    pub email: String,
    /// Who asks, if they are signed in.
    pub person: Option<PersonId>,
    /// What proves the code.
    pub code_mac: [u8; 32],
    /// When the code is over.
    pub expires_at: Timestamp,
}

/// A flow as found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Flow {
    /// What for.
    pub purpose: FlowPurpose,
    /// Where the code went.
    pub email: String,
    /// Who asked, if they were signed in.
    pub person: Option<PersonId>,
    /// What proves the code.
    pub code_mac: Vec<u8>,
    /// How often a code was tried, this time included.
    pub attempts: i64,
}

type Row = (String, String, Option<String>, Vec<u8>, i64);

fn flow(id: FlowId, (purpose, email, person, code_mac, attempts): Row) -> Result<Flow, StoreError> {
    let id = id.to_string();
    Ok(Flow {
        purpose: parsed("code_flows", "purpose", &id, &purpose)?,
        person: parsed_opt("code_flows", "person_id", &id, person.as_deref())?,
        email,
        code_mac,
        attempts,
    })
}

impl Conn {
    /// A flow that was proved in this browser and waits to be used.
    pub async fn find_proved_flow(
        &mut self,
        id: FlowId,
        browser: [u8; 32],
        now: Timestamp,
    ) -> Result<Option<Flow>, StoreError> {
        let row: Option<Row> = on!(self, c => sqlx::query_as(FIND_PROVED)
            .bind(id.to_string()).bind(browser.to_vec()).bind(now.as_millisecond())
            .fetch_optional(c).await)?;
        row.map(|row| flow(id, row)).transpose()
    }
}

impl Tx {
    /// Stores a flow.
    pub async fn insert_flow(&mut self, new: &NewFlow) -> Result<(), StoreError> {
        on!(self.0, c => sqlx::query(INSERT)
            .bind(new.id.to_string()).bind(new.browser.to_vec()).bind(new.purpose.name()).bind(&new.email)
            .bind(new.person.map(|id| id.to_string())).bind(new.code_mac.to_vec())
            .bind(new.expires_at.as_millisecond()).execute(c).await.map(drop))?;
        Ok(())
    }

    /// Counts an attempt at a flow's code and gives what it must match; none if the flow is over, another
    /// browser's, or was tried `most` times.
    pub async fn try_flow(
        &mut self,
        id: FlowId,
        browser: [u8; 32],
        most: i64,
        now: Timestamp,
    ) -> Result<Option<Flow>, StoreError> {
        let row: Option<Row> = on!(self.0, c => sqlx::query_as(TRY)
            .bind(id.to_string()).bind(browser.to_vec()).bind(most).bind(now.as_millisecond())
            .fetch_optional(c).await)?;
        row.map(|row| flow(id, row)).transpose()
    }

    /// Marks a flow as proved, to be used until `expires_at`; `false` if it was.
    pub async fn prove_flow(
        &mut self,
        id: FlowId,
        now: Timestamp,
        expires_at: Timestamp,
    ) -> Result<bool, StoreError> {
        let proved: Option<String> = on!(self.0, c => sqlx::query_scalar(PROVE)
            .bind(id.to_string()).bind(now.as_millisecond()).bind(expires_at.as_millisecond())
            .fetch_optional(c).await)?;
        Ok(proved.is_some())
    }

    /// Uses up a proved flow and gives its address; none if it is over, used, or another browser's.
    pub async fn use_flow(
        &mut self,
        id: FlowId,
        browser: [u8; 32],
        purpose: FlowPurpose,
        now: Timestamp,
    ) -> Result<Option<String>, StoreError> {
        let email: Option<String> = on!(self.0, c => sqlx::query_scalar(USE)
            .bind(id.to_string()).bind(browser.to_vec()).bind(purpose.name()).bind(now.as_millisecond())
            .fetch_optional(c).await)?;
        Ok(email)
    }

    /// Forgets flows that are over.
    pub async fn prune_flows(&mut self, now: Timestamp) -> Result<(), StoreError> {
        on!(self.0, c => sqlx::query(PRUNE).bind(now.as_millisecond()).execute(c).await.map(drop))?;
        Ok(())
    }
}
