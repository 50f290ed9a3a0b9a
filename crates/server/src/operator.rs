//! Where a command is carried out.
//!
//! With PostgreSQL: here, on the shared database; the authority log tells every node. With SQLite: by
//! the running server, over the socket in its data folder, which is found because the folder is
//! locked; or here, holding that lock, when no server runs.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, bail};
use hallpass_app::App;
use hallpass_app::admin::{AdminCommand, is_dev_database};
use hallpass_app::files::FileStorage;
use hallpass_token::MasterKey;
use serde_json::Value;

use crate::admin_socket;
use crate::commands::dev;
use crate::config::Config;
use crate::folder::{DataFolder, database_in};
use crate::node::{self, Opening};

/// How long a server that holds the folder may take to open its socket.
const SOCKET_WITHIN: Duration = Duration::from_secs(10);
const TRY_EVERY: Duration = Duration::from_millis(50);

/// Carries out a command, wherever that must be.
pub(crate) async fn carry_out(config: &Config, command: AdminCommand) -> anyhow::Result<Value> {
    if config.is_shared()? {
        let app = open(config, None).await?;
        return finish(app, command).await;
    }
    let path = config.folder()?.context("data_dir: SQLite needs a data folder")?;
    if !command.begins() && !database_in(&path).exists() {
        bail!(
            "there is no database in {}; start `hallpass serve` or make a company first, or name the folder \
             with --data-dir",
            path.display()
        );
    }
    match reach(&path, &command).await? {
        Reached::Answered(value) => Ok(value),
        Reached::Locked(folder) => {
            let app = open(config, Some(&folder)).await?;
            finish(app, command).await
        }
    }
}

async fn finish(app: App, command: AdminCommand) -> anyhow::Result<Value> {
    let done = app.admin(command).await;
    app.close().await;
    done.map_err(|error| {
        let (code, message) = admin_socket::describe(&error);
        anyhow::anyhow!("{message} ({code})")
    })
}

/// Who has the folder.
pub(crate) enum Reached {
    /// The running server; this is its answer.
    Answered(Value),
    /// We.
    Locked(DataFolder),
}

/// Hands a command to the server on a folder, or takes the folder if there is none.
pub(crate) async fn reach(path: &Path, command: &AdminCommand) -> anyhow::Result<Reached> {
    let deadline = tokio::time::Instant::now() + SOCKET_WITHIN;
    loop {
        if let Some(folder) = DataFolder::try_lock(path)? {
            return Ok(Reached::Locked(folder));
        }
        if let Some(answer) = admin_socket::send(path, command).await? {
            return Ok(Reached::Answered(answer));
        }
        // It is starting or stopping, or another command has the folder for a moment.
        if tokio::time::Instant::now() > deadline {
            bail!("another hallpass holds {} and does not take commands", path.display());
        }
        tokio::time::sleep(TRY_EVERY).await;
    }
}

/// The master key: given, or the folder's own. To be had before the database is made: one without its
/// key is refused.
pub(crate) fn master_key(config: &Config, folder: Option<&DataFolder>) -> anyhow::Result<Option<MasterKey>> {
    match (config.keys.resolve()?, folder) {
        (Some(master), _) => Ok(Some(master)),
        (None, Some(folder)) => folder.master_key(|| MasterKey::generate(&*node::entropy())).map(Some),
        (None, None) => Ok(None),
    }
}

/// Opens the application here, in whichever mode the database was made.
pub(crate) async fn open(config: &Config, folder: Option<&DataFolder>) -> anyhow::Result<App> {
    let given = master_key(config, folder)?;
    let store = node::open_store(&config.database(folder.map(DataFolder::path))?).await?;
    let dev = is_dev_database(&store).await?.unwrap_or(false);
    let master = match given {
        Some(master) => master,
        None if dev => dev::shared_master_key(),
        None => bail!(crate::commands::serve::NO_MASTER_KEY),
    };
    node::open_app(Opening {
        store,
        master,
        public_url: config.http.public_url(config.http.listen),
        dev,
        signing_seed: None,
        limits: None,
        publish_ahead: config.tokens.publish_ahead(),
        webhooks: config.webhooks.clone(),
        oauth: config.oauth.policy(),
        hashing: config.passwords.hashing(),
        mail: config.mail.post(dev)?,
        files: FileStorage::nowhere(),
    })
    .await
}
