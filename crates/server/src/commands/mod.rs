//! One file a command.

pub(crate) mod api_key;
pub(crate) mod app;
pub(crate) mod company;
pub(crate) mod config;
pub(crate) mod dev;
pub(crate) mod doctor;
pub(crate) mod keys;
pub(crate) mod migrate;
pub(crate) mod openapi;
pub(crate) mod serve;
pub(crate) mod token;
pub(crate) mod user;

use std::io::Read as _;
use std::process::ExitCode;

use anyhow::{Context as _, bail};
use hallpass_app::admin::{AdminCommand, SecretText};
use hallpass_core::role::Role;
use serde_json::Value;

use crate::General;
use crate::config::{LogConfig, LogFormat};
use crate::output::{self, Shape};

/// The longest secret read from standard input.
const MAX_STDIN_BYTES: u64 = 16 << 10;

/// Carries out a command and writes the answer.
fn administer(general: &General, command: AdminCommand, shape: &Shape) -> anyhow::Result<ExitCode> {
    let value = ask(general, command)?;
    output::answer(general.json, &value, shape)?;
    Ok(ExitCode::SUCCESS)
}

/// Carries out a command.
fn ask(general: &General, command: AdminCommand) -> anyhow::Result<Value> {
    let config = general.load()?;
    quiet_log(&config.log)?;
    crate::node::small_runtime()?.block_on(crate::operator::carry_out(&config, command))
}

/// Commands that end at once tell warnings only: what they did is in their answer.
fn quiet_log(log: &LogConfig) -> anyhow::Result<()> {
    crate::telemetry::start_log(&LogConfig { format: LogFormat::Text, level: quieter(&log.level) })
}

fn quieter(level: &str) -> String {
    if level == LogConfig::default().level { "warn".to_owned() } else { level.to_owned() }
}

/// Reads a secret from standard input, up to the first line's end.
fn secret_from_stdin(what: &str) -> anyhow::Result<SecretText> {
    let mut text = String::new();
    std::io::stdin()
        .lock()
        .take(MAX_STDIN_BYTES)
        .read_to_string(&mut text)
        .with_context(|| format!("cannot read the {what} from standard input"))?;
    let first = text.lines().next().unwrap_or_default().to_owned();
    if first.is_empty() {
        bail!("standard input holds no {what}");
    }
    Ok(first.into())
}

/// The password that `--password-stdin` asks for.
fn password(from_stdin: bool) -> anyhow::Result<Option<SecretText>> {
    from_stdin.then(|| secret_from_stdin("password")).transpose()
}

/// Reads a role's name.
fn role(name: &str) -> Result<Role, String> {
    Role::parse(name).ok_or_else(|| {
        let names: Vec<_> = Role::ALL.iter().map(|role| role.name()).collect();
        format!("there are {}", names.join(", "))
    })
}

/// Reads a length of time, `30d`, in seconds.
fn seconds(text: &str) -> Result<i64, String> {
    let wrong = || "write a number and one of s, m, h, d, w, such as 30d".to_owned();
    let (number, unit) = text.split_at_checked(text.len().saturating_sub(1)).ok_or_else(wrong)?;
    let unit = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3_600,
        "d" => 86_400,
        "w" => 604_800,
        _ => return Err(wrong()),
    };
    let number: i64 = number.parse().map_err(|_| wrong())?;
    // A century is for ever, and adds to a timestamp without overflow.
    number.checked_mul(unit).filter(|secs| (1..=3_155_760_000).contains(secs)).ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_of_time_are_read() {
        assert_eq!(seconds("90s"), Ok(90));
        assert_eq!(seconds("2w"), Ok(1_209_600));
        for bad in ["", "d", "5", "0s", "-1d", "1y", "9999999999999999w", "1é"] {
            assert!(seconds(bad).is_err(), "{bad}");
        }
    }
}
