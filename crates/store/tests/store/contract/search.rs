use hallpass_core::channel::ChannelId;
use hallpass_core::entity::{FeedSeat, FeedStatus, KeyHolder};
use hallpass_core::id::{CompanyId, FeedId, FeedMemberId, MessageId};
use hallpass_core::search::Query;
use hallpass_core::statement::Parts;
use hallpass_store::{Behind, ChatPlace, EventKind, NewFeed, NewMessage, Scan};

use crate::fixtures::*;

on_both! {
    what_was_said_is_found_by_its_words,
    an_edit_is_found_by_what_it_says_now,
    what_is_deleted_is_not_found,
    of_a_channel_that_is_deleted_nothing_stays,
    events_are_indexed_once_and_in_pieces,
    pages_walk_by_time_across_channels,
    hostile_queries_are_only_words,
    who_may_look_where,
}

/// Says texts in a channel, one millisecond after another from the first number on.
async fn say(db: &Db, channel: ChannelId, first: u128, texts: &[&str]) {
    let head = db.read().await.find_head(channel).await.unwrap().unwrap();
    let messages: Vec<NewMessage> = (first..)
        .zip(1..)
        .zip(texts)
        .map(|((n, step), text)| NewMessage {
            content: (*text).to_owned(),
            seq: head.1 + step,
            ..new_message(n, channel, head.0 + step, user(1))
        })
        .collect();
    let bump = [hallpass_store::HeadBump { channel, messages: i64::try_from(texts.len()).unwrap() }];
    let data = (bump, messages);
    db.store
        .write(data, |(bump, messages), tx| {
            Box::pin(async move {
                tx.bump_heads(bump).await?;
                tx.insert_messages(messages).await
            })
        })
        .await
        .unwrap();
}

async fn index(db: &Db, channel: ChannelId) {
    while db.store.index_channel(channel, 200).await.unwrap() {}
}

/// The numbers of the messages found, newest first.
async fn found(db: &Db, channels: &[ChannelId], query: &str) -> Vec<u128> {
    let query = Query::parse(query).unwrap();
    let hits = db.store.search_messages(channels, &query, &scan(true, 1000)).await.unwrap().unwrap();
    assert!(hits.windows(2).all(|two| two[0].0 > two[1].0));
    hits.into_iter().map(|(_, id)| id.bits()).collect()
}

async fn what_was_said_is_found_by_its_words(db: &Db) {
    let acme = db.acme().await;
    let (one, two) = (db.channel(1, acme).await, db.channel(2, acme).await);
    say(db, one, 1, &["The red Café", "a red, red house", "déjà-vu in Ελλάς", "禁止です OR NOT near"]).await;
    say(db, two, 11, &["the red car", "chat_feed_00000000000000000000000001"]).await;
    assert_eq!(found(db, &[one, two], "red").await, []);
    for channel in [one, two] {
        index(db, channel).await;
    }
    for (query, expected) in [
        ("red", vec![11, 2, 1]),
        ("RED cafe", vec![1]),
        ("\"red cafe\"", vec![1]),
        ("\"cafe red\"", vec![]),
        ("\"red house\"", vec![2]),
        ("\"the red\"", vec![11, 1]),
        ("caf", vec![]),
        ("caf*", vec![1]),
        ("ca*", vec![11, 1]),
        ("deja-v", vec![]),
        ("deja-vu*", vec![3]),
        ("ελλασ", vec![3]),
        ("止で", vec![4]),
        ("で止", vec![]),
        ("or not NEAR", vec![4]),
        ("nothing", vec![]),
        ("chat_feed_00000000000000000000000001", vec![12]),
        ("feed*", vec![12]),
    ] {
        assert_eq!(found(db, &[one, two], query).await, expected, "{query}");
    }
    assert_eq!(found(db, &[one], "the red").await, [1]);
    assert_eq!(found(db, &[two], "the red").await, [11]);
    assert_eq!(found(db, &[chat(9)], "red").await, []);
    assert_eq!(found(db, &[], "red").await, []);
}

