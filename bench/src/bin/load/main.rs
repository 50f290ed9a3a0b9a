//! A load generator that costs less than the servers it measures.
//!
//! One thread, one epoll, `--connections` keep-alive HTTP/1.1 connections with one request in flight on
//! each. Every response is read to its end and its status compared with `--expect`; anything else counts
//! as a failure. The server's CPU time is read from `/proc` at both ends of the measured window, so the
//! warm-up costs nothing. Prints one JSON object.

mod connection;
mod cpu;
mod report;
mod request;
mod response;
mod run;

use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use clap::Parser;

use crate::request::{Feed, Template};
use crate::run::{Plan, Window};

/// Loads one URL of a server on this machine and reports what it took.
#[derive(Parser)]
struct Args {
    /// Address of the server; loopback only.
    #[arg(long)]
    addr: SocketAddr,
    /// Path and query of the request.
    #[arg(long)]
    path: String,
    #[arg(long, default_value = "GET")]
    method: String,
    /// `name: value`; may be given several times. `{line}` stands for the line of `--lines`.
    #[arg(long = "header")]
    headers: Vec<String>,
    /// Request body. `{n}` stands for a number that no other request of this run has, `{follow}` for what
    /// `--follow` says.
    #[arg(long)]
    body: Option<String>,
    /// A file whose lines are used once each; the run ends when they are used up.
    #[arg(long)]
    lines: Option<PathBuf>,
    /// Each connection keeps a value of its own: first its line of `--lines`, then this string field of its
    /// last answer.
    #[arg(long, requires = "lines")]
    follow: Option<String>,
    #[arg(long, default_value_t = 32)]
    connections: usize,
    /// Seconds before the measured window opens.
    #[arg(long, default_value_t = 0.5)]
    warm_up_secs: f64,
    /// Length of the measured window in seconds.
    #[arg(long, default_value_t = 3.0)]
    measure_secs: f64,
    /// Makes exactly this many requests, measuring all of them, instead of running by the clock.
    #[arg(long)]
    requests: Option<u64>,
    /// The only status that is not a failure.
    #[arg(long, default_value_t = 200)]
    expect: u16,
    /// Requests per second, evenly spread, instead of as many as are answered. Latencies count from when a
    /// request was due. Goes with `--spin`.
    #[arg(long, requires = "spin")]
    per_sec: Option<f64>,
    /// Asks epoll without ever sleeping. Else a server that is slower than the load pays for waking it
    /// with every answer (an interrupt to the other core, 10 µs and more in a virtual machine), and one
    /// that keeps it awake does not.
    #[arg(long)]
    spin: bool,
    /// Process whose CPU time, with its descendants', is charged to the requests.
    #[arg(long)]
    pid: Option<u32>,
    /// Writes this string field of every answer to `--save-to`, one a line.
    #[arg(long, requires = "save_to")]
    save_field: Option<String>,
    #[arg(long)]
    save_to: Option<PathBuf>,
}

fn main() -> Result<()> {
    let args = Args::parse();
    ensure!(args.addr.ip().is_loopback(), "{} is not on this machine", args.addr);
    ensure!(args.connections > 0, "--connections must be at least 1");

    let template = Template::new(&args.method, &args.path, args.addr, &args.headers, args.body.as_deref());
    ensure!(args.per_sec.is_none_or(|rate| rate > 0.0 && rate.is_finite()), "--per-sec must be above 0");
    let lines = args.lines.as_ref().map(read_lines).transpose()?;
    let feed = match (lines, &args.follow) {
        (Some(lines), Some(field)) => Feed::follow(template, field, lines, args.connections)?,
        (Some(lines), None) => Feed::lines(&template, lines)?,
        (None, _) => Feed::counter(&template)?,
    };
    let window = match args.requests {
        Some(count) => Window::Count(count),
        None => Window::Clock {
            warm_up: Duration::from_secs_f64(args.warm_up_secs),
            measure: Duration::from_secs_f64(args.measure_secs),
        },
    };
    let save = match (args.save_field, &args.save_to) {
        (Some(field), Some(path)) => {
            Some((field, File::create(path).with_context(|| format!("cannot write {}", path.display()))?))
        }
        (None, None) => None,
        _ => bail!("--save-field and --save-to go together"),
    };

    let plan = Plan {
        addr: args.addr,
        connections: args.connections,
        expect: args.expect,
        window,
        spin: args.spin,
        pace: args.per_sec.map(|rate| Duration::from_secs_f64(1.0 / rate)),
        pid: args.pid,
    };
    let report = run::run(&plan, feed, save)?;
    println!("{}", serde_json::to_string(&report)?);
    Ok(())
}

fn read_lines(path: &PathBuf) -> Result<Vec<String>> {
    let file = File::open(path).with_context(|| format!("cannot read {}", path.display()))?;
    let lines: Vec<String> = BufReader::new(file).lines().collect::<Result<_, _>>()?;
    ensure!(!lines.is_empty(), "{} has no lines", path.display());
    Ok(lines)
}
