//! What the script of the pages does: passkeys, begun and finished over JSON.

use hallpass_testkit::{Answer, PUBLIC_URL, SoftPasskey, TestServer};
use serde_json::{Value, json};

use super::visitor::{Browser, location};

/// The token of a ceremony of the page last seen.
fn token(browser: &Browser<'_>, action: &str) -> String {
    let action = action.replace('/', "&#x2f;");
    let found = browser.page.split_once(&format!("data-passkey=\"{action}\" data-csrf=\""));
    found.unwrap_or_else(|| panic!("no {action} in {}", browser.page)).1.split('"').next().unwrap().to_owned()
}

fn options(answer: &Answer) -> String {
    assert_eq!(answer.status, 200, "{}", answer.text);
    answer.body["publicKey"].to_string()
}

/// A whole ceremony, with what a form beside it says.
async fn ceremony(browser: &mut Browser<'_>, path: &str, device: &mut SoftPasskey, form: Value) -> Answer {
    let token = token(browser, path);
    let begun = browser.script(&format!("{path}/begin"), &token, &form.to_string()).await;
    let offered = options(&begun);
    let credential = if path == "/passkeys/sign-in" {
        device.get(&offered, PUBLIC_URL)
    } else {
        device.create(&offered, PUBLIC_URL)
    };
    let mut body = form;
    body["credential"] = credential;
    browser.script(&format!("{path}/finish"), &token, &body.to_string()).await
}

async fn prove<'s>(server: &'s TestServer, email: &str) -> Browser<'s> {
    let mut browser = Browser::new(server);
    browser.open("/sign-up").await;
    let sent = browser.post("/sign-up", &[("email", email)]).await;
    browser.open(&location(&sent).unwrap()).await;
    let code = server.code_for(email).await;
    let given = browser.post("/sign-in/code", &[("code", &code)]).await;
    browser.open(&location(&given).unwrap()).await;
    browser
}

#[tokio::test]
async fn an_account_is_opened_and_entered_with_a_passkey_alone() {
    let server = TestServer::start().await;
    let mut device = SoftPasskey::new(-7);
    let mut ann = prove(&server, "ann@example.com").await;
    let form = json!({ "name": "Ann", "username": "ann", "email": "ignored@example.com" });
    let opened = ceremony(&mut ann, "/passkeys/sign-up", &mut device, form).await;
    assert_eq!(opened.body, json!({ "location": "/account" }));
    assert!(ann.is_signed_in().await);
    ann.open("/account").await;
    assert!(ann.page.contains("You have no password") && ann.page.contains("<bdi>Passkey</bdi>"));

    let mut phone = Browser::new(&server);
    let to = "/oauth/authorize?client_id=app_x";
    phone.open("/sign-in").await;
    let signed_in = ceremony(&mut phone, "/passkeys/sign-in", &mut device, json!({ "continue": to })).await;
    assert_eq!(signed_in.body, json!({ "location": to }));
    assert!(phone.is_signed_in().await);
    for evil in ["//evil.example", "https://evil.example", "/\\evil.example"] {
        phone.open("/sign-in?again=1").await;
        let form = json!({ "continue": evil });
        let signed_in = ceremony(&mut phone, "/passkeys/sign-in", &mut device, form).await;
        assert_eq!(signed_in.body, json!({ "location": "/account" }), "{evil}");
    }

    // Another one is added, renamed and removed.
    ann.open("/account").await;
    let added = ceremony(&mut ann, "/passkeys/add", &mut SoftPasskey::new(-8), json!({})).await;
    assert_eq!(added.body, json!({ "location": "/account?done=passkey_added" }), "{}", added.text);
    ann.open("/account").await;
    assert_eq!(ann.page.matches("action=\"&#x2f;account&#x2f;passkeys&#x2f;remove\"").count(), 2);
    let form = ann.page.split("action=\"&#x2f;account&#x2f;passkeys&#x2f;rename\"").nth(1).unwrap();
    let id = form.split_once("name=\"id\" value=\"").unwrap().1.split('"').next().unwrap().to_owned();
    let renamed = ann.post("/account/passkeys/rename", &[("id", &id), ("name", "My phone")]).await;
    assert_eq!(location(&renamed).as_deref(), Some("/account?done=passkey_renamed"));
    assert!(ann.open("/account").await.text.contains("<bdi>My phone</bdi>"));
    let long = ann.post("/account/passkeys/rename", &[("id", &id), ("name", &"x".repeat(101))]).await;
    assert_eq!(long.status, 422);
    let removed = ann.post("/account/passkeys/remove", &[("id", &id)]).await;
    assert_eq!(location(&removed).as_deref(), Some("/account?done=passkey_removed"));
    let gone = ann
        .post_raw(
            "/account/passkeys/remove",
            &[("csrf", &ann.token("/account/passkeys/remove")), ("id", &id)],
            &[],
        )
        .await;
    assert_eq!(gone.status, 404);
}

