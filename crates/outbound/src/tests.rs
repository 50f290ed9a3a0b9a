use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use parking_lot::Mutex;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::*;

/// Answers what it is told to, one answer after the other; the last one for good.
struct Told(Mutex<VecDeque<Vec<IpAddr>>>);

impl Resolver for Told {
    fn resolve(&self, _: &str) -> BoxFuture<'static, io::Result<Vec<IpAddr>>> {
        let mut answers = self.0.lock();
        let answer = if answers.len() > 1 { answers.pop_front() } else { answers.front().cloned() };
        async move { Ok(answer.unwrap_or_default()) }.boxed()
    }
}

fn outbound(policy: Policy, answers: &[&[&str]]) -> Outbound {
    let addresses = |texts: &&[&str]| texts.iter().map(|text| text.parse().expect("an address")).collect();
    let told: Arc<dyn Resolver> = Arc::new(Told(Mutex::new(answers.iter().map(addresses).collect())));
    Outbound::with_resolver(policy, "test", &told).with_patience(Duration::from_millis(500))
}

async fn post(outbound: &Outbound, url: &str) -> Result<Answer, Failure> {
    outbound.post_json(&parse_url(url).expect("a URL"), &[("webhook-id", "x")], b"{}".to_vec()).await
}

/// A server that answers each connection once, with these bytes, and closes.
async fn answering(answer: &'static [u8]) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut request = [0; 4096];
            let _read = stream.read(&mut request).await;
            let _written = stream.write_all(answer).await;
        }
    });
    address
}

#[test]
fn urls_are_absolute_http_without_secrets() {
    for (text, want) in [
        ("https://example.com/hook?x=1", None),
        ("http://example.com:8080/", None),
        ("//example.com", Some(InvalidUrl::Malformed)),
        ("example.com", Some(InvalidUrl::Malformed)),
        ("https://", Some(InvalidUrl::Malformed)),
        ("https://exa mple.com/", Some(InvalidUrl::Malformed)),
        ("https://example.com/\nx", Some(InvalidUrl::Malformed)),
        ("file:///etc/passwd", Some(InvalidUrl::Scheme)),
        ("gopher://example.com/", Some(InvalidUrl::Scheme)),
        ("https://user@example.com/", Some(InvalidUrl::UserInfo)),
        ("https://:word@example.com/", Some(InvalidUrl::UserInfo)),
        ("https://example.com/#x", Some(InvalidUrl::Fragment)),
    ] {
        assert_eq!(parse_url(text).err(), want, "{text}");
    }
    let long = format!("https://example.com/{}", "x".repeat(MAX_URL_BYTES));
    assert_eq!(parse_url(&long), Err(InvalidUrl::TooLong));
}

#[tokio::test]
async fn private_addresses_are_refused_in_every_spelling() {
    let outbound = outbound(Policy::default(), &[&["8.8.8.8"]]);
    for host in [
        "127.0.0.1",
        "127.1",
        "2130706433",
        "0x7f000001",
        "0177.0.0.1",
        "0x7f.1",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "[64:ff9b::7f00:1]",
        "169.254.169.254",
        "①②⑦.0.0.1",
    ] {
        let failed = post(&outbound, &format!("https://{host}/")).await.expect_err(host);
        assert!(matches!(failed, Failure::Refused(Refused::Address { .. })), "{host}: {failed}");
    }
}

#[tokio::test]
async fn a_name_is_refused_if_any_of_its_addresses_is_private() {
    for answers in [&["10.0.0.1"][..], &["8.8.8.8", "169.254.169.254"], &["2606:4700::1", "::1"]] {
        let failed = post(&outbound(Policy::default(), &[answers]), "https://rebound.test/").await;
        assert!(matches!(failed, Err(Failure::Refused(Refused::Address { .. }))), "{answers:?}: {failed:?}");
    }
    let nowhere = post(&outbound(Policy::default(), &[&[]]), "https://nowhere.test/").await;
    assert!(matches!(nowhere, Err(Failure::Refused(Refused::Unresolved(_)))), "{nowhere:?}");
}

#[tokio::test]
async fn a_name_that_rebinds_is_judged_at_each_connection() {
    let address = answering(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n").await;
    let policy = Policy { allowed: vec!["127.0.0.1/32".parse().expect("a network")], allow_private: false };
    let outbound = outbound(policy, &[&["127.0.0.1"], &["10.0.0.1"]]);
    let url = format!("http://rebinding.test:{}/", address.port());
    assert_eq!(post(&outbound, &url).await.expect("an answer").status, 200);
    let failed = post(&outbound, &url).await.expect_err("it moved");
    assert!(matches!(failed, Failure::Refused(Refused::Address { kind: "private", .. })), "{failed}");
}

#[tokio::test]
async fn without_tls_only_to_networks_that_are_named() {
    let public = outbound(Policy::default(), &[&["8.8.8.8"]]);
    assert_eq!(
        post(&public, "http://public.test/").await.expect_err("plain"),
        Failure::Refused(Refused::PlainText)
    );
    assert_eq!(
        post(&public, "http://8.8.8.8/").await.expect_err("plain"),
        Failure::Refused(Refused::PlainText)
    );
}

#[tokio::test]
async fn redirects_are_answers_and_bodies_are_cut() {
    let redirecting =
        answering(b"HTTP/1.1 302 Found\r\nlocation: http://169.254.169.254/\r\ncontent-length: 0\r\n\r\n")
            .await;
    let outbound = outbound(Policy::with_loopback(), &[&["127.0.0.1"]]);
    let answer = post(&outbound, &format!("http://{redirecting}/")).await.expect("an answer");
    assert_eq!(answer.status, 302);

    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut request = [0; 4096];
            let _read = stream.read(&mut request).await;
            let _head = stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await;
            while stream.write_all(&[b'x'; 4096]).await.is_ok() {}
        }
    });
    let answer = post(&outbound, &format!("http://{address}/")).await.expect("an answer");
    assert_eq!((answer.status, answer.body.len()), (200, MAX_ANSWER_BYTES));
}

#[tokio::test]
async fn silence_garbage_and_distrust_are_failures() {
    let outbound = outbound(Policy::with_loopback(), &[&["127.0.0.1"]]);
    let silent = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("http://{}/", silent.local_addr().expect("an address"));
    assert!(matches!(post(&outbound, &url).await, Err(Failure::TimedOut(_))));

    let garbage = answering(b"SSH-2.0-x\r\n").await;
    assert!(matches!(post(&outbound, &format!("http://{garbage}/")).await, Err(Failure::Broken(_))));

    let plain = answering(b"HTTP/1.1 200 OK\r\n\r\n").await;
    assert!(matches!(post(&outbound, &format!("https://{plain}/")).await, Err(Failure::Connect(_))));

    let closed = silent.local_addr().expect("an address");
    drop(silent);
    assert!(matches!(post(&outbound, &format!("http://{closed}/")).await, Err(Failure::Connect(_))));
}
