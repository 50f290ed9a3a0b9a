//! Minting: what is asked for, what is granted, what the token says.

use hallpass_core::id::AppId;
use hallpass_core::role::Role;
use hallpass_core::statement::KeyRights;
use hallpass_testkit::{Actor, PUBLIC_URL, TestServer};
use jiff::SignedDuration;
use serde_json::{Value, json};

use super::cases::{Tenant, tenant};
use super::given::{claims, header, may, raw_json, request, statements, text};

async fn mint(key: &Actor<'_>, body: Value) -> Value {
    key.post("/access_tokens", body).await.ok()
}

fn scopes(minted: &Value) -> Vec<String> {
    let said = claims(text(minted, "token"));
    text(&said, "scope").split(' ').map(str::to_owned).collect()
}

/// A mint's body, with more.
fn asking(t: &Tenant, more: &Value) -> Value {
    let mut body = json!({ "company_id": t.company, "user_id": t.user });
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    body
}

#[tokio::test]
async fn a_missing_id_is_named() {
    let server = TestServer::start().await;
    let acme = tenant(&server, "acme").await;
    let key = server.actor(&acme.key);
    for (body, param) in [
        (json!({}), "company_id"),
        (json!({ "user_id": acme.user }), "company_id"),
        (json!({ "company_id": null, "user_id": acme.user }), "company_id"),
        (json!({ "company_id": acme.company }), "user_id"),
        (json!({ "company_id": acme.company, "user_id": null }), "user_id"),
    ] {
        let error = key.post("/access_tokens", body).await.refused(400, "parameter_missing");
        assert_eq!(error["param"], param);
        assert!(text(&error, "message").contains(param));
    }
    // No body at all is the empty object, as the SDK sends it.
    for body in ["", "{}"] {
        let error = raw_json(&server, &acme.key, "POST", "/access_tokens", body).await;
        assert_eq!(error.refused(400, "parameter_missing")["param"], "company_id");
    }
}

#[tokio::test]
async fn malformed_ids_are_named() {
    let server = TestServer::start().await;
    let acme = tenant(&server, "acme").await;
    let key = server.actor(&acme.key);
    let user = acme.user.as_str();
    for (body, param) in [
        (json!({ "company_id": "biz_x", "user_id": user }), "company_id"),
        (json!({ "company_id": user, "user_id": user }), "company_id"),
        (json!({ "account_id": "", "user_id": user }), "account_id"),
        (json!({ "company_id": acme.company, "user_id": "ann" }), "user_id"),
        (json!({ "company_id": acme.company, "user_id": user.to_lowercase() }), "user_id"),
        (json!({ "company_id": acme.company, "user_id": 7 }), "user_id"),
        (json!({ "company_id": acme.company, "user_id": [user] }), "user_id"),
        (
            json!({ "company_id": acme.company, "user_id": user, "scoped_actions": "chat:read" }),
            "scoped_actions",
        ),
        (json!({ "company_id": acme.company, "user_id": user, "expires_at": 1_767_268_800 }), "expires_at"),
    ] {
        let error = key.post("/access_tokens", body).await.refused(400, "parameter_invalid");
        assert_eq!(error["param"], param);
    }
}

#[tokio::test]
async fn company_and_account_are_one_parameter() {
    let server = TestServer::start().await;
    let acme = tenant(&server, "acme").await;
    let key = server.actor(&acme.key);
    let company = acme.company.to_string();
    for body in [
        json!({ "account_id": company, "user_id": acme.user }),
        json!({ "account_id": company, "company_id": company, "user_id": acme.user }),
        json!({ "account_id": company, "company_id": null, "user_id": acme.user }),
    ] {
        let minted = mint(&key, body).await;
        assert_eq!(claims(text(&minted, "token"))["company_id"], json!(company));
    }
    let body = json!({ "account_id": acme.account, "company_id": company, "user_id": acme.user });
    let error = key.post("/access_tokens", body).await.refused(400, "parameter_invalid");
    assert_eq!(error["param"], "account_id");
}

#[tokio::test]
async fn the_response_is_exactly_token_and_expiry() {
    let server = TestServer::start().await;
    let acme = tenant(&server, "acme").await;
    let answer = server.actor(&acme.key).post("/access_tokens", asking(&acme, &json!({}))).await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.body.as_object().unwrap().keys().collect::<Vec<_>>(), ["expires_at", "token"]);
    assert_eq!(answer.headers["content-type"], "application/json");
    assert_eq!(answer.headers["cache-control"], "private, no-store");
}

