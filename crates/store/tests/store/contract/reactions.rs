use std::collections::BTreeMap;

use hallpass_core::emoji::Emoji;
use hallpass_core::id::{ApiKeyId, MessageId, ReactionId};
use hallpass_core::reaction::{Mark, Reaction};
use hallpass_store::{Scan, StoreError};

use crate::fixtures::*;

on_both! {
    a_reaction_comes_back_and_is_counted,
    the_same_again_is_not_made,
    what_a_key_did_is_taken_over,
    a_vote_moves_with_its_count,
    what_is_taken_back_is_not_counted,
    reactions_are_walked_both_ways,
    tallies_come_in_the_order_of_their_first,
    a_deleted_message_leaves_nothing_however_much_there_was,
    a_message_is_marked_once_and_for_all,
    counts_are_what_they_count,
}

fn reac(n: u128) -> ReactionId {
    ReactionId::from_bits(n)
}
fn emoji(text: &str) -> Mark {
    Mark::Emoji(Emoji::parse(text).unwrap())
}
fn vote(option: &str) -> Mark {
    Mark::Vote(option.to_owned())
}
fn new(n: u128, message: u128, by: u128, mark: Mark) -> Reaction {
    Reaction {
        id: reac(n),
        message: post(message),
        user: user(by),
        mark,
        by_key: false,
        created_at: at(i64::try_from(n).unwrap()),
    }
}

async fn make(db: &Db, reaction: &Reaction, key: Option<ApiKeyId>) -> bool {
    let reaction = reaction.clone();
    commit!(db, reaction, tx => tx.insert_reaction(reaction, key))
}

/// The tallies of one message, as text.
async fn tallied(db: &Db, message: MessageId) -> Vec<(String, i64)> {
    let mut tallies = db.read().await.list_tallies(&[message]).await.unwrap();
    let tallies = tallies.remove(&message).unwrap_or_default();
    let name = |mark| match mark {
        Mark::Emoji(emoji) => emoji.to_string(),
        Mark::Vote(option) => option,
    };
    tallies.into_iter().map(|tally| (name(tally.mark), tally.count)).collect()
}

fn counts(expected: &[(&str, i64)]) -> Vec<(String, i64)> {
    expected.iter().map(|(mark, count)| ((*mark).to_owned(), *count)).collect()
}

async fn a_reaction_comes_back_and_is_counted(db: &Db) {
    let heart = new(1, 1, 1, emoji("❤️"));
    assert!(make(db, &heart, None).await);
    let by_key = Reaction { by_key: true, ..new(2, 1, 2, vote("2")) };
    assert!(make(db, &by_key, Some(ApiKeyId::from_bits(7))).await);
    for made in [&heart, &by_key] {
        assert_eq!(db.read().await.find_reaction(made.id).await.unwrap().as_ref(), Some(made));
        let own = db.read().await.find_own_reaction(made.message, made.user, &made.mark).await.unwrap();
        assert_eq!(own.as_ref(), Some(made));
    }
    let mut conn = db.read().await;
    assert_eq!(conn.find_reaction(reac(3)).await.unwrap(), None);
    // A vote is found whatever it is for; an emoji is not another one.
    assert_eq!(conn.find_own_reaction(post(1), user(2), &vote("1")).await.unwrap(), Some(by_key));
    assert_eq!(conn.find_own_reaction(post(1), user(1), &emoji(":tada:")).await.unwrap(), None);
    assert_eq!(conn.find_own_reaction(post(2), user(1), &emoji(":heart:")).await.unwrap(), None);
    assert_eq!(conn.count_emoji(post(1)).await.unwrap(), 1);
    assert_eq!(conn.count_emoji(post(2)).await.unwrap(), 0);
    assert_eq!(tallied(db, post(1)).await, counts(&[(":heart:", 1), ("2", 1)]));
}

async fn the_same_again_is_not_made(db: &Db) {
    assert!(make(db, &new(1, 1, 1, emoji(":heart:")), None).await);
    assert!(!make(db, &new(2, 1, 1, emoji(":heart:")), None).await);
    assert!(make(db, &new(3, 1, 1, emoji(":tada:")), None).await);
    assert!(make(db, &new(4, 1, 2, emoji(":heart:")), None).await);
    assert!(make(db, &new(5, 2, 1, emoji(":heart:")), None).await);
    assert!(make(db, &new(6, 1, 1, vote("1")), None).await);
    assert!(!make(db, &new(7, 1, 1, vote("2")), None).await);
    assert_eq!(tallied(db, post(1)).await, counts(&[(":heart:", 2), (":tada:", 1), ("1", 1)]));
    assert_eq!(tallied(db, post(2)).await, counts(&[(":heart:", 1)]));
}

