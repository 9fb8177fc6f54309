//! Tiers: classes of service, each with a request limit.
//!
//! The validity rules equal the constraints of the table `tiers`.

use std::fmt;
use std::str::FromStr;

use super::RateLimit;

/// A class of service. Tiers are rows of a table, so operators change them without a deployment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tier {
    pub name: String,
    pub limit: RateLimit,
}

const NAME_CHARS_MAX: usize = 32;

/// A valid name of a tier, which need not exist.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TierName(String);

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected the name of a tier: a-z, then up to {} of a-z 0-9 _ -", NAME_CHARS_MAX - 1)]
pub struct TierNameError;

impl TierName {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for TierName {
    type Err = TierNameError;

    fn from_str(text: &str) -> Result<Self, TierNameError> {
        let is_allowed = |b: u8| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'_' | b'-');
        let starts_with_letter = text.starts_with(|c: char| c.is_ascii_lowercase());
        if starts_with_letter && text.bytes().all(is_allowed) && text.len() <= NAME_CHARS_MAX {
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

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn valid_names_are_those_that_the_table_accepts() {
        let longest = "a".repeat(32);
        for name in ["free", "a", "a-b_9", &longest] {
            assert_eq!(name.parse::<TierName>().unwrap().as_str(), name);
        }
        for name in ["", "9a", "Free", "a b", "é", "-a", &format!("{longest}a")] {
            assert!(name.parse::<TierName>().is_err(), "{name:?}");
        }
    }

    proptest! {
        #[test]
        fn parsed_names_keep_their_text(name in "[a-zA-Z0-9_ -]{0,40}|.{0,5}") {
            if let Ok(parsed) = name.parse::<TierName>() {
                prop_assert_eq!(parsed.to_string(), name);
            }
        }
    }
}