#[tokio::test]
async fn the_token_is_in_the_profile_of_rfc_9068() {
    let server = TestServer::start().await;
    let acme = tenant(&server, "acme").await;
    let asked = asking(&acme, &json!({ "scoped_actions": ["dms:read", "chat:read", "chat:read"] }));
    let minted = mint(&server.actor(&acme.key), asked).await;
    let token = text(&minted, "token");
    let jwks = server.send(request("GET", "/.well-known/jwks.json", &[], "")).await.body;
    let kids: Vec<&Value> = jwks["keys"].as_array().unwrap().iter().map(|jwk| &jwk["kid"]).collect();
    let head = header(token);
    assert_eq!((&head["alg"], &head["typ"]), (&json!("ES256"), &json!("at+jwt")));
    assert!(kids.contains(&&head["kid"]));
    assert_eq!(head.as_object().unwrap().len(), 3);

    let said = claims(token);
    let key_id = server.app.list_company_keys(acme.company).await.unwrap();
    assert!(key_id.iter().any(|key| json!(key.id) == said["client_id"]), "{said}");
    assert_eq!(said["iss"], PUBLIC_URL);
    assert_eq!(said["aud"], PUBLIC_URL);
    assert_eq!(said["kind"], "minted");
    assert_eq!(said["sub"], json!(acme.user));
    assert_eq!(said["company_id"], json!(acme.company));
    assert_eq!(said["scope"], "chat:read dms:read");
    assert_eq!(said["iat"], 1_767_268_800);
    assert_eq!(said["exp"], 1_767_272_400);
    assert!(said["rev"].is_u64());
    assert!(text(&said, "jti").starts_with("tok_"));
    assert_eq!(said.as_object().unwrap().len(), 11, "{said}");
    let again = mint(&server.actor(&acme.key), asking(&acme, &json!({}))).await;
    assert_ne!(claims(text(&again, "token"))["jti"], said["jti"]);
}

#[tokio::test]
async fn an_unknown_scope_is_refused_by_name() {
    let server = TestServer::start().await;
    let acme = tenant(&server, "acme").await;
    let key = server.actor(&acme.key);
    for bad in
        ["chat:nonsense", "chat", "", "chat:read ", "CHAT:READ", "chat:read chat:moderate", "*", "chat:*"]
    {
        let body = asking(&acme, &json!({ "scoped_actions": ["chat:read", bad] }));
        let error = key.post("/access_tokens", body).await.refused(400, "parameter_invalid");
        assert_eq!(error["param"], "scoped_actions", "{bad:?}");
    }
    let body = asking(&acme, &json!({ "scoped_actions": ["chat:nonsense"] }));
    let error = key.post("/access_tokens", body).await.refused(400, "parameter_invalid");
    assert!(text(&error, "message").contains("chat:nonsense"));
    let many = vec!["chat:read"; 257];
    key.post("/access_tokens", asking(&acme, &json!({ "scoped_actions": many })))
        .await
        .refused(400, "parameter_invalid");
}

#[tokio::test]
async fn scopes_wider_than_the_key_are_refused_by_name() {
    let server = TestServer::start().await;
    let acme = tenant(&server, "acme").await;
    let key = acme.key_with(&server, may(acme.company, &["chat:read", "dms:read"])).await;
    let key = server.actor(key);
    let body =
        asking(&acme, &json!({ "scoped_actions": ["chat:read", "chat:moderate", "member:email:read"] }));
    let error = key.post("/access_tokens", body).await.refused(403, "scope_exceeds_key");
    let message = text(&error, "message");
    assert!(message.contains("chat:moderate") && message.contains("member:email:read"), "{message}");
    assert!(!message.contains("chat:read"), "{message}");
    let minted = mint(&key, asking(&acme, &json!({ "scoped_actions": ["chat:read"] }))).await;
    assert_eq!(scopes(&minted), ["chat:read"]);
    // Nothing named: what both key and role allow.
    let minted = mint(&key, asking(&acme, &json!({ "scoped_actions": [] }))).await;
    assert_eq!(scopes(&minted), ["chat:read", "dms:read"]);
    // A key that allows a user nothing.
    let key = acme.key_with(&server, may(acme.company, &["stats:read"])).await;
    server
        .actor(key)
        .post("/access_tokens", asking(&acme, &json!({})))
        .await
        .refused(403, "scope_exceeds_key");
}

