//! Messages: writing, reading, changing, taking back.

use hallpass_core::catalogue::scopes::{CHAT_MESSAGE_CREATE, CHAT_READ};
use hallpass_core::channel::ChannelId;
use hallpass_core::id::{MessageId, UserId};
use hallpass_core::role::Role;
use hallpass_core::scope::ScopeSet;
use hallpass_core::statement::{KeyRights, Pattern, Statement};
use hallpass_store::EventKind;
use hallpass_testkit::{Actor, TestServer};
use jiff::SignedDuration;
use serde_json::{Value, json};

use super::venues::{direct_message, support_chat};

fn path(message: &Value) -> String {
    format!("/messages/{}", message["id"].as_str().unwrap())
}

/// The events of a channel, checked to be without gaps.
pub(crate) async fn events(server: &TestServer, channel: &str) -> Vec<(EventKind, String)> {
    let channel: ChannelId = channel.parse().unwrap();
    let mut conn = server.app.store().read().await.unwrap();
    let events = conn.list_events(channel, 0, 100_000).await.unwrap();
    let head = conn.find_head(channel).await.unwrap().unwrap();
    assert!(events.iter().map(|(seq, ..)| *seq).eq(1..=head.1), "{head:?}: {events:?}");
    events.into_iter().map(|(_, kind, subject)| (kind, subject)).collect()
}

