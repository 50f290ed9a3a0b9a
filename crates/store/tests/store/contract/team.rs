use hallpass_core::id::AuthorizedUserId;
use hallpass_core::role::Role;
use hallpass_store::{NewUser, Scan, StoreError, TeamFilter};

use crate::fixtures::*;

on_both! {
    a_role_is_set_changed_and_taken,
    a_member_of_a_team_comes_back_as_stored,
    a_role_changes_only_from_the_one_that_was_seen,
    a_team_is_listed_both_ways_and_filtered,
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

fn ausr(n: u128) -> AuthorizedUserId {
    AuthorizedUserId::from_bits(n)
}

async fn a_member_of_a_team_comes_back_as_stored(db: &Db) {
    let acme = db.acme().await;
    let new = NewUser { email: Some("a@b.c".to_owned()), ..new_user(2, Some(acme)) };
    commit!(db, new, tx => tx.insert_user(new, at(0)));
    assert!(commit!(db, tx => tx.insert_team_member(ausr(5), acme, user(2), Role::Support, at(3))));
    // On the team is on the team, in whatever role.
    assert!(!commit!(db, tx => tx.insert_team_member(ausr(6), acme, user(2), Role::Owner, at(4))));
    let found = db.read().await.find_team_member(ausr(5)).await.unwrap().unwrap();
    assert_eq!((found.id, found.company, found.user, found.role), (ausr(5), acme, user(2), Role::Support));
    assert_eq!((found.company_title.as_str(), found.username.as_str()), ("Company 1", "User2"));
    assert_eq!((found.name.as_deref(), found.email.as_deref()), (Some("Name 2"), Some("a@b.c")));
    assert_eq!((found.created_at, found.updated_at), (at(3), at(3)));
    assert_eq!(db.read().await.find_team_member_of(acme, user(2)).await.unwrap(), Some(found));
    assert_eq!(db.read().await.find_team_member_of(acme, user(1)).await.unwrap(), None);
    assert_eq!(db.read().await.find_team_member_of(biz(2), user(2)).await.unwrap(), None);
    assert_eq!(db.read().await.find_team_member(ausr(6)).await.unwrap(), None);
    commit!(db, tx => tx.update_override(acme, user(2), Some(Some("Shown")), None, at(5)));
    let found = db.read().await.find_team_member(ausr(5)).await.unwrap().unwrap();
    assert_eq!(found.name.as_deref(), Some("Shown"));
}

async fn a_role_changes_only_from_the_one_that_was_seen(db: &Db) {
    let acme = db.acme().await;
    db.users([2]).await;
    commit!(db, tx => tx.insert_team_member(ausr(5), acme, user(2), Role::Custom, at(1)));
    db.execute("UPDATE authorized_users SET custom_scopes = 'chat:moderate'").await;
    let role = async || db.read().await.find_standing(acme, user(2)).await.unwrap();
    assert!(!commit!(db, tx => tx.change_team_role(ausr(5), Role::Admin, Role::Owner, at(2))));
    assert!(!commit!(db, tx => tx.change_team_role(ausr(9), Role::Custom, Role::Owner, at(2))));
    assert_eq!(role().await.role, Some(Role::Custom));
    assert!(commit!(db, tx => tx.change_team_role(ausr(5), Role::Custom, Role::Admin, at(2))));
    let found = db.read().await.find_team_member(ausr(5)).await.unwrap().unwrap();
    assert_eq!((found.role, found.created_at, found.updated_at), (Role::Admin, at(1), at(2)));
    assert!(role().await.custom.is_empty(), "what a role added is gone with it");
    assert!(!commit!(db, tx => tx.delete_team_member(ausr(5), Role::Custom)));
    assert!(commit!(db, tx => tx.delete_team_member(ausr(5), Role::Admin)));
    assert!(!commit!(db, tx => tx.delete_team_member(ausr(5), Role::Admin)));
    assert_eq!(role().await.role, None);
}

async fn a_team_is_listed_both_ways_and_filtered(db: &Db) {
    let acme = db.acme().await;
    db.company(2, 1, None).await;
    db.users(2..=7).await;
    for (n, role) in (2_u128..=6).zip([Role::Admin, Role::Support, Role::Admin, Role::Custom, Role::Owner]) {
        let time = at(i64::try_from(n).unwrap());
        commit!(db, tx => tx.insert_team_member(ausr(n), acme, user(n), role, time));
    }
    commit!(db, tx => tx.insert_team_member(ausr(7), biz(2), user(7), Role::Admin, at(4)));
    let all = TeamFilter { after: i64::MIN, before: i64::MAX, role: None, user: None };
    let listed = async |filter: &TeamFilter, scan: &Scan| {
        let found = db.read().await.list_team(acme, filter, scan).await.unwrap();
        found.iter().map(|member| member.user.bits()).collect::<Vec<_>>()
    };
    for (filter, expected) in [
        (all.clone(), vec![2, 3, 4, 5, 6]),
        (TeamFilter { role: Some(Role::Admin), ..all.clone() }, vec![2, 4]),
        (TeamFilter { role: Some(Role::Moderator), ..all.clone() }, vec![]),
        (TeamFilter { user: Some(user(5)), ..all.clone() }, vec![5]),
        (TeamFilter { user: Some(user(7)), ..all.clone() }, vec![]),
        (TeamFilter { after: millis(at(2)), before: millis(at(5)), ..all.clone() }, vec![3, 4]),
    ] {
        assert_eq!(listed(&filter, &scan(false, 100)).await, expected, "{filter:?}");
        let mut down = listed(&filter, &scan(true, 100)).await;
        down.reverse();
        assert_eq!(down, expected, "down: {filter:?}");
    }
    assert_eq!(listed(&all, &scan_from(true, at(5), ausr(5), 2)).await, [4, 3]);
    assert_eq!(listed(&all, &scan_from(false, at(5), ausr(5), 2)).await, [6]);
}

async fn facts_are_remembered_once(db: &Db) {
    assert_eq!(db.read().await.find_fact("mode").await.unwrap(), None);
    assert_eq!(commit!(db, tx => tx.remember_fact("mode", "dev")), "dev");
    assert_eq!(commit!(db, tx => tx.remember_fact("mode", "serve")), "dev");
    assert_eq!(db.read().await.find_fact("mode").await.unwrap().as_deref(), Some("dev"));
}
