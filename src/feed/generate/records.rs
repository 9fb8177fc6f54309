//! The records a generated history is made of.

use crate::market::{Action, Bar};

/// Who a stock is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stock {
    pub symbol: String,
    pub name: String,
    /// `NASDAQ` or `NYSE`.
    pub exchange: &'static str,
    pub sector: &'static str,
    pub industry: &'static str,
    /// ISO 4217 code; always `USD`.
    pub currency: &'static str,
}

/// All of one stock: bars and actions in order of date, at least one bar. Prices are whole cents
/// from one dollar up and four decimals below, volumes whole lots of 100, adjusted closes ten
/// significant digits. An action falls on the date of a bar other than the first, one action a date
/// at most.
#[derive(Debug, Clone, PartialEq)]
pub struct History {
    pub stock: Stock,
    pub bars: Vec<Bar>,
    pub actions: Vec<Action>,
}
