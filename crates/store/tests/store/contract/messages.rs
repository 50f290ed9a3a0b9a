use hallpass_core::authority::{Change, Entry};
use hallpass_core::entity::PollOption;
use hallpass_core::id::{ApiKeyId, FileId};
use hallpass_store::{EventKind, HeadBump, NewMessage, Replied, StoreError};

use crate::fixtures::*;

on_both! {
    a_message_comes_back_as_sent,
    a_send_sees_what_its_transaction_did_and_the_log,
    batches_of_every_size_go_in_whole,
    a_taken_id_or_place_is_a_conflict_and_leaves_nothing,
    heads_of_several_channels_move_together,
    an_edit_changes_what_it_names,
    a_deleted_message_leaves_a_tombstone_without_content,
    pages_walk_both_ways_and_are_stable,
    events_follow_each_other_without_gaps,
    cooldowns_remember_the_last_post,
    what_was_said_before_an_edit_is_kept_until_the_message_goes,
}

async fn send(db: &Db, messages: Vec<NewMessage>) -> Result<(), StoreError> {
    db.store
        .append(messages, |messages, mut tx| Box::pin(async move { tx.insert_messages(messages).await }))
        .await
}

async fn write(db: &Db, messages: Vec<NewMessage>) -> Result<(), StoreError> {
    db.store.write(messages, |messages, tx| Box::pin(tx.insert_messages(messages))).await
}

