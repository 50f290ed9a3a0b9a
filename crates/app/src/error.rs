//! Why a use case did not happen. No status codes here: `http` chooses those.

use hallpass_core::decision::Refusal;
use hallpass_core::scope::ScopeSet;
use hallpass_store::{MaybeStoreError, StoreError};

/// Why a credential was not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unauthenticated {
    /// None was sent.
    Missing,
    /// Not one of ours, or altered.
    Invalid,
    /// Past its expiry.
    Expired,
    /// Revoked, or its key, user or company was.
    Revoked,
}

/// Why a use case did not happen.
#[derive(Debug, thiserror::Error)]
pub enum AppError {
    /// Who are you?
    #[error("not authenticated: {0:?}")]
    Unauthenticated(Unauthenticated),
    /// You, but the credential lacks every one of these sets of scopes.
    #[error("missing scopes")]
    MissingScopes(Vec<ScopeSet>),
    /// You, but not this.
    #[error("{message}")]
    Forbidden {
        /// Machine-readable.
        code: &'static str,
        /// For people.
        message: String,
    },
    /// No such thing, or not yours to know about.
    #[error("no such {0}")]
    NotFound(&'static str),
    /// A parameter is missing or malformed.
    #[error("{message}")]
    Invalid {
        /// Machine-readable.
        code: &'static str,
        /// The parameter.
        param: Option<&'static str>,
        /// For people.
        message: String,
    },
    /// Well-formed, but against a rule.
    #[error("{message}")]
    Unprocessable {
        /// Machine-readable.
        code: &'static str,
        /// The parameter.
        param: Option<&'static str>,
        /// For people.
        message: String,
        /// Seconds until it would be allowed.
        retry_after_secs: Option<u64>,
    },
    /// The state of things is in the way.
    #[error("{message}")]
    Conflict {
        /// Machine-readable.
        code: &'static str,
        /// For people.
        message: String,
        /// Trying the same again cannot help.
        permanent: bool,
    },
    /// Longer than it may be.
    #[error("longer than {limit_bytes} bytes")]
    TooLarge {
        /// What it may be.
        limit_bytes: u64,
    },
    /// Too many of these.
    #[error("too many requests")]
    RateLimited {
        /// Seconds until the next one is allowed.
        retry_after_secs: u64,
    },
    /// The database is not there, or this node cannot know whether rights are current.
    #[error("temporarily unavailable: {0}")]
    Unavailable(&'static str),
    /// A fault of ours.
    #[error("internal error")]
    Internal(#[source] StoreError),
}

impl AppError {
    /// A required parameter is absent.
    pub fn missing(param: &'static str) -> Self {
        Self::Invalid {
            code: "parameter_missing",
            param: Some(param),
            message: format!("{param} is required"),
        }
    }

    /// A parameter is malformed.
    pub fn invalid(param: &'static str, message: impl Into<String>) -> Self {
        Self::Invalid { code: "parameter_invalid", param: Some(param), message: message.into() }
    }

    /// Well-formed, but against a rule.
    pub fn unprocessable(code: &'static str, param: &'static str, message: impl Into<String>) -> Self {
        Self::Unprocessable { code, param: Some(param), message: message.into(), retry_after_secs: None }
    }

    /// A state that will not change by trying again.
    pub fn conflict(code: &'static str, message: impl Into<String>) -> Self {
        Self::Conflict { code, message: message.into(), permanent: true }
    }

    /// Translates the decision's refusal; `what` names the thing in "no such …".
    #[expect(clippy::needless_pass_by_value, reason = "the shape map_err wants")]
    pub fn refused(refusal: Refusal, what: &'static str) -> Self {
        match refusal {
            Refusal::NoSuchThing => Self::NotFound(what),
            Refusal::MissingScopes(alternatives) => Self::MissingScopes(alternatives.to_vec()),
            Refusal::AdminsPost => Self::Forbidden {
                code: "who_can_post",
                message: "only admins may post in this channel".to_owned(),
            },
        }
    }
}

impl From<StoreError> for AppError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Conflict => Self::Conflict {
                code: "conflict",
                message: "this conflicts with something that exists".to_owned(),
                permanent: true,
            },
            StoreError::Serialization => Self::Conflict {
                code: "concurrent_change",
                message: "a concurrent change got in the way; try again".to_owned(),
                permanent: false,
            },
            StoreError::Unavailable(source) => {
                tracing::warn!(error = ?source, "the database is not available");
                Self::Unavailable("the database is not available")
            }
            StoreError::Unknown(source) => {
                tracing::warn!(error = ?source, "the database went away under a commit");
                Self::Unavailable("the database went away, and whether this was written is not known")
            }
            StoreError::Corrupt { .. }
            | StoreError::Database(_)
            | StoreError::Panicked
            | StoreError::Migrate(_) => Self::Internal(error),
        }
    }
}

impl MaybeStoreError for AppError {
    fn store_error(&self) -> Option<&StoreError> {
        static SERIALIZATION: StoreError = StoreError::Serialization;
        match self {
            Self::Internal(error) => Some(error),
            // Lost in translation above, but the writer must still see that trying again helps.
            Self::Conflict { code: "concurrent_change", .. } => Some(&SERIALIZATION),
            _ => None,
        }
    }
}
