//! The rules of a channel, each with its code.

use hallpass_core::role::Role;
use hallpass_core::scope::ScopeSet;
use hallpass_core::statement::{KeyRights, Pattern, Statement};
use hallpass_testkit::{Answer, TestServer, poll};
use jiff::SignedDuration;
use serde_json::{Value, json};

#[tokio::test]
async fn only_those_who_moderate_post_where_only_admins_may() {
    let server = TestServer::start().await;
    let acme = server.company("acme").await;
    let (_, channel) = acme.channel("News", true).await;
    let (_, ann) = acme.member("ann").await;
    let (ben, as_ben) = acme.member("ben").await;
    let before = ann.say(&channel, "while I may").await.ok();
    let before = format!("/messages/{}", before["id"].as_str().unwrap());
    acme.as_key().patch(&format!("/chat_channels/{channel}"), json!({ "who_can_post": "admins" })).await.ok();
    ann.say(&channel, "hello").await.refused(403, "who_can_post");
    as_ben.say(&channel, "hello").await.refused(403, "who_can_post");
    // Editing says something new; taking back does not.
    ann.patch(&before, json!({ "content": "more" })).await.refused(403, "who_can_post");
    for role in [Role::Moderator, Role::Admin] {
        acme.role(&ben, Some(role)).await;
        as_ben.say(&channel, "hello").await.ok();
    }
    acme.role(&ben, None).await;
    as_ben.say(&channel, "hello").await.refused(403, "who_can_post");
    acme.as_key().say(&channel, "from the company").await.ok();
    ann.get(&before).await.ok();
    ann.delete(&before).await.ok();
}

#[tokio::test]
async fn a_token_moderates_no_more_than_the_key_that_minted_it() {
    let server = TestServer::start().await;
    let acme = server.company("acme").await;
    let (_, channel) = acme.channel("News", true).await;
    let (_, ann) = acme.member("ann").await;
    let said = ann.say(&channel, "hello").await.ok();
    let said = format!("/messages/{}", said["id"].as_str().unwrap());
    let (ben, _) = acme.member("ben").await;
    acme.role(&ben, Some(Role::Admin)).await;
    let rights = KeyRights::Statements(vec![Statement {
        actions: ScopeSet::parse("chat:message:create chat:read").unwrap(),
        grant: true,
        resources: vec![Pattern::try_from("*".to_owned()).unwrap()],
    }]);
    let narrow = server.actor(server.key(acme.id, rights).await);
    narrow.delete(&said).await.refused(403, "not_author");
    let minted = narrow.mint(acme.id, &ben, &["chat:message:create", "chat:read"]).await.ok();
    let by_narrow = server.actor(minted["token"].as_str().unwrap());
    by_narrow.delete(&said).await.refused(403, "not_author");
    by_narrow.patch(&said, json!({ "is_pinned": true })).await.refused(403, "not_moderator");
    acme.as_key().patch(&format!("/chat_channels/{channel}"), json!({ "who_can_post": "admins" })).await.ok();
    by_narrow.say(&channel, "as an admin?").await.refused(403, "who_can_post");
    // The same admin by the company's own key.
    let by_owner = server.actor(acme.token(&ben).await);
    by_owner.say(&channel, "as an admin").await.ok();
    by_owner.delete(&said).await.ok();
}

