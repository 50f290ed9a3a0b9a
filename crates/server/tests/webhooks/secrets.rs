//! Signatures and what makes them.

use hallpass_testkit::TestServer;
use jiff::SignedDuration;
use serde_json::{Value, json};

use super::receiver::Receiver;

/// HMAC-SHA256 by the book (RFC 2104), so that the tests do not ask the code that they test.
pub(crate) fn hmac_sha256_base64(key: &[u8], text: &[u8]) -> String {
    let mut block = [0_u8; 64];
    match key.len() {
        0..=64 => block[..key.len()].copy_from_slice(key),
        _ => block[..32].copy_from_slice(&hallpass_token::sha256(key)),
    }
    let pad = |with: u8| block.map(|byte| byte ^ with).to_vec();
    let inner = hallpass_token::sha256(&[pad(0x36), text.to_vec()].concat());
    base64(&hallpass_token::sha256(&[pad(0x5c), inner.to_vec()].concat()))
}

fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let bits =
            chunk.iter().fold(0_u32, |bits, byte| bits << 8 | u32::from(*byte)) << (8 * (3 - chunk.len()));
        for place in 0..4 {
            let digit = DIGITS[(bits >> (18 - 6 * place) & 63) as usize];
            text.push(if place <= chunk.len() { char::from(digit) } else { '=' });
        }
    }
    text
}

#[tokio::test]
async fn for_a_day_both_secrets_sign() {
    let server = TestServer::start().await;
    let acme = server.company("acme").await;
    let key = acme.as_key();
    let (_, channel) = acme.channel("General", true).await;
    let receiver = Receiver::start().await;
    let (webhook, first) = receiver.subscribe(&key, &["chat.message.created"]).await;
    let rotated = key.post(&format!("/webhooks/{webhook}/rotate_secret"), json!({})).await.ok();
    let second = rotated["webhook_secret"].as_str().unwrap().to_owned();
    assert_ne!(first, second);
    let mut signed = Vec::new();
    for hours in [0, 23, 2] {
        server.clock.advance(SignedDuration::from_hours(hours));
        key.say(&channel, "signed").await.ok();
        server.app.deliver_webhooks().await.unwrap();
        let got = receiver.got().pop().unwrap();
        signed.push((got.is_signed_by(&first), got.is_signed_by(&second)));
    }
    assert_eq!(signed, [(true, true), (true, true), (false, true)]);
}

#[tokio::test]
async fn secrets_are_shown_once_and_rest_sealed() {
    let server = TestServer::start().await;
    let acme = server.company("acme").await;
    let key = acme.as_key();
    let receiver = Receiver::start().await;
    let (webhook, secret) = receiver.subscribe(&key, &["chat.message.created"]).await;
    for path in ["/webhooks".to_owned(), format!("/webhooks/{webhook}")] {
        let answer = key.get(&path).await;
        assert!(!answer.text.contains("ws_"), "{}", answer.text);
    }
    let changed =
        key.patch(&format!("/webhooks/{webhook}"), json!({ "url": "https://elsewhere.test/" })).await;
    assert!(!changed.text.contains("ws_"));
    let sealed = server
        .app
        .store()
        .read()
        .await
        .unwrap()
        .find_webhook_secrets(webhook.parse().unwrap())
        .await
        .unwrap()
        .unwrap();
    let text = String::from_utf8_lossy(&sealed.secret).into_owned();
    assert!(!text.contains(&secret[3..]) && sealed.secret.len() > secret.len());

    // A secret is not replayed either.
    let request = |name: &str| {
        let body = json!({ "url": receiver.url() }).to_string();
        hallpass_testkit::http::Request::post("/api/v1/webhooks")
            .header("authorization", format!("Bearer {}", acme.key))
            .header("content-type", "application/json")
            .header("idempotency-key", name)
            .body(hallpass_testkit::Body::from(body))
            .unwrap()
    };
    let made = server.send(request("once")).await.ok();
    assert!(made["webhook_secret"].is_string());
    let again = server.send(request("once")).await;
    assert_eq!(again.status, 409);
    assert_eq!(again.body["error"]["code"].as_str().map(str::is_empty), Some(false));
    let all: Value = key.get("/webhooks").await.ok();
    assert_eq!(all["data"].as_array().unwrap().len(), 2);
}
