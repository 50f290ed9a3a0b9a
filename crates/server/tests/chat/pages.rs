//! Pages of messages: both ways, while messages come and go.

use std::collections::BTreeSet;

use hallpass_testkit::{Actor, TestServer};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use serde_json::{Value, json};

/// One page: the contents, and what it says of itself.
struct Page {
    texts: Vec<String>,
    start: Option<String>,
    end: Option<String>,
    next: bool,
    previous: bool,
}

async fn page(who: &Actor<'_>, channel: &str, query: &str) -> Page {
    let page = who.get(&format!("/messages?channel_id={channel}&{query}")).await.ok();
    let info = &page["page_info"];
    let cursor = |name: &str| info[name].as_str().map(str::to_owned);
    Page {
        texts: texts(&page["data"]),
        start: cursor("start_cursor"),
        end: cursor("end_cursor"),
        next: info["has_next_page"].as_bool().unwrap(),
        previous: info["has_previous_page"].as_bool().unwrap(),
    }
}

fn texts(data: &Value) -> Vec<String> {
    data.as_array().unwrap().iter().map(|m| m["content"].as_str().unwrap().to_owned()).collect()
}

fn numbers(range: impl Iterator<Item = usize>) -> Vec<String> {
    range.map(|n| n.to_string()).collect()
}

#[tokio::test]
async fn a_page_tells_the_truth_about_what_lies_around_it() {
    let server = TestServer::start().await;
    let acme = server.company("acme").await;
    let (_, channel) = acme.channel("General", true).await;
    let (_, ann) = acme.member("ann").await;
    let empty = page(&ann, &channel, "").await;
    assert!(empty.texts.is_empty() && empty.start.is_none() && empty.end.is_none());
    assert!(!empty.next && !empty.previous);
    for n in 0..25 {
        ann.say(&channel, &n.to_string()).await.ok();
    }
    let newest = page(&ann, &channel, "").await;
    assert_eq!(newest.texts, numbers((5..25).rev()));
    assert!(newest.next && !newest.previous && newest.end.is_some());
    let rest = page(&ann, &channel, &format!("after={}", newest.end.unwrap())).await;
    assert_eq!(rest.texts, numbers((0..5).rev()));
    assert!(!rest.next && rest.previous && rest.end.is_none());
    // Exactly a page is the last one, too.
    let exact = page(&ann, &channel, "first=25").await;
    assert_eq!(exact.texts.len(), 25);
    assert!(!exact.next && exact.end.is_none());
    // More than there may be is as much as there may be.
    assert_eq!(page(&ann, &channel, "first=1000").await.texts.len(), 25);

    // From the end, and back towards the start.
    let last = page(&ann, &channel, "direction=asc&last=4").await;
    assert_eq!(last.texts, numbers(21..25));
    assert!(!last.next && last.previous && last.end.is_none());
    let before = page(&ann, &channel, &format!("direction=asc&last=4&before={}", last.start.unwrap())).await;
    assert_eq!(before.texts, numbers(17..21));
    assert!(before.next && before.previous && before.end.is_some());
    let rest = page(&ann, &channel, &format!("direction=asc&before={}", before.start.unwrap())).await;
    assert_eq!(rest.texts, numbers(0..17));
    assert!(rest.next && !rest.previous);
    // Empty values are absent: the SDK sends them for null.
    assert_eq!(page(&ann, &channel, "after=&before=&last=&direction=").await.texts, newest.texts);
}

#[tokio::test]
async fn what_was_deleted_does_not_lie_around_a_page() {
    let server = TestServer::start().await;
    let acme = server.company("acme").await;
    let (_, ann) = acme.member("ann").await;
    for way in ["asc", "desc"] {
        let (_, channel) = acme.channel(way, true).await;
        let mut ids = Vec::new();
        for n in 0..5 {
            let sent = ann.say(&channel, &n.to_string()).await.ok();
            ids.push(sent["id"].as_str().unwrap().to_owned());
        }
        let delete = async |n: usize| ann.delete(&format!("/messages/{}", ids[n])).await.ok();
        let page = async |query: &str| page(&ann, &channel, &format!("direction={way}&{query}")).await;
        let after = format!("first=1&after={}", page("first=2").await.end.unwrap());
        let before = format!("last=1&before={}", page("last=2").await.start.unwrap());
        let around = async || {
            let (after, before) = (page(&after).await, page(&before).await);
            assert_eq!((after.texts, before.texts), (numbers(2..3), numbers(2..3)));
            assert!(after.next && before.previous);
            assert_eq!(before.next, before.end.is_some());
            (after.previous, before.next)
        };
        assert_eq!(around().await, (true, true));
        // The messages that the cursors were made of.
        delete(1).await;
        delete(3).await;
        assert_eq!(around().await, (true, true));
        let (first, last) = if way == "asc" { (0, 4) } else { (4, 0) };
        delete(first).await;
        assert!(!page(&after).await.previous && page(&after).await.next);
        delete(2).await;
        let nothing = page(&before).await;
        assert!(nothing.texts.is_empty() && !nothing.previous && nothing.next && nothing.end.is_none());
        delete(last).await;
        assert!(!page(&before).await.next);
    }
}

