//! `hallpass dev` as a child process.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use serde_json::Value;

/// A running server, stopped when this is dropped.
pub struct Hallpass {
    child: Child,
    ready: Value,
}

/// Somebody who can sign in.
pub struct Person {
    /// `user_…`.
    pub id: String,
    /// Their address.
    pub email: String,
    /// Their password.
    pub password: String,
}

impl Hallpass {
    /// Starts `hallpass dev --port 0`; the binary is `HALLPASS_BIN` or `target/debug/hallpass`.
    ///
    /// # Panics
    /// If it does not become ready.
    pub fn start() -> Self {
        let built = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/debug/hallpass");
        let binary = std::env::var_os("HALLPASS_BIN").map_or(built, Into::into);
        let mut child = Command::new(&binary)
            .args(["dev", "--port", "0"])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap_or_else(|error| panic!("{}: {error}", binary.display()));
        let mut line = String::new();
        let stdout = child.stdout.take().expect("it is piped");
        BufReader::new(stdout).read_line(&mut line).expect("its first line");
        // Made before the line is read, so that a child that says nonsense is stopped too.
        let mut hallpass = Self { child, ready: Value::Null };
        hallpass.ready = serde_json::from_str(&line).expect("the ready line");
        hallpass
    }

    /// A text of the ready line, by its pointer.
    ///
    /// # Panics
    /// If it has none.
    pub fn text(&self, pointer: &str) -> String {
        let found = self.ready.pointer(pointer).and_then(Value::as_str);
        found.unwrap_or_else(|| panic!("no {pointer} in {}", self.ready)).to_owned()
    }

    /// A demo user.
    ///
    /// # Panics
    /// If there is none of that name.
    pub fn person(&self, username: &str) -> Person {
        let users = self.ready["users"].as_array().expect("users");
        let at = users.iter().position(|user| user["username"] == username).expect("a demo user");
        let text = |name: &str| self.text(&format!("/users/{at}/{name}"));
        Person { id: text("id"), email: text("email"), password: text("password") }
    }
}

impl Drop for Hallpass {
    fn drop(&mut self) {
        // One that has ended by itself cannot be killed, and need not be.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
