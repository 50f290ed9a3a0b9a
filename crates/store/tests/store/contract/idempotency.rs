use hallpass_store::{Claim, StoredAnswer};
use jiff::Timestamp;

use crate::fixtures::*;

on_both! {
    a_key_is_claimed_once_and_answered_again,
    another_body_is_told_apart,
    a_claim_given_back_is_free,
    a_dead_attempt_is_taken_over_with_its_operation,
    a_claim_let_go_is_taken_over_at_once,
    who_outlived_the_lease_has_no_say,
    keys_are_kept_for_a_day,
    pruning_forgets_the_old,
}

const MINUTE: i64 = 60_000;
const DAY: i64 = 24 * 60 * MINUTE;

async fn claim(db: &Db, scope: u8, body: u8, operation: u128, now: Timestamp) -> Claim {
    commit!(db, tx => tx.claim_idempotency_key(&[scope; 32], &[body; 32], operation, now))
}

fn mine(operation: u128, again: bool, millis: i64) -> Claim {
    Claim::Mine { operation, again, leased_at: at(millis) }
}

async fn complete(db: &Db, scope: u8, leased: i64, answer: &StoredAnswer) -> bool {
    let answer = answer.clone();
    commit!(db, answer, tx => tx.complete_idempotency_key(&[scope; 32], at(leased), answer))
}

async fn release(db: &Db, leased: i64) -> bool {
    commit!(db, tx => tx.release_idempotency_key(&[1; 32], at(leased)))
}

async fn relax(db: &Db, leased: i64) -> bool {
    commit!(db, tx => tx.relax_idempotency_key(&[1; 32], at(leased)))
}

fn answer(text: Option<&str>) -> StoredAnswer {
    StoredAnswer { status: 201, answer: text.map(str::to_owned) }
}

async fn a_key_is_claimed_once_and_answered_again(db: &Db) {
    assert_eq!(claim(db, 1, 1, u128::MAX, at(0)).await, mine(u128::MAX, false, 0));
    assert_eq!(claim(db, 1, 1, 8, at(1)).await, Claim::Busy);
    assert_eq!(claim(db, 2, 1, 9, at(1)).await, mine(9, false, 1), "another scope is another key");
    assert!(complete(db, 1, 0, &answer(Some("{}"))).await);
    assert_eq!(claim(db, 1, 1, 8, at(2)).await, Claim::Done(answer(Some("{}"))));
    assert_eq!(claim(db, 1, 1, 8, at(5 * MINUTE)).await, Claim::Done(answer(Some("{}"))));
    // A secret is not kept.
    assert!(complete(db, 2, 1, &answer(None)).await);
    assert_eq!(claim(db, 2, 1, 8, at(2)).await, Claim::Done(answer(None)));
}

async fn another_body_is_told_apart(db: &Db) {
    claim(db, 1, 1, 7, at(0)).await;
    assert_eq!(claim(db, 1, 2, 8, at(1)).await, Claim::OtherBody);
    complete(db, 1, 0, &answer(None)).await;
    assert_eq!(claim(db, 1, 2, 8, at(2)).await, Claim::OtherBody);
}

async fn a_claim_given_back_is_free(db: &Db) {
    claim(db, 1, 1, 7, at(0)).await;
    assert!(release(db, 0).await);
    assert_eq!(claim(db, 1, 2, 8, at(1)).await, mine(8, false, 1), "for any body");
    complete(db, 1, 1, &answer(None)).await;
    assert!(!release(db, 1).await);
    assert!(matches!(claim(db, 1, 2, 9, at(2)).await, Claim::Done(_)), "an answer is not given back");
}

async fn a_dead_attempt_is_taken_over_with_its_operation(db: &Db) {
    claim(db, 1, 1, 7, at(0)).await;
    assert_eq!(claim(db, 1, 1, 8, at(MINUTE - 1)).await, Claim::Busy);
    assert_eq!(claim(db, 1, 2, 8, at(MINUTE)).await, Claim::OtherBody);
    let taken = claim(db, 1, 1, 8, at(MINUTE)).await;
    assert_eq!(taken, mine(7, true, MINUTE), "what it makes has the same ids");
    assert_eq!(claim(db, 1, 1, 9, at(MINUTE + 1)).await, Claim::Busy, "the lease is new");
    assert_eq!(claim(db, 1, 1, 9, at(2 * MINUTE)).await, mine(7, true, 2 * MINUTE));
}

async fn a_claim_let_go_is_taken_over_at_once(db: &Db) {
    claim(db, 1, 1, 7, at(0)).await;
    assert!(relax(db, 0).await);
    assert_eq!(claim(db, 1, 2, 8, at(1)).await, Claim::OtherBody);
    assert_eq!(claim(db, 1, 1, 8, at(1)).await, mine(7, true, 1));
    assert_eq!(claim(db, 1, 1, 8, at(1)).await, Claim::Busy);
}

async fn who_outlived_the_lease_has_no_say(db: &Db) {
    claim(db, 1, 1, 7, at(0)).await;
    claim(db, 1, 1, 8, at(MINUTE)).await;
    assert!(!release(db, 0).await && !relax(db, 0).await);
    assert!(!complete(db, 1, 0, &answer(Some("late"))).await);
    assert_eq!(claim(db, 1, 1, 9, at(MINUTE + 1)).await, Claim::Busy);
    assert!(complete(db, 1, MINUTE, &answer(Some("in time"))).await);
    assert!(!complete(db, 1, 0, &answer(Some("late"))).await);
    assert_eq!(claim(db, 1, 1, 9, at(MINUTE + 2)).await, Claim::Done(answer(Some("in time"))));
}

async fn keys_are_kept_for_a_day(db: &Db) {
    claim(db, 1, 1, 7, at(0)).await;
    complete(db, 1, 0, &answer(None)).await;
    assert!(matches!(claim(db, 1, 1, 8, at(DAY)).await, Claim::Done(_)));
    assert_eq!(claim(db, 1, 2, 8, at(DAY + 1)).await, mine(8, false, DAY + 1));
}

async fn pruning_forgets_the_old(db: &Db) {
    claim(db, 1, 1, 7, at(0)).await;
    claim(db, 2, 1, 7, at(10)).await;
    commit!(db, tx => tx.prune_idempotency_keys(at(10)));
    assert_eq!(claim(db, 1, 1, 8, at(11)).await, mine(8, false, 11));
    assert_eq!(claim(db, 2, 1, 8, at(11)).await, Claim::Busy);
}
