use hallpass_core::entity::KeyHolder;
use hallpass_core::id::{WebhookDeliveryId, WebhookId};
use hallpass_core::webhook::{DeliveryState, DisabledReason, EventType, Health, Webhook};
use hallpass_store::{Delivery, Happened, Lease, NewRun, Progress, StoreError, WebhookPatch};

use crate::fixtures::*;

on_both! {
    a_webhook_comes_back_as_stored,
    it_is_changed_switched_and_deleted,
    secrets_are_replaced,
    lists_walk_both_ways,
    who_is_told_follows_company_parent_and_events,
    runs_wait_in_order,
    messages_of_events_are_found,
    a_lease_is_one_owners,
    progress_is_written_under_the_lease_alone,
    what_is_beside_the_queue_is_due_at_its_own_time,
    deliveries_are_logged_and_replayed,
    old_things_are_pruned,
    the_queue_is_measured,
}

fn hook(n: u128) -> WebhookId {
    WebhookId::from_bits(n)
}

fn new_webhook(n: u128, company: hallpass_core::id::CompanyId) -> Webhook {
    Webhook {
        id: hook(n),
        company,
        url: format!("https://{n}.test/"),
        enabled: true,
        events: vec!["chat.message.created".to_owned(), "hallpass.api_key.created".to_owned()],
        api_version: "v1".to_owned(),
        child_events: false,
        reads: hallpass_core::webhook::READS,
        key_holder: Some(KeyHolder::Company(company)),
        disabled_at: None,
        disabled_reason: None,
        failing_since: None,
        created_at: at(i64::try_from(n / 2).unwrap()),
    }
}

async fn add(db: &Db, new: Webhook) {
    commit!(db, new, tx => tx.insert_webhook(new, b"sealed"));
}

fn lease(n: u128, owner: &str) -> Lease {
    Lease { webhook: hook(n), owner: owner.to_owned() }
}

fn delivery(n: i64, state: DeliveryState, next: Option<i64>) -> Delivery {
    let millis = u128::try_from(at(n).as_millisecond()).unwrap();
    Delivery {
        id: WebhookDeliveryId::from_bits(millis << 80 | u128::try_from(n).unwrap()),
        event: "chat.message.created".to_owned(),
        company: biz(1),
        place: Some((feed(1).into(), n)),
        subject: None,
        state,
        attempts: 1,
        status: Some(200),
        error: Some("why \"not\"".to_owned()),
        attempted_at: Some(at(n)),
        next_at: next.map(at),
    }
}

fn runs(n: u128, from_seq: i64, to_seq: i64) -> Vec<NewRun> {
    vec![NewRun {
        webhook: hook(n),
        event: EventType::ChatMessageCreated,
        company: biz(1),
        channel: feed(1).into(),
        from_seq,
        to_seq,
        at: at(to_seq),
    }]
}

async fn a_webhook_comes_back_as_stored(db: &Db) {
    let acme = db.acme().await;
    let mut off = new_webhook(2, acme);
    off.enabled = false;
    off.disabled_at = Some(at(3));
    off.disabled_reason = Some(DisabledReason::ByHand);
    off.child_events = true;
    "v5".clone_into(&mut off.api_version);
    for new in [new_webhook(1, acme), off] {
        add(db, new.clone()).await;
        assert_eq!(db.read().await.find_webhook(new.id).await.unwrap(), Some(new));
    }
    assert_eq!(db.read().await.count_webhooks(acme).await.unwrap(), 2);
    assert_eq!(db.read().await.find_webhook(hook(3)).await.unwrap(), None);
    for new in [new_webhook(1, acme), new_webhook(4, biz(9))] {
        let refused = db.store.write(new, |new, tx| Box::pin(tx.insert_webhook(new, b""))).await;
        assert!(matches!(refused, Err(StoreError::Conflict)), "{refused:?}");
    }
    let due = db.read().await.list_due_webhooks("me", at(0), 10).await.unwrap();
    assert_eq!(due, [], "nothing waits");
}