#[tokio::test]
async fn banned_words_urls_and_media_are_refused_when_sent_and_when_edited_in() {
    let server = TestServer::start().await;
    let acme = server.company("acme").await;
    let (_, channel) = acme.channel("Strict", true).await;
    let (_, ann) = acme.member("ann").await;
    let said = ann.say(&channel, "harmless").await.ok();
    let said = format!("/messages/{}", said["id"].as_str().unwrap());
    let settings = format!("/chat_channels/{channel}");
    let rules = json!({ "banned_words": ["Spam", "free money"], "ban_urls": true, "ban_media": true });
    acme.as_key().patch(&settings, rules).await.ok();
    let cases = [
        ("SPAM!", "banned_word"),
        ("s\u{200b}pam", "banned_word"),
        ("ｓｐａｍ", "banned_word"),
        ("get Free Money now", "banned_word"),
        ("https://example.com", "banned_url"),
        ("see example.com/x", "banned_url"),
        ("[here](//evil.example)", "banned_url"),
        ("![cat](cat.png)", "banned_media"),
    ];
    for (text, code) in cases {
        let refused = ann.say(&channel, text).await.refused(422, code);
        assert_eq!(refused["param"], "content", "{text}");
        ann.patch(&said, json!({ "content": text })).await.refused(422, code);
        // Nobody is above these, and no corner of a message escapes them.
        acme.as_key().say(&channel, text).await.refused(422, code);
        let hidden =
            json!({ "channel_id": channel, "content": "vote!", "poll": { "options": poll(&["yes", text]) } });
        ann.post("/messages", hidden).await.refused(422, code);
    }
    for text in ["spammer", "antispam", "1.5 is a number", "e.g. this"] {
        ann.say(&channel, text).await.ok();
    }
    let attached = json!({ "channel_id": channel, "content": "look", "attachments": [{ "id": "file_01KDWPVNG0W1GTXMFFD0000001" }] });
    ann.post("/messages", attached.clone()).await.refused(422, "banned_media");
    acme.as_key().patch(&settings, json!({ "ban_media": false })).await.ok();
    ann.post("/messages", attached).await.refused(404, "not_found");
    assert_eq!(ann.get(&said).await.ok()["content"], "harmless");
}

fn pause(answer: &Answer) -> Option<u64> {
    let error = &answer.body["error"];
    assert_eq!((answer.status, &error["code"]), (422, &json!("cooldown")), "{}", answer.body);
    let header = answer.headers["retry-after"].to_str().unwrap();
    assert_eq!(error["retry_after_secs"].to_string(), header);
    error["retry_after_secs"].as_u64()
}

#[tokio::test]
async fn a_cooldown_holds_per_user_and_channel_and_says_how_long() {
    let server = TestServer::start().await;
    let acme = server.company("acme").await;
    let (_, channel) = acme.channel("Slow", true).await;
    let (_, other) = acme.channel("Slow too", true).await;
    let key = acme.as_key();
    for slow in [&channel, &other] {
        let rule = json!({ "user_posts_cooldown_seconds": 10 });
        key.patch(&format!("/chat_channels/{slow}"), rule).await.ok();
    }
    let (_, ann) = acme.member("ann").await;
    let (ben, as_ben) = acme.member("ben").await;
    let first = ann.say(&channel, "one").await.ok();
    assert_eq!(pause(&ann.say(&channel, "two").await), Some(10));
    as_ben.say(&channel, "me too").await.ok();
    ann.say(&other, "elsewhere").await.ok();
    server.clock.advance(SignedDuration::from_millis(3_500));
    assert_eq!(pause(&ann.say(&channel, "two").await), Some(7));
    // Being refused does not start it again, and editing or deleting is no post.
    let path = format!("/messages/{}", first["id"].as_str().unwrap());
    ann.patch(&path, json!({ "content": "won" })).await.ok();
    ann.delete(&path).await.ok();
    server.clock.advance(SignedDuration::from_millis(6_499));
    assert_eq!(pause(&ann.say(&channel, "two").await), Some(1));
    server.clock.advance(SignedDuration::from_millis(1));
    ann.say(&channel, "two").await.ok();
    pause(&ann.say(&channel, "three").await);
    // What is refused for another reason costs no pause.
    key.patch(&format!("/chat_channels/{channel}"), json!({ "banned_words": ["spam"] })).await.ok();
    server.clock.advance(SignedDuration::from_secs(10));
    ann.say(&channel, "spam").await.refused(422, "banned_word");
    ann.say(&channel, "three").await.ok();

    // Those who moderate are not slowed down, nor is the company.
    acme.role(&ben, Some(Role::Moderator)).await;
    for n in 0..3 {
        as_ben.say(&channel, &format!("order! {n}")).await.ok();
        key.say(&channel, &format!("announcement {n}")).await.ok();
    }
    // Lifted, it is lifted for everybody at once.
    key.patch(&format!("/chat_channels/{channel}"), json!({ "user_posts_cooldown_seconds": null }))
        .await
        .ok();
    ann.say(&channel, "four").await.ok();
    ann.say(&channel, "five").await.ok();
}

