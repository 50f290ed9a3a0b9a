//! `hallpass app`: what companies make to work in others.

use std::process::ExitCode;

use hallpass_app::admin::AdminCommand;
use hallpass_core::id::{AppId, CompanyId};

use crate::General;
use crate::output::Shape;

/// What to do with them.
#[derive(clap::Subcommand)]
pub(crate) enum Command {
    /// Make an app; `key create --app` makes its keys
    Create {
        /// The company that owns it
        #[arg(long)]
        company: CompanyId,
        /// A name for people
        #[arg(long)]
        name: String,
    },
    /// Show the apps that a company owns or installed
    List {
        /// The company
        #[arg(long)]
        company: CompanyId,
    },
    /// Let an app's keys work in a company that does not own it
    Install(Pair),
    /// Take an app out of a company: its keys and their tokens reach the company no more
    Uninstall(Pair),
}

/// An app in a company.
#[derive(clap::Args)]
pub(crate) struct Pair {
    /// The app
    id: AppId,
    /// The company
    #[arg(long)]
    company: CompanyId,
}

const COLUMNS: &[&str] = &["id", "name", "company_id", "created_at", "installed_at"];

/// Does it.
pub(crate) fn run(general: &General, command: Command) -> anyhow::Result<ExitCode> {
    let command = match command {
        Command::Create { company, name } => AdminCommand::CreateApp { company, name },
        Command::List { company } => {
            return super::administer(general, AdminCommand::ListApps { company }, &Shape::Table(COLUMNS));
        }
        Command::Install(Pair { id, company }) => AdminCommand::InstallApp { app: id, company },
        Command::Uninstall(Pair { id, company }) => AdminCommand::UninstallApp { app: id, company },
    };
    super::administer(general, command, &Shape::Fields)
}