async fn it_is_changed_switched_and_deleted(db: &Db) {
    let acme = db.acme().await;
    add(db, new_webhook(1, acme)).await;
    let patch = WebhookPatch {
        url: Some("https://other.test/".to_owned()),
        events: Some(vec![]),
        api_version: Some("v2".to_owned()),
        child_events: Some(true),
        reads: hallpass_core::scope::ScopeSet::EMPTY,
        key_holder: None,
    };
    assert!(commit!(db, patch, tx => tx.update_webhook(hook(1), patch, at(5))));
    let nothing = WebhookPatch::default();
    assert!(commit!(db, nothing, tx => tx.update_webhook(hook(1), nothing, at(6))));
    let found = db.read().await.find_webhook(hook(1)).await.unwrap().unwrap();
    assert_eq!(
        (found.url.as_str(), found.events.len(), found.child_events),
        ("https://other.test/", 0, true)
    );
    assert_eq!(found.api_version, "v2");

    commit!(db, tx => tx.insert_webhook_runs(&runs(1, 1, 2)));
    assert!(commit!(db, tx => tx.disable_webhook(hook(1), DisabledReason::Gone, at(7))));
    assert!(!commit!(db, tx => tx.disable_webhook(hook(1), DisabledReason::Failing, at(8))));
    let off = db.read().await.find_webhook(hook(1)).await.unwrap().unwrap();
    assert_eq!((off.enabled, off.disabled_reason), (false, Some(DisabledReason::Gone)));
    assert_eq!(off.disabled_at, Some(at(7)));
    assert_eq!(db.read().await.list_queued_webhooks("me", at(9), None, 10).await.unwrap(), []);
    assert!(!commit!(db, tx => tx.urge_webhook(hook(1))), "it is off");
    assert!(commit!(db, tx => tx.enable_webhook(hook(1))));
    assert_eq!(db.read().await.list_queued_webhooks("me", at(9), None, 10).await.unwrap(), [hook(1)]);
    assert!(commit!(db, tx => tx.urge_webhook(hook(1))));

    assert!(commit!(db, tx => tx.delete_webhook(hook(1), at(10))));
    assert!(!commit!(db, tx => tx.delete_webhook(hook(1), at(10))));
    assert!(!commit!(db, tx => tx.enable_webhook(hook(1))));
    assert_eq!(db.read().await.find_webhook(hook(1)).await.unwrap(), None);
    assert!(db.read().await.find_webhook_secrets(hook(1)).await.unwrap().is_none());
    assert_eq!(db.read().await.count_webhooks(acme).await.unwrap(), 0);
    // Its queue, its log, then itself.
    assert!(commit!(db, tx => tx.clear_deleted_webhook(at(11), 10)));
    assert!(commit!(db, tx => tx.clear_deleted_webhook(at(11), 10)));
    assert!(!commit!(db, tx => tx.clear_deleted_webhook(at(11), 10)));
    for table in ["webhooks", "webhook_states", "webhook_runs", "webhook_deliveries"] {
        assert_eq!(db.number(&format!("SELECT COUNT(*) FROM {table}")).await, 0, "{table}");
    }
}

async fn secrets_are_replaced(db: &Db) {
    let acme = db.acme().await;
    add(db, new_webhook(1, acme)).await;
    let first = db.read().await.find_webhook_secrets(hook(1)).await.unwrap().unwrap();
    assert_eq!((first.secret.as_slice(), first.old), (b"sealed".as_slice(), None));
    assert!(commit!(db, tx => tx.rotate_webhook_secret(hook(1), b"another", at(9))));
    assert!(!commit!(db, tx => tx.rotate_webhook_secret(hook(2), b"another", at(9))));
    let both = db.read().await.find_webhook_secrets(hook(1)).await.unwrap().unwrap();
    assert_eq!(both.secret, b"another");
    assert_eq!(both.old, Some((b"sealed".to_vec(), at(9))));
}

