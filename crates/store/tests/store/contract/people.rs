use hallpass_core::id::{MemberId, PasskeyId, PersonId, UserId};
use hallpass_store::{ChallengePurpose, NewUser, Passkey, StoreError};

use crate::fixtures::*;

on_both! {
    addresses_are_one_persons,
    the_first_proved_address_is_the_primary_one,
    whoever_signed_in_before_sessions_ended_is_out,
    the_last_address_stays,
    a_password_is_set_replaced_and_rehashed,
    a_person_is_linked_to_the_user_of_a_proved_address,
    a_parents_user_is_linked_where_they_are_enrolled,
    a_challenge_is_taken_once_in_its_browser_for_its_purpose,
    passkeys_are_stored_listed_renamed_and_removed,
    a_passkeys_counter_rises,
}

const ANN: PersonId = PersonId::from_bits(1);
const BEN: PersonId = PersonId::from_bits(2);

async fn person(db: &Db, id: PersonId, email: &'static str) {
    commit!(db, tx => tx.insert_person(id, email, None, at(0)));
}

async fn addresses_are_one_persons(db: &Db) {
    person(db, ANN, "Ann@example.com").await;
    person(db, BEN, "ben@example.com").await;
    commit!(db, tx => tx.insert_address(ANN, "ann@other.com", at(5)));
    let refused = db.store.write((), |(), tx| Box::pin(tx.insert_address(BEN, "ANN@OTHER.com", at(6)))).await;
    assert!(matches!(refused, Err(StoreError::Conflict)), "{refused:?}");
    let mut conn = db.read().await;
    assert_eq!(conn.find_person_by_address("ANN@example.COM").await.unwrap(), Some(ANN));
    assert_eq!(conn.find_person_by_address("ann@other.com").await.unwrap(), Some(ANN));
    assert_eq!(conn.find_person_by_address("zoe@example.com").await.unwrap(), None);
    let listed = conn.list_addresses(ANN).await.unwrap();
    let listed: Vec<_> = listed.iter().map(|one| (one.email.as_str(), one.verified_at)).collect();
    assert_eq!(listed, [("Ann@example.com", at(0)), ("ann@other.com", at(5))]);
    assert_eq!(conn.find_password(ANN).await.unwrap(), None);
}

async fn the_first_proved_address_is_the_primary_one(db: &Db) {
    person(db, ANN, "mid@example.com").await;
    commit!(db, tx => tx.insert_address(ANN, "Zoe@example.com", at(5)));
    commit!(db, tx => tx.insert_address(ANN, "ann@example.com", at(6)));
    commit!(db, tx => tx.insert_address(ANN, "MID@example.com", at(7)));
    let primary = async || db.read().await.find_proved_address(ANN).await.unwrap();
    assert_eq!(primary().await.as_deref(), Some("MID@example.com"), "written anew, proved before");
    commit!(db, tx => tx.delete_address(ANN, "mid@example.com"));
    assert_eq!(primary().await.as_deref(), Some("Zoe@example.com"), "the oldest follows");
    assert_eq!(db.read().await.list_addresses(ANN).await.unwrap()[0].email, "Zoe@example.com");
    assert_eq!(db.read().await.find_proved_address(BEN).await.unwrap(), None);
}

async fn whoever_signed_in_before_sessions_ended_is_out(db: &Db) {
    person(db, ANN, "ann@example.com").await;
    assert_eq!(db.read().await.find_sessions_epoch(BEN).await.unwrap(), None);
    let before = db.read().await.find_sessions_epoch(ANN).await.unwrap().unwrap();
    assert!(commit!(db, tx => tx.hold_person_in(ANN, before, at(1))));
    commit!(db, tx => tx.move_sessions_epoch(ANN));
    assert!(!commit!(db, tx => tx.hold_person_in(ANN, before, at(2))));
    let after = db.read().await.find_sessions_epoch(ANN).await.unwrap().unwrap();
    assert!(commit!(db, tx => tx.hold_person_in(ANN, after, at(2))));
    assert!(!commit!(db, tx => tx.hold_person_in(BEN, after, at(2))));
}