#[tokio::test]
async fn a_poll_has_two_to_twenty_options_in_order() {
    let server = TestServer::start().await;
    let acme = server.company("acme").await;
    let (_, channel) = acme.channel("Votes", true).await;
    let (_, ann) = acme.member("ann").await;
    let ask = async |poll: Value| {
        ann.post("/messages", json!({ "channel_id": channel, "content": "vote", "poll": poll })).await
    };
    let made = ask(json!({ "options": poll(&["yes", "no 👎", "مم"]) })).await.ok();
    assert_eq!(made["poll"]["options"][2], json!({ "id": "3", "text": "مم" }));
    assert_eq!(
        made["poll_votes"],
        json!([{ "count": 0, "option_id": "1" }, { "count": 0, "option_id": "2" },
                                          { "count": 0, "option_id": "3" }])
    );
    let path = format!("/messages/{}", made["id"].as_str().unwrap());
    assert_eq!(ann.get(&path).await.ok(), made);
    let twenty: Vec<String> = (1..=20).map(|n| format!("option {n}")).collect();
    let twenty: Vec<&str> = twenty.iter().map(String::as_str).collect();
    ask(json!({ "options": poll(&twenty) })).await.ok();
    assert_eq!(ask(Value::Null).await.ok()["poll"], Value::Null);

    let wrong_order = json!([{ "id": "2", "text": "a" }, { "id": "1", "text": "b" }]);
    let from_nought = json!([{ "id": "0", "text": "a" }, { "id": "1", "text": "b" }]);
    let twice = json!([{ "id": "1", "text": "a" }, { "id": "1", "text": "b" }]);
    for options in [json!([]), json!(poll(&["one"])), wrong_order, from_nought, twice] {
        ask(json!({ "options": options })).await.refused(422, "poll_options");
    }
    let many: Vec<&str> = twenty.iter().copied().chain(["one more"]).collect();
    ask(json!({ "options": poll(&many) })).await.refused(422, "poll_options");
    ask(json!({ "options": poll(&["yes", " "]) })).await.refused(422, "blank");
    ask(json!({ "options": poll(&["yes", &"x".repeat(201)]) })).await.refused(422, "too_long");
    ask(json!({ "options": poll(&["yes", "n\0"]) })).await.refused(422, "nul_character");
    for shape in [json!({}), json!([]), json!("yes"), json!({ "options": [{ "id": 1, "text": "a" }] })] {
        ask(shape).await.refused(400, "parameter_invalid");
    }
}

#[tokio::test]
async fn a_clock_that_was_ahead_locks_nobody_out() {
    let server = TestServer::start().await;
    let acme = server.company("acme").await;
    let (_, channel) = acme.channel("Slow", true).await;
    let rule = json!({ "user_posts_cooldown_seconds": 10 });
    acme.as_key().patch(&format!("/chat_channels/{channel}"), rule).await.ok();
    let (ann, _) = acme.member("ann").await;
    server.clock.advance(SignedDuration::from_hours(24));
    server.actor(acme.token(&ann).await).say(&channel, "tomorrow").await.ok();
    server.clock.advance(SignedDuration::from_hours(-24));
    let ann = server.actor(acme.token(&ann).await);
    assert_eq!(pause(&ann.say(&channel, "today").await), Some(10));
    server.clock.advance(SignedDuration::from_secs(10));
    ann.say(&channel, "today").await.ok();
}