async fn lists_walk_both_ways(db: &Db) {
    let acme = db.acme().await;
    db.company(2, 1, None).await;
    for n in 1..=9 {
        add(db, new_webhook(n, acme)).await;
    }
    add(db, new_webhook(10, biz(2))).await;
    for descending in [false, true] {
        let mut walked = Vec::new();
        let mut scan = scan(descending, 2);
        loop {
            let page = db.read().await.list_webhooks(acme, &scan).await.unwrap();
            let Some(last) = page.last() else { break };
            scan = scan_from(descending, last.created_at, last.id, 2);
            walked.extend(page.iter().map(|webhook| webhook.id.bits()));
        }
        if descending {
            walked.reverse();
        }
        assert_eq!(walked, (1..=9).collect::<Vec<_>>());
    }
}

async fn who_is_told_follows_company_parent_and_events(db: &Db) {
    let acme = db.acme().await;
    db.company(2, 1, Some(1)).await;
    let with = |n, company, child_events| Webhook { child_events, ..new_webhook(n, company) };
    for new in [with(1, acme, false), with(2, acme, true), with(3, biz(2), false), with(4, biz(2), true)] {
        add(db, new).await;
    }
    commit!(db, tx => tx.disable_webhook(hook(4), DisabledReason::ByHand, at(1)));
    let mut conn = db.read().await;
    for (company, told) in [(acme, vec![hook(1)]), (biz(2), vec![hook(3), hook(2)])] {
        let record = conn.find_company(company).await.unwrap().unwrap();
        let listed = conn.list_told_webhooks(&record).await.unwrap();
        assert_eq!(listed.iter().map(|(id, _)| *id).collect::<Vec<_>>(), told);
        assert_eq!(listed[0].1, ["chat.message.created", "hallpass.api_key.created"]);
    }
    drop(conn);
    for (company, event, count) in [
        (acme, EventType::ApiKeyCreated, 1),
        (biz(2), EventType::ChatMessageCreated, 2),
        (biz(2), EventType::UserEnrolled, 0),
    ] {
        let what = Happened {
            event,
            place: Some((feed(7).to_string(), 3)),
            subject: Some("{}".to_owned()),
            at: at(4),
        };
        assert_eq!(commit!(db, what, tx => tx.tell_webhooks(company, what)), count, "{event:?}");
    }
    let waits = db.read().await.list_webhook_runs(hook(2), 10).await.unwrap();
    assert_eq!(waits.len(), 1);
    assert_eq!((waits[0].company, waits[0].event), (biz(2), EventType::ChatMessageCreated));
    assert_eq!(waits[0].span, Some((feed(7).into(), 3, 3)));
    assert_eq!((waits[0].subject.as_deref(), waits[0].at), (Some("{}"), at(4)));
}

async fn runs_wait_in_order(db: &Db) {
    let acme = db.acme().await;
    add(db, new_webhook(1, acme)).await;
    commit!(db, tx => tx.insert_webhook_runs(&runs(1, 1, 4)));
    append!(db, tx => tx.insert_webhook_runs(&runs(1, 5, 5)));
    commit!(db, tx => tx.insert_webhook_runs(&runs(2, 6, 9)));
    let waits = db.read().await.list_webhook_runs(hook(1), 10).await.unwrap();
    let spans: Vec<_> = waits.iter().map(|run| run.span.unwrap()).collect();
    assert_eq!(spans, [(feed(1).into(), 1, 4), (feed(1).into(), 5, 5)]);
    assert_eq!(db.read().await.list_webhook_runs(hook(1), 1).await.unwrap().len(), 1);
    let due = db.read().await.list_queued_webhooks("me", at(9), None, 10).await.unwrap();
    assert_eq!(due, [hook(1)], "and none without a state");
    let behind = db.read().await.list_queued_webhooks("me", at(9), Some(hook(1)), 10).await.unwrap();
    assert_eq!(behind, []);
}

