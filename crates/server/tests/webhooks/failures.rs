//! Receivers that fail, each in its way: what is tried again, when, and what gives up.

use std::time::Duration;

use hallpass_outbound::{Outbound, Policy};
use hallpass_testkit::{Actor, Answer, Setup, TestServer};
use jiff::SignedDuration;
use serde_json::{Value, json};

use super::receiver::{Got, Receiver, Reply, UNTRUSTED, log, subscribe};

const CREATED: [&str; 1] = ["chat.message.created"];

/// A server, a company's key and a channel of it.
async fn stage(server: &TestServer) -> (Actor<'_>, String) {
    let acme = server.company("acme").await;
    let (_, channel) = acme.channel("General", true).await;
    (acme.as_key(), channel)
}

async fn after(server: &TestServer, secs: i64) {
    server.clock.advance(SignedDuration::from_secs(secs));
    server.app.deliver_webhooks().await.unwrap();
}

async fn test(key: &Actor<'_>, hook: &str) -> Answer {
    key.post(&format!("/webhooks/{hook}/test"), json!({ "event": CREATED[0] })).await
}

async fn replay(key: &Actor<'_>, hook: &str, delivery: &str) -> Answer {
    key.post(&format!("/webhooks/{hook}/deliveries/{delivery}/replay"), json!({})).await
}

/// Whether a test came, and not an event.
fn is_test(got: &Got) -> bool {
    got.body["data"]["reason"] == "test"
}

fn field<'v>(log: &'v [Value], name: &str) -> Vec<&'v Value> {
    log.iter().map(|line| &line[name]).collect()
}

#[tokio::test]
async fn each_way_to_fail_is_told_in_the_log() {
    let server = TestServer::start().await;
    let (key, channel) = stage(&server).await;
    let mut hooks = Vec::new();
    for (reply, why) in [
        (Reply::Status(500), "answered 500"),
        (Reply::Status(404), "answered 404"),
        (Reply::Redirect, "answered 307: redirects are not followed"),
        (Reply::Silence, "no answer within 1 seconds"),
        (Reply::Late(Duration::from_secs(3)), "no answer within 1 seconds"),
        (Reply::BreakOff, "the connection failed: "),
    ] {
        let receiver = Receiver::that(move |_| reply.clone()).await;
        hooks.push((receiver.subscribe(&key, &CREATED).await.0, why));
    }
    let closed = Receiver::start().await.address;
    let tls = format!("https://{closed}/");
    hooks.push((subscribe(&key, &tls, &CREATED).await.0, "cannot connect: "));
    hooks.push((subscribe(&key, "http://127.0.0.1:1/", &CREATED).await.0, "cannot connect: "));
    for (url, why) in [
        ("http://10.0.0.1/", "10.0.0.1 is a private address"),
        ("https://169.254.169.254/latest", "169.254.169.254 is a link-local address"),
        ("https://[fd00::1]/", "fd00::1 is a private (unique local) address"),
        ("https://3232235777/", "192.168.1.1 is a private address"),
        ("http://8.8.8.8/", "http goes only to networks that this server's operator has named; use https"),
        ("https://nowhere.invalid/", "the name does not resolve: "),
    ] {
        hooks.push((subscribe(&key, url, &CREATED).await.0, why));
    }
    key.say(&channel, "hello").await.ok();
    server.app.deliver_webhooks().await.unwrap();
    for (hook, why) in hooks {
        let log = log(&key, &hook).await;
        assert_eq!(log.len(), 1, "{why}");
        assert_eq!(log[0]["status"], "retrying", "{why}");
        assert!(log[0]["error"].as_str().unwrap().starts_with(why), "{why}: {}", log[0]["error"]);
        assert_eq!(log[0]["next_attempt_at"], "2026-01-01T12:00:10.000Z", "{why}");
    }
}

#[tokio::test]
async fn an_endless_answer_is_cut_and_counts() {
    let server = TestServer::start().await;
    let (key, channel) = stage(&server).await;
    let receiver = Receiver::that(|_| Reply::Endless).await;
    let (hook, _) = receiver.subscribe(&key, &CREATED).await;
    key.say(&channel, "hello").await.ok();
    server.app.deliver_webhooks().await.unwrap();
    assert_eq!(log(&key, &hook).await[0]["status"], "delivered");
}

