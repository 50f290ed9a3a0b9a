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

pub(crate) const ALL: &[&str] = &[BUMP_HEADS];
