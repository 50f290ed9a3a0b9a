//! What happens at once: in whichever order, the outcome is one that could have been one after another.

use std::collections::HashSet;

use futures_util::future::join_all;
use hallpass_core::channel::ChannelId;
use hallpass_core::id::ApiKeyId;
use hallpass_core::role::Role;
use hallpass_core::statement::KeyRights;
use hallpass_store::EventKind;
use hallpass_testkit::http::{Method, Request};
use hallpass_testkit::{Actor, Answer, Body, TestCompany, TestServer};
use jiff::SignedDuration;
use serde_json::json;

use super::gate::{Gate, others_get_on};
use super::messages::events;

/// What narrows rights under a waiting send, and how one that comes after is refused.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Narrowing {
    RoleLowered,
    RoleTaken,
    Unenrolled,
    TokenRevoked,
    TokensRevoked,
    KeyRevoked,
    Deactivated,
    AccessTaken,
    MadePrivate,
    AdminsOnly,
    WordBanned,
    ExperienceDeleted,
}

impl Narrowing {
    const ALL: [Self; 12] = [
        Self::RoleLowered,
        Self::RoleTaken,
        Self::Unenrolled,
        Self::TokenRevoked,
        Self::TokensRevoked,
        Self::KeyRevoked,
        Self::Deactivated,
        Self::AccessTaken,
        Self::MadePrivate,
        Self::AdminsOnly,
        Self::WordBanned,
        Self::ExperienceDeleted,
    ];

    fn refusal(self) -> (u16, &'static str) {
        match self {
            Self::RoleLowered | Self::RoleTaken | Self::AdminsOnly => (403, "who_can_post"),
            Self::Unenrolled
            | Self::TokenRevoked
            | Self::TokensRevoked
            | Self::KeyRevoked
            | Self::Deactivated => (401, "credential_revoked"),
            Self::AccessTaken | Self::MadePrivate | Self::ExperienceDeleted => (404, "not_found"),
            Self::WordBanned => (422, "banned_word"),
        }
    }
}

struct Scene<'s> {
    server: &'s TestServer,
    acme: TestCompany<'s>,
    experience: String,
    channel: String,
    /// Who writes.
    ann: String,
    as_ann: Actor<'s>,
    /// The key that minted their token.
    minter: ApiKeyId,
}

impl<'s> Scene<'s> {
    async fn set(server: &'s TestServer, narrowing: Narrowing) -> Self {
        let acme = server.company("acme").await;
        let (experience, channel) = acme.channel("General", narrowing != Narrowing::AccessTaken).await;
        let ann = acme.user("ann").await;
        let rights = KeyRights::Role(Role::Owner);
        let ask = hallpass_app::api_keys::CreateApiKey {
            company: acme.id,
            app: None,
            name: None,
            rights,
            expires_at: None,
        };
        let made = server.app.make_api_key(ask, None).await.unwrap();
        let (minter, secret) = (made.key.id, made.secret.expose().to_owned());
        let scopes = ["chat:message:create", "chat:read"];
        let answer = server.actor(secret).mint(acme.id, &ann, &scopes).await.ok();
        let as_ann = server.actor(answer["token"].as_str().unwrap());
        let key = acme.as_key();
        match narrowing {
            Narrowing::RoleLowered | Narrowing::RoleTaken => {
                acme.role(&ann, Some(Role::Moderator)).await;
                let admins = json!({ "who_can_post": "admins" });
                key.patch(&format!("/chat_channels/{channel}"), admins).await.ok();
            }
            Narrowing::AccessTaken => {
                key.put(&format!("/experiences/{experience}/members/{ann}")).await.ok();
            }
            _ => {}
        }
        Self { server, acme, experience, channel, ann, as_ann, minter }
    }

