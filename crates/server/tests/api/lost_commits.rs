//! A commit whose answer is lost: PostgreSQL has it on disk, and the connection breaks before it says so.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use hallpass_app::IdempotencyScope;
use hallpass_core::Clock;
use hallpass_core::id::ExperienceId;
use hallpass_store::{Database, NewExperience, StoreError};
use hallpass_testkit::postgres::fresh_database;
use hallpass_testkit::{Engine, Setup, TestServer};
use jiff::SignedDuration;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UnixStream};
use tokio::sync::Semaphore;

use super::cases::{Tenant, tenant};
use super::given::{enrolment, ids, once};

/// The line to a database of its own, which breaks when it is told to.
struct Line {
    database: Database,
    /// Counts commits down; the one that reaches zero stays without an answer.
    countdown: Arc<AtomicI64>,
}

impl Line {
    async fn start() -> Self {
        let url = tokio::task::spawn_blocking(fresh_database).await.unwrap();
        let (server, folder) = url.split_once("?host=").unwrap();
        let name = server.rsplit('/').next().unwrap();
        let socket = PathBuf::from(folder).join(".s.PGSQL.5432");
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let countdown = Arc::new(AtomicI64::new(0));
        let counting = Arc::clone(&countdown);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let server = UnixStream::connect(&socket).await.unwrap();
                tokio::spawn(carry(client, server, Arc::clone(&counting)));
            }
        });
        let url = format!("postgres://postgres@127.0.0.1:{port}/{name}");
        Self { database: Database::Postgres { url, max_connections: 8 }, countdown }
    }

    /// Breaks in the `n`th commit from now.
    fn break_in(&self, n: i64) {
        self.countdown.store(n, Ordering::SeqCst);
    }

    fn is_broken(&self) -> bool {
        self.countdown.load(Ordering::SeqCst) <= 0
    }
}

async fn carry(mut client: TcpStream, mut server: UnixStream, countdown: Arc<AtomicI64>) {
    let (mut asked, mut said) = (vec![0; 64 << 10], vec![0; 64 << 10]);
    loop {
        tokio::select! {
            Ok(n @ 1..) = client.read(&mut asked) => {
                if server.write_all(&asked[..n]).await.is_err() {
                    return;
                }
                let commits = asked[..n].windows(6).any(|text| text == b"COMMIT");
                if commits && countdown.fetch_sub(1, Ordering::SeqCst) == 1 {
                    // PostgreSQL is ready for another question: it is on disk.
                    let mut answer = Vec::new();
                    while !answer.ends_with(b"Z\0\0\0\x05I") {
                        let Ok(n @ 1..) = server.read(&mut said).await else { return };
                        answer.extend_from_slice(&said[..n]);
                    }
                    return;
                }
            }
            Ok(n @ 1..) = server.read(&mut said) => {
                if client.write_all(&said[..n]).await.is_err() {
                    return;
                }
            }
            else => return,
        }
    }
}

/// How many there are of what POSTs make.
async fn count(server: &TestServer, t: &Tenant) -> [usize; 4] {
    let key = server.actor(&t.key);
    let listed = async |path: String| ids(&key.get(&path).await.ok()).len();
    [
        listed(format!("/companies?parent_company_id={}&first=100", t.company)).await,
        listed(format!("/experiences?company_id={}&first=100", t.company)).await,
        listed(format!("/messages?channel_id={}&first=100", t.channel)).await,
        server.app.list_company_keys(t.account.parse().unwrap()).await.unwrap().len(),
    ]
}

