//! Searching: what may be read is found, as it is now, and nothing else.

use hallpass_core::catalogue::scopes::{CHAT_READ, SUPPORT_CHAT_READ};
use hallpass_core::id::MessageId;
use hallpass_core::role::Role;
use hallpass_core::scope::{Scope, ScopeSet};
use hallpass_core::statement::{KeyRights, Pattern, Statement};
use hallpass_testkit::http::Method;
use hallpass_testkit::{Actor, Answer, Engine, TestServer, poll};
use jiff::SignedDuration;
use serde_json::{Value, json};

use super::reactions::id;
use super::venues::{direct_message, support_chat};

/// A query string's value.
fn encoded(text: &str) -> String {
    let encoded: Vec<String> = text.bytes().map(|byte| format!("%{byte:02X}")).collect();
    encoded.concat()
}

async fn search(who: &Actor<'_>, query: &str, more: &str) -> Answer {
    who.get(&format!("/messages/search?query={}{more}", encoded(query))).await
}

/// The contents found, in their order.
async fn found(who: &Actor<'_>, query: &str, more: &str) -> Vec<String> {
    contents(&search(who, query, more).await.ok())
}

fn contents(page: &Value) -> Vec<String> {
    page["data"].as_array().unwrap().iter().map(|m| m["content"].as_str().unwrap().to_owned()).collect()
}

/// Says it a millisecond later than what was said before.
async fn say(server: &TestServer, who: &Actor<'_>, channel: &str, text: &str) -> Value {
    server.clock.advance(SignedDuration::from_millis(1));
    who.say(channel, text).await.ok()
}

#[tokio::test]
async fn what_was_said_is_found_newest_first() {
    let server = TestServer::start().await;
    let acme = server.company("acme").await;
    let (experience, one) = acme.channel("One", true).await;
    let (_, two) = acme.channel("Two", true).await;
    let (_, ann) = acme.member("ann").await;
    let first = say(&server, &ann, &one, "The quick brown Café").await;
    say(&server, &ann, &two, "a quick one").await;
    say(&server, &ann, &one, "brown, quick").await;
    let asked = json!({ "channel_id": two, "content": "which?", "poll": { "options": poll(&["Schokolade", "Vanille"]) } });
    server.clock.advance(SignedDuration::from_millis(1));
    ann.post("/messages", asked).await.ok();
    server.app.index_all().await.unwrap();
    assert_eq!(found(&ann, "quick", "").await, ["brown, quick", "a quick one", "The quick brown Café"]);
    assert_eq!(found(&ann, "quick", "&direction=asc").await[0], "The quick brown Café");
    assert_eq!(found(&ann, "BROWN quick", "").await, ["brown, quick", "The quick brown Café"]);
    assert_eq!(found(&ann, "\"quick brown\"", "").await, ["The quick brown Café"]);
    assert_eq!(found(&ann, "cafe", "").await, ["The quick brown Café"]);
    assert_eq!(found(&ann, "qui", "").await, Vec::<String>::new());
    assert_eq!(found(&ann, "qui* one", "").await, ["a quick one"]);
    assert_eq!(found(&ann, "schokolade", "").await, ["which?"]);
    for place in [&one, &experience] {
        let here = found(&ann, "quick", &format!("&channel_id={place}")).await;
        assert_eq!(here, ["brown, quick", "The quick brown Café"]);
    }
    assert_eq!(found(&ann, "quick", &format!("&company_id={}", acme.id)).await.len(), 3);
    // A hit is the message, as reading gives it.
    ann.post("/reactions", json!({ "resource_id": first["id"], "emoji": "👍" })).await.ok();
    let hit = search(&ann, "cafe", "").await.ok()["data"][0].clone();
    assert_eq!(hit, ann.get(&format!("/messages/{}", id(&first))).await.ok());
    assert_eq!((&hit["channel_id"], &hit["reaction_counts"][0]["count"]), (&json!(one), &json!(1)));
}

