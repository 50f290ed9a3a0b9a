use hallpass_core::id::{AppId, FileId, ProductId};
use hallpass_store::{ChannelFilter, ExperienceFilter, ExperiencePatch, NewExperience, Scan, StoreError};

use crate::fixtures::*;

on_both! {
    an_experience_comes_back_as_stored,
    a_patch_changes_what_it_names,
    deletion_happens_once_for_everybody,
    products_are_recorded_on_first_use_by_each_company,
    access_is_granted_and_taken,
    lists_filter_and_walk,
}

fn product(n: u128) -> ProductId {
    format!("prod_{n:013}").parse().unwrap()
}

async fn an_experience_comes_back_as_stored(db: &Db) {
    let acme = db.acme().await;
    let new = NewExperience { sort_order: Some("7".to_owned()), ..new_experience(1, acme, false) };
    let again = new.clone();
    commit!(db, new, tx => tx.insert_experience(new, at(3)));
    let found = db.read().await.find_experience(exp(1)).await.unwrap().unwrap();
    assert_eq!((found.id, found.company, found.app, found.app_name.as_str()), (exp(1), acme, app(), "Chat"));
    assert_eq!((found.name.as_str(), found.public), ("Experience 1", false));
    assert_eq!((found.sort_order.as_deref(), found.created_at), (Some("7"), at(3)));
    assert_eq!(db.read().await.find_experience(exp(2)).await.unwrap(), None);
    let of_no_app = NewExperience { app: AppId::from_bits(9), ..new_experience(2, acme, true) };
    for new in [again, of_no_app, new_experience(2, biz(9), true)] {
        let refused = db.store.write(new, |new, tx| Box::pin(tx.insert_experience(new, at(3)))).await;
        assert!(matches!(refused, Err(StoreError::Conflict)), "{refused:?}");
    }
}

async fn a_patch_changes_what_it_names(db: &Db) {
    let acme = db.acme().await;
    db.experience(1, acme, true).await;
    let patch = ExperiencePatch {
        name: Some("N".to_owned()),
        public: Some(false),
        sort_order: None,
        picture: Some(Some(FileId::from_bits(7))),
    };
    assert!(commit!(db, patch, tx => tx.update_experience(exp(1), patch, at(5))));
    let patch = ExperiencePatch { sort_order: Some(Some("2".to_owned())), ..ExperiencePatch::default() };
    assert!(commit!(db, patch, tx => tx.update_experience(exp(1), patch, at(6))));
    let found = db.read().await.find_experience(exp(1)).await.unwrap().unwrap();
    assert_eq!((found.name.as_str(), found.public, found.sort_order.as_deref()), ("N", false, Some("2")));
    assert_eq!(found.picture, Some(FileId::from_bits(7)));
    let patch = ExperiencePatch { sort_order: Some(None), ..ExperiencePatch::default() };
    commit!(db, patch, tx => tx.update_experience(exp(1), patch, at(7)));
    assert_eq!(db.read().await.find_experience(exp(1)).await.unwrap().unwrap().sort_order, None);
    let nothing = ExperiencePatch::default();
    assert!(!commit!(db, nothing, tx => tx.update_experience(exp(9), nothing, at(8))));
}

async fn deletion_happens_once_for_everybody(db: &Db) {
    let acme = db.acme().await;
    db.channel(1, acme).await;
    assert!(commit!(db, tx => tx.delete_experience(exp(1), at(5))));
    assert!(!commit!(db, tx => tx.delete_experience(exp(1), at(6))));
    let mut read = db.read().await;
    assert_eq!(read.find_experience(exp(1)).await.unwrap(), None);
    assert_eq!(read.find_channel(feed(1)).await.unwrap(), None);
    assert_eq!(read.find_channel_of(exp(1)).await.unwrap(), None);
    assert_eq!(read.list_experiences(acme, &everything(), &scan(true, 9)).await.unwrap(), []);
    assert_eq!(read.list_channels(acme, &ChannelFilter::default(), &scan(true, 9)).await.unwrap(), []);
    drop(read);
    let patch = ExperiencePatch { public: Some(true), ..ExperiencePatch::default() };
    assert!(!commit!(db, patch, tx => tx.update_experience(exp(1), patch, at(8))));
}

