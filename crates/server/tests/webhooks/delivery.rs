//! What happens is told: once, in order, signed, and to nobody else.

use std::time::Duration;

use hallpass_outbound::{Outbound, Policy};
use hallpass_testkit::{Setup, TestServer};
use serde_json::json;

use super::receiver::{Receiver, Reply, log, subscribe};

const CREATED: [&str; 1] = ["chat.message.created"];

#[tokio::test]
async fn a_message_is_told_signed_and_logged() {
    let server = TestServer::start().await;
    let acme = server.company("acme").await;
    let (experience, channel) = acme.channel("General", true).await;
    let receiver = Receiver::start().await;
    let (webhook, secret) = receiver.subscribe(&acme.as_key(), &CREATED).await;
    let (ann_id, ann) = acme.member("ann").await;
    let sent = ann.say(&channel, "hello").await.ok();
    assert!(receiver.got().is_empty(), "nothing is sent while the sender waits");
    server.app.deliver_webhooks().await.unwrap();

    let got = receiver.got();
    assert_eq!(got.len(), 1);
    let got = &got[0];
    assert!(got.id().starts_with("msg_"));
    assert_eq!(got.body["id"], got.id());
    assert_eq!(got.body["type"], "chat.message.created");
    assert_eq!(got.body["company_id"], acme.id.to_string());
    assert_eq!(
        got.body["data"]["message"],
        ann.get(&format!("/messages/{}", sent["id"].as_str().unwrap())).await.ok()
    );
    assert_eq!(got.body["data"]["message"]["user"]["id"], ann_id);
    assert_eq!(
        got.body["data"]["channel"],
        json!({ "id": channel, "type": "chat", "experience_id": experience })
    );
    assert_eq!(got.body["data"]["audience"], json!({ "type": "channel", "user_ids": null }));
    assert_eq!(got.body["data"]["reason"], "message");
    assert!(got.headers["user-agent"].starts_with("Hallpass"));
    assert_eq!(got.headers["webhook-timestamp"], "1767268800");
    assert!(got.is_signed_by(&secret));
    assert!(!got.is_signed_by(&secret[3..]), "the prefix is part of the key");

    let log = log(&acme.as_key(), &webhook).await;
    assert_eq!(log.len(), 1);
    assert_eq!(log[0]["id"], got.id());
    assert_eq!(
        (&log[0]["status"], &log[0]["attempts"], &log[0]["response_status"]),
        (&json!("delivered"), &json!(1), &json!(200))
    );
    server.app.deliver_webhooks().await.unwrap();
    assert_eq!(receiver.got().len(), 1, "once");
}

#[tokio::test]
async fn many_messages_come_in_order_over_one_connection() {
    let server = TestServer::start().await;
    let acme = server.company("acme").await;
    let (_, channel) = acme.channel("General", true).await;
    let receiver = Receiver::start().await;
    receiver.subscribe(&acme.as_key(), &CREATED).await;
    let (_, ann) = acme.member("ann").await;
    for burst in 0..6 {
        let sends = (0..100).map(|n| {
            let (ann, channel) = (ann.clone(), channel.clone());
            async move { ann.say(&channel, &format!("{burst} {n}")).await.ok() }
        });
        futures_util::future::join_all(sends).await;
    }
    server.app.deliver_webhooks().await.unwrap();
    let mut stored = Vec::new();
    let mut after = String::new();
    loop {
        let page =
            ann.get(&format!("/messages?channel_id={channel}&direction=asc&first=100{after}")).await.ok();
        let data = page["data"].as_array().unwrap();
        stored.extend(data.iter().map(|message| message["content"].as_str().unwrap().to_owned()));
        let Some(cursor) = page["page_info"]["end_cursor"].as_str() else { break };
        after = format!("&after={cursor}");
    }
    assert_eq!(stored.len(), 600);
    assert_eq!(receiver.contents(), stored);
    assert_eq!(receiver.connections(), 1);
    let ids: std::collections::HashSet<String> =
        receiver.got().iter().map(|got| got.id().to_owned()).collect();
    assert_eq!(ids.len(), 600, "each under an id of its own");
}

#[tokio::test]
async fn what_was_deleted_meanwhile_is_not_told() {
    let server = TestServer::start().await;
    let acme = server.company("acme").await;
    let (_, channel) = acme.channel("General", true).await;
    let receiver = Receiver::start().await;
    receiver.subscribe(&acme.as_key(), &CREATED).await;
    let (_, ann) = acme.member("ann").await;
    let mut sent = Vec::new();
    for n in 0..4 {
        sent.push(ann.say(&channel, &format!("message {n}")).await.ok()["id"].as_str().unwrap().to_owned());
    }
    ann.delete(&format!("/messages/{}", sent[0])).await.ok();
    ann.delete(&format!("/messages/{}", sent[3])).await.ok();
    ann.patch(&format!("/messages/{}", sent[1]), json!({ "content": "edited" })).await.ok();
    server.app.deliver_webhooks().await.unwrap();
    assert_eq!(receiver.contents(), ["edited", "message 2"]);
}