#[tokio::test]
async fn retries_come_after_10_20_and_40_seconds_under_one_id_and_the_rest_waits() {
    let server = TestServer::start().await;
    let (key, channel) = stage(&server).await;
    let receiver = Receiver::that(|_| Reply::Status(503)).await;
    let (hook, secret) = receiver.subscribe(&key, &CREATED).await;
    for text in ["one", "two", "three"] {
        key.say(&channel, text).await.ok();
    }
    after(&server, 0).await;
    for (pause, attempts) in [(9, 1), (1, 2), (19, 2), (1, 3), (39, 3)] {
        after(&server, pause).await;
        assert_eq!(receiver.contents(), vec!["one"; attempts], "after {pause} s");
    }
    receiver.now(|_| Reply::Status(200));
    after(&server, 1).await;
    assert_eq!(receiver.contents(), ["one", "one", "one", "one", "two", "three"]);
    let got = receiver.got();
    let first = got[0].id().to_owned();
    assert!(got[..4].iter().all(|attempt| attempt.id() == first));
    assert!(got.iter().all(|attempt| attempt.is_signed_by(&secret)), "each attempt is signed anew");
    let log = log(&key, &hook).await;
    assert_eq!(field(&log, "attempts"), [4, 1, 1]);
    assert_eq!(field(&log, "status"), ["delivered"; 3]);
    let shown = key.get(&format!("/webhooks/{hook}")).await.ok();
    assert_eq!(shown["failing_since"], Value::Null);
}

#[tokio::test]
async fn a_poisonous_event_steps_aside_and_comes_back_by_itself() {
    let server = TestServer::start().await;
    let (key, channel) = stage(&server).await;
    let receiver =
        Receiver::that(|got| Reply::Status(if got.content() == "poison" { 500 } else { 200 })).await;
    let (hook, _) = receiver.subscribe(&key, &CREATED).await;
    for text in ["poison", "two", "three"] {
        key.say(&channel, text).await.ok();
    }
    for pause in [0, 10, 20] {
        after(&server, pause).await;
    }
    assert_eq!(receiver.contents(), ["poison"; 3]);
    after(&server, 40).await;
    assert_eq!(receiver.contents(), ["poison", "poison", "poison", "poison", "two", "three"]);
    assert_eq!(field(&log(&key, &hook).await, "status"), ["waiting", "delivered", "delivered"]);
    key.say(&channel, "four").await.ok();
    after(&server, 79).await;
    assert_eq!(receiver.contents().last().unwrap(), "four");
    receiver.now(|_| Reply::Status(204));
    // Up to a tenth later than 80 s.
    after(&server, 10).await;
    assert_eq!(receiver.contents().last().unwrap(), "poison");
    let log = log(&key, &hook).await;
    assert_eq!((&log[0]["status"], &log[0]["attempts"]), (&json!("delivered"), &json!(5)));
}

#[tokio::test]
async fn a_dead_receiver_is_asked_ever_more_rarely_and_switched_off_after_five_days() {
    let server = TestServer::start().await;
    let (key, channel) = stage(&server).await;
    let receiver = Receiver::that(|_| Reply::Status(500)).await;
    let (hook, _) = receiver.subscribe(&key, &CREATED).await;
    for n in 0..50 {
        key.say(&channel, &format!("{n}")).await.ok();
    }
    let mut asked = Vec::new();
    for _ in 0..7 * 24 {
        if key.get(&format!("/webhooks/{hook}")).await.ok()["enabled"] == false {
            break;
        }
        after(&server, 3600).await;
        asked.push(receiver.got().len());
    }
    let hours = asked.len();
    assert!((5 * 24..=6 * 24 + 4).contains(&hours), "switched off after {hours} hours");
    let shown = key.get(&format!("/webhooks/{hook}")).await.ok();
    assert_eq!(shown["disabled_reason"], "failing");
    assert!(shown["disabled_at"].is_string());
    assert!(receiver.got().len() < 60, "asked {} times", receiver.got().len());
    let lines = log(&key, &hook).await;
    let last = lines.last().unwrap();
    assert_eq!((&last["status"], &last["event"]), (&json!("disabled"), &json!("hallpass.webhook.disabled")));
    assert!(last["error"].as_str().unwrap().contains("five days"), "{last}");
    // Nothing is on its way while it is off.
    assert!(lines.iter().all(|line| line["status"] != "retrying" && line["next_attempt_at"].is_null()));
    let given_up: Vec<&Value> = lines.iter().filter(|line| line["status"] == "failed").collect();
    assert_eq!(given_up.len(), 1, "the one it was tried with last");

    let before = receiver.got().len();
    after(&server, 90_000).await;
    assert_eq!(receiver.got().len(), before, "it gets nothing more");
    receiver.now(|_| Reply::Status(200));
    key.patch(&format!("/webhooks/{hook}"), json!({ "enabled": true })).await.ok();
    after(&server, 0).await;
    assert_eq!(receiver.got().len(), before + 49, "what waited comes, each once");
    replay(&key, &hook, given_up[0]["id"].as_str().unwrap()).await.ok();
    after(&server, 0).await;
    let mut told: Vec<String> = receiver.contents().split_off(before);
    told.sort_by_key(|text| text.parse::<u32>().unwrap());
    assert_eq!(told, (0..50).map(|n| n.to_string()).collect::<Vec<_>>(), "and the last one by replay");
}

