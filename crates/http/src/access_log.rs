//! One JSON line a request, to stderr.
//!
//! A request only formats its line into a buffer; a thread writes the buffer out every fifth of a
//! second, or when it has grown. No query strings (they may hold names), no bodies, no credentials.

use std::fmt::Write as _;
use std::io::Write as _;
use std::sync::Arc;
use std::time::Duration;

use metrics::Counter;
use parking_lot::{Condvar, Mutex};

const WRITE_EVERY: Duration = Duration::from_millis(200);
const WRITE_AT_BYTES: usize = 64 << 10;
/// Beyond this, lines are dropped rather than memory filled: stderr does not drain.
const MAX_BYTES: usize = 8 << 20;

pub(crate) struct AccessLog {
    shared: Option<Arc<Buffer>>,
    dropped: Counter,
}

struct Buffer {
    lines: Mutex<State>,
    grown: Condvar,
}

#[derive(Default)]
struct State {
    text: String,
    dropped: u64,
    closed: bool,
}

/// What a line says.
pub(crate) struct Line<'a> {
    pub(crate) at_ms: i64,
    pub(crate) request_id: &'a str,
    pub(crate) method: &'a str,
    pub(crate) operation: &'a str,
    pub(crate) status: u16,
    pub(crate) duration_us: u128,
    pub(crate) caller: &'a str,
    pub(crate) address: std::net::IpAddr,
}

impl AccessLog {
    pub(crate) fn new(on: bool) -> Self {
        let dropped = metrics::counter!("hallpass_log_lines_dropped_total");
        if !on {
            return Self { shared: None, dropped };
        }
        let shared = Arc::new(Buffer { lines: Mutex::default(), grown: Condvar::new() });
        let writer = Arc::clone(&shared);
        let spawned = std::thread::Builder::new()
            .name("access-log".to_owned())
            .stack_size(64 << 10)
            .spawn(move || writer.write_out());
        if let Err(error) = spawned {
            tracing::error!(error = %error, "no thread for the access log; it is off");
            return Self { shared: None, dropped };
        }
        Self { shared: Some(shared), dropped }
    }

    pub(crate) fn write(&self, line: &Line<'_>) {
        let Some(shared) = &self.shared else { return };
        let mut state = shared.lines.lock();
        if state.text.len() > MAX_BYTES {
            state.dropped += 1;
            self.dropped.increment(1);
            return;
        }
        // Ids, names of operations and methods need no escaping.
        let written = writeln!(
            state.text,
            "{{\"log\":\"access\",\"at_ms\":{},\"request_id\":\"{}\",\"method\":\"{}\",\"operation\":\"{}\",\"status\":{},\"duration_us\":{},\"caller\":\"{}\",\"address\":\"{}\"}}",
            line.at_ms,
            line.request_id,
            line.method,
            line.operation,
            line.status,
            line.duration_us,
            line.caller,
            line.address
        );
        debug_assert!(written.is_ok(), "writing to a String does not fail");
        if state.text.len() > WRITE_AT_BYTES {
            shared.grown.notify_one();
        }
    }
}

impl Drop for AccessLog {
    fn drop(&mut self) {
        if let Some(shared) = &self.shared {
            shared.lines.lock().closed = true;
            shared.grown.notify_one();
        }
    }
}

impl Buffer {
    fn write_out(&self) {
        let mut text = String::new();
        loop {
            let closed = {
                let mut state = self.lines.lock();
                if state.text.len() < WRITE_AT_BYTES && !state.closed {
                    self.grown.wait_for(&mut state, WRITE_EVERY);
                }
                std::mem::swap(&mut text, &mut state.text);
                if state.dropped > 0 {
                    let _infallible = writeln!(text, "{{\"log\":\"access\",\"dropped\":{}}}", state.dropped);
                    state.dropped = 0;
                }
                state.closed
            };
            if !text.is_empty() {
                // Nowhere to report that stderr is gone.
                let _gone = std::io::stderr().lock().write_all(text.as_bytes());
                text.clear();
            }
            if closed {
                return;
            }
        }
    }
}