/// Without being asked to, round by round.
#[tokio::test]
async fn the_index_follows_by_itself_and_after_a_restart() {
    let server = TestServer::start().await;
    let acme = server.company("acme").await;
    let (_, channel) = acme.channel("General", true).await;
    let (_, ann) = acme.member("ann").await;
    server.stop_background();
    say(&server, &ann, &channel, "before the restart").await;
    assert_eq!(found(&ann, "restart", "").await, Vec::<String>::new());
    // A node that never heard of it.
    let again = server.another_node().await;
    let as_ann = again.actor(ann.bearer.clone());
    // One of its rounds is a walk over all channels.
    for _ in 0..20 {
        if !found(&as_ann, "restart", "").await.is_empty() {
            break;
        }
        again.app.indexed().await;
    }
    assert_eq!(found(&as_ann, "restart", "").await, ["before the restart"]);
    // From there on each change once.
    as_ann.say(&channel, "a second one after the restart").await.ok();
    again.app.index_all().await.unwrap();
    assert_eq!(found(&as_ann, "restart", "").await.len(), 2);
}

#[tokio::test]
async fn what_is_found_is_what_is_said_now() {
    let server = TestServer::start().await;
    let acme = server.company("acme").await;
    let (_, channel) = acme.channel("General", true).await;
    let (_, ann) = acme.member("ann").await;
    let one = say(&server, &ann, &channel, "alpha beta").await;
    let two = say(&server, &ann, &channel, "alpha gamma").await;
    server.app.index_all().await.unwrap();
    // At once, though the index is behind: what was edited or deleted is not shown for what it was.
    server.stop_background();
    ann.patch(&format!("/messages/{}", id(&one)), json!({ "content": "delta" })).await.ok();
    assert_eq!(found(&ann, "alpha", "").await, ["alpha gamma"]);
    ann.delete(&format!("/messages/{}", id(&two))).await.ok();
    assert_eq!(found(&ann, "alpha", "").await, Vec::<String>::new());
    server.app.index_all().await.unwrap();
    assert_eq!(found(&ann, "delta", "").await, ["delta"]);
    assert_eq!(found(&ann, "gamma", "").await, Vec::<String>::new());
}

/// Threat 27: an outsider gets no hit, by any route, for any kind of channel, and as soon as they are one.
#[tokio::test]
async fn threat_27_hits_are_for_those_who_may_read_now() {
    let server = TestServer::start().await;
    let (acme, rival) = (server.company("acme").await, server.company("rival").await);
    let (ann, as_ann) = acme.member("ann").await;
    let (ben, as_ben) = acme.member("ben").await;
    let (_, cleo) = acme.member("cleo").await;
    let (dora, as_dora) = acme.member("dora").await;
    let (_, eve) = rival.member("eve").await;
    acme.role(&dora, Some(Role::Support)).await;
    let (_, public) = acme.channel("Public", true).await;
    let (experience, private) = acme.channel("Private", false).await;
    for user in [&ann, &ben] {
        acme.as_key().put(&format!("/experiences/{experience}/members/{user}")).await.ok();
    }
    let dm = direct_message(&server, acme.id, &[&ann, &ben]).await;
    let support = support_chat(&server, acme.id, &ann).await;
    for (channel, text) in [
        (&public, "needle public"),
        (&private, "needle private"),
        (&dm, "needle dm"),
        (&support, "needle support"),
    ] {
        say(&server, &as_ann, channel, text).await;
    }
    server.app.index_all().await.unwrap();
    let all = async |who: &Actor<'_>| {
        let mut texts: Vec<String> = found(who, "needle", "")
            .await
            .into_iter()
            .map(|text| text["needle ".len()..].to_owned())
            .collect();
        texts.sort_unstable();
        texts.join(" ")
    };
    assert_eq!(all(&as_ann).await, "dm private public support");
    assert_eq!(all(&as_ben).await, "dm private public");
    assert_eq!(all(&cleo).await, "public");
    assert_eq!(all(&acme.as_key()).await, "private public support");
    let team = all(&as_dora).await;
    assert!(team == "public support" || team == "private public support", "{team}");
    assert_eq!(all(&eve).await, "");
    for outsider in [&eve, &rival.as_key()] {
        for place in [&public, &private, &dm, &support, &experience] {
            search(outsider, "needle", &format!("&channel_id={place}")).await.refused(404, "not_found");
        }
        search(outsider, "needle", &format!("&company_id={}", acme.id)).await.refused(404, "not_found");
    }
    for place in [&private, &dm, &support, &experience] {
        search(&cleo, "needle", &format!("&channel_id={place}")).await.refused(404, "not_found");
    }
    search(&as_ann, "needle", &format!("&channel_id={public}&company_id={}", rival.id))
        .await
        .refused(404, "not_found");
    // Each family of scopes opens its kind.
    for (scope, expected) in
        [("chat:read", "private public"), ("dms:read", "dm"), ("support_chat:read", "support")]
    {
        assert_eq!(all(&server.actor(acme.token_with(&ann, &[scope]).await)).await, expected, "{scope}");
    }
    let none = server.actor(acme.token_with(&ann, &["openid"]).await);
    search(&none, "needle", "").await.refused(403, "scope_missing");
    search(&none, "needle", &format!("&channel_id={public}")).await.refused(403, "scope_missing");
    // A key that is denied an experience finds nothing of it, nor do the tokens it mints.
    let statement = |grant, resource: &str| Statement {
        actions: ScopeSet::of(&[CHAT_READ]),
        grant,
        resources: vec![Pattern::try_from(resource.to_owned()).unwrap()],
    };
    let rights = KeyRights::Statements(vec![
        statement(true, "*"),
        statement(false, &format!("{}|{experience}", acme.id)),
    ]);
    let narrow = server.actor(server.key(acme.id, rights).await);
    assert_eq!(all(&narrow).await, "public");
    let minted = narrow.mint(acme.id, &ann, &["chat:read"]).await.ok();
    assert_eq!(all(&server.actor(minted["token"].as_str().unwrap())).await, "public");
    // And it bites at once.
    acme.as_key().delete(&format!("/experiences/{experience}/members/{ben}")).await.ok();
    assert_eq!(all(&as_ben).await, "dm public");
    acme.as_key().delete(&format!("/experiences/{experience}")).await.ok();
    assert_eq!(all(&as_ann).await, "dm public support");
    acme.as_key().delete(&format!("/companies/{}/members/{ben}", acme.id)).await.ok();
    search(&as_ben, "needle", "").await.refused(401, "credential_revoked");
}

