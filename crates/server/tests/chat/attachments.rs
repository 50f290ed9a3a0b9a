//! Files of messages.

use hallpass_testkit::{Actor, Answer, TestServer, pictures};
use jiff::SignedDuration;
use serde_json::{Value, json};

fn text<'v>(value: &'v Value, key: &str) -> &'v str {
    value[key].as_str().unwrap_or_else(|| panic!("{key} of {value:#}"))
}

async fn send(by: &Actor<'_>, channel: &str, content: &str, files: &[&str]) -> Answer {
    let files: Vec<Value> = files.iter().map(|id| json!({ "id": id })).collect();
    by.post("/messages", json!({ "channel_id": channel, "content": content, "attachments": files })).await
}

fn ids(message: &Value) -> Vec<&str> {
    message["attachments"].as_array().unwrap().iter().map(|file| text(file, "id")).collect()
}

#[tokio::test]
async fn a_message_shows_its_files() {
    let server = TestServer::start().await;
    let acme = server.company("acme").await;
    let (_, channel) = acme.channel("general", true).await;
    let (_, ann) = acme.member("ann").await;
    let (_, ben) = acme.member("ben").await;
    let (one, two) = (ann.upload("a.png", pictures::png(30, 20)).await, ann.upload("b.txt", "words").await);
    let said = send(&ann, &channel, "look", &[&one, &two, &one]).await.ok();
    assert_eq!(ids(&said), [one.as_str(), two.as_str()]);
    let first = &said["attachments"][0];
    assert_eq!((&first["filename"], &first["content_type"]), (&json!("a.png"), &json!("image/png")));
    assert_eq!(said["attachments"][1]["size"], "5");
    let path = format!("/messages/{}", text(&said, "id"));
    for by in [&ann, &ben, &acme.as_key()] {
        let seen = by.get(&path).await.ok();
        assert_eq!(seen["attachments"], said["attachments"], "public addresses are everybody's");
        let listed = by.get(&format!("/messages?channel_id={channel}")).await.ok();
        assert_eq!(listed["data"][0]["attachments"], said["attachments"]);
        assert_eq!(server.fetch(text(&seen["attachments"][1], "url")).await.text, "words");
    }
    // A picture alone needs no words; nothing at all is nothing.
    send(&ann, &channel, "", &[&ann.upload("c.png", pictures::png(5, 5)).await]).await.ok();
    send(&ann, &channel, "", &[]).await.refused(422, "content_empty");
}

#[tokio::test]
async fn threat_27_private_files_are_signed_for_each_reader_of_the_message() {
    let server = TestServer::start().await;
    let acme = server.company("acme").await;
    let (experience, channel) = acme.channel("board", false).await;
    let (ann_id, ann) = acme.member("ann").await;
    let (ben_id, ben) = acme.member("ben").await;
    for user in [&ann_id, &ben_id] {
        acme.as_key().put(&format!("/experiences/{experience}/members/{user}")).await.ok();
    }
    let (_, outsider) = acme.member("cleo").await;
    let file = ann.upload_as("plan.txt", "private", "the plan").await;
    let said = send(&ann, &channel, "read this", &[text(&file, "id")]).await.ok();
    let path = format!("/messages/{}", text(&said, "id"));
    let link = async |by: &Actor<'_>| {
        let seen = by.get(&path).await.ok();
        text(&seen["attachments"][0], "url").to_owned()
    };
    let (anns, bens, keys) = (link(&ann).await, link(&ben).await, link(&acme.as_key()).await);
    assert!(anns != bens && bens != keys && anns != keys);
    for url in [&anns, &bens, &keys] {
        assert_eq!(server.fetch(url).await.text, "the plan");
    }
    outsider.get(&path).await.refused(404, "not_found");
    outsider.get(&format!("/files/{}", text(&file, "id"))).await.refused(404, "not_found");
    ben.get(&format!("/files/{}", text(&file, "id"))).await.refused(404, "not_found");
    server.clock.advance(SignedDuration::from_mins(5));
    server.fetch(&bens).await.refused(403, "link_expired");
    let bens = link(&ben).await;
    // Ben is un-enrolled: his link is dead, ann's is not.
    acme.as_key().delete(&format!("/companies/{}/members/{ben_id}", acme.id)).await.ok();
    server.fetch(&bens).await.refused(404, "not_found");
    assert_eq!(server.fetch(&link(&ann).await).await.status, 200);
}