async fn the_last_address_stays(db: &Db) {
    person(db, ANN, "ann@example.com").await;
    assert!(commit!(db, tx => tx.hold_person(ANN, at(1))));
    assert!(!commit!(db, tx => tx.hold_person(BEN, at(1))));
    assert_eq!(commit!(db, tx => tx.delete_address(ANN, "ann@example.com")), None);
    commit!(db, tx => tx.insert_address(ANN, "Two@example.com", at(2)));
    assert_eq!(commit!(db, tx => tx.delete_address(BEN, "two@example.com")), None, "another person's");
    assert_eq!(
        commit!(db, tx => tx.delete_address(ANN, "TWO@example.com")).as_deref(),
        Some("Two@example.com")
    );
    assert_eq!(commit!(db, tx => tx.delete_address(ANN, "ann@example.com")), None);
}

async fn a_password_is_set_replaced_and_rehashed(db: &Db) {
    person(db, ANN, "ann@example.com").await;
    commit!(db, tx => tx.set_password(ANN, "one", at(1)));
    commit!(db, tx => tx.set_password(ANN, "two", at(2)));
    commit!(db, tx => tx.rehash_password(ANN, "one", "late"));
    assert_eq!(db.read().await.find_password(ANN).await.unwrap().as_deref(), Some("two"));
    commit!(db, tx => tx.rehash_password(ANN, "two", "newer"));
    assert_eq!(db.read().await.find_password(ANN).await.unwrap().as_deref(), Some("newer"));
    assert_eq!(db.read().await.find_password(BEN).await.unwrap(), None);
}

fn local(id: u128, home: hallpass_core::id::CompanyId, email: &str) -> NewUser {
    NewUser { email: Some(email.to_owned()), ..new_user(id, Some(home)) }
}

async fn a_person_is_linked_to_the_user_of_a_proved_address(db: &Db) {
    let acme = db.acme().await;
    let (two, three) = (local(20, acme, "Ann@Example.com"), local(21, acme, "ann@other.com"));
    commit!(db, two, tx => tx.insert_user(two, at(0)));
    commit!(db, three, tx => tx.insert_user(three, at(0)));
    person(db, ANN, "ann@example.com").await;
    person(db, BEN, "ben@example.com").await;
    let linkable = db.read().await.find_linkable_user(ANN, acme).await.unwrap();
    assert_eq!(linkable.map(|user| user.id), Some(user(20)));
    assert_eq!(db.read().await.find_linkable_user(BEN, acme).await.unwrap(), None);
    assert_eq!(db.read().await.find_linked_user(ANN, acme).await.unwrap(), None);
    assert!(commit!(db, tx => tx.link_user(user(20), ANN)));
    assert!(!commit!(db, tx => tx.link_user(user(20), BEN)), "once");
    assert_eq!(db.read().await.find_linked_user(ANN, acme).await.unwrap(), linkable);
    assert_eq!(db.read().await.find_linkable_user(ANN, acme).await.unwrap(), None);
    let refused = db.store.write((), |(), tx| Box::pin(tx.link_user(user(21), ANN))).await;
    assert!(matches!(refused, Err(StoreError::Conflict)), "one user a company: {refused:?}");
}

async fn a_parents_user_is_linked_where_they_are_enrolled(db: &Db) {
    let acme = db.acme().await;
    let branch = db.company(2, 1, Some(1)).await;
    let made = local(20, acme, "ann@example.com");
    commit!(db, made, tx => tx.insert_user(made, at(0)));
    person(db, ANN, "ann@example.com").await;
    assert_eq!(db.read().await.find_linkable_user(ANN, branch).await.unwrap(), None);
    commit!(db, tx => tx.insert_member(MemberId::from_bits(1), branch, user(20), at(1)));
    let found = db.read().await.find_linkable_user(ANN, branch).await.unwrap();
    assert_eq!(found.map(|user| user.id), Some(user(20)));
    assert!(commit!(db, tx => tx.link_user(user(20), ANN)));
    let own: Option<UserId> =
        db.read().await.find_linked_user(ANN, branch).await.unwrap().map(|user| user.id);
    assert_eq!(own, Some(user(20)));
}

