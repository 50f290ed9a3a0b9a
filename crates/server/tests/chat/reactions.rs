//! Reactions: made once, counted truly, taken back by whose they are.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::future::join_all;
use hallpass_core::id::{MessageId, ReactionId};
use hallpass_core::reaction::Reacted;
use hallpass_core::role::Role;
use hallpass_store::EventKind;
use hallpass_testkit::{Actor, Engine, TestServer};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use serde_json::{Value, json};

use super::gate::{Gate, others_get_on};
use super::messages::events;
use super::venues::{direct_message, support_chat};

pub(crate) fn id(thing: &Value) -> &str {
    thing["id"].as_str().unwrap()
}

/// Reacts.
async fn react(who: &Actor<'_>, message: &Value, emoji: &str) -> hallpass_testkit::Answer {
    who.post("/reactions", json!({ "resource_id": message["id"], "emoji": emoji })).await
}

/// `[(emoji, count)]` of a message, as one who reads it sees them.
async fn counts(who: &Actor<'_>, message: &Value) -> Vec<(String, i64)> {
    let message = who.get(&format!("/messages/{}", id(message))).await.ok();
    let count =
        |count: &Value| (count["emoji"].as_str().unwrap().to_owned(), count["count"].as_i64().unwrap());
    message["reaction_counts"].as_array().unwrap().iter().map(count).collect()
}

fn counted(expected: &[(&str, i64)]) -> Vec<(String, i64)> {
    expected.iter().map(|(emoji, count)| ((*emoji).to_owned(), *count)).collect()
}

#[tokio::test]
async fn a_reaction_is_made_once_under_one_name_and_counted() {
    let server = TestServer::start().await;
    let acme = server.company("acme").await;
    let (_, channel) = acme.channel("General", true).await;
    let (ann, as_ann) = acme.member("ann").await;
    let (_, ben) = acme.member("ben").await;
    let sent = as_ann.say(&channel, "hello").await.ok();
    assert_eq!(sent["reaction_counts"], json!([]));
    let made = react(&as_ann, &sent, "👍🏿").await.ok();
    assert_eq!((&made["emoji"], &made["resource_id"]), (&json!(":+1:"), &sent["id"]));
    assert_eq!((&made["user"]["id"], &made["user"]["name"]), (&json!(ann), &json!("ann")));
    assert_eq!(made["poll_option_id"], Value::Null);
    // The same however it is spelled.
    for same in ["👍", ":+1:", ":thumbsup:", "👍🏻", ":THUMBSUP:"] {
        assert_eq!(react(&as_ann, &sent, same).await.ok(), made, "{same}");
    }
    react(&ben, &sent, ":thumbsup:").await.ok();
    server.clock.advance(jiff::SignedDuration::from_millis(1));
    let heart = react(&ben, &sent, "❤️").await.ok();
    let expected = counted(&[(":+1:", 2), (":heart:", 1)]);
    assert_eq!(counts(&as_ann, &sent).await, expected);
    let page = ben.get(&format!("/messages?channel_id={channel}")).await.ok();
    assert_eq!(
        page["data"][0]["reaction_counts"],
        json!([{ "count": 2, "emoji": ":+1:" }, { "count": 1, "emoji": ":heart:" }])
    );
    assert_eq!(as_ann.get(&format!("/reactions/{}", id(&made))).await.ok(), made);
    let listed = as_ann.get(&format!("/reactions?resource_id={}", id(&sent))).await.ok();
    assert_eq!(listed["data"].as_array().unwrap().len(), 3);
    assert_eq!(listed["data"][0], heart);
    // Neither an edit nor a pin takes them away.
    let edited = as_ann.patch(&format!("/messages/{}", id(&sent)), json!({ "content": "hello!" })).await.ok();
    assert_eq!(edited["reaction_counts"], page["data"][0]["reaction_counts"]);
    let log = events(&server, &channel).await;
    let made_events = log.iter().filter(|(kind, _)| *kind == EventKind::ReactionCreated).count();
    assert_eq!(made_events, 3, "what was there already is no event: {log:?}");
    let subject: Reacted = log[1].1.parse().unwrap();
    assert_eq!(
        (subject.message.to_string(), subject.reaction.to_string()),
        (id(&sent).into(), id(&made).into())
    );
}

