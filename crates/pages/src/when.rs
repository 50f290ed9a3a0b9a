//! Times to read. In UTC, and saying so: a server does not know where its reader is.

use hallpass_core::locale::Locale;
use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use minijinja::value::Value;
use minijinja::{Error, ErrorKind};

use crate::words::{Part, Words, parts};

/// A day, from milliseconds since 1970, as a `<time>`.
pub(crate) fn day(locale: Locale, at: i64) -> Result<Value, Error> {
    let (at, civil) = read(at)?;
    Ok(element(&at.strftime("%Y-%m-%d").to_string(), &say(locale, "day", civil)))
}

/// A day and minute, from milliseconds since 1970, as a `<time>`.
pub(crate) fn moment(locale: Locale, at: i64) -> Result<Value, Error> {
    let (at, civil) = read(at)?;
    Ok(element(&at.strftime("%Y-%m-%dT%H:%MZ").to_string(), &say(locale, "moment", civil)))
}

fn read(at: i64) -> Result<(Timestamp, DateTime), Error> {
    let at = Timestamp::from_millisecond(at)
        .map_err(|error| Error::new(ErrorKind::InvalidOperation, error.to_string()))?;
    Ok((at, TimeZone::UTC.to_datetime(at)))
}

fn say(locale: Locale, key: &str, at: DateTime) -> String {
    let words = Words::of(locale);
    let month = usize::try_from(at.month() - 1).ok();
    let month = month.and_then(|month| words.find("months")?.split(',').nth(month)).unwrap_or_default();
    parts(words.find(key).unwrap_or_default())
        .into_iter()
        .map(|part| match part {
            Part::Text(text) => text.to_owned(),
            Part::Hole("day") => at.day().to_string(),
            Part::Hole("month") => month.to_owned(),
            Part::Hole("year") => at.year().to_string(),
            Part::Hole("time") => format!("{:02}:{:02}", at.hour(), at.minute()),
            Part::Hole(_) => String::new(),
        })
        .collect()
}

/// Both are made here, of digits and words of the catalogue.
fn element(datetime: &str, text: &str) -> Value {
    Value::from_safe_string(format!("<time datetime=\"{datetime}\">{text}</time>"))
}

/// How times are put into views.
pub(crate) fn serialize<S: serde::Serializer>(at: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_i64(at.as_millisecond())
}

/// How times that may be missing are put into views.
#[expect(clippy::ref_option, reason = "the signature is serde's")]
pub(crate) fn serialize_option<S: serde::Serializer>(
    at: &Option<Timestamp>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    match at {
        Some(at) => serializer.serialize_some(&at.as_millisecond()),
        None => serializer.serialize_none(),
    }
}
