//! Random interleavings of writes against a model that has none.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use futures_util::future::join_all;
use hallpass_core::channel::ChannelId;
use hallpass_core::id::{ChatFeedId, CompanyId, MemberId};
use hallpass_store::{EventKind, HeadBump, NewUser, StoreError};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use crate::fixtures::*;

/// What one caller asks for.
#[derive(Clone, Debug)]
enum Act {
    /// A username out of a few.
    Take {
        name: u8,
        fails: Fails,
    },
    Join(u8),
    Leave(u8),
    /// Messages into one or two channels at once.
    Send {
        channel: u8,
        count: u8,
        other: Option<u8>,
        fails: Fails,
    },
    /// What has this run's n-th id, if that is a message by then.
    Delete(u8),
}

/// How an operation ends after its statements.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Fails {
    No,
    Refused,
    Panics,
}

fn fails() -> impl Strategy<Value = Fails> {
    prop_oneof![8 => Just(Fails::No), 1 => Just(Fails::Refused), 1 => Just(Fails::Panics)]
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        2 => (0..6_u8, fails()).prop_map(|(name, fails)| Act::Take { name, fails }),
        2 => (2..6_u8).prop_map(Act::Join),
        1 => (2..6_u8).prop_map(Act::Leave),
        4 => (1..4_u8, 1..25_u8, proptest::option::of(1..4_u8), fails())
            .prop_map(|(channel, count, other, fails)| Act::Send { channel, count, other, fails }),
        1 => (0..120_u8).prop_map(Act::Delete),
    ]
}

/// What the callers were told, in the end.
#[derive(Debug, Default)]
struct Told {
    names: BTreeMap<u8, u32>,
    joins: BTreeMap<u8, i64>,
    sent: BTreeMap<ChannelId, BTreeSet<u128>>,
    deleted: BTreeSet<u128>,
}

/// Ids that no two acts share.
#[derive(Default)]
struct Ids(AtomicU64);

impl Ids {
    fn next(&self) -> u128 {
        u128::from(self.0.fetch_add(1, Ordering::Relaxed)) + 10_000
    }
}

enum Answer {
    Took(u8),
    Joined(u8),
    Left(u8),
    Sent(Vec<(ChannelId, u128)>),
    Deleted(u128),
    Nothing,
}

async fn perform(
    db: &Db,
    company: CompanyId,
    ids: &Ids,
    first: u128,
    act: Act,
) -> Result<Answer, StoreError> {
    let end = |fails: Fails| match fails {
        Fails::No => Ok(()),
        Fails::Refused => Err(StoreError::Conflict),
        Fails::Panics => panic!("on purpose"),
    };
    match act {
        Act::Take { name, fails } => {
            let new = NewUser { username: format!("name{name}"), ..new_user(ids.next(), Some(company)) };
            let write = db.store.write(new, move |new, tx| {
                Box::pin(async move {
                    let took = tx.insert_user(new, at(0)).await?;
                    end(fails)?;
                    Ok::<_, StoreError>(took)
                })
            });
            Ok(if write.await? { Answer::Took(name) } else { Answer::Nothing })
        }
        Act::Join(n) => {
            let id = MemberId::from_bits(ids.next());
            let joined = db
                .store
                .write((), move |(), tx| Box::pin(tx.insert_member(id, company, user(n.into()), at(0))))
                .await?;
            Ok(if joined { Answer::Joined(n) } else { Answer::Nothing })
        }
        Act::Leave(n) => {
            let left = db
                .store
                .write((), move |(), tx| Box::pin(tx.revoke_member(company, user(n.into()), at(0))))
                .await?;
            Ok(if left { Answer::Left(n) } else { Answer::Nothing })
        }
        Act::Send { channel, count, other, fails } => {
            let channel_of =
                |n: u8| ChannelId::from(ChatFeedId::from_bits(company.bits() * 10 + u128::from(n)));
            let mut bumps = vec![HeadBump { channel: channel_of(channel), messages: count.into() }];
            bumps.extend(other.map(|other| HeadBump { channel: channel_of(other), messages: 2 }));
            // A caller numbers its messages before it is queued.
            let mut wanted: BTreeMap<ChannelId, Vec<u128>> = BTreeMap::new();
            for bump in &bumps {
                wanted.entry(bump.channel).or_default().extend((0..bump.messages).map(|_| ids.next()));
            }
            let sent = wanted.iter().flat_map(|(c, ids)| ids.iter().map(|id| (*c, *id))).collect();
            db.store
                .append((bumps, wanted), move |(bumps, wanted), mut tx| {
                    Box::pin(async move {
                        let mut messages = Vec::new();
                        for (channel, position, seq) in tx.bump_heads(bumps).await? {
                            let ids = &wanted[&channel];
                            for (back, id) in (0_i64..).zip(ids.iter().rev()) {
                                messages.push(hallpass_store::NewMessage {
                                    seq: seq - back,
                                    ..new_message(*id, channel, position - back, user(1))
                                });
                            }
                        }
                        tx.insert_messages(&messages).await?;
                        end(fails)
                    })
                })
                .await?;
            Ok(Answer::Sent(sent))
        }
        Act::Delete(n) => {
            let id = first + u128::from(n);
            let deleted = db
                .store
                .write((), move |(), tx| {
                    Box::pin(async move {
                        let Some(place) = tx.find_message_place(post(id)).await? else { return Ok(false) };
                        let deleted = tx.delete_message(post(id), at(0)).await?;
                        if deleted {
                            let subject = post(id).to_string();
                            tx.insert_event(place.channel, EventKind::MessageDeleted, &subject, at(0))
                                .await?;
                        }
                        Ok::<_, StoreError>(deleted)
                    })
                })
                .await?;
            Ok(if deleted { Answer::Deleted(id) } else { Answer::Nothing })
        }
    }
}