#[tokio::test]
async fn what_is_no_page() {
    let server = TestServer::start().await;
    let acme = server.company("acme").await;
    let rival = server.company("rival").await;
    let (_, channel) = acme.channel("General", true).await;
    let (experience, other) = acme.channel("Other", true).await;
    let (_, theirs) = rival.channel("Theirs", true).await;
    let (_, ann) = acme.member("ann").await;
    let (_, eve) = rival.member("eve").await;
    for n in 0..3 {
        ann.say(&channel, &n.to_string()).await.ok();
        ann.say(&other, &n.to_string()).await.ok();
        eve.say(&theirs, &n.to_string()).await.ok();
    }
    let cursor = page(&ann, &channel, "first=1").await.end.unwrap();
    let foreign = page(&eve, &theirs, "first=1").await.end.unwrap();
    let ascending = page(&ann, &channel, "first=1&direction=asc").await.end.unwrap();
    let channels = ann.get(&format!("/chat_channels?company_id={}&first=1", acme.id)).await.ok();
    let of_channels = channels["page_info"]["end_cursor"].as_str().unwrap().to_owned();
    let mut altered = cursor.clone();
    altered.replace_range(5..6, if &altered[5..6] == "A" { "B" } else { "A" });
    let bad = [
        "first=0".to_owned(),
        "first=-1".to_owned(),
        "first=x".to_owned(),
        "first=1.5".to_owned(),
        "first=99999999999999999999".to_owned(),
        "last=0".to_owned(),
        "first=1&last=1".to_owned(),
        format!("after={cursor}&before={cursor}"),
        format!("last=1&after={cursor}"),
        format!("first=1&before={cursor}"),
        "direction=sideways".to_owned(),
        "after=x".to_owned(),
        format!("after={}", &cursor[1..]),
        format!("after={cursor}A"),
        format!("after={altered}"),
        format!("after={foreign}"),
        format!("after={ascending}"),
        format!("before={ascending}"),
        format!("after={of_channels}"),
        format!("after={cursor}&direction=asc"),
        format!("after={cursor}&after=x"),
    ];
    for query in &bad {
        let answer = ann.get(&format!("/messages?channel_id={channel}&{query}")).await;
        assert_eq!(
            (answer.status, &answer.body["error"]["code"]),
            (400, &json!("parameter_invalid")),
            "{query}"
        );
    }
    for id in [&other, &experience] {
        ann.get(&format!("/messages?channel_id={id}&after={cursor}")).await.refused(400, "parameter_invalid");
    }
    eve.get(&format!("/messages?channel_id={theirs}&after={cursor}")).await.refused(400, "parameter_invalid");
    // A cursor opens nothing by itself.
    eve.get(&format!("/messages?channel_id={channel}&after={cursor}")).await.refused(404, "not_found");
    // It is the channel's, whoever holds it and by whichever id they call the channel.
    let first = page(&ann, &other, "first=1").await.end.unwrap();
    assert_eq!(page(&ann, &experience, &format!("first=1&after={first}")).await.texts, ["1"]);
    assert_eq!(page(&acme.as_key(), &other, &format!("first=1&after={first}")).await.texts, ["1"]);
    ann.get("/messages").await.refused(400, "parameter_missing");
    ann.get("/messages?channel_id=x").await.refused(400, "parameter_invalid");
    ann.get(&format!("/messages?channel_id={}", rival.id)).await.refused(400, "parameter_invalid");
}

/// A cursor made by another node, or before a restart, still works.
#[tokio::test]
async fn a_cursor_outlives_its_node() {
    let server = TestServer::start().await;
    let acme = server.company("acme").await;
    let (_, channel) = acme.channel("General", true).await;
    for n in 0..3 {
        acme.as_key().say(&channel, &n.to_string()).await.ok();
    }
    let cursor = page(&acme.as_key(), &channel, "first=1").await.end.unwrap();
    let other = server.another_node().await;
    let there = other.actor(acme.key.clone());
    assert_eq!(page(&there, &channel, &format!("after={cursor}")).await.texts, ["1", "0"]);
}

