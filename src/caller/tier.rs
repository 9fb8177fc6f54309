//! Classes of service.

use std::fmt;
use std::str::FromStr;

/// A class of service. Tiers live in the database, so that an operator changes one without a
/// deploy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tier {
    pub name: String,
    /// Requests in any trailing 60 seconds, 1 to [`REQUESTS_PER_MINUTE_MAX`].
    pub requests_per_minute: u32,
}

/// The largest limit of a tier: what the windows are built for.
pub const REQUESTS_PER_MINUTE_MAX: u32 = 10_000_000;
const NAME_CHARS_MAX: usize = 32;

/// The name of a tier, which may exist or not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TierName(String);

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected the name of a tier: a-z, then up to {} of a-z 0-9 _ -", NAME_CHARS_MAX - 1)]
pub struct TierNameError;

/// Requests in any trailing 60 seconds, 1 to [`REQUESTS_PER_MINUTE_MAX`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct RequestsPerMinute(u32);

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected a whole number from 1 to {REQUESTS_PER_MINUTE_MAX}")]
pub struct RequestsPerMinuteError;

impl TierName {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for TierName {
    type Err = TierNameError;

    fn from_str(text: &str) -> Result<Self, TierNameError> {
        let rest = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_' || b == b'-';
        let fits = text.starts_with(|c: char| c.is_ascii_lowercase()) && text.bytes().all(rest);
        if fits && text.len() <= NAME_CHARS_MAX {
            Ok(Self(text.to_owned()))
        } else {
            Err(TierNameError)
        }
    }
}

impl fmt::Display for TierName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl RequestsPerMinute {
    pub fn new(number: u32) -> Result<Self, RequestsPerMinuteError> {
        if (1..=REQUESTS_PER_MINUTE_MAX).contains(&number) {
            Ok(Self(number))
        } else {
            Err(RequestsPerMinuteError)
        }
    }

    pub fn get(self) -> u32 {
        self.0
    }
}

impl FromStr for RequestsPerMinute {
    type Err = RequestsPerMinuteError;

    fn from_str(text: &str) -> Result<Self, RequestsPerMinuteError> {
        text.parse().map_err(|_| RequestsPerMinuteError).and_then(Self::new)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn names_are_those_that_the_table_takes() {
        let longest = "a".repeat(32);
        for name in ["free", "a", "a-b_9", &longest] {
            assert_eq!(name.parse::<TierName>().unwrap().as_str(), name);
        }
        for name in ["", "9a", "Free", "a b", "é", "-a", &format!("{longest}a")] {
            assert!(name.parse::<TierName>().is_err(), "{name:?}");
        }
    }

    #[test]
    fn limits_are_those_that_the_table_takes() {
        for number in ["1", "10000000"] {
            assert_eq!(number.parse::<RequestsPerMinute>().unwrap().get().to_string(), number);
        }
        for number in ["0", "10000001", "-1", "1.5", "many", ""] {
            assert!(number.parse::<RequestsPerMinute>().is_err(), "{number:?}");
        }
    }

    proptest! {
        #[test]
        fn what_is_taken_is_written_as_it_was_read(name in "[a-zA-Z0-9_ -]{0,40}|.{0,5}", number: u32) {
            if let Ok(read) = name.parse::<TierName>() {
                prop_assert_eq!(read.to_string(), name);
            }
            let limit = number.to_string().parse::<RequestsPerMinute>();
            prop_assert_eq!(limit.ok().map(RequestsPerMinute::get), RequestsPerMinute::new(number).ok().map(|_| number));
        }
    }
}
