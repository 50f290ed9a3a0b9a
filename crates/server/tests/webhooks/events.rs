//! The events beyond a message in a channel, and what they say.

use hallpass_app::admin::AdminCommand;
use hallpass_core::entity::FeedSeat;
use hallpass_core::id::{AppId, FeedId, FeedMemberId, UserId};
use hallpass_core::webhook::EventType;
use hallpass_store::NewFeed;
use hallpass_testkit::TestServer;
use serde_json::{Value, json};

use super::receiver::Receiver;

fn ours() -> Vec<&'static str> {
    EventType::ALL.iter().map(|event| event.name()).collect()
}

/// Type and data of everything that came.
fn told(receiver: &Receiver) -> Vec<(String, Value)> {
    receiver
        .got()
        .iter()
        .map(|got| (got.body["type"].as_str().unwrap().to_owned(), got.body["data"].clone()))
        .collect()
}

#[tokio::test]
async fn edits_pins_and_deletions_are_told() {
    let server = TestServer::start().await;
    let acme = server.company("acme").await;
    let (experience, channel) = acme.channel("General", true).await;
    let (_, ann) = acme.member("ann").await;
    let receiver = Receiver::start().await;
    receiver.subscribe(&acme.as_key(), &["hallpass.message.updated", "hallpass.message.deleted"]).await;
    let id = ann.say(&channel, "hello").await.ok()["id"].as_str().unwrap().to_owned();
    let path = format!("/messages/{id}");
    ann.patch(&path, json!({ "content": "changed" })).await.ok();
    for _ in 0..2 {
        acme.as_key().patch(&path, json!({ "is_pinned": true })).await.ok();
    }
    server.app.deliver_webhooks().await.unwrap();
    ann.delete(&path).await.ok();
    server.app.deliver_webhooks().await.unwrap();
    let told = told(&receiver);
    let kinds: Vec<(&str, &Value)> =
        told.iter().map(|(kind, data)| (kind.as_str(), &data["reason"])).collect();
    assert_eq!(
        kinds,
        [
            ("hallpass.message.updated", &json!("edited")),
            ("hallpass.message.updated", &json!("pinned")),
            ("hallpass.message.deleted", &Value::Null),
        ]
    );
    assert_eq!(told[0].1["message"]["content"], "changed");
    assert_eq!(
        told[2].1,
        json!({ "message_id": id, "channel": { "id": channel, "type": "chat", "experience_id": experience },
                "audience": { "type": "channel", "user_ids": null } })
    );
}

#[tokio::test]
async fn why_a_message_is_told_is_said() {
    let server = TestServer::start().await;
    let acme = server.company("acme").await;
    let (_, channel) = acme.channel("General", true).await;
    let (ann_id, ann) = acme.member("ann").await;
    let receiver = Receiver::start().await;
    receiver.subscribe(&acme.as_key(), &["chat.message.created"]).await;
    let first = ann.say(&channel, "plain").await.ok()["id"].clone();
    ann.say(&channel, &format!("<@{ann_id}> look")).await.ok();
    acme.as_key().say(&channel, "@everyone look").await.ok();
    let reply = json!({ "channel_id": channel, "content": "so", "replying_to_message_id": first });
    ann.post("/messages", reply).await.ok();
    server.app.deliver_webhooks().await.unwrap();
    for got in receiver.got() {
        let message = &got.body["data"]["message"];
        let expected = if message["mentions_everyone"] == true {
            "mention_everyone"
        } else if message["mentions"] != json!([]) {
            "mention"
        } else if message["replying_to_message_id"].is_string() {
            "reply"
        } else {
            "message"
        };
        assert_eq!(got.body["data"]["reason"], expected, "{}", got.content());
    }
    let reasons: std::collections::HashSet<String> =
        receiver.got().iter().map(|got| got.body["data"]["reason"].as_str().unwrap().to_owned()).collect();
    assert!(reasons.len() >= 3, "{reasons:?}");
}

