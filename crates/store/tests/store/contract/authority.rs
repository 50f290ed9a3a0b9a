use hallpass_core::authority::{Change, Entry};
use hallpass_core::id::{ApiKeyId, TokenId};
use hallpass_store::{AUTHORITY_PAGE, Head};

use crate::fixtures::*;

on_both! {
    entries_are_numbered_without_gaps,
    a_failed_write_leaves_no_gap,
    who_holds_the_log_may_append_to_it,
    pages_of_the_log_are_bounded,
    pruning_takes_the_old_end_only,
    a_leap_goes_forward_only,
}

fn token(n: u128) -> Change {
    Change::Token(biz(1), TokenId::from_bits(n))
}

async fn entries_are_numbered_without_gaps(db: &Db) {
    assert_eq!(db.read().await.authority_head().await.unwrap(), Head { n: 0, pruned: 0 });
    assert_eq!(db.read().await.list_authority_since(0).await.unwrap(), []);
    let changes = [
        (token(1), true),
        (Change::Key(ApiKeyId::from_bits(2)), true),
        (Change::Standing(biz(1), user(2)), false),
        (Change::Access(exp(1), user(2)), false),
        (Change::SigningKey("kid \"1\"".to_owned()), true),
    ];
    for (n, (change, kills)) in (1..).zip(changes.clone()) {
        let entry = (change, kills);
        let number = commit!(db, entry, tx => tx.insert_authority(&entry.0, entry.1, at(1)));
        assert_eq!(number, n);
    }
    let mut read = db.read().await;
    assert_eq!(read.authority_head().await.unwrap(), Head { n: 5, pruned: 0 });
    let expected: Vec<Entry> =
        (1..).zip(changes).map(|(n, (change, kills))| Entry { n, change, kills }).collect();
    assert_eq!(read.list_authority_since(0).await.unwrap(), expected);
    assert_eq!(read.list_authority_since(3).await.unwrap(), expected[3..]);
    assert_eq!(read.list_authority_since(u64::MAX).await.unwrap(), []);
    let kills: Vec<u64> = read.list_authority_kills().await.unwrap().iter().map(|entry| entry.n).collect();
    assert_eq!(kills, [1, 2, 5]);
}

async fn a_failed_write_leaves_no_gap(db: &Db) {
    db.users([1]).await;
    let taken = new_user(2, None);
    let failed = db
        .store
        .write(taken, |_, tx| {
            Box::pin(async move {
                tx.insert_authority(&token(1), true, at(0)).await?;
                tx.insert_company(&new_company(1, user(9), None), at(0)).await
            })
        })
        .await;
    assert!(failed.is_err());
    assert_eq!(commit!(db, tx => tx.insert_authority(&token(2), true, at(0))), 1);
}

async fn who_holds_the_log_may_append_to_it(db: &Db) {
    let number = db
        .store
        .write((), |(), tx| {
            Box::pin(async move {
                tx.hold_authority().await?;
                tx.insert_authority(&token(1), true, at(0)).await
            })
        })
        .await;
    assert_eq!(number.unwrap(), 1);
}

async fn pages_of_the_log_are_bounded(db: &Db) {
    let n = AUTHORITY_PAGE as u64 + 5;
    db.store
        .write(n, |n, tx| {
            Box::pin(async move {
                for i in 1..=*n {
                    tx.insert_authority(&token(i.into()), false, at(0)).await?;
                }
                Ok::<_, hallpass_store::StoreError>(())
            })
        })
        .await
        .unwrap();
    let mut read = db.read().await;
    let page = read.list_authority_since(2).await.unwrap();
    assert_eq!((page.len(), page[0].n), (AUTHORITY_PAGE, 3));
    assert_eq!(read.list_authority_since(page.last().unwrap().n).await.unwrap().len(), 3);
}

async fn pruning_takes_the_old_end_only(db: &Db) {
    // The third came from a node whose clock is behind.
    for (n, time) in [(1, 10), (2, 20), (3, 5), (4, 30)] {
        commit!(db, tx => tx.insert_authority(&token(n), true, at(time)));
    }
    let numbers = async || {
        let entries = db.read().await.list_authority_since(0).await.unwrap();
        entries.iter().map(|entry| entry.n).collect::<Vec<_>>()
    };
    commit!(db, tx => tx.prune_authority(at(10)));
    assert_eq!(numbers().await, [1, 2, 3, 4], "what is kept has no gaps");
    commit!(db, tx => tx.prune_authority(at(11)));
    assert_eq!(numbers().await, [2, 3, 4]);
    commit!(db, tx => tx.prune_authority(at(21)));
    assert_eq!(numbers().await, [4]);
    assert_eq!(db.read().await.authority_head().await.unwrap(), Head { n: 4, pruned: 3 });
    for _ in 0..2 {
        commit!(db, tx => tx.prune_authority(at(99)));
        assert_eq!(numbers().await, [4], "the newest stays, by which readers see whose log it is");
        assert_eq!(db.read().await.authority_head().await.unwrap(), Head { n: 4, pruned: 3 });
    }
    assert_eq!(commit!(db, tx => tx.insert_authority(&token(5), true, at(5))), 5);
    // A clock that went back prunes nothing more.
    commit!(db, tx => tx.prune_authority(at(0)));
    assert_eq!(db.read().await.authority_head().await.unwrap(), Head { n: 5, pruned: 3 });
}

async fn a_leap_goes_forward_only(db: &Db) {
    assert_eq!(commit!(db, tx => tx.leap_authority(1000, at(1))), 1000);
    assert_eq!(commit!(db, tx => tx.insert_authority(&token(1), true, at(1))), 1001);
    for behind in [0, 1000, 1001, 1002] {
        let head = db.read().await.authority_head().await.unwrap().n;
        assert_eq!(commit!(db, tx => tx.leap_authority(behind, at(1))), head + 1);
    }
    let mut read = db.read().await;
    let entries = read.list_authority_since(1001).await.unwrap();
    assert!(entries.iter().all(|entry| entry.change == Change::Leap && !entry.kills), "{entries:?}");
    assert_eq!(entries.iter().map(|entry| entry.n).collect::<Vec<_>>(), [1002, 1003, 1004, 1005]);
}
