//! The bare peers: what axum, aws-lc and SQLite cost with nothing else around them.
//!
//! They use the libraries that Hallpass uses, on one thread, and leave out everything that makes a
//! product: no authorisation, no tenants, no limits, no logs, no metrics. Each server prints one JSON
//! line when it is ready, as `hallpass dev` does, and runs until it is killed.

mod argon;
mod hello;
mod list;
mod mint;
mod rows;
mod send;
mod serve;
mod verify;

use std::path::PathBuf;

use anyhow::Result;
use clap::Parser;

#[derive(Parser)]
enum Command {
    /// `GET /hello`, `POST /mint`, `GET /verify`.
    Tokens,
    /// `POST /messages`: group commit into SQLite, synchronous=FULL.
    Send {
        #[arg(long)]
        db: PathBuf,
        #[arg(long)]
        schema: PathBuf,
    },
    /// `GET /messages`: the 50 newest of a channel with `--rows` messages.
    List {
        #[arg(long)]
        db: PathBuf,
        #[arg(long)]
        schema: PathBuf,
        #[arg(long)]
        rows: u64,
    },
    /// Times the statement of `list` inside this process, and prints that.
    ListSql {
        #[arg(long)]
        db: PathBuf,
        #[arg(long)]
        schema: PathBuf,
        #[arg(long)]
        rows: u64,
        #[arg(long, default_value_t = 2.0)]
        measure_secs: f64,
    },
    /// Hashes passwords with the parameters of Hallpass on so many threads, and prints how many a second.
    Argon {
        #[arg(long)]
        threads: usize,
        #[arg(long, default_value_t = 3.0)]
        measure_secs: f64,
    },
}

fn main() -> Result<()> {
    match Command::parse() {
        Command::Tokens => {
            let tokens = mint::Tokens::generate()?;
            let router = hello::router().merge(mint::router(&tokens)).merge(verify::router(&tokens));
            serve::serve(router, Some(tokens.api_key()))
        }
        Command::Send { db, schema } => serve::serve(send::router(&db, &schema)?, None),
        Command::List { db, schema, rows } => serve::serve(list::router(&db, &schema, rows)?, None),
        Command::ListSql { db, schema, rows, measure_secs } => {
            list::time_sql(&db, &schema, rows, measure_secs)
        }
        Command::Argon { threads, measure_secs } => argon::rate(threads, measure_secs),
    }
}
