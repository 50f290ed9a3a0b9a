//! Uploads and downloads: the bytes of files, outside of the JSON API.
//!
//! An upload's address is its own credential, so browsers may send from any page. What is served is
//! served as what it was found to be, sandboxed, and never as a page: nothing of it runs, not even
//! where a browser is told to show it.

use std::ops::Range;
use std::time::Duration;

use axum::body::{Body, HttpBody as _};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use futures_util::StreamExt as _;
use hallpass_app::files::Served;
use hallpass_core::file::disposition;
use hallpass_core::id::FileId;
use http_body_util::BodyExt as _;

use crate::error::{ApiError, Code};
use crate::extract::{Param, Params2, Query};
use crate::state::Http;

/// An upload slower than this, on the whole, is given up.
const SLOWEST_BYTES_PER_SEC: u64 = 8 << 10;
/// What it has besides, for its beginning.
const GRACE: Duration = Duration::from_mins(1);

/// Takes an upload.
pub(crate) async fn upload(
    State(http): State<Http>,
    Param(link): Param,
    request: Request,
) -> Result<Response, ApiError> {
    let mut body = request.into_body();
    let declared = body.size_hint().exact();
    let mut intake = http.app.begin_upload(&link, declared).await?;
    let clock = http.app.clock();
    let (started, mut arrived) = (clock.monotonic(), 0);
    let too_slow = || ApiError::new(Code::RequestTimeout, Code::RequestTimeout.meaning());
    loop {
        let frame =
            tokio::time::timeout(http.policy.body_timeout, body.frame()).await.map_err(|_| too_slow())?;
        let Some(frame) = frame else { break };
        let frame = frame.map_err(|_| ApiError::new(Code::BodyBroken, Code::BodyBroken.meaning()))?;
        let Some(chunk) = frame.data_ref() else { continue };
        arrived += chunk.len() as u64;
        if clock.monotonic().saturating_sub(started)
            > GRACE + Duration::from_secs(arrived / SLOWEST_BYTES_PER_SEC)
        {
            return Err(too_slow());
        }
        intake.write(chunk).await?;
    }
    intake.finish().await?;
    Ok(StatusCode::OK.into_response())
}

/// Serves a file: a public one to anybody, a private one to whoever has a link.
pub(crate) async fn file(
    State(http): State<Http>,
    Params2(id, name): Params2,
    method: Method,
    query: Query,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let id = on_files_origin(&http, &headers, &id)?;
    let link = query.one("link")?;
    let served = http.app.open_file(id, &name, link).await?;
    answer(&http, served, &method, &headers).await
}

/// Serves a picture in one of its sizes.
pub(crate) async fn picture(
    State(http): State<Http>,
    Param(id): Param,
    method: Method,
    query: Query,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let id = on_files_origin(&http, &headers, &id)?;
    let size = query
        .one("size")?
        .map(|size| size.parse().map_err(|_| ApiError::invalid("size", "size is 64, 128, 256 or 512")))
        .transpose()?;
    let served = http.app.open_picture(id, size).await?;
    answer(&http, served, &method, &headers).await
}

/// Where files have an origin of their own, they are not to be had from the main one: that is what it is
/// for.
fn on_files_origin(http: &Http, headers: &HeaderMap, id: &str) -> Result<FileId, ApiError> {
    let not_found = || ApiError::new(Code::NotFound, "no such file");
    let authority =
        |url: &str| url.split_once("://").map_or_else(String::new, |(_, rest)| rest.to_ascii_lowercase());
    let (main, files) = (authority(http.app.public_url()), authority(http.app.files_url()));
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    if main != files && host.eq_ignore_ascii_case(&main) {
        return Err(not_found());
    }
    id.parse().map_err(|_| not_found())
}

async fn answer(
    http: &Http,
    served: Served,
    method: &Method,
    asked: &HeaderMap,
) -> Result<Response, ApiError> {
    let size = served.size_bytes;
    let tag = served.tag();
    let range = match wanted(asked, &tag, size) {
        Wanted::Unchanged => {
            let mut response = StatusCode::NOT_MODIFIED.into_response();
            describe(response.headers_mut(), &served, &tag);
            return Ok(response);
        }
        Wanted::Impossible => {
            let mut response = StatusCode::RANGE_NOT_SATISFIABLE.into_response();
            describe(response.headers_mut(), &served, &tag);
            response.headers_mut().insert(header::CONTENT_RANGE, text(&format!("bytes */{size}")));
            return Ok(response);
        }
        Wanted::Part(range) => Some(range),
        Wanted::All => None,
    };
    let (status, bytes) = match &range {
        Some(range) => (StatusCode::PARTIAL_CONTENT, range.clone()),
        None => (StatusCode::OK, 0..size),
    };
    let length = bytes.end - bytes.start;
    let body = if *method == Method::HEAD {
        Body::empty()
    } else {
        Body::from_stream(http.app.read_served(&served, bytes).await?.map(|chunk| {
            // The status is gone; all that is left is to break off.
            chunk.inspect_err(|error| tracing::warn!(error = %error, "a file broke off while it was served"))
        }))
    };
    let mut response = (status, body).into_response();
    let headers = response.headers_mut();
    describe(headers, &served, &tag);
    headers.insert(header::CONTENT_LENGTH, HeaderValue::from(length));
    headers.insert(header::CONTENT_TYPE, text(&content_type(&served.content_type)));
    headers.insert(header::CONTENT_DISPOSITION, text(&disposition(&served.content_type, &served.filename)));
    if let Some(range) = range {
        headers
            .insert(header::CONTENT_RANGE, text(&format!("bytes {}-{}/{size}", range.start, range.end - 1)));
    }
    Ok(response)
}