#[tokio::test]
async fn what_is_malformed_is_named() {
    let server = TestServer::start().await;
    let acme = server.company("acme").await;
    let (_, channel) = acme.channel("General", true).await;
    let (_, ann) = acme.member("ann").await;
    let sent = ann.say(&channel, "hello").await.ok();
    let message = id(&sent);
    let absent = MessageId::from_bits(1).to_string();
    for (body, status, code, param) in [
        (json!({}), 400, "parameter_missing", "resource_id"),
        (json!({ "resource_id": message }), 400, "parameter_missing", "emoji"),
        (
            json!({ "resource_id": message, "emoji": null, "poll_option_id": null }),
            400,
            "parameter_missing",
            "emoji",
        ),
        (
            json!({ "resource_id": message, "emoji": "👍", "poll_option_id": "1" }),
            400,
            "parameter_invalid",
            "poll_option_id",
        ),
        (json!({ "resource_id": "post_x", "emoji": "👍" }), 400, "parameter_invalid", "resource_id"),
        (json!({ "resource_id": message, "emoji": 7 }), 400, "parameter_invalid", "emoji"),
        (json!({ "resource_id": message, "emoji": "" }), 422, "unknown_emoji", "emoji"),
        (json!({ "resource_id": message, "emoji": "heart" }), 422, "unknown_emoji", "emoji"),
        (json!({ "resource_id": message, "emoji": ":no_such:" }), 422, "unknown_emoji", "emoji"),
        (json!({ "resource_id": message, "emoji": "👍👍" }), 422, "unknown_emoji", "emoji"),
        (
            json!({ "resource_id": message, "poll_option_id": "1" }),
            422,
            "poll_option_not_found",
            "poll_option_id",
        ),
        (
            json!({ "resource_id": message, "poll_option_id": "1".repeat(500) }),
            422,
            "too_long",
            "poll_option_id",
        ),
    ] {
        let error = ann.post("/reactions", body.clone()).await.refused(status, code);
        assert_eq!(error["param"], param, "{body}");
    }
    ann.post("/reactions", json!({ "resource_id": absent, "emoji": "👍" })).await.refused(404, "not_found");
    ann.get("/reactions").await.refused(400, "parameter_missing");
    ann.get(&format!("/reactions?resource_id={absent}")).await.refused(404, "not_found");
    ann.get(&format!("/reactions/{}", ReactionId::from_bits(1))).await.refused(404, "not_found");
    ann.get("/reactions/nonsense").await.refused(400, "parameter_invalid");
    ann.delete("/reactions/nonsense").await.refused(400, "parameter_invalid");
    ann.delete(&format!("/reactions/{message}")).await.refused(400, "parameter_missing");
    ann.delete(&format!("/reactions/{message}?emoji=%F0%9F%91%8D")).await.refused(404, "not_found");
    ann.delete(&format!("/reactions/{message}?emoji=x")).await.refused(422, "unknown_emoji");
    ann.delete(&format!("/reactions/{message}?emoji=:heart:&poll_option_id=1"))
        .await
        .refused(400, "parameter_invalid");
    assert_eq!(counts(&ann, &sent).await, []);
    assert_eq!(events(&server, &channel).await.len(), 1);
}

