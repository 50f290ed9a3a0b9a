//! From columns to the types of the domain.

use std::str::FromStr;

use jiff::Timestamp;

use crate::error::StoreError;

/// Parses a text column.
pub(crate) fn parsed<T: FromStr>(
    table: &'static str,
    column: &'static str,
    id: &str,
    text: &str,
) -> Result<T, StoreError> {
    text.parse().map_err(|_| StoreError::Corrupt { table, column, id: id.to_owned() })
}

/// Whether user `u` is one that a company, or its parent for it, made with an address.
macro_rules! supplied {
    ($company:literal) => {
        concat!(
            "u.home_company_id IN (",
            $company,
            ", (SELECT a.parent_id FROM companies a WHERE a.id = ",
            $company,
            "))"
        )
    };
}
pub(crate) use supplied;

/// The address of user `u` as a company may see it: supplied for it, or the first of those proved by the
/// person whose own user this is, while they are enrolled. What does not resolve there is not shown there.
macro_rules! address {
    ($company:literal, $enrolled:literal) => {
        concat!(
            "CASE WHEN ",
            $crate::row::supplied!($company),
            " THEN u.email WHEN u.home_company_id IS NULL AND ",
            $enrolled,
            " THEN
                 (SELECT e.email FROM person_emails e
                  WHERE e.person_id = u.person_id AND e.verified_at IS NOT NULL
                  ORDER BY e.verified_at, e.email_key LIMIT 1) END AS email"
        )
    };
}
pub(crate) use address;

/// Parses a text column that may be null.
pub(crate) fn parsed_opt<T: FromStr>(
    table: &'static str,
    column: &'static str,
    id: &str,
    text: Option<&str>,
) -> Result<Option<T>, StoreError> {
    text.map(|text| parsed(table, column, id, text)).transpose()
}

/// Reads a JSON column.
pub(crate) fn json<T: serde::de::DeserializeOwned>(
    table: &'static str,
    column: &'static str,
    id: &str,
    text: &str,
) -> Result<T, StoreError> {
    serde_json::from_str(text).map_err(|_| StoreError::Corrupt { table, column, id: id.to_owned() })
}

/// Writes a JSON column.
pub(crate) fn to_json<T: serde::Serialize + ?Sized>(value: &T) -> String {
    serde_json::to_string(value).expect("the rows' types serialise: string keys, no failing impls")
}

/// What finds a text inside a `…_key` column with `LIKE $n ESCAPE '\'`; nothing for nothing.
pub(crate) fn like_pattern(text: &str) -> String {
    if text.is_empty() {
        return String::new();
    }
    let mut pattern = String::from("%");
    for c in text.to_lowercase().chars() {
        if matches!(c, '%' | '_' | '\\') {
            pattern.push('\\');
        }
        pattern.push(c);
    }
    pattern.push('%');
    pattern
}

/// Reads a time column.
pub(crate) fn time(
    table: &'static str,
    column: &'static str,
    id: &str,
    millis: i64,
) -> Result<Timestamp, StoreError> {
    Timestamp::from_millisecond(millis).map_err(|_| StoreError::Corrupt { table, column, id: id.to_owned() })
}
