use hallpass_core::entity::FeedSeat;
use hallpass_core::id::{FeedId, FeedMemberId};
use hallpass_store::NewFeed;

use crate::fixtures::*;

on_both! {
    a_feed_comes_back_with_its_seats,
    one_feed_about_the_same,
}

fn place(n: u128) -> FeedId {
    FeedId::from_bits(n)
}

async fn a_feed_comes_back_with_its_seats(db: &Db) {
    let acme = db.acme().await;
    db.users([2, 3]).await;
    let support = NewFeed {
        id: place(1),
        company: acme,
        identity: "about".to_owned(),
        customer: Some(user(2)),
        custom_name: Some("Ünicode".to_owned()),
        by_key: true,
    };
    assert!(commit!(db, support, tx => tx.insert_feed(support, at(4))));
    for (n, admin, seated) in [(2, false, true), (3, true, true), (3, false, false)] {
        let (seat, id) =
            (FeedSeat { user: user(n), admin }, FeedMemberId::from_bits(n + u128::from(!seated)));
        let made = commit!(db, tx => tx.insert_feed_member((place(1), acme), id, seat, "accepted", at(5)));
        assert_eq!(made, seated, "{n}");
    }
    let found = db.read().await.find_feed(place(1)).await.unwrap().unwrap();
    assert_eq!((found.id, found.company, found.customer), (place(1), acme, Some(user(2))));
    assert_eq!((found.custom_name.as_deref(), found.by_key), (Some("Ünicode"), true));
    assert_eq!((found.created_at, found.resolved_at, found.last_message_at), (at(4), None, None));
    let seats = [FeedSeat { user: user(2), admin: false }, FeedSeat { user: user(3), admin: true }];
    assert_eq!(found.members, seats);
    assert_eq!(db.read().await.find_head(place(1).into()).await.unwrap(), Some((0, 0)));
    assert_eq!(db.read().await.find_feed(place(2)).await.unwrap(), None);
}

async fn one_feed_about_the_same(db: &Db) {
    let acme = db.acme().await;
    let other = db.company(2, 1, None).await;
    let new = |n, company, identity: &str| NewFeed {
        id: place(n),
        company,
        identity: identity.to_owned(),
        customer: None,
        custom_name: None,
        by_key: false,
    };
    let feeds = [new(1, acme, "a"), new(2, acme, "a"), new(3, other, "a"), new(4, acme, "b")];
    for (feed, made) in feeds.into_iter().zip([true, false, true, true]) {
        let id = feed.id;
        assert_eq!(commit!(db, feed, tx => tx.insert_feed(feed, at(1))), made, "{id}");
        assert_eq!(db.read().await.find_feed(id).await.unwrap().is_some(), made, "{id}");
    }
}
