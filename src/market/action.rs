//! Corporate actions: splits and dividends.

use chrono::NaiveDate;

use super::word_enum;

/// A corporate action, effective from the open of its ex-date.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Action {
    pub ex_date: NaiveDate,
    pub kind: ActionKind,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub enum ActionKind {
    /// `from` shares became `to`: a two-for-one split is from 1 to 2, a one-for-ten reverse split
    /// from 10 to 1.
    Split { from: f64, to: f64 },
    /// Cash per share, as paid, in the stock's currency.
    Dividend(f64),
}

impl ActionKind {
    /// The adjustment factor: closes before the ex-date, multiplied by it, move as the value of a
    /// holding does. It is `from / to` for a split. For a dividend `d` it is `c / (c + d)`: the
    /// dividend buys shares at `c`, the first raw close from the ex-date on. On a day with both,
    /// the dividend is paid on the shares after the split.
    ///
    /// Source: the total return of the Center for Research in Security Prices (CRSP US Stock &
    /// Indexes Databases, Data Descriptions Guide), `(p(t) f(t) + d(t)) / p(t') - 1`.
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

word_enum! {
    /// A kind of corporate action, by its name alone.
    pub enum EventKind: "split or dividend" {
        Split = "split",
        Dividend = "dividend",
    }
}
