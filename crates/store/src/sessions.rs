//! Sessions of signed-in people. The cookie's secret is stored as its SHA-256 only.

use hallpass_core::id::{PersonId, SessionId};
use hallpass_core::session::Session;
use jiff::Timestamp;

use crate::conn::{Conn, Tx, on};
use crate::error::StoreError;
use crate::row::{json, parsed, time, to_json};

macro_rules! columns {
    () => {
        "id, person_id, auth_time, amr, user_agent, address, created_at, last_seen_at, idle_expires_at,
         expires_at"
    };
}
const TABLE: &str = "sessions";
const FIND_BY_HASH: &str = concat!(
    "SELECT ",
    columns!(),
    " FROM sessions WHERE secret_hash = $1 AND ended_at IS NULL AND idle_expires_at > $2 AND expires_at > $2"
);
// Held until the transaction ends: who ends the session waits, and then finds what was given in it.
const LOCK: &str = "UPDATE sessions SET ended_at = ended_at WHERE id = $1 AND ended_at IS NULL RETURNING id";
const LIST: &str = concat!(
    "SELECT ",
    columns!(),
    " FROM sessions WHERE person_id = $1 AND ended_at IS NULL AND idle_expires_at > $2 AND expires_at > $2
     ORDER BY created_at DESC, id DESC LIMIT $3"
);
const INSERT: &str = "INSERT INTO sessions (id, person_id, secret_hash, auth_time, amr, user_agent, address,
         created_at, last_seen_at, idle_expires_at, expires_at)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)";
const RENEW: &str = "UPDATE sessions SET secret_hash = $3, auth_time = $4, amr = $5, user_agent = $6,
         address = $7, last_seen_at = $4, idle_expires_at = $8, expires_at = $9
     WHERE id = $1 AND person_id = $2 AND ended_at IS NULL RETURNING created_at";
const TOUCH: &str = "UPDATE sessions SET last_seen_at = $2, idle_expires_at = $3, address = $4
     WHERE id = $1 AND last_seen_at < $2 AND ended_at IS NULL";
const END: &str = "UPDATE sessions SET ended_at = $3
     WHERE id = $1 AND person_id = $2 AND ended_at IS NULL RETURNING id";
const END_OTHERS: &str = "UPDATE sessions SET ended_at = $3
     WHERE person_id = $1 AND id <> $2 AND ended_at IS NULL RETURNING id";

pub(crate) const ALL: &[&str] = &[FIND_BY_HASH, LOCK, LIST, INSERT, RENEW, TOUCH, END, END_OTHERS];

#[derive(sqlx::FromRow)]
struct Row {
    id: String,
    person_id: String,
    auth_time: i64,
    amr: String,
    user_agent: String,
    address: String,
    created_at: i64,
    last_seen_at: i64,
    idle_expires_at: i64,
    expires_at: i64,
}

impl TryFrom<Row> for Session {
    type Error = StoreError;
    fn try_from(row: Row) -> Result<Self, StoreError> {
        let time = |column, at| time(TABLE, column, &row.id, at);
        Ok(Self {
            id: parsed(TABLE, "id", &row.id, &row.id)?,
            person: parsed(TABLE, "person_id", &row.id, &row.person_id)?,
            auth_time: time("auth_time", row.auth_time)?,
            amr: json(TABLE, "amr", &row.id, &row.amr)?,
            created_at: time("created_at", row.created_at)?,
            last_seen_at: time("last_seen_at", row.last_seen_at)?,
            idle_expires_at: time("idle_expires_at", row.idle_expires_at)?,
            expires_at: time("expires_at", row.expires_at)?,
            user_agent: row.user_agent,
            address: row.address,
        })
    }
}

impl Conn {
    /// The session whose secret has this hash, if it lives at `now`.
    pub async fn find_session_by_hash(
        &mut self,
        hash: &[u8; 32],
        now: Timestamp,
    ) -> Result<Option<Session>, StoreError> {
        let row: Option<Row> = on!(self, c => sqlx::query_as(FIND_BY_HASH)
            .bind(hash.to_vec()).bind(now.as_millisecond()).fetch_optional(c).await)?;
        row.map(Session::try_from).transpose()
    }

