//! `hallpass`: the command line, the configuration, and the wiring of the server.

mod admin_socket;
mod commands;
mod config;
mod folder;
mod node;
mod operator;
mod output;
mod system;
mod telemetry;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use commands::{api_key, app, company, config as config_command, dev, doctor, keys, migrate, openapi, serve};
use commands::{token, user};
use config::{Config, Sources};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Embedded chat and the authentication in front of it, on your own server.
#[derive(Parser)]
#[command(name = "hallpass", version, arg_required_else_help = true)]
struct Cli {
    #[command(flatten)]
    general: General,
    #[command(subcommand)]
    command: Command,
}

/// Flags of every command.
#[derive(clap::Args)]
pub(crate) struct General {
    /// The configuration file [default: `HALLPASS_CONFIG`, or hallpass.toml, if there is one]
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    /// The data folder [default: ./data; for dev a temporary one]
    #[arg(long, global = true, value_name = "DIR")]
    data_dir: Option<PathBuf>,
    /// Answer in JSON
    #[arg(long, global = true)]
    json: bool,
}

impl General {
    /// The file that was named.
    fn file(&self) -> Option<PathBuf> {
        let named = std::env::var_os("HALLPASS_CONFIG").filter(|name| !name.is_empty());
        self.config.clone().or_else(|| named.map(PathBuf::from))
    }

    /// Where the configuration of all commands but `dev` comes from.
    fn sources(&self) -> Sources {
        let mut sources = Sources::usual(self.file());
        if let Some(folder) = &self.data_dir {
            sources.flags.push(("data_dir", folder.display().to_string()));
        }
        sources
    }

    fn load(&self) -> anyhow::Result<Config> {
        Config::load(&self.sources())
    }
}

#[derive(Subcommand)]
enum Command {
    /// Run the server
    Serve(serve::Args),
    /// Run a server for development, with demo data
    Dev(dev::Args),
    /// Bring the database's schema up to date
    Migrate(migrate::Args),
    /// Signing keys: list, rotate, retire
    #[command(subcommand)]
    Keys(keys::Command),
    /// API keys: create, list, revoke
    #[command(subcommand)]
    Key(api_key::Command),
    /// Apps: create, list, install, uninstall
    #[command(subcommand)]
    App(app::Command),
    /// User tokens: revoke
    #[command(subcommand)]
    Token(token::Command),
    /// Companies: create, list, show, settings, detach
    #[command(subcommand)]
    Company(company::Command),
    /// Users: create, deactivate, reactivate, enrol, unenrol, role
    #[command(subcommand)]
    User(user::Command),
    /// The configuration: check, print, sample
    #[command(subcommand)]
    Config(config_command::Command),
    /// Check this installation and say what to do
    Doctor,
    /// Print the OpenAPI document
    Openapi,
}

fn main() -> ExitCode {
    // Whatever this process makes is its owner's alone.
    rustix::process::umask(rustix::fs::Mode::RWXG | rustix::fs::Mode::RWXO);
    let Cli { general, command } = Cli::parse();
    let done = match command {
        Command::Serve(args) => serve::run(&general, &args),
        Command::Dev(args) => dev::run(&general, &args),
        Command::Migrate(args) => migrate::run(&general, &args),
        Command::Keys(command) => keys::run(&general, command),
        Command::Key(command) => api_key::run(&general, command),
        Command::App(command) => app::run(&general, command),
        Command::Token(command) => token::run(&general, command),
        Command::Company(command) => company::run(&general, command),
        Command::User(command) => user::run(&general, command),
        Command::Config(command) => config_command::run(&general, &command),
        Command::Doctor => doctor::run(&general),
        Command::Openapi => openapi::run(),
    };
    match done {
        Ok(code) => code,
        Err(error) => {
            eprintln!("hallpass: {error:#}");
            ExitCode::FAILURE
        }
    }
}
