use hallpass_core::emoji::Emoji;
use hallpass_core::entity::{Feed, FeedSeat, FeedStatus, KeyHolder, Notifications};
use hallpass_core::id::{AppId, CompanyId, FeedId, FeedMemberId, ReactionId};
use hallpass_core::reaction::{Mark, Reaction};
use hallpass_store::{FeedTouch, HeadBump, NewFeed, NewMessage, Scan, SupportFilter};

use crate::fixtures::*;

on_both! {
    a_feed_comes_back_with_its_seats,
    one_feed_about_the_same,
    a_name_may_come_and_go,
    a_seat_changes_goes_and_is_handed_on,
    members_are_listed_by_when_they_came,
    a_deleted_feed_leaves_nothing_to_read,
    read_markers_never_go_back,
    sending_moves_a_feed_its_seats_and_its_senders,
    lists_come_by_activity,
    support_chats_are_listed_by_state_order_and_company,
}

fn place(n: u128) -> FeedId {
    FeedId::from_bits(n)
}
fn seat_id(n: u128) -> FeedMemberId {
    FeedMemberId::from_bits(n)
}

fn new_feed(n: u128, company: CompanyId, identity: &str) -> NewFeed {
    NewFeed {
        id: place(n),
        company,
        identity: identity.to_owned(),
        customer: None,
        custom_name: None,
        key_holder: None,
    }
}

/// Makes a feed at the time that is its number, with these users in it, the first of them its admin.
async fn make(db: &Db, new: NewFeed, users: &[u128]) {
    let (id, company) = (new.id, new.company);
    let time = at(i64::try_from(id.bits()).unwrap());
    assert!(commit!(db, new, tx => tx.insert_feed(new, time)));
    for (n, who) in users.iter().copied().enumerate() {
        let seat = FeedSeat { user: user(who), admin: n == 0 };
        let seat_id = seat_id(id.bits() * 1000 + who);
        let made = commit!(db, tx => tx.insert_feed_member((id, company), seat_id, seat, FeedStatus::Accepted, time));
        assert!(made);
    }
}

async fn found(db: &Db, n: u128) -> Feed {
    db.read().await.find_feed(place(n)).await.unwrap().unwrap()
}

/// Sends to a feed as the lanes do.
async fn send(db: &Db, n: u128, touch: FeedTouch) {
    let channel = place(n).into();
    db.store
        .append(touch, move |touch, mut tx| {
            Box::pin(async move {
                tx.bump_heads(&[HeadBump { channel, messages: 1 }]).await?;
                tx.touch_feeds(std::slice::from_ref(touch)).await
            })
        })
        .await
        .unwrap();
}

fn touch(n: u128, time: i64) -> FeedTouch {
    FeedTouch { feed: place(n), at: at(time), reopens: false, readers: Vec::new() }
}

async fn a_feed_comes_back_with_its_seats(db: &Db) {
    let acme = db.acme().await;
    db.users([2, 3]).await;
    let support = NewFeed {
        customer: Some(user(2)),
        custom_name: Some("Ünicode".to_owned()),
        key_holder: Some(KeyHolder::App(AppId::from_bits(5))),
        ..new_feed(1, acme, "about")
    };
    assert!(commit!(db, support, tx => tx.insert_feed(support, at(4))));
    for (n, admin, seated) in [(2, false, true), (3, true, true), (3, false, false)] {
        let (seat, id) = (FeedSeat { user: user(n), admin }, seat_id(n + u128::from(!seated)));
        let status = FeedStatus::Accepted;
        let made = commit!(db, tx => tx.insert_feed_member((place(1), acme), id, seat, status, at(5)));
        assert_eq!(made, seated, "{n}");
    }
    let holder = Some(KeyHolder::App(AppId::from_bits(5)));
    let found = found(db, 1).await;
    assert_eq!((found.id, found.company, found.customer), (place(1), acme, Some(user(2))));
    assert_eq!((found.custom_name.as_deref(), found.key_holder), (Some("Ünicode"), holder));
    assert_eq!((found.created_at, found.resolved_at, found.last_message_at), (at(4), None, None));
    assert_eq!(found.active_at, at(4));
    let seats = [FeedSeat { user: user(2), admin: false }, FeedSeat { user: user(3), admin: true }];
    assert_eq!(found.members, seats);
    assert_eq!(db.read().await.find_head(place(1).into()).await.unwrap(), Some((0, 0)));
    assert_eq!(db.read().await.find_feed(place(2)).await.unwrap(), None);
    let mut read = db.read().await;
    let member = read.find_feed_member_of(place(1), user(2)).await.unwrap().unwrap();
    assert_eq!(read.find_feed_member(member.id).await.unwrap(), Some(member.clone()));
    assert_eq!((member.id, member.feed, member.user, member.admin), (seat_id(2), place(1), user(2), false));
    assert_eq!((member.status, member.notifications), (FeedStatus::Accepted, Notifications::All));
    assert_eq!((member.read_position, member.last_viewed_at, member.created_at), (0, None, at(5)));
    assert_eq!(read.find_feed_member(seat_id(9)).await.unwrap(), None);
    assert_eq!(read.find_feed_member_of(place(1), user(9)).await.unwrap(), None);
}