#[tokio::test]
async fn what_is_inherited_is_chat_and_profile_and_is_written_into_the_token() {
    let server = TestServer::start().await;
    let acme = tenant(&server, "acme").await;
    let key = server.actor(&acme.key);
    let member = [
        "chat:message:create",
        "chat:read",
        "dms:channel:manage",
        "dms:message:manage",
        "dms:read",
        "openid",
        "profile",
        "support_chat:message:create",
        "support_chat:read",
        "user:profile:update",
    ];
    for none in [json!({}), json!({ "scoped_actions": null }), json!({ "scoped_actions": [] })] {
        assert_eq!(scopes(&mint(&key, asking(&acme, &none)).await), member);
    }
    // By the highest role, too: nothing that manages, nothing that reads addresses.
    server.app.set_team_role(acme.company, acme.user.parse().unwrap(), Some(Role::Owner)).await.unwrap();
    let minted = mint(&key, asking(&acme, &json!({}))).await;
    let own = scopes(&minted);
    for scope in &own {
        let is_chat = ["chat:", "dms:", "support_chat:", "livestream:chat:"]
            .iter()
            .any(|family| scope.starts_with(family));
        assert!(is_chat || ["openid", "profile", "user:profile:update"].contains(&scope.as_str()), "{scope}");
    }
    assert!(own.contains(&"chat:moderate".to_owned()));
    let token = server.actor(text(&minted, "token"));
    token.patch(&format!("/companies/{}", acme.company), json!({})).await.refused(403, "scope_missing");
    token.get(&format!("/members?company_id={}", acme.company)).await.refused(403, "scope_missing");
    // Resolved at mint: a later promotion does not reach into tokens that inherited less.
    let other = tenant(&server, "other").await;
    let minted = mint(&server.actor(&other.key), asking(&other, &json!({}))).await;
    server.app.set_team_role(other.company, other.user.parse().unwrap(), Some(Role::Owner)).await.unwrap();
    let path = format!("/chat_channels/{}", other.channel);
    server
        .actor(text(&minted, "token"))
        .patch(&path, json!({ "ban_urls": true }))
        .await
        .refused(403, "scope_missing");
}

#[tokio::test]
async fn a_company_may_demand_that_scopes_are_named() {
    let server = TestServer::start().await;
    let acme = tenant(&server, "acme").await;
    let key = server.actor(&acme.key);
    server.app.set_company_settings(acme.company, Some(true), None).await.unwrap();
    for none in [json!({}), json!({ "scoped_actions": [] })] {
        let error = key.post("/access_tokens", asking(&acme, &none)).await.refused(400, "parameter_missing");
        assert_eq!(error["param"], "scoped_actions");
    }
    mint(&key, asking(&acme, &json!({ "scoped_actions": ["chat:read"] }))).await;
    server.app.set_company_settings(acme.company, Some(false), None).await.unwrap();
    mint(&key, asking(&acme, &json!({}))).await;
}

#[tokio::test]
async fn a_token_does_no_more_than_its_scopes_whatever_its_user_may() {
    let server = TestServer::start().await;
    let acme = tenant(&server, "acme").await;
    server.app.set_team_role(acme.company, acme.user.parse().unwrap(), Some(Role::Owner)).await.unwrap();
    let token = server.actor(acme.token_with(&server, &["chat:read"]).await);
    token.get(&format!("/messages?channel_id={}", acme.channel)).await.ok();
    let error = token.say(&acme.channel, "no").await.refused(403, "scope_missing");
    assert!(text(&error, "message").contains("chat:message:create"));
    token.delete(&format!("/messages/{}", acme.message)).await.refused(403, "scope_missing");
}