async fn an_edit_is_found_by_what_it_says_now(db: &Db) {
    let acme = db.acme().await;
    let channel = db.channel(1, acme).await;
    say(db, channel, 1, &["before", "before, too"]).await;
    index(db, channel).await;
    commit!(db, tx => tx.update_message(post(1), Some(("after", &[], false)), true, None, at(9)));
    commit!(db, tx => tx.insert_event(channel, EventKind::MessageEdited, &post(1).to_string(), at(9)));
    index(db, channel).await;
    assert_eq!(found(db, &[channel], "before").await, [2]);
    assert_eq!(found(db, &[channel], "after").await, [1]);
}

async fn what_is_deleted_is_not_found(db: &Db) {
    let acme = db.acme().await;
    let channel = db.channel(1, acme).await;
    say(db, channel, 1, &["gone", "gone too", "here"]).await;
    // One before it was indexed, one after.
    let delete = async |n: u128| {
        commit!(db, tx => tx.delete_message(post(n), at(9)));
        commit!(db, tx => tx.insert_event(channel, EventKind::MessageDeleted, &post(n).to_string(), at(9)));
    };
    delete(1).await;
    index(db, channel).await;
    assert_eq!(found(db, &[channel], "gone").await, [2]);
    delete(2).await;
    index(db, channel).await;
    assert_eq!(found(db, &[channel], "gone").await, []);
    assert_eq!(found(db, &[channel], "here").await, [3]);
    assert_eq!(db.number("SELECT COUNT(*) FROM search_docs").await, 1);
}

/// Threat 10, at rest: not even its words.
async fn of_a_channel_that_is_deleted_nothing_stays(db: &Db) {
    let acme = db.acme().await;
    let (one, two) = (db.channel(1, acme).await, db.channel(2, acme).await);
    let texts: Vec<String> = (0..450).map(|n| format!("secret {n}")).collect();
    say(db, one, 1, &texts.iter().map(String::as_str).collect::<Vec<_>>()).await;
    say(db, two, 1001, &["secret"]).await;
    for channel in [one, two] {
        index(db, channel).await;
    }
    commit!(db, tx => tx.insert_event(one, EventKind::ChannelDeleted, &one.to_string(), at(9)));
    index(db, one).await;
    assert_eq!(found(db, &[one], "secret").await, []);
    assert_eq!(found(db, &[two], "secret").await, [1001]);
    assert_eq!(db.number("SELECT COUNT(*) FROM search_docs").await, 1);
    assert_eq!(db.number("SELECT COUNT(*) FROM search_index").await, 1);
}

async fn events_are_indexed_once_and_in_pieces(db: &Db) {
    let acme = db.acme().await;
    let (one, two) = (db.channel(1, acme).await, db.channel(2, acme).await);
    let texts: Vec<String> = (0..450).map(|n| format!("number {n}")).collect();
    say(db, one, 1, &texts.iter().map(String::as_str).collect::<Vec<_>>()).await;
    let behind = async || db.read().await.list_behind("", 10).await.unwrap();
    let state = |channel, events| Behind { channel, events };
    assert_eq!(behind().await, [state(one, 450), state(two, 0)]);
    assert_eq!(db.read().await.list_behind(&one.to_string(), 10).await.unwrap(), [state(two, 0)]);
    assert!(db.store.index_channel(one, 200).await.unwrap());
    assert_eq!(behind().await, [state(one, 250), state(two, 0)]);
    assert_eq!(found(db, &[one], "number").await.len(), 200);
    index(db, one).await;
    index(db, one).await;
    assert_eq!(behind().await, [state(one, 0), state(two, 0)]);
    assert_eq!(found(db, &[one], "number").await.len(), 450);
    assert_eq!(found(db, &[one], "\"number 449\"").await, [450]);
    assert!(!db.store.index_channel(two, 200).await.unwrap());
    // Two at once: each event is indexed by one of them.
    say(db, two, 1001, &["x1 common", "x2 common"]).await;
    let at_once = || db.store.index_channel(two, 200);
    let (a, b) = tokio::join!(at_once(), at_once());
    assert!(!(a.unwrap() && b.unwrap()), "one of them did all there was");
    index(db, two).await;
    assert_eq!(found(db, &[two], "common").await, [1002, 1001]);
}

