//! The one place where errors become bytes.
//!
//! A handler returns [`ApiError`]; it travels in the response's extensions to the [edge](crate::edge),
//! which writes the body with the request's id, and logs what only operators should read.

use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use hallpass_app::{AppError, Unauthenticated};
use hallpass_core::scope::{Scope, ScopeSet};
use serde::Serialize;

macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident = $code:literal, $status:ident, $kind:literal, $meaning:literal;)*) => {
        /// What can go wrong, as clients tell it apart.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Code { $($(#[$doc])* #[doc = $meaning] $name),* }
        impl Code {
            /// Every code, for the reference.
            pub const ALL: &[Self] = &[$(Self::$name),*];
            /// `error.code` on the wire.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$name => $code),* }
            }
            /// The HTTP status.
            pub const fn status(self) -> StatusCode {
                match self { $(Self::$name => StatusCode::$status),* }
            }
            /// `error.type` on the wire.
            pub const fn kind(self) -> &'static str {
                match self { $(Self::$name => $kind),* }
            }
            /// What it means to the caller.
            pub const fn meaning(self) -> &'static str {
                match self { $(Self::$name => $meaning),* }
            }
        }
    };
}

codes! {
    InvalidJson = "invalid_json", BAD_REQUEST, "invalid_request_error", "the body is not JSON";
    ParameterMissing = "parameter_missing", BAD_REQUEST, "invalid_request_error", "a required parameter is absent; see `param`";
    ParameterInvalid = "parameter_invalid", BAD_REQUEST, "invalid_request_error", "a parameter is malformed; see `param`";
    VersionUnknown = "version_unknown", BAD_REQUEST, "invalid_request_error", "the Api-Version-Date is not one that exists";
    VersionNotYet = "version_not_yet", BAD_REQUEST, "invalid_request_error", "the Api-Version-Date exists but is not served yet";
    CredentialMissing = "credential_missing", UNAUTHORIZED, "unauthorized", "send `Authorization: Bearer …`";
    CredentialInvalid = "credential_invalid", UNAUTHORIZED, "unauthorized", "the credential is not one of ours, or was altered";
    CredentialExpired = "credential_expired", UNAUTHORIZED, "unauthorized", "mint a new token and retry";
    CredentialRevoked = "credential_revoked", UNAUTHORIZED, "unauthorized", "the credential, or what it hangs on, was revoked";
    ScopeMissing = "scope_missing", FORBIDDEN, "forbidden", "the credential lacks a scope that the message names";
    Forbidden = "forbidden", FORBIDDEN, "forbidden", "known, but not allowed";
    NotFound = "not_found", NOT_FOUND, "not_found", "no such thing, or not yours to know";
    MethodNotAllowed = "method_not_allowed", METHOD_NOT_ALLOWED, "invalid_request_error", "this path has no such method";
    RequestTimeout = "request_timeout", REQUEST_TIMEOUT, "invalid_request_error", "the body took too long to arrive";
    Conflict = "conflict", CONFLICT, "conflict", "the state of things is in the way";
    BodyTooLarge = "body_too_large", PAYLOAD_TOO_LARGE, "invalid_request_error", "the body is larger than the limit";
    BodyBroken = "body_broken", BAD_REQUEST, "invalid_request_error", "the body broke off";
    UriTooLong = "uri_too_long", URI_TOO_LONG, "invalid_request_error", "the URL is longer than the limit";
    HeadersTooLarge = "headers_too_large", REQUEST_HEADER_FIELDS_TOO_LARGE, "invalid_request_error", "the headers are larger than the limit";
    UnsupportedMediaType = "unsupported_media_type", UNSUPPORTED_MEDIA_TYPE, "invalid_request_error", "send application/json";
    ForeignHost = "foreign_host", MISDIRECTED_REQUEST, "invalid_request_error", "hallpass dev answers on its own address only";
    RuleBroken = "rule_broken", UNPROCESSABLE_ENTITY, "unprocessable", "well-formed, but against a rule; see `code`";
    RateLimited = "rate_limited", TOO_MANY_REQUESTS, "rate_limit_exceeded", "wait as long as retry-after says";
    Internal = "internal", INTERNAL_SERVER_ERROR, "internal_server_error", "a fault of the server's; it has been logged";
    Unavailable = "unavailable", SERVICE_UNAVAILABLE, "unavailable", "try again, a POST with the same Idempotency-Key; a write may have been done";
}

/// An error on its way to the client.
#[derive(Clone, Debug)]
pub(crate) struct ApiError {
    /// What class of error.
    pub(crate) code: Code,
    /// `error.code`, where a use case is more exact than the class.
    pub(crate) detail: Option<&'static str>,
    /// For people.
    pub(crate) message: String,
    /// The parameter.
    pub(crate) param: Option<String>,
    /// Seconds.
    pub(crate) retry_after_secs: Option<u64>,
    /// Whether trying the same again can help; none leaves it to the status.
    pub(crate) retryable: Option<bool>,
    /// For operators only.
    pub(crate) cause: Option<String>,
}

impl ApiError {
    /// An error of a class, with its message.
    pub(crate) fn new(code: Code, message: impl Into<String>) -> Self {
        Self {
            code,
            detail: None,
            message: message.into(),
            param: None,
            retry_after_secs: None,
            retryable: None,
            cause: None,
        }
    }