async fn one_feed_about_the_same(db: &Db) {
    let acme = db.acme().await;
    let other = db.company(2, 1, None).await;
    let feeds =
        [new_feed(1, acme, "a"), new_feed(2, acme, "a"), new_feed(3, other, "a"), new_feed(4, acme, "b")];
    for (feed, made) in feeds.into_iter().zip([true, false, true, true]) {
        let id = feed.id;
        assert_eq!(commit!(db, feed, tx => tx.insert_feed(feed, at(1))), made, "{id}");
        assert_eq!(db.read().await.find_feed(id).await.unwrap().is_some(), made, "{id}");
    }
    let about = async |company, what: &str| db.read().await.find_feed_about(company, what).await.unwrap();
    assert_eq!(about(acme, "a").await, Some(place(1)));
    assert_eq!(about(other, "a").await, Some(place(3)));
    assert_eq!(about(other, "b").await, None);
    // What is given up is another's.
    commit!(db, tx => tx.release_feed_identity(place(1)));
    assert_eq!(about(acme, "a").await, None);
    make(db, new_feed(5, acme, "a"), &[]).await;
    assert_eq!(about(acme, "a").await, Some(place(5)));
    assert!(db.read().await.find_feed(place(1)).await.unwrap().is_some());
}

async fn a_name_may_come_and_go(db: &Db) {
    let acme = db.acme().await;
    make(db, new_feed(1, acme, "a"), &[1]).await;
    for name in [Some("x"), None, Some("y")] {
        commit!(db, tx => tx.update_feed_name(place(1), name, at(9)));
        assert_eq!(found(db, 1).await.custom_name.as_deref(), name);
    }
}

async fn a_seat_changes_goes_and_is_handed_on(db: &Db) {
    let acme = db.acme().await;
    db.users([2]).await;
    make(db, new_feed(1, acme, "a"), &[1, 2]).await;
    let member = async || db.read().await.find_feed_member(seat_id(1002)).await.unwrap().unwrap();
    let (hidden, mentions) = (Some(FeedStatus::Hidden), Some(Notifications::Mentions));
    assert!(commit!(db, tx => tx.update_feed_member(seat_id(1002), hidden, None, at(9))));
    assert_eq!(
        (member().await.status, member().await.notifications),
        (FeedStatus::Hidden, Notifications::All)
    );
    assert!(commit!(db, tx => tx.update_feed_member(seat_id(1002), None, mentions, at(9))));
    assert_eq!(
        (member().await.status, member().await.notifications),
        (FeedStatus::Hidden, Notifications::Mentions)
    );
    assert!(!commit!(db, tx => tx.update_feed_member(seat_id(9), hidden, None, at(9))));
    for status in FeedStatus::ALL {
        assert!(commit!(db, tx => tx.update_feed_member(seat_id(1002), Some(status), None, at(9))));
        assert_eq!(member().await.status, status);
    }
    commit!(db, tx => tx.update_feed_admin(place(1), user(2), at(9)));
    assert!(commit!(db, tx => tx.revoke_feed_member(place(1), user(1))));
    assert!(!commit!(db, tx => tx.revoke_feed_member(place(1), user(1))));
    assert_eq!(found(db, 1).await.members, [FeedSeat { user: user(2), admin: true }]);
}

