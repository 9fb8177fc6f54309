//! Reads files of market data (CSV, JSON or Parquet), and checks every row.

mod checks;
mod columns;
mod error;
pub mod generate;
mod header;
mod newlines;
mod reader;
mod records;
mod row;
mod source;
mod values;
mod wide_table;
mod zstd;

pub use checks::{RowNotes, describe_duplicate, stage};
pub use columns::columns;
pub use error::{FeedError, RowError, RowErrorKind};
pub use reader::{FeedReader, FileHints};
pub use row::FeedRow;
pub use source::Source;
pub use values::DateOrder;
