//! The sample data, embedded in the binary: five real stocks.

use super::{Failure, Steps};
use crate::cli::ingest::{self, Load, Loaded};
use crate::feed::Source;
use crate::store::{Database, Listing, StockFilter, Store, Table};

const FILES: [(Table, &str, &[u8]); 3] = [
    (Table::Stocks, "seed/stocks.csv", include_bytes!("../../../seed/stocks.csv")),
    (Table::Prices, "seed/prices.csv.gz", include_bytes!("../../../seed/prices.csv.gz")),
    (
        Table::Actions,
        "seed/corporate_actions.csv",
        include_bytes!("../../../seed/corporate_actions.csv"),
    ),
];

/// Loads the sample if the database has no stock yet.
///
/// # Errors
/// When Postgres fails.
pub async fn load(database: &Database, store: &Store, steps: &Steps) -> Result<(), Failure> {
    let any = StockFilter::default();
    let first = Listing { limit: 1, offset: 0 };
    if store.list_stocks(&any, first, 0).await?.total > 0 {
        return Ok(());
    }
    for (table, name, bytes) in FILES {
        steps.begin(&format!("Loading {name}"));
        let loaded = ingest::load(database, &Load::of(table), Source::bytes(name, bytes)).await?;
        let (report, loader) = match loaded {
            Loaded::Done(report, loader) => (report, loader),
            Loaded::Asks(question) => return Err(question.into()),
        };
        loader.vacuum(&report).await;
        steps.note(&format!("Loaded {} rows of {name}", report.added));
    }
    Ok(())
}
