//! Several nodes, and nodes that die in the middle.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use hallpass_outbound::{Outbound, Policy};
use hallpass_testkit::{Engine, Setup, TestServer};
use jiff::SignedDuration;

use super::receiver::{Receiver, Reply, log};

const CREATED: [&str; 1] = ["chat.message.created"];

/// A server that waits for answers longer than any test.
fn patient() -> Setup {
    let outbound = Outbound::new(Policy::with_loopback(), "test").with_patience(Duration::from_mins(10));
    Setup { outbound, ..Setup::default() }
}

/// How often each delivery came.
fn times(receiver: &Receiver) -> HashMap<String, usize> {
    let mut times = HashMap::new();
    for got in receiver.got() {
        *times.entry(got.id().to_owned()).or_default() += 1;
    }
    times
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_nodes_deliver_each_event_once() {
    // On one file the two would be one owner, which cannot be: the folder is locked.
    let server = TestServer::on(Engine::Postgres).await;
    let other = server.another_node().await;
    let acme = server.company("acme").await;
    let (_, channel) = acme.channel("General", true).await;
    let receivers = futures_util::future::join_all((0..6).map(|_| Receiver::start())).await;
    for receiver in &receivers {
        receiver.subscribe(&acme.as_key(), &CREATED).await;
    }
    let (_, ann) = acme.member("ann").await;
    let sent = AtomicBool::new(false);
    let sending = async {
        for n in 0..100 {
            let node = if n % 2 == 0 { &server } else { &other };
            node.actor(&ann.bearer).say(&channel, &n.to_string()).await.ok();
        }
        sent.store(true, Ordering::SeqCst);
    };
    let delivering = async |node: &TestServer| {
        while !sent.load(Ordering::SeqCst) {
            node.app.deliver_webhooks().await.unwrap();
        }
    };
    tokio::join!(sending, delivering(&server), delivering(&other));
    server.app.deliver_webhooks().await.unwrap();
    other.app.deliver_webhooks().await.unwrap();
    for receiver in &receivers {
        let contents = receiver.contents();
        assert_eq!(contents, (0..100).map(|n| n.to_string()).collect::<Vec<_>>(), "in order, none missing");
        assert!(times(receiver).values().all(|times| *times == 1));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_dead_node_had_under_way_goes_out_again_under_the_same_id() {
    let server = TestServer::with(patient()).await;
    let acme = server.company("acme").await;
    let (_, channel) = acme.channel("General", true).await;
    let receiver = Receiver::that(|got| match got.content() {
        "7" => Reply::Silence,
        _ => Reply::Status(200),
    })
    .await;
    let (hook, _) = receiver.subscribe(&acme.as_key(), &CREATED).await;
    for n in 0..10 {
        acme.as_key().say(&channel, &n.to_string()).await.ok();
    }
    let dying = server.app.clone();
    let task = tokio::spawn(async move { dying.deliver_webhooks().await });
    receiver.reached(8).await;
    // As by `kill -9`: nothing of it is written.
    task.abort();
    let _aborted = task.await;
    assert!(log(&acme.as_key(), &hook).await.is_empty());
    receiver.now(|_| Reply::Status(200));
    let next = server.another_node().await;
    if Engine::of_this_run() == Engine::Postgres {
        next.app.deliver_webhooks().await.unwrap();
        assert_eq!(receiver.got().len(), 8, "its lease still holds");
        server.clock.advance(SignedDuration::from_secs(31));
    }
    next.app.deliver_webhooks().await.unwrap();
    assert_eq!(times(&receiver).len(), 10, "nothing is lost, and repeats have the same id");
    assert_eq!(receiver.contents()[8..], (0..10).map(|n| n.to_string()).collect::<Vec<_>>());
    assert_eq!(log(&acme.as_key(), &hook).await.len(), 10);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_cannot_read_the_authority_log_sends_nothing() {
    let server = TestServer::start().await;
    let acme = server.company("acme").await;
    let (_, channel) = acme.channel("General", true).await;
    let receiver = Receiver::start().await;
    receiver.subscribe(&acme.as_key(), &CREATED).await;
    acme.as_key().say(&channel, "hello").await.ok();
    server.stop_background();
    server.clock.leap(Duration::from_secs(2));
    assert!(!server.app.is_ready());
    let _gives_up = server.app.deliver_webhooks().await;
    assert!(receiver.got().is_empty());
    server.app.authority().refresh().await.unwrap();
    server.app.deliver_webhooks().await.unwrap();
    assert_eq!(receiver.got().len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn by_itself_it_delivers_soon_and_stops_when_told() {
    let server = TestServer::with(Setup { dispatch: true, ..patient() }).await;
    let acme = server.company("acme").await;
    let (_, channel) = acme.channel("General", true).await;
    let receiver = Receiver::start().await;
    let (hook, _) = receiver.subscribe(&acme.as_key(), &CREATED).await;
    for n in 0..5 {
        acme.as_key().say(&channel, &n.to_string()).await.ok();
    }
    receiver.reached(5).await;
    receiver.now(|_| Reply::Silence);
    acme.as_key().say(&channel, "hangs").await.ok();
    receiver.reached(6).await;
    // Well before anybody's patience runs out.
    tokio::time::timeout(Duration::from_secs(30), server.app.stop_webhooks()).await.expect("it stops");
    // What was under way is tried again after the start; it failed nobody.
    let log = log(&acme.as_key(), &hook).await;
    assert_eq!(log.len(), 5, "{log:#?}");
}
