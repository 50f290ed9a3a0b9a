//! `hallpass config`: what the server would run with.

use std::process::ExitCode;

use crate::General;
use crate::config::{print, sample};
use crate::output;

/// What to do with it.
#[derive(clap::Subcommand)]
pub(crate) enum Command {
    /// Check it, and print the effective values, secrets masked
    Check,
    /// Print the effective values, secrets masked
    Print,
    /// Print a file with every key and its default
    Sample,
}

/// Does it. Loading checks: what is wrong names its key.
pub(crate) fn run(general: &General, command: &Command) -> anyhow::Result<ExitCode> {
    if let Command::Sample = command {
        output::line(&sample())?;
        return Ok(ExitCode::SUCCESS);
    }
    let config = general.load()?;
    if general.json {
        output::line(&serde_json::to_string(&config)?)?;
    } else {
        output::line(&print(&config))?;
    }
    if let Command::Check = command {
        eprintln!("the configuration is sound");
    }
    Ok(ExitCode::SUCCESS)
}