async fn a_message_comes_back_as_sent(db: &Db) {
    let acme = db.acme().await;
    let channel = db.channel(1, acme).await;
    let full = NewMessage {
        content: "**hi** \u{202e}👩‍🚀\u{200b}".to_owned(),
        mentions: vec![user(1), user(2)],
        mentions_everyone: true,
        poll: Some(r#"[{"id":"1","text":"yes"}]"#.to_owned()),
        replying_to: Some(post(1)),
        posted_by_key: Some(ApiKeyId::from_bits(7)),
        ..new_message(2, channel, 2, user(1))
    };
    send(db, vec![new_message(1, channel, 1, user(1)), full]).await.unwrap();
    let plain = db.read().await.find_message(post(1)).await.unwrap().unwrap();
    assert_eq!((plain.id, plain.channel, plain.position, plain.author), (post(1), channel, 1, user(1)));
    assert_eq!((plain.content.as_deref(), plain.mentions.len()), (Some("message 1"), 0));
    assert!(!plain.mentions_everyone && !plain.edited && !plain.pinned);
    assert_eq!((plain.poll, plain.replying_to), (None, None));
    assert_eq!((plain.created_at, plain.updated_at), (at(1), at(1)));
    let full = db.read().await.find_message(post(2)).await.unwrap().unwrap();
    assert_eq!(full.content.as_deref(), Some("**hi** \u{202e}👩‍🚀\u{200b}"));
    assert_eq!((full.mentions, full.mentions_everyone), (vec![user(1), user(2)], true));
    assert_eq!(full.poll, Some(vec![PollOption { id: "1".to_owned(), text: "yes".to_owned() }]));
    assert_eq!(full.replying_to, Some(post(1)));
    assert_eq!(db.read().await.find_message(post(3)).await.unwrap(), None);
    for (n, key) in [(1, None), (2, Some(ApiKeyId::from_bits(7))), (3, None)] {
        assert_eq!(db.read().await.find_posting_key(post(n)).await.unwrap(), key);
    }
    let place = db.read().await.find_message_place(post(2)).await.unwrap();
    assert_eq!(place, Some(Replied { channel, position: 2 }));
    assert_eq!(db.read().await.find_message_place(post(3)).await.unwrap(), None);
}

async fn a_send_sees_what_its_transaction_did_and_the_log(db: &Db) {
    let acme = db.acme().await;
    let channel = db.channel(1, acme).await;
    commit!(db, tx => tx.insert_authority(&Change::User(user(1)), true, at(0)));
    let messages = vec![NewMessage {
        mentions: vec![user(1)],
        poll: Some("[]".to_owned()),
        ..new_message(1, channel, 1, user(1))
    }];
    let seen = db.store.append(messages, move |messages, mut tx| {
        Box::pin(async move {
            let none = (tx.find_message(post(1)).await?, tx.find_message_place(post(1)).await?);
            assert_eq!(none, (None, None));
            tx.insert_messages(messages).await?;
            let log = (tx.list_authority_since(0).await?, tx.list_authority_since(1).await?);
            Ok::<_, StoreError>((tx.find_message(post(1)).await?, tx.find_message_place(post(1)).await?, log))
        })
    });
    let (message, place, (log, rest)) = seen.await.unwrap();
    assert_eq!(message, db.read().await.find_message(post(1)).await.unwrap());
    assert_eq!(message.unwrap().mentions, [user(1)]);
    assert_eq!(place, Some(Replied { channel, position: 1 }));
    assert_eq!(log, [Entry { n: 1, change: Change::User(user(1)), kills: true }]);
    assert_eq!(rest, []);
}

async fn batches_of_every_size_go_in_whole(db: &Db) {
    let acme = db.acme().await;
    let channel = db.channel(1, acme).await;
    let (mut sent, mut place) = (0_u128, 0_i64);
    for size in (0..=150).step_by(7).chain([1, 3, 4, 5, 15, 16, 17, 63, 64, 65, 68, 84, 85, 127, 128, 149]) {
        let bump = [HeadBump { channel, messages: size }];
        // Both ways of sending, in turns.
        let heads = if size % 2 == 0 {
            append!(db, tx => tx.bump_heads(&bump))
        } else {
            commit!(db, tx => tx.bump_heads(&bump))
        };
        assert_eq!(heads, [(channel, place + size, place + size)]);
        let batch: Vec<NewMessage> = (1..=size)
            .map(|i| new_message(sent + u128::try_from(i).unwrap(), channel, place + i, user(1)))
            .collect();
        if size % 2 == 0 { send(db, batch).await } else { write(db, batch).await }.unwrap();
        sent += u128::try_from(size).unwrap();
        place += size;
    }
    let mut read = db.read().await;
    assert_eq!(read.find_head(channel).await.unwrap(), Some((place, place)));
    let all = db.store.list_messages(channel, false, None, i64::MAX).await.unwrap();
    let expected: Vec<i64> = (1..=place).collect();
    assert_eq!(all.iter().map(|message| message.position).collect::<Vec<_>>(), expected);
    assert!(all.iter().all(|message| message.content == Some(format!("message {}", message.id.bits()))));
    let events = read.list_events(channel, 0, i64::MAX).await.unwrap();
    assert_eq!(events.iter().map(|(seq, ..)| *seq).collect::<Vec<_>>(), expected);
    for ((seq, kind, subject), message) in events.iter().zip(&all) {
        assert_eq!(
            (*seq, *kind, subject),
            (message.position, EventKind::MessageCreated, &message.id.to_string())
        );
    }
}

async fn a_taken_id_or_place_is_a_conflict_and_leaves_nothing(db: &Db) {
    let acme = db.acme().await;
    let channel = db.channel(1, acme).await;
    send(db, vec![new_message(1, channel, 1, user(1))]).await.unwrap();
    for clash in [new_message(1, channel, 9, user(1)), new_message(9, channel, 1, user(1))] {
        for send in [false, true] {
            let both = vec![new_message(2, channel, 2, user(1)), clash.clone()];
            let refused = if send { self::send(db, both).await } else { write(db, both).await };
            assert!(matches!(refused, Err(StoreError::Conflict)), "{refused:?}");
        }
    }
    assert_eq!(db.store.list_messages(channel, false, None, 9).await.unwrap().len(), 1);
    assert_eq!(db.read().await.list_events(channel, 0, 9).await.unwrap().len(), 1);
}

async fn heads_of_several_channels_move_together(db: &Db) {
    let acme = db.acme().await;
    for n in 1..=3 {
        db.channel(n, acme).await;
    }
    let bump = |n, messages| HeadBump { channel: chat(n), messages };
    let mut moved = append!(db, tx => tx.bump_heads(&[bump(3, 5), bump(1, 2)]));
    moved.sort_unstable();
    assert_eq!(moved, [(chat(1), 2, 2), (chat(3), 5, 5)]);
    // Both ways. One channel twice moves by both; one that is not there is not in the answer.
    let mut moved = commit!(db, tx => tx.bump_heads(&[bump(1, 1), bump(9, 1), bump(2, 4), bump(1, 2)]));
    moved.sort_unstable();
    assert_eq!(moved, [(chat(1), 5, 5), (chat(2), 4, 4)]);
    assert_eq!(commit!(db, tx => tx.bump_heads(&[])), []);
    let mut moved = append!(db, tx => tx.bump_heads(&[bump(1, 1), bump(9, 1), bump(2, 1), bump(1, 1)]));
    moved.sort_unstable();
    assert_eq!(moved, [(chat(1), 7, 7), (chat(2), 5, 5)]);
    assert_eq!(append!(db, tx => tx.bump_heads(&[])), []);
    for (n, head) in [(1, 7), (2, 5), (3, 5)] {
        assert_eq!(db.read().await.find_head(chat(n)).await.unwrap(), Some((head, head)));
    }
}

async fn an_edit_changes_what_it_names(db: &Db) {
    let acme = db.acme().await;
    let channel = db.channel(1, acme).await;
    send(
        db,
        vec![NewMessage {
            mentions: vec![user(5)],
            mentions_everyone: true,
            ..new_message(1, channel, 1, user(1))
        }],
    )
    .await
    .unwrap();
    let found = async || db.read().await.find_message(post(1)).await.unwrap().unwrap();
    assert!(commit!(db, tx => tx.update_message(post(1), None, false, Some(true), at(5))));
    let pinned = found().await;
    assert!(pinned.pinned && !pinned.edited && pinned.mentions_everyone);
    assert_eq!((pinned.content.as_deref(), pinned.mentions), (Some("message 1"), vec![user(5)]));
    assert_eq!(pinned.updated_at, at(5));
    assert!(
        commit!(db, tx => tx.update_message(post(1), Some(("new", &[user(2)], false)), true, None, at(6)))
    );
    let edited = found().await;
    assert!(edited.pinned && edited.edited && !edited.mentions_everyone);
    assert_eq!((edited.content.as_deref(), edited.mentions), (Some("new"), vec![user(2)]));
    let files = vec![FileId::from_bits(3), FileId::from_bits(1)];
    commit!(db, files, tx => tx.update_message_attachments(post(1), files));
    assert_eq!(found().await.attachments, [FileId::from_bits(3), FileId::from_bits(1)]);
    commit!(db, tx => tx.update_message_attachments(post(1), &[]));
    assert_eq!(found().await.attachments, []);
    assert!(commit!(db, tx => tx.update_message(post(1), Some(("", &[], true)), true, Some(false), at(7))));
    let bare = found().await;
    assert!(!bare.pinned && bare.edited && bare.mentions_everyone);
    assert_eq!((bare.content.as_deref(), bare.mentions.len()), (Some(""), 0));
    assert_eq!((bare.position, bare.created_at), (1, at(1)));
    assert!(!commit!(db, tx => tx.update_message(post(2), None, false, Some(true), at(8))));
}

async fn a_deleted_message_leaves_a_tombstone_without_content(db: &Db) {
    let acme = db.acme().await;
    let channel = db.channel(1, acme).await;
    let secret = NewMessage {
        mentions: vec![user(5)],
        poll: Some("[]".to_owned()),
        ..new_message(1, channel, 1, user(1))
    };
    send(db, vec![secret, new_message(2, channel, 2, user(1))]).await.unwrap();
    assert!(commit!(db, tx => tx.delete_message(post(1), at(9))));
    assert!(!commit!(db, tx => tx.delete_message(post(1), at(9))));
    assert!(!commit!(db, tx => tx.delete_message(post(7), at(9))));
    assert!(!commit!(db, tx => tx.update_message(post(1), Some(("x", &[], false)), true, None, at(9))));
    let mut read = db.read().await;
    assert_eq!(read.find_message(post(1)).await.unwrap(), None);
    assert_eq!(read.find_message_place(post(1)).await.unwrap(), Some(Replied { channel, position: 1 }));
    assert_eq!(db.store.list_messages(channel, true, None, 9).await.unwrap().len(), 1);
    let kept =
        "SELECT COUNT(*) FROM messages WHERE content IS NOT NULL OR mentions IS NOT NULL OR poll IS NOT NULL";
    assert_eq!(db.number(kept).await, 1);
}

async fn pages_walk_both_ways_and_are_stable(db: &Db) {
    let acme = db.acme().await;
    let channel = db.channel(1, acme).await;
    db.channel(2, acme).await;
    // The order is that of places, not of ids.
    send(db, (1..=20).map(|n| new_message(100 - n, channel, i64::try_from(n).unwrap(), user(1))).collect())
        .await
        .unwrap();
    send(db, vec![new_message(500, chat(2), 1, user(1))]).await.unwrap();
    let mut next = 21;
    for descending in [false, true] {
        let (mut walked, mut from) = (Vec::new(), None);
        loop {
            let page = db.store.list_messages(channel, descending, from, 3).await.unwrap();
            let Some(last) = page.last() else { break };
            from = Some(last.position);
            walked.extend(page.iter().map(|message| message.position));
            if descending {
                send(db, vec![new_message(1000 + next, channel, i64::try_from(next).unwrap(), user(1))])
                    .await
                    .unwrap();
                next += 1;
            } else {
                // Where the cursor stands is deleted.
                let id = last.id;
                commit!(db, tx => tx.delete_message(id, at(9)));
            }
        }
        if !descending {
            assert_eq!(walked, (1..=20).collect::<Vec<i64>>());
            continue;
        }
        let expected: Vec<i64> = (1..=20).rev().filter(|n| n % 3 != 0 && *n != 20).collect();
        assert_eq!(walked, expected, "the deleted are gone, the new are not behind the cursor");
    }
}

async fn events_follow_each_other_without_gaps(db: &Db) {
    let acme = db.acme().await;
    let channel = db.channel(1, acme).await;
    commit!(db, tx => tx.bump_heads(&[HeadBump { channel, messages: 2 }]));
    send(db, vec![new_message(1, channel, 1, user(1)), new_message(2, channel, 2, user(1))]).await.unwrap();
    let kinds = [
        EventKind::MessageEdited,
        EventKind::MessageDeleted,
        EventKind::MessagePinned,
        EventKind::ChannelUpdated,
        EventKind::ExperienceDeleted,
        EventKind::MessageCreated,
        EventKind::ChannelDeleted,
        EventKind::MemberAdded,
        EventKind::MemberUpdated,
        EventKind::MemberRemoved,
    ];
    for (n, kind) in (3_i64..).zip(kinds) {
        let seq = commit!(db, tx => tx.insert_event(channel, kind, "subject", at(n)));
        assert_eq!(seq, n);
    }
    assert_eq!(db.read().await.find_head(channel).await.unwrap(), Some((2, 12)));
    let events = db.read().await.list_events(channel, 2, 9).await.unwrap();
    let expected: Vec<_> =
        (3..).zip(kinds).take(9).map(|(seq, kind)| (seq, kind, "subject".to_owned())).collect();
    assert_eq!(events, expected);
    assert_eq!(db.read().await.list_events(channel, 12, 4).await.unwrap(), []);
}

async fn cooldowns_remember_the_last_post(db: &Db) {
    let acme = db.acme().await;
    let channel = db.channel(1, acme).await;
    for (who, time, waits_since) in [
        (1, 0, None),
        (1, 9, Some(0)),
        (2, 9, None),
        // A refusal does not begin the pause anew; the pause is over at its last millisecond.
        (1, 10, None),
        (1, 19, Some(10)),
        // A clock that was ahead costs no more than the pause from now on.
        (1, 5, Some(5)),
        (1, 14, Some(5)),
        (1, 15, None),
        (1, 1_000_000, None),
        (1, 50, Some(50)),
        (1, 60, None),
    ] {
        let since = append!(db, tx => tx.take_cooldown(channel, user(who), 10, at(time)));
        assert_eq!(since, waits_since.map(|time| millis(at(time))), "{who} at {time}");
    }
}

async fn what_was_said_before_an_edit_is_kept_until_the_message_goes(db: &Db) {
    let acme = db.acme().await;
    let channel = db.channel(1, acme).await;
    send(db, vec![new_message(1, channel, 1, user(1)), new_message(2, channel, 2, user(1))]).await.unwrap();
    for (n, text) in [(1, "one"), (2, "two"), (3, "three")] {
        commit!(db, tx => tx.keep_message_edit(post(1), at(n)));
        assert!(commit!(db, tx => tx.update_message(post(1), Some((text, &[], false)), true, None, at(n))));
    }
    commit!(db, tx => tx.keep_message_edit(post(2), at(9)));
    commit!(db, tx => tx.keep_message_edit(post(7), at(9)));
    let edits = async |descending, from, limit| {
        let found = db.read().await.list_message_edits(post(1), descending, from, limit).await.unwrap();
        found.into_iter().map(|edit| (edit.n, edit.content, edit.replaced_at)).collect::<Vec<_>>()
    };
    let kept = |n: i64, text: &str| (n, text.to_owned(), at(n));
    assert_eq!(edits(true, None, 9).await, [kept(3, "two"), kept(2, "one"), kept(1, "message 1")]);
    assert_eq!(edits(false, Some(1), 1).await, [kept(2, "one")]);
    assert_eq!(edits(true, Some(2), 9).await, [kept(1, "message 1")]);
    assert!(commit!(db, tx => tx.delete_message(post(1), at(9))));
    assert_eq!(edits(true, None, 9).await, []);
    assert_eq!(db.number("SELECT COUNT(*) FROM message_edits").await, 1);
}
