//! Chat channels: finding them by either id, and changing their rules.

use hallpass_core::role::Role;
use hallpass_testkit::TestServer;
use serde_json::{Value, json};

#[tokio::test]
async fn a_channel_answers_to_its_own_id_and_its_experiences() {
    let server = TestServer::start().await;
    let acme = server.company("acme").await;
    let (experience, channel) = acme.channel("General", true).await;
    let (_, ann) = acme.member("ann").await;
    let by_feed = ann.get(&format!("/chat_channels/{channel}")).await.ok();
    assert_eq!(ann.get(&format!("/chat_channels/{experience}")).await.ok(), by_feed);
    assert_eq!(by_feed["id"], channel);
    assert_eq!(by_feed["experience"], json!({ "id": experience, "name": "General" }));
    let list = ann.get(&format!("/chat_channels?company_id={}", acme.id)).await.ok();
    assert_eq!(list["data"], json!([by_feed]));
    let by_account = ann.get(&format!("/chat_channels?account_id={}", acme.id)).await.ok();
    assert_eq!(by_account, list);

    ann.get("/chat_channels").await.refused(400, "parameter_missing");
    ann.get("/chat_channels/nonsense").await.refused(400, "parameter_invalid");
    ann.get(&format!("/chat_channels/{}", acme.id)).await.refused(400, "parameter_invalid");
    let unknown = hallpass_core::id::ChatFeedId::from_bits(1);
    ann.get(&format!("/chat_channels/{unknown}")).await.refused(404, "not_found");
    server.actor("").get(&format!("/chat_channels/{channel}")).await.refused(401, "credential_missing");
    let (ben, _) = acme.member("ben").await;
    let writes_only = server.actor(acme.token_with(&ben, &["chat:message:create"]).await);
    writes_only.get(&format!("/chat_channels/{channel}")).await.refused(403, "scope_missing");
    writes_only.get(&format!("/chat_channels?company_id={}", acme.id)).await.refused(403, "scope_missing");
}

#[tokio::test]
async fn channels_are_walked_page_by_page() {
    let server = TestServer::start().await;
    let acme = server.company("acme").await;
    let mut made = Vec::new();
    for n in 0..7 {
        made.push(acme.channel(&format!("c{n}"), true).await.1);
    }
    let (_, ann) = acme.member("ann").await;
    for (direction, ascending) in [("asc", true), ("desc", false)] {
        let mut seen = Vec::new();
        let mut after = String::new();
        loop {
            let path =
                format!("/chat_channels?company_id={}&direction={direction}&first=3&after={after}", acme.id);
            let page = ann.get(&path).await.ok();
            seen.extend(
                page["data"].as_array().unwrap().iter().map(|c| c["id"].as_str().unwrap().to_owned()),
            );
            match page["page_info"]["end_cursor"].as_str() {
                Some(cursor) => after = cursor.to_owned(),
                None => break,
            }
        }
        // All of one instant: in the order of their ids, whichever way.
        let mut expected = made.clone();
        expected.sort();
        if !ascending {
            expected.reverse();
        }
        assert_eq!(seen, expected, "{direction}");
    }
}

