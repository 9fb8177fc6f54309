//! Which rows of a file may be left out, and how many.

use std::str::FromStr;

use clap::ValueEnum;

use crate::feed::RowErrorKind;

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum SkippedRows {
    /// Rows with an invalid value, and rows that contradict each other or a stored event
    BadRows,
    /// Rows of symbols that no stock has
    UnknownSymbols,
}

/// Which rows of a file may be left out.
#[derive(Debug, Clone, Default)]
pub struct SkipRules {
    pub rows: Vec<SkippedRows>,
    pub max: SkipMax,
}

impl SkipRules {
    pub fn skips(&self, error: RowErrorKind) -> bool {
        match error {
            RowErrorKind::Value => self.rows.contains(&SkippedRows::BadRows),
            RowErrorKind::UnknownSymbol => self.rows.contains(&SkippedRows::UnknownSymbols),
            RowErrorKind::DateOrder => false,
        }
    }
}

/// The most rows of a file that may be left out.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub enum SkipMax {
    Rows(u64),
    /// Of all rows of the file.
    Percent(f64),
    /// The default: a tenth of the rows, or 100 rows of a small file but not all of them. More is
    /// rather a wrong file or a wrong column, and 100 lines can still be looked through.
    #[default]
    Tenth,
}

const SMALL_FILE_ROWS: u64 = 100;

impl SkipMax {
    /// Whether `skipped` of `rows` rows may be left out.
    pub fn allows(self, skipped: u64, rows: u64) -> bool {
        let share = |percent: f64| skipped as f64 * 100.0 <= rows as f64 * percent;
        match self {
            Self::Rows(max) => skipped <= max,
            Self::Percent(percent) => share(percent),
            Self::Tenth => {
                let is_of_small_file = skipped <= SMALL_FILE_ROWS && skipped < rows;
                is_of_small_file || share(10.0)
            }
        }
    }
}

impl std::fmt::Display for SkipMax {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Rows(max) => write!(f, "{max}"),
            Self::Percent(percent) => write!(f, "{percent}%"),
            Self::Tenth => {
                write!(f, "10%, or {SMALL_FILE_ROWS} rows but not all of a small file")
            }
        }
    }
}

#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected a number of rows, or a percentage such as 5%")]
pub struct SkipMaxError;

impl FromStr for SkipMax {
    type Err = SkipMaxError;

    fn from_str(text: &str) -> Result<Self, SkipMaxError> {
        match text.strip_suffix('%') {
            None => text.parse().map(Self::Rows).map_err(|_| SkipMaxError),
            Some(percent) => {
                let percent = percent.parse().ok();
                let percent = percent.filter(|percent: &f64| (0.0..=100.0).contains(percent));
                percent.map(Self::Percent).ok_or(SkipMaxError)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bound_is_a_number_of_rows_or_a_share_of_them() {
        for (text, skipped, rows, is_allowed) in [
            ("3", 3, 4, true),
            ("3", 4, 1000, false),
            ("5%", 50, 1000, true),
            ("5%", 51, 1000, false),
            ("100%", 10, 10, true),
            ("0", 0, 0, true),
        ] {
            let max: SkipMax = text.parse().unwrap();
            assert_eq!(max.allows(skipped, rows), is_allowed, "{skipped} of {rows}, {max}");
        }
        for (skipped, rows, is_allowed) in [
            (100, 101, true),
            (100, 100, false),
            (1, 1, false),
            (101, 1000, false),
            (101, 1010, true),
            (0, 0, true),
        ] {
            assert_eq!(SkipMax::default().allows(skipped, rows), is_allowed, "{skipped} of {rows}");
        }
        for text in ["", "%", "-1", "1.5", "101%", "NaN%", "ten"] {
            assert_eq!(text.parse::<SkipMax>(), Err(SkipMaxError), "{text}");
        }
    }
}
