//! A whole server in the test's process: own database, fixed clock, seeded randomness.

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::{Method, Request};
use hallpass_app::api_keys::CreateApiKey;
use hallpass_app::files::{Blobs, FileStorage, FilesPolicy, Quarantine};
use hallpass_app::mail::{Mail, Post};
use hallpass_app::oauth::OAuthPolicy;
use hallpass_app::people::Hashing;
use hallpass_app::webhooks::{LOG_KEPT, WebhookParts};
use hallpass_app::{App, AppParts, Limits};
use hallpass_core::entity::PollOption;
use hallpass_core::id::{CompanyId, UserId};
use hallpass_core::mail::Letter;
use hallpass_core::role::Role;
use hallpass_core::statement::KeyRights;
use hallpass_http::{HttpPolicy, WebhookWire};
use hallpass_outbound::{Outbound, Policy};
use hallpass_store::{Database, Store};
use hallpass_token::MasterKey;
use http_body_util::BodyExt;
use jiff::SignedDuration;
use serde_json::{Value, json};
use tempfile::TempDir;
use tower::ServiceExt;

use crate::clock::{FixedClock, SeededEntropy};
use crate::contract;

/// Which engine a test server runs on: `HALLPASS_TEST_ENGINE` (`sqlite` or `postgres`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "two engines, named")]
pub enum Engine {
    Sqlite,
    Postgres,
}

impl Engine {
    /// The engine this run of the suite is on.
    ///
    /// # Panics
    /// If the variable names none: a typo must not silently test the other one.
    pub fn of_this_run() -> Self {
        match std::env::var("HALLPASS_TEST_ENGINE").as_deref() {
            Err(_) | Ok("" | "sqlite") => Self::Sqlite,
            Ok("postgres") => Self::Postgres,
            Ok(other) => panic!("HALLPASS_TEST_ENGINE is sqlite or postgres, not {other:?}"),
        }
    }
}

/// The public URL of test servers.
pub const PUBLIC_URL: &str = "https://chat.test";
const MASTER: [u8; 32] = [7; 32];

/// How a test server is started.
pub struct Setup {
    /// On which engine.
    pub engine: Engine,
    /// Rate limits; none by default.
    pub limits: Option<Limits>,
    /// The HTTP face's policy.
    pub policy: HttpPolicy,
    /// An existing database, to be another node on.
    pub database: Option<Database>,
    /// A clock to share with another node.
    pub clock: Option<Arc<FixedClock>>,
    /// Seeds randomness.
    pub seed: u64,
    /// Another public URL, to be another issuer.
    pub public_url: String,
    /// Another master key.
    pub master: [u8; 32],
    /// Where webhooks may be sent to: by default also to this machine.
    pub outbound: Outbound,
    /// Whether webhooks are delivered by themselves; else tests say when, by
    /// [`App::deliver_webhooks`].
    pub dispatch: bool,
    /// How files are treated.
    pub files: FilesPolicy,
    /// Where they lie; none for a folder of the server's own.
    pub blobs: Option<Blobs>,
    /// How signing in behaves.
    pub oauth: OAuthPolicy,
    /// How passwords are hashed.
    pub hashing: Hashing,
    /// Where letters go: by default nowhere, to be looked at.
    pub mail: Post,
}

impl Default for Setup {
    fn default() -> Self {
        Self {
            engine: Engine::of_this_run(),
            limits: None,
            policy: HttpPolicy { access_log: false, ..HttpPolicy::default() },
            database: None,
            clock: None,
            seed: 7,
            public_url: PUBLIC_URL.to_owned(),
            master: MASTER,
            outbound: Outbound::new(Policy::with_loopback(), "Hallpass tests")
                .with_patience(Duration::from_secs(1)),
            dispatch: false,
            files: FilesPolicy::default(),
            blobs: None,
            oauth: OAuthPolicy::default(),
            hashing: hashing(),
            mail: Post::Outbox,
        }
    }
}

/// What an application needs for webhooks.
pub fn webhook_parts(outbound: Outbound, dispatch: bool) -> WebhookParts {
    WebhookParts { outbound, wire: Arc::new(WebhookWire), dispatch, log_kept: LOG_KEPT }
}

/// Two threads, of no lower priority.
pub fn hashing() -> Hashing {
    Hashing { threads: NonZeroUsize::MIN.saturating_add(1), queue: 64, on_start: || {} }
}

