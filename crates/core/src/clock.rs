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
///
/// A page of fifty messages formats a hundred times, so the years people use are done by hand
/// (days to a date in the proleptic Gregorian calendar, counted from 1 March).
pub fn wire_time(at: Timestamp) -> String {
    let millis = at.as_millisecond();
    let (days, of_day) = (millis.div_euclid(86_400_000), millis.rem_euclid(86_400_000));
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let of_era = shifted.rem_euclid(146_097);
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    if !(0..=9999).contains(&year) {
        return format!("{at:.3}");
    }
    let mut text = *b"0000-00-00T00:00:00.000Z";
    let mut put = |start: usize, width: usize, mut value: i64| {
        for digit in text[start..start + width].iter_mut().rev() {
            *digit = b'0' + u8::try_from(value % 10).unwrap_or(0);
            value /= 10;
        }
    };
    put(0, 4, year);
    put(5, 2, month);
    put(8, 2, day);
    put(11, 2, of_day / 3_600_000);
    put(14, 2, of_day / 60_000 % 60);
    put(17, 2, of_day / 1000 % 60);
    put(20, 3, of_day % 1000);
    String::from_utf8_lossy(&text).into_owned()
}

/// The time `millis` milliseconds after the Unix epoch.
///
/// # Errors
/// The value itself if no timestamp has it.
pub fn from_millis(millis: i64) -> Result<Timestamp, i64> {
    Timestamp::from_millisecond(millis).map_err(|_| millis)
}

#[cfg(test)]
mod tests {
    use super::*;

    proptest::proptest! {
        #[test]
        fn wire_times_are_what_jiff_prints(millis in -62_135_596_800_000_i64..253_402_300_799_999) {
            let at = from_millis(millis).unwrap();
            proptest::prop_assert_eq!(wire_time(at), format!("{at:.3}"));
        }
    }

    #[test]
    fn wire_time_knows_leap_days() {
        for day in ["2024-02-29", "2000-02-29", "2026-03-01", "1970-01-01", "2100-02-28", "2099-12-31"] {
            let text = format!("{day}T23:59:59.999Z");
            assert_eq!(wire_time(text.parse().unwrap()), text);
        }
    }
}
