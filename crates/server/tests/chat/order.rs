//! Every durable change of a channel is one event under the next `seq`; positions order messages.
//!
//! Random operations against a model that knows nothing but the promises.

use hallpass_core::channel::ChannelId;
use hallpass_store::EventKind;
use hallpass_testkit::{Actor, TestServer};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;
use proptest::test_runner::{Config, TestRunner};
use serde_json::json;

#[derive(Clone, Debug)]
enum Op {
    Say,
    Edit(Index, u8),
    Pin(Index, bool),
    Delete(Index),
    /// By somebody who may not.
    Meddle(Index, u8),
    Rules(u8),
    Rename(u8),
    /// Several at once.
    SayTogether(u8),
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        4 => Just(Op::Say),
        3 => (any::<Index>(), 0..3u8).prop_map(|(which, text)| Op::Edit(which, text)),
        2 => (any::<Index>(), any::<bool>()).prop_map(|(which, pin)| Op::Pin(which, pin)),
        2 => any::<Index>().prop_map(Op::Delete),
        2 => (any::<Index>(), 0..3u8).prop_map(|(which, how)| Op::Meddle(which, how)),
        1 => any::<u8>().prop_map(Op::Rules),
        1 => any::<u8>().prop_map(Op::Rename),
        1 => (2..6u8).prop_map(Op::SayTogether),
    ]
}

#[derive(Clone, Debug, PartialEq)]
struct Said {
    id: String,
    text: String,
    edited: bool,
    pinned: bool,
    deleted: bool,
}

#[derive(Default)]
struct Model {
    said: Vec<Said>,
    events: Vec<(EventKind, String)>,
}

impl Model {
    fn created(&mut self, id: &str, text: &str) {
        let (id, text) = (id.to_owned(), text.to_owned());
        self.events.push((EventKind::MessageCreated, id.clone()));
        self.said.push(Said { id, text, edited: false, pinned: false, deleted: false });
    }
}

struct Stage<'s> {
    server: &'s TestServer,
    /// The author.
    ann: Actor<'s>,
    /// Somebody else.
    ben: Actor<'s>,
    key: Actor<'s>,
    experience: String,
    channel: String,
}