/// The first attempt is taken for dead while it commits.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_asks_again_while_the_first_commits_is_told_to_wait_for_it() {
    let server = TestServer::on(Engine::Postgres).await;
    let t = tenant(&server, "acme").await;
    let caller = server.app.authenticate(&t.key).await.unwrap();
    for round in 0..5 {
        let (key, body) = (format!("key {round}"), json!({ "app_id": t.app, "company_id": t.company }));
        let text = body.to_string();
        let scope = IdempotencyScope {
            operation: "experiences.create",
            path: "/experiences",
            key: &key,
            body: text.as_bytes(),
        };
        let ticket = server.app.claim_idempotency(&caller, scope).await.unwrap().unwrap();
        server.clock.advance(SignedDuration::from_secs(61));
        let new = NewExperience {
            id: ExperienceId::from_bits(ticket.bits()),
            company: t.company,
            app: t.app.parse().unwrap(),
            name: "first".to_owned(),
            public: false,
            sort_order: None,
        };
        let before = count(&server, &t).await;
        let (written, finish) = (Arc::new(Semaphore::new(0)), Arc::new(Semaphore::new(0)));
        let data = (new, Arc::clone(&written), Arc::clone(&finish), server.clock.now());
        let first = server.app.store().write(data, |(new, written, finish, at), tx| {
            Box::pin(async move {
                tx.insert_experience(new, *at).await?;
                written.add_permits(1);
                drop(finish.acquire().await);
                Ok::<_, StoreError>(())
            })
        });
        let again = async {
            drop(written.acquire().await);
            let meanwhile = async {
                // As long as it takes to come to the insert, most likely.
                for _ in 0..30 {
                    server.app.store().read().await.unwrap().authority_head().await.unwrap();
                }
                finish.add_permits(1);
            };
            let asked = once(&server, &t.key, "/experiences", &key, body.clone());
            tokio::join!(asked, meanwhile).0
        };
        let (first, mut again) = tokio::join!(first, again);
        first.unwrap();
        while again.status == 409 {
            assert_eq!(again.headers["x-should-retry"], "true");
            again.refused(409, "idempotency_busy");
            again = once(&server, &t.key, "/experiences", &key, body.clone()).await;
        }
        assert_eq!(again.ok()["name"], "first");
        assert_eq!(count(&server, &t).await[1], before[1] + 1);
    }
}

#[tokio::test]
async fn who_asks_again_finds_what_was_done_and_it_was_done_once() {
    let line = Line::start().await;
    let setup = Setup { database: Some(line.database.clone()), ..Setup::default() };
    let server = TestServer::with(setup).await;
    let t = tenant(&server, "acme").await;
    let posts: [(String, Value, [usize; 4]); 6] = [
        ("/companies".to_owned(), Value::Null, [1, 0, 0, 0]),
        ("/experiences".to_owned(), json!({ "app_id": t.app, "company_id": t.company }), [0, 1, 0, 0]),
        (format!("/experiences/{}/duplicate", t.experience), json!({}), [0, 1, 0, 0]),
        (format!("/experiences/{}/attach", t.experience), json!({ "product_id": t.product }), [0; 4]),
        ("/messages".to_owned(), json!({ "channel_id": t.channel, "content": "once" }), [0, 0, 1, 0]),
        (
            format!("/companies/{}/api_keys", t.company),
            json!({ "child_company_id": t.account, "role": "moderator" }),
            [0, 0, 0, 1],
        ),
    ];
    // The claim, the operation, its answer.
    for commit in 1..=3 {
        for (path, body, more) in &posts {
            let body = match body {
                Value::Null => enrolment(t.company, &format!("ann{commit}@acme.test"), "ann"),
                body => body.clone(),
            };
            let context = format!("{path}, commit {commit}");
            let (is_send, is_secret) = (path == "/messages", path.ends_with("api_keys"));
            let before = count(&server, &t).await;
            let ask = async || once(&server, &t.key, path, &format!("key {commit}"), body.clone()).await;
            // The index follows messages by commits of its own, which must not be the ones that are lost.
            server.app.index_all().await.unwrap();
            line.break_in(commit);
            let first = ask().await;
            assert!(line.is_broken(), "{context}");
            // A send is looked up at once, and an answer that cannot be kept is given all the same.
            let known = commit == 3 || (commit == 2 && is_send);
            if known {
                assert_eq!(first.status, 200, "{context}: {:#}", first.body);
            } else {
                let message = first.clone().refused(503, "unavailable")["message"].clone();
                assert!(!message.as_str().unwrap().contains("nothing"), "{message}");
            }
            if commit == 1 {
                // Nobody knows whose claim it is until its lease is over.
                ask().await.refused(409, "idempotency_busy");
                server.clock.advance(SignedDuration::from_secs(61));
            }
            let again = ask().await;
            if is_secret && commit > 1 {
                again.refused(409, "idempotency_secret");
            } else {
                let again = again.ok();
                assert!(!known || again == first.body, "{context}");
            }
            let after = count(&server, &t).await;
            assert_eq!(after, std::array::from_fn(|n| before[n] + more[n]), "{context}");
        }
    }
}