/// A server under test.
pub struct TestServer {
    /// The application behind the router.
    pub app: App,
    /// Its wall clock.
    pub clock: Arc<FixedClock>,
    /// Its database, for a second node.
    pub database: Database,
    router: Router,
    background: tokio::task::JoinHandle<()>,
    /// Where its files lie, unless they were told where.
    pub files: PathBuf,
    _folder: Option<TempDir>,
    _files: TempDir,
}

impl Drop for TestServer {
    fn drop(&mut self) {
        self.background.abort();
    }
}

/// An answer, checked against the contract.
#[derive(Clone, Debug)]
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// The body, or null if there was none.
    pub body: Value,
    /// The same as it was sent.
    pub text: String,
    /// The same, whatever it is.
    pub bytes: bytes::Bytes,
    /// The headers.
    pub headers: axum::http::HeaderMap,
}

impl Answer {
    /// The body of a 200.
    ///
    /// # Panics
    /// On any other status.
    #[track_caller]
    pub fn ok(self) -> Value {
        assert_eq!(self.status, 200, "{:#}", self.body);
        self.body
    }

    /// The body of a 201.
    ///
    /// # Panics
    /// On any other status.
    #[track_caller]
    pub fn created(self) -> Value {
        assert_eq!(self.status, 201, "{:#}", self.body);
        self.body
    }

    /// Asserts an error's status and code, and gives its `error` object.
    ///
    /// # Panics
    /// If it is another one.
    #[track_caller]
    pub fn refused(self, status: u16, code: &str) -> Value {
        assert_eq!(
            (self.status, self.body["error"]["code"].as_str()),
            (status, Some(code)),
            "{:#}",
            self.body
        );
        self.body["error"].clone()
    }
}

impl TestServer {
    /// A fresh server.
    pub async fn start() -> Self {
        Self::with(Setup::default()).await
    }

    /// A fresh server on an engine, whatever the run's.
    pub async fn on(engine: Engine) -> Self {
        Self::with(Setup { engine, ..Setup::default() }).await
    }

    /// A server as set up.
    pub async fn with(setup: Setup) -> Self {
        // Takes a second the first time; not while a server waits to read its log.
        tokio::task::spawn_blocking(contract::load).await.expect("the contract compiles");
        let (database, folder) = match (setup.database, setup.engine) {
            (Some(database), _) => (database, None),
            (None, Engine::Sqlite) => {
                let folder = TempDir::new().expect("a temporary folder");
                (Database::Sqlite(folder.path().join("hallpass.db")), Some(folder))
            }
            (None, Engine::Postgres) => {
                let url = tokio::task::spawn_blocking(crate::postgres::fresh_database)
                    .await
                    .expect("PostgreSQL starts");
                (Database::Postgres { url, max_connections: 8 }, None)
            }
        };
        let files = TempDir::new().expect("a temporary folder");
        let storage = FileStorage {
            blobs: setup
                .blobs
                .unwrap_or_else(|| Blobs::in_folder(&files.path().join("files")).expect("a folder")),
            quarantine: Quarantine::open(&files.path().join("quarantine")).expect("a folder"),
            policy: setup.files,
        };
        let clock = setup.clock.unwrap_or_default();
        let store = Store::open(&database).await.expect("the store opens");
        let app = App::open(AppParts {
            store,
            clock: clock.clone(),
            entropy: Arc::new(SeededEntropy::new(setup.seed)),
            master: MasterKey::from_bytes(setup.master),
            public_url: setup.public_url,
            dev: false,
            signing_seed: None,
            limits: setup.limits,
            publish_ahead: SignedDuration::from_hours(24),
            webhooks: webhook_parts(setup.outbound, setup.dispatch),
            files: storage,
            oauth: setup.oauth,
            hashing: setup.hashing,
            mail: setup.mail,
        })
        .await
        .expect("the application opens");
        let router = hallpass_http::router(app.clone(), Arc::new(setup.policy));
        let running = app.clone();
        let background = tokio::spawn(async move { running.run_background().await });
        // As a load balancer would: no requests before the node is ready.
        app.authority().refresh().await.expect("the log is read");
        let path = files.path().to_owned();
        Self { app, clock, database, router, background, files: path, _folder: folder, _files: files }
    }

    /// A second node on the same database, with the same wall clock.
    pub async fn another_node(&self) -> Self {
        self.node_with(Setup::default()).await
    }

