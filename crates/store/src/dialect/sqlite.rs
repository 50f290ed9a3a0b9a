//! The SQLite spellings.

use crate::messages::message_columns;

pub(crate) const BUMP_HEADS: &str = "UPDATE channel_heads SET position = position + j.k, seq = seq + j.k
     FROM (SELECT value ->> 0 AS c, value ->> 1 AS k FROM json_each($1)) AS j
     WHERE channel_id = j.c RETURNING channel_id, position, seq";

pub(crate) const TALLIES: &str = concat!(
    "SELECT c.message_id, c.mark, c.count, c.first_at FROM ",
    super::sqlite_texts!("$1"),
    " AS wanted CROSS JOIN reaction_counts c ON c.message_id = wanted.id"
);
pub(crate) const TOUCH_FEEDS: &str = "UPDATE feeds SET
         last_message_at = MAX(COALESCE(last_message_at, j.at), j.at), active_at = MAX(active_at, j.at),
         resolved_at = CASE WHEN j.reopens THEN NULL ELSE resolved_at END,
         is_open = CASE WHEN j.reopens THEN 1 ELSE is_open END
     FROM (SELECT value ->> 0 AS c, value ->> 1 AS at, value ->> 2 AS reopens FROM json_each($1)) AS j
     WHERE id = j.c AND deleted_at IS NULL";
pub(crate) const TOUCH_SEATS: &str = "UPDATE feed_members SET active_at = MAX(active_at, j.at)
     FROM (SELECT value ->> 0 AS c, value ->> 1 AS at FROM json_each($1)) AS j WHERE feed_id = j.c";
pub(crate) const LIST_FILES: &str = concat!(
    "SELECT ",
    crate::files::file_columns!(),
    " FROM ",
    super::sqlite_texts!("$1"),
    " AS wanted JOIN files f ON f.id = wanted.id"
);

pub(crate) const CHATS: &str = concat!(
    super::chats!(),
    super::sqlite_parts!("$4", "$5"),
    " ORDER BY c.created_at DESC, c.id DESC LIMIT $3"
);
pub(crate) const INSERT_DOCS: &str = "INSERT INTO search_docs (n, message_id)
     SELECT value ->> 0, value ->> 1 FROM json_each($1) WHERE TRUE ON CONFLICT DO NOTHING";
pub(crate) const INDEX: &str =
    "INSERT INTO search_index (rowid, terms) SELECT value ->> 0, value ->> 1 FROM json_each($1)";
pub(crate) const UNINDEX: &str = "DELETE FROM search_index WHERE rowid IN (SELECT value FROM json_each($1))";
pub(crate) const DELETE_DOCS: &str = "DELETE FROM search_docs WHERE n IN (SELECT value FROM json_each($1))";
macro_rules! search {
    ($beyond:literal, $direction:literal) => {
        concat!(
            "SELECT d.n, d.message_id FROM search_index CROSS JOIN search_docs d ON d.n = search_index.rowid
             WHERE search_index MATCH $1 AND search_index.rowid ",
            $beyond,
            " $2 ORDER BY search_index.rowid ",
            $direction,
            " LIMIT $3"
        )
    };
}
pub(crate) const SEARCH_DOWN: &str = search!("<", "DESC");
pub(crate) const SEARCH_UP: &str = search!(">", "ASC");

/// Whether a migration ever ran.
pub(crate) const IS_BEGUN: &str =
    "SELECT EXISTS (SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = '_sqlx_migrations')";

pub(crate) const MESSAGES_OF_EVENTS: &str = concat!(
    "WITH wanted AS (SELECT value ->> 0 AS c, value ->> 1 AS a, value ->> 2 AS b FROM json_each($1))
     SELECT e.channel_id, e.seq, ",
    message_columns!(),
    " FROM wanted CROSS JOIN events e ON e.channel_id = wanted.c AND e.seq BETWEEN wanted.a AND wanted.b
     CROSS JOIN messages m ON m.id = e.subject AND m.deleted_at IS NULL"
);
pub(crate) const DELETE_RUNS: &str = "DELETE FROM webhook_runs WHERE n IN (SELECT value FROM json_each($1))";
pub(crate) const PUT_DELIVERIES: &str =
    "INSERT INTO webhook_deliveries (webhook_id, created_at, id, event, company_id, channel_id, seq, subject,
         state, attempts, status, error, attempted_at, next_at)
     SELECT $1, value ->> '$[0][0]', value ->> '$[0][1]', value ->> '$[0][2]', value ->> '$[0][3]',
         value ->> '$[1][0]', value ->> '$[1][1]', value ->> '$[1][2]', value ->> '$[1][3]',
         value ->> '$[2][0]', value ->> '$[2][1]', value ->> '$[2][2]',
         value ->> '$[3][0]', value ->> '$[3][1]'
     FROM json_each($2) WHERE TRUE
     ON CONFLICT (webhook_id, created_at, id) DO UPDATE SET state = excluded.state,
         attempts = excluded.attempts, status = excluded.status, error = excluded.error,
         attempted_at = excluded.attempted_at, next_at = excluded.next_at";

pub(crate) const ALL: &[&str] = &[
    BUMP_HEADS,
    TALLIES,
    LIST_FILES,
    TOUCH_FEEDS,
    TOUCH_SEATS,
    CHATS,
    INSERT_DOCS,
    INDEX,
    UNINDEX,
    DELETE_DOCS,
    SEARCH_DOWN,
    SEARCH_UP,
    IS_BEGUN,
    MESSAGES_OF_EVENTS,
    DELETE_RUNS,
    PUT_DELIVERIES,
];
