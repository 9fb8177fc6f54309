//! Times that are kept, by a clock that may step.

/// How much further ahead a time may be than it was ever set, in milliseconds: a request looks at
/// its clock once and may then wait for seconds, and instances that share answers have clocks of
/// their own.
const SLACK_MS: u64 = 10_000;

/// Whether a time that was set `span_ms` ahead is still to come. One that is much further ahead
/// than that was set before the clock stepped back: it is no time to wait for.
pub fn is_ahead(until_ms: u64, now_ms: u64, span_ms: u64) -> bool {
    (1..=span_ms.saturating_add(SLACK_MS)).contains(&until_ms.saturating_sub(now_ms))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_lasts_for_200_ms_has_ended_after_them_and_after_a_step_back() {
        let (set_ms, until_ms) = (100_000, 100_200);
        for (now_ms, lasts) in [
            (set_ms, true),
            (until_ms - 1, true),
            (until_ms, false),
            (set_ms + 3_600_000, false),
            (set_ms - SLACK_MS, true),
            (set_ms - SLACK_MS - 1, false),
            (0, false),
        ] {
            assert_eq!(is_ahead(until_ms, now_ms, 200), lasts, "{now_ms}");
        }
    }
}