#[tokio::test]
async fn the_expiry_is_at_most_three_hours_ahead_to_the_second() {
    let server = TestServer::start().await;
    let acme = tenant(&server, "acme").await;
    let key = server.actor(&acme.key);
    for (asked, granted) in [
        (json!(null), "2026-01-01T13:00:00.000Z"),
        (json!("2026-01-01T15:00:00Z"), "2026-01-01T15:00:00.000Z"),
        (json!("2026-01-01T15:00:00.000Z"), "2026-01-01T15:00:00.000Z"),
        (json!("2026-01-01T16:00:00+01:00"), "2026-01-01T15:00:00.000Z"),
        (json!("2026-01-01T12:00:01Z"), "2026-01-01T12:00:01.000Z"),
        (json!("2026-01-01T12:30:00.999Z"), "2026-01-01T12:30:00.000Z"),
    ] {
        let minted = mint(&key, asking(&acme, &json!({ "expires_at": asked }))).await;
        assert_eq!(minted["expires_at"], granted, "{asked}");
        let exp = claims(text(&minted, "token"))["exp"].as_i64().unwrap();
        assert_eq!(granted.parse::<jiff::Timestamp>().unwrap().as_second(), exp);
    }
    for refused in [
        "2026-01-01T12:00:00Z",
        "2026-01-01T11:59:59Z",
        "2026-01-01T12:00:00.999Z",
        "2026-01-01T15:00:00.001Z",
        "2026-01-01T15:00:01Z",
        "2027-01-01T00:00:00Z",
        "9999-12-31T23:59:59Z",
        "-009999-01-01T00:00:00Z",
        "1970-01-01",
        "tomorrow",
        "",
        "1767270000",
        "2026-01-01T13:00:00",
        "2026-13-01T13:00:00Z",
        "2026-01-01T25:00:00Z",
        "99999-01-01T00:00:00Z",
    ] {
        let body = asking(&acme, &json!({ "expires_at": refused }));
        let error = key.post("/access_tokens", body).await.refused(400, "parameter_invalid");
        assert_eq!(error["param"], "expires_at", "{refused:?}");
    }
}

#[tokio::test]
async fn a_token_is_dead_from_the_second_it_names() {
    let server = TestServer::start().await;
    let acme = tenant(&server, "acme").await;
    let minted =
        mint(&server.actor(&acme.key), asking(&acme, &json!({ "expires_at": "2026-01-01T12:10:00Z" }))).await;
    let token = server.actor(text(&minted, "token"));
    server.clock.advance(SignedDuration::from_millis(10 * 60_000 - 1));
    token.get("/users/me").await.ok();
    server.clock.advance(SignedDuration::from_millis(1));
    let answer = token.get("/users/me").await;
    let challenge = answer.headers["www-authenticate"].to_str().unwrap().to_owned();
    assert!(challenge.contains("expired"), "{challenge}");
    answer.refused(401, "credential_expired");
    // Revoking what is dead is granted.
    let revoke = json!({ "token": minted["token"] });
    server.actor(&acme.key).post("/access_tokens/revoke", revoke).await.ok();
}

#[tokio::test]
async fn clocks_a_day_off_refuse_rather_than_accept() {
    let server = TestServer::start().await;
    let acme = tenant(&server, "acme").await;
    // Issued by a node whose clock is a day ahead of ours: not valid yet.
    server.clock.advance(SignedDuration::from_hours(24));
    let ahead = acme.token_with(&server, &["chat:read"]).await;
    server.clock.advance(SignedDuration::from_hours(-24));
    server.actor(&ahead).get("/users/me").await.refused(401, "credential_invalid");
    // And a day behind: over.
    server.clock.advance(SignedDuration::from_hours(24));
    server.actor(&acme.token).get("/users/me").await.refused(401, "credential_expired");
}

#[tokio::test]
async fn an_app_key_mints_in_the_companies_that_own_or_installed_it() {
    let server = TestServer::start().await;
    let (acme, rival) = (tenant(&server, "acme").await, tenant(&server, "rival").await);
    let app: AppId = "app_01KDWPVNG0W1GTXMFFD0000001".parse().unwrap();
    let ask = (app, acme.company, server.app.clock().now());
    server
        .app
        .store()
        .write(ask, |(app, company, at), tx| Box::pin(tx.insert_app(*app, Some(*company), "Our app", *at)))
        .await
        .unwrap();
    let ask = hallpass_app::api_keys::CreateApiKey {
        company: acme.company,
        app: Some(app),
        name: None,
        rights: KeyRights::Role(Role::Admin),
        expires_at: None,
    };
    let made = server.app.make_api_key(ask, None).await.unwrap();
    assert!(made.secret.expose().starts_with("hpa_"));
    let key = server.actor(made.secret.expose());
    let minted = mint(&key, asking(&acme, &json!({}))).await;
    server.actor(text(&minted, "token")).get("/users/me").await.ok();
    mint(&key, json!({ "company_id": acme.account, "user_id": acme.user })).await;
    key.post("/access_tokens", asking(&rival, &json!({}))).await.refused(404, "not_found");
    // What no app may hold, an app's key does not pass on, its role notwithstanding.
    let body = asking(&acme, &json!({ "scoped_actions": ["developer:manage_api_key"] }));
    key.post("/access_tokens", body).await.refused(403, "scope_exceeds_key");
    let body = json!({ "child_company_id": acme.company, "role": "moderator" });
    key.post(&format!("/companies/{}/api_keys", acme.company), body).await.refused(403, "scope_missing");
}