async fn members_are_listed_by_when_they_came(db: &Db) {
    let acme = db.acme().await;
    db.users(2..=6).await;
    make(db, new_feed(1, acme, "a"), &[4, 2, 6, 1, 3]).await;
    make(db, new_feed(2, acme, "b"), &[5]).await;
    let walk = async |scan: Scan| {
        let members = db.read().await.list_feed_members(place(1), &scan).await.unwrap();
        members.into_iter().map(|member| member.id.bits() - 1000).collect::<Vec<_>>()
    };
    assert_eq!(walk(scan(false, 9)).await, [1, 2, 3, 4, 6]);
    assert_eq!(walk(scan(true, 2)).await, [6, 4]);
    assert_eq!(walk(scan_from(false, at(1), seat_id(1002), 2)).await, [3, 4]);
    assert_eq!(walk(scan_from(true, at(1), seat_id(1003), 9)).await, [2, 1]);
}

async fn a_deleted_feed_leaves_nothing_to_read(db: &Db) {
    let acme = db.acme().await;
    make(db, new_feed(1, acme, "a"), &[1]).await;
    make(db, new_feed(2, acme, "b"), &[1]).await;
    for n in [1, 2] {
        let message =
            vec![NewMessage { mentions: vec![user(1)], ..new_message(n, place(n).into(), 1, user(1)) }];
        commit!(db, message, tx => tx.insert_messages(message));
        commit!(db, tx => tx.keep_message_edit(post(n), at(5)));
        let mark = Mark::Emoji(Emoji::parse("👍").unwrap());
        let made = Reaction {
            id: ReactionId::from_bits(n),
            message: post(n),
            user: user(1),
            mark,
            by_key: false,
            created_at: at(5),
        };
        commit!(db, tx => tx.mark_reacted(post(n)));
        assert!(commit!(db, made, tx => tx.insert_reaction(made, None)));
    }
    assert!(commit!(db, tx => tx.delete_feed(place(1), at(9))));
    assert!(!commit!(db, tx => tx.delete_feed(place(1), at(9))));
    let mut read = db.read().await;
    assert_eq!(read.find_feed(place(1)).await.unwrap(), None);
    assert_eq!(read.find_feed_about(acme, "a").await.unwrap(), None);
    assert_eq!(read.find_feed_member(seat_id(1001)).await.unwrap(), None);
    assert_eq!(read.find_message(post(1)).await.unwrap(), None);
    assert_eq!(read.list_message_edits(post(1), true, None, 9).await.unwrap(), []);
    assert_eq!(read.list_message_edits(post(2), true, None, 9).await.unwrap().len(), 1);
    assert!(read.find_message(post(2)).await.unwrap().is_some());
    drop(read);
    assert_eq!(db.number("SELECT COUNT(*) FROM messages WHERE content IS NOT NULL").await, 1);
    // Reactions and their counts go as well, by and by those of much that was said.
    assert_eq!(db.number("SELECT COUNT(*) FROM reaction_counts").await, 1, "of the other one");
    while commit!(db, tx => tx.sweep_reactions()) {}
    assert_eq!(db.number("SELECT COUNT(*) FROM reactions").await, 1, "of the other one");
    let mut read = db.read().await;
    assert_eq!(read.list_reactions(post(1), &scan(true, 9)).await.unwrap(), []);
    assert_eq!(read.list_reactions(post(2), &scan(true, 9)).await.unwrap().len(), 1);
    drop(read);
    // Nothing is inherited by the next one about the same.
    make(db, new_feed(3, acme, "a"), &[1]).await;
    assert_eq!(db.store.list_messages(place(3).into(), true, None, 9).await.unwrap(), []);
}

