//! Minting with an OAuth token: for its own user, never more, never longer.

use jiff::SignedDuration;
use serde_json::json;

use super::client::*;

#[tokio::test]
async fn an_oauth_token_mints_for_its_own_user_within_its_bounds() {
    let server = server().await;
    let client = Client::new(&server).await;
    let mut browser = client.person("ann").await;
    let tokens = client.tokens(&mut browser, &[]).await;
    let access = text(&tokens, "access_token");
    let user = claims(&access)["sub"].as_str().unwrap().to_owned();
    let company = client.company;
    let actor = server.actor(access.clone());
    let mint = async |body: serde_json::Value| actor.post("/access_tokens", body).await;
    mint(json!({})).await.refused(400, "parameter_missing");
    mint(json!({ "company_id": company })).await.refused(404, "not_found");
    server.app.make_member(company, user.parse().unwrap()).await.unwrap();
    let minted = mint(json!({ "company_id": company })).await.ok();
    let token = text(&minted, "token");
    let (own, new) = (claims(&access), claims(&token));
    assert_eq!((&new["kind"], &new["company_id"]), (&json!("minted"), &json!(company)));
    for same in ["sub", "client_id", "sid", "grant", "iss", "aud"] {
        assert_eq!(new[same], own[same], "{same}");
    }
    assert!(new["exp"].as_i64() <= own["exp"].as_i64());
    server.actor(token.clone()).get(&format!("/chat_channels?company_id={company}")).await.ok();
    // A minted one does not mint.
    server
        .actor(token.clone())
        .post("/access_tokens", json!({ "company_id": company }))
        .await
        .refused(403, "user_token");
    let rival = server.company("rival").await;
    let stranger = rival.user("bob").await;
    mint(json!({ "company_id": company, "user_id": stranger })).await.refused(404, "not_found");
    mint(json!({ "company_id": rival.id })).await.refused(404, "not_found");
    mint(json!({ "company_id": company, "scoped_actions": ["chat:moderate"] }))
        .await
        .refused(403, "scope_exceeds_token");
    let narrow =
        mint(json!({ "company_id": company, "user_id": user, "scoped_actions": ["chat:read"] })).await.ok();
    assert_eq!(claims(&text(&narrow, "token"))["scope"], "chat:read");
    // Asked for longer: as long as the token that mints.
    server.clock.advance(SignedDuration::from_mins(30));
    let late = server.app.clock().now() + SignedDuration::from_hours(2);
    let long = mint(json!({ "company_id": company, "expires_at": late.to_string() })).await.ok();
    assert_eq!(claims(&text(&long, "token"))["exp"], own["exp"]);
    // What ends the session, ends it.
    browser.get("/account").await;
    browser.post("/sign-out", &[]).await;
    server
        .actor(token)
        .get(&format!("/chat_channels?company_id={company}"))
        .await
        .refused(401, "credential_revoked");
}
