//! Writes that meet: exactly one wins, nobody is told a lie, nothing stays half done.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use futures_util::future::join_all;
use hallpass_core::authority::Change;
use hallpass_core::entity::ApiKey;
use hallpass_core::id::{ApiKeyId, MemberId};
use hallpass_core::role::Role;
use hallpass_core::statement::KeyRights;
use hallpass_store::{Claim, Database, HeadBump, NewApiKey, Store, StoreError, StoredAnswer};
use tokio::sync::{Barrier, Notify, Semaphore};

use crate::fixtures::*;
use crate::postgres;

mod both {
    use super::*;

    on_both! {
        one_of_many_gets_the_username,
        a_limit_counted_under_the_companys_lock_holds,
        a_member_joins_once_and_is_counted_once,
        one_attempt_takes_over_a_dead_claim,
        who_takes_over_keeps_the_claim,
        readers_see_the_authority_log_grow_without_gaps,
        an_operation_that_panics_fails_alone,
        a_caller_that_leaves_does_not_tear_the_write,
        what_loses_is_tried_again_but_not_for_ever,
        an_acknowledged_write_is_seen_by_everybody,
    }

    async fn one_of_many_gets_the_username(db: &Db) {
        let tries = (1..=20_u128).map(|n| {
            let new = hallpass_store::NewUser { username: "ann".to_owned(), ..new_user(n, None) };
            db.store.write(new, |new, tx| Box::pin(tx.insert_user(new, at(0))))
        });
        let stored = join_all(tries).await.into_iter().filter(|stored| *stored.as_ref().unwrap()).count();
        assert_eq!(stored, 1);
        assert_eq!(db.number("SELECT COUNT(*) FROM users").await, 1);
    }

    async fn a_limit_counted_under_the_companys_lock_holds(db: &Db) {
        let acme = db.acme().await;
        let tries = (1..=12_u8).map(|n| {
            let new = NewApiKey {
                key: ApiKey {
                    id: ApiKeyId::from_bits(n.into()),
                    company: acme,
                    app: None,
                    rights: KeyRights::Role(Role::Owner),
                    name: None,
                    hint: String::new(),
                    created_at: at(0),
                    last_used_at: None,
                    expires_at: None,
                    revoked_at: None,
                },
                secret_hash: [n; 32],
            };
            db.store.write(new, move |new, tx| {
                Box::pin(async move {
                    tx.lock_company(acme).await?;
                    let room = tx.count_live_api_keys(acme, at(0)).await? < 5;
                    if room {
                        tx.insert_api_key(new).await?;
                    }
                    Ok::<_, StoreError>(room)
                })
            })
        });
        let stored = join_all(tries).await.into_iter().filter(|stored| *stored.as_ref().unwrap()).count();
        assert_eq!(stored, 5);
        assert_eq!(db.read().await.count_live_api_keys(acme, at(0)).await.unwrap(), 5);
    }

    async fn a_member_joins_once_and_is_counted_once(db: &Db) {
        let acme = db.acme().await;
        db.users([2]).await;
        for round in 0..3_u128 {
            let joins = (0..10_u128).map(|n| {
                let id = MemberId::from_bits(round * 100 + n);
                db.store.write((), move |(), tx| Box::pin(tx.insert_member(id, acme, user(2), at(1))))
            });
            let joined = join_all(joins).await.into_iter().filter(|joined| *joined.as_ref().unwrap()).count();
            let leaves = (0..10)
                .map(|_| db.store.write((), move |(), tx| Box::pin(tx.revoke_member(acme, user(2), at(1)))));
            assert_eq!(db.read().await.find_company(acme).await.unwrap().unwrap().member_count, 1);
            let left = join_all(leaves).await.into_iter().filter(|left| *left.as_ref().unwrap()).count();
            assert_eq!((joined, left), (1, 1));
            assert_eq!(db.read().await.find_company(acme).await.unwrap().unwrap().member_count, 0);
        }
    }

    async fn one_attempt_takes_over_a_dead_claim(db: &Db) {
        for round in 0..10_u8 {
            let claim = |operation, now| {
                db.store.write((), move |(), tx| {
                    Box::pin(async move {
                        tx.claim_idempotency_key(&[round; 32], &[1; 32], operation, at(now)).await
                    })
                })
            };
            let first = join_all((1..=8).map(|operation| claim(operation, 0))).await;
            let mine: Vec<Claim> =
                first.into_iter().map(Result::unwrap).filter(|c| *c != Claim::Busy).collect();
            let [Claim::Mine { operation, again: false, .. }] = mine[..] else { panic!("{mine:?}") };
            // That one died; its lease is over.
            let second = join_all((11..=18).map(|operation| claim(operation, 60_000))).await;
            let mine: Vec<Claim> =
                second.into_iter().map(Result::unwrap).filter(|c| *c != Claim::Busy).collect();
            assert_eq!(mine, [Claim::Mine { operation, again: true, leased_at: at(60_000) }]);
        }
    }