#[tokio::test]
async fn a_reaction_is_taken_back_by_whose_it_is_or_who_moderates() {
    let server = TestServer::start().await;
    let acme = server.company("acme").await;
    let (_, channel) = acme.channel("General", true).await;
    let (_, ann) = acme.member("ann").await;
    let (_, ben) = acme.member("ben").await;
    let (cleo, as_cleo) = acme.member("cleo").await;
    acme.role(&cleo, Some(Role::Moderator)).await;
    let sent = ann.say(&channel, "hello").await.ok();
    let thumb = react(&ann, &sent, "👍").await.ok();
    react(&ben, &sent, "👍").await.ok();
    let at = format!("/reactions/{}", id(&thumb));
    ben.delete(&at).await.refused(403, "not_author");
    // By the message, one's own.
    assert_eq!(ben.delete(&format!("/reactions/{}?emoji=:thumbsup:", id(&sent))).await.ok(), json!(true));
    ben.delete(&format!("/reactions/{}?emoji=:thumbsup:", id(&sent))).await.refused(404, "not_found");
    assert_eq!(counts(&ann, &sent).await, counted(&[(":+1:", 1)]));
    assert_eq!(ann.delete(&at).await.ok(), json!(true));
    ann.delete(&at).await.refused(404, "not_found");
    ann.get(&at).await.refused(404, "not_found");
    assert_eq!(counts(&ann, &sent).await, []);
    let again = react(&ann, &sent, "👍").await.ok();
    assert_ne!(again["id"], thumb["id"]);
    assert_eq!(as_cleo.delete(&format!("/reactions/{}", id(&again))).await.ok(), json!(true));
    // A key takes back what keys did, and as one that moderates also others'.
    let by_key = react(&acme.as_key(), &sent, "🎉").await.ok();
    assert_eq!(by_key["user"]["id"], acme.owner.to_string());
    acme.as_key().delete(&format!("/reactions/{}?emoji=:tada:", id(&sent))).await.ok();
    let kinds: Vec<EventKind> = events(&server, &channel).await.into_iter().map(|(kind, _)| kind).collect();
    assert_eq!(kinds.iter().filter(|kind| **kind == EventKind::ReactionDeleted).count(), 4);
}

#[tokio::test]
async fn where_nobody_may_react_nobody_does() {
    let server = TestServer::start().await;
    let acme = server.company("acme").await;
    let (_, channel) = acme.channel("General", true).await;
    let (_, ann) = acme.member("ann").await;
    let sent = ann.say(&channel, "hello").await.ok();
    react(&ann, &sent, "👍").await.ok();
    let rule = json!({ "who_can_react": "no_one" });
    acme.as_key().patch(&format!("/chat_channels/{channel}"), rule).await.ok();
    for who in [&ann, &acme.as_key()] {
        react(who, &sent, "👍").await.refused(403, "who_can_react");
        react(who, &sent, "🎉").await.refused(403, "who_can_react");
    }
    // What is there stays, and may go.
    assert_eq!(counts(&ann, &sent).await, counted(&[(":+1:", 1)]));
    ann.delete(&format!("/reactions/{}?emoji=:+1:", id(&sent))).await.refused(422, "unknown_emoji");
    ann.delete(&format!("/reactions/{}?emoji=:%2B1:", id(&sent))).await.ok();
    assert_eq!(counts(&ann, &sent).await, []);
}

/// Threat 23: what one message carries is bounded, whoever asks.
#[tokio::test]
async fn threat_23_a_message_takes_fifty_different_emoji() {
    let server = TestServer::start().await;
    let acme = server.company("acme").await;
    let (_, channel) = acme.channel("General", true).await;
    let (_, ann) = acme.member("ann").await;
    let (_, ben) = acme.member("ben").await;
    let sent = ann.say(&channel, "hello").await.ok();
    let names: Vec<&str> =
        hallpass_core::emoji::Emoji::all().map(hallpass_core::emoji::Emoji::shortcode).take(52).collect();
    for name in &names[..50] {
        react(&ann, &sent, name).await.ok();
    }
    let full = events(&server, &channel).await.len();
    let error = react(&ben, &sent, names[50]).await.refused(422, "too_many_emoji");
    assert_eq!(error["param"], "emoji");
    assert_eq!(events(&server, &channel).await.len(), full);
    react(&ben, &sent, names[0]).await.ok();
    ann.delete(&format!("/reactions/{}?emoji={}", id(&sent), names[7].replace('+', "%2B"))).await.ok();
    react(&ben, &sent, names[50]).await.ok();
    react(&ben, &sent, names[51]).await.refused(422, "too_many_emoji");
    assert_eq!(counts(&ann, &sent).await.len(), 50);
}

