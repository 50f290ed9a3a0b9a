//! A receiver on this machine, as well-behaved as it is told to be.
//!
//! `tls/` holds a certificate for 127.0.0.1 that signed itself, valid for a century, and its key: made
//! with `openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256`.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use hallpass_testkit::{Actor, contract};
use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;
use serde_json::{Value, json};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;

/// A certificate for this machine that nobody vouches for.
pub(crate) const UNTRUSTED: &[u8] = include_bytes!("tls/certificate.der");
/// How long a test waits for what must come, before it calls it missing.
const PATIENCE: Duration = Duration::from_secs(30);

/// One request that came.
#[derive(Clone, Debug)]
pub(crate) struct Got {
    pub(crate) headers: HashMap<String, String>,
    pub(crate) text: String,
    pub(crate) body: Value,
}

impl Got {
    pub(crate) fn id(&self) -> &str {
        &self.headers["webhook-id"]
    }
    /// What the message says that it tells of.
    pub(crate) fn content(&self) -> &str {
        self.body["data"]["message"]["content"].as_str().unwrap_or_default()
    }
    /// Whether one of its signatures is by `secret`: independently of the code under test.
    pub(crate) fn is_signed_by(&self, secret: &str) -> bool {
        let signed = format!("{}.{}.{}", self.id(), self.headers["webhook-timestamp"], self.text);
        let expected = super::secrets::hmac_sha256_base64(secret.as_bytes(), signed.as_bytes());
        self.headers["webhook-signature"].split(' ').any(|one| one == format!("v1,{expected}"))
    }
}

/// What it does with a request.
#[derive(Clone, Debug)]
pub(crate) enum Reply {
    Status(u16),
    /// A status, with these words in it and in the body.
    Echo(u16, String),
    /// To a place where nobody should be sent.
    Redirect,
    /// None, until the receiver is told otherwise.
    Silence,
    /// A status, and then the connection breaks off.
    BreakOff,
    /// A body without an end.
    Endless,
    /// After a while.
    Late(Duration),
}

type Rule = Box<dyn Fn(&Got) -> Reply + Send + Sync>;

struct Shared {
    got: watch::Sender<Vec<Got>>,
    rule: Mutex<Rule>,
    /// Counts the rules there were: who is silent is so as long as its rule holds.
    rules: watch::Sender<usize>,
    connections: AtomicUsize,
}

/// A receiver.
#[derive(Clone)]
pub(crate) struct Receiver {
    pub(crate) address: SocketAddr,
    shared: Arc<Shared>,
}

impl Receiver {
    /// One that answers 200.
    pub(crate) async fn start() -> Self {
        Self::that(|_| Reply::Status(200)).await
    }

    pub(crate) async fn that(rule: impl Fn(&Got) -> Reply + Send + Sync + 'static) -> Self {
        Self::listen(rule, None).await
    }

    /// One that speaks TLS, with a certificate that nobody vouches for.
    pub(crate) async fn untrusted() -> Self {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let key = PrivateKeyDer::try_from(include_bytes!("tls/key.der").as_slice()).unwrap();
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![UNTRUSTED.into()], key)
            .unwrap();
        Self::listen(|_| Reply::Status(200), Some(TlsAcceptor::from(Arc::new(config)))).await
    }

    async fn listen(rule: impl Fn(&Got) -> Reply + Send + Sync + 'static, tls: Option<TlsAcceptor>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared {
            got: watch::Sender::new(Vec::new()),
            rule: Mutex::new(Box::new(rule)),
            rules: watch::Sender::new(0),
            connections: AtomicUsize::new(0),
        });
        let serving = Arc::clone(&shared);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                serving.connections.fetch_add(1, Ordering::SeqCst);
                let (serving, tls) = (Arc::clone(&serving), tls.clone());
                tokio::spawn(async move {
                    match tls {
                        None => serve(stream, serving).await,
                        Some(tls) => {
                            if let Ok(stream) = tls.accept(stream).await {
                                serve(stream, serving).await;
                            }
                        }
                    }
                });
            }
        });
        Self { address, shared }
    }

    pub(crate) fn now(&self, rule: impl Fn(&Got) -> Reply + Send + Sync + 'static) {
        *self.shared.rule.lock().unwrap() = Box::new(rule);
        self.shared.rules.send_modify(|rules| *rules += 1);
    }

    /// Returns when so many requests came.
    pub(crate) async fn reached(&self, count: usize) {
        let mut got = self.shared.got.subscribe();
        let came = tokio::time::timeout(PATIENCE, got.wait_for(|got| got.len() >= count)).await;
        assert!(came.is_ok(), "{} of {count} came", self.got().len());
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}/hook", self.address)
    }

    pub(crate) fn got(&self) -> Vec<Got> {
        self.shared.got.borrow().clone()
    }

    pub(crate) fn contents(&self) -> Vec<String> {
        self.got().iter().map(|got| got.content().to_owned()).collect()
    }

    pub(crate) fn connections(&self) -> usize {
        self.shared.connections.load(Ordering::SeqCst)
    }

    /// A webhook of the actor's company for it; its id and secret.
    pub(crate) async fn subscribe(&self, actor: &Actor<'_>, events: &[&str]) -> (String, String) {
        subscribe(actor, &self.url(), events).await
    }
}