#[tokio::test]
async fn gone_switches_off_at_once() {
    let server = TestServer::start().await;
    let (key, channel) = stage(&server).await;
    let receiver = Receiver::that(|_| Reply::Status(410)).await;
    let (hook, _) = receiver.subscribe(&key, &CREATED).await;
    for text in ["one", "two"] {
        key.say(&channel, text).await.ok();
    }
    after(&server, 1).await;
    assert_eq!(receiver.contents(), ["one"]);
    let shown = key.get(&format!("/webhooks/{hook}")).await.ok();
    assert_eq!((&shown["enabled"], &shown["disabled_reason"]), (&json!(false), &json!("gone")));
    test(&key, &hook).await.refused(409, "webhook_disabled");

    let lines = log(&key, &hook).await;
    assert_eq!(field(&lines, "status"), ["failed", "disabled"]);
    assert_eq!(field(&lines, "next_attempt_at"), [&Value::Null; 2]);
    let id = lines[0]["id"].as_str().unwrap();
    replay(&key, &hook, id).await.refused(409, "webhook_disabled");
    receiver.now(|_| Reply::Status(200));
    key.patch(&format!("/webhooks/{hook}"), json!({ "enabled": true })).await.ok();
    after(&server, 0).await;
    assert_eq!(receiver.contents(), ["one", "two"], "what waited comes");
    replay(&key, &hook, id).await.ok();
    after(&server, 0).await;
    assert_eq!(receiver.contents(), ["one", "two", "one"]);
    assert_eq!(receiver.got()[2].id(), id);
    assert_eq!(log(&key, &hook).await[0]["status"], "delivered");
}

#[tokio::test]
async fn gone_is_gone_whatever_was_sent() {
    let server = TestServer::start().await;
    let (key, channel) = stage(&server).await;
    let receiver = Receiver::that(|_| Reply::Status(500)).await;
    let (hook, _) = receiver.subscribe(&key, &CREATED).await;
    key.say(&channel, "first").await.ok();
    for pause in [0, 10, 20, 40] {
        after(&server, pause).await;
    }
    receiver.now(|_| Reply::Status(410));
    // What stepped aside is answered so.
    after(&server, 90).await;
    assert_eq!(key.get(&format!("/webhooks/{hook}")).await.ok()["disabled_reason"], "gone");
    assert_eq!(field(&log(&key, &hook).await, "status"), ["failed", "disabled"]);
    key.patch(&format!("/webhooks/{hook}"), json!({ "enabled": true })).await.ok();
    after(&server, 1).await;
    test(&key, &hook).await.ok();
    after(&server, 1).await;
    assert_eq!(key.get(&format!("/webhooks/{hook}")).await.ok()["disabled_reason"], "gone");
    let statuses = log(&key, &hook).await;
    assert_eq!(field(&statuses, "status"), ["failed", "disabled", "failed", "disabled"]);
}

