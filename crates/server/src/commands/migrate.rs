//! `hallpass migrate`: the schema up to date, without starting a server.

use std::process::ExitCode;

use anyhow::Context as _;
use hallpass_app::admin::AdminCommand;
use serde_json::{Value, json};

use crate::General;
use crate::config::Config;
use crate::folder::DataFolder;
use crate::node;
use crate::operator::{Reached, master_key, reach};
use crate::output::{self, Shape};

/// Flags of `migrate`.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Only name the migrations that would run
    #[arg(long)]
    plan: bool,
}

/// Migrates; a running server has done so when it started.
pub(crate) fn run(general: &General, args: &Args) -> anyhow::Result<ExitCode> {
    let config = general.load()?;
    super::quiet_log(&config.log)?;
    let runtime = node::small_runtime()?;
    if args.plan {
        let plan = runtime.block_on(plan(&config))?;
        output::answer(general.json, &plan, &Shape::Table(&["migration"]))?;
    } else {
        let what = runtime.block_on(migrate(&config))?;
        output::answer(general.json, &json!({"schema": "up to date", "by": what}), &Shape::Fields)?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Looks at the database itself, also under a running server: that one may be an older version.
async fn plan(config: &Config) -> anyhow::Result<Value> {
    let database = config.database(config.folder()?.as_deref())?;
    let pending = database.pending_migrations().await.with_context(|| node::cannot_open(&database))?;
    Ok(pending.into_iter().map(|name| json!({"migration": name})).collect())
}

async fn migrate(config: &Config) -> anyhow::Result<&'static str> {
    let mut folder = None;
    if !config.is_shared()? {
        let path = config.folder()?.context("data_dir: SQLite needs a data folder")?;
        match reach(&path, &AdminCommand::Status).await? {
            Reached::Answered(_) => return Ok("the running server"),
            Reached::Locked(locked) => {
                master_key(config, Some(&locked))?;
                folder = Some(locked);
            }
        }
    }
    let database = config.database(folder.as_ref().map(DataFolder::path))?;
    node::open_store(&database).await?.close().await;
    Ok("this command")
}
