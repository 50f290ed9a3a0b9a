//! Query strings: bracket arrays, empty means absent, a parameter twice is an error.

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use hallpass_app::{Direction, PageAsk};
use hallpass_core::id::CompanyId;
use jiff::Timestamp;
use percent_encoding::percent_decode_str;

use crate::error::{ApiError, Code};
use crate::state::Http;

/// The most items of an array parameter.
const MAX_ITEMS: usize = 100;

/// A query string, taken apart.
#[derive(Default)]
pub(crate) struct Query(Vec<(String, String)>);

impl FromRequestParts<Http> for Query {
    type Rejection = ApiError;
    async fn from_request_parts(parts: &mut Parts, _: &Http) -> Result<Self, ApiError> {
        Self::parse(parts.uri.query().unwrap_or_default())
    }
}

/// Decodes a text of the parameter `name`.
fn decode(name: &str, text: &str) -> Result<String, ApiError> {
    let spaced = text.replace('+', " ");
    let decoded = percent_decode_str(&spaced)
        .decode_utf8()
        .map_err(|_| ApiError::invalid(name, format!("{name} is not UTF-8")))?;
    if decoded.contains('\0') {
        let message = format!("{name} contains a NUL character");
        return Err(ApiError::unprocessable("nul_character", name, message));
    }
    Ok(decoded.into_owned())
}

impl Query {
    /// Takes a query string apart; a fuzz target.
    pub(crate) fn parse(query: &str) -> Result<Self, ApiError> {
        query
            .split('&')
            .filter(|pair| !pair.is_empty())
            .map(|pair| {
                let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
                let key = decode("query", key)?;
                let value = decode(key.trim_end_matches("[]"), value)?;
                Ok((key, value))
            })
            .collect::<Result<_, _>>()
            .map(Self)
    }

    /// All names and values, in order.
    pub(crate) fn pairs(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// Checks that no name comes twice, whatever its values.
    pub(crate) fn once_each(&self) -> Result<(), ApiError> {
        let mut names: Vec<&str> = self.pairs().map(|(name, _)| name).collect();
        names.sort_unstable();
        match names.windows(2).find(|pair| pair[0] == pair[1]) {
            Some(_) => Err(ApiError::new(Code::ParameterInvalid, "a field is given more than once")),
            None => Ok(()),
        }
    }

    /// One value; an empty one is none.
    pub(crate) fn one(&self, name: &str) -> Result<Option<&str>, ApiError> {
        let mut values = self.0.iter().filter(|(key, _)| key == name).map(|(_, value)| value.as_str());
        let first = values.next();
        if values.any(|other| Some(other) != first) {
            return Err(ApiError::invalid(name, format!("{name} is given more than once")));
        }
        Ok(first.filter(|value| !value.is_empty()))
    }

    /// Values of `name[]=a&name[]=b`, of `name=a&name=b`, or of `name=a,b`.
    pub(crate) fn many(&self, name: &str) -> Result<Vec<&str>, ApiError> {
        let bracketed = format!("{name}[]");
        let values: Vec<&str> = self
            .0
            .iter()
            .filter(|(key, _)| *key == bracketed || key == name)
            .flat_map(|(_, value)| value.split(','))
            .filter(|value| !value.is_empty())
            .collect();
        if values.len() > MAX_ITEMS {
            return Err(ApiError::invalid(name, format!("{name} has more than {MAX_ITEMS} items")));
        }
        Ok(values)
    }

    /// A whole number.
    pub(crate) fn integer(&self, name: &str) -> Result<Option<i64>, ApiError> {
        self.one(name)?
            .map(|text| {
                text.parse().map_err(|_| ApiError::invalid(name, format!("{name} is not a whole number")))
            })
            .transpose()
    }

    /// A time, ISO 8601.
    pub(crate) fn time(&self, name: &str) -> Result<Option<Timestamp>, ApiError> {
        self.one(name)?.map(|text| time(name, text)).transpose()
    }

    /// One of a few words.
    pub(crate) fn word<'q>(&'q self, name: &str, known: &[&str]) -> Result<Option<&'q str>, ApiError> {
        match self.one(name)? {
            Some(word) if !known.contains(&word) => {
                Err(ApiError::invalid(name, format!("{name} is one of {}", known.join(", "))))
            }
            word => Ok(word),
        }
    }

    /// An id.
    pub(crate) fn id<T: std::str::FromStr>(&self, name: &str) -> Result<Option<T>, ApiError>
    where
        T::Err: std::fmt::Display,
    {
        super::id_opt(name, self.one(name)?)
    }

    /// `company_id` or `account_id`.
    pub(crate) fn company(&self) -> Result<Option<CompanyId>, ApiError> {
        super::company(["company_id", "account_id"], self.one("company_id")?, self.one("account_id")?)
    }

    /// `parent_company_id` or `parent_account_id`.
    pub(crate) fn parent(&self) -> Result<Option<CompanyId>, ApiError> {
        super::company(
            ["parent_company_id", "parent_account_id"],
            self.one("parent_company_id")?,
            self.one("parent_account_id")?,
        )
    }

    /// `first`, `after`, `last`, `before`, `direction`.
    pub(crate) fn page(&self) -> Result<PageAsk, ApiError> {
        Ok(PageAsk {
            first: self.integer("first")?,
            after: self.one("after")?.map(str::to_owned),
            last: self.integer("last")?,
            before: self.one("before")?.map(str::to_owned),
            direction: self.word("direction", &["asc", "desc"])?.map(|way| match way {
                "asc" => Direction::Asc,
                _ => Direction::Desc,
            }),
        })
    }
}

/// A time, ISO 8601; also a date alone, which is its midnight, UTC.
pub(crate) fn time(name: &str, text: &str) -> Result<Timestamp, ApiError> {
    let parsed = text.parse::<Timestamp>().or_else(|_| format!("{text}T00:00:00Z").parse::<Timestamp>());
    parsed.map_err(|_| ApiError::invalid(name, format!("{name} is not an ISO 8601 date-time")))
}