#[tokio::test]
async fn a_test_and_a_replay_go_ahead_of_what_waits() {
    let server = TestServer::start().await;
    let (key, channel) = stage(&server).await;
    let receiver = Receiver::start().await;
    let (hook, secret) = receiver.subscribe(&key, &CREATED).await;
    key.say(&channel, "first").await.ok();
    after(&server, 0).await;
    let id = receiver.got()[0].id().to_owned();
    receiver.now(|_| Reply::Status(500));
    key.say(&channel, "second").await.ok();
    after(&server, 1).await;
    let tried = receiver.got().len();

    receiver.now(|_| Reply::Status(200));
    for event in hallpass_core::webhook::EventType::ALL {
        let made = key.post(&format!("/webhooks/{hook}/test"), json!({ "event": event.name() })).await.ok();
        assert_eq!((&made["status"], &made["attempts"]), (&json!("waiting"), &json!(0)));
        after(&server, 0).await;
        let got = receiver.got();
        let tested = got.iter().find(|got| got.id() == made["id"]).unwrap();
        assert_eq!(tested.body["type"], event.name());
        assert!(tested.is_signed_by(&secret));
    }
    let at = receiver.got().iter().position(|got| got.body["data"]["reason"] == "test").unwrap();
    assert_eq!(at, tried, "the first test goes before the message that failed");
    assert!(!receiver.contents()[tried..].contains(&"second".to_owned()), "which keeps its time");
    after(&server, 10).await;
    assert_eq!(receiver.contents().last().unwrap(), "second");

    replay(&key, &hook, &id).await.ok();
    after(&server, 0).await;
    let again = receiver.got().pop().unwrap();
    assert_eq!((again.id(), again.content()), (id.as_str(), "first"));
    let line = log(&key, &hook).await.into_iter().find(|line| line["id"] == id.as_str()).unwrap();
    assert_eq!((&line["status"], &line["attempts"]), (&json!("delivered"), &json!(2)));
}

#[tokio::test]
async fn tests_that_fail_delay_no_event_and_no_retry() {
    let server = TestServer::start().await;
    let (key, channel) = stage(&server).await;
    let receiver = Receiver::that(|got| Reply::Status(if is_test(got) { 500 } else { 200 })).await;
    let (hook, _) = receiver.subscribe(&key, &CREATED).await;
    for n in 1..=3 {
        test(&key, &hook).await.ok();
        after(&server, 0).await;
        key.say(&channel, &format!("{n}")).await.ok();
        after(&server, 0).await;
        assert_eq!(receiver.contents().last().unwrap(), &n.to_string(), "at once");
    }
    assert_eq!(key.get(&format!("/webhooks/{hook}")).await.ok()["failing_since"], Value::Null);
    let lines = log(&key, &hook).await;
    let tests: Vec<&Value> = lines.iter().filter(|line| line["status"] == "waiting").collect();
    assert_eq!(tests.len(), 3);
    assert!(tests.iter().all(|line| line["next_attempt_at"] == "2026-01-01T12:00:10.000Z"), "{tests:#?}");

    // The same while the head of the queue fails: it is tried after 10, 20 and 40 s, no sooner, no later.
    receiver.now(|_| Reply::Status(500));
    key.say(&channel, "head").await.ok();
    let mut came = Vec::new();
    for second in 0..=75 {
        let before = receiver.got().len();
        if second % 3 == 0 {
            test(&key, &hook).await.ok();
        }
        after(&server, i64::from(second > 0)).await;
        came.extend(receiver.contents()[before..].iter().filter(|text| *text == "head").map(|_| second));
    }
    assert_eq!(came, [0, 10, 30, 70]);
}

#[tokio::test]
async fn what_stepped_aside_or_was_replayed_delays_no_event() {
    let server = TestServer::start().await;
    let (key, channel) = stage(&server).await;
    let receiver =
        Receiver::that(|got| Reply::Status(if got.content().starts_with("poison") { 500 } else { 200 }))
            .await;
    let (hook, _) = receiver.subscribe(&key, &CREATED).await;
    key.say(&channel, "poison").await.ok();
    for pause in [0, 10, 20, 40] {
        after(&server, pause).await;
    }
    let id = receiver.got()[0].id().to_owned();
    for n in 0..40 {
        let before = receiver.got().len();
        if n % 4 == 0 {
            replay(&key, &hook, &id).await.ok();
            after(&server, 0).await;
            assert_eq!(receiver.contents()[before..], ["poison"], "a replay comes at once, and fails");
        }
        after(&server, 300).await;
        key.say(&channel, &format!("{n}")).await.ok();
        after(&server, 0).await;
        assert_eq!(receiver.contents().last().unwrap(), &n.to_string(), "at once");
    }
    assert_eq!(key.get(&format!("/webhooks/{hook}")).await.ok()["failing_since"], Value::Null);

    // Of an event that comes while it fails, the schedule is its own.
    receiver.now(|_| Reply::Status(500));
    key.say(&channel, "late").await.ok();
    let mut came = Vec::new();
    for second in 0..=75 {
        let before = receiver.got().len();
        after(&server, i64::from(second > 0)).await;
        came.extend(receiver.contents()[before..].iter().filter(|text| *text == "late").map(|_| second));
    }
    assert_eq!(came, [0, 10, 30, 70]);
}