/// Threat 22: what is sent as an emoji is an emoji or refused, and bricks nothing.
#[tokio::test]
async fn threat_22_no_hostile_emoji_gets_in() {
    let server = TestServer::start().await;
    let acme = server.company("acme").await;
    let (_, channel) = acme.channel("General", true).await;
    let (_, ann) = acme.member("ann").await;
    let sent = ann.say(&channel, "hello").await.ok();
    let long = "👍".repeat(5000);
    let tones = "\u{1f3fb}".repeat(1000);
    for text in [
        ":",
        "::",
        ":::",
        ":'; DROP TABLE reactions; --:",
        "%",
        "\u{202e}",
        "\u{200d}",
        "\u{fe0f}",
        "a\u{301}",
        "<script>",
        "\u{10ffff}",
        ":heart:\u{0}",
        "\u{e0001}",
        ":\u{130}:",
        "1",
        "vote",
        "\\",
        &long,
        &tones,
    ] {
        let answer = react(&ann, &sent, text).await;
        assert_eq!(answer.status, 422, "{text:?}: {}", answer.body);
    }
    assert_eq!(counts(&ann, &sent).await, []);
    assert_eq!(ann.get(&format!("/messages?channel_id={channel}")).await.ok()["data"][0], sent);
}

#[tokio::test]
async fn a_walk_over_reactions_meets_each_once_newest_first() {
    let server = TestServer::start().await;
    let acme = server.company("acme").await;
    let (_, channel) = acme.channel("General", true).await;
    let (_, ann) = acme.member("ann").await;
    let sent = ann.say(&channel, "hello").await.ok();
    let names: Vec<&str> =
        hallpass_core::emoji::Emoji::all().map(hallpass_core::emoji::Emoji::shortcode).take(25).collect();
    for (n, name) in names.iter().enumerate() {
        if n % 3 == 1 {
            server.clock.advance(jiff::SignedDuration::from_millis(1));
        }
        react(&ann, &sent, name).await.ok();
    }
    let mut seen = Vec::new();
    let mut after = String::new();
    loop {
        let page = ann.get(&format!("/reactions?resource_id={}&first=7{after}", id(&sent))).await.ok();
        seen.extend(page["data"].as_array().unwrap().iter().map(|r| r["emoji"].as_str().unwrap().to_owned()));
        let Some(cursor) = page["page_info"]["end_cursor"].as_str() else { break };
        after = format!("&after={cursor}");
    }
    assert_eq!(seen.len(), 25);
    let mut sorted = seen.clone();
    sorted.sort();
    sorted.dedup();
    assert_eq!(sorted.len(), 25);
    assert_eq!(seen[24], names[0]);
    let last = ann.get(&format!("/reactions?resource_id={}&last=3", id(&sent))).await.ok();
    assert_eq!(last["data"].as_array().unwrap().len(), 3);
    // A cursor of one message opens no other.
    let other = ann.say(&channel, "other").await.ok();
    ann.get(&format!("/reactions?resource_id={}{after}", id(&other))).await.refused(400, "parameter_invalid");
}