async fn pages_walk_by_time_across_channels(db: &Db) {
    let acme = db.acme().await;
    let (one, two) = (db.channel(1, acme).await, db.channel(2, acme).await);
    // Made alternately, indexed one channel after the other; two in the same millisecond.
    for n in 1..=9 {
        say(db, if n % 2 == 0 { one } else { two }, n, &["word"]).await;
    }
    let twin = MessageId::from_bits(9 + (1 << 100));
    let head = db.read().await.find_head(two).await.unwrap().unwrap();
    let same = NewMessage {
        id: twin,
        content: "word".to_owned(),
        at: at(9),
        seq: head.1 + 1,
        ..new_message(10, two, head.0 + 1, user(1))
    };
    let messages = vec![same];
    commit!(db, tx => tx.bump_heads(&[hallpass_store::HeadBump { channel: two, messages: 1 }]));
    commit!(db, messages, tx => tx.insert_messages(messages));
    for channel in [one, two] {
        index(db, channel).await;
    }
    let query = Query::parse("word").unwrap();
    for descending in [true, false] {
        let (mut seen, mut from) = (Vec::new(), None);
        loop {
            let scan = Scan { descending, from, limit: 3 };
            let page = db.store.search_messages(&[one, two], &query, &scan).await.unwrap().unwrap();
            let Some((n, _)) = page.last() else { break };
            from = Some(hallpass_store::Key { at: *n, id: String::new() });
            seen.extend(page.into_iter().map(|(_, id)| id));
        }
        let mut expected: Vec<MessageId> = (1..=9).map(post).chain([twin]).collect();
        if descending {
            expected.reverse();
        }
        assert_eq!(seen, expected);
    }
}

/// Threat 22: whatever is typed is words to the engine.
async fn hostile_queries_are_only_words(db: &Db) {
    let acme = db.acme().await;
    let channel = db.channel(1, acme).await;
    let texts = [
        "x' OR 1=1 --",
        "a AND (b OR NOT c) NEAR/2 d",
        "terms:col ^start {a b} : c",
        "\\ '' \" <-> & | ! :*",
    ];
    say(db, channel, 1, &texts).await;
    index(db, channel).await;
    for text in texts.into_iter().chain([
        "\"",
        "\"\"\"",
        "* *x",
        "x\"*",
        "^",
        "a:b",
        "-x",
        "+x",
        "{x}",
        "NEAR(a b)",
        "x' OR '1'='1",
        "\\x",
        "%",
        "\u{0}x",
        "\u{202e}x",
        "\u{10ffff}x",
        "'x':*",
        "!x",
        "(x",
        "x)",
        "x <-> y",
        "x & !y",
        "terms : x",
        "rowid:1",
        "x AND",
        "OR x",
        "NOT",
    ]) {
        let Ok(query) = Query::parse(text) else { continue };
        let hits = db.store.search_messages(&[channel], &query, &scan(true, 10)).await.unwrap().unwrap();
        for (_, id) in hits {
            let message = db.read().await.find_message(id).await.unwrap().unwrap();
            assert!(query.matches(&message.content.unwrap()), "{text}");
        }
    }
    for (n, text) in (1_u128..).zip(texts) {
        if Query::parse(text).is_ok() {
            assert!(found(db, &[channel], text).await.contains(&n), "{text}");
        }
    }
}