/// One run: everybody of a round acts at once; then what is stored is what was told.
async fn check(db: &Db, company: CompanyId, ids: &Ids, rounds: Vec<Vec<Act>>) -> Result<(), TestCaseError> {
    let mut told = Told::default();
    let first = ids.next();
    for round in rounds {
        let answers = join_all(round.into_iter().map(|act| perform(db, company, ids, first, act))).await;
        for answer in answers {
            match answer {
                Ok(Answer::Took(name)) => *told.names.entry(name).or_default() += 1,
                Ok(Answer::Joined(n)) => *told.joins.entry(n).or_default() += 1,
                Ok(Answer::Left(n)) => *told.joins.entry(n).or_default() -= 1,
                Ok(Answer::Sent(messages)) => {
                    for (channel, id) in messages {
                        prop_assert!(told.sent.entry(channel).or_default().insert(id));
                    }
                }
                Ok(Answer::Deleted(id)) => prop_assert!(told.deleted.insert(id), "deleted twice"),
                Ok(Answer::Nothing) | Err(StoreError::Conflict | StoreError::Panicked) => {}
                Err(error) => return Err(TestCaseError::fail(format!("{error:?}"))),
            }
        }
    }
    let mut read = db.read().await;
    for name in 0..6_u8 {
        let taken = read.is_username_taken(Some(company), &format!("name{name}"), user(0)).await.unwrap();
        prop_assert_eq!(u32::from(taken), told.names.get(&name).copied().unwrap_or(0), "name{}", name);
    }
    let mut members = 0;
    for n in 2..6_u8 {
        let member = read.find_standing(company, user(n.into())).await.unwrap().member;
        prop_assert_eq!(i64::from(member), told.joins.get(&n).copied().unwrap_or(0), "member {}", n);
        members += i64::from(member);
    }
    prop_assert_eq!(read.find_company(company).await.unwrap().unwrap().member_count, members);
    for n in 1..4_u128 {
        let channel = ChannelId::from(ChatFeedId::from_bits(company.bits() * 10 + n));
        let (position, seq) = read.find_head(channel).await.unwrap().unwrap();
        let sent = told.sent.remove(&channel).unwrap_or_default();
        prop_assert_eq!(usize::try_from(position).unwrap(), sent.len(), "a place was lost");
        let events = read.list_events(channel, 0, i64::MAX).await.unwrap();
        let seqs: Vec<i64> = events.iter().map(|(seq, ..)| *seq).collect();
        prop_assert_eq!(seqs, (1..=seq).collect::<Vec<_>>());
        let created: BTreeSet<String> = events
            .iter()
            .filter(|(_, kind, _)| *kind == EventKind::MessageCreated)
            .map(|(.., subject)| subject.clone())
            .collect();
        prop_assert_eq!(&created, &sent.iter().map(|id| post(*id).to_string()).collect());
        let there: BTreeSet<u128> = db
            .store
            .list_messages(channel, true, None, i64::MAX)
            .await
            .unwrap()
            .iter()
            .map(|message| message.id.bits())
            .collect();
        prop_assert_eq!(there, sent.difference(&told.deleted).copied().collect::<BTreeSet<_>>());
    }
    Ok(())
}

fn run(cases: u32, open: impl AsyncFn() -> Db) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let db = Arc::new(runtime.block_on(async {
        let db = open().await;
        db.users(1..=6).await;
        db
    }));
    let (company, ids) = (AtomicU64::new(1), Ids::default());
    let rounds = proptest::collection::vec(proptest::collection::vec(act(), 1..25), 1..6);
    let mut runner = TestRunner::new(Config { cases, max_shrink_iters: 50, ..Config::default() });
    runner
        .run(&rounds, |rounds| {
            let n = u128::from(company.fetch_add(1, Ordering::Relaxed));
            runtime.block_on(async {
                let company = db.company(n, 1, None).await;
                for channel in 1..4 {
                    db.channel(n * 10 + channel, company).await;
                }
                check(&db, company, &ids, rounds).await
            })
        })
        .unwrap();
}

#[test]
fn sqlite_keeps_what_it_says_it_keeps() {
    run(48, Db::sqlite);
}

#[test]
fn postgres_keeps_what_it_says_it_keeps() {
    run(24, Db::postgres);
}