#[tokio::test]
async fn threats_20_and_27_only_ones_own_ready_files_are_attached() {
    let server = TestServer::start().await;
    let (acme, rival) = (server.company("acme").await, server.company("rival").await);
    let (_, channel) = acme.channel("general", true).await;
    let (_, ann) = acme.member("ann").await;
    let (_, ben) = acme.member("ben").await;
    let theirs = rival.as_key().upload("a.txt", "a").await;
    let bens = ben.upload("b.txt", "b").await;
    let of_key = acme.as_key().upload("c.txt", "c").await;
    let pending = text(&ann.pending_file("d.txt", "public").await, "id").to_owned();
    for foreign in [theirs.as_str(), &bens, &of_key, "file_01KDWPVNG0W1GTXMFFD0000001"] {
        send(&ann, &channel, "x", &[foreign]).await.refused(404, "not_found");
    }
    send(&ann, &channel, "x", &[&pending]).await.refused(422, "file_not_ready");
    send(&ann, &channel, "x", &["file_x"]).await.refused(400, "parameter_invalid");
    let own = ann.upload("e.txt", "e").await;
    send(&ann, &channel, "x", &[&own, &theirs]).await.refused(404, "not_found");
    let nothing = json!({ "channel_id": channel, "content": "x", "attachments": [{}] });
    ann.post("/messages", nothing).await.refused(400, "parameter_missing");
    let said = send(&ann, &channel, "mine", &[&own]).await.ok();
    let path = format!("/messages/{}", text(&said, "id"));
    for foreign in [&theirs, &bens] {
        let edit = json!({ "attachments": [{ "id": own }, { "id": foreign }] });
        ann.patch(&path, edit).await.refused(404, "not_found");
    }
    // What a key posts has what keys of its company uploaded.
    send(&acme.as_key(), &channel, "by key", &[&of_key]).await.ok();
    send(&acme.as_key(), &channel, "by key", &[&own]).await.refused(404, "not_found");
    assert_eq!(ids(&ann.get(&path).await.ok()), [own.as_str()]);
}

#[tokio::test]
async fn an_edit_replaces_the_files_and_a_deleted_message_takes_them_along() {
    let server = TestServer::start().await;
    let acme = server.company("acme").await;
    let (_, channel) = acme.channel("general", true).await;
    let (_, ann) = acme.member("ann").await;
    let (_, ben) = acme.member("ben").await;
    let (one, two, three) =
        (ann.upload("1.txt", "1").await, ann.upload("2.txt", "2").await, ann.upload("3.txt", "3").await);
    let said = send(&ann, &channel, "look", &[&one, &two]).await.ok();
    let also = send(&ann, &channel, "again", &[&two]).await.ok();
    let path = format!("/messages/{}", text(&said, "id"));
    let urls: Vec<String> =
        said["attachments"].as_array().unwrap().iter().map(|file| text(file, "url").to_owned()).collect();
    let alive = async |url: &str| server.fetch(url).await.status == 200;

    ben.patch(&path, json!({ "attachments": [] })).await.refused(403, "not_author");
    let same = ann.patch(&path, json!({ "attachments": [{ "id": one }, { "id": two }] })).await.ok();
    assert_eq!(same["is_edited"], false, "nothing changed");
    assert_eq!(
        ids(&ann.patch(&path, json!({ "attachments": null })).await.ok()).len(),
        2,
        "null is no value"
    );
    let edited = ann.patch(&path, json!({ "attachments": [{ "id": two }, { "id": three }] })).await.ok();
    assert_eq!((ids(&edited), &edited["is_edited"]), (vec![two.as_str(), three.as_str()], &json!(true)));
    assert_eq!(edited["content"], "look");
    assert!(!alive(&urls[0]).await && alive(&urls[1]).await);
    assert!(ids(&ann.patch(&path, json!({ "attachments": [] })).await.ok()).is_empty());
    assert!(alive(&urls[1]).await, "another message has it");
    // A file that went with its message is nobody's to use again.
    send(&ann, &channel, "x", &[&three]).await.refused(404, "not_found");

    ann.delete(&format!("/messages/{}", text(&also, "id"))).await.ok();
    assert!(!alive(&urls[1]).await);
}