/// Threat 22: what is typed or said means nothing to an engine.
#[tokio::test]
async fn threat_22_hostile_queries_and_texts_are_only_words() {
    let server = TestServer::start().await;
    let acme = server.company("acme").await;
    let (_, channel) = acme.channel("General", true).await;
    let (_, ann) = acme.member("ann").await;
    let texts = [
        "'; DROP TABLE search_docs; --",
        "a\" OR \"b",
        "NEAR(x y, 3) AND NOT z",
        "terms : ^x + y*",
        "x <-> !y | (z & w):*",
        "\\'\\\" \u{202e} \u{10ffff} \u{1}",
        "chat_feed_01ARZ3NDEKTSV4RRFFQ69G5FAV",
        "%_[a-z]",
        "\u{fdfa}\u{fdfa}",
        "🏳️\u{200d}🌈 flag",
    ];
    let long = "word ".repeat(4000);
    let dense = "禁".repeat(20_000);
    for text in texts.into_iter().chain([long.as_str(), dense.as_str()]) {
        say(&server, &ann, &channel, text).await;
    }
    server.app.index_all().await.unwrap();
    let mut asked = 0;
    for text in texts.into_iter().chain([
        "\"",
        "*",
        "\"\"",
        "(",
        ")",
        "-a",
        "a:b",
        "OR",
        "AND",
        "NOT",
        "NEAR",
        "a b c d e f g h i j k l m n o p q r s t u v w x y z",
        "xx*yy*",
        "\u{0}",
        "\u{feff}x",
        "x\u{200d}",
        "%00",
        "{}",
        "[x]",
        "x\\",
        "x'",
        "''",
        "ﷺ",
        "word word word",
        "wor* wo* word*",
    ]) {
        let answer = search(&ann, text, "").await;
        assert!([200, 422].contains(&answer.status), "{text:?}: {}", answer.body);
        asked += usize::from(answer.status == 200);
    }
    assert!(asked > 20);
    assert_eq!(found(&ann, "\"drop table search_docs\"", "").await, ["'; DROP TABLE search_docs; --"]);
    assert_eq!(found(&ann, "flag", "").await, ["🏳️\u{200d}🌈 flag"]);
    assert_eq!(found(&ann, "禁禁", "").await.len(), 1);
    // An id typed is no way into a channel.
    let (_, other) = acme.channel("Other", false).await;
    say(&server, &acme.as_key(), &other, "hidden").await;
    server.app.index_all().await.unwrap();
    assert_eq!(found(&ann, &other, "").await, Vec::<String>::new());
    assert_eq!(
        found(&ann, &format!("\" OR \"{}\" OR \"", other.to_lowercase()), "").await,
        Vec::<String>::new()
    );
    assert_eq!(found(&ann, "hidden", "").await, Vec::<String>::new());
}

