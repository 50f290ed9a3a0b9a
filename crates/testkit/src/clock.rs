//! A clock that stands still until it is told, and randomness that repeats.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use hallpass_core::{Clock, Entropy};
use jiff::{SignedDuration, Timestamp};
use parking_lot::Mutex;
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

/// A wall clock that stands still until advanced. Its monotonic side runs, because freshness of the
/// authority log is about real waiting; it may be made to leap.
pub struct FixedClock {
    millis: AtomicI64,
    started: Instant,
    leapt_nanos: AtomicU64,
}

impl FixedClock {
    /// 2026-01-01T12:00:00Z.
    pub fn new() -> Self {
        Self {
            millis: AtomicI64::new(1_767_268_800_000),
            started: Instant::now(),
            leapt_nanos: AtomicU64::new(0),
        }
    }

    /// Moves the monotonic side ahead.
    pub fn leap(&self, by: Duration) {
        let by = u64::try_from(by.as_nanos()).expect("tests leap by less than an age");
        self.leapt_nanos.fetch_add(by, Ordering::SeqCst);
    }

    /// Moves the wall clock.
    pub fn advance(&self, by: SignedDuration) {
        let by = i64::try_from(by.as_millis()).expect("tests move clocks by less than an age");
        self.millis.fetch_add(by, Ordering::SeqCst);
    }
}

impl Default for FixedClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for FixedClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_millisecond(self.millis.load(Ordering::SeqCst)).expect("within range")
    }
    fn monotonic(&self) -> Duration {
        self.started.elapsed() + Duration::from_nanos(self.leapt_nanos.load(Ordering::SeqCst))
    }
}

/// Randomness from a seed.
pub struct SeededEntropy(Mutex<ChaCha20Rng>);

impl SeededEntropy {
    /// The same numbers for the same seed.
    pub fn new(seed: u64) -> Self {
        Self(Mutex::new(ChaCha20Rng::seed_from_u64(seed)))
    }
}

impl Entropy for SeededEntropy {
    fn fill(&self, dest: &mut [u8]) {
        self.0.lock().fill_bytes(dest);
    }
}