#[tokio::test]
async fn reactions_and_votes_are_told_until_they_are_taken_back() {
    let server = TestServer::start().await;
    let acme = server.company("acme").await;
    let (_, channel) = acme.channel("General", true).await;
    let (ann_id, ann) = acme.member("ann").await;
    let receiver = Receiver::start().await;
    receiver.subscribe(&acme.as_key(), &["chat.reaction.created"]).await;
    let poll = json!({ "options": [{ "id": "1", "text": "yes" }, { "id": "2", "text": "no" }] });
    let sent =
        ann.post("/messages", json!({ "channel_id": channel, "content": "well?", "poll": poll })).await.ok();
    let react = async |body: Value| {
        let mut body = body;
        body["resource_id"] = sent["id"].clone();
        ann.post("/reactions", body).await.ok()
    };
    let heart = react(json!({ "emoji": ":heart:" })).await;
    react(json!({ "poll_option_id": "2" })).await;
    let gone = react(json!({ "emoji": ":tada:" })).await;
    ann.delete(&format!("/reactions/{}", gone["id"].as_str().unwrap())).await.ok();
    server.app.deliver_webhooks().await.unwrap();
    let told = told(&receiver);
    assert_eq!(told.len(), 2, "{told:#?}");
    assert_eq!(told[0].1["reaction"], heart);
    assert_eq!((&told[0].1["reason"], &told[1].1["reason"]), (&json!("reaction"), &json!("vote")));
    assert_eq!(told[0].1["message"]["id"], sent["id"]);
    assert_eq!(told[1].1["reaction"]["user"]["id"], ann_id);
}

#[tokio::test]
async fn enrolments_revocations_and_keys_are_told_without_secrets() {
    let server = TestServer::start().await;
    let acme = server.company("acme").await;
    let key = acme.as_key();
    let receiver = Receiver::start().await;
    receiver.subscribe(&key, &ours()).await;
    let ann = acme.user("ann").await;
    let token = acme.token(&ann).await;
    key.post("/access_tokens/revoke", json!({ "token": token })).await.ok();
    key.post("/access_tokens/revoke", json!({ "user_id": ann, "company_id": acme.id })).await.ok();
    let body = json!({ "child_company_id": acme.id, "role": "moderator", "name": "second" });
    let made = key.post(&format!("/companies/{}/api_keys", acme.id), body).await.ok();
    key.post("/access_tokens/revoke", json!({ "api_key_id": made["id"] })).await.ok();
    server.app.deliver_webhooks().await.unwrap();
    let told = told(&receiver);
    let kinds: Vec<&str> = told.iter().map(|(kind, _)| kind.as_str()).collect();
    assert_eq!(
        kinds,
        [
            "hallpass.user.enrolled",
            "hallpass.token.revoked",
            "hallpass.token.revoked",
            "hallpass.api_key.created",
            "hallpass.token.revoked",
        ]
    );
    assert_eq!(told[0].1["user"]["id"], ann);
    assert_eq!(told[0].1["user"]["name"], "ann");
    assert!(told[1].1["jti"].as_str().unwrap().starts_with("tok_"));
    assert_eq!(told[2].1, json!({ "jti": null, "user_id": ann, "api_key_id": null }));
    assert_eq!(told[3].1["api_key"]["id"], made["id"]);
    assert_eq!(told[3].1["api_key"]["name"], "second");
    assert_eq!(told[4].1["api_key_id"], made["id"]);
    let secret = made["secret_key"].as_str().unwrap();
    for got in receiver.got() {
        assert!(!got.text.contains(&secret[4..12]) && !got.text.contains(&token[..20]), "{}", got.text);
    }
}

