//! `hallpass keys`: the keys that sign user tokens.

use std::process::ExitCode;

use hallpass_app::admin::AdminCommand;

use crate::General;
use crate::output::Shape;

/// What to do with them.
#[derive(clap::Subcommand)]
pub(crate) enum Command {
    /// Show the keys and their states
    List,
    /// Let the next key sign; the one before is published until its tokens are dead
    Rotate {
        /// Also if the next key was published only just: clients may not know it yet
        #[arg(long)]
        now: bool,
    },
    /// End a retiring key; every token it signed is dead
    Retire {
        /// The key, as listed
        kid: String,
        /// Also a key in use, after rotating: for emergencies
        #[arg(long)]
        now: bool,
    },
}

/// Does it, and shows the keys.
pub(crate) fn run(general: &General, command: Command) -> anyhow::Result<ExitCode> {
    let command = match command {
        Command::List => AdminCommand::ListSigningKeys,
        Command::Rotate { now } => AdminCommand::RotateSigningKeys { now },
        Command::Retire { kid, now } => AdminCommand::RetireSigningKey { kid, now },
    };
    super::administer(general, command, &Shape::Table(&["kid", "state", "created_at", "changed_at"]))
}