async fn read_markers_never_go_back(db: &Db) {
    let acme = db.acme().await;
    make(db, new_feed(1, acme, "a"), &[1]).await;
    for (position, time, moved, read) in [
        (3, 10, true, (3, 10)),
        (2, 9, false, (3, 10)),
        (3, 10, false, (3, 10)),
        // Each of the two for itself.
        (1, 11, true, (3, 11)),
        (5, 4, true, (5, 11)),
    ] {
        let done = commit!(db, tx => tx.mark_feed_read(place(1), user(1), position, at(time)));
        assert_eq!(done, moved, "{position} at {time}");
        let member = db.read().await.find_feed_member_of(place(1), user(1)).await.unwrap().unwrap();
        assert_eq!((member.read_position, member.last_viewed_at), (read.0, Some(at(read.1))));
    }
    assert!(!commit!(db, tx => tx.mark_feed_read(place(1), user(2), 9, at(9))));
}

async fn sending_moves_a_feed_its_seats_and_its_senders(db: &Db) {
    let acme = db.acme().await;
    db.users([2]).await;
    make(db, NewFeed { customer: Some(user(2)), ..new_feed(1, acme, "a") }, &[1, 2]).await;
    make(db, new_feed(2, acme, "b"), &[1]).await;
    assert!(commit!(db, tx => tx.update_feed_resolved(place(1), true, at(3))));
    assert!(!commit!(db, tx => tx.update_feed_resolved(place(1), true, at(4))));
    assert_eq!(found(db, 1).await.resolved_at, Some(at(3)));
    let read = async |who| {
        let member = db.read().await.find_feed_member_of(place(1), user(who)).await.unwrap().unwrap();
        (member.read_position, member.last_viewed_at)
    };
    send(db, 1, FeedTouch { readers: vec![(user(1), 7), (user(9), 8)], ..touch(1, 50) }).await;
    let feed = found(db, 1).await;
    assert_eq!((feed.last_message_at, feed.active_at, feed.resolved_at), (Some(at(50)), at(50), Some(at(3))));
    assert_eq!((read(1).await, read(2).await), ((7, Some(at(50))), (0, None)));
    // A clock behind moves nothing back; the customer reopens.
    send(db, 1, FeedTouch { readers: vec![(user(1), 6), (user(2), 8)], reopens: true, ..touch(1, 40) }).await;
    let feed = found(db, 1).await;
    assert_eq!((feed.last_message_at, feed.active_at, feed.resolved_at), (Some(at(50)), at(50), None));
    assert_eq!((read(1).await, read(2).await), ((7, Some(at(50))), (8, Some(at(40)))));
    assert!(!commit!(db, tx => tx.update_feed_resolved(place(1), false, at(4))));
    assert_eq!(found(db, 2).await.last_message_at, None);
    for who in [1, 2] {
        let feeds = db.read().await.list_feeds_of(user(who), acme, &scan(true, 9)).await.unwrap();
        assert_eq!((feeds[0].id, feeds[0].active_at), (place(1), at(50)), "{who}");
    }
    append!(db, tx => tx.touch_feeds(&[]));
}

