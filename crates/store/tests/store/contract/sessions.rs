use hallpass_core::id::{PersonId, SessionId};
use hallpass_core::session::{Amr, Session};
use hallpass_store::StoreError;

use crate::fixtures::*;

on_both! {
    a_session_is_found_by_its_secret_while_it_lives,
    proving_oneself_again_gives_a_new_secret,
    use_is_noted_forwards_only,
    one_is_ended_or_all_others,
}

fn person(n: u128) -> PersonId {
    PersonId::from_bits(n)
}
pub(super) fn sess(n: u128) -> SessionId {
    SessionId::from_bits(n)
}

fn new_session(n: u8, of: u128) -> Session {
    let began = at(i64::from(n));
    Session {
        id: sess(n.into()),
        person: person(of),
        auth_time: began,
        amr: vec![Amr::Pwd],
        user_agent: "Browser".into(),
        address: "192.0.2.1".into(),
        created_at: began,
        last_seen_at: began,
        idle_expires_at: at(1000),
        expires_at: at(2000),
    }
}

/// Two people, and sessions 1 and 2 of the first, 3 of the second; each with its number for a secret.
pub(super) async fn some_sessions(db: &Db) {
    commit!(db, tx => async {
        tx.insert_person(person(1), "a@b.test", Some("phc"), at(0)).await?;
        tx.insert_person(person(2), "c@d.test", Some("phc"), at(0)).await?;
        for (n, of) in [(1_u8, 1), (2, 1), (3, 2)] {
            tx.insert_session(&new_session(n, of), &[n; 32]).await?;
        }
        Ok::<_, StoreError>(())
    });
}

async fn found(db: &Db, secret: u8, time: i64) -> Option<Session> {
    db.read().await.find_session_by_hash(&[secret; 32], at(time)).await.unwrap()
}

async fn a_session_is_found_by_its_secret_while_it_lives(db: &Db) {
    some_sessions(db).await;
    assert_eq!(found(db, 1, 999).await, Some(new_session(1, 1)));
    assert_eq!(found(db, 1, 1000).await, None, "idle for too long");
    assert_eq!(found(db, 9, 1).await, None);
    commit!(db, tx => tx.touch_session(sess(1), at(999), at(9000), "192.0.2.2"));
    assert!(found(db, 1, 1999).await.is_some());
    assert_eq!(found(db, 1, 2000).await, None, "at its end, however it was used");
    assert!(commit!(db, tx => tx.lock_open_session(sess(1))), "it ran out; nobody ended it");
    assert!(!commit!(db, tx => tx.lock_open_session(sess(9))));
}

async fn proving_oneself_again_gives_a_new_secret(db: &Db) {
    some_sessions(db).await;
    let again = Session { auth_time: at(50), amr: vec![Amr::Pop, Amr::User], ..new_session(1, 1) };
    let renewed =
        db.store.write(again.clone(), |again, tx| Box::pin(tx.renew_session(again, &[7; 32]))).await.unwrap();
    assert_eq!(renewed, Some(at(1)), "it began when it began");
    assert_eq!(found(db, 1, 60).await, None, "the old secret opens nothing");
    let now = found(db, 7, 60).await.unwrap();
    assert_eq!((now.id, now.auth_time, now.amr), (sess(1), at(50), vec![Amr::Pop, Amr::User]));
    // Not with somebody else's, nor with one that was ended.
    let foreign = Session { person: person(2), ..again.clone() };
    commit!(db, tx => tx.end_session(sess(2), person(1), at(5)));
    let ended = Session { id: sess(2), ..again };
    for other in [foreign, ended] {
        let renewed =
            db.store.write(other, |other, tx| Box::pin(tx.renew_session(other, &[8; 32]))).await.unwrap();
        assert_eq!(renewed, None);
    }
}

async fn use_is_noted_forwards_only(db: &Db) {
    some_sessions(db).await;
    commit!(db, tx => tx.touch_session(sess(1), at(500), at(1500), "192.0.2.2"));
    commit!(db, tx => tx.touch_session(sess(1), at(400), at(1400), "192.0.2.3"));
    let now = found(db, 1, 1499).await.unwrap();
    assert_eq!((now.last_seen_at, now.idle_expires_at, &*now.address), (at(500), at(1500), "192.0.2.2"));
}

async fn one_is_ended_or_all_others(db: &Db) {
    some_sessions(db).await;
    let ids = async |of| {
        let list = db.read().await.list_sessions(person(of), at(10), 100).await.unwrap();
        list.iter().map(|session| session.id.bits()).collect::<Vec<_>>()
    };
    assert_eq!(ids(1).await, [2, 1]);
    assert!(!commit!(db, tx => tx.end_session(sess(1), person(2), at(5))), "not theirs");
    assert!(commit!(db, tx => tx.end_session(sess(1), person(1), at(5))));
    assert!(!commit!(db, tx => tx.end_session(sess(1), person(1), at(5))));
    assert_eq!(ids(1).await, [2]);
    assert_eq!(found(db, 1, 10).await, None);
    assert!(!commit!(db, tx => tx.lock_open_session(sess(1))));
    let ended = commit!(db, tx => tx.end_other_sessions(person(1), Some(sess(2)), at(6)));
    assert_eq!(ended, []);
    let ended = commit!(db, tx => tx.end_other_sessions(person(1), None, at(6)));
    assert_eq!(ended, [sess(2)]);
    assert_eq!((ids(1).await, ids(2).await), (vec![], vec![3]));
}