    /// A malformed parameter.
    pub(crate) fn invalid(param: &str, message: impl Into<String>) -> Self {
        Self { param: Some(param.to_owned()), ..Self::new(Code::ParameterInvalid, message) }
    }

    /// A parameter against a rule.
    pub(crate) fn unprocessable(code: &'static str, param: &str, message: impl Into<String>) -> Self {
        Self { detail: Some(code), param: Some(param.to_owned()), ..Self::new(Code::RuleBroken, message) }
    }

    /// The body as bytes.
    pub(crate) fn body(&self, request_id: &str) -> Vec<u8> {
        let body = ErrorBody {
            error: ErrorView {
                kind: self.code.kind(),
                message: &self.message,
                code: self.detail.unwrap_or(self.code.name()),
                param: self.param.as_deref(),
                request_id,
                retry_after_secs: self.retry_after_secs,
            },
        };
        serde_json::to_vec(&body).expect("texts and numbers serialise")
    }

    /// The headers that go with it.
    pub(crate) fn headers(&self, headers: &mut HeaderMap) {
        if let Some(secs) = self.retry_after_secs {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(secs));
        }
        if let Some(retryable) = self.retryable {
            let value = HeaderValue::from_static(if retryable { "true" } else { "false" });
            headers.insert(HeaderName::from_static("x-should-retry"), value);
        }
        // RFC 6750 §3.
        let challenge = match self.code {
            Code::CredentialMissing => "Bearer realm=\"hallpass\"",
            Code::CredentialInvalid => "Bearer realm=\"hallpass\", error=\"invalid_token\"",
            Code::CredentialExpired => {
                "Bearer realm=\"hallpass\", error=\"invalid_token\", error_description=\"expired\""
            }
            Code::CredentialRevoked => {
                "Bearer realm=\"hallpass\", error=\"invalid_token\", error_description=\"revoked\""
            }
            Code::ScopeMissing => "Bearer realm=\"hallpass\", error=\"insufficient_scope\"",
            _ => return,
        };
        headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static(challenge));
    }
}

#[derive(Serialize)]
struct ErrorBody<'a> {
    error: ErrorView<'a>,
}

#[derive(Serialize)]
struct ErrorView<'a> {
    #[serde(rename = "type")]
    kind: &'a str,
    message: &'a str,
    code: &'a str,
    param: Option<&'a str>,
    request_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    retry_after_secs: Option<u64>,
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let mut response = self.code.status().into_response();
        response.extensions_mut().insert(self);
        response
    }
}

impl From<AppError> for ApiError {
    fn from(error: AppError) -> Self {
        match error {
            AppError::Unauthenticated(why) => {
                let code = match why {
                    Unauthenticated::Missing => Code::CredentialMissing,
                    Unauthenticated::Invalid => Code::CredentialInvalid,
                    Unauthenticated::Expired => Code::CredentialExpired,
                    Unauthenticated::Revoked => Code::CredentialRevoked,
                };
                Self::new(code, code.meaning())
            }
            AppError::MissingScopes(alternatives) => {
                Self::new(Code::ScopeMissing, missing_scopes(&alternatives))
            }
            AppError::Forbidden { code, message } => {
                Self { detail: Some(code), ..Self::new(Code::Forbidden, message) }
            }
            AppError::NotFound(what) => Self::new(Code::NotFound, format!("no such {what}")),
            AppError::Invalid { code, param, message } => Self {
                detail: Some(code),
                param: param.map(str::to_owned),
                ..Self::new(Code::ParameterInvalid, message)
            },
            AppError::Unprocessable { code, param, message, retry_after_secs } => Self {
                detail: Some(code),
                param: param.map(str::to_owned),
                retry_after_secs,
                ..Self::new(Code::RuleBroken, message)
            },
            AppError::Conflict { code, message, permanent } => {
                Self { detail: Some(code), retryable: Some(!permanent), ..Self::new(Code::Conflict, message) }
            }
            AppError::TooLarge { limit_bytes } => {
                Self::new(Code::BodyTooLarge, format!("the body is larger than {limit_bytes} bytes"))
            }
            AppError::RateLimited { retry_after_secs } => Self {
                retry_after_secs: Some(retry_after_secs),
                ..Self::new(Code::RateLimited, format!("Try again in {retry_after_secs} seconds."))
            },
            AppError::Unavailable(why) => Self {
                retry_after_secs: Some(1),
                cause: Some(why.to_owned()),
                ..Self::new(Code::Unavailable, why)
            },
            AppError::Internal(source) => {
                let mut cause = source.to_string();
                let mut next = std::error::Error::source(&source);
                while let Some(error) = next {
                    cause.push_str(": ");
                    cause.push_str(&error.to_string());
                    next = error.source();
                }
                Self { cause: Some(cause), ..Self::new(Code::Internal, Code::Internal.meaning()) }
            }
        }
    }
}

fn missing_scopes(alternatives: &[ScopeSet]) -> String {
    let sets: Vec<String> = alternatives
        .iter()
        .map(|set| set.iter().map(Scope::name).collect::<Vec<_>>().join(" and "))
        .collect();
    format!("the credential is missing required permissions: {}", sets.join(", or "))
}
