//! A real PostgreSQL for tests: Debian's packages, a temporary folder, a Unix socket.
//!
//! One server serves a whole test process; each test takes its own [`fresh_database`]. The server
//! ends, and its folder goes, when the process that started it does — returning, panicking or
//! killed: a supervising shell holds the reading end of a pipe whose writing end only we hold, and
//! the kernel closes it for us.
//!
//! Only `std` is used, and nothing here is async, so that any crate's tests may include this file.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

/// How long a server may take to accept connections.
const START_DEADLINE: Duration = Duration::from_mins(2);

/// Keeps a server until standard input closes, then ends it and clears up. Takes the folder, the
/// programs' folder, how to become somebody else (words, perhaps none), and the server's settings.
///
/// `QUIT` is PostgreSQL's quickest shutdown that leaves nothing behind. It is said until it is heard:
/// a server that is only just starting may still be deaf.
const SUPERVISE: &str = r#"
folder=$1 bin=$2 become=$3; shift 3
exec >"$folder/log" 2>&1
if $become "$bin/initdb" --no-sync -U postgres -A trust -E UTF8 --locale=C.UTF-8 \
    --locale-provider=icu --icu-locale=en-US -D "$folder/data" </dev/null
then
    $become "$bin/postgres" -D "$folder/data" -k "$folder" "$@" </dev/null &
    cat >/dev/null
    while kill -QUIT $! 2>/dev/null; do sleep 0.02; done
else
    : >"$folder/failed"
    cat >/dev/null
fi
rm -rf "$folder"
"#;

/// A new, empty database on the server that this test process shares: UTF-8, and ordered by a
/// language's rules, so that a statement which relies on byte order without saying so fails.
/// Nothing is ever synced to disk.
///
/// # Panics
/// If PostgreSQL is not installed or does not start.
pub fn fresh_database() -> String {
    Server::shared().fresh_database()
}

/// As [`fresh_database`], on a server that syncs every commit: for tests that kill something.
///
/// # Panics
/// If PostgreSQL is not installed or does not start.
pub fn fresh_durable_database() -> String {
    Server::durable().fresh_database()
}

/// A running server. Dropping it ends it.
#[derive(Debug)]
pub struct Server {
    bin: PathBuf,
    folder: PathBuf,
    settings: Vec<&'static str>,
    databases: AtomicU32,
    supervisor: Child,
    /// Once it was [killed](Self::kill) and started again.
    again: Option<Child>,
}

