//! Signatures and what makes them.

use std::collections::HashSet;

use hallpass_app::webhooks::WebhookSecret;
use hallpass_testkit::{Captured, TestServer};
use jiff::SignedDuration;
use serde_json::{Value, json};

use super::receiver::{Receiver, Reply, log, subscribe};

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

    // Twice within the day: only the newest two are alive.
    let rotate = async || {
        let rotated = key.post(&format!("/webhooks/{webhook}/rotate_secret"), json!({})).await.ok();
        rotated["webhook_secret"].as_str().unwrap().to_owned()
    };
    let (third, fourth) = (rotate().await, rotate().await);
    key.say(&channel, "signed").await.ok();
    server.app.deliver_webhooks().await.unwrap();
    let got = receiver.got().pop().unwrap();
    let by = [&second, &third, &fourth].map(|secret| got.is_signed_by(secret));
    assert_eq!(by, [false, true, true]);
    assert_eq!(got.headers["webhook-signature"].split(' ').count(), 2);
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

/// Threat 15 for webhooks: what signs, what is signed, and what a URL carries.
#[tokio::test]
async fn threat_15_secrets_and_signatures_are_in_no_log_error_delivery_log_or_debug_output() {
    let captured = Captured::default();
    let writer = captured.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_writer(move || writer.clone())
        .finish();
    let guard = tracing::subscriber::set_default(subscriber);

    let server = TestServer::start().await;
    let acme = server.company("acme").await;
    let key = acme.as_key();
    let (_, channel) = acme.channel("General", true).await;
    // It says what it heard, as receivers that fail do.
    let receiver = Receiver::that(|got| Reply::Echo(500, got.headers["webhook-signature"].clone())).await;
    let planted = "PlantedInTheUrl";
    let url = |host: &str| format!("{host}?token={planted}");
    let events = ["chat.message.created"];
    let (hook, first) = subscribe(&key, &url(&receiver.url()), &events).await;
    let mut hooks = vec![hook.clone()];
    for host in [
        "http://127.0.0.1:1/closed",
        "https://10.0.0.1/private",
        "https://nowhere.invalid/",
        &format!("https://{}/no-tls", receiver.address),
    ] {
        hooks.push(subscribe(&key, &url(host), &events).await.0);
    }
    let rotated = key.post(&format!("/webhooks/{hook}/rotate_secret"), json!({})).await.ok();
    let second = rotated["webhook_secret"].as_str().unwrap().to_owned();
    let words = "PlantedInTheMessage";
    key.say(&channel, words).await.ok();
    server.app.deliver_webhooks().await.unwrap();
    key.post(&format!("/webhooks/{hook}/test"), json!({ "event": events[0] })).await.ok();
    receiver.now(|_| Reply::Status(200));
    server.clock.advance(SignedDuration::from_secs(10));
    server.app.deliver_webhooks().await.unwrap();
    // Switched off, which the operator hears of.
    receiver.now(|got| Reply::Echo(410, got.headers["webhook-signature"].clone()));
    key.say(&channel, words).await.ok();
    server.app.deliver_webhooks().await.unwrap();

    let mut heard = Vec::new();
    for hook in &hooks {
        heard.push(json!(log(&key, hook).await).to_string());
    }
    for secret in [&first, &second, &acme.key] {
        for body in [
            json!({ "url": format!("https://user:{secret}@a.test/") }),
            json!({ "url": secret }),
            json!({ "url": "https://a.test/", "events": [secret] }),
            json!({ "url": "https://a.test/", "api_version": secret }),
            json!({ "url": "https://a.test/", "resource_id": secret }),
            json!({ "url": "https://a.test/", "enabled": secret }),
        ] {
            let refused = key.post("/webhooks", body).await;
            assert!((400..500).contains(&refused.status));
            heard.push(refused.text);
        }
        heard.push(key.post(&format!("/webhooks/{hook}/test"), json!({ "event": secret })).await.text);
        heard.push(key.get(&format!("/webhooks/{secret}/deliveries")).await.text);
        heard.push(key.post(&format!("/webhooks/{hook}/deliveries/{secret}/replay"), json!({})).await.text);
    }
    let secret = WebhookSecret::parse(&first).unwrap();
    heard.push(format!("{secret:?} {:?}", secret.signer()));
    drop(guard);

    let lines = captured.text();
    assert!(lines.contains("a webhook was switched off"), "nothing was captured");
    let signatures: HashSet<String> = receiver
        .got()
        .iter()
        .flat_map(|got| got.headers["webhook-signature"].split(' ').map(str::to_owned).collect::<Vec<_>>())
        .collect();
    assert!(signatures.len() > 4, "{signatures:?}");
    let parts = |text: &String| text.rsplit_once([',', '_']).unwrap().1.get(..24).unwrap().to_owned();
    let secrets = [&first, &second, &acme.key].into_iter().chain(&signatures).map(parts);
    for secret in secrets.chain([words.to_owned(), planted.to_owned()]) {
        assert!(!lines.contains(&secret), "{secret} in a log line");
        for text in &heard {
            assert!(!text.contains(&secret), "{secret} in {text}");
        }
    }
}
