//! Codes: once, in time, by their own client, with the proof they were asked for with.

use jiff::SignedDuration;
use serde_json::json;

use super::client::*;
use crate::browser::location;

#[tokio::test]
async fn a_code_gives_the_tokens_that_were_allowed() {
    let server = server().await;
    let client = Client::new(&server).await;
    let mut browser = client.person("ann").await;
    let tokens = client.tokens(&mut browser, &[]).await;
    assert_eq!((&tokens["token_type"], &tokens["expires_in"]), (&json!("Bearer"), &json!(3600)));
    let mut scopes: Vec<&str> = SCOPE.split_whitespace().collect();
    scopes.sort_unstable();
    assert_eq!(text(&tokens, "scope"), scopes.join(" "));
    let access = claims(&text(&tokens, "access_token"));
    assert_eq!((&access["kind"], &access["client_id"]), (&json!("oauth"), &json!(client.id)));
    assert_eq!(access["exp"].as_i64().unwrap() - access["iat"].as_i64().unwrap(), 3600);
    assert!(access["sid"].is_string() && access["grant"].is_string() && access["company_id"].is_null());
    let id = claims(&text(&tokens, "id_token"));
    assert_eq!((&id["iss"], &id["aud"]), (&json!("https://chat.test"), &json!(client.id)));
    assert_eq!((&id["nonce"], &id["amr"], &id["acr"]), (&json!("a nonce"), &json!(["otp"]), &json!("1")));
    assert_eq!((&id["name"], &id["email"]), (&json!("ann"), &json!("ann@example.com")));
    assert_eq!((&id["sub"], &id["sid"]), (&access["sub"], &access["sid"]));
    let info = userinfo(&server, &text(&tokens, "access_token")).await.ok();
    assert_eq!(info["sub"], id["sub"]);
    assert_eq!((&info["preferred_username"], &info["email_verified"]), (&json!("ann"), &json!(true)));
}

#[tokio::test]
async fn json_forms_and_the_header_are_read_alike() {
    let server = server().await;
    let client = Client::new(&server).await;
    let mut browser = client.person("ann").await;
    let code = client.code(&mut browser, &[]).await;
    let body: serde_json::Map<String, serde_json::Value> =
        client.redemption(&code).into_iter().map(|(name, value)| (name.to_owned(), value.into())).collect();
    let body = serde_json::Value::from(body).to_string();
    raw(&server, "/oauth/token", &[("content-type", "application/json")], body).await.ok();

    let basic = {
        use base64::Engine as _;
        let pair = format!("{}:{}", client.id, client.secret);
        format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(pair))
    };
    let code = client.code(&mut browser, &[]).await;
    let fields = changed(client.redemption(&code), &[("client_id", ""), ("client_secret", "")]);
    let pairs: Vec<(&str, &str)> = fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let kind = ("content-type", "application/x-www-form-urlencoded; charset=UTF-8");
    let body = crate::browser::encoded(&pairs);
    raw(&server, "/oauth/token", &[kind, ("authorization", &basic)], body.clone()).await.ok();

    // Without anything a public client has none, and the header that failed is asked for again.
    let wrong = format!("{basic}x");
    let answer = raw(&server, "/oauth/token", &[kind, ("authorization", &wrong)], body.clone()).await;
    refused(&answer, 401, "invalid_client");
    assert!(answer.headers["www-authenticate"].to_str().unwrap().starts_with("Basic "));
    let twice =
        raw(&server, "/oauth/token", &[kind, ("authorization", &basic), ("authorization", &basic)], body)
            .await;
    refused(&twice, 401, "invalid_client");
    let nothing = raw(&server, "/oauth/token", &[("content-type", "text/plain")], "x".into()).await;
    refused(&nothing, 400, "invalid_request");
}

#[tokio::test]
async fn secrets_in_a_url_are_not_read() {
    let server = server().await;
    let client = Client::new(&server).await;
    let mut browser = client.person("ann").await;
    let code = client.code(&mut browser, &[]).await;
    let fields = client.redemption(&code);
    let pairs: Vec<(&str, &str)> = fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let path = format!("/oauth/token?{}", crate::browser::encoded(&pairs));
    refused(&raw(&server, &path, &[], String::new()).await, 400, "invalid_request");
    form(&server, "/oauth/token", &fields).await.ok();
}

