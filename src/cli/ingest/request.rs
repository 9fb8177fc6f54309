//! What a load is asked to do.

use std::path::PathBuf;

use super::skip::SkipRules;
use crate::feed::FileHints;
use crate::market::{PriceBasis, Symbol};
use crate::store::{AdjustedCloseOrigin, Table};

#[derive(Debug, Clone)]
pub struct LoadRequest {
    pub table: Table,
    pub hints: FileHints,
    /// The source of adjusted closes. `None`: the feed if the file has them, else computed.
    pub origin: Option<AdjustedCloseOrigin>,
    /// Former symbols of other stocks that new stocks take over.
    pub reuse: Vec<Symbol>,
    /// Whether computed adjusted closes may replace those of a feed, and another unit of a currency
    /// the one of stored prices.
    pub may_replace: bool,
    /// What prices are; `None` if the operator does not say.
    pub basis: Option<PriceBasis>,
    /// Whether dividends are divided by the ratios of later splits.
    pub are_dividends_adjusted: bool,
    /// Whether prices and actions of days without trading are loaded.
    pub keeps_closed_days: bool,
    /// Whether dividends of one day and type with different amounts are added.
    pub adds_same_day_dividends: bool,
    /// Whether bars that are unmistakably those of weeks or months are loaded as days.
    pub keeps_sparse_bars: bool,
    pub skip: SkipRules,
    /// A file to write bad rows to.
    pub rejects: Option<PathBuf>,
}

impl LoadRequest {
    /// A load with default options.
    pub fn of(table: Table) -> Self {
        Self {
            table,
            hints: FileHints::default(),
            origin: None,
            reuse: Vec::new(),
            may_replace: false,
            basis: None,
            are_dividends_adjusted: false,
            keeps_closed_days: false,
            adds_same_day_dividends: false,
            keeps_sparse_bars: false,
            skip: SkipRules::default(),
            rejects: None,
        }
    }
}
