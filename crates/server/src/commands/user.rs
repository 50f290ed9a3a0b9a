//! `hallpass user`: people and companies' users, their enrolment and roles.

use std::process::ExitCode;

use anyhow::Context as _;
use hallpass_app::admin::{AdminCommand, PersonAsk};
use hallpass_core::id::{CompanyId, UserId};
use hallpass_core::role::Role;

use crate::General;
use crate::output::Shape;

/// What to do with them.
#[derive(clap::Subcommand)]
pub(crate) enum Command {
    /// Make a person who can sign in; or with --company, a user of that company
    Create(Create),
    /// End a user everywhere: their tokens are dead
    Deactivate {
        /// The user
        id: UserId,
    },
    /// Undo that; tokens from before stay dead
    Reactivate {
        /// The user
        id: UserId,
    },
    /// Make a user a member of a company
    Enrol(Pair),
    /// End membership and team role: their tokens for the company are dead
    Unenrol(Pair),
    /// Put a user on a company's team, change their role there, or take them off it
    Role {
        #[command(flatten)]
        pair: Pair,
        /// owner, admin, manager, moderator, `sales_manager`, advertiser, `app_manager`, support or custom
        #[arg(long, value_parser = super::role, required_unless_present = "none")]
        role: Option<Role>,
        /// Off the team
        #[arg(long, conflicts_with = "role")]
        none: bool,
    },
}

/// A user in a company.
#[derive(clap::Args)]
pub(crate) struct Pair {
    /// The user
    id: UserId,
    /// The company
    #[arg(long)]
    company: CompanyId,
}

/// A user to be made.
#[derive(clap::Args)]
pub(crate) struct Create {
    /// Their address, taken as verified
    #[arg(long)]
    email: String,
    /// Letters, digits and hyphens; with --company made from the name if absent
    #[arg(long, required_unless_present = "company")]
    username: Option<String>,
    /// Their name
    #[arg(long)]
    name: Option<String>,
    /// A user of this company, who does not sign in here
    #[arg(long)]
    company: Option<CompanyId>,
    /// Read the password from standard input; else one is made and shown once
    #[arg(long, conflicts_with = "company")]
    password_stdin: bool,
}

/// Does it.
pub(crate) fn run(general: &General, command: Command) -> anyhow::Result<ExitCode> {
    let command = match command {
        Command::Create(Create { email, username, name, company: Some(company), .. }) => {
            AdminCommand::CreateUser { company, email, username, name }
        }
        Command::Create(create) => AdminCommand::CreatePerson(PersonAsk {
            email: create.email,
            username: create.username.context("--username is missing")?,
            name: create.name,
            password: super::password(create.password_stdin)?,
        }),
        Command::Deactivate { id } => AdminCommand::DeactivateUser { id },
        Command::Reactivate { id } => AdminCommand::ReactivateUser { id },
        Command::Enrol(Pair { id, company }) => AdminCommand::EnrolUser { company, user: id },
        Command::Unenrol(Pair { id, company }) => AdminCommand::UnenrolUser { company, user: id },
        Command::Role { pair, role, none: _ } => {
            AdminCommand::SetRole { company: pair.company, user: pair.id, role }
        }
    };
    super::administer(general, command, &Shape::Fields)
}
