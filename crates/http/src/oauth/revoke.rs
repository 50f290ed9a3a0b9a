//! `POST /oauth/revoke` (RFC 7009).

use axum::extract::{Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};

use super::{Refused, body_params, client};
use crate::state::Http;

/// Revokes a token of the client's. Any other text is answered alike (§2.2).
pub(crate) async fn revoke(State(http): State<Http>, request: Request) -> Result<Response, Refused> {
    let (parts, params) = body_params(&http, request).await?;
    let (client, proof) = client(&http, &parts, &params).await?;
    let token = params.require("token")?;
    http.app.revoke_token(&client, proof, token).await?;
    let mut response = StatusCode::OK.into_response();
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(response)
}
