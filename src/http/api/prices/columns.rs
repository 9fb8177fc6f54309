//! The columns of a row of prices.

use std::fmt::Write;
use std::str::FromStr;

/// A column, by the name of its field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Column {
    Symbol,
    Date,
    Open,
    High,
    Low,
    Close,
    AdjustedClose,
    Volume,
    Unfinished,
}

/// Columns in the order in which they are sent, each once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Columns {
    columns: [Column; Column::ALL.len()],
    count: usize,
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ColumnsError {
    #[error("expected one or more of {}, parted by commas", Column::NAMES.join(", "))]
    Unknown,
    #[error("{} is given twice: expected it once", .0.as_str())]
    Twice(Column),
}

impl Column {
    pub const ALL: [Self; 9] = [
        Self::Symbol,
        Self::Date,
        Self::Open,
        Self::High,
        Self::Low,
        Self::Close,
        Self::AdjustedClose,
        Self::Volume,
        Self::Unfinished,
    ];

    pub const NAMES: [&str; 9] = {
        let (mut names, mut at) = ([""; 9], 0);
        while at < names.len() {
            names[at] = Self::ALL[at].as_str();
            at += 1;
        }
        names
    };

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Symbol => "symbol",
            Self::Date => "date",
            Self::Open => "open",
            Self::High => "high",
            Self::Low => "low",
            Self::Close => "close",
            Self::AdjustedClose => "adjustedClose",
            Self::Volume => "volume",
            Self::Unfinished => "unfinished",
        }
    }
}

impl Columns {
    /// What is sent where nothing else is asked for: `symbol` where rows are of several stocks,
    /// `unfinished` where they stand for periods.
    pub fn usual(of_several: bool, of_periods: bool) -> Self {
        let is_usual = |column: &Column| match column {
            Column::Symbol => of_several,
            Column::Unfinished => of_periods,
            _ => true,
        };
        Self::of(Column::ALL.into_iter().filter(is_usual))
    }

    fn of(given: impl Iterator<Item = Column>) -> Self {
        let mut columns = Self { columns: Column::ALL, count: 0 };
        for column in given.take(Column::ALL.len()) {
            columns.columns[columns.count] = column;
            columns.count += 1;
        }
        columns
    }

    pub fn iter(&self) -> impl ExactSizeIterator<Item = Column> + '_ {
        self.columns[..self.count].iter().copied()
    }

    /// Their names, parted by commas.
    pub fn write_names(&self, out: &mut impl Write) {
        for (at, column) in self.iter().enumerate() {
            // Writing to a text can't fail.
            let _ = write!(out, "{}{}", if at == 0 { "" } else { "," }, column.as_str());
        }
    }
}

impl FromStr for Columns {
    type Err = ColumnsError;

    fn from_str(text: &str) -> Result<Self, ColumnsError> {
        let mut columns: Vec<Column> = Vec::new();
        for name in text.split(',') {
            let column = Column::ALL
                .into_iter()
                .find(|column| column.as_str() == name)
                .ok_or(ColumnsError::Unknown)?;
            if columns.contains(&column) {
                return Err(ColumnsError::Twice(column));
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
    fn columns_are_sent_in_the_order_asked_for() {
        let mut names = String::new();
        "close,date".parse::<Columns>().unwrap().write_names(&mut names);
        assert_eq!(names, "close,date");
        for (text, error) in [
            ("", ColumnsError::Unknown),
            ("close,", ColumnsError::Unknown),
            ("closing", ColumnsError::Unknown),
            ("close,close", ColumnsError::Twice(Column::Close)),
        ] {
            assert_eq!(text.parse::<Columns>(), Err(error), "{text}");
        }
    }

    proptest! {
        #[test]
        fn columns_are_written_as_they_are_read(
            names in prop::sample::subsequence(Column::NAMES.to_vec(), 1..=Column::NAMES.len()).prop_shuffle()
        ) {
            let mut written = String::new();
            let columns: Columns = names.join(",").parse().unwrap();
            columns.write_names(&mut written);
            prop_assert_eq!(&written, &names.join(","));
            let twice = format!("{written},{}", names[0]).parse::<Columns>().unwrap_err().to_string();
            prop_assert!(twice.starts_with(names[0]), "{twice}");
        }

        #[test]
        fn any_text_is_read_or_refused_without_a_panic(text in "[a-zA-Z,]{0,40}|.{0,20}") {
            if let Err(error) = text.parse::<Columns>() {
                prop_assert!(error.to_string().contains("expected"));
            }
        }
    }
}