async fn lists_come_by_activity(db: &Db) {
    let acme = db.acme().await;
    db.users([2]).await;
    let other = db.company(2, 1, None).await;
    let (holder, apps) = (KeyHolder::Company(acme), KeyHolder::App(AppId::from_bits(5)));
    for n in 1..=6 {
        let key_holder = (n % 2 == 0).then_some(holder);
        make(db, NewFeed { key_holder, ..new_feed(n, acme, &n.to_string()) }, &[1, 2]).await;
    }
    make(db, new_feed(7, other, "7"), &[1]).await;
    make(db, NewFeed { key_holder: Some(holder), ..new_feed(8, acme, "8") }, &[2]).await;
    make(db, NewFeed { key_holder: Some(apps), ..new_feed(9, acme, "9") }, &[2]).await;
    for (n, time) in [(3, 100), (2, 90)] {
        send(db, n, touch(n, time)).await;
    }
    let numbers = |feeds: Vec<Feed>| feeds.into_iter().map(|feed| feed.id.bits()).collect::<Vec<_>>();
    let own = async |who, company, scan: Scan| {
        numbers(db.read().await.list_feeds_of(user(who), company, &scan).await.unwrap())
    };
    let keys = async |whose, who, scan: Scan| {
        numbers(db.read().await.list_feeds_by_key(acme, (whose, user(who)), &scan).await.unwrap())
    };
    assert_eq!(own(1, acme, scan(true, 9)).await, [3, 2, 6, 5, 4, 1]);
    assert_eq!(own(1, acme, scan(false, 2)).await, [1, 4]);
    assert_eq!(own(1, acme, scan_from(true, at(90), place(2), 2)).await, [6, 5]);
    assert_eq!(own(1, acme, scan_from(false, at(6), place(6), 9)).await, [2, 3]);
    assert_eq!(own(1, other, scan(true, 9)).await, [7]);
    assert_eq!(own(2, acme, scan(true, 3)).await, [3, 2, 9]);
    assert_eq!(keys(apps, 2, scan(true, 9)).await, [9]);
    assert_eq!(keys(apps, 1, scan(true, 9)).await, [0; 0]);
    assert_eq!(keys(holder, 1, scan(true, 9)).await, [2, 6, 4]);
    assert_eq!(keys(holder, 2, scan(false, 9)).await, [4, 6, 8, 2]);
    assert_eq!(keys(holder, 1, scan_from(true, at(90), place(2), 1)).await, [6]);
    assert_eq!(keys(holder, 1, scan_from(false, at(4), place(4), 9)).await, [6, 2]);
}

async fn support_chats_are_listed_by_state_order_and_company(db: &Db) {
    let acme = db.acme().await;
    db.users(2..=9).await;
    let (child, other) = (db.company(2, 1, Some(1)).await, db.company(3, 1, None).await);
    for (n, company) in [(2, acme), (3, child), (4, acme), (5, other), (6, acme), (7, child)] {
        let new = NewFeed { customer: Some(user(n)), ..new_feed(n, company, &n.to_string()) };
        make(db, new, &[n]).await;
    }
    make(db, new_feed(8, acme, "8"), &[1]).await;
    for n in [4, 7] {
        assert!(commit!(db, tx => tx.update_feed_resolved(place(n), true, at(20))));
    }
    for (n, time) in [(2, 30), (4, 40), (3, 50)] {
        send(db, n, touch(n, time)).await;
    }
    let list = async |with_accounts, open, by_activity, scan: Scan| {
        let filter = SupportFilter { company: acme, with_accounts, open, by_activity };
        let feeds = db.read().await.list_support_feeds(filter, &scan).await.unwrap();
        feeds.into_iter().map(|feed| feed.id.bits()).collect::<Vec<_>>()
    };
    assert_eq!(list(false, None, false, scan(true, 9)).await, [6, 4, 2]);
    assert_eq!(list(false, None, false, scan(false, 2)).await, [2, 4]);
    assert_eq!(list(false, None, true, scan(true, 9)).await, [4, 2, 6]);
    assert_eq!(list(false, None, true, scan(false, 9)).await, [6, 2, 4]);
    assert_eq!(list(false, Some(true), true, scan(true, 9)).await, [2, 6]);
    assert_eq!(list(false, Some(false), false, scan(true, 9)).await, [4]);
    assert_eq!(list(true, None, false, scan(true, 9)).await, [7, 6, 4, 3, 2]);
    assert_eq!(list(true, None, false, scan_from(true, at(6), place(6), 2)).await, [4, 3]);
    assert_eq!(list(true, Some(false), false, scan(false, 9)).await, [4, 7]);
    assert_eq!(list(true, Some(true), true, scan(false, 9)).await, [6, 2, 3]);
    assert_eq!(list(true, None, true, scan(true, 3)).await, [3, 4, 2]);
    assert_eq!(list(true, None, true, scan_from(false, at(30), place(2), 9)).await, [4, 3]);
    // Cut from its parent, the account's chats are its own.
    assert!(commit!(db, tx => tx.detach_company(child, at(60))));
    assert_eq!(list(true, None, false, scan(true, 9)).await, [6, 4, 2]);
    assert!(commit!(db, tx => tx.delete_feed(place(6), at(60))));
    assert_eq!(list(false, None, false, scan(true, 9)).await, [4, 2]);
}
