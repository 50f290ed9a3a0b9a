//! Sends that share a commit: one bad one hurts only itself.

use futures_util::future::join_all;
use hallpass_app::channels::VenueRef;
use hallpass_app::messages::{MessageWithAuthor, SendMessage};
use hallpass_app::{App, AppError, Caller, IdempotencyScope, Ticket};
use hallpass_core::channel::ChannelId;
use hallpass_store::EventKind;
use hallpass_testkit::TestServer;
use jiff::SignedDuration;
use serde_json::json;

use super::gate::{Gate, others_get_on};
use super::messages::events;

fn to(channel: &str, content: &str) -> SendMessage {
    SendMessage {
        channel: VenueRef::parse("channel_id", channel).unwrap(),
        content: content.to_owned(),
        poll: None,
        replying_to: None,
        attachments: Vec::new(),
    }
}

async fn claim(app: &App, caller: &Caller, key: &str) -> Ticket {
    let ask = IdempotencyScope { operation: "messages.create", path: "", key, body: b"{}" };
    app.claim_idempotency(caller, ask).await.unwrap().unwrap()
}

type Outcome = Result<MessageWithAuthor, AppError>;

fn id(outcome: &Outcome) -> String {
    outcome.as_ref().expect("it was sent").message.id.to_string()
}

fn code(outcome: &Outcome) -> &'static str {
    match outcome {
        Err(
            AppError::Unprocessable { code, .. }
            | AppError::Conflict { code, .. }
            | AppError::Forbidden { code, .. },
        ) => code,
        Err(AppError::NotFound(_)) => "not_found",
        Err(AppError::Unauthenticated(_)) => "unauthenticated",
        Err(other) => panic!("{other}"),
        Ok(_) => "sent",
    }
}

#[tokio::test]
async fn one_bad_send_of_a_batch_hurts_only_itself() {
    let server = TestServer::start().await;
    let app = server.app.clone();
    let acme = server.company("acme").await;
    let (_, channel) = acme.channel("General", true).await;
    let (_, slow) = acme.channel("Slow", true).await;
    let rule = json!({ "user_posts_cooldown_seconds": 100 });
    acme.as_key().patch(&format!("/chat_channels/{slow}"), rule).await.ok();
    let (ann, as_ann) = acme.member("ann").await;
    let (_, as_ben) = acme.member("ben").await;
    let (cleo, as_cleo) = acme.member("cleo").await;
    let caller = async |bearer: &str| app.authenticate(bearer).await.unwrap();
    let (a, b, c) =
        (caller(&as_ann.bearer).await, caller(&as_ben.bearer).await, caller(&as_cleo.bearer).await);

    // Attempts that died after their commit: one message stands, one was deleted since.
    let stands = app.send_message(&a, to(&channel, "stands"), Some(claim(&app, &a, "stands").await)).await;
    let deleted = app.send_message(&a, to(&channel, "deleted"), Some(claim(&app, &a, "deleted").await)).await;
    as_ann.delete(&format!("/messages/{}", id(&deleted))).await.ok();
    as_ben.say(&slow, "now I must wait").await.ok();
    server.clock.advance(SignedDuration::from_secs(61));
    let again = [claim(&app, &a, "stands").await, claim(&app, &a, "deleted").await];
    assert!(again.iter().all(Ticket::is_again));
    let before = events(&server, &channel).await.len();

    let gate = Gate::close(&server, &[&channel, &slow]).await;
    let whole = async {
        // Whoever comes first goes alone; all who come while it waits go together.
        let first = app.send_message(&a, to(&channel, "first"), None);
        let rest = async {
            others_get_on(&server).await;
            let good: Vec<_> = (0..10).map(|n| to(&channel, &format!("good {n}"))).collect();
            let good = join_all(good.into_iter().map(|ask| app.send_message(&a, ask, None)));
            let stands = app.send_message(&a, to(&channel, "stands"), Some(again[0]));
            let deleted = app.send_message(&a, to(&channel, "deleted"), Some(again[1]));
            let waiting = app.send_message(&b, to(&slow, "impatient"), None);
            let fast = app.send_message(&a, to(&slow, "patient"), None);
            let twice = app.send_message(&a, to(&slow, "not so patient"), None);
            let gone = app.send_message(&c, to(&channel, "last words"), None);
            tokio::join!(good, stands, deleted, waiting, fast, twice, gone)
        };
        tokio::join!(first, rest)
    };
    let meanwhile = async {
        for _ in 0..2 {
            others_get_on(&server).await;
        }
        // Between the batch that waits at the gate and the one behind it.
        let path = format!("/companies/{}/members/{cleo}", acme.id);
        let key = acme.as_key();
        let left = key.delete(&path);
        let open = async {
            others_get_on(&server).await;
            gate.open().await;
        };
        tokio::join!(left, open).0.ok();
    };
    let ((first, (good, again_stands, again_deleted, waiting, fast, twice, gone)), ()) =
        tokio::join!(whole, meanwhile);

    assert_eq!(id(&again_stands), id(&stands));
    assert_eq!(code(&again_deleted), "message_deleted");
    assert_eq!(code(&waiting), "cooldown");
    // Whoever was decided before the removal loses the token, whoever came after it sees no channel.
    assert!(["unauthenticated", "not_found"].contains(&code(&gone)), "{}", code(&gone));
    // Of two by one author in the same batch one passes.
    let mut pair = [code(&fast), code(&twice)];
    pair.sort_unstable();
    assert_eq!(pair, ["cooldown", "sent"]);

    let log = events(&server, &channel).await;
    let created: Vec<String> = log[before..].iter().map(|(_, subject)| subject.clone()).collect();
    let expected: Vec<String> = std::iter::once(&first).chain(&good).map(id).collect();
    assert_eq!(created, expected, "in the order they came");
    assert!(log[before..].iter().all(|(kind, _)| *kind == EventKind::MessageCreated));
    assert_eq!(events(&server, &slow).await.len(), 3);
    assert_eq!(as_ben.get(&format!("/messages/{}", id(&stands))).await.ok()["user"]["id"], ann);
}

