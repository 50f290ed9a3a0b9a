//! Polls: options as they were asked, one vote a user, counted truly.

use hallpass_store::EventKind;
use hallpass_testkit::{Actor, Answer, TestServer, poll};
use serde_json::{Value, json};

use super::messages::events;
use super::reactions::id;
use super::venues::{direct_message, support_chat};

async fn ask(who: &Actor<'_>, channel: &str, options: &[&str]) -> Value {
    let body = json!({ "channel_id": channel, "content": "which?", "poll": { "options": poll(options) } });
    who.post("/messages", body).await.ok()
}

async fn vote(who: &Actor<'_>, message: &Value, option: &str) -> Answer {
    who.post("/reactions", json!({ "resource_id": message["id"], "poll_option_id": option })).await
}

async fn votes(who: &Actor<'_>, message: &Value) -> Vec<i64> {
    let message = who.get(&format!("/messages/{}", id(message))).await.ok();
    let votes = message["poll_votes"].as_array().unwrap();
    let options = message["poll"]["options"].as_array().unwrap();
    let ids = |list: &[Value], key: &str| list.iter().map(|one| one[key].clone()).collect::<Vec<_>>();
    assert_eq!(ids(votes, "option_id"), ids(options, "id"));
    votes.iter().map(|vote| vote["count"].as_i64().unwrap()).collect()
}

#[tokio::test]
async fn a_user_has_one_vote_and_may_move_it() {
    let server = TestServer::start().await;
    let acme = server.company("acme").await;
    let (_, channel) = acme.channel("General", true).await;
    let (_, ann) = acme.member("ann").await;
    let (_, ben) = acme.member("ben").await;
    let sent = ask(&ann, &channel, &["tea", "coffee", "water"]).await;
    assert_eq!(votes(&ann, &sent).await, [0, 0, 0]);
    let first = vote(&ann, &sent, "2").await.ok();
    assert_eq!((&first["emoji"], &first["poll_option_id"]), (&Value::Null, &json!("2")));
    assert_eq!(vote(&ann, &sent, "2").await.ok(), first);
    vote(&ben, &sent, "2").await.ok();
    assert_eq!(votes(&ann, &sent).await, [0, 2, 0]);
    let moved = vote(&ann, &sent, "3").await.ok();
    assert_eq!((&moved["id"], &moved["poll_option_id"]), (&first["id"], &json!("3")));
    assert_eq!(votes(&ann, &sent).await, [0, 1, 1]);
    // Reacting to a poll is something else than voting.
    ann.post("/reactions", json!({ "resource_id": sent["id"], "emoji": ":one:" })).await.ok();
    assert_eq!(votes(&ann, &sent).await, [0, 1, 1]);
    let listed = ann.get(&format!("/reactions?resource_id={}", id(&sent))).await.ok();
    assert_eq!(listed["data"].as_array().unwrap().len(), 3);
    for option in ["0", "4", "01", "", "1 ", "١", "tea"] {
        vote(&ann, &sent, option).await.refused(422, "poll_option_not_found");
    }
    let kinds: Vec<EventKind> = events(&server, &channel).await.into_iter().map(|(kind, _)| kind).collect();
    assert_eq!(kinds.iter().filter(|kind| **kind == EventKind::VoteCast).count(), 3);
}

#[tokio::test]
async fn a_vote_is_withdrawn_by_its_id_or_its_option() {
    let server = TestServer::start().await;
    let acme = server.company("acme").await;
    let (_, channel) = acme.channel("General", true).await;
    let (_, ann) = acme.member("ann").await;
    let (_, ben) = acme.member("ben").await;
    let sent = ask(&ann, &channel, &["tea", "coffee"]).await;
    let first = vote(&ann, &sent, "1").await.ok();
    vote(&ben, &sent, "1").await.ok();
    let by_option = |option: &str| format!("/reactions/{}?poll_option_id={option}", id(&sent));
    ann.delete(&by_option("2")).await.refused(404, "not_found");
    ben.delete(&format!("/reactions/{}", id(&first))).await.refused(403, "not_author");
    assert_eq!(votes(&ann, &sent).await, [2, 0]);
    assert_eq!(ann.delete(&by_option("1")).await.ok(), json!(true));
    assert_eq!(votes(&ann, &sent).await, [1, 0]);
    let again = vote(&ann, &sent, "2").await.ok();
    assert_eq!(ann.delete(&format!("/reactions/{}", id(&again))).await.ok(), json!(true));
    assert_eq!(votes(&ann, &sent).await, [1, 0]);
    let kinds: Vec<EventKind> = events(&server, &channel).await.into_iter().map(|(kind, _)| kind).collect();
    assert_eq!(kinds.iter().filter(|kind| **kind == EventKind::VoteWithdrawn).count(), 2);
}

