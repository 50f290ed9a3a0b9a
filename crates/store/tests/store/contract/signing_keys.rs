use hallpass_store::{KeyState, SigningKeyRow};

use crate::fixtures::*;

on_both! {
    a_key_comes_back_as_stored,
    one_key_signs_and_one_waits,
    a_key_moves_only_from_where_it_is,
}

fn row(kid: &str, state: KeyState, time: i64) -> SigningKeyRow {
    SigningKeyRow {
        kid: kid.to_owned(),
        state,
        public_jwk: format!("{{\"kid\":\"{kid}\"}}"),
        sealed: vec![0, 255, 7],
        created_at: at(time),
        changed_at: at(time),
    }
}

async fn listed(db: &Db) -> Vec<(String, KeyState)> {
    let keys = db.read().await.list_signing_keys().await.unwrap();
    keys.into_iter().map(|key| (key.kid, key.state)).collect()
}

async fn a_key_comes_back_as_stored(db: &Db) {
    let new = row("a", KeyState::Active, 5);
    assert!(commit!(db, new, tx => tx.insert_signing_key(new)));
    let [found] = db.read().await.list_signing_keys().await.unwrap().try_into().unwrap();
    assert_eq!((found.kid.as_str(), found.state), ("a", KeyState::Active));
    assert_eq!((found.public_jwk.as_str(), found.sealed), ("{\"kid\":\"a\"}", vec![0, 255, 7]));
    assert_eq!((found.created_at, found.changed_at), (at(5), at(5)));
}

async fn one_key_signs_and_one_waits(db: &Db) {
    for (kid, state, stored) in [
        ("a", KeyState::Active, true),
        ("b", KeyState::Active, false),
        ("b", KeyState::Next, true),
        ("c", KeyState::Next, false),
        ("a", KeyState::Retiring, false),
        ("d", KeyState::Retiring, true),
        ("e", KeyState::Retiring, true),
    ] {
        let new = row(kid, state, 0);
        assert_eq!(commit!(db, new, tx => tx.insert_signing_key(new)), stored, "{kid}");
    }
    let promoted = db
        .store
        .write((), |(), tx| Box::pin(tx.move_signing_key("b", KeyState::Next, KeyState::Active, at(1))))
        .await;
    assert!(matches!(promoted, Err(hallpass_store::StoreError::Conflict)), "two would sign: {promoted:?}");
}

async fn a_key_moves_only_from_where_it_is(db: &Db) {
    for (kid, state, time) in [("b", KeyState::Next, 2), ("a", KeyState::Active, 1)] {
        let new = row(kid, state, time);
        commit!(db, new, tx => tx.insert_signing_key(new));
    }
    assert!(!commit!(db, tx => tx.move_signing_key("a", KeyState::Next, KeyState::Active, at(3))));
    assert!(commit!(db, tx => tx.move_signing_key("a", KeyState::Active, KeyState::Retiring, at(3))));
    assert!(!commit!(db, tx => tx.move_signing_key("a", KeyState::Active, KeyState::Retiring, at(4))));
    assert!(commit!(db, tx => tx.move_signing_key("b", KeyState::Next, KeyState::Active, at(4))));
    assert_eq!(
        listed(db).await,
        [("a".to_owned(), KeyState::Retiring), ("b".to_owned(), KeyState::Active)],
        "oldest first"
    );
    assert!(commit!(db, tx => tx.move_signing_key("a", KeyState::Retiring, KeyState::Gone, at(5))));
    assert_eq!(listed(db).await, [("b".to_owned(), KeyState::Active)]);
    assert_eq!(
        db.number("SELECT COUNT(*) FROM signing_keys WHERE kid = 'a' AND LENGTH(sealed) = 0").await,
        1,
        "erased"
    );
    for state in [KeyState::Next, KeyState::Active, KeyState::Retiring, KeyState::Gone] {
        assert!(!state.name().is_empty());
    }
}