#[tokio::test]
async fn only_the_company_and_its_parent_are_told_each_what_it_asked_for() {
    let server = TestServer::start().await;
    let (acme, other) = (server.company("acme").await, server.company("other").await);
    let key = acme.as_key();
    let body = json!({ "email": "t@t.test", "parent_company_id": acme.id, "title": "tenant" });
    let child = key.post("/companies", body).await.ok()["id"].as_str().unwrap().to_owned();
    let made = key
        .post(
            "/experiences",
            json!({ "app_id": server.app.builtin_app(), "company_id": child, "is_public": true }),
        )
        .await
        .ok();
    let childs = made["id"].as_str().unwrap();
    let (_, parents) = acme.channel("General", true).await;
    let receivers = [(); 5].map(|()| async { Receiver::start().await });
    let [own, children, of_child, foreign, deaf] =
        <[Receiver; 5]>::try_from(futures_util::future::join_all(receivers).await).ok().unwrap();
    own.subscribe(&key, &CREATED).await;
    // Whatever version is named, what is sent is of v1, which the receiver checks.
    let of_children = json!({ "url": children.url(), "child_resource_events": true, "api_version": "v5" });
    key.post("/webhooks", of_children).await.ok();
    key.post("/webhooks", json!({ "url": of_child.url(), "resource_id": child })).await.ok();
    foreign.subscribe(&other.as_key(), &CREATED).await;
    deaf.subscribe(&key, &["chat.reaction.created", "payment.succeeded"]).await;
    key.say(&parents, "to the parent").await.ok();
    key.say(childs, "to the child").await.ok();
    server.app.deliver_webhooks().await.unwrap();
    assert_eq!(own.contents(), ["to the parent"]);
    assert_eq!(children.contents(), ["to the child"]);
    assert_eq!(of_child.contents(), ["to the child"]);
    assert_eq!(children.got()[0].body["company_id"], child);
    assert!(foreign.got().is_empty() && deaf.got().is_empty());
}

#[tokio::test]
async fn what_is_made_holds_for_the_next_message_on_every_node() {
    let server = TestServer::start().await;
    let other = server.another_node().await;
    let acme = server.company("acme").await;
    let (_, channel) = acme.channel("General", true).await;
    let (_, ann) = acme.member("ann").await;
    // The other node knows that nobody is told.
    other.actor(&ann.bearer).say(&channel, "before").await.ok();
    let receiver = Receiver::start().await;
    let (webhook, _) = receiver.subscribe(&acme.as_key(), &CREATED).await;
    other.actor(&ann.bearer).say(&channel, "at once").await.ok();
    acme.as_key().patch(&format!("/webhooks/{webhook}"), json!({ "enabled": false })).await.ok();
    other.actor(&ann.bearer).say(&channel, "while it is off").await.ok();
    acme.as_key().patch(&format!("/webhooks/{webhook}"), json!({ "enabled": true })).await.ok();
    other.actor(&ann.bearer).say(&channel, "on again").await.ok();
    server.app.deliver_webhooks().await.unwrap();
    assert_eq!(receiver.contents(), ["at once", "on again"]);
}

#[tokio::test]
async fn switched_off_or_deleted_it_gets_nothing_more() {
    let server = TestServer::start().await;
    let acme = server.company("acme").await;
    let key = acme.as_key();
    let (_, channel) = acme.channel("General", true).await;
    let receiver = Receiver::start().await;
    let (off, _) = receiver.subscribe(&key, &CREATED).await;
    let gone = Receiver::start().await;
    let (deleted, _) = gone.subscribe(&key, &CREATED).await;
    key.say(&channel, "waits").await.ok();
    key.patch(&format!("/webhooks/{off}"), json!({ "enabled": false })).await.ok();
    key.delete(&format!("/webhooks/{deleted}")).await.ok();
    server.app.deliver_webhooks().await.unwrap();
    assert!(receiver.got().is_empty() && gone.got().is_empty());
    let shown = key.get(&format!("/webhooks/{off}")).await.ok();
    assert_eq!(shown["disabled_reason"], "by_hand");
    key.get(&format!("/webhooks/{deleted}")).await.refused(404, "not_found");

    // What waited when it was switched off comes when it is on again.
    key.patch(&format!("/webhooks/{off}"), json!({ "enabled": true })).await.ok();
    server.app.deliver_webhooks().await.unwrap();
    assert_eq!(receiver.contents(), ["waits"]);
    server.app.do_chores().await.unwrap();
    assert!(gone.got().is_empty());
}

#[tokio::test]
async fn one_that_hangs_slows_nobody() {
    // Nobody's patience runs out while this test waits.
    let outbound = Outbound::new(Policy::with_loopback(), "test").with_patience(Duration::from_mins(10));
    let server = TestServer::with(Setup { outbound, ..Setup::default() }).await;
    let acme = server.company("acme").await;
    let key = acme.as_key();
    let (_, channel) = acme.channel("General", true).await;
    let silent = Receiver::that(|_| Reply::Silence).await;
    let fast = Receiver::start().await;
    silent.subscribe(&key, &CREATED).await;
    fast.subscribe(&key, &CREATED).await;
    subscribe(&key, "http://127.0.0.1:1/closed", &CREATED).await;
    for n in 0..20 {
        key.say(&channel, &format!("{n}")).await.ok();
    }
    let delivering = server.app.clone();
    let task = tokio::spawn(async move { delivering.deliver_webhooks().await });
    fast.reached(20).await;
    silent.reached(1).await;
    assert!(!task.is_finished(), "the silent one is still waited for");
    key.say(&channel, "nor does a sender wait").await.ok();
    assert_eq!(silent.got().len(), 1, "what is behind waits");
    silent.now(|_| Reply::Status(200));
    task.await.unwrap().unwrap();
}
