//! Revocation, introspection, userinfo.

use hallpass_testkit::http::{Method, Request};
use hallpass_testkit::{Answer, Body, TestServer};
use serde_json::json;

use super::client::*;

fn about(client: &Client<'_>, token: &str) -> Fields {
    vec![
        ("token", token.to_owned()),
        ("client_id", client.id.clone()),
        ("client_secret", client.secret.clone()),
    ]
}

async fn introspect(client: &Client<'_>, token: &str) -> serde_json::Value {
    form(client.server, "/oauth/introspect", &about(client, token)).await.ok()
}

#[tokio::test]
async fn a_client_learns_of_its_own_tokens_and_of_nothing_else() {
    let server = server().await;
    let client = Client::new(&server).await;
    let other = Client::of(&server, "rival", json!({})).await;
    let mut browser = client.person("ann").await;
    let tokens = client.tokens(&mut browser, &[]).await;
    let (access, refresh) = (text(&tokens, "access_token"), text(&tokens, "refresh_token"));
    let found = introspect(&client, &access).await;
    assert_eq!((&found["active"], &found["token_type"]), (&json!(true), &json!("Bearer")));
    assert_eq!((&found["client_id"], &found["sub"]), (&json!(client.id), &claims(&access)["sub"]));
    assert_eq!(found["scope"], tokens["scope"]);
    let found = introspect(&client, &refresh).await;
    assert_eq!((&found["active"], &found["token_type"]), (&json!(true), &json!("refresh_token")));
    let inactive = json!({ "active": false });
    for token in [&access, &refresh, &text(&tokens, "id_token"), &client.key, &client.secret, "x"] {
        assert_eq!(introspect(&other, token).await, inactive);
    }
    for token in [&text(&tokens, "id_token"), &client.key, &client.secret, &access[1..], "x"] {
        assert_eq!(introspect(&client, token).await, inactive, "not a token of this kind");
    }
    let next = text(&client.refresh(&refresh).await.ok(), "refresh_token");
    assert_eq!(introspect(&client, &refresh).await, inactive, "used");
    assert_eq!(introspect(&client, &next).await["active"], true);
    // Without the secret nobody learns anything.
    let bare = changed(about(&client, &access), &[("client_secret", "")]);
    refused(&form(&server, "/oauth/introspect", &bare).await, 401, "invalid_client");
    refused(
        &form(&server, "/oauth/introspect", &changed(about(&client, ""), &[("token", "")])).await,
        400,
        "invalid_request",
    );
}

#[tokio::test]
async fn an_api_key_learns_of_tokens_in_companies_it_reaches() {
    let server = server().await;
    let client = Client::new(&server).await;
    let rival = server.company("rival").await;
    let mut browser = client.person("ann").await;
    let access = text(&client.tokens(&mut browser, &[]).await, "access_token");
    let by = async |key: &str, token: &str| {
        let bearer = format!("Bearer {key}");
        let headers = [("content-type", "application/json"), ("authorization", bearer.as_str())];
        raw(&server, "/oauth/introspect", &headers, json!({ "token": token }).to_string()).await
    };
    assert_eq!(by(&client.key, &access).await.ok()["active"], true);
    assert_eq!(by(&rival.key, &access).await.ok(), json!({ "active": false }));
    // A user's token is no inspector.
    assert_eq!(by(&access, &access).await.ok(), json!({ "active": false }));
}

