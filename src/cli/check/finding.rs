//! What a check finds.

use std::fmt;

use serde::Serialize;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    Ok,
    /// It works, and something should be changed.
    Warning,
    /// The server can't work so.
    Wrong,
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Ok => "ok",
            Self::Warning => "warning",
            Self::Wrong => "wrong",
        })
    }
}

/// One line of a check.
#[derive(Debug, Serialize)]
pub struct Finding {
    /// The part that was checked, as in `postgres`.
    pub part: &'static str,
    pub level: Level,
    /// What was found and, unless it is all right, what to do.
    pub message: String,
}

impl Finding {
    pub fn new(part: &'static str, level: Level, message: impl Into<String>) -> Self {
        Self { part, level, message: message.into() }
    }
}
