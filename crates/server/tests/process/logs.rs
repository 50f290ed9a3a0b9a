//! What the process writes: the ready line is the only place for a secret.

use serde_json::json;

use super::server::Server;

/// Threat 15, for the access log and whatever else reaches standard error at its most talkative.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn threat_15_no_secret_reaches_standard_error() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path(), &[("HALLPASS_LOG", "trace".to_owned())]);
    let mut client = server.client();
    let company = server.ready["company_id"].as_str().unwrap().to_owned();
    let user = server.ready["users"][0]["id"].as_str().unwrap().to_owned();
    let words = "PlantedMessageText";
    client.say(words).await.unwrap();
    let mint = json!({ "company_id": company, "user_id": user, "scoped_actions": ["chat:read"] });
    let (status, minted) = client.call("POST", "/api/v1/access_tokens", Some(mint)).await.unwrap();
    assert_eq!(status, 200, "{minted}");
    let token = minted["token"].as_str().unwrap().to_owned();
    let secrets = [client.key.clone(), token, words.to_owned(), "PlantedIdempotencyKey".to_owned()];
    for secret in &secrets {
        for path in [
            format!("/api/v1/users?access_token={secret}"),
            format!("/api/v1/users/{secret}"),
            format!("/{secret}"),
        ] {
            assert!(client.call("GET", &path, None).await.is_none_or(|(status, _)| status < 500), "{path}");
        }
        let request = client.http.post(format!("{}/api/v1/messages", server.url)).bearer_auth(&client.key);
        let body = json!({ "channel_id": secret, "content": secret });
        let answer = request
            .header("idempotency-key", secret)
            .header("user-agent", secret)
            .header("cookie", format!("session={secret}"))
            .header("referer", format!("https://example.com/?token={secret}"))
            .json(&body);
        assert_eq!(answer.send().await.unwrap().status(), 400);
    }
    for bad in [format!("{}x", secrets[0]), format!("{}x", secrets[1])] {
        client.key = bad;
        assert_eq!(client.call("GET", "/api/v1/users/me", None).await.unwrap().0, 401);
    }
    let log = server.log();
    for expected in ["\"operation\":\"access_tokens.create\"", "\"status\":401", "listening on"] {
        assert!(log.contains(expected), "no {expected} in {log}");
    }
    for secret in &secrets {
        assert!(!log.contains(secret.as_str()), "{secret} is in the log");
    }
}
