//! The authority log: what narrowed or changed rights, numbered in commit order.

use hallpass_core::authority::{Change, Entry};
use jiff::Timestamp;

use crate::conn::{Conn, Inner, Tx, on};
use crate::dialect::postgres;
use crate::error::StoreError;

const NEXT: &str = "UPDATE authority_head SET n = n + 1 WHERE id = 1 RETURNING n";
const INSERT: &str =
    "INSERT INTO authority_log (n, kind, subject, scope, kills, at) VALUES ($1, $2, $3, $4, $5, $6)";
const LEAP: &str =
    "UPDATE authority_head SET n = CASE WHEN n < $1 THEN $1 ELSE n + 1 END WHERE id = 1 RETURNING n";
const HEAD: &str = "SELECT n, pruned FROM authority_head WHERE id = 1";
const SINCE: &str =
    "SELECT n, kind, subject, scope, kills FROM authority_log WHERE n > $1 ORDER BY n LIMIT 1000";
const KILLS: &str = "SELECT n, kind, subject, scope, kills FROM authority_log WHERE kills ORDER BY n";
// The old end only: entries of different nodes' clocks may interleave, and a hole in the middle would
// look like an entry that is missing. Never the newest one: by it readers see that the log is still theirs.
const NOTE_PRUNED: &str = "UPDATE authority_head SET pruned = COALESCE((SELECT MAX(l.n) FROM authority_log l
         WHERE l.n < COALESCE((SELECT k.n FROM authority_log k WHERE k.at >= $1 ORDER BY k.n LIMIT 1), $2)
         AND l.n < $2), pruned)
     WHERE id = 1 RETURNING pruned";
const PRUNE: &str = "DELETE FROM authority_log WHERE n <= $1";

/// The most entries that one read of the log returns.
pub const AUTHORITY_PAGE: usize = 1000;

pub(crate) const ALL: &[&str] = &[NEXT, LEAP, INSERT, HEAD, SINCE, KILLS, NOTE_PRUNED, PRUNE];

/// Where the log stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// The newest number.
    pub n: u64,
    /// The newest number that is not kept any more; 0 if all are.
    pub pruned: u64,
}

#[derive(sqlx::FromRow)]
struct EntryRow {
    n: i64,
    kind: String,
    subject: String,
    scope: String,
    kills: bool,
}

impl TryFrom<EntryRow> for Entry {
    type Error = StoreError;
    fn try_from(row: EntryRow) -> Result<Self, StoreError> {
        let corrupt = |column| StoreError::Corrupt { table: "authority_log", column, id: row.n.to_string() };
        Ok(Self {
            n: u64::try_from(row.n).map_err(|_| corrupt("n"))?,
            change: Change::parse(&row.kind, &row.subject, &row.scope).map_err(|_| corrupt("kind"))?,
            kills: row.kills,
        })
    }
}

fn number(n: i64) -> Result<u64, StoreError> {
    u64::try_from(n).map_err(|_| StoreError::Corrupt {
        table: "authority_head",
        column: "n",
        id: n.to_string(),
    })
}

impl Conn {
    /// Where the log stands.
    pub async fn authority_head(&mut self) -> Result<Head, StoreError> {
        let (n, pruned): (i64, i64) = on!(self, c => sqlx::query_as(HEAD).fetch_one(c).await)?;
        Ok(Head { n: number(n)?, pruned: number(pruned)? })
    }

    /// The next entries after `n`, oldest first, at most 1,000.
    pub async fn list_authority_since(&mut self, n: u64) -> Result<Vec<Entry>, StoreError> {
        let n = i64::try_from(n).unwrap_or(i64::MAX);
        let rows: Vec<EntryRow> = on!(self, c => sqlx::query_as(SINCE).bind(n).fetch_all(c).await)?;
        rows.into_iter().map(Entry::try_from).collect()
    }

    /// Every entry still kept that kills tokens.
    pub async fn list_authority_kills(&mut self) -> Result<Vec<Entry>, StoreError> {
        let rows: Vec<EntryRow> = on!(self, c => sqlx::query_as(KILLS).fetch_all(c).await)?;
        rows.into_iter().map(Entry::try_from).collect()
    }
}

/// [`Conn::list_authority_since`] on a connection without a thread in between.
pub(crate) fn list_since(conn: &rusqlite::Connection, n: u64) -> Result<Vec<Entry>, StoreError> {
    let mut statement = conn.prepare_cached(SINCE)?;
    let mut rows = statement.query((i64::try_from(n).unwrap_or(i64::MAX),))?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let row = EntryRow {
            n: row.get(0)?,
            kind: row.get(1)?,
            subject: row.get(2)?,
            scope: row.get(3)?,
            kills: row.get(4)?,
        };
        found.push(row.try_into()?);
    }
    Ok(found)
}

impl Tx {
    /// From here to the commit nobody appends to the log: what it says stays the last word on what this
    /// transaction writes. To be taken before any row that an appender holds, or two wait on each other.
    pub async fn hold_authority(&mut self) -> Result<(), StoreError> {
        // SQLite writes one transaction at a time anyway.
        if let Inner::Postgres(conn) = &mut self.0.0 {
            sqlx::query(postgres::HOLD_AUTHORITY).execute(&mut **conn).await?;
        }
        Ok(())
    }

    /// Appends an entry. From here to the commit no other transaction can append: numbers are
    /// visible in order.
    pub async fn insert_authority(
        &mut self,
        change: &Change,
        kills: bool,
        at: Timestamp,
    ) -> Result<u64, StoreError> {
        self.move_authority().await?;
        let n: i64 = on!(self.0, c => sqlx::query_scalar(NEXT).fetch_one(c).await)?;
        self.append_authority(n, change, kills, at).await
    }

    /// Appends an entry whose number is at least `n`, so that it and all that follow are newer than
    /// whatever was issued under smaller numbers.
    pub async fn leap_authority(&mut self, n: u64, at: Timestamp) -> Result<u64, StoreError> {
        self.move_authority().await?;
        let n = i64::try_from(n).unwrap_or(i64::MAX);
        let n: i64 = on!(self.0, c => sqlx::query_scalar(LEAP).bind(n).fetch_one(c).await)?;
        self.append_authority(n, &Change::Leap, false, at).await
    }

    async fn move_authority(&mut self) -> Result<(), StoreError> {
        if let Inner::Postgres(conn) = &mut self.0.0 {
            sqlx::query(postgres::MOVE_AUTHORITY).execute(&mut **conn).await?;
        }
        Ok(())
    }

    async fn append_authority(
        &mut self,
        n: i64,
        change: &Change,
        kills: bool,
        at: Timestamp,
    ) -> Result<u64, StoreError> {
        let (subject, scope) = change.parts();
        on!(self.0, c => sqlx::query(INSERT)
            .bind(n).bind(change.kind()).bind(subject).bind(scope).bind(kills).bind(at.as_millisecond())
            .execute(c).await.map(drop))?;
        number(n)
    }

    /// Forgets the entries before the first one that is from `before` or later, but never the newest.
    pub async fn prune_authority(&mut self, before: Timestamp) -> Result<(), StoreError> {
        let head = self.authority_head().await?.n;
        let head = i64::try_from(head).unwrap_or(i64::MAX);
        let pruned: i64 = on!(self.0, c => sqlx::query_scalar(NOTE_PRUNED)
            .bind(before.as_millisecond()).bind(head).fetch_one(c).await)?;
        on!(self.0, c => sqlx::query(PRUNE).bind(pruned).execute(c).await.map(drop))?;
        Ok(())
    }
}
