use hallpass_core::entity::ChannelRules;
use hallpass_core::id::ProductId;
use hallpass_core::statement::Parts;
use hallpass_store::{ChannelFilter, ChannelPatch, StoreError};

use crate::fixtures::*;

on_both! {
    a_channel_comes_back_with_its_rules,
    rules_are_replaced,
    lists_show_what_the_viewer_may_see,
}

fn strict() -> ChannelRules {
    ChannelRules {
        admins_post: true,
        no_reactions: true,
        ban_media: true,
        ban_urls: true,
        banned_words: vec!["ugly".to_owned(), "\"quoted\" 👎".to_owned()],
        cooldown_secs: Some(u32::MAX),
    }
}

async fn a_channel_comes_back_with_its_rules(db: &Db) {
    let acme = db.acme().await;
    db.experience(1, acme, false).await;
    let rules = strict();
    commit!(db, rules, tx => tx.insert_channel(feed(1), acme, exp(1), rules, at(4)));
    let found = db.read().await.find_channel(feed(1)).await.unwrap().unwrap();
    assert_eq!((found.id, found.company, found.experience), (feed(1), acme, exp(1)));
    assert_eq!((found.experience_name.as_str(), found.public), ("Experience 1", false));
    assert_eq!((&found.rules, found.created_at), (&strict(), at(4)));
    assert_eq!(db.read().await.find_channel_of(exp(1)).await.unwrap(), Some(found));
    assert_eq!(db.read().await.find_head(chat(1)).await.unwrap(), Some((0, 0)));
    assert_eq!(db.read().await.find_channel(feed(2)).await.unwrap(), None);
    assert_eq!(db.read().await.find_channel_of(exp(2)).await.unwrap(), None);
    assert_eq!(db.read().await.find_head(chat(2)).await.unwrap(), None);
    let rules = strict();
    let second = db
        .store
        .write(rules, move |rules, tx| Box::pin(tx.insert_channel(feed(2), acme, exp(1), rules, at(4))))
        .await;
    assert!(matches!(second, Err(StoreError::Conflict)), "an experience has one channel: {second:?}");
}

async fn rules_are_replaced(db: &Db) {
    let acme = db.acme().await;
    db.channel(1, acme).await;
    let rules = ChannelPatch { banned_words: Some(strict().banned_words), ..ChannelPatch::default() }
        .apply(&ChannelRules::default());
    assert!(commit!(db, rules, tx => tx.update_channel_rules(feed(1), rules, at(9))));
    let found = db.read().await.find_channel(feed(1)).await.unwrap().unwrap();
    assert_eq!(found.rules, ChannelRules { banned_words: strict().banned_words, ..ChannelRules::default() });
    let rules = strict();
    assert!(!commit!(db, rules, tx => tx.update_channel_rules(feed(2), rules, at(9))));
}

async fn lists_show_what_the_viewer_may_see(db: &Db) {
    let acme = db.acme().await;
    db.users([2]).await;
    for n in 1..=6 {
        db.experience(n, acme, n % 2 == 0).await;
        db.channel_of(n, acme).await;
    }
    commit!(db, tx => tx.insert_experience_access(exp(3), user(2), at(0)));
    let product = "prod_xxxxxxxxxxxxx".parse::<ProductId>().unwrap();
    for n in [1, 2] {
        commit!(db, tx => tx.insert_experience_product(acme, exp(n), product, at(0)));
    }
    let but = Parts::AllBut;
    for (product, viewer, parts, expected) in [
        (None, None, but(vec![]), vec![1, 2, 3, 4, 5, 6]),
        (None, Some(user(2)), but(vec![]), vec![2, 3, 4, 6]),
        (Some(product), None, but(vec![]), vec![1, 2]),
        (Some(product), Some(user(2)), but(vec![]), vec![2]),
        (None, None, but(vec![exp(1), exp(4), exp(9)]), vec![2, 3, 5, 6]),
        (None, Some(user(2)), but(vec![exp(2)]), vec![3, 4, 6]),
        (None, None, Parts::Only(vec![exp(1), exp(4), exp(9)]), vec![1, 4]),
        (None, Some(user(2)), Parts::Only(vec![exp(1), exp(4)]), vec![4]),
        (None, None, Parts::NONE, vec![]),
    ] {
        let filter = ChannelFilter { product, viewer, parts };
        for descending in [false, true] {
            let mut walked = Vec::new();
            let mut scan = scan(descending, 2);
            loop {
                let page = db.read().await.list_channels(acme, &filter, &scan).await.unwrap();
                let Some(last) = page.last() else { break };
                scan = scan_from(descending, last.created_at, last.id, 2);
                walked.extend(page.iter().map(|channel| channel.id.bits()));
            }
            if descending {
                walked.reverse();
            }
            assert_eq!(walked, expected, "{filter:?}");
        }
    }
}
