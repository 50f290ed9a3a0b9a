//! The SQLite spellings.

pub(crate) const BUMP_HEADS: &str = "UPDATE channel_heads SET position = position + j.k, seq = seq + j.k
     FROM (SELECT value ->> 0 AS c, value ->> 1 AS k FROM json_each($1)) AS j
     WHERE channel_id = j.c RETURNING channel_id, position, seq";

pub(crate) const TALLIES: &str = concat!(
    "SELECT c.message_id, c.mark, c.count, c.first_at FROM ",
    super::sqlite_texts!("$1"),
    " AS wanted CROSS JOIN reaction_counts c ON c.message_id = wanted.id"
);

/// Whether a migration ever ran.
pub(crate) const IS_BEGUN: &str =
    "SELECT EXISTS (SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = '_sqlx_migrations')";

pub(crate) const ALL: &[&str] = &[BUMP_HEADS, TALLIES, IS_BEGUN];
