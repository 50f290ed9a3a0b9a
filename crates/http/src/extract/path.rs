//! Path parameters.

use axum::extract::{FromRequestParts, Path};
use axum::http::request::Parts;

use crate::error::ApiError;
use crate::state::Http;

/// The one parameter of a path, decoded.
pub(crate) struct Param(pub(crate) String);

/// The two parameters of a path, decoded.
pub(crate) struct Params2(pub(crate) String, pub(crate) String);

impl FromRequestParts<Http> for Param {
    type Rejection = ApiError;
    async fn from_request_parts(parts: &mut Parts, http: &Http) -> Result<Self, ApiError> {
        let Path(text) = Path::<String>::from_request_parts(parts, http).await.map_err(not_text)?;
        checked(&text)?;
        Ok(Self(text))
    }
}

impl FromRequestParts<Http> for Params2 {
    type Rejection = ApiError;
    async fn from_request_parts(parts: &mut Parts, http: &Http) -> Result<Self, ApiError> {
        let Path((a, b)) =
            Path::<(String, String)>::from_request_parts(parts, http).await.map_err(not_text)?;
        checked(&a)?;
        checked(&b)?;
        Ok(Self(a, b))
    }
}

fn not_text(_: axum::extract::rejection::PathRejection) -> ApiError {
    ApiError::invalid("id", "the path is not text")
}

fn checked(text: &str) -> Result<(), ApiError> {
    if text.contains('\0') {
        return Err(ApiError::unprocessable("nul_character", "id", "the path contains a NUL character"));
    }
    Ok(())
}
