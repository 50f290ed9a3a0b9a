//! What a run found.

use serde::Serialize;

/// Failing answers kept word for word, to show what went wrong.
const SAMPLES: usize = 3;
const SAMPLE_BYTES: usize = 400;

/// The one JSON object that `load` prints. Latencies are in microseconds.
#[derive(Serialize)]
pub(crate) struct Report {
    /// Requests answered as expected within the window.
    pub(crate) requests: u64,
    /// Answers with another status, broken answers and lost connections, warm-up included.
    pub(crate) failures: u64,
    pub(crate) failure_samples: Vec<String>,
    pub(crate) seconds: f64,
    pub(crate) requests_per_sec: f64,
    pub(crate) p50_us: u64,
    pub(crate) p99_us: u64,
    pub(crate) max_us: u64,
    /// Server CPU microseconds per request.
    pub(crate) cpu_us: Option<f64>,
    /// Share of one core that the server used.
    pub(crate) server_busy: Option<f64>,
    /// Share of one core that the load generator used; near 1, it is what was measured.
    pub(crate) load_busy: f64,
}

#[derive(Default)]
pub(crate) struct Failures {
    pub(crate) count: u64,
    pub(crate) samples: Vec<String>,
}

impl Failures {
    pub(crate) fn note(&mut self, what: &str) {
        self.count += 1;
        if self.samples.len() < SAMPLES {
            self.samples.push(what.chars().take(SAMPLE_BYTES).collect());
        }
    }
}
