use hallpass_core::ScopeSet;
use hallpass_core::id::{AppId, PersonId};
use hallpass_core::oauth::Consent;
use hallpass_store::{NewUser, StoreError};

use crate::fixtures::*;

on_both! {
    what_was_allowed_is_kept_per_user_app_and_company,
    a_person_s_list_is_that_of_all_their_users,
    it_is_forgotten_once,
    it_is_held_as_it_is,
}

fn scopes(text: &str) -> ScopeSet {
    ScopeSet::parse(text).unwrap()
}

async fn allow(db: &Db, of: u128, company: Option<u128>, text: &str, time: i64) {
    let (company, scopes) = (company.map(biz), scopes(text));
    commit!(db, tx => tx.put_consent(user(of), app(), company, &scopes, at(time)));
}

async fn what_was_allowed_is_kept_per_user_app_and_company(db: &Db) {
    db.acme().await;
    db.users([2]).await;
    allow(db, 1, None, "openid", 1).await;
    allow(db, 1, Some(1), "chat:read openid", 2).await;
    allow(db, 1, None, "email openid", 3).await;
    let found = async |of, app_id, company: Option<u128>| {
        db.read().await.find_consent(user(of), app_id, company.map(biz)).await.unwrap()
    };
    let expected = Consent {
        user: user(1),
        app: app(),
        company: None,
        scopes: scopes("email openid"),
        created_at: at(1),
        updated_at: at(3),
    };
    assert_eq!(found(1, app(), None).await, Some(expected));
    assert_eq!(found(1, app(), Some(1)).await.unwrap().scopes, scopes("chat:read openid"));
    assert_eq!(found(1, app(), Some(2)).await, None);
    assert_eq!(found(2, app(), None).await, None);
    assert_eq!(found(1, AppId::from_bits(9), None).await, None);
}

async fn a_person_s_list_is_that_of_all_their_users(db: &Db) {
    db.acme().await;
    let person = PersonId::from_bits(5);
    let own = NewUser { person: Some(person), ..new_user(5, None) };
    let linked = NewUser { person: Some(person), ..new_user(6, Some(biz(1))) };
    let data = (own, linked);
    commit!(db, data, tx => async {
        tx.insert_person(person, "a@b.test", Some("phc"), at(0)).await?;
        assert!(tx.insert_user(&data.0, at(0)).await?);
        assert!(tx.insert_user(&data.1, at(0)).await?);
        Ok::<_, StoreError>(())
    });
    allow(db, 1, None, "openid", 1).await;
    allow(db, 5, None, "openid", 1).await;
    allow(db, 6, Some(1), "openid", 2).await;
    let list = db.read().await.list_consents(person, 10).await.unwrap();
    let of: Vec<_> = list.iter().map(|consent| (consent.user, consent.company)).collect();
    assert_eq!(of, [(user(6), Some(biz(1))), (user(5), None)]);
    assert_eq!(db.read().await.list_consents(person, 1).await.unwrap().len(), 1);
}

async fn it_is_forgotten_once(db: &Db) {
    db.acme().await;
    allow(db, 1, None, "openid", 1).await;
    assert!(!commit!(db, tx => tx.delete_consent(user(1), app(), Some(biz(1)))));
    assert!(commit!(db, tx => tx.delete_consent(user(1), app(), None)));
    assert!(!commit!(db, tx => tx.delete_consent(user(1), app(), None)));
}

async fn it_is_held_as_it_is(db: &Db) {
    db.acme().await;
    allow(db, 1, None, "openid", 1).await;
    let held = commit!(db, tx => tx.lock_consent(user(1), app(), None));
    assert_eq!(held, Some(scopes("openid")));
    assert_eq!(commit!(db, tx => tx.lock_consent(user(1), app(), Some(biz(1)))), None);
}
