//! Verifying with nothing around it: no cache, the key parsed once (RFC 7515 §5.2).

use std::sync::Arc;

use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED, ParsedPublicKey};
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::get;
use axum::{Json, Router};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Serialize;

use crate::mint::{Claims, Tokens, bearer, now_secs};

#[derive(Serialize)]
struct UserView {
    id: String,
    company_id: String,
}

pub(crate) fn router(tokens: &Tokens) -> Router {
    let key = ParsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, tokens.public_key())
        .expect("a key just made can be read");
    Router::new().route("/verify", get(verify)).with_state(Arc::new(key))
}

async fn verify(
    State(key): State<Arc<ParsedPublicKey>>,
    headers: HeaderMap,
) -> Result<Json<UserView>, StatusCode> {
    bearer(&headers).and_then(|token| check(&key, token)).map(Json).ok_or(StatusCode::UNAUTHORIZED)
}

fn check(key: &ParsedPublicKey, token: &str) -> Option<UserView> {
    let (signed, signature) = token.rsplit_once('.')?;
    let (_, claims) = signed.split_once('.')?;
    key.verify_sig(signed.as_bytes(), &URL_SAFE_NO_PAD.decode(signature).ok()?).ok()?;
    let claims = URL_SAFE_NO_PAD.decode(claims).ok()?;
    let claims: Claims<'_> = serde_json::from_slice(&claims).ok()?;
    (claims.exp > now_secs().ok()?)
        .then(|| UserView { id: claims.sub.to_owned(), company_id: claims.company_id.to_owned() })
}
