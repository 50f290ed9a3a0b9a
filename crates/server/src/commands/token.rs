//! `hallpass token`: ending user tokens before they expire.

use std::process::ExitCode;

use anyhow::{Context as _, bail};
use hallpass_app::admin::AdminCommand;
use hallpass_core::id::{ApiKeyId, CompanyId, TokenId, UserId};

use crate::General;
use crate::output::Shape;

/// What to do with them.
#[derive(clap::Subcommand)]
pub(crate) enum Command {
    /// End one token, all of a user in a company, or all that a key minted (with the key)
    Revoke(Revoke),
}

/// Which.
#[derive(clap::Args)]
#[group(skip)]
pub(crate) struct Revoke {
    /// `-`: the token is read from standard input, so that it is in no list of processes
    #[arg(long, group = "which", required_unless_present_any = ["jti", "user", "key"])]
    token: Option<String>,
    /// The token's `jti`, with --company
    #[arg(long, group = "which", requires = "company")]
    jti: Option<TokenId>,
    /// A user, with --company
    #[arg(long, group = "which", requires = "company")]
    user: Option<UserId>,
    /// An API key
    #[arg(long, group = "which")]
    key: Option<ApiKeyId>,
    /// The company of --jti and --user
    #[arg(long)]
    company: Option<CompanyId>,
}

/// Does it.
pub(crate) fn run(general: &General, Command::Revoke(which): Command) -> anyhow::Result<ExitCode> {
    let company = which.company.context("--company is missing");
    let command = match (which.token.as_deref(), which.jti, which.user, which.key) {
        (Some("-"), ..) => AdminCommand::RevokeToken { token: super::secret_from_stdin("token")? },
        (Some(_), ..) => bail!("give the token on standard input, with --token -"),
        (_, Some(jti), ..) => AdminCommand::RevokeJti { company: company?, jti },
        (_, _, Some(user), _) => AdminCommand::RevokeUserTokens { company: company?, user },
        (_, _, _, Some(id)) => AdminCommand::RevokeApiKey { id },
        (None, None, None, None) => bail!("say which: --token -, --jti, --user or --key"),
    };
    super::administer(general, command, &Shape::Fields)
}