#[tokio::test]
async fn a_key_for_one_part_mints_tokens_for_that_part_only() {
    let server = TestServer::start().await;
    let acme = server.company("acme").await;
    let (open, _) = acme.channel("Open", true).await;
    let (other, _) = acme.channel("Other", true).await;
    let user = acme.user("ann").await;
    let part = format!("{}|{open}", acme.id);
    let key = server.key(acme.id, statements(&[(&["chat:read"], true, &part)])).await;
    let minted = server.actor(&key).mint(acme.id, &user, &["chat:read"]).await.ok();
    let token = server.actor(text(&minted, "token"));
    token.get(&format!("/messages?channel_id={open}")).await.ok();
    token.get(&format!("/messages?channel_id={other}")).await.refused(403, "scope_missing");
    // A denial of a part, too.
    let denied = server
        .key(
            acme.id,
            statements(&[(&["chat:read"], true, &acme.id.to_string()), (&["chat:read"], false, &part)]),
        )
        .await;
    let minted = server.actor(&denied).mint(acme.id, &user, &["chat:read"]).await.ok();
    let token = server.actor(text(&minted, "token"));
    token.get(&format!("/messages?channel_id={other}")).await.ok();
    token.get(&format!("/messages?channel_id={open}")).await.refused(403, "scope_missing");
}

#[tokio::test]
async fn revoking_takes_exactly_one_thing() {
    let server = TestServer::start().await;
    let acme = tenant(&server, "acme").await;
    let key = server.actor(&acme.key);
    let revoke = async |body: Value| key.post("/access_tokens/revoke", body).await;
    revoke(json!({})).await.refused(400, "parameter_missing");
    revoke(json!({ "company_id": acme.company })).await.refused(400, "parameter_missing");
    revoke(json!({ "token": acme.token, "jti": acme.jti })).await.refused(400, "parameter_invalid");
    revoke(json!({ "user_id": acme.user, "api_key_id": acme.spare_key_id }))
        .await
        .refused(400, "parameter_invalid");
    revoke(json!({ "jti": "tok_x" })).await.refused(400, "parameter_invalid");
    revoke(json!({ "token": "nonsense" })).await.refused(400, "parameter_invalid");
    revoke(json!({ "token": acme.key })).await.refused(400, "parameter_invalid");
    revoke(json!({ "api_key_id": "apik_01KDWPVNG0W1GTXMFFD0000001" })).await.refused(404, "not_found");
    revoke(json!({ "user_id": "user_01KDWPVNG0W1GTXMFFD0000001" })).await.refused(404, "not_found");
    server.actor(&acme.token).get("/users/me").await.ok();
    // Twice is once.
    for _ in 0..2 {
        assert_eq!(revoke(json!({ "token": acme.token })).await.ok(), json!({ "revoked": true }));
    }
    server.actor(&acme.token).get("/users/me").await.refused(401, "credential_revoked");
}

#[tokio::test]
async fn revoking_one_users_tokens_leaves_the_others() {
    let server = TestServer::start().await;
    let acme = server.company("acme").await;
    let (ann, ann_token) = acme.member("ann").await;
    let (_, ben_token) = acme.member("ben").await;
    // The company is the key's own if none is named.
    acme.as_key().post("/access_tokens/revoke", json!({ "user_id": ann })).await.ok();
    ann_token.get("/users/me").await.refused(401, "credential_revoked");
    ben_token.get("/users/me").await.ok();
    // A new one for the same user works at once.
    let again = server.actor(acme.token(&ann).await);
    again.get("/users/me").await.ok();
    // Users revoke their own tokens, and nobody else's.
    ben_token.post("/access_tokens/revoke", json!({ "user_id": ann })).await.refused(404, "not_found");
    ben_token.post("/access_tokens/revoke", json!({ "token": again.bearer })).await.refused(404, "not_found");
    again.get("/users/me").await.ok();
}
