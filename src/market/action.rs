//! Corporate actions: what changes the meaning of a share or its price.

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
    /// The factor that makes earlier prices comparable with those from the ex-date on: `from / to` for a split,
    /// `1 - d / c` for a dividend `d` after the raw close `c` of the day before the ex-date, in the shares of the ex-date.
    /// Source: Yahoo Finance Help, "What is the adjusted close?", which follows the standards of the Center for
    /// Research in Security Prices (CRSP).
    pub fn factor(self, previous_close: f64) -> f64 {
        match self {
            Self::Split { from, to } => from / to,
            Self::Dividend(dividend) => 1.0 - dividend / previous_close,
        }
    }
}