async fn what_a_key_did_is_taken_over(db: &Db) {
    let first = new(1, 1, 1, vote("1"));
    commit!(db, first, tx => tx.insert_reaction(first, Some(hallpass_core::id::ApiKeyId::from_bits(1))));
    let found = async || db.read().await.find_reaction(reac(1)).await.unwrap().unwrap();
    assert!(found().await.by_key);
    commit!(db, tx => tx.take_over_reaction(reac(1)));
    assert!(!found().await.by_key);
    assert_eq!(tallied(db, post(1)).await, counts(&[("1", 1)]));
}

async fn a_vote_moves_with_its_count(db: &Db) {
    let first = new(1, 1, 1, vote("1"));
    assert!(make(db, &first, None).await);
    assert!(make(db, &new(2, 1, 2, vote("1")), None).await);
    let moved = first.clone();
    assert!(commit!(db, moved, tx => tx.move_vote(moved, "3", at(9))));
    assert_eq!(tallied(db, post(1)).await, counts(&[("1", 1), ("3", 1)]));
    // Not from where it no longer is, nor after it is gone.
    let stale = first.clone();
    assert!(!commit!(db, stale, tx => tx.move_vote(stale, "2", at(9))));
    assert!(commit!(db, tx => tx.delete_reaction(reac(1))));
    let gone = new(1, 1, 1, vote("3"));
    assert!(!commit!(db, gone, tx => tx.move_vote(gone, "2", at(9))));
    assert_eq!(tallied(db, post(1)).await, counts(&[("1", 1)]));
}

async fn what_is_taken_back_is_not_counted(db: &Db) {
    for (n, by) in [(1, 1), (2, 2)] {
        assert!(make(db, &new(n, 1, by, emoji(":heart:")), None).await);
    }
    assert!(commit!(db, tx => tx.delete_reaction(reac(1))));
    assert!(!commit!(db, tx => tx.delete_reaction(reac(1))));
    assert_eq!(tallied(db, post(1)).await, counts(&[(":heart:", 1)]));
    assert!(commit!(db, tx => tx.delete_reaction(reac(2))));
    assert_eq!(tallied(db, post(1)).await, counts(&[]));
    assert_eq!(db.read().await.count_emoji(post(1)).await.unwrap(), 0);
    assert!(make(db, &new(3, 1, 1, emoji(":heart:")), None).await);
    assert_eq!(tallied(db, post(1)).await, counts(&[(":heart:", 1)]));
}

async fn reactions_are_walked_both_ways(db: &Db) {
    for n in 1..=7 {
        let made = Reaction { created_at: at(i64::try_from(n / 2).unwrap()), ..new(n, 1, n, emoji("👍")) };
        assert!(make(db, &made, None).await);
        assert!(make(db, &new(100 + n, 2, n, emoji("👍")), None).await);
    }
    let ids = async |scan: Scan| {
        let found = db.read().await.list_reactions(post(1), &scan).await.unwrap();
        found.into_iter().map(|reaction| reaction.id.bits()).collect::<Vec<_>>()
    };
    assert_eq!(ids(scan(true, 10)).await, [7, 6, 5, 4, 3, 2, 1]);
    assert_eq!(ids(scan(false, 3)).await, [1, 2, 3]);
    assert_eq!(ids(scan_from(true, at(2), reac(5), 3)).await, [4, 3, 2]);
    assert_eq!(ids(scan_from(false, at(2), reac(4), 10)).await, [5, 6, 7]);
}

async fn tallies_come_in_the_order_of_their_first(db: &Db) {
    for (n, by, name) in [(1, 1, ":tada:"), (2, 1, ":heart:"), (3, 2, ":heart:"), (4, 1, "👀")] {
        assert!(make(db, &new(n, 1, by, emoji(name)), None).await);
    }
    assert!(make(db, &new(5, 2, 1, emoji(":heart:")), None).await);
    assert_eq!(tallied(db, post(1)).await, counts(&[(":tada:", 1), (":heart:", 2), (":eyes:", 1)]));
    let of_many = db.read().await.list_tallies(&[post(1), post(2), post(3), post(1)]).await.unwrap();
    assert_eq!((of_many.len(), of_many[&post(1)].len(), of_many[&post(2)].len()), (2, 3, 1));
    assert!(db.read().await.list_tallies(&[]).await.unwrap().is_empty());
}