async fn messages_of_events_are_found(db: &Db) {
    let acme = db.acme().await;
    let (one, two) = (db.channel(1, acme).await, db.channel(2, acme).await);
    let new = vec![
        new_message(1, one, 1, user(1)),
        new_message(2, one, 2, user(1)),
        new_message(3, one, 3, user(1)),
        new_message(4, two, 1, user(1)),
    ];
    commit!(db, new, tx => tx.insert_messages(new));
    commit!(db, tx => tx.delete_message(post(2), at(9)));
    let spans = [(one, 1, 2), (two, 1, 5)];
    let found = db.read().await.find_messages_of_events(&spans).await.unwrap();
    let mut ids: Vec<_> = found.iter().map(|(place, message)| (*place, message.id)).collect();
    ids.sort_unstable();
    assert_eq!(ids, [((one, 1), post(1)), ((two, 1), post(4))]);
    assert_eq!(found[&(one, 1)].content.as_deref(), Some("message 1"));
}

async fn a_lease_is_one_owners(db: &Db) {
    let acme = db.acme().await;
    add(db, new_webhook(1, acme)).await;
    let (mine, theirs) = (lease(1, "me"), lease(1, "them"));
    let (again, late) = (mine.clone(), theirs.clone());
    let taken = commit!(db, mine, tx => tx.lease_webhook(mine, at(100), at(0)));
    assert_eq!(taken, Some(Health::default()));
    assert_eq!(commit!(db, theirs, tx => tx.lease_webhook(theirs, at(100), at(99))), None);
    assert!(commit!(db, again, tx => tx.lease_webhook(again, at(100), at(50))).is_some(), "ours already");
    assert!(commit!(db, late, tx => tx.lease_webhook(late, at(200), at(100))).is_some(), "it ran out");
}

async fn progress_is_written_under_the_lease_alone(db: &Db) {
    let acme = db.acme().await;
    add(db, new_webhook(1, acme)).await;
    commit!(db, tx => tx.insert_webhook_runs(&runs(1, 1, 4)));
    commit!(db, tx => tx.insert_webhook_runs(&runs(1, 5, 9)));
    let waits = db.read().await.list_webhook_runs(hook(1), 10).await.unwrap();
    let did = Progress {
        lease_until: None,
        health: Health {
            failures: 5,
            head_attempts: 1,
            failing_since: Some(at(3)),
            not_before: Some(at(50)),
        },
        aside_from: None,
        deliveries: vec![
            delivery(1, DeliveryState::Delivered, None),
            delivery(2, DeliveryState::Waiting, Some(60)),
        ],
        finished: vec![waits[0].n],
        shortened: Some((waits[1].n, 7)),
    };
    let data = (lease(1, "them"), did.clone());
    let written =
        db.store.write(data, |(lease, did), tx| Box::pin(tx.advance_webhook(lease, did))).await.unwrap();
    assert!(!written, "not leased");
    assert_eq!(db.read().await.list_webhook_runs(hook(1), 10).await.unwrap(), waits);
    let mine = lease(1, "me");
    commit!(db, mine, tx => tx.lease_webhook(mine, at(100), at(0)));
    let data = (lease(1, "me"), did);
    let written =
        db.store.write(data, |(lease, did), tx| Box::pin(tx.advance_webhook(lease, did))).await.unwrap();
    assert!(written);
    let left = db.read().await.list_webhook_runs(hook(1), 10).await.unwrap();
    assert_eq!(left.len(), 1);
    assert_eq!(left[0].span, Some((feed(1).into(), 7, 9)));
    let shown = db.read().await.find_webhook(hook(1)).await.unwrap().unwrap();
    assert_eq!(shown.failing_since, Some(at(3)));
    assert_eq!(db.read().await.list_due_webhooks("them", at(60), 10).await.unwrap(), [hook(1)]);
    assert_eq!(db.read().await.list_due_webhooks("them", at(59), 10).await.unwrap(), []);
    // The lease is given back, but the head is not tried before its time.
    assert_eq!(db.read().await.list_queued_webhooks("them", at(49), None, 10).await.unwrap(), []);
    assert_eq!(db.read().await.list_queued_webhooks("them", at(50), None, 10).await.unwrap(), [hook(1)]);
    let early = lease(1, "them");
    assert_eq!(commit!(db, early, tx => tx.lease_webhook(early, at(100), at(49))), None);
    let then = lease(1, "them");
    let health = commit!(db, then, tx => tx.lease_webhook(then, at(100), at(50))).unwrap();
    assert_eq!((health.failures, health.head_attempts, health.failing_since), (5, 1, Some(at(3))));
    assert_eq!(health.not_before, Some(at(50)));
}