#[tokio::test]
async fn rules_are_changed_in_part_and_seen_by_everybody_at_once() {
    let server = TestServer::start().await;
    let acme = server.company("acme").await;
    let (experience, channel) = acme.channel("General", true).await;
    let (_, ann) = acme.member("ann").await;
    let key = acme.as_key();
    let path = format!("/chat_channels/{experience}");
    let changed = key
        .patch(
            &path,
            json!({ "who_can_post": "admins", "banned_words": ["Spam", "free money"], "ban_media": true }),
        )
        .await
        .ok();
    assert_eq!(changed["banned_words"], json!(["Spam", "free money"]));
    let changed = key
        .patch(
            &path,
            json!({ "who_can_react": "no_one", "ban_urls": true, "user_posts_cooldown_seconds": 30 }),
        )
        .await
        .ok();
    assert_eq!(
        changed,
        json!({ "id": channel, "experience": { "id": experience, "name": "General" }, "who_can_post": "admins",
                "who_can_react": "no_one", "ban_media": true, "ban_urls": true,
                "banned_words": ["Spam", "free money"], "user_posts_cooldown_seconds": 30 })
    );
    // Null changes nothing, except that it lifts the cooldown; so does nought.
    let nulls = json!({ "who_can_post": null, "who_can_react": null, "ban_media": null, "ban_urls": null,
                        "banned_words": null });
    assert_eq!(key.patch(&path, nulls).await.ok(), changed);
    assert_eq!(key.patch(&path, json!({})).await.ok(), changed);
    let lifted = key.patch(&path, json!({ "user_posts_cooldown_seconds": null })).await.ok();
    assert_eq!(lifted["user_posts_cooldown_seconds"], Value::Null);
    key.patch(&path, json!({ "user_posts_cooldown_seconds": 7 })).await.ok();
    let lifted = key.patch(&path, json!({ "user_posts_cooldown_seconds": 0 })).await.ok();
    assert_eq!(lifted["user_posts_cooldown_seconds"], Value::Null);

    // The words are for those who moderate.
    let seen = ann.get(&path).await.ok();
    assert_eq!(seen["banned_words"], json!([]));
    assert_eq!(seen["who_can_post"], "admins");
    let list = ann.get(&format!("/chat_channels?company_id={}", acme.id)).await.ok();
    assert_eq!(list["data"][0]["banned_words"], json!([]));
    let (ben, as_ben) = acme.member("ben").await;
    acme.role(&ben, Some(Role::Moderator)).await;
    assert_eq!(as_ben.get(&path).await.ok()["banned_words"], json!(["Spam", "free money"]));
    let list = as_ben.get(&format!("/chat_channels?company_id={}", acme.id)).await.ok();
    assert_eq!(list["data"][0]["banned_words"], json!(["Spam", "free money"]));
}

#[tokio::test]
async fn rules_that_cannot_be() {
    let server = TestServer::start().await;
    let acme = server.company("acme").await;
    let (_, channel) = acme.channel("General", true).await;
    let path = format!("/chat_channels/{channel}");
    let key = acme.as_key();
    let before = key.get(&path).await.ok();
    let words: Vec<String> = (0..501).map(|n| n.to_string()).collect();
    let bad = [
        (json!({ "who_can_post": "members_only" }), 400),
        (json!({ "who_can_post": "" }), 400),
        (json!({ "who_can_react": "admins" }), 400),
        (json!({ "ban_urls": "yes" }), 400),
        (json!({ "banned_words": "spam" }), 400),
        (json!({ "banned_words": ["ok", 7] }), 400),
        (json!({ "banned_words": words }), 400),
        (json!({ "banned_words": ["x".repeat(101)] }), 422),
        (json!({ "banned_words": [" "] }), 422),
        (json!({ "banned_words": ["a\0b"] }), 422),
        (json!({ "user_posts_cooldown_seconds": -1 }), 400),
        (json!({ "user_posts_cooldown_seconds": 604_801 }), 400),
        (json!({ "user_posts_cooldown_seconds": 1.5 }), 400),
        (json!({ "user_posts_cooldown_seconds": 99_999_999_999_999_999_999_u128.to_string() }), 400),
    ];
    for (body, status) in bad {
        let answer = key.patch(&path, body.clone()).await;
        assert_eq!(answer.status, status, "{body}: {}", answer.body);
    }
    assert_eq!(key.get(&path).await.ok(), before);
    let (_, ann) = acme.member("ann").await;
    ann.patch(&path, json!({ "ban_urls": true })).await.refused(403, "scope_missing");
    let (ben, _) = acme.member("ben").await;
    acme.role(&ben, Some(Role::Moderator)).await;
    let moderator = server.actor(acme.token_with(&ben, &["chat:moderate", "chat:read"]).await);
    moderator.patch(&path, json!({ "ban_urls": true })).await.ok();
}
