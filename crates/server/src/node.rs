//! One node: the database opened, the application on it, its listeners, until it is told to stop.

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use hallpass_app::files::FileStorage;
use hallpass_app::mail::Post;
use hallpass_app::oauth::OAuthPolicy;
use hallpass_app::people::Hashing;
use hallpass_app::{App, AppParts, Limits};
use hallpass_core::Entropy;
use hallpass_http::HttpPolicy;
use hallpass_store::{Database, Store};
use hallpass_token::MasterKey;
use jiff::SignedDuration;
use metrics_exporter_prometheus::PrometheusHandle;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

use crate::admin_socket;
use crate::config::WebhooksConfig;
use crate::folder::DataFolder;
use crate::system::{OsEntropy, SystemClock};
use crate::telemetry;

/// How long requests under way may take to finish after the signal to stop.
const DRAIN_WITHIN: Duration = Duration::from_secs(7);
/// How long the database may take to close after that.
const CLOSE_WITHIN: Duration = Duration::from_secs(2);

/// Where an application is opened, and as what.
pub(crate) struct Opening {
    pub(crate) store: Store,
    pub(crate) master: MasterKey,
    pub(crate) public_url: String,
    pub(crate) dev: bool,
    pub(crate) signing_seed: Option<[u8; 32]>,
    pub(crate) limits: Option<Limits>,
    pub(crate) publish_ahead: SignedDuration,
    pub(crate) webhooks: WebhooksConfig,
    pub(crate) files: FileStorage,
    pub(crate) oauth: OAuthPolicy,
    pub(crate) hashing: Hashing,
    pub(crate) mail: Post,
}

/// Connects, and migrates.
pub(crate) async fn open_store(database: &Database) -> anyhow::Result<Store> {
    Store::open(database).await.with_context(|| cannot_open(database))
}

/// Says which database does not open.
pub(crate) fn cannot_open(database: &Database) -> String {
    match database {
        Database::Sqlite(path) => format!("cannot open the database {}", path.display()),
        Database::Postgres { .. } => "cannot open the database at database.url".to_owned(),
    }
}

/// Opens the application.
pub(crate) async fn open_app(opening: Opening) -> anyhow::Result<App> {
    let parts = AppParts {
        store: opening.store,
        clock: Arc::new(SystemClock::new()),
        entropy: Arc::new(OsEntropy),
        master: opening.master,
        public_url: opening.public_url,
        dev: opening.dev,
        signing_seed: opening.signing_seed,
        limits: opening.limits,
        publish_ahead: opening.publish_ahead,
        webhooks: opening.webhooks.parts(opening.dev),
        files: opening.files,
        oauth: opening.oauth,
        hashing: opening.hashing,
        mail: opening.mail,
    };
    App::open(parts).await.map_err(|error| {
        let (code, message) = admin_socket::describe(&error);
        match code.as_str() {
            "wrong_mode" => {
                anyhow::anyhow!("{message}, and cannot be used by this command; name another one")
            }
            "wrong_master_key" => anyhow::anyhow!("{message}; give the right one as keys.master_key"),
            _ => anyhow::anyhow!("cannot start on this database: {message}"),
        }
    })
}

/// Randomness for whoever needs some before there is an application.
pub(crate) fn entropy() -> Arc<dyn Entropy> {
    Arc::new(OsEntropy)
}

/// Binds the listener.
pub(crate) async fn bind(address: SocketAddr) -> anyhow::Result<TcpListener> {
    TcpListener::bind(address).await.with_context(|| {
        format!("cannot listen on {address}; name another address with http.listen or --port")
    })
}

/// Says when to stop: on SIGTERM or SIGINT. A second signal ends the process at once.
pub(crate) fn stop_signal() -> anyhow::Result<watch::Receiver<bool>> {
    let (stop, stopped) = watch::channel(false);
    let mut terminate = signal(SignalKind::terminate()).context("cannot wait for SIGTERM")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("cannot wait for SIGINT")?;
    tokio::spawn(async move {
        for first in [true, false] {
            let name = tokio::select! {
                _ = terminate.recv() => "SIGTERM",
                _ = interrupt.recv() => "SIGINT",
            };
            if !first {
                tracing::warn!("{name} again: ending at once");
                std::process::exit(1);
            }
            tracing::info!("{name}: draining; once more ends at once");
            stop.send_replace(true);
        }
    });
    Ok(stopped)
}

/// What runs beside requests, ended with the node.
pub(crate) struct Node {
    pub(crate) app: App,
    pub(crate) listener: TcpListener,
    pub(crate) policy: HttpPolicy,
    pub(crate) folder: Option<DataFolder>,
    pub(crate) metrics: PrometheusHandle,
}

impl Node {
    /// Serves until `stop`; runs `ready` once requests are answered.
    pub(crate) async fn run(
        self,
        stop: impl Future<Output = ()> + Send + 'static,
        ready: impl FnOnce() -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        let Self { app, listener, policy, folder, metrics } = self;
        raise_file_limit(policy.max_connections);
        let background = app.clone();
        let mut beside = vec![
            tokio::spawn(async move { background.run_background().await }),
            tokio::spawn(telemetry::upkeep(metrics)),
        ];
        if let Some(folder) = &folder {
            let socket = admin_socket::listen(folder.path())?;
            beside.push(tokio::spawn(admin_socket::serve(socket, app.clone())));
        }
        let policy = Arc::new(policy);
        let router = hallpass_http::router(app.clone(), Arc::clone(&policy));
        let serving = tokio::spawn(hallpass_http::serve(listener, router, policy, stop, DRAIN_WITHIN));
        ready()?;
        let served = serving.await.context("the server panicked")?.context("the server failed");
        if let Some(folder) = &folder {
            admin_socket::remove(folder.path());
        }
        // What was noted but not yet written, such as last uses of keys.
        let closing = async {
            app.stop_webhooks().await;
            if let Err(error) = app.do_chores().await {
                tracing::warn!(error = %error, "the last housekeeping failed");
            }
            for task in beside {
                task.abort();
                // Aborted, most likely; what matters is that it is gone.
                drop(task.await);
            }
            app.close().await;
        };
        if tokio::time::timeout(CLOSE_WITHIN, closing).await.is_err() {
            tracing::warn!("the database did not close in time");
        }
        tracing::info!("stopped");
        served
    }
}

/// As many open files as the system lets this process have: each connection takes one.
fn raise_file_limit(connections: usize) {
    let limit = getrlimit(Resource::Nofile);
    let raised = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit });
    let files = if raised.is_ok() { limit.maximum } else { limit.current };
    if files.is_some_and(|files| files < connections as u64) {
        tracing::warn!(files, connections, "fewer files may be open than http.max_connections");
    }
}

/// The runtime of servers.
pub(crate) fn runtime() -> anyhow::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .thread_name("hallpass")
        // Hashing passwords and reading files; Argon2 fills 19 MiB each.
        .max_blocking_threads(16)
        .build()
        .context("cannot start the runtime")
}

/// The runtime of commands that do one thing and end.
pub(crate) fn small_runtime() -> anyhow::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_current_thread().enable_all().build().context("cannot start the runtime")
}
