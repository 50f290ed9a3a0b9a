use hallpass_core::app::{AppStatus, AppType, ClientType, RegisteredApp, RequestedPermission, ViewPaths};
use hallpass_core::catalogue::scopes::CHAT_READ;
use hallpass_core::id::{AppId, FileId};
use hallpass_store::{AppFilter, AppPatch, NewApp, Scan, StoreError};

use crate::fixtures::*;

on_both! {
    apps_are_stored_once_and_installed,
    an_app_comes_back_as_stored,
    a_patch_changes_what_it_names,
    routes_are_unique,
    secrets_are_kept_and_forgotten,
    owned_apps_are_listed_both_ways_and_filtered,
}

fn id(n: u128) -> AppId {
    AppId::from_bits(100 + n)
}

fn new_app(n: u128) -> NewApp {
    let time = at(i64::try_from(n).unwrap());
    let app = RegisteredApp {
        id: id(n),
        company: Some(biz(1)),
        creator: Some(user(1)),
        name: format!("App {n}"),
        description: None,
        status: AppStatus::Unlisted,
        app_type: AppType::B2b,
        base_url: None,
        route: None,
        paths: ViewPaths::default(),
        client_type: None,
        redirect_uris: Vec::new(),
        requested_permissions: Vec::new(),
        icon: None,
        created_at: time,
        updated_at: time,
    };
    NewApp { app, client_secret_hash: None }
}

async fn store(db: &Db, new: NewApp) {
    commit!(db, new, tx => tx.insert_registered_app(new));
}

async fn found(db: &Db, n: u128) -> RegisteredApp {
    db.read().await.find_registered_app(id(n)).await.unwrap().unwrap()
}

async fn an_app_comes_back_as_stored(db: &Db) {
    db.acme().await;
    let mut new = new_app(1);
    new.app.description = Some("What it does".to_owned());
    new.app.base_url = Some("https://a.test".to_owned());
    new.app.route = Some("a-route".to_owned());
    new.app.client_type = Some(ClientType::Public);
    new.app.icon = Some(FileId::from_bits(8));
    // Byte for byte: what JSON would have to escape, too.
    new.app.redirect_uris = vec!["https://a.test/%2F?x=\u{e9}\"\\".to_owned(), "my.app:/cb".to_owned()];
    new.app.requested_permissions =
        vec![RequestedPermission { action: CHAT_READ, justification: "To read".to_owned(), required: true }];
    new.client_secret_hash = Some([7; 32]);
    store(db, new.clone()).await;
    assert_eq!(found(db, 1).await, new.app);
    let mut read = db.read().await;
    assert_eq!(read.find_client_secret_hash(id(1)).await.unwrap(), Some([7; 32]));
    assert_eq!(read.find_client_secret_hash(id(2)).await.unwrap(), None);
    assert_eq!(read.find_registered_app(id(2)).await.unwrap(), None);
    // What began as a name alone is an app as well.
    let built_in = read.find_registered_app(app()).await.unwrap().unwrap();
    assert_eq!((built_in.company, built_in.creator, built_in.name.as_str()), (None, None, "Chat"));
    drop(read);
    assert!(commit!(db, tx => tx.update_client_secret(id(1), &[8; 32], at(9))));
    assert!(!commit!(db, tx => tx.update_client_secret(id(2), &[8; 32], at(9))));
    assert_eq!(db.read().await.find_client_secret_hash(id(1)).await.unwrap(), Some([8; 32]));
    assert_eq!(found(db, 1).await.updated_at, at(9));
    assert!(commit!(db, tx => tx.lock_app(id(1))));
    assert!(!commit!(db, tx => tx.lock_app(id(2))));
}

async fn a_patch_changes_what_it_names(db: &Db) {
    db.acme().await;
    store(db, new_app(1)).await;
    store(db, new_app(2)).await;
    let text = |text: &str| Some(Some(text.to_owned()));
    let patch = AppPatch {
        name: Some("Other".to_owned()),
        status: Some(AppStatus::Live),
        app_type: Some(AppType::Component),
        redirect_uris: Some(vec!["https://b.test".to_owned()]),
        requested_permissions: Some(vec![RequestedPermission {
            action: CHAT_READ,
            justification: String::new(),
            required: false,
        }]),
        description: text("description"),
        base_url: text("base"),
        route: text("route"),
        dashboard_path: text("dashboard"),
        discover_path: text("discover"),
        experience_path: text("experience"),
        openapi_path: text("openapi"),
        skills_path: text("skills"),
        client_type: Some(Some(ClientType::Confidential)),
        icon: Some(Some(FileId::from_bits(9))),
    };
    let all = patch.clone();
    commit!(db, all, tx => tx.update_app(id(1), all, at(5)));
    let changed = found(db, 1).await;
    assert_eq!(
        (changed.name.as_str(), changed.status, changed.app_type),
        ("Other", AppStatus::Live, AppType::Component)
    );
    assert_eq!(Some(changed.redirect_uris.clone()), patch.redirect_uris);
    assert_eq!(Some(changed.requested_permissions.clone()), patch.requested_permissions);
    for (is, wanted) in [
        (&changed.description, "description"),
        (&changed.base_url, "base"),
        (&changed.route, "route"),
        (&changed.paths.dashboard, "dashboard"),
        (&changed.paths.discover, "discover"),
        (&changed.paths.experience, "experience"),
        (&changed.paths.openapi, "openapi"),
        (&changed.paths.skills, "skills"),
    ] {
        assert_eq!(is.as_deref(), Some(wanted));
    }
    assert_eq!((changed.client_type, changed.updated_at), (Some(ClientType::Confidential), at(5)));
    assert_eq!(changed.icon, Some(FileId::from_bits(9)));
    let nothing = AppPatch::default();
    commit!(db, nothing, tx => tx.update_app(id(1), nothing, at(5)));
    assert_eq!(found(db, 1).await, changed);
    let clear = AppPatch { description: Some(None), client_type: Some(None), ..AppPatch::default() };
    commit!(db, clear, tx => tx.update_app(id(1), clear, at(6)));
    let cleared = found(db, 1).await;
    assert_eq!(
        (cleared.description, cleared.client_type, cleared.base_url),
        (None, None, Some("base".to_owned()))
    );
    assert_eq!(found(db, 2).await, new_app(2).app, "and no other one");
}

