//! Minting with nothing around it: parse the body, hash the key, look it up, sign (RFC 7515, RFC 9068).

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use anyhow::{Result, anyhow};
use aws_lc_rs::digest;
use aws_lc_rs::rand::{self, SystemRandom};
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::routing::post;
use axum::{Json, Router};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};

const TTL: Duration = Duration::from_hours(1);

/// A signing key, one API key, and what minting needs of both.
pub(crate) struct Tokens {
    pair: EcdsaKeyPair,
    /// `base64url(header) + "."`, the same for every token.
    header: String,
    api_key: String,
    /// SHA-256 of an API key to its id.
    keys: HashMap<[u8; 32], String>,
    random: SystemRandom,
    minted: AtomicU64,
}

/// The claims of a minted token: as many, and as long, as those of Hallpass.
#[derive(Serialize, Deserialize)]
pub(crate) struct Claims<'a> {
    pub(crate) kind: &'a str,
    pub(crate) iss: &'a str,
    pub(crate) aud: &'a str,
    pub(crate) sub: &'a str,
    pub(crate) company_id: &'a str,
    pub(crate) client_id: &'a str,
    pub(crate) scope: &'a str,
    pub(crate) rev: u64,
    pub(crate) jti: &'a str,
    pub(crate) iat: u64,
    pub(crate) exp: u64,
}

#[derive(Deserialize)]
struct MintBody {
    company_id: String,
    user_id: String,
    scoped_actions: Vec<String>,
}

#[derive(Serialize)]
struct TokenView {
    token: String,
    expires_at: u64,
}

impl Tokens {
    pub(crate) fn generate() -> Result<Arc<Self>> {
        let random = SystemRandom::new();
        let mut secret = [0; 32];
        rand::fill(&mut secret).map_err(|_| anyhow!("no randomness"))?;
        let api_key = format!("hpd_{}", URL_SAFE_NO_PAD.encode(secret));
        let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING)
            .map_err(|_| anyhow!("cannot generate a key"))?;
        let kid = URL_SAFE_NO_PAD.encode(digest::digest(&digest::SHA256, pair.public_key().as_ref()));
        let header = format!(r#"{{"alg":"ES256","typ":"at+jwt","kid":"{kid}"}}"#);
        let keys = HashMap::from([(sha256(api_key.as_bytes()), "apik_01JD0000000000000000000000".into())]);
        Ok(Arc::new(Self {
            pair,
            header: URL_SAFE_NO_PAD.encode(header) + ".",
            api_key,
            keys,
            random,
            minted: AtomicU64::new(0),
        }))
    }

    pub(crate) fn api_key(&self) -> &str {
        &self.api_key
    }

    /// The public key as an uncompressed point (SEC 1 §2.3.3).
    pub(crate) fn public_key(&self) -> &[u8] {
        self.pair.public_key().as_ref()
    }

    fn mint(&self, headers: &HeaderMap, body: &MintBody) -> Result<TokenView, StatusCode> {
        let key = bearer(headers).ok_or(StatusCode::UNAUTHORIZED)?;
        let client_id = self.keys.get(&sha256(key.as_bytes())).ok_or(StatusCode::UNAUTHORIZED)?;
        let iat = now_secs()?;
        let claims = Claims {
            kind: "minted",
            iss: "http://127.0.0.1:3000",
            aud: "http://127.0.0.1:3000",
            sub: &body.user_id,
            company_id: &body.company_id,
            client_id,
            scope: &body.scoped_actions.join(" "),
            rev: 1,
            jti: &format!("01JD{:022}", self.minted.fetch_add(1, Ordering::Relaxed)),
            iat,
            exp: iat + TTL.as_secs(),
        };
        let claims_json = serde_json::to_vec(&claims).map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)?;
        let mut token = String::with_capacity(1024);
        token.push_str(&self.header);
        URL_SAFE_NO_PAD.encode_string(claims_json, &mut token);
        let signature =
            self.pair.sign(&self.random, token.as_bytes()).map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)?;
        token.push('.');
        URL_SAFE_NO_PAD.encode_string(signature, &mut token);
        Ok(TokenView { token, expires_at: claims.exp })
    }
}

pub(crate) fn router(tokens: &Arc<Tokens>) -> Router {
    Router::new().route("/mint", post(mint)).with_state(Arc::clone(tokens))
}

async fn mint(
    State(tokens): State<Arc<Tokens>>,
    headers: HeaderMap,
    Json(body): Json<MintBody>,
) -> Result<Json<TokenView>, StatusCode> {
    tokens.mint(&headers, &body).map(Json)
}

pub(crate) fn bearer(headers: &HeaderMap) -> Option<&str> {
    headers.get(header::AUTHORIZATION)?.to_str().ok()?.strip_prefix("Bearer ")
}

pub(crate) fn now_secs() -> Result<u64, StatusCode> {
    SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .map(|since| since.as_secs())
        .map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)
}

fn sha256(bytes: &[u8]) -> [u8; 32] {
    digest::digest(&digest::SHA256, bytes).as_ref().try_into().expect("a SHA-256 has 32 bytes")
}