#[tokio::test]
async fn threat_06_a_verifier_is_needed_once_and_right() {
    let server = server().await;
    let client = Client::new(&server).await;
    let mut browser = client.person("ann").await;
    let code = client.code(&mut browser, &[]).await;
    let long = "a".repeat(129);
    for verifier in ["", CHALLENGE, &VERIFIER[1..], &long] {
        let fields = changed(client.redemption(&code), &[("code_verifier", verifier)]);
        refused(&form(&server, "/oauth/token", &fields).await, 400, "invalid_grant");
    }
    let mut doubled = client.redemption(&code);
    doubled.push(("code_verifier", VERIFIER.to_owned()));
    refused(&form(&server, "/oauth/token", &doubled).await, 400, "invalid_request");
    // Nothing of that used the code up.
    form(&server, "/oauth/token", &client.redemption(&code)).await.ok();
}

#[tokio::test]
async fn threat_06_an_operator_may_relax_pkce_for_confidential_clients_and_stripping_it_still_fails() {
    use hallpass_app::oauth::{OAuthPolicy, PkcePolicy};
    use hallpass_testkit::{Setup, TestServer};
    let oauth = OAuthPolicy { pkce: PkcePolicy::PublicClients, ..OAuthPolicy::default() };
    let server = TestServer::with(Setup { oauth, ..Setup::default() }).await;
    let client = Client::of(&server, "acme", json!({ "oauth_client_type": "confidential" })).await;
    let mut browser = client.person("ann").await;
    let bare = [("code_challenge", ""), ("code_challenge_method", "")];
    let code = client.code(&mut browser, &bare).await;
    // A verifier for a code that was asked for without: the challenge was taken out on the way.
    refused(&form(&server, "/oauth/token", &client.redemption(&code)).await, 400, "invalid_grant");
    let fields = changed(client.redemption(&code), &[("code_verifier", "")]);
    form(&server, "/oauth/token", &fields).await.ok();
    let code = client.code(&mut browser, &[]).await;
    let fields = changed(client.redemption(&code), &[("code_verifier", "")]);
    refused(&form(&server, "/oauth/token", &fields).await, 400, "invalid_grant");
    client.update(json!({ "oauth_client_type": "public" })).await;
    let sent = location(&browser.get(&client.request_with(&bare)).await).unwrap();
    assert_eq!(query_of(&sent, "error").as_deref(), Some("invalid_request"));
}

#[tokio::test]
async fn threat_28_a_code_is_its_own_client_s_and_session_s() {
    let server = server().await;
    let client = Client::new(&server).await;
    let other = Client::of(&server, "rival", json!({ "redirect_uris": [REDIRECT] })).await;
    let mut browser = client.person("ann").await;
    let code = client.code(&mut browser, &[]).await;
    // Injected into another client, with that one's own secret and the stolen verifier.
    refused(&form(&server, "/oauth/token", &other.redemption(&code)).await, 400, "invalid_grant");
    let elsewhere = changed(client.redemption(&code), &[("redirect_uri", "https://app.test/cb2")]);
    refused(&form(&server, "/oauth/token", &elsewhere).await, 400, "invalid_grant");
    form(&server, "/oauth/token", &client.redemption(&code)).await.ok();
    // Of a session that was ended before.
    let code = client.code(&mut browser, &[]).await;
    browser.get("/account").await;
    browser.post("/sign-out", &[]).await;
    refused(&form(&server, "/oauth/token", &client.redemption(&code)).await, 400, "invalid_grant");
}

#[tokio::test]
async fn a_code_lives_for_a_minute() {
    let server = server().await;
    let client = Client::new(&server).await;
    let mut browser = client.person("ann").await;
    let (early, late) = (client.code(&mut browser, &[]).await, client.code(&mut browser, &[]).await);
    server.clock.advance(SignedDuration::from_secs(59));
    form(&server, "/oauth/token", &client.redemption(&early)).await.ok();
    server.clock.advance(SignedDuration::from_secs(1));
    let answer = form(&server, "/oauth/token", &client.redemption(&late)).await;
    refused(&answer, 400, "invalid_grant");
    assert_eq!(answer.body["error_description"], "Authorization code has expired");
}