#[tokio::test]
async fn what_a_passkey_says_is_believed_once_and_in_its_browser() {
    let server = TestServer::start().await;
    let mut device = SoftPasskey::new(-7);
    let mut ann = prove(&server, "ann@example.com").await;
    ceremony(&mut ann, "/passkeys/sign-up", &mut device, json!({ "name": "Ann", "username": "ann" })).await;

    let mut phone = Browser::new(&server);
    phone.open("/sign-in").await;
    let own = token(&phone, "/passkeys/sign-in");
    let offered = options(&phone.script("/passkeys/sign-in/begin", &own, "{}").await);
    let body = json!({ "credential": device.get(&offered, PUBLIC_URL) }).to_string();
    let mut eve = Browser::new(&server);
    eve.open("/sign-in").await;
    let hers = token(&eve, "/passkeys/sign-in");
    let stolen = eve.script("/passkeys/sign-in/finish", &hers, &body).await;
    assert_eq!(stolen.status, 422, "{}", stolen.text);
    assert_eq!(stolen.body["problem"], "That passkey did not work. Try again, or choose another way.");
    assert!(!eve.is_signed_in().await);
    assert_eq!(phone.script("/passkeys/sign-in/finish", &own, &body).await.status, 200);
    let mut again = Browser::new(&server);
    again.cookies = phone.cookies.clone();
    again.cookies.retain(|name, _| name.ends_with("browser"));
    again.open("/sign-in").await;
    let replayed = token(&again, "/passkeys/sign-in");
    assert_eq!(again.script("/passkeys/sign-in/finish", &replayed, &body).await.status, 422);
    assert!(!again.is_signed_in().await);
}

#[tokio::test]
async fn odd_answers_of_scripts_are_refused_politely() {
    let server = TestServer::start().await;
    let mut ann = Browser::new(&server);
    ann.open("/sign-in").await;
    let own = token(&ann, "/passkeys/sign-in");
    for body in [
        "",
        "[]",
        "null",
        "{",
        "{\"credential\":null}",
        "{\"credential\":\"x\"}",
        "{\"credential\":{}}",
        "{\"credential\":{\"id\":\"\\u0000\"}}",
        "{\"continue\":7}",
        &format!("{{\"credential\":{}}}", "[".repeat(100)),
        &format!("{{\"credential\":\"{}\"}}", "a".repeat(2 << 20)),
    ] {
        let answer = ann.script("/passkeys/sign-in/finish", &own, body).await;
        assert!((400..500).contains(&answer.status), "{} {}", &body[..body.len().min(60)], answer.text);
    }
    // Nobody adds one who is not signed in.
    let mut eve = Browser::new(&server);
    eve.sign_up("eve").await;
    eve.open("/account").await;
    let hers = token(&eve, "/passkeys/add");
    eve.cookies.retain(|name, _| !name.ends_with("session"));
    assert_eq!(eve.script("/passkeys/add/begin", &hers, "{}").await.status, 403);
}

#[tokio::test]
async fn a_server_whose_address_browsers_make_no_passkeys_for_offers_none() {
    let setup =
        hallpass_testkit::Setup { public_url: "http://127.0.0.1:8080".to_owned(), ..Default::default() };
    let server = TestServer::with(setup).await;
    let mut ann = Browser::new(&server);
    ann.open("/sign-in").await;
    assert!(!ann.page.contains("data-passkey"));
    assert!(ann.cookies.keys().all(|name| name.starts_with("hallpass-")), "no `__Host-` without TLS");
}
