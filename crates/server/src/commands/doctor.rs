//! `hallpass doctor`: checks an installation and says what to do. Fails if something must be done.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context as _;
use hallpass_app::admin::{AdminCommand, is_dev_database};
use hallpass_core::Clock as _;
use hallpass_store::Database;
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::General;
use crate::config::{Config, PublicUrl};
use crate::folder::{DataFolder, database_in, is_exposed, master_key_in};
use crate::node;
use crate::operator::{self, Reached};
use crate::output::{self, Shape};
use crate::system::SystemClock;

/// Less free space than this fails; ten times as much is a warning.
const LOW_DISK_BYTES: u64 = 100 << 20;
/// How far the clock may be from the file system's and the database's.
const MAX_SKEW: SignedDuration = SignedDuration::from_secs(2);
/// Hallpass did not exist before; a clock that says so is not set.
const BEFORE_HALLPASS_SECS: i64 = 1_760_000_000;
const ANSWER_WITHIN: Duration = Duration::from_secs(5);

#[derive(Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Verdict {
    Ok,
    Warn,
    Fail,
}

/// One thing that was looked at.
#[derive(Serialize)]
struct Finding {
    verdict: Verdict,
    check: &'static str,
    /// What was seen, and what to do about it.
    detail: String,
}

#[derive(Default)]
struct Report(Vec<Finding>);

impl Report {
    fn ok(&mut self, check: &'static str, detail: impl Into<String>) {
        self.0.push(Finding { verdict: Verdict::Ok, check, detail: detail.into() });
    }
    fn warn(&mut self, check: &'static str, detail: impl Into<String>) {
        self.0.push(Finding { verdict: Verdict::Warn, check, detail: detail.into() });
    }
    fn fail(&mut self, check: &'static str, detail: impl Into<String>) {
        self.0.push(Finding { verdict: Verdict::Fail, check, detail: detail.into() });
    }
}