impl Server {
    /// The server of this process that is fast and forgets everything in a crash.
    pub fn shared() -> &'static Self {
        static SHARED: OnceLock<Server> = OnceLock::new();
        SHARED.get_or_init(|| Self::start(false))
    }

    /// The server of this process that is as durable as PostgreSQL is.
    pub fn durable() -> &'static Self {
        static DURABLE: OnceLock<Server> = OnceLock::new();
        DURABLE.get_or_init(|| Self::start(true))
    }

    /// Starts a server.
    ///
    /// # Panics
    /// If PostgreSQL is not installed or does not start.
    pub fn start(durable: bool) -> Self {
        static STARTED: AtomicU32 = AtomicU32::new(0);
        let bin = find_binaries();
        let folder = std::env::temp_dir().join(format!(
            "hallpass-pg-{}-{}",
            std::process::id(),
            STARTED.fetch_add(1, Ordering::Relaxed)
        ));
        // Left by a process of the same number that was killed together with its supervisor.
        drop(fs::remove_dir_all(&folder));
        fs::create_dir(&folder).expect("the temporary folder can be written");
        fs::set_permissions(&folder, fs::Permissions::from_mode(0o755)).expect("the folder is ours");
        let mut settings = vec![
            "listen_addresses=",
            "max_connections=300",
            "shared_buffers=64MB",
            // Files of the folder rather than of /dev/shm: nothing stays behind.
            "dynamic_shared_memory_type=mmap",
            "deadlock_timeout=100ms",
            "jit=off",
        ];
        if !durable {
            settings.extend(["fsync=off", "synchronous_commit=off", "full_page_writes=off"]);
        }
        let supervisor = Command::new("sh")
            .args(["-c", SUPERVISE, "supervise"])
            .args([folder.as_os_str(), bin.as_os_str(), unprivileged(&folder).as_ref()])
            .args(settings.iter().flat_map(|setting| ["-c", setting]))
            .current_dir(&folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            // Not the terminal's group: Ctrl-C ends us, and the closing pipe ends the server.
            .process_group(0)
            .spawn()
            .expect("sh runs");
        let server = Self { bin, folder, settings, databases: AtomicU32::new(0), supervisor, again: None };
        server.wait_until_ready();
        server
    }

    /// A new, empty database; its URL.
    ///
    /// # Panics
    /// If the server is gone.
    pub fn fresh_database(&self) -> String {
        let name = format!("test_{}", self.databases.fetch_add(1, Ordering::Relaxed));
        run(&[
            self.bin.join("createdb").into(),
            "-h".into(),
            self.folder.clone().into(),
            "-U".into(),
            "postgres".into(),
            "-T".into(),
            "template0".into(),
            "-E".into(),
            "UTF8".into(),
            name.clone().into(),
        ]);
        format!("postgres://postgres@localhost/{name}?host={}", self.folder.display())
    }

    /// The folder of PostgreSQL's programs, for `pgbench` and `psql`.
    pub fn bin(&self) -> &Path {
        &self.bin
    }

    /// The folder of the server's socket.
    pub fn socket_folder(&self) -> &Path {
        &self.folder
    }

    /// `kill -9`: the server and, as they notice, all its processes are gone.
    ///
    /// # Panics
    /// If it does not run.
    pub fn kill(&mut self) {
        let pid = fs::read_to_string(self.folder.join("data/postmaster.pid")).expect("it runs");
        run(&["kill".into(), "-9".into(), pid.lines().next().unwrap_or_default().into()]);
        if let Some(mut again) = self.again.take() {
            again.wait().expect("it is ours");
        }
    }

    /// Starts it on what a [`kill`](Self::kill) left.
    ///
    /// # Panics
    /// If it does not start.
    pub fn start_again(&mut self) {
        // While processes of the old one linger it refuses; each attempt is one of its own.
        let deadline = Instant::now() + START_DEADLINE;
        while self.again.is_none() {
            let become_somebody: Vec<&str> = unprivileged(&self.folder).split_whitespace().collect();
            let server = self.bin.join("postgres");
            let mut command = match become_somebody.split_first() {
                Some((first, rest)) => {
                    let mut command = Command::new(first);
                    command.args(rest).arg(server);
                    command
                }
                None => Command::new(server),
            };
            let mut child = command
                .arg("-D")
                .arg(self.folder.join("data"))
                .arg("-k")
                .arg(&self.folder)
                .args(self.settings.iter().flat_map(|setting| ["-c", setting]))
                .current_dir(&self.folder)
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .process_group(0)
                .spawn()
                .expect("postgres runs");
            let mut ready = Command::new(self.bin.join("pg_isready"));
            ready.args(["-q", "-U", "postgres", "-d", "postgres", "-h"]).arg(&self.folder);
            loop {
                assert!(Instant::now() < deadline, "PostgreSQL did not start again");
                if child.try_wait().expect("it is ours").is_some() {
                    break;
                }
                if ready.status().expect("pg_isready runs").success() {
                    self.again = Some(child);
                    break;
                }
            }
        }
    }

    fn wait_until_ready(&self) {
        let deadline = Instant::now() + START_DEADLINE;
        let mut ready = Command::new(self.bin.join("pg_isready"));
        ready.args(["-q", "-U", "postgres", "-d", "postgres", "-h"]).arg(&self.folder);
        // Each attempt is a process of its own, which paces the loop.
        while !ready.status().expect("pg_isready runs").success() {
            let failed = self.folder.join("failed").exists();
            assert!(
                !failed && Instant::now() < deadline,
                "PostgreSQL did not start:\n{}",
                fs::read_to_string(self.folder.join("log")).unwrap_or_default()
            );
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(mut again) = self.again.take() {
            run(&["kill".into(), "-QUIT".into(), again.id().to_string().into()]);
            drop(again.wait());
        }
        drop(self.supervisor.stdin.take());
        drop(self.supervisor.wait());
    }
}

/// The newest installed version's programs.
fn find_binaries() -> PathBuf {
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let newest =
        versions.map(|version| version.path()).filter(|path| path.join("bin/postgres").exists()).max_by_key(
            |path| path.file_name().and_then(OsStr::to_str).and_then(|name| name.parse::<u32>().ok()),
        );
    match newest {
        Some(path) => path.join("bin"),
        None => panic!(
            "PostgreSQL is not installed: no /usr/lib/postgresql/*/bin/postgres. \
             Install it with: apt-get update && apt-get install -y postgresql"
        ),
    }
}

/// How to become somebody who may run PostgreSQL, which root may not; gives them the folder.
fn unprivileged(folder: &Path) -> &'static str {
    if number(&["id", "-u"]) != 0 {
        return "";
    }
    let (uid, gid) = (number(&["id", "-u", "postgres"]), number(&["id", "-g", "postgres"]));
    chown(folder, Some(uid), Some(gid)).expect("root may give a folder away");
    "setpriv --reuid=postgres --regid=postgres --clear-groups --inh-caps=-all --"
}

