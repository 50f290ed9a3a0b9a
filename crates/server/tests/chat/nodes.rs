//! Two nodes on one PostgreSQL: crossing channels, one order, no gap for whoever resumes.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use hallpass_app::channels::ChannelRef;
use hallpass_app::messages::SendMessage;
use hallpass_app::{App, ChannelPatch, ExperiencePatch};
use hallpass_core::channel::ChannelId;
use hallpass_core::id::{ExperienceId, MessageId};
use hallpass_store::EventKind;
use hallpass_testkit::{Engine, TestServer};
use tokio::task::JoinSet;

const CHANNELS: usize = 4;
const WRITERS: usize = 24;
const EACH: usize = 12;

/// Reads a channel's events from where it was, a few at a time, as a client does that resumes; every
/// one must follow on the last, and what it points at must be there.
async fn follow(app: App, channel: ChannelId, done: Arc<AtomicBool>) -> Vec<(EventKind, String)> {
    let mut seen: Vec<(EventKind, String)> = Vec::new();
    loop {
        // Before the read: what is there once all have finished is all there is.
        let last = done.load(Ordering::SeqCst);
        let after = i64::try_from(seen.len()).unwrap();
        let mut conn = app.store().read().await.unwrap();
        let more = conn.list_events(channel, after, 7).await.unwrap();
        for (seq, (found, kind, subject)) in (after + 1..).zip(&more) {
            assert_eq!(*found, seq, "a gap");
            if *kind == EventKind::MessageCreated {
                let id: MessageId = subject.parse().unwrap();
                let place = conn.find_message_place(id).await.unwrap();
                assert_eq!(place.map(|place| place.channel), Some(channel), "announced before it is there");
            }
        }
        if more.is_empty() && last {
            return seen;
        }
        seen.extend(more.into_iter().map(|(_, kind, subject)| (kind, subject)));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn two_nodes_posting_into_crossing_channels_leave_no_gap_and_never_lock_up() {
    let one = TestServer::on(Engine::Postgres).await;
    let two = one.another_node().await;
    let acme = one.company("acme").await;
    let (mut channels, mut experiences) = (Vec::new(), Vec::new());
    for n in 0..CHANNELS {
        let (experience, channel) = acme.channel(&format!("c{n}"), true).await;
        channels.push(channel.parse::<ChannelId>().unwrap());
        experiences.push(experience.parse::<ExperienceId>().unwrap());
    }
    let (_, ann) = acme.member("ann").await;
    let (apps, bearer, key) = ([one.app.clone(), two.app.clone()], ann.bearer.clone(), acme.key.clone());

    let done = Arc::new(AtomicBool::new(false));
    let mut followers = JoinSet::new();
    for (n, channel) in channels.iter().enumerate() {
        let (app, channel, done) = (apps[n % 2].clone(), *channel, Arc::clone(&done));
        followers.spawn(async move { (channel, follow(app, channel, done).await) });
    }

    let mut writers = JoinSet::new();
    for writer in 0..WRITERS {
        let (app, bearer, channels) = (apps[writer % 2].clone(), bearer.clone(), channels.clone());
        writers.spawn(async move {
            let caller = app.authenticate(&bearer).await.unwrap();
            let mut sent = Vec::new();
            for n in 0..EACH {
                // Each in an order of its own.
                let at = if writer % 4 < 2 { writer + n } else { writer + EACH - n };
                let ask = SendMessage {
                    channel: channels[at % CHANNELS].into(),
                    content: format!("{writer} {n}"),
                    poll: None,
                    replying_to: None,
                    attachments: Vec::new(),
                };
                sent.push(app.send_message(&caller, ask, None).await.unwrap().message);
                if n % 5 == 4 {
                    app.delete_message(&caller, sent[n - 2].id).await.unwrap();
                }
            }
            sent
        });
    }
    // Rules and names change meanwhile: entries of the authority log, taken across the heads.
    let mut changers = JoinSet::new();
    for (changer, app) in apps.iter().enumerate() {
        let (app, key) = (app.clone(), key.clone());
        let (channels, experiences) = (channels.clone(), experiences.clone());
        changers.spawn(async move {
            let caller = app.authenticate(&key).await.unwrap();
            for n in 0..16 {
                let at = if changer == 0 { n } else { CHANNELS * 16 - 1 - n } % CHANNELS;
                let words =
                    ChannelPatch { banned_words: Some(vec![format!("word{n}")]), ..Default::default() };
                app.update_channel(
                    &caller,
                    ChannelRef::Feed(channels[at].to_string().parse().unwrap()),
                    words,
                )
                .await
                .unwrap();
                let name = ExperiencePatch { name: Some(format!("name {n}")), ..Default::default() };
                app.update_experience(&caller, experiences[CHANNELS - 1 - at], name).await.unwrap();
            }
        });
    }
    let sent: Vec<_> = writers.join_all().await.into_iter().flatten().collect();
    changers.join_all().await;
    done.store(true, Ordering::SeqCst);
    let logs = followers.join_all().await;

    assert_eq!(sent.len(), WRITERS * EACH);
    for (channel, log) in logs {
        let mine: Vec<_> = sent.iter().filter(|message| message.channel == channel).collect();
        let places: HashSet<i64> = mine.iter().map(|message| message.position).collect();
        let count = i64::try_from(mine.len()).unwrap();
        assert_eq!(places, (1..=count).collect(), "positions are given out once, without holes");
        let created: Vec<&str> = log
            .iter()
            .filter(|(kind, _)| *kind == EventKind::MessageCreated)
            .map(|(_, id)| id.as_str())
            .collect();
        // The log tells of messages in the order of their places.
        let mut in_order: Vec<_> =
            mine.iter().map(|message| (message.position, message.id.to_string())).collect();
        in_order.sort_unstable();
        assert_eq!(created, in_order.iter().map(|(_, id)| id.as_str()).collect::<Vec<_>>());
        let head = two.app.store().read().await.unwrap().find_head(channel).await.unwrap().unwrap();
        assert_eq!(head, (count, i64::try_from(log.len()).unwrap()));
    }
}

/// What one node was told is done holds on the other for what is begun then, within a second, and
/// what was begun before does not get in behind it.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_narrowing_on_one_node_holds_for_what_waits_on_the_other() {
    let one = TestServer::on(Engine::Postgres).await;
    let two = one.another_node().await;
    for round in 0..8 {
        let acme = one.company(&format!("acme{round}")).await;
        let (experience, channel) = acme.channel("General", true).await;
        let (_, ann) = acme.member("ann").await;
        let feed: ChannelId = channel.parse().unwrap();
        let mut crowd = JoinSet::new();
        for _ in 0..8 {
            let (app, bearer) = (two.app.clone(), ann.bearer.clone());
            crowd.spawn(async move {
                let mut sent = 0;
                loop {
                    let Ok(caller) = app.authenticate(&bearer).await else { return sent };
                    let ask = SendMessage {
                        channel: feed.into(),
                        content: "hello".to_owned(),
                        poll: None,
                        replying_to: None,
                        attachments: Vec::new(),
                    };
                    match app.send_message(&caller, ask, None).await {
                        Ok(_) => sent += 1,
                        Err(_) => return sent,
                    }
                }
            });
        }
        let head = async || one.app.store().read().await.unwrap().find_head(feed).await.unwrap().unwrap();
        while head().await.0 < 20 {}
        let key = acme.as_key();
        if round % 2 == 0 {
            key.delete(&format!("/experiences/{experience}")).await.ok();
        } else {
            key.post("/access_tokens/revoke", serde_json::json!({ "token": ann.bearer })).await.ok();
        }
        let boundary = head().await;
        let sent: i64 = crowd.join_all().await.into_iter().sum();
        assert_eq!(head().await, boundary, "round {round}: something got in after");
        assert_eq!(sent, boundary.0);
    }
}
