use hallpass_core::id::{AppId, AuthorizedUserId};
use hallpass_core::role::Role;
use hallpass_store::StoreError;

use crate::fixtures::*;

on_both! {
    a_role_is_set_changed_and_taken,
    apps_are_stored_once_and_installed,
    facts_are_remembered_once,
}

async fn a_role_is_set_changed_and_taken(db: &Db) {
    let acme = db.acme().await;
    let role = async || db.read().await.find_standing(acme, user(1)).await.unwrap().role;
    for (n, wanted) in (1..).zip(Role::ALL) {
        let id = AuthorizedUserId::from_bits(n);
        commit!(db, tx => tx.update_team_role(id, acme, user(1), wanted, at(1)));
        assert_eq!(role().await, Some(wanted));
    }
    assert_eq!(db.number("SELECT COUNT(*) FROM authorized_users").await, 1, "one row, one id");
    assert!(commit!(db, tx => tx.revoke_team_role(acme, user(1))));
    assert!(!commit!(db, tx => tx.revoke_team_role(acme, user(1))));
    assert_eq!(role().await, None);
    let refused = db
        .store
        .write((), move |(), tx| {
            Box::pin(tx.update_team_role(AuthorizedUserId::from_bits(1), acme, user(9), Role::Admin, at(1)))
        })
        .await;
    assert!(matches!(refused, Err(StoreError::Conflict)), "{refused:?}");
}

async fn apps_are_stored_once_and_installed(db: &Db) {
    let acme = db.acme().await;
    let own = AppId::from_bits(2);
    for name in ["First", "Second"] {
        commit!(db, tx => tx.insert_app(own, Some(acme), name, at(0)));
    }
    let mut read = db.read().await;
    assert_eq!(read.find_app(own).await.unwrap(), Some((Some(acme), "First".to_owned())));
    assert_eq!(read.find_app(app()).await.unwrap(), Some((None, "Chat".to_owned())));
    assert_eq!(read.find_app(AppId::from_bits(3)).await.unwrap(), None);
    assert!(!read.is_app_installed(own, acme).await.unwrap());
    drop(read);
    for _ in 0..2 {
        commit!(db, tx => tx.insert_app_install(own, acme, at(0)));
    }
    let mut read = db.read().await;
    assert!(read.is_app_installed(own, acme).await.unwrap());
    assert!(!read.is_app_installed(app(), acme).await.unwrap());
    let listed = read.list_company_apps(acme).await.unwrap();
    let [found] = listed.as_slice() else { panic!("{listed:?}") };
    assert_eq!((found.id, found.owner, found.name.as_str()), (own, Some(acme), "First"));
    assert_eq!((found.created_at, found.installed_at), (at(0), Some(at(0))));
    assert_eq!(read.list_company_apps(biz(9)).await.unwrap(), []);
    drop(read);
    for installed in [true, false] {
        assert_eq!(commit!(db, tx => tx.delete_app_install(own, acme)), installed);
        assert!(!db.read().await.is_app_installed(own, acme).await.unwrap());
    }
    assert_eq!(db.read().await.list_company_apps(acme).await.unwrap()[0].installed_at, None);
}

async fn facts_are_remembered_once(db: &Db) {
    assert_eq!(db.read().await.find_fact("mode").await.unwrap(), None);
    assert_eq!(commit!(db, tx => tx.remember_fact("mode", "dev")), "dev");
    assert_eq!(commit!(db, tx => tx.remember_fact("mode", "serve")), "dev");
    assert_eq!(db.read().await.find_fact("mode").await.unwrap().as_deref(), Some("dev"));
}