#[tokio::test]
async fn voting_is_open_where_nobody_may_react() {
    let server = TestServer::start().await;
    let acme = server.company("acme").await;
    let (_, channel) = acme.channel("General", true).await;
    let (_, ann) = acme.member("ann").await;
    let sent = ask(&ann, &channel, &["tea", "coffee"]).await;
    let rule = json!({ "who_can_react": "no_one", "who_can_post": "admins" });
    acme.as_key().patch(&format!("/chat_channels/{channel}"), rule).await.ok();
    vote(&ann, &sent, "1").await.ok();
    assert_eq!(votes(&ann, &sent).await, [1, 0]);
}

#[tokio::test]
async fn a_poll_stays_with_its_votes_when_its_message_is_edited() {
    let server = TestServer::start().await;
    let acme = server.company("acme").await;
    let (_, channel) = acme.channel("General", true).await;
    let (_, ann) = acme.member("ann").await;
    let sent = ask(&ann, &channel, &["tea", "coffee"]).await;
    vote(&ann, &sent, "2").await.ok();
    let at = format!("/messages/{}", id(&sent));
    let edited = ann.patch(&at, json!({ "content": "which one?" })).await.ok();
    assert_eq!(edited["poll"], sent["poll"]);
    assert_eq!(
        edited["poll_votes"],
        json!([{ "count": 0, "option_id": "1" }, { "count": 1, "option_id": "2" }])
    );
    let page = ann.get(&format!("/messages?channel_id={channel}")).await.ok();
    assert_eq!(page["data"][0], edited);
}

#[tokio::test]
async fn polls_are_held_in_every_kind_of_channel() {
    let server = TestServer::start().await;
    let acme = server.company("acme").await;
    let (ann, as_ann) = acme.member("ann").await;
    let (ben, as_ben) = acme.member("ben").await;
    let (_, cleo) = acme.member("cleo").await;
    let dm = direct_message(&server, acme.id, &[&ann, &ben]).await;
    let support = support_chat(&server, acme.id, &ann).await;
    let sent = ask(&as_ann, &dm, &["tea", "coffee"]).await;
    vote(&as_ben, &sent, "2").await.ok();
    vote(&cleo, &sent, "2").await.refused(404, "not_found");
    assert_eq!(votes(&as_ann, &sent).await, [0, 1]);
    let sent = ask(&as_ann, &support, &["tea", "coffee"]).await;
    vote(&acme.as_key(), &sent, "1").await.ok();
    vote(&as_ben, &sent, "2").await.refused(404, "not_found");
    assert_eq!(votes(&as_ann, &sent).await, [1, 0]);
}

#[tokio::test]
async fn threat_19_a_key_moves_no_vote_of_the_owners_own() {
    let server = TestServer::start().await;
    let acme = server.company("acme").await;
    let (_, channel) = acme.channel("General", true).await;
    let owner = server.actor(acme.token(&acme.owner.to_string()).await);
    let sent = ask(&owner, &channel, &["tea", "coffee"]).await;
    vote(&owner, &sent, "1").await.ok();
    vote(&acme.as_key(), &sent, "2").await.refused(403, "not_author");
    assert_eq!(votes(&owner, &sent).await, [1, 0]);
    // The other way the owner takes over what a key did in their name, once.
    let sent = ask(&owner, &channel, &["tea", "coffee"]).await;
    let by_key = vote(&acme.as_key(), &sent, "1").await.ok();
    let by_hand = vote(&owner, &sent, "1").await.ok();
    assert_eq!(by_key["id"], by_hand["id"], "asking again answers the one that is there");
    assert_eq!(votes(&owner, &sent).await, [1, 0]);
    vote(&acme.as_key(), &sent, "2").await.refused(403, "not_author");
    assert_eq!(votes(&owner, &sent).await, [1, 0]);
    vote(&owner, &sent, "2").await.ok();
    assert_eq!(votes(&owner, &sent).await, [0, 1]);
}
