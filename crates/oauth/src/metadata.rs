//! What clients discover: RFC 8414 and OpenID Connect Discovery, one document under both names.

use serde_json::{Value, json};

use crate::grants::GRANT_TYPES;
use crate::scope::requestable;

/// The document of an issuer.
pub fn document(issuer: &str) -> Value {
    let at = |path: &str| format!("{issuer}{path}");
    let scopes: Vec<&str> = requestable().iter().map(hallpass_core::Scope::name).collect();
    let methods = ["client_secret_basic", "client_secret_post", "none"];
    json!({
        "issuer": issuer,
        "authorization_endpoint": at("/oauth/authorize"),
        "token_endpoint": at("/oauth/token"),
        "userinfo_endpoint": at("/oauth/userinfo"),
        "revocation_endpoint": at("/oauth/revoke"),
        "introspection_endpoint": at("/oauth/introspect"),
        "end_session_endpoint": at("/oauth/logout"),
        "jwks_uri": at("/.well-known/jwks.json"),
        "scopes_supported": scopes,
        "response_types_supported": ["code"],
        "response_modes_supported": ["query"],
        "grant_types_supported": GRANT_TYPES,
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["ES256"],
        "token_endpoint_auth_methods_supported": methods,
        "revocation_endpoint_auth_methods_supported": methods,
        "introspection_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
        "code_challenge_methods_supported": ["S256"],
        "authorization_response_iss_parameter_supported": true,
        "claims_supported": [
            "sub", "iss", "aud", "exp", "iat", "auth_time", "nonce", "acr", "amr", "at_hash", "sid",
            "name", "preferred_username", "picture", "email", "email_verified"
        ],
        "claim_types_supported": ["normal"],
        "acr_values_supported": ["1", "phr"],
        "prompt_values_supported": ["none", "login", "consent", "select_account", "create"],
        "ui_locales_supported": hallpass_core::locale::Locale::ALL.map(hallpass_core::locale::Locale::tag),
        "claims_parameter_supported": false,
        "request_parameter_supported": false,
        "request_uri_parameter_supported": false,
        "service_documentation": at("/api"),
    })
}
