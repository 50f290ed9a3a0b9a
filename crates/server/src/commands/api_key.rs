//! `hallpass key`: API keys.

use std::process::ExitCode;

use hallpass_app::admin::AdminCommand;
use hallpass_core::id::{ApiKeyId, AppId, CompanyId};
use hallpass_core::role::Role;

use crate::General;
use crate::output::Shape;

/// What to do with them.
#[derive(clap::Subcommand)]
pub(crate) enum Command {
    /// Make a key; its secret is shown once
    Create {
        /// The company it acts for
        #[arg(long)]
        company: CompanyId,
        /// The app it belongs to
        #[arg(long)]
        app: Option<AppId>,
        /// A name for people
        #[arg(long)]
        name: Option<String>,
        /// What it may do: owner, admin, moderator, `sales_manager` or advertiser
        #[arg(long, value_parser = super::role, required_unless_present = "permission")]
        role: Option<Role>,
        /// What it may do: one permission, such as chat:read; may be given again
        #[arg(long, conflicts_with = "role")]
        permission: Vec<String>,
        /// When it stops working, such as 30d
        #[arg(long, value_parser = super::seconds, value_name = "TIME")]
        expires_in: Option<i64>,
    },
    /// Show a company's keys, without secrets
    List {
        /// The company
        #[arg(long)]
        company: CompanyId,
    },
    /// End a key and every token it minted
    Revoke {
        /// The key, apik_…
        id: ApiKeyId,
    },
}

const COLUMNS: &[&str] =
    &["id", "name", "hint", "role", "created_at", "last_used_at", "expires_at", "revoked_at"];

/// Does it.
pub(crate) fn run(general: &General, command: Command) -> anyhow::Result<ExitCode> {
    match command {
        Command::Create { company, app, name, role, permission, expires_in } => {
            let command = AdminCommand::CreateApiKey {
                company,
                app,
                name,
                role,
                permissions: permission,
                expires_in_secs: expires_in,
            };
            super::administer(general, command, &Shape::Fields)
        }
        Command::List { company } => {
            super::administer(general, AdminCommand::ListApiKeys { company }, &Shape::Table(COLUMNS))
        }
        Command::Revoke { id } => {
            super::administer(general, AdminCommand::RevokeApiKey { id }, &Shape::Fields)
        }
    }
}
