//! `hallpass dev`: a server for the first five minutes and for tests.
//!
//! As `serve`, but on 127.0.0.1 only, with demo data, without rate limits unless asked for, and with
//! one JSON line on stdout once it is ready. Started again on the same folder (or the same PostgreSQL
//! database) it prints the same line; it keeps its port where it can.
//!
//! * The master key is a file in the folder; with PostgreSQL it is a constant that everybody can read
//!   here, so that nodes of a test agree. Neither protects anything that `serve` would accept.
//! * `--seed` makes ids, secrets and the first signing key reproducible, and dates the demo data
//!   2026-01-01. Everything afterwards, sealing included, uses the system's randomness.
//! * Production settings are refused: a master key, addresses beyond this machine, trusted proxies. No
//!   `hallpass.toml` is read unless named, and no `DATABASE_URL`: it may be the app's own.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context as _, bail};
use hallpass_app::dev::{DemoFacts, DemoParts, open_demo};
use hallpass_core::Entropy;
use hallpass_http::DevPage;
use hallpass_store::Database;
use hallpass_token::{MasterKey, sha256};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tokio::net::TcpListener;

use crate::General;
use crate::config::{Config, PublicUrl, Sources};
use crate::folder::{DataFolder, TemporaryFolder};
use crate::node::{self, Node, Opening};
use crate::output;
use crate::system::{SeededEntropy, SystemClock};
use crate::telemetry;

const DEFAULT_PORT: u16 = 8080;
const MEMORY: &str = "dev.json";
/// 2026-01-01T00:00:00Z, when seeded demo data says it was made.
const SEEDED_AT_SECS: i64 = 1_767_225_600;

/// Flags of `dev`.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The port; 0 takes a free one [default: the folder's last one, or 8080]
    #[arg(long)]
    port: Option<u16>,
    /// Make the same ids and secrets every time
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// Switch rate limits on
    #[arg(long)]
    limits: bool,
}

/// The ready line, in the order of its keys.
#[derive(Serialize)]
struct Ready<'a> {
    event: &'static str,
    url: &'a str,
    #[serde(flatten)]
    facts: &'a DemoFacts,
}

/// What the folder remembers of the last start.
#[derive(Serialize, Deserialize)]
struct Memory {
    port: u16,
}

/// Runs the server.
pub(crate) fn run(general: &General, args: &Args) -> anyhow::Result<ExitCode> {
    let config = Config::load(&Sources::dev(general.file()))?;
    refuse_production(&config)?;
    telemetry::start_log(&config.log)?;
    let runtime = node::runtime()?;
    let served = runtime.block_on(serve(&config, general.data_dir.clone(), args));
    runtime.shutdown_background();
    served.map(|()| ExitCode::SUCCESS)
}

/// What only production sets must not end up in a server that prints its keys.
fn refuse_production(config: &Config) -> anyhow::Result<()> {
    let refuse = |key: &str| {
        bail!("{key} is a production setting, which `hallpass dev` refuses; use `hallpass serve`")
    };
    if config.keys.is_given() {
        return refuse("keys.master_key");
    }
    if !config.http.public_url.is_empty() && !PublicUrl::parse(&config.http.public_url)?.is_loopback() {
        return refuse("http.public_url");
    }
    if !config.http.listen.ip().is_loopback() {
        return refuse("http.listen");
    }
    if !config.http.trusted_proxies.is_empty() {
        return refuse("http.trusted_proxies");
    }
    Ok(())
}

/// The master key of development servers that share a PostgreSQL database.
pub(crate) fn shared_master_key() -> MasterKey {
    MasterKey::from_bytes(sha256(b"hallpass dev: everybody knows this key"))
}

/// 256 bits for one purpose from a seed.
fn from_seed(purpose: &str, seed: u64) -> [u8; 32] {
    sha256(format!("hallpass dev {purpose} {seed}").as_bytes())
}

