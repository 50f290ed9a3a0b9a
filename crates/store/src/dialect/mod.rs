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
pub(crate) use {postgres_texts, sqlite_texts};

pub(crate) mod postgres;
pub(crate) mod sqlite;
