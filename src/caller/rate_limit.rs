//! The limit of a tier: so many requests in any trailing window.
//!
//! The validity rules equal the constraints of the table `tiers`.

use std::fmt;

/// How many requests a key may send in any trailing window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RateLimit {
    /// For a tier, 1 to [`REQUESTS_MAX`].
    pub requests: u32,
    /// The length of the window. For a tier, [`WINDOW_S_MIN`] to [`WINDOW_S_MAX`].
    pub window_s: u32,
}

/// The largest limit of a tier. The counters of the limiter are sized for it.
pub const REQUESTS_MAX: u32 = 10_000_000;
/// The shortest window of a tier. Permits of a lease can count for a second too long, which is a
/// large part of a shorter window.
pub const WINDOW_S_MIN: u32 = 10;
/// The longest window of a tier. Every window remembers requests for this long.
pub const WINDOW_S_MAX: u32 = HOUR_S;
pub const MINUTE_S: u32 = 60;
pub const HOUR_S: u32 = 3600;

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RateLimitError {
    #[error("expected a whole number from 1 to {REQUESTS_MAX}")]
    Requests,
    #[error("expected a whole number of seconds from {WINDOW_S_MIN} to {WINDOW_S_MAX}")]
    Window,
}

impl RateLimit {
    /// # Errors
    /// If `requests` or `window_s` is out of range.
    pub fn new(requests: u32, window_s: u32) -> Result<Self, RateLimitError> {
        if !(1..=REQUESTS_MAX).contains(&requests) {
            Err(RateLimitError::Requests)
        } else if !(WINDOW_S_MIN..=WINDOW_S_MAX).contains(&window_s) {
            Err(RateLimitError::Window)
        } else {
            Ok(Self { requests, window_s })
        }
    }

    pub const fn per_minute(requests: u32) -> Self {
        Self { requests, window_s: MINUTE_S }
    }

    /// The number of requests, if the window is a minute.
    pub fn requests_per_minute(self) -> Option<u32> {
        (self.window_s == MINUTE_S).then_some(self.requests)
    }

    /// Whether a key may lose requests if its limit changes from `self` to `new`: it gets fewer in
    /// its window, or fewer in the long run.
    pub fn loses_by(self, new: Self) -> bool {
        let in_an_hour = |limit: Self| u64::from(limit.requests) * u64::from(HOUR_S);
        let rate = |of: Self, other: Self| in_an_hour(of) * u64::from(other.window_s);
        new.requests < self.requests || rate(new, self) < rate(self, new)
    }
}

/// The requests that a text names.
///
/// # Errors
/// [`RateLimitError::Requests`].
pub fn parse_requests(text: &str) -> Result<u32, RateLimitError> {
    let requests = text.parse().map_err(|_| RateLimitError::Requests)?;
    RateLimit::new(requests, MINUTE_S).map(|limit| limit.requests)
}

/// The window that a text names, in seconds.
///
/// # Errors
/// [`RateLimitError::Window`].
pub fn parse_window_s(text: &str) -> Result<u32, RateLimitError> {
    let window_s = text.parse().map_err(|_| RateLimitError::Window)?;
    RateLimit::new(1, window_s).map(|limit| limit.window_s)
}

/// `100 requests a minute`, `100 requests an hour`, or `100 requests in 10 s`.
impl fmt::Display for RateLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} requests ", self.requests)?;
        match self.window_s {
            MINUTE_S => f.write_str("a minute"),
            HOUR_S => f.write_str("an hour"),
            window_s => write!(f, "in {window_s} s"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn valid_limits_are_those_that_the_table_accepts() {
        for requests in ["1", "10000000"] {
            assert_eq!(parse_requests(requests).unwrap().to_string(), requests);
        }
        for requests in ["0", "10000001", "-1", "1.5", "many", ""] {
            assert_eq!(parse_requests(requests), Err(RateLimitError::Requests), "{requests:?}");
        }
        for window_s in ["10", "60", "3600"] {
            assert_eq!(parse_window_s(window_s).unwrap().to_string(), window_s);
        }
        for window_s in ["0", "9", "3601", "-10", "10s", ""] {
            assert_eq!(parse_window_s(window_s), Err(RateLimitError::Window), "{window_s:?}");
        }
    }

    #[test]
    fn limits_are_compared_by_their_requests_and_by_their_rate() {
        let limit = |requests, window_s| RateLimit { requests, window_s };
        for (old, new, loses) in [
            (limit(100, 60), limit(100, 60), false),
            (limit(100, 60), limit(99, 60), true),
            (limit(100, 60), limit(101, 60), false),
            // The same number in a longer window.
            (limit(100, 60), limit(100, 61), true),
            // A higher rate, but a smaller burst.
            (limit(100, 60), limit(50, 10), true),
            // A larger burst, but a lower rate.
            (limit(100, 60), limit(200, 3600), true),
            (limit(100, 60), limit(100, 10), false),
            (limit(100, 60), limit(6000, 3600), false),
            (limit(REQUESTS_MAX, 3600), limit(REQUESTS_MAX, 10), false),
        ] {
            assert_eq!(old.loses_by(new), loses, "{old} to {new}");
        }
    }

    proptest! {
        #[test]
        fn a_limit_is_valid_exactly_within_its_ranges(requests: u32, window_s in 0u32..4000) {
            let is_valid = (1..=10_000_000).contains(&requests) && (10..=3600).contains(&window_s);
            prop_assert_eq!(RateLimit::new(requests, window_s).is_ok(), is_valid);
        }
    }
}
