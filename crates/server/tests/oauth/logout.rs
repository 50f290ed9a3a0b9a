//! Signing out at a client's request.

use serde_json::json;

use super::client::*;
use crate::browser::{Browser, location};

fn logout(pairs: &[(&str, &str)]) -> String {
    format!("/oauth/logout?{}", crate::browser::encoded(pairs))
}

#[tokio::test]
async fn an_id_token_of_the_session_signs_out_at_once_and_leads_back() {
    let server = server().await;
    let client = Client::of(&server, "acme", json!({ "base_url": "https://app.test" })).await;
    let mut browser = client.person("ann").await;
    let tokens = client.tokens(&mut browser, &[]).await;
    let hint = text(&tokens, "id_token");
    // An id token never expires as a hint.
    server.clock.advance(jiff::SignedDuration::from_hours(2));
    let path = logout(&[("id_token_hint", &hint), ("post_logout_redirect_uri", REDIRECT), ("state", "bye")]);
    let sent = location(&browser.get(&path).await).unwrap();
    assert_eq!(sent, format!("{REDIRECT}?state=bye"));
    assert!(!browser.is_signed_in().await);
    refused(&client.refresh(&text(&tokens, "refresh_token")).await, 400, "invalid_grant");
}

#[tokio::test]
async fn without_proof_of_the_session_they_are_asked_first() {
    let server = server().await;
    let client = Client::new(&server).await;
    let mut browser = client.person("ann").await;
    let mut other = Browser::new(&server);
    other.sign_in("ann").await;
    let foreign = text(&client.tokens(&mut other, &[]).await, "id_token");
    for path in [logout(&[]), logout(&[("client_id", &client.id)]), logout(&[("id_token_hint", &foreign)])] {
        let page = browser.get(&path).await;
        assert_eq!((page.status, location(&page)), (200, None), "{path}");
        assert!(browser.is_signed_in().await);
    }
    let path = logout(&[("client_id", &client.id), ("post_logout_redirect_uri", REDIRECT)]);
    let page = browser.get(&path).await;
    assert!(page.text.contains("My App"), "{}", page.text);
    // Browsers hold the way back against a `form-action`, and cut a popup off from its opener.
    assert!(!page.headers["content-security-policy"].to_str().unwrap().contains("form-action"));
    assert_eq!(page.headers.get("cross-origin-opener-policy"), None);
    let request = path.split_once('?').unwrap().1.to_owned();
    let forged = browser.post_raw("/oauth/logout/confirm", &[("request", &request)], &[]).await;
    assert_eq!(location(&forged).as_deref(), Some(path.as_str()), "asked anew");
    assert!(browser.is_signed_in().await);
    let head = browser.head(&path).await;
    assert_eq!((head.status, &head.headers["allow"]), (405, &"GET,POST".parse().unwrap()));
    assert!(browser.is_signed_in().await);
    browser.get(&path).await;
    let sent = location(&browser.post("/oauth/logout/confirm", &[("request", &request)]).await).unwrap();
    assert_eq!(sent, REDIRECT);
    assert!(!browser.is_signed_in().await);
    // Nobody is there: nothing to ask.
    let sent = location(&browser.get(&path).await).unwrap();
    assert_eq!(sent, REDIRECT);
}

#[tokio::test]
async fn no_request_to_sign_out_leads_elsewhere() {
    let server = server().await;
    let client = Client::new(&server).await;
    let mut browser = client.person("ann").await;
    let hint = text(&client.tokens(&mut browser, &[]).await, "id_token");
    let other = Client::of(&server, "rival", json!({})).await;
    for pairs in [
        vec![("post_logout_redirect_uri", REDIRECT)],
        vec![("client_id", &*client.id), ("post_logout_redirect_uri", "https://evil.test/")],
        vec![("client_id", &*client.id), ("post_logout_redirect_uri", "https://app.test/cb/")],
        vec![("id_token_hint", &*hint), ("post_logout_redirect_uri", "//evil.test")],
        vec![("id_token_hint", &*hint), ("client_id", &*other.id)],
        vec![("id_token_hint", "eyJ")],
        vec![("client_id", "nobody")],
        vec![("client_id", &*client.id), ("client_id", &*client.id)],
    ] {
        let answer = browser.get(&logout(&pairs)).await;
        assert_eq!((answer.status, location(&answer)), (400, None), "{pairs:?}");
        assert!(browser.is_signed_in().await, "{pairs:?}");
    }
}