async fn serve(config: &Config, folder: Option<PathBuf>, args: &Args) -> anyhow::Result<()> {
    let mut stop = node::stop_signal()?;
    let metrics = telemetry::start_metrics()?;
    // Declared before the lock: dropped after it.
    let temporary = match &folder {
        Some(_) => None,
        None => Some(TemporaryFolder::make(&*node::entropy())?),
    };
    let path = temporary.as_ref().map(|folder| folder.path().to_owned()).or(folder);
    let folder = DataFolder::lock(&path.context("there is a folder")?)?;
    let listener = bind(&folder, args.port).await?;
    let address = listener.local_addr()?;
    folder.write_private(MEMORY, &serde_json::to_vec(&Memory { port: address.port() })?)?;
    // Where it is reached: by the name it was given, if that leads here, else by its address.
    let public_url = config.http.public_url(address);
    let leads_here = PublicUrl::parse(&public_url)?.port == address.port();
    let url = if leads_here { public_url.clone() } else { format!("http://{address}") };

    let database = config.database(Some(folder.path()))?;
    let master = || match (&database, args.seed) {
        (Database::Postgres { .. }, _) => Ok(shared_master_key()),
        (Database::Sqlite(_), Some(seed)) => {
            folder.master_key(|| MasterKey::from_bytes(from_seed("master key", seed)))
        }
        (Database::Sqlite(_), None) => folder.master_key(|| MasterKey::generate(&*node::entropy())),
    };
    // Before the database is made: one without its key is refused.
    let (sealing, master) = (master()?, master()?);
    let store = node::open_store(&database).await?;
    let facts = demo(&store, &sealing, args.seed).await?;
    let opening = Opening {
        store,
        master,
        public_url,
        dev: true,
        signing_seed: args.seed.map(|seed| from_seed("signing key", seed)),
        limits: args.limits.then_some(config.limits),
        publish_ahead: config.tokens.publish_ahead(),
        webhooks: config.webhooks.clone(),
        oauth: config.oauth.policy(),
        hashing: config.passwords.hashing(),
        mail: config.mail.post(true)?,
        files: config.files.open(Some(folder.path()))?,
    };
    let app = node::open_app(opening).await?;

    let ready = Ready { event: "ready", url: &url, facts: &facts };
    let line = serde_json::to_string(&ready)?;
    let mut policy = config.http.policy();
    policy.metrics = telemetry::renderer(&metrics);
    policy.dev = Some(DevPage { ready: serde_json::to_value(&ready)? });
    policy.allowed_hosts =
        Some(["127.0.0.1", "localhost"].map(|host| format!("{host}:{}", address.port())).into());
    let stopped = async move {
        // An error means that the waiting task is gone: stop rather than run without a brake.
        let _gone = stop.wait_for(|stop| *stop).await;
    };
    let path = folder.path().to_owned();
    Node { app, listener, policy, folder: Some(folder), metrics }
        .run(stopped, || {
            tracing::info!("listening on {url}; open it in a browser. Data: {}", path.display());
            output::line(&line).context("cannot write the ready line")
        })
        .await
}

/// The port that was asked for; else the one of the last start, so that URLs stay good; else 8080.
async fn bind(folder: &DataFolder, port: Option<u16>) -> anyhow::Result<TcpListener> {
    let at = |port| SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port);
    if let Some(port @ 1..) = port {
        return node::bind(at(port)).await;
    }
    let memory = std::fs::read(folder.path().join(MEMORY)).ok();
    let last = memory.and_then(|memory| serde_json::from_slice::<Memory>(&memory).ok());
    if let Some(Memory { port }) = last {
        match TcpListener::bind(at(port)).await {
            Ok(listener) => return Ok(listener),
            Err(error) => {
                tracing::warn!(error = %error, "the last port, {port}, is not free; the URL changes");
            }
        }
    }
    node::bind(at(port.unwrap_or(DEFAULT_PORT))).await.context("--port 0 takes a free port")
}

async fn demo(
    store: &hallpass_store::Store,
    master: &MasterKey,
    seed: Option<u64>,
) -> anyhow::Result<DemoFacts> {
    let entropy = node::entropy();
    let ids: Arc<dyn Entropy> = match seed {
        Some(seed) => Arc::new(SeededEntropy::new(from_seed("ids", seed))),
        None => Arc::clone(&entropy),
    };
    let at = seed.map(|_| Timestamp::from_second(SEEDED_AT_SECS)).transpose()?;
    let parts = DemoParts { store, clock: &SystemClock::new(), entropy, ids: &*ids, at, master };
    open_demo(parts).await.map_err(|error| {
        let (code, message) = crate::admin_socket::describe(&error);
        match code.as_str() {
            "wrong_mode" => {
                anyhow::anyhow!("{message}, and `hallpass dev` does not touch it; name another one")
            }
            _ => anyhow::anyhow!("cannot make the demo data: {message}"),
        }
    })
}