#[tokio::test]
async fn a_channel_may_ban_media() {
    let server = TestServer::start().await;
    let acme = server.company("acme").await;
    let (_, channel) = acme.channel("general", true).await;
    let (_, ann) = acme.member("ann").await;
    let file = ann.upload("a.txt", "a").await;
    let before = send(&ann, &channel, "before", &[&file]).await.ok();
    acme.as_key().patch(&format!("/chat_channels/{channel}"), json!({ "ban_media": true })).await.ok();
    send(&ann, &channel, "x", &[&file]).await.refused(422, "banned_media");
    let plain = ann.say(&channel, "plain").await.ok();
    let path = format!("/messages/{}", text(&plain, "id"));
    ann.patch(&path, json!({ "attachments": [{ "id": file }] })).await.refused(422, "banned_media");
    // What was there before the rule stays, and may go.
    let path = format!("/messages/{}", text(&before, "id"));
    assert_eq!(ids(&ann.patch(&path, json!({ "content": "still" })).await.ok()), [file.as_str()]);
    ann.patch(&path, json!({ "attachments": [] })).await.ok();
}

#[tokio::test]
async fn a_file_whose_message_never_came_is_free_again() {
    let server = TestServer::start().await;
    let acme = server.company("acme").await;
    let (_, channel) = acme.channel("general", true).await;
    let (_, ann) = acme.member("ann").await;
    acme.as_key()
        .patch(&format!("/chat_channels/{channel}"), json!({ "user_posts_cooldown_seconds": 60 }))
        .await
        .ok();
    ann.say(&channel, "first").await.ok();
    let file = ann.upload_as("a.txt", "public", "a").await;
    let id = text(&file, "id");
    send(&ann, &channel, "too soon", &[id]).await.refused(422, "cooldown");
    server.clock.advance(SignedDuration::from_mins(62));
    server.app.do_chores().await.unwrap();
    assert_eq!(server.fetch(text(&file, "url")).await.status, 200);
    // Unused for thirty days, it is forgotten after all.
    server.clock.advance(SignedDuration::from_hours(24 * 31));
    server.app.do_chores().await.unwrap();
    assert_eq!(server.fetch(text(&file, "url")).await.status, 404);
}

#[tokio::test]
async fn a_deleted_direct_message_takes_its_files_along() {
    let server = TestServer::start().await;
    let acme = server.company("acme").await;
    let (_, ann) = acme.member("ann").await;
    let (ben_id, ben) = acme.member("ben").await;
    let body = json!({ "with_user_ids": [ben_id], "company_id": acme.id });
    let channel = ann.post("/dm_channels", body).await.ok();
    let file = ann.upload_as("plan.txt", "private", "between us").await;
    let said = send(&ann, text(&channel, "id"), "for you", &[text(&file, "id")]).await.ok();
    let seen = ben.get(&format!("/messages/{}", text(&said, "id"))).await.ok();
    let link = text(&seen["attachments"][0], "url");
    assert_eq!(server.fetch(link).await.text, "between us");
    acme.as_key().get(&format!("/messages/{}", text(&said, "id"))).await.refused(404, "not_found");
    ann.delete(&format!("/dm_channels/{}", text(&channel, "id"))).await.ok();
    server.fetch(link).await.refused(404, "not_found");
}