    /// A second node on the same database, set up differently.
    pub async fn node_with(&self, setup: Setup) -> Self {
        Self::with(Setup {
            database: Some(self.database.clone()),
            clock: Some(self.clock.clone()),
            seed: setup.seed + 1000,
            ..setup
        })
        .await
    }

    /// The letters that were written, newest first.
    pub async fn letters(&self) -> Vec<Mail> {
        self.app.list_mails(100).await.expect("the letters open")
    }

    /// The newest letter to an address.
    ///
    /// # Panics
    /// If there is none.
    pub async fn letter_to(&self, email: &str) -> Mail {
        let letters = self.letters().await;
        letters.into_iter().find(|mail| mail.to == email).expect("a letter to this address")
    }

    /// The code in the newest letter to an address.
    ///
    /// # Panics
    /// If there is no letter, or no code in it.
    pub async fn code_for(&self, email: &str) -> String {
        match self.letter_to(email).await.letter {
            Letter::SignInCode { code } | Letter::ResetCode { code } | Letter::AddressCode { code } => code,
            other => panic!("no code in {other:?}"),
        }
    }

    /// Stops what runs beside requests: the node reads the authority log no more, as if its way to the
    /// database were cut.
    pub fn stop_background(&self) {
        self.background.abort();
    }

    /// The router, for requests made by hand.
    pub fn router(&self) -> Router {
        self.router.clone()
    }

    /// Serves on a free port of the loopback interface, until the test ends.
    pub async fn listen(&self) -> std::net::SocketAddr {
        self.listen_with(HttpPolicy { access_log: false, ..HttpPolicy::default() }).await
    }

    /// As [`listen`](Self::listen), with the connection loop under another policy.
    pub async fn listen_with(&self, policy: HttpPolicy) -> std::net::SocketAddr {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("an address");
        let policy = Arc::new(policy);
        let router = hallpass_http::router(self.app.clone(), Arc::clone(&policy));
        tokio::spawn(hallpass_http::serve(
            listener,
            router,
            policy,
            std::future::pending(),
            Duration::from_secs(1),
        ));
        address
    }

    /// Sends a request as it is.
    pub async fn send(&self, request: Request<Body>) -> Answer {
        let (method, path) = (request.method().clone(), request.uri().to_string());
        let response = self.router.clone().oneshot(request).await.expect("the router is infallible");
        let (parts, body) = response.into_parts();
        let bytes = body.collect().await.expect("a body").to_bytes();
        let kind = parts.headers.get("content-type").map_or("", |value| value.to_str().unwrap_or("?"));
        contract::check(method.as_str(), &path, parts.status.as_u16(), kind, &bytes);
        Answer {
            status: parts.status.as_u16(),
            body: serde_json::from_slice(&bytes).unwrap_or(Value::Null),
            text: String::from_utf8_lossy(&bytes).into_owned(),
            bytes: bytes.clone(),
            headers: parts.headers,
        }
    }

    /// Calls an operation of the API, `path` without the base, with a bearer credential or none.
    pub async fn call(&self, bearer: &str, method: Method, path: &str, body: Option<Value>) -> Answer {
        let mut request = Request::builder().method(method).uri(format!("/api/v1{path}"));
        if !bearer.is_empty() {
            request = request.header("authorization", format!("Bearer {bearer}"));
        }
        let body = match body {
            None => Body::empty(),
            Some(body) => {
                request = request.header("content-type", "application/json");
                Body::from(body.to_string())
            }
        };
        self.send(request.body(body).expect("a request")).await
    }

    /// An actor that calls the API with a credential.
    pub fn actor(&self, bearer: impl Into<String>) -> Actor<'_> {
        Actor { server: self, bearer: bearer.into() }
    }

    /// A top-level company with an owner-role key.
    pub async fn company(&self, title: &str) -> TestCompany<'_> {
        let (id, owner) =
            self.app.make_top_company(title, &format!("{title}-owner")).await.expect("a company");
        let key = self.key(id, KeyRights::Role(Role::Owner)).await;
        TestCompany { server: self, id, owner, key }
    }

    /// A key with rights in a company; its secret.
    pub async fn key(&self, company: CompanyId, rights: KeyRights) -> String {
        let ask = CreateApiKey { company, app: None, name: None, rights, expires_at: None };
        let made = self.app.make_api_key(ask, None).await.expect("a key");
        made.secret.expose().to_owned()
    }
}