impl Stage<'_> {
    async fn play(&self, op: &Op, model: &mut Model) {
        let next = format!("text {}", model.said.len());
        let chosen = |which: &Index| (!model.said.is_empty()).then(|| which.index(model.said.len()));
        match op {
            Op::Say => {
                let sent = self.ann.say(&self.channel, &next).await.ok();
                model.created(sent["id"].as_str().unwrap(), &next);
            }
            Op::SayTogether(count) => {
                let before = model.said.len();
                let texts: Vec<String> = (0..usize::from(*count)).map(|n| format!("{next}/{n}")).collect();
                let sends = texts.iter().map(|text| self.ann.say(&self.channel, text));
                let sent = futures_util::future::join_all(sends).await;
                let mut ids: Vec<(String, String)> = sent
                    .into_iter()
                    .map(|answer| answer.ok())
                    .map(|m| {
                        (m["id"].as_str().unwrap().to_owned(), m["content"].as_str().unwrap().to_owned())
                    })
                    .collect();
                // In whichever order they got in.
                let events = super::messages::events(self.server, &self.channel).await;
                ids.sort_by_key(|(id, _)| events.iter().position(|(_, subject)| subject == id));
                for (id, text) in ids {
                    model.created(&id, &text);
                }
                assert_eq!(model.said.len(), before + usize::from(*count));
            }
            Op::Edit(which, text) => {
                let Some(at) = chosen(which) else { return };
                let text = format!("edit {text}");
                let said = &mut model.said[at];
                let answer =
                    self.ann.patch(&format!("/messages/{}", said.id), json!({ "content": text })).await;
                if said.deleted {
                    answer.refused(404, "not_found");
                    return;
                }
                answer.ok();
                if said.text != text {
                    (said.text, said.edited) = (text, true);
                    model.events.push((EventKind::MessageEdited, said.id.clone()));
                }
            }
            Op::Pin(which, pin) => {
                let Some(at) = chosen(which) else { return };
                let said = &mut model.said[at];
                let answer =
                    self.key.patch(&format!("/messages/{}", said.id), json!({ "is_pinned": pin })).await;
                if said.deleted {
                    answer.refused(404, "not_found");
                    return;
                }
                assert_eq!(answer.ok()["is_pinned"], *pin);
                if said.pinned != *pin {
                    said.pinned = *pin;
                    model.events.push((EventKind::MessagePinned, said.id.clone()));
                }
            }
            Op::Delete(which) => {
                let Some(at) = chosen(which) else { return };
                let said = &mut model.said[at];
                let answer = self.ann.delete(&format!("/messages/{}", said.id)).await;
                if said.deleted {
                    answer.refused(404, "not_found");
                    return;
                }
                answer.ok();
                said.deleted = true;
                model.events.push((EventKind::MessageDeleted, said.id.clone()));
            }
            Op::Meddle(which, how) => {
                let Some(at) = chosen(which) else { return };
                let path = format!("/messages/{}", model.said[at].id);
                let answer = match how {
                    0 => self.ben.patch(&path, json!({ "content": "not mine" })).await,
                    1 => self.ben.patch(&path, json!({ "is_pinned": true })).await,
                    _ => self.ben.delete(&path).await,
                };
                let expected = if model.said[at].deleted { 404 } else { 403 };
                assert_eq!(answer.status, expected, "{}", answer.body);
            }
            Op::Rules(n) => {
                let rules = json!({ "banned_words": [format!("word{n}")] });
                self.key.patch(&format!("/chat_channels/{}", self.channel), rules).await.ok();
                model.events.push((EventKind::ChannelUpdated, self.channel.clone()));
            }
            Op::Rename(n) => {
                let name = json!({ "name": format!("name {n}") });
                self.key.patch(&format!("/experiences/{}", self.experience), name).await.ok();
                model.events.push((EventKind::ChannelUpdated, self.channel.clone()));
            }
        }
    }

    async fn compare(&self, model: &Model) {
        assert_eq!(super::messages::events(self.server, &self.channel).await, model.events);
        let mut conn = self.server.app.store().read().await.unwrap();
        let channel: ChannelId = self.channel.parse().unwrap();
        let head = conn.find_head(channel).await.unwrap().unwrap();
        let count = |len: usize| i64::try_from(len).unwrap();
        assert_eq!(head, (count(model.said.len()), count(model.events.len())));
        let store = self.server.app.store();
        let stored = store.list_messages(channel, false, None, i64::MAX).await.unwrap();
        let found: Vec<(i64, Said)> = stored
            .into_iter()
            .map(|m| {
                let (text, deleted) = (m.content.unwrap(), false);
                (m.position, Said { id: m.id.to_string(), text, edited: m.edited, pinned: m.pinned, deleted })
            })
            .collect();
        let expected: Vec<(i64, Said)> =
            (1..).zip(model.said.iter().cloned()).filter(|(_, said)| !said.deleted).collect();
        assert_eq!(found, expected);
    }
}

#[test]
fn every_change_is_one_event_and_the_messages_are_what_they_were_made() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let _context = runtime.enter();
    let (server, bearers, company) = runtime.block_on(async {
        let server = TestServer::start().await;
        let acme = server.company("acme").await;
        let (ann, ben) = (acme.member("ann").await.1.bearer, acme.member("ben").await.1.bearer);
        let (bearers, company) = ([ann, ben, acme.key.clone()], acme.id);
        (server, bearers, company)
    });
    let mut runner = TestRunner::new(Config { failure_persistence: None, ..Config::with_cases(24) });
    runner
        .run(&vec(op(), 1..40), |ops| {
            runtime.block_on(async {
                let [ann, ben, key] = bearers.clone().map(|bearer| server.actor(bearer));
                let body =
                    json!({ "app_id": server.app.builtin_app(), "company_id": company, "is_public": true });
                let made = key.post("/experiences", body).await.ok();
                let experience = made["id"].as_str().unwrap().to_owned();
                let channel = key.get(&format!("/chat_channels/{experience}")).await.ok();
                let channel = channel["id"].as_str().unwrap().to_owned();
                let stage = Stage { server: &server, ann, ben, key, experience, channel };
                let mut model = Model::default();
                for op in &ops {
                    stage.play(op, &mut model).await;
                }
                stage.compare(&model).await;
            });
            Ok(())
        })
        .unwrap();
}
