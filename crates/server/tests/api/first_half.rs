//! The reference guide's first half: enrol, mint, read, write, revoke.

use hallpass_testkit::{CHAT_SCOPES, TestServer};
use serde_json::json;

#[tokio::test]
async fn a_key_becomes_a_token_and_the_token_reads_and_writes_a_channel() {
    let server = TestServer::start().await;
    let acme = server.company("acme").await;
    let (experience, channel) = acme.channel("General", true).await;
    let ann = acme.user("ann").await;
    let minted = acme.as_key().mint(acme.id, &ann, &CHAT_SCOPES).await.ok();
    assert_eq!(minted.as_object().unwrap().keys().collect::<Vec<_>>(), ["expires_at", "token"]);
    assert_eq!(minted["expires_at"], "2026-01-01T13:00:00.000Z");

    let ann = server.actor(minted["token"].as_str().unwrap());
    let sent = ann.say(&channel, "hello **world**").await.ok();
    assert_eq!(sent["content"], "hello **world**");
    assert_eq!(sent["user"]["name"], "ann");
    let again = ann.say(&experience, "by the experience's id").await.ok();
    let listed = ann.get(&format!("/messages?channel_id={channel}")).await.ok();
    let ids: Vec<_> = listed["data"].as_array().unwrap().iter().map(|m| &m["id"]).collect();
    assert_eq!(ids, [&again["id"], &sent["id"]]);
    assert_eq!(listed["page_info"]["end_cursor"], json!(null));

    let revoked = acme.as_key().post("/access_tokens/revoke", json!({ "token": ann.bearer })).await.ok();
    assert_eq!(revoked, json!({ "revoked": true }));
    ann.get(&format!("/messages?channel_id={channel}")).await.refused(401, "credential_revoked");
}
