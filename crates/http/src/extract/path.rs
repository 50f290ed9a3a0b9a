//! Path parameters.

use axum::extract::{FromRequestParts, Path};
use axum::http::request::Parts;

use crate::error::{ApiError, Code};
use crate::state::Http;

/// The one parameter of a path, decoded.
pub(crate) struct Param(pub(crate) String);

/// The two parameters of a path, decoded.
pub(crate) struct Params2(pub(crate) String, pub(crate) String);

impl FromRequestParts<Http> for Param {
    type Rejection = ApiError;
    async fn from_request_parts(parts: &mut Parts, http: &Http) -> Result<Self, ApiError> {
        let [text] = texts(parts, http).await?;
        Ok(Self(text))
    }
}

impl FromRequestParts<Http> for Params2 {
    type Rejection = ApiError;
    async fn from_request_parts(parts: &mut Parts, http: &Http) -> Result<Self, ApiError> {
        let [a, b] = texts(parts, http).await?;
        Ok(Self(a, b))
    }
}

/// As many as the route names.
async fn texts<const N: usize>(parts: &mut Parts, http: &Http) -> Result<[String; N], ApiError> {
    let Path(named) = Path::<Vec<(String, String)>>::from_request_parts(parts, http)
        .await
        .map_err(|_| ApiError::invalid("id", "the path is not text"))?;
    if let Some((name, _)) = named.iter().find(|(_, text)| text.contains('\0')) {
        let message = format!("{name} contains a NUL character");
        return Err(ApiError::unprocessable("nul_character", name, message));
    }
    let texts: Vec<String> = named.into_iter().map(|(_, text)| text).collect();
    texts.try_into().map_err(|_| ApiError::new(Code::Internal, "the route has other parameters"))
}
