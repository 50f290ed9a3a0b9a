use hallpass_core::id::{FlowId, MailId, PersonId};
use hallpass_store::{FlowPurpose, MailState, NewFlow, Rate};
use jiff::{SignedDuration, Timestamp};

use crate::fixtures::*;

on_both! {
    a_flow_is_tried_a_few_times_in_its_browser,
    a_flow_is_proved_and_used_once,
    flows_that_are_over_are_forgotten,
    a_throttle_allows_a_burst_and_then_its_rate,
    a_throttle_gives_back,
    of_many_at_once_a_burst_is_let_through,
    devices_are_known_until_they_are_forgotten,
    a_letter_is_claimed_by_one_until_its_lease_is_over,
    letters_are_listed_and_forgotten,
}

const FLOW: FlowId = FlowId::from_bits(1);
const BROWSER: [u8; 32] = [7; 32];

async fn flow(db: &Db, purpose: FlowPurpose) {
    let new = NewFlow {
        id: FLOW,
        browser: BROWSER,
        purpose,
        email: "Ann@example.com".to_owned(),
        person: None,
        code_mac: [3; 32],
        expires_at: at(100),
    };
    commit!(db, new, tx => tx.insert_flow(new));
}

async fn a_flow_is_tried_a_few_times_in_its_browser(db: &Db) {
    flow(db, FlowPurpose::Reset).await;
    assert_eq!(commit!(db, tx => tx.try_flow(FLOW, [8; 32], 3, at(1))), None, "another browser");
    assert_eq!(commit!(db, tx => tx.try_flow(FLOW, BROWSER, 3, at(100))), None, "over");
    for attempts in 1..=3 {
        let tried = commit!(db, tx => tx.try_flow(FLOW, BROWSER, 3, at(1))).unwrap();
        assert_eq!((tried.attempts, tried.purpose), (attempts, FlowPurpose::Reset));
        assert_eq!((tried.email.as_str(), tried.code_mac), ("Ann@example.com", vec![3; 32]));
    }
    assert_eq!(commit!(db, tx => tx.try_flow(FLOW, BROWSER, 3, at(1))), None, "too often");
}

async fn a_flow_is_proved_and_used_once(db: &Db) {
    flow(db, FlowPurpose::SignIn).await;
    let used = |browser, purpose, now: Timestamp| async move {
        commit!(db, tx => tx.use_flow(FLOW, browser, purpose, now))
    };
    assert_eq!(used(BROWSER, FlowPurpose::SignIn, at(1)).await, None, "not proved");
    assert_eq!(db.read().await.find_proved_flow(FLOW, BROWSER, at(1)).await.unwrap(), None);
    assert!(commit!(db, tx => tx.prove_flow(FLOW, at(2), at(200))));
    assert!(!commit!(db, tx => tx.prove_flow(FLOW, at(2), at(900))));
    assert_eq!(commit!(db, tx => tx.try_flow(FLOW, BROWSER, 9, at(3))), None, "proved");
    let found = db.read().await.find_proved_flow(FLOW, BROWSER, at(199)).await.unwrap().unwrap();
    assert_eq!(found.email, "Ann@example.com");
    assert_eq!(db.read().await.find_proved_flow(FLOW, [8; 32], at(3)).await.unwrap(), None);
    assert_eq!(used([8; 32], FlowPurpose::SignIn, at(3)).await, None, "another browser");
    assert_eq!(used(BROWSER, FlowPurpose::Reset, at(3)).await, None, "another purpose");
    assert_eq!(used(BROWSER, FlowPurpose::SignIn, at(200)).await, None, "over");
    assert_eq!(used(BROWSER, FlowPurpose::SignIn, at(3)).await.as_deref(), Some("Ann@example.com"));
    assert_eq!(used(BROWSER, FlowPurpose::SignIn, at(3)).await, None, "used");
    assert_eq!(db.read().await.find_proved_flow(FLOW, BROWSER, at(3)).await.unwrap(), None);
}

async fn flows_that_are_over_are_forgotten(db: &Db) {
    flow(db, FlowPurpose::Address).await;
    commit!(db, tx => tx.prune_flows(at(99)));
    assert_eq!(db.number("SELECT COUNT(*) FROM code_flows").await, 1);
    commit!(db, tx => tx.prune_flows(at(100)));
    assert_eq!(db.number("SELECT COUNT(*) FROM code_flows").await, 0);
}

const RATE: Rate = Rate { interval: SignedDuration::from_millis(10), burst: 3 };

async fn take(db: &Db, now: i64) -> Option<i128> {
    commit!(db, tx => tx.take_throttle([1; 32], RATE, at(now))).map(|wait| wait.as_millis())
}

