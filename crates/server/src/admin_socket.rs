//! The socket in the data folder: how commands reach the running server.
//!
//! One JSON line in ([`AdminCommand`]), one JSON line out (`{"ok": …}` or `{"error": {code, message}}`).
//! The folder and the socket are private to their owner, and the kernel is asked who is calling: the
//! server's own user or root. Lines are limited in length and time.

use std::io;
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail};
use hallpass_app::admin::AdminCommand;
use hallpass_app::{App, AppError};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::Semaphore;

const NAME: &str = "admin.sock";
/// The longest command.
const MAX_COMMAND_BYTES: u64 = 64 << 10;
/// The longest answer: a hundred thousand companies.
const MAX_ANSWER_BYTES: u64 = 64 << 20;
/// How long a command may take to arrive.
const COMMAND_WITHIN: Duration = Duration::from_secs(10);
/// How long an answer may take.
const ANSWER_WITHIN: Duration = Duration::from_mins(1);
/// Commands at once.
const MAX_COMMANDS: usize = 8;

/// What the server answers.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Answer {
    Ok(Value),
    Error { code: String, message: String },
}

/// Runs `act` on a path to the socket that is short enough for a socket's address, whatever the
/// folder's length.
fn at_socket<T>(folder: &Path, act: impl FnOnce(&Path) -> io::Result<T>) -> io::Result<T> {
    let path = folder.join(NAME);
    if path.as_os_str().len() < 100 || !cfg!(target_os = "linux") {
        return act(&path);
    }
    let open = std::fs::File::open(folder)?;
    act(&PathBuf::from(format!("/proc/self/fd/{}/{NAME}", open.as_raw_fd())))
}

/// Opens the socket in a folder whose lock the caller holds: one that is there is a dead server's.
pub(crate) fn listen(folder: &Path) -> anyhow::Result<UnixListener> {
    at_socket(folder, |path| {
        match std::fs::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let listener = UnixListener::bind(path)?;
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600))?;
        Ok(listener)
    })
    .with_context(|| format!("cannot open {NAME} in {}", folder.display()))
}

/// Removes the socket of a server that ends.
pub(crate) fn remove(folder: &Path) {
    // A socket that stays is removed by the next start.
    let _stays = std::fs::remove_file(folder.join(NAME));
}

/// Takes commands until it is dropped.
pub(crate) async fn serve(listener: UnixListener, app: App) {
    let permits = Arc::new(Semaphore::new(MAX_COMMANDS));
    loop {
        let Ok(permit) = Arc::clone(&permits).acquire_owned().await else { return };
        match listener.accept().await {
            Ok((stream, _)) => {
                let app = app.clone();
                tokio::spawn(async move {
                    let _permit = permit;
                    if let Err(error) = take(stream, app).await {
                        tracing::debug!(error = %error, "a command ended early");
                    }
                });
            }
            Err(error) => {
                tracing::warn!(error = %error, "cannot accept on the admin socket");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
}

async fn take(mut stream: UnixStream, app: App) -> io::Result<()> {
    let caller = stream.peer_cred()?.uid();
    if caller != rustix::process::geteuid().as_raw() && caller != 0 {
        tracing::warn!(uid = caller, "refused a command from another user");
        return Ok(());
    }
    let (read, mut write) = stream.split();
    let mut line = String::new();
    let mut limited = BufReader::new(read).take(MAX_COMMAND_BYTES);
    let read = tokio::time::timeout(COMMAND_WITHIN, limited.read_line(&mut line)).await;
    let answer = match read {
        Ok(Ok(_)) if line.ends_with('\n') => carry_out(&app, &line).await,
        Ok(Ok(_)) => refuse("command_too_long", "the command is too long or incomplete"),
        Ok(Err(error)) => return Err(error),
        Err(_) => refuse("timeout", "the command took too long to arrive"),
    };
    let mut text = serde_json::to_vec(&answer)?;
    text.push(b'\n');
    write.write_all(&text).await?;
    write.shutdown().await
}

fn refuse(code: &str, message: &str) -> Answer {
    Answer::Error { code: code.to_owned(), message: message.to_owned() }
}

async fn carry_out(app: &App, line: &str) -> Answer {
    let command: AdminCommand = match serde_json::from_str(line) {
        Ok(command) => command,
        // Without the error's text, which may quote a secret.
        Err(_) => {
            return refuse(
                "command_unknown",
                "the server does not know this command; is it another version?",
            );
        }
    };
    let name = name(&command);
    match app.admin(command).await {
        Ok(value) => {
            tracing::info!(command = name, "carried out a command");
            Answer::Ok(value)
        }
        Err(error) => {
            tracing::info!(command = name, error = %error, "refused a command");
            let (code, message) = describe(&error);
            Answer::Error { code, message }
        }
    }
}

/// The command without its fields.
fn name(command: &AdminCommand) -> String {
    format!("{command:?}").chars().take_while(char::is_ascii_alphanumeric).collect()
}

/// An error for operators: they may know the cause.
pub(crate) fn describe(error: &AppError) -> (String, String) {
    let code = match error {
        AppError::Unauthenticated(_) => "unauthenticated",
        AppError::MissingScopes(_) => "scope_missing",
        AppError::NotFound(_) => "not_found",
        AppError::Forbidden { code, .. }
        | AppError::Invalid { code, .. }
        | AppError::Unprocessable { code, .. }
        | AppError::Conflict { code, .. } => code,
        AppError::TooLarge { .. } => "body_too_large",
        AppError::RateLimited { .. } => "rate_limited",
        AppError::Unavailable(_) => "unavailable",
        AppError::Internal(_) => "internal",
    };
    let mut message = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        message = format!("{message}: {error}");
        cause = error.source();
    }
    (code.to_owned(), message)
}

/// Hands a command to the server that runs on a folder; none if none listens there.
pub(crate) async fn send(folder: &Path, command: &AdminCommand) -> anyhow::Result<Option<Value>> {
    let connected = at_socket(folder, |path| std::os::unix::net::UnixStream::connect(path));
    let stream = match connected {
        Ok(stream) => stream,
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused) => {
            return Ok(None);
        }
        Err(error) => return Err(error).context("cannot reach the running server"),
    };
    stream.set_nonblocking(true)?;
    let mut stream = UnixStream::from_std(stream)?;
    let mut line = serde_json::to_vec(command)?;
    line.push(b'\n');
    if line.len() as u64 > MAX_COMMAND_BYTES {
        bail!("the command is too long");
    }
    let exchange = async {
        stream.write_all(&line).await?;
        let mut answer = String::new();
        BufReader::new(stream).take(MAX_ANSWER_BYTES).read_to_string(&mut answer).await?;
        Ok::<_, io::Error>(answer)
    };
    let answer = tokio::time::timeout(ANSWER_WITHIN, exchange)
        .await
        .context("the running server does not answer")?
        .context("the running server hung up")?;
    if answer.is_empty() {
        bail!("the running server refused the connection: it runs as another user");
    }
    match serde_json::from_str(&answer).context("the running server answered in another language")? {
        Answer::Ok(value) => Ok(Some(value)),
        Answer::Error { code, message } => bail!("{message} ({code})"),
    }
}
