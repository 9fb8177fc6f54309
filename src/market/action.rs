//! Corporate actions: what changes the meaning of a share or its price.

use std::str::FromStr;

use chrono::NaiveDate;

/// A corporate action, effective from the open of its ex-date.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Action {
    pub ex_date: NaiveDate,
    pub kind: ActionKind,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub enum ActionKind {
    /// `from` shares became `to`: a two-for-one split is from 1 to 2, a reverse split from 10 to 1.
    Split { from: f64, to: f64 },
    /// Cash a share, as paid, in the stock's currency.
    Dividend(f64),
}

impl ActionKind {
    /// What closes before the ex-date are multiplied by, so that they move as the value of a
    /// holding does: `from / to` for a split, `c / (c + d)` for a dividend `d` that is put into
    /// shares at the first raw close `c` from the ex-date on. On a day with both, the dividend is
    /// one on the shares after the split. Source: the total return of the Center for Research in
    /// Security Prices (CRSP US Stock & Indexes Databases, Data Descriptions Guide),
    /// `(p(t) f(t) + d(t)) / p(t') - 1`.
    pub fn factor(self, close: f64) -> f64 {
        match self {
            Self::Split { from, to } => from / to,
            Self::Dividend(dividend) => close / (close + dividend),
        }
    }

    pub fn is_dividend(self) -> bool {
        matches!(self, Self::Dividend(_))
    }
}

/// A kind of corporate action by its name alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EventKind {
    Split,
    Dividend,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected split or dividend")]
pub struct EventKindError;

impl EventKind {
    pub const WORDS: [&str; 2] = ["split", "dividend"];

    pub const fn as_str(self) -> &'static str {
        Self::WORDS[self as usize]
    }
}

impl FromStr for EventKind {
    type Err = EventKindError;

    fn from_str(text: &str) -> Result<Self, EventKindError> {
        [Self::Split, Self::Dividend]
            .into_iter()
            .find(|kind| kind.as_str() == text)
            .ok_or(EventKindError)
    }
}
