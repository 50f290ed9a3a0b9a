//! The clock and the randomness of this machine: the only place that asks the system for either.

use std::num::NonZeroUsize;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use hallpass_core::{Clock, Entropy};
use jiff::Timestamp;
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

/// The system's clock.
pub(crate) struct SystemClock {
    started: Instant,
}

impl SystemClock {
    pub(crate) fn new() -> Self {
        Self { started: Instant::now() }
    }
}

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is the Clock that everybody else is given")]
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }

    fn monotonic(&self) -> Duration {
        self.started.elapsed()
    }
}

/// The system's randomness.
pub(crate) struct OsEntropy;

impl Entropy for OsEntropy {
    #[expect(clippy::disallowed_methods, reason = "this is the Entropy that everybody else is given")]
    fn fill(&self, dest: &mut [u8]) {
        // Without randomness nothing here is safe to do; since Linux 3.17 it does not fail.
        getrandom::fill(dest).expect("the system gives randomness");
    }
}

/// How many cores there are.
pub(crate) fn cores() -> NonZeroUsize {
    std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN)
}

/// Lets every other thread go first: on Linux a priority is the thread's own.
pub(crate) fn step_back() {
    if let Err(error) = rustix::process::nice(19) {
        tracing::debug!(error = %error, "a thread keeps its priority");
    }
}

/// For `dev --seed`: the same seed draws the same demo ids and secrets. Never used for anything else.
pub(crate) struct SeededEntropy(Mutex<ChaCha20Rng>);

impl SeededEntropy {
    pub(crate) fn new(seed: [u8; 32]) -> Self {
        Self(Mutex::new(ChaCha20Rng::from_seed(seed)))
    }
}

impl Entropy for SeededEntropy {
    fn fill(&self, dest: &mut [u8]) {
        self.0.lock().expect("drawing does not panic").fill_bytes(dest);
    }
}