#[tokio::test]
async fn what_is_malformed_is_named() {
    let server = TestServer::start().await;
    let acme = server.company("acme").await;
    let (_, channel) = acme.channel("General", true).await;
    let (_, ann) = acme.member("ann").await;
    ann.get("/messages/search").await.refused(400, "parameter_missing");
    ann.get("/messages/search?query=").await.refused(400, "parameter_missing");
    for (query, code) in [
        ("   ", "query_empty"),
        ("!!!", "query_empty"),
        ("👍", "query_empty"),
        ("a*", "prefix_too_short"),
        (&"x".repeat(201), "query_too_long"),
    ] {
        assert_eq!(search(&ann, query, "").await.refused(422, code)["param"], "query", "{query}");
    }
    for (more, param) in [
        ("&channel_id=nonsense", "channel_id"),
        ("&company_id=nonsense", "company_id"),
        ("&first=0", "first"),
        ("&direction=up", "direction"),
        ("&after=x", "after"),
    ] {
        assert_eq!(search(&ann, "x", more).await.refused(400, "parameter_invalid")["param"], param, "{more}");
    }
    let differs =
        format!("&company_id={}&account_id={}", acme.id, hallpass_core::id::CompanyId::from_bits(1));
    search(&ann, "x", &differs).await.refused(400, "parameter_invalid");
    server
        .call(&ann.bearer, Method::POST, "/messages/search", Some(json!({})))
        .await
        .refused(405, "method_not_allowed");
    // A cursor is of one query and place.
    for n in 0..3 {
        say(&server, &ann, &channel, &format!("word {n}")).await;
    }
    server.app.index_all().await.unwrap();
    let page = search(&ann, "word", "&first=1").await.ok();
    let cursor = page["page_info"]["end_cursor"].as_str().unwrap();
    search(&ann, "other", &format!("&after={cursor}")).await.refused(400, "parameter_invalid");
    search(&ann, "word", &format!("&after={cursor}&channel_id={channel}"))
        .await
        .refused(400, "parameter_invalid");
}

#[tokio::test]
async fn a_walk_over_hits_meets_each_once_while_more_is_said() {
    let server = TestServer::start().await;
    let acme = server.company("acme").await;
    let (_, one) = acme.channel("One", true).await;
    let (_, two) = acme.channel("Two", true).await;
    let (_, ann) = acme.member("ann").await;
    let mut sent = Vec::new();
    for n in 0..25 {
        sent.push(say(&server, &ann, if n % 2 == 0 { &one } else { &two }, &format!("word {n}")).await);
        if n % 5 == 0 {
            say(&server, &ann, &one, "something else").await;
        }
    }
    server.app.index_all().await.unwrap();
    let (mut seen, mut after) = (Vec::new(), String::new());
    loop {
        let page = search(&ann, "word", &format!("&first=4{after}")).await.ok();
        seen.extend(contents(&page));
        let Some(cursor) = page["page_info"]["end_cursor"].as_str() else { break };
        after = format!("&after={cursor}");
        // Newer ones do not get in between; what goes, goes.
        say(&server, &ann, &one, "word, later").await;
        server.app.index_all().await.unwrap();
    }
    let expected: Vec<String> = (0..25).rev().map(|n| format!("word {n}")).collect();
    assert_eq!(seen, expected);
    let back = search(&ann, "word", "&last=3").await.ok();
    assert_eq!(contents(&back), ["word 2", "word 1", "word 0"]);
    assert_eq!(back["page_info"]["has_previous_page"], true);
}

