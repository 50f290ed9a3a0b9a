//! `hallpass company`: tenants.

use std::process::ExitCode;

use anyhow::Context as _;
use hallpass_app::admin::{AdminCommand, CompaniesOf, Owner, PersonAsk};
use hallpass_core::id::{CompanyId, UserId};
use serde_json::Value;

use crate::General;
use crate::output::{self, Shape};

/// What to do with them.
#[derive(clap::Subcommand)]
pub(crate) enum Command {
    /// Make a company, with an owner who exists or is made with it
    Create(Create),
    /// Show companies, connected accounts included, newest first
    List(List),
    /// Show one company
    Show {
        /// The company
        id: CompanyId,
    },
    /// Change how a company hands out tokens and enrols
    Settings {
        /// The company
        id: CompanyId,
        /// Tokens must name their scopes
        #[arg(long, value_name = "BOOL")]
        explicit_scopes: Option<bool>,
        /// Whoever signs in for this company is enrolled
        #[arg(long, value_name = "BOOL")]
        open_enrolment: Option<bool>,
    },
    /// Cut a connected account from its parent
    Detach {
        /// The connected account
        id: CompanyId,
    },
}

/// Companies to be shown.
#[derive(clap::Args)]
pub(crate) struct List {
    /// Only the connected accounts of this one
    #[arg(long, value_name = "COMPANY", conflicts_with = "owner")]
    parent: Option<CompanyId>,
    /// Only those of this owner
    #[arg(long, value_name = "USER")]
    owner: Option<UserId>,
    /// At most this many; if there are more, standard error says how to go on
    #[arg(long, value_name = "N", default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..=50_000))]
    limit: u32,
    /// Those that follow this one
    #[arg(long, value_name = "COMPANY")]
    after: Option<CompanyId>,
}

/// A company to be made.
#[derive(clap::Args)]
pub(crate) struct Create {
    /// Its name for people
    #[arg(long)]
    title: String,
    /// Owned by this user
    #[arg(
        long,
        value_name = "USER",
        required_unless_present = "owner_email",
        conflicts_with = "owner_email"
    )]
    owner: Option<UserId>,
    /// Owned by a person made with it, who signs in with this address
    #[arg(long, value_name = "EMAIL", requires = "owner_username")]
    owner_email: Option<String>,
    /// The person's username
    #[arg(long, value_name = "NAME", requires = "owner_email")]
    owner_username: Option<String>,
    /// The person's name
    #[arg(long, value_name = "NAME", requires = "owner_email")]
    owner_name: Option<String>,
    /// Read the person's password from standard input; else one is made and shown once
    #[arg(long, requires = "owner_email")]
    password_stdin: bool,
}

const COLUMNS: &[&str] = &["id", "title", "route", "owner_id", "member_count", "created_at"];

/// Does it.
pub(crate) fn run(general: &General, command: Command) -> anyhow::Result<ExitCode> {
    let command = match command {
        Command::Create(create) => {
            let owner = match (create.owner, create.owner_email) {
                (Some(user), _) => Owner::User(user),
                (None, email) => Owner::New(PersonAsk {
                    email: email.context("--owner-email is missing")?,
                    username: create.owner_username.context("--owner-username is missing")?,
                    name: create.owner_name,
                    password: super::password(create.password_stdin)?,
                }),
            };
            AdminCommand::CreateCompany { title: create.title, owner }
        }
        Command::List(ask) => return list(general, &ask),
        Command::Show { id } => AdminCommand::ShowCompany { id },
        Command::Settings { id, explicit_scopes, open_enrolment } => {
            AdminCommand::SetCompany { id, explicit_scopes, open_enrolment }
        }
        Command::Detach { id } => AdminCommand::DetachCompany { id },
    };
    super::administer(general, command, &Shape::Fields)
}

fn list(general: &General, ask: &List) -> anyhow::Result<ExitCode> {
    let of = match (ask.parent, ask.owner) {
        (Some(parent), _) => CompaniesOf::Parent(parent),
        (None, Some(owner)) => CompaniesOf::Owner(owner),
        (None, None) => CompaniesOf::Server,
    };
    // One more, to know whether there are more.
    let command = AdminCommand::ListCompanies { of, after: ask.after, limit: ask.limit + 1 };
    let mut companies = super::ask(general, command)?;
    let rows = companies.as_array_mut().context("the answer is no list")?;
    let more = rows.len() > ask.limit as usize;
    rows.truncate(ask.limit as usize);
    let last = rows.last().map(|company| company["id"].clone());
    output::answer(general.json, &companies, &Shape::Table(COLUMNS))?;
    if let (true, Some(Value::String(last))) = (more, last) {
        eprintln!("there are more: --after {last}");
    }
    Ok(ExitCode::SUCCESS)
}
