use hallpass_core::ScopeSet;
use hallpass_core::id::GrantId;
use hallpass_core::oauth::{Authorization, AuthorizationCode};
use hallpass_core::session::Amr;

use super::sessions::sess;
use crate::fixtures::*;

on_both! {
    a_code_comes_back_as_stored,
    threat_16_a_code_is_used_once_whoever_comes,
    old_codes_are_forgotten,
    the_codes_of_an_app_are_used_up,
}

fn code() -> AuthorizationCode {
    AuthorizationCode {
        grant: GrantId::from_bits(1),
        authorization: Authorization {
            app: app(),
            user: user(1),
            company: Some(biz(1)),
            session: sess(1),
            scopes: ScopeSet::parse("chat:read openid").unwrap(),
            auth_time: at(1),
            amr: vec![Amr::Otp],
        },
        redirect_uri: "myapp://auth/callback".into(),
        code_challenge: Some("challenge".into()),
        nonce: Some("nonce".into()),
        created_at: at(10),
        expires_at: at(70),
        consumed_at: None,
    }
}

async fn add(db: &Db, hash: u8) {
    db.store
        .write((), move |(), tx| {
            Box::pin(async move { tx.insert_authorization_code(&[hash; 32], &code()).await })
        })
        .await
        .unwrap();
}

async fn a_code_comes_back_as_stored(db: &Db) {
    add(db, 1).await;
    let found = async |hash: u8| db.read().await.find_authorization_code(&[hash; 32]).await.unwrap();
    assert_eq!(found(1).await, Some(code()));
    assert_eq!(found(2).await, None);
}

async fn threat_16_a_code_is_used_once_whoever_comes(db: &Db) {
    add(db, 1).await;
    let tries = (0..20).map(|_| {
        db.store.write((), |(), tx| {
            Box::pin(async move { tx.consume_authorization_code(&[1; 32], at(20)).await })
        })
    });
    let won: usize =
        futures_util::future::join_all(tries).await.into_iter().map(|won| usize::from(won.unwrap())).sum();
    assert_eq!(won, 1);
    let found = db.read().await.find_authorization_code(&[1; 32]).await.unwrap().unwrap();
    assert_eq!(found.consumed_at, Some(at(20)), "kept, so that a second use is known for one");
}

async fn old_codes_are_forgotten(db: &Db) {
    add(db, 1).await;
    commit!(db, tx => tx.prune_authorization_codes(at(70)));
    assert!(db.read().await.find_authorization_code(&[1; 32]).await.unwrap().is_some());
    commit!(db, tx => tx.prune_authorization_codes(at(71)));
    assert!(db.read().await.find_authorization_code(&[1; 32]).await.unwrap().is_none());
}

async fn the_codes_of_an_app_are_used_up(db: &Db) {
    add(db, 1).await;
    let used = async || db.read().await.find_authorization_code(&[1; 32]).await.unwrap().unwrap().consumed_at;
    commit!(db, tx => tx.consume_codes_of_app(user(1), app(), None, at(20)));
    commit!(db, tx => tx.consume_codes_of_app(user(2), app(), Some(biz(1)), at(20)));
    assert_eq!(used().await, None, "of another company, of another user");
    commit!(db, tx => tx.consume_codes_of_app(user(1), app(), Some(biz(1)), at(21)));
    commit!(db, tx => tx.consume_codes_of_app(user(1), app(), Some(biz(1)), at(22)));
    assert_eq!(used().await, Some(at(21)));
}