/// The index may be far behind: a page that finds little that is still so goes on where it stopped.
#[tokio::test]
async fn a_walk_over_many_stale_hits_meets_each_live_one_once() {
    let server = TestServer::start().await;
    let acme = server.company("acme").await;
    let (_, channel) = acme.channel("General", true).await;
    let (_, ann) = acme.member("ann").await;
    let mut sent = Vec::new();
    for n in 0..330 {
        sent.push(say(&server, &ann, &channel, &format!("word {n}")).await);
    }
    server.app.index_all().await.unwrap();
    let live = |n: usize| n < 4 || n == 150 || n >= 328;
    let gone: Vec<MessageId> = sent
        .iter()
        .enumerate()
        .filter(|(n, _)| !live(*n))
        .map(|(_, message)| id(message).parse().unwrap())
        .collect();
    // Without an event, so that the index does not hear of it.
    let at = server.app.clock().now();
    server
        .app
        .store()
        .write(gone, move |gone, tx| {
            Box::pin(async move {
                for id in gone {
                    assert!(tx.delete_message(*id, at).await?);
                }
                Ok::<_, hallpass_store::StoreError>(())
            })
        })
        .await
        .unwrap();
    // The cursor's own hit does not count as one.
    let first = search(&ann, "word", "&first=1").await.ok();
    let on = format!("&first=1&after={}", first["page_info"]["end_cursor"].as_str().unwrap());
    let second = search(&ann, "word", &on).await.ok();
    let on = format!("&first=1&after={}", second["page_info"]["end_cursor"].as_str().unwrap());
    assert_eq!(contents(&search(&ann, "word", &on).await.ok()), ["word 150"]);
    let expected: Vec<String> = (0..330).rev().filter(|n| live(*n)).map(|n| format!("word {n}")).collect();
    for (first, way) in [(1, "desc"), (2, "desc"), (3, "desc"), (100, "desc"), (1, "asc"), (5, "asc")] {
        let (mut seen, mut after, mut pages) = (Vec::new(), String::new(), 0);
        loop {
            let page = search(&ann, "word", &format!("&first={first}&direction={way}{after}")).await.ok();
            let info = &page["page_info"];
            assert_eq!(info["has_next_page"], info["end_cursor"].is_string(), "{info}");
            assert_eq!(info["has_previous_page"], pages > 0, "{info}");
            let texts = contents(&page);
            assert!(!texts.is_empty(), "clients take an empty page for the last");
            seen.extend(texts);
            pages += 1;
            let Some(cursor) = info["end_cursor"].as_str() else { break };
            after = format!("&after={cursor}");
        }
        if way == "asc" {
            seen.reverse();
        }
        assert_eq!(seen, expected, "{first} {way}");
    }
    // From the end towards the beginning, as well.
    let (mut seen, mut before) = (Vec::new(), String::new());
    loop {
        let page = search(&ann, "word", &format!("&last=3{before}")).await.ok();
        seen.splice(0..0, contents(&page));
        if page["page_info"]["has_previous_page"] == false {
            break;
        }
        before = format!("&before={}", page["page_info"]["start_cursor"].as_str().unwrap());
    }
    assert_eq!(seen, expected);
}

