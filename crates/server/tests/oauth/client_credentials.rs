//! Client credentials: an app for itself, never more than its key.

use serde_json::json;

use super::client::*;

fn asking(client: &Client<'_>, scope: &str) -> Fields {
    let fields = vec![
        ("grant_type", "client_credentials".to_owned()),
        ("client_id", client.id.clone()),
        ("client_secret", client.secret.clone()),
    ];
    changed(fields, &[("scope", scope)])
}

#[tokio::test]
async fn an_app_s_own_token_does_what_its_key_may_as_far_as_it_names() {
    let server = server().await;
    let client = Client::new(&server).await;
    let tokens = form(&server, "/oauth/token", &asking(&client, "company:basic:read chat:read")).await.ok();
    assert!(tokens.get("refresh_token").is_none() && tokens.get("id_token").is_none());
    assert_eq!(tokens["scope"], "chat:read company:basic:read");
    let token = text(&tokens, "access_token");
    assert_eq!(claims(&token)["sub"], client.id);
    let app = server.actor(token.clone());
    app.get(&format!("/companies/{}", client.company)).await.ok();
    app.get(&format!("/chat_channels?company_id={}", client.company)).await.ok();
    // Its key may, the token does not.
    app.get(&format!("/members?company_id={}", client.company)).await.refused(403, "scope_missing");
    app.get("/users/me").await.refused(403, "api_key");
    refused(&userinfo(&server, &token).await, 403, "insufficient_scope");
    // It mints nothing: what it minted would outlive it.
    let owner = server.actor(client.key.clone()).get(&format!("/companies/{}", client.company)).await.ok();
    let user = text(&owner["owner_user"], "id");
    let mint = json!({ "company_id": client.company, "user_id": user });
    app.post("/access_tokens", mint).await.refused(403, "app_token");
    // Another company.
    let rival = server.company("rival").await;
    app.get(&format!("/companies/{}", rival.id)).await.refused(404, "not_found");
    app.get(&format!("/chat_channels?company_id={}", rival.id)).await.refused(404, "not_found");
    // Without a scope, what chat needs; management is named.
    let tokens = form(&server, "/oauth/token", &asking(&client, "")).await.ok();
    assert!(text(&tokens, "scope").contains("chat:read") && !text(&tokens, "scope").contains("developer:"));
}

#[tokio::test]
async fn without_the_secret_or_beyond_the_key_there_is_none() {
    let server = server().await;
    let client = Client::new(&server).await;
    let bare = changed(asking(&client, "chat:read"), &[("client_secret", "")]);
    refused(&form(&server, "/oauth/token", &bare).await, 400, "unauthorized_client");
    for scope in ["company:transfer_ownership", "chat:everything"] {
        refused(&form(&server, "/oauth/token", &asking(&client, scope)).await, 400, "invalid_scope");
    }
    let unknown = changed(asking(&client, ""), &[("grant_type", "password")]);
    refused(&form(&server, "/oauth/token", &unknown).await, 400, "unsupported_grant_type");
    refused(
        &form(&server, "/oauth/token", &changed(asking(&client, ""), &[("grant_type", "")])).await,
        400,
        "invalid_request",
    );
}

#[tokio::test]
async fn revoking_the_app_s_key_ends_the_tokens_it_bounds() {
    let server = server().await;
    let client = Client::new(&server).await;
    let tokens = form(&server, "/oauth/token", &asking(&client, "company:basic:read")).await.ok();
    let app = server.actor(text(&tokens, "access_token"));
    app.get(&format!("/companies/{}", client.company)).await.ok();
    let id = {
        let mut conn = server.app.store().read().await.unwrap();
        let now = server.app.clock().now();
        conn.find_app_key(client.id.parse().unwrap(), now).await.unwrap().unwrap()
    };
    let owner = server.actor(client.key.clone());
    owner.post("/access_tokens/revoke", json!({ "api_key_id": id })).await.ok();
    app.get(&format!("/companies/{}", client.company)).await.refused(401, "credential_revoked");
    refused(&form(&server, "/oauth/token", &asking(&client, "chat:read")).await, 400, "unauthorized_client");
}

#[tokio::test]
async fn threat_02_a_narrow_key_gets_no_wide_app_by_making_or_rotating_one() {
    use hallpass_core::statement::{KeyRights, Pattern, Statement};
    let server = server().await;
    let client = Client::new(&server).await;
    let actions =
        hallpass_core::ScopeSet::parse("developer:create_app developer:manage_api_key developer:update_app")
            .unwrap();
    let resources = vec![Pattern::try_from(client.company.to_string()).unwrap()];
    let rights = KeyRights::Statements(vec![Statement { actions, grant: true, resources }]);
    let narrow = server.key(client.company, rights).await;
    // The wide app's secret would give what its key may do.
    let refusal = server.actor(narrow).post(&format!("/apps/{}/rotate_secret", client.id), json!({})).await;
    assert_eq!(refusal.status, 403, "{}", refusal.text);
    // Managing keys is not for users' tokens: none makes an app, whose key would be as wide as its maker.
    let company = client.company;
    let ann = server.actor(client.key.clone());
    let owner = ann.get(&format!("/companies/{company}")).await.ok();
    let user = text(&owner["owner_user"], "id");
    let minted = ann
        .post(
            "/access_tokens",
            json!({ "company_id": company, "user_id": user,
                "scoped_actions": ["developer:create_app", "developer:manage_api_key", "developer:update_app", "chat:read"] }),
        )
        .await
        .ok();
    let body = json!({ "name": "Small", "company_id": company });
    let made = server.actor(text(&minted, "token")).post("/apps", body).await;
    made.refused(403, "scope_missing");
}