    async fn narrow(&self, narrowing: Narrowing) {
        let key = self.acme.as_key();
        let user = self.ann.parse().unwrap();
        let revoke = async |body| drop(key.post("/access_tokens/revoke", body).await.ok());
        match narrowing {
            Narrowing::RoleLowered => self.acme.role(&self.ann, Some(Role::Advertiser)).await,
            Narrowing::RoleTaken => self.acme.role(&self.ann, None).await,
            Narrowing::Unenrolled => {
                drop(key.delete(&format!("/companies/{}/members/{}", self.acme.id, self.ann)).await.ok());
            }
            Narrowing::TokenRevoked => revoke(json!({ "token": self.as_ann.bearer })).await,
            Narrowing::TokensRevoked => {
                revoke(json!({ "user_id": self.ann, "company_id": self.acme.id })).await;
            }
            Narrowing::KeyRevoked => self.server.app.end_api_key(self.minter).await.unwrap(),
            Narrowing::Deactivated => self.server.app.deactivate_user(user).await.unwrap(),
            Narrowing::AccessTaken => {
                drop(
                    key.delete(&format!("/experiences/{}/members/{}", self.experience, self.ann)).await.ok(),
                );
            }
            Narrowing::MadePrivate => {
                drop(
                    key.patch(&format!("/experiences/{}", self.experience), json!({ "is_public": false }))
                        .await
                        .ok(),
                );
            }
            Narrowing::AdminsOnly => {
                let admins = json!({ "who_can_post": "admins" });
                drop(key.patch(&format!("/chat_channels/{}", self.channel), admins).await.ok());
            }
            Narrowing::WordBanned => {
                let words = json!({ "banned_words": ["hello"] });
                drop(key.patch(&format!("/chat_channels/{}", self.channel), words).await.ok());
            }
            Narrowing::ExperienceDeleted => {
                drop(key.delete(&format!("/experiences/{}", self.experience)).await.ok());
            }
        }
    }

    async fn head(&self) -> i64 {
        let channel: ChannelId = self.channel.parse().unwrap();
        self.server.app.store().read().await.unwrap().find_head(channel).await.unwrap().unwrap().0
    }
}

/// Sends that wait, and a narrowing. Once that is acknowledged nothing gets in, whenever it was decided.
async fn nothing_gets_in_after(server: &TestServer, narrowing: Narrowing, narrow_first: bool) {
    let scene = Scene::set(server, narrowing).await;
    let (expected, code) = narrowing.refusal();
    let gate = Gate::close(server, &[&scene.channel]).await;
    let sends = async {
        if narrow_first {
            others_get_on(server).await;
        }
        let texts: Vec<String> = (0..12).map(|n| format!("hello {n}")).collect();
        join_all(texts.iter().map(|text| scene.as_ann.say(&scene.channel, text))).await
    };
    let narrowed = async {
        if !narrow_first {
            others_get_on(server).await;
        }
        scene.narrow(narrowing).await;
        scene.head().await
    };
    let opened = async {
        for _ in 0..3 {
            others_get_on(server).await;
        }
        gate.open().await;
    };
    let (answers, boundary, ()) = tokio::join!(sends, narrowed, opened);
    let context = format!("{narrowing:?}, narrowing first: {narrow_first}");
    let mut acknowledged = HashSet::new();
    for answer in answers {
        if answer.status == 200 {
            acknowledged.insert(answer.body["id"].as_str().unwrap().to_owned());
        } else {
            refused(&answer, (expected, code), &context);
        }
    }
    // All that was acknowledged, and nothing else, is there, and was before the narrowing was told.
    assert_eq!(scene.head().await, boundary, "{context}: something got in after");
    let log = events(server, &scene.channel).await;
    let created: HashSet<String> = log
        .iter()
        .filter(|(kind, _)| *kind == EventKind::MessageCreated)
        .map(|(_, subject)| subject.clone())
        .collect();
    assert_eq!(created, acknowledged, "{context}");
    if narrowing == Narrowing::ExperienceDeleted {
        assert_eq!(log.last().unwrap().0, EventKind::ExperienceDeleted, "{context}: {log:?}");
    }
    // And what is begun now is refused.
    refused(&scene.as_ann.say(&scene.channel, "hello again").await, (expected, code), &context);
}

#[track_caller]
fn refused(answer: &Answer, (status, code): (u16, &str), context: &str) {
    let found = (answer.status, answer.body["error"]["code"].as_str());
    assert_eq!(found, (status, Some(code)), "{context}: {}", answer.body);
}

#[tokio::test]
async fn no_send_that_waited_gets_in_after_its_right_is_gone() {
    for narrowing in Narrowing::ALL {
        let server = TestServer::start().await;
        nothing_gets_in_after(&server, narrowing, false).await;
    }
}

