//! Time and randomness as values: nothing below the binary reads a clock or the system's randomness.

use jiff::Timestamp;

/// Where the time comes from.
pub trait Clock: Send + Sync {
    /// The time now, UTC.
    fn now(&self) -> Timestamp;

    /// Time since some fixed point, which never goes back and does not jump when the wall clock is set.
    fn monotonic(&self) -> std::time::Duration;
}

/// Where randomness comes from.
pub trait Entropy: Send + Sync {
    /// Fills `dest` with unpredictable bytes.
    fn fill(&self, dest: &mut [u8]);
}

/// Draws `N` random bytes.
pub fn draw<const N: usize>(entropy: &dyn Entropy) -> [u8; N] {
    let mut bytes = [0; N];
    entropy.fill(&mut bytes);
    bytes
}

/// Formats as the wire wants it: ISO 8601 UTC with milliseconds, `2026-01-01T12:00:00.000Z`.
pub fn wire_time(at: Timestamp) -> String {
    format!("{at:.3}")
}

/// The time `millis` milliseconds after the Unix epoch; out of range is clamped to the epoch's day one.
///
/// # Errors
/// The value itself if no timestamp has it.
pub fn from_millis(millis: i64) -> Result<Timestamp, i64> {
    Timestamp::from_millisecond(millis).map_err(|_| millis)
}