async fn a_deleted_message_leaves_nothing_however_much_there_was(db: &Db) {
    let crowd = 2_300;
    db.store
        .write((), move |(), tx| {
            Box::pin(async move {
                for n in 1..=crowd {
                    assert!(tx.insert_reaction(&new(n, 1, n, emoji("👍")), None).await?);
                }
                assert!(tx.insert_reaction(&new(crowd + 1, 2, 1, emoji("👍")), None).await?);
                Ok::<_, StoreError>(())
            })
        })
        .await
        .unwrap();
    assert!(!commit!(db, tx => tx.sweep_reactions()));
    commit!(db, tx => tx.delete_reactions_of(post(1)));
    assert_eq!(tallied(db, post(1)).await, counts(&[]));
    let left = async || db.number("SELECT COUNT(*) FROM reactions").await;
    assert_eq!(left().await, 1_301);
    assert!(commit!(db, tx => tx.sweep_reactions()));
    assert!(commit!(db, tx => tx.sweep_reactions()));
    assert!(!commit!(db, tx => tx.sweep_reactions()));
    assert_eq!(left().await, 1);
    commit!(db, tx => tx.delete_reactions_of(post(2)));
    assert!(!commit!(db, tx => tx.sweep_reactions()));
    assert_eq!(left().await, 0);
}

async fn a_message_is_marked_once_and_for_all(db: &Db) {
    let acme = db.acme().await;
    let channel = db.channel(1, acme).await;
    let messages = vec![new_message(1, channel, 1, user(1)), new_message(2, channel, 2, user(1))];
    commit!(db, messages, tx => tx.insert_messages(messages));
    for _ in 0..2 {
        commit!(db, tx => tx.mark_reacted(post(1)));
        let page = db.store.list_messages(channel, false, None, 10).await.unwrap();
        assert_eq!(page.iter().map(|message| message.reacted).collect::<Vec<_>>(), [true, false]);
    }
    commit!(db, tx => tx.mark_reacted(post(9)));
}

/// Random marks, moves and withdrawals against a map from user and kind to what is there.
async fn counts_are_what_they_count(db: &Db) {
    let names = ["👍", "❤️", "🎉"];
    let mut there: BTreeMap<(u128, String), Reaction> = BTreeMap::new();
    // A small generator of our own: the same walk on both engines.
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let mut draw = |below: u64| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state % below
    };
    for n in 1..=400 {
        let by = u128::from(draw(4)) + 1;
        let mark = match draw(5) {
            kind @ 0..=2 => emoji(names[usize::try_from(kind).unwrap()]),
            _ => vote(&(draw(3) + 1).to_string()),
        };
        let kind = match &mark {
            Mark::Emoji(emoji) => emoji.to_string(),
            Mark::Vote(_) => "vote".to_owned(),
        };
        let key = (by, kind);
        let before = there.get(&key).cloned();
        match (before, draw(3)) {
            (Some(before), 0) => {
                assert!(commit!(db, tx => tx.delete_reaction(before.id)));
                there.remove(&key);
            }
            (Some(before), _) => match mark {
                Mark::Vote(option) => {
                    let (asked, from) = ((before.clone(), option.clone()), before);
                    assert!(commit!(db, asked, tx => tx.move_vote(&asked.0, &asked.1, at(n))));
                    there.insert(key, Reaction { mark: Mark::Vote(option), ..from });
                }
                Mark::Emoji(_) => {
                    assert!(!make(db, &new(u128::try_from(n).unwrap(), 1, by, mark), None).await);
                }
            },
            (None, _) => {
                let made = new(u128::try_from(n).unwrap(), 1, by, mark);
                assert!(make(db, &made, None).await);
                there.insert(key, made);
            }
        }
        let mut expected: BTreeMap<String, i64> = BTreeMap::new();
        for reaction in there.values() {
            let name = match &reaction.mark {
                Mark::Emoji(emoji) => emoji.to_string(),
                Mark::Vote(option) => option.clone(),
            };
            *expected.entry(name).or_default() += 1;
        }
        let found: BTreeMap<String, i64> = tallied(db, post(1)).await.into_iter().collect();
        assert_eq!(found, expected, "after {n}");
    }
    let all = db.read().await.list_reactions(post(1), &scan(true, 100)).await.unwrap();
    assert_eq!(all.len(), there.len());
}