async fn what_is_beside_the_queue_is_due_at_its_own_time(db: &Db) {
    let acme = db.acme().await;
    add(db, new_webhook(1, acme)).await;
    let advance = async |aside_from: Option<i64>, next: i64| {
        let mine = lease(1, "me");
        commit!(db, mine, tx => tx.lease_webhook(mine, at(1), at(0)));
        let did = Progress {
            health: Health { not_before: Some(at(500)), ..Health::default() },
            aside_from: aside_from.map(at),
            deliveries: vec![delivery(1, DeliveryState::Waiting, Some(next))],
            ..Progress::default()
        };
        let data = (lease(1, "me"), did);
        db.store.write(data, |(lease, did), tx| Box::pin(tx.advance_webhook(lease, did))).await.unwrap()
    };
    let due = async |n| !db.read().await.list_due_webhooks("them", at(n), 10).await.unwrap().is_empty();
    commit!(db, tx => tx.enable_webhook(hook(1)));
    assert!(advance(None, 60).await);
    assert!(!due(59).await && due(60).await, "whatever the head waits for");
    let beside = lease(1, "them");
    assert!(commit!(db, beside, tx => tx.lease_webhook(beside, at(61), at(60))).is_some());
    let later = lease(1, "me");
    commit!(db, later, tx => tx.lease_webhook(later, at(90), at(70)));
    assert!(advance(Some(500), 60).await);
    assert!(!due(499).await && due(500).await, "it waits for the head");
    assert!(advance(Some(500), 600).await);
    assert!(!due(599).await && due(600).await, "and for its own time");
    // Asked for, it waits for nothing.
    let id = delivery(1, DeliveryState::Waiting, None).id;
    assert!(commit!(db, tx => tx.urge_webhook(hook(1))));
    assert!(commit!(db, tx => tx.replay_webhook_delivery(hook(1), id)));
    assert!(due(0).await);
    let mine = lease(1, "me");
    let health = commit!(db, mine, tx => tx.lease_webhook(mine, at(1), at(0))).unwrap();
    assert_eq!(health.not_before, Some(at(500)), "the head keeps its time");
    let did = Progress { health, aside_from: Some(at(500)), ..Progress::default() };
    let data = (lease(1, "me"), did);
    assert!(db.store.write(data, |(lease, did), tx| Box::pin(tx.advance_webhook(lease, did))).await.unwrap());
    assert!(due(0).await);
}

