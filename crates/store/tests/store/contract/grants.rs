use hallpass_core::ScopeSet;
use hallpass_core::id::GrantId;
use hallpass_core::oauth::{Authorization, Grant, RevokedFor};
use hallpass_core::session::Amr;
use hallpass_store::Rotation;

use super::sessions::{self, sess};
use crate::fixtures::*;

on_both! {
    a_grant_comes_back_as_stored,
    threat_16_only_the_token_in_force_is_rotated_and_once,
    a_grant_that_ended_is_not_rotated,
    grants_are_revoked_alone_by_app_and_by_session,
    old_grants_are_forgotten,
    a_user_s_grants_are_revoked_in_a_company_or_everywhere,
}

fn grant(n: u128) -> GrantId {
    GrantId::from_bits(n)
}

fn new_grant(n: u128, session: u128, company: Option<u128>) -> Grant {
    Grant {
        id: grant(n),
        authorization: Authorization {
            app: app(),
            user: user(1),
            company: company.map(biz),
            session: sess(session),
            scopes: ScopeSet::parse("chat:read openid").unwrap(),
            auth_time: at(1),
            amr: vec![Amr::Pwd],
        },
        client_authenticated: true,
        number: 1,
        token_hash: [1; 32],
        previous_hash: None,
        successor: None,
        rotated_at: None,
        created_at: at(10),
        idle_expires_at: at(100),
        expires_at: at(300),
        revoked_at: None,
    }
}

async fn add(db: &Db, grants: &[Grant]) {
    for new in grants {
        db.store.write(new.clone(), |new, tx| Box::pin(tx.insert_grant(new))).await.unwrap();
    }
}

async fn ready(db: &Db) {
    db.acme().await;
    sessions::some_sessions(db).await;
}

async fn found(db: &Db, n: u128) -> Option<Grant> {
    db.read().await.find_grant(grant(n)).await.unwrap()
}

/// Token `number` with its number for a hash becomes the next.
fn rotation(number: u8, time: i64) -> Rotation {
    Rotation {
        grant: grant(1),
        number: number.into(),
        presented: [number; 32],
        next: [number + 1; 32],
        successor: Some(vec![number]),
        at: at(time),
        idle_expires_at: at(time + 90),
    }
}

async fn rotate(db: &Db, rotation: Rotation) -> bool {
    db.store.write(rotation, |rotation, tx| Box::pin(tx.rotate_refresh_token(rotation))).await.unwrap()
}

async fn a_grant_comes_back_as_stored(db: &Db) {
    ready(db).await;
    add(db, &[new_grant(1, 1, Some(1)), new_grant(2, 1, None)]).await;
    assert_eq!(found(db, 1).await, Some(new_grant(1, 1, Some(1))));
    assert_eq!(found(db, 2).await, Some(new_grant(2, 1, None)));
    assert_eq!(found(db, 3).await, None);
}

async fn threat_16_only_the_token_in_force_is_rotated_and_once(db: &Db) {
    ready(db).await;
    add(db, &[new_grant(1, 1, None)]).await;
    let tries = (0..20).map(|_| rotate(db, rotation(1, 20)));
    let won = futures_util::future::join_all(tries).await.into_iter().filter(|won| *won).count();
    assert_eq!(won, 1);
    let now = found(db, 1).await.unwrap();
    assert_eq!((now.number, now.token_hash, now.previous_hash), (2, [2; 32], Some([1; 32])));
    assert_eq!((now.successor, now.rotated_at), (Some(vec![1]), Some(at(20))));
    assert_eq!(now.idle_expires_at, at(110));
    assert!(!rotate(db, Rotation { presented: [9; 32], ..rotation(2, 21) }).await, "another text");
    assert!(!rotate(db, Rotation { grant: grant(2), ..rotation(2, 21) }).await, "no such grant");
    assert!(!rotate(db, Rotation { number: 3, ..rotation(2, 21) }).await, "another number");
    assert!(rotate(db, rotation(2, 21)).await);
}

async fn a_grant_that_ended_is_not_rotated(db: &Db) {
    ready(db).await;
    add(db, &[new_grant(1, 1, None)]).await;
    assert!(!rotate(db, rotation(1, 100)).await, "idle for too long");
    assert!(rotate(db, rotation(1, 99)).await);
    assert!(rotate(db, Rotation { idle_expires_at: at(900), ..rotation(2, 180) }).await);
    assert!(!rotate(db, rotation(3, 300)).await, "at its end, however it was used");
    assert!(commit!(db, tx => tx.revoke_grant(grant(1), RevokedFor::TokenReuse, at(200))));
    assert!(!rotate(db, rotation(3, 201)).await, "revoked");
    assert_eq!(db.texts("SELECT revoked_for FROM grants").await, ["token_reuse"]);
}

async fn grants_are_revoked_alone_by_app_and_by_session(db: &Db) {
    ready(db).await;
    let all =
        [new_grant(1, 1, None), new_grant(2, 1, Some(1)), new_grant(3, 2, None), new_grant(4, 2, Some(1))];
    add(db, &all).await;
    rotate(db, rotation(1, 20)).await;
    assert!(commit!(db, tx => tx.revoke_grant(grant(1), RevokedFor::Client, at(30))));
    assert!(!commit!(db, tx => tx.revoke_grant(grant(1), RevokedFor::Client, at(31))));
    let now = found(db, 1).await.unwrap();
    assert_eq!((now.revoked_at, now.successor), (Some(at(30)), None), "its successor is gone");
    let by_app = commit!(db, tx => tx.revoke_grants_of_app(user(1), app(), None, at(32)));
    assert_eq!(by_app, [grant(3)]);
    commit!(db, tx => tx.revoke_grants_of_session(sess(2), at(33)));
    let ended = async |n| found(db, n).await.unwrap().revoked_at;
    assert_eq!([ended(2).await, ended(3).await, ended(4).await], [None, Some(at(32)), Some(at(33))]);
}

async fn old_grants_are_forgotten(db: &Db) {
    ready(db).await;
    add(db, &[new_grant(1, 1, None)]).await;
    commit!(db, tx => tx.prune_grants(at(100)));
    assert!(found(db, 1).await.is_some());
    commit!(db, tx => tx.prune_grants(at(101)));
    assert!(found(db, 1).await.is_none());
}

async fn a_user_s_grants_are_revoked_in_a_company_or_everywhere(db: &Db) {
    ready(db).await;
    add(db, &[new_grant(1, 1, None), new_grant(2, 1, Some(1)), new_grant(3, 2, Some(2))]).await;
    commit!(db, tx => tx.revoke_grants_of_user(user(1), Some(biz(1)), at(30)));
    let ended = async |n| found(db, n).await.unwrap().revoked_at;
    assert_eq!([ended(1).await, ended(2).await, ended(3).await], [None, Some(at(30)), None]);
    commit!(db, tx => tx.revoke_grants_of_user(user(2), None, at(31)));
    commit!(db, tx => tx.revoke_grants_of_user(user(1), None, at(32)));
    assert_eq!([ended(1).await, ended(2).await, ended(3).await], [Some(at(32)), Some(at(30)), Some(at(32))]);
}
