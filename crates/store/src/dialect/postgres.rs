//! The PostgreSQL spellings.

// The rows are locked in the order of their ids before the first of them moves. `= ANY (ARRAY(…))`
// rather than a join: for a list of unknown length the planner would read the whole table.
pub(crate) const BUMP_HEADS: &str = "WITH j AS (
         SELECT value ->> 0 AS c, (value ->> 1)::bigint AS k FROM jsonb_array_elements($1::jsonb)
     ), locked AS (
         SELECT h.channel_id FROM channel_heads h WHERE h.channel_id = ANY (ARRAY(SELECT c FROM j))
         ORDER BY h.channel_id FOR UPDATE
     )
     UPDATE channel_heads h SET position = h.position + j.k, seq = h.seq + j.k
     FROM j WHERE h.channel_id = j.c AND h.channel_id = ANY (ARRAY(SELECT channel_id FROM locked))
     RETURNING h.channel_id, h.position, h.seq";

// The authority log as a lock: many may rely on what it says, or one may append. Fair in the order of
// asking, held to the end of the transaction, and of this database alone.
macro_rules! hold_authority {
    () => {
        "SELECT pg_advisory_xact_lock_shared(4702111234474983745)"
    };
}
pub(crate) const HOLD_AUTHORITY: &str = hold_authority!();
/// How a transaction begins that sends.
pub(crate) const BEGIN_APPEND: &str = concat!("BEGIN; ", hold_authority!());
pub(crate) const MOVE_AUTHORITY: &str = "SELECT pg_advisory_xact_lock(4702111234474983745)";

pub(crate) const TALLIES: &str = concat!(
    "SELECT message_id, mark, count, first_at FROM reaction_counts WHERE message_id = ANY (ARRAY",
    super::postgres_texts!("$1"),
    ")"
);

/// Whether a migration ever ran.
pub(crate) const IS_BEGUN: &str = "SELECT to_regclass('_sqlx_migrations') IS NOT NULL";

/// The server's time, in milliseconds.
pub(crate) const CLOCK: &str = "SELECT (EXTRACT(EPOCH FROM clock_timestamp()) * 1000)::bigint";

// One array a column: as many rows as there are.
pub(crate) const INSERT_MESSAGES: &str = "WITH new AS (
         SELECT * FROM unnest($1::text[], $2::bigint[], $3::bigint[], $4::text[], $5::text[], $6::text[],
             $7::text[], $8::boolean[], $9::text[], $10::text[], $11::bigint[], $12::text[],
             $13::text[])
         AS t (channel_id, position, seq, id, user_id, content, mentions, mentions_everyone, poll,
             replying_to, at, posted_by_key, attachments)
     ), logged AS (
         INSERT INTO events (channel_id, seq, kind, subject, at)
         SELECT channel_id, seq, $14, id, at FROM new
     )
     INSERT INTO messages (channel_id, position, id, user_id, content, mentions, mentions_everyone, poll,
         replying_to, created_at, updated_at, posted_by_key, attachments)
     SELECT channel_id, position, id, user_id, content, mentions, mentions_everyone, poll, replying_to, at, at,
         posted_by_key, attachments
     FROM new";

pub(crate) const ALL: &[&str] =
    &[BUMP_HEADS, HOLD_AUTHORITY, MOVE_AUTHORITY, INSERT_MESSAGES, TALLIES, IS_BEGUN, CLOCK];
