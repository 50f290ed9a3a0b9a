//! Planted secrets, and logs at their most talkative: none is found.

use serde_json::{Value, json};

use super::process::{Ended, Process, finish, hallpass, mint, request};

#[test]
fn no_secret_reaches_a_log() {
    let folder = tempfile::tempdir().unwrap();
    let master = "5ec2e7".repeat(11)[..64].to_owned();
    let command = |args: &[&str]| {
        let mut command = hallpass(folder.path(), &[args, &["--data-dir", "data"]].concat());
        command
            .env("HALLPASS_KEYS__MASTER_KEY", &master)
            .env("HALLPASS_LOG__LEVEL", "trace")
            .env("HALLPASS_LOG__FORMAT", "json");
        command
    };
    let mut said = String::new();
    let mut ask = |args: &[&str], stdin: &str| -> Value {
        let ended: Ended = finish(&mut command(&[args, &["--json"]].concat()), stdin);
        said.push_str(&ended.stderr);
        ended.json()
    };
    let mut serve = Process::start(&mut command(&["serve", "--port", "0"]));
    let port = serve.port();
    let owner = ["--owner-email", "o@acme.example", "--owner-username", "olive", "--password-stdin"];
    let password = "pl4nted-passw0rd";
    let company = ask(&[&["company", "create", "--title", "Acme"], &owner[..]].concat(), password);
    let biz = company["id"].as_str().unwrap();
    let key = ask(&["key", "create", "--company", biz, "--role", "owner"], "");
    let secret = key["secret"].as_str().unwrap();
    let token = mint(port, secret, &company["id"], &company["owner"]["id"]);
    let content = "a message that is nobody else's business";
    let created = json!({"company_id": biz, "app_id": "app_00000000000000000000000000", "name": content});
    // Refused and accepted, as bearer, in bodies and in queries.
    for (method, path, bearer, body) in [
        ("GET", "/api/v1/users/me".to_owned(), token.clone(), None),
        ("GET", format!("/api/v1/users/me?token={token}"), format!("{token}x"), None),
        ("GET", format!("/{secret}"), format!("{secret}x"), None),
        ("POST", "/api/v1/experiences".to_owned(), secret.to_owned(), Some(created)),
        ("POST", "/api/v1/access_tokens/revoke".to_owned(), secret.to_owned(), Some(json!({"token": token}))),
        ("POST", "/api/v1/access_tokens".to_owned(), secret.to_owned(), Some(json!({"company_id": secret}))),
    ] {
        request(port, method, &path, Some(&bearer), body.as_ref());
    }
    ask(&["token", "revoke", "--token", "-"], &token);
    said.push_str(&serve.stop());
    assert!(said.contains("access_tokens") && said.contains("carried out a command"), "it logged:\n{said}");
    for (what, text) in [
        ("master key", master.as_str()),
        ("password", password),
        ("API key", secret),
        ("token", &token),
        ("token's signature", token.rsplit('.').next().unwrap()),
        ("text", content),
    ] {
        if let Some(line) = said.lines().find(|line| line.contains(text)) {
            panic!("the {what} is in: {line}");
        }
    }
}