#[tokio::test]
async fn an_app_that_is_installed_is_told() {
    let server = TestServer::start().await;
    let (acme, maker) = (server.company("acme").await, server.company("maker").await);
    let receiver = Receiver::start().await;
    receiver.subscribe(&acme.as_key(), &["hallpass.app.authorized"]).await;
    let made =
        server.app.admin(AdminCommand::CreateApp { company: maker.id, name: "Helper".into() }).await.unwrap();
    let app: AppId = made["id"].as_str().unwrap().parse().unwrap();
    server.app.admin(AdminCommand::InstallApp { app, company: acme.id }).await.unwrap();
    server.app.deliver_webhooks().await.unwrap();
    assert_eq!(
        told(&receiver),
        [("hallpass.app.authorized".to_owned(), json!({ "app": { "id": app, "name": "Helper" } }))]
    );
}

#[tokio::test]
async fn direct_messages_and_support_chats_name_their_people() {
    let server = TestServer::start().await;
    let acme = server.company("acme").await;
    let receiver = Receiver::start().await;
    receiver.subscribe(&acme.as_key(), &["chat.message.created"]).await;
    let (ann_id, ann) = acme.member("ann").await;
    let (ben_id, _) = acme.member("ben").await;
    let ids: Vec<UserId> = [&ann_id, &ben_id].map(|id| id.parse().unwrap()).into();
    for (n, customer) in [(1, None), (2, Some(ids[0]))] {
        let feed = NewFeed {
            id: FeedId::from_bits(n),
            company: acme.id,
            identity: format!("feed {n}"),
            customer,
            custom_name: None,
            key_holder: None,
        };
        let seats: Vec<UserId> = if customer.is_some() { vec![ids[0]] } else { ids.clone() };
        server
            .app
            .store()
            .write((feed, seats), |(feed, seats), tx| {
                Box::pin(async move {
                    let at = jiff::Timestamp::UNIX_EPOCH;
                    assert!(tx.insert_feed(feed, at).await?);
                    for user in seats {
                        let id = FeedMemberId::from_bits(feed.id.bits() * 1000 + user.bits() % 1000);
                        let seat = FeedSeat { user: *user, admin: false };
                        tx.insert_feed_member(
                            (feed.id, feed.company),
                            id,
                            seat,
                            hallpass_core::entity::FeedStatus::Accepted,
                            at,
                        )
                        .await?;
                    }
                    Ok::<_, hallpass_store::StoreError>(())
                })
            })
            .await
            .unwrap();
        ann.say(&FeedId::from_bits(n).to_string(), "psst").await.ok();
    }
    server.app.deliver_webhooks().await.unwrap();
    let told = told(&receiver);
    for (n, kind, reason, people) in [
        (1, "direct_message", "direct_message", vec![&ann_id, &ben_id]),
        (2, "support", "support_message", vec![&ann_id]),
    ] {
        let id = FeedId::from_bits(n);
        let (_, data) = told.iter().find(|(_, data)| data["channel"]["id"] == id.to_string()).unwrap();
        assert_eq!(data["channel"], json!({ "id": id, "type": kind, "experience_id": null }));
        assert_eq!((&data["audience"]["type"], &data["reason"]), (&json!("users"), &json!(reason)));
        let mut named: Vec<&str> =
            data["audience"]["user_ids"].as_array().unwrap().iter().map(|id| id.as_str().unwrap()).collect();
        let mut people: Vec<&str> = people.into_iter().map(String::as_str).collect();
        named.sort_unstable();
        people.sort_unstable();
        assert_eq!(named, people);
    }
}

#[tokio::test]
async fn an_idle_webhook_is_told_nothing() {
    let server = TestServer::start().await;
    let acme = server.company("acme").await;
    let (_, channel) = acme.channel("General", true).await;
    let receiver = Receiver::start().await;
    receiver.subscribe(&acme.as_key(), &[]).await;
    let (_, ann) = acme.member("ann").await;
    ann.say(&channel, "hello").await.ok();
    server.app.deliver_webhooks().await.unwrap();
    assert!(receiver.got().is_empty());
}