async fn a_throttle_allows_a_burst_and_then_its_rate(db: &Db) {
    for _ in 0..3 {
        assert_eq!(take(db, 100).await, None);
    }
    assert_eq!(take(db, 100).await, Some(10));
    assert_eq!(take(db, 104).await, Some(6));
    assert_eq!(take(db, 110).await, None);
    assert_eq!(take(db, 110).await, Some(10));
    assert_eq!(take(db, 1000).await, None);
    commit!(db, tx => tx.prune_throttles(at(1009)));
    assert_eq!(db.number("SELECT COUNT(*) FROM throttles").await, 1);
    commit!(db, tx => tx.prune_throttles(at(1010)));
    assert_eq!(db.number("SELECT COUNT(*) FROM throttles").await, 0);
}

async fn a_throttle_gives_back(db: &Db) {
    for _ in 0..10 {
        assert_eq!(take(db, 100).await, None);
        commit!(db, tx => tx.give_back_throttle([1; 32], RATE));
    }
}

async fn of_many_at_once_a_burst_is_let_through(db: &Db) {
    let takes = (0..20).map(|_| take(db, 100));
    let let_through = futures_util::future::join_all(takes).await;
    assert_eq!(let_through.iter().filter(|wait| wait.is_none()).count(), 3);
}

async fn devices_are_known_until_they_are_forgotten(db: &Db) {
    let (ann, ben) = (PersonId::from_bits(1), PersonId::from_bits(2));
    for (person, email) in [(ann, "ann@example.com"), (ben, "ben@example.com")] {
        commit!(db, tx => tx.insert_person(person, email, None, at(0)));
    }
    for (device, person, over) in [(1, ann, 100), (2, ann, 50), (3, ben, 100)] {
        commit!(db, tx => tx.insert_known_device([device; 32], person, at(over)));
    }
    let known = |device, person, now: i64| async move {
        db.read().await.is_device_known([device; 32], person, at(now)).await.unwrap()
    };
    assert!(known(1, ann, 99).await && known(2, ann, 49).await && known(3, ben, 0).await);
    assert!(!known(1, ann, 100).await && !known(1, ben, 0).await && !known(9, ann, 0).await);
    commit!(db, tx => tx.prune_known_devices(at(50)));
    assert_eq!(db.number("SELECT COUNT(*) FROM known_devices").await, 2);
    commit!(db, tx => tx.forget_devices(ann));
    assert!(!known(1, ann, 0).await && known(3, ben, 0).await);
}

async fn post(db: &Db, id: u128, state: MailState) {
    commit!(db, tx => tx.insert_mail(MailId::from_bits(id), b"sealed", state, at(10)));
}

async fn a_letter_is_claimed_by_one_until_its_lease_is_over(db: &Db) {
    for (id, state) in [(1, MailState::Queued), (2, MailState::Kept), (3, MailState::Void)] {
        post(db, id, state).await;
    }
    let claim = |now| async move {
        let claimed = commit!(db, tx => tx.claim_mails(at(now), at(now + 100), 5));
        claimed.iter().map(|mail| (mail.id.bits(), mail.attempts)).collect::<Vec<_>>()
    };
    assert_eq!(claim(9).await, [], "not due");
    assert_eq!(claim(10).await, [(1, 1)]);
    assert_eq!(claim(109).await, [], "leased");
    assert_eq!(claim(110).await, [(1, 2)], "whoever had it is gone");
    commit!(db, tx => tx.retry_mail(MailId::from_bits(1), at(500)));
    assert_eq!(claim(499).await, []);
    post(db, 4, MailState::Queued).await;
    assert_eq!(claim(500).await.len(), 2);
    commit!(db, tx => tx.delete_mail(MailId::from_bits(1)));
    assert_eq!(claim(900).await, [(4, 2)]);
}

async fn letters_are_listed_and_forgotten(db: &Db) {
    for (id, state) in [(1, MailState::Queued), (2, MailState::Kept), (3, MailState::Void)] {
        post(db, id, state).await;
    }
    let ids = |limit| async move {
        let listed = db.read().await.list_mails(limit).await.unwrap();
        listed.iter().map(|mail| mail.id.bits()).collect::<Vec<_>>()
    };
    assert_eq!(ids(9).await, [2, 1]);
    assert_eq!(ids(1).await, [2]);
    commit!(db, tx => tx.prune_mails(MailId::from_bits(2)));
    assert_eq!(ids(9).await, [2]);
    assert_eq!(db.read().await.list_mails(1).await.unwrap()[0].sealed, b"sealed");
}
