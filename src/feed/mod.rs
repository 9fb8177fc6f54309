//! Reads files of market data (CSV, plain or gzip), and checks every row.

mod checks;
mod columns;
mod error;
pub mod generate;
mod newlines;
mod reader;
mod row;

pub use checks::{describe_duplicate, stage};
pub use columns::columns;
pub use error::{FeedError, RowError};
pub use reader::{CsvReader, Source};
pub use row::FeedRow;
