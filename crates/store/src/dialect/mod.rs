//! What truly differs between the engines: lists as parameters, set-based inserts.
//!
//! Both take a list as one JSON text; they unfold it with functions of different names.

/// The distinct texts of the JSON array that is parameter `$n`, as rows `(id)`.
macro_rules! sqlite_texts {
    ($n:literal) => {
        concat!("(SELECT DISTINCT value AS id FROM json_each(", $n, "))")
    };
}
/// The distinct texts of the JSON array that is parameter `$n`, as rows `(id)`.
macro_rules! postgres_texts {
    ($n:literal) => {
        concat!("(SELECT DISTINCT value AS id FROM jsonb_array_elements_text(", $n, "::jsonb))")
    };
}

/// Whether experience `e` is among the ids of the JSON array `$ids`, if `$only`; else, whether it is not.
macro_rules! sqlite_parts {
    ($only:literal, $ids:literal) => {
        concat!($only, " = (e.id IN (SELECT value FROM json_each(", $ids, ")))")
    };
}
/// The same.
macro_rules! postgres_parts {
    ($only:literal, $ids:literal) => {
        concat!($only, " = (e.id IN (SELECT jsonb_array_elements_text(", $ids, "::jsonb)))")
    };
}

// $2 is the viewer, or '' for those who see private ones too.
macro_rules! chats {
    () => {
        "SELECT c.id, c.experience_id, e.is_public
         FROM channels c JOIN experiences e ON e.id = c.experience_id
         WHERE c.company_id = $1 AND e.deleted_at IS NULL
           AND ($2 = '' OR e.is_public OR EXISTS (SELECT 1 FROM experience_members x
                                                  WHERE x.experience_id = e.id AND x.user_id = $2))
           AND "
    };
}

pub(crate) use {chats, postgres_parts, postgres_texts, sqlite_parts, sqlite_texts};

pub(crate) mod postgres;
pub(crate) mod sqlite;
