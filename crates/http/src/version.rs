//! `Api-Version-Date`: which dialect a client speaks.

use axum::http::{HeaderMap, HeaderName};

use crate::error::{ApiError, Code};

const HEADER: HeaderName = HeaderName::from_static("api-version-date");

/// The dates of the classic dialect, which is what this server speaks.
const CLASSIC: &[&str] = &[
    "2025-01-01",
    "2026-06-08",
    "2026-06-09",
    "2026-06-20",
    "2026-07-01",
    "2026-07-08",
    "2026-07-08-1",
    "2026-07-18",
    "2026-07-20",
];

/// Dates that exist and are not served yet.
const LATER: &[&str] = &[
    "2026-07-22",
    "2026-07-23",
    "2026-07-25",
    "2026-07-26",
    "2026-07-27",
    "2026-07-29",
    "2026-07-29-1",
    "2026-07-31",
    "2026-08-03",
    "2026-08-05",
    "2026-08-05-1",
    "2026-08-10",
    "2026-08-12",
    "2026-08-13",
    "2026-08-14",
    "2026-08-21",
    "2026-08-21-1",
    "2026-08-25",
    "2026-08-25-1",
    "2026-08-25-2",
    "2026-08-31",
    "2026-09-02",
    "2026-09-02-1",
    "2026-09-02-2",
    "2026-09-04",
    "2026-09-06",
    "2026-09-09",
    "2026-09-09-1",
    "2026-09-11",
    "2026-09-11-1",
    "2026-09-13",
    "2026-09-15",
    "2026-09-22",
    "2026-09-22-1",
    "2026-09-22-2",
    "2026-09-22-3",
    "2026-09-22-4",
    "2026-09-23",
    "2026-09-24",
    "2026-09-24-1",
    "2026-09-25",
    "2026-09-28",
    "2026-09-29",
    "2026-10-05",
    "2026-10-05-1",
    "2026-10-06",
    "2026-10-06-1",
    "2026-10-06-2",
    "2026-10-07",
    "2026-10-07-1",
    "2026-10-07-2",
    "2026-10-08",
    "2026-10-09",
    "2026-10-09-1",
    "2026-10-09-2",
    "2026-10-13",
    "2026-10-13-1",
    "2026-10-14",
    "2026-10-14-1",
    "2026-10-15",
    "2026-10-15-1",
];

/// Checks the header; absent is the classic dialect.
///
/// # Errors
/// 400 that says what is known.
pub(crate) fn check(headers: &HeaderMap) -> Result<(), ApiError> {
    let mut values = headers.get_all(HEADER).iter();
    let Some(value) = values.next() else { return Ok(()) };
    let known = || format!("known versions: {}", CLASSIC.join(", "));
    let (Ok(date), None) = (value.to_str(), values.next()) else {
        return Err(ApiError::new(Code::VersionUnknown, known()));
    };
    if CLASSIC.contains(&date) {
        return Ok(());
    }
    // Suffixed editions of a classic date are classic.
    let suffixed = |day: &&str| {
        date.strip_prefix(*day)
            .and_then(|rest| rest.strip_prefix('-'))
            .is_some_and(|n| n.len() == 1 && n.bytes().all(|byte| byte.is_ascii_digit()))
    };
    if CLASSIC.iter().any(suffixed) {
        return Ok(());
    }
    if LATER.contains(&date) {
        return Err(ApiError::new(
            Code::VersionNotYet,
            format!("Api-Version-Date {date} is not served yet; {}", known()),
        ));
    }
    Err(ApiError::new(Code::VersionUnknown, format!("unknown Api-Version-Date; {}", known())))
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderValue;

    fn ask(date: &str) -> Result<(), Code> {
        let mut headers = HeaderMap::new();
        headers.insert(HEADER, HeaderValue::from_str(date).unwrap());
        check(&headers).map_err(|error| error.code)
    }

    #[test]
    fn classic_dates_pass_later_ones_wait_others_are_unknown() {
        assert_eq!(check(&HeaderMap::new()).map_err(|error| error.code), Ok(()));
        for date in CLASSIC.iter().copied().chain(["2026-07-18-2"]) {
            assert_eq!(ask(date), Ok(()), "{date}");
        }
        for date in LATER {
            assert_eq!(ask(date), Err(Code::VersionNotYet), "{date}");
        }
        for date in ["", "2026-07-21", "2026-07-20-", "2026-07-20-x", "2026-07-20-11", "today"] {
            assert_eq!(ask(date), Err(Code::VersionUnknown), "{date:?}");
        }
    }
}