#[tokio::test]
async fn no_send_that_was_decided_gets_in_behind_the_narrowing() {
    for narrowing in Narrowing::ALL {
        let server = TestServer::start().await;
        nothing_gets_in_after(&server, narrowing, true).await;
    }
}

/// Without a gate, on as many threads as there are: a later reader misses nothing that was acknowledged.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_channel_deleted_under_a_crowd_takes_all_of_them_or_none() {
    let server = TestServer::start().await;
    let scene = Scene::set(&server, Narrowing::ExperienceDeleted).await;
    let (app, key) = (server.app.clone(), scene.acme.key.clone());
    let mut crowd = tokio::task::JoinSet::new();
    for n in 0..60 {
        let (app, bearer, channel) = (app.clone(), scene.as_ann.bearer.clone(), scene.channel.clone());
        crowd.spawn(async move {
            let mut acknowledged = Vec::new();
            loop {
                let caller = app.authenticate(&bearer).await.unwrap();
                let ask = hallpass_app::messages::SendMessage {
                    channel: hallpass_app::channels::VenueRef::parse("channel_id", &channel).unwrap(),
                    content: format!("hello {n}"),
                    poll: None,
                    replying_to: None,
                    attachments: Vec::new(),
                };
                match app.send_message(&caller, ask, None).await {
                    Ok(sent) => acknowledged.push(sent.message.id.to_string()),
                    Err(hallpass_app::AppError::NotFound(_)) => return acknowledged,
                    Err(error) => panic!("{error}"),
                }
            }
        });
    }
    let deleter = app.authenticate(&key).await.unwrap();
    while scene.head().await < 100 {}
    app.delete_experience(&deleter, scene.experience.parse().unwrap()).await.unwrap();
    let after = scene.head().await;
    let acknowledged: HashSet<String> = crowd.join_all().await.into_iter().flatten().collect();
    assert_eq!(scene.head().await, after, "something got in after the deletion was acknowledged");
    let log = events(&server, &scene.channel).await;
    assert_eq!(log.last().unwrap().0, EventKind::ExperienceDeleted);
    let created: HashSet<String> = log[..log.len() - 1].iter().map(|(_, subject)| subject.clone()).collect();
    assert_eq!(created, acknowledged);
}

/// The role goes up and down while an admins-only channel is written to: after each lowering is
/// acknowledged, nothing that is begun then succeeds.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_role_that_goes_up_and_down_holds_at_once() {
    let server = TestServer::start().await;
    let scene = Scene::set(&server, Narrowing::RoleLowered).await;
    for round in 0..15 {
        let texts: Vec<String> = (0..10).map(|n| format!("{round} {n}")).collect();
        let sends = join_all(texts.iter().map(|text| scene.as_ann.say(&scene.channel, text)));
        let lowered = async {
            scene.acme.role(&scene.ann, None).await;
            let boundary = scene.head().await;
            refused(&scene.as_ann.say(&scene.channel, "late").await, (403, "who_can_post"), "late");
            boundary
        };
        let (answers, boundary) = tokio::join!(sends, lowered);
        assert_eq!(scene.head().await, boundary, "round {round}");
        for answer in answers.iter().filter(|answer| answer.status != 200) {
            refused(answer, (403, "who_can_post"), "while it was lowered");
        }
        scene.acme.role(&scene.ann, Some(Role::Moderator)).await;
        scene.as_ann.say(&scene.channel, "back").await.ok();
    }
    events(&server, &scene.channel).await;
}

#[tokio::test]
async fn two_revokes_both_succeed_and_it_is_revoked() {
    let server = TestServer::start().await;
    let acme = server.company("acme").await;
    let (_, channel) = acme.channel("General", true).await;
    for _ in 0..5 {
        let (_, ann) = acme.member("ann").await;
        ann.say(&channel, "hello").await.ok();
        let key = acme.as_key();
        let revoke = || key.post("/access_tokens/revoke", json!({ "token": ann.bearer }));
        let (one, two) = tokio::join!(revoke(), revoke());
        assert_eq!((one.ok(), two.ok()), (json!({ "revoked": true }), json!({ "revoked": true })));
        ann.say(&channel, "hello?").await.refused(401, "credential_revoked");
        assert_eq!(revoke().await.ok(), json!({ "revoked": true }));
    }
}