/// In every kind of channel, by its own family of scopes, and by nobody who may not read there.
#[tokio::test]
async fn threat_27_reactions_and_counts_are_for_those_who_may_read() {
    let server = TestServer::start().await;
    let (acme, rival) = (server.company("acme").await, server.company("rival").await);
    let (ann, as_ann) = acme.member("ann").await;
    let (ben, as_ben) = acme.member("ben").await;
    let (_, cleo) = acme.member("cleo").await;
    let (_, eve) = rival.member("eve").await;
    let (experience, channel) = acme.channel("Private", false).await;
    for user in [&ann, &ben] {
        acme.as_key().put(&format!("/experiences/{experience}/members/{user}")).await.ok();
    }
    let dm = direct_message(&server, acme.id, &[&ann, &ben]).await;
    let support = support_chat(&server, acme.id, &ann).await;
    acme.role(&ben, Some(Role::Admin)).await;
    for (venue, family, other) in [
        (&channel, "chat:read", "dms:read"),
        (&dm, "dms:read", "chat:read"),
        (&support, "support_chat:read", "dms:read"),
    ] {
        let sent = as_ann.say(venue, "between us").await.ok();
        let narrow = server.actor(acme.token_with(&ann, &[family]).await);
        let wrong = server.actor(acme.token_with(&ann, &[other]).await);
        let made = react(&narrow, &sent, "👍").await.ok();
        react(&as_ben, &sent, "🎉").await.ok();
        let at = format!("/reactions/{}", id(&made));
        let list = format!("/reactions?resource_id={}", id(&sent));
        react(&wrong, &sent, "👀").await.refused(403, "scope_missing");
        wrong.get(&at).await.refused(403, "scope_missing");
        wrong.get(&list).await.refused(403, "scope_missing");
        wrong.delete(&at).await.refused(403, "scope_missing");
        for outsider in [&cleo, &eve, &rival.as_key()] {
            react(outsider, &sent, "👍").await.refused(404, "not_found");
            outsider.get(&at).await.refused(404, "not_found");
            outsider.get(&list).await.refused(404, "not_found");
            outsider.delete(&at).await.refused(404, "not_found");
            outsider
                .delete(&format!("/reactions/{}?emoji=:%2B1:", id(&sent)))
                .await
                .refused(404, "not_found");
            outsider.get(&format!("/messages/{}", id(&sent))).await.refused(404, "not_found");
        }
        assert_eq!(counts(&as_ben, &sent).await, counted(&[(":+1:", 1), (":tada:", 1)]));
        assert_eq!(narrow.get(&list).await.ok()["data"].as_array().unwrap().len(), 2);
        narrow.delete(&at).await.ok();
    }
    // Whose access is taken loses what they made there, too.
    let sent = as_ann.say(&channel, "last").await.ok();
    let made = react(&as_ann, &sent, "👍").await.ok();
    acme.as_key().delete(&format!("/experiences/{experience}/members/{ann}")).await.ok();
    as_ann.get(&format!("/reactions/{}", id(&made))).await.refused(404, "not_found");
    as_ann.delete(&format!("/reactions/{}", id(&made))).await.refused(404, "not_found");
}

#[tokio::test]
async fn a_deleted_message_takes_its_reactions_with_it() {
    let server = TestServer::start().await;
    let acme = server.company("acme").await;
    let (_, channel) = acme.channel("General", true).await;
    let (_, ann) = acme.member("ann").await;
    let sent = ann.say(&channel, "hello").await.ok();
    let made = react(&ann, &sent, "👍").await.ok();
    ann.delete(&format!("/messages/{}", id(&sent))).await.ok();
    react(&ann, &sent, "👍").await.refused(404, "not_found");
    for gone in [
        ann.get(&format!("/reactions/{}", id(&made))).await,
        ann.delete(&format!("/reactions/{}", id(&made))).await,
    ] {
        gone.refused(404, "not_found");
    }
    let mut conn = server.app.store().read().await.unwrap();
    assert_eq!(conn.find_reaction(id(&made).parse().unwrap()).await.unwrap(), None);
    assert!(conn.list_tallies(&[id(&sent).parse().unwrap()]).await.unwrap().is_empty());
    assert_eq!(events(&server, &channel).await.last().unwrap().0, EventKind::MessageDeleted);
}