    /// An attempt whose lease is over ends just as the next one takes over.
    async fn who_takes_over_keeps_the_claim(db: &Db) {
        for round in 0..60_u8 {
            let scope = [round; 32];
            let claim = |operation, now| {
                db.store.write((), move |(), tx| {
                    Box::pin(async move { tx.claim_idempotency_key(&scope, &[1; 32], operation, now).await })
                })
            };
            let complete = |leased_at| {
                let answer = StoredAnswer { status: 200, answer: None };
                db.store.write(answer, move |answer, tx| {
                    Box::pin(async move { tx.complete_idempotency_key(&scope, leased_at, answer).await })
                })
            };
            claim(1, at(0)).await.unwrap();
            let late = async {
                match round % 3 {
                    0 => complete(at(0)).await,
                    1 => {
                        db.store
                            .write((), move |(), tx| {
                                Box::pin(async move { tx.release_idempotency_key(&scope, at(0)).await })
                            })
                            .await
                    }
                    _ => {
                        db.store
                            .write((), move |(), tx| {
                                Box::pin(async move { tx.relax_idempotency_key(&scope, at(0)).await })
                            })
                            .await
                    }
                }
            };
            let (late, next) = tokio::join!(late, claim(2, at(60_000)));
            let next = match next.unwrap() {
                // Let go while it was being taken over.
                Claim::Busy => claim(3, at(60_001)).await.unwrap(),
                next => next,
            };
            match next {
                Claim::Mine { leased_at, .. } => assert!(complete(leased_at).await.unwrap()),
                Claim::Done(_) => assert!(late.unwrap() && round % 3 == 0),
                other => panic!("{other:?}"),
            }
        }
    }

    async fn readers_see_the_authority_log_grow_without_gaps(db: &Db) {
        let writes = async {
            let writes = (1..=60_u128).map(|n| {
                db.store.write((), move |(), tx| {
                    Box::pin(async move { tx.insert_authority(&Change::User(user(n)), true, at(0)).await })
                })
            });
            let mut numbers: Vec<u64> = join_all(writes).await.into_iter().map(Result::unwrap).collect();
            numbers.sort_unstable();
            assert_eq!(numbers, (1..=60).collect::<Vec<_>>());
        };
        let read = async {
            let mut seen = 0;
            while seen < 60 {
                for entry in db.read().await.list_authority_since(seen).await.unwrap() {
                    assert_eq!(entry.n, seen + 1);
                    seen = entry.n;
                }
            }
        };
        tokio::join!(writes, read);
    }

    async fn an_operation_that_panics_fails_alone(db: &Db) {
        db.users([100]).await;
        // Some before their first statement, some before they even are a future.
        let write = |n: u128| {
            db.store.write(new_user(n, None), move |new, tx| {
                assert!(n % 4 != 2, "on purpose: before the future");
                Box::pin(async move {
                    let stored = tx.insert_user(new, at(0)).await?;
                    assert!(n % 4 != 3, "on purpose: after a statement");
                    Ok::<_, StoreError>(stored)
                })
            })
        };
        let answers = join_all((1..=40).map(write)).await;
        for (n, answer) in (1..=40_u128).zip(answers) {
            if n % 4 < 2 {
                assert!(answer.unwrap(), "{n}");
            } else {
                assert!(matches!(answer, Err(StoreError::Panicked)), "{n}: {answer:?}");
            }
            let stored = db.read().await.find_user(user(n)).await.unwrap().is_some();
            assert_eq!(stored, n % 4 < 2, "{n}");
        }
        db.users([101]).await;
        if db.store.is_shared() {
            let open = "SELECT COUNT(*) FROM pg_stat_activity
                        WHERE datname = current_database() AND state LIKE 'idle in transaction%'";
            assert_eq!(db.number(open).await, 0, "a connection went back inside a transaction");
        }
    }

