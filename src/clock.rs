//! Two kinds of time: wall clock times, which may step, and a clock that never does.

use std::time::Instant;

/// Wall clock times may be this much further ahead than their lifetime, in milliseconds. A request
/// reads the clock once and may then wait for seconds, and instances that share responses have
/// different clocks.
const SLACK_MS: u64 = 10_000;

/// Whether a time that was set to `lifetime_ms` after the present is still in the future.
///
/// A time that is much further ahead was set before the clock stepped back, so it counts as past.
pub fn is_ahead(until_ms: u64, now_ms: u64, lifetime_ms: u64) -> bool {
    (1..=lifetime_ms.saturating_add(SLACK_MS)).contains(&until_ms.saturating_sub(now_ms))
}

/// What a clock shows at its start, so that times of a day before it are numbers too.
const START_MS: u64 = 24 * 3600 * 1000;

/// Milliseconds on a clock that never steps, and that has no relation to other clocks.
#[derive(Clone, Copy)]
pub struct MonotonicClock(Instant);

impl MonotonicClock {
    pub fn start() -> Self {
        Self(Instant::now())
    }

    pub fn now_ms(self) -> u64 {
        START_MS + self.0.elapsed().as_millis() as u64
    }
}

/// A time as epoch milliseconds.
pub fn epoch_ms(now: chrono::DateTime<chrono::Utc>) -> u64 {
    now.timestamp_millis().unsigned_abs()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lifetime_of_200_ms_ends_after_200_ms_or_when_the_clock_steps_back() {
        let set_ms = 100_000;
        let until_ms = 100_200;
        for (now_ms, expected) in [
            (set_ms, true),
            (until_ms - 1, true),
            (until_ms, false),
            (set_ms + 3_600_000, false),
            (set_ms - SLACK_MS, true),
            (set_ms - SLACK_MS - 1, false),
            (0, false),
        ] {
            assert_eq!(is_ahead(until_ms, now_ms, 200), expected, "at {now_ms} ms");
        }
    }
}
