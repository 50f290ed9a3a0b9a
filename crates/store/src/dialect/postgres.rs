//! The PostgreSQL spellings.

pub(crate) const BUMP_HEADS: &str = "WITH j AS (
         SELECT value ->> 0 AS c, (value ->> 1)::bigint AS k FROM jsonb_array_elements($1::jsonb)
     ), locked AS (
         SELECT h.channel_id FROM channel_heads h JOIN j ON j.c = h.channel_id
         ORDER BY h.channel_id FOR UPDATE OF h
     )
     UPDATE channel_heads h SET position = h.position + j.k, seq = h.seq + j.k
     FROM locked JOIN j ON j.c = locked.channel_id
     WHERE h.channel_id = locked.channel_id RETURNING h.channel_id, h.position, h.seq";

pub(crate) const ALL: &[&str] = &[BUMP_HEADS];