    async fn a_caller_that_leaves_does_not_tear_the_write(db: &Db) {
        let acme = db.acme().await;
        db.users(2..=40).await;
        for n in 2..=40_u128 {
            let started = Arc::new(Notify::new());
            let id = MemberId::from_bits(n);
            let write = db.store.write(started.clone(), move |started, tx| {
                Box::pin(async move {
                    let joined = tx.insert_member(id, acme, user(n), at(0)).await?;
                    started.notify_one();
                    tokio::task::yield_now().await;
                    tx.insert_authority(&Change::Standing(acme, user(n)), false, at(0)).await?;
                    Ok::<_, StoreError>(joined)
                })
            });
            tokio::select! {
                biased;
                () = started.notified() => {}
                _ = write => {}
            }
        }
        // A last write comes after all of them on SQLite; on PostgreSQL it waits for the same rows.
        commit!(db, tx => tx.lock_company(acme));
        let members = db.number("SELECT COUNT(*) FROM members").await;
        let entries = db.number("SELECT COUNT(*) FROM authority_log").await;
        let count = db.read().await.find_company(acme).await.unwrap().unwrap().member_count;
        assert_eq!((members, count), (39, 39), "every write that began was finished");
        assert_eq!(entries, 39);
    }

    async fn what_loses_is_tried_again_but_not_for_ever(db: &Db) {
        let attempts = Arc::new(AtomicU32::new(0));
        let lose = |attempts: &Arc<AtomicU32>, times: u32| {
            db.store.write(attempts.clone(), move |attempts, tx| {
                Box::pin(async move {
                    let attempt = attempts.fetch_add(1, Ordering::SeqCst);
                    tx.insert_user(&new_user(u128::from(times), None), at(0)).await?;
                    if attempt < times { Err(StoreError::Serialization) } else { Ok(attempt) }
                })
            })
        };
        // On SQLite nothing ever loses, so nothing is tried again.
        if db.store.is_shared() {
            assert_eq!(lose(&attempts, 3).await.unwrap(), 3);
            assert!(db.read().await.find_user(user(3)).await.unwrap().is_some());
        }
        attempts.store(0, Ordering::SeqCst);
        assert!(matches!(lose(&attempts, u32::MAX).await, Err(StoreError::Serialization)));
        assert!(attempts.load(Ordering::SeqCst) <= 10);
        assert!(db.read().await.find_user(user(u32::MAX.into())).await.unwrap().is_none());
    }

    async fn an_acknowledged_write_is_seen_by_everybody(db: &Db) {
        let writes = (1..=100_u128).map(|n| async move {
            let new = new_user(n, None);
            assert!(commit!(db, new, tx => tx.insert_user(new, at(0))));
            let id = user(n);
            // A connection opened only now, and one of the store's own.
            assert_eq!(db.number(&format!("SELECT COUNT(*) FROM users WHERE id = '{id}'")).await, 1);
            assert!(db.read().await.find_user(id).await.unwrap().is_some());
        });
        join_all(writes).await;
    }
}

