//! `POST /oauth/introspect` (RFC 7662): for clients about their own tokens, and for API keys about the tokens
//! of users in their companies.

use axum::extract::{FromRequestParts, Request, State};
use axum::http::{StatusCode, header};
use axum::response::Response;
use hallpass_app::oauth::inspect::{Inspector, Introspection};
use hallpass_core::ScopeSet;
use hallpass_core::id::CompanyId;
use hallpass_oauth::OAuthError;
use serde::Serialize;

use super::{Refused, answer, body_params, client};
use crate::extract::Authed;
use crate::state::Http;

/// RFC 7662 §2.2.
#[derive(Default, Serialize)]
struct IntrospectionView {
    active: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    token_type: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    scope: Option<ScopeSet>,
    #[serde(skip_serializing_if = "Option::is_none")]
    client_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sub: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    iss: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    aud: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    iat: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    exp: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    jti: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sid: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    company_id: Option<CompanyId>,
}

impl From<Introspection> for IntrospectionView {
    fn from(found: Introspection) -> Self {
        match found {
            Introspection::Access(claims) => Self {
                active: true,
                token_type: Some("Bearer"),
                scope: Some(claims.scope),
                client_id: Some(claims.client_id.to_string()),
                sub: Some(claims.sub.to_string()),
                iss: Some(claims.iss.to_string()),
                aud: Some(claims.aud.to_string()),
                iat: Some(claims.iat),
                exp: Some(claims.exp),
                jti: Some(claims.jti.to_string()),
                sid: claims.sid,
                company_id: claims.company_id,
            },
            Introspection::Refresh { client, sub, company, scope, iat, exp } => Self {
                active: true,
                token_type: Some("refresh_token"),
                scope: Some(scope),
                client_id: Some(client.to_string()),
                sub: Some(sub.to_string()),
                iat: Some(iat),
                exp: Some(exp),
                company_id: company,
                ..Self::default()
            },
        }
    }
}

/// Says what a token is good for; of every other text, that it is not active.
pub(crate) async fn introspect(State(http): State<Http>, request: Request) -> Result<Response, Refused> {
    let (mut parts, params) = body_params(&http, request).await?;
    let is_bearer = parts.headers.get(header::AUTHORIZATION).is_some_and(|value| {
        value.as_bytes().get(..7).is_some_and(|start| start.eq_ignore_ascii_case(b"bearer "))
    });
    let found = if is_bearer {
        let Authed(caller) = Authed::from_request_parts(&mut parts, &http).await?;
        http.app.introspect(&Inspector::Key(&caller), params.require("token")?).await?
    } else {
        let (client, proof) = client(&http, &parts, &params).await?;
        if !proof.authenticated {
            return Err(OAuthError::invalid_client("introspection needs the client's secret").into());
        }
        http.app.introspect(&Inspector::Client(&client), params.require("token")?).await?
    };
    Ok(answer(StatusCode::OK, &found.map_or_else(IntrospectionView::default, Into::into)))
}
