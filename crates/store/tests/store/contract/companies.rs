use hallpass_core::entity::Company;
use hallpass_core::id::FileId;
use hallpass_store::{CompanyFilter, CompanyPatch, NewCompany, StoreError};

use crate::fixtures::*;

on_both! {
    a_company_comes_back_as_stored,
    what_a_company_must_have_is_checked,
    a_patch_changes_what_it_names,
    settings_change_apart,
    routes_are_unique,
    a_connected_account_is_cut_off_once,
    an_owner_may_own_several_connected_accounts,
    a_lock_says_whether_there_is_something_to_lock,
    lists_walk_both_ways_within_bounds,
    every_company_is_listed_by_its_id,
}

async fn find(db: &Db, n: u128) -> Option<Company> {
    db.read().await.find_company(biz(n)).await.unwrap()
}

async fn a_company_comes_back_as_stored(db: &Db) {
    db.acme().await;
    let new = NewCompany {
        description: Some("what".to_owned()),
        metadata: Some("{\"a\":1}".to_owned()),
        country: Some("de".to_owned()),
        send_customer_emails: false,
        explicit_scopes: true,
        open_enrolment: true,
        ..new_company(2, user(1), Some(biz(1)))
    };
    commit!(db, new, tx => tx.insert_company(new, at(7)));
    let found = find(db, 2).await.unwrap();
    assert_eq!(
        found,
        Company {
            logo: None,
            banner: None,
            id: biz(2),
            parent: Some(biz(1)),
            owner: user(1),
            title: "Company 2".to_owned(),
            route: "company-2".to_owned(),
            description: Some("what".to_owned()),
            metadata: Some("{\"a\":1}".to_owned()),
            country: Some("de".to_owned()),
            target_audience: None,
            affiliate_instructions: None,
            social_links: "[]".to_owned(),
            send_customer_emails: false,
            explicit_scopes: true,
            open_enrolment: true,
            member_count: 0,
            created_at: at(7),
            updated_at: at(7),
        }
    );
    assert_eq!(find(db, 3).await, None);
}

async fn what_a_company_must_have_is_checked(db: &Db) {
    db.acme().await;
    let same_route = NewCompany { route: "company-1".to_owned(), ..new_company(2, user(1), None) };
    for new in [
        new_company(1, user(1), None),
        same_route,
        new_company(2, user(9), None),
        new_company(2, user(1), Some(biz(9))),
    ] {
        let refused = db.store.write(new, |new, tx| Box::pin(tx.insert_company(new, at(0)))).await;
        assert!(matches!(refused, Err(StoreError::Conflict)), "{refused:?}");
    }
    assert_eq!(find(db, 2).await, None);
}

async fn a_patch_changes_what_it_names(db: &Db) {
    db.acme().await;
    let text = |text: &str| Some(Some(text.to_owned()));
    let patch = CompanyPatch {
        title: Some("T".to_owned()),
        route: Some("r".to_owned()),
        description: text("d"),
        target_audience: text("t"),
        affiliate_instructions: text("a"),
        social_links: Some("[1]".to_owned()),
        send_customer_emails: Some(false),
        metadata: text("{}"),
        logo: Some(Some(FileId::from_bits(7))),
        banner: Some(Some(FileId::from_bits(8))),
        country: text("de"),
    };
    commit!(db, patch, tx => tx.update_company(biz(1), patch, at(8)));
    let full = find(db, 1).await.unwrap();
    assert_eq!((full.title.as_str(), full.route.as_str()), ("T", "r"));
    assert_eq!((full.description.as_deref(), full.metadata.as_deref()), (Some("d"), Some("{}")));
    assert_eq!(
        (full.target_audience.as_deref(), full.affiliate_instructions.as_deref()),
        (Some("t"), Some("a"))
    );
    assert_eq!((full.social_links.as_str(), full.send_customer_emails), ("[1]", false));
    assert_eq!((full.logo, full.banner), (Some(FileId::from_bits(7)), Some(FileId::from_bits(8))));
    assert_eq!(full.updated_at, at(8));
    assert_eq!(full.country.as_deref(), Some("de"));

    let nothing = CompanyPatch::default();
    commit!(db, nothing, tx => tx.update_company(biz(1), nothing, at(9)));
    assert_eq!(find(db, 1).await.unwrap(), Company { updated_at: at(9), ..full });

    let clear = CompanyPatch {
        description: Some(None),
        target_audience: Some(None),
        affiliate_instructions: Some(None),
        metadata: Some(None),
        logo: Some(None),
        country: Some(None),
        ..CompanyPatch::default()
    };
    commit!(db, clear, tx => tx.update_company(biz(1), clear, at(10)));
    let bare = find(db, 1).await.unwrap();
    assert_eq!((bare.description, bare.metadata, bare.country), (None, None, None));
    assert_eq!((bare.target_audience, bare.affiliate_instructions), (None, None));
}

async fn settings_change_apart(db: &Db) {
    db.acme().await;
    assert!(commit!(db, tx => tx.update_company_settings(biz(1), Some(true), None, at(1))));
    assert!(commit!(db, tx => tx.update_company_settings(biz(1), None, Some(true), at(2))));
    assert!(!commit!(db, tx => tx.update_company_settings(biz(9), Some(true), None, at(1))));
    let found = find(db, 1).await.unwrap();
    assert!(found.explicit_scopes && found.open_enrolment && found.send_customer_emails);
    assert_eq!(found.updated_at, at(2));
}