    /// A person's sessions that live at `now`, the newest first.
    pub async fn list_sessions(
        &mut self,
        person: PersonId,
        now: Timestamp,
        limit: i64,
    ) -> Result<Vec<Session>, StoreError> {
        let rows: Vec<Row> = on!(self, c => sqlx::query_as(LIST)
            .bind(person.to_string()).bind(now.as_millisecond()).bind(limit).fetch_all(c).await)?;
        rows.into_iter().map(Session::try_from).collect()
    }
}

impl Tx {
    /// Holds a session until the transaction ends; `false` if somebody ended it. It may have run out: what
    /// was made in it lives on.
    pub async fn lock_open_session(&mut self, id: SessionId) -> Result<bool, StoreError> {
        let open: Option<String> =
            on!(self.0, c => sqlx::query_scalar(LOCK).bind(id.to_string()).fetch_optional(c).await)?;
        Ok(open.is_some())
    }

    /// Stores a session.
    pub async fn insert_session(&mut self, new: &Session, hash: &[u8; 32]) -> Result<(), StoreError> {
        on!(self.0, c => sqlx::query(INSERT)
            .bind(new.id.to_string()).bind(new.person.to_string()).bind(hash.to_vec())
            .bind(new.auth_time.as_millisecond()).bind(to_json(&new.amr)).bind(&new.user_agent)
            .bind(&new.address).bind(new.created_at.as_millisecond()).bind(new.last_seen_at.as_millisecond())
            .bind(new.idle_expires_at.as_millisecond()).bind(new.expires_at.as_millisecond())
            .execute(c).await.map(drop))?;
        Ok(())
    }

    /// Gives a session of a person a new secret and a new proof of who they are; when it began, or none if it
    /// is not theirs or has ended.
    pub async fn renew_session(
        &mut self,
        new: &Session,
        hash: &[u8; 32],
    ) -> Result<Option<Timestamp>, StoreError> {
        let id = new.id.to_string();
        let began: Option<i64> = on!(self.0, c => sqlx::query_scalar(RENEW)
            .bind(id.clone()).bind(new.person.to_string()).bind(hash.to_vec())
            .bind(new.auth_time.as_millisecond()).bind(to_json(&new.amr)).bind(&new.user_agent)
            .bind(&new.address).bind(new.idle_expires_at.as_millisecond())
            .bind(new.expires_at.as_millisecond()).fetch_optional(c).await)?;
        began.map(|at| time(TABLE, "created_at", &id, at)).transpose()
    }

    /// Notes that a session was used.
    pub async fn touch_session(
        &mut self,
        id: SessionId,
        at: Timestamp,
        idle_expires_at: Timestamp,
        address: &str,
    ) -> Result<(), StoreError> {
        on!(self.0, c => sqlx::query(TOUCH)
            .bind(id.to_string()).bind(at.as_millisecond()).bind(idle_expires_at.as_millisecond())
            .bind(address).execute(c).await.map(drop))?;
        Ok(())
    }

    /// Ends a session of a person; `false` if it is not theirs or has ended.
    pub async fn end_session(
        &mut self,
        id: SessionId,
        person: PersonId,
        at: Timestamp,
    ) -> Result<bool, StoreError> {
        let ended: Option<String> = on!(self.0, c => sqlx::query_scalar(END)
            .bind(id.to_string()).bind(person.to_string()).bind(at.as_millisecond())
            .fetch_optional(c).await)?;
        Ok(ended.is_some())
    }

    /// Ends a person's sessions but `kept` (none: all); which.
    pub async fn end_other_sessions(
        &mut self,
        person: PersonId,
        kept: Option<SessionId>,
        at: Timestamp,
    ) -> Result<Vec<SessionId>, StoreError> {
        let ended: Vec<String> = on!(self.0, c => sqlx::query_scalar(END_OTHERS)
            .bind(person.to_string()).bind(kept.map_or(String::new(), |id| id.to_string()))
            .bind(at.as_millisecond()).fetch_all(c).await)?;
        ended.iter().map(|id| parsed(TABLE, "id", id, id)).collect()
    }
}
