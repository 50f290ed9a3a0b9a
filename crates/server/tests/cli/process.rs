//! Starts the binary and reads what it says, each within a deadline.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

/// How long anything may take on a busy machine.
pub(crate) const DEADLINE: Duration = Duration::from_mins(1);

/// A running `hallpass`. Killed when dropped.
pub(crate) struct Process {
    pid: Pid,
    stdout: Receiver<String>,
    stderr: Receiver<String>,
    said: Arc<Mutex<String>>,
    ended: Receiver<ExitStatus>,
    is_over: bool,
}

/// How a command ended.
pub(crate) struct Ended {
    pub(crate) status: ExitStatus,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Ended {
    /// Its answer in JSON.
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        assert!(self.status.success(), "{}", self.stderr);
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {}", self.stdout))
    }

    /// Its complaint.
    #[track_caller]
    pub(crate) fn complaint(&self) -> &str {
        assert!(!self.status.success(), "it succeeded: {}", self.stdout);
        &self.stderr
    }
}

/// A command to be started in `folder`, with nothing of this environment that would configure it.
pub(crate) fn hallpass(folder: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_hallpass"));
    command.args(args).current_dir(folder).env_remove("DATABASE_URL");
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("HALLPASS_") {
            command.env_remove(name);
        }
    }
    command
}

/// Runs a command to its end.
pub(crate) fn run(folder: &Path, args: &[&str]) -> Ended {
    finish(&mut hallpass(folder, args), "")
}

/// Runs a command to its end, with `stdin`.
pub(crate) fn finish(command: &mut Command, stdin: &str) -> Ended {
    let mut process = Process::start_with(command, stdin);
    let status = process.wait();
    let stdout = process.stdout.iter().fold(String::new(), |all, line| all + &line + "\n");
    let stderr = process.said_so_far_until_end();
    Ended { status, stdout, stderr }
}

impl Process {
    /// Starts it.
    pub(crate) fn start(command: &mut Command) -> Self {
        Self::start_with(command, "")
    }

    fn start_with(command: &mut Command, stdin: &str) -> Self {
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the binary runs");
        // A command that does not read its input may end before this is written.
        let _unread = child.stdin.take().expect("piped").write_all(stdin.as_bytes());
        let pid = Pid::from_child(&child);
        let said = Arc::new(Mutex::new(String::new()));
        let stdout = lines(child.stdout.take().expect("piped"), None);
        let stderr = lines(child.stderr.take().expect("piped"), Some(Arc::clone(&said)));
        let (end, ended) = channel();
        std::thread::spawn(move || {
            let _nobody_waits = end.send(child.wait().expect("a child can be waited for"));
        });
        Self { pid, stdout, stderr, said, ended, is_over: false }
    }

    /// The next line on stdout.
    #[track_caller]
    pub(crate) fn line(&mut self) -> String {
        match self.stdout.recv_timeout(DEADLINE) {
            Ok(line) => line,
            Err(error) => panic!("no line on stdout ({error}); it said:\n{}", self.said()),
        }
    }

    /// The ready line of `dev`.
    #[track_caller]
    pub(crate) fn ready(&mut self) -> Value {
        let line = self.line();
        serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}"))
    }

    /// Waits for a line on stderr that contains `text`.
    #[track_caller]
    pub(crate) fn says(&mut self, text: &str) -> String {
        let deadline = Instant::now() + DEADLINE;
        loop {
            match self.stderr.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                Ok(line) if line.contains(text) => return line,
                Ok(_) => {}
                Err(error) => panic!("it did not say {text:?} ({error}), but:\n{}", self.said()),
            }
        }
    }

    /// The port of a server, from the line that says where it listens.
    #[track_caller]
    pub(crate) fn port(&mut self) -> u16 {
        let line = self.says("listening on http://127.0.0.1:");
        let rest = line.split("listening on http://127.0.0.1:").nth(1).expect("it contains this");
        let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
        digits.parse().expect("a port follows")
    }

    /// Everything on stderr so far.
    pub(crate) fn said(&self) -> String {
        self.said.lock().unwrap().clone()
    }

    /// Everything on stderr, once it is closed.
    fn said_so_far_until_end(&self) -> String {
        self.stderr.iter().for_each(drop);
        self.said()
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(self.pid, signal).expect("it runs");
    }

    /// Waits for its end.
    #[track_caller]
    pub(crate) fn wait(&mut self) -> ExitStatus {
        match self.ended.recv_timeout(DEADLINE) {
            Ok(status) => {
                self.is_over = true;
                status
            }
            Err(error) => panic!("it did not end ({error}); it said:\n{}", self.said()),
        }
    }

    /// Stops a server as an operator would; everything it said.
    #[track_caller]
    pub(crate) fn stop(mut self) -> String {
        self.signal(Signal::TERM);
        let status = self.wait();
        let said = self.said_so_far_until_end();
        assert!(status.success(), "{status}: {said}");
        said
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if !self.is_over {
            // Ended between the question and the answer.
            let _gone = kill_process(self.pid, Signal::KILL);
        }
    }
}

fn lines(from: impl std::io::Read + Send + 'static, copy: Option<Arc<Mutex<String>>>) -> Receiver<String> {
    let (send, lines) = channel();
    std::thread::spawn(move || {
        for line in BufReader::new(from).lines().map_while(Result::ok) {
            if let Some(copy) = &copy {
                let mut copy = copy.lock().unwrap();
                copy.push_str(&line);
                copy.push('\n');
            }
            let _nobody_reads = send.send(line);
        }
    });
    lines
}

/// One request on a connection of its own: status and body.
pub(crate) fn request(
    port: u16,
    method: &str,
    path: &str,
    bearer: Option<&str>,
    body: Option<&Value>,
) -> (u16, String) {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).expect("the server listens");
    stream.set_read_timeout(Some(DEADLINE)).unwrap();
    let authorization = bearer.map_or(String::new(), |bearer| format!("authorization: Bearer {bearer}\r\n"));
    let body = body.map_or(String::new(), Value::to_string);
    let head = format!(
        "{method} {path} HTTP/1.1\r\nhost: 127.0.0.1:{port}\r\nconnection: close\r\n{authorization}\
         content-type: application/json\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all((head + &body).as_bytes()).expect("the server reads");
    answer(&mut stream)
}

/// Reads an answer to the end of its connection.
pub(crate) fn answer(stream: &mut TcpStream) -> (u16, String) {
    let mut text = String::new();
    stream.read_to_string(&mut text).expect("the server answers");
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no answer: {text:?}"));
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status line");
    (status, body.to_owned())
}

/// Mints a token.
#[track_caller]
pub(crate) fn mint(port: u16, key: &str, company: &Value, user: &Value) -> String {
    let body = serde_json::json!({"company_id": company, "user_id": user});
    let (status, answer) = request(port, "POST", "/api/v1/access_tokens", Some(key), Some(&body));
    assert_eq!(status, 200, "{answer}");
    let answer: Value = serde_json::from_str(&answer).unwrap();
    answer["token"].as_str().expect("a token").to_owned()
}

/// Asks who the token's user is: 200 while it works.
pub(crate) fn me(port: u16, token: &str) -> u16 {
    request(port, "GET", "/api/v1/users/me", Some(token), None).0
}
