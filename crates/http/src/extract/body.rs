//! JSON bodies: limited in size and time, strict in form.

use std::collections::BTreeMap;
use std::ops::Deref;

use axum::body::{Body, HttpBody as _};
use axum::extract::{FromRequest, Request};
use axum::http::header;
use bytes::Bytes;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;

use super::strict::Strict;
use crate::error::{ApiError, Code};
use crate::state::Http;

/// How deep a body may be nested.
const MAX_BODY_DEPTH: usize = 32;
/// The longest name of a member, in bytes, that an error repeats: longer than any of ours.
const MAX_NAMED: usize = 64;

/// A body that parsed, with its bytes for `Idempotency-Key`.
pub(crate) struct JsonBody<T> {
    pub(crate) value: T,
    pub(crate) bytes: Bytes,
}

impl<T> Deref for JsonBody<T> {
    type Target = T;
    fn deref(&self) -> &T {
        &self.value
    }
}

impl<T: DeserializeOwned> FromRequest<Http> for JsonBody<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, http: &Http) -> Result<Self, ApiError> {
        let (parts, body) = request.into_parts();
        let bytes = read(body, http).await?;
        if bytes.is_empty() {
            // An absent body is an empty object: the SDKs send either.
            return Ok(Self { value: parse(b"{}")?, bytes });
        }
        let kind = parts.headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
        if !kind.is_some_and(is_json) {
            return Err(ApiError::new(Code::UnsupportedMediaType, "the body must be application/json"));
        }
        Ok(Self { value: parse(&bytes)?, bytes })
    }
}

fn is_json(content_type: &str) -> bool {
    let essence = content_type.split(';').next().unwrap_or_default().trim();
    essence.eq_ignore_ascii_case("application/json")
        || (essence.len() > 5
            && essence.is_char_boundary(essence.len() - 5)
            && essence[essence.len() - 5..].eq_ignore_ascii_case("+json"))
}

/// Reads a body within its limits.
pub(crate) async fn read(body: Body, http: &Http) -> Result<Bytes, ApiError> {
    let limit = http.policy.max_body_bytes;
    let too_large = || ApiError::new(Code::BodyTooLarge, format!("the body is larger than {limit} bytes"));
    // By its declared length already: who sends `Expect: 100-continue` is not invited to send it.
    if usize::try_from(body.size_hint().lower()).map_or(true, |declared| declared > limit) {
        return Err(too_large());
    }
    let collected = Limited::new(body, limit).collect();
    match tokio::time::timeout(http.policy.body_timeout, collected).await {
        Ok(Ok(collected)) => Ok(collected.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(too_large()),
        Ok(Err(_)) => Err(ApiError::new(Code::InvalidJson, "the body broke off")),
        Err(_) => Err(ApiError::new(Code::RequestTimeout, Code::RequestTimeout.meaning())),
    }
}

/// Parses a body; a fuzz target.
///
/// # Errors
/// 400 naming the parameter; 422, naming it too, for a NUL character in any text.
pub(crate) fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, ApiError> {
    if is_deep(bytes) {
        let message = format!("the body is nested deeper than {MAX_BODY_DEPTH} levels");
        return Err(ApiError::new(Code::InvalidJson, message));
    }
    let value = read_strictly(bytes).map_err(|error| explain::<T>(bytes, &error))?;
    if has_nul(bytes) { Err(refuse_nul(bytes)) } else { Ok(value) }
}

fn read_strictly<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, serde_json::Error> {
    let mut parser = serde_json::Deserializer::from_slice(bytes);
    let value = T::deserialize(Strict(&mut parser))?;
    parser.end()?;
    Ok(value)
}

/// Says which parameter did not fit. Only on the error path: tracking paths costs.
fn explain<T: DeserializeOwned>(bytes: &[u8], error: &serde_json::Error) -> ApiError {
    if error.is_syntax() || error.is_eof() {
        return ApiError::new(Code::InvalidJson, format!("the body is not JSON: {error}"));
    }
    let mut parser = serde_json::Deserializer::from_slice(bytes);
    let path = match serde_path_to_error::deserialize::<_, T>(Strict(&mut parser)) {
        Ok(_) => String::new(),
        Err(error) => error.path().to_string(),
    };
    // Values may be secrets; the position and the expectation are enough.
    let expected = error.to_string();
    let expected = expected.split(", expected").nth(1).map_or_else(String::new, |rest| {
        format!(": expected{}", rest.split(" at line").next().unwrap_or(rest))
    });
    if path.is_empty() || path == "." {
        let message = format!("the body does not fit{expected}");
        return ApiError::new(Code::ParameterInvalid, message);
    }
    ApiError::invalid(&path, format!("{path} does not fit{expected}"))
}

/// Whether the body is nested deeper than any of ours. Also counts in members that nobody reads.
fn is_deep(bytes: &[u8]) -> bool {
    let (mut depth, mut in_text, mut escaped) = (0_usize, false, false);
    for byte in bytes {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_text => escaped = true,
            b'"' => in_text = !in_text,
            b'{' | b'[' if !in_text => {
                depth += 1;
                if depth > MAX_BODY_DEPTH {
                    return true;
                }
            }
            b'}' | b']' if !in_text => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    false
}

/// Whether a text in some JSON contains U+0000, which can only be there as an escape.
fn has_nul(json: &[u8]) -> bool {
    let mut rest = json;
    while let Some(at) = rest.iter().position(|byte| *byte == b'\\') {
        if rest[at..].starts_with(b"\\u0000") {
            return true;
        }
        // What it escapes may be a backslash itself.
        rest = rest.get(at + 2..).unwrap_or_default();
    }
    false
}

/// Names the member of a body that has a NUL.
fn refuse_nul(body: &[u8]) -> ApiError {
    let members: BTreeMap<String, &RawValue> = serde_json::from_slice(body).unwrap_or_default();
    let name = members.into_iter().find(|(_, value)| has_nul(value.get().as_bytes())).map(|(name, _)| name);
    match name.filter(|name| name.len() <= MAX_NAMED && !name.contains('\0')) {
        Some(name) => {
            ApiError::unprocessable("nul_character", &name, format!("{name} contains a NUL character"))
        }
        None => ApiError {
            detail: Some("nul_character"),
            ..ApiError::new(Code::RuleBroken, "a text contains a NUL character")
        },
    }
}