async fn a_challenge_is_taken_once_in_its_browser_for_its_purpose(db: &Db) {
    use ChallengePurpose::{Add, SignIn};
    for (challenge, purpose, person) in [(1, SignIn, None), (2, Add, Some(ANN)), (3, SignIn, None)] {
        let over = if challenge == 3 { 10 } else { 100 };
        commit!(db, tx => tx.insert_challenge([challenge; 32], [7; 32], purpose, person, at(over)));
    }
    assert_eq!(
        commit!(db, tx => tx.take_challenge([1; 32], [8; 32], SignIn, at(1))),
        None,
        "another browser"
    );
    assert_eq!(commit!(db, tx => tx.take_challenge([1; 32], [7; 32], Add, at(1))), None, "another purpose");
    assert_eq!(commit!(db, tx => tx.take_challenge([3; 32], [7; 32], SignIn, at(10))), None, "over");
    assert_eq!(commit!(db, tx => tx.take_challenge([1; 32], [7; 32], SignIn, at(1))), Some(None));
    assert_eq!(commit!(db, tx => tx.take_challenge([1; 32], [7; 32], SignIn, at(1))), None, "taken");
    commit!(db, tx => tx.prune_challenges(at(10)));
    assert_eq!(db.number("SELECT COUNT(*) FROM passkey_challenges").await, 1);
    assert_eq!(commit!(db, tx => tx.take_challenge([2; 32], [7; 32], Add, at(1))), Some(Some(ANN)));
}

fn passkey(id: u128, person: PersonId) -> Passkey {
    Passkey {
        id: PasskeyId::from_bits(id),
        person,
        credential_id: vec![id.to_le_bytes()[0]; 20],
        public_key: vec![1, 2],
        sign_count: 0,
        backup_eligible: true,
        backed_up: false,
        aaguid: [4; 16],
        transports: vec!["internal".to_owned()],
        name: "Phone".to_owned(),
        created_at: at(1),
        last_used_at: None,
    }
}

async fn passkeys_are_stored_listed_renamed_and_removed(db: &Db) {
    person(db, ANN, "ann@example.com").await;
    person(db, BEN, "ben@example.com").await;
    let (one, two) = (passkey(1, ANN), passkey(2, ANN));
    let known = Passkey { id: PasskeyId::from_bits(3), person: BEN, ..one.clone() };
    let (first, second) = (one.clone(), two.clone());
    assert!(commit!(db, first, tx => tx.insert_passkey(first)));
    assert!(commit!(db, second, tx => tx.insert_passkey(second)));
    assert!(!commit!(db, known, tx => tx.insert_passkey(known)), "one credential is one person's");
    assert_eq!(db.read().await.find_passkey(&one.credential_id).await.unwrap(), Some(one.clone()));
    assert_eq!(db.read().await.find_passkey(&[9]).await.unwrap(), None);
    let id = one.id;
    assert!(!commit!(db, tx => tx.rename_passkey(BEN, id, "Mine")));
    assert!(commit!(db, tx => tx.rename_passkey(ANN, id, "Key ring")));
    let renamed = Passkey { name: "Key ring".to_owned(), ..one };
    assert_eq!(db.read().await.list_passkeys(ANN).await.unwrap(), [renamed, two]);
    assert_eq!(commit!(db, tx => tx.delete_passkey(BEN, id)), None);
    assert_eq!(commit!(db, tx => tx.delete_passkey(ANN, id)).as_deref(), Some("Key ring"));
    assert_eq!(db.read().await.list_passkeys(ANN).await.unwrap().len(), 1);
}

async fn a_passkeys_counter_rises(db: &Db) {
    person(db, ANN, "ann@example.com").await;
    let one = passkey(1, ANN);
    let id = one.id;
    commit!(db, one, tx => tx.insert_passkey(one));
    for (count, rises) in [(0, true), (0, true), (5, true), (5, false), (4, false), (0, false), (6, true)] {
        assert_eq!(commit!(db, tx => tx.use_passkey(id, count, true, at(9))), rises, "{count}");
    }
    let kept = db.read().await.list_passkeys(ANN).await.unwrap().remove(0);
    assert_eq!((kept.sign_count, kept.backed_up, kept.last_used_at), (6, true, Some(at(9))));
    let gone = PasskeyId::from_bits(9);
    assert!(!commit!(db, tx => tx.use_passkey(gone, 1, true, at(9))));
}