/// Somebody with a credential.
#[derive(Clone)]
pub struct Actor<'s> {
    server: &'s TestServer,
    /// The credential.
    pub bearer: String,
}

impl Actor<'_> {
    pub(crate) fn server(&self) -> &TestServer {
        self.server
    }

    /// GET.
    pub async fn get(&self, path: &str) -> Answer {
        self.server.call(&self.bearer, Method::GET, path, None).await
    }
    /// POST.
    pub async fn post(&self, path: &str, body: Value) -> Answer {
        self.server.call(&self.bearer, Method::POST, path, Some(body)).await
    }
    /// PATCH.
    pub async fn patch(&self, path: &str, body: Value) -> Answer {
        self.server.call(&self.bearer, Method::PATCH, path, Some(body)).await
    }
    /// PUT.
    pub async fn put(&self, path: &str) -> Answer {
        self.server.call(&self.bearer, Method::PUT, path, None).await
    }
    /// DELETE.
    pub async fn delete(&self, path: &str) -> Answer {
        self.server.call(&self.bearer, Method::DELETE, path, None).await
    }
    /// Sends a message to a channel.
    pub async fn say(&self, channel: &str, content: &str) -> Answer {
        self.post("/messages", json!({ "channel_id": channel, "content": content })).await
    }
    /// Mints.
    pub async fn mint(&self, company: CompanyId, user: &str, scopes: &[&str]) -> Answer {
        let body = json!({ "company_id": company, "user_id": user, "scoped_actions": scopes });
        self.post("/access_tokens", body).await
    }
}

/// A company with an owner-role key.
pub struct TestCompany<'s> {
    server: &'s TestServer,
    /// Its id.
    pub id: CompanyId,
    /// Its owner's user.
    pub owner: UserId,
    /// The secret of an owner-role key.
    pub key: String,
}

/// The seven scopes of embedded chat.
pub const CHAT_SCOPES: [&str; 7] = [
    "chat:message:create",
    "chat:read",
    "dms:read",
    "dms:message:manage",
    "dms:channel:manage",
    "support_chat:read",
    "support_chat:message:create",
];

impl<'s> TestCompany<'s> {
    /// The company, by its owner-role key.
    pub fn as_key(&self) -> Actor<'s> {
        self.server.actor(self.key.clone())
    }

    /// Enrols a user as the guide does; their id.
    pub async fn user(&self, name: &str) -> String {
        let email = format!("{name}@{}.test", self.id.to_string().to_lowercase());
        let body = json!({ "email": email, "parent_company_id": self.id, "title": name });
        let made = self.as_key().post("/companies", body).await.ok();
        made["owner_user"]["id"].as_str().expect("an id").to_owned()
    }

    /// A token of a user with the seven chat scopes.
    pub async fn token(&self, user: &str) -> String {
        self.token_with(user, &CHAT_SCOPES).await
    }

    /// A token of a user with some scopes.
    pub async fn token_with(&self, user: &str, scopes: &[&str]) -> String {
        let minted = self.as_key().mint(self.id, user, scopes).await.ok();
        minted["token"].as_str().expect("a token").to_owned()
    }

    /// A newly enrolled user with a token for the seven chat scopes, as an actor.
    pub async fn member(&self, name: &str) -> (String, Actor<'s>) {
        let user = self.user(name).await;
        let token = self.token(&user).await;
        (user, self.server.actor(token))
    }

    /// A chat experience; its id and its channel's.
    pub async fn channel(&self, name: &str, public: bool) -> (String, String) {
        let body = json!({ "app_id": self.server.app.builtin_app(), "company_id": self.id, "name": name,
                           "is_public": public });
        let made = self.as_key().post("/experiences", body).await.ok();
        let experience = made["id"].as_str().expect("an id").to_owned();
        let channel = self.as_key().get(&format!("/chat_channels/{experience}")).await.ok();
        (experience, channel["id"].as_str().expect("an id").to_owned())
    }

    /// Gives a user a role on the team, or takes it (none).
    pub async fn role(&self, user: &str, role: Option<Role>) {
        let user = user.parse().expect("a user id");
        self.server.app.set_team_role(self.id, user, role).await.expect("a role");
    }
}

/// Options of a poll, for bodies.
pub fn poll(options: &[&str]) -> Vec<PollOption> {
    options
        .iter()
        .zip(1..)
        .map(|(text, id)| PollOption { id: id.to_string(), text: (*text).to_owned() })
        .collect()
}