/// Threat 27: a webhook is no way round the right to read.
#[tokio::test]
async fn threat_27_a_webhook_is_told_what_its_maker_might_read() {
    let server = TestServer::start().await;
    let acme = server.company("acme").await;
    let (_, channel) = acme.channel("General", true).await;
    let (_, ann) = acme.member("ann").await;
    let ben = acme.user("ben").await;
    let key = acme.as_key();
    let narrow = async |actions: &[&str]| {
        let permission = json!({ "actions": actions, "grant": true, "resources": [acme.id] });
        let body = json!({ "child_company_id": acme.id, "permissions": [permission] });
        let made = key.post(&format!("/companies/{}/api_keys", acme.id), body).await.ok();
        server.actor(made["secret_key"].as_str().unwrap())
    };
    let manage = "developer:manage_webhook";
    let receive = "webhook_receive:chat";
    let mut told = Vec::new();
    for (actions, expected) in [
        (vec![manage], vec![]),
        (vec![manage, "chat:read", "dms:read", "support_chat:read"], vec![]),
        (vec![manage, receive], vec![]),
        (vec![manage, receive, "chat:read"], vec!["in the channel"]),
        (vec![manage, receive, "dms:read"], vec!["between two", "of the company"]),
        (vec![manage, receive, "support_chat:read"], vec!["to the team"]),
    ] {
        let receiver = Receiver::start().await;
        let (webhook, _) = receiver.subscribe(&narrow(&actions).await, &["chat.message.created"]).await;
        told.push((receiver, webhook, actions, expected));
    }
    // What the company's keys and an app's keys begin is each other's business only.
    let of_company = Receiver::start().await;
    of_company.subscribe(&key, &["chat.message.created"]).await;
    let app = key.post("/apps", json!({ "name": "Tool" })).await.ok();
    let app_key = server.actor(app["api_key"]["token"].as_str().unwrap());
    let of_app = Receiver::start().await;
    of_app.subscribe(&app_key, &["chat.message.created"]).await;

    ann.say(&channel, "in the channel").await.ok();
    let dm = ann.post("/dm_channels", json!({ "with_user_ids": [ben] })).await.ok();
    ann.say(dm["id"].as_str().unwrap(), "between two").await.ok();
    let support = key.post("/support_channels", json!({ "company_id": acme.id, "user_id": ben })).await.ok();
    key.say(support["id"].as_str().unwrap(), "to the team").await.ok();
    for (by, text) in [(&key, "of the company"), (&app_key, "of the app")] {
        let dm = by.post("/dm_channels", json!({ "with_user_ids": [ben] })).await.ok();
        by.say(dm["id"].as_str().unwrap(), text).await.ok();
    }
    server.app.deliver_webhooks().await.unwrap();
    for (receiver, _, actions, expected) in &told {
        assert_eq!(receiver.contents(), *expected, "{actions:?}");
    }
    let all = ["in the channel", "between two", "to the team"];
    assert_eq!(of_company.contents(), [&all[..], &["of the company"]].concat());
    assert_eq!(of_app.contents(), [&all[..], &["of the app"]].concat());

    // Whoever changes it next gives it what they may read themselves; and takes the rest.
    let (receiver, webhook, ..) = &told[0];
    key.patch(&format!("/webhooks/{webhook}"), json!({ "url": receiver.url() })).await.ok();
    ann.say(&channel, "by an owner's hand").await.ok();
    server.app.deliver_webhooks().await.unwrap();
    assert_eq!(receiver.contents(), ["by an owner's hand"]);
    let manager = narrow(&[manage]).await;
    manager
        .patch(
            &format!("/webhooks/{webhook}"),
            json!({ "enabled": true, "events": ["chat.message.created"] }),
        )
        .await
        .ok();
    ann.say(&channel, "by a manager's hand").await.ok();
    server.app.deliver_webhooks().await.unwrap();
    assert_eq!(receiver.contents(), ["by an owner's hand"]);
}