/// The same user at once, many users at once, and a message that goes away under them.
#[tokio::test]
async fn of_many_at_once_each_counts_once() {
    let server = TestServer::start().await;
    let acme = server.company("acme").await;
    let (_, channel) = acme.channel("General", true).await;
    let (_, ann) = acme.member("ann").await;
    let mut crowd = Vec::new();
    for n in 0..6 {
        crowd.push(acme.member(&format!("u{n}")).await.1);
    }
    for round in 0..4 {
        let sent = ann.say(&channel, "hello").await.ok();
        let gate = Gate::close(&server, &[&channel]).await;
        let twice = join_all((0..4).map(|_| react(&ann, &sent, "👍")));
        let others = join_all(crowd.iter().map(|who| react(who, &sent, "👍")));
        let open = async {
            others_get_on(&server).await;
            gate.open().await;
        };
        let (twice, others, ()) = tokio::join!(twice, others, open);
        let ids: Vec<Value> = twice.into_iter().map(|answer| answer.ok()["id"].clone()).collect();
        assert!(ids.iter().all(|one| *one == ids[0]), "{ids:?}");
        for answer in others {
            answer.ok();
        }
        assert_eq!(counts(&ann, &sent).await, counted(&[(":+1:", 7)]));
        // Taken back and made again at once: one after another, in some order.
        let gate = Gate::close(&server, &[&channel]).await;
        let at = format!("/reactions/{}?emoji=:%2B1:", id(&sent));
        let back = join_all((0..3).map(|_| ann.delete(&at)));
        let again = react(&ann, &sent, "👍");
        let open = async {
            others_get_on(&server).await;
            gate.open().await;
        };
        let (back, again, ()) = tokio::join!(back, again, open);
        again.ok();
        assert!(back.iter().all(|answer| [200, 404].contains(&answer.status)), "round {round}");
        let listed = ann.get(&format!("/reactions?resource_id={}&first=100", id(&sent))).await.ok();
        let left = i64::try_from(listed["data"].as_array().unwrap().len()).unwrap();
        assert_eq!(counts(&ann, &sent).await, counted(&[(":+1:", left)]));
        // The message goes while they react.
        let gate = Gate::close(&server, &[&channel]).await;
        let path = format!("/messages/{}", id(&sent));
        let gone = ann.delete(&path);
        let late = join_all(crowd.iter().map(|who| react(who, &sent, "🎉")));
        let open = async {
            others_get_on(&server).await;
            gate.open().await;
        };
        let (gone, late, ()) = tokio::join!(gone, late, open);
        gone.ok();
        assert!(late.iter().all(|answer| [200, 404].contains(&answer.status)));
        let message: MessageId = id(&sent).parse().unwrap();
        let mut conn = server.app.store().read().await.unwrap();
        assert!(conn.list_tallies(&[message]).await.unwrap().is_empty());
        let whole = hallpass_store::Scan { descending: true, from: None, limit: 10 };
        assert!(conn.list_reactions(message, &whole).await.unwrap().is_empty());
    }
    events(&server, &channel).await;
}

/// Two nodes: the same user on both, and users of both, on one message.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn two_nodes_count_as_one() {
    let one = TestServer::on(Engine::Postgres).await;
    let two = one.another_node().await;
    let acme = one.company("acme").await;
    let (_, channel) = acme.channel("General", true).await;
    let mut users = Vec::new();
    for n in 0..5 {
        users.push(acme.member(&format!("u{n}")).await.1);
    }
    let poll = hallpass_testkit::poll(&["a", "b", "c"]);
    for _ in 0..3 {
        let body = json!({ "channel_id": channel, "content": "?", "poll": { "options": poll } });
        let sent = users[0].post("/messages", body).await.ok();
        let mut asks = Vec::new();
        for (n, user) in users.iter().enumerate() {
            for (m, server) in [&one, &two].into_iter().enumerate() {
                let option = ((n + m) % 3 + 1).to_string();
                for body in [
                    json!({ "resource_id": sent["id"], "emoji": "👍" }),
                    json!({ "resource_id": sent["id"], "poll_option_id": option }),
                ] {
                    let who = server.actor(user.bearer.clone());
                    asks.push(async move { who.post("/reactions", body).await });
                }
            }
        }
        for answer in join_all(asks).await {
            answer.ok();
        }
        let seen = two.actor(users[0].bearer.clone()).get(&format!("/messages/{}", id(&sent))).await.ok();
        assert_eq!(seen["reaction_counts"], json!([{ "count": 5, "emoji": ":+1:" }]));
        let votes: i64 =
            seen["poll_votes"].as_array().unwrap().iter().map(|v| v["count"].as_i64().unwrap()).sum();
        assert_eq!(votes, 5);
    }
    events(&one, &channel).await;
}