/// A webhook of the actor's company; its id and secret.
pub(crate) async fn subscribe(actor: &Actor<'_>, url: &str, events: &[&str]) -> (String, String) {
    let made = actor.post("/webhooks", json!({ "url": url, "events": events })).await.ok();
    (made["id"].as_str().unwrap().to_owned(), made["webhook_secret"].as_str().unwrap().to_owned())
}

/// The delivery log of a webhook, oldest first.
pub(crate) async fn log(actor: &Actor<'_>, webhook: &str) -> Vec<Value> {
    let page = actor.get(&format!("/webhooks/{webhook}/deliveries?direction=asc&first=100")).await.ok();
    page["data"].as_array().unwrap().clone()
}

async fn serve(mut stream: impl AsyncRead + AsyncWrite + Unpin, shared: Arc<Shared>) {
    let mut buffer = Vec::new();
    while let Some(got) = read(&mut stream, &mut buffer).await {
        contract::check_webhook(&got.body);
        let mut rules = shared.rules.subscribe();
        let reply = (shared.rule.lock().unwrap())(&got);
        // Known before it is told of, so that whoever waits for it changes the rule for the next one.
        shared.got.send_modify(|all| all.push(got));
        let answer = match reply {
            Reply::Status(status) => format!("HTTP/1.1 {status} X\r\ncontent-length: 2\r\n\r\nok"),
            Reply::Echo(status, words) => {
                let length = words.len();
                format!("HTTP/1.1 {status} {words}\r\ncontent-length: {length}\r\n\r\n{words}")
            }
            Reply::Redirect => {
                "HTTP/1.1 307 X\r\nlocation: http://169.254.169.254/\r\ncontent-length: 0\r\n\r\n".into()
            }
            Reply::Silence => {
                let _changed = rules.changed().await;
                return;
            }
            Reply::BreakOff => {
                let _sent = stream.write_all(b"HTTP/1.1 200 X\r\ncontent-length: 100\r\n\r\nhalf").await;
                return;
            }
            Reply::Endless => {
                let _head = stream.write_all(b"HTTP/1.1 200 X\r\n\r\n").await;
                while stream.write_all(&[b'x'; 4096]).await.is_ok() {}
                return;
            }
            Reply::Late(pause) => {
                tokio::time::sleep(pause).await;
                "HTTP/1.1 200 X\r\ncontent-length: 2\r\n\r\nok".into()
            }
        };
        if stream.write_all(answer.as_bytes()).await.is_err() {
            return;
        }
    }
}

async fn read(stream: &mut (impl AsyncRead + Unpin), buffer: &mut Vec<u8>) -> Option<Got> {
    let mut chunk = [0; 4 << 10];
    loop {
        if let Some(end) = buffer.windows(4).position(|part| part == b"\r\n\r\n") {
            let head = String::from_utf8(buffer[..end].to_vec()).unwrap();
            assert!(head.starts_with("POST "), "{head}");
            let headers: HashMap<String, String> = head
                .lines()
                .skip(1)
                .map(|line| line.split_once(": ").unwrap())
                .map(|(name, value)| (name.to_lowercase(), value.to_owned()))
                .collect();
            let length: usize = headers["content-length"].parse().unwrap();
            while buffer.len() < end + 4 + length {
                let read = stream.read(&mut chunk).await.ok().filter(|read| *read > 0)?;
                buffer.extend_from_slice(&chunk[..read]);
            }
            let text = String::from_utf8(buffer[end + 4..end + 4 + length].to_vec()).unwrap();
            buffer.drain(..end + 4 + length);
            assert_eq!(headers["content-type"], "application/json");
            let body = serde_json::from_str(&text).unwrap();
            return Some(Got { headers, text, body });
        }
        let read = stream.read(&mut chunk).await.ok().filter(|read| *read > 0)?;
        buffer.extend_from_slice(&chunk[..read]);
        // The beginning of TLS: no HTTP, as far as this one knows.
        if buffer[0] == 0x16 {
            return None;
        }
    }
}