#[tokio::test]
async fn two_poisonous_events_in_a_row_hold_up_the_rest_for_minutes() {
    let server = TestServer::start().await;
    let (key, channel) = stage(&server).await;
    let receiver =
        Receiver::that(|got| Reply::Status(if got.content().starts_with("poison") { 500 } else { 200 }))
            .await;
    receiver.subscribe(&key, &CREATED).await;
    for text in ["poison 1", "poison 2", "good"] {
        key.say(&channel, text).await.ok();
    }
    let mut came = Vec::new();
    for second in 0..=240 {
        let before = receiver.got().len();
        after(&server, i64::from(second > 0)).await;
        came.extend(receiver.contents().split_off(before).into_iter().map(|text| (text, second)));
    }
    let of = |text: &str| -> Vec<i32> {
        came.iter().filter(|(content, _)| content == text).map(|(_, second)| *second).collect()
    };
    assert_eq!(of("poison 1")[..4], [0, 10, 30, 70]);
    assert_eq!(of("poison 2")[..4], [70, 80, 100, 140], "the second one's schedule is its own");
    // 80 s after the second, and up to a tenth more.
    assert!((220..=228).contains(&of("good")[0]), "{came:?}");
}

#[tokio::test]
async fn only_the_queue_counts_for_the_five_days() {
    let server = TestServer::start().await;
    let (key, channel) = stage(&server).await;
    let receiver = Receiver::start().await;
    let (hook, _) = receiver.subscribe(&key, &CREATED).await;
    key.say(&channel, "old").await.ok();
    after(&server, 0).await;
    let id = receiver.got()[0].id().to_owned();
    receiver.now(|_| Reply::Status(500));
    after(&server, 1).await;
    for _ in 0..14 {
        test(&key, &hook).await.ok();
        replay(&key, &hook, &id).await.ok();
        after(&server, 12 * 3600).await;
    }
    let shown = key.get(&format!("/webhooks/{hook}")).await.ok();
    assert_eq!((&shown["enabled"], &shown["failing_since"]), (&json!(true), &Value::Null));
    let lines = log(&key, &hook).await;
    assert_eq!(lines[0]["status"], "failed", "what is older than five days fails for good");
    receiver.now(|_| Reply::Status(200));
    key.say(&channel, "new").await.ok();
    after(&server, 0).await;
    assert!(receiver.contents().contains(&"new".to_owned()));
}

#[tokio::test]
async fn one_event_that_fails_for_five_days_is_enough_if_nothing_else_arrives() {
    let server = TestServer::start().await;
    let (key, channel) = stage(&server).await;
    let receiver = Receiver::that(|_| Reply::Status(500)).await;
    let (hook, _) = receiver.subscribe(&key, &CREATED).await;
    key.say(&channel, "alone").await.ok();
    for _ in 0..6 * 24 + 3 {
        after(&server, 3600).await;
    }
    assert_eq!(key.get(&format!("/webhooks/{hook}")).await.ok()["disabled_reason"], "failing");
    assert_eq!(field(&log(&key, &hook).await, "status"), ["failed", "disabled"]);
    assert!(receiver.got().len() < 20, "asked {} times", receiver.got().len());
}

#[tokio::test]
async fn the_next_attempt_is_never_in_the_past() {
    let server = TestServer::start().await;
    let (key, channel) = stage(&server).await;
    let receiver = Receiver::start().await;
    let (hook, _) = receiver.subscribe(&key, &CREATED).await;
    key.say(&channel, "first").await.ok();
    after(&server, 0).await;
    let id = receiver.got()[0].id().to_owned();
    server.clock.advance(SignedDuration::from_hours(1));
    let tested = test(&key, &hook).await.ok();
    assert_eq!(tested["next_attempt_at"], "2026-01-01T13:00:00.000Z");
    let replayed = replay(&key, &hook, &id).await.ok();
    assert_eq!((&replayed["status"], &replayed["attempts"]), (&json!("waiting"), &json!(1)));
    assert_eq!(replayed["next_attempt_at"], "2026-01-01T13:00:00.000Z");
    // Nobody came to deliver them yet.
    server.clock.advance(SignedDuration::from_secs(5));
    assert_eq!(field(&log(&key, &hook).await, "next_attempt_at"), ["2026-01-01T13:00:05.000Z"; 2]);
    key.patch(&format!("/webhooks/{hook}"), json!({ "enabled": false })).await.ok();
    assert_eq!(field(&log(&key, &hook).await, "next_attempt_at"), [&Value::Null; 2]);
    key.patch(&format!("/webhooks/{hook}"), json!({ "enabled": true })).await.ok();
    after(&server, 0).await;
    let lines = log(&key, &hook).await;
    assert_eq!(field(&lines, "status"), ["delivered"; 2]);
    assert_eq!(field(&lines, "next_attempt_at"), [&Value::Null; 2]);
}

