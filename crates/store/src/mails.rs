//! Letters on their way, sealed: a queue that several nodes may empty.

use hallpass_core::id::MailId;
use jiff::Timestamp;

use crate::conn::{Conn, Tx, on};
use crate::error::StoreError;
use crate::row::parsed;

const INSERT: &str = "INSERT INTO mails (id, sealed, state, attempts, next_at) VALUES ($1, $2, $3, 0, $4)";
const LIST: &str = "SELECT id, sealed, attempts FROM mails WHERE id < $1 AND state <> 'void'
     ORDER BY id DESC LIMIT $2";
// Of two nodes that choose the same, the second finds them moved on.
const CLAIM: &str = "UPDATE mails SET next_at = $2, attempts = attempts + 1
     WHERE id IN (SELECT q.id FROM mails q WHERE q.state = 'queued' AND q.next_at <= $1
                  ORDER BY q.next_at, q.id LIMIT $3)
       AND next_at <= $1
     RETURNING id, sealed, attempts";
const RETRY: &str = "UPDATE mails SET next_at = $2 WHERE id = $1";
const DELETE: &str = "DELETE FROM mails WHERE id = $1";
const PRUNE: &str = "DELETE FROM mails WHERE id < $1";

pub(crate) const ALL: &[&str] = &[INSERT, LIST, CLAIM, RETRY, DELETE, PRUNE];

/// What becomes of a letter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MailState {
    /// It is sent.
    Queued,
    /// It stays, to be looked at.
    Kept,
    /// It is nothing but the work of writing one.
    Void,
}

/// A letter as stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SealedMail {
    /// Its id.
    pub id: MailId,
    /// To whom and what, sealed.
    pub sealed: Vec<u8>,
    /// How often sending was begun.
    pub attempts: i64,
}

fn mail((id, sealed, attempts): (String, Vec<u8>, i64)) -> Result<SealedMail, StoreError> {
    Ok(SealedMail { id: parsed("mails", "id", &id, &id)?, sealed, attempts })
}

impl Conn {
    /// The newest letters, but for void ones.
    pub async fn list_mails(&mut self, limit: i64) -> Result<Vec<SealedMail>, StoreError> {
        let rows: Vec<(String, Vec<u8>, i64)> =
            // Behind every id.
            on!(self, c => sqlx::query_as(LIST).bind("mail_~").bind(limit).fetch_all(c).await)?;
        rows.into_iter().map(mail).collect()
    }
}

impl Tx {
    /// Stores a letter.
    pub async fn insert_mail(
        &mut self,
        id: MailId,
        sealed: &[u8],
        state: MailState,
        at: Timestamp,
    ) -> Result<(), StoreError> {
        let state = match state {
            MailState::Queued => "queued",
            MailState::Kept => "kept",
            MailState::Void => "void",
        };
        on!(self.0, c => sqlx::query(INSERT)
            .bind(id.to_string()).bind(sealed.to_vec()).bind(state).bind(at.as_millisecond())
            .execute(c).await.map(drop))?;
        Ok(())
    }

    /// Takes letters that are due, at most `most`, for this node alone until `leased_until`.
    pub async fn claim_mails(
        &mut self,
        now: Timestamp,
        leased_until: Timestamp,
        most: i64,
    ) -> Result<Vec<SealedMail>, StoreError> {
        let rows: Vec<(String, Vec<u8>, i64)> = on!(self.0, c => sqlx::query_as(CLAIM)
            .bind(now.as_millisecond()).bind(leased_until.as_millisecond()).bind(most)
            .fetch_all(c).await)?;
        rows.into_iter().map(mail).collect()
    }

    /// Puts a letter off.
    pub async fn retry_mail(&mut self, id: MailId, next_at: Timestamp) -> Result<(), StoreError> {
        on!(self.0, c => sqlx::query(RETRY)
            .bind(id.to_string()).bind(next_at.as_millisecond()).execute(c).await.map(drop))?;
        Ok(())
    }

    /// Forgets a letter.
    pub async fn delete_mail(&mut self, id: MailId) -> Result<(), StoreError> {
        on!(self.0, c => sqlx::query(DELETE).bind(id.to_string()).execute(c).await.map(drop))?;
        Ok(())
    }

    /// Forgets letters older than one made as `before`.
    pub async fn prune_mails(&mut self, before: MailId) -> Result<(), StoreError> {
        on!(self.0, c => sqlx::query(PRUNE).bind(before.to_string()).execute(c).await.map(drop))?;
        Ok(())
    }
}