async fn products_are_recorded_on_first_use_by_each_company(db: &Db) {
    let acme = db.acme().await;
    db.company(2, 1, None).await;
    db.experience(1, acme, true).await;
    db.experience(2, biz(2), true).await;
    let has = async |company, n| db.read().await.has_product(company, product(n)).await.unwrap();
    assert!(!has(acme, 5).await);
    // Attached in the order 7, 5; the second time changes nothing.
    for (n, time) in [(7, 1), (5, 2), (7, 3)] {
        commit!(db, tx => tx.insert_experience_product(acme, exp(1), product(n), at(time)));
    }
    assert!(has(acme, 5).await && !has(biz(2), 5).await);
    commit!(db, tx => tx.insert_experience_product(biz(2), exp(2), product(5), at(4)));
    assert!(has(biz(2), 5).await && !has(biz(2), 7).await);
    // Found by the platform whose accounts they are, and by an app where it is installed; of several the oldest.
    let child = db.company(3, 1, Some(1)).await;
    let sibling = db.company(4, 1, Some(1)).await;
    for (n, company) in [(3, child), (4, sibling)] {
        db.experience(10 + n, company, true).await;
        commit!(db, tx => tx.insert_experience_product(company, exp(10 + n), product(9), at(4)));
    }
    let found = async |company, app, n| {
        db.read().await.find_account_with_product(company, app, product(n)).await.unwrap()
    };
    assert_eq!(found(acme, None, 9).await, Some(child));
    for (company, n) in [(acme, 5), (acme, 7), (acme, 8), (biz(2), 9), (child, 9)] {
        assert_eq!(found(company, None, n).await, None, "{company} {n}");
    }
    let theirs = db.read().await.list_experience_products(exp(2)).await.unwrap();
    assert_eq!(theirs.iter().map(|p| p.id).collect::<Vec<_>>(), [product(5)]);
    let products = db.read().await.list_experience_products(exp(1)).await.unwrap();
    assert_eq!(products.iter().map(|p| p.id).collect::<Vec<_>>(), [product(7), product(5)]);
    assert_eq!(products[0].title, product(7).to_string());
    assert!(products[0].route.starts_with("prod-0000"), "{}", products[0].route);

    db.experience(3, acme, true).await;
    commit!(db, tx => tx.copy_experience_products(exp(1), exp(3), at(9)));
    assert_eq!(db.read().await.list_experience_products(exp(3)).await.unwrap().len(), 2);
    assert!(commit!(db, tx => tx.delete_experience_product(exp(1), product(7))));
    assert!(!commit!(db, tx => tx.delete_experience_product(exp(1), product(7))));
    assert_eq!(db.read().await.list_experience_products(exp(1)).await.unwrap().len(), 1);
    assert_eq!(db.read().await.list_experience_products(exp(3)).await.unwrap().len(), 2);
}

async fn access_is_granted_and_taken(db: &Db) {
    let acme = db.acme().await;
    let other = db.company(2, 1, None).await;
    db.users([2]).await;
    for n in [1, 2] {
        db.experience(n, acme, false).await;
    }
    db.experience(3, other, false).await;
    let has = async |n| db.read().await.has_experience_access(exp(n), user(2)).await.unwrap();
    for n in [1, 2, 3] {
        assert!(!has(n).await);
        commit!(db, tx => tx.insert_experience_access(exp(n), user(2), at(1)));
        commit!(db, tx => tx.insert_experience_access(exp(n), user(2), at(2)));
        assert!(has(n).await);
    }
    assert!(commit!(db, tx => tx.revoke_experience_access(exp(1), user(2))));
    assert!(!commit!(db, tx => tx.revoke_experience_access(exp(1), user(2))));
    commit!(db, tx => tx.revoke_all_experience_access(acme, user(2)));
    assert_eq!((has(1).await, has(2).await, has(3).await), (false, false, true), "other companies' stay");
}

fn everything() -> ExperienceFilter {
    ExperienceFilter { after: i64::MIN, before: i64::MAX, app: None, product: None, viewer: None }
}

async fn lists_filter_and_walk(db: &Db) {
    let acme = db.acme().await;
    db.company(2, 1, None).await;
    db.users([2]).await;
    commit!(db, tx => tx.insert_app(AppId::from_bits(2), None, "Other", at(0)));
    // Odd ones are private; 10 belongs elsewhere; 7 is another app's.
    for n in 1..=9 {
        let of = if n == 7 { AppId::from_bits(2) } else { app() };
        let new = NewExperience { app: of, ..new_experience(n, acme, n % 2 == 0) };
        let time = at(i64::try_from(n).unwrap());
        commit!(db, new, tx => tx.insert_experience(new, time));
    }
    db.experience(10, biz(2), true).await;
    commit!(db, tx => tx.insert_experience_access(exp(3), user(2), at(0)));
    for n in [2, 3, 5] {
        commit!(db, tx => tx.insert_experience_product(acme, exp(n), product(1), at(0)));
    }
    let listed = async |filter: &ExperienceFilter, scan: &Scan| {
        let page = db.read().await.list_experiences(acme, filter, scan).await.unwrap();
        page.into_iter().map(|experience| experience.id.bits()).collect::<Vec<_>>()
    };
    for (filter, expected) in [
        (everything(), vec![1, 2, 3, 4, 5, 6, 7, 8, 9]),
        (ExperienceFilter { viewer: Some(user(2)), ..everything() }, vec![2, 3, 4, 6, 8]),
        (ExperienceFilter { app: Some(AppId::from_bits(2)), ..everything() }, vec![7]),
        (ExperienceFilter { product: Some(product(1)), ..everything() }, vec![2, 3, 5]),
        (ExperienceFilter { product: Some(product(1)), viewer: Some(user(2)), ..everything() }, vec![2, 3]),
        (ExperienceFilter { after: millis(at(3)), before: millis(at(6)), ..everything() }, vec![4, 5]),
    ] {
        assert_eq!(listed(&filter, &scan(false, 100)).await, expected, "{filter:?}");
        let mut down = listed(&filter, &scan(true, 100)).await;
        down.reverse();
        assert_eq!(down, expected, "down: {filter:?}");
    }
    assert_eq!(listed(&everything(), &scan_from(true, at(5), exp(5), 2)).await, [4, 3]);
    commit!(db, tx => tx.delete_experience(exp(4), at(20)));
    assert_eq!(listed(&everything(), &scan_from(true, at(5), exp(5), 2)).await, [3, 2]);
    assert_eq!(
        listed(&everything(), &scan_from(false, at(4), exp(4), 2)).await,
        [5, 6],
        "from a deleted one"
    );
}
