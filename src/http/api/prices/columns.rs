//! The columns of a price row, and the selection of columns in a request.

use std::fmt::Write;
use std::str::FromStr;

use crate::market::word_enum;

word_enum! {
    /// A column of a price row. Its word is the name of the JSON field.
    pub enum PriceColumn: "the name of a column" {
        Symbol = "symbol",
        Date = "date",
        Open = "open",
        High = "high",
        Low = "low",
        Close = "close",
        AdjustedClose = "adjustedClose",
        Volume = "volume",
        Unfinished = "unfinished",
        Vwap = "vwap",
        Trades = "trades",
        Adjust = "adjust",
    }
}

/// The columns of a response in their order, each at most once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ColumnSelection {
    /// Only the first `count` are selected.
    columns: [PriceColumn; PriceColumn::ALL.len()],
    count: usize,
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ColumnSelectionError {
    #[error("expected one or more of {}, separated by commas", PriceColumn::WORDS.join(", "))]
    Unknown,
    #[error("{} is given twice: expected it once", .0.as_str())]
    Duplicate(PriceColumn),
}

impl ColumnSelection {
    /// Whether a column is selected that the index of prices does not have.
    pub fn has_details(&self) -> bool {
        self.iter().any(|column| matches!(column, PriceColumn::Vwap | PriceColumn::Trades))
    }

    /// The default: `symbol` only for queries of several stocks, `unfinished` only for intervals
    /// longer than a day, `adjust` only for rows that no other place marks as adjusted, `vwap` and
    /// `trades` only on request.
    pub fn default_for(has_symbols: bool, has_periods: bool, marks_adjusted: bool) -> Self {
        let is_default = |column: &PriceColumn| match column {
            PriceColumn::Symbol => has_symbols,
            PriceColumn::Unfinished => has_periods,
            PriceColumn::Adjust => marks_adjusted,
            PriceColumn::Vwap | PriceColumn::Trades => false,
            _ => true,
        };
        Self::of(PriceColumn::ALL.into_iter().filter(is_default))
    }

    fn of(columns: impl Iterator<Item = PriceColumn>) -> Self {
        let mut selection = Self { columns: PriceColumn::ALL, count: 0 };
        for column in columns.take(PriceColumn::ALL.len()) {
            selection.columns[selection.count] = column;
            selection.count += 1;
        }
        selection
    }

    pub fn iter(&self) -> impl ExactSizeIterator<Item = PriceColumn> + '_ {
        self.columns[..self.count].iter().copied()
    }

    /// Writes the names, separated by commas.
    pub fn write_names(&self, out: &mut impl Write) {
        for (i, column) in self.iter().enumerate() {
            let separator = if i == 0 { "" } else { "," };
            // Writing to a String can't fail.
            let _ = write!(out, "{separator}{}", column.as_str());
        }
    }
}

impl FromStr for ColumnSelection {
    type Err = ColumnSelectionError;

    fn from_str(text: &str) -> Result<Self, ColumnSelectionError> {
        let mut columns: Vec<PriceColumn> = Vec::new();
        for name in text.split(',') {
            let column = name.parse().map_err(|_| ColumnSelectionError::Unknown)?;
            if columns.contains(&column) {
                return Err(ColumnSelectionError::Duplicate(column));
            }
            columns.push(column);
        }
        Ok(Self::of(columns.into_iter()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn columns_keep_the_requested_order() {
        let mut names = String::new();
        "close,date".parse::<ColumnSelection>().unwrap().write_names(&mut names);
        assert_eq!(names, "close,date");
        for (text, error) in [
            ("", ColumnSelectionError::Unknown),
            ("close,", ColumnSelectionError::Unknown),
            ("closing", ColumnSelectionError::Unknown),
            ("close,close", ColumnSelectionError::Duplicate(PriceColumn::Close)),
        ] {
            assert_eq!(text.parse::<ColumnSelection>(), Err(error), "{text}");
        }
    }

    const NAMES_COUNT: usize = PriceColumn::WORDS.len();

    proptest! {
        #[test]
        fn names_are_written_as_they_were_parsed(
            names in prop::sample::subsequence(PriceColumn::WORDS.to_vec(), 1..=NAMES_COUNT)
                .prop_shuffle()
        ) {
            let mut written = String::new();
            let columns: ColumnSelection = names.join(",").parse().unwrap();
            columns.write_names(&mut written);
            prop_assert_eq!(&written, &names.join(","));
            let duplicate = format!("{written},{}", names[0]);
            let error = duplicate.parse::<ColumnSelection>().unwrap_err().to_string();
            prop_assert!(error.starts_with(names[0]), "{error}");
        }

        #[test]
        fn any_text_is_parsed_or_rejected_without_a_panic(text in "[a-zA-Z,]{0,40}|.{0,20}") {
            if let Err(error) = text.parse::<ColumnSelection>() {
                prop_assert!(error.to_string().contains("expected"));
            }
        }
    }
}