fn number(command: &[&str]) -> u32 {
    let output = Command::new(command[0]).args(&command[1..]).output().expect("id runs");
    String::from_utf8_lossy(&output.stdout)
        .trim()
        .parse()
        .unwrap_or_else(|_| panic!("{} names no user; install the package postgresql", command.join(" ")))
}

fn run(command: &[OsString]) {
    let output = Command::new(&command[0])
        .args(&command[1..])
        .current_dir("/")
        .stdin(Stdio::null())
        .output()
        .unwrap_or_else(|error| panic!("{}: {error}", command[0].display()));
    assert!(
        output.status.success(),
        "{} failed: {}",
        command[0].display(),
        String::from_utf8_lossy(&output.stderr)
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn databases_are_apart_and_end_with_their_server() {
        let server = Server::start(false);
        let (one, two) = (server.fresh_database(), server.fresh_database());
        assert_ne!(one, two);
        let ask = |url: &str, sql: &str| {
            let output =
                Command::new(server.bin().join("psql")).args(["-XAtq", "-c", sql, url]).output().unwrap();
            String::from_utf8(output.stdout).unwrap().trim().to_owned()
        };
        assert_eq!(ask(&one, "CREATE TABLE t (); SELECT COUNT(*) FROM pg_class WHERE relname = 't'"), "1");
        assert_eq!(ask(&two, "SELECT COUNT(*) FROM pg_class WHERE relname = 't'"), "0");
        assert_eq!(ask(&two, "SHOW server_encoding"), "UTF8");
        // Not by bytes.
        assert_eq!(ask(&two, "SELECT 'a' < 'B'"), "t");
        assert_eq!(ask(&two, "SHOW fsync"), "off");
        let folder = server.socket_folder().to_owned();
        let server_process = fs::read_to_string(folder.join("data/postmaster.pid")).unwrap();
        let server_process = Path::new("/proc").join(server_process.lines().next().unwrap());
        assert!(server_process.exists());
        drop(server);
        assert!(!folder.exists() && !server_process.exists());
    }

    #[test]
    fn a_durable_server_syncs() {
        let url = fresh_durable_database();
        let output = Command::new(Server::durable().bin().join("psql"))
            .args([
                "-XAtq",
                "-c",
                "SELECT current_setting('fsync') || current_setting('synchronous_commit')",
                &url,
            ])
            .output()
            .unwrap();
        assert_eq!(String::from_utf8(output.stdout).unwrap().trim(), "onon");
    }
}
