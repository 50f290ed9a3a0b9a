use hallpass_store::{Claim, StoredAnswer};
use jiff::Timestamp;

use crate::fixtures::*;

on_both! {
    a_key_is_claimed_once_and_answered_again,
    another_body_is_told_apart,
    a_claim_given_back_is_free,
    a_dead_attempt_is_taken_over_with_its_operation,
    a_claim_let_go_is_taken_over_at_once,
    keys_are_kept_for_a_day,
    pruning_forgets_the_old,
}

const MINUTE: i64 = 60_000;
const DAY: i64 = 24 * 60 * MINUTE;

async fn claim(db: &Db, scope: u8, body: u8, operation: u128, now: Timestamp) -> Claim {
    commit!(db, tx => tx.claim_idempotency_key(&[scope; 32], &[body; 32], operation, now))
}

fn mine(operation: u128, again: bool) -> Claim {
    Claim::Mine { operation, again }
}

async fn a_key_is_claimed_once_and_answered_again(db: &Db) {
    assert_eq!(claim(db, 1, 1, u128::MAX, at(0)).await, mine(u128::MAX, false));
    assert_eq!(claim(db, 1, 1, 8, at(1)).await, Claim::Busy);
    assert_eq!(claim(db, 2, 1, 9, at(1)).await, mine(9, false), "another scope is another key");
    let answer = StoredAnswer { status: 201, answer: Some("{}".to_owned()) };
    let expected = answer.clone();
    commit!(db, answer, tx => tx.complete_idempotency_key(&[1; 32], answer));
    assert_eq!(claim(db, 1, 1, 8, at(2)).await, Claim::Done(expected.clone()));
    assert_eq!(claim(db, 1, 1, 8, at(5 * MINUTE)).await, Claim::Done(expected));
    let secret = StoredAnswer { status: 200, answer: None };
    let expected = secret.clone();
    commit!(db, secret, tx => tx.complete_idempotency_key(&[2; 32], secret));
    assert_eq!(claim(db, 2, 1, 8, at(2)).await, Claim::Done(expected));
}

async fn another_body_is_told_apart(db: &Db) {
    claim(db, 1, 1, 7, at(0)).await;
    assert_eq!(claim(db, 1, 2, 8, at(1)).await, Claim::OtherBody);
    let answer = StoredAnswer { status: 200, answer: None };
    commit!(db, answer, tx => tx.complete_idempotency_key(&[1; 32], answer));
    assert_eq!(claim(db, 1, 2, 8, at(2)).await, Claim::OtherBody);
}

async fn a_claim_given_back_is_free(db: &Db) {
    claim(db, 1, 1, 7, at(0)).await;
    commit!(db, tx => tx.release_idempotency_key(&[1; 32]));
    assert_eq!(claim(db, 1, 2, 8, at(1)).await, mine(8, false), "for any body");
    let answer = StoredAnswer { status: 200, answer: None };
    commit!(db, answer, tx => tx.complete_idempotency_key(&[1; 32], answer));
    commit!(db, tx => tx.release_idempotency_key(&[1; 32]));
    assert!(matches!(claim(db, 1, 2, 9, at(2)).await, Claim::Done(_)), "an answer is not given back");
}

async fn a_dead_attempt_is_taken_over_with_its_operation(db: &Db) {
    claim(db, 1, 1, 7, at(0)).await;
    assert_eq!(claim(db, 1, 1, 8, at(MINUTE - 1)).await, Claim::Busy);
    assert_eq!(claim(db, 1, 2, 8, at(MINUTE)).await, Claim::OtherBody);
    assert_eq!(claim(db, 1, 1, 8, at(MINUTE)).await, mine(7, true), "what it makes has the same ids");
    assert_eq!(claim(db, 1, 1, 9, at(MINUTE + 1)).await, Claim::Busy, "the lease is new");
    assert_eq!(claim(db, 1, 1, 9, at(2 * MINUTE)).await, mine(7, true));
}

async fn a_claim_let_go_is_taken_over_at_once(db: &Db) {
    claim(db, 1, 1, 7, at(0)).await;
    commit!(db, tx => tx.relax_idempotency_key(&[1; 32]));
    assert_eq!(claim(db, 1, 2, 8, at(1)).await, Claim::OtherBody);
    assert_eq!(claim(db, 1, 1, 8, at(1)).await, mine(7, true));
    assert_eq!(claim(db, 1, 1, 8, at(1)).await, Claim::Busy);
}

async fn keys_are_kept_for_a_day(db: &Db) {
    claim(db, 1, 1, 7, at(0)).await;
    let answer = StoredAnswer { status: 200, answer: None };
    commit!(db, answer, tx => tx.complete_idempotency_key(&[1; 32], answer));
    assert!(matches!(claim(db, 1, 1, 8, at(DAY)).await, Claim::Done(_)));
    assert_eq!(claim(db, 1, 2, 8, at(DAY + 1)).await, mine(8, false));
}

async fn pruning_forgets_the_old(db: &Db) {
    claim(db, 1, 1, 7, at(0)).await;
    claim(db, 2, 1, 7, at(10)).await;
    commit!(db, tx => tx.prune_idempotency_keys(at(10)));
    assert_eq!(claim(db, 1, 1, 8, at(11)).await, mine(8, false));
    assert_eq!(claim(db, 2, 1, 8, at(11)).await, Claim::Busy);
}