#[tokio::test]
async fn two_edits_both_count_and_one_is_last() {
    let server = TestServer::start().await;
    let acme = server.company("acme").await;
    let (_, channel) = acme.channel("General", true).await;
    let (_, ann) = acme.member("ann").await;
    let sent = ann.say(&channel, "first").await.ok();
    let path = format!("/messages/{}", sent["id"].as_str().unwrap());
    for round in 0..5 {
        let gate = Gate::close(&server, &[&channel]).await;
        let edit = |text: String| ann.patch(&path, json!({ "content": text }));
        let both = async { tokio::join!(edit(format!("{round} a")), edit(format!("{round} b"))) };
        let open = async {
            others_get_on(&server).await;
            gate.open().await;
        };
        let ((a, b), ()) = tokio::join!(both, open);
        let last = ann.get(&path).await.ok();
        assert!([a.ok(), b.ok()].iter().any(|edited| edited["content"] == last["content"]));
        let log = events(&server, &channel).await;
        assert_eq!(log.iter().filter(|(kind, _)| *kind == EventKind::MessageEdited).count(), 2 * (round + 1));
    }
}

#[tokio::test]
async fn of_two_deletes_one_finds_it_gone() {
    let server = TestServer::start().await;
    let acme = server.company("acme").await;
    let (_, channel) = acme.channel("General", true).await;
    let (_, ann) = acme.member("ann").await;
    for _ in 0..5 {
        let sent = ann.say(&channel, "first").await.ok();
        let path = format!("/messages/{}", sent["id"].as_str().unwrap());
        let key = acme.as_key();
        let gate = Gate::close(&server, &[&channel]).await;
        let open = async {
            others_get_on(&server).await;
            gate.open().await;
        };
        let body = json!({ "content": "edited" });
        let (one, two, edited, ()) =
            tokio::join!(ann.delete(&path), key.delete(&path), ann.patch(&path, body), open);
        let mut statuses = [one.status, two.status];
        statuses.sort_unstable();
        assert_eq!(statuses, [200, 404]);
        assert!([200, 404].contains(&edited.status), "{}", edited.body);
        ann.get(&path).await.refused(404, "not_found");
        let log = events(&server, &channel).await;
        let id = sent["id"].as_str().unwrap();
        let of_it: Vec<EventKind> = log.iter().filter(|(_, s)| s == id).map(|(kind, _)| *kind).collect();
        assert_eq!(of_it.last(), Some(&EventKind::MessageDeleted));
        assert_eq!(of_it.iter().filter(|kind| **kind == EventKind::MessageDeleted).count(), 1);
    }
}

#[tokio::test]
async fn of_two_posts_at_once_the_cooldown_lets_one_through() {
    let server = TestServer::start().await;
    let acme = server.company("acme").await;
    let (_, channel) = acme.channel("Slow", true).await;
    let rule = json!({ "user_posts_cooldown_seconds": 10 });
    acme.as_key().patch(&format!("/chat_channels/{channel}"), rule).await.ok();
    let (_, ann) = acme.member("ann").await;
    for round in 0..6 {
        // In one batch, and each for itself.
        let gate = if round % 2 == 0 { Some(Gate::close(&server, &[&channel]).await) } else { None };
        let sends = join_all((0..4).map(|_| ann.say(&channel, "me first")));
        let open = async {
            others_get_on(&server).await;
            if let Some(gate) = gate {
                gate.open().await;
            }
        };
        let (answers, ()) = tokio::join!(sends, open);
        let (through, held): (Vec<_>, Vec<_>) = answers.into_iter().partition(|answer| answer.status == 200);
        assert_eq!(through.len(), 1);
        for answer in held {
            assert_eq!(answer.refused(422, "cooldown")["retry_after_secs"], 10);
        }
        assert_eq!(events(&server, &channel).await.len(), 2 + round);
        server.clock.advance(SignedDuration::from_secs(10));
    }
}

fn keyed(bearer: &str, key: &str, body: &serde_json::Value) -> Request<Body> {
    Request::builder()
        .method(Method::POST)
        .uri("/api/v1/messages")
        .header("authorization", format!("Bearer {bearer}"))
        .header("content-type", "application/json")
        .header("idempotency-key", key)
        .body(Body::from(body.to_string()))
        .unwrap()
}