#[derive(Clone, Debug)]
enum Meddling {
    Say,
    /// Deletes one of those that are there, by its place among them.
    Delete(prop::sample::Index),
}

fn meddling() -> impl Strategy<Value = Meddling> {
    prop_oneof![Just(Meddling::Say), any::<prop::sample::Index>().prop_map(Meddling::Delete)]
}

/// Walks a channel of `start` messages in pages of `sizes`, with `between` done between the pages, and
/// checks that what was there all the while is seen exactly once and in order, and nothing twice.
async fn walk(
    ann: &Actor<'_>,
    channel: &str,
    (ascending, backward): (bool, bool),
    sizes: &[usize],
    start: usize,
    between: &[Vec<Meddling>],
) {
    let mut alive: Vec<(String, String)> = Vec::new();
    let mut said = 0;
    let mut say = async |alive: &mut Vec<(String, String)>| {
        let text = format!("{said:05}");
        said += 1;
        let sent = ann.say(channel, &text).await.ok();
        alive.push((text, sent["id"].as_str().unwrap().to_owned()));
    };
    for _ in 0..start {
        say(&mut alive).await;
    }
    let always: BTreeSet<String> = alive.iter().map(|(text, _)| text.clone()).collect();
    let mut always = always;
    let (way, (size, from)) = (
        if ascending { "asc" } else { "desc" },
        if backward { ("last", "before") } else { ("first", "after") },
    );
    let (mut seen, mut cursor) = (Vec::new(), String::new());
    for turn in 0.. {
        let query = format!("direction={way}&{size}={}&{from}={cursor}", sizes[turn % sizes.len()]);
        let mut found = page(ann, channel, &query).await;
        if backward {
            found.texts.reverse();
        }
        seen.extend(found.texts);
        let (more, edge) = if backward { (found.previous, found.start) } else { (found.next, found.end) };
        if !backward {
            assert_eq!(edge.is_some(), more, "end_cursor is there as long as there is more");
        }
        if !more {
            break;
        }
        cursor = edge.expect("a cursor to go on from");
        for meddling in between.get(turn).into_iter().flatten() {
            match meddling {
                Meddling::Say => say(&mut alive).await,
                Meddling::Delete(which) if !alive.is_empty() => {
                    let (text, id) = alive.remove(which.index(alive.len()));
                    ann.delete(&format!("/messages/{id}")).await.ok();
                    always.remove(&text);
                }
                Meddling::Delete(_) => {}
            }
        }
    }
    let mut sorted = seen.clone();
    sorted.sort();
    sorted.dedup();
    assert_eq!(sorted.len(), seen.len(), "a message was shown twice: {seen:?}");
    if ascending == backward {
        sorted.reverse();
    }
    assert_eq!(seen, sorted, "out of order");
    let seen: BTreeSet<String> = seen.into_iter().collect();
    assert!(always.is_subset(&seen), "missing: {:?}", always.difference(&seen).collect::<Vec<_>>());
}

/// As a property: any page sizes, any meddling, all four ways to walk.
#[test]
fn each_message_is_seen_exactly_once_whatever_happens_between_the_pages() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let _context = runtime.enter();
    let (server, bearer, key, company) = runtime.block_on(async {
        let server = TestServer::start().await;
        let acme = server.company("acme").await;
        let (_, ann) = acme.member("ann").await;
        let (bearer, key, id) = (ann.bearer.clone(), acme.key.clone(), acme.id);
        (server, bearer, key, id)
    });
    let cases = (any::<(bool, bool)>(), vec(1..8usize, 1..4), 0..30usize, vec(vec(meddling(), 0..4), 0..12));
    let mut runner = TestRunner::new(Config { failure_persistence: None, ..Config::with_cases(40) });
    runner
        .run(&cases, |(ways, sizes, start, between)| {
            runtime.block_on(async {
                let (ann, key) = (server.actor(bearer.clone()), server.actor(key.clone()));
                let body =
                    json!({ "app_id": server.app.builtin_app(), "company_id": company, "is_public": true });
                let made = key.post("/experiences", body).await.ok();
                walk(&ann, made["id"].as_str().unwrap(), ways, &sizes, start, &between).await;
            });
            Ok(())
        })
        .unwrap();
}