/// Random operations of several users on several messages against a model.
#[test]
fn counts_are_those_of_a_simple_model() {
    #[derive(Clone, Debug)]
    enum Step {
        React(usize, usize, usize),
        Back(usize, usize, usize),
        Vote(usize, usize, usize),
        Unvote(usize, usize),
        Delete(usize),
    }
    let (users, messages, names) = (3_usize, 2_usize, ["👍", "❤️", "🎉"]);
    let step = prop_oneof![
        4 => (0..users, 0..messages, 0..3usize).prop_map(|(u, m, e)| Step::React(u, m, e)),
        3 => (0..users, 0..messages, 0..3usize).prop_map(|(u, m, e)| Step::Back(u, m, e)),
        3 => (0..users, 0..messages, 0..3usize).prop_map(|(u, m, o)| Step::Vote(u, m, o)),
        2 => (0..users, 0..messages).prop_map(|(u, m)| Step::Unvote(u, m)),
        1 => (0..messages).prop_map(Step::Delete),
    ];
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let _inside = runtime.enter();
    let server = runtime.block_on(TestServer::start());
    let config = Config { cases: 12, failure_persistence: None, ..Config::default() };
    let mut runner = TestRunner::new_with_rng(
        config,
        proptest::test_runner::TestRng::deterministic_rng(proptest::test_runner::RngAlgorithm::ChaCha),
    );
    let rounds = std::cell::Cell::new(0);
    let ran = runner.run(&vec(step, 1..40), |steps| {
        rounds.set(rounds.get() + 1);
        runtime.block_on(async {
            let acme = server.company(&format!("acme{}", rounds.get())).await;
            let (_, channel) = acme.channel("General", true).await;
            let mut people = Vec::new();
            for n in 0..users {
                people.push(acme.member(&format!("u{n}")).await.1);
            }
            let mut sent = Vec::new();
            for _ in 0..messages {
                let poll = json!({ "options": hallpass_testkit::poll(&["a", "b", "c"]) });
                let body = json!({ "channel_id": channel, "content": "?", "poll": poll });
                sent.push(people[0].post("/messages", body).await.ok());
            }
            let mut alive = vec![true; messages];
            let mut there: BTreeSet<(usize, usize, usize)> = BTreeSet::new();
            let mut votes: BTreeMap<(usize, usize), usize> = BTreeMap::new();
            for step in steps {
                let expect = |answer: hallpass_testkit::Answer, yes: bool| {
                    assert_eq!(answer.status, if yes { 200 } else { 404 }, "{step:?}: {}", answer.body);
                };
                match step {
                    Step::React(u, m, e) => {
                        expect(react(&people[u], &sent[m], names[e]).await, alive[m]);
                        if alive[m] {
                            there.insert((m, e, u));
                        }
                    }
                    Step::Back(u, m, e) => {
                        let emoji = [":%2B1:", ":heart:", ":tada:"][e];
                        let answer =
                            people[u].delete(&format!("/reactions/{}?emoji={emoji}", id(&sent[m]))).await;
                        expect(answer, there.remove(&(m, e, u)));
                    }
                    Step::Vote(u, m, o) => {
                        let body =
                            json!({ "resource_id": sent[m]["id"], "poll_option_id": (o + 1).to_string() });
                        expect(people[u].post("/reactions", body).await, alive[m]);
                        if alive[m] {
                            votes.insert((m, u), o);
                        }
                    }
                    Step::Unvote(u, m) => {
                        let option = votes.get(&(m, u)).copied();
                        let at =
                            format!("/reactions/{}?poll_option_id={}", id(&sent[m]), option.unwrap_or(0) + 1);
                        expect(people[u].delete(&at).await, option.is_some());
                        votes.remove(&(m, u));
                    }
                    Step::Delete(m) => {
                        expect(people[0].delete(&format!("/messages/{}", id(&sent[m]))).await, alive[m]);
                        alive[m] = false;
                        there.retain(|(message, ..)| *message != m);
                        votes.retain(|(message, _), _| *message != m);
                    }
                }
            }
            let page = people[0].get(&format!("/messages?channel_id={channel}&direction=asc")).await.ok();
            let seen = page["data"].as_array().unwrap();
            let living: Vec<usize> = (0..messages).filter(|m| alive[*m]).collect();
            assert_eq!(seen.len(), living.len());
            for (message, m) in seen.iter().zip(living) {
                for (e, name) in [":+1:", ":heart:", ":tada:"].into_iter().enumerate() {
                    let expected =
                        there.iter().filter(|(message, emoji, _)| (*message, *emoji) == (m, e)).count();
                    let counts = message["reaction_counts"].as_array().unwrap();
                    let found = counts
                        .iter()
                        .find(|c| c["emoji"] == name)
                        .map_or(0, |c| c["count"].as_u64().unwrap());
                    assert_eq!(found, expected as u64, "{name}");
                }
                for o in 0..3 {
                    let expected =
                        votes.iter().filter(|((message, _), option)| *message == m && **option == o).count();
                    assert_eq!(
                        message["poll_votes"][o],
                        json!({ "count": expected, "option_id": (o + 1).to_string() })
                    );
                }
                let all =
                    people[0].get(&format!("/reactions?resource_id={}&first=100", id(message))).await.ok();
                let of_it = there.iter().filter(|(message, ..)| *message == m).count()
                    + votes.keys().filter(|(message, _)| *message == m).count();
                assert_eq!(all["data"].as_array().unwrap().len(), of_it);
            }
            events(&server, &channel).await;
        });
        Ok(())
    });
    ran.unwrap();
    assert!(rounds.get() >= 12);
}

