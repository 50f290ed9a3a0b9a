//! From what a use case says to what a page says; what no page has words for is a page of its own.

use axum::http::StatusCode;
use hallpass_app::AppError;
use hallpass_pages::Problem;

/// What the page of the form says about an error, and with which status; else the error.
pub(super) fn told(error: AppError) -> Result<(Problem, StatusCode), AppError> {
    let status = StatusCode::UNPROCESSABLE_ENTITY;
    let problem = match &error {
        AppError::Unprocessable { code, param, .. } => match (*code, *param) {
            ("sign_in_failed", _) => Problem::Credentials,
            ("code_wrong", _) => Problem::Code,
            ("code_spent", _) => Problem::CodeGone,
            ("username_taken", _) => Problem::UsernameTaken,
            ("email_taken" | "too_many_addresses", _) => Problem::Address,
            ("last_address", _) => Problem::LastAddress,
            ("passkey_known" | "too_many_passkeys", _) => Problem::Passkey,
            (_, Some("name")) => Problem::Name,
            _ => return Err(error),
        },
        AppError::Conflict { code: "no_passkeys", .. } => Problem::Passkey,
        AppError::Invalid { param: Some(param), .. } => match *param {
            "username" => Problem::Username,
            "password" => Problem::Password,
            "name" => Problem::Name,
            "email" => Problem::Email,
            _ => return Err(error),
        },
        AppError::RateLimited { .. } => return Ok((Problem::TooMany, StatusCode::TOO_MANY_REQUESTS)),
        _ => return Err(error),
    };
    Ok((problem, status))
}

/// Whether somebody must prove again who they are.
pub(super) fn wants_again(error: &AppError) -> bool {
    matches!(error, AppError::Forbidden { code: "sign_in_again", .. })
}
