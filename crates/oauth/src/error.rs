//! What OAuth endpoints refuse with: RFC 6749 §4.1.2.1 and §5.2, RFC 6750 §3.1, OpenID Connect Core §3.1.2.6.

use std::borrow::Cow;

macro_rules! codes {
    ($($name:ident = $wire:literal, $status:literal;)*) => {
        /// `error` on the wire.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[expect(missing_docs, reason = "the names are those of the standards")]
        pub enum ErrorCode { $($name),* }
        impl ErrorCode {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$name),*];
            /// Its name.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$name => $wire),* }
            }
            /// The HTTP status where it is an answer and no redirect.
            pub const fn status(self) -> u16 {
                match self { $(Self::$name => $status),* }
            }
        }
    };
}

codes! {
    AccessDenied = "access_denied", 403;
    ConsentRequired = "consent_required", 400;
    InsufficientScope = "insufficient_scope", 403;
    InteractionRequired = "interaction_required", 400;
    InvalidClient = "invalid_client", 401;
    InvalidGrant = "invalid_grant", 400;
    InvalidRequest = "invalid_request", 400;
    InvalidScope = "invalid_scope", 400;
    InvalidTarget = "invalid_target", 400;
    InvalidToken = "invalid_token", 401;
    LoginRequired = "login_required", 400;
    RateLimitExceeded = "rate_limit_exceeded", 429;
    RegistrationNotSupported = "registration_not_supported", 400;
    RequestNotSupported = "request_not_supported", 400;
    RequestUriNotSupported = "request_uri_not_supported", 400;
    ServerError = "server_error", 500;
    TemporarilyUnavailable = "temporarily_unavailable", 503;
    UnauthorizedClient = "unauthorized_client", 400;
    UnsupportedGrantType = "unsupported_grant_type", 400;
    UnsupportedResponseType = "unsupported_response_type", 400;
}

/// A refusal: a code for programs and a sentence for whoever writes them. Never repeats what was sent.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}: {description}", code.name())]
pub struct OAuthError {
    /// `error`.
    pub code: ErrorCode,
    /// `error_description`: printable ASCII without quotes and backslashes (RFC 6749 §5.2).
    pub description: Cow<'static, str>,
}

impl OAuthError {
    /// A refusal.
    pub fn new(code: ErrorCode, description: impl Into<Cow<'static, str>>) -> Self {
        let description = description.into();
        debug_assert!(description.bytes().all(is_plain), "{description}");
        Self { code, description }
    }

    /// `invalid_request`.
    pub fn invalid_request(description: impl Into<Cow<'static, str>>) -> Self {
        Self::new(ErrorCode::InvalidRequest, description)
    }

    /// `invalid_grant`.
    pub fn invalid_grant(description: &'static str) -> Self {
        Self::new(ErrorCode::InvalidGrant, description)
    }

    /// `invalid_client`.
    pub fn invalid_client(description: &'static str) -> Self {
        Self::new(ErrorCode::InvalidClient, description)
    }
}

/// What a description may hold (RFC 6749 §5.2).
fn is_plain(byte: u8) -> bool {
    matches!(byte, 0x20..=0x7e) && byte != b'"' && byte != b'\\'
}