#[tokio::test]
async fn a_failure_that_is_gone_leaves_the_next_event_its_schedule() {
    let server = TestServer::start().await;
    let (key, channel) = stage(&server).await;
    let receiver = Receiver::that(|_| Reply::Status(500)).await;
    let (hook, _) = receiver.subscribe(&key, &CREATED).await;
    let first = key.say(&channel, "deleted").await.ok()["id"].as_str().unwrap().to_owned();
    after(&server, 0).await;
    after(&server, 10).await;
    key.delete(&format!("/messages/{first}")).await.ok();
    key.say(&channel, "next").await.ok();
    after(&server, 20).await;
    let lines = log(&key, &hook).await;
    assert_eq!(field(&lines, "status"), ["skipped", "retrying"]);
    assert_eq!(lines[1]["next_attempt_at"], "2026-01-01T12:00:40.000Z");
}

#[tokio::test]
async fn a_certificate_that_nobody_vouches_for_is_refused() {
    let server = TestServer::start().await;
    let (key, channel) = stage(&server).await;
    let receiver = Receiver::untrusted().await;
    let url = format!("https://{}/", receiver.address);
    // Who trusts it gets through: nothing else is wrong with it.
    let trusted = [reqwest::Certificate::from_der(UNTRUSTED).unwrap()];
    let trusting = reqwest::Client::builder().no_proxy().tls_certs_only(trusted).build().unwrap();
    let body = json!({ "id": "msg", "api_version": "v1", "type": "hallpass.none", "timestamp": "now",
                       "company_id": "biz", "data": {} });
    assert_eq!(trusting.post(&url).json(&body).send().await.unwrap().status(), 200);
    assert_eq!((receiver.got().len(), receiver.connections()), (1, 1));

    let (hook, _) = subscribe(&key, &url, &CREATED).await;
    key.say(&channel, "hello").await.ok();
    after(&server, 0).await;
    let lines = log(&key, &hook).await;
    assert_eq!(lines[0]["status"], "retrying");
    let why = lines[0]["error"].as_str().unwrap();
    assert!(why.starts_with("cannot connect: invalid peer certificate"), "{why}");
    assert_eq!(lines[0]["response_status"], Value::Null);
    assert_eq!((receiver.got().len(), receiver.connections()), (1, 2), "it hears nothing");
}

/// Threat 31: a name may change its mind between two attempts; each is judged by itself.
#[tokio::test]
async fn threat_31_a_name_that_rebinds_is_refused_when_it_is_private() {
    use std::net::IpAddr;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};

    use futures_util::FutureExt;

    struct Rebinding(Arc<AtomicBool>);
    impl hallpass_outbound::Resolver for Rebinding {
        fn resolve(&self, _: &str) -> futures_util::future::BoxFuture<'static, std::io::Result<Vec<IpAddr>>> {
            let address = if self.0.load(Ordering::SeqCst) { "169.254.169.254" } else { "127.0.0.1" };
            async move { Ok(vec![address.parse().unwrap()]) }.boxed()
        }
    }
    let turned = Arc::new(AtomicBool::new(false));
    let resolver: Arc<dyn hallpass_outbound::Resolver> = Arc::new(Rebinding(Arc::clone(&turned)));
    let outbound = Outbound::with_resolver(Policy::with_loopback(), "test", &resolver);
    let server = TestServer::with(Setup { outbound, ..Setup::default() }).await;
    let (key, channel) = stage(&server).await;
    // Breaks the connection off, so that the next attempt makes a new one.
    let receiver = Receiver::that(|_| Reply::BreakOff).await;
    let url = format!("http://rebinding.test:{}/", receiver.address.port());
    let (hook, _) = subscribe(&key, &url, &CREATED).await;
    key.say(&channel, "hello").await.ok();
    after(&server, 0).await;
    assert_eq!(receiver.got().len(), 1);
    turned.store(true, Ordering::SeqCst);
    after(&server, 10).await;
    assert_eq!(receiver.got().len(), 1);
    let log = log(&key, &hook).await;
    assert_eq!(log[0]["error"], "169.254.169.254 is a link-local address");
    assert_eq!(log[0]["response_status"], Value::Null);
}
