//! `hallpass migrate`: the schema up to date, without starting a server.

use std::process::ExitCode;

use anyhow::Context as _;
use hallpass_app::admin::AdminCommand;
use serde_json::json;

use crate::General;
use crate::config::Config;
use crate::folder::DataFolder;
use crate::node;
use crate::operator::{Reached, master_key, reach};
use crate::output::{self, Shape};

/// Migrates; a running server has done so when it started.
pub(crate) fn run(general: &General) -> anyhow::Result<ExitCode> {
    let config = general.load()?;
    super::quiet_log(&config.log)?;
    let what = node::small_runtime()?.block_on(migrate(&config))?;
    output::answer(general.json, &json!({"schema": "up to date", "by": what}), &Shape::Fields)?;
    Ok(ExitCode::SUCCESS)
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
