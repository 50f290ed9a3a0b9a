//! What messages said before they were edited.

use hallpass_core::role::Role;
use hallpass_testkit::{Actor, TestServer};
use jiff::SignedDuration;
use serde_json::{Value, json};

use super::direct_messages::{dm, text};

async fn history(who: &Actor<'_>, message: &str) -> Vec<String> {
    let page = who.get(&format!("/messages/{message}/edits?first=100")).await.ok();
    page["data"].as_array().unwrap().iter().map(|edit| text(edit, "content")).collect()
}

#[tokio::test]
async fn every_text_a_message_had_is_kept() {
    let server = TestServer::start().await;
    let acme = server.company("acme").await;
    let (_, channel) = acme.channel("General", true).await;
    let (_, ann) = acme.member("ann").await;
    let id = text(&ann.say(&channel, "one").await.ok(), "id");
    let at = format!("/messages/{id}");
    assert_eq!(history(&ann, &id).await, Vec::<String>::new());
    for (n, content) in ["two", "two", "three", "four"].into_iter().enumerate() {
        server.clock.advance(SignedDuration::from_secs(1));
        ann.patch(&at, json!({ "content": content })).await.ok();
        acme.as_key().patch(&at, json!({ "is_pinned": n % 2 == 0 })).await.ok();
    }
    assert_eq!(history(&ann, &id).await, ["three", "two", "one"]);
    let page = ann.get(&format!("{at}/edits?direction=asc&first=2")).await.ok();
    let expected = json!([
        { "content": "one", "replaced_at": "2026-01-01T12:00:01.000Z" },
        { "content": "two", "replaced_at": "2026-01-01T12:00:03.000Z" },
    ]);
    assert_eq!(page["data"], expected);
    let cursor = text(&page["page_info"], "end_cursor");
    let rest = ann.get(&format!("{at}/edits?direction=asc&first=2&after={cursor}")).await.ok();
    assert_eq!(rest["data"][0]["content"], "three");
    assert_eq!(rest["page_info"]["has_next_page"], false);
    ann.get(&format!("{at}/edits?after={cursor}")).await.refused(400, "parameter_invalid");
    // Gone with the message.
    ann.delete(&at).await.ok();
    ann.get(&format!("{at}/edits")).await.refused(404, "not_found");
    let kept =
        server.app.store().read().await.unwrap().list_message_edits(id.parse().unwrap(), true, None, 9).await;
    assert_eq!(kept.unwrap(), []);
}

#[tokio::test]
async fn the_history_is_for_the_author_and_those_who_moderate() {
    let server = TestServer::start().await;
    let (acme, rival) = (server.company("acme").await, server.company("rival").await);
    let (_, channel) = acme.channel("General", true).await;
    let (_, ann) = acme.member("ann").await;
    let (ben, as_ben) = acme.member("ben").await;
    let (_, eve) = rival.member("eve").await;
    let direct = dm(&as_ben, &[&text(&ann.get("/users/me").await.ok(), "id")]).await;
    for (place, admin_reads) in [(&channel, false), (&direct, true)] {
        let id = text(&ann.say(place, "slip").await.ok(), "id");
        ann.patch(&format!("/messages/{id}"), json!({ "content": "mended" })).await.ok();
        let at = format!("/messages/{id}/edits");
        assert_eq!(history(&ann, &id).await, ["slip"]);
        if admin_reads {
            assert_eq!(history(&as_ben, &id).await, ["slip"]);
            acme.as_key().get(&at).await.refused(404, "not_found");
        } else {
            as_ben.get(&at).await.refused(403, "not_author");
            assert_eq!(history(&acme.as_key(), &id).await, ["slip"]);
            acme.role(&ben, Some(Role::Moderator)).await;
            assert_eq!(history(&as_ben, &id).await, ["slip"]);
        }
        for outsider in [&eve, &rival.as_key()] {
            outsider.get(&at).await.refused(404, "not_found");
        }
    }
}

#[tokio::test]
async fn edits_at_once_lose_no_text() {
    let server = TestServer::start().await;
    let acme = server.company("acme").await;
    let (_, channel) = acme.channel("General", true).await;
    let (_, ann) = acme.member("ann").await;
    let id = text(&ann.say(&channel, "0").await.ok(), "id");
    let at = format!("/messages/{id}");
    let edit = |n: usize| {
        let (ann, at) = (ann.clone(), at.clone());
        async move { ann.patch(&at, json!({ "content": n.to_string() })).await.ok() }
    };
    futures_util::future::join_all((1..=8).map(edit)).await;
    let mut all = history(&ann, &id).await;
    let now: Value = ann.get(&at).await.ok();
    all.push(text(&now, "content"));
    all.sort();
    assert_eq!(all, ["0", "1", "2", "3", "4", "5", "6", "7", "8"]);
}
