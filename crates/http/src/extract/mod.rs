//! From headers, paths, queries and bodies to values; every failure is a clear 4xx.

mod auth;
mod body;
mod object;
mod patch;
mod path;
mod query;
mod strict;

pub(crate) use auth::Authed;
pub(crate) use body::{JsonBody, parse as parse_body, read as read_body};
pub(crate) use object::Object;
pub(crate) use patch::Patch;
pub(crate) use path::{Param, Params2};
pub(crate) use query::Query;

use std::str::FromStr;

use hallpass_core::content;
use hallpass_core::id::CompanyId;

use crate::error::{ApiError, Code};

/// A required parameter.
pub(crate) fn required<T>(param: &str, value: Option<T>) -> Result<T, ApiError> {
    value.ok_or_else(|| ApiError {
        param: Some(param.to_owned()),
        ..ApiError::new(Code::ParameterMissing, format!("{param} is required"))
    })
}

/// An id of the right kind.
pub(crate) fn id<T: FromStr>(param: &str, text: &str) -> Result<T, ApiError>
where
    T::Err: std::fmt::Display,
{
    text.parse().map_err(|error| ApiError::invalid(param, format!("{param} is {error}")))
}

/// An id that may be absent.
pub(crate) fn id_opt<T: FromStr>(param: &str, text: Option<&str>) -> Result<Option<T>, ApiError>
where
    T::Err: std::fmt::Display,
{
    text.map(|text| id(param, text)).transpose()
}

/// `company_id` and `account_id` are the same input; given both and different: an error.
pub(crate) fn company(
    names: [&str; 2],
    company: Option<&str>,
    account: Option<&str>,
) -> Result<Option<CompanyId>, ApiError> {
    match (company, account) {
        (Some(company), Some(account)) if company != account => Err(ApiError::invalid(
            names[1],
            format!("{} and {} are the same parameter and differ", names[0], names[1]),
        )),
        (Some(company), _) => id(names[0], company).map(Some),
        (None, Some(account)) => id(names[1], account).map(Some),
        (None, None) => Ok(None),
    }
}

/// A text of at most `max` characters, not blank.
pub(crate) fn text(param: &str, text: &str, max: usize) -> Result<String, ApiError> {
    if content::is_blank(text) {
        return Err(ApiError::unprocessable("blank", param, format!("{param} must not be blank")));
    }
    bounded(param, text, max)
}

/// A text of at most `max` characters.
pub(crate) fn bounded(param: &str, text: &str, max: usize) -> Result<String, ApiError> {
    if text.chars().count() > max {
        return Err(ApiError::unprocessable(
            "too_long",
            param,
            format!("{param} is longer than {max} characters"),
        ));
    }
    Ok(text.to_owned())
}

pub(crate) use query::time;