/// Two nodes of one PostgreSQL.
async fn two_nodes() -> (Db, Store) {
    let db = Db::postgres().await;
    let other = Store::open(&db.database).await.unwrap();
    (db, other)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn crossing_transactions_both_get_through() {
    let (db, other) = two_nodes().await;
    db.acme().await;
    db.company(2, 1, None).await;
    let attempts = Arc::new(AtomicU32::new(0));
    let met = Arc::new(Barrier::new(2));
    let cross = async |store: &Store, first: u128, then: u128| {
        store
            .write((attempts.clone(), met.clone()), move |(attempts, met), tx| {
                Box::pin(async move {
                    tx.lock_company(biz(first)).await?;
                    // Both hold one; on their first attempts each now wants the other's.
                    if attempts.fetch_add(1, Ordering::SeqCst) < 2 {
                        met.wait().await;
                    }
                    tx.lock_company(biz(then)).await?;
                    tx.insert_authority(&Change::Company(biz(first)), false, at(0)).await
                })
            })
            .await
    };
    let (a, b) = tokio::join!(cross(&db.store, 1, 2), cross(&other, 2, 1));
    let mut numbers = [a.unwrap(), b.unwrap()];
    numbers.sort_unstable();
    assert_eq!(numbers, [1, 2]);
    assert!(attempts.load(Ordering::SeqCst) > 2, "one of them lost and was tried again");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_swallowed_error_is_not_acknowledged() {
    let db = Db::postgres().await;
    db.acme().await;
    let answer = db
        .store
        .write((), |(), tx| {
            Box::pin(async move {
                tx.insert_user(&new_user(7, None), at(0)).await?;
                // A conflict, and nobody looks: PostgreSQL has given the transaction up.
                drop(tx.insert_company(&new_company(1, user(1), None), at(0)).await);
                Ok::<_, StoreError>(())
            })
        })
        .await;
    assert!(answer.is_err(), "told that it is stored");
    assert_eq!(db.read().await.find_user(user(7)).await.unwrap(), None);
    db.users([8]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_operation_that_panics_gives_its_only_connection_back() {
    let database = Database::Postgres { url: postgres::fresh_database(), max_connections: 1 };
    let store = Store::open(&database).await.unwrap();
    for n in 1..=10_u128 {
        let panicked = store
            .write(new_user(n, None), move |new, tx| {
                assert!(n % 2 == 0, "on purpose: before the future");
                Box::pin(async move {
                    tx.insert_user(new, at(0)).await?;
                    assert!(n > 100, "on purpose: inside the transaction");
                    Ok::<_, StoreError>(())
                })
            })
            .await;
        assert!(matches!(panicked, Err(StoreError::Panicked)), "{panicked:?}");
        assert_eq!(store.read().await.unwrap().find_user(user(n)).await.unwrap(), None);
    }
    let stored = store.write(new_user(20, None), |new, tx| Box::pin(tx.insert_user(new, at(0)))).await;
    assert!(stored.unwrap());
    let other = Store::open(&database).await.unwrap();
    assert!(other.read().await.unwrap().find_user(user(20)).await.unwrap().is_some());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn batches_that_cross_never_deadlock_and_leave_no_gaps() {
    const ROUNDS: u128 = 300;
    let (db, other) = two_nodes().await;
    let acme = db.acme().await;
    for n in 1..=4 {
        db.channel(n, acme).await;
    }
    let attempts = AtomicU32::new(0);
    let attempts = Arc::new(attempts);
    let send = async |store: &Store, node: u128, order: [u128; 4]| {
        for round in 0..ROUNDS {
            store
                .append(attempts.clone(), move |attempts, mut tx| {
                    Box::pin(async move {
                        attempts.fetch_add(1, Ordering::SeqCst);
                        let bumps = order.map(|n| HeadBump { channel: chat(n), messages: 2 });
                        let mut messages = Vec::new();
                        for (channel, position, seq) in tx.bump_heads(&bumps).await? {
                            for back in [1, 0] {
                                let id = ((node * ROUNDS + round) * 4 + channel.bits()) * 2 + back;
                                let back = i64::try_from(back).unwrap();
                                messages.push(hallpass_store::NewMessage {
                                    seq: seq - back,
                                    ..new_message(id, channel, position - back, user(1))
                                });
                            }
                        }
                        assert_eq!(messages.len(), 8);
                        tx.insert_messages(&messages).await
                    })
                })
                .await
                .unwrap();
        }
    };
    tokio::join!(
        send(&db.store, 0, [1, 2, 3, 4]),
        send(&other, 1, [4, 3, 2, 1]),
        send(&other, 2, [3, 1, 4, 2])
    );
    assert_eq!(u128::from(attempts.load(Ordering::SeqCst)), 3 * ROUNDS, "a batch lost and was tried again");
    let mut read = db.read().await;
    let expected: Vec<i64> = (1..=i64::try_from(6 * ROUNDS).unwrap()).collect();
    for n in 1..=4 {
        let messages = db.store.list_messages(chat(n), false, None, i64::MAX).await.unwrap();
        assert_eq!(messages.iter().map(|message| message.position).collect::<Vec<_>>(), expected);
        let events = read.list_events(chat(n), 0, i64::MAX).await.unwrap();
        assert_eq!(events.iter().map(|(seq, ..)| *seq).collect::<Vec<_>>(), expected);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_claim_released_under_a_waiting_one_is_not_an_error() {
    let (db, other) = two_nodes().await;
    for round in 0..100_u8 {
        let cycle = |store: Store, operation: u128| async move {
            let claim = store
                .write((), move |(), tx| {
                    Box::pin(async move {
                        tx.claim_idempotency_key(&[round; 32], &[1; 32], operation, at(0)).await
                    })
                })
                .await
                .unwrap();
            if let Claim::Mine { leased_at, .. } = claim {
                store
                    .write((), move |(), tx| {
                        Box::pin(async move { tx.release_idempotency_key(&[round; 32], leased_at).await })
                    })
                    .await
                    .unwrap();
            }
        };
        join_all((0..6).map(|n| cycle(if n % 2 == 0 { db.store.clone() } else { other.clone() }, n))).await;
    }
}

/// Makes PostgreSQL do `$action` on the first two inserts of a user, when the transaction `$when`.
async fn misbehave(db: &Db, when: &str, action: &str) {
    db.execute(&format!(
        "CREATE SEQUENCE IF NOT EXISTS times;
         ALTER SEQUENCE times RESTART;
         CREATE OR REPLACE FUNCTION misbehave() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
             -- A sequence keeps what a rollback undoes.
             IF nextval('times') <= 2 THEN {action}; END IF;
             RETURN NULL;
         END $$;
         DROP TRIGGER IF EXISTS misbehave ON users;
         CREATE CONSTRAINT TRIGGER misbehave AFTER INSERT ON users {when} FOR EACH ROW EXECUTE FUNCTION misbehave()"
    ))
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_serialisation_failure_is_tried_again_in_a_statement_and_at_the_commit() {
    let db = Db::postgres().await;
    for (n, when) in (1..).zip(["NOT DEFERRABLE", "DEFERRABLE INITIALLY DEFERRED"]) {
        for (m, code) in (1..).zip(["40001", "40P01"]) {
            misbehave(&db, when, &format!("RAISE EXCEPTION 'lost' USING ERRCODE = '{code}'")).await;
            let id = n * 10 + m;
            let stored =
                db.store.write(new_user(id, None), |new, tx| Box::pin(tx.insert_user(new, at(0)))).await;
            assert!(stored.unwrap(), "{when} {code}");
            assert_eq!(
                db.number("SELECT last_value FROM times").await,
                3,
                "{when} {code}: tried three times"
            );
        }
    }
    assert_eq!(db.number("SELECT COUNT(*) FROM users").await, 4);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failure_of_the_server_is_told_and_not_tried_again() {
    let db = Db::postgres().await;
    let raise = |code: &str| format!("RAISE EXCEPTION 'no' USING ERRCODE = '{code}'");
    let hang_up = "PERFORM pg_terminate_backend(pg_backend_pid())".to_owned();
    for when in ["NOT DEFERRABLE", "DEFERRABLE INITIALLY DEFERRED"] {
        for (action, unavailable) in [
            (raise("53100"), true),
            (raise("57014"), true),
            (raise("55P03"), true),
            (raise("25006"), true),
            (hang_up.clone(), true),
            (raise("22P02"), false),
            (raise("23514"), false),
        ] {
            misbehave(&db, when, &action).await;
            let add = async || {
                db.store.write(new_user(1, None), |new, tx| Box::pin(tx.insert_user(new, at(0)))).await
            };
            for _ in 0..2 {
                let refused = add().await;
                let told = match refused {
                    Err(StoreError::Unavailable(_)) => unavailable,
                    Err(StoreError::Database(_)) => !unavailable,
                    _ => false,
                };
                assert!(told, "{action} {when}: {refused:?}");
            }
            assert!(add().await.unwrap(), "{action} {when}: works again");
            db.execute("DELETE FROM users").await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_holds_the_authority_log_shares_it_with_holders_and_keeps_appenders_waiting() {
    let (db, other) = two_nodes().await;
    let (met, release) = (Arc::new(Barrier::new(3)), Arc::new(Semaphore::new(0)));
    let hold = async |store: &Store| {
        store
            .write((met.clone(), release.clone()), |(met, release), tx| {
                Box::pin(async move {
                    tx.hold_authority().await?;
                    // Both are in here at once, and stay until an appender waits.
                    met.wait().await;
                    drop(release.acquire().await);
                    Ok::<_, StoreError>(tx.authority_head().await?.n)
                })
            })
            .await
            .unwrap()
    };
    let append = async {
        met.wait().await;
        let append = db.store.write((), |(), tx| {
            Box::pin(async move { tx.insert_authority(&Change::User(user(1)), true, at(0)).await })
        });
        let watch = async {
            let waiting = "SELECT COUNT(*) FROM pg_locks l JOIN pg_database d ON d.oid = l.database
                           WHERE d.datname = current_database() AND locktype = 'advisory' AND NOT granted";
            while db.number(waiting).await == 0 {}
            release.add_permits(2);
        };
        tokio::join!(append, watch).0.unwrap()
    };
    let (one, two, appended) = tokio::join!(hold(&db.store), hold(&other), append);
    assert_eq!((one, two, appended), (0, 0, 1), "the log moved under its holders");
}