async fn routes_are_unique(db: &Db) {
    db.acme().await;
    db.company(2, 1, None).await;
    let mut read = db.read().await;
    assert!(read.is_route_taken("company-1", biz(2)).await.unwrap());
    assert!(!read.is_route_taken("company-1", biz(1)).await.unwrap());
    assert!(!read.is_route_taken("free", biz(1)).await.unwrap());
    drop(read);
    let patch = CompanyPatch { route: Some("company-1".to_owned()), ..CompanyPatch::default() };
    let refused = db.store.write(patch, |patch, tx| Box::pin(tx.update_company(biz(2), patch, at(0)))).await;
    assert!(matches!(refused, Err(StoreError::Conflict)), "{refused:?}");
}

async fn a_connected_account_is_cut_off_once(db: &Db) {
    db.acme().await;
    db.company(2, 1, Some(1)).await;
    assert!(commit!(db, tx => tx.detach_company(biz(2), at(5))));
    assert!(!commit!(db, tx => tx.detach_company(biz(2), at(6))));
    assert!(!commit!(db, tx => tx.detach_company(biz(1), at(6))));
    let found = find(db, 2).await.unwrap();
    assert_eq!((found.parent, found.updated_at), (None, at(5)));
}

async fn an_owner_may_own_several_connected_accounts(db: &Db) {
    let acme = db.acme().await;
    db.users([2]).await;
    for (n, owner, parent) in
        [(2, 2, Some(1)), (3, 2, Some(1)), (4, 2, Some(2)), (5, 1, Some(1)), (6, 1, None)]
    {
        db.company(n, owner, parent).await;
    }
    for (parent, owner, but, owns) in [
        (acme, 2, 2, true),
        (acme, 2, 4, true),
        (acme, 1, 5, false),
        (biz(2), 2, 4, false),
        (acme, 9, 2, false),
    ] {
        let found = db.read().await.owns_another_child(parent, user(owner), biz(but)).await.unwrap();
        assert_eq!(found, owns, "{parent} {owner} {but}");
    }
}

async fn a_lock_says_whether_there_is_something_to_lock(db: &Db) {
    db.acme().await;
    assert!(commit!(db, tx => tx.lock_company(biz(1))));
    assert!(!commit!(db, tx => tx.lock_company(biz(2))));
    assert_eq!(find(db, 1).await.unwrap().updated_at, at(1), "a lock changes nothing");
}

async fn lists_walk_both_ways_within_bounds(db: &Db) {
    db.acme().await;
    db.users([2]).await;
    // Children 11..=20, two to each millisecond.
    for n in 11..=20_u128 {
        let new = new_company(n, user(2), Some(biz(1)));
        let time = at(i64::try_from(n / 2).unwrap());
        commit!(db, new, tx => tx.insert_company(new, time));
    }
    // One that somebody else owns.
    db.company(30, 1, None).await;
    let all = (i64::MIN, i64::MAX);
    for filter in [
        CompanyFilter::ChildrenOf(biz(1)),
        CompanyFilter::Family(biz(1)),
        CompanyFilter::OwnedBy(user(2)),
        CompanyFilter::OwnedWithin(user(2), biz(1)),
    ] {
        for descending in [false, true] {
            let mut walked = Vec::new();
            let mut scan = scan(descending, 3);
            loop {
                let page = db.read().await.list_companies(&filter, all, &scan).await.unwrap();
                let Some(last) = page.last() else { break };
                scan = scan_from(descending, last.created_at, last.id, 3);
                walked.extend(page.iter().map(|company| company.id.bits()));
            }
            // A family is also the company itself, which was made first.
            let itself = matches!(filter, CompanyFilter::Family(_)).then_some(1);
            let mut expected: Vec<u128> = itself.into_iter().chain(11..=20).collect();
            if descending {
                expected.reverse();
            }
            assert_eq!(walked, expected, "{filter:?}");
        }
        // Both bounds are exclusive.
        let within = (millis(at(6)), millis(at(9)));
        for descending in [false, true] {
            let page = db.read().await.list_companies(&filter, within, &scan(descending, 100)).await.unwrap();
            let mut walked: Vec<u128> = page.iter().map(|company| company.id.bits()).collect();
            walked.sort_unstable();
            assert_eq!(walked, [14, 15, 16, 17]);
            let inside = scan_from(descending, at(7), biz(15), 100);
            let page = db.read().await.list_companies(&filter, within, &inside).await.unwrap();
            let walked: Vec<u128> = page.iter().map(|company| company.id.bits()).collect();
            assert_eq!(walked, if descending { vec![14] } else { vec![16, 17] });
        }
    }
    for nothing in [
        CompanyFilter::OwnedBy(user(9)),
        CompanyFilter::OwnedWithin(user(9), biz(1)),
        CompanyFilter::OwnedWithin(user(2), biz(30)),
    ] {
        assert_eq!(db.read().await.list_companies(&nothing, all, &scan(true, 9)).await.unwrap(), []);
    }
    // One's own account is within itself.
    let one = CompanyFilter::OwnedWithin(user(2), biz(15));
    let one = db.read().await.list_companies(&one, all, &scan(true, 9)).await.unwrap();
    assert_eq!(one.iter().map(|company| company.id).collect::<Vec<_>>(), [biz(15)]);
}

async fn every_company_is_listed_by_its_id(db: &Db) {
    db.acme().await;
    for n in 2..=7 {
        db.company(n, 1, Some(1)).await;
    }
    let list = async |after, limit| {
        let page = db.read().await.list_every_company(after, limit).await.unwrap();
        page.iter().map(|company| company.id.bits()).collect::<Vec<u128>>()
    };
    assert_eq!(list(None, 3).await, [7, 6, 5]);
    assert_eq!(list(Some(biz(5)), 100).await, [4, 3, 2, 1]);
    assert_eq!(list(Some(biz(1)), 100).await, [0; 0]);
}