#[tokio::test]
async fn of_many_claims_of_one_idempotency_key_one_acts() {
    let server = TestServer::start().await;
    let acme = server.company("acme").await;
    let (_, channel) = acme.channel("General", true).await;
    let (_, ann) = acme.member("ann").await;
    for round in 0..5_usize {
        let (key, body) =
            (format!("key {round}"), json!({ "channel_id": channel, "content": format!("{round}") }));
        let sends = join_all((0..8).map(|_| server.send(keyed(&ann.bearer, &key, &body))));
        let answers = sends.await;
        let mut sent = HashSet::new();
        for answer in answers {
            if answer.status == 200 {
                sent.insert(answer.body.to_string());
            } else {
                assert_eq!(answer.headers["x-should-retry"], "true");
                answer.refused(409, "idempotency_busy");
            }
        }
        assert_eq!(sent.len(), 1, "{sent:?}");
        // Asked again, the same answer; with another body, none.
        let again = server.send(keyed(&ann.bearer, &key, &body)).await.ok();
        assert!(sent.contains(&again.to_string()));
        let other = json!({ "channel_id": channel, "content": "other" });
        let conflict = server.send(keyed(&ann.bearer, &key, &other)).await;
        assert_eq!(conflict.headers["x-should-retry"], "false");
        conflict.refused(409, "idempotency_mismatch");
        assert_eq!(events(&server, &channel).await.len(), round + 1);
    }
}

/// A client that hangs up while its send waits, and asks again.
#[tokio::test]
async fn who_hangs_up_and_asks_again_has_said_it_once() {
    let server = TestServer::start().await;
    let acme = server.company("acme").await;
    let (_, channel) = acme.channel("General", true).await;
    let (_, ann) = acme.member("ann").await;
    let body = json!({ "channel_id": channel, "content": "once" });
    {
        // Polled some way, then dropped.
        let send = server.send(keyed(&ann.bearer, "k", &body));
        tokio::select! {
            biased;
            () = others_get_on(&server) => {}
            _ = send => {}
        }
    }
    let mut answer = server.send(keyed(&ann.bearer, "k", &body)).await;
    while answer.status == 409 {
        answer.refused(409, "idempotency_busy");
        answer = server.send(keyed(&ann.bearer, "k", &body)).await;
    }
    let sent = answer.ok();
    assert_eq!(
        events(&server, &channel).await,
        [(EventKind::MessageCreated, sent["id"].as_str().unwrap().to_owned())]
    );
}

/// Whoever may send but not read gets their own answer again; whoever may no longer send does not.
#[tokio::test]
async fn a_replay_is_for_those_who_still_may_send() {
    let server = TestServer::start().await;
    let acme = server.company("acme").await;
    let (_, channel) = acme.channel("General", true).await;
    let ann = acme.user("ann").await;
    let writer = server.actor(acme.token_with(&ann, &["chat:message:create"]).await);
    let body = json!({ "channel_id": channel, "content": "once" });
    let first = server.send(keyed(&writer.bearer, "k", &body)).await.ok();
    assert_eq!(server.send(keyed(&writer.bearer, "k", &body)).await.ok(), first);
    acme.as_key().patch(&format!("/chat_channels/{channel}"), json!({ "who_can_post": "admins" })).await.ok();
    server.send(keyed(&writer.bearer, "k", &body)).await.refused(403, "who_can_post");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_mint_is_lost_while_signing_keys_turn_over() {
    let server = TestServer::start().await;
    let acme = server.company("acme").await;
    let (_, channel) = acme.channel("General", true).await;
    let ann = acme.user("ann").await;
    let key = acme.as_key();
    let mints = join_all((0..40).map(async |_| {
        let minted = key.mint(acme.id, &ann, &["chat:read"]).await.ok();
        let bearer = minted["token"].as_str().unwrap().to_owned();
        server.actor(bearer.clone()).get(&format!("/messages?channel_id={channel}")).await.ok();
        bearer
    }));
    let turns = async {
        for _ in 0..5 {
            server.app.keyring().rotate(true).await.unwrap();
            others_get_on(&server).await;
        }
    };
    let (bearers, ()) = tokio::join!(mints, turns);
    // A key that was turned out at once kills nothing unless it is retired.
    for bearer in bearers {
        server.actor(bearer).get(&format!("/messages?channel_id={channel}")).await.ok();
    }
}
