//! `hallpass serve`: the server.
//!
//! 1. Lock the data folder: a second server on it would be two writers.
//! 2. Bind, so that the public URL is known, and a busy port is told before anything is touched.
//! 3. The master key: given, or the folder's own; with PostgreSQL it must be given.
//! 4. Open the database and the application, which refuse what does not fit.
//! 5. Serve until SIGTERM or SIGINT; drain; close. At most ten seconds.

use std::net::SocketAddr;
use std::process::ExitCode;

use anyhow::{Context as _, bail};
use hallpass_store::Database;
use hallpass_token::MasterKey;

use crate::General;
use crate::config::Config;
use crate::folder::DataFolder;
use crate::node::{self, Node, Opening};
use crate::telemetry;

/// With PostgreSQL a key made here would be another one on every node.
pub(crate) const NO_MASTER_KEY: &str = "keys.master_key: must be given with PostgreSQL, the same on every node; \
     make one with `openssl rand -hex 32` and set HALLPASS_KEYS__MASTER_KEY or keys.master_key_file";

/// Flags of `serve`.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Address and port to listen on [default: 127.0.0.1:8080]
    #[arg(long, value_name = "ADDRESS:PORT")]
    listen: Option<SocketAddr>,
    /// The port alone; 0 takes a free one
    #[arg(long, conflicts_with = "listen")]
    port: Option<u16>,
    /// How clients reach the server, such as <https://chat.example.com>
    #[arg(long, value_name = "URL")]
    public_url: Option<String>,
}

/// Runs the server.
pub(crate) fn run(general: &General, args: &Args) -> anyhow::Result<ExitCode> {
    let mut sources = general.sources();
    if let Some(listen) = args.listen {
        sources.flags.push(("http.listen", listen.to_string()));
    }
    if let Some(port) = args.port {
        let mut listen = Config::load(&sources)?.http.listen;
        listen.set_port(port);
        sources.flags.push(("http.listen", listen.to_string()));
    }
    if let Some(url) = &args.public_url {
        sources.flags.push(("http.public_url", url.clone()));
    }
    let config = Config::load(&sources)?;
    telemetry::start_log(&config.log)?;
    let runtime = node::runtime()?;
    let served = runtime.block_on(serve(&config));
    // Nothing is left to wait for; a stuck read of a file must not hold the process.
    runtime.shutdown_background();
    served.map(|()| ExitCode::SUCCESS)
}

async fn serve(config: &Config) -> anyhow::Result<()> {
    let mut stop = node::stop_signal()?;
    let metrics = telemetry::start_metrics()?;
    let folder = config.folder()?.map(|path| DataFolder::lock(&path)).transpose()?;
    let listener = node::bind(config.http.listen).await?;
    let address = listener.local_addr()?;
    let public_url = config.http.public_url(address);
    let database = config.database(folder.as_ref().map(DataFolder::path))?;
    let master = match (config.keys.resolve()?, &database, &folder) {
        (Some(master), ..) => master,
        (None, Database::Sqlite(_), Some(folder)) => {
            folder.master_key(|| MasterKey::generate(&*node::entropy()))?
        }
        (None, ..) => bail!(NO_MASTER_KEY),
    };
    let opening = Opening {
        store: node::open_store(&database).await?,
        master,
        public_url: public_url.clone(),
        dev: false,
        signing_seed: None,
        limits: Some(config.limits),
        publish_ahead: config.tokens.publish_ahead(),
        webhooks: config.webhooks.clone(),
        oauth: config.oauth.policy(),
        hashing: config.passwords.hashing(),
        mail: config.mail.post(false)?,
        files: config.files.open(folder.as_ref().map(DataFolder::path))?,
    };
    let app = node::open_app(opening).await?;
    let mut policy = config.http.policy();
    policy.metrics = telemetry::renderer(&metrics);
    let stopped = async move {
        // An error means that the waiting task is gone: stop rather than run without a brake.
        let _gone = stop.wait_for(|stop| *stop).await;
    };
    let kind = match &database {
        Database::Sqlite(path) => format!("SQLite in {}", path.display()),
        Database::Postgres { .. } => "PostgreSQL".to_owned(),
    };
    Node { app, listener, policy, folder, metrics }
        .run(stopped, || {
            tracing::info!("listening on http://{address}, as {public_url}; {kind}");
            Ok(())
        })
        .await
        .context("serve")
}
