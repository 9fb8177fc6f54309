//! Which end of a history comes first.

use std::str::FromStr;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Order {
    /// Newest first.
    #[default]
    Desc,
    /// Oldest first.
    Asc,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected desc (newest first) or asc")]
pub struct OrderError;

impl Order {
    pub const WORDS: [&str; 2] = ["desc", "asc"];

    pub const fn as_str(self) -> &'static str {
        Self::WORDS[self as usize]
    }
}

impl FromStr for Order {
    type Err = OrderError;

    fn from_str(text: &str) -> Result<Self, OrderError> {
        [Self::Desc, Self::Asc].into_iter().find(|order| order.as_str() == text).ok_or(OrderError)
    }
}