/// What narrows while a reaction waits bites.
#[tokio::test]
async fn no_reaction_that_waited_gets_in_after_its_right_is_gone() {
    let server = TestServer::start().await;
    let acme = server.company("acme").await;
    let (_, channel) = acme.channel("General", true).await;
    for (n, what) in ["unenrolled", "no_one", "revoked"].into_iter().enumerate() {
        let (ann, as_ann) = acme.member(&format!("ann{n}")).await;
        let sent = as_ann.say(&channel, "hello").await.ok();
        let gate = Gate::close(&server, &[&channel]).await;
        let key = acme.as_key();
        let waiting = react(&as_ann, &sent, "👍");
        let narrowed = async {
            others_get_on(&server).await;
            match what {
                "unenrolled" => key.delete(&format!("/companies/{}/members/{ann}", acme.id)).await,
                "no_one" => {
                    key.patch(&format!("/chat_channels/{channel}"), json!({ "who_can_react": "no_one" }))
                        .await
                }
                _ => key.post("/access_tokens/revoke", json!({ "token": as_ann.bearer })).await,
            }
            .ok();
        };
        let open = async {
            for _ in 0..3 {
                others_get_on(&server).await;
            }
            gate.open().await;
        };
        let (waited, (), ()) = tokio::join!(waiting, narrowed, open);
        let late = react(&as_ann, &sent, "🎉").await;
        let (status, code) =
            if what == "no_one" { (403, "who_can_react") } else { (401, "credential_revoked") };
        late.refused(status, code);
        // It was before the narrowing, or it was refused as what comes after.
        let made = usize::from(waited.status == 200);
        if made == 0 {
            waited.refused(status, code);
        }
        let log = events(&server, &channel).await;
        let of_it = log
            .iter()
            .filter(|(kind, subject)| *kind == EventKind::ReactionCreated && subject.starts_with(id(&sent)));
        assert_eq!(of_it.count(), made, "{what}");
        let back = json!({ "who_can_react": "everyone" });
        key.patch(&format!("/chat_channels/{channel}"), back).await.ok();
    }
}