fn content_type(kind: &str) -> String {
    if kind == "text/plain" { format!("{kind}; charset=utf-8") } else { kind.to_owned() }
}

fn text(value: &str) -> HeaderValue {
    HeaderValue::from_str(value).unwrap_or(HeaderValue::from_static(""))
}

fn describe(headers: &mut HeaderMap, served: &Served, tag: &str) {
    let cache = if served.public { "public, max-age=31536000, immutable" } else { "private, no-store" };
    for (name, value) in [
        (header::CACHE_CONTROL, cache),
        (header::CONTENT_SECURITY_POLICY, "sandbox; default-src 'none'"),
        (HeaderName::from_static("cross-origin-resource-policy"), "cross-origin"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::ACCEPT_RANGES, "bytes"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    headers.insert(header::ETAG, text(tag));
}

/// What is wanted of a file.
#[derive(Debug, PartialEq, Eq)]
enum Wanted {
    All,
    Part(Range<u64>),
    Unchanged,
    Impossible,
}

/// Reads the conditions and the range of a request (RFC 9110 §13, §14). A range that does not parse, or
/// more than one, is as good as none.
fn wanted(headers: &HeaderMap, tag: &str, size: u64) -> Wanted {
    let get = |name: HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
    if let Some(known) = get(header::IF_NONE_MATCH) {
        let known = known.split(',').map(|each| each.trim().trim_start_matches("W/"));
        if known.into_iter().any(|each| each == tag || each == "*") {
            return Wanted::Unchanged;
        }
    }
    if get(header::IF_RANGE).is_some_and(|known| known != tag) {
        return Wanted::All;
    }
    let Some(range) = get(header::RANGE).and_then(|range| range.strip_prefix("bytes=")) else {
        return Wanted::All;
    };
    let Some((first, last)) = range.split_once('-') else { return Wanted::All };
    let number = |text: &str| {
        let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        // Beyond all numbers is beyond the end.
        digits.then(|| text.parse::<u64>().unwrap_or(u64::MAX))
    };
    match (number(first), number(last), first.is_empty(), last.is_empty()) {
        (Some(first), Some(last), ..) if first <= last => part(first, last, size),
        (Some(first), None, _, true) => part(first, u64::MAX, size),
        (None, Some(0), true, _) => Wanted::Impossible,
        (None, Some(count), true, _) => part(size.saturating_sub(count), u64::MAX, size),
        _ => Wanted::All,
    }
}

fn part(first: u64, last: u64, size: u64) -> Wanted {
    if first >= size { Wanted::Impossible } else { Wanted::Part(first..last.min(size - 1) + 1) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(pairs: &[(HeaderName, &'static str)]) -> Wanted {
        let headers =
            pairs.iter().map(|(name, value)| (name.clone(), HeaderValue::from_static(value))).collect();
        wanted(&headers, "\"tag\"", 10)
    }

    #[test]
    fn ranges_are_read_as_the_rfc_says() {
        for (range, expected) in [
            ("bytes=0-0", Wanted::Part(0..1)),
            ("bytes=2-4", Wanted::Part(2..5)),
            ("bytes=5-", Wanted::Part(5..10)),
            ("bytes=5-99", Wanted::Part(5..10)),
            ("bytes=-3", Wanted::Part(7..10)),
            ("bytes=-99", Wanted::Part(0..10)),
            ("bytes=9-99999999999999999999999", Wanted::Part(9..10)),
            ("bytes=10-", Wanted::Impossible),
            ("bytes=-0", Wanted::Impossible),
            ("bytes=99999999999999999999999-", Wanted::Impossible),
            ("bytes=4-2", Wanted::All),
            ("bytes=", Wanted::All),
            ("bytes=-", Wanted::All),
            ("bytes=a-b", Wanted::All),
            ("bytes=+1-2", Wanted::All),
            ("bytes=0-1,3-4", Wanted::All),
            ("lines=0-1", Wanted::All),
        ] {
            assert_eq!(ask(&[(header::RANGE, range)]), expected, "{range}");
        }
    }

    #[test]
    fn conditions_go_before_ranges() {
        let range = (header::RANGE, "bytes=0-0");
        assert_eq!(ask(&[(header::IF_NONE_MATCH, "\"x\", \"tag\""), range.clone()]), Wanted::Unchanged);
        assert_eq!(ask(&[(header::IF_NONE_MATCH, "\"x\""), range.clone()]), Wanted::Part(0..1));
        assert_eq!(ask(&[(header::IF_RANGE, "\"x\""), range.clone()]), Wanted::All);
        assert_eq!(ask(&[(header::IF_RANGE, "\"tag\""), range]), Wanted::Part(0..1));
    }
}
