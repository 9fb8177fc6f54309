//! Files of market data: CSV, plain or gzip, to rows that are checked one by one.

mod columns;
pub mod generate;
mod newlines;
mod reader;
mod row;
mod rows;

pub use columns::columns;
pub use reader::{FeedError, Reader, Source};
pub use row::{Row, RowError};
pub use rows::{check, repeated};
