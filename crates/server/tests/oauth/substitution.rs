//! One kind of token never stands in for another, nor one server's for another's.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hallpass_testkit::{Setup, TestServer};

use super::client::*;

#[tokio::test]
async fn threat_09_no_kind_of_token_is_taken_for_another() {
    let server = server().await;
    let client = Client::new(&server).await;
    let mut browser = client.person("ann").await;
    let code = client.code(&mut browser, &[]).await;
    let tokens = client.tokens(&mut browser, &[]).await;
    let session = browser.cookies.values().find(|value| value.starts_with("hps_")).unwrap().clone();
    let (access, refresh, id) =
        (text(&tokens, "access_token"), text(&tokens, "refresh_token"), text(&tokens, "id_token"));
    // As a bearer credential.
    for token in [&refresh, &id, &code, &session, &client.secret] {
        refused(&userinfo(&server, token).await, 401, "invalid_token");
        server.actor(token.clone()).get("/users/me").await.refused(401, "credential_invalid");
    }
    // As a refresh token.
    for token in [&access, &id, &code, &session, &client.secret, &client.key] {
        refused(&client.refresh(token).await, 400, "invalid_grant");
    }
    // As a code.
    for token in [&access, &id, &refresh, &session, &client.secret, &client.key] {
        refused(&form(&server, "/oauth/token", &client.redemption(token)).await, 400, "invalid_grant");
    }
    // As a session.
    for token in [&access, &id, &refresh, &code, &client.secret, &client.key] {
        let mut thief = crate::browser::Browser::new(&server);
        let name = browser.cookies.iter().find(|(_, value)| **value == session).unwrap().0.clone();
        thief.cookies.insert(name, token.clone());
        assert!(!thief.is_signed_in().await);
    }
    userinfo(&server, &access).await.ok();
}

#[tokio::test]
async fn threat_14_the_header_of_a_token_decides_nothing() {
    let server = server().await;
    let client = Client::new(&server).await;
    let mut browser = client.person("ann").await;
    let access = text(&client.tokens(&mut browser, &[]).await, "access_token");
    let mut parts = access.splitn(3, '.');
    let (header, payload, signature) = (parts.next().unwrap(), parts.next().unwrap(), parts.next().unwrap());
    let header: serde_json::Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(header).unwrap()).unwrap();
    let kid = header["kid"].as_str().unwrap();
    for forged in [
        r#"{"alg":"none","typ":"at+jwt"}"#.to_owned(),
        format!(r#"{{"alg":"none","typ":"at+jwt","kid":"{kid}"}}"#),
        format!(r#"{{"alg":"HS256","typ":"at+jwt","kid":"{kid}"}}"#),
        format!(r#"{{"alg":"RS256","typ":"at+jwt","kid":"{kid}"}}"#),
        format!(r#"{{"alg":"ES256","typ":"JWT","kid":"{kid}"}}"#),
        format!(r#"{{"alg":"ES256","typ":"at+jwt","kid":"{kid}","jku":"http://127.0.0.1:1/jwks"}}"#),
        format!(r#"{{"alg":"ES256","typ":"at+jwt","kid":"{kid}","jwk":{{"kty":"EC"}}}}"#),
        format!(r#"{{"alg":"ES256","typ":"at+jwt","kid":"{kid}","x5u":"http://127.0.0.1:1/"}}"#),
        format!(r#"{{"alg":"ES256","typ":"at+jwt","kid":"{kid}","crit":["b64"],"b64":false}}"#),
        r#"{"alg":"ES256","typ":"at+jwt","kid":"http://127.0.0.1:1/jwks"}"#.to_owned(),
    ] {
        let encoded = URL_SAFE_NO_PAD.encode(&forged);
        for signature in [signature, ""] {
            let token = format!("{encoded}.{payload}.{signature}");
            refused(&userinfo(&server, &token).await, 401, "invalid_token");
        }
    }
    userinfo(&server, &access).await.ok();
}

#[tokio::test]
async fn threat_03_another_issuer_s_tokens_are_nobody_s_here() {
    let here = server().await;
    let there = TestServer::with(Setup {
        public_url: "https://other.test".into(),
        seed: 99,
        master: [9; 32],
        ..Setup::default()
    })
    .await;
    let client = Client::new(&here).await;
    let rival = Client::new(&there).await;
    let (mut ann, mut eve) = (client.person("ann").await, rival.person("eve").await);
    let own = client.tokens(&mut ann, &[]).await;
    let foreign = rival.tokens(&mut eve, &[]).await;
    // Warm on both sides.
    userinfo(&here, &text(&own, "access_token")).await.ok();
    userinfo(&there, &text(&foreign, "access_token")).await.ok();
    refused(&userinfo(&here, &text(&foreign, "access_token")).await, 401, "invalid_token");
    refused(&userinfo(&there, &text(&own, "access_token")).await, 401, "invalid_token");
    // Our key id over their claims.
    let (head, _) =
        text(&own, "access_token").split_once('.').map(|(a, b)| (a.to_owned(), b.to_owned())).unwrap();
    let theirs = text(&foreign, "access_token");
    let spliced = format!("{head}.{}", theirs.split_once('.').unwrap().1);
    refused(&userinfo(&here, &spliced).await, 401, "invalid_token");
    refused(&client.refresh(&text(&foreign, "refresh_token")).await, 400, "invalid_grant");
    let hint = crate::browser::encoded(&[("id_token_hint", &text(&foreign, "id_token"))]);
    // A hint of a key that is not, or no longer, ours is none: they are asked, and stay signed in.
    assert_eq!(ann.get(&format!("/oauth/logout?{hint}")).await.status, 200);
    assert!(ann.is_signed_in().await);
    let silent = client.request_with(&[("prompt", "none"), ("id_token_hint", &text(&foreign, "id_token"))]);
    let sent = crate::browser::location(&ann.get(&silent).await).unwrap();
    assert_eq!(query_of(&sent, "error").as_deref(), Some("login_required"));
}
