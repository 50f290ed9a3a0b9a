//! The PostgreSQL spellings.

use crate::messages::message_columns;

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
pub(crate) const LIST_FILES: &str = concat!(
    "SELECT ",
    crate::files::file_columns!(),
    " FROM ",
    super::postgres_texts!("$1"),
    " AS wanted JOIN files f ON f.id = wanted.id"
);

pub(crate) const CHATS: &str = concat!(
    super::chats!(),
    super::postgres_parts!("$4", "$5"),
    " ORDER BY c.created_at DESC, c.id DESC LIMIT $3"
);
pub(crate) const INSERT_DOCS: &str = "INSERT INTO search_docs (n, message_id)
     SELECT (value ->> 0)::bigint, value ->> 1 FROM jsonb_array_elements($1::jsonb) ON CONFLICT DO NOTHING";
pub(crate) const INDEX: &str = "INSERT INTO search_index (n, terms)
     SELECT (value ->> 0)::bigint, (value ->> 1)::tsvector FROM jsonb_array_elements($1::jsonb)";
pub(crate) const UNINDEX: &str = "DELETE FROM search_index
     WHERE n = ANY (ARRAY(SELECT value::bigint FROM jsonb_array_elements_text($1::jsonb)))";
pub(crate) const DELETE_DOCS: &str = "DELETE FROM search_docs
     WHERE n = ANY (ARRAY(SELECT value::bigint FROM jsonb_array_elements_text($1::jsonb)))";
// An index over words has no order. What is found is sorted, and the time for it is bounded. `n + 0`,
// lest the planner reads all that is older.
macro_rules! search {
    ($beyond:literal, $direction:literal) => {
        concat!(
            "WITH hits AS MATERIALIZED (
                 SELECT n FROM search_index
                 WHERE terms @@ CAST(CAST($1 AS TEXT) AS TSQUERY) AND n + 0 ",
            $beyond,
            " $2
             ), page AS MATERIALIZED (
                 SELECT n FROM hits ORDER BY n ",
            $direction,
            " LIMIT $3
             )
             SELECT d.n, d.message_id FROM page JOIN search_docs d ON d.n = page.n ORDER BY d.n ",
            $direction
        )
    };
}
pub(crate) const SEARCH_DOWN: &str = search!("<", "DESC");
pub(crate) const SEARCH_UP: &str = search!(">", "ASC");
/// How a transaction begins that searches. Words are found by bitmaps alone; left to itself, the planner
/// reads through everything in the order that is asked for.
pub const BEGIN_SEARCH: &str = "BEGIN READ ONLY; SET LOCAL enable_bitmapscan = on;
     SET LOCAL enable_indexscan = off; SET LOCAL enable_indexonlyscan = off; SET LOCAL statement_timeout = '2s'";

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

// Nobody else touches several seats of these feeds: their heads are held.
pub(crate) const TOUCH_FEEDS: &str = "WITH j AS (
         SELECT value ->> 0 AS c, (value ->> 1)::bigint AS at, (value ->> 2)::boolean AS reopens
         FROM jsonb_array_elements($1::jsonb)
     ), r AS (
         SELECT value ->> 0 AS c, value ->> 1 AS u, (value ->> 2)::bigint AS p
         FROM jsonb_array_elements($2::jsonb)
     ), moved AS (
         UPDATE feeds f SET last_message_at = GREATEST(f.last_message_at, j.at),
             active_at = GREATEST(f.active_at, j.at),
             resolved_at = CASE WHEN j.reopens THEN NULL ELSE f.resolved_at END,
             is_open = f.is_open OR j.reopens
         FROM j WHERE f.id = j.c AND f.id = ANY (ARRAY(SELECT c FROM j)) AND f.deleted_at IS NULL
     )
     UPDATE feed_members s SET active_at = GREATEST(s.active_at, j.at),
         read_position = GREATEST(s.read_position,
             (SELECT MAX(r.p) FROM r WHERE r.c = s.feed_id AND r.u = s.user_id)),
         last_viewed_at = CASE WHEN EXISTS (SELECT 1 FROM r WHERE r.c = s.feed_id AND r.u = s.user_id)
             THEN GREATEST(s.last_viewed_at, j.at) ELSE s.last_viewed_at END
     FROM j WHERE s.feed_id = j.c AND s.feed_id = ANY (ARRAY(SELECT c FROM j))";

pub(crate) const MESSAGES_OF_EVENTS: &str = concat!(
    "WITH wanted AS (
         SELECT value ->> 0 AS c, (value ->> 1)::bigint AS a, (value ->> 2)::bigint AS b
         FROM jsonb_array_elements($1::jsonb)
     ) SELECT e.channel_id, e.seq, ",
    message_columns!(),
    " FROM wanted JOIN events e ON e.channel_id = wanted.c AND e.seq BETWEEN wanted.a AND wanted.b
     JOIN messages m ON m.id = e.subject AND m.deleted_at IS NULL"
);
pub(crate) const DELETE_RUNS: &str = "DELETE FROM webhook_runs
     WHERE n = ANY (ARRAY(SELECT value::bigint FROM jsonb_array_elements_text($1::jsonb)))";
pub(crate) const PUT_DELIVERIES: &str =
    "INSERT INTO webhook_deliveries (webhook_id, created_at, id, event, company_id, channel_id, seq, subject,
         state, attempts, status, error, attempted_at, next_at)
     SELECT $1::text, (value -> 0 ->> 0)::bigint, value -> 0 ->> 1, value -> 0 ->> 2, value -> 0 ->> 3,
         value -> 1 ->> 0, (value -> 1 ->> 1)::bigint, value -> 1 ->> 2, value -> 1 ->> 3,
         (value -> 2 ->> 0)::bigint, (value -> 2 ->> 1)::bigint, value -> 2 ->> 2,
         (value -> 3 ->> 0)::bigint, (value -> 3 ->> 1)::bigint
     FROM jsonb_array_elements($2::jsonb)
     ON CONFLICT (webhook_id, created_at, id) DO UPDATE SET state = excluded.state,
         attempts = excluded.attempts, status = excluded.status, error = excluded.error,
         attempted_at = excluded.attempted_at, next_at = excluded.next_at";

pub(crate) const ALL: &[&str] = &[
    BUMP_HEADS,
    HOLD_AUTHORITY,
    MOVE_AUTHORITY,
    INSERT_MESSAGES,
    TOUCH_FEEDS,
    TALLIES,
    LIST_FILES,
    CHATS,
    INSERT_DOCS,
    INDEX,
    UNINDEX,
    DELETE_DOCS,
    SEARCH_DOWN,
    SEARCH_UP,
    IS_BEGUN,
    CLOCK,
    MESSAGES_OF_EVENTS,
    DELETE_RUNS,
    PUT_DELIVERIES,
];