#[tokio::test]
async fn revoking_a_refresh_token_ends_its_grant_and_an_access_token_itself() {
    let server = server().await;
    let client = Client::new(&server).await;
    let other = Client::of(&server, "rival", json!({})).await;
    let mut browser = client.person("ann").await;
    let first = client.tokens(&mut browser, &[]).await;
    let second = client.tokens(&mut browser, &[]).await;
    let (access, refresh) = (text(&first, "access_token"), text(&first, "refresh_token"));
    // Another's token is not revoked, and not told of.
    for token in [&access, &refresh] {
        let answer = form(&server, "/oauth/revoke", &about(&other, token)).await;
        assert_eq!((answer.status, answer.text.as_str()), (200, ""));
    }
    userinfo(&server, &access).await.ok();
    // Without the secret that was shown for it.
    let bare = changed(about(&client, &refresh), &[("client_secret", "")]);
    refused(&form(&server, "/oauth/revoke", &bare).await, 401, "invalid_client");
    let answer = form(&server, "/oauth/revoke", &about(&client, &access)).await;
    assert_eq!((answer.status, answer.text.as_str()), (200, ""));
    refused(&userinfo(&server, &access).await, 401, "invalid_token");
    let next = client.refresh(&refresh).await.ok();
    form(&server, "/oauth/revoke", &about(&client, &text(&next, "refresh_token"))).await;
    refused(&userinfo(&server, &text(&next, "access_token")).await, 401, "invalid_token");
    refused(&client.refresh(&text(&next, "refresh_token")).await, 400, "invalid_grant");
    // An old token of a grant revokes it as well; and twice, or garbage, is answered alike.
    form(&server, "/oauth/revoke", &about(&client, &text(&second, "refresh_token"))).await;
    for token in [text(&second, "refresh_token"), "x".to_owned(), client.key.clone()] {
        let answer = form(&server, "/oauth/revoke", &about(&client, &token)).await;
        assert_eq!((answer.status, answer.text.as_str()), (200, ""));
    }
    refused(&userinfo(&server, &text(&second, "access_token")).await, 401, "invalid_token");
    let json = json!({ "token": "x", "client_id": client.id, "client_secret": client.secret }).to_string();
    assert_eq!(
        raw(&server, "/oauth/revoke", &[("content-type", "application/json")], json).await.status,
        200
    );
}

async fn told<'s>(client: &Client<'s>, browser: &mut crate::browser::Browser<'s>, scope: &str) -> Answer {
    let code = client.code_of(browser, scope).await;
    let tokens = form(client.server, "/oauth/token", &client.redemption(&code)).await.ok();
    userinfo(client.server, &text(&tokens, "access_token")).await
}

#[tokio::test]
async fn userinfo_tells_what_the_scopes_tell_and_needs_openid() {
    let server = server().await;
    let client = Client::new(&server).await;
    let mut browser = client.person("ann").await;
    let sub_only = told(&client, &mut browser, "openid").await.ok();
    assert_eq!(sub_only.as_object().unwrap().keys().collect::<Vec<_>>(), ["sub"]);
    let email = told(&client, &mut browser, "openid email").await.ok();
    assert!(email["email"].is_string() && email.get("name").is_none());
    let profile = told(&client, &mut browser, "openid profile").await.ok();
    assert!(profile["name"].is_string() && profile.get("email").is_none());
    let none = told(&client, &mut browser, "profile email").await;
    refused(&none, 403, "insufficient_scope");
    assert!(none.headers["www-authenticate"].to_str().unwrap().contains("insufficient_scope"));
    let bare = server.send(Request::get("/oauth/userinfo").body(Body::empty()).unwrap()).await;
    assert_eq!(bare.status, 401);
    assert!(bare.headers["www-authenticate"].to_str().unwrap().starts_with("Bearer"));
}

impl<'s> Client<'s> {
    /// A code for a scope, whatever was allowed before.
    async fn code_of(&self, browser: &mut crate::browser::Browser<'s>, scope: &str) -> String {
        let at = self.authorize(browser, &format!("{}&prompt=consent", self.request_with_scope(scope))).await;
        query_of(&at, "code").unwrap()
    }

    fn request_with_scope(&self, scope: &str) -> String {
        path(&changed(self.request(), &[("scope", scope)]))
    }
}

#[tokio::test]
async fn browsers_of_other_origins_may_call_what_they_must_and_nothing_else() {
    let server = server().await;
    let preflight = async |server: &TestServer, path: &str| {
        let request = Request::builder()
            .method(Method::OPTIONS)
            .uri(path)
            .header("origin", "https://spa.test")
            .header("access-control-request-method", "POST")
            .header("access-control-request-headers", "content-type, authorization");
        server.send(request.body(Body::empty()).unwrap()).await
    };
    for path in ["/oauth/token", "/oauth/revoke", "/oauth/userinfo", "/.well-known/openid-configuration"] {
        let answer = preflight(&server, path).await;
        assert!(answer.status < 300, "{path}");
        assert_eq!(answer.headers["access-control-allow-origin"], "*", "{path}");
        assert!(answer.headers.get("access-control-allow-credentials").is_none(), "{path}");
    }
    for path in ["/oauth/authorize", "/oauth/consent", "/oauth/introspect", "/sign-in", "/account"] {
        let answer = preflight(&server, path).await;
        assert!(answer.headers.get("access-control-allow-origin").is_none(), "{path}");
    }
    // An error can be read there, too.
    let answer = raw(&server, "/oauth/token", &[("origin", "https://spa.test")], String::new()).await;
    assert_eq!(answer.headers["access-control-allow-origin"], "*");
}
