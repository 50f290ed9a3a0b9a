use hallpass_core::entity::ApiKey;
use hallpass_core::id::{ApiKeyId, CompanyId};
use hallpass_core::role::Role;
use hallpass_core::scope::ScopeSet;
use hallpass_core::statement::{KeyRights, Pattern, Statement};
use hallpass_store::{NewApiKey, StoreError};

use crate::fixtures::*;

on_both! {
    a_key_comes_back_as_stored,
    a_secret_belongs_to_one_key,
    live_keys_are_counted,
    a_key_is_revoked_once,
    last_use_only_moves_forward,
    lists_walk_both_ways,
    an_app_s_first_key_that_lives_is_found,
}

fn key(n: u128) -> ApiKeyId {
    ApiKeyId::from_bits(n)
}

fn new_key(n: u8, company: CompanyId) -> NewApiKey {
    NewApiKey {
        key: ApiKey {
            id: key(n.into()),
            company,
            app: None,
            rights: KeyRights::Role(Role::Admin),
            name: None,
            hint: format!("hpk_{n}…"),
            created_at: at(i64::from(n / 2)),
            last_used_at: None,
            expires_at: None,
            revoked_at: None,
        },
        secret_hash: [n; 32],
    }
}

async fn add(db: &Db, new: NewApiKey) {
    commit!(db, new, tx => tx.insert_api_key(new));
}

async fn a_key_comes_back_as_stored(db: &Db) {
    let acme = db.acme().await;
    let mut new = new_key(1, acme);
    new.key.app = Some(app());
    new.key.name = Some("server".to_owned());
    new.key.expires_at = Some(at(99));
    new.key.rights = KeyRights::Statements(vec![Statement {
        actions: ScopeSet::parse("chat:message:create chat:read").unwrap(),
        grant: true,
        resources: vec![Pattern::try_from("biz_*|exp_*".to_owned()).unwrap()],
    }]);
    let expected = new.key.clone();
    add(db, new).await;
    let mut read = db.read().await;
    assert_eq!(read.find_api_key(key(1)).await.unwrap().as_ref(), Some(&expected));
    assert_eq!(read.find_api_key_by_hash(&[1; 32]).await.unwrap().as_ref(), Some(&expected));
    assert_eq!(read.find_api_key(key(2)).await.unwrap(), None);
    assert_eq!(read.find_api_key_by_hash(&[2; 32]).await.unwrap(), None);
}

async fn a_secret_belongs_to_one_key(db: &Db) {
    let acme = db.acme().await;
    add(db, new_key(1, acme)).await;
    let same_secret = NewApiKey { secret_hash: [1; 32], ..new_key(2, acme) };
    for new in [same_secret, new_key(1, acme), new_key(3, biz(9))] {
        let refused = db.store.write(new, |new, tx| Box::pin(tx.insert_api_key(new))).await;
        assert!(matches!(refused, Err(StoreError::Conflict)), "{refused:?}");
    }
}

async fn live_keys_are_counted(db: &Db) {
    let acme = db.acme().await;
    db.company(2, 1, None).await;
    let mut expiring = new_key(3, acme);
    expiring.key.expires_at = Some(at(50));
    for new in [new_key(1, acme), new_key(2, acme), expiring, new_key(4, biz(2))] {
        add(db, new).await;
    }
    let count = async |time| db.read().await.count_live_api_keys(acme, at(time)).await.unwrap();
    assert_eq!((count(49).await, count(50).await), (3, 2), "at the instant it expires it is dead");
    commit!(db, tx => tx.revoke_api_key(key(1), at(10)));
    assert_eq!((count(49).await, count(50).await), (2, 1));
}

async fn a_key_is_revoked_once(db: &Db) {
    let acme = db.acme().await;
    add(db, new_key(1, acme)).await;
    assert!(commit!(db, tx => tx.revoke_api_key(key(1), at(10))));
    assert!(!commit!(db, tx => tx.revoke_api_key(key(1), at(11))));
    assert!(!commit!(db, tx => tx.revoke_api_key(key(2), at(11))));
    assert_eq!(db.read().await.find_api_key(key(1)).await.unwrap().unwrap().revoked_at, Some(at(10)));
}

async fn last_use_only_moves_forward(db: &Db) {
    let acme = db.acme().await;
    add(db, new_key(1, acme)).await;
    for (time, expected) in [(10, 10), (5, 10), (11, 11)] {
        commit!(db, tx => tx.update_api_key_last_used(key(1), at(time)));
        let found = db.read().await.find_api_key(key(1)).await.unwrap().unwrap();
        assert_eq!(found.last_used_at, Some(at(expected)));
    }
}

async fn lists_walk_both_ways(db: &Db) {
    let acme = db.acme().await;
    db.company(2, 1, None).await;
    for n in 1..=9 {
        add(db, new_key(n, acme)).await;
    }
    add(db, new_key(10, biz(2))).await;
    for descending in [false, true] {
        let mut walked = Vec::new();
        let mut scan = scan(descending, 2);
        loop {
            let page = db.read().await.list_api_keys(acme, &scan).await.unwrap();
            let Some(last) = page.last() else { break };
            scan = scan_from(descending, last.created_at, last.id, 2);
            walked.extend(page.iter().map(|key| key.id.bits()));
        }
        if descending {
            walked.reverse();
        }
        assert_eq!(walked, (1..=9).collect::<Vec<_>>());
    }
}

async fn an_app_s_first_key_that_lives_is_found(db: &Db) {
    let acme = db.acme().await;
    for (n, of_app, expires) in [(1, false, None), (2, true, Some(50)), (4, true, None), (6, true, None)] {
        let mut new = new_key(n, acme);
        new.key.app = of_app.then(app);
        new.key.expires_at = expires.map(at);
        add(db, new).await;
    }
    let first = async |time| db.read().await.find_app_key(app(), at(time)).await.unwrap();
    assert_eq!((first(49).await, first(50).await), (Some(key(2)), Some(key(4))));
    commit!(db, tx => tx.revoke_api_key(key(4), at(10)));
    assert_eq!(first(50).await, Some(key(6)));
    assert_eq!(
        db.read().await.find_app_key(hallpass_core::id::AppId::from_bits(9), at(1)).await.unwrap(),
        None
    );
}