async fn contents(who: &Actor<'_>, channel: &str) -> Vec<String> {
    let page = who.get(&format!("/messages?channel_id={channel}&direction=asc&first=100")).await.ok();
    page["data"].as_array().unwrap().iter().map(|m| m["content"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn markdown_is_stored_exactly_as_it_was_sent() {
    let server = TestServer::start().await;
    let acme = server.company("acme").await;
    let (_, channel) = acme.channel("General", true).await;
    let (_, ann) = acme.member("ann").await;
    let texts = [
        "hello **world** _and_ `code`",
        " leading and trailing \t ",
        "line\r\nline\nline\rline",
        "👩\u{200d}👩\u{200d}👧 🏳️\u{200d}🌈 e\u{301} é",
        "\u{202b}שלום عليكم\u{202c} mixed",
        "zero\u{200b}width\u{feff}joiner\u{200d}",
        "<script>alert(1)</script> & \"quotes\" 'and' \\u0000 \\ back",
        "'; DROP TABLE messages; --",
        "\u{7f}\u{1}\u{1b}[31mcontrol",
        "\u{10ffff}\u{fffd}\u{fffe}",
        "$1 {} %s \u{2028}\u{2029}",
        "![image](https://example.com/x.png) [link](javascript:alert(1))",
        "x",
    ];
    for text in texts {
        let sent = ann.say(&channel, text).await.ok();
        assert_eq!(sent["content"], text);
        assert_eq!(ann.get(&path(&sent)).await.ok(), sent);
        let edited = ann.patch(&path(&sent), json!({ "content": format!("{text}\r\n") })).await.ok();
        assert_eq!(edited["content"], format!("{text}\r\n"));
    }
    let expected: Vec<String> = texts.iter().map(|text| format!("{text}\r\n")).collect();
    assert_eq!(contents(&ann, &channel).await, expected);
    let longest = "禁".repeat(20_000);
    assert_eq!(ann.say(&channel, &longest).await.ok()["content"], longest);
}

#[tokio::test]
async fn what_cannot_be_a_message() {
    let server = TestServer::start().await;
    let acme = server.company("acme").await;
    let (_, channel) = acme.channel("General", true).await;
    let (_, ann) = acme.member("ann").await;
    let said = path(&ann.say(&channel, "before").await.ok());
    let cases = [
        (String::new(), "content_empty"),
        (" \r\n\t".to_owned(), "content_empty"),
        ("\u{200b}\u{feff}".to_owned(), "content_empty"),
        ("x".repeat(20_001), "content_too_long"),
        ("x".repeat(100_000), "content_too_long"),
        ("a\0b".to_owned(), "nul_character"),
    ];
    for (text, code) in cases {
        ann.say(&channel, &text).await.refused(422, code);
        ann.patch(&said, json!({ "content": text })).await.refused(422, code);
    }
    for body in [
        json!({ "content": "x" }),
        json!({ "channel_id": channel }),
        json!({ "channel_id": channel, "content": null }),
    ] {
        ann.post("/messages", body).await.refused(400, "parameter_missing");
    }
    let bad = [
        json!({ "channel_id": "x", "content": "x" }),
        json!({ "channel_id": acme.id, "content": "x" }),
        json!({ "channel_id": 7, "content": "x" }),
        json!({ "channel_id": channel, "content": 7 }),
        json!({ "channel_id": channel, "content": ["x"] }),
        json!({ "channel_id": channel, "content": "x", "replying_to_message_id": "post_x" }),
        json!({ "channel_id": channel, "content": "x", "attachments": "all" }),
    ];
    for body in bad {
        ann.post("/messages", body).await.refused(400, "parameter_invalid");
    }
    let many: Vec<Value> = (0..21).map(|n| json!({ "id": format!("file_{n}") })).collect();
    ann.post("/messages", json!({ "channel_id": channel, "content": "x", "attachments": many }))
        .await
        .refused(400, "parameter_invalid");
    let unknown = hallpass_core::id::ChatFeedId::from_bits(1);
    ann.say(&unknown.to_string(), "x").await.refused(404, "not_found");
    ann.get(&format!("/messages/{}", MessageId::from_bits(1))).await.refused(404, "not_found");
    ann.get("/messages/nonsense").await.refused(400, "parameter_invalid");
    assert_eq!(contents(&ann, &channel).await, ["before"]);
    assert_eq!(events(&server, &channel).await.len(), 1);
}

#[tokio::test]
async fn mentions_are_of_people_who_are_there() {
    let server = TestServer::start().await;
    let (acme, rival) = (server.company("acme").await, server.company("rival").await);
    let (_, channel) = acme.channel("General", true).await;
    let (ann, as_ann) = acme.member("ann").await;
    let ben = acme.user("ben").await;
    let eve = rival.user("eve").await;
    let gone = acme.user("gone").await;
    let username = async |id: &str| {
        let user = server.app.store().read().await.unwrap().find_user(id.parse().unwrap()).await.unwrap();
        user.unwrap().username
    };
    let (ben_name, gone_name, eve_name) = (username(&ben).await, username(&gone).await, username(&eve).await);
    acme.as_key().delete(&format!("/companies/{}/members/{gone}", acme.id)).await.ok();
    let nobody = UserId::from_bits(1);
    let text = format!(
        "@{} and <@{ann}>, not @{gone_name} <@{gone}> <@{eve}> <@{nobody}> @{eve_name}x a@{ben_name}.com \
         `<@{ann}>` @nosuchname",
        ben_name.to_uppercase(),
    );
    let sent = as_ann.say(&channel, &text).await.ok();
    let mut mentioned: Vec<&str> =
        sent["mentions"].as_array().unwrap().iter().map(|id| id.as_str().unwrap()).collect();
    mentioned.sort_unstable();
    let mut expected = [ann.as_str(), ben.as_str()];
    expected.sort_unstable();
    assert_eq!(mentioned, expected);
    assert_eq!(sent["mentions_everyone"], false);
    assert_eq!(as_ann.get(&path(&sent)).await.ok()["mentions"], sent["mentions"]);

    let twice = as_ann.say(&channel, &format!("<@{ben}> @{ben_name} <@{ben}> @everyone")).await.ok();
    assert_eq!(twice["mentions"], json!([ben]));
    assert_eq!(twice["mentions_everyone"], true);
    // An edit mentions anew; one of the pin alone does not.
    let edited = as_ann.patch(&path(&twice), json!({ "content": format!("only <@{ann}>") })).await.ok();
    assert_eq!((&edited["mentions"], &edited["mentions_everyone"]), (&json!([ann]), &json!(false)));
    let pinned = acme.as_key().patch(&path(&twice), json!({ "is_pinned": true })).await.ok();
    assert_eq!(pinned["mentions"], json!([ann]));
    // A crowd is cut off, not refused.
    let crowd: Vec<String> = (0..200u128).map(|n| format!("<@{}> @user{n}", UserId::from_bits(n))).collect();
    as_ann.say(&channel, &crowd.join(" ")).await.ok();
    // A stray backtick hides nobody.
    let stray = as_ann.say(&channel, &format!("it`s <@{ben}>")).await.ok();
    assert_eq!(stray["mentions"], json!([ben]));
}

/// Nobody is mentioned where they cannot look.
#[tokio::test]
async fn mentions_are_of_people_who_may_see_the_channel() {
    let server = TestServer::start().await;
    let acme = server.company("acme").await;
    let (ann, as_ann) = acme.member("ann").await;
    let (ben, cleo) = (acme.user("ben").await, acme.user("cleo").await);
    acme.role(&cleo, Some(Role::Admin)).await;
    let (experience, private) = acme.channel("Private", false).await;
    acme.as_key().put(&format!("/experiences/{experience}/members/{ann}")).await.ok();
    let dm = direct_message(&server, acme.id, &[&ann, &ben]).await;
    let support = support_chat(&server, acme.id, &ann).await;
    let text = format!("<@{ann}> <@{ben}> <@{cleo}> @ben @cleo @everyone");
    let mentioned = async |channel: &str| {
        let sent = as_ann.say(channel, &text).await.ok();
        assert_eq!(sent["mentions_everyone"], true);
        sent["mentions"].clone()
    };
    assert_eq!(mentioned(&private).await, json!([ann, cleo]));
    assert_eq!(mentioned(&dm).await, json!([ann, ben]));
    assert_eq!(mentioned(&support).await, json!([ann, cleo]));
    acme.as_key().put(&format!("/experiences/{experience}/members/{ben}")).await.ok();
    assert_eq!(mentioned(&private).await, json!([ann, ben, cleo]));
    acme.as_key().delete(&format!("/experiences/{experience}/members/{ben}")).await.ok();
    let sent = as_ann.say(&private, "x").await.ok();
    let edited = as_ann.patch(&path(&sent), json!({ "content": text })).await.ok();
    assert_eq!(edited["mentions"], json!([ann, cleo]));
    // An experience is mentioned in the text alone; whoever reads it may look it up, or not.
    let named = as_ann.say(&private, &format!("see <#{experience}>")).await.ok();
    assert_eq!((&named["mentions"], &named["mentions_everyone"]), (&json!([]), &json!(false)));
}

#[tokio::test]
async fn a_reply_is_to_a_message_of_the_same_channel() {
    let server = TestServer::start().await;
    let acme = server.company("acme").await;
    let (_, channel) = acme.channel("General", true).await;
    let (_, other) = acme.channel("Other", true).await;
    let (_, ann) = acme.member("ann").await;
    let first = ann.say(&channel, "first").await.ok();
    let elsewhere = ann.say(&other, "elsewhere").await.ok();
    let reply = async |to: &Value| {
        ann.post("/messages", json!({ "channel_id": channel, "content": "re", "replying_to_message_id": to }))
            .await
    };
    let sent = reply(&first["id"]).await.ok();
    assert_eq!(sent["replying_to_message_id"], first["id"]);
    assert_eq!(ann.get(&path(&sent)).await.ok(), sent);
    assert_eq!(reply(&Value::Null).await.ok()["replying_to_message_id"], Value::Null);
    reply(&elsewhere["id"]).await.refused(422, "reply_not_found");
    reply(&json!(MessageId::from_bits(1))).await.refused(422, "reply_not_found");
    ann.delete(&path(&first)).await.ok();
    reply(&first["id"]).await.refused(422, "reply_not_found");
    // What was replied to may go; the reply stays.
    assert_eq!(ann.get(&path(&sent)).await.ok()["replying_to_message_id"], first["id"]);
}

#[tokio::test]
async fn a_message_is_edited_by_its_author_alone() {
    let server = TestServer::start().await;
    let acme = server.company("acme").await;
    let (_, channel) = acme.channel("General", true).await;
    let (_, ann) = acme.member("ann").await;
    let (ben, as_ben) = acme.member("ben").await;
    acme.role(&ben, Some(Role::Admin)).await;
    let sent = ann.say(&channel, "first").await.ok();
    let at = path(&sent);
    server.clock.advance(SignedDuration::from_secs(5));
    for other in [&as_ben, &acme.as_key()] {
        other.patch(&at, json!({ "content": "not mine" })).await.refused(403, "not_author");
        other
            .patch(&at, json!({ "content": "not mine", "is_pinned": true }))
            .await
            .refused(403, "not_author");
    }
    // Nothing said, nothing changed, by whomever.
    let nothing = [json!({}), json!({ "content": null, "is_pinned": null }), json!({ "content": "first" })];
    for body in &nothing {
        assert_eq!(ann.patch(&at, body.clone()).await.ok(), sent, "{body}");
    }
    assert_eq!(as_ben.patch(&at, json!({})).await.ok(), sent);
    assert_eq!(events(&server, &channel).await.len(), 1);

    let edited = ann.patch(&at, json!({ "content": "second" })).await.ok();
    assert_eq!(edited["content"], "second");
    assert_eq!(edited["is_edited"], true);
    assert_eq!(edited["created_at"], sent["created_at"]);
    assert_eq!(edited["updated_at"], "2026-01-01T12:00:05.000Z");
    assert_eq!(ann.get(&at).await.ok(), edited);
    // What is not to be written is not.
    let read_only = json!({ "user": { "id": ben }, "channel_id": "x", "is_edited": false, "created_at": "1999-01-01T00:00:00Z",
                            "mentions": [ben], "message_type": "system", "view_count": 7 });
    assert_eq!(ann.patch(&at, read_only).await.ok(), edited);
    let kinds: Vec<EventKind> = events(&server, &channel).await.into_iter().map(|(kind, _)| kind).collect();
    assert_eq!(kinds, [EventKind::MessageCreated, EventKind::MessageEdited]);
    // The company edits what it said itself.
    let own = acme.as_key().say(&channel, "official").await.ok();
    acme.as_key().patch(&path(&own), json!({ "content": "more official" })).await.ok();
    ann.patch(&path(&own), json!({ "content": "no" })).await.refused(403, "not_author");
    for bad in [json!({ "content": 7 }), json!({ "is_pinned": "yes" })] {
        ann.patch(&at, bad).await.refused(400, "parameter_invalid");
    }
    let reader = server.actor(acme.token_with(&ben, &["chat:read"]).await);
    reader.patch(&at, json!({ "content": "x" })).await.refused(403, "scope_missing");
}

#[tokio::test]
async fn a_message_is_pinned_by_those_who_moderate_and_not_by_its_author() {
    let server = TestServer::start().await;
    let acme = server.company("acme").await;
    let (_, channel) = acme.channel("General", true).await;
    let (_, ann) = acme.member("ann").await;
    let (ben, as_ben) = acme.member("ben").await;
    acme.role(&ben, Some(Role::Moderator)).await;
    let sent = ann.say(&channel, "pin me").await.ok();
    let at = path(&sent);
    let (_, cleo) = acme.member("cleo").await;
    for edit in [json!({ "is_pinned": true }), json!({ "is_pinned": false }), json!({})] {
        cleo.patch(&at, edit).await.refused(403, "not_moderator");
    }
    // Nor does its author; saying what is so already is no pinning.
    ann.patch(&at, json!({ "is_pinned": true })).await.refused(403, "not_moderator");
    ann.patch(&at, json!({ "content": "x", "is_pinned": true })).await.refused(403, "not_moderator");
    assert_eq!(ann.patch(&at, json!({ "is_pinned": false })).await.ok(), sent);
    let pinned = as_ben.patch(&at, json!({ "is_pinned": true })).await.ok();
    ann.patch(&at, json!({ "is_pinned": false })).await.refused(403, "not_moderator");
    assert_eq!(as_ben.patch(&at, json!({ "is_pinned": false })).await.ok()["is_pinned"], false);
    let pinned_again = as_ben.patch(&at, json!({ "is_pinned": true })).await.ok();
    assert_eq!(pinned_again["is_pinned"], pinned["is_pinned"]);
    let pinned = as_ben.patch(&at, json!({ "is_pinned": true })).await.ok();
    assert_eq!((&pinned["is_pinned"], &pinned["is_edited"]), (&json!(true), &json!(false)));
    assert_eq!(as_ben.patch(&at, json!({ "is_pinned": true })).await.ok(), pinned);
    let page = ann.get(&format!("/messages?channel_id={channel}")).await.ok();
    assert_eq!(page["data"], json!([pinned]));
    let loose = acme.as_key().patch(&at, json!({ "is_pinned": false })).await.ok();
    assert_eq!(loose["is_pinned"], false);
    let kinds: Vec<EventKind> = events(&server, &channel).await.into_iter().map(|(kind, _)| kind).collect();
    // Pinning what is pinned is no change.
    assert_eq!(kinds[0], EventKind::MessageCreated);
    assert_eq!(kinds[1..], [EventKind::MessagePinned; 4]);
}

#[tokio::test]
async fn a_deleted_message_is_gone_and_leaves_a_tombstone() {
    let server = TestServer::start().await;
    let acme = server.company("acme").await;
    let (_, channel) = acme.channel("General", true).await;
    let (_, ann) = acme.member("ann").await;
    let (ben, as_ben) = acme.member("ben").await;
    let mut sent = Vec::new();
    for n in 0..4 {
        sent.push(ann.say(&channel, &format!("message {n}")).await.ok());
    }
    as_ben.delete(&path(&sent[1])).await.refused(403, "not_author");
    assert_eq!(ann.delete(&path(&sent[1])).await.ok(), json!(true));
    acme.role(&ben, Some(Role::Moderator)).await;
    assert_eq!(as_ben.delete(&path(&sent[2])).await.ok(), json!(true));
    assert_eq!(acme.as_key().delete(&path(&sent[3])).await.ok(), json!(true));
    for message in &sent[1..] {
        for who in [&ann, &as_ben, &acme.as_key()] {
            let at = path(message);
            who.get(&at).await.refused(404, "not_found");
            who.patch(&at, json!({ "content": "back" })).await.refused(404, "not_found");
            who.patch(&at, json!({ "is_pinned": true })).await.refused(404, "not_found");
            who.delete(&at).await.refused(404, "not_found");
        }
    }
    assert_eq!(contents(&ann, &channel).await, ["message 0"]);
    let (tombs, created): (Vec<_>, Vec<_>) =
        events(&server, &channel).await.into_iter().partition(|(kind, _)| *kind == EventKind::MessageDeleted);
    let ids =
        |events: Vec<(EventKind, String)>| events.into_iter().map(|(_, id)| json!(id)).collect::<Vec<_>>();
    assert_eq!(ids(tombs), [&sent[1]["id"], &sent[2]["id"], &sent[3]["id"]].map(Clone::clone));
    assert_eq!(ids(created).len(), 4);
    // Places are not given out again.
    let head = async || {
        let mut conn = server.app.store().read().await.unwrap();
        conn.find_head(channel.parse().unwrap()).await.unwrap().unwrap()
    };
    assert_eq!(head().await, (4, 7));
    ann.say(&channel, "next").await.ok();
    assert_eq!(head().await, (5, 8));
}

#[tokio::test]
async fn an_outsider_gets_no_message_by_any_route() {
    let server = TestServer::start().await;
    let (acme, rival) = (server.company("acme").await, server.company("rival").await);
    let (experience, channel) = acme.channel("General", true).await;
    let (_, theirs) = rival.channel("Theirs", true).await;
    let (_, ann) = acme.member("ann").await;
    let (_, eve) = rival.member("eve").await;
    let sent = ann.say(&channel, "secret").await.ok();
    for who in [&eve, &rival.as_key()] {
        for id in [&channel, &experience] {
            who.get(&format!("/messages?channel_id={id}")).await.refused(404, "not_found");
            who.say(id, "spam").await.refused(404, "not_found");
        }
        let at = path(&sent);
        who.get(&at).await.refused(404, "not_found");
        who.patch(&at, json!({ "content": "mine" })).await.refused(404, "not_found");
        who.patch(&at, json!({ "is_pinned": true })).await.refused(404, "not_found");
        who.delete(&at).await.refused(404, "not_found");
        let quoting = json!({ "channel_id": theirs, "content": "re", "replying_to_message_id": sent["id"] });
        who.post("/messages", quoting).await.refused(422, "reply_not_found");
    }
    assert_eq!(contents(&ann, &channel).await, ["secret"]);
}

#[tokio::test]
async fn names_are_those_of_the_channels_company_as_they_are_now() {
    let server = TestServer::start().await;
    let acme = server.company("acme").await;
    let (_, channel) = acme.channel("General", true).await;
    let (ann, as_ann) = acme.member("ann").await;
    let sent = as_ann.say(&channel, "hello").await.ok();
    assert_eq!(sent["user"]["id"], ann);
    assert_eq!(sent["user"]["name"], "ann");
    let rename = json!({ "company_id": acme.id, "name": "Dr Ann" });
    acme.as_key().patch(&format!("/users/{ann}"), rename).await.ok();
    assert_eq!(as_ann.get(&path(&sent)).await.ok()["user"]["name"], "Dr Ann");
    let page = as_ann.get(&format!("/messages?channel_id={channel}")).await.ok();
    assert_eq!(page["data"][0]["user"]["name"], "Dr Ann");
    // Who has left is still who wrote it.
    acme.as_key().delete(&format!("/companies/{}/members/{ann}", acme.id)).await.ok();
    let seen = acme.as_key().get(&path(&sent)).await.ok();
    assert_eq!(seen["user"]["id"], ann);
    // A key speaks as the company's owner.
    let official = acme.as_key().say(&channel, "official").await.ok();
    assert_eq!(official["user"]["id"], acme.owner.to_string());
}

#[tokio::test]
async fn a_key_owns_what_keys_posted_and_not_what_the_owner_wrote() {
    let server = TestServer::start().await;
    let acme = server.company("acme").await;
    let (_, channel) = acme.channel("General", true).await;
    let rights = Statement {
        actions: ScopeSet::of(&[CHAT_READ, CHAT_MESSAGE_CREATE]),
        grant: true,
        resources: vec![Pattern::try_from("*".to_owned()).unwrap()],
    };
    let poster = server.key(acme.id, KeyRights::Statements(vec![rights])).await;
    let poster = server.actor(poster);
    let owner = server.actor(acme.token(&acme.owner.to_string()).await);
    let own = owner.say(&channel, "by hand").await.ok();
    let path = format!("/messages/{}", own["id"].as_str().unwrap());
    poster.patch(&path, json!({ "content": "forged" })).await.refused(403, "not_author");
    poster.patch(&path, json!({ "is_pinned": true })).await.refused(403, "not_moderator");
    poster.delete(&path).await.refused(403, "not_author");
    acme.as_key().patch(&path, json!({ "content": "forged" })).await.refused(403, "not_author");
    acme.as_key().patch(&path, json!({ "is_pinned": true })).await.ok();
    // What another key of the company posted is the company's; so it is its owner's.
    let by_key = acme.as_key().say(&channel, "announcement").await.ok();
    let path = format!("/messages/{}", by_key["id"].as_str().unwrap());
    assert_eq!(by_key["user"], own["user"]);
    poster.patch(&path, json!({ "content": "corrected" })).await.ok();
    poster.patch(&path, json!({ "is_pinned": true })).await.refused(403, "not_moderator");
    owner.patch(&path, json!({ "content": "better" })).await.ok();
    poster.delete(&path).await.ok();
}

#[tokio::test]
async fn threat_20_a_connected_accounts_key_edits_nothing_that_its_parents_key_posted() {
    let server = TestServer::start().await;
    let acme = server.company("acme").await;
    let parent = acme.as_key();
    let child = json!({ "email": "child@acme.test", "parent_company_id": acme.id, "title": "Child" });
    let child = parent.post("/companies", child).await.ok()["id"].clone();
    let key = json!({ "child_company_id": child, "role": "owner" });
    let key = parent.post(&format!("/companies/{}/api_keys", acme.id), key).await.ok();
    let key = server.actor(key["secret_key"].as_str().unwrap().to_owned());
    let app = server.app.builtin_app();
    let place = json!({ "app_id": app, "company_id": child, "is_public": true });
    let place = parent.post("/experiences", place).await.ok()["id"].as_str().unwrap().to_owned();
    let posted = parent.say(&place, "from above").await.ok();
    let path = format!("/messages/{}", posted["id"].as_str().unwrap());
    key.patch(&path, json!({ "content": "forged" })).await.refused(403, "not_author");
    parent.patch(&path, json!({ "content": "corrected" })).await.ok();
    let own = key.say(&place, "from here").await.ok();
    let path = format!("/messages/{}", own["id"].as_str().unwrap());
    parent.patch(&path, json!({ "content": "forged" })).await.refused(403, "not_author");
    key.patch(&path, json!({ "content": "corrected" })).await.ok();
}