/// Looks, and reports.
pub(crate) fn run(general: &General) -> anyhow::Result<ExitCode> {
    let mut report = Report::default();
    match general.load() {
        Err(error) => report.fail("configuration", format!("{error:#}")),
        Ok(config) => {
            report.ok("configuration", "sound");
            super::quiet_log(&config.log)?;
            node::small_runtime()?.block_on(examine(&config, &mut report));
        }
    }
    let value = serde_json::to_value(&report.0)?;
    output::answer(general.json, &value, &Shape::Table(&["verdict", "check", "detail"]))?;
    let failed = report.0.iter().any(|finding| finding.verdict == Verdict::Fail);
    Ok(if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

async fn examine(config: &Config, report: &mut Report) {
    let folder = config.folder().ok().flatten();
    let now = SystemClock::new().now();
    if now.as_second() < BEFORE_HALLPASS_SECS {
        report.fail("clock", format!("says {now:.0}; set the clock, best by NTP: tokens depend on it"));
    }
    match &folder {
        Some(folder) if folder.exists() => {
            permissions(folder, report);
            disk_and_clock(folder, now, report);
        }
        Some(folder) => report.ok("data folder", format!("{} will be made on first start", folder.display())),
        None => report.ok("data folder", "none is needed with PostgreSQL"),
    }
    let status = database(config, folder.as_deref(), report).await;
    if let Some(status) = &status {
        signing_keys(status, now, report);
    }
    public_url(config, status.as_ref(), report).await;
}

/// Whether others can read what holds secrets.
fn permissions(folder: &Path, report: &mut Report) {
    let key = master_key_in(folder);
    let mut exposed = Vec::new();
    for path in [folder, &key, &database_in(folder)] {
        match is_exposed(path) {
            Ok(true) => exposed.push(path.display().to_string()),
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                report.fail("permissions", format!("cannot look at {}: {error}", path.display()));
            }
            _ => {}
        }
    }
    // In a folder that is closed to others, what its files allow does not matter.
    match exposed.as_slice() {
        [] => report.ok("permissions", "nobody else can read the data folder"),
        paths if paths[0] == folder.display().to_string() => {
            let fix = paths.iter().fold(String::new(), |fix, path| format!("{fix} {path}"));
            let text = format!("others can read{fix}; run: chmod go-rwx{fix}");
            // The master key opens everything sealed in the database.
            if paths.contains(&key.display().to_string()) {
                report.fail("permissions", text);
            } else {
                report.warn("permissions", text);
            }
        }
        _ => report.ok("permissions", "nobody else can enter the data folder"),
    }
}

/// Whether the folder can be written, how much room there is, and what time its file system has.
fn disk_and_clock(folder: &Path, now: Timestamp, report: &mut Report) {
    let probe = folder.join("doctor.tmp");
    let written = File::create(&probe).and_then(|mut file| {
        file.write_all(b"doctor")?;
        file.sync_all()?;
        file.metadata()?.modified()
    });
    // It is only a probe; if it stays, the next one overwrites it.
    let _stays = fs::remove_file(&probe);
    match written {
        Err(error) => report.fail(
            "disk",
            format!("cannot write into {}: {error}; make it writable for this user", folder.display()),
        ),
        Ok(modified) => match Timestamp::try_from(modified) {
            Ok(modified) if modified.duration_since(now).abs() > MAX_SKEW => report.fail(
                "clock",
                format!(
                    "is {} s away from the file system's; set both by NTP",
                    modified.duration_since(now).as_secs()
                ),
            ),
            Ok(_) => report.ok("clock", format!("{now:.0}, as the file system says")),
            Err(error) => report.fail("clock", format!("the file system's time is no time: {error}")),
        },
    }
    match rustix::fs::statvfs(folder) {
        Ok(stat) => {
            let free = stat.f_bavail.saturating_mul(stat.f_frsize);
            let text = format!("{} MiB free in {}", free >> 20, folder.display());
            if free < LOW_DISK_BYTES {
                report.fail("disk", format!("{text}; make room: writes are refused when it is full"));
            } else if free < 10 * LOW_DISK_BYTES {
                report.warn("disk", format!("{text}; make room soon"));
            } else {
                report.ok("disk", text);
            }
        }
        Err(error) => report.fail("disk", format!("cannot tell how much is free: {error}")),
    }
}

/// Asks the running server how it is, or opens the database: that needs it reachable, migrated, and
/// every key unsealable.
async fn database(config: &Config, folder: Option<&Path>, report: &mut Report) -> Option<Value> {
    let shared = config.is_shared().unwrap_or(false);
    if let (Some(folder), false) = (folder, shared) {
        if !database_in(folder).exists() {
            report.ok("database", "none yet; it is made on first start");
            return None;
        }
        match operator::reach(folder, &AdminCommand::Status).await {
            Ok(Reached::Answered(status)) => {
                if status["ready"] == true {
                    report.ok("server", "runs and is ready");
                } else {
                    report.fail("server", "runs but is not ready; see its log, and whether the disk is full");
                }
                report.ok("database", format!("in use by the server ({})", text(&status["mode"])));
                return Some(with_running(status));
            }
            Ok(Reached::Locked(folder)) => {
                report.ok("server", "does not run");
                return open(config, Some(&folder), report).await;
            }
            Err(error) => {
                report.fail("server", format!("{error:#}"));
                return None;
            }
        }
    }
    open(config, None, report).await
}

fn with_running(mut status: Value) -> Value {
    status["running"] = true.into();
    status
}

async fn open(config: &Config, folder: Option<&DataFolder>, report: &mut Report) -> Option<Value> {
    let look = async {
        if !is_filled(&config.database(folder.map(DataFolder::path))?, report).await? {
            return Ok(None);
        }
        let app = operator::open(config, folder).await?;
        let status = app.admin(AdminCommand::Status).await;
        app.close().await;
        status.map(Some).context("does not answer")
    };
    match look.await {
        Ok(Some(status)) => {
            report.ok("database", format!("reachable and migrated ({})", text(&status["mode"])));
            report.ok("master key", "unseals every signing key");
            Some(status)
        }
        Ok(None) => None,
        Err(error) => {
            report.fail("database", format!("{error:#}"));
            None
        }
    }
}

/// Whether a server of this version filled the database: opening another one would change it.
async fn is_filled(database: &Database, report: &mut Report) -> anyhow::Result<bool> {
    let cannot_open = || node::cannot_open(database);
    if let Some(lead) = database.clock_lead(&SystemClock::new()).await.with_context(cannot_open)? {
        database_clock(lead, report);
    }
    let pending = database.pending_migrations().await.with_context(cannot_open)?;
    if !pending.is_empty() {
        let names = pending.join(", ");
        report.warn(
            "database",
            format!("to be migrated ({names}); back up, then run: hallpass migrate, or start the server"),
        );
        return Ok(false);
    }
    let store = node::open_store(database).await?;
    let mode = is_dev_database(&store).await;
    store.close().await;
    if mode?.is_none() {
        report.ok("database", "migrated and empty; it is filled on first start");
        return Ok(false);
    }
    Ok(true)
}

/// Whether this machine and the database's agree on the time.
fn database_clock(lead: SignedDuration, report: &mut Report) {
    if lead.abs() <= MAX_SKEW {
        return report.ok("database clock", "agrees with this machine's");
    }
    let direction = if lead.is_positive() { "ahead of" } else { "behind" };
    let seconds = lead.abs().as_secs();
    report.fail(
        "database clock",
        format!(
            "is {seconds} s {direction} this machine's; set both by NTP: nodes judge tokens by their clocks"
        ),
    );
}

fn signing_keys(status: &Value, now: Timestamp, report: &mut Report) {
    let keys = status["signing_keys"].as_array().map(Vec::as_slice).unwrap_or_default();
    let find = |state| keys.iter().find(|key| key["state"] == state);
    match (find("active"), find("next")) {
        (Some(active), Some(_)) => {
            let since = text(&active["changed_at"]).parse::<Timestamp>();
            let days = since.map_or(0, |since| now.duration_since(since).as_hours() / 24);
            let detail = format!("one signs (for {days} days), one waits");
            if days > 365 {
                report.warn("signing keys", format!("{detail}; rotate: hallpass keys rotate"));
            } else {
                report.ok("signing keys", detail);
            }
        }
        _ => report.fail("signing keys", "there is no key that signs and one that waits; restart the server"),
    }
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or("-")
}

/// The public URL's form, and whether a server of this machine answers at it.
async fn public_url(config: &Config, status: Option<&Value>, report: &mut Report) {
    let running = status.filter(|status| status["running"] == true);
    let configured = config.http.public_url(config.http.listen);
    let url = running.map_or(configured.as_str(), |status| text(&status["public_url"]));
    let parsed = match PublicUrl::parse(url) {
        Ok(parsed) => parsed,
        Err(error) => return report.fail("public URL", format!("{error:#}")),
    };
    if !parsed.https && !parsed.is_loopback() {
        report
            .warn("public URL", format!("{url} is not https: tokens travel in the clear; put TLS in front"));
    } else {
        report.ok("public URL", url);
    }
    if running.is_some() && parsed.is_loopback() && !parsed.https {
        match livez(&parsed).await {
            Ok(true) => report.ok("reachable", format!("{url} answers")),
            Ok(false) => {
                report.fail("reachable", format!("{url} is answered by something else; change the port"));
            }
            Err(error) => report.fail("reachable", format!("{url} does not answer: {error}")),
        }
    }
}

/// Whether something that says it lives answers there.
async fn livez(url: &PublicUrl<'_>) -> std::io::Result<bool> {
    let host = url.host.trim_start_matches('[').trim_end_matches(']');
    let exchange = async {
        let mut stream = TcpStream::connect((host, url.port)).await?;
        let request =
            format!("GET /livez HTTP/1.1\r\nhost: {}:{}\r\nconnection: close\r\n\r\n", url.host, url.port);
        stream.write_all(request.as_bytes()).await?;
        let mut answer = Vec::new();
        stream.take(64 << 10).read_to_end(&mut answer).await?;
        Ok(answer.starts_with(b"HTTP/1.1 200"))
    };
    tokio::time::timeout(ANSWER_WITHIN, exchange).await.map_err(|_| std::io::ErrorKind::TimedOut)?
}