async fn routes_are_unique(db: &Db) {
    db.acme().await;
    for n in [1, 2] {
        store(db, new_app(n)).await;
    }
    let patch = AppPatch { route: Some(Some("mine".to_owned())), ..AppPatch::default() };
    let first = patch.clone();
    commit!(db, first, tx => tx.update_app(id(1), first, at(5)));
    assert!(db.read().await.is_app_route_taken("mine", id(2)).await.unwrap());
    assert!(!db.read().await.is_app_route_taken("mine", id(1)).await.unwrap());
    assert!(!db.read().await.is_app_route_taken("other", id(2)).await.unwrap());
    let refused = db.store.write(patch, |patch, tx| Box::pin(tx.update_app(id(2), patch, at(6)))).await;
    assert!(matches!(refused, Err(StoreError::Conflict)), "{refused:?}");
    let mut third = new_app(3);
    third.app.route = Some("mine".to_owned());
    let refused = db.store.write(third, |third, tx| Box::pin(tx.insert_registered_app(third))).await;
    assert!(matches!(refused, Err(StoreError::Conflict)), "{refused:?}");
}

async fn secrets_are_kept_and_forgotten(db: &Db) {
    db.acme().await;
    store(db, new_app(1)).await;
    let kept = async || db.read().await.find_app_secrets(id(1)).await.unwrap();
    assert_eq!(kept().await, None);
    commit!(db, tx => tx.update_app_secrets(id(1), Some(b"sealed"), at(5)));
    assert_eq!(kept().await.as_deref(), Some(b"sealed".as_slice()));
    assert_eq!(db.read().await.find_app_secrets(id(2)).await.unwrap(), None);
    commit!(db, tx => tx.update_app_secrets(id(1), None, at(6)));
    assert_eq!(kept().await, None);
}

async fn owned_apps_are_listed_both_ways_and_filtered(db: &Db) {
    let acme = db.acme().await;
    db.company(2, 1, None).await;
    for n in 1..=5 {
        let mut new = new_app(n);
        if n == 3 {
            new.app.app_type = AppType::B2c;
        }
        if n == 5 {
            new.app.company = Some(biz(2));
        }
        store(db, new).await;
    }
    let patch = AppPatch { discover_path: Some(Some("/d".to_owned())), ..AppPatch::default() };
    commit!(db, patch, tx => tx.update_app(id(2), patch, at(9)));
    let listed = async |filter: &AppFilter, scan: &Scan| {
        let found = db.read().await.list_owned_apps(acme, filter, scan).await.unwrap();
        found.iter().map(|app| app.id.bits() - 100).collect::<Vec<_>>()
    };
    let all = AppFilter::default();
    for (filter, expected) in [
        (all.clone(), vec![1, 2, 3, 4]),
        (AppFilter { app_type: Some(AppType::B2c), ..all.clone() }, vec![3]),
        (AppFilter { query: "aPP 4".to_owned(), ..all.clone() }, vec![4]),
        (AppFilter { query: "5".to_owned(), ..all.clone() }, vec![]),
        (AppFilter { view: "discover".to_owned(), ..all.clone() }, vec![2]),
        (AppFilter { view: "hub".to_owned(), ..all.clone() }, vec![]),
        (AppFilter { view: "nonsense".to_owned(), ..all.clone() }, vec![]),
    ] {
        assert_eq!(listed(&filter, &scan(false, 100)).await, expected, "{filter:?}");
        let mut down = listed(&filter, &scan(true, 100)).await;
        down.reverse();
        assert_eq!(down, expected, "down: {filter:?}");
    }
    assert_eq!(listed(&all, &scan_from(true, at(3), id(3), 1)).await, [2]);
    assert_eq!(listed(&all, &scan_from(false, at(3), id(3), 5)).await, [4]);
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