async fn who_may_look_where(db: &Db) {
    let acme = db.acme().await;
    db.users([2, 3]).await;
    let other = db.company(2, 2, None).await;
    for (n, company, public) in [(1, acme, true), (2, acme, false), (3, acme, false), (4, other, true)] {
        db.experience(n, company, public).await;
        db.channel_of(n, company).await;
    }
    commit!(db, tx => tx.insert_experience_access(exp(2), user(2), at(1)));
    commit!(db, tx => tx.delete_experience(exp(3), at(2)));
    let place = |n, public| ChatPlace { channel: feed(n), experience: exp(n), public };
    let mut conn = db.read().await;
    let all = conn.list_chat_places(acme, None, &Parts::default(), 10).await.unwrap();
    assert_eq!(all, [place(2, false), place(1, true)]);
    assert_eq!(conn.list_chat_places(acme, Some(user(2)), &Parts::default(), 10).await.unwrap(), all);
    assert_eq!(
        conn.list_chat_places(acme, Some(user(3)), &Parts::default(), 10).await.unwrap(),
        [place(1, true)]
    );
    assert_eq!(conn.list_chat_places(acme, None, &Parts::default(), 1).await.unwrap(), [place(2, false)]);
    for (parts, expected) in [
        (Parts::AllBut(vec![exp(2)]), vec![place(1, true)]),
        // Looked for among all, not among the newest.
        (Parts::Only(vec![exp(1), exp(3), exp(4)]), vec![place(1, true)]),
        (Parts::NONE, vec![]),
    ] {
        assert_eq!(conn.list_chat_places(acme, None, &parts, 1).await.unwrap(), expected, "{parts:?}");
    }
    drop(conn);
    for (n, company, customer, key_holder, seats) in [
        (1, acme, None, None, vec![2, 3]),
        (2, acme, Some(2), None, vec![2]),
        (3, acme, None, Some(KeyHolder::Company(acme)), vec![3]),
        (4, other, Some(2), None, vec![2]),
        (5, acme, None, Some(KeyHolder::Company(other)), vec![3]),
    ] {
        let new = NewFeed {
            id: FeedId::from_bits(n),
            company,
            identity: n.to_string(),
            customer: customer.map(user),
            custom_name: None,
            key_holder,
        };
        let data = (new, seats);
        db.store
            .write(data, move |(new, seats), tx| {
                Box::pin(async move {
                    tx.insert_feed(new, at(i64::try_from(n).unwrap())).await?;
                    for seat in seats {
                        let id = FeedMemberId::from_bits(n * 10 + seat);
                        let seat = FeedSeat { user: user(*seat), admin: false };
                        let time = at(i64::try_from(n).unwrap());
                        tx.insert_feed_member((new.id, company), id, seat, FeedStatus::Accepted, time)
                            .await?;
                    }
                    Ok::<_, hallpass_store::StoreError>(())
                })
            })
            .await
            .unwrap();
    }
    let ids = |numbers: &[u128]| numbers.iter().copied().map(FeedId::from_bits).collect::<Vec<_>>();
    let mut conn = db.read().await;
    assert_eq!(conn.list_seated(user(2), acme, 10).await.unwrap(), ids(&[2, 1]));
    assert_eq!(conn.list_seated(user(3), acme, 10).await.unwrap(), ids(&[5, 3, 1]));
    assert_eq!(conn.list_seated(user(2), acme, 1).await.unwrap(), ids(&[2]));
    let open = async |company, holder: Option<CompanyId>| {
        let holder = holder.map(KeyHolder::Company);
        db.read().await.list_open_feeds(company, holder, 10).await.unwrap()
    };
    assert_eq!(open(acme, Some(acme)).await, ids(&[2, 3]));
    assert_eq!(open(acme, Some(other)).await, ids(&[2, 5]));
    assert_eq!(open(acme, None).await, ids(&[2]));
    assert_eq!(open(other, Some(other)).await, ids(&[4]));
}