#[tokio::test]
async fn threat_16_a_code_is_used_once_also_after_a_restart_and_its_replay_revokes() {
    let server = server().await;
    let client = Client::new(&server).await;
    let mut browser = client.person("ann").await;
    let code = client.code(&mut browser, &[]).await;
    let tokens = form(&server, "/oauth/token", &client.redemption(&code)).await.ok();
    let access = text(&tokens, "access_token");
    userinfo(&server, &access).await.ok();
    let restarted = server.another_node().await;
    // A stranger's replay changes nothing.
    let other = Client::of(&server, "rival", json!({})).await;
    refused(&form(&restarted, "/oauth/token", &other.redemption(&code)).await, 400, "invalid_grant");
    userinfo(&server, &access).await.ok();
    refused(&form(&restarted, "/oauth/token", &client.redemption(&code)).await, 400, "invalid_grant");
    refused(&client.refresh(&text(&tokens, "refresh_token")).await, 400, "invalid_grant");
    server.app.authority().refresh().await.unwrap();
    refused(&userinfo(&server, &access).await, 401, "invalid_token");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn threat_16_of_twenty_redemptions_one_wins_and_all_is_revoked() {
    let server = server().await;
    let client = Client::new(&server).await;
    let mut browser = client.person("ann").await;
    let code = client.code(&mut browser, &[]).await;
    let fields = client.redemption(&code);
    let tries = (0..20).map(|_| form(&server, "/oauth/token", &fields));
    let answers = futures_util::future::join_all(tries).await;
    let won: Vec<_> = answers.iter().filter(|answer| answer.status == 200).collect();
    assert_eq!(won.len(), 1, "{:?}", answers.iter().map(|answer| answer.status).collect::<Vec<_>>());
    refused(&client.refresh(&text(&won[0].body, "refresh_token")).await, 400, "invalid_grant");
}

#[tokio::test]
async fn threat_11_altered_codes_are_refused() {
    let server = server().await;
    let client = Client::new(&server).await;
    let mut browser = client.person("ann").await;
    let code = client.code(&mut browser, &[]).await;
    for at in 0..code.len() {
        let mut altered = code.clone().into_bytes();
        altered[at] = if altered[at] == b'a' { b'b' } else { b'a' };
        let altered = String::from_utf8(altered).unwrap();
        refused(&form(&server, "/oauth/token", &client.redemption(&altered)).await, 400, "invalid_grant");
    }
    for altered in [&code[..code.len() - 1], &format!("{code}x"), "hpo_", &code.to_uppercase()] {
        refused(&form(&server, "/oauth/token", &client.redemption(altered)).await, 400, "invalid_grant");
    }
    form(&server, "/oauth/token", &client.redemption(&code)).await.ok();
}

#[tokio::test]
async fn threat_13_a_repeated_parameter_at_the_token_endpoint_is_refused() {
    let server = server().await;
    let client = Client::new(&server).await;
    let mut browser = client.person("ann").await;
    let code = client.code(&mut browser, &[]).await;
    for (name, value) in client.redemption(&code) {
        let mut fields = client.redemption(&code);
        fields.push((name, value));
        refused(&form(&server, "/oauth/token", &fields).await, 400, "invalid_request");
    }
    let json = r#"{"grant_type":"client_credentials","grant_type":"client_credentials"}"#;
    let answer = raw(&server, "/oauth/token", &[("content-type", "application/json")], json.into()).await;
    refused(&answer, 400, "invalid_request");
    form(&server, "/oauth/token", &client.redemption(&code)).await.ok();
}

#[tokio::test]
async fn who_must_show_a_secret_does_and_a_wrong_one_never_passes() {
    let server = server().await;
    let client = Client::new(&server).await;
    let mut browser = client.person("ann").await;
    for (client_type, without) in
        [(json!(null), true), (json!("public"), true), (json!("confidential"), false)]
    {
        client.update(json!({ "oauth_client_type": client_type })).await;
        let code = client.code(&mut browser, &[]).await;
        let wrong = changed(client.redemption(&code), &[("client_secret", "hpc_wrong")]);
        let answer = form(&server, "/oauth/token", &wrong).await;
        refused(&answer, 401, "invalid_client");
        assert_eq!(answer.body["error_description"], "client_secret is invalid");
        let none = changed(client.redemption(&code), &[("client_secret", "")]);
        let answer = form(&server, "/oauth/token", &none).await;
        assert_eq!(answer.status, if without { 200 } else { 401 }, "{client_type}: {}", answer.text);
        if !without {
            assert_eq!(answer.body["error_description"], "client_secret is required");
            form(&server, "/oauth/token", &client.redemption(&code)).await.ok();
        }
    }
    // An API key is no client secret, nor the other way round.
    let key = client.key.clone();
    let code = client.code(&mut browser, &[]).await;
    let fields = changed(client.redemption(&code), &[("client_secret", &key)]);
    refused(&form(&server, "/oauth/token", &fields).await, 401, "invalid_client");
    server.actor(client.secret.clone()).get("/users/me").await.refused(401, "credential_invalid");
    for bearer in
        [code.clone(), browser.cookies.values().find(|value| value.starts_with("hps_")).unwrap().clone()]
    {
        server.actor(bearer).get("/users/me").await.refused(401, "credential_invalid");
    }
}