async fn deliveries_are_logged_and_replayed(db: &Db) {
    let acme = db.acme().await;
    add(db, new_webhook(1, acme)).await;
    let lines = vec![
        delivery(1, DeliveryState::Delivered, None),
        delivery(2, DeliveryState::Waiting, Some(60)),
        delivery(3, DeliveryState::Retrying, Some(10)),
        Delivery {
            place: None,
            subject: Some("{\"about\":\"test\"}".to_owned()),
            status: None,
            error: None,
            attempted_at: None,
            ..delivery(4, DeliveryState::Failed, None)
        },
    ];
    let expected = lines.clone();
    commit!(db, lines, tx => tx.put_webhook_deliveries(hook(1), lines));
    let listed = db.read().await.list_webhook_deliveries(hook(1), &scan(false, 10)).await.unwrap();
    assert_eq!(listed, expected);
    let down = db.read().await.list_webhook_deliveries(hook(1), &scan(true, 2)).await.unwrap();
    assert_eq!(down.iter().map(|line| line.id).collect::<Vec<_>>(), [expected[3].id, expected[2].id]);
    let found = db.read().await.find_webhook_delivery(hook(1), expected[3].id).await.unwrap();
    assert_eq!(found.as_ref(), Some(&expected[3]));
    assert_eq!(db.read().await.find_webhook_delivery(hook(2), expected[3].id).await.unwrap(), None);

    let due = async |n| {
        let waiting = db.read().await.list_waiting_deliveries(hook(1), at(n), 10).await.unwrap();
        waiting.iter().map(|line| line.id).collect::<Vec<_>>()
    };
    assert_eq!(due(59).await, []);
    assert_eq!(due(60).await, [expected[1].id]);
    let (first, retrying) = (expected[0].id, expected[2].id);
    assert!(commit!(db, tx => tx.replay_webhook_delivery(hook(1), first)));
    assert!(!commit!(db, tx => tx.replay_webhook_delivery(hook(1), retrying)), "it is being tried");
    assert!(!commit!(db, tx => tx.replay_webhook_delivery(hook(2), first)));
    assert_eq!(due(0).await, [first], "at once");
    // The same id again takes the line's place.
    let changed = vec![Delivery { attempts: 2, ..expected[0].clone() }];
    commit!(db, changed, tx => tx.put_webhook_deliveries(hook(1), changed));
    let found = db.read().await.find_webhook_delivery(hook(1), first).await.unwrap().unwrap();
    assert_eq!((found.attempts, found.state, found.next_at), (2, DeliveryState::Delivered, None));
}

async fn old_things_are_pruned(db: &Db) {
    let acme = db.acme().await;
    add(db, new_webhook(1, acme)).await;
    let lines: Vec<Delivery> = (1..=6).map(|n| delivery(n, DeliveryState::Delivered, None)).collect();
    commit!(db, lines, tx => tx.put_webhook_deliveries(hook(1), lines));
    for n in 1..=6 {
        commit!(db, tx => tx.insert_webhook_runs(&runs(1, n, n)));
    }
    assert_eq!(commit!(db, tx => tx.prune_webhook_queue(at(5), 3)), 6);
    assert_eq!(commit!(db, tx => tx.prune_webhook_queue(at(5), 3)), 2);
    assert_eq!(commit!(db, tx => tx.prune_webhook_queue(at(5), 3)), 0);
    assert_eq!(db.number("SELECT COUNT(*) FROM webhook_deliveries").await, 2);
    assert_eq!(db.number("SELECT COUNT(*) FROM webhook_runs").await, 2);
}

async fn the_queue_is_measured(db: &Db) {
    let acme = db.acme().await;
    assert_eq!(db.read().await.measure_webhook_queue().await.unwrap(), (0, None));
    for n in [1, 2] {
        add(db, new_webhook(n, acme)).await;
    }
    commit!(db, tx => tx.insert_webhook_runs(&runs(1, 1, 4)));
    commit!(db, tx => tx.insert_webhook_runs(&runs(2, 5, 5)));
    assert_eq!(db.read().await.measure_webhook_queue().await.unwrap(), (5, Some(at(4))));
    commit!(db, tx => tx.disable_webhook(hook(1), DisabledReason::ByHand, at(9)));
    assert_eq!(db.read().await.measure_webhook_queue().await.unwrap(), (5, Some(at(5))));
}