/// Who may read one experience only, or all but one, is given what they may read, and not refused.
#[tokio::test]
async fn a_credential_for_a_part_lists_and_searches_that_part() {
    let server = TestServer::start().await;
    let acme = server.company("acme").await;
    let mut places = Vec::new();
    for (name, public) in [("One", true), ("Two", true), ("Private", false)] {
        let (experience, channel) = acme.channel(name, public).await;
        say(&server, &acme.as_key(), &channel, &format!("needle {name}")).await;
        places.push((experience, channel));
    }
    let ann = acme.user("ann").await;
    let support = support_chat(&server, acme.id, &ann).await;
    say(&server, &acme.as_key(), &support, "needle support").await;
    server.app.index_all().await.unwrap();
    let statement = |grant, actions: &[Scope], inner: &str| Statement {
        actions: ScopeSet::of(actions),
        grant,
        resources: vec![Pattern::try_from(format!("{}{inner}", acme.id)).unwrap()],
    };
    let part = |n: usize| format!("|{}", places[n].0);
    let (chats, every) = ([CHAT_READ], [CHAT_READ, SUPPORT_CHAT_READ]);
    for (statements, listed, hits) in [
        (vec![statement(true, &chats, &part(0))], "One", "One"),
        (vec![statement(true, &chats, &part(2))], "Private", "Private"),
        (vec![statement(true, &chats, &part(0)), statement(true, &chats, &part(1))], "Two One", "Two One"),
        (
            vec![statement(true, &chats, "|exp_*"), statement(false, &chats, &part(1))],
            "Private One",
            "Private One",
        ),
        (
            vec![statement(true, &every, "|*"), statement(false, &chats, &part(2))],
            "Two One",
            "support Two One",
        ),
        (vec![statement(true, &chats, ""), statement(false, &chats, &part(0))], "Private Two", "Private Two"),
        (vec![statement(true, &chats, &part(0)), statement(false, &chats, &part(0))], "", ""),
        (vec![statement(true, &chats, ""), statement(false, &chats, "|exp_*")], "", ""),
        (vec![statement(true, &chats, &part(0)), statement(false, &chats, "")], "", ""),
        // Support chats are no part of that name: these are readable, and the channels are not.
        (vec![statement(true, &[SUPPORT_CHAT_READ], "|*")], "", "support"),
        // Another company's experience is nothing of this one's.
        (vec![statement(true, &chats, "|exp_01KDWPVNG0W1GTXMFFD0000001")], "none", "none"),
    ] {
        let told = format!("{statements:?}");
        let key = server.actor(server.key(acme.id, KeyRights::Statements(statements)).await);
        // A token of the owner, who may enter all, minted by that key: the same.
        let scopes: &[&str] =
            if hits.contains("support") { &["chat:read", "support_chat:read"] } else { &["chat:read"] };
        let mut who = vec![key];
        if !listed.is_empty() {
            let minted = who[0].mint(acme.id, &acme.owner.to_string(), scopes).await.ok();
            who.push(server.actor(minted["token"].as_str().unwrap()));
        }
        for who in &who {
            for query in ["", "&first=1"] {
                let page = who.get(&format!("/chat_channels?company_id={}{query}", acme.id)).await;
                if listed.is_empty() {
                    page.refused(403, "scope_missing");
                    continue;
                }
                let page = page.ok();
                let names: Vec<&str> = page["data"]
                    .as_array()
                    .unwrap()
                    .iter()
                    .map(|channel| channel["experience"]["name"].as_str().unwrap())
                    .collect();
                let expected: Vec<&str> = listed
                    .split(' ')
                    .filter(|name| *name != "none")
                    .take(if query.is_empty() { 9 } else { 1 })
                    .collect();
                assert_eq!(names, expected, "{told}");
            }
            let answer = search(who, "needle", &format!("&company_id={}", acme.id)).await;
            if hits.is_empty() {
                answer.refused(403, "scope_missing");
                continue;
            }
            let expected: Vec<String> =
                hits.split(' ').filter(|name| *name != "none").map(|name| format!("needle {name}")).collect();
            assert_eq!(contents(&answer.ok()), expected, "{told}");
        }
    }
}

/// Threat 23: among much that somebody may not read, the little they may is found, and soon.
#[tokio::test]
async fn threat_23_a_needle_is_found_beside_a_haystack_of_others() {
    let server = TestServer::start().await;
    let acme = server.company("acme").await;
    let (experience, hay) = acme.channel("Hay", false).await;
    let (_, small) = acme.channel("Small", true).await;
    let (ann, as_ann) = acme.member("ann").await;
    let (_, ben) = acme.member("ben").await;
    acme.as_key().put(&format!("/experiences/{experience}/members/{ann}")).await.ok();
    say(&server, &as_ann, &small, "common needle").await;
    let straw = futures_util::future::join_all((0..600).map(|n| {
        let (as_ann, hay) = (&as_ann, &hay);
        async move { as_ann.say(hay, &format!("common straw {n}")).await.ok() }
    }));
    straw.await;
    server.app.index_all().await.unwrap();
    assert_eq!(found(&ben, "common", "").await, ["common needle"]);
    assert_eq!(found(&ben, "com* straw", "").await, Vec::<String>::new());
    let page = search(&as_ann, "common", "&first=1000").await.ok();
    assert_eq!(page["data"].as_array().unwrap().len(), 100);
}

/// Two nodes on one database: each change is indexed by one of them, and found on both.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn two_nodes_index_as_one() {
    let one = TestServer::on(Engine::Postgres).await;
    let two = one.another_node().await;
    let acme = one.company("acme").await;
    let (_, channel) = acme.channel("General", true).await;
    let (_, ann) = acme.member("ann").await;
    let on_two = two.actor(ann.bearer.clone());
    for n in 0..20 {
        let who = if n % 2 == 0 { &ann } else { &on_two };
        who.say(&channel, &format!("word {n}")).await.ok();
        if n % 7 == 0 {
            let (a, b) = tokio::join!(one.app.index_all(), two.app.index_all());
            a.unwrap();
            b.unwrap();
        }
    }
    let (a, b) = tokio::join!(one.app.index_all(), two.app.index_all());
    a.unwrap();
    b.unwrap();
    // Whoever lost the race returned before the other had committed.
    one.app.index_all().await.unwrap();
    for who in [&ann, &on_two] {
        assert_eq!(found(who, "word", "&first=100").await.len(), 20);
    }
}