/// Two attempts under one ticket in one batch: the statement that stores them fails, all run again one
/// by one, and each gets the answer it would have got alone.
#[tokio::test]
async fn a_batch_that_fails_is_run_again_one_by_one() {
    let server = TestServer::start().await;
    let app = server.app.clone();
    let acme = server.company("acme").await;
    let (_, channel) = acme.channel("General", true).await;
    let (_, as_ann) = acme.member("ann").await;
    let caller = app.authenticate(&as_ann.bearer).await.unwrap();
    let slow_attempt = claim(&app, &caller, "key").await;
    server.clock.advance(SignedDuration::from_secs(61));
    let takes_over = claim(&app, &caller, "key").await;
    assert_eq!(slow_attempt.bits(), takes_over.bits());

    let gate = Gate::close(&server, &[&channel]).await;
    let whole = async {
        let first = app.send_message(&caller, to(&channel, "first"), None);
        let rest = async {
            others_get_on(&server).await;
            let one = app.send_message(&caller, to(&channel, "keyed"), Some(slow_attempt));
            let two = app.send_message(&caller, to(&channel, "keyed"), Some(takes_over));
            let good: Vec<_> = (0..10).map(|n| to(&channel, &format!("good {n}"))).collect();
            let good = join_all(good.into_iter().map(|ask| app.send_message(&caller, ask, None)));
            tokio::join!(one, two, good)
        };
        tokio::join!(first, rest)
    };
    let open = async {
        for _ in 0..3 {
            others_get_on(&server).await;
        }
        gate.open().await;
    };
    let ((first, (one, two, good)), ()) = tokio::join!(whole, open);
    assert_eq!(id(&one), id(&two));
    let expected: Vec<String> = [&first, &one].into_iter().chain(&good).map(id).collect();
    let created: Vec<String> = events(&server, &channel).await.into_iter().map(|(_, id)| id).collect();
    assert_eq!(created, expected);
    let feed: ChannelId = channel.parse().unwrap();
    let head = app.store().read().await.unwrap().find_head(feed).await.unwrap();
    assert_eq!(head, Some((12, 12)));
}

/// As much as the lane takes at once, in several commits: everybody is answered, in order per sender.
#[tokio::test]
async fn a_crowd_gets_in_whole() {
    let server = TestServer::start().await;
    let acme = server.company("acme").await;
    let (_, channel) = acme.channel("General", true).await;
    let (_, other) = acme.channel("Other", true).await;
    let (_, as_ann) = acme.member("ann").await;
    let caller = server.app.authenticate(&as_ann.bearer).await.unwrap();
    let asks: Vec<_> =
        (0..1500).map(|n| to(if n % 3 == 0 { &other } else { &channel }, &n.to_string())).collect();
    let sent = join_all(asks.into_iter().map(|ask| server.app.send_message(&caller, ask, None))).await;
    for (channel, thirds) in [(&other, 1), (&channel, 2)] {
        let feed: ChannelId = channel.parse().unwrap();
        let mut places: Vec<i64> = sent
            .iter()
            .map(|outcome| &outcome.as_ref().unwrap().message)
            .filter(|message| message.channel == feed)
            .map(|message| message.position)
            .collect();
        places.sort_unstable();
        assert!(places.into_iter().eq(1..=500 * thirds));
        assert!((1..=500 * thirds).eq((1..).zip(events(&server, channel).await).map(|(n, _)| n)));
    }
}
